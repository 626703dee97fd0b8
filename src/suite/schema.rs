//! The suite's JSON Schema, compiled once; the only file that names `jsonschema`.
//!
//! No reference is ever fetched: one that leaves the document is an error (DESIGN.md 9).

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// The first thing that an answer violates.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// JSON Pointer into the answer; empty is the whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A reference leaves the document.
    #[error("the schema refers to `{0}`; references outside the file are never fetched")]
    ExternalReference(String),
    /// It is not a JSON Schema.
    #[error("not a valid JSON Schema: {0}")]
    Invalid(String),
}

/// A schema, compiled.
#[derive(Clone)]
pub struct OutputSchema {
    document: Arc<Value>,
    validator: Arc<jsonschema::Validator>,
}

impl fmt::Debug for OutputSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutputSchema").field(&self.document).finish()
    }
}

impl OutputSchema {
    /// Compiles a schema of any draft that `$schema` names, 2020-12 by default.
    pub fn compile(document: Value) -> Result<Self, SchemaError> {
        if let Some(reference) = external_reference(&document) {
            return Err(SchemaError::ExternalReference(reference));
        }
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&document)
            .map_err(|error| SchemaError::Invalid(crate::text::one_line(&error.to_string(), 300)))?;
        Ok(Self { document: Arc::new(document), validator: Arc::new(validator) })
    }

    /// The schema as its file has it, key order kept.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Whether the schema accepts the answer.
    pub fn accepts(&self, answer: &Value) -> bool {
        self.validator.is_valid(answer)
    }

    /// The first violation, or nothing for a valid answer.
    pub fn first_violation(&self, answer: &Value) -> Option<Violation> {
        self.validator.validate(answer).err().map(|error| Violation {
            path: error.instance_path().to_string(),
            message: crate::text::one_line(&error.to_string(), 200),
        })
    }

    /// The values of the `enum` (or `const`) at a JSON Pointer into answers, as text and in order.
    pub fn enum_at(&self, pointer: &str) -> Vec<String> {
        let mut node = &*self.document;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let Some(next) = node.get("properties").and_then(|properties| properties.get(&step)) else {
                return Vec::new();
            };
            node = next;
        }
        match node.get("enum") {
            Some(Value::Array(values)) => values.iter().map(label_text).collect(),
            _ => node.get("const").map(label_text).into_iter().collect(),
        }
    }

    /// Whether every valid answer is an object or an array, as far as `type` says.
    pub fn is_container(&self) -> bool {
        matches!(self.document.get("type").and_then(Value::as_str), Some("object" | "array"))
    }
}

/// A class as text: strings as they are, other values as compact JSON.
pub fn label_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first `$ref` or `$dynamicRef` that is not a fragment of the document itself.
fn external_reference(node: &Value) -> Option<String> {
    match node {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| match value {
            Value::String(target) if matches!(key.as_str(), "$ref" | "$dynamicRef") && !target.starts_with('#') => {
                Some(target.clone())
            }
            other => external_reference(other),
        }),
        Value::Array(items) => items.iter().find_map(external_reference),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> OutputSchema {
        OutputSchema::compile(json!({
            "type": "object",
            "properties": {"code": {"enum": ["A", "B"]}},
            "required": ["code"],
            "additionalProperties": false
        }))
        .unwrap()
    }

    #[test]
    fn the_first_violation_has_its_path() {
        assert!(schema().accepts(&json!({"code": "A"})));
        let violation = schema().first_violation(&json!({"code": "C"})).unwrap();
        assert_eq!(violation.path, "/code");
        assert!(violation.message.contains("\"C\""), "{}", violation.message);
    }

    #[test]
    fn labels_come_in_schema_order() {
        assert_eq!(schema().enum_at("/code"), ["A", "B"]);
        assert!(schema().enum_at("/other").is_empty());
    }

    #[test]
    fn a_reference_to_a_url_is_refused_without_asking_for_it() {
        let error = OutputSchema::compile(json!({"$ref": "https://example.com/s.json"})).unwrap_err();
        assert_eq!(error, SchemaError::ExternalReference("https://example.com/s.json".into()));
    }
}
