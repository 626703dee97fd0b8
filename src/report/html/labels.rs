//! The label review: what speaks against labels, row by row, and what the labels allow.

use maud::{Markup, html};

use super::figure;
use crate::labels::confident::Confident;
use crate::labels::review::{Suspect, shown};
use crate::labels::{LabelReview, NamedRow};
use crate::report::figure::{Figure, Form};
use crate::report::labels::{RANKS, ceiling};
use crate::report::prose::value_text;
use crate::text::one_line;

/// Where the JSON report has the review.
const AT: &str = "/label_review";

/// Rows of the list on the page.
const MOST: usize = 100;

/// Entries of the other lists.
const FEW: usize = 20;

/// Characters of an input that are shown.
const LONGEST_INPUT: usize = 400;

/// The section "Labels to look at".
pub fn section(review: &LabelReview) -> Markup {
    html! {
        h2 id="labels" { "Labels to look at" }
        p.soft.small { "What follows ranks labels for a second look. How many labels are wrong is told by an audit alone." }
        p {
            b { "Label ceiling: " }
            @if let Some(range) = review.ceiling.ceiling {
                (figure(&Figure::between((range.low, range.high), Form::Percent, &format!("{AT}/ceiling/ceiling")))) " · "
            }
            (ceiling(&review.ceiling, Some(review.rows.test)))
        }
        (counts(review))
        @if let Some(found) = &review.confident.found { (confident(found)) }
        (annotators(review))
        (list(review))
    }
}

fn plain(number: u64, at: &str) -> Markup {
    figure(&Figure::plain(number as f64, Form::Count, format!("{AT}{at}")))
}

fn counts(review: &LabelReview) -> Markup {
    let found = &review.conflicts;
    html! {
        ul.plain {
            li {
                "The same input under several labels: " (plain(found.duplicates, "/conflicts/duplicates"))
                "; all but the same: " @if found.crowded > 0 { "at least " } (plain(found.near_duplicates, "/conflicts/near_duplicates")) "."
            }
            li {
                "Every answer against the label: "
                @match (&review.against.found, &review.against.why_not) {
                    (Some(found), _) => {
                        (plain(found.against, "/against/found/against")) " of "
                        (plain(found.compared, "/against/found/compared")) " test examples with two valid answers or more ("
                        (plain(found.variants, "/against/found/variants")) " variants of "
                        (plain(found.models, "/against/found/models")) " models"
                        @if found.baseline { ", and a trained baseline" }
                        ")."
                    }
                    (None, why) => { span.soft { (why.as_deref().unwrap_or("not known")) } }
                }
            }
            @if let Some(why) = &review.confident.why_not { li { "Confident learning: " span.soft { (why) } } }
            @if let Some(why) = &review.annotators.why_not { li { "Annotators: " span.soft { (why) } } }
        }
        @if !found.listed.is_empty() {
            details {
                summary { "Alike inputs, different labels" }
                ul.plain { @for conflict in found.listed.iter().take(FEW) {
                    li { (input(&conflict.input)) ": " @for row in &conflict.rows { (named(row)) " " } }
                } }
            }
        }
    }
}

fn named(row: &NamedRow) -> Markup {
    html! {
        span { code { (shown(&row.label)) } " " span.soft { (one_line(&row.file, 120)) ":" (row.line) " (" (one_line(&row.id, 80)) ")" } }
    }
}

fn input(value: &serde_json::Value) -> String {
    one_line(&value_text(value), LONGEST_INPUT)
}

fn confident(found: &Confident) -> Markup {
    let at = |name: &str| format!("{AT}/confident/found/{name}");
    html! {
        p {
            b { "Confident learning: " } (RANKS) ". Estimated label errors "
            (figure(&Figure::plain(found.estimated_error_rate, Form::Percent, at("estimated_error_rate"))))
            "; " (plain(found.off_diagonal, "/confident/found/off_diagonal")) " of "
            (plain(found.rows, "/confident/found/rows")) " rows confidently look like another class. The classifier gives "
            (figure(&Figure::plain(found.model_agreement, Form::Percent, at("model_agreement"))))
            " of the rows their label."
        }
        @if !found.confusions.is_empty() {
            details {
                summary { "By label and likely class" }
                div.scroll tabindex="0" role="region" aria-label="By label and likely class" { table {
                    thead { tr { @for name in ["label", "looks like", "rows", "estimated"] { th scope="col" { (name) } } } }
                    tbody { @for (place, one) in found.confusions.iter().enumerate().take(FEW) {
                        @let at = format!("/confident/found/confusions/{place}");
                        tr {
                            td { (one_line(&one.given, 80)) }
                            td { (one_line(&one.likely, 80)) }
                            td { (plain(one.rows, &format!("{at}/rows"))) }
                            td { (figure(&Figure::plain(one.estimated_rows, Form::Number, format!("{AT}{at}/estimated_rows")))) }
                        }
                    } }
                } }
            }
        }
    }
}

fn annotators(review: &LabelReview) -> Markup {
    let Some(found) = &review.annotators.found else { return html! {} };
    html! {
        p { b { "Annotators: " } (plain(found.disagreements, "/annotators/found/disagreements")) " of "
            (plain(found.annotated, "/annotators/found/annotated")) " examples are labelled differently." }
        div.scroll tabindex="0" role="region" aria-label="Annotators" { table {
            thead { tr { @for name in ["annotators", "pairs", "alike", "Cohen's kappa"] { th scope="col" { (name) } } } }
            tbody { @for (place, pair) in found.pairs.iter().enumerate() {
                @let at = format!("/annotators/found/pairs/{place}");
                tr {
                    td { (one_line(&pair.a, 60)) ", " (one_line(&pair.b, 60)) }
                    td { (plain(pair.pairs, &format!("{at}/pairs"))) }
                    td { (plain(pair.agreed, &format!("{at}/agreed"))) }
                    td { @match pair.kappa {
                        Some(kappa) => (figure(&Figure::plain(kappa, Form::Number, format!("{AT}{at}/kappa")))),
                        None => { span.soft { "–" } }
                    } }
                }
            } }
        } }
    }
}

fn list(review: &LabelReview) -> Markup {
    html! {
        @if review.list.is_empty() {
            p.soft { "Nothing speaks against any label." }
        } @else {
            p { (plain(review.suspicious, "/suspicious")) " rows that something speaks against, the most suspicious first; "
                code { "ceiling labels SUITE -o review.jsonl" } " writes them for review. The order is no probability." }
            div.scroll tabindex="0" role="region" aria-label="Labels to look at" { table.sticky {
                thead { tr { @for name in ["row", "suspicion", "label", "suggested", "input", "why"] { th.text scope="col" { (name) } } } }
                tbody { @for (place, one) in review.list.iter().enumerate().take(MOST) { (suspect(place, one)) } }
            } }
        }
    }
}

fn suspect(place: usize, one: &Suspect) -> Markup {
    html! {
        tr {
            td.text { (one_line(&one.file, 120)) ":" (one.line) " (" (one_line(&one.id, 80)) ")" }
            td { (figure(&Figure::plain(one.suspicion, Form::Number, format!("{AT}/list/{place}/suspicion")))) }
            td.text { code { (shown(&one.label)) } }
            td.text { code { (shown(&one.suggested)) } }
            td.wrap { (input(&one.input)) }
            td.wrap { @for reason in &one.reasons { div { (reason) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::labels::tests::review;

    #[test]
    fn every_figure_names_its_place_and_inputs_are_text() {
        let review = review();
        let page = section(&review).into_string();
        assert!(page.contains("id=\"labels\"") && !page.contains("<b>yesterday"), "{page}");
        assert!(page.contains("&lt;b&gt;yesterday"));
        let json = serde_json::json!({"label_review": review});
        let mut figures = 0;
        for part in page.split("<data value=\"").skip(1) {
            let (value, rest) = part.split_once('"').unwrap();
            let at = rest.split_once("data-at=\"").unwrap().1.split_once('"').unwrap().0;
            let there = json.pointer(at).and_then(serde_json::Value::as_f64);
            assert_eq!(there, value.parse().ok(), "{at}");
            figures += 1;
        }
        assert!(figures > 15, "{figures}");
    }
}
