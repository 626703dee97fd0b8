//! What must never be trained on: a test example, one that is all but the same, one of the same cluster; examples that
//! prompts are chosen on; and documents that hold a test example's text.

use std::collections::HashMap;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::suite::Example;
use crate::suite::leakage::{normalise, text_of};
use crate::suite::near::{Grams, NearIndex};

/// Shorter texts stand in a document by chance.
const SHORTEST_IN_DOCUMENT: usize = 24;

/// An example and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The example.
    pub example: Example,
    /// Its file.
    pub file: std::path::PathBuf,
    /// Its line, from 1.
    pub line: u64,
}

impl Placed {
    fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }

    fn fault(&self, code: &'static str, message: String) -> Diagnostic {
        Diagnostic::error(code, &self.file, message).at(u32::try_from(self.line).unwrap_or(u32::MAX), 1)
    }
}

/// A row that must not be trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct Leak {
    /// Its place among the rows.
    pub row: usize,
    /// Why, at its line.
    pub fault: Diagnostic,
}

/// What one split has that training rows must not have.
struct Held<'a> {
    rows: &'a [Placed],
    /// "test example", "dev example".
    what: &'static str,
    exact: HashMap<String, usize>,
    normalised: HashMap<String, usize>,
    clusters: HashMap<&'a str, usize>,
    /// Places of those in the index.
    places: Vec<usize>,
    near: NearIndex,
}

impl<'a> Held<'a> {
    fn new(rows: &'a [Placed], what: &'static str) -> Self {
        let (mut exact, mut normalised, mut clusters) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (mut places, mut grams) = (Vec::new(), Vec::new());
        for (place, row) in rows.iter().enumerate() {
            let text = text_of(&row.example.input);
            if let Some(normal) = normalise(&text) {
                normalised.entry(normal).or_insert(place);
                places.push(place);
                grams.push(Grams::of(&row.example.input));
            }
            exact.entry(text).or_insert(place);
            if let Some(cluster) = &row.example.cluster {
                clusters.entry(cluster.as_str()).or_insert(place);
            }
        }
        Self { rows, what, exact, normalised, clusters, places, near: NearIndex::new(grams) }
    }

    /// How a row is like one of these, in words, and which.
    fn like(&self, input: &Value) -> Option<(&'static str, &Placed)> {
        let text = text_of(input);
        if let Some(&place) = self.exact.get(&text) {
            return Some(("is the same as", &self.rows[place]));
        }
        let normal = normalise(&text)?;
        if let Some(&place) = self.normalised.get(&normal) {
            return Some(("differs only in case, spaces or punctuation from", &self.rows[place]));
        }
        let place = *self.places.get(self.near.find(&Grams::of(input))?)?;
        Some(("is all but the same as", &self.rows[place]))
    }

    fn leak(&self, row: &Placed, codes: [&'static str; 3]) -> Option<Diagnostic> {
        let [exact, near, cluster] = codes;
        let id = &row.example.id;
        if let Some((how, other)) = self.like(&row.example.input) {
            let code = if how.starts_with("is all but") { near } else { exact };
            let (what, other_id, place) = (self.what, &other.example.id, other.place());
            return Some(row.fault(code, format!("the training row `{id}` {how} the {what} `{other_id}` at {place}")));
        }
        let name = row.example.cluster.as_deref()?;
        let other = &self.rows[*self.clusters.get(name)?];
        let (what, other_id, place) = (self.what, &other.example.id, other.place());
        let name = crate::text::one_line(name, 80);
        let message =
            format!("the training row `{id}` is of the cluster `{name}`, as is the {what} `{other_id}` at {place}");
        Some(row.fault(cluster, message))
    }
}

/// The rows that must not be trained on, in order; each with the first reason.
pub fn leaks(rows: &[Placed], test: &[Placed], dev: &[Placed]) -> Vec<Leak> {
    let test = Held::new(test, "test example");
    let dev = Held::new(dev, "dev example");
    let leak = |(place, row): (usize, &Placed)| {
        let fault = test
            .leak(row, ["training/test-leak", "training/near-leak", "training/cluster-leak"])
            .or_else(|| dev.leak(row, ["training/dev-leak"; 3]))?;
        let fault = fault.help("take it out of the pool, or leave it out of the file with --drop-leaks");
        Some(Leak { row: place, fault })
    };
    rows.iter().enumerate().filter_map(leak).collect()
}

/// Documents that hold a test example's text: what retrieves from them was given the question. Each comes with its id, its
/// text, and a fault at its line.
pub fn document_leaks<'a>(
    documents: impl IntoIterator<Item = (&'a str, &'a str, Diagnostic)>,
    test: &[Placed],
) -> Vec<Diagnostic> {
    let mut by_start: HashMap<String, Vec<(String, &Placed)>> = HashMap::new();
    for row in test {
        let Some(text) = normalise(&text_of(&row.example.input)) else { continue };
        let start: String = text.chars().take(SHORTEST_IN_DOCUMENT).collect();
        if start.chars().count() == SHORTEST_IN_DOCUMENT {
            by_start.entry(start).or_default().push((text, row));
        }
    }
    let mut found = Vec::new();
    for (id, text, fault) in documents {
        let Some(text) = normalise(text) else { continue };
        if let Some(row) = quoted(&text, &by_start) {
            let (test_id, place) = (&row.example.id, row.place());
            let message = format!("the document `{id}` holds the text of the test example `{test_id}` at {place}");
            found.push(Diagnostic { message, ..fault });
        }
    }
    found
}

/// The first of these texts that stands in a text.
fn quoted<'a>(text: &str, by_start: &HashMap<String, Vec<(String, &'a Placed)>>) -> Option<&'a Placed> {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    starts.windows(SHORTEST_IN_DOCUMENT + 1).find_map(|window| {
        let (start, end) = (window[0], window[SHORTEST_IN_DOCUMENT]);
        let candidates = by_start.get(&text[start..end])?;
        candidates.iter().find(|(wanted, _)| text[start..].starts_with(wanted.as_str())).map(|(_, row)| *row)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::ExampleId;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::{BTreeMap, HashSet};

    fn placed(id: &str, input: &str, cluster: Option<&str>, line: u64) -> Placed {
        let example = Example {
            id: ExampleId(id.to_owned()),
            input: json!(input),
            expected: json!("x"),
            cluster: cluster.map(str::to_owned),
            tags: BTreeMap::new(),
            documents: Vec::new(),
        };
        Placed { example, file: "pool.jsonl".into(), line }
    }

    #[test]
    fn every_way_of_being_a_test_example_is_found_with_both_places() {
        let test = [placed("t1", "The cable on Elm Street is torn again since the storm of last night", Some("e1"), 4)];
        let dev = [placed("d1", "Water in the substation at the old mill", None, 2)];
        let rows = [
            placed("same", "The cable on Elm Street is torn again since the storm of last night", None, 1),
            placed("case", "the cable on elm street is torn again since the storm of last night!", None, 2),
            placed("near", "The cable on Elm Street is torn once again since the storm of last night", None, 3),
            placed("event", "Lines down near the bakery", Some("e1"), 4),
            placed("dev", "water in the substation at the old mill", None, 5),
            placed("fine", "A squirrel sat on the transformer", Some("e2"), 6),
        ];
        let found: Vec<(usize, &str)> =
            leaks(&rows, &test, &dev).iter().map(|leak| (leak.row, leak.fault.code)).collect();
        let wanted = [
            (0, "training/test-leak"),
            (1, "training/test-leak"),
            (2, "training/near-leak"),
            (3, "training/cluster-leak"),
            (4, "training/dev-leak"),
        ];
        assert_eq!(found, wanted);
        let first = &leaks(&rows, &test, &dev)[2].fault;
        assert!(first.message.contains("`t1` at pool.jsonl:4"), "{}", first.message);
        assert_eq!(first.line, 3);
    }

    #[test]
    fn a_document_that_quotes_a_test_example_is_found() {
        let test = [
            placed("t1", "The cable on Elm Street is torn again since the storm of last night", None, 4),
            placed("t2", "no power", None, 5),
        ];
        let fault = || Diagnostic::error("training/document-leak", "documents.jsonl", "");
        let documents = [
            ("quotes", "As reported: the cable on Elm Street is torn, again, since the storm of last night.", fault()),
            ("short", "There is no power here at all", fault()),
        ];
        let found = document_leaks(documents, &test);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("`quotes`") && found[0].message.contains("`t1`"), "{}", found[0].message);
    }

    proptest! {
        #[test]
        fn no_test_example_is_ever_left(
            pool in prop::collection::vec("[a-c ]{0,12}", 1..12),
            test in prop::collection::vec("[a-c ]{0,12}", 1..6),
        ) {
            let rows: Vec<Placed> = pool.iter().enumerate().map(|(at, text)| placed("p", text, None, at as u64)).collect();
            let test: Vec<Placed> = test.iter().enumerate().map(|(at, text)| placed("t", text, None, at as u64)).collect();
            let leaking: HashSet<usize> = leaks(&rows, &test, &[]).iter().map(|leak| leak.row).collect();
            for (place, row) in rows.iter().enumerate().filter(|(place, _)| !leaking.contains(place)) {
                for other in &test {
                    prop_assert_ne!(&row.example.input, &other.example.input, "row {}", place);
                    let near = Grams::of(&row.example.input).is_near(&Grams::of(&other.example.input));
                    let long = |row: &Placed| normalise(&text_of(&row.example.input)).is_some();
                    prop_assert!(!(near && long(row) && long(other)));
                }
            }
        }
    }
}
