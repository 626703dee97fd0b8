//! Test examples that also stand in the pool: few-shot would show the model the answer.

use std::collections::HashMap;

use serde_json::Value;

use super::check::{key, row_error};
use super::examples::{ExampleSource, Row};
use super::near::{Grams, NearIndex};
use crate::diagnostic::{Diagnostic, Severity};

/// Shorter texts are too often alike by chance once case and punctuation are gone.
const SHORTEST: usize = 8;

/// The pool's inputs, as digests.
#[derive(Debug, Default)]
pub(super) struct Pool {
    exact: HashMap<u128, (String, u64)>,
    normalised: HashMap<u128, (String, u64)>,
    places: Vec<(String, u64)>,
    grams: Vec<Grams>,
    near: NearIndex,
}

impl Pool {
    /// Adds an example of the pool.
    pub(super) fn add(&mut self, row: &Row, source: &ExampleSource) -> Option<Diagnostic> {
        let place = || (source.files()[row.file].display().to_string(), row.line);
        let text = text_of(&row.example.input);
        self.exact.entry(key(text.as_bytes())).or_insert_with(place);
        if let Some(normalised) = normalise(&text) {
            self.normalised.entry(key(normalised.as_bytes())).or_insert_with(place);
            self.places.push(place());
            self.grams.push(Grams::of(&row.example.input));
        }
        None
    }

    /// The pool is whole: from here on near-duplicates are found too.
    pub(super) fn close(&mut self) {
        self.near = NearIndex::new(std::mem::take(&mut self.grams));
    }

    /// The fault for an example that the pool has too.
    pub(super) fn leak(&self, row: &Row, source: &ExampleSource) -> Option<Diagnostic> {
        if self.exact.is_empty() {
            return None;
        }
        let text = text_of(&row.example.input);
        let id = &row.example.id;
        if let Some((file, line)) = self.exact.get(&key(text.as_bytes())) {
            let message = format!("the input of `{id}` also stands in the pool, at {file}:{line}");
            return Some(row_error("suite/leak", row, source, message).help("take it out of one of the two"));
        }
        let normalised = normalise(&text)?;
        let Some((file, line)) = self.normalised.get(&key(normalised.as_bytes())) else {
            return self.near_duplicate(row, source);
        };
        let message = format!(
            "the input of `{id}` differs from one of the pool only in case, spaces or punctuation: {file}:{line}"
        );
        Some(row_error("suite/near-leak", row, source, message).help("take it out of one of the two"))
    }

    /// A word changed may be chance: worth a look, and few-shot never shows the one beside the other.
    fn near_duplicate(&self, row: &Row, source: &ExampleSource) -> Option<Diagnostic> {
        let (file, line) = self.places.get(self.near.find(&Grams::of(&row.example.input))?)?;
        let message =
            format!("the input of `{}` is all but the same as one of the pool: {file}:{line}", row.example.id);
        let mut fault = row_error("suite/near-duplicate", row, source, message);
        fault.severity = Severity::Warning;
        Some(fault.help("few-shot leaves that row out for this example; a model tuned on the pool has seen it"))
    }
}

/// An input as one text.
pub(crate) fn text_of(input: &Value) -> String {
    match input {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Letters and digits alone, in lower case; `None` for a text that is too short for it.
pub(crate) fn normalise(text: &str) -> Option<String> {
    let letters: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    (letters.len() >= SHORTEST).then_some(letters)
}
