//! Small random schemas, each with an instance that it accepts.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::*;
use crate::suite::schema::OutputSchema;

/// Bytes as decisions; when they are used up, the simplest one.
struct Dice<'a>(std::slice::Iter<'a, u8>);

impl Dice<'_> {
    fn below(&mut self, n: u8) -> u8 {
        self.0.next().map_or(0, |byte| byte % n)
    }

    fn often(&mut self) -> bool {
        self.below(4) > 0
    }
}

/// A schema and a value of it, without null where a field is absent.
fn made(dice: &mut Dice<'_>, depth: u8) -> (Value, Value) {
    match dice.below(if depth == 0 { 6 } else { 10 }) {
        0 => (json!({"type": "string", "minLength": 1, "maxLength": 5, "description": "d"}), json!("abc")),
        1 => (json!({"type": "integer", "minimum": 1, "exclusiveMaximum": 9, "default": 2}), json!(3)),
        2 => (json!({"enum": ["A", "B", 3]}), json!("B")),
        3 => (json!({"const": "c"}), json!("c")),
        4 => (json!({"type": ["string", "null"], "pattern": "^x\\b"}), json!(null)),
        5 => (json!({"type": "string", "format": "uri", "not": {"const": "z"}}), json!("http://a.b")),
        6 => {
            let (items, item) = made(dice, depth - 1);
            (json!({"type": "array", "items": items, "minItems": 2, "maxItems": 4}), json!([item, item]))
        }
        7 => {
            let ((one, value), (other, _)) = (made(dice, depth - 1), made(dice, depth - 1));
            (json!({"anyOf": [other, one]}), value)
        }
        8 => {
            let (member, value) = made(dice, depth - 1);
            (json!({"allOf": [member], "title": "t"}), value)
        }
        _ => object(dice, depth - 1),
    }
}

fn object(dice: &mut Dice<'_>, depth: u8) -> (Value, Value) {
    let (mut properties, mut value, mut required) = (Map::new(), Map::new(), Vec::new());
    for index in 0..=dice.below(3) {
        let name = ["pattern", "a/b", "~c"][usize::from(index)];
        let (schema, one) = made(dice, depth);
        properties.insert(name.into(), schema);
        let must = dice.often();
        if must {
            required.push(name);
        }
        if must || dice.often() {
            value.insert(name.into(), one);
        }
    }
    let mut schema = json!({"type": "object", "required": required, "properties": properties, "minProperties": 0});
    if dice.often() {
        schema["additionalProperties"] = (!dice.often()).into();
    }
    (schema, Value::Object(value))
}

/// The root is an object, with a definition that a field refers to.
fn rooted(bytes: &[u8]) -> (Value, Value) {
    let mut dice = Dice(bytes.iter());
    let (definition, named) = made(&mut dice, 2);
    let (mut schema, mut value) = object(&mut dice, 2);
    schema["$defs"] = json!({"d": definition});
    schema["properties"]["named"] = json!({"$ref": "#/$defs/d"});
    if dice.often() {
        value["named"] = named;
    }
    (schema, value)
}

/// Writes null for every absent field, as a model must that is held to the fitted schema.
fn completed(fitted: &Value, value: &Value, root: &Value) -> Value {
    let accepts = |schema: &Value, value: &Value| {
        let mut schema = schema.clone();
        schema["$defs"] = root["$defs"].clone();
        OutputSchema::compile(schema).unwrap().accepts(value)
    };
    if let Some(target) = fitted["$ref"].as_str() {
        return completed(root.pointer(&target[1..]).unwrap(), value, root);
    }
    if let Some(members) = fitted["anyOf"].as_array() {
        let complete = members.iter().map(|member| (member, completed(member, value, root)));
        return complete
            .filter(|(member, value)| accepts(member, value))
            .map(|(_, value)| value)
            .next()
            .unwrap_or(value.clone());
    }
    match value {
        Value::Object(fields) => {
            let mut fields = fields.clone();
            for (name, schema) in fitted["properties"].as_object().into_iter().flatten() {
                let value = fields.get(name).map_or(Value::Null, |value| completed(schema, value, root));
                fields.insert(name.clone(), value);
            }
            Value::Object(fields)
        }
        Value::Array(items) => items.iter().map(|item| completed(&fitted["items"], item, root)).collect(),
        scalar => scalar.clone(),
    }
}

/// Every keyword of a schema, at any depth; names of fields and definitions are none.
fn keywords(node: &Value, found: &mut Vec<String>) {
    for (key, value) in node.as_object().into_iter().flatten() {
        found.push(key.clone());
        match (key.as_str(), value) {
            ("properties" | "$defs", Value::Object(named)) => named.values().for_each(|schema| keywords(schema, found)),
            ("anyOf", Value::Array(members)) => members.iter().for_each(|schema| keywords(schema, found)),
            ("items", schema) => keywords(schema, found),
            _ => {}
        }
    }
}

/// Every object below is closed and requires all its fields.
fn strict(node: &Value) -> bool {
    let own = node["properties"].as_object().is_none_or(|properties| {
        let required = node["required"].as_array().cloned().unwrap_or_default();
        node["additionalProperties"] == false
            && properties.keys().map(|name| json!(name)).collect::<Vec<_>>() == required
    });
    let below = |key: &str| node[key].as_object().into_iter().flatten().all(|(_, schema)| strict(schema));
    own && below("properties")
        && below("$defs")
        && strict_items(&node["items"])
        && node["anyOf"].as_array().into_iter().flatten().all(strict)
}

fn strict_items(items: &Value) -> bool {
    items.is_null() || strict(items)
}

const OPENAI: &[&str] = &[
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "anyOf",
    "enum",
    "$ref",
    "$defs",
    "title",
    "description",
];

proptest! {
    #[test]
    fn a_fitted_schema_is_fitted(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let (schema, _) = rooted(&bytes);
        for profile in [Profile::OpenaiStrict, Profile::OpenaiTuned, Profile::Anthropic, Profile::Gemini] {
            let once = fit(&schema, profile);
            prop_assert_eq!(&once.unsupported, &None);
            let twice = fit(&once.schema, profile);
            prop_assert_eq!(once.schema.to_string(), twice.schema.to_string());
            prop_assert!(twice.changes.is_empty(), "{:?}", twice.changes);
            prop_assert!(OutputSchema::compile(once.schema).is_ok());
        }
    }

    #[test]
    fn only_taken_keywords_are_sent(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let (schema, _) = rooted(&bytes);
        let limits = ["pattern", "format", "minimum", "exclusiveMaximum", "minItems", "maxItems"];
        for (profile, more) in [(Profile::OpenaiStrict, limits.as_slice()), (Profile::OpenaiTuned, &[])] {
            let fitted = fit(&schema, profile).schema;
            let mut found = Vec::new();
            keywords(&fitted, &mut found);
            let refused: Vec<_> = found.iter().filter(|key| !OPENAI.contains(&key.as_str()) && !more.contains(&key.as_str())).collect();
            prop_assert!(refused.is_empty(), "{refused:?}");
            prop_assert!(strict(&fitted), "{fitted}");
        }
    }

    #[test]
    fn a_right_answer_stays_right_and_comes_back_whole(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let (schema, value) = rooted(&bytes);
        prop_assert!(OutputSchema::compile(schema.clone()).unwrap().accepts(&value), "{schema} {value}");
        for profile in [Profile::Anthropic, Profile::Gemini] {
            let fitted = fit(&schema, profile).schema;
            prop_assert!(OutputSchema::compile(fitted.clone()).unwrap().accepts(&value), "{fitted} {value}");
        }
        for profile in [Profile::OpenaiStrict, Profile::OpenaiTuned] {
            let fitted = fit(&schema, profile);
            let written = completed(&fitted.schema, &value, &fitted.schema);
            prop_assert!(OutputSchema::compile(fitted.schema.clone()).unwrap().accepts(&written), "{} {written}", fitted.schema);
            let back = absent_nulls(&schema, written);
            prop_assert!(OutputSchema::compile(schema.clone()).unwrap().accepts(&back), "{schema} {back}");
        }
    }
}
