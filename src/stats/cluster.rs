//! Means over clusters and repeats: effective sample size, cluster-robust errors (METHODS.md 1.3).
//!
//! The independent unit is the cluster. `scores` has one entry an example (the mean of its repeats),
//! `clusters` the cluster of each, `calls` is the number of calls behind them.

use std::collections::BTreeMap;

use super::proportion::{clopper_pearson_one_sided, wilson};
use super::special::{normal_quantile, t_upper};
use super::{Estimate, Interval, Method, StatsError, is_open_unit};

mod mean;
pub use mean::{MeanWithT, mean_cost, mean_with_t};

/// Below this a standard error or a distance to 0 or 1 is rounding.
pub(crate) const NEGLIGIBLE: f64 = 1e-12;
/// Fewer clusters than this carry a warning.
const FEW_CLUSTERS: usize = 10;

/// Scores with their clusters.
#[derive(Debug, Clone, Copy)]
pub struct ScoreSample<'a> {
    /// One score in [0, 1] an example: the mean of its repeats.
    pub scores: &'a [f64],
    /// The cluster of each example.
    pub clusters: &'a [u32],
    /// All calls behind the scores.
    pub calls: u64,
}

impl ScoreSample<'_> {
    /// Why the sample could not be used, if so.
    ///
    /// # Errors
    /// Different lengths; a score that is not a number in [0, 1].
    pub fn check(&self) -> Result<(), StatsError> {
        check_lengths(self.scores, self.clusters)?;
        check_range("score", self.scores, 0.0)
    }

    /// [`clustered_mean`] of this sample.
    pub fn mean(&self, alpha: f64) -> ClusteredMean {
        clustered_mean(self.scores, self.clusters, self.calls, alpha)
    }
}

/// A mean with cluster-robust error and the effective-n Wilson interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusteredMean {
    /// Mean over examples; `None` without usable examples.
    pub mean: Option<f64>,
    /// Clustered standard error; `None` with fewer than two clusters.
    pub se: Option<f64>,
    /// Effective number of independent examples; `None` with fewer than two clusters.
    pub n_eff: Option<f64>,
    /// Examples.
    pub n: u64,
    /// Clusters.
    pub groups: u64,
    /// Whether there are at least two but fewer than ten clusters.
    pub few_clusters: bool,
    /// Wilson interval on `n_eff`; [0, 1] with fewer than two clusters.
    pub interval: Interval,
}

/// The number of clusters, and the sum of the squares of their sums.
fn squares_of_sums(values: impl ExactSizeIterator<Item = f64>, clusters: &[u32]) -> (usize, f64) {
    // Where each value is its own cluster no table is needed.
    if clusters.is_sorted_by(|a, b| a < b) {
        return (values.len().min(clusters.len()), values.zip(clusters).map(|(value, _)| value * value).sum());
    }
    let sums = sums_of(values, clusters);
    (sums.len(), sums.iter().map(|(sum, _)| sum * sum).sum())
}

/// Sums within each cluster, in order of the cluster number, and each cluster's size.
pub fn cluster_sums(values: &[f64], clusters: &[u32]) -> Vec<(f64, u64)> {
    sums_of(values.iter().copied(), clusters)
}

/// [`cluster_sums`] of values that are made as they are wanted.
pub(crate) fn sums_of(values: impl ExactSizeIterator<Item = f64>, clusters: &[u32]) -> Vec<(f64, u64)> {
    let count = values.len();
    let pairs = values.zip(clusters.iter().copied());
    let room = clusters.iter().max().map_or(0, |highest| *highest as usize + 1);
    if room <= count.saturating_mul(SPARSE) {
        let mut sums = vec![(0.0, 0); room];
        for (value, cluster) in pairs {
            let entry: &mut (f64, u64) = &mut sums[cluster as usize];
            entry.0 += value;
            entry.1 += 1;
        }
        sums.retain(|(_, size)| *size > 0);
        return sums;
    }
    let mut sums: BTreeMap<u32, (f64, u64)> = BTreeMap::new();
    for (value, cluster) in pairs {
        let entry = sums.entry(cluster).or_default();
        entry.0 += value;
        entry.1 += 1;
    }
    sums.into_values().collect()
}

/// Cluster numbers up to this many times the values are counted in a table.
const SPARSE: usize = 8;

/// Whether no two examples share a cluster.
pub(crate) fn all_singletons(clusters: &[u32]) -> bool {
    if clusters.is_sorted_by(|a, b| a < b) {
        return true;
    }
    let mut sorted = clusters.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1])
}

pub(crate) fn check_lengths(values: &[f64], clusters: &[u32]) -> Result<(), StatsError> {
    if values.len() == clusters.len() {
        return Ok(());
    }
    Err(StatsError::Length { what: "clusters", got: clusters.len(), expected: values.len() })
}

pub(crate) fn check_range(what: &'static str, values: &[f64], low: f64) -> Result<(), StatsError> {
    match values.iter().find(|v| !(low..=1.0).contains(*v)) {
        None => Ok(()),
        Some(&got) => Err(StatsError::Domain {
            what,
            got,
            expected: if low < 0.0 { "a number from -1 to 1" } else { "a number from 0 to 1" },
        }),
    }
}

/// Mean, number of clusters, and the clustered standard error (`None` below two clusters).
pub(crate) fn mean_and_error(values: &[f64], clusters: &[u32]) -> (f64, usize, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let (groups, squares) = squares_of_sums(values.iter().map(|v| v - mean), clusters);
    if groups < 2 {
        return (mean, groups, None);
    }
    let correction = groups as f64 / (groups as f64 - 1.0);
    (mean, groups, Some((correction * squares).sqrt() / n))
}

/// Korn–Graubard effective n: `min(calls, variance/SE² · (z/t)²)`; the number of clusters when the
/// error or the variance vanishes.
pub(crate) fn effective_n(variance: f64, se: f64, groups: usize, calls: f64, alpha: f64) -> f64 {
    if se <= NEGLIGIBLE || variance <= NEGLIGIBLE {
        return groups as f64;
    }
    let z = -normal_quantile(alpha / 2.0);
    let t = t_upper(alpha / 2.0, groups as f64 - 1.0);
    (variance / (se * se) * (z / t).powi(2)).min(calls)
}

/// Mean score with clusters or repeats: effective-n Wilson (METHODS.md 1.3; Miller 2024, arXiv
/// 2411.00640; Korn & Graubard 1998).
///
/// Unusable input (see [`ScoreSample::check`]) counts as no data: mean `None`, interval [0, 1]. Not
/// for plain independent single calls, where [`wilson`] is exact about n: [`clustered_accuracy`]
/// chooses; here they give `n_eff` = n.
pub fn clustered_mean(scores: &[f64], clusters: &[u32], calls: u64, alpha: f64) -> ClusteredMean {
    let sample = ScoreSample { scores, clusters, calls };
    let nothing = ClusteredMean {
        mean: None,
        se: None,
        n_eff: None,
        n: 0,
        groups: 0,
        few_clusters: false,
        interval: Interval::UNIT,
    };
    if scores.is_empty() || sample.check().is_err() {
        return nothing;
    }
    let n = scores.len() as u64;
    let (mean, groups, se) = mean_and_error(scores, clusters);
    let known = ClusteredMean {
        mean: Some(mean),
        se,
        n,
        groups: groups as u64,
        few_clusters: (2..FEW_CLUSTERS).contains(&groups),
        ..nothing
    };
    let (Some(se), true) = (se, is_open_unit(alpha)) else {
        return known;
    };
    let n_eff = if is_plain(scores, calls, groups) {
        n as f64
    } else {
        effective_n(mean * (1.0 - mean), se, groups, calls.max(n) as f64, alpha)
    };
    ClusteredMean { n_eff: Some(n_eff), interval: wilson(snap(mean) * n_eff, n_eff, alpha), ..known }
}

/// Whether each example is one right-or-wrong call in its own cluster: there 1.1 and 1.2 hold as they
/// stand (METHODS.md 1.3, the last edge case).
fn is_plain(scores: &[f64], calls: u64, groups: usize) -> bool {
    groups == scores.len() && calls <= scores.len() as u64 && scores.iter().all(|&s| s == 0.0 || s == 1.0)
}

/// `mean` with rounding at 0 and 1 removed, so that "all right" is recognised.
fn snap(mean: f64) -> f64 {
    if mean < NEGLIGIBLE {
        0.0
    } else if mean > 1.0 - NEGLIGIBLE {
        1.0
    } else {
        mean
    }
}

/// Accuracy to display: Wilson (METHODS.md 1.1) or, with repeats or clusters, effective-n Wilson
/// (1.3).
///
/// `repeats_or_clusters` is false when each example had one call and its own cluster. Unusable input
/// gives [`Estimate::nothing`]. Not for decisions: see [`clustered_one_sided`].
pub fn clustered_accuracy(
    scores: &[f64],
    clusters: &[u32],
    calls: u64,
    repeats_or_clusters: bool,
    alpha: f64,
) -> Estimate {
    let known = clustered_mean(scores, clusters, calls, alpha);
    let level = if is_open_unit(alpha) { 1.0 - alpha } else { 0.0 };
    let Some(mean) = known.mean else {
        return Estimate::nothing(Interval::UNIT, level);
    };
    let (interval, method) = if !is_open_unit(alpha) {
        (Interval::UNIT, Method::None)
    } else if !repeats_or_clusters {
        let n = known.n as f64;
        (wilson(snap(mean) * n, n, alpha), Method::Wilson)
    } else if known.n_eff.is_some() {
        (known.interval, Method::WilsonEffectiveN)
    } else {
        (Interval::UNIT, Method::None)
    };
    Estimate { point: Some(mean), low: interval.low, high: interval.high, level, n: known.n, method }
}

/// [`clustered_accuracy`] of independent single calls, `right` of `n` of them right.
pub fn plain_accuracy(right: u64, n: u64, alpha: f64) -> Estimate {
    let level = if is_open_unit(alpha) { 1.0 - alpha } else { 0.0 };
    if n == 0 {
        return Estimate::nothing(Interval::UNIT, level);
    }
    let mean = right as f64 / n as f64;
    let (interval, method) = match is_open_unit(alpha) {
        true => (wilson(snap(mean) * n as f64, n as f64, alpha), Method::Wilson),
        false => (Interval::UNIT, Method::None),
    };
    Estimate { point: Some(mean), low: interval.low, high: interval.high, level, n, method }
}

/// One-sided bounds of a mean score for decisions: Clopper–Pearson with the effective n (METHODS.md
/// 1.2 with 1.3).
///
/// Independent single right-or-wrong calls use 1.2 directly. One cluster of several examples, no
/// data and unusable input give [0, 1]. Each end is one-sided at 1 − alpha: not for display.
pub fn clustered_one_sided(scores: &[f64], clusters: &[u32], calls: u64, alpha: f64) -> Interval {
    let known = clustered_mean(scores, clusters, calls, alpha);
    let Some(mean) = known.mean else {
        return Interval::UNIT;
    };
    if is_plain(scores, calls, known.groups as usize) {
        return clopper_pearson_one_sided(scores.iter().sum(), known.n as f64, alpha);
    }
    known.n_eff.map_or(Interval::UNIT, |n_eff| clopper_pearson_one_sided(snap(mean) * n_eff, n_eff, alpha))
}

/// Mean variance within examples, `mean of s(1 − s)·K/(K − 1)` (METHODS.md 1.3): shows whether more
/// repeats or more examples would narrow the interval. `None` below two repeats or without scores.
pub fn within_example_variance(scores: &[f64], repeats: u32) -> Option<f64> {
    if repeats < 2 || scores.is_empty() || check_range("score", scores, 0.0).is_err() {
        return None;
    }
    let k = f64::from(repeats);
    let total: f64 = scores.iter().map(|s| s * (1.0 - s)).sum();
    Some(total / scores.len() as f64 * k / (k - 1.0))
}

/// How alike the members of a cluster are, and what that costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterEffect {
    /// Intra-cluster correlation; `None` for singletons only, one cluster, or no variance.
    pub icc: Option<f64>,
    /// Factor by which the clusters inflate the variance of the mean; 1 when `icc` is `None`.
    pub design_effect: f64,
}

/// Intra-cluster correlation by one-way analysis of variance, and the design effect (METHODS.md
/// 9.5). For planning; intervals use [`clustered_mean`]. Unusable input: `None` and 1.
pub fn icc_deff(scores: &[f64], clusters: &[u32]) -> ClusterEffect {
    let none = ClusterEffect { icc: None, design_effect: 1.0 };
    if check_lengths(scores, clusters).is_err() || !scores.iter().all(|s| s.is_finite()) {
        return none;
    }
    let sums = cluster_sums(scores, clusters);
    let (n, groups) = (scores.len() as f64, sums.len() as f64);
    if groups < 2.0 || groups >= n {
        return none;
    }
    let mean = scores.iter().sum::<f64>() / n;
    let total: f64 = scores.iter().map(|s| (s - mean).powi(2)).sum();
    let between: f64 = sums.iter().map(|&(sum, size)| size as f64 * (sum / size as f64 - mean).powi(2)).sum();
    if total <= NEGLIGIBLE * NEGLIGIBLE {
        return none;
    }
    let msb = between / (groups - 1.0);
    let msw = (total - between).max(0.0) / (n - groups);
    let squares: f64 = sums.iter().map(|&(_, size)| (size as f64).powi(2)).sum();
    let m0 = (n - squares / n) / (groups - 1.0);
    let icc = ((msb - msw) / (msb + (m0 - 1.0) * msw)).clamp(0.0, 1.0);
    let sizes: Vec<u64> = sums.iter().map(|&(_, size)| size).collect();
    ClusterEffect { icc: Some(icc), design_effect: design_effect(&sizes, icc) }
}

/// Kish's design effect `1 + (m_A − 1)·icc` with the size-weighted mean size m_A (METHODS.md 9.5); 1
/// without sizes or for an icc that is not a number.
pub fn design_effect(sizes: &[u64], icc: f64) -> f64 {
    let total: f64 = sizes.iter().map(|&m| m as f64).sum();
    let squares: f64 = sizes.iter().map(|&m| (m as f64).powi(2)).sum();
    if total <= 0.0 || icc.is_nan() {
        return 1.0;
    }
    1.0 + (squares / total - 1.0) * icc.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests;
