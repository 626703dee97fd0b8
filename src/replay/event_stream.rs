//! The writing side of Bedrock's binary stream; the reading side is the wire's.

use serde_json::Value;

use crate::wire::event_stream::{ERROR, message};

/// A recorded event as the message that carried it. `{"contentBlockDelta": {…}}` is an event of that
/// type; a name that ends in `Exception` is an error inside the stream, one with a model.
pub(super) fn frame(event: &Value) -> Vec<u8> {
    let (name, payload) = match event.as_object().and_then(|fields| fields.iter().next()) {
        Some((name, payload)) => (name.as_str(), payload),
        None => ("", event),
    };
    if name == ERROR {
        let said = |key: &str| payload.get(key).and_then(Value::as_str).unwrap_or_default();
        let headers = [(":error-code", said("code")), (":error-message", said("message")), (":message-type", "error")];
        return message(&headers, b"");
    }
    let (kind, key) =
        if name.ends_with("Exception") { ("exception", ":exception-type") } else { ("event", ":event-type") };
    let headers = [(key, name), (":content-type", "application/json"), (":message-type", kind)];
    message(&headers, payload.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Framing;
    use serde_json::json;

    #[test]
    fn the_decoder_reads_what_was_recorded() {
        let events = [
            json!({"messageStart": {"role": "assistant"}}),
            json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "héllo"}}}),
            json!({"throttlingException": {"message": "slow down"}}),
            json!({ERROR: {"code": "InternalError", "message": "broken"}}),
        ];
        let bytes: Vec<u8> = events.iter().flat_map(frame).collect();
        let mut read: Vec<Value> = Vec::new();
        Framing::EventStream.decoder().feed(&bytes, &mut |data| read.push(serde_json::from_str(data).unwrap()));
        assert_eq!(read, events);
    }
}
