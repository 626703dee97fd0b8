//! What one reads of a verdict in five seconds: at most three decisive figures, and the ladder as done,
//! skipped, next. Terminal, page and pull request all show these.

use super::figure::{Figure, Form};
use crate::decide::{
    LabelCeiling, Payback, Question, QuestionAnswer, QuestionState, Rule, Rung, Trigger, TriggerState, Verdict,
};
use crate::stats::paired::PairedVerdict;
use crate::variant::VariantId;

/// Figures that a reader keeps in mind.
const MOST_FIGURES: usize = 3;

/// The triggers' names, T1 to T5.
pub const TRIGGERS: [&str; 5] = ["schema validity", "quality ceiling", "first token", "monthly cost", "self-hosting"];

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

/// How much a figure bears on the verdict, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// The rule that decided rests on it.
    Decides,
    /// A target that is missed.
    Missed,
    /// A target that keeps the verdict open.
    Open,
    /// A variant that beats the one in use.
    Gain,
    /// Known, and asks for nothing.
    Beside,
}

/// The figures that decide, the most telling one first.
pub fn decisive(verdict: &Verdict) -> Vec<Decisive> {
    let rule = verdict.rule;
    let mut all: Vec<(Weight, Decisive)> = Vec::new();
    all.extend(label_ceiling(verdict).filter(|_| rule == Rule::LabelCeiling).map(|one| (Weight::Decides, one)));
    all.extend(payback(verdict, rule));
    // Quality first: it is what the ladder is climbed for.
    for place in [1, 0, 2, 3] {
        let weight = match verdict.triggers.in_order()[place].state {
            TriggerState::Fired | TriggerState::Open => Weight::Missed,
            TriggerState::Unknown => Weight::Open,
            TriggerState::Clear | TriggerState::Na => Weight::Beside,
        };
        all.extend(trigger(verdict, place).map(|one| (weight, one)));
    }
    all.extend(paired(verdict, rule));
    all.sort_by_key(|(weight, _)| *weight);
    all.truncate(MOST_FIGURES);
    all.into_iter().map(|(_, one)| one).collect()
}

/// What a trigger's figure is called, its unit, and on which side of the target it is to be.
const FIGURES: [(&str, Form, &str); 4] = [
    ("valid answers", Form::Percent, "at least"),
    ("accuracy", Form::Percent, "at least"),
    ("p95 first token", Form::Milliseconds, "at most"),
    ("cost a month", Form::Usd, "at most"),
];

/// A trigger that has a target; what was not measured of it is said to be unknown.
fn trigger(verdict: &Verdict, place: usize) -> Option<Decisive> {
    let Trigger { state, target, finding, variant, .. } = verdict.triggers.in_order()[place];
    let (name, form, side) = *FIGURES.get(place)?;
    let target = (*target)?;
    let at = format!("/verdict/triggers/t{}/finding", place + 1);
    let figure = match finding {
        Some(finding) => Figure::estimate(finding, form, &at).against(target),
        None => Figure::unknown(form, &at),
    };
    let of = variant.as_ref().or(verdict.incumbent.as_ref()).map_or_else(String::new, |id| format!(" of {id}"));
    Some(Decisive {
        name: format!("{name}{of}"),
        figure,
        target: Some(format!("{side} {}", form.exact(target))),
        caution: (place == 1).then_some("best prompt"),
        says: match state {
            TriggerState::Fired | TriggerState::Open => "missed",
            TriggerState::Clear => "met",
            TriggerState::Unknown => "not shown",
            TriggerState::Na => "no target",
        },
    })
}

/// What a perfect system would score by these labels.
fn label_ceiling(verdict: &Verdict) -> Option<Decisive> {
    let label = &verdict.label_ceiling;
    let target = verdict.triggers.t2.target?;
    let at = "/verdict/label_ceiling/ceiling";
    let figure = match label.ceiling {
        Some(range) => Figure::between((range.low, range.high), Form::Percent, at).against(target),
        None => Figure::unknown(Form::Percent, at),
    };
    Some(Decisive {
        name: "labels allow at most".to_owned(),
        figure,
        target: Some(format!("at least {}", Form::Percent.exact(target))),
        caution: None,
        says: match label.state {
            LabelCeiling::Reachable => "enough",
            LabelCeiling::Unreachable => "too little",
            LabelCeiling::Unknown => "not shown",
        },
    })
}

/// Another variant against the one in use. That nothing beats it decides less than the targets do.
fn paired(verdict: &Verdict, rule: Rule) -> Option<(Weight, Decisive)> {
    let paired = verdict.paired.as_ref()?;
    let says = match paired.verdict {
        PairedVerdict::Better => "better",
        PairedVerdict::Worse => "worse",
        PairedVerdict::NotEnoughEvidence => "not shown",
    };
    let rests_on_it = matches!(rule, Rule::Better(_) | Rule::BetterPaybackUnknown);
    let weight = match paired.verdict {
        PairedVerdict::Better if rests_on_it => Weight::Decides,
        // Prompting is still open, and something else is ahead of it: that is what the argument is about.
        PairedVerdict::Better if rule == Rule::Iterate => Weight::Missed,
        PairedVerdict::Better => Weight::Gain,
        _ => return None,
    };
    let one = Decisive {
        name: format!("{} over {}", paired.variant, paired.baseline),
        figure: Figure::estimate(&paired.difference, Form::Points, "/verdict/paired/difference"),
        target: None,
        caution: Some("chosen here"),
        says,
    };
    Some((weight, one))
}

/// When training pays back: also where the answer is never, or not known.
fn payback(verdict: &Verdict, rule: Rule) -> Option<(Weight, Decisive)> {
    let known = verdict.break_even.as_ref()?;
    let trains = rule.rung().is_some_and(Rung::trains);
    let rests_on_it = trains || matches!(rule, Rule::NoPayback | Rule::PaybackUnknown | Rule::BetterPaybackUnknown);
    let weight = match known.months {
        _ if rests_on_it => Weight::Decides,
        Some(_) => Weight::Gain,
        None => return None,
    };
    let (form, at) = (Form::Months, "/verdict/break_even");
    let figure = match (known.months, known.answer) {
        (Some(months), _) => {
            let range = (known.months_low.unwrap_or(0.0), known.months_high.unwrap_or(f64::INFINITY));
            Figure::range(months, range, form, at, ["months", "months_low", "months_high"])
        }
        (None, Payback::No) => Figure { absent: "never", ..Figure::unknown(form, at) },
        (None, _) => Figure::unknown(form, at),
    };
    let one = Decisive {
        name: "training pays back in".to_owned(),
        figure: figure.against(known.horizon_months),
        target: Some(format!("within {}", form.exact(known.horizon_months))),
        caution: None,
        says: match verdict.payback {
            Payback::Yes => "pays back",
            Payback::No => "does not",
            Payback::Unknown => "not shown",
            Payback::Waived => "not decisive",
        },
    };
    Some((weight, one))
}

/// The six questions as a ladder.
pub fn ladder(verdict: &Verdict) -> Vec<LadderStep> {
    verdict.questions.iter().map(|question| step(verdict, question)).collect()
}

fn step(verdict: &Verdict, question: &Question) -> LadderStep {
    let of_rung = |rung: &Rung| verdict.rungs.get(rung).and_then(|report| report.variant.clone());
    let prompt = verdict.triggers.t2.variant.clone().filter(|_| question.number == 1);
    LadderStep {
        number: question.number,
        name: NAMES.get(usize::from(question.number).saturating_sub(1)).copied().unwrap_or("step"),
        state: question.state,
        answer: answer(question),
        variants: prompt.into_iter().chain(question.rungs.iter().filter_map(of_rung)).collect(),
    }
}

const NAMES: [&str; 6] =
    ["prompt and few-shot", "schema", "prompt cache", "retrieval", "light tuning", "full fine-tune"];

/// The first question asks whether prompting was tried and falls short, the others whether a step is enough.
fn answer(question: &Question) -> &'static str {
    let of_prompting = question.number == 1;
    match question.answer {
        QuestionAnswer::Yes if of_prompting => "at its ceiling, short of the target",
        QuestionAnswer::No if of_prompting => "meets the target",
        QuestionAnswer::NotNeeded if of_prompting => "no target",
        QuestionAnswer::Yes => "does it",
        QuestionAnswer::No => "does not do it",
        QuestionAnswer::Partly => "helps, not enough",
        QuestionAnswer::NotEnoughEvidence => "not enough evidence",
        QuestionAnswer::KeepGoing => "keep going",
        QuestionAnswer::NotTried => "not tried",
        QuestionAnswer::CannotHelp => "cannot help",
        QuestionAnswer::NotYet => "not yet",
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
