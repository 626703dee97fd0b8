//! A classifier trained on the whole pool, its answers scored by the suite's own primary scorer.

use std::collections::BTreeMap;

use super::cross::{Settings, check, check_size, choose, fit};
use super::curve::{self, Planned};
use super::features::Representation;
use super::material::{Labelled, LabelledRow};
use super::report::{Majority, TrainedBaseline};
use super::{Inapplicable, Step};
use crate::score::{Grade, Scorer};
use crate::stats::classes::{BootstrapPlan, macro_f1_estimate};
use crate::stats::cluster::clustered_accuracy;
use crate::stats::{Estimate, RESAMPLES};
use crate::suite::{ScorerSpec, Statistics};

/// How an answer becomes a score.
pub(super) trait Judge: Sync {
    /// The score of answering `class` to a row; `None` where it cannot be scored.
    fn score(&self, row: &LabelledRow<'_>, class: usize) -> Option<f64>;
}

/// The suite's primary scorer.
pub(super) struct ByScorer<'a> {
    pub(super) scorer: &'a dyn Scorer,
    pub(super) spec: &'a ScorerSpec,
    pub(super) labelled: &'a Labelled<'a>,
}

impl Judge for ByScorer<'_> {
    fn score(&self, row: &LabelledRow<'_>, class: usize) -> Option<f64> {
        let expected = row.example.expected.pointer(&self.spec.expected_at)?;
        match self.scorer.score(expected, self.labelled.values[class], None) {
            Grade::Scored(score) => Some(score),
            Grade::Unscored(_) => None,
        }
    }
}

/// The same value or not.
pub(super) struct ByClass;

impl Judge for ByClass {
    fn score(&self, row: &LabelledRow<'_>, class: usize) -> Option<f64> {
        Some(f64::from(u8::from(row.class == class)))
    }
}

/// What training and measuring take.
pub(super) struct Bench<'a> {
    pub(super) labelled: &'a Labelled<'a>,
    pub(super) representation: &'a dyn Representation,
    pub(super) judge: &'a dyn Judge,
    pub(super) settings: &'a Settings,
    pub(super) statistics: Statistics,
}

/// What a classifier reaches.
pub(super) struct Reached {
    pub(super) cost: f64,
    pub(super) accuracy: Estimate,
    pub(super) macro_f1: Option<Estimate>,
    pub(super) majority: Majority,
    pub(super) cross_validated: Estimate,
    pub(super) scores: BTreeMap<String, f32>,
}

impl Bench<'_> {
    /// Chooses the cost on the pool, trains on all of it, and measures on the test examples.
    pub(super) fn reach(&self) -> Result<Reached, Inapplicable> {
        let (labelled, settings) = (self.labelled, self.settings);
        let pool = labelled.pool();
        let labels: Vec<usize> = pool.iter().map(|row| row.class).collect();
        let clusters: Vec<u32> = pool.iter().map(|row| row.cluster).collect();
        let mut present: Vec<usize> = labels.clone();
        present.sort_unstable();
        present.dedup();
        let names: Vec<String> = present.iter().map(|class| labelled.classes[*class].clone()).collect();
        check(&names, &labels, &clusters)?;
        if labelled.test().is_empty() {
            return Err(Inapplicable::NoTestRows);
        }
        let every: Vec<usize> = (0..labelled.pool).collect();
        let classes = labelled.classes.len();
        check_size(classes, self.representation.columns(), labelled.rows.len(), settings)?;
        let chosen = choose(self.representation, &every, &labels, &clusters, classes, settings);
        let out_of_fold: Vec<usize> = chosen.probabilities.iter().map(|row| likeliest(row)).collect();
        let test: Vec<usize> = (labelled.pool..labelled.rows.len()).collect();
        let said = fit(self.representation, &every, &labels, classes, chosen.cost, &test, settings.seed);
        let answers: Vec<usize> = said.iter().map(|row| likeliest(row)).collect();
        let guess = labelled.most_frequent();
        let scores = self.scores(labelled.test(), &answers);
        let id = |place: usize| labelled.test()[place].example.id.0.clone();
        Ok(Reached {
            cost: chosen.cost,
            accuracy: self.estimate(labelled.test(), &scores),
            macro_f1: self.macro_f1(&answers, &scores),
            majority: Majority {
                label: labelled.classes[guess].clone(),
                share: mean(&self.scores(labelled.test(), &vec![guess; test.len()])),
            },
            cross_validated: self.estimate(pool, &self.scores(pool, &out_of_fold)),
            scores: scores.iter().enumerate().filter_map(|(at, score)| Some((id(at), (*score)? as f32))).collect(),
        })
    }

    /// The scores of these answers.
    pub(super) fn scores(&self, rows: &[LabelledRow<'_>], answers: &[usize]) -> Vec<Option<f64>> {
        rows.iter().zip(answers).map(|(row, class)| self.judge.score(row, *class)).collect()
    }

    /// Their mean with its interval, like that of a variant.
    fn estimate(&self, rows: &[LabelledRow<'_>], scores: &[Option<f64>]) -> Estimate {
        let known = || rows.iter().zip(scores).filter_map(|(row, score)| Some((row.cluster, (*score)?)));
        let (clusters, values): (Vec<u32>, Vec<f64>) = known().unzip();
        let mut distinct = clusters.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let graded = values.iter().any(|score| *score != 0.0 && *score != 1.0);
        let dependent = graded || distinct.len() < clusters.len();
        clustered_accuracy(&values, &clusters, values.len() as u64, dependent, self.statistics.alpha)
    }

    /// Macro-F1; what the scorer forgives is the expected class here too.
    fn macro_f1(&self, answers: &[usize], scores: &[Option<f64>]) -> Option<Estimate> {
        let rows = self.labelled.test();
        let pairs: Vec<(usize, Option<usize>)> = rows
            .iter()
            .zip(answers)
            .zip(scores)
            .map(|((row, class), score)| (row.class, Some(if *score == Some(1.0) { row.class } else { *class })))
            .collect();
        let clusters: Vec<u32> = rows.iter().map(|row| row.cluster).collect();
        let Statistics { alpha, seed, .. } = self.statistics;
        let plan = BootstrapPlan { seed, resamples: RESAMPLES, alpha };
        macro_f1_estimate(&pairs, &clusters, self.labelled.classes.len(), plan).ok()
    }
}

/// The row of a classification.
pub(super) fn classification(
    bench: &Bench<'_>,
    (name, endpoint): (&str, Option<String>),
    train_examples: Option<u64>,
    step: &mut dyn FnMut(Step),
) -> TrainedBaseline {
    step(Step { what: format!("{name}: cross-validation"), done: 0, of: 0 });
    let reached = match bench.reach() {
        Ok(reached) => reached,
        Err(why) => return TrainedBaseline::absent(name, endpoint, why.to_string()),
    };
    let planned = Planned { cost: reached.cost, train_examples, name };
    TrainedBaseline {
        name: name.to_owned(),
        endpoint,
        not_applicable: None,
        training_examples: bench.labelled.pool as u64,
        cost: Some(reached.cost),
        accuracy: Some(reached.accuracy),
        macro_f1: reached.macro_f1,
        majority: Some(reached.majority),
        cross_validated: Some(reached.cross_validated),
        scores: reached.scores,
        fields: Vec::new(),
        curve: Some(curve::learning_curve(bench, &planned, step)),
    }
}

/// The class of the highest probability, the first of several.
pub(super) fn likeliest(probabilities: &[f32]) -> usize {
    let most = probabilities.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    probabilities.iter().position(|value| *value == most).unwrap_or(0)
}

fn mean(scores: &[Option<f64>]) -> f64 {
    let known: Vec<f64> = scores.iter().flatten().copied().collect();
    known.iter().sum::<f64>() / (known.len() as f64).max(1.0)
}
