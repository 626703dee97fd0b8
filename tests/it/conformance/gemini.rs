//! The generateContent wire.

use std::time::Duration;

use ceiling::exchange::{
    CacheAsk, CacheLifetime, FailureKind, Message, NamedSchema, Outcome, OutputMode, Request, Retry, Role, Stop,
};
use ceiling::provider::{Dialect, Target, WireKind};
use ceiling::wire::{self, gemini::cached};
use http::HeaderMap;
use serde_json::{Value, json};

use super::{Contract, fixtures, json_of};

const GEMINI: Contract = Contract { wire: WireKind::Gemini, folders: &["gemini"] };

#[test]
fn every_request_is_one_that_the_official_schema_accepts() {
    let params = json!({"temperature": 0, "top_p": 0.9, "top_k": 4, "seed": 1, "max_tokens": 64, "stop": "END",
                        "reasoning_effort": "low", "presence_penalty": 0.5});
    for dialect in [Dialect::Plain, Dialect::Vertex] {
        let target = Target { dialect, ..Target::default() };
        GEMINI.requests_are_valid("gemini.generate_content.schema.json", &target, &params, &|request, body| {
            assert_eq!(body.get("cachedContent"), None, "nothing is stored yet");
            let json = matches!(request.output, OutputMode::JsonObject | OutputMode::JsonSchema(_));
            assert_eq!(body["generationConfig"].get("responseMimeType").is_some(), json);
        });
    }
}

#[test]
fn the_fixtures_requests_are_made() {
    let Some(fixtures) = fixtures("recorded requests") else { return };
    let fixture = |name: &str| json_of(&fixtures.join("providers/gemini").join(format!("{name}.json")));
    let holds = |name: &str, output: OutputMode, params: &Value| {
        let mut expected = fixture(name);
        let http = wire::wire(WireKind::Gemini).encode(&asked(&expected, output, params), &Target::default());
        // We describe no tool.
        if let Some(function) = expected.pointer_mut("/tools/0/functionDeclarations/0").and_then(Value::as_object_mut) {
            function.remove("description");
        }
        assert_eq!(serde_json::from_slice::<Value>(&http.body).unwrap(), expected, "{name}");
    };
    let most = json!({"max_tokens": 256});
    holds("request_basic", OutputMode::Text, &most);
    holds("request_fewshot", OutputMode::Text, &most);
    let schema = fixture("request_json_schema")["generationConfig"]["responseJsonSchema"].clone();
    let named = NamedSchema { name: "answer".into(), schema };
    holds("request_json_schema", OutputMode::JsonSchema(named), &most);
    let function = fixture("request_tool_forced")["tools"][0]["functionDeclarations"][0].clone();
    let schema = function["parametersJsonSchema"].clone();
    let named = NamedSchema { name: function["name"].as_str().unwrap().into(), schema };
    holds("request_tool_forced", OutputMode::Tool(named), &most);
    let params = json!({"max_tokens": 256, "temperature": 0, "seed": 7, "top_p": 0.95,
                        "thinkingConfig": {"thinkingBudget": 0}});
    holds("request_thinking_budget_25", OutputMode::Text, &params);
    let params = json!({"max_tokens": 1024, "reasoning_effort": "low", "thinkingConfig": {"includeThoughts": true}});
    holds("request_thinking_level", OutputMode::Text, &params);
}

/// The fixture's conversation as a request; its last turn is the example.
fn asked(fixture: &Value, output: OutputMode, params: &Value) -> Request {
    let message = |role, content: &Value| Message { role, content: content.as_str().unwrap().into() };
    let mut messages = vec![message(Role::System, &fixture["systemInstruction"]["parts"][0]["text"])];
    for turn in fixture["contents"].as_array().unwrap() {
        let role = if turn["role"] == "user" { Role::User } else { Role::Assistant };
        messages.push(message(role, &turn["parts"][0]["text"]));
    }
    Request {
        model: "gemini-3.6-flash".into(),
        stable_messages: messages.len() - 1,
        messages,
        cache: None,
        params: params.as_object().unwrap().clone(),
        output,
        stream: false,
    }
}

#[test]
fn a_prefix_is_stored_read_and_named() {
    let Some(fixtures) = fixtures("stored prefixes") else { return };
    let fixture = |name: &str| json_of(&fixtures.join("providers/gemini").join(name));
    let expected = fixture("cached_content_create.json");
    let whole = fixture("request_cached_content.json");
    let conversation = json!({"systemInstruction": expected["systemInstruction"], "contents": whole["contents"]});
    let mut request = asked(&conversation, OutputMode::Text, &json!({"max_tokens": 256}));
    let key = expected["displayName"].as_str().unwrap().to_owned();
    let ask = CacheAsk { lifetime: CacheLifetime::FiveMinutes, explicit: true, key, stored: None };
    request.cache = Some(ask.clone());
    let creation = cached::creation(&request, &Target::default(), "https://x/v1beta").unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&creation).unwrap(), expected);

    let answer = fixture("cached_content_response.json").to_string();
    let made = cached::created(answer.as_bytes()).unwrap();
    assert_eq!(made.tokens, Some(4300));
    request.cache = Some(CacheAsk { stored: Some(made.name), ..ask });
    let http = wire::wire(WireKind::Gemini).encode(&request, &Target::default());
    assert_eq!(serde_json::from_slice::<Value>(&http.body).unwrap(), whole);
}

reads_its_fixtures!(GEMINI, check);

fn check(name: &str, outcome: &Outcome, body: &Value) {
    let completion = outcome.completion().unwrap_or_else(|| panic!("{name}: {outcome:?}"));
    let candidate = &body["candidates"][0];
    let none = Vec::new();
    let parts = candidate["content"]["parts"].as_array().unwrap_or(&none);
    let call = parts.iter().find_map(|part| part.get("functionCall"));
    let stop = match candidate["finishReason"].as_str() {
        Some("STOP") if call.is_some() => Stop::ToolCall,
        Some("STOP") => Stop::End,
        Some("MAX_TOKENS") => Stop::Length,
        Some("MALFORMED_FUNCTION_CALL") => Stop::Other,
        _ => Stop::Refusal,
    };
    assert_eq!(completion.stop, stop, "{name}");
    let text = |thought: bool| -> String {
        let parts = parts.iter().filter(|part| part["thought"].as_bool().unwrap_or(false) == thought);
        parts.filter_map(|part| part["text"].as_str()).collect()
    };
    assert_eq!(completion.text, call.map_or_else(|| text(false), |call| call["args"].to_string()), "{name}");
    assert_eq!(completion.reasoning, text(true), "{name}");
    assert_eq!(completion.served_model.as_deref(), body["modelVersion"].as_str(), "{name}");
    let (usage, reported) = (completion.usage, &body["usageMetadata"]);
    let count = |key: &str| reported[key].as_u64().unwrap_or(0);
    let prompt = usage.input_uncached_tokens.unwrap() + usage.cache_read_tokens.unwrap();
    assert_eq!(prompt, count("promptTokenCount"), "{name}");
    assert_eq!(usage.cache_read_tokens, Some(count("cachedContentTokenCount")), "{name}");
    assert_eq!(prompt + usage.output_tokens.unwrap(), count("totalTokenCount"), "{name}: nothing is counted twice");
    assert_eq!(usage.reasoning_tokens, Some(count("thoughtsTokenCount")), "{name}");
}

#[test]
fn errors_are_asked_again_only_where_that_can_help() {
    GEMINI.errors_are_classified();
    let Some(fixtures) = fixtures("what errors mean") else { return };
    let means = |name: &str| {
        let fixture = json_of(&fixtures.join("providers/gemini").join(format!("error_{name}.http.json")));
        let status = fixture["status"].as_u64().unwrap() as u16;
        let body = fixture["body"].to_string();
        let failure = wire::wire(WireKind::Gemini).classify(status, &HeaderMap::new(), body.as_bytes());
        (failure.kind, failure.retry)
    };
    assert_eq!(means("400_api_key"), (FailureKind::Unauthorised, Retry::No));
    let after = Some(Duration::from_secs(46));
    assert_eq!(means("429_per_minute"), (FailureKind::RateLimited, Retry::RateLimited { after }));
}
