//! Texts that are all but the same: the share of letter 5-grams that two of them have in common.
//!
//! Jaccard similarity over hashed n-grams with a prefix filter (Bayardo, Ma and Srikant 2007,
//! "Scaling up all pairs similarity search"): two sets that are alike enough share one of their
//! rarest grams, so that only few rows are ever compared.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// From here on two inputs are taken for one with a word changed.
pub const NEAR: f64 = 0.8;

/// Letters of a gram.
const GRAM: usize = 5;

/// The grams of a text, sorted and distinct.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grams(Vec<u64>);

impl Grams {
    /// The grams of an input: letters and digits in lower case, one space between words. Of an
    /// object the values count alone: the names of the fields are the same in all inputs.
    pub fn of(input: &Value) -> Self {
        let text = values_text(input);
        let words = text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
        let letters: Vec<char> =
            words.flat_map(|word| word.chars().flat_map(char::to_lowercase).chain([' '])).collect();
        let mut grams: Vec<u64> = letters.windows(GRAM).map(hash).collect();
        if grams.is_empty() && !letters.is_empty() {
            grams.push(hash(&letters));
        }
        grams.sort_unstable();
        grams.dedup();
        Self(grams)
    }

    /// The share of grams that both have, of those that either has: 0 to 1.
    pub fn similarity(&self, other: &Self) -> f64 {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut shared = 0_usize;
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => drop(left.next()),
                std::cmp::Ordering::Greater => drop(right.next()),
                std::cmp::Ordering::Equal => {
                    shared += 1;
                    left.next();
                    right.next();
                }
            }
        }
        let either = self.0.len() + other.0.len() - shared;
        if either == 0 { 0.0 } else { shared as f64 / either as f64 }
    }

    /// Whether the two are all but the same.
    pub fn is_near(&self, other: &Self) -> bool {
        // Sets of such different sizes cannot be alike enough, whatever they share.
        let (short, long) = (self.0.len().min(other.0.len()), self.0.len().max(other.0.len()));
        short as f64 >= NEAR * long as f64 && self.may_share(other) && self.similarity(other) >= NEAR
    }

    /// False as soon as it is sure that too few grams are shared: most rows that are compared differ early on.
    fn may_share(&self, other: &Self) -> bool {
        let needed = (NEAR / (1.0 + NEAR) * (self.0.len() + other.0.len()) as f64 - 1e-6).ceil() as usize;
        let (left, right) = (self.0.as_slice(), other.0.as_slice());
        let (mut a, mut b, mut shared) = (0, 0, 0);
        while a < left.len() && b < right.len() {
            if shared + (left.len() - a).min(right.len() - b) < needed {
                return false;
            }
            match left[a].cmp(&right[b]) {
                std::cmp::Ordering::Less => a += 1,
                std::cmp::Ordering::Greater => b += 1,
                std::cmp::Ordering::Equal => (a, b, shared) = (a + 1, b + 1, shared + 1),
            }
        }
        true
    }
}

/// A text as it is; of an object or list every value, without the names of the fields.
pub fn values_text(input: &Value) -> String {
    fn collect(value: &Value, parts: &mut Vec<String>) {
        match value {
            Value::Null => {}
            Value::String(text) => parts.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| collect(item, parts)),
            Value::Object(fields) => fields.values().for_each(|field| collect(field, parts)),
            other => parts.push(other.to_string()),
        }
    }
    let mut parts = Vec::new();
    collect(input, &mut parts);
    parts.join("\n")
}

/// FNV-1a over the letters: fast, and the same on every machine.
fn hash(letters: &[char]) -> u64 {
    letters.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &letter| {
        (hash ^ u64::from(u32::from(letter))).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Rows in which a near-duplicate is found quickly.
#[derive(Debug, Default)]
pub struct NearIndex {
    rows: Vec<Grams>,
    frequency: HashMap<u64, u32>,
    postings: HashMap<u64, Vec<u32>>,
}

impl NearIndex {
    /// An index of these rows.
    pub fn new(rows: Vec<Grams>) -> Self {
        let mut index = Self { rows, ..Self::default() };
        for gram in index.rows.iter().flat_map(|row| &row.0) {
            *index.frequency.entry(*gram).or_default() += 1;
        }
        for place in 0..index.rows.len() {
            for gram in index.rarest(&index.rows[place]) {
                index.postings.entry(gram).or_default().push(place as u32);
            }
        }
        index
    }

    /// The grams of which any set that is alike enough has at least one, in one order for all sets.
    fn rarest(&self, grams: &Grams) -> Vec<u64> {
        let mut ordered = grams.0.clone();
        ordered.sort_unstable_by_key(|gram| (self.frequency.get(gram).copied().unwrap_or(0), *gram));
        let needed = (NEAR * ordered.len() as f64).ceil() as usize;
        ordered.truncate(ordered.len() - needed.min(ordered.len()) + 1);
        ordered
    }

    /// The first row that is all but the same as this.
    pub fn find(&self, grams: &Grams) -> Option<usize> {
        self.all(grams).first().copied()
    }

    /// Every row that is all but the same as this, in order.
    pub fn all(&self, grams: &Grams) -> Vec<usize> {
        let rare = self.rarest(grams);
        let candidates = rare.iter().filter_map(|gram| self.postings.get(gram)).flatten();
        let mut candidates: Vec<usize> = candidates.map(|&place| place as usize).collect();
        candidates.sort_unstable();
        candidates.dedup();
        candidates.retain(|&place| self.rows[place].is_near(grams));
        candidates
    }

    /// The other rows that are all but the same as the row at `place`, in order, each with how alike it is, and whether
    /// they are all of them: of more than `most` only so many are looked for, rather those that follow the row.
    pub fn others(&self, place: usize, most: usize) -> (Vec<(usize, f64)>, bool) {
        let own = &self.rows[place];
        let (mut seen, mut found) = (HashSet::from([place as u32]), Vec::new());
        let mut all = true;
        'grams: for gram in self.rarest(own) {
            let postings = self.postings.get(&gram).map_or(&[][..], Vec::as_slice);
            let (before, after) = postings.split_at(postings.partition_point(|&other| other as usize <= place));
            for &other in after.iter().chain(before) {
                let grams = &self.rows[other as usize];
                if !seen.insert(other) || !grams.is_near(own) {
                    continue;
                }
                if found.len() == most {
                    all = false;
                    break 'grams;
                }
                found.push((other as usize, own.similarity(grams)));
            }
        }
        found.sort_unstable_by_key(|(other, _)| *other);
        (found, all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn grams(text: &str) -> Grams {
        Grams::of(&json!(text))
    }

    #[test]
    fn one_word_in_a_sentence_is_near_and_another_topic_is_not() {
        let first = grams("We tried to contact you re your reply to our offer of a video handset");
        assert!(first.is_near(&grams("we tried to contact you, re: your reply to our offer of a Video Handset!")));
        assert!(first.is_near(&grams("We tried to contact you re your reply to our offer of the video handset")));
        assert!(!grams("I need to change my PIN.").is_near(&grams("I need to change my data.")));
        assert!(!grams("the top-up code is missing").is_near(&grams("how do your exchange rates work")));
        assert_eq!(grams("").similarity(&grams("")), 0.0);
        assert!(grams("ok").is_near(&grams("OK")));
    }

    #[test]
    fn the_names_of_fields_make_no_two_inputs_near() {
        let row = |message: &str| json!({"customer_message_text": message, "preferred_contact_channel": "email"});
        assert!(!Grams::of(&row("refund")).is_near(&Grams::of(&row("cancel"))));
        assert!(Grams::of(&row("Where is my refund?")).is_near(&Grams::of(&row("where is my refund"))));
    }

    proptest! {
        #[test]
        fn the_index_finds_what_comparing_all_finds(
            rows in prop::collection::vec("[abc ]{0,24}", 1..20),
            text in "[abc ]{0,24}",
        ) {
            let rows: Vec<Grams> = rows.iter().map(|row| grams(row)).collect();
            let wanted = rows.iter().position(|row| row.is_near(&grams(&text)));
            let index = NearIndex::new(rows.clone());
            prop_assert_eq!(index.find(&grams(&text)), wanted);
            for (place, row) in rows.iter().enumerate() {
                let near = |other: &usize| *other != place && row.is_near(&rows[*other]);
                let wanted: Vec<usize> = (0..rows.len()).filter(near).collect();
                let (found, all) = index.others(place, 3);
                prop_assert_eq!((found.len(), all), (wanted.len().min(3), wanted.len() <= 3));
                prop_assert!(found.iter().all(|(other, alike)| wanted.contains(other) && *alike >= NEAR));
            }
        }
    }
}
