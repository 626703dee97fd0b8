//! Looking again and again: how often a run that may stop at every look stops on what is not true.

use ceiling::stats::Interval;
use ceiling::stats::paired::mcnemar;
use ceiling::stats::sequential::{anytime_difference, anytime_rate, cs_bernoulli, evalue_discordant};

use super::coverage::{pairs, scores};
use super::draw::{Draw, seed_of};
use super::tally::{Promise, Share, in_parallel};

const ALPHA: f64 = 0.05;
const KEPT: Promise = Promise::AtMost(ALPHA);
const FOR_CONTRAST: Promise = Promise::None;

/// One way of looking.
pub(crate) struct Looks {
    pub(crate) name: &'static str,
    pub(crate) promise: Promise,
    /// Worlds relative to the others: some are slow.
    pub(crate) share: f64,
    errs: fn(&mut Draw) -> bool,
}

impl Looks {
    /// How many of the worlds end with an error.
    pub(crate) fn run(&self, worlds: u64) -> Share {
        let worlds = ((worlds as f64 * self.share) as u64).max(20);
        let errs = |number| u64::from((self.errs)(&mut Draw::new(seed_of(self.name, 2, number))));
        Share { events: in_parallel(worlds, 0, errs, |a, b| a + b), worlds }
    }
}

/// Whether a rate that is exactly `rate` is ever excluded, looking after every ten examples.
fn one_rate(rate: f64, n: usize, draw: &mut Draw) -> bool {
    let mut right = 0.0;
    (1..=n).any(|seen| {
        right += f64::from(u8::from(draw.chance(rate)));
        seen % 10 == 0 && !cs_bernoulli(right, seen as f64, ALPHA).contains(rate)
    })
}

/// Whether the truth is ever outside `interval`, looking eight times at more and more of the values.
fn ever(interval: fn(&[f64], &[u32], f64) -> Interval, (values, clusters): (Vec<f64>, Vec<u32>), truth: f64) -> bool {
    (1..=8).any(|look| {
        let seen = values.len() * look / 8;
        !interval(&values[..seen], &clusters[..seen], ALPHA).contains(truth)
    })
}

/// Whether either of two equal variants is ever called better by `is_better`, after each discordant pair.
fn equal_pair(pairs: usize, every: usize, is_better: fn(u64, u64) -> bool, draw: &mut Draw) -> bool {
    let mut counts = [0_u64; 2];
    (1..=pairs).any(|seen| {
        counts[usize::from(draw.chance(0.5))] += 1;
        seen % every == 0 && is_better(counts[0], counts[1])
    })
}

/// All of them.
pub(crate) const ALL: &[Looks] = &[
    Looks {
        name: "accuracy against a target that it meets exactly (90%), 100 looks up to 1,000 examples",
        promise: KEPT,
        share: 0.5,
        errs: |draw| one_rate(0.9, 1000, draw),
    },
    Looks {
        name: "validity against a target that it meets exactly (99%), 200 looks up to 2,000 examples",
        promise: KEPT,
        share: 0.25,
        errs: |draw| one_rate(0.99, 2000, draw),
    },
    Looks {
        name: "a mean of scores in quarters (80%), 8 looks up to 400 examples",
        promise: KEPT,
        share: 0.25,
        errs: |draw| {
            let value = |draw: &mut Draw| draw.binomial(4, 0.8) as f64 / 4.0;
            let values: Vec<f64> = (0..400).map(|_| value(draw)).collect();
            ever(anytime_rate, (values, (0..400).collect()), 0.8)
        },
    },
    Looks {
        name: "accuracy in clusters of ten (correlation 0.3), 8 looks up to 120 clusters",
        promise: KEPT,
        share: 0.5,
        errs: |draw| ever(anytime_rate, scores(&[10; 120], 0.9, 0.3, draw), 0.9),
    },
    Looks {
        name: "paired difference (5 points), 8 looks up to 400 examples",
        promise: KEPT,
        share: 0.25,
        errs: |draw| ever(anytime_difference, pairs(&[1; 400], [0.85, 0.9], 0.8, 0.0, draw), 0.9 - 0.85),
    },
    Looks {
        name: "two equal variants, the e-value after each of 500 discordant pairs",
        promise: KEPT,
        share: 1.0,
        errs: |draw| equal_pair(500, 1, |wins, losses| evalue_discordant(wins, losses) >= 1.0 / ALPHA, draw),
    },
    Looks {
        name: "for contrast: mid-p at 5% after every ten discordant pairs, which nothing here does",
        promise: FOR_CONTRAST,
        share: 0.5,
        errs: |draw| equal_pair(500, 10, |wins, losses| mcnemar(wins, losses).mid_p < ALPHA, draw),
    },
];
