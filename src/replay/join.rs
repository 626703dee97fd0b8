//! A recorded stream as the one answer that the same server would have given.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Entry;
use crate::provider::WireKind;

/// The whole answer; `None` where the wire's streams are not joined, or this one has no end.
pub(super) fn join(entry: &Entry) -> Option<Value> {
    match entry.wire {
        WireKind::OpenaiChat => Some(chat(entry)),
        // The last event carries it.
        WireKind::OpenaiResponses => {
            let (_, last) = entry.events().last()?;
            let ended = matches!(last.get("type")?.as_str()?, "response.completed" | "response.incomplete");
            last.get("response").filter(|_| ended).cloned()
        }
        WireKind::Anthropic | WireKind::Gemini | WireKind::Bedrock => None,
    }
}

/// The chunks of the chat wire: one choice, its texts and tool calls put together.
fn chat(entry: &Entry) -> Value {
    let mut body = entry.envelope.clone();
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    let mut calls: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    let mut finish_reason = Value::Null;
    for (_, event) in entry.events() {
        for (key, value) in event.as_object().into_iter().flatten() {
            if !matches!(key.as_str(), "choices" | "object") && !value.is_null() {
                body.insert(key.clone(), value.clone());
            }
        }
        let Some(choice) = event.pointer("/choices/0") else { continue };
        if let Some(reason) = choice.get("finish_reason").filter(|reason| !reason.is_null()) {
            finish_reason = reason.clone();
        }
        for key in ["content", "refusal", "reasoning", "reasoning_content"] {
            if let Some(piece) = choice.pointer(&format!("/delta/{key}")).and_then(Value::as_str) {
                texts.entry(key).or_default().push_str(piece);
            }
        }
        for call in choice.pointer("/delta/tool_calls").and_then(Value::as_array).into_iter().flatten() {
            add_call(calls.entry(call.get("index").and_then(Value::as_u64).unwrap_or(0)).or_default(), call);
        }
    }
    let mut message = Map::from_iter([("role".to_owned(), json!("assistant")), ("content".to_owned(), Value::Null)]);
    message.extend(texts.into_iter().map(|(key, text)| (key.to_owned(), text.into())));
    if !calls.is_empty() {
        // A call without words says null, not nothing.
        let silent = message.get("content").is_some_and(|content| content == "");
        if silent {
            message.insert("content".into(), Value::Null);
        }
        message.insert("tool_calls".into(), calls.into_values().map(Value::Object).collect());
    }
    body.insert("object".into(), "chat.completion".into());
    body.insert("choices".into(), json!([{"index": 0, "message": message, "finish_reason": finish_reason}]));
    Value::Object(body)
}

/// Adds a piece of a tool call: its id, type and name come once, its arguments in pieces.
fn add_call(whole: &mut Map<String, Value>, piece: &Value) {
    for key in ["id", "type"] {
        if let Some(value) = piece.get(key).filter(|value| !value.is_null()) {
            whole.insert(key.to_owned(), value.clone());
        }
    }
    let function = whole.entry("function").or_insert_with(|| json!({"name": "", "arguments": ""}));
    for key in ["name", "arguments"] {
        let text = piece.pointer(&format!("/function/{key}")).and_then(Value::as_str).unwrap_or_default();
        if let Some(Value::String(so_far)) = function.get_mut(key) {
            so_far.push_str(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn entry(wire: WireKind, events: &[Value]) -> Entry {
        let bare = Entry {
            wire,
            request_hash: Digest::of(b"r"),
            example: "e".into(),
            variant: "v".into(),
            repeat: 0,
            status: 200,
            envelope: Map::new(),
            chunks: vec![],
            response: None,
            total_ms: 3.0,
            usage: None,
        };
        let timed: Vec<(f64, Value)> = events.iter().map(|event| (1.0, event.clone())).collect();
        Entry::from_events(bare, &timed)
    }

    #[test]
    fn tool_calls_that_come_interleaved_are_put_together() {
        let chunk = |delta: Value, finish: Value| {
            json!({"id": "c", "object": "chat.completion.chunk",
                   "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        };
        let call = |index: u64, id: Value, name: Value, arguments: &str| {
            json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
        };
        let events = [
            chunk(json!({"role": "assistant", "content": ""}), Value::Null),
            chunk(json!({"tool_calls": [call(0, json!("a"), json!("one"), ""), call(1, json!("b"), json!("two"), "")]}), Value::Null),
            chunk(json!({"tool_calls": [call(1, Value::Null, Value::Null, "{\"x\"")]}), Value::Null),
            chunk(json!({"tool_calls": [call(0, Value::Null, Value::Null, "{}")]}), Value::Null),
            chunk(json!({"tool_calls": [call(1, Value::Null, Value::Null, ":1}")]}), json!("tool_calls")),
            json!({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 3}}),
        ];
        let body = join(&entry(WireKind::OpenaiChat, &events)).unwrap();
        let message = json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "one", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "two", "arguments": "{\"x\":1}"}},
        ]});
        let choice = json!({"index": 0, "message": message, "finish_reason": "tool_calls"});
        let expected = json!({"id": "c", "object": "chat.completion", "choices": [choice],
                              "usage": {"prompt_tokens": 3}});
        assert_eq!(body, expected);
    }

    #[test]
    fn a_response_is_in_the_last_event() {
        let last = json!({"type": "response.completed", "response": {"id": "r", "status": "completed"}});
        let events = [json!({"type": "response.created", "response": {"id": "r"}}), last];
        let body = join(&entry(WireKind::OpenaiResponses, &events));
        assert_eq!(body, Some(json!({"id": "r", "status": "completed"})));
        assert_eq!(join(&entry(WireKind::OpenaiResponses, &events[..1])), None);
    }
}
