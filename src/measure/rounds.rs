//! The prompts in order: what each revision fixed and broke, and what became of each failure of the
//! first one (DESIGN.md 13.7).
//!
//! An answer is right from a score of 0.5 on, a mean over repeats among them; differences are of
//! the scores themselves.

use std::collections::BTreeMap;

use serde::Serialize;

use super::anytime::at_any_stop;
use super::compare::{Comparison, compare};
use super::{Measurements, VariantMeasurements, steps};
use crate::provider::EndpointId;
use crate::stats::Estimate;
use crate::stats::paired::PairedVerdict;
use crate::variant::VariantId;

/// Examples that a list names at most; their number is always whole.
pub const MAX_IDS: usize = 1000;

/// From this score on an answer is right.
pub const RIGHT: f32 = 0.5;

/// The examples' names by place, in one piece: a run may have a million.
#[derive(Debug, Clone, Default)]
pub(super) struct ExampleIds {
    text: String,
    spans: Vec<(u32, u32)>,
}

impl ExampleIds {
    pub(super) fn set(&mut self, place: usize, id: &str) {
        let (Ok(start), Ok(length)) = (u32::try_from(self.text.len()), u32::try_from(id.len())) else { return };
        if self.spans.len() <= place {
            self.spans.resize(place + 1, (0, 0));
        }
        self.text.push_str(id);
        self.spans[place] = (start, length);
    }

    pub(super) fn get(&self, place: usize) -> &str {
        let (start, length) = self.spans.get(place).copied().unwrap_or_default();
        self.text.get(start as usize..start as usize + length as usize).unwrap_or_default()
    }
}

/// Examples by name: all of them counted, the first [`MAX_IDS`] named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Examples {
    /// How many.
    pub count: u64,
    /// Their ids, in the order of the data.
    pub ids: Vec<String>,
}

impl Examples {
    fn of(places: impl Iterator<Item = usize>, ids: &ExampleIds) -> Self {
        let mut examples = Self::default();
        for place in places {
            examples.count += 1;
            if examples.ids.len() < MAX_IDS {
                examples.ids.push(ids.get(place).to_owned());
            }
        }
        examples
    }
}

/// One round against the one before it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoundStep {
    /// Its round, from 1.
    pub round: u32,
    /// The variant that stands for it: the one with the fewest interventions.
    pub variant: VariantId,
    /// Its accuracy.
    pub accuracy: Estimate,
    /// What it changed; `None` for the first.
    pub change: Option<RoundChange>,
}

/// What a revision changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoundChange {
    /// The round before.
    pub from: VariantId,
    /// Whether the two differ in more than the prompt: interventions, or request parameters.
    pub else_differs: Option<String>,
    /// Wrong before and right now.
    pub fixed: Examples,
    /// Right before and wrong now.
    pub broken: Examples,
    /// Accuracy minus the round before's, on the examples that both have.
    pub difference: Estimate,
    /// Two-sided p-value of no difference.
    pub p: Option<f64>,
    /// Better, worse, or not enough evidence.
    pub verdict: PairedVerdict,
}

/// Failures of the first round that a later one fixed first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FixedIn {
    /// The round.
    pub round: u32,
    /// Right in it for the first time.
    pub fixed: Examples,
    /// Of these, right in every later round too.
    pub stayed: u64,
}

/// The rounds of one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    /// Who answers.
    pub endpoint: EndpointId,
    /// The rounds in order.
    pub rounds: Vec<RoundStep>,
    /// Examples that every round has a score for.
    pub examples: u64,
    /// Of these, examples that the first round got wrong.
    pub wrong_at_first: u64,
    /// Where they were fixed first; rounds that fixed none are in it.
    pub fixed_in: Vec<FixedIn>,
    /// Wrong in every round.
    pub never_fixed: Examples,
}

/// One history for each endpoint that answered several rounds, in the suite's order.
pub(super) fn histories(measured: &Measurements, ids: &ExampleIds, alpha: f64) -> Vec<History> {
    let mut endpoints: Vec<&EndpointId> = Vec::new();
    for row in &measured.variants {
        if !endpoints.contains(&&row.variant.endpoint) {
            endpoints.push(&row.variant.endpoint);
        }
    }
    let history = |endpoint| {
        let rows = of_each_round(measured, endpoint);
        (rows.len() > 1).then(|| history(measured, endpoint, &rows, ids, alpha))
    };
    endpoints.into_iter().filter_map(history).collect()
}

/// Each round's untuned variant with the fewest interventions; the first of equals.
fn of_each_round<'a>(measured: &'a Measurements, endpoint: &EndpointId) -> Vec<&'a VariantMeasurements> {
    let mut rounds: BTreeMap<u32, &VariantMeasurements> = BTreeMap::new();
    for row in &measured.variants {
        let is_in = row.variant.endpoint == *endpoint && row.variant.tuned.is_none();
        let Some(round) = row.round.filter(|_| is_in && row.scores.is_known()) else { continue };
        let kept = rounds.entry(round).or_insert(row);
        if row.variant.interventions().len() < kept.variant.interventions().len() {
            *kept = row;
        }
    }
    rounds.into_values().collect()
}

fn history(
    measured: &Measurements,
    endpoint: &EndpointId,
    rows: &[&VariantMeasurements],
    ids: &ExampleIds,
    alpha: f64,
) -> History {
    let step = |place: usize| RoundStep {
        round: rows[place].round.unwrap_or_default(),
        variant: rows[place].variant.id.clone(),
        accuracy: rows[place].accuracy,
        change: place.checked_sub(1).map(|before| change(measured, rows[before], rows[place], ids, alpha)),
    };
    // By example: whether each round got it right; only examples that all rounds have.
    let right = |example: usize| {
        let scores = rows.iter().map(|row| row.scores.get(example).map(is_right));
        scores.collect::<Option<Vec<bool>>>()
    };
    let (mut examples, mut wrong_at_first) = (0, 0);
    let mut never = Vec::new();
    let mut fixed: Vec<(Vec<usize>, u64)> = vec![Default::default(); rows.len()];
    for example in 0..measured.clusters.len() {
        let Some(right) = right(example) else { continue };
        examples += 1;
        if right[0] {
            continue;
        }
        wrong_at_first += 1;
        match right.iter().position(|right| *right) {
            None => never.push(example),
            Some(round) => {
                fixed[round].0.push(example);
                fixed[round].1 += u64::from(right[round..].iter().all(|right| *right));
            }
        }
    }
    let fixed_in = fixed.into_iter().zip(rows).skip(1).map(|((places, stayed), row)| FixedIn {
        round: row.round.unwrap_or_default(),
        fixed: Examples::of(places.into_iter(), ids),
        stayed,
    });
    History {
        endpoint: endpoint.clone(),
        rounds: (0..rows.len()).map(step).collect(),
        examples,
        wrong_at_first,
        fixed_in: fixed_in.collect(),
        never_fixed: Examples::of(never.into_iter(), ids),
    }
}

fn change(
    measured: &Measurements,
    before: &VariantMeasurements,
    after: &VariantMeasurements,
    ids: &ExampleIds,
    alpha: f64,
) -> RoundChange {
    let Comparison { difference, p, verdict, .. } = pair(measured, before, after, alpha);
    let (fixed, broken) = fixed_and_broken(before, after);
    RoundChange {
        from: before.variant.id.clone(),
        else_differs: else_differs(before, after),
        fixed: Examples::of(fixed.into_iter(), ids),
        broken: Examples::of(broken.into_iter(), ids),
        difference,
        p,
        verdict,
    }
}

/// What differs besides the prompt.
fn else_differs(before: &VariantMeasurements, after: &VariantMeasurements) -> Option<String> {
    let (a, b) = (&before.variant, &after.variant);
    let interventions = (!steps::alike(a, b)).then_some("interventions");
    let parameters = (a.params != b.params).then_some("parameters");
    let others: Vec<&str> = [interventions, parameters].into_iter().flatten().collect();
    (!others.is_empty()).then(|| others.join(" and "))
}

/// The scores of two variants, paired.
pub(super) fn pair(
    measured: &Measurements,
    a: &VariantMeasurements,
    b: &VariantMeasurements,
    alpha: f64,
) -> Comparison {
    let compared = compare(&a.scores, &b.scores, &measured.clusters, measured.repeats, measured.clustered, alpha);
    at_any_stop(measured, compared, (&a.scores, &b.scores), alpha)
}

/// Places of the examples that are wrong in A and right in B, and the other way round.
pub(super) fn fixed_and_broken(a: &VariantMeasurements, b: &VariantMeasurements) -> (Vec<usize>, Vec<usize>) {
    let (mut fixed, mut broken) = (Vec::new(), Vec::new());
    for (place, (a, b)) in a.scores.iter().zip(b.scores.iter()).enumerate() {
        match (a.map(is_right), b.map(is_right)) {
            (Some(false), Some(true)) => fixed.push(place),
            (Some(true), Some(false)) => broken.push(place),
            _ => {}
        }
    }
    (fixed, broken)
}

fn is_right(score: f32) -> bool {
    score >= RIGHT
}

#[cfg(test)]
mod tests;
