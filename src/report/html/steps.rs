//! What each intervention changed, on the same examples.

use maud::{Markup, html};

use super::figure;
use crate::measure::steps::Step;
use crate::report::Report;
use crate::report::figure::{Figure, Form};
use crate::stats::Estimate;
use crate::stats::paired::PairedVerdict;

/// The table of steps.
pub(super) fn steps(report: &Report) -> Markup {
    let steps = &report.measurements.steps;
    if steps.is_empty() {
        return html! { p.soft { "No variant has a reference that lacks just one of its interventions." } };
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Steps" { table.sortable {
            thead { tr { @for name in ["from → to", "step", "accuracy", "", "fixed", "broken", "valid answers", "first token p50", "$ a request"] {
                th scope="col" { button type="button" { (name) } }
            } } }
            tbody { @for (place, step) in steps.iter().enumerate() { (row(place, step)) } }
        } }
        p.soft.small { "Paired on the same examples, each with its 95% interval; better or worse beyond chance after correction for " (steps.len()) " steps (Holm)." }
    }
}

fn row(place: usize, step: &Step) -> Markup {
    let (word, class) = match step.verdict {
        PairedVerdict::Better => ("better", "good"),
        PairedVerdict::Worse => ("worse", "bad"),
        PairedVerdict::NotEnoughEvidence => ("not shown", "soft"),
    };
    let at = |name: &str| format!("/steps/{place}/{name}");
    let change = |found: Option<Estimate>, form: Form, name: &str| match found.filter(|found| found.point.is_some()) {
        Some(found) => figure(&Figure::estimate(&found, form, &at(name))),
        None => html! { span.soft { "–" } },
    };
    html! {
        tr {
            td { (step.from) " → " (step.to) @if let Some(else_differs) = &step.else_differs { span.soft.small { " (differ in " (else_differs) " too)" } } }
            td.text { (step.step) }
            td { (change(Some(step.accuracy), Form::Points, "accuracy")) }
            td.text { span.(class) { (word) } }
            td { (figure(&Figure::plain(step.fixed as f64, Form::Count, at("fixed")))) }
            td { (figure(&Figure::plain(step.broken as f64, Form::Count, at("broken")))) }
            td { (change(step.validity, Form::Points, "validity")) }
            td { (change(step.ttft_p50_ms, Form::Milliseconds, "ttft_p50_ms")) }
            td { (change(step.usd_per_request, Form::Usd, "usd_per_request")) }
        }
    }
}
