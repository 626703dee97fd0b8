//! Cost a request: a paired amount, gated as a share of the baseline's.
//!
//! "Dearer by less than m" is `mean(after − (1 + m)·before) < 0`: linear, so that the t interval of
//! METHODS.md 6 decides, and the noise of the baseline's own mean is in it. The interval of the relative
//! change is where that bound crosses 0, which is Fieller's.

use super::{ANY, Evidence, GateLevels, Packed, Pairs};
use crate::stats::cluster::{cluster_sums, mean_with_t};
use crate::stats::paired::cluster_signflip_worse;
use crate::stats::special::normal_quantile;
use crate::stats::{Interval, POWER};

/// Beyond this many times the baseline's cost a bound is none.
const MOST_RELATIVE: f64 = 1e6;

/// Pico-dollars in one dollar.
const PICO: f64 = 1e12;

/// Costs of the examples that have one on both sides.
struct Costs {
    before: Vec<f64>,
    after: Vec<f64>,
    clusters: Vec<u32>,
}

impl Costs {
    fn of(pairs: &Pairs<'_>) -> Self {
        let mut found = Self { before: vec![], after: vec![], clusters: vec![] };
        let mean = |side: &Packed, place: u32| {
            let (sum, count) = side
                .costs(place as usize)
                .fold((0.0, 0_u32), |(sum, count), pico| (sum + pico as f64 / PICO, count + 1));
            (count > 0).then(|| sum / f64::from(count))
        };
        for both in &pairs.both {
            let costs = (mean(&pairs.before, both.before), mean(&pairs.after, both.after));
            let (Some(before), Some(after)) = costs else { continue };
            found.before.push(before);
            found.after.push(after);
            found.clusters.push(both.cluster);
        }
        found
    }

    /// What stays of the baseline's cost, made dearer by `margin`; positive is cheaper.
    fn left(&self, margin: f64) -> Vec<f64> {
        self.before.iter().zip(&self.after).map(|(before, after)| (1.0 + margin) * before - after).collect()
    }

    /// The t interval of that.
    fn interval(&self, margin: f64, alpha: f64) -> Option<Interval> {
        mean_with_t(&self.left(margin), &self.clusters, alpha).interval
    }

    /// The relative change at which an end of the interval crosses 0.
    fn crossing(&self, alpha: f64, end: impl Fn(Interval) -> f64) -> Option<f64> {
        let positive = |margin: f64| self.interval(margin, alpha).is_some_and(|interval| end(interval) > 0.0);
        if !positive(MOST_RELATIVE) {
            return None;
        }
        let (mut low, mut high) = (-1.0, MOST_RELATIVE);
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if positive(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(high)
    }
}

/// Is it no dearer than by `margin`, a share of the baseline's cost?
pub(super) fn cost(pairs: &Pairs<'_>, margin: f64, levels: &GateLevels) -> Evidence {
    let costs = Costs::of(pairs);
    let n = costs.before.len() as u64;
    if n == 0 {
        return Evidence::none(ANY);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n as f64;
    let (before, after) = (mean(&costs.before), mean(&costs.after));
    let known = mean_with_t(&costs.left(margin), &costs.clusters, 2.0 * levels.alpha);
    let within_margin = known.interval.is_some_and(|interval| interval.low > 0.0);
    let saved = costs.left(0.0);
    let largest = saved.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let p_regression = if largest > 0.0 {
        // The test's tolerance is made for sums near 1.
        let scaled: Vec<f64> = saved.iter().map(|value| value / largest).collect();
        let sums = cluster_sums(&scaled, &costs.clusters);
        cluster_signflip_worse(&sums.into_iter().map(|(sum, _)| sum).collect::<Vec<_>>(), levels.seed)
    } else {
        1.0
    };
    let settle = |(mean, se): (f64, f64)| {
        let z = normal_quantile(1.0 - levels.alpha) + normal_quantile(POWER);
        let needed = (n as f64 * (z * se / mean).powi(2)).ceil();
        (mean > 0.0 && needed < 1e15).then(|| (needed as u64).max(n + 1))
    };
    Evidence {
        n,
        clusters: known.groups,
        before: Some(before),
        after: Some(after),
        change: (before > 0.0).then(|| after / before - 1.0),
        interval: Interval {
            low: costs.crossing(2.0 * levels.alpha, |interval| interval.high).unwrap_or(f64::NEG_INFINITY),
            high: costs.crossing(2.0 * levels.alpha, |interval| interval.low).unwrap_or(f64::INFINITY),
        },
        better: saved.iter().filter(|saved| **saved > 0.0).count() as u64,
        worse: saved.iter().filter(|saved| **saved < 0.0).count() as u64,
        p_regression,
        within_margin,
        n_to_settle: if within_margin { None } else { known.mean.zip(known.se).and_then(settle) },
    }
}
