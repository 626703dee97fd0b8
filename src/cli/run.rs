//! `ceiling run`: ask, score, scoreboard, verdict.

pub(super) mod asking;
mod batch;
mod begin;
mod count;
mod ending;
mod several;
mod spent;
pub(super) mod stopping;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::time::Instant;

use super::args::{SelectionArgs, StoreArgs};
use super::assemble::{self, Assembly};
use super::exit::Exit;
use super::interrupts::Interrupts;
use super::measuring;
use super::part::{self, Part, PartArgs};
use super::printer::Printer;
use super::progress::Progress;
use super::retrieval::Retrieval;
use super::vectors::Allowance;
use crate::decide::{SuiteFacts, decide};
use crate::error::Error;
use crate::measure::grade::Grader;
use crate::plan::{Order, default_order};
use crate::replay::LatencyClaim;
use crate::report::Report;
use crate::run::batch::drive_batches;
use crate::run::feed::{Feed, OpenExamples};
use crate::run::http::HttpTransport;
use crate::run::stored::StoredPrefixes;
use crate::run::{Job, RunError, Summary, drive};
use crate::store::{RunRow, RunState, Store, Writer};
use crate::suite::Suite;
use crate::suite::check::data::DataCount;
use crate::units::Usd;

/// Flags of `ceiling run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Folders of suites, such as suites/outages.
    #[arg(required = true, value_name = "SUITE")]
    pub suites: Vec<PathBuf>,
    /// Which part of the suites, asked of whom.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Which part of the examples.
    #[command(flatten)]
    pub part: PartArgs,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Ask again, whatever the store has.
    #[arg(long, env = "CEILING_FRESH")]
    pub fresh: bool,
    /// Leave out examples that the recording does not know, instead of stopping.
    #[arg(long, env = "CEILING_RECORDED_ONLY")]
    pub recorded_only: bool,
    /// Pace of a recording: 1 is the real pace, 0 at once. The recorded times are reported at any pace.
    #[arg(long, value_name = "FACTOR", default_value_t = 0.02, value_parser = parse_pace, env = "CEILING_PACE")]
    pub pace: f64,
    /// Most requests at once to each provider, instead of its own limit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096), env = "CEILING_CONCURRENCY")]
    pub concurrency: Option<u32>,
    /// Ask each example this many times, instead of what the suite says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), env = "CEILING_REPEATS")]
    pub repeats: Option<u32>,
    /// In which order trials are sent.
    #[arg(long, value_enum, default_value_t = OrderChoice::Auto, env = "CEILING_ORDER")]
    pub order: OrderChoice,
    /// Spend at most this much in this invocation: a request is sent only if its worst case fits.
    #[arg(long, value_name = "USD", value_parser = parse_usd, env = "CEILING_MAX_COST")]
    pub max_cost: Option<Usd>,
    /// Send through the providers' batch APIs: at their discount, within a day or so, and without
    /// a latency. The same command fetches what was sent before.
    #[arg(long, env = "CEILING_BATCH")]
    pub batch: bool,
    /// Stop asking a variant once a confidence sequence settles each of its targets, or shows that the
    /// rest of the examples would not. Examples are asked in a random order, and held in memory for it.
    #[arg(long, env = "CEILING_STOP_WHEN_DECIDED")]
    pub stop_when_decided: bool,
    /// Ask for the state of a batch this often, in milliseconds, instead of ever less often.
    #[arg(long, hide = true, value_name = "MS", env = "CEILING_BATCH_POLL_MS")]
    pub batch_poll_ms: Option<u64>,
    /// Stop sending after this many seconds; the same command goes on later.
    #[arg(long, value_name = "SECONDS", env = "CEILING_MAX_TIME")]
    pub max_time: Option<u64>,
    /// The side of a gate that it asks again to confirm a regression.
    #[arg(skip)]
    pub confirm: Option<&'static str>,
    /// The variant that it asks beside those of the suite's file.
    #[arg(skip)]
    pub added: Option<Box<crate::suite::load::AddedVariant>>,
}

/// The order of trials, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OrderChoice {
    /// By variant where an endpoint answers one request at a time, else interleaved.
    Auto,
    /// Example by example, every variant in turn.
    Interleaved,
    /// Variant by variant, which keeps a small server's prompt cache warm.
    ByVariant,
}

pub(super) fn parse_usd(text: &str) -> Result<Usd, String> {
    let amount = text.trim_start_matches('$').parse().ok().and_then(Usd::from_f64);
    amount.filter(|amount| *amount >= Usd::ZERO).ok_or_else(|| "expected an amount such as 2.50".into())
}

pub(super) fn parse_pace(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(pace) if (0.0..=100.0).contains(&pace) => Ok(pace),
        _ => Err("expected a number from 0 to 100".into()),
    }
}

/// How sending ended.
struct Asked {
    row: RunRow,
    summary: Summary,
    left_out: u64,
    /// Whether the user wants to leave at once.
    aborted: bool,
}

/// What a suite's run came to.
struct Ended {
    exit: Exit,
    report: Option<Report>,
}

/// Runs the suites one after another.
pub(super) fn run(args: &RunArgs, printer: Printer) -> Result<Exit, Error> {
    let (_watching, interrupts) = asking::watched()?;
    several::run(args, printer, &interrupts)
}

fn run_suite(args: &RunArgs, folder: &Path, printer: Printer, interrupts: &Interrupts) -> Result<Ended, Error> {
    let providers = assemble::providers(folder)?;
    let part = Part::of(&args.part, &args.selection, (folder, &args.store.store), printer)?;
    let loaded = assemble::load_checked(folder, &providers, &part.load_options(&args.selection))?;
    if !printer.is_json() && printer.shows_progress() {
        printer.warnings(&loaded.warnings);
    }
    let mut suite = loaded.suite;
    part::note_unknown(&suite, &args.selection, printer);
    suite.repeats = args.repeats.unwrap_or(suite.repeats);
    if args.stop_when_decided {
        stopping::check(args, &suite)?;
    }
    let counted = loaded.count;
    asking::with_prepared((args, &part), (&suite, &providers, counted), printer, interrupts, async |prepared| {
        let asked = prepared.ask().await?;
        if asked.aborted {
            return Ok(Ended { exit: prepared.exit(&asked.row, &asked.summary), report: None });
        }
        tokio::task::block_in_place(|| prepared.conclude(&asked.row, &asked.summary, asked.left_out))
    })
}

/// A suite with everything that a run of it needs.
struct Prepared<'a> {
    args: &'a RunArgs,
    part: &'a Part,
    suite: &'a Suite,
    /// What its data come to, where they have been counted.
    counted: Option<DataCount>,
    assembly: &'a Assembly,
    grader: &'a Grader,
    store: &'a Store,
    retrieval: &'a Retrieval,
    allowance: &'a Allowance,
    printer: Printer,
    interrupts: &'a Interrupts,
}

impl RunArgs {
    /// The limits of this invocation, from now on.
    fn allowance(&self, suite: &Suite) -> Allowance {
        let max_time = suite.budget.max_time_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Allowance {
            max_cost: self.max_cost.or(suite.budget.max_usd.and_then(Usd::from_f64)),
            max_time: self.max_time.map(Duration::from_secs).or(max_time),
            began: Instant::now(),
            concurrency: self.concurrency,
        }
    }
}

impl Prepared<'_> {
    /// Sends what is missing.
    async fn ask(&self) -> Result<Asked, Error> {
        let counted = tokio::task::block_in_place(|| self.count())?;
        let each = self.suite.variants.len() as u64 * u64::from(self.suite.repeats);
        let total = counted.examples * each - counted.unknown;
        if self.allowance.max_cost.is_some() {
            assemble::check_budget(self.assembly, self.args.batch)?;
        }
        if !self.args.batch {
            self.note_open_batches()?;
        }
        let mut live = tokio::task::block_in_place(|| self.live())?;
        let (row, resumed, claim) = self.begin(counted.data)?;
        if let Some(live) = live.as_mut().filter(|_| resumed) {
            tokio::task::block_in_place(|| live.take_stored(self.store, row.id, self.suite, self.grader))?;
        }
        if resumed && row.trials > 0 {
            self.printer.note(&format!("going on with run {}, which has {} of {total} trials", row.name, row.trials));
        }
        let before = if resumed { tokio::task::block_in_place(|| self.spent_before(row.id))? } else { Usd::ZERO };
        let order = match self.args.order {
            OrderChoice::Interleaved => Order::Interleaved,
            OrderChoice::ByVariant => Order::ByVariant,
            OrderChoice::Auto => default_order(
                self.assembly
                    .endpoints
                    .iter()
                    .map(|endpoint| endpoint.own_concurrency.unwrap_or(endpoint.limits.concurrency))
                    .min()
                    .unwrap_or(1),
            ),
        };
        let feed = Feed {
            prepared: self.assembly.prepared.clone(),
            lanes: self.assembly.lanes.clone(),
            endpoints: self.assembly.endpoints.clone(),
            recording: self.assembly.recording.clone(),
            repeats: self.suite.repeats,
            order,
            run: row.id,
            is_alone: claim.is_held(),
            fresh: self.args.fresh,
            stored: None,
            purpose: self.args.purpose(),
            store: Store::open_existing(self.store.path())?,
            decided: live.as_ref().map(stopping::Live::decided),
        };
        tracing::info!(run = row.name, trials = total, ?order, "sending");
        for endpoint in &self.assembly.endpoints {
            tracing::info!(endpoint = endpoint.name, concurrency = endpoint.limits.concurrency, "asking");
        }
        let (summary, aborted) = self.drive(feed, (&row, before), total, live).await?;
        Ok(Asked { row, summary, left_out: counted.unknown, aborted })
    }

    /// The second value says whether the user wants to leave at once.
    async fn drive(
        &self,
        mut feed: Feed,
        (row, before): (&RunRow, Usd),
        total: u64,
        live: Option<stopping::Live>,
    ) -> Result<(Summary, bool), Error> {
        let transport = Arc::new(HttpTransport::new(self.assembly.http.clone())?);
        // The lines of a batch are sent whole: they may be answered after a stored prefix is gone.
        let wanted = if self.args.batch { Vec::new() } else { self.assembly.wanted_prefixes(self.suite) };
        let stored = Arc::new(StoredPrefixes::new(Arc::clone(&transport), wanted));
        feed.stored = (!self.args.batch).then(|| Arc::clone(&stored));
        let examples = live.as_ref().map_or_else(|| open_examples(self.suite), stopping::Live::open);
        let decided = feed.decided.clone();
        let mut progress = Progress::new(self.printer, self.grader, &self.suite.variants, total).deciding(live);
        let writer = Writer::start(self.store, row.id)?;
        let (stop, abort) = self.interrupts.sending();
        let aborting = abort.clone();
        let work = feed.start(examples);
        let summary = if self.args.batch {
            drive_batches(&self.batch_job((row, before), transport)?, work, writer, &mut progress, stop, abort).await
        } else {
            let job = Job {
                lanes: self.assembly.lanes.clone(),
                endpoints: self.assembly.endpoints.clone(),
                transport,
                run: row.id,
                max_time: self.allowance.time_left(),
                max_cost: self.max_cost(before),
                decided,
            };
            drive(&job, work, writer, &mut progress, stop, abort).await
        };
        self.interrupts.over();
        progress.finish();
        let refusals = stored.refusals().map(|(lane, message)| (self.assembly.lanes[lane].id.clone(), message));
        let not_stored = refusals.collect();
        stored.delete().await;
        let mut summary = Summary { not_stored, ..summary? };
        summary.unsent = total.saturating_sub(summary.done);
        if let Some(live) = progress.live() {
            (summary.done, summary.unsent) = (live.done(), live.to_go());
        }
        let finished = summary.unsent == 0 && summary.missing == 0 && !summary.interrupted;
        let state = if finished { RunState::Finished } else { RunState::Stopped };
        self.store.set_state(row.id, state, Some(super::now_ms()))?;
        Ok((summary, aborting.is_cancelled()))
    }

    /// What the recording declares of its times; live ones always are.
    fn times_are_comparable(&self) -> bool {
        let header = self.assembly.recording.as_ref().map(|recording| recording.header());
        header.is_none_or(|header| header.latency == LatencyClaim::Comparable)
    }

    /// Measures, decides, and says how to go on where the run is not whole.
    fn conclude(&self, row: &RunRow, summary: &Summary, left_out: u64) -> Result<Ended, Error> {
        let header = self.assembly.recording.as_ref().map(|recording| recording.header());
        let comparable = self.times_are_comparable();
        let whole = (self.suite, self.grader, self.retrieval);
        let mut measurements = measuring::measure(self.store, row.id, whole, comparable)?;
        measurements.note_not_stored(&summary.not_stored);
        let verdict = decide(&SuiteFacts::on(self.suite, super::today()), &measurements);
        let report = Report {
            run: row.name.clone(),
            suite: self.suite.name.clone(),
            began_unix_ms: row.started_at_ms,
            description: self.suite.description.clone(),
            primary: self.suite.scorers.first().map_or(String::new(), |scorer| scorer.id.clone()),
            stated: self.suite.takes_stated_scores(),
            setting: header.map(|header| header.setting.clone()).filter(|setting| !setting.is_empty()),
            part: part::in_words(&part::options(row)),
            left_out,
            regraded: false,
            gone: Vec::new(),
            times_scored: self.store.times_scored(&self.suite.name)?,
            embeddings: self.retrieval.purchases.clone(),
            schema_changes: self.assembly.schema_changes(self.suite),
            measurements: Arc::new(measurements),
            verdict,
            label_review: super::labels::kept(self.store, self.suite, &row.name)?,
        };
        for (variant, message) in &summary.stopped_variants {
            self.printer.note(&format!("variant `{variant}` was stopped: {message}"));
        }
        let exit = self.exit(row, summary);
        Ok(Ended { exit, report: Some(report) })
    }
}

/// Opens the suite's examples anew for each pass.
fn open_examples(suite: &Suite) -> OpenExamples {
    let source = suite.examples.clone();
    Box::new(move || {
        let rows =
            source.read().map(|row| row.map(|row| row.example).map_err(|fault| RunError::Input(fault.message.clone())));
        Ok(Box::new(rows))
    })
}
