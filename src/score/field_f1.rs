//! `field-f1`: F1 over the (JSON Pointer, scalar) pairs of two records (METHODS.md 13).
//!
//! Both records are walked side by side instead of being flattened, so that no pointer is built
//! from a hostile answer's keys. Empty lists and objects hold no pair.

mod assignment;

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Grade, Scorer};
use crate::suite::ListMatch;

/// The longest list that `match = "best"` pairs by assignment, whose time grows with the cube of
/// the length; longer ones are paired by position.
const MAX_BEST_ITEMS: usize = 100;
/// Fields kept of one answer that `expected` does not have: a bound against hostile answers.
const MAX_FIELDS: usize = 200;
/// Characters kept of a field's pointer.
const MAX_POINTER: usize = 200;

/// The scorer, which also counts by field.
#[derive(Debug, Clone, Copy)]
pub struct FieldF1 {
    tolerance: f64,
    list_match: ListMatch,
}

/// What one field had, or what it had over many answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct FieldCounts {
    /// Pairs that are right.
    pub right: u64,
    /// Pairs in the answers.
    pub answered: u64,
    /// Pairs expected.
    pub expected: u64,
}

impl FieldCounts {
    /// Adds another answer's counts.
    pub fn add(&mut self, other: Self) {
        self.right += other.right;
        self.answered += other.answered;
        self.expected += other.expected;
    }

    /// Of the answered pairs, the share that is right; `None` when none was answered.
    pub fn precision(&self) -> Option<f64> {
        (self.answered > 0).then(|| self.right as f64 / self.answered as f64)
    }

    /// Of the expected pairs, the share that is right; `None` when none was expected.
    pub fn recall(&self) -> Option<f64> {
        (self.expected > 0).then(|| self.right as f64 / self.expected as f64)
    }

    /// F1 of the field; 1 when it was neither answered nor expected.
    pub fn f1(&self) -> f64 {
        super::f1(self.right, self.answered + self.expected)
    }
}

/// Counts by field: a JSON Pointer with `*` for the index of a list item.
pub type FieldTable = BTreeMap<String, FieldCounts>;

impl FieldF1 {
    /// Numbers within `tolerance` are equal; lists are paired as `list_match` says.
    pub fn new(tolerance: f64, list_match: ListMatch) -> Self {
        Self { tolerance, list_match }
    }

    /// The pairs of two values by field; no answer is `None`.
    pub fn field_counts(&self, expected: &Value, answer: Option<&Value>) -> FieldTable {
        let mut counter = Counter { scorer: *self, path: Vec::new(), table: FieldTable::new() };
        counter.walk(Some(expected), answer);
        counter.table
    }

    /// How many pairs of two values are right. Each pair of list items is looked at once a level,
    /// so that nested lists do not multiply the time.
    fn right(&self, expected: &Value, answer: &Value) -> u64 {
        match (expected, answer) {
            (Value::Object(expected), Value::Object(answer)) => {
                expected.iter().filter_map(|(name, value)| answer.get(name).map(|other| self.right(value, other))).sum()
            }
            (Value::Array(expected), Value::Array(answer)) if self.pairs_best(expected, answer) => {
                let weights = self.weights(expected, answer);
                let pairs = assignment::best(&weights);
                pairs.into_iter().map(|(row, column)| weights[row][column]).sum()
            }
            (Value::Array(expected), Value::Array(answer)) => {
                expected.iter().zip(answer).map(|(value, other)| self.right(value, other)).sum()
            }
            _ => u64::from(self.is_right(expected, answer)),
        }
    }

    fn pairs_best(&self, expected: &[Value], answer: &[Value]) -> bool {
        self.list_match == ListMatch::Best && expected.len().max(answer.len()) <= MAX_BEST_ITEMS
    }

    /// How many pairs are right if these two items are paired, for all of them.
    fn weights(&self, expected: &[Value], answer: &[Value]) -> Vec<Vec<u64>> {
        let row = |value| answer.iter().map(|other| self.right(value, other)).collect();
        expected.iter().map(row).collect()
    }

    /// Whether two scalars are equal; a container never is.
    fn is_right(&self, expected: &Value, answer: &Value) -> bool {
        match (expected, answer) {
            (Value::Number(expected), Value::Number(answer)) => {
                expected == answer
                    || expected
                        .as_f64()
                        .zip(answer.as_f64())
                        .is_some_and(|(expected, answer)| (expected - answer).abs() <= self.tolerance)
            }
            (Value::Array(_) | Value::Object(_), _) => false,
            _ => expected == answer,
        }
    }
}

impl Scorer for FieldF1 {
    fn score(&self, expected: &Value, answer: &Value, _reply: Option<&Value>) -> Grade {
        let pairs = leaves(expected) + leaves(answer);
        Grade::Scored(super::f1(self.right(expected, answer), pairs))
    }
}

/// The scalars in a value.
fn leaves(value: &Value) -> u64 {
    match value {
        Value::Object(fields) => fields.values().map(leaves).sum(),
        Value::Array(items) => items.iter().map(leaves).sum(),
        _ => 1,
    }
}

/// Walks two values side by side and counts each field's pairs.
struct Counter<'a> {
    scorer: FieldF1,
    path: Vec<&'a str>,
    table: FieldTable,
}

impl<'a> Counter<'a> {
    fn walk(&mut self, expected: Option<&'a Value>, answer: Option<&'a Value>) {
        match (expected, answer) {
            (Some(Value::Object(left)), Some(Value::Object(right))) => {
                for (name, value) in left {
                    self.step(name, Some(value), right.get(name));
                }
                for (name, value) in right.iter().filter(|(name, _)| !left.contains_key(*name)) {
                    self.step(name, None, Some(value));
                }
            }
            (Some(Value::Array(left)), Some(Value::Array(right))) => self.walk_lists(left, right),
            (Some(Value::Object(_) | Value::Array(_)), Some(_))
            | (Some(_), Some(Value::Object(_) | Value::Array(_))) => {
                self.walk(expected, None);
                self.walk(None, answer);
            }
            (Some(Value::Object(fields)), None) => {
                fields.iter().for_each(|(name, value)| self.step(name, Some(value), None))
            }
            (None, Some(Value::Object(fields))) => {
                fields.iter().for_each(|(name, value)| self.step(name, None, Some(value)))
            }
            (Some(Value::Array(items)), None) => items.iter().for_each(|value| self.step("*", Some(value), None)),
            (None, Some(Value::Array(items))) => items.iter().for_each(|value| self.step("*", None, Some(value))),
            (expected, answer) => self.count(expected, answer),
        }
    }

    fn step(&mut self, name: &'a str, expected: Option<&'a Value>, answer: Option<&'a Value>) {
        self.path.push(name);
        self.walk(expected, answer);
        self.path.pop();
    }

    fn walk_lists(&mut self, left: &'a [Value], right: &'a [Value]) {
        let pairs = if self.scorer.pairs_best(left, right) {
            assignment::best(&self.scorer.weights(left, right))
        } else {
            (0..left.len().min(right.len())).map(|index| (index, index)).collect()
        };
        let (mut left_alone, mut right_alone) = (vec![true; left.len()], vec![true; right.len()]);
        for (row, column) in pairs {
            (left_alone[row], right_alone[column]) = (false, false);
            self.step("*", Some(&left[row]), Some(&right[column]));
        }
        for (item, _) in left.iter().zip(left_alone).filter(|(_, alone)| *alone) {
            self.step("*", Some(item), None);
        }
        for (item, _) in right.iter().zip(right_alone).filter(|(_, alone)| *alone) {
            self.step("*", None, Some(item));
        }
    }

    /// Counts two scalars, or one.
    fn count(&mut self, expected: Option<&Value>, answer: Option<&Value>) {
        let counts = FieldCounts {
            right: u64::from(expected.zip(answer).is_some_and(|(left, right)| self.scorer.is_right(left, right))),
            answered: u64::from(answer.is_some()),
            expected: u64::from(expected.is_some()),
        };
        let pointer = pointer(&self.path);
        let is_open = expected.is_some() || self.table.len() < MAX_FIELDS || self.table.contains_key(&pointer);
        let field = if is_open { pointer } else { "(other)".to_owned() };
        self.table.entry(field).or_default().add(counts);
    }
}

/// The path as a JSON Pointer, safe to show and of bounded length.
fn pointer(path: &[&str]) -> String {
    let mut pointer = String::new();
    for name in path {
        pointer.push('/');
        // A key longer than the whole pointer may be is cut before it is copied.
        let short: String = name.chars().take(MAX_POINTER).collect();
        pointer.push_str(&short.replace('~', "~0").replace('/', "~1"));
        if pointer.len() > 4 * MAX_POINTER {
            break;
        }
    }
    crate::text::one_line(&pointer, MAX_POINTER)
}

#[cfg(test)]
mod tests;
