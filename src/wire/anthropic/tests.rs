use super::*;
use crate::exchange::{Completion, NamedSchema, Stop, Usage};
use crate::wire::Reading;

fn request(output: OutputMode, params: Value) -> Request {
    let message = |role, content: &str| Message { role, content: content.into() };
    Request {
        model: "claude-haiku-4-5".into(),
        messages: vec![message(Role::System, "Sort tickets."), message(Role::User, "Where is my invoice?")],
        stable_messages: 1,
        cache: None,
        params: params.as_object().unwrap().clone(),
        output,
        stream: false,
    }
}

fn tool() -> OutputMode {
    OutputMode::Tool(NamedSchema { name: "answer".into(), schema: json!({"type": "object"}) })
}

fn body(request: &Request, target: &Target) -> Value {
    serde_json::from_slice(&Anthropic.encode(request, target).body).unwrap()
}

fn cache(lifetime: CacheLifetime) -> Option<CacheAsk> {
    Some(CacheAsk { lifetime, explicit: false, key: "ceiling-1".into(), stored: None })
}

fn knowing(facts: ModelFacts) -> Target {
    Target { facts, ..Target::default() }
}

fn stream(events: &[Value]) -> Reading {
    let mut decoder = Anthropic.stream();
    events.iter().for_each(|event| decoder.event(&event.to_string()));
    decoder.finish()
}

fn completion(outcome: &Outcome) -> &Completion {
    outcome.completion().unwrap_or_else(|| panic!("{outcome:?}"))
}

#[test]
fn the_required_limit_is_the_variants_else_a_roomy_one_that_the_model_takes() {
    let limit = |params, facts| body(&request(OutputMode::Text, params), &knowing(facts))["max_tokens"].clone();
    let most = |tokens| ModelFacts { max_output_tokens: Some(tokens), ..ModelFacts::default() };
    assert_eq!(limit(json!({"max_tokens": 64}), most(128_000)), 64);
    assert_eq!(limit(json!({"max_completion_tokens": 65}), most(128_000)), 65);
    assert_eq!(limit(json!({}), most(128_000)), 16_384);
    assert_eq!(limit(json!({}), most(8192)), 8192);
    assert_eq!(limit(json!({}), ModelFacts::default()), 4096);
}

#[test]
fn parameters_go_out_under_the_wires_names_and_only_those_that_were_set() {
    let params = json!({"max_tokens": 9, "stop": "END", "seed": 7, "reasoning_effort": "low", "top_k": 3,
                        "thinking": {"type": "adaptive"}});
    let body = body(&request(OutputMode::Text, params), &Target::default());
    assert_eq!(
        body,
        json!({"model": "claude-haiku-4-5", "max_tokens": 9, "stop_sequences": ["END"], "top_k": 3,
               "output_config": {"effort": "low"}, "thinking": {"type": "adaptive"}, "system": "Sort tickets.",
               "messages": [{"role": "user", "content": "Where is my invoice?"}]})
    );
}

#[test]
fn no_effort_switches_thinking_off_unless_thinking_itself_is_set() {
    let thinking = |params| body(&request(OutputMode::Text, params), &Target::default())["thinking"].clone();
    assert_eq!(thinking(json!({"reasoning_effort": "none"})), json!({"type": "disabled"}));
    let adaptive = json!({"type": "adaptive"});
    assert_eq!(thinking(json!({"reasoning_effort": "none", "thinking": adaptive})), adaptive);
    assert_eq!(thinking(json!({"thinking": adaptive, "reasoning_effort": "none"})), adaptive);
    assert_eq!(thinking(json!({})), Value::Null);
}

#[test]
fn effort_schema_and_what_the_endpoint_adds_share_one_object() {
    let schema = json!({"type": "object"});
    let output = OutputMode::JsonSchema(NamedSchema { name: "answer".into(), schema: schema.clone() });
    let extra = json!({"output_config": {"effort": "max"}, "service_tier": "standard_only"});
    let target = Target { extra_body: extra.as_object().unwrap().clone(), ..Target::default() };
    let request = request(output, json!({"reasoning_effort": "low"}));
    let http = Anthropic.encode(&request, &target);
    let body: Value = serde_json::from_slice(&http.body).unwrap();
    let format = json!({"type": "json_schema", "schema": schema});
    assert_eq!(body["output_config"], json!({"effort": "max", "format": format}));
    assert_eq!(body["service_tier"], "standard_only");
    assert_eq!(
        http.digest,
        Anthropic.encode(&request, &Target::default()).digest,
        "extra fields are not in the digest"
    );
}

#[test]
fn the_version_is_the_newest_that_takes_what_is_sent() {
    let version = |params, target: &Target| Anthropic.encode(&request(OutputMode::Text, params), target).route.headers;
    let header = |version: &str| vec![("anthropic-version", version.to_owned().into())];
    assert_eq!(version(json!({}), &Target::default()), header("2026-10-21"));
    assert_eq!(version(json!({"temperature": 0}), &Target::default()), header("2023-06-01"));
    let extra = json!({"top_p": 0.5}).as_object().unwrap().clone();
    assert_eq!(version(json!({}), &Target { extra_body: extra, ..Target::default() }), header("2023-06-01"));
    let pinned = Target { anthropic_version: Some("2027-01-01".into()), ..Target::default() };
    assert_eq!(version(json!({"temperature": 0}), &pinned), header("2027-01-01"));
}

#[test]
fn a_model_that_refuses_to_be_forced_is_asked_in_words() {
    let refuses = knowing(ModelFacts { forced_tool: Some(false), ..ModelFacts::default() });
    let asked = body(&request(tool(), json!({})), &refuses);
    assert_eq!(asked["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
    assert_eq!(asked["system"], "Sort tickets.\n\nAlways call the tool.");
    let forced = body(&request(tool(), json!({})), &Target::default());
    assert_eq!(forced["tool_choice"], json!({"type": "tool", "name": "answer", "disable_parallel_tool_use": true}));
    assert_eq!(forced["system"], "Sort tickets.");
}

#[test]
fn cache_marks_stand_at_the_end_of_what_is_stable() {
    let mut asked = Request { cache: cache(CacheLifetime::Hour), ..request(tool(), json!({})) };
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let sent = body(&asked, &Target::default());
    assert_eq!(sent["tools"][0]["cache_control"], mark);
    assert_eq!(sent["system"][0]["cache_control"], mark);
    assert_eq!(sent["messages"][0]["content"], "Where is my invoice?", "the example is not kept");

    asked.stable_messages = 0;
    let sent = body(&asked, &Target::default());
    assert_eq!(sent["tools"][0]["cache_control"], mark, "tools come first, and are always the same");
    assert_eq!(sent["system"], "Sort tickets.", "a system text with the example in it is not kept");
}

#[test]
fn an_instruction_of_our_own_is_stable() {
    let refuses = knowing(ModelFacts { forced_tool: Some(false), ..ModelFacts::default() });
    let mut asked = Request { cache: cache(CacheLifetime::FiveMinutes), ..request(tool(), json!({})) };
    asked.messages.remove(0);
    asked.stable_messages = 0;
    let mark = json!({"type": "ephemeral"});
    let text = json!([{"type": "text", "text": "Always call the tool.", "cache_control": mark}]);
    assert_eq!(body(&asked, &refuses)["system"], text);
}

#[test]
fn thinking_that_shows_only_its_signature_is_not_seen() {
    let reading = stream(&[
        json!({"type": "message_start", "message": {"model": "claude-opus-5-5", "usage": {"input_tokens": 4, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "x"}}),
        json!({"type": "an_event_of_later_days", "index": "seven", "delta": 5}),
        json!({"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "yes"}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
        json!({"type": "message_stop"}),
    ]);
    assert_eq!((reading.first_output_event, reading.first_visible_event), (Some(7), Some(7)));
    let said = completion(&reading.outcome);
    assert_eq!((said.text.as_str(), said.reasoning.as_str()), ("yes", ""));
    let usage = Usage { input_uncached_tokens: Some(4), ..Usage::default() };
    assert_eq!(said.usage, usage, "the first count of output tokens is a placeholder");
}

#[test]
fn a_call_without_arguments_is_an_empty_object() {
    let start = json!({"type": "content_block_start", "index": 0,
                       "content_block": {"type": "tool_use", "id": "t", "name": "answer", "input": {}}});
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}});
    let empty = json!({"type": "content_block_delta", "index": 0,
                       "delta": {"type": "input_json_delta", "partial_json": ""}});
    let reading = stream(&[start, empty, end, json!({"type": "message_stop"})]);
    let said = completion(&reading.outcome);
    assert_eq!((said.text.as_str(), said.from_tool, said.stop), ("{}", true, Stop::ToolCall));
    assert_eq!(reading.first_visible_event, Some(0), "a tool's name is output");
    let whole = br#"{"content":[{"type":"tool_use","name":"answer"}],"stop_reason":"tool_use"}"#;
    assert_eq!(completion(&Anthropic.decode(whole)).text, "{}");
}

#[test]
fn text_in_place_of_a_call_is_the_answer() {
    let body = br#"{"content":[{"type":"text","text":"billing"}],"stop_reason":"end_turn","model":"claude-opus-5-5"}"#;
    let outcome = Anthropic.decode(body);
    let said = completion(&outcome);
    assert_eq!((said.text.as_str(), said.from_tool, said.stop), ("billing", false, Stop::End));
}

#[test]
fn a_message_without_its_end_is_no_answer() {
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}});
    let kind = |reading: Reading| reading.outcome.failure().map(|failure| failure.kind);
    assert_eq!(kind(stream(&[delta])), Some(FailureKind::Cut));
    assert_eq!(kind(stream(&[json!({"type": "message_stop"})])), Some(FailureKind::Cut));
    assert_eq!(kind(stream(&[json!("what?")])), Some(FailureKind::Malformed));
    for body in ["{}", "[]", r#"{"content":[],"stop_reason":null}"#, "<html>"] {
        let outcome = Anthropic.decode(body.as_bytes());
        assert_eq!(outcome.failure().map(|failure| failure.kind), Some(FailureKind::Malformed), "{body}");
    }
}

#[test]
fn a_written_prefix_without_its_lifetime_counts_as_the_shorter() {
    let body = br#"{"content":[],"stop_reason":"end_turn","usage":{"input_tokens":1,"cache_creation_input_tokens":9}}"#;
    let outcome = Anthropic.decode(body);
    let usage = completion(&outcome).usage;
    assert_eq!((usage.cache_write_5m_tokens, usage.cache_write_1h_tokens), (Some(9), None));
    assert_eq!(usage.cache_read_tokens, None);
}

#[test]
fn money_is_not_rate_whatever_its_status() {
    let fails = |status, body: Value| {
        let failure = Anthropic.classify(status, &HeaderMap::new(), body.to_string().as_bytes());
        (failure.kind, failure.retry)
    };
    let error = |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}});
    let exhausted = (FailureKind::QuotaExhausted, Retry::No);
    let limit = "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.";
    assert_eq!(fails(400, error("invalid_request_error", limit)), exhausted);
    let credit = "Your credit balance is too low to access the Anthropic API.";
    assert_eq!(fails(400, error("invalid_request_error", credit)), exhausted);
    let details = json!({"error_code": "enforced_spend_limit_reached"});
    let spend = json!({"error": {"type": "rate_limit_error", "message": "Limit", "details": details}});
    assert_eq!(fails(429, spend), exhausted);
    assert_eq!(fails(429, error("rate_limit_error", "Slow")).1, Retry::RateLimited { after: None });
    assert_eq!(fails(400, error("not_found_error", "model: x")), (FailureKind::NotFound, Retry::No));
    assert_eq!(fails(400, error("invalid_request_error", "bad")), (FailureKind::BadRequest, Retry::No));
}

#[test]
fn an_error_inside_an_answer_means_what_its_status_would() {
    let fails = |kind: &str| {
        let error = json!({"type": "error", "error": {"type": kind, "message": "no"}});
        let failure = stream(std::slice::from_ref(&error)).outcome.failure().cloned().unwrap();
        assert_eq!(Anthropic.decode(error.to_string().as_bytes()).failure(), Some(&failure), "the same when whole");
        assert_eq!(failure.status, None, "the status was 200");
        (failure.kind, failure.retry)
    };
    assert_eq!(fails("overloaded_error"), (FailureKind::Server, Retry::Transient));
    assert_eq!(fails("api_error"), (FailureKind::Server, Retry::Transient));
    assert_eq!(fails("rate_limit_error"), (FailureKind::RateLimited, Retry::RateLimited { after: None }));
    assert_eq!(fails("billing_error"), (FailureKind::QuotaExhausted, Retry::No));
    assert_eq!(fails("permission_error"), (FailureKind::Unauthorised, Retry::No));
    assert_eq!(fails("invalid_request_error"), (FailureKind::BadRequest, Retry::No));
}

#[test]
fn an_empty_split_by_lifetime_hides_no_written_tokens() {
    let body = json!({"content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn", "model": "m",
                      "usage": {"input_tokens": 3, "cache_creation_input_tokens": 2000, "cache_creation": {},
                                "output_tokens": 1}});
    let usage = completion(&Anthropic.decode(body.to_string().as_bytes())).usage;
    assert_eq!((usage.cache_write_5m_tokens, usage.cache_write_1h_tokens), (Some(2000), None));
}
