//! A comparison for a terminal.

mod detail;

use std::fmt::Write as _;

use super::{percent_interval, points, table_or_list, wrap};
use crate::measure::contrast::{Contrast, Correction};
use crate::measure::side::Metric;
use crate::report::compare::lines::{
    COUNTS, MOST_SIDES, adjusted, days, heading, letter, level, named, notes, one_run, who,
};
use crate::report::compare::words::{counts, verdict};
use crate::report::compare::{Compared, Comparison, Form, SideFacts};
use crate::report::table::Table;
use crate::text;

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

type Rows = (Vec<std::borrow::Cow<'static, str>>, Vec<Vec<String>>);

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
