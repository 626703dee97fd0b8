//! A trial's scores, times, tokens and cost in words.

use super::ShownTrial;
use crate::measure::grade::GradedTrial;
use crate::report::prose::score;
use crate::score::Grade;
use crate::text::one_line;
use crate::trial::{Attempt, Delivery, Provenance};
use crate::units::group_thousands;

impl ShownTrial<'_> {
    /// Each scorer's score; nothing for a missing trial.
    pub(super) fn scores(&self) -> Option<String> {
        if self.graded.counts_as_missing {
            return None;
        }
        let one = |(scorer, grade): (&&str, &Grade)| match grade {
            Grade::Scored(of) => format!("{scorer} {}", score(*of)),
            Grade::Unscored(why) => format!("{scorer} not scored: {}", one_line(why, 300)),
        };
        let all: Vec<String> = self.scorers.iter().zip(&self.graded.scores).map(one).collect();
        (!all.is_empty()).then(|| all.join(" · "))
    }

    pub(super) fn time(&self) -> String {
        let exchange = self.exchange;
        let stored = if self.reused { ", answer from the store" } else { "" };
        if exchange.delivery == Delivery::Batch {
            return format!("not measured: came in a batch of {} requests{stored}", exchange.in_flight);
        }
        let total = match exchange.provenance {
            Provenance::Imported => self.graded.total_ms,
            Provenance::Live | Provenance::Recorded => Some(exchange.timing.total_ms),
        };
        let Some(total) = total else { return "not stated".to_owned() };
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.graded.ttft_ms.map(|first| format!("{} to the first token", milliseconds(first))));
        parts.push(format!("{} in all", milliseconds(total)));
        parts.extend(tokens_a_second(self.graded, total).map(|rate| format!("{rate:.0} tokens/s after the first")));
        let source = match exchange.provenance {
            Provenance::Live => "measured",
            Provenance::Recorded => "recorded",
            Provenance::Imported => "as stated by the other tool",
        };
        // What was under way while a recording was read says nothing of its times.
        let load = match (exchange.provenance, exchange.in_flight) {
            (Provenance::Recorded | Provenance::Imported, _) | (_, 0 | 1) => String::new(),
            (Provenance::Live, more) => format!(", {more} requests under way"),
        };
        format!("{} ({source}{stored}{load})", parts.join(", "))
    }

    pub(super) fn tokens(&self) -> String {
        let usage = &self.graded.usage;
        let written = [usage.cache_write_5m_tokens, usage.cache_write_1h_tokens];
        let written = written.into_iter().flatten().reduce(u64::saturating_add);
        let mut parts = Vec::new();
        if let Some(uncached) = usage.input_uncached_tokens {
            let all = uncached + usage.cache_read_tokens.unwrap_or(0) + written.unwrap_or(0);
            let of_these = [(usage.cache_read_tokens, "from the cache"), (written, "written to the cache")];
            parts.push(format!("{} in{}", count(all), of(&of_these)));
        }
        if let Some(out) = usage.output_tokens {
            parts.push(format!("{} out{}", count(out), of(&[(usage.reasoning_tokens, "reasoning")])));
        }
        if parts.is_empty() { "not reported".to_owned() } else { parts.join(", ") }
    }

    pub(super) fn cost(&self) -> String {
        match self.graded.cost {
            Some(cost) if self.reused => format!("{cost}, paid before: the answer came from the store"),
            Some(cost) => cost.to_string(),
            None => "unknown".to_owned(),
        }
    }
}

/// ` (913 from the cache)`; what is not reported, or nothing, is left out.
fn of(parts: &[(Option<u64>, &str)]) -> String {
    let known = parts.iter().filter_map(|(tokens, what)| Some((tokens.filter(|tokens| *tokens > 0)?, what)));
    let parts: Vec<String> = known.map(|(tokens, what)| format!("{} {what}", count(tokens))).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

fn count(tokens: u64) -> String {
    group_thousands(tokens.into())
}

/// How fast the answer came once it had begun; unknown where reasoning came with it or it came at once.
fn tokens_a_second(graded: &GradedTrial, total_ms: f64) -> Option<f64> {
    let after = graded.usage.output_tokens.filter(|out| *out > 1)? - 1;
    let reasons = graded.shows_reasoning || graded.usage.reasoning_tokens.is_some_and(|tokens| tokens > 0);
    let took_ms = total_ms - graded.ttft_ms?;
    (!reasons && took_ms >= 1.0).then(|| after as f64 * 1000.0 / took_ms)
}

fn milliseconds(ms: f64) -> String {
    if ms >= 10_000.0 { format!("{:.1} s", ms / 1000.0) } else { format!("{} ms", group_thousands(ms.round() as i128)) }
}

/// An attempt that failed before.
pub(super) fn attempt(attempt: &Attempt) -> String {
    let status = attempt.status.map_or(String::new(), |status| format!(" ({status})"));
    format!(
        "{}{status} after {}, waited {}: {}",
        attempt.kind.as_str(),
        milliseconds(attempt.took_ms),
        milliseconds(attempt.waited_ms),
        one_line(&attempt.message, 300)
    )
}
