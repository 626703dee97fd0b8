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

fn figures(verdict: &Verdict) -> Vec<String> {
    let one = |one: Decisive| {
        let beside = one.target.or(one.caution.map(str::to_owned)).unwrap_or_default();
        format!("{}: {} ({beside}) {}", one.name, one.figure.value(), one.says)
    };
    decisive(verdict).into_iter().map(one).collect()
}

#[test]
fn the_missed_target_comes_first_then_what_beats_the_prompt() {
    assert_eq!(
        figures(&verdict()),
        ["accuracy of plain: 33.3% (at least 90%) missed", "tuned over plain: +33.3 points (chosen here) better"]
    );
}

#[test]
fn what_the_rule_rests_on_comes_first() {
    let unknown = |target| Trigger { target: Some(target), ..verdict().triggers.t5 };
    let mut open = verdict();
    open.rule = Rule::TriggerUnknown;
    open.triggers.t2.state = TriggerState::Clear;
    open.triggers.t1 = Trigger { state: TriggerState::Unknown, ..unknown(0.999) };
    assert_eq!(figures(&open)[0], "valid answers of plain: unknown (at least 99.9%) not shown");
    let mut labels = verdict();
    labels.rule = Rule::LabelCeiling;
    assert_eq!(figures(&labels)[0], "labels allow at most: unknown (at least 90%) not shown");
    let mut payback = verdict();
    payback.rule = Rule::NoPayback;
    payback.break_even = Some(crate::decide::tests::never_pays_back());
    payback.payback = Payback::No;
    assert_eq!(figures(&payback)[0], "training pays back in: never (within 12 months) does not");
    let mut worse = verdict();
    if let Some(paired) = &mut worse.paired {
        paired.verdict = PairedVerdict::NotEnoughEvidence;
    }
    assert_eq!(figures(&worse).len(), 1, "that nothing beats the prompt decides nothing");
}

#[test]
fn the_first_step_says_how_prompting_stands() {
    let said = |answer| {
        let mut verdict = verdict();
        verdict.questions[0].answer = answer;
        ladder(&verdict)[0].answer
    };
    assert_eq!(said(QuestionAnswer::Yes), "at its ceiling, short of the target");
    assert_eq!(said(QuestionAnswer::No), "meets the target");
    assert_eq!(said(QuestionAnswer::KeepGoing), "keep going");
    assert_eq!(said(QuestionAnswer::NotEnoughEvidence), "not enough evidence");
    assert_eq!(said(QuestionAnswer::NotNeeded), "no target");
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
    assert_eq!(
        (ladder[3].answer, mark(ladder[3].state).1),
        ("not yet", "waiting"),
        "nobody said that it is not needed"
    );
    assert_eq!(ladder[4].variants, [VariantId("tuned".into())]);
}
