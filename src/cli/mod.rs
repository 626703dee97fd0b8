//! The commands: flags in, exit code out. One file a command.

mod accept;
pub mod args;
mod assemble;
mod baseline;
mod calc;
mod check;
mod compare;
mod completions;
mod decide;
mod early;
pub mod exit;
mod export;
pub mod flags;
mod flips;
mod gate;
mod import;
mod imported;
mod init;
mod interrupts;
pub mod keys;
mod labels;
mod measuring;
mod merge;
mod output;
pub mod part;
mod plan;
mod preflight;
mod printer;
mod probe;
mod progress;
mod providers;
mod record;
mod report;
mod reporting;
mod retrieval;
mod run;
mod runs;
mod show;
mod store;
mod trained;
mod tune;
mod vectors;
mod view;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use args::OutputArgs;
use exit::Exit;
use keys::KeyArgs;
use printer::Printer;

use crate::pipeline;

/// Has prompting hit its ceiling on your task, or is a cheaper step than a fine-tune left?
///
/// A suite is a folder with a task, labelled examples and an output schema. `ceiling run` asks
/// every variant of it (prompts, few-shot, schema, tuned models), measures accuracy, schema
/// validity, latency and cost with their uncertainty, and ends with a scoreboard and a verdict.
///
/// Exit codes: 0 done, 1 a gate failed, 2 wrong input, 3 not enough evidence, 4 could not finish,
/// 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "ceiling", version, max_term_width = 100)]
pub struct Cli {
    /// What is printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where keys may come from.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Draft a suite from labelled data: CSV, JSON Lines, promptfoo, OpenAI or Inspect files.
    Init(init::InitArgs),
    /// Run a suite: ask, score, and end with the scoreboard and the verdict.
    Run(run::RunArgs),
    /// Find every fault in suites, providers and data before anything is asked.
    Check(check::CheckArgs),
    /// Decide on a run or on stated figures: six questions, five triggers, break-even, the next step.
    Decide(decide::DecideArgs),
    /// Before you train: what a small classifier reaches on the suite's labels, and whether more would help.
    Probe(probe::ProbeArgs),
    /// Before a cent is spent: requests, tokens, cost and time, and what the examples can show.
    Plan(plan::PlanArgs),
    /// List the runs in the store.
    Runs(runs::RunsArgs),
    /// Show one example of a run whole: request, raw answer, scores, timing, cost.
    #[command(after_help = "Examples:\n  ceiling show last e07\n  ceiling show last e07 --variant few-shot --request")]
    Show(show::ShowArgs),
    /// Compare variants or runs on the same examples: paired difference, flips, slices.
    Compare(compare::CompareArgs),
    /// Show the examples on which two sides differ, with both answers.
    #[command(
        after_help = "Examples:\n  ceiling flips plain few-shot\n  ceiling flips run-1:plain run-2:plain --only broken"
    )]
    Flips(flips::FlipsArgs),
    /// Review the labels: which to look at, and what they allow; draw an audit, and read one back.
    #[command(
        after_help = "Examples:\n  ceiling labels suites/outages -o review.jsonl\n  ceiling labels suites/outages --random 100 -o audit.jsonl\n  ceiling labels suites/outages --apply audit.jsonl --write"
    )]
    Labels(labels::LabelsArgs),
    /// Report a run: for a terminal, a browser, a pull request, a notebook.
    #[command(
        after_help = "Examples:\n  ceiling report last -o report.html\n  ceiling report last --format csv --rows variants"
    )]
    Report(report::ReportArgs),
    /// Show the store's runs in a browser: the list, each report, any two compared.
    View(view::ViewArgs),
    /// Join the shards of a run, each in a store of its own, into one run.
    Merge(merge::MergeArgs),
    /// Look after the store: check it, remove runs, make the file smaller, write a run as JSON Lines.
    Store(store::StoreCommandArgs),
    /// Read another tool's results as a run: promptfoo, Inspect, lm-eval, NeMo Evaluator, JSON Lines.
    Import(import::ImportArgs),
    /// Write a run's answers as a recording that can be replayed without a key or a network.
    Record(record::RecordArgs),
    /// Freeze a run in a file for the gate: small, sorted, made to be kept with the suite.
    Baseline(baseline::BaselineArgs),
    /// Gate a change: held (0), regressed (1), or not enough evidence (3), against a baseline.
    Gate(gate::GateArgs),
    /// Training data from a suite's pool, for a fine-tune, with the frozen test of the tuned model.
    #[command(
        after_help = "Examples:\n  ceiling export suites/outages --format openai-chat -o out/train.jsonl\n  ceiling export RUN --source teacher --variant large --format together -o out/train.jsonl"
    )]
    Export(export::ExportArgs),
    /// Judge a tuned model by the test that was frozen with its training data: accepted (0), rejected (1), open (3).
    Accept(accept::AcceptArgs),
    /// Fine-tune on exported files: a managed job at a provider, or the commands for a machine of your own.
    Tune(tune::TuneArgs),
    /// The statistics as a calculator: one JSON object in, one out.
    Calc(calc::CalcArgs),
    /// List providers and their models, check them, renew their prices.
    Providers(providers::ProvidersArgs),
    /// Print a shell's completions of commands and flags.
    Completions(completions::CompletionsArgs),
    /// Print the JSON Schema of suite.toml or of provider files, with which editors complete and check.
    Schema(completions::SchemaArgs),
    /// Print the manual page of the program or of one command.
    #[command(hide = true)]
    Man(completions::ManArgs),
}

/// Runs a command.
pub fn run(cli: Cli) -> ExitCode {
    start_tracing(cli.output.verbose);
    let printer = Printer::new(&cli.output);
    let exit = dispatch(cli, printer).unwrap_or_else(|error| {
        printer.error(&error);
        error.exit()
    });
    printer::ended(exit).into()
}

fn dispatch(cli: Cli, printer: Printer) -> Result<Exit, crate::error::Error> {
    if cli.command.needs_keys() {
        keys::read_env_file(&cli.keys, printer);
    }
    match cli.command {
        Command::Init(args) => init::init(&args, printer),
        Command::Run(args) => run::run(&args, printer),
        Command::Check(args) => check::check(&args, printer),
        Command::Decide(args) => decide::decide(&args, printer),
        Command::Probe(args) => probe::probe(&args, printer),
        Command::Plan(args) => plan::plan(&args, printer),
        Command::Runs(args) => runs::runs(&args, printer),
        Command::Show(args) => show::show(&args, printer),
        Command::Compare(args) => compare::compare(&args, printer),
        Command::Flips(args) => flips::flips(&args, printer),
        Command::Labels(args) => labels::labels(&args, printer),
        Command::Report(args) => report::report(&args, printer),
        Command::View(args) => view::view(&args, printer),
        Command::Merge(args) => merge::merge(&args, printer),
        Command::Store(args) => store::store(&args, printer),
        Command::Import(args) => import::import(&args, printer),
        Command::Record(args) => record::record(&args, printer),
        Command::Baseline(args) => baseline::baseline(&args, printer),
        Command::Gate(args) => gate::gate(&args, printer),
        Command::Export(args) => export::export(&args, printer),
        Command::Accept(args) => accept::accept(&args, printer),
        Command::Tune(args) => tune::tune(&args, printer),
        Command::Calc(args) => calc::calc(&args, printer),
        Command::Providers(args) => providers::providers(&args, printer),
        Command::Completions(args) => completions::completions(&args, printer),
        Command::Schema(args) => completions::schema(&args, printer),
        Command::Man(args) => completions::man(&args, printer),
    }
}

impl Command {
    /// Whether it asks a provider, or says whether it could.
    fn needs_keys(&self) -> bool {
        matches!(
            self,
            Self::Run(_)
                | Self::Check(_)
                | Self::Plan(_)
                | Self::Probe(_)
                | Self::Gate(_)
                | Self::Init(_)
                | Self::Providers(_)
                | Self::Accept(_)
                | Self::Tune(_)
        )
    }
}

/// Logs to stderr; `RUST_LOG` says more precisely what.
fn start_tracing(verbose: u8) {
    use tracing_subscriber::{EnvFilter, fmt, prelude::*};
    let level = match verbose {
        0 => "warn",
        1 => "ceiling=info",
        _ => "ceiling=debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let layer = fmt::layer().with_writer(std::io::stderr).without_time().with_target(false);
    tracing_subscriber::registry().with(filter).with(layer).init();
}

/// A runtime for commands that send.
fn runtime() -> Result<tokio::runtime::Runtime, crate::error::Error> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| crate::error::Error::System { what: "failed to start".into(), error })
}

/// Now, in milliseconds since 1970-01-01 UTC, for the record.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Today, in UTC.
fn today() -> jiff::civil::Date {
    jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date()
}

/// The exit code of a command that printed what it had to say.
const DONE: Result<Exit, crate::error::Error> = Ok(Exit::Done);
