//! Commands on a stored run of many trials, and the memory of a run of many examples.

use std::path::Path;

use crate::budgets::{Budget, Budgets};
use crate::child::{self, CEILING, Took};
use crate::server::{Manner, Server};
use crate::table::{Table, verdict};
use crate::{Arguments, suite};

/// The size at which the bounds hold.
const BOUNDED: usize = 1_000_000;
const MOST_S: f64 = 20.0;
const MOST_MB: f64 = 300.0;
const MOST_RUN_MB: f64 = 120.0;

const VARIANTS: usize = 2;
const CONCURRENCY: usize = 64;

pub(crate) fn measure(arguments: &Arguments, budgets: &mut Budgets) -> Vec<Table> {
    let size = arguments.sizes.iter().copied().max().unwrap_or_default();
    let server = Server::start(Manner::default());
    vec![commands(&server, size, budgets), run(&server, size, budgets)]
}

/// A command on a run, with what it leaves behind.
struct Step {
    what: &'static str,
    arguments: Vec<&'static str>,
    /// `None` where its time is not bounded.
    budget: Option<Budget>,
}

fn steps() -> Vec<Step> {
    let step = |what, line: &'static str, budget| Step { what, arguments: line.split(' ').collect(), budget };
    vec![
        step("merge of 2 shards", "merge 1.db 2.db --store whole.db", Some(Budget::AtSize)),
        step("scored anew (`report --format json`)", "report --store whole.db --format json", Some(Budget::Rescoring)),
        step("HTML report", "report --store whole.db -o page.html", Some(Budget::AtSize)),
        step("`compare`", "compare prompt-1 prompt-2 --store whole.db", Some(Budget::AtSize)),
        step("`decide`", "decide --store whole.db", Some(Budget::AtSize)),
        step("`baseline`", "baseline --store whole.db --variant prompt-1 -o baseline.json", None),
        step(
            "`gate --run`",
            "gate suites/size --store whole.db --run last --baseline baseline.json --variant prompt-1",
            Some(Budget::AtSize),
        ),
    ]
}

fn commands(server: &Server, size: usize, budgets: &mut Budgets) -> Table {
    let folder = tempfile::tempdir().unwrap();
    suite::write(folder.path(), size / VARIANTS, VARIANTS, &server.base_url(), CONCURRENCY);
    let trials = size / VARIANTS * VARIANTS;
    for shard in ["1", "2"] {
        let (part, store) = (format!("{shard}/2"), format!("{shard}.db"));
        ask(folder.path(), &["--shard", &part, "--store", &store]);
    }
    let is_bounded = trials >= BOUNDED;
    let mut rows = Vec::new();
    for step in steps() {
        let took = child::run(CEILING, &step.arguments, folder.path());
        // What `decide`, `compare` and `gate` find out is no failure.
        assert!([0, 1, 3].contains(&took.code), "{} ended with {}: {}", step.what, took.code, took.stdout);
        let wall = took.wall.as_secs_f64();
        if let Some(budget) = step.budget.filter(|_| is_bounded) {
            budgets.at_most(budget, wall, MOST_S, format!("{wall:.1} s ({})", step.what));
            let text = format!("{:.0} MB ({})", took.peak_mb, step.what);
            budgets.at_most(Budget::AtSizeMemory, took.peak_mb, MOST_MB, text);
        }
        let met = |met: bool| match (is_bounded, step.budget) {
            (_, None) => String::new(),
            (true, Some(_)) => verdict(met),
            (false, Some(_)) => "not measured at 1M".to_owned(),
        };
        let bound = |text: String| step.budget.map_or_else(String::new, |_| text);
        rows.push(vec![
            step.what.to_owned(),
            format!("{wall:.2}"),
            bound(format!("<= {MOST_S}")),
            met(wall <= MOST_S),
            format!("{:.2}", took.cpu_s),
            format!("{:.0}", took.peak_mb),
            bound(format!("<= {MOST_MB}")),
            met(took.peak_mb <= MOST_MB),
        ]);
        eprintln!("{}", rows[rows.len() - 1].join(" | "));
    }
    Table {
        title: format!(
            "Commands on a stored run of {trials} trials: {} examples, {VARIANTS} variants",
            size / VARIANTS
        ),
        heads: vec!["command", "wall s", "bound", "", "CPU s", "peak MB", "bound", ""],
        rows,
    }
}

fn run(server: &Server, size: usize, budgets: &mut Budgets) -> Table {
    let folder = tempfile::tempdir().unwrap();
    suite::write(folder.path(), size, VARIANTS, &server.base_url(), CONCURRENCY);
    let took = ask(folder.path(), &[]);
    let met = took.peak_mb <= MOST_RUN_MB;
    if size >= BOUNDED {
        budgets.at_most(Budget::RunMemory, took.peak_mb, MOST_RUN_MB, format!("{:.0} MB", took.peak_mb));
    }
    let trials = size * VARIANTS;
    Table {
        title: format!("Memory of a run of {size} examples and {VARIANTS} variants"),
        heads: vec!["trials", "wall s", "µs CPU a trial", "peak MB", "bound at 1,000,000 examples", ""],
        rows: vec![vec![
            trials.to_string(),
            format!("{:.1}", took.wall.as_secs_f64()),
            format!("{:.0}", 1e6 * took.cpu_s / trials as f64),
            format!("{:.0}", took.peak_mb),
            format!("<= {MOST_RUN_MB}"),
            if size >= BOUNDED { verdict(met) } else { "not measured at 1M".into() },
        ]],
    }
}

/// Asks the suite, or a part of it.
fn ask(folder: &Path, further: &[&str]) -> Took {
    let arguments = ["run", "suites/size", "--quiet", "--json"].iter().chain(further);
    let took = child::run(CEILING, arguments, folder);
    assert_eq!(took.code, 0, "{}", took.stdout);
    took
}
