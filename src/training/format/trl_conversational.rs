//! `trl-conversational`: what TRL's `SFTTrainer` reads, and most local trainers beside it.
//!
//! Implements <https://huggingface.co/docs/trl/dataset_formats>, the conversational form of "language modeling": one list
//! of `messages`. Whether the prompt is learnt beside the answer is the trainer's (`assistant_only_loss`).

use serde_json::{Value, json};

use super::{Format, Limits, conversation};
use crate::training::row::TrainingRow;

pub(super) const FORMAT: Format = Format {
    name: "trl-conversational",
    reader: "TRL's SFTTrainer",
    page: "https://huggingface.co/docs/trl/dataset_formats",
    supervised: Some(line),
    preference: None,
    limits: NONE,
    notice: None,
};

/// A trainer of one's own states no limits: memory sets them.
pub(super) const NONE: Limits = Limits {
    fewest_rows: None,
    advised_rows: None,
    most_rows: None,
    most_validation_rows: None,
    most_row_tokens: None,
    most_bytes: None,
    reserved: &[],
    source: "none stated",
};

fn line(row: &TrainingRow) -> Value {
    json!({"messages": conversation(row)})
}
