//! What is asked, and what each answer shows.

use super::*;
use crate::exchange::{Completion, Retry, Stop};
use crate::provider::load;

fn provider(name: &str) -> Provider {
    load::load(&[]).unwrap().get(name).unwrap().clone()
}

fn completion(text: &str) -> Completion {
    let usage = Usage { input_uncached_tokens: Some(10), output_tokens: Some(4), ..Usage::default() };
    Completion {
        text: text.into(),
        reasoning: String::new(),
        from_tool: false,
        stop: Stop::End,
        usage,
        served_model: None,
    }
}

fn seen(purpose: Purpose, outcome: Outcome) -> Seen {
    Seen { purpose, outcome, streamed: purpose != Purpose::Answer, ttft_ms: None }
}

fn failing(kind: FailureKind, status: u16) -> Outcome {
    Outcome::Failed(Failure { kind, status: Some(status), message: "no".into(), retry: Retry::No })
}

/// The finding on one feature after these answers of groq's smallest model.
fn found(feature: Feature, answers: &[Seen]) -> Finding {
    let groq = provider("groq");
    let report = evaluate(&groq, &groq.models["openai/gpt-oss-20b"], &[], answers);
    report.findings.into_iter().find(|finding| finding.feature == feature).unwrap()
}

#[test]
fn the_cheapest_model_that_can_be_asked_is_chosen() {
    assert_eq!(choose(&provider("openai"), "2026-11-25").unwrap().0, "gpt-5-nano");
    // It retires on 2026-12-11.
    assert_eq!(choose(&provider("openai"), "2026-12-11").unwrap().0, "gpt-6-luna");
    let together = provider("together");
    assert!(!can_be_asked(&together.models["meta-llama/Llama-3.3-70B-Instruct-Turbo"], "2026-11-25"));
    let openai = provider("openai");
    let tuned = &openai.models["ft:gpt-4.1-mini-2025-04-14"];
    assert!(!can_be_asked(tuned, "2026-11-25"));
    let own = Model { served_as: "ft:gpt-4.1-mini-2025-04-14:acme::abc".into(), ..tuned.clone() };
    assert!(can_be_asked(&own, "2026-11-25"));
}

#[test]
fn a_placeholder_is_a_word_in_capitals() {
    assert_eq!(placeholder("https://RESOURCE.openai.azure.com/openai/v1"), Some("RESOURCE"));
    assert_eq!(placeholder("https://eu-aiplatform.googleapis.com/v1/projects/PROJECT/locations/eu"), Some("PROJECT"));
    assert_eq!(placeholder("https://api.example.com/v1/%2Fx/aBC"), None);
}

#[test]
fn the_cache_is_asked_where_that_is_known_to_be_cheap() {
    let asks_cache = |name: &str, model: &str, choice| {
        let provider = provider(name);
        let plan = plan(&provider, &provider.models[model], choice);
        assert_eq!(plan.skipped.iter().any(|finding| finding.feature == Feature::Cache), plan.steps.len() < 5);
        plan.steps.iter().any(|step| step.purpose == Purpose::CacheRead)
    };
    assert!(asks_cache("openai", "gpt-6-luna", CacheChoice::IfCheap));
    assert!(!asks_cache("openai", "gpt-6-luna", CacheChoice::Never));
    assert!(!asks_cache("openai", "gpt-6-astra", CacheChoice::IfCheap));
    assert!(asks_cache("openai", "gpt-6-astra", CacheChoice::Always));
    assert!(!asks_cache("bedrock", "nova-2-lite", CacheChoice::IfCheap));
    assert!(asks_cache("vllm", "qwen2.5-7b", CacheChoice::IfCheap));
}

#[test]
fn the_prefix_is_longer_than_the_cache_keeps_at_least() {
    let haiku = provider("anthropic");
    let plan = plan(&haiku, &haiku.models["claude-haiku-4-5"], CacheChoice::Always);
    let words = |step: &Step| step.request.messages[0].content.split_whitespace().count();
    let long: Vec<_> = plan.steps.iter().filter(|step| step.request.cache.is_some()).collect();
    assert!(words(long[0]) > 4096);
    assert_eq!(long[0].request, long[1].request, "the same request twice");
    assert_eq!(long[0].request.stable_messages, 1);
}

#[test]
fn a_model_without_forced_calls_is_not_asked_for_one() {
    let anthropic = provider("anthropic");
    let plan = plan(&anthropic, &anthropic.models["claude-opus-5-5"], CacheChoice::Never);
    assert!(plan.steps.iter().all(|step| step.purpose != Purpose::Tool));
    assert_eq!(plan.skipped[0].feature, Feature::Tool);
}

#[test]
fn a_refused_key_is_told_from_a_missing_model() {
    let answers = [seen(Purpose::Answer, failing(FailureKind::Unauthorised, 401))];
    assert_eq!(found(Feature::Key, &answers).state, State::No);
    assert_eq!(found(Feature::Model, &answers).state, State::Skipped);
    let answers = [seen(Purpose::Answer, failing(FailureKind::NotFound, 404))];
    assert_eq!(found(Feature::Key, &answers).state, State::Ok);
    assert_eq!(found(Feature::Model, &answers).state, State::No);
    assert_eq!(found(Feature::Schema, &answers).state, State::Skipped);
}

#[test]
fn a_redirect_says_nothing_of_the_key() {
    let answers = [seen(Purpose::Answer, failing(FailureKind::NotFound, 302))];
    assert_eq!(found(Feature::Key, &answers).state, State::Skipped);
    assert_eq!(found(Feature::Model, &answers).state, State::No);
}

#[test]
fn what_follows_a_request_without_an_answer_is_not_asked() {
    let silent = seen(Purpose::Stream, failing(FailureKind::Timeout, 0));
    let answers = [seen(Purpose::Answer, Outcome::Answered(completion("hello"))), silent];
    assert_eq!(found(Feature::Model, &answers).state, State::Ok);
    assert_eq!(found(Feature::Schema, &answers).detail, "not asked, since an earlier request was not answered");
}

#[test]
fn an_answer_that_ignores_the_schema_is_seen() {
    let schema = |text: &str| found(Feature::Schema, &[seen(Purpose::Schema, Outcome::Answered(completion(text)))]);
    assert_eq!(schema("{\"answer\": \"yes\"}").state, State::Ok);
    assert_eq!(schema("Yes, it is.").state, State::No);
    assert!(schema("{\"answer\": \"maybe\"}").detail.contains("/answer"));
    let called = Completion { from_tool: true, ..completion("{\"answer\":\"no\"}") };
    assert_eq!(found(Feature::Tool, &[seen(Purpose::Tool, Outcome::Answered(called))]).state, State::Ok);
    let plain = completion("{\"answer\":\"no\"}");
    assert_eq!(found(Feature::Tool, &[seen(Purpose::Tool, Outcome::Answered(plain))]).state, State::No);
}

#[test]
fn a_busy_server_says_nothing_of_a_feature() {
    let schema = |kind, status| found(Feature::Schema, &[seen(Purpose::Schema, failing(kind, status))]).state;
    assert_eq!(schema(FailureKind::BadRequest, 400), State::No);
    assert_eq!(schema(FailureKind::RateLimited, 429), State::Skipped);
    assert_eq!(schema(FailureKind::Server, 503), State::Skipped);
    let down = [seen(Purpose::Answer, failing(FailureKind::Server, 503))];
    assert_eq!(found(Feature::Key, &down).state, State::Skipped);
    assert_eq!(found(Feature::Model, &down).state, State::No);
}

#[test]
fn cached_tokens_are_zero_unknown_or_read() {
    let read = |tokens: Option<u64>| {
        let usage = Usage { cache_read_tokens: tokens, ..completion("").usage };
        let answer = Completion { usage, ..completion("x") };
        found(Feature::Cache, &[seen(Purpose::CacheRead, Outcome::Answered(answer))])
    };
    assert_eq!(read(Some(900)).detail, "the second request read 900 of 910 prompt tokens from the cache");
    assert_eq!(read(Some(0)).detail, "the second request read 0 of 10 prompt tokens from the cache");
    assert_eq!(read(None).state, State::No);
}

#[test]
fn the_cost_is_exact_and_unknown_without_a_count() {
    let groq = provider("groq");
    let model = &groq.models["openai/gpt-oss-20b"];
    let answered = seen(Purpose::Answer, Outcome::Answered(completion("hello")));
    // 10 x 0.075 + 4 x 0.3 = 1.95 micro-dollars, twice.
    let report = evaluate(&groq, model, &[], &[answered.clone(), answered]);
    assert_eq!(report.cost, Some(Usd::from_pico(3_900_000)));
    let silent = Completion { usage: Usage::default(), ..completion("hello") };
    let report = evaluate(&groq, model, &[], &[seen(Purpose::Answer, Outcome::Answered(silent))]);
    assert_eq!(report.cost, None);
    assert!(report.usable);
}
