//! The filters and panes of the examples, which the script brings to life.

use maud::{Markup, html};

use crate::measure::VariantMeasurements;
use crate::report::Report;
use crate::variant::VariantId;

const OUTCOMES: [(&str, &str); 9] = [
    ("", "any"),
    ("r", "right"),
    ("not-r", "not right"),
    ("w", "wrong, but valid"),
    ("i", "invalid"),
    ("f", "refused"),
    ("c", "cut"),
    ("x", "missing"),
    ("u", "not scored"),
];

const FLIPS: [(&str, &str); 6] = [
    ("", "any"),
    ("fixed", "B right, A not"),
    ("broken", "A right, B not"),
    ("flip", "one of them right"),
    ("both", "both right"),
    ("neither", "neither right"),
];

const TOGETHER: [(&str, &str); 6] = [
    ("", "any"),
    ("all-wrong", "wrong by all"),
    ("one-wrong", "wrong by one only"),
    ("one-right", "right by one only"),
    ("all-right", "right by all"),
    ("split", "some right, some not"),
];

/// The section of the examples; it says what it needs where the script does not run.
pub(super) fn explorer(report: &Report) -> Markup {
    let (a, b) = chosen(report);
    html! {
        h2 id="explorer-title" { "Examples" }
        section id="explorer" aria-labelledby="explorer-title" {
            noscript { p { "Looking at examples needs the page's script. `ceiling show` and `ceiling flips` show them in a terminal." } }
            p.unsure hidden data-role="problem" {}
            div.filters hidden {
                label.field { "search text (/)" input type="search" name="search" placeholder="id, input, answer, violation" autocomplete="off"; }
                (variants(report, "a", "A", a))
                (options("outcome", "A's answer is", &OUTCOMES))
                (variants(report, "b", "B", b))
                (options("flip", "A against B", &FLIPS))
                (options("together", "all variants", &TOGETHER))
                (options("tag", "tag", &[("", "any")]))
                (options("value", "value", &[("", "any")]))
            }
            div.found hidden {
                b data-role="count" aria-live="polite" {}
                span.soft.small data-role="note" {}
                span.soft.small { "✓ right · ✗ wrong · ! invalid · ⊘ refused · ✂ cut · ? missing · ~ not scored, in the scoreboard's order. j/k or ↓/↑ move." }
                button type="button" data-role="all" aria-pressed="true" { "answers of all variants" }
                button type="button" data-role="clear" { "clear filters" }
                span.soft.small data-role="dropped" {}
            }
            div.panes hidden {
                div.list tabindex="0" role="listbox" aria-label="Examples found" { div.rows role="presentation" {} }
                div.detail tabindex="0" role="region" aria-label="The example" {}
            }
        }
    }
}

/// The variant in use, and the best other one.
fn chosen(report: &Report) -> (Option<usize>, Option<usize>) {
    let place = |id: Option<&VariantId>| id.and_then(|id| report.variant(id)).map(|(place, _)| place);
    let a = place(report.verdict.incumbent.as_ref());
    let point = |row: &VariantMeasurements| row.accuracy.point.unwrap_or(-1.0);
    let others = report.measurements.variants.iter().enumerate().filter(|(place, _)| Some(*place) != a);
    let best = others.max_by(|(_, one), (_, other)| point(one).total_cmp(&point(other))).map(|(place, _)| place);
    let b = place(report.verdict.best_variant.as_ref()).filter(|b| Some(*b) != a).or(best);
    (a, b)
}

fn variants(report: &Report, name: &str, label: &str, chosen: Option<usize>) -> Markup {
    html! {
        label.field { (label) select name=(name) {
            option value="" { "any" }
            @for (place, row) in report.measurements.variants.iter().enumerate() {
                option value=(place) selected[chosen == Some(place)] { (row.variant.id) }
            }
        } }
    }
}

fn options(name: &str, label: &str, all: &[(&str, &str)]) -> Markup {
    html! {
        label.field { (label) select name=(name) { @for (value, text) in all { option value=(value) { (text) } } } }
    }
}
