//! One way of answering: a model plus interventions.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exchange::CacheLifetime;
use crate::provider::EndpointId;

/// A variant's name, unique in its suite.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VariantId(pub String);

impl VariantId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VariantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How few-shot examples are chosen from the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Select {
    /// The pool's first k.
    Fixed,
    /// k at random, the same for every example.
    Random,
    /// As equal a number from each class as k allows.
    Balanced,
    /// The k that share most with the example's words (BM25).
    Similar,
}

/// Few-shot examples of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shots {
    /// How many.
    pub k: u32,
    /// How they are chosen.
    pub select: Select,
    /// Seed of the random choices.
    pub seed: u64,
}

/// The prompt cache of a variant; `cache` in suite.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PromptCache {
    /// How long a written prefix stays readable.
    pub lifetime: CacheLifetime,
    /// Whether the prefix is marked or stored even where the provider caches by itself.
    pub explicit: bool,
}

/// From where a variant's documents come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetrieveFrom {
    /// BM25 over the documents' words.
    Bm25,
    /// Cosine similarity of vectors from this endpoint.
    Embeddings(EndpointId),
    /// The documents that the example names: the upper bound of any retrieval.
    Oracle,
}

/// Retrieval of documents into the prompt; `retrieve` in suite.toml.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retrieve {
    /// How many documents.
    pub k: u32,
    /// How they are found.
    pub from: RetrieveFrom,
}

impl Retrieve {
    /// Who makes the vectors, where it is by vectors.
    pub fn embeddings(&self) -> Option<&EndpointId> {
        match &self.from {
            RetrieveFrom::Embeddings(endpoint) => Some(endpoint),
            RetrieveFrom::Bm25 | RetrieveFrom::Oracle => None,
        }
    }

    /// Whether it is given the right documents: a bound, never something to ship.
    pub fn is_oracle(&self) -> bool {
        self.from == RetrieveFrom::Oracle
    }
}

/// How the answer's shape is asked for; `structured` in suite.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Structured {
    /// The prompt alone.
    #[default]
    Text,
    /// The provider's JSON mode.
    JsonObject,
    /// The provider's native structured output.
    JsonSchema,
    /// A forced tool call.
    Tool,
}

/// How a tuned model came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TuningMethod {
    /// Low-rank adapter.
    Lora,
    /// All weights.
    Full,
    /// Preference tuning.
    Dpo,
    /// Trained on a larger model's answers.
    Distilled,
}

/// What is known of a tuned variant's training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// The method.
    pub method: TuningMethod,
    /// How many examples it was trained on, if stated.
    pub training_examples: Option<u64>,
    /// The model that was tuned, if stated.
    pub base: Option<String>,
    /// The day (YYYY-MM-DD) on which it stops answering, if stated.
    pub retires: Option<String>,
}

/// One intervention that a variant adds to a bare prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intervention {
    /// Examples in the prompt.
    FewShot,
    /// Native structured output, JSON mode or a forced tool call.
    Schema,
    /// The provider's prompt cache.
    Cache,
    /// Retrieval of documents.
    Retrieval,
    /// A tuned model.
    Tuning,
}

/// A row of the scoreboard.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Its name.
    pub id: VariantId,
    /// Who answers.
    pub endpoint: EndpointId,
    /// Index into the suite's prompts.
    pub prompt: usize,
    /// Few-shot examples, if any.
    pub shots: Option<Shots>,
    /// How the shape is asked for.
    pub structured: Structured,
    /// The provider's prompt cache, if it is asked for.
    pub cache: Option<PromptCache>,
    /// Documents in the prompt, if any.
    pub retrieve: Option<Retrieve>,
    /// Set for a tuned model.
    pub tuned: Option<Tuning>,
    /// Request parameters, sent as they stand.
    pub params: serde_json::Map<String, Value>,
}

impl Variant {
    /// What it adds to a bare prompt, in the ladder's order.
    pub fn interventions(&self) -> Vec<Intervention> {
        let mut interventions = Vec::new();
        if self.shots.is_some_and(|shots| shots.k > 0) {
            interventions.push(Intervention::FewShot);
        }
        if self.structured != Structured::Text {
            interventions.push(Intervention::Schema);
        }
        if self.cache.is_some() {
            interventions.push(Intervention::Cache);
        }
        if self.retrieve.is_some() {
            interventions.push(Intervention::Retrieval);
        }
        if self.tuned.is_some() {
            interventions.push(Intervention::Tuning);
        }
        interventions
    }
}
