//! Baselines that were trained on the pool, beside the variants of a run: on the same examples, so that each
//! difference can be paired.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::columns::Scores;
use crate::digest::Digest;
use crate::stats::cluster::clustered_accuracy;
use crate::stats::{Answer3, Estimate};

/// A trained baseline as it was measured on the suite's test examples.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedScores {
    /// What it learns from: `words` or `embeddings`.
    pub name: String,
    /// Rows of the pool that it was trained on.
    pub training_examples: u64,
    /// Macro-F1 on the test examples.
    pub macro_f1: Option<Estimate>,
    /// The share of the commonest class: what guessing gives.
    pub majority: Option<f64>,
    /// The primary scorer's mean on pool rows that it had not seen: by this the best of several is chosen, and by no
    /// test example.
    pub cross_validated: Option<f64>,
    /// The primary scorer's score by [`example_key`].
    pub scores: HashMap<Digest, f32>,
    /// How its accuracy grew with the training examples.
    pub curve: Option<TrainingCurve>,
}

/// What tells an example from others, and from what its id named before: its id and its input.
pub fn example_key(id: &str, input: &Value) -> Digest {
    Digest::of_parts([id.as_bytes(), input.to_string().as_bytes()])
}

/// A learning curve over training sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingCurve {
    /// Sizes in ascending order, the whole pool last.
    pub points: Vec<TrainingPoint>,
    /// Accuracy that the fitted curve has at sizes between and beyond, for drawing; empty where no curve was fitted.
    pub fitted: Vec<TrainingPoint>,
    /// The accuracy foreseen at a planned number of training examples; null where the data do not support it.
    pub projection: Option<TrainingPoint>,
    /// Why there is no projection.
    pub refused: Option<String>,
    /// Whether the error falls faster than the fitted curve, so that what is foreseen is rather too low.
    pub falls_faster: bool,
    /// Whether more examples of this kind would help by a difference that matters.
    pub more_examples_help: Answer3,
}

/// Accuracy at a number of training examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrainingPoint {
    /// Training examples.
    pub examples: u64,
    /// Accuracy on the test examples.
    pub accuracy: f64,
    /// Its interval's low end.
    pub low: f64,
    /// Its interval's high end.
    pub high: f64,
}

/// A trained baseline on the examples of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// What it learns from.
    pub name: String,
    /// Rows of the pool that it was trained on.
    pub training_examples: u64,
    /// The primary scorer's mean on the run's examples.
    pub accuracy: Estimate,
    /// Macro-F1 on the suite's test examples.
    pub macro_f1: Option<Estimate>,
    /// The share of the commonest class.
    pub majority: Option<f64>,
    /// The primary scorer's mean on pool rows that it had not seen.
    pub cross_validated: Option<f64>,
    /// Scores in the order of the run's examples.
    pub scores: Scores,
    /// How its accuracy grew with the training examples.
    pub curve: Option<TrainingCurve>,
}

/// Puts the scores of baselines in the order of a run's examples.
#[derive(Debug, Default)]
pub struct TrainedColumns {
    baselines: Vec<(TrainedScores, Vec<Option<f32>>)>,
}

impl TrainedColumns {
    /// Columns of these baselines, still empty.
    pub fn new(baselines: Vec<TrainedScores>) -> Self {
        Self { baselines: baselines.into_iter().map(|baseline| (baseline, Vec::new())).collect() }
    }

    /// Notes that the example of this id and input has this place.
    pub fn note(&mut self, place: u32, id: &str, input: &Value) {
        let place = place as usize;
        let is_noted = |column: &Vec<Option<f32>>| column.get(place).is_some_and(Option::is_some);
        if self.baselines.iter().all(|(_, column)| is_noted(column)) {
            return;
        }
        let key = example_key(id, input);
        for (baseline, column) in &mut self.baselines {
            if column.len() <= place {
                column.resize(place + 1, None);
            }
            column[place] = baseline.scores.get(&key).copied();
        }
    }

    /// The baselines on the run's examples, of these clusters; one that shares no example is left out.
    pub fn finish(self, clusters: &[u32], clustered: bool, alpha: f64) -> Vec<Trained> {
        let finished = |(of, mut column): (TrainedScores, Vec<Option<f32>>)| {
            column.resize(clusters.len(), None);
            let known =
                column.iter().zip(clusters).filter_map(|(score, cluster)| Some((f64::from((*score)?), *cluster)));
            let (values, groups): (Vec<f64>, Vec<u32>) = known.unzip();
            let calls = values.len() as u64;
            let accuracy = clustered_accuracy(&values, &groups, calls, clustered, alpha);
            (calls > 0).then(|| Trained {
                name: of.name,
                training_examples: of.training_examples,
                accuracy,
                macro_f1: of.macro_f1,
                majority: of.majority,
                cross_validated: of.cross_validated,
                scores: column.into(),
                curve: of.curve,
            })
        };
        self.baselines.into_iter().filter_map(finished).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    fn baseline(scores: &[(&str, f32)]) -> TrainedScores {
        TrainedScores {
            name: "words".to_owned(),
            training_examples: 10,
            macro_f1: None,
            majority: None,
            cross_validated: None,
            scores: scores.iter().map(|(id, score)| (example_key(id, &json!("a text")), *score)).collect(),
            curve: None,
        }
    }

    #[test]
    fn scores_stand_where_the_run_has_their_examples() {
        let mut columns = TrainedColumns::new(vec![baseline(&[("a", 1.0), ("b", 0.0), ("c", 1.0)])]);
        let text = json!("a text");
        columns.note(1, "a", &text);
        columns.note(0, "b", &text);
        columns.note(2, "unknown", &text);
        columns.note(3, "c", &json!("what this id named before"));
        let trained = columns.finish(&[0, 1, 2, 3], false, 0.05);
        assert_eq!(trained[0].scores.iter().collect::<Vec<_>>(), [Some(0.0), Some(1.0), None, None]);
        assert_eq!(trained[0].accuracy.point, Some(0.5));
        assert_eq!(trained[0].accuracy.n, 2);
    }

    #[test]
    fn a_baseline_of_other_examples_is_left_out() {
        let mut columns = TrainedColumns::new(vec![baseline(&[("a", 1.0)])]);
        columns.note(0, "b", &json!("a text"));
        assert!(columns.finish(&[0], false, 0.05).is_empty());
    }
}
