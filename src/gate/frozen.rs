//! The examples of a baseline, in columns: what each variant did on each of a million of them.

use std::borrow::Cow;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::baseline::FrozenExample;
use super::calls::{AskedExample, Calls, CallsByVariant};
use super::examples::{AskedExamples, Packed};
use crate::text::one_line;

/// The examples, sorted by id.
#[derive(Debug, Clone, Default)]
pub struct FrozenExamples {
    /// By variant, in the order in which they were frozen; without a name those that no variant was asked.
    columns: Vec<(Option<String>, AskedExamples)>,
    /// How many were read, and the first thing that is wrong with one.
    read: usize,
    fault: Option<(usize, String)>,
    /// By column, the first example that has it: its place and id.
    first: Vec<(usize, String)>,
}

impl FrozenExamples {
    /// Freezes what a variant did.
    pub fn freeze(&mut self, variant: &str, examples: AskedExamples) {
        self.columns.push((Some(variant.to_owned()), examples));
        self.first.push((0, String::new()));
    }

    /// What a variant did.
    pub fn of(&self, variant: &str) -> Option<&AskedExamples> {
        self.columns.iter().find(|(name, _)| name.as_deref() == Some(variant)).map(|(_, examples)| examples)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(|(_, examples)| examples.is_empty())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows().count()
    }

    /// All of them, in the order of their ids.
    pub fn rows(&self) -> impl Iterator<Item = FrozenExample> {
        let columns: Vec<(Option<&str>, Cow<'_, Packed>)> =
            self.columns.iter().map(|(name, examples)| (name.as_deref(), examples.whole())).collect();
        let mut next = vec![0_usize; columns.len()];
        std::iter::from_fn(move || {
            let ahead = |(column, place): (&(Option<&str>, Cow<'_, Packed>), &usize)| {
                (*place < column.1.len()).then(|| column.1.id(*place).to_owned())
            };
            let id = columns.iter().zip(&next).filter_map(ahead).min()?;
            let mut row: Option<FrozenExample> = None;
            for ((name, column), place) in columns.iter().zip(&mut next) {
                if *place >= column.len() || column.id(*place) != id {
                    continue;
                }
                let AskedExample { asked, cluster, calls } = column.example(*place);
                *place += 1;
                let of = CallsByVariant::default();
                let row = row.get_or_insert_with(|| FrozenExample { asked, cluster, id: id.clone(), of });
                if let Some(name) = name {
                    row.of.insert(name, calls);
                }
            }
            row
        })
    }

    /// The first thing that is wrong with an example; `is_known` says which variants the baseline has.
    pub(super) fn check(&self, is_known: impl Fn(&str) -> bool) -> Result<(), String> {
        let unknown = self.columns.iter().zip(&self.first).filter_map(|((name, _), (place, id))| {
            let name = name.as_deref().filter(|name| !is_known(name))?;
            let (name, id) = (one_line(name, 80), one_line(id, 80));
            Some((*place, format!("the example `{id}` has calls of `{name}`, which is none of its variants")))
        });
        let first = unknown.chain(self.fault.clone()).min_by_key(|(place, _)| *place);
        first.map_or(Ok(()), |(_, message)| Err(message))
    }

    /// Takes an example that was read.
    fn take(&mut self, example: FrozenExample) {
        let place = self.read;
        self.read += 1;
        if self.fault.is_some() {
            return;
        }
        let wrong = self.fault_of(&example);
        if let Some(message) = wrong {
            self.fault = Some((place, message));
        }
        let FrozenExample { asked, cluster, id, of } = example;
        let none = [(None, Calls::default())];
        let is_bare = of.iter().next().is_none();
        let all = of.into_all().map(|(name, calls)| (Some(String::from(name)), calls));
        for (name, mut calls) in all.chain(none.into_iter().filter(|_| is_bare)) {
            // Costs that are all unknown are not written.
            calls.cost_picousd.resize(calls.valid.len(), None);
            let column = match self.columns.iter().position(|(known, _)| *known == name) {
                Some(column) => column,
                None => {
                    self.columns.push((name, AskedExamples::default()));
                    self.first.push((place, id.clone()));
                    self.columns.len() - 1
                }
            };
            let example = AskedExample { asked: asked.clone(), cluster: cluster.clone(), calls };
            self.columns[column].1.insert(&id, example);
        }
    }

    /// What is wrong with an example.
    fn fault_of(&self, example: &FrozenExample) -> Option<String> {
        let id = one_line(&example.id, 80);
        if self.columns.iter().any(|(_, known)| known.calls_of(&example.id).is_some()) {
            return Some(format!("the example `{id}` stands in it twice"));
        }
        if example.asked.is_empty() || !example.asked.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Some(format!("the example `{id}`: `asked` is no part of a digest"));
        }
        let (variant, what) = example.of.iter().find_map(|(variant, calls)| Some((variant, fault(calls)?)))?;
        Some(format!("the example `{id}`, variant `{}`: {what}", one_line(variant, 80)))
    }
}

/// What of these calls cannot be.
fn fault(calls: &Calls) -> Option<&'static str> {
    let len = calls.valid.len();
    let missing = |place: usize| calls.valid.get(place).is_none_or(Option::is_none);
    if calls.score.len() != len || !(calls.cost_picousd.is_empty() || calls.cost_picousd.len() == len) {
        Some("`score`, `valid` and `cost_picousd` differ in length")
    } else if len == 0 {
        Some("it has no call")
    } else if calls.score.iter().flatten().any(|score| !(0.0..=1.0).contains(score)) {
        Some("a score is not between 0 and 1")
    } else if (0..len).any(|place| missing(place) && calls.score[place].is_some()) {
        Some("a missing call has a score")
    } else if calls.cost_picousd.iter().flatten().any(|cost| *cost < 0) {
        Some("a cost is negative")
    } else if calls.ttft_ms.iter().flatten().any(|ms| !(ms.is_finite() && *ms >= 0.0)) {
        Some("a time is negative")
    } else {
        None
    }
}

impl PartialEq for FrozenExamples {
    fn eq(&self, other: &Self) -> bool {
        self.rows().eq(other.rows())
    }
}

impl FromIterator<FrozenExample> for FrozenExamples {
    fn from_iter<I: IntoIterator<Item = FrozenExample>>(examples: I) -> Self {
        let mut all = Self::default();
        examples.into_iter().for_each(|example| all.take(example));
        all
    }
}

impl Serialize for FrozenExamples {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows())
    }
}

impl<'de> Deserialize<'de> for FrozenExamples {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rows;
        impl<'de> Visitor<'de> for Rows {
            type Value = FrozenExamples;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<FrozenExamples, A::Error> {
                let mut found = FrozenExamples::default();
                while let Some(example) = rows.next_element()? {
                    found.take(example);
                }
                Ok(found)
            }
        }
        deserializer.deserialize_seq(Rows)
    }
}
