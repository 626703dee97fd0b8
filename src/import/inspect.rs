//! Inspect's evaluation logs as JSON (`inspect log convert --to json`, or `--log-format json`).
//!
//! Read from UKGovernmentBEIS/inspect_ai, `log/_log.py` (`EvalLog`, `EvalSample`),
//! `model/_model_output.py` (`ModelOutput`, `ModelUsage`) and `scorer/_metric.py` (`value_to_float`),
//! commit 020dd01; <https://inspect.aisi.org.uk/eval-logs.html>.

use serde_json::{Value, json};

use super::fields::{self, Fields, add_score};
use super::{Found, Header, LeftOut, Options, Row};
use crate::exchange::{Failure, FailureKind, Retry, Stop, Usage};

/// Where the rows stand in the document.
pub(super) const ROWS: &[&str] = &["samples"];

/// The keys of the document that [`header`] looks at.
pub(super) const HEADER: &[&str] = &["eval", "status", "invalidated"];

/// Fields of a sample that are read, or that hold the course of the conversation.
const KNOWN: &[&str] = &[
    "id",
    "epoch",
    "input",
    "choices",
    "target",
    "output",
    "scores",
    "score",
    "metadata",
    "model_usage",
    "error",
    "limit",
    "started_at",
    "completed_at",
    "uuid",
    "total_time",
    "working_time",
    "messages",
    "events",
    "store",
    "attachments",
    "sandbox",
    "files",
    "setup",
    "error_retries",
    "invalidation",
    "role_usage",
    "timelines",
    "events_data",
    "transcript",
];

/// Takes what the document says beside its samples.
pub(super) fn header(header: &mut Header, key: &str, value: &Value) {
    match key {
        "eval" => {
            let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            header.task = text("/task");
            header.model = text("/model");
            header.version = text("/packages/inspect_ai");
            header.began_unix_ms = text("/created").as_deref().and_then(fields::moment);
        }
        "status" if value.as_str() != Some("success") => {
            let status = value.as_str().unwrap_or("unknown");
            header.notes.push(format!("the log's status is `{}`, not `success`", crate::text::one_line(status, 40)));
        }
        "invalidated" if value == &Value::Bool(true) => {
            header.notes.push("the log says that samples of it were invalidated; they are missing here".to_owned());
        }
        _ => {}
    }
}

/// Reads a sample.
pub(super) fn row(value: &Value, options: &Options) -> Result<Found, String> {
    let fields = Fields::of(value, "a sample")?;
    let mut row = Row::default();
    example(&fields, &mut row)?;
    fields::replace(&mut row, value, &options.places)?;
    let epoch = fields.whole("epoch")?.unwrap_or(1).max(1) - 1;
    row.repeat = Some(u32::try_from(epoch).map_err(|_| "`epoch` is too large".to_owned())?);
    row.sent_unix_ms = fields.text("started_at")?.and_then(fields::moment);
    output(&fields, &mut row)?;
    ending(&fields, &mut row);
    scores(&fields, &mut row);
    for (name, _) in fields.others(KNOWN) {
        row.left_out.push(LeftOut::Field(name.to_owned()));
    }
    Ok(Found::Row(Box::new(row)))
}

fn example(fields: &Fields<'_>, row: &mut Row) -> Result<(), String> {
    let id = fields.get("id").and_then(fields::scalar).filter(|id| !id.is_empty());
    row.id = Some(id.ok_or("`id` must be a text or a number")?);
    let asked = fields.get("input").ok_or("`input` is missing")?;
    let input = alone(asked);
    row.input = match fields.get("choices") {
        Some(choices) => json!({"input": input, "choices": choices}),
        None => input,
    };
    row.asked = asked.clone();
    row.expected = match fields.get("target") {
        Some(Value::Array(targets)) if targets.len() == 1 => targets[0].clone(),
        Some(target) => target.clone(),
        None => Value::Null,
    };
    for (key, value) in fields.get("metadata").and_then(Value::as_object).into_iter().flatten() {
        fields::add_tag(row, key, value);
    }
    Ok(())
}

/// A conversation of one user's turn as its text; a longer one as its turns' roles and contents.
fn alone(input: &Value) -> Value {
    let Some(turns) = input.as_array() else { return input.clone() };
    if let [turn] = turns.as_slice()
        && turn.get("role").and_then(Value::as_str) == Some("user")
        && let Some(text) = turn.get("content").and_then(Value::as_str)
    {
        return Value::from(text);
    }
    turns.iter().map(|turn| json!({"role": turn.get("role"), "content": turn.get("content")})).collect()
}

/// The last answer of the sample, with the tokens and the cost of its model over the whole sample.
fn output(fields: &Fields<'_>, row: &mut Row) -> Result<(), String> {
    let output = fields.get("output").cloned().unwrap_or_default();
    let content = output.pointer("/choices/0/message/content");
    let completion = output.get("completion").and_then(Value::as_str).filter(|text| !text.is_empty());
    row.stated.answer = completion.map(str::to_owned).or_else(|| content.and_then(said));
    row.stated.stop = match output.pointer("/choices/0/stop_reason").and_then(Value::as_str) {
        Some("stop") => Some(Stop::End),
        Some("max_tokens" | "model_length" | "length") => Some(Stop::Length),
        Some("tool_calls") => Some(Stop::ToolCall),
        Some("content_filter") => Some(Stop::Refusal),
        _ => None,
    };
    let model = output.get("model").and_then(Value::as_str).filter(|model| !model.is_empty());
    row.stated.model = model.map(str::to_owned);
    let seconds = output.get("time").and_then(Value::as_f64).filter(|seconds| *seconds > 0.0 && seconds.is_finite());
    row.stated.total_ms = seconds.map(|seconds| seconds * 1000.0);
    let by_model = fields.get("model_usage").and_then(Value::as_object);
    let of_output = || output.get("usage").filter(|usage| usage.is_object());
    let used = match by_model {
        Some(map) if map.len() == 1 => map.values().next(),
        // Others are graders; the output alone tells which is the model.
        Some(map) if map.len() > 1 => {
            row.left_out.push(LeftOut::Words("tokens and cost of other models of the sample, such as graders"));
            let ours = |name: &str| model.is_some_and(|model| name == model || name.ends_with(&format!("/{model}")));
            map.iter().find(|(name, _)| ours(name)).map(|(_, usage)| usage).or_else(of_output)
        }
        _ => of_output(),
    };
    if let Some(used) = used {
        let tokens = Fields::of(used, "a model's usage")?;
        row.stated.usage = Usage {
            input_uncached_tokens: tokens.tokens("input_tokens")?,
            cache_read_tokens: tokens.tokens("input_tokens_cache_read")?,
            cache_write_5m_tokens: tokens.tokens("input_tokens_cache_write")?,
            cache_write_1h_tokens: None,
            output_tokens: tokens.tokens("output_tokens")?,
            reasoning_tokens: tokens.tokens("reasoning_tokens")?,
        };
        row.stated.cost_usd = tokens.amount("total_cost")?;
    }
    Ok(())
}

/// A message's text: its content, or the text parts of it.
fn said(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let text = |part: &Value| part.get("text").and_then(Value::as_str).map(str::to_owned);
            Some(parts.iter().filter_map(text).collect::<Vec<_>>().join("\n"))
        }
        _ => None,
    }
}

/// An error halts a sample; a limit may, and then there are no scores.
fn ending(fields: &Fields<'_>, row: &mut Row) {
    let limit = fields.get("limit").and_then(|limit| limit.get("type")).and_then(Value::as_str);
    let scored = fields.get("scores").and_then(Value::as_object).is_some_and(|scores| !scores.is_empty());
    row.failure = if fields.get("invalidation").is_some() {
        let message = "the sample was invalidated".to_owned();
        Some(Failure { kind: FailureKind::Unstated, status: None, message, retry: Retry::No })
    } else if let Some(error) = fields.get("error") {
        let message = error.get("message").and_then(Value::as_str).or(error.as_str());
        Some(fields::failure(message.unwrap_or("Inspect states an error and no message")))
    } else {
        match limit {
            Some("time" | "working") if !scored => Some(fields::failure("the sample's time limit passed")),
            Some("token" | "message" | "cost") if !scored => {
                row.stated.stop = Some(Stop::Length);
                None
            }
            _ => None,
        }
    };
    if row.failure.is_none() && row.stated.answer.is_none() {
        row.stated.answer = Some(String::new());
    }
}

/// Each scorer's value as Inspect's own metrics read it: C is 1, I and N are 0, P is a half.
fn scores(fields: &Fields<'_>, row: &mut Row) {
    if row.failure.is_some() {
        return;
    }
    let single = fields.get("score").map(|score| ("score".to_owned(), score.clone()));
    let named = fields.get("scores").and_then(Value::as_object).into_iter().flatten();
    let all: Vec<(String, Value)> = named.map(|(name, score)| (name.clone(), score.clone())).chain(single).collect();
    for (name, score) in all {
        match score.get("value") {
            // What a scorer could not score has no number (NaN, written as null).
            None | Some(Value::Null) => row.left_out.push(LeftOut::Score(name)),
            Some(Value::Object(parts)) => {
                for (part, value) in parts {
                    add_score(row, &format!("{name}/{part}"), as_number(value));
                }
            }
            Some(value) => add_score(row, &name, as_number(value)),
        }
    }
}

fn as_number(value: &Value) -> Option<f64> {
    let text = match value {
        Value::String(text) => text.as_str(),
        other => return fields::number(other),
    };
    match text {
        "C" => Some(1.0),
        "P" => Some(0.5),
        "I" | "N" => Some(0.0),
        _ => match text.to_lowercase().as_str() {
            "yes" | "true" => Some(1.0),
            "no" | "false" => Some(0.0),
            number => number.parse().ok(),
        },
    }
}
