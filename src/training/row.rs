//! A row of training data before it has a format.

use serde_json::Value;

use crate::exchange::Message;

/// A prompt and what is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingRow {
    /// The example's id.
    pub id: String,
    /// Rows of one cluster are never divided between training and validation.
    pub cluster: Option<String>,
    /// The class of its label, for classification; empty for other tasks.
    pub class: String,
    /// What is asked, as the tuned model will be asked: the system part, if there is one, and the user's.
    pub messages: Vec<Message>,
    /// What is to be answered.
    pub answer: String,
    /// The worse answer of a pair.
    pub rejected: Option<String>,
}

impl TrainingRow {
    /// Bytes of all its texts.
    pub fn text_bytes(&self) -> u64 {
        let prompt: usize = self.messages.iter().map(|message| message.content.len()).sum();
        (prompt + self.answer.len() + self.rejected.as_ref().map_or(0, String::len)) as u64
    }

    /// Its messages, the answers among them.
    pub fn turns(&self) -> u64 {
        self.messages.len() as u64 + 1 + u64::from(self.rejected.is_some())
    }
}

/// A right answer as the model is to write it: text as it is, everything else as compact JSON, as a shot shows it.
pub fn answer_text(answer: &Value) -> String {
    match answer {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::exchange::Role;

    /// A row with a system part.
    pub(in crate::training) fn row(id: &str, class: &str, cluster: Option<&str>) -> TrainingRow {
        let message = |role, content: &str| Message { role, content: content.to_owned() };
        TrainingRow {
            id: id.to_owned(),
            cluster: cluster.map(str::to_owned),
            class: class.to_owned(),
            messages: vec![message(Role::System, "Classify."), message(Role::User, &format!("report {id}"))],
            answer: format!("{{\"code\":\"{class}\"}}"),
            rejected: None,
        }
    }

    #[test]
    fn a_text_is_answered_as_text_and_a_record_as_compact_json() {
        assert_eq!(answer_text(&serde_json::json!("as it \"is\"")), "as it \"is\"");
        assert_eq!(answer_text(&serde_json::json!({"b": 1, "a": ["x"]})), "{\"b\":1,\"a\":[\"x\"]}");
    }
}
