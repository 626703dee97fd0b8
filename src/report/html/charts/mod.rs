//! The charts: SVG with real text. Each says in words what it has nothing to draw of.

use maud::{Markup, html};

use super::plot::{Kind, kind};
use crate::measure::VariantMeasurements;
use crate::report::Report;

mod accuracy_cost;
mod latency;
mod learning;
mod rounds;
mod validity;
mod volume;

/// All of them.
pub(super) fn charts(report: &Report) -> Markup {
    html! {
        div.charts {
            (accuracy_cost::chart(report))
            (validity::chart(report))
            (rounds::by_round(report))
            (learning::chart(report))
            (rounds::by_shots(report))
            (latency::chart(report))
            (volume::chart(report))
        }
    }
}

/// A chart in its frame, with what it shows in a sentence.
fn framed(title: &str, caption: &Markup, content: &Markup) -> Markup {
    html! { figure.chart { h3 { (title) } figcaption { (caption) } (content) } }
}

/// What stands where there is nothing to draw.
fn nothing(title: &str, why: &str) -> Markup {
    framed(title, &html! { (why) }, &html! {})
}

/// Buttons that fade the marks of a kind, where there is more than one.
fn switches(rows: &[&VariantMeasurements]) -> Markup {
    let kinds: Vec<(Kind, &str)> = [(Kind::Prompted, "● prompted"), (Kind::Tuned, "◆ tuned"), (Kind::Bound, "○ bound")]
        .into_iter()
        .filter(|(wanted, _)| rows.iter().any(|row| kind(row) == *wanted))
        .collect();
    html! {
        @if kinds.len() > 1 {
            div.toggles { @for (kind, name) in kinds {
                button type="button" data-switch=(kind.class()) aria-pressed="true" { (name) }
            } }
        }
    }
}

/// Variants that answered.
fn measured(report: &Report) -> impl Iterator<Item = (usize, &VariantMeasurements)> {
    report.measurements.variants.iter().enumerate().filter(|(_, row)| row.accuracy.n > 0)
}
