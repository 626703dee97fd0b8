//! One JSON object or CSV row as an example.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Example, ExampleFiles, RowFault, Wrap};
use crate::diagnostic::Diagnostic;
use crate::suite::ExampleId;

/// Where a row stands, for its faults and its name.
pub(in crate::suite) struct RowPlace<'a> {
    pub(in crate::suite) path: &'a Path,
    pub(in crate::suite) line: u32,
    /// Its number among the file's rows, from 1.
    pub(super) row: u64,
    pub(in crate::suite) text: &'a str,
}

impl RowPlace<'_> {
    pub(super) fn fault(&self, message: impl Into<String>) -> Diagnostic {
        let fault = Diagnostic::error("suite/bad-example", self.path, message);
        if self.text.is_empty() { fault.at(self.line, 1) } else { fault.in_line(self.line, self.text, 0..1) }
    }

    /// A name for a row that has none.
    pub(super) fn default_id(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        format!("{stem}-{}", self.row)
    }
}

/// The value at a key, or at a JSON Pointer.
fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    if name.starts_with('/') { value.pointer(name) } else { value.get(name) }
}

/// A row as most are: usual names, texts where a text is meant.
#[derive(Deserialize)]
struct Plain {
    id: String,
    input: Value,
    expected: Value,
    cluster: Option<String>,
    tags: Option<BTreeMap<String, String>>,
}

/// Reads a line of a .jsonl file at once, without the tree of it; `None` for one that is to be looked at more closely,
/// whether it has a fault or not.
pub(super) fn plain_example(text: &[u8], spec: &ExampleFiles) -> Option<Example> {
    if spec.documents || !spec.map.is_default() {
        return None;
    }
    // A list of five would do for the fields as well.
    let text = std::str::from_utf8(text).ok().filter(|text| text.trim_start().starts_with('{'))?;
    let Plain { id, input, expected, cluster, tags } = serde_json::from_str(text).ok()?;
    let id = (!id.is_empty()).then_some(ExampleId(id))?;
    Some(Example { id, input, expected, cluster, tags: tags.unwrap_or_default(), documents: Vec::new() })
}

/// Reads a line of a .jsonl file.
pub(super) fn example_of(value: &Value, place: &RowPlace<'_>, spec: &ExampleFiles) -> Result<Example, RowFault> {
    if !value.is_object() {
        return Err(Box::new(place.fault("an example is a JSON object: {\"id\", \"input\", \"expected\"}")));
    }
    let map = &spec.map;
    let id = match field(value, map.id.as_deref().unwrap_or("id")) {
        Some(id) => scalar(id).filter(|id| !id.is_empty()).ok_or_else(|| place.fault("`id` must be a text"))?,
        None if map.is_default() => {
            let fault = place.fault("the example has no `id`");
            return Err(Box::new(fault.help("an id must stay the same when rows are added or moved")));
        }
        None if map.id.is_some() => return Err(Box::new(absent(place, "id", map.id.as_deref()))),
        None => place.default_id(),
    };
    let required = |name: &str, mapped: Option<&str>| {
        field(value, mapped.unwrap_or(name)).cloned().ok_or_else(|| Box::new(absent(place, name, mapped)))
    };
    let input = required("input", map.input.as_deref())?;
    let mut expected = required("expected", map.expected.as_deref())?;
    if let Some(wrap) = spec.wrap.as_ref().filter(|_| !map.is_default()) {
        expected = wrap.apply(expected);
    }
    let cluster = match field(value, map.cluster.as_deref().unwrap_or("cluster")) {
        None | Some(Value::Null) => None,
        Some(cluster) => Some(scalar(cluster).ok_or_else(|| place.fault("`cluster` must be a text"))?),
    };
    let tags = tags_of(value, place, spec)?;
    let documents = documents_of(value, place, spec)?;
    Ok(Example { id: ExampleId(id), input, expected, cluster, tags, documents })
}

fn absent(place: &RowPlace<'_>, name: &str, mapped: Option<&str>) -> Diagnostic {
    match mapped {
        Some(mapped) => place.fault(format!("there is no `{mapped}`, which `map` reads `{name}` from")),
        None => place
            .fault(format!("the example has no `{name}`"))
            .help(format!("if the field has another name, say so in suite.toml: `[data] map = {{ {name} = \"…\" }}`")),
    }
}

/// The ids of the right documents: a list of texts, or one.
fn documents_of(value: &Value, place: &RowPlace<'_>, spec: &ExampleFiles) -> Result<Vec<String>, RowFault> {
    let named = field(value, spec.map.documents.as_deref().unwrap_or("documents"));
    let Some(named) = named.filter(|named| spec.documents && !named.is_null()) else { return Ok(Vec::new()) };
    ids_of(named).ok_or_else(|| {
        let fault = place.fault("`documents` must be a list of ids");
        Box::new(fault.help("for example \"documents\": [\"d1\", \"d2\"]"))
    })
}

/// Ids without repetition; `None` for anything that is neither a list of texts nor a text.
pub(super) fn ids_of(named: &Value) -> Option<Vec<String>> {
    let Value::Array(list) = named else { return scalar(named).map(|id| vec![id]) };
    let mut ids: Vec<String> = Vec::with_capacity(list.len());
    for id in list {
        let id = scalar(id)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Some(ids)
}

fn tags_of(value: &Value, place: &RowPlace<'_>, spec: &ExampleFiles) -> Result<BTreeMap<String, String>, RowFault> {
    let named: Vec<(&String, Option<&Value>)> = if spec.map.tags.is_empty() {
        match value.get("tags") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(tags)) => tags.iter().map(|(name, tag)| (name, Some(tag))).collect(),
            Some(_) => return Err(Box::new(place.fault("`tags` must be an object of texts"))),
        }
    } else {
        spec.map.tags.iter().map(|(name, path)| (name, field(value, path))).collect()
    };
    let mut tags = BTreeMap::new();
    for (name, tag) in named {
        match tag {
            None | Some(Value::Null) => {}
            Some(tag) => {
                let text = scalar(tag).ok_or_else(|| place.fault(format!("the tag `{name}` must be a text")))?;
                tags.insert(name.clone(), text);
            }
        }
    }
    Ok(tags)
}

/// A string, number or boolean as text.
pub(in crate::suite) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

impl Wrap {
    /// The object that a plain value stands for; objects and arrays stay as they are.
    pub(super) fn apply(&self, expected: Value) -> Value {
        let value = match expected {
            Value::Object(_) | Value::Array(_) => return expected,
            Value::String(text) if self.as_json => match serde_json::from_str(&text) {
                Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => value,
                _ => Value::String(text),
            },
            other => other,
        };
        Value::Object(Map::from_iter([(self.field.clone(), value)]))
    }
}
