//! Server-sent events, pushed in as they come; the same events at any split of the bytes.
//!
//! Only the `data` of an event matters to the wires. Comments, other fields and events without
//! data are skipped, as the event stream format of the WHATWG HTML standard says.

use memchr::memchr2;

/// Most bytes of one event; a server that sends more is not speaking this format.
const MAX_EVENT_BYTES: usize = 32 * 1024 * 1024;

/// A push decoder.
#[derive(Debug, Default)]
pub struct SseDecoder {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    skip_line_feed: bool,
    started: bool,
}

impl super::Frames for SseDecoder {
    /// Bytes that are not UTF-8 become replacement characters.
    fn feed(&mut self, mut bytes: &[u8], event: &mut dyn FnMut(&str)) {
        if let ([b'\n', rest @ ..], true) = (bytes, self.skip_line_feed) {
            bytes = rest;
            self.skip_line_feed = false;
        }
        while let Some(end) = memchr2(b'\n', b'\r', bytes) {
            let line = &bytes[..end];
            if self.line.is_empty() {
                self.end_line(line, event);
            } else {
                self.keep(line);
                let mut whole = std::mem::take(&mut self.line);
                self.end_line(&whole, event);
                whole.clear();
                self.line = whole;
            }
            let was_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            match bytes {
                [b'\n', rest @ ..] if was_return => {
                    bytes = rest;
                    self.skip_line_feed = false;
                }
                _ => self.skip_line_feed = was_return && bytes.is_empty(),
            }
        }
        self.skip_line_feed &= bytes.is_empty();
        self.keep(bytes);
    }
}

impl SseDecoder {
    /// Keeps the part of a line that is there.
    fn keep(&mut self, part: &[u8]) {
        let room = MAX_EVENT_BYTES.saturating_sub(self.line.len());
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn end_line(&mut self, mut line: &[u8], event: &mut dyn FnMut(&str)) {
        if !std::mem::replace(&mut self.started, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                match std::str::from_utf8(&self.data) {
                    Ok(data) => event(data),
                    Err(_) => event(&String::from_utf8_lossy(&self.data)),
                }
            }
            self.data.clear();
        } else if let Some(value) = field_value(line, b"data")
            && self.data.len() + value.len() < MAX_EVENT_BYTES
        {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value);
        }
    }
}

/// The value of a `name: value` line, without one leading space.
fn field_value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    match rest.strip_prefix(b":") {
        Some(value) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        None => rest.is_empty().then_some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Frames;
    use proptest::prelude::*;

    fn events(chunks: &[&[u8]]) -> Vec<String> {
        let mut decoder = SseDecoder::default();
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.feed(chunk, &mut |data| events.push(data.to_owned()));
        }
        events
    }

    const STREAM: &[u8] = b"\xef\xbb\xbf: keep-alive\r\n\r\ndata: one\r\n\r\nevent: x\ndata: two\ndata:three\nid: 7\n\ndata\n\nretry: 5\n\ndata: \xff\n\ndata: cut";

    #[test]
    fn comments_and_other_fields_are_skipped() {
        assert_eq!(events(&[STREAM]), ["one", "two\nthree", "", "\u{fffd}"]);
    }

    #[test]
    fn line_ends_of_two_kinds_are_told_apart() {
        assert_eq!(events(&[b"data: a\r", b"data: b\r\n", b"\n"]), events(&[b"data: a\rdata: b\r\n\n"]));
        assert_eq!(events(&[b"data: a\r", b"\n\r", b"\ndata: b\n\n"]), ["a", "b"]);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(cuts in prop::collection::vec(0..STREAM.len(), 0..8)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &STREAM[pair[0]..pair[1]]).collect();
            prop_assert_eq!(events(&chunks), events(&[STREAM]));
        }
    }
}
