//! The examples of several runs, each in one place: two sides are paired on equal ids and equal
//! digests of what was asked and what is right (METHODS.md 0.6), whatever the rest of the row says.
//!
//! Small an example: a run may have a million. Cluster and tags are those of the run that named the
//! example first.

use std::collections::HashMap;

use super::rounds::ExampleIds;
use super::slices::{CLASS_TAG, SliceBook};
use crate::digest::Digest;
use crate::suite::Example;

/// No further example.
const END: u32 = u32::MAX;

/// What is kept of an example.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The next example whose id's digest starts alike.
    next: u32,
    /// The first example of the same id.
    first: u32,
    /// Half of the digest of input and expected answer: enough to tell the versions of one id apart.
    asked: u128,
    cluster: u32,
    /// Which slices it belongs to, as a place in `sets`.
    set: u32,
}

/// The examples that were seen.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// The last example whose id's digest starts so.
    by_id: HashMap<u64, u32>,
    places: Vec<Place>,
    ids: ExampleIds,
    clusters: HashMap<String, u32>,
    slices: SliceBook,
    set_places: HashMap<Box<[u32]>, u32>,
    sets: Vec<Box<[u32]>>,
}

impl Roster {
    /// The place of an example, a new one where it was not seen before. `class` is the expected
    /// class, for classification.
    pub fn place(&mut self, example: &Example, class: Option<&str>) -> usize {
        self.place_asked(example, class, Asked::of(example))
    }

    /// [`Roster::place`], with what tells the example apart made beforehand.
    pub fn place_asked(&mut self, example: &Example, class: Option<&str>, Asked { prefix, asked }: Asked) -> usize {
        let id = example.id.0.as_str();
        let head = self.by_id.get(&prefix).copied().unwrap_or(END);
        let (mut at, mut first) = (head, None);
        while let Some(place) = self.places.get(at as usize) {
            if self.ids.get(at as usize) == id {
                if place.asked == asked {
                    return at as usize;
                }
                first = Some(place.first);
            }
            at = place.next;
        }
        let new = self.places.len() as u32;
        let cluster = self.cluster_number(example, new);
        let set = self.slice_set(example, class);
        self.ids.set(new as usize, id);
        self.places.push(Place { next: head, first: first.unwrap_or(new), asked, cluster, set });
        self.by_id.insert(prefix, new);
        new as usize
    }

    /// Named clusters have even numbers, examples that are their own have odd ones.
    fn cluster_number(&mut self, example: &Example, place: u32) -> u32 {
        let Some(name) = &example.cluster else { return place.wrapping_mul(2) | 1 };
        let next = self.clusters.len() as u32;
        self.clusters.entry(name.clone()).or_insert(next).wrapping_mul(2)
    }

    fn slice_set(&mut self, example: &Example, class: Option<&str>) -> u32 {
        let tags = example.tags.iter().map(|(tag, value)| (tag.as_str(), value.as_str()));
        let numbers: Box<[u32]> = tags
            .chain(class.map(|class| (CLASS_TAG, class)))
            .filter_map(|(tag, value)| self.slices.number(tag, value))
            .collect();
        let next = self.sets.len() as u32;
        let place = *self.set_places.entry(numbers.clone()).or_insert(next);
        if place == next {
            self.sets.push(numbers);
        }
        place
    }

    /// Examples that were seen, each version of an id by itself.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none was seen.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// An example's id.
    pub fn id(&self, place: usize) -> &str {
        self.ids.get(place)
    }

    /// The place of the first version of an example's id.
    pub(super) fn first(&self, place: usize) -> usize {
        self.places.get(place).map_or(place, |known| known.first as usize)
    }

    /// The cluster of an example.
    pub fn cluster(&self, place: usize) -> u32 {
        self.places.get(place).map_or(0, |known| known.cluster)
    }

    /// The clusters of all examples, by place.
    pub fn clusters(&self) -> Vec<u32> {
        self.places.iter().map(|place| place.cluster).collect()
    }

    /// The numbers of the slices that an example belongs to; some may since be too fine.
    pub(super) fn slices_of(&self, place: usize) -> &[u32] {
        let set = self.places.get(place).and_then(|place| self.sets.get(place.set as usize));
        set.map_or(&[], |set| set)
    }

    /// All slices: tag, value and number.
    pub(super) fn slices(&self) -> impl Iterator<Item = (&str, &str, u32)> {
        self.slices.all()
    }

    /// Those of `places` that belong to a slice; `None` where there is no such slice.
    pub fn within(&self, tag: &str, value: &str, places: &[u32]) -> Option<Vec<u32>> {
        let (_, _, slice) = self.slices().find(|(known, of, _)| *known == tag && *of == value)?;
        let belongs = |place: &u32| self.slices_of(*place as usize).contains(&slice);
        Some(places.iter().copied().filter(belongs).collect())
    }

    /// The values of a tag that has slices.
    pub fn values(&self, tag: &str) -> Vec<&str> {
        self.slices().filter(|(known, _, _)| *known == tag).map(|(_, value, _)| value).collect()
    }

    /// The tags that have slices.
    pub fn tags(&self) -> Vec<&str> {
        let mut tags: Vec<&str> = self.slices.all().map(|(tag, _, _)| tag).collect();
        tags.dedup();
        tags
    }

    /// Whether a tag has too many values to be cut into slices.
    pub fn is_too_fine(&self, tag: &str) -> bool {
        self.slices.is_dropped(tag)
    }
}

/// What tells an example from others: part of its id's digest, and of that of what was asked and what is right.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    prefix: u64,
    asked: u128,
}

impl Asked {
    /// Of an example.
    pub fn of(example: &Example) -> Self {
        let parts = [example.input.to_string(), example.expected.to_string()];
        Self {
            prefix: Digest::of(example.id.0.as_bytes()).prefix_u64(),
            asked: Digest::of_parts(parts.iter().map(String::as_bytes)).prefix_u128(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::suite::ExampleId;

    fn example(id: &str, input: &str, cluster: Option<&str>) -> Example {
        Example {
            id: ExampleId(id.into()),
            input: json!(input),
            expected: json!("x"),
            cluster: cluster.map(str::to_owned),
            tags: [("site".to_owned(), "north".to_owned())].into(),
            documents: vec![],
        }
    }

    #[test]
    fn an_example_has_one_place_until_its_question_or_answer_changes() {
        let mut roster = Roster::default();
        assert_eq!(roster.place(&example("a", "one", None), None), 0);
        assert_eq!(roster.place(&example("b", "one", None), None), 1);
        assert_eq!(roster.place(&example("a", "one", Some("later")), None), 0, "only what is asked tells");
        let other = example("a", "two", None);
        assert_eq!(roster.place(&other, None), 2);
        assert_eq!(roster.place(&Example { expected: json!("y"), ..other }, None), 3);
        assert_eq!([0, 1, 2, 3].map(|place| roster.first(place)), [0, 1, 0, 0]);
        assert_eq!((roster.id(2), roster.len()), ("a", 4));
    }

    #[test]
    fn clusters_and_slices_are_told_apart() {
        let mut roster = Roster::default();
        for (id, cluster) in [("a", Some("x")), ("b", None), ("c", Some("x")), ("d", Some("y"))] {
            roster.place(&example(id, "one", cluster), Some("red"));
        }
        let clusters = roster.clusters();
        assert_eq!(clusters[0], clusters[2]);
        assert_eq!(clusters.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
        assert_eq!(roster.tags(), ["label", "site"]);
        let (_, _, red) = roster.slices().next().unwrap();
        assert!(roster.slices_of(3).contains(&red) && roster.slices_of(4).is_empty());
    }
}
