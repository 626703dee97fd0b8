//! What one variant would cost and take.

use super::cost::{Bill, CacheRules, Hardware, Month, Quote, UsdSpan};
use super::preview::{Billing, VariantPreview};
use super::time::{ASSUMED_SECONDS, Asked, Seconds};
use super::tokens::{MeasuredTokens, RequestSize, Span, TokenBasis};
use crate::provider::{Model, Price, Provider, Service};
use crate::suite::Suite;
use crate::suite::check::facts;
use crate::units::Usd;
use crate::variant::Variant;

/// Bytes of a body that the client counts as a token against a limit of tokens a minute.
const LIMITED_BYTES_PER_TOKEN: f64 = 3.0;

/// Everything that is known of a variant before it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The suite.
    pub suite: &'a Suite,
    /// The variant.
    pub variant: &'a Variant,
    /// Who is asked.
    pub provider: &'a Provider,
    /// The model.
    pub model: &'a Model,
    /// Its requests, one row a rendered example.
    pub sizes: &'a [RequestSize],
    /// Examples for one that was rendered: (examples, rendered).
    pub scale: (u64, u64),
    /// Requests among them that the recording does not know.
    pub not_recorded: u64,
    /// Most output tokens of a request, where they are bounded.
    pub most_output: Option<u64>,
    /// Whether the provider has a batch API that is known.
    pub has_batch: bool,
    /// Whether its prefix lies at the service for a price an hour.
    pub stores_prefix: bool,
    /// Tokens of earlier answers.
    pub measured: Option<MeasuredTokens>,
    /// Times of earlier answers.
    pub seconds: Option<Seconds>,
    /// USD of a request by hardware and measured throughput, where that is how it is paid.
    pub hardware_usd: Option<Span<f64>>,
}

impl Facts<'_> {
    fn is_recorded(&self) -> bool {
        self.provider.service == Service::Replay
    }

    fn billing(&self) -> Billing {
        match (&self.model.gpu, &self.model.price) {
            _ if self.is_recorded() => Billing::Recorded,
            (Some(_), _) => Billing::Hardware,
            (None, Some(price)) if price.input.is_some() && price.output.is_some() => Billing::Tokens,
            _ => Billing::Unknown,
        }
    }

    fn basis(&self) -> TokenBasis {
        let effort = self.variant.params.get("reasoning_effort").and_then(serde_json::Value::as_str);
        let reasons = self.model.facts.reasoning == Some(true) && effort != Some("none");
        TokenBasis { measured: self.measured, most_output: self.most_output, reasons }
    }

    /// A count of the rendered part, for all.
    fn scaled(&self, count: u64) -> u64 {
        let (of, rendered) = (u128::from(self.scale.0), u128::from(self.scale.1.max(1)));
        u64::try_from((u128::from(count) * of + rendered / 2) / rendered).unwrap_or(u64::MAX)
    }

    fn asked_requests(&self) -> u64 {
        self.scaled(self.sizes.iter().map(|size| size.to_ask).sum())
    }

    /// Requests a month, low and high.
    fn volumes(&self) -> Option<(u64, u64)> {
        let range = self.suite.economics.and_then(|economics| economics.requests_per_month);
        let stated = self.suite.targets.monthly_requests;
        range.map(|range| (range.low as u64, range.high as u64)).or(stated.map(|requests| (requests, requests)))
    }

    /// What is said of it.
    pub fn preview(&self) -> VariantPreview {
        let (basis, billing) = (self.basis(), self.billing());
        let nothing = Price::default();
        let bill = Bill {
            sizes: self.sizes,
            scale: self.scale,
            basis: &basis,
            price: self.model.price.as_ref().unwrap_or(&nothing),
            cache: CacheRules {
                asked: self.variant.cache.is_some(),
                lifetime: self.variant.cache.map(|cache| cache.lifetime).unwrap_or_default(),
                min_tokens: facts::cache_min_tokens(self.provider, self.model),
            },
        };
        let (input_tokens, output_tokens) = basis.means(self.sizes);
        let to_ask = self.asked_requests();
        let requests = self.scale.0.saturating_mul(u64::from(self.suite.repeats));
        let [plain, cached, batch] = self.quotes(&bill, billing, to_ask);
        let paid = billing == Billing::Tokens;
        VariantPreview {
            variant: self.variant.id.clone(),
            endpoint: self.variant.endpoint.clone(),
            billing,
            requests,
            known: requests.saturating_sub(to_ask),
            to_ask,
            not_recorded: self.scaled(self.not_recorded),
            input_tokens,
            output_tokens,
            tokens_measured_on: self.measured.map(|measured| measured.answers),
            cached: bill.cache.asked,
            cost_without_cache: plain,
            cost_with_cache: cached,
            cost_by_batch: batch,
            worst_case: self.worst_case(billing),
            cache_effect: bill.cache_effect().filter(|_| paid),
            month: self.month(&bill, billing),
            hardware: self.hardware(billing),
            seconds: (!self.is_recorded())
                .then(|| self.seconds.unwrap_or(Seconds { low: ASSUMED_SECONDS.0, high: ASSUMED_SECONDS.1 })),
            seconds_measured: self.seconds.is_some() && !self.is_recorded(),
        }
    }

    /// Without the cache, with it, and by batch.
    fn quotes(&self, bill: &Bill<'_>, billing: Billing, to_ask: u64) -> [Quote; 3] {
        let all = |quote: Quote| [quote.clone(), quote.clone(), quote];
        match billing {
            Billing::Recorded => {
                all(Quote { usd: Some(UsdSpan::ZERO), note: Some("recorded: nothing is billed".into()) })
            }
            Billing::Unknown => all(Quote::unknown(format!("no price of `{}` is known", self.variant.endpoint))),
            Billing::Hardware => {
                let Some(usd) = self.by_hardware(to_ask) else {
                    return all(Quote::unknown("paid by the hour: unknown until its throughput is measured"));
                };
                let note = "hardware price over the throughput of the earlier run";
                let known = Quote { usd: Some(usd), note: Some(note.into()) };
                let other = Quote::unknown("paid by the hour");
                // A cache of one's own is part of the throughput that was measured.
                if bill.cache.asked { [other.clone(), known, other] } else { [known, other.clone(), other] }
            }
            Billing::Tokens => {
                let mut cached = bill.with_cache();
                if self.stores_prefix && cached.usd.is_some() {
                    cached.note = Some("the price of storing the prefix, by the hour, is not in it".into());
                }
                let batch = if self.has_batch { bill.by_batch() } else { Quote::unknown("no batch API is known") };
                [bill.without_cache(), cached, batch]
            }
        }
    }

    fn by_hardware(&self, requests: u64) -> Option<UsdSpan> {
        let each = self.hardware_usd?;
        let high = each.high.and_then(Usd::from_f64);
        let each = Span { low: Usd::from_f64(each.low)?, likely: each.likely.and_then(Usd::from_f64), high };
        Some(UsdSpan(each).times(requests, 1))
    }

    fn worst_case(&self, billing: Billing) -> Option<Usd> {
        if billing == Billing::Recorded {
            return Some(Usd::ZERO);
        }
        let each = |size: &RequestSize| Some(size.worst_case? * i128::from(size.to_ask));
        let sum = self.sizes.iter().filter(|size| size.to_ask > 0).map(each).sum::<Option<i128>>()?;
        let sum = UsdSpan(Span { low: Usd::ZERO, likely: None, high: Some(Usd::from_pico(sum)) });
        (!self.stores_prefix).then(|| sum.times(self.scale.0, self.scale.1).0.high)?
    }

    fn month(&self, bill: &Bill<'_>, billing: Billing) -> Option<Month> {
        let (volumes, budget) = (self.volumes()?, self.suite.targets.monthly_budget_usd);
        match billing {
            Billing::Tokens => Month::of(&|volume| bill.of_volume(volume), volumes, budget),
            Billing::Hardware => Month::of(&|volume| self.by_hardware(volume), volumes, budget),
            Billing::Recorded | Billing::Unknown => None,
        }
    }

    fn hardware(&self, billing: Billing) -> Option<Hardware> {
        let gpu = self.model.gpu.as_ref().filter(|_| billing == Billing::Hardware)?;
        let most = self.volumes().map(|volumes| volumes.1);
        Some(Hardware::of(gpu, most, self.suite.targets.monthly_budget_usd))
    }

    /// What its endpoint is asked; `None` where nothing is sent.
    pub fn asked(&self) -> Option<Asked> {
        if self.is_recorded() {
            return None;
        }
        let requests = self.asked_requests() as f64;
        let most = self.most_output.unwrap_or(0) as f64;
        let tokens: f64 = self
            .sizes
            .iter()
            .map(|size| size.to_ask as f64 * ((size.body_bytes as f64 / LIMITED_BYTES_PER_TOKEN).floor() + most))
            .sum();
        Some(Asked {
            requests,
            tokens: tokens * self.scale.0 as f64 / self.scale.1.max(1) as f64,
            seconds: self.seconds.unwrap_or(Seconds { low: ASSUMED_SECONDS.0, high: ASSUMED_SECONDS.1 }),
            own_concurrency: self.model.concurrency,
        })
    }
}
