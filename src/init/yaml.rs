//! YAML as JSON values, with the line of each item of a list; the only file that names the parser.
//!
//! Anchors may be used again and merged, within a limit: a few lines can else stand for gigabytes.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

use super::{Fault, line_number};
use crate::diagnostic::{Diagnostic, Source};
use crate::text::one_line;

/// Values that a file may come to, its anchors written out.
const MOST_VALUES: usize = 2_000_000;

/// How deep values may lie in each other.
const DEEPEST: usize = 100;

/// A value and its line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: u32,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A text, number, flag or null.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// An object.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Object(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The keys of an object.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let fields = if let Kind::Object(fields) = &self.kind { fields.as_slice() } else { &[] };
        fields.iter().map(|(name, _)| name.as_str())
    }

    /// The items of a list.
    pub(super) fn items(&self) -> &[Self] {
        if let Kind::List(items) = &self.kind { items } else { &[] }
    }

    /// The text of a scalar that is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Kind::Scalar(Value::String(text)) = &self.kind { Some(text) } else { None }
    }

    /// The same without lines.
    pub(super) fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => items.iter().map(Self::value).collect(),
            Kind::Object(fields) => {
                Value::Object(fields.iter().map(|(name, node)| (name.clone(), node.value())).collect::<Map<_, _>>())
            }
        }
    }

    /// A JSON value that starts on a line.
    pub(super) fn of_json(line: u32, value: Value) -> Self {
        let kind = match value {
            Value::Array(items) => Kind::List(items.into_iter().map(|item| Self::of_json(line, item)).collect()),
            Value::Object(fields) => {
                Kind::Object(fields.into_iter().map(|(name, value)| (name, Self::of_json(line, value))).collect())
            }
            scalar => Kind::Scalar(scalar),
        };
        Self { line, kind }
    }

    fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar(_) => 0,
            Kind::List(items) => items.iter().map(Self::size).sum(),
            Kind::Object(fields) => fields.iter().map(|(_, node)| node.size()).sum(),
        }
    }
}

/// A list or object that is not closed yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value.
    key: Option<String>,
}

/// The first document of a YAML file.
pub(super) fn parse(source: &Source) -> Result<Node, Fault> {
    let mut reader = Reader { source, open: Vec::new(), anchors: BTreeMap::new(), left: MOST_VALUES };
    for event in Parser::new_from_str(&source.text) {
        let (event, span) = event.map_err(|error| {
            let message = format!("not YAML: {}", one_line(error.info(), 200));
            let (line, column) = (line_number(error.marker().line()), line_number(error.marker().col() + 1));
            Box::new(Diagnostic::error("init/syntax", source.path(), message).at(line, column))
        })?;
        if let Some(root) = reader.take(event, line_number(span.start.line()))? {
            return Ok(root);
        }
    }
    Err(Box::new(Diagnostic::error("init/no-rows", source.path(), "the file is empty")))
}

struct Reader<'a> {
    source: &'a Source,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    left: usize,
}

impl Reader<'_> {
    fn fault(&self, line: u32, message: &str) -> Fault {
        Box::new(Diagnostic::error("init/syntax", self.source.path(), message).at(line, 1))
    }

    /// Takes what comes next; the root once it is whole.
    fn take(&mut self, event: Event<'_>, line: u32) -> Result<Option<Node>, Fault> {
        let opened = |kind, anchor| Open { node: Node { line, kind }, anchor, key: None };
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let value = if plain { scalar(&text) } else { Value::from(text.into_owned()) };
                self.add(Node { line, kind: Kind::Scalar(value) }, anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => self.add(node, 0),
                None => Err(self.fault(line, "an alias names an anchor that is not whole yet")),
            },
            Event::SequenceStart(anchor, _) => self.begin(opened(Kind::List(Vec::new()), anchor)),
            Event::MappingStart(anchor, _) => self.begin(opened(Kind::Object(Vec::new()), anchor)),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(done) => self.add(done.node, done.anchor),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn begin(&mut self, open: Open) -> Result<Option<Node>, Fault> {
        if self.open.len() >= DEEPEST {
            return Err(self.fault(open.node.line, "values lie more than 100 deep in each other"));
        }
        self.open.push(open);
        Ok(None)
    }

    /// Puts a whole value where it belongs; without such a place it is the root.
    fn add(&mut self, node: Node, anchor: usize) -> Result<Option<Node>, Fault> {
        self.left = self.left.saturating_sub(node.size());
        if self.left == 0 {
            return Err(self.fault(node.line, "the file stands for more than two million values"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else { return Ok(Some(node)) };
        match (&mut parent.node.kind, parent.key.take()) {
            (Kind::List(items), _) => items.push(node),
            (Kind::Object(_), None) => {
                let key = match node.kind {
                    Kind::Scalar(Value::String(text)) => text,
                    Kind::Scalar(value) => value.to_string(),
                    _ => return Err(self.fault(node.line, "a key must be a text")),
                };
                parent.key = Some(key);
            }
            (Kind::Object(fields), Some(key)) => match node.kind {
                // What is merged gives way to what stands there itself.
                Kind::Object(merged) if key == "<<" => {
                    for (name, value) in merged {
                        if !fields.iter().any(|(known, _)| *known == name) {
                            fields.push((name, value));
                        }
                    }
                }
                kind => {
                    fields.retain(|(known, _)| *known != key);
                    fields.push((key, Node { line: node.line, kind }));
                }
            },
            (Kind::Scalar(_), _) => {}
        }
        Ok(None)
    }
}

/// A plain scalar by YAML's core schema.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let starts = text.trim_start_matches(['-', '+']).starts_with(|first: char| first.is_ascii_digit() || first == '.');
    if starts {
        if let Ok(whole) = text.trim_start_matches('+').parse::<i64>() {
            return Value::from(whole);
        }
        if let Some(number) = text.parse().ok().and_then(Number::from_f64) {
            return Value::Number(number);
        }
    }
    Value::from(text)
}
