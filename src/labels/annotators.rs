//! How far annotators agree: raw agreement, Cohen's kappa for two of them, and where they disagree.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{LabelledRow, MOST_LISTED, NamedRow, Split};
use crate::stats::labels::cohens_kappa;
use crate::suite::Task;
use crate::suite::schema::comparable;
use crate::suite::second::Annotation;

/// The name of whoever gave the suite's own labels.
pub const FIRST: &str = "expected";

/// Two annotators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The one; `expected` is the suite's own label.
    pub a: String,
    /// The other.
    pub b: String,
    /// Examples that both labelled.
    pub pairs: u64,
    /// Of these, labelled alike.
    pub agreed: u64,
    /// Cohen's kappa, (agreement − chance) / (1 − chance), with chance = Σ over the classes of the product of both
    /// annotators' shares; null where it is not defined, or labels are no classes.
    pub kappa: Option<f64>,
}

/// How far the annotators agree on one field of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldAgreement {
    /// The field.
    pub field: String,
    /// Pairs of labels in which either has it.
    pub pairs: u64,
    /// Of these, alike.
    pub agreed: u64,
}

/// A label that an annotator gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenLabel {
    /// Who gave it.
    pub annotator: String,
    /// The label.
    pub label: Value,
}

/// An example that is labelled differently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disagreement {
    /// The example, with the suite's own label.
    pub row: NamedRow,
    /// What the annotators gave.
    pub labels: Vec<GivenLabel>,
}

/// How far annotators agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Every two annotators with examples in common.
    pub pairs: Vec<Pair>,
    /// By field, over the pairs with the suite's own labels; empty where labels are no records.
    pub fields: Vec<FieldAgreement>,
    /// Examples with a label of another annotator.
    pub annotated: u64,
    /// Of these, examples with any disagreement.
    pub disagreements: u64,
    /// Those, in the order of the data; at most [`MOST_LISTED`].
    pub listed: Vec<Disagreement>,
}

/// What other annotators say against a label.
#[derive(Debug, Clone, PartialEq)]
pub struct Disputed {
    /// The row's place.
    pub row: usize,
    /// The label that most other annotators gave instead.
    pub other: Value,
    /// Who gave it.
    pub annotators: Vec<String>,
    /// 0 to 1: how many gave it, of these and of those who gave the label, the first annotator among them.
    pub share: f64,
}

/// A label that every other annotator of its row gave, too.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirmed {
    /// The row's place.
    pub row: usize,
    /// Who gave it.
    pub annotators: Vec<String>,
}

/// What annotators say of labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Opinions {
    /// Against them.
    pub disputed: Vec<Disputed>,
    /// For them.
    pub confirmed: Vec<Confirmed>,
}

/// The agreement of the suite's own labels with the annotators', and of these with each other.
pub fn find(rows: &[LabelledRow], annotations: &[Annotation], task: Task, at: &str) -> (Agreement, Opinions) {
    let given = by_example(annotations, at);
    let mut tables: BTreeMap<(usize, usize), Vec<(String, String)>> = BTreeMap::new();
    let mut fields: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut found =
        Agreement { pairs: Vec::new(), fields: Vec::new(), annotated: 0, disagreements: 0, listed: Vec::new() };
    let mut opinions = Opinions::default();
    let names = annotators(annotations);
    let place_of: BTreeMap<&str, usize> = names.iter().copied().zip(1..).collect();
    // An annotator may have the name that the suite's own labels go by.
    let name = |place: usize| match place.checked_sub(1).map(|place| names[place]) {
        None => FIRST.to_owned(),
        Some(FIRST) => format!("{FIRST} (annotations)"),
        Some(name) => name.to_owned(),
    };
    for (place, row) in rows.iter().enumerate().filter(|(_, row)| row.split == Split::Test) {
        let Some(others) = given.get(row.id.as_str()) else { continue };
        found.annotated += 1;
        let mut all: Vec<(usize, String)> = vec![(0, row.label_text())];
        for (name, label) in others {
            all.push((place_of.get(name).copied().unwrap_or_default(), comparable(label)));
            count_fields(&row.label, label, &mut fields);
        }
        all.sort();
        for (place, (a, first)) in all.iter().enumerate() {
            for (b, second) in &all[place + 1..] {
                tables.entry((*a, *b)).or_default().push((first.clone(), second.clone()));
            }
        }
        if all.iter().any(|(_, label)| *label != all[0].1) {
            found.disagreements += 1;
            if found.listed.len() < MOST_LISTED {
                let label = |(name, label): &(&str, &Value)| GivenLabel {
                    annotator: (*name).to_owned(),
                    label: (*label).clone(),
                };
                found.listed.push(Disagreement { row: row.named(), labels: others.iter().map(label).collect() });
            }
        }
        match dispute(place, row, others) {
            Some(disputed) => opinions.disputed.push(disputed),
            None => {
                let annotators = others.iter().map(|(name, _)| (*name).to_owned()).collect();
                opinions.confirmed.push(Confirmed { row: place, annotators });
            }
        }
    }
    found.pairs = tables
        .into_iter()
        .map(|((a, b), table)| Pair {
            a: name(a),
            b: name(b),
            pairs: table.len() as u64,
            agreed: table.iter().filter(|(first, second)| first == second).count() as u64,
            kappa: (task == Task::Classification).then(|| kappa(&table)).flatten(),
        })
        .collect();
    let field = |(field, (pairs, agreed))| FieldAgreement { field, pairs, agreed };
    found.fields = fields.into_iter().map(field).collect();
    (found, opinions)
}

/// Names in the order in which they first stand there.
fn annotators(annotations: &[Annotation]) -> Vec<&str> {
    let mut known = BTreeSet::new();
    annotations.iter().map(|annotation| annotation.annotator.as_str()).filter(|name| known.insert(*name)).collect()
}

fn by_example<'a>(annotations: &'a [Annotation], at: &str) -> BTreeMap<&'a str, Vec<(&'a str, &'a Value)>> {
    let mut given: BTreeMap<&str, Vec<(&str, &Value)>> = BTreeMap::new();
    for annotation in annotations {
        let label = annotation.expected.pointer(at).unwrap_or(&annotation.expected);
        given.entry(&annotation.id).or_default().push((&annotation.annotator, label));
    }
    given
}

fn count_fields(first: &Value, second: &Value, fields: &mut BTreeMap<String, (u64, u64)>) {
    let (Value::Object(first), Value::Object(second)) = (first, second) else { return };
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    for name in names {
        let (pairs, agreed) = fields.entry(name.clone()).or_default();
        *pairs += 1;
        *agreed += u64::from(first.get(name).map(comparable) == second.get(name).map(comparable));
    }
}

/// Cohen's kappa of pairs of labels.
fn kappa(pairs: &[(String, String)]) -> Option<f64> {
    let mut given: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut agreed = 0;
    for (a, b) in pairs {
        given.entry(a).or_default().0 += 1;
        given.entry(b).or_default().1 += 1;
        agreed += u64::from(a == b);
    }
    cohens_kappa(agreed, &given.into_values().collect::<Vec<_>>())
}

/// What most other annotators gave instead of the label.
fn dispute(place: usize, row: &LabelledRow, others: &[(&str, &Value)]) -> Option<Disputed> {
    let own = row.label_text();
    let mut by_label: BTreeMap<String, (Vec<String>, &Value)> = BTreeMap::new();
    for (name, label) in others {
        by_label.entry(comparable(label)).or_insert((Vec::new(), label)).0.push((*name).to_owned());
    }
    let agreeing = 1 + by_label.remove(&own).map_or(0, |(names, _)| names.len());
    // Of equally many the first in alphabetical order.
    let most = by_label.into_values().reduce(|most, next| if next.0.len() > most.0.len() { next } else { most });
    let (annotators, other) = most?;
    let share = annotators.len() as f64 / (annotators.len() + agreeing) as f64;
    Some(Disputed { row: place, other: other.clone(), annotators, share })
}

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::*;
    use serde_json::json;

    fn given(annotator: &str, id: &str, label: &str) -> Annotation {
        Annotation { annotator: annotator.to_owned(), id: id.to_owned(), expected: json!({"label": label}) }
    }

    #[test]
    fn every_two_annotators_are_compared_and_the_majority_disputes() {
        let rows = ["t1", "t2", "t3"].map(|id| row(Split::Test, id, id, "A"));
        let annotations = [
            given("ann", "t1", "A"),
            given("ann", "t2", "B"),
            given("ann", "t3", "A"),
            given("bob", "t1", "A"),
            given("bob", "t2", "B"),
        ];
        let (found, Opinions { disputed, confirmed }) = find(&rows, &annotations, Task::Classification, "/label");
        assert_eq!(confirmed.iter().map(|one| one.row).collect::<Vec<_>>(), [0, 2]);
        let pairs: Vec<_> = found.pairs.iter().map(|p| (p.a.as_str(), p.b.as_str(), p.pairs, p.agreed)).collect();
        assert_eq!(pairs, [("expected", "ann", 3, 2), ("expected", "bob", 2, 1), ("ann", "bob", 2, 2)]);
        assert_eq!(found.pairs[2].kappa, Some(1.0));
        assert_eq!((found.annotated, found.disagreements), (3, 1));
        assert_eq!((found.listed[0].row.id.as_str(), found.listed[0].labels.len()), ("t2", 2));
        assert_eq!(disputed.len(), 1);
        assert_eq!((&disputed[0].other, disputed[0].annotators.len()), (&json!("B"), 2));
        assert!((disputed[0].share - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn an_annotator_may_have_the_name_of_the_own_labels() {
        let rows = ["t1", "t2"].map(|id| row(Split::Test, id, id, "A"));
        let annotations = [given(FIRST, "t1", "A"), given(FIRST, "t2", "B")];
        let (found, _) = find(&rows, &annotations, Task::Classification, "/label");
        let pairs: Vec<_> = found.pairs.iter().map(|p| (p.a.as_str(), p.b.as_str(), p.pairs, p.agreed)).collect();
        assert_eq!(pairs, [("expected", "expected (annotations)", 2, 1)]);
    }

    #[test]
    fn records_are_compared_whole_and_by_field() {
        let mut rows = [row(Split::Test, "t1", "x", "A"), row(Split::Test, "t2", "y", "A")];
        for row in &mut rows {
            row.label = json!({"city": "Ulm", "days": 3});
        }
        let of = |id: &str, expected| Annotation { annotator: "ann".into(), id: id.into(), expected };
        let annotations = [of("t1", json!({"days": 3, "city": "Ulm"})), of("t2", json!({"city": "Bonn", "days": 3}))];
        let (found, _) = find(&rows, &annotations, Task::Extraction, "");
        assert_eq!((found.pairs[0].agreed, found.pairs[0].kappa), (1, None));
        let fields: Vec<_> = found.fields.iter().map(|f| (f.field.as_str(), f.pairs, f.agreed)).collect();
        assert_eq!(fields, [("city", 2, 1), ("days", 2, 2)]);
    }
}
