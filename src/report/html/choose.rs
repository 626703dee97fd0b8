//! The choice of two sides to compare: links alone, first for A, then for B.

use maud::{Markup, html};

use super::frame::{self, escaped};
use super::runs::{LONGEST_NAME, RunLine};
use crate::text;

/// The runs and variants to choose from. `a` is the side that is chosen already: then what is listed
/// is of its suite, and of its kind: whole runs, or variants.
pub fn page(runs: &[RunLine], a: Option<&str>) -> String {
    let (title, whole, variants) = match a {
        None => ("Compare: choose side A, the baseline", true, true),
        Some(a) => ("Compare: choose side B", !a.contains(':'), a.contains(':')),
    };
    let is_a = |run: &RunLine, variant: &String| a == Some(format!("{}:{variant}", run.name).as_str());
    let left = |run: &RunLine| run.variants.iter().any(|variant| !is_a(run, variant));
    let listed = runs.iter().filter(|run| a != Some(run.name.as_str()) && left(run));
    let choices: Vec<Markup> = listed.map(|run| choice(run, a, whole, variants)).collect();
    let content = html! {
        h1 { (title) }
        @if let Some(a) = a {
            p { "A is " b { (text::one_line(a, LONGEST_NAME)) } ". " a href="compare" { "Choose another" } }
            p.soft.small { @if whole { "Runs of the same suite." } @else { "Variants of runs of the same suite." } }
        } @else {
            p.soft.small { "A variant is compared with a variant; a whole run with a whole run, variant by variant." }
        }
        @if choices.is_empty() { p { "There is nothing to compare." } }
        @for choice in choices { (choice) }
    };
    frame::page(title, Some("./"), &content)
}

fn choice(run: &RunLine, a: Option<&str>, whole: bool, variants: bool) -> Markup {
    let link = |side: &str| match a {
        None => format!("compare?a={}", escaped(side)),
        Some(a) => format!("compare?a={}&b={}", escaped(a), escaped(side)),
    };
    let sides = run.variants.iter().map(|variant| (variant, format!("{}:{variant}", run.name)));
    html! {
        h3 {
            (text::one_line(&run.name, LONGEST_NAME)) " "
            span.soft.small { (run.began) ", " (run.state) }
        }
        @if whole { p { a href=(link(&run.name)) { "the whole run" } } }
        @if variants {
            ul.plain {
                @for (variant, side) in sides.filter(|(_, side)| Some(side.as_str()) != a) {
                    li { a href=(link(&side)) { (text::one_line(variant, LONGEST_NAME)) } }
                }
            }
        }
    }
}
