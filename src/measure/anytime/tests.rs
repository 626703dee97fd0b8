use super::*;
use crate::measure::accumulate::tests::variant;
use crate::measure::steps::tests::{measurements, row};
use crate::measure::stopping::{Design, Goal, Observed, Speed, Target};
use crate::stats::paired::PairedVerdict;

fn early(n: u32, goal: f64) -> Early {
    let goals = vec![vec![Goal { target: Target::Accuracy, value: goal }]; 2];
    let design = Design { steps: (0..n).collect(), repeats: 1, graded: false, alpha: 0.05, goals };
    Early { seed: 3, rule: Stopping::new(design), asked: vec![0, 0] }
}

#[test]
fn an_estimate_says_how_it_was_made() {
    let early = early(100, 0.9);
    let clusters: Vec<u32> = (0..100).collect();
    let plain = early.estimate(&[1.0; 100], &clusters, false);
    assert_eq!((plain.method, plain.n, plain.point), (Method::ConfidenceSequence, 100, Some(1.0)));
    assert!((plain.low - 0.9429714024).abs() < 1e-9);
    // A scorer that may grade is treated so, whatever it gave; and so are grades that nobody foresaw.
    assert_eq!(early.estimate(&[1.0; 100], &clusters, true).method, Method::BettingConfidenceSequence);
    assert_eq!(early.estimate(&[0.5; 100], &clusters, false).method, Method::BettingConfidenceSequence);
    assert_eq!(early.estimate(&[], &[], false).method, Method::None);
}

#[test]
fn a_stop_says_what_it_saved() {
    let mut early = early(280, 0.9);
    for place in 0..60 {
        early.rule.observe(0, place, Observed { score: Some(1.0), valid: None, speed: Speed::Unmeasured });
    }
    early.asked = vec![62, 20];
    let mut fine = row(variant("fine"), &"1".repeat(60));
    let usd = Estimate { point: Some(0.01), ..fine.accuracy };
    fine.cost.per_request = Some(usd);
    fine.usage.input_uncached_tokens.add(Some(90));
    fine.usage.output_tokens.add(Some(10));
    let stopped = early.summary(&[fine, row(variant("other"), &"1".repeat(20))], &[0, 1]);
    let saved = &stopped.variants[0];
    assert_eq!((saved.stopped, saved.stopped_at, saved.measured), (Some(Stop::Decided), Some(53), 60));
    assert_eq!((saved.saved_requests, saved.saved_tokens), (218, Some(21_800.0)));
    assert!((saved.saved_usd.unwrap() - 2.18).abs() < 1e-9);
    let other = &stopped.variants[1];
    assert_eq!((other.stopped, other.saved_requests, other.saved_usd), (None, 0, None));
    assert_eq!((stopped.planned, stopped.level, stopped.largest_cluster), (280, 0.95, 1));
}

#[test]
fn differences_are_by_sequence_on_what_both_have() {
    let (a, b) = (row(variant("a"), &"0".repeat(40)), row(variant("b"), &("1".repeat(30) + &"-".repeat(10))));
    let mut measured = measurements(vec![a, b]);
    let fixed = crate::measure::rounds::pair(&measured, &measured.variants[0], &measured.variants[1], 0.05);
    measured.anytime = Some(early(280, 0.9).summary(&measured.variants, &[0, 1]));
    let got = crate::measure::rounds::pair(&measured, &measured.variants[0], &measured.variants[1], 0.05);
    assert_eq!((got.n, got.difference.n, got.difference.method), (30, 30, Method::BettingConfidenceSequence));
    assert!(got.difference.low < fixed.difference.low && got.difference.low > 0.0, "{got:?}");
    assert_eq!(got.verdict, PairedVerdict::Better);
    assert!(got.p.unwrap() < 1e-6);
    assert_eq!(got.dropped, 10);
}
