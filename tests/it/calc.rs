//! The calculator as its users call it, and its vectors against the tables of METHODS.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ceiling::calc::{METHODS, render};
use serde_json::{Value, json};

use crate::schemas::fits;
use crate::support::Project;

/// Headings of the tables in METHODS.md that are no vectors, or vectors of what is no method of the
/// calculator: those are unit tests of `src/stats` and `src/score`.
const OTHER_TABLES: &[&str] = &[
    "function | accuracy measured | use",
    "nu | t(.975)",
    "claim | logic | correction",
    "90% interval [lo, hi] | verdict",
    "condition | test | level",
    "cluster sizes | icc | design effect",
    " | trigger | FIRED | CLEAR | UNKNOWN",
    "# | question | evidence | rung | relevant to",
    "rule | condition | verdict",
    "answer | expected | field-f1",
    "method | input | output",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn vectors() -> Vec<Value> {
    let path = root().join("tests/fixtures/methods/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The cells of a row, as the fixture keeps them.
fn cells(row: &str) -> String {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(str::trim).collect::<Vec<_>>().join(" | ")
}

/// The tables of a Markdown text: heading, and rows.
fn tables(text: &str) -> Vec<(String, Vec<String>)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_rule = |line: &str| line.starts_with("|-") && line.chars().all(|c| matches!(c, '|' | '-'));
    let headings = (1..lines.len()).filter(|&place| is_rule(lines[place]));
    let table = |place: usize| {
        let rows = lines[place + 1..].iter().take_while(|line| line.starts_with('|'));
        (cells(lines[place - 1]), rows.map(|row| cells(row)).collect())
    };
    headings.map(table).collect()
}

#[test]
fn every_row_of_every_table_of_the_methods_is_a_vector() {
    let beside = root().join("../shared");
    let path = std::env::var_os("CEILING_SHARED").map_or(beside, PathBuf::from).join("METHODS.md");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: the tables of METHODS.md: there is no {} (set CEILING_SHARED)", path.display());
        return;
    };
    let vectors = vectors();
    let known: BTreeSet<&str> = vectors.iter().filter_map(|vector| vector["row"].as_str()).collect();
    let (mut rows, mut missing) = (0, Vec::new());
    for (heading, table) in tables(&text) {
        if OTHER_TABLES.contains(&heading.as_str()) {
            continue;
        }
        rows += table.len();
        missing.extend(table.into_iter().filter(|row| !known.contains(row.as_str())).map(|row| (heading.clone(), row)));
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert_eq!(rows, known.len(), "rows that METHODS.md no longer has");
}

#[test]
fn a_vector_says_what_its_row_says() {
    let number = |text: &str| text.parse::<f64>().ok();
    for vector in vectors() {
        let Some(row) = vector["row"].as_str() else { continue };
        let said: Vec<f64> = row.split([' ', ',', '[', ']']).filter_map(number).collect();
        for (field, value) in vector["output"].as_object().unwrap() {
            let found = match value {
                Value::Number(value) => said.contains(&value.as_f64().unwrap()) || row.contains("tuned: 1.0"),
                Value::Null => row.contains("none"),
                Value::String(word) => {
                    row.to_lowercase().replace('_', "-").contains(&word.to_lowercase().replace('_', "-"))
                }
                Value::Array(values) => values.iter().all(|value| said.contains(&value.as_f64().unwrap())),
                _ => true,
            };
            assert!(found, "{field} of {vector}");
        }
    }
}

#[test]
fn every_method_answers_through_the_program() {
    let project = Project::new();
    let vectors = vectors();
    for method in METHODS {
        let vector = vectors.iter().find(|vector| vector["method"] == method.name).unwrap();
        let input = vector["input"].to_string();
        let piped = project.run_reading(["calc", method.name], &input).exits(0);
        let project = Project::new().file("input.json", &input);
        let name = method.name.replace('_', "-");
        let read = project.run(["calc", &name, "--input", "input.json", "--json"]).exits(0);
        assert_eq!(piped.json(), read.json());
        assert_eq!((piped.stderr(), read.stderr(), read.stdout().lines().count()), ("", "", 1));
        fits(&read.json(), "calc");
        let answer = read.json();
        for (field, expected) in vector["output"].as_object().unwrap() {
            let got = &answer[field];
            let close = match (got.as_f64(), expected.as_f64()) {
                (Some(got), Some(expected)) => (got - expected).abs() <= 1e-4 * expected.abs().max(1e-300),
                _ => got == expected || got.is_array(),
            };
            assert!(close, "{}: {field} is {got}, expected {expected}", method.name);
        }
    }
}

#[test]
fn wrong_input_ends_with_2_and_says_why() {
    let project = Project::new();
    let wrong = |method: &str, input: &str| project.run_reading(["calc", method], input).exits(2);
    let cases = [
        ("wilson", "{\"x\": NaN, \"n\": 3}", "`NaN` is no number in JSON"),
        ("wilson", "{\"x\": 1, \"n\": -Infinity}", "`-Infinity` is no number in JSON"),
        ("wilson", "{\"x\": 1, \"n\": 1e999}", "number out of range"),
        ("wilson", "{\"x\": 1, \"x\": 2, \"n\": 3}", "`x` is given twice"),
        ("wilson", "{\"x\": 1", "the input is not one JSON object: EOF"),
        ("wilson", "{\"x\": \"a \\\" NaN\", \"n\": 2}", "`x` is \"a \\\" NaN\", expected a number"),
        ("wilson", "{\"x\": 1, \"n\": 2} {}", "trailing characters"),
        ("wilson", "[1, 2]", "expected a JSON object"),
        ("wilson", "", "the input is empty"),
        ("wilson", "{\"x\": 5, \"n\": 2}", "`x` is 5, expected at most `n`, which is 2"),
        ("wilson", "{\"y\\u001b[31m\": 5}", "has no field `y[31m`"),
        ("willson", "{}", "hint: did you mean `wilson`?"),
        ("power-paired-exact", "{\"n\": 1000000000, \"psi\": 0.2, \"delta\": 0.1}", "at most 200000"),
    ];
    for (method, input, expected) in cases {
        let said = wrong(method, input);
        assert!(said.stderr().contains(expected), "{input}: {}", said.stderr());
        assert_eq!(said.stdout(), "");
    }
    let said = project.run_reading(["calc", "wilson", "--json"], "{\"x\": 1}").exits(2);
    assert!(said.json()["error"]["message"].as_str().unwrap().starts_with("`n` is missing"), "{}", said.stdout());
    fits(&said.json(), "error");
    project.run(["calc"]).exits(2).says("`ceiling calc --list` shows them");
    project.run(["calc", "wilson", "--input", "nothing.json"]).exits(2).says("failed to read `nothing.json`");
    project.run_reading(["calc", "wilson"], "\u{feff}{\"x\": 1, \"n\": 2}").exits(0);
}

#[test]
fn the_list_shows_every_method() {
    let project = Project::new();
    let text = project.run(["calc", "--list"]).exits(0);
    for method in METHODS {
        assert!(text.stdout().contains(&format!("{}\n  {}", method.name, method.question)));
    }
    let list = project.run(["calc", "--list", "--json"]).exits(0).json();
    fits(&list, "calc-list");
    let names: Vec<&str> = list["methods"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, METHODS.iter().map(|method| method.name).collect::<Vec<_>>());
    let one = project.run(["calc", "tango-ci", "--list", "--json"]).exits(0).json();
    fits(&one, "calc-list");
    assert_eq!(one["methods"][0]["example"]["input"], json!({"wins": 7, "losses": 1, "n": 21}));
    let alpha = &one["methods"][0]["inputs"][3];
    assert_eq!((&alpha["name"], &alpha["default"]), (&json!("alpha"), &json!(0.05)));
    insta::assert_snapshot!("ladder", project.run(["calc", "ladder", "--list"]).exits(0).stdout());
}

#[test]
fn the_page_is_what_the_registry_says() {
    let page = std::fs::read_to_string(Path::new(&root()).join("docs/reference/calc.md")).unwrap();
    assert!(page == render::markdown(), "run: ceiling calc --list --markdown > docs/reference/calc.md");
}
