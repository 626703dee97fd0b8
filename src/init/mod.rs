//! A suite drafted from data: what the file holds, which part of it is input and which the answer,
//! how answers are judged, and the files of the suite that come of it.
//!
//! Everything here is a function from text to text: `cli/init.rs` reads the one file and writes the
//! many. What cannot be carried over is kept with its line and its reason, never dropped.

pub mod answer;
pub mod assertions;
pub mod columns;
pub mod draft;
pub mod format;
pub mod messages;
pub mod models;
pub mod promptfoo;
pub mod prompts;
pub mod schema;
pub mod split;
pub mod table;
pub mod write;
pub mod yaml;

use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, Source};
use format::Format;

/// A fault that ends the reading of a file.
pub type Fault = Box<Diagnostic>;

/// One row as the file has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its first line, from 1.
    pub line: u32,
    /// Its columns.
    pub fields: Map<String, Value>,
}

/// A row that cannot be an example, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// Its line, from 1.
    pub line: u32,
    /// Why.
    pub why: String,
    /// What it says.
    pub row: Value,
}

/// Which column is what, as far as that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// What is asked; several become the fields of one object.
    pub input: Vec<String>,
    /// The right answer.
    pub expected: Option<String>,
    /// The id.
    pub id: Option<String>,
    /// What rows that belong together share.
    pub cluster: Option<String>,
    /// Slices.
    pub tags: Vec<String>,
}

/// A prompt that stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedPrompt {
    /// The system part, as a template.
    pub system: String,
    /// The user part, as a template.
    pub user: String,
}

/// How answers are judged, where the file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// The same text.
    Equals,
    /// The expected text stands in the answer.
    Contains,
    /// The same, upper and lower case alike.
    ContainsAnyCase,
    /// The answer matches the expected pattern.
    Regex,
}

/// A file as rows, before anything is concluded from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What the file is.
    pub format: Format,
    /// More about its form: the separator of a CSV file.
    pub detail: String,
    /// Its rows.
    pub records: Vec<Record>,
    /// Rows that could not be read.
    pub left_out: Vec<LeftOut>,
    /// What the format itself says of its columns.
    pub roles: Roles,
    /// How answers are judged, where the file says it.
    pub judged: Option<Judged>,
    /// A schema of right answers that the file has.
    pub schema: Option<Value>,
    /// Prompts that the file has.
    pub prompts: Vec<CarriedPrompt>,
    /// What the suite will not have of the file, in words.
    pub notes: Vec<String>,
}

impl Table {
    /// An empty table of a format.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            detail: String::new(),
            records: Vec::new(),
            left_out: Vec::new(),
            roles: Roles::default(),
            judged: None,
            schema: None,
            prompts: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The names of all columns, in the order in which they come up.
    pub fn columns(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        let names = self.records.iter().flat_map(|record| record.fields.keys());
        names.filter(|name| seen.insert(name.as_str())).cloned().collect()
    }

    fn leave_out(&mut self, line: u32, why: impl Into<String>, row: Value) {
        self.left_out.push(LeftOut { line, why: why.into(), row });
    }
}

/// Reads a file whose form is known.
///
/// # Errors
/// It cannot be read in that form, or has no rows.
pub fn read(source: &Source, format: Format) -> Result<Table, Fault> {
    if source.text.trim().is_empty() {
        return Err(Box::new(Diagnostic::error("init/no-rows", source.path(), "the file is empty")));
    }
    let table = match format {
        Format::Csv => table::csv(source)?,
        Format::Jsonl => table::objects(source, format)?,
        Format::Promptfoo => promptfoo::read(source)?,
        Format::OpenaiEvals => messages::evals(source)?,
        Format::OpenaiChat => messages::chat(source)?,
        Format::Inspect => messages::inspect(source)?,
    };
    if !table.records.is_empty() {
        return Ok(table);
    }
    let mut fault = Diagnostic::error("init/no-rows", source.path(), "the file has no row that could be an example");
    if let Some(first) = table.left_out.first() {
        fault.message = format!("{}; the first, line {}: {}", fault.message, first.line, first.why);
    }
    Err(Box::new(fault))
}

/// A line number for people.
fn line_number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
