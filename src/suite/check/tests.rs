//! Faults that only the data shows.

use super::super::load::tests::folder;
use super::super::load::{LoadOptions, load};
use super::*;
use crate::diagnostic::Style;

fn check_files(files: &[(&str, &[u8])]) -> Diagnostics {
    let folder = folder(files);
    let suite = load(folder.path(), &crate::provider::load::load(&[]).unwrap(), &LoadOptions::default()).unwrap().suite;
    check(&suite, None)
}

fn places(found: &Diagnostics) -> Vec<(&str, u32, u32)> {
    found.iter().map(|fault| (fault.code, fault.line, fault.column)).collect()
}

const ROW: &str = r#"{"id": "t9", "input": "lights are out", "expected": {"label": "A"}}"#;

#[test]
fn labels_outside_the_schema_are_named() {
    let found = check_files(&[("test.jsonl", ROW.replace("\"A\"", "\"C\"").as_bytes())]);
    assert_eq!(places(&found), [("suite/unknown-label", 1, 1)]);
    let found = check_files(&[("test.jsonl", ROW.replace("label", "labl").as_bytes())]);
    assert_eq!(places(&found), [("suite/bad-expected", 1, 1)]);
}

#[test]
fn too_many_shots_are_said_once_at_their_variant() {
    let folder = folder(&[]);
    let file = folder.path().join("suite.toml");
    let suite = std::fs::read_to_string(&file).unwrap();
    let matrix = "[matrix]\nmodel = [\"openai/gpt-5\", \"openai/gpt-5-nano\"]\nprompt = \"v1\"\nshots = 50\n";
    std::fs::write(&file, suite + matrix).unwrap();
    let suite = load(folder.path(), &crate::provider::load::load(&[]).unwrap(), &LoadOptions::default()).unwrap().suite;
    let found = check(&suite, None);
    assert_eq!(places(&found), [("suite/pool-too-small", 19, 10)]);
    assert!(found.iter().next().unwrap().message.contains("`gpt-5`, `gpt-5-nano`"));
}

#[test]
fn leaks_are_found_exact_and_normalised() {
    let pool = ROW.replace("t9", "p");
    let found = check_files(&[("test.jsonl", ROW.as_bytes()), ("pool.jsonl", pool.as_bytes())]);
    assert_eq!(places(&found), [("suite/leak", 1, 1)]);
    let pool = pool.replace("lights are out", "Lights ARE  out!");
    let found = check_files(&[("test.jsonl", ROW.as_bytes()), ("pool.jsonl", pool.as_bytes())]);
    assert_eq!(places(&found), [("suite/near-leak", 1, 1)]);
    assert!(found.iter().next().unwrap().message.contains("pool.jsonl:1"));
}

#[test]
fn a_near_duplicate_of_the_pool_is_a_warning() {
    let text = ROW.replace("lights are out", "We tried to contact you about the lights of your street");
    let pool = text.replace("t9", "p").replace("of your street", "on your street");
    let found = check_files(&[("test.jsonl", text.as_bytes()), ("pool.jsonl", pool.as_bytes())]);
    assert_eq!(places(&found), [("suite/near-duplicate", 1, 1)]);
    assert_eq!(found.errors(), 0);
}

#[test]
fn a_bad_line_has_line_and_column() {
    let text = format!("\u{feff}{ROW}\n\n{{\"id\": \"x\", }}\n{{\"id\": \"y\"}}\n");
    let found = check_files(&[("test.jsonl", text.as_bytes())]);
    assert_eq!(places(&found), [("suite/bad-json", 3, 13), ("suite/bad-example", 4, 1)]);
    let found = check_files(&[("test.jsonl", &[ROW.as_bytes(), b"\n{\"id\": \"\xff\"}\n"].concat())]);
    assert_eq!(places(&found), [("suite/not-utf8", 2, 9)]);
    let offset = ROW.len() + 1 + 8;
    assert!(found.iter().next().unwrap().message.contains(&format!("offset {offset}")));
}

#[test]
fn duplicates_name_both_lines_and_are_shown_twenty_times() {
    let text = (0..50).map(|_| format!("{ROW}\n")).collect::<String>();
    let found = check_files(&[("test.jsonl", text.as_bytes())]);
    assert_eq!(found.iter().count(), SHOWN + 1);
    let first = found.iter().next().unwrap();
    assert_eq!((first.code, first.line), ("suite/duplicate-id", 2));
    assert!(first.message.ends_with("first at line 1"), "{}", first.message);
    assert_eq!(found.iter().last().unwrap().message, "… and 29 more");
}

#[test]
fn a_line_of_a_hundred_megabytes_is_a_fault_and_not_a_crash() {
    let mut text = vec![b'x'; 100_000_000];
    text.extend_from_slice(format!("\n{ROW}\n").as_bytes());
    let found = check_files(&[("test.jsonl", &text)]);
    assert_eq!(places(&found), [("suite/line-too-long", 1, 1)]);
    assert!(found.render(Style::Plain).len() < 1000, "{}", found.render(Style::Plain));
}

#[test]
fn an_empty_file_and_a_small_pool_are_faults() {
    let found = check_files(&[("test.jsonl", b"\n")]);
    assert_eq!(places(&found), [("suite/no-examples", 0, 0)]);
    let suite = std::fs::read_to_string(folder(&[]).path().join("suite.toml")).unwrap() + "shots = 3\n";
    assert_eq!(places(&check_files(&[("suite.toml", suite.as_bytes())])), [("suite/pool-too-small", 16, 9)]);
}

#[test]
fn a_templates_fault_is_placed_in_its_file() {
    let folder = folder(&[]);
    let suite = load(folder.path(), &crate::provider::load::load(&[]).unwrap(), &LoadOptions::default()).unwrap().suite;
    let fault = |_: &Prompt, _: &Suite, inputs: &[Value]| {
        assert_eq!(inputs.len(), 2);
        vec![TemplateFault { part: Part::User, line: 1, message: "no such field".into() }]
    };
    assert_eq!(places(&check(&suite, Some(&fault))), [("suite/bad-template", 4, 1)]);
}

#[test]
fn missing_keys_are_named_once() {
    let folder = folder(&[]);
    let providers = crate::provider::load::load(&[]).unwrap();
    let suite = load(folder.path(), &providers, &LoadOptions::default()).unwrap().suite;
    let missing = missing_keys(&suite, &providers, &|_| None);
    assert_eq!((missing.len(), missing[0].code), (1, "provider/no-key"));
    assert!(missing_keys(&suite, &providers, &|_| Some("k".into())).is_empty());
}

#[cfg(feature = "sigv4")]
#[test]
fn missing_aws_keys_are_named() {
    let folder = folder(&[]);
    std::fs::create_dir(folder.path().join("providers")).unwrap();
    std::fs::write(folder.path().join("providers/openai.toml"), "auth = \"sigv4\"\n").unwrap();
    let providers = crate::provider::load::load(&[folder.path()]).unwrap();
    let suite = load(folder.path(), &providers, &LoadOptions::default()).unwrap().suite;
    let secret = |name: &str| (name == "AWS_SECRET_ACCESS_KEY").then(|| "k".to_owned());
    let missing =
        |env| missing_keys(&suite, &providers, env).into_iter().map(|fault| fault.message).collect::<Vec<_>>();
    assert_eq!(missing(&|_| None).len(), 1);
    assert!(missing(&|_| None)[0].contains("`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"));
    assert!(missing(&secret)[0].ends_with("`AWS_ACCESS_KEY_ID` is not set"));
    assert!(missing(&|name| name.starts_with("AWS_").then(|| "k".to_owned())).is_empty());
}
