//! `together`: conversational and preference files of Together, told apart by their fields.
//!
//! Implements <https://docs.together.ai/docs/fine-tuning/data-preparation> and
//! <https://docs.together.ai/docs/fine-tuning/preference-tuning>: a system message first or none, then user and
//! assistant in turn; a file that could be of two forms is refused, so that no other field is written.

use serde_json::{Value, json};

use super::{Format, Limits, conversation, preferred};
use crate::training::row::TrainingRow;

pub(super) const FORMAT: Format = Format {
    name: "together",
    reader: "Together",
    page: "https://docs.together.ai/docs/fine-tuning/data-preparation",
    supervised: Some(line),
    preference: Some(preferred),
    limits: Limits {
        fewest_rows: None,
        advised_rows: None,
        most_rows: None,
        most_validation_rows: None,
        most_row_tokens: None,
        most_bytes: Some(100 << 30),
        reserved: &[],
        source: "docs.together.ai/docs/fine-tuning/data-preparation",
    },
    notice: None,
};

fn line(row: &TrainingRow) -> Value {
    json!({"messages": conversation(row)})
}
