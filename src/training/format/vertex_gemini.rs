//! `vertex-gemini`: supervised tuning of Gemini on Vertex AI, from a Cloud Storage file.
//!
//! Implements <https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare>:
//! `systemInstruction` and `contents` of the roles `user` and `model`. Limits are those of Gemini 2.5 Flash and
//! Flash-Lite; tune with thinking off, since the answers hold none.

use serde_json::{Value, json};

use super::{Format, Limits};
use crate::exchange::Role;
use crate::training::row::TrainingRow;

pub(super) const FORMAT: Format = Format {
    name: "vertex-gemini",
    reader: "Vertex AI",
    page: "https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare",
    supervised: Some(line),
    preference: None,
    limits: Limits {
        fewest_rows: None,
        advised_rows: Some(100),
        most_rows: Some(1_000_000),
        most_validation_rows: Some(5_000),
        most_row_tokens: Some(131_072),
        most_bytes: Some(1_000_000_000),
        reserved: &[],
        source: "cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning",
    },
    notice: None,
};

fn line(row: &TrainingRow) -> Value {
    let part = |text: &str| json!([{"text": text}]);
    let turn = |role: &str, text: &str| json!({"role": role, "parts": part(text)});
    let mut line = serde_json::Map::new();
    let mut contents = Vec::new();
    for message in &row.messages {
        match message.role {
            Role::System => {
                line.insert("systemInstruction".to_owned(), json!({"parts": part(&message.content)}));
            }
            Role::User => contents.push(turn("user", &message.content)),
            Role::Assistant => contents.push(turn("model", &message.content)),
        }
    }
    contents.push(turn("model", &row.answer));
    line.insert("contents".to_owned(), Value::Array(contents));
    Value::Object(line)
}
