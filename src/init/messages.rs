//! Conversations with a right answer: samples of OpenAI evals and Inspect, and rows of OpenAI's
//! chat fine-tuning.

use serde_json::{Map, Value, json};

use super::format::Format;
use super::{Fault, Judged, Record, Table, table};
use crate::diagnostic::Source;

/// Where the text of the system turn stands, once it is apart from the input.
pub(super) const SYSTEM: &str = "system";

/// The turns before the last question, where there are some.
pub(super) const TURNS: &str = "conversation";

/// The choices of a question.
pub(super) const CHOICES: &str = "choices";

/// Reads `{"input": …, "ideal": …}`.
pub(super) fn evals(source: &Source) -> Result<Table, Fault> {
    let rows = table::objects(source, Format::OpenaiEvals)?;
    Ok(each(rows, "ideal", &["input", "ideal"]))
}

/// Reads `{"input": …, "target": …, "choices"?, "id"?, "metadata"?}`.
pub(super) fn inspect(source: &Source) -> Result<Table, Fault> {
    let rows = table::objects(source, Format::Inspect)?;
    let mut table = each(rows, "target", &["input", "target", "choices", "id"]);
    for (key, what) in [("sandbox", "sandboxes"), ("files", "files of a sandbox"), ("setup", "setup scripts")] {
        let used = table.records.iter().filter(|record| record.fields.get(key).is_some_and(|value| !value.is_null()));
        match used.count() {
            0 => {}
            n => table.notes.push(format!("{what} (`{key}`, {n} rows): this tool asks models, it runs nothing")),
        }
        table.records.iter_mut().for_each(|record| drop(record.fields.shift_remove(key)));
    }
    Ok(table)
}

/// Reads `{"messages": […]}`, whose last turn is the right answer.
pub(super) fn chat(source: &Source) -> Result<Table, Fault> {
    let mut rows = table::objects(source, Format::OpenaiChat)?;
    let mut table = Table::new(Format::OpenaiChat);
    table.left_out = std::mem::take(&mut rows.left_out);
    let mut tools = 0;
    for record in rows.records {
        let whole = Value::Object(record.fields.clone());
        let messages = record.fields.get("messages").and_then(Value::as_array).cloned().unwrap_or_default();
        tools += usize::from(record.fields.contains_key("tools") || record.fields.contains_key("functions"));
        match not_to_learn(&messages).and_then(|()| turns(&messages)).and_then(with_answer) {
            Ok((mut fields, answer)) => {
                fields.insert("expected".to_owned(), Value::from(answer));
                let own = ["messages", "tools", "functions", "parallel_tool_calls"];
                let others = record.fields.into_iter().filter(|(name, _)| !own.contains(&name.as_str()));
                fields
                    .extend(others.filter(|(name, _)| !["input", "expected", SYSTEM, TURNS].contains(&name.as_str())));
                table.records.push(Record { line: record.line, fields });
            }
            Err(why) => table.leave_out(record.line, why, whole),
        }
    }
    if tools > 0 {
        let rows = if tools == 1 { "row" } else { "rows" };
        table.notes.push(format!("tools and functions ({tools} {rows}): a suite asks for answers, not for calls"));
    }
    table.roles.expected = Some("expected".to_owned());
    table.notes.push(
        "rows that a model was tuned on show nothing about that model: measure it on rows that it has not seen"
            .to_owned(),
    );
    Ok(apart(table))
}

/// Every row's input as turns, and its answer from a column that may list several.
fn each(mut rows: Table, answer: &str, own: &[&str]) -> Table {
    let mut table = Table::new(rows.format);
    table.left_out = std::mem::take(&mut rows.left_out);
    let lists = |record: &&Record| {
        let all = record.fields.get(answer).and_then(Value::as_array);
        all.is_some_and(|all| all.len() > 1 && all.iter().all(Value::is_string))
    };
    let has_choices = |record: &Record| record.fields.get("choices").is_some_and(|choices| !choices.is_null());
    let right = match rows.records.iter().find(lists) {
        None => Right::One,
        // Of choices all the right ones must be named, of texts any one.
        Some(_) if rows.records.iter().filter(lists).all(has_choices) => Right::All,
        Some(_) => Right::Any,
    };
    for record in rows.records {
        let whole = Value::Object(record.fields.clone());
        match row(&record.fields, answer, own, right) {
            Ok(fields) => table.records.push(Record { line: record.line, fields }),
            Err(why) => table.leave_out(record.line, why, whole),
        }
    }
    if right == Right::All {
        table.notes.push(format!("`{answer}` lists several right choices: an answer names them all, as a list"));
    }
    if right == Right::Any {
        table.judged = Some(Judged::Regex);
        table.notes.push(format!(
            "`{answer}` lists several right answers: each row's answers became one pattern, and the whole answer must match it"
        ));
    }
    table.roles.expected = Some("expected".to_owned());
    if table.records.iter().any(|record| record.fields.contains_key("id")) {
        table.roles.id = Some("id".to_owned());
    }
    apart(table)
}

/// What a right answer may be, in all rows alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    /// One text or value.
    One,
    /// Any of several texts.
    Any,
    /// All of several choices.
    All,
}

fn row(fields: &Map<String, Value>, answer: &str, own: &[&str], several: Right) -> Result<Map<String, Value>, String> {
    let mut row = match fields.get("input") {
        Some(Value::Array(messages)) => asked(turns(messages)?)?,
        Some(Value::String(text)) => Map::from_iter([("input".to_owned(), Value::from(text.as_str()))]),
        Some(Value::Null) | None => return Err("it has no `input`".to_owned()),
        Some(other) => Map::from_iter([("input".to_owned(), other.clone())]),
    };
    if let Some(choices) = fields.get("choices").filter(|choices| choices.as_array().is_some_and(|all| !all.is_empty()))
    {
        row.insert(CHOICES.to_owned(), lettered(choices));
    }
    let right = fields.get(answer).filter(|value| !value.is_null()).ok_or_else(|| format!("it has no `{answer}`"))?;
    let right = match right {
        Value::Array(all) if several == Right::Any && all.iter().all(Value::is_string) => pattern(all),
        Value::Array(all) if all.len() == 1 && several != Right::All => all[0].clone(),
        Value::String(text) if several == Right::Any => pattern(&[Value::from(text.as_str())]),
        Value::String(text) if several == Right::All => Value::from(vec![text.as_str()]),
        other => other.clone(),
    };
    row.insert("expected".to_owned(), right);
    if let Some(id) = fields.get("id").filter(|id| !id.is_null()) {
        row.insert("id".to_owned(), id.clone());
    }
    let others = fields.iter().filter(|(name, _)| !own.contains(&name.as_str()) && !row.contains_key(name.as_str()));
    let others: Vec<_> = others.map(|(name, value)| (name.clone(), value.clone())).collect();
    row.extend(others);
    Ok(row)
}

/// The choices with the letters by which a target names them.
fn lettered(choices: &Value) -> Value {
    let all = choices.as_array().map(Vec::as_slice).unwrap_or_default();
    let lines = all.iter().zip('A'..='Z').map(|(choice, letter)| match choice {
        Value::String(text) => Value::from(format!("{letter}) {text}")),
        other => Value::from(format!("{letter}) {other}")),
    });
    lines.collect()
}

/// One pattern for several right answers, white space around them aside.
fn pattern(answers: &[Value]) -> Value {
    let escaped: Vec<String> =
        answers.iter().filter_map(Value::as_str).map(|text| regex::escape(text.trim())).collect();
    Value::from(format!("^\\s*(?:{})\\s*$", escaped.join("|")))
}

/// Refuses a row whose answer is marked as none to learn: `weight` 0 takes a turn out of the training.
fn not_to_learn(messages: &[Value]) -> Result<(), String> {
    match messages.last() {
        Some(last) if last.get("weight").and_then(Value::as_f64) == Some(0.0) => {
            Err("its last turn has the weight 0: it is marked as no right answer".to_owned())
        }
        Some(last) if last.get("refusal").is_some_and(Value::is_string) => Err("its last turn is a refusal".to_owned()),
        _ => Ok(()),
    }
}

/// A turn: who, and what was said.
type Turn = (String, String);

/// The turns of a list of messages; only text can be asked again.
fn turns(messages: &[Value]) -> Result<Vec<Turn>, String> {
    let turn = |message: &Value| {
        let role = message.get("role").and_then(Value::as_str).unwrap_or("user");
        if ["tool_calls", "function_call"].iter().any(|key| message.get(key).is_some_and(|calls| !calls.is_null())) {
            return Err("it has a call of a tool, which a suite cannot ask for".to_owned());
        }
        match role {
            "system" | "developer" => {
                let text = text_of(message.get("content"))?;
                // OpenAI's way to show examples: system turns that name whom they stand for.
                let example =
                    message.get("name").and_then(Value::as_str).and_then(|name| name.strip_prefix("example_"));
                Ok((SYSTEM.to_owned(), example.map_or(text.clone(), |who| format!("Example, {who}: {text}"))))
            }
            "user" | "assistant" => Ok((role.to_owned(), text_of(message.get("content"))?)),
            other => Err(format!("it has a turn of `{}`", crate::text::one_line(other, 40))),
        }
    };
    messages.iter().map(turn).collect()
}

fn text_of(content: Option<&Value>) -> Result<String, String> {
    match content {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().map(|part| match part.get("text").and_then(Value::as_str) {
                Some(text) => Ok(text),
                None => Err("it has a part that is no text (an image, a sound, a file)".to_owned()),
            });
            Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n"))
        }
        _ => Err("it has a turn without content".to_owned()),
    }
}

/// What is asked: the system turn, the turns before, the question.
fn asked(mut turns: Vec<Turn>) -> Result<Map<String, Value>, String> {
    let system: Vec<String> = turns.iter().filter(|(role, _)| role == SYSTEM).map(|(_, text)| text.clone()).collect();
    turns.retain(|(role, _)| role != SYSTEM);
    let mut fields = Map::new();
    if !system.is_empty() {
        fields.insert(SYSTEM.to_owned(), Value::from(system.join("\n\n")));
    }
    let Some((role, question)) = turns.pop() else {
        // Some samples ask everything in the system turn.
        let question = fields.shift_remove(SYSTEM).ok_or("it has no turn")?;
        return Ok(Map::from_iter([("input".to_owned(), question)]));
    };
    if role != "user" {
        return Err("its last turn before the answer is not the user's".to_owned());
    }
    if !turns.is_empty() {
        let before = turns.iter().map(|(role, text)| json!({"role": role, "content": text}));
        fields.insert(TURNS.to_owned(), before.collect());
    }
    fields.insert("input".to_owned(), Value::from(question));
    Ok(fields)
}

/// The last turn is the answer.
fn with_answer(mut turns: Vec<Turn>) -> Result<(Map<String, Value>, String), String> {
    match turns.pop() {
        Some((role, answer)) if role == "assistant" => Ok((asked(turns)?, answer)),
        _ => Err("its last turn is not the assistant's".to_owned()),
    }
}

/// A system turn that all rows share is the prompt's; else it is a part of the input. So are
/// earlier turns and choices, where any row has them.
fn apart(mut table: Table) -> Table {
    let system = |record: &Record| record.fields.get(SYSTEM).and_then(Value::as_str).map(str::to_owned);
    let first = table.records.first().and_then(system);
    let shared = first.is_some() && table.records.iter().all(|record| system(record) == first);
    if shared {
        table.records.iter_mut().for_each(|record| drop(record.fields.shift_remove(SYSTEM)));
    }
    let has = |name: &str| table.records.iter().any(|record| record.fields.contains_key(name));
    if has(TURNS) {
        table.notes.push("the turns before the last question are shown to the model as text, in one turn".to_owned());
    }
    let parts = [SYSTEM, TURNS, "input", CHOICES].into_iter().filter(|name| has(name));
    table.roles.input = parts.map(str::to_owned).collect();
    if let Some(system) = first.filter(|_| shared) {
        table.prompts = vec![super::CarriedPrompt { system: super::prompts::literal(&system), user: String::new() }];
    }
    table
}
