//! What `ceiling probe` found, as it is printed and kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::stats::{Estimate, Interval};
use crate::suite::Task;

/// What trained baselines reach on a suite's test examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// The suite's name.
    pub suite: String,
    /// What kind of answer it wants.
    pub task: Task,
    /// The primary scorer's name: what "accuracy" is.
    pub primary: String,
    /// What it rests on: pool, test examples, schema, labels, primary scorer, levels, and how the learning is done.
    pub key: Digest,
    /// Training examples that are planned, as stated; `None`: not stated.
    pub planned: Option<u64>,
    /// Labelled rows of the pool.
    pub pool: RowFacts,
    /// Test examples.
    pub test: RowFacts,
    /// Pool rows that are all but the same as a test example: they flatter whatever is trained on the pool.
    pub near_duplicates: u64,
    /// Pool rows whose cluster test examples have too: they flatter likewise.
    pub shared_clusters: u64,
    /// Test examples whose class no pool row has: what is trained on the pool cannot get them right.
    pub classes_not_in_pool: Vec<String>,
    /// One row a representation.
    pub baselines: Vec<TrainedBaseline>,
}

/// Rows in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RowFacts {
    /// Rows with a label.
    pub rows: u64,
    /// Rows that have nothing where the label should be.
    pub unlabelled: u64,
    /// Independent clusters.
    pub clusters: u64,
    /// Different labels.
    pub classes: u64,
}

/// A small classifier trained on the pool, measured on the test examples like a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainedBaseline {
    /// What it reads: `words` or `embeddings`.
    pub name: String,
    /// Who made the vectors that it reads.
    pub endpoint: Option<String>,
    /// Why there is none; `None` where it was measured.
    pub not_applicable: Option<String>,
    /// Pool rows that it was trained on.
    pub training_examples: u64,
    /// The weight of the rows' losses against the penalty, as cross-validation chose it.
    pub cost: Option<f64>,
    /// The primary scorer's mean on the test examples.
    pub accuracy: Option<Estimate>,
    /// Macro-F1 on the test examples.
    pub macro_f1: Option<Estimate>,
    /// What always answering the pool's most frequent class reaches on the test examples.
    pub majority: Option<Majority>,
    /// The primary scorer's mean on pool rows, each by a classifier that has seen neither it nor its cluster.
    pub cross_validated: Option<Estimate>,
    /// The primary scorer's score by test example.
    pub scores: BTreeMap<String, f32>,
    /// The same by field, for extraction.
    pub fields: Vec<FieldBaseline>,
    /// How the error falls with the number of training examples.
    pub curve: Option<LearningCurve>,
}

impl TrainedBaseline {
    /// A row that says why there is none.
    pub fn absent(name: &str, endpoint: Option<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            endpoint,
            not_applicable: Some(why.into()),
            training_examples: 0,
            cost: None,
            accuracy: None,
            macro_f1: None,
            majority: None,
            cross_validated: None,
            scores: BTreeMap::new(),
            fields: Vec::new(),
            curve: None,
        }
    }
}

/// What guessing gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Majority {
    /// The pool's most frequent class.
    pub label: String,
    /// The score of answering it always.
    pub share: f64,
}

/// A classifier of one field of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldBaseline {
    /// JSON Pointer of the field.
    pub field: String,
    /// Why there is none; `None` where it was measured.
    pub not_applicable: Option<String>,
    /// Different values in the pool.
    pub values: u64,
    /// Share of test examples whose value it names.
    pub accuracy: Option<Estimate>,
    /// What always answering the pool's most frequent value reaches.
    pub majority: Option<Majority>,
    /// Share of pool rows, each by a classifier that has seen neither it nor its cluster.
    pub cross_validated: Option<Estimate>,
}

/// How the error on the test examples falls with the number of training examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearningCurve {
    /// The sizes, ascending; the last is the whole pool.
    pub points: Vec<CurvePoint>,
    /// The power law with offset through them (METHODS.md 8.2).
    pub fit: Option<CurveFit>,
    /// Why there is none.
    pub fit_refused: Option<String>,
    /// Accuracy at the whole pool by the fit, and its interval.
    pub whole_pool: Option<Projection>,
    /// Accuracy at the planned number of training examples: what was measured at the whole pool, and what the fit gains
    /// from there.
    pub projection: Option<Projection>,
    /// Why it is not said.
    pub projection_refused: Option<String>,
    /// The gain of accuracy from the whole pool to the projection, by the fit.
    pub gain: Option<Interval>,
    /// Whether the accuracy measured at the whole pool lies above the fit's: the error still falls faster than the power
    /// law, and the projection is rather too low.
    #[serde(default)]
    pub falls_faster: bool,
    /// Whether it lies below, by as much as matters: then nothing is projected.
    pub flattens_faster: bool,
    /// Whether that gain matters.
    pub more_examples_help: Help,
    /// Why, in words.
    pub because: String,
}

impl LearningCurve {
    /// Accuracy measured at the whole pool.
    pub fn measured(&self) -> f64 {
        self.points.last().map_or(0.0, |point| 1.0 - point.error)
    }
}

/// The mean error over draws of one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Training examples, on average over the draws.
    pub examples: f64,
    /// Share of the pool that was aimed at.
    pub share: f64,
    /// 1 − the primary scorer's mean on the test examples.
    pub error: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Random parts of the pool that it rests on.
    pub draws: u32,
    /// Whether the fit rests on it: it has at least as many rows as there are classes.
    pub fitted: bool,
}

/// `error = c + a·n^(−b)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurveFit {
    /// What is to gain at n = 1.
    pub a: f64,
    /// Speed; `None` for a flat curve.
    pub b: Option<f64>,
    /// The error that no number of examples takes away.
    pub c: f64,
}

/// Accuracy at a number of training examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// Training examples.
    pub examples: u64,
    /// What is foreseen.
    pub accuracy: f64,
    /// Lower end of the interval; `None` below six sizes.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// Whether more training examples would help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Help {
    /// The gain is at least the smallest that matters.
    Yes,
    /// It is less.
    No,
    /// The interval holds both.
    Unknown,
}
