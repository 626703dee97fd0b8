//! What is asked: one task, its examples, prompts, variants, targets and economics.
//!
//! A [`Suite`] is valid by construction: `load` turns a folder into one, or into every fault at once.

mod build;
pub mod check;
pub mod documents;
pub mod examples;
pub(crate) mod leakage;
pub mod load;
mod matrix;
pub mod near;
mod paths;
mod prompt_file;
pub mod raw;
pub mod schema;
pub mod second;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::variant::{Variant, VariantId};
use schema::OutputSchema;

/// What kind of answer the task wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One of a fixed set of classes.
    Classification,
    /// A structured record.
    Extraction,
    /// Free text.
    Generation,
}

/// An example's id, unique in its suite.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExampleId(pub String);

impl fmt::Display for ExampleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One labelled input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Its id.
    pub id: ExampleId,
    /// What is asked about: any JSON.
    pub input: Value,
    /// The right answer: any JSON.
    pub expected: Value,
    /// Examples of one cluster are not independent (same document, same event).
    pub cluster: Option<String>,
    /// For slices.
    pub tags: BTreeMap<String, String>,
    /// Ids of the documents that hold what it takes to answer it, where the suite has documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<String>,
}

/// A prompt file's two parts, each trimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Its name in `[prompts]`.
    pub name: String,
    /// The file, relative to the suite's folder.
    pub path: PathBuf,
    /// The system part's template; empty when the file has none.
    pub system: String,
    /// The user part's template.
    pub user: String,
}

/// How a completion becomes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParseMode {
    /// The whole text is JSON.
    #[default]
    Strict,
    /// One ``` block is allowed around it.
    Fenced,
    /// The first JSON value in the text.
    Lenient,
}

/// Normalisations of the `exact` and `set-f1` scorers; none by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalisation {
    /// Lower case.
    Case,
    /// Surrounding white space dropped, inner runs made one space.
    Whitespace,
    /// Unicode NFKC.
    Nfkc,
    /// Punctuation dropped.
    Punctuation,
}

/// How `similarity` compares two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SimilarityMatch {
    /// 1 - edit distance / longer length.
    Levenshtein,
    /// F1 over words.
    TokenF1,
}

/// How `field-f1` pairs the items of two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListMatch {
    /// By position.
    #[default]
    Position,
    /// So that most pairs are right.
    Best,
}

/// What a scorer does; `kind` and its options in suite.toml.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ScorerKind {
    /// Equal after the named normalisations.
    Exact {
        /// Applied to texts on both sides.
        normalise: Vec<Normalisation>,
    },
    /// F1 over the (pointer, scalar) pairs of two records.
    FieldF1 {
        /// Numbers this near are equal.
        tolerance: f64,
        /// How list items are paired.
        list_match: ListMatch,
    },
    /// F1 over two sets of items.
    SetF1 {
        /// Applied to texts on both sides.
        normalise: Vec<Normalisation>,
    },
    /// A number within a tolerance.
    Numeric {
        /// Absolute tolerance.
        absolute: f64,
        /// Tolerance relative to the expected number.
        relative: f64,
    },
    /// The expected text is in the answer.
    Contains {
        /// Applied to texts on both sides.
        normalise: Vec<Normalisation>,
    },
    /// The answer matches the pattern (or the expected value, taken as a pattern).
    Regex {
        /// The pattern; `None` takes the expected value.
        pattern: Option<String>,
    },
    /// How alike two texts are.
    Similarity {
        /// The measure.
        by: SimilarityMatch,
        /// From here on the score is 1, below it 0.
        threshold: Option<f64>,
    },
    /// A process of the user's that reads JSON lines and writes scores.
    Command {
        /// Program and arguments, started in the suite's folder.
        argv: Vec<String>,
    },
    /// The score that another tool stated of an imported answer.
    Stated {
        /// The tool's name of the score; `None` is the scorer's own name.
        metric: Option<String>,
    },
}

/// One scorer of a suite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScorerSpec {
    /// Its name in `[score.scorers]`.
    pub id: String,
    /// What it does.
    pub kind: ScorerKind,
    /// JSON Pointer into the parsed answer; empty is the whole.
    pub at: String,
    /// JSON Pointer into `expected`.
    pub expected_at: String,
}

/// What the product needs; an absent target is not applicable (DESIGN.md 13.1).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Targets {
    /// Least mean of the primary scorer.
    pub accuracy: Option<f64>,
    /// Least share of schema-valid answers.
    pub schema_validity: Option<f64>,
    /// Most milliseconds to the first token at the 95th percentile.
    pub ttft_p95_ms: Option<f64>,
    /// Requests a month that the product sends.
    pub monthly_requests: Option<u64>,
    /// Most USD a month on this task.
    pub monthly_budget_usd: Option<f64>,
    /// Whether only self-hosted providers may serve this task.
    pub self_hosted: bool,
}

/// A low and a high end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The low end.
    pub low: f64,
    /// The high end.
    pub high: f64,
}

/// What training costs and brings; ranges are carried through to the break-even.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Economics {
    /// Training runs, failed ones included, in USD.
    pub training_usd: Range,
    /// Data and labelling, in USD.
    pub labelling_usd: Range,
    /// Hosting floor, monitoring, retraining, in USD a month.
    pub upkeep_usd_per_month: Range,
    /// Months within which it must pay back.
    pub horizon_months: f64,
    /// What one wrong answer costs, in USD, if stated.
    pub value_per_error_usd: Option<f64>,
    /// Requests a month as a range, where it differs from `[targets] monthly_requests`.
    pub requests_per_month: Option<Range>,
}

/// How much worse than a baseline is still no regression.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GateRules {
    /// In accuracy.
    pub margin: f64,
    /// In the share of schema-valid answers; `None` does not gate it.
    pub validity_margin: Option<f64>,
    /// In cost a request, as a share of the baseline's; `None` does not gate it.
    pub cost_margin: Option<f64>,
    /// In the 95th percentile of the time to the first token, in milliseconds; `None` does not gate it.
    pub latency_margin_ms: Option<f64>,
}

impl Default for GateRules {
    fn default() -> Self {
        Self { margin: 0.02, validity_margin: None, cost_margin: None, latency_margin_ms: None }
    }
}

/// Levels and seed of the statistics.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// One-sided level of decisions; display intervals are two-sided at the same level.
    pub alpha: f64,
    /// The smallest difference that matters in practice.
    pub delta_min: f64,
    /// Seed of every resampling.
    pub seed: u64,
}

impl Default for Statistics {
    fn default() -> Self {
        Self { alpha: 0.05, delta_min: 0.02, seed: 1 }
    }
}

/// A random re-check of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelAudit {
    /// Labels that were checked.
    pub checked: u64,
    /// Of these, wrong.
    pub wrong: u64,
}

/// Second labels of independent annotators beside the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoubleAnnotation {
    /// Examples labelled twice.
    pub pairs: u64,
    /// Of these, labelled alike.
    pub agreed: u64,
    /// Classes to choose from.
    pub classes: u32,
}

/// Causes of the errors of the variant in use, labelled by hand on a random part of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErrorClasses {
    /// Errors looked at.
    pub checked: u64,
    /// Of these, for want of knowledge: what retrieval can supply.
    pub knowledge: u64,
    /// Of these, a choice among valid answers: what preference tuning can shift.
    pub preference: u64,
}

/// The most that a run may cost.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Budget {
    /// In USD.
    pub max_usd: Option<f64>,
    /// In seconds.
    pub max_time_s: Option<f64>,
}

/// A split that is asked in place of the test examples: nothing that is measured on it is a figure of the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherSplit {
    /// What few-shot draws from and models are trained on.
    Pool,
    /// What prompts are written on.
    Dev,
}

impl OtherSplit {
    /// Its key in `[data]`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Dev => "dev",
        }
    }
}

impl std::str::FromStr for OtherSplit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pool" => Ok(Self::Pool),
            "dev" => Ok(Self::Dev),
            _ => Err("expected pool or dev".to_owned()),
        }
    }
}

/// A suite, ready to run.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// What the task is, in a sentence.
    pub description: String,
    /// What kind of answer it wants.
    pub task: Task,
    /// The suite's folder.
    pub folder: PathBuf,
    /// The variant now in use, if named.
    pub incumbent: Option<VariantId>,
    /// The test examples.
    pub examples: examples::ExampleSource,
    /// The run whose failures the examples are, where they were chosen so: no sample of the task any more.
    pub failures_of: Option<String>,
    /// Which split `examples` is, where it is not that of the test examples.
    pub asked_instead: Option<OtherSplit>,
    /// What few-shot may draw from.
    pub pool: Option<examples::ExampleSource>,
    /// The rows that shots are chosen from where they were kept from earlier: `pool` is not asked then.
    pub kept_shots: Option<Vec<Example>>,
    /// For prompt work and for choosing among variants, never for the figures.
    pub dev: Option<examples::ExampleSource>,
    /// What variants with `retrieve` draw from.
    pub documents: Option<documents::DocumentSource>,
    /// How many times each example is asked.
    pub repeats: u32,
    /// The schema of a correct answer.
    pub schema: Option<OutputSchema>,
    /// The name under which providers see the schema.
    pub output_name: String,
    /// How a completion becomes an answer.
    pub parse: ParseMode,
    /// Whether answers that break the schema are scored all the same.
    pub score_invalid: bool,
    /// Whether validity is what another tool states of its imported answers.
    pub stated_validity: bool,
    /// The scorers, the primary one first.
    pub scorers: Vec<ScorerSpec>,
    /// The classes of the primary scorer's value, in schema order; empty when it has no enum.
    pub labels: Vec<String>,
    /// Prompts in order; the place is the round.
    pub prompts: Vec<Prompt>,
    /// Variants in order, the matrix expanded.
    pub variants: Vec<Variant>,
    /// Where each variant names its model in suite.toml, in bytes.
    pub variant_spans: Vec<std::ops::Range<usize>>,
    /// What the product needs.
    pub targets: Targets,
    /// What training costs and brings.
    pub economics: Option<Economics>,
    /// For the gate.
    pub gate: GateRules,
    /// Levels and seed.
    pub statistics: Statistics,
    /// The most that a run may cost.
    pub budget: Budget,
    /// A random re-check of labels, if there was one.
    pub audit: Option<LabelAudit>,
    /// Second labels, if there are any.
    pub annotations: Option<DoubleAnnotation>,
    /// The files that hold them ([`second::annotations`]).
    pub annotation_files: Vec<PathBuf>,
    /// Causes of the errors of the variant in use, if they were labelled.
    pub error_classes: Option<ErrorClasses>,
    /// Rungs that the user declares impossible.
    pub impossible: Vec<String>,
    /// The recording for the replay provider, if there is one.
    pub recording: Option<PathBuf>,
    /// Digest of suite.toml, schema and prompts.
    pub digest: Digest,
    /// These files, by their paths as suite.toml writes them.
    pub texts: BTreeMap<String, String>,
    /// Where suite.toml stands, for messages.
    pub file: PathBuf,
}

impl Suite {
    /// Whether "accuracy" is a score as another tool states it.
    pub fn takes_stated_scores(&self) -> bool {
        self.scorers.first().is_some_and(|scorer| matches!(scorer.kind, ScorerKind::Stated { .. }))
    }

    /// The variant of this name.
    pub fn variant(&self, id: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.id.as_str() == id)
    }

    /// The variant now in use: the one that is named, else the untuned one with the fewest interventions
    /// of the last round, the first of several (DESIGN.md 13.8).
    pub fn in_use(&self) -> Option<&Variant> {
        if let Some(named) = &self.incumbent {
            return self.variant(named.as_str());
        }
        let is_bound = |v: &&Variant| v.retrieve.as_ref().is_some_and(crate::variant::Retrieve::is_oracle);
        let eligible = || self.variants.iter().filter(|v| v.tuned.is_none() && !is_bound(v));
        let last = eligible().map(|v| v.prompt).max()?;
        eligible().filter(|v| v.prompt == last).min_by_key(|v| v.interventions().len())
    }

    /// A prompt's round: its place among the prompts that untuned variants use, from 1; `None`
    /// for a prompt that only tuned variants use (DESIGN.md 13.7).
    pub fn round(&self, prompt: usize) -> Option<u32> {
        let used = |index: usize| self.variants.iter().any(|v| v.prompt == index && v.tuned.is_none());
        used(prompt).then(|| (0..=prompt).filter(|&index| used(index)).count() as u32)
    }
}
