//! Derivations of rates, differences, latency and labels.

use serde_json::json;

use super::{Derivation, p_value, pair, rate, to_settle};
use crate::decide::ceiling::CeilingTest;
use crate::decide::evidence::{Evidence, Metric};
use crate::decide::labels::LabelSource;
use crate::decide::ladder::TriggerState;
use crate::decide::{Findings, Rung, prose, triggers};
use crate::stats::curve::error_weight;
use crate::stats::labels::label_error_from_agreement;

/// T1.
pub(super) fn validity(findings: &Findings<'_>) -> Vec<Derivation> {
    let evidence = findings.evidence;
    let (Some(target), Some(place)) = (evidence.facts.targets.schema_validity, evidence.incumbent) else {
        return Vec::new();
    };
    against_target(evidence, "t1", (place, Metric::Validity), target, findings.triggers.t1.n_to_settle)
}

/// A rate against its target, with what would settle it.
fn against_target(
    evidence: &Evidence<'_>,
    about: &str,
    (place, metric): (usize, Metric),
    target: f64,
    n_to_settle: Option<u64>,
) -> Vec<Derivation> {
    let alpha = evidence.alpha();
    let mut steps = rate(evidence, about, place, metric, alpha);
    let bounds = evidence.bounds(place, metric, alpha);
    if let Some(last) = steps.pop() {
        let (low, high) = (bounds.interval.low, bounds.interval.high);
        let goal = prose::percent(target);
        let judged = if low >= target {
            format!("lo is {} or more: met", goal)
        } else if high < target {
            format!("hi is under {goal}: missed")
        } else {
            format!("{goal} lies between lo and hi: not enough evidence")
        };
        steps.push(last.judged(judged));
    }
    if let (Some(needed), Some(mean), Some(n_eff)) = (n_to_settle, bounds.known.mean, bounds.known.n_eff) {
        let x = if mean >= 1.0 { n_eff } else { mean * n_eff };
        let settled = crate::stats::proportion::n_to_settle_target(x, n_eff, target, alpha, super::POWER);
        let step = to_settle(about, "how many would settle it", (x, n_eff), target, alpha, settled);
        let scaled = (settled != Some(needed))
            .then(|| format!("times n/n_eff = {}: {needed} examples", prose::number(bounds.known.n as f64 / n_eff, 4)));
        steps.push(step.judged(scaled.unwrap_or_default()));
    }
    steps
}

/// T2: every prompted variant's bounds, and each prompt of the window against the reference.
pub(super) fn ceiling(findings: &Findings<'_>) -> Vec<Derivation> {
    let evidence = findings.evidence;
    let (Some(target), Some(test)) = (evidence.facts.targets.accuracy, findings.ceiling.as_ref()) else {
        return Vec::new();
    };
    let alpha = evidence.alpha();
    let prompted = evidence.prompted_with(Metric::Accuracy);
    let mut steps = Vec::new();
    for &place in &prompted {
        let mut of_place = against_target(evidence, "t2", (place, Metric::Accuracy), target, None);
        if let Some(last) = of_place.last_mut() {
            last.what.push_str(" (C3: hi under the target, each at alpha)");
        }
        steps.extend(of_place);
    }
    let corrected = alpha / prompted.len().max(1) as f64;
    let best = evidence.best_of(&prompted).filter(|_| prompted.len() > 1);
    if let Some(best) = best {
        let mut of_best = rate(evidence, "t2", best, Metric::Accuracy, corrected);
        if let Some(last) = of_best.pop() {
            let judged = format!("met only if lo reaches the target at alpha/{}", prompted.len());
            steps.push(last.judged(judged));
        }
    }
    steps.extend(readable(evidence, test));
    steps.extend(window(evidence, test));
    steps.extend(curve(evidence, test));
    steps
}

/// Of the round of which most could be read, how much that was; nothing where it was enough.
fn readable(evidence: &Evidence<'_>, test: &CeilingTest) -> Vec<Derivation> {
    let alpha = evidence.alpha();
    let valid = |place: usize| evidence.bounds(place, Metric::Validity, alpha).known.mean;
    let mut rounds = test.rounds.iter().filter_map(|round| evidence.place_of(&round.variant));
    let Some(place) = test.unreadable().and_then(|most| rounds.find(|place| valid(*place) == Some(most))) else {
        return Vec::new();
    };
    let mut steps = rate(evidence, "t2", place, Metric::Validity, alpha);
    if let Some(last) = steps.pop() {
        let judged = "the most of any round; the mean is under 50%: the rounds cannot be read, so T2 is open";
        steps.push(last.judged(judged.to_owned()));
    }
    steps
}

/// C2: gains over the reference.
fn window(evidence: &Evidence<'_>, test: &CeilingTest) -> Vec<Derivation> {
    if test.reference.is_none() {
        return Vec::new();
    }
    let (alpha, delta) = (evidence.alpha(), evidence.delta());
    let mut steps = Vec::new();
    for gain in test.gains.iter().chain(&test.further) {
        let ends = evidence.place_of(&gain.over).zip(evidence.place_of(&gain.variant));
        let Some((from, place)) = ends else { continue };
        let difference = evidence.pair(from, place, Metric::Accuracy, 2.0 * alpha);
        let what = format!("gain of `{}` over {} (C2)", gain.variant, evidence.name(from));
        let end = if gain.excluded { "is excluded" } else { "is not excluded" };
        let judged = format!("each end at one-sided alpha; a gain of {} {end}", prose::points(delta));
        let step = pair("t2", &what, &difference, 2.0 * alpha);
        let judged = if step.judged.is_empty() { judged } else { format!("{}; {judged}", step.judged) };
        steps.push(step.judged(judged));
        let known = &difference.difference;
        if let (false, Some(mean)) = (gain.excluded, known.mean) {
            let psi = ((known.wins + known.losses + 0.5) / (known.n as f64 + 1.0)).clamp(mean.abs(), 1.0);
            if let Some(needed) = difference.n_effective_to_exclude(delta, alpha) {
                let input = json!({"psi": psi, "delta": -mean, "margin": delta, "alpha": alpha, "power": super::POWER});
                let what = format!("examples that would exclude it, at the discordance seen (`{}`)", gain.variant);
                steps.push(Derivation::new("t2", what, "n_non_inferiority", input, json!({"n": needed})));
            }
        }
    }
    steps
}

/// The curve over the rounds.
fn curve(evidence: &Evidence<'_>, test: &CeilingTest) -> Option<Derivation> {
    let fitted = test.extrapolation.as_ref()?;
    let points = test.rounds.iter().filter_map(|round| {
        let known = evidence.bounds(evidence.place_of(&round.variant)?, Metric::Accuracy, evidence.alpha()).known;
        let error = 1.0 - known.mean?;
        Some((error, error_weight(error, known.n_eff?)))
    });
    let (errors, weights): (Vec<f64>, Vec<f64>) = points.unzip();
    let at: Vec<f64> = (1..=errors.len()).map(|round| round as f64).collect();
    let input = json!({"n": at, "err": errors, "weight": weights});
    let used = json!({"a": fitted.a, "b": fitted.b, "c": fitted.c});
    let judged = format!(
        "the next three rounds would gain {}; advisory: it can turn a ceiling into \"unknown\", never the reverse",
        prose::points(fitted.predicted_gain)
    );
    Some(Derivation::new("t2", "error over the rounds", "power_law_fit", input, used).judged(judged))
}

/// The label ceiling.
pub(super) fn labels(findings: &Findings<'_>) -> Vec<Derivation> {
    let (evidence, report) = (findings.evidence, &findings.label);
    let (Some(ceiling), Some(target)) = (report.ceiling, evidence.facts.targets.accuracy) else {
        return Vec::new();
    };
    let alpha = evidence.alpha();
    let range = format!(
        "a perfect system scores {} to {}, the target is {}",
        prose::percent(ceiling.low),
        prose::percent(ceiling.high),
        prose::percent(target)
    );
    match report.source {
        Some(LabelSource::Audit) => {
            let input = json!({"x": report.wrong, "n": report.checked, "alpha": alpha});
            let used = json!({"lo": 1.0 - ceiling.high, "hi": 1.0 - ceiling.low});
            let what = "bounds of the label error rate (audit)";
            let step = Derivation::new("label-ceiling", what, "clopper_pearson_one_sided", input, used);
            vec![step.judged(format!("ceiling = 1 - error rate: {range}"))]
        }
        Some(LabelSource::DoubleAnnotation) => {
            let classes = evidence.facts.annotations.map_or(2, |pairs| pairs.classes);
            let agreed = report.checked.saturating_sub(report.wrong);
            let agreement = crate::stats::proportion::wilson(agreed as f64, report.checked as f64, alpha);
            let wilson = json!({"x": agreed, "n": report.checked, "alpha": alpha});
            let ends = json!({"lo": agreement.low, "hi": agreement.high});
            let of_end = |end: f64| {
                let input = json!({"agreement": end, "classes": classes});
                let used = json!({"eps": label_error_from_agreement(end, classes)});
                let what = "label error rate at this agreement";
                Derivation::new("label-ceiling", what, "label_error_from_agreement", input, used)
            };
            let first = Derivation::new("label-ceiling", "agreement of the annotators", "wilson", wilson, ends);
            vec![first, of_end(agreement.low), of_end(agreement.high).judged(range)]
        }
        None => Vec::new(),
    }
}

/// T3: the share of answers over the limit.
pub(super) fn latency(findings: &Findings<'_>) -> Vec<Derivation> {
    let (evidence, trigger) = (findings.evidence, &findings.triggers.t3);
    let (Some(limit), Some(place), Some(bounds)) =
        (evidence.facts.targets.ttft_p95_ms, evidence.incumbent, trigger.bounds)
    else {
        return Vec::new();
    };
    let (over, n) = (evidence.at(place).ttft.over(limit), trigger.n);
    let input = json!({"x": over, "n": n, "alpha": evidence.alpha()});
    let used = json!({"lo": bounds.low, "hi": bounds.high});
    let what = format!("share of answers of {} over {} ms", evidence.name(place), prose::number(limit, 0));
    let judged = match trigger.state {
        TriggerState::Clear => "hi is 5% or less: the 95th percentile is within the limit",
        TriggerState::Fired => "lo is over 5%: the 95th percentile is over the limit",
        _ => "5% lies between lo and hi: not enough evidence",
    };
    let known = triggers::exceedance(evidence, place, limit, evidence.alpha());
    let mut steps = Vec::new();
    if evidence.setting.anytime.is_some() {
        let input = json!({"x": over, "n": n, "alpha": evidence.alpha()});
        steps.push(Derivation::new("t3", what, "cs_bernoulli", input, used).judged(judged));
    } else if known.minutes > 1 {
        let (score, cluster) = triggers::over_by_minute(evidence.at(place), limit);
        let input = json!({"score": score, "cluster": cluster, "calls": n, "alpha": evidence.alpha()});
        let effective = "answers over the limit: how many independent ones they count as, minutes being clusters";
        let n_eff = json!({"n_eff": known.n_eff});
        steps.push(Derivation::new("t3", effective, "clustered_accuracy", input, n_eff));
        let input = json!({"x": known.share * known.n_eff, "n": known.n_eff, "alpha": evidence.alpha()});
        steps.push(Derivation::new("t3", what, "clopper_pearson_one_sided", input, used).judged(judged));
    } else {
        steps.push(Derivation::new("t3", what, "clopper_pearson_one_sided", input, used).judged(judged));
    }
    let ranks = trigger.finding.map(|_| {
        let ranks = crate::stats::quantile::quantile_ranks(n, 0.95, evidence.alpha());
        let input = json!({"n": n, "q": 0.95, "alpha": evidence.alpha()});
        let used = json!({"lower_rank": ranks.low, "upper_rank": ranks.high, "point_rank": ranks.point});
        let what = "which of the sorted times are the 95th percentile and its interval";
        Derivation::new("t3", what, "quantile_ranks", input, used)
    });
    steps.extend(ranks);
    steps
}

/// Each measured rung's variant against the variant in use.
pub(super) fn rungs(findings: &Findings<'_>) -> Vec<Derivation> {
    let evidence = findings.evidence;
    let Some(incumbent) = evidence.incumbent else { return Vec::new() };
    let alpha = evidence.alpha();
    let mut steps = Vec::new();
    for rung in Rung::ALL {
        let report = findings.rungs.get(&rung);
        let place = report.and_then(|report| evidence.place_of(report.variant.as_ref()?));
        let Some(place) = place.filter(|&place| place != incumbent) else { continue };
        let about = format!("rung-{}", rung.name());
        for metric in [Metric::Accuracy, Metric::Validity] {
            if !(evidence.has(place, metric) && evidence.has(incumbent, metric)) {
                continue;
            }
            let difference = evidence.pair(incumbent, place, metric, 2.0 * alpha);
            let names = (evidence.name(place), evidence.name(incumbent));
            let what = format!("{} of {} minus that of {}", super::noun(metric), names.0, names.1);
            let step = pair(&about, &what, &difference, 2.0 * alpha);
            let judged = format!(
                "no worse if lo is over -{margin}, worse if hi is under -{margin}",
                margin = prose::points(evidence.facts.margin)
            );
            let judged = if step.judged.is_empty() { judged } else { format!("{}; {judged}", step.judged) };
            steps.push(step.judged(judged));
            let target = match metric {
                Metric::Accuracy => evidence.facts.targets.accuracy,
                Metric::Validity => evidence.facts.targets.schema_validity,
            };
            if let Some(target) = target {
                steps.extend(against_target(evidence, &about, (place, metric), target, None));
            }
        }
    }
    steps.extend(gains(findings));
    steps
}

/// "Gains more than nothing that matters", corrected over the rungs tried.
fn gains(findings: &Findings<'_>) -> Option<Derivation> {
    let gains = &findings.gains;
    if gains.is_empty() {
        return None;
    }
    let p: Vec<f64> = gains.iter().map(|gain| gain.p).collect();
    let adjusted: Vec<f64> = gains.iter().map(|gain| gain.p_holm).collect();
    let names: Vec<String> = gains.iter().map(|gain| findings.evidence.name(gain.place)).collect();
    let what = format!(
        "one-sided p of \"gains no more than {}\" for {}, corrected (Holm)",
        prose::points(findings.evidence.delta()),
        names.join(", ")
    );
    let judged = format!("improves if under alpha/2 = {}", prose::number(findings.evidence.alpha() / 2.0, 4));
    Some(Derivation::new("rungs", what, "holm_bh", json!({"p": p}), json!({"holm": adjusted})).judged(judged))
}

/// The best other variant against the one in use.
pub(super) fn rival(findings: &Findings<'_>) -> Vec<Derivation> {
    let evidence = findings.evidence;
    let Some((paired, incumbent)) = findings.paired.as_ref().zip(evidence.incumbent) else {
        return Vec::new();
    };
    let Some(place) = evidence.place_of(&paired.variant) else { return Vec::new() };
    let alpha = evidence.alpha();
    let difference = evidence.pair(incumbent, place, Metric::Accuracy, alpha);
    let what = format!("the accuracy of {} minus that of {}", evidence.name(place), evidence.name(incumbent));
    let interval = pair("paired", &what, &difference, alpha);
    let p = p_value("paired", "two-sided p-value of no difference", evidence, &difference);
    std::iter::once(interval).chain(p).collect()
}
