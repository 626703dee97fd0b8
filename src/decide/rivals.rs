//! Whether a variant is no worse than the incumbent on the rest, faster, or cheaper (METHODS.md 3, 12.2).

use super::evidence::{Evidence, Metric};
use super::ladder::TriggerState;
use super::subject::Rates;
use super::{prose, triggers};
use crate::measure::Costs;
use crate::stats::cluster::mean_with_t;
use crate::stats::paired::paired_difference;
use crate::stats::proportion::clopper_pearson_one_sided;
use crate::stats::{Estimate, Interval};

/// "At least 10%", for money and time.
const LESS: f64 = 0.9;

/// Quality, validity and latency against the incumbent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rest {
    /// Worse by no more than the margin, on all.
    NoWorse,
    /// Worse by more than the margin on one, in words.
    Worse(String),
    /// Not shown for one, in words, with the examples that would show it.
    Unknown(String, Option<u64>),
}

/// Non-inferiority on everything that matters. "No worse" is shown at `met_alpha`, corrected where one
/// of several variants may show it.
pub(super) fn no_worse(evidence: &Evidence<'_>, a: usize, b: usize, met_alpha: f64) -> Rest {
    no_worse_in(evidence, (a, b), &[(Metric::Accuracy, "accuracy"), (Metric::Validity, "schema validity")], met_alpha)
}

/// The same where accuracy is put into money, and counted there.
pub(super) fn no_worse_but_accuracy(evidence: &Evidence<'_>, a: usize, b: usize, met_alpha: f64) -> Rest {
    no_worse_in(evidence, (a, b), &[(Metric::Validity, "schema validity")], met_alpha)
}

fn no_worse_in(
    evidence: &Evidence<'_>,
    (a, b): (usize, usize),
    metrics: &[(Metric, &'static str)],
    met_alpha: f64,
) -> Rest {
    let mut all = Rest::NoWorse;
    for &(metric, what) in metrics {
        if metric == Metric::Validity && !(evidence.has(a, metric) && evidence.has(b, metric)) {
            // Unknown is not "no worse"; where nobody asks for validity there is nothing to compare.
            let asked = evidence.facts.targets.schema_validity.is_some() || evidence.has(a, metric);
            if asked && !evidence.has(b, metric) && all == Rest::NoWorse {
                all = Rest::Unknown(format!("{what} of {} was not measured", evidence.name(b)), None);
            }
            continue;
        }
        match rate_no_worse(evidence, (a, b), (metric, what), met_alpha) {
            Rest::NoWorse => {}
            worse @ Rest::Worse(_) => return worse,
            unknown @ Rest::Unknown(..) => all = if all == Rest::NoWorse { unknown } else { all },
        }
    }
    match latency_no_worse(evidence, a, b, met_alpha) {
        worse @ Rest::Worse(_) => worse,
        other if all == Rest::NoWorse => other,
        _ => all,
    }
}

fn rate_no_worse(
    evidence: &Evidence<'_>,
    (a, b): (usize, usize),
    (metric, what): (Metric, &str),
    met_alpha: f64,
) -> Rest {
    let margin = evidence.facts.margin;
    let at = |alpha: f64| evidence.pair(a, b, metric, 2.0 * alpha);
    let pair = at(evidence.alpha());
    let (high, low) = (pair.difference.interval.high, at(met_alpha).difference.interval.low);
    let names = format!("{what} of {} against {}", evidence.name(b), evidence.name(a));
    let by = prose::difference(&pair.difference.estimate(2.0 * evidence.alpha()));
    if high < -margin {
        Rest::Worse(format!("{names} is worse: {by}"))
    } else if low > -margin {
        Rest::NoWorse
    } else {
        let n = evidence.pair(b, a, metric, 2.0 * evidence.alpha()).n_to_exclude(margin, evidence.alpha());
        let why = format!(
            "{names}: a loss of more than {} is not excluded: {by}{}",
            prose::points(margin),
            prose::settle(n, "examples")
        );
        Rest::Unknown(why, n)
    }
}

/// Latency, where it has a target and may be compared: the shares of answers over the limit.
///
/// Recorded times that may not be compared are not judged, and the verdict carries a note.
fn latency_no_worse(evidence: &Evidence<'_>, a: usize, b: usize, met_alpha: f64) -> Rest {
    let Some(limit) = evidence.facts.targets.ttft_p95_ms else {
        return Rest::NoWorse;
    };
    if !evidence.setting.latency_comparable {
        return Rest::NoWorse;
    }
    if triggers::latency(evidence, b, met_alpha).state == TriggerState::Clear {
        return Rest::NoWorse;
    }
    if let Some(rest) = pairs_no_worse(evidence, (a, b), limit, met_alpha) {
        return rest;
    }
    let over = |place: usize, alpha: f64| {
        let latency = &evidence.at(place).ttft;
        clopper_pearson_one_sided(latency.over(limit) as f64, latency.n() as f64, alpha)
    };
    let half = met_alpha / 2.0;
    let margin = evidence.facts.margin;
    let name = evidence.name(b);
    if over(b, half).low - over(a, half).high > margin {
        Rest::Worse(format!("{name} answers later than the limit more often"))
    } else if over(b, half).high - over(a, half).low < margin {
        Rest::NoWorse
    } else {
        Rest::Unknown(format!("whether {name} answers later than the limit more often is not shown"), None)
    }
}

/// The same on the examples that both answered afresh: the indicators of "within the limit" are paired
/// (METHODS.md 5). `None` where such times are not known for most of them.
fn pairs_no_worse(evidence: &Evidence<'_>, (a, b): (usize, usize), limit: f64, met_alpha: f64) -> Option<Rest> {
    let examples = evidence.setting.clusters.len();
    let within = |place: usize| {
        let mut sums = vec![(0_u32, 0_u32); examples];
        for trial in evidence.at(place).ttft_trials {
            if let Some(sum) = sums.get_mut(trial.example as usize) {
                *sum = (sum.0 + u32::from(f64::from(trial.ms) <= limit), sum.1 + 1);
            }
        }
        sums
    };
    let (first, second) = (within(a), within(b));
    let share = |(within, all): (u32, u32)| (all > 0).then(|| f64::from(within) / f64::from(all));
    let pairs = first.iter().zip(&second).zip(evidence.setting.clusters);
    let known = pairs.filter_map(|((a, b), &cluster)| Some((share(*b)? - share(*a)?, cluster)));
    let (values, clusters): (Vec<f64>, Vec<u32>) = known.unzip();
    if values.is_empty() || 2 * values.len() < examples {
        return None;
    }
    let margin = evidence.facts.margin;
    let calls = values.len() as u64;
    let interval = |alpha: f64| paired_difference(&values, &clusters, calls, 2.0 * alpha).interval;
    let name = evidence.name(b);
    Some(if interval(evidence.alpha()).high < -margin {
        Rest::Worse(format!("{name} answers later than the limit more often"))
    } else if interval(met_alpha).low > -margin {
        Rest::NoWorse
    } else {
        Rest::Unknown(format!("whether {name} answers later than the limit more often is not shown"), None)
    })
}

/// Whether b's 95th percentile is at least 10% under a's, by their intervals.
pub(super) fn faster(evidence: &Evidence<'_>, a: usize, b: usize) -> bool {
    let (Some(a), Some(b)) = (evidence.at(a).ttft.p95(), evidence.at(b).ttft.p95()) else {
        return false;
    };
    evidence.setting.latency_comparable && b.high < LESS * a.low
}

/// Whether b's requests are at least 10% cheaper than a's, paired where both are known by example.
pub(super) fn cheaper(evidence: &Evidence<'_>, a: usize, b: usize) -> bool {
    let (first, second) = (evidence.at(a), evidence.at(b));
    if let Some(saving) = paired_money(evidence, a, b, |a, b| LESS * a - b, 0.0) {
        return saving.low > 0.0;
    }
    match (first.per_request, second.per_request) {
        (Some(a), Some(b)) => b.high < LESS * a.low,
        _ => false,
    }
}

/// What b saves a request against a in USD: paired by example where known, else from the two
/// intervals. `value_per_error` puts a gain in accuracy into money.
pub(super) fn saving(evidence: &Evidence<'_>, a: usize, b: usize, value_per_error: f64) -> Option<Estimate> {
    if let Some(paired) = paired_money(evidence, a, b, |a, b| a - b, value_per_error) {
        let method = crate::stats::Method::StudentT;
        let level = 1.0 - evidence.alpha();
        let n = paired.n;
        return Some(Estimate { point: Some(paired.point), low: paired.low, high: paired.high, level, n, method });
    }
    // Interval ends add up: wider than need be, and never too sure.
    let gained = match value_per_error {
        0.0 => Some((0.0, 0.0, 0.0)),
        value => {
            let known = evidence.pair(a, b, Metric::Accuracy, evidence.alpha()).difference;
            known.mean.map(|mean| (value * mean, value * known.interval.low, value * known.interval.high))
        }
    };
    let (gain, gain_low, gain_high) = gained?;
    let (a, b) = (evidence.at(a).per_request?, evidence.at(b).per_request?);
    let finite = a.low.is_finite() && a.high.is_finite() && b.low.is_finite() && b.high.is_finite();
    let (Some(point_a), Some(point_b), true) = (a.point, b.point, finite) else {
        return None;
    };
    let point = Some(point_a - point_b + gain);
    Some(Estimate { point, low: a.low - b.high + gain_low, high: a.high - b.low + gain_high, n: a.n.min(b.n), ..a })
}

struct Money {
    point: f64,
    low: f64,
    high: f64,
    n: u64,
}

fn paired_money(
    evidence: &Evidence<'_>,
    a: usize,
    b: usize,
    combine: impl Fn(f64, f64) -> f64,
    value_per_error: f64,
) -> Option<Money> {
    let (first, second) = (evidence.at(a), evidence.at(b));
    let mut values = Vec::new();
    let mut clusters = Vec::new();
    for (place, &cluster) in evidence.setting.clusters.iter().enumerate() {
        let cost = |of: Option<&Costs>| of?.get(place);
        let score = |of: Rates<'_>| match of {
            Rates::ByExample(scores) => scores.get(place).map(f64::from),
            Rates::Unknown | Rates::Counts(_) => None,
        };
        let (Some(a), Some(b)) = (cost(first.costs), cost(second.costs)) else {
            continue;
        };
        let gain = match (score(first.accuracy), score(second.accuracy)) {
            _ if value_per_error == 0.0 => 0.0,
            (Some(a), Some(b)) => value_per_error * (b - a),
            _ => continue,
        };
        values.push(combine(a, b) + gain);
        clusters.push(cluster);
    }
    let known = mean_with_t(&values, &clusters, evidence.alpha());
    let Interval { low, high } = known.interval?;
    let point = known.mean?;
    (low.is_finite() && high.is_finite()).then_some(Money { point, low, high, n: known.n })
}
