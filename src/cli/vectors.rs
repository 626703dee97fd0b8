//! Vectors of texts, bought of an endpoint where the store lacks them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use super::assemble;
use super::interrupts::Interrupts;
use super::printer::Printer;
use super::progress::DRAINING;
use crate::digest::Digest;
use crate::error::Error;
use crate::provider::load::Providers;
use crate::provider::{EndpointId, Service};
use crate::run::RunError;
use crate::run::embed::{Bought, Embedder, Wanted, embed};
use crate::run::http::HttpTransport;
use crate::store::Store;
use crate::units::Usd;

/// How much buying is allowed.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    pub(super) max_cost: Option<Usd>,
    pub(super) max_time: Option<Duration>,
    /// When this invocation began.
    pub(super) began: Instant,
    /// Most requests at once, where the user says so.
    pub(super) concurrency: Option<u32>,
}

impl Allowance {
    fn deadline(&self) -> Option<Instant> {
        self.max_time.and_then(|time| self.began.checked_add(time))
    }

    /// The time that is left.
    pub(super) fn time_left(&self) -> Option<Duration> {
        self.max_time.map(|time| time.saturating_sub(self.began.elapsed()))
    }
}

/// Digest of what tells the vectors of one endpoint from those of another: address, model, and the
/// fields that go with each request.
pub(super) fn endpoint_digest(providers: &Providers, endpoint: &EndpointId) -> Result<Digest, Error> {
    let (provider, model) = assemble::found_endpoint(providers, endpoint)?;
    let (place, headers) = match &provider.service {
        Service::Http { base_url, headers, .. } => {
            (model.base_url.as_ref().unwrap_or(base_url).as_str(), headers.iter().collect())
        }
        Service::Replay | Service::Imported => ("", Vec::new()),
    };
    let extra = serde_json::Value::Object(model.extra_body.clone()).to_string();
    let parts = [b"embeddings".as_slice(), place.as_bytes(), model.served_as.as_bytes(), extra.as_bytes()];
    let headers = headers.into_iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    Ok(Digest::of_parts(parts.into_iter().chain(headers)))
}

/// Where vectors are bought, and what for.
pub(super) struct Market<'a> {
    pub(super) providers: &'a Providers,
    pub(super) store: &'a Store,
    /// The texts that need a vector; read anew as often as asked.
    pub(super) texts: &'a dyn Fn() -> Texts<'a>,
    pub(super) allowance: &'a Allowance,
    pub(super) printer: Printer,
    pub(super) interrupts: &'a Interrupts,
}

/// Texts, or why they cannot be read.
pub(super) type Texts<'a> = Box<dyn Iterator<Item = Result<String, RunError>> + 'a>;

impl Market<'_> {
    /// Buys what the store lacks of one endpoint's vectors.
    pub(super) async fn buy(&self, endpoint: &EndpointId, max_cost: Option<Usd>) -> Result<Bought, Error> {
        let by = endpoint_digest(self.providers, endpoint)?;
        // Counted first, so that progress has an end; what is there already needs no key and no network.
        let missing = tokio::task::block_in_place(|| -> Result<u64, RunError> {
            self.missing(&by).try_fold(0, |count, wanted| wanted.map(|_| count + 1))
        })?;
        if missing == 0 {
            return Ok(Bought::default());
        }
        let embedder = self.embedder(endpoint, by, max_cost)?;
        let progress = Progress::new(self.printer, endpoint, missing);
        let mut keep = |vectors: &[(Digest, Vec<f32>)], bought: &Bought| {
            self.store.keep_vectors(&by, vectors)?;
            progress.show(bought);
            Ok(())
        };
        let (stop, abort) = self.interrupts.sending();
        let buying = embed(&embedder, self.missing(&by), &mut keep, stop.clone(), abort);
        tokio::pin!(buying);
        let (bought, ended) = tokio::select! {
            ended = &mut buying => ended,
            () = stop.cancelled() => {
                self.printer.note(DRAINING);
                buying.await
            }
        };
        self.interrupts.over();
        progress.finish(&bought);
        ended?;
        Ok(bought)
    }

    fn missing<'s>(&'s self, endpoint: &'s Digest) -> impl Iterator<Item = Result<Wanted, RunError>> + 's {
        missing((self.texts)(), self.store, endpoint)
    }

    fn embedder(&self, endpoint: &EndpointId, by: Digest, max_cost: Option<Usd>) -> Result<Embedder, Error> {
        let (provider, model) = assemble::found_endpoint(self.providers, endpoint)?;
        if max_cost.is_some() && model.price.and_then(|price| price.input).is_none() {
            return Err(Error::usage(
                format!(
                    "a limit of money cannot be kept: vectors are bought of `{endpoint}`, whose price is not known"
                ),
                "set `price = { input = … }` of the model in the provider file",
            ));
        }
        let http = assemble::http_endpoint(provider, model, None)?;
        let name = endpoint.to_string();
        let spec = assemble::spec(&name, provider, model, &http, None, self.allowance.concurrency);
        Ok(Embedder {
            transport: Arc::new(HttpTransport::new(vec![http])?),
            spec: crate::run::EndpointSpec { digest: by, ..spec },
            served_as: model.served_as.clone(),
            target: provider.target(model),
            max_cost,
            deadline: self.allowance.deadline(),
        })
    }
}

/// The texts without a vector, each once. A blank text is never asked.
pub(super) fn missing<'s>(
    texts: Texts<'s>,
    store: &'s Store,
    endpoint: &'s Digest,
) -> impl Iterator<Item = Result<Wanted, RunError>> + 's {
    let mut seen: HashSet<Digest> = HashSet::new();
    texts.filter_map(move |text| {
        let text = match text {
            Ok(text) if text.trim().is_empty() => return None,
            Ok(text) => text,
            Err(error) => return Some(Err(error)),
        };
        let digest = Digest::of(text.as_bytes());
        if !seen.insert(digest) {
            return None;
        }
        match store.has_vector(endpoint, &digest) {
            Ok(true) => None,
            Ok(false) => Some(Ok(Wanted { digest, text })),
            Err(error) => Some(Err(RunError::Store(error))),
        }
    })
}

/// A bar on a terminal, two lines elsewhere.
struct Progress {
    printer: Printer,
    endpoint: EndpointId,
    bar: ProgressBar,
}

impl Progress {
    fn new(printer: Printer, endpoint: &EndpointId, texts: u64) -> Self {
        let shown = printer.shows_progress();
        let target = if shown { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(texts), target);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} vectors · {msg} · ETA {eta}") {
            bar.set_style(style);
        }
        if bar.is_hidden() {
            printer.note(&format!("buying vectors of {texts} texts of {endpoint}"));
        }
        Self { printer, endpoint: endpoint.clone(), bar }
    }

    fn show(&self, bought: &Bought) {
        self.bar.set_position(bought.texts);
        self.bar.set_message(cost(bought));
    }

    fn finish(&self, bought: &Bought) {
        self.bar.finish_and_clear();
        self.printer.note(&format!("bought vectors of {} texts of {}, {}", bought.texts, self.endpoint, cost(bought)));
    }
}

fn cost(bought: &Bought) -> String {
    bought.cost.map_or_else(|| "cost unknown".to_owned(), |cost| cost.to_string())
}
