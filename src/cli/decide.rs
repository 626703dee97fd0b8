//! `ceiling decide`: the ladder on a run, or on figures that were measured elsewhere.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::args::StoreArgs;
use super::exit::Exit;
use super::imported;
use super::printer::Printer;
use super::reporting::{self, MeasuredRun};
use crate::decide::{Derivation, Given, SuiteFacts, Verdict, explain};
use crate::diagnostic::Source;
use crate::error::Error;
use crate::provider::load::{ReadCodes, read_text};
use crate::report::{explain as explanation, terminal};
use crate::store::Store;
use crate::text;

/// Flags of `ceiling decide`.
///
/// Prints the six questions in order, what was tried, each trigger with its figures, the ceiling test,
/// the label ceiling, what tuning must reach, the break-even, and the one next step.
#[derive(Debug, Clone, Args)]
pub struct DecideArgs {
    /// The run to decide on; `last` is the newest.
    #[arg(value_name = "RUN", default_value = "last", conflicts_with = "evidence")]
    pub run: String,
    /// Decide on figures measured elsewhere instead: a TOML or JSON file (`-` reads stdin); no run and no
    /// store is needed. docs/reference/evidence.md has every key and an example.
    #[arg(long, value_name = "FILE", env = "CEILING_EVIDENCE")]
    pub evidence: Option<PathBuf>,
    /// Show how each figure came about: method, formula, numbers.
    #[arg(long, env = "CEILING_EXPLAIN")]
    pub explain: bool,
    /// The day of the decision (YYYY-MM-DD, default today): a tuned model brings nothing after it retires.
    #[arg(long, value_name = "DAY", value_parser = parse_day, env = "CEILING_AS_OF")]
    pub as_of: Option<Date>,
    /// The suite's folder, where it is no longer where the run found it.
    #[arg(long, value_name = "FOLDER", env = "CEILING_SUITE")]
    pub suite: Option<PathBuf>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

pub(super) fn parse_day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "expected a day such as 2027-01-14".to_owned())
}

const READING: ReadCodes =
    ReadCodes { unreadable: "evidence/unreadable", not_utf8: "evidence/not-utf8", too_large: "evidence/too-large" };

/// Decides; the verdict is output, not an exit code.
pub(super) fn decide(args: &DecideArgs, printer: Printer) -> Result<Exit, Error> {
    let today = args.as_of.unwrap_or_else(super::today);
    let decided = match &args.evidence {
        Some(file) => on_file(file, today, printer)?,
        None => on_run(args, today)?,
    };
    printer.text(&(terminal::headed(&decided.heading, printer.width()) + "\n"));
    printer.text(&terminal::decision(&decided.verdict, printer.look()));
    let times = decided.about["times_scored"].as_u64().unwrap_or(0);
    if let Some(note) = terminal::scored_before(times) {
        printer.text(&format!("\n{}", terminal::wrap(&note, "", "", printer.width())));
    }
    if args.explain {
        printer.text(&explanation::text(&decided.derivations, printer.width()));
    }
    printer.value(&decided.value(args.explain, today));
    super::DONE
}

/// A verdict with what it is about.
struct Decided {
    heading: String,
    /// `run`, `suite`, `file`, `task`, `provenance`: where the figures come from.
    about: Value,
    verdict: Verdict,
    derivations: Vec<Derivation>,
}

impl Decided {
    fn value(&self, explain: bool, today: Date) -> Value {
        let mut value = self.about.clone();
        value["as_of"] = today.to_string().into();
        value["verdict"] = serde_json::to_value(&self.verdict).unwrap_or_default();
        value["derivations"] = if explain { explanation::to_json(&self.derivations) } else { Value::Null };
        value
    }
}

fn on_run(args: &DecideArgs, today: Date) -> Result<Decided, Error> {
    let store = Store::open_existing(&args.store.store)?;
    let MeasuredRun { run, suite, measurements, .. } =
        reporting::measured_run(&store, &args.run, args.suite.as_deref())?;
    let facts = SuiteFacts::on(&suite, today);
    let (verdict, derivations) = match args.explain {
        true => explain(&facts, &measurements),
        false => (crate::decide::decide(&facts, &measurements), Vec::new()),
    };
    let source = match imported::setting(&run) {
        Some(setting) => format!("{} · {setting}", measurements.provenance.answers()),
        None => measurements.provenance.answers().to_owned(),
    };
    Ok(Decided {
        heading: format!("{} · run {} · {source}, graded by the suite as it stands now", suite.name, run.name),
        about: json!({
            "run": run.name, "suite": suite.name, "file": null, "task": suite.description,
            "provenance": measurements.provenance, "times_scored": store.times_scored(&suite.name)?,
        }),
        verdict,
        derivations,
    })
}

fn on_file(file: &Path, today: Date, printer: Printer) -> Result<Decided, Error> {
    let source = if file == Path::new("-") {
        from_stdin()?
    } else {
        read_text(file, &READING).map_err(|fault| *fault).map_err(crate::diagnostic::Diagnostics::from)?
    };
    let (given, warnings) = Given::read(&source)?;
    if printer.shows_progress() && !printer.is_json() {
        printer.warnings(&warnings);
    }
    let (verdict, derivations) = given.decide(Some(today));
    let name = file.display().to_string();
    let task = text::one_line(&given.task, 200);
    let of = if task.is_empty() { String::new() } else { format!("{task} · ") };
    Ok(Decided {
        heading: format!("{of}figures stated in {name}: nothing here was measured by this tool"),
        about: json!({"run": null, "suite": null, "file": name, "task": given.task, "provenance": "stated", "times_scored": null}),
        verdict,
        derivations,
    })
}

/// Largest evidence read from stdin.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// JSON where it begins like an object, else TOML.
fn from_stdin() -> Result<Source, Error> {
    let mut read = String::new();
    let read_in = std::io::stdin().lock().take(MOST_BYTES).read_to_string(&mut read);
    read_in.map_err(|error| Error::usage(format!("failed to read stdin: {error}"), "--evidence FILE names a file"))?;
    let name = if read.trim_start().starts_with('{') { "stdin.json" } else { "stdin.toml" };
    Ok(Source::new(name, read))
}
