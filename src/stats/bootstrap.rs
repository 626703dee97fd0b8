//! Seeded cluster bootstrap with percentile intervals (METHODS.md 0, rule 7, and 13).
//!
//! For display only, and only for statistics without a closed interval (macro-F1, differences of
//! quantiles). Never for cost ratios near accuracy 0, nor for rates.

use std::collections::BTreeMap;

use super::rng::Rng;
use super::{Interval, is_open_unit};

/// Indices of the examples of each cluster, in order of the cluster number.
pub fn group_indices(clusters: &[u32]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, cluster) in clusters.iter().enumerate() {
        groups.entry(*cluster).or_default().push(index);
    }
    groups.into_values().collect()
}

/// Percentile interval at 1 − alpha of `f` over `resamples` draws of whole groups with replacement.
///
/// `f` gets the example indices of one draw and returns `None` where it is undefined. `None` below two
/// groups, for unusable `alpha`, or when over half of the draws are undefined. Equal seeds give equal
/// intervals in every version.
pub fn bootstrap_statistic(
    groups: &[Vec<usize>],
    seed: u64,
    resamples: u32,
    alpha: f64,
    mut f: impl FnMut(&[usize]) -> Option<f64>,
) -> Option<Interval> {
    if groups.len() < 2 || resamples == 0 || !is_open_unit(alpha) {
        return None;
    }
    let mut rng = Rng::new(seed);
    let mut drawn = Vec::new();
    let mut results = Vec::new();
    for _ in 0..resamples {
        drawn.clear();
        for _ in 0..groups.len() {
            drawn.extend_from_slice(&groups[rng.below(groups.len())]);
        }
        results.extend(f(&drawn).filter(|value| !value.is_nan()));
    }
    let enough = results.len() * 2 > resamples as usize;
    results.sort_by(f64::total_cmp);
    let rank = ((results.len() as f64 + 1.0) * alpha / 2.0).floor().max(1.0) as usize;
    let low = results.get(rank - 1)?;
    let high = results.get(results.len().checked_sub(rank)?)?;
    (enough && low <= high).then_some(Interval { low: *low, high: *high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_interval_is_near_the_normal_one() {
        let clusters: Vec<u32> = (0..200).collect();
        let groups = group_indices(&clusters);
        let values: Vec<f64> = (0..200).map(|i| f64::from(i % 10)).collect();
        let mean = |drawn: &[usize]| Some(drawn.iter().map(|&i| values[i]).sum::<f64>() / drawn.len() as f64);
        let got = bootstrap_statistic(&groups, 1, 1999, 0.05, mean).unwrap();
        assert_eq!(bootstrap_statistic(&groups, 1, 1999, 0.05, mean), Some(got));
        let half = 1.96 * (8.25_f64 / 200.0).sqrt();
        assert!((got.low - (4.5 - half)).abs() < 0.08, "{got:?}");
        assert!((got.high - (4.5 + half)).abs() < 0.08, "{got:?}");
    }

    #[test]
    fn nothing_to_resample() {
        let one = group_indices(&[3, 3]);
        assert_eq!(bootstrap_statistic(&one, 1, 99, 0.05, |_| Some(1.0)), None);
        let two = group_indices(&[3, 4]);
        assert_eq!(bootstrap_statistic(&two, 1, 99, 0.05, |_| None), None);
        assert_eq!(bootstrap_statistic(&two, 1, 99, 0.05, |_| Some(f64::NAN)), None);
        assert!(bootstrap_statistic(&two, 1, 99, 0.05, |_| Some(1.0)).is_some());
    }
}
