//! A suite's schema as an endpoint's structured output accepts it.
//!
//! Providers take subsets of JSON Schema. What they refuse is left out here and named, since the
//! answer is always judged against the suite's own schema. The order of keys is the suite's: it
//! changes what a model writes.

mod limits;
mod objects;
mod pattern;
mod rewrite;
mod rules;
mod types;
mod undo;

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;

pub use undo::absent_nulls;

/// What an endpoint accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// The schema as it is: the server builds a grammar from it, or takes it as a hint.
    AsIs,
    /// OpenAI's strict subset.
    OpenaiStrict,
    /// The smaller strict subset of OpenAI's fine-tuned models.
    OpenaiTuned,
    /// Anthropic's subset.
    Anthropic,
    /// What Gemini documents for `responseJsonSchema`.
    Gemini,
}

/// One thing that was changed, for the user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Change {
    /// JSON Pointer of the place in the suite's schema.
    pub at: String,
    /// What was done there, such as "`minLength` left out".
    pub what: String,
    /// Whether the endpoint may now write what the suite's schema refuses, or not write what it
    /// accepts.
    #[serde(skip)]
    pub loses: bool,
}

/// A fitted schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// What is sent.
    pub schema: Value,
    /// What was changed, in document order.
    pub changes: Vec<Change>,
    /// Whether optional fields were made required and nullable: a `null` there stands for absence.
    pub null_is_absent: bool,
    /// Why the endpoint takes no form of this schema, where it does not.
    pub unsupported: Option<String>,
}

/// Fits a schema.
pub fn fit(schema: &Value, profile: Profile) -> Fitted {
    let Some(rules) = rules::rules(profile) else {
        return Fitted { schema: schema.clone(), changes: Vec::new(), null_is_absent: false, unsupported: None };
    };
    let mut fitted = rewrite::rewrite(schema, rules);
    fitted.changes.extend(limits::passed(&fitted.schema, profile));
    fitted.changes = in_document_order(schema, fitted.changes);
    fitted
}

/// Each change once, by where its place stands in the document.
fn in_document_order(schema: &Value, changes: Vec<Change>) -> Vec<Change> {
    fn number(node: &Value, at: &mut String, places: &mut HashMap<String, usize>) {
        let place = places.len();
        places.insert(at.clone(), place);
        let length = at.len();
        let mut visit = |step: &str, child: &Value| {
            at.push('/');
            at.push_str(&escape(step));
            number(child, at, places);
            at.truncate(length);
        };
        match node {
            Value::Object(fields) => fields.iter().for_each(|(name, child)| visit(name, child)),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, child)| visit(&index.to_string(), child));
            }
            _ => {}
        }
    }
    let mut places = HashMap::new();
    number(schema, &mut String::new(), &mut places);
    let mut seen = HashSet::new();
    let mut changes: Vec<Change> = changes.into_iter().filter(|change| seen.insert(change.clone())).collect();
    changes.sort_by_key(|change| places.get(&change.at).copied().unwrap_or(usize::MAX));
    changes
}

/// A step of a JSON Pointer.
fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
