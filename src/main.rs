//! The `ceiling` command: parse, run, print what went wrong, exit.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    ceiling::cli::run(ceiling::cli::Cli::parse())
}
