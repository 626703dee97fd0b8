//! Which slice of the examples each one belongs to: its tags' values and its expected class.
//!
//! Tags with many values (ids, dates) would give slices of one example each, so they are dropped as
//! soon as they show more than [`MAX_VALUES`].

use std::collections::{BTreeMap, BTreeSet};

use super::columns::Numbers;
use crate::suite::Example;

/// Values of a tag that are worth a slice each.
pub const MAX_VALUES: usize = 50;

/// The tag of the slices by expected class.
pub const CLASS_TAG: &str = "label";

/// The slices seen so far, numbered.
#[derive(Debug, Clone, Default)]
pub(super) struct SliceBook {
    numbers: BTreeMap<String, BTreeMap<String, u32>>,
    dropped: BTreeSet<String>,
    next: u32,
}

impl SliceBook {
    /// The number of a tag's value; `None` for a tag with too many.
    pub(super) fn number(&mut self, tag: &str, value: &str) -> Option<u32> {
        if self.dropped.contains(tag) {
            return None;
        }
        let values = self.numbers.entry(tag.to_owned()).or_default();
        if let Some(number) = values.get(value) {
            return Some(*number);
        }
        if values.len() == MAX_VALUES {
            self.numbers.remove(tag);
            self.dropped.insert(tag.to_owned());
            return None;
        }
        values.insert(value.to_owned(), self.next);
        self.next += 1;
        Some(self.next - 1)
    }

    /// Whether a tag showed too many values.
    pub(super) fn is_dropped(&self, tag: &str) -> bool {
        self.dropped.contains(tag)
    }

    /// All slices that are left, by tag and value.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str, u32)> {
        self.numbers
            .iter()
            .flat_map(|(tag, values)| values.iter().map(|(value, number)| (tag.as_str(), value.as_str(), *number)))
    }
}

/// Which slices each example belongs to, a column a tag.
#[derive(Debug, Clone, Default)]
pub(super) struct SliceColumns {
    book: SliceBook,
    tags: BTreeMap<String, Numbers>,
    classes: Numbers,
}

impl SliceColumns {
    /// Notes an example's tags and its expected class.
    pub(super) fn note(&mut self, place: usize, example: &Example, class: Option<&str>) {
        for (tag, value) in &example.tags {
            match self.book.number(tag, value) {
                Some(number) => match self.tags.get_mut(tag) {
                    Some(column) => column.set(place, number),
                    None => self.tags.entry(tag.clone()).or_default().set(place, number),
                },
                None => drop(self.tags.remove(tag)),
            }
        }
        if let Some(class) = class {
            match self.book.number(CLASS_TAG, class) {
                Some(number) => self.classes.set(place, number),
                None => self.classes = Numbers::default(),
            }
        }
    }

    /// All slices that are left, by tag and value.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str, u32)> {
        self.book.all()
    }

    /// Whether an example belongs to the slice of this tag and number.
    pub(super) fn has(&self, place: usize, (tag, number): (&str, u32)) -> bool {
        let belongs = |column: &Numbers| column.get(place) == Some(number);
        self.tags.get(tag).is_some_and(belongs) || (tag == CLASS_TAG && belongs(&self.classes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_with_many_values_is_dropped() {
        let mut book = SliceBook::default();
        assert_eq!(book.number("site", "b"), Some(0));
        for id in 0..=MAX_VALUES {
            book.number("id", &id.to_string());
        }
        assert_eq!(book.number("id", "0"), None);
        book.number("site", "a");
        let left: Vec<_> = book.all().map(|(tag, value, _)| (tag, value)).collect();
        assert_eq!(left, [("site", "a"), ("site", "b")]);
    }
}
