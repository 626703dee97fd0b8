//! What a month costs against its volume, with the point from which training pays back.

use maud::{Markup, html};

use super::{framed, nothing};
use crate::decide::BreakEven;
use crate::report::Report;
use crate::report::figure::Form;
use crate::report::html::plot::{Frame, Kind, Scale, Spacing, logarithmic_span};
use crate::units::{format_usd, group_thousands};

const TITLE: &str = "Cost a month against volume";

/// A straight cost: so much a request, and so much a month whatever the volume.
struct Line {
    name: String,
    kind: Kind,
    usd_per_request: f64,
    usd_per_month: f64,
}

impl Line {
    fn at(&self, volume: f64) -> f64 {
        self.usd_per_request * volume + self.usd_per_month
    }
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
    let mut lines = vec![Line {
        name: now.variant.id.to_string(),
        kind: Kind::Prompted,
        usd_per_request: each,
        usd_per_month: 0.0,
    }];
    lines.extend(trained(known, each));
    let caption = html! {
        (known.explanation) ". "
        @if lines.len() > 1 {
            "The tuned line spreads what training costs over " (Form::Months.exact(known.horizon_months)) " and adds upkeep, each in the middle of its range. Shaded: the volume that is expected."
        }
    };
    framed(TITLE, &caption, &drawn(known, &lines, verdict.triggers.t4.target))
}

fn middle(range: crate::suite::Range) -> f64 {
    f64::midpoint(range.low, range.high)
}

fn trained(known: &BreakEven, now: f64) -> Option<Line> {
    let (variant, saving) = (known.variant.as_ref()?, known.saving_usd?.point?);
    let fixed = middle(known.fixed_usd) / known.horizon_months + middle(known.upkeep_usd_per_month);
    (known.horizon_months > 0.0 && fixed.is_finite()).then(|| Line {
        name: variant.to_string(),
        kind: Kind::Tuned,
        usd_per_request: (now - saving).max(0.0),
        usd_per_month: fixed,
    })
}

/// Where the two lines meet, if they do.
fn meeting(lines: &[Line]) -> Option<f64> {
    let [now, trained] = lines else { return None };
    let saving = now.usd_per_request - trained.usd_per_request;
    (saving > 0.0).then(|| trained.usd_per_month / saving)
}

fn drawn(known: &BreakEven, lines: &[Line], budget: Option<f64>) -> Markup {
    let frame = Frame::new(300.0, 64.0);
    let meets = meeting(lines);
    let volumes = known.requests_per_month;
    let around = [volumes.low / 10.0, volumes.high * 10.0].into_iter().chain(meets);
    let x = frame.x(logarithmic_span(around).unwrap_or((1e3, 1e6)), Spacing::Logarithmic);
    let ends = lines.iter().flat_map(|line| [line.at(x.low), line.at(x.high)]).chain(budget);
    let y = frame.y(logarithmic_span(ends).unwrap_or((1.0, 1e4)), Spacing::Logarithmic);
    frame.picture("Cost a month against requests a month", &html! {
        rect.band x=(x.at(volumes.low)) y=(frame.top) width=((x.at(volumes.high) - x.at(volumes.low)).max(2.0)) height=(frame.height - frame.bottom - frame.top) {}
        (frame.y_axis(&y, format_usd))
        (frame.x_axis(&x, "requests a month", |tick| group_thousands(tick.round() as i128)))
        @if let Some(budget) = budget {
            line.target x1=(frame.left) x2=(frame.width - frame.right) y1=(y.at(budget)) y2=(y.at(budget)) {}
            text.target-name x=(frame.left + 4.0) y=(y.at(budget) - 4.0) { "budget " (format_usd(budget)) }
        }
        @for line in lines { (one(line, &x, &y)) }
        @if let (Some(meets), Some(now)) = (meets, lines.first()) {
            @let says = format!("break-even within the horizon at {} requests a month", group_thousands(meets.round() as i128));
            g data-tip=(says) tabindex="0" role="img" aria-label=(says) {
                circle.hollow cx=(x.at(meets)) cy=(y.at(now.at(meets))) r="6" stroke="currentColor" {}
                text x=(x.at(meets)) y=(y.at(now.at(meets)) - 12.0) text-anchor="middle" { "break-even " (group_thousands(meets.round() as i128)) }
            }
        }
    })
}

fn one(line: &Line, x: &Scale, y: &Scale) -> Markup {
    // A sum is no straight line on logarithmic axes.
    const STEPS: u32 = 60;
    let volume = |step: u32| x.low * (x.high / x.low).powf(f64::from(step) / f64::from(STEPS));
    let path: String = (0..=STEPS)
        .map(|step| {
            format!("{}{} {}", if step == 0 { "M" } else { " L" }, x.at(volume(step)), y.at(line.at(volume(step))))
        })
        .collect();
    let says = format!(
        "{}: {} a request, {} a month beside",
        line.name,
        format_usd(line.usd_per_request),
        format_usd(line.usd_per_month)
    );
    html! {
        g.(line.kind.class()) data-kind=(line.kind.class()) data-tip=(says) tabindex="0" role="img" aria-label=(says) {
            path.line d=(path) {}
            text.tick x=(x.to - 4.0) y=(y.at(line.at(x.high)) - 6.0) text-anchor="end" { (crate::report::html::plot::short(&line.name, 24)) }
        }
    }
}
