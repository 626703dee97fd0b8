mod whole;

use super::*;
use crate::measure::Measurements;
use crate::measure::cache::{CacheFault, CacheMeasurements, Leader};
use crate::measure::rounds::{Examples, FixedIn, History, RoundChange, RoundStep};
use crate::measure::steps::Step;
use crate::measure::steps::tests::{measurements, row};
use crate::provider::EndpointId;
use crate::stats::Method;
use crate::stats::paired::PairedVerdict;
use crate::variant::{Intervention, Structured, Variant, VariantId};

fn estimate(point: f64) -> Estimate {
    Estimate { point: Some(point), low: point - 0.1, high: point + 0.1, level: 0.95, n: 280, method: Method::Tango }
}

fn step(from: &str, to: &str) -> Step {
    Step {
        step: "few-shot 5 balanced".into(),
        adds: vec![Intervention::FewShot],
        from: VariantId(from.into()),
        to: VariantId(to.into()),
        else_differs: Some("prompt and parameters".into()),
        accuracy: estimate(0.332),
        p: Some(0.001),
        p_holm: Some(0.002),
        verdict: PairedVerdict::Better,
        fixed: 111,
        broken: 18,
        validity: Some(estimate(0.993)),
        ttft_p50_ms: Some(estimate(310.0)),
        usd_per_request: Some(estimate(0.001)),
        cost_ratio: Some(1.31),
    }
}

fn cache() -> CacheMeasurements {
    let some = Some(estimate(0.5));
    let usd = Some(estimate(0.0033));
    CacheMeasurements {
        requests: 280,
        recorded: false,
        hit_rate: some,
        token_hit_rate: some,
        read_tokens: Some(3190.0),
        written_tokens: Some(319.0),
        leader: Some(Leader { read_tokens: Some(0), written_tokens: Some(3190), ttft_ms: Some(812.0) }),
        cold_usd: usd,
        measured_usd: usd,
        hit_usd: usd,
        steady_usd: usd,
        cost_factor: Some(1.2),
        ttft_warm: Latency { sorted_ms: vec![1.0], p50: some, p95: some, ..Latency::default() },
        ttft_cold: Latency { sorted_ms: vec![1.0], p50: some, p95: some, ..Latency::default() },
        storage_not_priced: true,
        fault: Some(CacheFault::RarelyRead),
    }
}

fn history() -> History {
    let some = |count| Examples { count, ids: vec!["e1".into()] };
    let change = RoundChange {
        from: VariantId("v1".into()),
        else_differs: Some("parameters".into()),
        fixed: some(12),
        broken: some(3),
        difference: estimate(0.03),
        p: Some(0.01),
        verdict: PairedVerdict::Better,
    };
    let round = |round: u32, change| RoundStep {
        round,
        variant: VariantId(format!("prompt-v{round}")),
        accuracy: estimate(0.5),
        change,
    };
    History {
        endpoint: EndpointId { provider: "openai".into(), model: "gpt".into() },
        rounds: vec![round(1, None), round(2, Some(change))],
        examples: 280,
        wrong_at_first: 140,
        fixed_in: vec![FixedIn { round: 2, fixed: some(12), stayed: 12 }],
        never_fixed: some(128),
    }
}

fn everything() -> Measurements {
    let variant = Variant {
        id: VariantId("few-shot-5-schema-cached".into()),
        endpoint: EndpointId { provider: "p".into(), model: "m".into() },
        prompt: 0,
        shots: None,
        structured: Structured::Text,
        cache: None,
        retrieve: None,
        tuned: None,
        params: serde_json::Map::new(),
    };
    let mut cached = row(variant, "0011");
    cached.cache = Some(cache());
    Measurements {
        steps: vec![step("plain", "shots"), step("few-shot-5", "few-shot-5-schema-cached")],
        rounds: vec![history()],
        trained: Vec::new(),
        ..measurements(vec![cached])
    }
}

#[test]
fn sections_keep_to_the_width() {
    let all = everything();
    for width in [60, 80, 90, 120, 200] {
        for section in [steps::section, rounds::section, cache::section] {
            let text = section(&all, width).unwrap();
            for line in text.lines() {
                assert!(line.chars().count() <= width.max(60), "{width}: {line}");
            }
        }
    }
}

#[test]
fn a_narrow_terminal_reads_every_figure_in_words() {
    let all = everything();
    insta::assert_snapshot!(
        [steps::section(&all, 80).unwrap(), rounds::section(&all, 80).unwrap(), cache::section(&all, 80).unwrap(),]
            .join("\n")
    );
}

#[test]
fn no_share_reads_as_all_or_none_where_it_is_not() {
    let shown = [279.0 / 280.0, 1.0, 0.0, 1.0 / 280.0, 0.999_96, 0.5].map(|of| (share(of, 0), share(of, 1)));
    let expected = [
        ("99.6%", "99.6%"),
        ("100%", "100.0%"),
        ("0%", "0.0%"),
        ("0.4%", "0.4%"),
        ("99.996%", "99.996%"),
        ("50%", "50.0%"),
    ];
    assert_eq!(shown, expected.map(|(whole, tenths)| (whole.to_owned(), tenths.to_owned())));
    assert_eq!([-0.01, 0.01, -3.2].map(|number| signed(number, 1)), ["+0.0", "+0.0", "-3.2"]);
    assert_eq!((level(Some(1.0 - 0.1)), level(Some(0.9938))), ("90%".to_owned(), "99.38%".to_owned()));
}

#[test]
fn failures_are_those_of_the_first_round_that_was_asked() {
    let mut all = everything();
    let history = &mut all.rounds[0];
    history.rounds[0].round = 2;
    (history.wrong_at_first, history.never_fixed.count) = (280, 279);
    let text = rounds::section(&all, 120).unwrap();
    assert!(text.contains("round 2 got 280 wrong; of these never fixed: 279 (99.6%)"), "{text}");
    (all.rounds[0].examples, all.rounds[0].wrong_at_first) = (0, 0);
    let text = rounds::section(&all, 120).unwrap();
    assert!(text.contains("no example was answered in every round"), "{text}");
}

#[test]
fn steps_say_on_how_many_examples_they_rest_and_what_was_not_compared() {
    let mut plain = everything().variants.remove(0);
    plain.variant.id.0 = "plain".into();
    let mut shots = plain.clone();
    shots.variant.id.0 = "shots".into();
    shots.accuracy.n = 300;
    let mut tuned = plain.clone();
    tuned.variant.id.0 = "tuned".into();
    tuned.variant.tuned = Some(crate::measure::steps::tests::lora(None));
    let all = Measurements { steps: vec![step("plain", "shots")], ..measurements(vec![plain, shots, tuned]) };
    let text = steps::section(&all, 120).unwrap();
    assert!(text.contains("plain → shots: on the 280 examples that both answered (4 and 300)"), "{text}");
    assert!(text.contains("tuned: tuning is compared with nothing"), "{text}");
}

#[test]
fn nothing_to_tell_is_no_section() {
    let none = measurements(Vec::new());
    for section in [steps::section, rounds::section, cache::section] {
        assert_eq!(section(&none, 80), None);
    }
}
