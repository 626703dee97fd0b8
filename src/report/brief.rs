//! What one reads of a verdict in five seconds: at most three decisive figures, and the ladder as done,
//! skipped, next. Terminal, page and pull request all show these.

use super::figure::{Figure, Form};
use crate::decide::{Payback, Question, QuestionAnswer, QuestionState, Rung, TriggerState, Verdict};
use crate::stats::paired::PairedVerdict;
use crate::variant::VariantId;

/// Figures that a reader keeps in mind.
const MOST_FIGURES: usize = 3;

/// A figure that decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Decisive {
    /// What it is.
    pub name: String,
    /// The figure.
    pub figure: Figure,
    /// What it is held against, such as `at least 90%`.
    pub target: Option<String>,
    /// What a reader must bear in mind: what was chosen by these very examples looks better than it is.
    pub caution: Option<&'static str>,
    /// What follows, in a word or two: `missed`, `met`, `not shown`, `better`.
    pub says: &'static str,
}

/// A rung of the ladder, as one of the six questions.
#[derive(Debug, Clone, PartialEq)]
pub struct LadderStep {
    /// 1 to 6.
    pub number: u8,
    /// The step, such as `schema`.
    pub name: &'static str,
    /// Where it stands.
    pub state: QuestionState,
    /// What is known of it, in a few words.
    pub answer: &'static str,
    /// The variants that show it.
    pub variants: Vec<VariantId>,
}

/// The figures that decide, the most telling one first.
pub fn decisive(verdict: &Verdict) -> Vec<Decisive> {
    let triggers = [quality(verdict), validity(verdict), first_token(verdict), monthly_cost(verdict)];
    let states = [&verdict.triggers.t2, &verdict.triggers.t1, &verdict.triggers.t3, &verdict.triggers.t4];
    let is = |place: usize, wanted: &[TriggerState]| wanted.contains(&states[place].state);
    let missed = (0..4).filter(|place| is(*place, &[TriggerState::Fired, TriggerState::Open]));
    let others = (0..4).filter(|place| !is(*place, &[TriggerState::Fired, TriggerState::Open]));
    let missed: Vec<Decisive> = missed.filter_map(|place| triggers[place].clone()).collect();
    let others = others.filter_map(|place| triggers[place].clone());
    let mut figures: Vec<Decisive> = missed.into_iter().chain(paired(verdict)).chain(break_even(verdict)).collect();
    figures.extend(others);
    figures.truncate(MOST_FIGURES);
    figures
}

fn says(state: TriggerState) -> &'static str {
    match state {
        TriggerState::Fired | TriggerState::Open => "missed",
        TriggerState::Clear => "met",
        TriggerState::Unknown => "not shown",
        TriggerState::Na => "no target",
    }
}

fn quality(verdict: &Verdict) -> Option<Decisive> {
    let trigger = &verdict.triggers.t2;
    Some(Decisive {
        name: "best prompt's accuracy".to_owned(),
        figure: Figure::estimate(trigger.finding.as_ref()?, Form::Percent, "/verdict/triggers/t2/finding"),
        target: trigger.target.map(|target| format!("at least {}", Form::Percent.exact(target))),
        caution: None,
        says: says(trigger.state),
    })
}

fn validity(verdict: &Verdict) -> Option<Decisive> {
    let trigger = &verdict.triggers.t1;
    Some(Decisive {
        name: "schema-valid answers".to_owned(),
        figure: Figure::estimate(trigger.finding.as_ref()?, Form::Percent, "/verdict/triggers/t1/finding"),
        target: trigger.target.map(|target| format!("at least {}", Form::Percent.exact(target))),
        caution: None,
        says: says(trigger.state),
    })
}

fn first_token(verdict: &Verdict) -> Option<Decisive> {
    let trigger = &verdict.triggers.t3;
    Some(Decisive {
        name: "p95 to the first token".to_owned(),
        figure: Figure::estimate(trigger.finding.as_ref()?, Form::Milliseconds, "/verdict/triggers/t3/finding"),
        target: trigger.target.map(|target| format!("at most {}", Form::Milliseconds.exact(target))),
        caution: None,
        says: says(trigger.state),
    })
}

fn monthly_cost(verdict: &Verdict) -> Option<Decisive> {
    let trigger = &verdict.triggers.t4;
    Some(Decisive {
        name: "cost a month".to_owned(),
        figure: Figure::estimate(trigger.finding.as_ref()?, Form::Usd, "/verdict/triggers/t4/finding"),
        target: trigger.target.map(|target| format!("at most {}", Form::Usd.exact(target))),
        caution: None,
        says: says(trigger.state),
    })
}

fn paired(verdict: &Verdict) -> Option<Decisive> {
    // That nothing beats the variant in use decides less than the targets do.
    let paired = verdict.paired.as_ref().filter(|paired| paired.verdict != PairedVerdict::Worse)?;
    Some(Decisive {
        name: format!("{} over {}", paired.variant, paired.baseline),
        figure: Figure::estimate(&paired.difference, Form::Points, "/verdict/paired/difference"),
        target: None,
        caution: Some("chosen here"),
        says: match paired.verdict {
            PairedVerdict::Better => "better",
            PairedVerdict::Worse => "worse",
            PairedVerdict::NotEnoughEvidence => "not shown",
        },
    })
}

fn break_even(verdict: &Verdict) -> Option<Decisive> {
    let known = verdict.break_even.as_ref().filter(|known| known.months.is_some())?;
    let low = known.months_low.unwrap_or(0.0);
    let high = known.months_high.unwrap_or(f64::INFINITY);
    let figure = Figure::range(
        known.months?,
        (low, high),
        Form::Months,
        "/verdict/break_even",
        ["months", "months_low", "months_high"],
    );
    Some(Decisive {
        name: "training pays back in".to_owned(),
        figure,
        target: Some(format!("within {}", Form::Months.exact(known.horizon_months))),
        caution: None,
        says: match verdict.payback {
            Payback::Yes => "pays back",
            Payback::No => "does not",
            Payback::Unknown => "not shown",
            Payback::Waived => "not decisive",
        },
    })
}

/// The triggers' names, T1 to T5.
pub const TRIGGERS: [&str; 5] = ["schema validity", "quality ceiling", "first token", "monthly cost", "self-hosting"];

/// The six questions as a ladder.
pub fn ladder(verdict: &Verdict) -> Vec<LadderStep> {
    verdict.questions.iter().map(|question| step(verdict, question)).collect()
}

fn step(verdict: &Verdict, question: &Question) -> LadderStep {
    let of_rung = |rung: &Rung| verdict.rungs.get(rung).and_then(|report| report.variant.clone());
    LadderStep {
        number: question.number,
        name: NAMES.get(usize::from(question.number).saturating_sub(1)).copied().unwrap_or("step"),
        state: question.state,
        answer: answer(question.answer),
        variants: question.rungs.iter().filter_map(of_rung).collect(),
    }
}

const NAMES: [&str; 6] =
    ["prompt and few-shot", "schema", "prompt cache", "retrieval", "light tuning", "full fine-tune"];

fn answer(answer: QuestionAnswer) -> &'static str {
    match answer {
        QuestionAnswer::Yes => "does it",
        QuestionAnswer::No => "does not do it",
        QuestionAnswer::Partly => "helps, not enough",
        QuestionAnswer::NotEnoughEvidence => "not enough evidence",
        QuestionAnswer::KeepGoing => "keep going",
        QuestionAnswer::NotTried => "not tried",
        QuestionAnswer::CannotHelp => "cannot help",
        QuestionAnswer::NotNeeded => "not needed",
    }
}

/// Where a step stands, as a mark that reads without colour and a word.
pub fn mark(state: QuestionState) -> (&'static str, &'static str) {
    match state {
        QuestionState::Done => ("✓", "done"),
        QuestionState::Next => ("→", "next"),
        QuestionState::Skipped => ("·", "skipped"),
        QuestionState::Waiting => ("…", "waiting"),
    }
}

#[cfg(test)]
mod tests;
