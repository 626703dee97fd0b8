//! B against A on the same examples (METHODS.md 2.1 to 2.4).
//!
//! `wins` (b) are examples that A has wrong and B right, `losses` (c) the reverse; the difference is
//! (b − c)/n. Counts are `f64` where they may be effective counts.

use super::cluster::{NEGLIGIBLE, all_singletons, check_lengths, check_range, effective_n, mean_and_error};
use super::proportion::wilson;
use super::special::{binomial_cdf, binomial_pmf, normal_cdf, normal_quantile};
use super::{Estimate, Interval, Method, is_open_unit, power};

mod signflip;
pub use signflip::{FEWEST_CLUSTERS, cluster_signflip, cluster_signflip_worse, signflip_floor};

/// The p-values of McNemar's test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    /// Exact conditional two-sided p-value.
    pub exact: f64,
    /// Mid-p two-sided p-value: the one to display.
    pub mid_p: f64,
    /// (b − c)/√(b + c); 0 without discordant pairs.
    pub z: f64,
    /// Two-sided normal approximation, for comparison with other tools only.
    pub asymptotic: f64,
}

/// McNemar's test of no difference (METHODS.md 2.1; McNemar 1947; Fagerland, Lydersen & Laake 2013).
///
/// No discordant pairs: p = 1. Not for clusters or repeats ([`cluster_signflip`]), and a large p is
/// never evidence of equality ([`super::equivalence`]).
pub fn mcnemar(wins: u64, losses: u64) -> McNemar {
    let discordant = wins.saturating_add(losses);
    if discordant == 0 {
        return McNemar { exact: 1.0, mid_p: 1.0, z: 0.0, asymptotic: 1.0 };
    }
    let fewer = wins.min(losses);
    let tail = binomial_cdf(fewer, discordant, 0.5);
    let here = binomial_pmf(fewer, discordant, 0.5);
    let mid_p = if wins == losses { 1.0 - 0.5 * here } else { 2.0 * tail - here };
    let z = (wins as f64 - losses as f64) / (discordant as f64).sqrt();
    McNemar { exact: (2.0 * tail).min(1.0), mid_p: mid_p.clamp(0.0, 1.0), z, asymptotic: 2.0 * normal_cdf(-z.abs()) }
}

/// Exact one-sided p-value that B is worse: P(Binomial(b + c, ½) ≤ b), 1 without discordant pairs
/// (METHODS.md 10).
pub fn mcnemar_worse(wins: u64, losses: u64) -> f64 {
    binomial_cdf(wins, wins.saturating_add(losses), 0.5)
}

/// Whether the counts describe a paired table.
pub(crate) fn is_table(b: f64, c: f64, n: f64) -> bool {
    let finite = b.is_finite() && c.is_finite() && n.is_finite();
    finite && b >= 0.0 && c >= 0.0 && n > 0.0 && b + c <= n * (1.0 + 1e-9)
}

/// Tango's score statistic T(δ) (METHODS.md 2.2), decreasing in δ; 0 for counts that are no table.
///
/// Infinite where the restricted variance vanishes and the difference is not `delta`.
pub fn tango_t(delta: f64, b: f64, c: f64, n: f64) -> f64 {
    if !is_table(b, c, n) || !(-1.0..=1.0).contains(&delta) {
        return 0.0;
    }
    let minus_b = b + c - (2.0 * n - b + c) * delta;
    let minus_c = c * delta * (1.0 - delta);
    let root = (minus_b * minus_b + 8.0 * n * minus_c).max(0.0).sqrt();
    let q = if minus_b >= 0.0 { (root + minus_b) / (4.0 * n) } else { 2.0 * minus_c / (root - minus_b) };
    let variance = n * (2.0 * q + delta * (1.0 - delta));
    let gap = b - c - n * delta;
    if variance > 0.0 {
        gap / variance.sqrt()
    } else if gap == 0.0 {
        0.0
    } else {
        gap.signum() * f64::INFINITY
    }
}

/// Tango's score interval of the paired difference, two-sided at 1 − alpha (METHODS.md 2.2; Tango
/// 1998).
///
/// n = 0 and counts that are no table give [−1, 1]. Without discordant pairs ± z²/(n + z²). Not for
/// clusters or repeats (use [`clustered_paired`]).
pub fn tango(b: f64, c: f64, n: f64, alpha: f64) -> Interval {
    if !is_table(b, c, n) || !is_open_unit(alpha) {
        return Interval::DIFFERENCE;
    }
    let z = -normal_quantile(alpha / 2.0);
    if b + c == 0.0 {
        let half = z * z / (n + z * z);
        return Interval { low: -half, high: half };
    }
    let difference = ((b - c) / n).clamp(-1.0, 1.0);
    let solve = |mut low: f64, mut high: f64, level: f64| {
        for _ in 0..MAX_BISECTIONS {
            let middle = f64::midpoint(low, high);
            if tango_t(middle, b, c, n) > level {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    };
    Interval {
        low: if difference <= -1.0 { -1.0 } else { solve(-1.0, difference, z) },
        high: if difference >= 1.0 { 1.0 } else { solve(difference, 1.0, -z) },
    }
}

/// Halvings of a bracket of width 2: far below 1e-12.
const MAX_BISECTIONS: u32 = 60;

/// Newcombe's method 10 for the paired difference, a cross-check only (METHODS.md 2.2; Newcombe
/// 1998). Arguments: examples both right, B's wins, B's losses, both wrong.
pub fn newcombe_10(both: f64, wins: f64, losses: f64, neither: f64, alpha: f64) -> Interval {
    let n = both + wins + losses + neither;
    let counts = [both, wins, losses, neither];
    if !counts.iter().all(|c| c.is_finite() && *c >= 0.0) || n <= 0.0 || !is_open_unit(alpha) {
        return Interval::DIFFERENCE;
    }
    let (right_a, right_b) = (both + losses, both + wins);
    let (a, b) = (wilson(right_a, n, alpha), wilson(right_b, n, alpha));
    let (share_a, share_b) = (right_a / n, right_b / n);
    let margins = (right_a * (n - right_a) * right_b * (n - right_b)).sqrt();
    let cross = both * neither - wins * losses;
    let phi = if margins == 0.0 {
        0.0
    } else if cross > 0.0 {
        (cross - n / 2.0).max(0.0) / margins
    } else {
        cross / margins
    };
    let spread = |x: f64, y: f64| (x * x - 2.0 * phi * x * y + y * y).max(0.0).sqrt();
    let difference = share_b - share_a;
    Interval {
        low: (difference - spread(share_b - b.low, a.high - share_a)).max(-1.0),
        high: (difference + spread(b.high - share_b, share_a - a.low)).min(1.0),
    }
}

/// A paired difference with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedDifference {
    /// Mean difference B − A; `None` without usable pairs.
    pub mean: Option<f64>,
    /// Clustered standard error; `None` below two clusters.
    pub se: Option<f64>,
    /// Effective number of pairs; `None` below two clusters.
    pub n_eff: Option<f64>,
    /// Tango's interval; [−1, 1] when no interval can be made.
    pub interval: Interval,
    /// Sum of the positive differences (a count when scores are 0 or 1).
    pub wins: f64,
    /// Sum of the negative differences, as a positive number.
    pub losses: f64,
    /// Pairs.
    pub n: u64,
    /// Clusters.
    pub groups: u64,
    /// How the interval was made.
    pub method: Method,
}

impl PairedDifference {
    /// As an estimate at level 1 − alpha.
    pub fn estimate(&self, alpha: f64) -> Estimate {
        Estimate {
            point: self.mean,
            low: self.interval.low,
            high: self.interval.high,
            level: if is_open_unit(alpha) { 1.0 - alpha } else { 0.0 },
            n: self.n,
            method: self.method,
        }
    }
}

/// Paired difference with clusters or repeats: Tango on the effective n (METHODS.md 2.4).
///
/// `d` holds one difference of example scores B − A in [−1, 1] a pair, `calls` the paired calls.
/// Unusable input counts as no data; one cluster gives [−1, 1]. [`paired_difference`] chooses
/// between this and the plain form.
pub fn clustered_paired(d: &[f64], clusters: &[u32], calls: u64, alpha: f64) -> PairedDifference {
    let nothing = PairedDifference {
        mean: None,
        se: None,
        n_eff: None,
        interval: Interval::DIFFERENCE,
        wins: 0.0,
        losses: 0.0,
        n: 0,
        groups: 0,
        method: Method::None,
    };
    let usable = check_lengths(d, clusters).is_ok() && check_range("difference", d, -1.0).is_ok();
    if d.is_empty() || !usable {
        return nothing;
    }
    let n = d.len() as f64;
    let (mean, groups, se) = mean_and_error(d, clusters);
    let wins: f64 = d.iter().map(|v| v.max(0.0)).sum();
    let losses: f64 = d.iter().map(|v| (-v).max(0.0)).sum();
    let known =
        PairedDifference { mean: Some(mean), se, wins, losses, n: d.len() as u64, groups: groups as u64, ..nothing };
    let (Some(se), true) = (se, is_open_unit(alpha)) else {
        return known;
    };
    let variance = (wins + losses) / n - mean * mean;
    let n_eff = effective_n(variance, se, groups, (calls as f64).max(n), alpha);
    let scale = n_eff / n;
    PairedDifference {
        n_eff: Some(n_eff),
        interval: tango(wins * scale, losses * scale, n_eff, alpha),
        method: Method::TangoEffectiveN,
        ..known
    }
}

/// Paired difference by 2.2 when each pair is one right-or-wrong call in its own cluster, else by 2.4.
pub fn paired_difference(d: &[f64], clusters: &[u32], calls: u64, alpha: f64) -> PairedDifference {
    let known = clustered_paired(d, clusters, calls, alpha);
    let binary = d.iter().all(|v| v.abs() < NEGLIGIBLE || (v.abs() - 1.0).abs() < NEGLIGIBLE);
    let plain = known.n > 0 && calls <= known.n && binary && all_singletons(clusters);
    if !plain || !is_open_unit(alpha) {
        return known;
    }
    let n = known.n as f64;
    PairedDifference {
        n_eff: Some(n),
        interval: tango(known.wins.round(), known.losses.round(), n, alpha),
        method: Method::Tango,
        ..known
    }
}

/// The verdict on a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairedVerdict {
    /// B is better than A.
    Better,
    /// B is worse than A.
    Worse,
    /// Neither is shown, or interval and p-value disagree.
    NotEnoughEvidence,
}

/// Better, worse, or not enough evidence (METHODS.md 2.3): interval and p-value must agree.
///
/// `p` is the mid-p of [`mcnemar`], or [`cluster_signflip`] with clusters or repeats.
pub fn paired_verdict(interval: Interval, p: f64, alpha: f64) -> PairedVerdict {
    if interval.low > 0.0 && p < alpha {
        PairedVerdict::Better
    } else if interval.high < 0.0 && p < alpha {
        PairedVerdict::Worse
    } else {
        PairedVerdict::NotEnoughEvidence
    }
}

/// Whether B is better than A by more than `delta` (METHODS.md 2.3).
pub fn better_by_at_least(interval: Interval, delta: f64) -> bool {
    interval.low > delta
}

/// Pairs that would settle the difference seen so far (METHODS.md 2.3 with 9.2); `None` when it is 0
/// or the counts are no table.
pub fn paired_n_to_settle(b: f64, c: f64, n: f64, alpha: f64, power: f64) -> Option<u64> {
    if !is_table(b, c, n) || b == c {
        return None;
    }
    let delta = (b - c) / n;
    let psi = ((b + c + 0.5) / (n + 1.0)).clamp(delta.abs(), 1.0);
    let needed = power::n_paired_connor(psi, delta, alpha, power).ok()??;
    Some(needed.max(n.floor() as u64 + 1))
}

#[cfg(test)]
mod tests;
