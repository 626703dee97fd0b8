//! How often the gate fails with nothing changed: one variant against itself (METHODS.md 10).

use serde::Serialize;

use super::calls::GateSide;
use super::metric::GateLevels;
use super::verdict::{GateAnswer, VariantVerdict, settle};
use crate::stats::proportion::failure_rate_upper;
use crate::suite::GateRules;

/// What came of gating a system against itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// The variant.
    pub variant: String,
    /// Pairs of runs that were gated.
    pub pairs: u64,
    /// Pairs that held.
    pub held: u64,
    /// Pairs without enough evidence.
    pub not_enough_evidence: u64,
    /// Pairs that regressed, before any confirmation.
    pub alarms: u64,
    /// The highest rate of alarms that so few still allow (Clopper–Pearson, one-sided 95%).
    pub alarms_upper: f64,
    /// Alarms that the next pair confirms.
    pub confirmed: u64,
}

/// Repeats to ask of each example for so many pairs of `repeats` each.
pub fn repeats_needed(pairs: u32, repeats: u32) -> u32 {
    pairs.saturating_mul(2).saturating_mul(repeats.max(1))
}

/// Gates a side's repeats against each other, `repeats` at a time.
pub fn calibrate(
    (variant, side): (&str, &GateSide),
    (pairs, repeats): (u32, u32),
    rules: &GateRules,
    levels: &GateLevels,
) -> Calibration {
    let size = repeats.max(1) as usize;
    let part = |number: usize| side.with_repeats(&(number * size..(number + 1) * size));
    let gated: Vec<VariantVerdict> = (0..pairs as usize)
        .map(|pair| {
            let mut one = [VariantVerdict::of(variant, &part(2 * pair), &part(2 * pair + 1), rules, levels)];
            settle(&mut one, levels);
            let [one] = one;
            one
        })
        .collect();
    let count = |answer| gated.iter().filter(|one| one.answer == answer).count() as u64;
    let again = |place: usize, one: &VariantVerdict| {
        let next = gated.get((place + 1) % gated.len()).map(VariantVerdict::regressed).unwrap_or_default();
        gated.len() > 1 && one.regressed().iter().any(|metric| next.contains(metric))
    };
    Calibration {
        variant: variant.to_owned(),
        pairs: u64::from(pairs),
        held: count(GateAnswer::Held),
        not_enough_evidence: count(GateAnswer::NotEnoughEvidence),
        alarms: count(GateAnswer::Regressed),
        alarms_upper: failure_rate_upper(count(GateAnswer::Regressed) as f64, f64::from(pairs), 0.05),
        confirmed: gated.iter().enumerate().filter(|(place, one)| again(*place, one)).count() as u64,
    }
}
