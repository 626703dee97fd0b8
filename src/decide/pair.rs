//! The difference of two variants: paired on the same examples, or as near to it as the figures allow.

use super::evidence::{POWER, scale_up};
use super::subject::Counts;
use crate::stats::Method;
use crate::stats::cluster::cluster_sums;
use crate::stats::paired::{PairedDifference, cluster_signflip, mcnemar, paired_difference, tango, tango_t};
use crate::stats::power::n_non_inferiority;
use crate::stats::special::normal_cdf;
use crate::stats::unpaired::{IndependentRates, widest_pairing};

/// A difference of two variants, on the same examples where that is known.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// The difference, B − A.
    pub(super) difference: PairedDifference,
    basis: Basis,
}

/// What a difference rests on.
#[derive(Debug, Clone)]
enum Basis {
    /// Differences by example and their clusters.
    Examples(Vec<f64>, Vec<u32>),
    /// Counts of the same examples, paired as unfavourably as they allow.
    WidestPairing,
    /// Counts of other examples.
    Independent(IndependentRates),
}

impl Pair {
    pub(super) fn nothing() -> Self {
        Self { difference: paired_difference(&[], &[], 0, 0.05), basis: Basis::WidestPairing }
    }

    pub(super) fn of_examples(values: Vec<f64>, clusters: Vec<u32>, calls: u64, alpha: f64) -> Self {
        let difference = paired_difference(&values, &clusters, calls, alpha);
        Self { difference, basis: Basis::Examples(values, clusters) }
    }

    /// From counts: on the same examples the pairing is taken at its least favourable.
    pub(super) fn of_counts(a: Counts, b: Counts, alpha: f64) -> Self {
        let (rate_a, rate_b) = (a.right / a.n as f64, b.right / b.n as f64);
        let n_eff = a.n_eff.min(b.n_eff);
        let nothing = Self::nothing().difference;
        if a.of_shared_examples && b.of_shared_examples && a.n == b.n {
            let n = a.n as f64;
            let (wins, losses) = widest_pairing(a.right, b.right, n);
            let scale = n_eff / n;
            let difference = PairedDifference {
                mean: Some(rate_b - rate_a),
                n_eff: Some(n_eff),
                interval: tango(wins * scale, losses * scale, n_eff, alpha),
                wins,
                losses,
                n: a.n,
                groups: a.n,
                method: Method::TangoWidestPairing,
                ..nothing
            };
            return Self { difference, basis: Basis::WidestPairing };
        }
        let rates =
            IndependentRates { right_a: rate_a * a.n_eff, n_a: a.n_eff, right_b: rate_b * b.n_eff, n_b: b.n_eff };
        let n = a.n.min(b.n);
        let difference = PairedDifference {
            mean: Some(rate_b - rate_a),
            n_eff: Some(n_eff),
            interval: rates.interval(alpha),
            wins: (rate_b - rate_a).max(0.0) * n as f64,
            losses: (rate_a - rate_b).max(0.0) * n as f64,
            n,
            groups: n,
            method: Method::NewcombeIndependent,
            ..nothing
        };
        Self { difference, basis: Basis::Independent(rates) }
    }

    /// Two-sided p-value of no difference.
    pub(super) fn p(&self, seed: u64) -> f64 {
        let known = &self.difference;
        match &self.basis {
            Basis::Examples(..) if known.method == Method::Tango => {
                mcnemar(known.wins.round() as u64, known.losses.round() as u64).mid_p
            }
            Basis::Examples(values, clusters) => cluster_signflip(&sums(values, clusters), seed),
            Basis::WidestPairing => (2.0 * normal_cdf(-self.t(0.0).abs())).min(1.0),
            Basis::Independent(rates) => rates.p(),
        }
    }

    /// Differences by example and their clusters, where they are known.
    pub(super) fn examples(&self) -> Option<(&[f64], &[u32])> {
        match &self.basis {
            Basis::Examples(values, clusters) => Some((values, clusters)),
            Basis::WidestPairing | Basis::Independent(_) => None,
        }
    }

    /// The rates of two samples of different examples.
    pub(super) fn independent(&self) -> Option<&IndependentRates> {
        match &self.basis {
            Basis::Independent(rates) => Some(rates),
            Basis::Examples(..) | Basis::WidestPairing => None,
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
        if self.difference.n_eff.is_none() || self.difference.n == 0 {
            return 1.0;
        }
        let t = self.t(delta);
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

fn sums(values: &[f64], clusters: &[u32]) -> Vec<f64> {
    cluster_sums(values, clusters).into_iter().map(|(sum, _)| sum).collect()
}
