//! What the ladder may read: who is eligible, who is in use, and paired vectors with their bounds.

use std::cmp::Reverse;

use serde::Serialize;

use super::SuiteFacts;
use super::pair::Pair;
use super::subject::{Counts, Rates, Setting, Source, Subject};
use crate::measure::trained::Trained;
use crate::measure::{MOST_MISSING, Measurements, Scores};
use crate::stats::POWER;
use crate::stats::cluster::{ClusteredMean, clustered_accuracy, clustered_mean, clustered_one_sided};
use crate::stats::paired::{PairedVerdict, paired_verdict};
use crate::stats::proportion::{clopper_pearson_one_sided, n_to_settle_target, wilson};
use crate::stats::{Estimate, Interval, Method};
use crate::variant::VariantId;

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
pub(super) fn scale_up(needed: u64, n: u64, n_eff: f64) -> u64 {
    (needed as f64 * n as f64 / n_eff).ceil().min(1e15) as u64
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
    pub(super) subjects: Vec<Subject<'a>>,
    pub(super) setting: Setting<'a>,
    /// Places of the variants that may serve the task and were asked anything.
    pub(super) eligible: Vec<usize>,
    /// The variant now in use.
    pub(super) incumbent: Option<usize>,
    /// Baselines that were trained on the pool.
    pub(super) trained: &'a [Trained],
}

impl<'a> Evidence<'a> {
    /// The evidence of a run.
    pub(super) fn of_run(facts: &'a SuiteFacts<'a>, measured: &'a Measurements) -> Self {
        let subjects = measured.variants.iter().map(Subject::of_run).collect();
        Self { trained: &measured.trained, ..Self::new(facts, subjects, Setting::of_run(measured)) }
    }

    pub(super) fn new(facts: &'a SuiteFacts<'a>, subjects: Vec<Subject<'a>>, setting: Setting<'a>) -> Self {
        let may_serve = |subject: &Subject<'_>| subject.self_hosted || !facts.targets.self_hosted;
        // What is given the right documents cannot be shipped: it says how far retrieval could go.
        let eligible = (0..subjects.len())
            .filter(|&place| subjects[place].was_asked() && !subjects[place].is_bound() && may_serve(&subjects[place]))
            .collect();
        let mut evidence = Self { facts, subjects, setting, eligible, incumbent: None, trained: &[] };
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
            let subject = self.at(place);
            (Reverse(subject.round), subject.variant.interventions().len())
        };
        self.prompted().into_iter().min_by_key(rank)
    }

    pub(super) fn at(&self, place: usize) -> &Subject<'a> {
        &self.subjects[place]
    }

    /// The variant of this name.
    pub(super) fn place_of(&self, id: &VariantId) -> Option<usize> {
        (0..self.subjects.len()).find(|&place| self.at(place).variant.id == *id)
    }

    /// Its name in backticks.
    pub(super) fn name(&self, place: usize) -> String {
        format!("`{}`", self.at(place).variant.id)
    }

    /// A variant's id, for what names the variant that it is about.
    pub(super) fn id(&self, place: usize) -> Option<VariantId> {
        Some(self.at(place).variant.id.clone())
    }

    /// The prompted set P: eligible variants without a tuned model.
    pub(super) fn prompted(&self) -> Vec<usize> {
        let untuned = |&place: &usize| self.at(place).variant.tuned.is_none();
        self.eligible.iter().copied().filter(untuned).collect()
    }

    /// The prompted set where this rate is known. In a run that is all of it; a variant of which a file
    /// states other figures alone says nothing of the rate.
    pub(super) fn prompted_with(&self, metric: Metric) -> Vec<usize> {
        let stated = self.setting.source == Source::Stated;
        self.prompted().into_iter().filter(|&place| !stated || self.has(place, metric)).collect()
    }

    /// Whether a variant has scores (or, of stated figures, any at all) of examples that were not chosen
    /// by their answers, and at most 1% of its answers are missing.
    pub(super) fn usable(&self, place: usize) -> bool {
        let subject = self.at(place);
        let known = match self.setting.source {
            Source::Stated => subject.is_known(),
            Source::Live | Source::Recorded | Source::Imported => subject.accuracy.is_known(),
        };
        let is_sample = self.facts.failures_of.is_none() && self.facts.asked_instead.is_none();
        known && is_sample && subject.missing as f64 <= MOST_MISSING * subject.asked as f64
    }

    pub(super) fn alpha(&self) -> f64 {
        let alpha = self.facts.statistics.alpha;
        if alpha > 0.0 && alpha < 0.5 { alpha } else { 0.05 }
    }

    /// The smallest difference that matters.
    pub(super) fn delta(&self) -> f64 {
        let delta = self.facts.statistics.delta_min;
        if (0.0..=1.0).contains(&delta) { delta } else { 0.02 }
    }

    pub(super) fn rates(&self, place: usize, metric: Metric) -> Rates<'a> {
        match metric {
            Metric::Accuracy => self.at(place).accuracy,
            Metric::Validity => self.at(place).validity,
        }
    }

    /// Whether the rate was measured at all.
    pub(super) fn has(&self, place: usize, metric: Metric) -> bool {
        self.rates(place, metric).is_known()
    }

    /// Calls behind a variant's answers, at least one an example.
    pub(super) fn calls(&self, place: usize, examples: usize) -> u64 {
        let subject = self.at(place);
        let asked = subject.asked.saturating_sub(subject.missing);
        let most = (examples as u64).saturating_mul(u64::from(self.setting.repeats.max(1)));
        asked.min(most).max(examples as u64)
    }

    /// Scores and clusters of the examples that have one.
    pub(super) fn sample(&self, place: usize, metric: Metric) -> (Vec<f64>, Vec<u32>) {
        let Rates::ByExample(scores) = self.rates(place, metric) else {
            return (Vec::new(), Vec::new());
        };
        let (mut known, mut clusters) = (Vec::with_capacity(scores.len()), Vec::with_capacity(scores.len()));
        for (score, &cluster) in scores.iter().zip(self.setting.clusters) {
            if let Some(score) = rate(score) {
                known.push(score);
                clusters.push(cluster);
            }
        }
        (known, clusters)
    }

    /// Means and one-sided bounds, each end at 1 − alpha.
    pub(super) fn bounds(&self, place: usize, metric: Metric, alpha: f64) -> Bounds {
        if let Rates::Counts(counts) = self.rates(place, metric) {
            return counted_bounds(counts, alpha);
        }
        let (scores, clusters) = self.sample(place, metric);
        let calls = self.calls(place, scores.len());
        let interval = match self.setting.anytime {
            // The two ends together err with alpha (METHODS.md 11): no end is taken at twice that.
            Some(anytime) => anytime.rate(&scores, &clusters, alpha),
            None => clustered_one_sided(&scores, &clusters, calls, alpha),
        };
        Bounds { known: clustered_mean(&scores, &clusters, calls, alpha), interval }
    }

    /// The rate for display at level 1 − alpha.
    pub(super) fn estimate(&self, place: usize, metric: Metric, alpha: f64) -> Estimate {
        if let Rates::Counts(counts) = self.rates(place, metric) {
            return counted_estimate(counts, alpha);
        }
        let (scores, clusters) = self.sample(place, metric);
        let calls = self.calls(place, scores.len());
        let fixed = clustered_accuracy(&scores, &clusters, calls, self.is_dependent(), alpha);
        match self.setting.anytime.filter(|_| fixed.point.is_some()) {
            Some(anytime) => {
                let Interval { low, high } = anytime.rate(&scores, &clusters, alpha);
                Estimate { low, high, method: anytime.method(&scores, &clusters), ..fixed }
            }
            None => fixed,
        }
    }

    /// Whether repeats or clusters make fewer independent examples than there are answers.
    fn is_dependent(&self) -> bool {
        self.setting.clustered || self.setting.repeats > 1
    }

    /// B − A, two-sided at `alpha`: on the examples that both have where they are known.
    pub(super) fn pair(&self, a: usize, b: usize, metric: Metric, alpha: f64) -> Pair {
        match (self.rates(a, metric), self.rates(b, metric)) {
            (Rates::ByExample(first), Rates::ByExample(second)) => {
                let calls = |n: usize| self.calls(a, n).min(self.calls(b, n));
                self.pair_of(first, second, calls, alpha)
            }
            (Rates::Unknown, _) | (_, Rates::Unknown) => Pair::nothing(),
            _ => match (self.counts(a, metric), self.counts(b, metric)) {
                (Some(a), Some(b)) => Pair::of_counts(a, b, alpha),
                _ => Pair::nothing(),
            },
        }
    }

    /// Scores that are no variant's own minus those of a variant.
    pub(super) fn pair_with(&self, a: usize, scores: &Scores, metric: Metric, alpha: f64) -> Pair {
        match self.rates(a, metric) {
            Rates::ByExample(first) => self.pair_of(first, scores, |n| self.calls(a, n), alpha),
            Rates::Unknown | Rates::Counts(_) => Pair::nothing(),
        }
    }

    fn pair_of(&self, first: &Scores, second: &Scores, calls: impl Fn(usize) -> u64, alpha: f64) -> Pair {
        let scores = first.iter().zip(second.iter()).zip(self.setting.clusters);
        // Room for all at once: a list that doubles holds what it was and what it becomes.
        let (mut values, mut clusters) = (Vec::with_capacity(first.len()), Vec::with_capacity(first.len()));
        for ((a, b), &cluster) in scores {
            if let (Some(a), Some(b)) = (rate(a), rate(b)) {
                values.push(b - a);
                clusters.push(cluster);
            }
        }
        match self.setting.anytime {
            Some(anytime) => Pair::of_sequence(values, clusters, anytime.largest_cluster, alpha),
            None => {
                let calls = calls(values.len());
                Pair::of_examples(values, clusters, calls, alpha)
            }
        }
    }

    /// The rate as counts, whatever it is known by; `None` without any.
    fn counts(&self, place: usize, metric: Metric) -> Option<Counts> {
        match self.rates(place, metric) {
            Rates::Unknown => None,
            Rates::Counts(counts) => Some(counts).filter(|counts| counts.n > 0),
            Rates::ByExample(_) => {
                let known = self.bounds(place, metric, self.alpha()).known;
                let (mean, n_eff) = (known.mean?, known.n_eff?);
                Some(Counts { right: mean * known.n as f64, n: known.n, n_eff })
            }
        }
    }

    /// B against A in accuracy, with everything that is shown of it.
    pub(super) fn comparison(&self, baseline: usize, variant: usize) -> PairedComparison {
        let alpha = self.alpha();
        let pair = self.pair(baseline, variant, Metric::Accuracy, alpha);
        let p = pair.p(self.facts.statistics.seed);
        let examples = |place: usize| match self.at(place).accuracy {
            Rates::Unknown => 0,
            Rates::ByExample(scores) => scores.len() as u64,
            Rates::Counts(counts) => counts.n,
        };
        PairedComparison {
            variant: self.at(variant).variant.id.clone(),
            baseline: self.at(baseline).variant.id.clone(),
            difference: pair.difference.estimate(alpha),
            p,
            wins: pair.difference.wins,
            losses: pair.difference.losses,
            dropped: examples(baseline).max(examples(variant)).saturating_sub(pair.difference.n),
            verdict: paired_verdict(pair.difference.interval, p, alpha),
        }
    }

    /// The usable variant with the highest accuracy, `except` left out; the first of equals.
    pub(super) fn best(&self, except: Option<usize>) -> Option<usize> {
        let places: Vec<usize> =
            self.eligible.iter().copied().filter(|&place| Some(place) != except && self.usable(place)).collect();
        self.best_of(&places)
    }

    /// The variant with the highest accuracy among these; the first of equals.
    pub(super) fn best_of(&self, places: &[usize]) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for &place in places {
            let Some(mean) = self.bounds(place, Metric::Accuracy, self.alpha()).known.mean else {
                continue;
            };
            if best.is_none_or(|(_, highest)| mean > highest) {
                best = Some((place, mean));
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

fn counted_bounds(counts: Counts, alpha: f64) -> Bounds {
    let rate = if counts.n > 0 { counts.right / counts.n as f64 } else { 0.0 };
    let nothing = clustered_mean(&[], &[], 0, alpha);
    let known = ClusteredMean { mean: Some(rate), n_eff: Some(counts.n_eff), n: counts.n, groups: counts.n, ..nothing };
    if counts.n == 0 {
        return Bounds { known: nothing, interval: Interval::UNIT };
    }
    Bounds { known, interval: clopper_pearson_one_sided(rate * counts.n_eff, counts.n_eff, alpha) }
}

fn counted_estimate(counts: Counts, alpha: f64) -> Estimate {
    let level = 1.0 - alpha;
    if counts.n == 0 {
        return Estimate::nothing(Interval::UNIT, level);
    }
    let rate = counts.right / counts.n as f64;
    let Interval { low, high } = wilson(rate * counts.n_eff, counts.n_eff, alpha);
    let method = if counts.n_eff < counts.n as f64 { Method::WilsonEffectiveN } else { Method::Wilson };
    Estimate { point: Some(rate), low, high, level, n: counts.n, method }
}

/// A score as a usable rate.
fn rate(score: Option<f32>) -> Option<f64> {
    score.map(f64::from).filter(|score| (0.0..=1.0).contains(score))
}
