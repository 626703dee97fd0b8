//! What a run would come to, for a terminal.

mod figures;
mod size;

use std::fmt::Write as _;

use super::table::{Table, header};
use super::terminal::{table_or_list, wrap};
use crate::plan::cost::{CacheEffect, InBudget};
use crate::plan::preview::{Billing, Preview, Sum, VariantPreview};
use crate::plan::tokens::BYTES_PER_TOKEN;
use crate::text::one_line;
use crate::units::format_usd;
use crate::variant::VariantId;
use figures::{amount, count, plain, quote, seconds, usd};

/// Longest warning that is repeated whole.
const WARNING: usize = 240;

/// The whole preview, at most about `width` columns wide.
pub fn render(preview: &Preview, width: usize) -> String {
    let mut text = format!("{} · plan · nothing was sent\n\n", preview.suite);
    let sections = [requests, costs, month, time, size::shows, size::needs, warnings];
    let sections = sections.into_iter().map(|section| section(preview, width)).filter(|section| !section.is_empty());
    text.push_str(&sections.collect::<Vec<_>>().join("\n"));
    text
}

/// A paragraph under a heading, its further lines indented.
fn line(text: &mut String, words: &str, width: usize) {
    text.push_str(&wrap(words, " ", "   ", width));
}

fn plural(n: u64, one: &str) -> String {
    format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `` `a`, `b` and 3 more ``.
fn names(variants: &[&VariantId]) -> String {
    let shown: Vec<String> = variants.iter().take(4).map(|name| format!("`{name}`")).collect();
    let more = variants.len() - shown.len();
    shown.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// The names of the variants of which something holds; `None` for none.
fn of_which(preview: &Preview, holds: impl Fn(&VariantPreview) -> bool) -> Option<String> {
    let found: Vec<&VariantId> =
        preview.variants.iter().filter(|variant| holds(variant)).map(|variant| &variant.variant).collect();
    match found.len() {
        0 => None,
        all if all == preview.variants.len() && all > 1 => Some("all variants".to_owned()),
        _ => Some(names(&found)),
    }
}

fn requests(preview: &Preview, width: usize) -> String {
    let requests = &preview.requests;
    let mut text = "Requests\n".to_owned();
    let repeats = if requests.repeats > 1 { format!(" x {} repeats", requests.repeats) } else { String::new() };
    let variants = plural(preview.variants.len() as u64, "variant");
    let mut words =
        format!("{} = {} x {variants}{repeats}", count(requests.total), plural(requests.examples, "example"));
    let about = if requests.rendered < requests.examples { "about " } else { "" };
    if requests.known > 0 {
        let _ = write!(words, "; the store has answers to {about}{}, which are not asked again", count(requests.known));
    }
    let _ = write!(words, "; {about}{} to ask", count(requests.to_ask));
    line(&mut text, &words, width);
    if requests.clusters < requests.examples {
        let clusters = plural(requests.clusters, "cluster");
        line(&mut text, &format!("{} in {clusters}", plural(requests.examples, "example")), width);
    }
    if requests.pool > 0 {
        line(&mut text, &format!("pool of {} for few-shot", plural(requests.pool, "row")), width);
    }
    if requests.rendered < requests.examples {
        let words = format!(
            "tokens, cost and look-ups rest on a random {} of the {} examples",
            count(requests.rendered),
            count(requests.examples)
        );
        line(&mut text, &words, width);
    }
    for variant in preview.variants.iter().filter(|variant| variant.not_recorded > 0) {
        let words = format!(
            "{}: the recording does not know {} of its requests: a run stops there without --recorded-only",
            variant.variant,
            count(variant.not_recorded)
        );
        line(&mut text, &words, width);
    }
    text
}

fn costs(preview: &Preview, width: usize) -> String {
    let mut text = "Tokens a request, and cost of what is to be asked: likely (least–most)\n".to_owned();
    text.push_str(&cost_table(preview, width));
    text.push('\n');
    for vectors in &preview.vectors {
        let texts = plural(vectors.texts, "text");
        line(&mut text, &format!("vectors of {texts} by {}: {}", vectors.endpoint, quote(&vectors.cost)), width);
    }
    for words in as_written(preview).into_iter().chain(basis(preview)).chain(quote_notes(preview)) {
        line(&mut text, &words, width);
    }
    for variant in &preview.variants {
        if let Some(words) = variant.cache_effect.as_ref().and_then(|effect| cache_words(variant, effect)) {
            line(&mut text, &words, width);
        }
    }
    text
}

/// Columns of tokens, and those of dollars where anything is billed: side by side, or below.
fn cost_table(preview: &Preview, width: usize) -> String {
    let tokens = ["to ask", "tokens in", "tokens out"];
    let dollars = ["$ without cache", "$ with cache", "$ by batch", "$ at worst"];
    let mut rows: Vec<Vec<String>> = preview.variants.iter().map(row).collect();
    if preview.variants.len() > 1 {
        rows.push(total_row(preview));
    }
    let part = |columns: std::ops::Range<usize>| Table {
        header: header(["variant"])
            .into_iter()
            .chain(header(tokens).into_iter().chain(header(dollars)).skip(columns.start).take(columns.len()))
            .collect(),
        rows: rows.iter().map(|row| [&row[..1], &row[columns.start + 1..=columns.end]].concat()).collect(),
    };
    let (first, all) = (tokens.len(), tokens.len() + dollars.len());
    if !is_billed(preview) {
        return table_or_list(part(0..first), width);
    }
    let whole = part(0..all);
    if whole.width() <= width {
        return whole.to_text();
    }
    format!("{}\n{}", table_or_list(part(0..first), width), table_or_list(part(first..all), width))
}

/// Whether anything is asked of anyone but a recording.
fn is_billed(preview: &Preview) -> bool {
    preview.variants.iter().any(|variant| variant.billing != Billing::Recorded)
}

fn row(variant: &VariantPreview) -> Vec<String> {
    let recorded = variant.billing == Billing::Recorded;
    let paid = |text: String| if recorded { "recorded".to_owned() } else { text };
    vec![
        format!("{}{}", variant.variant, if variant.cached { " (cached)" } else { "" }),
        count(variant.to_ask),
        amount(variant.input_tokens),
        amount(variant.output_tokens),
        paid(quote(&variant.cost_without_cache)),
        paid(quote(&variant.cost_with_cache)),
        paid(quote(&variant.cost_by_batch)),
        paid(match variant.worst_case {
            Some(worst) => worst.to_string(),
            None if variant.billing == Billing::Tokens => "unbounded".to_owned(),
            None => "unknown".to_owned(),
        }),
    ]
}

fn total_row(preview: &Preview) -> Vec<String> {
    let total = &preview.total;
    vec![
        "all".to_owned(),
        count(preview.requests.to_ask),
        "–".to_owned(),
        "–".to_owned(),
        sum(&total.without_cache),
        sum(&total.with_cache),
        sum(&total.by_batch),
        total.worst_case.map_or("unknown".to_owned(), |worst| worst.to_string()),
    ]
}

/// A sum; where some of it is unknown that is said, and a sum of nothing known is unknown.
fn sum(sum: &Sum) -> String {
    match sum.without.len() {
        0 => usd(sum.usd),
        _ if sum.usd == crate::plan::cost::UsdSpan::ZERO => "unknown".to_owned(),
        unknown => format!("{} + {unknown} unknown", usd(sum.usd)),
    }
}

/// What the run as the suite has it costs.
fn as_written(preview: &Preview) -> Option<String> {
    if !is_billed(preview) {
        return Some("the answers come from a recording: nothing is sent and nothing is billed".to_owned());
    }
    let total = &preview.total;
    let mut words = format!("the run as it is written: {}", sum(&total.as_written));
    match total.worst_case {
        Some(worst) => {
            let _ = write!(
                words,
                "; --max-cost sets aside {worst} at worst: every byte a token, every answer at its limit"
            );
        }
        None => words.push_str("; --max-cost cannot be kept, since not every request's worst case is known"),
    }
    Some(words)
}

/// On what the token counts rest.
fn basis(preview: &Preview) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(names) = of_which(preview, |variant| variant.tokens_measured_on.is_none()) {
        let (least, most) = (BYTES_PER_TOKEN.high.unwrap_or(2.0), BYTES_PER_TOKEN.low);
        said.push(format!(
            "tokens of {names} are estimated from the text, {} to {} bytes a token, likely {}; the answer from what is \
             expected, up to `max_tokens`",
            plain(least),
            plain(most),
            plain(BYTES_PER_TOKEN.likely.unwrap_or(most))
        ));
    }
    if let (Some(names), Some(earlier)) =
        (of_which(preview, |variant| variant.tokens_measured_on.is_some()), preview.earlier.as_ref())
    {
        let answers = preview.variants.iter().filter_map(|variant| variant.tokens_measured_on);
        let (least, most) = answers.fold((u64::MAX, 0), |(least, most), n| (least.min(n), most.max(n)));
        let n = if least == most { count(most) } else { format!("{}–{}", count(least), count(most)) };
        said.push(format!("tokens of {names} are measured on {n} answers each, in run {}", earlier.run));
    }
    said
}

/// Why a figure of the table is unknown, or has no upper end.
fn quote_notes(preview: &Preview) -> Vec<String> {
    let mut notes: Vec<(String, Vec<&VariantId>)> = Vec::new();
    for variant in preview.variants.iter().filter(|variant| variant.billing != Billing::Recorded) {
        let quotes = [
            ("", &variant.cost_without_cache),
            ("with the cache: ", &variant.cost_with_cache),
            ("by batch: ", &variant.cost_by_batch),
        ];
        let mut said: Vec<&String> = Vec::new();
        for (kind, note) in quotes.iter().filter_map(|(kind, quote)| Some((kind, quote.note.as_ref()?))) {
            if said.contains(&note) {
                continue;
            }
            said.push(note);
            let words = format!("{kind}{note}");
            match notes.iter_mut().find(|(known, _)| *known == words) {
                Some((_, variants)) => variants.push(&variant.variant),
                None => notes.push((words, vec![&variant.variant])),
            }
        }
        if let Some(hardware) = &variant.hardware {
            let needed = hardware.requests_per_second_for_budget.map_or(String::new(), |rate| {
                format!("; the month's budget holds from {} requests a second on", plain((rate * 1e3).ceil() / 1e3))
            });
            let words = format!(
                "{} an hour, used at {:.0}%{needed}; run some examples, then plan again",
                format_usd(hardware.usd_per_hour),
                hardware.utilisation * 100.0
            );
            notes.push((words, vec![&variant.variant]));
        }
    }
    notes.into_iter().map(|(words, variants)| format!("{}: {words}", names(&variants))).collect()
}

/// What the cache changes, for variants that ask for it.
fn cache_words(variant: &VariantPreview, effect: &CacheEffect) -> Option<String> {
    if !variant.cached {
        return None;
    }
    let prefix = amount(effect.prefix_tokens);
    let share = effect.prefix_share * 100.0;
    let start = format!("{}: the prefix has about {prefix} tokens, {share:.0}% of the prompt", variant.variant);
    let Some(pays) = effect.pays_from_hit_rate else {
        let why = match effect.min_tokens {
            Some(min) if effect.prefix_tokens.likely.is_some_and(|tokens| tokens < min as f64) => {
                format!("and the model keeps prefixes of {} on: likely nothing is cached", count(min))
            }
            _ => "and caching it saves nothing".to_owned(),
        };
        return Some(format!("{start}, {why}"));
    };
    let hit = if effect.factor_hit < 1.0 {
        format!("a request that reads it costs {:.0}% less", (1.0 - effect.factor_hit) * 100.0)
    } else {
        format!("a request that reads it costs {:.0}% more", (effect.factor_hit - 1.0) * 100.0)
    };
    let miss = if effect.factor_miss > 1.0 {
        format!(
            "; if none did, {:.0}% MORE than without a cache, and it pays from a hit rate of {:.0}% on",
            (effect.factor_miss - 1.0) * 100.0,
            pays * 100.0
        )
    } else {
        "; one that does not costs no more than without".to_owned()
    };
    let short = effect.min_tokens.filter(|min| effect.prefix_tokens.low < *min as f64).map(|min| {
        format!("; the model keeps prefixes of {} on, which this one may miss: then nothing is cached", count(min))
    });
    Some(format!("{start}; {hit}{miss}{}", short.unwrap_or_default()))
}

fn month(preview: &Preview, width: usize) -> String {
    let known: Vec<_> = preview.variants.iter().filter_map(|variant| Some((variant, variant.month?))).collect();
    let Some((_, first)) = known.first() else { return String::new() };
    let (few, many) = first.requests;
    let requests = if few == many { count(few) } else { format!("{}–{}", count(few), count(many)) };
    let mut text = format!("A month of {requests} requests, with the cache where it is asked for\n");
    let rows = known.iter().map(|(variant, month)| {
        let budget = match month.in_budget {
            None => "–",
            Some(InBudget::Yes) => "within the budget",
            Some(InBudget::No) => "OVER THE BUDGET",
            Some(InBudget::Open) => "open",
        };
        vec![variant.variant.0.clone(), usd(month.usd), budget.to_owned()]
    });
    let table = Table { header: header(["variant", "$ a month", "budget"]), rows: rows.collect() };
    text.push_str(&table_or_list(table, width));
    text
}

fn time(preview: &Preview, width: usize) -> String {
    let Some(all) = preview.time.seconds else { return String::new() };
    let mut text = "Time\n".to_owned();
    for provider in &preview.time.providers {
        let mut limits = vec![format!("{} at once", provider.concurrency)];
        limits.extend(provider.requests_per_minute.map(|most| format!("{} requests a minute", count(most.into()))));
        limits.extend(provider.tokens_per_minute.map(|most| format!("{} tokens a minute", count(most.into()))));
        let binds = if provider.binds_low == provider.binds_high {
            provider.binds_low.words().to_owned()
        } else {
            format!("{} or {}", provider.binds_low.words(), provider.binds_high.words())
        };
        let words = format!(
            "{}: {} in {}; {} decide ({})",
            provider.provider,
            plural(provider.requests, "request"),
            seconds(provider.seconds),
            binds,
            limits.join(", ")
        );
        line(&mut text, &words, width);
    }
    if preview.time.providers.len() > 1 {
        let how = if preview.time.by_variant { "variant after variant" } else { "side by side" };
        line(&mut text, &format!("together, {how}: {}", seconds(all)), width);
    }
    if let Some(names) = of_which(preview, |variant| variant.seconds.is_some() && !variant.seconds_measured) {
        let (low, high) = crate::plan::time::ASSUMED_SECONDS;
        let words = format!("a request of {names} is assumed to take {low} to {high} s: none was measured yet");
        line(&mut text, &words, width);
    }
    if let Some(names) = of_which(preview, |variant| variant.seconds_measured) {
        line(&mut text, &format!("the times of {names} are the measured median and 95th percentile"), width);
    }
    if preview.variants.iter().any(|variant| variant.cost_by_batch.usd.is_some() && variant.seconds.is_some()) {
        line(&mut text, "by batch: within a day or so, and without a latency", width);
    }
    text
}

fn warnings(preview: &Preview, width: usize) -> String {
    let mut text = String::new();
    if !preview.undecided.is_empty() {
        text.push_str("Left open whatever the answers are\n");
        for words in &preview.undecided {
            line(&mut text, &format!("- {words}"), width);
        }
    }
    if !preview.warnings.is_empty() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str("`ceiling check` warns\n");
        for warning in &preview.warnings {
            line(&mut text, &format!("- {}: {}", warning.code, one_line(&warning.message, WARNING)), width);
        }
    }
    text
}

#[cfg(test)]
mod tests;
