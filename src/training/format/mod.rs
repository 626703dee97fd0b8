//! The forms that fine-tuning services and trainers read: a JSON object a line. One file a format, one row here.

mod bedrock_converse;
mod openai_chat;
mod openai_dpo;
mod sharegpt;
mod together;
mod trl_conversational;
mod trl_preference;
mod vertex_gemini;

use serde_json::{Value, json};

use super::manifest::Method;
use super::row::TrainingRow;
use crate::exchange::{Message, Role};

/// A format of training files.
#[derive(Debug)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// Who reads it.
    pub reader: &'static str,
    /// The page that it implements.
    pub page: &'static str,
    /// A row of prompt and answer; `None` where it holds pairs alone.
    pub supervised: Option<fn(&TrainingRow) -> Value>,
    /// A row of prompt, better and worse answer; `None` where it holds single answers alone.
    pub preference: Option<fn(&TrainingRow, &str) -> Value>,
    /// What its reader refuses or advises against.
    pub limits: Limits,
    /// What whoever trains there must know, with its source.
    pub notice: Option<&'static str>,
}

/// What a reader states of its files, with where it states it. What is `None` is not stated.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Fewer rows are refused.
    pub fewest_rows: Option<u64>,
    /// Fewer rows than this are advised against.
    pub advised_rows: Option<u64>,
    /// More rows are refused.
    pub most_rows: Option<u64>,
    /// More rows of the validation file are refused.
    pub most_validation_rows: Option<u64>,
    /// More tokens of one row are cut off or refused.
    pub most_row_tokens: Option<u64>,
    /// More bytes of one file are refused.
    pub most_bytes: Option<u64>,
    /// Words that a prompt must not hold.
    pub reserved: &'static [&'static str],
    /// Where they are stated.
    pub source: &'static str,
}

/// Every format, in the order in which they are listed.
pub const FORMATS: &[&Format] = &[
    &openai_chat::FORMAT,
    &openai_dpo::FORMAT,
    &together::FORMAT,
    &trl_conversational::FORMAT,
    &trl_preference::FORMAT,
    &vertex_gemini::FORMAT,
    &bedrock_converse::FORMAT,
    &sharegpt::FORMAT,
];

/// The format of this name.
pub fn named(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name).copied()
}

impl Format {
    /// Whether it has rows for this method.
    pub fn takes(&self, method: Method) -> bool {
        match method {
            Method::Supervised => self.supervised.is_some(),
            Method::Preference => self.preference.is_some(),
        }
    }

    /// A row's line, without the line's end; `None` where the format does not hold such rows.
    pub fn line(&self, row: &TrainingRow) -> Option<String> {
        let value = match &row.rejected {
            None => self.supervised?(row),
            Some(rejected) => self.preference?(row, rejected),
        };
        Some(value.to_string())
    }
}

/// Messages as the OpenAI form has them.
fn messages(of: &[Message]) -> Vec<Value> {
    of.iter().map(|message| json!({"role": role(message.role), "content": message.content})).collect()
}

/// An answer as the OpenAI form has it.
fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

/// The prompt's messages, and the answer after them.
fn conversation(row: &TrainingRow) -> Vec<Value> {
    let mut all = messages(&row.messages);
    all.push(assistant(&row.answer));
    all
}

/// The pair under the names that OpenAI, Together and Fireworks share.
fn preferred(row: &TrainingRow, rejected: &str) -> Value {
    json!({
        "input": {"messages": messages(&row.messages)},
        "preferred_output": [assistant(&row.answer)],
        "non_preferred_output": [assistant(rejected)],
    })
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

#[cfg(test)]
mod tests;
