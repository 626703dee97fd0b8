//! A provider file as written; every `Option` of it lives here.
//!
//! Files of one name are merged, the later one's keys winning, before a [`Provider`] is made:
//! so a file of three lines can add a model to a provider that ships.

mod secrets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::load::FAMILY;
use super::misplaced::{Keys, Places, placed};
use super::{
    AuthScheme, BatchPrice, Dialect, GpuCost, KeySource, Limits, LongPromptPrice, Model, ModelFacts, Price, Provider,
    Service, Timeouts, WireKind,
};
use crate::diagnostic::{Diagnostic, Source};
use crate::document::{Document, Section};
use crate::text::one_line;
use crate::units::UsdPerMillionTokens;

/// What `kind` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A wire over HTTP.
    Wire(WireKind),
    /// A recording.
    Replay,
    /// Another tool's results.
    Imported,
}

const KINDS: &[(&str, Kind)] = &[
    ("openai-chat", Kind::Wire(WireKind::OpenaiChat)),
    ("openai-responses", Kind::Wire(WireKind::OpenaiResponses)),
    ("anthropic", Kind::Wire(WireKind::Anthropic)),
    ("gemini", Kind::Wire(WireKind::Gemini)),
    ("bedrock", Kind::Wire(WireKind::Bedrock)),
    ("replay", Kind::Replay),
    ("imported", Kind::Imported),
];

/// Wires that a replay provider may speak: the one that was recorded.
const WIRES: &[(&str, WireKind)] = &[
    ("openai-chat", WireKind::OpenaiChat),
    ("openai-responses", WireKind::OpenaiResponses),
    ("anthropic", WireKind::Anthropic),
    ("gemini", WireKind::Gemini),
    ("bedrock", WireKind::Bedrock),
];

const AUTH: &[(&str, AuthScheme)] = &[
    ("bearer", AuthScheme::Bearer),
    ("x-api-key", AuthScheme::XApiKey),
    ("api-key", AuthScheme::ApiKey),
    ("x-goog-api-key", AuthScheme::XGoogApiKey),
    ("sigv4", AuthScheme::Sigv4),
    ("none", AuthScheme::None),
];

/// Dialects by name.
const DIALECTS: &[(&str, Dialect)] = &[
    ("plain", Dialect::Plain),
    ("openai", Dialect::Openai),
    ("azure", Dialect::Azure),
    ("groq", Dialect::Groq),
    ("huggingface", Dialect::Huggingface),
    ("llama-cpp", Dialect::LlamaCpp),
    ("mistral", Dialect::Mistral),
    ("ollama", Dialect::Ollama),
    ("openrouter", Dialect::Openrouter),
    ("together", Dialect::Together),
    ("vllm", Dialect::Vllm),
    ("vertex", Dialect::Vertex),
];

/// Least and most USD per million tokens that are taken for a price. A price per single token lies
/// far below the one.
const LEAST_PRICE: f64 = 0.000_1;
const MOST_PRICE: f64 = 100_000.0;

/// How long a request and its parts may take, as `[limits]` names it.
const TIMEOUTS: [&str; 4] = ["timeout_s", "connect_timeout_s", "first_token_timeout_s", "between_chunks_timeout_s"];

/// One provider file, or several of one name merged.
#[derive(Debug, Clone, Default)]
pub(super) struct RawProvider {
    pub(super) kind: Option<Kind>,
    base_url: Option<String>,
    api_key_env: Option<String>,
    api_key_file: Option<String>,
    auth: Option<AuthScheme>,
    self_hosted: Option<bool>,
    /// The wire of a replay provider.
    wire: Option<WireKind>,
    api_version: Option<String>,
    anthropic_version: Option<String>,
    dialect: Option<Dialect>,
    as_of: Option<String>,
    headers: BTreeMap<String, String>,
    concurrency: Option<u32>,
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<u32>,
    timeouts: [Option<f64>; 4],
    models: BTreeMap<String, Model>,
    /// Where the keys stand that not every kind has.
    places: Places,
}

impl RawProvider {
    /// Reads a file; faults stay in the document.
    pub(super) fn read(document: &Document<'_>) -> Self {
        let root = document.root();
        secrets::refuse_keys(&root);
        let allow_http = root.flag("allow_http").unwrap_or(false);
        let mut raw = Self {
            kind: root.choice("kind", KINDS).map(Spanned::into_inner),
            base_url: base_url(&root, allow_http),
            api_key_env: secrets::variable(&root),
            api_key_file: root.text("api_key_file").map(Spanned::into_inner),
            auth: auth(&root),
            self_hosted: root.flag("self_hosted"),
            wire: root.choice("wire", WIRES).map(Spanned::into_inner),
            api_version: root.text("api_version").map(Spanned::into_inner),
            anthropic_version: root.day("anthropic_version"),
            dialect: root.choice("dialect", DIALECTS).map(Spanned::into_inner),
            as_of: root.day("as_of"),
            places: placed(&root),
            ..Self::default()
        };
        raw.read_headers(&root);
        if let Some(limits) = root.section("limits") {
            raw.concurrency = limits.whole_u32("concurrency", 1);
            raw.requests_per_minute = limits.whole_u32("requests_per_minute", 1);
            raw.tokens_per_minute = limits.whole_u32("tokens_per_minute", 1);
            raw.timeouts = TIMEOUTS.map(|key| limits.number_in(key, 0.001, f64::INFINITY));
            limits.finish();
        }
        if let Some(models) = root.section("models") {
            for name in models.names() {
                if let Some(section) = models.section(name.get_ref()) {
                    raw.models.insert(name.get_ref().clone(), read_model(section, name.get_ref(), allow_http));
                }
            }
        }
        root.finish();
        raw
    }

    fn read_headers(&mut self, root: &Section<'_>) {
        let Some(headers) = root.section("headers") else {
            return;
        };
        secrets::refuse_headers(&headers);
        for name in headers.names() {
            let Some(value) = headers.text(name.get_ref()) else { continue };
            if is_header(name.get_ref(), value.get_ref()) {
                self.headers.insert(name.into_inner(), value.into_inner());
            } else {
                let message =
                    format!("HTTP does not allow a header `{}` with this value", one_line(name.get_ref(), 80));
                let mut fault = headers.error("provider/bad-header", name.span(), message);
                // A header's value may be a secret.
                fault.excerpt = None;
                headers.report(fault);
            }
        }
    }

    /// The wire that is spoken, if the kind is known.
    fn spoken(&self) -> Option<WireKind> {
        match self.kind? {
            Kind::Wire(wire) => Some(wire),
            Kind::Replay => Some(self.wire.unwrap_or(WireKind::OpenaiChat)),
            Kind::Imported => Some(WireKind::OpenaiChat),
        }
    }

    /// This file over an earlier one of the same name. What belongs to a wire is not inherited by a
    /// file that names another one, and a key that is named is sent, also where none was needed.
    pub(super) fn over(self, mut earlier: Self) -> Self {
        if self.kind.is_some() && self.spoken() != earlier.spoken() {
            let of_openai = |raw: &Self| matches!(raw.spoken(), Some(WireKind::OpenaiChat | WireKind::OpenaiResponses));
            // Both wires of OpenAI have the same dialects.
            earlier.dialect = earlier.dialect.filter(|_| of_openai(&self) && of_openai(&earlier));
            (earlier.api_version, earlier.anthropic_version) = (None, None);
        }
        if matches!(self.kind, Some(Kind::Wire(_))) {
            earlier.wire = None;
        }
        let names_key = self.api_key_env.is_some() || self.api_key_file.is_some();
        earlier.auth = earlier.auth.filter(|auth| !(names_key && *auth == AuthScheme::None));
        if self.auth == Some(AuthScheme::None) {
            (earlier.api_key_env, earlier.api_key_file) = (None, None);
        }
        let mut places = earlier.places;
        places.extend(self.places);
        let mut headers = earlier.headers;
        headers.extend(self.headers);
        let mut models = earlier.models;
        models.extend(self.models);
        Self {
            kind: self.kind.or(earlier.kind),
            base_url: self.base_url.or(earlier.base_url),
            api_key_env: self.api_key_env.or(earlier.api_key_env),
            api_key_file: self.api_key_file.or(earlier.api_key_file),
            auth: self.auth.or(earlier.auth),
            self_hosted: self.self_hosted.or(earlier.self_hosted),
            wire: self.wire.or(earlier.wire),
            api_version: self.api_version.or(earlier.api_version),
            anthropic_version: self.anthropic_version.or(earlier.anthropic_version),
            dialect: self.dialect.or(earlier.dialect),
            as_of: self.as_of.or(earlier.as_of),
            headers,
            concurrency: self.concurrency.or(earlier.concurrency),
            requests_per_minute: self.requests_per_minute.or(earlier.requests_per_minute),
            tokens_per_minute: self.tokens_per_minute.or(earlier.tokens_per_minute),
            timeouts: std::array::from_fn(|place| self.timeouts[place].or(earlier.timeouts[place])),
            models,
            places,
        }
    }

    /// The day of the prices and the model rows, as this file alone has them.
    pub(super) fn into_rows(self) -> (Option<String>, BTreeMap<String, Model>) {
        (self.as_of, self.models)
    }

    /// Keys that do nothing for a provider of this kind.
    pub(super) fn misplaced(&self) -> Vec<Diagnostic> {
        let keys = Keys {
            wire: self.spoken(),
            is_replay: self.kind == Some(Kind::Replay),
            base_url: self.base_url.as_deref(),
            has_key: self.api_key_env.is_some() || self.api_key_file.is_some(),
            auth: self.auth,
            dialect: self.dialect,
            names_wire: self.wire.is_some(),
            has_api_version: self.api_version.is_some(),
            has_anthropic_version: self.anthropic_version.is_some(),
        };
        keys.misplaced(&self.places)
    }

    /// The provider; a message names what is missing.
    pub(super) fn build(self, id: &str) -> Result<Provider, &'static str> {
        let kind = self.kind.ok_or("kind")?;
        // What is imported is read in a form of its own; nothing is sent on this wire.
        let wire = self.spoken().unwrap_or(WireKind::OpenaiChat);
        let key = match (self.api_key_file, self.api_key_env) {
            (Some(file), _) => KeySource::File(PathBuf::from(file)),
            (None, Some(variable)) => KeySource::Environment(variable),
            (None, None) => KeySource::None,
        };
        let default_auth = match (&key, wire) {
            (KeySource::None, _) => AuthScheme::None,
            (_, WireKind::Anthropic) => AuthScheme::XApiKey,
            (_, WireKind::Gemini) if self.dialect != Some(Dialect::Vertex) => AuthScheme::XGoogApiKey,
            (_, WireKind::OpenaiChat) if self.dialect == Some(Dialect::Azure) => AuthScheme::ApiKey,
            _ => AuthScheme::Bearer,
        };
        let auth = self.auth.unwrap_or(default_auth);
        let key = match auth {
            AuthScheme::Sigv4 => KeySource::Aws,
            // A file over one that ships may take the key away.
            AuthScheme::None => KeySource::None,
            _ => key,
        };
        let service = match kind {
            Kind::Replay => Service::Replay,
            Kind::Imported => Service::Imported,
            Kind::Wire(_) => {
                Service::Http { base_url: self.base_url.ok_or("base_url")?, auth, key, headers: self.headers }
            }
        };
        let defaults = Limits::default();
        Ok(Provider {
            id: id.to_owned(),
            wire,
            service,
            self_hosted: self.self_hosted.unwrap_or(false),
            limits: Limits {
                concurrency: self.concurrency.unwrap_or(defaults.concurrency),
                requests_per_minute: self.requests_per_minute,
                tokens_per_minute: self.tokens_per_minute,
                timeouts: timeouts(self.timeouts),
            },
            models: self.models,
            dialect: self.dialect.unwrap_or_default(),
            api_version: self.api_version,
            anthropic_version: self.anthropic_version,
            as_of: self.as_of,
        })
    }
}

fn timeouts([total_s, connect_s, first_token_s, between_chunks_s]: [Option<f64>; 4]) -> Timeouts {
    let usual = Timeouts::default();
    Timeouts {
        connect_s: connect_s.unwrap_or(usual.connect_s),
        first_token_s,
        between_chunks_s: between_chunks_s.unwrap_or(usual.between_chunks_s),
        total_s: total_s.unwrap_or(usual.total_s),
    }
}

/// Whether HTTP allows a header: its name a token (RFC 9110, 5.6.2), its value without control
/// characters.
fn is_header(name: &str, value: &str) -> bool {
    let in_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty() && name.chars().all(in_token) && value.chars().all(|c| c == '\t' || !c.is_control())
}

/// `auth`; a build without the feature that signs cannot send such a key.
fn auth(section: &Section<'_>) -> Option<AuthScheme> {
    let auth = section.choice("auth", AUTH)?;
    let span = auth.span();
    let auth = auth.into_inner();
    if auth == AuthScheme::Sigv4 && !cfg!(feature = "sigv4") {
        let message = "`sigv4` signs requests, and this program was built without the feature `sigv4`";
        let fault = section.error("provider/no-feature", span, message);
        section.report(fault.help("build it with `--features sigv4`, or use a bearer key: `auth = \"bearer\"`"));
        return None;
    }
    Some(auth)
}

/// `base_url`, checked: http or https, no password in it, and TLS unless on loopback or allowed.
fn base_url(section: &Section<'_>, allow_http: bool) -> Option<String> {
    let text = section.text("base_url")?;
    let span = text.span();
    let text = text.into_inner();
    let parsed = match url::Url::parse(&text) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => parsed,
        _ => {
            let message = format!("`base_url` is not an http or https address: `{text}`");
            section.report(section.error("provider/bad-url", span, message));
            return None;
        }
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        let mut fault = section.error("provider/key-in-file", span, "`base_url` holds a user name or password");
        fault.excerpt = None;
        section.report(fault.help("name the environment variable that holds the key: `api_key_env = \"…\"`"));
        return None;
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        let mut fault =
            section.error("provider/bad-url", span, "`base_url` holds a `?` or `#`, and paths follow on it");
        fault.excerpt = None;
        section.report(fault.help("leave it out; a key is named by `api_key_env`, a version by `api_version`"));
        return None;
    }
    if parsed.scheme() == "http" && !is_loopback(&parsed) && !allow_http {
        let message = format!("`{text}` would send keys and data unencrypted");
        let fault = section.error("provider/plain-http", span, message);
        section.report(fault.help("use https, or set `allow_http = true` if the network is yours"));
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn read_model(section: Section<'_>, name: &str, allow_http: bool) -> Model {
    let model = Model {
        served_as: section.text("id").map_or_else(|| name.to_owned(), Spanned::into_inner),
        base_url: base_url(&section, allow_http),
        extra_body: section.json_object("extra_body").map(Spanned::into_inner).unwrap_or_default(),
        concurrency: section.whole_u32("concurrency", 1),
        price: section.section("price").map(read_price),
        gpu: section.section("gpu").and_then(read_gpu),
        retires: section.day("retires"),
        facts: read_facts(&section),
    };
    section.finish();
    model
}

/// The knobs and limits of a model, under the names of the price list.
fn read_facts(section: &Section<'_>) -> ModelFacts {
    let tokens = |key: &str| section.whole(key, 1).map(Spanned::into_inner);
    let efforts = section.has("extra_efforts").then(|| section.texts("extra_efforts"));
    ModelFacts {
        sampling: section.flag("sampling"),
        forced_tool: section.flag("forced_tool"),
        reasoning: section.flag("reasoning"),
        extra_efforts: efforts.map(|efforts| efforts.into_iter().map(Spanned::into_inner).collect()),
        cache_min_tokens: tokens("cache_min_tokens"),
        context_tokens: tokens("context_tokens"),
        max_output_tokens: tokens("max_output_tokens"),
    }
}

fn read_price(section: Section<'_>) -> Price {
    let batch = BatchPrice {
        input: rate(&section, "batch_input"),
        cache_read: rate(&section, "batch_cache_read"),
        output: rate(&section, "batch_output"),
    };
    let price = Price {
        input: rate(&section, "input"),
        cache_read: rate(&section, "cache_read"),
        cache_write_5m: write_rate(&section),
        cache_write_1h: rate(&section, "cache_write_1h"),
        output: rate(&section, "output"),
        batch,
        training: rate(&section, "training"),
        long_prompt: section.section("long_prompt").and_then(read_long_prompt),
    };
    section.finish();
    price
}

fn read_long_prompt(section: Section<'_>) -> Option<LongPromptPrice> {
    let above = section.required("above_tokens", section.whole("above_tokens", 1));
    let price = LongPromptPrice {
        above_tokens: above.map_or(u64::MAX, Spanned::into_inner),
        input: rate(&section, "input"),
        cache_read: rate(&section, "cache_read"),
        cache_write_5m: write_rate(&section),
        cache_write_1h: rate(&section, "cache_write_1h"),
        output: rate(&section, "output"),
    };
    section.finish();
    Some(price)
}

/// USD per million tokens. A figure that no model has is one in another unit, most likely, and
/// would pass for free or absurdly dear.
fn rate(section: &Section<'_>, key: &str) -> Option<UsdPerMillionTokens> {
    let number = section.number(key)?;
    let usd = *number.get_ref();
    if usd == 0.0 || (LEAST_PRICE..=MOST_PRICE).contains(&usd) {
        return UsdPerMillionTokens::from_f64(usd);
    }
    let message = format!("`{key}` is {usd}; a price must be 0, or from {LEAST_PRICE} to {MOST_PRICE}");
    let fault = section.error(FAMILY.out_of_range, number.span(), message);
    section.report(fault.help("prices are USD per million tokens; leave out one that you do not know"));
    None
}

/// Written for five minutes, or for the provider's only lifetime.
fn write_rate(section: &Section<'_>) -> Option<UsdPerMillionTokens> {
    let only = rate(section, "cache_write");
    let short = rate(section, "cache_write_5m");
    if let (Some(_), Some(_), Some(span)) = (only, short, section.key_span("cache_write")) {
        let message = "`cache_write` and `cache_write_5m` are one price";
        section.report(section.error("provider/no-effect", span, message).help("leave out one of the two"));
    }
    short.or(only)
}

fn read_gpu(section: Section<'_>) -> Option<GpuCost> {
    let usd_per_hour = section.required("usd_per_hour", section.number_in("usd_per_hour", 0.0, f64::INFINITY));
    let replicas = section.whole_u32("replicas", 1).unwrap_or(1);
    let utilisation = section.number_in("utilisation", 0.000_001, 1.0).unwrap_or(1.0);
    section.finish();
    Some(GpuCost { usd_per_hour: usd_per_hour?, replicas, utilisation })
}

/// Parses and reads one file.
pub(super) fn read_source(source: &Source) -> (RawProvider, crate::diagnostic::Diagnostics) {
    let document = Document::parse(source, &FAMILY);
    let mut raw = RawProvider::read(&document);
    // Beside the provider file, wherever the command is run.
    raw.api_key_file = raw.api_key_file.map(|file| {
        let beside = source.path.parent().unwrap_or(Path::new("")).join(file);
        beside.to_string_lossy().into_owned()
    });
    (raw, document.into_faults())
}
