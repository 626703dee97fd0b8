//! The scoreboard and the verdict for a terminal.

mod anytime;
mod bar;
mod brief;
mod cache;
pub mod closing;
pub mod compare;
mod decision;
mod notes;
mod rounds;
mod scoreboard;
mod steps;
mod trained;
mod verdict;

pub(super) use cache::notes as cache_notes;
pub use decision::decision;
pub use notes::{gone, lines as notes, scored_before};
pub use scoreboard::shortened;

use super::Report;
use super::figure::{share, signed};
use super::look::{Look, Tone};
use super::table::Table;
use crate::measure::Latency;
use crate::stats::Estimate;
use crate::text;
use crate::variant::VariantId;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The scoreboard and the verdict in brief: what a run ends with.
    Brief,
    /// Every section.
    Full,
}

/// The report, at most `look.width` columns wide.
pub fn render(report: &Report, extent: Extent, look: Look) -> String {
    let mut text = heading(report, look);
    text.push('\n');
    text.push_str(&scoreboard::scoreboard(report, look));
    text.push_str(&notes::footnotes(report, extent, look.width));
    text.push('\n');
    text.push_str(&brief::brief(&report.verdict, &report.measurements.variants, look));
    match extent {
        Extent::Brief => text.push_str(&more(report, look)),
        Extent::Full => {
            text.push_str(&verdict::grounds(&report.verdict, look));
            text.push_str(&sections(report, look.width));
        }
    }
    text
}

/// What each intervention, round and cache did.
fn sections(report: &Report, width: usize) -> String {
    let measurements = &report.measurements;
    let mut text = super::retrieval::section(&measurements.variants, &report.embeddings, width);
    for section in [steps::section, rounds::section, trained::section, cache::section] {
        if let Some(section) = section(measurements, width) {
            text.push('\n');
            text.push_str(&section);
        }
    }
    text
}

/// Where everything else is said.
fn more(report: &Report, look: Look) -> String {
    let run = &report.run;
    let parts = [
        format!("`ceiling report {run}` (every section)"),
        format!("`ceiling report {run} -o report.html` (a page with every example)"),
        format!("`ceiling decide {run} --explain` (each figure's derivation)"),
    ];
    let text = hung(parts.iter().map(String::as_str), ", ", "More: ", "  ", look.width);
    format!("\n{}", look.paint_lines(Tone::Dim, &text))
}

/// Suite, run, where the answers come from.
fn heading(report: &Report, look: Look) -> String {
    let source = report.measurements.provenance.answers();
    let left_out = match report.left_out {
        0 => None,
        n => Some(format!("{n} trials left out: not recorded")),
    };
    let run = format!("run {}", report.run);
    let regraded = report.regraded.then_some("graded by the suite as it stands now");
    let from = report.imported();
    let parts = [report.suite.as_str(), &run, source].into_iter().chain(from).chain(report.part.as_deref());
    let parts = parts.chain(left_out.as_deref()).chain(regraded);
    let mark = if from.is_some() { "IMPORTED" } else { "RECORDED" };
    look.paint_first(Tone::Unsure, mark, hung(parts, " · ", "", "  ", look.width))
}

/// Parts that ` · ` divides, in lines of at most `width` columns.
pub fn headed(heading: &str, width: usize) -> String {
    let heading = text::printable(heading);
    hung(heading.split(" · "), " · ", "", "  ", width)
}

/// What stands where there is nothing to show.
pub(super) const NOTHING: &str = "–";

/// `44.3% [38.6–50.1]`; nothing measured is said so.
pub fn percent_interval(estimate: &Estimate) -> String {
    match estimate.point {
        None => "–".into(),
        Some(point) => {
            format!("{} [{:.1}–{:.1}]", share(point, 1), estimate.low * 100.0, estimate.high * 100.0)
        }
    }
}

/// The level of an interval, such as `95%`.
pub(super) fn level(level: Option<f64>) -> String {
    let percent = level.unwrap_or(0.95) * 100.0;
    let rounded = |steps: f64| (percent * steps).round() / steps;
    let shown = if rounded(100.0) < 100.0 { rounded(100.0) } else { rounded(1e6) };
    format!("{shown}%")
}

/// What else tells two variants apart.
fn differ_too(from: &VariantId, to: &VariantId, what: &str) -> String {
    format!("{from} → {to}: they differ in {what} too")
}

fn quantiles(latency: &Latency) -> String {
    let ms = |estimate: Option<Estimate>| {
        estimate.and_then(|estimate| estimate.point).map_or("–".into(), |ms| format!("{ms:.0}"))
    };
    if latency.n() == 0 { "–".into() } else { format!("{} / {}", ms(latency.p50), ms(latency.p95)) }
}

/// A table where it fits, without the columns that say nothing; else each row as lines of words.
pub(super) fn table_or_list(mut table: Table, width: usize) -> String {
    let says = |column: usize| table.rows.iter().any(|row| row.get(column).is_some_and(|cell| cell != NOTHING));
    let kept: Vec<usize> = (0..table.header.len()).filter(|column| says(*column)).collect();
    table.header = kept.iter().map(|column| table.header[*column].clone()).collect();
    for row in &mut table.rows {
        *row = kept.iter().map(|column| row[*column].clone()).collect();
    }
    if table.width() <= width {
        return table.to_text();
    }
    let mut text = String::new();
    for row in &table.rows {
        let Some((name, cells)) = row.split_first() else { continue };
        let named = table.header.iter().skip(1).zip(cells).filter(|(_, cell)| *cell != NOTHING);
        let words: Vec<String> = named.map(|(header, cell)| format!("{header} {cell}")).collect();
        text.push_str(&wrap(&format!("{name}: {}", words.join("; ")), " ", "   ", width));
    }
    text
}

/// `+8.2 [5.1 to 12.2]` in points.
pub(super) fn points(estimate: &Estimate) -> String {
    estimate.point.map_or(NOTHING.into(), |point| {
        format!("{} [{:.1} to {:.1}]", signed(point * 100.0, 1), estimate.low * 100.0, estimate.high * 100.0)
    })
}

/// An enum's kebab-case name, as JSON writes it.
pub(super) fn kebab<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;

/// Most columns of prose: longer lines are hard to read.
const MOST_PROSE: usize = 120;

/// Words in lines of at most `width` columns. Nothing in them can steer a terminal.
pub fn wrap(words: &str, first: &str, rest: &str, width: usize) -> String {
    hung(text::printable(words).split_whitespace(), " ", first, rest, width.min(MOST_PROSE))
}

/// Parts in lines of at most `width` columns. A line ends within a part only where the part has no room in a
/// line of its own.
pub(crate) fn hung<'a>(
    parts: impl IntoIterator<Item = &'a str>,
    between: &str,
    first: &str,
    rest: &str,
    width: usize,
) -> String {
    let columns = text::columns;
    let end = columns(between.trim_end());
    let mut lines = vec![first.to_owned()];
    let mut lay = |gap: &str, unit: &str, opens: bool| {
        let Some(line) = lines.last_mut() else { return };
        let gap = if opens { "" } else { gap };
        let stuck = opens && columns(line) <= columns(rest);
        if stuck || columns(line) + columns(gap) + columns(unit) + end <= width {
            line.extend([gap, unit]);
        } else {
            line.push_str(gap);
            lines.push(format!("{rest}{unit}"));
        }
    };
    for (place, part) in parts.into_iter().enumerate() {
        let long = columns(rest) + columns(part) + end > width;
        let words = if long { part.split(' ') } else { part.split('\n') };
        for (word, unit) in words.enumerate() {
            lay(if word == 0 { between } else { " " }, unit, place == 0 && word == 0);
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}
