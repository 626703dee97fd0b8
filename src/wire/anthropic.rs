//! Anthropic Messages.
//!
//! Source: PROVIDERS.md 0, 1 and 4, after the Python packages anthropic 2.13.0 (API version
//! 2026-10-21) and 0.121.0 (2023-06-01).

mod answer;

use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::{Encoded, Route, StreamDecoder, Wire, classify, fit};
use crate::exchange::{
    CacheAsk, CacheLifetime, Failure, FailureKind, Message, Outcome, OutputMode, Request, Retry, Role,
};
use crate::provider::{ModelFacts, Target};

/// Most tokens of an answer where nothing is known of the model; every Claude takes as much.
const UNKNOWN_MODEL_MAX_TOKENS: u64 = 4096;

/// Most tokens that are asked for on nobody's word. Reasoning counts against the limit, so it must
/// be roomy, but a model's own limit (128,000) would let one runaway answer cost dollars.
const ROOMY_MAX_TOKENS: u64 = 16_384;

/// The version whose requests have no sampling parameters (platform.claude.com/docs/en/api/versioning).
const VERSION: &str = "2026-10-21";

/// The last version that takes sampling parameters, of the models that still do.
const SAMPLING_VERSION: &str = "2023-06-01";

/// What a request says instead of forcing the call, where a model refuses to be forced.
const CALL_THE_TOOL: &str = "Always call the tool.";

/// Words in the message of a 400 that mean money: a spending limit that the account set itself,
/// and prepaid credit that is used up (seen in public reports of such answers).
const SPENT: &[&str] = &["reached your specified API usage limits", "credit balance is too low"];

/// The wire.
#[derive(Debug)]
pub struct Anthropic;

impl Wire for Anthropic {
    /// The cache marks are part of the body and of its digest.
    fn encode_body(&self, request: &Request, target: &Target) -> Encoded {
        let mut body = Map::new();
        body.insert("model".into(), request.model.clone().into());
        body.insert("max_tokens".into(), default_max_tokens(&target.facts).into());
        for (key, value) in &request.params {
            encode_param(key, value, &mut body);
        }
        let cache = request.cache.as_ref().map(cache_control);
        let must_ask = matches!(request.output, OutputMode::Tool(_)) && target.facts.forced_tool == Some(false);
        encode_messages(request, must_ask, cache.as_ref(), &mut body);
        encode_output(&request.output, must_ask, cache.as_ref(), &mut body);
        let asked = super::canonical(&body);
        super::merge(&mut body, &target.extra_body);
        if request.stream {
            body.insert("stream".into(), true.into());
        }
        let headers = vec![("anthropic-version", version(target, &body).into())];
        let route = Route { path: "/messages".into(), headers };
        Encoded { route, body: Value::Object(body).to_string().into_bytes(), asked }
    }

    fn decode(&self, body: &[u8]) -> Outcome {
        answer::decode(body)
    }

    fn stream(&self) -> Box<dyn StreamDecoder> {
        Box::new(answer::MessageStream::default())
    }

    fn classify(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
        let failure = classify::classify(status, headers, body);
        if status != 400 {
            return failure;
        }
        let kind =
            match serde_json::from_slice::<Value>(body).ok().as_ref().and_then(|body| body.pointer("/error/type")) {
                _ if SPENT.iter().any(|words| failure.message.contains(words)) => FailureKind::QuotaExhausted,
                Some(Value::String(word)) if word == "not_found_error" => FailureKind::NotFound,
                _ => failure.kind,
            };
        Failure { kind, retry: Retry::No, ..failure }
    }

    fn schema_profile(&self, _target: &Target) -> fit::Profile {
        fit::Profile::Anthropic
    }
}

/// `max_tokens` of a request whose variant sets none: the wire requires one.
pub fn default_max_tokens(facts: &ModelFacts) -> u64 {
    facts.max_output_tokens.map_or(UNKNOWN_MODEL_MAX_TOKENS, |most| most.min(ROOMY_MAX_TOKENS))
}

/// The provider file's version, else the newest that takes what is sent. Where a model refuses
/// sampling parameters, the older version says so in clearer words.
fn version(target: &Target, body: &Map<String, Value>) -> String {
    let samples = ["temperature", "top_p", "top_k"].iter().any(|key| body.contains_key(*key));
    let fitting = if samples { SAMPLING_VERSION } else { VERSION };
    target.anthropic_version.clone().unwrap_or_else(|| fitting.to_owned())
}

/// A parameter under the wire's own name.
fn encode_param(key: &str, value: &Value, body: &mut Map<String, Value>) {
    match key {
        "max_tokens" | "max_completion_tokens" | "max_output_tokens" => {
            body.insert("max_tokens".into(), value.clone());
        }
        "stop" => {
            let stops = if value.is_string() { json!([value]) } else { value.clone() };
            body.insert("stop_sequences".into(), stops);
        }
        // The wire has none.
        "seed" => {}
        // No effort is the name of another switch here; what `thinking` says itself wins.
        "reasoning_effort" if value == "none" => {
            body.entry("thinking").or_insert_with(|| json!({"type": "disabled"}));
        }
        "reasoning_effort" => output_config(body, "effort", value.clone()),
        "output_config" => super::merge(body, &Map::from_iter([(key.to_owned(), value.clone())])),
        _ => {
            body.insert(key.to_owned(), value.clone());
        }
    }
}

fn output_config(body: &mut Map<String, Value>, key: &str, value: Value) {
    if let Value::Object(config) = body.entry("output_config").or_insert_with(|| json!({})) {
        config.insert(key.to_owned(), value);
    }
}

/// System text and turns. A cached prefix is marked at the end of its system text, which variants
/// with other shots may share, and at its last turn.
fn encode_messages(request: &Request, must_ask: bool, cache: Option<&Value>, body: &mut Map<String, Value>) {
    let is_system = |message: &&Message| message.role == Role::System;
    let mut system: Vec<&str> =
        request.messages.iter().filter(is_system).map(|message| message.content.as_str()).collect();
    if must_ask {
        system.push(CALL_THE_TOOL);
    }
    if !system.is_empty() {
        let stable = !request.messages.iter().skip(request.stable_messages).any(|message| is_system(&message));
        let text = system.join("\n\n");
        body.insert("system".into(), content(&text, cache.filter(|_| stable)));
    }
    let turns: Vec<Value> = request
        .messages
        .iter()
        .enumerate()
        .filter(|(_, message)| message.role != Role::System)
        .map(|(index, message)| {
            let mark = cache.filter(|_| index + 1 == request.stable_messages);
            let role = if message.role == Role::Assistant { "assistant" } else { "user" };
            json!({"role": role, "content": content(&message.content, mark)})
        })
        .collect();
    body.insert("messages".into(), turns.into());
}

/// Text as it is, or as a block where it bears a mark.
fn content(text: &str, mark: Option<&Value>) -> Value {
    match mark {
        None => text.into(),
        Some(mark) => json!([{"type": "text", "text": text, "cache_control": mark}]),
    }
}

/// Five minutes is the lifetime of a mark that names none.
fn cache_control(ask: &CacheAsk) -> Value {
    match ask.lifetime {
        CacheLifetime::FiveMinutes => json!({"type": "ephemeral"}),
        CacheLifetime::Hour => json!({"type": "ephemeral", "ttl": "1h"}),
    }
}

/// The output mode's body fields; the wire has no mode for just any JSON object.
fn encode_output(output: &OutputMode, must_ask: bool, cache: Option<&Value>, body: &mut Map<String, Value>) {
    match output {
        OutputMode::Text | OutputMode::JsonObject => {}
        OutputMode::JsonSchema(named) => {
            output_config(body, "format", json!({"type": "json_schema", "schema": named.schema}));
        }
        OutputMode::Tool(named) => {
            let mut tool = json!({"name": named.name, "input_schema": named.schema, "strict": true});
            if let (Some(mark), Value::Object(tool)) = (cache, &mut tool) {
                tool.insert("cache_control".into(), mark.clone());
            }
            let choice = match must_ask {
                true => json!({"type": "auto", "disable_parallel_tool_use": true}),
                false => json!({"type": "tool", "name": named.name, "disable_parallel_tool_use": true}),
            };
            body.insert("tools".into(), json!([tool]));
            body.insert("tool_choice".into(), choice);
        }
    }
}

/// What an error object inside a 2xx answer or stream means: as if it had come with its own status.
fn classify_error_object(error: &Value) -> Failure {
    let status = match error.get("type").and_then(Value::as_str) {
        Some("invalid_request_error") => 400,
        Some("authentication_error") => 401,
        Some("billing_error") => 402,
        Some("permission_error") => 403,
        Some("not_found_error") => 404,
        Some("request_too_large") => 413,
        Some("rate_limit_error") => 429,
        Some("timeout_error") => 504,
        Some("overloaded_error") => 529,
        _ => 500,
    };
    let body = json!({"error": error}).to_string();
    Failure { status: None, ..Anthropic.classify(status, &HeaderMap::new(), body.as_bytes()) }
}

#[cfg(test)]
mod tests;
