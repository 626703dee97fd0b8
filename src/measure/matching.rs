//! Sides of a comparison brought onto the examples that all of them have: what is only on one side,
//! was changed between them, or lacks a score on one is dropped from all, and counted by reason
//! (METHODS.md 0.4, 0.6, 2.5).

use super::MOST_MISSING;
use super::compare::NO_DIFFERENCE;
use std::collections::HashMap;

use serde::Serialize;

use super::contrast::PairedScores;
use super::roster::Roster;
use super::side::{Metric, Side};
use super::slices::CLASS_TAG;

/// Slices that are compared at most, the largest first: each one more makes the others harder to see.
const MAX_SLICES: usize = 200;

/// Examples that are in no figure, by reason. One that several sides lack counts for each of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Dropped {
    /// All of them, by id.
    pub examples: u64,
    /// Same id, another input or expected answer.
    pub changed: u64,
    /// Asked of others, but not of this side; by side.
    pub not_asked: Vec<u64>,
    /// Without an answer on this side: infrastructure failures; by side.
    pub missing: Vec<u64>,
    /// Answered, but the scorer could not run; by side.
    pub unscored: Vec<u64>,
}

/// The examples that several sides have in common.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matching {
    /// Their places, each scored on every side.
    pub places: Vec<u32>,
    /// Examples that all sides were asked alike, scored or not.
    pub common: u64,
    /// What is left out.
    pub dropped: Dropped,
}

/// Whether more than 1% of a side's calls are missing.
pub fn lacks_too_many(side: &Side) -> bool {
    let counts = side.counts();
    counts.missing as f64 > MOST_MISSING * counts.trials as f64
}

/// The examples that all `sides` have a score for.
pub fn matching(roster: &Roster, sides: &[&Side], metric: Metric) -> Matching {
    let none = vec![0; sides.len()];
    let dropped = Dropped { not_asked: none.clone(), missing: none.clone(), unscored: none, ..Dropped::default() };
    let mut found = Matching { dropped, ..Matching::default() };
    // By the first version of an id: sides that were asked some version that not all were.
    let mut partly: Vec<u16> = vec![0; roster.len()];
    for place in 0..roster.len() {
        let asked = sides.iter().filter(|side| side.asked(place)).count();
        if asked < sides.len() {
            partly[roster.first(place)] += asked as u16;
            continue;
        }
        found.common += 1;
        let mut whole = true;
        for (index, side) in sides.iter().enumerate() {
            if side.mean(metric, place).is_some() {
                continue;
            }
            whole = false;
            let reason = if side.is_missing(place) { &mut found.dropped.missing } else { &mut found.dropped.unscored };
            reason[index] += 1;
        }
        if whole {
            found.places.push(place as u32);
        }
        found.dropped.examples += u64::from(!whole);
    }
    let everyone = sides.len() as u16;
    found.dropped.changed = partly.iter().filter(|asked| **asked >= everyone).count() as u64;
    let absent = partly.iter().filter(|asked| (1..everyone).contains(*asked)).count() as u64;
    found.dropped.examples += found.dropped.changed + absent;
    for (index, side) in sides.iter().enumerate() {
        let asked = |place: &usize| side.asked(*place) && (1..everyone).contains(&partly[roster.first(*place)]);
        found.dropped.not_asked[index] = absent - (0..roster.len()).filter(asked).count() as u64;
    }
    found
}

/// The difference B − A over all examples that both were asked alike, if what lacks a score had come
/// out against B everywhere, and if for it; `None` where nothing lacks one.
pub fn difference_bounds(roster: &Roster, [a, b]: [&Side; 2], metric: Metric) -> Option<[f64; 2]> {
    let (mut low, mut high, mut examples, mut open) = (0.0, 0.0, 0_u64, false);
    for place in (0..roster.len()).filter(|place| a.asked(*place) && b.asked(*place)) {
        let score = |side: &Side| side.mean(metric, place).map(|(mean, _)| mean);
        let (a, b) = (score(a), score(b));
        open |= a.is_none() || b.is_none();
        low += b.unwrap_or(0.0) - a.unwrap_or(1.0);
        high += b.unwrap_or(1.0) - a.unwrap_or(0.0);
        examples += 1;
    }
    open.then(|| [low / examples as f64, high / examples as f64])
}

/// The scores of two sides at these places.
pub fn pairs(roster: &Roster, [a, b]: [&Side; 2], metric: Metric, places: &[u32]) -> PairedScores {
    let mut paired = PairedScores::default();
    for place in places.iter().map(|place| *place as usize) {
        let (Some((a, calls_a)), Some((b, calls_b))) = (a.mean(metric, place), b.mean(metric, place)) else { continue };
        paired.a.push(a);
        paired.b.push(b);
        paired.clusters.push(roster.cluster(place));
        paired.calls[0] += calls_a;
        paired.calls[1] += calls_b;
        paired.paired_calls += calls_a.min(calls_b);
        paired.repeated |= calls_a.max(calls_b) > 1;
    }
    paired
}

/// The examples of one tag's value, or of one expected class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlicePlaces {
    /// The tag, or `label` for the expected class.
    pub tag: String,
    /// Its value.
    pub value: String,
    /// The places.
    pub places: Vec<u32>,
}

/// The slices of these places, the largest first; of one tag alone where it is named. A slice of all
/// of them says nothing more than the whole and is left out. The second value is how many slices
/// were left out because they are too many.
pub fn slices(roster: &Roster, places: &[u32], tag: Option<&str>) -> (Vec<SlicePlaces>, u64) {
    let mut found: Vec<SlicePlaces> = Vec::new();
    let mut numbers: HashMap<u32, usize> = HashMap::new();
    for (name, value, number) in roster.slices().filter(|(name, _, _)| tag.is_none_or(|tag| tag == *name)) {
        numbers.insert(number, found.len());
        found.push(SlicePlaces { tag: name.to_owned(), value: value.to_owned(), places: Vec::new() });
    }
    for place in places {
        for slice in roster.slices_of(*place as usize).iter().filter_map(|number| numbers.get(number)) {
            found[*slice].places.push(*place);
        }
    }
    found.retain(|slice| !slice.places.is_empty() && slice.places.len() < places.len());
    // Classes after tags where they are as large; else by name.
    found.sort_by(|a, b| {
        b.places.len().cmp(&a.places.len()).then_with(|| (a.tag == CLASS_TAG).cmp(&(b.tag == CLASS_TAG)))
    });
    let left_out = found.len().saturating_sub(MAX_SLICES) as u64;
    found.truncate(MAX_SLICES);
    (found, left_out)
}

/// How two sides were asked these examples: in the very same words, and whether both have the very
/// same stored answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sameness {
    /// Examples.
    pub examples: u64,
    /// Put to both in the very same request.
    pub same_requests: u64,
    /// One and the same stored answer on both sides.
    pub same_answers: u64,
}

/// See [`Sameness`].
pub fn sameness([a, b]: [&Side; 2], places: &[u32]) -> Sameness {
    let count = |alike: fn(&Side, &Side, usize) -> bool| {
        places.iter().filter(|place| alike(a, b, **place as usize)).count() as u64
    };
    Sameness {
        examples: places.len() as u64,
        same_requests: count(Side::asked_alike),
        same_answers: count(Side::shares_answers),
    }
}

/// An example on which two sides score differently.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flip {
    /// Its place.
    pub place: u32,
    /// A's score.
    pub a: f64,
    /// B's score.
    pub b: f64,
}

/// The examples among `places` on which the scores differ, in no order.
pub fn flips([a, b]: [&Side; 2], metric: Metric, places: &[u32]) -> Vec<Flip> {
    let flip = |place: &u32| {
        let score = |side: &Side| side.mean(metric, *place as usize).map(|(mean, _)| mean);
        let flip = Flip { place: *place, a: score(a)?, b: score(b)? };
        ((flip.b - flip.a).abs() >= NO_DIFFERENCE).then_some(flip)
    };
    places.iter().filter_map(flip).collect()
}

#[cfg(test)]
mod tests;
