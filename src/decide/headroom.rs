//! Rungs that cannot help, by what is known of the errors and of the cache (METHODS.md 12.2, "NA").

use super::evidence::{Evidence, Metric};
use super::ladder::{Rung, TriggerState};
use super::prose;
use super::triggers::Triggers;
use crate::stats::proportion::failure_rate_upper;

/// Fewer hand-labelled errors than this say nothing.
const FEWEST_ERRORS: u64 = 50;

/// Why a rung that was not measured cannot help, where that is shown.
pub(super) fn cannot_help(evidence: &Evidence<'_>, triggers: &Triggers, rung: Rung) -> Option<String> {
    let classes = evidence.facts.error_classes.unwrap_or_default();
    match rung {
        Rung::Rag => of_errors(evidence, classes.knowledge, classes.checked, "for want of knowledge"),
        Rung::Dpo => of_errors(evidence, classes.preference, classes.checked, "a choice among valid answers"),
        Rung::Cache => of_cache(evidence, triggers),
        Rung::Schema | Rung::Lora | Rung::Full => None,
    }
}

/// Even without every error of the class that the rung addresses, the target is missed:
/// `s_U + U(θ)·(1 − s_U) < τ`.
fn of_errors(evidence: &Evidence<'_>, of_class: u64, checked: u64, class: &str) -> Option<String> {
    let (incumbent, target) = (evidence.incumbent?, evidence.facts.targets.accuracy?);
    if checked < FEWEST_ERRORS || of_class > checked || !evidence.has(incumbent, Metric::Accuracy) {
        return None;
    }
    let alpha = evidence.alpha();
    let accuracy = evidence.bounds(incumbent, Metric::Accuracy, alpha).interval.high;
    let share = failure_rate_upper(of_class as f64, checked as f64, alpha);
    let reach = accuracy + share * (1.0 - accuracy);
    (reach < target).then(|| {
        format!(
            "{} of {} checked errors are {class}, so at most {} of them all; without them accuracy would \
             be {} at most, below the target {}",
            prose::count(of_class),
            prose::count(checked),
            prose::percent(share),
            prose::percent(reach),
            prose::percent(target)
        )
    })
}

/// The cost stays over the budget with all that the cache can take away, and latency is no reason.
fn of_cache(evidence: &Evidence<'_>, triggers: &Triggers) -> Option<String> {
    if triggers.t4.state != TriggerState::Fired || triggers.t3.state == TriggerState::Fired {
        return None;
    }
    let subject = evidence.at(evidence.incumbent?);
    let (caching, budget) = (subject.caching?, evidence.facts.targets.monthly_budget_usd?);
    let (volume, _) = evidence.volume()?;
    let factor = caching.factor();
    let least = volume * subject.per_request?.low * factor;
    (least > budget).then(|| {
        format!(
            "input is {} of the cost, and with {} of the prompt read from the cache in {} of the requests a \
             request costs {} of what it does; that is still {} a month or more, over the budget of {}",
            prose::percent(caching.input_share),
            prose::percent(caching.prefix_share),
            prose::percent(caching.hit_rate),
            prose::percent(factor),
            prose::usd(least),
            prose::usd(budget)
        )
    })
}
