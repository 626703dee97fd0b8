//! What each intervention changed, on the same examples.

use maud::{Markup, html};

use super::{estimate, figure, interval_name};
use crate::measure::steps::Step;
use crate::report::Report;
use crate::report::figure::{Figure, Form};
use crate::stats::Estimate;
use crate::stats::paired::PairedVerdict;

/// The table of steps; what is known of no step has no column.
pub(super) fn steps(report: &Report) -> Markup {
    let steps = &report.measurements.steps;
    if steps.is_empty() {
        return html! { p.soft { "No variant has a reference that lacks just one of its interventions." } };
    }
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|column| steps.iter().any(|step| (column.of)(step).is_some())).collect();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Steps" { table.sortable {
            thead { tr {
                @for name in ["from → to", "step", "accuracy", "", "fixed", "broken"] { (heading(name)) }
                @for column in &columns { (heading(column.name)) }
            } }
            tbody { @for (place, step) in steps.iter().enumerate() { (row(place, step, &columns)) } }
        } }
        p.soft.small {
            "Paired on the same examples, each with its " (interval_name(report)) "; better or worse beyond chance after correction for "
            (steps.len()) " steps (Holm)."
        }
    }
}

fn heading(name: &str) -> Markup {
    html! { th scope="col" { button type="button" { (name) } } }
}

/// Something that a step changed beside the accuracy.
struct Column {
    name: &'static str,
    key: &'static str,
    form: Form,
    of: fn(&Step) -> Option<Estimate>,
}

const COLUMNS: [Column; 3] = [
    Column { name: "valid answers", key: "validity", form: Form::Points, of: |step| step.validity },
    Column { name: "first token p50", key: "ttft_p50_ms", form: Form::Milliseconds, of: |step| step.ttft_p50_ms },
    Column { name: "$ a request", key: "usd_per_request", form: Form::Usd, of: |step| step.usd_per_request },
];

fn row(place: usize, step: &Step, columns: &[&Column]) -> Markup {
    let (word, class) = match step.verdict {
        PairedVerdict::Better => ("better", "good"),
        PairedVerdict::Worse => ("worse", "bad"),
        PairedVerdict::NotEnoughEvidence => ("not shown", "soft"),
    };
    let at = |name: &str| format!("/steps/{place}/{name}");
    html! {
        tr {
            td {
                (step.from) " → " (step.to)
                @if let Some(what) = &step.else_differs { span.soft.small { " (differ in " (what) " too)" } }
            }
            td.text { (step.step) }
            td { (estimate(Some(step.accuracy), Form::Points, &at("accuracy"))) }
            td.text { span.(class) { (word) } }
            td { (figure(&Figure::plain(step.fixed as f64, Form::Count, at("fixed")))) }
            td { (figure(&Figure::plain(step.broken as f64, Form::Count, at("broken")))) }
            @for column in columns { td { (estimate((column.of)(step), column.form, &at(column.key))) } }
        }
    }
}
