//! Asking a suite without the scoreboard, for commands that judge its answers otherwise.

use std::path::Path;

use tokio::runtime::Runtime;

use super::{OrderChoice, Prepared, RunArgs, batch};
use crate::cli::args::{SelectionArgs, StoreArgs};
use crate::cli::assemble;
use crate::cli::exit::Exit;
use crate::cli::interrupts::Interrupts;
use crate::cli::part::{Part, PartArgs};
use crate::cli::printer::Printer;
use crate::cli::retrieval::Retrieval;
use crate::diagnostic::Diagnostics;
use crate::error::Error;
use crate::measure::grade::Grader;
use crate::provider::load::Providers;
use crate::store::{RunRow, Store};
use crate::suite::Suite;
use crate::suite::check::data::DataCount;
use crate::trial::Purpose;

/// What a run came to, before anything is made of it.
pub(in crate::cli) struct Answered {
    pub(in crate::cli) run: RunRow,
    /// As `ceiling run` would have ended.
    pub(in crate::cli) exit: Exit,
    /// Trials that no recording knows.
    pub(in crate::cli) left_out: u64,
    /// Trials that an earlier start of the run had done.
    pub(in crate::cli) before: u64,
}

/// A runtime of its own, so that Ctrl-C is heeded whatever else is under way; it watches while it is kept.
pub(in crate::cli) fn watched() -> Result<(Runtime, Interrupts), Error> {
    let interrupts = Interrupts::default();
    let watching = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Error::System { what: "failed to start".into(), error })?;
    let watch = {
        let _within = watching.enter();
        interrupts.watch().map_err(|error| Error::System { what: "failed to listen for Ctrl-C".into(), error })?
    };
    watching.spawn(watch);
    Ok((watching, interrupts))
}

impl RunArgs {
    /// The flags of a run of this suite without any flag.
    pub(in crate::cli) fn plain(suite: &Path, selection: SelectionArgs, store: StoreArgs) -> Self {
        Self {
            suites: vec![suite.to_owned()],
            selection,
            part: PartArgs { only_failed: None, on: None, shard: None },
            store,
            fresh: false,
            recorded_only: false,
            pace: 0.02,
            concurrency: None,
            repeats: None,
            order: OrderChoice::Auto,
            max_cost: None,
            batch: false,
            stop_when_decided: false,
            batch_poll_ms: None,
            max_time: None,
            confirm: None,
            added: None,
        }
    }

    /// What its requests are made for.
    pub(super) fn purpose(&self) -> Purpose {
        match (self.batch, self.confirm) {
            (true, _) => Purpose::Batch,
            (false, Some(_)) => Purpose::Confirm,
            (false, None) => Purpose::Score,
        }
    }
}

/// Refuses a suite whose providers want keys that are not there: all of them are named at once.
pub(super) fn check_keys(suite: &Suite, providers: &Providers) -> Result<(), Error> {
    let mut faults = Diagnostics::new();
    let missing = crate::suite::check::missing_keys(suite, providers, &crate::cli::keys::environment);
    missing.into_iter().for_each(|fault| faults.push(fault));
    if faults.is_empty() { Ok(()) } else { Err(Error::Input(faults)) }
}

/// Asks what is missing of a suite that is loaded and checked.
pub(in crate::cli) fn ask(
    args: &RunArgs,
    (suite, providers): (&Suite, &Providers),
    printer: Printer,
    interrupts: &Interrupts,
) -> Result<Answered, Error> {
    with_prepared((args, &Part::default()), (suite, providers, None), printer, interrupts, async |prepared| {
        let asked = prepared.ask().await?;
        let exit = prepared.exit(&asked.row, &asked.summary);
        Ok(Answered { run: asked.row, exit, left_out: asked.left_out, before: asked.summary.before })
    })
}

/// Puts together what a run of a loaded and checked suite needs, and does something with it.
pub(super) fn with_prepared<R>(
    (args, part): (&RunArgs, &Part),
    (suite, providers, counted): (&Suite, &Providers, Option<DataCount>),
    printer: Printer,
    interrupts: &Interrupts,
    then: impl AsyncFnOnce(&Prepared<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    check_keys(suite, providers)?;
    let grader = Grader::new(suite, &assemble::endpoint_facts(suite, providers)?)?;
    let store = Store::open(&args.store.store)?;
    let runtime = crate::cli::runtime()?;
    runtime.block_on(async {
        if args.batch {
            batch::check(suite, providers)?;
        }
        let allowance = args.allowance(suite);
        let retrieval = Retrieval::bought(suite, providers, &store, &allowance, printer, interrupts).await?;
        let assembly = assemble::assemble(suite, providers, args.pace, args.concurrency, &retrieval).await?;
        let prepared = Prepared {
            args,
            part,
            suite,
            counted,
            assembly: &assembly,
            grader: &grader,
            store: &store,
            retrieval: &retrieval,
            allowance: &allowance,
            printer,
            interrupts,
        };
        then(&prepared).await
    })
}
