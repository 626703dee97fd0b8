//! A suite's retrievers: documents read, vectors bought or taken from the store, inputs ranked.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use super::assemble;
use super::interrupts::Interrupts;
use super::printer::Printer;
use super::progress::DRAINING;
use crate::diagnostic::Diagnostics;
use crate::digest::Digest;
use crate::error::Error;
use crate::measure::retrieval::Found;
use crate::prompt::retrieval::vectors::DocumentVectors;
use crate::prompt::retrieval::{Index, Library, Ranked, Retriever, WordIndex, query_text};
use crate::provider::load::Providers;
use crate::provider::{EndpointId, Service};
use crate::report::retrieval::EmbeddingPurchase;
use crate::run::RunError;
use crate::run::embed::{Bought, Embedder, Wanted, embed};
use crate::run::http::HttpTransport;
use crate::store::Store;
use crate::suite::{Example, Suite};
use crate::units::Usd;
use crate::variant::{Retrieve, RetrieveFrom};

/// The retrievers of a suite's variants, in their order.
#[derive(Debug, Default)]
pub(super) struct Retrieval {
    retrievers: Vec<Option<Arc<Retriever>>>,
    /// Digest of the documents and of the endpoints of their vectors; `None` where nothing is retrieved.
    digest: Option<Digest>,
    /// What was bought for them.
    pub(super) purchases: Vec<EmbeddingPurchase>,
    /// The most that may be billed for it.
    pub(super) spent: Usd,
}

/// What an example's documents are for one variant.
pub(super) struct Retrieved {
    /// Ids of the retrieved ones, the best first.
    pub(super) ids: Vec<String>,
    /// Ids of the right ones among them.
    pub(super) right: Vec<String>,
    /// Ids of right ones that are not.
    pub(super) missed: Vec<String>,
}

impl fmt::Display for Retrieved {
    /// `a*, b; missed c`: the right ones have a star.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marked = self.ids.iter().map(|id| if self.right.contains(id) { format!("{id}*") } else { id.clone() });
        let listed = marked.collect::<Vec<_>>().join(", ");
        f.write_str(if listed.is_empty() { "none" } else { &listed })?;
        match (self.right.is_empty(), self.missed.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => f.write_str(" (* right)"),
            (_, false) => write!(f, " (* right; missed: {})", self.missed.join(", ")),
        }
    }
}

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

impl Retrieval {
    /// The retrievers with what the store has; nothing is bought.
    pub(super) fn stored(
        suite: &Suite,
        providers: &Providers,
        store: &Store,
        example: Option<&Example>,
    ) -> Result<Self, Error> {
        let Some(library) = library(suite)? else { return Ok(Self::default()) };
        Self::build(suite, providers, store, Arc::new(library), example)
    }

    /// The retrievers, once the vectors that the store lacks are bought.
    pub(super) async fn bought(
        suite: &Suite,
        providers: &Providers,
        store: &Store,
        allowance: &Allowance,
        printer: Printer,
        interrupts: &Interrupts,
    ) -> Result<Self, Error> {
        let Some(library) = library(suite)? else { return Ok(Self::default()) };
        let (mut purchases, mut spent) = (Vec::new(), Usd::ZERO);
        for endpoint in endpoints(suite).keys() {
            let left = allowance.max_cost.map(|most| Usd::from_pico((most.as_pico() - spent.as_pico()).max(0)));
            let market = Market { suite, providers, store, library: &library, allowance, printer, interrupts };
            let bought = market.buy(endpoint, left).await?;
            spent += bought.spent;
            if bought.texts > 0 {
                purchases.push(EmbeddingPurchase {
                    endpoint: endpoint.clone(),
                    texts: bought.texts,
                    tokens: bought.tokens,
                    cost: bought.cost,
                });
            }
        }
        let library = Arc::new(library);
        let built = tokio::task::block_in_place(|| Self::build(suite, providers, store, library, None))?;
        Ok(Self { purchases, spent, ..built })
    }

    fn build(
        suite: &Suite,
        providers: &Providers,
        store: &Store,
        library: Arc<Library>,
        example: Option<&Example>,
    ) -> Result<Self, Error> {
        let mut digest = Digest::of(b"");
        for document in library.documents() {
            let row = serde_json::to_vec(document).unwrap_or_default();
            digest = Digest::of_parts([digest.as_bytes().as_slice(), &row]);
        }
        let mut ranked: BTreeMap<EndpointId, Arc<Ranked>> = BTreeMap::new();
        for (endpoint, k) in endpoints(suite) {
            let by = endpoint_digest(providers, &endpoint)?;
            digest = Digest::of_parts([digest.as_bytes().as_slice(), by.as_bytes()]);
            ranked.insert(endpoint, Arc::new(rank(suite, store, &library, &by, k, example)?));
        }
        let mut words: Option<Arc<WordIndex>> = None;
        let mut retriever = |retrieve: &Retrieve| {
            let index = match &retrieve.from {
                RetrieveFrom::Bm25 => {
                    Index::Words(Arc::clone(words.get_or_insert_with(|| Arc::new(WordIndex::new(&library)))))
                }
                RetrieveFrom::Embeddings(endpoint) => Index::Vectors(ranked.get(endpoint).cloned().unwrap_or_default()),
                RetrieveFrom::Oracle => Index::Oracle,
            };
            Arc::new(Retriever::new(Arc::clone(&library), index, retrieve.k))
        };
        let retrievers = suite.variants.iter().map(|variant| variant.retrieve.as_ref().map(&mut retriever)).collect();
        Ok(Self { retrievers, digest: Some(digest), ..Self::default() })
    }

    /// The retriever of a variant, if it retrieves.
    pub(super) fn of(&self, variant: usize) -> Option<Arc<Retriever>> {
        self.retrievers.get(variant).cloned().flatten()
    }

    /// The digest of the documents, where some are retrieved: with others other requests are made.
    pub(super) fn documents(&self) -> Option<Digest> {
        self.digest
    }

    /// What was found of the documents that an example names, with the variant's k; `None` where it
    /// names none or nothing is retrieved.
    pub(super) fn found(&self, variant: usize, example: &Example) -> Option<(usize, Found)> {
        let retriever = self.retrievers.get(variant)?.as_ref()?;
        let named = retriever.library().named(example);
        if named.is_empty() {
            return None;
        }
        let top = retriever.top(example)?;
        let found = named.iter().filter(|place| top.contains(place)).count();
        Some((retriever.k(), Found { named: named.len() as u32, found: found as u32 }))
    }

    /// The documents of an example; `None` where the variant retrieves nothing, or the vector of the
    /// input is not in the store.
    pub(super) fn shown(&self, variant: usize, example: &Example) -> Option<Retrieved> {
        let retriever = self.retrievers.get(variant)?.as_ref()?;
        let top = retriever.top(example)?;
        let ids = |places: &[usize]| retriever.at(places).map(|document| document.id.clone()).collect::<Vec<_>>();
        let named = retriever.library().named(example);
        let (right, missed): (Vec<usize>, Vec<usize>) = named.iter().partition(|place| top.contains(place));
        Some(Retrieved { ids: ids(&top), right: ids(&right), missed: ids(&missed) })
    }
}

/// The documents, whole, where a variant retrieves from them.
fn library(suite: &Suite) -> Result<Option<Library>, Error> {
    let retrieves = suite.variants.iter().any(|variant| variant.retrieve.is_some());
    let Some(source) = suite.documents.as_ref().filter(|_| retrieves) else { return Ok(None) };
    let documents = source.read().map(|row| row.map(|row| row.document));
    let documents: Result<Vec<_>, _> = documents.collect();
    Ok(Some(Library::new(documents.map_err(|fault| Error::Input(Diagnostics::from(*fault)))?)))
}

/// The endpoints of vectors, each with the most documents that a variant takes.
fn endpoints(suite: &Suite) -> BTreeMap<EndpointId, usize> {
    let mut endpoints = BTreeMap::new();
    for retrieve in suite.variants.iter().filter_map(|variant| variant.retrieve.as_ref()) {
        if let Some(endpoint) = retrieve.embeddings() {
            let most = endpoints.entry(endpoint.clone()).or_insert(0);
            *most = (retrieve.k as usize).max(*most);
        }
    }
    endpoints
}

/// Digest of what tells the vectors of one endpoint from those of another: address, model, and the
/// fields that go with each request.
fn endpoint_digest(providers: &Providers, endpoint: &EndpointId) -> Result<Digest, Error> {
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

/// The nearest documents of each input whose vector the store has; of one example alone where it is
/// given.
fn rank(
    suite: &Suite,
    store: &Store,
    library: &Library,
    endpoint: &Digest,
    k: usize,
    example: Option<&Example>,
) -> Result<Ranked, Error> {
    let unusable = |error: crate::prompt::retrieval::vectors::VectorError| {
        Error::usage(
            format!("the vectors in the store do not fit together: {error}"),
            "the endpoint may have changed its model: name the model's version, or use another --store",
        )
    };
    let mut documents = DocumentVectors::default();
    for document in library.documents() {
        let digest = Digest::of(document.searched().as_bytes());
        let Some(vector) = store.vector(endpoint, &digest)? else { return Ok(Ranked::new()) };
        documents.push(&vector).map_err(unusable)?;
    }
    let mut ranked = Ranked::new();
    let mut one = |example: &Example| -> Result<(), Error> {
        let digest = Digest::of(query_text(&example.input).as_bytes());
        if !ranked.contains_key(&digest)
            && let Some(vector) = store.vector(endpoint, &digest)?
        {
            ranked.insert(digest, documents.nearest(&vector, k).map_err(unusable)?);
        }
        Ok(())
    };
    match example {
        Some(example) => one(example)?,
        None => {
            for row in suite.examples.read() {
                one(&row.map_err(|fault| Error::Input(Diagnostics::from(*fault)))?.example)?;
            }
        }
    }
    Ok(ranked)
}

/// Where vectors are bought, and what for.
struct Market<'a> {
    suite: &'a Suite,
    providers: &'a Providers,
    store: &'a Store,
    library: &'a Library,
    allowance: &'a Allowance,
    printer: Printer,
    interrupts: &'a Interrupts,
}

impl Market<'_> {
    /// Buys what the store lacks of one endpoint's vectors.
    async fn buy(&self, endpoint: &EndpointId, max_cost: Option<Usd>) -> Result<Bought, Error> {
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
        missing(self.suite, self.store, self.library, endpoint)
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

/// The texts without a vector, each once: documents, then inputs. A blank text is never asked.
fn missing<'s>(
    suite: &'s Suite,
    store: &'s Store,
    library: &'s Library,
    endpoint: &'s Digest,
) -> impl Iterator<Item = Result<Wanted, RunError>> + 's {
    let documents = library.documents().iter().map(|document| Ok(document.searched()));
    let inputs = suite.examples.read().map(|row| match row {
        Ok(row) => Ok(query_text(&row.example.input)),
        Err(fault) => Err(RunError::Input(fault.message.clone())),
    });
    let mut seen: HashSet<Digest> = HashSet::new();
    documents.chain(inputs).filter_map(move |text| {
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

/// Texts whose vectors a run would buy.
pub(super) struct ToBuy {
    pub(super) endpoint: EndpointId,
    pub(super) texts: u64,
    pub(super) bytes: u64,
}

/// What a run would buy of each endpoint of vectors; those of which nothing is missing are left out.
pub(super) fn to_buy(suite: &Suite, providers: &Providers, store: &Store) -> Result<Vec<ToBuy>, Error> {
    let Some(library) = library(suite)? else { return Ok(Vec::new()) };
    let mut wanted = Vec::new();
    for endpoint in endpoints(suite).into_keys() {
        let by = endpoint_digest(providers, &endpoint)?;
        let (mut texts, mut bytes) = (0, 0);
        for one in missing(suite, store, &library, &by) {
            texts += 1;
            bytes += one?.text.len() as u64;
        }
        if texts > 0 {
            wanted.push(ToBuy { endpoint, texts, bytes });
        }
    }
    Ok(wanted)
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

/// The retrievers of a run in the store, for one example.
pub(super) fn of_run(suite: &Suite, folder: &Path, store: &Store, example: &Example) -> Result<Retrieval, Error> {
    Retrieval::stored(suite, &assemble::providers_of(store, folder)?, store, Some(example))
}
