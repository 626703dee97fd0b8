//! T2: has prompting reached a ceiling under the target (METHODS.md 8.1)?

use super::ceiling::{self, CeilingTest, FewShot, WINDOW};
use super::evidence::{Evidence, Metric};
use super::ladder::TriggerState;
use super::prose;
use super::triggers::Trigger;
use crate::stats::proportion::failure_rate_upper;
use crate::stats::{Answer3, Interval};

/// T2 and the ceiling test behind it; `None` without an accuracy target.
pub(super) fn ceiling(evidence: &Evidence<'_>) -> (Trigger, Option<CeilingTest>) {
    let Some(target) = evidence.facts.targets.accuracy else {
        return (Trigger::bare(TriggerState::Na, "no target for accuracy is configured"), None);
    };
    let test = ceiling::test(evidence, target);
    let trigger = trigger(evidence, target, &test);
    (trigger, Some(test))
}

fn trigger(evidence: &Evidence<'_>, target: f64, test: &CeilingTest) -> Trigger {
    let prompted = evidence.prompted_with(Metric::Accuracy);
    let usable: Vec<usize> = prompted.iter().copied().filter(|&place| evidence.usable(place)).collect();
    let Some(best) = evidence.best_of(&usable) else {
        let why = "no eligible prompted variant with enough answers was measured";
        return Trigger::unknown(target, why);
    };
    let (alpha, among) = (evidence.alpha(), prompted.len() as f64);
    let meets = |&place: &usize| evidence.bounds(place, Metric::Accuracy, alpha / among).interval.low >= target;
    let meeting: Vec<usize> = usable.iter().copied().filter(meets).collect();
    let winner = evidence.best_of(&meeting);
    let shown = winner.unwrap_or(best);
    let finding = evidence.estimate(shown, Metric::Accuracy, alpha / among);
    let bounds = Interval {
        low: evidence.bounds(shown, Metric::Accuracy, alpha / among).interval.low,
        high: evidence.bounds(shown, Metric::Accuracy, alpha).interval.high,
    };
    let (state, n_to_settle, explanation) = if winner.is_some() {
        let corrected = match prompted.len() {
            1 => String::new(),
            n => format!(", corrected for {n} prompted variants"),
        };
        let why = format!(
            "{} meets the target {}: {}{corrected}",
            evidence.name(shown),
            prose::percent(target),
            prose::rate(&finding),
        );
        (TriggerState::Clear, None, why)
    } else {
        below_target(
            evidence,
            &prompted,
            target,
            &format!("{} at {}", evidence.name(shown), prose::rate(&finding)),
            test,
        )
    };
    Trigger {
        n: finding.n,
        variant: evidence.id(shown),
        finding: Some(finding),
        bounds: Some(bounds),
        n_to_settle,
        ..Trigger::settled(state, target, explanation)
    }
}

type Finding = (TriggerState, Option<u64>, String);

/// FIRED, OPEN or UNKNOWN, when no prompted variant is shown to meet the target.
fn below_target(evidence: &Evidence<'_>, prompted: &[usize], target: f64, best: &str, test: &CeilingTest) -> Finding {
    if test.target_missed != Answer3::Yes {
        return not_excluded(evidence, prompted, target, best);
    }
    let all_miss = format!(
        "the target {} is excluded for each of the {} prompted variants (best {best})",
        prose::percent(target),
        prompted.len(),
    );
    if !test.tried_enough() {
        return (TriggerState::Open, None, format!("{all_miss}, but {}", not_enough_tried(test)));
    }
    let reference = test.reference.as_ref().map_or_else(String::new, |id| format!("`{id}`"));
    let window = format!("the last {WINDOW} rounds against {reference} and in the last step");
    let most_gain = test.most_gain.unwrap_or(1.0);
    if test.levelled_off == Answer3::Yes {
        let gain = prose::points(most_gain.max(0.0));
        let upper = prose::percent(1.0 - evidence.alpha());
        let flat = format!("{all_miss}, and no prompt in {window} gained more than {gain} ({upper} bound)");
        return match test.extrapolation.as_ref().filter(|_| test.foresees_gain()) {
            None => match hidden_by_labels(evidence, prompted, target) {
                None => (TriggerState::Fired, None, flat),
                Some(hidden) => (TriggerState::Unknown, None, format!("{flat}, but {hidden}")),
            },
            Some(curve) => {
                let foreseen = prose::points(curve.predicted_gain);
                let why = format!("{flat}, but the curve over the rounds foresees {foreseen} in the next three");
                (TriggerState::Unknown, None, why)
            }
        };
    }
    if let Some(name) = &test.improving {
        let why = format!("{all_miss}, but in {window} `{name}` still gained");
        return (TriggerState::Open, test.n_to_settle, why);
    }
    let tested = test.gains.iter().chain(&test.further);
    let seen = tested.clone().filter_map(|gain| gain.gain.point).fold(f64::NEG_INFINITY, f64::max);
    let most_gain = tested.map(|gain| gain.gain.high).fold(most_gain, f64::max);
    let tail = if seen >= evidence.delta() {
        format!("; {} were seen, so that more examples would show a gain rather than exclude it", prose::points(seen))
    } else {
        prose::settle(test.n_to_settle, "examples")
    };
    let why = format!(
        "{all_miss}, but in {window} a gain of up to {} is not excluded, and {} would matter{tail}",
        prose::points(most_gain),
        prose::points(evidence.delta()),
    );
    (TriggerState::Unknown, test.n_to_settle, why)
}

/// Whether wrong labels alone could keep a prompt below the target: a system that is right on a share a
/// of the inputs scores about a·(1 − ε), so its true share is at most U / (1 − U(ε)). From an audit, the
/// only source that counts wrong labels.
fn hidden_by_labels(evidence: &Evidence<'_>, prompted: &[usize], target: f64) -> Option<String> {
    let audit = evidence.facts.audit.filter(|audit| audit.checked > 0 && audit.wrong <= audit.checked)?;
    let alpha = evidence.alpha();
    let wrong = failure_rate_upper(audit.wrong as f64, audit.checked as f64, alpha);
    let high = |&place: &usize| evidence.bounds(place, Metric::Accuracy, alpha).interval.high;
    let best = prompted.iter().map(high).fold(0.0, f64::max);
    let true_share = (best / (1.0 - wrong)).min(1.0);
    (true_share >= target).then(|| {
        format!(
            "up to {} of the labels are wrong, and against right ones a prompt could reach {}: mend the labels, or set \
             the target to what they can show",
            prose::percent(wrong),
            prose::percent(true_share)
        )
    })
}

/// What question 1 still asks for.
fn not_enough_tried(test: &CeilingTest) -> String {
    let rounds = (!test.enough_rounds).then(|| {
        let measured = match test.rounds.len() {
            1 => "one prompt round was".to_owned(),
            n => format!("{n} prompt rounds were"),
        };
        let needed = WINDOW + 1;
        format!("{measured} measured and {needed} are needed: a first prompt and {WINDOW} revisions")
    });
    let few_shot =
        (test.few_shot == FewShot::NotTried).then(|| "few-shot with three to five examples was not tried".to_owned());
    let floor = test.unreadable().map(|most| {
        format!(
            "at most {} of the answers of any prompt round could be read, so that the rounds are flat at a floor",
            prose::percent(most)
        )
    });
    [rounds, few_shot, floor].into_iter().flatten().collect::<Vec<_>>().join(", and ")
}

/// UNKNOWN: the target is neither met nor excluded for some prompted variants.
fn not_excluded(evidence: &Evidence<'_>, prompted: &[usize], target: f64, best: &str) -> Finding {
    let alpha = evidence.alpha();
    let bounds = |place: usize| evidence.bounds(place, Metric::Accuracy, alpha);
    let missed = |place: &usize| bounds(*place).interval.high < target;
    let torn: Vec<String> =
        prompted.iter().filter(|&&place| !evidence.usable(place)).map(|&place| evidence.name(place)).collect();
    let usable = prompted.iter().copied().filter(|&place| evidence.usable(place));
    let in_doubt: Vec<usize> = usable.filter(|place| !missed(place)).collect();
    if in_doubt.is_empty() {
        let why = format!(
            "no prompted variant is shown to reach the target {} (best {best}), but too many answers of {} are missing",
            prose::percent(target),
            torn.join(", ")
        );
        return (TriggerState::Unknown, None, why);
    }
    let n = in_doubt.iter().filter_map(|&place| bounds(place).n_to_settle(target, alpha)).max();
    let names: Vec<String> = in_doubt.iter().map(|&place| evidence.name(place)).collect();
    let why = format!(
        "no prompted variant is shown to reach the target {} (best {best}), but it is not excluded for {}{}",
        prose::percent(target),
        names.join(", "),
        prose::settle(n, "examples"),
    );
    (TriggerState::Unknown, n, why)
}
