//! The chat wire against the shared fixtures: requests that the official schema accepts, streams,
//! answers and errors read as `expected.json` says.

use std::path::{Path, PathBuf};

use ceiling::exchange::{Message, NamedSchema, Outcome, OutputMode, Request, Retry, Role, Stop, Usage};
use ceiling::provider::WireKind;
use ceiling::trial::Received;
use ceiling::wire::sse::SseDecoder;
use ceiling::wire::{self, Reading, classify};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The shared fixtures, or a line that says what is skipped without them.
#[expect(clippy::print_stdout, reason = "what a test skips must be seen")]
fn fixtures(what: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("CEILING_SHARED").map_or(beside, PathBuf::from);
    let folder = shared.join("fixtures");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {what}: there is no {} (set CEILING_SHARED)", folder.display());
    None
}

/// The chat fixtures whose name starts and ends so.
fn files(fixtures: &Path, start: &str, end: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["openai_chat", "openai_compatible"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(fixtures.join("providers").join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(start) && name.ends_with(end)
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no {start}*{end}");
    found
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn request(output: OutputMode, stream: bool) -> Request {
    let message = |role, content: &str| Message { role, content: content.into() };
    Request {
        model: "gpt-6-luna".into(),
        messages: vec![
            message(Role::System, "Sort tickets."),
            message(Role::User, "A shot"),
            message(Role::Assistant, "{\"category\":\"billing\"}"),
            message(Role::User, "Where is my invoice?"),
        ],
        params: json!({"temperature": 0, "seed": 1, "max_completion_tokens": 64}).as_object().unwrap().clone(),
        output,
        stream,
    }
}

#[test]
fn every_request_is_one_that_the_official_schema_accepts() {
    let Some(fixtures) = fixtures("requests against the official schema") else { return };
    let schema = json_of(&fixtures.join("openapi/openai.chat_completions.schema.json"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(!validator.is_valid(&json!({"model": "m"})), "the schema must refuse something");
    let named = || NamedSchema {
        name: "answer".into(),
        schema: json!({"type": "object", "properties": {"category": {"enum": ["billing"]}}, "required": ["category"],
                       "additionalProperties": false}),
    };
    let modes = [OutputMode::Text, OutputMode::JsonObject, OutputMode::JsonSchema(named()), OutputMode::Tool(named())];
    for mode in modes {
        for stream in [false, true] {
            let http = wire::wire(WireKind::OpenaiChat).encode(&request(mode.clone(), stream), &serde_json::Map::new());
            let body: Value = serde_json::from_slice(&http.body).unwrap();
            let faults: Vec<String> =
                validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(faults.is_empty(), "{mode:?}, stream {stream}: {faults:#?}\n{body:#}");
        }
    }
    for path in
        files(&fixtures, "request_", ".json").iter().filter(|path| path.to_string_lossy().contains("openai_chat"))
    {
        assert!(validator.is_valid(&json_of(path)), "{} against its own schema", path.display());
    }
}

/// Reads a stream given in pieces, as the transport does.
fn read_in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Reading {
    let mut events = SseDecoder::default();
    let mut decoder = wire::wire(WireKind::OpenaiChat).stream();
    for piece in pieces {
        events.feed(piece, &mut |data| decoder.event(data));
    }
    decoder.finish()
}

#[test]
fn streams_say_what_is_expected_of_them() {
    let Some(fixtures) = fixtures("recorded streams") else { return };
    for path in files(&fixtures, "stream_", ".sse") {
        let bytes = std::fs::read(&path).unwrap();
        let expected = json_of(&path.with_extension("expected.json"));
        let whole = read_in_pieces([bytes.as_slice()]);
        compare(&path, &whole, &expected);
        for cut in 0..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(read_in_pieces([left, right]), whole, "{} cut at byte {cut}", path.display());
        }
        let received = Received::Answer { status: 200, body: bytes, streamed: true };
        assert_eq!(wire::read(WireKind::OpenaiChat, &received), whole, "{}: a stored answer", path.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_split_of_a_stream_says_the_same(
        place in 0..usize::MAX,
        cuts in prop::collection::vec(0.0..1.0_f64, 0..12),
    ) {
        if let Some(fixtures) = fixtures("splits of recorded streams") {
            let paths = files(&fixtures, "stream_", ".sse");
            let bytes = std::fs::read(&paths[place % paths.len()]).unwrap();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * bytes.len() as f64) as usize).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            prop_assert_eq!(read_in_pieces(pieces), read_in_pieces([bytes.as_slice()]));
        }
    }
}

fn compare(path: &Path, reading: &Reading, expected: &Value) {
    let name = path.display();
    let index = |key: &str| expected[key].as_u64().map(|index| index as usize);
    assert_eq!(reading.first_output_event, index("first_output_event"), "{name}: first output");
    let visible = index("first_visible_event").or(index("first_output_event"));
    assert_eq!(reading.first_visible_event, visible, "{name}: first visible output");
    let Some(completion) = reading.outcome.completion() else {
        assert_eq!(expected["complete"], false, "{name}: {:?}", reading.outcome);
        return;
    };
    assert_eq!(expected["complete"], true, "{name}: a failure was taken for an answer");
    match expected["tool_calls"].as_array().and_then(|calls| calls.first()) {
        Some(call) => {
            assert!(completion.from_tool, "{name}");
            let arguments: Value = serde_json::from_str(&completion.text).unwrap();
            assert_eq!(arguments, call["arguments"], "{name}");
        }
        None => assert_eq!(completion.text, expected["text"].as_str().unwrap(), "{name}"),
    }
    let ends_as = match (expected.get("refusal"), expected["stop"].as_str()) {
        (Some(_), _) | (_, Some("content_filter")) => "refused",
        (_, Some("length")) => "truncated",
        _ => "answered",
    };
    assert_eq!(reading.outcome.as_str(), ends_as, "{name}");
    compare_usage(&name.to_string(), &completion.usage, &expected["usage"]);
}

/// Every number equal; a count that the server did not report is unknown here and 0 in the fixture.
fn compare_usage(name: &str, usage: &Usage, expected: &Value) {
    if expected.is_null() {
        assert_eq!(*usage, Usage::default(), "{name}: usage that never came is unknown");
        return;
    }
    for (ours, key) in [
        (usage.input_uncached_tokens, "input_uncached"),
        (usage.cache_read_tokens, "cache_read"),
        (usage.cache_write_5m_tokens, "cache_write_5m"),
        (usage.cache_write_1h_tokens, "cache_write_1h"),
        (usage.output_tokens, "output_total"),
        (usage.reasoning_tokens, "reasoning"),
    ] {
        let optional = !matches!(key, "input_uncached" | "output_total") && expected[key] == 0;
        assert!(ours == expected[key].as_u64() || (optional && ours.is_none()), "{name}: {key} is {ours:?}");
    }
}

#[test]
fn whole_answers_are_read() {
    let Some(fixtures) = fixtures("whole answers") else { return };
    for path in files(&fixtures, "response_", ".json") {
        let name = path.display();
        let body = json_of(&path);
        let outcome = wire::wire(WireKind::OpenaiChat).decode(&std::fs::read(&path).unwrap());
        let completion = outcome.completion().unwrap_or_else(|| panic!("{name}: {outcome:?}"));
        let choice = &body["choices"][0];
        let stop = match choice["finish_reason"].as_str() {
            _ if choice["message"]["refusal"].is_string() => Stop::Refusal,
            Some("content_filter") => Stop::Refusal,
            Some("length") => Stop::Length,
            Some("tool_calls") => Stop::ToolCall,
            _ => Stop::End,
        };
        assert_eq!(completion.stop, stop, "{name}");
        match choice.pointer("/message/tool_calls/0/function/arguments") {
            Some(arguments) => assert_eq!(completion.text, arguments.as_str().unwrap(), "{name}"),
            None => assert_eq!(completion.text, choice["message"]["content"].as_str().unwrap_or_default(), "{name}"),
        }
        assert_eq!(completion.served_model.as_deref(), body["model"].as_str(), "{name}");
        let usage = &completion.usage;
        let prompt = [usage.input_uncached_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens];
        assert_eq!(prompt.iter().flatten().sum::<u64>(), body["usage"]["prompt_tokens"], "{name}");
        assert_eq!(usage.output_tokens, body["usage"]["completion_tokens"].as_u64(), "{name}");
        let cached = body.pointer("/usage/prompt_tokens_details/cached_tokens").and_then(Value::as_u64);
        assert_eq!(usage.cache_read_tokens, cached, "{name}");
    }
}

#[test]
fn errors_are_asked_again_only_where_that_can_help() {
    let Some(fixtures) = fixtures("error answers") else { return };
    for path in files(&fixtures, "error_", ".http.json") {
        let fixture = json_of(&path);
        let body = fixture["body"].as_str().map_or_else(|| fixture["body"].to_string(), str::to_owned);
        let headers: HeaderMap = fixture["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
                (HeaderName::try_from(name.as_str()).unwrap(), value)
            })
            .collect();
        let status = u16::try_from(fixture["status"].as_u64().unwrap()).unwrap();
        let failure = classify::classify(status, &headers, body.as_bytes());
        assert_eq!(failure.retry != Retry::No, fixture["expect"]["retry"], "{}: {failure:?}", path.display());
        assert!(!failure.message.is_empty(), "{}", path.display());
        let received = Received::Answer { status, body: body.into_bytes(), streamed: false };
        assert!(matches!(wire::read(WireKind::OpenaiChat, &received).outcome, Outcome::Failed(_)));
    }
}
