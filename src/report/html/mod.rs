//! Pages for a browser: one file each, which loads nothing and may load nothing.
//!
//! Whatever a model, a server or a suite says is text: maud escapes it, the script sets it as text, and
//! the content security policy allows only the page's own style and script, by their digests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

mod charts;
pub mod choose;
pub mod compare;
pub mod examples;
mod explorer;
mod figure;
mod frame;
mod interval;
pub mod labels;
pub mod message;
mod plot;
mod report;
pub mod runs;
mod scoreboard;
mod sections;
mod slices;
mod steps;
mod verdict;

pub use figure::figure;
pub use report::page;

use crate::measure::VariantMeasurements;
use crate::report::Report;
use crate::report::figure::{Figure, Form};
use crate::stats::Estimate;

/// A variant's accuracy by its place.
fn accuracy(place: usize, row: &VariantMeasurements) -> Figure {
    Figure::estimate(&row.accuracy, Form::Percent, &format!("/variants/{place}/accuracy"))
}

/// What the intervals of a run's accuracies are, such as `95% interval`.
fn interval_name(report: &Report) -> String {
    let measurements = &report.measurements;
    let level = measurements.variants.first().map(|row| row.accuracy.level);
    let kind = if measurements.anytime.is_some() { "confidence sequence" } else { "interval" };
    format!("{} {kind}", crate::report::terminal::level(level))
}

/// An estimate, or a dash where there is none.
fn estimate(found: Option<Estimate>, form: Form, at: &str) -> Markup {
    match found.filter(|found| found.point.is_some()) {
        Some(found) => figure(&Figure::estimate(&found, form, at)),
        None => html! { span.soft { "–" } },
    }
}

/// The look of all pages.
const STYLE: &str = include_str!("page.css");

/// The little that moves: theme, sorting, tooltips, toggles.
const SCRIPT: &str = include_str!("page.js");

/// A page in two pieces, so that what a run holds can be written between them piece by piece.
#[derive(Debug, Clone)]
pub struct Document {
    /// Everything up to the end of the body's content.
    pub opening: String,
    /// The scripts and the end.
    pub closing: String,
}

impl Document {
    /// A page with a title and a body; `scripts` run in order after the page's own.
    pub fn new(title: &str, body: &Markup, scripts: &[&str]) -> Self {
        let all: Vec<&str> = std::iter::once(SCRIPT).chain(scripts.iter().copied()).collect();
        let title = crate::text::one_line(title, 200);
        let opening = html! {
            (DOCTYPE)
            (PreEscaped("<html lang=\"en\">"))
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(&all));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            (PreEscaped("<body>"))
            (body)
        };
        let closing = html! {
            @for script in &all { script { (PreEscaped(script)) } }
            (PreEscaped("</body></html>\n"))
        };
        Self { opening: opening.into_string(), closing: closing.into_string() }
    }
}

/// A whole page.
pub fn document(title: &str, body: &Markup) -> String {
    let page = Document::new(title, body, &[]);
    page.opening + &page.closing
}

/// No network, no frames, no forms; the style and the scripts by their digests alone.
fn policy(scripts: &[&str]) -> String {
    let digest = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())));
    let scripts: Vec<String> = scripts.iter().map(|script| digest(script)).collect();
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        scripts.join(" ")
    )
}

/// The policy that a page carries, for whoever sends it in a header too.
pub fn policy_of(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once("http-equiv=\"Content-Security-Policy\" content=\"")?;
    Some(rest.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_text_and_the_policy_allows_no_network() {
        let page = document("</title><script>alert(1)</script>\u{202e}", &html! { p { "<b>" } });
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(!page.contains('\u{202e}') && page.contains("&lt;b&gt;"));
        assert!(page.contains("default-src 'none'") && !page.contains("unsafe-inline"));
        assert_eq!(page.matches("<script>").count(), 1);
        assert_eq!(policy_of(&page), Some(policy(&[SCRIPT]).as_str()));
    }

    #[test]
    fn style_and_script_cannot_end_their_elements() {
        assert!(!STYLE.contains("</"));
        for script in report::SCRIPTS.into_iter().chain([SCRIPT]) {
            assert!(!script.contains("</script") && !script.contains("<!--"));
        }
    }
}
