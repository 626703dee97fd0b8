//! A request body as people read it: who says what, without the wire's envelope. For showing only;
//! nothing is asked or graded by it.

use serde_json::{Map, Value};

use crate::provider::WireKind;

/// One turn of a request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Message {
    /// `system`, `user`, `assistant`, or what else the wire calls the speaker.
    pub role: String,
    /// What is said, whole and untrusted; a part that is no text is its JSON.
    pub text: String,
}

impl Message {
    fn new(role: &str, text: String) -> Self {
        // Gemini's name for the one who answers.
        let role = if role == "model" { "assistant" } else { role };
        Self { role: role.to_owned(), text }
    }
}

/// The turns of a request body in their order, instructions first; `None` where the body is no
/// conversation of this wire.
pub fn conversation(kind: WireKind, body: &[u8]) -> Option<Vec<Message>> {
    let body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let (instructions, turns) = match kind {
        WireKind::OpenaiChat => (None, body.get("messages")?),
        WireKind::OpenaiResponses => (body.get("instructions"), body.get("input")?),
        WireKind::Anthropic | WireKind::Bedrock => (body.get("system"), body.get("messages")?),
        WireKind::Gemini => {
            let system = body.get("systemInstruction").or_else(|| body.get("system_instruction"));
            (system.and_then(|system| system.get("parts").or(Some(system))), body.get("contents")?)
        }
    };
    let mut messages = Vec::new();
    if let Some(instructions) = instructions.filter(|instructions| !instructions.is_null()) {
        messages.push(Message::new("system", content(instructions)));
    }
    match turns {
        Value::String(text) => messages.push(Message::new("user", text.clone())),
        Value::Array(turns) => messages.extend(turns.iter().map(turn)),
        _ => return None,
    }
    Some(messages)
}

/// One turn; what has no content of its own, such as a call of a tool, is its JSON.
fn turn(turn: &Value) -> Message {
    let role = turn["role"].as_str().or_else(|| turn["type"].as_str()).unwrap_or("user");
    let Some(said) = turn.get("content").or_else(|| turn.get("parts")) else {
        return Message::new(role, pretty(turn));
    };
    let calls = turn.get("tool_calls").filter(|calls| !calls.is_null());
    let texts = [Some(content(said)).filter(|text| !text.is_empty()), calls.map(pretty)];
    Message::new(role, texts.into_iter().flatten().collect::<Vec<_>>().join("\n\n"))
}

/// The text of a content: a string, or parts one below the other.
fn content(content: &Value) -> String {
    match content {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(part).collect::<Vec<_>>().join("\n\n"),
        other => part(other).unwrap_or_default(),
    }
}

/// The text of a part; a mark of the prompt cache says nothing.
fn part(part: &Value) -> Option<String> {
    if part.get("cachePoint").is_some() {
        return None;
    }
    Some(part.as_str().or_else(|| part["text"].as_str()).map_or_else(|| pretty(part), str::to_owned))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
