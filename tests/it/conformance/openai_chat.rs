//! The chat wire.

use ceiling::exchange::{Outcome, Stop};
use ceiling::provider::{Target, WireKind};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Contract;

const CHAT: Contract = Contract { wire: WireKind::OpenaiChat, folders: &["openai_chat", "openai_compatible"] };

#[test]
fn every_request_is_one_that_the_official_schema_accepts() {
    let params = json!({"temperature": 0, "seed": 1, "max_completion_tokens": 64});
    CHAT.requests_are_valid("openai.chat_completions.schema.json", &Target::default(), &params, &|_, _| {});
}

#[test]
fn streams_say_what_is_expected_of_them() {
    CHAT.streams_are_read();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_split_of_a_stream_says_the_same(
        place in 0..usize::MAX,
        cuts in prop::collection::vec(0.0..1.0_f64, 0..12),
    ) {
        CHAT.any_split_says_the_same(place, &cuts)?;
    }
}

#[test]
fn whole_answers_are_read() {
    CHAT.answers_are_read(&|name, outcome, body| check(name, outcome, body));
}

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
