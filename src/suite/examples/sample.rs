//! A random part of the examples: the same one for a seed, whatever the order of the files.
//!
//! Each id gets a number from the digest of seed and id. Each stratum takes those with the lowest
//! numbers, as many as its share of the whole (largest remainders). Two passes: one counts, one
//! finds each stratum's highest number that is still in; memory grows with the sample, not with
//! the data.

use std::collections::{BTreeMap, BinaryHeap};

use serde_json::Value;

use super::Example;
use crate::digest::Digest;
use crate::suite::schema::label_text;

/// Which examples are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// How many.
    pub n: u64,
    /// Of the choice.
    pub seed: u64,
    /// Each class gets its share.
    pub stratify: Option<Stratify>,
}

/// What makes a stratum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stratify {
    /// The expected answer at this JSON Pointer; empty is the whole.
    Expected(String),
    /// A tag.
    Tag(String),
}

impl Stratify {
    /// Reads `expected`, `expected.FIELD`, a JSON Pointer into `expected`, or `tags.NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(tag) = text.strip_prefix("tags.").filter(|tag| !tag.is_empty()) {
            return Some(Self::Tag(tag.to_owned()));
        }
        if text.starts_with('/') {
            return Some(Self::Expected(text.to_owned()));
        }
        let fields = text.strip_prefix("expected")?;
        match fields.chars().next() {
            None | Some('/') => Some(Self::Expected(fields.to_owned())),
            Some('.') if fields.len() > 1 => Some(Self::Expected(fields.replace('.', "/"))),
            _ => None,
        }
    }

    fn stratum(&self, example: &Example) -> String {
        match self {
            Self::Expected(pointer) => label_text(example.expected.pointer(pointer).unwrap_or(&Value::Null)),
            Self::Tag(tag) => example.tags.get(tag).cloned().unwrap_or_default(),
        }
    }
}

/// The highest number that is in, for each stratum.
#[derive(Debug)]
pub(super) struct Selection {
    highest: BTreeMap<String, u64>,
}

impl Sample {
    fn number(&self, example: &Example) -> u64 {
        let seed = self.seed.to_le_bytes();
        Digest::of_parts([seed.as_slice(), example.id.0.as_bytes()]).prefix_u64()
    }

    fn stratum(&self, example: &Example) -> String {
        self.stratify.as_ref().map(|stratify| stratify.stratum(example)).unwrap_or_default()
    }

    /// Reads all examples twice.
    pub(super) fn select<I: Iterator<Item = Example>>(&self, read: impl Fn() -> I) -> Selection {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for example in read() {
            *counts.entry(self.stratum(&example)).or_default() += 1;
        }
        let shares = allocate(self.n, &counts);
        let mut lowest: BTreeMap<String, BinaryHeap<u64>> = BTreeMap::new();
        for example in read() {
            let stratum = self.stratum(&example);
            let share = shares.get(&stratum).copied().unwrap_or(0);
            let heap = lowest.entry(stratum).or_default();
            heap.push(self.number(&example));
            if heap.len() as u64 > share {
                heap.pop();
            }
        }
        let highest = lowest.into_iter().filter_map(|(stratum, heap)| Some((stratum, *heap.peek()?))).collect();
        Selection { highest }
    }
}

impl Selection {
    pub(super) fn has(&self, sample: &Sample, example: &Example) -> bool {
        self.highest.get(&sample.stratum(example)).is_some_and(|highest| sample.number(example) <= *highest)
    }
}

/// Shares of `n` in proportion to the counts, by largest remainders; ties go by name.
fn allocate(n: u64, counts: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let total: u128 = counts.values().map(|&count| u128::from(count)).sum();
    if total <= u128::from(n) {
        return counts.clone();
    }
    let mut shares: BTreeMap<String, u64> = BTreeMap::new();
    let mut remainders = Vec::new();
    for (stratum, &count) in counts {
        let product = u128::from(n) * u128::from(count);
        shares.insert(stratum.clone(), u64::try_from(product / total).unwrap_or(u64::MAX));
        remainders.push((std::cmp::Reverse(product % total), stratum));
    }
    remainders.sort();
    let missing = n - shares.values().sum::<u64>();
    for (_, stratum) in remainders.into_iter().take(usize::try_from(missing).unwrap_or(usize::MAX)) {
        *shares.entry(stratum.clone()).or_default() += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_in_proportion_and_add_up() {
        let counts = BTreeMap::from([("a".to_owned(), 50), ("b".to_owned(), 30), ("c".to_owned(), 20)]);
        let shares = allocate(7, &counts);
        assert_eq!(shares.values().sum::<u64>(), 7);
        assert_eq!((shares["a"], shares["b"], shares["c"]), (4, 2, 1));
        assert_eq!(allocate(200, &counts), counts);
    }

    #[test]
    fn strata_are_written_in_four_ways() {
        assert_eq!(Stratify::parse("expected"), Some(Stratify::Expected(String::new())));
        assert_eq!(Stratify::parse("expected.code"), Some(Stratify::Expected("/code".into())));
        assert_eq!(Stratify::parse("/a/b"), Some(Stratify::Expected("/a/b".into())));
        assert_eq!(Stratify::parse("tags.region"), Some(Stratify::Tag("region".into())));
        assert_eq!(Stratify::parse("region"), None);
    }
}
