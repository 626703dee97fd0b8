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
    /// Inputs with more than 100 others that are all but the same: of these pairs only a part is counted.
    #[serde(default)]
    pub crowded: u64,
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

/// Rows of one conflict that are named, whatever number of labels there are.
const MOST_OF_ONE: usize = 50;

/// Texts that one is compared with: where a template makes all texts alike, the others say no more.
const MOST_NEIGHBOURS: usize = 100;

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
    let mut found = Conflicts { crowded: near.iter().filter(|near| !near.all).count() as u64, ..Conflicts::default() };
    let mut opposed = Vec::new();
    let (mut duplicates, mut pairs) = (Vec::new(), MostAlike::default());
    for (place, text) in texts.iter().enumerate() {
        if text.labels.len() > 1 {
            found.duplicates += 1;
            if duplicates.len() < MOST_LISTED {
                duplicates.push((Alike::Duplicate, 1.0, few_of_each(text.labels.values())));
            }
        }
        for &(other, similarity) in &near[place].others {
            let labels = &texts[other].labels;
            // Of two that name each other the first speaks; in a crowd the other may not name it back.
            let known = other < place && near[other].names(place);
            if !known && (text.labels.len() > 1 || labels.len() > 1 || !text.labels.keys().eq(labels.keys())) {
                found.near_duplicates += 1;
                pairs.add((similarity, place.min(other), place.max(other)));
            }
        }
        opposed.extend(oppositions(rows, &texts, (place, &near[place].others)));
    }
    found.rows = opposed.len() as u64;
    opposed.sort_by_key(|one| one.row);
    let pair = |(similarity, a, b): (f64, usize, usize)| {
        let lists = texts[a].labels.values().chain(texts[b].labels.values());
        (Alike::NearDuplicate, similarity, few_of_each(lists))
    };
    let listed = duplicates.into_iter().chain(pairs.listed().into_iter().map(pair)).take(MOST_LISTED);
    let conflict = |(kind, similarity, places): (Alike, f64, Vec<usize>)| Conflict {
        kind,
        similarity,
        input: rows[places[0]].input.clone(),
        rows: places.iter().map(|&place| rows[place].named()).collect(),
    };
    found.listed = listed.map(conflict).collect();
    (found, opposed)
}

/// The pairs that are most alike, without keeping all.
#[derive(Default)]
struct MostAlike(Vec<(f64, usize, usize)>);

impl MostAlike {
    fn add(&mut self, pair: (f64, usize, usize)) {
        self.0.push(pair);
        if self.0.len() >= 2 * MOST_LISTED {
            self.cut();
        }
    }

    /// What is equally alike stays in the order of the data.
    fn cut(&mut self) {
        self.0.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        self.0.truncate(MOST_LISTED);
    }

    fn listed(mut self) -> Vec<(f64, usize, usize)> {
        self.cut();
        self.0
    }
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

/// The texts that are all but the same as one.
struct Near {
    /// By place, with how alike they are.
    others: Vec<(usize, f64)>,
    /// Whether there are no more.
    all: bool,
}

impl Near {
    fn names(&self, place: usize) -> bool {
        self.others.binary_search_by_key(&place, |other| other.0).is_ok()
    }
}

/// For each text the others that are all but the same.
fn near(rows: &[LabelledRow], texts: &[Text]) -> Vec<Near> {
    let index = NearIndex::new(texts.iter().map(|text| Grams::of(&rows[text.places[0]].input)).collect());
    let of = |place: usize| {
        let (mut others, all) = index.others(place, MOST_NEIGHBOURS);
        // Texts of the same grams in another order are near, not the same.
        others.iter_mut().for_each(|(_, similarity)| *similarity = similarity.min(BELOW_ONE));
        Near { others, all }
    };
    (0..texts.len()).map(of).collect()
}

/// The first few rows of each list, in the order of the data.
fn few_of_each<'a>(lists: impl Iterator<Item = &'a Vec<usize>>) -> Vec<usize> {
    let mut few: Vec<usize> = lists.flat_map(|list| list.iter().take(MOST_NAMED).copied()).take(MOST_OF_ONE).collect();
    few.sort_unstable();
    few
}

/// Each row's group: rows with the same words, or of one cluster, are in one, and so is whatever these join.
pub fn kept_together(rows: &[LabelledRow]) -> Vec<usize> {
    /// The first row of a row's group; what is passed on the way points nearer to it from then on.
    fn first(joined: &mut [usize], mut row: usize) -> usize {
        while joined[row] != row {
            joined[row] = joined[joined[row]];
            row = joined[row];
        }
        row
    }
    let mut joined: Vec<usize> = (0..rows.len()).collect();
    let mut by_cluster: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        if let Some(cluster) = &row.cluster {
            by_cluster.entry(cluster).or_default().push(place);
        }
    }
    let texts = texts(rows);
    for group in texts.iter().map(|text| &text.places).chain(by_cluster.values()) {
        for two in group.windows(2) {
            let (a, b) = (first(&mut joined, two[0]), first(&mut joined, two[1]));
            // The smaller one leads, whatever the order of the groups.
            joined[a.max(b)] = a.min(b);
        }
    }
    (0..rows.len()).map(|row| first(&mut joined, row)).collect()
}

/// Words that tell which rows share an input: letters and digits in lower case, in order.
pub(super) fn words(input: &Value) -> String {
    let text = values_text(input).to_lowercase();
    let words: Vec<&str> =
        text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    // A text of signs alone is itself.
    if words.is_empty() { text } else { words.join(" ") }
}

/// How much speaks for one label of a text.
struct Voice {
    weight: f64,
    count: usize,
    /// The first few rows.
    few: Vec<usize>,
    /// Whether all of them have the very same words.
    same: bool,
}

/// The opposition of each row of a text: it is that of the row's label.
fn oppositions(rows: &[LabelledRow], texts: &[Text], (own, near): (usize, &[(usize, f64)])) -> Vec<Opposed> {
    let mut voices: BTreeMap<&str, Voice> = BTreeMap::new();
    for (text, similarity) in std::iter::once((own, 1.0)).chain(near.iter().copied()) {
        for (label, found) in &texts[text].labels {
            let voice = voices.entry(label).or_insert(Voice { weight: 0.0, count: 0, few: Vec::new(), same: true });
            voice.weight += similarity * found.len() as f64;
            voice.count += found.len();
            voice.few.extend(found.iter().take(MOST_NAMED));
            voice.few.sort_unstable();
            voice.few.truncate(MOST_NAMED);
            voice.same &= text == own;
        }
    }
    let [most, second] = strongest(&voices);
    let mut found = Vec::new();
    for (label, places) in &texts[own].labels {
        let against = most.filter(|(most, _)| most != label).or(second.filter(|(other, _)| other != label));
        let (Some((_, against)), Some(for_it)) = (against, voices.get(label.as_str())) else { continue };
        let Some(&first) = against.few.first() else { continue };
        found.extend(places.iter().map(|&row| Opposed {
            row,
            other: rows[first].label.clone(),
            share: against.weight / (against.weight + for_it.weight),
            count: against.count,
            against: against.few.clone(),
            // The row itself is among those with its label.
            alike: for_it.count - 1,
            same: against.same,
        }));
    }
    found
}

/// The two labels that most speaks for; of equally strong ones the first in alphabetical order.
fn strongest<'a>(voices: &'a BTreeMap<&'a str, Voice>) -> [Option<(&'a str, &'a Voice)>; 2] {
    let mut two = [None, None];
    for (&label, voice) in voices {
        let above = |other: Option<(&str, &Voice)>| other.is_none_or(|(_, other)| voice.weight > other.weight);
        if above(two[0]) {
            two = [Some((label, voice)), two[0]];
        } else if above(two[1]) {
            two[1] = Some((label, voice));
        }
    }
    two
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
        assert_eq!(kept_together(&rows), [0, 0, 0, 3, 3]);
        let mut clustered = rows.clone();
        (clustered[2].cluster, clustered[3].cluster) = (Some("c".to_owned()), Some("c".to_owned()));
        clustered[0].cluster = Some("d".to_owned());
        assert_eq!(kept_together(&clustered), [0, 0, 0, 0, 0], "the same words in two clusters join them");
        assert_eq!(ids, ["t1", "p1", "p2"]);
        // The odd one out is the more suspicious one.
        let share = |id: &str| opposed.iter().find(|one| rows[one.row].id == id).map(|one| one.share);
        assert_eq!((share("p1"), share("t1")), (Some(2.0 / 3.0), Some(1.0 / 3.0)));
        assert_eq!(opposed[1].other, "refund");
        assert!(opposed.iter().all(|one| one.same));
    }

    #[test]
    fn an_input_of_thousands_of_rows_takes_room_for_a_few_of_them() {
        let of = |n: usize| row(Split::Pool, &format!("p{n}"), "n/a", if n.is_multiple_of(2) { "A" } else { "B" });
        let rows: Vec<LabelledRow> = (0..5_000).map(of).collect();
        let (found, opposed) = find(&rows);
        assert_eq!((found.duplicates, found.rows, found.listed[0].rows.len()), (1, 5_000, 10));
        assert!(opposed.iter().all(|one| one.against.capacity() <= 2 * MOST_NAMED && one.count == 2_500));
        let each = |n: usize| row(Split::Pool, &format!("p{n}"), "n/a", &n.to_string());
        let (found, opposed) = find(&(0..2_000).map(each).collect::<Vec<_>>());
        assert_eq!((found.listed[0].rows.len(), opposed.len()), (MOST_OF_ONE, 2_000));
    }

    #[test]
    fn of_a_template_a_part_of_the_pairs_is_compared() {
        let of = |n: usize| row(Split::Pool, &format!("p{n}"), &format!("{LONG} {n}"), &(n % 2).to_string());
        let rows: Vec<LabelledRow> = (0..300).map(of).collect();
        let (found, opposed) = find(&rows);
        assert_eq!((found.duplicates, found.crowded, found.listed.len()), (0, 300, MOST_LISTED));
        let pairs = found.near_duplicates as usize;
        assert!(pairs > MOST_LISTED && pairs <= 300 * MOST_NEIGHBOURS, "{pairs}");
        assert_eq!(opposed.len(), 300);
        assert!(found.listed.windows(2).all(|two| two[0].similarity >= two[1].similarity));
        assert_eq!(find(&rows[..100]).0.crowded, 0);
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
