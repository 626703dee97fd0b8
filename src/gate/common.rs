//! The examples that both sides were asked alike; the others are named (METHODS.md 0.6).

use std::collections::BTreeMap;

use serde::Serialize;

use super::calls::{AskedExample, GateSide};

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

/// An example with its calls on both sides.
#[derive(Debug, Clone, Copy)]
pub struct Both<'a> {
    /// In the baseline.
    pub before: &'a AskedExample,
    /// Now.
    pub after: &'a AskedExample,
    /// Its cluster as it is now; examples without one have one of their own.
    pub cluster: u32,
}

/// Matches two sides.
pub fn common<'a>(before: &'a GateSide, after: &'a GateSide) -> (Common, Vec<Both<'a>>) {
    let mut found = Common::default();
    let mut pairs = Vec::new();
    let mut clusters: BTreeMap<&str, u32> = BTreeMap::new();
    let mut next = 0_u32;
    for (id, now) in &after.examples {
        let Some(then) = before.examples.get(id) else {
            found.added.add(id);
            continue;
        };
        if then.asked != now.asked {
            found.changed.add(id);
            continue;
        }
        let mut new = || {
            next += 1;
            next - 1
        };
        let cluster = match &now.cluster {
            Some(name) => *clusters.entry(name.as_str()).or_insert_with(new),
            None => new(),
        };
        found.examples += 1;
        pairs.push(Both { before: then, after: now, cluster });
    }
    before.examples.keys().filter(|id| !after.examples.contains_key(*id)).for_each(|id| found.removed.add(id));
    (found, pairs)
}
