//! Words about trained baselines that the terminal and the page share.

use super::figure::share;
use crate::measure::trained::{TrainingCurve, TrainingPoint};
use crate::stats::Answer3;
use crate::units::group_thousands;

/// What a trained baseline is, and is not.
pub const WHAT: &str =
    "a linear classifier, no fine-tune: a lower bound on what supervised training reaches on these labels";

/// Whether more examples of this kind would help.
pub fn more_examples(curve: &TrainingCurve) -> &'static str {
    match curve.more_examples_help {
        Answer3::Yes => "more examples would help",
        Answer3::No => "more examples would not help by a difference that matters",
        Answer3::NotEnoughEvidence => "whether more examples would help is not shown",
    }
}

/// What is foreseen with more examples, or why nothing is.
pub fn foreseen(curve: &TrainingCurve) -> String {
    let more = more_examples(curve);
    match (&curve.projection, &curve.refused) {
        (Some(point), _) => format!("with {} is foreseen; {more}", at(point)),
        (None, Some(why)) => format!("not extrapolated: {why}; {more}"),
        (None, None) => more.to_owned(),
    }
}

/// `1,396 examples 70.2% [66.0–74.1]`.
fn at(point: &TrainingPoint) -> String {
    let bare = |value: f64| format!("{:.1}", value * 100.0);
    format!(
        "{} examples {} [{}–{}]",
        group_thousands(i128::from(point.examples)),
        share(point.accuracy, 1),
        bare(point.low),
        bare(point.high)
    )
}
