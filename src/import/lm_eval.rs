//! lm-eval's samples, as `lm_eval --log_samples --output_path FOLDER` writes them.
//!
//! Read from EleutherAI/lm-evaluation-harness, `lm_eval/evaluator.py` and
//! `lm_eval/loggers/evaluation_tracker.py`, version 0.4.13.dev0, commit 4e7e0d4. The file states
//! neither model, version, times nor tokens.

use serde_json::Value;

use super::fields::{self, Fields, add_score};
use super::{Found, LeftOut, Options, Row};

const KNOWN: &[&str] = &[
    "doc_id",
    "doc",
    "target",
    "arguments",
    "resps",
    "filtered_resps",
    "filter",
    "metrics",
    "doc_hash",
    "prompt_hash",
    "target_hash",
];

/// The score of one answer by one filter; `filter` is the one that is taken.
pub(super) fn row(value: &Value, options: &Options, filter: Option<&str>) -> Result<Found, String> {
    let fields = Fields::of(value, "a sample")?;
    let own = fields.text("filter")?;
    if let (Some(own), Some(wanted)) = (own, filter)
        && own != wanted
    {
        return Ok(Found::Not(LeftOut::Row(format!("of the filter `{}`", crate::text::one_line(own, 60)))));
    }
    let id = fields.get("doc_id").and_then(fields::scalar).ok_or("`doc_id` is missing")?;
    let mut row = Row {
        id: Some(id),
        input: fields.get("doc").cloned().unwrap_or_default(),
        expected: fields.get("target").cloned().unwrap_or_default(),
        asked: fields.get("arguments").cloned().unwrap_or_default(),
        ..Row::default()
    };
    fields::replace(&mut row, value, &options.places)?;
    row.stated.answer = Some(answer(&fields, &mut row.left_out).ok_or("`resps` or `filtered_resps` is missing")?);
    scores(&fields, &mut row);
    Ok(Found::Row(Box::new(row)))
}

/// The filter of a row.
pub(super) fn filter_of(value: &Value) -> Option<&str> {
    value.get("filter")?.as_str()
}

/// What the model wrote, or which of the choices it found likeliest.
fn answer(fields: &Fields<'_>, left_out: &mut Vec<LeftOut>) -> Option<String> {
    let answers = fields.get("resps").and_then(Value::as_array);
    let filtered = fields.get("filtered_resps").and_then(Value::as_array);
    let first = answers.and_then(|answers| answers.first()).map(|first| first.get(0).unwrap_or(first));
    if let Some(Value::String(text)) = first {
        let several = answers.and_then(|all| all.first()).and_then(Value::as_array).is_some_and(|all| all.len() > 1);
        if several {
            left_out.push(LeftOut::Words("answers of a document behind its first: lm-eval scores them together"));
        }
        return Some(text.clone());
    }
    let likely = filtered.or(answers)?;
    let chances: Vec<f64> = likely.iter().filter_map(log_likelihood).collect();
    if chances.len() == likely.len() && !chances.is_empty() {
        let best = (0..chances.len()).max_by(|a, b| chances[*a].total_cmp(&chances[*b]))?;
        return Some(choice(fields, best).unwrap_or_else(|| format!("choice {}", best + 1)));
    }
    let first = likely.first()?;
    Some(first.as_str().map_or_else(|| first.to_string(), str::to_owned))
}

/// The first number of `[log likelihood, is greedy]`, which older files write as texts and nest.
fn log_likelihood(value: &Value) -> Option<f64> {
    match value {
        Value::Array(parts) => log_likelihood(parts.first()?),
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    }
}

/// The continuation that a request of a choice had: its second argument.
fn choice(fields: &Fields<'_>, place: usize) -> Option<String> {
    let arguments = fields.get("arguments")?;
    let request = arguments.get(format!("gen_args_{place}")).or_else(|| arguments.get(place))?;
    let text = request.get("arg_1").or_else(|| request.get(1))?.as_str()?;
    Some(text.trim().to_owned())
}

/// The row's metrics by name; files that do not list them have them as the remaining numbers.
fn scores(fields: &Fields<'_>, row: &mut Row) {
    let listed: Option<Vec<&str>> =
        fields.get("metrics").and_then(Value::as_array).map(|names| names.iter().filter_map(Value::as_str).collect());
    for (name, value) in fields.others(KNOWN) {
        let is_metric = listed.as_ref().map_or(fields::number(value).is_some(), |names| names.contains(&name));
        if is_metric {
            add_score(row, name, fields::number(value));
        } else {
            row.left_out.push(LeftOut::Field(name.to_owned()));
        }
    }
}
