//! One figure against one target, look after look (METHODS.md 11): constant work a step.

use super::anytime::{Outcomes, Stakes, Step, Wealth, is_look, ln_limit};
use super::ln_mixture;
use crate::stats::TargetAnswer;

/// Whether the mean of a sequence reaches a target.
///
/// Met once the confidence sequence's lower end is at or above the target, missed once its upper end
/// is below it; once settled it stays so. The chance that a sequence is ever settled on the wrong
/// side is at most alpha, however often and whenever one looks.
#[derive(Debug, Clone)]
pub struct SequentialTest {
    outcomes: Outcomes,
    target: f64,
    alpha: f64,
    /// Binary: right and wrong calls.
    right: f64,
    wrong: f64,
    /// Bounded: the steps so far, what is bet next, and what was won.
    history: Vec<Step>,
    stakes: Stakes,
    wealth: Wealth,
    settled: Option<TargetAnswer>,
}

impl SequentialTest {
    /// A test without data. `target` is a share; `alpha` the chance of a wrong answer.
    pub fn new(outcomes: Outcomes, target: f64, alpha: f64) -> Self {
        Self {
            outcomes,
            target,
            alpha,
            right: 0.0,
            wrong: 0.0,
            history: Vec::new(),
            stakes: Stakes::new(outcomes.largest(), alpha),
            wealth: Wealth::default(),
            settled: None,
        }
    }

    /// Takes the next step of a bounded sequence and looks.
    pub fn push(&mut self, step: Step) {
        self.history.push(step);
        self.bet(step);
    }

    /// Takes the next calls of a binary sequence and looks.
    pub fn push_calls(&mut self, right: u64, wrong: u64) {
        self.right += right as f64;
        self.wrong += wrong as f64;
        if self.settled.is_none() && is_look((self.right + self.wrong) as u64) {
            self.settled = self.mixture_answer(self.right, self.wrong);
        }
    }

    /// What kind of values it takes.
    pub fn outcomes(&self) -> Outcomes {
        self.outcomes
    }

    /// What has been settled, if anything.
    pub fn settled(&self) -> Option<TargetAnswer> {
        self.settled
    }

    /// Right and wrong calls of a binary sequence.
    pub fn calls(&self) -> (f64, f64) {
        (self.right, self.wrong)
    }

    /// Whether the sequence, gone on at its present rate for `more` steps, would be settled. A
    /// bounded one goes on by repeating what it has seen, so that its spread stays what it is.
    pub fn settles_at_this_rate(&self, more: u64) -> bool {
        let n = self.right + self.wrong;
        match self.outcomes {
            _ if self.settled.is_some() => true,
            Outcomes::Binary if n == 0.0 => true,
            Outcomes::Binary => {
                let scale = (n + more as f64) / n;
                self.mixture_answer(self.right * scale, self.wrong * scale).is_some()
            }
            Outcomes::Bounded { .. } if self.history.is_empty() => true,
            Outcomes::Bounded { .. } => {
                let again = self.history.iter().cycle().copied();
                self.would_settle(again.take(more as usize)).is_some()
            }
        }
    }

    /// Whether the target could still be shown to be met if all of `more` steps were right.
    pub fn can_be_met(&self, more: u64) -> bool {
        let answer = match self.outcomes {
            _ if self.settled.is_some() => self.settled,
            Outcomes::Binary => self.mixture_answer(self.right + more as f64, self.wrong),
            Outcomes::Bounded { largest } => {
                let size = largest.max(1) as f64;
                self.would_settle(std::iter::repeat_n(Step { mean: 1.0, size }, more as usize))
            }
        };
        answer == Some(TargetAnswer::Met)
    }

    fn would_settle(&self, steps: impl Iterator<Item = Step>) -> Option<TargetAnswer> {
        let mut ahead = Self { history: Vec::new(), stakes: self.stakes.clone(), ..*self };
        for step in steps {
            ahead.bet(step);
            if ahead.settled.is_some() {
                break;
            }
        }
        ahead.settled
    }

    fn bet(&mut self, step: Step) {
        let bet = self.stakes.next(step);
        let target = self.target.clamp(0.0, 1.0);
        self.wealth.add(bet, target);
        let limit = ln_limit(self.alpha);
        if self.settled.is_some() {
            return;
        }
        // Every mean is at least 0; none is shown to be 1, and any loss shows that it is less.
        if self.target <= 0.0 || (self.wealth.up >= limit && self.target < 1.0) {
            self.settled = Some(TargetAnswer::Met);
        } else if self.target > 1.0 || self.wealth.down > limit {
            self.settled = Some(TargetAnswer::NotMet);
        }
    }

    /// Whether these calls lie on one side of the target for good.
    fn mixture_answer(&self, right: f64, wrong: f64) -> Option<TargetAnswer> {
        let (target, n) = (self.target, right + wrong);
        if n <= 0.0 {
            return None;
        }
        if target <= 0.0 {
            return Some(TargetAnswer::Met);
        }
        if target >= 1.0 {
            return (target > 1.0 || wrong > 0.0).then_some(TargetAnswer::NotMet);
        }
        let far = ln_mixture(right, wrong, target) >= -self.alpha.ln();
        match right / n {
            rate if far && rate > target => Some(TargetAnswer::Met),
            rate if far && rate < target => Some(TargetAnswer::NotMet),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Interval;
    use crate::stats::rng::Rng;
    use crate::stats::sequential::{anytime_mean, cs_bernoulli};

    const SINGLES: Outcomes = Outcomes::Bounded { largest: 1 };

    fn answer_of(interval: Interval, target: f64) -> Option<TargetAnswer> {
        if interval.low >= target {
            Some(TargetAnswer::Met)
        } else if interval.high < target {
            Some(TargetAnswer::NotMet)
        } else {
            None
        }
    }

    #[test]
    fn a_test_says_what_the_sequence_says() {
        let mut rng = Rng::new(5);
        for round in 0..60 {
            let (rate, target) = (rng.unit(), 0.1 + 0.8 * rng.unit());
            let graded = round % 2 == 0;
            let values: Vec<f64> = (0..120)
                .map(|_| if graded { (rate + rng.unit()) / 2.0 } else { f64::from(u8::from(rng.unit() < rate)) })
                .collect();
            let outcomes = if graded { SINGLES } else { Outcomes::Binary };
            let clusters: Vec<u32> = (0..120).collect();
            let mut test = SequentialTest::new(outcomes, target, 0.05);
            for (place, value) in values.iter().enumerate() {
                match outcomes {
                    Outcomes::Binary => test.push_calls(u64::from(*value == 1.0), u64::from(*value == 0.0)),
                    Outcomes::Bounded { .. } => test.push(Step { mean: *value, size: 1.0 }),
                }
                if place % 17 == 0 || place == 119 {
                    let seen = anytime_mean(outcomes, &values[..=place], &clusters[..=place], 0.05);
                    assert_eq!(test.settled(), answer_of(seen, target), "{outcomes:?} {rate} {target} {place}");
                }
            }
        }
    }

    #[test]
    fn the_ends_of_the_scale() {
        let answers = |outcomes, target: f64| {
            let mut test = SequentialTest::new(outcomes, target, 0.05);
            match outcomes {
                Outcomes::Binary => test.push_calls(40, 1),
                Outcomes::Bounded { .. } => {
                    (0..40).for_each(|_| test.push(Step { mean: 1.0, size: 1.0 }));
                    test.push(Step { mean: 0.0, size: 1.0 });
                }
            }
            test.settled()
        };
        for outcomes in [Outcomes::Binary, SINGLES] {
            assert_eq!(answers(outcomes, 0.0), Some(TargetAnswer::Met));
            assert_eq!(answers(outcomes, 0.5), Some(TargetAnswer::Met));
            assert_eq!(answers(outcomes, 0.97), None);
            assert_eq!(answers(outcomes, 1.5), Some(TargetAnswer::NotMet));
        }
        assert_eq!(answers(Outcomes::Binary, 1.0), Some(TargetAnswer::NotMet));
    }

    #[test]
    fn what_is_to_come_is_judged_by_what_came() {
        let mut test = SequentialTest::new(Outcomes::Binary, 0.9, 0.05);
        test.push_calls(19, 1);
        assert!(test.can_be_met(260) && test.settles_at_this_rate(480));
        assert!(!test.settles_at_this_rate(60));
        // 99.9% cannot be shown on 280 examples, however right they are.
        let mut validity = SequentialTest::new(Outcomes::Binary, 0.999, 0.05);
        validity.push_calls(20, 0);
        assert!(!validity.can_be_met(260) && !validity.settles_at_this_rate(260));
        assert!(cs_bernoulli(280.0, 280.0, 0.05).low < 0.999);
        validity.push_calls(0, 2);
        assert!(validity.settles_at_this_rate(258), "it will be missed");
        let mut graded = SequentialTest::new(SINGLES, 0.9, 0.05);
        (0..20).for_each(|place| graded.push(Step { mean: f64::from(place % 4).min(1.0), size: 1.0 }));
        assert!(graded.settles_at_this_rate(300) && !graded.settles_at_this_rate(1));
        assert_eq!(graded.settled(), None);
    }
}
