//! `ceiling run --batch`: which variants can go through a batch API, and what the driver needs.

use std::sync::Arc;
use std::time::Duration;

use super::Prepared;
use crate::error::Error;
use crate::provider::load::Providers;
use crate::provider::{Dialect, Service};
use crate::run::batch::{BatchDoor, BatchJob};
use crate::run::{Lane, Summary};
use crate::store::{RunRow, Store};
use crate::suite::Suite;
use crate::units::Usd;
use crate::wire::batch::{BatchWire, batch_wire};

/// Checks that every variant's provider has a batch API that we speak: all that have none at once.
pub(super) fn check(suite: &Suite, providers: &Providers) -> Result<(), Error> {
    let mut without = Vec::new();
    for variant in &suite.variants {
        let Some((provider, _)) = providers.endpoint(&variant.endpoint) else { continue };
        let live = matches!(provider.service, Service::Http { .. });
        if !live || batch_wire(provider.wire, provider.dialect).is_none() {
            let why = if live { "" } else { ", answered from a recording" };
            without.push(format!("  variant `{}` (`{}`{why})", variant.id, variant.endpoint));
        }
    }
    if without.is_empty() {
        return Ok(());
    }
    Err(Error::usage(
        format!("--batch: these variants' providers have no batch API that is known\n{}", without.join("\n")),
        "OpenAI (a provider file with `dialect = \"openai\"`), Anthropic and Gemini have one; \
         choose among the variants with --variants, or leave --batch out",
    ))
}

/// What is said of batches that go on without us; nothing where there are none.
pub(super) fn open_batches(summary: &Summary) -> Option<String> {
    let (batches, go) = match summary.open_batches {
        0 => return None,
        1 => ("1 batch".to_owned(), "goes"),
        several => (format!("{several} batches"), "go"),
    };
    Some(format!("{batches} {go} on at the provider, and will be billed; the same command fetches the answers"))
}

/// Providers keep the results of a batch for about a month; older ones are not worth a word.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

impl Prepared<'_> {
    /// Says which batches of this suite are still at their providers, since this run asks without them.
    pub(super) fn note_open_batches(&self) -> Result<(), Error> {
        let since_ms = crate::cli::now_ms() - KEPT_MS;
        for (run, batches) in self.store.runs_with_batches(&self.suite.name, &self.suite.folder, since_ms)? {
            let (batches, are) = match batches {
                1 => ("1 batch".to_owned(), "is"),
                several => (format!("{several} batches"), "are"),
            };
            self.printer.note(&format!(
                "{batches} of run {run} {are} still open; its command, with --batch, fetches the answers, \
                 which this run does not use"
            ));
        }
        Ok(())
    }

    /// What the driver of batches needs.
    pub(super) fn batch_job(&self, (row, before): (&RunRow, Usd), door: Arc<dyn BatchDoor>) -> Result<BatchJob, Error> {
        self.note_leaders();
        Ok(BatchJob {
            lanes: self.assembly.lanes.clone(),
            endpoints: self.assembly.endpoints.clone(),
            wires: self.wires(),
            door,
            store: Store::open_existing(self.store.path())?,
            run: row.id,
            fresh: self.args.fresh,
            max_time: self.allowance.time_left(),
            max_cost: self.max_cost(before),
            poll_every: self.args.batch_poll_ms.map(Duration::from_millis),
        })
    }

    /// The batch API of each endpoint; [`check`] has seen that there is one.
    fn wires(&self) -> Vec<&'static dyn BatchWire> {
        self.assembly.endpoints.iter().zip(&self.assembly.dialects).filter_map(batch_wire_of).collect()
    }

    /// Says what of a cached variant does not hold in a batch.
    fn note_leaders(&self) {
        if self.assembly.lanes.iter().any(Lane::leader_first) {
            self.printer.note(
                "in a batch the provider chooses the order: no request goes first to write the prompt cache, \
                 and how much is read from it is luck",
            );
        }
    }
}

fn batch_wire_of((endpoint, dialect): (&crate::run::EndpointSpec, &Dialect)) -> Option<&'static dyn BatchWire> {
    batch_wire(endpoint.wire, *dialect)
}
