//! Reading the fields of an input: every getter checks type and domain and names the field.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{CalcError, Fallback, Field, Method};
use crate::stats::Interval;
use crate::text;

/// Counts within which the numerics hold.
const MOST: f64 = 1e12;
/// Rounding that effective counts may carry.
const ROUNDING: f64 = 1e-9;

/// The input of a method: known fields only.
pub(super) struct Input<'a> {
    method: &'static Method,
    given: &'a Map<String, Value>,
}

impl<'a> Input<'a> {
    pub(super) fn new(method: &'static Method, given: &'a Map<String, Value>) -> Result<Self, CalcError> {
        let names = || method.inputs.iter().map(|field| field.name);
        for name in given.keys() {
            if !names().any(|known| known == name) {
                return Err(CalcError::UnknownField {
                    method: method.name,
                    field: CalcError::shown(name),
                    near: names().find(|known| known.eq_ignore_ascii_case(name)).or(text::nearest(name, names())),
                    known: names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
                });
            }
        }
        Ok(Self { method, given })
    }

    fn field(&self, name: &'static str) -> Field {
        let found = self.method.inputs.iter().find(|field| field.name == name);
        found.copied().unwrap_or(Field { name, what: "", default: None })
    }

    /// What was given; null counts as left out where there is a default.
    pub(super) fn value(&self, name: &'static str) -> Option<&'a Value> {
        let value = self.given.get(name)?;
        (!value.is_null() || self.field(name).default.is_none()).then_some(value)
    }

    fn missing(&self, name: &'static str) -> CalcError {
        CalcError::Missing { method: self.method.name, field: name, what: self.field(name).what }
    }

    /// A finite number, `None` where left out and without a number as default.
    fn optional(&self, name: &'static str, expected: &str) -> Result<Option<f64>, CalcError> {
        match (self.value(name), self.field(name).default) {
            (Some(value), _) => finite(value).map(Some).ok_or_else(|| CalcError::wrong(name, value, expected)),
            (None, Some(Fallback::Number(number))) => Ok(Some(number)),
            (None, _) => Ok(None),
        }
    }

    /// A finite number for which `fits` holds.
    fn number(&self, name: &'static str, expected: &str, fits: impl Fn(f64) -> bool) -> Result<f64, CalcError> {
        let number = self.optional(name, expected)?.ok_or_else(|| self.missing(name))?;
        if fits(number) { Ok(number) } else { Err(self.refuse(name, number, expected)) }
    }

    /// An error about a number that was given or is the default.
    pub(super) fn refuse(&self, name: &'static str, number: f64, expected: impl Into<String>) -> CalcError {
        CalcError::wrong(name, self.value(name).unwrap_or(&Value::from(number)), expected)
    }

    /// Any finite number.
    pub(super) fn any(&self, name: &'static str) -> Result<f64, CalcError> {
        self.number(name, "a finite number", |_| true)
    }

    /// A number of at least 0.
    pub(super) fn at_least_zero(&self, name: &'static str) -> Result<f64, CalcError> {
        self.number(name, "a number of at least 0", |v| v >= 0.0)
    }

    /// A number from 0 to 1.
    pub(super) fn share(&self, name: &'static str) -> Result<f64, CalcError> {
        self.number(name, "a number from 0 to 1", |v| (0.0..=1.0).contains(&v))
    }

    /// A share that may be left out.
    pub(super) fn optional_share(&self, name: &'static str) -> Result<Option<f64>, CalcError> {
        if self.value(name).is_none() { Ok(None) } else { self.share(name).map(Some) }
    }

    /// A number between 0 and 1, ends excluded.
    pub(super) fn open_share(&self, name: &'static str) -> Result<f64, CalcError> {
        self.number(name, "a number above 0 and below 1", |v| v > 0.0 && v < 1.0)
    }

    /// The error rate.
    pub(super) fn alpha(&self) -> Result<f64, CalcError> {
        self.open_share("alpha")
    }

    /// The error rate of a one-sided bound: above a half it would lie on the wrong side of the estimate.
    pub(super) fn one_sided_alpha(&self) -> Result<f64, CalcError> {
        self.number("alpha", "a number above 0 and at most 0.5", |v| v > 0.0 && v <= 0.5)
    }

    /// An error rate of an interval at two-sided 1 − 2·alpha.
    pub(super) fn half_alpha(&self) -> Result<f64, CalcError> {
        self.number("alpha", "a number above 0 and below 0.5", |v| v > 0.0 && v < 0.5)
    }

    /// A count that may be an effective one.
    pub(super) fn count(&self, name: &'static str) -> Result<f64, CalcError> {
        self.number(name, "a number from 0 to 1e12", |v| (0.0..=MOST).contains(&v))
    }

    /// A count of at most `n`, with rounding above it removed.
    pub(super) fn count_of(&self, name: &'static str, n: f64) -> Result<f64, CalcError> {
        let count = self.count(name)?;
        if count > n * (1.0 + ROUNDING) {
            return Err(self.refuse(name, count, format!("at most `n`, which is {n}")));
        }
        Ok(count.min(n))
    }

    /// A whole number from `least` to 10¹².
    pub(super) fn whole(&self, name: &'static str, least: u64) -> Result<u64, CalcError> {
        let expected = format!("a whole number from {least} to 1e12");
        let range = least as f64..=MOST;
        let number = self.number(name, &expected, |v| v.fract() == 0.0 && range.contains(&v))?;
        Ok(number as u64)
    }

    /// Wins and losses among `n` pairs.
    pub(super) fn discordant(&self, wins: &'static str, losses: &'static str, n: f64) -> Result<(f64, f64), CalcError> {
        let (b, c) = (self.count(wins)?, self.count(losses)?);
        if b + c <= n * (1.0 + ROUNDING) {
            return Ok((b, c));
        }
        let field = format!("{wins} + {losses}");
        Err(CalcError::Wrong { field, got: (b + c).to_string(), expected: format!("at most `n`, which is {n}") })
    }

    /// Numbers from `low` to `high`.
    pub(super) fn numbers(&self, name: &'static str, low: f64, high: f64) -> Result<Vec<f64>, CalcError> {
        let value = self.value(name).ok_or_else(|| self.missing(name))?;
        let expected = if high < f64::MAX {
            format!("a number from {low} to {high}")
        } else if low == 0.0 {
            "a number of at least 0".to_owned()
        } else {
            "a finite number".to_owned()
        };
        let items =
            value.as_array().ok_or_else(|| CalcError::wrong(name, value, format!("an array, each {expected}")))?;
        let each = items.iter().enumerate().map(|(index, item)| match finite(item) {
            Some(number) if (low..=high).contains(&number) => Ok(number),
            _ => Err(CalcError::wrong(format!("{name}[{index}]"), item, expected.clone())),
        });
        each.collect()
    }

    /// Numbers as [`Self::numbers`], as many as `other` has.
    pub(super) fn numbers_like(
        &self,
        name: &'static str,
        bounds: (f64, f64),
        other: (&'static str, usize),
    ) -> Result<Vec<f64>, CalcError> {
        let numbers = self.numbers(name, bounds.0, bounds.1)?;
        same_length(name, numbers.len(), other)?;
        Ok(numbers)
    }

    /// Cluster numbers, in order of first appearance; every entry its own without the field.
    pub(super) fn clusters(&self, other: (&'static str, usize)) -> Result<Vec<u32>, CalcError> {
        let name = "cluster";
        let Some(value) = self.value(name) else {
            return Ok((0..other.1 as u32).collect());
        };
        let items = value.as_array().ok_or_else(|| CalcError::wrong(name, value, "an array of numbers or strings"))?;
        same_length(name, items.len(), other)?;
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let each = items.iter().enumerate().map(|(index, item)| {
            let key = match (item, finite(item)) {
                (Value::String(text), _) => format!("\"{text}"),
                (_, Some(number)) => (number + 0.0).to_string(),
                _ => return Err(CalcError::wrong(format!("{name}[{index}]"), item, "a number or a string")),
            };
            let next = numbers.len() as u32;
            Ok(*numbers.entry(key).or_insert(next))
        });
        each.collect()
    }

    /// All calls behind the entries: a total, or a number each; one each without the field.
    pub(super) fn calls(&self, other: (&'static str, usize)) -> Result<u64, CalcError> {
        let name = "calls";
        let entries = other.1 as u64;
        match self.value(name) {
            None => Ok(entries),
            Some(Value::Array(items)) => {
                same_length(name, items.len(), other)?;
                let each = items.iter().enumerate().map(|(index, item)| match finite(item) {
                    Some(calls) if calls.fract() == 0.0 && (1.0..=MOST).contains(&calls) => Ok(calls as u64),
                    _ => Err(CalcError::wrong(format!("{name}[{index}]"), item, "a whole number from 1 to 1e12")),
                });
                each.sum()
            }
            Some(value) if value.is_number() => self.whole(name, entries),
            Some(value) => Err(CalcError::wrong(name, value, "the number of all calls, or an array with that of each")),
        }
    }

    /// A number of at least 0, or `[low, high]`.
    pub(super) fn range(&self, name: &'static str) -> Result<Interval, CalcError> {
        match self.value(name) {
            Some(value @ Value::Array(items)) => {
                let expected = "[low, high], 0 <= low <= high";
                let ends: Option<Vec<f64>> = items.iter().map(finite).collect();
                match ends.as_deref() {
                    Some(&[low, high]) if 0.0 <= low && low <= high => Ok(Interval { low, high }),
                    _ => Err(CalcError::Wrong {
                        field: name.into(),
                        got: CalcError::shown(&value.to_string()),
                        expected: expected.into(),
                    }),
                }
            }
            Some(value) if !value.is_number() => {
                Err(CalcError::wrong(name, value, "a number of at least 0, or [low, high]"))
            }
            _ => self.at_least_zero(name).map(|number| Interval { low: number, high: number }),
        }
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Result<T, CalcError> {
        match (self.value(name), self.field(name).default) {
            (Some(value), _) => word_of(name, value, words),
            (None, Some(Fallback::Word(word))) => word_of(name, &Value::from(word), words),
            (None, _) => Err(self.missing(name)),
        }
    }

    /// A text.
    pub(super) fn text(&self, name: &'static str) -> Result<&'a str, CalcError> {
        let value = self.value(name).ok_or_else(|| self.missing(name))?;
        value.as_str().ok_or_else(|| CalcError::wrong(name, value, "a string"))
    }

    /// An object whose keys are among these, in any case; `None` where left out.
    pub(super) fn object(
        &self,
        name: &'static str,
        keys: &[&'static str],
    ) -> Result<Option<HashMap<&'static str, &'a Value>>, CalcError> {
        let Some(value) = self.value(name) else {
            return if self.field(name).default.is_some() { Ok(None) } else { Err(self.missing(name)) };
        };
        let expected = format!("an object with the keys {}", keys.join(", "));
        let fields = value.as_object().ok_or_else(|| CalcError::wrong(name, value, expected.clone()))?;
        let each = fields.iter().map(|(key, value)| {
            let known = keys.iter().find(|known| plain(known) == plain(key)).ok_or_else(|| CalcError::Wrong {
                field: name.into(),
                got: format!("an object with the key `{}`", CalcError::shown(key)),
                expected: expected.clone(),
            })?;
            Ok((*known, value))
        });
        let found: HashMap<_, _> = each.collect::<Result<_, CalcError>>()?;
        if found.len() < fields.len() {
            return Err(CalcError::wrong(name, value, "an object with each key once"));
        }
        Ok(Some(found))
    }
}

/// The word of a value, without regard to case, `-` and `_`.
pub(super) fn word_of<T: Copy>(field: &str, value: &Value, words: &[(&str, T)]) -> Result<T, CalcError> {
    let given = value.as_str().map(plain);
    let found = words.iter().find(|(word, _)| given.as_deref() == Some(&plain(word)));
    let expected = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" | ");
    found.map(|(_, meaning)| *meaning).ok_or_else(|| CalcError::wrong(field, value, expected()))
}

fn plain(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

fn finite(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

fn same_length(name: &'static str, got: usize, other: (&'static str, usize)) -> Result<(), CalcError> {
    if got == other.1 {
        return Ok(());
    }
    let expected = format!("{} entries as in `{}`", other.1, other.0);
    Err(CalcError::Wrong { field: name.into(), got: format!("an array of {got}"), expected })
}
