//! The `ceiling` command: parse, run, print what went wrong, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    ceiling::cli::run(ceiling::cli::flags::read())
}
