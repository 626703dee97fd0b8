//! The examples that both sides were asked alike; the others are named (METHODS.md 0.6).

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use super::calls::GateSide;
use super::examples::Packed;

/// Ids that are named at most of each kind.
const MOST_NAMED: usize = 20;

/// How the examples of the two sides stand to each other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Common {
    /// Asked alike of both: what the gate compares.
    pub examples: u64,
    /// Only asked now.
    pub added: Differing,
    /// Only in the baseline.
    pub removed: Differing,
    /// Same id, another input or expected answer.
    pub changed: Differing,
}

/// Examples that are compared with nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Differing {
    /// How many.
    pub count: u64,
    /// The first ids, in order.
    pub ids: Vec<String>,
}

impl Differing {
    fn add(&mut self, id: &str) {
        self.count += 1;
        if self.ids.len() < MOST_NAMED {
            self.ids.push(id.to_owned());
        }
    }
}

/// An example that both sides have.
#[derive(Debug, Clone, Copy)]
pub struct Both {
    /// Its place in the baseline.
    pub before: u32,
    /// Its place now.
    pub after: u32,
    /// Its cluster as it is now; examples without one have one of their own.
    pub cluster: u32,
}

/// The examples that both sides were asked alike, with what either did on them.
#[derive(Debug, Clone, Default)]
pub struct Pairs<'a> {
    /// The baseline's.
    pub before: Cow<'a, Packed>,
    /// Those of now.
    pub after: Cow<'a, Packed>,
    /// Which are compared.
    pub both: Vec<Both>,
}

/// Matches two sides.
pub fn common<'a>(before: &'a GateSide, after: &'a GateSide) -> (Common, Pairs<'a>) {
    let mut found = Common::default();
    let (then_whole, now_whole) = (before.examples.whole(), after.examples.whole());
    let (then, now, mut both) = (&*then_whole, &*now_whole, Vec::new());
    let mut clusters: HashMap<&str, u32> = HashMap::new();
    let (mut next, mut old) = (0_u32, 0);
    for new in 0..now.len() {
        let id = now.id(new);
        while old < then.len() && then.id(old) < id {
            found.removed.add(then.id(old));
            old += 1;
        }
        if old == then.len() || then.id(old) != id {
            found.added.add(id);
            continue;
        }
        let before = old;
        old += 1;
        if !then.asks_as(before, (now, new)) {
            found.changed.add(id);
            continue;
        }
        let mut new_cluster = || {
            next += 1;
            next - 1
        };
        let cluster = match now.cluster(new) {
            Some(name) => *clusters.entry(name).or_insert_with(new_cluster),
            None => new_cluster(),
        };
        found.examples += 1;
        both.push(Both { before: before as u32, after: new as u32, cluster });
    }
    (old..then.len()).for_each(|left| found.removed.add(then.id(left)));
    drop(clusters);
    (found, Pairs { before: then_whole, after: now_whole, both })
}
