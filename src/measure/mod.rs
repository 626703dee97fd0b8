//! Scores to numbers with intervals: what each variant was measured at.
//!
//! Per-example vectors stand beside the estimates, since every difference is paired on the same
//! examples. All vectors of one [`Measurements`] are indexed by the same example order.

pub mod accumulate;
pub mod anytime;
pub mod cache;
mod columns;
pub mod compare;
pub mod contrast;
pub mod finish;
pub mod grade;
pub mod latency_change;
pub mod matching;
pub mod money;
pub mod places;
mod reasoning;
pub mod retrieval;
pub mod roster;
pub mod rounds;
pub mod side;
pub mod slices;
pub mod standing;
pub mod steps;
pub mod stopping;
pub mod trained;

use serde::Serialize;

use crate::exchange::FailureKind;
use crate::score::field_f1::FieldCounts;
use crate::stats::Estimate;
use crate::stats::cost::CacheShares;
use crate::units::Usd;
use crate::variant::{Variant, VariantId};
pub use columns::{Costs, Scores};
pub use retrieval::RetrievalMeasurements;

/// How the trials of a variant ended; they add up to examples x repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct OutcomeCounts {
    /// A whole answer came.
    pub answered: u64,
    /// The model or a filter declined.
    pub refused: u64,
    /// The token limit cut the answer.
    pub truncated: u64,
    /// No answer came.
    pub failed: u64,
}

impl OutcomeCounts {
    /// All trials.
    pub fn total(&self) -> u64 {
        self.answered + self.refused + self.truncated + self.failed
    }
}

/// A latency's distribution.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Latency {
    /// Fresh measurements in milliseconds, sorted. Trials that failed or never showed a token are
    /// not in it but count as above every limit.
    pub sorted_ms: Vec<f64>,
    /// Trials without a first token or an end: above every limit.
    pub censored: u64,
    /// The median.
    pub p50: Option<Estimate>,
    /// The 90th percentile.
    pub p90: Option<Estimate>,
    /// The 95th percentile.
    pub p95: Option<Estimate>,
    /// The 99th percentile; `None` below 100 trials, which say nothing of it.
    pub p99: Option<Estimate>,
}

/// The first token of one fresh trial, for comparisons that must know which trial and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedTrial {
    /// Place of the example.
    pub example: u32,
    /// The minute in which it was sent; slow moments come together. 0 where the clock says nothing.
    pub minute: u32,
    /// Milliseconds; infinite where no first token came.
    pub ms: f32,
}

impl Latency {
    /// Trials that count.
    pub fn n(&self) -> u64 {
        self.sorted_ms.len() as u64 + self.censored
    }

    /// Trials over a limit, those without a measurement among them.
    pub fn exceedances(&self, limit_ms: f64) -> u64 {
        let within = self.sorted_ms.partition_point(|&ms| ms <= limit_ms);
        (self.sorted_ms.len() - within) as u64 + self.censored
    }
}

/// Token counts summed over trials, each with the number of trials that reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TokenSum {
    /// The sum; `None` when no trial reported it.
    pub total: Option<u64>,
    /// Trials that reported it.
    pub reported_by: u64,
}

impl TokenSum {
    /// Adds one trial's count.
    pub fn add(&mut self, tokens: Option<u64>) {
        if let Some(tokens) = tokens {
            self.total = Some(self.total.unwrap_or(0) + tokens);
            self.reported_by += 1;
        }
    }

    /// The mean over the trials that reported it.
    pub fn mean(&self) -> Option<f64> {
        self.total.map(|total| total as f64 / self.reported_by as f64)
    }
}

/// Usage summed over a variant's trials; fields as DESIGN.md 13.14.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct UsageTotals {
    /// See [`crate::exchange::Usage`].
    pub input_uncached_tokens: TokenSum,
    /// See [`crate::exchange::Usage`].
    pub cache_read_tokens: TokenSum,
    /// See [`crate::exchange::Usage`].
    pub cache_write_5m_tokens: TokenSum,
    /// See [`crate::exchange::Usage`].
    pub cache_write_1h_tokens: TokenSum,
    /// See [`crate::exchange::Usage`].
    pub output_tokens: TokenSum,
    /// See [`crate::exchange::Usage`].
    pub reasoning_tokens: TokenSum,
}

/// The same answers at batch prices and at those of single requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BatchCost {
    /// Mean USD a request as billed.
    pub usd_per_request: f64,
    /// Mean USD a request if each had been sent by itself.
    pub direct_usd_per_request: f64,
}

/// What a variant's requests cost.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    /// Mean USD a request with its interval; `None` when unknown.
    pub per_request: Option<Estimate>,
    /// USD for one correct answer; `None` when unknown or accuracy cannot be told from zero.
    pub per_correct: Option<Estimate>,
    /// What this run's fresh requests cost together; `None` when unknown.
    pub spent: Option<Usd>,
    /// What the answers of a batch cost, and would have cost without it; `None` where there are none
    /// or a price is unknown.
    pub batch: Option<BatchCost>,
    /// Why it is unknown, or on what it rests where that is not a price list.
    pub note: Option<String>,
    /// Warning of METHODS.md 6: few requests carry much of the sum.
    pub heavy_tail: bool,
    /// The most that the prompt cache could take away: the whole prompt read from it, always. `None`
    /// without prices, usage or a price of cached tokens.
    pub caching: Option<CacheShares>,
    /// USD by example (mean over repeats), where it is known. Empty when unknown.
    pub by_example: Costs,
}

/// One slice of the examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slice {
    /// The tag, or `label` for the expected class.
    pub tag: String,
    /// Its value.
    pub value: String,
    /// Accuracy within it.
    pub accuracy: Estimate,
}

/// Another scorer's mean.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScorerMean {
    /// The scorer.
    pub scorer: String,
    /// Its mean.
    pub mean: Estimate,
    /// Trials that it could not score, with the first reason.
    pub unscored: u64,
    /// The first reason.
    pub unscored_reason: Option<String>,
}

/// Answer classes against expected classes, over all trials that are not missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// The classes: the suite's labels, or those that examples expect, sorted.
    pub classes: Vec<String>,
    /// One row an expected class; its columns are the classes, then the answers outside them
    /// (another label, or no usable answer).
    pub counts: Vec<Vec<u64>>,
}

/// What one variant was measured at.
#[derive(Debug, Clone)]
pub struct VariantMeasurements {
    /// The variant.
    pub variant: Variant,
    /// Its prompt's round; `None` where only tuned variants use it.
    pub round: Option<u32>,
    /// Whether its provider is self-hosted.
    pub self_hosted: bool,
    /// The day on which its model stops answering: the earliest that the suite or the provider file states.
    pub retires: Option<jiff::civil::Date>,
    /// How its trials ended.
    pub outcomes: OutcomeCounts,
    /// Why trials failed, most frequent first, with one message each.
    pub failures: Vec<(FailureKind, u64, String)>,
    /// Trials that are missing: infrastructure failures, not wrong answers (METHODS.md 0.4).
    pub missing: u64,
    /// Trials whose answer came from the store: no part of the latency figures.
    pub reused: u64,
    /// Trials whose answer came by batch: no part of the latency figures either, and billed at batch
    /// prices.
    pub batched: u64,
    /// The primary scorer's mean over repeats by example.
    pub scores: Scores,
    /// The share of schema-valid answers over repeats by example (strict: as `parse` says).
    pub valid: Scores,
    /// The primary scorer's mean.
    pub accuracy: Estimate,
    /// How it stands to the highest accuracy of the run; `None` for one without answers, and for a bound.
    pub standing: Option<standing::Standing>,
    /// Best and worst case of the accuracy if every missing trial were right, or wrong.
    pub accuracy_bounds: Option<(f64, f64)>,
    /// Macro-F1, for classification.
    pub macro_f1: Option<Estimate>,
    /// Answer classes against expected classes, for classification.
    pub confusion: Option<Confusion>,
    /// Pairs by field, for a primary `field-f1` scorer: precision and recall of each; else empty.
    pub fields: Vec<(String, FieldCounts)>,
    /// Share of answers that parse as the suite says and that the schema accepts.
    pub validity_strict: Option<Estimate>,
    /// The same with `parse = "lenient"`.
    pub validity_lenient: Option<Estimate>,
    /// The most frequent first violations, with counts.
    pub violations: Vec<(String, u64)>,
    /// Every scorer's mean, the primary one first.
    pub scorers: Vec<ScorerMean>,
    /// Time to the first visible token.
    pub ttft: Latency,
    /// The same by trial; empty where the suite has no target for it.
    pub ttft_trials: Vec<TimedTrial>,
    /// Time to the first token of any kind, where reasoning was seen to come before the answer.
    pub ttft_any: Option<Latency>,
    /// Fresh streamed answers that report reasoning tokens of which nothing was seen: when they
    /// began to come cannot be observed.
    pub reasoning_hidden: u64,
    /// Time to the whole answer.
    pub total: Latency,
    /// Most requests of the run under way at once while it was measured.
    pub in_flight: u32,
    /// Attempts that failed and were made again: no part of the latency figures.
    pub retries: u64,
    /// The model's name as it is asked for.
    pub served_as: String,
    /// Answers by the model that the server says gave them, most first; empty where none says so.
    pub served_models: Vec<(String, u64)>,
    /// What the prompt cache did; `None` where it is not asked for or no answer is fresh.
    pub cache: Option<cache::CacheMeasurements>,
    /// Tokens.
    pub usage: UsageTotals,
    /// Money.
    pub cost: Cost,
    /// Accuracy by tag and by expected class.
    pub slices: Vec<Slice>,
    /// Whether the right documents were found; `None` without retrieval, or where no example that
    /// was asked names its documents.
    pub retrieval: Option<RetrievalMeasurements>,
}

/// Where a run's answers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunProvenance {
    /// All live.
    Live,
    /// All from a recording.
    Recorded,
    /// Some of each.
    Mixed,
    /// All from another tool's results.
    Imported,
}

impl RunProvenance {
    /// By how many of the trials are recorded or imported.
    pub(crate) fn of(trials: u64, recorded: u64, imported: u64) -> Self {
        match (recorded, imported) {
            (0, 0) => Self::Live,
            (all, 0) if all == trials => Self::Recorded,
            (0, all) if all == trials => Self::Imported,
            _ => Self::Mixed,
        }
    }

    /// Whose the times are, where they are not the run's own.
    pub fn whose_times(self) -> &'static str {
        if self == Self::Imported { "that the other tool states" } else { "of the recording" }
    }

    /// What stands in a heading.
    pub fn answers(self) -> &'static str {
        match self {
            Self::Live => "live answers",
            Self::Recorded => "RECORDED answers",
            Self::Mixed => "answers partly live, partly RECORDED",
            Self::Imported => "IMPORTED answers",
        }
    }
}

impl Measurements {
    /// Notes variants whose prefix the service did not store: that is why their cache did not work.
    pub fn note_not_stored(&mut self, refused: &[(VariantId, String)]) {
        for (variant, message) in refused {
            let row = self.variants.iter_mut().find(|row| row.variant.id == *variant);
            if let Some(cache) = row.and_then(|row| row.cache.as_mut()) {
                cache.fault = Some(cache::CacheFault::NotStored { message: message.clone() });
            }
        }
    }
}

/// More than this share of missing answers leaves no verdict on quality (METHODS.md 0.4).
pub const MOST_MISSING: f64 = 0.01;

/// What a run measured.
#[derive(Debug, Clone)]
pub struct Measurements {
    /// The variants, in the suite's order.
    pub variants: Vec<VariantMeasurements>,
    /// The cluster of each example, as small numbers; every example its own when there are none.
    pub clusters: Vec<u32>,
    /// Whether the examples name clusters that hold more than one of them.
    pub clustered: bool,
    /// How many times each example was asked.
    pub repeats: u32,
    /// Where the answers come from.
    pub provenance: RunProvenance,
    /// Whether recorded times may be compared (DESIGN.md 13.6); true for a live run.
    pub latency_comparable: bool,
    /// How the run stopped, where it might stop early: then rates and differences are by confidence
    /// sequence, and the examples stand in the order in which they were asked.
    pub anytime: Option<anytime::Anytime>,
    /// What each intervention changed, by variant.
    pub steps: Vec<steps::Step>,
    /// The prompts in order, one history an endpoint that has several.
    pub rounds: Vec<rounds::History>,
    /// Baselines that were trained on the pool, on the same examples; empty where none was trained.
    pub trained: Vec<trained::Trained>,
}
