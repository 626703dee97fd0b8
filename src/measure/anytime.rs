//! A run that may stop early: its figures are those of confidence sequences, valid wherever it
//! stopped (METHODS.md 11), and what stopping saved.
//!
//! Only what stands before the first gap of the shuffled order is measured. Rates and differences
//! are by sequence; latency quantiles, costs and macro-F1 keep the intervals of a fixed number of
//! examples, which do not hold at any stop.

use serde::Serialize;

use super::compare::Comparison;
use super::stopping::{GoalState, Stop, Stopping};
use super::{Measurements, Scores, VariantMeasurements};
use crate::stats::paired::paired_verdict;
use crate::stats::sequential::{Outcomes, anytime_mean, anytime_mean_difference, anytime_p};
use crate::stats::{Estimate, Interval, Method};
use crate::variant::VariantId;

/// How a run that may stop early stopped. Its rates and differences hold at any stop.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Anytime {
    /// Of the order in which examples were asked.
    pub seed: u64,
    /// Confidence level of the sequences; 1 minus it is the chance of a wrong answer for each target
    /// of each variant.
    pub level: f64,
    /// Examples that were planned.
    pub planned: u64,
    /// Examples of the largest planned cluster; 1 without clusters.
    pub largest_cluster: u64,
    /// The variants, as those of [`Measurements`].
    pub variants: Vec<VariantAnytime>,
}

/// How one variant stopped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantAnytime {
    /// The variant.
    pub variant: VariantId,
    /// Why it is asked no more; `None` where it was asked to the end, or the run is not at its end.
    pub stopped: Option<Stop>,
    /// Examples after which it was stopped.
    pub stopped_at: Option<u64>,
    /// Examples that are in its figures: those under way when it was stopped among them.
    pub measured: u64,
    /// Trials that it was asked.
    pub asked_requests: u64,
    /// Trials that it need not be asked any more.
    pub saved_requests: u64,
    /// What these would have cost at the variant's mean, in USD; `None` where that is unknown.
    pub saved_usd: Option<f64>,
    /// The tokens that these would have taken at the variant's mean, prompt and answer together;
    /// `None` where they are not reported.
    pub saved_tokens: Option<f64>,
    /// Its targets.
    pub targets: Vec<GoalState>,
}

impl Anytime {
    /// [`anytime_mean`] within the plan: as `anytime_rate`, but sure of the largest cluster.
    pub fn rate(&self, scores: &[f64], clusters: &[u32], alpha: f64) -> Interval {
        anytime_mean(self.within(Outcomes::of(scores, clusters)), scores, clusters, alpha)
    }

    /// [`anytime_mean_difference`] within the plan.
    pub fn difference(&self, d: &[f64], clusters: &[u32], alpha: f64) -> Interval {
        anytime_mean_difference(self.within(Outcomes::bounded(clusters)), d, clusters, alpha)
    }

    /// How [`Anytime::rate`] makes its interval of these scores.
    pub fn method(&self, scores: &[f64], clusters: &[u32]) -> Method {
        match self.within(Outcomes::of(scores, clusters)) {
            Outcomes::Binary => Method::ConfidenceSequence,
            Outcomes::Bounded { .. } => Method::BettingConfidenceSequence,
        }
    }

    fn within(&self, seen: Outcomes) -> Outcomes {
        match seen {
            Outcomes::Binary if self.largest_cluster <= 1 => Outcomes::Binary,
            Outcomes::Binary | Outcomes::Bounded { .. } => Outcomes::Bounded { largest: self.largest_cluster },
        }
    }
}

/// The rule of a run as its trials left it.
#[derive(Debug, Clone)]
pub struct Early {
    /// Of the order in which examples were asked.
    pub seed: u64,
    /// The rule, told of all trials.
    pub rule: Stopping,
    /// Trials of each variant in the store, with those after a gap.
    pub asked: Vec<u64>,
}

impl Early {
    /// A mean's estimate. `graded` says that the values may be more than right and wrong.
    pub(super) fn estimate(&self, scores: &[f64], clusters: &[u32], graded: bool) -> Estimate {
        let design = self.rule.design();
        let level = 1.0 - design.alpha;
        if scores.is_empty() {
            return Estimate::nothing(Interval::UNIT, level);
        }
        let outcomes = match (design.outcomes(graded), Outcomes::of(scores, clusters)) {
            (Outcomes::Binary, Outcomes::Bounded { .. }) => design.outcomes(true),
            (planned, _) => planned,
        };
        let interval = anytime_mean(outcomes, scores, clusters, design.alpha);
        let method = match outcomes {
            Outcomes::Binary => Method::ConfidenceSequence,
            Outcomes::Bounded { .. } => Method::BettingConfidenceSequence,
        };
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        Estimate { point: Some(mean), low: interval.low, high: interval.high, level, n: scores.len() as u64, method }
    }

    /// What the run came to; one entry a row of `variants`, whose places in the rule are `places`.
    pub(super) fn summary(&self, variants: &[VariantMeasurements], places: &[usize]) -> Anytime {
        let design = self.rule.design();
        let planned = design.steps.len() as u64;
        let of_variant = |(row, &place): (&VariantMeasurements, &usize)| {
            let asked = self.asked.get(place).copied().unwrap_or(0);
            let stopped = self.rule.stopped(place);
            let saved = stopped.map_or(0, |_| (planned * u64::from(design.repeats)).saturating_sub(asked));
            let times = |mean: Option<f64>| mean.filter(|_| saved > 0).map(|mean| mean * saved as f64);
            VariantAnytime {
                variant: row.variant.id.clone(),
                stopped,
                stopped_at: self.rule.stopped_at(place),
                measured: row.accuracy.n,
                asked_requests: asked,
                saved_requests: saved,
                saved_usd: times(row.cost.per_request.and_then(|cost| cost.point)),
                saved_tokens: times(tokens_per_request(row)),
                targets: self.rule.goals(place),
            }
        };
        Anytime {
            seed: self.seed,
            level: 1.0 - design.alpha,
            planned,
            largest_cluster: design.outcomes(true).largest(),
            variants: variants.iter().zip(places).map(of_variant).collect(),
        }
    }
}

/// Mean tokens of a request, prompt and answer together.
fn tokens_per_request(row: &VariantMeasurements) -> Option<f64> {
    let usage = &row.usage;
    let read = [&usage.cache_read_tokens, &usage.cache_write_5m_tokens, &usage.cache_write_1h_tokens];
    let cached: f64 = read.into_iter().filter_map(super::TokenSum::mean).sum();
    Some(usage.input_uncached_tokens.mean()? + cached + usage.output_tokens.mean()?)
}

/// A comparison of a run that may have stopped early, by sequence; any other stays as it is.
pub(super) fn at_any_stop(
    measured: &Measurements,
    compared: Comparison,
    (a, b): (&Scores, &Scores),
    alpha: f64,
) -> Comparison {
    let Some(anytime) = &measured.anytime else { return compared };
    let (difference, p) = difference(anytime, (a, b), &measured.clusters, measured.repeats, alpha);
    let interval = difference.interval();
    let p = compared.p.map(|_| p);
    Comparison { difference, p, verdict: paired_verdict(interval, p.unwrap_or(1.0), alpha), ..compared }
}

/// B − A on the examples that both have, with its p-value.
fn difference(
    anytime: &Anytime,
    (a, b): (&Scores, &Scores),
    clusters: &[u32],
    repeats: u32,
    alpha: f64,
) -> (Estimate, f64) {
    let pairs = a.iter().zip(b.iter()).zip(clusters).filter_map(|((a, b), cluster)| Some((a?, b?, *cluster)));
    let (mut d, mut groups, mut binary) = (Vec::new(), Vec::new(), repeats <= 1 && anytime.largest_cluster <= 1);
    for (a, b, cluster) in pairs {
        binary &= [a, b].iter().all(|score| *score == 0.0 || *score == 1.0);
        d.push((f64::from(b) - f64::from(a)).clamp(-1.0, 1.0));
        groups.push(cluster);
    }
    let level = 1.0 - alpha;
    if d.is_empty() {
        return (Estimate::nothing(Interval::DIFFERENCE, level), 1.0);
    }
    let outcomes = if binary { Outcomes::Binary } else { Outcomes::Bounded { largest: anytime.largest_cluster } };
    let interval = anytime.difference(&d, &groups, alpha);
    let estimate = Estimate {
        point: Some(d.iter().sum::<f64>() / d.len() as f64),
        low: interval.low,
        high: interval.high,
        level,
        n: d.len() as u64,
        method: Method::BettingConfidenceSequence,
    };
    (estimate, anytime_p(outcomes, &d, &groups, alpha))
}

#[cfg(test)]
mod tests;
