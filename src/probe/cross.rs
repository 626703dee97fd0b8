//! How strongly the classifier is held back, chosen by cross-validation, and what it says of rows it has not seen.

use std::convert::Infallible;

use super::classifier::{Model, fit_path};
use super::features::{Representation, Words};
use super::folds::{folds, numbered};
use super::{Inapplicable, LabelledText};
use crate::pipeline;

/// Rows and clusters below which nothing is trained.
const FEWEST: usize = 20;

/// Room that one classifier may take: there is one on every core.
const MOST_MEBIBYTES: usize = 256;

/// How the learning is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Folds of the cross-validation.
    pub folds: usize,
    /// What the penalty may be: the weight of the rows' losses against it, ascending.
    pub costs: Vec<f64>,
    /// Seed of every random order.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { folds: 5, costs: vec![10.0, 100.0, 1_000.0, 10_000.0], seed: 1 }
    }
}

/// Out-of-fold class probabilities: row i is by a model that has seen neither row i nor its cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfFold {
    /// The labels, sorted.
    pub classes: Vec<String>,
    /// By row, then class; each row sums to 1.
    pub probabilities: Vec<Vec<f32>>,
}

/// What a cross-validation chose.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trained {
    /// The cost of the lowest held-out loss.
    pub(super) cost: f64,
    /// By row, then class, at that cost.
    pub(super) probabilities: Vec<Vec<f32>>,
}

/// Out-of-fold class probabilities of texts.
///
/// # Errors
/// Too few rows or clusters, or nothing to tell apart.
pub fn out_of_fold(rows: &[LabelledText], settings: &Settings) -> Result<OutOfFold, Inapplicable> {
    let (classes, labels) = classes(rows.iter().map(|row| row.label.as_str()));
    let clusters = numbered(rows.iter().map(|row| row.cluster.as_deref()));
    check(&classes, &labels, &clusters)?;
    let words = Words::new(rows.iter().map(|row| row.text.as_str()));
    check_size(classes.len(), words.columns(), rows.len(), settings)?;
    let every: Vec<usize> = (0..rows.len()).collect();
    let trained = choose(&words, &every, &labels, &clusters, classes.len(), settings);
    Ok(OutOfFold { classes, probabilities: trained.probabilities })
}

/// The labels that there are, sorted, and each row's place among them.
pub(super) fn classes<'a>(labels: impl Iterator<Item = &'a str> + Clone) -> (Vec<String>, Vec<usize>) {
    let mut names: Vec<&str> = labels.clone().collect();
    names.sort_unstable();
    names.dedup();
    let places = labels.map(|label| names.partition_point(|name| *name < label)).collect();
    (names.into_iter().map(str::to_owned).collect(), places)
}

/// Whether a classifier can be trained on such rows.
///
/// # Errors
/// Why not.
pub(super) fn check(classes: &[String], labels: &[usize], clusters: &[u32]) -> Result<(), Inapplicable> {
    let rows = labels.len();
    if rows < FEWEST {
        return Err(Inapplicable::TooFewRows { rows, needed: FEWEST });
    }
    if let [label] = classes {
        return Err(Inapplicable::OneClass { label: label.clone() });
    }
    if classes.len() * 2 > rows {
        return Err(Inapplicable::TooManyClasses { rows, classes: classes.len() });
    }
    let mut distinct = clusters.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < FEWEST / 2 {
        return Err(Inapplicable::TooFewClusters { clusters: distinct.len(), needed: FEWEST / 2 });
    }
    Ok(())
}

/// Whether weights, and the probabilities of the rows at each cost, fit into what one classifier may take.
///
/// # Errors
/// That they do not.
pub(super) fn check_size(classes: usize, columns: usize, rows: usize, settings: &Settings) -> Result<(), Inapplicable> {
    let numbers = columns.saturating_add(rows.saturating_mul(settings.costs.len())).saturating_mul(classes);
    let mebibytes = numbers.saturating_mul(size_of::<f32>()).div_ceil(1 << 20);
    if mebibytes > MOST_MEBIBYTES {
        return Err(Inapplicable::TooLarge { classes, columns, rows, mebibytes, most: MOST_MEBIBYTES });
    }
    Ok(())
}

/// Chooses the cost whose held-out loss (mean negative log-likelihood) is lowest, the smaller one of equals.
///
/// `rows` are places in `representation`; `labels` and `clusters` are theirs, in the same order.
pub(super) fn choose(
    representation: &dyn Representation,
    rows: &[usize],
    labels: &[usize],
    clusters: &[u32],
    classes: usize,
    settings: &Settings,
) -> Trained {
    let fold_of = folds(labels, clusters, settings.folds, settings.seed);
    let work = |fold: usize| {
        let (held, train): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|row| fold_of[*row] == fold);
        let places = |part: &[usize]| part.iter().map(|row| rows[*row]).collect::<Vec<_>>();
        let (training, applied) = representation.matrices(&places(&train), &places(&held));
        let known: Vec<usize> = train.iter().map(|row| labels[*row]).collect();
        let mut said = Vec::new();
        fit_path(&training, &known, classes, &settings.costs, settings.seed, |_, model| {
            said.push((0..applied.len()).map(|row| model.probabilities(applied.row(row))).collect::<Vec<_>>());
        });
        (held, said)
    };
    let mut by_cost = vec![vec![Vec::new(); rows.len()]; settings.costs.len()];
    for (held, said) in in_parallel((0..settings.folds).collect(), work) {
        for (cost, rows) in said.into_iter().enumerate() {
            held.iter().zip(rows).for_each(|(row, probabilities)| by_cost[cost][*row] = probabilities);
        }
    }
    let loss = |said: &[Vec<f32>]| -> f64 {
        said.iter().zip(labels).map(|(row, label)| -libm::log(f64::from(row[*label]).max(1e-12))).sum()
    };
    let losses: Vec<f64> = by_cost.iter().map(|said| loss(said)).collect();
    let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap_or(0);
    Trained { cost: settings.costs[best], probabilities: by_cost.swap_remove(best) }
}

/// Trains on rows and says the probabilities of others.
pub(super) fn fit(
    representation: &dyn Representation,
    training: &[usize],
    labels: &[usize],
    classes: usize,
    cost: f64,
    applied: &[usize],
    seed: u64,
) -> Vec<Vec<f32>> {
    let (rows, applied) = representation.matrices(training, applied);
    let mut said = Vec::new();
    fit_path(&rows, labels, classes, &[cost], seed, |_, model: &Model| {
        said = (0..applied.len()).map(|row| model.probabilities(applied.row(row))).collect();
    });
    said
}

/// What `work` makes of each item, in their order, on all cores.
pub(super) fn in_parallel<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let mut done = Vec::with_capacity(items.len());
    in_parallel_with(items, work, |result| done.push(result));
    done
}

/// The same, each result handed over as it comes, in the items' order.
pub(super) fn in_parallel_with<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync, mut take: impl FnMut(R)) {
    // Each goes to a thread by itself: one is seconds of work.
    let read = |hand: &mut dyn FnMut(T, usize) -> Result<(), Infallible>| {
        items.into_iter().try_for_each(|item| hand(item, pipeline::BATCH_BYTES))
    };
    let Ok(()) = pipeline::in_order(read, work, |result| {
        take(result);
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> Vec<LabelledText> {
        let words = [["pump", "valve", "leak"], ["bill", "price", "refund"], ["login", "password", "locked"]];
        let row = |place: usize| LabelledText {
            id: place.to_string(),
            text: format!("{} the {} number {place}", words[place % 3][place / 3 % 3], words[place % 3][place / 9 % 3]),
            label: ["water", "money", "access"][place % 3].to_owned(),
            cluster: Some((place / 2).to_string()),
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn unseen_rows_of_separable_classes_are_right() {
        let rows = rows(60);
        let said = out_of_fold(&rows, &Settings::default()).unwrap();
        assert_eq!(said.classes, ["access", "money", "water"]);
        for (row, probabilities) in rows.iter().zip(&said.probabilities) {
            let best = (0..3).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b])).unwrap();
            assert_eq!(said.classes[best], row.label, "{}", row.text);
        }
    }

    #[test]
    fn the_same_comes_of_one_thread_and_of_all() {
        let rows = rows(60);
        let (classes, labels) = classes(rows.iter().map(|row| row.label.as_str()));
        let words = Words::new(rows.iter().map(|row| row.text.as_str()));
        let settings = Settings { costs: vec![10.0], ..Settings::default() };
        let clusters = numbered(rows.iter().map(|row| row.cluster.as_deref()));
        let all = out_of_fold(&rows, &settings).unwrap();
        let fold_of = folds(&labels, &clusters, 5, 1);
        for fold in 0..5 {
            let (held, train): (Vec<usize>, Vec<usize>) = (0..60).partition(|row| fold_of[*row] == fold);
            let known: Vec<usize> = train.iter().map(|row| labels[*row]).collect();
            let said = fit(&words, &train, &known, classes.len(), 10.0, &held, 1);
            for (row, said) in held.iter().zip(said) {
                assert_eq!(all.probabilities[*row], said, "row {row} is by a model that has not seen it");
            }
        }
    }

    #[test]
    fn what_cannot_be_learned_is_refused() {
        let settings = Settings::default();
        let refused = |rows: &[LabelledText]| out_of_fold(rows, &settings).unwrap_err().to_string();
        assert!(refused(&[]).contains("0 labelled rows are too few"));
        assert!(refused(&rows(19)).contains("19 labelled rows are too few"));
        let mut one = rows(40);
        one.iter_mut().for_each(|row| row.label = "x".to_owned());
        assert!(refused(&one).contains("all labelled rows have the label `x`"));
        let mut each = rows(40);
        each.iter_mut().for_each(|row| row.label.clone_from(&row.id));
        assert!(refused(&each).contains("40 different labels"));
        assert_eq!(check_size(77, 60_000, 13_000, &settings), Ok(()));
        let large = check_size(4_000, 20_000, 8_000, &settings).unwrap_err().to_string();
        assert!(large.contains("4000 labels") && large.ends_with("794 MiB for one classifier, and the most is 256"));
        let mut few = rows(40);
        few.iter_mut().for_each(|row| row.cluster = Some("same".to_owned()));
        assert!(refused(&few).contains("1 clusters"));
    }
}
