//! The random order of a run that may stop early: fixed by a seed, whole clusters together.
//!
//! Each cluster, and within it each example, gets a number from the digest of the seed and its name,
//! and stands where that number puts it. The order thus follows from the examples alone: another
//! order of their files changes nothing, and what a store has of a run can be put back into it.

use crate::digest::Digest;
use crate::suite::Example;

/// Where an example stands: its cluster's number, then its own. Equal first halves are one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The cluster's; an example without one is its own.
    pub cluster: Digest,
    example: Digest,
}

/// The place of an example in the order of a seed.
pub fn place(seed: u64, example: &Example) -> Place {
    let number =
        |kind: &[u8], name: &str| Digest::of_parts([b"order".as_slice(), &seed.to_le_bytes(), kind, name.as_bytes()]);
    let own = number(b"example", &example.id.0);
    let cluster = example.cluster.as_ref().map_or(own, |cluster| number(b"cluster", cluster));
    Place { cluster, example: own }
}

/// Puts items into the order of a seed.
pub fn shuffle<T>(seed: u64, items: &mut [T], example: impl Fn(&T) -> &Example) {
    items.sort_by_cached_key(|item| place(seed, example(item)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::ExampleId;

    fn examples() -> Vec<Example> {
        let example = |number: usize| Example {
            id: ExampleId(format!("e{number}")),
            input: serde_json::Value::Null,
            expected: serde_json::Value::Null,
            cluster: (number < 30).then(|| format!("c{}", number % 10)),
            tags: std::collections::BTreeMap::new(),
            documents: Vec::new(),
        };
        (0..60).map(example).collect()
    }

    fn shuffled(seed: u64, mut examples: Vec<Example>) -> Vec<String> {
        shuffle(seed, &mut examples, |example| example);
        examples.into_iter().map(|example| example.id.0).collect()
    }

    #[test]
    fn the_order_is_the_seeds_and_not_the_files() {
        let mut backwards = examples();
        backwards.reverse();
        assert_eq!(shuffled(1, examples()), shuffled(1, backwards));
        assert_ne!(shuffled(1, examples()), shuffled(2, examples()));
        let mut sorted = shuffled(1, examples());
        assert_ne!(sorted, examples().into_iter().map(|example| example.id.0).collect::<Vec<_>>());
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), 60);
    }

    #[test]
    fn clusters_stay_together() {
        let mut all = examples();
        shuffle(7, &mut all, |example| example);
        let mut seen: Vec<&Option<String>> = Vec::new();
        for cluster in all.iter().map(|example| &example.cluster).filter(|cluster| cluster.is_some()) {
            if seen.last() != Some(&cluster) {
                assert!(!seen.contains(&cluster), "{cluster:?} is split");
                seen.push(cluster);
            }
        }
        assert_eq!(seen.len(), 10);
    }

    #[test]
    fn every_place_is_as_likely() {
        let first = |seed| shuffled(seed, examples()).iter().position(|id| id == "e45").unwrap();
        let early = (0..400).filter(|seed| first(*seed) < 30).count();
        assert!((150..250).contains(&early), "{early}");
    }
}
