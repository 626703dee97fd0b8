//! Sums to estimates: every number gets its interval, with clusters and repeats honoured.

use std::collections::{BTreeMap, HashMap};

use super::accumulate::{Accumulator, Column, NO_CLASS, Tally, Times};
use super::cache::{CacheMeasurements, Context};
use super::grade::EndpointFacts;
use super::money;
use super::{
    Confusion, Cost, Latency, Measurements, RunProvenance, ScorerMean, Slice, TimedTrial, VariantMeasurements,
};
use crate::provider::WireKind;
use crate::stats::classes::{BootstrapPlan, ConfusionMatrix, macro_f1_estimate};
use crate::stats::cluster::clustered_accuracy;
use crate::stats::quantile::quantile_estimate;
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

/// What an accumulator's trials show.
pub(super) fn finish(all: &Accumulator, recording_comparable: bool) -> Measurements {
    let numbering = number(all);
    let (mut trials, mut recorded, mut imported) = (0, 0, 0);
    for tally in &all.tallies {
        trials += tally.outcomes.total();
        recorded += tally.recorded;
        imported += tally.imported;
    }
    let provenance = RunProvenance::of(trials, recorded, imported);
    let (places, variants): (Vec<usize>, Vec<VariantMeasurements>) = (0..all.tallies.len())
        .filter_map(|variant| Some((variant, finish_variant(all, variant, &numbering, recording_comparable)?)))
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
    for row in &all.rows {
        let next = sizes.len() as u32;
        let place = match row.as_ref().and_then(|row| row.cluster) {
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
    let mut expected: Vec<&str> = all.rows.iter().flatten().filter_map(|row| names.get(&row.class).copied()).collect();
    expected.sort_unstable();
    expected.dedup();
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
    variant: usize,
    numbering: &Numbering,
    recording_comparable: bool,
) -> Option<VariantMeasurements> {
    let (settings, tally) = (&all.settings, all.tallies.get(variant)?);
    let endpoint = settings.endpoints.get(variant)?;
    let alpha = settings.statistics.alpha;
    let means = Means { all, numbering };
    let checks_validity = settings.checks_validity.get(variant).copied().unwrap_or(false);
    let no_column = Column::default();
    let primary = tally.scores.first().unwrap_or(&no_column);
    let scores = means.vector(primary);
    let (macro_f1, confusion) = classes(all, tally, numbering);
    let validity = |column: &Column| checks_validity.then(|| means.estimate(column, |_| true));
    Some(VariantMeasurements {
        variant: settings.variants.get(variant)?.clone(),
        round: settings.rounds.get(variant).copied().flatten(),
        self_hosted: endpoint.self_hosted,
        retires: retires(settings.variants.get(variant)?, endpoint),
        outcomes: tally.outcomes,
        failures: failures(tally),
        missing: tally.missing,
        reused: tally.reused,
        batched: tally.batched,
        accuracy: means.estimate_of(0, primary, |_| true),
        standing: None,
        accuracy_bounds: means.bounds(tally, primary),
        macro_f1,
        confusion,
        fields: tally.fields.iter().map(|(field, counts)| (field.clone(), *counts)).collect(),
        validity_strict: validity(&tally.strict),
        validity_lenient: validity(&tally.lenient),
        valid: if checks_validity { means.vector(&tally.strict) } else { vec![None; all.rows.len()] },
        violations: violations(tally),
        scorers: scorers(all, tally, &means),
        ttft: if tally.streamed > 0 { latency(&tally.ttft, alpha) } else { Latency::default() },
        ttft_trials: by_example(&tally.ttft_trials),
        ttft_any: tally.reasoning.times(&tally.ttft).map(|times| latency(&times, alpha)),
        reasoning_hidden: tally.reasoning.hidden,
        total: latency(&tally.total, alpha),
        in_flight: tally.in_flight,
        retries: tally.retries,
        served_as: endpoint.served_as.clone(),
        served_models: served_models(tally),
        cache: cache(settings.variants.get(variant)?, tally, endpoint, &numbering.clusters, alpha),
        usage: tally.usage,
        cost: Cost {
            caching: money::most_of_cache(&tally.usage, endpoint.price.as_ref()),
            ..tally.cost.finish(endpoint, &scores, &numbering.clusters, recording_comparable, alpha)
        },
        slices: slices(all, &means, primary),
        retrieval: super::retrieval::finish(all, tally, &means, numbering),
        scores,
    })
}

/// Means of columns over the examples.
pub(super) struct Means<'a> {
    all: &'a Accumulator,
    numbering: &'a Numbering,
}

impl Means<'_> {
    fn vector(&self, column: &Column) -> Vec<Option<f32>> {
        let scale = self.all.scale;
        (0..self.all.rows.len()).map(|place| column.mean(place, scale).map(|mean| mean as f32)).collect()
    }

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
        let (mut scores, mut clusters, mut calls) = (Vec::new(), Vec::new(), 0);
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
        clustered_accuracy(&scores, &clusters, calls, effective, self.all.settings.statistics.alpha)
    }

    /// The mean if every trial without a score were wrong, and if every one were right.
    fn bounds(&self, tally: &Tally, column: &Column) -> Option<(f64, f64)> {
        let unscored = tally.unscored.first().map_or(0, |(count, _)| *count);
        if tally.missing == 0 && unscored == 0 {
            return None;
        }
        let (mut low, mut high, mut examples) = (0.0, 0.0, 0_u64);
        for (place, trials) in tally.trials.iter().enumerate().filter(|(_, trials)| **trials > 0) {
            let (sum, count) = column.sum(place, self.all.scale);
            let trials = u64::from(*trials);
            low += sum / trials as f64;
            high += (sum + trials.saturating_sub(count) as f64) / trials as f64;
            examples += 1;
        }
        (examples > 0).then(|| (low / examples as f64, high / examples as f64))
    }
}

fn failures(tally: &Tally) -> Vec<(crate::exchange::FailureKind, u64, String)> {
    let mut failures: Vec<_> =
        tally.failures.iter().map(|(kind, (count, message))| (*kind, *count, message.clone())).collect();
    failures.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    failures
}

/// The models that answered, most answers first.
fn served_models(tally: &Tally) -> Vec<(String, u64)> {
    let mut served: Vec<_> = tally.served.iter().map(|(model, count)| (model.clone(), *count)).collect();
    served.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    served.truncate(MAX_SERVED);
    served
}

/// What the prompt cache did, for a variant that asks for it.
fn cache(
    variant: &Variant,
    tally: &Tally,
    endpoint: &EndpointFacts,
    clusters: &[u32],
    alpha: f64,
) -> Option<CacheMeasurements> {
    let PromptCache { lifetime, explicit } = variant.cache?;
    let stores = explicit && endpoint.wire == WireKind::Gemini;
    tally.cache.finish(&Context { facts: &endpoint.cache, lifetime, stores, clusters, alpha })
}

fn violations(tally: &Tally) -> Vec<(String, u64)> {
    let mut violations: Vec<_> = tally.violations.iter().map(|(text, count)| (text.clone(), *count)).collect();
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
fn by_example(trials: &[TimedTrial]) -> Vec<TimedTrial> {
    let mut trials = trials.to_vec();
    trials.sort_by(|a, b| (a.example, a.minute).cmp(&(b.example, b.minute)).then(a.ms.total_cmp(&b.ms)));
    trials
}

/// Fewer trials say nothing of the 99th percentile (METHODS.md 5).
const FEWEST_FOR_P99: u64 = 100;

/// Order statistics of the times; a trial without one is above every other.
pub(super) fn latency(times: &Times, alpha: f64) -> Latency {
    let mut sorted_ms = times.ms.clone();
    sorted_ms.sort_by(f64::total_cmp);
    let mut with_censored = sorted_ms.clone();
    with_censored.resize(sorted_ms.len() + times.censored as usize, f64::INFINITY);
    let quantile = |q| (!with_censored.is_empty()).then(|| quantile_estimate(&with_censored, q, alpha));
    let p99 = quantile(0.99).filter(|p99| p99.n >= FEWEST_FOR_P99);
    let (p50, p90, p95) = (quantile(0.5), quantile(0.9), quantile(0.95));
    Latency { censored: times.censored, p50, p90, p95, p99, sorted_ms }
}

/// Macro-F1 and the confusion matrix of a classification.
fn classes(all: &Accumulator, tally: &Tally, numbering: &Numbering) -> (Option<Estimate>, Option<Confusion>) {
    if !all.settings.classifies || numbering.classes.is_empty() || numbering.classes.len() > MAX_CLASSES {
        return (None, None);
    }
    let place = |class: u32| numbering.class_places.get(&class).copied().filter(|_| class != NO_CLASS);
    let mut answers = tally.answers.clone();
    answers.sort_unstable();
    let (mut pairs, mut clusters) = (Vec::with_capacity(answers.len()), Vec::with_capacity(answers.len()));
    for (example, answer) in answers {
        let row = all.rows.get(example as usize).and_then(Option::as_ref);
        if let Some(expected) = row.and_then(|row| place(row.class)) {
            pairs.push((expected, place(answer)));
            clusters.push(numbering.clusters[example as usize]);
        }
    }
    let count = numbering.classes.len();
    let Ok(matrix) = ConfusionMatrix::from_pairs(&pairs, count) else {
        return (None, None);
    };
    let statistics = all.settings.statistics;
    let plan = BootstrapPlan { seed: statistics.seed, resamples: RESAMPLES, alpha: statistics.alpha };
    let row = |expected| (0..count).map(Some).chain([None]).map(|answer| matrix.count(expected, answer)).collect();
    let confusion = Confusion { classes: numbering.classes.clone(), counts: (0..count).map(row).collect() };
    (macro_f1_estimate(&pairs, &clusters, count, plan).ok(), Some(confusion))
}

fn slices(all: &Accumulator, means: &Means<'_>, primary: &Column) -> Vec<Slice> {
    let within =
        |number: u32| move |place: usize| all.rows[place].as_ref().is_some_and(|row| row.slices.contains(&number));
    let slice = |(tag, value, number): (&str, &str, u32)| Slice {
        tag: tag.to_owned(),
        value: value.to_owned(),
        accuracy: means.estimate_of(0, primary, within(number)),
    };
    all.slices.all().map(slice).collect()
}
