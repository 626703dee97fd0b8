//! What is true of a world, as nobody could measure it.

use ceiling::suite::Economics;

use super::{Arm, World};

/// Rounding of sums such as 0.9 + 0.05.
const NEGLIGIBLE: f64 = 1e-9;

/// Requests a month.
fn volume(world: &World) -> f64 {
    world.targets.monthly_requests.unwrap_or(0) as f64
}

/// Which targets an arm truly misses: validity, accuracy, latency, cost.
fn misses(world: &World, arm: &Arm) -> [bool; 4] {
    let targets = &world.targets;
    let under = |target: Option<f64>, rate: f64| target.is_some_and(|target| rate < target - NEGLIGIBLE);
    let cost = arm.cost_usd * volume(world);
    [
        under(targets.schema_validity, arm.validity),
        under(targets.accuracy, arm.accuracy),
        targets.ttft_p95_ms.is_some() && arm.late > 0.05 + NEGLIGIBLE,
        targets.monthly_budget_usd.is_some_and(|budget| cost > budget * (1.0 + NEGLIGIBLE)),
    ]
}

fn may_serve(world: &World, arm: &Arm) -> bool {
    arm.self_hosted || !world.targets.self_hosted
}

/// Whether a prompt, with or without schema, cache or documents, truly meets every target.
pub(crate) fn prompting_suffices(world: &World) -> bool {
    let meets = |arm: &&Arm| !arm.is_tuned() && may_serve(world, arm) && !misses(world, arm).contains(&true);
    world.arms.iter().find(meets).is_some()
}

/// Whether the next prompt would truly gain what matters over the best so far.
pub(crate) fn next_round_helps(world: &World) -> bool {
    let gain = world.next_round.map_or(0.0, |next| next - world.best_round());
    gain >= world.statistics.delta_min - NEGLIGIBLE
}

/// Months until this arm has truly paid back what training cost, in the middle of its range.
fn months(world: &World, economics: &Economics, arm: &Arm) -> f64 {
    let middle = |range: ceiling::suite::Range| f64::midpoint(range.low, range.high);
    let saved = (world.last().cost_usd - arm.cost_usd) * volume(world) - middle(economics.upkeep_usd_per_month);
    let fixed = middle(economics.training_usd) + middle(economics.labelling_usd);
    if saved > 0.0 { fixed / saved } else { f64::INFINITY }
}

/// Whether this tuned arm is worth its training: it meets the targets that the prompt in use misses (or
/// comes closer by what matters), is no worse elsewhere, and pays back unless a legal or latency need
/// decides.
fn is_worth_it(world: &World, arm: &Arm) -> bool {
    let (now, then) = (misses(world, world.last()), misses(world, arm));
    let closer = arm.accuracy >= world.best_round() + world.statistics.delta_min - NEGLIGIBLE;
    let helps = (0..4).all(|place| !then[place] || now[place]) && (now != then || closer);
    let waived = now[2] || world.targets.self_hosted;
    let pays = |economics: &Economics| months(world, economics, arm) <= economics.horizon_months;
    helps && (waived || world.economics.as_ref().is_some_and(pays))
}

/// Whether training is truly the step to take.
pub(crate) fn training_is_right(world: &World) -> bool {
    let labels_allow = world.targets.accuracy.is_none_or(|target| 1.0 - world.label_error >= target);
    let tuned = |arm: &&Arm| arm.is_tuned() && may_serve(world, arm) && is_worth_it(world, arm);
    !prompting_suffices(world) && labels_allow && world.arms.iter().any(|arm| tuned(&arm))
}
