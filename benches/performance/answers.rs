//! What the server says: a whole answer, or the events of a stream.

use bytes::Bytes;
use serde_json::{Value, json};

/// Data events of a stream with text.
const CHUNKS: usize = 16;

const SAID: &str = "{\"label\":\"label_07\"}";

fn usage() -> Value {
    json!({"prompt_tokens": 320, "completion_tokens": 12, "total_tokens": 332,
           "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}})
}

/// An answer in one piece.
pub(crate) fn whole() -> Bytes {
    let message = json!({"role": "assistant", "content": SAID, "refusal": null});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let body = json!({"id": "c-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
                      "usage": usage()});
    Bytes::from(body.to_string())
}

/// A stream, cut before the first event with text, after it, and before the last.
pub(crate) struct Stream {
    /// The role, without text.
    pub(crate) opening: Bytes,
    /// The first event with text.
    pub(crate) first: Bytes,
    /// The others with text.
    pub(crate) middle: Bytes,
    /// The end, with the usage.
    pub(crate) last: Bytes,
}

impl Stream {
    /// All of it.
    pub(crate) fn whole(&self) -> Bytes {
        Bytes::from([&self.opening[..], &self.first, &self.middle, &self.last].concat())
    }
}

fn event(choices: Value, usage: Value) -> String {
    let data = json!({"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                      "choices": choices, "usage": usage});
    format!("data: {data}\n\n")
}

fn delta(delta: Value, finish: Value) -> String {
    event(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), Value::Null)
}

/// An answer as a stream.
pub(crate) fn stream() -> Stream {
    let letters: Vec<char> = SAID.chars().collect();
    let pieces: Vec<String> = (0..CHUNKS)
        .map(|piece| {
            let (from, to) = (piece * letters.len() / CHUNKS, (piece + 1) * letters.len() / CHUNKS);
            delta(json!({ "content": letters[from..to].iter().collect::<String>() }), Value::Null)
        })
        .collect();
    let end = [delta(json!({}), "stop".into()), event(json!([]), usage()), "data: [DONE]\n\n".into()].concat();
    Stream {
        opening: delta(json!({"role": "assistant", "content": ""}), Value::Null).into(),
        first: pieces[0].clone().into(),
        middle: pieces[1..].concat().into(),
        last: end.into(),
    }
}
