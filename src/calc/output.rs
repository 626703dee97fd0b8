//! The answer of a method: exactly its fields, and no number that is not finite.

use serde_json::{Map, Value};

use super::CalcError;
use crate::stats::Interval;

/// An answer in the making.
#[derive(Default)]
pub(super) struct Output {
    fields: Map<String, Value>,
    overflow: Option<&'static str>,
}

impl Output {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A number; one that is not finite makes the whole answer an error.
    pub(super) fn number(mut self, name: &'static str, number: f64) -> Self {
        if !number.is_finite() {
            self.overflow = self.overflow.or(Some(name));
        }
        // Adding 0 makes −0 a plain 0.
        self.value(name, Value::from(number + 0.0))
    }

    /// A number, or null for a documented none.
    pub(super) fn maybe(self, name: &'static str, number: Option<f64>) -> Self {
        match number {
            Some(number) => self.number(name, number),
            None => self.value(name, Value::Null),
        }
    }

    /// `lo` and `hi`.
    pub(super) fn interval(self, interval: Interval) -> Self {
        self.number("lo", interval.low).number("hi", interval.high)
    }

    /// A count, or null for a documented none.
    pub(super) fn count(self, name: &'static str, count: Option<u64>) -> Self {
        self.value(name, count.map_or(Value::Null, Value::from))
    }

    /// Several numbers.
    pub(super) fn numbers(self, name: &'static str, numbers: Vec<f64>) -> Self {
        self.value(name, Value::from(numbers))
    }

    /// A word in kebab-case, or a flag.
    pub(super) fn value(mut self, name: &'static str, value: Value) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }

    /// An enumeration by its serialised name.
    pub(super) fn word(self, name: &'static str, word: impl serde::Serialize) -> Self {
        self.value(name, serde_json::to_value(word).unwrap_or_default())
    }

    pub(super) fn done(self) -> Result<Map<String, Value>, CalcError> {
        match self.overflow {
            Some(field) => Err(CalcError::Overflow { field }),
            None => Ok(self.fields),
        }
    }
}
