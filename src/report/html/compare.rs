//! A comparison as a page: what `ceiling compare` says in a terminal, with every flip side by side.

mod flips;

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::interval::{self, Scale, colour};
use super::{figure, frame};
use crate::measure::contrast::{Contrast, Correction};
use crate::measure::latency_change::LatencyChange;
use crate::report::compare::lines::{self, COUNTS, letter, level, name, quantiles, rate, shift};
use crate::report::compare::words::{counts, headline, p_value, verdict};
use crate::report::compare::{Compared, Comparison, Detail, Form, Latency, SideFacts, Slices};
use crate::report::figure::{Figure, Form as Unit};
use crate::text;
use crate::units::group_thousands;

/// Characters of a value in one line.
const LONGEST_VALUE: usize = 300;

/// Slices that a page lists.
const MOST_SLICES: usize = 200;

/// The comparison as a page of its own.
pub fn page(comparison: &Comparison) -> String {
    render(comparison, None, &html! {})
}

/// The comparison as a page that is served; `home` leads to the list of runs, `more` to other
/// comparisons.
pub fn served(comparison: &Comparison, home: &str, more: &Markup) -> String {
    render(comparison, Some(home), more)
}

fn render(comparison: &Comparison, home: Option<&str>, more: &Markup) -> String {
    let mut names: Vec<&str> = match comparison.form {
        Form::Runs => comparison.sides.iter().map(|side| side.run.as_str()).collect(),
        _ => comparison.sides.iter().map(|side| side.name.as_str()).collect(),
    };
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    let title = format!("{}: {}", comparison.suite, text::one_line(&names.join(" and "), 100));
    let first = comparison.comparisons.first();
    let content = html! {
        h1 { (title) }
        p.soft { (lines::heading(comparison)) }
        @if let (Some(detail), Some(compared)) = (&comparison.detail, first) {
            (answer(comparison, compared))
            (warnings(comparison)) (sides(comparison)) (more)
            (pair(comparison, compared, detail))
        } @else {
            (warnings(comparison)) (sides(comparison)) (more)
            (table(comparison))
        }
    };
    frame::page(&title, home, &content)
}

/// The verdict in a sentence, and the difference.
fn answer(comparison: &Comparison, compared: &Compared) -> Markup {
    let found = &compared.contrast;
    let difference = Figure::estimate(&found.difference, Unit::Points, "/comparisons/0/contrast/difference");
    html! {
        div.verdict {
            p class=(format!("headline {}", colour(found.verdict))) { (headline(found, &rate(comparison))) }
            div.decisive {
                div {
                    div.name { "B − A, " (level(Some(found))) " interval" }
                    div.value { (figure(&difference)) }
                }
                @for (at, side, estimate) in [("a", compared.a, &found.a), ("b", compared.b, &found.b)] {
                    div {
                        div.name { (text::one_line(&lines::named(comparison, side), LONGEST_VALUE)) }
                        div.value {
                            (figure(&Figure::estimate(estimate, Unit::Percent, &format!("/comparisons/0/contrast/{at}"))))
                        }
                    }
                }
            }
        }
    }
}

fn warnings(comparison: &Comparison) -> Markup {
    html! {
        @if !comparison.warnings.is_empty() {
            ul.plain.unsure {
                @for warning in &comparison.warnings { li { "warning: " (text::one_line(warning, 1000)) } }
            }
        }
    }
}

/// Who is who.
fn sides(comparison: &Comparison) -> Markup {
    let runs = comparison.form == Form::Runs;
    html! {
        h2 { @if runs { "The runs" } @else { "The sides" } }
        div.scroll { table {
            thead { tr {
                @for head in ["", "run", "variant", "model", "served as", "prompt", "interventions", "repeats", "when", "trials",
                    "missing"] { th.text scope="col" { (head) } }
            } }
            tbody { @for (place, side) in comparison.sides.iter().enumerate() {
                (side_row(&if runs { String::new() } else { letter(place) }, side))
            } }
        } }
    }
}

fn side_row(letter: &str, side: &SideFacts) -> Markup {
    let line = |text: &str| text::one_line(text, LONGEST_VALUE);
    let or_none = |text: String| if text.is_empty() { "–".to_owned() } else { text };
    html! {
        tr {
            td { b { (letter) } }
            td.text { (line(&side.run)) }
            td.text { (line(side.variant.as_str())) }
            td.text { (line(&side.endpoints.join(", "))) }
            td.text { (or_none(line(&side.served_models.join(", ")))) }
            td.text { (line(&side.prompt)) }
            td.text { (or_none(line(&side.settings.join(", ")))) }
            td { (side.repeats) }
            td.text { (lines::days(side)) }
            td { (group_thousands(i128::from(side.counts.trials))) }
            td { (group_thousands(i128::from(side.counts.missing))) }
        }
    }
}

/// Two sides in detail.
fn pair(comparison: &Comparison, compared: &Compared, detail: &Detail) -> Markup {
    let own = (comparison.metric, &compared.contrast, "/comparisons/0/contrast");
    let other = detail.other.as_ref().map(|other| (other.metric, &other.contrast, "/detail/other/contrast"));
    let rates: Vec<_> = std::iter::once(own).chain(other).collect();
    let scale = Scale::of(rates.iter().map(|(_, contrast, _)| &contrast.difference));
    html! {
        h2 { "The rates" }
        div.scroll { table {
            (contrast_head("", &compared.contrast, "p", scale))
            tbody { @for (metric, contrast, at) in rates { (contrast_row(name(metric), contrast, at, scale)) } }
        } }
        @for note in lines::pair_notes(comparison, compared, detail) { p.soft.small { (note) } }
        @if let Some((question, answers)) = lines::margins(comparison, compared, detail) {
            h2 { (question) }
            dl.facts { @for (rate, answer) in answers { dt { (rate) } dd { (answer) } } }
        }
        h2 { "Cost of a request" }
        @for line in lines::cost(&detail.cost) { p { (text::one_line(&line, 1000)) } }
        (times(&detail.latency))
        (differences(detail))
        (slices(&detail.slices))
        (flips::section(&detail.flips))
    }
}

fn contrast_head(first: &str, contrast: &Contrast, p: &str, scale: Scale) -> Markup {
    let change = format!("B − A [{}]", level(Some(contrast)));
    let drawn = format!("−{0} … +{0} points", scale.end());
    html! {
        thead { tr {
            @for head in [first, "n", "A", "B", &change, &drawn] { th scope="col" { (head) } }
            th.text scope="col" { "verdict" }
            @for head in [p, COUNTS] { th scope="col" { (head) } }
        } }
    }
}

/// A contrast: both sides, the difference with its drawing, verdict, p, counts. `at` is its place in
/// the JSON document.
fn contrast_row(name: &str, contrast: &Contrast, at: &str, scale: Scale) -> Markup {
    let estimate = |part: &str, found, unit| figure(&Figure::estimate(found, unit, &format!("{at}/{part}")));
    html! {
        tr {
            td { (text::one_line(name, 80)) }
            td { (contrast.n) }
            td { (estimate("a", &contrast.a, Unit::Percent)) }
            td { (estimate("b", &contrast.b, Unit::Percent)) }
            td { (estimate("difference", &contrast.difference, Unit::Points)) }
            (interval::cell(contrast, scale))
            td class=(format!("text {}", colour(contrast.verdict))) { (verdict(contrast)) }
            td { (contrast.p_adjusted.or(contrast.p).map_or("–".into(), p_value)) }
            td { (counts(contrast)) }
        }
    }
}

fn times(latency: &Latency) -> Markup {
    let row = |name: &str, change: &LatencyChange| {
        html! {
            tr {
                td { (name) }
                td { (quantiles(&change.a)) }
                td { (quantiles(&change.b)) }
                td { (shift(change.p50_change.as_ref())) }
                td { (shift(change.p95_change.as_ref())) }
            }
        }
    };
    html! {
        h2 { "Times in ms" }
        div.scroll { table {
            thead { tr {
                @for head in ["p50 / p95", "A", "B", "B − A p50", "B − A p95"] { th scope="col" { (head) } }
            } }
            tbody { (row("first token", &latency.ttft_ms)) (row("whole answer", &latency.total_ms)) }
        } }
        p.soft.small { (lines::time_note(latency)) }
    }
}

fn differences(detail: &Detail) -> Markup {
    html! {
        h2 { "Where A and B differ" }
        @if detail.differences.is_empty() {
            p { "In nothing that is known: the same variant, asked in the same words." }
        } @else {
            div.scroll { table {
                thead { tr { @for head in ["", "A", "B"] { th.text scope="col" { (head) } } } }
                tbody { @for difference in &detail.differences { tr {
                    td { (difference.what) }
                    td.wrap { (text::one_line(&difference.a, LONGEST_VALUE)) }
                    td.wrap { (text::one_line(&difference.b, LONGEST_VALUE)) }
                } } }
            } }
        }
    }
}

fn slices(slices: &Slices) -> Markup {
    let Some(first) = slices.rows.first() else { return html! {} };
    let shown = &slices.rows[..slices.rows.len().min(MOST_SLICES)];
    let scale = Scale::of(shown.iter().map(|row| &row.contrast.difference));
    html! {
        h2 { "By slice, for exploring" }
        div.scroll { table.sticky {
            (contrast_head("slice", &first.contrast, "p (Holm)", scale))
            tbody { @for (place, row) in shown.iter().enumerate() {
                (contrast_row(&format!("{} {}", row.tag, row.value), &row.contrast,
                    &format!("/detail/slices/rows/{place}/contrast"), scale))
            } }
        } }
        @if slices.rows.len() > MOST_SLICES { p.soft.small { "The largest " (MOST_SLICES) " of " (slices.rows.len()) "." } }
        p.soft.small { (lines::slices_note(slices)) }
    }
}

/// More than two sides, or whole runs.
fn table(comparison: &Comparison) -> Markup {
    let Some(first) = comparison.comparisons.first() else { return html! {} };
    let scale = Scale::of(comparison.comparisons.iter().map(|compared| &compared.contrast.difference));
    let p = match comparison.correction {
        Some(Correction::BenjaminiHochberg) => "p (BH)",
        _ => "p (Holm)",
    };
    html! {
        h2 { "The differences" }
        div.scroll { table.sticky {
            (contrast_head(if comparison.form == Form::Runs { "variant" } else { "A → B" }, &first.contrast, p, scale))
            tbody { @for (place, compared) in comparison.comparisons.iter().enumerate() {
                (contrast_row(&row_name(comparison, compared), &compared.contrast,
                    &format!("/comparisons/{place}/contrast"), scale))
            } }
        } }
        @for note in lines::notes(comparison) { p.soft.small { (note) } }
    }
}

fn row_name(comparison: &Comparison, compared: &Compared) -> String {
    let side = |place: usize| comparison.sides.get(place);
    let (Some(a), Some(b)) = (side(compared.a), side(compared.b)) else { return String::new() };
    match comparison.form {
        Form::Runs => format!("{} in {} → {}", a.variant, a.run, b.run),
        _ => format!("{} → {}", a.name, b.name),
    }
}
