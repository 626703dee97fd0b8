//! The examples of one side of a gate, in columns: there may be a million.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::calls::{AskedExample, Calls};

/// A call without a score or a time, as it is kept.
const NO_NUMBER: f64 = f64::NAN;
/// A call without a known cost, as it is kept: a cost is never negative.
const NO_COST: i64 = i64::MIN;

/// The examples that a variant was asked, by their ids.
#[derive(Debug, Clone, Default)]
pub struct AskedExamples {
    /// Shared with whoever holds the same side.
    packed: Arc<Packed>,
    /// Those that came out of order, or were changed after others had come: they stand for the packed ones of
    /// their ids.
    apart: BTreeMap<String, AskedExample>,
}

impl AskedExamples {
    /// Adds an example, or puts it in the place of the one with its id.
    pub fn insert(&mut self, id: impl AsRef<str>, example: AskedExample) {
        let id = id.as_ref();
        if self.packed.last_id().is_none_or(|last| last < id) && self.apart.is_empty() {
            Arc::make_mut(&mut self.packed).push(id, &example);
        } else {
            self.apart.insert(id.to_owned(), example);
        }
    }

    /// Changes the calls of an example; where there is none of this id, `new` makes it.
    pub fn update(&mut self, id: &str, new: impl FnOnce() -> AskedExample, change: impl FnOnce(&mut Calls)) {
        if self.apart.is_empty() && self.packed.last_id().is_none_or(|last| last <= id) {
            let packed = Arc::make_mut(&mut self.packed);
            let mut example = if packed.last_id() == Some(id) { packed.pop() } else { None };
            let example = example.get_or_insert_with(new);
            change(&mut example.calls);
            return packed.push(id, example);
        }
        let packed = &self.packed;
        let known = || packed.find(id).map(|place| packed.example(place));
        let example = self.apart.entry(id.to_owned()).or_insert_with(|| known().unwrap_or_else(new));
        change(&mut example.calls);
    }

    /// How many calls an example has; `None` where there is none of this id.
    pub fn calls_of(&self, id: &str) -> Option<usize> {
        let apart = self.apart.get(id).map(|example| example.calls.len());
        apart.or_else(|| self.packed.find(id).map(|place| self.packed.calls(place).len()))
    }

    /// Examples.
    pub fn len(&self) -> usize {
        let more = self.apart.keys().filter(|id| self.packed.find(id).is_none()).count();
        self.packed.len() + more
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.packed.len() == 0 && self.apart.is_empty()
    }

    /// All of them, in the order of their ids.
    pub fn whole(&self) -> Cow<'_, Packed> {
        if self.apart.is_empty() {
            return Cow::Borrowed(&self.packed);
        }
        let (mut whole, mut apart) = (Packed::default(), self.apart.iter().peekable());
        for place in 0..self.packed.len() {
            let id = self.packed.id(place);
            while let Some((other, example)) = apart.next_if(|(other, _)| other.as_str() < id) {
                whole.push(other, example);
            }
            match apart.next_if(|(other, _)| other.as_str() == id) {
                Some((_, example)) => whole.push(id, example),
                None => whole.push(id, &self.packed.example(place)),
            }
        }
        apart.for_each(|(id, example)| whole.push(id, example));
        Cow::Owned(whole)
    }
}

impl PartialEq for AskedExamples {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.whole(), other.whole());
        one.len() == other.len()
            && (0..one.len())
                .all(|place| one.id(place) == other.id(place) && one.example(place) == other.example(place))
    }
}

#[cfg(test)]
impl AskedExamples {
    /// Changes anything.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut BTreeMap<String, AskedExample>)) {
        let whole = self.whole();
        let mut all: BTreeMap<String, AskedExample> =
            (0..whole.len()).map(|place| (whole.id(place).to_owned(), whole.example(place))).collect();
        change(&mut all);
        let mut changed = Self::default();
        all.into_iter().for_each(|(id, example)| changed.insert(&id, example));
        *self = changed;
    }

    /// One of them.
    pub(crate) fn get(&self, id: &str) -> Option<AskedExample> {
        let whole = self.whole();
        whole.find(id).map(|place| whole.example(place))
    }
}

/// Examples in the order of their ids, a column each for what is known of them and of their calls.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    ids: String,
    id_ends: Vec<usize>,
    /// Digests of what was asked: 32 digits each.
    asked: Vec<u128>,
    /// Those that are no 32 digits, by place.
    odd: BTreeMap<usize, String>,
    /// 0 for none, else the number of the name plus one; empty up to the first that has one.
    clusters: Vec<u32>,
    cluster_names: Vec<String>,
    cluster_numbers: HashMap<String, u32>,
    call_ends: Vec<u32>,
    scores: Vec<f64>,
    costs: Vec<i64>,
    /// 0 missing, 1 invalid, 2 valid.
    valid: Vec<u8>,
    timed_ends: Vec<u32>,
    ttft_ms: Vec<f64>,
}

impl Packed {
    /// Examples.
    pub fn len(&self) -> usize {
        self.id_ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.id_ends.is_empty()
    }

    /// An example's id.
    pub fn id(&self, place: usize) -> &str {
        let begin = place.checked_sub(1).map_or(0, |before| self.id_ends[before]);
        &self.ids[begin..self.id_ends[place]]
    }

    fn last_id(&self) -> Option<&str> {
        self.len().checked_sub(1).map(|last| self.id(last))
    }

    /// The place of an id.
    pub fn find(&self, id: &str) -> Option<usize> {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            match self.id(middle).cmp(id) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        None
    }

    /// Part of the digest of an example's input and expected answer.
    pub fn asked(&self, place: usize) -> Cow<'_, str> {
        match self.odd.get(&place) {
            Some(odd) => Cow::Borrowed(odd),
            None => Cow::Owned(format!("{:032x}", self.asked[place])),
        }
    }

    /// Whether two examples were asked alike.
    pub fn asks_as(&self, place: usize, (other, there): (&Self, usize)) -> bool {
        self.asked[place] == other.asked[there] && self.odd.get(&place) == other.odd.get(&there)
    }

    /// An example's cluster.
    pub fn cluster(&self, place: usize) -> Option<&str> {
        let number = self.clusters.get(place)?.checked_sub(1)?;
        self.cluster_names.get(number as usize).map(String::as_str)
    }

    /// The places of an example's calls.
    fn calls(&self, place: usize) -> std::ops::Range<usize> {
        range(&self.call_ends, place)
    }

    /// The scores of an example's calls that have one.
    pub fn scores(&self, place: usize) -> impl Iterator<Item = f64> {
        self.scores[self.calls(place)].iter().copied().filter(|score| !score.is_nan())
    }

    /// Whether each answer of an example is valid; missing ones are left out.
    pub fn valid(&self, place: usize) -> impl Iterator<Item = bool> {
        self.valid[self.calls(place)].iter().filter_map(|valid| is_valid(*valid))
    }

    /// The known costs of an example's calls, in 1e-12 USD.
    pub fn costs(&self, place: usize) -> impl Iterator<Item = i64> {
        self.costs[self.calls(place)].iter().copied().filter(|cost| *cost != NO_COST)
    }

    /// Milliseconds to the first token of an example's timed calls; infinite where none came.
    pub fn times(&self, place: usize) -> impl Iterator<Item = f64> {
        self.ttft_ms[range(&self.timed_ends, place)].iter().map(|ms| if ms.is_nan() { f64::INFINITY } else { *ms })
    }

    /// Timed calls of all examples.
    pub fn timed(&self) -> usize {
        self.ttft_ms.len()
    }

    /// Missing calls, and all.
    pub fn missing(&self) -> (u64, u64) {
        (self.valid.iter().filter(|valid| **valid == 0).count() as u64, self.valid.len() as u64)
    }

    /// The most calls of one example.
    pub fn repeats(&self) -> usize {
        (0..self.len()).map(|place| self.calls(place).len()).max().unwrap_or(0)
    }

    /// An example as it was put in.
    pub fn example(&self, place: usize) -> AskedExample {
        let calls = self.calls(place);
        let number = |number: &f64| Some(*number).filter(|number| !number.is_nan());
        AskedExample {
            asked: self.asked(place).into_owned(),
            cluster: self.cluster(place).map(str::to_owned),
            calls: Calls {
                cost_picousd: self.costs[calls.clone()]
                    .iter()
                    .map(|cost| Some(*cost).filter(|c| *c != NO_COST))
                    .collect(),
                score: self.scores[calls.clone()].iter().map(number).collect(),
                ttft_ms: self.ttft_ms[range(&self.timed_ends, place)].iter().map(number).collect(),
                valid: self.valid[calls].iter().map(|valid| is_valid(*valid)).collect(),
            },
        }
    }

    /// Adds an example, whose id is above all others.
    fn push(&mut self, id: &str, example: &AskedExample) {
        let AskedExample { asked, cluster, calls } = example;
        let place = self.len();
        self.ids.push_str(id);
        self.id_ends.push(self.ids.len());
        let digits = (asked.len() == 32 && asked.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
            .then(|| u128::from_str_radix(asked, 16).ok());
        self.asked.push(digits.flatten().unwrap_or_else(|| {
            self.odd.insert(place, asked.clone());
            0
        }));
        if let Some(name) = cluster {
            let next = self.cluster_names.len() as u32;
            let number = *self.cluster_numbers.entry(name.clone()).or_insert_with(|| {
                self.cluster_names.push(name.clone());
                next
            });
            self.clusters.resize(place, 0);
            self.clusters.push(number + 1);
        }
        for call in 0..calls.len() {
            self.scores.push(calls.score.get(call).copied().flatten().unwrap_or(NO_NUMBER));
            self.costs.push(calls.cost_picousd.get(call).copied().flatten().unwrap_or(NO_COST));
            self.valid.push(calls.valid[call].map_or(0, |valid| 1 + u8::from(valid)));
        }
        self.call_ends.push(self.valid.len() as u32);
        self.ttft_ms.extend(calls.ttft_ms.iter().map(|ms| ms.unwrap_or(NO_NUMBER)));
        self.timed_ends.push(self.ttft_ms.len() as u32);
    }

    /// Takes the last example out.
    fn pop(&mut self) -> Option<AskedExample> {
        let place = self.len().checked_sub(1)?;
        let example = self.example(place);
        let (calls, timed) = (self.calls(place).start, range(&self.timed_ends, place).start);
        self.ids.truncate(place.checked_sub(1).map_or(0, |before| self.id_ends[before]));
        self.id_ends.pop();
        self.asked.pop();
        self.odd.remove(&place);
        self.clusters.truncate(place);
        self.call_ends.pop();
        self.scores.truncate(calls);
        self.costs.truncate(calls);
        self.valid.truncate(calls);
        self.timed_ends.pop();
        self.ttft_ms.truncate(timed);
        Some(example)
    }
}

/// What stands between an end and the one before it.
fn range(ends: &[u32], place: usize) -> std::ops::Range<usize> {
    place.checked_sub(1).map_or(0, |before| ends[before] as usize)..ends[place] as usize
}

fn is_valid(kept: u8) -> Option<bool> {
    kept.checked_sub(1).map(|valid| valid == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_calls() -> impl Strategy<Value = Calls> {
        let call = (prop::option::of(0.0..=1.0_f64), prop::option::of(0..9_i64), prop::option::of(any::<bool>()));
        let times = prop::collection::vec(prop::option::of(0.0..9.0_f64), 0..3);
        (prop::collection::vec(call, 0..4), times).prop_map(|(calls, ttft_ms)| Calls {
            score: calls.iter().map(|call| call.0).collect(),
            cost_picousd: calls.iter().map(|call| call.1).collect(),
            valid: calls.iter().map(|call| call.2).collect(),
            ttft_ms,
        })
    }

    fn any_example() -> impl Strategy<Value = (String, AskedExample)> {
        let asked = prop_oneof![
            Just("a".to_owned()),
            Just("0123456789abcdef0123456789abcdef".to_owned()),
            Just("0".repeat(32))
        ];
        ("[a-d]{0,2}", asked, prop::option::of("[xy]"), any_calls())
            .prop_map(|(id, asked, cluster, calls)| (id, AskedExample { asked, cluster, calls }))
    }

    proptest! {
        #[test]
        fn what_is_put_in_comes_out_whatever_the_order(
            examples in prop::collection::vec((any_example(), any::<bool>()), 0..30),
        ) {
            let (mut packed, mut plain) = (AskedExamples::default(), BTreeMap::new());
            for ((id, example), updates) in examples {
                if updates {
                    let change = |calls: &mut Calls| {
                        calls.score.push(Some(0.5));
                        calls.valid.push(Some(true));
                        calls.cost_picousd.push(None);
                    };
                    packed.update(&id, || example.clone(), change);
                    change(&mut plain.entry(id).or_insert(example).calls);
                } else {
                    packed.insert(&id, example.clone());
                    plain.insert(id, example);
                }
            }
            prop_assert_eq!(packed.len(), plain.len());
            let whole = packed.whole();
            let got: BTreeMap<String, AskedExample> =
                (0..whole.len()).map(|place| (whole.id(place).to_owned(), whole.example(place))).collect();
            prop_assert_eq!(&got, &plain);
            prop_assert!((1..whole.len()).all(|place| whole.id(place - 1) < whole.id(place)));
            for (id, example) in &plain {
                prop_assert_eq!(packed.calls_of(id), Some(example.calls.len()));
                let place = whole.find(id).unwrap();
                prop_assert_eq!(whole.scores(place).collect::<Vec<_>>(), example.calls.score.iter().copied().flatten().collect::<Vec<_>>());
                prop_assert_eq!(whole.times(place).count(), example.calls.ttft_ms.len());
            }
            let missing: usize = plain.values().map(|example| example.calls.missing()).sum();
            prop_assert_eq!(whole.missing().0, missing as u64);
        }
    }
}
