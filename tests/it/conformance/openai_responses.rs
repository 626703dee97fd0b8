//! The wire of OpenAI Responses.

use ceiling::exchange::{FailureKind, Outcome, OutputMode, Request, Retry, Stop};
use ceiling::provider::{Dialect, Target, WireKind};
use ceiling::wire;
use serde_json::{Value, json};

use super::{Contract, caches, modes, request};

const RESPONSES: Contract = Contract { wire: WireKind::OpenaiResponses, folders: &["openai_responses"] };

const SCHEMA: &str = "openai.responses.schema.json";

fn target(dialect: Dialect) -> Target {
    Target { dialect, ..Target::default() }
}

fn encoded(request: &Request, dialect: Dialect) -> Value {
    let http = wire::wire(WireKind::OpenaiResponses).encode(request, &target(dialect));
    assert_eq!(http.route.path, "/responses");
    serde_json::from_slice(&http.body).unwrap()
}

#[test]
fn every_request_is_one_that_the_official_schema_accepts() {
    let params = json!({"temperature": 0, "top_p": 1, "max_tokens": 64, "reasoning_effort": "low", "verbosity": "low"});
    for dialect in [Dialect::Openai, Dialect::Plain] {
        RESPONSES.requests_are_valid(SCHEMA, &target(dialect), &params, &|request, body| {
            assert_eq!(body["store"], false);
            assert_eq!(body["max_output_tokens"], 64);
            assert_eq!(body["reasoning"], json!({"effort": "low"}));
            assert_eq!(body["text"]["verbosity"], "low");
            assert_eq!(body.get("max_tokens"), None);
            assert_eq!(body.get("stream").is_some(), request.stream);
        });
    }
}

#[test]
fn system_messages_are_the_instructions() {
    let body = encoded(&request(OutputMode::Text, false, &json!({})), Dialect::Openai);
    assert_eq!(body["instructions"], "Sort tickets.");
    let roles: Vec<_> = body["input"].as_array().unwrap().iter().map(|item| item["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
}

#[test]
fn shapes_are_asked_for_in_this_wires_words() {
    let [_, json_object, json_schema, tool] =
        modes().map(|mode| encoded(&request(mode, true, &json!({})), Dialect::Openai));
    assert_eq!(json_object["text"]["format"], json!({"type": "json_object"}));
    assert_eq!(json_schema["text"]["format"]["name"], "answer");
    assert_eq!(json_schema["text"]["format"]["strict"], true);
    assert_eq!(tool["tools"][0]["name"], "answer");
    assert_eq!(tool["tool_choice"], json!({"type": "function", "name": "answer"}));
    assert_eq!(tool["stream_options"], json!({"include_obfuscation": false}));
}

#[test]
fn an_explicit_mark_stands_on_the_last_stable_part_that_can_bear_one() {
    let [none, ask, _, explicit] = caches()
        .map(|cache| encoded(&Request { cache, ..request(OutputMode::Text, false, &json!({})) }, Dialect::Openai));
    assert_eq!(none.get("prompt_cache_key"), None);
    assert_eq!(ask["prompt_cache_key"], "ceiling-1");
    assert_eq!(ask.get("prompt_cache_options"), None);
    assert_eq!(explicit["prompt_cache_options"], json!({"mode": "explicit"}));
    assert_eq!(explicit.get("instructions"), None);
    let marked: Vec<_> = (0..4).filter(|at| explicit["input"][at]["content"].is_array()).collect();
    assert_eq!(marked, [1], "the shot's question: an answer of the model bears no mark");
    assert_eq!(explicit["input"][1]["content"][0]["prompt_cache_breakpoint"], json!({"mode": "explicit"}));
}

reads_its_fixtures!(RESPONSES, check);

fn check(name: &str, outcome: &Outcome, body: &Value) {
    if body["status"] == "failed" {
        let failure = outcome.failure().unwrap_or_else(|| panic!("{name}: {outcome:?}"));
        assert_eq!((failure.kind, failure.retry), (FailureKind::Server, Retry::Transient), "{name}");
        return;
    }
    let completion = outcome.completion().unwrap_or_else(|| panic!("{name}: {outcome:?}"));
    let items = || body["output"].as_array().unwrap().iter();
    let part = items().find(|item| item["type"] == "message").map(|message| &message["content"][0]);
    let call = items().find(|item| item["type"] == "function_call");
    let stop = match (body["incomplete_details"]["reason"].as_str(), part, call) {
        (Some("max_output_tokens"), ..) => Stop::Length,
        (_, Some(part), _) if part["type"] == "refusal" => Stop::Refusal,
        (.., Some(_)) => Stop::ToolCall,
        _ => Stop::End,
    };
    assert_eq!(completion.stop, stop, "{name}");
    let text = call.map(|call| &call["arguments"]).or(part.map(|part| &part["text"]));
    assert_eq!(completion.text, text.and_then(Value::as_str).unwrap_or_default(), "{name}");
    assert_eq!(completion.served_model.as_deref(), body["model"].as_str(), "{name}");
    let usage = &completion.usage;
    let input = [usage.input_uncached_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens];
    assert_eq!(input.iter().flatten().sum::<u64>(), body["usage"]["input_tokens"], "{name}");
    assert_eq!(usage.output_tokens, body["usage"]["output_tokens"].as_u64(), "{name}");
    let reasoning = body.pointer("/usage/output_tokens_details/reasoning_tokens").and_then(Value::as_u64);
    assert_eq!(usage.reasoning_tokens, reasoning, "{name}");
}

/// A stream of these events, read.
fn streamed(events: &[Value]) -> wire::Reading {
    let mut decoder = wire::wire(WireKind::OpenaiResponses).stream();
    events.iter().for_each(|event| decoder.event(&event.to_string()));
    decoder.finish()
}

#[test]
fn a_failed_response_means_what_its_error_says() {
    let kind = |code: &str| {
        let response = json!({"status": "failed", "error": {"code": code, "message": "no"}});
        let reading = streamed(&[json!({"type": "response.failed", "response": response})]);
        reading.outcome.failure().unwrap().kind
    };
    assert_eq!(kind("rate_limit_exceeded"), FailureKind::RateLimited);
    assert_eq!(kind("insufficient_quota"), FailureKind::QuotaExhausted);
    assert_eq!(kind("invalid_prompt"), FailureKind::BadRequest);
    assert_eq!(kind("server_error"), FailureKind::Server);
}

#[test]
fn a_filtered_answer_is_a_refusal() {
    let response = json!({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []});
    let outcome = wire::wire(WireKind::OpenaiResponses).decode(response.to_string().as_bytes());
    assert_eq!(outcome.as_str(), "refused");
}

#[test]
fn a_server_without_deltas_says_it_all_at_the_end() {
    let item = json!({"type": "message", "content": [{"type": "output_text", "text": "yes"}]});
    let reading = streamed(&[
        json!({"type": "response.created", "response": {"status": "in_progress", "model": "m"}}),
        json!({"type": "response.completed", "response": {"status": "completed", "output": [item]}}),
    ]);
    let completion = reading.outcome.completion().unwrap();
    assert_eq!((completion.text.as_str(), completion.served_model.as_deref()), ("yes", Some("m")));
    assert_eq!(reading.first_visible_event, Some(1));
}

#[test]
fn a_second_call_is_not_the_answer() {
    let added =
        |index| json!({"type": "response.output_item.added", "output_index": index, "item": {"type": "function_call"}});
    let delta =
        |index, delta| json!({"type": "response.function_call_arguments.delta", "output_index": index, "delta": delta});
    let reading = streamed(&[
        added(0),
        delta(0, "{\"a\":"),
        added(1),
        delta(1, "{}"),
        delta(0, "1}"),
        json!({"type": "response.completed", "response": {"status": "completed"}}),
    ]);
    assert_eq!(reading.outcome.completion().unwrap().text, "{\"a\":1}");
}

#[test]
fn errors_are_those_of_the_chat_wire() {
    Contract { folders: &["openai_chat"], ..RESPONSES }.errors_are_classified();
}
