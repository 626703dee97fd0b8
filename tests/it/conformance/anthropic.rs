//! The Messages wire, in both of its API versions.

use ceiling::exchange::{CacheAsk, CacheLifetime, Message, NamedSchema, Outcome, OutputMode, Request, Role, Stop};
use ceiling::provider::{ModelFacts, Target, WireKind};
use ceiling::wire;
use serde_json::{Value, json};

use super::{Contract, fixtures, json_of};

const MESSAGES: Contract = Contract { wire: WireKind::Anthropic, folders: &["anthropic_messages"] };

#[test]
fn every_request_is_one_that_the_official_schema_accepts() {
    let params = json!({"max_tokens": 64, "stop": "END", "seed": 1, "reasoning_effort": "low",
                        "thinking": {"type": "adaptive", "display": "summarized"}});
    let newest = "anthropic.messages.2026-10-21.schema.json";
    MESSAGES.requests_are_valid(newest, &Target::default(), &params, &marks_are_right);
    let facts = ModelFacts { forced_tool: Some(false), ..ModelFacts::default() };
    let not_forced = Target { facts, ..Target::default() };
    MESSAGES.requests_are_valid(newest, &not_forced, &json!({}), &marks_are_right);
}

#[test]
fn a_request_with_sampling_parameters_is_one_of_the_older_version() {
    let params = json!({"max_completion_tokens": 64, "temperature": 0, "top_p": 0.9, "top_k": 4, "stop": ["a", "b"]});
    let older = "anthropic.messages.2023-06-01.schema.json";
    MESSAGES.requests_are_valid(older, &Target::default(), &params, &marks_are_right);
}

/// Where a cache is asked for, what is stable ends with a mark of the asked lifetime; elsewhere
/// there is none, and never more than four.
fn marks_are_right(request: &Request, body: &Value) {
    let mark = match request.cache.as_ref().map(|cache| cache.lifetime) {
        None => Value::Null,
        Some(CacheLifetime::FiveMinutes) => json!({"type": "ephemeral"}),
        Some(CacheLifetime::Hour) => json!({"type": "ephemeral", "ttl": "1h"}),
    };
    assert_eq!(body["system"][0]["cache_control"], mark);
    assert_eq!(body["messages"][1]["content"][0]["cache_control"], mark, "the shot is the last stable turn");
    assert!(body["messages"][0]["content"].is_string() && body["messages"][2]["content"].is_string());
    if matches!(request.output, OutputMode::Tool(_)) {
        assert_eq!(body["tools"][0]["cache_control"], mark);
    }
    assert!(body.to_string().matches("cache_control").count() <= 4);
}

/// The fixture's conversation as a request; its last turn is the example.
fn asked(fixture: &Value, output: OutputMode, params: &Value) -> Request {
    let message = |role, content: &str| Message { role, content: content.into() };
    let system = fixture["system"].as_str().or(fixture["system"][0]["text"].as_str()).unwrap();
    let mut messages = vec![message(Role::System, system.trim_end_matches(" Always call the tool."))];
    for turn in fixture["messages"].as_array().unwrap() {
        let role = if turn["role"] == "user" { Role::User } else { Role::Assistant };
        messages.push(message(role, turn["content"].as_str().unwrap()));
    }
    Request {
        model: fixture["model"].as_str().unwrap().into(),
        stable_messages: messages.len() - 1,
        messages,
        cache: None,
        params: params.as_object().unwrap().clone(),
        output,
        stream: fixture["stream"] == true,
    }
}

#[test]
fn the_fixtures_requests_are_made() {
    let Some(fixtures) = fixtures("recorded requests") else { return };
    let holds = |name: &str, params: &Value, facts: ModelFacts, cache: Option<CacheLifetime>| {
        let path = fixtures.join("providers/anthropic_messages").join(format!("request_{name}.json"));
        let mut fixture = json_of(&path);
        let named = |name: &Value, schema: &Value| NamedSchema {
            name: name.as_str().unwrap_or("answer").into(),
            schema: schema.clone(),
        };
        let tool = &fixture["tools"][0];
        let format = &fixture["output_config"]["format"];
        let output = match (tool.is_object(), format.is_object()) {
            (true, _) => OutputMode::Tool(named(&tool["name"], &tool["input_schema"])),
            (_, true) => OutputMode::JsonSchema(named(&Value::Null, &format["schema"])),
            _ => OutputMode::Text,
        };
        let mut request = asked(&fixture, output, params);
        request.cache = cache.map(|lifetime| CacheAsk { lifetime, explicit: false, key: "k".into(), stored: None });
        let http = wire::wire(WireKind::Anthropic).encode(&request, &Target { facts, ..Target::default() });
        let mut body: Value = serde_json::from_slice(&http.body).unwrap();
        // What the fixtures leave open: we describe no tool, always ask for one call at most, and
        // put our own instruction in a paragraph of its own.
        for body in [&mut body, &mut fixture] {
            if let Some(tool) = body.pointer_mut("/tools/0").and_then(Value::as_object_mut) {
                tool.remove("description");
                body["tool_choice"]["disable_parallel_tool_use"] = true.into();
            }
            if let Some(system) = body["system"].as_str() {
                body["system"] = system.replace("\n\nAlways", " Always").into();
            }
        }
        assert_eq!(body, fixture, "{name}");
    };
    let facts = ModelFacts::default;
    let most = json!({"max_tokens": 256});
    holds("basic", &most, facts(), None);
    holds("fewshot", &most, facts(), None);
    holds("json_schema", &most, facts(), None);
    holds("tool_forced", &most, facts(), None);
    holds("2023_temperature", &json!({"max_tokens": 256, "temperature": 0}), facts(), None);
    let thinking = json!({"max_tokens": 2048, "reasoning_effort": "low",
                          "thinking": {"type": "adaptive", "display": "summarized"}});
    holds("stream_thinking", &thinking, facts(), None);
    let not_forced = ModelFacts { forced_tool: Some(false), ..facts() };
    let low = json!({"max_tokens": 2048, "reasoning_effort": "low"});
    holds("tool_auto_thinking_always_on", &low, not_forced, None);
    holds("cached_5m", &most, facts(), Some(CacheLifetime::FiveMinutes));
    holds("cached_1h_tools", &most, facts(), Some(CacheLifetime::Hour));
}

reads_its_fixtures!(MESSAGES, check);

fn check(name: &str, outcome: &Outcome, body: &Value) {
    let completion = outcome.completion().unwrap_or_else(|| panic!("{name}: {outcome:?}"));
    let stop = match body["stop_reason"].as_str() {
        Some("max_tokens" | "model_context_window_exceeded") => Stop::Length,
        Some("refusal") => Stop::Refusal,
        Some("tool_use") => Stop::ToolCall,
        _ => Stop::End,
    };
    assert_eq!(completion.stop, stop, "{name}");
    let block = |kind: &str| body["content"].as_array().unwrap().iter().find(|block| block["type"] == kind);
    let text = block("text").map_or("", |block| block["text"].as_str().unwrap());
    assert_eq!(completion.from_tool, block("tool_use").is_some(), "{name}");
    let said = block("tool_use").map_or_else(|| text.to_owned(), |call| call["input"].to_string());
    assert_eq!(completion.text, said, "{name}");
    let thinking = block("thinking").map_or("", |block| block["thinking"].as_str().unwrap());
    assert_eq!(completion.reasoning, thinking, "{name}");
    assert_eq!(completion.served_model.as_deref(), body["model"].as_str(), "{name}");
    let (usage, reported) = (completion.usage, &body["usage"]);
    for (ours, pointer) in [
        (usage.input_uncached_tokens, "/input_tokens"),
        (usage.cache_read_tokens, "/cache_read_input_tokens"),
        (usage.cache_write_5m_tokens, "/cache_creation/ephemeral_5m_input_tokens"),
        (usage.cache_write_1h_tokens, "/cache_creation/ephemeral_1h_input_tokens"),
        (usage.output_tokens, "/output_tokens"),
        (usage.reasoning_tokens, "/output_tokens_details/thinking_tokens"),
    ] {
        assert_eq!(ours, reported.pointer(pointer).and_then(Value::as_u64), "{name}: {pointer}");
    }
}

#[test]
fn errors_are_asked_again_only_where_that_can_help() {
    MESSAGES.errors_are_classified();
}
