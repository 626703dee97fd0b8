//! Quantiles and tail probabilities with known accuracy (METHODS.md 0.1).
//!
//! The normal law comes from `statrs`; the incomplete beta function and its inverse are ours, since
//! the library's lose all but a few digits at a million trials. Student's t follows from the beta.

use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::gamma::ln_gamma;

/// ln(2π).
const LN_TWO_PI: f64 = 1.837_877_066_409_345_5;
/// Degrees of freedom above which Student's t is expanded around the normal.
const T_EXPANSION: f64 = 1e4;
/// Shares and shapes so small that the fraction of the other side is the exacter one.
const TINY_SHARE: f64 = 1e-3;
const MOST_TINY: f64 = 1e4;
/// Up to here one minus a probability keeps its digits.
const NEARLY_ALL: f64 = 0.9999;
const MAX_STEPS: u32 = 200;
const MAX_TERMS: u32 = 2_000_000;

/// Standard normal quantile Φ⁻¹(p); −∞ at or below 0, +∞ at or above 1 and for NaN.
///
/// For an upper quantile with small `alpha` call `-normal_quantile(alpha)`: 1 − alpha loses digits.
pub fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        f64::NEG_INFINITY
    } else if p < 1.0 {
        Normal::standard().inverse_cdf(p)
    } else {
        f64::INFINITY
    }
}

/// Standard normal distribution function Φ(z); 1 for NaN (the weakest p-value).
pub fn normal_cdf(z: f64) -> f64 {
    if z.is_nan() || z == f64::INFINITY {
        1.0
    } else if z == f64::NEG_INFINITY {
        0.0
    } else {
        Normal::standard().cdf(z).clamp(0.0, 1.0)
    }
}

/// Student t quantile with `nu` degrees of freedom (METHODS.md 0.1).
///
/// From the beta quantile up to 10⁴ degrees, from the Cornish–Fisher expansion above. Infinite
/// outside 0 < p < 1 and for `nu` not above 0, so that an interval made of it is the widest.
pub fn t_quantile(p: f64, nu: f64) -> f64 {
    if p > 0.5 {
        return -lower_t_quantile(1.0 - p, nu);
    }
    if p <= 0.5 {
        return lower_t_quantile(p, nu);
    }
    f64::INFINITY
}

/// Upper-tail form: the t with `tail` probability above it, without forming 1 − tail.
pub(crate) fn t_upper(tail: f64, nu: f64) -> f64 {
    -t_quantile(tail, nu)
}

fn lower_t_quantile(p: f64, nu: f64) -> f64 {
    if p <= 0.0 || nu.is_nan() || nu <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if nu > T_EXPANSION {
        let z = normal_quantile(p);
        let z3 = z.powi(3);
        let second = (5.0 * z.powi(5) + 16.0 * z3 + 3.0 * z) / (96.0 * nu * nu);
        return z + (z3 + z) / (4.0 * nu) + second;
    }
    if p < 0.05 {
        let x = beta_quantile(2.0 * p, nu / 2.0, 0.5);
        -(nu * (1.0 - x) / x).sqrt()
    } else {
        let y = beta_quantile(1.0 - 2.0 * p, 0.5, nu / 2.0);
        -(nu * y / (1.0 - y)).sqrt()
    }
}

/// Regularised incomplete beta function I_x(a, b): the distribution function of Beta(a, b).
///
/// Continued fraction by modified Lentz (DLMF 8.17.22) behind Loader's saddle-point prefactor, which
/// keeps full precision at shapes of 10⁹. A shape of 0 or below puts all mass on its end.
pub fn inc_beta(x: f64, a: f64, b: f64) -> f64 {
    ln_inc_beta(x, 1.0 - x, a, b).exp().clamp(0.0, 1.0)
}

/// Quantile of Beta(a, b): safeguarded Newton on ln I_x − ln p (METHODS.md 0.1).
///
/// 0 for p at or below 0, 1 for p at or above 1 and for NaN. `x = 0` and `x = n` have closed forms
/// in [`super::proportion`]: do not come here for them.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if p <= 0.0 || a <= 0.0 {
        return 0.0;
    }
    if p.is_nan() || p >= 1.0 || a.is_nan() || b.is_nan() || b <= 0.0 {
        return 1.0;
    }
    solve_beta(p.ln(), a, b, Tail::Lower)
}

/// The x with `tail` of Beta(a, b) above it: without forming 1 − tail, which loses digits.
pub(crate) fn beta_upper_quantile(tail: f64, a: f64, b: f64) -> f64 {
    let usable = tail > 0.0 && tail < 0.5 && a > 0.0 && b > 0.0;
    if usable { solve_beta(tail.ln(), a, b, Tail::Upper) } else { beta_quantile(1.0 - tail, a, b) }
}

#[derive(Clone, Copy, PartialEq)]
enum Tail {
    Lower,
    Upper,
}

/// The x at which the logarithm of this tail of Beta(a, b) is `target`.
fn solve_beta(target: f64, a: f64, b: f64, tail: Tail) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let mut x = (a / (a + b)).clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON);
    for _ in 0..MAX_STEPS {
        let (ln_tail, sign) = match tail {
            Tail::Lower => (ln_inc_beta(x, 1.0 - x, a, b), 1.0),
            Tail::Upper => (ln_inc_beta(1.0 - x, x, b, a), -1.0),
        };
        let gap = sign * (ln_tail - target);
        if gap == 0.0 {
            break;
        }
        if gap > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let slope = (ln_prefactor(x, a, b) - ln_tail).exp() * a / (x * (1.0 - x));
        let newton = x - gap / slope;
        let next = if newton > low && newton < high {
            newton
        } else if high > 2.0 * low {
            // Tiny roots: halve the exponent, not the number.
            (low.max(f64::MIN_POSITIVE) * high).sqrt()
        } else {
            f64::midpoint(low, high)
        };
        let change = (next - x).abs();
        x = next;
        if change <= 1e-14 * x.min(1.0 - x) || high - low <= f64::MIN_POSITIVE {
            break;
        }
    }
    x.clamp(0.0, 1.0)
}

/// ln I_x(a, b), y = 1 − x.
fn ln_inc_beta(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if x.is_nan() || x >= 1.0 || a <= 0.0 {
        return 0.0;
    }
    if x <= 0.0 || b <= 0.0 {
        return f64::NEG_INFINITY;
    }
    let direct = x <= (a + 1.0) / (a + b + 2.0);
    // Near x = 1 the first terms of the fraction cancel, so its other side is taken there too, as far
    // from the mean as it converges.
    let tiny = y < TINY_SHARE && b < MOST_TINY && y * (a + b) < b + 5.0 * b.sqrt() + 10.0;
    if !direct || tiny {
        let other = ln_prefactor_with(y, x, b, a) + continued_fraction(y, b, a).ln();
        let complement = other.exp().min(1.0);
        if !direct || complement < NEARLY_ALL {
            return (-complement).ln_1p();
        }
    }
    ln_prefactor_with(x, y, a, b) + continued_fraction(x, a, b).ln()
}

/// ln of x^a (1−x)^b / (a B(a, b)), without the difference of large `ln_gamma` values.
pub(crate) fn ln_prefactor(x: f64, a: f64, b: f64) -> f64 {
    ln_prefactor_with(x, 1.0 - x, a, b)
}

fn ln_prefactor_with(x: f64, y: f64, a: f64, b: f64) -> f64 {
    let n = a + b;
    ln_binomial_term(a, b, x, y) + (b / n).ln()
}

/// ln of Γ(n+1)/(Γ(a+1)Γ(b+1)) x^a y^b with n = a + b, y = 1 − x, by Loader (2000).
fn ln_binomial_term(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    let scale = 0.5 * ((n / a / b).ln() - LN_TWO_PI);
    let errors = stirling_error(n) - stirling_error(a) - stirling_error(b);
    // What a has above its mean, b has below: taken from the rarer side, whose share is exact.
    let above = if x <= y { a - n * x } else { n * y - b };
    errors - deviance(a, n * x, above) - deviance(b, n * y, -above) + scale
}

/// ln Γ(z+1) − (z+½) ln z + z − ½ ln 2π.
fn stirling_error(z: f64) -> f64 {
    if z < 16.0 {
        return ln_gamma(z + 1.0) - (z + 0.5) * z.ln() + z - 0.5 * LN_TWO_PI;
    }
    let s = 1.0 / (z * z);
    let tail = 1.0 / 1188.0 - s * (691.0 / 360_360.0 - s / 156.0);
    let inner = 1.0 / 1260.0 - s * (1.0 / 1680.0 - s * tail);
    (1.0 / 12.0 - s * (1.0 / 360.0 - s * inner)) / z
}

/// Loader's deviance term x ln(x/m) + m − x, exact where `gap`, x − m, is small.
fn deviance(x: f64, m: f64, gap: f64) -> f64 {
    if gap.abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() - gap;
    }
    let v = gap / (x + m);
    let mut sum = gap * v;
    let mut term = 2.0 * x * v;
    for j in 1..1000_u32 {
        term *= v * v;
        let next = sum + term / f64::from(2 * j + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// The continued fraction of I_x, modified Lentz.
fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    for step in 1..MAX_TERMS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        result *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let change = d * c;
        result *= change;
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    result.max(f64::MIN_POSITIVE)
}

/// P(X ≤ k) for X ~ Binomial(n, p).
pub(crate) fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    let (above, below) = (k as f64 + 1.0, (n - k) as f64);
    inc_beta(1.0 - p, below, above)
}

/// P(X = k) for X ~ Binomial(n, p).
pub(crate) fn binomial_pmf(k: u64, n: u64, p: f64) -> f64 {
    if k > n {
        return 0.0;
    }
    let (a, b) = (k as f64, (n - k) as f64);
    if p <= 0.0 || p >= 1.0 {
        let sure = if p <= 0.0 { 0 } else { n };
        return f64::from(u8::from(k == sure));
    }
    if k == 0 {
        return (b * (-p).ln_1p()).exp();
    }
    if k == n {
        return (a * p.ln()).exp();
    }
    ln_binomial_term(a, b, p, 1.0 - p).exp().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::{close, close_to};

    #[test]
    fn t_quantiles() {
        for (nu, expected) in [
            (1.0, 12.706_204_74),
            (9.0, 2.262_157_163),
            (29.0, 2.045_229_642),
            (1e3, 1.962_339_081),
            (1e5, 1.959_987_708),
            (1e6, 1.959_966_357),
            (1e7, 1.959_964_222),
        ] {
            close_to(t_quantile(0.975, nu), expected, 5e-10);
            close_to(t_quantile(0.025, nu), -expected, 5e-10);
        }
        close(t_quantile(0.9, 1.0), 3.077_683_537);
        close_to(t_quantile(0.5, 3.0), 0.0, 1e-12);
        assert_eq!(t_quantile(f64::NAN, 3.0), f64::INFINITY);
        assert_eq!(t_quantile(0.975, 0.0), f64::INFINITY);
    }

    #[test]
    fn normal_ends() {
        close(normal_quantile(0.975), 1.959_963_984_540_054);
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(f64::NAN), f64::INFINITY);
        close(normal_cdf(-8.0), 6.220_960_574_271_786e-16);
    }

    #[test]
    fn beta_inverts() {
        for (a, b) in
            [(0.5, 0.5), (2.0, 3.0), (88.5, 12.5), (1001.0, 999_000.0), (1e-6, 5.0), (2.0, 1e9), (5e8, 5e8), (0.3, 1e9)]
        {
            for p in [1e-12, 1e-4, 0.05, 0.5, 0.95, 0.9999] {
                let x = beta_quantile(p, a, b);
                assert!((0.0..=1.0).contains(&x));
                if x > 1e-200 {
                    close_to(inc_beta(x, a, b), p, 1e-7);
                }
            }
        }
        close(inc_beta(0.3, 1.0, 1.0), 0.3);
        assert_eq!(beta_quantile(f64::NAN, 1.0, 1.0), 1.0);
        assert_eq!(beta_quantile(0.5, f64::NAN, 1.0), 1.0);
    }

    #[test]
    fn binomial_by_hand() {
        close(binomial_cdf(1, 8, 0.5), 9.0 / 256.0);
        close(binomial_pmf(1, 8, 0.5), 8.0 / 256.0);
        let total: f64 = (0..=50).map(|k| binomial_pmf(k, 50, 0.3)).sum();
        close_to(total, 1.0, 1e-13);
    }
}
