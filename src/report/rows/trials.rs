//! One row a trial.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Column, Text, count, flag, integer, moment, number, text};
use crate::exchange::{Outcome, Usage};
use crate::measure::grade::GradedTrial;
use crate::score::Grade;
use crate::suite::Example;
use crate::trial::{Delivery, Exchange, Provenance};

/// A trial with everything that is known of it.
pub struct TrialRow {
    /// The run's name.
    pub run: Arc<str>,
    /// The suite's name.
    pub suite: Arc<str>,
    /// The variant's name.
    pub variant: String,
    /// Its prompt's round.
    pub round: Option<u32>,
    /// What was asked.
    pub example: Example,
    /// Which repeat, from 0.
    pub repeat: u32,
    /// Whether the answer came from the store.
    pub reused: bool,
    /// What was measured.
    pub exchange: Exchange,
    /// How it ended; `None` where nothing can read the answer any more.
    pub outcome: Option<Outcome>,
    /// Its scores.
    pub graded: GradedTrial,
    /// Whether an answer can be invalid at all.
    pub checks_validity: bool,
}

impl TrialRow {
    fn score(&self, scorer: usize) -> Option<f64> {
        self.graded.scores.get(scorer).and_then(Grade::score)
    }

    fn said(&self) -> Option<&str> {
        Some(self.outcome.as_ref()?.completion()?.text.as_str())
    }

    fn failure(&self) -> Option<&'static str> {
        Some(self.outcome.as_ref()?.failure()?.kind.as_str())
    }

    /// What validity says, where an answer has one.
    fn validity(&self, valid: bool) -> Option<bool> {
        (self.checks_validity && !self.graded.counts_as_missing).then_some(valid)
    }
}

fn borrowed(text: &str) -> Text<'_> {
    Some(Cow::Borrowed(text))
}

fn json<T: serde::Serialize>(value: &T) -> Text<'static> {
    serde_json::to_string(value).ok().map(Cow::Owned)
}

/// The columns of a trial, by the suite's scorers.
pub fn trial_columns<'s>(scorers: impl IntoIterator<Item = &'s str>) -> Vec<Column<TrialRow>> {
    let mut columns = who();
    columns.extend(how_it_ended());
    columns.push(number("score", |row: &TrialRow| row.score(0)));
    let scores = scorers.into_iter().enumerate();
    columns.extend(scores.map(|(place, id)| number(format!("score_{id}"), move |row: &TrialRow| row.score(place))));
    columns.extend(answers());
    columns.extend(figures());
    columns
}

fn who() -> Vec<Column<TrialRow>> {
    vec![
        text("run", |row: &TrialRow| borrowed(&row.run)),
        text("suite", |row: &TrialRow| borrowed(&row.suite)),
        text("variant", |row: &TrialRow| borrowed(&row.variant)),
        text("endpoint", |row: &TrialRow| borrowed(&row.exchange.endpoint)),
        integer("round", |row: &TrialRow| row.round.map(i64::from)),
        text("example", |row: &TrialRow| borrowed(&row.example.id.0)),
        text("cluster", |row: &TrialRow| row.example.cluster.as_deref().map(Cow::Borrowed)),
        text("tags", |row: &TrialRow| json(&row.example.tags)),
        integer("repeat", |row: &TrialRow| Some(row.repeat.into())),
        text("provenance", |row: &TrialRow| borrowed(row.exchange.provenance.as_str())),
        text("delivery", |row: &TrialRow| borrowed(row.exchange.delivery.as_str())),
        flag("reused", |row: &TrialRow| Some(row.reused)),
    ]
}

fn how_it_ended() -> Vec<Column<TrialRow>> {
    vec![
        text("outcome", |row: &TrialRow| borrowed(row.outcome.as_ref().map_or("failed", |outcome| outcome.as_str()))),
        text("failure", |row: &TrialRow| row.failure().map(Cow::Borrowed)),
        text("failure_message", |row: &TrialRow| row.graded.failure_message.as_deref().map(Cow::Borrowed)),
        flag("missing", |row: &TrialRow| Some(row.graded.counts_as_missing)),
        flag("valid", |row: &TrialRow| row.validity(row.graded.valid_strict)),
        flag("valid_lenient", |row: &TrialRow| row.validity(row.graded.valid_lenient)),
        text("violation", |row: &TrialRow| row.graded.violation.as_deref().map(Cow::Borrowed)),
    ]
}

fn answers() -> Vec<Column<TrialRow>> {
    vec![
        text("expected", |row: &TrialRow| json(&row.example.expected)),
        text("answer", |row: &TrialRow| row.said().map(Cow::Borrowed)),
        text("expected_label", |row: &TrialRow| row.graded.expected_label.as_deref().map(Cow::Borrowed)),
        text("label", |row: &TrialRow| row.graded.label.as_deref().map(Cow::Borrowed)),
    ]
}

fn figures() -> Vec<Column<TrialRow>> {
    let tokens = |name: &'static str, get: fn(&Usage) -> Option<u64>| {
        integer(name, move |row: &TrialRow| get(&row.graded.usage).and_then(count))
    };
    let total = |row: &TrialRow| match row.exchange.provenance {
        Provenance::Imported => row.graded.total_ms,
        Provenance::Live | Provenance::Recorded => {
            (row.exchange.delivery == Delivery::Direct).then_some(row.exchange.timing.total_ms)
        }
    };
    vec![
        number("ttft_ms", |row: &TrialRow| row.graded.ttft_ms),
        number("total_ms", total),
        tokens("input_uncached_tokens", |usage| usage.input_uncached_tokens),
        tokens("cache_read_tokens", |usage| usage.cache_read_tokens),
        tokens("cache_write_5m_tokens", |usage| usage.cache_write_5m_tokens),
        tokens("cache_write_1h_tokens", |usage| usage.cache_write_1h_tokens),
        tokens("output_tokens", |usage| usage.output_tokens),
        tokens("reasoning_tokens", |usage| usage.reasoning_tokens),
        number("cost_usd", |row: &TrialRow| row.graded.cost.map(|cost| cost.as_f64())),
        integer("retries", |row: &TrialRow| count(row.exchange.attempts.len() as u64)),
        moment("sent_at", |row: &TrialRow| Some(row.exchange.sent_at_unix_ms)),
    ]
}
