//! `regex`: 1 if the pattern matches somewhere in the answer, else 0.
//!
//! The engine runs in linear time whatever the pattern; its compiled size is bounded. A pattern
//! that must match the whole answer says so with `^` and `$`.

use ::regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::{Grade, Scorer, ScorerError};
use crate::suite::schema::label_text;

/// Bytes that a compiled pattern may take: `\w{1000}` needs more, and is no answer's shape.
const SIZE_LIMIT: usize = 1 << 20;

/// A pattern of the suite's, or the expected value taken as one.
pub(super) struct Pattern {
    fixed: Option<Regex>,
}

impl Pattern {
    pub(super) fn new(pattern: Option<&str>) -> Result<Self, ScorerError> {
        Ok(Self { fixed: pattern.map(compile).transpose().map_err(ScorerError::Pattern)? })
    }
}

impl Scorer for Pattern {
    fn score(&self, expected: &Value, answer: &Value, _reply: Option<&Value>) -> Grade {
        let answer = label_text(answer);
        let matches = match (&self.fixed, expected) {
            (Some(pattern), _) => Ok(pattern.is_match(&answer)),
            (None, Value::String(pattern)) => compile(pattern).map(|pattern| pattern.is_match(&answer)),
            (None, _) => Err("the expected value is not text".to_owned()),
        };
        match matches {
            Ok(found) => Grade::Scored(f64::from(u8::from(found))),
            Err(message) => Grade::Unscored(format!("bad pattern: {message}")),
        }
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(SIZE_LIMIT)
        .build()
        .map_err(|error| crate::text::one_line(&error.to_string(), 200))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_of_the_suite_wins_over_the_expected_value() {
        let fixed = Pattern::new(Some("^[A-Z]{2}-\\d+$")).unwrap();
        assert_eq!(fixed.score(&json!(null), &json!("AB-12"), None), Grade::Scored(1.0));
        assert_eq!(fixed.score(&json!(null), &json!("xAB-12"), None), Grade::Scored(0.0));
        let open = Pattern::new(None).unwrap();
        assert_eq!(open.score(&json!("a+"), &json!("caat"), None), Grade::Scored(1.0));
    }

    #[test]
    fn bad_and_huge_patterns_are_named() {
        assert!(Pattern::new(Some("(")).is_err());
        let open = Pattern::new(None).unwrap();
        for pattern in ["(", "(\\w{100}){100}"] {
            assert!(open.score(&json!(pattern), &json!("x"), None).score().is_none(), "{pattern}");
        }
    }
}
