//! `similarity`: how alike two texts are, by edit distance or by shared words (METHODS.md 13).
//!
//! A value that is not text is compared as compact JSON. With a threshold the score is 0 or 1.

use std::collections::HashMap;

use serde_json::Value;

use super::normalise::without_punctuation;
use super::{Grade, Scorer};
use crate::suite::SimilarityMatch;
use crate::suite::schema::label_text;

/// Characters beyond which no edit distance is computed: its time grows with their product.
const MAX_CHARACTERS: usize = 20_000;

pub(super) struct Similarity {
    by: SimilarityMatch,
    threshold: Option<f64>,
}

impl Similarity {
    pub(super) fn new(by: SimilarityMatch, threshold: Option<f64>) -> Self {
        Self { by, threshold }
    }
}

impl Scorer for Similarity {
    fn score(&self, expected: &Value, answer: &Value, _reply: Option<&Value>) -> Grade {
        let (expected, answer) = (label_text(expected), label_text(answer));
        let alike = match self.by {
            SimilarityMatch::TokenF1 => token_f1(&expected, &answer),
            SimilarityMatch::Levenshtein if expected == answer => 1.0,
            SimilarityMatch::Levenshtein if is_huge(&expected) || is_huge(&answer) => {
                return Grade::Unscored(format!(
                    "a text is over {MAX_CHARACTERS} characters: too long for an edit distance"
                ));
            }
            SimilarityMatch::Levenshtein => strsim::normalized_levenshtein(&expected, &answer),
        };
        Grade::Scored(match self.threshold {
            Some(threshold) => f64::from(u8::from(alike >= threshold)),
            None => alike.clamp(0.0, 1.0),
        })
    }
}

fn is_huge(text: &str) -> bool {
    text.len() > MAX_CHARACTERS && text.chars().nth(MAX_CHARACTERS).is_some()
}

/// F1 over words as SQuAD counts them (lower case, without punctuation, repeats counted), but with
/// articles kept: other languages have other ones.
fn token_f1(expected: &str, answer: &str) -> f64 {
    let (expected, answer) = (words(expected), words(answer));
    let shared: u64 = expected.iter().filter_map(|(word, count)| answer.get(word).map(|other| *count.min(other))).sum();
    super::f1(shared, expected.values().sum::<u64>() + answer.values().sum::<u64>())
}

fn words(text: &str) -> HashMap<String, u64> {
    let mut words = HashMap::new();
    for word in without_punctuation(&text.to_lowercase()).split_whitespace() {
        *words.entry(word.to_owned()).or_default() += 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn score(by: SimilarityMatch, threshold: Option<f64>, expected: &str, answer: &str) -> Option<f64> {
        Similarity::new(by, threshold).score(&json!(expected), &json!(answer), None).score()
    }

    #[test]
    fn edit_distance_counts_characters() {
        let by = SimilarityMatch::Levenshtein;
        assert_eq!(score(by, None, "kitten", "sitting"), Some(1.0 - 3.0 / 7.0));
        assert_eq!(score(by, None, "äö", "äu"), Some(0.5));
        assert_eq!(score(by, None, "", ""), Some(1.0));
        assert_eq!(score(by, Some(0.5), "äö", "äu"), Some(1.0));
        assert_eq!(score(by, Some(0.51), "äö", "äu"), Some(0.0));
        assert_eq!(score(by, None, &"a".repeat(20_001), "b"), None);
    }

    #[test]
    fn words_count_as_often_as_they_stand() {
        let by = SimilarityMatch::TokenF1;
        assert_eq!(score(by, None, "The cat.", "the CAT"), Some(1.0));
        assert_eq!(score(by, None, "a a b", "a b b"), Some(2.0 * 2.0 / 6.0));
        assert_eq!(score(by, None, "", "..."), Some(1.0));
        assert_eq!(score(by, None, "", "x"), Some(0.0));
    }
}
