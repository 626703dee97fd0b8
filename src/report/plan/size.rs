//! What the examples can show, and what each target needs, for a terminal.

use super::figures::{count, plain};
use super::{line, plural};
use crate::plan::needs::percent;
use crate::plan::preview::Preview;
use crate::plan::size::{Difference, Need, Shows, Wanted};
use crate::report::table::{Table, header};
use crate::report::terminal::table_or_list;
use crate::units::group_thousands;

/// Failures whose n is shown; JSON has more.
const SHOWN_FAILURES: usize = 4;

/// What the examples can show.
pub(super) fn shows(preview: &Preview, width: usize) -> String {
    let reach = &preview.reach;
    let clustered = reach.clusters < reach.examples;
    let mut text = "What these examples can show\n".to_owned();
    for shows in &reach.shows {
        let alike = if clustered {
            let how = if reach.icc_measured { "measured" } else { "assumed" };
            format!(
                ", if those of a cluster are alike by icc {} ({how}; design effect {:.2}): they count as {:.0}",
                plain((shows.icc * 100.0).round() / 100.0),
                shows.design_effect,
                shows.n_effective
            )
        } else {
            String::new()
        };
        let words = format!(
            "{}{alike}; an accuracy of {} is known within ±{:.1} points",
            plural(reach.examples, "example"),
            percent(shows.rate),
            shows.half_width * 100.0
        );
        line(&mut text, &words, width);
    }
    let several = reach.shows.len() > 1;
    let rows =
        reach.shows.iter().flat_map(|shows| shows.differences.iter().map(move |found| row(shows, found, several)));
    let table = Table {
        header: header([
            "two differ on",
            "icc",
            "finds",
            "exact power",
            "equal within",
            "n for margin",
            "n for ceiling",
        ]),
        rows: rows.collect(),
    };
    text.push_str(&table_or_list(table, width));
    text.push('\n');
    let known = preview.earlier.as_ref().filter(|_| reach.discordance_measured);
    let from = known.map_or("is assumed".to_owned(), |earlier| {
        let best = earlier.best.as_ref().map_or(String::new(), |(name, _)| format!(" with `{name}`"));
        let pairs = plural(earlier.pairs, "pair");
        format!("was measured in run {}, the upper limit of the median of {pairs}{best}", earlier.run)
    });
    let words = format!(
        "On how many examples two variants differ {from}. Found with a power of 80%: a difference of so many points, or \
         that two equal variants are equal within so many. n: independent examples that show it within the gate's \
         margin, or for the ceiling test."
    );
    line(&mut text, &words, width);
    let test = &preview.ceiling_test;
    let needs =
        test.n.map_or("no number of examples".to_owned(), |n| format!("about {} examples", group_thousands(n.into())));
    let words = format!(
        "the ceiling test takes {} prompt rounds ({} in use) and, to exclude a gain of {} points in each of the last \
         three, {needs} that count by themselves",
        test.rounds_needed,
        test.rounds,
        plain(test.delta_min * 100.0)
    );
    line(&mut text, &words, width);
    let words = "`run --stop-when-decided` looks as it goes: its intervals are 1.7 to 1.9 times wider at the same n";
    line(&mut text, words, width);
    text
}

fn row(shows: &Shows, found: &Difference, several: bool) -> Vec<String> {
    let points = |share: f64| format!("{:.1}", share * 100.0);
    let n = |n: Option<u64>| n.map_or("none".to_owned(), count);
    vec![
        rounded(found.discordance),
        if several { plain((shows.icc * 100.0).round() / 100.0) } else { "–".to_owned() },
        found.detectable.map_or("none".to_owned(), points),
        found.exact_power.map_or("–".to_owned(), |power| format!("{:.0}%", power * 100.0)),
        format!("±{}", points(found.margin)),
        n(found.n_for_margin),
        n(found.n_for_ceiling),
    ]
}

/// A share in percent with one decimal at the most.
fn rounded(share: f64) -> String {
    percent((share * 1e3).round() / 1e3)
}

/// What each target needs.
pub(super) fn needs(preview: &Preview, width: usize) -> String {
    if preview.needs.is_empty() {
        return String::new();
    }
    let table = Table {
        header: header([
            "target",
            "n with 0/1/2/3 wrong",
            "here",
            "may be wrong",
            "expected",
            "n to settle",
            "verdict",
        ]),
        rows: preview.needs.iter().map(need_row).collect(),
    };
    let mut text = "What each target needs\n".to_owned();
    text.push_str(&table_or_list(table, width));
    let needs = |wanted| preview.needs.iter().find(|need: &&Need| need.wanted == wanted);
    let mut said = Vec::new();
    said.extend(preview.needs.iter().filter_map(|need| {
        let expected = need.expected.as_ref()?;
        Some(format!("{} expected: {}, {}", need.wanted.words(), rounded(expected.rate), expected.source))
    }));
    if preview.needs.iter().any(|need| need.n_clean < need.n) {
        said.push("examples of one cluster count together: all right, each cluster counts once".to_owned());
    }
    if needs(Wanted::SchemaValidity).is_some_and(|need| !need.enough) {
        said.push("validity needs no labels: any inputs of the product can be added for it".to_owned());
    }
    if let Some(ttft) = needs(Wanted::TtftP95) {
        let (p95, p99) = crate::plan::size::least_for_quantiles(0.05);
        let least = |n: Option<u64>| n.map_or("–".to_owned(), count);
        let samples = if ttft.n == 0 { "; recorded times settle nothing" } else { "" };
        said.push(format!("TTFT: p95 needs {} live answers at the least, p99 {}{samples}", least(p95), least(p99)));
    }
    if needs(Wanted::LabelAudit).is_some_and(|need| !need.enough) {
        said.push("label audit: so many labels, chosen at random, checked by a second person".to_owned());
    }
    if !said.is_empty() {
        text.push('\n');
    }
    for words in said {
        line(&mut text, &words, width);
    }
    text
}

fn need_row(need: &Need) -> Vec<String> {
    let target = match need.wanted {
        Wanted::TtftP95 => need.wanted.words().to_owned(),
        Wanted::LabelAudit => format!("labels allow {}", percent(need.share)),
        wanted => format!("{} {}", wanted.words(), percent(need.share)),
    };
    let proving: Vec<String> = need.proving.iter().take(SHOWN_FAILURES).map(|row| count(row.n)).collect();
    let here = if need.n_effective.round() as u64 == need.n {
        count(need.n)
    } else {
        format!("{} (as {:.0})", count(need.n), need.n_effective)
    };
    let expected = need.expected.as_ref();
    vec![
        target,
        if proving.is_empty() { "none".to_owned() } else { proving.join(" / ") },
        here,
        need.most_failures.map_or("–".to_owned(), count),
        expected.map_or("–".to_owned(), |expected| rounded(expected.rate)),
        expected.map_or("–".to_owned(), |expected| expected.n_to_settle.map_or("too close".to_owned(), count)),
        verdict(need),
    ]
}

fn verdict(need: &Need) -> String {
    match (need.enough, need.short_by) {
        (true, _) if need.expected_miss => "enough to show a miss".to_owned(),
        (true, _) if need.expected.is_some() || need.wanted == Wanted::LabelAudit => "enough".to_owned(),
        // Nothing is expected: all depends on how many are wrong.
        (true, _) => "can be shown".to_owned(),
        (false, Some(short)) => format!("short by {}", count(short)),
        (false, None) => "no number is enough".to_owned(),
    }
}
