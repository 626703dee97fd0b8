//! Every wire against the shared fixtures: requests that the official schema accepts, streams,
//! answers and errors read as `expected.json` says. One file a wire says what is its own.

/// The tests that every wire with fixtures passes: its streams as expected, at any split of their
/// bytes, and its whole answers, which `check` holds against their bodies.
macro_rules! reads_its_fixtures {
    ($contract:expr, $check:path) => {
        #[test]
        fn streams_say_what_is_expected_of_them() {
            $contract.streams_are_read();
        }

        proptest::proptest! {
            #![proptest_config(proptest::test_runner::Config { cases: 64, ..Default::default() })]
            #[test]
            fn any_split_of_a_stream_says_the_same(
                place in 0..usize::MAX,
                cuts in proptest::collection::vec(0.0..1.0_f64, 0..12),
            ) {
                $contract.any_split_says_the_same(place, &cuts)?;
            }
        }

        #[test]
        fn whole_answers_are_read() {
            $contract.answers_are_read(&|name, outcome, body| $check(name, outcome, body));
        }
    };
}

mod anthropic;
mod batch;
mod bedrock;
mod conversation;
mod gemini;
mod openai_chat;
mod openai_responses;

use std::path::{Path, PathBuf};

use ceiling::exchange::{
    CacheAsk, CacheLifetime, FailureKind, Message, NamedSchema, Outcome, OutputMode, Request, Retry, Role, Usage,
};
use ceiling::provider::{Target, WireKind};
use ceiling::trial::Received;
use ceiling::wire::{self, Reading};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A wire and where its fixtures lie.
pub(crate) struct Contract {
    pub(crate) wire: WireKind,
    /// Folders under `providers/`.
    pub(crate) folders: &'static [&'static str],
}

/// The shared fixtures, or a line that says what is skipped without them.
#[expect(clippy::print_stdout, reason = "what a test skips must be seen")]
pub(crate) fn fixtures(what: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("CEILING_SHARED").map_or(beside, PathBuf::from);
    let folder = shared.join("fixtures");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {what}: there is no {} (set CEILING_SHARED)", folder.display());
    None
}

pub(crate) fn json_of(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A conversation with one shot; its system part and its shot are the same for every example.
pub(crate) fn request(output: OutputMode, stream: bool, params: &Value) -> Request {
    let message = |role, content: &str| Message { role, content: content.into() };
    Request {
        model: "gpt-6-luna".into(),
        messages: vec![
            message(Role::System, "Sort tickets."),
            message(Role::User, "A shot"),
            message(Role::Assistant, "{\"category\":\"billing\"}"),
            message(Role::User, "Where is my invoice?"),
        ],
        stable_messages: 3,
        cache: None,
        params: params.as_object().unwrap().clone(),
        output,
        stream,
    }
}

/// Every way of asking for a shape.
pub(crate) fn modes() -> [OutputMode; 4] {
    let named = || NamedSchema {
        name: "answer".into(),
        schema: json!({"type": "object", "properties": {"category": {"enum": ["billing"]}}, "required": ["category"],
                       "additionalProperties": false}),
    };
    [OutputMode::Text, OutputMode::JsonObject, OutputMode::JsonSchema(named()), OutputMode::Tool(named())]
}

/// Every way of asking for the prompt cache.
pub(crate) fn caches() -> [Option<CacheAsk>; 4] {
    let ask = |lifetime, explicit| Some(CacheAsk { lifetime, explicit, key: "ceiling-1".into(), stored: None });
    [
        None,
        ask(CacheLifetime::FiveMinutes, false),
        ask(CacheLifetime::Hour, false),
        ask(CacheLifetime::FiveMinutes, true),
    ]
}

impl Contract {
    /// The fixtures of this wire whose name starts and ends so.
    pub(crate) fn files(&self, fixtures: &Path, start: &str, end: &str) -> Vec<PathBuf> {
        let folders = self.folders.iter().map(|folder| fixtures.join("providers").join(folder));
        let mut found: Vec<PathBuf> = folders
            .flat_map(|folder| std::fs::read_dir(folder).unwrap())
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

    /// Encodes every way of asking (shape, stream, cache) and holds each body against the official
    /// schema; `inspect` sees each body too.
    pub(crate) fn requests_are_valid(
        &self,
        schema: &str,
        target: &Target,
        params: &Value,
        inspect: &dyn Fn(&Request, &Value),
    ) {
        let Some(fixtures) = fixtures("requests against the official schema") else { return };
        let validator = jsonschema::validator_for(&json_of(&fixtures.join("openapi").join(schema))).unwrap();
        assert!(!validator.is_valid(&json!({"no-such-field": "m"})), "the schema must refuse something");
        for mode in modes() {
            for stream in [false, true] {
                for cache in caches() {
                    let request = Request { cache, ..request(mode.clone(), stream, params) };
                    let http = wire::wire(self.wire).encode(&request, target);
                    let body: Value = serde_json::from_slice(&http.body).unwrap();
                    let faults =
                        validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path()));
                    let faults: Vec<String> = faults.collect();
                    assert!(faults.is_empty(), "{request:?}: {faults:#?}\n{body:#}");
                    let fields = body.as_object().unwrap();
                    let received = wire::wire(self.wire).digest(&http.route.path, fields);
                    assert_eq!(received, http.digest, "what is received is what was asked: {body:#}");
                    let other_way = Request { stream: !stream, ..request.clone() };
                    let other_way = wire::wire(self.wire).encode(&other_way, target);
                    assert_eq!(other_way.digest, http.digest, "streamed or not, the same is asked: {body:#}");
                    inspect(&request, &body);
                }
            }
        }
    }

    /// Reads a stream given in pieces, as the transport does.
    pub(crate) fn read_in_pieces<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Reading {
        let mut events = wire::wire(self.wire).framing().decoder();
        let mut decoder = wire::wire(self.wire).stream();
        for piece in pieces {
            events.feed(piece, &mut |data| decoder.event(data));
        }
        decoder.finish()
    }

    /// Every stream says what is expected of it, cut at any byte.
    pub(crate) fn streams_are_read(&self) {
        let Some(fixtures) = fixtures("recorded streams") else { return };
        for path in self.files(&fixtures, "stream_", ".sse") {
            let bytes = std::fs::read(&path).unwrap();
            let expected = json_of(&path.with_extension("expected.json"));
            let whole = self.read_in_pieces([bytes.as_slice()]);
            compare(&path, &whole, &expected);
            for cut in 0..bytes.len() {
                let (left, right) = bytes.split_at(cut);
                assert_eq!(self.read_in_pieces([left, right]), whole, "{} cut at byte {cut}", path.display());
            }
            let received = Received::Answer { status: 200, body: bytes, streamed: true };
            assert_eq!(wire::read(self.wire, &received), whole, "{}: a stored answer", path.display());
        }
    }

    /// A stream in many pieces at once.
    pub(crate) fn any_split_says_the_same(&self, place: usize, cuts: &[f64]) -> Result<(), TestCaseError> {
        let Some(fixtures) = fixtures("splits of recorded streams") else { return Ok(()) };
        let paths = self.files(&fixtures, "stream_", ".sse");
        let bytes = std::fs::read(&paths[place % paths.len()]).unwrap();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * bytes.len() as f64) as usize).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(self.read_in_pieces(pieces), self.read_in_pieces([bytes.as_slice()]));
        Ok(())
    }

    /// Whole answers; `check` holds what was read against the fixture's body.
    pub(crate) fn answers_are_read(&self, check: &dyn Fn(&str, &Outcome, &Value)) {
        let Some(fixtures) = fixtures("whole answers") else { return };
        for path in self.files(&fixtures, "response_", ".json") {
            let outcome = wire::wire(self.wire).decode(&std::fs::read(&path).unwrap());
            check(path.file_name().unwrap().to_str().unwrap(), &outcome, &json_of(&path));
        }
    }

    /// Errors are asked again only where that can help.
    pub(crate) fn errors_are_classified(&self) {
        let Some(fixtures) = fixtures("error answers") else { return };
        for path in self.files(&fixtures, "error_", ".http.json") {
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
            let failure = wire::wire(self.wire).classify(status, &headers, body.as_bytes());
            assert_eq!(failure.retry != Retry::No, fixture["expect"]["retry"], "{}: {failure:?}", path.display());
            assert!(!failure.message.is_empty(), "{}", path.display());
            let received = Received::Answer { status, body: body.into_bytes(), streamed: false };
            assert!(matches!(wire::read(self.wire, &received).outcome, Outcome::Failed(_)));
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
        // An error that the stream tells of is not the same as a stream that just ends.
        let cut = reading.outcome.failure().is_some_and(|failure| failure.kind == FailureKind::Cut);
        assert_eq!(cut, expected.get("error").is_none(), "{name}: {:?}", reading.outcome);
        return;
    };
    if let Some(reasoning) = expected["reasoning_text"].as_str() {
        assert_eq!(completion.reasoning, reasoning, "{name}");
    }
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
        (Some(_), _) | (_, Some("content_filter" | "refusal" | "SAFETY" | "guardrail_intervened")) => "refused",
        (_, Some("length" | "max_tokens" | "MAX_TOKENS" | "max_output_tokens" | "incomplete")) => "truncated",
        _ => "answered",
    };
    assert_eq!(reading.outcome.as_str(), ends_as, "{name}");
    compare_usage(&name.to_string(), &completion.usage, &expected["usage"]);
}

/// Every number equal; a count that the server did not report is unknown here and 0 in the fixture.
pub(crate) fn compare_usage(name: &str, usage: &Usage, expected: &Value) {
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
