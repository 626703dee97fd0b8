//! Did retrieval find the right documents, and what came of it: a retrieval failure told apart from
//! a failure to use what was found.

use serde::Serialize;

use super::accumulate::{Accumulator, Tally};
use super::finish::{Means, Numbering};
use crate::stats::Estimate;
use crate::stats::cluster::clustered_accuracy;

/// What retrieval did for one example that names its documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Documents that the example names.
    pub named: u32,
    /// Of these, how many were retrieved.
    pub found: u32,
}

impl Found {
    /// Whether none is missing.
    pub fn is_whole(self) -> bool {
        self.found >= self.named
    }

    fn recall(self) -> f64 {
        if self.named == 0 { 1.0 } else { f64::from(self.found) / f64::from(self.named) }
    }
}

/// How well a variant's retrieval found the documents that examples name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RetrievalMeasurements {
    /// Most documents of a request.
    pub k: u64,
    /// The share of the named documents that were retrieved: the mean over the examples that name
    /// some.
    pub recall: Estimate,
    /// The share of these examples of which every named document was retrieved.
    pub hit_rate: Estimate,
    /// Accuracy over the examples of which every named document was retrieved.
    pub accuracy_found: Estimate,
    /// Accuracy over those of which one was not.
    pub accuracy_not_found: Estimate,
    /// Trials of these examples that were not fully right; missing trials are not in it.
    pub wrong: u64,
    /// Of these, trials without one of the right documents: failures of retrieval.
    pub wrong_not_found: u64,
}

/// What is added up while trials come in.
#[derive(Debug, Clone, Default)]
pub(super) struct RetrievalTally {
    k: u64,
    /// By example.
    found: Vec<Option<Found>>,
    wrong: u64,
    wrong_not_found: u64,
}

impl RetrievalTally {
    pub(super) fn add(&mut self, k: usize, place: usize, found: Found, score: Option<f64>) {
        self.k = k as u64;
        if self.found.len() <= place {
            self.found.resize(place + 1, None);
        }
        self.found[place] = Some(found);
        if score.is_some_and(|score| score < 1.0) {
            self.wrong += 1;
            self.wrong_not_found += u64::from(!found.is_whole());
        }
    }

    fn at(&self, place: usize) -> Option<Found> {
        self.found.get(place).copied().flatten()
    }
}

/// The figures of one variant; `None` where no example that was asked names a document.
pub(super) fn finish(
    all: &Accumulator,
    tally: &Tally,
    means: &Means<'_>,
    numbering: &Numbering,
) -> Option<RetrievalMeasurements> {
    let known = &tally.retrieval;
    let named: Vec<(Found, u32)> = numbering
        .clusters
        .iter()
        .enumerate()
        .filter_map(|(place, &cluster)| Some((known.at(place)?, cluster)))
        .collect();
    if named.is_empty() {
        return None;
    }
    let clusters: Vec<u32> = named.iter().map(|(_, cluster)| *cluster).collect();
    let alpha = all.settings.statistics.alpha;
    let mean = |value: &dyn Fn(Found) -> f64| {
        let values: Vec<f64> = named.iter().map(|(found, _)| value(*found)).collect();
        let graded = values.iter().any(|value| *value != 0.0 && *value != 1.0);
        clustered_accuracy(&values, &clusters, values.len() as u64, numbering.clustered || graded, alpha)
    };
    let accuracy_where = |whole: bool| {
        let primary = tally.scores.first()?;
        Some(means.estimate(primary, |place| known.at(place).is_some_and(|found| found.is_whole() == whole)))
    };
    Some(RetrievalMeasurements {
        k: known.k,
        recall: mean(&Found::recall),
        hit_rate: mean(&|found| f64::from(u8::from(found.is_whole()))),
        accuracy_found: accuracy_where(true)?,
        accuracy_not_found: accuracy_where(false)?,
        wrong: known.wrong,
        wrong_not_found: known.wrong_not_found,
    })
}
