//! Answers of models as training data: a teacher's that are right, and pairs of which one is better.

use std::collections::BTreeMap;

use super::row::answer_text;
use crate::measure::grade::{GradedTrial, Grader};
use crate::score::Grade;
use crate::trial::Exchange;

/// Scores this near are one.
const NEGLIGIBLE: f64 = 1e-9;

/// One trial's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct GradedAnswer {
    /// As a model is to write it: what the schema accepts as compact JSON, everything else as it came. `None` where there
    /// is no answer.
    pub text: Option<String>,
    /// Whether the schema accepts it.
    pub valid: bool,
    /// Its primary score, 0 to 1; `None` where it has none.
    pub score: Option<f64>,
}

impl GradedAnswer {
    /// The answer of a trial of this variant.
    pub fn of(grader: &Grader, variant: usize, exchange: &Exchange, graded: &GradedTrial) -> Self {
        let reading = grader.read(variant, exchange);
        let said = reading.as_ref().and_then(|reading| reading.outcome.completion()).map(|completion| &completion.text);
        let parsed = grader.parsed(variant, exchange).filter(|_| graded.valid_strict);
        let text = parsed.as_ref().map(answer_text).or_else(|| said.cloned());
        Self {
            text: text.filter(|text| !text.trim().is_empty() && !graded.counts_as_missing),
            valid: graded.valid_strict,
            score: graded.scores.first().and_then(Grade::score).filter(|_| !graded.counts_as_missing),
        }
    }
}

/// Which of a teacher's answers are taught.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TeacherRules {
    /// The least primary score, 0 to 1.
    pub least_score: f64,
    /// The least share of the repeats that gave the very same answer, 0 to 1.
    pub agreement: f64,
    /// How often each example was to be asked: a repeat that is not there agrees with nothing.
    pub repeats: u32,
}

/// Why an example has no answer to teach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// There is no answer.
    Unanswered,
    /// None that the schema accepts.
    Invalid,
    /// None that scores enough.
    Wrong,
    /// Too few of the repeats gave the same answer.
    Disagreed,
}

impl Dropped {
    /// All, in the order in which they are looked for.
    pub const ALL: [Self; 4] = [Self::Unanswered, Self::Invalid, Self::Wrong, Self::Disagreed];

    /// Its name among the counts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::Invalid => "invalid",
            Self::Wrong => "wrong",
            Self::Disagreed => "disagreed",
        }
    }
}

/// The answer that a teacher's repeats of one example give: the one that most of them gave.
///
/// # Errors
/// Why there is none.
pub fn taught(answers: &[GradedAnswer], rules: &TeacherRules) -> Result<String, Dropped> {
    let said: Vec<(&str, &GradedAnswer)> =
        answers.iter().filter_map(|answer| Some((answer.text.as_deref()?, answer))).collect();
    if said.is_empty() {
        return Err(Dropped::Unanswered);
    }
    let valid: Vec<(&str, &GradedAnswer)> = said.into_iter().filter(|(_, answer)| answer.valid).collect();
    if valid.is_empty() {
        return Err(Dropped::Invalid);
    }
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let scores_enough = |answer: &GradedAnswer| answer.score.is_some_and(|s| s >= rules.least_score - NEGLIGIBLE);
    for (text, _) in valid.into_iter().filter(|(_, answer)| scores_enough(answer)) {
        *times.entry(text).or_default() += 1;
    }
    // Of several that were given as often, the first in the order of their texts.
    let most = times.into_iter().rev().max_by_key(|(_, times)| *times);
    let Some((text, times)) = most else { return Err(Dropped::Wrong) };
    let agreed = times as f64 / answers.len().max(rules.repeats as usize) as f64;
    if agreed + NEGLIGIBLE < rules.agreement { Err(Dropped::Disagreed) } else { Ok(text.to_owned()) }
}

/// Which pairs are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairRules {
    /// By how much the better answer scores more, above 0.
    pub margin: f64,
    /// The most pairs of one example.
    pub most: usize,
}

/// A text that was answered, and how it fared.
struct Candidate<'a> {
    text: &'a str,
    times: usize,
    score: f64,
    valid: bool,
}

/// Pairs of a better and a worse answer to one example. The better one is always valid; worse ones that were given more
/// often come first, since they are what the model is to unlearn.
pub fn pairs(answers: &[GradedAnswer], rules: &PairRules) -> Vec<(String, String)> {
    let mut by_text: BTreeMap<&str, (usize, f64, bool)> = BTreeMap::new();
    for answer in answers {
        let (Some(text), Some(score)) = (answer.text.as_deref(), answer.score) else { continue };
        let known = by_text.entry(text).or_insert((0, 0.0, answer.valid));
        *known = (known.0 + 1, known.1 + score, known.2 && answer.valid);
    }
    let candidate = |(text, (times, sum, valid)): (_, (usize, f64, bool))| Candidate {
        text,
        times,
        score: sum / times as f64,
        valid,
    };
    let mut better: Vec<Candidate<'_>> = by_text.into_iter().map(candidate).collect();
    better.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.times.cmp(&a.times)).then(a.text.cmp(b.text)));
    let mut worse: Vec<&Candidate<'_>> = better.iter().collect();
    worse.sort_by(|a, b| b.times.cmp(&a.times).then(b.score.total_cmp(&a.score)).then(a.text.cmp(b.text)));
    let margin = rules.margin.max(NEGLIGIBLE) - NEGLIGIBLE / 2.0;
    let pair = |chosen: &Candidate<'_>, rejected: &Candidate<'_>| {
        let apart = chosen.valid && chosen.text != rejected.text && chosen.score - rejected.score >= margin;
        apart.then(|| (chosen.text.to_owned(), rejected.text.to_owned()))
    };
    let all = worse.iter().flat_map(|rejected| better.iter().filter_map(|chosen| pair(chosen, rejected)));
    // One better answer for each worse one first, then the others.
    let (mut first, mut later): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for (chosen, rejected) in all {
        let is_new = !first.iter().any(|(_, known): &(String, String)| *known == rejected);
        if is_new { first.push((chosen, rejected)) } else { later.push((chosen, rejected)) }
    }
    first.into_iter().chain(later).take(rules.most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(text: &str, valid: bool, score: f64) -> GradedAnswer {
        GradedAnswer { text: (!text.is_empty()).then(|| text.to_owned()), valid, score: Some(score) }
    }

    const STRICT: TeacherRules = TeacherRules { least_score: 1.0, agreement: 1.0, repeats: 1 };

    #[test]
    fn each_filter_says_what_it_dropped() {
        assert_eq!(taught(&[answer("", false, 0.0)], &STRICT), Err(Dropped::Unanswered));
        assert_eq!(taught(&[answer("x", false, 0.0)], &STRICT), Err(Dropped::Invalid));
        assert_eq!(taught(&[answer("x", true, 0.9)], &STRICT), Err(Dropped::Wrong));
        let divided = [answer("a", true, 1.0), answer("b", true, 0.0), answer("a", true, 1.0)];
        assert_eq!(taught(&divided, &STRICT), Err(Dropped::Disagreed));
        let lenient = TeacherRules { agreement: 0.6, ..STRICT };
        assert_eq!(taught(&divided, &lenient).as_deref(), Ok("a"));
        // A repeat without an answer agrees with nothing.
        let gaps = [answer("a", true, 1.0), answer("", false, 0.0)];
        assert_eq!(taught(&gaps, &lenient), Err(Dropped::Disagreed));
        let unfinished = TeacherRules { repeats: 3, ..lenient };
        assert_eq!(taught(&gaps[..1], &unfinished), Err(Dropped::Disagreed), "one of three was asked");
    }

    #[test]
    fn the_commonest_mistake_is_the_first_to_be_unlearned() {
        let answers = [
            answer("right", true, 1.0),
            answer("rare", true, 0.0),
            answer("common", false, 0.0),
            answer("common", false, 0.0),
            answer("partly", true, 0.5),
        ];
        let rules = PairRules { margin: 1.0, most: 1 };
        assert_eq!(pairs(&answers, &rules), [("right".to_owned(), "common".to_owned())]);
        let graded = pairs(&answers, &PairRules { margin: 0.5, most: 9 });
        assert_eq!(graded.len(), 5, "{graded:?}");
        assert!(graded.contains(&("partly".to_owned(), "rare".to_owned())));
        assert!(graded.iter().all(|(chosen, _)| chosen != "common"));
        assert!(pairs(&answers[1..], &rules).is_empty(), "without a right answer there is no pair");
    }

    proptest! {
        #[test]
        fn a_pair_is_of_two_answers_apart_by_the_margin(
            of in prop::collection::vec(("[ab]{0,2}", any::<bool>(), 0_u8..5), 0..12),
            margin in 0.0_f64..1.0,
            most in 0_usize..6,
        ) {
            let answers: Vec<GradedAnswer> =
                of.iter().map(|(text, valid, score)| answer(text, *valid, f64::from(*score) / 4.0)).collect();
            let found = pairs(&answers, &PairRules { margin, most });
            prop_assert!(found.len() <= most);
            for (chosen, rejected) in &found {
                prop_assert_ne!(chosen, rejected);
                let mean = |text: &String| {
                    let scores: Vec<f64> =
                        answers.iter().filter(|a| a.text.as_ref() == Some(text)).filter_map(|a| a.score).collect();
                    scores.iter().sum::<f64>() / scores.len() as f64
                };
                prop_assert!(mean(chosen) - mean(rejected) >= margin - 1e-6 && mean(chosen) > mean(rejected));
            }
        }
    }
}
