//! Everything that goes wrong with a service, each as an answer. Those that spoil an answer take the
//! right one.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, STREAM, Step, chunk, data, whole};

/// How a service says when to come again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RetryAfter {
    /// Not at all.
    Unsaid,
    /// `retry-after` in seconds.
    Seconds(u64),
    /// `retry-after-ms`.
    Milliseconds(u64),
    /// `retry-after` as a date, so many seconds after the answer's `date`.
    Date(u64),
}

impl RetryAfter {
    fn headers(self) -> Vec<(&'static str, String)> {
        let date = |second: u64| format!("Wed, 21 Oct 2026 07:28:{second:02} GMT");
        match self {
            Self::Unsaid => vec![],
            Self::Seconds(seconds) => vec![("retry-after", seconds.to_string())],
            Self::Milliseconds(ms) => vec![("retry-after-ms", ms.to_string())],
            Self::Date(seconds) => vec![("date", date(0)), ("retry-after", date(seconds))],
        }
    }
}

fn one(name: &'static str, bytes: Vec<u8>) -> Answer {
    Answer::Steps(name, vec![Step::Send(bytes)])
}

fn error(name: &'static str, status: u16, headers: &[(&str, String)], kind: &str, message: &str) -> Answer {
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": kind}});
    one(name, whole(status, headers, &body.to_string()))
}

/// 429 that time heals.
pub(crate) fn rate_limited(after: RetryAfter) -> Answer {
    error("rate-limited", 429, &after.headers(), "rate_limit_exceeded", "Rate limit reached for requests")
}

/// 429 that only money heals.
pub(crate) fn quota_exhausted() -> Answer {
    error("quota-exhausted", 429, &[], "insufficient_quota", "You exceeded your current quota")
}

/// A status of the server's own failure: 500, 503, 529.
pub(crate) fn failed(status: u16) -> Answer {
    error("failed", status, &[], "server_error", "The server had an error while processing your request")
}

/// A reset before a byte of the answer.
pub(crate) fn reset() -> Answer {
    Answer::Steps("reset", vec![Step::Reset])
}

/// The data events of an answer that is streamed.
fn events(answer: Answer) -> Vec<Value> {
    match answer {
        Answer::Stream(events) => events,
        other => panic!("{other:?} has no events"),
    }
}

/// A head, the first `n` events of an answer, and what comes then.
fn begun(name: &'static str, answer: Answer, n: usize, then: Step) -> Answer {
    let first = events(answer).into_iter().take(n).map(|event| Step::Send(chunk(data(&event).as_bytes())));
    Answer::Steps(name, std::iter::once(Step::Send(STREAM.into())).chain(first).chain([then]).collect())
}

/// A reset in the middle of the body.
pub(crate) fn reset_midway(answer: Answer) -> Answer {
    begun("reset-midway", answer, 2, Step::Reset)
}

/// A body that ends in the middle of an event, without its last chunk.
pub(crate) fn truncated(answer: Answer) -> Answer {
    match begun("truncated", answer, 1, Step::Close) {
        Answer::Steps(name, mut steps) => {
            let part = chunk(b"data: {\"id\": \"c-1\", \"choices\": [{\"ind");
            steps.insert(2, Step::Send(part[..part.len() - 9].to_vec()));
            Answer::Steps(name, steps)
        }
        other => other,
    }
}

/// A body that ends properly before its stream does.
pub(crate) fn ends_early(answer: Answer) -> Answer {
    begun("ends-early", answer, 2, Step::Send(b"0\r\n\r\n".to_vec()))
}

/// Events that are no JSON, between lines that are no fields.
pub(crate) fn garbled(answer: Answer) -> Answer {
    let noise = chunk(b"\xff\xfe\x00data\ndata: {\"choices\": [{\"delta\": \n\n: \xc3\ndata: ]]}}\n\n");
    begun("garbled", answer, 1, Step::Send([noise, b"0\r\n\r\n".to_vec()].concat()))
}

/// An error event in a stream that had begun well.
pub(crate) fn error_event(answer: Answer) -> Answer {
    let event = json!({"error": {"message": "The model is overloaded", "type": "server_error", "code": null}});
    let last = [chunk(data(&event).as_bytes()), b"0\r\n\r\n".to_vec()].concat();
    begun("error-event", answer, 2, Step::Send(last))
}

/// A stream that stops after its first token.
pub(crate) fn stalling(answer: Answer) -> Answer {
    begun("stalling", answer, 2, Step::Hang)
}

/// A stream whose head comes, and no token.
pub(crate) fn tokenless() -> Answer {
    Answer::Steps("tokenless", vec![Step::Send(STREAM.into()), Step::Hang])
}

/// Nothing at all.
pub(crate) fn silent() -> Answer {
    Answer::Steps("silent", vec![Step::Hang])
}

/// Comments that keep a stream alive for ever, and no token.
pub(crate) fn kept_alive() -> Answer {
    let beat = [Step::Send(chunk(b": keep-alive\n\n")), Step::Wait(Duration::from_millis(10))];
    let beats = std::iter::repeat_n(beat, 3_000).flatten();
    Answer::Steps("kept-alive", std::iter::once(Step::Send(STREAM.into())).chain(beats).collect())
}

/// A right answer whose events come one at a time.
pub(crate) fn slow_chunks(answer: Answer, pause: Duration) -> Answer {
    let sent = events(answer).into_iter().map(|event| Step::Send(chunk(data(&event).as_bytes())));
    let mut steps = vec![Step::Send(STREAM.into())];
    steps.extend(sent.flat_map(|step| [Step::Wait(pause), step]));
    steps.push(Step::Send([chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n".to_vec()].concat()));
    Answer::Steps("slow-chunks", steps)
}

/// A right answer whose head comes a line at a time.
pub(crate) fn slow_headers(answer: Answer, pause: Duration) -> Answer {
    let (_, mut steps) = super::steps(answer);
    let Step::Send(head) = steps.remove(0) else { panic!("an answer opens with its head") };
    let lines = head.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec);
    let slow = lines.flat_map(|line| [Step::Send(line), Step::Wait(pause)]);
    Answer::Steps("slow-headers", slow.chain(steps).collect())
}

/// A head that does not end.
pub(crate) fn endless_head() -> Answer {
    let line = b"x-filler: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n";
    Answer::Steps(
        "endless-head",
        vec![Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Step::Repeat(line.to_vec(), 1 << 24)],
    )
}

/// A stream of this many bytes whose one event does not end.
pub(crate) fn huge(bytes: u64) -> Answer {
    const PIECE: usize = 1 << 20;
    let open = chunk(b"data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"");
    let piece = chunk(&vec![b'x'; PIECE]);
    let steps = vec![
        Step::Send(STREAM.into()),
        Step::Send(open),
        Step::Repeat(piece, bytes / PIECE as u64),
        Step::Send(b"0\r\n\r\n".to_vec()),
    ];
    Answer::Steps("huge", steps)
}

/// The same, for an answer in one piece.
pub(crate) fn huge_whole(bytes: u64) -> Answer {
    const PIECE: usize = 1 << 20;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n");
    Answer::Steps(
        "huge-whole",
        vec![Step::Send(head.into_bytes()), Step::Repeat(vec![b' '; PIECE], bytes / PIECE as u64)],
    )
}

/// The same, for the page of an error.
pub(crate) fn huge_error(bytes: u64) -> Answer {
    const PIECE: usize = 1 << 20;
    let head = format!("HTTP/1.1 400 Bad\r\ncontent-type: text/html\r\ncontent-length: {bytes}\r\n\r\n");
    Answer::Steps(
        "huge-error",
        vec![Step::Send(head.into_bytes()), Step::Repeat(vec![b'<'; PIECE], bytes / PIECE as u64)],
    )
}

/// A small body that unpacks to this many bytes.
pub(crate) fn gzip_bomb(bytes: u64) -> Answer {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let piece = vec![b' '; 1 << 20];
    for _ in 0..bytes >> 20 {
        packed.write_all(&piece).unwrap();
    }
    let packed = packed.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        packed.len()
    );
    one("gzip-bomb", [head.into_bytes(), packed].concat())
}

/// A stream under another content type.
pub(crate) fn wrong_type(answer: Answer) -> Answer {
    let all: String = events(answer).iter().map(data).collect();
    one("wrong-type", whole(200, &[("content-type", "text/plain".into())], &all))
}

/// A page for people.
pub(crate) fn html(status: u16) -> Answer {
    let page = "<!doctype html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>";
    one("html", whole(status, &[("content-type", "text/html".into())], page))
}

/// A right answer whose every event has the id of another answer.
pub(crate) fn foreign_ids(answer: Answer) -> Answer {
    with_ids("foreign-ids", answer, |place| json!(format!("c-{}", place % 2)))
}

/// A right answer without ids.
pub(crate) fn without_ids(answer: Answer) -> Answer {
    with_ids("without-ids", answer, |_| Value::Null)
}

fn with_ids(name: &'static str, answer: Answer, id: impl Fn(usize) -> Value) -> Answer {
    let events = events(answer).into_iter().enumerate().map(|(place, mut event)| {
        event["id"] = id(place);
        event
    });
    named(name, Answer::Stream(events.collect()))
}

/// A right answer that reports this usage.
pub(crate) fn with_usage(answer: Answer, usage: Value) -> Answer {
    let mut events = events(answer);
    if let Some(last) = events.last_mut() {
        last["usage"] = usage;
    }
    named("odd-usage", Answer::Stream(events))
}

/// A right answer that says nothing of usage.
pub(crate) fn without_usage(answer: Answer) -> Answer {
    let mut events = events(answer);
    events.retain(|event| event.get("usage").is_none());
    named("without-usage", Answer::Stream(events))
}

/// Elsewhere.
pub(crate) fn redirect(status: u16, to: &str) -> Answer {
    one("redirect", whole(status, &[("location", to.to_owned())], ""))
}

fn named(name: &'static str, answer: Answer) -> Answer {
    Answer::Steps(name, super::steps(answer).1)
}
