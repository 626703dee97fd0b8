use super::*;
use crate::measure::grade::tests::{example, facts};
use crate::measure::{RunProvenance, VariantMeasurements};
use crate::provider::{EndpointId, GpuCost};
use crate::stats::Method;
use crate::units::Usd;
use crate::variant::{Structured, VariantId};

pub(crate) fn variant(name: &str) -> Variant {
    Variant {
        id: VariantId(name.into()),
        endpoint: EndpointId { provider: "p".into(), model: "m".into() },
        prompt: 0,
        shots: None,
        structured: Structured::Text,
        cache: None,
        retrieve: None,
        tuned: None,
        params: Default::default(),
    }
}

fn accumulator(repeats: u32, endpoints: &[EndpointFacts]) -> Accumulator {
    Accumulator::from_settings(Settings {
        variants: (0..endpoints.len()).map(|index| variant(&index.to_string())).collect(),
        rounds: vec![Some(1); endpoints.len()],
        endpoints: endpoints.to_vec(),
        checks_validity: vec![true; endpoints.len()],
        graded: vec![false],
        scorers: vec!["label".into()],
        labels: vec!["A".into(), "B".into()],
        classifies: true,
        repeats,
        statistics: Statistics::default(),
        judges_ttft: true,
    })
}

pub(crate) fn graded(label: &str, expected: &str) -> GradedTrial {
    GradedTrial {
        ending: Ending::Answered,
        failure_message: None,
        counts_as_missing: false,
        ttft_ms: Some(10.0),
        ttft_any_ms: Some(10.0),
        shows_reasoning: false,
        streamed: true,
        total_ms: Some(20.0),
        valid_strict: true,
        valid_lenient: true,
        violation: None,
        scores: vec![Grade::Scored(f64::from(u8::from(label == expected)))],
        label: Some(label.into()),
        expected_label: Some(expected.into()),
        fields: FieldTable::new(),
        usage: Usage { input_uncached_tokens: Some(5), output_tokens: Some(1), ..Usage::default() },
        served_model: None,
        cost: Usd::from_f64(0.01),
    }
}

fn failed(kind: FailureKind, expected: &str) -> GradedTrial {
    let missing = !kind.counts_as_wrong();
    GradedTrial {
        ending: Ending::Failed(kind),
        failure_message: Some("gone".into()),
        counts_as_missing: missing,
        ttft_ms: None,
        ttft_any_ms: None,
        streamed: false,
        total_ms: None,
        valid_strict: false,
        valid_lenient: false,
        scores: vec![if missing { Grade::Unscored("missing".into()) } else { Grade::Scored(0.0) }],
        label: None,
        usage: Usage::default(),
        cost: None,
        ..graded("", expected)
    }
}

pub(crate) const LIVE: ExchangeFacts = ExchangeFacts {
    reused: false,
    retries: 0,
    in_flight: 3,
    provenance: Provenance::Live,
    delivery: crate::trial::Delivery::Direct,
    sent_at_unix_ms: 1_000,
    took_ms: 20.0,
};

fn add(all: &mut Accumulator, place: u32, cluster: Option<&str>, trial: GradedTrial, facts: ExchangeFacts) {
    let mut example = example(trial.expected_label.as_deref().unwrap_or("A"));
    example.cluster = cluster.map(str::to_owned);
    example.tags.insert("site".into(), if place.is_multiple_of(2) { "even".into() } else { "odd".into() });
    all.add(0, place, &example, 0, trial, facts);
}

fn only(all: Accumulator) -> VariantMeasurements {
    all.finish(false).variants.remove(0)
}

#[test]
fn plain_examples_use_wilson_and_count_up() {
    let mut all = accumulator(1, &[facts()]);
    for place in 0..100 {
        let label = if place < 88 { "A" } else { "other" };
        add(&mut all, place, None, graded(label, "A"), LIVE);
    }
    assert_eq!(all.running(0), (88.0, 100));
    let measured = all.finish(false);
    assert_eq!(
        (measured.provenance, measured.clustered, measured.latency_comparable),
        (RunProvenance::Live, false, true)
    );
    let row = &measured.variants[0];
    assert_eq!((row.accuracy.point, row.accuracy.n, row.accuracy.method), (Some(0.88), 100, Method::Wilson));
    assert!((row.accuracy.low - 0.8018790057).abs() < 1e-8);
    assert_eq!((row.outcomes.answered, row.missing, row.in_flight), (100, 0, 3));
    let confusion = row.confusion.as_ref().unwrap();
    assert_eq!((confusion.classes.join(" "), &confusion.counts[0]), ("A B".into(), &vec![88, 0, 12]));
    let f1 = row.macro_f1.unwrap();
    assert!((f1.point.unwrap() - 2.0 * 88.0 / 188.0).abs() < 1e-12 && f1.low < f1.high, "{f1:?}");
    let tags: Vec<_> =
        row.slices.iter().map(|slice| (slice.tag.as_str(), slice.value.as_str(), slice.accuracy.n)).collect();
    assert_eq!(tags, [("label", "A", 100), ("site", "even", 50), ("site", "odd", 50)]);
    assert_eq!((row.usage.output_tokens.total, row.usage.cache_read_tokens.total), (Some(100), None));
    assert_eq!(row.validity_strict.unwrap().point, Some(1.0));
}

#[test]
fn clusters_widen_the_interval_whatever_the_order_of_the_trials() {
    // METHODS.md 1.3, case A.
    let right = [1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1];
    let cluster = [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3].map(|cluster: i32| cluster.to_string());
    let measure = |order: Vec<u32>| {
        let mut all = accumulator(1, &[facts()]);
        for place in order {
            let label = if right[place as usize] == 1 { "A" } else { "B" };
            add(&mut all, place, Some(&cluster[place as usize]), graded(label, "A"), LIVE);
        }
        all.finish(false)
    };
    let (forward, backward) = (measure((0..12).collect()), measure((0..12).rev().collect()));
    assert_eq!(forward.clusters, [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3]);
    assert!(forward.clustered);
    let row = &forward.variants[0];
    assert!((row.accuracy.low - 0.3535468053).abs() < 1e-8, "{:?}", row.accuracy);
    assert_eq!(row.accuracy.method, Method::WilsonEffectiveN);
    assert_eq!(format!("{forward:?}"), format!("{backward:?}"));
}

#[test]
fn repeats_are_means_and_never_more_examples() {
    let mut all = accumulator(4, &[facts()]);
    for (place, right) in [4, 2, 1, 4, 3, 4, 0, 4].into_iter().enumerate() {
        for repeat in 0..4 {
            let label = if repeat < right { "A" } else { "B" };
            all.add(0, place as u32, &example("A"), repeat, graded(label, "A"), LIVE);
        }
    }
    let row = only(all);
    // METHODS.md 1.3, case B.
    assert_eq!((row.accuracy.point, row.accuracy.n, row.scores.get(1)), (Some(0.6875), 8, Some(0.5)));
    assert!((row.accuracy.high - 0.9007108723).abs() < 1e-8, "{:?}", row.accuracy);
    assert_eq!(row.outcomes.total(), 32);
}

#[test]
fn missing_is_not_wrong_and_a_timeout_is() {
    let mut all = accumulator(1, &[facts()]);
    add(&mut all, 0, None, graded("A", "A"), LIVE);
    add(&mut all, 1, None, failed(FailureKind::Timeout, "A"), LIVE);
    add(&mut all, 2, None, failed(FailureKind::Server, "A"), LIVE);
    add(&mut all, 3, None, failed(FailureKind::Unauthorised, "A"), LIVE);
    let row = only(all);
    assert_eq!((row.accuracy.point, row.missing, row.outcomes.failed), (Some(0.5), 2, 3));
    assert_eq!(row.accuracy_bounds, Some((0.25, 0.75)));
    assert_eq!(row.scores, vec![Some(1.0), Some(0.0), None, None].into());
    assert_eq!(row.valid, row.scores);
    // A key that is not accepted says nothing of speed.
    assert_eq!((row.ttft.censored, row.total.censored, row.total.n()), (2, 2, 3));
    assert_eq!(row.failures.len(), 3);
    assert_eq!(row.scorers[0].unscored, 0);
}

#[test]
fn only_fresh_trials_are_timed_and_unstreamed_ones_have_no_first_token() {
    let mut all = accumulator(1, &[facts()]);
    add(&mut all, 0, None, graded("A", "A"), ExchangeFacts { reused: true, ..LIVE });
    add(&mut all, 1, None, graded("A", "A"), LIVE);
    let row = only(all);
    assert_eq!((row.reused, row.total.n(), row.ttft.sorted_ms.clone()), (1, 1, vec![10.0]));
    assert_eq!(row.cost.spent, Usd::from_f64(0.01));
    let mut all = accumulator(1, &[facts()]);
    add(&mut all, 0, None, GradedTrial { streamed: false, ttft_ms: None, ..graded("A", "A") }, LIVE);
    add(&mut all, 1, None, failed(FailureKind::Timeout, "A"), LIVE);
    let row = only(all);
    assert_eq!((row.ttft.n(), row.total.n()), (0, 2));
}

#[test]
fn the_cost_is_known_or_says_why_not() {
    let measure = |endpoint: EndpointFacts, cost: Option<Usd>, facts: ExchangeFacts, comparable: bool| {
        let mut all = accumulator(1, &[endpoint]);
        for place in 0..20 {
            let sent_at_unix_ms = i64::from(place) * 100;
            let label = if place % 4 == 0 { "B" } else { "A" };
            add(
                &mut all,
                place,
                None,
                GradedTrial { cost, ..graded(label, "A") },
                ExchangeFacts { sent_at_unix_ms, ..facts },
            );
        }
        all.finish(comparable).variants.remove(0).cost
    };
    let priced = measure(facts(), Usd::from_f64(0.01), LIVE, false);
    assert!((priced.per_request.unwrap().point.unwrap() - 0.01).abs() < 1e-12);
    assert!((priced.per_correct.unwrap().point.unwrap() - 0.01 / 0.75).abs() < 1e-12);
    assert_eq!((priced.spent, priced.note), (Usd::from_f64(0.2), None));
    let unknown = measure(facts(), None, LIVE, false);
    assert_eq!((unknown.per_request, unknown.spent, unknown.by_example.is_empty()), (None, None, true));
    assert!(unknown.note.unwrap().contains("20 of 20"));

    let gpu = Some(GpuCost { usd_per_hour: 3.6, replicas: 1, utilisation: 0.5 });
    let own = EndpointFacts { price: None, gpu, self_hosted: true, ..facts() };
    let live = measure(own.clone(), None, LIVE, false);
    // 20 requests in 1.92 s at half use: 0.001 USD/s over 5.2 useful requests a second.
    assert!((live.per_request.unwrap().point.unwrap() - 0.001 / (20.0 / 1.92 * 0.5)).abs() < 1e-12);
    let replay = ExchangeFacts { provenance: Provenance::Recorded, ..LIVE };
    let recorded = measure(own.clone(), None, replay, false);
    assert_eq!(recorded.note.as_deref(), Some("throughput was not measured: answers are recorded"));
    assert_eq!((recorded.per_request, recorded.spent), (None, Some(Usd::ZERO)));
    let comparable = measure(own, None, replay, true);
    assert!((comparable.per_request.unwrap().point.unwrap() - 0.001 * 0.02 / 0.5).abs() < 1e-12);
}

#[test]
fn violations_and_classes_of_hostile_answers_are_bounded() {
    let mut all = accumulator(1, &[facts()]);
    for place in 0..6_000_u32 {
        let trial = GradedTrial { violation: Some(format!("v{}", place % 5_500)), ..graded(&format!("x{place}"), "A") };
        add(&mut all, place, None, trial, LIVE);
    }
    assert!(all.classes.len() <= MAX_DISTINCT && all.tallies[0].violations.len() <= MAX_DISTINCT + 1);
    let row = only(all);
    assert_eq!(row.violations.len(), 5);
    assert_eq!(row.confusion.unwrap().counts[0], [0, 0, 6_000]);
}

/// Not a benchmark: says so when an estimate becomes too slow to wait for.
#[test]
fn ten_variants_of_280_examples_are_all_measured() {
    let endpoints: [EndpointFacts; 10] = std::array::from_fn(|_| facts());
    let mut all = accumulator(1, &endpoints);
    for variant in 0..10 {
        for place in 0..280_u32 {
            let expected = if place % 3 == 0 { "A" } else { "B" };
            all.add(variant, place, &example(expected), 0, graded("A", expected), LIVE);
        }
    }
    let measured = all.finish(false);
    assert_eq!(measured.variants.len(), 10);
}
