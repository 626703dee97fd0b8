//! The batch APIs against the shared fixtures: what is sent, states, and results of every kind.

use ceiling::exchange::{FailureKind, Outcome};
use ceiling::provider::{Dialect, WireKind};
use ceiling::trial::Received;
use ceiling::wire::batch::{BatchDraft, BatchWire, LineEnd, Phase, batch_wire};
use ceiling::wire::{self, Route};
use serde_json::Value;

use super::{fixtures, json_of};

struct Api {
    kind: WireKind,
    wire: &'static dyn BatchWire,
    route: Route,
    folder: std::path::PathBuf,
}

impl Api {
    /// `None` without the fixtures.
    fn new(kind: WireKind, dialect: Dialect, path: &'static str) -> Option<Self> {
        let folder = fixtures("batches")?.join("providers/batch");
        Some(Self { kind, wire: batch_wire(kind, dialect).unwrap(), route: Route::fixed(path), folder })
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        self.text(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Our line for a request of the fixture.
    fn line(&self, id: &Value, body: &Value) -> Vec<u8> {
        self.wire.line(id.as_str().unwrap(), &self.route, body.to_string().as_bytes())
    }

    /// Ids with how they ended: a text, the kind of a failure, or a word.
    fn ends(&self, name: &str) -> Vec<(String, String)> {
        let results = self.wire.results(self.text(name).as_bytes());
        assert_eq!(results.malformed, 0, "{name}");
        let end = |end: LineEnd| match end {
            LineEnd::Expired => "expired".to_owned(),
            LineEnd::Cancelled => "cancelled".to_owned(),
            LineEnd::Answer { status, body } => {
                let received = Received::Answer { status, body, streamed: false };
                match wire::read(self.kind, &received).outcome {
                    Outcome::Answered(said) => {
                        assert!(said.usage.input_uncached_tokens.is_some() && said.usage.output_tokens.is_some());
                        said.text
                    }
                    Outcome::Failed(failure) => {
                        assert_eq!(failure.kind, FailureKind::BadRequest);
                        failure.message
                    }
                    other => panic!("{other:?}"),
                }
            }
        };
        results.lines.into_iter().map(|line| (line.id, end(line.end))).collect()
    }
}

fn pair(id: &str, end: &str) -> (String, String) {
    (id.to_owned(), end.to_owned())
}

#[test]
fn openai_s_files_are_written_and_read() {
    let Some(api) = Api::new(WireKind::OpenaiChat, Dialect::Openai, "/chat/completions") else { return };
    for line in api.lines("openai_input.jsonl") {
        let ours = api.line(&line["custom_id"], &line["body"]);
        assert_eq!(serde_json::from_slice::<Value>(&ours).unwrap(), line);
    }
    let state = api.wire.state(&api.route, api.text("openai_batch_object.json").as_bytes()).unwrap();
    assert_eq!((state.phase, state.over), (Phase::Ended { cancelled: false }, Some(3)));
    let paths: Vec<String> = state.sources.unwrap().into_iter().map(|call| call.route.path.into_owned()).collect();
    assert_eq!(paths, ["/files/file-out1/content", "/files/file-err1/content"]);
    let billing = |priority| format!("{{\"category\":\"billing\",\"priority\":{priority}}}");
    assert_eq!(api.ends("openai_output.jsonl"), [pair("t-2", &billing(2)), pair("t-0", &billing(3))]);
    assert_eq!(api.ends("openai_error.jsonl"), [pair("t-1", "expired")]);
}

#[test]
fn anthropic_s_batch_is_written_and_read() {
    let Some(api) = Api::new(WireKind::Anthropic, Dialect::Plain, "/messages") else { return };
    let create = json_of(&api.folder.join("anthropic_create.json"));
    let requests = create["requests"].as_array().unwrap().iter();
    let lines: Vec<Vec<u8>> = requests.map(|line| api.line(&line["custom_id"], &line["params"])).collect();
    let call = api.wire.submit(&BatchDraft { tag: "t", route: &api.route, lines: &lines });
    assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), create);
    let state = api.wire.state(&api.route, api.text("anthropic_batch_object.json").as_bytes()).unwrap();
    assert_eq!((state.phase, state.over), (Phase::Ended { cancelled: false }, Some(3)));
    assert_eq!(state.sources.unwrap()[0].route.path, "/messages/batches/msgbatch_01Fx/results");
    let ends = api.ends("anthropic_results.jsonl");
    assert_eq!(ends[0], pair("t-2", "{\"category\":\"billing\",\"priority\":2}"));
    assert!(ends[1].0 == "t-0" && ends[1].1.contains("max_tokens: must be at least 1"), "{ends:?}");
    assert_eq!(ends[2], pair("t-1", "expired"));
}

#[test]
fn gemini_s_lines_are_read() {
    let Some(api) = Api::new(WireKind::Gemini, Dialect::Plain, "/models/m:generateContent") else { return };
    for line in api.lines("gemini_input.jsonl") {
        let ours: Value = serde_json::from_slice(&api.line(&line["key"], &line["request"])).unwrap();
        assert_eq!((&ours["metadata"]["key"], &ours["request"]), (&line["key"], &line["request"]));
    }
    let ends = api.ends("gemini_output.jsonl");
    assert_eq!(ends[0], pair("t-2", "{\"category\":\"billing\",\"priority\":2}"));
    assert!(ends[1].0 == "t-0" && ends[1].1.contains("invalid argument"), "{ends:?}");
}
