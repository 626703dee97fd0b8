//! Usage times price, exact; what is unknown stays unknown.

use super::{LongPromptPrice, Price};
use crate::exchange::Usage;
use crate::units::{Usd, UsdPerMillionTokens};

/// What one request cost; `None` as soon as a count or the price of a counted token is unknown.
///
/// A count that the server did not report is taken as zero only for cache and reasoning fields,
/// which servers without a prompt cache leave out; the prompt and output counts must be there.
pub fn request_cost(usage: &Usage, price: &Price) -> Option<Usd> {
    let parts = [
        (Some(usage.input_uncached_tokens?), price.input),
        (usage.cache_read_tokens, price.cache_read),
        (usage.cache_write_5m_tokens, price.cache_write_5m),
        (usage.cache_write_1h_tokens, price.cache_write_1h),
        (Some(usage.output_tokens?), price.output),
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
}

/// Zero tokens cost nothing whatever the price; others need one.
fn part_cost(tokens: u64, price: Option<UsdPerMillionTokens>) -> Option<Usd> {
    if tokens == 0 { Some(Usd::ZERO) } else { price.map(|price| price.times(tokens)) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
