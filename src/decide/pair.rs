//! The difference of two variants: paired on the same examples, or as near to it as the figures allow.

use super::evidence::scale_up;
use super::subject::Counts;
use crate::stats::Method;
use crate::stats::POWER;
use crate::stats::cluster::cluster_sums;
use crate::stats::paired::{PairedDifference, cluster_signflip, mcnemar, paired_difference, tango, tango_t};
use crate::stats::power::n_non_inferiority;
use crate::stats::sequential::{Outcomes, anytime_mean_difference, anytime_p};
use crate::stats::special::normal_cdf;
use crate::stats::unpaired::IndependentRates;

/// A difference of two variants, on the same examples where that is known.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// The difference, B − A.
    pub(super) difference: PairedDifference,
    /// Paired calls.
    pub(super) calls: u64,
    basis: Basis,
}

/// What a difference rests on.
#[derive(Debug, Clone)]
enum Basis {
    /// Differences by example and their clusters.
    Examples(Vec<f64>, Vec<u32>),
    /// Differences of a run that may have stopped early, their clusters, and the size of the largest
    /// planned one.
    Sequence(Vec<f64>, Vec<u32>, u64),
    /// Nothing that both have.
    Nothing,
    /// Counts alone.
    Independent(IndependentRates),
}

impl Pair {
    pub(super) fn nothing() -> Self {
        Self { difference: paired_difference(&[], &[], 0, 0.05), calls: 0, basis: Basis::Nothing }
    }

    pub(super) fn of_examples(values: Vec<f64>, clusters: Vec<u32>, calls: u64, alpha: f64) -> Self {
        let difference = paired_difference(&values, &clusters, calls, alpha);
        Self { difference, calls, basis: Basis::Examples(values, clusters) }
    }

    /// The same with intervals that hold wherever the run stopped.
    pub(super) fn of_sequence(values: Vec<f64>, clusters: Vec<u32>, largest: u64, alpha: f64) -> Self {
        let fixed = paired_difference(&values, &clusters, 0, alpha);
        let interval = anytime_mean_difference(Outcomes::Bounded { largest }, &values, &clusters, alpha);
        let method = Method::BettingConfidenceSequence;
        let difference = PairedDifference { interval, method, ..fixed };
        Self { difference, calls: values.len() as u64, basis: Basis::Sequence(values, clusters, largest) }
    }

    /// From counts: independent samples, since which examples were right is not known.
    pub(super) fn of_counts(a: Counts, b: Counts, alpha: f64) -> Self {
        let (rate_a, rate_b) = (a.right / a.n as f64, b.right / b.n as f64);
        let rates =
            IndependentRates { right_a: rate_a * a.n_eff, n_a: a.n_eff, right_b: rate_b * b.n_eff, n_b: b.n_eff };
        let n = a.n.min(b.n);
        let difference = PairedDifference {
            mean: Some(rate_b - rate_a),
            n_eff: Some(a.n_eff.min(b.n_eff)),
            interval: rates.interval(alpha),
            // As many discordant pairs as independence makes one expect.
            wins: rate_b * (1.0 - rate_a) * n as f64,
            losses: rate_a * (1.0 - rate_b) * n as f64,
            n,
            groups: n,
            method: Method::NewcombeIndependent,
            ..Self::nothing().difference
        };
        Self { difference, calls: n, basis: Basis::Independent(rates) }
    }

    /// Two-sided p-value of no difference.
    pub(super) fn p(&self, seed: u64) -> f64 {
        let known = &self.difference;
        match &self.basis {
            Basis::Examples(..) if known.method == Method::Tango => {
                mcnemar(known.wins.round() as u64, known.losses.round() as u64).mid_p
            }
            Basis::Examples(values, clusters) => cluster_signflip(&sums(values, clusters), seed),
            Basis::Sequence(values, clusters, largest) => {
                let outcomes = match (Outcomes::of(&sizes(values), clusters), largest) {
                    (Outcomes::Binary, 0 | 1) => Outcomes::Binary,
                    _ => Outcomes::Bounded { largest: *largest },
                };
                anytime_p(outcomes, values, clusters, SEQUENCE_ALPHA)
            }
            Basis::Nothing => 1.0,
            Basis::Independent(rates) => rates.p(),
        }
    }

    /// Differences by example and their clusters, where they are known.
    pub(super) fn examples(&self) -> Option<(&[f64], &[u32])> {
        match &self.basis {
            Basis::Examples(values, clusters) => Some((values, clusters)),
            Basis::Sequence(..) | Basis::Nothing | Basis::Independent(_) => None,
        }
    }

    /// The rates of two samples of different examples.
    pub(super) fn independent(&self) -> Option<&IndependentRates> {
        match &self.basis {
            Basis::Independent(rates) => Some(rates),
            Basis::Examples(..) | Basis::Sequence(..) | Basis::Nothing => None,
        }
    }

    /// Tango's statistic at `delta`, on the effective number of pairs; 0 without any.
    fn t(&self, delta: f64) -> f64 {
        let known = &self.difference;
        let (Some(n_eff), true) = (known.n_eff, known.n > 0) else {
            return 0.0;
        };
        let scale = n_eff / known.n as f64;
        tango_t(delta, known.wins * scale, known.losses * scale, n_eff)
    }

    /// One-sided p-value of "not better by more than `delta`".
    pub(super) fn p_better_by(&self, delta: f64) -> f64 {
        if let Basis::Independent(rates) = &self.basis {
            return rates.p_better_by(delta);
        }
        if let Basis::Sequence(values, clusters, largest) = &self.basis {
            return sequence_p_above(values, clusters, *largest, delta);
        }
        if self.difference.n_eff.is_none() || self.difference.n == 0 {
            return 1.0;
        }
        let t = self.t(delta);
        if t.is_nan() { 1.0 } else { 1.0 - normal_cdf(t) }
    }

    /// Pairs needed to show that B gains less than `delta`, if it gains nothing more than so far.
    pub(super) fn n_to_exclude(&self, delta: f64, alpha: f64) -> Option<u64> {
        let known = &self.difference;
        let needed = self.n_effective_to_exclude(delta, alpha)?.max(self.n_effective_if_it_goes_on(delta, alpha)?);
        Some(scale_up(needed, known.n, known.n_eff?).max(known.n + 1))
    }

    /// Independent pairs at which the interval excludes `delta` if wins and losses go on as so far: where few
    /// pairs differ, more than the power of a test asks for.
    fn n_effective_if_it_goes_on(&self, delta: f64, alpha: f64) -> Option<u64> {
        let known = &self.difference;
        let (n, n_eff) = (known.n as f64, known.n_eff.filter(|&n| n > 0.0)?);
        let high = |pairs: f64| match &self.basis {
            Basis::Independent(rates) => {
                let scale = pairs / n_eff;
                let scaled = IndependentRates {
                    right_a: rates.right_a * scale,
                    n_a: rates.n_a * scale,
                    right_b: rates.right_b * scale,
                    n_b: rates.n_b * scale,
                };
                scaled.interval(2.0 * alpha).high
            }
            _ => tango(known.wins / n * pairs, known.losses / n * pairs, pairs, 2.0 * alpha).high,
        };
        let (mut short, mut enough) = (0.0, n_eff.max(1.0));
        while high(enough) >= delta {
            short = enough;
            enough *= 2.0;
            if enough > MOST_PAIRS {
                return None;
            }
        }
        while enough - short > 1.0 {
            let middle = f64::midpoint(short, enough);
            if high(middle) < delta { enough = middle } else { short = middle }
        }
        Some(enough.ceil() as u64)
    }

    /// The same in independent pairs (METHODS.md 9.3), at the discordance seen so far.
    pub(super) fn n_effective_to_exclude(&self, delta: f64, alpha: f64) -> Option<u64> {
        let known = &self.difference;
        let mean = known.mean?;
        known.n_eff.filter(|&n| n > 0.0)?;
        let psi = ((known.wins + known.losses + 0.5) / (known.n as f64 + 1.0)).clamp(mean.abs(), 1.0);
        n_non_inferiority(psi, -mean, delta, alpha, POWER).ok()?
    }
}

/// More pairs than anybody collects.
const MOST_PAIRS: f64 = 1e9;

/// The stakes of the sequence whose p-value is shown.
const SEQUENCE_ALPHA: f64 = 0.05;
/// Levels that are tried for a p-value, by halving; below the last it is not followed.
const LEVELS: u32 = 20;

fn sizes(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.abs()).collect()
}

/// The smallest level of a few at which the sequence excludes a gain of `delta` or less; 1 where none does.
fn sequence_p_above(values: &[f64], clusters: &[u32], largest: u64, delta: f64) -> f64 {
    let mut shown = 1.0;
    for halvings in 1..=LEVELS {
        let p = 0.5_f64.powi(halvings as i32);
        let interval = anytime_mean_difference(Outcomes::Bounded { largest }, values, clusters, p);
        if interval.low <= delta {
            break;
        }
        shown = p;
    }
    shown
}

fn sums(values: &[f64], clusters: &[u32]) -> Vec<f64> {
    cluster_sums(values, clusters).into_iter().map(|(sum, _)| sum).collect()
}
