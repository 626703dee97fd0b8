//! Plain JSON Lines: one object a trial, in our own words. `docs/reference/import.md` defines them,
//! and `ceiling report --format jsonl` writes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::{self, add_score};
use super::{Found, Header, LeftOut, Options, Row};
use crate::exchange::{Failure, FailureKind, Retry, Stop, Usage};
use crate::text::one_line;
use crate::wire::imported::Stated;

/// A line. Only `example` and an answer with its score, or an error, are required.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Who answered; without it the whole file is one variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The model, as the other tool names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The example's id.
    pub example: Value,
    /// What was asked about: any JSON.
    #[serde(default)]
    pub input: Value,
    /// The right answer: any JSON.
    #[serde(default)]
    pub expected: Value,
    /// Examples of one cluster are not independent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// For slices.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Which repeat, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// What the model said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Why it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// The score that stands for accuracy, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Further scores by name, 0 to 1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, f64>,
    /// Whether the answer had the shape that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<bool>,
    /// What was wrong with its shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violation: Option<String>,
    /// Milliseconds to the first visible token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<f64>,
    /// Milliseconds to the whole answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_ms: Option<f64>,
    /// Tokens; what is absent is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What the request cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What kind of failure that was; without it the message is judged by its words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureKind>,
    /// When it was asked, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<String>,
    /// Of the first line alone: from where the trials come, said wherever they are reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// The counts that `usage` has.
const TOKENS: &[&str] = &[
    "input_uncached_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
];

/// Takes what the first line says of the file.
pub(super) fn header(header: &mut Header, value: &Value) {
    let source = value.get("source").and_then(Value::as_str);
    header.source = source.map(|source| one_line(source, 120)).filter(|source| !source.is_empty());
}

/// Reads a line.
pub(super) fn row(value: &Value, options: &Options) -> Result<Found, String> {
    let line: Line = serde_json::from_value(value.clone()).map_err(|error| one_line(&error.to_string(), 200))?;
    let id = fields::scalar(&line.example).filter(|id| !id.is_empty());
    let amounts = [("ttft_ms", line.ttft_ms), ("total_ms", line.total_ms), ("cost_usd", line.cost_usd)];
    if let Some((name, _)) = amounts.into_iter().find(|(_, amount)| amount.is_some_and(|amount| amount < 0.0)) {
        return Err(format!("`{name}` must be a number that is not negative"));
    }
    if line.answer.is_none() && line.error.is_none() {
        return Err("there is neither an `answer` nor an `error`".to_owned());
    }
    let mut row = Row {
        variant: line.variant,
        model: line.model,
        id: Some(id.ok_or("`example` must be an id: a text or a number")?),
        repeat: line.repeat,
        input: line.input,
        expected: line.expected,
        cluster: line.cluster,
        sent_unix_ms: line.sent_at.as_deref().and_then(fields::moment),
        failure: line.error.as_deref().map(|message| failure(message, line.failure)),
        stated: Stated {
            answer: line.answer,
            stop: line.stop,
            valid: line.valid,
            violation: line.violation.map(|violation| one_line(&violation, 300)),
            ttft_ms: line.ttft_ms,
            total_ms: line.total_ms,
            cost_usd: line.cost_usd,
            usage: line.usage.unwrap_or_default(),
            ..Stated::default()
        },
        ..Row::default()
    };
    for (name, value) in &line.tags {
        fields::add_tag(&mut row, name, &Value::from(value.as_str()));
    }
    for (name, _) in value.get("usage").and_then(Value::as_object).into_iter().flatten() {
        if !TOKENS.contains(&name.as_str()) {
            row.left_out.push(LeftOut::Field(format!("usage.{name}")));
        }
    }
    if line.sent_at.is_some() && row.sent_unix_ms.is_none() {
        row.left_out.push(LeftOut::Words("a `sent_at` that is no time"));
    }
    fields::replace(&mut row, value, &options.places)?;
    if let Some(score) = line.score {
        add_score(&mut row, "score", Some(score));
    }
    for (name, score) in &line.scores {
        add_score(&mut row, name, Some(*score));
    }
    Ok(Found::Row(Box::new(row)))
}

fn failure(message: &str, kind: Option<FailureKind>) -> Failure {
    let read = fields::failure(message);
    Failure { kind: kind.unwrap_or(read.kind), retry: Retry::No, ..read }
}
