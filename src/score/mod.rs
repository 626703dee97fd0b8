//! Completions to scores, purely: parse, validate, compare.

pub mod answer;
mod command;
mod contains;
mod exact;
pub mod field_f1;
mod normalise;
mod numeric;
mod regex;
mod set_f1;
mod similarity;
mod stated;

use serde_json::Value;

use crate::suite::{ScorerKind, ScorerSpec};

/// The kinds that suite.toml may name, with what each does; the order is that of the help.
pub const KINDS: &[(&str, &str)] = &[
    ("exact", "equal after the normalisations that the suite names"),
    ("field-f1", "F1 over the fields of two records"),
    ("set-f1", "F1 over two sets of items"),
    ("numeric", "a number within a tolerance"),
    ("contains", "the expected text is in the answer"),
    ("regex", "the answer matches a pattern"),
    ("similarity", "edit distance or word overlap"),
    ("command", "a process of your own that reads JSON lines and writes scores"),
    ("stated", "the score that another tool stated of an answer that `ceiling import` read"),
];

/// One scorer's number for one trial. There is no NaN: what could not be scored says why.
#[derive(Debug, Clone, PartialEq)]
pub enum Grade {
    /// A number from 0 to 1.
    Scored(f64),
    /// The scorer could not run.
    Unscored(String),
}

impl Grade {
    /// The score, if there is one.
    pub fn score(&self) -> Option<f64> {
        match self {
            Self::Scored(score) => Some(*score),
            Self::Unscored(_) => None,
        }
    }
}

/// A question that a scorer cannot answer alone: the shell does, and stores the reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// One JSON object for the user's process.
    pub question: Value,
}

/// Compares a parsed answer with what was expected. Pure; `score` is in 0 to 1.
///
/// `answer` and `expected` are what stands at the scorer's pointers; an absent value is `None`
/// for the answer and scores 0 before any scorer is asked.
pub trait Scorer: Send + Sync {
    /// What the shell must find out first.
    fn ask(&self, _expected: &Value, _answer: &Value) -> Option<Ask> {
        None
    }

    /// The grade; `reply` answers what `ask` asked.
    fn score(&self, expected: &Value, answer: &Value, reply: Option<&Value>) -> Grade;
}

/// Why a scorer cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScorerError {
    /// The pattern is not a regular expression.
    #[error("bad pattern: {0}")]
    Pattern(String),
}

/// The scorer that a suite's entry describes.
pub fn build(spec: &ScorerSpec) -> Result<Box<dyn Scorer>, ScorerError> {
    Ok(match &spec.kind {
        ScorerKind::Exact { normalise } => Box::new(exact::Exact::new(normalise)),
        ScorerKind::FieldF1 { tolerance, list_match } => Box::new(field_f1::FieldF1::new(*tolerance, *list_match)),
        ScorerKind::SetF1 { normalise } => Box::new(set_f1::SetF1::new(normalise)),
        ScorerKind::Numeric { absolute, relative } => Box::new(numeric::Numeric::new(*absolute, *relative)),
        ScorerKind::Contains { normalise } => Box::new(contains::Contains::new(normalise)),
        ScorerKind::Regex { pattern } => Box::new(regex::Pattern::new(pattern.as_deref())?),
        ScorerKind::Similarity { by, threshold } => Box::new(similarity::Similarity::new(*by, *threshold)),
        ScorerKind::Command { .. } => Box::new(command::Command),
        ScorerKind::Stated { .. } => Box::new(stated::Stated),
    })
}

/// F1 from the right pairs and the pairs of both sides together; two empty sides agree.
fn f1(right: u64, pairs: u64) -> f64 {
    if pairs == 0 { 1.0 } else { 2.0 * right as f64 / pairs as f64 }
}

#[cfg(test)]
mod tests;
