//! CSV: a header row, then one example a row.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::path::Path;

use csv::{ErrorKind, StringRecord};
use serde_json::Value;

use super::lines::{LONGEST_LINE, shown};
use super::row::{self, RowPlace};
use super::{Example, ExampleFiles, FieldMap, RowFault};
use crate::diagnostic::Diagnostic;
use crate::suite::ExampleId;
use crate::text::one_line;

/// A reader that fails once a row is too large: a quote that is never closed would else pull the
/// whole file into memory. It knows where lines break in what the parser has still in hand.
struct RowLimit {
    reader: Box<dyn BufRead + Send>,
    since_row: u64,
    /// Bytes read so far.
    offset: u64,
    /// Where a `\r` or `\n` stands, and whether it ends a line.
    breaks: VecDeque<(u64, bool)>,
    /// Whether there were too many to keep: lines are then those of the parser.
    has_lost_breaks: bool,
}

/// Line breaks that are kept at most: those of a row that is one are few.
const MOST_BREAKS: usize = 1 << 20;

impl RowLimit {
    fn new(reader: Box<dyn BufRead + Send>) -> Self {
        Self { reader, since_row: 0, offset: 0, breaks: VecDeque::new(), has_lost_breaks: false }
    }

    /// The line on which a row begins. The parser's position may be that of the line breaks before it:
    /// of CRLF it leaves the second byte to the next row, and so it does with empty lines.
    fn line_of(&mut self, position: &csv::Position) -> u64 {
        let (mut byte, mut line) = (position.byte(), position.line());
        while let Some((at, ends)) = self.breaks.front().copied().filter(|(at, _)| *at <= byte) {
            if at == byte {
                byte += 1;
                line += u64::from(ends);
            }
            self.breaks.pop_front();
        }
        line
    }
}

impl Read for RowLimit {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_row > LONGEST_LINE {
            let message = format!("a row is larger than {} MiB; is a quote not closed?", LONGEST_LINE / 1024 / 1024);
            return Err(io::Error::other(message));
        }
        let read = self.reader.read(buffer)?;
        let breaks = (self.offset..).zip(&buffer[..read]).filter(|(_, byte)| matches!(byte, b'\r' | b'\n'));
        self.breaks.extend(breaks.map(|(at, byte)| (at, *byte == b'\n')));
        if self.has_lost_breaks || self.breaks.len() > MOST_BREAKS {
            self.has_lost_breaks = true;
            self.breaks.clear();
        }
        self.offset += read as u64;
        self.since_row += read as u64;
        Ok(read)
    }
}

/// Which column holds what.
#[derive(Debug)]
struct Columns {
    id: Option<usize>,
    input: usize,
    expected: usize,
    cluster: Option<usize>,
    documents: Option<usize>,
    tags: Vec<(String, usize)>,
}

/// The rows of one file.
pub(super) struct CsvRows {
    reader: csv::Reader<RowLimit>,
    columns: Columns,
    row: u64,
    done: bool,
}

impl fmt::Debug for CsvRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvRows").field("columns", &self.columns).field("row", &self.row).finish_non_exhaustive()
    }
}

impl CsvRows {
    pub(super) fn new(reader: Box<dyn BufRead + Send>, path: &Path, spec: &ExampleFiles) -> Result<Self, RowFault> {
        let mut reader = csv::Reader::from_reader(RowLimit::new(reader));
        let headers = reader.headers().map_err(|error| row_fault(path, 1, &error))?;
        let columns = Columns::find(headers, spec, path)?;
        Ok(Self { reader, columns, row: 0, done: false })
    }

    pub(super) fn next_row(&mut self, path: &Path, spec: &ExampleFiles) -> Option<Result<(Example, u64), RowFault>> {
        if self.done {
            return None;
        }
        let mut record = StringRecord::new();
        self.reader.get_mut().since_row = 0;
        let read = self.reader.read_record(&mut record);
        let failed_at = || read.as_ref().err().and_then(csv::Error::position);
        let at = record.position().or_else(failed_at).unwrap_or(self.reader.position()).clone();
        let line = self.reader.get_mut().line_of(&at);
        self.row += 1;
        match read {
            Ok(false) => {
                self.done = true;
                None
            }
            Ok(true) => Some(self.example(&record, path, line, spec).map(|example| (example, line))),
            Err(error) => {
                self.done = error.is_io_error();
                Some(Err(row_fault(path, line, &error)))
            }
        }
    }

    fn example(&self, record: &StringRecord, path: &Path, line: u64, spec: &ExampleFiles) -> Result<Example, RowFault> {
        let place = RowPlace { path, line: shown(line), row: self.row, text: "" };
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let filled = |column: Option<usize>| column.map(cell).filter(|text| !text.is_empty()).map(str::to_owned);
        let id = match (self.columns.id, filled(self.columns.id)) {
            (_, Some(id)) => id,
            (Some(_), None) => return Err(Box::new(place.fault("the row has no id"))),
            (None, None) => place.default_id(),
        };
        let mut expected = json_cell(cell(self.columns.expected));
        if let Some(wrap) = &spec.wrap {
            expected = wrap.apply(expected);
        }
        let tags = self.columns.tags.iter().filter_map(|(name, column)| Some((name.clone(), filled(Some(*column))?)));
        let documents = match filled(self.columns.documents).map(|text| row::ids_of(&json_cell(&text))) {
            None => Vec::new(),
            Some(Some(ids)) => ids,
            Some(None) => return Err(Box::new(place.fault("`documents` must be an id, or a JSON list of ids"))),
        };
        Ok(Example {
            id: ExampleId(id),
            input: Value::String(cell(self.columns.input).to_owned()),
            expected,
            cluster: filled(self.columns.cluster),
            tags: tags.collect(),
            documents,
        })
    }
}

impl Columns {
    fn find(headers: &StringRecord, spec: &ExampleFiles, path: &Path) -> Result<Self, RowFault> {
        let map: &FieldMap = &spec.map;
        let find = |name: &str| headers.iter().position(|header| header.trim() == name);
        let required = |field: &str, mapped: Option<&String>| {
            let name = mapped.map_or(field, String::as_str);
            find(name).ok_or_else(|| {
                let fault = Diagnostic::error("suite/missing-column", path, format!("there is no column `{name}`"));
                let fault = fault.at(1, 1).suggest(name, headers.iter());
                let said = format!("say which column it is: `[data] map = {{ {field} = \"…\" }}`");
                Box::new(match fault.help.clone() {
                    Some(help) if mapped.is_none() => fault.help(format!("{help}; {said}")),
                    _ => fault,
                })
            })
        };
        let optional = |field: &str, mapped: Option<&String>| match mapped {
            Some(_) => required(field, mapped).map(Some),
            None => Ok(find(field)),
        };
        let tags = if map.tags.is_empty() {
            let tagged = headers.iter().enumerate();
            tagged.filter_map(|(column, name)| Some((name.trim().strip_prefix("tags.")?.to_owned(), column))).collect()
        } else {
            let named = map.tags.iter().map(|(tag, column)| Ok((tag.clone(), required(tag, Some(column))?)));
            named.collect::<Result<_, RowFault>>()?
        };
        Ok(Self {
            id: optional("id", map.id.as_ref())?,
            input: required("input", map.input.as_ref())?,
            expected: required("expected", map.expected.as_ref())?,
            cluster: optional("cluster", map.cluster.as_ref())?,
            documents: if spec.documents { optional("documents", map.documents.as_ref())? } else { None },
            tags,
        })
    }
}

/// A cell: JSON if it is an object or array, else text. It must nest one level less than what can be read, since the
/// example is kept with the cell inside.
fn json_cell(text: &str) -> Value {
    if text.starts_with(['{', '['])
        && let Ok([value]) = serde_json::from_str::<[Value; 1]>(&format!("[{text}]"))
    {
        return value;
    }
    Value::String(text.to_owned())
}

fn row_fault(path: &Path, line: u64, error: &csv::Error) -> RowFault {
    let (code, message) = match error.kind() {
        ErrorKind::Utf8 { err, .. } => {
            ("suite/not-utf8", format!("column {} of the row is not UTF-8", err.field() + 1))
        }
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            ("suite/bad-example", format!("the row has {len} columns, the header {expected_len}"))
        }
        _ => ("suite/unreadable", format!("cannot read on: {}", one_line(&error.to_string(), 200))),
    };
    Box::new(Diagnostic::error(code, path, message).at(shown(line), 1))
}
