//! `ceiling store`: what is kept, and for how long.

mod check;
mod export;
mod prune;

use clap::{Args, Subcommand};
use serde_json::json;

use super::args::StoreArgs;
use super::exit::Exit;
use super::printer::Printer;
use crate::error::Error;
use crate::store::Store;
use crate::units::format_bytes;

/// Flags of `ceiling store`.
#[derive(Debug, Clone, Args)]
pub struct StoreCommandArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What is done with a store.
#[derive(Debug, Clone, Subcommand)]
pub enum StoreCommand {
    /// Read everything in the store and say what is wrong with it. Exit codes: 0 sound, 2 not.
    Check(check::CheckArgs),
    /// Remove runs, and the answers that no other run uses.
    #[command(
        after_help = "Examples:\n  ceiling store prune tickets-3 tickets-4\n  ceiling store prune --keep 10 --yes\n  \
                      ceiling store prune --older-than 90 --dry-run"
    )]
    Prune(prune::PruneArgs),
    /// Give the room that removed runs leave in the file back to the system.
    Vacuum(VacuumArgs),
    /// Write a run as JSON Lines: every request, answer and time, for whatever other tool reads them.
    Export(export::ExportArgs),
}

/// Flags of `ceiling store vacuum`.
#[derive(Debug, Clone, Args)]
pub struct VacuumArgs {
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Runs it.
pub(super) fn store(args: &StoreCommandArgs, printer: Printer) -> Result<Exit, Error> {
    match &args.command {
        StoreCommand::Check(args) => check::check(args, printer),
        StoreCommand::Prune(args) => prune::prune(args, printer),
        StoreCommand::Vacuum(args) => vacuum(args, printer),
        StoreCommand::Export(args) => export::export(args, printer),
    }
}

fn vacuum(args: &VacuumArgs, printer: Printer) -> Result<Exit, Error> {
    let (before, after) = Store::open_existing(&args.store.store)?.vacuum()?;
    printer.value(&json!({
        "store": args.store.store,
        "bytes_before": before.file_bytes,
        "bytes_after": after.file_bytes,
    }));
    let (was, is) = (format_bytes(before.file_bytes), format_bytes(after.file_bytes));
    printer.text(&format!("{}: {was} before, {is} now\n", args.store.store.display()));
    super::DONE
}
