//! Accuracy against cost: what more money buys.

use maud::{Markup, html};

use super::{framed, measured, nothing, switches};
use crate::measure::{TokenSum, VariantMeasurements};
use crate::report::Report;
use crate::report::figure::Form;
use crate::report::html::interval_name;
use crate::report::html::plot::{Frame, Kind, Spacing, kind, logarithmic_span, mark, short, span};
use crate::units::{format_usd, group_thousands};

const TITLE: &str = "Accuracy against cost";

/// A variant on the chart.
struct Spot<'a> {
    row: &'a VariantMeasurements,
    cost: (f64, f64, f64),
    accuracy: f64,
}

/// What the horizontal axis counts.
#[derive(Clone, Copy, PartialEq)]
enum Cost {
    Usd,
    /// Where no price is known: what would be billed.
    Tokens,
}

/// The chart; tokens stand for money where no price is known, which is said.
pub(super) fn chart(report: &Report) -> Markup {
    let priced = measured(report).filter(|(_, row)| row.cost.per_request.is_some()).count();
    let cost = if priced > 0 { Cost::Usd } else { Cost::Tokens };
    let spots: Vec<Spot<'_>> = measured(report).filter_map(|(_, row)| spot(row, cost)).collect();
    if spots.is_empty() {
        return nothing(TITLE, "Neither prices nor token counts are known.");
    }
    let rows: Vec<&VariantMeasurements> = spots.iter().map(|spot| spot.row).collect();
    let caption = html! {
        @match cost {
            Cost::Usd => "Mean USD a request. Dotted: nothing measured is both cheaper and better than what lies on it (bounds left out).",
            Cost::Tokens => "No price is known, so tokens a request (in and out) stand for cost. Dotted: nothing measured uses fewer and is better than what lies on it (bounds left out).",
        }
        " Bars: the " (interval_name(report)) " of each."
        @if cost == Cost::Usd && priced < measured(report).count() { " Variants of unknown cost are not drawn." }
    };
    framed(TITLE, &caption, &html! { (switches(&rows)) (drawn(report, &spots, cost)) })
}

fn spot(row: &VariantMeasurements, cost: Cost) -> Option<Spot<'_>> {
    let cost = match cost {
        Cost::Usd => {
            let each = row.cost.per_request?;
            (each.low, each.point?, each.high)
        }
        Cost::Tokens => {
            let usage = &row.usage;
            let cached = [&usage.cache_read_tokens, &usage.cache_write_5m_tokens, &usage.cache_write_1h_tokens];
            let uncached = usage.input_uncached_tokens.mean()? + usage.output_tokens.mean()?;
            let all = uncached + cached.into_iter().filter_map(TokenSum::mean).sum::<f64>();
            (all, all, all)
        }
    };
    (cost.1 > 0.0).then_some(Spot { row, cost, accuracy: row.accuracy.point? })
}

fn drawn(report: &Report, spots: &[Spot<'_>], cost: Cost) -> Markup {
    let frame = Frame::new(330.0, 46.0);
    let target = report.verdict.triggers.t2.target;
    let ends = spots.iter().flat_map(|spot| [spot.row.accuracy.low, spot.row.accuracy.high]).chain(target);
    let (low, high) = span(ends, 0.2).unwrap_or((0.0, 1.0));
    let y = frame.y((low.max(0.0), high.min(1.0)), Spacing::Linear);
    let costs = spots.iter().flat_map(|spot| [spot.cost.0, spot.cost.1, spot.cost.2]);
    let x = frame.x(logarithmic_span(costs).unwrap_or((1.0, 10.0)), Spacing::Logarithmic);
    let label = |tick: f64| if cost == Cost::Usd { format_usd(tick) } else { group_thousands(tick.round() as i128) };
    let name = if cost == Cost::Usd { "USD a request" } else { "tokens a request" };
    let places: Vec<(f64, f64)> = spots.iter().map(|spot| (x.at(spot.cost.1), y.at(spot.accuracy))).collect();
    let names = labels(spots, &places, &frame);
    frame.picture("Accuracy against cost, one mark a variant", &html! {
        (frame.y_axis(&y, |tick| format!("{:.0}%", tick * 100.0)))
        (frame.x_axis(&x, name, label))
        @if let Some(target) = target {
            line.target x1=(frame.left) x2=(frame.width - frame.right) y1=(y.at(target)) y2=(y.at(target)) {}
            text.target-name x=(frame.left + 4.0) y=(y.at(target) - 4.0) { "target " (Form::Percent.exact(target)) }
        }
        path.frontier d=(frontier(spots, &places)) {}
        @for (spot, (left, top)) in spots.iter().zip(&places) {
            g.(kind(spot.row).class()) data-kind=(kind(spot.row).class()) data-tip=(tip(spot, cost)) tabindex="0" role="img" aria-label=(tip(spot, cost)) {
                line.whisker x1=(left) x2=(left) y1=(y.at(spot.row.accuracy.low)) y2=(y.at(spot.row.accuracy.high)) opacity="0.5" {}
                line.whisker x1=(x.at(spot.cost.0)) x2=(x.at(spot.cost.2)) y1=(top) y2=(top) opacity="0.5" {}
                (mark(kind(spot.row), *left, *top))
                circle.hit cx=(left) cy=(top) r="11" {}
            }
        }
        @for (spot, place) in spots.iter().zip(&names) {
            @if let Some((left, top)) = place {
                text.tick data-kind=(kind(spot.row).class()) x=(left) y=(top) { (short(spot.row.variant.id.as_str(), 22)) }
            }
        }
    })
}

fn tip(spot: &Spot<'_>, cost: Cost) -> String {
    let accuracy = Form::Percent.value(spot.accuracy);
    let (low, high) = (Form::Percent.bare(spot.row.accuracy.low), Form::Percent.bare(spot.row.accuracy.high));
    let cost = match cost {
        Cost::Usd => format!("{} a request", format_usd(spot.cost.1)),
        Cost::Tokens => format!("{} tokens a request", group_thousands(spot.cost.1.round() as i128)),
    };
    format!("{}\n{accuracy} [{low}–{high}]\n{cost}", spot.row.variant.id)
}

/// The steps along the best that each amount buys.
fn frontier(spots: &[Spot<'_>], places: &[(f64, f64)]) -> String {
    let mut order: Vec<usize> = (0..spots.len()).filter(|&place| kind(spots[place].row) != Kind::Bound).collect();
    order.sort_by(|&a, &b| {
        spots[a].cost.1.total_cmp(&spots[b].cost.1).then(spots[b].accuracy.total_cmp(&spots[a].accuracy))
    });
    let mut path = String::new();
    let mut best = f64::NEG_INFINITY;
    for place in order {
        if spots[place].accuracy > best {
            let (x, y) = places[place];
            path.push_str(&if path.is_empty() { format!("M{x} {y}") } else { format!(" H{x} V{y}") });
            best = spots[place].accuracy;
        }
    }
    path
}

/// Where names go so that none lies on another; `None` where there is no room: the tooltip has it.
fn labels(spots: &[Spot<'_>], places: &[(f64, f64)], frame: &Frame) -> Vec<Option<(f64, f64)>> {
    let mut taken: Vec<[f64; 4]> = places.iter().map(|(x, y)| [x - 5.0, y - 5.0, x + 5.0, y + 5.0]).collect();
    let clear = |taken: &[[f64; 4]], new: &[f64; 4]| {
        let apart = |old: &[f64; 4]| new[2] < old[0] || old[2] < new[0] || new[3] < old[1] || old[3] < new[1];
        let inside =
            new[0] >= frame.left && new[2] <= frame.width && new[1] >= 2.0 && new[3] <= frame.height - frame.bottom;
        inside && taken.iter().all(apart)
    };
    spots
        .iter()
        .zip(places)
        .map(|(spot, (x, y))| {
            let width = short(spot.row.variant.id.as_str(), 22).chars().count() as f64 * 6.1;
            let beside =
                [(8.0, 4.0), (-8.0 - width, 4.0), (8.0, -8.0), (8.0, 15.0), (-8.0 - width, -8.0), (-8.0 - width, 15.0)];
            let found = beside.into_iter().find_map(|(dx, dy)| {
                let new = [x + dx, y + dy - 10.0, x + dx + width, y + dy + 2.0];
                clear(&taken, &new).then_some((x + dx, y + dy, new))
            });
            let (left, top, new) = found?;
            taken.push(new);
            Some((crate::report::html::plot::round(left), crate::report::html::plot::round(top)))
        })
        .collect()
}
