//! A difference and its interval as a small drawing.

use maud::{Markup, html};

use crate::measure::contrast::Contrast;
use crate::report::figure::{Figure, Form};
use crate::stats::Estimate;
use crate::stats::paired::PairedVerdict;

/// Pixels of the drawing.
const WIDTH: f64 = 170.0;
const HEIGHT: f64 = 20.0;

/// Pixels left and right of the scale, so that a dot at its end is whole.
const MARGIN: f64 = 6.0;

/// The scale that differences share: from minus so much to plus so much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale(f64);

impl Scale {
    /// The scale on which all of these fit.
    pub(super) fn of<'a>(differences: impl Iterator<Item = &'a Estimate>) -> Self {
        let ends = differences.flat_map(|found| [found.low, found.high]).filter(|end| end.is_finite());
        // A whole number of points, since that is what the scale is labelled with.
        let most = ends.fold(0.01_f64, |most, end| most.max(end.abs())).min(1.0);
        Self((most * 100.0).ceil() / 100.0)
    }

    fn x(self, difference: f64) -> f64 {
        let share = (difference / self.0).clamp(-1.0, 1.0);
        ((WIDTH / 2.0 + share * (WIDTH / 2.0 - MARGIN)) * 10.0).round() / 10.0
    }

    /// Its end, in points.
    pub(super) fn end(self) -> String {
        format!("{:.0}", self.0 * 100.0)
    }
}

/// The table cell of a contrast's difference, in the colour of its verdict.
pub(super) fn cell(contrast: &Contrast, scale: Scale) -> Markup {
    let found = &contrast.difference;
    let middle = HEIGHT / 2.0;
    let said = Figure::estimate(found, Form::Points, "").text();
    html! {
        td class=(format!("bar {}", colour(contrast.verdict))) data-sort=(found.point.unwrap_or_default()) {
            svg width=(WIDTH) height=(HEIGHT) viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(said) {
                line class="spark-track" x1=(WIDTH / 2.0) x2=(WIDTH / 2.0) y1="1" y2=(HEIGHT - 1.0) {}
                @if let Some(point) = found.point {
                    line stroke="currentColor" stroke-width="2" x1=(scale.x(found.low)) x2=(scale.x(found.high))
                        y1=(middle) y2=(middle) {}
                    circle fill="currentColor" cx=(scale.x(point)) cy=(middle) r="4.5" {}
                }
            }
        }
    }
}

/// The class of a verdict's colour.
pub(super) fn colour(verdict: PairedVerdict) -> &'static str {
    match verdict {
        PairedVerdict::Better => "good",
        PairedVerdict::Worse => "bad",
        PairedVerdict::NotEnoughEvidence => "unsure",
    }
}
