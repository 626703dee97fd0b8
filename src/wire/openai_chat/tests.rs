use super::*;
use serde_json::json;

fn whole(body: &Value) -> Outcome {
    OpenaiChat.decode(body.to_string().as_bytes())
}

fn message(message: Value, finish_reason: &str) -> Value {
    json!({"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}]})
}

#[test]
fn a_second_call_of_a_whole_answer_is_not_the_answer() {
    // Whole answers number no calls.
    let calls = json!([
        {"id": "a", "type": "function", "function": {"name": "answer", "arguments": "{\"x\":1}"}},
        {"id": "b", "type": "function", "function": {"name": "answer", "arguments": "{\"x\":2}"}},
    ]);
    let outcome = whole(&message(json!({"content": null, "tool_calls": calls}), "tool_calls"));
    assert_eq!(outcome.completion().unwrap().text, "{\"x\":1}");
}

#[test]
fn arguments_may_be_the_object_itself() {
    let calls = json!([{"function": {"name": "answer", "arguments": {"x": 1}}}]);
    let outcome = whole(&message(json!({"content": "", "tool_calls": calls}), "tool_calls"));
    assert_eq!(outcome.completion().unwrap().text, "{\"x\":1}");
}

#[test]
fn an_answer_that_the_server_broke_off_is_a_failure() {
    for reason in ["error", "insufficient_system_resource", "abort"] {
        let outcome = whole(&message(json!({"content": "The ans"}), reason));
        let failure = outcome.failure().unwrap();
        assert_eq!((failure.kind, failure.retry), (FailureKind::Server, Retry::Transient), "{reason}");
    }
}

#[test]
fn an_empty_model_names_none() {
    let mut stream = OpenaiChat.stream();
    let events = [
        json!({"choices": [], "model": "", "prompt_filter_results": []}),
        json!({"choices": [{"index": 0, "delta": {"content": "yes"}, "finish_reason": "stop"}], "model": "m-1"}),
        json!({"choices": [], "model": "", "usage": {"prompt_tokens": 1, "completion_tokens": 1}}),
    ];
    events.iter().for_each(|event| stream.event(&event.to_string()));
    let reading = stream.finish();
    assert_eq!(reading.outcome.completion().unwrap().served_model.as_deref(), Some("m-1"));
}

#[test]
fn own_fields_are_merged_into_objects() {
    let request = Request {
        model: "m".into(),
        messages: vec![],
        stable_messages: 0,
        cache: None,
        params: json!({"chat_template_kwargs": {"a": 1, "b": {"c": 1}}}).as_object().unwrap().clone(),
        output: OutputMode::Text,
        stream: false,
    };
    let extra_body = json!({"chat_template_kwargs": {"b": {"d": 2}}, "lora": [1]}).as_object().unwrap().clone();
    let http = OpenaiChat.encode(&request, &Target { extra_body, ..Target::default() });
    let body: Value = serde_json::from_slice(&http.body).unwrap();
    assert_eq!(body["chat_template_kwargs"], json!({"a": 1, "b": {"c": 1, "d": 2}}));
    assert_eq!(body["lora"], json!([1]));
}

#[test]
fn an_error_may_be_the_whole_document() {
    let error = json!({"object": "error", "message": "too long", "type": "BadRequestError", "code": 400});
    let mut stream = OpenaiChat.stream();
    stream.event(&error.to_string());
    for outcome in [whole(&error), stream.finish().outcome] {
        let failure = outcome.failure().unwrap();
        assert_eq!((failure.kind, failure.retry), (FailureKind::BadRequest, Retry::No));
        assert!(failure.message.contains("too long"), "{failure:?}");
    }
}

#[test]
fn counts_that_are_none_lose_no_answer() {
    let mut body = message(json!({"content": "yes"}), "stop");
    for (usage, output) in [
        (json!({"prompt_tokens": 3.5, "completion_tokens": 2, "prompt_tokens_details": []}), Some(2)),
        (json!({"prompt_tokens": -1, "completion_tokens": "2", "completion_tokens_details": null}), None),
        (json!("none"), None),
        (Value::Null, None),
    ] {
        body["usage"] = usage;
        let outcome = whole(&body);
        let completion = outcome.completion().unwrap();
        assert_eq!((completion.text.as_str(), completion.usage.output_tokens), ("yes", output), "{body}");
        assert_eq!(completion.usage.input_uncached_tokens, None);
    }
}

#[test]
fn of_a_count_that_stands_there_twice_the_last_one_holds() {
    let body = r#"{"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens": 7,
                  "prompt_tokens_details": {"cached_tokens": 3, "cached_tokens": 5}}}"#;
    let Outcome::Answered(completion) = OpenaiChat.decode(body.as_bytes()) else { panic!("{body}") };
    let usage = completion.usage;
    assert_eq!(
        (usage.input_uncached_tokens, usage.cache_read_tokens, usage.output_tokens),
        (Some(2), Some(5), Some(2))
    );
}
