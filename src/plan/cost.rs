//! What a variant's requests will cost, in exact dollars: as they are, with the prompt cache, and
//! through the batch API (METHODS.md 6). What has no price is unknown, never nothing.

use serde::{Serialize, Serializer};

use super::tokens::{Level, RequestSize, Span, TokenBasis};
use crate::exchange::{CacheLifetime, Usage};
use crate::provider::price::request_cost;
use crate::provider::{GpuCost, Price};
use crate::stats::cost::cache_factor;
use crate::units::Usd;

/// Dollars, at least, likely and at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsdSpan(pub Span<Usd>);

impl Serialize for UsdSpan {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.map(Usd::as_f64).serialize(to)
    }
}

impl UsdSpan {
    /// Nothing at all.
    pub const ZERO: Self = Self(Span { low: Usd::ZERO, likely: Some(Usd::ZERO), high: Some(Usd::ZERO) });

    /// Both together: a figure that one of them lacks, the sum lacks.
    pub fn plus(self, other: Self) -> Self {
        let add = |a: Option<Usd>, b: Option<Usd>| Some(a? + b?);
        Self(Span {
            low: self.0.low + other.0.low,
            likely: add(self.0.likely, other.0.likely),
            high: add(self.0.high, other.0.high),
        })
    }

    /// Of so many requests the part that others are, rounded outwards to a pico-dollar.
    pub fn times(self, requests: u64, of: u64) -> Self {
        let (requests, of) = (i128::from(requests), i128::from(of.max(1)));
        let scaled = |usd: Usd, up: bool| {
            let all = usd.as_pico().saturating_mul(requests);
            Usd::from_pico(all / of + i128::from(up && all % of > 0))
        };
        Self(Span {
            low: scaled(self.0.low, false),
            likely: self.0.likely.map(|usd| scaled(usd, false)),
            high: self.0.high.map(|usd| scaled(usd, true)),
        })
    }
}

/// A cost, or why it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// USD; `None` is unknown.
    pub usd: Option<UsdSpan>,
    /// Why it, or its upper end, is unknown.
    pub note: Option<String>,
}

impl Quote {
    /// An unknown cost.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { usd: None, note: Some(why.into()) }
    }
}

/// What the provider's prompt cache can do for a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheRules {
    /// Whether the variant asks for it.
    pub asked: bool,
    /// How long a written prefix lasts, where there is a choice: it has its own price.
    pub lifetime: CacheLifetime,
    /// The shortest prefix that is kept, in tokens, if known.
    pub min_tokens: Option<u64>,
}

/// How a request meets the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meets {
    /// It is sent without.
    Off,
    /// It writes the prefix.
    Writes,
    /// It reads the prefix.
    Reads,
}

/// A variant's sizes and prices.
#[derive(Debug, Clone, Copy)]
pub struct Bill<'a> {
    /// One row an example.
    pub sizes: &'a [RequestSize],
    /// Requests for one that was rendered: (requests, rendered).
    pub scale: (u64, u64),
    /// On what the tokens rest.
    pub basis: &'a TokenBasis,
    /// What a token costs.
    pub price: &'a Price,
    /// The cache.
    pub cache: CacheRules,
}

/// How much of the prompt the cache keeps, and what that changes (METHODS.md 6).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CacheEffect {
    /// Tokens that all requests begin with.
    pub prefix_tokens: Span<f64>,
    /// The shortest prefix that is kept, if known.
    pub min_tokens: Option<u64>,
    /// Share of the prompt that it is.
    pub prefix_share: f64,
    /// Share of the cost without a cache that the prompt is.
    pub input_share: f64,
    /// Cost over cost without a cache when every request reads the prefix.
    pub factor_hit: f64,
    /// The same when every request writes it: above 1 the cache costs more than none.
    pub factor_miss: f64,
    /// Share of hits from which on the cache pays; 0 where writing costs no more than sending, `None`
    /// where it never pays.
    pub pays_from_hit_rate: Option<f64>,
}

impl Bill<'_> {
    fn usage(&self, size: &RequestSize, level: Level, meets: Meets) -> Option<Usage> {
        let input = self.basis.input(size, level)?;
        let mut usage = Usage {
            input_uncached_tokens: Some(input),
            output_tokens: Some(self.basis.output(size, level)?),
            ..Usage::default()
        };
        let prefix = (input as f64 * size.alike_share()).round() as u64;
        let kept = prefix > 0 && prefix >= self.cache.min_tokens.unwrap_or(1);
        if meets == Meets::Off || !kept {
            return Some(usage);
        }
        let (short, hour) = (self.price.cache_write_5m, self.price.cache_write_1h);
        match meets {
            Meets::Reads => usage.cache_read_tokens = Some(prefix),
            _ if self.cache.lifetime == CacheLifetime::Hour && hour.is_some() => {
                usage.cache_write_1h_tokens = Some(prefix);
            }
            _ if short.is_some() => usage.cache_write_5m_tokens = Some(prefix),
            // Where writing has no price of its own it is billed like any other token.
            _ => return Some(usage),
        }
        usage.input_uncached_tokens = Some(input - prefix.min(input));
        Some(usage)
    }

    /// The sum over the requests, `weight` of each; `None` where a figure or a price is unknown.
    fn sum(&self, level: Level, meets: Meets, weight: fn(&RequestSize) -> u64) -> Option<Usd> {
        let one = |size: &RequestSize| {
            let usd = request_cost(&self.usage(size, level, meets)?, self.price)?;
            Some(Usd::from_pico(usd.as_pico().saturating_mul(i128::from(weight(size)))))
        };
        self.sizes.iter().filter(|size| weight(size) > 0).map(one).sum()
    }

    /// Without a cache.
    fn plain(&self, weight: fn(&RequestSize) -> u64) -> Option<Span<Usd>> {
        let at = |level| self.sum(level, Meets::Off, weight);
        Some(Span { low: at(Level::Low)?, likely: at(Level::Likely), high: at(Level::High) })
    }

    /// With the cache: likely every request reads the prefix, at the most all write it. A prefix
    /// under the minimum is not cached, so that fewer tokens may cost more: the ends are those of
    /// all cases.
    fn cached(&self, reads: &dyn Fn(Level) -> Option<Usd>, most: &dyn Fn(Meets) -> Option<Usd>) -> Option<UsdSpan> {
        reads(Level::Low)?;
        let likely = reads(Level::Likely);
        let low = [Level::Low, Level::Likely, Level::High].into_iter().filter_map(reads).min()?;
        let high = [Meets::Off, Meets::Writes, Meets::Reads].map(most);
        let high = high.into_iter().try_fold(likely.unwrap_or(low), |high, usd| Some(high.max(usd?)));
        Some(UsdSpan(Span { low, likely, high }))
    }

    fn scaled(&self, span: Span<Usd>) -> UsdSpan {
        UsdSpan(span).times(self.scale.0, self.scale.1)
    }

    fn quote(&self, usd: Option<UsdSpan>, what: &str) -> Quote {
        let note = match usd {
            None => Some(format!("no {what} is known")),
            Some(_) if self.basis.output_is_open() => Some("no upper end: no `max_tokens` is set".to_owned()),
            Some(usd) if usd.0.high.is_none() => Some("no upper end: a price of long prompts is not known".to_owned()),
            Some(_) => None,
        };
        Quote { usd, note }
    }

    /// What is to be asked, without the prompt cache.
    pub fn without_cache(&self) -> Quote {
        self.quote(self.plain(|size| size.to_ask).map(|span| self.scaled(span)), "price of its tokens")
    }

    /// The same with the prompt cache: the first request writes the prefix for the others.
    pub fn with_cache(&self) -> Quote {
        if self.sizes.iter().all(|size| size.alike_bytes == 0) {
            return Quote::unknown("no part of the prompt is the same for every example");
        }
        let asked = |size: &RequestSize| size.to_ask;
        let whole = |usd: Usd| self.scaled(Span { low: usd, likely: None, high: None }).0.low;
        let reads = |level| {
            let read = whole(self.sum(level, Meets::Reads, asked)?);
            Some(Usd::from_pico(read.as_pico() + self.leader_adds(level)?))
        };
        let usd = self.cached(&reads, &|meets| self.sum(Level::High, meets, asked).map(whole));
        let mut quote = self.quote(usd, "price of tokens read from the cache");
        if self.cache.min_tokens.is_none() && quote.usd.is_some() {
            quote.note.get_or_insert_with(|| "the shortest prefix that the model keeps is not known".to_owned());
        }
        quote
    }

    /// Pico-dollars that the first request, which writes the prefix, costs more than one that reads it.
    fn leader_adds(&self, level: Level) -> Option<i128> {
        let Some(first) = self.sizes.iter().find(|size| size.to_ask > 0) else { return Some(0) };
        let cost = |meets| Some(request_cost(&self.usage(first, level, meets)?, self.price)?.as_pico());
        Some(cost(Meets::Writes)? - cost(Meets::Reads)?)
    }

    /// The same requests through the batch API, without the prompt cache.
    pub fn by_batch(&self) -> Quote {
        let price = self.price.batched();
        let batch = Bill { price: &price, ..*self };
        batch.quote(batch.plain(|size| size.to_ask).map(|span| self.scaled(span)), "batch price")
    }

    /// Dollars of `volume` requests like these in the long run, with the cache where it is asked for.
    pub fn of_volume(&self, volume: u64) -> Option<UsdSpan> {
        let all: u64 = self.sizes.iter().map(|size| size.repeats).sum();
        let every = |size: &RequestSize| size.repeats;
        let span = if self.cache.asked {
            let reads = |level| self.sum(level, Meets::Reads, every);
            self.cached(&reads, &|meets| self.sum(Level::High, meets, every))
        } else {
            self.plain(every).map(UsdSpan)
        };
        span.filter(|_| all > 0).map(|span| span.times(volume, all))
    }

    /// How the cache changes the cost of a request; `None` without a likely figure or a price.
    pub fn cache_effect(&self) -> Option<CacheEffect> {
        let every = |size: &RequestSize| size.repeats;
        let requests: u64 = self.sizes.iter().map(every).sum();
        let plain = self.sum(Level::Likely, Meets::Off, every)?.as_f64();
        let rates = (self.price.input?.as_f64(), self.price.cache_read?.as_f64());
        if plain <= 0.0 || rates.0 <= 0.0 || requests == 0 {
            return None;
        }
        let tokens = |level, share: bool| -> Option<f64> {
            let one = |size: &RequestSize| {
                let input = self.basis.input(size, level)? as f64;
                Some(size.repeats as f64 * if share { input * size.alike_share() } else { input })
            };
            self.sizes.iter().map(one).sum()
        };
        let (input, alike) = (tokens(Level::Likely, false)?, tokens(Level::Likely, true)?);
        let mean = |level| Some(tokens(level, true)? / requests as f64);
        let write = match self.cache.lifetime {
            CacheLifetime::Hour => self.price.cache_write_1h.or(self.price.cache_write_5m),
            CacheLifetime::FiveMinutes => self.price.cache_write_5m,
        };
        let (read_mult, write_mult) = (rates.1 / rates.0, write.map_or(1.0, |write| write.as_f64() / rates.0));
        let input_share = (input * rates.0 / 1e6 / plain).clamp(0.0, 1.0);
        let prefix_share = if input > 0.0 { (alike / input).clamp(0.0, 1.0) } else { 0.0 };
        let prefix_tokens = Span { low: mean(Level::Low)?, likely: mean(Level::Likely), high: mean(Level::High) };
        let kept = prefix_tokens.likely.is_some_and(|tokens| tokens >= self.cache.min_tokens.unwrap_or(1) as f64);
        let share = if kept { prefix_share } else { 0.0 };
        let factor = |hit_rate| cache_factor(input_share, share, hit_rate, read_mult, write_mult).ok();
        let pays = if write_mult <= 1.0 { 0.0 } else { (write_mult - 1.0) / (write_mult - read_mult) };
        Some(CacheEffect {
            prefix_tokens,
            min_tokens: self.cache.min_tokens,
            prefix_share,
            input_share,
            factor_hit: factor(1.0)?,
            factor_miss: factor(0.0)?,
            pays_from_hit_rate: (kept && prefix_share > 0.0 && read_mult < 1.0).then_some(pays),
        })
    }
}

impl TokenBasis {
    /// Whether nothing bounds what a request may generate.
    fn output_is_open(&self) -> bool {
        self.measured.is_none() && self.most_output.is_none()
    }
}

/// Whether a month's cost stays in its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InBudget {
    /// Even at the most.
    Yes,
    /// Not even at the least.
    No,
    /// It depends.
    Open,
}

/// What a variant costs in a month of the product.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Month {
    /// Requests a month, low and high.
    pub requests: (u64, u64),
    /// USD.
    pub usd: UsdSpan,
    /// Against `[targets] monthly_budget_usd`, where there is one.
    pub in_budget: Option<InBudget>,
}

impl Month {
    /// The least of the low volume, the most of the high one. `cost` is that of so many requests.
    pub fn of(cost: &dyn Fn(u64) -> Option<UsdSpan>, requests: (u64, u64), budget_usd: Option<f64>) -> Option<Self> {
        let (few, many) = (cost(requests.0)?, cost(requests.1)?);
        let middle = cost(requests.0.midpoint(requests.1))?;
        let usd = UsdSpan(Span { low: few.0.low, likely: middle.0.likely, high: many.0.high });
        let in_budget = budget_usd.and_then(Usd::from_f64).map(|budget| match usd.0.high {
            Some(high) if high <= budget => InBudget::Yes,
            _ if usd.0.low > budget => InBudget::No,
            _ => InBudget::Open,
        });
        Some(Self { requests, usd, in_budget })
    }
}

/// What must be measured before a self-hosted model has a cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Hardware {
    /// USD an hour for all replicas.
    pub usd_per_hour: f64,
    /// Share of the capacity that is used.
    pub utilisation: f64,
    /// Requests a second that it must serve to stay in the budget, where there is one.
    pub requests_per_second_for_budget: Option<f64>,
}

impl Hardware {
    /// From the provider file's `gpu`, the month's requests and its budget.
    pub fn of(gpu: &GpuCost, requests: Option<u64>, budget_usd: Option<f64>) -> Self {
        let usd_per_hour = gpu.usd_per_hour * f64::from(gpu.replicas);
        // usd_per_hour / 3600 / (rate x utilisation) <= budget / requests.
        let needed = requests
            .zip(budget_usd)
            .map(|(requests, budget)| usd_per_hour / 3600.0 / gpu.utilisation * requests as f64 / budget);
        Self {
            usd_per_hour,
            utilisation: gpu.utilisation,
            requests_per_second_for_budget: needed.filter(|rate| rate.is_finite()),
        }
    }
}

#[cfg(test)]
mod tests;
