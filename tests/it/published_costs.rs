//! What an answer costs, from the usage that each provider publishes as an example and the prices
//! that ship, against sums made by hand. Each wire counts cached and hidden tokens in its own way.

use std::path::Path;

use ceiling::provider::WireKind;
use ceiling::provider::load::load;
use ceiling::provider::price::request_cost;
use ceiling::trial::Received;
use ceiling::units::Usd;
use ceiling::wire;

/// Stream, wire, provider, model, and the cost in millionths of a dollar, as its parts.
type Published = (&'static str, WireKind, &'static str, &'static str, &'static [(f64, f64)]);

const EXAMPLES: &[Published] = &[
    // The prompt of 3,210 tokens holds the 3,072 cached ones; the 140 of output hold 128 of reasoning.
    (
        "openai_chat/stream_usage_cached_reasoning.sse",
        WireKind::OpenaiChat,
        "openai",
        "gpt-6-luna",
        &[(138.0, 0.10), (3_072.0, 0.01), (140.0, 0.50)],
    ),
    (
        "openai_responses/stream_reasoning_cached.sse",
        WireKind::OpenaiResponses,
        "openai-responses",
        "gpt-6-luna",
        &[(138.0, 0.10), (3_072.0, 0.01), (140.0, 0.50)],
    ),
    // The 12 input tokens are those beside the 3,190 that were read, or written for an hour.
    (
        "anthropic_messages/stream_cached_thinking.sse",
        WireKind::Anthropic,
        "anthropic",
        "claude-sonnet-5-5",
        &[(12.0, 2.0), (3_190.0, 0.1), (64.0, 10.0)],
    ),
    (
        "anthropic_messages/stream_cache_write_1h.sse",
        WireKind::Anthropic,
        "anthropic",
        "claude-sonnet-5-5",
        &[(12.0, 2.0), (3_190.0, 4.0), (14.0, 10.0)],
    ),
    // The prompt of 4,320 holds the 4,300 cached ones; 48 tokens of thoughts come on top of the 12 of the answer.
    (
        "gemini/stream_cached_thoughts.sse",
        WireKind::Gemini,
        "gemini",
        "gemini-3.6-flash",
        &[(20.0, 0.75), (4_300.0, 0.075), (60.0, 3.75)],
    ),
];

#[test]
fn costs_agree_with_a_hand_calculation() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("CEILING_SHARED").map_or(beside, Into::into);
    let folder = shared.join("fixtures/providers");
    if !folder.is_dir() {
        println!("skipped: published usage: there is no {} (set CEILING_SHARED)", folder.display());
        return;
    }
    let providers = load(&[]).unwrap();
    for (stream, kind, provider, model, parts) in EXAMPLES {
        let body = std::fs::read(folder.join(stream)).unwrap();
        let reading = wire::read(*kind, &Received::Answer { status: 200, body, streamed: true });
        let completion = reading.outcome.completion().unwrap();
        assert_eq!(completion.served_model.as_deref(), Some(*model), "{stream}");
        let price = providers.get(provider).unwrap().models[*model].price.unwrap();
        let by_hand: f64 = parts.iter().map(|(tokens, usd_per_million)| tokens * usd_per_million).sum();
        let by_hand = Usd::from_f64((by_hand * 1e6).round() / 1e12);
        assert_eq!(request_cost(&completion.usage, &price), by_hand, "{stream}: {:?}", completion.usage);
    }
}
