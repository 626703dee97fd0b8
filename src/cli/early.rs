//! Runs that may stop early: the order of their examples, and what the store has of it.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::measuring::places;
use super::part::as_asked;
use crate::diagnostic::Diagnostics;
use crate::digest::Digest;
use crate::error::Error;
use crate::measure::anytime::Early;
use crate::measure::grade::Grader;
use crate::measure::stopping::{Design, Observed, Stopping, is_graded};
use crate::plan::shuffle::{self, Place};
use crate::store::Store;
use crate::suite::{Example, Suite};

/// The key of a run's options that says that it may stop early, and in what order it asks.
const OPTION: &str = "stop_when_decided";

/// What a run's options say of it.
pub(super) fn option(seed: u64) -> (&'static str, Value) {
    (OPTION, json!({"seed": seed}))
}

/// Whether variants of a run with these options may have stopped before the last example.
pub(super) fn may_stop(options: &str) -> bool {
    let options: Value = serde_json::from_str(options).unwrap_or_default();
    options.get(OPTION).is_some()
}

/// The order in which examples are asked.
pub(super) struct Order {
    places: HashMap<Digest, u32>,
    steps: Vec<u32>,
}

impl Order {
    /// The order of these rows: each example's place and digest.
    fn of(mut rows: Vec<(Place, Digest)>) -> Self {
        rows.sort_unstable();
        rows.dedup();
        let mut steps: Vec<u32> = Vec::with_capacity(rows.len());
        for (index, (place, _)) in rows.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| (rows[before].0.cluster, steps[before]));
            steps.push(before.map_or(0, |(cluster, step)| step + u32::from(cluster != place.cluster)));
        }
        let places = rows.into_iter().enumerate().map(|(index, (_, digest))| (digest, index as u32)).collect();
        Self { places, steps }
    }

    /// The order of examples that are in it already.
    pub(super) fn of_shuffled(seed: u64, examples: &[Example]) -> Self {
        Self::of(examples.iter().map(|example| (shuffle::place(seed, example), digest(example))).collect())
    }

    /// Examples.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Where an example stands.
    pub(super) fn place(&self, example: &Digest) -> Option<usize> {
        self.places.get(example).map(|place| *place as usize)
    }

    /// What is to be decided in this order; `comparable` says whether times are.
    pub(super) fn design(&self, suite: &Suite, grader: &Grader, comparable: bool) -> Design {
        Design {
            steps: self.steps.clone(),
            repeats: suite.repeats.max(1),
            graded: suite.scorers.first().is_some_and(|scorer| is_graded(&scorer.kind)),
            alpha: suite.statistics.alpha,
            goals: Design::goals(suite, |variant| grader.checks_validity(variant), comparable),
        }
    }
}

/// The digest under which the store keeps an example.
pub(super) fn digest(example: &Example) -> Digest {
    Digest::of(serde_json::to_string(example).unwrap_or_default().as_bytes())
}

/// A run in the store that might stop early.
pub(super) struct EarlyRun {
    seed: u64,
    order: Order,
    /// By variant: examples from the start of the order of which every trial is there.
    whole: Vec<usize>,
    asked: Vec<u64>,
    rule: Stopping,
}

impl EarlyRun {
    /// The run, if its options say that it might stop early. Its order is that of the suite's
    /// examples as they stand now; where these are no longer those that were asked, it is that of the
    /// examples in the store, and a gap that all variants share cannot be seen.
    pub(super) fn of(
        store: &Store,
        run: i64,
        (suite, grader): (&Suite, &Grader),
        comparable: bool,
    ) -> Result<Option<Self>, Error> {
        let options: Value = serde_json::from_str(&store.options(run)?).unwrap_or_default();
        let Some(seed) = options[OPTION]["seed"].as_u64() else { return Ok(None) };
        let order = order_of(store, run, suite, (&options, seed))?;
        let variants = places(suite);
        let mut trials = vec![vec![0_u32; order.len()]; suite.variants.len()];
        store.each_place(run, |variant, example| {
            if let (Some(&variant), Some(place)) = (variants.get(variant), order.place(&example)) {
                trials[variant][place] += 1;
            }
        })?;
        let design = order.design(suite, grader, comparable);
        // What no recording knows was left out: it is no gap.
        let gaps_count = options["recorded_only"] != true;
        let whole: Vec<usize> = trials.iter().map(|trials| whole(trials, &design, gaps_count)).collect();
        let mut rule = Stopping::new(design);
        for (variant, (trials, whole)) in trials.iter().zip(&whole).enumerate() {
            for (place, count) in trials.iter().enumerate().take(*whole) {
                for _ in *count..suite.repeats {
                    rule.observe(variant, place, Observed::NOTHING);
                }
            }
        }
        let asked = trials.iter().map(|trials| trials.iter().map(|count| u64::from(*count)).sum()).collect();
        Ok(Some(Self { seed, order, whole, asked, rule }))
    }

    /// Where an example stands if a variant's figures have it.
    pub(super) fn place(&self, variant: usize, example: &Digest) -> Option<u32> {
        self.order.place(example).filter(|place| *place < self.whole[variant]).map(|place| place as u32)
    }

    /// Tells the rule of a trial.
    pub(super) fn observe(&mut self, variant: usize, place: u32, seen: Observed) {
        self.rule.observe(variant, place as usize, seen);
    }

    /// What the run came to.
    pub(super) fn into_early(self) -> Early {
        Early { seed: self.seed, rule: self.rule, asked: self.asked }
    }
}

/// Examples of whole steps before the first gap; without gaps those up to the last that is there.
fn whole(trials: &[u32], design: &Design, gaps_count: bool) -> usize {
    if !gaps_count {
        return trials.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    }
    let mut whole = 0;
    for step in design.steps.chunk_by(|a, b| a == b) {
        let end = whole + step.len();
        if trials[whole..end].iter().any(|count| *count < design.repeats) {
            break;
        }
        whole = end;
    }
    whole
}

fn order_of(store: &Store, run: i64, suite: &Suite, (options, seed): (&Value, u64)) -> Result<Order, Error> {
    let mut rows = Vec::new();
    for row in as_asked(&suite.examples, options).read() {
        let example = row.map_err(|fault| Error::Input(Diagnostics::from(*fault)))?.example;
        rows.push((shuffle::place(seed, &example), digest(&example)));
    }
    let planned = Order::of(rows);
    let (mut stored, mut is_planned) = (Vec::new(), true);
    store.each_example(run, |example, digest| {
        is_planned &= planned.place(&digest).is_some();
        stored.push((shuffle::place(seed, &example), digest));
    })?;
    Ok(if is_planned { planned } else { Order::of(stored) })
}
