//! The scoreboard: its columns in as few tables as the width allows, each beginning with the variant.

use super::bar::{self, bar};
use super::{NOTHING, level, percent_interval, quantiles};
use crate::measure::standing::Standing;
use crate::measure::trained::Trained;
use crate::measure::{Measurements, TokenSum, VariantMeasurements};
use crate::report::Report;
use crate::report::figure::share;
use crate::report::look::{Look, Tone};
use crate::report::table::Table;
use crate::stats::Estimate;
use crate::text;
use crate::units::format_usd;

/// Fewest characters of a variant's name.
const FEWEST_OF_NAME: usize = 10;

/// The tables, one below the other.
pub(super) fn scoreboard(report: &Report, look: Look) -> String {
    let Measurements { variants, trained, .. } = &*report.measurements;
    let target = report.verdict.triggers.t2.target;
    let columns = columns(variants, trained);
    let first = names(variants, trained, &columns, look.width);
    let widths: Vec<usize> = columns.iter().map(Column::width).collect();
    let tables = packed(widest(&first), &widths, look.width);
    let mut drawn = Vec::new();
    for places in tables {
        let free = look.width.saturating_sub(width(widest(&first), places.iter().map(|place| widths[*place])));
        let cells = (bar::FEWEST + free).min(bar::MOST);
        let filled = places.iter().map(|place| columns[*place].filled((variants, trained), target, cells));
        let columns: Vec<Vec<String>> = std::iter::once(first.clone()).chain(filled).collect();
        drawn.push(painted(&columns, (variants, trained.len()), look));
    }
    drawn.join("\n")
}

/// A mark that reads without colour: the best accuracy, and those not shown to be below it.
pub(super) fn mark(standing: Option<Standing>) -> &'static str {
    match standing {
        Some(Standing::Best) => "▲",
        Some(Standing::Tied) => "≈",
        Some(Standing::Behind) | None => " ",
    }
}

/// Whether there is anything to rank.
pub(super) fn ranks(variants: &[VariantMeasurements]) -> bool {
    variants.iter().filter(|measured| measured.standing.is_some()).count() > 1
}

/// A column: its name, then a cell for each variant.
enum Column {
    Text(Vec<String>),
    /// As wide as there is room.
    Bar,
}

impl Column {
    fn width(&self) -> usize {
        match self {
            Self::Text(cells) => widest(cells),
            Self::Bar => bar::FEWEST,
        }
    }

    fn filled(
        &self,
        (variants, trained): (&[VariantMeasurements], &[Trained]),
        target: Option<f64>,
        cells: usize,
    ) -> Vec<String> {
        let accuracies = variants.iter().map(|measured| &measured.accuracy);
        let accuracies = accuracies.chain(trained.iter().map(|trained| &trained.accuracy));
        match self {
            Self::Text(cells) => cells.clone(),
            Self::Bar => std::iter::once(bar::scale(cells))
                .chain(accuracies.map(|accuracy| bar(accuracy, target, cells)))
                .collect(),
        }
    }
}

fn widest(cells: &[String]) -> usize {
    cells.iter().map(|cell| text::columns(cell)).max().unwrap_or(0)
}

/// Columns of a table: one before it, two between its columns.
fn width(first: usize, others: impl Iterator<Item = usize>) -> usize {
    others.fold(1 + first, |width, column| width + 2 + column)
}

/// Which columns stand together, in order: as many as fit; never a table without any.
fn packed(first: usize, widths: &[usize], most: usize) -> Vec<Vec<usize>> {
    let mut tables: Vec<Vec<usize>> = Vec::new();
    for place in 0..widths.len() {
        let fits =
            |table: &&mut Vec<usize>| width(first, table.iter().chain([&place]).map(|place| widths[*place])) <= most;
        match tables.last_mut().filter(fits) {
            Some(table) => table.push(place),
            None => tables.push(vec![place]),
        }
    }
    tables
}

fn painted(columns: &[Vec<String>], (variants, trained): (&[VariantMeasurements], usize), look: Look) -> String {
    let row = |place: usize| columns.iter().map(move |column| column.get(place).cloned().unwrap_or_default());
    let table = Table {
        header: row(0).map(Into::into).collect(),
        rows: (1..=variants.len() + trained).map(|place| row(place).collect()).collect(),
    };
    let tones = variants.iter().map(|measured| Tone::from(measured.standing.filter(|_| ranks(variants))));
    let tones = std::iter::once(Tone::Plain).chain(tones).chain(std::iter::repeat_n(Tone::Plain, trained));
    table.to_text().lines().zip(tones).map(|(line, tone)| look.paint(tone, line) + "\n").collect()
}

/// The first column: names with their marks, shortened in the middle where the accuracy would not fit beside
/// them, and never so that two read the same.
fn names(variants: &[VariantMeasurements], trained: &[Trained], columns: &[Column], most: usize) -> Vec<String> {
    let ranked = ranks(variants);
    let beside = columns.iter().take(2).map(Column::width);
    let room = most.saturating_sub(width(if ranked { 2 } else { 0 }, beside)).max(FEWEST_OF_NAME);
    let baselines: Vec<String> = trained.iter().map(|trained| format!("{} (trained baseline)", trained.name)).collect();
    let all = variants.iter().map(|measured| measured.variant.id.as_str());
    let all: Vec<&str> = all.chain(baselines.iter().map(String::as_str)).collect();
    let longest = all.iter().map(|name| text::columns(name)).max().unwrap_or(0);
    let short = |room: usize| all.iter().map(|name| shortened(name, room)).collect::<Vec<_>>();
    let distinct = |names: &Vec<String>| (1..names.len()).all(|place| !names[..place].contains(&names[place]));
    let names = (room..longest).map(short).find(distinct).unwrap_or_else(|| short(longest));
    let marked = |(place, name): (usize, String)| match ranked {
        true => format!("{} {name}", mark(variants.get(place).and_then(|measured| measured.standing))),
        false => name,
    };
    let header = if ranked { "  variant" } else { "variant" };
    std::iter::once(header.to_owned()).chain(names.into_iter().enumerate().map(marked)).collect()
}

/// At most so many columns, `…` in place of the middle.
pub fn shortened(name: &str, most: usize) -> String {
    if text::columns(name) <= most {
        return name.to_owned();
    }
    let kept = most.saturating_sub(1);
    let fitting = |characters: &mut dyn Iterator<Item = char>, most: usize| {
        let mut room = most;
        let fits = |character: &char| {
            let columns = text::columns_of(*character);
            let fits = columns <= room;
            room = room.saturating_sub(columns);
            fits
        };
        characters.take_while(fits).collect::<Vec<char>>()
    };
    let head: String = fitting(&mut name.chars(), kept.div_ceil(2)).into_iter().collect();
    let tail: String = fitting(&mut name.chars().rev(), kept / 2).into_iter().rev().collect();
    format!("{head}…{tail}")
}

/// The columns beside the name, without those that say nothing of any variant.
fn columns(variants: &[VariantMeasurements], trained: &[Trained]) -> Vec<Column> {
    let column = |name: &str, cell: fn(&VariantMeasurements) -> String| {
        let cells = variants.iter().map(cell);
        Column::Text(std::iter::once(name.to_owned()).chain(cells).collect())
    };
    let says = |cell: fn(&VariantMeasurements) -> String| {
        variants.iter().any(|measured| !matches!(cell(measured).as_str(), NOTHING | "0" | "unknown"))
    };
    let optional = |name: &str, cell: fn(&VariantMeasurements) -> String| says(cell).then(|| column(name, cell));
    let accuracy = format!("accuracy [{}]", level(variants.first().map(|measured| measured.accuracy.level)));
    let differs = variants.iter().any(|measured| lenient(measured) != valid(measured));
    let always = [
        column("n", |measured| measured.accuracy.n.to_string()),
        column(&accuracy, |measured| percent_interval(&measured.accuracy)),
        Column::Bar,
        column("valid", valid),
    ];
    let others = [
        differs.then(|| column("lenient", lenient)),
        optional("macro-F1", macro_f1),
        not_answered(variants),
        optional("TTFT p50/p95 ms", |measured| quantiles(&measured.ttft)),
        optional("reasoning p50/p95 ms", |measured| measured.ttft_any.as_ref().map_or(NOTHING.into(), quantiles)),
        optional("total p50/p95 ms", |measured| quantiles(&measured.total)),
        optional("retries", |measured| measured.retries.to_string()),
        optional("tokens in (cached)", tokens_in),
        optional("out", |measured| tokens(&measured.usage.output_tokens)),
        optional("reasoning", |measured| tokens(&measured.usage.reasoning_tokens)),
        optional("$/request", |measured| usd(measured.cost.per_request.as_ref(), 1.0)),
        optional("$/1k correct", |measured| usd(measured.cost.per_correct.as_ref(), 1000.0)),
    ];
    let mut columns: Vec<Column> = always.into_iter().chain(others.into_iter().flatten()).collect();
    for column in &mut columns {
        if let Column::Text(cells) = column {
            let name = cells.first().cloned().unwrap_or_default();
            cells.extend(trained.iter().map(|trained| of_trained(&name, &accuracy, trained)));
        }
    }
    columns
}

/// What a trained baseline has in the column of this name: it is asked nothing, so that it has neither times nor cost.
fn of_trained(column: &str, accuracy: &str, trained: &Trained) -> String {
    match column {
        "n" => trained.accuracy.n.to_string(),
        "macro-F1" => f1(trained.macro_f1),
        _ if column == accuracy => percent_interval(&trained.accuracy),
        _ => NOTHING.into(),
    }
}

fn valid(measured: &VariantMeasurements) -> String {
    percent(measured.validity_strict.as_ref())
}

fn lenient(measured: &VariantMeasurements) -> String {
    percent(measured.validity_lenient.as_ref())
}

fn percent(estimate: Option<&Estimate>) -> String {
    estimate.and_then(|estimate| estimate.point).map_or(NOTHING.into(), |point| share(point, 1))
}

fn macro_f1(measured: &VariantMeasurements) -> String {
    f1(measured.macro_f1)
}

fn f1(estimate: Option<Estimate>) -> String {
    estimate.and_then(|f1| f1.point).map_or(NOTHING.into(), |f1| format!("{f1:.3}"))
}

/// How trials ended that have no whole answer: one kind by its name, several with their names.
fn not_answered(variants: &[VariantMeasurements]) -> Option<Column> {
    let counts = |measured: &VariantMeasurements| {
        let outcomes = &measured.outcomes;
        [("refused", outcomes.refused), ("cut", outcomes.truncated), ("failed", outcomes.failed)]
    };
    let kinds = (0..3).filter(|kind| variants.iter().any(|measured| counts(measured)[*kind].1 > 0));
    let kinds: Vec<usize> = kinds.collect();
    let cell = |measured: &VariantMeasurements| {
        let counts = counts(measured);
        if let [kind] = kinds[..] {
            return counts[kind].1.to_string();
        }
        let said = counts.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {name}"));
        let said: Vec<String> = said.collect();
        if said.is_empty() { "0".to_owned() } else { said.join(", ") }
    };
    let name = match kinds[..] {
        [] => return None,
        [kind] => counts(variants.first()?)[kind].0,
        _ => "not answered",
    };
    Some(Column::Text(std::iter::once(name.to_owned()).chain(variants.iter().map(cell)).collect()))
}

fn usd(estimate: Option<&Estimate>, times: f64) -> String {
    estimate.and_then(|cost| cost.point).map_or("unknown".into(), |usd| format_usd(usd * times))
}

fn tokens(sum: &TokenSum) -> String {
    sum.mean().map_or(NOTHING.into(), |mean| format!("{mean:.0}"))
}

/// Prompt tokens in all, and of these the cached ones.
fn tokens_in(measured: &VariantMeasurements) -> String {
    let usage = &measured.usage;
    let Some(uncached) = usage.input_uncached_tokens.mean() else { return NOTHING.into() };
    // Over the answers that report the prompt's tokens: not all of them need say what was cached.
    let each = |sum: &TokenSum| sum.total.map(|total| total as f64 / usage.input_uncached_tokens.reported_by as f64);
    let read = each(&usage.cache_read_tokens);
    let written = [&usage.cache_write_5m_tokens, &usage.cache_write_1h_tokens].into_iter().filter_map(each);
    let all = uncached + read.unwrap_or(0.0) + written.sum::<f64>();
    read.map_or_else(|| format!("{all:.0}"), |read| format!("{all:.0} ({read:.0})"))
}
