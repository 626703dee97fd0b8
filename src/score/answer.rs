//! From a completion's text to an answer: parse as the suite says, then ask the schema.
//!
//! The text is hostile: every mode takes time linear in its length, and nesting is bounded by
//! serde_json's recursion limit. JSON's own rules hold: of duplicate keys the last one counts, and
//! NaN and trailing commas are not JSON.

use serde_json::Value;

use crate::suite::ParseMode;
use crate::suite::schema::{OutputSchema, Violation};

/// Starts of values that `lenient` tries in a text whose schema asks for no container. Each try
/// may read to the end of the text, so their number is bounded.
const MAX_TRIES: usize = 16;

/// The parsed content of a completion.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The value, whether the schema accepts it or not; `None` when the text is not JSON.
    pub value: Option<Value>,
    /// Whether it could be used.
    pub validity: Validity,
}

/// Whether an answer parses and the suite's schema accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validity {
    /// It does.
    Valid,
    /// It parses, but the schema does not accept it.
    Invalid(Violation),
    /// It does not parse.
    NotJson {
        /// Byte offset into the text at which it stops being JSON.
        offset: usize,
        /// What is wrong there.
        message: String,
    },
}

impl Validity {
    /// Whether the answer can be used.
    pub fn is_valid(&self) -> bool {
        *self == Self::Valid
    }

    /// What is wrong, as one line without offsets, so that equal faults count together.
    pub fn fault(&self) -> Option<String> {
        match self {
            Self::Valid => None,
            Self::Invalid(violation) if violation.path.is_empty() => Some(violation.message.clone()),
            Self::Invalid(violation) => Some(format!("{}: {}", violation.path, violation.message)),
            Self::NotJson { message, .. } => Some(format!("not JSON: {message}")),
        }
    }
}

/// Reads a completion's text (or a forced tool's arguments).
///
/// Without a schema and without `wants_json` the answer is the text itself, as a JSON string.
pub fn parse(text: &str, mode: ParseMode, schema: Option<&OutputSchema>, wants_json: bool) -> Answer {
    parse_as(text, mode, schema, wants_json, &|value| value)
}

/// The same, with what is parsed put into the suite's form before the schema is asked.
pub fn parse_as(
    text: &str,
    mode: ParseMode,
    schema: Option<&OutputSchema>,
    wants_json: bool,
    restore: &dyn Fn(Value) -> Value,
) -> Answer {
    if schema.is_none() && !wants_json {
        return Answer { value: Some(Value::String(text.to_owned())), validity: Validity::Valid };
    }
    let found = match mode {
        ParseMode::Strict => whole(text, text),
        ParseMode::Fenced => whole(text, fenced(text).unwrap_or(text)),
        ParseMode::Lenient => first_value(text, schema.is_some_and(OutputSchema::is_container)),
    };
    match found {
        Err((offset, message)) => Answer { value: None, validity: Validity::NotJson { offset, message } },
        Ok(value) => {
            let value = restore(value);
            let violation = schema.and_then(|schema| schema.first_violation(&value));
            Answer { value: Some(value), validity: violation.map_or(Validity::Valid, Validity::Invalid) }
        }
    }
}

/// A value, or the offset and the message of the fault.
type Found = Result<Value, (usize, String)>;

/// `part` of `text`, white space around it dropped, as one JSON value.
fn whole(text: &str, part: &str) -> Found {
    let trimmed = part.trim();
    serde_json::from_str(trimmed)
        .map_err(|error| (offset_in(text, trimmed) + offset_of(trimmed, &error), message_of(&error)))
}

/// What stands in the one ``` block that is the whole text, without its language word.
fn fenced(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("```")?.strip_suffix("```")?;
    let word_end = inside.find(|c: char| !c.is_ascii_alphanumeric() && !"-_+.".contains(c));
    match inside.split_once('\n') {
        Some((word, body)) if word_end.is_none_or(|end| word[end.min(word.len())..].trim().is_empty()) => Some(body),
        // All on one line, or JSON that starts on the fence's own line.
        _ => Some(inside.strip_prefix("json").unwrap_or(inside)),
    }
}

/// The value at the first `{` or `[` for schemas of containers, else the first value at all
/// (DESIGN.md 13.15).
fn first_value(text: &str, container: bool) -> Found {
    if container {
        let start = text.find(['{', '[']).ok_or_else(|| nothing(text))?;
        return value_at(text, start).map_err(|error| error.unwrap_or_else(|| nothing(text)));
    }
    let (mut tries, mut at, mut first_fault) = (0, 0, None);
    while tries < MAX_TRIES {
        let Some(start) = next_start(text, at) else { break };
        let number = number_length(&text.as_bytes()[start..]);
        if let Some(length) = number {
            if let Ok(value) = serde_json::from_str(&text[start..start + length]) {
                return Ok(value);
            }
        } else {
            tries += 1;
            match value_at(text, start) {
                Ok(value) => return Ok(value),
                Err(fault) => first_fault = first_fault.or(fault),
            }
        }
        at = start + number.unwrap_or(1);
    }
    Err(first_fault.unwrap_or_else(|| nothing(text)))
}

/// The value that starts at a byte, whatever follows it.
fn value_at(text: &str, start: usize) -> Result<Value, Option<(usize, String)>> {
    let rest = &text[start..];
    match serde_json::Deserializer::from_str(rest).into_iter().next() {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(Some((start + offset_of(rest, &error), message_of(&error)))),
        None => Err(None),
    }
}

/// The next place from `at` on where a JSON value may begin: a bracket, a quote, or a number or
/// literal that is not the inside of a word.
fn next_start(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    (at..bytes.len()).find(|&index| {
        let in_word =
            index > 0 && (bytes[index - 1].is_ascii_alphanumeric() || matches!(bytes[index - 1], b'_' | b'.'));
        match bytes[index] {
            b'{' | b'[' | b'"' => true,
            _ if in_word || !text.is_char_boundary(index) => false,
            b'-' | b'0'..=b'9' => number_length(&bytes[index..]).is_some(),
            b't' | b'f' | b'n' => ["true", "false", "null"].iter().any(|word| is_word(&text[index..], word)),
            _ => false,
        }
    })
}

/// Whether `rest` begins with this word, whole.
fn is_word(rest: &str, word: &str) -> bool {
    rest.strip_prefix(word).is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The length of the JSON number at the start; a full stop after it is the sentence's.
fn number_length(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(sign);
    if whole == 0 || (whole > 1 && bytes[sign] == b'0') {
        return None;
    }
    let mut length = sign + whole;
    if bytes.get(length) == Some(&b'.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits((length + 1 + sign).min(bytes.len()));
        length += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    let in_word = bytes.get(length).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    (!in_word).then_some(length)
}

/// The fault of a text without any value.
fn nothing(text: &str) -> (usize, String) {
    (text.len(), "no JSON value in the text".to_owned())
}

/// Where `part`, a slice of `text`, begins in it.
fn offset_in(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// The byte at which serde_json stopped; it counts lines from 1 and columns in bytes.
fn offset_of(text: &str, error: &serde_json::Error) -> usize {
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    (before + error.column().saturating_sub(1)).min(text.len())
}

/// serde_json's message without its position, so that equal faults count together.
fn message_of(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let end = message.rfind(" at line ").unwrap_or(message.len());
    crate::text::one_line(&message[..end], 200)
}

#[cfg(test)]
mod tests;
