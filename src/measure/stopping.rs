//! When a variant needs no more answers (METHODS.md 11): `run --stop-when-decided` as a pure rule.
//!
//! The rule looks at a variant after each step of the shuffled order, a whole cluster or an example
//! that is its own, and only at the steps before which nothing is missing: what answers out of turn
//! waits, since slow answers may be wrong more often. What a variant's answers come to thus does not
//! depend on the order in which they arrive.
//!
//! Each target is settled by its own sequence, wrongly with a chance of at most alpha. A target for
//! which that is out of sight does not hold the stop back; nor does the budget, for which there is
//! no sequence.

mod design;

use serde::Serialize;

pub use design::{Design, Goal, Observed, Speed, Target, is_graded};

use crate::stats::sequential::{Outcomes, SequentialTest, Step, cs_bernoulli};
use crate::stats::{Interval, TargetAnswer};

/// The quantile that the latency target names.
const QUANTILE: f64 = 0.95;

/// Steps before which no target is given up.
const LEAST_STEPS: u64 = 20;

/// A bounded sequence is gone on with, to see whether it is futile, this often in a whole plan.
const OUTLOOKS: u64 = 200;

/// Why a variant is asked no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// Every target is settled.
    Decided,
    /// What is not settled would not be at the end of the plan either, at the present rate.
    Futile,
}

/// How one target stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GoalState {
    /// The target.
    pub target: Target,
    /// As in the suite.
    pub value: f64,
    /// Met, missed, or not enough evidence.
    pub answer: TargetAnswer,
    /// Examples after which it was settled.
    pub settled_at: Option<u64>,
    /// For the latency target: the sequence of the share of answers over the limit.
    pub over_limit: Option<Interval>,
}

/// One goal of one variant.
#[derive(Debug, Clone)]
struct GoalTest {
    goal: Goal,
    test: SequentialTest,
    settled_at: Option<u64>,
    /// Set where the figures cannot come: it holds nothing back.
    void: bool,
}

/// An example's trials so far.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    over: u32,
    score: f64,
    scored: u32,
    valid: u32,
    judged: u32,
    within: u32,
    late: u32,
    stale: bool,
}

#[derive(Debug, Clone)]
struct Lane {
    goals: Vec<GoalTest>,
    sums: Vec<Sum>,
    /// Examples of whole steps from the start.
    whole: usize,
    /// Examples from the start of which every repeat is over; a part of a step beyond `whole` among them.
    over: usize,
    steps: u64,
    trials: u64,
    stopped: Option<(Stop, u64)>,
}

/// The rule, with what it was told so far.
#[derive(Debug, Clone)]
pub struct Stopping {
    design: Design,
    step_count: u64,
    lanes: Vec<Lane>,
}

impl Stopping {
    /// A rule that has seen nothing.
    pub fn new(design: Design) -> Self {
        let step_count = design.step_count();
        let test = |goal: &Goal| {
            let (outcomes, share) = match goal.target {
                Target::Accuracy => (design.outcomes(design.graded), goal.value),
                Target::SchemaValidity => (design.outcomes(false), goal.value),
                Target::TtftP95Ms => (Outcomes::Binary, QUANTILE),
            };
            let test = SequentialTest::new(outcomes, share, design.alpha);
            GoalTest { goal: *goal, test, settled_at: None, void: false }
        };
        let lane = |goals: &Vec<Goal>| Lane {
            goals: goals.iter().map(test).collect(),
            sums: vec![Sum::default(); design.steps.len()],
            whole: 0,
            over: 0,
            steps: 0,
            trials: 0,
            stopped: None,
        };
        let lanes = design.goals.iter().map(lane).collect();
        Self { lanes, step_count, design }
    }

    /// What was planned.
    pub fn design(&self) -> &Design {
        &self.design
    }

    /// Takes a trial that is over, each once and in any order; says if it makes its variant stop.
    /// Unknown variants and examples are ignored.
    pub fn observe(&mut self, variant: usize, example: usize, seen: Observed) -> Option<Stop> {
        let lane = self.lanes.get_mut(variant)?;
        let sum = lane.sums.get_mut(example).filter(|sum| sum.over < self.design.repeats)?;
        sum.add(seen);
        lane.trials += 1;
        let before = lane.stopped;
        while lane.advance(&self.design, self.step_count) {}
        lane.stopped.filter(|_| before.is_none()).map(|(stop, _)| stop)
    }

    /// Why a variant is asked no more; `None` while it is.
    pub fn stopped(&self, variant: usize) -> Option<Stop> {
        self.lanes.get(variant)?.stopped.map(|(stop, _)| stop)
    }

    /// Examples of a variant after which it was stopped.
    pub fn stopped_at(&self, variant: usize) -> Option<u64> {
        self.lanes.get(variant)?.stopped.map(|(_, examples)| examples)
    }

    /// Examples of a variant, from the start of the order, that were looked at.
    pub fn looked_at(&self, variant: usize) -> usize {
        self.lanes.get(variant).map_or(0, |lane| lane.whole)
    }

    /// Trials of a variant that the rule was not told of.
    pub fn to_go(&self, variant: usize) -> u64 {
        let planned = self.design.steps.len() as u64 * u64::from(self.design.repeats);
        self.lanes.get(variant).map_or(0, |lane| planned - lane.trials)
    }

    /// How a variant's targets stand.
    pub fn goals(&self, variant: usize) -> Vec<GoalState> {
        let state = |goal: &GoalTest| GoalState {
            target: goal.goal.target,
            value: goal.goal.value,
            answer: goal.test.settled().unwrap_or(TargetAnswer::NotEnoughEvidence),
            settled_at: goal.settled_at,
            over_limit: (goal.goal.target == Target::TtftP95Ms).then(|| over_limit(&goal.test, self.design.alpha)),
        };
        self.lanes.get(variant).map_or_else(Vec::new, |lane| lane.goals.iter().map(state).collect())
    }
}

/// The sequence of the share over the limit; what was settled before stays so.
fn over_limit(test: &SequentialTest, alpha: f64) -> Interval {
    let (within, over) = test.calls();
    let now = cs_bernoulli(over, within + over, alpha);
    match test.settled() {
        Some(TargetAnswer::Met) => Interval { low: now.low.min(1.0 - QUANTILE), high: now.high.min(1.0 - QUANTILE) },
        Some(TargetAnswer::NotMet) => Interval { low: now.low.max(1.0 - QUANTILE), high: now.high.max(1.0 - QUANTILE) },
        _ => now,
    }
}

impl Sum {
    fn add(&mut self, seen: Observed) {
        self.over += 1;
        if let Some(score) = seen.score {
            self.score += score;
            self.scored += 1;
        }
        if let Some(valid) = seen.valid {
            self.valid += u32::from(valid);
            self.judged += 1;
        }
        self.within += u32::from(seen.speed == Speed::Within);
        self.late += u32::from(seen.speed == Speed::Over);
        self.stale |= seen.speed == Speed::Stale;
    }

    fn mean(&self, target: Target) -> Option<f64> {
        match target {
            Target::Accuracy => (self.scored > 0).then(|| (self.score / f64::from(self.scored)).clamp(0.0, 1.0)),
            Target::SchemaValidity => (self.judged > 0).then(|| f64::from(self.valid) / f64::from(self.judged)),
            Target::TtftP95Ms => None,
        }
    }
}

impl Lane {
    /// Takes the next step if all of it is over.
    fn advance(&mut self, design: &Design, step_count: u64) -> bool {
        let from = self.whole;
        let Some(step) = design.steps.get(from) else { return false };
        while self.sums.get(self.over).is_some_and(|sum| sum.over >= design.repeats) {
            self.over += 1;
        }
        if self.over == from || design.steps.get(self.over) == Some(step) {
            return false;
        }
        let size = design.steps[from..].iter().take_while(|other| *other == step).count();
        let sums = &self.sums[from..from + size];
        self.whole += size;
        self.steps += 1;
        for goal in &mut self.goals {
            goal.take(sums);
            if goal.settled_at.is_none() && goal.test.settled().is_some() {
                goal.settled_at = Some(self.whole as u64);
            }
        }
        self.look(design, step_count);
        true
    }

    /// Whether to stop here; what has stopped may still be decided by what was under way.
    fn look(&mut self, design: &Design, step_count: u64) {
        let mut holding = self.goals.iter().filter(|goal| !goal.void).peekable();
        if holding.peek().is_none() {
            return;
        }
        let at = self.stopped.map_or(self.whole as u64, |(_, at)| at);
        let open: Vec<&GoalTest> = holding.filter(|goal| goal.test.settled().is_none()).collect();
        if open.is_empty() {
            self.stopped = Some((Stop::Decided, at));
        } else if self.stopped.is_none() && open.iter().all(|goal| self.is_futile(goal, design, step_count)) {
            self.stopped = Some((Stop::Futile, at));
        }
    }

    /// METHODS.md 11: the sequence at the end of the plan, gone on at the present rate, settles
    /// nothing. A rate is too rough to go on with before half of the plan, unless no answers to come
    /// could show that the target is met.
    fn is_futile(&self, goal: &GoalTest, design: &Design, step_count: u64) -> bool {
        let more_steps = step_count - self.steps;
        let is_time = self.steps >= LEAST_STEPS && self.steps.is_multiple_of((step_count / OUTLOOKS).max(1));
        if !is_time || more_steps == 0 {
            return false;
        }
        let more = match goal.goal.target {
            Target::TtftP95Ms => (design.steps.len() - self.whole) as u64 * u64::from(design.repeats),
            Target::Accuracy | Target::SchemaValidity => more_steps,
        };
        let is_late = 2 * self.steps >= step_count;
        (is_late || !goal.test.can_be_met(more)) && !goal.test.settles_at_this_rate(more)
    }
}

impl GoalTest {
    /// Takes the examples of a step; those without a value are not in it.
    fn take(&mut self, sums: &[Sum]) {
        if self.goal.target == Target::TtftP95Ms {
            self.void |= sums.iter().any(|sum| sum.stale);
            let count = |of: fn(&Sum) -> u32| sums.iter().map(|sum| u64::from(of(sum))).sum();
            return self.test.push_calls(count(|sum| sum.within), count(|sum| sum.late));
        }
        let means: Vec<f64> = sums.iter().filter_map(|sum| sum.mean(self.goal.target)).collect();
        if means.is_empty() {
            return;
        }
        let (sum, size) = (means.iter().sum::<f64>(), means.len() as f64);
        match self.test.outcomes() {
            Outcomes::Binary => {
                let right = means.iter().filter(|mean| **mean == 1.0).count() as u64;
                self.test.push_calls(right, means.len() as u64 - right);
            }
            Outcomes::Bounded { .. } => self.test.push(Step { mean: (sum / size).clamp(0.0, 1.0), size }),
        }
    }
}

#[cfg(test)]
mod tests;
