//! The learning curve's interval: test clusters and draws resampled, the power law fitted anew to each resample.

use std::collections::BTreeMap;

use super::cross::in_parallel;
use super::curve::{Drawn, accuracy};
use crate::stats::Interval;
use crate::stats::curve::{error_weight, power_law_fit};
use crate::stats::rng::Rng;

/// Resamples: each takes a fit of some hundred steps, of which a debug build makes a second's work in a few.
const RESAMPLES: usize = if cfg!(test) { 99 } else { 499 };
/// They are shared out in so many parts, each with a stream of its own, however many threads there are.
const PARTS: usize = 16;

/// What resamples gave.
#[derive(Debug, Default)]
pub(super) struct Resampled {
    /// Mean errors by size.
    pub(super) errors: Vec<Vec<f64>>,
    /// Accuracy at the whole pool, by the fit.
    pub(super) at_pool: Vec<f64>,
    /// Measured accuracy at the whole pool, and the gain on top.
    pub(super) projected: Vec<f64>,
    /// Measured minus fitted accuracy at the whole pool.
    pub(super) missed: Vec<f64>,
    /// By the fit, from the whole pool to the planned number.
    pub(super) gain: Vec<f64>,
}

/// Sums of errors by cluster, so that a resample adds clusters and not examples.
struct Clusters {
    sizes: Vec<f64>,
    /// By size, then draw, then cluster.
    sums: Vec<Vec<Vec<f64>>>,
}

/// Resamples test clusters and draws.
pub(super) fn resampled(drawn: &Drawn, usable: &[bool], ends: [u64; 2], seed: u64) -> Resampled {
    let clusters = summed(drawn);
    let part = |part: usize| {
        let mut rng = Rng::new(Rng::new(seed).next_u64() ^ (part as u64 + 1));
        let count = RESAMPLES / PARTS + usize::from(part < RESAMPLES % PARTS);
        let mut found = Resampled { errors: vec![Vec::new(); drawn.sizes.len()], ..Resampled::default() };
        (0..count).for_each(|_| one(drawn, &clusters, usable, ends, &mut rng, &mut found));
        found
    };
    let mut all = Resampled { errors: vec![Vec::new(); drawn.sizes.len()], ..Resampled::default() };
    for found in in_parallel((0..PARTS).collect(), part) {
        all.errors.iter_mut().zip(found.errors).for_each(|(all, found)| all.extend(found));
        all.at_pool.extend(found.at_pool);
        all.projected.extend(found.projected);
        all.missed.extend(found.missed);
        all.gain.extend(found.gain);
    }
    all
}

fn one(drawn: &Drawn, clusters: &Clusters, usable: &[bool], ends: [u64; 2], rng: &mut Rng, found: &mut Resampled) {
    let groups = clusters.sizes.len();
    let mut times = vec![0.0; groups];
    (0..groups).for_each(|_| times[rng.below(groups)] += 1.0);
    let examples: f64 = times.iter().zip(&clusters.sizes).map(|(times, size)| times * size).sum();
    let draws = clusters.sums.iter().map(Vec::len).max().unwrap_or(0);
    let order: Vec<usize> = (0..draws).map(|_| rng.below(draws)).collect();
    let error = |of: &Vec<Vec<f64>>| {
        let sum = |draw: usize| of[draw].iter().zip(&times).map(|(sum, times)| sum * times).sum::<f64>();
        let of_draws: f64 = order.iter().map(|draw| sum(draw % of.len())).sum();
        of_draws / (order.len() as f64 * examples)
    };
    let errors: Vec<f64> = clusters.sums.iter().map(error).collect();
    found.errors.iter_mut().zip(&errors).for_each(|(all, error)| all.push(*error));
    let kept = || (0..usable.len()).filter(|size| usable[*size]);
    let n: Vec<f64> = kept().map(|size| drawn.sizes[size]).collect();
    let measured = 1.0 - errors.last().copied().unwrap_or(0.0);
    let errors: Vec<f64> = kept().map(|size| errors[size]).collect();
    let weights: Vec<f64> = errors.iter().map(|error| error_weight(*error, drawn.clusters.len() as f64)).collect();
    let Ok(law) = power_law_fit(&n, &errors, &weights) else { return };
    let [pool, target] = ends.map(|examples| accuracy(&law, examples));
    found.at_pool.push(pool);
    found.missed.push(measured - pool);
    found.projected.push((measured + target - pool).clamp(0.0, 1.0));
    found.gain.push(target - pool);
}

fn summed(drawn: &Drawn) -> Clusters {
    let mut numbers: BTreeMap<u32, usize> = BTreeMap::new();
    for cluster in &drawn.clusters {
        let next = numbers.len();
        numbers.entry(*cluster).or_insert(next);
    }
    let places: Vec<usize> = drawn.clusters.iter().map(|cluster| numbers[cluster]).collect();
    let sums = |errors: &Vec<f32>| {
        let mut sums = vec![0.0; numbers.len()];
        places.iter().zip(errors).for_each(|(place, error)| sums[*place] += f64::from(*error));
        sums
    };
    let mut sizes = vec![0.0; numbers.len()];
    places.iter().for_each(|place| sizes[*place] += 1.0);
    Clusters { sizes, sums: drawn.errors.iter().map(|draws| draws.iter().map(sums).collect()).collect() }
}

/// The mean error over draws and test examples.
pub(super) fn mean(draws: &[Vec<f32>]) -> f64 {
    let sum: f64 = draws.iter().flatten().map(|error| f64::from(*error)).sum();
    sum / (draws.iter().map(Vec::len).sum::<usize>() as f64).max(1.0)
}

/// Percentiles at two-sided `alpha`; `None` for too few values.
pub(super) fn interval(values: &[f64], alpha: f64) -> Option<Interval> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = ((sorted.len() as f64 + 1.0) * alpha / 2.0).floor().max(1.0) as usize;
    let (low, high) = (*sorted.get(rank - 1)?, *sorted.get(sorted.len().checked_sub(rank)?)?);
    (sorted.len() * 2 > RESAMPLES && low <= high).then_some(Interval { low, high })
}
