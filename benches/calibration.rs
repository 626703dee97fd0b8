//! Thousands of simulated worlds of each family through the ladder, and the table of what it got right.
//!
//! `cargo bench --bench calibration -- [--worlds N] [--only NAME] [--write]`: N worlds of each family and
//! size (1,000), one table alone, and whether `docs/concepts/calibration.md` is written anew.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its tables are what it is run for")]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "it is no part of the product, and writes one page"
)]

#[path = "../tests/worlds/mod.rs"]
#[expect(dead_code, reason = "the test uses what this does not")]
mod worlds;

use std::time::Instant;

use worlds::page::{SECTIONS, Scale, with_tables};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/concepts/calibration.md");

/// The word after a flag.
fn value<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    let place = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(place + 1).map(String::as_str)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let worlds = value(&arguments, "--worlds").map_or(1_000, |text| text.parse().unwrap());
    let only = value(&arguments, "--only");
    let mut tables = String::new();
    for (name, write) in SECTIONS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        let began = Instant::now();
        write(&mut tables, Scale::of(worlds));
        eprintln!("{name}: {:.1} s", began.elapsed().as_secs_f64());
    }
    println!("{tables}");
    if arguments.iter().any(|argument| argument == "--write") {
        let page = std::fs::read_to_string(PAGE).unwrap();
        let page = with_tables(&page, &tables).unwrap();
        std::fs::write(PAGE, page).unwrap();
    }
}
