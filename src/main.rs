//! The `ceiling` command: parse, run, print what went wrong, exit.

use std::process::ExitCode;

/// A trial is a few hundred small pieces of memory, made on one thread and let go on another: the C library's
/// allocator takes a seventh of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ceiling::cli::run(ceiling::cli::flags::read())
}
