//! `stated`: the score that another tool gave, as it came with the imported answer.
//!
//! Pure: what was stated comes as the reply, `{"score": 0..1}`.

use serde_json::Value;

use super::{Grade, Scorer};

pub(super) struct Stated;

impl Scorer for Stated {
    fn score(&self, _expected: &Value, _answer: &Value, reply: Option<&Value>) -> Grade {
        match reply.and_then(|reply| reply.get("score")?.as_f64()) {
            Some(score) if (0.0..=1.0).contains(&score) => Grade::Scored(score),
            Some(_) => Grade::Unscored("the stated score is not from 0 to 1".to_owned()),
            None => Grade::Unscored("no such score was stated of this answer".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_was_stated_is_a_score() {
        let score = |reply: Option<Value>| Stated.score(&Value::Null, &Value::Null, reply.as_ref()).score();
        assert_eq!(score(Some(json!({"score": 0.25}))), Some(0.25));
        for none in [None, Some(json!({})), Some(json!({"score": "1"})), Some(json!({"score": 7}))] {
            assert_eq!(score(none), None);
        }
    }
}
