//! What was learned from the pool: the baselines and their learning curves, for a terminal.

use super::wrap;
use crate::measure::Measurements;
use crate::measure::trained::{Trained, TrainingCurve, TrainingPoint};
use crate::report::figure::share;
use crate::report::trained::{WHAT, foreseen};
use crate::units::group_thousands;

/// The section; `None` where nothing was trained.
pub(super) fn section(measurements: &Measurements, width: usize) -> Option<String> {
    let each: Vec<String> = measurements.trained.iter().map(|trained| one(trained, width)).collect();
    (!each.is_empty()).then(|| each.join("\n"))
}

fn one(trained: &Trained, width: usize) -> String {
    let rows = group_thousands(i128::from(trained.training_examples));
    let mut text = format!("Trained baseline · {} · {rows} rows of the pool\n", trained.name);
    let guessing = trained
        .majority
        .map_or(String::new(), |most| format!("; the commonest class alone would be right in {}", share(most, 1)));
    text.push_str(&wrap(&format!("{WHAT}{guessing}"), " ", "   ", width));
    if let Some(curve) = &trained.curve {
        text.push_str(&wrap(&points(curve), " ", "   ", width));
        text.push_str(&wrap(&foreseen(curve), " ", "   ", width));
    }
    text
}

fn points(curve: &TrainingCurve) -> String {
    let of =
        |point: &TrainingPoint| format!("{} {}", group_thousands(i128::from(point.examples)), share(point.accuracy, 1));
    let all: Vec<String> = curve.points.iter().map(of).collect();
    format!("accuracy by training examples: {}", all.join(", "))
}
