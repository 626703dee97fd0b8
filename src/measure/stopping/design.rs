//! What a run that may stop early is to ask and to decide, and what each of its trials says of that.

use serde::Serialize;

use crate::measure::accumulate::{ExchangeFacts, says_something_of_speed};
use crate::measure::grade::{Ending, GradedTrial};
use crate::score::Grade;
use crate::stats::sequential::Outcomes;
use crate::suite::{ScorerKind, Suite};
use crate::trial::Delivery;

/// What is decided about a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The primary scorer's mean.
    Accuracy,
    /// The share of schema-valid answers.
    SchemaValidity,
    /// The share of answers whose first token comes within the limit, against 95%.
    TtftP95Ms,
}

/// A target with what the suite asks of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// What it is about.
    pub target: Target,
    /// As in the suite: a share, or milliseconds.
    pub value: f64,
}

/// What is to be asked, in the shuffled order, and what is to be decided: known before the first answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// The step of each example, from 0, rising: equal numbers are one cluster.
    pub steps: Vec<u32>,
    /// How often each example is asked.
    pub repeats: u32,
    /// Whether the primary scorer may give more than right and wrong.
    pub graded: bool,
    /// Chance of a wrong answer, for each target of each variant.
    pub alpha: f64,
    /// What is to be decided, by variant; a variant without a goal is asked to the end.
    pub goals: Vec<Vec<Goal>>,
}

impl Design {
    /// The goals of a suite's variants: `validity` says which of them can be invalid at all, `times`
    /// whether times may be compared with the limit.
    pub fn goals(suite: &Suite, validity: impl Fn(usize) -> bool, times: bool) -> Vec<Vec<Goal>> {
        let targets = &suite.targets;
        let goal = |target, value: Option<f64>| value.map(|value| Goal { target, value });
        let of_variant = |place| {
            let all = [
                goal(Target::Accuracy, targets.accuracy),
                goal(Target::SchemaValidity, targets.schema_validity.filter(|_| validity(place))),
                goal(Target::TtftP95Ms, targets.ttft_p95_ms.filter(|_| times)),
            ];
            all.into_iter().flatten().collect()
        };
        (0..suite.variants.len()).map(of_variant).collect()
    }

    /// Whether examples share clusters.
    pub fn clustered(&self) -> bool {
        self.steps.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// What kind of values examples have: `graded` ones, or right and wrong.
    pub fn outcomes(&self, graded: bool) -> Outcomes {
        let largest = self.steps.chunk_by(|a, b| a == b).map(<[u32]>::len).max().unwrap_or(1) as u64;
        if graded || self.repeats > 1 || largest > 1 { Outcomes::Bounded { largest } } else { Outcomes::Binary }
    }

    pub(super) fn step_count(&self) -> u64 {
        self.steps.chunk_by(|a, b| a == b).count() as u64
    }
}

/// Whether a scorer may give more than right and wrong.
pub fn is_graded(kind: &ScorerKind) -> bool {
    match kind {
        ScorerKind::FieldF1 { .. } | ScorerKind::SetF1 { .. } => true,
        ScorerKind::Command { .. } | ScorerKind::Stated { .. } => true,
        ScorerKind::Similarity { threshold, .. } => threshold.is_none(),
        ScorerKind::Exact { .. }
        | ScorerKind::Numeric { .. }
        | ScorerKind::Contains { .. }
        | ScorerKind::Regex { .. } => false,
    }
}

/// What a trial says of the latency target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// Its first token came within the limit.
    Within,
    /// It came later, or never.
    Over,
    /// It is no measurement: not streamed, or no request reached the model.
    Unmeasured,
    /// Its answer was measured by another run, if at all: the variant's times are not all fresh.
    Stale,
}

/// What the rule must know of a trial that is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// The primary score; `None` for a missing or unscored trial.
    pub score: Option<f64>,
    /// Whether the answer is schema-valid; `None` for a missing trial.
    pub valid: Option<bool>,
    /// Its speed.
    pub speed: Speed,
}

impl Observed {
    /// A trial that was left out or is missing.
    pub const NOTHING: Self = Self { score: None, valid: None, speed: Speed::Unmeasured };

    /// A graded trial.
    pub fn of(graded: &GradedTrial, facts: ExchangeFacts, limit_ms: Option<f64>) -> Self {
        let counts = !graded.counts_as_missing;
        Self {
            score: graded.scores.first().and_then(Grade::score).filter(|_| counts),
            valid: counts.then_some(graded.valid_strict),
            speed: limit_ms.map_or(Speed::Unmeasured, |limit| speed(graded, facts, limit)),
        }
    }
}

/// As the accumulator counts times: fresh ones alone, and no answer is later than any limit.
fn speed(graded: &GradedTrial, facts: ExchangeFacts, limit_ms: f64) -> Speed {
    if facts.reused || facts.delivery == Delivery::Batch {
        return Speed::Stale;
    }
    let over = |over: bool| if over { Speed::Over } else { Speed::Within };
    match graded.ending {
        Ending::Failed(kind) if says_something_of_speed(kind) => Speed::Over,
        Ending::Failed(_) => Speed::Unmeasured,
        _ if !graded.streamed => Speed::Unmeasured,
        _ => over(graded.ttft_ms.is_none_or(|ms| ms > limit_ms)),
    }
}
