//! What a baseline that was trained on the pool says of training: evidence, weaker than a measured tuned variant.
//!
//! A linear classifier is no fine-tune: what it reaches is a lower bound on what supervised training reaches on these
//! labels. A tuned variant that is shown to be below it has not learned what the labels support.

use serde::Serialize;

use super::evidence::{Bounds, Evidence, Metric};
use super::pair::Pair;
use super::prose;
use crate::measure::trained::{Trained, TrainingPoint};
use crate::stats::adjust::holm;
use crate::stats::cluster::{clustered_mean, clustered_one_sided};
use crate::stats::paired::{PairedVerdict, paired_verdict};
use crate::stats::{Answer3, Estimate};
use crate::variant::VariantId;

/// A variant against the trained baseline, on the same examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgainstTrained {
    /// The variant.
    pub variant: VariantId,
    /// Accuracy of the trained baseline minus that of the variant.
    pub difference: Estimate,
    /// Whether the baseline is better.
    pub verdict: PairedVerdict,
}

/// Which way the baseline points on "a tuned model could reach the target".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leaning {
    /// The baseline reaches the target itself, or is foreseen to.
    For,
    /// It misses the target, and is not foreseen to reach it with the examples that are planned.
    Against,
    /// Neither is shown.
    Neither,
}

/// The best trained baseline as evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainedReport {
    /// What it learns from: `words` or `embeddings`.
    pub name: String,
    /// Rows that it was trained on.
    pub training_examples: u64,
    /// Its accuracy on the run's examples.
    pub accuracy: Estimate,
    /// Whether it meets the accuracy target; null without one.
    pub meets_target: Option<Answer3>,
    /// Whether it speaks for or against a tuned model that reaches the target; null without a target.
    pub leaning: Option<Leaning>,
    /// Against the best prompted variant.
    pub against_prompted: Option<AgainstTrained>,
    /// Against the best tuned variant.
    pub against_tuned: Option<AgainstTrained>,
    /// Tuned variants that are shown to be below it: they have not learned what these labels support.
    pub undertrained: Vec<VariantId>,
    /// Whether more examples would help it by a difference that matters.
    pub more_examples_help: Answer3,
    /// The accuracy foreseen with more examples, where the data support it.
    pub projection: Option<TrainingPoint>,
    /// In a sentence.
    pub explanation: String,
}

/// The report on the most accurate baseline; `None` where none was trained.
pub(super) fn report(evidence: &Evidence<'_>) -> Option<TrainedReport> {
    let trained = best(evidence.trained)?;
    let target = evidence.facts.targets.accuracy;
    let meets_target = target.map(|target| meets(evidence, trained, target));
    let curve = trained.curve.as_ref();
    let projection = curve.and_then(|curve| curve.projection);
    let more_examples_help = curve.map_or(Answer3::NotEnoughEvidence, |curve| curve.more_examples_help);
    let too_low = curve.is_some_and(|curve| curve.falls_faster);
    let leaning =
        target.zip(meets_target).map(|(target, meets)| match lean(meets, target, projection, more_examples_help) {
            // What is foreseen is rather too low then: it excludes nothing.
            Leaning::Against if too_low => Leaning::Neither,
            leaning => leaning,
        });
    let usable = |place: &usize| evidence.usable(*place);
    let best_of = |tuned: bool| {
        let those = evidence.eligible.iter().copied().filter(usable);
        let those: Vec<usize> = those.filter(|&place| evidence.at(place).variant.tuned.is_some() == tuned).collect();
        Some(against(evidence, trained, evidence.best_of(&those)?))
    };
    let undertrained = undertrained(evidence).into_iter().filter_map(|place| evidence.id(place)).collect();
    let mut report = TrainedReport {
        name: trained.name.clone(),
        training_examples: trained.training_examples,
        accuracy: trained.accuracy,
        meets_target,
        leaning,
        against_prompted: best_of(false),
        against_tuned: best_of(true),
        undertrained,
        more_examples_help,
        projection,
        explanation: String::new(),
    };
    report.explanation = explain(&report, target, too_low);
    Some(report)
}

/// Tuned variants that are shown to be below the best trained baseline; Holm over all of them.
fn undertrained(evidence: &Evidence<'_>) -> Vec<usize> {
    let Some(trained) = best(evidence.trained) else { return Vec::new() };
    let tuned = |place: &usize| evidence.at(*place).variant.tuned.is_some() && evidence.usable(*place);
    let places: Vec<usize> = (0..evidence.subjects.len()).filter(tuned).collect();
    let (alpha, seed) = (evidence.alpha(), evidence.facts.statistics.seed);
    let pairs: Vec<Pair> =
        places.iter().map(|&place| evidence.pair_with(place, &trained.scores, Metric::Accuracy, alpha)).collect();
    let p: Vec<f64> = pairs.iter().map(|pair| pair.p(seed)).collect();
    let shown = places.into_iter().zip(pairs).zip(holm(&p));
    let below = |((_, pair), p): &((usize, Pair), f64)| {
        paired_verdict(pair.difference.interval, *p, alpha) == PairedVerdict::Better
    };
    shown.filter(below).map(|((place, _), _)| place).collect()
}

/// What the baseline says of a rung that trains and was not measured, or not trained enough.
pub(super) fn of_rung(report: &TrainedReport) -> Option<String> {
    let word = match report.leaning? {
        Leaning::For => "it speaks for a tuned model that reaches the target",
        Leaning::Against => "it speaks against one that reaches the target",
        Leaning::Neither => "it says neither that a tuned model reaches the target nor that none does",
    };
    Some(format!(
        "a classifier trained on the pool ({}) has {}; {word} (weaker evidence than a measured tuned variant)",
        report.name,
        prose::rate(&report.accuracy)
    ))
}

/// The one that does best on rows of the pool which it has not seen: no test example chooses it. The first of equals.
fn best(trained: &[Trained]) -> Option<&Trained> {
    let mean = |one: &Trained| one.cross_validated.unwrap_or(0.0);
    trained.iter().rev().max_by(|a, b| mean(a).total_cmp(&mean(b)))
}

fn meets(evidence: &Evidence<'_>, trained: &Trained, target: f64) -> Answer3 {
    let interval = bounds(evidence, trained).interval;
    if interval.low >= target {
        Answer3::Yes
    } else if interval.high < target {
        Answer3::No
    } else {
        Answer3::NotEnoughEvidence
    }
}

fn bounds(evidence: &Evidence<'_>, trained: &Trained) -> Bounds {
    let (scores, clusters) = sample(evidence, trained);
    let (calls, alpha) = (scores.len() as u64, evidence.alpha());
    Bounds {
        known: clustered_mean(&scores, &clusters, calls, alpha),
        interval: clustered_one_sided(&scores, &clusters, calls, alpha),
    }
}

fn sample(evidence: &Evidence<'_>, trained: &Trained) -> (Vec<f64>, Vec<u32>) {
    let scores = trained.scores.iter().zip(evidence.setting.clusters);
    scores.filter_map(|(score, &cluster)| Some((f64::from(score?), cluster))).unzip()
}

fn lean(meets: Answer3, target: f64, projection: Option<TrainingPoint>, more_help: Answer3) -> Leaning {
    match (meets, projection) {
        (Answer3::Yes, _) => Leaning::For,
        (_, Some(foreseen)) if foreseen.low >= target => Leaning::For,
        (Answer3::No, Some(foreseen)) if foreseen.high < target => Leaning::Against,
        (Answer3::No, None) if more_help == Answer3::No => Leaning::Against,
        _ => Leaning::Neither,
    }
}

/// The baseline minus a variant.
fn against(evidence: &Evidence<'_>, trained: &Trained, place: usize) -> AgainstTrained {
    let alpha = evidence.alpha();
    let pair = evidence.pair_with(place, &trained.scores, Metric::Accuracy, alpha);
    let p = pair.p(evidence.facts.statistics.seed);
    AgainstTrained {
        variant: evidence.at(place).variant.id.clone(),
        difference: pair.difference.estimate(alpha),
        verdict: paired_verdict(pair.difference.interval, p, alpha),
    }
}

fn explain(report: &TrainedReport, target: Option<f64>, too_low: bool) -> String {
    let mut parts = vec![format!(
        "a linear classifier of {} trained on {} rows of the pool reaches {}: a lower bound on what supervised training \
         reaches on these labels",
        report.name,
        prose::count(report.training_examples),
        prose::rate(&report.accuracy),
    )];
    parts.extend(report.against_prompted.as_ref().map(|known| {
        let by = prose::difference(&known.difference);
        match known.verdict {
            PairedVerdict::Better => format!("above the best prompted variant, `{}`, by {by}", known.variant),
            PairedVerdict::Worse => format!("below the best prompted variant, `{}`: {by}", known.variant),
            PairedVerdict::NotEnoughEvidence => {
                format!("not told apart from the best prompted variant, `{}`: {by}", known.variant)
            }
        }
    }));
    parts.extend(report.projection.map(|foreseen| {
        format!(
            "with {} examples {} is foreseen ({} to {}){}",
            prose::count(foreseen.examples),
            prose::percent(foreseen.accuracy),
            prose::percent(foreseen.low),
            prose::percent(foreseen.high),
            if too_low { ", rather too low, since its error still falls faster than the fitted curve" } else { "" }
        )
    }));
    parts.extend(target.zip(report.leaning).map(|(target, leaning)| {
        let target = prose::percent(target);
        match (leaning, report.meets_target) {
            (Leaning::For, Some(Answer3::Yes)) => {
                format!("it meets the target {target} by itself: weigh it against any model before you train one")
            }
            (Leaning::For, _) => format!("it speaks for a tuned model that reaches {target}"),
            (Leaning::Against, _) => match report.projection {
                Some(foreseen) => {
                    let rows = prose::count(foreseen.examples);
                    format!("it speaks against a tuned model that reaches {target} with up to {rows} examples")
                }
                None => format!("it speaks against a tuned model that reaches {target} with examples like these"),
            },
            (Leaning::Neither, Some(Answer3::No)) => {
                format!("it misses the target {target} itself; whether a tuned model reaches that it does not say")
            }
            (Leaning::Neither, _) => format!("whether a tuned model reaches {target} it does not say"),
        }
    }));
    if let [first, ..] = report.undertrained.as_slice() {
        let others = if report.undertrained.len() > 1 { " (and others)" } else { "" };
        parts.push(format!("`{first}`{others} is below what these labels support: train on"));
    }
    parts.join("; ")
}
