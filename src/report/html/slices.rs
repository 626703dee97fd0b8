//! Accuracy by tag and by expected class: where to look, not what to decide.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::figure;
use crate::measure::Slice;
use crate::report::Report;
use crate::report::figure::{Figure, Form};
use crate::stats::Estimate;

/// Characters of a tag's name or value that are shown.
const LONGEST_NAME: usize = 80;

/// Shades of a cell.
const SHADES: f64 = 9.0;

/// One table a tag: a row a value, a column a variant.
pub(super) fn slices(report: &Report) -> Markup {
    let variants = &report.measurements.variants;
    let mut tags: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for slice in variants.iter().flat_map(|row| &row.slices) {
        let values = tags.entry(&slice.tag).or_default();
        if !values.contains(&slice.value.as_str()) {
            values.push(&slice.value);
        }
    }
    if tags.is_empty() {
        return html! { p.soft { "Examples have no tags and no classes to slice by." } };
    }
    html! {
        p.soft.small {
            "Accuracy within each slice, with its n. Small slices swing: look at the intervals before believing one. "
            button type="button" data-intervals aria-pressed="false" { "intervals" }
        }
        @for (place, (tag, values)) in tags.iter().enumerate() {
            @let shown = crate::text::one_line(tag, LONGEST_NAME);
            details open[place == 0] {
                summary { "by " b { (shown) } " (" (values.len()) ")" }
                div.scroll tabindex="0" role="region" aria-label=(format!("Slices by {shown}")) { table.sticky.sortable.slices {
                    thead { tr {
                        th scope="col" { button type="button" { (shown) } }
                        th scope="col" { button type="button" { "n" } }
                        @for row in variants { th scope="col" { button type="button" { (row.variant.id) } } }
                    } }
                    tbody { @for value in values { (line(report, tag, value)) } }
                } }
            }
        }
    }
}

fn line(report: &Report, tag: &str, value: &str) -> Markup {
    let found = |slices: &[Slice]| -> Option<(usize, Estimate)> {
        let place = slices.iter().position(|slice| slice.tag == tag && slice.value == value)?;
        Some((place, slices[place].accuracy))
    };
    let shown_value = crate::text::one_line(value, LONGEST_NAME);
    let rows = &report.measurements.variants;
    let n = rows.iter().filter_map(|row| found(&row.slices)).map(|(_, accuracy)| accuracy.n).max().unwrap_or(0);
    html! {
        tr {
            td { (shown_value) }
            td { (n) }
            @for (place, row) in rows.iter().enumerate() {
                @match found(&row.slices) {
                    Some((slice, accuracy)) if accuracy.point.is_some() => {
                        @let shown = Figure::estimate(&accuracy, Form::Percent, &format!("/variants/{place}/slices/{slice}/accuracy"));
                        @let shade = (accuracy.point.unwrap_or(0.0) * SHADES).round();
                        td class=(format!("heat heat-{shade}")) data-tip=(format!("{} on {shown_value}: {}, n {}", row.variant.id, shown.text(), accuracy.n)) {
                            (figure(&shown))
                        }
                    }
                    _ => { td.soft { "–" } }
                }
            }
        }
    }
}
