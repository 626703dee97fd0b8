//! `bedrock-converse`: fine-tuning on Amazon Bedrock (Nova and other models that are trained on conversations).
//!
//! Implements <https://docs.aws.amazon.com/nova/latest/userguide/fine-tune-prepare-data-understanding.html>: the schema
//! `bedrock-conversation-2024`, the first turn the user's, the last the assistant's; some words end a Nova job.

use serde_json::{Value, json};

use super::{Format, Limits, role};
use crate::exchange::Role;
use crate::training::row::TrainingRow;

pub(super) const FORMAT: Format = Format {
    name: "bedrock-converse",
    reader: "Amazon Bedrock",
    page: "https://docs.aws.amazon.com/nova/latest/userguide/fine-tune-prepare-data-understanding.html",
    supervised: Some(line),
    preference: None,
    limits: Limits {
        fewest_rows: None,
        advised_rows: Some(100),
        most_rows: None,
        most_validation_rows: None,
        most_row_tokens: None,
        // Stated for Titan and Llama; for Nova nothing is.
        most_bytes: Some(1_000_000_000),
        reserved: &["User:", "Bot:", "Assistant:", "System:", "<image>", "<video>", "[EOS]"],
        source: "docs.aws.amazon.com/nova/latest/userguide/fine-tune-prepare-data-understanding.html",
    },
    notice: None,
};

fn line(row: &TrainingRow) -> Value {
    let part = |text: &str| json!([{"text": text}]);
    let mut line = serde_json::Map::new();
    line.insert("schemaVersion".to_owned(), "bedrock-conversation-2024".into());
    let mut turns = Vec::new();
    for message in &row.messages {
        match message.role {
            Role::System => drop(line.insert("system".to_owned(), part(&message.content))),
            other => turns.push(json!({"role": role(other), "content": part(&message.content)})),
        }
    }
    turns.push(json!({"role": "assistant", "content": part(&row.answer)}));
    line.insert("messages".to_owned(), Value::Array(turns));
    Value::Object(line)
}
