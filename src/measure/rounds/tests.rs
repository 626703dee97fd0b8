use super::*;
use crate::measure::accumulate::tests::variant;
use crate::measure::steps::tests::{measurements, row};

/// A round's variant: right where the text has `1`, missing where it has `-`.
fn round(number: u32, scores: &str) -> VariantMeasurements {
    let mut row = row(variant(&format!("v{number}")), scores);
    row.variant.prompt = number as usize - 1;
    row.round = Some(number);
    row
}

fn only(rows: Vec<VariantMeasurements>) -> History {
    let mut ids = ExampleIds::default();
    for place in 0..12 {
        ids.set(place, &format!("e{place}"));
    }
    histories(&measurements(rows), &ids, 0.05).remove(0)
}

#[test]
fn each_failure_of_the_first_round_is_followed_to_its_end() {
    let history = only(vec![round(1, "00001"), round(2, "10011"), round(3, "11000")]);
    assert_eq!(history.wrong_at_first, 4);
    assert_eq!(history.never_fixed, Examples { count: 1, ids: vec!["e2".into()] });
    let fixed: Vec<_> = history.fixed_in.iter().map(|f| (f.round, f.fixed.ids.join(" "), f.stayed)).collect();
    // e0 was fixed and stayed so, e3 was broken again.
    assert_eq!(fixed, [(2, "e0 e3".to_owned(), 1), (3, "e1".to_owned(), 1)]);
    let change = history.rounds[2].change.as_ref().unwrap();
    assert_eq!((change.from.as_str(), change.fixed.ids.as_slice()), ("v2", ["e1".to_owned()].as_slice()));
    assert_eq!(change.broken.ids, ["e3", "e4"]);
    assert!((change.difference.point.unwrap() + 0.2).abs() < 1e-12);
    assert!(history.rounds[0].change.is_none());
}

#[test]
fn a_round_is_its_variant_with_the_fewest_interventions_and_tuned_ones_are_none() {
    let mut shots = round(2, "11111");
    shots.variant.shots = Some(crate::variant::Shots { k: 3, select: crate::variant::Select::Fixed, seed: 1 });
    shots.variant.id.0 = "shots".into();
    let mut tuned = round(3, "11111");
    tuned.variant.tuned = Some(crate::measure::steps::tests::lora(None));
    let history = only(vec![round(1, "00001"), shots, round(2, "10011"), tuned]);
    let names: Vec<&str> = history.rounds.iter().map(|round| round.variant.as_str()).collect();
    assert_eq!(names, ["v1", "v2"]);
}

#[test]
fn endpoints_have_histories_of_their_own() {
    let mut other = round(2, "11111");
    other.variant.endpoint.model = "other".into();
    let rows = vec![round(1, "00001"), other];
    assert!(histories(&measurements(rows), &ExampleIds::default(), 0.05).is_empty());
}

#[test]
fn a_round_that_changes_more_than_the_prompt_says_so() {
    let mut second = round(2, "1111");
    second.variant.structured = crate::variant::Structured::JsonSchema;
    second.variant.params.insert("temperature".into(), 1.into());
    let history = only(vec![round(1, "0001"), second, round(3, "1111")]);
    let differs = |place: usize| history.rounds[place].change.as_ref().unwrap().else_differs.clone();
    assert_eq!((differs(1), history.examples), (Some("interventions and parameters".to_owned()), 4));
    let plain = only(vec![round(1, "0001"), round(2, "1111")]);
    assert_eq!(plain.rounds[1].change.as_ref().unwrap().else_differs, None);
}

#[test]
fn examples_that_a_round_lacks_are_in_no_history() {
    let history = only(vec![round(1, "0001"), round(2, "-111")]);
    assert_eq!((history.wrong_at_first, history.fixed_in[0].fixed.count), (2, 2));
}
