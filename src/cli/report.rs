//! `ceiling report`: a run for a terminal, a browser, a pull request, a notebook or another program.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::StoreArgs;
use super::exit::Exit;
use super::printer::Printer;
use super::reporting::{self, MeasuredRun};
use crate::error::Error;
use crate::report::terminal::{self, Extent};
use crate::report::{Report, json};
use crate::run::RunError;
use crate::store::Store;

/// Flags of `ceiling report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// The run; `last` is the newest.
    #[arg(value_name = "RUN", default_value = "last")]
    pub run: String,
    /// The form; without it the ending of --output says, else it is text.
    #[arg(long, value_enum, env = "CEILING_FORMAT")]
    pub format: Option<Format>,
    /// Write to this file instead of stdout.
    #[arg(short, long, value_name = "FILE", env = "CEILING_OUTPUT")]
    pub output: Option<PathBuf>,
    /// The day of the decision (YYYY-MM-DD, default today): a tuned model brings nothing after it retires.
    #[arg(long, value_name = "DAY", value_parser = super::decide::parse_day, env = "CEILING_AS_OF")]
    pub as_of: Option<jiff::civil::Date>,
    /// The suite's folder, where it is no longer where the run found it.
    #[arg(long, value_name = "FOLDER", env = "CEILING_SUITE")]
    pub suite: Option<PathBuf>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// In which form a run is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal, with every section.
    Text,
    /// What `run --json` prints.
    Json,
}

/// A run with what a report is made of.
pub(super) struct Reporting<'a> {
    pub(super) store: &'a Store,
    pub(super) measured: &'a MeasuredRun,
    pub(super) report: Report,
}

/// Reports a run.
pub(super) fn report(args: &ReportArgs, printer: Printer) -> Result<Exit, Error> {
    let store = Store::open_existing(&args.store.store)?;
    let measured = reporting::measured_run(&store, &args.run, args.suite.as_deref())?;
    let report = measured.report(&store, args.as_of.unwrap_or_else(super::today))?;
    let reporting = Reporting { store: &store, measured: &measured, report };
    let format = if printer.is_json() { Format::Json } else { args.format.unwrap_or(Format::Text) };
    match format {
        Format::Text => printer.text(&terminal::render(&reporting.report, Extent::Full, printer.look())),
        Format::Json => {
            let value = json::to_value(&reporting.report).map_err(|error| RunError::Bug(error.to_string()))?;
            printer.data(&format!("{value}\n"));
        }
    }
    super::DONE
}
