//! The machine output of `run --json`; its schema is docs/reference/run.schema.json.

use serde::Serialize;

mod cache;

use super::Report;
use super::retrieval::EmbeddingPurchase;
use crate::decide::Verdict;
use crate::exchange::FailureKind;
use crate::labels::LabelReview;
use crate::measure::anytime::Anytime;
use crate::measure::rounds::History;
use crate::measure::standing::Standing;
use crate::measure::steps::Step;
use crate::measure::trained::{Trained, TrainingCurve};
use crate::measure::{
    BatchCost, Confusion, Latency, OutcomeCounts, RetrievalMeasurements, RunProvenance, ScorerMean, Slice, TokenSum,
    VariantMeasurements,
};
use crate::provider::EndpointId;
use crate::stats::Estimate;
use crate::trial::Delivery;
use crate::variant::{Intervention, VariantId};
use crate::wire::fit::Change;

/// The whole document.
#[derive(Debug, Serialize)]
struct Document<'a> {
    run: &'a str,
    suite: &'a str,
    provenance: RunProvenance,
    setting: Option<&'a str>,
    began_unix_ms: i64,
    part: Option<&'a str>,
    trials_left_out: u64,
    times_scored: u64,
    embeddings: &'a [EmbeddingPurchase],
    variants: Vec<Row<'a>>,
    anytime: Option<&'a Anytime>,
    steps: &'a [Step],
    rounds: &'a [History],
    trained_baselines: Vec<TrainedRow<'a>>,
    label_review: Option<&'a LabelReview>,
    verdict: &'a Verdict,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    variant: &'a VariantId,
    endpoint: &'a EndpointId,
    round: Option<u32>,
    interventions: Vec<Intervention>,
    n: u64,
    outcomes: OutcomeCounts,
    missing: u64,
    reused: u64,
    /// `direct`, `batch`, or `mixed`.
    delivery: &'static str,
    failures: Vec<FailureRow<'a>>,
    accuracy: Estimate,
    standing: Option<Standing>,
    accuracy_bounds: Option<[f64; 2]>,
    macro_f1: Option<Estimate>,
    schema_validity_strict: Option<Estimate>,
    schema_validity_lenient: Option<Estimate>,
    scorers: &'a [ScorerMean],
    ttft_ms: Quantiles,
    ttft_any_ms: Option<Quantiles>,
    reasoning_hidden: u64,
    total_ms: Quantiles,
    in_flight: u32,
    retries: u64,
    asked_model: &'a str,
    served_models: Vec<ServedRow<'a>>,
    cache: Option<cache::Cache<'a>>,
    usage: Usage,
    cost_usd_per_request: Option<Estimate>,
    cost_usd_per_correct: Option<Estimate>,
    cost_batch: Option<BatchCost>,
    cost_note: Option<&'a str>,
    confusion: Option<&'a Confusion>,
    violations: Vec<ViolationRow<'a>>,
    schema_changes: &'a [Change],
    slices: &'a [Slice],
    retrieval: Option<&'a RetrievalMeasurements>,
}

/// A classifier that was trained on the pool, on the run's examples.
#[derive(Debug, Serialize)]
struct TrainedRow<'a> {
    name: &'a str,
    training_examples: u64,
    n: u64,
    accuracy: Estimate,
    macro_f1: Option<Estimate>,
    majority_share: Option<f64>,
    curve: Option<&'a TrainingCurve>,
}

#[derive(Debug, Serialize)]
struct FailureRow<'a> {
    kind: FailureKind,
    count: u64,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct ViolationRow<'a> {
    violation: &'a str,
    count: u64,
}

#[derive(Debug, Serialize)]
struct ServedRow<'a> {
    model: &'a str,
    answers: u64,
}

#[derive(Debug, Serialize)]
struct Quantiles {
    p50: Option<Estimate>,
    p90: Option<Estimate>,
    p95: Option<Estimate>,
    p99: Option<Estimate>,
}

/// Mean tokens a request; a count that no answer reported is null, never zero.
#[derive(Debug, Serialize)]
struct Usage {
    input_uncached_tokens: Option<f64>,
    cache_read_tokens: Option<f64>,
    cache_write_5m_tokens: Option<f64>,
    cache_write_1h_tokens: Option<f64>,
    output_tokens: Option<f64>,
    reasoning_tokens: Option<f64>,
}

/// The report as one JSON value.
///
/// # Errors
/// Never for these types; the signature is serde's.
pub fn to_value(report: &Report) -> Result<serde_json::Value, serde_json::Error> {
    let measurements = &report.measurements;
    serde_json::to_value(Document {
        run: &report.run,
        suite: &report.suite,
        provenance: measurements.provenance,
        setting: report.setting.as_deref(),
        began_unix_ms: report.began_unix_ms,
        part: report.part.as_deref(),
        trials_left_out: report.left_out,
        times_scored: report.times_scored,
        embeddings: &report.embeddings,
        variants: measurements.variants.iter().map(|measured| row(report, measured)).collect(),
        anytime: measurements.anytime.as_ref(),
        steps: &measurements.steps,
        rounds: &measurements.rounds,
        trained_baselines: measurements.trained.iter().map(trained).collect(),
        label_review: report.label_review.as_ref(),
        verdict: &report.verdict,
    })
}

fn row<'a>(report: &'a Report, measured: &'a VariantMeasurements) -> Row<'a> {
    let usage = &measured.usage;
    Row {
        variant: &measured.variant.id,
        endpoint: &measured.variant.endpoint,
        round: measured.round,
        interventions: measured.variant.interventions(),
        n: measured.accuracy.n,
        outcomes: measured.outcomes,
        missing: measured.missing,
        reused: measured.reused,
        delivery: delivery(measured),
        failures: measured
            .failures
            .iter()
            .map(|(kind, count, message)| FailureRow { kind: *kind, count: *count, message })
            .collect(),
        accuracy: measured.accuracy,
        standing: measured.standing,
        accuracy_bounds: measured.accuracy_bounds.map(|(low, high)| [low, high]),
        macro_f1: measured.macro_f1,
        schema_validity_strict: measured.validity_strict,
        schema_validity_lenient: measured.validity_lenient,
        scorers: &measured.scorers,
        ttft_ms: quantiles(&measured.ttft),
        ttft_any_ms: measured.ttft_any.as_ref().map(quantiles),
        reasoning_hidden: measured.reasoning_hidden,
        total_ms: quantiles(&measured.total),
        in_flight: measured.in_flight,
        retries: measured.retries,
        asked_model: &measured.served_as,
        served_models: measured
            .served_models
            .iter()
            .map(|(model, answers)| ServedRow { model, answers: *answers })
            .collect(),
        cache: measured.cache.as_ref().map(cache::cache),
        usage: Usage {
            input_uncached_tokens: TokenSum::mean(&usage.input_uncached_tokens),
            cache_read_tokens: TokenSum::mean(&usage.cache_read_tokens),
            cache_write_5m_tokens: TokenSum::mean(&usage.cache_write_5m_tokens),
            cache_write_1h_tokens: TokenSum::mean(&usage.cache_write_1h_tokens),
            output_tokens: TokenSum::mean(&usage.output_tokens),
            reasoning_tokens: TokenSum::mean(&usage.reasoning_tokens),
        },
        cost_usd_per_request: measured.cost.per_request,
        cost_usd_per_correct: measured.cost.per_correct,
        cost_batch: measured.cost.batch,
        cost_note: measured.cost.note.as_deref(),
        confusion: measured.confusion.as_ref(),
        violations: measured
            .violations
            .iter()
            .map(|(violation, count)| ViolationRow { violation, count: *count })
            .collect(),
        schema_changes: report.schema_changes.get(&measured.variant.id).map_or(&[], Vec::as_slice),
        slices: &measured.slices,
        retrieval: measured.retrieval.as_ref(),
    }
}

fn trained(of: &Trained) -> TrainedRow<'_> {
    TrainedRow {
        name: &of.name,
        training_examples: of.training_examples,
        n: of.accuracy.n,
        accuracy: of.accuracy,
        macro_f1: of.macro_f1,
        majority_share: of.majority,
        curve: of.curve.as_ref(),
    }
}

fn delivery(measured: &VariantMeasurements) -> &'static str {
    match measured.batched {
        0 => Delivery::Direct.as_str(),
        batched if batched == measured.outcomes.total() => Delivery::Batch.as_str(),
        _ => "mixed",
    }
}

fn quantiles(latency: &Latency) -> Quantiles {
    Quantiles { p50: latency.p50, p90: latency.p90, p95: latency.p95, p99: latency.p99 }
}
