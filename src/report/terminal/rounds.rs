//! The prompts in order, for a terminal.

use super::{NOTHING, level, percent_interval, points, share, table_or_list, wrap};
use crate::measure::Measurements;
use crate::measure::rounds::{History, RoundStep};
use crate::report::table::{Table, header};

/// The section; `None` where no endpoint answered several rounds.
pub(super) fn section(measurements: &Measurements, width: usize) -> Option<String> {
    let histories = &measurements.rounds;
    let each: Vec<String> = histories.iter().map(|history| one(history, width)).collect();
    (!each.is_empty()).then(|| each.join("\n"))
}

fn one(history: &History, width: usize) -> String {
    let mut text = format!("Prompt rounds · {}\n", history.endpoint);
    let net = format!("net [{}]", level(history.rounds.first().map(|step| step.accuracy.level)));
    let table = Table {
        header: header(["variant", "round", "accuracy", "fixed", "broken"]).into_iter().chain([net.into()]).collect(),
        rows: history.rounds.iter().map(row).collect(),
    };
    text.push_str(&table_or_list(table, width));
    text.push('\n');
    text.push_str(&wrap(&failures(history), " ", "   ", width));
    let changes = history.rounds.iter().filter_map(|step| Some((step, step.change.as_ref()?)));
    for (step, change) in changes {
        if let Some(what) = &change.else_differs {
            text.push_str(&wrap(&super::differ_too(&change.from, &step.variant, what), " ", "   ", width));
        }
    }
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
    let first = history.rounds.first().map_or(1, |step| step.round);
    let examples = history.examples;
    if examples == 0 {
        return "no example was answered in every round: what became of failures cannot be told".to_owned();
    }
    if wrong == 0 {
        return format!("round {first} got none of the {examples} examples wrong that every round answered");
    }
    let share = share(never as f64 / wrong as f64, 0);
    let mut text = format!(
        "of {examples} examples that every round answered, round {first} got {wrong} wrong; of these never fixed: \
         {never} ({share})"
    );
    for fixed in history.fixed_in.iter().filter(|fixed| fixed.fixed.count > 0) {
        let (count, round) = (fixed.fixed.count, fixed.round);
        text.push_str(&format!("; fixed first in round {round}: {count} ({} stayed right)", fixed.stayed));
    }
    text
}
