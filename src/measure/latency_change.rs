//! How fast two sides answered the same examples: quantiles of each, and the difference of quantiles
//! by a cluster bootstrap, for display only (METHODS.md 5).

use std::collections::HashMap;

use serde::Serialize;

use super::side::{Clock, Side};
use crate::stats::bootstrap::{bootstrap_statistic, group_indices};
use crate::stats::quantile::quantile_estimate;
use crate::stats::{Estimate, Interval, Method, RESAMPLES};

/// Examples beyond which no bootstrap is made: it would take minutes, and so many need none to be
/// seen to differ.
pub const MOST_RESAMPLED: usize = 10_000;

/// The quantiles that are shown.
const SHOWN: [f64; 2] = [0.5, 0.95];

/// Quantiles of one side's times, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// The median.
    pub p50: Option<Estimate>,
    /// The 95th percentile.
    pub p95: Option<Estimate>,
    /// Calls without a time: above every other.
    pub censored: u64,
}

/// One clock of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LatencyChange {
    /// A's.
    pub a: Quantiles,
    /// B's.
    pub b: Quantiles,
    /// B's median minus A's; `None` where times cannot be compared.
    pub p50_change: Option<Estimate>,
    /// The same of the 95th percentile.
    pub p95_change: Option<Estimate>,
}

/// The draw of the bootstrap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// Two-sided level.
    pub alpha: f64,
    /// The recorded seed.
    pub seed: u64,
}

/// The times of the examples at `places`, their clusters beside them. The change is computed only
/// where `comparable`, on the examples that have a time on both sides.
pub fn latency_change(
    sides: [&Side; 2],
    clock: Clock,
    (places, clusters): (&[u32], &[u32]),
    comparable: bool,
    draw: Draw,
) -> LatencyChange {
    let order: HashMap<u32, u32> = (0..).zip(places).map(|(index, place)| (*place, index)).collect();
    let [a, b] = sides.map(|side| {
        let known = |(place, ms): &(u32, f32)| Some((*order.get(place)?, *ms));
        let mut times: Vec<(u32, f32)> = side.times(clock).iter().filter_map(known).collect();
        times.sort_by(|left, right| left.1.total_cmp(&right.1));
        times
    });
    let [p50_change, p95_change] = match comparable {
        true => SHOWN.map(|q| change(&a, &b, clusters, q, draw)),
        false => [None, None],
    };
    LatencyChange { a: quantiles(&a, draw.alpha), b: quantiles(&b, draw.alpha), p50_change, p95_change }
}

/// Times are in ascending order.
fn quantiles(times: &[(u32, f32)], alpha: f64) -> Quantiles {
    let sorted: Vec<f64> = times.iter().map(|(_, ms)| f64::from(*ms)).collect();
    let quantile = |q| (!sorted.is_empty()).then(|| quantile_estimate(&sorted, q, alpha));
    let censored = sorted.iter().filter(|ms| ms.is_infinite()).count() as u64;
    Quantiles { p50: quantile(SHOWN[0]), p95: quantile(SHOWN[1]), censored }
}

/// The difference of a quantile over the examples that have a time on both sides.
fn change(a: &[(u32, f32)], b: &[(u32, f32)], clusters: &[u32], q: f64, draw: Draw) -> Option<Estimate> {
    let timed = |times: &[(u32, f32)]| {
        let mut timed = vec![false; clusters.len()];
        times.iter().for_each(|(index, _)| timed[*index as usize] = true);
        timed
    };
    let both: Vec<bool> = timed(a).into_iter().zip(timed(b)).map(|(a, b)| a && b).collect();
    let kept: Vec<u32> = (0..clusters.len() as u32).filter(|index| both[*index as usize]).collect();
    if kept.is_empty() || kept.len() > MOST_RESAMPLED {
        return None;
    }
    let within = |times: &[(u32, f32)]| -> Vec<(u32, f32)> {
        times.iter().copied().filter(|(index, _)| both[*index as usize]).collect()
    };
    let (a, b) = (within(a), within(b));
    let difference = || {
        let mut counts = vec![0_u32; clusters.len()];
        let (a, b, kept) = (&a, &b, &kept);
        move |drawn: &[usize]| {
            counts.fill(0);
            drawn.iter().for_each(|index| counts[kept[*index] as usize] += 1);
            let (a, b) = (quantile(a, &counts, q)?, quantile(b, &counts, q)?);
            Some(b - a).filter(|change| change.is_finite())
        }
    };
    let point = difference()(&(0..kept.len()).collect::<Vec<_>>())?;
    let groups = group_indices(&kept.iter().map(|index| clusters[*index as usize]).collect::<Vec<_>>());
    let Interval { low, high } = bootstrap_statistic(&groups, draw.seed, RESAMPLES, draw.alpha, difference)?;
    Some(Estimate {
        point: Some(point),
        low,
        high,
        level: 1.0 - draw.alpha,
        n: kept.len() as u64,
        method: Method::Bootstrap,
    })
}

/// The `q` quantile of ascending times, each counted as often as its example was drawn.
fn quantile(times: &[(u32, f32)], counts: &[u32], q: f64) -> Option<f64> {
    let total: u64 = times.iter().map(|(index, _)| u64::from(counts[*index as usize])).sum();
    let rank = (q * total as f64 - 1e-9).ceil().max(1.0) as u64;
    let mut seen = 0;
    times.iter().find_map(|(index, ms)| {
        seen += u64::from(counts[*index as usize]);
        (seen >= rank && total > 0).then_some(f64::from(*ms))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw() -> Draw {
        Draw { alpha: 0.05, seed: 1 }
    }

    #[test]
    fn a_quantile_counts_what_was_drawn() {
        let times = [(0, 10.0), (1, 20.0), (2, 30.0)];
        assert_eq!(quantile(&times, &[1, 1, 1], 0.5), Some(20.0));
        assert_eq!(quantile(&times, &[3, 0, 1], 0.5), Some(10.0));
        assert_eq!(quantile(&times, &[0, 0, 2], 0.95), Some(30.0));
        assert_eq!(quantile(&times, &[0, 0, 0], 0.5), None);
    }

    #[test]
    fn a_shift_is_found_and_a_censored_quantile_has_no_difference() {
        let a: Vec<(u32, f32)> = (0..40).map(|n| (n, n as f32)).collect();
        let b: Vec<(u32, f32)> = (0..40).map(|n| (n, n as f32 + 100.0)).collect();
        let clusters: Vec<u32> = (0..40).collect();
        let got = change(&a, &b, &clusters, 0.5, draw()).unwrap();
        assert_eq!((got.point, got.n, got.method), (Some(100.0), 40, Method::Bootstrap));
        assert!(got.low <= 100.0 && got.high >= 100.0 && got.low > 80.0, "{got:?}");
        let cut: Vec<(u32, f32)> = b.iter().map(|(n, _)| (*n, f32::INFINITY)).collect();
        assert_eq!(change(&a, &cut, &clusters, 0.5, draw()), None);
        let one_cluster = vec![7; 40];
        assert_eq!(change(&a, &b, &one_cluster, 0.5, draw()), None);
        assert_eq!(change(&[], &[], &[], 0.5, draw()), None);
    }
}
