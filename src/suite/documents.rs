//! Documents that retrieval draws from: rows `{"id", "text", "title"?}` of .jsonl files, streamed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::examples::RowFault;
use super::examples::lines::JsonLines;
use super::examples::row::{RowPlace, scalar};
use crate::diagnostic::Diagnostic;

/// A text that can be put before the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its id, unique in its suite.
    pub id: String,
    /// What it is called, if it has a title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it says; never blank.
    pub text: String,
}

impl Document {
    /// What it is found by: title and text.
    pub fn searched(&self) -> String {
        self.title.as_ref().map_or_else(|| self.text.clone(), |title| format!("{title}\n{}", self.text))
    }
}

/// A document and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// The document.
    pub document: Document,
    /// Its line, from 1.
    pub line: u64,
    /// Index into [`DocumentSource::files`].
    pub file: usize,
}

/// Where documents come from; cheap to clone, and read anew as often as needed.
#[derive(Debug, Clone)]
pub struct DocumentSource {
    files: Arc<[PathBuf]>,
}

impl DocumentSource {
    /// A source; nothing is opened yet.
    pub fn new(files: Vec<PathBuf>) -> Self {
        Self { files: files.into() }
    }

    /// The files, in order.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The documents from the start, in the order of the files and their lines.
    pub fn read(&self) -> DocumentReader {
        DocumentReader { files: Arc::clone(&self.files), file: 0, open: None }
    }
}

/// One document after the other.
#[derive(Debug)]
pub struct DocumentReader {
    files: Arc<[PathBuf]>,
    file: usize,
    open: Option<JsonLines>,
}

impl Iterator for DocumentReader {
    type Item = Result<DocumentRow, RowFault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let path = self.files.get(self.file)?;
            let lines = match &mut self.open {
                Some(lines) => lines,
                None => match super::load::open(path) {
                    Ok(reader) => self.open.insert(JsonLines::new(reader)),
                    Err(fault) => {
                        self.file += 1;
                        return Some(Err(fault));
                    }
                },
            };
            match lines.next_as(path, document_of) {
                Some(row) => {
                    let file = self.file;
                    return Some(row.map(|(document, line)| DocumentRow { document, line, file }));
                }
                None => {
                    self.open = None;
                    self.file += 1;
                }
            }
        }
    }
}

fn document_of(value: &Value, place: &RowPlace<'_>) -> Result<Document, RowFault> {
    if !value.is_object() {
        return Err(fault(place, "a document is a JSON object: {\"id\", \"text\"}"));
    }
    let id = value.get("id").and_then(scalar).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| fault(place, "the document has no `id`, or one that is no text"))?;
    let text = value.get("text").and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| fault(place, "the document has no `text`, or nothing in it"))?;
    let title = match value.get("title") {
        None | Some(Value::Null) => None,
        Some(title) => Some(title.as_str().ok_or_else(|| fault(place, "`title` must be a text"))?),
    };
    Ok(Document { id, title: title.filter(|title| !title.trim().is_empty()).map(str::to_owned), text: text.to_owned() })
}

fn fault(place: &RowPlace<'_>, message: &str) -> RowFault {
    let path: &Path = place.path;
    Box::new(Diagnostic::error("suite/bad-document", path, message).in_line(place.line, place.text, 0..1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<Result<DocumentRow, RowFault>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docs.jsonl");
        std::fs::write(&path, text).unwrap();
        DocumentSource::new(vec![path]).read().collect()
    }

    #[test]
    fn rows_are_documents_in_their_order() {
        let rows = read(
            b"{\"id\": \"a\", \"text\": \"one\"}\n\n{\"id\": 2, \"title\": \"T\", \"text\": \"two\", \"more\": 1}\n",
        );
        let rows: Vec<DocumentRow> = rows.into_iter().map(Result::unwrap).collect();
        assert_eq!(rows[0].document, Document { id: "a".into(), title: None, text: "one".into() });
        assert_eq!((rows[1].document.id.as_str(), rows[1].line), ("2", 3));
        assert_eq!(rows[1].document.searched(), "T\ntwo");
    }

    #[test]
    fn a_bad_row_is_a_fault_at_its_place_and_the_next_is_read() {
        let rows = read(b"{\"id\": \"a\"}\n[1]\n{\"id\": \"b\", \"text\": \"  \"}\n{\"id\": \"c\", \"text\": \"x\", \"title\": 1}\n{\"id\": \"d\" }}\n{\"id\": \"e\", \"text\": \"x\"}\n");
        let places: Vec<_> =
            rows.iter().filter_map(|row| row.as_ref().err()).map(|f| (f.code, f.line, f.column)).collect();
        let bad = "suite/bad-document";
        assert_eq!(places, [(bad, 1, 1), (bad, 2, 1), (bad, 3, 1), (bad, 4, 1), ("suite/bad-json", 5, 13)]);
        assert_eq!(rows.last().unwrap().as_ref().unwrap().document.id, "e");
    }
}
