//! What promptfoo asserts of an answer, as a right answer and a way to judge it.
//!
//! A suite judges all answers alike. Where nearly all tests have the same kind of assertion, that kind
//! judges; else each test's strictest one becomes a pattern. Every other assertion is counted and named.
//!
//! The kinds and how a value is filled in: promptfoo/promptfoo, `src/csv.ts` and `src/assertions`,
//! commit 01b206c.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::answer::plain;
use super::promptfoo::{Test, Uncarried, count};
use super::yaml::Node;
use super::{Judged, Record, Table};
use crate::text::one_line;

/// Bytes that a compiled pattern may take, as the scorer has it.
const LARGEST_PATTERN: usize = 1 << 20;

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

    /// How it judges, if it compares with one text.
    fn judged(&self) -> Option<Judged> {
        match self.kind.as_str() {
            "equals" => Some(Judged::Equals),
            "contains" => Some(Judged::Contains),
            "icontains" => Some(Judged::ContainsAnyCase),
            "regex" => Some(Judged::Regex),
            _ => None,
        }
    }

    /// Whether it compares with texts, and how much it asks: of several the strictest stands for the test.
    fn strictness(&self) -> Option<usize> {
        const STRICTEST_FIRST: [&str; 7] =
            ["equals", "starts-with", "regex", "contains", "icontains", "contains-any", "icontains-any"];
        STRICTEST_FIRST.iter().position(|kind| *kind == self.kind)
    }

    /// What it compares with, its variables put in; why it cannot be had where it cannot.
    fn right(&self, vars: &Map<String, Value>) -> Result<Value, String> {
        match &self.value {
            Value::Null => Err(format!("its `{}` has no value", one_line(&self.kind, 60))),
            Value::Array(all) => all.iter().map(|value| filled(value, vars)).collect(),
            value => filled(value, vars),
        }
    }

    /// The same as a pattern, so that one scorer judges whatever the kind.
    fn pattern(&self, vars: &Map<String, Value>) -> Result<Value, String> {
        let right = self.right(vars)?;
        let texts: Vec<String> = match &right {
            Value::Array(all) => all.iter().map(plain).collect(),
            // As promptfoo writes them in a cell.
            Value::String(text) if self.kind.ends_with("-any") => {
                text.split(',').map(|part| part.trim().into()).collect()
            }
            Value::Object(_) => {
                return Err(format!("its `{}` holds an object, which is no text", one_line(&self.kind, 60)));
            }
            one => vec![if let Value::String(text) = one { text.clone() } else { plain(one) }],
        };
        let escaped = texts.iter().map(|text| regex::escape(text)).collect::<Vec<_>>().join("|");
        let pattern = match self.kind.as_str() {
            "equals" => format!("^(?:{escaped})$"),
            "starts-with" => format!("^(?:{escaped})"),
            "icontains" | "icontains-any" => format!("(?i)(?:{escaped})"),
            "regex" => texts.concat(),
            _ => format!("(?:{escaped})"),
        };
        match regex::RegexBuilder::new(&pattern).size_limit(LARGEST_PATTERN).build() {
            Ok(_) => Ok(Value::from(pattern)),
            Err(_) => Err(format!("its pattern `{}` is none that this tool can read", one_line(&pattern, 60))),
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

/// A text with its variables put in. What else a template can say, and files, cannot be had here.
fn filled(value: &Value, vars: &Map<String, Value>) -> Result<Value, String> {
    let Value::String(text) = value else { return Ok(value.clone()) };
    if text.starts_with("file://") {
        return Err(format!("its right answer stands in a file: `{}`", one_line(text, 80)));
    }
    let absent =
        |name: &str| format!("its right answer names `{}`, and the test has no such variable", one_line(name, 60));
    if let Some(name) = variable(text) {
        return vars.get(name).filter(|value| !value.is_null()).cloned().ok_or_else(|| absent(name));
    }
    let (mut whole, mut rest) = (String::new(), text.as_str());
    while let Some((before, after)) = rest.split_once("{{") {
        let placed = after.split_once("}}").and_then(|(inner, after)| Some((named(inner)?, after)));
        let Some((name, after)) = placed else { break };
        whole.push_str(before);
        whole.push_str(&plain(vars.get(name).ok_or_else(|| absent(name))?));
        rest = after;
    }
    if rest.contains("{{") || rest.contains("{%") {
        return Err(format!("its right answer is a template: `{}`", one_line(text, 80)));
    }
    Ok(Value::from(whole + rest))
}

/// How the tests of a file are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// All by the one kind that most have.
    One(Judged),
    /// By patterns, which stand for several kinds.
    Patterns,
}

/// The one kind that at least nine in ten of the comparable tests have; else patterns.
fn way(tests: &[Test]) -> Option<Way> {
    const ORDER: [Judged; 4] = [Judged::Equals, Judged::Contains, Judged::ContainsAnyCase, Judged::Regex];
    let count = |has: &dyn Fn(&Assertion) -> bool| tests.iter().filter(|test| test.assertions.iter().any(has)).count();
    let all = count(&|assertion| assertion.strictness().is_some());
    let of = |judged: Judged| count(&|assertion| assertion.judged() == Some(judged));
    // Of equals the first: `max_by_key` would take the last.
    let (most, times) = ORDER.into_iter().rev().map(|judged| (judged, of(judged))).max_by_key(|(_, times)| *times)?;
    match all {
        0 => None,
        _ if times * 10 >= all * 9 => Some(Way::One(most)),
        _ => Some(Way::Patterns),
    }
}

/// Makes rows of tests: variables as columns, and the right answer as `expected`.
pub(super) fn settle(tests: Vec<Test>, table: &mut Table, uncarried: &mut Uncarried) {
    let way = way(&tests);
    table.judged = way.map(|way| if let Way::One(judged) = way { judged } else { Judged::Regex });
    if way == Some(Way::Patterns) {
        table.notes.push(
            "the tests compare in several ways (such as `equals` and `contains`): each became a pattern that the answer must match"
                .to_owned(),
        );
    }
    let mut from_vars = BTreeSet::new();
    for test in tests {
        let chosen = chosen(&test, way);
        for (place, assertion) in test.assertions.iter().enumerate() {
            match assertion.schema() {
                Some(schema) if table.schema.as_ref().is_none_or(|known| known == schema) => {
                    table.schema = Some(schema.clone());
                }
                _ if chosen == Some(place) => {}
                _ => {
                    let what = format!("an assertion of the kind `{}`", one_line(&assertion.kind, 60));
                    count(uncarried, what, assertion.line);
                }
            }
        }
        let right = match chosen.map(|place| &test.assertions[place]) {
            None => Err(why_none(&test, way)),
            Some(assertion) if table.judged == Some(Judged::Regex) => assertion.pattern(&test.vars),
            Some(assertion) => {
                from_vars.extend(assertion.value.as_str().and_then(variable).map(str::to_owned));
                assertion.right(&test.vars)
            }
        };
        match right {
            Ok(right) => {
                let mut fields: Map<String, Value> = test.vars;
                fields.insert("expected".to_owned(), right);
                fields.extend(test.metadata.into_iter().map(|(key, value)| (format!("metadata.{key}"), value)));
                table.records.push(Record { line: test.line, fields });
            }
            Err(why) => table.leave_out(test.line, why, Value::Object(test.vars)),
        }
    }
    roles(table, &from_vars);
}

/// The assertion that stands for a test, by its place.
fn chosen(test: &Test, way: Option<Way>) -> Option<usize> {
    let all = test.assertions.iter().enumerate();
    match way? {
        Way::One(judged) => all.filter(|(_, one)| one.judged() == Some(judged)).map(|(place, _)| place).next(),
        Way::Patterns => all.filter_map(|(place, one)| Some((one.strictness()?, place))).min().map(|(_, place)| place),
    }
}

/// Why a test has no right answer.
fn why_none(test: &Test, way: Option<Way>) -> String {
    let kinds: BTreeSet<String> = test.assertions.iter().map(|one| format!("`{}`", one_line(&one.kind, 60))).collect();
    let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
    let compares = test.assertions.iter().any(|one| one.strictness().is_some());
    match way {
        _ if kinds.is_empty() => "it asserts nothing".to_owned(),
        Some(Way::One(_)) if compares => format!("it asserts {kinds}, and nearly all others compare in another way"),
        _ => format!("it asserts {kinds}, and no right answer that an answer can be compared with"),
    }
}

/// The variable that a value stands for: `{{ name }}`.
fn variable(text: &str) -> Option<&str> {
    named(text.trim().strip_prefix("{{")?.strip_suffix("}}")?)
}

/// What stands between braces, if it is a name alone.
fn named(inner: &str) -> Option<&str> {
    let name = inner.trim();
    (!name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')).then_some(name)
}

/// Whether a prompt's text names a variable where a template would put it in.
fn names(text: &str, variable: &str) -> bool {
    text.split("{{")
        .skip(1)
        .filter_map(|rest| rest.split("}}").next())
        .any(|part| part.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == variable))
}

/// Variables are the input, but for those that hold the answer and that no prompt of the file shows.
fn roles(table: &mut Table, answers: &BTreeSet<String>) {
    let asked =
        |name: &String| table.prompts.iter().any(|prompt| names(&prompt.system, name) || names(&prompt.user, name));
    let kept: Vec<String> = answers.iter().filter(|name| *name != "expected" && !asked(name)).cloned().collect();
    for name in &kept {
        table.records.iter_mut().for_each(|record| drop(record.fields.shift_remove(name)));
        table.notes.push(format!(
            "the variable `{}` holds the right answers, so it is no part of the input",
            one_line(name, 60)
        ));
    }
    let input = table.columns().into_iter().filter(|name| name != "expected" && !name.starts_with("metadata."));
    table.roles.input = input.collect();
    table.roles.expected = Some("expected".to_owned());
}
