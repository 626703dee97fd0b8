//! Test examples on which every answer agrees, against the label: each variant of a run that gave a valid answer, and
//! the trained baseline where there is one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{LabelledRow, MOST_LISTED, NamedRow, Split};
use crate::probe::OutOfFold;

/// Fewest answers that can agree with each other: a single variant against the label is just its error.
const FEWEST_VOICES: usize = 2;

/// What a run answered: by example's id, by variant, the class of each repeat; `None` for one that cannot be used.
pub type Answers = BTreeMap<String, BTreeMap<String, Vec<Option<String>>>>;

/// The variants that were asked, by name, with the model that each asks.
pub type Variants = BTreeMap<String, String>;

/// An example on which all answers are the same, and not the label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgreedAnswer {
    /// The example.
    pub row: NamedRow,
    /// What all of them answer.
    pub answer: String,
    /// Variants that gave a valid answer: all of them this one.
    pub variants: u64,
    /// Variants that were asked about it.
    pub asked: u64,
    /// Models behind the variants with a valid answer: variants of one model err alike.
    pub models: u64,
    /// Whether the trained baseline, which has not seen the example, answers the same.
    pub baseline: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Against {
    /// Variants of the run.
    pub variants: u64,
    /// Models that they ask.
    pub models: u64,
    /// Whether a trained baseline had a say.
    pub baseline: bool,
    /// Test examples with at least two answers to compare.
    pub compared: u64,
    /// Of these, examples on which all answers are the same.
    pub agreeing: u64,
    /// Of these, examples on which they are not the label.
    pub against: u64,
    /// Those, in the order of the data; at most [`MOST_LISTED`].
    pub listed: Vec<AgreedAnswer>,
}

/// One of them, with its row's place.
#[derive(Debug, Clone, PartialEq)]
pub struct Outvoted {
    /// The row's place.
    pub row: usize,
    /// What was found.
    pub answer: AgreedAnswer,
}

impl AgreedAnswer {
    /// 0.5 to 1: with m models and baselines, m / (m + 1).
    pub fn score(&self) -> f64 {
        let voices = (self.models + u64::from(self.baseline)) as f64;
        voices / (voices + 1.0)
    }
}

/// The test examples on which all valid answers are one class, and not the label. `out_of_fold` has a row for each of
/// `rows`. Answers outside `classes` are not valid, where there are classes.
pub fn find(
    rows: &[LabelledRow],
    (answers, variants): (&Answers, &Variants),
    out_of_fold: Option<&OutOfFold>,
    classes: &[String],
) -> (Against, Vec<Outvoted>) {
    let models: BTreeSet<&String> = variants.values().collect();
    let mut found = Against {
        variants: variants.len() as u64,
        models: models.len() as u64,
        baseline: out_of_fold.is_some(),
        compared: 0,
        agreeing: 0,
        against: 0,
        listed: Vec::new(),
    };
    let mut outvoted = Vec::new();
    for (place, row) in rows.iter().enumerate().filter(|(_, row)| row.split == Split::Test) {
        let baseline = out_of_fold.and_then(|of| prediction(of, place));
        let heard = Heard::of(answers.get(&row.id), variants, classes);
        if heard.variants + usize::from(baseline.is_some()) < FEWEST_VOICES || heard.variants == 0 {
            continue;
        }
        found.compared += 1;
        let all: BTreeSet<&str> = heard.answers.iter().copied().chain(baseline).collect();
        let [answer] = all.into_iter().collect::<Vec<_>>()[..] else { continue };
        found.agreeing += 1;
        if *answer == row.label_text() {
            continue;
        }
        found.against += 1;
        let answer = AgreedAnswer {
            row: row.named(),
            answer: answer.to_owned(),
            variants: heard.variants as u64,
            asked: heard.asked as u64,
            models: heard.models.len() as u64,
            baseline: baseline.is_some(),
        };
        if found.listed.len() < MOST_LISTED {
            found.listed.push(answer.clone());
        }
        outvoted.push(Outvoted { row: place, answer });
    }
    (found, outvoted)
}

/// The most probable class of a row.
fn prediction(out_of_fold: &OutOfFold, place: usize) -> Option<&str> {
    let row = out_of_fold.probabilities.get(place)?;
    let best = (0..row.len()).reduce(|best, next| if row[next] > row[best] { next } else { best })?;
    out_of_fold.classes.get(best).map(String::as_str)
}

/// The valid answers to one example.
#[derive(Debug, Default)]
struct Heard<'a> {
    answers: BTreeSet<&'a str>,
    models: BTreeSet<&'a str>,
    variants: usize,
    asked: usize,
}

impl<'a> Heard<'a> {
    fn of(
        given: Option<&'a BTreeMap<String, Vec<Option<String>>>>,
        variants: &'a Variants,
        classes: &[String],
    ) -> Self {
        let mut heard = Self::default();
        for (variant, repeats) in given.into_iter().flatten() {
            heard.asked += 1;
            let valid = |answer: &&String| classes.is_empty() || classes.contains(answer);
            let answers: Vec<&str> = repeats.iter().flatten().filter(valid).map(String::as_str).collect();
            if !answers.is_empty() {
                heard.variants += 1;
                heard.models.extend(variants.get(variant).map(String::as_str));
                heard.answers.extend(answers);
            }
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::*;

    fn answers(of: &[(&str, &str, &[Option<&str>])]) -> Answers {
        let mut answers = Answers::new();
        for (id, variant, repeats) in of {
            let repeats = repeats.iter().map(|answer| answer.map(str::to_owned)).collect();
            answers.entry((*id).to_owned()).or_default().insert((*variant).to_owned(), repeats);
        }
        answers
    }

    #[test]
    fn all_valid_answers_must_be_one_and_not_the_label() {
        let rows = ["t1", "t2", "t3", "t4"].map(|id| row(Split::Test, id, id, "A"));
        let given = answers(&[
            ("t1", "v1", &[Some("B"), Some("B")]),
            ("t1", "v2", &[Some("B")]),
            ("t1", "v3", &[None]),
            ("t2", "v1", &[Some("B"), Some("A")]),
            ("t2", "v2", &[Some("B")]),
            ("t3", "v1", &[Some("A")]),
            ("t3", "v2", &[Some("A")]),
            ("t4", "v1", &[Some("B")]),
            ("t4", "v2", &[Some("Z")]),
        ]);
        let variants: Variants =
            ["v1", "v2", "v3"].map(|name| (name.to_owned(), if name == "v3" { "m2" } else { "m1" }.to_owned())).into();
        let classes = ["A".to_owned(), "B".to_owned()];
        let (found, outvoted) = find(&rows, (&given, &variants), None, &classes);
        // Of t4 one answer is no class, so that a single one is left.
        assert_eq!((found.compared, found.agreeing, found.against), (3, 2, 1));
        let first = &found.listed[0];
        assert_eq!((first.row.id.as_str(), first.answer.as_str()), ("t1", "B"));
        assert_eq!((first.variants, first.asked, first.models, first.baseline), (2, 3, 1, false));
        assert_eq!(outvoted[0].row, 0);
        assert!((first.score() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_trained_baseline_has_a_say_and_may_disagree() {
        let rows = ["t1", "t2"].map(|id| row(Split::Test, id, id, "A"));
        let given = answers(&[("t1", "v1", &[Some("B")]), ("t2", "v1", &[Some("B")])]);
        let variants: Variants = [("v1".to_owned(), "m1".to_owned())].into();
        let classes = vec!["A".to_owned(), "B".to_owned()];
        let out_of_fold = OutOfFold { classes: classes.clone(), probabilities: vec![vec![0.2, 0.8], vec![0.6, 0.4]] };
        let (found, _) = find(&rows, (&given, &variants), Some(&out_of_fold), &classes);
        assert_eq!((found.compared, found.agreeing, found.against), (2, 1, 1));
        assert!(found.listed[0].baseline && (found.listed[0].score() - 2.0 / 3.0).abs() < 1e-12);
    }
}
