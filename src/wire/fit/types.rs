//! The type of a place, where the schema does not name it.

use serde_json::Value;

use super::rewrite::{Fields, Rewriting};

impl Rewriting<'_> {
    /// Providers want a type at every place; most often it follows from what else stands there.
    pub(super) fn add_type(&mut self, fields: &Fields, at: &str, out: &mut Fields) {
        if ["type", "anyOf", "$ref"].iter().any(|key| out.contains_key(*key)) {
            return;
        }
        let values = match (out.get("enum"), out.get("const")) {
            (Some(Value::Array(values)), _) => Some(values.clone()),
            (_, Some(value)) => Some(vec![value.clone()]),
            _ => None,
        };
        let kind = match values {
            Some(values) => types_of(&values),
            None => match implied_type(fields) {
                Some(kind) => kind.into(),
                None => {
                    self.anything(at);
                    return;
                }
            },
        };
        self.change(at, format!("`type` {} added", shown(&kind)), false);
        let rest = std::mem::take(out);
        out.insert("type".to_owned(), kind);
        out.extend(rest);
    }
}

/// Whether `type` names this type.
pub(super) fn has_type(fields: &Fields, wanted: &str) -> bool {
    match fields.get("type") {
        Some(Value::String(kind)) => kind == wanted,
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == wanted),
        _ => false,
    }
}

/// The type that a schema without one speaks of.
fn implied_type(fields: &Fields) -> Option<&'static str> {
    let any = |keys: &[&str]| keys.iter().any(|key| fields.contains_key(*key));
    if any(&["properties", "required", "additionalProperties", "patternProperties", "propertyNames"]) {
        Some("object")
    } else if any(&["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"]) {
        Some("array")
    } else if any(&["pattern", "format", "minLength", "maxLength"]) {
        Some("string")
    } else if any(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) {
        Some("number")
    } else {
        None
    }
}

/// The types of some values: one name, or a list of them in the order of their first values.
pub(super) fn types_of(values: &[Value]) -> Value {
    let mut kinds: Vec<&str> = Vec::new();
    for value in values {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if let [one] = kinds.as_slice() { (*one).into() } else { kinds.into() }
}

fn shown(kind: &Value) -> String {
    kind.as_str().map_or_else(|| kind.to_string(), str::to_owned)
}
