//! What the program is: its size, how long it takes to start, what it leans on, and how long it takes to build.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Arguments;
use crate::budgets::{Budget, Budgets};
use crate::child::CEILING;
use crate::table::{Table, median, verdict};

const MOST_MB: f64 = 20.0;
const MOST_HELP_MS: f64 = 10.0;

/// Starts of which the median is told.
const STARTS: usize = 21;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

pub(crate) fn measure(arguments: &Arguments, budgets: &mut Budgets) -> Vec<Table> {
    let megabytes = std::fs::metadata(CEILING).unwrap().len() as f64 / 1e6;
    budgets.at_most(Budget::BinarySize, megabytes, MOST_MB, format!("{megabytes:.1} MB"));
    let help = start_ms(&["--help"]);
    budgets.at_most(Budget::Help, help, MOST_HELP_MS, format!("{help:.1} ms"));
    let bounded = |what: &str, figure: String, bound: String, met: bool| vec![what.into(), figure, bound, verdict(met)];
    let told = |what: &str, figure: String| vec![what.into(), figure, String::new(), String::new()];
    let build = |profile: &[&str]| match arguments.clean_builds {
        true => format!("{:.0} s", clean_build_s(profile)),
        false => "not measured".to_owned(),
    };
    vec![Table {
        title: "The program itself".to_owned(),
        heads: vec!["what", "measured", "bound", ""],
        rows: vec![
            bounded("binary", format!("{megabytes:.1} MB"), format!("<= {MOST_MB} MB"), megabytes <= MOST_MB),
            bounded("`--help`", format!("{help:.1} ms"), format!("<= {MOST_HELP_MS} ms"), help <= MOST_HELP_MS),
            told("`--version`", format!("{:.1} ms", start_ms(&["--version"]))),
            told("crates in it, its own included", crates().to_string()),
            told("clean debug build", build(&[])),
            told("clean release build", build(&["--release"])),
        ],
    }]
}

/// Median wall time of a start.
fn start_ms(arguments: &[&str]) -> f64 {
    let mut starts: Vec<f64> = (0..STARTS)
        .map(|_| {
            let mut command = Command::new(CEILING);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let began = Instant::now();
            assert!(command.status().unwrap().success());
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    median(&mut starts)
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(ROOT);
    cargo
}

/// Crates that are linked into the program on this machine's kind.
fn crates() -> usize {
    let listed = cargo().args(["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}"]).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let text = String::from_utf8(listed.stdout).unwrap();
    text.lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty())
        .collect::<BTreeSet<_>>()
        .len()
}

fn clean_build_s(profile: &[&str]) -> f64 {
    let target = tempfile::tempdir().unwrap();
    let mut build = cargo();
    build.args(["build", "--quiet", "--bin", "ceiling"]).args(profile).env("CARGO_TARGET_DIR", target.path());
    let began = Instant::now();
    assert!(build.status().unwrap().success());
    began.elapsed().as_secs_f64()
}
