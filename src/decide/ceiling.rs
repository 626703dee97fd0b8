//! The ceiling test: have the last prompt rounds stopped to gain (METHODS.md 8.1, 8.2)?
//!
//! It speaks of the prompts that were tried, never of prompting.

use std::collections::BTreeMap;

use serde::Serialize;

use super::evidence::{Evidence, Metric};
use crate::stats::curve::{error_weight, power_law_fit};
use crate::stats::rng::Rng;
use crate::stats::{Answer3, Estimate, Interval};
use crate::variant::{Intervention, VariantId};

/// The last rounds that must have brought nothing, W.
pub(super) const WINDOW: usize = 3;

/// Examples in a prompt from which few-shot counts as tried: question 1 asks for three to five.
const FEW_SHOT_FROM: u32 = 3;

/// A round of which fewer answers than this can be used shows little of its prompt.
const READABLE: f64 = 0.5;

/// Rounds ahead of which the fitted curve is asked.
const ROUNDS_AHEAD: f64 = 3.0;
/// Rounds from which the fitted curve has an interval.
const ROUNDS_FOR_INTERVAL: usize = 6;
/// Resamples of that interval: it is shown and decides nothing.
const CURVES: u32 = 199;

/// One round of prompts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CeilingRound {
    /// Its round, from 1.
    pub round: u32,
    /// The variant that stands for it: untuned, with the fewest interventions.
    pub variant: VariantId,
    /// Its accuracy.
    pub accuracy: Estimate,
}

/// What a prompt gained over an earlier one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WindowGain {
    /// The variant.
    pub variant: VariantId,
    /// The earlier one: of the window, the reference.
    pub over: VariantId,
    /// Its accuracy minus the earlier one's; each end of the interval is one-sided at 1 − alpha.
    pub gain: Estimate,
    /// Whether a gain of `delta_min` or more is excluded.
    pub excluded: bool,
}

/// The learning curve over the rounds, advisory (METHODS.md 8.2).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Extrapolation {
    /// `error = c + a·round^(−b)`: what there was to gain.
    pub a: f64,
    /// Its speed; null where the errors are all equal.
    pub b: Option<f64>,
    /// Its floor.
    pub c: f64,
    /// What the next three rounds would gain by it.
    pub predicted_gain: f64,
    /// 95% range of that by parametric bootstrap; from six rounds on.
    pub predicted_gain_range: Option<Interval>,
}

/// Whether few-shot was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FewShot {
    /// A prompted variant with three examples or more was measured.
    Measured,
    /// None was.
    NotTried,
    /// It is declared impossible.
    Impossible,
}

/// The ceiling test with its figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CeilingTest {
    /// The rounds in order.
    pub rounds: Vec<CeilingRound>,
    /// How many of the last rounds must have brought nothing.
    pub window: u32,
    /// The variant before the window, with which it is compared.
    pub reference: Option<VariantId>,
    /// Each prompt of the window against the reference.
    pub gains: Vec<WindowGain>,
    /// What must be flat as well. The last prompt against the one before it: a climb back from a revision
    /// that broke things is still a climb, though nothing of it shows against the reference. And the same
    /// of every other model and set of interventions with several rounds: plain prompts that cannot be
    /// parsed are flat at nothing, while those with a schema climb.
    pub further: Vec<WindowGain>,
    /// The smallest gain that matters.
    pub delta_min: f64,
    /// C1: whether there are enough rounds.
    pub enough_rounds: bool,
    /// Whether few-shot with three to five examples was tried (question 1).
    pub few_shot: FewShot,
    /// The largest share of schema-valid answers of a round, where all of them are known. Below a half the
    /// rounds are flat at a floor, whatever they say.
    pub most_readable: Option<f64>,
    /// C2: whether no prompt of the window gained `delta_min` or more.
    pub levelled_off: Answer3,
    /// C3: whether the target is missed by every prompted variant.
    pub target_missed: Answer3,
    /// The most that a prompt of the window may have gained: the largest upper bound.
    pub most_gain: Option<f64>,
    /// The fitted curve, from four rounds on.
    pub extrapolation: Option<Extrapolation>,
    /// A prompt of the window that gained for sure.
    pub improving: Option<VariantId>,
    /// Examples that would settle what is open of C2.
    pub n_to_settle: Option<u64>,
}

impl CeilingTest {
    /// Whether the fitted curve foresees a gain that matters: it may turn a ceiling into "unknown".
    pub(super) fn foresees_gain(&self) -> bool {
        self.extrapolation.as_ref().is_some_and(|curve| curve.predicted_gain > self.delta_min)
    }

    /// Whether prompting was tried enough: rounds that can be read, and few-shot.
    pub(super) fn tried_enough(&self) -> bool {
        self.enough_rounds && self.few_shot != FewShot::NotTried && self.unreadable().is_none()
    }

    /// The most that could be read of any round, where that is too little to show anything of a prompt.
    pub fn unreadable(&self) -> Option<f64> {
        self.most_readable.filter(|share| *share < READABLE)
    }
}

/// The variants of each round in order: those with the fewest interventions; of several endpoints the
/// incumbent's. Members of a sweep (over k or temperature) are one round (METHODS.md 8.1, DESIGN.md 13.7).
fn rounds(evidence: &Evidence<'_>) -> BTreeMap<u32, Vec<usize>> {
    let endpoint = evidence.incumbent.map(|place| &evidence.at(place).variant.endpoint);
    let rank = |place: usize| {
        let variant = evidence.at(place).variant;
        (variant.interventions().len(), Some(&variant.endpoint) != endpoint)
    };
    let mut rounds: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for place in evidence.prompted() {
        let known = evidence.has(place, Metric::Accuracy);
        let Some(round) = evidence.at(place).round.filter(|_| known) else { continue };
        let kept = rounds.entry(round).or_default();
        let first = kept.first().copied();
        match first.map(|first| rank(place).cmp(&rank(first))) {
            Some(std::cmp::Ordering::Greater) => continue,
            Some(std::cmp::Ordering::Less) => kept.clear(),
            Some(std::cmp::Ordering::Equal) | None => {}
        }
        let same_endpoint = |other: &usize| evidence.at(*other).variant.endpoint == evidence.at(place).variant.endpoint;
        if kept.first().is_none_or(same_endpoint) {
            kept.push(place);
        }
    }
    rounds
}

fn few_shot(evidence: &Evidence<'_>) -> FewShot {
    let shows = |&place: &usize| {
        let shots = evidence.at(place).variant.shots;
        shots.is_some_and(|shots| shots.k >= FEW_SHOT_FROM) && evidence.has(place, Metric::Accuracy)
    };
    if evidence.prompted().iter().any(shows) {
        FewShot::Measured
    } else if evidence.facts.impossible.iter().any(|name| name == "few-shot") {
        FewShot::Impossible
    } else {
        FewShot::NotTried
    }
}

fn most_readable(evidence: &Evidence<'_>, rounds: &[(u32, usize)]) -> Option<f64> {
    let valid = rounds.iter().map(|&(_, place)| evidence.bounds(place, Metric::Validity, evidence.alpha()).known.mean);
    valid.collect::<Option<Vec<f64>>>()?.into_iter().reduce(f64::max)
}

/// C1 to C3 with their figures.
pub(super) fn test(evidence: &Evidence<'_>, target: f64) -> CeilingTest {
    let (delta, alpha) = (evidence.delta(), evidence.alpha());
    let id = |place: usize| evidence.at(place).variant.id.clone();
    let rounds = rounds(evidence);
    // A round's first member stands for it.
    let firsts: Vec<(u32, usize)> =
        rounds.iter().filter_map(|(round, members)| Some((*round, *members.first()?))).collect();
    let shown = firsts.iter().map(|&(round, place)| CeilingRound {
        round,
        variant: id(place),
        accuracy: evidence.estimate(place, Metric::Accuracy, alpha),
    });
    let mut test = CeilingTest {
        rounds: shown.collect(),
        window: WINDOW as u32,
        reference: None,
        gains: Vec::new(),
        further: Vec::new(),
        delta_min: delta,
        enough_rounds: rounds.len() > WINDOW,
        few_shot: few_shot(evidence),
        most_readable: most_readable(evidence, &firsts),
        levelled_off: Answer3::NotEnoughEvidence,
        target_missed: target_missed(evidence, target),
        most_gain: None,
        extrapolation: extrapolation(evidence, &firsts),
        improving: None,
        n_to_settle: None,
    };
    let Some(split) = firsts.len().checked_sub(WINDOW + 1) else {
        return test;
    };
    let reference = firsts[split].1;
    test.reference = Some(id(reference));
    let mut gain_over = |from: usize, place: usize| {
        let pair = evidence.pair(from, place, Metric::Accuracy, 2.0 * alpha);
        let gain = pair.difference.estimate(2.0 * alpha);
        let excluded = gain.high < delta;
        if !excluded {
            test.n_to_settle = test.n_to_settle.max(pair.n_to_exclude(delta, alpha));
        }
        if gain.low > 0.0 {
            test.improving = Some(id(place));
        }
        WindowGain { variant: id(place), over: id(from), gain, excluded }
    };
    let window = rounds.values().skip(split + 1).flatten();
    let gains: Vec<WindowGain> = window.map(|&place| gain_over(reference, place)).collect();
    let further: Vec<WindowGain> =
        further_pairs(evidence, &firsts).into_iter().map(|(from, place)| gain_over(from, place)).collect();
    test.most_gain = gains.iter().map(|gain| gain.gain.high).reduce(f64::max);
    (test.gains, test.further) = (gains, further);
    let mut tested = test.gains.iter().chain(&test.further);
    test.levelled_off = if tested.clone().all(|gain| gain.excluded) {
        Answer3::Yes
    } else if tested.any(|gain| gain.gain.low > delta) {
        Answer3::No
    } else {
        Answer3::NotEnoughEvidence
    };
    test
}

/// The pairs beyond the window and its reference: the last step of the rounds, and window and last step of
/// every other family of variants, that is those of one model with the same interventions.
fn further_pairs(evidence: &Evidence<'_>, rounds: &[(u32, usize)]) -> Vec<(usize, usize)> {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    let places: Vec<usize> = rounds.iter().map(|round| round.1).collect();
    pairs.extend(places.windows(2).last().map(|step| (step[0], step[1])));
    let mut families: BTreeMap<(String, Vec<Intervention>), BTreeMap<u32, usize>> = BTreeMap::new();
    for place in evidence.prompted_with(Metric::Accuracy) {
        let variant = evidence.at(place).variant;
        if let Some(round) = evidence.at(place).round {
            let family = families.entry((variant.endpoint.to_string(), variant.interventions())).or_default();
            family.entry(round).or_insert(place);
        }
    }
    for family in families.into_values().map(|family| family.into_values().collect::<Vec<usize>>()) {
        if family == places {
            continue;
        }
        if let Some(split) = family.len().checked_sub(WINDOW + 1) {
            pairs.extend(family[split + 1..].iter().map(|&place| (family[split], place)));
        }
        pairs.extend(family.windows(2).last().map(|step| (step[0], step[1])));
    }
    let mut known: Vec<(usize, usize)> = Vec::new();
    pairs.retain(|pair| {
        let fresh = !known.contains(pair);
        known.push(*pair);
        fresh
    });
    pairs
}

/// C3: each prompted variant's upper bound is under the target; each at alpha (METHODS.md 0.2).
fn target_missed(evidence: &Evidence<'_>, target: f64) -> Answer3 {
    let prompted = evidence.prompted_with(Metric::Accuracy);
    let bounds = |place: usize| evidence.bounds(place, Metric::Accuracy, evidence.alpha()).interval;
    let missed = |&place: &usize| evidence.usable(place) && bounds(place).high < target;
    let among = prompted.len() as f64;
    let met = |&place: &usize| {
        let corrected = evidence.bounds(place, Metric::Accuracy, evidence.alpha() / among).interval;
        evidence.usable(place) && corrected.low >= target
    };
    if prompted.is_empty() {
        Answer3::NotEnoughEvidence
    } else if prompted.iter().all(missed) {
        Answer3::Yes
    } else if prompted.iter().any(met) {
        Answer3::No
    } else {
        Answer3::NotEnoughEvidence
    }
}

/// The power law over the rounds (METHODS.md 8.2), from four rounds on.
fn extrapolation(evidence: &Evidence<'_>, rounds: &[(u32, usize)]) -> Option<Extrapolation> {
    let known = |place: usize| {
        let known = evidence.bounds(place, Metric::Accuracy, evidence.alpha()).known;
        Some((1.0 - known.mean?, known.n_eff?))
    };
    let points: Vec<(f64, f64)> = rounds.iter().filter_map(|&(_, place)| known(place)).collect();
    let at: Vec<f64> = (1..=points.len()).map(|round| round as f64).collect();
    let errors: Vec<f64> = points.iter().map(|point| point.0).collect();
    let weights: Vec<f64> = points.iter().map(|&(error, n)| error_weight(error, n)).collect();
    let gain = |errors: &[f64]| {
        let fit = power_law_fit(&at, errors, &weights).ok()?;
        let last = at.len() as f64;
        Some((fit, fit.predict(last) - fit.predict(last + ROUNDS_AHEAD)))
    };
    let (fit, predicted_gain) = gain(&errors)?;
    let range = (points.len() >= ROUNDS_FOR_INTERVAL).then(|| {
        let mut rng = Rng::new(evidence.facts.statistics.seed);
        let mut gains: Vec<f64> = (0..CURVES)
            .filter_map(|_| {
                let draw = |(round, &(_, n)): (&f64, &(f64, f64))| redrawn(&mut rng, fit.predict(*round), n);
                let drawn: Vec<f64> = at.iter().zip(&points).map(draw).collect();
                gain(&drawn).map(|(_, gain)| gain)
            })
            .collect();
        gains.sort_by(f64::total_cmp);
        let place = |share: f64| ((gains.len() as f64 * share) as usize).min(gains.len().saturating_sub(1));
        let end = |share: f64| gains.get(place(share)).copied().unwrap_or(predicted_gain);
        Interval { low: end(0.025), high: end(0.975) }
    });
    Some(Extrapolation { a: fit.a, b: fit.b, c: fit.c, predicted_gain, predicted_gain_range: range })
}

/// An error rate of `n` examples drawn anew around `error`: its normal approximation, kept in [0, 1].
fn redrawn(rng: &mut Rng, error: f64, n: f64) -> f64 {
    let spread = (error * (1.0 - error) / n.max(1.0)).max(0.0).sqrt();
    let z = crate::stats::special::normal_quantile(rng.unit().clamp(1e-12, 1.0 - 1e-12));
    (error + spread * z).clamp(0.0, 1.0)
}
