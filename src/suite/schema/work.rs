//! How much work a schema asks for, counted before any of it is done.
//!
//! References that fan out make exponential work of a small file, and so do recursive schemas on nested answers:
//! the validator has no limit of its own. The count is of visits, a subschema asked about a value; it is memoised,
//! and so takes time for the pairs of subschemas and values, not for the paths between them.

use std::collections::HashMap;

use serde_json::Value;

use super::graph::{Graph, Reach};

/// Most visits that one answer may take: about a second.
pub(super) const MOST_VISITS: u64 = 500_000;

/// Visits at one value up to which a schema without recursion needs no count of its answers.
const FEW_VISITS: u64 = 1_000;

/// Subschemas asked within one another, at most: the validator calls itself for each.
const MOST_NESTED: u32 = 1_200;

/// Subschemas that lie within one another or refer to one another in a row, at most.
pub(super) const LONGEST_CHAIN: u64 = 4_000;

/// Visits that a draft's own schema takes at one value.
const DRAFT_VISITS: u64 = 200;

/// A subschema that asks what is left over walks through those beside it again.
const AGAIN: u64 = 3;

/// The edges of a graph without what borrows from the document.
#[derive(Debug)]
pub(super) struct Work {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    edges: Vec<(Part, usize)>,
    factor: u64,
    visits: u64,
}

/// [`Reach`], owned.
#[derive(Debug)]
enum Part {
    Itself,
    Member(Box<str>),
    Item(usize),
    Members,
    Items,
    Names,
}

/// What is known of a schema before any answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// The longest chain of subschemas; all of a circle count.
    pub(super) chain: u64,
    /// Visits that building the validator takes, where what is left over is asked for.
    pub(super) building: u64,
    /// Whether each answer must be counted.
    pub(super) count_answers: bool,
}

impl Work {
    pub(super) fn new(graph: &Graph<'_>) -> Self {
        let part = |reach: &Reach<'_>| match reach {
            Reach::Itself => Part::Itself,
            Reach::Member(name) => Part::Member((*name).into()),
            Reach::Item(at) => Part::Item(*at),
            Reach::Members => Part::Members,
            Reach::Items => Part::Items,
            Reach::Names => Part::Names,
        };
        let node = |node: &super::graph::Node<'_>| Node {
            edges: node.edges.iter().map(|(reach, place)| (part(reach), *place)).collect(),
            factor: if node.asks_again { AGAIN } else { 1 },
            visits: if node.is_draft { DRAFT_VISITS } else { 1 },
        };
        Self { nodes: graph.nodes.iter().map(node).collect() }
    }

    /// Bounds that hold for every answer.
    pub(super) fn bounds(&self) -> Bounds {
        let circles = Circles::of(self);
        let is_circular = circles.sizes.iter().any(|size| *size > 1)
            || self.nodes.iter().enumerate().any(|(at, node)| node.edges.iter().any(|(_, to)| *to == at));
        // Circles are numbered so that what one reaches comes before it.
        let mut chains = vec![0_u64; circles.sizes.len()];
        let mut visits = vec![0_u64; self.nodes.len()];
        let mut building = 0_u64;
        for at in circles.order() {
            let (node, own) = (&self.nodes[at], circles.of[at]);
            let others = || node.edges.iter().filter(|(_, to)| circles.of[*to] != own);
            let longest = others().map(|(_, to)| chains[circles.of[*to]]).max().unwrap_or(0);
            chains[own] = chains[own].max(longest.saturating_add(circles.sizes[own]));
            let sum = others().fold(0_u64, |sum, (_, to)| sum.saturating_add(visits[*to]));
            visits[at] = sum.saturating_mul(node.factor).saturating_add(node.visits);
            if node.factor > 1 {
                building = building.saturating_add(visits[at]);
            }
        }
        let chain = chains.iter().copied().max().unwrap_or(0);
        let most = visits.iter().copied().max().unwrap_or(0);
        let count_answers = is_circular || most > FEW_VISITS || chain > u64::from(MOST_NESTED);
        Bounds { chain, building, count_answers }
    }

    /// Whether judging a value stays within the limits.
    pub(super) fn allows(&self, value: &Value) -> bool {
        let mut count = Count { work: self, known: HashMap::new(), left: MOST_VISITS };
        count.visits(0, value, 0).is_some()
    }
}

/// Visits to a pair of subschema and value, and how deep they go.
#[derive(Debug, Clone, Copy)]
struct Visits {
    number: u64,
    depth: u32,
}

/// A count under way; values are known by their address, and outlive it.
struct Count<'w> {
    work: &'w Work,
    known: HashMap<(usize, *const Value), Visits>,
    /// Pairs that may still be looked at.
    left: u64,
}

impl Count<'_> {
    /// Visits to a value and what is in it; `None` once a limit is passed.
    fn visits(&mut self, at: usize, value: &Value, above: u32) -> Option<Visits> {
        let key = (at, std::ptr::from_ref(value));
        if let Some(known) = self.known.get(&key) {
            return (above + known.depth <= MOST_NESTED).then_some(*known);
        }
        self.left = self.left.checked_sub(1)?;
        if above >= MOST_NESTED {
            return None;
        }
        // Whoever comes back here without having gone into the value is stopped by the validator, too.
        self.known.insert(key, Visits { number: 0, depth: 0 });
        let work = self.work;
        let node = work.nodes.get(at)?;
        let (mut number, mut depth) = (0_u64, 0);
        for (part, to) in &node.edges {
            let mut ask = |value: &Value, times: u64| {
                let visits = self.visits(*to, value, above + 1)?;
                number = number.saturating_add(visits.number.saturating_mul(times));
                depth = depth.max(visits.depth);
                Some(())
            };
            match (part, value) {
                (Part::Itself, value) => ask(value, 1)?,
                (Part::Member(name), Value::Object(fields)) => {
                    if let Some(value) = fields.get(&**name) {
                        ask(value, 1)?;
                    }
                }
                (Part::Item(place), Value::Array(items)) => {
                    if let Some(value) = items.get(*place) {
                        ask(value, 1)?;
                    }
                }
                (Part::Members, Value::Object(fields)) => fields.values().try_for_each(|value| ask(value, 1))?,
                (Part::Items, Value::Array(items)) => items.iter().try_for_each(|value| ask(value, 1))?,
                (Part::Names, Value::Object(fields)) => ask(&Value::Null, fields.len() as u64)?,
                _ => {}
            }
        }
        let number = number.saturating_mul(node.factor).saturating_add(node.visits);
        let visits = Visits { number, depth: depth + 1 };
        self.known.insert(key, visits);
        (number <= MOST_VISITS).then_some(visits)
    }
}

/// Subschemas that reach one another, in an order in which what one reaches comes before it.
struct Circles {
    /// The circle of each subschema.
    of: Vec<usize>,
    /// Subschemas in each circle.
    sizes: Vec<u64>,
}

impl Circles {
    /// Tarjan's strongly connected components, without recursion.
    fn of(work: &Work) -> Self {
        const UNSEEN: usize = usize::MAX;
        let count = work.nodes.len();
        let (mut index, mut low, mut of) = (vec![UNSEEN; count], vec![0; count], vec![UNSEEN; count]);
        let (mut sizes, mut open, mut path, mut next) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for start in 0..count {
            if index[start] == UNSEEN {
                path.push((start, 0));
            }
            while let Some((at, edge)) = path.pop() {
                if edge == 0 {
                    (index[at], low[at]) = (next, next);
                    next += 1;
                    open.push(at);
                }
                if let Some((_, to)) = work.nodes[at].edges.get(edge) {
                    path.push((at, edge + 1));
                    if index[*to] == UNSEEN {
                        path.push((*to, 0));
                    } else if of[*to] == UNSEEN {
                        low[at] = low[at].min(index[*to]);
                    }
                    continue;
                }
                if let Some((parent, _)) = path.last() {
                    low[*parent] = low[*parent].min(low[at]);
                }
                if low[at] == index[at] {
                    let from = open.iter().rposition(|member| *member == at).unwrap_or(0);
                    sizes.push((open.len() - from) as u64);
                    open.drain(from..).for_each(|member| of[member] = sizes.len() - 1);
                }
            }
        }
        Self { of, sizes }
    }

    /// The subschemas, what one reaches before it.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.of.len()).collect();
        order.sort_by_key(|at| self.of[*at]);
        order
    }
}
