//! Differences of two rates of which only counts are known.
//!
//! Pairing on the same examples is the rule (METHODS.md 2). Figures measured elsewhere often come as
//! counts alone: then the two are taken as independent samples, which is conservative where both
//! variants find the same examples hard (METHODS.md 9.2).

use super::proportion::wilson;
use super::{Interval, is_open_unit};

/// Two independent rates: right answers and examples of each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IndependentRates {
    /// Right answers of A.
    pub right_a: f64,
    /// Examples of A.
    pub n_a: f64,
    /// Right answers of B.
    pub right_b: f64,
    /// Examples of B.
    pub n_b: f64,
}

impl IndependentRates {
    /// Rate of B minus rate of A; 0 without examples.
    pub fn difference(&self) -> f64 {
        if self.n_a > 0.0 && self.n_b > 0.0 { self.right_b / self.n_b - self.right_a / self.n_a } else { 0.0 }
    }

    /// Interval of the difference B − A at 1 − alpha: square-and-add of Wilson's limits (Newcombe 1998,
    /// Stat Med 17:873, method 10). Without examples on one side: [−1, 1].
    pub fn interval(&self, alpha: f64) -> Interval {
        if !(self.n_a > 0.0 && self.n_b > 0.0 && is_open_unit(alpha)) {
            return Interval::DIFFERENCE;
        }
        let (rate_a, rate_b) = (self.right_a / self.n_a, self.right_b / self.n_b);
        let (a, b) = (wilson(self.right_a, self.n_a, alpha), wilson(self.right_b, self.n_b, alpha));
        let difference = rate_b - rate_a;
        Interval {
            low: (difference - (rate_b - b.low).hypot(a.high - rate_a)).max(-1.0),
            high: (difference + (b.high - rate_b).hypot(rate_a - a.low)).min(1.0),
        }
    }

    /// One-sided p-value of "B is not better than A by more than `delta`": the level at which the
    /// interval's lower end reaches `delta`; at least 1e-12.
    pub fn p_better_by(&self, delta: f64) -> f64 {
        if self.difference() <= delta {
            return 1.0;
        }
        let (mut refuses, mut shows) = (SMALLEST_P.ln(), 0.5_f64.ln());
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(refuses, shows);
            if self.interval(2.0 * middle.exp()).low > delta {
                shows = middle;
            } else {
                refuses = middle;
            }
        }
        shows.exp()
    }

    /// Two-sided p-value of no difference.
    pub fn p(&self) -> f64 {
        let mirrored = Self { right_a: self.right_b, n_a: self.n_b, right_b: self.right_a, n_b: self.n_a };
        (2.0 * self.p_better_by(0.0).min(mirrored.p_better_by(0.0))).min(1.0)
    }
}

/// Below this a p-value is not followed.
const SMALLEST_P: f64 = 1e-12;
const BISECTIONS: u32 = 60;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::paired::tango;
    use crate::stats::testing::close_to;

    #[test]
    fn newcombe_published_example() {
        // Newcombe 1998 (17:873), table II, example (a): 56/70 and 48/80, method 10: 0.0524 to 0.3339.
        let rates = IndependentRates { right_a: 48.0, n_a: 80.0, right_b: 56.0, n_b: 70.0 };
        let got = rates.interval(0.05);
        close_to(got.low, 0.0524, 1e-3);
        close_to(got.high, 0.3339, 1e-3);
        assert!(rates.p() < 0.05 && rates.p_better_by(0.0) < 0.025);
        assert!(rates.p_better_by(0.0524) < 0.0252 && rates.p_better_by(0.06) > 0.025);
        assert_eq!(rates.p_better_by(0.3), 1.0);
    }

    #[test]
    fn nothing_known_shows_nothing() {
        let none = IndependentRates { right_a: 0.0, n_a: 0.0, right_b: 1.0, n_b: 1.0 };
        assert_eq!(none.interval(0.05), Interval::DIFFERENCE);
        assert_eq!(none.p(), 1.0);
    }

    proptest! {
        #[test]
        fn counts_alone_say_no_more_than_pairs_that_go_together(n in 8_u32..200, a in 0.2..0.8_f64, b in 0.2..0.8_f64) {
            let n = f64::from(n);
            let (a, b) = ((a * n).round(), (b * n).round());
            let rates = IndependentRates { right_a: a, n_a: n, right_b: b, n_b: n };
            let unpaired = rates.interval(0.1);
            prop_assert!(unpaired.contains(rates.difference()));
            // Every example that the weaker one has right, the better one has right too.
            let paired = tango((b - a).max(0.0), (a - b).max(0.0), n, 0.1);
            prop_assert!(unpaired.width() > paired.width() - 0.02, "{unpaired:?} {paired:?}");
        }

        #[test]
        fn the_p_value_is_where_the_interval_ends(n in 5_u32..300, a in 0.0..=1.0_f64, b in 0.0..=1.0_f64, delta in -0.2..0.2_f64) {
            let n = f64::from(n);
            let rates = IndependentRates { right_a: (a * n).round(), n_a: n, right_b: (b * n).round(), n_b: n };
            let p = rates.p_better_by(delta);
            prop_assert!((0.0..=1.0).contains(&p) && (0.0..=1.0).contains(&rates.p()));
            prop_assert_eq!(p < 0.05, rates.interval(0.1).low > delta, "{}", p);
        }
    }
}
