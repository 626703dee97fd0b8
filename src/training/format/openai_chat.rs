//! `openai-chat`: supervised fine-tuning of OpenAI and of those that take its form (Azure OpenAI, Fireworks, Mistral).
//!
//! Implements <https://developers.openai.com/api/docs/guides/supervised-fine-tuning>: `messages`, the last one the
//! assistant's. `weight` and `tools` are not written: every answer counts, and answers are texts.

use serde_json::{Value, json};

use super::{Format, Limits, conversation};
use crate::training::row::TrainingRow;

pub(super) const FORMAT: Format = Format {
    name: "openai-chat",
    reader: "OpenAI, and whoever takes its form",
    page: "https://developers.openai.com/api/docs/guides/supervised-fine-tuning",
    supervised: Some(line),
    preference: None,
    limits: LIMITS,
    notice: Some(NOTICE),
};

/// What its page says above everything else.
pub(super) const NOTICE: &str = "OpenAI is winding its fine-tuning platform down: new users cannot train there \
     (developers.openai.com/api/docs/guides/supervised-fine-tuning); others take the same form";

/// What OpenAI states of training files.
pub(super) const LIMITS: Limits = Limits {
    fewest_rows: Some(10),
    advised_rows: Some(50),
    most_rows: None,
    most_validation_rows: None,
    // Of gpt-4o and later; longer examples are cut off at the end.
    most_row_tokens: Some(65_536),
    most_bytes: Some(512 << 20),
    reserved: &[],
    source: "developers.openai.com/api/docs/guides/supervised-fine-tuning and /api-reference/files",
};

fn line(row: &TrainingRow) -> Value {
    json!({"messages": conversation(row)})
}
