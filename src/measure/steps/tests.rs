use super::*;
use crate::measure::accumulate::tests::variant;
use crate::measure::{Cost, OutcomeCounts, RunProvenance, UsageTotals};
use crate::stats::cluster::clustered_accuracy;
use crate::variant::{PromptCache, Select, Shots, Tuning};

/// A measured variant: right where the text has `1`, wrong where `0`, missing where `-`.
pub(crate) fn row(variant: Variant, scores: &str) -> VariantMeasurements {
    let scores: Vec<Option<f32>> = scores.chars().map(|c| (c != '-').then(|| f32::from(u8::from(c == '1')))).collect();
    let known: Vec<f64> = scores.iter().flatten().map(|score| f64::from(*score)).collect();
    let clusters: Vec<u32> = (0..known.len() as u32).collect();
    VariantMeasurements {
        variant,
        round: Some(1),
        self_hosted: false,
        retires: None,
        outcomes: OutcomeCounts { answered: known.len() as u64, ..OutcomeCounts::default() },
        failures: Vec::new(),
        missing: 0,
        reused: 0,
        accuracy: clustered_accuracy(&known, &clusters, known.len() as u64, false, 0.05),
        standing: None,
        accuracy_bounds: None,
        macro_f1: None,
        confusion: None,
        fields: Vec::new(),
        validity_strict: None,
        validity_lenient: None,
        violations: Vec::new(),
        scorers: Vec::new(),
        ttft: Latency::default(),
        ttft_trials: Vec::new(),
        ttft_any: None,
        reasoning_hidden: 0,
        total: Latency::default(),
        in_flight: 1,
        batched: 0,
        retries: 0,
        served_as: "m".to_owned(),
        served_models: Vec::new(),
        cache: None,
        usage: UsageTotals::default(),
        cost: Cost::default(),
        slices: Vec::new(),
        retrieval: None,
        valid: vec![Some(1.0); scores.len()].into(),
        scores: scores.into(),
    }
}

pub(crate) fn measurements(variants: Vec<VariantMeasurements>) -> Measurements {
    let examples = variants.first().map_or(0, |row| row.scores.len()) as u32;
    Measurements {
        variants,
        clusters: (0..examples).collect(),
        clustered: false,
        repeats: 1,
        provenance: RunProvenance::Live,
        latency_comparable: true,
        anytime: None,
        steps: Vec::new(),
        rounds: Vec::new(),
        trained: Vec::new(),
    }
}

pub(crate) fn lora(base: Option<&str>) -> Tuning {
    Tuning { method: TuningMethod::Lora, training_examples: None, base: base.map(str::to_owned), retires: None }
}

fn with(name: &str, change: impl FnOnce(&mut Variant)) -> VariantMeasurements {
    let mut variant = variant(name);
    change(&mut variant);
    row(variant, "0011")
}

fn shots(k: u32) -> Option<Shots> {
    Some(Shots { k, select: Select::Balanced, seed: 7 })
}

/// From, to and step of each.
fn named(rows: Vec<VariantMeasurements>) -> Vec<String> {
    let steps = steps(&measurements(rows), 0.05);
    steps.iter().map(|step| format!("{} -> {}: {}", step.from, step.to, step.step)).collect()
}

#[test]
fn a_variant_is_measured_against_each_that_lacks_one_of_its_interventions() {
    let rows = vec![
        with("plain", |_| {}),
        with("shots", |v| v.shots = shots(5)),
        with("schema", |v| v.structured = Structured::JsonSchema),
        with("both", |v| (v.shots, v.structured) = (shots(5), Structured::JsonSchema)),
        with("cached", |v| {
            (v.structured, v.cache) = (Structured::JsonSchema, Some(PromptCache::default()));
        }),
    ];
    let expected = [
        "plain -> shots: few-shot 5 balanced",
        "plain -> schema: schema",
        "schema -> both: few-shot 5 balanced",
        "shots -> both: schema",
        "schema -> cached: cache",
    ];
    assert_eq!(named(rows), expected);
}

#[test]
fn without_such_a_variant_the_one_with_the_fewest_interventions_is_the_reference() {
    let rows = vec![
        with("plain", |_| {}),
        // Three shots are no reference of five.
        with("three", |v| v.shots = shots(3)),
        with("both", |v| (v.shots, v.structured) = (shots(5), Structured::Tool)),
        with("elsewhere", |v| {
            v.prompt = 1;
            v.shots = shots(5);
        }),
    ];
    let expected = ["plain -> three: few-shot 3 balanced", "plain -> both: few-shot 5 balanced + schema (tool)"];
    assert_eq!(named(rows), expected);
}

#[test]
fn a_tuned_variant_is_measured_against_its_base() {
    let tuned = |name: &str, base: Option<&str>| {
        with(name, |v| {
            v.endpoint.model = "tuned".into();
            v.prompt = 2;
            v.tuned = Some(lora(base));
        })
    };
    let mut later = with("later", |v| v.prompt = 1);
    later.round = Some(2);
    let rows = |base| vec![with("plain", |_| {}), later.clone(), tuned("lora", base)];
    assert_eq!(named(rows(Some("p/m"))), ["later -> lora: tuning (LoRA)"]);
    assert_eq!(named(rows(Some("replaced/m"))), ["later -> lora: tuning (LoRA)"], "both with --provider");
    assert_eq!(named(rows(Some("m"))), ["later -> lora: tuning (LoRA)"]);
    assert_eq!(named(rows(Some("plain"))), ["plain -> lora: tuning (LoRA)"]);
    assert_eq!(named(rows(None)), ["later -> lora: tuning (LoRA)"], "the only model there is");
    let doubt = steps(&measurements(rows(None)), 0.05).remove(0).else_differs;
    assert_eq!(doubt.as_deref(), Some("prompt and perhaps the base model (`tuned.base` is not set)"));
    let mut several = rows(None);
    several.insert(0, with("other", |v| v.endpoint.model = "another".into()));
    assert!(named(several).is_empty(), "whose tuning it is, is not known");
    let found = steps(&measurements(rows(Some("p/m"))), 0.05);
    assert_eq!(found[0].else_differs.as_deref(), Some("prompt"));
}

#[test]
fn changes_are_paired_and_corrected_for_their_number() {
    let plain = row(variant("plain"), "000000000011");
    let mut better = row(variant("better"), "111111110011");
    better.variant.structured = Structured::JsonSchema;
    let mut other = row(variant("other"), "000000000101");
    other.variant.shots = shots(1);
    let cost = |usd: f64| Cost { by_example: vec![Some(usd); 12].into(), ..Cost::default() };
    let (mut plain, mut better) = (plain, better);
    (plain.cost, better.cost) = (cost(0.002), cost(0.003));
    plain.valid = vec![Some(0.0); 12].into();
    let times = |ms: f64| Latency { sorted_ms: vec![ms; 12], ..Latency::default() };
    (plain.ttft, better.ttft) = (times(100.0), times(80.0));
    let found = steps(&measurements(vec![plain, better, other]), 0.05);
    let step = &found[0];
    assert_eq!((step.fixed, step.broken, step.verdict), (8, 0, PairedVerdict::Better));
    assert!((step.accuracy.point.unwrap() - 8.0 / 12.0).abs() < 1e-12);
    // McNemar's mid-p of 8 against 0 is 2 x 0.5^8 - 0.5^8, and twice that for two steps.
    assert!((step.p.unwrap() - 0.00390625).abs() < 1e-12 && (step.p_holm.unwrap() - 0.0078125).abs() < 1e-12);
    assert_eq!(step.validity.unwrap().point, Some(1.0));
    assert_eq!(step.ttft_p50_ms.unwrap().point, Some(-20.0));
    assert!((step.cost_ratio.unwrap() - 1.5).abs() < 1e-12);
    assert!((step.usd_per_request.unwrap().point.unwrap() - 0.001).abs() < 1e-12);
    assert_eq!((found[1].fixed, found[1].broken, found[1].verdict), (1, 1, PairedVerdict::NotEnoughEvidence));
    assert_eq!((found[1].ttft_p50_ms, found[1].usd_per_request), (None, None), "not measured, so not compared");
}

#[test]
fn recorded_times_that_cannot_be_compared_are_not() {
    let mut schema = with("schema", |v| v.structured = Structured::JsonSchema);
    let mut plain = with("plain", |_| {});
    schema.ttft.sorted_ms = vec![1.0; 20];
    plain.ttft.sorted_ms = vec![2.0; 20];
    let mut all = measurements(vec![plain, schema]);
    assert!(steps(&all, 0.05)[0].ttft_p50_ms.is_some());
    all.latency_comparable = false;
    assert_eq!(steps(&all, 0.05)[0].ttft_p50_ms, None);
}
