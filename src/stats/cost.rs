//! Money: cost per correct answer, caching, break-even (METHODS.md 6 and 7).

use super::cluster::{check_lengths, sums_of};
use super::special::t_upper;
use super::{Answer3, Interval, StatsError, check_non_negative, is_open_unit};

/// Cost per correct answer with Fieller's interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostPerCorrect {
    /// Mean cost over mean score; `None` when nothing was right or there are no data.
    pub ratio: Option<f64>,
    /// Fieller's interval; `None` when unbounded.
    pub interval: Option<Interval>,
    /// Whether the interval is bounded; otherwise accuracy is not distinguishable from 0.
    pub bounded: bool,
}

/// Cost per correct answer (METHODS.md 6; Fieller 1954), with clustered covariance.
///
/// One cluster gives no interval. Never bootstrap this ratio near accuracy 0.
///
/// # Errors
/// Slices of different lengths; a value that is not finite.
pub fn cost_per_correct_fieller(
    cost: &[f64],
    correct: &[f64],
    clusters: &[u32],
    alpha: f64,
) -> Result<CostPerCorrect, StatsError> {
    check_lengths(cost, clusters)?;
    check_lengths(correct, clusters)?;
    for value in cost.iter().chain(correct) {
        check_non_negative("cost or score", *value)?;
    }
    let n = cost.len() as f64;
    let (c, s) = (cost.iter().sum::<f64>() / n, correct.iter().sum::<f64>() / n);
    let unbounded =
        CostPerCorrect { ratio: (s > 0.0).then(|| c / s).filter(|r| r.is_finite()), interval: None, bounded: false };
    let products = Products::of((cost, c), (correct, s), clusters);
    let groups = products.groups as f64;
    if groups < 2.0 || !is_open_unit(alpha) {
        return Ok(unbounded);
    }
    let factor = groups / (groups - 1.0) / (n * n);
    let t2 = t_upper(alpha / 2.0, groups - 1.0).powi(2);
    let qa = s * s - t2 * (factor * products.right);
    let qb = c * s - t2 * (factor * products.both);
    let qc = c * c - t2 * (factor * products.left);
    if qa <= 0.0 {
        return Ok(unbounded);
    }
    let root = (qb * qb - qa * qc).max(0.0).sqrt();
    Ok(CostPerCorrect {
        interval: Some(Interval { low: (qb - root) / qa, high: (qb + root) / qa }),
        bounded: true,
        ..unbounded
    })
}

/// Sums of products of the deviations from a mean, summed within each cluster.
struct Products {
    groups: usize,
    left: f64,
    both: f64,
    right: f64,
}

impl Products {
    /// Of two lists of values, each with its mean.
    fn of((left, left_mean): (&[f64], f64), (right, right_mean): (&[f64], f64), clusters: &[u32]) -> Self {
        let deviations = || (left.iter().map(|v| v - left_mean), right.iter().map(|v| v - right_mean));
        // Where each value is its own cluster no table is needed.
        if clusters.is_sorted_by(|a, b| a < b) {
            let pairs = || deviations().0.zip(deviations().1);
            return Self::of_pairs(clusters.len(), pairs);
        }
        let (left, right) = deviations();
        let (left, right) = (sums_of(left, clusters), sums_of(right, clusters));
        Self::of_pairs(left.len(), || left.iter().zip(&right).map(|(l, r)| (l.0, r.0)))
    }

    fn of_pairs<I: Iterator<Item = (f64, f64)>>(groups: usize, pairs: impl Fn() -> I) -> Self {
        Self {
            groups,
            left: pairs().map(|(l, _)| l * l).sum(),
            both: pairs().map(|(l, r)| l * r).sum(),
            right: pairs().map(|(_, r)| r * r).sum(),
        }
    }
}

/// Cost with prompt caching over cost without (METHODS.md 6): `(1 − i) + i·((1 − p) + p·(h·r +
/// (1 − h)·w))`. Above 1 is possible: a low hit rate with a write premium costs more than no cache.
///
/// # Errors
/// A share or hit rate outside [0, 1]; a multiplier that is negative or not finite.
pub fn cache_factor(
    input_share: f64,
    prefix_share: f64,
    hit_rate: f64,
    read_mult: f64,
    write_mult: f64,
) -> Result<f64, StatsError> {
    for (what, share) in [("input_share", input_share), ("prefix_share", prefix_share), ("hit_rate", hit_rate)] {
        if !(0.0..=1.0).contains(&share) {
            return Err(StatsError::Domain { what, got: share, expected: "a number from 0 to 1" });
        }
    }
    check_non_negative("read_mult", read_mult)?;
    check_non_negative("write_mult", write_mult)?;
    let prefix = hit_rate * read_mult + (1.0 - hit_rate) * write_mult;
    Ok((1.0 - input_share) + input_share * ((1.0 - prefix_share) + prefix_share * prefix))
}

/// What decides how much of a request's cost the prompt cache takes away (METHODS.md 6).
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct CacheShares {
    /// Share of the uncached cost that is input.
    pub input_share: f64,
    /// Share of the input tokens that is a cacheable prefix.
    pub prefix_share: f64,
    /// Share of the requests that hit.
    pub hit_rate: f64,
    /// Price of a token read from the cache over that of an input token.
    pub read_multiplier: f64,
    /// Price of a token written to the cache over that of an input token.
    pub write_multiplier: f64,
}

impl CacheShares {
    /// Cost with the cache over cost without ([`cache_factor`]); 1 for shares that make no sense.
    pub fn factor(&self) -> f64 {
        let Self { input_share, prefix_share, hit_rate, read_multiplier, write_multiplier } = *self;
        cache_factor(input_share, prefix_share, hit_rate, read_multiplier, write_multiplier).unwrap_or(1.0)
    }
}

/// What a training investment costs and saves. All in one currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakEvenInput {
    /// Saving a request, point estimate.
    pub saving: f64,
    /// Interval of the saving.
    pub saving_range: Interval,
    /// Requests a month.
    pub volume: f64,
    /// Monthly overhead, low and high.
    pub overhead: Interval,
    /// One-off cost, low and high.
    pub fixed: Interval,
    /// Months within which it must pay back.
    pub horizon_months: f64,
}

/// When the investment pays back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakEven {
    /// Months by the midpoints; `None` is never.
    pub months: Option<f64>,
    /// Months in the best case; `None` is never.
    pub months_low: Option<f64>,
    /// Months in the worst case; `None` is never.
    pub months_high: Option<f64>,
    /// Whether it pays back within the horizon.
    pub answer: Answer3,
    /// Volume that breaks even at the horizon in the best case; `None` when none does.
    pub volume_low: Option<f64>,
    /// The same in the worst case.
    pub volume_high: Option<f64>,
    /// Volume at or below which it never recoups at the midpoints, overhead/saving; 0 without
    /// overhead (it recoups eventually); `None` when the saving is not above 0.
    pub volume_floor: Option<f64>,
}

/// When the training cost pays back (METHODS.md 7). Months are monotone in saving, cost and overhead,
/// so transforming the ends is exact; never bootstrap the ratio.
///
/// # Errors
/// A number that is not finite; a negative volume, overhead, fixed cost or horizon; a reversed range.
pub fn break_even(input: &BreakEvenInput) -> Result<BreakEven, StatsError> {
    check_break_even(input)?;
    let BreakEvenInput { saving, saving_range, volume, overhead, fixed, horizon_months } = *input;
    let months = |saving: f64, fixed: f64, overhead: f64| {
        let monthly = volume * saving - overhead;
        (monthly > 0.0).then(|| fixed / monthly).filter(|months| months.is_finite())
    };
    let middle = |range: Interval| f64::midpoint(range.low, range.high);
    let months_low = months(saving_range.high, fixed.low, overhead.low);
    let months_high = months(saving_range.low, fixed.high, overhead.high);
    let answer = if months_high.is_some_and(|m| m <= horizon_months) {
        Answer3::Yes
    } else if months_low.is_none_or(|m| m > horizon_months) {
        Answer3::No
    } else {
        Answer3::NotEnoughEvidence
    };
    let volume_at = |saving: f64, fixed: f64, overhead: f64| {
        let needed = (fixed / horizon_months + overhead) / saving;
        (saving > 0.0 && needed.is_finite()).then_some(needed)
    };
    Ok(BreakEven {
        months: months(saving, middle(fixed), middle(overhead)),
        months_low,
        months_high,
        answer,
        volume_low: volume_at(saving_range.high, fixed.low, overhead.low),
        volume_high: volume_at(saving_range.low, fixed.high, overhead.high),
        volume_floor: (saving > 0.0).then(|| middle(overhead) / saving),
    })
}

/// Points a range is cut into by [`payback_share`].
const CUTS: u32 = 24;

/// The share of the ranges in which the investment pays back within the horizon: saving, volume,
/// overhead and fixed cost each taken as equally likely all over its range, independently.
///
/// A reading aid, no probability: the ranges are not distributions. Exact in the fixed cost, by a grid
/// of midpoints in the others. Unusable input gives `None`.
pub fn payback_share(input: &BreakEvenInput, volume: Interval) -> Option<f64> {
    check_break_even(input).ok()?;
    let usable = volume.low >= 0.0 && volume.low <= volume.high && volume.high.is_finite();
    if !usable {
        return None;
    }
    let cut = |range: Interval| {
        let cuts = if range.width() > 0.0 { CUTS } else { 1 };
        (0..cuts).map(move |place| range.low + range.width() * (f64::from(place) + 0.5) / f64::from(cuts))
    };
    let fixed = input.fixed;
    let (mut sum, mut points) = (0.0, 0_u32);
    for saving in cut(input.saving_range) {
        for volume in cut(volume) {
            for overhead in cut(input.overhead) {
                let affords = (volume * saving - overhead) * input.horizon_months;
                sum += if affords <= 0.0 {
                    0.0
                } else if fixed.width() > 0.0 {
                    ((affords - fixed.low) / fixed.width()).clamp(0.0, 1.0)
                } else {
                    f64::from(u8::from(affords >= fixed.low))
                };
                points += 1;
            }
        }
    }
    Some(sum / f64::from(points))
}

fn check_break_even(input: &BreakEvenInput) -> Result<(), StatsError> {
    for (what, value) in [
        ("volume", input.volume),
        ("overhead", input.overhead.low),
        ("overhead", input.overhead.high),
        ("fixed", input.fixed.low),
        ("fixed", input.fixed.high),
        ("horizon_months", input.horizon_months),
    ] {
        check_non_negative(what, value)?;
    }
    let domain = |what, got, expected| Err(StatsError::Domain { what, got, expected });
    let savings = [input.saving, input.saving_range.low, input.saving_range.high];
    if let Some(value) = savings.into_iter().find(|v| !v.is_finite()) {
        return domain("saving", value, "a finite number");
    }
    for (what, range) in [("overhead", input.overhead), ("fixed", input.fixed), ("saving", input.saving_range)] {
        if range.low > range.high {
            return domain(what, range.low, "a low end not above the high end");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::{close, close_interval, close_option};

    #[test]
    fn fieller_vectors() {
        let cost = [0.01, 0.012, 0.011, 0.013, 0.009, 0.02];
        let right = [1., 1., 0., 1., 1., 1.];
        let a = cost_per_correct_fieller(&cost, &right, &[0, 0, 1, 1, 2, 3], 0.05).unwrap();
        close_option(a.ratio, Some(0.015));
        close_interval(a.interval.unwrap(), 0.007397276735, 0.03684775246);
        let b = cost_per_correct_fieller(&[0.01; 4], &[1.; 4], &[0, 1, 2, 3], 0.05).unwrap();
        close_interval(b.interval.unwrap(), 0.01, 0.01);
        let c = cost_per_correct_fieller(&[0.01, 0.02], &[1., 0.], &[0, 1], 0.05).unwrap();
        close_option(c.ratio, Some(0.03));
        assert_eq!((c.interval, c.bounded), (None, false));
        let none = cost_per_correct_fieller(&[], &[], &[], 0.05).unwrap();
        assert_eq!(none.ratio, None);
        let wrong = cost_per_correct_fieller(&[0.1, 0.1], &[0., 0.], &[0, 1], 0.05).unwrap();
        assert_eq!((wrong.ratio, wrong.bounded), (None, false));
        assert!(cost_per_correct_fieller(&[0.1], &[], &[0], 0.05).is_err());
        assert!(cost_per_correct_fieller(&[f64::NAN], &[1.], &[0], 0.05).is_err());
    }

    #[test]
    fn cache_vectors() {
        for (i, p, h, r, w, expected) in [
            (1.0, 1.0, 1.0, 0.1, 1.25, 0.1),
            (0.9, 0.9, 0.95, 0.1, 1.25, 0.317575),
            (0.6, 0.8, 0.9, 0.1, 1.25, 0.6232),
            (0.9, 0.9, 0.95, 0.5, 1.0, 0.61525),
            (0.9, 0.9, 0.1, 0.1, 1.25, 1.10935),
        ] {
            close(cache_factor(i, p, h, r, w).unwrap(), expected);
        }
        assert!(cache_factor(1.1, 0.5, 0.5, 0.1, 1.0).is_err());
        assert!(cache_factor(1.0, 0.5, f64::NAN, 0.1, 1.0).is_err());
    }

    #[test]
    fn the_share_of_the_ranges_in_which_it_pays_back() {
        let range = |low, high| Interval { low, high };
        let input = BreakEvenInput {
            saving: 0.01,
            saving_range: range(0.01, 0.01),
            volume: 1e5,
            overhead: range(0.0, 0.0),
            fixed: range(6e3, 18e3),
            horizon_months: 12.0,
        };
        // $1,000 a month for 12 months pays fixed costs up to $12,000: half of $6,000 to $18,000.
        assert_eq!(payback_share(&input, range(1e5, 1e5)), Some(0.5));
        assert_eq!(payback_share(&input, range(1e6, 2e6)), Some(1.0));
        let never = BreakEvenInput { saving_range: range(-0.02, -0.01), ..input };
        assert_eq!(payback_share(&never, range(1e5, 1e5)), Some(0.0));
        // Savings from 0 to $0.01: only those above half of it pay back $6,000.
        let unsure = BreakEvenInput { saving_range: range(0.0, 0.01), fixed: range(6e3, 6e3), ..input };
        assert_eq!(payback_share(&unsure, range(1e5, 1e5)), Some(0.5));
        assert_eq!(payback_share(&unsure, range(f64::NAN, 1e5)), None);
    }

    #[test]
    fn break_even_vectors() {
        use Answer3::{No, NotEnoughEvidence, Yes};
        #[rustfmt::skip]
        let table = [
            (0.010696, 0.010696, 0.010696, 1e6, 0., 5e3, 15e3, Some(0.9349289454), Some(0.4674644727), Some(1.402393418), Yes),
            (0.010696, 0.01, 0.0114, 1e6, 2e3, 5e3, 15e3, Some(1.149954002), Some(0.5319148936), Some(1.875), Yes),
            (0.010696, 0.01, 0.0114, 5e4, 0., 5e3, 15e3, Some(18.69857891), Some(8.771929825), Some(30.), NotEnoughEvidence),
            (0.001, -0.0002, 0.0022, 1e6, 0., 5e3, 15e3, Some(10.), Some(2.272727273), None, NotEnoughEvidence),
            (0.010696, 0.01, 0.0114, 1e5, 1500., 5e3, 15e3, None, None, None, No),
            (-0.001, -0.002, -0.0005, 1e6, 0., 5e3, 5e3, None, None, None, No),
        ];
        for (saving, low, high, volume, overhead, f_low, f_high, months, best, worst, answer) in table {
            let input = BreakEvenInput {
                saving,
                saving_range: Interval { low, high },
                volume,
                overhead: Interval { low: overhead, high: overhead },
                fixed: Interval { low: f_low, high: f_high },
                horizon_months: 12.0,
            };
            let got = break_even(&input).unwrap();
            close_option(got.months, months);
            close_option(got.months_low, best);
            close_option(got.months_high, worst);
            assert_eq!(got.answer, answer);
            assert!(break_even(&BreakEvenInput { volume: f64::NAN, ..input }).is_err());
            if saving == low {
                assert_eq!(got.volume_low.unwrap().round(), 38_955.0);
                assert_eq!(got.volume_high.unwrap().round(), 116_866.0);
            }
        }
    }
}
