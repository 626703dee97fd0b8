//! T1, T3, T4 and T5 of one variant, and its quality against the target (METHODS.md 4, 5, 6, 12.1).
//!
//! The ladder reads them for the incumbent; a rung asks the same of its own variant.

use serde::Serialize;

use super::evidence::{Evidence, Metric, scale_up};
use super::ladder::TriggerState;
use super::prose;
use super::subject::Subject;
use crate::stats::POWER;
use crate::stats::cluster::clustered_mean;
use crate::stats::proportion::answer_by_failures;
use crate::stats::proportion::{clopper_pearson_one_sided, n_to_settle_target, target_answer_of};
use crate::stats::sequential::cs_bernoulli;
use crate::stats::{Estimate, Interval, Method, TargetAnswer};
use crate::variant::VariantId;

/// The quantile that T3 reads.
const QUANTILE: f64 = 0.95;

/// One trigger with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trigger {
    /// What it says.
    pub state: TriggerState,
    /// The configured target, in the finding's unit.
    pub target: Option<f64>,
    /// The variant that the finding is of; for quality the best prompt, of those that meet the target if any do.
    pub variant: Option<VariantId>,
    /// What was measured of it.
    pub finding: Option<Estimate>,
    /// The one-sided bounds that decide, in the finding's unit (T3: share of answers over the limit).
    pub bounds: Option<Interval>,
    /// Examples (T3: answers) behind it.
    pub n: u64,
    /// How many would settle it, where it is open or unknown and a number can be named.
    pub n_to_settle: Option<u64>,
    /// Why, in a sentence.
    pub explanation: String,
}

impl Trigger {
    /// A trigger without figures.
    pub(super) fn bare(state: TriggerState, explanation: impl Into<String>) -> Self {
        Self {
            state,
            target: None,
            variant: None,
            finding: None,
            bounds: None,
            n: 0,
            n_to_settle: None,
            explanation: explanation.into(),
        }
    }

    pub(super) fn unknown(target: f64, explanation: impl Into<String>) -> Self {
        Self::settled(TriggerState::Unknown, target, explanation)
    }

    pub(super) fn settled(state: TriggerState, target: f64, explanation: impl Into<String>) -> Self {
        Self { target: Some(target), ..Self::bare(state, explanation) }
    }
}

/// The five triggers in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Triggers {
    /// Schema validity.
    pub t1: Trigger,
    /// The quality ceiling.
    pub t2: Trigger,
    /// Time to the first token.
    pub t3: Trigger,
    /// Monthly cost.
    pub t4: Trigger,
    /// Compliance.
    pub t5: Trigger,
}

impl Triggers {
    /// T1 to T5.
    pub fn in_order(&self) -> [&Trigger; 5] {
        [&self.t1, &self.t2, &self.t3, &self.t4, &self.t5]
    }

    /// Their states.
    pub fn states(&self) -> [TriggerState; 5] {
        self.in_order().map(|trigger| trigger.state)
    }
}

/// The state that an answer about a target stands for.
fn state_of(answer: TargetAnswer) -> TriggerState {
    match answer {
        TargetAnswer::Met => TriggerState::Clear,
        TargetAnswer::NotMet => TriggerState::Fired,
        TargetAnswer::NotEnoughEvidence => TriggerState::Unknown,
    }
}

/// What an answer says of the target, to end a sentence with.
fn against_target(state: TriggerState, target: &str) -> String {
    match state {
        TriggerState::Clear => format!("the target {target} is met"),
        TriggerState::Fired => format!("the target {target} is excluded"),
        _ => format!("the target {target} is neither met nor excluded"),
    }
}

/// A rate of one variant against a target. `met_alpha` is the level of "met", corrected where one of
/// several variants may meet it; "missed" is always at alpha.
fn rate(evidence: &Evidence<'_>, place: usize, metric: Metric, target: f64, met_alpha: f64) -> Trigger {
    let alpha = evidence.alpha();
    let missed = evidence.bounds(place, metric, alpha);
    let met = evidence.bounds(place, metric, met_alpha);
    let bounds = Interval { low: met.interval.low, high: missed.interval.high };
    let state = state_of(target_answer_of(bounds, target));
    let finding = evidence.estimate(place, metric, alpha);
    let what = match metric {
        Metric::Accuracy => "accuracy",
        Metric::Validity => "the share of schema-valid answers",
    };
    let unknown = state == TriggerState::Unknown;
    let n_to_settle = missed.n_to_settle(target, alpha).filter(|_| unknown);
    let tail = if unknown { prose::settle(n_to_settle, "examples") } else { String::new() };
    let explanation = format!(
        "{what} of {} is {}; {}{tail}",
        evidence.name(place),
        prose::rate(&finding),
        against_target(state, &prose::percent(target)),
    );
    Trigger {
        state,
        target: Some(target),
        variant: evidence.id(place),
        n: finding.n,
        finding: Some(finding),
        bounds: Some(bounds),
        n_to_settle,
        explanation,
    }
}

/// T1: schema validity of one variant.
pub(super) fn validity(evidence: &Evidence<'_>, place: usize, met_alpha: f64) -> Trigger {
    let Some(target) = evidence.facts.targets.schema_validity else {
        return Trigger::bare(TriggerState::Na, "no target for schema validity is configured");
    };
    if !evidence.has(place, Metric::Validity) {
        let why = format!("schema validity of {} was not measured", evidence.name(place));
        return Trigger::unknown(target, why);
    }
    let mut trigger = rate(evidence, place, Metric::Validity, target, met_alpha);
    let share = trigger.finding.and_then(|finding| finding.point);
    trigger.explanation.push_str(&at_volume(evidence, share.zip(trigger.bounds), target));
    trigger
}

/// What the shares mean in answers a month, where the volume is known.
fn at_volume(evidence: &Evidence<'_>, valid: Option<(f64, Interval)>, target: f64) -> String {
    let Some(((low, high), (share, valid))) = evidence.volume().zip(valid) else {
        return String::new();
    };
    let requests = f64::midpoint(low, high);
    let invalid = |valid: f64| prose::count(((1.0 - valid) * requests).round() as u64);
    format!(
        "; at {} requests a month that is {} invalid answers ({} to {}), where the target allows {}",
        prose::count(requests.round() as u64),
        invalid(share),
        invalid(valid.high),
        invalid(valid.low),
        invalid(target)
    )
}

/// The accuracy of one variant against the target; the ceiling over all prompts is T2.
pub(super) fn quality(evidence: &Evidence<'_>, place: usize, met_alpha: f64) -> Trigger {
    let Some(target) = evidence.facts.targets.accuracy else {
        return Trigger::bare(TriggerState::Na, "no target for accuracy is configured");
    };
    if !evidence.has(place, Metric::Accuracy) {
        let why = format!("accuracy of {} was not measured", evidence.name(place));
        return Trigger::unknown(target, why);
    }
    rate(evidence, place, Metric::Accuracy, target, met_alpha)
}

/// T3: the 95th percentile of the time to the first token of one variant.
pub(super) fn latency(evidence: &Evidence<'_>, place: usize, met_alpha: f64) -> Trigger {
    let Some(limit) = evidence.facts.targets.ttft_p95_ms else {
        return Trigger::bare(TriggerState::Na, "no target for the time to the first token is configured");
    };
    let (subject, name) = (evidence.at(place), evidence.name(place));
    let n = subject.ttft.n();
    let recorded = if evidence.setting.latency_comparable {
        None
    } else {
        Some("the times are recorded and not declared comparable; measure live to decide")
    };
    let none = match subject.batched {
        0 => "no fresh time to the first token was measured",
        _ => "the answers came by batch, which has no times; send some directly to decide",
    };
    if let Some(why) = recorded.or((n == 0).then_some(none)) {
        let why = format!("time to the first token of {name}: {why}");
        return Trigger { variant: evidence.id(place), finding: subject.ttft.p95(), n, ..Trigger::unknown(limit, why) };
    }
    let (alpha, over) = (evidence.alpha(), subject.ttft.over(limit));
    let judged = exceedance(evidence, place, limit, alpha);
    let met = exceedance(evidence, place, limit, met_alpha).answer == TargetAnswer::Met;
    let state = match judged.answer {
        TargetAnswer::Met if !met => TriggerState::Unknown,
        answer => state_of(answer),
    };
    let unknown = state == TriggerState::Unknown;
    let within = judged.n_eff - judged.share * judged.n_eff;
    let needed = n_to_settle_target(within, judged.n_eff, QUANTILE, alpha, POWER);
    let n_to_settle = needed.map(|needed| scale_up(needed, n, judged.n_eff)).filter(|_| unknown);
    let tail = if unknown { prose::settle(n_to_settle, "answers") } else { String::new() };
    let p95 = subject.ttft.p95().map_or_else(|| "not shown".to_owned(), |p95| prose::milliseconds(&p95));
    let load = match subject.in_flight {
        0 => String::new(),
        most => format!(", at most {most} requests at once"),
    };
    let minutes = match judged.minutes {
        0 | 1 => String::new(),
        minutes => format!(", sent within {minutes} minutes that count as clusters"),
    };
    let explanation = format!(
        "95th percentile of the time to the first token of {name} is {p95}, {} of {} answers over the limit\
         {load}{minutes}; {}{tail}",
        prose::count(over),
        prose::count(n),
        against_target(state, &format!("{} ms", prose::number(limit, 0))),
    );
    Trigger {
        state,
        target: Some(limit),
        variant: evidence.id(place),
        finding: subject.ttft.p95(),
        bounds: Some(judged.bounds),
        n,
        n_to_settle,
        explanation,
    }
}

/// The share of answers over the limit.
pub(super) struct Exceedance {
    pub(super) answer: TargetAnswer,
    /// Each end one-sided.
    pub(super) bounds: Interval,
    pub(super) share: f64,
    pub(super) n_eff: f64,
    /// Minutes in which the answers were sent; 0 where that is not known.
    pub(super) minutes: u64,
}

/// The share over the limit against 5%, each end one-sided at `alpha`. Answers of one minute go
/// together, so where they were sent within several, the minute is the cluster (METHODS.md 5); by
/// sequence where the run may have stopped early.
pub(super) fn exceedance(evidence: &Evidence<'_>, place: usize, limit: f64, alpha: f64) -> Exceedance {
    let subject = evidence.at(place);
    let (over, n) = (subject.ttft.over(limit) as f64, subject.ttft.n() as f64);
    let (indicators, minutes) = over_by_minute(subject, limit);
    let known = clustered_mean(&indicators, &minutes, indicators.len() as u64, alpha);
    let spans = known.groups > 1 && indicators.len() as u64 == subject.ttft.n();
    let (bounds, n_eff) = if evidence.setting.anytime.is_some() {
        (cs_bernoulli(over, n, alpha), n)
    } else if spans {
        let n_eff = known.n_eff.unwrap_or(1.0);
        (clopper_pearson_one_sided(over / n * n_eff, n_eff, alpha), n_eff)
    } else {
        (clopper_pearson_one_sided(over, n, alpha), n)
    };
    let answer = answer_by_failures(bounds.low, bounds.high, 1.0 - QUANTILE);
    Exceedance { answer, bounds, share: if n > 0.0 { over / n } else { 0.0 }, n_eff, minutes: known.groups }
}

/// Whether each answer was over the limit, and the minute in which it was sent: what the effective
/// number of answers is taken from. Where none was over, one is taken to be: a limit that was never
/// passed says nothing of how late answers come together.
pub(super) fn over_by_minute(subject: &Subject<'_>, limit: f64) -> (Vec<f64>, Vec<u32>) {
    let trials = subject.ttft_trials.iter();
    let (mut over, minutes): (Vec<f64>, Vec<u32>) =
        trials.map(|trial| (f64::from(u8::from(f64::from(trial.ms) > limit)), trial.minute)).unzip();
    if over.iter().all(|&late| late == 0.0)
        && let Some(first) = over.first_mut()
    {
        *first = 1.0;
    }
    (over, minutes)
}

/// T4: what one variant costs a month.
pub(super) fn cost(evidence: &Evidence<'_>, place: usize) -> Trigger {
    let Some(budget) = evidence.facts.targets.monthly_budget_usd else {
        return Trigger::bare(TriggerState::Na, "no monthly budget is configured");
    };
    let name = evidence.name(place);
    let Some((volume_low, volume_high)) = evidence.volume() else {
        return Trigger::unknown(budget, "the number of requests a month is not configured");
    };
    let subject = evidence.at(place);
    let Some(each) = subject.per_request.filter(|each| each.low.is_finite() && each.point.is_some()) else {
        let why = subject.cost_note.unwrap_or("no price is known");
        return Trigger::unknown(budget, format!("the cost of {name} is unknown: {why}"));
    };
    let (low, high) = (volume_low * each.low, volume_high * each.high);
    let state = if low > budget {
        TriggerState::Fired
    } else if high <= budget {
        TriggerState::Clear
    } else {
        TriggerState::Unknown
    };
    let middle = f64::midpoint(volume_low, volume_high);
    let monthly = Estimate { point: each.point.map(|point| point * middle), low, high, ..each };
    let explanation = format!(
        "{name} costs {} a month ({}); {}",
        prose::usd(monthly.point.unwrap_or(low)),
        match each.method {
            Method::Stated if low == high => "as stated".to_owned(),
            Method::Stated => format!("as stated, {}", prose::usd_range(low, high)),
            _ => format!("{} {}, n {}", prose::percent(each.level), prose::usd_range(low, high), prose::count(each.n)),
        },
        match state {
            TriggerState::Fired => format!("that is over the budget of {}", prose::usd(budget)),
            TriggerState::Clear => format!("the budget of {} holds", prose::usd(budget)),
            _ => format!("whether the budget of {} holds is not shown", prose::usd(budget)),
        },
    );
    Trigger {
        state,
        target: Some(budget),
        variant: evidence.id(place),
        finding: Some(monthly),
        bounds: Some(Interval { low, high }),
        n: each.n,
        n_to_settle: None,
        explanation,
    }
}

/// T5: a declared fact, not a statistic.
pub(super) fn compliance(evidence: &Evidence<'_>) -> Trigger {
    if evidence.facts.targets.self_hosted {
        let why = "only self-hosted providers may serve this task, as declared";
        Trigger::bare(TriggerState::Fired, why)
    } else {
        Trigger::bare(TriggerState::Clear, "hosted providers may serve this task")
    }
}

/// All five for the incumbent.
pub(super) fn all(evidence: &Evidence<'_>, quality: Trigger) -> Triggers {
    let alpha = evidence.alpha();
    let of_incumbent = |configured: bool, judge: &dyn Fn(usize) -> Trigger| {
        let none = "no eligible variant in use was measured";
        match evidence.incumbent {
            Some(place) => judge(place),
            None if configured => Trigger::bare(TriggerState::Unknown, none),
            None => Trigger::bare(TriggerState::Na, "no target is configured"),
        }
    };
    let targets = evidence.facts.targets;
    Triggers {
        t1: of_incumbent(targets.schema_validity.is_some(), &|i| validity(evidence, i, alpha)),
        t2: quality,
        t3: of_incumbent(targets.ttft_p95_ms.is_some(), &|i| latency(evidence, i, alpha)),
        t4: of_incumbent(targets.monthly_budget_usd.is_some(), &|i| cost(evidence, i)),
        t5: compliance(evidence),
    }
}
