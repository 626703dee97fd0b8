//! Second looks at the labels: another annotator's labels, and the causes of errors by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use serde_json::Value;

use super::build::Faults;
use super::examples::lines::JsonLines;
use super::examples::row::{RowPlace, scalar};
use super::examples::{ExampleSource, RowFault};
use super::schema::label_text;
use super::{DoubleAnnotation, ErrorClasses};
use crate::diagnostic::Diagnostic;

/// Causes that an error may have; the first two decide whether retrieval or preference tuning can help.
const CAUSES: [&str; 6] = ["knowledge", "preference", "format", "reasoning", "label", "other"];

/// Where second labels are compared with the first.
pub(super) struct Labels<'a> {
    pub(super) examples: &'a ExampleSource,
    /// Where the label stands in `expected`.
    pub(super) at: &'a str,
    /// Classes of the schema; 0 where it names none.
    pub(super) classes: usize,
}

/// How often a second annotator agrees: rows `{"id", "expected"}`. Faults stand at `span` of suite.toml
/// or at their row.
pub(super) fn agreement(
    path: &Path,
    span: Range<usize>,
    labels: &Labels<'_>,
    faults: &mut Faults<'_>,
) -> Option<DoubleAnnotation> {
    let read = |value: &Value, place: &RowPlace<'_>| {
        let id = id_of(value, place)?;
        let expected = value.get("expected").ok_or_else(|| fault(place, "the row has no `expected`"))?;
        Ok((id, label(expected, labels.at)))
    };
    let second: BTreeMap<String, String> = rows(path, read, faults)?.into_iter().collect();
    let mut known: BTreeSet<String> = BTreeSet::new();
    let (mut pairs, mut agreed) = (0, 0);
    // Rows that cannot be read are faults of the examples' own check.
    for row in labels.examples.read().flatten() {
        let first = label(&row.example.expected, labels.at);
        if let Some(other) = second.get(&row.example.id.0) {
            pairs += 1;
            agreed += u64::from(*other == first);
            known.insert(other.clone());
        }
        known.insert(first);
    }
    if pairs == 0 {
        faults.error("suite/no-pairs", span, "none of the rows is of an example of this suite");
        return None;
    }
    let classes = if labels.classes > 1 { labels.classes } else { known.len() };
    Some(DoubleAnnotation { pairs, agreed, classes: u32::try_from(classes.max(2)).unwrap_or(u32::MAX) })
}

/// Causes of errors: rows `{"id", "class"}`, one an error of the variant in use that was looked at.
pub(super) fn error_classes(path: &Path, faults: &mut Faults<'_>) -> Option<ErrorClasses> {
    let read = |value: &Value, place: &RowPlace<'_>| {
        let id = id_of(value, place)?;
        let class = value.get("class").and_then(Value::as_str).unwrap_or_default();
        if CAUSES.contains(&class) {
            return Ok((id, class.to_owned()));
        }
        let message = format!("`class` must be one of {}", CAUSES.map(|cause| format!("`{cause}`")).join(", "));
        Err(fault(place, &message))
    };
    let rows = rows(path, read, faults)?;
    let count = |class: &str| rows.iter().filter(|(_, of)| of == class).count() as u64;
    Some(ErrorClasses { checked: rows.len() as u64, knowledge: count("knowledge"), preference: count("preference") })
}

fn label(expected: &Value, at: &str) -> String {
    label_text(expected.pointer(at).unwrap_or(expected))
}

fn id_of(value: &Value, place: &RowPlace<'_>) -> Result<String, RowFault> {
    let id = value.get("id").and_then(scalar).filter(|id| !id.is_empty());
    id.ok_or_else(|| fault(place, "the row has no `id`, or one that is no text"))
}

/// The rows of a file, each id once; `None` after a fault.
fn rows(
    path: &Path,
    read: impl Fn(&Value, &RowPlace<'_>) -> Result<(String, String), RowFault>,
    faults: &mut Faults<'_>,
) -> Option<Vec<(String, String)>> {
    let reader = match super::load::open(path) {
        Ok(reader) => reader,
        Err(fault) => {
            faults.push(*fault);
            return None;
        }
    };
    let mut lines = JsonLines::new(reader);
    let mut ids: BTreeSet<String> = BTreeSet::new();
    let (mut found, mut sound) = (Vec::new(), true);
    while let Some(row) = lines.next_as(path, |value, place| {
        let row = read(value, place)?;
        if ids.insert(row.0.clone()) { Ok(row) } else { Err(fault(place, "this id stands twice")) }
    }) {
        match row {
            Ok((row, _)) => found.push(row),
            Err(fault) => {
                faults.push(*fault);
                sound = false;
            }
        }
    }
    sound.then_some(found)
}

fn fault(place: &RowPlace<'_>, message: &str) -> RowFault {
    Box::new(Diagnostic::error("suite/bad-second-look", place.path, message).in_line(place.line, place.text, 0..1))
}
