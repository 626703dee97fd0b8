//! What a month costs against its volume, with the volumes from which training pays back.

use maud::{Markup, html};

use super::{framed, nothing};
use crate::decide::BreakEven;
use crate::measure::VariantMeasurements;
use crate::report::Report;
use crate::report::figure::Form;
use crate::report::html::plot::{Frame, Kind, Scale, Spacing, logarithmic_span, round, short};
use crate::stats::Estimate;
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
        self.usd_per_request * volume + self.usd_per_month
    }
}

/// What a variant costs, and what its line says of it.
struct Line {
    name: String,
    says: String,
    kind: Kind,
    cost: Cost,
}

/// Both sides of the break-even, where a tuned variant was measured.
struct Sides {
    prompted: Line,
    tuned: Option<Tuned>,
}

struct Tuned {
    line: Line,
    /// At the cheap end of every range.
    cheap: Cost,
    /// At the dear end.
    dear: Cost,
    /// What a request of the prompt costs more in errors, where an error has a price.
    errors_usd: f64,
}

/// The chart; where costs are not known it says so.
pub(super) fn chart(report: &Report) -> Markup {
    let verdict = &report.verdict;
    let now = verdict.incumbent.as_ref().and_then(|id| report.variant(id)).map(|(_, row)| row);
    let Some((now, each)) = now.and_then(|row| Some((row, row.cost.per_request?.point?))) else {
        let why = now.and_then(|row| row.cost.note.clone()).map_or(String::new(), |why| format!(": {why}"));
        return nothing(TITLE, &format!("The cost of the variant in use is unknown{why}."));
    };
    let Some(known) = &verdict.break_even else {
        return nothing(
            TITLE,
            "What training costs and how many requests a month brings are not configured ([economics]).",
        );
    };
    let sides = sides(report, known, (now, each));
    framed(TITLE, &caption(known, &sides), &drawn(known, &sides, verdict.triggers.t4.target))
}

fn caption(known: &BreakEven, sides: &Sides) -> Markup {
    html! {
        (known.explanation) ". "
        @if let Some(tuned) = &sides.tuned {
            "Tuned: training spread over " (Form::Months.exact(known.horizon_months))
            ", with upkeep; the band runs from the cheap to the dear end of every range, the rings are the break-even at each."
            @if known.volume_high.is_none() { " At the dear end it never breaks even." }
            @if tuned.errors_usd > 0.0 {
                " An error has a price: the prompt's line holds the errors that tuning avoids, "
                (format_usd(tuned.errors_usd)) " a request."
            }
            " Shaded: the expected volume."
        }
    }
}

fn sides(report: &Report, known: &BreakEven, (now, each): (&VariantMeasurements, f64)) -> Sides {
    let prompted = |usd_per_request| Line {
        name: now.variant.id.to_string(),
        says: format!("{}: {} a request", now.variant.id, format_usd(each)),
        kind: Kind::Prompted,
        cost: Cost { usd_per_request, usd_per_month: 0.0 },
    };
    let measured = known.variant.as_ref().and_then(|id| report.variant(id)).map(|(_, row)| row);
    let priced = measured.and_then(|row| Some((row, row.cost.per_request?.point?, known.saving_usd?)));
    match priced.and_then(|priced| tuned(known, each, priced)) {
        // What the saving holds beyond the two prices are errors that tuning avoids.
        Some(tuned) => Sides { prompted: prompted(each + tuned.errors_usd), tuned: Some(tuned) },
        None => Sides { prompted: prompted(each), tuned: None },
    }
}

fn tuned(known: &BreakEven, now: f64, (row, own, saving): (&VariantMeasurements, f64, Estimate)) -> Option<Tuned> {
    let errors_usd = saving.point? - (now - own);
    // Below a thousandth of the price it is only that the two are means of different examples.
    let errors_usd = if errors_usd > 1e-3 * now { errors_usd } else { 0.0 };
    let all = now + errors_usd;
    let (fixed, upkeep) = (known.fixed_usd, known.upkeep_usd_per_month);
    let cost = |saving: f64, fixed: f64, upkeep: f64| Cost {
        usd_per_request: all - saving,
        usd_per_month: fixed / known.horizon_months + upkeep,
    };
    let middle = |range: Range| f64::midpoint(range.low, range.high);
    let finite = [saving.low, saving.high, fixed.high, upkeep.high].into_iter().all(f64::is_finite);
    (finite && known.horizon_months > 0.0).then(|| Tuned {
        line: Line {
            name: row.variant.id.to_string(),
            says: format!("{}: {} a request, and training and upkeep", row.variant.id, format_usd(own)),
            kind: Kind::Tuned,
            cost: Cost { usd_per_request: own, ..cost(0.0, middle(fixed), middle(upkeep)) },
        },
        cheap: cost(saving.high, fixed.low, upkeep.low),
        dear: cost(saving.low, fixed.high, upkeep.high),
        errors_usd,
    })
}

fn drawn(known: &BreakEven, sides: &Sides, budget: Option<f64>) -> Markup {
    let frame = Frame::new(300.0, 64.0);
    let volumes = known.requests_per_month;
    let marks = [(known.volume_low, "cheap"), (known.volume_high, "dear")];
    let marks = marks.into_iter().filter(|_| sides.tuned.is_some()).filter_map(|(volume, end)| Some((volume?, end)));
    let marks: Vec<(f64, &str)> = marks.collect();
    let around = [volumes.low / 10.0, volumes.high * 10.0].into_iter().chain(marks.iter().map(|(volume, _)| *volume));
    let x = frame.x(logarithmic_span(around).unwrap_or((1e3, 1e6)), Spacing::Logarithmic);
    let lines: Vec<&Line> =
        std::iter::once(&sides.prompted).chain(sides.tuned.as_ref().map(|tuned| &tuned.line)).collect();
    let ends = lines.iter().flat_map(|line| [line.cost.at(x.low), line.cost.at(x.high)]).chain(budget);
    let y = frame.y(logarithmic_span(ends).unwrap_or((1.0, 1e4)), Spacing::Logarithmic);
    let (left, right) = (x.at(volumes.low), x.at(volumes.high));
    let bottom = frame.height - frame.bottom;
    frame.picture("Cost a month against requests a month", &html! {
        rect.band x=(left) y=(frame.top) width=((right - left).max(2.0)) height=(bottom - frame.top) {}
        line.edge x1=(left) x2=(left) y1=(frame.top) y2=(bottom) {}
        line.edge x1=(right) x2=(right) y1=(frame.top) y2=(bottom) {}
        text.tick x=(round(f64::midpoint(left, right))) y=(frame.top - 4.0) text-anchor="middle" { "expected " (expected(volumes)) }
        (frame.y_axis(&y, format_usd))
        (frame.x_axis(&x, "requests a month", |tick| group_thousands(tick.round() as i128)))
        @if let Some(budget) = budget {
            line.target x1=(frame.left) x2=(frame.width - frame.right) y1=(y.at(budget)) y2=(y.at(budget)) {}
            text.target-name x=(frame.left + 4.0) y=(y.at(budget) - 4.0) { "budget " (format_usd(budget)) }
        }
        @if let Some(tuned) = &sides.tuned { g.tuned { path.area opacity="0.2" d=(band(tuned, &x, &y)) {} } }
        @for line in lines { (one(line, &x, &y)) }
        @for (volume, end) in marks { (break_even(volume, end, sides.prompted.cost, &x, &y)) }
    })
}

fn expected(volumes: Range) -> String {
    let count = |volume: f64| group_thousands(volume.round() as i128);
    match volumes.low == volumes.high {
        true => count(volumes.low),
        false => format!("{} to {}", count(volumes.low), count(volumes.high)),
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

fn band(tuned: &Tuned, x: &Scale, y: &Scale) -> String {
    let forth = volumes(x).map(|volume| (x.at(volume), y.at(tuned.cheap.at(volume))));
    let back = volumes(x).rev().map(|volume| (x.at(volume), y.at(tuned.dear.at(volume))));
    path(forth.chain(back)) + " Z"
}

fn one(line: &Line, x: &Scale, y: &Scale) -> Markup {
    let class = line.kind.class();
    html! {
        g.(class) data-kind=(class) data-tip=(line.says) tabindex="0" role="img" aria-label=(line.says) {
            path.line d=(path(volumes(x).map(|volume| (x.at(volume), y.at(line.cost.at(volume)))))) {}
            text.tick x=(x.from + 8.0) y=(y.at(line.cost.at(x.low)) - 8.0) { (short(&line.name, 24)) }
        }
    }
}
