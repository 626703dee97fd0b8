//! The same turns, read from the body of each wire.

use serde_json::json;

use super::*;
use crate::exchange::{self, CacheAsk, CacheLifetime, OutputMode, Request, Role};
use crate::provider::Target;
use crate::wire;

const KINDS: [WireKind; 5] =
    [WireKind::OpenaiChat, WireKind::OpenaiResponses, WireKind::Anthropic, WireKind::Gemini, WireKind::Bedrock];

fn request(explicit: Option<bool>) -> Request {
    let message = |role, content: &str| exchange::Message { role, content: content.into() };
    Request {
        model: "m".into(),
        messages: vec![
            message(Role::System, "Sort tickets."),
            message(Role::User, "A shot"),
            message(Role::Assistant, "{\"category\":\"billing\"}"),
            message(Role::User, "Where is\nmy invoice?"),
        ],
        stable_messages: 3,
        cache: explicit.map(|explicit| CacheAsk {
            lifetime: CacheLifetime::Hour,
            explicit,
            key: "k".into(),
            stored: None,
        }),
        params: Map::new(),
        output: OutputMode::Text,
        stream: true,
    }
}

fn said(kind: WireKind, body: &Value) -> Vec<(String, String)> {
    let messages = conversation(kind, body.to_string().as_bytes()).unwrap();
    messages.into_iter().map(|message| (message.role, message.text)).collect()
}

#[test]
fn every_wire_says_the_same_turns_with_and_without_a_cache() {
    for kind in KINDS {
        for explicit in [None, Some(false), Some(true)] {
            let body = wire::wire(kind).encode(&request(explicit), &Target::default()).body;
            let turns = conversation(kind, &body).unwrap();
            let turns: Vec<_> = turns.iter().map(|turn| (turn.role.as_str(), turn.text.as_str())).collect();
            let wanted = [
                ("system", "Sort tickets."),
                ("user", "A shot"),
                ("assistant", "{\"category\":\"billing\"}"),
                ("user", "Where is\nmy invoice?"),
            ];
            assert_eq!(turns, wanted, "{kind:?} {explicit:?}");
        }
    }
}

#[test]
fn what_is_no_text_is_shown_as_json() {
    let call = json!({"type": "tool_use", "name": "answer", "input": {"a": 1}});
    let body = json!({"messages": [{"role": "assistant", "content": [{"type": "text", "text": "Now"}, call]}]});
    let turns = said(WireKind::Anthropic, &body);
    assert!(turns[0].1.starts_with("Now\n\n{"), "{turns:?}");
    assert!(turns[0].1.contains("\"name\": \"answer\""), "{turns:?}");

    let item = json!({"type": "function_call", "name": "answer", "arguments": "{}"});
    let turns = said(WireKind::OpenaiResponses, &json!({"input": [item]}));
    assert_eq!(turns[0].0, "function_call");

    let calls = json!([{"id": "1", "function": {"name": "f", "arguments": "{}"}}]);
    let body = json!({"messages": [{"role": "assistant", "content": null, "tool_calls": calls}]});
    assert!(said(WireKind::OpenaiChat, &body)[0].1.contains("arguments"));
}

#[test]
fn a_bare_string_is_what_the_user_says() {
    let turns = said(WireKind::OpenaiResponses, &json!({"input": "hello"}));
    assert_eq!(turns, [("user".to_owned(), "hello".to_owned())]);
    let body = json!({"system_instruction": {"parts": [{"text": "a"}, {"text": "b"}]}, "contents": {}});
    assert_eq!(conversation(WireKind::Gemini, body.to_string().as_bytes()), None);
}

#[test]
fn what_is_no_conversation_is_none() {
    for kind in KINDS {
        for body in ["", "[]", "{}", "\u{fffd}", "{\"messages\": 3, \"input\": 3, \"contents\": 3}"] {
            assert_eq!(conversation(kind, body.as_bytes()), None, "{kind:?} {body}");
        }
    }
}
