use super::*;
use crate::measure::accumulate::tests::{LIVE, graded};
use crate::measure::grade::EndpointFacts;
use crate::measure::grade::tests::facts;
use crate::provider::price::request_cost;
use crate::stats::cost::cache_factor;
use crate::units::UsdPerMillionTokens;

/// prices.toml: claude-haiku-4-5, USD per million tokens.
fn haiku() -> Price {
    let usd = UsdPerMillionTokens::from_f64;
    Price {
        input: usd(1.0),
        cache_read: usd(0.1),
        cache_write_5m: usd(1.25),
        cache_write_1h: usd(2.0),
        output: usd(5.0),
        ..Price::default()
    }
}

fn usage(uncached: u64, read: Option<u64>, written: Option<u64>, output: u64) -> Usage {
    Usage {
        input_uncached_tokens: Some(uncached),
        cache_read_tokens: read,
        cache_write_5m_tokens: written,
        output_tokens: Some(output),
        ..Usage::default()
    }
}

/// Answers in the order of their sending, a second apart.
fn tally(usages: &[Usage], price: &Price) -> CacheTally {
    let mut tally = CacheTally::default();
    for (place, usage) in usages.iter().enumerate() {
        let ttft_ms = Some(if usage.cache_read_tokens.unwrap_or(0) > 0 { 200.0 } else { 800.0 });
        let trial = GradedTrial { usage: *usage, cost: request_cost(usage, price), ttft_ms, ..graded("A", "A") };
        let at = ExchangeFacts { sent_at_unix_ms: 1_000 * place as i64, ..LIVE };
        tally.add(place as u32, &trial, at, Some(price));
    }
    tally
}

fn finish(tally: &CacheTally, facts: CacheFacts) -> CacheMeasurements {
    let clusters: Vec<u32> = (0..100).collect();
    let lifetime = CacheLifetime::FiveMinutes;
    tally.finish(&Context { facts: &facts, lifetime, stores: false, clusters: &clusters, alpha: 0.05 }).unwrap()
}

fn measured(usages: &[Usage]) -> CacheMeasurements {
    finish(&tally(usages, &haiku()), CacheFacts::default())
}

#[track_caller]
fn near(got: Option<f64>, expected: f64) {
    assert!(got.is_some_and(|got| (got - expected).abs() <= 1e-12 * expected.abs().max(1e-3)), "{got:?} {expected}");
}

fn point(estimate: Option<Estimate>) -> Option<f64> {
    estimate.and_then(|estimate| estimate.point)
}

/// The provider's published usage examples: a write of 3,190 tokens, then reads of them.
fn written_then_read(followers: usize) -> Vec<Usage> {
    let mut usages = vec![usage(12, Some(0), Some(3190), 20)];
    usages.resize(followers + 1, usage(12, Some(3190), Some(0), 20));
    usages
}

#[test]
fn repeats_of_an_example_are_no_further_evidence_of_the_hit_rate() {
    let hit_or_miss = |place: usize| usage(12, Some(if place.is_multiple_of(4) { 0 } else { 3190 }), Some(0), 20);
    let mut tally = tally(&[usage(12, Some(0), Some(3190), 20)], &haiku());
    for repeat in 0..3 {
        for place in 1..40 {
            let trial = GradedTrial { usage: hit_or_miss(place), ..graded("A", "A") };
            let at = ExchangeFacts { sent_at_unix_ms: 1_000 * (100 * repeat + place as i64), ..LIVE };
            tally.add(place as u32, &trial, at, None);
        }
    }
    let rate = finish(&tally, CacheFacts::default()).hit_rate.unwrap();
    assert_eq!((rate.n, rate.method), (3 * 39, Method::WilsonEffectiveN));
    // Three times the same 39 answers say no more than 39 (n - 1 of a variance makes it a little less sure).
    let once = crate::stats::proportion::wilson(30.0, 39.0, 0.05);
    assert!((rate.low - once.low).abs() < 0.01 && (rate.high - once.high).abs() < 0.01, "{rate:?} {once:?}");
}

#[test]
fn costs_are_those_of_a_hand_calculation() {
    let got = measured(&written_then_read(9));
    // Cold: 3,202 x 1.00 + 20 x 5.00 = 3,302 micro-dollars.
    near(point(got.cold_usd), 3302e-6);
    // A hit: 12 x 1.00 + 3,190 x 0.10 + 20 x 5.00 = 431. The write: 12 + 3,190 x 1.25 + 100 = 4,099.5.
    near(point(got.hit_usd), 431e-6);
    near(point(got.steady_usd), 431e-6);
    near(point(got.measured_usd), (4099.5 + 9.0 * 431.0) / 10.0 * 1e-6);
    near(got.cost_factor, 431.0 / 3302.0);
    assert_eq!((point(got.hit_rate), got.hit_rate.unwrap().n), (Some(1.0), 9));
    near(point(got.token_hit_rate), 9.0 * 3190.0 / (10.0 * 3202.0));
    near(got.read_tokens, 2871.0);
    near(got.written_tokens, 319.0);
    let leader = Leader { read_tokens: Some(0), written_tokens: Some(3190), ttft_ms: Some(800.0) };
    assert_eq!((got.leader, got.fault), (Some(leader), None));
    assert_eq!((got.ttft_warm.n(), got.ttft_cold.n()), (9, 1));
    assert_eq!(point(got.ttft_warm.p50), Some(200.0));
}

#[test]
fn the_steady_state_is_the_factor_that_measured_shares_predict() {
    // Nine in ten followers hit, one writes again.
    let mut usages = written_then_read(9);
    usages.push(usage(12, Some(0), Some(3190), 20));
    let got = measured(&usages);
    let (input, whole, hit_rate) = (3202.0 / 3302.0, 3190.0 / 3202.0, 0.9);
    near(got.cost_factor, cache_factor(input, whole, hit_rate, 0.1, 1.25).unwrap());
}

#[test]
fn what_is_not_reported_is_not_a_miss() {
    let got = measured(&[usage(100, None, None, 5), usage(100, None, None, 5)]);
    assert_eq!((got.hit_rate, got.token_hit_rate, got.read_tokens, got.written_tokens), (None, None, None, None));
    assert_eq!(got.fault, Some(CacheFault::NotReported));
    assert_eq!((got.ttft_warm.n(), got.ttft_cold.n()), (0, 0), "neither warm nor cold is known");
    let missed = measured(&[usage(100, Some(0), None, 5), usage(100, Some(0), None, 5)]);
    assert_eq!(point(missed.hit_rate), Some(0.0));
    assert_eq!(missed.fault, Some(CacheFault::NothingCached { min_tokens: None }));
}

#[test]
fn a_server_that_reports_hits_alone_missed_where_it_says_nothing() {
    let found = measured(&[usage(3202, None, None, 20), usage(3202, None, None, 20), usage(12, Some(3190), None, 20)]);
    near(point(found.hit_rate), 0.5);
    near(point(found.token_hit_rate), 3190.0 / (3.0 * 3202.0));
    assert_eq!(found.ttft_cold.n(), 2);
}

#[test]
fn each_way_to_miss_has_its_reason() {
    let cold = vec![usage(1_000, Some(0), Some(0), 5); 4];
    let fault = |usages: &[Usage], facts: CacheFacts| finish(&tally(usages, &haiku()), facts).fault;
    let minimum = |min| CacheFacts { min_tokens: Some(min), ..CacheFacts::default() };
    let short = CacheFault::PrefixTooShort { prompt_tokens: 1_000, min_tokens: 4_096 };
    assert_eq!(fault(&cold, minimum(4_096)), Some(short));
    assert_eq!(fault(&cold, minimum(512)), Some(CacheFault::NothingCached { min_tokens: Some(512) }));
    let varies = |prefix| CacheFacts { prefix, ..CacheFacts::default() };
    assert_eq!(fault(&cold, varies(PrefixFacts::SystemVaries)), Some(CacheFault::SystemVaries));
    assert_eq!(fault(&cold, varies(PrefixFacts::ShotsVary)), Some(CacheFault::ShotsVary));
    let written = vec![usage(10, Some(0), Some(990), 5); 4];
    assert_eq!(fault(&written, minimum(512)), Some(CacheFault::RarelyRead));
    // A cache that works is not blamed for what could have gone wrong.
    assert_eq!(fault(&written_then_read(5), varies(PrefixFacts::ShotsVary)), None);
}

#[test]
fn pauses_longer_than_the_lifetime_are_the_reason_of_their_misses() {
    let mut tally = tally(&vec![usage(10, Some(0), Some(990), 5); 4], &haiku());
    for (place, request) in tally.requests.iter_mut().enumerate() {
        request.sent_at = 400_000 * place as i64;
    }
    assert_eq!(finish(&tally, CacheFacts::default()).fault, Some(CacheFault::LifetimePassed));
}

#[test]
fn a_cache_that_costs_more_than_it_saves_is_flagged() {
    // Reads at the input price: every write is lost.
    let price = Price { cache_read: UsdPerMillionTokens::from_f64(1.0), ..haiku() };
    let mut usages = written_then_read(9);
    usages.push(usage(12, Some(0), Some(3190), 20));
    assert_eq!(finish(&tally(&usages, &price), CacheFacts::default()).fault, Some(CacheFault::CostsMore));
}

#[test]
fn answers_from_the_store_say_nothing_of_the_cache() {
    let mut tally = CacheTally::default();
    let trial = GradedTrial { usage: usage(12, Some(3190), Some(0), 20), ..graded("A", "A") };
    tally.add(0, &trial, ExchangeFacts { reused: true, ..LIVE }, None);
    let context = Context {
        facts: &CacheFacts::default(),
        lifetime: CacheLifetime::FiveMinutes,
        stores: false,
        clusters: &[0],
        alpha: 0.05,
    };
    assert!(tally.finish(&context).is_none());
}

#[test]
fn recorded_answers_have_no_leader() {
    let mut tally = tally(&written_then_read(3), &haiku());
    tally.recorded = 4;
    let got = finish(&tally, CacheFacts::default());
    assert_eq!((got.recorded, got.leader, got.hit_rate.unwrap().n), (true, None, 4));
}

#[test]
fn an_unknown_price_leaves_the_tokens_and_no_cost() {
    let EndpointFacts { price, .. } = facts();
    // Its row has no price of writes.
    let got = finish(&tally(&written_then_read(9), &price.unwrap()), CacheFacts::default());
    assert_eq!(got.measured_usd, None);
    assert!(got.cold_usd.is_some() && got.hit_rate.is_some());
}
