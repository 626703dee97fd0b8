//! The verdict in words: headline, reasons, notes, the next step.

use super::ceiling::{FewShot, WINDOW};
use super::evidence::Metric;
use super::ladder::{LabelCeiling, Phase, Rule, Rung, RungStatus, TriggerState};
use super::rungs::RungReport;
use super::subject::Source;
use super::trained::Leaning;
use super::{Findings, NextStep, Payback, economics, prose};
use crate::stats::Answer3;
use crate::stats::paired::PairedVerdict;
use crate::suite::Range;

/// The verdict in a sentence.
pub(super) fn headline(findings: &Findings<'_>, rule: Rule) -> String {
    match rule {
        Rule::NoData => match &findings.unusable {
            Some(why) => format!("Not enough evidence: {why}."),
            None => "Not enough evidence: the data cannot be used.".to_owned(),
        },
        Rule::Iterate if findings.ceiling.as_ref().is_some_and(|test| !test.tried_enough()) => {
            "Keep prompting: the prompts miss the target, and too little was tried to call that a ceiling.".to_owned()
        }
        Rule::Iterate => "Keep prompting: the prompts miss the target, and still gain.".to_owned(),
        Rule::TriggerUnknown if every_prompt_misses(findings) => {
            "Not enough evidence: every prompt that was tried misses the accuracy target, but whether they have levelled off is not shown.".to_owned()
        }
        Rule::TriggerUnknown => "Not enough evidence: no target is shown to be missed, and not all are shown to be met.".to_owned(),
        Rule::NoTrigger if no_targets(findings) => {
            "Keep prompting: no target is configured, so nothing asks for more.".to_owned()
        }
        Rule::NoTrigger => no_trigger(findings),
        Rule::SelfHosted(RungStatus::Pass) => "Keep prompting: ship the self-hosted prompt, which meets every target.".to_owned(),
        Rule::SelfHosted(RungStatus::Untried) => "Keep prompting: measure a self-hosted prompted model before any training.".to_owned(),
        Rule::SelfHosted(_) => "Not enough evidence: whether the self-hosted prompt meets the targets is not shown.".to_owned(),
        Rule::LabelCeiling if findings.label.state == LabelCeiling::Unreachable => {
            "Suite unfit: fix the labels first, or lower the target. The labels do not allow the accuracy target, whatever is trained.".to_owned()
        }
        Rule::LabelCeiling => "Not enough evidence: the prompts that were tried have levelled off below the target, but whether the labels allow the target is not known.".to_owned(),
        Rule::Next(rung, RungStatus::Pass) => format!("Ship {}: it was measured to be enough.", noun(rung)),
        Rule::Next(rung, RungStatus::Unknown) => {
            format!("Not enough evidence: whether {} is enough is not shown.", noun(rung))
        }
        Rule::Next(rung, _) => format!("Try {} next: it is the cheapest step left.", noun(rung)),
        Rule::NotPlateaued => "Keep prompting: schema validity is missed, but the prompts have not levelled off, so training is not yet the question.".to_owned(),
        Rule::NoPayback => "Keep prompting: training would not pay back within the horizon.".to_owned(),
        Rule::PaybackUnknown | Rule::BetterPaybackUnknown => {
            "Not enough evidence: only training is left, and whether it pays back is not known.".to_owned()
        }
        Rule::Better(rung) => format!("Ship {}: it helps, but does not reach the target.", noun(rung)),
        Rule::NothingHelps => "Keep prompting: nothing measured helps or pays.".to_owned(),
        Rule::OtherPrompt(RungStatus::Pass) => format!(
            "Keep prompting: the prompt in use misses a target, but {} meets every one; ship that.",
            other_prompt(findings)
        ),
        Rule::OtherPrompt(_) => format!(
            "Not enough evidence: {}, which is prompted too, may meet every target; settle that before any training.",
            other_prompt(findings)
        ),
    }
}

/// Quality may be met by one prompt, and time and money by the one in use: then no single one is shown to
/// meet them all.
fn no_trigger(findings: &Findings<'_>) -> String {
    let incumbent = findings.evidence.incumbent.map(|place| &findings.evidence.at(place).variant.id);
    match (findings.any_prompt.status, findings.any_prompt.variant.as_ref()) {
        (RungStatus::Pass, other) if other == incumbent => "Keep prompting: every configured target is met.".to_owned(),
        (RungStatus::Pass, Some(other)) => format!("Keep prompting: `{other}` meets every configured target."),
        _ => "Keep prompting: each target is met by a prompt, but no single one is shown to meet them all.".to_owned(),
    }
}

fn other_prompt(findings: &Findings<'_>) -> String {
    findings.any_prompt.variant.as_ref().map_or_else(String::new, |id| format!("`{id}`"))
}

fn every_prompt_misses(findings: &Findings<'_>) -> bool {
    findings.ceiling.as_ref().is_some_and(|test| test.target_missed == Answer3::Yes)
}

/// Whether the rounds are a floor: their answers mostly cannot be read.
fn rounds_are_a_floor(findings: &Findings<'_>) -> bool {
    let unreadable = findings.ceiling.as_ref().is_some_and(|test| test.unreadable().is_some());
    unreadable && findings.triggers.t2.state == TriggerState::Open
}

fn no_targets(findings: &Findings<'_>) -> bool {
    findings.triggers.states()[..4].iter().all(|&state| state == TriggerState::Na)
}

fn noun(rung: Rung) -> &'static str {
    match rung {
        Rung::Schema => "a schema",
        Rung::Cache => "the prompt cache",
        Rung::Rag => "retrieval",
        Rung::Dpo => "preference tuning",
        Rung::Lora => "a LoRA or distilled model",
        Rung::Full => "a full fine-tune",
    }
}

/// Why, the deciding sentence first.
pub(super) fn reasons(findings: &Findings<'_>, rule: Rule) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    if let Some(why) = &findings.unusable {
        return vec![why.clone()];
    }
    let triggers = findings.triggers.in_order();
    let fired = triggers.iter().filter(|t| t.state == TriggerState::Fired);
    reasons.extend(fired.map(|t| t.explanation.clone()));
    reasons.extend(deciding(findings, rule));
    let open = |state: TriggerState| matches!(state, TriggerState::Open | TriggerState::Unknown);
    reasons.extend(triggers.iter().filter(|t| open(t.state)).map(|t| t.explanation.clone()));
    let clear = triggers.iter().take(4).filter(|t| t.state == TriggerState::Clear);
    reasons.extend(clear.map(|t| t.explanation.clone()));
    reasons.extend(rival(findings));
    reasons.extend(findings.tuned.variant.is_some().then(|| findings.tuned.explanation.clone()));
    reasons.extend(findings.trained.as_ref().map(|trained| trained.explanation.clone()));
    let mut seen: Vec<String> = Vec::new();
    for reason in reasons.into_iter().filter(|reason| !reason.is_empty()) {
        if !seen.contains(&reason) {
            seen.push(reason);
        }
    }
    seen
}

/// What the matching rule rests on beside the triggers.
fn deciding(findings: &Findings<'_>, rule: Rule) -> Vec<String> {
    let told = |rung: Rung| {
        let report = findings.rungs.get(&rung);
        report.map(|report| format!("{}: {}", noun(rung), report.explanation))
    };
    match rule {
        Rule::SelfHosted(_) => vec![findings.self_hosted_prompt.explanation.clone()],
        Rule::OtherPrompt(_) => vec![findings.any_prompt.explanation.clone()],
        Rule::LabelCeiling => vec![findings.label.explanation.clone()],
        Rule::Iterate | Rule::NotPlateaued => vec![findings.triggers.t2.explanation.clone()],
        Rule::Next(rung, _) if rung.trains() => told(rung).into_iter().chain([findings.payback_why.clone()]).collect(),
        Rule::Next(rung, _) => told(rung).into_iter().collect(),
        Rule::NoPayback | Rule::PaybackUnknown | Rule::BetterPaybackUnknown => {
            vec![findings.payback_why.clone()]
        }
        Rule::Better(_) | Rule::NothingHelps => findings.state().relevant().filter_map(told).collect(),
        _ => Vec::new(),
    }
}

/// The best other variant against the incumbent.
fn rival(findings: &Findings<'_>) -> Option<String> {
    let paired = findings.paired.as_ref()?;
    let verdict = match paired.verdict {
        PairedVerdict::Better => "better",
        PairedVerdict::Worse => "worse",
        PairedVerdict::NotEnoughEvidence => "neither better nor worse for certain",
    };
    let p = if paired.p < 0.001 { "under 0.001".to_owned() } else { prose::number(paired.p, 3) };
    Some(format!(
        "the best other variant, `{}`, against `{}`: {} (p {p}), {verdict}; it was chosen on the same examples, so this flatters it",
        paired.variant,
        paired.baseline,
        prose::difference(&paired.difference),
    ))
}

/// Stable words about the verdict.
pub(super) fn notes(findings: &Findings<'_>, rule: Rule) -> Vec<String> {
    let evidence = findings.evidence;
    let best_prompt_misses = evidence.best(None).is_some_and(|place| {
        let target = evidence.facts.targets.accuracy;
        let high = evidence.bounds(place, Metric::Accuracy, evidence.alpha()).interval.high;
        target.is_some_and(|target| high < target)
    });
    let waits = evidence.subjects.iter().any(|subject| subject.missing > 0);
    let unjudged = evidence.facts.targets.ttft_p95_ms.is_some() && !evidence.setting.latency_comparable;
    let source = evidence.setting.source;
    let trained = findings.trained.as_ref();
    let words = [
        ("target-not-reached", best_prompt_misses || matches!(rule, Rule::Better(_))),
        ("undertrained", is_undertrained(findings)),
        ("trained-baseline-meets-target", trained.is_some_and(|known| known.meets_target == Some(Answer3::Yes))),
        ("trained-baseline-speaks-against", trained.is_some_and(|known| known.leaning == Some(Leaning::Against))),
        ("suite-unfit", findings.label.state == LabelCeiling::Unreachable),
        ("no-targets", no_targets(findings)),
        ("few-shot-not-tried", few_shot_is_left(findings)),
        ("prompt-rounds-not-readable", rounds_are_a_floor(findings)),
        ("few-clusters", (2..10).contains(&evidence.setting.groups())),
        ("answers-missing", waits),
        ("latency-not-judged", unjudged),
        ("stopped-early", evidence.setting.anytime.is_some()),
        ("recorded-answers", source == Source::Recorded),
        ("imported-answers", source == Source::Imported),
        ("stated-figures", source == Source::Stated),
        ("named-incumbent-not-measured", named_incumbent_is_absent(findings) && !named_is_known(findings)),
        ("named-incumbent-not-eligible", named_incumbent_is_absent(findings) && named_is_known(findings)),
    ];
    words.into_iter().filter(|(_, holds)| *holds).map(|(word, _)| word.to_owned()).collect()
}

/// Whether tuned variants are below what the labels support; without a trained baseline, whether the best one misses
/// the target.
fn is_undertrained(findings: &Findings<'_>) -> bool {
    match &findings.trained {
        Some(trained) => !trained.undertrained.is_empty(),
        None => findings.tuned.misses_target,
    }
}

/// Whether the target is missed and few-shot was not tried.
fn few_shot_is_left(findings: &Findings<'_>) -> bool {
    let untried = findings.ceiling.as_ref().is_some_and(|test| test.few_shot == FewShot::NotTried);
    untried && findings.triggers.t2.state == TriggerState::Open
}

fn named_is_known(findings: &Findings<'_>) -> bool {
    let named = findings.evidence.facts.incumbent;
    named.is_some_and(|named| {
        findings.evidence.place_of(named).is_some_and(|place| findings.evidence.at(place).was_asked())
    })
}

fn named_incumbent_is_absent(findings: &Findings<'_>) -> bool {
    let evidence = findings.evidence;
    let used = evidence.incumbent.map(|place| &evidence.at(place).variant.id);
    evidence.facts.incumbent.is_some_and(|named| Some(named) != used)
}

/// What to do next.
pub(super) fn next_step(findings: &Findings<'_>, rule: Rule) -> Option<NextStep> {
    let rung = rule.rung();
    let report = rung.and_then(|rung| findings.rungs.get(&rung));
    let report = match rule {
        Rule::SelfHosted(_) => Some(&findings.self_hosted_prompt),
        Rule::OtherPrompt(_) => Some(&findings.any_prompt),
        _ => report,
    };
    Some(NextStep {
        rung,
        what: step(findings, rule)?,
        usual_cost_usd: usual_cost(rule),
        labelling_usd: rung
            .filter(|rung| rung.trains())
            .and(findings.evidence.facts.economics)
            .map(|e| e.labelling_usd),
        phase: rule.phase(),
        variant: report.and_then(|report| report.variant.clone()),
    })
}

/// Another prompt or few-shot costs working time alone.
fn usual_cost(rule: Rule) -> Option<Range> {
    match rule {
        Rule::Iterate | Rule::NotPlateaued | Rule::OtherPrompt(_) => Some(Range { low: 0.0, high: 0.0 }),
        _ => rule.rung().map(economics::usual_cost),
    }
}

/// The step in a sentence; `None` where there is nothing to do.
fn step(findings: &Findings<'_>, rule: Rule) -> Option<String> {
    let more = |n: Option<u64>, what: &str| {
        n.map_or_else(
            || "narrow what is unknown above".to_owned(),
            |n| format!("measure about {} {what}", prose::count(n)),
        )
    };
    let n = n_to_settle(findings, rule);
    Some(match rule {
        Rule::NoData if findings.evidence.facts.asked_instead.is_some() => {
            "run without --on, which asks the test examples".to_owned()
        }
        Rule::NoData => "mend the run and repeat it".to_owned(),
        Rule::Iterate | Rule::NotPlateaued => iterate(findings),
        Rule::TriggerUnknown | Rule::SelfHosted(RungStatus::Unknown) => more(n, "examples"),
        Rule::OtherPrompt(RungStatus::Pass) => format!("ship {}", other_prompt(findings)),
        Rule::OtherPrompt(_) => more(n, "examples"),
        Rule::NoTrigger => return one_for_all(findings),
        Rule::SelfHosted(RungStatus::Pass) => "ship the self-hosted prompt".to_owned(),
        Rule::SelfHosted(_) => "measure a self-hosted prompted model".to_owned(),
        Rule::LabelCeiling if findings.label.state == LabelCeiling::Unreachable => {
            "mend the labels or lower the accuracy target".to_owned()
        }
        Rule::LabelCeiling => n.map_or_else(
            || "mend the labels or move the accuracy target: it lies too close to the label ceiling to call".to_owned(),
            |n| format!("have about {} randomly chosen labels checked (more if some are wrong) and write the counts to `[data] audit`", prose::count(n)),
        ),
        Rule::Next(_, RungStatus::Unknown) => more(n, "examples"),
        Rule::Next(rung, _) | Rule::Better(rung) => action(findings, rung, rule.phase()),
        Rule::NoPayback | Rule::NothingHelps => stay(findings),
        Rule::PaybackUnknown | Rule::BetterPaybackUnknown => settle_payback(findings),
    })
}

/// The prompt in use stays; where money alone spoke against a model that helps, what else may be said for it.
fn stay(findings: &Findings<'_>) -> String {
    let too_dear = findings.break_even.as_ref().is_some_and(|known| known.answer == Payback::No);
    let priced = findings.evidence.facts.economics.is_some_and(|stated| stated.value_per_error_usd.is_some());
    let hint =
        if too_dear && !priced { "; if a wrong answer costs money, state it as `value_per_error_usd`" } else { "" };
    format!("stay with the prompt in use{hint}")
}

/// What is missing for a break-even: the figures, proof that the saving is not bought with errors, or narrower ranges.
fn settle_payback(findings: &Findings<'_>) -> String {
    let known = findings.break_even.as_ref().filter(|known| known.saving_usd.is_some());
    match known {
        None => "find out what a request costs with and without tuning, and how many there are a month".to_owned(),
        Some(known) if known.caveat.is_some() => {
            "show on more examples that the tuned variant makes no more errors than the one in use".to_owned()
        }
        Some(known) => format!(
            "narrow the saving, the volume or the fixed cost: the payback lies on both sides of {}",
            prose::months(Some(known.horizon_months))
        ),
    }
}

/// What is to be done where nothing has fired, and the prompt in use is not the one that meets the targets.
fn one_for_all(findings: &Findings<'_>) -> Option<String> {
    let evidence = findings.evidence;
    let incumbent = evidence.incumbent.map(|place| &evidence.at(place).variant.id);
    match (findings.any_prompt.status, findings.any_prompt.variant.as_ref()) {
        (RungStatus::Pass, other) if other == incumbent => None,
        (RungStatus::Pass, Some(other)) => Some(format!("ship `{other}`")),
        _ if no_targets(findings) => None,
        _ => Some(format!(
            "name the prompt that meets the accuracy target as `incumbent` and decide again: {}",
            findings.any_prompt.explanation
        )),
    }
}

/// What question 1 still asks for.
fn iterate(findings: &Findings<'_>) -> String {
    let test = findings.ceiling.as_ref();
    let few_shot = test.is_some_and(|test| test.few_shot == FewShot::NotTried);
    let rounds = test.map_or(0, |test| (WINDOW + 1).saturating_sub(test.rounds.len()));
    let steps = [
        few_shot.then(|| "measure three to five examples in the prompt (few-shot)".to_owned()),
        rounds_are_a_floor(findings).then(|| {
            "measure the prompt rounds with a schema (native structured output), so that they can be read".to_owned()
        }),
        match rounds {
            0 => None,
            1 => Some("write and measure another prompt revision".to_owned()),
            rounds => Some(format!("write and measure {rounds} more prompt revisions")),
        },
    ];
    let steps: Vec<String> = steps.into_iter().flatten().collect();
    if steps.is_empty() { "write and measure another prompt revision".to_owned() } else { steps.join(", and ") }
}

fn action(findings: &Findings<'_>, rung: Rung, phase: Phase) -> String {
    if let Some(more) = train_on(findings, rung).filter(|_| phase == Phase::Try) {
        return more;
    }
    let what = match rung {
        Rung::Schema => "native structured output or a forced tool call with the prompt in use",
        Rung::Cache => "the provider's prompt cache with the prompt in use",
        Rung::Rag => "retrieval with the prompt in use",
        Rung::Dpo => "preference tuning",
        Rung::Lora => "a LoRA adapter or a distilled model",
        Rung::Full => "a full fine-tune",
    };
    let verb = if phase == Phase::Ship { "ship" } else { "measure" };
    format!("{verb} {what}")
}

/// A rung whose variant was not trained enough is not begun anew.
fn train_on(findings: &Findings<'_>, rung: Rung) -> Option<String> {
    let variant = findings.rungs.get(&rung)?.variant.as_ref()?;
    let undertrained = findings.trained.as_ref().is_some_and(|trained| trained.undertrained.contains(variant));
    let learned = "a classifier trained on the same labels is better";
    undertrained.then(|| format!("train `{variant}` on, until it has learned what the labels support: {learned}"))
}

/// The number that would settle the verdict, where it is not settled.
pub(super) fn n_to_settle(findings: &Findings<'_>, rule: Rule) -> Option<u64> {
    let of = |report: &RungReport| report.n_to_settle;
    match rule {
        Rule::Iterate => findings.triggers.t2.n_to_settle,
        Rule::TriggerUnknown => findings.triggers.in_order().into_iter().filter_map(|t| t.n_to_settle).max(),
        Rule::SelfHosted(RungStatus::Unknown) => of(&findings.self_hosted_prompt),
        Rule::OtherPrompt(RungStatus::Unknown) => of(&findings.any_prompt),
        Rule::LabelCeiling => findings.label.n_to_settle,
        Rule::Next(rung, RungStatus::Unknown) => findings.rungs.get(&rung).and_then(of),
        _ => None,
    }
}
