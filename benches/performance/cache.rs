//! A second run, whose answers the store has already.

use crate::budgets::{Budget, Budgets};
use crate::child::{self, CEILING};
use crate::server::{Manner, Server};
use crate::table::{Table, median, verdict};
use crate::{Arguments, suite};

const TRIALS: usize = 5_000;
const MOST_S: f64 = 0.3;

/// Second runs of which the median is told.
const RUNS: usize = 7;

pub(crate) fn measure(_: &Arguments, budgets: &mut Budgets) -> Vec<Table> {
    let rows = [false, true].map(|streams| {
        let server = Server::start(Manner { streams, ..Manner::default() });
        let folder = tempfile::tempdir().unwrap();
        suite::write(folder.path(), TRIALS, 1, &server.base_url(), 64);
        let run = || {
            let took = child::run(CEILING, ["run", "suites/size", "--quiet", "--json"], folder.path());
            assert_eq!(took.code, 0, "{}", took.stdout);
            took
        };
        let first = run();
        let again: Vec<_> = (0..RUNS).map(|_| run()).collect();
        assert_eq!(server.requests(), TRIALS as u64, "a second run asks nothing");
        let wall = median(&mut again.iter().map(|took| took.wall.as_secs_f64()).collect::<Vec<_>>());
        let cpu = median(&mut again.iter().map(|took| took.cpu_s).collect::<Vec<_>>());
        budgets.at_most(Budget::Cached, wall, MOST_S, format!("{wall:.2} s"));
        vec![
            if streams { "16 chunks" } else { "whole" }.to_owned(),
            format!("{:.2}", first.wall.as_secs_f64()),
            format!("{:.2}", first.cpu_s),
            format!("{wall:.3}"),
            format!("{cpu:.2}"),
            format!("<= {MOST_S}"),
            verdict(wall <= MOST_S),
        ]
    });
    vec![Table {
        title: format!("{TRIALS} trials asked, and the same from the response cache (median of {RUNS})"),
        heads: vec!["answers", "asked s", "CPU s", "from the cache s", "CPU s", "bound", ""],
        rows: rows.into(),
    }]
}
