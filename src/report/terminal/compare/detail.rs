//! Two sides in detail.

use super::{contrast_row, fitted};
use crate::measure::contrast::Contrast;
use crate::measure::latency_change::LatencyChange;
use crate::report::compare::lines::{
    self, COUNTS, level, name, pair_notes, quantiles, rate, score, shift, shown_json, slices_note, time_note,
};
use crate::report::compare::words::{counts, headline, p_value, verdict};
use crate::report::compare::{Answer, Compared, Comparison, Detail, Flip, Latency, Slices};
use crate::report::table::{Table, header};
use crate::report::terminal::{NOTHING, percent_interval, points, table_or_list, wrap};
use crate::text;

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
    for note in pair_notes(comparison, compared, detail) {
        text.push_str(&wrap(&note, " ", "   ", width));
    }
    text
}

/// Whether B is not worse by the gate's margin.
fn margins(comparison: &Comparison, compared: &Compared, detail: &Detail, width: usize) -> String {
    let Some((question, answers)) = lines::margins(comparison, compared, detail) else { return String::new() };
    let mut text = format!("\n{question}\n");
    for (rate, answer) in answers {
        text.push_str(&wrap(&answer, &format!(" {rate:<10}"), &" ".repeat(11), width));
    }
    text
}

fn cost_and_time(detail: &Detail, width: usize) -> String {
    let mut text = "\nCost of a request\n".to_owned();
    for line in lines::cost(&detail.cost) {
        text.push_str(&wrap(&line, " ", "   ", width));
    }
    text.push_str(&time(&detail.latency, width));
    text
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
    text.push_str(&wrap(&time_note(latency), " ", "   ", width));
    text
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
    let fewer = if count > MOST_SLICES { "; --tag TAG asks about fewer" } else { "" };
    let note = format!("{}{fewer}", slices_note(slices));
    text.push_str(&wrap(&note, " ", "   ", width));
    text
}
