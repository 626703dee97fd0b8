//! Google Gemini generateContent, on AI Studio and on Vertex.
//!
//! Source: PROVIDERS.md 0, 1 and 5, after the Python package google-genai 3.6.1.

mod answer;
pub mod cached;
mod fault;

use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::{Encoded, Route, StreamDecoder, Wire, fit};
use crate::exchange::{Failure, Message, Outcome, OutputMode, Request, Role};
use crate::provider::{Dialect, Target};

/// The wire.
#[derive(Debug)]
pub struct Gemini;

/// Parameters that stand beside `generationConfig`, in both spellings that the service takes.
const TOP_LEVEL: &[&str] = &[
    "cachedContent",
    "cached_content",
    "labels",
    "safetySettings",
    "safety_settings",
    "serviceTier",
    "service_tier",
    "toolConfig",
    "tool_config",
    "tools",
];

/// Parameters by the name that every wire's variants use, and this wire's name.
const RENAMED: &[(&str, &str)] = &[
    ("frequency_penalty", "frequencyPenalty"),
    ("max_completion_tokens", "maxOutputTokens"),
    ("max_output_tokens", "maxOutputTokens"),
    ("max_tokens", "maxOutputTokens"),
    ("presence_penalty", "presencePenalty"),
    ("stop", "stopSequences"),
    ("top_k", "topK"),
    ("top_p", "topP"),
];

/// Thinking budgets, in tokens, of the efforts for models before Gemini 3: those of the service's
/// own OpenAI endpoint (ai.google.dev/gemini-api/docs/openai).
const BUDGETS: &[(&str, u64)] = &[("none", 0), ("minimal", 1024), ("low", 1024), ("medium", 8192), ("high", 24_576)];

/// The body's fields that a stored prefix holds instead; the service refuses both at once.
const PREFIX_FIELDS: &[&str] = &["systemInstruction", "tools", "toolConfig", "tool_config"];

impl Wire for Gemini {
    /// With a stored prefix the body holds only what comes after it, and the digest is still that
    /// of the whole request.
    fn encode_body(&self, request: &Request, target: &Target) -> Encoded {
        let model = model_path(&request.model, target.dialect);
        let (method, query) =
            if request.stream { ("streamGenerateContent", "?alt=sse") } else { ("generateContent", "") };
        let path = format!("/{model}:{method}{query}");
        let mut body = encode_whole(request);
        let asked = self.asked(&path, &body);
        let stored = request.cache.as_ref().and_then(|cache| cache.stored.as_ref());
        if let (Some(name), Some(length)) = (stored, cached::prefix_messages(request)) {
            body.retain(|key, _| !PREFIX_FIELDS.contains(&key.as_str()));
            body.insert("contents".into(), contents(request.messages.iter().skip(length)));
            body.insert("cachedContent".into(), name.clone().into());
        }
        super::merge(&mut body, &target.extra_body);
        let route = Route { path: path.into(), headers: Vec::new() };
        Encoded { route, body: Value::Object(body).to_string().into_bytes(), asked }
    }

    /// The path names the model, and the way of answering, which is left out. A request that leans
    /// on a stored prefix does not say what that prefix is: its digest here is not the one it was
    /// sent under, so such a request cannot be looked up by what is received.
    fn asked(&self, path: &str, body: &Map<String, Value>) -> Vec<u8> {
        let mut asked = body.clone();
        asked.insert("model".into(), model_of(path).into());
        super::canonical(&asked)
    }

    fn decode(&self, body: &[u8]) -> Outcome {
        answer::decode(body)
    }

    fn stream(&self) -> Box<dyn StreamDecoder> {
        Box::new(answer::ChunkStream::default())
    }

    fn classify(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
        fault::classify(status, headers, body)
    }

    fn schema_profile(&self, _target: &Target) -> fit::Profile {
        fit::Profile::Gemini
    }
}

/// The resource that answers, percent-encoded. An id with a slash is the resource itself
/// (`tunedModels/x`, `endpoints/ID`); a full Vertex name gives what comes after its location,
/// which the base address already has.
fn model_path(model: &str, dialect: Dialect) -> String {
    let below_location = || model.strip_prefix("projects/")?.split_once("/locations/")?.1.split_once('/');
    let resource = below_location().map_or(model, |(_, resource)| resource).trim_matches('/');
    let resource = resource.split('/').map(percent_encoded).collect::<Vec<_>>().join("/");
    match (resource.contains('/'), dialect) {
        (true, _) => resource,
        (false, Dialect::Vertex) => format!("publishers/google/models/{resource}"),
        (false, _) => format!("models/{resource}"),
    }
}

/// The model that a path asks: what `models/` holds, or another resource with its collection.
fn model_of(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or(path);
    let resource = path.rsplit_once(':').map_or(path, |(resource, _)| resource);
    let from = resource.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at + 1);
    let resource = resource.get(from..).unwrap_or(resource).trim_start_matches('/');
    resource.strip_prefix("models/").unwrap_or(resource)
}

/// One segment of a path: everything but unreserved characters and `@` (of versions) is encoded.
fn percent_encoded(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The body of a request that says everything itself.
fn encode_whole(request: &Request) -> Map<String, Value> {
    let mut body = Map::new();
    let mut generation = Map::new();
    for (key, value) in &request.params {
        match key.as_str() {
            "reasoning_effort" => {}
            "generationConfig" | "generation_config" if value.is_object() => {
                super::merge(&mut generation, value.as_object().unwrap_or(&Map::new()));
            }
            key if TOP_LEVEL.contains(&key) => {
                body.insert(key.to_owned(), value.clone());
            }
            "stop" if value.is_string() => {
                generation.insert("stopSequences".into(), json!([value]));
            }
            key => {
                let name = RENAMED.iter().find(|(known, _)| *known == key).map_or(key, |(_, name)| name);
                generation.insert(name.to_owned(), value.clone());
            }
        }
    }
    if let Some(effort) = request.params.get("reasoning_effort") {
        encode_effort(effort, &request.model, &mut generation);
    }
    encode_output(&request.output, &mut body, &mut generation);
    if let Some(system) = system_instruction(&request.messages) {
        body.insert("systemInstruction".into(), system);
    }
    body.insert("contents".into(), contents(request.messages.iter()));
    if !generation.is_empty() {
        // The order in which a suite lists its parameters says nothing.
        generation.sort_keys();
        body.insert("generationConfig".into(), generation.into());
    }
    body
}

/// A budget before Gemini 3, a level since; both at once are refused, so what the variant says of
/// either itself wins. Levels cannot switch thinking off: the least is the nearest to none. The id
/// of a tuned model may hide its generation and then gets a level; `thinkingConfig` says it outright.
fn encode_effort(effort: &Value, model: &str, generation: &mut Map<String, Value>) {
    let Value::Object(config) = generation.entry("thinkingConfig").or_insert_with(|| json!({})) else { return };
    if config.contains_key("thinkingBudget") || config.contains_key("thinkingLevel") {
        return;
    }
    let Some(word) = effort.as_str() else {
        config.insert("thinkingLevel".into(), effort.clone());
        return;
    };
    let has_budget = model.contains("gemini-2");
    match BUDGETS.iter().find(|(name, _)| has_budget && *name == word) {
        Some((_, tokens)) => config.insert("thinkingBudget".into(), (*tokens).into()),
        None if word == "none" => config.insert("thinkingLevel".into(), "MINIMAL".into()),
        None => config.insert("thinkingLevel".into(), word.to_ascii_uppercase().into()),
    };
}

/// The output mode's fields.
fn encode_output(output: &OutputMode, body: &mut Map<String, Value>, generation: &mut Map<String, Value>) {
    match output {
        OutputMode::Text => {}
        OutputMode::JsonObject => {
            generation.insert("responseMimeType".into(), "application/json".into());
        }
        OutputMode::JsonSchema(named) => {
            generation.insert("responseMimeType".into(), "application/json".into());
            generation.insert("responseJsonSchema".into(), named.schema.clone());
        }
        OutputMode::Tool(named) => {
            let function = json!({"name": named.name, "parametersJsonSchema": named.schema});
            let calling = json!({"mode": "ANY", "allowedFunctionNames": [named.name]});
            body.insert("tools".into(), json!([{"functionDeclarations": [function]}]));
            body.insert("toolConfig".into(), json!({"functionCallingConfig": calling}));
        }
    }
}

fn system_instruction(messages: &[Message]) -> Option<Value> {
    let parts: Vec<Value> = messages
        .iter()
        .filter(|message| message.role == Role::System)
        .map(|message| json!({"text": message.content}))
        .collect();
    (!parts.is_empty()).then(|| json!({"parts": parts}))
}

fn contents<'a>(messages: impl Iterator<Item = &'a Message>) -> Value {
    let turn = |message: &Message| match message.role {
        Role::System => None,
        Role::User => Some(json!({"role": "user", "parts": [{"text": message.content}]})),
        Role::Assistant => Some(json!({"role": "model", "parts": [{"text": message.content}]})),
    };
    messages.filter_map(turn).collect()
}

#[cfg(test)]
mod tests;
