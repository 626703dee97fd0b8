//! One side of a comparison: what a variant did in a run, by the places of a [`Roster`].
//!
//! Vectors of numbers only, whatever the answers' length.
//!
//! [`Roster`]: super::roster::Roster

use std::collections::BTreeMap;

use super::accumulate::{ExchangeFacts, says_something_of_speed};
use super::columns::{Column, Numbers, Scores, fixed_point_scale};
use super::grade::{Ending, EndpointFacts, GradedTrial};
use super::money::CostTally;
use super::{Cost, RunProvenance};
use crate::digest::Digest;
use crate::provider::Price;
use crate::score::Grade;
use crate::trial::{Delivery, Exchange, Provenance};

/// Names (of endpoints, of served models) that are kept: more are nonsense of a server.
const MAX_NAMES: usize = 20;

/// A rate that two sides are compared in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The primary scorer's mean.
    Accuracy,
    /// The share of schema-valid answers.
    Validity,
}

/// Which time of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// To the first visible token.
    FirstToken,
    /// To the whole answer.
    Whole,
}

/// Counts of a side's trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct TrialCounts {
    /// All.
    pub trials: u64,
    /// Without an answer, for a reason that is not the variant's (METHODS.md 0.4).
    pub missing: u64,
    /// Answered by a recording.
    pub recorded: u64,
    /// Answered from the store.
    pub reused: u64,
    /// Sent as lines of a batch.
    pub batched: u64,
}

/// What a variant did in a run.
#[derive(Debug, Clone)]
pub struct Side {
    counts: TrialCounts,
    imported: u64,
    score: Column,
    valid: Column,
    checks_validity: bool,
    trials: Numbers,
    /// Parts of digests of an example's requests and of its answers, whatever the order of the repeats:
    /// enough to count how many are alike.
    requests: Vec<u32>,
    answers: Vec<u32>,
    first_token: Vec<(u32, f32)>,
    whole: Vec<(u32, f32)>,
    cost: CostTally,
    in_flight: u32,
    sent: Option<(i64, i64)>,
    endpoints: BTreeMap<String, u64>,
    served: BTreeMap<String, u64>,
    scale: f64,
}

impl Side {
    /// A side without trials. `repeats` is how often an example was asked at most.
    pub fn new(checks_validity: bool, repeats: u32) -> Self {
        Self {
            counts: TrialCounts::default(),
            score: Column::default(),
            valid: Column::default(),
            checks_validity,
            trials: Numbers::default(),
            requests: Vec::new(),
            answers: Vec::new(),
            first_token: Vec::new(),
            whole: Vec::new(),
            cost: CostTally::default(),
            in_flight: 0,
            sent: None,
            endpoints: BTreeMap::new(),
            served: BTreeMap::new(),
            imported: 0,
            scale: fixed_point_scale(repeats),
        }
    }

    /// Adds a graded trial of the example at `place`; `reused` says that its times are not this run's.
    pub fn add(
        &mut self,
        place: usize,
        exchange: &Exchange,
        graded: &GradedTrial,
        reused: bool,
        price: Option<&Price>,
    ) {
        let facts = ExchangeFacts::of(exchange, reused);
        self.counts.trials += 1;
        self.counts.missing += u64::from(graded.counts_as_missing);
        self.counts.recorded += u64::from(facts.provenance == Provenance::Recorded);
        self.imported += u64::from(facts.provenance == Provenance::Imported);
        self.counts.reused += u64::from(facts.reused);
        self.counts.batched += u64::from(facts.delivery == Delivery::Batch);
        let sent = facts.sent_at_unix_ms;
        self.sent = Some(self.sent.map_or((sent, sent), |(first, last)| (first.min(sent), last.max(sent))));
        count(&mut self.endpoints, &exchange.endpoint);
        if let Some(served) = &graded.served_model {
            count(&mut self.served, served);
        }
        if self.requests.len() <= place {
            self.requests.resize(place + 1, 0);
            self.answers.resize(place + 1, 0);
        }
        self.trials.set(place, self.trials.get(place).map_or(1, |trials| trials + 1));
        self.requests[place] = self.requests[place].wrapping_add(exchange.request_digest.prefix_u64() as u32);
        self.answers[place] = self.answers[place].wrapping_add(identity(exchange) as u32);
        self.cost.add(place, graded, facts, price);
        self.add_times(place as u32, graded, facts);
        if graded.counts_as_missing {
            return;
        }
        if let Some(Grade::Scored(score)) = graded.scores.first() {
            self.score.add(place, *score, self.scale);
        }
        self.valid.add(place, f64::from(u8::from(graded.valid_strict)), self.scale);
    }

    /// Fresh trials only, as in every report; one without a time is above every other.
    fn add_times(&mut self, place: u32, graded: &GradedTrial, facts: ExchangeFacts) {
        if facts.reused || facts.delivery == Delivery::Batch {
            return;
        }
        self.in_flight = self.in_flight.max(facts.in_flight);
        if let Ending::Failed(kind) = graded.ending {
            if says_something_of_speed(kind) {
                self.first_token.push((place, f32::INFINITY));
                self.whole.push((place, f32::INFINITY));
            }
            return;
        }
        self.whole.extend(graded.total_ms.map(|ms| (place, ms as f32)));
        if graded.streamed {
            self.first_token.push((place, graded.ttft_ms.map_or(f32::INFINITY, |ms| ms as f32)));
        }
    }

    /// Whether it was asked the example.
    pub fn asked(&self, place: usize) -> bool {
        self.trials.get(place).is_some()
    }

    /// Whether every trial of the example is missing.
    pub fn is_missing(&self, place: usize) -> bool {
        self.asked(place) && self.valid.sum(place, self.scale).1 == 0
    }

    /// The mean of an example's repeats and their number; `None` where there is no score.
    pub fn mean(&self, metric: Metric, place: usize) -> Option<(f64, u64)> {
        let column = match metric {
            Metric::Accuracy => &self.score,
            Metric::Validity if self.checks_validity => &self.valid,
            Metric::Validity => return None,
        };
        column.mean(place, self.scale).map(|mean| (mean, column.sum(place, self.scale).1))
    }

    /// Whether answers of it can be invalid at all.
    pub fn checks_validity(&self) -> bool {
        self.checks_validity
    }

    /// The counts of its trials.
    pub fn counts(&self) -> TrialCounts {
        self.counts
    }

    /// Where its answers come from.
    pub fn provenance(&self) -> RunProvenance {
        RunProvenance::of(self.counts.trials, self.counts.recorded, self.imported)
    }

    /// The most requests under way at once while it was measured.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// When its first and its last answering request were sent, in milliseconds since 1970-01-01 UTC.
    pub fn sent_unix_ms(&self) -> Option<(i64, i64)> {
        self.sent
    }

    /// Who answered, most answers first.
    pub fn endpoints(&self) -> Vec<&str> {
        ranked(&self.endpoints)
    }

    /// The models that the servers say answered, most answers first; empty where none says so.
    pub fn served_models(&self) -> Vec<&str> {
        ranked(&self.served)
    }

    /// Whether the example was put to both in the very same words, as often.
    pub fn asked_alike(&self, other: &Self, place: usize) -> bool {
        self.asked(place) && self.requests.get(place) == other.requests.get(place)
    }

    /// Whether both have one and the same stored answers to the example.
    pub fn shares_answers(&self, other: &Self, place: usize) -> bool {
        self.asked(place) && self.answers.get(place) == other.answers.get(place)
    }

    /// Fresh times in milliseconds with the place of their example; infinite where none came.
    pub fn times(&self, clock: Clock) -> &[(u32, f32)] {
        match clock {
            Clock::FirstToken => &self.first_token,
            Clock::Whole => &self.whole,
        }
    }

    /// What a request cost, by example. `clusters` runs by place; `comparable` is what a recording
    /// declares of its times.
    pub fn cost(&self, endpoint: &EndpointFacts, clusters: &[u32], comparable: bool, alpha: f64) -> Cost {
        let scores = Scores::of_column(self.score.clone(), self.scale, clusters.len());
        self.cost.clone().finish(endpoint, &scores, clusters, comparable, alpha)
    }
}

/// An exchange, as far as it can be told from another: what was asked of whom, and when. A recording
/// is part of its answers' key, and when they were read from it says nothing.
fn identity(exchange: &Exchange) -> u64 {
    if exchange.provenance != Provenance::Live {
        return exchange.key.prefix_u64();
    }
    let sent = exchange.sent_at_unix_ms.to_le_bytes();
    let took = exchange.timing.total_ms.to_le_bytes();
    Digest::of_parts([exchange.key.as_bytes().as_slice(), &sent, &took]).prefix_u64()
}

fn count(names: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = names.get_mut(name) {
        *count += 1;
    } else if names.len() < MAX_NAMES {
        names.insert(name.to_owned(), 1);
    }
}

fn ranked(names: &BTreeMap<String, u64>) -> Vec<&str> {
    let mut ranked: Vec<(&str, u64)> = names.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    ranked.into_iter().map(|(name, _)| name).collect()
}
