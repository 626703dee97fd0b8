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
    line: u64,
    row: u64,
    /// Bytes before the line.
    offset: u64,
    buffer: Vec<u8>,
    done: bool,
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines").field("line", &self.line).finish_non_exhaustive()
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
        Self { reader, line: 0, row: 0, offset: 0, buffer: Vec::new(), done: false }
    }

    pub(super) fn next_row(&mut self, path: &Path, spec: &ExampleFiles) -> Option<Result<(Example, u64), RowFault>> {
        self.next_as(path, |value, place| row::example_of(value, place, spec))
    }

    /// The next line as whatever `read` makes of its value, and its number.
    pub(in crate::suite) fn next_as<T>(
        &mut self,
        path: &Path,
        read: impl FnOnce(&Value, &RowPlace<'_>) -> Result<T, RowFault>,
    ) -> Option<Result<(T, u64), RowFault>> {
        while !self.done {
            match self.read_line() {
                Err(error) => {
                    self.done = true;
                    let message = format!("cannot read on: {error}");
                    return Some(Err(Box::new(
                        Diagnostic::error("suite/unreadable", path, message).at(shown(self.line), 0),
                    )));
                }
                Ok(Line::End) => self.done = true,
                Ok(Line::Blank) => {}
                Ok(Line::TooLong) => return Some(Err(self.too_long(path))),
                Ok(Line::Text) => {
                    self.row += 1;
                    return Some(self.parse(path, read).map(|read| (read, self.line)));
                }
            }
        }
        None
    }

    fn read_line(&mut self) -> io::Result<Line> {
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        let read = (&mut self.reader).take(LONGEST_LINE + 1).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(Line::End);
        }
        self.line += 1;
        if read as u64 > LONGEST_LINE {
            self.buffer.truncate(SHOWN);
            self.buffer.shrink_to_fit();
            let skipped = self.reader.skip_until(b'\n')?;
            self.offset += read as u64 + skipped as u64 - SHOWN as u64;
            return Ok(Line::TooLong);
        }
        if self.line == 1 && self.buffer.starts_with(b"\xef\xbb\xbf") {
            self.buffer.drain(..3);
            self.offset += 3;
        }
        Ok(if self.buffer.trim_ascii().is_empty() { Line::Blank } else { Line::Text })
    }

    fn too_long(&self, path: &Path) -> RowFault {
        let start = String::from_utf8_lossy(&self.buffer);
        let message = format!("the line is longer than {} MiB", LONGEST_LINE / 1024 / 1024);
        let fault = Diagnostic::error("suite/line-too-long", path, message).in_line(shown(self.line), &start, 0..1);
        Box::new(fault.help("a .jsonl file has one object on each line; `jq -c .[]` makes one of a JSON array"))
    }

    fn parse<T>(
        &self,
        path: &Path,
        read: impl FnOnce(&Value, &RowPlace<'_>) -> Result<T, RowFault>,
    ) -> Result<T, RowFault> {
        let line = shown(self.line);
        let text = std::str::from_utf8(&self.buffer).map_err(|error| {
            let at = error.valid_up_to();
            let offset = self.offset + at as u64;
            let message = format!("the line is not UTF-8: byte 0x{:02x} at offset {offset}", self.buffer[at]);
            let lossy = String::from_utf8_lossy(&self.buffer);
            let fault = Diagnostic::error("suite/not-utf8", path, message).in_line(line, &lossy, at..at + 3);
            Box::new(fault.help("save the file as UTF-8"))
        })?;
        let value: Value = serde_json::from_str(text).map_err(|error| bad_json(path, line, text, &error))?;
        let place = RowPlace { path, line, row: self.row, text };
        read(&value, &place)
    }
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
