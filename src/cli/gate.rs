//! `ceiling gate`: a suite against its baseline.

mod calibrating;
mod confirm;
pub(super) mod kept;
mod out;
pub(super) mod rows_digest;
pub(super) mod sides;
pub(super) mod stored;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::args::{SelectionArgs, StoreArgs, parse_override};
use super::assemble;
use super::exit::Exit;
use super::interrupts::Interrupts;
use super::keys::environment;
use super::printer::Printer;
use super::run::asking::{self, Answered};
use super::run::{RunArgs, parse_pace, parse_usd};
use crate::diagnostic::Diagnostics;
use crate::digest::Digest;
use crate::error::Error;
use crate::gate::ALPHA_FAIL;
use crate::gate::baseline::Baseline;
use crate::gate::metric::GateLevels;
use crate::gate::verdict::{GateAnswer, VariantVerdict, overall, settle};
use crate::measure::RunProvenance;
use crate::measure::grade::Grader;
use crate::provider::load::{Providers, ReadCodes, read_text_up_to};
use crate::report::gate::{GateReport, Inconclusive};
use crate::store::Store;
use crate::suite::load::LoadOptions;
use crate::suite::{Statistics, Suite};
use crate::units::Usd;
use crate::variant::Variant;
use sides::{GradedRun, ReadSide, loads_differ};

/// Flags of `ceiling gate`.
///
/// Runs the suite, pairs its answers with the baseline's example by example, and says of accuracy,
/// validity, cost and latency whether they held within the suite's margins. A regression is confirmed
/// by asking both sides afresh. Exit codes: 0 held, 1 regressed, 3 not enough evidence, 4 could not run.
#[derive(Debug, Clone, Args)]
pub struct GateArgs {
    /// The suite's folder.
    #[arg(value_name = "SUITE")]
    pub suite: PathBuf,
    /// What `ceiling baseline` wrote.
    #[arg(long, value_name = "FILE", required_unless_present = "calibrate", env = "CEILING_BASELINE")]
    pub baseline: Option<PathBuf>,
    /// Gate this run of the store, such as an imported one, instead of running the suite: nothing is asked.
    #[arg(
        long,
        value_name = "RUN",
        conflicts_with_all = ["calibrate", "fresh", "recorded_only", "repeats", "provider", "concurrency", "max_cost"],
        env = "CEILING_GATE_RUN"
    )]
    pub run: Option<String>,
    /// The variants to gate (comma-separated), instead of the suite's incumbent.
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "CEILING_VARIANT")]
    pub variant: Vec<String>,
    /// What not enough evidence does: `fail` exits with 3, `warn` and `pass` with 0.
    #[arg(long, value_enum, default_value_t = Policy::Fail, env = "CEILING_INCONCLUSIVE")]
    pub inconclusive: Policy,
    /// Do not ask both sides afresh to confirm a regression: it stands, and is marked unconfirmed.
    #[arg(long, env = "CEILING_NO_CONFIRM")]
    pub no_confirm: bool,
    /// Gate the unchanged system K times against itself instead, and say how often it failed. Asks each
    /// example 2·K times.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=500), env = "CEILING_CALIBRATE")]
    pub calibrate: Option<u32>,
    /// Write JUnit XML to this file.
    #[arg(long, value_name = "FILE", env = "CEILING_JUNIT")]
    pub junit: Option<PathBuf>,
    /// Write Markdown to this file.
    #[arg(long, value_name = "FILE", env = "CEILING_MARKDOWN")]
    pub markdown: Option<PathBuf>,
    /// Add Markdown to this file: the summary of a job on GitHub.
    #[arg(long, value_name = "FILE", env = "GITHUB_STEP_SUMMARY")]
    pub step_summary: Option<PathBuf>,
    /// Where it is measured, in your words: latency is gated only if the baseline has the same.
    #[arg(long, value_name = "TEXT", env = "CEILING_PLACE")]
    pub place: Option<String>,
    /// Ask again, whatever the store has.
    #[arg(long, env = "CEILING_FRESH")]
    pub fresh: bool,
    /// Leave out examples that the recording does not know, instead of stopping.
    #[arg(long, env = "CEILING_RECORDED_ONLY")]
    pub recorded_only: bool,
    /// Ask each example this many times, instead of what the suite says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), env = "CEILING_REPEATS")]
    pub repeats: Option<u32>,
    /// Ask another provider for the same models.
    #[arg(long, value_name = "FROM=TO", value_parser = parse_override, env = "CEILING_PROVIDER", value_delimiter = ',')]
    pub provider: Vec<(String, String)>,
    /// Most requests at once to each provider, instead of its own limit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096), env = "CEILING_CONCURRENCY")]
    pub concurrency: Option<u32>,
    /// Pace of a recording: 1 is the real pace, 0 at once.
    #[arg(long, value_name = "FACTOR", default_value_t = 0.02, value_parser = parse_pace, env = "CEILING_PACE")]
    pub pace: f64,
    /// Spend at most this much, confirmation included.
    #[arg(long, value_name = "USD", value_parser = parse_usd, env = "CEILING_MAX_COST")]
    pub max_cost: Option<Usd>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// What not enough evidence does, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    /// The build passes.
    Pass,
    /// The build passes with a warning.
    Warn,
    /// The command ends with 3.
    Fail,
}

impl Policy {
    fn rule(self) -> Inconclusive {
        match self {
            Self::Pass => Inconclusive::Pass,
            Self::Warn => Inconclusive::Warn,
            Self::Fail => Inconclusive::Fail,
        }
    }
}

const READING: ReadCodes =
    ReadCodes { unreadable: "baseline/unreadable", not_utf8: "baseline/not-utf8", too_large: "baseline/too-large" };

/// The largest baseline that is read: a line an example, of which a suite may have a million.
const LARGEST_BASELINE: u64 = 1 << 30;

/// Gates, and answers with an exit code.
pub(super) fn gate(args: &GateArgs, printer: Printer) -> Result<Exit, Error> {
    let (_watching, interrupts) = asking::watched()?;
    let providers = assemble::providers(&args.suite)?;
    if let Some(pairs) = args.calibrate {
        return calibrating::calibrate(args, pairs, &providers, printer, &interrupts);
    }
    let Some(file) = &args.baseline else {
        return Err(Error::usage("there is no baseline to gate against", "--baseline FILE names one"));
    };
    let baseline = read_baseline(file)?;
    out::check(args)?;
    let mut suite = load_checked(args, &providers, printer)?;
    check_covered(&suite, &baseline, file)?;
    let stored = args.run.as_deref().map(|name| stored::answered(args, name, &mut suite)).transpose()?;
    let gating = Gating { args, file, baseline: &baseline, suite: &suite, providers: &providers, printer };
    gating.run(stored, &interrupts)
}

/// Reads a baseline; whatever is wrong with it is the user's input.
fn read_baseline(file: &Path) -> Result<Baseline, Error> {
    let source =
        read_text_up_to(LARGEST_BASELINE, file, &READING).map_err(|fault| *fault).map_err(Diagnostics::from)?;
    Baseline::parse(&source.text).map_err(|error| {
        Error::usage(
            format!("`{}` is no baseline: {error}", file.display()),
            "`ceiling baseline RUN -o FILE` writes one",
        )
    })
}

/// The suite with the gated variants alone, its data checked.
fn load_checked(args: &GateArgs, providers: &Providers, printer: Printer) -> Result<Suite, Error> {
    let names = if args.variant.is_empty() {
        let options =
            LoadOptions { provider_overrides: args.provider.iter().cloned().collect(), ..LoadOptions::default() };
        let suite = crate::suite::load::load(&args.suite, providers, &options)?.suite;
        let in_use = suite.in_use().map(|variant| vec![variant.id.as_str().to_owned()]);
        in_use.ok_or_else(|| {
            Error::usage(
                "the suite has no variant that is in use: all are tuned",
                "name the variant with --variant NAME",
            )
        })?
    } else {
        args.variant.clone()
    };
    let loaded = assemble::load_checked(&args.suite, providers, &assemble::load_options(&selection(args, &names)))?;
    if !printer.is_json() && printer.shows_progress() {
        printer.warnings(&loaded.warnings);
    }
    let mut suite = loaded.suite;
    suite.repeats = args.repeats.unwrap_or(suite.repeats);
    if !(suite.gate.margin > 0.0 && suite.gate.margin < 1.0) {
        return Err(Error::usage(
            format!("`[gate] margin` is {}, which no number of examples can show", suite.gate.margin),
            "state how many points less are still no regression, such as 0.02",
        ));
    }
    Ok(suite)
}

fn selection(args: &GateArgs, names: &[String]) -> SelectionArgs {
    let variants = Some(names.to_vec());
    SelectionArgs { variants, limit: None, examples: None, tag: Vec::new(), provider: args.provider.clone() }
}

/// That the baseline is of this suite and has every gated variant.
fn check_covered(suite: &Suite, baseline: &Baseline, file: &Path) -> Result<(), Error> {
    let shown = file.display();
    if suite.name != baseline.suite {
        return Err(Error::usage(
            format!("`{shown}` is a baseline of the suite `{}`, not of `{}`", text(&baseline.suite), suite.name),
            "name the baseline of this suite",
        ));
    }
    let absent = suite.variants.iter().find(|variant| !baseline.variants.contains_key(variant.id.as_str()));
    let Some(absent) = absent else { return Ok(()) };
    let known: Vec<String> = baseline.variants.keys().map(|name| text(name)).collect();
    Err(Error::usage(
        format!("`{shown}` has no variant `{}`; it has {}", absent.id, known.join(", ")),
        format!("`ceiling baseline RUN -o {shown} --variant {}` freezes it; --variant gates another", absent.id),
    ))
}

/// A name from a file that anybody may have written.
fn text(name: &str) -> String {
    crate::text::one_line(name, 200)
}

/// The error for a variant that the suite does not have.
pub(super) fn unknown_variant(name: &str, suite: &Suite) -> Error {
    let known: Vec<&str> = suite.variants.iter().map(|variant| variant.id.as_str()).collect();
    Error::usage(
        format!("the suite `{}` has no variant `{}`", suite.name, text(name)),
        format!("it has {}", known.join(", ")),
    )
}

/// What tells a variant's endpoint from another, its recording apart.
pub(super) fn endpoint_digest(providers: &Providers, variant: &Variant) -> Result<Digest, Error> {
    let (provider, model) = assemble::found(providers, variant)?;
    let http = assemble::keyless(provider, model, None);
    Ok(assemble::spec(&variant.endpoint.to_string(), provider, model, &http, None, None).digest)
}

/// The levels of a suite's gate.
fn levels(suite: &Suite) -> GateLevels {
    let Statistics { alpha, seed, .. } = suite.statistics;
    GateLevels { alpha, alpha_fail: ALPHA_FAIL, seed }
}

/// A gate under way.
struct Gating<'a> {
    args: &'a GateArgs,
    file: &'a Path,
    baseline: &'a Baseline,
    suite: &'a Suite,
    providers: &'a Providers,
    printer: Printer,
}

/// The variants as they are now.
struct Now {
    answered: Answered,
    sides: Vec<ReadSide>,
}

impl Gating<'_> {
    fn run(&self, stored: Option<Answered>, interrupts: &Interrupts) -> Result<Exit, Error> {
        let answered = match stored {
            Some(stored) => stored,
            None => {
                let names: Vec<String> = self.suite.variants.iter().map(|variant| variant.id.0.clone()).collect();
                let run_args = self.run_args(&names, self.args.max_cost);
                asking::ask(&run_args, (self.suite, self.providers), self.printer, interrupts)?
            }
        };
        if answered.exit == Exit::Interrupted {
            return Ok(Exit::Interrupted);
        }
        let now = self.now(answered)?;
        let levels = levels(self.suite);
        let mut verdicts = Vec::new();
        for (variant, side) in self.suite.variants.iter().zip(&now.sides) {
            let mut before = self.before(variant.id.as_str())?;
            let then = self.baseline.variants.get(variant.id.as_str()).map_or(0, |facts| facts.in_flight);
            if side.facts.provenance() == RunProvenance::Live && before.why_no_times.is_none() {
                before.why_no_times = loads_differ(then, side.facts.in_flight());
            }
            verdicts.push(VariantVerdict::of(variant.id.as_str(), &before, &side.gate, &self.suite.gate, &levels));
        }
        settle(&mut verdicts, &levels);
        if now.answered.exit != Exit::Done {
            verdicts.iter_mut().for_each(VariantVerdict::could_not_run);
        } else if self.confirm(&mut verdicts, &now, interrupts)? == Exit::Interrupted {
            return Ok(Exit::Interrupted);
        }
        for verdict in verdicts.iter_mut().filter(|verdict| verdict.answer == GateAnswer::CouldNotRun) {
            if verdict.confirmation.is_none() && !verdict.regressed().is_empty() {
                verdict.leave_unconfirmed("asking both sides afresh could not finish");
            }
            verdict.could_not_run();
        }
        self.conclude(verdicts, &now)
    }

    fn before(&self, variant: &str) -> Result<crate::gate::calls::GateSide, Error> {
        let side = self.baseline.side(variant);
        side.ok_or_else(|| Error::usage(format!("the baseline has no variant `{}`", text(variant)), "freeze it anew"))
    }

    fn run_args(&self, names: &[String], max_cost: Option<Usd>) -> RunArgs {
        let args = self.args;
        RunArgs {
            fresh: args.fresh,
            recorded_only: args.recorded_only,
            pace: args.pace,
            concurrency: args.concurrency,
            repeats: args.repeats,
            max_cost,
            ..RunArgs::plain(&args.suite, selection(args, names), args.store.clone())
        }
    }

    fn now(&self, answered: Answered) -> Result<Now, Error> {
        let mut sides = self.read(self.suite, &answered, None)?;
        if answered.exit != Exit::Done && answered.left_out == 0 {
            for row in self.suite.examples.read() {
                let example = row.map_err(|fault| Error::Input(Diagnostics::from(*fault)))?.example;
                sides.iter_mut().for_each(|side| side.gate.fill_up(&example, self.suite.repeats as usize));
            }
        }
        Ok(Now { answered, sides })
    }

    /// The sides of a run: all variants of the suite, or one.
    fn read(&self, suite: &Suite, answered: &Answered, only: Option<&str>) -> Result<Vec<ReadSide>, Error> {
        let store = Store::open_existing(&self.args.store.store)?;
        let grader = Grader::new(suite, &assemble::endpoint_facts(suite, self.providers)?)?;
        let graded = GradedRun {
            store: &store,
            run: &answered.run,
            suite,
            grader: &grader,
            comparable: stored::times_are_comparable(&answered.run, suite),
            place: self.args.place.as_deref(),
        };
        let wanted = suite.variants.iter().filter(|variant| only.is_none_or(|only| variant.id.as_str() == only));
        wanted.map(|variant| graded.side(variant.id.as_str())).collect()
    }

    fn conclude(&self, verdicts: Vec<VariantVerdict>, now: &Now) -> Result<Exit, Error> {
        let answer = overall(&verdicts);
        let exit = match (answer, self.args.inconclusive) {
            (GateAnswer::Held, _) | (GateAnswer::NotEnoughEvidence, Policy::Pass | Policy::Warn) => Exit::Done,
            (GateAnswer::Regressed, _) => Exit::GateFailed,
            (GateAnswer::NotEnoughEvidence, Policy::Fail) => Exit::NotEnoughEvidence,
            (GateAnswer::CouldNotRun, _) => Exit::CouldNotFinish,
        };
        let report = GateReport {
            suite: self.suite.name.clone(),
            file: self.suite.file.display().to_string(),
            baseline: out::baseline_facts(self.file, self.baseline, &verdicts),
            run: now.answered.run.name.clone(),
            answer,
            exit_code: exit.code(),
            inconclusive: self.args.inconclusive.rule(),
            levels: levels(self.suite),
            correction: "holm",
            lines: out::lines(self.suite),
            notes: out::notes(self, &verdicts, now)?,
            variants: verdicts,
        };
        out::write(self.args, &report, environment("GITHUB_ACTIONS").as_deref() == Some("true"), self.printer)?;
        Ok(exit)
    }
}
