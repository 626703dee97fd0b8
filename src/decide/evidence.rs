//! What the ladder may read: who is eligible, who is in use, and paired vectors with their bounds.

use std::cmp::Reverse;

use serde::Serialize;

use super::SuiteFacts;
use crate::measure::{Measurements, VariantMeasurements};
use crate::stats::cluster::{ClusteredMean, cluster_sums, clustered_accuracy, clustered_mean, clustered_one_sided};
use crate::stats::paired::{
    PairedDifference, PairedVerdict, cluster_signflip, mcnemar, paired_difference, paired_verdict, tango_t,
};
use crate::stats::power::n_non_inferiority;
use crate::stats::proportion::n_to_settle_target;
use crate::stats::special::normal_cdf;
use crate::stats::{Estimate, Interval, Method};
use crate::variant::{Variant, VariantId};

/// Power of every sample size (METHODS.md 0.5).
pub(super) const POWER: f64 = 0.80;
/// More than this share of missing answers leaves no verdict on quality (METHODS.md 0.4).
pub(super) const MOST_MISSING: f64 = 0.01;

/// A rate that differences are judged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    /// The primary scorer's mean.
    Accuracy,
    /// The share of schema-valid answers.
    Validity,
}

/// A rate with its one-sided bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Mean and effective n.
    pub(super) known: ClusteredMean,
    /// Each end one-sided at 1 − alpha.
    pub(super) interval: Interval,
}

impl Bounds {
    /// Examples needed until the rate decides about `target`.
    pub(super) fn n_to_settle(&self, target: f64, alpha: f64) -> Option<u64> {
        let Some(mean) = self.known.mean else {
            return n_to_settle_target(0.0, 0.0, target, alpha, POWER);
        };
        let n_eff = self.known.n_eff.filter(|&n| n > 0.0)?;
        let x = if mean >= 1.0 { n_eff } else { mean * n_eff };
        let needed = n_to_settle_target(x, n_eff, target, alpha, POWER)?;
        Some(scale_up(needed, self.known.n, n_eff))
    }
}

/// Effective examples turned into examples to collect, at the clustering seen so far.
fn scale_up(needed: u64, n: u64, n_eff: f64) -> u64 {
    (needed as f64 * n as f64 / n_eff).ceil().min(1e15) as u64
}

/// A difference of two variants on the same examples.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// The difference, B − A.
    pub(super) difference: PairedDifference,
    values: Vec<f64>,
    clusters: Vec<u32>,
}

impl Pair {
    /// Two-sided p-value of no difference.
    pub(super) fn p(&self, seed: u64) -> f64 {
        if self.difference.method == Method::Tango {
            let counts = (self.difference.wins, self.difference.losses);
            return mcnemar(counts.0.round() as u64, counts.1.round() as u64).mid_p;
        }
        let sums = cluster_sums(&self.values, &self.clusters);
        let sums: Vec<f64> = sums.into_iter().map(|(sum, _)| sum).collect();
        cluster_signflip(&sums, seed)
    }

    /// One-sided p-value of "not better by more than `delta`".
    pub(super) fn p_better_by(&self, delta: f64) -> f64 {
        let known = &self.difference;
        let (Some(n_eff), true) = (known.n_eff, known.n > 0) else {
            return 1.0;
        };
        let scale = n_eff / known.n as f64;
        let t = tango_t(delta, known.wins * scale, known.losses * scale, n_eff);
        if t.is_nan() { 1.0 } else { 1.0 - normal_cdf(t) }
    }

    /// Pairs needed to show that B gains less than `delta`, if it gains nothing more than so far.
    pub(super) fn n_to_exclude(&self, delta: f64, alpha: f64) -> Option<u64> {
        let known = &self.difference;
        let (mean, n_eff) = (known.mean?, known.n_eff.filter(|&n| n > 0.0)?);
        let n = known.n as f64;
        let psi = ((known.wins + known.losses + 0.5) / (n + 1.0)).clamp(mean.abs(), 1.0);
        let needed = n_non_inferiority(psi, -mean, delta, alpha, POWER).ok()??;
        Some(scale_up(needed, known.n, n_eff).max(known.n + 1))
    }
}

/// Two variants on the same examples, for people and machines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairedComparison {
    /// B.
    pub variant: VariantId,
    /// A.
    pub baseline: VariantId,
    /// Accuracy of B minus accuracy of A.
    pub difference: Estimate,
    /// Two-sided p-value: McNemar's mid-p, or sign-flip over clusters.
    pub p: f64,
    /// Sum of the gains: examples when scores are 0 or 1.
    pub wins: f64,
    /// Sum of the losses, as a positive number.
    pub losses: f64,
    /// Examples that one of the two lacks.
    pub dropped: u64,
    /// What follows.
    pub verdict: PairedVerdict,
}

/// The suite's needs beside what was measured.
pub(super) struct Evidence<'a> {
    pub(super) facts: &'a SuiteFacts<'a>,
    pub(super) measured: &'a Measurements,
    /// Places of the variants that may serve the task and were asked anything.
    pub(super) eligible: Vec<usize>,
    /// The variant now in use.
    pub(super) incumbent: Option<usize>,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(facts: &'a SuiteFacts<'a>, measured: &'a Measurements) -> Self {
        let may_serve = |v: &VariantMeasurements| v.self_hosted || !facts.targets.self_hosted;
        // What is given the right documents cannot be shipped: it says how far retrieval could go.
        let eligible = (0..measured.variants.len())
            .filter(|&place| was_asked(&measured.variants[place]) && !is_bound(&measured.variants[place].variant))
            .filter(|&place| may_serve(&measured.variants[place]))
            .collect();
        let mut evidence = Self { facts, measured, eligible, incumbent: None };
        evidence.incumbent = evidence.named_incumbent().or_else(|| evidence.default_incumbent());
        evidence
    }

    fn named_incumbent(&self) -> Option<usize> {
        let name = self.facts.incumbent?;
        self.eligible.iter().copied().find(|&place| self.at(place).variant.id == *name)
    }

    /// The untuned variant with the fewest interventions of the last round (DESIGN.md 13.8).
    fn default_incumbent(&self) -> Option<usize> {
        let rank = |&place: &usize| {
            let measured = self.at(place);
            (Reverse(measured.round), measured.variant.interventions().len())
        };
        self.prompted().into_iter().min_by_key(rank)
    }

    pub(super) fn at(&self, place: usize) -> &'a VariantMeasurements {
        &self.measured.variants[place]
    }

    /// Its name in backticks.
    pub(super) fn name(&self, place: usize) -> String {
        format!("`{}`", self.at(place).variant.id)
    }

    /// The prompted set P: eligible variants without a tuned model.
    pub(super) fn prompted(&self) -> Vec<usize> {
        let untuned = |&place: &usize| self.at(place).variant.tuned.is_none();
        self.eligible.iter().copied().filter(untuned).collect()
    }

    /// Whether a variant has scores and at most 1% of its answers are missing.
    pub(super) fn usable(&self, place: usize) -> bool {
        let measured = self.at(place);
        let missing = measured.missing as f64;
        measured.scores.iter().any(Option::is_some) && missing <= MOST_MISSING * measured.outcomes.total() as f64
    }

    pub(super) fn alpha(&self) -> f64 {
        let alpha = self.facts.statistics.alpha;
        if alpha > 0.0 && alpha < 0.5 { alpha } else { 0.05 }
    }

    /// The smallest difference that matters.
    pub(super) fn delta(&self) -> f64 {
        let delta = self.facts.statistics.delta_min;
        if (0.0..1.0).contains(&delta) { delta } else { 0.02 }
    }

    fn vector(&self, place: usize, metric: Metric) -> &'a [Option<f32>] {
        match metric {
            Metric::Accuracy => &self.at(place).scores,
            Metric::Validity => &self.at(place).valid,
        }
    }

    /// Whether the rate was measured at all.
    pub(super) fn has(&self, place: usize, metric: Metric) -> bool {
        self.vector(place, metric).iter().any(Option::is_some)
    }

    /// Calls behind a variant's answers, at least one an example.
    fn calls(&self, place: usize, examples: usize) -> u64 {
        let measured = self.at(place);
        let asked = measured.outcomes.total().saturating_sub(measured.missing);
        let most = (examples as u64).saturating_mul(u64::from(self.measured.repeats.max(1)));
        asked.min(most).max(examples as u64)
    }

    /// Scores and clusters of the examples that have one.
    fn sample(&self, place: usize, metric: Metric) -> (Vec<f64>, Vec<u32>) {
        let scores = self.vector(place, metric).iter().zip(&self.measured.clusters);
        scores.filter_map(|(score, &cluster)| rate(*score).map(|score| (score, cluster))).unzip()
    }

    /// One-sided bounds for a decision.
    pub(super) fn bounds(&self, place: usize, metric: Metric, alpha: f64) -> Bounds {
        let (scores, clusters) = self.sample(place, metric);
        let calls = self.calls(place, scores.len());
        Bounds {
            known: clustered_mean(&scores, &clusters, calls, alpha),
            interval: clustered_one_sided(&scores, &clusters, calls, alpha),
        }
    }

    /// The rate for display at level 1 − alpha.
    pub(super) fn estimate(&self, place: usize, metric: Metric, alpha: f64) -> Estimate {
        let (scores, clusters) = self.sample(place, metric);
        let calls = self.calls(place, scores.len());
        let dependent = self.measured.clustered || self.measured.repeats > 1;
        clustered_accuracy(&scores, &clusters, calls, dependent, alpha)
    }

    /// B − A on the examples that both have, two-sided at `alpha`.
    pub(super) fn pair(&self, a: usize, b: usize, metric: Metric, alpha: f64) -> Pair {
        let scores = self.vector(a, metric).iter().zip(self.vector(b, metric));
        let both =
            scores.zip(&self.measured.clusters).filter_map(|((a, b), &cluster)| Some((rate(*b)? - rate(*a)?, cluster)));
        let (values, clusters): (Vec<f64>, Vec<u32>) = both.unzip();
        let calls = self.calls(a, values.len()).min(self.calls(b, values.len()));
        let difference = paired_difference(&values, &clusters, calls, alpha);
        Pair { difference, values, clusters }
    }

    /// B against A in accuracy, with everything that is shown of it.
    pub(super) fn comparison(&self, baseline: usize, variant: usize) -> PairedComparison {
        let alpha = self.alpha();
        let pair = self.pair(baseline, variant, Metric::Accuracy, alpha);
        let p = pair.p(self.facts.statistics.seed);
        let either = self.at(baseline).scores.len().max(self.at(variant).scores.len()) as u64;
        PairedComparison {
            variant: self.at(variant).variant.id.clone(),
            baseline: self.at(baseline).variant.id.clone(),
            difference: pair.difference.estimate(alpha),
            p,
            wins: pair.difference.wins,
            losses: pair.difference.losses,
            dropped: either.saturating_sub(pair.difference.n),
            verdict: paired_verdict(pair.difference.interval, p, alpha),
        }
    }

    /// The usable variant with the highest accuracy, `except` left out; the first of equals.
    pub(super) fn best(&self, except: Option<usize>) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for &place in &self.eligible {
            let point = self.bounds(place, Metric::Accuracy, self.alpha()).known.mean;
            let Some(point) = point.filter(|_| Some(place) != except && self.usable(place)) else {
                continue;
            };
            if best.is_none_or(|(_, highest)| point > highest) {
                best = Some((place, point));
            }
        }
        best.map(|(place, _)| place)
    }

    /// Requests a month as a range, if stated.
    pub(super) fn volume(&self) -> Option<(f64, f64)> {
        let range = self.facts.economics.and_then(|economics| economics.requests_per_month);
        let range = range.map(|range| (range.low, range.high));
        let stated = || self.facts.targets.monthly_requests.map(|v| (v as f64, v as f64));
        let usable = |&(low, high): &(f64, f64)| low >= 0.0 && high >= low && high.is_finite();
        range.or_else(stated).filter(usable)
    }
}

/// Whether a variant is given the documents that examples name.
pub(super) fn is_bound(variant: &Variant) -> bool {
    variant.retrieve.as_ref().is_some_and(|retrieve| retrieve.is_oracle())
}

fn was_asked(measured: &VariantMeasurements) -> bool {
    measured.outcomes.total() > 0 || measured.scores.iter().any(Option::is_some)
}

/// A score as a usable rate.
fn rate(score: Option<f32>) -> Option<f64> {
    score.map(f64::from).filter(|score| (0.0..=1.0).contains(score))
}
