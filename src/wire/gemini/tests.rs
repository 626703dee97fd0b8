use super::*;
use std::time::Duration;

use crate::exchange::{CacheAsk, CacheLifetime, Completion, FailureKind, NamedSchema, Retry, Stop, Usage};
use crate::wire::Reading;

fn request(model: &str, params: Value) -> Request {
    let message = |role, content: &str| Message { role, content: content.into() };
    Request {
        model: model.into(),
        messages: vec![
            message(Role::System, "Sort tickets."),
            message(Role::User, "A shot"),
            message(Role::Assistant, "billing"),
            message(Role::User, "Where is my invoice?"),
        ],
        stable_messages: 3,
        cache: None,
        params: params.as_object().unwrap().clone(),
        output: OutputMode::Text,
        stream: false,
    }
}

fn tool() -> OutputMode {
    OutputMode::Tool(NamedSchema { name: "answer".into(), schema: json!({"type": "object"}) })
}

fn stored(name: Option<&str>) -> Option<CacheAsk> {
    let stored = name.map(str::to_owned);
    Some(CacheAsk { lifetime: CacheLifetime::FiveMinutes, explicit: true, key: "ceiling-1".into(), stored })
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&Gemini.encode(request, &Target::default()).body).unwrap()
}

fn vertex() -> Target {
    Target { dialect: Dialect::Vertex, ..Target::default() }
}

fn stream(events: &[Value]) -> Reading {
    let mut decoder = Gemini.stream();
    events.iter().for_each(|event| decoder.event(&event.to_string()));
    decoder.finish()
}

fn completion(outcome: &Outcome) -> &Completion {
    outcome.completion().unwrap_or_else(|| panic!("{outcome:?}"))
}

#[test]
fn the_path_names_the_model_and_the_way_of_answering() {
    let path = |model: &str, stream, target: &Target| {
        let request = Request { stream, ..request(model, json!({})) };
        Gemini.encode(&request, target).route.path.into_owned()
    };
    let plain = Target::default();
    assert_eq!(path("gemini-3.6-flash", false, &plain), "/models/gemini-3.6-flash:generateContent");
    assert_eq!(path("gemini-3.6-flash", true, &plain), "/models/gemini-3.6-flash:streamGenerateContent?alt=sse");
    assert_eq!(path("tunedModels/x y?", false, &plain), "/tunedModels/x%20y%3F:generateContent");
    let google = "/publishers/google/models/gemini-2.5-flash@001:generateContent";
    assert_eq!(path("gemini-2.5-flash@001", false, &vertex()), google);
    assert_eq!(path("endpoints/42", false, &vertex()), "/endpoints/42:generateContent");
    let full = "projects/p/locations/europe-west4/endpoints/42";
    assert_eq!(path(full, false, &vertex()), "/endpoints/42:generateContent");
}

#[test]
fn the_digest_knows_the_model_but_not_the_way_of_answering() {
    let digest = |model: &str, stream, target: &Target| {
        Gemini.encode(&Request { stream, ..request(model, json!({})) }, target).digest
    };
    let plain = Target::default();
    let one = digest("gemini-3.6-flash", false, &plain);
    assert_eq!(one, digest("gemini-3.6-flash", true, &plain));
    assert_eq!(one, digest("models/gemini-3.6-flash", true, &plain));
    assert_eq!(one, digest("gemini-3.6-flash", true, &vertex()));
    assert_ne!(one, digest("gemini-3.5-flash", false, &plain));
    assert_ne!(digest("endpoints/1", false, &vertex()), digest("endpoints/2", false, &vertex()));
    let fields = body(&request("gemini-3.6-flash", json!({})));
    let received = "/v1beta/models/gemini-3.6-flash:generateContent";
    assert_eq!(Gemini.digest(received, fields.as_object().unwrap()), one, "what the server sees before the path");
}

#[test]
fn parameters_go_where_the_wire_wants_them_in_any_order() {
    let params = json!({"top_p": 0.9, "temperature": 0, "top_k": 4, "seed": 7, "max_tokens": 9, "stop": "END",
                        "candidateCount": 1, "safetySettings": [], "generationConfig": {"logprobs": 2}});
    let asked = request("gemini-3.6-flash", params.clone());
    let sent = body(&asked);
    assert_eq!(
        sent["generationConfig"],
        json!({"candidateCount": 1, "logprobs": 2, "maxOutputTokens": 9, "seed": 7, "stopSequences": ["END"],
               "temperature": 0, "topK": 4, "topP": 0.9})
    );
    assert_eq!(sent["safetySettings"], json!([]));
    let backwards = params.as_object().unwrap().iter().rev().map(|(key, value)| (key.clone(), value.clone()));
    let again = Request { params: backwards.collect(), ..asked.clone() };
    let encode = |request| Gemini.encode(request, &Target::default()).digest;
    assert_eq!(encode(&again), encode(&asked));
    assert_eq!(body(&request("m", json!({}))).get("generationConfig"), None, "nothing is set that was not set");
}

#[test]
fn effort_is_a_level_or_before_gemini_3_a_budget() {
    let config = |model: &str, params| body(&request(model, params))["generationConfig"]["thinkingConfig"].clone();
    let effort = |word: &str| json!({"reasoning_effort": word});
    assert_eq!(config("gemini-3.6-flash", effort("low")), json!({"thinkingLevel": "LOW"}));
    assert_eq!(config("gemini-3.6-flash", effort("none")), json!({"thinkingLevel": "MINIMAL"}));
    assert_eq!(config("gemini-2.5-flash", effort("none")), json!({"thinkingBudget": 0}));
    assert_eq!(config("gemini-2.5-flash", effort("medium")), json!({"thinkingBudget": 8192}));
    assert_eq!(
        config("gemini-2.5-flash", effort("xhigh")),
        json!({"thinkingLevel": "XHIGH"}),
        "refused, with a reason"
    );
    let own = json!({"reasoning_effort": "low", "thinkingConfig": {"thinkingBudget": 5}});
    assert_eq!(config("gemini-2.5-flash", own), json!({"thinkingBudget": 5}), "both at once are refused");
    let shown = json!({"reasoning_effort": "low", "thinkingConfig": {"includeThoughts": true}});
    assert_eq!(config("gemini-3.6-flash", shown), json!({"includeThoughts": true, "thinkingLevel": "LOW"}));
}

#[test]
fn a_stored_prefix_is_named_and_not_sent_again() {
    let whole = Request { output: tool(), ..request("gemini-3.6-flash", json!({"max_tokens": 9})) };
    let asked = Request { cache: stored(Some("cachedContents/x")), ..whole.clone() };
    assert_eq!(
        body(&asked),
        json!({"contents": [{"role": "user", "parts": [{"text": "Where is my invoice?"}]}],
               "generationConfig": {"maxOutputTokens": 9}, "cachedContent": "cachedContents/x"})
    );
    let digest = |request| Gemini.encode(request, &Target::default()).digest;
    assert_eq!(digest(&asked), digest(&whole), "where the prefix lies is no part of what is asked");
}

#[test]
fn a_prefix_that_the_suite_names_is_part_of_what_is_asked() {
    let digest = |name: &str| {
        let asked = request("gemini-3.6-flash", json!({"cachedContent": name}));
        Gemini.encode(&asked, &Target::default()).digest
    };
    assert_ne!(digest("cachedContents/a"), digest("cachedContents/b"));
}

#[test]
fn what_is_stored_is_what_the_requests_leave_out() {
    let mut asked = Request { cache: stored(None), output: tool(), ..request("gemini-3.6-flash", json!({})) };
    let creation = |request: &Request, target: &Target, base_url: &str| {
        cached::creation(request, target, base_url).map(|body| serde_json::from_slice::<Value>(&body).unwrap())
    };
    let whole = body(&asked);
    let made = creation(&asked, &Target::default(), "https://generativelanguage.googleapis.com/v1beta").unwrap();
    assert_eq!(made["model"], "models/gemini-3.6-flash");
    assert_eq!((&made["ttl"], &made["displayName"]), (&json!("300s"), &json!("ceiling-1")));
    for key in ["systemInstruction", "tools", "toolConfig"] {
        assert_eq!(made[key], whole[key], "{key}");
    }
    let turns = [made["contents"].as_array().unwrap().clone(), vec![whole["contents"][2].clone()]].concat();
    assert_eq!(Value::from(turns), whole["contents"]);

    let place = "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4";
    let on_vertex = creation(&asked, &vertex(), place).unwrap();
    let name = "projects/p/locations/europe-west4/publishers/google/models/gemini-3.6-flash";
    assert_eq!(on_vertex["model"], name);

    asked.stable_messages = 0;
    assert_eq!(creation(&asked, &Target::default(), ""), None, "the system text differs between examples");
    asked.cache = stored(Some("cachedContents/x"));
    assert_eq!(body(&asked), whole, "and is sent");
}

#[test]
fn a_stored_prefix_is_read_deleted_and_missed() {
    let text = br#"{"name":"projects/1/locations/l/cachedContents/9","expireTime":"2026-11-24T21:45:00.5Z","usageMetadata":{"totalTokenCount":4300}}"#;
    let made = cached::created(text).unwrap();
    assert_eq!((made.expires_at_unix_ms, made.tokens), (Some(1_795_556_700_500), Some(4300)));
    assert_eq!(made.path(), "/cachedContents/9");
    assert_eq!(cached::created(b"{}").unwrap_err().kind, FailureKind::Malformed);
    let gone = br#"{"error":{"code":403,"message":"CachedContent not found (or permission denied)","status":"PERMISSION_DENIED"}}"#;
    let failure = Gemini.classify(403, &HeaderMap::new(), gone);
    assert!(cached::is_gone(&failure));
    assert_eq!(failure.kind, FailureKind::NotFound, "the key is not to blame");
}

#[test]
fn a_blocked_prompt_is_a_refusal() {
    let block = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 41}});
    let whole = Gemini.decode(block.to_string().as_bytes());
    let streamed = stream(&[block]);
    assert_eq!(streamed.outcome, whole);
    assert_eq!(streamed.first_output_event, None);
    assert!(matches!(whole, Outcome::Refused(_)), "{whole:?}");
    let usage = completion(&whole).usage;
    assert_eq!((usage.input_uncached_tokens, usage.output_tokens), (Some(41), Some(0)), "zeros are left out");
}

#[test]
fn usage_that_never_came_is_unknown() {
    let body = br#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}]}"#;
    assert_eq!(completion(&Gemini.decode(body)).usage, Usage::default());
}

#[test]
fn a_malformed_call_is_an_answer_that_is_no_good() {
    let body = br#"{"candidates":[{"content":{},"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"answer("}]}"#;
    let outcome = Gemini.decode(body);
    assert_eq!((outcome.as_str(), completion(&outcome).text.as_str()), ("answered", ""));
    assert_eq!(completion(&outcome).stop, Stop::Other);
}

#[test]
fn thoughts_may_leave_no_room_for_an_answer() {
    let body = br#"{"candidates":[{"content":{"role":"model"},"finishReason":"MAX_TOKENS"}],
                    "usageMetadata":{"promptTokenCount":9,"thoughtsTokenCount":64}}"#;
    let outcome = Gemini.decode(body);
    assert_eq!(outcome.as_str(), "truncated");
    let usage = completion(&outcome).usage;
    assert_eq!((usage.output_tokens, usage.reasoning_tokens), (Some(64), Some(64)));
}

#[test]
fn a_call_without_arguments_is_an_empty_object_and_a_second_call_is_not_the_answer() {
    let parts = json!([{"functionCall": {"name": "answer"}}, {"functionCall": {"name": "answer", "args": {"x": 1}}}]);
    let chunk = json!({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]});
    let reading = stream(&[chunk]);
    let said = completion(&reading.outcome);
    assert_eq!((said.text.as_str(), said.from_tool, said.stop), ("{}", true, Stop::ToolCall));
    assert_eq!(reading.first_visible_event, Some(0));
}

#[test]
fn a_stream_without_a_reason_to_finish_is_cut() {
    let kind = |reading: Reading| reading.outcome.failure().map(|failure| failure.kind);
    let text = json!({"candidates": [{"content": {"parts": [{"text": "x"}]}}]});
    assert_eq!(kind(stream(std::slice::from_ref(&text))), Some(FailureKind::Cut));
    assert_eq!(kind(stream(&[])), Some(FailureKind::Cut));
    assert_eq!(kind(stream(&[json!("what?")])), Some(FailureKind::Malformed));
    let whole = Gemini.decode(text.to_string().as_bytes());
    assert_eq!(whole.failure().map(|failure| failure.kind), Some(FailureKind::Malformed));
}

#[test]
fn the_body_says_how_long_to_wait_and_whether_to() {
    let fails = |status, code: &str, details: Value| {
        let error = json!({"error": {"code": status, "message": "no", "status": code, "details": details}});
        let failure = Gemini.classify(status, &HeaderMap::new(), error.to_string().as_bytes());
        let array = Gemini.classify(status, &HeaderMap::new(), json!([error]).to_string().as_bytes());
        assert_eq!(array, failure, "an answer in place of a stream is an array");
        (failure.kind, failure.retry)
    };
    let exhausted = (FailureKind::QuotaExhausted, Retry::No);
    let quota = |id: &str, value: &str| json!({"violations": [{"quotaId": id, "quotaValue": value}]});
    let wait = |delay: &str| json!({"retryDelay": delay});
    let minute = "GenerateRequestsPerMinutePerProjectPerModel";
    let day = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
    let limited = |details| fails(429, "RESOURCE_EXHAUSTED", details);
    let after = |ms| (FailureKind::RateLimited, Retry::RateLimited { after: Some(Duration::from_millis(ms)) });
    assert_eq!(limited(json!([quota(minute, "5"), wait("46.2s")])), after(46_200));
    assert_eq!(limited(json!([])), (FailureKind::RateLimited, Retry::RateLimited { after: None }));
    assert_eq!(limited(json!([wait("600s")])), (FailureKind::RateLimited, Retry::No));
    assert_eq!(limited(json!([wait("soon")])).1, Retry::RateLimited { after: None });
    assert_eq!(limited(json!([quota(day, "20"), wait("18s")])), exhausted);
    assert_eq!(limited(json!([quota(minute, "0"), wait("18s")])), exhausted);
    assert_eq!(limited(json!([wait("30000s")])), exhausted);
    assert_eq!(fails(402, "", json!([])), exhausted);
    let unauthorised = (FailureKind::Unauthorised, Retry::No);
    assert_eq!(fails(400, "INVALID_ARGUMENT", json!([{"reason": "API_KEY_INVALID"}])), unauthorised);
    assert_eq!(fails(400, "FAILED_PRECONDITION", json!([])), unauthorised);
    assert_eq!(fails(400, "INVALID_ARGUMENT", json!([])), (FailureKind::BadRequest, Retry::No));
    assert_eq!(fails(503, "UNAVAILABLE", json!([])), (FailureKind::Server, Retry::Transient));
}

#[test]
fn an_error_inside_a_stream_means_what_its_code_would() {
    let error = json!({"error": {"code": 429, "message": "no", "details": [{"retryDelay": "2s"}]}});
    let failure = stream(&[error]).outcome.failure().cloned().unwrap();
    let after = Some(Duration::from_secs(2));
    assert_eq!((failure.kind, failure.status), (FailureKind::RateLimited, None));
    assert_eq!(failure.retry, Retry::RateLimited { after });
}
