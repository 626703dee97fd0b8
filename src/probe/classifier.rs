//! Multinomial logistic regression with an L2 penalty, fitted in its dual.
//!
//! Least of Σ loss + ‖W‖²/(2·cost) over the training rows. In the dual each row has a distribution over the classes
//! (what the row is taken for), and W = cost·Σ (label − distribution)·row. One row at a time is solved exactly while
//! the others stand still (Yu, Huang and Lin 2011, "Dual coordinate descent methods for logistic regression and
//! maximum entropy models"): the stationary point is ln μ_k + r·μ_k = b_k − ν with r = cost·‖row‖², so that each μ_k
//! is Wright's omega function of ν, and ν is the root of a convex function. There is no rate to choose, the optimum
//! is one, and the same seed gives the same bits on every machine: `libm` for exp and ln, one thread a fitting.

use super::features::Matrix;
use crate::stats::rng::Rng;

/// Passes over the rows, at most.
const PASSES: usize = 60;
/// A pass that moves the rows' distributions by no more than this share of how far they are from the labels is the last.
const STILL: f64 = 0.01;
/// What moves a distribution by less than this share of its largest change waits for the next pass.
const NEGLIGIBLE: f32 = 1e-3;
/// Newton steps for ν.
const STEPS: usize = 12;

/// A fitted classifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    classes: usize,
    /// By column, then class.
    weights: Vec<f32>,
}

impl Model {
    /// The probability of each class for a row.
    pub fn probabilities(&self, row: &[(u32, f32)]) -> Vec<f32> {
        let mut scores = vec![0.0; self.classes];
        self.scores(row, &mut scores);
        softmax(&scores)
    }

    fn scores(&self, row: &[(u32, f32)], into: &mut [f32]) {
        into.fill(0.0);
        for &(column, value) in row {
            let from = column as usize * self.classes;
            let weights = &self.weights[from..from + self.classes];
            into.iter_mut().zip(weights).for_each(|(score, weight)| *score += value * weight);
        }
    }
}

/// Fits along rising costs, each from where the one before stopped, and hands each model over.
///
/// `labels` are classes below `classes`, one a row of `rows`; `costs` are above 0 and ascend.
pub fn fit_path(
    rows: &Matrix,
    labels: &[usize],
    classes: usize,
    costs: &[f64],
    seed: u64,
    mut take: impl FnMut(usize, &Model),
) {
    let mut fitting = Fitting::new(rows, labels, classes);
    let mut before = None;
    for (place, &cost) in costs.iter().enumerate() {
        if let Some(before) = before {
            let growth = (cost / before) as f32;
            fitting.model.weights.iter_mut().for_each(|weight| *weight *= growth);
        }
        fitting.converge(cost, seed);
        before = Some(cost);
        take(place, &fitting.model);
    }
}

struct Fitting<'a> {
    rows: &'a Matrix,
    labels: &'a [usize],
    squares: Vec<f64>,
    /// Of each row what it is taken for.
    taken: Vec<f32>,
    model: Model,
}

impl<'a> Fitting<'a> {
    fn new(rows: &'a Matrix, labels: &'a [usize], classes: usize) -> Self {
        let square = |row| rows.row(row).iter().map(|(_, value)| f64::from(*value) * f64::from(*value)).sum();
        let mut taken = vec![0.0; rows.len() * classes];
        labels.iter().enumerate().for_each(|(row, label)| taken[row * classes + label] = 1.0);
        let model = Model { classes, weights: vec![0.0; rows.columns() * classes] };
        Self { rows, labels, squares: (0..rows.len()).map(square).collect(), taken, model }
    }

    fn converge(&mut self, cost: f64, seed: u64) {
        let mut rng = Rng::new(seed);
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        let mut buffers = Buffers::new(self.model.classes);
        for _ in 0..PASSES {
            rng.shuffle(&mut order);
            let moved: f64 = order.iter().map(|&row| self.improve(row, cost, &mut buffers)).sum();
            let at_label = |(row, label)| f64::from(self.taken[row * self.model.classes + label]);
            let away: f64 = self.labels.iter().copied().enumerate().map(|row| 1.0 - at_label(row)).sum();
            if moved <= STILL * away {
                break;
            }
        }
    }

    /// Solves for one row; how far its distribution moved (total variation).
    fn improve(&mut self, row: usize, cost: f64, buffers: &mut Buffers) -> f64 {
        let classes = self.model.classes;
        let entries = self.rows.row(row);
        self.model.scores(entries, &mut buffers.scores);
        let taken = &mut self.taken[row * classes..(row + 1) * classes];
        buffers.solve(taken, cost * self.squares[row]);
        let changes = taken.iter().zip(&buffers.solved).map(|(taken, solved)| *taken - *solved as f32);
        let largest = changes.clone().fold(0.0, |most: f32, change| most.max(change.abs()));
        buffers.steps.clear();
        let carried = changes.enumerate().filter(|(_, change)| change.abs() > NEGLIGIBLE * largest);
        buffers.steps.extend(carried.map(|(class, change)| (class, cost as f32 * change)));
        let mut moved = 0.0;
        for &(class, _) in &buffers.steps {
            moved += f64::from((taken[class] - buffers.solved[class] as f32).abs());
            taken[class] = buffers.solved[class] as f32;
        }
        for &(column, value) in entries {
            let from = column as usize * classes;
            let weights = &mut self.model.weights[from..from + classes];
            buffers.steps.iter().for_each(|(class, step)| weights[*class] += value * step);
        }
        moved / 2.0
    }
}

/// What one row's solution is worked out in.
struct Buffers {
    scores: Vec<f32>,
    shifted: Vec<f64>,
    solved: Vec<f64>,
    /// By class, how far the weights go.
    steps: Vec<(usize, f32)>,
}

impl Buffers {
    fn new(classes: usize) -> Self {
        let zeros = vec![0.0; classes];
        Self { scores: vec![0.0; classes], shifted: zeros.clone(), solved: zeros, steps: Vec::with_capacity(classes) }
    }

    /// The distribution μ with ln μ_k + r·μ_k = b_k − ν, where b = scores + r·taken, into `solved`.
    fn solve(&mut self, taken: &[f32], r: f64) {
        for ((b, score), taken) in self.shifted.iter_mut().zip(&self.scores).zip(taken) {
            *b = f64::from(*score) + r * f64::from(*taken);
        }
        if r <= 0.0 {
            return;
        }
        // Σμ falls with ν and is convex in it; left of the root Newton's steps never pass it.
        let least = log_sum_exp(self.shifted.iter().copied()) - r;
        let mut nu = log_sum_exp(self.scores.iter().map(|score| f64::from(*score))).max(least);
        let log_r = libm::log(r);
        for _ in 0..STEPS {
            let (mut sum, mut slope) = (0.0, 0.0);
            for (b, solved) in self.shifted.iter().zip(&mut self.solved) {
                let scaled = omega(b - nu + log_r);
                *solved = scaled / r;
                sum += *solved;
                slope += *solved / (1.0 + scaled);
            }
            if (sum - 1.0).abs() < 1e-6 {
                break;
            }
            nu = (nu + (sum - 1.0) / slope).max(least);
        }
        let sum: f64 = self.solved.iter().sum();
        self.solved.iter_mut().for_each(|value| *value /= sum);
    }
}

/// Wright's omega function of a real number: the w with w + ln w = z, to a millionth and nearly always far better. Far
/// left its series about 0; else two steps of fourth order from a start within a few percent (Lawrence, Corless and
/// Jeffrey 2012, "Algorithm 917").
fn omega(z: f64) -> f64 {
    if z < -2.0 {
        let e = libm::exp(z);
        let series = e * (1.0 - e * (1.0 - e * (1.5 - e * (8.0 / 3.0))));
        return if z < -5.0 { series } else { refined(z, series) };
    }
    if z < 1.0 + std::f64::consts::PI {
        let x = z - 1.0;
        let series = 1.0 + x * (0.5 + x * (1.0 / 16.0 - x * (1.0 / 192.0 + x / 3072.0)));
        return refined(z, refined(z, series));
    }
    let log = libm::log(z);
    refined(z, z - log + log / z)
}

fn refined(z: f64, w: f64) -> f64 {
    let rest = z - w - libm::log(w);
    let next = 1.0 + w;
    let inner = 2.0 * next * (next + 2.0 / 3.0 * rest);
    w * (1.0 + rest / next * (inner - rest) / (inner - 2.0 * rest))
}

fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = values.clone().fold(f64::NEG_INFINITY, f64::max);
    most + libm::log(values.map(|value| libm::exp(value - most)).sum())
}

fn softmax(scores: &[f32]) -> Vec<f32> {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let raised: Vec<f64> = scores.iter().map(|score| libm::exp(f64::from(score - most))).collect();
    let sum: f64 = raised.iter().sum();
    raised.into_iter().map(|value| (value / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::features::{Representation, Vectors, Words};
    use proptest::prelude::*;

    #[test]
    fn omega_solves_its_equation() {
        for step in -700..700 {
            let z = f64::from(step) / 10.0;
            let w = omega(z);
            assert!((w + libm::log(w) - z).abs() < 2e-6, "{z}: {w}");
        }
    }

    fn fitted(rows: &Matrix, labels: &[usize], classes: usize, cost: f64) -> Model {
        let mut models = Vec::new();
        fit_path(rows, labels, classes, &[cost], 1, |_, model| models.push(model.clone()));
        models.remove(0)
    }

    #[test]
    fn separable_texts_are_learned() {
        let texts = ["cat purrs", "cats purr", "the cat", "dog barks", "dogs bark", "the dog"];
        let (rows, unseen) = Words::new(texts.iter().copied().chain(["a cat purring", "dogs barked"]))
            .matrices(&[0, 1, 2, 3, 4, 5], &[6, 7]);
        let model = fitted(&rows, &[0, 0, 0, 1, 1, 1], 2, 100.0);
        assert!(model.probabilities(unseen.row(0))[0] > 0.8);
        assert!(model.probabilities(unseen.row(1))[1] > 0.8);
    }

    /// At the optimum the weights are cost·Σ (label − what the model says)·row.
    #[test]
    fn the_weights_are_stationary() {
        let vectors =
            Vectors::new((0..60).map(|i| (0..4).map(|j| ((i * 7 + j * 3) % 11) as f32 - 5.0).collect()).collect());
        let every: Vec<usize> = (0..60).collect();
        let (rows, _) = vectors.matrices(&every, &[]);
        let labels: Vec<usize> = (0..60).map(|i| (i * 5 + i / 3) % 3).collect();
        let cost = 0.5;
        let model = fitted(&rows, &labels, 3, cost);
        let mut expected = vec![0.0_f64; rows.columns() * 3];
        for (row, label) in labels.iter().enumerate() {
            let said = model.probabilities(rows.row(row));
            for &(column, value) in rows.row(row) {
                for class in 0..3 {
                    let away = f64::from(u8::from(class == *label)) - f64::from(said[class]);
                    expected[column as usize * 3 + class] += cost * f64::from(value) * away;
                }
            }
        }
        for (weight, expected) in model.weights.iter().zip(expected) {
            assert!((f64::from(*weight) - expected).abs() < 0.03, "{weight} {expected}");
        }
    }

    #[test]
    fn rows_without_anything_known_have_the_share_of_classes() {
        let (rows, unseen) = Words::new(["aa", "bb", "cc", "dd", "zz"]).matrices(&[0, 1, 2, 3], &[4]);
        let said = fitted(&rows, &[0, 0, 0, 1], 2, 10.0).probabilities(unseen.row(0));
        assert!(said[0] > 0.55 && said[0] < 0.95, "{said:?}");
    }

    proptest! {
        #[test]
        fn probabilities_sum_to_one(
            texts in prop::collection::vec("[a-d ]{0,12}", 4..20),
            cost in 0.01_f64..10_000.0,
            seed in 0_u64..9,
        ) {
            let labels: Vec<usize> = (0..texts.len()).map(|row| row % 3).collect();
            let every: Vec<usize> = (0..texts.len()).collect();
            let (rows, _) = Words::new(texts.iter().map(String::as_str)).matrices(&every, &[]);
            fit_path(&rows, &labels, 3, &[cost, cost * 10.0], seed, |_, model| {
                for row in 0..rows.len() {
                    let said = model.probabilities(rows.row(row));
                    assert!((said.iter().sum::<f32>() - 1.0).abs() < 1e-5 && said.iter().all(|p| *p >= 0.0));
                }
            });
        }
    }
}
