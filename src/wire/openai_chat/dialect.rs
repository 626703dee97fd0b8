//! How the hosts of the chat wire differ in what they take; a row says only what a source says.
//!
//! Sources: the request types of the hosts' own Python packages (mistralai 3.7.0, groq 1.7.0,
//! together 3.1.1, huggingface_hub 2.4.0, openrouter 1.3.84), ollama/ollama `openai/openai.go`,
//! and the pages and reports that a row names.

use serde_json::{Map, Value, json};

use crate::exchange::{CacheAsk, OutputMode, Request};
use crate::provider::{Dialect, Target};
use crate::wire::Route;
use crate::wire::fit::Profile;

/// What a stream's `stream_options` hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamOptions {
    /// Usage at the end.
    Usage,
    /// Usage at the end, and no padding of the pieces.
    UsageUnpadded,
    /// The host refuses the field and reports usage anyway.
    Refused,
}

/// What a host takes.
#[derive(Debug)]
struct Host {
    /// Parameters that the host knows by another name: ours, then the host's.
    renamed: &'static [(&'static str, &'static str)],
    stream_options: StreamOptions,
    /// Whether it groups requests by `prompt_cache_key`.
    cache_key: bool,
    /// Whether it takes `prompt_cache_options` and `prompt_cache_breakpoint`.
    breakpoints: bool,
    /// Whether it streams an answer that a schema binds.
    streams_schema: bool,
}

const PLAIN: Host = Host {
    renamed: &[],
    stream_options: StreamOptions::Usage,
    cache_key: false,
    breakpoints: false,
    streams_schema: true,
};

/// `max_tokens` is deprecated, and refused by reasoning models (OpenAI's specification 2.3.0).
const NEW_LIMIT: &[(&str, &str)] = &[("max_tokens", "max_completion_tokens")];

/// Hosts whose types have `max_tokens` alone: the newer name would be refused, or passed over and
/// the answer not limited.
const OLD_LIMIT: &[(&str, &str)] = &[("max_completion_tokens", "max_tokens")];

const OPENAI: Host = Host {
    renamed: NEW_LIMIT,
    stream_options: StreamOptions::UsageUnpadded,
    cache_key: true,
    breakpoints: true,
    ..PLAIN
};

/// `include_obfuscation` is not in Azure's versions; breakpoints are not documented there, and are
/// sent only where a suite asks for them.
const AZURE: Host = Host { stream_options: StreamOptions::Usage, ..OPENAI };

/// "Streaming and tool use are not currently supported with Structured Outputs"
/// (console.groq.com/docs/structured-outputs).
const GROQ: Host = Host { streams_schema: false, ..PLAIN };

/// Answers 422 `extra_forbidden` to `stream_options` (dnakov/anon-kode issue 53) and to
/// `max_completion_tokens` (editor-code-assistant/eca issue 315).
const MISTRAL: Host = Host {
    renamed: &[("max_completion_tokens", "max_tokens"), ("seed", "random_seed")],
    stream_options: StreamOptions::Refused,
    cache_key: true,
    ..PLAIN
};

/// Usage always comes; `stream_options` has no effect (openrouter.ai/docs/use-cases/usage-accounting).
/// It turns `prompt_cache_breakpoint` into what the host behind it takes.
const OPENROUTER: Host = Host { cache_key: true, breakpoints: true, ..PLAIN };

const OLDER: Host = Host { renamed: OLD_LIMIT, ..PLAIN };

fn host(dialect: Dialect) -> &'static Host {
    match dialect {
        Dialect::Openai => &OPENAI,
        Dialect::Azure => &AZURE,
        Dialect::Groq => &GROQ,
        Dialect::Mistral => &MISTRAL,
        Dialect::Openrouter => &OPENROUTER,
        Dialect::Huggingface | Dialect::Ollama | Dialect::Together => &OLDER,
        Dialect::LlamaCpp | Dialect::Plain | Dialect::Vertex | Dialect::Vllm => &PLAIN,
    }
}

/// A parameter's name at the host.
fn renamed<'a>(host: &Host, name: &'a str) -> &'a str {
    host.renamed.iter().find(|(ours, _)| *ours == name).map_or(name, |(_, theirs)| theirs)
}

/// The suite's parameters under the host's names; where both names are set, the host's wins.
pub(super) fn encode_params(request: &Request, target: &Target, body: &mut Map<String, Value>) {
    for (name, value) in &request.params {
        let theirs = renamed(host(target.dialect), name);
        if theirs == name || !request.params.contains_key(theirs) {
            body.insert(theirs.to_owned(), value.clone());
        }
    }
}

/// Whether the host holds the answer to the schema token by token. Groq does so for gpt-oss alone
/// and takes other models' schema as a hint (console.groq.com/docs/structured-outputs).
pub(super) fn is_strict(target: &Target, model: &str) -> bool {
    target.dialect != Dialect::Groq || model.contains("gpt-oss")
}

/// What the host's strict mode accepts; its own fine-tunes (`ft:`) take less (PROVIDERS.md 2).
pub(in crate::wire) fn profile(target: &Target) -> Profile {
    match target.dialect {
        Dialect::Openai | Dialect::Azure if target.served_as.starts_with("ft:") => Profile::OpenaiTuned,
        Dialect::Openai | Dialect::Azure => Profile::OpenaiStrict,
        Dialect::Groq if is_strict(target, &target.served_as) => Profile::OpenaiStrict,
        _ => Profile::AsIs,
    }
}

/// How the prompt cache is asked for, where the host has a way. It caches by itself; a key keeps
/// requests of one prefix together, and a mark at the prefix's end is set only where it is asked for.
pub(super) fn encode_cache(request: &Request, target: &Target, body: &mut Map<String, Value>) {
    let Some(ask) = &request.cache else { return };
    let host = host(target.dialect);
    if host.cache_key {
        body.insert("prompt_cache_key".into(), ask.key.clone().into());
    }
    if host.breakpoints && marks(request, ask) {
        body.insert("prompt_cache_options".into(), json!({"mode": "explicit"}));
        let marked = request.stable_messages - 1;
        if let Some(content) = body.get_mut("messages").and_then(|all| all.get_mut(marked)?.get_mut("content")) {
            let text = content.take();
            *content = json!([{"type": "text", "text": text, "prompt_cache_breakpoint": {"mode": "explicit"}}]);
        }
    }
}

/// Whether a mark is asked for and has a place. Explicit mode without a mark would mean no caching.
fn marks(request: &Request, ask: &CacheAsk) -> bool {
    ask.explicit && (1..=request.messages.len()).contains(&request.stable_messages)
}

/// The fields of a streamed answer.
pub(super) fn encode_stream(request: &Request, target: &Target, body: &mut Map<String, Value>) {
    let host = host(target.dialect);
    if !request.stream || (!host.streams_schema && matches!(request.output, OutputMode::JsonSchema(_))) {
        return;
    }
    body.insert("stream".into(), true.into());
    let options = match host.stream_options {
        StreamOptions::Usage => json!({"include_usage": true}),
        StreamOptions::UsageUnpadded => json!({"include_usage": true, "include_obfuscation": false}),
        StreamOptions::Refused => return,
    };
    body.insert("stream_options".into(), options);
}

/// Where requests go. Azure's older addresses name the deployment and a version; the body keeps its
/// `model`, as the official client's does (openai-python `lib/azure.py`).
pub(super) fn route(target: &Target, model: &str) -> Route {
    match &target.api_version {
        Some(version) if target.dialect == Dialect::Azure => {
            let (deployment, version) = (crate::wire::percent_encoded(model), crate::wire::percent_encoded(version));
            let path = format!("/openai/deployments/{deployment}/chat/completions?api-version={version}");
            Route { path: path.into(), headers: Vec::new() }
        }
        _ => Route::fixed("/chat/completions"),
    }
}
