//! One row a variant: the scoreboard with every interval.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Column, count, integer, number, text};
use crate::measure::standing::Standing;
use crate::measure::{TokenSum, VariantMeasurements};
use crate::stats::Estimate;

/// A variant of a run.
pub struct VariantRow {
    /// The run's name.
    pub run: Arc<str>,
    /// The suite's name.
    pub suite: Arc<str>,
    /// What was measured.
    pub measured: VariantMeasurements,
}

/// The columns of a variant.
pub fn variant_columns() -> Vec<Column<VariantRow>> {
    let mut columns = vec![
        text("run", |row: &VariantRow| Some(Cow::Borrowed(&row.run))),
        text("suite", |row: &VariantRow| Some(Cow::Borrowed(&row.suite))),
        text("variant", |row: &VariantRow| Some(Cow::Borrowed(row.measured.variant.id.as_str()))),
        text("endpoint", |row: &VariantRow| Some(Cow::Owned(row.measured.variant.endpoint.to_string()))),
        integer("round", |row: &VariantRow| row.measured.round.map(i64::from)),
        text("interventions", |row: &VariantRow| {
            let names: Vec<String> = row.measured.variant.interventions().iter().map(crate::report::kebab).collect();
            Some(Cow::Owned(names.join(" ")))
        }),
        text("standing", |row: &VariantRow| row.measured.standing.as_ref().map(standing).map(Cow::Borrowed)),
        integer("n", |row: &VariantRow| count(row.measured.accuracy.n)),
        integer("answered", |row: &VariantRow| count(row.measured.outcomes.answered)),
        integer("refused", |row: &VariantRow| count(row.measured.outcomes.refused)),
        integer("truncated", |row: &VariantRow| count(row.measured.outcomes.truncated)),
        integer("failed", |row: &VariantRow| count(row.measured.outcomes.failed)),
        integer("missing", |row: &VariantRow| count(row.measured.missing)),
        integer("reused", |row: &VariantRow| count(row.measured.reused)),
        number("level", |row: &VariantRow| Some(row.measured.accuracy.level)),
    ];
    columns.extend(estimate("accuracy", |measured| Some(measured.accuracy)));
    columns.extend(estimate("macro_f1", |measured| measured.macro_f1));
    columns.extend(estimate("valid", |measured| measured.validity_strict));
    columns.extend(estimate("valid_lenient", |measured| measured.validity_lenient));
    columns.extend(estimate("ttft_p50_ms", |measured| measured.ttft.p50));
    columns.extend(estimate("ttft_p95_ms", |measured| measured.ttft.p95));
    columns.extend(estimate("total_p50_ms", |measured| measured.total.p50));
    columns.extend(estimate("total_p95_ms", |measured| measured.total.p95));
    columns.extend(estimate("cost_usd_per_request", |measured| measured.cost.per_request));
    columns.extend(estimate("cost_usd_per_correct", |measured| measured.cost.per_correct));
    columns.extend([
        tokens("input_uncached_tokens", |measured| measured.usage.input_uncached_tokens),
        tokens("cache_read_tokens", |measured| measured.usage.cache_read_tokens),
        tokens("cache_write_5m_tokens", |measured| measured.usage.cache_write_5m_tokens),
        tokens("cache_write_1h_tokens", |measured| measured.usage.cache_write_1h_tokens),
        tokens("output_tokens", |measured| measured.usage.output_tokens),
        tokens("reasoning_tokens", |measured| measured.usage.reasoning_tokens),
        integer("retries", |row: &VariantRow| count(row.measured.retries)),
    ]);
    columns
}

fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::Best => "best",
        Standing::Tied => "tied",
        Standing::Behind => "behind",
    }
}

/// Point and ends; an end without a bound is left out.
fn estimate(name: &str, get: fn(&VariantMeasurements) -> Option<Estimate>) -> [Column<VariantRow>; 3] {
    let known = move |row: &VariantRow| get(&row.measured).filter(|estimate| estimate.point.is_some());
    [
        number(name, move |row: &VariantRow| known(row).and_then(|estimate| estimate.point)),
        number(format!("{name}_low"), move |row: &VariantRow| known(row).map(|estimate| estimate.low)),
        number(format!("{name}_high"), move |row: &VariantRow| known(row).map(|estimate| estimate.high)),
    ]
}

/// Mean tokens a request.
fn tokens(name: &str, get: fn(&VariantMeasurements) -> TokenSum) -> Column<VariantRow> {
    number(name, move |row: &VariantRow| get(&row.measured).mean())
}
