//! Worlds in which training is right: a ladder that never says so would keep every other promise.

use super::draw::Draw;
use super::tally::{Family, Promise, Truth};
use super::{Adds, Arm, TARGET, World};

const SIZES: &[usize] = &[100, 300, 1000, 1600, 3000, 5000];

const fn right(name: &'static str, world: fn(usize, &mut Draw) -> World) -> Family {
    Family { name, truth: Truth::TrainingIsRight, promise: Promise::None, sizes: SIZES, world }
}

/// Four prompts this far below the target, and a tuned model three points above it.
fn plateau(n: usize, below: f64, draw: &mut Draw) -> World {
    let mut world = World::of_prompts(n, &[TARGET - below; 4], draw).tempted();
    world.arms.iter_mut().filter(|arm| arm.is_tuned()).for_each(|arm| arm.accuracy = TARGET + 0.03);
    world
}

/// All of them.
pub(crate) const FAMILIES: &[Family] = &[
    right("four prompts 10 points below, tuned 3 points above", |n, draw| plateau(n, 0.1, draw)),
    right("the same, prompts that fail on like examples (0.97)", |n, draw| {
        let mut world = plateau(n, 0.1, draw);
        world.alike = 0.97;
        world
    }),
    right("the same, 5 points matter instead of 2", |n, draw| {
        let mut world = plateau(n, 0.1, draw);
        world.statistics.delta_min = 0.05;
        world
    }),
    right("the same, in clusters of ten (correlation 0.3)", |n, draw| {
        let mut world = plateau(n, 0.1, draw);
        (world.groups, world.icc) = (Some(n / 10), 0.3);
        world
    }),
    right("four prompts 3 points below, tuned 3 points above", |n, draw| plateau(n, 0.03, draw)),
    right("retrieval was tried and brings nothing", |n, draw| {
        let mut world = plateau(n, 0.1, draw);
        world.impossible.retain(|rung| rung != "rag");
        let rag = world.last().with("rag", Adds::Documents);
        world.and(rag)
    }),
    right("tuned 5 points better and still 5 short", |n, draw| {
        let mut world = plateau(n, 0.1, draw);
        world.impossible.push("full".to_owned());
        world.arms.iter_mut().filter(|arm| arm.is_tuned()).for_each(|arm| arm.accuracy = TARGET - 0.05);
        world
    }),
    right("valid in 90% of answers, schema does not help, tuned always", |n, draw| {
        let mut world = World::of_prompts(n, &[TARGET], draw);
        world.targets.accuracy = None;
        world.targets.schema_validity = Some(0.97);
        world.arms[0].validity = 0.9;
        let schema = world.last().with("schema", Adds::Schema);
        world.and(schema).tempted()
    }),
    right("costs twice the budget, no cache to be had, tuned a tenth", |n, draw| {
        let mut world = World::of_prompts(n, &[TARGET + 0.02], draw);
        world.targets.accuracy = None;
        world.targets.monthly_budget_usd = Some(1000.0);
        let mut world = world.tempted();
        world.impossible.push("cache".to_owned());
        world
    }),
    right("late in 15% of answers, caching does not help, tuned in 0.5%", |n, draw| {
        let mut world = World::of_prompts(n, &[TARGET + 0.02], draw);
        world.targets.accuracy = None;
        world.targets.ttft_p95_ms = Some(300.0);
        world.arms[0].late = 0.15;
        let cached = Arm { late: 0.14, ..world.last().with("cached", Adds::Cache) };
        world.and(cached).tempted()
    }),
];
