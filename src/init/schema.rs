//! A JSON Schema that all right answers of the data fulfil.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Distinct texts up to which a field may be one of a fixed set.
const MOST_CHOICES: usize = 12;

/// How often each of them comes up on average, at least.
const TIMES: usize = 5;

/// Longest text of a fixed set, in characters.
const LONGEST_CHOICE: usize = 40;

/// The schema of some values: types, fixed sets where few texts come up again and again, fields
/// required that are always there, and no others.
pub fn schema_of(values: &[&Value]) -> Value {
    let mut kinds: Vec<&'static str> = Vec::new();
    for value in values {
        let kind = kind(value);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.contains(&"number") {
        kinds.retain(|kind| *kind != "integer");
    }
    let nullable = kinds.contains(&"null");
    kinds.retain(|kind| *kind != "null");
    let one = |kind: &str| -> Map<String, Value> {
        let of_kind: Vec<&Value> = values.iter().copied().filter(|value| fits(value, kind)).collect();
        match kind {
            "object" => object(&of_kind),
            "array" => array(&of_kind),
            "string" => string(&of_kind),
            other => Map::from_iter([("type".to_owned(), json!(other))]),
        }
    };
    match (kinds.as_slice(), nullable) {
        ([], _) => json!({"type": "null"}),
        ([kind], false) => Value::Object(one(kind)),
        ([kind], true) => {
            let mut schema = one(kind);
            schema.insert("type".to_owned(), json!([kind, "null"]));
            if let Some(Value::Array(choices)) = schema.get_mut("enum") {
                choices.push(Value::Null);
            }
            Value::Object(schema)
        }
        (kinds, _) => {
            let mut all: Vec<Value> = kinds.iter().map(|kind| Value::Object(one(kind))).collect();
            if nullable {
                all.push(json!({"type": "null"}));
            }
            json!({"anyOf": all})
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn fits(value: &Value, wanted: &str) -> bool {
    let kind = kind(value);
    kind == wanted || (wanted == "number" && kind == "integer")
}

fn object(values: &[&Value]) -> Map<String, Value> {
    let objects: Vec<&Map<String, Value>> = values.iter().filter_map(|value| value.as_object()).collect();
    let mut names: Vec<&String> = Vec::new();
    let mut known = BTreeSet::new();
    for name in objects.iter().flat_map(|object| object.keys()) {
        if known.insert(name) {
            names.push(name);
        }
    }
    let mut fields = Map::new();
    let mut required = Vec::new();
    for name in names {
        let inner: Vec<&Value> = objects.iter().filter_map(|object| object.get(name)).collect();
        if inner.len() == objects.len() {
            required.push(name.clone());
        }
        fields.insert(name.clone(), schema_of(&inner));
    }
    let mut schema = Map::from_iter([("type".to_owned(), json!("object")), ("properties".to_owned(), fields.into())]);
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

fn array(values: &[&Value]) -> Map<String, Value> {
    let items: Vec<&Value> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
    // Lists that are always empty say nothing of their items; most hold texts.
    let items = if items.is_empty() { json!({"type": "string"}) } else { schema_of(&items) };
    Map::from_iter([("type".to_owned(), json!("array")), ("items".to_owned(), items)])
}

fn string(values: &[&Value]) -> Map<String, Value> {
    let mut schema = Map::from_iter([("type".to_owned(), json!("string"))]);
    let texts: BTreeSet<&str> = values.iter().filter_map(|value| value.as_str()).collect();
    let short = texts.iter().all(|text| !text.is_empty() && text.chars().count() <= LONGEST_CHOICE);
    if short && texts.len() <= MOST_CHOICES && values.len() >= TIMES * texts.len().max(2) {
        schema.insert("enum".to_owned(), json!(texts));
    }
    schema
}
