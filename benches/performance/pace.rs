//! How long a run takes beyond what its server takes, and how soon it begins.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::budgets::{Budget, Budgets};
use crate::child::{self, CEILING};
use crate::server::{Manner, Server};
use crate::table::{Table, median, verdict};
use crate::{Arguments, suite};

const TRIALS: usize = 5_000;
const CONCURRENCY: usize = 64;
const LATENCY: Duration = Duration::from_millis(200);

/// The most that a run may take of the ideal, which is trials × latency / concurrency.
const MOST_OF_IDEAL: f64 = 1.03;

/// The largest suite whose start is bounded, and the bound.
const LARGE: usize = 100_000;
const MOST_START_MS: f64 = 50.0;

/// Starts of which the median is told.
const STARTS: usize = 7;

pub(crate) fn measure(_: &Arguments, budgets: &mut Budgets) -> Vec<Table> {
    vec![wall(budgets), start(budgets)]
}

fn wall(budgets: &mut Budgets) -> Table {
    let server = Server::start(Manner { after: LATENCY, ..Manner::default() });
    let folder = tempfile::tempdir().unwrap();
    suite::write(folder.path(), TRIALS, 1, &server.base_url(), CONCURRENCY);
    let took = child::run(CEILING, ["run", "suites/size", "--quiet", "--json"], folder.path());
    assert_eq!(took.code, 0, "{}", took.stdout);
    assert_eq!(server.requests(), TRIALS as u64);
    let wall = took.wall.as_secs_f64();
    let ideal = TRIALS as f64 * LATENCY.as_secs_f64() / CONCURRENCY as f64;
    let waited = server.mean_wait().as_secs_f64();
    let rounds = TRIALS.div_ceil(CONCURRENCY) as f64;
    let share = wall / ideal;
    budgets.at_most(Budget::Pace, share, MOST_OF_IDEAL, format!("{share:.3}"));
    Table {
        title: format!("{TRIALS} trials against a server that takes 200 ms, concurrency {CONCURRENCY}"),
        heads: vec![
            "wall s",
            "ideal s (trials × 0.2 / 64)",
            "over it",
            "bound",
            "",
            "79 whole rounds s",
            "over them",
            "the server took ms",
            "over whole rounds of that",
        ],
        rows: vec![vec![
            format!("{wall:.3}"),
            format!("{ideal:.3}"),
            format!("{share:.3}"),
            format!("<= {MOST_OF_IDEAL}"),
            verdict(share <= MOST_OF_IDEAL),
            format!("{:.1}", rounds * LATENCY.as_secs_f64()),
            format!("{:.3}", wall / (rounds * LATENCY.as_secs_f64())),
            format!("{:.2}", waited * 1e3),
            format!("{:.3}", wall / (rounds * waited)),
        ]],
    }
}

fn start(budgets: &mut Budgets) -> Table {
    let rows = [1_000, 10_000, LARGE].map(|examples| {
        let mut starts: Vec<f64> = (0..STARTS).map(|_| first_request_ms(examples)).collect();
        let ms = median(&mut starts);
        let (bound, met) = match examples == LARGE {
            true => (format!("<= {MOST_START_MS}"), verdict(ms <= MOST_START_MS)),
            false => (String::new(), String::new()),
        };
        if examples == LARGE {
            budgets.at_most(Budget::Start, ms, MOST_START_MS, format!("{ms:.0} ms"));
        }
        let range = format!("{:.1} to {:.1}", starts[0], starts[STARTS - 1]);
        vec![examples.to_string(), format!("{ms:.1}"), range, bound, met]
    });
    Table {
        title: format!("From the start of the process to the first request at the server, median of {STARTS}"),
        heads: vec!["examples", "ms", "range", "bound", ""],
        rows: rows.into(),
    }
}

/// Starts a run in a folder of its own, and ends it once the server has a request.
fn first_request_ms(examples: usize) -> f64 {
    let server = Server::start(Manner::default());
    let folder = tempfile::tempdir().unwrap();
    suite::write(folder.path(), examples, 1, &server.base_url(), CONCURRENCY);
    let mut command = Command::new(CEILING);
    command.args(["run", "suites/size", "--quiet", "--json"]).current_dir(folder.path()).env("HOME", folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let mut process = command.spawn().unwrap();
    let at = server.first_request();
    process.kill().unwrap();
    process.wait().unwrap();
    at.duration_since(began).as_secs_f64() * 1e3
}
