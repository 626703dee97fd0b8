//! The ceiling that wrong labels put on accuracy (METHODS.md 8.3).

use super::proportion::{failure_rate_lower, failure_rate_upper, wilson};
use super::{Interval, is_open_unit};

/// Rounding of the discriminant.
const ROUNDING: f64 = 1e-14;

/// Whether a target is below the label ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reachability {
    /// The lower bound of the ceiling reaches the target.
    Reachable,
    /// The upper bound stays below it.
    Unreachable,
    /// Neither, or no audit.
    Unknown,
}

/// Label error rate from the agreement of two independent annotators with `classes` classes (METHODS.md
/// 8.3): the smaller root of `A = (1 − ε)² + ε²/(K − 1)`.
///
/// `None` below the solvable range, or for unusable input. Optimistic when annotators err alike; an
/// audit is preferred.
pub fn label_error_from_agreement(agreement: f64, classes: u32) -> Option<f64> {
    if classes < 2 || !(0.0..=1.0).contains(&agreement) {
        return None;
    }
    let k = f64::from(classes) / (f64::from(classes) - 1.0);
    let apart = 1.0 - agreement;
    let square = 1.0 - k * apart;
    // Agreement exactly as by chance is solvable, whatever rounding says.
    let square = if square.abs() < ROUNDING { 0.0 } else { square };
    (square >= 0.0).then(|| apart / (1.0 + square.sqrt()))
}

/// Ceiling from `pairs` doubly annotated examples of which `agreed` agree: Wilson's interval of the
/// agreement, transformed (METHODS.md 8.3). A part below the solvable range opens the low end to 0.
pub fn label_ceiling_from_agreement(agreed: u64, pairs: u64, classes: u32, alpha: f64) -> Interval {
    if pairs == 0 || agreed > pairs {
        return Interval::UNIT;
    }
    let agreement = wilson(agreed as f64, pairs as f64, alpha);
    let ceiling = |a: f64| label_error_from_agreement(a, classes).map(|error| 1.0 - error);
    Interval { low: ceiling(agreement.low).unwrap_or(0.0), high: ceiling(agreement.high).unwrap_or(1.0) }
}

/// Ceiling from an audit of `audited` randomly chosen labels, `wrong` of them wrong: one minus the
/// one-sided Clopper–Pearson bounds (METHODS.md 8.3). No audit gives [0, 1].
///
/// Not for audits of the model's errors only: they bias the error rate upward.
pub fn label_ceiling_from_audit(wrong: u64, audited: u64, alpha: f64) -> Interval {
    if audited == 0 || wrong > audited || !is_open_unit(alpha) {
        return Interval::UNIT;
    }
    let (x, n) = (wrong as f64, audited as f64);
    Interval { low: 1.0 - failure_rate_upper(x, n, alpha), high: 1.0 - failure_rate_lower(x, n, alpha) }
}

/// Cohen's kappa (Cohen 1960) of two annotators who gave `agreed` of their pairs the same class; `given` has of each
/// class how often the first gave it, and the second. `(A − C) / (1 − C)` with A the share of agreement and C the sum
/// over the classes of the product of both annotators' shares.
///
/// `None` without a pair, where the two did not give equally many, and where both gave one class to everything.
pub fn cohens_kappa(agreed: u64, given: &[(u64, u64)]) -> Option<f64> {
    let n: u64 = given.iter().map(|class| class.0).sum();
    if n == 0 || given.iter().map(|class| class.1).sum::<u64>() != n {
        return None;
    }
    let n = n as f64;
    let by_chance: f64 = given.iter().map(|(first, second)| *first as f64 / n * (*second as f64 / n)).sum();
    (1.0 - by_chance > ROUNDING).then(|| (agreed as f64 / n - by_chance) / (1.0 - by_chance))
}

/// Whether `target` is reachable under a ceiling (METHODS.md 8.3); without audit the ceiling is [0, 1]
/// and the answer unknown.
pub fn reachability(ceiling: Interval, target: f64) -> Reachability {
    if ceiling.low >= target {
        Reachability::Reachable
    } else if ceiling.high < target {
        Reachability::Unreachable
    } else {
        Reachability::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::{close, close_option};

    #[test]
    fn agreement_vectors() {
        for (agreement, classes, error) in [
            (1.0, 2, Some(0.0)),
            (0.9, 2, Some(0.0527864045)),
            (0.82, 5, Some(0.09572732553)),
            (0.95, 10, Some(0.02535721577)),
            (0.4, 2, None),
            (1.0 / 3.0, 3, Some(2.0 / 3.0)),
            (1.0 / 49.0, 49, Some(48.0 / 49.0)),
            (f64::NAN, 2, None),
            (0.9, 1, None),
        ] {
            close_option(label_error_from_agreement(agreement, classes), error);
        }
        assert_eq!(label_ceiling_from_agreement(0, 0, 2, 0.05), Interval::UNIT);
        let some = label_ceiling_from_agreement(90, 100, 2, 0.05);
        assert!(some.contains(0.9472135955));
        assert_eq!(label_ceiling_from_agreement(50, 100, 2, 0.05).low, 0.0);
    }

    #[test]
    fn kappa_is_agreement_beyond_chance() {
        // (0.7 - 0.5) / (1 - 0.5): half by chance.
        close_option(cohens_kappa(35, &[(25, 30), (25, 20)]), Some(0.4));
        close_option(cohens_kappa(50, &[(25, 25), (25, 25)]), Some(1.0));
        close_option(cohens_kappa(2, &[(2, 2), (2, 2)]), Some(0.0));
        close_option(cohens_kappa(9, &[(9, 9), (0, 0)]), None);
        close_option(cohens_kappa(0, &[]), None);
        close_option(cohens_kappa(1, &[(1, 2)]), None);
    }

    #[test]
    fn audits() {
        let clean = label_ceiling_from_audit(0, 59, 0.05);
        close(clean.low, 0.05_f64.powf(1.0 / 59.0));
        assert_eq!(reachability(clean, 0.9), Reachability::Reachable);
        let dirty = label_ceiling_from_audit(30, 100, 0.05);
        assert_eq!(reachability(dirty, 0.9), Reachability::Unreachable);
        let none = label_ceiling_from_audit(0, 0, 0.05);
        assert_eq!(reachability(none, 0.9), Reachability::Unknown);
    }
}
