//! Fields of other tools' JSON, taken with care: absent, null and wrong are told apart.

use serde_json::{Map, Value};

use super::{LeftOut, Places, Row};
use crate::exchange::{Failure, FailureKind, MOST_PLAUSIBLE_TOKENS, Retry};
use crate::text::one_line;

/// Longest message of a failure that is kept.
const LONGEST_MESSAGE: usize = 300;

/// An object's fields.
pub(super) struct Fields<'v> {
    map: &'v Map<String, Value>,
}

impl<'v> Fields<'v> {
    /// The fields of an object.
    pub(super) fn of(value: &'v Value, what: &str) -> Result<Self, String> {
        value.as_object().map(|map| Self { map }).ok_or_else(|| format!("{what} is a JSON object"))
    }

    /// A field that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// A text, absent or null; anything else is a fault.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'v str>, String> {
        let text = |value: &'v Value| value.as_str().ok_or_else(|| format!("`{name}` must be a text"));
        self.get(name).map(text).transpose()
    }

    /// A number that is not negative.
    pub(super) fn amount(&self, name: &str) -> Result<Option<f64>, String> {
        let amount = |value: &Value| {
            value
                .as_f64()
                .filter(|number| number.is_finite() && *number >= 0.0)
                .ok_or_else(|| format!("`{name}` must be a number that is not negative"))
        };
        self.get(name).map(amount).transpose()
    }

    /// A whole number that is not negative; `1.0` is one.
    pub(super) fn whole(&self, name: &str) -> Result<Option<u64>, String> {
        self.get(name).map(|value| whole(value).ok_or_else(|| format!("`{name}` must be a whole number"))).transpose()
    }

    /// A count of tokens; what no answer can have is unknown.
    pub(super) fn tokens(&self, name: &str) -> Result<Option<u64>, String> {
        Ok(self.whole(name)?.filter(|count| *count <= MOST_PLAUSIBLE_TOKENS))
    }

    /// Names that are not among these.
    pub(super) fn others(&self, known: &[&str]) -> impl Iterator<Item = (&'v str, &'v Value)> {
        let others = self.map.iter().filter(|(name, value)| !known.contains(&name.as_str()) && !value.is_null());
        others.map(|(name, value)| (name.as_str(), value)).collect::<Vec<_>>().into_iter()
    }
}

/// A whole number that is not negative.
pub(super) fn whole(value: &Value) -> Option<u64> {
    let exact = |number: f64| (number >= 0.0 && number.fract() == 0.0 && number < 9.0e15).then_some(number as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(exact))
}

/// A text, number or truth value as a text; nothing else is a name.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Adds a score, or notes that it is none.
pub(super) fn add_score(row: &mut Row, name: &str, value: Option<f64>) {
    match value.filter(|score| score.is_finite()) {
        Some(score) if (0.0..=1.0).contains(&score) => {
            row.stated.scores.insert(name.to_owned(), score);
        }
        Some(_) => row.left_out.push(LeftOut::Range(name.to_owned())),
        None => row.left_out.push(LeftOut::Score(name.to_owned())),
    }
}

/// Longest value of a tag: a longer one is a text and slices nothing.
const LONGEST_TAG: usize = 80;

/// Adds a tag, or notes that the value is none.
pub(super) fn add_tag(row: &mut Row, name: &str, value: &Value) {
    match scalar(value).filter(|value| value.chars().count() <= LONGEST_TAG) {
        Some(value) => {
            row.tags.insert(one_line(name, LONGEST_TAG), one_line(&value, LONGEST_TAG));
        }
        None if value.is_null() => {}
        None => row.left_out.push(LeftOut::Field(format!("metadata.{name}"))),
    }
}

/// A number, or a truth value as 0 or 1.
pub(super) fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_bool().map(|flag| f64::from(u8::from(flag))))
}

/// Moves id, input and expected answer to where the user says that they stand.
pub(super) fn replace(row: &mut Row, value: &Value, places: &Places) -> Result<(), String> {
    let at = |pointer: &String| value.pointer(pointer).ok_or_else(|| format!("there is nothing at `{pointer}`"));
    if let Some(pointer) = &places.id {
        let id = scalar(at(pointer)?).filter(|id| !id.is_empty());
        row.id = Some(id.ok_or_else(|| format!("what stands at `{pointer}` is no id: a text or a number"))?);
    }
    if let Some(pointer) = &places.input {
        row.input = at(pointer)?.clone();
    }
    if let Some(pointer) = &places.expected {
        row.expected = at(pointer)?.clone();
    }
    Ok(())
}

/// A failure, by what its message says: a time limit and a refused request are the variant's, what
/// the infrastructure did is missing, and what cannot be told is missing too (DESIGN.md 13.3).
pub(super) fn failure(message: &str) -> Failure {
    let lower = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let status = statuses(&lower).next();
    let kind = if says(&["timed out", "timeout", "time limit", "deadline exceeded"]) {
        FailureKind::Timeout
    } else {
        match status {
            Some(429) if says(&["quota", "billing", "insufficient"]) => FailureKind::QuotaExhausted,
            Some(429) => FailureKind::RateLimited,
            Some(401 | 403) => FailureKind::Unauthorised,
            Some(404) => FailureKind::NotFound,
            Some(400 | 413 | 422) => FailureKind::BadRequest,
            Some(500..=599) => FailureKind::Server,
            _ if says(&["rate limit"]) => FailureKind::RateLimited,
            _ if says(&["econnrefused", "econnreset", "connection error", "connection refused", "fetch failed"]) => {
                FailureKind::Connect
            }
            _ => FailureKind::Unstated,
        }
    };
    let message = one_line(message, LONGEST_MESSAGE);
    Failure { kind, status, message, retry: Retry::No }
}

/// Numbers of three digits that stand alone and can be an error's status.
fn statuses(text: &str) -> impl Iterator<Item = u16> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.len() == 3).filter_map(|word| word.parse().ok()).filter(|code| (400..600).contains(code))
}

/// A time as ISO 8601 in milliseconds since 1970-01-01 UTC; without an offset it is UTC.
pub(super) fn moment(text: &str) -> Option<i64> {
    let stamp = text.parse::<jiff::Timestamp>().ok();
    let civil = || jiff::tz::Offset::UTC.to_timestamp(text.parse::<jiff::civil::DateTime>().ok()?).ok();
    stamp.or_else(civil).map(|at| at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_counts_as_what_it_says() {
        let kind = |message| failure(message).kind;
        assert_eq!(kind("Request timed out after 300000 ms"), FailureKind::Timeout);
        assert_eq!(kind("API error: 429 Too Many Requests"), FailureKind::RateLimited);
        assert_eq!(kind("API error: 503 Service Unavailable"), FailureKind::Server);
        assert_eq!(kind("HTTP 400: context length exceeded"), FailureKind::BadRequest);
        assert_eq!(kind("it broke on line 4000 of 5000"), FailureKind::Unstated);
        assert!(!FailureKind::Unstated.counts_as_wrong());
    }

    #[test]
    fn times_are_read_with_and_without_an_offset() {
        assert_eq!(moment("1970-01-01T00:00:01Z"), Some(1000));
        assert_eq!(moment("1970-01-01T01:00:01+01:00"), Some(1000));
        assert_eq!(moment("1970-01-01T00:00:01.5"), Some(1500));
        assert_eq!(moment("yesterday"), None);
    }
}
