//! How many examples (METHODS.md 9).

use super::paired::mcnemar;
use super::proportion::TIE;
use super::special::{binomial_cdf, binomial_pmf, normal_cdf, normal_quantile};
use super::{StatsError, ceil_count, check_non_negative, check_open_unit, is_open_unit};

/// Largest n of the exact power: beyond it the normal form is as good and far quicker.
const MOST_EXACT: u64 = 200_000;

/// Checks a discordant share and a difference that it can carry.
fn check_shares(psi: f64, delta: f64) -> Result<(), StatsError> {
    if !(psi > 0.0 && psi <= 1.0) {
        return Err(StatsError::Domain { what: "psi", got: psi, expected: "a number above 0 and at most 1" });
    }
    if delta.is_nan() || delta.abs() > psi {
        return Err(StatsError::Domain { what: "delta", got: delta, expected: "a number whose size is at most `psi`" });
    }
    Ok(())
}

/// Pairs needed to detect a paired difference `delta` with discordant share `psi` (METHODS.md 9.2;
/// Connor 1987, Miettinen 1968). `None` when the number exceeds 10¹⁵.
///
/// Take `psi` from a pilot's upper Wilson limit. Not for showing equality ([`n_non_inferiority`]).
///
/// # Errors
/// `delta` 0 or larger than `psi`; `psi`, `alpha` or `power` out of range.
pub fn n_paired_connor(psi: f64, delta: f64, alpha: f64, power: f64) -> Result<Option<u64>, StatsError> {
    check_shares(psi, delta)?;
    check_open_unit("alpha", alpha)?;
    check_open_unit("power", power)?;
    if delta == 0.0 {
        return Err(StatsError::Domain { what: "delta", got: delta, expected: "a difference other than 0" });
    }
    let null = -normal_quantile(alpha / 2.0) * psi.sqrt();
    let alternative = normal_quantile(power) * (psi - delta * delta).max(0.0).sqrt();
    Ok(ceil_count(((null + alternative) / delta).powi(2)))
}

/// Discordant share of two independent variants, pA(1 − pB) + pB(1 − pA) (METHODS.md 9.2): the guess
/// without a pilot, conservative for variants that err alike.
pub fn discordance_if_independent(rate_a: f64, rate_b: f64) -> f64 {
    let (a, b) = (rate_a.clamp(0.0, 1.0), rate_b.clamp(0.0, 1.0));
    let share = a * (1.0 - b) + b * (1.0 - a);
    if share.is_nan() { 1.0 } else { share }
}

/// Normal-approximation power of the paired test at `n` pairs (METHODS.md 9.2); 0 for unusable input.
pub fn power_paired(n: f64, psi: f64, delta: f64, alpha: f64) -> f64 {
    let usable = n.is_finite() && n > 0.0 && is_open_unit(alpha);
    if !usable || check_shares(psi, delta).is_err() {
        return 0.0;
    }
    let gap = delta.abs() * n.sqrt() + normal_quantile(alpha / 2.0) * psi.sqrt();
    let spread = (psi - delta * delta).max(0.0).sqrt();
    if spread > 0.0 { normal_cdf(gap / spread) } else { f64::from(u8::from(gap > 0.0)) }
}

/// Smallest difference that `n` pairs detect with this power (METHODS.md 9.2), by bisection on
/// [0, psi]; `None` when even `psi` itself is not detected.
pub fn minimum_detectable_difference(n: f64, psi: f64, alpha: f64, power: f64) -> Option<f64> {
    if !is_open_unit(power) || power_paired(n, psi, psi, alpha) < power {
        return None;
    }
    let (mut low, mut high) = (0.0, psi);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if power_paired(n, psi, middle, alpha) < power {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

/// Which McNemar p-value the exact power is computed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairedTest {
    /// Mid-p, the default.
    MidP,
    /// Exact conditional.
    Exact,
}

/// Exact power of McNemar's test (METHODS.md 9.2): Σ_D Bin(D; n, ψ)·P(p ≤ alpha | D).
///
/// # Errors
/// Shares or alpha out of range; n above 200,000 (use [`power_paired`]).
pub fn power_paired_exact(n: u64, psi: f64, delta: f64, alpha: f64, test: PairedTest) -> Result<f64, StatsError> {
    check_shares(psi, delta)?;
    check_open_unit("alpha", alpha)?;
    if n > MOST_EXACT {
        return Err(StatsError::Domain { what: "n", got: n as f64, expected: "at most 200000 for the exact power" });
    }
    let win = ((psi + delta) / (2.0 * psi)).clamp(0.0, 1.0);
    let centre = n as f64 * psi;
    let reach = 9.0 * (centre * (1.0 - psi)).sqrt() + 40.0;
    let first = (centre - reach).max(0.0) as u64;
    let last = ((centre + reach).ceil() as u64).min(n);
    let mut power = 0.0;
    for discordant in first..=last {
        let weight = binomial_pmf(discordant, n, psi);
        if let Some(critical) = critical_count(discordant, alpha, test) {
            if 2 * critical == discordant {
                power += weight;
                continue;
            }
            let few_wins = binomial_cdf(critical, discordant, win);
            let few_losses = binomial_cdf(critical, discordant, 1.0 - win);
            power += weight * (few_wins + few_losses);
        }
    }
    Ok(power.clamp(0.0, 1.0))
}

/// Largest smaller count that is still significant among `discordant` pairs.
fn critical_count(discordant: u64, alpha: f64, test: PairedTest) -> Option<u64> {
    let significant = |fewer: u64| {
        let p = mcnemar(fewer, discordant - fewer);
        alpha * TIE >= if test == PairedTest::MidP { p.mid_p } else { p.exact }
    };
    if discordant == 0 || !significant(0) {
        return None;
    }
    // Equal counts, the largest smaller count, can be significant only at an alpha near 1.
    let (mut inside, mut outside) = (0, discordant / 2 + 1);
    while outside - inside > 1 {
        let middle = u64::midpoint(inside, outside);
        if significant(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    Some(inside)
}

/// Pairs needed to show non-inferiority (METHODS.md 9.3); `None` when the true difference is at or
/// below −margin, or the number exceeds 10¹⁵.
///
/// # Errors
/// Shares, margin, alpha or power out of range.
pub fn n_non_inferiority(psi: f64, delta: f64, margin: f64, alpha: f64, power: f64) -> Result<Option<u64>, StatsError> {
    check_shares(psi, delta)?;
    check_open_unit("margin", margin)?;
    check_open_unit("alpha", alpha)?;
    check_open_unit("power", power)?;
    let distance = delta + margin;
    if distance <= 0.0 {
        return Ok(None);
    }
    let z = normal_quantile(power) - normal_quantile(alpha);
    let needed = z * z * (psi - delta * delta).max(0.0) / (distance * distance);
    Ok(ceil_count(needed).map(|n| n.max(1)))
}

/// Variances and repeats behind [`n_miller`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RepeatPlan {
    /// Variance over examples of the difference of the true means, ω².
    pub omega2: f64,
    /// Variance within an example of A and of B.
    pub sigma2: (f64, f64),
    /// Repeats an example of A and of B.
    pub repeats: (f64, f64),
}

/// Examples needed with repeats (METHODS.md 9.4; Miller 2024); `None` above 10¹⁵.
///
/// # Errors
/// `delta` 0 or not finite; a negative variance; fewer than one repeat; alpha or power out of range.
pub fn n_miller(plan: &RepeatPlan, delta: f64, alpha: f64, power: f64) -> Result<Option<u64>, StatsError> {
    check_open_unit("alpha", alpha)?;
    check_open_unit("power", power)?;
    check_non_negative("omega2", plan.omega2)?;
    check_non_negative("sigma2_a", plan.sigma2.0)?;
    check_non_negative("sigma2_b", plan.sigma2.1)?;
    for (what, got) in [("k_a", plan.repeats.0), ("k_b", plan.repeats.1)] {
        if !(got >= 1.0 && got.is_finite()) {
            let expected = "at least 1";
            return Err(StatsError::Domain { what, got, expected });
        }
    }
    if delta == 0.0 || !delta.is_finite() {
        return Err(StatsError::Domain { what: "delta", got: delta, expected: "a finite difference other than 0" });
    }
    let z = normal_quantile(power) - normal_quantile(alpha / 2.0);
    let noise = plan.sigma2.0 / plan.repeats.0 + plan.sigma2.1 / plan.repeats.1;
    Ok(ceil_count((z / delta).powi(2) * (plan.omega2 + noise)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::close;

    #[test]
    fn connor_and_exact_power() {
        for (psi, delta, n, power) in
            [(0.2, 0.05, 626, 0.8028585886), (0.1, 0.03, 870, 0.8040720945), (0.3, 0.1, 234, 0.8065879485)]
        {
            assert_eq!(n_paired_connor(psi, delta, 0.05, 0.8), Ok(Some(n)));
            assert_eq!(n_paired_connor(psi, -delta, 0.05, 0.8), Ok(Some(n)));
            let mid_p = power_paired_exact(n, psi, delta, 0.05, PairedTest::MidP).unwrap();
            close(mid_p, power);
            let exact = power_paired_exact(n, psi, delta, 0.05, PairedTest::Exact).unwrap();
            assert!(exact < mid_p);
            assert!((power_paired(n as f64, psi, delta, 0.05) - 0.8).abs() < 0.01);
            let found = minimum_detectable_difference(n as f64, psi, 0.05, 0.8).unwrap();
            assert!((found / delta - 1.0).abs() < 0.01);
        }
        // By enumeration: at such an alpha equal counts are "significant" too.
        close(power_paired_exact(6, 0.5, 0.2, 0.9, PairedTest::MidP).unwrap(), 0.984375);
        assert!(n_paired_connor(0.2, 0.0, 0.05, 0.8).is_err());
        assert!(n_paired_connor(0.1, 0.2, 0.05, 0.8).is_err());
        assert!(n_paired_connor(f64::NAN, 0.2, 0.05, 0.8).is_err());
        assert_eq!(power_paired_exact(0, 0.2, 0.1, 0.05, PairedTest::MidP), Ok(0.0));
        assert!(power_paired_exact(1 << 40, 0.2, 0.1, 0.05, PairedTest::MidP).is_err());
        assert_eq!(minimum_detectable_difference(2.0, 0.1, 0.05, 0.8), None);
        close(discordance_if_independent(0.9, 0.8), 0.26);
    }

    #[test]
    fn non_inferiority() {
        for (psi, delta, margin, n) in [
            (0.1, 0.0, 0.03, 687),
            (0.2, 0.0, 0.02, 3092),
            (0.1, 0.01, 0.02, 687),
            (0.1, 0.0, 0.02, 1546),
            (0.1, 0.0, 0.05, 248),
        ] {
            assert_eq!(n_non_inferiority(psi, delta, margin, 0.05, 0.8), Ok(Some(n)));
        }
        assert_eq!(n_non_inferiority(0.1, -0.03, 0.02, 0.05, 0.8), Ok(None));
    }

    #[test]
    fn miller() {
        let plan = RepeatPlan { omega2: 0.09, sigma2: (0.06, 0.08), repeats: (3.0, 3.0) };
        assert_eq!(n_miller(&plan, 0.03, 0.05, 0.8), Ok(Some(1192)));
        assert!(n_miller(&plan, 0.0, 0.05, 0.8).is_err());
    }
}
