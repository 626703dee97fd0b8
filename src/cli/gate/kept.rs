//! What a baseline keeps so that the system of then can be asked again: that the suite is still the one
//! that was asked, and the rows that examples in the prompt come from.

use std::collections::BTreeMap;

use super::rows_digest;
use crate::cli::assemble;
use crate::cli::reporting::MeasuredRun;
use crate::digest::Digest;
use crate::error::Error;
use crate::gate::calls::GateSide;
use crate::prompt::{Prepared, chosen_from};
use crate::store::Store;
use crate::suite::Example;
use crate::trial::Provenance;
use crate::variant::Variant;

/// The most bytes of rows that are kept of one variant: `similar` chooses from the whole pool, and a
/// baseline is to stay a file that a repository holds.
const MOST_ROW_BYTES: usize = 1 << 20;

/// A run as it is frozen.
pub(in crate::cli) struct Keeping<'a> {
    pub(in crate::cli) store: &'a Store,
    pub(in crate::cli) measured: &'a MeasuredRun,
    pool: Vec<Example>,
}

impl<'a> Keeping<'a> {
    pub(in crate::cli) fn new(store: &'a Store, measured: &'a MeasuredRun) -> Result<Self, Error> {
        Ok(Self { store, measured, pool: assemble::pool(&measured.suite)? })
    }

    /// Refuses a variant whose requests are no longer what they were: the texts that are frozen would
    /// not be those that the frozen answers are to. One example that was asked stands for all.
    pub(in crate::cli) fn check_unchanged(&self, variant: &Variant, side: &GateSide) -> Result<(), Error> {
        let whole = side.examples.whole();
        if whole.is_empty() {
            return Ok(());
        }
        let id = whole.id(0);
        let MeasuredRun { run, suite, providers, retrieval, .. } = self.measured;
        let Some(asked) = self.store.trials(run.id, variant.id.as_str(), id)?.into_iter().next() else {
            return Ok(());
        };
        if asked.exchange.provenance == Provenance::Imported {
            return Ok(());
        }
        let (provider, model) = assemble::found(providers, variant)?;
        let target = (model.served_as.as_str(), provider.target(model));
        let prepared = Prepared::new(suite, variant, provider.wire, target, &self.pool)?;
        let place = suite.variants.iter().position(|other| other.id == variant.id).unwrap_or_default();
        let now = prepared.with_retriever(retrieval.of(place)).encode(&asked.example)?;
        if now.digest == asked.exchange.request_digest {
            return Ok(());
        }
        Err(Error::usage(
            format!("the suite has changed since run `{}`: it asks `{}` otherwise now", run.name, variant.id),
            "run the suite again and freeze that run: a baseline holds the prompts beside the answers to them",
        ))
    }

    /// By variant, the rows that its shots are chosen from, where they are few enough to be kept.
    pub(in crate::cli) fn shots<'v>(
        &self,
        variants: impl Iterator<Item = &'v Variant>,
    ) -> BTreeMap<String, Vec<Example>> {
        let rows = |variant: &Variant| {
            let shots = variant.shots.filter(|shots| shots.k > 0)?;
            let rows = chosen_from(shots, &self.pool);
            let bytes: usize = rows.iter().map(|row| serde_json::to_vec(row).map_or(0, |row| row.len())).sum();
            (bytes <= MOST_ROW_BYTES).then(|| rows.into_iter().cloned().collect())
        };
        variants.filter_map(|variant| Some((variant.id.as_str().to_owned(), rows(variant)?))).collect()
    }

    /// Digest of the pool, for variants whose rows are not kept.
    pub(in crate::cli) fn pool(&self) -> Option<Digest> {
        self.measured.suite.pool.as_ref().map(|_| rows_digest::of_rows(&self.pool))
    }
}
