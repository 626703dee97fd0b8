//! What would change the verdict: the rules, asked again with one open question answered.

use super::ladder::{LabelCeiling, LadderState, Payback, Rung, RungStatus, TriggerState, VerdictKind, guarded};
use super::subject::Source;
use super::{Findings, prose};

/// Sentences, one for each answer that leads to another verdict; where the evidence is not enough, those
/// too that lead to another question.
pub(super) fn flips(findings: &Findings<'_>) -> Vec<String> {
    let state = findings.state();
    if !state.data_usable {
        let mend = match findings.evidence.setting.source {
            _ if findings.evidence.facts.asked_instead.is_some() => "the test examples are asked: a run without --on",
            Source::Stated => "the figures are stated so that they can be used",
            Source::Live | Source::Recorded | Source::Imported => {
                "the run is repeated until at most 1% of the answers are missing"
            }
        };
        return vec![mend.to_owned()];
    }
    let any_prompt = findings.any_prompt.status;
    let (kind, rule) = guarded(&state, any_prompt);
    let answers = [triggers(findings, &state), label(findings, &state), payback(&state), rungs(&state)].concat();
    let (mut flips, mut questions): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (what, other) in answers {
        let (then, other_rule) = guarded(&other, any_prompt);
        if then != kind {
            flips.push(format!("{what}: then {} ({other_rule})", words(then)));
        } else if other_rule != rule {
            questions.push(format!("{what}: then still {}, for another reason ({other_rule})", words(then)));
        }
    }
    if kind == VerdictKind::NotEnoughEvidence || flips.is_empty() {
        flips.extend(questions);
    }
    let mut seen: Vec<String> = Vec::new();
    flips.retain(|sentence| {
        let fresh = !seen.contains(sentence);
        seen.push(sentence.clone());
        fresh
    });
    flips
}

type Answer = (String, LadderState);

/// What each trigger says where it is shown to be clear, to have fired, and where it comes to be clear.
const ANSWERS: [[&str; 3]; 4] = [
    [
        "schema validity is shown to meet its target",
        "schema validity is shown to miss its target",
        "schema validity comes to meet its target (or the target is lowered)",
    ],
    [
        "a prompt is shown to meet the accuracy target",
        "prompting is shown to have levelled off below the accuracy target",
        "a prompt comes to meet the accuracy target (or the target is lowered)",
    ],
    [
        "the first token is shown to come within its limit",
        "the first token is shown to come later than its limit",
        "the first token comes to keep its limit (or the limit is raised)",
    ],
    [
        "the monthly cost is shown to be within the budget",
        "the monthly cost is shown to be over the budget",
        "the monthly cost comes to be within the budget (or the budget is raised)",
    ],
];

/// Each trigger that is unknown or open, and each that is settled, the other way round. Payback is waived
/// where time or law decides, so it changes with them.
fn triggers(findings: &Findings<'_>, state: &LadderState) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (place, [met, missed, comes]) in ANSWERS.into_iter().enumerate() {
        let others: &[(TriggerState, &str)] = match state.triggers[place] {
            TriggerState::Unknown | TriggerState::Open => &[(TriggerState::Clear, met), (TriggerState::Fired, missed)],
            TriggerState::Fired => &[(TriggerState::Clear, comes)],
            TriggerState::Clear | TriggerState::Na => &[],
        };
        for (then, words) in others {
            let mut other = *state;
            other.triggers[place] = *then;
            other.payback = if other.fired(2) || other.fired(4) { Payback::Waived } else { findings.payback_unwaived };
            answers.push(((*words).to_owned(), other));
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
