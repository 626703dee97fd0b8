use super::*;
use proptest::prelude::*;
use serde_json::json;

fn object_schema() -> OutputSchema {
    OutputSchema::compile(json!({
        "type": "object",
        "properties": {"code": {"enum": ["A", "B"]}},
        "required": ["code"]
    }))
    .unwrap()
}

fn read(text: &str, mode: ParseMode) -> Answer {
    parse(text, mode, Some(&object_schema()), true)
}

#[test]
fn strict_takes_the_whole_trimmed_text_only() {
    assert_eq!(read(" \n{\"code\": \"A\"}\n", ParseMode::Strict).validity, Validity::Valid);
    let answer = read("\n{\"code\": \"A\"} ok", ParseMode::Strict);
    assert_eq!(answer.value, None);
    assert!(matches!(answer.validity, Validity::NotJson { offset: 15, .. }), "{answer:?}");
    assert_eq!(answer.validity.fault().as_deref(), Some("not JSON: trailing characters"));
}

#[test]
fn fenced_takes_one_block_around_the_whole() {
    for text in [
        "```json\n{\"code\": \"A\"}\n```",
        "```\n{\"code\": \"A\"}\n```\n",
        "```json {\"code\": \"A\"}```",
        "```{\"code\":\n\"A\"}```",
        "{\"code\": \"A\"}",
    ] {
        assert_eq!(read(text, ParseMode::Fenced).validity, Validity::Valid, "{text}");
    }
    for text in ["Sure:\n```json\n{\"code\": \"A\"}\n```", "```\n{\"code\": \"A\"}\n```\n```\n1\n```", "```json\n{}"] {
        assert!(!read(text, ParseMode::Fenced).validity.is_valid(), "{text}");
    }
    assert_eq!(read("```json\n{\"code\": \"A\"}\n```", ParseMode::Strict).value, None);
}

#[test]
fn lenient_takes_the_value_at_the_first_bracket() {
    let answer = read("Sure! The code is {\"code\": \"A\"}. 42", ParseMode::Lenient);
    assert_eq!(answer.value, Some(json!({"code": "A"})));
    let cut = read("{\"code\": {\"code\": \"A\"}", ParseMode::Lenient);
    assert_eq!(cut.value, None, "an inner value is not the answer");
    assert!(read("no value", ParseMode::Lenient).value.is_none());
}

#[test]
fn lenient_takes_the_first_scalar_when_no_container_is_asked_for() {
    let number = OutputSchema::compile(json!({"type": "number"})).unwrap();
    let take = |text: &str| parse(text, ParseMode::Lenient, Some(&number), true).value;
    assert_eq!(take("The answer is 42."), Some(json!(42)));
    assert_eq!(take("v1.5 is -2.5e3 here"), Some(json!(-2500.0)));
    assert_eq!(take("not 007, but null"), Some(json!(null)));
    assert_eq!(take("truely \"yes\""), Some(json!("yes")));
    assert_eq!(take("10MB"), None);
    assert_eq!(take("3"), Some(json!(3)));
    assert_eq!(take("é 1e"), None);
}

#[test]
fn a_value_that_the_schema_rejects_is_kept() {
    let answer = read("{\"code\": \"C\"}", ParseMode::Strict);
    assert_eq!(answer.value, Some(json!({"code": "C"})));
    assert!(answer.validity.fault().unwrap().starts_with("/code: "));
}

#[test]
fn json_rules_hold() {
    for text in ["{\"code\": NaN}", "{\"code\": \"A\",}", "{'code': 'A'}", "", "{\"code\": \"A\"}{}"] {
        assert_eq!(read(text, ParseMode::Strict).value, None, "{text}");
    }
    assert_eq!(read("{\"code\": \"B\", \"code\": \"A\"}", ParseMode::Strict).value, Some(json!({"code": "A"})));
}

#[test]
fn without_schema_or_wish_the_answer_is_the_text() {
    let answer = parse(" {oops", ParseMode::Strict, None, false);
    assert_eq!(answer.value, Some(json!(" {oops")));
    assert!(answer.validity.is_valid());
    assert_eq!(parse("{oops", ParseMode::Strict, None, true).value, None);
}

#[test]
fn hostile_text_neither_panics_nor_overflows_the_stack() {
    let string = OutputSchema::compile(json!({"type": "string"})).unwrap();
    for piece in ["[", "{\"a\":", "\\\"", "\"\\", "[0],", "-", "9", "t", "true1", "```\n"] {
        let text = piece.repeat(200_000 / piece.len());
        for schema in [&object_schema(), &string] {
            for mode in [ParseMode::Strict, ParseMode::Fenced, ParseMode::Lenient] {
                parse(&text, mode, Some(schema), true);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_parses_or_says_where_not(text in "\\PC{0,60}|[\\[\\]{}\",:0-9a-e\\\\ .\n`-]{0,60}") {
        let any = OutputSchema::compile(json!(true)).unwrap();
        for mode in [ParseMode::Strict, ParseMode::Fenced, ParseMode::Lenient] {
            for schema in [&any, &object_schema()] {
                let answer = parse(&text, mode, Some(schema), true);
                match answer.validity {
                    Validity::NotJson { offset, .. } => prop_assert!(offset <= text.len() && answer.value.is_none()),
                    _ => prop_assert!(answer.value.is_some()),
                }
            }
        }
    }
}
