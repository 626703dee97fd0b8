//! Prefixes that are stored at the service (`cachedContents`), and are billed while they lie there.
//!
//! Source: PROVIDERS.md 5, ai.google.dev/gemini-api/docs/caching; the model's name on Vertex after
//! `t_caches_model` of the Python package google-genai.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{contents, encode_whole, model_path, system_instruction};
use crate::exchange::{CacheLifetime, Failure, OutputMode, Request, Role};
use crate::provider::{Dialect, Target};
use crate::wire::malformed;

/// Where a prefix is stored with POST, below the provider's base address.
pub const CREATE_PATH: &str = "/cachedContents";

/// A stored prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedContent {
    /// Its name, as [`crate::exchange::CacheAsk::stored`] takes it.
    pub name: String,
    /// When it is gone, in milliseconds since 1970; its storage is billed until then.
    pub expires_at_unix_ms: Option<i64>,
    /// How many tokens it holds.
    pub tokens: Option<u64>,
}

impl CachedContent {
    /// Where it is deleted with DELETE, below the provider's base address. On Vertex the name
    /// holds the project and location, which the base address already has.
    pub fn path(&self) -> String {
        let id = self.name.rsplit('/').next().unwrap_or(&self.name);
        format!("{CREATE_PATH}/{}", super::percent_encoded(id))
    }
}

/// How many leading messages a stored prefix holds; `None` where nothing can be stored: there is
/// no stable part, or a system text that differs between examples (a request that names a stored
/// prefix may not have one of its own).
pub fn prefix_messages(request: &Request) -> Option<usize> {
    // A request without a turn of its own is none.
    let length = request.stable_messages.min(request.messages.len().saturating_sub(1));
    let later_system = request.messages.iter().skip(length).any(|message| message.role == Role::System);
    let holds_something = length > 0 || matches!(request.output, OutputMode::Tool(_));
    (holds_something && !later_system).then_some(length)
}

/// The body that stores the stable prefix of a request, sent to [`CREATE_PATH`]; `None` where the
/// request asks for no cache or nothing can be stored. `base_url` is the provider's address, in
/// which Vertex has the project and location that the model's name there begins with.
pub fn creation(request: &Request, target: &Target, base_url: &str) -> Option<Bytes> {
    let (ask, length) = (request.cache.as_ref()?, prefix_messages(request)?);
    let mut model = model_path(&request.model, target.dialect);
    if target.dialect == Dialect::Vertex {
        let place = base_url.find("projects/").and_then(|at| base_url.get(at..)).unwrap_or_default();
        model = format!("{}/{model}", place.trim_end_matches('/'));
    }
    let mut body = Map::from_iter([("model".to_owned(), model.into())]);
    if let Some(system) = system_instruction(&request.messages) {
        body.insert("systemInstruction".into(), system);
    }
    let turns = contents(request.messages.iter().take(length));
    if turns.as_array().is_some_and(|turns| !turns.is_empty()) {
        body.insert("contents".into(), turns);
    }
    let mut whole = encode_whole(request);
    for key in ["tools", "toolConfig"] {
        if let Some(value) = whole.remove(key) {
            body.insert(key.into(), value);
        }
    }
    let seconds = match ask.lifetime {
        CacheLifetime::FiveMinutes => "300s",
        CacheLifetime::Hour => "3600s",
    };
    body.insert("ttl".into(), seconds.into());
    body.insert("displayName".into(), ask.key.clone().into());
    Some(Value::Object(body).to_string().into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    name: String,
    expire_time: Option<String>,
    usage_metadata: Option<Size>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Size {
    total_token_count: Option<u64>,
}

/// A successful (2xx) answer to a creation.
pub fn created(body: &[u8]) -> Result<CachedContent, Failure> {
    let resource: Resource =
        serde_json::from_slice(body).map_err(|error| malformed(&format!("the answer is no stored prefix: {error}")))?;
    let expires = resource.expire_time.and_then(|time| time.parse::<jiff::Timestamp>().ok());
    Ok(CachedContent {
        name: resource.name,
        expires_at_unix_ms: expires.map(jiff::Timestamp::as_millisecond),
        tokens: resource.usage_metadata.and_then(|size| size.total_token_count),
    })
}

/// Whether a failure says that the stored prefix is gone, so that it can be stored again: a 403
/// that is not about the key.
pub fn is_gone(failure: &Failure) -> bool {
    matches!(failure.status, Some(403 | 404)) && failure.message.contains("CachedContent not found")
}
