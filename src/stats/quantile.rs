//! Quantiles without a distribution: order statistics and exceedances (METHODS.md 5; David &
//! Nagaraja, Order Statistics, ch. 7; Hahn & Meeker 1991).

use super::proportion::{TIE, answer_by_failures, failure_rate_lower, failure_rate_upper, fewest_without_failure};
use super::special::{binomial_cdf, inc_beta};
use super::{Estimate, Interval, Method, TargetAnswer, is_open_unit};

/// Ranks (1 is the smallest) whose order statistics bound a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuantileRanks {
    /// Rank of the point estimate; `None` without data.
    pub point: Option<u64>,
    /// Lower end, two-sided; `None` means 0.
    pub low: Option<u64>,
    /// Upper end, two-sided; `None` means +∞.
    pub high: Option<u64>,
    /// Lower bound, one-sided.
    pub low_one_sided: Option<u64>,
    /// Upper bound, one-sided; `None` when n is below [`min_n_for_quantile`].
    pub high_one_sided: Option<u64>,
}

/// Ranks that bound the `q` quantile of `n` values at 1 − alpha (METHODS.md 5). All `None` for n = 0
/// or unusable `q` or `alpha`.
pub fn quantile_ranks(n: u64, q: f64, alpha: f64) -> QuantileRanks {
    if n == 0 || !is_open_unit(q) || !is_open_unit(alpha) {
        return QuantileRanks { point: None, low: None, high: None, low_one_sided: None, high_one_sided: None };
    }
    let rank = (q * n as f64 - 1e-9).ceil().max(1.0) as u64;
    QuantileRanks {
        point: Some(rank.min(n)),
        low: low_rank(n, q, alpha / 2.0),
        high: high_rank(n, q, alpha / 2.0),
        low_one_sided: low_rank(n, q, alpha),
        high_one_sided: high_rank(n, q, alpha),
    }
}

/// Largest l in 1..=n with F(l − 1) ≤ tail.
fn low_rank(n: u64, q: f64, tail: f64) -> Option<u64> {
    let first_above = first_rank(n, |rank| binomial_cdf(rank - 1, n, q) > tail * TIE);
    first_above.unwrap_or(n + 1).checked_sub(1).filter(|l| *l > 0)
}

/// Smallest u in 1..=n with F(u − 1) ≥ 1 − tail, read as P(X ≥ u) ≤ tail: 1 − tail loses digits.
fn high_rank(n: u64, q: f64, tail: f64) -> Option<u64> {
    first_rank(n, |rank| inc_beta(q, rank as f64, (n - rank + 1) as f64) <= tail * TIE)
}

/// First rank in 1..=n at which a monotone condition holds.
fn first_rank(n: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    if !holds(n) {
        return None;
    }
    let (mut below, mut at) = (0, n);
    while at - below > 1 {
        let middle = u64::midpoint(below, at);
        if holds(middle) {
            at = middle;
        } else {
            below = middle;
        }
    }
    Some(at)
}

/// The `q` quantile with its two-sided order-statistic interval (METHODS.md 5), for display.
///
/// `sorted` ascends; a call without a first token is +∞ (NaN counts as that). The upper end is +∞ when
/// n is too small; the point is `None` when it falls on a censored call. Not for decisions
/// ([`exceedance_answer`]), nor for bursts of correlated calls.
pub fn quantile_estimate(sorted: &[f64], q: f64, alpha: f64) -> Estimate {
    if sorted.iter().any(|v| v.is_nan()) || !sorted.is_sorted() {
        let mut values: Vec<f64> = sorted.iter().map(|v| if v.is_nan() { f64::INFINITY } else { *v }).collect();
        values.sort_by(f64::total_cmp);
        return censored_quantile_estimate(&values, 0, q, alpha);
    }
    censored_quantile_estimate(sorted, 0, q, alpha)
}

/// [`quantile_estimate`] of values that ascend, and of so many more calls without a first token.
pub fn censored_quantile_estimate(sorted: &[f64], censored: u64, q: f64, alpha: f64) -> Estimate {
    let level = if is_open_unit(alpha) { 1.0 - alpha } else { 0.0 };
    let unbounded = Interval { low: 0.0, high: f64::INFINITY };
    let n = sorted.len() as u64 + censored;
    let ranks = quantile_ranks(n, q, alpha);
    if ranks.point.is_none() {
        return Estimate::nothing(unbounded, level);
    }
    let at = |rank: Option<u64>| rank.map(|r| sorted.get(r as usize - 1).copied().unwrap_or(f64::INFINITY));
    // A censored lower end is replaced by the largest value that was seen: still a bound.
    let largest_seen = sorted.iter().rev().copied().find(|v| v.is_finite());
    let low = at(ranks.low).map_or(0.0, |v| v.min(largest_seen.unwrap_or(0.0)));
    Estimate {
        point: at(ranks.point).filter(|v| v.is_finite()),
        low,
        high: at(ranks.high).unwrap_or(f64::INFINITY),
        level,
        n,
        method: Method::OrderStatistic,
    }
}

/// Whether the `q` quantile is within a limit that `exceed` of `n` calls exceed or never answer
/// (METHODS.md 5): met iff the upper bound on the exceedance rate is at most 1 − q.
///
/// Counts may be effective counts (time blocks as clusters). n = 0 and unusable input are not enough
/// evidence.
pub fn exceedance_answer(exceed: f64, n: f64, q: f64, alpha: f64) -> TargetAnswer {
    if !is_open_unit(q) {
        return TargetAnswer::NotEnoughEvidence;
    }
    answer_by_failures(failure_rate_lower(exceed, n, alpha), failure_rate_upper(exceed, n, alpha), 1.0 - q)
}

/// Smallest n with any one-sided upper bound on the `q` quantile, ⌈ln alpha / ln q⌉ (METHODS.md 5 and
/// 9.6); `None` for unusable input.
pub fn min_n_for_quantile(q: f64, alpha: f64) -> Option<u64> {
    if is_open_unit(q) && is_open_unit(alpha) { fewest_without_failure(q, alpha) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::close;
    use proptest::prelude::*;

    #[test]
    fn rank_vectors() {
        for (n, q, point, low, high, low1, high1) in [
            (20, 0.95, 19, 17, None, 17, None),
            (59, 0.95, 57, 52, None, 53, Some(59)),
            (100, 0.95, 95, 90, Some(100), 91, Some(99)),
            (1000, 0.95, 950, 936, Some(964), 938, Some(962)),
            (500, 0.99, 495, 490, Some(500), 491, Some(499)),
            (1000, 0.5, 500, 469, Some(532), 474, Some(527)),
        ] {
            let expected = QuantileRanks {
                point: Some(point),
                low: Some(low),
                high,
                low_one_sided: Some(low1),
                high_one_sided: high1,
            };
            assert_eq!(quantile_ranks(n, q, 0.05), expected);
        }
        // F(0) = 1 − 0.9 is at most 0.1.
        assert_eq!(quantile_ranks(1, 0.9, 0.1).low_one_sided, Some(1));
        // By summing the upper tail with mpmath: 1 − 1e-17 is 1 in a double.
        assert_eq!(quantile_ranks(2000, 0.95, 1e-17).high_one_sided, Some(1972));
        assert_eq!(quantile_ranks(0, 0.95, 0.05).point, None);
        assert!(quantile_ranks(1_000_000_000, 0.99, 0.05).high.is_some());
        let minima = [0.95, 0.99, 0.999].map(|q| min_n_for_quantile(q, 0.05));
        assert_eq!(minima, [Some(59), Some(299), Some(2995)]);
        assert_eq!(min_n_for_quantile(1.0, 0.05), None);
    }

    #[test]
    fn exceedance_vectors() {
        use TargetAnswer::{Met, NotEnoughEvidence, NotMet};
        for (x, n, upper, answer) in [
            (0., 59., 0.04950760989, Met),
            (0., 58., 0.05033933833, NotEnoughEvidence),
            (10., 400., 0.04203654501, Met),
            (20., 400., 0.07182859005, NotEnoughEvidence),
            (40., 400., 0.1281812321, NotMet),
        ] {
            close(failure_rate_upper(x, n, 0.05), upper);
            assert_eq!(exceedance_answer(x, n, 0.95, 0.05), answer);
        }
        assert_eq!(exceedance_answer(0., 0., 0.95, 0.05), NotEnoughEvidence);
        assert_eq!(exceedance_answer(f64::NAN, 9., 0.95, 0.05), NotEnoughEvidence);
    }

    #[test]
    fn estimates() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        let got = quantile_estimate(&values, 0.95, 0.05);
        assert_eq!((got.point, got.low, got.high), (Some(95.0), 90.0, 100.0));
        let few = quantile_estimate(&values[..20], 0.95, 0.05);
        assert_eq!((few.point, few.high), (Some(19.0), f64::INFINITY));
        let none = quantile_estimate(&[], 0.95, 0.05);
        assert_eq!((none.point, none.low, none.high), (None, 0.0, f64::INFINITY));
        let censored = quantile_estimate(&[f64::NAN, 2.0, f64::INFINITY], 0.5, 0.3);
        assert_eq!((censored.point, censored.n), (None, 3));
        assert!(censored.low.is_finite());
    }

    proptest! {
        #[test]
        fn met_is_the_order_statistic_bound(n in 1_u64..600, share in 0.0_f64..0.2, q in 0.5_f64..0.99) {
            let exceed = (share * n as f64) as u64;
            let met = exceedance_answer(exceed as f64, n as f64, q, 0.05) == TargetAnswer::Met;
            let bound = quantile_ranks(n, q, 0.05).high_one_sided;
            prop_assert_eq!(met, bound.is_some_and(|rank| rank <= n - exceed));
        }
    }
}
