//! Protocols, purely: request to HTTP bytes, HTTP bytes to outcome. Nothing here awaits.
//!
//! One door sends and one door receives (`run/http.rs`); a wire only converts, so that every
//! provider's contract is tested without a network and a stored answer can be read again for free.

pub mod anthropic;
pub mod batch;
pub mod bedrock;
pub mod classify;
pub mod conversation;
pub mod embeddings;
pub mod event_stream;
pub mod fit;
pub mod gemini;
pub mod imported;
pub mod mould;
mod multipart;
pub mod openai_chat;
pub mod openai_responses;
pub mod sse;
pub mod tuning;

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;

use crate::digest::Digest;
use crate::exchange::{Completion, Failure, FailureKind, Outcome, Request, Retry};
use crate::provider::{Target, WireKind};
use crate::trial::Received;

/// An HTTP request without address and key.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpRequest {
    /// Where it goes, and what goes with it.
    pub route: Route,
    /// The JSON body.
    pub body: Bytes,
    /// Digest of what is asked: the body without stream flags and the endpoint's extra fields.
    pub digest: Digest,
}

/// A request as a wire makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// Where it goes, and what goes with it.
    pub route: Route,
    /// The JSON body.
    pub body: Vec<u8>,
    /// What is asked, in the form that its digest is of.
    pub asked: Vec<u8>,
}

/// Where a request goes below the provider's base address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The path, with its query.
    pub path: Cow<'static, str>,
    /// Headers that the wire asks for beside the endpoint's own.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
}

impl Route {
    /// A path without further headers.
    pub const fn fixed(path: &'static str) -> Self {
        Self { path: Cow::Borrowed(path), headers: Vec::new() }
    }
}

/// How a streamed body is cut into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// AWS's binary messages.
    EventStream,
}

impl Framing {
    /// A decoder for one body.
    pub fn decoder(self) -> Box<dyn Frames> {
        match self {
            Self::Sse => Box::new(sse::SseDecoder::default()),
            Self::EventStream => Box::new(event_stream::EventStreamDecoder::default()),
        }
    }
}

/// Cuts a body into events, pushed in as it comes; the same events at any split of the bytes.
pub trait Frames: Send {
    /// Takes the next bytes and hands over the data of each event that they complete.
    fn feed(&mut self, bytes: &[u8], event: &mut dyn FnMut(&str));
}

/// The form of a body whose digest the response cache and a recording know a request by (DESIGN.md 13.4):
/// the compact JSON of the body without its stream flags, its top-level keys sorted. Nested keys stay
/// in the order in which they are sent, since a schema's key order changes what a model writes.
pub fn canonical(body: &serde_json::Map<String, serde_json::Value>) -> Vec<u8> {
    let mut fields: Vec<_> =
        body.iter().filter(|(key, _)| !matches!(key.as_str(), "stream" | "stream_options")).collect();
    fields.sort_unstable_by_key(|(key, _)| *key);
    let mut canonical = Vec::with_capacity(1024);
    for (index, (key, value)) in fields.into_iter().enumerate() {
        canonical.push(if index == 0 { b'{' } else { b',' });
        // Writing to a vector cannot fail.
        let _ = serde_json::to_writer(&mut canonical, key);
        canonical.push(b':');
        let _ = serde_json::to_writer(&mut canonical, value);
    }
    canonical.extend_from_slice(if canonical.is_empty() { b"{}" } else { b"}" });
    canonical
}

pub use crate::exchange::Reading;

/// What a stream has said so far.
pub trait StreamDecoder: Send {
    /// Takes the data of one event.
    fn event(&mut self, data: &str);

    /// Whether the wire's end signal has come.
    fn is_complete(&self) -> bool;

    /// Index of the first event with output of any kind, reasoning among it, once it has come.
    fn first_output_event(&self) -> Option<usize>;

    /// Index of the first event with visible output, once it has come.
    fn first_visible_event(&self) -> Option<usize>;

    /// What the stream said; a stream without its end signal is a failure.
    fn finish(self: Box<Self>) -> Reading;
}

/// A protocol. Pure: the same bytes always give the same outcome.
pub trait Wire: Send + Sync {
    /// The request as the endpoint wants it. What a message says goes into a JSON text as it is, and
    /// decides nothing unless it is empty: [`mould`] leans on that.
    fn encode_body(&self, request: &Request, target: &Target) -> Encoded;

    /// The request as HTTP.
    fn encode(&self, request: &Request, target: &Target) -> HttpRequest {
        let Encoded { route, body, asked } = self.encode_body(request, target);
        HttpRequest { route, body: body.into(), digest: Digest::of(&asked) }
    }

    /// What a body asks, in the form that its digest is of. A path that names the model or the way of
    /// answering is part of it, where the body does not.
    fn asked(&self, path: &str, body: &serde_json::Map<String, serde_json::Value>) -> Vec<u8> {
        let _ = path;
        canonical(body)
    }

    /// The digest of what a received request asks: the one that `encode` gave when it was sent.
    fn digest(&self, path: &str, body: &serde_json::Map<String, serde_json::Value>) -> Digest {
        Digest::of(&self.asked(path, body))
    }

    /// Whether a request asks for a stream: one that does not is silent until its whole answer is there.
    fn asks_for_stream(&self, path: &str, body: &[u8]) -> bool {
        const ASKS: &[u8] = b"\"stream\":true";
        path.ends_with("-stream")
            || path.contains(":streamGenerateContent")
            || body.windows(ASKS.len()).any(|window| window == ASKS)
    }

    /// A whole, successful (2xx) answer that was not streamed.
    fn decode(&self, body: &[u8]) -> Outcome;

    /// A decoder for one streamed answer.
    fn stream(&self) -> Box<dyn StreamDecoder>;

    /// How a streamed body is cut into events.
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    /// What an answer with an error status means.
    fn classify(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
        classify::classify(status, headers, body)
    }

    /// What of JSON Schema the endpoint's structured output takes.
    fn schema_profile(&self, target: &Target) -> fit::Profile;
}

/// The wire that a provider's `kind` names.
pub fn wire(kind: WireKind) -> &'static dyn Wire {
    match kind {
        WireKind::OpenaiChat => &openai_chat::OpenaiChat,
        WireKind::OpenaiResponses => &openai_responses::OpenaiResponses,
        WireKind::Anthropic => &anthropic::Anthropic,
        WireKind::Gemini => &gemini::Gemini,
        WireKind::Bedrock => &bedrock::Bedrock,
    }
}

/// Reads what was received: an answer of any status, streamed or not, or a broken exchange.
pub fn read(kind: WireKind, received: &Received) -> Reading {
    let mut reading = as_sent(kind, received);
    if let Outcome::Answered(said) | Outcome::Refused(said) | Outcome::Truncated(said) = &mut reading.outcome {
        said.usage = said.usage.plausible();
    }
    reading
}

fn as_sent(kind: WireKind, received: &Received) -> Reading {
    match received {
        Received::Broken { failure, .. } => failed(failure.clone()),
        Received::Answer { status, body, .. } if !(200..300).contains(status) => {
            error_reading(wire(kind).classify(*status, &HeaderMap::new(), body), body)
        }
        Received::Answer { body, streamed: true, .. } => {
            let mut decoder = wire(kind).stream();
            let mut events = wire(kind).framing().decoder();
            events.feed(body, &mut |data| decoder.event(data));
            decoder.finish()
        }
        Received::Answer { body, streamed: false, .. } => {
            Reading { outcome: wire(kind).decode(body), first_output_event: None, first_visible_event: None }
        }
    }
}

/// A content filter that answers with an error status is a refusal, not a failure.
fn error_reading(failure: Failure, body: &[u8]) -> Reading {
    let refused = matches!(failure.kind, FailureKind::BadRequest | FailureKind::Unauthorised);
    if refused && classify::is_content_filter(body) {
        return Reading {
            outcome: Outcome::Refused(Completion {
                text: String::new(),
                reasoning: String::new(),
                from_tool: false,
                stop: crate::exchange::Stop::Refusal,
                usage: crate::exchange::Usage::default(),
                served_model: None,
            }),
            first_output_event: None,
            first_visible_event: None,
        };
    }
    failed(failure)
}

/// A reading of nothing but a failure.
pub(crate) fn failed(failure: Failure) -> Reading {
    Reading { outcome: Outcome::Failed(failure), first_output_event: None, first_visible_event: None }
}

/// An answer that breaks the wire's contract.
pub(crate) fn malformed(message: &str) -> Failure {
    Failure {
        kind: FailureKind::Malformed,
        status: None,
        message: crate::text::one_line(message, 300),
        retry: Retry::Transient,
    }
}

/// A stream that ended before its end signal.
pub(crate) fn cut(message: &str) -> Failure {
    Failure { kind: FailureKind::Cut, status: None, message: message.to_owned(), retry: Retry::Transient }
}

/// Puts fields over a body's; objects that both have are merged, so that one nested field can be set.
pub(crate) fn merge(
    body: &mut serde_json::Map<String, serde_json::Value>,
    over: &serde_json::Map<String, serde_json::Value>,
) {
    for (key, value) in over {
        match (body.get_mut(key), value) {
            (Some(serde_json::Value::Object(inner)), serde_json::Value::Object(value)) => merge(inner, value),
            _ => {
                body.insert(key.clone(), value.clone());
            }
        }
    }
}

/// A name as one part of a path or query: all but unreserved characters encoded (RFC 3986).
pub(crate) fn percent_encoded(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Sets a field of an object of a body, which is made if it is not there.
pub(crate) fn set_in(
    body: &mut serde_json::Map<String, serde_json::Value>,
    object: &str,
    field: &str,
    value: serde_json::Value,
) {
    if let serde_json::Value::Object(fields) = body.entry(object).or_insert_with(|| serde_json::json!({})) {
        fields.insert(field.to_owned(), value);
    }
}

#[cfg(test)]
mod hostile;
