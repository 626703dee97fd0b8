//! Usage times price, exact; what is unknown stays unknown.

use super::{LongPromptPrice, Price};
use crate::exchange::Usage;
use crate::units::{Usd, UsdPerMillionTokens};

/// What one request cost; `None` as soon as a count or the price of a counted token is unknown.
///
/// A count that the server did not report is taken as zero only for cache and reasoning fields,
/// which servers without a prompt cache leave out; the prompt and output counts must be there.
/// Where the prompt, its cached part included, passes the length of `long_prompt`, the whole
/// request has those prices.
pub fn request_cost(usage: &Usage, price: &Price) -> Option<Usd> {
    let long = price.long_prompt.filter(|long| prompt_tokens(usage) > long.above_tokens);
    cost(usage, long.map_or_else(|| Rates::of(price), |long| Rates::of_long(&long)))
}

/// USD per million tokens of each kind.
#[derive(Debug, Clone, Copy, Default)]
struct Rates {
    input: Option<UsdPerMillionTokens>,
    cache_read: Option<UsdPerMillionTokens>,
    cache_write_5m: Option<UsdPerMillionTokens>,
    cache_write_1h: Option<UsdPerMillionTokens>,
    output: Option<UsdPerMillionTokens>,
}

impl Rates {
    fn of(price: &Price) -> Self {
        Self {
            input: price.input,
            cache_read: price.cache_read,
            cache_write_5m: price.cache_write_5m,
            cache_write_1h: price.cache_write_1h,
            output: price.output,
        }
    }

    fn of_long(price: &LongPromptPrice) -> Self {
        Self {
            input: price.input,
            cache_read: price.cache_read,
            cache_write_5m: price.cache_write_5m,
            cache_write_1h: price.cache_write_1h,
            output: price.output,
        }
    }
}

/// All tokens of the prompt, read from the cache, written to it or neither.
fn prompt_tokens(usage: &Usage) -> u64 {
    let parts = [
        usage.input_uncached_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
    ];
    parts.into_iter().flatten().fold(0, u64::saturating_add)
}

fn cost(usage: &Usage, rates: Rates) -> Option<Usd> {
    let parts = [
        (Some(usage.input_uncached_tokens?), rates.input),
        (usage.cache_read_tokens, rates.cache_read),
        (usage.cache_write_5m_tokens, rates.cache_write_5m),
        (usage.cache_write_1h_tokens, rates.cache_write_1h),
        (Some(usage.output_tokens?), rates.output),
    ];
    parts.into_iter().map(|(tokens, price)| part_cost(tokens.unwrap_or(0), price)).sum()
}

impl Price {
    /// The prices of the provider's batch API, in the place of the others. No batch price is kept
    /// for tokens written to the prompt cache and for long prompts: those are unknown.
    pub fn batched(&self) -> Self {
        let unknown = |long: LongPromptPrice| LongPromptPrice {
            above_tokens: long.above_tokens,
            input: None,
            cache_read: None,
            cache_write_5m: None,
            cache_write_1h: None,
            output: None,
        };
        Self {
            input: self.batch.input,
            cache_read: self.batch.cache_read,
            output: self.batch.output,
            batch: self.batch,
            long_prompt: self.long_prompt.map(unknown),
            ..Self::default()
        }
    }

    /// Prices that bound what a request costs through the batch API: where none of its own is
    /// kept, that of a request by itself, which is no lower.
    pub fn batch_bound(&self) -> Self {
        Self {
            cache_write_5m: self.cache_write_5m,
            cache_write_1h: self.cache_write_1h,
            long_prompt: self.long_prompt,
            ..self.batched()
        }
    }
}

/// Zero tokens cost nothing whatever the price; others need one.
fn part_cost(tokens: u64, price: Option<UsdPerMillionTokens>) -> Option<Usd> {
    if tokens == 0 { Some(Usd::ZERO) } else { price.map(|price| price.times(tokens)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::BatchPrice;

    fn price() -> Price {
        Price {
            input: UsdPerMillionTokens::from_f64(0.25),
            cache_read: UsdPerMillionTokens::from_f64(0.025),
            output: UsdPerMillionTokens::from_f64(2.0),
            ..Price::default()
        }
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let usage = Usage {
            input_uncached_tokens: Some(100),
            cache_read_tokens: Some(900),
            output_tokens: Some(10),
            ..Usage::default()
        };
        // 100 x 0.25 + 900 x 0.025 + 10 x 2.0 = 67.5 micro-dollars
        assert_eq!(request_cost(&usage, &price()), Some(Usd::from_pico(67_500_000)));
    }

    #[test]
    fn a_batch_has_its_own_prices_and_no_others() {
        let usd = UsdPerMillionTokens::from_f64;
        let batch = crate::provider::BatchPrice { input: usd(0.125), cache_read: None, output: usd(1.0) };
        let listed = Price { batch, cache_write_5m: usd(0.5), ..price() }.batched();
        assert_eq!((listed.input, listed.cache_read, listed.cache_write_5m), (usd(0.125), None, None));
        let usage = Usage { input_uncached_tokens: Some(100), output_tokens: Some(10), ..Usage::default() };
        // 100 x 0.125 + 10 x 1.0 = 22.5 micro-dollars
        assert_eq!(request_cost(&usage, &listed), Some(Usd::from_pico(22_500_000)));
        assert_eq!(request_cost(&usage, &price().batched()), None, "no batch price is known");
    }

    #[test]
    fn an_unknown_price_or_count_makes_the_cost_unknown() {
        let written = Usage {
            input_uncached_tokens: Some(1),
            cache_write_5m_tokens: Some(5),
            output_tokens: Some(1),
            ..Usage::default()
        };
        assert_eq!(request_cost(&written, &price()), None);
        assert_eq!(request_cost(&Usage::default(), &price()), None);
    }

    fn usd(usd: f64) -> Option<UsdPerMillionTokens> {
        UsdPerMillionTokens::from_f64(usd)
    }

    /// The row of gpt-6-sol.
    fn gpt_6_sol() -> Price {
        Price {
            input: usd(2.0),
            cache_read: usd(0.2),
            cache_write_5m: usd(2.5),
            output: usd(10.0),
            batch: BatchPrice { input: usd(1.0), cache_read: usd(0.1), output: usd(5.0) },
            long_prompt: Some(LongPromptPrice {
                above_tokens: 272_000,
                input: usd(4.0),
                cache_read: usd(0.4),
                cache_write_5m: usd(5.0),
                cache_write_1h: None,
                output: usd(15.0),
            }),
            ..Price::default()
        }
    }

    fn used(uncached: u64, read: u64, written: u64, output: u64) -> Usage {
        Usage {
            input_uncached_tokens: Some(uncached),
            cache_read_tokens: Some(read),
            cache_write_5m_tokens: Some(written),
            output_tokens: Some(output),
            ..Usage::default()
        }
    }

    #[test]
    fn a_long_prompt_reprices_the_whole_request() {
        // At the length: 72,000 x $2 + 180,000 x $0.2 + 20,000 x $2.5 + 1,000 x $10, a million tokens each
        // = 0.144 + 0.036 + 0.05 + 0.01 = $0.24.
        assert_eq!(request_cost(&used(72_000, 180_000, 20_000, 1_000), &gpt_6_sol()), Usd::from_f64(0.24));
        // One token more, the cached part counted: 72,001 x $4 + 180,000 x $0.4 + 20,000 x $5 + 1,000 x $15
        // = 0.288004 + 0.072 + 0.1 + 0.015 = $0.475004.
        assert_eq!(request_cost(&used(72_001, 180_000, 20_000, 1_000), &gpt_6_sol()), Usd::from_f64(0.475_004));
    }

    #[test]
    fn haiku_5_5_is_dearer_above_100_000_tokens() {
        let haiku = Price {
            input: usd(0.1),
            cache_read: usd(0.01),
            cache_write_5m: usd(0.125),
            cache_write_1h: usd(0.2),
            output: usd(0.5),
            long_prompt: Some(LongPromptPrice {
                above_tokens: 100_000,
                input: usd(0.5),
                cache_read: usd(0.05),
                cache_write_5m: usd(0.625),
                cache_write_1h: usd(1.0),
                output: usd(2.5),
            }),
            ..Price::default()
        };
        let hour = |written| Usage { cache_write_1h_tokens: Some(written), ..used(1_000, 90_000, 0, 200) };
        // 1,000 x $0.1 + 90,000 x $0.01 + 9,000 x $0.2 + 200 x $0.5 = 0.0001 + 0.0009 + 0.0018 + 0.0001 = $0.0029.
        assert_eq!(request_cost(&hour(9_000), &haiku), Usd::from_f64(0.0029));
        // 1,000 x $0.5 + 90,000 x $0.05 + 10,000 x $1 + 200 x $2.5 = 0.0005 + 0.0045 + 0.01 + 0.0005 = $0.0155.
        assert_eq!(request_cost(&hour(10_000), &haiku), Usd::from_f64(0.0155));
    }

    #[test]
    fn a_long_prompt_without_its_price_is_unknown() {
        let mut price = gpt_6_sol();
        price.long_prompt = price.long_prompt.map(|long| LongPromptPrice { output: None, ..long });
        assert_eq!(request_cost(&used(300_000, 0, 0, 1), &price), None);
        assert!(request_cost(&used(300_000, 0, 0, 0), &price).is_some());
    }

    #[test]
    fn a_batch_costs_what_its_row_says_and_no_guess() {
        // 10,000 x $1 + 5,000 x $0.1 + 2,000 x $5 = 0.01 + 0.0005 + 0.01 = $0.0205.
        assert_eq!(request_cost(&used(10_000, 5_000, 0, 2_000), &gpt_6_sol().batched()), Usd::from_f64(0.0205));
        assert_eq!(request_cost(&used(10_000, 5_000, 1, 2_000), &gpt_6_sol().batched()), None, "written");
        assert_eq!(request_cost(&used(272_001, 0, 0, 1), &gpt_6_sol().batched()), None, "long");
        assert_eq!(request_cost(&used(10, 0, 0, 1), &price().batched()), None, "no batch price");
    }
}
