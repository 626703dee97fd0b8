//! NeMo Evaluator's `results.jsonl`: one problem, or one repeat of it, a line.
//!
//! Read from NVIDIA-NeMo/Evaluator, `docs/result-format.mdx`, `engine/eval_loop.py` and
//! `engine/artifacts.py`, version 0.4.0, commit ac66aff;
//! <https://docs.nvidia.com/nemo/evaluator/evaluation/result-format>. The file states neither model,
//! version nor cost, and tokens only as a total.

use serde_json::Value;

use super::fields::{self, Fields, add_score};
use super::{Found, LeftOut, Options, Row};

const KNOWN: &[&str] = &[
    "problem_idx",
    "reward",
    "repeat",
    "expected_answer",
    "model_response",
    "extracted_answer",
    "metadata",
    "scoring_details",
    "scorer_rewards",
    "prompt",
    "tokens",
    "latency_ms",
];

/// Reads a line.
pub(super) fn row(value: &Value, options: &Options) -> Result<Found, String> {
    let fields = Fields::of(value, "a result")?;
    let id = fields.get("problem_idx").and_then(fields::scalar).ok_or("`problem_idx` is missing")?;
    let repeat = fields.whole("repeat")?.unwrap_or(0);
    let mut row = Row {
        id: Some(id),
        repeat: Some(u32::try_from(repeat).map_err(|_| "`repeat` is too large".to_owned())?),
        input: fields.get("prompt").cloned().unwrap_or_default(),
        asked: fields.get("prompt").cloned().unwrap_or_default(),
        expected: fields.get("expected_answer").cloned().unwrap_or_default(),
        ..Row::default()
    };
    fields::replace(&mut row, value, &options.places)?;
    let answer = fields.get("model_response").or_else(|| fields.get("extracted_answer"));
    row.stated.answer = Some(answer.map_or_else(String::new, |answer| match answer {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }));
    // A latency of 0 is that of a problem that no model was asked about.
    row.stated.total_ms = fields.amount("latency_ms")?.filter(|ms| *ms > 0.0);
    if fields.get("tokens").is_some_and(|tokens| tokens.as_f64() != Some(0.0)) {
        row.left_out.push(LeftOut::Words("`tokens`, a total that does not tell input from output"));
    }
    let reward = fields.get("reward").ok_or("`reward` is missing")?;
    add_score(&mut row, "reward", fields::number(reward));
    for (name, reward) in fields.get("scorer_rewards").and_then(Value::as_object).into_iter().flatten() {
        add_score(&mut row, name, fields::number(reward));
    }
    let details = fields.get("scoring_details");
    let category = |value: Option<&Value>| value.and_then(|value| value.get("category")).and_then(fields::scalar);
    if let Some(category) = category(fields.get("metadata")).or_else(|| category(details)) {
        fields::add_tag(&mut row, "category", &Value::from(category));
    }
    if details.and_then(Value::as_object).is_some_and(|details| details.keys().any(|key| key != "category")) {
        row.left_out.push(LeftOut::Field("scoring_details".to_owned()));
    }
    for (name, _) in fields.others(KNOWN) {
        row.left_out.push(LeftOut::Field(name.to_owned()));
    }
    Ok(Found::Row(Box::new(row)))
}
