//! Seeded cluster bootstrap with percentile intervals (METHODS.md 0, rule 7, and 13).
//!
//! For display only, and only for statistics without a closed interval (macro-F1, differences of
//! quantiles). Never for cost ratios near accuracy 0, nor for rates.

use std::borrow::Cow;
use std::collections::BTreeMap;

use statrs::function::gamma::ln_gamma;

use super::rng::Rng;
use super::{Interval, is_open_unit, lanes};

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
/// `make` gives a statistic for each thread, so that it may have room of its own; it gets the example
/// indices of one draw and returns `None` where it is undefined. `None` below two groups, for unusable
/// `alpha`, or when over half of the draws are undefined. Equal seeds give equal intervals in every
/// version, on any number of cores.
pub fn bootstrap_statistic<F: FnMut(&[usize]) -> Option<f64>>(
    groups: &[Vec<usize>],
    seed: u64,
    resamples: u32,
    alpha: f64,
    make: impl Fn() -> F + Sync,
) -> Option<Interval> {
    if groups.len() < 2 || resamples == 0 || !is_open_unit(alpha) {
        return None;
    }
    let units = groups.iter().map(Vec::len).sum::<usize>().saturating_mul(resamples as usize);
    let results = resampled(seed, resamples, units, || {
        let (mut statistic, mut drawn) = (make(), Vec::new());
        move |rng: &mut Rng| {
            drawn.clear();
            for _ in 0..groups.len() {
                drawn.extend_from_slice(&groups[rng.below(groups.len())]);
            }
            statistic(&drawn)
        }
    });
    percentiles(results, resamples, alpha)
}

/// What `resamples` draws give, where they give a number; `units` is what all of them cost.
fn resampled<F: FnMut(&mut Rng) -> Option<f64>>(
    seed: u64,
    resamples: u32,
    units: usize,
    make: impl Fn() -> F + Sync,
) -> Vec<f64> {
    let lanes = lanes::lanes(units);
    let each = lanes::each(lanes, |lane| {
        let (mut rng, mut draw) = (lanes::stream(seed, lane), make());
        let draws = lanes::share(resamples as usize, lane, lanes);
        (0..draws).filter_map(|_| draw(&mut rng).filter(|value| !value.is_nan())).collect::<Vec<f64>>()
    });
    each.concat()
}

fn percentiles(mut results: Vec<f64>, resamples: u32, alpha: f64) -> Option<Interval> {
    let enough = results.len() * 2 > resamples as usize;
    results.sort_by(f64::total_cmp);
    let rank = ((results.len() as f64 + 1.0) * alpha / 2.0).floor().max(1.0) as usize;
    let low = results.get(rank - 1)?;
    let high = results.get(results.len().checked_sub(rank)?)?;
    (enough && low <= high).then_some(Interval { low: *low, high: *high })
}

/// Groups of examples of which only the kind counts, such as a pair of expected and answered class.
#[derive(Debug, Clone)]
pub struct Tallied<'a> {
    /// Where each group's kinds begin, and at last where the last one's end; empty where each is a group.
    begins: Vec<u32>,
    /// The kind of each example, group by group.
    kinds: Cow<'a, [u32]>,
    /// How many kinds there are.
    distinct: usize,
}

impl<'a> Tallied<'a> {
    /// The kinds of examples, below `distinct`, in their groups ([`group_indices`]).
    pub fn new(groups: &[Vec<usize>], kind: impl Fn(usize) -> u32, distinct: usize) -> Self {
        let mut begins = vec![0];
        let mut kinds = Vec::new();
        for group in groups {
            kinds.extend(group.iter().map(|&index| kind(index)));
            begins.push(u32::try_from(kinds.len()).unwrap_or(u32::MAX));
        }
        Self { begins, kinds: kinds.into(), distinct }
    }

    /// The kinds of examples, below `distinct`, each of which is a group of its own.
    pub fn singles(kinds: &'a [u32], distinct: usize) -> Self {
        Self { begins: Vec::new(), kinds: kinds.into(), distinct }
    }

    fn groups(&self) -> usize {
        self.begins.len().checked_sub(1).unwrap_or(self.kinds.len())
    }

    fn is_single(&self) -> bool {
        self.groups() == self.kinds.len()
    }

    /// Adds a draw of as many groups as there are; the same one as [`bootstrap_statistic`] makes.
    fn draw(&self, rng: &mut Rng, tally: &mut [u64]) {
        tally.fill(0);
        if self.is_single() {
            for _ in 0..self.kinds.len() {
                tally[self.kinds[rng.below(self.kinds.len())] as usize] += 1;
            }
            return;
        }
        for _ in 0..self.groups() {
            let group = rng.below(self.groups());
            for &kind in &self.kinds[self.begins[group] as usize..self.begins[group + 1] as usize] {
                tally[kind as usize] += 1;
            }
        }
    }

    fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.distinct];
        for &kind in &*self.kinds {
            counts[kind as usize] += 1;
        }
        counts
    }
}

/// Drawing a Poisson number costs as much as drawing some examples: where there are more examples a kind,
/// and clusters are none, each kind's count is drawn instead. What it costs then depends on the kinds alone.
const EXAMPLES_A_KIND: usize = 24;

/// Below so many examples an interval is never by Poisson numbers.
const MANY: usize = 2_000;

/// [`bootstrap_statistic`] of a statistic of the counts of each kind.
///
/// Up to 2,000 examples, with few examples of a kind, and where there are clusters, the very same interval.
/// Else the Poisson bootstrap (Chamandy, Muralidharan, Najmi & Naidu, "Estimating uncertainty for massive data
/// streams", 2012), whose draws vary in size: for statistics that do not change when all counts are scaled.
pub fn bootstrap_counts<F: FnMut(&[u64]) -> Option<f64>>(
    of: &Tallied<'_>,
    seed: u64,
    resamples: u32,
    alpha: f64,
    make: impl Fn() -> F + Sync,
) -> Option<Interval> {
    if of.groups() < 2 || resamples == 0 || !is_open_unit(alpha) {
        return None;
    }
    let is_many = of.kinds.len() > MANY && of.kinds.len() / EXAMPLES_A_KIND > of.distinct;
    let scaled = (of.is_single() && is_many).then(|| of.counts());
    let a_draw = scaled.as_ref().map_or(of.kinds.len(), |counts| counts.len() * EXAMPLES_A_KIND);
    let results = resampled(seed, resamples, a_draw.saturating_mul(resamples as usize), || {
        let (mut statistic, mut tally, scaled) = (make(), vec![0; of.distinct], &scaled);
        move |rng: &mut Rng| {
            match scaled {
                Some(counts) => {
                    for (drawn, count) in tally.iter_mut().zip(counts) {
                        *drawn = poisson(rng, *count as f64);
                    }
                }
                None => of.draw(rng, &mut tally),
            }
            statistic(&tally)
        }
    });
    percentiles(results, resamples, alpha)
}

/// A Poisson number: by multiplication for small means, by transformed rejection (PTRS) for others
/// (Hörmann, "The transformed rejection method for generating Poisson random variables", 1993).
fn poisson(rng: &mut Rng, mean: f64) -> u64 {
    if mean < 10.0 {
        let (least, mut product, mut number) = ((-mean).exp(), rng.unit(), 0);
        while product > least {
            product *= rng.unit();
            number += 1;
        }
        return number;
    }
    let b = 0.931 + 2.53 * mean.sqrt();
    let a = -0.059 + 0.02483 * b;
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let v_r = 0.9277 - 3.6224 / (b - 2.0);
    loop {
        let (u, v) = (rng.unit() - 0.5, rng.unit());
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
        if us >= 0.07 && v <= v_r {
            return k as u64;
        }
        if k < 0.0 || (us < 0.013 && v > us) {
            continue;
        }
        let accepted = (v * inverse_alpha / (a / (us * us) + b)).ln();
        if accepted <= k * mean.ln() - mean - ln_gamma(k + 1.0) {
            return k as u64;
        }
    }
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
        let got = bootstrap_statistic(&groups, 1, 1999, 0.05, || mean).unwrap();
        assert_eq!(bootstrap_statistic(&groups, 1, 1999, 0.05, || mean), Some(got));
        let half = 1.96 * (8.25_f64 / 200.0).sqrt();
        assert!((got.low - (4.5 - half)).abs() < 0.08, "{got:?}");
        assert!((got.high - (4.5 + half)).abs() < 0.08, "{got:?}");
    }

    /// Mean of kinds 0 and 1, of counts.
    fn share(counts: &[u64]) -> Option<f64> {
        Some(counts[1] as f64 / (counts[0] + counts[1]) as f64)
    }

    #[test]
    fn counts_give_the_interval_of_the_examples() {
        for clusters in [(0..300).collect::<Vec<u32>>(), (0..300).map(|i| i / 4).collect()] {
            let groups = group_indices(&clusters);
            let kind = |index: usize| u32::from(index.is_multiple_of(3));
            let tallied = Tallied::new(&groups, kind, 2);
            let by_index = |drawn: &[usize]| {
                let ones = drawn.iter().filter(|&&index| kind(index) == 1).count();
                Some(ones as f64 / drawn.len() as f64)
            };
            assert_eq!(
                bootstrap_counts(&tallied, 3, 999, 0.05, || share),
                bootstrap_statistic(&groups, 3, 999, 0.05, || by_index)
            );
        }
    }

    #[test]
    fn many_examples_give_the_normal_interval() {
        let n = 200_000;
        let groups: Vec<Vec<usize>> = (0..n).map(|index| vec![index]).collect();
        let tallied = Tallied::new(&groups, |index| u32::from(index % 5 == 0), 2);
        let got = bootstrap_counts(&tallied, 1, 1999, 0.05, || share).unwrap();
        let half = 1.96 * (0.16_f64 / n as f64).sqrt();
        assert!((got.low - (0.2 - half)).abs() < 0.06 * half, "{got:?}");
        assert!((got.high - (0.2 + half)).abs() < 0.06 * half, "{got:?}");
        assert_eq!(bootstrap_counts(&tallied, 1, 1999, 0.05, || share), Some(got));
    }

    #[test]
    fn poisson_numbers_have_their_mean_and_variance() {
        for mean in [0.3, 4.0, 9.9, 10.1, 80.0, 20_000.0] {
            let mut rng = Rng::new(5);
            let drawn: Vec<f64> = (0..40_000).map(|_| poisson(&mut rng, mean) as f64).collect();
            let got = drawn.iter().sum::<f64>() / drawn.len() as f64;
            let variance = drawn.iter().map(|x| (x - got).powi(2)).sum::<f64>() / drawn.len() as f64;
            assert!((got - mean).abs() < 5.0 * (mean / 40_000.0).sqrt(), "{mean}: {got}");
            assert!((variance / mean - 1.0).abs() < 0.05, "{mean}: {variance}");
        }
        assert_eq!(poisson(&mut Rng::new(1), 0.0), 0);
    }

    #[test]
    fn nothing_to_resample() {
        let one = group_indices(&[3, 3]);
        assert_eq!(bootstrap_statistic(&one, 1, 99, 0.05, || |_: &[usize]| Some(1.0)), None);
        let two = group_indices(&[3, 4]);
        assert_eq!(bootstrap_statistic(&two, 1, 99, 0.05, || |_: &[usize]| None), None);
        assert_eq!(bootstrap_statistic(&two, 1, 99, 0.05, || |_: &[usize]| Some(f64::NAN)), None);
        assert!(bootstrap_statistic(&two, 1, 99, 0.05, || |_: &[usize]| Some(1.0)).is_some());
    }
}
