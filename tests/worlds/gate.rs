//! The regression gate: alarms with nothing changed, real drops that it sees, and what a stored
//! baseline does to both.

use ceiling::stats::equivalence::{GateVerdict, regression_gate};

use super::draw::{Draw, seed_of};
use super::tally::{Promise, Share, in_parallel};

const MARGIN: f64 = 0.02;
const ALPHA: f64 = 0.05;
const ALPHA_FAIL: f64 = 0.01;
/// Runs that are compared with each stored baseline.
const RUNS: u64 = 200;

fn fails(newly_right: u64, newly_wrong: u64, n: u64) -> bool {
    let gate = regression_gate(newly_right, newly_wrong, n, MARGIN, ALPHA, ALPHA_FAIL);
    gate.is_ok_and(|gate| gate.verdict == GateVerdict::Fail)
}

/// Two runs, of which `discordance` of the examples end differently and the second is `drop` worse.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) n: u64,
    pub(crate) discordance: f64,
    pub(crate) drop: f64,
    pub(crate) promise: Promise,
    /// Whether the promise is a rate of at least this, before confirmation.
    pub(crate) at_least: Option<f64>,
}

impl Change {
    pub(crate) fn name(&self) -> String {
        let changed = if self.drop == 0.0 {
            "nothing changed".to_owned()
        } else {
            format!("{:.0} points worse", 100.0 * self.drop)
        };
        format!("{changed}, {} examples, {:.0}% of them end differently", self.n, 100.0 * self.discordance)
    }

    fn alarm(&self, draw: &mut Draw) -> bool {
        let (wrong, right) = ((self.discordance + self.drop) / 2.0, (self.discordance - self.drop) / 2.0);
        let (mut newly_right, mut newly_wrong) = (0, 0);
        for _ in 0..self.n {
            let at = draw.unit();
            newly_wrong += u64::from(at < wrong);
            newly_right += u64::from((wrong..wrong + right).contains(&at));
        }
        fails(newly_right, newly_wrong, self.n)
    }

    /// Alarms before and after they are confirmed on a fresh pair of runs.
    pub(crate) fn run(&self, worlds: u64) -> [Share; 2] {
        let name = self.name();
        let one = |number| {
            let mut draw = Draw::new(seed_of(&name, self.n as usize, number));
            let first = self.alarm(&mut draw);
            [u64::from(first), u64::from(first && self.alarm(&mut draw))]
        };
        let sums = in_parallel(worlds, [0; 2], one, |a, b| [a[0] + b[0], a[1] + b[1]]);
        sums.map(|events| Share { events, worlds })
    }
}

const fn unchanged(n: u64, discordance: f64) -> Change {
    Change { n, discordance, drop: 0.0, promise: Promise::AtMost(0.01), at_least: None }
}

const fn worse(n: u64, discordance: f64, drop: f64, at_least: Option<f64>) -> Change {
    Change { n, discordance, drop, promise: Promise::None, at_least }
}

/// All of them.
pub(crate) const CHANGES: &[Change] = &[
    unchanged(100, 0.1),
    unchanged(300, 0.04),
    unchanged(300, 0.1),
    unchanged(500, 0.1),
    unchanged(1000, 0.2),
    unchanged(3000, 0.1),
    worse(500, 0.1, 0.05, Some(0.8)),
    worse(300, 0.1, 0.05, None),
    worse(1000, 0.1, 0.05, None),
    worse(500, 0.2, 0.05, None),
    worse(1000, 0.1, 0.03, None),
    worse(3000, 0.1, 0.03, None),
];

/// What stored baselines do when nothing ever changes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stored {
    pub(crate) baselines: u64,
    /// Alarms over all runs.
    pub(crate) alarms: u64,
    pub(crate) runs: u64,
    /// Baselines that alarm in more than 5% of runs.
    pub(crate) bad: u64,
    /// The most alarms that one baseline raised.
    pub(crate) most: u64,
    /// Alarms that a fresh pair of runs confirms.
    pub(crate) confirmed: u64,
}

impl Stored {
    pub(crate) fn alarm_rate(&self) -> Share {
        Share { events: self.alarms, worlds: self.runs }
    }

    pub(crate) fn confirmed_rate(&self) -> Share {
        Share { events: self.confirmed, worlds: self.runs }
    }

    pub(crate) fn bad_baselines(&self) -> Share {
        Share { events: self.bad, worlds: self.baselines }
    }

    pub(crate) fn worst(&self) -> f64 {
        self.most as f64 / RUNS as f64
    }

    fn add(self, other: Self) -> Self {
        Self {
            baselines: self.baselines + other.baselines,
            alarms: self.alarms + other.alarms,
            runs: self.runs + other.runs,
            bad: self.bad + other.bad,
            most: self.most.max(other.most),
            confirmed: self.confirmed + other.confirmed,
        }
    }
}

/// Baselines of 300 examples at 89%, of which a fresh run ends differently on about 10%, each compared
/// with many runs of the very same variant.
pub(crate) fn stored_baselines(baselines: u64) -> Stored {
    const N: usize = 300;
    let one = |number| {
        let mut draw = Draw::new(seed_of("stored baseline", N, number));
        let chances: Vec<f64> = (0..N).map(|_| draw.beta(0.89, 0.5)).collect();
        let stored: Vec<bool> = chances.iter().map(|chance| draw.chance(*chance)).collect();
        let mut found = Stored { baselines: 1, runs: RUNS, ..Stored::default() };
        let against = |baseline: &[bool], draw: &mut Draw| {
            let (mut newly_right, mut newly_wrong) = (0, 0);
            for (chance, before) in chances.iter().zip(baseline) {
                let now = draw.chance(*chance);
                newly_right += u64::from(now && !before);
                newly_wrong += u64::from(!now && *before);
            }
            fails(newly_right, newly_wrong, N as u64)
        };
        for _ in 0..RUNS {
            if against(&stored, &mut draw) {
                found.alarms += 1;
                let fresh: Vec<bool> = chances.iter().map(|chance| draw.chance(*chance)).collect();
                found.confirmed += u64::from(against(&fresh, &mut draw));
            }
        }
        found.most = found.alarms;
        found.bad = u64::from(found.alarms * 20 > RUNS);
        found
    };
    in_parallel(baselines, Stored::default(), one, Stored::add)
}
