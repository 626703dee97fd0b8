use super::*;
use crate::provider::{BatchPrice, LongPromptPrice};
use crate::units::UsdPerMillionTokens;

/// Prices as of claude-haiku-4-5: $1, read $0.1, written $1.25, output $5, half of it by batch.
fn price() -> Price {
    let usd = UsdPerMillionTokens::from_f64;
    Price {
        input: usd(1.0),
        cache_read: usd(0.1),
        cache_write_5m: usd(1.25),
        cache_write_1h: usd(2.0),
        output: usd(5.0),
        batch: BatchPrice { input: usd(0.5), cache_read: usd(0.05), output: usd(2.5) },
        ..Price::default()
    }
}

/// 3,500 bytes in one message, 2,800 of them alike: likely 1,004 tokens, 803 of them alike.
fn size(to_ask: u64) -> RequestSize {
    RequestSize {
        text_bytes: 3500,
        alike_bytes: 2800,
        messages: 1,
        answer_bytes: 18,
        to_ask,
        repeats: 1,
        ..RequestSize::default()
    }
}

fn basis() -> TokenBasis {
    TokenBasis { most_output: Some(32), ..TokenBasis::default() }
}

fn bill<'a>(sizes: &'a [RequestSize], basis: &'a TokenBasis, price: &'a Price) -> Bill<'a> {
    Bill { sizes, scale: (1, 1), basis, price, cache: CacheRules { asked: true, ..CacheRules::default() } }
}

/// Pico-dollars at least, likely, at most.
fn pico(quote: &Quote) -> (i128, Option<i128>, Option<i128>) {
    let span = quote.usd.unwrap().0.map(Usd::as_pico);
    (span.low, span.likely, span.high)
}

#[test]
fn each_request_is_billed_to_the_pico_dollar() {
    let (sizes, basis, price) = ([size(1), size(1), size(0)], basis(), price());
    let bill = bill(&sizes, &basis, &price);
    // At least 700 tokens and no answer; likely 1,004 and 10; at most 1,758 and 32. Two requests.
    let each = |input: i128, output: i128, rates: (i128, i128)| 2 * (input * rates.0 + output * rates.1);
    let direct = (1_000_000, 5_000_000);
    let by_hand = (each(700, 0, direct), Some(each(1004, 10, direct)), Some(each(1758, 32, direct)));
    assert_eq!(pico(&bill.without_cache()), by_hand);
    assert_eq!(by_hand.1, Some(2_108_000_000));
    let batch = (500_000, 2_500_000);
    let by_hand = (each(700, 0, batch), Some(each(1004, 10, batch)), Some(each(1758, 32, batch)));
    assert_eq!(pico(&bill.by_batch()), by_hand);
}

#[test]
fn the_first_request_writes_the_prefix_for_the_others() {
    let (sizes, basis, price) = ([size(1), size(1), size(1)], basis(), price());
    let bill = bill(&sizes, &basis, &price);
    // Likely: 803 of 1,004 tokens are alike; one request writes them, two read them; three answers of 10.
    let likely = 3 * (201 * 1_000_000 + 10 * 5_000_000) + 803 * 1_250_000 + 2 * 803 * 100_000;
    // At least: 560 of 700 alike, no answer. At most each of 1,758 tokens is sent, 1,406 of them written.
    let least = 3 * 140 * 1_000_000 + 560 * 1_250_000 + 2 * 560 * 100_000;
    let most = 3 * (352 * 1_000_000 + 1406 * 1_250_000 + 32 * 5_000_000);
    assert_eq!(pico(&bill.with_cache()), (least, Some(likely), Some(most)));
    // An hour's lifetime has its own price of writing.
    let hour = Bill { cache: CacheRules { lifetime: CacheLifetime::Hour, ..bill.cache }, ..bill };
    assert_eq!(pico(&hour.with_cache()).1, Some(likely + 803 * 750_000));
    // Where writing has none, it is billed like any other token.
    let plain = Price { cache_write_5m: None, cache_write_1h: None, ..price };
    let plain = Bill { price: &plain, ..bill };
    assert_eq!(pico(&plain.with_cache()).1, Some(likely - 803 * 250_000));
}

#[test]
fn a_prefix_under_the_minimum_saves_nothing() {
    let (sizes, basis, price) = ([size(1)], basis(), price());
    let short = CacheRules { asked: true, min_tokens: Some(1024), ..CacheRules::default() };
    let bill = Bill { cache: short, ..bill(&sizes, &basis, &price) };
    let (without, with) = (pico(&bill.without_cache()), pico(&bill.with_cache()));
    assert_eq!((with.0, with.1), (without.0, without.1));
    assert!(with.2 > without.2, "at the most it is long enough, and written");
    // Of three the last two would read it then, which may cost less than fewer tokens without a cache.
    let three = [size(1), size(1), size(1)];
    let longer = Bill { sizes: &three, ..bill };
    let few = 3 * 700 * 1_000_000;
    let many = 3 * (352 * 1_000_000 + 32 * 5_000_000) + 1406 * 1_250_000 + 2 * 1406 * 100_000;
    assert!(many > few);
    assert_eq!(pico(&longer.with_cache()).0, few);
    let effect = bill.cache_effect().unwrap();
    assert_eq!((effect.factor_hit, effect.pays_from_hit_rate), (1.0, None));
}

#[test]
fn what_the_cache_changes_is_the_factor_of_the_methods() {
    let (sizes, basis, price) = ([size(1)], basis(), price());
    let effect = bill(&sizes, &basis, &price).cache_effect().unwrap();
    let input_share = 1004.0 / 1054.0;
    assert!((effect.input_share - input_share).abs() < 1e-12 && (effect.prefix_share - 0.8).abs() < 1e-12);
    let by_hand = |prefix: f64| (1.0 - input_share) + input_share * (0.2 + 0.8 * prefix);
    assert!((effect.factor_hit - by_hand(0.1)).abs() < 1e-12);
    assert!((effect.factor_miss - by_hand(1.25)).abs() < 1e-12 && effect.factor_miss > 1.0);
    // 0.25 / 1.15: as many hits as make up for the dearer writes.
    assert!((effect.pays_from_hit_rate.unwrap() - 0.25 / 1.15).abs() < 1e-12);
}

#[test]
fn unknown_is_never_nothing() {
    let (sizes, basis) = ([size(1)], basis());
    let nothing = Price::default();
    let unpriced = bill(&sizes, &basis, &nothing);
    assert_eq!((unpriced.without_cache().usd, unpriced.of_volume(10)), (None, None));
    assert!(unpriced.without_cache().note.unwrap().contains("no price"));
    let no_batch = Price { batch: BatchPrice::default(), cache_read: None, ..price() };
    let no_batch = bill(&sizes, &basis, &no_batch);
    assert_eq!((no_batch.by_batch().usd, no_batch.with_cache().usd, no_batch.cache_effect()), (None, None, None));
    let open = TokenBasis::default();
    let price = price();
    let open = bill(&sizes, &open, &price).without_cache();
    assert_eq!(open.usd.unwrap().0.high, None);
    assert!(open.note.unwrap().contains("max_tokens"));
    let long = LongPromptPrice {
        above_tokens: 1_000,
        input: None,
        cache_read: None,
        cache_write_5m: None,
        cache_write_1h: None,
        output: None,
    };
    let long = Price { long_prompt: Some(long), ..price };
    let long = bill(&sizes, &basis, &long).without_cache();
    assert_eq!((long.usd.unwrap().0.likely, long.usd.unwrap().0.high), (None, None));
}

#[test]
fn a_sample_stands_for_all_and_a_month_for_its_requests() {
    let (sizes, basis, price) = ([size(1), size(1)], basis(), price());
    let plain = Bill { cache: CacheRules::default(), ..bill(&sizes, &basis, &price) };
    let sampled = Bill { scale: (1000, 2), ..plain };
    assert_eq!(pico(&sampled.without_cache()).1, Some(500 * 2_108_000_000));
    let month = Month::of(&|volume| plain.of_volume(volume), (1000, 1000), Some(1.054)).unwrap();
    assert_eq!(month.usd.0.likely, Usd::from_f64(1.054));
    assert_eq!(month.in_budget, Some(InBudget::Open));
    let within = |budget| Month::of(&|volume| plain.of_volume(volume), (1000, 2000), Some(budget)).unwrap().in_budget;
    assert_eq!(
        (within(0.69), within(0.7), within(10.0)),
        (Some(InBudget::No), Some(InBudget::Open), Some(InBudget::Yes))
    );
}

#[test]
fn hardware_needs_a_throughput_first() {
    let gpu = GpuCost { usd_per_hour: 2.1, replicas: 2, utilisation: 0.5 };
    let hardware = Hardware::of(&gpu, Some(1_000_000), Some(10_000.0));
    // 4.2 / 3600 / 0.5 x 1,000,000 / 10,000.
    assert!((hardware.requests_per_second_for_budget.unwrap() - 0.233_333_333).abs() < 1e-6);
    assert_eq!(
        Hardware::of(&GpuCost { utilisation: 0.0, ..gpu }, Some(1), Some(1.0)).requests_per_second_for_budget,
        None
    );
}
