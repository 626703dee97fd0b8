//! The review file: a first line that says how its rows were drawn, then a row a label, with empty fields for whoever
//! looks at it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::review::Suspect;
use super::{LabelledRow, Split};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::digest::Digest;
use crate::suite::schema::comparable;

/// What tells the file from others.
pub const FAMILY: &str = "ceiling/label-review";

/// The version of its form.
pub const VERSION: u64 = 1;

/// How the rows were chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drawn {
    /// The most suspicious ones: no sample of the labels.
    Suspicion,
    /// Test examples at random: an audit.
    Random,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FAMILY`].
    pub family: String,
    /// [`VERSION`].
    pub version: u64,
    /// The suite's name.
    pub suite: String,
    /// How the rows were chosen.
    pub drawn: Drawn,
    /// The seed of a random draw.
    pub seed: Option<u64>,
    /// From how many rows.
    pub of: u64,
    /// Rows that follow.
    pub rows: u64,
    /// Whether labels and suggestions are left out.
    pub blind: bool,
}

impl Header {
    /// The first line of a file about this suite.
    pub fn new(suite: &str, (drawn, seed): (Drawn, Option<u64>), of: u64, rows: u64, blind: bool) -> Self {
        Self { family: FAMILY.to_owned(), version: VERSION, suite: suite.to_owned(), drawn, seed, of, rows, blind }
    }
}

/// Field of a blind review that tells whether the label is still the one that was drawn.
const LABEL_DIGEST: &str = "label_digest";

/// What stands for a label that is not shown: with the row's id, so that equal labels do not look equal.
pub(super) fn label_digest(id: &str, label: &Value) -> String {
    let digest = Digest::of_parts([id.as_bytes(), comparable(label).as_bytes()]);
    format!("{:016x}", digest.prefix_u64())
}

/// The file of a ranked list.
pub fn of_suspects(header: &Header, list: &[Suspect]) -> String {
    let rows = list.iter().map(|one| {
        let mut row = json!({"id": one.id, "split": one.split, "file": one.file, "line": one.line, "input": one.input});
        if !header.blind {
            row["label"] = one.label.clone();
            row["suggested"] = one.suggested.clone();
            row["suspicion"] = json!(one.suspicion);
            row["reasons"] = json!(one.reasons);
        } else {
            row[LABEL_DIGEST] = json!(label_digest(&one.id, &one.label));
        }
        row
    });
    written(header, rows)
}

/// The file of a random sample. What speaks against a label is not in it: it would sway whoever checks.
pub fn of_sample(header: &Header, rows: &[&LabelledRow]) -> String {
    let rows = rows.iter().map(|one| {
        let mut row = json!({"id": one.id, "split": one.split, "file": one.file, "line": one.line, "input": one.input});
        if header.blind {
            row[LABEL_DIGEST] = json!(label_digest(&one.id, &one.label));
        } else {
            row["label"] = one.label.clone();
        }
        row
    });
    written(header, rows)
}

fn written(header: &Header, rows: impl Iterator<Item = Value>) -> String {
    let mut text = format!("{}\n", json!(header));
    for mut row in rows {
        for field in ["verdict", "corrected", "note"] {
            row[field] = json!("");
        }
        text.push_str(&format!("{row}\n"));
    }
    text
}

/// What a reviewer says of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is right.
    Right,
    /// It is wrong.
    Wrong,
    /// It cannot be told.
    Unsure,
}

/// The label of a row that was read back.
#[derive(Debug, Clone, PartialEq)]
pub enum ShownLabel {
    /// As the reviewer saw it.
    Plain(Value),
    /// The digest of the one that was left out of a blind review.
    Hidden(String),
}

/// A row that was read back.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewRow {
    /// Its id.
    pub id: String,
    /// Which part of the data it is of.
    pub split: Split,
    /// The input as it was shown.
    pub input: Value,
    /// The label as it was shown.
    pub label: ShownLabel,
    /// What the reviewer says; `None` where nothing was said yet.
    pub verdict: Option<Verdict>,
    /// The label that the reviewer gives.
    pub corrected: Option<Value>,
    /// Where the row stands.
    pub at: RowAt,
}

/// A line of the file, for faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowAt {
    /// From 1.
    pub line: u32,
    /// Its text.
    pub text: String,
}

impl RowAt {
    /// A fault at the value of one of the row's fields.
    pub fn fault(&self, code: &'static str, file: &std::path::Path, field: &str, message: String) -> Diagnostic {
        Diagnostic::error(code, file, message).in_line(self.line, &self.text, self.value(field))
    }

    /// Where the value of a field stands. The input, which may hold anything, stands between what names the row and
    /// what the reviewer writes.
    fn value(&self, field: &str) -> std::ops::Range<usize> {
        let key = format!("\"{field}\"");
        let first = matches!(field, "id" | "split" | "input");
        let Some(at) = (if first { self.text.find(&key) } else { self.text.rfind(&key) }) else { return 0..1 };
        let after = at + key.len();
        let rest = &self.text[after..];
        let blank = rest.len() - rest.trim_start_matches([' ', ':', '\t']).len();
        after + blank..after + blank + 1
    }
}

/// Faults after which the rest of a file is not looked at: it is likely not what is meant.
pub(super) const MOST_FAULTS: usize = 50;

/// Code of a row that cannot be read.
const BAD_ROW: &str = "labels/bad-row";

/// Reads a review file back.
///
/// # Errors
/// Every line that is no row of one, with its line and column.
pub fn read(source: &Source) -> Result<(Header, Vec<ReviewRow>), Diagnostics> {
    let mut faults = Diagnostics::new();
    let mut lines = source.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let header =
        lines.next().and_then(|(_, line)| serde_json::from_str::<Header>(line.trim_start_matches('\u{feff}')).ok());
    let Some(header) = header.filter(|header| header.family == FAMILY) else {
        let message = "the first line does not say how the rows were drawn";
        let fault = Diagnostic::error("labels/no-header", &source.path, message).at(1, 1);
        return Err(fault.help("`ceiling labels SUITE -o FILE` writes it; keep it as the first line").into());
    };
    if header.version != VERSION {
        let message = format!("version {} of this file is not read here", header.version);
        return Err(Diagnostic::error("labels/no-header", &source.path, message).at(1, 1).into());
    }
    let mut rows = Vec::new();
    for (number, line) in lines {
        let at = RowAt { line: u32::try_from(number + 1).unwrap_or(u32::MAX), text: line.to_owned() };
        match row(at, source, header.blind) {
            Ok(row) => rows.push(row),
            Err(fault) => faults.push(*fault),
        }
        if faults.errors() >= MOST_FAULTS {
            break;
        }
    }
    if faults.is_empty() { Ok((header, rows)) } else { Err(faults) }
}

fn row(at: RowAt, source: &Source, blind: bool) -> Result<ReviewRow, Box<Diagnostic>> {
    let fault = |field: &str, message: String| Box::new(at.fault(BAD_ROW, &source.path, field, message));
    let value: Value = serde_json::from_str(&at.text).map_err(|error| {
        let column = error.column().saturating_sub(1).min(at.text.len());
        let full = error.to_string();
        let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(message, _)| message);
        let fault = Diagnostic::error(BAD_ROW, &source.path, format!("not JSON: {message}"));
        Box::new(fault.in_line(at.line, &at.text, column..column + 1))
    })?;
    let id = value.get("id").and_then(Value::as_str).ok_or_else(|| fault("id", "the row has no `id`".to_owned()))?;
    let split = serde_json::from_value(value.get("split").cloned().unwrap_or_default())
        .map_err(|_| fault("split", "`split` must be `test`, `dev` or `pool`".to_owned()))?;
    let verdict = match value.get("verdict").unwrap_or(&Value::Null) {
        Value::Null => None,
        Value::String(word) => match word.trim() {
            "" => None,
            "right" => Some(Verdict::Right),
            "wrong" => Some(Verdict::Wrong),
            "unsure" => Some(Verdict::Unsure),
            other => {
                let other = crate::text::one_line(other, 60);
                return Err(fault("verdict", format!("`verdict` must be `right`, `wrong` or `unsure`, not `{other}`")));
            }
        },
        _ => return Err(fault("verdict", "`verdict` must be `right`, `wrong` or `unsure`".to_owned())),
    };
    let input = value.get("input").cloned().ok_or_else(|| fault("id", "the row has no `input`".to_owned()))?;
    let label = if blind {
        let digest =
            value.get(LABEL_DIGEST).and_then(Value::as_str).map(|digest| ShownLabel::Hidden(digest.to_owned()));
        digest.ok_or_else(|| fault("id", format!("the row has no `{LABEL_DIGEST}`, and the review is a blind one")))?
    } else {
        let label = value.get("label").cloned().map(ShownLabel::Plain);
        label.ok_or_else(|| fault("id", "the row has no `label`, and the review is not a blind one".to_owned()))?
    };
    let (id, split) = (id.to_owned(), split);
    Ok(ReviewRow { id, split, input, label, verdict, corrected: corrected(&value), at })
}

/// The label that a reviewer gave: blanks around it are not meant, and nothing but blanks is none.
fn corrected(row: &Value) -> Option<Value> {
    match row.get("corrected")? {
        Value::Null => None,
        Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(Value::from),
        other => Some(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::row as labelled;
    use super::*;

    fn header(blind: bool) -> Header {
        Header::new("tiny", (Drawn::Random, Some(1)), 12, 1, blind)
    }

    #[test]
    fn a_sample_is_read_back_as_it_was_written() {
        let one = labelled(Split::Test, "t1", "say \"verdict\": \"wrong\"", "A");
        let text = of_sample(&header(false), &[&one]);
        let (read_header, rows) = read(&Source::new("r.jsonl", text.clone())).unwrap();
        assert_eq!(read_header, header(false));
        assert_eq!((rows[0].id.as_str(), rows[0].verdict, &rows[0].corrected), ("t1", None, &None));
        assert_eq!(rows[0].label, ShownLabel::Plain(json!("A")));
        assert!(!of_sample(&header(true), &[&one]).contains("label\":"));
        // The place is that of the reviewer's own word, not of the same word in the input.
        let wrong = text.replace("\"verdict\":\"\"", "\"verdict\":\"wrng\"");
        let faults = read(&Source::new("r.jsonl", wrong.clone())).unwrap_err();
        let fault = faults.iter().next().unwrap();
        let column = wrong.lines().nth(1).unwrap().find("\"wrng\"").unwrap() + 1;
        assert_eq!((fault.code, fault.line, fault.column as usize), ("labels/bad-row", 2, column));
    }

    #[test]
    fn blanks_around_a_corrected_label_are_not_meant() {
        let one = labelled(Split::Test, "t1", "x", "A");
        let given = |text: &str| {
            let text =
                of_sample(&header(false), &[&one]).replace("\"corrected\":\"\"", &format!("\"corrected\":\"{text}\""));
            read(&Source::new("r.jsonl", text)).unwrap().1.remove(0).corrected
        };
        assert_eq!((given("  "), given(" B ")), (None, Some(json!("B"))));
    }

    #[test]
    fn a_file_without_its_first_line_is_refused() {
        let text = of_sample(&header(false), &[]);
        assert!(read(&Source::new("r.jsonl", text.replace("label-review", "other"))).is_err());
        assert!(read(&Source::new("r.jsonl", "{\"id\": \"t1\"}\n")).is_err());
        assert!(read(&Source::new("r.jsonl", "")).is_err());
        assert!(read(&Source::new("r.jsonl", format!("{text}\n{{\"id\": 3,\n"))).is_err());
    }
}
