use serde_json::json;

use super::report::Help;
use super::testing::{example, suite};
use super::*;
use crate::suite::{Example, Suite};

const WORDS: [(&str, [&str; 4]); 3] = [
    ("water", ["the pump leaks", "a valve is wet", "water in the cellar", "the pipe burst"]),
    ("money", ["the bill is wrong", "refund my payment", "what does it cost", "charged me twice"]),
    ("access", ["cannot log in", "forgot my password", "the account is locked", "reset the login"]),
];

fn row(id: &str, place: usize) -> Example {
    let (label, phrases) = WORDS[place % 3];
    let text = format!("{} {}", phrases[place / 3 % 4], ["today", "again", "please", "sorry", "now"][place / 7 % 5]);
    Example { cluster: Some(format!("{id}{}", place / 2)), ..example(&format!("{id}{place}"), &text, label) }
}

fn material(suite: &Suite, pool: usize, test: usize) -> Material<'_> {
    let rows = |id: &str, count: usize| (0..count).map(|place| row(id, place)).collect();
    Material { suite, pool: rows("p", pool), test: rows("t", test) }
}

fn absent() -> Embedded {
    Embedded::Absent { endpoint: None, why: "no embeddings endpoint is configured".into() }
}

fn probed(material: &Material<'_>, embedded: &Embedded) -> ProbeReport {
    probe(material, embedded, None, &mut |_| ()).unwrap()
}

#[test]
fn a_classification_gets_a_row_for_words_and_says_why_there_is_none_for_embeddings() {
    let suite = suite("classification");
    let found = probed(&material(&suite, 120, 60), &absent());
    let [words, embeddings] = found.baselines.as_slice() else { panic!("{found:?}") };
    assert!(words.accuracy.unwrap().point.unwrap() > 0.95, "{words:?}");
    assert!(words.cross_validated.unwrap().point.unwrap() > 0.95);
    assert_eq!((words.training_examples, words.scores.len()), (120, 60));
    assert!((words.majority.as_ref().unwrap().share - 1.0 / 3.0).abs() < 1e-9);
    assert_eq!(embeddings.not_applicable.as_deref(), Some("no embeddings endpoint is configured"));
    assert_eq!((found.pool.clusters, found.pool.classes, found.test.rows), (60, 3, 60));
    assert_eq!(found.best().unwrap().name, "words");
    assert_eq!(probed(&material(&suite, 120, 60), &absent()), found, "the same comes of the same");
    let kept: ProbeReport = serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap();
    assert_eq!(kept.key, found.key);
    assert_eq!(kept.baselines[0].scores, found.baselines[0].scores);
}

#[test]
fn vectors_are_learned_from_like_words() {
    let suite = suite("classification");
    let material = material(&suite, 120, 60);
    let vector = |row: &Example| {
        let class = WORDS.iter().position(|(label, _)| row.expected["label"] == *label).unwrap();
        (0..3).map(|axis| if axis == class { 1.0 } else { 0.1 }).collect()
    };
    let vectors = material.pool.iter().chain(&material.test).map(vector).collect();
    let found = probed(&material, &Embedded::Made { endpoint: "live/embed".into(), vectors });
    let embeddings = &found.baselines[1];
    assert_eq!(embeddings.endpoint.as_deref(), Some("live/embed"));
    assert_eq!(embeddings.accuracy.unwrap().point, Some(1.0));
    assert_ne!(embeddings.curve.as_ref().unwrap().more_examples_help, Help::Yes);
}

#[test]
fn the_key_changes_with_what_the_figures_rest_on_and_with_nothing_else() {
    let mut suite = suite("classification");
    let base = key(&material(&suite, 30, 9));
    assert_eq!(key(&material(&suite, 30, 9)), base);
    assert_ne!(key(&material(&suite, 31, 9)), base);
    assert_ne!(key(&material(&suite, 30, 10)), base);
    suite.repeats = 7;
    assert_eq!(key(&material(&suite, 30, 9)), base);
    suite.statistics.delta_min = 0.05;
    assert_ne!(key(&material(&suite, 30, 9)), base);
}

#[test]
fn free_text_has_no_baseline_and_says_so() {
    let suite = suite("generation");
    let found = probed(&material(&suite, 30, 9), &absent());
    assert!(found.baselines.iter().all(|row| row.not_applicable.as_deref().unwrap().contains("free text")));
    assert!(found.best().is_none());
}

#[test]
fn test_examples_without_labels_are_refused_in_words() {
    let suite = suite("classification");
    let mut material = material(&suite, 60, 9);
    material.test.iter_mut().for_each(|row| row.expected = json!({"label": null}));
    let found = probed(&material, &absent());
    let words = &found.baselines[0];
    assert_eq!(words.not_applicable.as_deref(), Some("no test example has a label where the primary scorer looks"));
    assert!(words.accuracy.is_none() && words.curve.is_none());
    assert_eq!(found.test.unlabelled, 9);
}

#[test]
fn a_tiny_pool_is_refused_in_words() {
    let suite = suite("classification");
    let found = probed(&material(&suite, 12, 9), &absent());
    assert_eq!(
        found.baselines[0].not_applicable.as_deref(),
        Some("12 labelled rows are too few to train and check a classifier: 20 are needed")
    );
}

#[test]
fn what_flatters_is_counted() {
    let suite = suite("classification");
    let mut material = material(&suite, 40, 10);
    material.test.iter_mut().for_each(|row| row.input = json!(format!("quite another text {}", row.id.0)));
    material.test[0].input = material.pool[5].input.clone();
    material.test[1].cluster.clone_from(&material.pool[7].cluster);
    material.test[2].expected = json!({"label": "unseen"});
    let found = probed(&material, &absent());
    assert!(found.near_duplicates >= 1);
    assert_eq!(found.shared_clusters, 2);
    assert_eq!(found.classes_not_in_pool, ["unseen"]);
}

#[test]
fn of_an_extraction_each_field_with_few_values_gets_a_classifier() {
    let suite = suite("extraction");
    let mut material = material(&suite, 120, 60);
    for (place, row) in material.pool.iter_mut().chain(&mut material.test).enumerate() {
        let kind = row.expected["label"].clone();
        row.expected = json!({"kind": kind, "who": {"id": place}, "lines": [1, 2], "source": "letter"});
        if place % 2 == 0 {
            row.expected["paid"] = json!(true);
        }
    }
    let found = probed(&material, &absent());
    let fields = &found.baselines[0].fields;
    let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(names, ["/kind", "/who/id", "/lines", "/source", "/paid"]);
    assert!(fields[0].accuracy.unwrap().point.unwrap() > 0.95);
    let why = |place: usize| fields[place].not_applicable.as_deref().unwrap();
    assert!(why(1).contains("120 different values") && why(2).contains("list") && why(3).contains("same value"));
    assert_eq!(fields[4].values, 2, "that it is absent is a value, too");
    assert!(found.baselines[0].accuracy.is_none() && found.baselines[0].not_applicable.is_some());
}
