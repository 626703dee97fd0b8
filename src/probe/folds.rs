//! Folds of a cross-validation: no cluster is split, and each class is spread as evenly as the clusters let it.

use std::collections::BTreeMap;

use crate::stats::rng::Rng;

/// The fold of each row, below `folds`. Clusters are dealt out from the largest on (seeded order within a size), each
/// to the fold that so far has the smallest share of the cluster's classes, then the fewest rows.
pub fn folds(labels: &[usize], clusters: &[u32], folds: usize, seed: u64) -> Vec<usize> {
    let classes = labels.iter().max().map_or(0, |most| most + 1);
    let mut total = vec![0.0_f64; classes];
    labels.iter().for_each(|label| total[*label] += 1.0);
    let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    clusters.iter().enumerate().for_each(|(row, cluster)| groups.entry(*cluster).or_default().push(row));
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    Rng::new(seed).shuffle(&mut groups);
    groups.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    let folds = folds.max(1);
    let mut held = vec![vec![0.0_f64; classes]; folds];
    let mut sizes = vec![0_usize; folds];
    let mut fold_of = vec![0; labels.len()];
    for rows in groups {
        let share = |fold: usize| rows.iter().map(|row| held[fold][labels[*row]] / total[labels[*row]]).sum::<f64>();
        let better = |a: &usize, b: &usize| share(*a).total_cmp(&share(*b)).then(sizes[*a].cmp(&sizes[*b]));
        let fold = (0..folds).min_by(better).unwrap_or(0);
        sizes[fold] += rows.len();
        for row in rows {
            held[fold][labels[row]] += 1.0;
            fold_of[row] = fold;
        }
    }
    fold_of
}

/// A number for each row's cluster, rows without one standing alone.
pub fn numbered<'a>(clusters: impl IntoIterator<Item = Option<&'a str>>) -> Vec<u32> {
    let mut known: BTreeMap<&str, u32> = BTreeMap::new();
    let mut next = 0;
    let mut fresh = || {
        next += 1;
        next - 1
    };
    clusters
        .into_iter()
        .map(|cluster| match cluster {
            Some(name) => *known.entry(name).or_insert_with(&mut fresh),
            None => fresh(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_are_spread() {
        let labels: Vec<usize> = (0..100).map(|row| usize::from(row % 5 == 0)).collect();
        let clusters: Vec<u32> = (0..100).collect();
        let fold_of = folds(&labels, &clusters, 5, 3);
        for fold in 0..5 {
            let rare = (0..100).filter(|row| fold_of[*row] == fold && labels[*row] == 1).count();
            let size = fold_of.iter().filter(|of| **of == fold).count();
            assert_eq!((rare, size), (4, 20));
        }
        assert_ne!(fold_of, folds(&labels, &clusters, 5, 4));
    }

    #[test]
    fn rows_without_a_cluster_stand_alone() {
        assert_eq!(numbered([Some("a"), None, Some("b"), None, Some("a")]), [0, 1, 2, 3, 0]);
    }

    proptest! {
        #[test]
        fn folds_partition_the_rows_and_never_split_a_cluster(
            rows in prop::collection::vec((0_usize..4, 0_u32..12), 0..60),
            count in 1_usize..6,
            seed in 0_u64..5,
        ) {
            let (labels, clusters): (Vec<usize>, Vec<u32>) = rows.into_iter().unzip();
            let fold_of = folds(&labels, &clusters, count, seed);
            prop_assert_eq!(fold_of.len(), labels.len());
            prop_assert!(fold_of.iter().all(|fold| *fold < count));
            for (row, cluster) in clusters.iter().enumerate() {
                let first = clusters.iter().position(|other| other == cluster).unwrap();
                prop_assert_eq!(fold_of[row], fold_of[first]);
            }
        }
    }
}
