//! OpenAI Chat Completions and the servers that speak it (vLLM, llama.cpp, Ollama, Together, ...).
//!
//! Source: PROVIDERS.md 2, after the OpenAI API specification 2.3.0 of 2026-08-21.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{HttpRequest, Reading, Route, StreamDecoder, Wire, classify, failed, fit, malformed};
use crate::exchange::{Completion, Failure, FailureKind, Outcome, OutputMode, Request, Retry, Stop, Usage};
use crate::provider::{Dialect, Target};

/// The wire.
#[derive(Debug)]
pub struct OpenaiChat;

impl Wire for OpenaiChat {
    fn encode(&self, request: &Request, target: &Target) -> HttpRequest {
        let mut body = Map::new();
        body.insert("model".into(), request.model.clone().into());
        body.insert("messages".into(), json!(request.messages));
        for (key, value) in &request.params {
            body.insert(key.clone(), value.clone());
        }
        encode_output(&request.output, &mut body);
        let digest = super::request_digest(&body);
        for (key, value) in &target.extra_body {
            body.insert(key.clone(), value.clone());
        }
        if request.stream {
            body.insert("stream".into(), true.into());
            body.insert("stream_options".into(), json!({"include_usage": true}));
        }
        HttpRequest { route: Route::fixed("/chat/completions"), body: Value::Object(body).to_string().into(), digest }
    }

    fn decode(&self, body: &[u8]) -> Outcome {
        let response: Response = match serde_json::from_slice(body) {
            Ok(response) => response,
            Err(error) => return Outcome::Failed(malformed(&format!("the answer is not a chat completion: {error}"))),
        };
        if let Some(error) = response.error.filter(|error| !error.is_null()) {
            return Outcome::Failed(classify::classify_error_object(&error));
        }
        let Some(choice) = response.choices.into_iter().flatten().find(|choice| choice.index.unwrap_or(0) == 0) else {
            return Outcome::Failed(malformed("the answer has no choices"));
        };
        let mut said = Said { usage: response.usage.map(UsageWire::normal), model: response.model, ..Said::default() };
        said.finish_reason = choice.finish_reason;
        said.add(&choice.message.unwrap_or_default());
        said.outcome()
    }

    fn stream(&self) -> Box<dyn StreamDecoder> {
        Box::new(ChatStream::default())
    }

    fn schema_profile(&self, target: &Target) -> fit::Profile {
        match target.dialect {
            Dialect::Openai | Dialect::Azure => fit::Profile::OpenaiStrict,
            _ => fit::Profile::AsIs,
        }
    }
}

/// The output mode's body fields.
fn encode_output(output: &OutputMode, body: &mut Map<String, Value>) {
    match output {
        OutputMode::Text => {}
        OutputMode::JsonObject => {
            body.insert("response_format".into(), json!({"type": "json_object"}));
        }
        OutputMode::JsonSchema(named) => {
            let schema = json!({"name": named.name, "strict": true, "schema": named.schema});
            body.insert("response_format".into(), json!({"type": "json_schema", "json_schema": schema}));
        }
        OutputMode::Tool(named) => {
            let function = json!({"name": named.name, "parameters": named.schema, "strict": true});
            body.insert("tools".into(), json!([{"type": "function", "function": function}]));
            body.insert("tool_choice".into(), json!({"type": "function", "function": {"name": named.name}}));
            body.insert("parallel_tool_calls".into(), false.into());
        }
    }
}

#[derive(Deserialize)]
struct Response {
    choices: Option<Vec<Choice>>,
    usage: Option<UsageWire>,
    model: Option<String>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u64>,
    message: Option<Piece>,
    delta: Option<Piece>,
    finish_reason: Option<String>,
}

/// A message or a piece of one.
#[derive(Deserialize, Default)]
struct Piece {
    content: Option<String>,
    refusal: Option<String>,
    reasoning: Option<String>,
    /// The older name; some servers send both.
    reasoning_content: Option<String>,
    tool_calls: Option<Vec<ToolCall>>,
}

#[derive(Deserialize)]
struct ToolCall {
    index: Option<u64>,
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct UsageWire {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl UsageWire {
    /// Cached and written tokens are inside `prompt_tokens` (the latter is inferred, PROVIDERS.md 1).
    fn normal(self) -> Usage {
        let details = self.prompt_tokens_details;
        let cache_read_tokens = details.as_ref().and_then(|details| details.cached_tokens);
        let written = details.as_ref().and_then(|details| details.cache_write_tokens);
        let cached = cache_read_tokens.unwrap_or(0).saturating_add(written.unwrap_or(0));
        Usage {
            input_uncached_tokens: self.prompt_tokens.map(|prompt| prompt.saturating_sub(cached)),
            cache_read_tokens,
            cache_write_5m_tokens: written,
            cache_write_1h_tokens: None,
            output_tokens: self.completion_tokens,
            reasoning_tokens: self.completion_tokens_details.and_then(|details| details.reasoning_tokens),
        }
    }
}

/// What a message has said, whole or so far.
#[derive(Debug, Default)]
struct Said {
    text: String,
    reasoning: String,
    arguments: String,
    refused: bool,
    called: bool,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    model: Option<String>,
}

/// What a piece contributed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    Reasoning,
    Visible,
}

impl Said {
    fn add(&mut self, piece: &Piece) -> Seen {
        let mut seen = Seen::Nothing;
        let reasoning = [&piece.reasoning, &piece.reasoning_content];
        if let Some(text) = reasoning.into_iter().flatten().find(|text| !text.is_empty()) {
            self.reasoning.push_str(text);
            seen = Seen::Reasoning;
        }
        if let Some(text) = piece.content.as_ref().filter(|text| !text.is_empty()) {
            self.text.push_str(text);
            seen = Seen::Visible;
        }
        if piece.refusal.as_ref().is_some_and(|text| !text.is_empty()) {
            self.refused = true;
            seen = Seen::Visible;
        }
        // One forced call is asked for: a second one, at another index, is not the answer.
        for call in piece.tool_calls.iter().flatten().filter(|call| call.index.unwrap_or(0) == 0) {
            let Some(function) = &call.function else { continue };
            if function.name.as_ref().is_some_and(|name| !name.is_empty()) {
                self.called = true;
                seen = Seen::Visible;
            }
            if let Some(arguments) = function.arguments.as_ref().filter(|arguments| !arguments.is_empty()) {
                self.called = true;
                self.arguments.push_str(arguments);
                seen = Seen::Visible;
            }
        }
        seen
    }

    fn outcome(self) -> Outcome {
        let stop = match self.finish_reason.as_deref() {
            _ if self.refused => Stop::Refusal,
            Some("stop") => Stop::End,
            Some("tool_calls" | "function_call") => Stop::ToolCall,
            Some("length") => Stop::Length,
            Some("content_filter") => Stop::Refusal,
            _ => Stop::Other,
        };
        Outcome::from_completion(Completion {
            text: if self.called { self.arguments } else { self.text },
            reasoning: self.reasoning,
            from_tool: self.called,
            stop,
            usage: self.usage.unwrap_or_default(),
            served_model: self.model,
        })
    }
}

/// A streamed answer. Complete once a `finish_reason` came; usage may ride on that chunk, on a
/// later one with `choices: []`, or never come.
#[derive(Default)]
struct ChatStream {
    said: Said,
    events: usize,
    first_output: Option<usize>,
    first_visible: Option<usize>,
    failure: Option<Failure>,
}

impl StreamDecoder for ChatStream {
    fn event(&mut self, data: &str) {
        let index = self.events;
        self.events += 1;
        if data == "[DONE]" || self.failure.is_some() {
            return;
        }
        let chunk: Response = match serde_json::from_str(data) {
            Ok(chunk) => chunk,
            Err(error) => {
                self.failure = Some(malformed(&format!("event {index} of the stream is not a chunk: {error}")));
                return;
            }
        };
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            self.failure = Some(classify::classify_error_object(&error));
            return;
        }
        self.said.usage = chunk.usage.map(UsageWire::normal).or(self.said.usage);
        self.said.model = chunk.model.or(self.said.model.take());
        for choice in chunk.choices.into_iter().flatten().filter(|choice| choice.index.unwrap_or(0) == 0) {
            self.said.finish_reason = choice.finish_reason.or(self.said.finish_reason.take());
            let seen = choice.delta.or(choice.message).map_or(Seen::Nothing, |piece| self.said.add(&piece));
            if seen != Seen::Nothing {
                self.first_output.get_or_insert(index);
            }
            if seen == Seen::Visible {
                self.first_visible.get_or_insert(index);
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.said.finish_reason.is_some()
    }

    fn first_visible_event(&self) -> Option<usize> {
        self.first_visible
    }

    fn finish(self: Box<Self>) -> Reading {
        if let Some(failure) = self.failure {
            return Reading {
                first_output_event: self.first_output,
                first_visible_event: self.first_visible,
                ..failed(failure)
            };
        }
        let outcome = if self.is_complete() {
            self.said.outcome()
        } else {
            Outcome::Failed(Failure {
                kind: FailureKind::Cut,
                status: None,
                message: "the stream ended without a finish_reason".into(),
                retry: Retry::Transient,
            })
        };
        Reading { outcome, first_output_event: self.first_output, first_visible_event: self.first_visible }
    }
}
