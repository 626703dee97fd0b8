//! What a variant did, call by call: scores, validity, cost and first token by example and repeat.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::examples::AskedExamples;
use crate::digest::Digest;
use crate::measure::grade::{Ending, GradedTrial};
use crate::suite::Example;
use crate::trial::{Delivery, Exchange};

/// Hexadecimal digits of a digest that are kept: enough to tell two versions of one example apart.
const DIGEST_DIGITS: usize = 32;

/// The calls of one example. `score`, `valid` and `cost_picousd` have one entry a call; a missing call
/// is null in all of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// Exact cost by the price list in 1e-12 USD; null where it is not known.
    #[serde(default, deserialize_with = "exact", skip_serializing_if = "all_unknown")]
    pub cost_picousd: Vec<Option<i64>>,
    /// The primary scorer's score, from 0 to 1; null also where the scorer could not run.
    #[serde(deserialize_with = "exact")]
    pub score: Vec<Option<f64>>,
    /// Milliseconds to the first token of the calls that were timed; null where none came.
    #[serde(default, deserialize_with = "exact", skip_serializing_if = "Vec::is_empty")]
    pub ttft_ms: Vec<Option<f64>>,
    /// Whether the schema accepts the answer; null for a missing call.
    #[serde(deserialize_with = "exact")]
    pub valid: Vec<Option<bool>>,
}

/// A list without room for more: there are as many as examples, and most hold one call.
fn exact<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let mut list = Vec::deserialize(deserializer)?;
    list.shrink_to_fit();
    Ok(list)
}

/// Adds to a list, without room for more at first.
fn push<T>(list: &mut Vec<T>, item: T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(item);
}

fn all_unknown(costs: &[Option<i64>]) -> bool {
    costs.iter().all(Option::is_none)
}

impl Calls {
    /// Adds a graded trial. `reused` answers have times that are not of this run.
    pub fn add(&mut self, graded: &GradedTrial, exchange: &Exchange, reused: bool) {
        let there = !graded.counts_as_missing;
        let score = graded.scores.first().and_then(crate::score::Grade::score).filter(|_| there);
        push(&mut self.score, score);
        push(&mut self.valid, there.then_some(graded.valid_strict));
        let cost = graded.cost.and_then(|cost| i64::try_from(cost.as_pico()).ok()).filter(|_| there);
        push(&mut self.cost_picousd, cost);
        let timed = !reused && exchange.delivery == Delivery::Direct && there;
        if !timed {
            return;
        }
        match graded.ending {
            Ending::Failed(_) => push(&mut self.ttft_ms, None),
            _ if graded.streamed => push(&mut self.ttft_ms, graded.ttft_ms.map(|ms| (ms * 10.0).round() / 10.0)),
            _ => {}
        }
    }

    /// Calls, missing ones included.
    pub fn len(&self) -> usize {
        self.valid.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.valid.is_empty()
    }

    /// Calls without an answer, for a reason that is not the variant's.
    pub fn missing(&self) -> usize {
        self.valid.iter().filter(|valid| valid.is_none()).count()
    }

    /// Only some of the repeats.
    pub fn repeats(&self, range: std::ops::Range<usize>) -> Self {
        let part = |len: usize| range.start.min(len)..range.end.min(len);
        Self {
            cost_picousd: self.cost_picousd[part(self.cost_picousd.len())].to_vec(),
            score: self.score[part(self.score.len())].to_vec(),
            ttft_ms: self.ttft_ms[part(self.ttft_ms.len())].to_vec(),
            valid: self.valid[part(self.valid.len())].to_vec(),
        }
    }
}

/// Calls by variant, sorted by its name: a map of the few that a baseline has, as small as can be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CallsByVariant(Vec<(Box<str>, Calls)>);

impl CallsByVariant {
    /// A variant's calls.
    pub fn get(&self, variant: &str) -> Option<&Calls> {
        self.place(variant).ok().map(|place| &self.0[place].1)
    }

    /// Sets a variant's calls.
    pub fn insert(&mut self, variant: &str, calls: Calls) {
        match self.place(variant) {
            Ok(place) => self.0[place].1 = calls,
            Err(place) => {
                self.0.reserve_exact(1);
                self.0.insert(place, (variant.into(), calls));
            }
        }
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Calls)> {
        self.0.iter().map(|(variant, calls)| (&**variant, calls))
    }

    /// All, by name, for good.
    pub(super) fn into_all(self) -> impl Iterator<Item = (Box<str>, Calls)> {
        self.0.into_iter()
    }

    fn place(&self, variant: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(variant))
    }
}

impl Serialize for CallsByVariant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for CallsByVariant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = CallsByVariant;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CallsByVariant, A::Error> {
                let mut found = CallsByVariant::default();
                while let Some((variant, calls)) = map.next_entry::<String, Calls>()? {
                    found.insert(&variant, calls);
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// An example that a variant was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedExample {
    /// Digest of what was asked and of what is right.
    pub asked: String,
    /// Its cluster, if it has one.
    pub cluster: Option<String>,
    /// What came of it.
    pub calls: Calls,
}

impl AskedExample {
    /// An example without calls.
    pub fn of(example: &Example) -> Self {
        Self { asked: asked_digest(example), cluster: example.cluster.clone(), calls: Calls::default() }
    }
}

/// The digest of an example's input and expected answer: two results are paired only where it is equal
/// (METHODS.md 0.6).
pub fn asked_digest(example: &Example) -> String {
    let parts = [example.input.to_string(), example.expected.to_string()];
    let digest = Digest::of_parts(parts.iter().map(String::as_bytes)).to_string();
    digest.chars().take(DIGEST_DIGITS).collect()
}

/// One side of a gate: a variant's calls by the ids of the examples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GateSide {
    /// By id.
    pub examples: AskedExamples,
    /// Whether its answers can be invalid at all.
    pub checks_validity: bool,
    /// Why its times may not be compared, if so.
    pub why_no_times: Option<String>,
    /// Under what its times were measured: equal texts are the same place.
    pub place: Option<String>,
    /// Answers that came from the store, not from a request of this run.
    pub reused: u64,
}

impl GateSide {
    /// Adds a graded trial of the example with this id; `asked` is the example without calls.
    pub fn add(&mut self, id: &str, asked: AskedExample, graded: &GradedTrial, exchange: &Exchange, reused: bool) {
        self.reused += u64::from(reused);
        self.examples.update(id, || asked, |calls| calls.add(graded, exchange, reused));
    }

    /// Makes the calls missing that an example was to have and has not, where the run could not finish.
    pub fn fill_up(&mut self, example: &Example, calls: usize) {
        let id = example.id.0.as_str();
        if self.examples.calls_of(id).is_some_and(|there| there >= calls) {
            return;
        }
        let fill = |asked: &mut Calls| {
            for _ in asked.len()..calls {
                asked.score.push(None);
                asked.valid.push(None);
                asked.cost_picousd.push(None);
            }
        };
        self.examples.update(id, || AskedExample::of(example), fill);
    }

    /// Missing calls, and all.
    pub fn missing(&self) -> (u64, u64) {
        self.examples.whole().missing()
    }

    /// The most calls of one example.
    pub fn repeats(&self) -> usize {
        self.examples.whole().repeats()
    }

    /// The same side with only some repeats of each example.
    pub fn with_repeats(&self, range: &std::ops::Range<usize>) -> Self {
        let (whole, mut examples) = (self.examples.whole(), AskedExamples::default());
        for place in 0..whole.len() {
            let example = whole.example(place);
            examples.insert(whole.id(place), AskedExample { calls: example.calls.repeats(range.clone()), ..example });
        }
        Self {
            examples,
            checks_validity: self.checks_validity,
            why_no_times: self.why_no_times.clone(),
            place: self.place.clone(),
            reused: self.reused,
        }
    }
}
