//! The evidence file: its page, its schema and its reader say the same.

use std::collections::{BTreeMap, BTreeSet};

use ceiling::decide::Given;
use ceiling::diagnostic::{Diagnostics, Source};
use serde_json::{Value, json};

use crate::support::{Output, Project};

pub(crate) fn reference(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&reference("evidence.schema.json")).unwrap()
}

/// What the schema says against a document.
fn objections(document: &Value) -> Vec<String> {
    let validator = jsonschema::options().build(&schema()).unwrap();
    validator.iter_errors(document).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

/// A document as the reader takes it; `Err` has every fault.
fn read(document: &Value) -> Result<(Given, Diagnostics), Diagnostics> {
    Given::read(&Source::new("evidence.json", serde_json::to_string_pretty(document).unwrap()))
}

#[track_caller]
fn good(document: &Value) {
    let found = objections(document);
    assert!(found.is_empty(), "{found:#?}\n{document:#}");
    let (_, warnings) = read(document).unwrap_or_else(|faults| panic!("{faults:#?}\n{document:#}"));
    assert_eq!(warnings.iter().count(), 0, "{warnings:#?}");
}

/// The first code block of a language after a heading of the page.
pub(crate) fn block<'a>(page: &'a str, after: &str, language: &str) -> &'a str {
    let rest = page.split_once(after).unwrap_or_else(|| panic!("no `{after}`")).1;
    let rest = rest.split_once(&format!("```{language}\n")).unwrap_or_else(|| panic!("no {language} block")).1;
    rest.split_once("```").unwrap().0
}

/// Whether a page's extract is what the program said: the page wraps lines as it likes, and leaves out what stands
/// between the dots.
#[track_caller]
pub(crate) fn prints(said: &Output, extract: &str) {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let stdout = plain(said.stdout());
    let mut rest = stdout.as_str();
    for part in extract.split('…').map(plain) {
        rest = rest.split_once(part.as_str()).unwrap_or_else(|| panic!("`{part}` is not printed:\n{rest}")).1;
    }
}

fn as_json(toml: &str) -> Value {
    serde_json::to_value(toml.parse::<toml::Table>().unwrap()).unwrap()
}

/// A file that uses every key.
fn every_key() -> Value {
    json!({
        "task": "which team a message goes to",
        "incumbent": "v2",
        "targets": {
            "accuracy": 0.9, "schema_validity": 0.99, "ttft_p95_ms": 300, "monthly_requests": 1000,
            "monthly_budget_usd": 500.5, "self_hosted": false,
        },
        "economics": {
            "training_usd": [1000, 5000], "labelling_usd": 500, "upkeep_usd_per_month": [0, 50.5],
            "horizon_months": 18, "value_per_error_usd": 0.05, "requests_per_month": [900, 1100],
        },
        "statistics": {"alpha": 0.05, "delta_min": 0.03, "seed": 7},
        "label_audit": {"checked": 100, "wrong": 2},
        "double_annotation": {"pairs": 50, "agreed": 48, "classes": 4},
        "error_classes": {"checked": 60, "knowledge": 3, "preference": 1},
        "impossible": ["full"],
        "not_tried": "dpo",
        "design_effect": 1.5,
        "margin": 0.01,
        "variants": [
            {"name": "v1", "kind": "prompt", "round": 1, "n": 500, "right": 300.5, "valid": 498, "model": "a/small"},
            {"name": "v2", "kind": "prompt", "round": 2, "n": 500, "accuracy": 0.61, "schema_validity": 0.998,
             "validity_n": 1000, "missing": 2, "ttft_over_limit": 4, "ttft_n": 200, "model": "a/small",
             "usd_per_million_requests": [900, 1100],
             "caching": {"input_share": 0.8, "prefix_share": 0.9, "hit_rate": 0.95, "read_multiplier": 0.1,
                         "write_multiplier": 1.25}},
            {"name": "shots", "kind": "few-shot", "k": 4, "outcomes": [
                {"id": "a", "score": true, "valid": 1, "cluster": "x"}, {"id": 2, "score": 0.5, "cluster": 9}, {"id": "c"},
                {"id": "d", "score": 0}, {"id": "e", "score": false, "valid": true}]},
            {"name": "tuned", "kind": "tuned", "method": "distilled", "interventions": ["schema", "cache"],
             "self_hosted": true, "retires": "2028-01-31", "training_examples": 800, "n": 500, "right": 450,
             "ttft_ms": [120, 130.5, 0], "usd_per_million_requests": 300},
        ],
    })
}

/// Every table of a document, by its kind; `open` holds the way to it.
fn tables<'a>(document: &'a Value, of: &'static str, open: &str, found: &mut Vec<(&'static str, String, &'a Value)>) {
    let Some(fields) = document.as_object() else { return };
    found.push((of, open.to_owned(), document));
    for (name, value) in fields {
        let inner = match name.as_str() {
            "targets" => "targets",
            "economics" => "economics",
            "statistics" => "statistics",
            "label_audit" => "label_audit",
            "double_annotation" => "double_annotation",
            "error_classes" => "error_classes",
            "caching" => "caching",
            "variants" => "variant",
            "outcomes" => "outcome",
            _ => continue,
        };
        match value {
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    tables(item, inner, &format!("{open}/{name}/{place}"), found);
                }
            }
            value => tables(value, inner, &format!("{open}/{name}"), found),
        }
    }
}

/// The keys that the schema has for each kind of table.
fn keys_of_schema() -> BTreeMap<String, BTreeSet<String>> {
    let schema = schema();
    let names = |table: &Value| table["properties"].as_object().unwrap().keys().cloned().collect();
    let inner = schema["$defs"].as_object().unwrap().iter().filter(|(_, table)| table["type"] == "object");
    let mut keys: BTreeMap<String, BTreeSet<String>> = inner.map(|(of, table)| (of.clone(), names(table))).collect();
    keys.insert("file".to_owned(), names(&schema));
    keys
}

#[test]
fn every_key_of_the_schema_is_read() {
    let document = every_key();
    good(&document);
    let mut found = Vec::new();
    tables(&document, "file", "", &mut found);
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (of, _, table) in &found {
        used.entry((*of).to_owned()).or_default().extend(table.as_object().unwrap().keys().cloned());
    }
    assert_eq!(used, keys_of_schema());
}

#[test]
fn a_key_that_the_schema_lacks_is_a_fault() {
    let document = every_key();
    let (mut found, keys) = (Vec::new(), keys_of_schema());
    tables(&document, "file", "", &mut found);
    for (of, path, _) in found {
        let mut other = document.clone();
        other.pointer_mut(&path).unwrap()["qqqqqqqq"] = json!(1);
        assert!(!objections(&other).is_empty(), "{path}");
        let faults = read(&other).unwrap_err();
        let fault = faults.iter().find(|fault| fault.message.contains("qqqqqqqq")).unwrap_or_else(|| panic!("{path}"));
        // The fault names the keys that the reader knows: those of the schema and no other.
        let help = fault.help.clone().unwrap_or_default();
        let known: BTreeSet<String> = help.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(known.is_subset(&keys[of]), "{path}: {known:?}");
        // Of many keys it names the first dozen.
        let all = keys[of].len() > 12 || known.len() == keys[of].len();
        assert!(of == "outcome" || (all && !known.is_empty()), "{path}: {known:?}");
    }
}

#[test]
fn what_the_schema_refuses_is_refused() {
    let wrong: [(&str, Value); 21] = [
        ("/targets/accuracy", json!(1.1)),
        ("/targets/ttft_p95_ms", json!(0)),
        ("/targets/monthly_requests", json!(1.5)),
        ("/economics/training_usd", json!([1, 2, 3])),
        ("/economics/horizon_months", json!("12")),
        ("/statistics/alpha", json!(0.6)),
        ("/label_audit", json!({"checked": 10})),
        ("/double_annotation/classes", json!(1)),
        ("/error_classes", json!({"knowledge": 1})),
        ("/impossible", json!(["few-shots"])),
        ("/not_tried", json!([1])),
        ("/design_effect", json!(0.5)),
        ("/margin", json!(-0.1)),
        ("/variants", json!([])),
        ("/variants/0/kind", json!("promt")),
        ("/variants/0/accuracy", json!(0.6)),
        ("/variants/1/ttft_ms", json!([100])),
        ("/variants/2/outcomes", json!([2])),
        ("/variants/3/method", Value::Null),
        ("/variants/3/retires", json!("soon")),
        ("/variants/1/caching", json!({"input_share": 0.5})),
    ];
    for (path, value) in wrong {
        let mut document = every_key();
        let (table, key) = path.rsplit_once('/').unwrap();
        let table = document.pointer_mut(table).unwrap();
        match table {
            Value::Object(fields) if value.is_null() => {
                fields.remove(key);
            }
            table => table[key] = value,
        }
        assert!(!objections(&document).is_empty(), "{path}");
        assert!(read(&document).is_err(), "{path}");
    }
}

#[test]
fn small_files_are_good_too() {
    good(&json!({"variants": [{"name": "a", "kind": "prompt"}]}));
    good(
        &json!({"targets": {"accuracy": 0.9}, "variants": [{"name": "a", "kind": "prompt", "outcomes": [1, 0, true]}]}),
    );
    good(&json!({"targets": {}, "impossible": "few-shot",
                 "variants": [{"name": "a", "kind": "rag", "n": 10, "schema_validity": 1, "ttft_ms": 250}]}));
}

#[test]
fn the_example_of_the_page_prints_what_the_page_says() {
    let page = reference("evidence.md");
    let toml = block(&page, "## A complete example", "toml");
    good(&as_json(toml));
    let project = Project::new().file("triage.toml", toml);
    let said = project.run(["decide", "--evidence", "triage.toml", "--as-of", "2026-11-26"]).exits(0);
    prints(&said, block(&page, "prints, in part", "text"));
    let project = project.file("triage.json", &as_json(toml).to_string());
    let of =
        |file: &str| project.run(["decide", "--evidence", file, "--as-of", "2026-11-26", "--json"]).exits(0).json();
    assert_eq!(of("triage.toml")["verdict"], of("triage.json")["verdict"]);
}

#[test]
fn the_faults_of_the_page_are_those_that_are_printed() {
    let page = reference("evidence.md");
    let project = Project::new().file("bad.toml", block(&page, "## Faults", "toml"));
    let said = project.run(["decide", "--evidence", "bad.toml"]).exits(2);
    let expected = block(&page, "## Faults", "text");
    assert!(said.stderr().contains(expected.trim_end()), "{}", said.stderr());
}
