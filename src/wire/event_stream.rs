//! AWS's binary event stream, pushed in as it comes; the same events at any split of the bytes.
//!
//! A message is its length (4 bytes, big-endian), the length of its headers, a CRC-32 of these two,
//! the headers, the payload, and a CRC-32 of all before it (Smithy specification, "Amazon Event
//! Stream"; limits and types as in botocore 1.44.8 `eventstream.py`). An event is handed over as
//! JSON text under its name: `{"contentBlockDelta": PAYLOAD}`. An exception is handed over in the
//! same way under its own name; what breaks the format as [`BROKEN`].

use serde_json::json;

/// Name under which a fault of the format is handed over, with a `message`. No server's own name
/// begins with a colon.
pub const BROKEN: &str = ":broken";

/// Name under which an error without a model is handed over (`:message-type` is `error`).
pub const ERROR: &str = ":error";

const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;
const MOST_HEADER_BYTES: usize = 128 * 1024;
const MOST_PAYLOAD_BYTES: usize = 24 * 1024 * 1024;

/// A push decoder.
#[derive(Debug, Default)]
pub struct EventStreamDecoder {
    buffer: Vec<u8>,
    broken: bool,
}

impl super::Frames for EventStreamDecoder {
    fn feed(&mut self, bytes: &[u8], event: &mut dyn FnMut(&str)) {
        if self.broken {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        let mut start = 0;
        while !self.broken {
            match next(&self.buffer[start..]) {
                Ok(None) => break,
                Ok(Some((length, text))) => {
                    start += length;
                    event(&text);
                }
                Err(fault) => {
                    self.broken = true;
                    event(&json!({BROKEN: {"message": fault}}).to_string());
                }
            }
        }
        self.buffer.drain(..start);
    }
}

/// The first message of the bytes, with its length; none while it is not whole.
fn next(bytes: &[u8]) -> Result<Option<(usize, String)>, &'static str> {
    let Some((prelude, _)) = bytes.split_first_chunk::<PRELUDE>() else { return Ok(None) };
    let (total, headers) = (word(prelude, 0), word(prelude, 4));
    if crc32(&prelude[..8]) as usize != word(prelude, 8) {
        return Err("the checksum of a message's lengths is wrong");
    }
    let fixed = PRELUDE + CHECKSUM;
    if headers > MOST_HEADER_BYTES || total < fixed + headers || total - fixed - headers > MOST_PAYLOAD_BYTES {
        return Err("a message's lengths make no sense");
    }
    let Some(message) = bytes.get(..total) else { return Ok(None) };
    if crc32(&message[..total - CHECKSUM]) as usize != word(message, total - CHECKSUM) {
        return Err("the checksum of a message is wrong");
    }
    let names = Names::read(&message[PRELUDE..PRELUDE + headers])?;
    Ok(Some((total, names.event(&message[PRELUDE + headers..total - CHECKSUM])?)))
}

/// Lets the headers and payload of each message be changed in place, and makes the checksum of one
/// that was changed right again. From the first fault of the format on, or where a message is not
/// whole, the rest is one part, and the fault stays one.
pub fn amend(bytes: &mut [u8], change: &mut dyn FnMut(&mut [u8]) -> bool) {
    let mut rest = bytes;
    while let Ok(Some((total, _))) = next(rest) {
        let (message, behind) = rest.split_at_mut(total);
        let (content, checksum) = message.split_at_mut(total - CHECKSUM);
        if change(&mut content[PRELUDE..]) {
            checksum.copy_from_slice(&crc32(content).to_be_bytes());
        }
        rest = behind;
    }
    change(rest);
}

/// Four bytes as a number; the caller has checked that they are there.
fn word(bytes: &[u8], at: usize) -> usize {
    bytes[at..at + 4].iter().fold(0, |word, byte| word << 8 | usize::from(*byte))
}

/// The headers that say what a message is.
#[derive(Debug, Default)]
struct Names {
    message: String,
    event: String,
    exception: String,
    error_code: String,
    error_message: String,
}

impl Names {
    fn read(mut headers: &[u8]) -> Result<Self, &'static str> {
        const SHORT: &str = "a message's headers are cut";
        let mut names = Self::default();
        while let Some((length, rest)) = headers.split_first() {
            let (name, rest) = rest.split_at_checked(usize::from(*length)).ok_or(SHORT)?;
            let (kind, rest) = rest.split_first().ok_or(SHORT)?;
            let (size, rest) = match kind {
                0 | 1 => (0, rest),
                2 => (1, rest),
                3 => (2, rest),
                4 => (4, rest),
                5 | 8 => (8, rest),
                6 | 7 => {
                    let (length, rest) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
                    (usize::from(u16::from_be_bytes(*length)), rest)
                }
                9 => (16, rest),
                _ => return Err("a message's header has an unknown type"),
            };
            let (value, rest) = rest.split_at_checked(size).ok_or(SHORT)?;
            headers = rest;
            let place = match name {
                b":message-type" => &mut names.message,
                b":event-type" => &mut names.event,
                b":exception-type" => &mut names.exception,
                b":error-code" => &mut names.error_code,
                b":error-message" => &mut names.error_message,
                _ => continue,
            };
            *place = String::from_utf8_lossy(value).into_owned();
        }
        Ok(names)
    }

    /// The message as JSON text.
    fn event(self, payload: &[u8]) -> Result<String, &'static str> {
        let name = match self.message.as_str() {
            "error" => {
                let error = json!({"code": self.error_code, "message": self.error_message});
                return Ok(json!({ERROR: error}).to_string());
            }
            "exception" => self.exception,
            "event" => self.event,
            _ => return Err("a message does not say what it is"),
        };
        let payload = String::from_utf8_lossy(payload);
        let payload = if payload.is_empty() { "{}" } else { &payload };
        Ok(format!("{{{}:{payload}}}", json!(name)))
    }
}

/// CRC-32 as in gzip (reflected, polynomial 0xEDB88320).
pub fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !bytes.iter().fold(u32::MAX, |crc, byte| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)])
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

/// A message of string headers, as a server sends it.
pub fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        // Names are ours and short; a value is cut to what its length can say.
        let value = &value.as_bytes()[..value.len().min(usize::from(u16::MAX))];
        encoded.push(name.len() as u8);
        encoded.extend_from_slice(name.as_bytes());
        encoded.push(7);
        encoded.extend_from_slice(&(value.len() as u16).to_be_bytes());
        encoded.extend_from_slice(value);
    }
    let total = PRELUDE + encoded.len() + payload.len() + CHECKSUM;
    let mut bytes = Vec::with_capacity(total);
    bytes.extend_from_slice(&(total as u32).to_be_bytes());
    bytes.extend_from_slice(&(encoded.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
    bytes.extend_from_slice(&encoded);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests;
