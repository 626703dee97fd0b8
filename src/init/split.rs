//! Test, dev and pool without leakage: rows of one cluster, and rows whose inputs are all but the
//! same, stay on one side. The split is by lot, for a seed, with each label's share kept where the
//! groups allow.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::digest::Digest;
use crate::suite::leakage::{normalise, text_of};
use crate::suite::near::{Grams, NearIndex};

/// The sides, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// What figures rest on.
    Test,
    /// For prompt work.
    Dev,
    /// What few-shot and training draw from.
    Pool,
}

/// Fewest rows of which a part is set aside as a pool.
const FEWEST_FOR_POOL: usize = 10;

/// Fewest rows of which a part is set aside for prompt work.
const FEWEST_FOR_DEV: usize = 150;

/// Rows beyond which a test says little more and costs much.
const MOST_TEST: usize = 1_000;

/// Rows beyond which prompt work needs no more.
const MOST_DEV: usize = 200;

/// A row as the split sees it.
#[derive(Debug, Clone)]
pub struct Item<'a> {
    /// Its id, by which lots are drawn.
    pub id: &'a str,
    /// Its input.
    pub input: &'a Value,
    /// Its cluster.
    pub cluster: Option<&'a str>,
    /// What the split keeps in proportion.
    pub class: String,
}

/// Where each row went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The side of each row.
    pub sides: Vec<Side>,
    /// The group of each row, as the number of its first row.
    pub groups: Vec<usize>,
}

impl Split {
    /// Rows of a side.
    pub fn count(&self, side: Side) -> usize {
        self.sides.iter().filter(|own| **own == side).count()
    }
}

/// Groups of rows that belong together.
struct Groups(Vec<usize>);

impl Groups {
    fn root(&mut self, mut row: usize) -> usize {
        while self.0[row] != row {
            self.0[row] = self.0[self.0[row]];
            row = self.0[row];
        }
        row
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        let (first, last) = (one.min(other), one.max(other));
        self.0[last] = first;
    }
}

/// The group of each row: its cluster, and every row whose input is all but the same.
pub fn groups(items: &[Item<'_>]) -> Vec<usize> {
    let mut groups = Groups((0..items.len()).collect());
    let mut clusters: HashMap<&str, usize> = HashMap::new();
    let mut texts: HashMap<String, usize> = HashMap::new();
    let mut distinct = Vec::new();
    for (row, item) in items.iter().enumerate() {
        if let Some(cluster) = item.cluster {
            let first = *clusters.entry(cluster).or_insert(row);
            groups.join(first, row);
        }
        let text = text_of(item.input);
        // A text too short to be compared without its signs is compared as it stands.
        let key = normalise(&text).unwrap_or(text);
        match texts.get(&key) {
            Some(first) => groups.join(*first, row),
            None => {
                texts.insert(key, row);
                distinct.push(row);
            }
        }
    }
    let grams: Vec<Grams> = distinct.iter().map(|row| Grams::of(items[*row].input)).collect();
    let index = NearIndex::new(grams.clone());
    for (place, grams) in grams.iter().enumerate() {
        for near in index.all(grams) {
            groups.join(distinct[near], distinct[place]);
        }
    }
    (0..items.len()).map(|row| groups.root(row)).collect()
}

/// How many rows each side should have: of `rows`, with the pool's share where the user names one.
pub fn sizes(rows: usize, pool_share: Option<f64>) -> [usize; 3] {
    let dev = if rows >= FEWEST_FOR_DEV { (rows / 10).min(MOST_DEV) } else { 0 };
    let share = |share: f64| (share * rows as f64).round() as usize;
    match pool_share {
        Some(asked) => {
            let pool = share(asked).min(rows - dev);
            [rows - dev - pool, dev, pool]
        }
        None if rows < FEWEST_FOR_POOL => [rows, 0, 0],
        None => {
            let test = (rows - dev - share(0.2)).min(MOST_TEST);
            [test, dev, rows - dev - test]
        }
    }
}

/// Splits the rows.
pub fn split(items: &[Item<'_>], pool_share: Option<f64>, seed: u64) -> Split {
    let groups = groups(items);
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, group) in groups.iter().enumerate() {
        members.entry(*group).or_default().push(row);
    }
    let wanted = sizes(items.len(), pool_share);
    let mut order: Vec<(usize, Vec<usize>)> = members.into_iter().collect();
    let lot = |group: usize| Digest::of_parts([seed.to_le_bytes().as_slice(), items[group].id.as_bytes()]);
    // The largest first, while every side still has room; equals by lot.
    order.sort_by_cached_key(|(group, rows)| (std::cmp::Reverse(rows.len()), lot(*group)));
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        *totals.entry(&item.class).or_default() += 1;
    }
    let mut have: [BTreeMap<&str, usize>; 3] = Default::default();
    let mut filled = [0_usize; 3];
    let mut sides = vec![Side::Test; items.len()];
    for (_, rows) in order {
        let want = |side: usize| -> f64 {
            if wanted[side] == 0 {
                return f64::NEG_INFINITY;
            }
            let share = wanted[side] as f64 / items.len() as f64;
            let lacks = rows.iter().map(|row| {
                let class = items[*row].class.as_str();
                let own = have[side].get(class).copied().unwrap_or(0);
                share * totals[class] as f64 - own as f64
            });
            // What the label lacks counts first, what the side lacks decides among equals.
            let side_lacks = wanted[side] as f64 - filled[side] as f64 - rows.len() as f64;
            lacks.sum::<f64>() / rows.len() as f64 / share + side_lacks.min(0.0) * 1_000.0 + side_lacks * 1e-6
        };
        let best = (0..3).max_by(|a, b| want(*a).total_cmp(&want(*b))).unwrap_or(0);
        for row in &rows {
            *have[best].entry(&items[*row].class).or_default() += 1;
            sides[*row] = [Side::Test, Side::Dev, Side::Pool][best];
        }
        filled[best] += rows.len();
    }
    Split { sides, groups }
}
