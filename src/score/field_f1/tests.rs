use super::*;
use serde_json::json;

fn score(list_match: ListMatch, expected: Value, answer: Value) -> f64 {
    FieldF1::new(0.005, list_match).score(&expected, &answer, None).score().unwrap()
}

/// The table of METHODS.md 13.
#[test]
fn vectors_of_the_methods() {
    let vectors = [
        (json!({"a": 1, "b": [1, 2]}), json!({"a": 1, "b": [1, 3]}), 2.0 / 3.0),
        (json!({"a": null}), json!({"a": null, "b": "x"}), 2.0 / 3.0),
        (json!({}), json!({}), 1.0),
        (json!({"a": "x"}), json!({"a": "y"}), 0.0),
    ];
    for (answer, expected, f1) in vectors {
        for list_match in [ListMatch::Position, ListMatch::Best] {
            assert!((score(list_match, expected.clone(), answer.clone()) - f1).abs() < 1e-9, "{answer} {expected}");
        }
    }
}

#[test]
fn numbers_have_a_tolerance_and_null_equals_only_null() {
    let by = ListMatch::Position;
    assert_eq!(score(by, json!({"a": 10}), json!({"a": 10.004})), 1.0);
    assert_eq!(score(by, json!({"a": 10}), json!({"a": 10.006})), 0.0);
    assert_eq!(score(by, json!({"a": null}), json!({"a": 0})), 0.0);
    assert_eq!(score(by, json!({"a": "1"}), json!({"a": 1})), 0.0);
    assert_eq!(score(by, json!({"a": {"b": 1}}), json!({"a": [1]})), 0.0);
    assert_eq!(score(by, json!("x"), json!("x")), 1.0);
}

#[test]
fn best_finds_the_items_that_belong_together() {
    let expected = json!([{"k": "a", "n": 1}, {"k": "b", "n": 2}, {"k": "c", "n": 3}]);
    let answer = json!([{"k": "c", "n": 3}, {"k": "a", "n": 1}]);
    assert_eq!(score(ListMatch::Position, expected.clone(), answer.clone()), 0.0);
    assert!((score(ListMatch::Best, expected.clone(), answer.clone()) - 8.0 / 10.0).abs() < 1e-12);
    let table = FieldF1::new(0.0, ListMatch::Best).field_counts(&expected, Some(&answer));
    let both = FieldCounts { right: 2, answered: 2, expected: 3 };
    assert_eq!(table, FieldTable::from([("/*/k".to_owned(), both), ("/*/n".to_owned(), both)]));
    assert_eq!((both.precision(), both.recall(), both.f1()), (Some(1.0), Some(2.0 / 3.0), 0.8));
}

#[test]
fn counts_of_a_missing_answer_are_misses() {
    let table = FieldF1::new(0.0, ListMatch::Position).field_counts(&json!({"a": {"b/c": 1}, "d": []}), None);
    assert_eq!(table, FieldTable::from([("/a/b~1c".to_owned(), FieldCounts { right: 0, answered: 0, expected: 1 })]));
}

#[test]
fn hostile_answers_stay_cheap() {
    let mut deep = json!(1);
    for _ in 0..120 {
        deep = json!([deep]);
    }
    assert_eq!(score(ListMatch::Best, deep.clone(), deep.clone()), 1.0);
    let long_key = "k".repeat(1_000_000);
    let mut wide = serde_json::Map::new();
    for index in 0..2_000 {
        wide.insert(index.to_string(), json!(1));
    }
    let answer = json!({ long_key: wide });
    let table = FieldF1::new(0.0, ListMatch::Best).field_counts(&json!({"a": 1}), Some(&answer));
    assert!(table.len() <= MAX_FIELDS + 1);
    let many = Value::Array((0..50_000).map(|n| json!(n)).collect());
    assert_eq!(score(ListMatch::Best, many.clone(), many), 1.0);
}
