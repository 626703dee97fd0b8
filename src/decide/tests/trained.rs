//! What a baseline that was trained on the pool changes of a verdict.

use super::*;
use crate::measure::trained::{Trained, TrainingCurve, TrainingPoint};
use crate::stats::Answer3;
use crate::stats::cluster::clustered_accuracy;

/// A baseline that has `right` of `n` examples right, the first ones.
fn baseline(right: usize, n: usize) -> Trained {
    let scores: Vec<Option<f32>> = (0..n).map(|place| Some(f32::from(u8::from(place < right)))).collect();
    let values: Vec<f64> = (0..n).map(|place| f64::from(u8::from(place < right))).collect();
    let clusters: Vec<u32> = (0..n as u32).collect();
    Trained {
        name: "words".to_owned(),
        training_examples: 698,
        accuracy: clustered_accuracy(&values, &clusters, n as u64, false, 0.05),
        macro_f1: None,
        majority: Some(0.12),
        cross_validated: None,
        scores: scores.into(),
        curve: None,
    }
}

fn curve(projection: Option<TrainingPoint>, more_examples_help: Answer3) -> TrainingCurve {
    TrainingCurve {
        points: Vec::new(),
        fitted: Vec::new(),
        projection,
        refused: None,
        falls_faster: false,
        more_examples_help,
    }
}

fn with(variants: Vec<VariantMeasurements>, trained: Trained) -> Measurements {
    Measurements { trained: vec![trained], ..measurements(variants) }
}

/// Flat rounds at 26 of 280, all other steps ruled out, and a LoRA variant with so many right.
fn decided(lora: Option<usize>, trained: Option<Trained>) -> Verdict {
    let targets = Targets { monthly_requests: Some(1_000_000), ..accuracy(0.9) };
    let mut variants: Vec<_> = rounds(280, 26).into_iter().map(|v| costing(v, 0.012)).collect();
    variants.extend(lora.map(|right| costing(tuned("tuned", TuningMethod::Lora, right, 280), 0.001)));
    let impossible = ["rag", "dpo"].map(String::from);
    let asked = SuiteFacts { economics: Some(&ECONOMICS), audit: AUDITED, impossible: &impossible, ..facts(&targets) };
    let measured = match trained {
        Some(trained) => with(variants, trained),
        None => measurements(variants),
    };
    decide(&asked, &measured)
}

#[test]
fn a_tuned_model_below_the_baseline_is_trained_on_before_anything_dearer() {
    let without = decided(Some(123), None);
    assert_eq!(without.rungs[&Rung::Lora].status, RungStatus::Better);
    assert_eq!(without.rule.to_string(), "L9_full_untried", "a full fine-tune would be next");
    let verdict = decided(Some(123), Some(baseline(180, 280)));
    assert_eq!(verdict.rungs[&Rung::Lora].status, RungStatus::Untried);
    assert_eq!(verdict.rule.to_string(), "L9_lora_untried");
    let said = verdict.trained_baseline.as_ref().unwrap();
    assert_eq!(said.undertrained, [VariantId("tuned".to_owned())]);
    assert!(said.explanation.contains("below what these labels support: train on"), "{}", said.explanation);
    assert!(verdict.notes.contains(&"undertrained".to_owned()));
    let step = verdict.next_step.unwrap();
    assert!(step.what.starts_with("train `tuned` on"), "{}", step.what);
}

#[test]
fn a_tuned_model_above_the_baseline_is_judged_as_without_it() {
    let verdict = decided(Some(200), Some(baseline(180, 280)));
    assert_eq!(verdict.rungs[&Rung::Lora].status, RungStatus::Better);
    assert!(verdict.trained_baseline.unwrap().undertrained.is_empty());
    assert!(!verdict.notes.contains(&"undertrained".to_owned()), "{:?}", verdict.notes);
}

#[test]
fn a_baseline_changes_no_rule_where_nothing_was_tuned() {
    for right in [30, 180, 275] {
        assert_eq!(decided(None, Some(baseline(right, 280))).rule, decided(None, None).rule);
    }
}

#[test]
fn what_it_speaks_for_rests_on_its_bounds() {
    let leaning = |trained: Trained| decided(None, Some(trained)).trained_baseline.unwrap().leaning.unwrap();
    assert_eq!(leaning(baseline(275, 280)), Leaning::For);
    assert_eq!(leaning(baseline(180, 280)), Leaning::Neither, "more examples may lift it");
    let flat = Trained { curve: Some(curve(None, Answer3::No)), ..baseline(180, 280) };
    assert_eq!(leaning(flat), Leaning::Against);
    let point = |low: f64, high: f64| TrainingPoint { examples: 2000, accuracy: f64::midpoint(low, high), low, high };
    let foreseen =
        |low, high| Trained { curve: Some(curve(Some(point(low, high)), Answer3::Yes)), ..baseline(180, 280) };
    assert_eq!(leaning(foreseen(0.7, 0.8)), Leaning::Against);
    let falling = Trained {
        curve: Some(TrainingCurve { falls_faster: true, ..curve(Some(point(0.7, 0.8)), Answer3::Yes) }),
        ..baseline(180, 280)
    };
    assert_eq!(leaning(falling), Leaning::Neither, "what is foreseen is too low");
    assert_eq!(leaning(foreseen(0.91, 0.95)), Leaning::For);
    assert_eq!(leaning(foreseen(0.8, 0.95)), Leaning::Neither);
}

#[test]
fn a_baseline_that_meets_the_target_is_named() {
    let verdict = decided(None, Some(baseline(275, 280)));
    assert!(verdict.notes.contains(&"trained-baseline-meets-target".to_owned()));
    let said = verdict.trained_baseline.unwrap();
    assert_eq!(said.meets_target, Some(Answer3::Yes));
    assert!(said.explanation.contains("meets the target 90% by itself"), "{}", said.explanation);
    assert!(said.explanation.contains("a lower bound"), "{}", said.explanation);
    let against = said.against_prompted.unwrap();
    assert_eq!(against.verdict, crate::stats::paired::PairedVerdict::Better);
}

#[test]
fn a_bad_adapter_beside_one_that_was_stopped_early_asks_for_no_full_fine_tune() {
    let targets = Targets { monthly_requests: Some(1_000_000), schema_validity: Some(0.9), ..accuracy(0.9) };
    let mut variants: Vec<_> = rounds(280, 26).into_iter().map(|v| costing(v, 0.012)).collect();
    variants.push(costing(tuned("early", TuningMethod::Lora, 123, 280), 0.001));
    let mut broken = costing(tuned("broken", TuningMethod::Lora, 60, 280), 0.001);
    broken.valid = (0..280).map(|place| Some(f32::from(u8::from(place < 60)))).collect();
    variants.push(broken);
    let impossible = ["rag", "dpo"].map(String::from);
    let asked = SuiteFacts { economics: Some(&ECONOMICS), audit: AUDITED, impossible: &impossible, ..facts(&targets) };
    let verdict = decide(&asked, &with(variants, baseline(180, 280)));
    assert_eq!(verdict.rungs[&Rung::Lora].status, RungStatus::Untried, "{:?}", verdict.rungs[&Rung::Lora]);
    assert_eq!(verdict.rungs[&Rung::Lora].variant, Some(VariantId("early".to_owned())));
}

#[test]
fn the_pool_and_not_the_test_chooses_among_baselines() {
    let words = Trained { cross_validated: Some(0.7), ..baseline(150, 280) };
    let lucky = Trained { name: "embeddings".to_owned(), cross_validated: Some(0.6), ..baseline(180, 280) };
    let measured = Measurements { trained: vec![lucky, words], ..measurements(rounds(280, 26)) };
    assert_eq!(decide(&facts(&accuracy(0.9)), &measured).trained_baseline.unwrap().name, "words");
}
