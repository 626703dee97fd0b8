//! Sums to estimates: every number gets its interval, with clusters and repeats honoured.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::accumulate::{Accumulator, Tally, Times};
use super::cache::{CacheMeasurements, CacheTally, Context};
use super::columns::{Column, Scores};
use super::grade::EndpointFacts;
use super::money::{self, CostTally};
use super::{
    Confusion, Cost, Latency, Measurements, RunProvenance, ScorerMean, Slice, TimedTrial, UsageTotals,
    VariantMeasurements,
};
use crate::provider::WireKind;
use crate::stats::classes::{BootstrapPlan, Pairs};
use crate::stats::cluster::{clustered_accuracy, plain_accuracy};
use crate::stats::quantile::censored_quantile_estimate;
use crate::stats::{Estimate, RESAMPLES};
use crate::variant::{PromptCache, Variant};

/// Classes beyond which no confusion matrix is kept: it grows with their square.
const MAX_CLASSES: usize = 500;
/// First violations that are named.
const MAX_VIOLATIONS: usize = 5;

/// Served models that are named: more are a server's nonsense.
const MAX_SERVED: usize = 20;

/// Numbers of clusters and classes that depend on the examples' order alone.
pub(super) struct Numbering {
    /// By example.
    pub(super) clusters: Vec<u32>,
    pub(super) clustered: bool,
    classes: Vec<String>,
    /// From a class as first numbered to its place in `classes`.
    class_places: HashMap<u32, usize>,
}

/// What an accumulator's trials show. Each variant's columns are let go, or become its measurements, before the next
/// one's are looked at.
pub(super) fn finish(mut all: Accumulator, recording_comparable: bool) -> Measurements {
    let numbering = number(&all);
    let (mut trials, mut recorded, mut imported) = (0, 0, 0);
    for tally in &all.tallies {
        trials += tally.outcomes.total();
        recorded += tally.recorded;
        imported += tally.imported;
    }
    let provenance = RunProvenance::of(trials, recorded, imported);
    let tallies = std::mem::take(&mut all.tallies);
    let (places, variants): (Vec<usize>, Vec<VariantMeasurements>) = tallies
        .into_iter()
        .enumerate()
        .filter_map(|(variant, tally)| {
            Some((variant, finish_variant(&all, (variant, tally), &numbering, recording_comparable)?))
        })
        .unzip();
    let mut measurements = Measurements {
        anytime: all.early.as_ref().map(|early| early.summary(&variants, &places)),
        variants,
        clusters: numbering.clusters,
        clustered: numbering.clustered,
        repeats: all.settings.repeats,
        provenance,
        latency_comparable: provenance == RunProvenance::Live || recording_comparable,
        steps: Vec::new(),
        rounds: Vec::new(),
        trained: Vec::new(),
    };
    let alpha = all.settings.statistics.alpha;
    let standings = super::standing::standings(&measurements, alpha);
    measurements.variants.iter_mut().zip(standings).for_each(|(row, standing)| row.standing = standing);
    measurements.steps = super::steps::steps(&measurements, alpha);
    measurements.rounds = super::rounds::histories(&measurements, &all.ids, alpha);
    measurements
}

fn number(all: &Accumulator) -> Numbering {
    let mut places: BTreeMap<u32, u32> = BTreeMap::new();
    let mut sizes: Vec<u32> = Vec::new();
    let mut clusters = Vec::with_capacity(all.rows.len());
    let mut expected = BTreeSet::new();
    for example in 0..all.rows.len() {
        expected.extend(all.rows.class(example));
        let next = sizes.len() as u32;
        let place = match all.rows.clusters.get(example) {
            Some(cluster) => *places.entry(cluster).or_insert(next),
            None => next,
        };
        if place == next {
            sizes.push(0);
        }
        sizes[place as usize] += 1;
        clusters.push(place);
    }
    let names: HashMap<u32, &str> = all.classes.iter().map(|(name, number)| (*number, name.as_str())).collect();
    let mut expected: Vec<&str> = expected.iter().filter_map(|class| names.get(class).copied()).collect();
    expected.sort_unstable();
    let mut classes = all.settings.labels.clone();
    classes.extend(
        expected.into_iter().filter(|name| !all.settings.labels.iter().any(|label| label == name)).map(str::to_owned),
    );
    let places = classes.iter().enumerate();
    Numbering {
        clustered: sizes.iter().any(|size| *size > 1),
        class_places: places.filter_map(|(place, name)| all.classes.get(name).map(|number| (*number, place))).collect(),
        clusters,
        classes,
    }
}

/// The day on which a variant's model stops answering: the earliest that is stated.
fn retires(variant: &Variant, endpoint: &EndpointFacts) -> Option<jiff::civil::Date> {
    let stated = variant.tuned.as_ref().and_then(|tuned| tuned.retires.as_ref()?.parse().ok());
    stated.into_iter().chain(endpoint.retires).min()
}

fn finish_variant(
    all: &Accumulator,
    (variant, mut tally): (usize, Tally),
    numbering: &Numbering,
    recording_comparable: bool,
) -> Option<VariantMeasurements> {
    let settings = &all.settings;
    let (endpoint, of) = (settings.endpoints.get(variant)?, settings.variants.get(variant)?);
    let alpha = settings.statistics.alpha;
    let means = Means { all, numbering };
    let checks_validity = settings.checks_validity.get(variant).copied().unwrap_or(false);
    let (macro_f1, confusion) = classes(all, &mut tally, numbering);
    let no_column = Column::default();
    let primary = tally.scores.first().unwrap_or(&no_column);
    let accuracy = means.estimate_of(0, primary, |_| true);
    let accuracy_bounds = means.bounds(&tally, primary);
    let retrieval = super::retrieval::finish(all, &tally, &means, numbering);
    let slices = slices(all, &means, primary);
    let scorers = scorers(all, &tally, &means);
    let validity = |column: &Column| checks_validity.then(|| means.estimate(column, |_| true));
    let (validity_strict, validity_lenient) = (validity(&tally.strict), validity(&tally.lenient));
    let primary = if tally.scores.is_empty() { no_column } else { tally.scores.swap_remove(0) };
    let vector = |column| Scores::of_column(column, all.scale, all.rows.len());
    let scores = vector(primary);
    // Before the times are put in order: it knows them by their places.
    let ttft_any = tally.reasoning.times(&tally.ttft).map(|times| latency(times, alpha));
    let context = Finishing { all, variant: of, endpoint, clusters: &numbering.clusters };
    Some(VariantMeasurements {
        variant: of.clone(),
        round: settings.rounds.get(variant).copied().flatten(),
        self_hosted: endpoint.self_hosted,
        retires: retires(of, endpoint),
        outcomes: tally.outcomes,
        failures: failures(&tally),
        missing: tally.missing,
        reused: tally.reused,
        batched: tally.batched,
        accuracy,
        standing: None,
        accuracy_bounds,
        macro_f1,
        confusion,
        fields: tally.fields.iter().map(|(field, counts)| (field.clone(), *counts)).collect(),
        validity_strict,
        validity_lenient,
        valid: if checks_validity { vector(tally.strict) } else { Scores::none(all.rows.len()) },
        violations: violations(&tally.violations),
        scorers,
        ttft: if tally.streamed > 0 { latency(tally.ttft, alpha) } else { Latency::default() },
        ttft_trials: by_example(tally.ttft_trials),
        ttft_any,
        reasoning_hidden: tally.reasoning.hidden,
        total: latency(tally.total, alpha),
        in_flight: tally.in_flight,
        retries: tally.retries,
        served_as: endpoint.served_as.clone(),
        served_models: served_models(&tally.served),
        cache: context.cache(&tally.cache),
        usage: tally.usage,
        cost: context.cost(tally.cost, &tally.usage, &scores, recording_comparable),
        slices,
        retrieval,
        scores,
    })
}

/// What the figures of one variant depend on besides its columns.
struct Finishing<'a> {
    all: &'a Accumulator,
    variant: &'a Variant,
    endpoint: &'a EndpointFacts,
    clusters: &'a [u32],
}

impl Finishing<'_> {
    /// What the prompt cache did, for a variant that asks for it.
    fn cache(&self, tally: &CacheTally) -> Option<CacheMeasurements> {
        let PromptCache { lifetime, explicit } = self.variant.cache?;
        let stores = explicit && self.endpoint.wire == WireKind::Gemini;
        let alpha = self.all.settings.statistics.alpha;
        tally.finish(&Context { facts: &self.endpoint.cache, lifetime, stores, clusters: self.clusters, alpha })
    }

    fn cost(&self, tally: CostTally, usage: &UsageTotals, scores: &Scores, recording_comparable: bool) -> Cost {
        let alpha = self.all.settings.statistics.alpha;
        Cost {
            caching: money::most_of_cache(usage, self.endpoint.price.as_ref()),
            ..tally.finish(self.endpoint, scores, self.clusters, recording_comparable, alpha)
        }
    }
}

/// Means of columns over the examples.
pub(super) struct Means<'a> {
    all: &'a Accumulator,
    numbering: &'a Numbering,
}

impl Means<'_> {
    /// The mean over the examples that are in, by METHODS.md 1.1 or 1.3 (DESIGN.md 13.15).
    pub(super) fn estimate(&self, column: &Column, is_in: impl Fn(usize) -> bool) -> Estimate {
        self.estimate_as(column, is_in, false)
    }

    /// The same of a scorer's column.
    fn estimate_of(&self, scorer: usize, column: &Column, is_in: impl Fn(usize) -> bool) -> Estimate {
        let graded = self.all.settings.graded.get(scorer).copied().unwrap_or(true);
        self.estimate_as(column, is_in, graded)
    }

    fn estimate_as(&self, column: &Column, is_in: impl Fn(usize) -> bool, may_be_graded: bool) -> Estimate {
        let statistics = &self.all.settings.statistics;
        if self.all.early.is_none() && !self.numbering.clustered && self.all.settings.repeats <= 1 {
            let places = (0..self.all.rows.len()).filter(|place| is_in(*place));
            if let Some((right, n)) = right_of(places.filter_map(|place| column.mean(place, self.all.scale))) {
                return plain_accuracy(right, n, statistics.alpha);
            }
        }
        let room = (0..self.all.rows.len()).filter(|place| is_in(*place)).count();
        let (mut scores, mut clusters, mut calls) = (Vec::with_capacity(room), Vec::with_capacity(room), 0);
        for place in (0..self.all.rows.len()).filter(|place| is_in(*place)) {
            if let Some(mean) = column.mean(place, self.all.scale) {
                scores.push(mean);
                clusters.push(self.numbering.clusters[place]);
                calls += column.sum(place, self.all.scale).1;
            }
        }
        if let Some(early) = &self.all.early {
            return early.estimate(&scores, &clusters, may_be_graded);
        }
        let graded = scores.iter().any(|score| *score != 0.0 && *score != 1.0);
        let effective = self.numbering.clustered || self.all.settings.repeats > 1 || graded;
        clustered_accuracy(&scores, &clusters, calls, effective, statistics.alpha)
    }

    /// The mean if every trial without a score were wrong, and if every one were right.
    fn bounds(&self, tally: &Tally, column: &Column) -> Option<(f64, f64)> {
        let unscored = tally.unscored.first().map_or(0, |(count, _)| *count);
        if tally.missing == 0 && unscored == 0 {
            return None;
        }
        let (mut low, mut high, mut examples) = (0.0, 0.0, 0_u64);
        for place in 0..tally.trials.len() {
            let Some(trials) = tally.trials.get(place).map(u64::from) else { continue };
            let (sum, count) = column.sum(place, self.all.scale);
            low += sum / trials as f64;
            high += (sum + trials.saturating_sub(count) as f64) / trials as f64;
            examples += 1;
        }
        (examples > 0).then(|| (low / examples as f64, high / examples as f64))
    }
}

/// How many scores are right, and how many there are; `None` where one is neither right nor wrong.
fn right_of(mut scores: impl Iterator<Item = f64>) -> Option<(u64, u64)> {
    scores.try_fold((0, 0), |(right, n), score| match score {
        0.0 => Some((right, n + 1)),
        1.0 => Some((right + 1, n + 1)),
        _ => None,
    })
}

fn failures(tally: &Tally) -> Vec<(crate::exchange::FailureKind, u64, String)> {
    let mut failures: Vec<_> =
        tally.failures.iter().map(|(kind, (count, message))| (*kind, *count, message.clone())).collect();
    failures.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    failures
}

/// The models that answered, most answers first.
fn served_models(served: &HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut served: Vec<_> = served.iter().map(|(model, count)| (model.clone(), *count)).collect();
    served.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    served.truncate(MAX_SERVED);
    served
}

fn violations(counts: &HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut violations: Vec<_> = counts.iter().map(|(text, count)| (text.clone(), *count)).collect();
    violations.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    violations.truncate(MAX_VIOLATIONS);
    violations
}

fn scorers(all: &Accumulator, tally: &Tally, means: &Means<'_>) -> Vec<ScorerMean> {
    let columns = tally.scores.iter().zip(&tally.unscored).enumerate();
    type Scored<'a> = (usize, (&'a Column, &'a (u64, Option<String>)));
    let mean = |(scorer, (place, (column, (unscored, reason)))): (&String, Scored<'_>)| ScorerMean {
        scorer: scorer.clone(),
        mean: means.estimate_of(place, column, |_| true),
        unscored: *unscored,
        unscored_reason: reason.clone(),
    };
    all.settings.scorers.iter().zip(columns).map(mean).collect()
}

/// In an order that does not depend on which came first.
fn by_example(mut trials: Vec<TimedTrial>) -> Vec<TimedTrial> {
    trials.sort_unstable_by(|a, b| (a.example, a.minute).cmp(&(b.example, b.minute)).then(a.ms.total_cmp(&b.ms)));
    trials
}

/// Fewer trials say nothing of the 99th percentile (METHODS.md 5).
const FEWEST_FOR_P99: u64 = 100;

/// Order statistics of the times; a trial without one is above every other.
pub(super) fn latency(times: Times, alpha: f64) -> Latency {
    let Times { ms: mut sorted_ms, censored } = times;
    sorted_ms.sort_unstable_by(f64::total_cmp);
    let is_there = !sorted_ms.is_empty() || censored > 0;
    let quantile = |q| is_there.then(|| censored_quantile_estimate(&sorted_ms, censored, q, alpha));
    let p99 = quantile(0.99).filter(|p99| p99.n >= FEWEST_FOR_P99);
    let (p50, p90, p95) = (quantile(0.5), quantile(0.9), quantile(0.95));
    Latency { censored, p50, p90, p95, p99, sorted_ms }
}

/// Macro-F1 and the confusion matrix of a classification.
fn classes(all: &Accumulator, tally: &mut Tally, numbering: &Numbering) -> (Option<Estimate>, Option<Confusion>) {
    let mut answers = std::mem::take(&mut tally.answers);
    if !all.settings.classifies || numbering.classes.is_empty() || numbering.classes.len() > MAX_CLASSES {
        return (None, None);
    }
    let place = |class: Option<u32>| numbering.class_places.get(&class?).copied();
    let count = numbering.classes.len();
    let (mut pairs, mut clusters) = (Pairs::new(count), Vec::with_capacity(answers.len()));
    for (example, answer) in answers.sorted() {
        if let Some(expected) = place(all.rows.class(example)) {
            pairs.push((expected, place(answer)));
            clusters.push(numbering.clusters[example]);
        }
    }
    drop(answers);
    let matrix = pairs.matrix();
    let statistics = all.settings.statistics;
    let plan = BootstrapPlan { seed: statistics.seed, resamples: RESAMPLES, alpha: statistics.alpha };
    let row = |expected| (0..count).map(Some).chain([None]).map(|answer| matrix.count(expected, answer)).collect();
    let confusion = Confusion { classes: numbering.classes.clone(), counts: (0..count).map(row).collect() };
    (pairs.macro_f1(&clusters, plan).ok(), Some(confusion))
}

fn slices(all: &Accumulator, means: &Means<'_>, primary: &Column) -> Vec<Slice> {
    let slice = |(tag, value, number): (&str, &str, u32)| Slice {
        tag: tag.to_owned(),
        value: value.to_owned(),
        accuracy: means.estimate_of(0, primary, |place| all.slices.has(place, (tag, number))),
    };
    all.slices.all().map(slice).collect()
}
