//! Rates of independent trials: intervals, bounds, targets (METHODS.md 1.1, 1.2, 4).
//!
//! Counts are `f64` because effective counts are fractional. Bounds near 1 are found on the failure
//! side: 1 − 3e-6 keeps its digits only there.

use super::special::{beta_quantile, beta_upper_quantile, inc_beta, normal_quantile};
use super::{Interval, TargetAnswer, ceil_count, is_open_unit};

/// Largest answer of [`n_to_settle_target`]; beyond it the rate is too close to the target to call.
const MOST_TO_SETTLE: u64 = 10_000_000;
/// A bound that exact arithmetic puts on a threshold stays there, whatever rounding says.
pub(crate) const TIE: f64 = 1.0 + 1e-12;
/// Counts within which the numerics hold; anything else is unusable input.
const USABLE_N: std::ops::RangeInclusive<f64> = 1e-9..=1e12;
/// Largest n that [`n_to_prove_target`] looks at.
const MOST_TO_PROVE: u64 = 10_000_000_000;

/// `x` clamped to [0, n], or `None` when the counts or `alpha` cannot be used.
fn usable(x: f64, n: f64, alpha: f64) -> Option<f64> {
    let fine = x.is_finite() && USABLE_N.contains(&n) && is_open_unit(alpha);
    fine.then(|| x.clamp(0.0, n))
}

/// Wilson score interval, two-sided at 1 − alpha, for display (METHODS.md 1.1; Wilson 1927; Brown,
/// Cai & DasGupta 2001).
///
/// n = 0 or unusable input gives [0, 1]. Not for decisions (use [`clopper_pearson_one_sided`]), nor
/// for clustered or repeated examples (use [`super::cluster::clustered_accuracy`]).
pub fn wilson(x: f64, n: f64, alpha: f64) -> Interval {
    let Some(x) = usable(x, n, alpha) else {
        return Interval::UNIT;
    };
    let z = -normal_quantile(alpha / 2.0);
    let z2n = z * z / n;
    let p = x / n;
    let spread = (p * ((n - x) / n) / n + z2n / (4.0 * n)).sqrt();
    let centre = (p + z2n / 2.0) / (1.0 + z2n);
    let half = z / (1.0 + z2n) * spread;
    let high = centre + half;
    // The ends are the roots of a quadratic: their product gives the lower one without a difference.
    let low = p * (p / ((1.0 + z2n) * high));
    Interval {
        low: if x == 0.0 { 0.0 } else { low.clamp(0.0, p) },
        high: if x == n { 1.0 } else { high.clamp(p, 1.0) },
    }
}

/// Clopper–Pearson bounds, each one-sided at 1 − alpha, of the rate x/n (METHODS.md 1.2; Clopper &
/// Pearson 1934).
///
/// Error at most alpha at every n, so decisions rest on it. n = 0 or unusable input gives [0, 1].
/// Not for display (it is a pair of one-sided bounds, not a two-sided interval at 1 − alpha).
pub fn clopper_pearson_one_sided(x: f64, n: f64, alpha: f64) -> Interval {
    let Some(x) = usable(x, n, alpha) else {
        return Interval::UNIT;
    };
    if x <= n / 2.0 || x == n {
        Interval { low: lower(x, n, alpha), high: upper(x, n, alpha) }
    } else {
        Interval { low: 1.0 - upper(n - x, n, alpha), high: 1.0 - lower(n - x, n, alpha) }
    }
}

/// Upper one-sided bound on a failure rate (METHODS.md 1.2); 1 for n = 0 or unusable input.
///
/// Keeps its digits at rates such as 3e-6. At no failure it is 1 − alpha^(1/n); "3/n" is a label.
pub fn failure_rate_upper(failures: f64, n: f64, alpha: f64) -> f64 {
    usable(failures, n, alpha).map_or(1.0, |x| upper(x, n, alpha))
}

/// Lower one-sided bound on a failure rate; 0 for n = 0 or unusable input.
pub fn failure_rate_lower(failures: f64, n: f64, alpha: f64) -> f64 {
    usable(failures, n, alpha).map_or(0.0, |x| lower(x, n, alpha))
}

fn upper(x: f64, n: f64, alpha: f64) -> f64 {
    if x >= n {
        1.0
    } else if x == 0.0 {
        -(alpha.ln() / n).exp_m1()
    } else {
        beta_upper_quantile(alpha, x + 1.0, n - x)
    }
}

fn lower(x: f64, n: f64, alpha: f64) -> f64 {
    if x == 0.0 {
        0.0
    } else if x >= n {
        (alpha.ln() / n).exp()
    } else {
        beta_quantile(alpha, x, n - x + 1.0)
    }
}

/// Jeffreys interval with modified ends, two-sided at 1 − alpha, on request only (METHODS.md 1.1).
///
/// n = 0 or unusable input gives [0, 1]. Not for decisions: its error may exceed alpha.
pub fn jeffreys(x: f64, n: f64, alpha: f64) -> Interval {
    let Some(x) = usable(x, n, alpha) else {
        return Interval::UNIT;
    };
    // On the rarer side: neither tiny rates nor rates near 1 lose digits there.
    let rarer = x.min(n - x);
    let (a, b) = (rarer + 0.5, n - rarer + 0.5);
    let low = if rarer == 0.0 { 0.0 } else { beta_quantile(alpha / 2.0, a, b) };
    let high = if rarer == n { 1.0 } else { beta_upper_quantile(alpha / 2.0, a, b) };
    if x <= n / 2.0 { Interval { low, high } } else { Interval { low: 1.0 - high, high: 1.0 - low } }
}

/// Whether a success rate of x/n meets `target` (METHODS.md 4): met iff the lower Clopper–Pearson
/// bound reaches it, not met iff the upper bound stays below it.
///
/// n = 0 and unusable input are not enough evidence. Not for rates over repeats or clusters: pass
/// the effective counts of [`super::cluster::clustered_one_sided`].
pub fn target_answer(x: f64, n: f64, target: f64, alpha: f64) -> TargetAnswer {
    let Some(x) = usable(x, n, alpha) else {
        return TargetAnswer::NotEnoughEvidence;
    };
    let allowed = 1.0 - target;
    answer_by_failures(lower(n - x, n, alpha), upper(n - x, n, alpha), allowed)
}

/// Whether failure rates bounded so stay within what is allowed; met on the very bound.
pub(crate) fn answer_by_failures(low: f64, high: f64, allowed: f64) -> TargetAnswer {
    let allowed = allowed * TIE;
    if high <= allowed {
        TargetAnswer::Met
    } else if low > allowed {
        TargetAnswer::NotMet
    } else {
        TargetAnswer::NotEnoughEvidence
    }
}

/// Whether an interval of one-sided bounds meets `target` (METHODS.md 4, clustered form).
pub fn target_answer_of(bounds: Interval, target: f64) -> TargetAnswer {
    answer_by_failures(1.0 - bounds.high, 1.0 - bounds.low, 1.0 - target)
}

/// Examples needed until the rate seen so far decides about `target` (METHODS.md 4, n_to_settle).
///
/// `None`: the rate is the target, the answer exceeds ten million, or the input is unusable.
/// A plan, not a promise: it believes x/n.
pub fn n_to_settle_target(x: f64, n: f64, target: f64, alpha: f64, power: f64) -> Option<u64> {
    let counts = x.is_finite() && n.is_finite() && n >= 0.0;
    if !counts || !is_open_unit(target) || !is_open_unit(alpha) || !is_open_unit(power) {
        return None;
    }
    if n == 0.0 || x >= n {
        return fewest_without_failure(target, alpha);
    }
    let rate = x.max(0.0) / n;
    if (rate - target).abs() < 1e-12 {
        return None;
    }
    let at_target = -normal_quantile(alpha) * (target * (1.0 - target)).sqrt();
    let at_rate = normal_quantile(power) * (rate * (1.0 - rate)).sqrt();
    let needed = ceil_count(((at_target + at_rate) / (rate - target)).powi(2))?;
    let needed = needed.max(n.floor() as u64 + 1);
    (needed <= MOST_TO_SETTLE).then_some(needed)
}

/// Smallest n with `rate`^n ≤ alpha, ⌈ln alpha / ln rate⌉; rounding makes no whole answer one more.
pub(crate) fn fewest_without_failure(rate: f64, alpha: f64) -> Option<u64> {
    ceil_count(alpha.ln() / rate.ln() * (1.0 - 1e-14))
}

/// Smallest n at which this many failures still proves the success rate `target` (METHODS.md 4):
/// the smallest n with P(Binomial(n, 1 − target) ≤ failures) ≤ alpha.
///
/// `None` when target or alpha is unusable or n would exceed 10¹⁰.
pub fn n_to_prove_target(failures: u64, target: f64, alpha: f64) -> Option<u64> {
    if !is_open_unit(target) || !is_open_unit(alpha) || failures >= MOST_TO_PROVE {
        return None;
    }
    let proves = |n: u64| {
        let survivors = (n - failures) as f64;
        inc_beta(target, survivors, failures as f64 + 1.0) <= alpha * TIE
    };
    let (mut short, mut enough) = (failures, failures + 1);
    while !proves(enough) {
        short = enough;
        enough = enough.saturating_mul(2);
        if enough > MOST_TO_PROVE {
            return None;
        }
    }
    while enough - short > 1 {
        let middle = u64::midpoint(short, enough);
        if proves(middle) {
            enough = middle;
        } else {
            short = middle;
        }
    }
    Some(enough)
}

#[cfg(test)]
mod tests;
