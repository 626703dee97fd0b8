//! All faults at once, order, places.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

static FAMILY: Family = Family {
    syntax: "suite/syntax",
    unknown_key: "suite/unknown-key",
    missing_key: "suite/missing-key",
    wrong_type: "suite/wrong-type",
    unknown_value: "suite/unknown-value",
    out_of_range: "suite/out-of-range",
    not_yet: "suite/not-yet",
};

#[test]
fn every_fault_is_reported_at_once_with_its_place() {
    let source = Source::new("s.toml", "a = \"x\"\nb = 3\nnaem = 1\nk = 2.0\n[t]\nzz = 1\n");
    let document = Document::parse(&source, &FAMILY);
    let root = document.root();
    assert_eq!(root.number("a").map(Spanned::into_inner), None);
    assert_eq!(root.whole("b", 0).map(Spanned::into_inner), Some(3));
    root.required("name", root.text("name"));
    root.whole("k", 0);
    root.section("t").unwrap().finish();
    root.finish();
    let mut faults = document.into_faults();
    faults.sort();
    let found: Vec<_> = faults.iter().map(|f| (f.code, f.line, f.column)).collect();
    assert_eq!(
        found,
        [
            ("suite/missing-key", 1, 1),
            ("suite/wrong-type", 1, 5),
            ("suite/unknown-key", 3, 1),
            ("suite/wrong-type", 4, 5),
            ("suite/unknown-key", 6, 1)
        ]
    );
    assert_eq!(faults.iter().nth(2).unwrap().help.as_deref(), Some("did you mean `name`?"));
}

#[test]
fn tables_keep_their_order_as_json() {
    let source = Source::new("s.toml", "p = { z = 1, a = [1.5, \"x\"], m = { y = true, b = 0x10 } }");
    let document = Document::parse(&source, &FAMILY);
    let json = document.root().json("p").unwrap().into_inner();
    assert_eq!(json.to_string(), r#"{"z":1,"a":[1.5,"x"],"m":{"y":true,"b":16}}"#);
}

#[test]
fn what_is_not_toml_is_named_with_its_place() {
    let source = Source::new("s.toml", "a = 1\nb = = 2\n");
    let faults = Document::parse(&source, &FAMILY).into_faults();
    let fault = faults.iter().next().unwrap();
    assert_eq!((fault.code, fault.line), ("suite/syntax", 2));
}

/// The tables of a JSON Schema with their keys. Names that the user chooses are `NAME`.
fn tables(schema: &Value, root: &Value, title: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let child = |key: &str| if title.is_empty() { key.to_owned() } else { format!("{title}.{key}") };
    if let Some(name) = schema["$ref"].as_str() {
        tables(root.pointer(name.trim_start_matches('#')).unwrap(), root, title, found);
    }
    if let Some(properties) = schema["properties"].as_object() {
        found.entry(title.to_owned()).or_default().extend(properties.keys().cloned());
        for (key, property) in properties {
            tables(property, root, &child(key), found);
        }
    }
    if schema["additionalProperties"].is_object() {
        tables(&schema["additionalProperties"], root, &child("NAME"), found);
    }
    for one in schema["anyOf"].as_array().into_iter().flatten() {
        tables(one, root, title, found);
    }
    if schema["items"].is_object() {
        tables(&schema["items"], root, title, found);
    }
}

/// Checks that the reader of a document that has every table knows the keys of a JSON Schema and no others.
#[track_caller]
pub(crate) fn same_keys(document: &Document<'_>, schema: &str) {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let mut in_schema = BTreeMap::new();
    tables(&schema, &schema, "", &mut in_schema);
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (title, keys) in document.known.borrow().iter() {
        let title: Vec<&str> =
            title.split('.').map(|part| if part.starts_with("NAME") { "NAME" } else { part }).collect();
        known.entry(title.join(".")).or_default().extend(keys.iter().cloned());
    }
    // A table of names that the user chooses has no keys of its own.
    known.retain(|title, keys| in_schema.contains_key(title) || !keys.iter().all(|key| key.starts_with("NAME")));
    for (title, keys) in &known {
        assert_eq!(Some(keys), in_schema.get(title), "[{title}]: left what is read, right what the schema has");
    }
    let missing: Vec<&String> = in_schema.keys().filter(|title| !known.contains_key(*title)).collect();
    assert!(missing.is_empty(), "tables of the schema that the document does not have: {missing:?}");
}
