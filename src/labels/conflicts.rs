//! Inputs that stand more than once, or all but so, under different labels: one of the labels is wrong, or the task is
//! not told by the input alone.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{LabelledRow, MOST_LISTED, NamedRow};
use crate::suite::near::{Grams, NearIndex, values_text};

/// How alike the inputs of a conflict are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alike {
    /// The same words in the same order.
    Duplicate,
    /// All but the same ([`crate::suite::near`]).
    NearDuplicate,
}

/// Rows that look alike and are labelled differently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// How alike they are.
    pub kind: Alike,
    /// The share of letter 5-grams in common: 1 for duplicates.
    pub similarity: f64,
    /// The first row's input.
    pub input: Value,
    /// The first few rows of each label, in the order of the data.
    pub rows: Vec<NamedRow>,
}

/// All conflicts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conflicts {
    /// Inputs that stand several times under different labels.
    pub duplicates: u64,
    /// Pairs of inputs that are all but the same, whose rows do not all have one label.
    pub near_duplicates: u64,
    /// Rows in any of them.
    pub rows: u64,
    /// Duplicates first, then the most alike; at most [`MOST_LISTED`].
    pub listed: Vec<Conflict>,
}

/// What the look-alikes of a row say about its label.
#[derive(Debug, Clone, PartialEq)]
pub struct Opposed {
    /// The row's place.
    pub row: usize,
    /// The other label that most of them have, weighted by how alike they are.
    pub other: Value,
    /// 0 to 1: that label's weight, of its and the own label's (the row itself counts as 1).
    pub share: f64,
    /// The rows with that other label, the first few.
    pub against: Vec<usize>,
    /// How many there are.
    pub count: usize,
    /// How many other look-alikes have the row's own label.
    pub alike: usize,
    /// Whether all of the opposing rows have the very same input.
    pub same: bool,
}

/// Rows named as evidence against one label.
const MOST_NAMED: usize = 5;

/// The most that texts of different words are alike.
const BELOW_ONE: f64 = 1.0 - f64::EPSILON;

/// Rows with the very same words, by label.
struct Text {
    places: Vec<usize>,
    labels: BTreeMap<String, Vec<usize>>,
}

/// Where rows that look alike are labelled differently.
pub fn find(rows: &[LabelledRow]) -> (Conflicts, Vec<Opposed>) {
    let texts = texts(rows);
    let near = near(rows, &texts);
    let mut listed: Vec<(Alike, f64, Vec<usize>)> = Vec::new();
    for text in texts.iter().filter(|text| text.labels.len() > 1) {
        listed.push((Alike::Duplicate, 1.0, few_of_each(text.labels.values())));
    }
    let mut found = Conflicts { duplicates: listed.len() as u64, ..Conflicts::default() };
    let mut opposed = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        for &(other, similarity) in near[place].iter().filter(|other| other.0 > place) {
            let other = &texts[other];
            if text.labels.len() > 1 || other.labels.len() > 1 || !text.labels.keys().eq(other.labels.keys()) {
                let lists = text.labels.values().chain(other.labels.values());
                listed.push((Alike::NearDuplicate, similarity, few_of_each(lists)));
            }
        }
        opposed.extend(text.places.iter().filter_map(|&row| opposition(rows, &texts, row, (place, &near[place]))));
    }
    found.near_duplicates = listed.len() as u64 - found.duplicates;
    found.rows = opposed.len() as u64;
    opposed.sort_by_key(|one| one.row);
    // A stable sort: what is equally alike stays in the order of the data.
    listed.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    listed.truncate(MOST_LISTED);
    let conflict = |(kind, similarity, places): (Alike, f64, Vec<usize>)| Conflict {
        kind,
        similarity,
        input: rows[places[0]].input.clone(),
        rows: places.iter().map(|&place| rows[place].named()).collect(),
    };
    found.listed = listed.into_iter().map(conflict).collect();
    (found, opposed)
}

/// The distinct texts in the order of their first rows.
fn texts(rows: &[LabelledRow]) -> Vec<Text> {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut texts: Vec<Text> = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let text = *known.entry(words(&row.input)).or_insert_with(|| {
            texts.push(Text { places: Vec::new(), labels: BTreeMap::new() });
            texts.len() - 1
        });
        texts[text].places.push(place);
        texts[text].labels.entry(row.label_text()).or_default().push(place);
    }
    texts
}

/// For each text the others that are all but the same, with how alike they are.
fn near(rows: &[LabelledRow], texts: &[Text]) -> Vec<Vec<(usize, f64)>> {
    let grams: Vec<Grams> = texts.iter().map(|text| Grams::of(&rows[text.places[0]].input)).collect();
    let index = NearIndex::new(grams.clone());
    let of = |(place, own): (usize, &Grams)| {
        let others = index.all(own).into_iter().filter(|&other| other != place);
        // Texts of the same grams in another order are near, not the same.
        others.map(|other| (other, own.similarity(&grams[other]).min(BELOW_ONE))).collect()
    };
    grams.iter().enumerate().map(of).collect()
}

/// The first few rows of each list, in the order of the data.
fn few_of_each<'a>(lists: impl Iterator<Item = &'a Vec<usize>>) -> Vec<usize> {
    let mut few: Vec<usize> = lists.flat_map(|list| list.iter().take(MOST_NAMED).copied()).collect();
    few.sort_unstable();
    few
}

/// The rows that one text's words share, for whoever must keep them together: each row's group.
pub fn same_words(rows: &[LabelledRow]) -> Vec<usize> {
    let mut groups = vec![0; rows.len()];
    for (group, text) in texts(rows).iter().enumerate() {
        text.places.iter().for_each(|&place| groups[place] = group);
    }
    groups
}

/// Words that tell which rows share an input: letters and digits in lower case, in order.
pub(super) fn words(input: &Value) -> String {
    let text = values_text(input).to_lowercase();
    let words: Vec<&str> =
        text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    // A text of signs alone is itself.
    if words.is_empty() { text } else { words.join(" ") }
}

fn opposition(
    rows: &[LabelledRow],
    texts: &[Text],
    place: usize,
    (own_text, near): (usize, &[(usize, f64)]),
) -> Option<Opposed> {
    let own_label = rows[place].label_text();
    let alike = std::iter::once((own_text, 1.0)).chain(near.iter().copied());
    let mut weights: BTreeMap<&str, (f64, Vec<usize>, bool)> = BTreeMap::new();
    for (text, similarity) in alike {
        for (label, found) in &texts[text].labels {
            let entry = weights.entry(label).or_insert((0.0, Vec::new(), true));
            entry.0 += similarity * found.len() as f64;
            entry.1.extend(found);
            entry.2 &= text == own_text;
        }
    }
    // The row itself is among those with its label.
    let (own, own_rows, _) = weights.remove(own_label.as_str())?;
    // Of equally strong ones the first in alphabetical order.
    let (_, (weight, mut against, same)) = weights.into_iter().reduce(|a, b| if b.1.0 > a.1.0 { b } else { a })?;
    against.sort_unstable();
    Some(Opposed {
        row: place,
        other: rows[*against.first()?].label.clone(),
        share: weight / (weight + own),
        count: against.len(),
        against: against.into_iter().take(MOST_NAMED).collect(),
        alike: own_rows.len() - 1,
        same,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Split;
    use super::super::testing::row;
    use super::*;

    const LONG: &str = "We tried to contact you re your reply to our offer of a video handset";

    #[test]
    fn the_same_input_under_two_labels_is_found_across_the_splits() {
        let rows = [
            row(Split::Test, "t1", "Where is my refund?", "refund"),
            row(Split::Pool, "p1", "where is my REFUND", "complaint"),
            row(Split::Pool, "p2", "where is my refund", "refund"),
            row(Split::Pool, "p3", "something else altogether", "other"),
            row(Split::Pool, "p4", "something else altogether", "other"),
        ];
        let (found, opposed) = find(&rows);
        assert_eq!((found.duplicates, found.near_duplicates, found.rows), (1, 0, 3));
        let ids: Vec<&str> = found.listed[0].rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(same_words(&rows), [0, 0, 0, 1, 1]);
        assert_eq!(ids, ["t1", "p1", "p2"]);
        // The odd one out is the more suspicious one.
        let share = |id: &str| opposed.iter().find(|one| rows[one.row].id == id).map(|one| one.share);
        assert_eq!((share("p1"), share("t1")), (Some(2.0 / 3.0), Some(1.0 / 3.0)));
        assert_eq!(opposed[1].other, "refund");
        assert!(opposed.iter().all(|one| one.same));
    }

    #[test]
    fn all_but_the_same_input_is_a_pair() {
        let near = LONG.replace("a video", "the video");
        let rows = [
            row(Split::Test, "t1", LONG, "spam"),
            row(Split::Test, "t2", &near, "ham"),
            row(Split::Test, "t3", &near, "ham"),
        ];
        let (found, opposed) = find(&rows);
        assert_eq!((found.duplicates, found.near_duplicates, found.rows), (0, 1, 3));
        assert!(found.listed.iter().all(|one| one.kind == Alike::NearDuplicate && one.similarity < 1.0));
        assert!(opposed[0].share > 0.6 && opposed[0].count == 2 && !opposed[0].same, "{opposed:?}");
        assert_eq!(find(&rows[1..]).0, Conflicts::default());
    }
}
