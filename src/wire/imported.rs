//! Another tool's results, as the store keeps them: one JSON object in place of a provider's answer.
//!
//! Whatever wire the variant's endpoint speaks, an imported exchange is read here: the other tool
//! read the endpoint's bytes, and what it made of them is all there is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Reading, failed, malformed};
use crate::exchange::{Completion, Outcome, Stop, Usage};
use crate::trial::Received;

/// What another tool states of one trial. What it does not state is absent, never zero.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Stated {
    /// Where it stands in the file: its line, or its number among the results.
    pub place: u64,
    /// What the model said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Why the model stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// Scores by the tool's names, each from 0 to 1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, f64>,
    /// Whether the answer had the shape that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<bool>,
    /// What was wrong with its shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violation: Option<String>,
    /// Milliseconds to the first visible token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<f64>,
    /// Milliseconds to the whole answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_ms: Option<f64>,
    /// What the request cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Tokens.
    #[serde(default)]
    pub usage: Usage,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

impl Stated {
    /// What an imported exchange states; `None` where it is no such object.
    pub fn of(received: &Received) -> Option<Self> {
        let (Received::Answer { body, .. } | Received::Broken { body, .. }) = received;
        serde_json::from_slice(body).ok()
    }

    /// How the trial ended, by what is stated of it.
    fn outcome(self) -> Outcome {
        Outcome::from_completion(Completion {
            text: self.answer.unwrap_or_default(),
            reasoning: String::new(),
            from_tool: false,
            stop: self.stop.unwrap_or(Stop::Other),
            usage: self.usage.plausible(),
            served_model: self.model,
        })
    }
}

/// Reads an imported exchange. Its times are in [`Stated`], not at events.
pub fn read(received: &Received) -> Reading {
    if let Received::Broken { failure, .. } = received {
        return failed(failure.clone());
    }
    match Stated::of(received) {
        Some(stated) => Reading { outcome: stated.outcome(), first_output_event: None, first_visible_event: None },
        None => failed(malformed("the imported answer cannot be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stated_comes_back_and_nothing_else() {
        let stated = Stated { place: 3, answer: Some("a".into()), stop: Some(Stop::Length), ..Stated::default() };
        let body = serde_json::to_vec(&stated).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&body).matches("null").count(),
            6,
            "usage alone names what is not known: {}",
            String::from_utf8_lossy(&body)
        );
        let received = Received::Answer { status: 200, body, streamed: false };
        assert_eq!(Stated::of(&received), Some(stated));
        assert!(matches!(read(&received).outcome, Outcome::Truncated(said) if said.text == "a"));
        let other = Received::Answer { status: 200, body: b"[]".to_vec(), streamed: false };
        assert!(matches!(read(&other).outcome, Outcome::Failed(_)));
    }
}
