//! A limit of money: each request's worst case is reserved before it is sent.

use crate::exchange::{FailureKind, Outcome};
use crate::provider::price::request_cost;
use crate::provider::{Price, WireKind};
use crate::trial::Exchange;
use crate::units::{Usd, UsdPerMillionTokens};

/// Tokens that a chat template adds to a prompt beyond its text: generous.
const TEMPLATE_TOKENS: u64 = 512;

/// Money that may be spent, is reserved, and is spent.
#[derive(Debug)]
pub(super) struct Budget {
    limit: Usd,
    reserved: Usd,
    spent: Usd,
}

impl Budget {
    pub(super) fn new(limit: Usd) -> Self {
        Self { limit, reserved: Usd::ZERO, spent: Usd::ZERO }
    }

    /// Whether the limit allows a request of this worst case now.
    pub(super) fn fits(&self, worst: Usd) -> bool {
        self.spent + self.reserved + worst <= self.limit
    }

    /// Sets a request's worst case aside.
    pub(super) fn reserve(&mut self, worst: Usd) {
        self.reserved += worst;
    }

    /// Replaces a request's worst case by what it cost. What an answer cost that reports no usage
    /// is not known, so the worst is taken; a request that the server turned down is not billed.
    pub(super) fn settle(&mut self, worst: Usd, price: Option<&Price>, outcome: &Outcome) {
        self.reserved = Usd::from_pico(self.reserved.as_pico() - worst.as_pico());
        self.spent += billed(worst, price, outcome);
    }

    /// Whether half of what is not spent yet is free.
    pub(super) fn is_half_free(&self) -> bool {
        let left = self.limit.as_pico() - self.spent.as_pico();
        2 * self.reserved.as_pico() <= left
    }

    /// Whether nothing that is under way can free any of it.
    pub(super) fn is_used_up(&self) -> bool {
        self.reserved == Usd::ZERO
    }
}

/// The most that an ended request is billed at.
pub(super) fn billed(worst: Usd, price: Option<&Price>, outcome: &Outcome) -> Usd {
    match outcome {
        Outcome::Failed(failure) => billed_failure(worst, failure.kind),
        Outcome::Answered(said) | Outcome::Refused(said) | Outcome::Truncated(said) => {
            price.and_then(|price| request_cost(&said.usage, price)).unwrap_or(worst)
        }
    }
}

fn billed_failure(worst: Usd, kind: FailureKind) -> Usd {
    match kind {
        // The server may have worked, and bill, for what did not arrive.
        FailureKind::Timeout
        | FailureKind::FirstTokenTimeout
        | FailureKind::Stalled
        | FailureKind::Cut
        | FailureKind::Malformed
        | FailureKind::Connect
        | FailureKind::Server => worst,
        _ => Usd::ZERO,
    }
}

/// The most that a stored exchange was billed at, its failed attempts included; `price` is that of its
/// delivery, and `most_output_tokens` the limit that it was sent with.
pub fn billed_exchange(exchange: &Exchange, wire: WireKind, price: &Price, most_output_tokens: u64) -> Usd {
    let worst = worst_case(exchange.request_body.len(), most_output_tokens, price).unwrap_or_default();
    let mut sum = billed(worst, Some(price), &crate::wire::read(wire, &exchange.received).outcome);
    for attempt in &exchange.attempts {
        sum += billed_failure(worst, attempt.kind);
    }
    sum
}

/// The most that a request can cost: a token for each byte of its body at the dearest input price,
/// and its whole output limit; at the prices of a long prompt where they are dearer and the body
/// allows such a prompt. `None` when a price is unknown.
pub fn worst_case(body_bytes: usize, most_output_tokens: u64, price: &Price) -> Option<Usd> {
    let prompt = body_bytes as u64 + TEMPLATE_TOKENS;
    let at = |input: UsdPerMillionTokens, written: [Option<UsdPerMillionTokens>; 2], output: UsdPerMillionTokens| {
        let dearest = written.into_iter().flatten().fold(input, Ord::max);
        dearest.times(prompt) + output.times(most_output_tokens)
    };
    let usual = at(price.input?, [price.cache_write_5m, price.cache_write_1h], price.output?);
    match price.long_prompt.filter(|long| prompt > long.above_tokens) {
        None => Some(usual),
        Some(long) => Some(usual.max(at(long.input?, [long.cache_write_5m, long.cache_write_1h], long.output?))),
    }
}

/// Whether a limit of money can be kept: the worst case of a request of any size is known.
pub fn is_bounded(price: &Price) -> bool {
    let long = price.long_prompt.is_none_or(|long| long.input.is_some() && long.output.is_some());
    price.input.is_some() && price.output.is_some() && long
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Completion, Failure, Retry, Stop, Usage};
    use crate::provider::LongPromptPrice;
    use proptest::prelude::*;

    fn price() -> Price {
        Price {
            input: UsdPerMillionTokens::from_f64(1.0),
            output: UsdPerMillionTokens::from_f64(10.0),
            ..Price::default()
        }
    }

    fn answered(input: u64, output: u64) -> Outcome {
        let usage = Usage { input_uncached_tokens: Some(input), output_tokens: Some(output), ..Usage::default() };
        Outcome::Answered(Completion {
            reasoning: String::new(),
            text: String::new(),
            from_tool: false,
            stop: Stop::End,
            usage,
            served_model: None,
        })
    }

    #[test]
    fn half_of_what_is_left_is_free_or_not() {
        let mut budget = Budget::new(Usd::from_pico(100));
        assert!(budget.is_half_free());
        budget.reserve(Usd::from_pico(50));
        assert!(budget.is_half_free());
        budget.reserve(Usd::from_pico(10));
        assert!(!budget.is_half_free());
        // Of the 10 not a thing is billed: 50 of 100 are set aside again.
        let turned_down = crate::exchange::Failure {
            kind: FailureKind::BadRequest,
            status: Some(400),
            message: String::new(),
            retry: crate::exchange::Retry::No,
        };
        budget.settle(Usd::from_pico(10), None, &Outcome::Failed(turned_down));
        assert!(budget.is_half_free());
    }

    #[test]
    fn an_unknown_price_has_no_worst_case() {
        assert_eq!(worst_case(10, 10, &Price::default()), None);
        assert!(!is_bounded(&Price::default()) && is_bounded(&price()));
    }

    #[test]
    fn a_body_that_may_be_a_long_prompt_is_reserved_at_its_prices() {
        let usd = UsdPerMillionTokens::from_f64;
        let long = LongPromptPrice {
            above_tokens: 1_000,
            input: usd(2.0),
            cache_read: None,
            cache_write_5m: usd(2.5),
            cache_write_1h: None,
            output: usd(15.0),
        };
        let price = Price { long_prompt: Some(long), ..price() };
        // 488 + 512 tokens are the length: 1,000 x $1 + 10 x $10 a million.
        assert_eq!(worst_case(488, 10, &price), Usd::from_f64(0.0011));
        // One more passes it: 1,001 x $2.5 + 10 x $15 a million.
        assert_eq!(worst_case(489, 10, &price), Usd::from_f64(0.002_652_5));
        let unknown = Price { long_prompt: Some(LongPromptPrice { output: None, ..long }), ..price };
        assert_eq!(worst_case(489, 10, &unknown), None);
        assert!(is_bounded(&price) && !is_bounded(&unknown));
    }

    #[test]
    fn a_rejected_request_frees_its_reserve_and_a_lost_one_does_not() {
        let worst = worst_case(100, 10, &price()).unwrap();
        let failed = |kind| Outcome::Failed(Failure { kind, status: None, message: String::new(), retry: Retry::No });
        let mut budget = Budget::new(worst);
        assert!(budget.fits(worst));
        budget.reserve(worst);
        assert!(!budget.fits(worst));
        budget.settle(worst, Some(&price()), &failed(FailureKind::RateLimited));
        assert!(budget.fits(worst));
        budget.reserve(worst);
        budget.settle(worst, Some(&price()), &failed(FailureKind::Timeout));
        assert!(!budget.fits(worst) && budget.is_used_up());
    }

    proptest! {
        #[test]
        fn the_limit_holds_for_any_usage_within_the_worst_case(
            requests in prop::collection::vec((1_usize..5000, 1_u64..500, 0.0_f64..=1.0), 1..60),
            limit in 0_i64..200_000_000_000,
        ) {
            let limit = Usd::from_pico(i128::from(limit));
            let mut budget = Budget::new(limit);
            for (bytes, output, share) in requests {
                let worst = worst_case(bytes, output, &price()).unwrap();
                if budget.fits(worst) {
                    budget.reserve(worst);
                    let input = (bytes as f64 * share) as u64;
                    budget.settle(worst, Some(&price()), &answered(input, (output as f64 * share) as u64));
                }
                prop_assert!(budget.spent + budget.reserved <= limit);
            }
        }
    }
}
