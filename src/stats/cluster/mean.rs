//! Means of quantities with a unit, such as money (METHODS.md 6).

use super::{check_lengths, mean_and_error};
use crate::stats::special::t_upper;
use crate::stats::{Estimate, Interval, Method, is_open_unit};

/// A mean in its own unit with a Student t interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanWithT {
    /// Mean over examples; `None` without usable values.
    pub mean: Option<f64>,
    /// Clustered standard error; `None` below two clusters.
    pub se: Option<f64>,
    /// `mean ± t·se`, not clamped; `None` below two clusters.
    pub interval: Option<Interval>,
    /// Whether fewer than 100 values have one that exceeds a tenth of their sum.
    pub heavy_tail: bool,
    /// Examples.
    pub n: u64,
    /// Clusters.
    pub groups: u64,
}

impl MeanWithT {
    /// The mean with its interval, made at `alpha`; `None` below two clusters.
    pub fn estimate(&self, alpha: f64) -> Option<Estimate> {
        let (point, Interval { low, high }) = self.mean.zip(self.interval)?;
        Some(Estimate { point: Some(point), low, high, level: 1.0 - alpha, n: self.n, method: Method::StudentT })
    }

    /// The same of a cost: below two clusters it lies anywhere from 0 up; `None` without values.
    pub fn cost_estimate(&self, alpha: f64) -> Option<Estimate> {
        let anything = Estimate::nothing(Interval { low: 0.0, high: f64::INFINITY }, 1.0 - alpha);
        self.estimate(alpha).or_else(|| self.mean.map(|mean| Estimate { point: Some(mean), n: self.n, ..anything }))
    }
}

/// Mean of a quantity with unit (money, a saving) with t interval on clustered errors (METHODS.md 6).
///
/// Unusable input (lengths differ, not finite, `alpha` outside (0, 1)) counts as no data. Not for
/// rates near 0 or 1 (1.3); a cost cannot be negative: use [`mean_cost`] for it.
pub fn mean_with_t(values: &[f64], clusters: &[u32], alpha: f64) -> MeanWithT {
    let usable = check_lengths(values, clusters).is_ok()
        && is_open_unit(alpha)
        && !values.is_empty()
        && values.iter().sum::<f64>().is_finite();
    if !usable {
        return MeanWithT { mean: None, se: None, interval: None, heavy_tail: false, n: 0, groups: 0 };
    }
    let (mean, groups, se) = mean_and_error(values, clusters);
    let sum: f64 = values.iter().sum();
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let interval = se.map(|se| {
        let half = if se == 0.0 { 0.0 } else { t_upper(alpha / 2.0, groups as f64 - 1.0) * se };
        Interval { low: mean - half, high: mean + half }
    });
    MeanWithT {
        mean: Some(mean),
        se,
        interval,
        heavy_tail: values.len() < 100 && largest > 0.1 * sum,
        n: values.len() as u64,
        groups: groups as u64,
    }
}

/// [`mean_with_t`] of costs: the lower end is at least 0 (METHODS.md 6).
pub fn mean_cost(costs: &[f64], clusters: &[u32], alpha: f64) -> MeanWithT {
    let mut result = mean_with_t(costs, clusters, alpha);
    if let Some(interval) = &mut result.interval {
        interval.low = interval.low.max(0.0);
    }
    result
}
