use serde_json::json;

use super::*;
use crate::digest::Digest;
use crate::exchange::{FailureKind, Usage};
use crate::measure::grade::{Ending, GradedTrial};
use crate::measure::roster::Roster;
use crate::score::Grade;
use crate::suite::{Example, ExampleId};
use crate::trial::{Delivery, Exchange, Provenance, Received, Timing};

fn example(id: &str, input: &str) -> Example {
    let parity = if id.ends_with(['2', '4']) { "even" } else { "odd" };
    Example {
        id: ExampleId(id.into()),
        input: json!(input),
        expected: json!("x"),
        cluster: None,
        tags: [("parity".to_owned(), parity.to_owned())].into(),
        documents: vec![],
    }
}

fn exchange(sent_at_unix_ms: i64) -> Exchange {
    Exchange {
        key: Digest::of(b"key"),
        request_digest: Digest::of(b"request"),
        endpoint: "toy/small".into(),
        request_body: vec![],
        received: Received::Answer { status: 200, body: vec![], streamed: true },
        timing: Timing { event_ms: vec![], total_ms: 20.0 },
        attempts: vec![],
        sent_at_unix_ms,
        in_flight: 1,
        provenance: Provenance::Live,
        delivery: Delivery::Direct,
    }
}

fn graded(score: Grade) -> GradedTrial {
    GradedTrial {
        ending: Ending::Answered,
        failure_message: None,
        counts_as_missing: false,
        ttft_ms: Some(10.0),
        ttft_any_ms: None,
        shows_reasoning: false,
        streamed: true,
        total_ms: Some(20.0),
        valid_strict: true,
        valid_lenient: true,
        violation: None,
        scores: vec![score],
        label: None,
        expected_label: None,
        fields: Default::default(),
        usage: Usage::default(),
        served_model: None,
        cost: None,
    }
}

fn missing() -> GradedTrial {
    let gone = Grade::Unscored("no answer".into());
    GradedTrial { ending: Ending::Failed(FailureKind::Server), counts_as_missing: true, ..graded(gone) }
}

/// A side that was asked these: id, input, and how it went.
fn side(roster: &mut Roster, trials: &[(&str, &str, GradedTrial)]) -> Side {
    let mut side = Side::new(true, 1);
    for (id, input, graded) in trials {
        side.add(roster.place(&example(id, input), None), &exchange(1), graded, false, None);
    }
    side
}

fn scored(score: f64) -> GradedTrial {
    graded(Grade::Scored(score))
}

#[test]
fn what_one_side_lacks_is_dropped_from_both_and_counted_by_reason() {
    let mut roster = Roster::default();
    let a = side(
        &mut roster,
        &[
            ("e1", "one", scored(1.0)),
            ("e2", "two", scored(0.0)),
            ("e3", "three", missing()),
            ("e4", "four", scored(1.0)),
            ("only-a", "x", scored(1.0)),
        ],
    );
    let b = side(
        &mut roster,
        &[
            ("e1", "one", scored(0.0)),
            ("e2", "two, reworded", scored(1.0)),
            ("e3", "three", missing()),
            ("e4", "four", graded(Grade::Unscored("no process".into()))),
            ("only-b-1", "x", scored(1.0)),
            ("only-b-2", "x", scored(1.0)),
        ],
    );
    let found = matching(&roster, &[&a, &b], Metric::Accuracy);
    assert_eq!((found.places.as_slice(), found.common), ([0].as_slice(), 3));
    let dropped = Dropped { examples: 6, changed: 1, not_asked: vec![2, 1], missing: vec![1, 1], unscored: vec![0, 1] };
    assert_eq!(found.dropped, dropped);
    // An answer that could not be scored is valid or not all the same.
    assert_eq!(matching(&roster, &[&a, &b], Metric::Validity).places, [0, 3]);
    let paired = pairs(&roster, [&a, &b], Metric::Accuracy, &found.places);
    assert_eq!((paired.a, paired.b, paired.paired_calls), (vec![1.0], vec![0.0], 1));
    let flips = flips([&a, &b], Metric::Accuracy, &found.places);
    assert_eq!(flips, [Flip { place: 0, a: 1.0, b: 0.0 }]);
    assert!(lacks_too_many(&a));
    // Of e1, e3 and e4: -1, then from -1 to 1, then B from 0 to 1 against A's 1.
    let bounds = difference_bounds(&roster, [&a, &b], Metric::Accuracy).unwrap();
    assert!((bounds[0] + 1.0).abs() < 1e-9 && bounds[1].abs() < 1e-9, "{bounds:?}");
    assert_eq!(difference_bounds(&roster, [&a, &a], Metric::Validity).map(|bounds| bounds[0].round()), Some(0.0));
}

#[test]
fn three_sides_meet_on_what_all_have() {
    let mut roster = Roster::default();
    let a = side(&mut roster, &[("e1", "1", scored(1.0)), ("e2", "2", scored(1.0)), ("e3", "3", scored(1.0))]);
    let b = side(&mut roster, &[("e1", "1", scored(1.0)), ("e2", "2", scored(1.0))]);
    let c = side(&mut roster, &[("e1", "1", scored(1.0)), ("e2", "2 again", scored(1.0)), ("e3", "3", scored(1.0))]);
    let found = matching(&roster, &[&a, &b, &c], Metric::Accuracy);
    assert_eq!(found.places, [0]);
    assert_eq!((found.dropped.examples, found.dropped.changed, found.dropped.not_asked), (2, 1, vec![0, 1, 0]));
    // The pair of two is not bothered by the third.
    assert_eq!(matching(&roster, &[&a, &c], Metric::Accuracy).places, [0, 2]);
}

#[test]
fn repeats_are_averaged_and_calls_counted_in_pairs() {
    let mut roster = Roster::default();
    let place = roster.place(&example("e1", "1"), None);
    let (mut a, mut b) = (Side::new(false, 3), Side::new(false, 3));
    for score in [1.0, 0.0, 0.0] {
        a.add(place, &exchange(1), &scored(score), false, None);
    }
    for trial in [scored(1.0), missing()] {
        b.add(place, &exchange(2), &trial, false, None);
    }
    let found = matching(&roster, &[&a, &b], Metric::Accuracy);
    let paired = pairs(&roster, [&a, &b], Metric::Accuracy, &found.places);
    assert!((paired.a[0] - 1.0 / 3.0).abs() < 1e-6 && paired.b[0] == 1.0);
    assert_eq!((paired.calls, paired.paired_calls, paired.repeated), ([3, 1], 1, true));
    assert_eq!(matching(&roster, &[&a, &b], Metric::Validity).places, [0_u32; 0], "validity is not asked");
    assert!(lacks_too_many(&b) && !lacks_too_many(&a));
}

#[test]
fn slices_are_the_largest_first_and_never_the_whole() {
    let mut roster = Roster::default();
    let ids = ["e1", "e2", "e3", "e5", "e4"];
    let rows: Vec<_> = ids.iter().map(|id| (*id, "same", scored(1.0))).collect();
    side(&mut roster, &rows);
    let all: Vec<u32> = (0..5).collect();
    let (found, left_out) = slices(&roster, &all, None);
    let sizes: Vec<_> = found.iter().map(|slice| (slice.value.as_str(), slice.places.len())).collect();
    assert_eq!((sizes.as_slice(), left_out), ([("odd", 3), ("even", 2)].as_slice(), 0));
    assert!(slices(&roster, &all, Some("site")).0.is_empty());
    assert!(slices(&roster, &[0, 2], None).0.is_empty());
}

#[test]
fn the_same_stored_answers_are_known_again() {
    let mut roster = Roster::default();
    let place = roster.place(&example("e1", "1"), None);
    let asked = |sent| {
        let mut side = Side::new(false, 1);
        side.add(place, &exchange(sent), &scored(1.0), false, None);
        side
    };
    let (first, again, later) = (asked(1), asked(1), asked(2));
    let same = sameness([&first, &again], &[0]);
    assert_eq!((same.same_requests, same.same_answers), (1, 1));
    assert_eq!(sameness([&first, &later], &[0]).same_answers, 0);
    assert_eq!((later.sent_unix_ms(), later.endpoints()), (Some((2, 2)), vec!["toy/small"]));
}
