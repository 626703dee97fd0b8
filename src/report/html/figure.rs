//! Figures that say where the JSON report has them.

use maud::{Markup, html};

use crate::report::figure::Figure;

/// A figure with its interval: each number is a `data` element with its exact value and its place in the
/// JSON report.
pub fn figure(figure: &Figure) -> Markup {
    html! {
        span.figure {
            (number(figure.point, &figure.value(), &figure.at))
            @if let Some((low, high)) = figure.interval {
                " "
                span.interval {
                    "["
                    (number(Some(low), &figure.end(low), &figure.ends_at[0]))
                    (figure.between_ends())
                    (number(Some(high), &figure.end(high), &figure.ends_at[1]))
                    "]"
                }
            }
        }
    }
}

fn number(value: Option<f64>, text: &str, at: &str) -> Markup {
    match value.filter(|value| value.is_finite()) {
        Some(value) => html! { data value=(value) data-at=(at) { (text) } },
        None => html! { (text) },
    }
}
