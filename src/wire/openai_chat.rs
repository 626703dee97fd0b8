//! OpenAI Chat Completions and the servers that speak it (vLLM, llama.cpp, Ollama, Together, ...).
//!
//! Source: PROVIDERS.md 2, after the OpenAI API specification 2.3.0 of 2026-08-21.

pub(super) mod dialect;
mod response;
mod think;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{Encoded, Reading, StreamDecoder, Wire, classify, fit, malformed};
use crate::exchange::{Completion, Failure, FailureKind, Outcome, OutputMode, Request, Retry, Stop, Usage};
use crate::provider::Target;
use response::{Piece, Response, Text, TextOr, UsageWire};
use think::Content;

/// The wire.
#[derive(Debug)]
pub struct OpenaiChat;

impl Wire for OpenaiChat {
    fn encode_body(&self, request: &Request, target: &Target) -> Encoded {
        let mut body = Map::new();
        body.insert("model".into(), request.model.clone().into());
        body.insert("messages".into(), json!(request.messages));
        dialect::encode_params(request, target, &mut body);
        encode_output(&request.output, dialect::is_strict(target, &request.model), &mut body);
        dialect::encode_cache(request, target, &mut body);
        let asked = super::canonical(&body);
        super::merge(&mut body, &target.extra_body);
        dialect::encode_stream(request, target, &mut body);
        let route = dialect::route(target, &request.model);
        Encoded { route, body: Value::Object(body).to_string().into_bytes(), asked }
    }

    fn decode(&self, body: &[u8]) -> Outcome {
        let mut response: Response = match serde_json::from_slice(body) {
            Ok(response) => response,
            Err(error) => return Outcome::Failed(malformed(&format!("the answer is not a chat completion: {error}"))),
        };
        if let Some(failure) = response.error(body) {
            return Outcome::Failed(failure);
        }
        let Some(choice) = response.choices.into_iter().flatten().find(|choice| choice.index.unwrap_or(0) == 0) else {
            return Outcome::Failed(malformed("the answer has no choices"));
        };
        let mut said = Said {
            usage: response.usage.map(UsageWire::normal),
            model: response.model.map(Text::owned),
            ..Said::default()
        };
        said.finish_reason = choice.finish_reason.map(Text::owned);
        said.add(&choice.message.unwrap_or_default(), 0);
        said.outcome().0
    }

    fn stream(&self) -> Box<dyn StreamDecoder> {
        Box::new(ChatStream::default())
    }

    fn schema_profile(&self, target: &Target) -> fit::Profile {
        dialect::profile(target)
    }
}

/// The output mode's body fields.
fn encode_output(output: &OutputMode, strict: bool, body: &mut Map<String, Value>) {
    match output {
        OutputMode::Text => {}
        OutputMode::JsonObject => {
            body.insert("response_format".into(), json!({"type": "json_object"}));
        }
        OutputMode::JsonSchema(named) => {
            let schema = json!({"name": named.name, "strict": strict, "schema": named.schema});
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

/// Token counts of which the prompt's holds the cached ones.
pub(super) struct CountedInside {
    pub(super) prompt: Option<u64>,
    pub(super) read: Option<u64>,
    pub(super) written: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) reasoning: Option<u64>,
}

/// Cached and written tokens are inside the prompt's (the latter is inferred, PROVIDERS.md 1).
pub(super) fn cached_inside(counted: CountedInside) -> Usage {
    let cached = counted.read.unwrap_or(0).saturating_add(counted.written.unwrap_or(0));
    Usage {
        input_uncached_tokens: counted.prompt.map(|prompt| prompt.saturating_sub(cached)),
        cache_read_tokens: counted.read,
        cache_write_5m_tokens: counted.written,
        cache_write_1h_tokens: None,
        output_tokens: counted.output,
        reasoning_tokens: counted.reasoning,
    }
}

/// What a message has said, whole or so far.
#[derive(Debug, Default)]
struct Said {
    content: Content,
    reasoning: String,
    arguments: String,
    refused: bool,
    called: bool,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    model: Option<String>,
    first_output: Option<usize>,
    /// Event of the first refusal or call.
    first_other: Option<usize>,
}

impl Said {
    /// Takes a piece that came in this event.
    fn add(&mut self, piece: &Piece<'_>, event: usize) {
        let reasoning = [&piece.reasoning, &piece.reasoning_content];
        if let Some(text) = reasoning.into_iter().flatten().find(|text| !text.is_empty()) {
            self.reasoning.push_str(text);
            self.first_output.get_or_insert(event);
        }
        match &piece.content {
            Some(TextOr::Text(text)) => self.add_text(text, event),
            Some(TextOr::Other(Value::Array(parts))) => parts.iter().for_each(|part| self.add_part(part, event)),
            _ => {}
        }
        if piece.refusal.as_ref().is_some_and(|text| !text.is_empty()) {
            self.refused = true;
            self.other(event);
        }
        // One forced call is asked for: a second one, at another index, is not the answer. In an
        // answer that was not streamed, calls have no index but their place.
        let calls = (0..).zip(piece.tool_calls.iter().flatten());
        for (_, call) in calls.filter(|(place, call)| call.index.unwrap_or(*place) == 0) {
            let Some(function) = &call.function else { continue };
            let arguments = match &function.arguments {
                Some(TextOr::Text(text)) => Cow::Borrowed(&**text),
                None => Cow::Borrowed(""),
                Some(TextOr::Other(object)) => Cow::Owned(object.to_string()),
            };
            if function.name.as_ref().is_some_and(|name| !name.is_empty()) || !arguments.is_empty() {
                self.called = true;
                self.arguments.push_str(&arguments);
                self.other(event);
            }
        }
    }

    fn add_text(&mut self, text: &str, event: usize) {
        if text.is_empty() {
            return;
        }
        self.first_output.get_or_insert(event);
        if self.reasoning.is_empty() {
            self.content.push(text, event);
        } else {
            self.content.push_answer(text, event);
        }
    }

    /// A part of a content list: `text`, or `thinking` with texts in it (mistralai 3.7.0 `ThinkChunk`).
    fn add_part(&mut self, part: &Value, event: usize) {
        match part["type"].as_str() {
            Some("thinking") => {
                let thoughts = part["thinking"].as_array().into_iter().flatten();
                for text in thoughts.filter_map(|thought| thought["text"].as_str()).filter(|text| !text.is_empty()) {
                    self.reasoning.push_str(text);
                    self.first_output.get_or_insert(event);
                }
            }
            Some("text") => self.add_text(part["text"].as_str().unwrap_or_default(), event),
            _ => {}
        }
    }

    fn other(&mut self, event: usize) {
        self.first_output.get_or_insert(event);
        self.first_other.get_or_insert(event);
    }

    /// Event of the first visible output, as far as it is settled.
    fn first_visible(&self) -> Option<usize> {
        earlier(self.first_other, self.content.visible())
    }

    /// The outcome, and the event of the first visible output.
    fn outcome(self) -> (Outcome, Option<usize>) {
        let (text, mut reasoning, visible) = self.content.finish();
        let visible = earlier(self.first_other, visible);
        if !self.reasoning.is_empty() {
            reasoning = self.reasoning;
        }
        let stop = match self.finish_reason.as_deref() {
            _ if self.refused => Stop::Refusal,
            // "eos" is Together's.
            Some("stop" | "eos") => Stop::End,
            Some("tool_calls" | "function_call") => Stop::ToolCall,
            // "model_length" is Mistral's: the context is full.
            Some("length" | "model_length") => Stop::Length,
            Some("content_filter") => Stop::Refusal,
            // OpenRouter's and Mistral's, should no error object have come with it; DeepSeek's; vLLM's.
            Some(reason @ ("error" | "insufficient_system_resource" | "abort")) => {
                return (Outcome::Failed(broken_off(reason)), visible);
            }
            _ => Stop::Other,
        };
        let completion = Completion {
            text: if self.called { self.arguments } else { text },
            reasoning,
            from_tool: self.called,
            stop,
            usage: self.usage.unwrap_or_default(),
            served_model: self.model,
        };
        (Outcome::from_completion(completion), visible)
    }
}

fn earlier(one: Option<usize>, other: Option<usize>) -> Option<usize> {
    one.into_iter().chain(other).min()
}

fn broken_off(reason: &str) -> Failure {
    Failure {
        kind: FailureKind::Server,
        status: None,
        message: format!("the server broke off with finish_reason \"{reason}\""),
        retry: Retry::Transient,
    }
}

/// A streamed answer. Complete once a `finish_reason` came; usage may ride on that chunk, on a
/// later one with `choices: []`, or never come.
#[derive(Default)]
struct ChatStream {
    said: Said,
    events: usize,
    failure: Option<Failure>,
}

impl StreamDecoder for ChatStream {
    fn event(&mut self, data: &str) {
        let index = self.events;
        self.events += 1;
        if data == "[DONE]" || self.failure.is_some() {
            return;
        }
        let mut chunk: Response = match serde_json::from_str(data) {
            Ok(chunk) => chunk,
            Err(error) => {
                self.failure = Some(malformed(&format!("event {index} of the stream is not a chunk: {error}")));
                return;
            }
        };
        let failure = chunk.error(data.as_bytes());
        let (groq_usage, groq_error) = chunk.x_groq.map_or((None, None), |extra| (extra.usage, extra.error));
        let groq_error = groq_error.filter(|error| !error.is_null());
        let failure = failure.or_else(|| groq_error.map(|error| classify::classify_error_object(&error)));
        if failure.is_some() {
            self.failure = failure;
            return;
        }
        self.said.usage = chunk.usage.or(groq_usage).map(UsageWire::normal).or(self.said.usage);
        // Azure's first chunk names an empty one.
        if let Some(model) = chunk.model.filter(|model| !model.is_empty()) {
            model.replace(&mut self.said.model);
        }
        for choice in chunk.choices.into_iter().flatten().filter(|choice| choice.index.unwrap_or(0) == 0) {
            if let Some(reason) = choice.finish_reason {
                reason.replace(&mut self.said.finish_reason);
            }
            if let Some(piece) = choice.delta.or(choice.message) {
                self.said.add(&piece, index);
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.said.finish_reason.is_some()
    }

    fn first_output_event(&self) -> Option<usize> {
        self.said.first_output
    }

    fn first_visible_event(&self) -> Option<usize> {
        self.said.first_visible()
    }

    fn finish(self: Box<Self>) -> Reading {
        let stream = *self;
        let complete = stream.is_complete();
        let first_output_event = stream.said.first_output;
        let (outcome, first_visible_event) = stream.said.outcome();
        let outcome = match stream.failure {
            Some(failure) => Outcome::Failed(failure),
            None if complete => outcome,
            None => Outcome::Failed(super::cut("the stream ended without a finish_reason")),
        };
        Reading { outcome, first_output_event, first_visible_event }
    }
}

#[cfg(test)]
mod tests;
