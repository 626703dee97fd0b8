//! Two sides in detail.

use super::words::{counts, dropped, headline, not_worse, p_value, verdict};
use super::{COUNTS, GRADED, contrast_row, fitted, level, rate, tests};
use crate::measure::contrast::Contrast;
use crate::measure::latency_change::{LatencyChange, Quantiles};
use crate::measure::side::Metric;
use crate::report::compare::{Answer, Compared, Comparison, Detail, Flip, Latency, Slices};
use crate::report::table::{Table, header};
use crate::report::terminal::{NOTHING, percent_interval, points, signed, table_or_list, wrap};
use crate::stats::Estimate;
use crate::text;
use crate::units::format_usd;

/// Slices that are printed; the rest is in `--json`.
const MOST_SLICES: usize = 12;

/// Characters of a value in a flip's line, whatever the terminal's width.
const LONGEST_VALUE: usize = 300;

pub(super) fn render(
    comparison: &Comparison,
    compared: &Compared,
    detail: &Detail,
    flips: usize,
    width: usize,
) -> String {
    let mut text = wrap(&headline(&compared.contrast, &rate(comparison)), "", "  ", width);
    text.push('\n');
    text.push_str(&rates(comparison, compared, detail, width));
    text.push_str(&margins(comparison, compared, detail, width));
    text.push_str(&cost_and_time(detail, width));
    text.push_str(&differences(detail, width));
    text.push_str(&flipped(detail, flips, width));
    text.push_str(&sliced(&detail.slices, width));
    text
}

/// A table where it fits, else its columns before `at`, and the others below them.
fn in_two(table: Table, at: usize, width: usize) -> String {
    if table.width() <= width {
        return table.to_text();
    }
    let part = |columns: &dyn Fn(usize) -> bool| {
        let kept = |place: &usize| *place == 0 || columns(*place);
        let kept: Vec<usize> = (0..table.header.len()).filter(kept).collect();
        Table {
            header: kept.iter().map(|place| table.header[*place].clone()).collect(),
            rows: table.rows.iter().map(|row| kept.iter().map(|place| row[*place].clone()).collect()).collect(),
        }
    };
    let (first, second) = (part(&|place| place < at), part(&|place| place >= at));
    format!("{}\n{}", table_or_list(first, width), table_or_list(second, width))
}

fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy => "accuracy",
        Metric::Validity => "valid",
    }
}

/// Both rates of both sides.
fn rates(comparison: &Comparison, compared: &Compared, detail: &Detail, width: usize) -> String {
    let row = |metric, contrast: &Contrast| {
        vec![
            name(metric).to_owned(),
            percent_interval(&contrast.a),
            percent_interval(&contrast.b),
            points(&contrast.difference),
            contrast.p.map_or(NOTHING.into(), p_value),
            counts(contrast),
            verdict(contrast),
        ]
    };
    let other = detail.other.as_ref();
    let change = format!("B − A [{}]", level(Some(&compared.contrast)));
    let mut heads = header(["", "A", "B", "", "p", COUNTS, "verdict"]);
    heads[3] = change.into();
    let rows =
        [Some(row(comparison.metric, &compared.contrast)), other.map(|other| row(other.metric, &other.contrast))];
    let mut text = in_two(Table { header: heads, rows: rows.into_iter().flatten().collect() }, 4, width);
    text.push('\n');
    let contrast = &compared.contrast;
    let clusters =
        if contrast.clusters < contrast.n { format!(" in {} clusters", contrast.clusters) } else { String::new() };
    let calls = if contrast.paired_calls > contrast.n {
        format!(", {} pairs of calls", contrast.paired_calls)
    } else {
        String::new()
    };
    let left_out = dropped(&compared.dropped, &["A".to_owned(), "B".to_owned()]);
    let left_out = left_out.unwrap_or_else(|| "none is left out".to_owned());
    let contrasts = [Some(contrast), other.map(|other| &other.contrast)].into_iter().flatten();
    let bounds = compared.difference_bounds.map_or(String::new(), |[low, high]| {
        let point = |bound: f64| signed(bound * 100.0, 1);
        format!("; however they had come out, the difference would lie between {} and {}", point(low), point(high))
    });
    for note in [
        format!("{} examples{clusters}{calls}; {left_out}{bounds}", contrast.n),
        format!("differences in points, paired; {COUNTS}: examples on which B scored higher, lower, alike"),
        format!("{}; {GRADED}", tests(contrasts, comparison.seed)),
    ] {
        text.push_str(&wrap(&note, " ", "   ", width));
    }
    text
}

/// Whether B is not worse by the gate's margin.
fn margins(comparison: &Comparison, compared: &Compared, detail: &Detail, width: usize) -> String {
    let own = compared.contrast.non_inferiority.map(|found| (comparison.metric, found));
    let other = detail.other.as_ref().and_then(|other| Some((other.metric, other.contrast.non_inferiority?)));
    let Some((_, first)) = own.or(other) else { return String::new() };
    let margin = (first.margin * 1e4).round() / 100.0;
    let mut text = format!("\nIs B worse by no more than {margin} points (the gate's margin)?\n");
    for (metric, found) in own.into_iter().chain(other) {
        text.push_str(&wrap(&not_worse(&found), &format!(" {:<10}", name(metric)), &" ".repeat(11), width));
    }
    text
}

fn cost_and_time(detail: &Detail, width: usize) -> String {
    let cost = &detail.cost;
    let mut text = "\nCost of a request\n".to_owned();
    let notes: Vec<String> = match &cost.notes {
        [Some(a), Some(b)] if a == b => vec![format!("A and B: {a}")],
        [a, b] => [("A", a), ("B", b)]
            .into_iter()
            .filter_map(|(side, note)| Some(format!("{side}: {}", note.as_ref()?)))
            .collect(),
    };
    let line = match (cost.a_usd_per_request, cost.b_usd_per_request) {
        (Some(a), Some(b)) => {
            let saving = cost.saving_usd_per_request.map_or_else(
                || "one cluster gives no interval of the saving".to_owned(),
                |saving| format!("{}, paired", saved(&saving)),
            );
            format!("A {}, B {}: {saving}", format_usd(a), format_usd(b))
        }
        _ => "unknown".to_owned(),
    };
    for line in std::iter::once(line).chain(notes) {
        text.push_str(&wrap(&line, " ", "   ", width));
    }
    if cost.heavy_tail {
        text.push_str(&wrap("few requests carry much of the saving: take its interval with care", " ", "   ", width));
    }
    text.push_str(&time(&detail.latency, width));
    text
}

/// `B saves $0.00022 [$0.00010 to $0.00034] (95%)`, or what it costs more.
fn saved(saving: &Estimate) -> String {
    let usd = |usd: f64| if usd < 0.0 { format!("-{}", format_usd(-usd)) } else { format_usd(usd) };
    let level = super::super::level(Some(saving.level));
    match saving.point {
        Some(point) if point < 0.0 => {
            format!("B costs {} more [{} to {}] ({level})", usd(-point), usd(-saving.high), usd(-saving.low))
        }
        point => {
            let point = point.map_or(NOTHING.into(), usd);
            format!("B saves {point} [{} to {}] ({level})", usd(saving.low), usd(saving.high))
        }
    }
}

fn time(latency: &Latency, width: usize) -> String {
    let mut text = "\nTimes in ms\n".to_owned();
    let row = |name: &str, change: &LatencyChange| {
        vec![
            name.to_owned(),
            quantiles(&change.a),
            quantiles(&change.b),
            shift(change.p50_change.as_ref()),
            shift(change.p95_change.as_ref()),
        ]
    };
    let table = Table {
        header: header(["p50 / p95", "A", "B", "B − A p50", "B − A p95"]),
        rows: vec![row("first token", &latency.ttft_ms), row("whole answer", &latency.total_ms)],
    };
    text.push_str(&table_or_list(table, width));
    let note = match &latency.why_not {
        Some(why) => format!("not comparable: {why}"),
        None if latency.ttft_ms.p50_change.or(latency.total_ms.p50_change).is_some() => {
            let first = latency.total_ms.p50_change.or(latency.ttft_ms.p50_change);
            let level = super::super::level(first.map(|change| change.level));
            format!("differences: cluster bootstrap ({level}), for display only: no verdict rests on them")
        }
        None => "no interval of the difference: too few or too many examples, or times without an end".to_owned(),
    };
    let busy = |(side, most): (&str, Option<u32>)| Some(format!("{} ({side})", most.filter(|most| *most > 1)?));
    let busy: Vec<String> = ["A", "B"].into_iter().zip(latency.in_flight).filter_map(busy).collect();
    let load = match busy.is_empty() {
        true => String::new(),
        false => format!("; with up to {} requests under way", busy.join(" and ")),
    };
    text.push_str(&wrap(&format!("{note}{load}"), " ", "   ", width));
    text
}

fn quantiles(found: &Quantiles) -> String {
    let ms = |estimate: Option<Estimate>| {
        estimate.and_then(|estimate| estimate.point).map_or(NOTHING.into(), |ms| format!("{ms:.0}"))
    };
    if found.p50.is_none() { NOTHING.to_owned() } else { format!("{} / {}", ms(found.p50), ms(found.p95)) }
}

fn shift(change: Option<&Estimate>) -> String {
    let Some((change, point)) = change.and_then(|change| Some((change, change.point?))) else {
        return NOTHING.to_owned();
    };
    format!("{} [{} to {}]", signed(point, 0), signed(change.low, 0), signed(change.high, 0))
}

fn differences(detail: &Detail, width: usize) -> String {
    let mut text = "\nWhere A and B differ\n".to_owned();
    if detail.differences.is_empty() {
        text.push_str(" in nothing that is known: the same variant, asked in the same words\n");
    }
    for difference in &detail.differences {
        let (a, b) = (text::one_line(&difference.a, LONGEST_VALUE), text::one_line(&difference.b, LONGEST_VALUE));
        let first = format!(" {:<15}", difference.what);
        text.push_str(&wrap(&format!("A {a} · B {b}"), &first, &" ".repeat(16), width));
    }
    text
}

fn flipped(detail: &Detail, most: usize, width: usize) -> String {
    let flips = &detail.flips;
    let all = flips.fixed + flips.broken;
    let shown = most.min(flips.examples.len());
    let which = match (shown as u64, all) {
        (_, 0) => return "\nFlips: none, every example scored alike\n".to_owned(),
        (0, _) => String::new(),
        (shown, all) if shown == all => ", the largest change first".to_owned(),
        (shown, all) => format!(" ({shown} of {all}, the largest change first; --flips N shows more, --json all)"),
    };
    let mut text = wrap(&format!("Flips: B fixed {}, B broke {}{which}", flips.fixed, flips.broken), "\n", "  ", width);
    for flip in flips.examples.iter().take(shown) {
        text.push_str(&one_flip(flip, width));
    }
    text
}

fn one_flip(flip: &Flip, width: usize) -> String {
    let what = if flip.b_score > flip.a_score { "fixed" } else { "broke" };
    let mut text = format!(" {what} {}\n", text::one_line(&flip.example, LONGEST_VALUE));
    let room = width.clamp(40, LONGEST_VALUE).saturating_sub(14);
    let mut line = |name: &str, value: &str| {
        text.push_str(&format!("   {name:<10}{}\n", text::one_line(value, room)));
    };
    line("input", &shown_json(&flip.input));
    line("expected", &shown_json(&flip.expected));
    line(&format!("A {}", score(flip.a_score)), &answer(&flip.a));
    line(&format!("B {}", score(flip.b_score)), &answer(&flip.b));
    text
}

fn score(score: f64) -> String {
    let text = format!("{score:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn shown_json(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What was answered, most telling first: the parsed answer, or what is wrong and the raw text. Of
/// several repeats the different ones.
fn answer(answers: &[Answer]) -> String {
    let mut shown: Vec<String> = Vec::new();
    for answer in answers {
        let one = one_answer(answer);
        if !shown.contains(&one) {
            shown.push(one);
        }
    }
    shown.join(" | ")
}

fn one_answer(answer: &Answer) -> String {
    let raw = || answer.text.as_ref().map_or(String::new(), |text| format!(": {text}"));
    if let Some(failure) = &answer.failure {
        return format!("{}: {failure}", answer.outcome);
    }
    match (&answer.answer, answer.valid) {
        (Some(value), true) => shown_json(value),
        _ => {
            let why =
                answer.violation.as_deref().map_or(String::new(), |why| format!(" ({})", text::one_line(why, 80)));
            let cut = if answer.outcome == "answered" { String::new() } else { format!("{}, ", answer.outcome) };
            format!("{cut}not valid{why}{}", raw())
        }
    }
}

fn sliced(slices: &Slices, width: usize) -> String {
    if slices.rows.is_empty() {
        return String::new();
    }
    let count = slices.rows.len();
    let change = format!("B − A [{}]", level(slices.rows.first().map(|row| &row.contrast)));
    let mut heads = header(["slice", "n", "A", "B", "", "p (Holm)", COUNTS, "verdict"]);
    heads[4] = change.into();
    let rows = slices.rows.iter().take(MOST_SLICES).map(|row| {
        let found = &row.contrast;
        contrast_row(format!("{} {}", text::one_line(&row.tag, 30), text::one_line(&row.value, 30)), found)
    });
    let shown = if count > MOST_SLICES { format!(", the largest {MOST_SLICES} of {count}") } else { String::new() };
    let mut text = format!("\nBy slice, for exploring{shown}\n");
    text.push_str(&fitted(Table { header: heads, rows: rows.collect() }, &[&[2, 3], &[6]], width));
    let left_out = match slices.left_out {
        0 => String::new(),
        n => format!("; {n} smaller slices are left out"),
    };
    let fewer = if count > MOST_SLICES { "; --tag TAG asks about fewer" } else { "" };
    let note = format!(
        "where to look, not what to decide: p is corrected for {count} slices (Holm), the intervals are at level 1 − \
         alpha/{count}, and a verdict needs both{fewer}{left_out}"
    );
    text.push_str(&wrap(&note, " ", "   ", width));
    text
}
