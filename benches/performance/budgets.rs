//! The budgets, each with what this run measured of it.

use std::collections::BTreeMap;

use crate::table::{Table, verdict};

/// A bound that the program is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Budget {
    WholeTrial,
    StreamedTrial,
    Throughput,
    Pace,
    Start,
    FirstToken,
    Cached,
    RunMemory,
    Rescoring,
    AtSize,
    AtSizeMemory,
    Help,
    BinarySize,
}

/// Every budget, in the order of the table: what it bounds, and the bound.
const BUDGETS: &[(Budget, &str, &str)] = &[
    (Budget::WholeTrial, "processor time of a trial answered in one piece", "<= 60 µs"),
    (Budget::StreamedTrial, "processor time of a trial answered in 16 chunks", "<= 90 µs"),
    (Budget::Throughput, "throughput, as a share of the load generator's", ">= 0.3"),
    (Budget::Pace, "5,000 trials of 200 ms at concurrency 64, over the ideal", "<= 1.03"),
    (Budget::Start, "start of the process to the first request, 100,000 examples", "<= 50 ms"),
    (Budget::FirstToken, "time to first token against the server's clock, median and p99", "<= 1 ms, <= 3 ms"),
    (Budget::Cached, "5,000 trials from the response cache", "<= 0.3 s"),
    (Budget::RunMemory, "peak memory of a run of 1,000,000 examples and 2 variants", "<= 120 MB"),
    (Budget::Rescoring, "1,000,000 stored answers scored anew", "<= 20 s"),
    (Budget::AtSize, "page, `compare`, `decide`, `gate`, `merge` on 1,000,000 trials, the slowest", "<= 20 s"),
    (Budget::AtSizeMemory, "peak memory of each of these", "<= 300 MB"),
    (Budget::Help, "`--help`", "<= 10 ms"),
    (Budget::BinarySize, "binary", "<= 20 MB"),
];

/// What was measured, and whether it is within its budget.
#[derive(Debug, Default)]
pub(crate) struct Budgets {
    figures: BTreeMap<Budget, Figure>,
}

#[derive(Debug)]
struct Figure {
    text: String,
    /// How far it is from its bound: above 1 it is missed.
    share: f64,
}

impl Budgets {
    /// Notes a figure that may be `most` at most; of several the worst stands.
    pub(crate) fn at_most(&mut self, budget: Budget, value: f64, most: f64, text: String) {
        self.note(budget, value / most, text);
    }

    /// Notes a figure that must be `least` at least; of several the worst stands.
    pub(crate) fn at_least(&mut self, budget: Budget, value: f64, least: f64, text: String) {
        self.note(budget, least / value, text);
    }

    fn note(&mut self, budget: Budget, share: f64, text: String) {
        if self.figures.get(&budget).is_none_or(|known| known.share < share) {
            self.figures.insert(budget, Figure { text, share });
        }
    }

    /// The table of all.
    pub(crate) fn table(&self) -> Table {
        let rows = BUDGETS.iter().map(|(budget, what, bound)| {
            let (text, met) = match self.figures.get(budget) {
                Some(figure) => (figure.text.clone(), verdict(figure.share <= 1.0)),
                None => ("unknown".to_owned(), "not measured".to_owned()),
            };
            vec![(*what).to_owned(), text, (*bound).to_owned(), met]
        });
        Table {
            title: "Every budget, with the worst that was measured of it".to_owned(),
            heads: vec!["what", "measured", "bound", ""],
            rows: rows.collect(),
        }
    }
}
