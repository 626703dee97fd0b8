//! Other tools' results, read: a file's rows become trials as another tool states them.
//!
//! Each format is a file of this folder that knows one tool's fields and nothing of ours. A row is
//! read on its own, so that a file of any size is read in little memory; what a row has that is not
//! carried over is counted with its first place.

mod detect;
mod document;
mod fields;
mod inspect;
mod lines;
mod lm_eval;
mod nemo;
pub mod plain;
mod promptfoo;
pub mod read;
pub mod suite_files;
pub mod survey;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::exchange::Failure;
use crate::trial::{Delivery, Exchange, Provenance, Received, Timing};
use crate::wire::imported::Stated;

pub use detect::detect;
pub use lines::first_line_fault;
pub use read::{Reading, each};
pub use survey::{Survey, survey};

/// Whose results a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// promptfoo's `eval -o results.json`.
    Promptfoo,
    /// The same as lines (`eval -o results.jsonl`).
    PromptfooLines,
    /// Inspect's log as JSON.
    Inspect,
    /// lm-eval's `samples_*.jsonl`.
    LmEval,
    /// NeMo Evaluator's `results.jsonl`.
    Nemo,
    /// One object a trial, as `ceiling report --format jsonl` writes it.
    Plain,
}

impl Format {
    /// Whether the file is one JSON document, not lines.
    pub fn is_document(self) -> bool {
        matches!(self, Self::Promptfoo | Self::Inspect)
    }

    /// The tool's name.
    pub fn tool(self) -> &'static str {
        match self {
            Self::Promptfoo | Self::PromptfooLines => "promptfoo",
            Self::Inspect => "Inspect",
            Self::LmEval => "lm-eval",
            Self::Nemo => "NeMo Evaluator",
            Self::Plain => "plain",
        }
    }

    /// The score that stands for accuracy unless another is named: the first of these that the file has.
    fn usual_scores(self) -> &'static [&'static str] {
        match self {
            Self::Promptfoo | Self::PromptfooLines => &["pass"],
            Self::LmEval => &["exact_match", "acc", "f1"],
            Self::Nemo => &["reward"],
            Self::Inspect => &[],
            Self::Plain => &["score"],
        }
    }
}

/// Where a row's id, input and expected answer stand, where not in their usual place: JSON Pointers
/// into the tool's own row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Places {
    /// The example's id.
    pub id: Option<String>,
    /// What was asked about.
    pub input: Option<String>,
    /// The right answer.
    pub expected: Option<String>,
}

/// How a file is read.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Options {
    /// Where fields stand.
    pub places: Places,
    /// Whether examples are named by their inputs, whatever ids the file has.
    pub ids_by_input: bool,
    /// The variant's name, for files that name none.
    pub variant: Option<String>,
    /// Of lm-eval's filters, the one whose scores are taken; without it the file's first.
    pub filter: Option<String>,
}

/// What a file says of itself, beside its rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    /// The tool's version, where it is stated.
    pub version: Option<String>,
    /// What was evaluated: a task's or an evaluation's name.
    pub task: Option<String>,
    /// From where plain lines say that they come.
    pub source: Option<String>,
    /// The model, where one is stated for all rows.
    pub model: Option<String>,
    /// When it was measured, milliseconds since 1970-01-01 UTC.
    pub began_unix_ms: Option<i64>,
    /// What else a reader must know, in sentences.
    pub notes: Vec<String>,
}

/// A row as a trial, in the tool's own names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// Who answered; several that share a name are told apart by `column`.
    pub variant: Option<String>,
    /// Which of the columns of that name: promptfoo's place of the prompt.
    pub column: Option<u64>,
    /// The model's name, where it is another than the variant's.
    pub model: Option<String>,
    /// The example's id.
    pub id: Option<String>,
    /// Which repeat, from 0; `None` where the file does not number them.
    pub repeat: Option<u32>,
    /// What was asked about.
    pub input: Value,
    /// The right answer.
    pub expected: Value,
    /// The example's cluster.
    pub cluster: Option<String>,
    /// For slices.
    pub tags: BTreeMap<String, String>,
    /// What was sent, as the tool states it.
    pub asked: Value,
    /// What is stated of the answer.
    pub stated: Stated,
    /// Why there is none.
    pub failure: Option<Failure>,
    /// When it was asked, milliseconds since 1970-01-01 UTC.
    pub sent_unix_ms: Option<i64>,
    /// Where it stands, from 1: its line, or its number among the document's rows.
    pub place: u64,
    /// What of it is not carried over.
    pub left_out: Vec<LeftOut>,
}

/// Why something of a row is not carried over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeftOut {
    /// A field that nothing here has a place for.
    Field(String),
    /// A score that has no number.
    Score(String),
    /// A score that is not from 0 to 1.
    Range(String),
    /// A whole row, for this reason.
    Row(String),
    /// Something of a row, in words.
    Words(&'static str),
}

impl Row {
    /// What the store keeps of it; `file` is the digest of the file that it stands in.
    pub fn exchange(&self, file: &Digest, model: &str) -> Exchange {
        let asked = if self.asked.is_null() { &self.input } else { &self.asked };
        let request_body = serde_json::json!({ "asked": asked }).to_string().into_bytes();
        let stated = Stated { place: self.place, ..self.stated.clone() };
        // An object of texts and finite numbers is always JSON.
        let body = serde_json::to_vec(&stated).unwrap_or_default();
        let received = match &self.failure {
            Some(failure) => Received::Broken { failure: failure.clone(), body },
            None => Received::Answer { status: 200, body, streamed: false },
        };
        Exchange {
            key: Digest::of_parts([file.as_bytes().as_slice(), &self.place.to_le_bytes()]),
            request_digest: Digest::of(&request_body),
            endpoint: model.to_owned(),
            request_body,
            received,
            timing: Timing { event_ms: Vec::new(), total_ms: self.stated.total_ms.unwrap_or(0.0) },
            attempts: Vec::new(),
            sent_at_unix_ms: self.sent_unix_ms.unwrap_or(0),
            in_flight: 0,
            provenance: Provenance::Imported,
            delivery: Delivery::Direct,
        }
    }
}

impl LeftOut {
    /// What it is, in words.
    pub fn words(&self) -> String {
        let name = |name: &str| crate::text::one_line(name, 60);
        match self {
            Self::Field(field) => format!("the field `{}`", name(field)),
            Self::Score(score) => format!("the score `{}` where it has no number", name(score)),
            Self::Range(score) => format!("the score `{}` where it is not from 0 to 1", name(score)),
            Self::Row(why) => format!("whole rows {}", crate::text::one_line(why, 120)),
            Self::Words(words) => (*words).to_owned(),
        }
    }
}

/// What a line or an element turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// A trial.
    Row(Box<Row>),
    /// Nothing that belongs here, and why.
    Not(LeftOut),
}
