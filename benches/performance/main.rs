//! The whole program at size: what a trial costs in time, processor and memory, beside a load generator that
//! does nothing but send, on the same server in the same run.
//!
//! `cargo bench --bench performance -- [--size N]… [--only PART]… [--write]`: examples of the runs (1,000, 10,000 and
//! 100,000), the parts that are measured (`trials`), and whether the tables in `docs/design/performance.md` are
//! written anew. `--serve whole` and `--serve streams` only start the server, for
//! `perf`. `oha` is used where it is installed (`cargo install oha`).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its tables are what it is run for")]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "it is no part of the product, and what cannot go on has failed"
)]

mod child;
mod server;
mod suite;
mod table;
mod trials;

use table::Table;

/// A part of the page: its name, and what measures it.
type Part = (&'static str, fn(&Arguments) -> Vec<Table>);

const PARTS: &[Part] = &[("trials", trials::measure)];

/// What was asked for.
struct Arguments {
    sizes: Vec<usize>,
    only: Vec<String>,
    write: bool,
    serve: Option<bool>,
}

impl Arguments {
    fn read() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let after = |flag: &str| {
            let places = words.iter().enumerate().filter(|(_, word)| *word == flag);
            places.filter_map(|(place, _)| words.get(place + 1).cloned()).collect::<Vec<_>>()
        };
        let sizes: Vec<usize> = after("--size").iter().map(|size| size.parse().unwrap()).collect();
        Self {
            sizes: if sizes.is_empty() { vec![1_000, 10_000, 100_000] } else { sizes },
            only: after("--only"),
            serve: after("--serve").first().map(|how| how == "streams"),
            write: words.iter().any(|word| word == "--write"),
        }
    }
}

fn main() {
    let arguments = Arguments::read();
    if let Some(streams) = arguments.serve {
        let server = server::Server::start(server::Manner { streams, after: std::time::Duration::ZERO });
        println!("{}", server.base_url());
        std::thread::park();
    }
    for (name, measure) in PARTS {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|only| only == name) {
            continue;
        }
        let tables = measure(&arguments);
        for table in &tables {
            println!("{}", table.render());
        }
        if arguments.write {
            table::write(name, &tables);
        }
    }
}
