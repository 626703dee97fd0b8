//! OpenAI Responses, and the servers that speak it (Ollama, llama.cpp).
//!
//! Source: PROVIDERS.md 3, after the OpenAI API specification 2.3.0 of 2026-08-21.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::openai_chat::{CountedInside, cached_inside, dialect};
use super::{Encoded, Reading, Route, StreamDecoder, Wire, classify, fit, malformed, set_in};
use crate::exchange::{Completion, Failure, Message, Outcome, OutputMode, Request, Role, Stop, Usage};
use crate::provider::{Dialect, Target};

/// The wire.
#[derive(Debug)]
pub struct OpenaiResponses;

impl Wire for OpenaiResponses {
    fn encode_body(&self, request: &Request, target: &Target) -> Encoded {
        let mut body = Map::new();
        body.insert("model".into(), request.model.clone().into());
        encode_input(request, &mut body);
        // What is kept at the provider by default is not kept for a measurement.
        body.insert("store".into(), false.into());
        encode_params(request, &mut body);
        encode_output(&request.output, &mut body);
        if let Some(ask) = &request.cache {
            body.insert("prompt_cache_key".into(), ask.key.clone().into());
        }
        let asked = super::canonical(&body);
        super::merge(&mut body, &target.extra_body);
        if request.stream {
            body.insert("stream".into(), true.into());
            if target.dialect == Dialect::Openai {
                body.insert("stream_options".into(), json!({"include_obfuscation": false}));
            }
        }
        Encoded { route: Route::fixed("/responses"), body: Value::Object(body).to_string().into_bytes(), asked }
    }

    fn decode(&self, body: &[u8]) -> Outcome {
        match serde_json::from_slice::<Response>(body) {
            Ok(response) => response.outcome(),
            Err(error) => Outcome::Failed(malformed(&format!("the answer is not a response: {error}"))),
        }
    }

    fn stream(&self) -> Box<dyn StreamDecoder> {
        Box::new(ResponseStream::default())
    }

    fn schema_profile(&self, target: &Target) -> fit::Profile {
        dialect::profile(target)
    }
}

/// The conversation: system messages are the instructions. With an explicit mark they are items of
/// the input, since only a content part can bear one.
fn encode_input(request: &Request, body: &mut Map<String, Value>) {
    let marked = marked_message(request);
    let systems = request.messages.iter().take_while(|message| message.role == Role::System).count();
    let (instructions, items) = request.messages.split_at(if marked.is_some() { 0 } else { systems });
    if !instructions.is_empty() {
        let texts: Vec<&str> = instructions.iter().map(|message| message.content.as_str()).collect();
        body.insert("instructions".into(), texts.join("\n\n").into());
    }
    let item = |(index, message): (usize, &Message)| match marked {
        Some(at) if at == index => {
            let part = json!({"type": "input_text", "text": message.content,
                              "prompt_cache_breakpoint": {"mode": "explicit"}});
            json!({"type": "message", "role": message.role, "content": [part]})
        }
        // The type may be left out by the specification; llama.cpp wants it.
        _ => json!({"type": "message", "role": message.role, "content": message.content}),
    };
    body.insert("input".into(), items.iter().enumerate().map(item).collect());
    if marked.is_some() {
        body.insert("prompt_cache_options".into(), json!({"mode": "explicit"}));
    }
}

/// The message that bears the explicit mark: the last of the stable prefix that is not the model's,
/// whose content parts can bear none.
fn marked_message(request: &Request) -> Option<usize> {
    request.cache.as_ref().filter(|ask| ask.explicit)?;
    let stable = request.messages.get(..request.stable_messages)?;
    stable.iter().rposition(|message| message.role != Role::Assistant)
}

/// The suite's parameters, those of the chat wire under this wire's names.
fn encode_params(request: &Request, body: &mut Map<String, Value>) {
    for (name, value) in &request.params {
        match name.as_str() {
            "max_tokens" | "max_completion_tokens" => {
                if !request.params.contains_key("max_output_tokens") {
                    body.insert("max_output_tokens".into(), value.clone());
                }
            }
            "reasoning_effort" => set_in(body, "reasoning", "effort", value.clone()),
            // This wire has none; `check` says so.
            "seed" => {}
            "verbosity" => set_in(body, "text", "verbosity", value.clone()),
            "reasoning" | "text" => {
                for (inner, value) in value.as_object().into_iter().flatten() {
                    set_in(body, name, inner, value.clone());
                }
            }
            _ => {
                body.insert(name.clone(), value.clone());
            }
        }
    }
}

/// The output mode's body fields; tools are flat here.
fn encode_output(output: &OutputMode, body: &mut Map<String, Value>) {
    match output {
        OutputMode::Text => {}
        OutputMode::JsonObject => set_in(body, "text", "format", json!({"type": "json_object"})),
        OutputMode::JsonSchema(named) => {
            let format = json!({"type": "json_schema", "name": named.name, "strict": true, "schema": named.schema});
            set_in(body, "text", "format", format);
        }
        OutputMode::Tool(named) => {
            let tool = json!({"type": "function", "name": named.name, "parameters": named.schema, "strict": true});
            body.insert("tools".into(), json!([tool]));
            body.insert("tool_choice".into(), json!({"type": "function", "name": named.name}));
            body.insert("parallel_tool_calls".into(), false.into());
        }
    }
}

/// A whole answer, and what ends a stream.
#[derive(Deserialize, Default)]
struct Response {
    status: Option<String>,
    error: Option<Value>,
    incomplete_details: Option<Incomplete>,
    output: Option<Vec<Item>>,
    usage: Option<UsageWire>,
    model: Option<String>,
}

#[derive(Deserialize)]
struct Incomplete {
    reason: Option<String>,
}

/// An item of the output; of every kind only what is read.
#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Of a message and of reasoning.
    content: Option<Vec<Part>>,
    /// Of reasoning.
    summary: Option<Vec<Part>>,
    /// Of a call: JSON text.
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: Option<String>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct UsageWire {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl UsageWire {
    fn normal(self) -> Usage {
        let details = self.input_tokens_details;
        cached_inside(CountedInside {
            prompt: self.input_tokens,
            read: details.as_ref().and_then(|details| details.cached_tokens),
            written: details.as_ref().and_then(|details| details.cache_write_tokens),
            output: self.output_tokens,
            reasoning: self.output_tokens_details.and_then(|details| details.reasoning_tokens),
        })
    }
}

/// What the items of an output have said, whole or so far.
#[derive(Debug, Default)]
struct Said {
    text: String,
    reasoning: String,
    arguments: String,
    refused: bool,
    called: bool,
}

impl Said {
    /// Reads whole items; the first need not be the message, and a second call is not the answer.
    fn of(items: Vec<Item>) -> Self {
        let mut said = Self::default();
        for item in items {
            let parts = || item.content.iter().flatten();
            match item.kind.as_deref() {
                Some("reasoning") => {
                    for part in item.summary.iter().flatten().chain(parts()) {
                        said.reasoning.push_str(part.text.as_deref().unwrap_or_default());
                    }
                }
                Some("message") => {
                    for part in parts() {
                        said.refused |= part.kind.as_deref() == Some("refusal");
                        said.text.push_str(part.text.as_deref().unwrap_or_default());
                    }
                }
                Some("function_call") if !said.called => {
                    said.called = true;
                    said.arguments = item.arguments.unwrap_or_default();
                }
                _ => {}
            }
        }
        said
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.refused && !self.called
    }
}

impl Response {
    fn outcome(mut self) -> Outcome {
        let said = Said::of(self.output.take().unwrap_or_default());
        self.outcome_of(said)
    }

    /// The outcome that this status gives to what was said.
    fn outcome_of(self, said: Said) -> Outcome {
        if let Some(error) = self.error.filter(|error| !error.is_null()) {
            return Outcome::Failed(classify::classify_error_object(&error));
        }
        let reason = self.incomplete_details.and_then(|details| details.reason);
        let stop = match (self.status.as_deref(), reason.as_deref()) {
            (Some("failed"), _) => return Outcome::Failed(failed_without_reason()),
            (Some("queued" | "in_progress" | "cancelled"), _) => {
                return Outcome::Failed(malformed("the answer is not finished"));
            }
            (None, _) => return Outcome::Failed(malformed("the answer has no status")),
            _ if said.refused => Stop::Refusal,
            (Some("incomplete"), Some("max_output_tokens")) => Stop::Length,
            (Some("incomplete"), Some("content_filter")) => Stop::Refusal,
            (Some("completed"), _) if said.called => Stop::ToolCall,
            (Some("completed"), _) => Stop::End,
            _ => Stop::Other,
        };
        Outcome::from_completion(Completion {
            text: if said.called { said.arguments } else { said.text },
            reasoning: said.reasoning,
            from_tool: said.called,
            stop,
            usage: self.usage.map(UsageWire::normal).unwrap_or_default(),
            served_model: self.model,
        })
    }
}

fn failed_without_reason() -> Failure {
    classify::classify_error_object(&json!({"code": "server_error", "message": "the response failed"}))
}

/// One event; of every kind only what is read.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: Option<String>,
    delta: Option<Value>,
    output_index: Option<u64>,
    item: Option<Item>,
    response: Option<Response>,
    error: Option<Value>,
    code: Option<Value>,
    message: Option<String>,
}

/// A streamed answer. Complete once its last `response` came; usage is only in that one.
#[derive(Default)]
struct ResponseStream {
    said: Said,
    /// Which item of the output is the call.
    call: Option<u64>,
    last: Option<Response>,
    model: Option<String>,
    events: usize,
    first_output: Option<usize>,
    first_visible: Option<usize>,
    failure: Option<Failure>,
}

impl ResponseStream {
    fn visible(&mut self, index: usize) {
        self.first_output.get_or_insert(index);
        self.first_visible.get_or_insert(index);
    }

    fn take(&mut self, event: Event, index: usize) {
        let delta = event.delta.as_ref().and_then(Value::as_str).unwrap_or_default();
        match event.kind.as_deref() {
            Some("response.output_text.delta") if !delta.is_empty() => {
                self.said.text.push_str(delta);
                self.visible(index);
            }
            Some("response.refusal.delta") if !delta.is_empty() => {
                self.said.refused = true;
                self.visible(index);
            }
            Some("response.reasoning_summary_text.delta" | "response.reasoning_text.delta") if !delta.is_empty() => {
                self.said.reasoning.push_str(delta);
                self.first_output.get_or_insert(index);
            }
            Some("response.output_item.added")
                if event.item.as_ref().is_some_and(|item| item.kind.as_deref() == Some("function_call")) =>
            {
                self.call.get_or_insert(event.output_index.unwrap_or(0));
                self.said.called = true;
                self.visible(index);
            }
            Some("response.function_call_arguments.delta")
                if event.output_index.unwrap_or(0) == *self.call.get_or_insert(event.output_index.unwrap_or(0)) =>
            {
                self.said.called = true;
                self.said.arguments.push_str(delta);
                self.visible(index);
            }
            Some("response.completed" | "response.incomplete" | "response.failed") => self.end(event, index),
            Some("error") => {
                let error = event.error.unwrap_or_else(|| json!({"code": event.code, "message": event.message}));
                self.failure = Some(classify::classify_error_object(&error));
            }
            // The other events repeat what the deltas said, or say nothing of the answer.
            _ => self.model = event.response.and_then(|response| response.model).or(self.model.take()),
        }
    }

    fn end(&mut self, event: Event, index: usize) {
        let mut last = event.response.unwrap_or_default();
        // A server that sends no pieces says it all here.
        let whole = Said::of(last.output.take().unwrap_or_default());
        if self.said.is_empty() && !whole.is_empty() {
            let reasoning = std::mem::take(&mut self.said.reasoning);
            self.said = Said { reasoning: if reasoning.is_empty() { whole.reasoning } else { reasoning }, ..whole };
            self.visible(index);
        } else if self.said.called && self.said.arguments.is_empty() {
            self.said.arguments = whole.arguments;
        }
        if last.status.is_none() {
            last.status = event.kind.and_then(|kind| kind.strip_prefix("response.").map(str::to_owned));
        }
        last.model = last.model.or(self.model.take());
        self.last = Some(last);
    }
}

impl StreamDecoder for ResponseStream {
    fn event(&mut self, data: &str) {
        let index = self.events;
        self.events += 1;
        if data == "[DONE]" || self.failure.is_some() || self.last.is_some() {
            return;
        }
        match serde_json::from_str(data) {
            Ok(event) => self.take(event, index),
            Err(error) => {
                self.failure = Some(malformed(&format!("event {index} of the stream is not a response's: {error}")));
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.last.is_some()
    }

    fn first_output_event(&self) -> Option<usize> {
        self.first_output
    }

    fn first_visible_event(&self) -> Option<usize> {
        self.first_visible
    }

    fn finish(self: Box<Self>) -> Reading {
        let outcome = match (self.failure, self.last) {
            (Some(failure), _) => Outcome::Failed(failure),
            (None, Some(last)) => last.outcome_of(self.said),
            (None, None) => Outcome::Failed(super::cut("the stream ended without its last response")),
        };
        Reading { outcome, first_output_event: self.first_output, first_visible_event: self.first_visible }
    }
}
