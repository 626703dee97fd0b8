//! What the provider's prompt cache did for a variant: how often it was hit, what it saved, and why
//! it did not work where it did not (DESIGN.md 6, METHODS.md 6).
//!
//! Fresh answers only: the cache stood as it did when an answer was asked for, not when it was read
//! from the store. A count that the provider does not report is unknown, never "no hits".

use serde::Serialize;

use super::Latency;
use super::accumulate::{ExchangeFacts, Times};
use super::finish::latency;
use super::grade::{CacheFacts, GradedTrial, PrefixFacts};
use super::money::MAX_UNKNOWN;
use crate::exchange::{CacheLifetime, Usage};
use crate::provider::Price;
use crate::provider::price::request_cost;
use crate::stats::cluster::{clustered_accuracy, mean_cost, mean_with_t};
use crate::stats::{Estimate, Method};
use crate::trial::Provenance;

/// A cache that fewer followers hit is flagged: it saves little, and with dear writes nothing.
pub const LOW_HIT_RATE: f64 = 0.8;

/// One fresh answer of a variant that asks for the cache. Small: a run may have a million.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Request {
    example: u32,
    /// Milliseconds since 1970-01-01 UTC.
    sent_at: i64,
    read: Option<u32>,
    written: Option<u32>,
    /// All prompt tokens, the cached ones among them.
    prompt: u32,
    /// Milliseconds to the first visible token; not a number where none came.
    ttft_ms: f64,
    /// USD as billed, and as if nothing had been cached; not a number where unknown.
    usd: f64,
    cold_usd: f64,
}

impl Request {
    fn is_hit(&self) -> bool {
        self.read.is_some_and(|read| read > 0)
    }
}

/// What is kept of a cached variant's answers while they come in.
#[derive(Debug, Clone, Default)]
pub(super) struct CacheTally {
    requests: Vec<Request>,
    recorded: u64,
}

impl CacheTally {
    /// Takes an answer; one without usage counts as one that reports no cached tokens.
    pub(super) fn add(&mut self, example: u32, graded: &GradedTrial, facts: ExchangeFacts, price: Option<&Price>) {
        if facts.reused || graded.total_ms.is_none() {
            return;
        }
        let usage = &graded.usage;
        let count = |tokens: Option<u64>| u32::try_from(tokens.unwrap_or(0)).unwrap_or(u32::MAX);
        let cold = cold_usage(usage);
        let usd = |cost: Option<crate::units::Usd>| cost.map_or(f64::NAN, crate::units::Usd::as_f64);
        self.recorded += u64::from(facts.provenance == Provenance::Recorded);
        self.requests.push(Request {
            example,
            sent_at: facts.sent_at_unix_ms,
            read: usage.cache_read_tokens.map(|read| count(Some(read))),
            written: match (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) {
                (None, None) => None,
                (short, long) => Some(count(short).saturating_add(count(long))),
            },
            prompt: count(cold.input_uncached_tokens),
            ttft_ms: graded.ttft_ms.unwrap_or(f64::NAN),
            usd: usd(graded.cost),
            cold_usd: usd(price.and_then(|price| request_cost(&cold, price))),
        });
    }
}

/// The same tokens, none of them cached.
fn cold_usage(usage: &Usage) -> Usage {
    let cached = [usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens];
    let cached: u64 = cached.into_iter().flatten().sum();
    Usage {
        input_uncached_tokens: usage.input_uncached_tokens.map(|uncached| uncached + cached),
        output_tokens: usage.output_tokens,
        ..Usage::default()
    }
}

/// The request that went first and alone, to write the prefix for the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Leader {
    /// Prompt tokens that it read: more than none when an earlier run had written the prefix.
    pub read_tokens: Option<u64>,
    /// Prompt tokens that it wrote; `None` where the provider does not report writes.
    pub written_tokens: Option<u64>,
    /// Milliseconds to its first visible token.
    pub ttft_ms: Option<f64>,
}

/// Why the cache did not work.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum CacheFault {
    /// The provider refused to store the prefix beforehand; what it said.
    NotStored {
        /// The provider's words.
        message: String,
    },
    /// No answer says how many tokens were cached.
    NotReported,
    /// Whole prompts are shorter than the shortest prefix that the provider keeps.
    PrefixTooShort {
        /// Tokens of the longest prompt.
        prompt_tokens: u64,
        /// The provider's minimum.
        min_tokens: u64,
    },
    /// The system part depends on the example.
    SystemVaries,
    /// The shots depend on the example and there is nothing before them.
    ShotsVary,
    /// Nothing was written and nothing read.
    NothingCached {
        /// The provider's minimum, if known.
        min_tokens: Option<u64>,
    },
    /// The time between requests was longer than a written prefix lasts.
    LifetimePassed,
    /// Written or read now and then, but mostly missed.
    RarelyRead,
    /// Hits, but writes cost more than they save.
    CostsMore,
}

impl CacheFault {
    /// What it comes to, for a sentence that the reason ends.
    pub fn headline(&self) -> &'static str {
        match self {
            Self::NotStored { .. } => "the prefix WAS NOT STORED",
            Self::NotReported => "whether the cache works is not known",
            Self::CostsMore => "the cache DOES NOT PAY",
            _ => "the cache MOSTLY MISSED",
        }
    }

    /// The likely reason as a sentence's end.
    pub fn explanation(&self) -> String {
        match self {
            Self::NotStored { message } => format!("the provider said: {message}"),
            Self::NotReported => "the provider reports no cached tokens".to_owned(),
            Self::PrefixTooShort { prompt_tokens, min_tokens } => format!(
                "the longest prompt has {prompt_tokens} tokens, and the model's cache keeps prefixes of {min_tokens} or more"
            ),
            Self::SystemVaries => "the system part depends on the example, so no prefix is shared".to_owned(),
            Self::ShotsVary => "`similar` shots depend on the example, so little of the prompt is shared".to_owned(),
            Self::NothingCached { min_tokens: Some(min) } => format!(
                "nothing was written or read: what requests share is likely under the model's minimum of {min} tokens"
            ),
            Self::NothingCached { min_tokens: None } => {
                "nothing was written or read: what requests share is likely under the provider's minimum".to_owned()
            }
            Self::LifetimePassed => {
                "the time between requests was longer than a written prefix lasts; `ttl = \"1h\"` may help".to_owned()
            }
            Self::RarelyRead => {
                "written, but not read by most: first requests at the same time, or requests routed to other machines"
                    .to_owned()
            }
            Self::CostsMore => "writing the prefix costs more than reading it saves".to_owned(),
        }
    }
}

/// What the prompt cache did for a variant.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheMeasurements {
    /// Fresh answers that the figures rest on.
    pub requests: u64,
    /// Whether all of them are recorded: then the cache is that of the recording's server, and
    /// which request went first is not known.
    pub recorded: bool,
    /// Share of the requests after the leader that read from the cache; `None` where not reported.
    pub hit_rate: Option<Estimate>,
    /// Share of all prompt tokens that were read from the cache; `None` where not reported.
    pub token_hit_rate: Option<Estimate>,
    /// Mean prompt tokens read from the cache; `None` where not reported.
    pub read_tokens: Option<f64>,
    /// Mean prompt tokens written to it; `None` where not reported.
    pub written_tokens: Option<f64>,
    /// The request that went first.
    pub leader: Option<Leader>,
    /// Mean USD a request if nothing were cached: all prompt tokens at the input price.
    pub cold_usd: Option<Estimate>,
    /// Mean USD a request as billed, the leader's write included.
    pub measured_usd: Option<Estimate>,
    /// Mean USD of the requests that hit.
    pub hit_usd: Option<Estimate>,
    /// Mean USD after the leader: hits, and the writes of misses at the measured hit rate
    /// (METHODS.md 6).
    pub steady_usd: Option<Estimate>,
    /// Steady-state cost over cold cost; above 1 the cache costs more than it saves.
    pub cost_factor: Option<f64>,
    /// Time to the first token of the requests that read from the cache.
    pub ttft_warm: Latency,
    /// The same of those that did not.
    pub ttft_cold: Latency,
    /// Whether the prefix lies at the service for a price an hour that is in no figure here.
    pub storage_not_priced: bool,
    /// Why the cache did not work, if it did not.
    pub fault: Option<CacheFault>,
}

/// What finishing needs besides the answers.
pub(super) struct Context<'a> {
    pub(super) facts: &'a CacheFacts,
    pub(super) lifetime: CacheLifetime,
    /// Whether the prefix is stored at the service and billed while it lies there.
    pub(super) stores: bool,
    /// By example.
    pub(super) clusters: &'a [u32],
    pub(super) alpha: f64,
}

impl CacheTally {
    /// The figures; `None` without fresh answers.
    pub(super) fn finish(&self, context: &Context<'_>) -> Option<CacheMeasurements> {
        if self.requests.is_empty() {
            return None;
        }
        let mut requests = self.requests.clone();
        requests.sort_by_key(|request| (request.sent_at, request.example));
        // Some servers report cached tokens only where there were some.
        if requests.iter().any(Request::is_hit) {
            let silent = |request: &&mut Request| request.read.is_none() && request.prompt > 0;
            requests.iter_mut().filter(silent).for_each(|request| request.read = Some(0));
        }
        let recorded = self.recorded == requests.len() as u64;
        let (leader, followers) = match requests.split_first() {
            Some((leader, followers)) if !recorded => (Some(*leader), followers),
            _ => (None, requests.as_slice()),
        };
        let mean = |tokens: fn(&Request) -> Option<u32>| {
            let known: Vec<f64> = requests.iter().filter_map(tokens).map(f64::from).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        let hits: Vec<Request> = requests.iter().copied().filter(Request::is_hit).collect();
        let cold_usd = context.money(&requests, |request| request.cold_usd);
        let steady_usd = context.money(followers, |request| request.usd);
        let points = (steady_usd.and_then(|usd| usd.point), cold_usd.and_then(|usd| usd.point));
        let mut measured = CacheMeasurements {
            requests: requests.len() as u64,
            recorded,
            hit_rate: context.hit_rate(followers),
            token_hit_rate: context.token_hit_rate(&requests),
            read_tokens: mean(|request| request.read),
            written_tokens: mean(|request| request.written),
            leader: leader.map(as_leader),
            cold_usd,
            measured_usd: context.money(&requests, |request| request.usd),
            hit_usd: context.money(&hits, |request| request.usd),
            steady_usd,
            cost_factor: match points {
                (Some(steady), Some(cold)) if cold > 0.0 => Some(steady / cold),
                _ => None,
            },
            ttft_warm: context.times(&requests, Request::is_hit),
            ttft_cold: context.times(&requests, |request| request.read == Some(0)),
            storage_not_priced: context.stores,
            fault: None,
        };
        measured.fault = context.fault(&measured, &requests, followers);
        Some(measured)
    }
}

impl Context<'_> {
    fn cluster(&self, example: u32) -> u32 {
        self.clusters.get(example as usize).copied().unwrap_or(example)
    }

    /// Mean of an amount of money; `None` where it is unknown for more requests than the mean cost
    /// of a variant may lack.
    fn money(&self, requests: &[Request], usd: fn(&Request) -> f64) -> Option<Estimate> {
        let known = requests.iter().map(|request| (usd(request), self.cluster(request.example)));
        let (amounts, clusters): (Vec<f64>, Vec<u32>) = known.filter(|(usd, _)| !usd.is_nan()).unzip();
        if (requests.len() - amounts.len()) as f64 > MAX_UNKNOWN * requests.len() as f64 {
            return None;
        }
        let mean = mean_cost(&amounts, &clusters, self.alpha);
        mean.cost_estimate(self.alpha)
    }

    /// Requests that hit over those that say; an example's repeats are one cluster, like any other.
    fn hit_rate(&self, followers: &[Request]) -> Option<Estimate> {
        let known = followers.iter().filter(|request| request.read.is_some());
        let known = known.map(|request| (f64::from(u8::from(request.is_hit())), self.cluster(request.example)));
        let (hits, clusters): (Vec<f64>, Vec<u32>) = known.unzip();
        let mut each = clusters.clone();
        each.sort_unstable();
        each.dedup();
        let clustered = each.len() < clusters.len();
        (!hits.is_empty()).then(|| clustered_accuracy(&hits, &clusters, hits.len() as u64, clustered, self.alpha))
    }

    /// Tokens read over tokens sent: a ratio of sums, with the interval of its linearisation.
    fn token_hit_rate(&self, requests: &[Request]) -> Option<Estimate> {
        let known: Vec<(f64, f64, u32)> = requests
            .iter()
            .filter_map(|request| Some((f64::from(request.read?), f64::from(request.prompt), request.example)))
            .collect();
        let prompt: f64 = known.iter().map(|row| row.1).sum();
        if prompt <= 0.0 {
            return None;
        }
        let ratio = known.iter().map(|row| row.0).sum::<f64>() / prompt;
        let mean_prompt = prompt / known.len() as f64;
        let linear: Vec<f64> = known.iter().map(|row| ratio + (row.0 - ratio * row.1) / mean_prompt).collect();
        let clusters: Vec<u32> = known.iter().map(|row| self.cluster(row.2)).collect();
        let interval = mean_with_t(&linear, &clusters, self.alpha).interval;
        Some(Estimate {
            point: Some(ratio),
            low: interval.map_or(0.0, |interval| interval.low.max(0.0)),
            high: interval.map_or(1.0, |interval| interval.high.min(1.0)),
            level: 1.0 - self.alpha,
            n: known.len() as u64,
            method: if interval.is_some() { Method::StudentT } else { Method::None },
        })
    }

    fn times(&self, requests: &[Request], is_in: fn(&Request) -> bool) -> Latency {
        let of_kind = requests.iter().filter(|request| is_in(request) && !request.ttft_ms.is_nan());
        let ms = of_kind.map(|request| request.ttft_ms).collect();
        latency(Times { ms, censored: 0 }, self.alpha)
    }

    /// Why a low hit rate is low, the surest reason first.
    fn fault(&self, measured: &CacheMeasurements, requests: &[Request], followers: &[Request]) -> Option<CacheFault> {
        let Some(hit_rate) = measured.hit_rate.and_then(|rate| rate.point) else {
            // One request alone has nobody to hit what it wrote.
            let unknown = measured.token_hit_rate.is_none();
            return unknown.then_some(CacheFault::NotReported);
        };
        if hit_rate >= LOW_HIT_RATE {
            return measured.cost_factor.filter(|factor| *factor > 1.0).map(|_| CacheFault::CostsMore);
        }
        let longest = requests.iter().map(|request| u64::from(request.prompt)).max().unwrap_or(0);
        if let Some(min_tokens) = self.facts.min_tokens.filter(|min| longest < *min) {
            return Some(CacheFault::PrefixTooShort { prompt_tokens: longest, min_tokens });
        }
        match self.facts.prefix {
            PrefixFacts::SystemVaries => return Some(CacheFault::SystemVaries),
            PrefixFacts::ShotsVary => return Some(CacheFault::ShotsVary),
            PrefixFacts::Stable => {}
        }
        if requests.iter().all(|request| request.written.unwrap_or(0) == 0 && !request.is_hit()) {
            return Some(CacheFault::NothingCached { min_tokens: self.facts.min_tokens });
        }
        let misses = followers.iter().filter(|request| !request.is_hit()).count();
        if !measured.recorded && 2 * self.lapses(requests) >= misses {
            return Some(CacheFault::LifetimePassed);
        }
        Some(CacheFault::RarelyRead)
    }

    /// Pauses in which a written prefix ran out; the requests run by time.
    fn lapses(&self, requests: &[Request]) -> usize {
        let lasts_ms = match self.lifetime {
            CacheLifetime::FiveMinutes => 5 * 60_000,
            CacheLifetime::Hour => 60 * 60_000,
        };
        requests.windows(2).filter(|pair| pair[1].sent_at - pair[0].sent_at > lasts_ms).count()
    }
}

fn as_leader(request: Request) -> Leader {
    Leader {
        read_tokens: request.read.map(u64::from),
        written_tokens: request.written.map(u64::from),
        ttft_ms: Some(request.ttft_ms).filter(|ms| !ms.is_nan()),
    }
}

#[cfg(test)]
mod tests;
