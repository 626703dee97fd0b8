//! Renders what would be sent, and looks up what is answered already.

use std::collections::BTreeMap;

use super::super::assemble;
use super::super::retrieval::Retrieval;
use crate::diagnostic::Diagnostics;
use crate::digest::Digest;
use crate::error::Error;
use crate::plan::size::Sample;
use crate::plan::tokens::RequestSize;
use crate::prompt::{Prepared, PromptError};
use crate::provider::load::Providers;
use crate::provider::{Model, Provider, Service};
use crate::replay::Recording;
use crate::run::budget;
use crate::run::feed::cache_key;
use crate::stats::rng::Rng;
use crate::store::Store;
use crate::suite::{Example, Suite};
use crate::trial::Purpose;
use crate::units::Usd;
use crate::variant::Variant;
use crate::wire::HttpRequest;

/// Up to so many examples are all rendered.
const ALL_OF: usize = 2_000;

/// Of more, so many.
const SAMPLED: usize = 500;

/// A suite's examples: counted, and those that are rendered.
pub(super) struct Examples {
    pub(super) sample: Sample,
    pub(super) rendered: Vec<Example>,
}

impl Examples {
    /// Reads all; of many, keeps a random part (Algorithm R with the suite's seed).
    pub(super) fn read(suite: &Suite) -> Result<Self, Error> {
        let mut rng = Rng::new(suite.statistics.seed);
        let (mut all, mut part) = (Vec::new(), Vec::with_capacity(SAMPLED));
        let mut clusters: BTreeMap<Digest, u64> = BTreeMap::new();
        let (mut examples, mut alone) = (0_u64, 0_u64);
        for row in suite.examples.read() {
            let example = row.map_err(|fault| Error::Input(Diagnostics::from(*fault)))?.example;
            examples += 1;
            match &example.cluster {
                Some(cluster) => *clusters.entry(Digest::of(cluster.as_bytes())).or_insert(0) += 1,
                None => alone += 1,
            }
            if part.len() < SAMPLED {
                part.push(example.clone());
            } else {
                let place = rng.below(examples as usize);
                if place < SAMPLED {
                    part[place] = example.clone();
                }
            }
            match all.len() {
                ALL_OF.. => all = Vec::new(),
                _ if examples <= ALL_OF as u64 => all.push(example),
                _ => {}
            }
        }
        let mut cluster_sizes: Vec<u64> = clusters.into_values().collect();
        cluster_sizes.extend(std::iter::repeat_n(1, alone as usize));
        let rendered = if examples <= ALL_OF as u64 { all } else { part };
        Ok(Self { sample: Sample { examples, cluster_sizes, repeats: suite.repeats }, rendered })
    }
}

/// What is needed to look at a suite's requests.
pub(super) struct Desk<'a> {
    pub(super) suite: &'a Suite,
    pub(super) providers: &'a Providers,
    pub(super) store: &'a Store,
    pub(super) retrieval: &'a Retrieval,
    pub(super) pool: &'a [Example],
    pub(super) recording: Option<(&'a Recording, Digest)>,
    /// Whether answers in the store count for nothing.
    pub(super) fresh: bool,
}

/// What one variant's requests are.
pub(super) struct Gathered {
    pub(super) sizes: Vec<RequestSize>,
    /// Requests that the recording does not know.
    pub(super) not_recorded: u64,
}

impl Desk<'_> {
    /// Renders a variant's requests for these examples.
    pub(super) fn gather(&self, place: usize, examples: &[Example]) -> Result<Gathered, Error> {
        let variant = &self.suite.variants[place];
        let (provider, model) = assemble::found(self.providers, variant)?;
        let prepared = self.prepared(variant, provider, model)?.with_retriever(self.retrieval.of(place));
        let mut stand_in: Option<Prepared> = None;
        let recorded = provider.service == Service::Replay;
        let most = assemble::most_output_tokens(variant, provider, model);
        let endpoint = self.endpoint_digest(variant, provider, model);
        let cache = assemble::cache_mode(variant, provider.wire);
        let mut gathered = Gathered { sizes: Vec::with_capacity(examples.len()), not_recorded: 0 };
        for example in examples {
            let (used, request) = match prepared.encode(example) {
                // Documents as long as those that vectors would find.
                Err(PromptError::NoVector { .. }) => {
                    if stand_in.is_none() {
                        let by_words = self.retrieval.of(place).map(|retriever| retriever.by_words().into());
                        stand_in = Some(self.prepared(variant, provider, model)?.with_retriever(by_words));
                    }
                    let used = stand_in.as_ref().unwrap_or(&prepared);
                    (used, used.encode(example)?)
                }
                request => (&prepared, request?),
            };
            let repeats = 0..self.suite.repeats;
            let is_known = |repeat: &u32| -> Result<bool, Error> {
                let key = cache_key(&request.digest, &endpoint, *repeat, cache, Purpose::Score);
                Ok(!self.fresh && self.store.has_answer(&key)?)
            };
            let mut to_ask = 0;
            for repeat in repeats.clone() {
                to_ask += u64::from(!is_known(&repeat)?);
            }
            if let Some((recording, _)) = self.recording.filter(|_| recorded) {
                let unknown = repeats.filter(|repeat| !recording.knows(provider.wire, &request.digest, *repeat));
                gathered.not_recorded += unknown.count() as u64;
            }
            let mut size = size(used, example, &request)?;
            (size.to_ask, size.repeats) = (to_ask, u64::from(self.suite.repeats));
            size.worst_case = if recorded { Some(0) } else { worst_case(&request, most, model) };
            gathered.sizes.push(size);
        }
        Ok(gathered)
    }

    fn prepared(&self, variant: &Variant, provider: &Provider, model: &Model) -> Result<Prepared, Error> {
        let target = (model.served_as.as_str(), provider.target(model));
        Ok(Prepared::new(self.suite, variant, provider.wire, target, self.pool)?)
    }

    /// What tells the endpoint from another in the response cache.
    fn endpoint_digest(&self, variant: &Variant, provider: &Provider, model: &Model) -> Digest {
        let http = assemble::keyless(provider, model, None);
        let recorded = self.recording.as_ref().map(|(_, digest)| digest);
        assemble::spec(&variant.endpoint.to_string(), provider, model, &http, recorded, None).digest
    }
}

fn worst_case(request: &HttpRequest, most_output: Option<u64>, model: &Model) -> Option<i128> {
    budget::worst_case(request.body.len(), most_output?, model.price.as_ref()?).map(Usd::as_pico)
}

fn size(prepared: &Prepared, example: &Example, request: &HttpRequest) -> Result<RequestSize, Error> {
    let rendered = prepared.render(example)?;
    let bytes = |messages: usize| -> u64 {
        rendered.messages.iter().take(messages).map(|message| message.content.len() as u64).sum()
    };
    Ok(RequestSize {
        body_bytes: request.body.len() as u64,
        text_bytes: bytes(usize::MAX),
        schema_bytes: prepared.fitted().map_or(0, |fitted| fitted.schema.to_string().len() as u64),
        alike_bytes: bytes(rendered.stable_messages),
        messages: rendered.messages.len() as u64,
        answer_bytes: match &example.expected {
            serde_json::Value::String(text) => text.len() as u64,
            expected => expected.to_string().len() as u64,
        },
        ..RequestSize::default()
    })
}
