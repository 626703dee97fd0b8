//! What each profile sends, place by place; and what must hold for any schema.

mod random;

use serde_json::json;

use super::*;

const STRICT: [Profile; 3] = [Profile::OpenaiStrict, Profile::OpenaiTuned, Profile::Anthropic];

/// The fitted schema and its changes as `at: what`.
fn fitted(schema: Value, profile: Profile) -> (Value, Vec<String>) {
    let fitted = fit(&schema, profile);
    assert_eq!(fitted.unsupported, None);
    let changes = fitted.changes.into_iter().map(|change| format!("{}: {}", change.at, change.what)).collect();
    (fitted.schema, changes)
}

fn refusal(schema: Value, profile: Profile) -> String {
    fit(&schema, profile).unsupported.unwrap_or_default()
}

fn object(properties: Value, required: Value) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// An object with one required field.
fn one(field: Value) -> Value {
    object(json!({"a": field}), json!(["a"]))
}

#[test]
fn a_schema_that_every_subset_takes_is_sent_as_it_is() {
    let schema =
        object(json!({"z": {"type": "string", "enum": ["A", "B"]}, "a": {"type": "integer"}}), json!(["z", "a"]));
    for profile in [Profile::AsIs, Profile::OpenaiStrict, Profile::OpenaiTuned, Profile::Anthropic, Profile::Gemini] {
        let (sent, changes) = fitted(schema.clone(), profile);
        assert_eq!(sent.to_string(), schema.to_string(), "key order too, {profile:?}");
        assert!(changes.is_empty(), "{changes:?}");
    }
}

#[test]
fn openai_wants_objects_closed_and_optional_fields_nullable() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "kind": {"enum": ["A", "B"]},
            "note": {"type": "string", "description": "free text"},
            "code": {"type": "string", "enum": ["x"]},
            "money": {"$ref": "#/$defs/money"},
            "size": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            "seen": {"type": ["boolean", "null"]}
        },
        "required": ["kind"],
        "$defs": {"money": {"type": "object", "properties": {"usd": {"type": "number"}}, "required": ["usd"]}}
    });
    let fitted = fit(&schema, Profile::OpenaiStrict);
    assert_eq!(
        fitted.schema,
        json!({
            "type": "object",
            "properties": {
                "kind": {"type": "string", "enum": ["A", "B"]},
                "note": {"type": ["string", "null"], "description": "free text"},
                "code": {"type": ["string", "null"], "enum": ["x", null]},
                "money": {"anyOf": [{"$ref": "#/$defs/money"}, {"type": "null"}]},
                "size": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
                "seen": {"type": ["boolean", "null"]}
            },
            "required": ["kind", "note", "code", "money", "size", "seen"],
            "$defs": {
                "money": {
                    "type": "object",
                    "properties": {"usd": {"type": "number"}},
                    "required": ["usd"],
                    "additionalProperties": false
                }
            },
            "additionalProperties": false
        })
    );
    assert!(fitted.null_is_absent);
    assert!(fitted.changes.iter().all(|change| !change.loses), "{:?}", fitted.changes);
    let places: Vec<&str> = fitted.changes.iter().map(|change| change.at.as_str()).collect();
    assert_eq!(
        places,
        [
            "",
            "/properties/kind",
            "/properties/note",
            "/properties/code",
            "/properties/money",
            "/properties/size",
            "/properties/seen",
            "/$defs/money"
        ],
        "in the order of the file"
    );
}

#[test]
fn limits_that_a_provider_refuses_are_left_out_and_named() {
    let schema = one(json!({"type": "string", "minLength": 2, "pattern": "^a", "format": "uri"}));
    let (sent, changes) = fitted(schema.clone(), Profile::OpenaiStrict);
    assert_eq!(sent["properties"]["a"], json!({"type": "string", "pattern": "^a"}));
    assert_eq!(changes, ["/properties/a: `minLength` left out", "/properties/a: `format` uri left out"]);
    let (sent, _) = fitted(schema.clone(), Profile::OpenaiTuned);
    assert_eq!(sent["properties"]["a"], json!({"type": "string"}));
    let (sent, changes) = fitted(schema.clone(), Profile::Anthropic);
    assert_eq!(sent["properties"]["a"], json!({"type": "string", "pattern": "^a", "format": "uri"}));
    assert_eq!(changes, ["/properties/a: `minLength` left out"]);
    let (sent, _) = fitted(schema, Profile::Gemini);
    assert_eq!(sent["properties"]["a"], json!({"type": "string", "format": "uri"}));

    let numbers = one(json!({"type": "integer", "minimum": 1, "exclusiveMaximum": 9}));
    assert_eq!(fitted(numbers.clone(), Profile::OpenaiStrict).0, numbers);
    assert_eq!(fitted(numbers.clone(), Profile::Anthropic).0["properties"]["a"], json!({"type": "integer"}));
    assert_eq!(fitted(numbers, Profile::Gemini).0["properties"]["a"], json!({"type": "integer", "minimum": 1}));

    let list = one(json!({"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": true}));
    let (sent, changes) = fitted(list, Profile::Anthropic);
    assert_eq!(sent["properties"]["a"]["minItems"], 1);
    assert_eq!(changes, ["/properties/a: `minItems` 3 sent as 1", "/properties/a: `uniqueItems` left out"]);
    let (_, changes) = fitted(one(json!({"type": "string", "pattern": "(?=x)"})), Profile::Anthropic);
    assert_eq!(changes, ["/properties/a: `pattern` left out: it has look-around"]);
    let (sent, changes) =
        fitted(one(json!({"type": "string", "default": "x", "$comment": "y"})), Profile::OpenaiStrict);
    assert_eq!(sent["properties"]["a"], json!({"type": "string"}));
    assert_eq!(changes, ["/properties/a: `default` left out"]);
}

#[test]
fn unions_constants_and_conditions() {
    let (sent, changes) = fitted(one(json!({"oneOf": [{"const": 1}, {"const": "x"}]})), Profile::OpenaiStrict);
    let union = json!({"anyOf": [{"type": "integer", "enum": [1]}, {"type": "string", "enum": ["x"]}]});
    assert_eq!(sent["properties"]["a"], union);
    assert_eq!(changes[0], "/properties/a: `oneOf` sent as `anyOf`");
    let (sent, _) = fitted(one(json!({"const": "x"})), Profile::Gemini);
    assert_eq!(sent["properties"]["a"], json!({"type": "string", "enum": ["x"]}));
    let (sent, _) = fitted(one(json!({"enum": ["x", null]})), Profile::Gemini);
    assert_eq!(sent["properties"]["a"], json!({"anyOf": [{"type": "string", "enum": ["x"]}, {"type": "null"}]}));
    let (sent, _) = fitted(one(json!({"type": "boolean", "enum": [true]})), Profile::Gemini);
    assert_eq!(sent["properties"]["a"], json!({"type": "boolean"}));

    let (sent, changes) = fitted(one(json!({"allOf": [{"type": "string"}], "title": "A"})), Profile::Anthropic);
    assert_eq!(sent["properties"]["a"], json!({"type": "string", "title": "A"}));
    assert_eq!(changes, ["/properties/a: `allOf` of one written in place"]);
    let several = json!({"type": "string", "allOf": [{"minLength": 1}, {"maxLength": 3}], "not": {"const": "x"}});
    let (sent, changes) = fitted(one(several), Profile::OpenaiStrict);
    assert_eq!(sent["properties"]["a"], json!({"type": "string"}));
    assert_eq!(changes, ["/properties/a: `allOf` left out", "/properties/a: `not` left out"]);

    let mut conditions = one(json!({"type": "string"}));
    conditions["anyOf"] = json!([{"required": ["a"]}]);
    conditions["if"] = json!({"required": ["a"]});
    conditions["then"] = json!(true);
    let (sent, changes) = fitted(conditions, Profile::OpenaiStrict);
    assert_eq!(sent, one(json!({"type": "string"})));
    assert_eq!(changes, [": `anyOf` left out", ": `if` left out", ": `then` left out"]);
}

#[test]
fn references_stand_alone_and_only_to_definitions() {
    let with = |field: Value, key: &str| {
        let mut schema = object(json!({"a": field, "b": {"type": "string"}}), json!(["a", "b"]));
        schema[key] = json!({"x": {"type": "integer"}});
        schema
    };
    let (sent, changes) =
        fitted(with(json!({"$ref": "#/$defs/x", "description": "d"}), "$defs"), Profile::OpenaiStrict);
    assert_eq!(sent["properties"]["a"], json!({"$ref": "#/$defs/x"}));
    assert_eq!(changes, ["/properties/a: `description` beside `$ref` left out"]);
    let described = json!({"description": "d", "allOf": [{"$ref": "#/$defs/x"}]});
    assert_eq!(
        fitted(with(described, "$defs"), Profile::OpenaiStrict).0["properties"]["a"],
        json!({"$ref": "#/$defs/x"})
    );
    let (sent, _) = fitted(with(json!({"$ref": "#/definitions/x"}), "definitions"), Profile::Gemini);
    assert_eq!(sent["properties"]["a"], json!({"$ref": "#/$defs/x"}));
    assert!(sent.get("definitions").is_none() && sent["$defs"]["x"].is_object());
    let (sent, changes) = fitted(with(json!({"$ref": "#/properties/b"}), "$defs"), Profile::OpenaiStrict);
    assert_eq!(sent["properties"]["a"], json!({"type": "string"}));
    assert_eq!(changes, ["/properties/a: `#/properties/b` copied in"]);
}

#[test]
fn a_reference_at_the_root_is_written_out() {
    let schema = json!({"$ref": "#/$defs/r", "$defs": {"r": one(json!({"type": "string"}))}});
    let (sent, changes) = fitted(schema, Profile::OpenaiStrict);
    assert_eq!((&sent["type"], &sent["properties"]["a"]), (&json!("object"), &json!({"type": "string"})));
    assert_eq!(changes, [": `#/$defs/r` copied to the root"]);
}

#[test]
fn recursion_is_taken_refused_or_said() {
    let tree = json!({
        "type": "object",
        "properties": {"value": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["value", "children"],
        "additionalProperties": false
    });
    assert_eq!(fitted(tree.clone(), Profile::OpenaiStrict).0, tree);
    assert!(refusal(tree.clone(), Profile::Anthropic).contains("at `/properties/children/items`: `#` contains itself"));
    let (sent, changes) = fitted(tree.clone(), Profile::Gemini);
    assert_eq!(sent, tree);
    assert_eq!(changes, ["/properties/children/items: `#` contains itself, and is followed to a limited depth"]);
    let endless = json!({"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}, "required": ["a"]});
    assert!(!refusal(endless, Profile::OpenaiStrict).is_empty());
}

#[test]
fn what_cannot_be_sent_in_any_form_is_said() {
    let list = json!({"type": "array", "items": {"type": "string"}});
    assert!(refusal(list.clone(), Profile::OpenaiStrict).contains("the root must be an object"));
    assert_eq!(refusal(list, Profile::Anthropic), "");
    let union = json!({"anyOf": [one(json!({"type": "string"})), one(json!({"type": "integer"}))]});
    assert!(refusal(union, Profile::OpenaiStrict).contains("no union"));
    for profile in STRICT {
        assert!(refusal(one(json!({})), profile).contains("`/properties/a`"));
        assert!(refusal(one(json!({"type": "object"})), profile).contains("must name its fields"));
        let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
        assert!(refusal(one(map), profile).contains("must name its fields"));
        let unnamed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]});
        assert!(refusal(unnamed, profile).contains("`b` is required and has no schema"));
    }
    assert!(refusal(one(json!({"type": "array"})), Profile::OpenaiStrict).contains("the list's items"));
}

#[test]
fn a_field_may_bear_the_name_of_a_keyword() {
    let schema = object(json!({"pattern": {"type": "string"}, "not": {"type": "integer"}}), json!(["pattern", "not"]));
    assert_eq!(fitted(schema.clone(), Profile::OpenaiTuned).0, schema);
}

#[test]
fn passing_a_size_limit_is_said() {
    let fields: serde_json::Map<String, Value> =
        (0..30).map(|n| (format!("f{n}"), json!({"type": ["string", "null"]}))).collect();
    let (_, changes) = fitted(object(Value::Object(fields), json!([])), Profile::Anthropic);
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes[0].contains("30 optional fields") && changes[0].contains("24"));
    assert!(changes[1].contains("30 fields of several types"));
}

#[test]
fn a_null_that_stands_for_absence_goes_and_no_other() {
    let schema = json!({
        "type": "object",
        "properties": {
            "must": {"type": ["string", "null"]},
            "may": {"type": "string"},
            "open": {"type": ["integer", "null"]},
            "list": {"type": "array", "items": {"$ref": "#/$defs/item"}},
            "either": {"anyOf": [
                {"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "string"}}, "required": ["kind"]},
                {"type": "object", "properties": {"kind": {"const": "b"}, "x": {"type": ["string", "null"]}}, "required": ["kind", "x"]}
            ]}
        },
        "required": ["must"],
        "$defs": {"item": {"type": "object", "properties": {"n": {"type": "integer"}, "next": {"$ref": "#/$defs/item"}}}}
    });
    let answer = json!({
        "must": null, "may": null, "open": null, "other": null,
        "list": [{"n": null, "next": {"n": 1, "next": null}}, null],
        "either": {"kind": "a", "x": null}
    });
    assert_eq!(
        absent_nulls(&schema, answer),
        json!({"must": null, "open": null, "other": null, "list": [{"next": {"n": 1}}, null], "either": {"kind": "a"}})
    );
    let b = json!({"must": "m", "either": {"kind": "b", "x": null}});
    assert_eq!(absent_nulls(&schema, b.clone()), b, "required, and null is a value of it");
    let either = json!({"anyOf": [
        {"type": "object", "properties": {"k": {"const": "c"}}, "required": ["k"]},
        {"type": "object", "properties": {"k": {"type": "string"}}}
    ]});
    assert_eq!(absent_nulls(&either, json!({"k": null})), json!({}), "only the second may lack it");
    assert_eq!(absent_nulls(&json!({"$ref": "#"}), json!({"a": null})), json!({"a": null}));
}
