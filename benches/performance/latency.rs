//! Whether the times that are told are true: each trial's against the server's own clock.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::budgets::{Budget, Budgets};
use crate::child::{self, CEILING};
use crate::server::{Drawn, Manner, Note, Server};
use crate::table::{Table, quantile, verdict};
use crate::{Arguments, suite};

/// Requests at once, and trials of each.
const RUNS: [(usize, usize); 3] = [(1, 200), (64, 10_000), (256, 20_000)];

/// A first token after 40 to 60 ms, the end 20 to 40 ms later.
const DRAWN: Drawn =
    Drawn { first: Duration::from_millis(40), rest: Duration::from_millis(20), spread: Duration::from_millis(20) };

const MOST_MEDIAN_MS: f64 = 1.0;
const MOST_P99_MS: f64 = 3.0;

pub(crate) fn measure(_: &Arguments, budgets: &mut Budgets) -> Vec<Table> {
    let mut first_token = Vec::new();
    let mut whole = Vec::new();
    for (concurrency, trials) in RUNS {
        let pairs = pairs(concurrency, trials);
        let of = |pick: fn(&Pair) -> [f64; 2]| Row::new(concurrency, pairs.iter().map(pick).collect());
        let row = of(|pair| pair.first_token);
        for (value, most) in [(row.median, MOST_MEDIAN_MS), (row.p99, MOST_P99_MS)] {
            let text = format!("{:.2} ms, {:.2} ms", row.median, row.p99);
            budgets.at_most(Budget::FirstToken, value, most, text);
        }
        first_token.push(row.cells());
        whole.push(of(|pair| pair.whole).cells());
    }
    let table = |what: &str, rows| Table {
        title: format!("{what} as `ceiling` stores it, against the server's own clock, streaming"),
        heads: vec![
            "at once",
            "trials",
            "server: median ms",
            "p99 ms",
            "`ceiling`: median ms",
            "p99 ms",
            "they differ by: median ms",
            "bound",
            "",
            "p99 ms",
            "bound",
            "",
            "most ms",
        ],
        rows,
    };
    vec![table("Time to first token", first_token), table("Time of the whole answer", whole)]
}

/// The times of one trial in milliseconds, the server's and those of the store.
struct Pair {
    first_token: [f64; 2],
    whole: [f64; 2],
}

fn pairs(concurrency: usize, trials: usize) -> Vec<Pair> {
    let server = Server::start(Manner { streams: true, drawn: Some(DRAWN), ..Manner::default() });
    let folder = tempfile::tempdir().unwrap();
    suite::write(folder.path(), trials, 1, &server.base_url(), concurrency);
    let took = child::run(CEILING, ["run", "suites/size", "--quiet", "--json"], folder.path());
    assert_eq!(took.code, 0, "{}", took.stdout);
    let notes = server.notes();
    let rows = child::run(CEILING, ["report", "last", "--format", "jsonl"], folder.path());
    assert_eq!(rows.code, 0, "{}", rows.stdout);
    let pairs: Vec<Pair> = rows.stdout.lines().map(|line| pair(line, &notes)).collect();
    assert_eq!(pairs.len(), trials);
    pairs
}

fn pair(line: &str, notes: &HashMap<usize, Note>) -> Pair {
    let row: Value = serde_json::from_str(line).unwrap();
    let example = row["example"].as_str().unwrap_or_else(|| panic!("no example in {line}"));
    let note = notes[&example[1..].parse().unwrap()];
    let ms = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("no {name} in {line}"));
    let since = |end: std::time::Instant| end.duration_since(note.received).as_secs_f64() * 1e3;
    Pair { first_token: [since(note.first), ms("ttft_ms")], whole: [since(note.last), ms("total_ms")] }
}

/// One line of a table.
struct Row {
    concurrency: usize,
    trials: usize,
    server: Vec<f64>,
    stored: Vec<f64>,
    differences: Vec<f64>,
    median: f64,
    p99: f64,
}

impl Row {
    fn new(concurrency: usize, times: Vec<[f64; 2]>) -> Self {
        let mut differences: Vec<f64> = times.iter().map(|[server, stored]| (stored - server).abs()).collect();
        let (median, p99) = (quantile(&mut differences, 0.5), quantile(&mut differences, 0.99));
        Self {
            concurrency,
            trials: times.len(),
            server: times.iter().map(|times| times[0]).collect(),
            stored: times.iter().map(|times| times[1]).collect(),
            differences,
            median,
            p99,
        }
    }

    fn cells(mut self) -> Vec<String> {
        let ms = |value: f64| format!("{value:.2}");
        vec![
            self.concurrency.to_string(),
            self.trials.to_string(),
            ms(quantile(&mut self.server, 0.5)),
            ms(quantile(&mut self.server, 0.99)),
            ms(quantile(&mut self.stored, 0.5)),
            ms(quantile(&mut self.stored, 0.99)),
            ms(self.median),
            format!("<= {MOST_MEDIAN_MS}"),
            verdict(self.median <= MOST_MEDIAN_MS),
            ms(self.p99),
            format!("<= {MOST_P99_MS}"),
            verdict(self.p99 <= MOST_P99_MS),
            ms(quantile(&mut self.differences, 1.0)),
        ]
    }
}
