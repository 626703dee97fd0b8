//! What is sent and what comes back, in no provider's words.
//!
//! Absent, zero, unknown and failed are different things here: a usage count that the server did
//! not report is `None`, never zero, and a failure is data that is stored and counted.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that stand above the conversation.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// How the answer's shape is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputMode {
    /// Free text; the prompt alone asks for the shape.
    Text,
    /// The provider's JSON mode: some JSON object.
    JsonObject,
    /// The provider's native structured output.
    JsonSchema(NamedSchema),
    /// A forced call of one tool whose parameters are the schema.
    Tool(NamedSchema),
}

/// A schema under the name by which the provider knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedSchema {
    /// `[output] name` of the suite; "answer" unless it says otherwise.
    pub name: String,
    /// The suite's schema as the endpoint accepts it (see [`crate::wire::fit`]), key order kept.
    pub schema: Value,
}

/// How long a provider keeps a cached prompt prefix, where it has a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Hash)]
pub enum CacheLifetime {
    /// Five minutes, or the provider's only lifetime.
    #[default]
    #[serde(rename = "5m")]
    FiveMinutes,
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
}

/// How the provider's prompt cache is asked for; a provider that caches by itself ignores most of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheAsk {
    /// How long what is written stays readable, where the provider has a choice.
    pub lifetime: CacheLifetime,
    /// Whether the prefix is marked even where the provider would cache by itself.
    pub explicit: bool,
    /// Groups the requests that share a prefix, for providers that route by it.
    pub key: String,
    /// The provider's name for a prefix that was stored beforehand (Gemini's `cachedContents/ID`).
    /// It is no part of what is asked, and not in the digest.
    pub stored: Option<String>,
}

/// One request: everything that the model sees, without address or key.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The model's name as the server knows it.
    pub model: String,
    /// System first, then shots, then the example.
    pub messages: Vec<Message>,
    /// How many of the first messages are the same for every example: what a prompt cache can keep.
    pub stable_messages: usize,
    /// How the prompt cache is asked for, if it is.
    pub cache: Option<CacheAsk>,
    /// Sampling parameters exactly as the suite sets them; only these are sent.
    pub params: serde_json::Map<String, Value>,
    /// The asked shape of the answer.
    pub output: OutputMode,
    /// Whether the answer is streamed.
    pub stream: bool,
}

/// Token counts as the provider reports them; `None` is not reported. See DESIGN.md 13.14.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens that were neither read from nor written to the provider's cache.
    pub input_uncached_tokens: Option<u64>,
    /// Prompt tokens served from the provider's cache.
    pub cache_read_tokens: Option<u64>,
    /// Prompt tokens written to the provider's cache for five minutes, or for its only lifetime.
    pub cache_write_5m_tokens: Option<u64>,
    /// Prompt tokens written to the provider's cache for an hour.
    pub cache_write_1h_tokens: Option<u64>,
    /// Generated tokens, reasoning included.
    pub output_tokens: Option<u64>,
    /// Generated tokens that are reasoning.
    pub reasoning_tokens: Option<u64>,
}

/// A count above it is none: no context holds a hundredth of it, and sums of such counts cannot overflow.
pub(crate) const MOST_PLAUSIBLE_TOKENS: u64 = 1_000_000_000;

impl Usage {
    /// Without the counts that no answer can have: what is not known is not billed or averaged as if it were.
    pub(crate) fn plausible(self) -> Self {
        let count = |tokens: Option<u64>| tokens.filter(|count| *count <= MOST_PLAUSIBLE_TOKENS);
        Self {
            input_uncached_tokens: count(self.input_uncached_tokens),
            cache_read_tokens: count(self.cache_read_tokens),
            cache_write_5m_tokens: count(self.cache_write_5m_tokens),
            cache_write_1h_tokens: count(self.cache_write_1h_tokens),
            output_tokens: count(self.output_tokens),
            reasoning_tokens: count(self.reasoning_tokens),
        }
    }
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// It was done.
    End,
    /// It called the tool.
    ToolCall,
    /// It reached the token limit.
    Length,
    /// It declined, or a filter did.
    Refusal,
    /// The server gave a reason that is none of these.
    Other,
}

/// What a model said, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The visible text; for a forced tool call, the arguments as JSON text.
    pub text: String,
    /// Reasoning that the model showed, kept apart from the answer; empty where there was none.
    pub reasoning: String,
    /// Whether `text` is a tool's arguments.
    pub from_tool: bool,
    /// Why it stopped.
    pub stop: Stop,
    /// What was reported about tokens.
    pub usage: Usage,
    /// The model that the server says answered.
    pub served_model: Option<String>,
}

/// What went wrong in an exchange; decides what it counts as (DESIGN.md 13.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// 429 that time heals.
    RateLimited,
    /// The account's quota or spending limit is used up.
    QuotaExhausted,
    /// The key is missing or not accepted (401, 403).
    Unauthorised,
    /// The server knows no such model or path (404).
    NotFound,
    /// The server does not accept the request (other 4xx).
    BadRequest,
    /// The server failed (5xx, 529).
    Server,
    /// No connection could be made.
    Connect,
    /// No connection was made within its time limit.
    ConnectTimeout,
    /// The connection broke, or the stream ended without its end signal.
    Cut,
    /// The stream had started, and nothing came for the time that may lie between two chunks.
    Stalled,
    /// The time limit of the first token passed.
    FirstTokenTimeout,
    /// The own time limit of the whole request passed.
    Timeout,
    /// The answer is not what the wire's contract says.
    Malformed,
    /// The recording has no answer for this request.
    NotRecorded,
    /// The variant was stopped: this was not asked, or was refused like all before it.
    Stopped,
    /// Another tool states that it failed, and not of what.
    Unstated,
}

impl FailureKind {
    /// Whether it is a failure of the variant (score 0) rather than of the infrastructure.
    pub fn counts_as_wrong(self) -> bool {
        matches!(
            self,
            Self::Timeout | Self::FirstTokenTimeout | Self::Stalled | Self::Cut | Self::Malformed | Self::BadRequest
        )
    }

    /// Whether nothing was heard: a further request would likely wait as long.
    pub fn is_silence(self) -> bool {
        matches!(self, Self::Connect | Self::ConnectTimeout | Self::FirstTokenTimeout | Self::Timeout)
    }

    /// Whether every further request of the variant would meet the same.
    pub fn stops_variant(self) -> bool {
        matches!(self, Self::QuotaExhausted | Self::Unauthorised | Self::NotFound)
    }

    /// The kebab-case name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate-limited",
            Self::QuotaExhausted => "quota-exhausted",
            Self::Unauthorised => "unauthorised",
            Self::NotFound => "not-found",
            Self::BadRequest => "bad-request",
            Self::Server => "server",
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect-timeout",
            Self::Cut => "cut",
            Self::Stalled => "stalled",
            Self::FirstTokenTimeout => "first-token-timeout",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
            Self::NotRecorded => "not-recorded",
            Self::Stopped => "stopped",
            Self::Unstated => "unstated",
        }
    }
}

/// Whether asking again can succeed. Only `RateLimited` shrinks the concurrency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// Never.
    No,
    /// Soon.
    Transient,
    /// Once the server's limit allows it; after this long, if it said so.
    RateLimited {
        /// What `Retry-After` or its kin asked for.
        after: Option<Duration>,
    },
}

/// A failed exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What it was.
    pub kind: FailureKind,
    /// The HTTP status, if one came.
    pub status: Option<u16>,
    /// What the server or the connection said, shortened and stripped of control characters.
    pub message: String,
    /// Whether asking again can help.
    pub retry: Retry,
}

/// How a trial ended: exactly one of these.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A whole answer.
    Answered(Completion),
    /// The model or a filter declined.
    Refused(Completion),
    /// The token limit cut the answer.
    Truncated(Completion),
    /// No answer.
    Failed(Failure),
}

impl Outcome {
    /// The outcome that a completion's stop reason means.
    pub fn from_completion(completion: Completion) -> Self {
        match completion.stop {
            Stop::Length => Self::Truncated(completion),
            Stop::Refusal => Self::Refused(completion),
            Stop::End | Stop::ToolCall | Stop::Other => Self::Answered(completion),
        }
    }

    /// What was said, unless the trial failed.
    pub fn completion(&self) -> Option<&Completion> {
        match self {
            Self::Answered(completion) | Self::Refused(completion) | Self::Truncated(completion) => Some(completion),
            Self::Failed(_) => None,
        }
    }

    /// The failure, if the trial failed.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// `answered`, `refused`, `truncated` or `failed`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Answered(_) => "answered",
            Self::Refused(_) => "refused",
            Self::Truncated(_) => "truncated",
            Self::Failed(_) => "failed",
        }
    }
}

/// What a stored or received answer says.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// How the trial ended.
    pub outcome: Outcome,
    /// Index, among the stream's data events, of the first with model output of any kind.
    pub first_output_event: Option<usize>,
    /// The same without reasoning: the event whose time is the time to first token.
    pub first_visible_event: Option<usize>,
}
