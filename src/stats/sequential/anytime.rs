//! Confidence sequences of the figures of a run that may stop early (METHODS.md 11).
//!
//! **Order.** Values must come in the order in which they were looked at: the shuffled order of the
//! run, whole clusters one after the other. That order, not the order in which answers arrived, is
//! what makes them exchangeable; sorted by name, by score or by speed they prove nothing.
//!
//! **Looks.** Every end is the best of all looks so far (the running intersection), so that what was
//! settled at one look stays settled at the next.
//!
//! **Clusters.** A cluster is one step. In our estimates examples weigh equally, clusters do not, so
//! the mean m of the examples is E[sum of a cluster's scores] / E[its size], and what has mean zero
//! at each step is `size·(cluster mean − m)`. The betting martingale is therefore taken over
//! `w·(y − m)` with `w = size / largest`, at most 1, so that the stakes of
//! [`betting_cs`](super::betting_cs) keep it positive. With clusters of one size w is 1 and this is
//! `betting_cs` over the cluster means, as METHODS.md 11 has it. `largest` must be known before the
//! values: it is the largest cluster of the plan. Taken from the clusters seen so far it is right
//! only where one of the largest is among them, or where size tells nothing of the score.

use super::{cs_end, evalue_discordant, largest_excluded};
use crate::stats::cluster::{all_singletons, check_lengths, check_range, cluster_sums};
use crate::stats::{Interval, is_open_unit};

/// Truncation of the stakes: at most half of what is at stake is bet.
const TRUNCATION: f64 = 0.5;

/// What kind of values a sequence has; it must be known before they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcomes {
    /// One right-or-wrong call an independent example: the Jeffreys mixture.
    Binary,
    /// Anything else in [0, 1]: clusters, repeats, graded scores. Betting.
    Bounded {
        /// Examples of the largest cluster that may come; 1 without clusters.
        largest: u64,
    },
}

impl Outcomes {
    /// The kind that values look like: [`Outcomes::Binary`] where each is 0 or 1 and no two share a
    /// cluster. Values of a graded scorer may all happen to be 0 or 1: who knows the scorer says so.
    pub fn of(values: &[f64], clusters: &[u32]) -> Self {
        let binary = values.iter().all(|&value| value == 0.0 || value == 1.0);
        if binary && all_singletons(clusters) { Self::Binary } else { Self::bounded(clusters) }
    }

    /// Examples of the largest cluster that may come.
    pub fn largest(self) -> u64 {
        match self {
            Self::Binary => 1,
            Self::Bounded { largest } => largest,
        }
    }

    /// Bounded values in these clusters, of which none is to come that is larger.
    pub fn bounded(clusters: &[u32]) -> Self {
        let ones = vec![1.0; clusters.len()];
        Self::Bounded { largest: cluster_sums(&ones, clusters).into_iter().map(|(_, size)| size).max().unwrap_or(1) }
    }
}

/// One step of a sequence: a cluster, or an example that is its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The mean over its examples, in [0, 1].
    pub mean: f64,
    /// Its examples.
    pub size: f64,
}

/// Confidence sequence at 1 − alpha of the mean of scores in [0, 1], two-sided, at the last look.
///
/// Values in the shuffled order (see the module's head). Independent right-or-wrong calls use the
/// Jeffreys mixture of [`cs_bernoulli`](super::cs_bernoulli), everything else the hedged betting
/// sequence. It estimates the mean over examples. No data and unusable input give [0, 1]. Where the
/// plan has larger clusters than these, or the scorer grades, use [`anytime_mean`].
pub fn anytime_rate(scores: &[f64], clusters: &[u32], alpha: f64) -> Interval {
    anytime_mean(Outcomes::of(scores, clusters), scores, clusters, alpha)
}

/// [`anytime_rate`] of values whose kind is known beforehand, as it is in a run.
pub fn anytime_mean(outcomes: Outcomes, scores: &[f64], clusters: &[u32], alpha: f64) -> Interval {
    let usable = check_lengths(scores, clusters).is_ok() && check_range("score", scores, 0.0).is_ok();
    if !usable || scores.is_empty() || !is_open_unit(alpha) {
        return Interval::UNIT;
    }
    let (low, high) = match outcomes {
        Outcomes::Binary => (mixture_low(scores, alpha, 1.0), 1.0 - mixture_low(scores, alpha, 0.0)),
        Outcomes::Bounded { largest } => {
            let bets = bets(&steps(scores, clusters), largest, alpha);
            let mirrored: Vec<Bet> = bets.iter().map(|bet| Bet { mean: 1.0 - bet.mean, ..*bet }).collect();
            (betting_low(&bets, alpha), 1.0 - betting_low(&mirrored, alpha))
        }
    };
    Interval { low: low.min(high), high: high.max(low) }
}

/// Confidence sequence at 1 − alpha of the mean of differences in [−1, 1], two-sided, at the last
/// look: the betting sequence over y = (d + 1)/2, mapped back.
///
/// Values in the shuffled order, only pairs that both variants have. No data and unusable input give
/// [−1, 1]. Where the plan has larger clusters than these, use [`anytime_mean_difference`].
pub fn anytime_difference(d: &[f64], clusters: &[u32], alpha: f64) -> Interval {
    anytime_mean_difference(Outcomes::bounded(clusters), d, clusters, alpha)
}

/// [`anytime_difference`] within a plan whose largest cluster is known; differences are always
/// [`Outcomes::Bounded`].
pub fn anytime_mean_difference(outcomes: Outcomes, d: &[f64], clusters: &[u32], alpha: f64) -> Interval {
    let halved: Vec<f64> = d.iter().map(|d| f64::midpoint(*d, 1.0)).collect();
    let bounded = Outcomes::Bounded { largest: outcomes.largest() };
    let mapped = anytime_mean(bounded, &halved, clusters, alpha);
    Interval { low: 2.0 * mapped.low - 1.0, high: 2.0 * mapped.high - 1.0 }
}

/// Anytime-valid two-sided p-value of no difference: 1 over the largest e-value so far, at most 1.
///
/// `outcomes` is the kind of both sides' values: [`Outcomes::Binary`] uses [`evalue_discordant`], the
/// other the betting martingale at a difference of 0, whose stakes are those of level `alpha`.
/// Unusable input: 1.
pub fn anytime_p(outcomes: Outcomes, d: &[f64], clusters: &[u32], alpha: f64) -> f64 {
    let usable = check_lengths(d, clusters).is_ok() && check_range("difference", d, -1.0).is_ok();
    if !usable || !is_open_unit(alpha) {
        return 1.0;
    }
    let e_value = if outcomes == Outcomes::Binary {
        let (mut wins, mut losses) = (0, 0);
        let each = d.iter().filter(|d| **d != 0.0).map(|&d| {
            wins += u64::from(d > 0.0);
            losses += u64::from(d < 0.0);
            evalue_discordant(wins, losses)
        });
        each.fold(1.0, f64::max)
    } else {
        let halved: Vec<f64> = d.iter().map(|d| f64::midpoint(*d, 1.0)).collect();
        let mut wealth = Wealth::default();
        let each = bets(&steps(&halved, clusters), outcomes.largest(), alpha).into_iter().map(|bet| {
            wealth.add(bet, 0.5);
            f64::midpoint(wealth.up.exp(), wealth.down.exp())
        });
        each.fold(1.0, f64::max)
    };
    (1.0 / e_value).clamp(0.0, 1.0)
}

/// Values as steps, clusters in the order in which they first come.
fn steps(values: &[f64], clusters: &[u32]) -> Vec<Step> {
    let mut places = std::collections::HashMap::new();
    let mut steps: Vec<Step> = Vec::new();
    for (value, cluster) in values.iter().zip(clusters) {
        let place = *places.entry(*cluster).or_insert(steps.len());
        if place == steps.len() {
            steps.push(Step { mean: 0.0, size: 0.0 });
        }
        let step = &mut steps[place];
        step.mean += value;
        step.size += 1.0;
    }
    steps.iter().map(|step| Step { mean: (step.mean / step.size).clamp(0.0, 1.0), size: step.size }).collect()
}

/// The best lower end of the mixture over all looks, for the rate of values equal to `counted`.
fn mixture_low(values: &[f64], alpha: f64, counted: f64) -> f64 {
    let (mut x, mut n, mut best) = (0.0, 0_u64, 0.0_f64);
    for &value in values {
        n += 1;
        x += f64::from(u8::from(value == counted));
        let last = n == values.len() as u64;
        // Only a counted value can raise the lower end.
        if (is_look(n) && value == counted) || last {
            best = best.max(mixture_end(x, n as f64 - x, alpha));
        }
    }
    best
}

/// The lower end of [`cs_bernoulli`](super::cs_bernoulli) alone, on the rarer side like there.
fn mixture_end(x: f64, y: f64, alpha: f64) -> f64 {
    if x == 0.0 {
        0.0
    } else if x <= y {
        cs_end(x, y, alpha, 0.0, x / (x + y))
    } else {
        1.0 - cs_end(y, x, alpha, 1.0, y / (x + y))
    }
}

/// Whether the mixture is looked at after so many values: always at first, later at each hundredth.
pub(super) fn is_look(n: u64) -> bool {
    n <= 5_000 || n.is_multiple_of(100)
}

/// A step with what is bet on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bet {
    mean: f64,
    weight: f64,
    stake: f64,
}

/// The predictable stakes λ_t, and what they depend on.
#[derive(Debug, Clone)]
pub(super) struct Stakes {
    numerator: f64,
    t: f64,
    weights: f64,
    sum: f64,
    squares: f64,
    variance: f64,
    largest: f64,
}

impl Stakes {
    pub(super) fn new(largest: u64, alpha: f64) -> Self {
        let numerator = 2.0 * (2.0 / alpha).ln();
        let largest = largest.max(1) as f64;
        Self { numerator, t: 0.0, weights: 1.0, sum: 0.5, squares: 0.25, variance: 0.25, largest }
    }

    /// The bet on a step; its stake rests on the steps before alone.
    pub(super) fn next(&mut self, step: Step) -> Bet {
        self.t += 1.0;
        let stake = (self.numerator / (self.variance * self.t * self.t.ln_1p())).sqrt();
        let weight = (step.size / self.largest).min(1.0);
        self.weights += weight;
        self.sum += weight * step.mean;
        let gap = weight * (step.mean - self.sum / self.weights);
        self.squares += gap * gap;
        self.variance = self.squares / (self.t + 1.0);
        Bet { mean: step.mean, weight, stake }
    }
}

fn bets(steps: &[Step], largest: u64, alpha: f64) -> Vec<Bet> {
    let mut stakes = Stakes::new(largest, alpha);
    steps.iter().map(|step| stakes.next(*step)).collect()
}

/// ln of what both halves of the hedge have come to at one mean, each from 1.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wealth {
    pub(super) up: f64,
    pub(super) down: f64,
}

impl Wealth {
    pub(super) fn add(&mut self, bet: Bet, mean: f64) {
        self.up += growth(bet, mean);
        self.down += growth(Bet { mean: 1.0 - bet.mean, ..bet }, 1.0 - mean);
    }
}

/// ln of the factor by which a bet on "more than `mean`" changes its wealth.
fn growth(bet: Bet, mean: f64) -> f64 {
    (bet.stake.min(TRUNCATION / mean) * bet.weight * (bet.mean - mean)).ln_1p()
}

/// What each half of the hedge must come to, as ln.
pub(super) fn ln_limit(alpha: f64) -> f64 {
    (2.0 / alpha).ln()
}

/// The largest mean that a look has excluded from above; 0 where none has.
fn betting_low(bets: &[Bet], alpha: f64) -> f64 {
    let limit = ln_limit(alpha);
    // The wealth falls with the mean at every look, so their maximum does too.
    let reached = |mean: f64| {
        let mut wealth = 0.0;
        bets.iter().any(|bet| {
            wealth += growth(*bet, mean);
            wealth >= limit
        })
    };
    largest_excluded(reached)
}

#[cfg(test)]
mod tests;
