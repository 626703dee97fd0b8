//! How a run ended, for people and as an exit code.

use super::{Prepared, batch};
use crate::cli::exit::Exit;
use crate::measure::MOST_MISSING;
use crate::run::Summary;
use crate::store::RunRow;

impl Prepared<'_> {
    pub(super) fn exit(&self, row: &RunRow, summary: &Summary) -> Exit {
        let again = "run the same command again to go on: what is done is kept";
        if let Some(note) = batch::open_batches(summary) {
            self.printer.note(&note);
        }
        if summary.interrupted {
            self.printer.note(&format!(
                "interrupted; run {} keeps what arrived ({} trials to go). {again}",
                row.name, summary.unsent
            ));
            return Exit::Interrupted;
        }
        // A limit that was met when all was done has stopped nothing.
        if let Some(limit) = summary.limit_reached.as_ref().filter(|_| summary.unsent > 0) {
            let again = if limit.contains("budget") && self.args.max_cost.is_none() {
                "what is done is kept: raise `[budget] max_usd`, or say with --max-cost what one more invocation may spend"
            } else {
                again
            };
            self.printer.note(&format!("{limit}; {} trials to go. {again}", summary.unsent));
            return Exit::CouldNotFinish;
        }
        if summary.unsent > 0 || !summary.stopped_variants.is_empty() {
            self.note_missing(summary, again);
            return Exit::CouldNotFinish;
        }
        self.note_missing(summary, again);
        // Beyond this share no verdict of quality is given either (METHODS.md 0.4).
        if summary.missing as f64 > MOST_MISSING * summary.done as f64 {
            return Exit::CouldNotFinish;
        }
        Exit::Done
    }

    /// Says how many trials are to go, and why; nothing where all are settled.
    fn note_missing(&self, summary: &Summary, again: &str) {
        if let Some(missing) = missing_trials(summary) {
            self.printer.note(&format!("{missing}. {again}"));
        }
    }
}

fn missing_trials(summary: &Summary) -> Option<String> {
    let unsent = format!("{} trials could not be asked", summary.unsent);
    let failed = format!("{} trials are missing: their provider failed", summary.missing);
    match (summary.unsent, summary.missing) {
        (0, 0) => None,
        (0, _) => Some(failed),
        (_, 0) => Some(unsent),
        _ => Some(format!("{unsent}, and {failed}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_without_noughts() {
        let missing = |unsent, missing| missing_trials(&Summary { unsent, missing, ..Summary::default() });
        assert_eq!(missing(0, 0), None);
        assert_eq!(missing(3, 0).unwrap(), "3 trials could not be asked");
        assert_eq!(missing(0, 2).unwrap(), "2 trials are missing: their provider failed");
        assert!(missing(3, 2).unwrap().contains("asked, and 2 trials"));
    }
}
