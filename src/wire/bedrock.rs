//! AWS Bedrock Converse.
//!
//! Source: PROVIDERS.md 6 and the service model of botocore 1.44.8
//! (`bedrock-runtime/2023-09-30/service-2.json`), against which `scripts/bedrock-check` holds bodies.

mod encode;

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Encoded, Framing, Reading, Route, StreamDecoder, Wire, classify, event_stream, fit, malformed};
use crate::exchange::{Completion, Failure, FailureKind, Outcome, Request, Retry, Stop, Usage};
use crate::provider::Target;
use crate::text;

/// The wire.
#[derive(Debug)]
pub struct Bedrock;

impl Wire for Bedrock {
    fn encode_body(&self, request: &Request, target: &Target) -> Encoded {
        let mut body = Map::new();
        encode::messages(request, &mut body);
        encode::params(request, &mut body);
        encode::output(&request.output, &mut body);
        let path = format!(
            "/model/{}/{}",
            super::percent_encoded(&request.model),
            if request.stream { "converse-stream" } else { "converse" }
        );
        let asked = self.asked(&path, &body);
        super::merge(&mut body, &target.extra_body);
        let route = Route { path: path.into(), headers: Vec::new() };
        Encoded { route, body: Value::Object(body).to_string().into_bytes(), asked }
    }

    /// The path names the model, and so is part of what is asked; how the answer comes is not.
    fn asked(&self, path: &str, body: &Map<String, Value>) -> Vec<u8> {
        let model = path.strip_prefix("/model/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let mut asked = body.clone();
        asked.insert("modelId".into(), model.into());
        super::canonical(&asked)
    }

    fn decode(&self, body: &[u8]) -> Outcome {
        let response: Response = match serde_json::from_slice(body) {
            Ok(response) => response,
            Err(error) => return Outcome::Failed(malformed(&format!("the answer is not of Converse: {error}"))),
        };
        let Some(message) = response.output.and_then(|output| output.message) else {
            return Outcome::Failed(malformed("the answer has no message"));
        };
        let mut said = Said { stop: response.stop_reason, usage: response.usage, ..Said::default() };
        said.model = response.trace.and_then(Trace::model);
        for block in message.content.into_iter().flatten() {
            said.add_block(block);
        }
        said.outcome()
    }

    fn stream(&self) -> Box<dyn StreamDecoder> {
        Box::new(ConverseStream::default())
    }

    fn framing(&self) -> Framing {
        Framing::EventStream
    }

    fn classify(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
        let body_type = serde_json::from_slice::<Value>(body).ok();
        let body_type = body_type.as_ref().and_then(|body| body["__type"].as_str());
        let header_type = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
        // "ThrottlingException:http://…" in the header, "com.amazon.x#ThrottlingException" in the body.
        let name = header_type.or(body_type).unwrap_or_default();
        let name = name.split(':').next().and_then(|name| name.rsplit('#').next()).unwrap_or_default();
        let said = classify::classify(status, headers, body);
        if said.kind == FailureKind::NotRecorded {
            return said;
        }
        let alike = status_alike(name, status, &said.message);
        let message = match name.is_empty() || said.message.contains(name) {
            true => said.message,
            false => text::one_line(&format!("{} ({name})", said.message), 300),
        };
        Failure { status: Some(status), message, ..classify::classify(alike, headers, body) }
    }

    /// Claude's subset for Claude; what other models' servers accept is not documented.
    fn schema_profile(&self, target: &Target) -> fit::Profile {
        if target.served_as.contains("anthropic.") { fit::Profile::Anthropic } else { fit::Profile::AsIs }
    }
}

/// The status that means to others what this error means here.
fn status_alike(name: &str, status: u16, message: &str) -> u16 {
    let name = name.strip_suffix("Exception").unwrap_or(name).to_ascii_lowercase();
    match name.as_str() {
        // A day's quota does not heal within a run (minorun365/agent-book issue 29).
        "throttling" if message.contains("per day") => 402,
        "throttling" => 429,
        "servicequotaexceeded" => 402,
        // The model is being loaded: time heals it, and fewer requests do not.
        "modelnotready" => 503,
        "modelerror" | "modelstreamerror" | "internalserver" => 500,
        "modeltimeout" => 408,
        "serviceunavailable" => 503,
        "validation" if message.contains("model identifier is invalid") => 404,
        "validation" => 400,
        // "The request failed due to an error while processing the model" (botocore).
        _ if status == 424 => 500,
        _ if status == 400 && message.contains("model identifier is invalid") => 404,
        _ => status,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    output: Option<Output>,
    stop_reason: Option<String>,
    usage: Option<UsageWire>,
    trace: Option<Trace>,
}

#[derive(Deserialize)]
struct Output {
    message: Option<MessageWire>,
}

#[derive(Deserialize)]
struct MessageWire {
    content: Option<Vec<Block>>,
}

/// A block of content: exactly one of these, or one that is not read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    text: Option<String>,
    tool_use: Option<ToolUse>,
    reasoning_content: Option<Reasoning>,
}

/// A call; `input` is an object in a whole answer, and pieces of its JSON text in a stream.
#[derive(Deserialize)]
struct ToolUse {
    name: Option<String>,
    input: Option<Value>,
}

/// Reasoning, in a whole answer or in a stream.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning {
    reasoning_text: Option<ReasoningText>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct ReasoningText {
    text: Option<String>,
}

/// Says which model a prompt router chose.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    prompt_router: Option<PromptRouter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptRouter {
    invoked_model_id: Option<String>,
}

impl Trace {
    fn model(self) -> Option<String> {
        self.prompt_router?.invoked_model_id
    }
}

#[derive(Deserialize, Debug, Clone)]
#[serde(rename_all = "camelCase")]
struct UsageWire {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    cache_details: Option<Vec<CacheDetail>>,
}

#[derive(Deserialize, Debug, Clone)]
#[serde(rename_all = "camelCase")]
struct CacheDetail {
    ttl: Option<String>,
    input_tokens: Option<u64>,
}

impl UsageWire {
    /// "When prompt caching is enabled, the inputTokens field represents only the non-cached input
    /// tokens" (AWS user guide, prompt-caching, as quoted in crmne/ruby_llm pull request 832). Writes
    /// are told apart by lifetime only in `cacheDetails`. Reasoning is not reported.
    fn normal(self) -> Usage {
        let written = self.cache_write_input_tokens;
        let hour = self.cache_details.as_ref().and_then(|details| {
            let details = details.iter().filter(|detail| detail.ttl.as_deref() == Some("1h"));
            details.map(|detail| detail.input_tokens).reduce(|sum, more| Some(sum?.saturating_add(more?))).flatten()
        });
        Usage {
            input_uncached_tokens: self.input_tokens,
            cache_read_tokens: self.cache_read_input_tokens,
            cache_write_5m_tokens: written.map(|written| written.saturating_sub(hour.unwrap_or(0))),
            cache_write_1h_tokens: hour,
            output_tokens: self.output_tokens,
            reasoning_tokens: None,
        }
    }
}

/// What a message has said, whole or so far.
#[derive(Debug, Default)]
struct Said {
    text: String,
    reasoning: String,
    arguments: String,
    called: bool,
    stop: Option<String>,
    usage: Option<UsageWire>,
    model: Option<String>,
}

impl Said {
    /// Takes a block of a whole answer; a second call is not the answer.
    fn add_block(&mut self, block: Block) {
        self.text.push_str(block.text.as_deref().unwrap_or_default());
        let thought = block.reasoning_content.and_then(|content| content.reasoning_text?.text);
        self.reasoning.push_str(thought.as_deref().unwrap_or_default());
        if let Some(call) = block.tool_use.filter(|_| !self.called) {
            self.called = true;
            self.arguments = call.input.map(|input| input.to_string()).unwrap_or_default();
        }
    }

    fn outcome(self) -> Outcome {
        let stop = match self.stop.as_deref() {
            Some("end_turn" | "stop_sequence") => Stop::End,
            Some("tool_use") => Stop::ToolCall,
            Some("max_tokens" | "model_context_window_exceeded") => Stop::Length,
            Some("guardrail_intervened" | "content_filtered" | "refusal") => Stop::Refusal,
            _ => Stop::Other,
        };
        // A call without input has no pieces.
        let arguments = if self.arguments.is_empty() { "{}".to_owned() } else { self.arguments };
        Outcome::from_completion(Completion {
            text: if self.called { arguments } else { self.text },
            reasoning: self.reasoning,
            from_tool: self.called,
            stop,
            usage: self.usage.map(UsageWire::normal).unwrap_or_default(),
            served_model: self.model,
        })
    }
}

/// One event; of every kind only what is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    start: Option<Block>,
    delta: Option<Block>,
    content_block_index: Option<u64>,
    stop_reason: Option<String>,
    usage: Option<UsageWire>,
    trace: Option<Trace>,
    message: Option<String>,
}

/// A streamed answer. Complete once `messageStop` came; usage follows in `metadata`.
#[derive(Default)]
struct ConverseStream {
    said: Said,
    /// Which block of the content is the call.
    call: Option<u64>,
    events: usize,
    first_output: Option<usize>,
    first_visible: Option<usize>,
    failure: Option<Failure>,
}

impl ConverseStream {
    fn visible(&mut self, index: usize) {
        self.first_output.get_or_insert(index);
        self.first_visible.get_or_insert(index);
    }

    fn take(&mut self, name: &str, event: Event, index: usize) {
        let block = event.content_block_index.unwrap_or(0);
        match name {
            "contentBlockStart" => {
                if let Some(call) = event.start.and_then(|start| start.tool_use)
                    && *self.call.get_or_insert(block) == block
                {
                    self.said.called = true;
                    if call.name.is_some_and(|name| !name.is_empty()) {
                        self.visible(index);
                    }
                }
            }
            "contentBlockDelta" => {
                if let Some(delta) = event.delta {
                    self.add(delta, block, index);
                }
            }
            "messageStop" => self.said.stop = event.stop_reason.or_else(|| Some(String::new())),
            "metadata" => {
                self.said.usage = event.usage.or(self.said.usage.take());
                self.said.model = event.trace.and_then(Trace::model).or(self.said.model.take());
            }
            event_stream::BROKEN => self.failure = Some(malformed(&event.message.unwrap_or_default())),
            error if error == event_stream::ERROR || error.ends_with("Exception") => {
                self.failure = Some(stream_failure(error, event.message.unwrap_or_default()));
            }
            _ => {}
        }
    }

    fn add(&mut self, delta: Block, block: u64, index: usize) {
        if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
            self.said.text.push_str(&text);
            self.visible(index);
        }
        if let Some(text) = delta.reasoning_content.and_then(|content| content.text).filter(|text| !text.is_empty()) {
            self.said.reasoning.push_str(&text);
            self.first_output.get_or_insert(index);
        }
        let input = delta.tool_use.and_then(|call| call.input);
        if let Some(piece) = input.as_ref().and_then(Value::as_str).filter(|piece| !piece.is_empty())
            && *self.call.get_or_insert(block) == block
        {
            self.said.called = true;
            self.said.arguments.push_str(piece);
            self.visible(index);
        }
    }
}

/// An event with its name, where the name is one that is read.
fn named_event(data: &str) -> serde_json::Result<Option<(String, Event)>> {
    let named: BTreeMap<String, &RawValue> = serde_json::from_str(data)?;
    let Some((name, payload)) = named.into_iter().next() else { return Ok(None) };
    let read = matches!(name.as_str(), "contentBlockStart" | "contentBlockDelta" | "messageStop" | "metadata");
    if read || name.starts_with(':') || name.ends_with("Exception") {
        return Ok(Some((name, serde_json::from_str(payload.get())?)));
    }
    Ok(None)
}

/// What an exception inside a stream means; its HTTP status was 200.
fn stream_failure(name: &str, message: String) -> Failure {
    let alike = status_alike(name, 500, &message);
    let failure = classify::classify(alike, &HeaderMap::new(), b"{}");
    let message = text::one_line(&format!("{message} ({})", name.trim_start_matches(':')), 300);
    // A pause is not asked for; that it is the rate is known.
    let retry =
        if failure.kind == FailureKind::RateLimited { Retry::RateLimited { after: None } } else { failure.retry };
    Failure { status: None, message, retry, ..failure }
}

impl StreamDecoder for ConverseStream {
    fn event(&mut self, data: &str) {
        let index = self.events;
        self.events += 1;
        if self.failure.is_some() {
            return;
        }
        match named_event(data) {
            Ok(Some((name, event))) => self.take(&name, event, index),
            Ok(None) => {}
            Err(error) => {
                self.failure = Some(malformed(&format!("event {index} of the stream is not of Converse: {error}")));
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.said.stop.is_some()
    }

    fn first_output_event(&self) -> Option<usize> {
        self.first_output
    }

    fn first_visible_event(&self) -> Option<usize> {
        self.first_visible
    }

    fn finish(self: Box<Self>) -> Reading {
        let complete = self.is_complete();
        let outcome = match self.failure {
            Some(failure) => Outcome::Failed(failure),
            None if complete => self.said.outcome(),
            None => Outcome::Failed(super::cut("the stream ended without messageStop")),
        };
        Reading { outcome, first_output_event: self.first_output, first_visible_event: self.first_visible }
    }
}
