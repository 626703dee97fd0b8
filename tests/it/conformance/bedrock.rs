//! The wire of AWS Bedrock Converse. There are no shared fixtures of it: answers are our own, in the
//! shapes of botocore's service model, and requests are written for `scripts/bedrock-check`.

use std::path::PathBuf;

use ceiling::exchange::{Completion, FailureKind, Outcome, OutputMode, Request, Retry, Stop};
use ceiling::provider::{Target, WireKind};
use ceiling::trial::Received;
use ceiling::wire::event_stream::message;
use ceiling::wire::{self, Reading, fit};
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Contract, caches, modes, request};

const BEDROCK: Contract = Contract { wire: WireKind::Bedrock, folders: &[] };

const MODEL: &str = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-haiku-4-5";

fn asked(mode: OutputMode, stream: bool, params: &Value) -> Request {
    Request { model: MODEL.into(), ..request(mode, stream, params) }
}

fn encoded(request: &Request) -> Value {
    serde_json::from_slice(&wire::wire(WireKind::Bedrock).encode(request, &Target::default()).body).unwrap()
}

/// Where `scripts/bedrock-check` finds the bodies.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("requests/bedrock")
}

#[test]
fn requests_are_written_for_the_official_model_to_judge() {
    let folder = folder();
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("stream.bin"), [text_stream(), tool_stream()].concat()).unwrap();
    let all = json!({"temperature": 0, "top_p": 0.9, "max_tokens": 64, "stop": "\n\n", "reasoning_effort": "low",
                     "top_k": 5, "serviceTier": {"type": "flex"}});
    let mut count = 0;
    for params in [json!({}), all] {
        for mode in modes() {
            for stream in [false, true] {
                for cache in caches() {
                    let request = Request { cache, ..asked(mode.clone(), stream, &params) };
                    let http = wire::wire(WireKind::Bedrock).encode(&request, &Target::default());
                    let body: Value = serde_json::from_slice(&http.body).unwrap();
                    let received = wire::wire(WireKind::Bedrock).digest(&http.route.path, body.as_object().unwrap());
                    assert_eq!(received, http.digest, "what is received is what was asked: {body:#}");
                    let operation = if stream { "ConverseStream" } else { "Converse" };
                    let file = json!({"model": request.model, "operation": operation, "body": body});
                    std::fs::write(folder.join(format!("{count:03}.json")), file.to_string()).unwrap();
                    count += 1;
                }
            }
        }
    }
}

#[test]
fn the_path_names_the_model_and_the_way_of_answering() {
    let digests = [false, true].map(|stream| {
        let http =
            wire::wire(WireKind::Bedrock).encode(&asked(OutputMode::Text, stream, &json!({})), &Target::default());
        let path = "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2F\
                    eu.anthropic.claude-haiku-4-5/converse";
        assert_eq!(http.route.path, format!("{path}{}", if stream { "-stream" } else { "" }));
        http.digest
    });
    assert_eq!(digests[0], digests[1], "the same is asked");
    let other = Request { model: "amazon.nova-lite-v1:0".into(), ..asked(OutputMode::Text, false, &json!({})) };
    assert_ne!(wire::wire(WireKind::Bedrock).encode(&other, &Target::default()).digest, digests[0]);
}

#[test]
fn parameters_stand_where_converse_has_them() {
    let params = json!({"temperature": 0, "top_p": 0.9, "max_completion_tokens": 64, "stop": "\n", "top_k": 5,
                        "reasoning_effort": "high", "performanceConfig": {"latency": "optimized"}});
    let body = encoded(&asked(modes()[2].clone(), false, &params));
    assert_eq!(
        body["inferenceConfig"],
        json!({"temperature": 0, "topP": 0.9, "maxTokens": 64, "stopSequences": ["\n"]})
    );
    assert_eq!(body["additionalModelRequestFields"], json!({"top_k": 5}));
    assert_eq!(body["performanceConfig"], json!({"latency": "optimized"}));
    assert_eq!(body["outputConfig"]["effort"], "high");
    let schema = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"].as_str().unwrap();
    assert!(schema.starts_with("{\"type\":\"object\",\"properties\""), "JSON text in its own order: {schema}");
}

#[test]
fn a_cache_point_ends_the_stable_prefix() {
    let [none, short, long, _] =
        caches().map(|cache| encoded(&Request { cache, ..asked(OutputMode::Text, false, &json!({})) }));
    assert!(!none.to_string().contains("cachePoint"));
    assert_eq!(short["messages"][1]["content"][1], json!({"cachePoint": {"type": "default"}}));
    assert_eq!(long["messages"][1]["content"][1], json!({"cachePoint": {"type": "default", "ttl": "1h"}}));
    assert_eq!(short.to_string().matches("cachePoint").count(), 1);
    let system = |stable_messages| {
        let cache = caches()[1].clone();
        encoded(&Request { cache, stable_messages, ..asked(OutputMode::Text, false, &json!({})) })
    };
    assert_eq!(system(1)["system"], json!([{"text": "Sort tickets."}, {"cachePoint": {"type": "default"}}]));
    assert!(!system(0).to_string().contains("cachePoint"), "nothing is the same");
}

fn usage() -> Value {
    json!({"inputTokens": 9, "outputTokens": 7, "totalTokens": 3100, "cacheReadInputTokens": 3072,
           "cacheWriteInputTokens": 12, "cacheDetails": [{"ttl": "1h", "inputTokens": 10}, {"ttl": "5m", "inputTokens": 2}]})
}

fn answer(content: Value, stop: &str) -> Outcome {
    let body = json!({"output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop,
                      "usage": usage(), "metrics": {"latencyMs": 1}});
    wire::wire(WireKind::Bedrock).decode(body.to_string().as_bytes())
}

fn completion(outcome: &Outcome) -> &Completion {
    outcome.completion().unwrap_or_else(|| panic!("{outcome:?}"))
}

#[test]
fn whole_answers_are_read() {
    let reasoning = json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "x"}}});
    let outcome = answer(json!([reasoning, {"text": "a"}, {"text": "b"}]), "end_turn");
    let said = completion(&outcome);
    assert_eq!((said.text.as_str(), said.reasoning.as_str(), said.stop), ("ab", "hm", Stop::End));
    assert_eq!(said.usage.input_uncached_tokens, Some(9), "cached tokens are not inside");
    assert_eq!(said.usage.cache_read_tokens, Some(3072));
    assert_eq!((said.usage.cache_write_5m_tokens, said.usage.cache_write_1h_tokens), (Some(2), Some(10)));
    assert_eq!((said.usage.output_tokens, said.usage.reasoning_tokens), (Some(7), None));

    let call = json!({"toolUse": {"toolUseId": "t", "name": "answer", "input": {"b": 1, "a": 2}}});
    let outcome = answer(json!([{"text": "Calling."}, call]), "tool_use");
    let said = completion(&outcome);
    assert_eq!((said.text.as_str(), said.from_tool, said.stop), ("{\"b\":1,\"a\":2}", true, Stop::ToolCall));

    for (stop, ends_as) in [
        ("stop_sequence", "answered"),
        ("max_tokens", "truncated"),
        ("model_context_window_exceeded", "truncated"),
        ("guardrail_intervened", "refused"),
        ("content_filtered", "refused"),
        ("malformed_model_output", "answered"),
        ("malformed_tool_use", "answered"),
    ] {
        assert_eq!(answer(json!([{"text": "x"}]), stop).as_str(), ends_as, "{stop}");
    }
    let broken = wire::wire(WireKind::Bedrock).decode(b"{}");
    assert_eq!(broken.failure().unwrap().kind, FailureKind::Malformed);
}

fn event(name: &str, payload: &Value) -> Vec<u8> {
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, payload.to_string().as_bytes())
}

fn delta(index: u64, delta: &Value) -> Vec<u8> {
    event("contentBlockDelta", &json!({"delta": delta, "contentBlockIndex": index, "p": "abcdef"}))
}

fn text_stream() -> Vec<u8> {
    [
        event("messageStart", &json!({"role": "assistant"})),
        delta(0, &json!({"reasoningContent": {"text": "hm"}})),
        delta(0, &json!({"reasoningContent": {"signature": "x"}})),
        event("contentBlockStop", &json!({"contentBlockIndex": 0})),
        delta(1, &json!({"text": ""})),
        delta(1, &json!({"text": "jä"})),
        delta(1, &json!({"text": "!"})),
        event("contentBlockStop", &json!({"contentBlockIndex": 1})),
        event("somethingNew", &json!({"message": {"of": "another shape"}})),
        event("messageStop", &json!({"stopReason": "end_turn"})),
        event("metadata", &json!({"usage": usage(), "metrics": {"latencyMs": 1}})),
    ]
    .concat()
}

fn tool_stream() -> Vec<u8> {
    let start = |index, name: &str| {
        event(
            "contentBlockStart",
            &json!({"start": {"toolUse": {"toolUseId": "t", "name": name}}, "contentBlockIndex": index}),
        )
    };
    [
        event("messageStart", &json!({"role": "assistant"})),
        start(0, "answer"),
        delta(0, &json!({"toolUse": {"input": ""}})),
        delta(0, &json!({"toolUse": {"input": "{\"a\":"}})),
        start(1, "answer"),
        delta(1, &json!({"toolUse": {"input": "{}"}})),
        delta(0, &json!({"toolUse": {"input": "1}"}})),
        event("messageStop", &json!({"stopReason": "tool_use"})),
        event("metadata", &json!({"usage": usage(), "metrics": {"latencyMs": 1}})),
    ]
    .concat()
}

fn read(bytes: &[u8]) -> Reading {
    BEDROCK.read_in_pieces([bytes])
}

#[test]
fn the_endpoints_own_fields_are_merged_into_what_is_there() {
    let extra = json!({"inferenceConfig": {"topP": 0.5}, "guardrailConfig": {"guardrailIdentifier": "g"}});
    let target = Target { extra_body: extra.as_object().unwrap().clone(), ..Target::default() };
    let request = asked(OutputMode::Text, false, &json!({"max_tokens": 8}));
    let http = wire::wire(WireKind::Bedrock).encode(&request, &target);
    let body: Value = serde_json::from_slice(&http.body).unwrap();
    assert_eq!(body["inferenceConfig"], json!({"maxTokens": 8, "topP": 0.5}));
    let plain = wire::wire(WireKind::Bedrock).encode(&request, &Target::default());
    assert_eq!(http.digest, plain.digest, "they are no part of what is asked");
}

#[test]
fn streams_say_what_they_hold() {
    let reading = read(&text_stream());
    let said = completion(&reading.outcome);
    assert_eq!((said.text.as_str(), said.reasoning.as_str(), said.stop), ("jä!", "hm", Stop::End));
    assert_eq!((reading.first_output_event, reading.first_visible_event), (Some(1), Some(5)));
    assert_eq!(said.usage.cache_write_1h_tokens, Some(10));
    let received = Received::Answer { status: 200, body: text_stream(), streamed: true };
    assert_eq!(wire::read(WireKind::Bedrock, &received), reading, "a stored answer");

    let reading = read(&tool_stream());
    let said = completion(&reading.outcome);
    assert_eq!((said.text.as_str(), said.from_tool, said.stop), ("{\"a\":1}", true, Stop::ToolCall));
    assert_eq!(reading.first_visible_event, Some(1), "a tool's name counts");
}

#[test]
fn a_call_without_input_has_an_empty_object() {
    let stream = [
        event("contentBlockStart", &json!({"start": {"toolUse": {"name": "answer"}}, "contentBlockIndex": 0})),
        event("messageStop", &json!({"stopReason": "tool_use"})),
    ];
    assert_eq!(completion(&read(&stream.concat()).outcome).text, "{}");
}

#[test]
fn a_stream_that_ends_early_is_no_answer() {
    let whole = text_stream();
    let end = whole.len() - event("metadata", &json!({"usage": usage(), "metrics": {"latencyMs": 1}})).len();
    assert_eq!(read(&whole[..end]).outcome.as_str(), "answered", "usage may be lost");
    assert_eq!(read(&whole[..end - 1]).outcome.failure().unwrap().kind, FailureKind::Cut);
    let mut spoiled = whole.clone();
    spoiled[end - 1] ^= 1;
    assert_eq!(read(&spoiled).outcome.failure().unwrap().kind, FailureKind::Malformed);
}

#[test]
fn an_exception_in_a_stream_is_a_failure() {
    let failure = |name: &str| {
        let headers = [(":exception-type", name), (":message-type", "exception")];
        let exception = message(&headers, br#"{"message":"no"}"#);
        read(&[event("messageStart", &json!({})), exception, text_stream()].concat()).outcome.failure().unwrap().clone()
    };
    for (name, kind, again) in [
        ("throttlingException", FailureKind::RateLimited, true),
        ("modelStreamErrorException", FailureKind::Server, true),
        ("internalServerException", FailureKind::Server, true),
        ("serviceUnavailableException", FailureKind::Server, true),
        ("validationException", FailureKind::BadRequest, false),
        ("someNewException", FailureKind::Server, true),
    ] {
        let failure = failure(name);
        assert_eq!((failure.kind, failure.retry != Retry::No), (kind, again), "{name}");
        assert_eq!(failure.message, format!("no ({name})"));
    }
}

proptest! {
    #[test]
    fn any_split_of_a_stream_says_the_same(tool: bool, cuts in prop::collection::vec(0.0..1.0_f64, 0..12)) {
        let bytes = if tool { tool_stream() } else { text_stream() };
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * bytes.len() as f64) as usize).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(BEDROCK.read_in_pieces(pieces), read(&bytes));
    }
}

#[test]
fn errors_mean_what_their_type_says() {
    let classify = |status: u16, header: &str, body: &str| {
        let mut headers = HeaderMap::new();
        if !header.is_empty() {
            headers.insert("x-amzn-errortype", HeaderValue::from_str(header).unwrap());
        }
        wire::wire(WireKind::Bedrock).classify(status, &headers, body.as_bytes())
    };
    let said = r#"{"message":"no"}"#;
    for (status, header, body, kind, again) in [
        (429, "ThrottlingException:http://internal.amazon.com/coral/", said, FailureKind::RateLimited, true),
        (
            429,
            "",
            r#"{"__type":"com.amazon.coral#ThrottlingException","message":"no"}"#,
            FailureKind::RateLimited,
            true,
        ),
        (429, "ThrottlingException", r#"{"message":"Too many tokens per day"}"#, FailureKind::QuotaExhausted, false),
        (400, "ServiceQuotaExceededException", said, FailureKind::QuotaExhausted, false),
        (429, "ModelNotReadyException", said, FailureKind::Server, true),
        (408, "ModelTimeoutException", said, FailureKind::Server, true),
        (424, "ModelErrorException", said, FailureKind::Server, true),
        (424, "", said, FailureKind::Server, true),
        (403, "AccessDeniedException", said, FailureKind::Unauthorised, false),
        (403, "UnrecognizedClientException", said, FailureKind::Unauthorised, false),
        (404, "ResourceNotFoundException", said, FailureKind::NotFound, false),
        (400, "ValidationException", said, FailureKind::BadRequest, false),
        (
            400,
            "ValidationException",
            r#"{"message":"The provided model identifier is invalid."}"#,
            FailureKind::NotFound,
            false,
        ),
        (500, "InternalServerException", said, FailureKind::Server, true),
        (503, "ServiceUnavailableException", said, FailureKind::Server, true),
    ] {
        let failure = classify(status, header, body);
        assert_eq!((failure.kind, failure.retry != Retry::No), (kind, again), "{status} {header} {body}");
        assert_eq!(failure.status, Some(status));
    }
    assert_eq!(classify(403, "AccessDeniedException", said).message, "no (AccessDeniedException)");
    let replayed = classify(404, "", r#"{"message":"no","code":"ceiling_not_recorded"}"#);
    assert_eq!(replayed.kind, FailureKind::NotRecorded);
}

#[test]
fn schemas_are_fitted_to_claude_where_claude_answers() {
    let profile = |served_as: &str| {
        let target = Target { served_as: served_as.into(), ..Target::default() };
        wire::wire(WireKind::Bedrock).schema_profile(&target)
    };
    assert_eq!(profile(MODEL), fit::Profile::Anthropic);
    assert_eq!(profile("amazon.nova-lite-v1:0"), fit::Profile::AsIs);
}
