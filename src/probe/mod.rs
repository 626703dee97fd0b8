//! Trained baselines: what a small supervised classifier reaches on a suite's own labels, before anything is tuned.
//!
//! Rows in, a report out: no file, clock or thread count shows in it. The learner is a linear classifier with softmax
//! (multinomial logistic regression) on words and letter n-grams, or on embeddings ([`features`], [`classifier`]);
//! how strongly it is held back is chosen on the training rows by cross-validation ([`out_of_fold`]).
//!
//! What it reaches is a lower bound on what supervised training reaches on these labels. It is never the fine-tune.

mod baseline;
pub mod classifier;
mod cross;
mod curve;
pub mod features;
mod fields;
pub mod folds;
mod material;
pub mod report;
mod resample;
pub mod versus;

use crate::score::{self, ScorerError};
use crate::suite::{ScorerKind, Task};
use baseline::{Bench, ByScorer, classification};
use features::{Vectors, Words};
use material::Labelled;

pub use cross::{OutOfFold, Settings, out_of_fold};
pub use material::{Material, key};
pub use report::{ProbeReport, TrainedBaseline};

/// How far a probe is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is under way.
    pub what: String,
    /// Parts of it that are done.
    pub done: u64,
    /// Parts that it has; 0 where that is not known.
    pub of: u64,
}

/// The vectors of a suite's inputs.
#[derive(Debug, Clone)]
pub enum Embedded {
    /// There are none, and why.
    Absent {
        /// Who would have made them.
        endpoint: Option<String>,
        /// Why there are none.
        why: String,
    },
    /// Of the pool's rows, then of the test examples, in the order of [`Material`].
    Made {
        /// Who made them.
        endpoint: String,
        /// One a row.
        vectors: Vec<Vec<f32>>,
    },
}

/// Trains the baselines on a suite's pool and measures them on its test examples.
///
/// `train_examples` are planned; `None` asks about twice the pool. `step` hears how far it is.
///
/// # Errors
/// A primary scorer that cannot be built.
pub fn probe(
    material: &Material<'_>,
    embedded: &Embedded,
    train_examples: Option<u64>,
    step: &mut dyn FnMut(Step),
) -> Result<ProbeReport, ScorerError> {
    let suite = material.suite;
    let primary = suite.scorers.first();
    let labelled = Labelled::of(material, |row| primary.and_then(|primary| material::expected(row, primary)));
    let mut report = ProbeReport {
        suite: suite.name.clone(),
        task: suite.task,
        primary: primary.map_or(String::new(), |primary| primary.id.clone()),
        key: key(material),
        planned: train_examples,
        pool: labelled.facts[0],
        test: labelled.facts[1],
        near_duplicates: material::near_duplicates(material),
        shared_clusters: material::shared_clusters(material),
        classes_not_in_pool: Vec::new(),
        baselines: Vec::new(),
    };
    let settings = Settings { seed: suite.statistics.seed, ..Settings::default() };
    let Some(primary) = primary else { return Ok(report) };
    report.baselines = match unfit(suite.task, &primary.kind) {
        Some(why) => ["words", "embeddings"].map(|name| TrainedBaseline::absent(name, None, why)).into(),
        None if suite.task == Task::Extraction => {
            let words = fields::extraction(material, primary, &settings, step);
            vec![words, TrainedBaseline::absent("embeddings", None, "of an extraction, words alone are tried")]
        }
        None => {
            report.classes_not_in_pool = labelled.not_in_pool();
            let scorer = score::build(primary)?;
            let judge = ByScorer { scorer: scorer.as_ref(), spec: primary, labelled: &labelled };
            let of = |representation, name: (&str, Option<String>), step: &mut dyn FnMut(Step)| {
                let statistics = suite.statistics;
                let bench =
                    Bench { labelled: &labelled, representation, judge: &judge, settings: &settings, statistics };
                classification(&bench, name, train_examples, step)
            };
            let words = Words::new(labelled.texts().iter().map(String::as_str));
            let words = of(&words, ("words", None), step);
            let embeddings = match embedded {
                Embedded::Absent { endpoint, why } => {
                    TrainedBaseline::absent("embeddings", endpoint.clone(), why.as_str())
                }
                Embedded::Made { endpoint, vectors } => {
                    let of_rows = labelled.rows.iter().map(|row| vectors.get(row.place).cloned().unwrap_or_default());
                    of(&Vectors::new(of_rows.collect()), ("embeddings", Some(endpoint.clone())), step)
                }
            };
            vec![words, embeddings]
        }
    };
    Ok(report)
}

/// Why a suite has no classes to learn.
fn unfit(task: Task, primary: &ScorerKind) -> Option<&'static str> {
    match (task, primary) {
        (Task::Generation, _) => Some("free text has no classes, and no field with few values, to learn"),
        (_, ScorerKind::Command { .. }) => {
            Some("the primary scorer is a process of its own, which is asked about answers that were given")
        }
        (_, ScorerKind::Stated { .. }) => Some("the primary scorer is what another tool stated of its answers"),
        _ => None,
    }
}

impl ProbeReport {
    /// The baseline that a variant is set against: the one with the highest cross-validated accuracy on the pool.
    pub fn best(&self) -> Option<&TrainedBaseline> {
        let reached = |row: &TrainedBaseline| row.cross_validated.and_then(|estimate| estimate.point);
        let applicable = self.baselines.iter().filter(|row| reached(row).is_some());
        applicable.reduce(|best, other| if reached(other) > reached(best) { other } else { best })
    }
}

/// A labelled text. Rows that share a `cluster` are never split between the training and the held-out part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledText {
    /// Its id.
    pub id: String,
    /// What is read.
    pub text: String,
    /// Its class.
    pub label: String,
    /// Rows of one cluster are not independent; `None` is a cluster of its own.
    pub cluster: Option<String>,
}

/// Why no classifier can be trained on these rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Inapplicable {
    /// Fewer rows than cross-validation can do anything with.
    #[error("{rows} labelled rows are too few to train and check a classifier: {needed} are needed")]
    TooFewRows {
        /// How many there are.
        rows: usize,
        /// How many it takes.
        needed: usize,
    },
    /// Nothing to tell apart.
    #[error("all labelled rows have the label `{label}`")]
    OneClass {
        /// That label.
        label: String,
    },
    /// Rows that cannot be held out apart from one another.
    #[error("the labelled rows make {clusters} clusters, and {needed} are needed to hold some out")]
    TooFewClusters {
        /// How many there are.
        clusters: usize,
        /// How many it takes.
        needed: usize,
    },
    /// Nothing to measure on.
    #[error("no test example has a label where the primary scorer looks")]
    NoTestRows,
    /// More than fits.
    #[error(
        "{classes} labels, {columns} columns and {rows} rows take {mebibytes} MiB for one classifier, and the most is \
         {most}"
    )]
    TooLarge {
        /// How many labels.
        classes: usize,
        /// How many columns the rows have, all of them together.
        columns: usize,
        /// How many rows there are.
        rows: usize,
        /// What weights and probabilities take.
        mebibytes: usize,
        /// What they may take.
        most: usize,
    },
    /// About as many labels as rows: free text, not classes.
    #[error("{rows} labelled rows have {classes} different labels: too many to be classes")]
    TooManyClasses {
        /// How many rows there are.
        rows: usize,
        /// How many labels.
        classes: usize,
    },
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests;
