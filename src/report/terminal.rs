//! The scoreboard and the verdict for a terminal.

use std::fmt::Write as _;

use super::Report;
use super::table::Table;
use crate::decide::{TriggerState, Verdict};
use crate::measure::{Latency, RunProvenance, TokenSum, VariantMeasurements};
use crate::stats::Estimate;
use crate::units::format_usd;

/// The whole report, at most about `width` columns wide.
pub fn render(report: &Report, width: usize) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", heading(report));
    let _ = writeln!(text);
    text.push_str(&scoreboard(report, width));
    text.push_str(&footnotes(report, width));
    text.push_str(&super::retrieval::section(&report.measurements.variants, &report.embeddings, width));
    let _ = writeln!(text);
    text.push_str(&verdict(&report.verdict, width));
    text
}

/// Suite, run, where the answers come from.
fn heading(report: &Report) -> String {
    let source = match report.measurements.provenance {
        RunProvenance::Live => "live answers",
        RunProvenance::Recorded => "RECORDED answers",
        RunProvenance::Mixed => "answers partly live, partly RECORDED",
    };
    let left_out = match report.left_out {
        0 => String::new(),
        n => format!(" · {n} trials left out: not recorded"),
    };
    format!("{} · run {} · {source}{left_out}", report.suite, report.run)
}

/// One table where the terminal is wide enough, else quality first and speed and cost below it.
fn scoreboard(report: &Report, width: usize) -> String {
    let variants = &report.measurements.variants;
    let columns = columns();
    let all = table(&columns, variants);
    if all.width() <= width {
        return all.to_text();
    }
    let (quality, rest): (Vec<_>, Vec<_>) = columns.into_iter().partition(|column| column.quality);
    let names = Column { name: "variant", quality: true, cell: |measured| measured.variant.id.0.clone() };
    let rest: Vec<Column> = std::iter::once(names).chain(rest).collect();
    format!("{}\n{}", table(&quality, variants).to_text(), table(&rest, variants).to_text())
}

struct Column {
    name: &'static str,
    quality: bool,
    cell: fn(&VariantMeasurements) -> String,
}

fn columns() -> Vec<Column> {
    let quality = |name, cell| Column { name, quality: true, cell };
    let rest = |name, cell| Column { name, quality: false, cell };
    vec![
        quality("variant", |measured| measured.variant.id.0.clone()),
        quality("n", |measured| measured.accuracy.n.to_string()),
        quality("ans/ref/cut/fail", outcomes),
        quality("accuracy [95%]", |measured| percent_interval(&measured.accuracy)),
        quality("macro-F1", |measured| {
            measured.macro_f1.and_then(|f1| f1.point).map_or("–".into(), |f1| format!("{f1:.3}"))
        }),
        quality("valid", |measured| percent(measured.validity_strict.as_ref())),
        quality("lenient", |measured| percent(measured.validity_lenient.as_ref())),
        rest("TTFT p50/p95 ms", |measured| quantiles(&measured.ttft)),
        rest("total p50/p95 ms", |measured| quantiles(&measured.total)),
        rest("tokens in (cached)", tokens_in),
        rest("out", |measured| tokens(&measured.usage.output_tokens)),
        rest("$/request", |measured| {
            measured.cost.per_request.and_then(|cost| cost.point).map_or("unknown".into(), format_usd)
        }),
    ]
}

fn table(columns: &[Column], variants: &[VariantMeasurements]) -> Table {
    Table {
        header: columns.iter().map(|column| column.name).collect(),
        rows: variants.iter().map(|measured| columns.iter().map(|column| (column.cell)(measured)).collect()).collect(),
    }
}

fn outcomes(measured: &VariantMeasurements) -> String {
    let outcomes = &measured.outcomes;
    format!("{}/{}/{}/{}", outcomes.answered, outcomes.refused, outcomes.truncated, outcomes.failed)
}

/// `44.3% [38.6–50.1]`; nothing measured is said so.
pub fn percent_interval(estimate: &Estimate) -> String {
    match estimate.point {
        None => "–".into(),
        Some(point) => format!("{:.1}% [{:.1}–{:.1}]", point * 100.0, estimate.low * 100.0, estimate.high * 100.0),
    }
}

fn percent(estimate: Option<&Estimate>) -> String {
    match estimate.and_then(|estimate| estimate.point) {
        None => "–".into(),
        Some(point) => format!("{:.1}%", point * 100.0),
    }
}

fn quantiles(latency: &Latency) -> String {
    let ms = |estimate: Option<Estimate>| {
        estimate.and_then(|estimate| estimate.point).map_or("–".into(), |ms| format!("{ms:.0}"))
    };
    if latency.n() == 0 { "–".into() } else { format!("{} / {}", ms(latency.p50), ms(latency.p95)) }
}

fn tokens(sum: &TokenSum) -> String {
    sum.mean().map_or("–".into(), |mean| format!("{mean:.0}"))
}

/// Prompt tokens in all, and of these the cached ones.
fn tokens_in(measured: &VariantMeasurements) -> String {
    let usage = &measured.usage;
    let Some(uncached) = usage.input_uncached_tokens.mean() else { return "–".into() };
    let read = usage.cache_read_tokens.mean();
    let written = usage.cache_write_5m_tokens.mean().unwrap_or(0.0) + usage.cache_write_1h_tokens.mean().unwrap_or(0.0);
    let all = uncached + read.unwrap_or(0.0) + written;
    read.map_or_else(|| format!("{all:.0}"), |read| format!("{all:.0} ({read:.0})"))
}

/// What a reader must know to read the table right.
fn footnotes(report: &Report, width: usize) -> String {
    let mut notes = Vec::new();
    let measurements = &report.measurements;
    let clustered = if measurements.clustered { ", widened for clusters" } else { "" };
    notes.push(format!(
        "accuracy is the mean of `{}`, with its 95% interval{clustered}; an answer that breaks the schema scores 0",
        report.primary
    ));
    if measurements.provenance != RunProvenance::Live {
        let comparable = if measurements.latency_comparable { "" } else { ", and not comparable between variants" };
        let setting = report.setting.as_deref().map_or(String::new(), |setting| format!(": {setting}"));
        notes.push(format!("times are those of the recording{comparable}{setting}"));
    }
    let reused: u64 = measurements.variants.iter().map(|measured| measured.reused).sum();
    if reused > 0 && measurements.provenance != RunProvenance::Recorded {
        notes.push(format!(
            "{reused} answers come from the store and are no part of the latency figures (--fresh asks again)"
        ));
    }
    notes.extend(batch_note(&measurements.variants));
    for measured in &measurements.variants {
        for (kind, count, message) in measured.failures.iter().take(2) {
            notes.push(format!("{}: {count} failed ({}): {message}", measured.variant.id, kind.as_str()));
        }
        if measured.missing > 0 {
            let bounds = measured.accuracy_bounds.map_or(String::new(), |(low, high)| {
                format!("; with them accuracy lies between {:.1}% and {:.1}%", low * 100.0, high * 100.0)
            });
            notes.push(format!(
                "{}: {} trials are missing (infrastructure){bounds}",
                measured.variant.id, measured.missing
            ));
        }
        if let Some(note) = measured.cost.note.as_ref().filter(|_| measured.cost.per_request.is_some()) {
            notes.push(format!("{}: cost: {note}", measured.variant.id));
        }
    }
    notes.extend(super::schema_sent::notes(report));
    if measurements.variants.iter().all(|measured| measured.cost.per_request.is_none()) {
        let why = measurements.variants.iter().find_map(|measured| measured.cost.note.clone());
        notes.push(format!("cost is unknown{}", why.map_or(String::new(), |why| format!(": {why}"))));
    }
    notes.iter().fold(String::from("\n"), |text, note| text + &wrap(note, " ", "   ", width))
}

/// What answers of a batch do not say; nothing where there are none.
fn batch_note(variants: &[VariantMeasurements]) -> Option<String> {
    let batched: u64 = variants.iter().map(|measured| measured.batched).sum();
    let all: u64 = variants.iter().map(|measured| measured.outcomes.total()).sum();
    match batched {
        0 => None,
        _ if batched == all => {
            Some("latency: not measured, answers came by batch; their cost is at batch prices".to_owned())
        }
        _ => Some(format!(
            "{batched} of {all} answers came by batch: they are no part of the latency figures, and their cost is \
             at batch prices"
        )),
    }
}

/// The verdict: headline, reasons, triggers, rungs, the next step.
pub fn verdict(verdict: &Verdict, width: usize) -> String {
    let mut text = format!("VERDICT  {}  ({})\n", kebab(&verdict.kind), kebab(&verdict.rule));
    text.push_str(&wrap(&verdict.headline, "  ", "  ", width));
    if !verdict.reasons.is_empty() {
        text.push_str("\nWhy\n");
        for reason in &verdict.reasons {
            text.push_str(&wrap(reason, "  - ", "    ", width));
        }
    }
    text.push_str("\nTriggers\n");
    for (name, trigger) in NAMES.iter().zip(verdict.triggers.in_order()) {
        let state = kebab(&trigger.state).to_uppercase();
        let state = if trigger.state == TriggerState::Na { "no target".to_owned() } else { state };
        text.push_str(&wrap(&trigger.explanation, &format!("  {name:<16}{state:<10} "), &" ".repeat(29), width));
    }
    text.push_str("\nRungs\n");
    for (rung, report) in &verdict.rungs {
        let status = kebab(&report.status).to_uppercase();
        text.push_str(&wrap(
            &report.explanation,
            &format!("  {:<16}{status:<10} ", kebab(rung)),
            &" ".repeat(29),
            width,
        ));
    }
    if let Some(step) = &verdict.next_step {
        let cost = step.usual_cost_usd.map_or(String::new(), |usd| {
            format!(" (usually {} to {}, labelling not included)", format_usd(usd.low), format_usd(usd.high))
        });
        text.push_str("\nNext step\n");
        text.push_str(&wrap(&format!("{}{cost}", step.what), "  ", "  ", width));
    }
    if !verdict.flips_if.is_empty() {
        text.push_str("\nWhat would change this\n");
        for flip in &verdict.flips_if {
            text.push_str(&wrap(flip, "  - ", "    ", width));
        }
    }
    text
}

/// The triggers' names, T1 to T5.
const NAMES: [&str; 5] = ["schema validity", "quality ceiling", "first token", "monthly cost", "self-hosting"];

/// An enum's kebab-case name, as JSON writes it.
fn kebab<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// Words in lines of at most `width` columns.
pub(super) fn wrap(words: &str, first: &str, rest: &str, width: usize) -> String {
    let width = width.clamp(40, 120);
    let mut text = String::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in words.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            text.push_str(line.trim_end());
            text.push('\n');
            line = rest.to_owned();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
    text
}
