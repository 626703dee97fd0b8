//! Sign-flip test over clusters (METHODS.md 2.4): exact up to 20 clusters that differ, and at any
//! number when all differ by the same amount; else Monte Carlo with a recorded seed.

use crate::stats::special::binomial_cdf;
use crate::stats::{RESAMPLES, lanes};

const TOLERANCE: f64 = 1e-12;
const EXACT_UP_TO: usize = 20;

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Both,
    Worse,
}

/// Two-sided p-value: the share of sign vectors with |Σ ±S| ≥ |Σ S| over the cluster sums S.
///
/// With one right-or-wrong pair a cluster it equals exact McNemar. No sums, only zeros, or a sum that
/// is not a number: 1. Below six clusters the smallest possible p exceeds 0.05 ([`signflip_floor`]).
pub fn cluster_signflip(sums: &[f64], seed: u64) -> f64 {
    p_value(sums, seed, Side::Both)
}

/// One-sided p-value that B is worse: the share of sign vectors with Σ ±S ≤ Σ S (METHODS.md 10).
pub fn cluster_signflip_worse(sums: &[f64], seed: u64) -> f64 {
    p_value(sums, seed, Side::Worse)
}

/// Below so many clusters no sign-flip test can come out under 0.05 (METHODS.md 2.4).
pub const FEWEST_CLUSTERS: u64 = 6;

/// The smallest two-sided p-value that this many clusters can give: 2/2^G, at most 1.
pub fn signflip_floor(groups: u64) -> f64 {
    0.5_f64.powf(groups as f64 - 1.0).min(1.0)
}

fn p_value(sums: &[f64], seed: u64, side: Side) -> f64 {
    // Zeros stay zero under any sign, so they change no share.
    let moving: Vec<f64> = sums.iter().copied().filter(|s| *s != 0.0).collect();
    let Some(&first) = moving.first() else {
        return 1.0;
    };
    let observed: f64 = moving.iter().sum();
    if !observed.is_finite() {
        return 1.0;
    }
    let scale = moving.iter().map(|s| s.abs()).sum::<f64>().max(1.0);
    let counts = |total: f64| match side {
        Side::Both => total.abs() >= observed.abs() - TOLERANCE * scale,
        Side::Worse => total <= observed + TOLERANCE * scale,
    };
    let size = first.abs();
    if moving.len() <= EXACT_UP_TO {
        exact(&moving, counts)
    } else if moving.iter().all(|s| s.abs() == size) {
        equal_sizes(&moving, side)
    } else {
        monte_carlo(&moving, seed, counts)
    }
}

fn exact(sums: &[f64], counts: impl Fn(f64) -> bool) -> f64 {
    let vectors = 1_u32 << sums.len();
    let hits = (0..vectors).filter(|mask| {
        let signed = sums.iter().enumerate();
        counts(signed.map(|(bit, s)| if mask >> bit & 1 == 1 { -s } else { *s }).sum())
    });
    hits.count() as f64 / f64::from(vectors)
}

/// Equal absolute sums: the number of positive signs is Binomial(G, ½), as in exact McNemar.
fn equal_sizes(sums: &[f64], side: Side) -> f64 {
    let all = sums.len() as u64;
    let positive = sums.iter().filter(|s| **s > 0.0).count() as u64;
    match side {
        Side::Worse => binomial_cdf(positive, all, 0.5),
        Side::Both => (2.0 * binomial_cdf(positive.min(all - positive), all, 0.5)).min(1.0),
    }
}

/// Sums of one block.
const BLOCK: usize = 64;

/// Blocks of 64 sums outside, sign vectors inside: a block's 256 sums of eight are looked up, not added
/// again for each vector, so that a million clusters take seconds. Blocks are dealt out to lanes.
fn monte_carlo(sums: &[f64], seed: u64, counts: impl Fn(f64) -> bool) -> f64 {
    let lanes = lanes::lanes(sums.len().div_ceil(BLOCK) * RESAMPLES as usize * LOOKUPS);
    let each = lanes::each(lanes, |lane| {
        let mut rng = lanes::stream(seed, lane);
        let mut totals = vec![0.0; RESAMPLES as usize];
        for block in sums.chunks(BLOCK).skip(lane).step_by(lanes) {
            let tables: Vec<[f64; 256]> = block.chunks(8).map(signed_sums).collect();
            for total in &mut totals {
                let bits = rng.next_u64().to_le_bytes();
                *total += tables.iter().zip(bits).map(|(table, byte)| table[usize::from(byte)]).sum::<f64>();
            }
        }
        totals
    });
    // Lane by lane, so that the rounding does not show how many threads there were.
    let totals = (0..RESAMPLES as usize).map(|vector| each.iter().map(|totals| totals[vector]).sum());
    let hits = totals.filter(|&total: &f64| counts(total)).count() as u32;
    f64::from(hits + 1) / f64::from(RESAMPLES + 1)
}

/// What a vector of signs costs a block, in random draws.
const LOOKUPS: usize = 8;

/// The sum of up to eight numbers for every choice of signs; a set bit is a minus.
fn signed_sums(numbers: &[f64]) -> [f64; 256] {
    std::array::from_fn(|mask| {
        let signed = numbers.iter().enumerate();
        signed.map(|(bit, number)| if mask >> bit & 1 == 1 { -number } else { *number }).sum()
    })
}
