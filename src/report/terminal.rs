//! The scoreboard and the verdict for a terminal.

use std::fmt::Write as _;

mod anytime;
mod cache;
pub mod compare;
mod decision;
mod notes;
mod rounds;
mod steps;
mod verdict;

pub use decision::decision;
pub use notes::{lines as notes, scored_before};
pub(super) use verdict::NAMES as TRIGGERS;
pub use verdict::verdict;

use super::Report;
use super::figure::{share, signed};
use super::table::Table;
use crate::measure::{Latency, RunProvenance, TokenSum, VariantMeasurements};
use crate::stats::Estimate;
use crate::units::format_usd;
use crate::variant::VariantId;

/// The whole report, at most about `width` columns wide.
pub fn render(report: &Report, width: usize) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", heading(report));
    let _ = writeln!(text);
    text.push_str(&scoreboard(report, width));
    text.push_str(&notes::footnotes(report, width));
    text.push_str(&super::retrieval::section(&report.measurements.variants, &report.embeddings, width));
    for section in [steps::section, rounds::section, cache::section] {
        if let Some(section) = section(&report.measurements, width) {
            let _ = writeln!(text);
            text.push_str(&section);
        }
    }
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
    let columns = columns_with_content(variants);
    let all = table(&columns, variants);
    if all.width() <= width {
        return all.to_text();
    }
    let (quality, rest): (Vec<_>, Vec<_>) = columns.into_iter().partition(|column| column.quality);
    let names =
        Column { name: "variant", quality: true, optional: false, cell: |measured| measured.variant.id.0.clone() };
    let rest: Vec<Column> = std::iter::once(names).chain(rest).collect();
    format!("{}\n{}", table(&quality, variants).to_text(), table(&rest, variants).to_text())
}

struct Column {
    name: &'static str,
    quality: bool,
    /// Left out where it says nothing of any variant.
    optional: bool,
    cell: fn(&VariantMeasurements) -> String,
}

/// The column that says of what level its interval is.
const ACCURACY: &str = "accuracy";

/// What stands where there is nothing to show.
pub(super) const NOTHING: &str = "–";

fn columns_with_content(variants: &[VariantMeasurements]) -> Vec<Column> {
    let says =
        |column: &Column| variants.iter().any(|measured| !matches!((column.cell)(measured).as_str(), NOTHING | "0"));
    columns().into_iter().filter(|column| !column.optional || says(column)).collect()
}

fn columns() -> Vec<Column> {
    let quality = |name, cell| Column { name, quality: true, optional: false, cell };
    let rest = |name, cell| Column { name, quality: false, optional: false, cell };
    let optional = |name, cell| Column { name, quality: false, optional: true, cell };
    vec![
        quality("variant", |measured| measured.variant.id.0.clone()),
        quality("n", |measured| measured.accuracy.n.to_string()),
        quality("ans/ref/cut/fail", outcomes),
        quality(ACCURACY, |measured| percent_interval(&measured.accuracy)),
        quality("macro-F1", |measured| {
            measured.macro_f1.and_then(|f1| f1.point).map_or("–".into(), |f1| format!("{f1:.3}"))
        }),
        quality("valid", |measured| percent(measured.validity_strict.as_ref())),
        quality("lenient", |measured| percent(measured.validity_lenient.as_ref())),
        rest("TTFT p50/p95 ms", |measured| quantiles(&measured.ttft)),
        optional("reasoning p50/p95 ms", |measured| measured.ttft_any.as_ref().map_or(NOTHING.into(), quantiles)),
        rest("total p50/p95 ms", |measured| quantiles(&measured.total)),
        optional("retries", |measured| measured.retries.to_string()),
        rest("tokens in (cached)", tokens_in),
        rest("out", |measured| tokens(&measured.usage.output_tokens)),
        optional("reasoning", |measured| tokens(&measured.usage.reasoning_tokens)),
        rest("$/request", |measured| {
            measured.cost.per_request.and_then(|cost| cost.point).map_or("unknown".into(), format_usd)
        }),
    ]
}

fn table(columns: &[Column], variants: &[VariantMeasurements]) -> Table {
    let accuracy = format!("{ACCURACY} [{}]", level(variants.first().map(|measured| measured.accuracy.level)));
    Table {
        header: columns
            .iter()
            .map(|column| if column.name == ACCURACY { accuracy.clone().into() } else { column.name.into() })
            .collect(),
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
        Some(point) => {
            format!("{} [{:.1}–{:.1}]", share(point, 1), estimate.low * 100.0, estimate.high * 100.0)
        }
    }
}

fn percent(estimate: Option<&Estimate>) -> String {
    match estimate.and_then(|estimate| estimate.point) {
        None => "–".into(),
        Some(point) => share(point, 1),
    }
}

/// The level of an interval, such as `95%`.
pub(super) fn level(level: Option<f64>) -> String {
    let percent = level.unwrap_or(0.95) * 100.0;
    format!("{}%", (percent * 1e4).round() / 1e4)
}

/// What else tells two variants apart.
fn differ_too(from: &VariantId, to: &VariantId, what: &str) -> String {
    format!("{from} → {to}: they differ in {what} too")
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
    // Over the answers that report the prompt's tokens: not all of them need say what was cached.
    let each = |sum: &TokenSum| sum.total.map(|total| total as f64 / usage.input_uncached_tokens.reported_by as f64);
    let read = each(&usage.cache_read_tokens);
    let written = [&usage.cache_write_5m_tokens, &usage.cache_write_1h_tokens].into_iter().filter_map(each);
    let all = uncached + read.unwrap_or(0.0) + written.sum::<f64>();
    read.map_or_else(|| format!("{all:.0}"), |read| format!("{all:.0} ({read:.0})"))
}

/// A table where it fits, without the columns that say nothing; else each row as lines of words.
pub(super) fn table_or_list(mut table: Table, width: usize) -> String {
    let says = |column: usize| table.rows.iter().any(|row| row.get(column).is_some_and(|cell| cell != NOTHING));
    let kept: Vec<usize> = (0..table.header.len()).filter(|column| says(*column)).collect();
    table.header = kept.iter().map(|column| table.header[*column].clone()).collect();
    for row in &mut table.rows {
        *row = kept.iter().map(|column| row[*column].clone()).collect();
    }
    if table.width() <= width {
        return table.to_text();
    }
    let mut text = String::new();
    for row in &table.rows {
        let Some((name, cells)) = row.split_first() else { continue };
        let named = table.header.iter().skip(1).zip(cells).filter(|(_, cell)| *cell != NOTHING);
        let words: Vec<String> = named.map(|(header, cell)| format!("{header} {cell}")).collect();
        text.push_str(&wrap(&format!("{name}: {}", words.join("; ")), " ", "   ", width));
    }
    text
}

/// `+8.2 [5.1 to 12.2]` in points.
pub(super) fn points(estimate: &Estimate) -> String {
    estimate.point.map_or(NOTHING.into(), |point| {
        format!("{} [{:.1} to {:.1}]", signed(point * 100.0, 1), estimate.low * 100.0, estimate.high * 100.0)
    })
}

/// An enum's kebab-case name, as JSON writes it.
pub(super) fn kebab<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;

/// Words in lines of at most `width` columns.
pub fn wrap(words: &str, first: &str, rest: &str, width: usize) -> String {
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
