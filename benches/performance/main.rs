//! The whole program at size: what a trial costs in time, processor and memory, beside a load generator that
//! does nothing but send, on the same server in the same run; and every other bound on its speed and size.
//!
//! `cargo bench --bench performance -- [--size N]… [--only PART]… [--write] [--clean-builds]`: examples of the runs
//! (1,000, 10,000 and 100,000; the commands on a stored run take the largest), the parts that are measured (all),
//! whether the tables in `docs/design/performance.md` are written anew, and whether clean builds are timed, which
//! takes minutes. `--serve whole` and `--serve streams` only start the server, for `perf`. `oha` is used where it is
//! on the PATH (`cargo install oha --version 1.10.0 --locked`; later versions want a newer compiler).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its tables are what it is run for")]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "it is no part of the product, and what cannot go on has failed"
)]

mod answers;
mod budgets;
mod cache;
mod child;
mod footprint;
mod latency;
mod pace;
mod server;
mod size;
mod suite;
mod table;
mod trials;

use budgets::Budgets;
use table::Table;

/// A part of the page: its name, and what measures it.
type Part = (&'static str, fn(&Arguments, &mut Budgets) -> Vec<Table>);

/// In this order; the last one tells what the others found.
const PARTS: &[Part] = &[
    ("trials", trials::measure),
    ("pace", pace::measure),
    ("latency", latency::measure),
    ("cache", cache::measure),
    ("size", size::measure),
    ("footprint", footprint::measure),
    ("budgets", |_, budgets| vec![budgets.table()]),
];

/// What was asked for.
struct Arguments {
    sizes: Vec<usize>,
    only: Vec<String>,
    write: bool,
    clean_builds: bool,
    serve: Option<bool>,
}

impl Arguments {
    fn read() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let after = |flag: &str| {
            let places = words.iter().enumerate().filter(|(_, word)| *word == flag);
            places.filter_map(|(place, _)| words.get(place + 1).cloned()).collect::<Vec<_>>()
        };
        let is_there = |flag: &str| words.iter().any(|word| word == flag);
        let sizes: Vec<usize> = after("--size").iter().map(|size| size.parse().unwrap()).collect();
        let only = after("--only");
        if let Some(unknown) = only.iter().find(|only| !PARTS.iter().any(|(name, _)| name == only)) {
            panic!("there is no part {unknown}");
        }
        Self {
            sizes: if sizes.is_empty() { vec![1_000, 10_000, 100_000] } else { sizes },
            only,
            write: is_there("--write"),
            clean_builds: is_there("--clean-builds"),
            serve: after("--serve").first().map(|how| how == "streams"),
        }
    }
}

fn main() {
    let arguments = Arguments::read();
    if let Some(streams) = arguments.serve {
        let server = server::Server::start(server::Manner { streams, ..server::Manner::default() });
        println!("{}", server.base_url());
        std::thread::park();
    }
    let mut budgets = Budgets::default();
    for (name, measure) in PARTS {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|only| only == name) {
            continue;
        }
        let tables = measure(&arguments, &mut budgets);
        for table in &tables {
            println!("{}", table.render());
        }
        if arguments.write {
            table::write(name, &tables);
        }
    }
}
