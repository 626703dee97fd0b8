//! Accuracy by the number of training examples: what a baseline learns from the pool, and what is foreseen.

use maud::{Markup, html};

use super::framed;
use crate::measure::trained::{Trained, TrainingCurve, TrainingPoint};
use crate::report::Report;
use crate::report::figure::Form;
use crate::report::html::plot::{Frame, Scale, Spacing, logarithmic_span, round, span};
use crate::report::trained::{WHAT, foreseen};
use crate::units::group_thousands;

const TITLE: &str = "Accuracy by training examples";

/// The curves of the baselines; nothing where none was trained.
pub(super) fn chart(report: &Report) -> Markup {
    let curves: Vec<(&Trained, &TrainingCurve)> =
        report.measurements.trained.iter().filter_map(|trained| Some((trained, trained.curve.as_ref()?))).collect();
    if curves.is_empty() {
        return html! {};
    }
    let caption = html! {
        "Trained baseline: " (WHAT) ". "
        @for (trained, curve) in &curves { (trained.name) ": " (foreseen(curve)) ". " }
    };
    framed(TITLE, &caption, &picture(report, &curves))
}

fn picture(report: &Report, curves: &[(&Trained, &TrainingCurve)]) -> Markup {
    let frame = Frame::new(270.0, 46.0);
    let target = report.verdict.triggers.t2.target;
    let best = report.verdict.trained_baseline.as_ref().and_then(|known| known.against_prompted.as_ref());
    let best = best.and_then(|known| Some((report.variant(&known.variant)?.1.accuracy.point?, known.variant.as_str())));
    let all = || curves.iter().flat_map(|(_, curve)| curve.points.iter().chain(&curve.fitted).chain(&curve.projection));
    let ends = all().flat_map(|point| [point.low, point.high]).chain(target).chain(best.map(|(level, _)| level));
    let (low, high) = span(ends, 0.1).unwrap_or((0.0, 1.0));
    let y = frame.y((low.max(0.0), high.min(1.0)), Spacing::Linear);
    let x = frame
        .x(logarithmic_span(all().map(|point| point.examples as f64)).unwrap_or((1.0, 10.0)), Spacing::Logarithmic);
    let level = |class: &str, at: f64, name: &str| {
        html! {
            line class=(class) x1=(frame.left) x2=(frame.width - frame.right) y1=(y.at(at)) y2=(y.at(at)) {}
            text class=(format!("{class}-name")) x=(frame.width - frame.right - 4.0) y=(round(y.at(at) - 4.0)) text-anchor="end" {
                (name) " " (Form::Percent.value(at))
            }
        }
    };
    frame.picture(
        TITLE,
        &html! {
            (frame.y_axis(&y, |tick| format!("{:.0}%", tick * 100.0)))
            (frame.x_axis(&x, "training examples", |tick| group_thousands(tick.round() as i128)))
            @if let Some(target) = target { (level("target", target, "target")) }
            @if let Some((at, _)) = best { (level("prompted-level", at, "best prompted,")) }
            @for (trained, curve) in curves { (one(trained, curve, &x, &y)) }
        },
    )
}

fn one(trained: &Trained, curve: &TrainingCurve, x: &Scale, y: &Scale) -> Markup {
    let drawn = |points: &[TrainingPoint]| -> String {
        let step = |(place, point): (usize, &TrainingPoint)| {
            let (x, y) = (x.at(point.examples as f64), y.at(point.accuracy));
            format!("{}{x} {y}", if place == 0 { "M" } else { " L" })
        };
        points.iter().enumerate().map(step).collect()
    };
    html! {
        g.trained data-kind="trained" {
            @if curve.fitted.is_empty() {
                path.line d=(drawn(&curve.points)) {}
            } @else {
                path.line d=(drawn(&curve.fitted)) {}
            }
            @if let (Some(last), Some(foreseen)) = (curve.points.last(), &curve.projection) {
                path.line.foreseen d=(drawn(&[*last, *foreseen])) {}
            }
            @for point in &curve.points { (dot(&trained.name, point, (x, y), "dot")) }
            @if let Some(point) = &curve.projection { (dot(&format!("{}, foreseen", trained.name), point, (x, y), "hollow")) }
        }
    }
}

fn dot(name: &str, point: &TrainingPoint, (x, y): (&Scale, &Scale), class: &str) -> Markup {
    let says = format!(
        "{name}\n{} examples: {} [{}–{}]",
        group_thousands(i128::from(point.examples)),
        Form::Percent.value(point.accuracy),
        Form::Percent.bare(point.low),
        Form::Percent.bare(point.high)
    );
    let (at, height) = (x.at(point.examples as f64), y.at(point.accuracy));
    html! {
        g data-tip=(says) tabindex="0" role="img" aria-label=(says) {
            line.whisker x1=(at) x2=(at) y1=(y.at(point.low)) y2=(y.at(point.high)) {}
            circle class=(class) cx=(at) cy=(height) r="4.5" {}
            circle.hit cx=(at) cy=(height) r="11" {}
        }
    }
}
