//! Which variant has the highest accuracy, and which ones cannot be told from it.

use serde::Serialize;

use super::rounds::pair;
use super::{MOST_MISSING, Measurements, VariantMeasurements};
use crate::stats::Interval;
use crate::stats::adjust::holm;
use crate::stats::paired::{PairedVerdict, paired_verdict};
use crate::variant::Retrieve;

/// How a variant's accuracy stands to the highest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The highest accuracy measured; the first of equals.
    Best,
    /// Not shown to be below the best: paired on the same examples, corrected for every pair of variants
    /// (Holm), since the best was chosen by the same answers.
    Tied,
    /// Below the best, beyond chance.
    Behind,
}

/// The standing of each variant, in order; `None` for one without answers, for one that lacks more of its trials than
/// [`MOST_MISSING`], and for a bound such as retrieval that is given the right documents, which nobody can ship.
///
/// Which variant is the best is read off the same answers, so any of the m(m−1)/2 pairs may be among those that are
/// compared: Holm's correction is over all of them, the pairs that are not looked at with p = 1. The chance that any
/// of several equal variants is marked as behind is then at most alpha.
pub(super) fn standings(measured: &Measurements, alpha: f64) -> Vec<Option<Standing>> {
    let stands = |row: &VariantMeasurements| row.accuracy.n > 0 && !is_bound(row) && !lacks_too_much(row);
    let point = |row: &VariantMeasurements| row.accuracy.point.filter(|_| stands(row));
    let mut best: Option<(usize, f64)> = None;
    for (place, row) in measured.variants.iter().enumerate() {
        if let Some(point) = point(row).filter(|point| best.is_none_or(|(_, most)| *point > most)) {
            best = Some((place, point));
        }
    }
    let mut standings = vec![None; measured.variants.len()];
    let Some((best, _)) = best else { return standings };
    standings[best] = Some(Standing::Best);
    let others: Vec<usize> = (0..measured.variants.len())
        .filter(|&place| place != best && point(&measured.variants[place]).is_some())
        .collect();
    let compared = |&place: &usize| pair(measured, &measured.variants[best], &measured.variants[place], alpha);
    let comparisons: Vec<_> = others.iter().map(compared).collect();
    let mut p: Vec<f64> = comparisons.iter().map(|comparison| comparison.p.unwrap_or(1.0)).collect();
    p.resize(others.len() * (others.len() + 1) / 2, 1.0);
    for ((place, comparison), adjusted) in others.into_iter().zip(comparisons).zip(holm(&p)) {
        let interval = Interval { low: comparison.difference.low, high: comparison.difference.high };
        let behind = paired_verdict(interval, adjusted, alpha) == PairedVerdict::Worse;
        standings[place] = Some(if behind { Standing::Behind } else { Standing::Tied });
    }
    standings
}

/// Whether so many trials are missing that what is left says little of the whole.
fn lacks_too_much(row: &VariantMeasurements) -> bool {
    row.missing as f64 > MOST_MISSING * row.outcomes.total() as f64
}

/// Whether a variant only says how far an intervention could go.
fn is_bound(row: &VariantMeasurements) -> bool {
    row.variant.retrieve.as_ref().is_some_and(Retrieve::is_oracle)
}

#[cfg(test)]
mod tests;
