//! The ladder's verdict on what was measured: pure and total.
//!
//! Order of the work: who is eligible and in use (`evidence`), the five triggers, the
//! label ceiling, the rungs, the payback; then one pure rule function, [`ladder::ladder`]; then words.
//! Every combination of evidence gives exactly one verdict. What is unknown never becomes yes or no.

mod advice;
mod ceiling;
mod economics;
mod evidence;
mod flips;
mod given;
mod headroom;
mod labels;
pub mod ladder;
mod pair;
mod prose;
mod quality;
mod questions;
mod rivals;
mod rungs;
mod subject;
mod trace;
mod trained;
mod triggers;
mod tuned;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

pub use ceiling::{CeilingRound, CeilingTest, Extrapolation, FewShot, WindowGain};
pub use economics::BreakEven;
pub use evidence::PairedComparison;
pub use given::{FAMILY as EVIDENCE_FAMILY, Given};
pub use labels::{LabelReport, LabelSource, of_labels as label_ceiling};
pub use ladder::{LabelCeiling, LadderState, Payback, Phase, Rule, Rung, RungStatus, TriggerState, VerdictKind};
pub use questions::{Question, QuestionAnswer, QuestionState};
pub use rungs::RungReport;
pub use subject::Source;
pub use trace::Derivation;
pub use trained::{AgainstTrained, Leaning, TrainedReport};
pub use triggers::{Trigger, Triggers};
pub use tuned::{Requirement, TunedReport};

use crate::measure::Measurements;
use crate::suite::{
    DoubleAnnotation, Economics, ErrorClasses, LabelAudit, OtherSplit, Range, Statistics, Suite, Targets,
};
use crate::variant::VariantId;
use evidence::Evidence;
use subject::Subject;

/// What the verdict reads of a suite.
#[derive(Debug, Clone, Copy)]
pub struct SuiteFacts<'a> {
    /// What the product needs.
    pub targets: &'a Targets,
    /// What training costs and brings.
    pub economics: Option<&'a Economics>,
    /// Levels and seed.
    pub statistics: Statistics,
    /// A random re-check of labels, if there was one.
    pub audit: Option<LabelAudit>,
    /// Second labels, if there are any.
    pub annotations: Option<DoubleAnnotation>,
    /// Causes of the errors of the variant in use, if they were labelled.
    pub error_classes: Option<ErrorClasses>,
    /// Rungs, or few-shot, declared impossible.
    pub impossible: &'a [String],
    /// The variant now in use, if named.
    pub incumbent: Option<&'a VariantId>,
    /// How much worse is still no worse.
    pub margin: f64,
    /// The run whose failures the examples are: whatever was chosen so says nothing of the rest.
    pub failures_of: Option<&'a str>,
    /// The split that was asked in place of the test examples.
    pub asked_instead: Option<OtherSplit>,
    /// The day of the decision: what a tuned model brings ends on the day on which it retires.
    pub today: Option<jiff::civil::Date>,
}

impl<'a> SuiteFacts<'a> {
    /// What a verdict on this day reads of a suite.
    pub fn on(suite: &'a Suite, today: jiff::civil::Date) -> Self {
        Self {
            today: Some(today),
            targets: &suite.targets,
            economics: suite.economics.as_ref(),
            statistics: suite.statistics,
            audit: suite.audit,
            annotations: suite.annotations,
            error_classes: suite.error_classes,
            impossible: &suite.impossible,
            incumbent: suite.incumbent.as_ref(),
            margin: suite.gate.margin,
            failures_of: suite.failures_of.as_deref(),
            asked_instead: suite.asked_instead,
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextStep {
    /// The rung, where the step is one.
    pub rung: Option<Rung>,
    /// The step, in a sentence.
    pub what: String,
    /// What it usually costs beside working time and labelling, in USD: figures of the field, not of this
    /// task. `None` where there is none.
    pub usual_cost_usd: Option<Range>,
    /// Labelling as `[economics]` states it, for a step that trains.
    pub labelling_usd: Option<Range>,
    /// Whether it is to be tried or shipped.
    pub phase: Phase,
    /// The measured variant that does it, if there is one.
    pub variant: Option<VariantId>,
}

/// The ladder's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The next action.
    pub kind: VerdictKind,
    /// The rule that says so.
    pub rule: Rule,
    /// Whether the action is to be tried or shipped.
    pub phase: Phase,
    /// The verdict in a sentence.
    pub headline: String,
    /// Why, in sentences with figures, the deciding one first.
    pub reasons: Vec<String>,
    /// Stable words such as `target-not-reached`.
    pub notes: Vec<String>,
    /// The five triggers.
    pub triggers: Triggers,
    /// The six questions in order, with what was tried.
    pub questions: Vec<Question>,
    /// The ceiling test; null without an accuracy target.
    pub ceiling_test: Option<CeilingTest>,
    /// The label ceiling.
    pub label_ceiling: LabelReport,
    /// The rungs.
    pub rungs: BTreeMap<Rung, RungReport>,
    /// A self-hosted prompted model (rule L5).
    pub self_hosted_prompt: RungReport,
    /// Whether any prompted variant meets every target, be it in use or not.
    pub any_prompt: RungReport,
    /// Whether training pays back, as the rules read it.
    pub payback: Payback,
    /// What to do next, if anything.
    pub next_step: Option<NextStep>,
    /// When training would pay back, where economics are configured.
    pub break_even: Option<BreakEven>,
    /// What a tuned variant showed, or would have to reach.
    pub tuned: TunedReport,
    /// What a baseline that was trained on the pool says of training; null where none was trained.
    pub trained_baseline: Option<TrainedReport>,
    /// What would change the verdict.
    pub flips_if: Vec<String>,
    /// How many more examples (or, for the label ceiling, labels) would settle it.
    pub n_to_settle: Option<u64>,
    /// The variant now in use.
    pub incumbent: Option<VariantId>,
    /// The variant with the highest measured accuracy.
    pub best_variant: Option<VariantId>,
    /// The best other variant against the one in use, on the same examples.
    pub paired: Option<PairedComparison>,
}

/// Everything found before the rules are asked.
struct Findings<'a> {
    evidence: &'a Evidence<'a>,
    /// Why the data cannot be used, if so.
    unusable: Option<String>,
    triggers: Triggers,
    ceiling: Option<CeilingTest>,
    label: LabelReport,
    rungs: BTreeMap<Rung, RungReport>,
    gains: Vec<rungs::Gain>,
    self_hosted_prompt: RungReport,
    /// Whether any prompted variant meets every target.
    any_prompt: RungReport,
    payback: Payback,
    /// The same where neither time nor law decides.
    payback_unwaived: Payback,
    payback_why: String,
    break_even: Option<BreakEven>,
    tuned: TunedReport,
    trained: Option<TrainedReport>,
    paired: Option<PairedComparison>,
}

impl Findings<'_> {
    fn rule(&self) -> (VerdictKind, Rule) {
        ladder::guarded(&self.state(), self.any_prompt.status)
    }

    fn state(&self) -> LadderState {
        let status = |rung: Rung| self.rungs.get(&rung).map_or(RungStatus::Untried, |r| r.status);
        LadderState {
            data_usable: self.unusable.is_none(),
            triggers: self.triggers.states(),
            label: self.label.state,
            rungs: Rung::ALL.map(status),
            payback: self.payback,
            self_hosted_prompt: self.self_hosted_prompt.status,
        }
    }
}

/// The verdict on what was measured. Never panics; never NaN.
pub fn decide(facts: &SuiteFacts<'_>, measured: &Measurements) -> Verdict {
    let evidence = Evidence::of_run(facts, measured);
    let findings = assess(&evidence);
    conclude(findings)
}

/// The verdict with where each of its figures comes from.
pub fn explain(facts: &SuiteFacts<'_>, measured: &Measurements) -> (Verdict, Vec<Derivation>) {
    explained(&Evidence::of_run(facts, measured))
}

/// The same on evidence from anywhere.
fn explained(evidence: &Evidence<'_>) -> (Verdict, Vec<Derivation>) {
    let findings = assess(evidence);
    let (kind, rule) = findings.rule();
    let derivations = trace::all(&findings, kind, rule);
    (conclude(findings), derivations)
}

/// Everything that the rules read.
fn assess<'a>(evidence: &'a Evidence<'a>) -> Findings<'a> {
    let (quality, ceiling) = quality::ceiling(evidence);
    let triggers = triggers::all(evidence, quality);
    let rival = evidence.best(evidence.incumbent);
    let trained = trained::report(evidence);
    let (rungs, gains) = rungs::all(evidence, &triggers, trained.as_ref());
    let mut findings = Findings {
        unusable: unusable(evidence),
        rungs,
        gains,
        self_hosted_prompt: rungs::self_hosted_prompt(evidence),
        any_prompt: rungs::any_prompt(evidence),
        label: labels::ceiling(evidence),
        tuned: tuned::report(evidence),
        trained,
        ceiling,
        paired: evidence.incumbent.zip(rival).map(|(a, b)| evidence.comparison(a, b)),
        evidence,
        triggers,
        payback: Payback::Yes,
        payback_unwaived: Payback::Yes,
        payback_why: String::new(),
        break_even: None,
    };
    settle_payback(&mut findings);
    findings
}

/// Payback is asked of the variant that would be shipped: of the training rung at which the rules arrive
/// if it pays. One that merely improves and does not pay is passed over for the next (L10).
fn settle_payback(findings: &mut Findings<'_>) {
    let evidence = findings.evidence;
    let states = findings.triggers.states();
    let waived = states[2] == TriggerState::Fired || states[4] == TriggerState::Fired;
    loop {
        let optimistic = LadderState { payback: Payback::Yes, ..findings.state() };
        let (_, rule) = ladder::ladder(&optimistic);
        let rung = rule.rung().filter(|rung| rung.trains());
        let shipped = rung.filter(|_| rule.phase() == Phase::Ship).and_then(|rung| findings.rungs.get(&rung));
        let place = shipped.and_then(|report| evidence.place_of(report.variant.as_ref()?));
        (findings.payback, findings.break_even, findings.payback_why) = economics::payback(evidence, waived, place);
        findings.payback_unwaived =
            if waived { economics::payback(evidence, false, place).0 } else { findings.payback };
        match (rule, findings.payback) {
            (Rule::Better(rung), Payback::No) if rung.trains() => {
                let Some(report) = findings.rungs.get_mut(&rung) else { return };
                report.status = RungStatus::Fail;
                report.explanation =
                    format!("{}; it helps and does not pay back: {}", report.explanation, findings.payback_why);
            }
            _ => return,
        }
    }
}

/// The rules, and what they say in words.
fn conclude(findings: Findings<'_>) -> Verdict {
    let evidence = findings.evidence;
    let (kind, rule) = findings.rule();
    let id = |place: usize| evidence.at(place).variant.id.clone();
    Verdict {
        kind,
        rule,
        phase: rule.phase(),
        headline: advice::headline(&findings, rule),
        reasons: advice::reasons(&findings, rule),
        notes: advice::notes(&findings, rule),
        next_step: advice::next_step(&findings, rule),
        flips_if: flips::flips(&findings),
        n_to_settle: advice::n_to_settle(&findings, rule),
        questions: questions::all(&findings, rule),
        incumbent: evidence.incumbent.map(id),
        best_variant: evidence.best(None).map(id),
        triggers: findings.triggers,
        ceiling_test: findings.ceiling,
        label_ceiling: findings.label,
        tuned: findings.tuned,
        trained_baseline: findings.trained,
        rungs: findings.rungs,
        self_hosted_prompt: findings.self_hosted_prompt,
        any_prompt: findings.any_prompt,
        payback: findings.payback,
        break_even: findings.break_even,
        paired: findings.paired,
    }
}

/// Why the data cannot decide anything (rule L1), if so.
fn unusable(evidence: &Evidence<'_>) -> Option<String> {
    let subjects = &evidence.subjects;
    if evidence.setting.source == Source::Stated {
        if !subjects.iter().any(Subject::is_known) {
            return Some("no figure is stated".to_owned());
        }
        if evidence.setting.clusters.len() > 1 && evidence.setting.groups() < 2 {
            return Some("all examples share one cluster, so nothing can be said beyond it".to_owned());
        }
    } else {
        if !subjects.iter().any(|subject| subject.accuracy.is_known()) {
            return Some("no answer was scored".to_owned());
        }
        if evidence.setting.groups() < 2 {
            return Some("all examples share one cluster, so nothing can be said beyond it".to_owned());
        }
    }
    if let Some(run) = evidence.facts.failures_of {
        return Some(format!(
            "the examples are those that failed in run {run}: how often they are answered right says nothing of the \
             task as a whole"
        ));
    }
    if let Some(split) = evidence.facts.asked_instead {
        let split = split.as_str();
        return Some(format!(
            "the {split} was asked, not the test examples: prompts and tuned models may have seen it"
        ));
    }
    let sum = |of: fn(&Subject<'_>) -> u64| subjects.iter().map(of).fold(0, u64::saturating_add);
    let (asked, missing) = (sum(|subject| subject.asked), sum(|subject| subject.missing));
    if missing as f64 > crate::measure::MOST_MISSING * asked as f64 {
        return Some(too_many_missing(evidence, missing, asked));
    }
    match evidence.incumbent {
        Some(place) if !evidence.usable(place) => {
            let subject = evidence.at(place);
            Some(match subject.is_known() {
                true => too_many_missing(evidence, subject.missing, subject.asked),
                false => format!("no figure of {}, the variant in use, is known", evidence.name(place)),
            })
        }
        None if !evidence.facts.targets.self_hosted => {
            Some("no prompted variant was measured, so there is nothing to compare with".to_owned())
        }
        _ => None,
    }
}

fn too_many_missing(evidence: &Evidence<'_>, missing: u64, asked: u64) -> String {
    let worst = evidence.subjects.iter().max_by_key(|subject| subject.missing);
    let most = worst.map_or_else(String::new, |subject| {
        let why = subject.failure.map_or_else(String::new, |message| format!(": {message}"));
        format!("; most of them of `{}`{why}", subject.variant.id)
    });
    format!(
        "{} of {} answers are missing, more than {}{most}",
        prose::count(missing),
        prose::count(asked),
        prose::percent(crate::measure::MOST_MISSING)
    )
}
