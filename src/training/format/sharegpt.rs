//! `sharegpt`: the form that LLaMA-Factory, Axolotl and Unsloth read beside their own.
//!
//! Implements <https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md> ("Sharegpt format"): `conversations`
//! of `from` and `value`; of a pair, the prompt there, and one turn each in `chosen` and `rejected`.

use serde_json::{Value, json};

use super::Format;
use super::trl_conversational::NONE;
use crate::exchange::Role;
use crate::training::row::TrainingRow;

pub(super) const FORMAT: Format = Format {
    name: "sharegpt",
    reader: "LLaMA-Factory, Axolotl, Unsloth",
    page: "https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md",
    supervised: Some(line),
    preference: Some(pair),
    limits: NONE,
    notice: None,
};

fn turn(from: &str, value: &str) -> Value {
    json!({"from": from, "value": value})
}

fn prompt(row: &TrainingRow) -> Vec<Value> {
    let from = |role| match role {
        Role::System => "system",
        Role::User => "human",
        Role::Assistant => "gpt",
    };
    row.messages.iter().map(|message| turn(from(message.role), &message.content)).collect()
}

fn line(row: &TrainingRow) -> Value {
    let mut turns = prompt(row);
    turns.push(turn("gpt", &row.answer));
    json!({"conversations": turns})
}

fn pair(row: &TrainingRow, rejected: &str) -> Value {
    json!({"conversations": prompt(row), "chosen": turn("gpt", &row.answer), "rejected": turn("gpt", rejected)})
}
