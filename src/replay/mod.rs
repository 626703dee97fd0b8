//! Recordings: real answers kept for replay, looked up by what was asked (DESIGN.md 4, 13.4).
//!
//! A recording is a JSON Lines file: a header line, then one line an answer. On the chat wire, what
//! all chunks of a stream share stands once, in `envelope`, and a chunk that only carries text is
//! that text; on the other wires chunks stand as they came.

mod event_stream;
mod framing;
mod join;
pub mod server;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::path::Path;

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::exchange::Usage;
use crate::provider::WireKind;
use crate::wire;

/// The format version that this program writes and reads.
const FORMAT: u32 = 1;

/// Most bytes of a line: the body of an answer is bounded, too.
const LONGEST_LINE: u64 = 256 * 1024 * 1024;

/// The first line of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The format's version.
    pub recording: u32,
    /// The suite that was recorded.
    pub suite: String,
    /// Whether the recorded times may be compared between variants and with a target.
    pub latency: LatencyClaim,
    /// On what it was recorded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub setting: String,
}

/// What a recording's times are good for (DESIGN.md 13.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatencyClaim {
    /// Real times of a real server, but on a busy machine or under changing load.
    Indicative,
    /// Measured with care: they may be compared.
    Comparable,
}

/// One recorded answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The wire on which it was asked and answered; the chat wire where the line says nothing.
    #[serde(default = "chat", skip_serializing_if = "is_chat")]
    pub wire: WireKind,
    /// Digest of what was asked, as the wire makes it.
    pub request_hash: Digest,
    /// The example it answered, for messages.
    pub example: String,
    /// The variant it answered, for messages.
    pub variant: String,
    /// Which repeat.
    #[serde(default)]
    pub repeat: u32,
    /// The HTTP status.
    pub status: u16,
    /// What all chunks of the stream share.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub envelope: Map<String, Value>,
    /// The stream's data events with their times in milliseconds; `[DONE]` is not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<(f64, Value)>,
    /// The body of an answer that was not streamed; a text is sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
    /// When the answer was whole, in milliseconds.
    pub total_ms: f64,
    /// Tokens in the normal form, for readers of the file; the server replays the chunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// Why a recording cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read or written.
    #[error("failed to use the recording `{path}`: {error}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// A line is not what the format says.
    #[error("`{path}`, line {line}: {message}")]
    Line {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
}

/// A recording in memory, as its lines; an entry is read when it is asked for.
#[derive(Debug)]
pub struct Recording {
    header: Header,
    digest: Digest,
    lines: Vec<Box<str>>,
    places: HashMap<(WireKind, Digest, u32), u32>,
}

#[derive(Deserialize)]
struct Key<'a> {
    #[serde(default = "chat")]
    wire: WireKind,
    request_hash: Digest,
    #[serde(default)]
    repeat: u32,
    #[serde(borrow, rename = "chunks")]
    _chunks: Option<&'a RawValue>,
}

/// What a recording says of itself; its answers are not read.
///
/// # Errors
/// A file that cannot be read, a header of another version.
pub fn header(path: &Path) -> Result<Header, RecordingError> {
    Lines::open(path)?.header().map(|(header, _)| header)
}

/// The lines of a recording.
struct Lines<R> {
    reader: R,
    number: u64,
    /// What the file is called in messages.
    shown: String,
}

impl Lines<BufReader<File>> {
    fn open(path: &Path) -> Result<Self, RecordingError> {
        let shown = path.display().to_string();
        #[expect(clippy::disallowed_methods, reason = "this is the door through which recordings are read")]
        let opened = File::open(path);
        match opened {
            Ok(file) => Ok(Self { reader: BufReader::new(file), number: 0, shown }),
            Err(error) => Err(RecordingError::Io { path: shown, error }),
        }
    }
}

impl<R: BufRead> Lines<R> {
    fn fault(&self, message: String) -> RecordingError {
        RecordingError::Line { path: self.shown.clone(), line: self.number, message }
    }

    /// The next line; `None` at the end.
    fn next(&mut self) -> Result<Option<String>, RecordingError> {
        let mut line = Vec::new();
        let io = |error| RecordingError::Io { path: self.shown.clone(), error };
        let read = (&mut self.reader).take(LONGEST_LINE + 1).read_until(b'\n', &mut line).map_err(io)?;
        self.number += 1;
        if read as u64 > LONGEST_LINE {
            return Err(self.fault(format!("the line is longer than {} MiB", LONGEST_LINE / 1024 / 1024)));
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            line.pop_if(|last| *last == b'\r');
        }
        let text = String::from_utf8(line).map_err(|_| self.fault("the line is not UTF-8".to_owned()))?;
        Ok((read > 0).then_some(text))
    }

    /// The header, and its line as it stands.
    fn header(&mut self) -> Result<(Header, String), RecordingError> {
        let first = self.next()?.unwrap_or_default();
        let header: Header = serde_json::from_str(&first)
            .map_err(|error| self.fault(format!("the first line is not a recording's header: {error}")))?;
        if header.recording != FORMAT {
            let found = header.recording;
            return Err(self.fault(format!("format {found} is not known to this version, which reads {FORMAT}")));
        }
        Ok((header, first))
    }
}

impl Recording {
    /// Reads a recording's lines and indexes them.
    ///
    /// # Errors
    /// A file that cannot be read, a header of another version, a line that is no entry.
    pub fn load(path: &Path) -> Result<Self, RecordingError> {
        Self::index(Lines::open(path)?)
    }

    /// The same of what is not in a file; `name` stands for it in messages.
    ///
    /// # Errors
    /// Those of [`Recording::load`].
    pub fn read(reader: impl BufRead, name: &str) -> Result<Self, RecordingError> {
        Self::index(Lines { reader, number: 0, shown: name.to_owned() })
    }

    fn index(mut lines: Lines<impl BufRead>) -> Result<Self, RecordingError> {
        let (header, first) = lines.header()?;
        let mut recording =
            Self { header, digest: Digest::of(first.as_bytes()), lines: Vec::new(), places: HashMap::new() };
        while let Some(line) = lines.next()? {
            if line.trim().is_empty() {
                continue;
            }
            let key: Key<'_> = serde_json::from_str(&line).map_err(|error| lines.fault(error.to_string()))?;
            recording.places.entry((key.wire, key.request_hash, key.repeat)).or_insert(recording.lines.len() as u32);
            recording.digest = Digest::of_parts([recording.digest.as_bytes().as_slice(), line.as_bytes()]);
            recording.lines.push(line.into_boxed_str());
        }
        Ok(recording)
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Digest of everything recorded: another recording gives other answers.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Recorded answers.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether this repeat of a request is recorded. Requests of two wires can be equal byte for
    /// byte, so the wire is part of the question.
    pub fn knows(&self, wire: WireKind, request: &Digest, repeat: u32) -> bool {
        self.places.contains_key(&(wire, *request, repeat))
    }

    /// The recorded answer to a request.
    pub fn find(&self, wire: WireKind, request: &Digest, repeat: u32) -> Option<Entry> {
        let line = *self.places.get(&(wire, *request, repeat))?;
        serde_json::from_str(self.lines.get(line as usize)?).ok()
    }
}

/// A request as the server received it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The wire that its path names.
    pub wire: WireKind,
    /// The path below the wire's base address.
    pub path: &'a str,
    /// The body.
    pub body: &'a Map<String, Value>,
    /// Which repeat is asked for.
    pub repeat: u32,
}

/// An answer as a library gives it.
#[derive(Debug, Clone)]
pub struct Reply {
    /// What is answered.
    pub entry: Entry,
    /// Headers beside those that the server sets itself.
    pub headers: HeaderMap,
}

/// What the server answers from: a recording, or something that stands in for one.
pub trait Library: Send + Sync {
    /// The answer to a request; `None` where there is none.
    fn look_up(&self, asked: &Asked<'_>) -> Option<Reply>;
}

impl Library for Recording {
    /// By the digest of what is asked and the repeat, never by the example.
    fn look_up(&self, asked: &Asked<'_>) -> Option<Reply> {
        let digest = wire::wire(asked.wire).digest(asked.path, asked.body);
        let entry = self.find(asked.wire, &digest, asked.repeat)?;
        Some(Reply { entry, headers: HeaderMap::new() })
    }
}

/// The wire of a line that names none.
fn chat() -> WireKind {
    WireKind::OpenaiChat
}

fn is_chat(wire: &WireKind) -> bool {
    *wire == WireKind::OpenaiChat
}

impl Entry {
    /// The stream's data events whole, with their times.
    pub fn events(&self) -> impl Iterator<Item = (f64, Value)> + '_ {
        self.chunks.iter().map(|(ms, chunk)| {
            let mut event = match chunk {
                Value::String(text) if is_chat(&self.wire) => text_chunk(text),
                Value::Object(fields) => fields.clone(),
                other => return (*ms, other.clone()),
            };
            for (key, value) in &self.envelope {
                event.insert(key.clone(), value.clone());
            }
            (*ms, Value::Object(event))
        })
    }

    /// An entry from a stream's data events, `[DONE]` left out, and their times.
    ///
    /// Only the chat wire has short forms. A server that stamps each chunk with the second of its making would make every chunk an
    /// object: the first stamp stands for all, since the times are kept beside the chunks.
    pub fn from_events(mut entry: Entry, events: &[(f64, Value)]) -> Entry {
        let objects: Vec<&Map<String, Value>> = events.iter().filter_map(|(_, event)| event.as_object()).collect();
        if !is_chat(&entry.wire) {
            entry.chunks = events.iter().map(|(ms, event)| (round_ms(*ms), event.clone())).collect();
            return entry;
        }
        if let Some(first) = objects.first().filter(|_| objects.len() == events.len()) {
            let shared = first.iter().filter(|(key, value)| {
                let same = |other: &&Map<String, Value>| match key.as_str() {
                    "created" => other.contains_key("created"),
                    name => other.get(name) == Some(value),
                };
                key.as_str() != "choices" && objects.iter().all(same)
            });
            entry.envelope = shared.map(|(key, value)| (key.clone(), value.clone())).collect();
        }
        entry.chunks = events.iter().map(|(ms, event)| (round_ms(*ms), short(event, &entry.envelope))).collect();
        entry
    }
}

/// The chunk that carries text and nothing else.
fn text_chunk(text: &str) -> Map<String, Value> {
    let choice = json!([{"finish_reason": null, "index": 0, "delta": {"content": text}}]);
    Map::from_iter([("choices".to_owned(), choice)])
}

/// An event without what the envelope holds; its text where it is nothing else.
fn short(event: &Value, envelope: &Map<String, Value>) -> Value {
    let Value::Object(fields) = event else { return event.clone() };
    let rest: Map<String, Value> = fields
        .iter()
        .filter(|(key, _)| !envelope.contains_key(*key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let text = event.pointer("/choices/0/delta/content").and_then(Value::as_str);
    match text {
        Some(text) if Value::Object(text_chunk(text)) == Value::Object(rest.clone()) => text.into(),
        _ => Value::Object(rest),
    }
}

/// A tenth of a millisecond is finer than any of these clocks deserve.
pub fn round_ms(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

/// Writes a recording.
///
/// # Errors
/// What the system says.
pub fn write(to: &mut dyn Write, header: &Header, entries: &mut dyn Iterator<Item = Entry>) -> io::Result<u64> {
    to.write_all(line(header).as_bytes())?;
    let mut written = 0;
    for entry in entries {
        to.write_all(line(&entry).as_bytes())?;
        written += 1;
    }
    Ok(written)
}

/// A value as one line of JSON; these types have no maps whose keys are not text.
fn line<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).map(|line| line + "\n").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_on_two_wires_is_two_requests() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recording.jsonl");
        let hash = Digest::of(b"r");
        let line = |wire: &str, status: u16| {
            format!(
                "{{{wire}\"request_hash\":\"{hash}\",\"example\":\"e\",\"variant\":\"v\",\"status\":{status},\"total_ms\":1}}\n"
            )
        };
        let head = "{\"recording\":1,\"suite\":\"s\",\"latency\":\"indicative\"}\n";
        std::fs::write(&path, head.to_owned() + &line("", 200) + &line("\"wire\":\"anthropic\",", 201)).unwrap();
        let recording = Recording::load(&path).unwrap();
        let status = |wire| recording.find(wire, &hash, 0).map(|entry| entry.status);
        assert_eq!(status(WireKind::OpenaiChat), Some(200), "a line that names no wire is of the chat wire");
        assert_eq!(status(WireKind::Anthropic), Some(201));
        assert!(!recording.knows(WireKind::Gemini, &hash, 0));
    }

    #[test]
    fn a_stream_comes_back_as_it_was() {
        let event = |choices: Value| json!({"choices": choices, "id": "c1", "model": "m"});
        let events = vec![
            (1.0, event(json!([{"finish_reason": null, "index": 0, "delta": {"role": "assistant", "content": null}}]))),
            (2.04, event(json!([{"finish_reason": null, "index": 0, "delta": {"content": "hi"}}]))),
            (3.0, json!({"choices": [], "id": "c1", "model": "m", "usage": {"prompt_tokens": 3}})),
        ];
        let bare = Entry {
            wire: WireKind::OpenaiChat,
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
        let entry = Entry::from_events(bare, &events);
        assert_eq!(entry.chunks[1], (2.0, json!("hi")));
        assert_eq!(entry.envelope, *json!({"id": "c1", "model": "m"}).as_object().unwrap());
        let back: Vec<Value> = entry.events().map(|(_, event)| event).collect();
        let sent: Vec<Value> = events.into_iter().map(|(_, event)| event).collect();
        assert_eq!(back, sent);
    }
}
