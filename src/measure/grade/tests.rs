use super::*;
use crate::digest::Digest;
use crate::exchange::{Failure, Retry};
use crate::trial::{Provenance, Received, Timing};
use crate::units::UsdPerMillionTokens;
use serde_json::json;

pub(crate) fn facts() -> EndpointFacts {
    let usd = UsdPerMillionTokens::from_f64;
    let price = Price { input: usd(1.0), cache_read: usd(0.1), output: usd(2.0), ..Price::default() };
    EndpointFacts {
        served_as: "m".into(),
        wire: WireKind::OpenaiChat,
        price: Some(price),
        gpu: None,
        self_hosted: false,
        null_is_absent: false,
        retires: None,
        cache: CacheFacts::default(),
    }
}

pub(crate) fn spec(kind: ScorerKind) -> ScorerSpec {
    ScorerSpec { id: "label".into(), kind, at: "/label".into(), expected_at: "/label".into() }
}

fn schema() -> OutputSchema {
    let document = json!({
        "type": "object",
        "properties": {"label": {"enum": ["A", "B"]}},
        "required": ["label"],
        "additionalProperties": false
    });
    OutputSchema::compile(document).unwrap()
}

fn grader(scorers: &[ScorerSpec], parse: ParseMode, score_invalid: bool) -> Grader {
    let rules = (parse, score_invalid, Task::Classification);
    Grader::from_parts(scorers, Some(schema()), rules, &[facts()], vec![true]).unwrap()
}

fn plain() -> Grader {
    grader(&[spec(ScorerKind::Exact { normalise: vec![] })], ParseMode::Strict, false)
}

pub(crate) fn example(expected: &str) -> Example {
    Example {
        id: crate::suite::ExampleId("e".into()),
        input: json!("x"),
        expected: json!({"label": expected}),
        cluster: None,
        tags: Default::default(),
        documents: Vec::new(),
    }
}

fn exchange(received: Received, event_ms: Vec<f64>) -> Exchange {
    let digest = Digest::of(b"x");
    Exchange {
        key: digest,
        request_digest: digest,
        endpoint: "p/m".into(),
        request_body: Vec::new(),
        received,
        timing: Timing { event_ms, total_ms: 90.0 },
        attempts: Vec::new(),
        sent_at_unix_ms: 0,
        in_flight: 1,
        provenance: Provenance::Live,
        delivery: crate::trial::Delivery::Direct,
    }
}

fn said(text: &str, stop: &str) -> Exchange {
    let body = json!({
        "id": "1", "object": "chat.completion", "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": stop}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    });
    let received = Received::Answer { status: 200, body: body.to_string().into_bytes(), streamed: false };
    exchange(received, Vec::new())
}

fn broken(kind: FailureKind) -> Exchange {
    let failure = Failure { kind, status: None, message: "gone".into(), retry: Retry::No };
    exchange(Received::Broken { failure, body: Vec::new() }, Vec::new())
}

fn score(grader: &Grader, exchange: &Exchange) -> GradedTrial {
    grader.grade(0, &example("A"), exchange, None)
}

#[test]
fn a_right_answer_scores_1_and_a_wrong_one_0() {
    let right = score(&plain(), &said("{\"label\": \"A\"}", "stop"));
    assert_eq!((right.ending, &right.scores[..]), (Ending::Answered, &[Grade::Scored(1.0)][..]));
    assert!(right.valid_strict && right.valid_lenient && !right.counts_as_missing);
    assert_eq!((right.label.as_deref(), right.expected_label.as_deref()), (Some("A"), Some("A")));
    assert_eq!((right.total_ms, right.ttft_ms), (Some(90.0), None));
    assert_eq!(right.cost, Some(Usd::from_pico(120_000_000)));
    let wrong = score(&plain(), &said("{\"label\": \"B\"}", "stop"));
    assert_eq!((wrong.scores[0].score(), wrong.label.as_deref()), (Some(0.0), Some("B")));
}

#[test]
fn outcome_and_score_are_apart() {
    let cut_but_whole = score(&plain(), &said("{\"label\": \"A\"}", "length"));
    assert_eq!((cut_but_whole.ending, cut_but_whole.scores[0].score()), (Ending::Truncated, Some(1.0)));
    let cut = score(&plain(), &said("{\"label\": \"A", "length"));
    assert_eq!((cut.ending, cut.scores[0].score(), cut.valid_lenient), (Ending::Truncated, Some(0.0), false));
    let refused = score(&plain(), &said("{\"label\": \"A\"}", "content_filter"));
    assert_eq!((refused.ending, refused.scores[0].score()), (Ending::Refused, Some(0.0)));
    assert!(!refused.valid_strict && !refused.counts_as_missing);
}

#[test]
fn an_answer_that_breaks_the_schema_scores_0_unless_the_suite_says_otherwise() {
    let extra = said("{\"label\": \"A\", \"why\": 1}", "stop");
    let graded = score(&plain(), &extra);
    assert_eq!((graded.scores[0].score(), graded.label), (Some(0.0), None));
    assert!(graded.violation.unwrap().contains("why"));
    let lax = grader(&[spec(ScorerKind::Exact { normalise: vec![] })], ParseMode::Strict, true);
    let graded = score(&lax, &extra);
    assert_eq!((graded.scores[0].score(), graded.valid_strict), (Some(1.0), false));
    let prose = score(&plain(), &said("It is {\"label\": \"A\"}", "stop"));
    assert_eq!((prose.scores[0].score(), prose.valid_strict, prose.valid_lenient), (Some(0.0), false, true));
}

#[test]
fn failures_are_wrong_or_missing_as_their_kind_says() {
    for kind in [
        FailureKind::Timeout,
        FailureKind::FirstTokenTimeout,
        FailureKind::Stalled,
        FailureKind::Cut,
        FailureKind::BadRequest,
        FailureKind::Malformed,
    ] {
        let graded = score(&plain(), &broken(kind));
        assert_eq!((graded.counts_as_missing, graded.scores[0].score()), (false, Some(0.0)), "{kind:?}");
    }
    for kind in [
        FailureKind::RateLimited,
        FailureKind::Server,
        FailureKind::Connect,
        FailureKind::ConnectTimeout,
        FailureKind::Unauthorised,
        FailureKind::NotRecorded,
    ] {
        let graded = score(&plain(), &broken(kind));
        assert_eq!((graded.counts_as_missing, graded.scores[0].score()), (true, None), "{kind:?}");
        assert_eq!(graded.ending, Ending::Failed(kind));
        assert_eq!((graded.total_ms, graded.cost), (None, None));
    }
}

#[test]
fn the_first_visible_event_is_the_first_token() {
    let event = |delta: Value, stop: Value| {
        format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta, "finish_reason": stop}]}))
    };
    let body = event(json!({"role": "assistant", "content": ""}), Value::Null)
        + &event(json!({"content": "{\"label\": \"A\"}"}), Value::Null)
        + &event(json!({}), json!("stop"))
        + "data: [DONE]\n\n";
    let received = Received::Answer { status: 200, body: body.into_bytes(), streamed: true };
    let graded = score(&plain(), &exchange(received, vec![10.0, 25.0, 30.0, 31.0]));
    assert_eq!((graded.ttft_ms, graded.streamed), (Some(25.0), true));
    assert_eq!((graded.scores[0].score(), graded.cost), (Some(1.0), None), "unreported usage has no cost");
}

#[test]
fn a_command_is_asked_only_about_usable_answers() {
    let command = spec(ScorerKind::Command { argv: vec!["./score".into()] });
    let asking = grader(&[command], ParseMode::Strict, false);
    assert!(asking.wants_command() && !plain().wants_command());
    let answer = said("{\"label\": \"B\"}", "stop");
    let questions = asking.ask(0, &example("A"), &answer);
    assert_eq!(questions.len(), 1);
    assert_eq!(questions[0].question, json!({"expected": "A", "answer": "B"}));
    assert_eq!((questions[0].scorer.as_str(), questions[0].argv.len()), ("label", 1));
    assert!(asking.ask(0, &example("A"), &said("oops", "stop")).is_empty());
    let graded = asking.grade(0, &example("A"), &answer, Some(&json!({"label": {"score": 0.5}})));
    assert_eq!(graded.scores, [Grade::Scored(0.5)]);
    assert_eq!(asking.grade(0, &example("A"), &answer, None).scores[0].score(), None);
}

#[test]
fn a_missing_pointer_is_a_wrong_answer_or_an_unscored_example() {
    let open = |at: &str, expected_at: &str| {
        let spec = ScorerSpec {
            at: at.into(),
            expected_at: expected_at.into(),
            ..spec(ScorerKind::Exact { normalise: vec![] })
        };
        grader(&[spec], ParseMode::Strict, false)
    };
    let answer = said("{\"label\": \"A\"}", "stop");
    assert_eq!(score(&open("/other", "/label"), &answer).scores[0].score(), Some(0.0));
    assert_eq!(score(&open("/label", "/other"), &answer).scores[0].score(), None);
    assert_eq!(plain().grade(7, &example("A"), &answer, None).ending, Ending::Failed(FailureKind::Malformed));
}

#[test]
fn a_null_that_stands_for_absence_is_judged_as_absence() {
    let document = json!({
        "type": "object",
        "properties": {"label": {"enum": ["A", "B"]}, "note": {"type": "string"}},
        "required": ["label"],
        "additionalProperties": false
    });
    let graded = |null_is_absent: bool, text: &str| {
        let rules = (ParseMode::Strict, false, Task::Classification);
        let endpoint = EndpointFacts { null_is_absent, ..facts() };
        let scorers = [spec(ScorerKind::Exact { normalise: vec![] })];
        let schema = Some(OutputSchema::compile(document.clone()).unwrap());
        score(&Grader::from_parts(&scorers, schema, rules, &[endpoint], vec![true]).unwrap(), &said(text, "stop"))
    };
    let written = "{\"label\": \"A\", \"note\": null}";
    let fitted = graded(true, written);
    assert!(fitted.valid_strict && fitted.valid_lenient && fitted.violation.is_none());
    assert_eq!(fitted.scores[0].score(), Some(1.0));
    let own = graded(false, written);
    assert!(!own.valid_strict && own.violation.is_some(), "null was not offered, so it is wrong");
    assert!(!graded(true, "{\"label\": null}").valid_strict, "what is required may not be null");
}
