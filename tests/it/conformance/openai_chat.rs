//! The chat wire.

use ceiling::exchange::{FailureKind, NamedSchema, Outcome, OutputMode, Request, Retry, Stop};
use ceiling::provider::{Dialect, Target, WireKind};
use ceiling::trial::Received;
use ceiling::wire::{self, fit::Profile};
use http::HeaderMap;
use serde_json::{Value, json};

use super::{Contract, caches, fixtures, json_of, modes, request};

const CHAT: Contract = Contract { wire: WireKind::OpenaiChat, folders: &["openai_chat", "openai_compatible"] };

#[test]
fn every_request_is_one_that_the_official_schema_accepts() {
    let params = json!({"temperature": 0, "seed": 1, "max_completion_tokens": 64});
    CHAT.requests_are_valid("openai.chat_completions.schema.json", &Target::default(), &params, &|_, _| {});
}

reads_its_fixtures!(CHAT, check);

fn check(name: &str, outcome: &Outcome, body: &Value) {
    let completion = outcome.completion().unwrap_or_else(|| panic!("{name}: {outcome:?}"));
    let choice = &body["choices"][0];
    let stop = match choice["finish_reason"].as_str() {
        _ if choice["message"]["refusal"].is_string() => Stop::Refusal,
        Some("content_filter") => Stop::Refusal,
        Some("length") => Stop::Length,
        Some("tool_calls") => Stop::ToolCall,
        _ => Stop::End,
    };
    assert_eq!(completion.stop, stop, "{name}");
    match choice.pointer("/message/tool_calls/0/function/arguments") {
        Some(arguments) => assert_eq!(completion.text, arguments.as_str().unwrap(), "{name}"),
        None => assert_eq!(completion.text, choice["message"]["content"].as_str().unwrap_or_default(), "{name}"),
    }
    assert_eq!(completion.served_model.as_deref(), body["model"].as_str(), "{name}");
    let usage = &completion.usage;
    let prompt = [usage.input_uncached_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens];
    assert_eq!(prompt.iter().flatten().sum::<u64>(), body["usage"]["prompt_tokens"], "{name}");
    assert_eq!(usage.output_tokens, body["usage"]["completion_tokens"].as_u64(), "{name}");
    let cached = body.pointer("/usage/prompt_tokens_details/cached_tokens").and_then(Value::as_u64);
    assert_eq!(usage.cache_read_tokens, cached, "{name}");
}

#[test]
fn errors_are_asked_again_only_where_that_can_help() {
    CHAT.errors_are_classified();
}

const ALL: &[Dialect] = &[
    Dialect::Plain,
    Dialect::Openai,
    Dialect::Azure,
    Dialect::Groq,
    Dialect::Huggingface,
    Dialect::LlamaCpp,
    Dialect::Mistral,
    Dialect::Ollama,
    Dialect::Openrouter,
    Dialect::Together,
    Dialect::Vllm,
];

fn target(dialect: Dialect) -> Target {
    Target { dialect, ..Target::default() }
}

fn encoded(request: &Request, dialect: Dialect) -> Value {
    serde_json::from_slice(&wire::wire(WireKind::OpenaiChat).encode(request, &target(dialect)).body).unwrap()
}

#[test]
fn every_request_of_openai_and_azure_is_valid_with_its_cache() {
    let params = json!({"temperature": 0, "max_tokens": 64, "reasoning_effort": "low"});
    for dialect in [Dialect::Openai, Dialect::Azure] {
        CHAT.requests_are_valid("openai.chat_completions.schema.json", &target(dialect), &params, &|request, body| {
            assert_eq!((body.get("max_tokens"), &body["max_completion_tokens"]), (None, &json!(64)));
            let cache = request.cache.as_ref();
            assert_eq!(body.get("prompt_cache_key").is_some(), cache.is_some());
            let explicit = cache.is_some_and(|ask| ask.explicit);
            assert_eq!(body.get("prompt_cache_options").is_some(), explicit);
            let marked: Vec<_> = (0..4).filter(|at| body["messages"][at]["content"].is_array()).collect();
            assert_eq!(marked, if explicit { vec![2] } else { vec![] }, "the end of the stable prefix");
        });
    }
    let streamed = request(OutputMode::Text, true, &json!({}));
    assert_eq!(encoded(&streamed, Dialect::Openai)["stream_options"]["include_obfuscation"], false);
    assert_eq!(encoded(&streamed, Dialect::Azure)["stream_options"], json!({"include_usage": true}));
}

#[test]
fn a_mark_needs_a_stable_prefix() {
    let nothing =
        Request { cache: caches()[3].clone(), stable_messages: 0, ..request(OutputMode::Text, true, &json!({})) };
    let body = encoded(&nothing, Dialect::Openai);
    assert_eq!(body.get("prompt_cache_options"), None, "explicit without a mark would mean no caching");
}

/// The recordings are looked up by the digests of such bodies.
#[test]
fn bodies_of_unknown_hosts_and_llama_cpp_stay_as_they_were() {
    let params = json!({"temperature": 0, "seed": 1, "max_tokens": 8});
    for dialect in [Dialect::Plain, Dialect::LlamaCpp, Dialect::Vllm] {
        for cache in caches() {
            let request = Request { cache, ..request(modes()[2].clone(), true, &params) };
            let http = wire::wire(WireKind::OpenaiChat).encode(&request, &target(dialect));
            insta::assert_snapshot!("plain_body", String::from_utf8(http.body.to_vec()).unwrap());
        }
    }
}

#[test]
fn hosts_get_parameters_by_their_own_names() {
    let params = json!({"seed": 7, "max_tokens": 1, "max_completion_tokens": 2});
    let names = |dialect| {
        let body = encoded(&request(OutputMode::Text, true, &params), dialect);
        ["seed", "random_seed", "max_tokens", "max_completion_tokens"].map(|name| body[name].as_u64())
    };
    assert_eq!(names(Dialect::Plain), [Some(7), None, Some(1), Some(2)]);
    assert_eq!(names(Dialect::Groq), [Some(7), None, Some(1), Some(2)]);
    assert_eq!(names(Dialect::Openai), [Some(7), None, None, Some(2)]);
    assert_eq!(names(Dialect::Mistral), [None, Some(7), Some(1), None]);
    for dialect in [Dialect::Together, Dialect::Huggingface, Dialect::Ollama] {
        assert_eq!(names(dialect), [Some(7), None, Some(1), None], "{dialect:?}");
    }
}

#[test]
fn hosts_get_only_the_stream_fields_that_they_take() {
    for dialect in ALL {
        for mode in modes() {
            let schema = matches!(mode, OutputMode::JsonSchema(_));
            let body = encoded(&request(mode, true, &json!({})), *dialect);
            let streamed = !(schema && *dialect == Dialect::Groq);
            assert_eq!(body.get("stream").is_some(), streamed, "{dialect:?}");
            let options = streamed && *dialect != Dialect::Mistral;
            assert_eq!(body.get("stream_options").is_some(), options, "{dialect:?}");
        }
    }
}

#[test]
fn groq_is_strict_with_gpt_oss_alone() {
    let strict = |model: &str| {
        let request = Request { model: model.into(), ..request(modes()[2].clone(), false, &json!({})) };
        let body = encoded(&request, Dialect::Groq);
        let served_as = model.to_owned();
        let profile = wire::wire(WireKind::OpenaiChat).schema_profile(&Target { served_as, ..target(Dialect::Groq) });
        (body["response_format"]["json_schema"]["strict"].as_bool().unwrap(), profile)
    };
    assert_eq!(strict("openai/gpt-oss-20b"), (true, Profile::OpenaiStrict));
    assert_eq!(strict("llama-3.3-70b-versatile"), (false, Profile::AsIs));
}

#[test]
fn fine_tunes_of_openai_take_a_smaller_schema() {
    for wire_kind in [WireKind::OpenaiChat, WireKind::OpenaiResponses] {
        let profile = |dialect, served_as: &str| {
            let served_as = served_as.to_owned();
            wire::wire(wire_kind).schema_profile(&Target { served_as, ..target(dialect) })
        };
        assert_eq!(profile(Dialect::Openai, "ft:gpt-4.1-mini-2025-04-14:org:x:id"), Profile::OpenaiTuned);
        assert_eq!(profile(Dialect::Openai, "gpt-6-luna"), Profile::OpenaiStrict);
        assert_eq!(profile(Dialect::Plain, "ft:x"), Profile::AsIs);
    }
}

#[test]
fn azures_older_address_names_the_deployment_and_the_version() {
    let target = Target { api_version: Some("2026-10-01-preview".into()), ..target(Dialect::Azure) };
    let request = Request { model: "my deployment".into(), ..request(OutputMode::Text, true, &json!({})) };
    let http = wire::wire(WireKind::OpenaiChat).encode(&request, &target);
    assert_eq!(http.route.path, "/openai/deployments/my%20deployment/chat/completions?api-version=2026-10-01-preview");
    let plain = wire::wire(WireKind::OpenaiChat).encode(&request, &self::target(Dialect::Azure));
    assert_eq!(plain.route.path, "/chat/completions");
    assert_eq!(http.body, plain.body);
}

/// A stream of these chunks, read.
fn streamed(chunks: &[Value]) -> wire::Reading {
    let mut decoder = wire::wire(WireKind::OpenaiChat).stream();
    chunks.iter().for_each(|chunk| decoder.event(&chunk.to_string()));
    decoder.finish()
}

fn delta(delta: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn end(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": null})
}

#[test]
fn azures_first_chunk_of_filter_results_says_nothing() {
    let filter = json!({"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]});
    let reading =
        streamed(&[filter, delta(json!({"role": "assistant"})), delta(json!({"content": "hi"})), end("stop")]);
    assert_eq!((reading.first_output_event, reading.outcome.as_str()), (Some(2), "answered"));
}

#[test]
fn a_filter_that_answers_with_an_error_is_a_refusal() {
    let outcome = |status, body: &Value| {
        let received = Received::Answer { status, body: body.to_string().into_bytes(), streamed: false };
        wire::read(WireKind::OpenaiChat, &received).outcome
    };
    let azure = json!({"error": {"code": "content_filter", "status": 400, "param": "prompt", "message": "filtered",
                                 "innererror": {"code": "ResponsibleAIPolicyViolation"}}});
    assert_eq!(outcome(400, &azure).as_str(), "refused");
    let openrouter = json!({"error": {"code": 403, "message": "flagged",
                                      "metadata": {"reasons": ["violence"], "flagged_input": "…"}}});
    assert_eq!(outcome(403, &openrouter).as_str(), "refused");
    let key = json!({"error": {"code": 403, "message": "no such key"}});
    assert_eq!(outcome(403, &key).failure().unwrap().kind, FailureKind::Unauthorised);
}

#[test]
fn exhausted_money_is_known_in_each_hosts_words() {
    let classify = |status, body: &Value| {
        wire::wire(WireKind::OpenaiChat).classify(status, &HeaderMap::new(), body.to_string().as_bytes()).kind
    };
    let groq =
        json!({"error": {"message": "spend limit", "type": "invalid_request_error", "code": "blocked_api_access"}});
    assert_eq!(classify(400, &groq), FailureKind::QuotaExhausted);
    let openrouter = json!({"error": {"code": 402, "message": "insufficient credits"}});
    assert_eq!(classify(402, &openrouter), FailureKind::QuotaExhausted);
    let midway = streamed(&[delta(json!({"content": "a"})), openrouter]);
    assert_eq!(midway.outcome.failure().unwrap().kind, FailureKind::QuotaExhausted);
}

#[test]
fn an_error_inside_a_stream_is_a_failure() {
    let midway = json!({"error": {"code": 502, "message": "gone"},
                        "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]});
    let groq = json!({"choices": [], "x_groq": {"error": "over capacity"}});
    for broken in [midway, groq, end("error")] {
        let reading = streamed(&[delta(json!({"content": "a"})), broken.clone()]);
        let failure = reading.outcome.failure().unwrap_or_else(|| panic!("{broken}"));
        assert_eq!((failure.kind, failure.retry), (FailureKind::Server, Retry::Transient), "{broken}");
    }
}

#[test]
fn groqs_usage_is_read_where_it_stands() {
    let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
                      "x_groq": {"id": "r", "usage": {"prompt_tokens": 9, "completion_tokens": 2}}});
    let reading = streamed(&[delta(json!({"content": "a"})), last]);
    assert_eq!(reading.outcome.completion().unwrap().usage.input_uncached_tokens, Some(9));
}

#[test]
fn deepseeks_cached_tokens_are_read() {
    let usage = json!({"prompt_tokens": 10, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2});
    let whole = json!({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": usage});
    let outcome = wire::wire(WireKind::OpenaiChat).decode(whole.to_string().as_bytes());
    let usage = outcome.completion().unwrap().usage;
    assert_eq!((usage.input_uncached_tokens, usage.cache_read_tokens), (Some(2), Some(8)));
}

#[test]
fn hosts_words_for_the_end_are_known() {
    for (reason, ends_as) in [("eos", "answered"), ("model_length", "truncated"), ("content_filter", "refused")] {
        assert_eq!(streamed(&[delta(json!({"content": "a"})), end(reason)]).outcome.as_str(), ends_as, "{reason}");
    }
}

#[test]
fn mistrals_thinking_parts_are_kept_apart() {
    let thinking = json!({"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]});
    let reading = streamed(&[
        delta(json!({"content": [thinking]})),
        delta(json!({"content": [{"type": "text", "text": "yes"}]})),
        end("stop"),
    ]);
    let said = reading.outcome.completion().unwrap();
    assert_eq!((said.text.as_str(), said.reasoning.as_str()), ("yes", "hm"));
    assert_eq!((reading.first_output_event, reading.first_visible_event), (Some(0), Some(1)));
}

#[test]
fn reasoning_in_tags_is_kept_apart_whole_and_streamed() {
    let whole = json!({"choices": [{"message": {"content": "<think>\nhm\n</think>\n\nyes"}, "finish_reason": "stop"}]});
    let outcome = wire::wire(WireKind::OpenaiChat).decode(whole.to_string().as_bytes());
    let said = outcome.completion().unwrap();
    assert_eq!((said.text.as_str(), said.reasoning.as_str()), ("yes", "hm"));
    let pieces = ["<th", "ink>", "hm", "</think>", "\n\n", "y", "es"].map(|text| delta(json!({"content": text})));
    let reading = streamed(&[pieces.as_slice(), &[end("stop")]].concat());
    let said = reading.outcome.completion().unwrap();
    assert_eq!((said.text.as_str(), said.reasoning.as_str()), ("yes", "hm"));
    assert_eq!((reading.first_output_event, reading.first_visible_event), (Some(0), Some(5)));
}

#[test]
fn bodies_of_other_servers_can_be_made() {
    let Some(fixtures) = fixtures("request bodies of other servers") else { return };
    let folder = fixtures.join("providers/openai_compatible");
    for (file, dialect) in [
        ("request_vllm_structured_outputs.json", Dialect::Vllm),
        ("request_llamacpp_json_schema.json", Dialect::LlamaCpp),
    ] {
        let wanted = json_of(&folder.join(file));
        let native = wanted["response_format"]["json_schema"].clone();
        let output = match native.is_object() {
            true => OutputMode::JsonSchema(NamedSchema { name: "ticket".into(), schema: native["schema"].clone() }),
            false => OutputMode::Text,
        };
        let messages = serde_json::from_value(wanted["messages"].clone()).unwrap();
        let params =
            json!({"temperature": wanted["temperature"], "seed": wanted["seed"], "max_tokens": wanted["max_tokens"]});
        let own = ["structured_outputs", "chat_template_kwargs"];
        let extra_body = own.iter().filter_map(|key| Some(((*key).to_owned(), wanted.get(key)?.clone()))).collect();
        let model = wanted["model"].as_str().unwrap().to_owned();
        let request = Request { model, messages, ..request(output, false, &params) };
        let http = wire::wire(WireKind::OpenaiChat).encode(&request, &Target { extra_body, ..target(dialect) });
        let mut body: Value = serde_json::from_slice(&http.body).unwrap();
        if let Some(schema) = body.pointer_mut("/response_format/json_schema").and_then(Value::as_object_mut) {
            assert_eq!(schema.shift_remove("strict"), Some(json!(true)), "we say it, the fixture leaves it open");
        }
        assert_eq!(body, wanted, "{file}");
    }
}
