//! Faults at seeded rates: which request meets which fault depends on the seed and on the request's
//! number alone.

use super::Answer;
use super::faults::{self, RetryAfter};

/// What a fault answers in place of the right answer.
pub(crate) type Fault = fn(Answer) -> Answer;

/// Faults with their shares of all requests.
pub(crate) struct Mix {
    seed: u64,
    shares: Vec<(f64, Fault)>,
}

impl Mix {
    pub(crate) fn new(seed: u64, shares: Vec<(f64, Fault)>) -> Self {
        Self { seed, shares }
    }

    /// The rates at which a run is to lose nothing: 5% rate limits that state a second, 2% errors, 1% resets, 1%
    /// truncated bodies, 0.5% stalls.
    pub(crate) fn usual(seed: u64) -> Self {
        Self::new(
            seed,
            vec![
                (0.05, |_| faults::rate_limited(RetryAfter::Seconds(1))),
                (0.02, |_| faults::failed(500)),
                (0.005, |_| faults::reset()),
                (0.005, faults::reset_midway),
                (0.01, faults::truncated),
                (0.005, faults::stalling),
            ],
        )
    }

    /// The how-manieth request's answer: right, or what one of the faults makes of it.
    pub(crate) fn answer(&self, number: usize, right: Answer) -> Answer {
        let mut at = share(self.seed, number as u64);
        for (share, fault) in &self.shares {
            if at < *share {
                return fault(right);
            }
            at -= share;
        }
        right
    }
}

/// A number in [0, 1) for a place in a seeded sequence (SplitMix64).
pub(crate) fn share(seed: u64, place: u64) -> f64 {
    let mut z = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
