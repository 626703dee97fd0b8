//! Retrieval and the prompt cache, for the variants that have them.

use maud::{Markup, html};

use super::{estimate, figure};
use crate::measure::VariantMeasurements;
use crate::report::Report;
use crate::report::figure::{Figure, Form};
use crate::stats::Estimate;

/// Whether the right documents were found, and what came of it.
pub(super) fn retrieval(report: &Report) -> Markup {
    let rows = || with(report, |row| row.variant.retrieve.is_some());
    html! {
        @if rows().next().is_some() {
            h2 id="retrieval" { "Retrieval" }
            div.scroll tabindex="0" role="region" aria-label="Retrieval" { table {
                thead { tr { @for name in ["variant", "documents", "recall", "all found", "accuracy if found", "if not"] { th { (name) } } } }
                tbody { @for (place, row) in rows() {
                    tr {
                        td { (row.variant.id) }
                        td { @if let Some(retrieve) = &row.variant.retrieve { (retrieve.k) } }
                        @match &row.retrieval {
                            Some(known) => {
                                @for (found, name) in [
                                    (known.recall, "recall"),
                                    (known.hit_rate, "hit_rate"),
                                    (known.accuracy_found, "accuracy_found"),
                                    (known.accuracy_not_found, "accuracy_not_found"),
                                ] {
                                    td { (estimate(Some(found), Form::Percent, &format!("/variants/{place}/retrieval/{name}"))) }
                                }
                            }
                            None => { td colspan="4" { span.soft { "not known: no example names its documents" } } }
                        }
                    }
                } }
            } }
            ul.plain.soft.small { @for note in crate::report::retrieval::notes_of(report) { li { (note) } } }
        }
    }
}

/// What the prompt cache did.
pub(super) fn cache(report: &Report) -> Markup {
    let rows = || with(report, |row| row.cache.is_some());
    html! {
        @if rows().next().is_some() {
            h2 id="cache" { "Prompt cache" }
            div.scroll tabindex="0" role="region" aria-label="Prompt cache" { table {
                thead { tr { @for name in ["variant", "n", "requests that hit", "tokens hit", "$ cold", "$ measured", "$ steady", "warm first token p50", "cold first token p50"] {
                    th { (name) }
                } } }
                tbody { @for (place, row) in rows() { (cached(place, row)) } }
            } }
            ul.plain.soft.small {
                @for (_, row) in rows() { @if let Some(cache) = &row.cache {
                    @for note in crate::report::terminal::cache_notes(cache) { li { (row.variant.id) ": " (note) } }
                } }
            }
        }
    }
}

fn cached(place: usize, row: &VariantMeasurements) -> Markup {
    let Some(cache) = &row.cache else { return html! {} };
    let at = |name: &str| format!("/variants/{place}/cache/{name}");
    let cell = |found: Option<Estimate>, form: Form, name: &str| estimate(found, form, &at(name));
    html! {
        tr {
            td { (row.variant.id) }
            td { (figure(&Figure::plain(cache.requests as f64, Form::Count, at("requests")))) }
            td { (cell(cache.hit_rate, Form::Percent, "hit_rate")) }
            td { (cell(cache.token_hit_rate, Form::Percent, "token_hit_rate")) }
            td { (cell(cache.cold_usd, Form::Usd, "cold_usd")) }
            td { (cell(cache.measured_usd, Form::Usd, "measured_usd")) }
            td { (cell(cache.steady_usd, Form::Usd, "steady_usd")) }
            td { (cell(cache.ttft_warm.p50, Form::Milliseconds, "ttft_warm_ms/p50")) }
            td { (cell(cache.ttft_cold.p50, Form::Milliseconds, "ttft_cold_ms/p50")) }
        }
    }
}

fn with(
    report: &Report,
    wanted: fn(&VariantMeasurements) -> bool,
) -> impl Iterator<Item = (usize, &VariantMeasurements)> {
    report.measurements.variants.iter().enumerate().filter(move |(_, row)| wanted(row))
}
