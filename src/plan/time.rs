//! How long a run takes, and which of a provider's limits decides it.

use serde::Serialize;

/// Seconds that one request is taken to need where nothing was measured: short answers of small
/// models at the low end, long answers or reasoning at the high one.
pub const ASSUMED_SECONDS: (f64, f64) = (0.5, 5.0);

/// A range of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Seconds {
    /// The low end.
    pub low: f64,
    /// The high end.
    pub high: f64,
}

/// What one endpoint is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// Requests.
    pub requests: f64,
    /// Tokens as the client counts them against a limit a minute: bytes of the bodies by three, and
    /// the whole output limit.
    pub tokens: f64,
    /// Seconds of one request.
    pub seconds: Seconds,
    /// Most requests at once for this endpoint alone.
    pub own_concurrency: Option<u32>,
}

/// A provider's limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProviderLimits {
    /// Most requests at once.
    pub concurrency: u32,
    /// Most requests a minute.
    pub requests_per_minute: Option<u32>,
    /// Most tokens a minute.
    pub tokens_per_minute: Option<u32>,
}

/// The limit that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binds {
    /// Requests at once.
    Concurrency,
    /// Requests a minute.
    RequestsPerMinute,
    /// Tokens a minute.
    TokensPerMinute,
}

impl Binds {
    /// The limit in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Concurrency => "requests at once",
            Self::RequestsPerMinute => "requests a minute",
            Self::TokensPerMinute => "tokens a minute",
        }
    }
}

/// How long a provider's requests take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Wall {
    /// Wall time.
    pub seconds: Seconds,
    /// What decides at the low end.
    pub binds_low: Binds,
    /// What decides at the high end.
    pub binds_high: Binds,
}

/// The wall time of what a provider's endpoints are asked side by side.
pub fn wall(asked: &[Asked], limits: ProviderLimits) -> Wall {
    let total = |part: fn(&Asked) -> f64| asked.iter().map(part).sum::<f64>();
    let places = f64::from(limits.concurrency.max(1));
    // All together through the provider's places, and each endpoint through its own.
    let at_once = |seconds: fn(&Asked) -> f64| {
        let all = asked.iter().map(|one| one.requests * seconds(one)).sum::<f64>() / places;
        let own = |one: &Asked| one.own_concurrency.map(|most| one.requests * seconds(one) / f64::from(most.max(1)));
        asked.iter().filter_map(own).fold(all, f64::max)
    };
    let minutes = |amount: f64, limit: Option<u32>| limit.map_or(0.0, |most| amount / f64::from(most.max(1)) * 60.0);
    let by_requests = minutes(total(|one| one.requests), limits.requests_per_minute);
    let by_tokens = minutes(total(|one| one.tokens), limits.tokens_per_minute);
    let longest = |at_once: f64| {
        let rest = if by_requests >= by_tokens {
            (by_requests, Binds::RequestsPerMinute)
        } else {
            (by_tokens, Binds::TokensPerMinute)
        };
        if at_once >= rest.0 { (at_once, Binds::Concurrency) } else { rest }
    };
    let (low, binds_low) = longest(at_once(|one| one.seconds.low));
    let (high, binds_high) = longest(at_once(|one| one.seconds.high));
    Wall { seconds: Seconds { low, high }, binds_low, binds_high }
}

/// The wall time of several providers: the slowest where variants take turns example by example,
/// one after the other where each variant is asked whole.
pub fn together(walls: &[Wall], by_variant: bool) -> Option<Seconds> {
    let fold = |end: fn(&Wall) -> f64| {
        let ends = walls.iter().map(end);
        if by_variant { ends.sum() } else { ends.fold(0.0, f64::max) }
    };
    (!walls.is_empty()).then(|| Seconds { low: fold(|wall| wall.seconds.low), high: fold(|wall| wall.seconds.high) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ProviderLimits =
        ProviderLimits { concurrency: 8, requests_per_minute: None, tokens_per_minute: None };

    fn asked(requests: f64) -> Asked {
        Asked { requests, tokens: requests * 1000.0, seconds: Seconds { low: 0.5, high: 5.0 }, own_concurrency: None }
    }

    #[test]
    fn places_decide_where_nothing_else_does() {
        let wall = wall(&[asked(160.0), asked(160.0)], LIMITS);
        assert_eq!((wall.seconds, wall.binds_low), (Seconds { low: 20.0, high: 200.0 }, Binds::Concurrency));
    }

    #[test]
    fn the_tightest_limit_decides_and_may_be_another_at_each_end() {
        let requests = ProviderLimits { requests_per_minute: Some(120), ..LIMITS };
        let by_requests = wall(&[asked(320.0)], requests);
        assert_eq!(by_requests.seconds, Seconds { low: 160.0, high: 200.0 });
        assert_eq!((by_requests.binds_low, by_requests.binds_high), (Binds::RequestsPerMinute, Binds::Concurrency));
        let tokens = ProviderLimits { tokens_per_minute: Some(10_000), ..requests };
        let by_tokens = wall(&[asked(320.0)], tokens);
        assert_eq!((by_tokens.seconds.low, by_tokens.binds_high), (1920.0, Binds::TokensPerMinute));
    }

    #[test]
    fn an_endpoint_of_one_place_waits_for_itself() {
        let slow = Asked { own_concurrency: Some(1), ..asked(10.0) };
        assert_eq!(wall(&[slow, asked(10.0)], LIMITS).seconds, Seconds { low: 5.0, high: 50.0 });
    }

    #[test]
    fn providers_run_side_by_side_unless_variants_take_turns() {
        let walls = [wall(&[asked(160.0)], LIMITS), wall(&[asked(80.0)], LIMITS)];
        assert_eq!(together(&walls, false), Some(Seconds { low: 10.0, high: 100.0 }));
        assert_eq!(together(&walls, true), Some(Seconds { low: 15.0, high: 150.0 }));
        assert_eq!(together(&[], false), None);
    }
}
