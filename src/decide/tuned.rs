//! What a tuned variant showed, or what one would have to reach.

use serde::Serialize;

use super::evidence::{Evidence, Metric, PairedComparison};
use super::{economics, prose};
use crate::stats::Estimate;
use crate::stats::proportion::clopper_pearson_one_sided;
use crate::variant::VariantId;

/// What a tuned variant must show.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Requirement {
    /// `accuracy`, `schema-validity`, `ttft-p95-ms` or `usd-per-request`.
    pub what: &'static str,
    /// The least it must be, for rates.
    pub at_least: Option<f64>,
    /// The most it may be, for times and money.
    pub at_most: Option<f64>,
    /// In a sentence.
    pub explanation: String,
}

/// What a tuned variant showed, or would have to reach.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TunedReport {
    /// The tuned variant with the highest accuracy, if one was measured.
    pub variant: Option<VariantId>,
    /// Its accuracy.
    pub accuracy: Option<Estimate>,
    /// Whether the accuracy target is excluded for it.
    pub misses_target: bool,
    /// Against the variant in use.
    pub against_incumbent: Option<PairedComparison>,
    /// What a tuned variant must reach to be shipped.
    pub must_reach: Vec<Requirement>,
    /// In a sentence.
    pub explanation: String,
}

/// The report; what must be reached follows from the targets, and from what a request costs now.
pub(super) fn report(evidence: &Evidence<'_>) -> TunedReport {
    let must_reach = requirements(evidence);
    let alpha = evidence.alpha();
    let tuned = |&place: &usize| evidence.at(place).variant.tuned.is_some() && evidence.usable(place);
    let places: Vec<usize> = evidence.eligible.iter().copied().filter(tuned).collect();
    let Some(place) = evidence.best_of(&places) else {
        let wants: Vec<&str> = must_reach.iter().map(|requirement| requirement.explanation.as_str()).collect();
        let explanation = match wants.is_empty() {
            true => "no tuned variant was measured, and no target says what one would have to reach".to_owned(),
            false => format!("no tuned variant was measured; one would have to reach {}", wants.join(", ")),
        };
        return TunedReport {
            variant: None,
            accuracy: None,
            misses_target: false,
            against_incumbent: None,
            must_reach,
            explanation,
        };
    };
    let accuracy = evidence.estimate(place, Metric::Accuracy, alpha);
    let target = evidence.facts.targets.accuracy;
    let bounds = evidence.bounds(place, Metric::Accuracy, alpha).interval;
    let misses_target = target.is_some_and(|target| bounds.high < target);
    let end = match target {
        Some(target) if misses_target => format!("; the target {} is not reached", prose::percent(target)),
        Some(target) if bounds.low >= target => format!("; the target {} is met", prose::percent(target)),
        Some(target) => format!("; the target {} is not excluded", prose::percent(target)),
        None => String::new(),
    };
    let name = evidence.name(place);
    TunedReport {
        variant: Some(evidence.at(place).variant.id.clone()),
        explanation: format!("the best tuned variant, {name}, has an accuracy of {}{end}", prose::rate(&accuracy)),
        accuracy: Some(accuracy),
        misses_target,
        against_incumbent: evidence.incumbent.map(|incumbent| evidence.comparison(incumbent, place)),
        must_reach,
    }
}

fn requirements(evidence: &Evidence<'_>) -> Vec<Requirement> {
    let targets = evidence.facts.targets;
    let rates = [
        ("accuracy", targets.accuracy, Metric::Accuracy, "right"),
        ("schema-validity", targets.schema_validity, Metric::Validity, "schema-valid"),
    ];
    let mut wanted: Vec<Requirement> = rates
        .into_iter()
        .filter_map(|(what, target, metric, word)| rate(evidence, what, target?, metric, word))
        .collect();
    if let Some(limit) = targets.ttft_p95_ms {
        let explanation = format!("a p95 first token of {} ms or less", prose::number(limit, 0));
        wanted.push(Requirement { what: "ttft-p95-ms", at_least: None, at_most: Some(limit), explanation });
    }
    wanted.extend(economics::most_per_request(evidence).map(|most| Requirement {
        what: "usd-per-request",
        at_least: None,
        at_most: Some(most),
        explanation: format!("{} a request or less, to pay back for certain", prose::usd(most)),
    }));
    wanted
}

/// The share that proves a rate's target on as many examples as the variant in use has.
fn rate(evidence: &Evidence<'_>, what: &'static str, target: f64, metric: Metric, word: &str) -> Option<Requirement> {
    let n = evidence.incumbent.and_then(|place| evidence.bounds(place, metric, evidence.alpha()).known.n_eff);
    let n = n.map_or(0.0, f64::floor);
    let needed = least_right(target, n, evidence.alpha());
    let goal = prose::percent(target);
    let (at_least, explanation) = match needed {
        Some(right) => {
            let share = right / n;
            let of = format!("{} of {}", prose::count(right as u64), prose::count(n as u64));
            (share, format!("{} {word} ({of}, which proves {goal})", prose::percent(share)))
        }
        None => (target, format!("{goal} {word} (more examples than now are needed to prove it)")),
    };
    Some(Requirement { what, at_least: Some(at_least), at_most: None, explanation })
}

/// The least number right of `n` that proves `target`; `None` where not even all would.
fn least_right(target: f64, n: f64, alpha: f64) -> Option<f64> {
    let proves = |right: f64| clopper_pearson_one_sided(right, n, alpha).low >= target;
    if n < 1.0 || !proves(n) {
        return None;
    }
    let (mut short, mut enough) = (-1.0, n);
    while enough - short > 1.0 {
        let middle = ((short + enough) / 2.0_f64).floor();
        if middle >= 0.0 && proves(middle) { enough = middle } else { short = middle }
    }
    Some(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_that_proves_a_target() {
        // METHODS.md 4: 1 failure of 4,742 proves 99.9%, one more does not.
        assert_eq!(least_right(0.999, 4742.0, 0.05), Some(4741.0));
        assert_eq!(least_right(0.999, 2995.0, 0.05), Some(2995.0));
        assert_eq!(least_right(0.999, 2994.0, 0.05), None);
        assert_eq!(least_right(0.9, 46.0, 0.05), Some(45.0));
        assert_eq!(least_right(0.9, 0.0, 0.05), None);
    }
}
