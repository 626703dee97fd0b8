//! The trained baseline against a run's variants, on the same examples.

use serde::Serialize;

use crate::measure::contrast::{Correction, PairedScores, Rules, contrast, correct};
use crate::stats::Estimate;
use crate::stats::paired::PairedVerdict;
use crate::suite::Statistics;

/// A variant of a run with its scores beside the baseline's: `a` is the variant, `b` the baseline.
#[derive(Debug, Clone)]
pub struct Rival {
    /// Its name.
    pub variant: String,
    /// Whether its model was tuned.
    pub tuned: bool,
    /// Scores on the examples that both have.
    pub pairs: PairedScores,
    /// Whether too many of its answers are missing for a verdict (METHODS.md 0.4).
    pub too_many_missing: bool,
}

/// How the baseline stands to the variants of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Versus {
    /// The run.
    pub run: String,
    /// Which baseline: of several, the one with the highest cross-validated accuracy on the pool.
    pub baseline: String,
    /// Against the prompted variant with the highest accuracy; `None` where the run has none.
    pub best_prompted: Option<Against>,
    /// Against each tuned variant (Holm over them).
    pub tuned: Vec<Against>,
}

/// How the baseline stands to one variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    /// The variant.
    pub variant: String,
    /// Examples that both have a score for.
    pub n: u64,
    /// The variant's accuracy on them.
    pub accuracy: Estimate,
    /// The baseline's.
    pub baseline: Estimate,
    /// Baseline minus variant.
    pub difference: Estimate,
    /// Two-sided p-value of no difference, adjusted where several variants are compared.
    pub p: Option<f64>,
    /// Where the baseline stands.
    pub stands: Stands,
    /// What that says, in words.
    pub says: String,
}

/// Where the trained baseline stands to a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stands {
    /// Higher accuracy, beyond doubt.
    Above,
    /// Lower accuracy, beyond doubt.
    Below,
    /// The examples do not tell.
    NotDistinguishable,
}

/// Compares.
pub fn versus(run: &str, baseline: &str, rivals: &[Rival], statistics: Statistics) -> Versus {
    let mean = |rival: &Rival| rival.pairs.a.iter().sum::<f64>() / (rival.pairs.a.len() as f64).max(1.0);
    let prompted = || rivals.iter().filter(|rival| !rival.tuned && !rival.pairs.a.is_empty());
    // Of equals the first.
    let highest = |best, other| if mean(other) > mean(best) { other } else { best };
    // One with a handful of answers may have all of them right: it is set against only where there is no other.
    let answered = prompted().filter(|rival| !rival.too_many_missing).reduce(highest);
    let best = answered.or_else(|| prompted().reduce(highest));
    let tuned: Vec<&Rival> = rivals.iter().filter(|rival| rival.tuned && !rival.pairs.a.is_empty()).collect();
    Versus {
        run: run.to_owned(),
        baseline: baseline.to_owned(),
        best_prompted: best.and_then(|best| family(&[best], statistics).pop()),
        tuned: family(&tuned, statistics),
    }
}

fn family(rivals: &[&Rival], statistics: Statistics) -> Vec<Against> {
    let Statistics { alpha, seed, .. } = statistics;
    let rules = |rival: &Rival| Rules {
        alpha,
        seed,
        tests: rivals.len(),
        margin: None,
        too_many_missing: rival.too_many_missing,
    };
    let mut found: Vec<_> = rivals.iter().map(|rival| contrast(&rival.pairs, &rules(rival))).collect();
    correct(&mut found, Correction::Holm, alpha);
    let against = |(rival, found): (&&Rival, crate::measure::contrast::Contrast)| {
        let stands = match found.verdict {
            PairedVerdict::Better => Stands::Above,
            PairedVerdict::Worse => Stands::Below,
            PairedVerdict::NotEnoughEvidence => Stands::NotDistinguishable,
        };
        Against {
            variant: rival.variant.clone(),
            n: found.n,
            accuracy: found.a,
            baseline: found.b,
            difference: found.difference,
            p: found.p_adjusted,
            stands,
            says: says(rival, stands),
        }
    };
    rivals.iter().zip(found).map(against).collect()
}

fn says(rival: &Rival, stands: Stands) -> String {
    let name = &rival.variant;
    match (rival.tuned, stands) {
        (false, Stands::Above) => format!("the trained baseline is above the best prompted variant, `{name}`"),
        (false, Stands::Below) => format!("the trained baseline is below the best prompted variant, `{name}`"),
        (false, Stands::NotDistinguishable) => {
            format!("the trained baseline cannot be told from the best prompted variant, `{name}`")
        }
        (true, Stands::Above) => format!("`{name}` is below what these labels support: train on"),
        (true, Stands::Below) => format!("`{name}` is above the trained baseline"),
        (true, Stands::NotDistinguishable) => format!("`{name}` cannot be told from the trained baseline"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rival(variant: &str, tuned: bool, right: usize) -> Rival {
        let a = (0..100).map(|example| f64::from(u8::from(example < right))).collect();
        let b = (0..100).map(|example| f64::from(u8::from(example < 60))).collect();
        Rival { variant: variant.to_owned(), tuned, pairs: PairedScores::single(a, b), too_many_missing: false }
    }

    #[test]
    fn the_best_prompted_variant_and_every_tuned_one_are_set_against_the_baseline() {
        let rivals =
            [rival("v1", false, 10), rival("v2", false, 58), rival("early", true, 40), rival("late", true, 85)];
        let found = versus("run-1", "words", &rivals, Statistics::default());
        let best = found.best_prompted.unwrap();
        assert_eq!((best.variant.as_str(), best.stands), ("v2", Stands::NotDistinguishable));
        let tuned: Vec<(&str, Stands)> = found.tuned.iter().map(|of| (of.variant.as_str(), of.stands)).collect();
        assert_eq!(tuned, [("early", Stands::Above), ("late", Stands::Below)]);
        assert_eq!(found.tuned[0].says, "`early` is below what these labels support: train on");
        assert!(found.tuned[0].difference.low > 0.0);
    }

    #[test]
    fn a_run_with_too_many_missing_answers_decides_nothing() {
        let missing = Rival { too_many_missing: true, ..rival("early", true, 10) };
        let found = versus("run-1", "words", &[missing], Statistics::default());
        assert_eq!(found.tuned[0].stands, Stands::NotDistinguishable);
        assert!(found.best_prompted.is_none());
    }

    #[test]
    fn a_prompt_with_few_answers_is_the_best_only_where_there_is_no_other() {
        let few = Rival { too_many_missing: true, ..rival("few", false, 95) };
        let best = |rivals: &[Rival]| {
            versus("run-1", "words", rivals, Statistics::default()).best_prompted.map(|best| best.variant)
        };
        assert_eq!(best(&[few.clone(), rival("v1", false, 10)]).as_deref(), Some("v1"));
        assert_eq!(best(&[few]).as_deref(), Some("few"));
    }
}
