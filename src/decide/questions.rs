//! The six questions in order, what was tried, and where the ladder stands (METHODS.md 12.2).

use serde::Serialize;

use super::ceiling::FewShot;
use super::ladder::{LadderState, Payback, Rule, Rung, RungStatus, TriggerState, ladder};
use super::{Findings, prose};

/// What is known of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuestionAnswer {
    /// Yes, beyond noise.
    Yes,
    /// No, beyond noise.
    No,
    /// It improves, and the target is still missed.
    Partly,
    /// Neither is shown.
    NotEnoughEvidence,
    /// Tried, but not enough to answer: go on.
    KeepGoing,
    /// Not measured: that is no failure.
    NotTried,
    /// It cannot help, or is declared impossible.
    CannotHelp,
    /// Whether a trigger that it could clear has fired is still open: what comes before it settles that.
    NotYet,
    /// Every trigger that it could clear is clear, or has no target.
    NotNeeded,
}

/// Where a question stands in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuestionState {
    /// Answered.
    Done,
    /// The verdict is about it.
    Next,
    /// Not asked, since nothing needs it.
    Skipped,
    /// Comes after the next one.
    Waiting,
}

/// One of the six questions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Question {
    /// 1 to 6.
    pub number: u8,
    /// The question.
    pub question: &'static str,
    /// The rungs that answer it; none for the first.
    pub rungs: Vec<Rung>,
    /// What is known of it.
    pub answer: QuestionAnswer,
    /// Where it stands.
    pub state: QuestionState,
    /// Why, in sentences.
    pub explanation: String,
}

const PROMPTING: &str = "has a clean prompt with three to five examples been tried, over at least three rounds, and is it \
                         still short of the target?";

/// The rungs' questions.
const OF_RUNGS: [(&str, &[Rung]); 5] = [
    ("does a schema (native structured output or a forced tool call) close the gap?", &[Rung::Schema]),
    ("does prompt caching clear the latency or cost trigger?", &[Rung::Cache]),
    ("is the missing thing knowledge, so that retrieval supplies it?", &[Rung::Rag]),
    (
        "does light tuning clear it and pay back: preference tuning for choices among valid answers, LoRA or \
         distillation for behaviour, speed and cost?",
        &[Rung::Dpo, Rung::Lora],
    ),
    ("does a full fine-tune beat the light one and pay back?", &[Rung::Full]),
];

/// All six.
pub(super) fn all(findings: &Findings<'_>, rule: Rule) -> Vec<Question> {
    let next = next(findings, rule);
    let mut questions = vec![prompting(findings)];
    for (place, (question, rungs)) in OF_RUNGS.into_iter().enumerate() {
        questions.push(of_rungs(findings, place as u8 + 2, question, rungs));
    }
    for question in &mut questions {
        let open = matches!(
            question.answer,
            QuestionAnswer::NotTried
                | QuestionAnswer::NotEnoughEvidence
                | QuestionAnswer::KeepGoing
                | QuestionAnswer::NotYet
        );
        question.state = if Some(question.number) == next {
            QuestionState::Next
        } else if question.answer == QuestionAnswer::NotNeeded {
            QuestionState::Skipped
        } else if open {
            QuestionState::Waiting
        } else {
            QuestionState::Done
        };
    }
    questions
}

/// The question that the verdict is about.
fn next(findings: &Findings<'_>, rule: Rule) -> Option<u8> {
    match rule {
        Rule::Iterate | Rule::NotPlateaued | Rule::SelfHosted(_) | Rule::OtherPrompt(_) => Some(1),
        Rule::Next(rung, _) | Rule::Better(rung) => Some(number_of(rung)),
        // The rung at which the rules would arrive if it paid.
        Rule::NoPayback | Rule::PaybackUnknown | Rule::BetterPaybackUnknown => {
            let paying = LadderState { payback: Payback::Yes, ..findings.state() };
            Some(ladder(&paying).1.rung().map_or(5, number_of))
        }
        Rule::NoData | Rule::TriggerUnknown | Rule::NoTrigger | Rule::LabelCeiling | Rule::NothingHelps => None,
    }
}

fn number_of(rung: Rung) -> u8 {
    let place = OF_RUNGS.iter().position(|(_, rungs)| rungs.contains(&rung));
    place.map_or(6, |place| place as u8 + 2)
}

fn prompting(findings: &Findings<'_>) -> Question {
    let answer = match findings.triggers.t2.state {
        TriggerState::Fired => QuestionAnswer::Yes,
        TriggerState::Clear => QuestionAnswer::No,
        TriggerState::Open => QuestionAnswer::KeepGoing,
        TriggerState::Unknown => QuestionAnswer::NotEnoughEvidence,
        TriggerState::Na => QuestionAnswer::NotNeeded,
    };
    let tried = findings.ceiling.as_ref().map_or_else(String::new, |test| {
        let few_shot = match test.few_shot {
            FewShot::Measured => "few-shot was measured",
            FewShot::NotTried => "few-shot with three to five examples was not tried",
            FewShot::Impossible => "few-shot is declared impossible",
        };
        let rounds = match test.rounds.len() {
            1 => "1 prompt round was".to_owned(),
            n => format!("{n} prompt rounds were"),
        };
        format!("{rounds} measured, {few_shot}; ")
    });
    let explanation = format!("{tried}{}", findings.triggers.t2.explanation);
    Question { number: 1, question: PROMPTING, rungs: Vec::new(), answer, state: QuestionState::Waiting, explanation }
}

fn of_rungs(findings: &Findings<'_>, number: u8, question: &'static str, rungs: &[Rung]) -> Question {
    let state = findings.state();
    let relevant = |rung: &&Rung| state.relevant().any(|other| other == **rung);
    let asked: Vec<Rung> = rungs.iter().filter(relevant).copied().collect();
    let tried = |rung: &Rung| !matches!(state.status(*rung), RungStatus::Untried | RungStatus::Na);
    let shown: Vec<Rung> = if asked.is_empty() { rungs.iter().copied().filter(tried).collect() } else { asked.clone() };
    let mut why: Vec<String> = shown
        .iter()
        .filter_map(|rung| {
            let report = findings.rungs.get(rung)?;
            Some(if rungs.len() > 1 {
                format!("{}: {}", rung.name(), report.explanation)
            } else {
                report.explanation.clone()
            })
        })
        .collect();
    let unsettled = state.unsettled(rungs);
    if asked.is_empty() {
        let first = if unsettled {
            "whether a target that it could clear is missed for good is not settled: what comes before it settles that"
        } else {
            "nothing that it could clear has been shown to be missed"
        };
        why.insert(0, first.to_owned());
    } else if rungs.contains(&Rung::Lora) {
        why.push(findings.payback_why.clone());
    }
    let statuses: Vec<RungStatus> = asked.iter().map(|rung| state.status(*rung)).collect();
    let answer = match asked.is_empty() {
        false => answer(&statuses),
        true if unsettled => QuestionAnswer::NotYet,
        true => QuestionAnswer::NotNeeded,
    };
    Question {
        number,
        question,
        rungs: rungs.to_vec(),
        answer,
        state: QuestionState::Waiting,
        explanation: prose::sentences(&why),
    }
}

/// What several rungs say together: a pass answers, else what is open, else what helps.
fn answer(statuses: &[RungStatus]) -> QuestionAnswer {
    const ORDER: [(RungStatus, QuestionAnswer); 6] = [
        (RungStatus::Pass, QuestionAnswer::Yes),
        (RungStatus::Unknown, QuestionAnswer::NotEnoughEvidence),
        (RungStatus::Better, QuestionAnswer::Partly),
        (RungStatus::Untried, QuestionAnswer::NotTried),
        (RungStatus::Fail, QuestionAnswer::No),
        (RungStatus::Na, QuestionAnswer::CannotHelp),
    ];
    let found = ORDER.into_iter().find(|(status, _)| statuses.contains(status));
    found.map_or(QuestionAnswer::NotNeeded, |(_, answer)| answer)
}
