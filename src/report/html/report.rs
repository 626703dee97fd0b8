//! The report of a run as one page.

use maud::{Markup, PreEscaped, html};

use super::{Document, charts, scoreboard, sections, slices, steps, verdict};
use crate::report::Report;

/// What moves in it: the confusion matrix and the examples.
const SCRIPTS: [&str; 2] = [include_str!("report.js"), include_str!("explorer.js")];

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
        (navigation(home))
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
            (explorer(report))
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

fn navigation(home: Option<&str>) -> Markup {
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
            @for (id, name) in parts { a href=(format!("#{id}")) { (name) } }
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

/// The filters and panes that the script brings to life.
fn explorer(report: &Report) -> Markup {
    let rows = &report.measurements.variants;
    let place = |id: Option<&crate::variant::VariantId>| id.and_then(|id| report.variant(id)).map(|(place, _)| place);
    let (a, b) = (place(report.verdict.incumbent.as_ref()), place(report.verdict.best_variant.as_ref()));
    let choose = |name: &str, label: &str, chosen: Option<usize>| {
        html! {
            label.field { (label) select name=(name) {
                option value="" { "any" }
                @for (place, row) in rows.iter().enumerate() { option value=(place) selected[chosen == Some(place)] { (row.variant.id) } }
            } }
        }
    };
    let outcomes = [
        ("", "any"),
        ("r", "right"),
        ("not-r", "not right"),
        ("w", "wrong, but valid"),
        ("i", "invalid"),
        ("f", "refused"),
        ("c", "cut"),
        ("x", "missing"),
        ("u", "not scored"),
    ];
    let flips = [
        ("", "any"),
        ("fixed", "B right, A not"),
        ("broken", "A right, B not"),
        ("flip", "one of them right"),
        ("both", "both right"),
        ("neither", "neither right"),
    ];
    let together = [
        ("", "any"),
        ("all-wrong", "wrong by all"),
        ("one-wrong", "wrong by one only"),
        ("one-right", "right by one only"),
        ("all-right", "right by all"),
        ("split", "some right, some not"),
    ];
    let options = |name: &str, label: &str, all: &[(&str, &str)]| {
        html! {
            label.field { (label) select name=(name) { @for (value, text) in all { option value=(value) { (text) } } } }
        }
    };
    html! {
        h2 id="explorer-title" { "Examples" }
        section #explorer aria-labelledby="explorer-title" {
            noscript { p { "Looking at examples needs the page's script. `ceiling show` and `ceiling flips` show them in a terminal." } }
            p.unsure hidden data-role="problem" {}
            div.filters hidden {
                label.field { "search text (/)" input type="search" name="search" placeholder="id, input, answer, violation" autocomplete="off"; }
                (choose("a", "A", a))
                (options("outcome", "A's answer is", &outcomes))
                (choose("b", "B", b.filter(|b| Some(*b) != a)))
                (options("flip", "A against B", &flips))
                (options("together", "all variants", &together))
                label.field { "tag" select name="tag" { option value="" { "any" } } }
                label.field { "value" select name="value" { option value="" { "any" } } }
            }
            div.found hidden {
                b data-role="count" aria-live="polite" {}
                span.soft.small data-role="note" {}
                span.soft.small { "✓ right · ✗ wrong · ! invalid · ⊘ refused · ✂ cut · ? missing · ~ not scored, in the scoreboard's order. j/k or ↓/↑ move." }
                button type="button" data-role="all" aria-pressed="true" { "all variants" }
                button type="button" data-role="clear" { "clear filters" }
            }
            div.panes hidden {
                div.list tabindex="0" role="listbox" aria-label="Examples found" { div.rows {} }
                div.detail tabindex="0" aria-live="polite" aria-label="The example" {}
            }
        }
    }
}
