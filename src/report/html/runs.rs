//! The list of runs.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::frame::{self, escaped};
use crate::text;
use crate::units::group_thousands;

/// Characters of a name or a folder that are shown.
pub(super) const LONGEST_NAME: usize = 200;

/// A run as a list shows it.
#[derive(Debug, Clone, Default)]
pub struct RunLine {
    /// Its name.
    pub name: String,
    /// The suite's name.
    pub suite: String,
    /// The suite's folder.
    pub folder: String,
    /// How it stands, in words.
    pub state: &'static str,
    /// Trials in it.
    pub trials: u64,
    /// When it began, as people write it.
    pub began: String,
    /// Variants that were asked.
    pub variants: Vec<String>,
}

/// The runs, the newest first: of one suite, or of all. `older` are not listed.
pub fn page(runs: &[RunLine], suite: Option<&str>, older: usize) -> String {
    let title = suite.map_or_else(|| "Runs".to_owned(), |suite| format!("Runs of {}", text::one_line(suite, 100)));
    let suites: BTreeSet<&str> = runs.iter().map(|run| run.suite.as_str()).collect();
    let content = html! {
        h1 { (title) }
        @if suite.is_some() { p { a href="./" { "all suites" } } }
        @if runs.is_empty() { p { "No runs yet." } } @else { (table(runs)) }
        @if suite.is_none() && suites.len() > 1 {
            p { "Only those of one suite: "
                @for (place, suite) in suites.iter().enumerate() { @if place > 0 { " · " } (of_suite(suite)) }
            }
        }
        @if older > 0 { p.soft { (older) " older runs are not listed; `ceiling runs` lists all." } }
        p.soft.small { "A run is graded by its suite as it stands now. Nothing is asked and nothing is written here." }
    };
    frame::page(&title, Some("./"), &content)
}

fn of_suite(suite: &str) -> Markup {
    html! { a href=(format!("./?suite={}", escaped(suite))) { (text::one_line(suite, LONGEST_NAME)) } }
}

fn table(runs: &[RunLine]) -> Markup {
    html! {
        div.scroll {
            table.sticky.sortable {
                thead { tr {
                    @for name in ["run", "suite", "state", "trials", "began (UTC)", "folder"] {
                        th.text[name != "trials"] scope="col" { button type="button" { (name) } }
                    }
                    th.text scope="col" { "compare" }
                } }
                tbody { @for run in runs { (row(run)) } }
            }
        }
    }
}

fn row(run: &RunLine) -> Markup {
    let name = escaped(&run.name);
    html! {
        tr {
            td { a href=(format!("runs/{name}")) { (text::one_line(&run.name, LONGEST_NAME)) } }
            td.text { (text::one_line(&run.suite, LONGEST_NAME)) }
            td.text { (run.state) }
            td data-sort=(run.trials) { (group_thousands(i128::from(run.trials))) }
            td.text { (run.began) }
            td.text { code { (text::one_line(&run.folder, LONGEST_NAME)) } }
            td.text {
                @if run.variants.is_empty() { "–" }
                @else { a href=(format!("compare?a={name}")) { "with another run" } " · "
                        a href=(format!("compare?from={name}")) { "a variant" } }
            }
        }
    }
}
