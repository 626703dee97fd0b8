//! The same unchanged system, gated a thousand times.

use super::*;

const EXAMPLES: usize = 300;

/// A system whose example `i` is right with a chance of its own, 89% on average; a tenth of its answers
/// change from run to run, and so do its times.
struct System {
    chances: Vec<f64>,
    /// Whether its calls are timed.
    timed: bool,
}

impl System {
    fn new(rng: &mut Rng, timed: bool) -> Self {
        // Most examples are sure, some are a toss.
        let chance = |draw: f64, toss: f64| {
            if draw < 0.7 {
                1.0
            } else if draw < 0.74 {
                0.0
            } else {
                0.3 + 0.7 * toss
            }
        };
        Self { chances: (0..EXAMPLES).map(|_| chance(rng.unit(), rng.unit())).collect(), timed }
    }

    fn run(&self, rng: &mut Rng) -> GateSide {
        let one = |chance: &f64| {
            let score = Some(f64::from(u8::from(rng.unit() < *chance)));
            vec![Call { score, cost: None, ttft_ms: self.timed.then(|| 200.0 - 80.0 * rng.unit().max(1e-9).ln()) }]
        };
        side(self.chances.iter().map(one).collect::<Vec<_>>())
    }
}

fn rules() -> GateRules {
    GateRules { latency_margin_ms: Some(100.0), ..GateRules::default() }
}

/// A gate with its confirmation, as the command does it.
fn gate(baseline: &GateSide, system: &System, rng: &mut Rng) -> (bool, GateAnswer) {
    let mut verdict = gated(baseline, &system.run(rng), &rules());
    let alarmed = verdict.answer == GateAnswer::Regressed;
    if alarmed {
        let (before, after) = (system.run(rng), system.run(rng));
        let mut fresh = VariantVerdict::of("v", &before, &after, &rules(), &LEVELS);
        fresh.only(&verdict.regressed());
        let mut family = [fresh];
        settle(&mut family, &LEVELS);
        let [fresh] = family;
        verdict.take_fresh(fresh, vec![]);
    }
    (alarmed, verdict.answer)
}

/// Alarms before confirmation and failures after it, of so many baselines gated so many times each.
fn gates(seed: u64, baselines: u32, each: u32, timed: bool) -> (u32, u32) {
    let mut rng = Rng::new(seed);
    let (mut alarms, mut failed) = (0, 0);
    for _ in 0..baselines {
        let system = System::new(&mut rng, timed);
        let baseline = system.run(&mut rng);
        for _ in 0..each {
            let (alarmed, answer) = gate(&baseline, &system, &mut rng);
            alarms += u32::from(alarmed);
            failed += u32::from(answer == GateAnswer::Regressed);
        }
    }
    (alarms, failed)
}

#[test]
fn a_thousand_gates_of_an_unchanged_system_fail_in_at_most_one_percent() {
    let (alarms, failed) = gates(7, 20, 50, false);
    assert!(failed <= 10, "{failed} of 1,000 failed");
    assert!(alarms <= 60, "{alarms} of 1,000 alarmed before confirmation");
}

#[test]
fn times_raise_no_more_false_alarms() {
    let (alarms, failed) = gates(8, 20, 5, true);
    assert!(failed <= 1 && alarms <= 6, "{alarms} of 100 alarmed, {failed} failed");
}

#[test]
fn a_real_drop_is_seen_and_confirmed() {
    let mut rng = Rng::new(11);
    let mut failed = 0;
    for _ in 0..40 {
        let system = System::new(&mut rng, false);
        let baseline = system.run(&mut rng);
        let worse = System { chances: system.chances.iter().map(|chance| 0.88 * chance).collect(), timed: false };
        let mut verdict = gated(&baseline, &worse.run(&mut rng), &rules());
        if verdict.answer == GateAnswer::Regressed {
            let (before, after) = (system.run(&mut rng), worse.run(&mut rng));
            let mut family = [VariantVerdict::of("v", &before, &after, &rules(), &LEVELS)];
            settle(&mut family, &LEVELS);
            let [fresh] = family;
            verdict.take_fresh(fresh, vec![]);
        }
        failed += u32::from(verdict.answer == GateAnswer::Regressed);
    }
    assert!(failed >= 32, "{failed} of 40 drops of 10 points were seen");
}

#[test]
fn calibration_counts_what_the_gate_does() {
    let mut rng = Rng::new(5);
    let system = System::new(&mut rng, false);
    let (pairs, repeats) = (10, 1);
    let runs: Vec<GateSide> = (0..repeats_needed(pairs, repeats)).map(|_| system.run(&mut rng)).collect();
    let mut all = runs[0].clone();
    for run in &runs[1..] {
        all.examples.edit(|all| {
            for (id, example) in all {
                let more = run.examples.get(id).unwrap().calls;
                example.calls.score.extend(&more.score);
                example.calls.valid.extend(&more.valid);
                example.calls.cost_picousd.extend(&more.cost_picousd);
                example.calls.ttft_ms.extend(&more.ttft_ms);
            }
        });
    }
    let found = calibrate(("v", &all), (pairs, repeats), &rules(), &LEVELS);
    assert_eq!((found.pairs, found.held + found.not_enough_evidence + found.alarms), (10, 10));
    let mut by_hand = 0;
    for pair in runs.chunks(2) {
        by_hand += u64::from(gated(&pair[0], &pair[1], &rules()).answer == GateAnswer::Regressed);
    }
    assert_eq!(found.alarms, by_hand);
    assert!(found.alarms_upper > 0.2, "10 pairs show little");
    // METHODS.md 10: 0 of 59 are needed to claim at most 5%.
    assert!(crate::stats::proportion::failure_rate_upper(0.0, 59.0, 0.05) < 0.05);
}
