//! Has the curve flattened: the power law over rounds or training sizes (METHODS.md 8.2).

use super::{StatsError, check_non_negative};

const FEWEST_POINTS: usize = 4;
const GRID: u32 = 300;
const EXPONENTS: (f64, f64) = (0.01, 3.0);
const GOLDEN_STEPS: u32 = 200;

/// The fit `error = c + a·n^(−b)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerLaw {
    /// What is still to gain at n = 1; at least 0.
    pub a: f64,
    /// Speed; `None` when all errors are equal.
    pub b: Option<f64>,
    /// The floor; at least 0.
    pub c: f64,
    /// Weighted sum of squared errors.
    pub sse: f64,
}

impl PowerLaw {
    /// Predicted error at `n`.
    pub fn predict(&self, n: f64) -> f64 {
        let gain = self.b.map_or(0.0, |b| self.a * n.powf(-b));
        if gain.is_finite() { self.c + gain } else { self.c }
    }
}

/// The weight of an error rate from `n` examples, n/(e(1 − e)) with e kept off 0 and 1 (METHODS.md
/// 8.2); 0 for unusable input.
pub fn error_weight(error: f64, n: f64) -> f64 {
    if !(n >= 1.0 && n.is_finite() && error.is_finite()) {
        return 0.0;
    }
    let edge = 0.5 / n;
    let e = error.clamp(edge, 1.0 - edge);
    n / (e * (1.0 - e))
}

/// Fits `error = c + a·n^(−b)` by weighted least squares with a, c ≥ 0 (METHODS.md 8.2; Viering &
/// Loog 2022): b profiled over 300 log-spaced values in [0.01, 3], then golden section.
///
/// Advisory: three parameters on four noisy points fit anything, so it may turn "fired" into "unknown"
/// and never the reverse.
///
/// # Errors
/// Fewer than four points; lengths that differ; an n that is not above 0; a negative or infinite
/// error or weight; no positive weight.
pub fn power_law_fit(n: &[f64], error: &[f64], weight: &[f64]) -> Result<PowerLaw, StatsError> {
    check(n, error, weight)?;
    let total: f64 = weight.iter().sum();
    if error.iter().all(|e| (e - error[0]).abs() < 1e-15) {
        return Ok(PowerLaw { a: 0.0, b: None, c: error[0], sse: 0.0 });
    }
    // In units of the smallest n, so that no power leaves the range of a double.
    let unit = n.iter().copied().fold(f64::INFINITY, f64::min);
    let scaled: Vec<f64> = n.iter().map(|n| n / unit).collect();
    let at = |b: f64| linear_fit(&scaled, error, weight, total, b);
    let (low, high) = EXPONENTS;
    let ratio = (high / low).ln() / f64::from(GRID - 1);
    let exponent = |index: u32| low * (ratio * f64::from(index)).exp();
    let best = (0..GRID).min_by(|l, r| at(exponent(*l)).2.total_cmp(&at(exponent(*r)).2)).unwrap_or(0);
    let mut left = exponent(best.saturating_sub(1));
    let mut right = exponent((best + 1).min(GRID - 1));
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    for _ in 0..GOLDEN_STEPS {
        let width = golden * (right - left);
        let (inner_left, inner_right) = (right - width, left + width);
        if at(inner_left).2 <= at(inner_right).2 {
            right = inner_right;
        } else {
            left = inner_left;
        }
    }
    let b = f64::midpoint(left, right);
    let (a, c, sse) = at(b);
    Ok(PowerLaw { a: a * unit.powf(b), b: Some(b), c, sse })
}

/// Best a ≥ 0 and c ≥ 0 for one exponent, and the weighted sum of squares.
fn linear_fit(n: &[f64], error: &[f64], weight: &[f64], total: f64, b: f64) -> (f64, f64, f64) {
    let x: Vec<f64> = n.iter().map(|n| n.powf(-b)).collect();
    let dot = |left: &[f64], right: &[f64]| {
        let products = left.iter().zip(right).zip(weight).map(|((l, r), w)| l * r * w);
        products.sum::<f64>()
    };
    let ones = vec![1.0; x.len()];
    let (mean_x, mean_y) = (dot(&x, &ones) / total, dot(error, &ones) / total);
    let centred: Vec<f64> = x.iter().map(|x| x - mean_x).collect();
    let spread = dot(&centred, &centred);
    let sse = |a: f64, c: f64| {
        let rest: Vec<f64> = x.iter().zip(error).map(|(x, e)| e - c - a * x).collect();
        dot(&rest, &rest)
    };
    if spread > 0.0 {
        let a = dot(&centred, error) / spread;
        let c = mean_y - a * mean_x;
        if a >= 0.0 && c >= 0.0 {
            return (a, c, sse(a, c));
        }
    }
    let square = dot(&x, &x);
    let only_a = if square > 0.0 { (dot(&x, error) / square).max(0.0) } else { 0.0 };
    let (floor, slope) = (sse(0.0, mean_y), sse(only_a, 0.0));
    if slope < floor { (only_a, 0.0, slope) } else { (0.0, mean_y, floor) }
}

fn check(n: &[f64], error: &[f64], weight: &[f64]) -> Result<(), StatsError> {
    for (what, got) in [("err", error.len()), ("weight", weight.len())] {
        if got != n.len() {
            let expected = n.len();
            return Err(StatsError::Length { what, got, expected });
        }
    }
    if n.len() < FEWEST_POINTS {
        return Err(StatsError::TooFew { what: "a power law", needed: FEWEST_POINTS, got: n.len() });
    }
    let domain = |what, got| {
        let expected = "a finite number above 0";
        Err(StatsError::Domain { what, got, expected })
    };
    if let Some(&got) = n.iter().find(|n| !(n.is_finite() && **n > 0.0)) {
        return domain("n", got);
    }
    for value in error {
        check_non_negative("err", *value)?;
    }
    for value in weight {
        check_non_negative("weight", *value)?;
    }
    let total: f64 = weight.iter().sum();
    if total > 0.0 && total.is_finite() { Ok(()) } else { domain("sum of weights", total) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::close_to;

    #[test]
    fn vectors() {
        let sizes = [100., 200., 400., 800., 1600.];
        let rounds = [1., 2., 3., 4.];
        let table: [(&[f64], &[f64], [f64; 4]); 2] = [
            (&sizes, &[0.3, 0.24, 0.2, 0.17, 0.15], [2.118774604, 0.5159108361, 0.1029247782, 1.096906695e-06]),
            (&rounds, &[0.4, 0.3, 0.26, 0.24], [0.2493664906, 0.7440926926, 0.150688604, 9.983364538e-07]),
        ];
        for (n, error, [a, b, c, sse]) in table {
            let got = power_law_fit(n, error, &vec![1.0; n.len()]).unwrap();
            close_to(got.a, a, 1e-4);
            close_to(got.b.unwrap(), b, 1e-4);
            close_to(got.c, c, 1e-4);
            close_to(got.sse, sse, 1e-4);
            assert!(got.predict(1e9) < got.predict(1.0));
        }
    }

    #[test]
    fn edges() {
        let flat = power_law_fit(&[1., 2., 3., 4.], &[0.2; 4], &[1.0; 4]).unwrap();
        assert_eq!((flat.a, flat.b, flat.c), (0.0, None, 0.2));
        let rising = power_law_fit(&[1., 2., 3., 4.], &[0.1, 0.2, 0.3, 0.4], &[1.0; 4]).unwrap();
        assert_eq!(rising.a, 0.0);
        close_to(rising.c, 0.25, 1e-12);
        let tiny = power_law_fit(&[1e-200, 2e-200, 3e-200, 4e-200], &[0.4, 0.3, 0.26, 0.24], &[1.0; 4]).unwrap();
        assert!(tiny.sse.is_finite() && tiny.c.is_finite());
        close_to(tiny.c, 0.150688604, 1e-4);
        assert!(power_law_fit(&[1., 2., 3.], &[0.1; 3], &[1.0; 3]).is_err());
        assert!(power_law_fit(&[1., 2., 3., 0.], &[0.1; 4], &[1.0; 4]).is_err());
        assert!(power_law_fit(&[1., 2., 3., 4.], &[f64::NAN; 4], &[1.0; 4]).is_err());
        assert!(power_law_fit(&[1., 2., 3., 4.], &[0.1; 4], &[0.0; 4]).is_err());
        close_to(error_weight(0.0, 100.0), 100.0 / (0.005 * 0.995), 1e-12);
    }
}
