use std::collections::BTreeMap;

use proptest::prelude::*;

use super::ALPHA_FAIL;
use super::baseline::{Baseline, BaselineError, FORMAT, FrozenExample, FrozenVariant};
use super::calibrate::{calibrate, repeats_needed};
use super::calls::{AskedExample, Calls, CallsByVariant, GateSide};
use super::metric::{GateLevels, GateMetric};
use super::verdict::{Finding, GateAnswer, Seen, VariantVerdict, overall, settle};
use crate::digest::Digest;
use crate::measure::RunProvenance;
use crate::stats::rng::Rng;
use crate::suite::{Example, ExampleId, GateRules};

mod simulated;

const LEVELS: GateLevels = GateLevels { alpha: 0.05, alpha_fail: ALPHA_FAIL, seed: 1 };

/// One call: score, cost in pico-dollars, milliseconds to the first token.
#[derive(Clone, Copy)]
struct Call {
    score: Option<f64>,
    cost: Option<i64>,
    ttft_ms: Option<f64>,
}

fn call(right: bool) -> Call {
    Call { score: Some(f64::from(u8::from(right))), cost: None, ttft_ms: None }
}

/// A side whose example `i` has these calls; all of one place.
fn side(examples: impl IntoIterator<Item = Vec<Call>>) -> GateSide {
    let mut side = GateSide { checks_validity: true, place: Some("here".to_owned()), ..GateSide::default() };
    for (number, calls) in examples.into_iter().enumerate() {
        let columns = Calls {
            cost_picousd: calls.iter().map(|call| call.cost).collect(),
            score: calls.iter().map(|call| call.score).collect(),
            ttft_ms: calls.iter().filter_map(|call| call.ttft_ms).map(|ms| ms.is_finite().then_some(ms)).collect(),
            valid: calls.iter().map(|call| call.score.map(|_| true)).collect(),
        };
        let example = AskedExample { asked: "a".to_owned(), cluster: None, calls: columns };
        side.examples.insert(format!("e{number:06}"), example);
    }
    side
}

/// `newly_right` examples right only now, `newly_wrong` right only then, the others right on both sides.
fn flipped(newly_right: usize, newly_wrong: usize, n: usize) -> (GateSide, GateSide) {
    let before = side((0..n).map(|place| vec![call(place >= newly_right)]));
    let after = side((0..n).map(|place| vec![call(!(newly_right..newly_right + newly_wrong).contains(&place))]));
    (before, after)
}

fn gated(before: &GateSide, after: &GateSide, rules: &GateRules) -> VariantVerdict {
    let mut one = [VariantVerdict::of("v", before, after, rules, &LEVELS)];
    settle(&mut one, &LEVELS);
    let [one] = one;
    one
}

fn finding(verdict: &VariantVerdict, metric: GateMetric) -> &Finding {
    verdict.findings.iter().find(|finding| finding.metric == metric).unwrap()
}

fn accuracy(newly_right: usize, newly_wrong: usize, n: usize) -> Finding {
    let (before, after) = flipped(newly_right, newly_wrong, n);
    finding(&gated(&before, &after, &GateRules::default()), GateMetric::Accuracy).clone()
}

#[test]
fn the_vectors_of_the_methods() {
    use GateAnswer::{Held, NotEnoughEvidence, Regressed};
    for (b, c, n, low, p, answer) in [
        (5, 4, 400, -0.01120026209, 0.74609375, Held),
        (1, 14, 200, -0.1014594477, 0.00048828125, Regressed),
        (3, 10, 300, -0.04626121198, 0.046_142_578_12, NotEnoughEvidence),
        (900, 1000, 50_000, -0.003436075491, 0.01155442255, Held),
        (0, 0, 50, -0.05133318579, 1.0, NotEnoughEvidence),
        (0, 0, 140, -0.01895892331, 1.0, Held),
    ] {
        let found = accuracy(b, c, n);
        assert!((found.low.unwrap() - low).abs() < 1e-8, "{found:?}");
        assert!((found.p_regression.unwrap() - p).abs() < 1e-8, "{found:?}");
        assert_eq!(found.answer, Some(answer), "{b} {c} {n}");
        assert_eq!((found.better, found.worse, found.n), (b as u64, c as u64, n as u64));
        assert_eq!(found.n_to_settle.is_some(), (b, c, n) == (0, 0, 50));
    }
    let slight = accuracy(0, 40, 10_000);
    assert!(slight.within_tolerance && slight.answer == Some(Held), "{slight:?}");
}

#[test]
fn no_common_example_is_not_enough_evidence() {
    let verdict = gated(&side([]), &side([vec![call(true)]]), &GateRules::default());
    assert_eq!(verdict.answer, GateAnswer::NotEnoughEvidence);
    assert_eq!((verdict.common.examples, verdict.common.added.count), (0, 1));
}

#[test]
fn what_is_not_common_is_named_and_not_compared() {
    let (mut before, mut after) = flipped(0, 0, 200);
    before.examples.edit(|all| all.get_mut("e000003").unwrap().asked = "other".to_owned());
    after.examples.edit(|all| drop(all.remove("e000007")));
    before.examples.edit(|all| drop(all.remove("e000009")));
    let common = gated(&before, &after, &GateRules::default()).common;
    assert_eq!(common.examples, 197);
    assert_eq!(common.changed.ids, ["e000003"]);
    assert_eq!(common.removed.ids, ["e000007"]);
    assert_eq!(common.added.ids, ["e000009"]);
}

#[test]
fn missing_calls_are_dropped_and_never_wrong() {
    let missing = Call { score: None, cost: None, ttft_ms: None };
    let lacking = |count: usize| side((0..300).map(|place| vec![if place < count { missing } else { call(true) }]));
    let (whole, _) = flipped(0, 0, 300);
    let held = gated(&whole, &lacking(3), &GateRules::default());
    assert_eq!((held.answer, held.after.missing), (GateAnswer::Held, 3));
    assert_eq!((finding(&held, GateMetric::Accuracy).n, finding(&held, GateMetric::Accuracy).worse), (297, 0));
    for (before, after) in [(&whole, &lacking(4)), (&lacking(4), &whole)] {
        assert_eq!(gated(before, after, &GateRules::default()).answer, GateAnswer::CouldNotRun);
    }
}

#[test]
fn repeats_and_clusters_are_honoured() {
    // Three repeats of an example are no three examples: their flips come together.
    let before = side((0..40).map(|_| vec![call(true); 3]));
    let after = side((0..40).map(|place| vec![call(place >= 5); 3]));
    let repeated = gated(&before, &after, &GateRules::default());
    let found = finding(&repeated, GateMetric::Accuracy);
    assert_eq!((found.n, found.worse, repeated.after.repeats), (40, 5, 3));
    assert!((found.p_regression.unwrap() - 0.03125).abs() < 1e-12, "{found:?}");
    // So do those of one cluster.
    let (before, mut after) = flipped(0, 12, 120);
    assert_eq!(
        finding(&gated(&before, &after, &GateRules::default()), GateMetric::Accuracy).answer,
        Some(GateAnswer::Regressed)
    );
    after.examples.edit(|all| {
        for (place, example) in all.values_mut().enumerate() {
            example.cluster = Some(format!("c{}", place / 6));
        }
    });
    let clustered = gated(&before, &after, &GateRules::default());
    let found = finding(&clustered, GateMetric::Accuracy);
    assert_eq!((found.clusters, found.answer), (20, Some(GateAnswer::NotEnoughEvidence)));
    assert!((found.p_regression.unwrap() - 0.25).abs() < 1e-12, "{found:?}");
}

#[test]
fn everything_that_is_gated_is_one_family() {
    let rules = GateRules { validity_margin: Some(0.02), ..GateRules::default() };
    let (before, after) = flipped(0, 7, 200);
    let alone = gated(&before, &after, &GateRules::default());
    assert_eq!(alone.answer, GateAnswer::Regressed, "p 0.0078");
    let together = gated(&before, &after, &rules);
    let found = finding(&together, GateMetric::Accuracy);
    assert!((found.p_adjusted.unwrap() - 2.0 * 0.007_812_5).abs() < 1e-9, "{found:?}");
    assert_eq!(together.answer, GateAnswer::NotEnoughEvidence);
    assert_eq!(finding(&together, GateMetric::Validity).answer, Some(GateAnswer::Held));
}

fn costs(n: usize, cost: impl Fn(usize) -> Option<i64>) -> GateSide {
    side((0..n).map(|place| vec![Call { cost: cost(place), ..call(true) }]))
}

#[test]
fn cost_is_gated_as_a_share_of_the_baselines() {
    let rules = GateRules { cost_margin: Some(0.05), ..GateRules::default() };
    let then = costs(200, |place| Some(1_000_000 + 1000 * (place as i64 % 7)));
    let times =
        |factor: f64| costs(200, move |place| Some(((1_000_000 + 1000 * (place as i64 % 7)) as f64 * factor) as i64));
    let cost = |after: &GateSide| finding(&gated(&then, after, &rules), GateMetric::Cost).clone();
    let same = cost(&then);
    assert_eq!((same.answer, same.change, same.p_regression), (Some(GateAnswer::Held), Some(0.0), Some(1.0)));
    let dearer = cost(&times(1.1));
    assert_eq!(dearer.answer, Some(GateAnswer::Regressed));
    assert!((dearer.low.unwrap() - 0.1).abs() < 1e-4 && (dearer.high.unwrap() - 0.1).abs() < 1e-4, "{dearer:?}");
    let within = cost(&times(1.04));
    assert!(within.answer == Some(GateAnswer::Held) && within.within_tolerance, "{within:?}");
    let unknown = cost(&costs(200, |_| None));
    assert_eq!(unknown.answer, Some(GateAnswer::NotEnoughEvidence), "unknown is not unchanged");
    assert!(unknown.note.unwrap().contains("known cost"));
    // Noise of a tenth around no change: 30 examples cannot show 5%.
    let noisy = |seed: u64| {
        let mut rng = Rng::new(seed);
        let all: Vec<i64> = (0..30).map(|_| 1_000_000 + (rng.unit() * 600_000.0) as i64).collect();
        costs(30, move |place| Some(all[place]))
    };
    let open = finding(&gated(&noisy(1), &noisy(2), &rules), GateMetric::Cost).clone();
    assert_eq!(open.answer, Some(GateAnswer::NotEnoughEvidence), "{open:?}");
    assert!(open.low.unwrap() < open.change.unwrap() && open.change.unwrap() < open.high.unwrap());
}

fn timed(n: usize, ms: impl Fn(usize) -> f64) -> GateSide {
    side((0..n).map(|place| vec![Call { ttft_ms: Some(ms(place)), ..call(true) }]))
}

#[test]
fn latency_is_gated_only_in_the_same_place() {
    let rules = GateRules { latency_margin_ms: Some(50.0), ..GateRules::default() };
    let spread = |place: usize| 200.0 + (place * 37 % 100) as f64;
    let then = timed(300, spread);
    let latency = |after: &GateSide| finding(&gated(&then, after, &rules), GateMetric::Latency).clone();
    let same = latency(&then);
    assert_eq!((same.answer, same.change), (Some(GateAnswer::Held), Some(0.0)), "{same:?}");
    assert!(same.high.unwrap() <= 50.0 && same.high.unwrap() > 0.0, "{same:?}");
    let slower = latency(&timed(300, |place| spread(place) + 120.0));
    assert_eq!(slower.answer, Some(GateAnswer::Regressed), "{slower:?}");
    assert!(slower.low.unwrap() > 50.0 && slower.change == Some(120.0), "{slower:?}");
    let silent = latency(&timed(300, |_| f64::INFINITY));
    assert_eq!((silent.answer, silent.after), (Some(GateAnswer::Regressed), None), "no first token is the slowest");
    let few = latency(&timed(20, spread));
    assert_eq!(few.answer, Some(GateAnswer::NotEnoughEvidence), "20 calls say nothing of a 95th percentile");
    for place in [None, Some("elsewhere".to_owned())] {
        let away = latency(&GateSide { place, ..timed(300, |place| spread(place) + 120.0) });
        assert_eq!(away.answer, None);
        assert!(away.note.unwrap().contains("here"));
    }
}

#[test]
fn a_regression_needs_to_be_seen_again() {
    let rules = GateRules::default();
    let regressed = || {
        let (before, after) = flipped(1, 14, 200);
        gated(&before, &after, &rules)
    };
    let fresh = |b, c| {
        let (before, after) = flipped(b, c, 200);
        let mut fresh = VariantVerdict::of("v", &before, &after, &rules, &LEVELS);
        fresh.only(&[GateMetric::Accuracy]);
        let mut family = [fresh];
        settle(&mut family, &LEVELS);
        let [fresh] = family;
        fresh
    };
    for ((b, c), answer, state) in [
        ((1, 14), GateAnswer::Regressed, Seen::Confirmed),
        ((1, 0), GateAnswer::Held, Seen::NotConfirmed),
        ((2, 8), GateAnswer::NotEnoughEvidence, Seen::NotConfirmed),
    ] {
        let mut verdict = regressed();
        assert_eq!(verdict.regressed(), [GateMetric::Accuracy]);
        verdict.take_fresh(fresh(b, c), vec![]);
        assert_eq!((verdict.answer, verdict.confirmation.as_ref().unwrap().state), (answer, state));
    }
    let mut verdict = regressed();
    verdict.take_fresh(fresh(1, 0), vec![GateMetric::Accuracy]);
    assert_eq!(verdict.answer, GateAnswer::NotEnoughEvidence, "both sides got worse: that is not held");
    let mut verdict = regressed();
    verdict.leave_unconfirmed("it is recorded");
    assert_eq!((verdict.answer, verdict.confirmation.unwrap().state), (GateAnswer::Regressed, Seen::Impossible));
    assert_eq!(overall(&[]), GateAnswer::NotEnoughEvidence);
}

fn frozen(side: &GateSide) -> Baseline {
    let variant = FrozenVariant {
        asked_unix_ms: [1, 2],
        checks_validity: true,
        endpoint: "p/m".to_owned(),
        endpoint_digest: Digest::of(b"e"),
        in_flight: 4,
        provenance: RunProvenance::Live,
        repeats: 1,
        served_models: vec!["m".to_owned()],
        why_no_times: None,
    };
    let whole = side.examples.whole();
    let row = |place: usize| {
        let AskedExample { asked, cluster, calls } = whole.example(place);
        let mut of = CallsByVariant::default();
        of.insert("v", calls);
        FrozenExample { asked, cluster, id: whole.id(place).to_owned(), of }
    };
    Baseline {
        ceiling_baseline: FORMAT,
        documents: None,
        examples: (0..whole.len()).map(row).collect(),
        files: [("suite.toml".to_owned(), super::baseline::lines("a\nb\n"))].into(),
        place: side.place.clone(),
        pool: None,
        run: "s-1".to_owned(),
        shots: [("v".to_owned(), vec![shot("p1"), shot("p2")])].into(),
        suite: "s".to_owned(),
        suite_digest: Digest::of(b"s"),
        variants: [("v".to_owned(), variant)].into(),
        version: "0".to_owned(),
    }
}

fn shot(id: &str) -> Example {
    Example {
        id: ExampleId(id.to_owned()),
        input: "in".into(),
        expected: "out".into(),
        cluster: None,
        tags: BTreeMap::new(),
        documents: Vec::new(),
    }
}

#[test]
fn a_baseline_is_read_as_it_was_written() {
    let (before, _) = flipped(1, 2, 5);
    let baseline = frozen(&before);
    let text = baseline.render();
    let read = Baseline::parse(&text).unwrap();
    assert_eq!(read, baseline);
    assert_eq!(read.render(), text);
    assert_eq!(read.texts()["suite.toml"], "a\nb\n");
    assert_eq!(read.side("v").unwrap().examples.get("e000000"), before.examples.get("e000000"));
    assert_eq!(text.lines().filter(|line| line.contains("\"id\"")).count(), 5 + 2, "one line a row");
    let keys: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  \"")?.split('"').next()).collect();
    assert!(keys.is_sorted(), "{keys:?}");
}

#[test]
fn a_file_that_is_no_baseline_is_refused_in_a_sentence() {
    let (before, _) = flipped(1, 2, 5);
    let good = frozen(&before).render();
    let said = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        Baseline::parse(&good.replacen(from, to, 1)).unwrap_err().to_string()
    };
    assert!(said("\"ceiling_baseline\": 1", "\"ceiling_baseline\": 2").contains("format 2"));
    assert!(said("\"score\":[0.0]", "\"score\":[1.5]").contains("between 0 and 1"));
    assert!(said("\"score\":[0.0]", "\"score\":[0.0,1.0]").contains("differ in length"));
    assert!(said("\"valid\":[true]", "\"valid\":[null]").contains("missing call has a score"));
    assert!(said("\"asked\":\"", "\"asked\":\"zz").contains("no part of a digest"));
    let (from, to) = (good.find("\"examples\": [").unwrap() + 13, good.find("  \"files\"").unwrap());
    let without = format!("{}],\n{}", &good[..from], &good[to..]);
    assert!(Baseline::parse(&without).unwrap_err().to_string().contains("no example"));
    assert!(said("e000001", "e000000").contains("twice"));
    assert!(said("\"of\":{\"v\"", "\"of\":{\"w\"").contains("none of its variants"));
    assert!(said("\"shots\": {\n    \"v\"", "\"shots\": {\n    \"w\"").contains("none of its variants"));
    assert!(said("\"run\"", "\"ruin\"").contains("ruin"));
    assert!(said("\"suite_digest\": \"", "\"suite_digest\": \"zz").contains("digest"));
    assert!(matches!(Baseline::parse("[1, 2"), Err(BaselineError::Form { line: 1, .. })));
    assert!(Baseline::parse(&"[".repeat(100_000)).is_err(), "depth is limited");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s).{0,200}") {
        let _ = Baseline::parse(&text);
    }

    #[test]
    fn no_damage_makes_the_reader_panic(at in any::<prop::sample::Index>(), with in "(?s).{0,4}", cut in 0..40_usize) {
        let (before, _) = flipped(1, 2, 4);
        let good = frozen(&before).render();
        let at = at.index(good.len());
        let from = (0..=at).rev().find(|at| good.is_char_boundary(*at)).unwrap_or(0);
        let to = (from + cut..=good.len()).find(|at| good.is_char_boundary(*at)).unwrap_or(good.len());
        let damaged = format!("{}{with}{}", &good[..from], &good[to..]);
        if let Ok(read) = Baseline::parse(&damaged) {
            // What is read can be gated and written.
            if let Some(side) = read.side("v") {
                gated(&side, &before, &GateRules { cost_margin: Some(0.1), latency_margin_ms: Some(1.0), ..GateRules::default() });
            }
            prop_assert_eq!(Baseline::parse(&read.render()), Ok(read));
        }
    }

    #[test]
    fn answers_are_what_the_rule_says(b in 0..30_usize, c in 0..30_usize, n in 60..400_usize) {
        let found = accuracy(b, c, n);
        let by_rule = crate::stats::equivalence::gate_verdict(
            found.low.unwrap(), found.p_regression.unwrap(), 0.02, ALPHA_FAIL);
        let answer = match by_rule {
            crate::stats::equivalence::GateVerdict::Pass => GateAnswer::Held,
            crate::stats::equivalence::GateVerdict::Fail => GateAnswer::Regressed,
            crate::stats::equivalence::GateVerdict::Inconclusive => GateAnswer::NotEnoughEvidence,
        };
        prop_assert_eq!(found.answer, Some(answer));
        prop_assert!(found.low.unwrap() <= found.change.unwrap() && found.change.unwrap() <= found.high.unwrap());
    }
}
