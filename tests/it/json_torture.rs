//! Others' judgement of JSON: the official JSON Schema test suite through the schema door, and outputs that real
//! models got wrong through the three parse modes.
//!
//! Deviations are listed in docs/design/hostile-input.md, and here: whatever else differs fails.

use std::path::{Path, PathBuf};

use ceiling::score::answer::{Answer, Validity, parse};
use ceiling::suite::ParseMode;
use ceiling::suite::schema::OutputSchema;
use serde::Deserialize;
use serde_json::Value;

/// Formats of draft 2020-12 that the suite calls a note, and we judge: an answer that breaks its format is no answer.
const JUDGED_FORMATS: [&str; 17] = [
    "email",
    "regex",
    "ipv4",
    "ipv6",
    "hostname",
    "date",
    "date-time",
    "time",
    "json-pointer",
    "relative-json-pointer",
    "iri",
    "iri-reference",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
    "duration",
];

/// Groups of draft 2020-12 whose schemas name a document or a dialect at an address: we fetch neither.
const FETCHING: [(&str, &str); 7] = [
    ("dynamicRef.json", "strict-tree schema, guards against misspelled properties"),
    ("dynamicRef.json", "tests for implementation dynamic anchor and reference link"),
    ("dynamicRef.json", "$ref and $dynamicAnchor are independent of order - $defs first"),
    ("dynamicRef.json", "$ref and $dynamicAnchor are independent of order - $ref first"),
    ("dynamicRef.json", "$ref to $dynamicRef finds detached $dynamicAnchor"),
    ("vocabulary.json", "schema that uses custom metaschema with with no validation vocabulary"),
    ("vocabulary.json", "ignore unrecognized optional vocabulary"),
];

/// Draft, file, group, and the test; none: the whole group is refused.
type Deviation = (String, String, String, Option<String>);

fn known_deviations() -> Vec<Deviation> {
    let row = |file: &str, group: String, test| ("draft2020-12".to_owned(), file.to_owned(), group, test);
    let format = |name: &&str| {
        let test = format!("invalid {name} string is only an annotation by default");
        row("format.json", format!("{name} format"), Some(test))
    };
    let fetching = FETCHING.iter().map(|(file, group)| row(file, (*group).to_owned(), None));
    JUDGED_FORMATS.iter().map(format).chain(fetching).collect()
}

#[derive(Deserialize)]
struct Group {
    draft: String,
    file: String,
    description: String,
    schema: Value,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    d: String,
    data: Value,
    valid: bool,
}

#[derive(Deserialize)]
struct Malformed {
    malformed: Value,
    strict_valid_json: bool,
}

/// The rows of a file, or why there are none.
fn rows<T: serde::de::DeserializeOwned>(name: &str) -> Result<Vec<T>, String> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let path = std::env::var_os("CEILING_SHARED").map_or(beside, PathBuf::from).join("data/json_torture").join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()),
        Err(_) => Err(format!("skipped: judgement of JSON: there is no {} (set CEILING_SHARED)", path.display())),
    }
}

#[test]
fn the_official_test_suite_is_judged_as_it_says() {
    let groups = match rows::<Group>("json_schema_test_suite.jsonl") {
        Ok(groups) => groups,
        Err(why) => return println!("{why}"),
    };
    let (mut differ, mut judged): (Vec<Deviation>, u32) = (Vec::new(), 0);
    let groups_read = groups.len();
    for mut group in groups {
        let file = group.file.rsplit('/').next().unwrap().to_owned();
        if let (Value::Object(schema), "draft7") = (&mut group.schema, group.draft.as_str()) {
            schema.entry("$schema").or_insert_with(|| "http://json-schema.org/draft-07/schema#".into());
        }
        let mut note =
            |test: Option<String>| differ.push((group.draft.clone(), file.clone(), group.description.clone(), test));
        match OutputSchema::compile(group.schema.clone()) {
            Err(_) => note(None),
            Ok(schema) => {
                for case in group.tests {
                    judged += 1;
                    let ours = schema.accepts(&case.data);
                    assert_eq!(ours, schema.first_violation(&case.data).is_none());
                    if ours != case.valid {
                        note(Some(case.d));
                    }
                }
            }
        }
    }
    let listed = known_deviations();
    assert_eq!((groups_read, judged, differ.len()), (687, 2373, 24));
    let missing: Vec<_> = listed.iter().filter(|known| !differ.contains(known)).collect();
    differ.retain(|found| !listed.contains(found));
    assert!(differ.is_empty() && missing.is_empty(), "not listed: {differ:#?}\nlisted in vain: {missing:#?}");
}

#[test]
fn what_models_got_wrong_is_read_as_each_mode_says() {
    let rows = match rows::<Malformed>("json_repair_pairs.jsonl") {
        Ok(rows) => rows,
        Err(why) => return println!("{why}"),
    };
    let any = OutputSchema::compile(Value::Bool(true)).unwrap();
    let object = OutputSchema::compile(serde_json::json!({"type": "object"})).unwrap();
    let mut taken = [0; 3];
    for row in &rows {
        let text = row.malformed.as_str().map_or_else(|| row.malformed.to_string(), str::to_owned);
        let read = |schema: &OutputSchema| {
            [ParseMode::Strict, ParseMode::Fenced, ParseMode::Lenient]
                .map(|mode| parse(&text, mode, Some(schema), true))
        };
        let answers: [Answer; 3] = read(&any);
        read(&object);
        let is_json = serde_json::from_str::<Value>(text.trim()).is_ok();
        assert_eq!(answers[0].value.is_some(), is_json, "strict takes JSON alone: {text}");
        assert_eq!(is_json, row.strict_valid_json, "{text}");
        for (count, answer) in taken.iter_mut().zip(&answers) {
            *count += usize::from(answer.validity == Validity::Valid);
            assert!(answer.value.is_some() != matches!(answer.validity, Validity::NotJson { .. }));
        }
        assert!(!is_json || answers[1] == answers[0], "fenced takes what strict takes: {text}");
    }
    assert_eq!((rows.len(), taken), (230, [44, 44, 199]));
}
