//! Plain tables: CSV with any usual separator, and JSON objects.

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use serde_json::{Map, Value};

use super::format::Format;
use super::{Fault, Record, Table, line_number};
use crate::diagnostic::{Diagnostic, Source};
use crate::text::one_line;

/// Columns beyond which a file is no table of examples.
const MOST_COLUMNS: usize = 1_000;

/// Longest cell that can be part of an example, in bytes.
const LARGEST_CELL: usize = 1024 * 1024;

/// Separators, the usual one first.
const SEPARATORS: [(u8, &str); 4] = [(b',', "comma"), (b';', "semicolon"), (b'\t', "tab"), (b'|', "bar")];

/// The separator that stands most often in the header, quoted parts left out.
fn separator(text: &str) -> (u8, &'static str) {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let bare: String = header.split('"').step_by(2).collect();
    let count = |separator: u8| bare.bytes().filter(|byte| *byte == separator).count();
    // Of equals the first: `max_by_key` would take the last.
    SEPARATORS.into_iter().rev().max_by_key(|(byte, _)| count(*byte)).unwrap_or(SEPARATORS[0])
}

/// Reads a CSV file.
pub(super) fn csv(source: &Source) -> Result<Table, Fault> {
    let (byte, name) = separator(&source.text);
    let mut reader = ReaderBuilder::new().delimiter(byte).from_reader(source.text.as_bytes());
    let headers = reader.headers().map_err(|error| unreadable(source, &error))?.clone();
    let names = names(source, &headers)?;
    let mut table = Table::new(Format::Csv);
    table.detail = name.to_owned();
    let mut record = StringRecord::new();
    loop {
        let read = reader.read_record(&mut record);
        let line = line_at(source, record.position().unwrap_or(reader.position()).byte());
        match read {
            Ok(false) => break,
            Ok(true) => add(&mut table, line, &names, &record),
            Err(error) => match error.kind() {
                ErrorKind::UnequalLengths { pos, expected_len, len } => {
                    let at = pos.as_ref().map_or(line, |at| line_at(source, at.byte()));
                    let row = Value::from(record.iter().map(|cell| one_line(cell, 200)).collect::<Vec<_>>());
                    let columns = if *len == 1 { "column" } else { "columns" };
                    let mut why = format!("it has {len} {columns}, the header {expected_len}");
                    // A quote that is never closed takes every line behind it along.
                    let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX).min(source.text.len());
                    let (last, _) = source.position(end.saturating_sub(1));
                    if last > at {
                        why = format!("{why}, and it goes on to line {last}: is a quote not closed?");
                    }
                    table.leave_out(at, why, row);
                }
                _ => return Err(unreadable(source, &error)),
            },
        }
    }
    if table.left_out.len() > table.records.len() {
        let first = &table.left_out[0];
        let message = format!("most rows do not fit the header; the first, line {}: {}", first.line, first.why);
        let fault = Diagnostic::error("init/syntax", source.path(), message).at(first.line, 1);
        return Err(Box::new(fault.help(format!("it was read with a {name} between columns; is a quote not closed?"))));
    }
    Ok(table)
}

/// The line of a record. Its position may be that of the break before it, of which CRLF has two bytes.
fn line_at(source: &Source, byte: u64) -> u32 {
    let start = usize::try_from(byte).unwrap_or(usize::MAX).min(source.text.len());
    let breaks = source.text.as_bytes()[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    source.position(start + breaks).0
}

fn add(table: &mut Table, line: u32, names: &[String], record: &StringRecord) {
    if record.iter().all(|cell| cell.trim().is_empty()) {
        return;
    }
    let fields = names.iter().zip(record).map(|(name, cell)| (name.clone(), Value::from(cell)));
    add_record(table, line, fields.collect());
}

/// Adds a row, unless a part of it is too large.
fn add_record(table: &mut Table, line: u32, fields: Map<String, Value>) {
    let large = fields.iter().find(|(_, value)| match value {
        Value::String(text) => text.len() > LARGEST_CELL,
        _ => false,
    });
    match large.map(|(name, _)| name.clone()) {
        None => table.records.push(Record { line, fields }),
        Some(name) => {
            let short = fields.into_iter().map(|(key, value)| (key, shortened(value))).collect();
            table.leave_out(line, format!("`{name}` is longer than 1 MiB"), Value::Object(short));
        }
    }
}

fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > LARGEST_CELL => Value::from(one_line(&text, 200)),
        other => other,
    }
}

/// The names of the columns: each once, and not too many.
fn names(source: &Source, headers: &StringRecord) -> Result<Vec<String>, Fault> {
    let fault = |message: String| Diagnostic::error("init/syntax", source.path(), message).at(1, 1);
    if headers.len() > MOST_COLUMNS {
        let message = format!("the header has {} columns, and {MOST_COLUMNS} are the most", headers.len());
        return Err(Box::new(fault(message).help("name the columns that matter, and cut the others off")));
    }
    let mut names: Vec<String> = Vec::with_capacity(headers.len());
    for (place, header) in headers.iter().enumerate() {
        let name = match one_line(header.trim(), 200) {
            empty if empty.is_empty() => format!("column-{}", place + 1),
            name => name,
        };
        if names.contains(&name) {
            let message = format!("the column `{}` stands twice in the header", one_line(&name, 80));
            return Err(Box::new(fault(message).help("give each column a name of its own")));
        }
        names.push(name);
    }
    if names.len() < 2 {
        let message = "the header has one column; examples need an input and an answer";
        return Err(Box::new(
            fault(message.to_owned()).help("columns are told apart by commas, semicolons, tabs or bars"),
        ));
    }
    Ok(names)
}

fn unreadable(source: &Source, error: &csv::Error) -> Fault {
    let line = error.position().map_or(0, csv::Position::line);
    let message = format!("cannot be read as CSV: {}", one_line(&error.to_string(), 200));
    Box::new(Diagnostic::error("init/syntax", source.path(), message).at(u32::try_from(line).unwrap_or(u32::MAX), 1))
}

/// Reads JSON objects, one a line or as a list.
pub(super) fn objects(source: &Source, format: Format) -> Result<Table, Fault> {
    let mut table = Table::new(format);
    for (line, value) in values(source)? {
        match value {
            Ok(Value::Object(fields)) => add_record(&mut table, line, flattened(fields)),
            Ok(other) => table.leave_out(line, "it is no JSON object", shortened(other)),
            Err((why, text)) => table.leave_out(line, why, Value::from(text)),
        }
    }
    if table.left_out.len() > table.records.len() {
        let first = &table.left_out[0];
        let message = format!("most lines are no examples; the first, line {}: {}", first.line, first.why);
        return Err(Box::new(Diagnostic::error("init/syntax", source.path(), message).at(first.line, 1)));
    }
    Ok(table)
}

/// `tags` and `metadata` become columns of their own, so that each can be a slice or a cluster.
fn flattened(fields: Map<String, Value>) -> Map<String, Value> {
    let alone = fields.keys().all(|name| name == "item" || name == "sample");
    let mut flat = Map::new();
    for (name, value) in fields {
        match value {
            // Rows of OpenAI's hosted evals hold their columns in `item`.
            Value::Object(inner) if name == "item" && alone => flat.extend(inner),
            Value::Object(inner) if name == "tags" || name == "metadata" => {
                flat.extend(inner.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            value => drop(flat.insert(name, value)),
        }
    }
    flat
}

/// A row that is JSON, or why it is none and how it begins.
type Parsed = Result<Value, (String, String)>;

/// The values of a file with their lines: the items of a list, or one a line.
pub(super) fn values(source: &Source) -> Result<Vec<(u32, Parsed)>, Fault> {
    let text = &source.text;
    if text.trim_start().starts_with('[') {
        return list(source);
    }
    if let Ok(Value::Object(whole)) = serde_json::from_str::<Value>(text) {
        return Ok(vec![(1, Ok(Value::Object(whole)))]);
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parsed = lines.map(|(number, line)| {
        let value = serde_json::from_str(line).map_err(|error| {
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or_default().to_owned();
            (format!("not JSON: {}", one_line(&said, 200)), one_line(line, 200))
        });
        (line_number(number + 1), value)
    });
    Ok(parsed.collect())
}

/// The items of a JSON list, each with the line it starts on.
fn list(source: &Source) -> Result<Vec<(u32, Parsed)>, Fault> {
    let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(&source.text).map_err(|error| {
        let message = format!("not JSON: {}", one_line(&error.to_string(), 200));
        let (line, column) = (line_number(error.line()), line_number(error.column()));
        Box::new(Diagnostic::error("init/syntax", source.path(), message).at(line, column))
    })?;
    let start = source.text.as_ptr() as usize;
    let parsed = items.into_iter().map(|item| {
        let (line, _) = source.position(item.get().as_ptr() as usize - start);
        (line, serde_json::from_str(item.get()).map_err(|error| (error.to_string(), one_line(item.get(), 200))))
    });
    Ok(parsed.collect())
}

/// The first object of a file, for telling what it is.
pub(super) fn first_object(source: &Source) -> Option<Map<String, Value>> {
    let first = values(source).ok()?.into_iter().find_map(|(_, value)| value.ok());
    match first {
        Some(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}
