//! `trl-preference`: what TRL's `DPOTrainer` reads.
//!
//! Implements <https://huggingface.co/docs/trl/dataset_formats>, the conversational form of "preference" with the prompt
//! apart: `prompt`, `chosen` and `rejected`, each a list of messages.

use serde_json::{Value, json};

use super::trl_conversational::NONE;
use super::{Format, assistant, messages};
use crate::training::row::TrainingRow;

pub(super) const FORMAT: Format = Format {
    name: "trl-preference",
    reader: "TRL's DPOTrainer",
    page: "https://huggingface.co/docs/trl/dataset_formats",
    supervised: None,
    preference: Some(line),
    limits: NONE,
    notice: None,
};

fn line(row: &TrainingRow, rejected: &str) -> Value {
    json!({
        "prompt": messages(&row.messages),
        "chosen": [assistant(&row.answer)],
        "rejected": [assistant(rejected)],
    })
}
