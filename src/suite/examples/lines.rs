//! JSON Lines: one object a line, with a limit on the length of a line.

use std::fmt;
use std::io::{self, BufRead, Read as _};
use std::path::Path;

use serde_json::Value;

use super::row::{self, RowPlace};
use super::{Example, ExampleFiles, RowFault};
use crate::diagnostic::Diagnostic;
use crate::text::one_line;

/// Longest line of a data file, and largest row of a CSV file, in bytes.
pub const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// How much of a line that is too long is kept to be shown.
const SHOWN: usize = 400;

/// The lines of one file.
pub(in crate::suite) struct JsonLines {
    reader: Box<dyn BufRead + Send>,
    place: LinePlace,
    buffer: Vec<u8>,
    done: bool,
}

/// Where a line stands in its file.
#[derive(Debug, Clone, Copy, Default)]
struct LinePlace {
    /// From 1.
    line: u64,
    /// Its number among the lines that are not blank, from 1.
    row: u64,
    /// Bytes before it.
    offset: u64,
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines").field("line", &self.place.line).finish_non_exhaustive()
    }
}

/// What a line turned out to be.
enum Line {
    End,
    Blank,
    Text,
    TooLong,
}

impl JsonLines {
    pub(in crate::suite) fn new(reader: Box<dyn BufRead + Send>) -> Self {
        Self { reader, place: LinePlace::default(), buffer: Vec::new(), done: false }
    }

    pub(super) fn next_row(&mut self, path: &Path, spec: &ExampleFiles) -> Option<Result<(Example, u64), RowFault>> {
        self.next_text(path)
            .map(|text| text.and_then(|(text, place)| Ok((parse_example(path, place, text, spec)?, place.line))))
    }

    /// The next lines, not parsed yet: as many as make this many bytes, and at least one.
    pub(super) fn next_lines(&mut self, path: &Path, most_bytes: usize) -> Option<Lines> {
        let mut lines = Lines::default();
        while lines.bytes.len() < most_bytes {
            let line = match self.next_text(path) {
                None => break,
                Some(Ok((text, place))) => {
                    lines.bytes.extend_from_slice(text);
                    Ok((lines.bytes.len(), place))
                }
                Some(Err(fault)) => Err(fault),
            };
            lines.all.push(line);
        }
        (!lines.all.is_empty()).then_some(lines)
    }

    /// The next line as whatever `read` makes of its value, and its number.
    pub(in crate::suite) fn next_as<T>(
        &mut self,
        path: &Path,
        read: impl FnOnce(&Value, &RowPlace<'_>) -> Result<T, RowFault>,
    ) -> Option<Result<(T, u64), RowFault>> {
        let text = self.next_text(path)?;
        Some(text.and_then(|(text, place)| Ok((parse(path, place, text, read)?, place.line))))
    }

    /// The next line that is not blank.
    fn next_text(&mut self, path: &Path) -> Option<Result<(&[u8], LinePlace), RowFault>> {
        while !self.done {
            match self.read_line() {
                Err(error) => {
                    self.done = true;
                    let message = format!("cannot read on: {error}");
                    let fault = Diagnostic::error("suite/unreadable", path, message).at(shown(self.place.line), 0);
                    return Some(Err(Box::new(fault)));
                }
                Ok(Line::End) => self.done = true,
                Ok(Line::Blank) => {}
                Ok(Line::TooLong) => return Some(Err(self.too_long(path))),
                Ok(Line::Text) => {
                    self.place.row += 1;
                    return Some(Ok((&self.buffer, self.place)));
                }
            }
        }
        None
    }

    fn read_line(&mut self) -> io::Result<Line> {
        self.place.offset += self.buffer.len() as u64;
        self.buffer.clear();
        let read = (&mut self.reader).take(LONGEST_LINE + 1).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(Line::End);
        }
        self.place.line += 1;
        if read as u64 > LONGEST_LINE {
            self.buffer.truncate(SHOWN);
            self.buffer.shrink_to_fit();
            let skipped = self.reader.skip_until(b'\n')?;
            self.place.offset += read as u64 + skipped as u64 - SHOWN as u64;
            return Ok(Line::TooLong);
        }
        if self.place.line == 1 && self.buffer.starts_with(b"\xef\xbb\xbf") {
            self.buffer.drain(..3);
            self.place.offset += 3;
        }
        Ok(if self.buffer.trim_ascii().is_empty() { Line::Blank } else { Line::Text })
    }

    fn too_long(&self, path: &Path) -> RowFault {
        let start = String::from_utf8_lossy(&self.buffer);
        let message = format!("the line is longer than {} MiB", LONGEST_LINE / 1024 / 1024);
        let fault =
            Diagnostic::error("suite/line-too-long", path, message).in_line(shown(self.place.line), &start, 0..1);
        Box::new(fault.help("a .jsonl file has one object on each line; `jq -c .[]` makes one of a JSON array"))
    }
}

/// Lines that follow one another, not parsed yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where each ends in the bytes, or why it is none.
    all: Vec<Result<(usize, LinePlace), RowFault>>,
}

impl Lines {
    /// Their length.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Each as an example with the number of its line.
    pub(super) fn parse(
        self,
        path: &Path,
        spec: &ExampleFiles,
    ) -> impl Iterator<Item = Result<(Example, u64), RowFault>> {
        let Self { bytes, all } = self;
        let mut start = 0;
        all.into_iter().map(move |line| {
            let (end, place) = line?;
            let text = &bytes[std::mem::replace(&mut start, end)..end];
            Ok((parse_example(path, place, text, spec)?, place.line))
        })
    }
}

fn parse_example(path: &Path, at: LinePlace, bytes: &[u8], spec: &ExampleFiles) -> Result<Example, RowFault> {
    match row::plain_example(bytes, spec) {
        Some(example) => Ok(example),
        None => parse(path, at, bytes, |value, place| row::example_of(value, place, spec)),
    }
}

fn parse<T>(
    path: &Path,
    at: LinePlace,
    bytes: &[u8],
    read: impl FnOnce(&Value, &RowPlace<'_>) -> Result<T, RowFault>,
) -> Result<T, RowFault> {
    let line = shown(at.line);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let wrong = error.valid_up_to();
        let offset = at.offset + wrong as u64;
        let message = format!("the line is not UTF-8: byte 0x{:02x} at offset {offset}", bytes[wrong]);
        let lossy = String::from_utf8_lossy(bytes);
        let fault = Diagnostic::error("suite/not-utf8", path, message).in_line(line, &lossy, wrong..wrong + 3);
        Box::new(fault.help("save the file as UTF-8"))
    })?;
    let value: Value = serde_json::from_str(text).map_err(|error| bad_json(path, line, text, &error))?;
    let place = RowPlace { path, line, row: at.row, text };
    read(&value, &place)
}

/// A line number for people; no file has more.
pub(super) fn shown(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

fn bad_json(path: &Path, line: u32, text: &str, error: &serde_json::Error) -> RowFault {
    let full = error.to_string();
    let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(message, _)| message);
    let at = error.column().saturating_sub(1).min(text.trim_end().len());
    let fault = Diagnostic::error("suite/bad-json", path, format!("not JSON: {}", one_line(message, 200)));
    Box::new(fault.in_line(line, text, at..at + 1))
}
