//! Files and flags to something that can run: providers, suite, endpoints, requests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use super::args::SelectionArgs;
use super::retrieval::Retrieval;
use super::{keys, preflight};
use crate::diagnostic::Diagnostics;
use crate::digest::Digest;
use crate::error::Error;
use crate::measure::grade::{CacheFacts, EndpointFacts, PrefixFacts};
use crate::prompt::{Prepared, PromptError};
use crate::provider::load::Providers;
use crate::provider::{Dialect, EndpointId, KeySource, Limits, Model, Provider, Service, WireKind};
use crate::replay::Recording;
use crate::replay::server::ReplayServer;
use crate::report::schema_sent::SchemaChanges;
use crate::run::http::HttpEndpoint;
use crate::run::stored::Wanted;
use crate::run::{EndpointSpec, Lane};
use crate::store::Store;
use crate::suite::check::{Part, TemplateFault};
use crate::suite::load::{LoadOptions, Loaded};
use crate::suite::{Example, Prompt, Suite};
use crate::trial::{CacheMode, Provenance};
use crate::variant::{Select, Variant};

/// The providers that ship, over them those of the working folder, over them those of the suite.
pub(super) fn providers(suite: &Path) -> Result<Providers, Error> {
    Ok(crate::provider::load::load_with_suite(&[Path::new(".")], suite)?)
}

/// The same for a run in a store, which may be read from anywhere: those of its project stand below the suite's.
pub(super) fn providers_of(store: &Store, suite: &Path) -> Result<Providers, Error> {
    let project = super::reporting::project(store);
    let here = std::path::absolute(".").unwrap_or_default();
    if project == here || !project.join("providers").is_dir() {
        return providers(suite);
    }
    Ok(crate::provider::load::load_with_suite(&[Path::new("."), &project], suite)?)
}

/// What the command line changes about a suite.
pub(super) fn load_options(selection: &SelectionArgs) -> LoadOptions {
    LoadOptions {
        provider_overrides: selection.provider.iter().cloned().collect(),
        variants: selection.variants.clone(),
        limit: selection.limit,
        examples: selection.examples.clone().map(|ids| ids.into_iter().collect()),
        tags: selection.tag.clone(),
        ..LoadOptions::default()
    }
}

/// Loads a suite and checks its data: every fault at once, or the suite with its warnings.
pub(super) fn load_checked(folder: &Path, providers: &Providers, options: &LoadOptions) -> Result<Loaded, Error> {
    let mut loaded = crate::suite::load::load(folder, providers, options)?;
    let (found, count) = crate::suite::check::check_and_count(&loaded.suite, Some(&template_faults));
    // Documents go into the digest between pool and examples, and kept shots in place of the pool.
    let plain = loaded.suite.documents.is_none() && loaded.suite.kept_shots.is_none();
    loaded.count = plain.then_some(count);
    loaded.warnings.extend(found);
    if loaded.warnings.errors() == 0 {
        loaded.warnings.extend(preflight::faults(&loaded.suite, providers, preflight::today())?);
    }
    loaded.warnings = loaded.warnings.into_result()?;
    Ok(loaded)
}

/// Documents that a template is tried with.
const SAMPLE_DOCUMENTS: usize = 2;

/// Tries a prompt on some inputs; the first fault of each part is enough.
fn template_faults(prompt: &Prompt, suite: &Suite, inputs: &[serde_json::Value]) -> Vec<TemplateFault> {
    let schema = suite.schema.as_ref().map(|schema| schema.document());
    let documents = suite.documents.as_ref().map(|source| {
        source.read().filter_map(Result::ok).map(|row| row.document).take(SAMPLE_DOCUMENTS).collect::<Vec<_>>()
    });
    let try_one = |input| crate::prompt::try_prompt(prompt, schema, &suite.labels, input, documents.as_deref()).err();
    let fault = inputs.iter().find_map(try_one);
    fault
        .into_iter()
        .filter_map(|error| match error {
            PromptError::Template { part, error, .. } => Some(TemplateFault {
                part: if part == "system" { Part::System } else { Part::User },
                line: error.line.and_then(|line| u32::try_from(line).ok()).unwrap_or(0),
                message: error.message,
            }),
            PromptError::PoolTooSmall { .. } | PromptError::NoVector { .. } => None,
        })
        .collect()
}

/// The pool, whole: few-shot chooses among its rows.
pub(super) fn pool(suite: &Suite) -> Result<Vec<Example>, Error> {
    if let Some(kept) = &suite.kept_shots {
        return Ok(kept.clone());
    }
    let Some(pool) = &suite.pool else { return Ok(Vec::new()) };
    pool.read().map(|row| row.map(|row| row.example).map_err(|fault| Error::Input(Diagnostics::from(*fault)))).collect()
}

/// A suite's variants as a run uses them.
pub(super) struct Assembly {
    pub(super) lanes: Vec<Lane>,
    pub(super) endpoints: Vec<EndpointSpec>,
    pub(super) http: Vec<HttpEndpoint>,
    /// How each endpoint's host speaks its wire.
    pub(super) dialects: Vec<Dialect>,
    pub(super) prepared: Vec<Arc<Prepared>>,
    pub(super) recording: Option<Arc<Recording>>,
    /// Keeps answering while the run lasts.
    pub(super) _server: Option<ReplayServer>,
}

impl Assembly {
    /// The prefixes that variants want stored at the service beforehand, one place a variant.
    pub(super) fn wanted_prefixes(&self, suite: &Suite) -> Vec<Option<Wanted>> {
        let lanes = self.lanes.iter().zip(&suite.variants);
        let wanted = lanes.map(|(lane, variant)| {
            let cache = variant.cache.filter(|cache| cache.explicit)?;
            let http = &self.http[lane.endpoint];
            let stores = http.wire == WireKind::Gemini && !http.replay;
            stores.then_some(Wanted { endpoint: lane.endpoint, lifetime: cache.lifetime })
        });
        wanted.collect()
    }

    /// What each variant's schema lost or got on its way to the endpoint.
    pub(super) fn schema_changes(&self, suite: &Suite) -> SchemaChanges {
        let changes = |(variant, prepared): (&Variant, &Arc<Prepared>)| {
            Some((variant.id.clone(), prepared.fitted()?.changes.clone()))
        };
        suite.variants.iter().zip(&self.prepared).filter_map(changes).collect()
    }

    /// Whether a variant is answered from the recording.
    pub(super) fn is_replayed(&self, variant: usize) -> bool {
        self.http[self.lanes[variant].endpoint].replay
    }
}

/// The facts that grading needs of each variant's endpoint.
pub(super) fn endpoint_facts(suite: &Suite, providers: &Providers) -> Result<Vec<EndpointFacts>, Error> {
    suite
        .variants
        .iter()
        .map(|variant| {
            let (provider, model) = found(providers, variant)?;
            Ok(EndpointFacts {
                served_as: model.served_as.clone(),
                wire: provider.wire,
                price: model.price,
                gpu: model.gpu,
                self_hosted: provider.self_hosted && embeds_at_home(providers, variant),
                null_is_absent: preflight::fitted(suite, variant, provider, model)
                    .is_some_and(|(fitted, _)| fitted.null_is_absent),
                retires: model.retires.as_ref().and_then(|day| day.parse().ok()),
                cache: CacheFacts { min_tokens: model.facts.cache_min_tokens, prefix: prefix(suite, variant) },
            })
        })
        .collect()
}

/// How much of a variant's prompt all examples share.
fn prefix(suite: &Suite, variant: &Variant) -> PrefixFacts {
    let prompt = &suite.prompts[variant.prompt];
    if crate::prompt::system_varies(prompt, variant.retrieve.is_some()) {
        return PrefixFacts::SystemVaries;
    }
    let similar = variant.shots.is_some_and(|shots| shots.k > 0 && shots.select == Select::Similar);
    if similar { PrefixFacts::ShotsVary } else { PrefixFacts::Stable }
}

pub(super) fn found<'a>(providers: &'a Providers, variant: &Variant) -> Result<(&'a Provider, &'a Model), Error> {
    providers.endpoint(&variant.endpoint).ok_or_else(|| {
        Error::usage(
            format!("variant `{}` names `{}`, which no provider file has", variant.id, variant.endpoint),
            "see the files under providers/",
        )
    })
}

/// Whether the inputs stay in the house when their vectors are made.
fn embeds_at_home(providers: &Providers, variant: &Variant) -> bool {
    let endpoint = variant.retrieve.as_ref().and_then(|retrieve| retrieve.embeddings());
    endpoint.is_none_or(|endpoint| providers.get(&endpoint.provider).is_some_and(|provider| provider.self_hosted))
}

/// An endpoint that a checked suite names.
pub(super) fn found_endpoint<'a>(
    providers: &'a Providers,
    endpoint: &EndpointId,
) -> Result<(&'a Provider, &'a Model), Error> {
    providers
        .endpoint(endpoint)
        .ok_or_else(|| Error::usage(format!("no provider file has `{endpoint}`"), "see the files under providers/"))
}

/// Variants that another tool asked have answers, and nobody here who could be asked for more.
pub(super) fn refuse_imported(suite: &Suite, providers: &Providers) -> Result<(), Error> {
    let is_imported = |variant: &&Variant| {
        let endpoint = providers.endpoint(&variant.endpoint);
        endpoint.is_some_and(|(provider, _)| provider.service == Service::Imported)
    };
    let Some(variant) = suite.variants.iter().find(is_imported) else { return Ok(()) };
    Err(Error::usage(
        format!("variant `{}` cannot be asked: another tool asked it, and its results were imported", variant.id),
        "`ceiling report` and `decide` take the imported run; to ask anew, give the variant a `model` of a provider, or \
         name another with --provider imported=NAME",
    ))
}

/// Puts a suite's variants together. `pace` scales a recording's times; `concurrency` overrides
/// the providers' limits.
pub(super) async fn assemble(
    suite: &Suite,
    providers: &Providers,
    pace: f64,
    concurrency: Option<u32>,
    retrieval: &Retrieval,
) -> Result<Assembly, Error> {
    refuse_imported(suite, providers)?;
    let pool = pool(suite)?;
    let recording = recording(suite, providers)?;
    let server = match &recording {
        Some((recording, _)) => Some(
            ReplayServer::start(recording.clone(), pace)
                .await
                .map_err(|error| Error::System { what: "failed to serve the recording on loopback".into(), error })?,
        ),
        None => None,
    };
    let mut assembly = Assembly {
        lanes: vec![],
        endpoints: vec![],
        http: vec![],
        dialects: vec![],
        prepared: vec![],
        recording: None,
        _server: None,
    };
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for (place, variant) in suite.variants.iter().enumerate() {
        let (provider, model) = found(providers, variant)?;
        let prepared = Prepared::new(suite, variant, provider.wire, (&model.served_as, provider.target(model)), &pool)?;
        let prepared = prepared.with_retriever(retrieval.of(place));
        let name = variant.endpoint.to_string();
        let endpoint = match known.get(&name) {
            Some(&endpoint) => endpoint,
            None => {
                let recorded = recording
                    .as_ref()
                    .zip(server.as_ref())
                    .map(|((_, digest), server)| (digest, server.base_url(provider.wire)));
                let http = http_endpoint(provider, model, recorded.as_ref().map(|(_, url)| url.as_str()))?;
                assembly.endpoints.push(spec(
                    &name,
                    provider,
                    model,
                    &http,
                    recorded.map(|(digest, _)| digest),
                    concurrency,
                ));
                assembly.http.push(http);
                assembly.dialects.push(provider.dialect);
                known.insert(name, assembly.http.len() - 1);
                assembly.http.len() - 1
            }
        };
        assembly.lanes.push(Lane {
            id: variant.id.clone(),
            endpoint,
            cache: cache_mode(variant, provider.wire),
            most_output_tokens: most_output_tokens(variant, provider, model),
        });
        assembly.prepared.push(Arc::new(prepared));
    }
    assembly.recording = recording.map(|(recording, _)| recording);
    assembly._server = server;
    Ok(assembly)
}

/// How a variant uses the prompt cache. Only a stored prefix does not show in what is asked.
pub(super) fn cache_mode(variant: &Variant, wire: WireKind) -> CacheMode {
    match variant.cache {
        None => CacheMode::Off,
        Some(cache) if cache.explicit && wire == WireKind::Gemini => CacheMode::Stored(cache.lifetime),
        Some(_) => CacheMode::Warm,
    }
}

/// The suite's recording, where one of its variants is answered from it.
pub(super) fn recording(suite: &Suite, providers: &Providers) -> Result<Option<(Arc<Recording>, Digest)>, Error> {
    let replayed = suite.variants.iter().any(|variant| {
        providers.endpoint(&variant.endpoint).is_some_and(|(provider, _)| provider.service == Service::Replay)
    });
    if !replayed {
        return Ok(None);
    }
    let Some(path) = &suite.recording else {
        return Err(Error::usage(
            format!("the suite `{}` has no recording.jsonl, which its variants are to be answered from", suite.name),
            "ask a live server with --provider FROM=TO, then `ceiling record RUN -o recording.jsonl`",
        ));
    };
    let recording = Recording::load(path)?;
    let digest = recording.digest();
    Ok(Some((Arc::new(recording), digest)))
}

/// How an endpoint is reached, its key read; `recorded` is the address of the recording's server.
pub(super) fn http_endpoint(provider: &Provider, model: &Model, recorded: Option<&str>) -> Result<HttpEndpoint, Error> {
    let mut endpoint = keyless(provider, model, recorded);
    if let Service::Http { key, .. } = &provider.service {
        endpoint.key = read_key(provider, key)?;
    }
    #[cfg(feature = "sigv4")]
    if endpoint.auth == crate::provider::AuthScheme::Sigv4 {
        endpoint.aws = Some(read_aws_keys(provider)?);
    }
    Ok(endpoint)
}

/// The same without its key: what tells it from others, not what can be asked.
pub(super) fn keyless(provider: &Provider, model: &Model, recorded: Option<&str>) -> HttpEndpoint {
    let (base_url, auth, headers) = match &provider.service {
        Service::Imported => (String::new(), crate::provider::AuthScheme::None, BTreeMap::new()),
        Service::Replay => {
            (recorded.unwrap_or_default().to_owned(), crate::provider::AuthScheme::None, BTreeMap::new())
        }
        Service::Http { base_url, auth, headers, .. } => (base_url.clone(), *auth, headers.clone()),
    };
    HttpEndpoint {
        #[cfg(feature = "sigv4")]
        aws: None,
        wire: provider.wire,
        base_url: model.base_url.clone().unwrap_or(base_url),
        auth,
        key: None,
        headers,
        timeouts: provider.limits.timeouts,
        replay: provider.service == Service::Replay,
    }
}

pub(super) fn spec(
    name: &str,
    provider: &Provider,
    model: &Model,
    http: &HttpEndpoint,
    recorded: Option<&Digest>,
    concurrency: Option<u32>,
) -> EndpointSpec {
    // A recording is told by its content: another one gives other answers. Its port says nothing.
    let place = match recorded.filter(|_| http.replay) {
        Some(digest) => digest.to_string(),
        None => http.base_url.clone(),
    };
    let extra = serde_json::Value::Object(model.extra_body.clone()).to_string();
    let headers = http.headers.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    // Bodies of two wires can be equal; the chat wire is left unnamed, so that older stores still hold.
    let wire = (provider.wire != WireKind::OpenaiChat).then(|| format!("{:?}", provider.wire));
    let parts = [place.as_bytes(), model.served_as.as_bytes(), extra.as_bytes()].into_iter().chain(headers);
    let parts = parts.chain(wire.as_ref().map(|wire| wire.as_bytes()));
    // A version is in the address or in a header, and another one may answer otherwise.
    let versions = [("api_version", &provider.api_version), ("anthropic_version", &provider.anthropic_version)];
    let versions = versions.into_iter().filter_map(|(key, version)| Some([key, version.as_deref()?]));
    let parts = parts.chain(versions.flatten().map(str::as_bytes));
    let most = concurrency.unwrap_or(provider.limits.concurrency);
    let most = if http.replay { concurrency.unwrap_or(REPLAY_CONCURRENCY) } else { most };
    EndpointSpec {
        name: name.to_owned(),
        provider: provider.id.clone(),
        wire: provider.wire,
        digest: Digest::of_parts(parts),
        provenance: if http.replay { Provenance::Recorded } else { Provenance::Live },
        limits: Limits { concurrency: most, ..provider.limits },
        own_concurrency: model.concurrency.filter(|_| concurrency.is_none()),
        price: model.price,
    }
}

/// The recording's server is in this process: what a live endpoint's limit protects is not there.
const REPLAY_CONCURRENCY: u32 = 64;

/// Where a limit of output tokens may stand in a variant's parameters or an endpoint's fields.
const OUTPUT_LIMITS: &[&str] = &[
    "/max_completion_tokens",
    "/max_output_tokens",
    "/max_tokens",
    "/maxOutputTokens",
    "/generationConfig/maxOutputTokens",
    "/generation_config/max_output_tokens",
    "/inferenceConfig/maxTokens",
];

/// Where a number of answers may stand.
const ANSWERS: &[&str] = &["/n", "/best_of", "/candidateCount", "/generationConfig/candidateCount"];

/// Most output tokens of a request: the highest limit that is set under any of its names, times the
/// answers that are asked for.
pub(super) fn most_output_tokens(variant: &Variant, provider: &Provider, model: &Model) -> Option<u64> {
    let bodies = [&variant.params, &model.extra_body].map(|fields| serde_json::Value::Object(fields.clone()));
    let highest = |places: &[&str]| {
        let set = bodies.iter().flat_map(|body| places.iter().filter_map(|place| body.pointer(place)?.as_u64()));
        set.max()
    };
    let answers = highest(ANSWERS).unwrap_or(1).max(1);
    let most = highest(OUTPUT_LIMITS);
    // One wire always sends a limit, its own where none is set.
    let own = (provider.wire == WireKind::Anthropic).then(|| crate::wire::anthropic::default_max_tokens(&model.facts));
    most.or(own).map(|most| most.saturating_mul(answers).min(crate::exchange::MOST_PLAUSIBLE_TOKENS))
}

/// Checks that a limit of money can be kept: every live request's worst case must be known.
pub(super) fn check_budget(assembly: &Assembly, batch: bool) -> Result<(), Error> {
    for lane in &assembly.lanes {
        let endpoint = &assembly.endpoints[lane.endpoint];
        let billed = endpoint.price.map(|price| if batch { price.batch_bound() } else { price });
        let priced = billed.as_ref().is_some_and(crate::run::budget::is_bounded);
        if endpoint.provenance == Provenance::Live && !batch && matches!(lane.cache, CacheMode::Stored(_)) {
            return Err(Error::usage(
                format!(
                    "a limit of money cannot be kept: variant `{}` stores its prefix, which is billed by the hour at a \
                     price that is not known",
                    lane.id
                ),
                "leave `explicit` out of the variant's cache, or run without a limit",
            ));
        }
        if endpoint.provenance == Provenance::Live && !(priced && lane.most_output_tokens.is_some()) {
            let what = match (priced, batch) {
                (true, _) => "sets no `max_tokens`",
                (false, false) => "is asked of an endpoint without input and output prices",
                (false, true) => "is asked of an endpoint without `batch_input` and `batch_output` prices",
            };
            return Err(Error::usage(
                format!("a limit of money cannot be kept: variant `{}` {what}", lane.id),
                "set `max_tokens` in the variant's params, and `price` in the provider file",
            ));
        }
    }
    Ok(())
}

/// The keys that sign, from the variables that AWS's own tools read.
#[cfg(feature = "sigv4")]
fn read_aws_keys(provider: &Provider) -> Result<crate::run::sigv4::AwsKeys, Error> {
    let required = |name: &str| read_key(provider, &KeySource::Environment(name.to_owned()));
    let access_key_id = required("AWS_ACCESS_KEY_ID")?.unwrap_or_default();
    let secret_access_key = required("AWS_SECRET_ACCESS_KEY")?.unwrap_or_default();
    // Long-lived keys have none.
    let session_token = required("AWS_SESSION_TOKEN").ok().flatten();
    Ok(crate::run::sigv4::AwsKeys { access_key_id, secret_access_key, session_token })
}

/// The key, from the environment or the file that the provider names.
fn read_key(provider: &Provider, source: &KeySource) -> Result<Option<SecretString>, Error> {
    let missing =
        |what: String, hint: String| Err(Error::usage(format!("provider `{}` has no key: {what}", provider.id), hint));
    match source {
        // Keys that sign are read apart.
        KeySource::None | KeySource::Aws => Ok(None),
        KeySource::Environment(name) => match keys::environment(name).map(|key| key.trim().to_owned()) {
            Some(key) if !key.is_empty() => Ok(Some(key.into())),
            _ => missing(
                format!("the environment variable `{name}` is not set"),
                format!("export {name}=…, or put it into a file `.env` in this folder"),
            ),
        },
        KeySource::File(path) =>
        {
            #[expect(clippy::disallowed_methods, reason = "keys may come from a file that the provider names")]
            match std::fs::read_to_string(path).map(|key| key.trim().to_owned()) {
                Ok(key) if !key.is_empty() => Ok(Some(key.into())),
                Ok(_) => missing(format!("the file `{}` is empty", path.display()), "put the key into it".into()),
                Err(error) => {
                    missing(format!("the file `{}` cannot be read: {error}", path.display()), "see api_key_file".into())
                }
            }
        }
    }
}
