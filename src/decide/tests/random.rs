//! Random evidence: one verdict, no panic, no NaN.

use proptest::prelude::*;

use super::*;

/// A random variant: scores with gaps, costs, times, interventions.
fn any_variant(n: usize) -> impl Strategy<Value = VariantMeasurements> {
    let scores = prop::collection::vec(prop::option::weighted(0.97, 0..=4_u8), n);
    let valid = prop::collection::vec(prop::option::of(0..=1_u8), 0..=n);
    let costs = prop::collection::vec(prop::option::of(0.0..0.1_f64), 0..=n);
    let times = prop::collection::vec(0.0..2_000.0_f64, 0..40);
    let how = (1..6_u32, any::<[bool; 4]>(), 0..5_u8, 0..4_u64, 0..9_u64);
    (scores, valid, costs, times, how).prop_map(|(scores, valid, costs, times, how)| {
        let (round, [schema, cache, own, priced], method, missing, censored) = how;
        let mut measured = variant(&format!("r{round}-{schema}-{cache}-{method}"), round, 0, scores.len());
        measured.scores = scores.into_iter().map(|s| s.map(|s| f32::from(s) / 4.0)).collect();
        measured.valid = valid.into_iter().map(|s| s.map(f32::from)).collect();
        measured.variant.structured = if schema { Structured::Tool } else { Structured::Text };
        measured.variant.cache = cache.then(crate::variant::PromptCache::default);
        measured.self_hosted = own;
        measured.missing = missing / 3;
        if priced {
            measured = costing(measured, 0.01);
        }
        measured.cost.by_example = costs.into();
        measured.ttft = Latency { sorted_ms: times, censored, ..Latency::default() };
        measured.ttft.sorted_ms.sort_by(f64::total_cmp);
        let p95 = Interval { low: 1.0, high: f64::INFINITY };
        measured.ttft.p95 = Some(Estimate::nothing(p95, 0.95));
        let methods = [TuningMethod::Lora, TuningMethod::Full, TuningMethod::Dpo, TuningMethod::Distilled];
        if let Some(&method) = methods.get(usize::from(method)) {
            measured.variant.tuned = Some(Tuning { method, training_examples: None, base: None, retires: None });
            measured.round = None;
        }
        measured
    })
}

fn any_measurements() -> impl Strategy<Value = Measurements> {
    (0..40_usize).prop_flat_map(|n| {
        let variants = prop::collection::vec(any_variant(n), 0..7);
        let clusters = prop::collection::vec(0..12_u32, n);
        (variants, clusters, 1..4_u32, any::<bool>()).prop_map(|(variants, clusters, repeats, comparable)| {
            Measurements {
                variants,
                clusters,
                clustered: true,
                repeats,
                provenance: RunProvenance::Mixed,
                latency_comparable: comparable,
                anytime: None,
                steps: Vec::new(),
                rounds: Vec::new(),
                trained: Vec::new(),
            }
        })
    })
}

fn any_targets() -> impl Strategy<Value = Targets> {
    let share = || prop::option::of(-0.1..1.1_f64);
    let money = prop::option::of(0.0..2_000.0_f64);
    let requests = prop::option::of(0..2_000_000_u64);
    (share(), share(), prop::option::of(0.0..2_000.0_f64), requests, money, any::<bool>()).prop_map(
        |(accuracy, schema_validity, ttft_p95_ms, monthly_requests, monthly_budget_usd, self_hosted)| Targets {
            accuracy,
            schema_validity,
            ttft_p95_ms,
            monthly_requests,
            monthly_budget_usd,
            self_hosted,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_evidence_gives_one_verdict_and_no_nan(
        measured in any_measurements(),
        targets in any_targets(),
        checked in 0..500_u64,
        wrong in 0..600_u64,
        economics in prop::option::of((0.0..10.0_f64, -1.0..24.0_f64)),
    ) {
        let economics = economics.map(|(value, horizon_months)| Economics {
            value_per_error_usd: Some(value),
            horizon_months,
            ..ECONOMICS
        });
        let asked = SuiteFacts {
            economics: economics.as_ref(),
            audit: Some(LabelAudit { checked, wrong }),
            today: Some("2026-11-25".parse().unwrap()),
            ..facts(&targets)
        };
        let verdict = decide(&asked, &measured);
        let again = decide(&asked, &measured);
        prop_assert_eq!(&verdict, &again);
        let json = serde_json::to_string(&verdict).unwrap();
        prop_assert!(!json.contains("NaN"), "{}", json);
        prop_assert!(!verdict.headline.is_empty());
    }
}
