//! How often the gate fails with nothing changed, in words.

use serde::Serialize;

use crate::gate::calibrate::Calibration;
use crate::report::figure::share;

/// What `gate --calibrate` says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationReport {
    /// The suite's name.
    pub suite: String,
    /// The run whose repeats were gated against each other.
    pub run: String,
    /// One a variant.
    pub calibrations: Vec<Calibration>,
    /// What a reader must know before trusting it.
    pub notes: Vec<String>,
}

/// For a terminal.
pub fn text(report: &CalibrationReport) -> String {
    let mut text = format!("{} · run {} against itself\n", report.suite, report.run);
    for counts in &report.calibrations {
        text.push_str(&format!(
            "{}: {} of {} pairs with nothing changed regressed before confirmation (at most {} of all, one-sided 95%), \
             {} of them confirmed; {} held, {} had not enough evidence\n",
            counts.variant,
            counts.alarms,
            counts.pairs,
            share(counts.alarms_upper, 1),
            counts.confirmed,
            counts.held,
            counts.not_enough_evidence
        ));
    }
    for note in &report.notes {
        text.push_str(&format!(" {note}\n"));
    }
    text
}
