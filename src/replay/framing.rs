//! How each wire frames a stream and words an error; what is in the events is the recording's.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::{Entry, event_stream};
use crate::provider::WireKind;

/// The word by which the client tells a fault of the recording from one of a server.
const NOT_RECORDED: &str = "ceiling_not_recorded";

/// A stream's pieces, each with its time in milliseconds.
pub(super) type Pieces = Vec<(f64, Bytes)>;

/// The content type of a streamed answer.
pub(super) fn content_type(wire: WireKind) -> &'static str {
    match wire {
        WireKind::Bedrock => "application/vnd.amazon.eventstream",
        _ => "text/event-stream",
    }
}

/// A recorded stream as the wire frames it. One that never had its end signal gets none here.
pub(super) fn pieces(entry: &Entry) -> Pieces {
    let mut finished = false;
    let mut pieces: Pieces = Vec::with_capacity(entry.chunks.len() + 1);
    for (ms, event) in entry.events() {
        finished |= is_finish(&event);
        let text = event.to_string();
        let bytes = match (entry.wire, event.get("type").and_then(Value::as_str)) {
            (WireKind::OpenaiResponses | WireKind::Anthropic, Some(name)) => {
                format!("event: {name}\ndata: {text}\n\n").into()
            }
            (WireKind::Gemini, _) => format!("data: {text}\r\n\r\n").into(),
            (WireKind::Bedrock, _) => event_stream::frame(&event).into(),
            _ => format!("data: {text}\n\n").into(),
        };
        pieces.push((ms, bytes));
    }
    if entry.wire == WireKind::OpenaiChat && finished {
        pieces.push((entry.total_ms, Bytes::from_static(b"data: [DONE]\n\n")));
    }
    pieces
}

/// Whether a chunk of the chat wire ends the answer.
fn is_finish(event: &Value) -> bool {
    let choices = event.get("choices").and_then(Value::as_array);
    choices.is_some_and(|choices| {
        choices.iter().any(|choice| choice.get("finish_reason").is_some_and(|reason| !reason.is_null()))
    })
}

/// A fault of the request or of the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// No wire has such a path.
    Path,
    /// The body is not what it should be.
    Body(&'static str),
    /// Nothing is recorded for this request.
    NotRecorded,
    /// The answer is there, but only as a stream without an end, and the request asks for one piece.
    StreamOnly,
}

impl Fault {
    fn status(self) -> StatusCode {
        match self {
            Self::Path | Self::NotRecorded => StatusCode::NOT_FOUND,
            Self::Body(_) | Self::StreamOnly => StatusCode::BAD_REQUEST,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Path => "unknown_url",
            Self::Body(_) => "invalid_request_error",
            Self::NotRecorded | Self::StreamOnly => NOT_RECORDED,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Path => {
                "the recording answers POST /v1/chat/completions, /v1/responses, /v1/messages, \
                 /v1beta/models/MODEL:generateContent, :streamGenerateContent?alt=sse, \
                 /model/ID/converse and /model/ID/converse-stream"
            }
            Self::Body(message) => message,
            Self::NotRecorded => "no recording knows this request",
            Self::StreamOnly => "the recording has the answer to this request as a stream only, and one without an end",
        }
    }
}

/// Status, headers and body of an error in the wire's own form.
pub(super) fn error(wire: WireKind, fault: Fault) -> (StatusCode, HeaderMap, Value) {
    let (status, code, message) = (fault.status(), fault.code(), fault.message());
    let missing = status == StatusCode::NOT_FOUND;
    let mut headers = HeaderMap::new();
    // Official clients ask again by the status alone; nothing here changes by asking.
    headers.insert("x-should-retry", HeaderValue::from_static("false"));
    let body = match wire {
        WireKind::OpenaiChat | WireKind::OpenaiResponses => {
            json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}})
        }
        WireKind::Anthropic => {
            let kind = if missing { "not_found_error" } else { "invalid_request_error" };
            let error = json!({"type": kind, "message": message, "details": {"error_code": code}});
            json!({"type": "error", "error": error, "request_id": null})
        }
        WireKind::Gemini => {
            let word = if missing { "NOT_FOUND" } else { "INVALID_ARGUMENT" };
            let reason = json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code,
                                "domain": "recording"});
            json!({"error": {"code": status.as_u16(), "message": message, "status": word, "details": [reason]}})
        }
        WireKind::Bedrock => {
            let kind = if missing { "ResourceNotFoundException" } else { "ValidationException" };
            headers.insert("x-amzn-errortype", HeaderValue::from_static(kind));
            json!({"message": message, "code": code})
        }
    };
    (status, headers, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::FailureKind;
    use crate::wire;

    const WIRES: [WireKind; 5] =
        [WireKind::OpenaiChat, WireKind::OpenaiResponses, WireKind::Anthropic, WireKind::Gemini, WireKind::Bedrock];

    fn framed(wire: WireKind, events: &[Value]) -> Vec<u8> {
        let line = json!({"wire": wire, "request_hash": "00".repeat(32), "example": "e", "variant": "v", "status": 200,
                          "total_ms": 9.0});
        let bare: Entry = serde_json::from_value(line).unwrap();
        let timed: Vec<(f64, Value)> = events.iter().map(|event| (1.0, event.clone())).collect();
        pieces(&Entry::from_events(bare, &timed)).iter().flat_map(|(_, bytes)| bytes.to_vec()).collect()
    }

    #[test]
    fn each_wire_has_its_own_line_ends_names_and_end() {
        let text = |wire, event: Value| String::from_utf8(framed(wire, &[event])).unwrap();
        let chunk = |reason: Value| json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]});
        let (open, end) = (chunk(Value::Null), chunk("stop".into()));
        assert_eq!(text(WireKind::OpenaiChat, open.clone()), format!("data: {open}\n\n"));
        assert_eq!(text(WireKind::OpenaiChat, end.clone()), format!("data: {end}\n\ndata: [DONE]\n\n"));
        let named = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        assert_eq!(text(WireKind::Anthropic, json!({"type": "message_stop"})), named);
        assert_eq!(text(WireKind::OpenaiResponses, json!({"type": "message_stop"})), named);
        assert_eq!(text(WireKind::Gemini, json!({"candidates": []})), "data: {\"candidates\":[]}\r\n\r\n");
    }

    #[test]
    fn each_wire_tells_a_fault_of_the_recording_from_one_of_a_server() {
        for kind in WIRES {
            for fault in [Fault::NotRecorded, Fault::StreamOnly] {
                let (status, headers, body) = error(kind, fault);
                for headers in [headers, HeaderMap::new()] {
                    let failure = wire::wire(kind).classify(status.as_u16(), &headers, body.to_string().as_bytes());
                    assert_eq!(failure.kind, FailureKind::NotRecorded, "{kind:?} {fault:?}: {failure:?}");
                }
            }
            let (status, headers, body) = error(kind, Fault::Body("the request body did not arrive"));
            let failure = wire::wire(kind).classify(status.as_u16(), &headers, body.to_string().as_bytes());
            assert_eq!(failure.kind, FailureKind::BadRequest, "{kind:?}: {failure:?}");
        }
    }
}
