//! What promptfoo asserts of an answer, as a right answer and a way to judge it.
//!
//! A suite judges all answers alike, so one kind of assertion is carried over: the commonest of
//! those that compare with a text. Every other assertion is counted and named.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::promptfoo::{Test, Uncarried, count};
use super::yaml::Node;
use super::{Judged, Record, Table};
use crate::text::one_line;

/// One assertion.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Assertion {
    line: u32,
    kind: String,
    value: Value,
}

impl Assertion {
    /// As a configuration has it.
    pub(super) fn of(node: &Node) -> Self {
        let kind = node.get("type").and_then(Node::text).unwrap_or("without a type").to_owned();
        Self { line: node.line, kind, value: node.get("value").map_or(Value::Null, Node::value) }
    }

    /// As a cell of `__expected` has it: `kind: value`, or a text that the answer equals.
    pub(super) fn of_cell(text: &str, line: u32) -> Self {
        let of = |kind: &str, value: &str| Self { line, kind: kind.to_owned(), value: Value::from(value.trim()) };
        for (prefix, kind) in [("fn:", "javascript"), ("eval:", "javascript"), ("grade:", "llm-rubric")] {
            if let Some(value) = text.strip_prefix(prefix) {
                return of(kind, value);
            }
        }
        if text == "is-json" || text == "contains-json" {
            return of(text, "");
        }
        match text.split_once(':') {
            Some((kind, value)) if is_kind(kind) => of(kind.split('(').next().unwrap_or(kind), value),
            _ => of("equals", text),
        }
    }

    /// How it judges, if it compares with a text.
    fn judged(&self) -> Option<Judged> {
        if self.value.is_null() {
            return None;
        }
        match self.kind.as_str() {
            "equals" => Some(Judged::Equals),
            "contains" => Some(Judged::Contains),
            "icontains" => Some(Judged::ContainsAnyCase),
            "regex" => Some(Judged::Regex),
            _ => None,
        }
    }

    /// The schema that it holds answers against.
    fn schema(&self) -> Option<&Value> {
        matches!(self.kind.as_str(), "is-json" | "contains-json")
            .then_some(&self.value)
            .filter(|value| value.is_object())
    }
}

/// Kinds that a cell may name before a colon; a text with another word there is the answer itself.
fn is_kind(word: &str) -> bool {
    const KINDS: [&str; 24] = [
        "equals",
        "contains",
        "icontains",
        "regex",
        "javascript",
        "python",
        "ruby",
        "llm-rubric",
        "similar",
        "is-json",
        "contains-json",
        "contains-any",
        "contains-all",
        "icontains-any",
        "icontains-all",
        "starts-with",
        "levenshtein",
        "rouge-n",
        "latency",
        "cost",
        "webhook",
        "factuality",
        "answer-relevance",
        "model-graded-closedqa",
    ];
    let word = word.split('(').next().unwrap_or(word);
    KINDS.contains(&word.strip_prefix("not-").unwrap_or(word))
}

/// Makes rows of tests: variables as columns, and the right answer as `expected`.
pub(super) fn settle(tests: Vec<Test>, table: &mut Table, uncarried: &mut Uncarried) {
    let mut kinds: BTreeMap<usize, usize> = BTreeMap::new();
    const ORDER: [Judged; 4] = [Judged::Equals, Judged::Contains, Judged::ContainsAnyCase, Judged::Regex];
    let rank = |judged: Judged| ORDER.iter().position(|known| *known == judged).unwrap_or(0);
    for test in &tests {
        if let Some(judged) = test.assertions.iter().find_map(Assertion::judged) {
            *kinds.entry(rank(judged)).or_default() += 1;
        }
    }
    let chosen =
        kinds.iter().max_by_key(|(rank, times)| (**times, std::cmp::Reverse(**rank))).map(|(rank, _)| ORDER[*rank]);
    table.judged = chosen;
    let mut from_vars = std::collections::BTreeSet::new();
    for test in tests {
        let whole = Value::Object(test.vars.clone());
        let mut right: Option<Value> = None;
        for assertion in &test.assertions {
            match assertion.schema() {
                Some(schema) if table.schema.as_ref().is_none_or(|known| known == schema) => {
                    table.schema = Some(schema.clone());
                }
                _ if right.is_none() && chosen.is_some() && assertion.judged() == chosen => {
                    let value = match variable(&assertion.value) {
                        Some(name) => {
                            from_vars.insert(name.to_owned());
                            test.vars.get(name).cloned()
                        }
                        None => Some(assertion.value.clone()),
                    };
                    right = value.filter(|value| !value.is_null());
                }
                _ => {
                    let what = format!("an assertion of the kind `{}`", one_line(&assertion.kind, 60));
                    count(uncarried, what, assertion.line);
                }
            }
        }
        match right {
            Some(right) => {
                let mut fields: Map<String, Value> = test.vars;
                fields.insert("expected".to_owned(), right);
                fields.extend(test.metadata.into_iter().map(|(key, value)| (format!("metadata.{key}"), value)));
                table.records.push(Record { line: test.line, fields });
            }
            None => table.leave_out(test.line, "it asserts no right answer that can be compared with", whole),
        }
    }
    roles(table, &from_vars);
}

/// The variable that a value stands for: `{{ name }}`.
fn variable(value: &Value) -> Option<&str> {
    let name = value.as_str()?.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    (!name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')).then_some(name)
}

/// Variables are the input, but for those that hold the answer.
fn roles(table: &mut Table, answers: &std::collections::BTreeSet<String>) {
    for record in &mut table.records {
        for name in answers.iter().filter(|name| *name != "expected") {
            record.fields.shift_remove(name);
        }
    }
    let input = table.columns().into_iter().filter(|name| name != "expected" && !name.starts_with("metadata."));
    table.roles.input = input.collect();
    table.roles.expected = Some("expected".to_owned());
}
