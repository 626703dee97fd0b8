//! Training and validation part: by cluster, seeded, and every class in both as far as its clusters allow.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::row::TrainingRow;
use crate::digest::Digest;
use crate::suite::leakage::normalise;

/// Rows that stay or go together.
struct Group {
    rows: Vec<usize>,
    /// The class of most of its rows.
    class: String,
    /// What orders groups of one class: as good as random, and the same for the same seed.
    order: Digest,
}

/// For each row, whether it is in the validation part, which gets about `share` of the rows (0 to 0.5).
///
/// Groups are taken at even distances from a list that is sorted by class, so that each class gives about its share of
/// its groups, large and small alike; a class never gives its last one, and none that would make the part half as large
/// again as wanted. Rows that ask the same go together, and so do pairs from one example.
pub fn validation(rows: &[TrainingRow], share: f64, seed: u64) -> Vec<bool> {
    let mut taken = vec![false; rows.len()];
    if share <= 0.0 {
        return taken;
    }
    let mut groups = groups(rows, seed);
    groups.sort_by(|a, b| (&a.class, a.order).cmp(&(&b.class, b.order)));
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    for group in &groups {
        *left.entry(group.class.clone()).or_default() += 1;
    }
    let most = (1.5 * share * rows.len() as f64).ceil() as usize;
    let (mut taken_groups, mut taken_rows) = (0_usize, 0_usize);
    for (place, group) in groups.iter().enumerate() {
        let due = share * (place + 1) as f64 - taken_groups as f64 >= 0.5;
        let fits = taken_rows + group.rows.len() <= most;
        let Some(of_class) = left.get_mut(&group.class).filter(|left| due && fits && **left > 1) else { continue };
        *of_class -= 1;
        taken_groups += 1;
        taken_rows += group.rows.len();
        group.rows.iter().for_each(|&row| taken[row] = true);
    }
    taken
}

fn groups(rows: &[TrainingRow], seed: u64) -> Vec<Group> {
    let mut by_key: BTreeMap<(bool, Cow<'_, str>), Vec<usize>> = BTreeMap::new();
    for (place, row) in rows.iter().enumerate() {
        let key = match &row.cluster {
            Some(cluster) => (true, Cow::Borrowed(cluster.as_str())),
            None => (false, asked(row)),
        };
        by_key.entry(key).or_default().push(place);
    }
    let group = |((clustered, key), members): ((bool, Cow<'_, str>), Vec<usize>)| {
        let first = members.iter().map(|&member| rows[member].id.as_str()).min().unwrap_or_default();
        let name = if clustered { key.as_ref() } else { first };
        let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
        for &member in &members {
            *classes.entry(rows[member].class.as_str()).or_default() += 1;
        }
        let class = classes.into_iter().rev().max_by_key(|(_, count)| *count).map_or("", |(class, _)| class);
        let seed = seed.to_be_bytes();
        let parts = [seed.as_slice(), &[u8::from(clustered)], name.as_bytes()];
        let (class, order) = (class.to_owned(), Digest::of_parts(parts));
        Group { rows: members, class, order }
    };
    by_key.into_iter().map(group).collect()
}

/// What a row asks, without what does not bear on it: rows that ask the same are one.
fn asked(row: &TrainingRow) -> Cow<'_, str> {
    let user = row.messages.last().map_or("", |message| message.content.as_str());
    normalise(user).map_or(Cow::Borrowed(user), Cow::Owned)
}

/// Clusters of these rows; one without a cluster is one of its own.
pub fn clusters<'a>(rows: impl IntoIterator<Item = &'a TrainingRow>) -> u64 {
    let keys = rows.into_iter().map(|row| match &row.cluster {
        Some(cluster) => (true, cluster.as_str()),
        None => (false, row.id.as_str()),
    });
    keys.collect::<std::collections::BTreeSet<_>>().len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::row::tests::row;
    use proptest::prelude::*;

    fn rows(of: &[(u8, Option<u8>)]) -> Vec<TrainingRow> {
        let one = |(place, (class, cluster)): (usize, &(u8, Option<u8>))| {
            row(&format!("r{place}"), &format!("c{class}"), cluster.map(|name| format!("k{name}")).as_deref())
        };
        of.iter().enumerate().map(one).collect()
    }

    #[test]
    fn each_class_gives_about_its_share_and_never_its_last() {
        let mut plain: Vec<(u8, Option<u8>)> = (0..100).map(|place| (place % 4, None)).collect();
        plain.push((9, None));
        let rows = rows(&plain);
        let taken = validation(&rows, 0.2, 7);
        let of = |class: &str| rows.iter().zip(&taken).filter(|(row, taken)| row.class == class && **taken).count();
        for class in ["c0", "c1", "c2", "c3"] {
            assert!((4..=6).contains(&of(class)), "{class}: {}", of(class));
        }
        assert_eq!(of("c9"), 0, "a class with one row stays in training");
        assert_eq!(taken, validation(&rows, 0.2, 7), "the same seed divides alike");
        assert_ne!(taken, validation(&rows, 0.2, 8));
        assert!(validation(&rows, 0.0, 7).iter().all(|taken| !taken));
    }

    #[test]
    fn rows_that_ask_the_same_are_not_divided() {
        let mut rows = rows(&(0..60).map(|place| (place % 2, None)).collect::<Vec<_>>());
        for place in 0..30 {
            let words = format!("the very same report, as it came in twice: {place}");
            rows[place].messages[1].content = words.clone();
            rows[59 - place].messages[1].content = words.to_uppercase();
        }
        for seed in 0..20 {
            let taken = validation(&rows, 0.2, seed);
            assert!(taken.iter().any(|taken| *taken));
            assert!((0..30).all(|place| taken[place] == taken[59 - place]), "{seed}");
        }
    }

    proptest! {
        #[test]
        fn no_cluster_is_divided_and_training_keeps_every_class(
            of in prop::collection::vec((0_u8..4, prop::option::of(0_u8..6)), 1..60),
            share in 0.0_f64..0.5,
            seed in any::<u64>(),
        ) {
            let rows = rows(&of);
            let taken = validation(&rows, share, seed);
            for (a, one) in rows.iter().enumerate() {
                for (b, other) in rows.iter().enumerate() {
                    if one.cluster.is_some() && one.cluster == other.cluster {
                        prop_assert_eq!(taken[a], taken[b]);
                    }
                }
            }
            prop_assert!(taken.iter().any(|taken| !taken), "something is left to train on");
            let count = taken.iter().filter(|taken| **taken).count() as f64;
            prop_assert!(count <= (1.5 * share * rows.len() as f64).ceil());
        }
    }
}
