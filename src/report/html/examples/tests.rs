use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::suite::ExampleId;

fn trial(variant: usize, outcome: &'static str, score: Option<f64>, valid: bool) -> TrialView {
    TrialView {
        variant,
        repeat: 0,
        outcome,
        failure: None,
        missing: false,
        score,
        valid,
        valid_lenient: valid,
        violation: None,
        fault: None,
        text: None,
        reasoning: None,
        cut: false,
        ttft_ms: None,
        total_ms: None,
        source: "live".to_owned(),
        usage: Usage::default(),
        cost_usd: None,
        attempts: Vec::new(),
        documents: None,
        bodies: [b"request".to_vec(), b"response \xff".to_vec()],
    }
}

fn example(id: &str) -> Example {
    Example {
        id: ExampleId(id.to_owned()),
        input: Value::from("in"),
        expected: Value::from("a"),
        cluster: None,
        tags: [("site".to_owned(), id.to_owned())].into(),
        documents: Vec::new(),
    }
}

fn packed(example: &Example, class: Option<&str>, trials: &[TrialView], variants: usize) -> PackedExample {
    PackedExample::new(example, class.map(str::to_owned), (trials, variants), true).unwrap()
}

/// Elements as they stand in the page.
fn rendered(pieces: Vec<Piece>) -> String {
    pieces.into_iter().map(Piece::render).collect()
}

/// What a browser reads from an element.
fn unpacked(page: &str, id: &str) -> Value {
    let from = page.find(&format!("id=\"{id}\">")).unwrap() + id.len() + 6;
    let packed = &page[from..from + page[from..].find('<').unwrap()];
    let mut json = String::new();
    let bytes = STANDARD.decode(packed).unwrap();
    flate2::read::DeflateDecoder::new(bytes.as_slice()).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}

#[test]
fn a_page_holds_examples_bodies_and_an_index() {
    let mut packer = Packer::new(vec!["a".into(), "b".into()], 1 << 20);
    let trials = [trial(0, "answered", Some(1.0), true), trial(1, "truncated", Some(0.0), false)];
    let mut page = rendered(packer.add(packed(&example("e1"), Some("x"), &trials, 2)));
    page += &rendered(packer.add(packed(&example("e2"), Some("y"), &trials[..1], 2)));
    page += &rendered(packer.finish().unwrap());
    let index = unpacked(&page, "index");
    assert_eq!(index["ids"], serde_json::json!(["e1", "e2"]));
    assert_eq!(index["codes"], serde_json::json!(["rr", "c-"]));
    assert_eq!(index["tags"]["label"], serde_json::json!({"values": ["x", "y"], "of": [0, 1]}));
    assert_eq!(unpacked(&page, "chunk-0")[1]["trials"][0][0]["score"], 1.0);
    assert_eq!(unpacked(&page, "bodies-0")[0][1][0][1], "response \u{fffd}");
}

#[test]
fn bodies_stop_at_their_limit_and_are_said_to() {
    let mut packer = Packer::new(vec!["a".into()], 10);
    let mut large = trial(0, "answered", Some(1.0), true);
    // Text that does not compress to nothing.
    let noise: Vec<u8> = (0..3 * BODIES_BYTES as u64).map(|place| (place * place % 251) as u8).collect();
    large.bodies = [noise.clone(), noise];
    let mut page = String::new();
    for id in 0..12 {
        page += &rendered(packer.add(packed(&example(&id.to_string()), None, std::slice::from_ref(&large), 1)));
    }
    page += &rendered(packer.finish().unwrap());
    let index = unpacked(&page, "index");
    let with = index["with_bodies"].as_u64().unwrap();
    assert!((1..12).contains(&with), "{with}");
    assert_eq!(index["ids"].as_array().unwrap().len(), 12);
}

#[test]
fn a_tag_that_is_named_like_the_class_is_kept_and_one_with_many_values_is_named() {
    let mut packer = Packer::new(vec!["a".into()], 0);
    for id in 0..=MAX_VALUES {
        let mut example = example(&id.to_string());
        example.tags.insert(CLASS_TAG.to_owned(), "own".to_owned());
        packer.add(packed(&example, Some("class"), &[], 1));
    }
    let index = unpacked(&rendered(packer.finish().unwrap()), "index");
    assert_eq!(index["tags"][CLASS_TAG]["values"], serde_json::json!(["own"]));
    assert_eq!(index["dropped"], serde_json::json!(["site"]));
    assert_eq!((&index["right"], &index["with_bodies"]), (&serde_json::json!(0.5), &serde_json::json!(0)));
}

#[test]
fn a_fault_is_counted_as_a_browser_counts() {
    let not_json = Validity::NotJson { offset: "é😀".len(), message: String::new() };
    assert_eq!(Fault::of(&not_json, "é😀x"), Some(Fault::Offset(3)));
    assert_eq!(Fault::of(&Validity::Valid, ""), None);
    assert_eq!(serde_json::to_value(Fault::Pointer("/a".into())).unwrap(), serde_json::json!({"pointer": "/a"}));
}

#[test]
fn every_outcome_has_its_letter() {
    let one = |outcome, score, valid| code(&[&trial(0, outcome, score, valid)]);
    assert_eq!(one("answered", Some(1.0), true), 'r');
    assert_eq!(one("answered", Some(0.0), true), 'w');
    assert_eq!(one("answered", Some(0.0), false), 'i');
    assert_eq!(one("refused", Some(0.0), false), 'f');
    assert_eq!(one("answered", None, true), 'u');
    assert_eq!(code(&[]), '-');
    let missing = TrialView { missing: true, ..trial(0, "failed", None, false) };
    assert_eq!(code(&[&missing]), 'x');
}

proptest! {
    #[test]
    fn no_text_leaves_its_element(text in "\\PC*|.*", id in ".*") {
        let mut packer = Packer::new(vec!["a".into()], 1 << 20);
        let trial = trial(0, "answered", Some(1.0), true).with_text(&text);
        let page = rendered(packer.add(packed(&example(&id), None, &[trial], 1))) + &rendered(packer.finish().unwrap());
        prop_assert_eq!(page.matches("<script").count(), page.matches("</script>").count());
        prop_assert_eq!(page.matches('<').count(), 2 * page.matches("<script").count());
        let chunk = unpacked(&page, "chunk-0");
        prop_assert_eq!(chunk[0]["trials"][0][0]["text"].as_str(), Some(text.as_str()));
    }
}
