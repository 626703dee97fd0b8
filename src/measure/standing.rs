//! Which variant has the highest accuracy, and which ones cannot be told from it.

use serde::Serialize;

use super::rounds::pair;
use super::{Measurements, VariantMeasurements};
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
    /// Not shown to be below the best: paired on the same examples, corrected for the number of
    /// comparisons (Holm).
    Tied,
    /// Below the best, beyond chance.
    Behind,
}

/// The standing of each variant, in order; `None` for one without answers, and for a bound such as
/// retrieval that is given the right documents, which nobody can ship.
pub(super) fn standings(measured: &Measurements, alpha: f64) -> Vec<Option<Standing>> {
    let point = |row: &VariantMeasurements| row.accuracy.point.filter(|_| row.accuracy.n > 0 && !is_bound(row));
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
    let p: Vec<f64> = comparisons.iter().map(|comparison| comparison.p.unwrap_or(1.0)).collect();
    for ((place, comparison), adjusted) in others.into_iter().zip(comparisons).zip(holm(&p)) {
        let interval = Interval { low: comparison.difference.low, high: comparison.difference.high };
        let behind = paired_verdict(interval, adjusted, alpha) == PairedVerdict::Worse;
        standings[place] = Some(if behind { Standing::Behind } else { Standing::Tied });
    }
    standings
}

/// Whether a variant only says how far an intervention could go.
fn is_bound(row: &VariantMeasurements) -> bool {
    row.variant.retrieve.as_ref().is_some_and(Retrieve::is_oracle)
}

#[cfg(test)]
mod tests;
