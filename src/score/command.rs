//! `command`: the user's own process scores; the shell carries question and reply.
//!
//! Pure: the question is `{"expected", "answer"}`, the reply `{"score": 0..1}` or
//! `{"error": "why not"}`, one JSON object a line each way.

use serde_json::{Value, json};

use super::{Ask, Grade, Scorer};

pub(super) struct Command;

impl Scorer for Command {
    fn ask(&self, expected: &Value, answer: &Value) -> Option<Ask> {
        Some(Ask { question: json!({"expected": expected, "answer": answer}) })
    }

    fn score(&self, _expected: &Value, _answer: &Value, reply: Option<&Value>) -> Grade {
        let Some(reply) = reply else {
            return Grade::Unscored("the command gave no reply".to_owned());
        };
        if let Some(error) = reply.get("error").filter(|error| !error.is_null()) {
            let error = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
            return Grade::Unscored(format!("the command failed: {}", crate::text::one_line(&error, 200)));
        }
        match reply.get("score").and_then(Value::as_f64) {
            Some(score) if (0.0..=1.0).contains(&score) => Grade::Scored(score),
            _ => Grade::Unscored("the command's reply has no `score` from 0 to 1".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_from_0_to_1_is_a_score() {
        let score = |reply: Value| Command.score(&json!(1), &json!(1), Some(&reply)).score();
        assert_eq!(score(json!({"score": 0.25})), Some(0.25));
        assert_eq!(score(json!({"score": 1, "error": null})), Some(1.0));
        for bad in
            [json!({"score": 1.1}), json!({"score": "1"}), json!({}), json!(1), json!({"error": "x", "score": 1})]
        {
            assert_eq!(score(bad.clone()), None, "{bad}");
        }
        assert_eq!(Command.score(&json!(1), &json!(1), None).score(), None);
        let question = Command.ask(&json!("e"), &json!("a")).unwrap().question;
        assert_eq!(question, json!({"expected": "e", "answer": "a"}));
    }
}
