//! Worlds of one kind, decided and counted.

use std::sync::atomic::{AtomicU64, Ordering};

use ceiling::decide::{TriggerState, VerdictKind, decide};
use ceiling::stats::proportion::clopper_pearson_one_sided;
use ceiling::suite::Statistics;

use super::draw::{Draw, seed_of};
use super::observe::{facts, observe};
use super::{Adds, World, truth};

/// Level of the upper bound that stands beside a rate.
const ALPHA: f64 = 0.05;
/// The chance that a test fails of a promise that is kept to the hair.
pub(crate) const NOISE: f64 = 1e-4;

/// What must be true of every world of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    /// Training is not the step to take.
    TrainingIsNeedless,
    /// Training is.
    TrainingIsRight,
    /// One more round would gain what matters.
    NextRoundHelps,
}

/// What a family promises.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Promise {
    /// The event happens in at most this share of worlds.
    AtMost(f64),
    /// As `AtMost`, which is out of reach: the bound that does hold, and why.
    OutOfReach(f64, f64, &'static str),
    /// Nothing is promised; the figure is for information.
    None,
}

impl Promise {
    /// The share that the test holds it to.
    pub(crate) fn held_to(self) -> Option<f64> {
        match self {
            Self::AtMost(share) | Self::OutOfReach(_, share, _) => Some(share),
            Self::None => None,
        }
    }
}

/// Worlds that share a description.
pub(crate) struct Family {
    /// Its name: a row of the table, and with n and a number the seed of a world.
    pub(crate) name: &'static str,
    pub(crate) truth: Truth,
    pub(crate) promise: Promise,
    /// Examples in the test set.
    pub(crate) sizes: &'static [usize],
    pub(crate) world: fn(usize, &mut Draw) -> World,
}

/// How the worlds of a family ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) worlds: u64,
    /// Preference tuning, LoRA or distillation, or a full fine-tune.
    pub(crate) training: u64,
    /// Of these, at a level of 1% instead of 5% too.
    pub(crate) training_at_one_percent: u64,
    pub(crate) not_enough_evidence: u64,
    pub(crate) cheaper_step: u64,
    pub(crate) keep_prompting: u64,
    /// T2 fired: a ceiling was called.
    pub(crate) ceiling: u64,
}

impl Counts {
    fn add(self, other: Self) -> Self {
        Self {
            worlds: self.worlds + other.worlds,
            training: self.training + other.training,
            training_at_one_percent: self.training_at_one_percent + other.training_at_one_percent,
            not_enough_evidence: self.not_enough_evidence + other.not_enough_evidence,
            cheaper_step: self.cheaper_step + other.cheaper_step,
            keep_prompting: self.keep_prompting + other.keep_prompting,
            ceiling: self.ceiling + other.ceiling,
        }
    }

    /// How often what the family asks about happened.
    pub(crate) fn events(&self, truth: Truth) -> u64 {
        match truth {
            Truth::TrainingIsNeedless | Truth::TrainingIsRight => self.training,
            Truth::NextRoundHelps => self.ceiling,
        }
    }
}

fn is_training(kind: VerdictKind) -> bool {
    matches!(kind, VerdictKind::Dpo | VerdictKind::LoraOrDistil | VerdictKind::FullFineTune)
}

/// The world of this number: always the same.
pub(crate) fn world(family: &Family, n: usize, number: u64) -> (World, Draw) {
    let mut draw = Draw::new(seed_of(family.name, n, number));
    let mut world = (family.world)(n, &mut draw);
    if let Some(audit) = &mut world.audit {
        audit.wrong = draw.binomial(audit.checked, world.label_error);
    }
    let holds = match family.truth {
        Truth::TrainingIsNeedless => !truth::training_is_right(&world),
        Truth::TrainingIsRight => truth::training_is_right(&world),
        Truth::NextRoundHelps => truth::next_round_helps(&world),
    };
    assert!(holds, "world {number} of `{}` at {n} examples is not what the family says: {world:#?}", family.name);
    (world, draw)
}

fn judge(family: &Family, n: usize, number: u64, most_rounds: usize) -> Counts {
    let (mut world, mut draw) = world(family, n, number);
    if world.arms.iter().filter(|arm| arm.adds == Adds::Nothing).count() > most_rounds {
        return Counts::default();
    }
    let measured = observe(&world, &mut draw);
    let verdict = decide(&facts(&world), &measured);
    let mut counts = Counts { worlds: 1, ..Counts::default() };
    counts.ceiling = u64::from(verdict.triggers.t2.state == TriggerState::Fired);
    match verdict.kind {
        VerdictKind::NotEnoughEvidence => counts.not_enough_evidence = 1,
        VerdictKind::KeepPrompting => counts.keep_prompting = 1,
        kind if is_training(kind) => {
            counts.training = 1;
            world.statistics = Statistics { alpha: 0.01, ..world.statistics };
            let strict = decide(&facts(&world), &measured);
            counts.training_at_one_percent = u64::from(is_training(strict.kind));
        }
        _ => counts.cheaper_step = 1,
    }
    counts
}

/// The first `worlds` worlds of a family at one size, on as many threads as the machine has cores.
pub(crate) fn run(family: &Family, n: usize, worlds: u64) -> Counts {
    run_small(family, n, worlds, usize::MAX)
}

/// Of these worlds those with so many rounds at most: to many, a curve is fitted again and again.
pub(crate) fn run_small(family: &Family, n: usize, worlds: u64, most_rounds: usize) -> Counts {
    in_parallel(worlds, Counts::default(), |number| judge(family, n, number, most_rounds), Counts::add)
}

/// Sums `each` over `0..count`. The sum does not depend on which thread does what.
pub(crate) fn in_parallel<T: Copy + Send + Sync>(
    count: u64,
    zero: T,
    each: impl Fn(u64) -> T + Sync,
    add: impl Fn(T, T) -> T + Sync,
) -> T {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(0);
    let work = || {
        let mut sum = zero;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return sum;
            }
            sum = add(sum, each(number));
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).fold(zero, &add)
    })
}

/// A share of worlds with its one-sided bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share {
    pub(crate) events: u64,
    pub(crate) worlds: u64,
}

impl Share {
    pub(crate) fn rate(self) -> f64 {
        if self.worlds == 0 { 0.0 } else { self.events as f64 / self.worlds as f64 }
    }

    /// Clopper and Pearson's bounds, each one-sided at `alpha`.
    fn bounds(self, alpha: f64) -> ceiling::stats::Interval {
        clopper_pearson_one_sided(self.events as f64, self.worlds as f64, alpha)
    }

    /// The upper bound at 95%.
    pub(crate) fn high(self) -> f64 {
        self.bounds(ALPHA).high
    }

    /// The lower bound at 95%.
    pub(crate) fn low(self) -> f64 {
        self.bounds(ALPHA).low
    }

    /// Whether the share is above `most` beyond the noise of the simulation.
    pub(crate) fn is_above(self, most: f64) -> bool {
        self.bounds(NOISE).low > most
    }

    /// Whether the share is below `least` beyond the noise of the simulation.
    pub(crate) fn is_below(self, least: f64) -> bool {
        self.bounds(NOISE).high < least
    }
}
