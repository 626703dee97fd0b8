//! T2: has prompting reached a ceiling under the target (METHODS.md 8.1), and the label ceiling (8.3)?
//!
//! It speaks of the prompts that were tried, never of prompting.

use std::collections::BTreeMap;

use super::evidence::{Evidence, Metric, POWER};
use super::ladder::{LabelCeiling, TriggerState};
use super::prose;
use super::triggers::Trigger;
use crate::stats::Interval;
use crate::stats::labels::{Reachability, label_ceiling_from_audit, reachability};
use crate::stats::proportion::n_to_settle_target;

/// The last rounds that must have brought nothing, W.
const WINDOW: usize = 3;

/// What the last rounds show.
struct Rounds {
    /// Rounds measured.
    count: usize,
    /// Whether there are enough of them (C1).
    enough: bool,
    /// Whether none in the window gained `delta_min` or more (C2).
    flat: bool,
    /// A round that gained for sure, by name.
    improving: Option<String>,
    /// The highest upper bound of a gain in the window.
    most_gain: f64,
    /// The variant before the window, by name.
    reference: String,
    /// Examples that would show C2, where it fails for want of data.
    n_to_settle: Option<u64>,
}

/// T2.
pub(super) fn ceiling(evidence: &Evidence<'_>) -> Trigger {
    let Some(target) = evidence.facts.targets.accuracy else {
        return Trigger::bare(TriggerState::Na, "no target for accuracy is configured");
    };
    let prompted = evidence.prompted();
    let usable: Vec<usize> = prompted.iter().copied().filter(|&i| evidence.usable(i)).collect();
    let Some(best) = evidence.best_of(&usable) else {
        let why = "no eligible prompted variant with enough answers was measured";
        let unknown = Trigger::bare(TriggerState::Unknown, why);
        return Trigger { target: Some(target), ..unknown };
    };
    let (alpha, among) = (evidence.alpha(), prompted.len() as f64);
    let meets = |&place: &usize| evidence.bounds(place, Metric::Accuracy, alpha / among).interval.low >= target;
    let winner = usable.iter().copied().find(meets);
    let shown = winner.unwrap_or(best);
    let finding = evidence.estimate(shown, Metric::Accuracy, alpha / among);
    let bounds = Interval {
        low: evidence.bounds(shown, Metric::Accuracy, alpha / among).interval.low,
        high: evidence.bounds(shown, Metric::Accuracy, alpha).interval.high,
    };
    let (state, n_to_settle, explanation) = if winner.is_some() {
        let why = format!(
            "{} meets the target {}: {}, corrected for {} prompted variants",
            evidence.name(shown),
            prose::percent(target),
            prose::rate(&finding),
            prompted.len()
        );
        (TriggerState::Clear, None, why)
    } else {
        below_target(evidence, &prompted, target, shown, &prose::rate(&finding))
    };
    Trigger {
        state,
        target: Some(target),
        n: finding.n,
        finding: Some(finding),
        bounds: Some(bounds),
        n_to_settle,
        explanation,
    }
}

/// FIRED, OPEN or UNKNOWN, when no prompted variant is shown to meet the target.
fn below_target(
    evidence: &Evidence<'_>,
    prompted: &[usize],
    target: f64,
    best: usize,
    best_rate: &str,
) -> (TriggerState, Option<u64>, String) {
    let alpha = evidence.alpha();
    let missed = |&place: &usize| {
        evidence.usable(place) && evidence.bounds(place, Metric::Accuracy, alpha).interval.high < target
    };
    let in_doubt: Vec<usize> = prompted.iter().copied().filter(|place| !missed(place)).collect();
    let goal = prose::percent(target);
    let rounds = rounds(evidence);
    if !in_doubt.is_empty() {
        return not_excluded(evidence, &in_doubt, target, &format!("{} at {best_rate}", evidence.name(best)));
    }
    let all_miss = format!(
        "the target {goal} is excluded for each of the {} prompted variants (best {} at {best_rate})",
        prompted.len(),
        evidence.name(best)
    );
    if !rounds.enough {
        let why = format!(
            "{all_miss}, but {} prompt rounds were measured and {} are needed: a first prompt and {WINDOW} revisions",
            rounds.count,
            WINDOW + 1
        );
        return (TriggerState::Open, None, why);
    }
    let window = format!("the last {WINDOW} rounds against {}", rounds.reference);
    let upper = prose::percent(1.0 - alpha);
    if rounds.flat {
        let gain = prose::points(rounds.most_gain.max(0.0));
        let why = format!("{all_miss}, and no prompt in {window} gained more than {gain} ({upper} bound)");
        return (TriggerState::Fired, None, why);
    }
    if let Some(name) = rounds.improving {
        return (TriggerState::Open, rounds.n_to_settle, format!("{all_miss}, but in {window} {name} still gained"));
    }
    let why = format!(
        "{all_miss}, but in {window} a gain of up to {} is not excluded, and {} would matter{}",
        prose::points(rounds.most_gain),
        prose::points(evidence.delta()),
        prose::settle(rounds.n_to_settle, "examples"),
    );
    (TriggerState::Unknown, rounds.n_to_settle, why)
}

/// UNKNOWN: the target is neither met nor excluded for some prompted variants.
fn not_excluded(
    evidence: &Evidence<'_>,
    in_doubt: &[usize],
    target: f64,
    best: &str,
) -> (TriggerState, Option<u64>, String) {
    let alpha = evidence.alpha();
    let needed = |&place: &usize| evidence.bounds(place, Metric::Accuracy, alpha).n_to_settle(target, alpha);
    let n = in_doubt.iter().filter_map(needed).max();
    let names: Vec<String> = in_doubt.iter().map(|&place| evidence.name(place)).collect();
    let why = format!(
        "no prompted variant is shown to reach the target {} (best {best}), but it is not excluded for {}{}",
        prose::percent(target),
        names.join(", "),
        prose::settle(n, "examples"),
    );
    (TriggerState::Unknown, n, why)
}

/// Each round's variant: untuned, with the fewest interventions; of equals the incumbent's endpoint,
/// then the first (DESIGN.md 13.7).
fn variant_of_each_round(evidence: &Evidence<'_>) -> Vec<usize> {
    let endpoint = evidence.incumbent.map(|place| &evidence.at(place).variant.endpoint);
    let rank = |place: usize| {
        let variant = evidence.at(place).variant;
        (variant.interventions().len(), Some(&variant.endpoint) != endpoint)
    };
    let mut rounds: BTreeMap<u32, usize> = BTreeMap::new();
    for place in evidence.prompted() {
        let Some(round) = evidence.at(place).round else {
            continue;
        };
        let kept = rounds.entry(round).or_insert(place);
        if rank(place) < rank(*kept) {
            *kept = place;
        }
    }
    rounds.into_values().collect()
}

/// C1 and C2.
fn rounds(evidence: &Evidence<'_>) -> Rounds {
    let places = variant_of_each_round(evidence);
    let mut rounds = Rounds {
        count: places.len(),
        enough: places.len() > WINDOW,
        flat: false,
        improving: None,
        most_gain: -1.0,
        reference: String::new(),
        n_to_settle: None,
    };
    let Some(split) = places.len().checked_sub(WINDOW + 1) else {
        return rounds;
    };
    let (reference, delta, alpha) = (places[split], evidence.delta(), evidence.alpha());
    rounds.reference = evidence.name(reference);
    rounds.flat = true;
    for &place in &places[split + 1..] {
        let pair = evidence.pair(reference, place, Metric::Accuracy, 2.0 * alpha);
        let gain = pair.difference.interval;
        rounds.most_gain = rounds.most_gain.max(gain.high);
        if gain.high >= delta {
            rounds.flat = false;
            rounds.n_to_settle = rounds.n_to_settle.max(pair.n_to_exclude(delta, alpha));
        }
        if gain.low > 0.0 {
            rounds.improving = Some(evidence.name(place));
        }
    }
    rounds
}

/// The label ceiling with the labels to check, where that would settle it, and why.
pub(super) fn label_ceiling(evidence: &Evidence<'_>) -> (LabelCeiling, Option<u64>, String) {
    let alpha = evidence.alpha();
    let Some(target) = evidence.facts.targets.accuracy else {
        return (LabelCeiling::Unknown, None, "no target for accuracy is configured".to_owned());
    };
    let goal = prose::percent(target);
    let Some(audit) = evidence.facts.audit.filter(|audit| audit.checked > 0) else {
        let n = n_to_settle_target(0.0, 0.0, target, alpha, POWER);
        let why = format!("no labels were audited, so whether a perfect system would reach {goal} is unknown");
        return (LabelCeiling::Unknown, n, why);
    };
    let wrong = audit.wrong.min(audit.checked);
    let ceiling = label_ceiling_from_audit(wrong, audit.checked, alpha);
    let found = format!(
        "{} of {} audited labels were wrong, so a perfect system would score {} to {}",
        prose::count(wrong),
        prose::count(audit.checked),
        prose::percent(ceiling.low),
        prose::percent(ceiling.high)
    );
    match reachability(ceiling, target) {
        Reachability::Reachable => (LabelCeiling::Reachable, None, format!("{found}: {goal} can be reached")),
        Reachability::Unreachable => {
            (LabelCeiling::Unreachable, None, format!("{found}: {goal} cannot be reached with these labels"))
        }
        Reachability::Unknown => {
            let (right, checked) = ((audit.checked - wrong) as f64, audit.checked as f64);
            let n = n_to_settle_target(right, checked, target, alpha, POWER);
            (LabelCeiling::Unknown, n, format!("{found}: whether {goal} can be reached is open"))
        }
    }
}
