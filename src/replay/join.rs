//! A recorded stream as the one answer that the same server would have given.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Entry;
use crate::provider::WireKind;

/// The whole answer; `None` where the stream has no end.
pub(super) fn join(entry: &Entry) -> Option<Value> {
    let events: Vec<Value> = entry.events().map(|(_, event)| event).collect();
    match entry.wire {
        WireKind::OpenaiChat => chat(&events),
        WireKind::OpenaiResponses => responses(&events),
        WireKind::Anthropic => anthropic(&events),
        WireKind::Gemini => gemini(&events),
        WireKind::Bedrock => bedrock(&events),
    }
}

/// The chunks of the chat wire: one choice, its texts and tool calls put together.
fn chat(events: &[Value]) -> Option<Value> {
    let mut body = Map::new();
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    let mut calls: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    let mut finish_reason = None;
    for event in events {
        for (key, value) in event.as_object().into_iter().flatten() {
            if !matches!(key.as_str(), "choices" | "object") && !value.is_null() {
                body.insert(key.clone(), value.clone());
            }
        }
        let Some(choice) = event.pointer("/choices/0") else { continue };
        if let Some(reason) = choice.get("finish_reason").filter(|reason| !reason.is_null()) {
            finish_reason = Some(reason.clone());
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
    body.insert("choices".into(), json!([{"index": 0, "message": message, "finish_reason": finish_reason?}]));
    Some(Value::Object(body))
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

/// The last event of the Responses wire carries the whole.
fn responses(events: &[Value]) -> Option<Value> {
    let last = events.last()?;
    let ended = matches!(last.get("type")?.as_str()?, "response.completed" | "response.incomplete");
    last.get("response").filter(|_| ended).cloned()
}

/// The first event of the Anthropic wire carries the message; blocks fill it, its end completes it.
fn anthropic(events: &[Value]) -> Option<Value> {
    let mut message = Map::new();
    let mut blocks: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    let mut ended = false;
    for event in events {
        let block = || event.get("index").and_then(Value::as_u64).unwrap_or(0);
        let field = |key: &str| event.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        match event.get("type").and_then(Value::as_str).unwrap_or_default() {
            "message_start" => message = field("message"),
            "content_block_start" => drop(blocks.insert(block(), field("content_block"))),
            "content_block_delta" => add_delta(blocks.entry(block()).or_default(), &field("delta")),
            "message_delta" => {
                message.extend(field("delta"));
                if let Some(usage) = inner(&mut message, "usage") {
                    usage.extend(field("usage"));
                }
            }
            "message_stop" => ended = true,
            _ => {}
        }
    }
    blocks.values_mut().for_each(parse_input);
    message.insert("content".into(), blocks.into_values().map(Value::Object).collect());
    ended.then_some(Value::Object(message))
}

/// Adds a piece to a block: each kind of piece is named after what it adds to, but for a tool's input.
fn add_delta(block: &mut Map<String, Value>, delta: &Map<String, Value>) {
    for (piece, target) in
        [("text", "text"), ("thinking", "thinking"), ("signature", "signature"), ("partial_json", PARTIAL)]
    {
        if let Some(text) = delta.get(piece).and_then(Value::as_str) {
            append(block, target, text);
        }
    }
    if let Some(citation) = delta.get("citation")
        && let Some(citations) = block.entry("citations").or_insert_with(|| json!([])).as_array_mut()
    {
        citations.push(citation.clone());
    }
}

/// Where a tool's input stands while it comes in pieces.
const PARTIAL: &str = "partial input";

/// Puts a tool's input, which came as text, where it belongs; input that is no JSON stays text.
fn parse_input(block: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = block.shift_remove(PARTIAL)
        && !text.is_empty()
    {
        block.insert("input".into(), serde_json::from_str(&text).unwrap_or(Value::String(text)));
    }
}

fn append(object: &mut Map<String, Value>, key: &str, text: &str) {
    match object.get_mut(key) {
        Some(Value::String(so_far)) => so_far.push_str(text),
        _ => drop(object.insert(key.to_owned(), text.into())),
    }
}

/// Each chunk of the Gemini wire is a whole answer: the parts of the first candidate are put in a
/// row, neighbours that only carry text as one, and of everything else the last word counts.
fn gemini(events: &[Value]) -> Option<Value> {
    let mut body = Map::new();
    let mut candidate = Map::new();
    let mut parts: Vec<Value> = Vec::new();
    for event in events {
        let first = event.pointer("/candidates/0").and_then(Value::as_object).cloned().unwrap_or_default();
        for part in first.get("content").and_then(|content| content.get("parts")?.as_array()).into_iter().flatten() {
            add_part(&mut parts, part);
        }
        candidate.extend(first);
        body.extend(event.as_object().cloned().unwrap_or_default());
    }
    let blocked = body.get("promptFeedback").is_some_and(|feedback| feedback.get("blockReason").is_some());
    if candidate.get("finishReason").is_none_or(Value::is_null) {
        return blocked.then_some(Value::Object(body));
    }
    let content = candidate.entry("content").or_insert_with(|| json!({"role": "model"}));
    if let Some(content) = content.as_object_mut().filter(|_| !parts.is_empty()) {
        content.insert("parts".into(), parts.into());
    }
    body.insert("candidates".into(), json!([candidate]));
    Some(Value::Object(body))
}

fn add_part(parts: &mut Vec<Value>, part: &Value) {
    let is_text =
        |part: &Value| part.as_object().is_some_and(|part| part.keys().all(|key| key == "text" || key == "thought"));
    if let Some(last) = parts.last_mut()
        && is_text(last)
        && is_text(part)
        && last.get("thought") == part.get("thought")
        && let (Some(last), Some(text)) = (last.as_object_mut(), part.get("text").and_then(Value::as_str))
    {
        append(last, "text", text);
        return;
    }
    parts.push(part.clone());
}

/// Blocks, the reason and the metadata of a Converse stream, in the places of its whole answer.
fn bedrock(events: &[Value]) -> Option<Value> {
    let mut body = Map::new();
    let mut message = Map::new();
    let mut blocks: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    for (name, event) in events.iter().filter_map(Value::as_object).flatten() {
        let fields = event.as_object().cloned().unwrap_or_default();
        let field = |key: &str| event.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        let index = event.get("contentBlockIndex").and_then(Value::as_u64).unwrap_or(0);
        match name.as_str() {
            "messageStart" => message = fields,
            "contentBlockStart" => blocks.entry(index).or_default().extend(field("start")),
            "contentBlockDelta" => add_block_delta(blocks.entry(index).or_default(), &field("delta")),
            "messageStop" | "metadata" => body.extend(fields),
            _ => {}
        }
    }
    for tool in blocks.values_mut().filter_map(|block| block.get_mut("toolUse")?.as_object_mut()) {
        parse_input(tool);
    }
    message.insert("content".into(), blocks.into_values().map(Value::Object).collect());
    let ended = body.contains_key("stopReason");
    body.insert("output".into(), json!({"message": message}));
    ended.then_some(Value::Object(body))
}

/// Adds a piece to a block of Converse. Whole, reasoning stands one level deeper than in pieces.
fn add_block_delta(block: &mut Map<String, Value>, delta: &Map<String, Value>) {
    let piece = |kind: &str, key: &str| delta.get(kind).and_then(|piece| piece.get(key)?.as_str());
    if let Some(text) = delta.get("text").and_then(Value::as_str) {
        append(block, "text", text);
    }
    if let Some(input) = piece("toolUse", "input")
        && let Some(tool) = inner(block, "toolUse")
    {
        append(tool, PARTIAL, input);
    }
    for key in ["text", "signature"] {
        if let Some(text) = piece("reasoningContent", key)
            && let Some(reasoning) = inner(block, "reasoningContent").and_then(|block| inner(block, "reasoningText"))
        {
            append(reasoning, key, text);
        }
    }
}

/// The object under a key, made where it is not there.
fn inner<'a>(object: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    object.entry(key).or_insert_with(|| json!({})).as_object_mut()
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
        let call = |index: u64, id: Value, name: Value, arguments: &str| json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
        let events = [
            chunk(json!({"role": "assistant", "content": ""}), Value::Null),
            chunk(
                json!({"tool_calls": [call(0, json!("a"), json!("one"), ""), call(1, json!("b"), json!("two"), "")]}),
                Value::Null,
            ),
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
    fn a_stream_without_an_end_is_no_answer() {
        let started = [
            (
                WireKind::OpenaiChat,
                json!({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": null}]}),
            ),
            (WireKind::OpenaiResponses, json!({"type": "response.created", "response": {"id": "r"}})),
            (WireKind::Anthropic, json!({"type": "message_start", "message": {"id": "m"}})),
            (WireKind::Gemini, json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "index": 0}]})),
            (WireKind::Bedrock, json!({"messageStart": {"role": "assistant"}})),
        ];
        for (wire, event) in started {
            assert_eq!(join(&entry(wire, &[event])), None, "{wire:?}");
            assert_eq!(join(&entry(wire, &[])), None, "{wire:?}");
        }
    }

    #[test]
    fn blocks_of_a_message_are_filled_piece_by_piece() {
        let block =
            |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
        let delta = |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
        let events = [
            json!({"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}}}),
            block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
            delta(0, json!({"type": "thinking_delta", "thinking": "so"})),
            delta(0, json!({"type": "signature_delta", "signature": "s"})),
            block(1, json!({"type": "tool_use", "id": "t", "name": "sort", "input": {}})),
            delta(1, json!({"type": "input_json_delta", "partial_json": ""})),
            delta(1, json!({"type": "input_json_delta", "partial_json": "{\"a\":"})),
            delta(1, json!({"type": "input_json_delta", "partial_json": "1}"})),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}),
            json!({"type": "message_stop"}),
        ];
        let expected = json!({
            "id": "m",
            "content": [
                {"type": "thinking", "thinking": "so", "signature": "s"},
                {"type": "tool_use", "id": "t", "name": "sort", "input": {"a": 1}},
            ],
            "usage": {"input_tokens": 3, "output_tokens": 9},
            "stop_reason": "tool_use",
        });
        assert_eq!(join(&entry(WireKind::Anthropic, &events)), Some(expected));
    }

    #[test]
    fn parts_of_one_kind_are_one_part() {
        let chunk = |part: Value, finish: Value, tokens: u64| {
            json!({"candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": finish, "index": 0}],
                   "usageMetadata": {"candidatesTokenCount": tokens}})
        };
        let events = [
            chunk(json!({"text": "so", "thought": true}), Value::Null, 1),
            chunk(json!({"text": "a"}), Value::Null, 2),
            chunk(json!({"text": "b"}), json!("STOP"), 3),
        ];
        let parts = json!([{"text": "so", "thought": true}, {"text": "ab"}]);
        let expected = json!({
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"candidatesTokenCount": 3},
        });
        assert_eq!(join(&entry(WireKind::Gemini, &events)), Some(expected));
    }

    #[test]
    fn reasoning_of_converse_is_one_level_deeper_whole() {
        let delta =
            |index: u64, delta: Value| json!({"contentBlockDelta": {"contentBlockIndex": index, "delta": delta}});
        let events = [
            json!({"messageStart": {"role": "assistant"}}),
            delta(0, json!({"reasoningContent": {"text": "so"}})),
            delta(0, json!({"reasoningContent": {"signature": "s"}})),
            json!({"contentBlockStart": {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "sort"}}}}),
            delta(1, json!({"toolUse": {"input": "{}"}})),
            json!({"messageStop": {"stopReason": "tool_use"}}),
            json!({"metadata": {"usage": {"inputTokens": 3}}}),
        ];
        let content = json!([
            {"reasoningContent": {"reasoningText": {"text": "so", "signature": "s"}}},
            {"toolUse": {"toolUseId": "t", "name": "sort", "input": {}}},
        ]);
        let expected = json!({
            "stopReason": "tool_use",
            "usage": {"inputTokens": 3},
            "output": {"message": {"role": "assistant", "content": content}},
        });
        assert_eq!(join(&entry(WireKind::Bedrock, &events)), Some(expected));
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
