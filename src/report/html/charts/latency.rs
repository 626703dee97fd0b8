//! How the times spread: one row a variant, as a histogram on a logarithmic axis.

use maud::{Markup, html};

use super::{framed, measured, nothing};
use crate::measure::{Latency, RunProvenance, VariantMeasurements};
use crate::report::Report;
use crate::report::figure::{Figure, Form};
use crate::report::html::plot::{Frame, Scale, Spacing, kind, logarithmic_span, round, short};

const TITLE: &str = "Latency";
const ROW: f64 = 30.0;
/// Bars of a histogram: as fine as a row can show.
const BARS: usize = 48;

/// One of the two times that are measured.
struct Time {
    name: &'static str,
    at: &'static str,
    of: fn(&VariantMeasurements) -> &Latency,
}

const TIMES: [Time; 2] = [
    Time { name: "first token", at: "ttft_ms", of: |row| &row.ttft },
    Time { name: "whole answer", at: "total_ms", of: |row| &row.total },
];

/// The chart, with a panel for each time.
pub(super) fn chart(report: &Report) -> Markup {
    let has = |time: &&Time| measured(report).any(|(_, row)| (time.of)(row).n() > 0);
    let times: Vec<&Time> = TIMES.iter().filter(has).collect();
    if times.is_empty() {
        return nothing(TITLE, "No time was measured: answers came by batch, or from the store.");
    }
    let measurements = &report.measurements;
    let caption = html! {
        "Each row: how the times spread (the slowest half percent in the last bar), the median (●), and p95 with its interval (|). "
        @match (measurements.provenance, measurements.latency_comparable) {
            (RunProvenance::Live, _) => "Measured in this run, under its own load.",
            (RunProvenance::Imported, _) => "The times are those that the other tool states.",
            (_, true) => "The times are those of the recording, which declares them comparable.",
            (_, false) => "The times are those of the recording, and not comparable between variants.",
        }
    };
    let target = report.verdict.triggers.t3.target;
    framed(
        TITLE,
        &caption,
        &html! {
            @if times.len() > 1 {
                div.toggles { @for (place, time) in times.iter().enumerate() {
                    button type="button" data-group="latency" data-panel=(format!("latency-{place}")) aria-pressed=(place == 0) { (time.name) }
                } }
            }
            @for (place, time) in times.iter().enumerate() {
                div id=(format!("latency-{place}")) hidden[place > 0] {
                    (drawn(report, time, target.filter(|_| time.at == "ttft_ms")))
                }
            }
        },
    )
}

fn drawn(report: &Report, time: &Time, target: Option<f64>) -> Markup {
    let rows: Vec<(usize, &VariantMeasurements)> = measured(report).filter(|(_, row)| (time.of)(row).n() > 0).collect();
    let frame = Frame { top: 26.0, ..Frame::new(26.0 + 38.0 + ROW * rows.len() as f64, 150.0) };
    // The slowest thousandth would press all others to the left.
    let ends = rows.iter().flat_map(|(_, row)| {
        let Latency { sorted_ms, p95, .. } = (time.of)(row);
        let last = sorted_ms.get(sorted_ms.len().saturating_sub(1) * 995 / 1000);
        [sorted_ms.first().copied(), last.copied(), p95.map(|p95| p95.high)].into_iter().flatten()
    });
    let x = frame.x(logarithmic_span(ends.chain(target)).unwrap_or((1.0, 1000.0)), Spacing::Logarithmic);
    frame.picture(time.name, &html! {
        (frame.x_axis(&x, &format!("milliseconds to the {}", time.name), |tick| Form::Milliseconds.bare(tick)))
        @for (line, (place, row)) in rows.iter().enumerate() { (spread(&frame, &x, time, (line, *place, row))) }
        @if let Some(target) = target {
            line.target x1=(x.at(target)) x2=(x.at(target)) y1=(frame.top - 4.0) y2=(frame.height - frame.bottom) {}
            text.target-name x=(x.at(target)) y=(frame.top - 9.0) text-anchor="middle" { "target p95 " (Form::Milliseconds.exact(target)) }
        }
    })
}

fn spread(frame: &Frame, x: &Scale, time: &Time, (line, place, row): (usize, usize, &VariantMeasurements)) -> Markup {
    let latency = (time.of)(row);
    let base = frame.top + ROW * (line as f64 + 1.0) - 5.0;
    let figure = |found: Option<crate::stats::Estimate>, name: &str| {
        found.map_or_else(
            || "unknown".to_owned(),
            |found| {
                Figure::estimate(&found, Form::Milliseconds, &format!("/variants/{place}/{}/{name}", time.at)).text()
            },
        )
    };
    let late = if latency.censored > 0 { format!("\n{} never came", latency.censored) } else { String::new() };
    let says =
        format!("{}\np50 {}\np95 {}{late}", row.variant.id, figure(latency.p50, "p50"), figure(latency.p95, "p95"));
    html! {
        text.tick x=(frame.left - 8.0) y=(base - 3.0) text-anchor="end" { (short(row.variant.id.as_str(), 22)) }
        g.(kind(row).class()) data-kind=(kind(row).class()) data-tip=(says) tabindex="0" role="img" aria-label=(says) {
            @if latency.sorted_ms.is_empty() {
                text.tick x=(frame.left + 4.0) y=(base - 3.0) { "none of " (latency.n()) " came" }
            } @else {
                path.area d=(histogram(&latency.sorted_ms, x, base)) {}
            }
            @if let Some(p50) = latency.p50.and_then(|p50| p50.point) { circle.dot cx=(x.at(p50)) cy=(base) r="4" {} }
            @if let Some(p95) = latency.p95 {
                line.whisker x1=(x.at(p95.low)) x2=(x.at(p95.high)) y1=(base) y2=(base) {}
                @if let Some(point) = p95.point { line.whisker x1=(x.at(point)) x2=(x.at(point)) y1=(base - 7.0) y2=(base + 4.0) {} }
            }
            rect.hit x=(frame.left) y=(base - ROW + 5.0) width=(frame.width - frame.left) height=(ROW) {}
        }
    }
}

/// The share of times in each bar, drawn as one outline over the base line.
fn histogram(sorted_ms: &[f64], x: &Scale, base: f64) -> String {
    let mut counts = [0_usize; BARS];
    for ms in sorted_ms {
        let share = (x.at(*ms) - x.from) / (x.to - x.from);
        counts[((share * BARS as f64) as usize).min(BARS - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let (width, height) = ((x.to - x.from) / BARS as f64, ROW - 8.0);
    let first = counts.iter().position(|count| *count > 0).unwrap_or(0);
    let last = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
    let mut path = format!("M{} {}", round(x.from + width * first as f64), round(base));
    for (place, count) in counts.iter().enumerate().take(last + 1).skip(first) {
        let top = round(base - height * *count as f64 / most as f64);
        path.push_str(&format!(" V{top} H{}", round(x.from + width * (place as f64 + 1.0))));
    }
    path + &format!(" V{} Z", round(base))
}
