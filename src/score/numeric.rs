//! `numeric`: 1 if the number is within the tolerance, else 0 (METHODS.md 13).
//!
//! A text that is nothing but a number counts as one, for suites whose answers are plain text.

use serde_json::Value;

use super::{Grade, Scorer};

pub(super) struct Numeric {
    absolute: f64,
    relative: f64,
}

impl Numeric {
    pub(super) fn new(absolute: f64, relative: f64) -> Self {
        Self { absolute, relative }
    }
}

impl Scorer for Numeric {
    fn score(&self, expected: &Value, answer: &Value, _reply: Option<&Value>) -> Grade {
        let Some(expected) = number(expected) else {
            return Grade::Unscored("the expected value is not a number".to_owned());
        };
        let tolerance = self.absolute.max(self.relative * expected.abs());
        let near = number(answer).is_some_and(|got| (got - expected).abs() <= tolerance);
        Grade::Scored(f64::from(u8::from(near)))
    }
}

/// A finite number, also where it is written as text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_larger_tolerance_counts() {
        let scorer = Numeric::new(0.5, 0.1);
        let score = |a, b| scorer.score(&a, &b, None).score();
        assert_eq!(score(json!(100), json!(110)), Some(1.0));
        assert_eq!(score(json!(100), json!(110.1)), Some(0.0));
        assert_eq!(score(json!(1), json!("1.5 ")), Some(1.0));
        assert_eq!(score(json!(1), json!("NaN")), Some(0.0));
        assert_eq!(score(json!(1), json!([1])), Some(0.0));
        assert_eq!(score(json!("x"), json!(1)), None);
    }
}
