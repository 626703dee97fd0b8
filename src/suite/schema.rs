//! The suite's JSON Schema, compiled once; the only file that names `jsonschema`.
//!
//! No reference is ever fetched: one that leaves the document is an error (DESIGN.md 9). Patterns run in linear time,
//! so those with look-around or back-references are refused. What a schema may ask of an answer is bounded.

mod graph;
mod work;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use work::Work;

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
    /// Its references unfold to more than can be checked.
    #[error("{0}")]
    Endless(String),
}

/// A schema, compiled.
#[derive(Clone)]
pub struct OutputSchema {
    document: Arc<Value>,
    validator: Arc<jsonschema::Validator>,
    /// Set where an answer may take more work than it is long.
    work: Option<Arc<Work>>,
}

/// Visits that building a validator may take where what is left over is asked for.
const MOST_BUILDING: u64 = 100_000;

/// Bytes that a compiled pattern may take.
const PATTERN_SIZE: usize = 1 << 20;

/// Stack for building a validator of the longest chain.
const BUILDING_STACK: usize = 64 << 20;

/// Fetches nothing.
struct Nowhere;

impl jsonschema::Retrieve for Nowhere {
    fn retrieve(&self, uri: &jsonschema::Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("`{uri}` lies outside the file, and is never fetched").into())
    }
}

impl fmt::Debug for OutputSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutputSchema").field(&self.document).finish()
    }
}

impl OutputSchema {
    /// Compiles a schema of any draft that `$schema` names, 2020-12 by default.
    pub fn compile(document: Value) -> Result<Self, SchemaError> {
        let graph = graph::read(&document).map_err(|graph::Outside(target)| SchemaError::ExternalReference(target))?;
        let work = Work::new(&graph);
        let bounds = work.bounds();
        if bounds.chain > work::LONGEST_CHAIN {
            let most = work::LONGEST_CHAIN;
            let message =
                format!("its subschemas refer to one another in a chain of {}, more than {most}", bounds.chain);
            return Err(SchemaError::Endless(message));
        }
        if bounds.building > MOST_BUILDING {
            let message = "`unevaluatedProperties` and `unevaluatedItems` stand within one another too often";
            return Err(SchemaError::Endless(message.to_owned()));
        }
        let validator = validator(&document)?;
        let work = bounds.count_answers.then(|| Arc::new(work));
        Ok(Self { document: Arc::new(document), validator: Arc::new(validator), work })
    }

    /// The schema as its file has it, key order kept.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Whether the schema accepts the answer.
    pub fn accepts(&self, answer: &Value) -> bool {
        self.can_judge(answer) && self.validator.is_valid(answer)
    }

    fn can_judge(&self, answer: &Value) -> bool {
        self.work.as_ref().is_none_or(|work| work.allows(answer))
    }

    /// The first violation, or nothing for a valid answer. An answer that takes too much work to be judged is invalid.
    pub fn first_violation(&self, answer: &Value) -> Option<Violation> {
        if !self.can_judge(answer) {
            let message = format!("the schema repeats itself on this answer: more than {} steps", work::MOST_VISITS);
            return Some(Violation { path: String::new(), message });
        }
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

/// A label as text that is the same for the same value, whatever the order of its fields.
pub fn comparable(label: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let by_name: std::collections::BTreeMap<&String, &Value> = fields.iter().collect();
                Value::Object(by_name.into_iter().map(|(name, field)| (name.clone(), sorted(field))).collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    match label {
        Value::Object(_) | Value::Array(_) => sorted(label).to_string(),
        other => label_text(other),
    }
}

/// The validator, built where a long chain finds stack enough.
fn validator(document: &Value) -> Result<jsonschema::Validator, SchemaError> {
    let invalid = |said: String| SchemaError::Invalid(crate::text::one_line(&said, 300));
    let build = || {
        let patterns = jsonschema::PatternOptions::regex().size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE);
        let options = jsonschema::options().should_validate_formats(true).with_pattern_options(patterns);
        options.with_retriever(Nowhere).build(document).map_err(|error| error.to_string())
    };
    std::thread::scope(|scope| {
        let building = std::thread::Builder::new().stack_size(BUILDING_STACK).spawn_scoped(scope, build);
        match building.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(built)) => built.map_err(invalid),
            Ok(Err(_)) => Err(invalid("the validator gave up on it".to_owned())),
            Err(error) => Err(invalid(format!("there is no thread to build a validator: {error}"))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_fields_makes_no_other_label() {
        let one = json!({"a": [1, {"x": 1, "y": 2}], "b": null});
        let other = json!({"b": null, "a": [1, {"y": 2, "x": 1}]});
        assert_eq!(comparable(&one), comparable(&other));
        assert_ne!(comparable(&one), comparable(&json!({"a": [{"x": 1, "y": 2}, 1], "b": null})));
        assert_eq!(comparable(&json!("A")), "A");
    }

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
        for target in ["https://example.com/s.json", "other.json", "file:///etc/passwd", "/etc/passwd"] {
            let error = OutputSchema::compile(json!({"properties": {"a": {"$ref": target}}})).unwrap_err();
            assert_eq!(error, SchemaError::ExternalReference(target.into()));
        }
        let meta = OutputSchema::compile(json!({"$schema": "https://example.com/meta"})).unwrap_err();
        assert!(matches!(meta, SchemaError::Invalid(_)), "{meta}");
    }

    #[test]
    fn what_only_looks_like_a_reference_is_data() {
        let schema = OutputSchema::compile(json!({"const": {"$ref": "https://example.com"}})).unwrap();
        assert!(schema.accepts(&json!({"$ref": "https://example.com"})));
        let named =
            json!({"$id": "https://a.b/root", "$ref": "item", "$defs": {"i": {"$id": "item", "type": "string"}}});
        assert!(!OutputSchema::compile(named).unwrap().accepts(&json!(1)));
    }

    /// Definitions that each ask the next one `fan` times.
    fn chain(length: usize, keyword: &str, fan: usize, last: &Value) -> Value {
        let next = |at: usize| json!({"$ref": format!("#/$defs/a{at}")});
        let node = |at: usize| match at + 1 == length {
            true => last.clone(),
            false => json!({keyword: vec![next(at + 1); fan]}),
        };
        let all: serde_json::Map<_, _> = (0..length).map(|at| (format!("a{at}"), node(at))).collect();
        json!({"$ref": "#/$defs/a0", "$defs": all})
    }

    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!(1), |inner, _| json!({"a": inner}))
    }

    #[test]
    fn references_that_fan_out_are_judged_within_bounds() {
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let few = OutputSchema::compile(chain(8, keyword, 1, &json!({"type": "object"}))).unwrap();
            assert!(few.accepts(&json!({})), "{keyword}");
            let many = OutputSchema::compile(chain(60, keyword, 2, &json!({"type": "object"}))).unwrap();
            let violation = many.first_violation(&json!({})).unwrap();
            assert!(violation.message.contains("repeats itself"), "{}", violation.message);
            assert!(!many.accepts(&json!({})));
        }
    }

    #[test]
    fn recursion_is_judged_as_deep_as_its_branches_allow() {
        let branch = |key: &str| json!({"properties": {"a": {"$ref": "#"}}, "required": [key]});
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let schema =
                OutputSchema::compile(json!({keyword: [branch("x"), branch("y"), {"type": "integer"}]})).unwrap();
            assert_eq!(schema.first_violation(&nested(4)).unwrap().path, "");
            let violation = schema.first_violation(&nested(120)).unwrap();
            assert!(violation.message.contains("repeats itself"), "{}", violation.message);
        }
        let plain = OutputSchema::compile(json!({"properties": {"a": {"$ref": "#"}}, "type": ["object", "integer"]}));
        assert!(plain.unwrap().accepts(&nested(126)));
        let dynamic = json!({"$dynamicAnchor": "n", "allOf": [
            {"properties": {"a": {"$dynamicRef": "#n"}}}, {"properties": {"a": {"$dynamicRef": "#n"}}}]});
        assert!(!OutputSchema::compile(dynamic).unwrap().accepts(&nested(100)));
        for circle in [json!({"$ref": "#"}), json!({"allOf": [{"$ref": "#"}, {"type": "object"}]})] {
            let _ = OutputSchema::compile(circle).map(|schema| schema.first_violation(&nested(3)));
        }
    }

    #[test]
    fn long_chains_neither_overflow_the_stack_nor_pass_unseen() {
        let last = json!({"type": "object"});
        for length in [500, 1_300] {
            let schema = OutputSchema::compile(chain(length, "allOf", 1, &last)).unwrap();
            assert_eq!(schema.accepts(&json!({})), length == 500, "{length}");
        }
        let error = OutputSchema::compile(chain(100_000, "allOf", 1, &last)).unwrap_err();
        assert!(matches!(error, SchemaError::Endless(_)), "{error}");
    }

    #[test]
    fn what_is_left_over_is_asked_for_only_so_often() {
        let wrap = |inner: Value| json!({"allOf": [inner], "unevaluatedProperties": false});
        let nest = |depth: usize| (0..depth).fold(json!({"properties": {"a": {}}}), |inner, _| wrap(inner));
        assert!(OutputSchema::compile(nest(4)).unwrap().accepts(&json!({"a": 1})));
        assert!(matches!(OutputSchema::compile(nest(40)), Err(SchemaError::Endless(_))));
    }

    #[test]
    fn patterns_run_in_linear_time_and_have_a_size() {
        let schema = OutputSchema::compile(json!({"pattern": "^(a+)+$"})).unwrap();
        assert!(!schema.accepts(&json!("a".repeat(100_000) + "!")));
        for pattern in
            ["^(?=a)", "(a)\\1", "(\\p{L}{100}){100}", &"(".repeat(100_000), &("(".repeat(2_000) + &")".repeat(2_000))]
        {
            let error = OutputSchema::compile(json!({"pattern": pattern})).unwrap_err();
            assert!(error.to_string().chars().count() < 400, "{error}");
        }
        let regex = OutputSchema::compile(json!({"format": "regex"})).unwrap();
        regex.accepts(&json!("(".repeat(100_000)));
        regex.accepts(&json!("(a{1000}){1000}".repeat(100)));
    }
}
