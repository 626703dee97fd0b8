//! Schema validity against its target, by nines.

use maud::{Markup, html};

use super::{framed, measured, nothing, switches};
use crate::measure::VariantMeasurements;
use crate::report::Report;
use crate::report::figure::{Figure, Form};
use crate::report::html::plot::{Frame, Scale, Spacing, kind, mark, short};
use crate::stats::Estimate;

const TITLE: &str = "Schema-valid answers against the target";
const ROW: f64 = 22.0;
/// Room at the right for all answers: on an axis of nines they are infinitely far away.
const BEYOND: f64 = 46.0;
/// Ends of the axis.
const ENDS: [f64; 6] = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];

type Row<'a> = (usize, &'a VariantMeasurements, Estimate);

/// The chart: one row a variant.
pub(super) fn chart(report: &Report) -> Markup {
    let rows: Vec<Row<'_>> =
        measured(report).filter_map(|(place, row)| Some((place, row, row.validity_strict?))).collect();
    if rows.is_empty() {
        return nothing(TITLE, "No schema says what a valid answer is.");
    }
    let target = report.verdict.triggers.t1.target;
    let caption = "By nines: it is as far from 90% to 99% as from 99% to 99.9%, and infinitely far to 100%, which stands beyond the break.";
    let all: Vec<&VariantMeasurements> = rows.iter().map(|(_, row, _)| *row).collect();
    framed(TITLE, &html! { (caption) }, &html! { (switches(&all)) (drawn(&rows, target)) })
}

/// Where a share stands: on the axis, or beyond its break.
struct Axis {
    nines: Scale,
    all: f64,
}

impl Axis {
    fn at(&self, share: f64) -> f64 {
        if share >= 1.0 { self.all } else { self.nines.at(share) }
    }
}

fn axis(frame: &Frame, rows: &[Row<'_>], target: Option<f64>) -> Axis {
    let shown = rows.iter().flat_map(|(_, _, valid)| [Some(valid.low), valid.point, Some(valid.high)]);
    let highest = shown.flatten().chain(target).filter(|share| *share < 1.0).fold(0.0, f64::max);
    let end = ENDS.into_iter().find(|end| *end > highest).unwrap_or(ENDS[ENDS.len() - 1]);
    let nines = frame.x((0.0, end), Spacing::Nines);
    Axis { nines: Scale { to: nines.to - BEYOND, ..nines }, all: nines.to }
}

fn drawn(rows: &[Row<'_>], target: Option<f64>) -> Markup {
    let frame = Frame { top: 26.0, ..Frame::new(26.0 + 38.0 + ROW * rows.len() as f64, 150.0) };
    let axis = axis(&frame, rows, target);
    let bottom = frame.height - frame.bottom;
    let gap = axis.nines.to + BEYOND / 2.0;
    frame.picture("Share of schema-valid answers, one row a variant", &html! {
        (frame.x_axis(&axis.nines, "share of answers that the schema accepts", |tick| Form::Percent.exact(tick)))
        line.edge x1=(gap) x2=(gap) y1=(frame.top) y2=(bottom) {}
        line.grid x1=(axis.all) x2=(axis.all) y1=(frame.top) y2=(bottom) {}
        text.tick x=(axis.all) y=(bottom + 14.0) text-anchor="middle" { "100%" }
        @for (line, row) in rows.iter().enumerate() { (one(&frame, &axis, line, row)) }
        @if let Some(target) = target {
            line.target x1=(axis.at(target)) x2=(axis.at(target)) y1=(frame.top - 4.0) y2=(bottom) {}
            text.target-name x=(axis.at(target)) y=(frame.top - 9.0) text-anchor="middle" { "target " (Form::Percent.exact(target)) }
        }
    })
}

fn one(frame: &Frame, axis: &Axis, line: usize, (place, row, valid): &Row<'_>) -> Markup {
    let y = frame.top + ROW * (line as f64 + 0.5);
    let figure = Figure::estimate(valid, Form::Percent, &format!("/variants/{place}/schema_validity_strict"));
    let says = format!("{}: {} schema-valid, n {}", row.variant.id, figure.text(), valid.n);
    html! {
        text.tick x=(frame.left - 8.0) y=(y + 4.0) text-anchor="end" { (short(row.variant.id.as_str(), 22)) }
        g.(kind(row).class()) data-kind=(kind(row).class()) data-tip=(says) tabindex="0" role="img" aria-label=(says) {
            line.whisker x1=(axis.at(valid.low)) x2=(axis.at(valid.high)) y1=(y) y2=(y) {}
            @if let Some(point) = valid.point { (mark(kind(row), axis.at(point), y)) }
            rect.hit x=(frame.left) y=(y - ROW / 2.0) width=(frame.width - frame.left) height=(ROW) {}
        }
    }
}
