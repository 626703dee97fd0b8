//! What the prompt cache did, as JSON.

use serde::Serialize;

use super::{Quantiles, quantiles};
use crate::measure::cache::{CacheFault, CacheMeasurements, Leader};
use crate::stats::Estimate;

#[derive(Debug, Serialize)]
pub(super) struct Cache<'a> {
    requests: u64,
    recorded: bool,
    hit_rate: Option<Estimate>,
    token_hit_rate: Option<Estimate>,
    read_tokens: Option<f64>,
    written_tokens: Option<f64>,
    leader: Option<Leader>,
    cold_usd: Option<Estimate>,
    measured_usd: Option<Estimate>,
    hit_usd: Option<Estimate>,
    steady_usd: Option<Estimate>,
    cost_factor: Option<f64>,
    ttft_warm_ms: Quantiles,
    ttft_cold_ms: Quantiles,
    storage_not_priced: bool,
    fault: Option<Fault<'a>>,
}

#[derive(Debug, Serialize)]
struct Fault<'a> {
    #[serde(flatten)]
    fault: &'a CacheFault,
    explanation: String,
}

pub(super) fn cache(cache: &CacheMeasurements) -> Cache<'_> {
    Cache {
        requests: cache.requests,
        recorded: cache.recorded,
        hit_rate: cache.hit_rate,
        token_hit_rate: cache.token_hit_rate,
        read_tokens: cache.read_tokens,
        written_tokens: cache.written_tokens,
        leader: cache.leader,
        cold_usd: cache.cold_usd,
        measured_usd: cache.measured_usd,
        hit_usd: cache.hit_usd,
        steady_usd: cache.steady_usd,
        cost_factor: cache.cost_factor,
        ttft_warm_ms: quantiles(&cache.ttft_warm),
        ttft_cold_ms: quantiles(&cache.ttft_cold),
        storage_not_priced: cache.storage_not_priced,
        fault: cache.fault.as_ref().map(|fault| Fault { fault, explanation: fault.explanation() }),
    }
}
