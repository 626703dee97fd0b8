//! A comparison for a terminal.

mod detail;
mod words;

use std::fmt::Write as _;

use super::{percent_interval, points, table_or_list, wrap};
use crate::measure::RunProvenance;
use crate::measure::contrast::{Contrast, Correction, Test};
use crate::measure::side::Metric;
use crate::report::compare::{Compared, Comparison, Form, SideFacts};
use crate::report::table::Table;
use crate::text;
use words::{counts, dropped, p_value, verdict};

/// Sides that are described above a table; the rest is in `--json`.
const MOST_SIDES: usize = 20;

/// The whole comparison, at most about `width` columns wide, with so many flips.
pub fn render(comparison: &Comparison, flips: usize, width: usize) -> String {
    let mut text = format!("{}\n", heading(comparison));
    text.push_str(&sides(comparison, width));
    for warning in &comparison.warnings {
        text.push_str(&wrap(&format!("warning: {}", text::one_line(warning, 1000)), " ", "   ", width));
    }
    text.push('\n');
    match (&comparison.detail, comparison.comparisons.first()) {
        (Some(found), Some(compared)) => text.push_str(&detail::render(comparison, compared, found, flips, width)),
        _ => text.push_str(&table(comparison, width)),
    }
    text
}

fn heading(comparison: &Comparison) -> String {
    let what = match comparison.form {
        Form::Pair => "B against A on the same examples",
        Form::Baseline => "each against A on the same examples",
        Form::AllPairs => "all pairs on the same examples, for exploring",
        Form::Runs => "each variant against itself, on the same examples",
    };
    let recorded = |side: &&SideFacts| side.provenance != RunProvenance::Live;
    let source = match comparison.sides.iter().filter(recorded).count() {
        0 => "live answers",
        all if all == comparison.sides.len()
            && comparison.sides.iter().all(|side| side.provenance == RunProvenance::Recorded) =>
        {
            "RECORDED answers"
        }
        _ => "answers partly live, partly RECORDED",
    };
    let run = one_run(comparison).map_or(String::new(), |run| format!("run {run} · "));
    format!("{} · {run}{what} · {source}", comparison.suite)
}

/// The run, where all sides are of one.
fn one_run(comparison: &Comparison) -> Option<&str> {
    let first = comparison.sides.first()?.run.as_str();
    comparison.sides.iter().all(|side| side.run == first).then_some(first)
}

/// The name of the rate that is compared.
fn rate(comparison: &Comparison) -> String {
    match comparison.metric {
        Metric::Accuracy => format!("accuracy (mean of `{}`)", comparison.scorer),
        Metric::Validity => "schema validity".to_owned(),
    }
}

/// A, B, C …, and numbers beyond the alphabet.
fn letter(place: usize) -> String {
    u8::try_from(place)
        .ok()
        .filter(|place| *place < 26)
        .map_or_else(|| format!("{}", place + 1), |place| char::from(b'A' + place).to_string())
}

/// Who is who; two runs have one line each.
fn sides(comparison: &Comparison, width: usize) -> String {
    let mut text = String::new();
    if comparison.form == Form::Runs {
        let mut runs: Vec<&SideFacts> = Vec::new();
        for side in &comparison.sides {
            if !runs.iter().any(|known| known.run == side.run) {
                runs.push(side);
            }
        }
        for (place, run) in runs.into_iter().enumerate() {
            let line = format!("run {} · {}", run.run, days(run));
            text.push_str(&wrap(&line, &format!(" {}  ", letter(place)), "    ", width));
        }
        return text;
    }
    for (place, side) in comparison.sides.iter().enumerate().take(MOST_SIDES) {
        text.push_str(&wrap(
            &who(side, one_run(comparison).is_none()),
            &format!(" {}  ", letter(place)),
            "    ",
            width,
        ));
    }
    let more = comparison.sides.len().saturating_sub(MOST_SIDES);
    if more > 0 {
        let _ = writeln!(text, " and {more} more");
    }
    text
}

fn who(side: &SideFacts, of_run: bool) -> String {
    let run = if of_run { format!(" of run {}", side.run) } else { String::new() };
    let mut parts = vec![format!("{}{run}", side.variant)];
    parts.push(text::one_line(&side.endpoints.join(", "), 200));
    parts.push(format!("prompt {}", side.prompt));
    parts.extend(side.settings.iter().cloned());
    if side.repeats > 1 {
        parts.push(format!("{} repeats", side.repeats));
    }
    parts.push(days(side));
    parts.join(" · ")
}

fn days(side: &SideFacts) -> String {
    match (&side.first_day, &side.last_day) {
        (Some(first), Some(last)) if first != last => format!("asked {first} to {last}"),
        (Some(first), _) => format!("asked {first}"),
        _ => "never asked".to_owned(),
    }
}

/// More than two sides.
fn table(comparison: &Comparison, width: usize) -> String {
    let first = comparison.comparisons.first();
    let level = level(first.map(|compared| &compared.contrast));
    let rate = match comparison.metric {
        Metric::Accuracy => "accuracy",
        Metric::Validity => "valid",
    };
    let p = match comparison.correction {
        Some(Correction::BenjaminiHochberg) => "p (BH)",
        _ => "p (Holm)",
    };
    let change = |b: &str, a: &str| format!("{b} − {a} [{level}]").into();
    let (header, rows) = match comparison.form {
        Form::Runs => runs_rows(comparison, rate, &level, p),
        Form::AllPairs => (
            vec!["pair".into(), "n".into(), change("second", "first"), p.into(), COUNTS.into(), "verdict".into()],
            comparison.comparisons.iter().map(|compared| pair_row(comparison, compared)).collect(),
        ),
        Form::Baseline | Form::Pair => {
            let header = vec![
                "side".into(),
                "n".into(),
                format!("{rate} [{level}]").into(),
                change("it", "A"),
                p.into(),
                COUNTS.into(),
                "verdict".into(),
            ];
            (header, baseline_rows(comparison))
        }
    };
    // All of it is in `--json`. Each side's own rate goes before the difference does.
    let spare: &[&[usize]] = match comparison.form {
        Form::Runs => &[&[6], &[2, 3]],
        Form::AllPairs => &[&[4]],
        Form::Baseline | Form::Pair => &[&[5]],
    };
    let mut text = fitted(Table { header, rows }, spare, width);
    text.push('\n');
    for note in notes(comparison) {
        text.push_str(&wrap(&note, " ", "   ", width));
    }
    text
}

/// The table without as many of these groups of columns as it takes to fit; where even that is too
/// wide, lines of words.
fn fitted(table: Table, spare: &[&[usize]], width: usize) -> String {
    let without = |groups: &[&[usize]]| {
        let kept: Vec<usize> =
            (0..table.header.len()).filter(|place| !groups.iter().any(|group| group.contains(place))).collect();
        Table {
            header: kept.iter().map(|place| table.header[*place].clone()).collect(),
            rows: table.rows.iter().map(|row| kept.iter().map(|place| row[*place].clone()).collect()).collect(),
        }
    };
    let narrower = (0..=spare.len()).map(|groups| without(&spare[..groups])).find(|table| table.width() <= width);
    narrower.map_or_else(|| table_or_list(table.clone(), width), |table| table.to_text())
}

/// The level of a contrast's intervals, such as `98.33%`.
fn level(contrast: Option<&Contrast>) -> String {
    let percent = contrast.map_or(0.95, |contrast| contrast.difference.level) * 100.0;
    format!("{}%", (percent * 100.0).round() / 100.0)
}

/// Won, lost, tied.
const COUNTS: &str = "+/−/=";

type Rows = (Vec<std::borrow::Cow<'static, str>>, Vec<Vec<String>>);

fn named(comparison: &Comparison, place: usize) -> String {
    comparison.sides.get(place).map_or(String::new(), |side| format!("{} {}", letter(place), side.name))
}

fn baseline_rows(comparison: &Comparison) -> Vec<Vec<String>> {
    let nothing = || super::NOTHING.to_owned();
    let baseline = comparison.comparisons.first().map(|compared| {
        let of_a = compared.contrast.a;
        let name = named(comparison, compared.a);
        vec![name, of_a.n.to_string(), percent_interval(&of_a), nothing(), nothing(), nothing(), "baseline".to_owned()]
    });
    let others = comparison.comparisons.iter().map(|compared| {
        let found = &compared.contrast;
        vec![
            named(comparison, compared.b),
            found.n.to_string(),
            percent_interval(&found.b),
            points(&found.difference),
            adjusted(found),
            counts(found),
            verdict(found),
        ]
    });
    baseline.into_iter().chain(others).collect()
}

fn pair_row(comparison: &Comparison, compared: &Compared) -> Vec<String> {
    let found = &compared.contrast;
    let name = |place: usize| comparison.sides.get(place).map_or(String::new(), |side| side.name.clone());
    vec![
        format!("{} → {}", name(compared.a), name(compared.b)),
        found.n.to_string(),
        points(&found.difference),
        adjusted(found),
        counts(found),
        verdict(found),
    ]
}

fn runs_rows(comparison: &Comparison, rate: &str, level: &str, p: &'static str) -> Rows {
    let run = |place: usize| comparison.sides.get(place).map_or("", |side| side.run.as_str());
    let others: std::collections::BTreeSet<&str> =
        comparison.comparisons.iter().map(|compared| run(compared.b)).collect();
    let many = others.len() > 1;
    let rows = comparison.comparisons.iter().map(|compared| {
        let found = &compared.contrast;
        let variant = comparison.sides.get(compared.a).map_or(String::new(), |side| side.variant.to_string());
        let name = if many { format!("{variant} in {}", run(compared.b)) } else { variant };
        contrast_row(name, found)
    });
    let second = if many { "it" } else { "B" };
    let header = vec![
        "variant".into(),
        "n".into(),
        format!("A {rate} [{level}]").into(),
        format!("{second} {rate}").into(),
        format!("{second} − A [{level}]").into(),
        p.into(),
        COUNTS.into(),
        "verdict".into(),
    ];
    (header, rows.collect())
}

/// A contrast as a row of a table: both sides, the difference, p, counts, verdict.
fn contrast_row(name: String, contrast: &Contrast) -> Vec<String> {
    vec![
        name,
        contrast.n.to_string(),
        percent_interval(&contrast.a),
        percent_interval(&contrast.b),
        points(&contrast.difference),
        adjusted(contrast),
        counts(contrast),
        verdict(contrast),
    ]
}

fn adjusted(contrast: &Contrast) -> String {
    contrast.p_adjusted.or(contrast.p).map_or(super::NOTHING.into(), p_value)
}

/// How to read the table.
fn notes(comparison: &Comparison) -> Vec<String> {
    let count = comparison.comparisons.len();
    let how = match comparison.correction {
        Some(Correction::BenjaminiHochberg) => format!(
            "exploratory: {count} pairs, p by Benjamini–Hochberg, which bounds the share of false leads and not the \
             chance of one; the intervals are not corrected"
        ),
        _ => format!(
            "p is corrected for {count} comparisons (Holm), the intervals are at level 1 − {}/{count}; a verdict needs \
             both",
            comparison.alpha
        ),
    };
    let mut notes = vec![format!(
        "{} in points, paired; {COUNTS}: examples on which it scored higher, lower, alike; {how}",
        rate(comparison)
    )];
    notes.push(tests(comparison.comparisons.iter().map(|compared| &compared.contrast), comparison.seed));
    let shared = comparison.form != Form::Runs;
    for compared in comparison.comparisons.iter().take(if shared { 1 } else { MOST_SIDES }) {
        let names: Vec<String> = if shared {
            comparison.sides.iter().map(|side| side.name.clone()).collect()
        } else {
            [compared.a, compared.b]
                .iter()
                .filter_map(|place| Some(comparison.sides.get(*place)?.run.clone()))
                .collect()
        };
        if let Some(left_out) = dropped(&compared.dropped, &names) {
            let whom = match (shared, comparison.sides.get(compared.a)) {
                (false, Some(side)) => format!("{}: ", side.variant),
                _ => String::new(),
            };
            notes.push(format!("{whom}{left_out}"));
        }
    }
    notes.push(GRADED.to_owned());
    notes
}

/// What scores rest on.
const GRADED: &str = "all answers are graded by the suite as it stands now";

/// Which tests the p-values come from.
fn tests<'a>(contrasts: impl Iterator<Item = &'a Contrast>, seed: u64) -> String {
    let (mut plain, mut clusters) = (false, None);
    for contrast in contrasts {
        match contrast.test {
            Test::McnemarMidP => plain = true,
            Test::SignFlip => clusters = clusters.max(Some(contrast.clusters)),
        }
    }
    let flip = clusters.map(|clusters| format!("sign-flip over {clusters} clusters (drawn with seed {seed} above 20)"));
    let plain = plain.then(|| "McNemar's mid-p".to_owned());
    let both: Vec<String> = plain.into_iter().chain(flip).collect();
    format!("p-values: {}", both.join("; "))
}
