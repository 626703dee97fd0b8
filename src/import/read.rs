//! A file's rows, one after another, whatever its format; pure over whatever gives the bytes.

use std::io::BufRead;
use std::path::Path;

use serde_json::Value;

use super::document::{self, Sink, Stop};
use super::lines::{self, shown};
use super::{Format, Found, Header, LeftOut, Options, inspect, lm_eval, nemo, plain, promptfoo};
use crate::diagnostic::Diagnostic;
use crate::text::one_line;

/// What comes of a row.
#[derive(Debug)]
pub enum Reading {
    /// A trial, or nothing that belongs here, with the row's place.
    Found(u64, Found),
    /// A row that is not what its format says.
    Fault(Box<Diagnostic>),
}

/// Goes through a file's rows; `on` says whether to go on. What the file says of itself is whole
/// only behind the last row.
///
/// # Errors
/// A document that is no JSON, or what the system says.
pub fn each(
    reader: impl BufRead,
    path: &Path,
    (format, options): (Format, &Options),
    on: &mut dyn FnMut(Reading) -> bool,
) -> Result<Header, Box<Diagnostic>> {
    let mut rows = Rows {
        format,
        options,
        path,
        header: Header::default(),
        filter: None,
        numbers: promptfoo::Numbers::default(),
        count: 0,
        on,
    };
    let at: &[&str] = match format {
        Format::Promptfoo => promptfoo::ROWS,
        Format::Inspect => inspect::ROWS,
        Format::PromptfooLines | Format::LmEval | Format::Nemo | Format::Plain => {
            lines::each(reader, path, &mut |number, text, value| rows.line(number, text, value))?;
            return Ok(rows.header);
        }
    };
    match document::read(reader, at, &mut rows) {
        Ok(()) | Err(Stop::Enough) => Ok(rows.header),
        Err(Stop::Broken(error)) => {
            let full = error.to_string();
            let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(message, _)| message);
            let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
            let column = u32::try_from(error.column()).unwrap_or(u32::MAX);
            let fault = Diagnostic::error("import/not-json", path, format!("not JSON: {}", one_line(message, 200)));
            Err(Box::new(fault.at(line, column).help("the file must be whole; a log that is being written is not")))
        }
    }
}

struct Rows<'a> {
    format: Format,
    options: &'a Options,
    path: &'a Path,
    header: Header,
    /// lm-eval's filter whose scores are taken.
    filter: Option<String>,
    /// promptfoo's columns and tests, where the file does not number them.
    numbers: promptfoo::Numbers,
    count: u64,
    on: &'a mut dyn FnMut(Reading) -> bool,
}

impl Rows<'_> {
    fn line(&mut self, number: u64, text: &str, value: Result<Value, Box<Diagnostic>>) -> bool {
        let value = match value {
            Ok(value) => value,
            Err(fault) => return (self.on)(Reading::Fault(fault)),
        };
        self.count += 1;
        let reading = match self.found(&value) {
            Ok(found) => Reading::Found(number, placed(found, number)),
            Err(message) => {
                let fault = Diagnostic::error("import/bad-row", self.path, message);
                Reading::Fault(Box::new(fault.in_line(shown(number), text, 0..1)))
            }
        };
        (self.on)(reading)
    }

    fn found(&mut self, value: &Value) -> Result<Found, String> {
        match self.format {
            Format::Promptfoo | Format::PromptfooLines => promptfoo::row(value, self.options, &mut self.numbers),
            Format::Inspect => inspect::row(value, self.options),
            Format::Nemo => nemo::row(value, self.options),
            Format::LmEval => {
                if self.filter.is_none() {
                    let first = lm_eval::filter_of(value).map(str::to_owned);
                    self.filter = self.options.filter.clone().or(first);
                    if let Some(filter) = &self.filter {
                        self.header
                            .notes
                            .push(format!("the scores are those of the filter `{}`", one_line(filter, 60)));
                    }
                }
                lm_eval::row(value, self.options, self.filter.as_deref())
            }
            Format::Plain => {
                if self.count == 1 {
                    plain::header(&mut self.header, value);
                }
                plain::row(value, self.options)
            }
        }
    }
}

impl Sink for Rows<'_> {
    fn wants(&self, key: &str) -> bool {
        match self.format {
            Format::Promptfoo => promptfoo::HEADER.contains(&key),
            _ => inspect::HEADER.contains(&key),
        }
    }

    fn key(&mut self, key: &str, value: Value) {
        match self.format {
            Format::Promptfoo => promptfoo::header(&mut self.header, key, &value),
            _ => inspect::header(&mut self.header, key, &value),
        }
    }

    fn row(&mut self, line: u64, value: Value) -> bool {
        self.count += 1;
        let number = self.count;
        let reading = match self.found(&value) {
            Ok(found) => Reading::Found(number, placed(found, number)),
            Err(message) => {
                let fault = Diagnostic::error("import/bad-row", self.path, format!("result {number}: {message}"));
                Reading::Fault(Box::new(fault.at(shown(line), 0)))
            }
        };
        (self.on)(reading)
    }
}

/// A trial that knows its place, unless the file numbers its tests itself.
fn placed(found: Found, number: u64) -> Found {
    match found {
        Found::Row(mut row) => {
            row.place = number;
            Found::Row(row)
        }
        Found::Not(left_out) => Found::Not(left_out),
    }
}

/// A row that could not be read, as something that is left out.
pub fn unreadable(fault: &Diagnostic) -> LeftOut {
    LeftOut::Row(format!("that cannot be read ({})", fault.message))
}
