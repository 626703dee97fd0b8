//! The report of a run as one page.

use maud::{Markup, PreEscaped, html};

use super::{Document, charts, explorer, labels, scoreboard, sections, slices, steps, verdict};
use crate::report::Report;

/// What moves in it: the confusion matrix and the examples.
pub(super) const SCRIPTS: [&str; 3] = [include_str!("text.js"), include_str!("report.js"), include_str!("explorer.js")];

/// The page around its examples: what [`super::examples::Packer`] gives comes between the two pieces. A page
/// that is served has a link `home`, to the list of runs.
///
/// # Errors
/// When the report cannot be written as JSON: never, for these types.
pub fn page(report: &Report, home: Option<&str>) -> serde_json::Result<Document> {
    let json = crate::report::json::to_value(report)?.to_string();
    let title = format!("{} · {} · ceiling", report.suite, report.run);
    let body = html! {
        a.skip href="#verdict" { "To the verdict" }
        (navigation(home, report.label_review.is_some()))
        main {
            (verdict::heading(report))
            (verdict::verdict(report))
            (verdict::reasons(&report.verdict))
            h2 id="scoreboard" { "Scoreboard" }
            (scoreboard::scoreboard(report))
            (verdict::footnotes(report))
            (scoreboard::more(report))
            h2 id="charts" { "Charts" }
            (charts::charts(report))
            h2 id="steps" { "What each intervention changed" }
            (steps::steps(report))
            (sections::retrieval(report))
            (sections::cache(report))
            (confusion(report))
            h2 id="slices" { "Slices" }
            (slices::slices(report))
            (violations(report))
            @if let Some(review) = &report.label_review { (labels::section(review)) }
            (explorer::explorer(report))
        }
        // The JSON report itself: every figure on the page names its place in it.
        script type="application/json" id="report-json" { (PreEscaped(inert(&json))) }
    };
    Ok(Document::new(&title, &body, &SCRIPTS))
}

/// JSON that cannot end the element that holds it.
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c")
}

fn navigation(home: Option<&str>, labels: bool) -> Markup {
    let parts = [
        ("verdict", "Verdict"),
        ("scoreboard", "Scoreboard"),
        ("charts", "Charts"),
        ("steps", "Steps"),
        ("slices", "Slices"),
        ("explorer", "Examples"),
    ];
    html! {
        nav.top aria-label="Parts of the report" { div {
            @if let Some(home) = home { a href=(home) { "← runs" } }
            @for (id, name) in parts {
                @if labels && id == "explorer" { a href="#labels" { "Labels" } }
                a href=(format!("#{id}")) { (name) }
            }
            button.end type="button" data-theme-toggle hidden { "light / dark" }
        } }
    }
}

/// A matrix of expected against answered classes; the script fills it in for the variant that is chosen.
fn confusion(report: &Report) -> Markup {
    let rows = &report.measurements.variants;
    if rows.iter().all(|row| row.confusion.is_none()) {
        return html! {};
    }
    let first = report.verdict.best_variant.as_ref();
    html! {
        h2 id="confusion" { "Confusion" }
        div #confusion-matrix {
            label.field { "variant" select name="variant" {
                @for (place, row) in rows.iter().enumerate().filter(|(_, row)| row.confusion.is_some()) {
                    option value=(place) selected[first == Some(&row.variant.id)] { (row.variant.id) }
                }
            } }
            p.soft.small { "Rows: what is right. Columns: what was answered; the last one holds what is no class, unusable answers among them." }
            div.said {}
            div.scroll tabindex="0" role="region" aria-label="Confusion matrix" { table.matrix {} }
            noscript { p.soft { "The matrix needs the page's script; the JSON report has it too." } }
        }
    }
}

/// The first violations of each variant, most frequent first.
fn violations(report: &Report) -> Markup {
    let rows = || report.measurements.variants.iter().filter(|row| !row.violations.is_empty());
    html! {
        @if rows().next().is_some() {
            h2 id="violations" { "What is wrong with invalid answers" }
            div.scroll { table {
                thead { tr { th { "variant" } th { "answers" } th.text { "first violation" } } }
                tbody { @for row in rows() { @for (violation, count) in &row.violations {
                    tr { td { (row.variant.id) } td { (count) } td.wrap { code { (crate::text::one_line(violation, 300)) } } }
                } } }
            } }
        }
    }
}
