//! Accuracy by prompt round and by number of shots, with the band in which a gain would not matter.

use maud::{Markup, html};

use super::{framed, measured, nothing};
use crate::measure::VariantMeasurements;
use crate::measure::rounds::History;
use crate::measure::steps::alike_but_shots;
use crate::report::Report;
use crate::report::figure::Form;
use crate::report::html::plot::{Frame, Kind, Scale, Spacing, kind, mark, short, span};
use crate::stats::Estimate;

const BY_ROUND: &str = "Accuracy by prompt round";
const BY_SHOTS: &str = "Accuracy by number of shots";

/// A line of measured points, from left to right.
struct Series {
    name: String,
    kind: Kind,
    points: Vec<(f64, Estimate, String)>,
}

/// A level that gains are held against, and the least gain that matters.
struct Band {
    level: f64,
    least_gain: f64,
    name: String,
}

/// Round by round, one line an endpoint.
pub(super) fn by_round(report: &Report) -> Markup {
    let histories = &report.measurements.rounds;
    if histories.is_empty() {
        return nothing(
            BY_ROUND,
            "Only one round of prompts was measured: whether revisions still gain cannot be seen.",
        );
    }
    let series: Vec<Series> = histories.iter().map(|history| of_history(history, histories.len() > 1)).collect();
    let test = report.verdict.ceiling_test.as_ref();
    let reference = test.and_then(|test| {
        let id = test.reference.as_ref()?;
        let round = test.rounds.iter().find(|round| round.variant == *id)?;
        Some(Band { level: round.accuracy.point?, least_gain: test.delta_min, name: id.to_string() })
    });
    let caption = html! {
        @match &reference {
            Some(band) => (plateau(band, "A revision")),
            None => "Too few rounds for a plateau: four are needed.",
        }
    };
    let target = report.verdict.triggers.t2.target;
    framed(BY_ROUND, &caption, &lines(&series, reference.as_ref(), target, "round"))
}

fn plateau(band: &Band, what: &str) -> String {
    format!(
        "Shaded: the plateau above {} ({}). {what} that ends inside it gains less than the {} that matter.",
        band.name,
        Form::Percent.value(band.level),
        Form::Points.exact(band.least_gain)
    )
}

fn of_history(history: &History, named: bool) -> Series {
    let point =
        |step: &crate::measure::rounds::RoundStep| (f64::from(step.round), step.accuracy, step.variant.to_string());
    Series {
        name: if named { history.endpoint.to_string() } else { String::new() },
        kind: Kind::Prompted,
        points: history.rounds.iter().map(point).collect(),
    }
}

/// By the number of shots, all else alike: the model, the prompt, the parameters, how the shots are chosen.
pub(super) fn by_shots(report: &Report) -> Markup {
    let series = shot_series(report);
    if series.is_empty() {
        return nothing(BY_SHOTS, "No two variants differ in the number of shots alone.");
    }
    let least_gain = report.verdict.ceiling_test.as_ref().map(|test| test.delta_min);
    let first = series[0].points.first();
    let band = first.zip(least_gain).and_then(|((_, accuracy, name), least_gain)| {
        Some(Band { level: accuracy.point?, least_gain, name: name.clone() }).filter(|_| series.len() == 1)
    });
    let caption = html! {
        @match &band {
            Some(band) => (plateau(band, "A number of shots")),
            None => "Each line: the same prompt, model, parameters and choice of shots; only the number of examples in the prompt changes.",
        }
    };
    let target = report.verdict.triggers.t2.target;
    framed(BY_SHOTS, &caption, &lines(&series, band.as_ref(), target, "examples in the prompt"))
}

fn shot_series(report: &Report) -> Vec<Series> {
    let shots = |row: &VariantMeasurements| row.variant.shots.filter(|shots| shots.k > 0);
    let rows: Vec<&VariantMeasurements> =
        measured(report).map(|(_, row)| row).filter(|row| kind(row) != Kind::Bound).collect();
    let mut groups: Vec<Vec<&VariantMeasurements>> = Vec::new();
    for row in rows.iter().copied().filter(|row| shots(row).is_some()) {
        let chosen = shots(row).map(|shots| (shots.select, shots.seed));
        let belongs = |group: &&mut Vec<&VariantMeasurements>| {
            group.iter().any(|other| {
                alike_but_shots(&other.variant, &row.variant)
                    && shots(other).map(|shots| (shots.select, shots.seed)) == chosen
            })
        };
        match groups.iter_mut().find(belongs) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    let mut series = Vec::new();
    for mut group in groups {
        let bare = rows.iter().find(|row| shots(row).is_none() && alike_but_shots(&row.variant, &group[0].variant));
        group.extend(bare);
        group.sort_by_key(|row| shots(row).map_or(0, |shots| shots.k));
        let point = |row: &&VariantMeasurements| {
            let k = shots(row).map_or(0, |shots| shots.k);
            (f64::from(k), row.accuracy, row.variant.id.to_string())
        };
        if group.len() > 1 {
            let name = group[0].variant.id.to_string();
            series.push(Series { name, kind: kind(group[0]), points: group.iter().map(point).collect() });
        }
    }
    series
}

fn lines(series: &[Series], band: Option<&Band>, target: Option<f64>, name: &str) -> Markup {
    let frame = Frame::new(270.0, 46.0);
    let all = || series.iter().flat_map(|series| &series.points);
    let ends = all().flat_map(|(_, accuracy, _)| [accuracy.low, accuracy.high]).chain(target);
    let (low, high) = span(ends.chain(band.map(|band| band.level + band.least_gain)), 0.1).unwrap_or((0.0, 1.0));
    let y = frame.y((low.max(0.0), high.min(1.0)), Spacing::Linear);
    let x = frame.x(span(all().map(|(x, _, _)| *x), 1.0).unwrap_or((0.0, 1.0)), Spacing::Linear);
    let whole = |tick: f64| if tick.fract().abs() < 1e-9 { format!("{tick:.0}") } else { String::new() };
    frame.picture(name, &html! {
        @if let Some(band) = band {
            @let top = y.at((band.level + band.least_gain).min(1.0));
            rect.band x=(frame.left) y=(top) width=(frame.width - frame.right - frame.left) height=((y.at(band.level) - top).max(1.0)) {}
            line.edge x1=(frame.left) x2=(frame.width - frame.right) y1=(top) y2=(top) {}
        }
        (frame.y_axis(&y, |tick| format!("{:.0}%", tick * 100.0)))
        (frame.x_axis(&x, name, whole))
        @if let Some(target) = target {
            line.target x1=(frame.left) x2=(frame.width - frame.right) y1=(y.at(target)) y2=(y.at(target)) {}
            text.target-name x=(frame.left + 4.0) y=(y.at(target) - 4.0) { "target " (Form::Percent.exact(target)) }
        }
        @for (one, top) in series.iter().zip(name_tops(series, &y)) { (line(one, &x, &y, top)) }
    })
}

/// Heights for the names beside the first points, none on another.
fn name_tops(series: &[Series], y: &Scale) -> Vec<f64> {
    const APART: f64 = 13.0;
    let mut taken: Vec<f64> = Vec::new();
    for one in series {
        let first = one.points.first().and_then(|(_, accuracy, _)| accuracy.point).map_or(y.from, |point| y.at(point));
        let mut top = (first - 9.0).max(12.0);
        while taken.iter().any(|other| (other - top).abs() < APART) {
            top -= APART;
        }
        taken.push(top);
    }
    taken
}

fn line(series: &Series, x: &Scale, y: &Scale, name_top: f64) -> Markup {
    let places: Vec<(f64, f64)> =
        series.points.iter().filter_map(|(at, accuracy, _)| Some((x.at(*at), y.at(accuracy.point?)))).collect();
    let step = |(place, (x, y)): (usize, &(f64, f64))| format!("{}{x} {y}", if place == 0 { "M" } else { " L" });
    let path: String = places.iter().enumerate().map(step).collect();
    let first = places.first().copied().unwrap_or_default();
    html! {
        g.(series.kind.class()) data-kind=(series.kind.class()) {
            path.line d=(path) {}
            @for (at, accuracy, name) in &series.points {
                @if let Some(point) = accuracy.point {
                    @let says = format!("{name}\n{} [{}–{}], n {}", Form::Percent.value(point), Form::Percent.bare(accuracy.low), Form::Percent.bare(accuracy.high), accuracy.n);
                    g data-tip=(says) tabindex="0" role="img" aria-label=(says) {
                        line.whisker x1=(x.at(*at)) x2=(x.at(*at)) y1=(y.at(accuracy.low)) y2=(y.at(accuracy.high)) {}
                        (mark(series.kind, x.at(*at), y.at(point)))
                        circle.hit cx=(x.at(*at)) cy=(y.at(point)) r="11" {}
                    }
                }
            }
            @if !series.name.is_empty() {
                text.tick x=(first.0 + 9.0) y=(name_top) { (short(&series.name, 28)) }
            }
        }
    }
}
