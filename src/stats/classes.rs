//! Confusion matrix and macro-F1 of a classification (METHODS.md 13).
//!
//! A pair is (index of the expected class, index of the answered class); `None` or an index beyond the
//! classes is an answer outside them: a false negative of its class and nobody's positive.

use std::collections::HashMap;

use super::bootstrap::{Tallied, bootstrap_counts, group_indices};
use super::{Estimate, Interval, Method, StatsError, is_open_unit};

/// Expected class and answered class.
pub type Pair = (usize, Option<usize>);

/// Counts of expected against answered classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    /// Row-major, one more column than classes: the answers outside them.
    counts: Vec<u64>,
}

/// Precision, recall and F1 of one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScore {
    /// Right among the answers of the class; `None` when it was never answered.
    pub precision: Option<f64>,
    /// Right among the examples of the class; `None` when it has none.
    pub recall: Option<f64>,
    /// 2TP/(2TP + FP + FN); `None` when the class has neither example nor answer.
    pub f1: Option<f64>,
    /// Examples of the class.
    pub support: u64,
}

impl ConfusionMatrix {
    /// Counts the pairs.
    ///
    /// # Errors
    /// An expected class that is not below `classes`.
    pub fn from_pairs(pairs: &[Pair], classes: usize) -> Result<Self, StatsError> {
        check_expected(pairs, classes)?;
        let width = classes + 1;
        let mut counts = vec![0; classes * width];
        for &(expected, answer) in pairs {
            let column = answer.map_or(classes, |a| a.min(classes));
            counts[expected * width + column] += 1;
        }
        Ok(Self { classes, counts })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Examples of class `expected` answered with class `answer`; `None` is outside the classes.
    pub fn count(&self, expected: usize, answer: Option<usize>) -> u64 {
        let column = answer.map_or(self.classes, |a| a.min(self.classes));
        let inside = expected < self.classes;
        let index = expected.saturating_mul(self.classes + 1).saturating_add(column);
        self.counts.get(index).copied().filter(|_| inside).unwrap_or(0)
    }

    /// Scores of one class.
    pub fn class(&self, class: usize) -> ClassScore {
        let right = self.count(class, Some(class));
        let answered: u64 = (0..self.classes).map(|e| self.count(e, Some(class))).sum();
        let outside = self.count(class, None);
        let inside: u64 = (0..self.classes).map(|a| self.count(class, Some(a))).sum();
        let support = inside + outside;
        let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
        ClassScore {
            precision: share(right, answered),
            recall: share(right, support),
            f1: share(2 * right, answered + support),
            support,
        }
    }

    /// Mean F1 over the classes that have an example or an answer; `None` when none has.
    ///
    /// Not for unbalanced tasks where only the common classes matter: report accuracy beside it.
    pub fn macro_f1(&self) -> Option<f64> {
        let scores: Vec<f64> = (0..self.classes).filter_map(|c| self.class(c).f1).collect();
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
    }
}

fn check_expected(pairs: &[Pair], classes: usize) -> Result<(), StatsError> {
    match pairs.iter().find(|pair| pair.0 >= classes) {
        None => Ok(()),
        Some(pair) => Err(StatsError::Domain {
            what: "expected class",
            got: pair.0 as f64,
            expected: "an index below the number of classes",
        }),
    }
}

/// How a bootstrap is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BootstrapPlan {
    /// The recorded seed.
    pub seed: u64,
    /// Resamples; [`super::RESAMPLES`] by default.
    pub resamples: u32,
    /// Error rate of the two-sided interval.
    pub alpha: f64,
}

/// Pairs, each as the number of its kind: answers outside the classes are one.
#[derive(Debug, Clone)]
pub struct Pairs {
    classes: usize,
    kinds: Vec<u32>,
    distinct: Vec<Pair>,
    number_of: HashMap<Pair, u32>,
}

/// Macro-F1 of the counts of each kind of pair.
fn macro_f1_of(distinct: &[Pair], classes: usize) -> impl FnMut(&[u64]) -> Option<f64> {
    // Twice the true positives, and examples plus answers, a class.
    let (mut right, mut seen) = (vec![0_u64; classes], vec![0_u64; classes]);
    move |counts| {
        right.fill(0);
        seen.fill(0);
        for (&(expected, answer), &count) in distinct.iter().zip(counts) {
            seen[expected] += count;
            if let Some(answer) = answer {
                seen[answer] += count;
                right[expected] += if answer == expected { 2 * count } else { 0 };
            }
        }
        let present = right.iter().zip(&seen).filter(|(_, seen)| **seen > 0);
        let (sum, count) =
            present.fold((0.0, 0_u32), |(sum, count), (right, seen)| (sum + *right as f64 / *seen as f64, count + 1));
        (count > 0).then(|| sum / f64::from(count))
    }
}

impl Pairs {
    /// No pair yet of so many classes.
    pub fn new(classes: usize) -> Self {
        Self { classes, kinds: Vec::new(), distinct: Vec::new(), number_of: HashMap::new() }
    }

    /// Adds a pair, whose expected class is one of the classes; any other is left out.
    pub fn push(&mut self, (expected, answer): Pair) {
        if expected >= self.classes {
            return;
        }
        let pair = (expected, answer.filter(|answer| *answer < self.classes));
        let kind = *self.number_of.entry(pair).or_insert_with(|| {
            self.distinct.push(pair);
            u32::try_from(self.distinct.len() - 1).unwrap_or(u32::MAX)
        });
        self.kinds.push(kind);
    }

    /// Counts of expected against answered classes.
    pub fn matrix(&self) -> ConfusionMatrix {
        let width = self.classes + 1;
        let places: Vec<usize> =
            self.distinct.iter().map(|(expected, answer)| expected * width + answer.unwrap_or(self.classes)).collect();
        let mut counts = vec![0; self.classes * width];
        for kind in &self.kinds {
            counts[places[*kind as usize]] += 1;
        }
        ConfusionMatrix { classes: self.classes, counts }
    }

    /// Macro-F1 with a cluster-bootstrap interval (METHODS.md 13), for display; `clusters` has that of each pair.
    ///
    /// One cluster gives [0, 1], no pairs give no point.
    ///
    /// # Errors
    /// Lengths that differ.
    pub fn macro_f1(&self, clusters: &[u32], plan: BootstrapPlan) -> Result<Estimate, StatsError> {
        let Self { classes, kinds, distinct, .. } = self;
        if kinds.len() != clusters.len() {
            return Err(StatsError::Length { what: "clusters", got: clusters.len(), expected: kinds.len() });
        }
        let tallied = if clusters.is_sorted_by(|a, b| a < b) {
            Tallied::singles(kinds, distinct.len())
        } else {
            Tallied::new(&group_indices(clusters), |index| kinds[index], distinct.len())
        };
        let interval =
            bootstrap_counts(&tallied, plan.seed, plan.resamples, plan.alpha, || macro_f1_of(distinct, *classes));
        let found = interval.unwrap_or(Interval::UNIT);
        Ok(Estimate {
            point: self.matrix().macro_f1(),
            low: found.low,
            high: found.high,
            level: if is_open_unit(plan.alpha) { 1.0 - plan.alpha } else { 0.0 },
            n: kinds.len() as u64,
            method: if interval.is_some() { Method::Bootstrap } else { Method::None },
        })
    }
}

/// [`Pairs::macro_f1`] of a list of pairs.
///
/// # Errors
/// Lengths that differ; an expected class that is not below `classes`.
pub fn macro_f1_estimate(
    pairs: &[Pair],
    clusters: &[u32],
    classes: usize,
    plan: BootstrapPlan,
) -> Result<Estimate, StatsError> {
    check_expected(pairs, classes)?;
    let mut all = Pairs::new(classes);
    pairs.iter().for_each(|pair| all.push(*pair));
    all.macro_f1(clusters, plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::close;

    const PLAN: BootstrapPlan = BootstrapPlan { seed: 1, resamples: 999, alpha: 0.05 };

    #[test]
    fn counts_and_scores() {
        let pairs = [(0, Some(0)), (0, Some(1)), (1, Some(1)), (1, None), (0, Some(9))];
        let matrix = ConfusionMatrix::from_pairs(&pairs, 3).unwrap();
        assert_eq!((matrix.count(0, Some(1)), matrix.count(0, None)), (1, 1));
        assert_eq!((matrix.count(7, None), matrix.classes()), (0, 3));
        close(matrix.class(0).f1.unwrap(), 2.0 / 4.0);
        close(matrix.class(1).precision.unwrap(), 0.5);
        assert_eq!(matrix.class(2).f1, None);
        close(matrix.macro_f1().unwrap(), 0.5);
        assert!(ConfusionMatrix::from_pairs(&[(3, None)], 3).is_err());
        assert_eq!(ConfusionMatrix::from_pairs(&[], 3).unwrap().macro_f1(), None);
    }

    #[test]
    fn interval_holds_the_point() {
        let pairs: Vec<Pair> = (0..120).map(|i| (i % 3, Some(if i % 5 == 0 { 0 } else { i % 3 }))).collect();
        let clusters: Vec<u32> = (0..120).collect();
        let got = macro_f1_estimate(&pairs, &clusters, 3, PLAN).unwrap();
        assert!(got.interval().contains(got.point.unwrap()), "{got:?}");
        assert_eq!(got.method, Method::Bootstrap);
        let one = macro_f1_estimate(&pairs, &[0; 120], 3, PLAN).unwrap();
        assert_eq!((one.method, one.low, one.high), (Method::None, 0.0, 1.0));
        assert_eq!(macro_f1_estimate(&[], &[], 3, PLAN).unwrap().point, None);
        assert!(macro_f1_estimate(&pairs, &[0], 3, PLAN).is_err());
    }
}
