//! A suite's retrievers: documents read, vectors bought or taken from the store, inputs ranked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::assemble;
use super::interrupts::Interrupts;
use super::printer::Printer;
use super::vectors::{Allowance, Market, Texts, endpoint_digest, missing};
use crate::diagnostic::Diagnostics;
use crate::digest::Digest;
use crate::error::Error;
use crate::measure::retrieval::Found;
use crate::prompt::retrieval::vectors::DocumentVectors;
use crate::prompt::retrieval::{Index, Library, Ranked, Retriever, WordIndex, query_text};
use crate::provider::EndpointId;
use crate::provider::load::Providers;
use crate::report::retrieval::EmbeddingPurchase;
use crate::run::RunError;
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
        let texts = || searched(suite, &library);
        for endpoint in endpoints(suite).keys() {
            let left = allowance.max_cost.map(|most| Usd::from_pico((most.as_pico() - spent.as_pico()).max(0)));
            let market = Market { providers, store, texts: &texts, allowance, printer, interrupts };
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

/// Documents, then inputs: what a run needs vectors of.
fn searched<'s>(suite: &'s Suite, library: &'s Library) -> Texts<'s> {
    let documents = library.documents().iter().map(|document| Ok(document.searched()));
    let inputs = suite.examples.read().map(|row| match row {
        Ok(row) => Ok(query_text(&row.example.input)),
        Err(fault) => Err(RunError::Input(fault.message.clone())),
    });
    Box::new(documents.chain(inputs))
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
        for one in missing(searched(suite, &library), store, &by) {
            texts += 1;
            bytes += one?.text.len() as u64;
        }
        if texts > 0 {
            wanted.push(ToBuy { endpoint, texts, bytes });
        }
    }
    Ok(wanted)
}

/// The retrievers of a run in the store, for one example.
pub(super) fn of_run(suite: &Suite, folder: &Path, store: &Store, example: &Example) -> Result<Retrieval, Error> {
    Retrieval::stored(suite, &assemble::providers_of(store, folder)?, store, Some(example))
}
