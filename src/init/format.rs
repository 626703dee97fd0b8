//! What a file is: by its name, and by what stands in it.

use serde_json::Value;

use super::table;
use crate::diagnostic::Source;

/// The forms in which labelled data comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A header row, then one row an example; commas, semicolons, tabs or bars between.
    Csv,
    /// JSON objects: one a line, or a list of them.
    Jsonl,
    /// A configuration or a file of tests of promptfoo: YAML, JSON, JSON Lines or CSV.
    Promptfoo,
    /// Samples of OpenAI evals: `input` and `ideal`.
    OpenaiEvals,
    /// Rows of OpenAI's chat fine-tuning: `messages`.
    OpenaiChat,
    /// Samples of Inspect: `input` and `target`.
    Inspect,
}

impl Format {
    /// Every form, by the name that `--format` takes.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("csv", Self::Csv),
        ("jsonl", Self::Jsonl),
        ("promptfoo", Self::Promptfoo),
        ("openai-evals", Self::OpenaiEvals),
        ("openai-chat", Self::OpenaiChat),
        ("inspect", Self::Inspect),
    ];

    /// In words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Jsonl => "JSON objects",
            Self::Promptfoo => "promptfoo tests",
            Self::OpenaiEvals => "OpenAI evals samples",
            Self::OpenaiChat => "OpenAI chat fine-tuning rows",
            Self::Inspect => "Inspect samples",
        }
    }

    /// What a file seems to be.
    pub fn of(source: &Source) -> Self {
        let extension = source.path().extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Self::Promptfoo,
            "csv" | "tsv" | "txt" => Self::of_table(source),
            _ => match source.text.trim_start().chars().next() {
                Some('{' | '[') => Self::of_json(source),
                _ => Self::of_table(source),
            },
        }
    }

    fn of_table(source: &Source) -> Self {
        let header = source.text.lines().next().unwrap_or_default();
        if header.contains("__expected") { Self::Promptfoo } else { Self::Csv }
    }

    fn of_json(source: &Source) -> Self {
        let Some(first) = table::first_object(source) else { return Self::Jsonl };
        let has = |key: &str| first.get(key).is_some();
        if has("tests") || has("vars") || (has("prompts") && has("providers")) {
            Self::Promptfoo
        } else if first.get("messages").is_some_and(Value::is_array) {
            Self::OpenaiChat
        } else if has("input") && has("ideal") {
            Self::OpenaiEvals
        } else if has("input") && has("target") {
            Self::Inspect
        } else {
            Self::Jsonl
        }
    }
}
