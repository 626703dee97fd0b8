//! What several suites came to: a row each, under their reports.

use super::{NOTHING, kebab, percent_interval, table_or_list};
use crate::decide::{NextStep, Phase};
use crate::measure::VariantMeasurements;
use crate::measure::standing::Standing;
use crate::report::Report;
use crate::report::look::{Look, Tone};
use crate::report::table::{Table, header};

/// One suite of several.
#[derive(Debug)]
pub struct Closing<'a> {
    /// The suite, or its folder where it has no report.
    pub suite: String,
    /// What its run showed.
    pub report: Option<&'a Report>,
    /// How it ended, in a word or two.
    pub ended: &'static str,
}

/// The table.
pub fn closing(rows: &[Closing<'_>], look: Look) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let table = Table { header: header(["suite", "run", "best", "in use", "verdict", "next step", "ended"]), rows };
    format!("{}\n{}", look.paint(Tone::Strong, "Suites"), table_or_list(table, look.width))
}

fn cells(row: &Closing<'_>) -> Vec<String> {
    let nothing = || NOTHING.to_owned();
    let Some(report) = row.report else {
        let middle = std::iter::repeat_with(nothing).take(5);
        return std::iter::once(row.suite.clone()).chain(middle).chain([row.ended.to_owned()]).collect();
    };
    let verdict = &report.verdict;
    let variants = &report.measurements.variants;
    let best = variants.iter().find(|measured| measured.standing == Some(Standing::Best));
    // Of one variant alone none is the best.
    let best = best.map(|measured| format!("▲ {}", accuracy(measured)));
    let incumbent =
        verdict.incumbent.as_ref().and_then(|id| report.variant(id)).map(|(_, measured)| accuracy(measured));
    vec![
        row.suite.clone(),
        report.run.clone(),
        best.unwrap_or_else(nothing),
        incumbent.unwrap_or_else(nothing),
        format!("{} ({})", kebab(&verdict.kind), kebab(&verdict.rule)),
        verdict.next_step.as_ref().map_or_else(nothing, next),
        row.ended.to_owned(),
    ]
}

fn accuracy(measured: &VariantMeasurements) -> String {
    format!("{} {}", measured.variant.id, percent_interval(&measured.accuracy))
}

/// Columns of a step that is a sentence.
const MOST_OF_STEP: usize = 36;

/// The first words of a sentence.
fn short(sentence: &str) -> String {
    let mut words = String::new();
    for word in sentence.split(' ') {
        if words.chars().count() + 1 + word.chars().count() > MOST_OF_STEP {
            return format!("{}…", words.trim_end_matches([',', ';', ':']));
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}

/// The step in a few words; its sentence stands in the report.
fn next(step: &NextStep) -> String {
    let Some(rung) = step.rung else { return short(&step.what) };
    let verb = match step.phase {
        Phase::Ship => "ship",
        Phase::Try | Phase::None => "try",
    };
    match &step.variant {
        Some(variant) => format!("{verb} {} (`{variant}`)", rung.name()),
        None => format!("{verb} {}", rung.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_keeps_its_first_words() {
        assert_eq!(short("measure about 29 examples"), "measure about 29 examples");
        assert_eq!(short("measure the prompt rounds with a schema, and more"), "measure the prompt rounds with a…");
        assert_eq!(short("measure the prompt rounds of today, and more"), "measure the prompt rounds of today…");
    }
}
