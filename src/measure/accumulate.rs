//! Graded trials, in whatever order they end, to what [`finish`](super::finish) makes estimates of.
//!
//! Small a trial: a score is a fixed-point number and a class a small one. Nothing depends on the
//! order of the trials: sums are exact, and clusters and classes are numbered at the end.

use std::collections::{BTreeMap, HashMap};

use super::anytime::Early;
use super::cache::CacheTally;
use super::columns::{Answers, Column, Numbers, fixed_point_scale};
use super::grade::{Ending, EndpointFacts, GradedTrial, Grader};
use super::money::CostTally;
use super::reasoning::ReasoningTally;
use super::retrieval::{Found, RetrievalTally};
use super::rounds::ExampleIds;
use super::slices::SliceColumns;
use super::stopping::is_graded;
use super::{Measurements, OutcomeCounts, TimedTrial, UsageTotals};
use crate::exchange::{FailureKind, Usage};
use crate::score::Grade;
use crate::score::field_f1::{FieldCounts, FieldTable};
use crate::suite::{Example, Statistics, Suite, Task};
use crate::trial::{Delivery, Exchange, Provenance};
use crate::variant::Variant;

/// Distinct texts (violations, answered classes, fields) that are counted apart: a bound against
/// hostile answers, far above what a report shows.
const MAX_DISTINCT: usize = 5_000;
/// An answered class longer than this is outside the classes.
const MAX_LABEL: usize = 300;

/// What the accumulator must know of a trial's exchange.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExchangeFacts {
    /// Whether the answer came from the store.
    pub reused: bool,
    /// Attempts that failed before it.
    pub retries: u32,
    /// Requests under way when it was sent.
    pub in_flight: u32,
    /// Where the answer comes from.
    pub provenance: Provenance,
    /// How the request reached its endpoint.
    pub delivery: Delivery,
    /// When it was sent, milliseconds since 1970-01-01 UTC.
    pub sent_at_unix_ms: i64,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
}

impl ExchangeFacts {
    /// The facts of an exchange. The times of a recorded answer are the recorded ones, whenever it was read:
    /// only a live answer of an earlier run counts as reused.
    pub fn of(exchange: &Exchange, reused: bool) -> Self {
        Self {
            reused: reused && exchange.provenance == Provenance::Live,
            retries: exchange.attempts.len() as u32,
            in_flight: exchange.in_flight,
            provenance: exchange.provenance,
            delivery: exchange.delivery,
            sent_at_unix_ms: exchange.sent_at_unix_ms,
            took_ms: exchange.timing.total_ms,
        }
    }
}

/// Latencies of fresh trials.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    pub(super) ms: Vec<f64>,
    pub(super) censored: u64,
}

/// What a variant's trials add up to.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) outcomes: OutcomeCounts,
    pub(super) failures: BTreeMap<FailureKind, (u64, String)>,
    pub(super) missing: u64,
    pub(super) reused: u64,
    pub(super) recorded: u64,
    pub(super) imported: u64,
    /// Trials whose request was a line of a batch.
    pub(super) batched: u64,
    /// Trials by example, missing ones among them.
    pub(super) trials: Numbers,
    /// One column a scorer.
    pub(super) scores: Vec<Column>,
    pub(super) unscored: Vec<(u64, Option<String>)>,
    pub(super) strict: Column,
    pub(super) lenient: Column,
    /// Answered classes of the trials that are not missing.
    pub(super) answers: Answers,
    pub(super) violations: HashMap<String, u64>,
    pub(super) fields: FieldTable,
    pub(super) ttft: Times,
    /// Kept where there is a target for it.
    pub(super) ttft_trials: Vec<TimedTrial>,
    pub(super) total: Times,
    pub(super) streamed: u64,
    pub(super) in_flight: u32,
    pub(super) usage: UsageTotals,
    pub(super) cost: CostTally,
    pub(super) cache: CacheTally,
    pub(super) reasoning: ReasoningTally,
    /// Attempts that failed before the answering one, of fresh trials.
    pub(super) retries: u64,
    /// Answers by the model that the server says gave them.
    pub(super) served: HashMap<String, u64>,
    pub(super) retrieval: RetrievalTally,
    running: (f64, u64),
}

/// What is known of the examples.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// Clusters as first numbered; an example without one is its own.
    pub(super) clusters: Numbers,
    /// 0 where an example has no expected class, else its number plus one.
    classes: Numbers,
}

impl Rows {
    /// Examples.
    pub(super) fn len(&self) -> usize {
        self.classes.len()
    }

    pub(super) fn is_known(&self, place: usize) -> bool {
        self.classes.get(place).is_some()
    }

    /// The expected class of an example.
    pub(super) fn class(&self, place: usize) -> Option<u32> {
        self.classes.get(place)?.checked_sub(1)
    }
}

/// What the estimates depend on besides the trials.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) variants: Vec<Variant>,
    pub(super) rounds: Vec<Option<u32>>,
    pub(super) endpoints: Vec<EndpointFacts>,
    pub(super) checks_validity: Vec<bool>,
    pub(super) scorers: Vec<String>,
    /// Whether each of them may give more than right and wrong.
    pub(super) graded: Vec<bool>,
    pub(super) labels: Vec<String>,
    pub(super) classifies: bool,
    pub(super) repeats: u32,
    pub(super) statistics: Statistics,
    /// Whether the suite has a target for the time to the first token.
    pub(super) judges_ttft: bool,
}

impl Settings {
    /// Whether there is more than one round of prompts.
    pub(super) fn compares_rounds(&self) -> bool {
        let mut rounds = self.rounds.iter().flatten();
        rounds.next().is_some_and(|first| rounds.any(|other| other != first))
    }
}

/// Takes graded trials in any order; [`Accumulator::finish`] gives what they show.
#[derive(Debug, Clone)]
pub struct Accumulator {
    pub(super) settings: Settings,
    pub(super) tallies: Vec<Tally>,
    pub(super) rows: Rows,
    pub(super) clusters: HashMap<String, u32>,
    pub(super) classes: HashMap<String, u32>,
    pub(super) slices: SliceColumns,
    /// The examples' names, kept where rounds are compared.
    pub(super) ids: ExampleIds,
    /// Fixed-point units of a score of 1: as fine as `f32`, and exact over all repeats.
    pub(super) scale: f64,
    /// How a run that may stop early stopped.
    pub(super) early: Option<Early>,
}

impl Accumulator {
    /// An empty accumulator for a suite's variants.
    pub fn new(suite: &Suite, grader: &Grader) -> Self {
        let variants = suite.variants.clone();
        Self::from_settings(Settings {
            rounds: variants.iter().map(|variant| suite.round(variant.prompt)).collect(),
            endpoints: (0..variants.len()).filter_map(|index| grader.endpoint(index).cloned()).collect(),
            checks_validity: (0..variants.len()).map(|index| grader.checks_validity(index)).collect(),
            variants,
            scorers: grader.scorer_ids().map(str::to_owned).collect(),
            graded: suite.scorers.iter().map(|scorer| is_graded(&scorer.kind)).collect(),
            labels: suite.labels.clone(),
            classifies: suite.task == Task::Classification,
            repeats: suite.repeats,
            statistics: suite.statistics,
            judges_ttft: suite.targets.ttft_p95_ms.is_some(),
        })
    }

    pub(super) fn from_settings(settings: Settings) -> Self {
        let tally = Tally {
            scores: vec![Column::default(); settings.scorers.len()],
            unscored: vec![(0, None); settings.scorers.len()],
            ..Tally::default()
        };
        Self {
            tallies: vec![tally; settings.variants.len()],
            rows: Rows::default(),
            clusters: HashMap::new(),
            classes: HashMap::new(),
            slices: SliceColumns::default(),
            ids: ExampleIds::default(),
            scale: fixed_point_scale(settings.repeats),
            settings,
            early: None,
        }
    }

    /// Makes room for the times of so many trials a variant at once, as [`Places`](super::places::Places) does.
    pub fn make_room(&mut self, trials: usize) {
        for tally in &mut self.tallies {
            tally.total.ms.reserve_exact(trials);
        }
    }

    /// Adds a graded trial; each trial of the run once. Unknown variants are ignored.
    pub fn add(
        &mut self,
        variant: usize,
        example_index: u32,
        example: &Example,
        repeat: u32,
        graded: GradedTrial,
        facts: ExchangeFacts,
    ) {
        debug_assert!(repeat < self.settings.repeats.max(1), "repeat {repeat} of {}", self.settings.repeats);
        if variant >= self.tallies.len() {
            return;
        }
        let place = example_index as usize;
        self.note_example(place, example, graded.expected_label.as_deref());
        let class = self.answered_class(graded.label.as_deref());
        let scale = self.scale;
        let tally = &mut self.tallies[variant];
        tally.count_end(&graded, place);
        let timed = tally.ttft.ms.len() as u64 + tally.ttft.censored;
        tally.add_times(&graded, facts);
        if self.settings.judges_ttft && tally.ttft.ms.len() as u64 + tally.ttft.censored > timed {
            tally.ttft_trials.push(timed_trial(example_index, &graded, facts));
        }
        if let Some(served) = &graded.served_model {
            count_bounded(&mut tally.served, served.clone());
        }
        let price = self.settings.endpoints.get(variant).and_then(|endpoint| endpoint.price.as_ref());
        if self.settings.variants[variant].cache.is_some() {
            tally.cache.add(example_index, &graded, facts, price);
        }
        tally.cost.add(place, &graded, facts, price);
        add_usage(&mut tally.usage, &graded.usage);
        if graded.counts_as_missing {
            return;
        }
        tally.answers.add(example_index, class);
        tally.add_scores(place, &graded.scores, scale);
        tally.strict.add(place, f64::from(u8::from(graded.valid_strict)), scale);
        tally.lenient.add(place, f64::from(u8::from(graded.valid_lenient)), scale);
        if let Some(violation) = graded.violation {
            count_bounded(&mut tally.violations, violation);
        }
        for (field, counts) in graded.fields {
            tally.add_field(field, counts);
        }
    }

    /// Notes what retrieval found for a trial, whose primary score is `score`; `None` is missing.
    pub fn add_found(&mut self, variant: usize, k: usize, example_index: u32, found: Found, score: Option<f64>) {
        if let Some(tally) = self.tallies.get_mut(variant) {
            tally.retrieval.add(k, example_index as usize, found, score);
        }
    }

    /// The primary scorer's sum so far and the number of trials in it.
    pub fn running(&self, variant: usize) -> (f64, u64) {
        self.tallies.get(variant).map_or((0.0, 0), |tally| tally.running)
    }

    /// What the trials show. `latency_comparable` is what the recording declares, if there is one.
    pub fn finish(self, latency_comparable: bool) -> Measurements {
        super::finish::finish(self, latency_comparable)
    }

    /// The same for a run that may have stopped early: figures are by confidence sequence. Examples
    /// must have been numbered in the order in which they were to be asked.
    pub fn finish_early(mut self, latency_comparable: bool, early: Early) -> Measurements {
        self.early = Some(early);
        super::finish::finish(self, latency_comparable)
    }

    fn note_example(&mut self, place: usize, example: &Example, class: Option<&str>) {
        if self.rows.is_known(place) {
            return;
        }
        if self.settings.compares_rounds() {
            self.ids.set(place, &example.id.0);
        }
        if let Some(cluster) = &example.cluster {
            let next = self.clusters.len() as u32;
            let cluster = *self.clusters.entry(cluster.clone()).or_insert(next);
            self.rows.clusters.set(place, cluster);
        }
        self.slices.note(place, example, class);
        let class = class.map_or(0, |class| {
            let next = self.classes.len() as u32;
            1 + *self.classes.entry(class.to_owned()).or_insert(next)
        });
        self.rows.classes.set(place, class);
    }

    fn answered_class(&mut self, label: Option<&str>) -> Option<u32> {
        let label = label?;
        if let Some(class) = self.classes.get(label) {
            return Some(*class);
        }
        let next = self.classes.len() as u32;
        if self.classes.len() >= MAX_DISTINCT || label.len() > MAX_LABEL {
            return None;
        }
        self.classes.insert(label.to_owned(), next);
        Some(next)
    }
}

impl Tally {
    fn count_end(&mut self, graded: &GradedTrial, place: usize) {
        match graded.ending {
            Ending::Answered => self.outcomes.answered += 1,
            Ending::Refused => self.outcomes.refused += 1,
            Ending::Truncated => self.outcomes.truncated += 1,
            Ending::Failed(kind) => {
                self.outcomes.failed += 1;
                let message = graded.failure_message.clone().unwrap_or_default();
                let failure = self.failures.entry(kind).or_insert((0, message));
                failure.0 += 1;
                // The least message, not the first to come: the order of trials must not show.
                if let Some(message) = graded.failure_message.as_ref().filter(|message| **message < failure.1) {
                    failure.1.clone_from(message);
                }
            }
        }
        self.missing += u64::from(graded.counts_as_missing);
        self.trials.set(place, self.trials.get(place).map_or(1, |trials| trials + 1));
    }

    /// Fresh trials only: a stored answer's times belong to the run that measured them, and a batch's
    /// answers have none.
    fn add_times(&mut self, graded: &GradedTrial, facts: ExchangeFacts) {
        self.recorded += u64::from(facts.provenance == Provenance::Recorded);
        self.imported += u64::from(facts.provenance == Provenance::Imported);
        self.batched += u64::from(facts.delivery == Delivery::Batch);
        if facts.reused {
            self.reused += 1;
            return;
        }
        if facts.delivery == Delivery::Batch {
            return;
        }
        self.in_flight = self.in_flight.max(facts.in_flight);
        self.retries += u64::from(facts.retries);
        if let Ending::Failed(kind) = graded.ending {
            let censored = u64::from(says_something_of_speed(kind));
            self.ttft.censored += censored;
            self.total.censored += censored;
            return;
        }
        self.total.ms.extend(graded.total_ms);
        if graded.streamed {
            self.streamed += 1;
            self.reasoning.add(graded, self.ttft.ms.len());
            match graded.ttft_ms {
                Some(ms) => {
                    if self.ttft.ms.is_empty() {
                        self.ttft.ms.reserve_exact(self.total.ms.capacity());
                    }
                    self.ttft.ms.push(ms);
                }
                None => self.ttft.censored += 1,
            }
        }
    }

    fn add_scores(&mut self, place: usize, grades: &[Grade], scale: f64) {
        for (index, grade) in grades.iter().enumerate().take(self.scores.len()) {
            match grade {
                Grade::Scored(score) => self.scores[index].add(place, *score, scale),
                Grade::Unscored(reason) => {
                    let (count, least) = &mut self.unscored[index];
                    *count += 1;
                    if least.as_ref().is_none_or(|least| reason < least) {
                        *least = Some(reason.clone());
                    }
                }
            }
        }
        if let Some(Grade::Scored(score)) = grades.first() {
            self.running = (self.running.0 + score, self.running.1 + 1);
        }
    }

    fn add_field(&mut self, field: String, counts: FieldCounts) {
        let is_open = self.fields.len() < MAX_DISTINCT || self.fields.contains_key(&field);
        let field = if is_open { field } else { "(other)".to_owned() };
        self.fields.entry(field).or_default().add(counts);
    }
}

/// The first token that was just counted. A replay's clock says nothing of the hour.
fn timed_trial(example: u32, graded: &GradedTrial, facts: ExchangeFacts) -> TimedTrial {
    let live = facts.provenance == Provenance::Live;
    let minute = if live { u32::try_from(facts.sent_at_unix_ms / 60_000).unwrap_or(0) } else { 0 };
    let seen = graded.ttft_ms.filter(|_| !matches!(graded.ending, Ending::Failed(_)));
    TimedTrial { example, minute, ms: seen.map_or(f32::INFINITY, |ms| ms as f32) }
}

/// A failure that came before anything was asked of the model is no slow answer.
pub(super) fn says_something_of_speed(kind: FailureKind) -> bool {
    !kind.stops_variant() && !matches!(kind, FailureKind::NotRecorded | FailureKind::Stopped)
}

fn count_bounded(counts: &mut HashMap<String, u64>, text: String) {
    let is_open = counts.len() < MAX_DISTINCT || counts.contains_key(&text);
    *counts.entry(if is_open { text } else { "(other)".to_owned() }).or_default() += 1;
}

fn add_usage(totals: &mut UsageTotals, usage: &Usage) {
    totals.input_uncached_tokens.add(usage.input_uncached_tokens);
    totals.cache_read_tokens.add(usage.cache_read_tokens);
    totals.cache_write_5m_tokens.add(usage.cache_write_5m_tokens);
    totals.cache_write_1h_tokens.add(usage.cache_write_1h_tokens);
    totals.output_tokens.add(usage.output_tokens);
    totals.reasoning_tokens.add(usage.reasoning_tokens);
}

#[cfg(test)]
pub(crate) mod tests;
