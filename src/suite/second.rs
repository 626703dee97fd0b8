//! Second looks at the labels: another annotator's labels, and the causes of errors by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::build::Faults;
use super::examples::lines::JsonLines;
use super::examples::row::{RowPlace, scalar};
use super::examples::{ExampleSource, RowFault};
use super::schema::comparable;
use super::{DoubleAnnotation, ErrorClasses};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// Causes that an error may have; the first two decide whether retrieval or preference tuning can help.
const CAUSES: [&str; 6] = ["knowledge", "preference", "format", "reasoning", "label", "other"];

/// What another annotator says that an example's answer should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// Who gave it: the row's `annotator`, else the name of the file.
    pub annotator: String,
    /// The example.
    pub id: String,
    /// The whole expected answer, or the label alone.
    pub expected: Value,
}

/// Where second labels are compared with the first.
pub(super) struct Labels<'a> {
    pub(super) examples: &'a ExampleSource,
    /// Where the label stands in `expected`.
    pub(super) at: &'a str,
    /// Classes of the schema; 0 where it names none.
    pub(super) classes: usize,
}

/// Every annotator's labels: rows `{"id", "expected"}`, and `annotator` where a file holds those of several.
///
/// # Errors
/// Every row that is none, and a file that cannot be read.
pub fn annotations(files: &[PathBuf]) -> Result<Vec<Annotation>, Diagnostics> {
    let (mut found, mut faults) = (Vec::new(), Diagnostics::new());
    let mut known: BTreeSet<String> = BTreeSet::new();
    for path in files {
        let read = |value: &Value, place: &RowPlace<'_>| {
            let id = id_of(value, place)?;
            let expected = value.get("expected").ok_or_else(|| fault(place, "the row has no `expected`"))?;
            let annotator = match value.get("annotator").filter(|name| !name.is_null()) {
                None => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                Some(name) => scalar(name).ok_or_else(|| fault(place, "`annotator` must be a text"))?,
            };
            let key = serde_json::json!([annotator, id]).to_string();
            Ok((key, Annotation { annotator, id, expected: expected.clone() }))
        };
        found.extend(rows(path, read, &mut known, &mut |fault| faults.push(fault)).unwrap_or_default());
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

/// How often a second annotator agrees: of several, the one with the most examples in common. Faults stand at
/// `span` of suite.toml or at their row.
pub(super) fn agreement(
    files: &[PathBuf],
    span: Range<usize>,
    labels: &Labels<'_>,
    faults: &mut Faults<'_>,
) -> Option<DoubleAnnotation> {
    let given = match annotations(files) {
        Ok(given) => given,
        Err(found) => {
            found.into_iter().for_each(|fault| faults.push(fault));
            return None;
        }
    };
    let mut order: Vec<&str> = Vec::new();
    let mut by_example: BTreeMap<&str, Vec<(usize, String)>> = BTreeMap::new();
    for Annotation { annotator, id, expected } in &given {
        let place = order.iter().position(|known| known == annotator).unwrap_or_else(|| {
            order.push(annotator);
            order.len() - 1
        });
        by_example.entry(id).or_default().push((place, label(expected, labels.at)));
    }
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut counts = vec![(0_u64, 0_u64); order.len()];
    // Rows that cannot be read are faults of the examples' own check.
    for row in labels.examples.read().flatten() {
        let first = label(&row.example.expected, labels.at);
        for (annotator, other) in by_example.get(row.example.id.0.as_str()).into_iter().flatten() {
            counts[*annotator].0 += 1;
            counts[*annotator].1 += u64::from(*other == first);
            known.insert(other.clone());
        }
        known.insert(first);
    }
    // Of equally many the first.
    let most = counts.into_iter().reduce(|most, next| if next.0 > most.0 { next } else { most });
    let Some((pairs, agreed)) = most.filter(|(pairs, _)| *pairs > 0) else {
        faults.error("suite/no-pairs", span, "none of the rows is of an example of this suite");
        return None;
    };
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
    let rows = rows(path, read, &mut BTreeSet::new(), &mut |fault| faults.push(fault))?;
    let count = |class: &str| rows.iter().filter(|of| *of == class).count() as u64;
    Some(ErrorClasses { checked: rows.len() as u64, knowledge: count("knowledge"), preference: count("preference") })
}

fn label(expected: &Value, at: &str) -> String {
    comparable(expected.pointer(at).unwrap_or(expected))
}

fn id_of(value: &Value, place: &RowPlace<'_>) -> Result<String, RowFault> {
    let id = value.get("id").and_then(scalar).filter(|id| !id.is_empty());
    id.ok_or_else(|| fault(place, "the row has no `id`, or one that is no text"))
}

/// The rows of a file, each key once; `None` after a fault.
fn rows<T>(
    path: &Path,
    read: impl Fn(&Value, &RowPlace<'_>) -> Result<(String, T), RowFault>,
    known: &mut BTreeSet<String>,
    report: &mut dyn FnMut(Diagnostic),
) -> Option<Vec<T>> {
    let reader = match super::load::open(path) {
        Ok(reader) => reader,
        Err(fault) => {
            report(*fault);
            return None;
        }
    };
    let mut lines = JsonLines::new(reader);
    let (mut found, mut sound) = (Vec::new(), true);
    while let Some(row) = lines.next_as(path, |value, place| {
        let (key, row) = read(value, place)?;
        if known.insert(key) { Ok(row) } else { Err(fault(place, "this id stands twice")) }
    }) {
        match row {
            Ok((row, _)) => found.push(row),
            Err(fault) => {
                report(*fault);
                sound = false;
            }
        }
    }
    sound.then_some(found)
}

fn fault(place: &RowPlace<'_>, message: &str) -> RowFault {
    Box::new(Diagnostic::error("suite/bad-second-look", place.path, message).in_line(place.line, place.text, 0..1))
}
