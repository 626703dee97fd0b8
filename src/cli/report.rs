//! `ceiling report`: a run for a terminal, a browser, a pull request, a notebook or another program.

pub(super) mod html;
mod rows;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::args::StoreArgs;
use super::exit::Exit;
use super::output::Output;
use super::printer::{self, Printer};
use super::reporting::{self, MeasuredRun};
use crate::error::Error;
use crate::measure::VariantMeasurements;
use crate::report::look::Look;
use crate::report::terminal::{self, Extent};
use crate::report::{Report, json, markdown};
use crate::run::RunError;
use crate::store::Store;
use crate::units::group_thousands;
use html::Unwritten;
use rows::{RowFormat, Rows};

/// Columns of a text that goes to a file, where no terminal says how many there are.
const FILE_WIDTH: usize = 120;

/// Requests and responses that a page holds unless it is told otherwise, compressed.
pub(super) const BODIES_MIB: u32 = 32;

/// Flags of `ceiling report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// The run; `last` is the newest.
    #[arg(value_name = "RUN", default_value = "last")]
    pub run: String,
    /// The form; without it the ending of --output says, else it is text.
    #[arg(long, value_enum, env = "CEILING_FORMAT")]
    pub format: Option<Format>,
    /// What a row is, in CSV and Parquet. From the environment it has no effect on other forms.
    #[arg(long, value_enum, env = "CEILING_ROWS")]
    pub rows: Option<Rows>,
    /// Only this variant's trials, in CSV, Parquet and lines; `nemo` has one variant a file.
    #[arg(long, value_name = "NAME", env = "CEILING_VARIANT")]
    pub variant: Option<String>,
    /// How much of the requests and responses an HTML page holds, compressed, in MiB (default 32); 0 leaves
    /// them out. From the environment it has no effect on other forms.
    #[arg(long, value_name = "MIB", env = "CEILING_BODIES")]
    pub bodies: Option<u32>,
    /// Write to this file instead of stdout; it is there whole or not at all.
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
    /// Markdown for a pull request: short, with details that unfold.
    Md,
    /// One page for a browser, with every example in it.
    Html,
    /// Rows for notebooks and spreadsheets.
    Csv,
    /// The same rows with their types; needs the feature `parquet`.
    Parquet,
    /// One JSON object a trial, which `ceiling import` reads again.
    Jsonl,
    /// NeMo Evaluator's results.jsonl, of one variant.
    Nemo,
}

impl Format {
    /// The form that a file's ending names.
    fn of_file(path: &Path) -> Result<Self, Error> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        Ok(match ending.as_deref() {
            Some("txt") => Self::Text,
            Some("json") => Self::Json,
            Some("md" | "markdown") => Self::Md,
            Some("html" | "htm") => Self::Html,
            Some("csv") => Self::Csv,
            Some("parquet" | "pq") => Self::Parquet,
            Some("jsonl" | "ndjson") => Self::Jsonl,
            _ => {
                return Err(Error::usage(
                    format!("the ending of `{}` does not say in which form it is to be written", path.display()),
                    "name the form with --format, or end the name in .txt, .json, .jsonl, .md, .html, .csv or .parquet",
                ));
            }
        })
    }
}

/// A run with what a report is made of.
pub(super) struct Reporting<'a> {
    pub(super) store: &'a Store,
    pub(super) measured: &'a MeasuredRun,
    pub(super) report: Report,
}

/// Reports a run.
pub(super) fn report(args: &ReportArgs, printer: Printer) -> Result<Exit, Error> {
    let format = format(args, printer)?;
    let store = Store::open_existing(&args.store.store)?;
    let measured = reporting::measured_run(&store, &args.run, args.suite.as_deref())?;
    let report = measured.report(&store, args.as_of.unwrap_or_else(super::today))?;
    let reporting = Reporting { store: &store, measured: &measured, report };
    refuse_unknown_variant(&measured, args.variant.as_deref())?;
    let beside = named_after(&measured, format);
    let to = args.output.as_deref().or(beside.as_deref());
    let store_file = args.store.store.as_path();
    let written = match format {
        Format::Text => {
            let look = if to.is_some() { Look::plain(FILE_WIDTH) } else { printer.look() };
            whole(printer, to, store_file, &terminal::render(&reporting.report, Extent::Full, look))?
        }
        Format::Json => {
            let value = json::to_value(&reporting.report).map_err(|error| RunError::Bug(error.to_string()))?;
            whole(printer, to, store_file, &format!("{value}\n"))?
        }
        Format::Md => whole(printer, to, store_file, &markdown::render(&reporting.report))?,
        Format::Html => paged(&reporting, args.bodies.unwrap_or(BODIES_MIB), to, store_file)?,
        Format::Csv => rowwise(&reporting, args, RowFormat::Csv)?,
        Format::Jsonl => rowwise(&reporting, args, RowFormat::Plain)?,
        Format::Nemo => nemo(&reporting, args, printer)?,
        Format::Parquet => parquet(&reporting, args)?,
    };
    if matches!(format, Format::Json | Format::Csv | Format::Parquet) {
        reporting.report.gone.iter().for_each(|gone| printer.note(&terminal::gone(gone)));
    }
    if let Some(path) = to {
        printer.note(&format!("wrote {} ({written})", path.display()));
    }
    super::DONE
}

fn refuse_unknown_variant(measured: &MeasuredRun, name: Option<&str>) -> Result<(), Error> {
    let mut known = measured.measurements.variants.iter().map(|row| row.variant.id.as_str());
    match name {
        Some(name) if !known.any(|known| known == name) => {
            let names: Vec<&str> = measured.measurements.variants.iter().map(|row| row.variant.id.as_str()).collect();
            let message = format!("run `{}` has no variant `{name}`", measured.run.name);
            Err(Error::usage(message, format!("it has {}", names.join(", "))))
        }
        _ => Ok(()),
    }
}

/// The form that was asked for. Two flags may contradict each other; what the environment holds for every call only
/// has no effect where it does not fit.
fn format(args: &ReportArgs, printer: Printer) -> Result<Format, Error> {
    let format = match (args.format, &args.output) {
        (Some(format), _) if printer.is_json() && format != Format::Json => {
            match (printer::is_set("CEILING_FORMAT"), printer::is_set("CEILING_JSON")) {
                (true, _) => Format::Json,
                (false, true) => format,
                _ => {
                    return Err(Error::usage("--json is another form than --format names", "leave one of them out"));
                }
            }
        }
        (Some(format), _) => format,
        (None, Some(path)) if printer.is_json() => match Format::of_file(path) {
            Ok(named) if named != Format::Json && printer::is_set("CEILING_JSON") => named,
            Ok(named) if named != Format::Json => {
                return Err(Error::usage(
                    format!("--json is another form than the ending of `{}` names", path.display()),
                    "leave --json out, or end the name in .json; --format json writes JSON whatever the ending is",
                ));
            }
            _ => Format::Json,
        },
        (None, None) if printer.is_json() => Format::Json,
        (None, Some(path)) => Format::of_file(path)?,
        (None, None) => Format::Text,
    };
    if args.bodies.is_some() && format != Format::Html && !printer::is_set("CEILING_BODIES") {
        return Err(Error::usage("--bodies says what a page holds, and only HTML is a page", "add --format html"));
    }
    let has_rows = matches!(format, Format::Csv | Format::Parquet | Format::Jsonl | Format::Nemo);
    if args.variant.is_some() && (!has_rows || args.rows == Some(Rows::Variants)) {
        return Err(Error::usage("--variant picks the trials of rows", "add --format csv, jsonl or nemo"));
    }
    if args.rows.is_some() && !printer::is_set("CEILING_ROWS") && !matches!(format, Format::Csv | Format::Parquet) {
        return Err(Error::usage("--rows says what a row is, and only CSV and Parquet have rows", "add --format csv"));
    }
    if format == Format::Parquet && cfg!(not(feature = "parquet")) {
        return Err(Error::usage(
            "this build of ceiling cannot write Parquet",
            "build one that can with `cargo install ceiling-eval --features parquet`; --format csv has the same rows",
        ));
    }
    Ok(format)
}

/// Writes a text, and says how long it is.
fn whole(printer: Printer, to: Option<&Path>, store: &Path, text: &str) -> Result<String, Error> {
    match to {
        Some(path) => Output::put(path, text, store)?,
        None => printer.data(text),
    }
    Ok(format!("{} bytes", group_thousands(text.len() as i128)))
}

/// A page would be of no use on a terminal: it goes to a file of the run's name.
fn named_after(measured: &MeasuredRun, format: Format) -> Option<PathBuf> {
    let name = || PathBuf::from(format!("{}.html", measured.run.name));
    (format == Format::Html && std::io::stdout().is_terminal()).then(name)
}

/// Writes a page, and says how long it is.
fn paged(reporting: &Reporting<'_>, bodies_mib: u32, to: Option<&Path>, store: &Path) -> Result<String, Error> {
    let mut output = Output::open(to, store)?;
    match html::write(reporting, bodies_mib as usize * 1024 * 1024, None, &mut output) {
        Ok(bytes) => {
            output.close(Ok(()))?;
            Ok(format!("{} bytes", group_thousands(bytes.into())))
        }
        Err(Unwritten::Taken(error)) => {
            output.close(Err(error))?;
            Ok("not to its end".to_owned())
        }
        Err(Unwritten::Made(error)) => {
            output.discard();
            Err(error)
        }
    }
}

/// Writes NeMo Evaluator's lines, which name no variant and have no place for what is missing.
fn nemo(reporting: &Reporting<'_>, args: &ReportArgs, printer: Printer) -> Result<String, Error> {
    let all = &reporting.measured.measurements.variants;
    if all.len() > 1 && args.variant.is_none() {
        let names: Vec<String> = all.iter().map(|row| format!("`{}`", row.variant.id)).collect();
        return Err(Error::usage(
            format!("NeMo Evaluator's results have one variant a file, and the run has {}", names.join(", ")),
            "--variant NAME says which",
        ));
    }
    let wanted = |row: &&VariantMeasurements| args.variant.as_ref().is_none_or(|name| row.variant.id.as_str() == name);
    let unscored = |row: &VariantMeasurements| row.missing + row.scorers.first().map_or(0, |scorer| scorer.unscored);
    let left_out: u64 = all.iter().filter(wanted).map(unscored).sum();
    if left_out > 0 {
        printer.note(&format!(
            "{left_out} trials have no score (missing, or not scored) and are left out: NeMo's results have no place for them"
        ));
    }
    rowwise(reporting, args, RowFormat::Nemo)
}

/// Writes rows, and says how many.
fn rowwise(reporting: &Reporting<'_>, args: &ReportArgs, format: RowFormat) -> Result<String, Error> {
    let output = Output::open(args.output.as_deref(), &args.store.store)?;
    let wanted = (args.rows.unwrap_or_default(), args.variant.as_deref());
    let count = rows::write(reporting, wanted, format, output)?;
    Ok(format!("{} row{}", group_thousands(count.into()), if count == 1 { "" } else { "s" }))
}

#[cfg(feature = "parquet")]
fn parquet(reporting: &Reporting<'_>, args: &ReportArgs) -> Result<String, Error> {
    if args.output.is_none() && Output::open(None, &args.store.store)?.is_terminal() {
        return Err(Error::usage("Parquet is no text for a terminal", "-o FILE names the file to write"));
    }
    rowwise(reporting, args, RowFormat::Parquet)
}

/// Refused before; there is nothing that could write it.
#[cfg(not(feature = "parquet"))]
fn parquet(_: &Reporting<'_>, _: &ReportArgs) -> Result<String, Error> {
    Ok(String::new())
}
