//! What a probe reads: the pool's and the test's rows, with the value that the primary scorer looks at as their class.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::folds::numbered;
use super::report::RowFacts;
use crate::digest::{Digest, Parts};
use crate::suite::near::{Grams, NearIndex, values_text};
use crate::suite::schema::label_text;
use crate::suite::{Example, ScorerSpec, Suite};

/// Changes with whatever changes what a probe says of the same rows.
const VERSION: &str = "probe 2";

/// The rows of a suite.
#[derive(Debug, Clone)]
pub struct Material<'a> {
    /// The suite.
    pub suite: &'a Suite,
    /// Rows to train on.
    pub pool: Vec<Example>,
    /// The test examples.
    pub test: Vec<Example>,
}

/// Digest of all that a probe's figures rest on, the flags of one call apart.
pub fn key(material: &Material<'_>) -> Digest {
    let suite = material.suite;
    let mut parts = Parts::default();
    parts.add(VERSION.as_bytes());
    for rows in [&material.pool, &material.test] {
        parts.add(&(rows.len() as u64).to_le_bytes());
        rows.iter().for_each(|row| parts.add(&serde_json::to_vec(row).unwrap_or_default()));
    }
    let schema = suite.schema.as_ref().map(|schema| schema.document().to_string()).unwrap_or_default();
    let primary = format!("{:?}", suite.scorers.first());
    let told = format!("{:?} {:?} {:?}", suite.task, suite.labels, suite.statistics);
    [schema, primary, told].iter().for_each(|text| parts.add(text.as_bytes()));
    parts.digest()
}

/// Rows with a class, pool first.
#[derive(Debug, Clone)]
pub(super) struct Labelled<'a> {
    /// The classes, sorted: those of the pool and of the test examples.
    pub(super) classes: Vec<String>,
    /// The value that stands for each class, as the first row that has it writes it.
    pub(super) values: Vec<&'a Value>,
    /// The rows.
    pub(super) rows: Vec<LabelledRow<'a>>,
    /// How many of them are the pool's; the others are test examples.
    pub(super) pool: usize,
    /// Facts of both.
    pub(super) facts: [RowFacts; 2],
}

/// A row with its class.
#[derive(Debug, Clone)]
pub(super) struct LabelledRow<'a> {
    pub(super) example: &'a Example,
    /// Its place among the rows of [`Material`], pool first.
    pub(super) place: usize,
    pub(super) class: usize,
    /// A number for its cluster.
    pub(super) cluster: u32,
}

impl<'a> Labelled<'a> {
    /// Rows with the class that `class_of` reads; those without one are counted only.
    pub(super) fn of(material: &'a Material<'_>, class_of: impl Fn(&'a Example) -> Option<&'a Value>) -> Self {
        let labelled = |rows: &'a [Example], from: usize| -> Vec<Known<'a>> {
            let known = |(at, example)| Some((from + at, example, class_of(example)?));
            rows.iter()
                .enumerate()
                .filter_map(known)
                .map(|(at, row, value)| (at, row, value, label_text(value)))
                .collect()
        };
        let pool = labelled(&material.pool, 0);
        let test = labelled(&material.test, material.pool.len());
        let count = pool.len();
        let facts = [facts(&pool, material.pool.len()), facts(&test, material.test.len())];
        let all: Vec<Known<'_>> = pool.into_iter().chain(test).collect();
        let mut first: BTreeMap<&str, &'a Value> = BTreeMap::new();
        for (.., value, label) in &all {
            first.entry(label).or_insert(value);
        }
        let clusters = numbered(all.iter().map(|(_, row, ..)| row.cluster.as_deref()));
        let places: BTreeMap<&str, usize> = first.keys().copied().zip(0..).collect();
        let rows = all.iter().zip(clusters).map(|((place, example, _, label), cluster)| LabelledRow {
            example,
            place: *place,
            class: places[label.as_str()],
            cluster,
        });
        Self {
            rows: rows.collect(),
            classes: first.keys().map(|label| (*label).to_owned()).collect(),
            values: first.into_values().collect(),
            pool: count,
            facts,
        }
    }

    pub(super) fn pool(&self) -> &[LabelledRow<'a>] {
        &self.rows[..self.pool]
    }

    pub(super) fn test(&self) -> &[LabelledRow<'a>] {
        &self.rows[self.pool..]
    }

    /// The texts of all rows.
    pub(super) fn texts(&self) -> Vec<String> {
        self.rows.iter().map(|row| values_text(&row.example.input)).collect()
    }

    /// The class that most pool rows have, the first of several.
    pub(super) fn most_frequent(&self) -> usize {
        let mut counts = vec![0_u64; self.classes.len()];
        self.pool().iter().for_each(|row| counts[row.class] += 1);
        let most = counts.iter().max().copied().unwrap_or(0);
        counts.iter().position(|count| *count == most).unwrap_or(0)
    }

    /// Classes of test examples that no pool row has.
    pub(super) fn not_in_pool(&self) -> Vec<String> {
        let of = |rows: &[LabelledRow<'_>]| rows.iter().map(|row| row.class).collect::<BTreeSet<usize>>();
        of(self.test()).difference(&of(self.pool())).map(|class| self.classes[*class].clone()).collect()
    }
}

/// A row's place, itself, the value that is its class, and that as text.
type Known<'a> = (usize, &'a Example, &'a Value, String);

fn facts(rows: &[Known<'_>], all: usize) -> RowFacts {
    let mut labels: Vec<&str> = rows.iter().map(|(.., label)| label.as_str()).collect();
    labels.sort_unstable();
    labels.dedup();
    let clusters = numbered(rows.iter().map(|(_, row, ..)| row.cluster.as_deref()));
    RowFacts {
        rows: rows.len() as u64,
        unlabelled: (all - rows.len()) as u64,
        clusters: clusters.iter().max().map_or(0, |most| u64::from(*most) + 1),
        classes: labels.len() as u64,
    }
}

/// The value that the primary scorer expects.
pub(super) fn expected<'a>(example: &'a Example, primary: &ScorerSpec) -> Option<&'a Value> {
    example.expected.pointer(&primary.expected_at).filter(|value| !value.is_null())
}

/// Pool rows that are all but the same as a test example.
pub(super) fn near_duplicates(material: &Material<'_>) -> u64 {
    let test = NearIndex::new(material.test.iter().map(|row| Grams::of(&row.input)).collect());
    material.pool.iter().filter(|row| test.find(&Grams::of(&row.input)).is_some()).count() as u64
}

/// Pool rows whose cluster a test example has.
pub(super) fn shared_clusters(material: &Material<'_>) -> u64 {
    let test: BTreeSet<&str> = material.test.iter().filter_map(|row| row.cluster.as_deref()).collect();
    material.pool.iter().filter(|row| row.cluster.as_deref().is_some_and(|name| test.contains(name))).count() as u64
}
