//! Batch APIs, purely: many requests to what is sent, what comes back to one answer a request.
//!
//! A vendor's batch speaks of the same requests and answers as its wire, wrapped in lines with an
//! id of ours. Nothing here awaits: each step is a call to make, and what its answer means.
//! Results come in any order and are joined by that id.
//!
//! Source: PROVIDERS.md 7; the resources `batches` and `files` of the Python packages
//! openai 3.57.0, anthropic 2.13.0 and google-genai 3.6.1.

mod anthropic;
mod gemini;
mod openai;

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use super::Route;
use crate::exchange::Failure;
use crate::provider::{Dialect, WireKind};
use crate::text;

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Changes.
    Post,
    /// DELETE.
    Delete,
}

/// One call to a batch API, without address and key.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchCall {
    /// How.
    pub method: Method,
    /// Where below the endpoint's base address, and what goes with it.
    pub route: Route,
    /// The body's type; `application/json` unless it says otherwise.
    pub content_type: Cow<'static, str>,
    /// The body.
    pub body: Bytes,
}

impl BatchCall {
    pub(in crate::wire) fn get(path: String, like: &Route) -> Self {
        Self { method: Method::Get, body: Bytes::new(), ..Self::post(path, like, Bytes::new()) }
    }

    /// A JSON body. Headers are those that the wire sends with a request.
    pub(in crate::wire) fn delete(path: String, like: &Route) -> Self {
        Self { method: Method::Delete, ..Self::get(path, like) }
    }

    pub(in crate::wire) fn post(path: String, like: &Route, body: impl Into<Bytes>) -> Self {
        Self {
            method: Method::Post,
            route: Route { path: Cow::Owned(path), headers: like.headers.clone() },
            content_type: Cow::Borrowed("application/json"),
            body: body.into(),
        }
    }
}

/// What one batch may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Most requests.
    pub lines: usize,
    /// Most bytes of all requests with what they are wrapped in.
    pub bytes: usize,
}

/// A batch to be sent.
#[derive(Debug, Clone, Copy)]
pub struct BatchDraft<'a> {
    /// Our own mark of it, where the vendor keeps one: of letters, digits and hyphens.
    pub tag: &'a str,
    /// Where its requests would go one by one.
    pub route: &'a Route,
    /// One line a request, as [`BatchWire::line`] makes them.
    pub lines: &'a [Vec<u8>],
}

/// What an answer to a submission means.
#[derive(Debug, Clone, PartialEq)]
pub enum Submission {
    /// Another call is needed.
    Next(BatchCall),
    /// The vendor has the batch, and this is its name.
    Named(String),
}

/// How far a batch is.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// The vendor works on it.
    Working,
    /// No more will come: what it answered can be read. Lines without an answer expired, or were
    /// cancelled.
    Ended {
        /// Whether lines without an answer were cancelled, so that nobody wants them any more.
        cancelled: bool,
    },
    /// None of it was done.
    Refused(Failure),
}

/// What a vendor says of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchState {
    /// How far it is.
    pub phase: Phase,
    /// The vendor's own word for that.
    pub word: String,
    /// Requests that are over, where it says so.
    pub over: Option<u64>,
    /// What to read for the results, once it has ended; `None` where they came with the state.
    pub sources: Option<Vec<BatchCall>>,
}

/// What became of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineEnd {
    /// The wire's own answer.
    Answer {
        /// The HTTP status that it would have had.
        status: u16,
        /// The body, as of an answer that was not streamed.
        body: Vec<u8>,
    },
    /// The batch's time ended before its turn came.
    Expired,
    /// The batch was cancelled before its turn came.
    Cancelled,
}

/// One result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultLine {
    /// Our id.
    pub id: String,
    /// What became of it.
    pub end: LineEnd,
}

/// What a document of results holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Results {
    /// Its lines, in the vendor's order.
    pub lines: Vec<ResultLine>,
    /// Lines that are not what the API's contract says.
    pub malformed: u64,
}

/// A batch that the vendor lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub remote: String,
    /// Our mark, where the vendor keeps one.
    pub tag: Option<String>,
    /// Its requests, where the list says so.
    pub lines: Option<u64>,
    /// When it was made, milliseconds since 1970-01-01 UTC, where the list says so.
    pub created_ms: Option<i64>,
}

/// A vendor's batch API. Pure: the same bytes always mean the same.
pub trait BatchWire: Send + Sync + std::fmt::Debug {
    /// What one batch may hold.
    fn limits(&self) -> BatchLimits;

    /// One request in its wrapping.
    fn line(&self, id: &str, route: &Route, body: &[u8]) -> Vec<u8>;

    /// The first call of a submission.
    fn submit(&self, draft: &BatchDraft<'_>) -> BatchCall;

    /// What the answer to a submission's call means; calls are counted from 0.
    ///
    /// # Errors
    /// An answer that breaks the API's contract.
    fn submitted(&self, draft: &BatchDraft<'_>, call: usize, answer: &[u8]) -> Result<Submission, Failure>;

    /// The call that asks how far a batch is.
    fn poll(&self, route: &Route, remote: &str) -> BatchCall;

    /// What the answer to that says.
    ///
    /// # Errors
    /// An answer that breaks the API's contract.
    fn state(&self, route: &Route, answer: &[u8]) -> Result<BatchState, Failure>;

    /// The results in one of a state's sources, or in the state's own document.
    fn results(&self, document: &[u8]) -> Results;

    /// The call that lists the newest batches.
    fn list(&self, route: &Route) -> BatchCall;

    /// What the answer to that says; what cannot be read is left out.
    fn listed(&self, answer: &[u8]) -> Vec<Listed>;

    /// Deletes what a batch leaves in the account, given its last state; nothing where that goes
    /// with the batch.
    fn leftovers(&self, _route: &Route, _state: &[u8]) -> Vec<BatchCall> {
        Vec::new()
    }
}

/// The batch API of a wire as a host speaks it; `None` where there is none that we know.
pub fn batch_wire(kind: WireKind, dialect: Dialect) -> Option<&'static dyn BatchWire> {
    match (kind, dialect) {
        (WireKind::OpenaiChat | WireKind::OpenaiResponses, Dialect::Openai) => Some(&openai::OpenaiBatch),
        (WireKind::Anthropic, _) => Some(&anthropic::AnthropicBatch),
        // Vertex has batch prediction jobs, which read from and write to its storage.
        (WireKind::Gemini, Dialect::Vertex) => None,
        (WireKind::Gemini, _) => Some(&gemini::GeminiBatch),
        _ => None,
    }
}

/// How a submission's batch is recognised in a vendor's list: by its tag where the vendor keeps
/// one, else as the only unknown one of the same size that was made within `around_ms` of it.
pub fn recognise(
    listed: &[Listed],
    (tag, lines, submitted_ms): (&str, usize, i64),
    around_ms: i64,
    is_known: &dyn Fn(&str) -> bool,
) -> Option<String> {
    let unknown = || listed.iter().filter(|batch| !is_known(&batch.remote));
    if let Some(found) = unknown().find(|batch| batch.tag.as_deref() == Some(tag)) {
        return Some(found.remote.clone());
    }
    let near = |batch: &&Listed| {
        batch.tag.is_none()
            && batch.lines == Some(lines as u64)
            && batch.created_ms.is_some_and(|made| made.abs_diff(submitted_ms) <= around_ms.unsigned_abs())
    };
    let mut found = unknown().filter(near);
    // Two that look alike cannot be told apart: then neither is taken.
    found.next().filter(|_| found.next().is_none()).map(|batch| batch.remote.clone())
}

/// Reads one JSON object a line; what is none is counted. Empty lines are nothing.
fn each_line(document: &[u8], mut read: impl FnMut(&Value) -> Option<ResultLine>) -> Results {
    let mut results = Results::default();
    let lines = document.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    for line in lines {
        match serde_json::from_slice(line).ok().as_ref().and_then(&mut read) {
            Some(line) => results.lines.push(line),
            None => results.malformed += 1,
        }
    }
    results
}

/// The document of an answer, for errors that name what it should have been.
pub(in crate::wire) fn document(answer: &[u8], what: &str) -> Result<Value, Failure> {
    serde_json::from_slice(answer).map_err(|error| super::malformed(&format!("the answer is not {what}: {error}")))
}

/// A vendor's name for something, where it can stand in a path as it is: a hostile one cannot
/// lead elsewhere.
pub(in crate::wire) fn name(value: Option<&Value>, what: &str) -> Result<String, Failure> {
    let name = value.and_then(Value::as_str).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_plain = !name.is_empty() && name.len() <= 256 && name.chars().all(plain) && !name.starts_with('.');
    if is_plain {
        return Ok(name.to_owned());
    }
    Err(super::malformed(&format!("the answer has no usable name of {what}: `{}`", text::one_line(name, 80))))
}

/// A count that may be a number or, as Google writes 64-bit ones, a text.
pub(in crate::wire) fn count(value: Option<&Value>) -> Option<u64> {
    value.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_recognised_by_its_tag_or_as_the_only_likely_one() {
        let batch = |remote: &str, tag: Option<&str>, lines, created_ms| Listed {
            remote: remote.into(),
            tag: tag.map(str::to_owned),
            lines: Some(lines),
            created_ms: Some(created_ms),
        };
        let known = |remote: &str| remote == "known";
        let find = |listed: &[Listed]| recognise(listed, ("t", 3, 1000), 50, &known);
        assert_eq!(find(&[batch("a", Some("u"), 3, 1000), batch("b", Some("t"), 9, 0)]).as_deref(), Some("b"));
        assert_eq!(find(&[batch("a", Some("u"), 3, 1000)]), None, "another's");
        assert_eq!(find(&[batch("known", None, 3, 1000), batch("b", None, 3, 1049)]).as_deref(), Some("b"));
        assert_eq!(find(&[batch("a", None, 3, 1051), batch("b", None, 4, 1000)]), None);
        assert_eq!(find(&[batch("a", None, 3, 1001), batch("b", None, 3, 1002)]), None, "which of them?");
    }

    #[test]
    fn a_name_cannot_lead_elsewhere() {
        for bad in ["", "a/b", "..", "a?b", "a#b", "a b", "ä"] {
            assert!(name(Some(&bad.into()), "a batch").is_err(), "{bad}");
        }
        assert_eq!(name(Some(&"batch_1-x.y".into()), "a batch").unwrap(), "batch_1-x.y");
        assert!(name(None, "a batch").is_err());
    }

    #[test]
    fn hosts_without_a_batch_api_have_none() {
        assert!(batch_wire(WireKind::OpenaiChat, Dialect::Openai).is_some());
        assert!(batch_wire(WireKind::OpenaiChat, Dialect::Vllm).is_none());
        assert!(batch_wire(WireKind::OpenaiChat, Dialect::Azure).is_none());
        assert!(batch_wire(WireKind::Gemini, Dialect::Vertex).is_none());
        assert!(batch_wire(WireKind::Gemini, Dialect::Plain).is_some());
        assert!(batch_wire(WireKind::Anthropic, Dialect::Plain).is_some());
        assert!(batch_wire(WireKind::Bedrock, Dialect::Plain).is_none());
    }
}
