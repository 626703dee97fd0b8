//! Which labels to look at, and how good they are: conflicting duplicates, models that agree against a label, confident
//! learning, annotators that disagree, and the ceiling that wrong labels put on accuracy.
//!
//! Rows in, a [`LabelReview`] out: no file, clock or thread count shows in it. What ranks rows (everything in
//! [`review`]) never estimates how many labels are wrong: that takes labels that were drawn at random and checked
//! again ([`sample`]), or a second annotator, and [`ceiling`](LabelReview::ceiling) says which it was (METHODS.md 8.3).

pub mod against;
pub mod annotators;
pub mod apply;
pub mod confident;
pub mod conflicts;
pub mod correct;
pub mod edit;
pub mod file;
pub mod review;
pub mod sample;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decide::LabelReport;
use crate::suite::Task;
use crate::suite::schema::comparable;

/// Entries of a list that are kept; how many there are is counted all the same.
pub const MOST_LISTED: usize = 1_000;

/// Which part of a suite's data a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// The test examples: their labels judge everything.
    Test,
    /// For prompt work.
    Dev,
    /// What few-shot and training draw from.
    Pool,
}

impl Split {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Dev => "dev",
            Self::Pool => "pool",
        }
    }
}

/// A labelled row, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledRow {
    /// Which part of the data it is of.
    pub split: Split,
    /// Its id, unique in its split.
    pub id: String,
    /// Its file, relative to the suite's folder where it is within.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// What is asked about.
    pub input: Value,
    /// The whole expected answer.
    pub expected: Value,
    /// The label: what stands in `expected` where the primary scorer looks, or all of it.
    pub label: Value,
    /// Rows of one cluster are not independent.
    pub cluster: Option<String>,
}

impl LabelledRow {
    /// The label as one comparable text.
    pub fn label_text(&self) -> String {
        comparable(&self.label)
    }

    /// `test.jsonl:17`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// The row, for a list.
    pub fn named(&self) -> NamedRow {
        NamedRow {
            split: self.split,
            id: self.id.clone(),
            file: self.file.clone(),
            line: self.line,
            label: self.label.clone(),
        }
    }
}

/// A row in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedRow {
    /// Which part of the data it is of.
    pub split: Split,
    /// Its id.
    pub id: String,
    /// Its file.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// Its label.
    pub label: Value,
}

/// A part of the review, or why it says nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part<T> {
    /// What was found.
    pub found: Option<T>,
    /// Why there is nothing, in a sentence.
    pub why_not: Option<String>,
}

impl<T> Part<T> {
    /// Something was found.
    pub fn found(found: T) -> Self {
        Self { found: Some(found), why_not: None }
    }

    /// It does not apply.
    pub fn not(why: impl Into<String>) -> Self {
        Self { found: None, why_not: Some(why.into()) }
    }
}

/// Rows by split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Test examples.
    pub test: u64,
    /// Rows for prompt work.
    pub dev: u64,
    /// Rows of the pool.
    pub pool: u64,
}

impl RowCounts {
    /// The counts of these rows.
    pub fn of(rows: &[LabelledRow]) -> Self {
        let count = |split| rows.iter().filter(|row| row.split == split).count() as u64;
        Self { test: count(Split::Test), dev: count(Split::Dev), pool: count(Split::Pool) }
    }

    /// All of them.
    pub const fn all(self) -> u64 {
        self.test + self.dev + self.pool
    }
}

/// Everything that `ceiling labels` shows; its JSON is docs/reference/labels.schema.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelReview {
    /// The suite's name.
    pub suite: String,
    /// What kind of answer it wants.
    pub task: Task,
    /// The run whose answers were read, if any.
    pub run: Option<String>,
    /// Rows that were read.
    pub rows: RowCounts,
    /// Inputs that stand more than once under different labels.
    pub conflicts: conflicts::Conflicts,
    /// Test examples on which every answer agrees, against the label.
    pub against: Part<against::Against>,
    /// Confident learning: ranks what to look at, and is not the label error rate that a verdict reads.
    pub confident: Part<confident::Confident>,
    /// How far annotators agree.
    pub annotators: Part<annotators::Agreement>,
    /// What a perfect system would score on these labels, and whether the target lies below it.
    pub ceiling: LabelReport,
    /// The target for accuracy, if there is one.
    pub target: Option<f64>,
    /// Rows that something speaks against.
    pub suspicious: u64,
    /// The most suspicious of them, first.
    pub list: Vec<review::Suspect>,
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use serde_json::json;

    /// A row of a classification; its line is the number in its id.
    pub(crate) fn row(split: Split, id: &str, input: &str, label: &str) -> LabelledRow {
        let digits: String = id.chars().filter(char::is_ascii_digit).collect();
        LabelledRow {
            split,
            id: id.to_owned(),
            file: format!("{}.jsonl", split.as_str()),
            line: digits.parse().unwrap_or(1),
            input: json!(input),
            expected: json!({"label": label}),
            label: json!(label),
            cluster: None,
        }
    }
}
