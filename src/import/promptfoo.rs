//! promptfoo's results, as `promptfoo eval -o results.json` and `-o results.jsonl` write them.
//!
//! Read from promptfoo/promptfoo, `src/types/index.ts` (`OutputFile`, `EvaluateSummaryV3`,
//! `EvaluateResult`) and `src/types/shared.ts` (`TokenUsage`), commit 0011eb0.

use serde_json::{Map, Value};

use super::fields::{self, Fields, add_score};
use super::{Found, Header, LeftOut, Options, Row};
use crate::exchange::{Stop, Usage};

/// Where the rows stand in the document.
pub(super) const ROWS: &[&str] = &["results", "results"];

/// Fields of a row that are read or say nothing more.
const KNOWN: &[&str] = &[
    "id",
    "description",
    "promptIdx",
    "testIdx",
    "testCase",
    "promptId",
    "provider",
    "prompt",
    "vars",
    "response",
    "error",
    "failureReason",
    "success",
    "score",
    "latencyMs",
    "gradingResult",
    "namedScores",
    "cost",
    "tokenUsage",
    "metadata",
    "evalId",
    "createdAt",
];

/// `failureReason` of a row that ended in an error rather than in a rejected answer.
const REASON_ERROR: u64 = 2;

/// Takes what the document says beside its rows.
pub(super) fn header(header: &mut Header, key: &str, value: &Value) {
    match key {
        "metadata" => {
            header.version = value.get("promptfooVersion").and_then(Value::as_str).map(str::to_owned);
            let created = value.get("evaluationCreatedAt").and_then(Value::as_str).and_then(fields::moment);
            header.began_unix_ms = created.or(header.began_unix_ms);
        }
        "results.timestamp" => {
            header.began_unix_ms = header.began_unix_ms.or(value.as_str().and_then(fields::moment));
        }
        "config" => header.task = value.get("description").and_then(Value::as_str).map(str::to_owned),
        _ => {}
    }
}

/// The keys of the document that [`header`] looks at.
pub(super) const HEADER: &[&str] = &["metadata", "results.timestamp", "config"];

/// What a file that does not number its columns and tests is numbered by: those of 2023 and 2024 name neither
/// `promptIdx` nor `testIdx`.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The prompts that were met, as they stood before their variables were put in.
    prompts: Vec<String>,
    /// Rows that were met.
    rows: u64,
}

impl Numbers {
    fn column(&mut self, fields: &Fields<'_>) -> u64 {
        let prompt = fields.get("prompt");
        let part = |key: &str| prompt.and_then(|prompt| prompt.get(key)).and_then(Value::as_str);
        let template = part("label").or(part("display")).unwrap_or_default();
        let place = self.prompts.iter().position(|known| known == template).unwrap_or_else(|| {
            self.prompts.push(template.to_owned());
            self.prompts.len() - 1
        });
        place as u64
    }
}

/// Reads a row.
pub(super) fn row(value: &Value, options: &Options, numbers: &mut Numbers) -> Result<Found, String> {
    let fields = Fields::of(value, "a result")?;
    let mut row = Row::default();
    numbers.rows += 1;
    who(&fields, numbers, &mut row)?;
    example(&fields, numbers.rows, &mut row)?;
    fields::replace(&mut row, value, &options.places)?;
    let response = fields.get("response").cloned().unwrap_or_default();
    let cached = response.get("cached") == Some(&Value::Bool(true));
    answer(&fields, &response, &mut row)?;
    scores(&fields, &mut row)?;
    figures(&fields, cached, &mut row)?;
    for (name, _) in fields.others(KNOWN) {
        row.left_out.push(LeftOut::Field(name.to_owned()));
    }
    Ok(Found::Row(Box::new(row)))
}

/// A column of promptfoo's table is a provider with a prompt.
fn who(fields: &Fields<'_>, numbers: &mut Numbers, row: &mut Row) -> Result<(), String> {
    let provider = fields.get("provider").ok_or("`provider` is missing")?;
    let part = |key: &str| provider.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id = provider.as_str().or_else(|| part("id"));
    let name = part("label").or(id).ok_or("`provider` has no `id`")?;
    row.variant = Some(name.to_owned());
    row.model = id.map(str::to_owned);
    row.column = Some(fields.whole("promptIdx")?.unwrap_or_else(|| numbers.column(fields)));
    row.asked = fields.get("prompt").and_then(|prompt| prompt.get("raw").or(Some(prompt))).cloned().unwrap_or_default();
    Ok(())
}

/// The input is the variables without what is plainly the id or the expected answer; one that is
/// left alone stands for itself.
fn example(fields: &Fields<'_>, number: u64, row: &mut Row) -> Result<(), String> {
    let test = fields.get("testCase").cloned().unwrap_or_default();
    let vars = fields.get("vars").or(test.get("vars")).and_then(Value::as_object).cloned().unwrap_or_default();
    let stated = ["id", "example_id"].into_iter().find_map(|key| vars.get(key).and_then(fields::scalar));
    row.id = stated.filter(|id| !id.is_empty());
    let named = ["expected", "target", "label", "answer"].into_iter().find(|key| vars.contains_key(*key));
    let asserted = || single_expectation(test.get("assert")?);
    row.expected = named.and_then(|key| vars.get(key).cloned()).or_else(asserted).unwrap_or_default();
    let is_input = |key: &str| !matches!(key, "id" | "example_id") && Some(key) != named;
    let inputs: Map<String, Value> = vars.into_iter().filter(|(key, _)| is_input(key)).collect();
    row.input = match inputs.len() {
        0 => row.asked.clone(),
        1 => inputs.into_iter().next().map(|(_, value)| value).unwrap_or_default(),
        _ => Value::Object(inputs),
    };
    row.stated.place = fields.whole("testIdx")?.unwrap_or(number);
    for (key, value) in test.get("metadata").and_then(Value::as_object).into_iter().flatten() {
        fields::add_tag(row, key, value);
    }
    Ok(())
}

/// The value that a test's only assertion of equality names.
fn single_expectation(assertions: &Value) -> Option<Value> {
    let says = |assertion: &&Value| {
        let kind = assertion.get("type").and_then(Value::as_str).unwrap_or_default();
        matches!(kind, "equals" | "icontains" | "contains" | "is-json" | "factuality")
    };
    let mut values = assertions.as_array()?.iter().filter(says).filter_map(|assertion| assertion.get("value"));
    let first = values.next()?;
    values.next().is_none().then(|| first.clone())
}

/// What was said, or why nothing was.
fn answer(fields: &Fields<'_>, response: &Value, row: &mut Row) -> Result<(), String> {
    let output = response.get("output").filter(|output| !output.is_null());
    row.stated.answer = output.map(|output| output.as_str().map_or_else(|| output.to_string(), str::to_owned));
    let refused = response.get("isRefusal") == Some(&Value::Bool(true));
    row.stated.stop = match response.get("finishReason").and_then(Value::as_str) {
        _ if refused => Some(Stop::Refusal),
        Some("stop") => Some(Stop::End),
        Some("length") => Some(Stop::Length),
        Some("content_filter") => Some(Stop::Refusal),
        Some("tool_calls") => Some(Stop::ToolCall),
        _ => None,
    };
    let is_error = fields.whole("failureReason")? == Some(REASON_ERROR);
    let message = fields.text("error")?.or_else(|| response.get("error").and_then(Value::as_str));
    // A rejected answer has its rejection's words in `error` too.
    let failed = is_error || (fields.get("failureReason").is_none() && message.is_some() && output.is_none());
    if failed {
        row.failure = Some(fields::failure(message.unwrap_or("promptfoo states an error and no message")));
    } else if output.is_none() {
        row.stated.answer = Some(String::new());
    }
    Ok(())
}

/// Whether it passed, its score, and the scores that have names.
fn scores(fields: &Fields<'_>, row: &mut Row) -> Result<(), String> {
    if row.failure.is_some() {
        return Ok(());
    }
    let passed = fields.get("success").and_then(Value::as_bool).ok_or("`success` must be true or false")?;
    add_score(row, "pass", Some(f64::from(u8::from(passed))));
    if let Some(score) = fields.get("score") {
        add_score(row, "score", score.as_f64());
    }
    for (name, score) in fields.get("namedScores").and_then(Value::as_object).into_iter().flatten() {
        let name = if matches!(name.as_str(), "pass" | "score") { format!("named-{name}") } else { name.clone() };
        add_score(row, &name, score.as_f64());
    }
    Ok(())
}

/// Time, cost and tokens. An answer from promptfoo's own cache has none of its own, and a cost of 0
/// is that of a model whose price promptfoo does not know.
fn figures(fields: &Fields<'_>, cached: bool, row: &mut Row) -> Result<(), String> {
    let (latency, cost) = (fields.amount("latencyMs")?, fields.amount("cost")?);
    let usage = fields.get("tokenUsage").cloned().unwrap_or_default();
    if cached {
        row.left_out.push(LeftOut::Words("time, cost and tokens of an answer from promptfoo's cache"));
        return Ok(());
    }
    row.stated.total_ms = latency.filter(|ms| *ms > 0.0);
    row.stated.cost_usd = cost.filter(|usd| *usd > 0.0);
    if cost == Some(0.0) {
        row.left_out.push(LeftOut::Words("a cost of 0, which promptfoo also states where it knows no price"));
    }
    if let Some(map) = usage.as_object().filter(|map| !map.is_empty()) {
        let tokens = Fields::of(&usage, "`tokenUsage`")?;
        let (prompt, completion) = (tokens.tokens("prompt")?, tokens.tokens("completion")?);
        let known = prompt.unwrap_or(0) + completion.unwrap_or(0) > 0;
        let details = map.get("completionDetails").cloned().unwrap_or_default();
        row.stated.usage = Usage {
            input_uncached_tokens: prompt.filter(|_| known),
            output_tokens: completion.filter(|_| known),
            reasoning_tokens: details.get("reasoning").and_then(fields::whole).filter(|count| *count > 0),
            ..Usage::default()
        };
    }
    Ok(())
}
