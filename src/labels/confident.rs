//! Confident learning (Northcutt, Jiang & Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels",
//! JAIR 70): from probabilities by a model that has not seen a row, which labels look wrong.
//!
//! It ranks what to look at. Its estimate of the label error rate rests on a model that may be wrong in the same way
//! for a whole class, so that no verdict reads it (METHODS.md 8.3).

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

/// Slack of the comparison with a threshold, against rounding: cleanlab's.
const SLACK: f64 = 1e-6;

/// The threshold of a class that no row has: none reaches it.
const NEVER: f64 = 2.0;

/// Counts of rows by given and likely class.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfidentJoint {
    /// By class: the mean probability of the class over the rows that are labelled with it.
    pub thresholds: Vec<f64>,
    /// By class: rows that are labelled with it and confidently look like another, or like it itself, by that class.
    pub counts: Vec<BTreeMap<usize, u64>>,
    /// The likely class of each row, where any is confident.
    pub likely: Vec<Option<usize>>,
    /// By class: rows that are labelled with it.
    pub rows: Vec<u64>,
}

/// The confident joint of the given labels (as places of classes) and out-of-fold probabilities.
///
/// A row counts for the class whose probability reaches the class's threshold; of several, for the most probable
/// one. As cleanlab does, each class is sure of at least one of its own rows, so that one without any confident row
/// is taken to be right.
pub fn confident_joint(given: &[usize], probabilities: &[&[f32]], classes: usize) -> ConfidentJoint {
    let mut sums = vec![0.0; classes];
    let mut rows = vec![0_u64; classes];
    for (&class, row) in given.iter().zip(probabilities) {
        sums[class] += f64::from(row[class]);
        rows[class] += 1;
    }
    let thresholds: Vec<f64> =
        sums.iter().zip(&rows).map(|(sum, &rows)| if rows == 0 { NEVER } else { sum / rows as f64 }).collect();
    let mut counts = vec![BTreeMap::new(); classes];
    let mut likely = Vec::with_capacity(given.len());
    for (&class, row) in given.iter().zip(probabilities) {
        let found = likely_class(row, &thresholds);
        if let Some(found) = found {
            *counts[class].entry(found).or_default() += 1;
        }
        likely.push(found);
    }
    ConfidentJoint { thresholds, counts, likely, rows }
}

/// The most probable of the classes that reach their thresholds.
fn likely_class(row: &[f32], thresholds: &[f64]) -> Option<usize> {
    let reached = |class: &usize| f64::from(row[*class]) >= thresholds[*class] - SLACK;
    let mut confident = (0..row.len()).filter(reached);
    let (first, second) = (confident.next()?, confident.next());
    match second {
        None => Some(first),
        Some(_) => (0..row.len()).reduce(|best, next| if row[next] > row[best] { next } else { best }),
    }
}

impl ConfidentJoint {
    /// The joint scaled so that each class has as many rows as it is given (section 3.2, equation 3): by class, what is
    /// not 0.
    pub fn calibrated(&self) -> Vec<BTreeMap<usize, f64>> {
        let scaled = self.counts.iter().zip(&self.rows).enumerate().map(|(class, (counts, &rows))| {
            let mut sure = counts.clone();
            sure.entry(class).or_insert(1);
            let total: u64 = sure.values().sum();
            sure.into_iter().map(|(other, count)| (other, count as f64 * rows as f64 / total as f64)).collect()
        });
        scaled.collect()
    }

    /// The estimated share of wrong labels: what lies beside the diagonal of the calibrated joint.
    pub fn error_rate(&self) -> f64 {
        let calibrated = self.calibrated();
        let total: f64 = calibrated.iter().flat_map(BTreeMap::values).sum();
        let right: f64 = calibrated.iter().enumerate().filter_map(|(class, row)| row.get(&class)).sum();
        if total > 0.0 { ((total - right) / total).max(0.0) } else { 0.0 }
    }
}

/// A given class and the class that its rows look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// The class that the rows are labelled with.
    pub given: String,
    /// The class that they look like.
    pub likely: String,
    /// Rows that confidently do.
    pub rows: u64,
    /// The same after calibration to the number of rows of the given class.
    pub estimated_rows: f64,
}

/// A class's threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// The class.
    pub class: String,
    /// Rows that are labelled with it.
    pub rows: u64,
    /// The mean probability that the model gives the class for them; null where there are none.
    pub threshold: Option<f64>,
}

/// What confident learning shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confident {
    /// Rows with out-of-fold probabilities.
    pub rows: u64,
    /// Rows without a label, which have none.
    #[serde(default)]
    pub unlabelled: u64,
    /// Of the rows with probabilities, those that confidently look like some class, their own among them.
    pub confident_rows: u64,
    /// Of these, rows that look like another class than the given one.
    pub off_diagonal: u64,
    /// The estimated share of wrong labels. It ranks what to look at: no verdict reads it.
    pub estimated_error_rate: f64,
    /// How often the model's most probable class is the given one.
    pub model_agreement: f64,
    /// Given and likely classes, the most rows first.
    pub confusions: Vec<Confusion>,
    /// The classes' thresholds.
    pub thresholds: Vec<Threshold>,
}

/// A row that confidently looks like another class.
#[derive(Debug, Clone, PartialEq)]
pub struct OffDiagonal {
    /// The row's place.
    pub row: usize,
    /// The class that it looks like.
    pub likely: String,
    /// That class's probability.
    pub likely_probability: f64,
    /// The given class's.
    pub given_probability: f64,
}

impl OffDiagonal {
    /// 0.5 to 1: half of one plus the margin between the two probabilities (cleanlab's normalised margin).
    pub fn score(&self) -> f64 {
        (1.0 + self.likely_probability - self.given_probability) / 2.0
    }
}

/// Confident learning on these labels; `None` where there is no row, or a label that no probability is of. A row without
/// probabilities has no label, and is counted only.
pub fn find(labels: &[String], out_of_fold: &crate::probe::OutOfFold) -> Option<(Confident, Vec<OffDiagonal>)> {
    let classes = &out_of_fold.classes;
    let place_of: HashMap<&str, usize> = classes.iter().map(String::as_str).zip(0..).collect();
    if labels.len() != out_of_fold.probabilities.len() {
        return None;
    }
    let rows = || out_of_fold.probabilities.iter().enumerate().filter(|(_, row)| !row.is_empty());
    let (places, probabilities): (Vec<usize>, Vec<&[f32]>) = rows().map(|(place, row)| (place, row.as_slice())).unzip();
    let given: Option<Vec<usize>> = places.iter().map(|&place| place_of.get(labels[place].as_str()).copied()).collect();
    let given = given.filter(|given| !given.is_empty())?;
    let joint = confident_joint(&given, &probabilities, classes.len());
    let best = |row: &[f32]| (0..row.len()).reduce(|best, next| if row[next] > row[best] { next } else { best });
    let agreed = given.iter().zip(&probabilities).filter(|(class, row)| best(row) == Some(**class)).count();
    let mut off = Vec::new();
    for (at, (&class, likely)) in given.iter().zip(&joint.likely).enumerate() {
        if let Some(likely) = likely.filter(|&likely| likely != class) {
            let row = probabilities[at];
            let (likely_probability, given_probability) = (f64::from(row[likely]), f64::from(row[class]));
            off.push(OffDiagonal {
                row: places[at],
                likely: classes[likely].clone(),
                likely_probability,
                given_probability,
            });
        }
    }
    let found = Confident {
        rows: given.len() as u64,
        unlabelled: (labels.len() - given.len()) as u64,
        confident_rows: joint.likely.iter().flatten().count() as u64,
        off_diagonal: off.len() as u64,
        estimated_error_rate: joint.error_rate(),
        model_agreement: agreed as f64 / given.len() as f64,
        confusions: confusions(&joint, classes),
        thresholds: thresholds(&joint, classes),
    };
    Some((found, off))
}

fn confusions(joint: &ConfidentJoint, classes: &[String]) -> Vec<Confusion> {
    let calibrated = joint.calibrated();
    let mut cells: Vec<Confusion> = Vec::new();
    for (given, row) in joint.counts.iter().enumerate() {
        cells.extend(row.iter().filter(|(likely, _)| **likely != given).map(|(&likely, &rows)| Confusion {
            given: classes[given].clone(),
            likely: classes[likely].clone(),
            rows,
            estimated_rows: calibrated[given].get(&likely).copied().unwrap_or(0.0),
        }));
    }
    // A stable sort: of equally many the order of the classes.
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.rows));
    cells
}

fn thresholds(joint: &ConfidentJoint, classes: &[String]) -> Vec<Threshold> {
    let of = |(class, (&rows, &threshold)): (&String, (&u64, &f64))| Threshold {
        class: class.clone(),
        rows,
        threshold: (rows > 0).then_some(threshold),
    };
    classes.iter().zip(joint.rows.iter().zip(&joint.thresholds)).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::OutOfFold;

    /// Six rows, two classes; worked by hand, and the same in cleanlab 2.9.0.
    ///
    /// t_0 = (0.9 + 0.8 + 0.2) / 3 = 0.6333, t_1 = (0.9 + 0.7 + 0.3) / 3 = 0.6333. Row 2 (given 0) reaches t_1 alone,
    /// row 5 (given 1) t_0 alone.
    fn six() -> (Vec<usize>, Vec<Vec<f32>>) {
        let of_zero = [0.9_f32, 0.8, 0.2, 0.1, 0.3, 0.7];
        (vec![0, 0, 0, 1, 1, 1], of_zero.iter().map(|p| vec![*p, 1.0 - *p]).collect())
    }

    fn joint_of(given: &[usize], probabilities: &[Vec<f32>], classes: usize) -> ConfidentJoint {
        confident_joint(given, &probabilities.iter().map(Vec::as_slice).collect::<Vec<_>>(), classes)
    }

    /// A joint as a full table.
    fn table<T: Copy + Default>(joint: &[BTreeMap<usize, T>]) -> Vec<Vec<T>> {
        let of =
            |row: &BTreeMap<usize, T>| (0..joint.len()).map(|at| row.get(&at).copied().unwrap_or_default()).collect();
        joint.iter().map(of).collect()
    }

    fn close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-6, "{left} is not {right}");
    }

    #[test]
    fn the_joint_of_six_rows_is_as_by_hand() {
        let (given, probabilities) = six();
        let joint = joint_of(&given, &probabilities, 2);
        close(joint.thresholds[0], 1.9 / 3.0);
        close(joint.thresholds[1], 1.9 / 3.0);
        assert_eq!(table(&joint.counts), [[2, 1], [1, 2]]);
        assert_eq!(joint.likely, [Some(0), Some(0), Some(1), Some(1), Some(1), Some(0)]);
        close(joint.error_rate(), 1.0 / 3.0);
    }

    #[test]
    fn a_row_that_reaches_no_threshold_is_left_out_and_calibration_makes_up_for_it() {
        // Given class 0: 0.9, 0.9, 0.5, 0.1 (mean 0.6); given class 1: 0.95, 0.65 (mean 0.8, as probabilities of 1).
        let rows = [(0, 0.9), (0, 0.9), (0, 0.5), (0, 0.1), (1, 0.05), (1, 0.35)];
        let given: Vec<usize> = rows.iter().map(|row| row.0).collect();
        let probabilities: Vec<Vec<f32>> = rows.iter().map(|row| vec![row.1, 1.0 - row.1]).collect();
        let joint = joint_of(&given, &probabilities, 2);
        assert_eq!(table(&joint.counts), [[2, 1], [0, 1]]);
        assert_eq!(joint.likely, [Some(0), Some(0), None, Some(1), Some(1), None]);
        // 4 rows of class 0 as 2 to 1, 2 rows of class 1 as 0 to 1.
        for (found, wanted) in table(&joint.calibrated()).concat().iter().zip([8.0 / 3.0, 4.0 / 3.0, 0.0, 2.0]) {
            close(*found, wanted);
        }
        close(joint.error_rate(), 4.0 / 18.0);
    }

    #[test]
    fn of_several_confident_classes_the_most_probable_counts() {
        // Thresholds 0.4, 0.45 and 0.2: the fourth row reaches all three.
        let given = [0, 1, 2, 2];
        let probabilities =
            [vec![0.4, 0.3, 0.3], vec![0.3, 0.45, 0.25], vec![0.4, 0.5, 0.1], vec![0.41, 0.46, 0.3]].to_vec();
        let joint = joint_of(&given, &probabilities, 3);
        assert_eq!(joint.likely[3], Some(1));
    }

    #[test]
    fn rows_beside_the_diagonal_are_named_with_both_probabilities() {
        let (given, probabilities) = six();
        let classes = vec!["a".to_owned(), "b".to_owned()];
        let labels: Vec<String> = given.iter().map(|&class| classes[class].clone()).collect();
        let out_of_fold = OutOfFold { classes, probabilities };
        let (found, off) = find(&labels, &out_of_fold).unwrap();
        assert_eq!((found.rows, found.confident_rows, found.off_diagonal), (6, 6, 2));
        close(found.model_agreement, 4.0 / 6.0);
        assert_eq!(off.iter().map(|one| (one.row, one.likely.as_str())).collect::<Vec<_>>(), [(2, "b"), (5, "a")]);
        close(off[0].score(), 0.8);
        assert_eq!((found.confusions[0].given.as_str(), found.confusions[0].rows), ("a", 1));
        assert_eq!(find(&vec!["c".to_owned(); 6], &out_of_fold), None);
        let mut gap = out_of_fold.clone();
        gap.probabilities.insert(2, Vec::new());
        let mut labels = labels;
        labels.insert(2, "null".to_owned());
        let (found, off) = find(&labels, &gap).unwrap();
        assert_eq!((found.rows, found.unlabelled, found.off_diagonal, off[0].row), (6, 1, 2, 3));
    }
}
