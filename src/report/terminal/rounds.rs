//! The prompts in order, for a terminal.

use super::{NOTHING, percent_interval, points, table_or_list, wrap};
use crate::measure::Measurements;
use crate::measure::rounds::{History, RoundStep};
use crate::report::table::Table;

/// The section; `None` where no endpoint answered several rounds.
pub(super) fn section(measurements: &Measurements, width: usize) -> Option<String> {
    let histories = &measurements.rounds;
    let each: Vec<String> = histories.iter().map(|history| one(history, width)).collect();
    (!each.is_empty()).then(|| each.join("\n"))
}

fn one(history: &History, width: usize) -> String {
    let mut text = format!("Prompt rounds · {}\n", history.endpoint);
    let table = Table {
        header: vec!["variant", "round", "accuracy", "fixed", "broken", "net [95%]"],
        rows: history.rounds.iter().map(row).collect(),
    };
    text.push_str(&table_or_list(table, width));
    text.push('\n');
    text.push_str(&wrap(&failures(history), " ", "   ", width));
    text
}

fn row(step: &RoundStep) -> Vec<String> {
    let change = |cell: &dyn Fn(&crate::measure::rounds::RoundChange) -> String| {
        step.change.as_ref().map_or_else(|| NOTHING.to_owned(), cell)
    };
    vec![
        step.variant.to_string(),
        step.round.to_string(),
        percent_interval(&step.accuracy),
        change(&|change| change.fixed.count.to_string()),
        change(&|change| change.broken.count.to_string()),
        change(&|change| points(&change.difference)),
    ]
}

/// What became of the first round's failures.
fn failures(history: &History) -> String {
    let (wrong, never) = (history.wrong_at_first, history.never_fixed.count);
    if wrong == 0 {
        return "round 1 got nothing wrong".to_owned();
    }
    let share = never as f64 / wrong as f64 * 100.0;
    let mut text = format!("of the {wrong} that round 1 got wrong, never fixed: {never} ({share:.0}%)");
    for fixed in history.fixed_in.iter().filter(|fixed| fixed.fixed.count > 0) {
        let (count, round) = (fixed.fixed.count, fixed.round);
        text.push_str(&format!("; fixed first in round {round}: {count} ({} stayed right)", fixed.stayed));
    }
    text
}
