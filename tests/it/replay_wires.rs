//! The in-process server on every wire: what a live host said is recorded and said again.
//!
//! The live host is the same server over answers made here, so that each wire's client, framing
//! and look-up are those of a real run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ceiling::digest::Digest;
use ceiling::exchange::{FailureKind, Outcome, OutputMode};
use ceiling::provider::{AuthScheme, Target, Timeouts, WireKind};
use ceiling::replay::server::ReplayServer;
use ceiling::replay::{Asked, Entry, Library, Reply};
use ceiling::run::attempt::{Arrived, Call, Transport};
use ceiling::run::http::{HttpEndpoint, HttpTransport};
use ceiling::trial::Received;
use ceiling::wire::{self, Framing};
use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::conformance::{fixtures, request};
use crate::support::project::{EXAMPLES, schema_helps};
use crate::support::{COLOURS, Project, ScriptedServer};

/// Every wire by its provider `kind`.
const WIRES: [(&str, WireKind); 5] = [
    ("openai-chat", WireKind::OpenaiChat),
    ("openai-responses", WireKind::OpenaiResponses),
    ("anthropic", WireKind::Anthropic),
    ("gemini", WireKind::Gemini),
    ("bedrock", WireKind::Bedrock),
];

/// Answers any request of the tiny suite rightly, as the wire's service would.
struct Host;

impl Library for Host {
    fn look_up(&self, asked: &Asked<'_>) -> Option<Reply> {
        let text = Value::Object(asked.body.clone()).to_string();
        let (_, said) = text.rsplit_once(" looks ")?;
        let colour = COLOURS.into_iter().find(|colour| said.starts_with(colour))?;
        let pieces = ["{\"label\":".to_owned(), format!("\"{colour}\"}}")];
        let entry = streamed(asked.wire, events(asked.wire, &pieces, 20 + colour.len()));
        Some(Reply { entry, headers: HeaderMap::new() })
    }
}

/// A stream of these events, a millisecond apart.
fn streamed(wire: WireKind, events: Vec<Value>) -> Entry {
    let bare = Entry {
        wire,
        request_hash: Digest::of(b""),
        example: String::new(),
        variant: String::new(),
        repeat: 0,
        status: 200,
        envelope: Map::new(),
        chunks: Vec::new(),
        response: None,
        total_ms: events.len() as f64 + 1.0,
        usage: None,
    };
    let timed: Vec<(f64, Value)> = (1..).map(f64::from).zip(events).collect();
    Entry::from_events(bare, &timed)
}

/// The data events of a stream that says a text, with 5 of its prompt's tokens from the cache.
fn events(wire: WireKind, pieces: &[String], prompt: usize) -> Vec<Value> {
    let text = pieces.concat();
    match wire {
        WireKind::OpenaiChat => {
            let usage = json!({"prompt_tokens": prompt, "completion_tokens": 7,
                               "prompt_tokens_details": {"cached_tokens": 5}});
            crate::support::events(&pieces.iter().map(String::as_str).collect::<Vec<_>>(), "stop", usage)
        }
        WireKind::OpenaiResponses => {
            let item = json!({"type": "message", "id": "m", "status": "completed", "role": "assistant",
                              "content": [{"type": "output_text", "text": text, "annotations": []}]});
            let usage = json!({"input_tokens": prompt, "input_tokens_details": {"cached_tokens": 5},
                               "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 0}});
            let response = |status: &str, output: Value, usage: Value| {
                json!({"id": "r", "object": "response", "model": "small", "status": status, "error": null,
                       "incomplete_details": null, "output": output, "usage": usage})
            };
            let mut events = vec![
                json!({"type": "response.created", "response": response("in_progress", json!([]), Value::Null)}),
                json!({"type": "response.output_item.added", "output_index": 0,
                       "item": {"type": "message", "id": "m", "role": "assistant", "content": []}}),
            ];
            events.extend(pieces.iter().map(|piece| {
                json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0,
                       "delta": piece})
            }));
            events.push(json!({"type": "response.completed", "response": response("completed", json!([item]), usage)}));
            events
        }
        WireKind::Anthropic => {
            let usage = json!({"input_tokens": prompt - 5, "cache_read_input_tokens": 5,
                               "cache_creation_input_tokens": 0, "output_tokens": 1});
            let message = json!({"id": "m", "type": "message", "role": "assistant", "model": "small", "content": [],
                                 "stop_reason": null, "usage": usage});
            let mut events = vec![
                json!({"type": "message_start", "message": message}),
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                json!({"type": "ping"}),
            ];
            events.extend(pieces.iter().map(|piece| {
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})
            }));
            events.extend([
                json!({"type": "content_block_stop", "index": 0}),
                json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}),
                json!({"type": "message_stop"}),
            ]);
            events
        }
        WireKind::Gemini => {
            let usage = json!({"promptTokenCount": prompt, "cachedContentTokenCount": 5, "candidatesTokenCount": 7});
            let last = pieces.len() - 1;
            let chunk = |(place, piece): (usize, &String)| {
                let finish = if place == last { json!("STOP") } else { Value::Null };
                let content = json!({"role": "model", "parts": [{"text": piece}]});
                json!({"candidates": [{"content": content, "finishReason": finish, "index": 0}],
                       "usageMetadata": usage, "modelVersion": "small"})
            };
            pieces.iter().enumerate().map(chunk).collect()
        }
        WireKind::Bedrock => {
            let mut events = vec![json!({"messageStart": {"role": "assistant"}})];
            events.extend(
                pieces
                    .iter()
                    .map(|piece| json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": piece}}})),
            );
            let usage = json!({"inputTokens": prompt - 5, "outputTokens": 7, "totalTokens": prompt + 7,
                               "cacheReadInputTokens": 5});
            events.extend([
                json!({"contentBlockStop": {"contentBlockIndex": 0}}),
                json!({"messageStop": {"stopReason": "end_turn"}}),
                json!({"metadata": {"usage": usage, "metrics": {"latencyMs": 9}}}),
            ]);
            events
        }
    }
}

/// Answers over loopback as long as it is held.
struct Live {
    server: ReplayServer,
    runtime: tokio::runtime::Runtime,
}

impl Live {
    fn start(library: impl Library + 'static) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(ReplayServer::start(Arc::new(library), 0.0)).unwrap();
        Self { server, runtime }
    }

    /// A project whose provider `live` is this host, and whose `toy` replays on the same wire.
    fn project(&self, kind: &str, wire: WireKind) -> Project {
        let live = format!("kind = \"{kind}\"\nbase_url = \"{}\"\n[models.small]\n", self.server.base_url(wire));
        Project::new()
            .suite("tiny")
            .file("providers/live.toml", &live)
            .file("providers/toy.toml", &format!("kind = \"replay\"\nwire = \"{kind}\"\n[models.small]\n"))
    }
}

/// Where the streams of a wire lie.
fn streams(shared: &Path, wire: WireKind) -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bedrock");
    let folders = match wire {
        WireKind::OpenaiChat => vec![shared.join("openai_chat"), shared.join("openai_compatible")],
        WireKind::OpenaiResponses => vec![shared.join("openai_responses")],
        WireKind::Anthropic => vec![shared.join("anthropic_messages")],
        WireKind::Gemini => vec![shared.join("gemini")],
        WireKind::Bedrock => vec![own],
    };
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "sse")).collect()
}

/// Gives one answer to whatever is asked.
struct Only(Entry);

impl Library for Only {
    fn look_up(&self, _: &Asked<'_>) -> Option<Reply> {
        Some(Reply { entry: self.0.clone(), headers: HeaderMap::new() })
    }
}

impl Live {
    /// What the product's own transport makes of an answer.
    fn ask(&self, wire: WireKind, stream: bool) -> Arrived {
        let endpoint = HttpEndpoint {
            wire,
            base_url: self.server.base_url(wire),
            auth: AuthScheme::None,
            key: None,
            #[cfg(feature = "sigv4")]
            aws: None,
            headers: BTreeMap::new(),
            timeouts: Timeouts::default(),
            replay: true,
        };
        let http = wire::wire(wire).encode(&request(OutputMode::Text, stream, &json!({})), &Target::default());
        let call = Call { endpoint: 0, route: http.route, body: http.body, whole: None, repeat: 0, first_output: None };
        let transport = HttpTransport::new(vec![endpoint]).unwrap();
        self.runtime.block_on(transport.send(call))
    }
}

#[test]
fn each_wire_tells_what_asks_for_a_stream() {
    for (kind, wire) in WIRES {
        let wire = wire::wire(wire);
        for stream in [false, true] {
            let words = json!({"stop": ["\"stream\":true"]});
            let http = wire.encode(&request(OutputMode::Text, stream, &words), &Target::default());
            assert_eq!(wire.asks_for_stream(&http.route.path, &http.body), stream, "{kind}");
        }
    }
}

/// A tool's arguments come as text in pieces, and on some wires as an object whole: without its spaces.
fn compact(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Answered(mut completion) if completion.from_tool => {
            completion.text = serde_json::from_str::<Value>(&completion.text).unwrap().to_string();
            Outcome::Answered(completion)
        }
        other => other,
    }
}

#[test]
fn a_stream_says_the_same_whole_and_in_pieces() {
    let Some(shared) = fixtures("recorded streams through the in-process server") else { return };
    for (kind, wire) in WIRES {
        for path in streams(&shared.join("providers"), wire) {
            let bytes = std::fs::read(&path).unwrap();
            let mut events: Vec<Value> = Vec::new();
            Framing::Sse.decoder().feed(&bytes, &mut |data| events.extend(serde_json::from_str::<Value>(data)));
            let count = events.len();
            let live = Live::start(Only(streamed(wire, events)));
            let (pieces, whole) = (live.ask(wire, true), live.ask(wire, false));
            let name = format!("{kind}: {}", path.display());

            // The chat wire's short forms change the order of keys; a binary stream is no text.
            if !matches!(wire, WireKind::OpenaiChat | WireKind::Bedrock) {
                let Received::Answer { body, streamed: true, .. } = &pieces.received else { panic!("{name}") };
                assert_eq!(String::from_utf8_lossy(body), String::from_utf8_lossy(&bytes), "{name}");
            }
            assert!(pieces.timing.event_ms.len() >= count, "{name}: each event has its recorded time");
            match pieces.reading.outcome.failure() {
                None => assert_eq!(compact(whole.reading.outcome), compact(pieces.reading.outcome), "{name}"),
                Some(_) => {
                    let failure = whole.reading.outcome.failure().unwrap_or_else(|| panic!("{name}: an answer"));
                    assert_eq!(failure.kind, FailureKind::NotRecorded, "{name}: a stream without an end");
                }
            }
        }
    }
}

const RECORDING: &str = "suites/tiny/recording.jsonl";

#[test]
fn what_a_host_of_any_wire_said_is_recorded_and_said_again() {
    let live = Live::start(Host);
    for (kind, wire) in WIRES {
        let project = live.project(kind, wire);
        let asked = ["run", "suites/tiny", "--provider", "toy=live", "--json", "--store", "live.db"];
        let first = project.run(asked).exits(0).json();
        project.run(["record", "last", "-o", RECORDING, "--store", "live.db"]).exits(0);
        let again = project.run(["run", "suites/tiny", "--json"]).exits(0).json();

        assert_eq!((&first["provenance"], &again["provenance"]), (&json!("live"), &json!("recorded")), "{kind}");
        for (one, other) in first["variants"].as_array().unwrap().iter().zip(again["variants"].as_array().unwrap()) {
            assert_eq!(one["accuracy"]["point"], 1.0, "{kind}: {one:#}");
            assert_eq!(one["usage"]["cache_read_tokens"], 5.0, "{kind}");
            assert_eq!(one["usage"]["output_tokens"], 7.0, "{kind}");
            for field in ["variant", "n", "outcomes", "accuracy", "schema_validity_strict", "usage"] {
                assert_eq!(one[field], other[field], "{kind}: {field}");
            }
            for field in ["ttft_ms", "total_ms"] {
                let ms = |row: &Value| row[field]["p50"]["point"].as_f64().unwrap();
                assert!(
                    (ms(one) - ms(other)).abs() <= 0.051,
                    "{kind}: {field} is recorded to a tenth of a millisecond"
                );
            }
        }

        // The same events, times and usage: recorded once more, it is the same file.
        project.run(["record", "last", "-o", "again.jsonl"]).exits(0);
        assert_eq!(project.read("again.jsonl"), project.read(RECORDING), "{kind}");
        let short = project.read(RECORDING).lines().skip(1).all(|line| line.contains("\"envelope\""));
        assert_eq!(short, wire == WireKind::OpenaiChat, "{kind}: only the chat wire has short forms");
    }
}

/// The tiny suite with one variant a wire, each of a provider named after it, at the same prices.
fn side_by_side(live: &Live) -> Project {
    let project = Project::new().suite("tiny");
    let text = project.read("suites/tiny/suite.toml");
    let (head, tail) = (text.split("[[variants]]").next().unwrap(), text.rsplit_once("[targets]").unwrap().1);
    let mut variants = String::new();
    for (kind, wire) in WIRES {
        variants += &format!("[[variants]]\nname = \"{kind}\"\nmodel = \"re-{kind}/small\"\nprompt = \"v1\"\n\n");
        let model = "[models.small]\nprice = { input = 1.0, cache_read = 0.1, output = 2.0 }\n";
        let url = live.server.base_url(wire);
        let replay = format!("kind = \"replay\"\nwire = \"{kind}\"\n{model}");
        project.write(&format!("providers/re-{kind}.toml"), replay.as_bytes());
        let live = format!("kind = \"{kind}\"\nbase_url = \"{url}\"\n{model}");
        project.write(&format!("providers/live-{kind}.toml"), live.as_bytes());
    }
    project.write("suites/tiny/suite.toml", format!("{head}{variants}[targets]{tail}").as_bytes());
    project
}

#[test]
fn one_suite_runs_side_by_side_on_all_wires() {
    let live = Live::start(Host);
    let project = side_by_side(&live);
    let providers = WIRES.map(|(kind, _)| format!("--provider=re-{kind}=live-{kind}"));
    let asked = ["run", "suites/tiny", "--json", "--store", "live.db"].map(str::to_owned);
    let first = project.run(asked.iter().chain(&providers)).exits(0).json();
    project.run(["record", "last", "-o", RECORDING, "--store", "live.db"]).exits(0);
    let again = project.run(["run", "suites/tiny", "--json"]).exits(0).json();
    for document in [&first, &again] {
        let rows = document["variants"].as_array().unwrap();
        assert_eq!(rows.len(), WIRES.len());
        for row in rows {
            assert_eq!((&row["n"], &row["accuracy"]["point"]), (&json!(12), &json!(1.0)), "{row:#}");
            // A prompt of 24 tokens in the mean, 5 of them from the cache, and 7 of answer.
            let usage = (&row["usage"]["input_uncached_tokens"], &row["usage"]["output_tokens"]);
            assert_eq!(usage, (&json!(19.0), &json!(7.0)), "{row:#}");
            let dollars = row["cost_usd_per_request"]["point"].as_f64().unwrap();
            assert!((dollars - (19.0 * 1.0 + 5.0 * 0.1 + 7.0 * 2.0) / 1e6).abs() < 1e-9, "{row:#}");
        }
    }
}

#[test]
fn a_recording_of_one_wire_does_not_answer_another() {
    let live = Live::start(Host);
    let project = live.project("anthropic", WireKind::Anthropic);
    project.run(["run", "suites/tiny", "--provider", "toy=live", "--store", "live.db"]).exits(0);
    project.run(["record", "last", "-o", RECORDING, "--store", "live.db"]).exits(0);
    project.run(["run", "suites/tiny"]).exits(0);
    project.edit("providers/toy.toml", "anthropic", "openai-chat");
    project.run(["run", "suites/tiny", "--fresh"]).exits(2).says("does not know 24 of the requests");
}

#[test]
fn an_answer_whose_provider_is_gone_is_not_recorded_on_a_guessed_wire() {
    let live = Live::start(Host);
    let project = live.project("openai-chat", WireKind::OpenaiChat);
    project.run(["run", "suites/tiny", "--provider", "toy=live"]).exits(0);
    std::fs::remove_file(project.path("providers/live.toml")).unwrap();
    project.run(["record", "last", "-o", RECORDING]).exits(2).says("no provider file says any more which wire");
}

#[test]
fn a_recording_says_whose_answers_it_cannot_tell_apart() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    let second = project.read("providers/live.toml").replace("/v1\"", "/v2\"");
    project.write("providers/second.toml", second.as_bytes());
    let third = "[[variants]]\nname = \"there\"\nmodel = \"second/small\"\nprompt = \"v1\"\n\n[targets]";
    project.edit("suites/tiny/suite.toml", "\n[targets]", third);
    let record = ["record", "last", "-o", "r.jsonl"];
    let run = ["run", "suites/tiny", "--provider", "toy=live"];
    project.run(run).exits(0);

    let _ = project.run(record).exits(0).says(&format!("{EXAMPLES} answers are to requests"));
    project.run(run.iter().chain(&["--variants", "plain,schema"])).exits(0);
    assert!(!project.run(record).exits(0).stderr().contains("word for word"));
}
