//! Examples streamed from .jsonl and .csv files: never a whole file in memory.
//!
//! In a CSV file, and in files that `map` reads, `expected` may be plain text. Where the schema
//! wants an object and the primary scorer looks at one of its fields (`at = "/code"`), the text
//! `A` then stands for `{"code": "A"}`. A CSV cell that is itself a JSON object or array is read
//! as JSON. Rows without an id are named after their file and row: `reports-17`.

mod blocks;
mod csv_rows;
pub(in crate::suite) mod lines;
pub(in crate::suite) mod row;
mod sample;
mod shard;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::Example;
use crate::diagnostic::Diagnostic;
use csv_rows::CsvRows;
use lines::JsonLines;
pub use lines::LONGEST_LINE;
pub use sample::{Sample, Stratify};
pub use shard::Shard;

/// A row that is no example.
pub type RowFault = Box<Diagnostic>;

/// Which column or JSON Pointer holds what; a name without a leading `/` is a column or key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldMap {
    /// For the id; absent: `id`.
    pub id: Option<String>,
    /// For the input; absent: `input`.
    pub input: Option<String>,
    /// For the expected answer; absent: `expected`.
    pub expected: Option<String>,
    /// For the cluster; absent: `cluster`.
    pub cluster: Option<String>,
    /// For the ids of the right documents; absent: `documents`.
    pub documents: Option<String>,
    /// For each tag; empty: the key `tags`, or the columns `tags.*`.
    pub tags: BTreeMap<String, String>,
}

impl FieldMap {
    /// Whether any name differs from the default ones.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How a plain text becomes an expected object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrap {
    /// The field that it fills.
    pub field: String,
    /// Whether the schema wants a number or a boolean there, so that the text is read as JSON.
    pub as_json: bool,
}

/// What is read from where.
#[derive(Debug, Clone, Default)]
pub struct ExampleFiles {
    /// The files, in order.
    pub files: Vec<PathBuf>,
    /// Names of fields.
    pub map: FieldMap,
    /// How plain text becomes an expected object, in CSV and mapped files.
    pub wrap: Option<Wrap>,
    /// A random part of them.
    pub sample: Option<Sample>,
    /// Whether examples may name documents: only where the suite has some.
    pub documents: bool,
    /// Only these ids.
    pub only: Option<BTreeSet<String>>,
    /// Only those with all of these tags.
    pub tags: Vec<(String, String)>,
    /// Only the first so many, after all of the above.
    pub limit: Option<u64>,
    /// Of what is left, only this part: the parts together are what would be asked without them.
    pub shard: Option<Shard>,
}

/// Where examples come from; cheap to clone, and read anew as often as needed.
#[derive(Debug, Clone)]
pub struct ExampleSource {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    spec: ExampleFiles,
    selection: OnceLock<sample::Selection>,
}

/// An example and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The example.
    pub example: Example,
    /// Its line, from 1.
    pub line: u64,
    /// Index into [`ExampleSource::files`].
    pub file: usize,
}

impl ExampleSource {
    /// A source; nothing is opened yet.
    pub fn new(spec: ExampleFiles) -> Self {
        Self { inner: Arc::new(Inner { spec, selection: OnceLock::new() }) }
    }

    /// All examples of one file with the usual names of fields.
    pub fn of_file(path: impl Into<PathBuf>) -> Self {
        Self::new(ExampleFiles { files: vec![path.into()], ..ExampleFiles::default() })
    }

    /// The files, in order.
    pub fn files(&self) -> &[PathBuf] {
        &self.inner.spec.files
    }

    /// What is read and how.
    pub fn spec(&self) -> &ExampleFiles {
        &self.inner.spec
    }

    /// The same with the other shards' examples.
    pub fn all_shards(&self) -> Self {
        match self.inner.spec.shard {
            None => self.clone(),
            Some(_) => Self::new(ExampleFiles { shard: None, ..self.inner.spec.clone() }),
        }
    }

    /// The selected examples from the start. With a sample, the files are read twice on the first
    /// call to find which examples are in it; rows with faults are never in a sample.
    pub fn read(&self) -> ExampleReader {
        self.select();
        ExampleReader { rows: self.read_all(), left: self.inner.spec.limit.unwrap_or(u64::MAX) }
    }

    /// Finds out which examples are in the sample, if there is one.
    fn select(&self) {
        if let Some(sample) = &self.inner.spec.sample {
            let read = || self.read_all().filter_map(Result::ok).map(|row| row.example);
            self.inner.selection.get_or_init(|| sample.select(read));
        }
    }

    /// Whether an example is selected, limit and shard set aside.
    fn wants(&self, example: &Example) -> bool {
        let spec = self.spec();
        let sampled = match (self.inner.selection.get(), &spec.sample) {
            (Some(selection), Some(sample)) => selection.has(sample, example),
            _ => true,
        };
        let tagged = |(name, value): &(String, String)| example.tags.get(name) == Some(value);
        sampled && spec.only.as_ref().is_none_or(|ids| ids.contains(&example.id.0)) && spec.tags.iter().all(tagged)
    }

    /// Every row of the files, sample, ids and limit set aside.
    pub fn read_all(&self) -> RowReader {
        RowReader { source: self.clone(), file: 0, open: None }
    }
}

/// The selected examples, one after the other.
#[derive(Debug)]
pub struct ExampleReader {
    rows: RowReader,
    left: u64,
}

impl Iterator for ExampleReader {
    type Item = Result<Row, RowFault>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            match self.rows.next()? {
                Ok(row) if !self.rows.source.wants(&row.example) => {}
                Ok(row) => {
                    self.left -= 1;
                    if self.rows.source.spec().shard.is_none_or(|shard| shard.has(&row.example)) {
                        return Some(Ok(row));
                    }
                }
                Err(fault) => return Some(Err(fault)),
            }
        }
        None
    }
}

/// Every row of a source's files.
#[derive(Debug)]
pub struct RowReader {
    source: ExampleSource,
    file: usize,
    open: Option<OpenFile>,
}

#[derive(Debug)]
enum OpenFile {
    Lines(JsonLines),
    Csv(Box<CsvRows>),
}

impl Iterator for RowReader {
    type Item = Result<Row, RowFault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let path = self.source.files().get(self.file)?.clone();
            let spec = self.source.spec();
            let open = match &mut self.open {
                Some(open) => open,
                None => match open_file(&path, spec) {
                    Ok(open) => self.open.insert(open),
                    Err(fault) => {
                        self.file += 1;
                        return Some(Err(fault));
                    }
                },
            };
            let row = match open {
                OpenFile::Lines(lines) => lines.next_row(&path, spec),
                OpenFile::Csv(rows) => rows.next_row(&path, spec),
            };
            match row {
                Some(row) => {
                    let file = self.file;
                    return Some(row.map(|(example, line)| Row { example, line, file }));
                }
                None => {
                    self.open = None;
                    self.file += 1;
                }
            }
        }
    }
}

fn open_file(path: &Path, spec: &ExampleFiles) -> Result<OpenFile, RowFault> {
    let reader = super::load::open(path)?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
        Ok(OpenFile::Csv(Box::new(CsvRows::new(reader, path, spec)?)))
    } else {
        Ok(OpenFile::Lines(JsonLines::new(reader)))
    }
}

#[cfg(test)]
mod tests;
