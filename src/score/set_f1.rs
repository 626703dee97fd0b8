//! `set-f1`: F1 over two sets of items, duplicates counted once (METHODS.md 13).
//!
//! Anything that is not a list is a set of one item, and null is the empty set.

use std::collections::HashSet;

use serde_json::Value;

use super::normalise::Normaliser;
use super::{Grade, Scorer};
use crate::suite::Normalisation;

pub(super) struct SetF1 {
    normaliser: Normaliser,
}

impl SetF1 {
    pub(super) fn new(normalise: &[Normalisation]) -> Self {
        Self { normaliser: Normaliser::new(normalise) }
    }

    fn items(&self, value: &Value) -> HashSet<String> {
        match value {
            Value::Null => HashSet::new(),
            Value::Array(items) => items.iter().map(|item| self.normaliser.key(item)).collect(),
            single => HashSet::from([self.normaliser.key(single)]),
        }
    }
}

impl Scorer for SetF1 {
    fn score(&self, expected: &Value, answer: &Value, _reply: Option<&Value>) -> Grade {
        let (expected, answer) = (self.items(expected), self.items(answer));
        let right = expected.intersection(&answer).count();
        Grade::Scored(super::f1(right as u64, (expected.len() + answer.len()) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn duplicates_and_order_do_not_matter() {
        let scorer = SetF1::new(&[Normalisation::Case]);
        let score = |a, b| scorer.score(&a, &b, None).score().unwrap();
        assert_eq!(score(json!(["a", "b"]), json!(["B", "a", "A"])), 1.0);
        assert!((score(json!(["a", "b"]), json!(["a"])) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(score(json!([]), json!([])), 1.0);
        assert_eq!(score(json!([]), json!(["a"])), 0.0);
        assert_eq!(score(json!("a"), json!(["a"])), 1.0);
    }
}
