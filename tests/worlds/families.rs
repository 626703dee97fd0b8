//! Worlds in which the quality of a prompt suffices, and everything else tempts into training.

use ceiling::suite::LabelAudit;

use super::draw::Draw;
use super::tally::{Family, Promise, Truth};
use super::{Adds, Arm, TARGET, World};

const SIZES: &[usize] = &[100, 300, 1000, 3000];
const LARGE: &[usize] = &[1000, 3000];
/// Training where prompting suffices, at most.
pub(crate) const NEEDLESS: Promise = Promise::AtMost(0.01);
/// The error of one test at the default level.
const ONE_TEST: f64 = 0.05;

const ON_THE_LINE: Promise = Promise::OutOfReach(
    0.01,
    ONE_TEST,
    "the truth is the target itself: a test at 5% errs in up to 5%, and like prompts err together",
);

/// Four prompts, all as good.
fn flat(n: usize, accuracy: f64, draw: &mut Draw) -> World {
    World::of_prompts(n, &[accuracy; 4], draw).tempted()
}

fn alike(low: f64, high: f64, mut world: World, draw: &mut Draw) -> World {
    world.alike = draw.between(low, high);
    world
}

fn clustered(groups: usize, icc: f64, mut world: World) -> World {
    (world.groups, world.icc) = (Some(groups), icc);
    world
}

/// Wrong labels, so that a prompt that is right on `right` of the inputs scores less.
fn mislabelled(n: usize, right: f64, label_error: f64, checked: u64, draw: &mut Draw) -> World {
    let mut world = flat(n, right, draw);
    world.label_error = label_error;
    world.audit = Some(LabelAudit { checked, wrong: 0 });
    world
}

const fn needless(
    name: &'static str,
    promise: Promise,
    sizes: &'static [usize],
    world: fn(usize, &mut Draw) -> World,
) -> Family {
    Family { name, truth: Truth::TrainingIsNeedless, promise, sizes, world }
}

/// All of them.
pub(crate) const FAMILIES: &[Family] = &[
    needless("four prompts 5 points above the target", NEEDLESS, SIZES, |n, draw| flat(n, TARGET + 0.05, draw)),
    needless("four prompts 1 point above", NEEDLESS, SIZES, |n, draw| flat(n, TARGET + 0.01, draw)),
    needless("four prompts exactly on the target", ON_THE_LINE, SIZES, |n, draw| flat(n, TARGET, draw)),
    needless("four all but equal prompts exactly on the target", ON_THE_LINE, SIZES, |n, draw| {
        let world = flat(n, TARGET, draw);
        alike(0.97, 0.999, world, draw)
    }),
    needless("only the last of four prompts on the target, the others 1 point below", ON_THE_LINE, SIZES, |n, draw| {
        World::of_prompts(n, &[TARGET - 0.01, TARGET - 0.01, TARGET - 0.01, TARGET], draw).tempted()
    }),
    needless("ten prompts exactly on the target", ON_THE_LINE, LARGE, |n, draw| {
        World::of_prompts(n, &[TARGET; 10], draw).tempted()
    }),
    needless("a climb that ends 1 point above", NEEDLESS, SIZES, |n, draw| {
        World::of_prompts(n, &[0.7, 0.82, 0.88, TARGET + 0.01], draw).tempted()
    }),
    needless("1 point above, clusters of ten (correlation 0.3)", NEEDLESS, SIZES, |n, draw| {
        clustered(n / 10, 0.3, flat(n, TARGET + 0.01, draw))
    }),
    needless("exactly on the target, clusters of ten (0.3), prompts all but equal", ON_THE_LINE, SIZES, |n, draw| {
        let world = clustered(n / 10, 0.3, flat(n, TARGET, draw));
        alike(0.97, 0.999, world, draw)
    }),
    needless("1 point above, twelve clusters (0.3), prompts all but equal", NEEDLESS, SIZES, |n, draw| {
        let world = clustered(12, 0.3, flat(n, TARGET + 0.01, draw));
        alike(0.97, 0.999, world, draw)
    }),
    needless("1 point above, six clusters (0.3), prompts all but equal", NEEDLESS, SIZES, |n, draw| {
        let world = clustered(6, 0.3, flat(n, TARGET + 0.01, draw));
        alike(0.97, 0.999, world, draw)
    }),
    needless("1 point above, three answers an example", NEEDLESS, SIZES, |n, draw| {
        let mut world = flat(n, TARGET + 0.01, draw);
        world.repeats = 3;
        world
    }),
    needless("1 point above, 0.7% of answers missing", NEEDLESS, SIZES, |n, draw| {
        let mut world = flat(n, TARGET + 0.01, draw);
        world.arms.iter_mut().for_each(|arm| arm.missing = 0.007);
        world
    }),
    needless("few-shot meets the target by 1 point, four plain prompts 8 points below", NEEDLESS, SIZES, |n, draw| {
        let world = World::of_prompts(n, &[TARGET - 0.08; 4], draw);
        let shots = Arm { accuracy: TARGET + 0.01, ..world.last().with("shots", Adds::Shots) };
        world.and(shots).tempted()
    }),
    needless("retrieval meets the target by 1 point, prompts 8 points below", NEEDLESS, SIZES, |n, draw| {
        let world = World::of_prompts(n, &[TARGET - 0.08; 4], draw);
        let rag = Arm { accuracy: TARGET + 0.01, ..world.last().with("rag", Adds::Documents) };
        without_rag(world.and(rag).tempted())
    }),
    needless("retrieval would meet the target and was not measured", NEEDLESS, SIZES, |n, draw| {
        let world = World::of_prompts(n, &[TARGET - 0.08; 4], draw);
        let rag = Arm { accuracy: TARGET + 0.05, measured: false, ..world.last().with("rag", Adds::Documents) };
        without_rag(world.and(rag).tempted())
    }),
    needless("the next prompt would meet the target after a steady climb", NEEDLESS, SIZES, |n, draw| {
        let world = World::of_prompts(n, &[0.78, 0.81, 0.84, 0.87], draw);
        let next = Arm { measured: false, ..Arm::prompt(5, TARGET) };
        world.tempted().and(next)
    }),
    needless("right on 95%, 8% of labels wrong, 200 audited", NEEDLESS, SIZES, |n, draw| {
        mislabelled(n, 0.95, 0.08, 200, draw)
    }),
    needless("right on 95%, 7% of labels wrong, 2,000 audited", NEEDLESS, SIZES, |n, draw| {
        mislabelled(n, 0.95, 0.07, 2000, draw)
    }),
    needless("right on 95%, 7% of labels wrong, 30 audited", NEEDLESS, SIZES, |n, draw| {
        mislabelled(n, 0.95, 0.07, 30, draw)
    }),
    needless("prompts at 80%, and 11% of labels wrong: nobody can reach 90%", ONE_AUDIT, SIZES, |n, draw| {
        mislabelled(n, 0.8, 0.11, 300, draw)
    }),
    needless("prompts at 80%, and 20% of labels wrong, 100 audited", NEEDLESS, SIZES, |n, draw| {
        mislabelled(n, 0.8, 0.2, 100, draw)
    }),
    needless("no target at all", NEEDLESS, &[300], |n, draw| {
        let mut world = flat(n, 0.6, draw);
        world.targets.accuracy = None;
        world
    }),
];

const ONE_AUDIT: Promise =
    Promise::OutOfReach(0.01, ONE_TEST, "whether the labels allow the target rests on one audit, tested at 5%");

/// Retrieval is not ruled out.
fn without_rag(mut world: World) -> World {
    world.impossible.retain(|rung| rung != "rag");
    world
}
