//! What would change the verdict: the rules, asked again with one open question answered.

use super::ladder::{LabelCeiling, LadderState, Payback, Rung, RungStatus, TriggerState, VerdictKind, guarded};
use super::{Findings, prose};

/// Sentences, one for each answer that leads to another verdict.
pub(super) fn flips(findings: &Findings<'_>) -> Vec<String> {
    let state = findings.state();
    if !state.data_usable {
        return vec!["the run is repeated until at most 1% of the answers are missing".to_owned()];
    }
    let any_prompt = findings.any_prompt.status;
    let (kind, _) = guarded(&state, any_prompt);
    let answers = [triggers(&state), label(findings, &state), payback(&state), rungs(&state)].concat();
    let mut flips: Vec<String> = Vec::new();
    for (what, other) in answers {
        let (then, rule) = guarded(&other, any_prompt);
        if then != kind {
            let sentence = format!("{what}: then {} ({rule})", words(then));
            if !flips.contains(&sentence) {
                flips.push(sentence);
            }
        }
    }
    flips
}

type Answer = (String, LadderState);

/// Each trigger that is unknown or open, and each that is settled, the other way round.
fn triggers(state: &LadderState) -> Vec<Answer> {
    let needs = ["schema validity", "accuracy", "time to the first token", "monthly cost"];
    let mut answers = Vec::new();
    for (place, need) in needs.into_iter().enumerate() {
        let now = state.triggers[place];
        let others: &[(TriggerState, &str)] = match now {
            TriggerState::Unknown | TriggerState::Open => &[
                (TriggerState::Clear, "is shown to meet its target"),
                (TriggerState::Fired, "is shown to stay short of its target"),
            ],
            TriggerState::Fired => &[(TriggerState::Clear, "comes to meet its target (or the target is lowered)")],
            TriggerState::Clear | TriggerState::Na => &[],
        };
        for (then, words) in others {
            let mut other = *state;
            other.triggers[place] = *then;
            answers.push((format!("{need} {words}"), other));
        }
    }
    answers
}

/// An audit of the labels.
fn label(findings: &Findings<'_>, state: &LadderState) -> Vec<Answer> {
    if state.label == LabelCeiling::Reachable {
        return Vec::new();
    }
    let other = LadderState { label: LabelCeiling::Reachable, ..*state };
    let n = findings.label.n_to_settle;
    let size = n.map_or_else(String::new, |n| format!(" of about {} labels", prose::count(n)));
    vec![(format!("an audit{size} shows that the labels allow the accuracy target"), other)]
}

/// What training saves.
fn payback(state: &LadderState) -> Vec<Answer> {
    let yes = ("training is shown to pay back within the horizon", Payback::Yes);
    let no = ("training is shown not to pay back within the horizon", Payback::No);
    let others = match state.payback {
        Payback::Unknown => vec![yes, no],
        Payback::Yes => vec![no],
        Payback::No => vec![yes],
        Payback::Waived => Vec::new(),
    };
    let answer = |(what, payback): (&str, Payback)| (what.to_owned(), LadderState { payback, ..*state });
    others.into_iter().map(answer).collect()
}

/// The rungs that are not settled, should they fail or pass.
fn rungs(state: &LadderState) -> Vec<Answer> {
    let open = |rung: &Rung| matches!(state.status(*rung), RungStatus::Untried | RungStatus::Unknown);
    let mut answers = Vec::new();
    for rung in state.relevant().filter(open) {
        let outcomes = [(RungStatus::Pass, "measured to be enough"), (RungStatus::Fail, "measured not to help")];
        for (status, words) in outcomes {
            let mut other = *state;
            other.rungs[rung as usize] = status;
            answers.push((format!("`{}` is {words}", rung.name()), other));
        }
    }
    answers
}

/// A verdict's name.
fn words(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::NotEnoughEvidence => "not-enough-evidence",
        VerdictKind::KeepPrompting => "keep-prompting",
        VerdictKind::AddSchema => "add-schema",
        VerdictKind::ShipCachedPrompt => "ship-cached-prompt",
        VerdictKind::AddRag => "add-rag",
        VerdictKind::Dpo => "dpo",
        VerdictKind::LoraOrDistil => "lora-or-distil",
        VerdictKind::FullFineTune => "full-fine-tune",
    }
}
