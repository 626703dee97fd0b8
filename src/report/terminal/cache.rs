//! What the prompt cache did, for a terminal.

use super::{NOTHING, level, percent_interval, quantiles, share, table_or_list, wrap};
use crate::measure::Measurements;
use crate::measure::cache::{CacheMeasurements, Leader};
use crate::report::table::Table;
use crate::stats::Estimate;
use crate::units::format_usd;
use crate::variant::VariantId;

/// The section; `None` where no variant asks for the cache.
pub(super) fn section(measurements: &Measurements, width: usize) -> Option<String> {
    let cached = measurements.variants.iter().filter_map(|row| Some((&row.variant.id, row.cache.as_ref()?)));
    let cached: Vec<(&VariantId, &CacheMeasurements)> = cached.collect();
    if cached.is_empty() {
        return None;
    }
    let estimates = cached.iter().filter_map(|(_, cache)| cache.hit_rate);
    let hit_rate = format!("hit rate [{}]", level(estimates.map(|estimate| estimate.level).next()));
    let table = Table {
        header: [
            "variant",
            "n",
            &hit_rate,
            "tokens hit",
            "read",
            "written",
            "$ cold",
            "$ measured",
            "$ steady",
            "warm TTFT p50/p95",
            "cold TTFT p50/p95",
        ]
        .map(|name| name.to_owned().into())
        .to_vec(),
        rows: cached.iter().map(|(id, cache)| row(id, cache)).collect(),
    };
    let mut text = "Prompt cache\n".to_owned();
    text.push_str(&table_or_list(table, width));
    text.push('\n');
    for (id, cache) in &cached {
        for note in notes(cache) {
            text.push_str(&wrap(&format!("{id}: {note}"), " ", "   ", width));
        }
    }
    Some(text)
}

fn row(id: &VariantId, cache: &CacheMeasurements) -> Vec<String> {
    let usd = |estimate: Option<Estimate>| {
        estimate.and_then(|estimate| estimate.point).map_or_else(|| NOTHING.to_owned(), format_usd)
    };
    let tokens = |mean: Option<f64>| mean.map_or_else(|| NOTHING.to_owned(), |mean| format!("{mean:.0}"));
    let of_tokens = cache.token_hit_rate.and_then(|rate| rate.point);
    vec![
        id.to_string(),
        cache.requests.to_string(),
        cache.hit_rate.as_ref().map_or_else(|| "not reported".to_owned(), percent_interval),
        of_tokens.map_or_else(|| NOTHING.to_owned(), |hit| share(hit, 0)),
        tokens(cache.read_tokens),
        tokens(cache.written_tokens),
        usd(cache.cold_usd),
        usd(cache.measured_usd),
        usd(cache.steady_usd),
        quantiles(&cache.ttft_warm),
        quantiles(&cache.ttft_cold),
    ]
}

/// What the table cannot say.
pub(in crate::report) fn notes(cache: &CacheMeasurements) -> Vec<String> {
    let mut notes = Vec::new();
    if cache.recorded {
        notes.push("these are recorded answers: the cache was that of the recording's server".to_owned());
    }
    notes.extend(cache.leader.as_ref().filter(|_| cache.hit_rate.is_some()).map(leader));
    if let Some(factor) = cache.cost_factor {
        notes.push(format!(
            "a request costs {factor:.2} of what it would without the cache, once the prefix is written"
        ));
    }
    if cache.storage_not_priced {
        notes.push("the stored prefix is billed by the hour besides: storage is not priced here".to_owned());
    }
    notes.extend(cache.fault.as_ref().map(|fault| format!("{}: {}", fault.headline(), fault.explanation())));
    notes
}

fn leader(leader: &Leader) -> String {
    let read = leader.read_tokens.map(|read| format!("read {read} cached tokens"));
    let written = leader.written_tokens.map(|written| format!("wrote {written}"));
    let ttft = leader.ttft_ms.map(|ms| format!("had its first token after {ms:.0} ms"));
    let said: Vec<String> = [read, written, ttft].into_iter().flatten().collect();
    format!("the request that went first {}", said.join(", "))
}
