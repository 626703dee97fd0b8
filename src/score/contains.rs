//! `contains`: 1 if the expected text is in the answer, else 0.
//!
//! Of a list of expected texts every one must be there. A value that is not text is searched as
//! compact JSON.

use serde_json::Value;

use super::normalise::Normaliser;
use super::{Grade, Scorer};
use crate::suite::Normalisation;
use crate::suite::schema::label_text;

pub(super) struct Contains {
    normaliser: Normaliser,
}

impl Contains {
    pub(super) fn new(normalise: &[Normalisation]) -> Self {
        Self { normaliser: Normaliser::new(normalise) }
    }
}

impl Scorer for Contains {
    fn score(&self, expected: &Value, answer: &Value, _reply: Option<&Value>) -> Grade {
        let wanted: Vec<String> = match expected {
            Value::Array(items) if answer.is_string() => items.iter().map(label_text).collect(),
            single => vec![label_text(single)],
        };
        let wanted: Vec<_> = wanted.iter().map(|text| self.normaliser.text(text)).collect();
        if wanted.is_empty() || wanted.iter().any(|text| text.is_empty()) {
            return Grade::Unscored("the expected text is empty".to_owned());
        }
        let answer = label_text(answer);
        let answer = self.normaliser.text(&answer);
        let found = wanted.iter().all(|text| answer.contains(text.as_ref()));
        Grade::Scored(f64::from(u8::from(found)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_expected_texts_must_be_there() {
        let scorer = Contains::new(&[Normalisation::Case]);
        let score = |a, b| scorer.score(&a, &b, None).score();
        assert_eq!(score(json!("Paris"), json!("It is paris.")), Some(1.0));
        assert_eq!(score(json!(["a", "b"]), json!("b then A")), Some(1.0));
        assert_eq!(score(json!(["a", "c"]), json!("b then A")), Some(0.0));
        assert_eq!(score(json!(42), json!("is 42")), Some(1.0));
        assert_eq!(score(json!(""), json!("x")), None);
    }
}
