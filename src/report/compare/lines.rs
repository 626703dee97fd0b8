//! What a comparison says, line by line: the same words in a terminal and on a page.

use super::words::{dropped, not_worse, p_value};
use super::{Compared, Comparison, CostChange, Detail, Form, Latency, SideFacts, Slices};
use crate::measure::RunProvenance;
use crate::measure::contrast::{Contrast, Correction, Test};
use crate::measure::latency_change::Quantiles;
use crate::measure::side::Metric;
use crate::report::figure::signed;
use crate::report::terminal::{self, NOTHING};
use crate::stats::Estimate;
use crate::text;
use crate::units::format_usd;

/// Sides that are described; the rest is in `--json`.
pub(in crate::report) const MOST_SIDES: usize = 20;

/// Suite, run, what is compared, and where the answers come from.
pub(in crate::report) fn heading(comparison: &Comparison) -> String {
    let what = match comparison.form {
        Form::Pair => "B against A on the same examples",
        Form::Baseline => "each against A on the same examples",
        Form::AllPairs => "all pairs on the same examples, for exploring",
        Form::Runs => "each variant against itself, on the same examples",
    };
    let recorded = |side: &&SideFacts| side.provenance != RunProvenance::Live;
    let source = match comparison.sides.iter().filter(recorded).count() {
        0 => "live answers",
        all if all == comparison.sides.len()
            && comparison.sides.iter().all(|side| side.provenance == RunProvenance::Recorded) =>
        {
            "RECORDED answers"
        }
        all if all == comparison.sides.len()
            && comparison.sides.iter().all(|side| side.provenance == RunProvenance::Imported) =>
        {
            "IMPORTED answers"
        }
        _ if comparison.sides.iter().any(|side| side.provenance == RunProvenance::Imported) => {
            "answers partly IMPORTED from another tool"
        }
        _ => "answers partly live, partly RECORDED",
    };
    let run = one_run(comparison).map_or(String::new(), |run| format!("run {run} · "));
    format!("{} · {run}{what} · {source}", comparison.suite)
}

/// The run, where all sides are of one.
pub(in crate::report) fn one_run(comparison: &Comparison) -> Option<&str> {
    let first = comparison.sides.first()?.run.as_str();
    comparison.sides.iter().all(|side| side.run == first).then_some(first)
}

/// The name of the rate that is compared.
pub(in crate::report) fn rate(comparison: &Comparison) -> String {
    match comparison.metric {
        Metric::Accuracy => format!("accuracy (mean of `{}`)", comparison.scorer),
        Metric::Validity => "schema validity".to_owned(),
    }
}

/// A, B, C …, and numbers beyond the alphabet.
pub(in crate::report) fn letter(place: usize) -> String {
    u8::try_from(place)
        .ok()
        .filter(|place| *place < 26)
        .map_or_else(|| format!("{}", place + 1), |place| char::from(b'A' + place).to_string())
}

/// A side in one line.
pub(in crate::report) fn who(side: &SideFacts, of_run: bool) -> String {
    let run = if of_run { format!(" of run {}", side.run) } else { String::new() };
    let mut parts = vec![format!("{}{run}", side.variant)];
    parts.push(text::one_line(&side.endpoints.join(", "), 200));
    parts.push(format!("prompt {}", side.prompt));
    parts.extend(side.settings.iter().cloned());
    if side.repeats > 1 {
        parts.push(format!("{} repeats", side.repeats));
    }
    parts.push(days(side));
    parts.extend(side.source.as_deref().map(|source| text::one_line(source, 200)));
    parts.join(" · ")
}

/// When a side was asked.
pub(in crate::report) fn days(side: &SideFacts) -> String {
    match (&side.first_day, &side.last_day) {
        (Some(first), Some(last)) if first != last => format!("asked {first} to {last}"),
        (Some(first), _) => format!("asked {first}"),
        _ if side.source.is_some() => "days not stated".to_owned(),
        _ => "never asked".to_owned(),
    }
}

/// The level of a contrast's intervals, such as `98.33%`.
pub(in crate::report) fn level(contrast: Option<&Contrast>) -> String {
    let percent = contrast.map_or(0.95, |contrast| contrast.difference.level) * 100.0;
    format!("{}%", (percent * 100.0).round() / 100.0)
}

/// Won, lost, tied.
pub(in crate::report) const COUNTS: &str = "+/−/=";

/// A side by its letter and its name.
pub(in crate::report) fn named(comparison: &Comparison, place: usize) -> String {
    comparison.sides.get(place).map_or(String::new(), |side| format!("{} {}", letter(place), side.name))
}

/// The p-value, corrected where it is.
pub(in crate::report) fn adjusted(contrast: &Contrast) -> String {
    contrast.p_adjusted.or(contrast.p).map_or(NOTHING.into(), p_value)
}

/// How to read the table.
pub(in crate::report) fn notes(comparison: &Comparison) -> Vec<String> {
    let count = comparison.comparisons.len();
    let how = match comparison.correction {
        Some(Correction::BenjaminiHochberg) => format!(
            "exploratory: {count} pairs, p by Benjamini–Hochberg, which bounds the share of false leads and not the \
             chance of one; the intervals are not corrected"
        ),
        _ => format!(
            "p is corrected for {count} comparisons (Holm), the intervals are at level 1 − {}/{count}; a verdict needs \
             both",
            comparison.alpha
        ),
    };
    let mut notes = vec![format!(
        "{} in points, paired; {COUNTS}: examples on which it scored higher, lower, alike; {how}",
        rate(comparison)
    )];
    notes.push(tests(comparison.comparisons.iter().map(|compared| &compared.contrast), comparison.seed));
    let shared = comparison.form != Form::Runs;
    for compared in comparison.comparisons.iter().take(if shared { 1 } else { MOST_SIDES }) {
        let names: Vec<String> = if shared {
            comparison.sides.iter().map(|side| side.name.clone()).collect()
        } else {
            [compared.a, compared.b]
                .iter()
                .filter_map(|place| Some(comparison.sides.get(*place)?.run.clone()))
                .collect()
        };
        if let Some(left_out) = dropped(&compared.dropped, &names) {
            let whom = match (shared, comparison.sides.get(compared.a)) {
                (false, Some(side)) => format!("{}: ", side.variant),
                _ => String::new(),
            };
            notes.push(format!("{whom}{left_out}"));
        }
    }
    notes.push(GRADED.to_owned());
    notes
}

/// What scores rest on.
pub(in crate::report) const GRADED: &str = "all answers are graded by the suite as it stands now";

/// Which tests the p-values come from.
pub(in crate::report) fn tests<'a>(contrasts: impl Iterator<Item = &'a Contrast>, seed: u64) -> String {
    let (mut plain, mut clusters) = (false, None);
    for contrast in contrasts {
        match contrast.test {
            Test::McnemarMidP => plain = true,
            Test::SignFlip => clusters = clusters.max(Some(contrast.clusters)),
        }
    }
    let flip = clusters.map(|clusters| format!("sign-flip over {clusters} clusters (drawn with seed {seed} above 20)"));
    let plain = plain.then(|| "McNemar's mid-p".to_owned());
    let both: Vec<String> = plain.into_iter().chain(flip).collect();
    format!("p-values: {}", both.join("; "))
}

/// A rate in a word.
pub(in crate::report) fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy => "accuracy",
        Metric::Validity => "valid",
    }
}

/// What the rates of two sides rest on.
pub(in crate::report) fn pair_notes(comparison: &Comparison, compared: &Compared, detail: &Detail) -> [String; 3] {
    let contrast = &compared.contrast;
    let clusters =
        if contrast.clusters < contrast.n { format!(" in {} clusters", contrast.clusters) } else { String::new() };
    let calls = if contrast.paired_calls > contrast.n {
        format!(", {} pairs of calls", contrast.paired_calls)
    } else {
        String::new()
    };
    let left_out = dropped(&compared.dropped, &["A".to_owned(), "B".to_owned()]);
    let left_out = left_out.unwrap_or_else(|| "none is left out".to_owned());
    let contrasts = [Some(contrast), detail.other.as_ref().map(|other| &other.contrast)].into_iter().flatten();
    let bounds = compared.difference_bounds.map_or(String::new(), |[low, high]| {
        let point = |bound: f64| signed(bound * 100.0, 1);
        format!("; however they had come out, the difference would lie between {} and {}", point(low), point(high))
    });
    [
        format!("{} examples{clusters}{calls}; {left_out}{bounds}", contrast.n),
        format!("differences in points, paired; {COUNTS}: examples on which B scored higher, lower, alike"),
        format!("{}; {GRADED}", tests(contrasts, comparison.seed)),
    ]
}

/// Whether B is not worse by the gate's margin: the question, and the answer for each rate.
pub(in crate::report) fn margins(
    comparison: &Comparison,
    compared: &Compared,
    detail: &Detail,
) -> Option<(String, Vec<(&'static str, String)>)> {
    let own = compared.contrast.non_inferiority.map(|found| (comparison.metric, found));
    let other = detail.other.as_ref().and_then(|other| Some((other.metric, other.contrast.non_inferiority?)));
    let (_, first) = own.or(other)?;
    let margin = (first.margin * 1e4).round() / 100.0;
    let question = format!("Is B worse by no more than {margin} points (the gate's margin)?");
    let answers = own.into_iter().chain(other).map(|(metric, found)| (name(metric), not_worse(&found)));
    Some((question, answers.collect()))
}

/// What a request costs on either side, and on what that rests.
pub(in crate::report) fn cost(cost: &CostChange) -> Vec<String> {
    let line = match (cost.a_usd_per_request, cost.b_usd_per_request) {
        (Some(a), Some(b)) => {
            let saving = cost.saving_usd_per_request.map_or_else(
                || "one cluster gives no interval of the saving".to_owned(),
                |saving| format!("{}, paired", saved(&saving)),
            );
            format!("A {}, B {}: {saving}", format_usd(a), format_usd(b))
        }
        _ => "unknown".to_owned(),
    };
    let notes: Vec<String> = match &cost.notes {
        [Some(a), Some(b)] if a == b => vec![format!("A and B: {a}")],
        [a, b] => [("A", a), ("B", b)]
            .into_iter()
            .filter_map(|(side, note)| Some(format!("{side}: {}", note.as_ref()?)))
            .collect(),
    };
    let heavy =
        cost.heavy_tail.then(|| "few requests carry much of the saving: take its interval with care".to_owned());
    std::iter::once(line).chain(notes).chain(heavy).collect()
}

/// How the times of the two sides may be read.
pub(in crate::report) fn time_note(latency: &Latency) -> String {
    let note = match &latency.why_not {
        Some(why) => format!("not comparable: {why}"),
        None if latency.ttft_ms.p50_change.or(latency.total_ms.p50_change).is_some() => {
            let first = latency.total_ms.p50_change.or(latency.ttft_ms.p50_change);
            let level = terminal::level(first.map(|change| change.level));
            format!("differences: cluster bootstrap ({level}), for display only: no verdict rests on them")
        }
        None => "no interval of the difference: too few or too many examples, or times without an end".to_owned(),
    };
    let busy = |(side, most): (&str, Option<u32>)| Some(format!("{} ({side})", most.filter(|most| *most > 1)?));
    let busy: Vec<String> = ["A", "B"].into_iter().zip(latency.in_flight).filter_map(busy).collect();
    match busy.is_empty() {
        true => note,
        false => format!("{note}; with up to {} requests under way", busy.join(" and ")),
    }
}

/// How to read slices.
pub(in crate::report) fn slices_note(slices: &Slices) -> String {
    let count = slices.rows.len();
    let left_out = match slices.left_out {
        0 => String::new(),
        n => format!("; {n} smaller slices are left out"),
    };
    format!(
        "where to look, not what to decide: p is corrected for {count} slices (Holm), the intervals are at level 1 − \
         alpha/{count}, and a verdict needs both{left_out}"
    )
}

/// `B saves $0.00022 [$0.00010 to $0.00034] (95%)`, or what it costs more.
pub(in crate::report) fn saved(saving: &Estimate) -> String {
    let usd = |usd: f64| if usd < 0.0 { format!("-{}", format_usd(-usd)) } else { format_usd(usd) };
    let level = terminal::level(Some(saving.level));
    match saving.point {
        Some(point) if point < 0.0 => {
            format!("B costs {} more [{} to {}] ({level})", usd(-point), usd(-saving.high), usd(-saving.low))
        }
        point => {
            let point = point.map_or(NOTHING.into(), usd);
            format!("B saves {point} [{} to {}] ({level})", usd(saving.low), usd(saving.high))
        }
    }
}

pub(in crate::report) fn quantiles(found: &Quantiles) -> String {
    let ms = |estimate: Option<Estimate>| {
        estimate.and_then(|estimate| estimate.point).map_or(NOTHING.into(), |ms| format!("{ms:.0}"))
    };
    if found.p50.is_none() { NOTHING.to_owned() } else { format!("{} / {}", ms(found.p50), ms(found.p95)) }
}

pub(in crate::report) fn shift(change: Option<&Estimate>) -> String {
    let Some((change, point)) = change.and_then(|change| Some((change, change.point?))) else {
        return NOTHING.to_owned();
    };
    format!("{} [{} to {}]", signed(point, 0), signed(change.low, 0), signed(change.high, 0))
}

/// A score without needless zeros.
pub(in crate::report) fn score(score: f64) -> String {
    let text = format!("{score:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A value as people read it: a text without quotes.
pub(in crate::report) fn shown_json(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
