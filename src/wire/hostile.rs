//! Answers that no honest server sends: no decoder panics, hangs or keeps more than it was given.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Framing, embeddings, event_stream, read, wire};
use crate::provider::{Dialect, WireKind};
use crate::trial::Received;
use crate::wire::Route;
use crate::wire::batch::{BatchDraft, batch_wire};

const WIRES: [WireKind; 5] =
    [WireKind::OpenaiChat, WireKind::OpenaiResponses, WireKind::Anthropic, WireKind::Gemini, WireKind::Bedrock];

/// Names that the decoders look for, so that what is made reaches beyond their first look.
const NAMES: &[&str] = &[
    "choices",
    "index",
    "delta",
    "message",
    "content",
    "tool_calls",
    "function",
    "arguments",
    "finish_reason",
    "usage",
    "prompt_tokens",
    "error",
    "type",
    "code",
    "model",
    "response",
    "output",
    "status",
    "item",
    "output_index",
    "incomplete_details",
    "content_block",
    "partial_json",
    "text",
    "thinking",
    "stop_reason",
    "candidates",
    "parts",
    "functionCall",
    "finishReason",
    "usageMetadata",
    "promptTokenCount",
    "contentBlockDelta",
    "contentBlockStart",
    "contentBlockIndex",
    "messageStop",
    "stopReason",
    "metadata",
    "toolUse",
    "input",
    "details",
    "violations",
    "retryDelay",
    "data",
    "embedding",
    "id",
    "custom_id",
    "result",
    "request_counts",
    "done",
    "name",
    "state",
    "inlinedResponses",
    "reasoning",
    "refusal",
    "summary",
    "cacheDetails",
    "ttl",
    "x_groq",
    "metadata",
];

/// Words that the decoders look for.
const WORDS: &[&str] = &[
    "response.completed",
    "response.output_text.delta",
    "response.output_item.added",
    "function_call",
    "message",
    "response.function_call_arguments.delta",
    "error",
    "message_start",
    "content_block_start",
    "content_block_delta",
    "message_delta",
    "message_stop",
    "text_delta",
    "input_json_delta",
    "tool_use",
    "text",
    "stop",
    "length",
    "STOP",
    "thinking",
    "completed",
    "incomplete",
    "succeeded",
    "errored",
    "ended",
    "1e999s",
    "46s",
    "-3s",
    "<think>",
    "</think>",
    "</thi",
    " ",
    "ä\u{0}",
    "",
    "insufficient_quota",
    "429",
    "99999999999",
];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![Just(0_i64), Just(-1), Just(i64::MAX), any::<i64>()].prop_map(Value::from),
        Just(json!(u64::MAX)),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(WORDS).prop_map(Value::from),
    ]
}

/// A document of known names with values of any kind in their places.
fn document() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(6, 48, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES), inner), 0..6).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    })
}

/// Bytes as each framing would carry these documents.
fn framed(framing: Framing, events: &[Value]) -> Vec<u8> {
    let frame = |event: &Value| match framing {
        Framing::Sse => format!("data: {event}\n\n").into_bytes(),
        Framing::EventStream => {
            let (name, payload) = match event.as_object().and_then(|fields| fields.iter().next()) {
                Some((name, payload)) => (name.as_str(), payload),
                None => ("metadata", event),
            };
            let headers = [(":message-type", "event"), (":event-type", name)];
            event_stream::message(&headers, payload.to_string().as_bytes())
        }
    };
    events.iter().flat_map(frame).collect()
}

/// Reads bytes in every way in which an answer can be read.
fn read_everywhere(body: &[u8], status: u16) {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(body) {
        for name in ["retry-after", "retry-after-ms", "date", "x-should-retry", "location", "x-amzn-errortype"] {
            headers.insert(name, value.clone());
        }
    }
    for kind in WIRES {
        for streamed in [false, true] {
            let reading = read(kind, &Received::Answer { status: 200, body: body.to_vec(), streamed });
            if let Some(completion) = reading.outcome.completion() {
                // A number, written out, is longer than its shortest spelling.
                assert!(completion.text.len() + completion.reasoning.len() <= 16 * body.len() + 2);
            }
        }
        read(kind, &Received::Answer { status, body: body.to_vec(), streamed: false });
        let failure = wire(kind).classify(status, &headers, body);
        assert!(failure.message.chars().count() <= 400, "{}", failure.message);
        let dialect = if kind == WireKind::OpenaiChat { Dialect::Openai } else { Dialect::Plain };
        let Some(batch) = batch_wire(kind, dialect) else { continue };
        let route = Route::fixed("/models/m:generateContent");
        let draft = BatchDraft { tag: "t", route: &route, lines: &[] };
        let _ = batch.submitted(&draft, 0, body);
        let _ = batch.submitted(&draft, 1, body);
        let _ = batch.state(&route, body);
        let _ = batch.results(body);
        let _ = batch.listed(body);
    }
    let _ = embeddings::decode(body, 2);
    let _ = super::gemini::cached::created(body);
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_some_end(body in prop::collection::vec(any::<u8>(), 0..300), status in 100..1000_u16) {
        read_everywhere(&body, status);
    }

    #[test]
    fn any_document_is_read_to_some_end(document in document(), status in 100..1000_u16) {
        read_everywhere(document.to_string().as_bytes(), status);
    }

    #[test]
    fn any_events_are_read_to_some_end(events in prop::collection::vec(document(), 0..8), cut in 0..64_usize) {
        for framing in [Framing::Sse, Framing::EventStream] {
            let bytes = framed(framing, &events);
            read_everywhere(&bytes[..bytes.len().saturating_sub(cut)], 500);
        }
    }
}

#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [("[", "]"), ("{\"error\":", "}"), ("{\"choices\":[{\"message\":", "}]}")] {
        let body = open.repeat(5_000) + "1" + &close.repeat(5_000);
        read_everywhere(body.as_bytes(), 400);
        read_everywhere(format!("data: {body}\n\n").as_bytes(), 400);
    }
}

#[test]
fn a_length_that_lies_keeps_nothing() {
    // A message that claims 24 MB and comes byte by byte.
    let mut head = Vec::new();
    head.extend_from_slice(&(24_u32 << 20).to_be_bytes());
    head.extend_from_slice(&0_u32.to_be_bytes());
    head.extend_from_slice(&event_stream::crc32(&head).to_be_bytes());
    let mut decoder = Framing::EventStream.decoder();
    let mut events = 0;
    decoder.feed(&head, &mut |_| events += 1);
    (0..100_000).for_each(|_| decoder.feed(b"x", &mut |_| events += 1));
    assert_eq!(events, 0);
}
