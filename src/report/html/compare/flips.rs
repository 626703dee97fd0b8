//! The examples on which two sides differ, with both answers.

use maud::{Markup, html};

use super::LONGEST_VALUE;
use crate::report::compare::lines::{score, shown_json};
use crate::report::compare::{Answer, Flip, Flips};
use crate::text;

/// Flips that stand open when the page is loaded.
const OPEN: usize = 5;

pub(super) fn section(flips: &Flips) -> Markup {
    let all = flips.fixed + flips.broken;
    let shown = flips.examples.len() as u64;
    html! {
        h2 { "Flips" }
        @if all == 0 {
            p { "None: every example scored alike." }
        } @else {
            p {
                "B fixed " b { (flips.fixed) } ", B broke " b { (flips.broken) }
                @if shown == all { "; the largest change first." }
                @else { "; " (shown) " of " (all) ", the largest change first (`ceiling compare --json` has up to 1,000)." }
            }
        }
        @for (place, flip) in flips.examples.iter().enumerate() { (one(flip, place < OPEN)) }
    }
}

fn one(flip: &Flip, open: bool) -> Markup {
    let (class, what) = if flip.b_score > flip.a_score { ("good", "fixed") } else { ("bad", "broke") };
    let (input, expected) = (shown_json(&flip.input), shown_json(&flip.expected));
    html! {
        details open[open] {
            summary {
                b class=(class) { (what) } " "
                span.id { (text::one_line(&flip.example, LONGEST_VALUE)) } " "
                span.soft { (text::one_line(&input, 90)) }
            }
            div.pair {
                div.card { h4 { "Input" } pre { (text::printable(&input)) } }
                div.card { h4 { "Expected" } pre { (text::printable(&expected)) } }
                (side("A", flip.a_score, flip.b_score, &flip.a))
                (side("B", flip.b_score, flip.a_score, &flip.b))
            }
        }
    }
}

fn side(name: &str, own: f64, others: f64, answers: &[Answer]) -> Markup {
    let class = if own > others { "card right" } else { "card wrong" };
    html! {
        div class=(class) {
            h4 { span { (name) } span { "score " (score(own)) } }
            @for answer in answers { (one_answer(answer, answers.len() > 1)) }
        }
    }
}

fn one_answer(answer: &Answer, repeated: bool) -> Markup {
    let text = answer.text.as_deref().unwrap_or_default();
    // The parsed answer says more only where it is not the text itself.
    let parsed = answer.answer.as_ref().map(shown_json).filter(|parsed| parsed.trim() != text.trim());
    html! {
        @if repeated {
            p.soft.small { "repeat " (answer.repeat + 1) @if let Some(own) = answer.score { ": score " (score(own)) } }
        }
        @if answer.outcome != "answered" { p.violation { (answer.outcome) } }
        @if let Some(failure) = &answer.failure { p.violation { (text::one_line(failure, 1000)) } }
        @if answer.text.is_some() { pre { (text::printable(text)) @if answer.cut { "…" } } }
        @if let Some(parsed) = parsed { p.small { span.soft { "read as " } code { (text::one_line(&parsed, LONGEST_VALUE)) } } }
        @if !answer.valid && answer.failure.is_none() {
            p.violation { "not valid" @if let Some(why) = &answer.violation { ": " (text::one_line(why, 1000)) } }
        }
    }
}
