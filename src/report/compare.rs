//! What a comparison found: plain data, and the machine output of `compare --json`, whose schema is
//! docs/reference/compare.schema.json.

pub(super) mod lines;
pub(super) mod words;

use serde::Serialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::measure::RunProvenance;
use crate::measure::contrast::{Contrast, Correction};
use crate::measure::latency_change::LatencyChange;
use crate::measure::matching::{Dropped, Sameness};
use crate::measure::side::{Metric, TrialCounts};
use crate::stats::Estimate;
use crate::variant::{Intervention, VariantId};

/// What is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Two sides, in detail.
    Pair,
    /// Each side against the first.
    Baseline,
    /// Every side against every other.
    AllPairs,
    /// Every variant of the first run against itself in each other run.
    Runs,
}

/// Everything that a comparison may show.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// What is compared with what.
    pub form: Form,
    /// In which rate.
    pub metric: Metric,
    /// The primary scorer, whose mean accuracy is.
    pub scorer: String,
    /// The baseline's suite.
    pub suite: String,
    /// Two-sided level, before any correction.
    pub alpha: f64,
    /// Seed of everything drawn.
    pub seed: u64,
    /// How the p-values are corrected; `None` for one comparison.
    pub correction: Option<Correction>,
    /// Whether the table is for exploring only.
    pub exploratory: bool,
    /// The sides; the first one is the baseline.
    pub sides: Vec<SideFacts>,
    /// The comparisons.
    pub comparisons: Vec<Compared>,
    /// More of it, for two sides.
    pub detail: Option<Detail>,
    /// What a reader must know before trusting it.
    pub warnings: Vec<String>,
}

/// What is known of a side.
#[derive(Debug, Clone, Serialize)]
pub struct SideFacts {
    /// Its short name: the variant, the run, or both.
    pub name: String,
    /// The run.
    pub run: String,
    /// The variant.
    pub variant: VariantId,
    /// The suite's name.
    pub suite: String,
    /// Digest of the suite as it stands now, which grades the answers.
    pub suite_digest: Digest,
    /// Who answered, as `provider/model`; several where they changed on the way.
    pub endpoints: Vec<String>,
    /// The model's name as it is asked for.
    pub asked_model: String,
    /// The models that the servers say answered, most answers first.
    pub served_models: Vec<String>,
    /// The prompt's name.
    pub prompt: String,
    /// What it adds to the prompt.
    pub interventions: Vec<Intervention>,
    /// The same as they are set, such as `few-shot 5 balanced`.
    pub settings: Vec<String>,
    /// Request parameters.
    pub params: serde_json::Map<String, Value>,
    /// Where its answers come from.
    pub provenance: RunProvenance,
    /// From which tool's results its answers were imported, if they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Counts of its trials.
    pub counts: TrialCounts,
    /// How often each example was asked at most.
    pub repeats: u32,
    /// The day (UTC) on which the first request was sent that answered; `None` without trials.
    pub first_day: Option<String>,
    /// The same of the last one.
    pub last_day: Option<String>,
}

/// One comparison of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// A's place among the sides.
    pub a: usize,
    /// B's place among the sides.
    pub b: usize,
    /// Examples that all compared sides were asked alike.
    pub common: u64,
    /// What is left out, counted by reason; `by side` runs A, B (in a table of several sides: all of
    /// them in order).
    pub dropped: Dropped,
    /// The difference if every example that lacks a score on a side had come out against B, and if for
    /// it; `None` where none lacks one.
    pub difference_bounds: Option<[f64; 2]>,
    /// Whether requests, or even the answers, are the very same.
    pub sameness: Sameness,
    /// What it found.
    pub contrast: Contrast,
}

/// More of a comparison of two sides.
#[derive(Debug, Clone, Serialize)]
pub struct Detail {
    /// The other rate; `None` where validity is not asked of both.
    pub other: Option<OtherRate>,
    /// Money.
    pub cost: CostChange,
    /// Time.
    pub latency: Latency,
    /// Where the two sides differ.
    pub differences: Vec<Difference>,
    /// Examples on which the scores differ.
    pub flips: Flips,
    /// By tag and expected class.
    pub slices: Slices,
}

/// The rate that the comparison is not about.
#[derive(Debug, Clone, Serialize)]
pub struct OtherRate {
    /// Which.
    pub metric: Metric,
    /// What it found.
    pub contrast: Contrast,
}

/// What a request costs on either side, paired (METHODS.md 6).
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CostChange {
    /// Mean USD a request of A, on the examples whose cost is known on both sides.
    pub a_usd_per_request: Option<f64>,
    /// The same of B.
    pub b_usd_per_request: Option<f64>,
    /// A minus B, paired; `None` where either is unknown.
    pub saving_usd_per_request: Option<Estimate>,
    /// Why it is unknown, or on what it rests; by side.
    pub notes: [Option<String>; 2],
    /// Few requests carry much of the sum (METHODS.md 6).
    pub heavy_tail: bool,
}

/// How fast either side is.
#[derive(Debug, Clone, Serialize)]
pub struct Latency {
    /// To the first visible token, in milliseconds.
    pub ttft_ms: LatencyChange,
    /// To the whole answer, in milliseconds.
    pub total_ms: LatencyChange,
    /// Whether the times of the two sides can be compared.
    pub comparable: bool,
    /// Why not.
    pub why_not: Option<String>,
    /// Most requests under way at once, by side: under load, times measure the queue too. `None` for
    /// recorded answers, which came one by one or as the recording says.
    pub in_flight: [Option<u32>; 2],
}

/// Something in which the two sides differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What.
    pub what: &'static str,
    /// On side A.
    pub a: String,
    /// On side B.
    pub b: String,
}

/// Examples on which the scores differ.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Flips {
    /// B scored higher.
    pub fixed: u64,
    /// B scored lower.
    pub broken: u64,
    /// How many the list holds: the largest changes, then in the order of the data.
    pub listed: u64,
    /// The list.
    pub examples: Vec<Flip>,
}

/// One of them.
#[derive(Debug, Clone, Serialize)]
pub struct Flip {
    /// The example's id.
    pub example: String,
    /// A's score.
    pub a_score: f64,
    /// B's score.
    pub b_score: f64,
    /// What was asked.
    pub input: Value,
    /// What is right.
    pub expected: Value,
    /// A's answers, one a repeat.
    pub a: Vec<Answer>,
    /// B's answers.
    pub b: Vec<Answer>,
}

/// One answer of a flip.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// Which repeat, from 0.
    pub repeat: u32,
    /// How the trial ended.
    pub outcome: &'static str,
    /// What the failure said.
    pub failure: Option<String>,
    /// The answer's text.
    pub text: Option<String>,
    /// Whether the text is longer than what is kept of it.
    pub cut: bool,
    /// The answer as the suite parses it; `None` where it does not parse, or the text is cut.
    pub answer: Option<Value>,
    /// Whether the suite's schema accepts it.
    pub valid: bool,
    /// The first thing that is wrong with it.
    pub violation: Option<String>,
    /// The primary scorer's score; `None` where there is none.
    pub score: Option<f64>,
}

/// The paired difference by tag and by expected class: where to look, not what to decide.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Slices {
    /// Slices that were left out because there are too many.
    pub left_out: u64,
    /// The slices, the largest first.
    pub rows: Vec<SliceRow>,
}

/// One slice.
#[derive(Debug, Clone, Serialize)]
pub struct SliceRow {
    /// The tag, or `label` for the expected class.
    pub tag: String,
    /// Its value.
    pub value: String,
    /// What it shows.
    pub contrast: Contrast,
}

/// The comparison as one JSON value.
///
/// # Errors
/// Never for these types; the signature is serde's.
pub fn to_value(comparison: &Comparison) -> Result<Value, serde_json::Error> {
    serde_json::to_value(comparison)
}
