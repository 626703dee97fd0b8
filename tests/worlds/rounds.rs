//! Worlds in which one more prompt would gain what matters: a ceiling called there is called too soon.

use super::draw::Draw;
use super::tally::{Family, Promise, Truth};
use super::{TARGET, World};

const SIZES: &[usize] = &[100, 500, 2000, 5000];
/// The ceiling too soon, at most.
const TOO_SOON: Promise = Promise::AtMost(0.05);
/// The best that these worlds reach so far: far enough below the target that nobody doubts it is missed.
const REACHED: f64 = TARGET - 0.1;

const UNFORESEEN: Promise = Promise::OutOfReach(
    0.05,
    1.0,
    "the past is flat, and so it looks in a world in which nothing more comes: no test of past rounds tells the two apart",
);
const BY_CHANCE: Promise = Promise::OutOfReach(
    0.05,
    1.0,
    "each revision is a draw of its own, so that past rounds say nothing of the next one",
);
const QUICKENING: Promise = Promise::OutOfReach(
    0.05,
    1.0,
    "gains that grow from round to round were still under two points together when the window ended",
);

const fn helps(name: &'static str, promise: Promise, world: fn(usize, &mut Draw) -> World) -> Family {
    Family { name, truth: Truth::NextRoundHelps, promise, sizes: SIZES, world }
}

/// Rounds that end at `last`, each gain before it `ratio` times the one after, going back; the next
/// gain is `gain`.
fn curve(n: usize, last: f64, gain: f64, ratio: f64, draw: &mut Draw) -> World {
    let (mut accuracies, mut at, mut step) = (vec![last], last, gain);
    for _ in 1..draw.whole(4, 8) {
        step *= ratio;
        at = (at - step).max(0.05);
        accuracies.insert(0, at);
    }
    let mut world = World::of_prompts(n, &accuracies, draw);
    world.next_round = Some(last + gain);
    world
}

/// Rounds of these accuracies, and a next one that gains 2 to 5 points over the best.
fn with_next(n: usize, accuracies: &[f64], draw: &mut Draw) -> World {
    let mut world = World::of_prompts(n, accuracies, draw);
    world.next_round = Some(world.best_round() + draw.between(0.02, 0.05));
    world
}

/// All of them.
pub(crate) const FAMILIES: &[Family] = &[
    helps("a learning curve that slows", TOO_SOON, |n, draw| {
        let (gain, ratio) = (draw.between(0.02, 0.05), draw.between(1.05, 1.8));
        curve(n, REACHED, gain, ratio, draw)
    }),
    helps("a steady climb of 2 points a round", TOO_SOON, |n, draw| curve(n, REACHED, 0.02, 1.0, draw)),
    helps("the same, in clusters of ten (correlation 0.3)", TOO_SOON, |n, draw| {
        let mut world = curve(n, REACHED, 0.02, 1.0, draw);
        (world.groups, world.icc) = (Some(n / 10), 0.3);
        world
    }),
    helps("the same, three answers an example", TOO_SOON, |n, draw| {
        let mut world = curve(n, REACHED, 0.02, 1.0, draw);
        world.repeats = 3;
        world
    }),
    helps("a slowing curve, each round 1 point off by chance", TOO_SOON, |n, draw| {
        let (gain, ratio) = (draw.between(0.02, 0.05), draw.between(1.05, 1.8));
        let mut world = curve(n, REACHED, gain, ratio, draw);
        world.arms.iter_mut().for_each(|arm| arm.accuracy += 0.01 * draw.normal());
        world.next_round = world.next_round.map(|next| next.max(world.best_round() + 0.02));
        world
    }),
    helps("gains that grow: 0.7, 1, 1.4, then 2 points", TOO_SOON, |n, draw| {
        curve(n, REACHED, 0.02, 0.5_f64.sqrt(), draw)
    }),
    helps("gains that double each round: a quarter, a half, one, then two points", QUICKENING, |n, draw| {
        curve(n, REACHED, 0.02, 0.5, draw)
    }),
    helps("a revision that broke things, then a climb back and beyond", TOO_SOON, |n, draw| {
        with_next(n, &[REACHED - 0.05, REACHED, REACHED - 0.06, REACHED - 0.03, REACHED], draw)
    }),
    helps("hit and miss: every revision a draw of its own, spread of 1.5 points", BY_CHANCE, |n, draw| {
        let rounds: Vec<f64> = (0..draw.whole(4, 8)).map(|_| REACHED + 0.015 * draw.normal()).collect();
        with_next(n, &rounds, draw)
    }),
    helps("flat, then a breakthrough", UNFORESEEN, |n, draw| {
        let rounds = vec![REACHED; draw.whole(4, 8)];
        with_next(n, &rounds, draw)
    }),
];
