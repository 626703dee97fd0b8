//! The scoreboard, sortable by every column.

use maud::{Markup, html};

use super::plot::{Kind, kind};
use super::{estimate, figure};
use crate::measure::standing::Standing;
use crate::measure::trained::Trained;
use crate::measure::{OutcomeCounts, TokenSum, VariantMeasurements};
use crate::report::Report;
use crate::report::figure::{Figure, Form};
use crate::report::trained::WHAT;
use crate::stats::Estimate;
use crate::units::group_thousands;

/// What a column shows of a row; `None` where there is nothing.
type CellOf = fn(&Cell<'_>) -> Option<Markup>;

/// The column beside which the bar stands.
const ACCURACY: &str = "accuracy";

/// A row with its place among the variants.
struct Cell<'a> {
    at: String,
    row: &'a VariantMeasurements,
    /// Of all rows together: a count that some row has is zero in the others, not missing.
    all: OutcomeCounts,
}

impl Cell<'_> {
    fn of(&self, found: Option<Estimate>, form: Form, name: &str) -> Option<Markup> {
        let found = found.filter(|found| found.point.is_some())?;
        Some(figure(&Figure::estimate(&found, form, &format!("{}/{name}", self.at))))
    }

    /// An estimate's number without its interval: the table would be too wide to read.
    fn number(&self, found: Option<Estimate>, form: Form, name: &str) -> Option<Markup> {
        let point = found.and_then(|found| found.point)?;
        Some(figure(&Figure::plain(point, form, format!("{}/{name}/point", self.at))))
    }

    fn tokens(&self, sum: &TokenSum, name: &str) -> Option<Markup> {
        Some(figure(&Figure::plain(sum.mean()?, Form::Count, format!("{}/usage/{name}", self.at))))
    }

    fn count(&self, of: fn(&OutcomeCounts) -> u64, name: &str) -> Option<Markup> {
        let shown =
            || Figure::plain(of(&self.row.outcomes) as f64, Form::Count, format!("{}/outcomes/{name}", self.at));
        (of(&self.all) > 0).then(|| figure(&shown()))
    }
}

/// The columns in order; one that says nothing of any row is left out.
const COLUMNS: &[(&str, CellOf)] = &[
    ("n", |cell| Some(figure(&Figure::plain(cell.row.accuracy.n as f64, Form::Count, format!("{}/n", cell.at))))),
    (ACCURACY, |cell| cell.of(Some(cell.row.accuracy), Form::Percent, "accuracy")),
    ("macro-F1", |cell| cell.number(cell.row.macro_f1, Form::Number, "macro_f1")),
    ("schema-valid", |cell| cell.of(cell.row.validity_strict, Form::Percent, "schema_validity_strict")),
    ("valid, leniently", |cell| cell.number(cell.row.validity_lenient, Form::Percent, "schema_validity_lenient")),
    ("refused", |cell| cell.count(|outcomes| outcomes.refused, "refused")),
    ("cut", |cell| cell.count(|outcomes| outcomes.truncated, "truncated")),
    ("failed", |cell| cell.count(|outcomes| outcomes.failed, "failed")),
    ("first token p50", |cell| cell.number(cell.row.ttft.p50, Form::Milliseconds, "ttft_ms/p50")),
    ("p95", |cell| cell.number(cell.row.ttft.p95, Form::Milliseconds, "ttft_ms/p95")),
    ("whole answer p50", |cell| cell.number(cell.row.total.p50, Form::Milliseconds, "total_ms/p50")),
    ("p95", |cell| cell.number(cell.row.total.p95, Form::Milliseconds, "total_ms/p95")),
    ("tokens in", |cell| cell.tokens(&cell.row.usage.input_uncached_tokens, "input_uncached_tokens")),
    ("cached", |cell| cell.tokens(&cell.row.usage.cache_read_tokens, "cache_read_tokens")),
    ("out", |cell| cell.tokens(&cell.row.usage.output_tokens, "output_tokens")),
    ("$ a request", |cell| cell.of(cell.row.cost.per_request, Form::Usd, "cost_usd_per_request")),
    ("$ a correct answer", |cell| cell.of(cell.row.cost.per_correct, Form::Usd, "cost_usd_per_correct")),
];

/// The table, with a bar for each accuracy and its interval.
pub(super) fn scoreboard(report: &Report) -> Markup {
    let cells: Vec<Cell<'_>> = rows(report);
    let says = |(_, of): &&(&str, CellOf)| cells.iter().any(|cell| of(cell).is_some());
    let kept: Vec<(&str, CellOf)> = COLUMNS.iter().filter(says).copied().collect();
    let target = report.verdict.triggers.t2.target;
    html! {
        div.scroll tabindex="0" role="region" aria-label="Scoreboard" { table.sortable.sticky {
            thead { tr {
                th scope="col" { button type="button" { "variant" } }
                @for (name, _) in &kept {
                    th scope="col" { button type="button" { (name) } }
                    @if *name == ACCURACY { th aria-label="accuracy, drawn" {} }
                }
            } }
            tbody {
                @for cell in &cells { (row(cell, &kept, target)) }
                @for (place, trained) in report.measurements.trained.iter().enumerate() {
                    (trained_row(place, trained, &kept, target))
                }
            }
        } }
        p.soft.small {
            "▲ highest accuracy · ≈ not told apart from it (paired on the same examples, corrected by Holm) · ◇ tuned · ○ a bound, which nobody can ship."
            @if !report.measurements.trained.is_empty() { " □ trained baseline: " (WHAT) "." }
            " A click on a heading sorts."
        }
    }
}

fn rows(report: &Report) -> Vec<Cell<'_>> {
    let variants = &report.measurements.variants;
    let sum = |of: fn(&OutcomeCounts) -> u64| variants.iter().map(|row| of(&row.outcomes)).sum();
    let all = OutcomeCounts {
        answered: sum(|outcomes| outcomes.answered),
        refused: sum(|outcomes| outcomes.refused),
        truncated: sum(|outcomes| outcomes.truncated),
        failed: sum(|outcomes| outcomes.failed),
    };
    variants.iter().enumerate().map(|(place, row)| Cell { at: format!("/variants/{place}"), row, all }).collect()
}

fn row(cell: &Cell<'_>, columns: &[(&str, CellOf)], target: Option<f64>) -> Markup {
    let (class, mark) = match cell.row.standing {
        Some(Standing::Best) => ("best", "▲ "),
        Some(Standing::Tied) => ("tied", "≈ "),
        _ => ("", ""),
    };
    let shape = match kind(cell.row) {
        Kind::Prompted => "",
        Kind::Tuned => " ◇",
        Kind::Bound => " ○",
    };
    let says =
        format!("{} · {}", cell.row.variant.endpoint, crate::measure::steps::settings(&cell.row.variant).join(", "));
    html! {
        tr class=[(!class.is_empty()).then_some(class)] {
            td data-sort=(cell.row.variant.id) data-tip=(says.trim_end_matches(" · ")) { (mark) (cell.row.variant.id) (shape) }
            @for (name, of) in columns {
                td { (of(cell).unwrap_or_else(|| html! { span.soft { "–" } })) }
                @if *name == ACCURACY { td.bar { (bar(&cell.row.accuracy, kind(cell.row).class(), target)) } }
            }
        }
    }
}

/// A baseline that was trained on the pool: it is asked nothing, so that it has neither times nor cost.
fn trained_row(place: usize, trained: &Trained, columns: &[(&str, CellOf)], target: Option<f64>) -> Markup {
    let at = format!("/trained_baselines/{place}");
    let cell = |name: &str| match name {
        "n" => Some(figure(&Figure::plain(trained.accuracy.n as f64, Form::Count, format!("{at}/n")))),
        ACCURACY => Some(figure(&Figure::estimate(&trained.accuracy, Form::Percent, &format!("{at}/accuracy")))),
        "macro-F1" => {
            let point = trained.macro_f1.and_then(|f1| f1.point)?;
            Some(figure(&Figure::plain(point, Form::Number, format!("{at}/macro_f1/point"))))
        }
        _ => None,
    };
    let says =
        format!("trained baseline, on {} rows of the pool", group_thousands(i128::from(trained.training_examples)));
    html! {
        tr.baseline {
            td data-sort=(trained.name) data-tip=(says) { (trained.name) " □ trained baseline" }
            @for (name, _) in columns {
                td { (cell(name).unwrap_or_else(|| html! { span.soft { "–" } })) }
                @if *name == ACCURACY { td.bar { (bar(&trained.accuracy, "trained", target)) } }
            }
        }
    }
}

/// Accuracy from 0 to 100% with its interval, and the target.
fn bar(accuracy: &Estimate, class: &str, target: Option<f64>) -> Markup {
    const WIDTH: f64 = 120.0;
    let x = |share: f64| 4.0 + share.clamp(0.0, 1.0) * (WIDTH - 8.0);
    html! {
        svg.plot width=(WIDTH) height="18" viewBox=(format!("0 0 {WIDTH} 18")) aria-hidden="true" {
            line.spark-track x1=(x(0.0)) x2=(x(1.0)) y1="9" y2="9" {}
            @if let Some(target) = target { line.target x1=(x(target)) x2=(x(target)) y1="2" y2="16" {} }
            @if let Some(point) = accuracy.point {
                g.(class) {
                    line.whisker x1=(x(accuracy.low)) x2=(x(accuracy.high)) y1="9" y2="9" {}
                    circle.dot cx=(x(point)) cy="9" r="4" {}
                }
            }
        }
    }
}

/// Figures of every variant that a table cannot hold: all quantiles with their intervals.
pub(super) fn more(report: &Report) -> Markup {
    let quantiles = |cell: &Cell<'_>, name: &str, latency: &crate::measure::Latency| {
        let all = [("p50", latency.p50), ("p90", latency.p90), ("p95", latency.p95), ("p99", latency.p99)];
        let at = format!("{}/{name}", cell.at);
        html! { @for (quantile, found) in all { td { (estimate(found, Form::Milliseconds, &format!("{at}/{quantile}"))) } } }
    };
    html! {
        details {
            summary { "All quantiles of the times, with their intervals" }
            div.scroll { table.sticky {
                thead { tr { th { "variant" } th { "time" } th { "p50" } th { "p90" } th { "p95" } th { "p99" } } }
                tbody { @for cell in rows(report) {
                    @if cell.row.ttft.n() > 0 {
                        tr { td { (cell.row.variant.id) } td { "first token" } (quantiles(&cell, "ttft_ms", &cell.row.ttft)) }
                    }
                    @if cell.row.total.n() > 0 {
                        tr { td { (cell.row.variant.id) } td { "whole answer" } (quantiles(&cell, "total_ms", &cell.row.total)) }
                    }
                } }
            } }
        }
    }
}
