//! What is tried with any bytes: one function a target, which panics where a promise is broken.
//!
//! The fuzzer (`fuzz/`) and the tests (`tests/it/fuzz.rs`) run the same functions, and the same corpus.

use std::path::Path;
use std::sync::OnceLock;

use ceiling::gate::baseline::Baseline;
use ceiling::prompt::template::{Documents, Shared, Template};
use ceiling::provider::load::Providers;
use ceiling::provider::{Dialect, WireKind};
use ceiling::replay::{Recording, RecordingError};
use ceiling::score::answer::{self, Validity};
use ceiling::suite::load::{LoadOptions, load};
use ceiling::suite::schema::OutputSchema;
use ceiling::suite::{ParseMode, check};
use ceiling::trial::Received;
use ceiling::wire::batch::{BatchDraft, batch_wire};
use ceiling::wire::{Framing, Route, embeddings, fit, read, wire};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

/// A target by its name.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All targets; each has a folder of the corpus.
pub(crate) const TARGETS: &[Target] = &[
    ("sse", sse),
    ("event_stream", event_stream),
    ("wire_openai_chat", wire_openai_chat),
    ("wire_openai_responses", wire_openai_responses),
    ("wire_anthropic", wire_anthropic),
    ("wire_gemini", wire_gemini),
    ("wire_bedrock", wire_bedrock),
    ("embeddings", embeddings),
    ("answer", answer),
    ("schema", schema),
    ("suite", suite),
    ("recording", recording),
    ("baseline", baseline),
];

/// Stands between the parts of an input that is several files.
pub(crate) const PART: &[u8] = b"\n=====\n";

/// The parts of an input, the last one with all that is left.
fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut parts = [&b""[..]; N];
    let mut rest = data;
    for (place, part) in parts.iter_mut().enumerate() {
        match rest.windows(PART.len()).position(|window| window == PART).filter(|_| place + 1 < N) {
            Some(at) => (*part, rest) = (&rest[..at], &rest[at + PART.len()..]),
            None => (*part, rest) = (rest, &[]),
        }
    }
    parts
}

/// Any split of the bytes gives the same events, and no more than was given.
fn frames(framing: Framing, data: &[u8]) {
    let events = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut decoder, mut events) = (framing.decoder(), Vec::new());
        pieces.for_each(|piece| decoder.feed(piece, &mut |event| events.push(event.to_owned())));
        events
    };
    let whole = events(&mut std::iter::once(data));
    let size = 1 + data.first().map_or(0, |byte| usize::from(*byte) % 7);
    assert_eq!(whole, events(&mut data.chunks(size)), "pieces of {size}");
    // A byte that is no UTF-8 becomes three; a message that is none becomes one event that says so.
    let kept: usize = whole.iter().map(String::len).sum();
    assert!(kept <= 4 * data.len() + 200, "{kept} bytes of {}", data.len());
}

/// Server-sent events.
pub(crate) fn sse(data: &[u8]) {
    frames(Framing::Sse, data);
}

/// AWS's binary messages.
pub(crate) fn event_stream(data: &[u8]) {
    frames(Framing::EventStream, data);
}

/// An answer of this wire: whole, streamed, with an error status, and of its batch API.
fn decode(kind: WireKind, data: &[u8]) {
    let status = 100 + u16::from(data.first().copied().unwrap_or(0)) * 3;
    for (status, streamed) in [(200, false), (200, true), (status, false)] {
        let received = Received::Answer { status, body: data.to_vec(), streamed };
        let reading = read(kind, &received);
        assert_eq!(reading, read(kind, &received), "a stored answer reads the same");
        if let Some(said) = reading.outcome.completion() {
            // A number, written out, is longer than its shortest spelling.
            assert!(said.text.len() + said.reasoning.len() <= 400 * data.len() + 2);
        }
    }
    let mut headers = HeaderMap::new();
    let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if let Ok(value) = HeaderValue::from_bytes(line) {
        for name in ["retry-after", "retry-after-ms", "date", "x-should-retry", "x-amzn-errortype"] {
            headers.insert(name, value.clone());
        }
    }
    let failure = wire(kind).classify(status, &headers, data);
    assert!(failure.message.chars().count() <= 400, "{}", failure.message);
    assert!(!failure.message.chars().any(|character| character.is_control()), "{:?}", failure.message);
    let dialect = if kind == WireKind::OpenaiChat { Dialect::Openai } else { Dialect::Plain };
    if let Some(batch) = batch_wire(kind, dialect) {
        let route = Route::fixed("/models/m:generateContent");
        let draft = BatchDraft { tag: "t", route: &route, lines: &[] };
        let _ = batch.submitted(&draft, 0, data);
        let _ = batch.submitted(&draft, 1, data);
        let _ = batch.state(&route, data);
        let _ = batch.leftovers(&route, data);
        let _ = batch.listed(data);
        let results = batch.results(data);
        assert!(results.lines.len() <= data.len());
    }
}

/// The chat wire.
pub(crate) fn wire_openai_chat(data: &[u8]) {
    decode(WireKind::OpenaiChat, data);
}

/// The Responses wire.
pub(crate) fn wire_openai_responses(data: &[u8]) {
    decode(WireKind::OpenaiResponses, data);
}

/// Anthropic's wire.
pub(crate) fn wire_anthropic(data: &[u8]) {
    decode(WireKind::Anthropic, data);
}

/// Gemini's wire.
pub(crate) fn wire_gemini(data: &[u8]) {
    decode(WireKind::Gemini, data);
}

/// Bedrock's wire.
pub(crate) fn wire_bedrock(data: &[u8]) {
    decode(WireKind::Bedrock, data);
}

/// Vectors.
pub(crate) fn embeddings(data: &[u8]) {
    let _ = embeddings::decode(data, usize::from(data.len().is_multiple_of(2)) + 1);
}

/// A completion's text in all modes: strict takes JSON alone, and whatever strict takes the others take.
pub(crate) fn answer(data: &[u8]) {
    static SCHEMAS: OnceLock<Vec<OutputSchema>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| {
        let schemas = [
            "true",
            "{\"type\": \"number\"}",
            "{\"type\": \"object\", \"properties\": {\"code\": {\"enum\": [\"A\"]}}, \"required\": [\"code\"]}",
        ];
        schemas.iter().filter_map(|text| OutputSchema::compile(serde_json::from_str(text).ok()?).ok()).collect()
    });
    let text = String::from_utf8_lossy(data);
    for schema in schemas {
        let read = |mode| answer::parse(&text, mode, Some(schema), true);
        let [strict, fenced, lenient] = [ParseMode::Strict, ParseMode::Fenced, ParseMode::Lenient].map(read);
        let json = serde_json::from_str::<Value>(text.trim()).ok();
        assert_eq!(strict.value, json, "strict is JSON, whole");
        if strict.value.is_some() {
            assert_eq!(strict, fenced);
        }
        if strict.value.as_ref().is_some_and(|value| value.is_object() || value.is_array()) {
            assert_eq!(strict, lenient);
        }
        for answer in [&strict, &fenced, &lenient] {
            match &answer.validity {
                Validity::NotJson { offset, .. } => assert!(*offset <= text.len() && answer.value.is_none()),
                Validity::Valid => assert!(answer.value.is_some()),
                Validity::Invalid(violation) => assert!(violation.message.chars().count() <= 201),
            }
            assert_eq!(answer.validity.is_valid(), answer.validity.fault().is_none());
        }
    }
}

/// A schema and an answer: what compiles judges, and goes to every provider.
pub(crate) fn schema(data: &[u8]) {
    let [document, value] = parts(data);
    let (Ok(document), Ok(value)) = (serde_json::from_slice::<Value>(document), serde_json::from_slice(value)) else {
        return;
    };
    let Ok(schema) = OutputSchema::compile(document) else { return };
    assert_eq!(schema.accepts(&value), schema.first_violation(&value).is_none());
    let _ = schema.enum_at("/code");
    for profile in
        [fit::Profile::OpenaiStrict, fit::Profile::OpenaiTuned, fit::Profile::Anthropic, fit::Profile::Gemini]
    {
        let fitted = fit::fit(schema.document(), profile);
        let _ = fit::absent_nulls(schema.document(), value.clone());
        assert!(fitted.unsupported.is_some() || fitted.schema.is_object() || fitted.schema.is_boolean());
    }
}

/// The files of a suite: suite.toml, schema, prompt, examples as JSON Lines, examples as CSV.
pub(crate) fn suite(data: &[u8]) {
    static PROVIDERS: OnceLock<Providers> = OnceLock::new();
    let providers = PROVIDERS.get_or_init(|| ceiling::provider::load::load(&[]).unwrap_or_default());
    let Ok(folder) = tempfile::tempdir() else { return };
    let [toml, schema, prompt, lines, csv] = parts(data);
    let files =
        [("suite.toml", toml), ("schema.json", schema), ("v1.md.j2", prompt), ("test.jsonl", lines), ("test.csv", csv)];
    for (name, text) in files {
        write(&folder.path().join(name), text);
    }
    match load(folder.path(), providers, &LoadOptions::default()) {
        Err(faults) => assert!(faults.errors() > 0, "what does not load has a fault"),
        Ok(loaded) => {
            let _ = check::check(&loaded.suite, None);
            let inputs: Vec<Value> =
                loaded.suite.examples.read().flatten().take(3).map(|row| row.example.input).collect();
            for prompt in &loaded.suite.prompts {
                render(&prompt.system, &inputs, &loaded.suite.labels);
                render(&prompt.user, &inputs, &loaded.suite.labels);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the files that are loaded must lie somewhere")]
fn write(path: &Path, text: &[u8]) {
    let _ = std::fs::write(path, text);
}

fn render(source: &str, inputs: &[Value], labels: &[String]) {
    let Ok(template) = Template::compile(source) else { return };
    let _ = template.depends_on_input();
    for input in inputs {
        let _ = template.render(input, &Shared::new(None, labels), &Documents::none());
    }
}

/// A recording: every line that it indexes has its place in messages, and what it finds reads.
pub(crate) fn recording(data: &[u8]) {
    match Recording::read(data, "recording.jsonl") {
        Err(RecordingError::Line { line, .. }) => assert!(line >= 1 && line <= data.len() as u64 + 1),
        Err(RecordingError::Io { .. }) => {}
        Ok(recording) => {
            assert!(recording.len() <= data.len());
            for line in data.split(|byte| *byte == b'\n').skip(1) {
                let Ok(line) = serde_json::from_slice::<ceiling::replay::Entry>(line) else { continue };
                assert!(recording.knows(line.wire, &line.request_hash, line.repeat));
                let found = recording.find(line.wire, &line.request_hash, line.repeat);
                found.iter().flat_map(|entry| entry.events().collect::<Vec<_>>()).for_each(drop);
            }
        }
    }
}

/// A baseline: what is written again reads the same.
pub(crate) fn baseline(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(read) = Baseline::parse(&text) else { return };
    let written = read.render();
    assert_eq!(Baseline::parse(&written).as_ref(), Ok(&read), "{written}");
    for variant in read.variants.keys() {
        let side = read.side(variant);
        assert!(side.is_some_and(|side| side.examples.len() <= read.examples.len()));
    }
    let _ = read.texts();
}
