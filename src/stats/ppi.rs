//! Prediction-powered mean: few human labels, many judge scores (METHODS.md 1.4).

use super::special::normal_quantile;
use super::{Interval, StatsError, check_open_unit};

/// Human labels below which the verdict is "not enough evidence".
pub const FEWEST_LABELS: usize = 50;

/// A mean corrected for the judge's errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PpiMean {
    /// Weight of the judge, 0 (labels only) to 1.
    pub lambda: f64,
    /// The corrected mean.
    pub theta: f64,
    /// Its standard error.
    pub se: f64,
    /// `theta ± z·se`, not clamped.
    pub interval: Interval,
    /// Whether there are at least [`FEWEST_LABELS`] labels; otherwise display only.
    pub enough_labels: bool,
}

/// Accuracy from `labels` (Y) with their judge scores `judged` (f), and `unlabelled` judge scores (F)
/// (Angelopoulos et al. 2023, Science 382; PPI++, arXiv 2311.01453). `lambda` `None` tunes it.
///
/// Both sets must be random draws from one pool. Never report the mean of F alone as accuracy.
///
/// # Errors
/// Lengths that differ; fewer than two of either; a value that is not finite; `alpha` or `lambda`
/// out of range.
pub fn ppi_mean(
    labels: &[f64],
    judged: &[f64],
    unlabelled: &[f64],
    alpha: f64,
    lambda: Option<f64>,
) -> Result<PpiMean, StatsError> {
    check(labels, judged, unlabelled)?;
    check_open_unit("alpha", alpha)?;
    let (n, big_n) = (labels.len() as f64, unlabelled.len() as f64);
    let lambda = match lambda {
        Some(given) if (0.0..=1.0).contains(&given) => given,
        Some(got) => {
            return Err(StatsError::Domain { what: "lambda", got, expected: "a number from 0 to 1" });
        }
        None => {
            let pooled: Vec<f64> = judged.iter().chain(unlabelled).copied().collect();
            let spread = (1.0 + n / big_n) * covariance(&pooled, &pooled);
            if spread > 0.0 { (covariance(labels, judged) / spread).clamp(0.0, 1.0) } else { 0.0 }
        }
    };
    let rest: Vec<f64> = labels.iter().zip(judged).map(|(y, f)| y - lambda * f).collect();
    let theta = lambda * mean(unlabelled) + mean(&rest);
    let of_judge = lambda * lambda * covariance(unlabelled, unlabelled) / big_n;
    let se = (of_judge + covariance(&rest, &rest) / n).sqrt();
    let half = -normal_quantile(alpha / 2.0) * se;
    Ok(PpiMean {
        lambda,
        theta,
        se,
        interval: Interval { low: theta - half, high: theta + half },
        enough_labels: labels.len() >= FEWEST_LABELS,
    })
}

fn check(labels: &[f64], judged: &[f64], unlabelled: &[f64]) -> Result<(), StatsError> {
    if labels.len() != judged.len() {
        return Err(StatsError::Length {
            what: "judge scores of labelled examples",
            got: judged.len(),
            expected: labels.len(),
        });
    }
    let got = labels.len().min(unlabelled.len());
    if got < 2 {
        let what = "a prediction-powered mean";
        return Err(StatsError::TooFew { what, needed: 2, got });
    }
    let mut all = labels.iter().chain(judged).chain(unlabelled);
    match all.find(|v| !v.is_finite() || v.abs() > 1e100) {
        None => Ok(()),
        Some(&got) => Err(StatsError::Domain { what: "score", got, expected: "a finite number" }),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sample covariance, ddof 1.
fn covariance(left: &[f64], right: &[f64]) -> f64 {
    let (a, b) = (mean(left), mean(right));
    let products = left.iter().zip(right).map(|(l, r)| (l - a) * (r - b));
    products.sum::<f64>() / (left.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::{close, close_interval};

    #[test]
    fn vectors() {
        let y = [1., 0., 1., 1., 0., 1., 1., 0.];
        let f = [0.9, 0.3, 0.7, 0.8, 0.2, 0.6, 0.9, 0.4];
        let more = [0.8, 0.7, 0.2, 0.9, 0.6, 0.5, 0.85, 0.3, 0.75, 0.65, 0.9, 0.4];
        let one = (1.0, 0.6541666667, 0.1233924408, 0.4123219268, 0.8960114066);
        let zero = (0.0, 0.625, 0.1829812637, 0.2663633133, 0.9836366867);
        for (given, expected) in [(None, one), (Some(0.0), zero), (Some(1.0), one)] {
            let got = ppi_mean(&y, &f, &more, 0.05, given).unwrap();
            close(got.lambda, expected.0);
            close(got.theta, expected.1);
            close(got.se, expected.2);
            close_interval(got.interval, expected.3, expected.4);
            assert!(!got.enough_labels);
        }
        let constant = ppi_mean(&y, &[0.5; 8], &[0.5; 3], 0.05, None).unwrap();
        close(constant.lambda, 0.0);
        assert!(ppi_mean(&y, &f[..3], &more, 0.05, None).is_err());
        assert!(ppi_mean(&y, &f, &[], 0.05, None).is_err());
        assert!(ppi_mean(&y, &f, &[f64::NAN, 1.0], 0.05, None).is_err());
        assert!(ppi_mean(&y, &f, &more, 0.05, Some(2.0)).is_err());
    }
}
