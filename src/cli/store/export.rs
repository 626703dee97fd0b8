//! `ceiling store export`: a run as JSON Lines, for whatever else reads them.
//!
//! A line a trial and every line of one shape, so that it loads as a table. A store with one run in it
//! would say the same to this program alone, and copying the store and pruning it makes that.

use std::io::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::DONE;
use crate::cli::args::StoreArgs;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::printer::Printer;
use crate::error::Error;
use crate::store::{RunRow, Store, StoreError, StoredTrial};
use crate::trial::Received;
use crate::units::group_thousands;

/// Flags of `ceiling store export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// The run; `last` is the newest.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The file to write; it is there whole or not at all.
    #[arg(short, long, value_name = "FILE", env = "CEILING_OUTPUT")]
    pub output: PathBuf,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// What kept a run from being written whole.
enum Stopped {
    Reading(StoreError),
    Writing(std::io::Error),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Reading(error)
    }
}

/// Writes the run.
pub(super) fn export(args: &ExportArgs, printer: Printer) -> Result<Exit, Error> {
    let store = Store::open_existing(&args.store.store)?;
    let run = store.run(&args.run)?;
    let mut output = Output::open(Some(&args.output), &args.store.store)?;
    let mut trials = 0_u64;
    let read = store.each_trial(run.id, None, |trial| -> Result<(), Stopped> {
        trials += 1;
        writeln!(output, "{}", line(&run, &trial)).map_err(Stopped::Writing)
    });
    match read {
        Ok(()) => output.close(Ok(()))?,
        Err(Stopped::Writing(error)) => output.close(Err(error))?,
        Err(Stopped::Reading(error)) => {
            output.discard();
            return Err(error.into());
        }
    }
    printer.text(&format!("{} trials of {} in {}\n", group_thousands(trials.into()), run.name, args.output.display()));
    printer.value(&json!({"file": args.output, "run": run.name, "trials": trials}));
    DONE
}

/// Everything that is stored of a trial, and nothing that follows from it.
fn line(run: &RunRow, trial: &StoredTrial) -> Value {
    let exchange = &trial.exchange;
    let (status, body, streamed, failure) = match &exchange.received {
        Received::Answer { status, body, streamed } => (Some(*status), body, *streamed, None),
        Received::Broken { failure, body } => (failure.status, body, false, Some(failure)),
    };
    let (text, base64) = match std::str::from_utf8(body) {
        Ok(text) => (Some(text), None),
        // A stream of binary messages, or half a character where it was cut.
        Err(_) => (None, Some(STANDARD.encode(body))),
    };
    json!({
        "run": run.name,
        "suite": run.suite,
        "variant": trial.variant,
        "example": trial.example,
        "example_digest": trial.example_digest,
        "repeat": trial.repeat,
        "reused": trial.reused,
        "endpoint": exchange.endpoint,
        "provenance": exchange.provenance,
        "delivery": exchange.delivery,
        "request": request(&exchange.request_body),
        "request_digest": exchange.request_digest,
        "status": status,
        "streamed": streamed,
        "body": text,
        "body_base64": base64,
        "failure": failure,
        "sent_at_ms": exchange.sent_at_unix_ms,
        "event_ms": exchange.timing.event_ms,
        "total_ms": exchange.timing.total_ms,
        "in_flight": exchange.in_flight,
        "attempts": exchange.attempts,
    })
}

/// The request as JSON, which it is unless another tool's results say otherwise.
fn request(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into())
}
