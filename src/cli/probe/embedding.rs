//! Vectors of the rows, bought where the store lacks them.

use tokio::time::Instant;

use super::ProbeArgs;
use crate::cli::exit::Exit;
use crate::cli::interrupts::Interrupts;
use crate::cli::printer::Printer;
use crate::cli::vectors::{Allowance, Market, Texts, endpoint_digest};
use crate::digest::Digest;
use crate::error::Error;
use crate::probe::{Embedded, Material};
use crate::prompt::retrieval::query_text;
use crate::provider::EndpointId;
use crate::provider::load::Providers;
use crate::report::retrieval::EmbeddingPurchase;
use crate::store::Store;
use crate::units::Usd;

/// Where vectors are bought, and by which flags.
pub(super) struct Buying<'a> {
    pub(super) args: &'a ProbeArgs,
    pub(super) providers: &'a Providers,
    pub(super) store: &'a Store,
    pub(super) printer: Printer,
    pub(super) interrupts: &'a Interrupts,
}

impl Buying<'_> {
    /// The vectors of all rows, and what was bought of them. An endpoint that the flags name must give them; one that
    /// a variant's `retrieve` names may fail, which is said in its row.
    pub(super) fn vectors(&self, rows: &Material<'_>) -> Result<(Embedded, Option<EmbeddingPurchase>), Error> {
        let absent = |endpoint: Option<&EndpointId>, why: String| {
            (Embedded::Absent { endpoint: endpoint.map(ToString::to_string), why }, None)
        };
        let Some(endpoint) = self.endpoint(rows)? else {
            return Ok(absent(None, "no embeddings endpoint is configured".into()));
        };
        match self.made(rows, &endpoint) {
            Ok(made) => Ok(made),
            Err(error) if self.args.embeddings.is_some() || error.exit() == Exit::Interrupted => Err(error),
            Err(error) => Ok(absent(Some(&endpoint), crate::text::one_line(&error.to_string(), 300))),
        }
    }

    /// As the flags say, else of the first variant that retrieves by vectors.
    fn endpoint(&self, rows: &Material<'_>) -> Result<Option<EndpointId>, Error> {
        let Some(named) = &self.args.embeddings else {
            let mut variants = rows.suite.variants.iter().filter_map(|variant| variant.retrieve.as_ref());
            return Ok(variants.find_map(|retrieve| retrieve.embeddings()).cloned());
        };
        let endpoint = EndpointId::parse(named).filter(|endpoint| self.providers.endpoint(endpoint).is_some());
        endpoint.map(Some).ok_or_else(|| {
            let shown = crate::text::one_line(named, 200);
            Error::usage(
                format!("no provider file has the model `{shown}`"),
                "name one as PROVIDER/MODEL; `ceiling providers list` shows them",
            )
        })
    }

    fn made(&self, rows: &Material<'_>, endpoint: &EndpointId) -> Result<(Embedded, Option<EmbeddingPurchase>), Error> {
        let all: Vec<String> = rows.pool.iter().chain(&rows.test).map(|row| query_text(&row.input)).collect();
        let texts = || -> Texts<'_> { Box::new(all.iter().cloned().map(Ok)) };
        let max_cost = self.args.max_cost.or(rows.suite.budget.max_usd.and_then(Usd::from_f64));
        let allowance = Allowance { max_cost, max_time: None, began: Instant::now(), concurrency: None };
        let bought = crate::cli::runtime()?.block_on(async {
            let market = Market {
                providers: self.providers,
                store: self.store,
                texts: &texts,
                allowance: &allowance,
                printer: self.printer,
                interrupts: self.interrupts,
            };
            market.buy(endpoint, max_cost).await
        })?;
        let by = endpoint_digest(self.providers, endpoint)?;
        let vector = |text: &String| Ok(self.store.vector(&by, &Digest::of(text.as_bytes()))?.unwrap_or_default());
        let vectors = all.iter().map(vector).collect::<Result<Vec<_>, Error>>()?;
        let purchase = (bought.texts > 0).then(|| EmbeddingPurchase {
            endpoint: endpoint.clone(),
            texts: bought.texts,
            tokens: bought.tokens,
            cost: bought.cost,
        });
        Ok((Embedded::Made { endpoint: endpoint.to_string(), vectors }, purchase))
    }
}
