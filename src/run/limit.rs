//! How many requests a provider may have under way: adaptive concurrency, requests and tokens a
//! minute.
//!
//! Concurrency grows by one for every round of successes while it is used up, and is cut by a
//! third when the server says that it is too much; at most one cut in an episode, since every
//! request that was under way will say the same. Only rate limiting cuts it: a broken connection
//! says nothing about load.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

use crate::provider::Limits;

/// Requests at once that a provider is tried with before it has answered anything.
const START: f64 = 16.0;

/// What a cut leaves.
const CUT: f64 = 0.67;

/// After a cut, further complaints belong to the same episode for at least this long.
const EPISODE: Duration = Duration::from_secs(2);

/// The state of one provider's limit.
#[derive(Debug)]
pub(super) struct Limit {
    most: f64,
    allowed: f64,
    in_flight: usize,
    /// Answers that are not on disk yet: a run that is killed has to ask for them again, so that they
    /// take a place like requests under way.
    unwritten: usize,
    episode_ends: Option<Instant>,
    paused_until: Option<Instant>,
    clock: DefaultClock,
    requests: Option<DefaultDirectRateLimiter>,
    tokens: Option<(DefaultDirectRateLimiter, u32)>,
    /// A request's share of the requests a minute, taken and not used yet.
    has_request_permit: bool,
}

impl Limit {
    pub(super) fn new(limits: &Limits) -> Self {
        let most = f64::from(limits.concurrency.max(1));
        let clock = DefaultClock::default();
        let per_minute = |n: u32, burst: u32| {
            let n = NonZeroU32::new(n)?;
            let quota = Quota::per_minute(n).allow_burst(NonZeroU32::new(burst.clamp(1, n.get()))?);
            Some(RateLimiter::direct_with_clock(quota, clock.clone()))
        };
        // A small burst keeps any minute below the limit, give or take that burst.
        let requests = limits.requests_per_minute.and_then(|n| per_minute(n, n / 60));
        let burst = |n: u32| (n / 12).max(1);
        let tokens = limits.tokens_per_minute.and_then(|n| Some((per_minute(n, burst(n))?, burst(n))));
        Self {
            most,
            allowed: most.min(START),
            in_flight: 0,
            unwritten: 0,
            episode_ends: None,
            paused_until: None,
            clock,
            requests,
            tokens,
            has_request_permit: false,
        }
    }

    /// Takes a place for a request of about `tokens` tokens, or says when to ask again; `None`
    /// means: when a request ends, or an answer is on disk.
    pub(super) fn take(&mut self, now: Instant, tokens: u32) -> Result<(), Option<Instant>> {
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return Err(Some(until));
        }
        if self.taken() as f64 + 1.0 > self.allowed {
            return Err(None);
        }
        let clock = &self.clock;
        let wait = |limiter: &DefaultDirectRateLimiter, cells: u32| match NonZeroU32::new(cells) {
            None => None,
            Some(cells) => match limiter.check_n(cells) {
                Ok(Ok(())) | Err(_) => None,
                Ok(Err(not_until)) => Some(not_until.wait_time_from(clock.now())),
            },
        };
        if !self.has_request_permit
            && let Some(limiter) = &self.requests
            && let Some(wait) = wait(limiter, 1)
        {
            return Err(Some(now + wait));
        }
        // Kept where the tokens are not there yet: asking again must not cost a second one.
        self.has_request_permit = true;
        if let Some((limiter, most)) = &self.tokens
            && let Some(wait) = wait(limiter, tokens.clamp(1, *most))
        {
            return Err(Some(now + wait));
        }
        self.has_request_permit = false;
        self.in_flight += 1;
        Ok(())
    }

    /// Gives a place back after a request that the server answered or that failed for other reasons.
    pub(super) fn succeeded(&mut self) {
        let saturated = self.taken() as f64 + 1.0 > self.allowed;
        self.in_flight = self.in_flight.saturating_sub(1);
        if saturated {
            self.allowed = (self.allowed + 1.0 / self.allowed.max(1.0)).min(self.most);
        }
    }

    /// Gives a place back without learning anything.
    pub(super) fn ended(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Gives a place back after the server said that it is too much.
    pub(super) fn rate_limited(&mut self, now: Instant, after: Option<Duration>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.episode_ends.is_none_or(|end| end <= now) {
            self.allowed = (self.allowed * CUT).max(1.0);
            self.episode_ends = Some(now + EPISODE.max(after.unwrap_or_default()));
        }
        let pause = after.unwrap_or_default();
        if after.is_some() {
            self.paused_until = self.paused_until.max(Some(now + pause));
        }
    }

    /// Keeps the place of an answer that goes to the disk.
    pub(super) fn writing(&mut self) {
        self.unwritten += 1;
    }

    /// Gives a place back: its answer is on disk.
    pub(super) fn written(&mut self) {
        self.unwritten = self.unwritten.saturating_sub(1);
    }

    fn taken(&self) -> usize {
        self.in_flight + self.unwritten
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn allowed(&self) -> usize {
        self.allowed as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(concurrency: u32) -> Limits {
        Limits { concurrency, ..Limits::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn concurrency_is_cut_once_an_episode_and_grows_when_used_up() {
        let now = Instant::now();
        let mut limit = Limit::new(&limits(64));
        for _ in 0..16 {
            limit.take(now, 1).unwrap();
        }
        assert_eq!(limit.take(now, 1), Err(None));
        limit.rate_limited(now, None);
        limit.rate_limited(now, None);
        assert_eq!(limit.allowed(), 10, "two complaints of one episode cut once");
        for _ in 0..14 {
            limit.ended();
        }
        for _ in 0..100 {
            while limit.take(now, 1).is_ok() {}
            limit.succeeded();
        }
        assert!(limit.allowed() > 14, "{}", limit.allowed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_keeps_its_place_until_it_is_on_disk() {
        let now = Instant::now();
        let mut limit = Limit::new(&limits(1));
        limit.take(now, 1).unwrap();
        limit.writing();
        limit.succeeded();
        assert_eq!(limit.take(now, 1), Err(None));
        limit.written();
        assert_eq!(limit.take(now, 1), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_the_server_asks_for_is_kept() {
        let now = Instant::now();
        let mut limit = Limit::new(&limits(4));
        limit.take(now, 1).unwrap();
        limit.rate_limited(now, Some(Duration::from_secs(7)));
        assert_eq!(limit.take(now, 1), Err(Some(now + Duration::from_secs(7))));
        assert_eq!(limit.take(now + Duration::from_secs(8), 1), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_a_minute_are_spread() {
        let now = Instant::now();
        let mut limit = Limit::new(&Limits { requests_per_minute: Some(60), ..limits(16) });
        assert_eq!(limit.take(now, 1), Ok(()));
        assert!(matches!(limit.take(now, 1), Err(Some(_))));
    }
}
