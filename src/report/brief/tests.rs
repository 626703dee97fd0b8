use super::*;
use crate::decide::decide;
use crate::decide::tests::facts;
use crate::measure::VariantMeasurements;
use crate::measure::accumulate::tests::variant;
use crate::measure::steps::tests::{measurements, row};
use crate::suite::Targets;
use crate::variant::{Tuning, TuningMethod};

fn scored(name: &str, right: usize) -> VariantMeasurements {
    row(variant(name), &("1".repeat(right) + &"0".repeat(300 - right)))
}

fn verdict() -> Verdict {
    let targets = Targets { accuracy: Some(0.9), ..Targets::default() };
    let mut tuned = scored("tuned", 200);
    tuned.variant.tuned =
        Some(Tuning { method: TuningMethod::Lora, training_examples: None, base: None, retires: None });
    let facts = facts(&targets);
    decide(&facts, &measurements(vec![scored("plain", 100), tuned]))
}

#[test]
fn the_missed_target_comes_first_then_what_beats_the_prompt() {
    let figures: Vec<String> = decisive(&verdict())
        .into_iter()
        .map(|one| format!("{}: {} ({}) {}", one.name, one.figure.value(), one.target.unwrap_or_default(), one.says))
        .collect();
    assert_eq!(
        figures,
        ["best prompt's accuracy: 33.3% (at least 90%) missed", "tuned over plain: +33.3 points () better"]
    );
}

#[test]
fn a_figure_says_where_the_json_report_has_it() {
    let verdict = verdict();
    let json = serde_json::json!({ "verdict": verdict });
    for one in decisive(&verdict) {
        assert_eq!(json.pointer(&one.figure.at).and_then(serde_json::Value::as_f64), one.figure.point, "{}", one.name);
    }
}

#[test]
fn the_ladder_has_six_steps_and_says_where_it_stands() {
    let ladder = ladder(&verdict());
    assert_eq!(ladder.len(), 6);
    assert_eq!(ladder[0].name, "prompt and few-shot");
    assert_eq!(mark(ladder[0].state).1, "next");
    assert_eq!(ladder[4].variants, [VariantId("tuned".into())]);
}
