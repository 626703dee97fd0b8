//! A world as a run would measure it: the one place that builds [`Measurements`] and [`SuiteFacts`].
//!
//! Success is a threshold on a latent score, a sum of what the example's cluster, the example itself,
//! the arm with this example, and this very answer bring. So each arm's share of right answers is
//! exactly what the world says, and arms fail together as much as [`World::alike`] says.

use ceiling::decide::SuiteFacts;
use ceiling::measure::{
    Cost, Latency, Measurements, OutcomeCounts, RunProvenance, TimedTrial, UsageTotals, VariantMeasurements,
};
use ceiling::stats::cluster::{clustered_accuracy, mean_cost};
use ceiling::stats::quantile::quantile_estimate;
use ceiling::stats::special::normal_quantile;

use super::draw::Draw;
use super::{Arm, World};

/// Of what an arm brings of its own, the part that another answer to the same example would repeat.
const STABLE: f64 = 0.7;
/// Spread of the logarithm of a first token's time.
const LATENCY_SIGMA: f64 = 0.3;
/// Answers that are sent in a minute.
const A_MINUTE: usize = 20;

/// The examples that a run draws.
struct Examples {
    clusters: Vec<u32>,
    clustered: bool,
    /// Latent difficulty, standard normal.
    difficulty: Vec<f64>,
    /// Whether the label is right.
    labelled: Vec<bool>,
    /// Length relative to the mean, which the cost follows.
    length: Vec<f64>,
}

impl Examples {
    fn draw(world: &World, draw: &mut Draw) -> Self {
        let groups = world.groups.unwrap_or(world.n).clamp(1, world.n);
        let shared: Vec<f64> = (0..groups).map(|_| draw.normal()).collect();
        let clusters: Vec<u32> = (0..world.n).map(|place| (place * groups / world.n) as u32).collect();
        let (between, within) = (world.icc.sqrt(), (1.0 - world.icc).sqrt());
        let of = |cluster: &u32, draw: &mut Draw| between * shared[*cluster as usize] + within * draw.normal();
        Self {
            difficulty: clusters.iter().map(|cluster| of(cluster, draw)).collect(),
            labelled: (0..world.n).map(|_| !draw.chance(world.label_error)).collect(),
            length: (0..world.n).map(|_| draw.log_normal(world.cost_sigma)).collect(),
            clustered: groups < world.n,
            clusters,
        }
    }
}

/// One arm's answers by example.
struct Answers {
    scores: Vec<Option<f32>>,
    valid: Vec<Option<f32>>,
    costs: Vec<Option<f64>>,
    missing: u64,
}

/// The share of `repeats` answers, or nothing where all are missing.
fn share(hits: u32, answers: u32) -> Option<f32> {
    (answers > 0).then(|| hits as f32 / answers as f32)
}

fn answers(world: &World, arm: &Arm, examples: &Examples, draw: &mut Draw) -> Answers {
    let threshold = normal_quantile((arm.accuracy / arm.validity).clamp(1e-9, 1.0 - 1e-9));
    let own = 1.0 - world.alike;
    let parts = [world.alike.sqrt(), (own * STABLE).sqrt(), (own * (1.0 - STABLE)).sqrt()];
    let mut all = Answers { scores: Vec::new(), valid: Vec::new(), costs: Vec::new(), missing: 0 };
    for place in 0..world.n {
        let expected = parts[0] * examples.difficulty[place] + parts[1] * draw.normal();
        let (mut right, mut valid, mut came) = (0, 0, 0);
        for _ in 0..world.repeats {
            let is_valid = arm.validity >= 1.0 || draw.chance(arm.validity);
            let is_right = expected + parts[2] * draw.normal() < threshold;
            if arm.missing > 0.0 && draw.chance(arm.missing) {
                all.missing += 1;
                continue;
            }
            came += 1;
            valid += u32::from(is_valid);
            right += u32::from(is_valid && is_right && examples.labelled[place]);
        }
        all.scores.push(share(right, came));
        all.valid.push(share(valid, came));
        all.costs.push((came > 0).then(|| arm.cost_usd * examples.length[place] * draw.log_normal(0.1)));
    }
    all
}

fn known<T: Copy + Into<f64>>(values: &[Option<T>], clusters: &[u32]) -> (Vec<f64>, Vec<u32>) {
    values.iter().zip(clusters).filter_map(|(value, cluster)| Some(((*value)?.into(), *cluster))).unzip()
}

fn cost(world: &World, answers: &Answers, examples: &Examples) -> Cost {
    let alpha = world.statistics.alpha;
    let (values, clusters) = known(&answers.costs, &examples.clusters);
    let mean = mean_cost(&values, &clusters, alpha);
    Cost { per_request: mean.estimate(alpha), by_example: answers.costs.clone().into(), ..Cost::default() }
}

/// One first token an example, late as often as the arm is and in its minute; only where somebody asks.
fn latency(world: &World, arm: &Arm, draw: &mut Draw) -> (Latency, Vec<TimedTrial>) {
    let Some(limit) = world.targets.ttft_p95_ms else {
        return (Latency::default(), Vec::new());
    };
    let middle = limit * (-LATENCY_SIGMA * normal_quantile(1.0 - arm.late)).exp();
    let (shared, own) = (world.slow_minutes.sqrt(), (1.0 - world.slow_minutes).sqrt());
    let (mut slow, mut trials) = (0.0, Vec::new());
    for place in 0..world.n {
        if place % A_MINUTE == 0 {
            slow = draw.normal();
        }
        let ms = middle * (LATENCY_SIGMA * (shared * slow + own * draw.normal())).exp();
        trials.push(TimedTrial { example: place as u32, minute: (place / A_MINUTE) as u32, ms: ms as f32 });
    }
    let mut sorted_ms: Vec<f64> = trials.iter().map(|trial| f64::from(trial.ms)).collect();
    sorted_ms.sort_by(f64::total_cmp);
    let quantile = |q: f64| Some(quantile_estimate(&sorted_ms, q, world.statistics.alpha));
    (Latency { p50: quantile(0.5), p95: quantile(0.95), sorted_ms, ..Latency::default() }, trials)
}

fn measure(world: &World, arm: &Arm, examples: &Examples, draw: &mut Draw) -> VariantMeasurements {
    let answers = answers(world, arm, examples, draw);
    let (scores, clusters) = known(&answers.scores, &examples.clusters);
    let (ttft, ttft_trials) = latency(world, arm, draw);
    let asked = world.n as u64 * u64::from(world.repeats);
    let came = asked - answers.missing;
    let dependent = examples.clustered || world.repeats > 1;
    VariantMeasurements {
        variant: arm.variant(),
        round: (!arm.is_tuned()).then_some(arm.round),
        self_hosted: arm.self_hosted,
        retires: None,
        outcomes: OutcomeCounts { answered: came, failed: answers.missing, ..OutcomeCounts::default() },
        failures: Vec::new(),
        missing: answers.missing,
        reused: 0,
        batched: 0,
        accuracy: clustered_accuracy(&scores, &clusters, came, dependent, world.statistics.alpha),
        standing: None,
        accuracy_bounds: None,
        macro_f1: None,
        confusion: None,
        fields: Vec::new(),
        validity_strict: None,
        validity_lenient: None,
        violations: Vec::new(),
        scorers: Vec::new(),
        ttft,
        ttft_trials,
        ttft_any: None,
        reasoning_hidden: 0,
        total: Latency::default(),
        in_flight: 1,
        retries: 0,
        served_as: arm.name.clone(),
        served_models: Vec::new(),
        cache: None,
        usage: UsageTotals::default(),
        cost: cost(world, &answers, examples),
        slices: Vec::new(),
        retrieval: None,
        scores: answers.scores.into(),
        valid: answers.valid.into(),
    }
}

/// What a run of the measured arms finds.
pub(crate) fn observe(world: &World, draw: &mut Draw) -> Measurements {
    let examples = Examples::draw(world, draw);
    let measured = world.arms.iter().filter(|arm| arm.measured);
    Measurements {
        variants: measured.map(|arm| measure(world, arm, &examples, draw)).collect(),
        clustered: examples.clustered,
        clusters: examples.clusters,
        repeats: world.repeats,
        provenance: RunProvenance::Live,
        latency_comparable: true,
        steps: Vec::new(),
        rounds: Vec::new(),
        trained: Vec::new(),
        anytime: None,
    }
}

/// What the suite says.
pub(crate) fn facts(world: &World) -> SuiteFacts<'_> {
    SuiteFacts {
        targets: &world.targets,
        economics: world.economics.as_ref(),
        statistics: world.statistics,
        audit: world.audit,
        annotations: None,
        error_classes: None,
        impossible: &world.impossible,
        incumbent: world.incumbent.as_ref(),
        margin: 0.02,
        failures_of: None,
        asked_instead: None,
        today: None,
    }
}
