//! JSON Lines of any length: one value at a time, with a limit on the length of a line.

use std::io::{self, BufRead, Read as _};
use std::path::Path;

use serde_json::Value;

use super::document::Finite;
use crate::diagnostic::Diagnostic;
use crate::text::one_line;

/// Longest line, in bytes.
pub(super) const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// How much of a line that is too long is shown.
const SHOWN: usize = 400;

/// Takes a line's number, its text and its value, and says whether to go on.
pub(super) type Each<'a> = dyn FnMut(u64, &str, Result<Value, Box<Diagnostic>>) -> bool + 'a;

/// Goes through the lines of a file; blank ones are passed over. `each` says whether to go on.
pub(super) fn each(mut reader: impl BufRead, path: &Path, each: &mut Each<'_>) -> Result<(), Box<Diagnostic>> {
    let mut bytes = Vec::new();
    let mut number: u64 = 0;
    loop {
        number += 1;
        let line = shown(number);
        let unreadable = |error: io::Error| {
            Box::new(Diagnostic::error("import/unreadable", path, format!("cannot read on: {error}")).at(line, 0))
        };
        bytes.clear();
        let read = (&mut reader).take(LONGEST_LINE + 1).read_until(b'\n', &mut bytes).map_err(unreadable)?;
        if read == 0 {
            return Ok(());
        }
        let too_long = read as u64 > LONGEST_LINE;
        if too_long {
            bytes.truncate(SHOWN);
            reader.skip_until(b'\n').map_err(unreadable)?;
        }
        if number == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        let value = if too_long {
            let message = format!("the line is longer than {} MiB", LONGEST_LINE / 1024 / 1024);
            Err(Box::new(Diagnostic::error("import/line-too-long", path, message).in_line(line, &text, 0..1)))
        } else {
            parse(&bytes, &text, path, line)
        };
        if !each(number, &text, value) {
            return Ok(());
        }
    }
}

/// What is wrong with the first line of a file whose format cannot be told: `None` where it may be the beginning of
/// a document of several lines.
pub fn first_line_fault(reader: impl BufRead, path: &Path) -> Option<Box<Diagnostic>> {
    let mut first = None;
    let read = each(reader, path, &mut |_, text, value| {
        let is_json = text.trim_start().starts_with(['{', '[']) && text.trim().len() > 1;
        first = value.err().filter(|fault| is_json && !fault.message.contains("EOF while"));
        false
    });
    read.err().or(first)
}

fn parse(bytes: &[u8], text: &str, path: &Path, line: u32) -> Result<Value, Box<Diagnostic>> {
    if let Err(error) = std::str::from_utf8(bytes) {
        let at = error.valid_up_to();
        let message = format!("the line is not UTF-8: byte 0x{:02x}", bytes[at]);
        let fault = Diagnostic::error("import/not-json", path, message).in_line(line, text, at..at + 3);
        return Err(Box::new(fault.help("save the file as UTF-8")));
    }
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // Python writes NaN and Infinity, which JSON has no words for.
    if let Ok(value) = serde_json::from_reader(Finite::new(bytes)) {
        return Ok(value);
    }
    let full = error.to_string();
    let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(message, _)| message);
    let at = error.column().saturating_sub(1).min(text.trim_end().len());
    let fault = Diagnostic::error("import/not-json", path, format!("not JSON: {}", one_line(message, 200)));
    Err(Box::new(fault.in_line(line, text, at..at + 1)))
}

/// A line number for people; no file has more.
pub(super) fn shown(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}
