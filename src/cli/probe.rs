//! `ceiling probe`: what a small supervised classifier reaches on a suite's labels, before anything is tuned.

mod against;
mod embedding;
mod gather;

pub(super) use gather::rows;

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::StoreArgs;
use super::assemble;
use super::exit::Exit;
use super::printer::{Printer, is_dumb};
use super::run::{asking, parse_usd};
use crate::error::Error;
use crate::probe::{self, Embedded, Step};
use crate::report::probe as report;
use crate::run::RunError;
use crate::store::Store;
use crate::suite::Task;
use crate::suite::load::LoadOptions;
use crate::units::Usd;

/// Flags of `ceiling probe`.
///
/// Trains small classifiers on the suite's pool, in this process, and measures them on the test examples like any
/// variant: a lower bound on what supervised training reaches on these labels. From parts of the pool it draws a
/// learning curve, and says whether more examples would help. It is never the fine-tune.
#[derive(Debug, Clone, Args)]
pub struct ProbeArgs {
    /// The suite's folder.
    #[arg(value_name = "SUITE")]
    pub suite: PathBuf,
    /// How many training examples are planned: the curve is followed up to there, at most to four times the pool.
    /// Without it, to twice the pool.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), env = "CEILING_TRAIN_EXAMPLES")]
    pub train_examples: Option<u64>,
    /// Who makes vectors for a second classifier, instead of the endpoint that a variant's `retrieve` names. They are
    /// bought once and kept in the store.
    #[arg(long, value_name = "PROVIDER/MODEL", env = "CEILING_EMBEDDINGS")]
    pub embeddings: Option<String>,
    /// The run to compare with, instead of the newest finished one of this suite.
    #[arg(long, value_name = "RUN", env = "CEILING_PROBE_RUN")]
    pub run: Option<String>,
    /// Spend at most this much on vectors.
    #[arg(long, value_name = "USD", value_parser = parse_usd, env = "CEILING_MAX_COST")]
    pub max_cost: Option<Usd>,
    /// Where runs, vectors and the report are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Trains, measures, keeps and prints; what it found is no exit code.
pub(super) fn probe(args: &ProbeArgs, printer: Printer) -> Result<Exit, Error> {
    let (_watching, interrupts) = asking::watched()?;
    let providers = assemble::providers(&args.suite)?;
    let suite = assemble::load_checked(&args.suite, &providers, &LoadOptions::default())?.suite;
    let rows = gather::rows(&suite)?;
    if rows.pool.is_empty() && suite.task != Task::Generation {
        return Err(gather::no_pool(&suite));
    }
    let path = &args.store.store;
    let store = if path.exists() { Store::open_existing(path)? } else { Store::open(path)? };
    let buying = embedding::Buying { args, providers: &providers, store: &store, printer, interrupts: &interrupts };
    let (embedded, purchase) = match suite.task {
        Task::Classification => buying.vectors(&rows)?,
        Task::Extraction | Task::Generation => {
            (Embedded::Absent { endpoint: None, why: "only classes are learned from vectors".into() }, None)
        }
    };
    let mut progress = Progress::new(printer);
    let found = probe::probe(&rows, &embedded, args.train_examples, &mut |step| progress.show(&step))?;
    progress.finish();
    if store.is_read_only() {
        printer.note("the store cannot be written, so that the report is not kept");
    } else {
        store.keep_probe(&found)?;
    }
    let versus = against::versus(args, &store, &rows, &found)?;
    printer.text(&report::text(&found, versus.as_ref(), purchase.as_ref(), printer.look()));
    if printer.is_json() {
        let bug = |error: serde_json::Error| RunError::Bug(error.to_string());
        let mut value = serde_json::to_value(&found).map_err(bug)?;
        value["comparison"] = serde_json::to_value(&versus).map_err(bug)?;
        value["vectors_bought"] = serde_json::to_value(&purchase).map_err(bug)?;
        printer.value(&value);
    }
    super::DONE
}

/// A bar on a terminal, a line for each part elsewhere.
struct Progress {
    printer: Printer,
    bar: ProgressBar,
    what: String,
}

impl Progress {
    fn new(printer: Printer) -> Self {
        let moves = printer.shows_progress() && !is_dumb();
        let target = if moves { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} · {msg} · ETA {eta}") {
            bar.set_style(style);
        }
        Self { printer, bar, what: String::new() }
    }

    fn show(&mut self, step: &Step) {
        if step.what != self.what {
            self.what.clone_from(&step.what);
            self.bar.reset();
            self.bar.set_message(step.what.clone());
            if self.bar.is_hidden() {
                self.printer.note(&step.what);
            }
        }
        self.bar.set_length(step.of);
        self.bar.set_position(step.done);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
