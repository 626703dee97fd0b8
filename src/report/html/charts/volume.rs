//! What a month costs against its volume, with the point from which training pays back.

use maud::{Markup, html};

use super::{framed, nothing};
use crate::decide::BreakEven;
use crate::report::Report;
use crate::report::figure::Form;
use crate::report::html::plot::{Frame, Kind, Scale, Spacing, logarithmic_span, round, short};
use crate::suite::Range;
use crate::units::{format_usd, group_thousands};

const TITLE: &str = "Cost a month against volume";

/// A cost that is straight in the volume: so much a request, and so much a month whatever the volume.
#[derive(Clone, Copy)]
struct Cost {
    usd_per_request: f64,
    usd_per_month: f64,
}

impl Cost {
    fn at(self, volume: f64) -> f64 {
        (self.usd_per_request * volume + self.usd_per_month).max(0.0)
    }
}

/// What a tuned model costs at the cheap end of every range, in the middle, and at the dear end.
struct Trained {
    name: String,
    cheap: Cost,
    middle: Cost,
    dear: Cost,
}

/// The chart; where costs are not known it says so.
pub(super) fn chart(report: &Report) -> Markup {
    let verdict = &report.verdict;
    let known = verdict.break_even.as_ref();
    let now = verdict.incumbent.as_ref().and_then(|id| report.variant(id)).map(|(_, row)| row);
    let Some((now, each)) = now.and_then(|row| Some((row, row.cost.per_request?.point?))) else {
        let why = now.and_then(|row| row.cost.note.clone()).map_or(String::new(), |why| format!(": {why}"));
        return nothing(TITLE, &format!("The cost of the variant in use is unknown{why}."));
    };
    let Some(known) = known else {
        return nothing(
            TITLE,
            "What training costs and how many requests a month brings are not configured ([economics]).",
        );
    };
    let prompted = Cost { usd_per_request: each, usd_per_month: 0.0 };
    let trained = trained(known, each);
    let caption = html! {
        (known.explanation) ". "
        @if trained.is_some() {
            "Tuned: training spread over " (Form::Months.exact(known.horizon_months))
            ", with upkeep; the band runs from the cheap to the dear end of every range. Shaded: the volume that is expected."
        }
    };
    let lines = Lines { name: now.variant.id.to_string(), prompted, trained };
    framed(TITLE, &caption, &drawn(known, &lines, verdict.triggers.t4.target))
}

struct Lines {
    name: String,
    prompted: Cost,
    trained: Option<Trained>,
}

fn trained(known: &BreakEven, now: f64) -> Option<Trained> {
    let (variant, saving) = (known.variant.as_ref()?, known.saving_usd?);
    let (fixed, upkeep) = (known.fixed_usd, known.upkeep_usd_per_month);
    let cost = |saving: f64, fixed: f64, upkeep: f64| Cost {
        usd_per_request: now - saving,
        usd_per_month: fixed / known.horizon_months + upkeep,
    };
    let usable =
        known.horizon_months > 0.0 && fixed.high.is_finite() && saving.low.is_finite() && saving.high.is_finite();
    let middle = |range: Range| f64::midpoint(range.low, range.high);
    usable.then_some(Trained {
        name: variant.to_string(),
        cheap: cost(saving.high, fixed.low, upkeep.low),
        middle: cost(saving.point?, middle(fixed), middle(upkeep)),
        dear: cost(saving.low, fixed.high, upkeep.high),
    })
}

fn drawn(known: &BreakEven, lines: &Lines, budget: Option<f64>) -> Markup {
    let frame = Frame::new(300.0, 64.0);
    let volumes = known.requests_per_month;
    let around = [volumes.low / 10.0, volumes.high * 10.0].into_iter().chain(known.volume_low).chain(known.volume_high);
    let x = frame.x(logarithmic_span(around).unwrap_or((1e3, 1e6)), Spacing::Logarithmic);
    let all = [Some(lines.prompted), lines.trained.as_ref().map(|trained| trained.middle)];
    let ends = all.into_iter().flatten().flat_map(|cost| [cost.at(x.low), cost.at(x.high)]).chain(budget);
    let y = frame.y(logarithmic_span(ends).unwrap_or((1.0, 1e4)), Spacing::Logarithmic);
    let (left, right) = (x.at(volumes.low), x.at(volumes.high));
    frame.picture("Cost a month against requests a month", &html! {
        rect.band x=(left) y=(frame.top) width=((right - left).max(2.0)) height=(frame.height - frame.bottom - frame.top) {}
        line.edge x1=(left) x2=(left) y1=(frame.top) y2=(frame.height - frame.bottom) {}
        line.edge x1=(right) x2=(right) y1=(frame.top) y2=(frame.height - frame.bottom) {}
        text.tick x=(round(f64::midpoint(left, right))) y=(frame.top - 4.0) text-anchor="middle" { "expected " (expected(volumes)) }
        (frame.y_axis(&y, format_usd))
        (frame.x_axis(&x, "requests a month", |tick| group_thousands(tick.round() as i128)))
        @if let Some(budget) = budget {
            line.target x1=(frame.left) x2=(frame.width - frame.right) y1=(y.at(budget)) y2=(y.at(budget)) {}
            text.target-name x=(frame.left + 4.0) y=(y.at(budget) - 4.0) { "budget " (format_usd(budget)) }
        }
        (line(&lines.name, Kind::Prompted, lines.prompted, &x, &y))
        @if let Some(trained) = &lines.trained {
            g.tuned { path.area opacity="0.2" d=(band(trained, &x, &y)) {} }
            (line(&trained.name, Kind::Tuned, trained.middle, &x, &y))
        }
        @for (volume, end) in [(known.volume_low, "cheap"), (known.volume_high, "dear")] {
            @if let Some(volume) = volume { (break_even(volume, end, lines.prompted, &x, &y)) }
        }
    })
}

fn expected(volumes: Range) -> String {
    let count = |volume: f64| group_thousands(volume.round() as i128);
    if volumes.low == volumes.high {
        count(volumes.low)
    } else {
        format!("{} to {}", count(volumes.low), count(volumes.high))
    }
}

/// Where prompting and the tuned model cost alike within the horizon.
fn break_even(volume: f64, end: &str, prompted: Cost, x: &Scale, y: &Scale) -> Markup {
    let volume_text = group_thousands(volume.ceil() as i128);
    let says = format!("break-even at the {end} end of every range: {volume_text} requests a month");
    let (left, top) = (x.at(volume), y.at(prompted.at(volume)));
    html! {
        g.bound data-tip=(says) tabindex="0" role="img" aria-label=(says) {
            circle.hollow cx=(left) cy=(top) r="5.5" {}
            text.tick x=(left) y=(if end == "cheap" { top + 18.0 } else { top - 10.0 }) text-anchor="middle" { (volume_text) }
        }
    }
}

/// Steps of a curve: a sum is no straight line on logarithmic axes.
const STEPS: u32 = 60;

fn volumes(x: &Scale) -> impl DoubleEndedIterator<Item = f64> {
    let (low, high) = (x.low, x.high);
    (0..=STEPS).map(move |step| low * (high / low).powf(f64::from(step) / f64::from(STEPS)))
}

fn path(places: impl Iterator<Item = (f64, f64)>) -> String {
    let step = |(step, (x, y)): (usize, (f64, f64))| format!("{}{x} {y}", if step == 0 { "M" } else { " L" });
    places.enumerate().map(step).collect()
}

fn band(trained: &Trained, x: &Scale, y: &Scale) -> String {
    let forth = volumes(x).map(|volume| (x.at(volume), y.at(trained.cheap.at(volume))));
    let back = volumes(x).rev().map(|volume| (x.at(volume), y.at(trained.dear.at(volume))));
    path(forth.chain(back)) + " Z"
}

fn line(name: &str, kind: Kind, cost: Cost, x: &Scale, y: &Scale) -> Markup {
    let beside = if cost.usd_per_month > 0.0 {
        format!(" and {} a month beside", format_usd(cost.usd_per_month))
    } else {
        String::new()
    };
    let says = format!("{name}: {} a request{beside}", format_usd(cost.usd_per_request));
    html! {
        g.(kind.class()) data-kind=(kind.class()) data-tip=(says) tabindex="0" role="img" aria-label=(says) {
            path.line d=(path(volumes(x).map(|volume| (x.at(volume), y.at(cost.at(volume)))))) {}
            text.tick x=(x.from + 8.0) y=(y.at(cost.at(x.low)) - 8.0) { (short(name, 24)) }
        }
    }
}
