//! `exact`: 1 if equal after the normalisations that the suite names, else 0 (METHODS.md 13).

use serde_json::Value;

use super::normalise::Normaliser;
use super::{Grade, Scorer};
use crate::suite::Normalisation;

pub(super) struct Exact {
    normaliser: Normaliser,
}

impl Exact {
    pub(super) fn new(normalise: &[Normalisation]) -> Self {
        Self { normaliser: Normaliser::new(normalise) }
    }
}

impl Scorer for Exact {
    fn score(&self, expected: &Value, answer: &Value, _reply: Option<&Value>) -> Grade {
        let equal = match (expected, answer) {
            (Value::String(expected), Value::String(answer)) => {
                self.normaliser.text(expected) == self.normaliser.text(answer)
            }
            _ => self.normaliser.key(expected) == self.normaliser.key(answer),
        };
        Grade::Scored(f64::from(u8::from(equal)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_is_forgiven_by_default() {
        let plain = Exact::new(&[]);
        let score = |a, b| plain.score(&a, &b, None).score();
        assert_eq!(score(json!("A"), json!("A")), Some(1.0));
        assert_eq!(score(json!("A"), json!("a")), Some(0.0));
        assert_eq!(score(json!(1), json!(1.0)), Some(1.0));
        assert_eq!(score(json!(null), json!("null")), Some(0.0));
        let lax = Exact::new(&[Normalisation::Case, Normalisation::Whitespace]);
        assert_eq!(lax.score(&json!(["Foo Bar"]), &json!([" foo  bar"]), None), Grade::Scored(1.0));
    }
}
