//! `ceiling record`: a run's answers as a recording for the replay provider.

use std::collections::hash_map::Entry;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::args::StoreArgs;
use super::exit::Exit;
use super::output::Output;
use super::printer::Printer;
use super::{assemble, reporting};
use crate::error::Error;
use crate::exchange::Outcome;
use crate::provider::load::Providers;
use crate::provider::{EndpointId, WireKind};
use crate::replay::{self, Header, LatencyClaim, round_ms};
use crate::store::{RunRow, Store, StoredTrial};
use crate::trial::{Delivery, Provenance, Received};
use crate::wire;

/// Flags of `ceiling record`.
#[derive(Debug, Clone, Args)]
pub struct RecordArgs {
    /// The run; `last` is the newest. Several are joined, earlier ones first.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<String>,
    /// The file to write.
    #[arg(short, long, value_name = "FILE", env = "CEILING_OUTPUT")]
    pub output: PathBuf,
    /// Whether the times may be compared between variants and with a target.
    #[arg(long, value_enum, default_value_t = Claim::Indicative, env = "CEILING_LATENCY")]
    pub latency: Claim,
    /// On what it was recorded, in a sentence: model, server, machine, load.
    #[arg(long, value_name = "TEXT", default_value = "", env = "CEILING_SETTING")]
    pub setting: String,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// What the times are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Claim {
    /// Real times, but of a busy machine or under changing load.
    Indicative,
    /// Measured with care on a quiet machine.
    Comparable,
}

/// Writes the recording. Requests that are the same are written once; failed trials are left out.
pub(super) fn record(args: &RecordArgs, printer: Printer) -> Result<Exit, Error> {
    let store = Store::open_existing(&args.store.store)?;
    let mut entries: Vec<replay::Entry> = Vec::new();
    let mut seen = std::collections::HashMap::new();
    let (mut failed, mut mistaken, mut suite) = (0_u64, 0_u64, String::new());
    for name in &args.runs {
        let run = store.run(name)?;
        let providers = assemble::providers_of(&store, &folder_of(&store, &run))?;
        suite = run.suite;
        store.each_trial(run.id, None, |trial| -> Result<(), Error> {
            if trial.exchange.provenance == Provenance::Imported {
                return Err(Error::usage(
                    format!("run `{name}` was imported: what another tool states of answers is no recording of them"),
                    "record a run that was asked here",
                ));
            }
            if trial.exchange.delivery == Delivery::Batch {
                return Err(Error::usage(
                    format!("run `{name}` has answers that came by batch: a recording needs times, which they lack"),
                    "record a run without --batch",
                ));
            }
            match entry(&trial, wire_of(&trial.exchange.endpoint, &providers)?) {
                None => failed += 1,
                Some(entry) => match seen.entry((entry.wire, entry.request_hash, entry.repeat)) {
                    Entry::Vacant(place) => {
                        place.insert(trial.exchange.key);
                        entries.push(entry);
                    }
                    // Another endpoint or cache was asked the same, which a request does not tell.
                    Entry::Occupied(first) => mistaken += u64::from(*first.get() != trial.exchange.key),
                },
            }
            Ok(())
        })?;
    }
    if mistaken > 0 {
        printer.note(&format!(
            "{mistaken} answers are to requests that are word for word those of another endpoint or cache: a recording \
             tells requests, not whom they are asked, so the first answer stands for both, and such variants replay \
             alike; record them in runs and suites of their own"
        ));
    }
    if entries.is_empty() {
        return Err(Error::usage(
            "there is nothing to record: no trial was answered",
            "`ceiling runs` lists what is in the store",
        ));
    }
    let latency = match args.latency {
        Claim::Indicative => LatencyClaim::Indicative,
        Claim::Comparable => LatencyClaim::Comparable,
    };
    let header = Header { recording: 1, suite, latency, setting: args.setting.clone() };
    let mut output = Output::open(Some(&args.output), &args.store.store)?;
    let mut answers = 0;
    let written = replay::write(&mut output, &header, &mut entries.into_iter()).map(|written| answers = written);
    output.close(written)?;
    let left_out = if failed > 0 { format!("; {failed} failed trials are not in it") } else { String::new() };
    printer.text(&format!("{answers} answers in {}{left_out}\n", args.output.display()));
    printer.value(&json!({"file": args.output, "answers": answers, "failed_left_out": failed}));
    super::DONE
}

/// Where the run's suite was, whether or not it still is: its providers say how it spoke.
fn folder_of(store: &Store, run: &RunRow) -> PathBuf {
    reporting::suite_folder(store, run, None).unwrap_or_else(|_| PathBuf::from(&run.folder))
}

/// The wire on which an endpoint was asked.
fn wire_of(endpoint: &str, providers: &Providers) -> Result<WireKind, Error> {
    let found = EndpointId::parse(endpoint).and_then(|id| providers.get(&id.provider));
    found.map(|provider| provider.wire).ok_or_else(|| {
        Error::usage(
            format!("answers of `{endpoint}` cannot be recorded: no provider file says any more which wire it speaks"),
            "put the provider's file back under providers/",
        )
    })
}

/// The recorded form of an answer; `None` for a trial that failed.
fn entry(trial: &StoredTrial, kind: WireKind) -> Option<replay::Entry> {
    let exchange = &trial.exchange;
    let reading = wire::read(kind, &exchange.received);
    let Received::Answer { status, body, streamed } = &exchange.received else { return None };
    if matches!(reading.outcome, Outcome::Failed(_)) {
        return None;
    }
    let bare = replay::Entry {
        wire: kind,
        request_hash: exchange.request_digest,
        example: trial.example.id.0.clone(),
        variant: trial.variant.clone(),
        repeat: trial.repeat,
        status: *status,
        envelope: serde_json::Map::new(),
        chunks: Vec::new(),
        response: None,
        total_ms: round_ms(exchange.timing.total_ms),
        usage: reading.outcome.completion().map(|completion| completion.usage),
    };
    if !streamed {
        let response = serde_json::from_slice(body).ok()?;
        return Some(replay::Entry { response: Some(response), ..bare });
    }
    let mut events = Vec::new();
    let mut times = exchange.timing.event_ms.iter();
    wire::wire(kind).framing().decoder().feed(body, &mut |data| {
        let ms = times.next().copied().unwrap_or(exchange.timing.total_ms);
        if let Ok(event) = serde_json::from_str::<Value>(data) {
            events.push((ms, event));
        }
    });
    Some(replay::Entry::from_events(bare, &events))
}
