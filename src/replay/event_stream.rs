//! AWS event-stream frames, the streaming form of Bedrock: the writing side (the reading side is
//! the wire's).
//!
//! Source: "Amazon event stream encoding" of the Smithy specification, as botocore's
//! `eventstream.py` reads it. A frame is the total length and the length of the headers, a
//! checksum of those two, the headers, the payload, and a checksum of all before it; numbers are
//! big-endian, checksums CRC-32 as in zlib.

use serde_json::Value;

/// The type of a header whose value is text.
const TEXT: u8 = 7;

/// Lengths and checksums of a frame, in bytes.
const AROUND: usize = 16;

/// An event as its frame. `{"contentBlockDelta": {…}}` is an event of that type; a name that ends
/// in `Exception` is an error inside the stream. Anything else is sent as an event without a type.
pub fn frame(event: &Value) -> Vec<u8> {
    let (name, payload) = match event.as_object().and_then(|fields| fields.iter().next()) {
        Some((name, payload)) => (name.as_str(), payload),
        None => ("", event),
    };
    let (message, kind) =
        if name.ends_with("Exception") { ("exception", ":exception-type") } else { ("event", ":event-type") };
    let mut headers = Vec::new();
    for (key, value) in [(kind, name), (":content-type", "application/json"), (":message-type", message)] {
        header(&mut headers, key, value);
    }
    let payload = payload.to_string();
    let total = AROUND + headers.len() + payload.len();
    let mut frame = Vec::with_capacity(total);
    frame.extend_from_slice(&(total as u32).to_be_bytes());
    frame.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame
}

fn header(headers: &mut Vec<u8>, name: &str, value: &str) {
    headers.push(name.len() as u8);
    headers.extend_from_slice(name.as_bytes());
    headers.push(TEXT);
    headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
    headers.extend_from_slice(value.as_bytes());
}

/// CRC-32 with the reflected polynomial of zlib and Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_checksum_is_that_of_zlib() {
        // The check value of CRC-32 in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_frame_says_its_lengths_and_type() {
        let frame = frame(&json!({"messageStop": {"stopReason": "end_turn"}}));
        assert_eq!(u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize, frame.len());
        let headers = u32::from_be_bytes(frame[4..8].try_into().unwrap()) as usize;
        assert_eq!(&frame[13..13 + 11], b":event-type");
        assert_eq!(&frame[12 + headers..frame.len() - 4], br#"{"stopReason":"end_turn"}"#);
    }
}
