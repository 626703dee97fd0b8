//! Who answers: providers, their models, prices and limits.

pub mod litellm;
pub mod load;
mod misplaced;
pub mod price;
mod raw;
pub mod render;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::units::UsdPerMillionTokens;

/// Provider plus model, written `provider/model`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId {
    /// The provider file's name without `.toml`.
    pub provider: String,
    /// The model's name in that file.
    pub model: String,
}

impl EndpointId {
    /// Splits `provider/model`; the model may contain further slashes.
    pub fn parse(text: &str) -> Option<Self> {
        let (provider, model) = text.split_once('/')?;
        (!provider.is_empty() && !model.is_empty())
            .then(|| Self { provider: provider.to_owned(), model: model.to_owned() })
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

impl Serialize for EndpointId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The protocol that a provider's `kind` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireKind {
    /// OpenAI Chat Completions and its dialects.
    OpenaiChat,
    /// OpenAI Responses.
    OpenaiResponses,
    /// Anthropic Messages.
    Anthropic,
    /// Google Gemini generateContent, on AI Studio and on Vertex.
    Gemini,
    /// AWS Bedrock Converse.
    Bedrock,
}

/// How a host speaks its wire, where hosts differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Nothing is known of the host: the plain wire, a schema as it is.
    #[default]
    Plain,
    /// The wire's own vendor.
    Openai,
    /// Azure OpenAI, with its deployments and `api-version`.
    Azure,
    /// Groq.
    Groq,
    /// Hugging Face Inference Providers.
    Huggingface,
    /// llama.cpp's server.
    LlamaCpp,
    /// Mistral.
    Mistral,
    /// Ollama.
    Ollama,
    /// OpenRouter.
    Openrouter,
    /// Together.
    Together,
    /// vLLM, wherever it runs.
    Vllm,
    /// Gemini on Vertex, with its project paths.
    Vertex,
}

/// What a wire must know of an endpoint to speak with it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Target {
    /// The model's name as the server knows it.
    pub served_as: String,
    /// How the host speaks its wire.
    pub dialect: Dialect,
    /// A version that the address wants (`api-version` of Azure).
    pub api_version: Option<String>,
    /// The `anthropic-version` header, where the provider file sets one.
    pub anthropic_version: Option<String>,
    /// Fields merged into every request body, last.
    pub extra_body: serde_json::Map<String, Value>,
    /// What the model takes.
    pub facts: ModelFacts,
}

/// What is known of a model's knobs and limits; `None` is unknown, and then nothing is refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelFacts {
    /// Whether it takes `temperature`, `top_p` and the like.
    pub sampling: Option<bool>,
    /// Whether a tool call can be forced.
    pub forced_tool: Option<bool>,
    /// Whether it reasons before it answers.
    pub reasoning: Option<bool>,
    /// Reasoning efforts that it takes besides low, medium and high.
    pub extra_efforts: Option<Vec<String>>,
    /// The shortest prefix, in tokens, that the provider's cache keeps.
    pub cache_min_tokens: Option<u64>,
    /// Most tokens of prompt and answer together.
    pub context_tokens: Option<u64>,
    /// Most tokens of an answer.
    pub max_output_tokens: Option<u64>,
}

/// How a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthScheme {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `x-api-key: KEY`.
    XApiKey,
    /// `api-key: KEY`.
    ApiKey,
    /// `x-goog-api-key: KEY`.
    XGoogApiKey,
    /// AWS Signature Version 4, from the AWS environment variables (feature `sigv4`).
    Sigv4,
    /// No key.
    None,
}

/// Where a key is found; never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// This environment variable.
    Environment(String),
    /// This file.
    File(std::path::PathBuf),
    /// The environment variables of AWS's own tools, with which requests are signed.
    Aws,
    /// No key is needed.
    None,
}

/// What [`KeySource::Aws`] needs; keys that expire have `AWS_SESSION_TOKEN` beside these.
pub const AWS_VARIABLES: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// Prices in USD per million tokens; `None` is unknown, never zero. Fields as in prices.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// Uncached prompt tokens.
    pub input: Option<UsdPerMillionTokens>,
    /// Prompt tokens read from the cache.
    pub cache_read: Option<UsdPerMillionTokens>,
    /// Prompt tokens written to the cache (one lifetime, or the shorter one).
    pub cache_write_5m: Option<UsdPerMillionTokens>,
    /// Prompt tokens written to the cache for an hour.
    pub cache_write_1h: Option<UsdPerMillionTokens>,
    /// Generated tokens, reasoning included.
    pub output: Option<UsdPerMillionTokens>,
    /// The same through the provider's batch API.
    pub batch: BatchPrice,
    /// Trained tokens (tokens of the file times epochs).
    pub training: Option<UsdPerMillionTokens>,
    /// Rates for the whole request once its prompt is long.
    pub long_prompt: Option<LongPromptPrice>,
}

/// Batch prices in USD per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchPrice {
    /// Uncached prompt tokens.
    pub input: Option<UsdPerMillionTokens>,
    /// Prompt tokens read from the cache.
    pub cache_read: Option<UsdPerMillionTokens>,
    /// Generated tokens.
    pub output: Option<UsdPerMillionTokens>,
}

/// Prices of a request whose prompt, its cached part included, passes a length; USD per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongPromptPrice {
    /// Prompt tokens beyond which the whole request is billed so.
    pub above_tokens: u64,
    /// Uncached prompt tokens.
    pub input: Option<UsdPerMillionTokens>,
    /// Prompt tokens read from the cache.
    pub cache_read: Option<UsdPerMillionTokens>,
    /// Prompt tokens written to the cache (one lifetime, or the shorter one).
    pub cache_write_5m: Option<UsdPerMillionTokens>,
    /// Prompt tokens written to the cache for an hour.
    pub cache_write_1h: Option<UsdPerMillionTokens>,
    /// Generated tokens.
    pub output: Option<UsdPerMillionTokens>,
}

/// What a self-hosted model's hardware costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GpuCost {
    /// USD an hour for one replica.
    pub usd_per_hour: f64,
    /// How many replicas run.
    pub replicas: u32,
    /// The share of the measured capacity that is used, 0 to 1.
    pub utilisation: f64,
}

/// A model of a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The name that the server knows.
    pub served_as: String,
    /// Another address for this model alone.
    pub base_url: Option<String>,
    /// Fields merged into every request body.
    pub extra_body: serde_json::Map<String, Value>,
    /// Most requests at once for this model.
    pub concurrency: Option<u32>,
    /// Token prices.
    pub price: Option<Price>,
    /// Hardware cost, for self-hosted models.
    pub gpu: Option<GpuCost>,
    /// The day (YYYY-MM-DD) on which it stops answering, if known.
    pub retires: Option<String>,
    /// What it takes.
    pub facts: ModelFacts,
}

/// How much a provider may be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Most requests at once.
    pub concurrency: u32,
    /// Most requests started in a minute.
    pub requests_per_minute: Option<u32>,
    /// Most tokens in a minute, estimated before sending.
    pub tokens_per_minute: Option<u32>,
    /// How long a request may take.
    pub timeouts: Timeouts,
}

impl Default for Limits {
    fn default() -> Self {
        let timeouts = Timeouts::default();
        Self { concurrency: 16, requests_per_minute: None, tokens_per_minute: None, timeouts }
    }
}

/// How long a request and its parts may take, in seconds. Each that passes is a failure kind of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timeouts {
    /// Until there is a connection.
    pub connect_s: f64,
    /// From sending until a stream's first output, reasoning among it; only the whole limits it unless set.
    pub first_token_s: Option<f64>,
    /// Without a byte, once a stream's first output has come.
    pub between_chunks_s: f64,
    /// Of the whole request.
    pub total_s: f64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_s: 10.0, first_token_s: None, between_chunks_s: 30.0, total_s: 60.0 }
    }
}

/// How a provider is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum Service {
    /// Over HTTP at a base address.
    Http {
        /// The address in front of the wire's paths.
        base_url: String,
        /// How the key is sent.
        auth: AuthScheme,
        /// Where the key is found.
        key: KeySource,
        /// Further headers.
        headers: BTreeMap<String, String>,
    },
    /// From a suite's recording, through a server inside the process.
    Replay,
    /// Not at all: another tool asked it, and its results were imported.
    Imported,
}

/// A provider: one file under `providers/`.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Its name.
    pub id: String,
    /// The protocol it speaks.
    pub wire: WireKind,
    /// How it is reached.
    pub service: Service,
    /// Whether the user runs it.
    pub self_hosted: bool,
    /// How much it may be asked.
    pub limits: Limits,
    /// Its models by name.
    pub models: BTreeMap<String, Model>,
    /// The host's dialect of the wire.
    pub dialect: Dialect,
    /// A version that the address wants.
    pub api_version: Option<String>,
    /// The `anthropic-version` header, if the file sets one.
    pub anthropic_version: Option<String>,
    /// The day (YYYY-MM-DD) from which the prices are, if stated.
    pub as_of: Option<String>,
}

impl Provider {
    /// Whether requests go to a server outside this process.
    pub fn is_remote(&self) -> bool {
        matches!(self.service, Service::Http { .. })
    }

    /// What the wire must know to speak with one of this provider's models.
    pub fn target(&self, model: &Model) -> Target {
        Target {
            served_as: model.served_as.clone(),
            dialect: self.dialect,
            api_version: self.api_version.clone(),
            anthropic_version: self.anthropic_version.clone(),
            extra_body: model.extra_body.clone(),
            facts: model.facts.clone(),
        }
    }
}
