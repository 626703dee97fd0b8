//! Schema validity against its target, by nines.

use maud::{Markup, html};

use super::{framed, measured, nothing, switches};
use crate::measure::VariantMeasurements;
use crate::report::Report;
use crate::report::figure::{Figure, Form};
use crate::report::html::plot::{Frame, Spacing, kind, mark, short};
use crate::stats::Estimate;

const TITLE: &str = "Schema-valid answers against the target";
const ROW: f64 = 22.0;

/// The chart: one row a variant.
pub(super) fn chart(report: &Report) -> Markup {
    let rows: Vec<(usize, &VariantMeasurements, Estimate)> =
        measured(report).filter_map(|(place, row)| Some((place, row, row.validity_strict?))).collect();
    if rows.is_empty() {
        return nothing(TITLE, "No schema says what a valid answer is.");
    }
    let target = report.verdict.triggers.t1.target;
    let caption = "By nines: the distance from 90% to 99% is that from 99% to 99.9%. A line to the right edge has no upper limit short of all answers.";
    let all: Vec<&VariantMeasurements> = rows.iter().map(|(_, row, _)| *row).collect();
    framed(TITLE, &html! { (caption) }, &html! { (switches(&all)) (drawn(&rows, target)) })
}

fn drawn(rows: &[(usize, &VariantMeasurements, Estimate)], target: Option<f64>) -> Markup {
    let frame = Frame { top: 26.0, ..Frame::new(26.0 + 38.0 + ROW * rows.len() as f64, 150.0) };
    let highest = [0.9, 0.99, 0.999, 0.9999, 0.99999].into_iter().find(|nines| {
        target.is_none_or(|target| *nines > target) && rows.iter().all(|(_, _, valid)| valid.low < *nines)
    });
    let x = frame.x((0.0, highest.unwrap_or(0.99999)), Spacing::Nines);
    frame.picture("Share of schema-valid answers, one row a variant", &html! {
        (frame.x_axis(&x, "share of answers that the schema accepts", |tick| Form::Percent.exact(tick)))
        @for (line, (place, row, valid)) in rows.iter().enumerate() {
            @let y = frame.top + ROW * (line as f64 + 0.5);
            @let figure = Figure::estimate(valid, Form::Percent, &format!("/variants/{place}/schema_validity_strict"));
            @let says = format!("{}: {} schema-valid, n {}", row.variant.id, figure.text(), valid.n);
            text.tick x=(frame.left - 8.0) y=(y + 4.0) text-anchor="end" { (short(row.variant.id.as_str(), 22)) }
            g.(kind(row).class()) data-kind=(kind(row).class()) data-tip=(says) tabindex="0" role="img" aria-label=(says) {
                line.whisker x1=(x.at(valid.low)) x2=(x.at(valid.high)) y1=(y) y2=(y) {}
                @if let Some(point) = valid.point { (mark(kind(row), x.at(point), y)) }
                rect.hit x=(frame.left) y=(y - ROW / 2.0) width=(frame.width - frame.left) height=(ROW) {}
            }
        }
        @if let Some(target) = target {
            line.target x1=(x.at(target)) x2=(x.at(target)) y1=(frame.top - 4.0) y2=(frame.height - frame.bottom) {}
            text.target-name x=(x.at(target)) y=(frame.top - 9.0) text-anchor="middle" { "target " (Form::Percent.exact(target)) }
        }
    })
}
