//! One trial: variant x example x repeat, and what is stored of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::exchange::{CacheLifetime, FailureKind, Reading};
use crate::suite::Example;

/// What a request is made for; part of the response cache's key (DESIGN.md 13.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The answer is scored.
    Score,
    /// The time is measured.
    Latency,
    /// The answer is scored and comes through a batch API, so that its time says nothing.
    Batch,
    /// The answer is scored to confirm a regression: never one that was there before.
    Confirm,
}

/// How a request reached its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// As a request of its own.
    #[default]
    Direct,
    /// As a line of a batch: billed at batch prices, and without a latency.
    Batch,
}

impl Delivery {
    /// The kebab-case name, as in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Batch => "batch",
        }
    }
}

/// Whether the provider's prompt cache was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheMode {
    /// Not asked for.
    Off,
    /// Asked for.
    Warm,
    /// The same, and the prefix lies at the service for so long: the request as it is kept does not
    /// say so, and what the answer cost differs.
    Stored(CacheLifetime),
}

/// One trial to run.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Index of the variant among those of the run.
    pub variant: usize,
    /// The example.
    pub example: Arc<Example>,
    /// Which repeat of the example, from 0.
    pub repeat: u32,
}

/// One HTTP exchange inside a trial that did not end it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// What it failed with.
    pub kind: FailureKind,
    /// The HTTP status, if one came.
    pub status: Option<u16>,
    /// What was said.
    pub message: String,
    /// How long the attempt took, in milliseconds.
    pub took_ms: f64,
    /// How long was waited before the next attempt, in milliseconds.
    pub waited_ms: f64,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// A live endpoint.
    Live,
    /// A recording.
    Recorded,
    /// Another tool's results: what it says of the answer stands in the body, in the form of
    /// [`crate::wire::imported`].
    Imported,
}

impl Provenance {
    /// The word, as in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Recorded => "recorded",
            Self::Imported => "imported",
        }
    }
}

/// When things happened in the attempt that ended the trial; milliseconds since it was sent.
///
/// For a recorded answer these are the recorded times, never those of the loopback server.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Timing {
    /// When each data event of a stream arrived; empty for an answer that was not streamed.
    pub event_ms: Vec<f64>,
    /// When the answer was whole.
    pub total_ms: f64,
}

/// How an exchange ended on the wire, before anything is made of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// An answer came, with this status.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body as received: a JSON document or a server-sent event stream.
        body: Vec<u8>,
        /// Whether the body is an event stream.
        streamed: bool,
    },
    /// No whole answer came.
    Broken {
        /// What happened.
        failure: crate::exchange::Failure,
        /// What had come until then.
        body: Vec<u8>,
    },
}

impl Received {
    /// What came of the response's body.
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Answer { body, .. } | Self::Broken { body, .. } => body,
        }
    }
}

/// Everything measured about one answered request; the store's unit. Nothing derived is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// The response cache's key: request, endpoint, repeat, cache mode, purpose.
    pub key: Digest,
    /// Digest of the request body without its stream flags.
    pub request_digest: Digest,
    /// The endpoint, as `provider/model`.
    pub endpoint: String,
    /// The body as sent; a stored prefix that it leans on is written out.
    pub request_body: Vec<u8>,
    /// What came back.
    pub received: Received,
    /// When things happened.
    pub timing: Timing,
    /// Attempts that failed before.
    pub attempts: Vec<Attempt>,
    /// When the answering attempt was sent, milliseconds since 1970-01-01 UTC.
    pub sent_at_unix_ms: i64,
    /// Requests of this run under way when it was sent, itself included.
    pub in_flight: u32,
    /// Where the answer comes from.
    pub provenance: Provenance,
    /// How the request reached its endpoint. The times of a batch's answers are not set.
    pub delivery: Delivery,
}

impl Exchange {
    /// Empties both bodies, for whoever has read them and goes on with the rest.
    pub fn let_bodies_go(&mut self) {
        self.request_body = Vec::new();
        match &mut self.received {
            Received::Answer { body, .. } | Received::Broken { body, .. } => *body = Vec::new(),
        }
    }
}

/// A trial that is over: what it was and what is stored of it.
#[derive(Debug, Clone)]
pub struct TrialRecord {
    /// The trial.
    pub trial: Trial,
    /// Its exchange.
    pub exchange: Arc<Exchange>,
    /// Whether the answer came from the store rather than from a request of this run.
    pub reused: bool,
    /// What its answer says, where it was just read; it is not stored.
    pub reading: Option<Arc<Reading>>,
}
