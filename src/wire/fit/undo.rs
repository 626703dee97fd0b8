//! Back from a fitted schema's answer to one of the suite's: a `null` that stands for absence goes.

use serde_json::{Map, Value};

/// References and unions followed without a step into the answer.
const MOST_HOPS: usize = 32;

/// Removes each null of a field that the suite's schema does not require and whose own schema does
/// not accept null. All else stays, so that validity is judged on what the model wrote.
pub fn absent_nulls(schema: &Value, answer: Value) -> Value {
    clean(&[schema], answer, schema)
}

/// `nodes` are the schemas that speak of this value.
fn clean(nodes: &[&Value], value: Value, root: &Value) -> Value {
    let mut parts = Vec::new();
    for node in nodes {
        gather(node, &value, root, 0, &mut parts);
    }
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter_map(|(name, value)| {
                let of_field: Vec<&Value> =
                    parts.iter().filter_map(|part| part.get("properties")?.get(&name)).collect();
                let required = parts.iter().any(|part| requires(part, &name));
                let absent = value.is_null()
                    && !required
                    && !of_field.is_empty()
                    && !of_field.iter().any(|schema| accepts_null(schema, root));
                (!absent).then(|| (name, clean(&of_field, value, root)))
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => {
            let cleaned = items.into_iter().enumerate().map(|(index, item)| {
                let of_item = parts.iter().filter_map(|part| {
                    let prefix = part.get("prefixItems").and_then(|prefix| prefix.get(index));
                    prefix.or_else(|| part.get("items").filter(|items| items.is_object()))
                });
                clean(&of_item.collect::<Vec<_>>(), item, root)
            });
            Value::Array(cleaned.collect())
        }
        scalar => scalar,
    }
}

/// The schema's parts that apply to a value: behind references, in `allOf`, and those members of a
/// union that could be meant.
fn gather<'a>(node: &'a Value, value: &Value, root: &'a Value, hops: usize, parts: &mut Vec<&'a Map<String, Value>>) {
    let Value::Object(fields) = node else { return };
    if hops > MOST_HOPS {
        return;
    }
    parts.push(fields);
    if let Some(target) = fields.get("$ref").and_then(Value::as_str).and_then(|target| resolve(target, root)) {
        gather(target, value, root, hops + 1, parts);
    }
    for member in members(fields, "allOf") {
        gather(member, value, root, hops + 1, parts);
    }
    for key in ["anyOf", "oneOf"] {
        let meant: Vec<&Value> =
            members(fields, key).filter(|member| could_be(member, value, root, hops + 1)).collect();
        let all = meant.is_empty();
        for member in members(fields, key).filter(|member| all || meant.contains(member)) {
            gather(member, value, root, hops + 1, parts);
        }
    }
}

fn members<'a>(fields: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Value> {
    fields.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn requires(fields: &Map<String, Value>, name: &str) -> bool {
    members(fields, "required").any(|required| required == name)
}

/// Whether a member of a union could be the one that the model wrote: right type, no field that it
/// does not name, and the constants that tell it from others.
fn could_be(node: &Value, value: &Value, root: &Value, hops: usize) -> bool {
    let Value::Object(fields) = node else { return node == &Value::Bool(true) };
    if hops > MOST_HOPS {
        return true;
    }
    if let Some(target) = fields.get("$ref").and_then(Value::as_str).and_then(|target| resolve(target, root)) {
        return could_be(target, value, root, hops + 1);
    }
    if !has_type(fields, value) || fields.get("const").is_some_and(|constant| constant != value) {
        return false;
    }
    if fields.get("enum").and_then(Value::as_array).is_some_and(|values| !values.contains(value)) {
        return false;
    }
    let mut unions = ["anyOf", "oneOf"].into_iter().filter(|key| fields.contains_key(*key));
    if !unions.all(|key| members(fields, key).any(|member| could_be(member, value, root, hops + 1))) {
        return false;
    }
    let (Some(Value::Object(properties)), Value::Object(written)) = (fields.get("properties"), value) else {
        // Several parts of an object name some of its fields each; a lone one names them all.
        let mut parts = members(fields, "allOf");
        return match (parts.next(), parts.next()) {
            (Some(part), None) => could_be(part, value, root, hops + 1),
            _ => true,
        };
    };
    // A field that is null may be an absent one, where it may be absent.
    let fits = |schema: &Value, name: &str, value: &Value| match value {
        Value::Null => !requires(fields, name) || accepts_null(schema, root),
        value => could_be(schema, value, root, hops + 1),
    };
    written.iter().all(|(name, value)| properties.get(name).is_some_and(|schema| fits(schema, name, value)))
        && members(fields, "required").all(|name| name.as_str().is_some_and(|name| written.contains_key(name)))
}

fn has_type(fields: &Map<String, Value>, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    match fields.get("type") {
        Some(Value::String(name)) => is(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

/// What a reference within the document points to.
pub(super) fn resolve<'a>(target: &str, root: &'a Value) -> Option<&'a Value> {
    let fragment = target.strip_prefix('#')?;
    let fragment = fragment.replace("%7E", "~").replace("%24", "$").replace("%2F", "/").replace("%25", "%");
    root.pointer(&fragment)
}

/// Whether a schema accepts null, as far as its structure says.
pub(super) fn accepts_null(node: &Value, root: &Value) -> bool {
    fn accepts(node: &Value, root: &Value, hops: usize) -> bool {
        let Value::Object(fields) = node else { return node == &Value::Bool(true) };
        if hops > MOST_HOPS {
            return true;
        }
        let target = fields.get("$ref").and_then(Value::as_str).and_then(|target| resolve(target, root));
        has_type(fields, &Value::Null)
            && fields.get("const").is_none_or(Value::is_null)
            && fields.get("enum").and_then(Value::as_array).is_none_or(|values| values.contains(&Value::Null))
            && target.is_none_or(|target| accepts(target, root, hops + 1))
            && members(fields, "allOf").all(|member| accepts(member, root, hops + 1))
            && ["anyOf", "oneOf"].iter().all(|key| {
                !fields.contains_key(*key) || members(fields, key).any(|member| accepts(member, root, hops + 1))
            })
            && fields.get("not").is_none_or(|not| !accepts(not, root, hops + 1))
    }
    accepts(node, root, 0)
}
