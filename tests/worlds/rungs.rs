//! Worlds in which a schema, a cache, another model's host, or no step at all is right, and
//! everything else tempts into training.

use ceiling::suite::{Economics, Range};
use ceiling::variant::TuningMethod;

use super::draw::Draw;
use super::families::NEEDLESS;
use super::tally::{Family, Promise, Truth};
use super::{Adds, Arm, ECONOMICS, TARGET, World};

const SIZES: &[usize] = &[100, 300, 1000, 3000];
const VALIDITY: f64 = 0.98;
/// A request of the prompts costs $0.002, a million a month.
const SPENT: f64 = 2000.0;

const ON_THE_LINE: Promise = Promise::OutOfReach(
    0.01,
    0.05,
    "the truth is the limit itself: one test at 5% stands between it and a step that trains",
);
const FOUR_LINES: Promise = Promise::OutOfReach(
    0.01,
    0.185,
    "the truth is all four limits at once, and missing any one, each tested at 5%, rules the prompt out",
);
const fn needless(name: &'static str, promise: Promise, world: fn(usize, &mut Draw) -> World) -> Family {
    Family { name, truth: Truth::TrainingIsNeedless, promise, sizes: SIZES, world }
}

/// One prompt that is good enough in what it says, asked for valid answers.
fn asked_for_validity(n: usize, validity: f64, draw: &mut Draw) -> World {
    let mut world = World::of_prompts(n, &[TARGET + 0.02], draw);
    world.targets.accuracy = None;
    world.targets.schema_validity = Some(VALIDITY);
    world.arms[0].validity = validity;
    world
}

/// One prompt, asked to cost no more than this share of what it costs.
fn asked_for_money(n: usize, share: f64, draw: &mut Draw) -> World {
    let mut world = World::of_prompts(n, &[TARGET + 0.02], draw);
    world.targets.accuracy = None;
    world.targets.monthly_budget_usd = Some(SPENT * share);
    world
}

/// One prompt, asked to begin within 300 ms.
fn asked_for_speed(n: usize, late: f64, draw: &mut Draw) -> World {
    let mut world = World::of_prompts(n, &[TARGET + 0.02], draw);
    world.targets.accuracy = None;
    world.targets.ttft_p95_ms = Some(300.0);
    world.arms[0].late = late;
    world
}

fn ruled_out(mut world: World, rung: &str) -> World {
    world.impossible.push(rung.to_owned());
    world
}

/// A self-hosted prompt beside a hosted one, where only self-hosted ones may serve.
fn self_hosted(n: usize, own: &Arm, draw: &mut Draw) -> World {
    let mut world = World::of_prompts(n, &[TARGET + 0.05], draw);
    world.targets.self_hosted = true;
    world.targets.schema_validity = Some(VALIDITY);
    world.targets.ttft_p95_ms = Some(300.0);
    world.targets.monthly_budget_usd = Some(SPENT);
    let mut world = world.and(Arm { name: "own".to_owned(), round: 2, self_hosted: true, ..own.clone() }).tempted();
    world.arms.iter_mut().filter(|arm| arm.is_tuned()).for_each(|arm| arm.self_hosted = true);
    world
}

/// A prompt that costs too much, and a tuned model that pays back in this share of the horizon.
fn paying_back_in(n: usize, share: f64, draw: &mut Draw) -> World {
    let mut world = ruled_out(asked_for_money(n, 1.0, draw).tempted(), "cache");
    let fixed = Range { low: 10_000.0 / 2.0, high: 10_000.0 / 2.0 };
    let saved_a_month = 10_000.0 / (ECONOMICS.horizon_months * share);
    world.economics = Some(Economics { training_usd: fixed, labelling_usd: fixed, ..ECONOMICS });
    world.targets.monthly_budget_usd = Some(SPENT - saved_a_month / 2.0);
    let tuned = world.arms.iter_mut().filter(|arm| arm.is_tuned());
    tuned.for_each(|arm| arm.cost_usd = (SPENT - saved_a_month) / 1e6);
    world
}

/// All of them.
pub(crate) const FAMILIES: &[Family] = &[
    needless("a schema makes 95% valid answers 99.9%, measured", NEEDLESS, |n, draw| {
        let world = asked_for_validity(n, 0.95, draw);
        let schema = Arm { validity: 0.999, ..world.last().with("schema", Adds::Schema) };
        world.and(schema).tempted()
    }),
    needless("a schema makes 90% valid answers 99%, a point above the target", NEEDLESS, |n, draw| {
        let world = asked_for_validity(n, 0.9, draw);
        let schema = Arm { validity: 0.99, ..world.last().with("schema", Adds::Schema) };
        world.and(schema).tempted()
    }),
    needless("a schema makes 95% valid answers 98%, exactly the target", ON_THE_LINE, |n, draw| {
        let world = asked_for_validity(n, 0.95, draw);
        let schema = Arm { validity: VALIDITY, ..world.last().with("schema", Adds::Schema) };
        world.and(schema).tempted()
    }),
    needless("a schema would fix validity and was not measured", NEEDLESS, |n, draw| {
        let world = asked_for_validity(n, 0.9, draw);
        let schema = Arm { validity: 1.0, measured: false, ..world.last().with("schema", Adds::Schema) };
        world.and(schema).tempted()
    }),
    needless("valid exactly as often as asked, with a schema in use", ON_THE_LINE, |n, draw| {
        let mut world = asked_for_validity(n, VALIDITY, draw);
        world.arms[0].adds = Adds::Schema;
        let mut world = ruled_out(world.and(Arm::prompt(0, TARGET)).tempted(), "schema");
        world.arms[1].measured = false;
        world
    }),
    needless("caching cuts a cost of twice the budget to a third of it, measured", NEEDLESS, |n, draw| {
        let world = asked_for_money(n, 0.5, draw);
        let cached = Arm { cost_usd: 0.0007, ..world.last().with("cached", Adds::Cache) };
        world.and(cached).tempted()
    }),
    needless("caching brings the cost down to 96% of the budget", NEEDLESS, |n, draw| {
        let world = asked_for_money(n, 0.5, draw);
        let cached = Arm { cost_usd: 0.00096, ..world.last().with("cached", Adds::Cache) };
        world.and(cached).tempted()
    }),
    needless("caching brings the cost down to exactly the budget", ON_THE_LINE, |n, draw| {
        let world = asked_for_money(n, 0.5, draw);
        let cached = Arm { cost_usd: 0.001, ..world.last().with("cached", Adds::Cache) };
        world.and(cached).tempted()
    }),
    needless("caching would bring the cost down and was not measured", NEEDLESS, |n, draw| {
        let world = asked_for_money(n, 0.5, draw);
        let cached = Arm { cost_usd: 0.0007, measured: false, ..world.last().with("cached", Adds::Cache) };
        world.and(cached).tempted()
    }),
    needless("costs exactly the budget, no cache to be had", ON_THE_LINE, |n, draw| {
        ruled_out(asked_for_money(n, 1.0, draw).tempted(), "cache")
    }),
    needless("late in exactly 5% of answers, no cache to be had", ON_THE_LINE, |n, draw| {
        ruled_out(asked_for_speed(n, 0.05, draw).tempted(), "cache")
    }),
    needless(
        "late in exactly 5% of answers, slow minutes (correlation 0.3), no cache to be had",
        ON_THE_LINE,
        |n, draw| {
            let mut world = asked_for_speed(n, 0.05, draw);
            world.slow_minutes = 0.3;
            ruled_out(world.tempted(), "cache")
        },
    ),
    needless("late in 4% of answers, no cache to be had", NEEDLESS, |n, draw| {
        ruled_out(asked_for_speed(n, 0.04, draw).tempted(), "cache")
    }),
    needless("only self-hosted models may serve, and a prompted one meets all with room", NEEDLESS, |n, draw| {
        let own = Arm { validity: 0.995, late: 0.03, cost_usd: 0.0015, ..Arm::prompt(2, TARGET + 0.03) };
        self_hosted(n, &own, draw)
    }),
    needless(
        "only self-hosted models may serve, and a prompted one meets four targets exactly",
        FOUR_LINES,
        |n, draw| {
            let own = Arm { validity: VALIDITY, late: 0.05, ..Arm::prompt(2, TARGET) };
            self_hosted(n, &own, draw)
        },
    ),
    needless("too dear, and training pays back in three times the horizon", NEEDLESS, |n, draw| {
        paying_back_in(n, 3.0, draw)
    }),
    needless("too dear, and training pays back in 1.2 times the horizon", NEEDLESS, |n, draw| {
        paying_back_in(n, 1.2, draw)
    }),
    needless("too dear, and training pays back a day after the horizon", ON_THE_LINE, |n, draw| {
        paying_back_in(n, 1.003, draw)
    }),
    needless("the prompt in use is too dear, the one before it meets every target", NEEDLESS, |n, draw| {
        let mut world = World::of_prompts(n, &[TARGET + 0.03, TARGET + 0.03], draw);
        world.targets.monthly_budget_usd = Some(SPENT);
        world.arms[0].cost_usd = 0.0015;
        world.arms[1].cost_usd = 0.004;
        ruled_out(world.tempted(), "cache")
    }),
    needless("neither schema nor examples alone, both together meet the target", NEEDLESS, |n, draw| {
        let world = asked_for_validity(n, 0.9, draw);
        let schema = Arm { validity: 0.94, ..world.last().with("schema", Adds::Schema) };
        let both = Arm { validity: 0.999, ..world.last().with("both", Adds::SchemaAndShots) };
        world.and(schema).and(both).tempted()
    }),
    needless("prompts 10 points below, and five tuned models that are no better", NEEDLESS, |n, draw| {
        let mut world = ruled_out(World::of_prompts(n, &[TARGET - 0.1; 4], draw).tempted(), "full");
        let tuned = world.arms.pop().unwrap();
        for name in ["a", "b", "c", "d", "e"] {
            world.arms.push(Arm { accuracy: TARGET - 0.1, ..tuned.with(name, tuned.adds) });
        }
        world
    }),
    needless("one tuned model meets the target and never pays, another pays and misses it", NEEDLESS, |n, draw| {
        let mut world = World::of_prompts(n, &[TARGET - 0.1; 4], draw).tempted();
        let tuned = world.arms.iter().position(Arm::is_tuned).unwrap();
        let good = Arm { accuracy: TARGET + 0.05, cost_usd: 0.003, ..world.arms[tuned].clone() };
        world.arms[tuned].accuracy = TARGET - 0.1;
        world.and(good.with("large", Adds::Tuning(TuningMethod::Lora)))
    }),
];
