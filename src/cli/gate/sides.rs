//! A variant of a run as a side of the gate.

use crate::cli::measuring;
use crate::error::Error;
use crate::gate::baseline::place;
use crate::gate::calls::{AskedExample, GateSide};
use crate::measure::RunProvenance;
use crate::measure::grade::Grader;
use crate::measure::side::{Metric, Side};
use crate::store::{RunRow, Store};
use crate::suite::Suite;
use crate::trial::Provenance;
use crate::units::Usd;

/// A run with what grades it.
pub(in crate::cli) struct GradedRun<'a> {
    pub(in crate::cli) store: &'a Store,
    pub(in crate::cli) run: &'a RunRow,
    pub(in crate::cli) suite: &'a Suite,
    pub(in crate::cli) grader: &'a Grader,
    /// Whether times that were not measured here are declared comparable.
    pub(in crate::cli) comparable: bool,
    /// Where it was measured, in the user's words.
    pub(in crate::cli) place: Option<&'a str>,
}

/// A variant's calls, and the facts of who answered and when.
pub(in crate::cli) struct ReadSide {
    pub(in crate::cli) gate: GateSide,
    pub(in crate::cli) facts: Side,
    /// What its fresh answers cost.
    pub(in crate::cli) spent: Usd,
}

impl GradedRun<'_> {
    /// Reads a variant; nothing where the suite has none of this name.
    pub(in crate::cli) fn side(&self, variant: &str) -> Result<ReadSide, Error> {
        let Self { store, run, suite, grader, .. } = self;
        let Some(number) = measuring::places(suite).get(variant).copied() else {
            return Err(super::unknown_variant(variant, suite));
        };
        if grader.wants_command() {
            measuring::ask_processes(store, run.id, suite, grader)?;
        }
        let checks_validity = grader.checks_validity(number);
        let mut gate = GateSide { checks_validity, ..GateSide::default() };
        let mut facts = Side::new(checks_validity, suite.repeats);
        let mut spent = Usd::ZERO;
        // Trials come in the order of their examples' ids.
        let (mut places, mut last) = (0_usize, String::new());
        let price = grader.endpoint(number).and_then(|endpoint| endpoint.price);
        measuring::each_graded(
            (store, grader),
            (run.id, Some(variant)),
            |_| Some(number),
            |trial, _| AskedExample::of(&trial.example),
            |_, trial, graded, asked| {
                if !trial.reused && trial.exchange.provenance == Provenance::Live {
                    spent += graded.cost.unwrap_or_default();
                }
                gate.add(&trial.example.id.0, asked, &graded, &trial.exchange, trial.reused);
                if places == 0 || last != trial.example.id.0 {
                    places += 1;
                    last.clone_from(&trial.example.id.0);
                }
                facts.add(places - 1, &trial.exchange, &graded, trial.reused, price.as_ref());
                Ok(())
            },
        )?;
        gate.why_no_times = self.why_no_times(&gate, &facts);
        gate.place = place(facts.provenance(), self.place);
        Ok(ReadSide { gate, facts, spent })
    }

    fn why_no_times(&self, gate: &GateSide, facts: &Side) -> Option<String> {
        let timed = gate.examples.whole().timed() > 0;
        let why = match facts.provenance() {
            RunProvenance::Recorded if !self.comparable => "the recording does not declare its times comparable",
            RunProvenance::Imported if !self.comparable => {
                "the times are another tool's, and were not declared comparable when they were imported"
            }
            RunProvenance::Mixed => "the answers are partly live, partly recorded",
            _ if !timed => "there are no fresh times to a first token (--fresh asks again)",
            _ => return None,
        };
        Some(why.to_owned())
    }
}

/// The most requests at once of two sides differ so much that their times are of different loads.
pub(in crate::cli) fn loads_differ(then: u32, now: u32) -> Option<String> {
    let (low, high) = (then.min(now), then.max(now));
    (high > low.saturating_mul(2))
        .then(|| format!("the baseline was measured with up to {then} requests at once, now it was up to {now}"))
}

/// Whether the side has any score.
pub(in crate::cli) fn has_scores(side: &Side, examples: usize) -> bool {
    (0..examples).any(|place| side.mean(Metric::Accuracy, place).is_some())
}
