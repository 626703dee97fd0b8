//! How many requests a provider may have under way: adaptive concurrency, an adaptive pace, and the
//! requests and tokens a minute that a provider file states.
//!
//! Servers turn requests away for three reasons that ask for different answers, and say the same:
//!
//! - too many at once: those sent while few were under way are let in, those above are not. The
//!   concurrency is cut to where requests were let in ([`levels`]);
//! - too many in a time: everything is turned away, however few are under way. Nothing is sent until
//!   the time that the server asked for is over, and then at the pace that it let in ([`pace`]);
//! - now and then, whatever the client does: nothing but the request itself waits.
//!
//! Only rate limiting is judged: a broken connection says nothing about load.

mod levels;
mod pace;

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

use self::levels::Levels;
use self::pace::Pace;
use crate::provider::Limits;

/// Requests at once that a provider is tried with before it has answered anything.
const START: f64 = 16.0;

/// What is left of the concurrency when a server turns everything away.
const CUT: f64 = 0.67;

/// How many rounds of answers a concurrency that was too much is not tried again for, at first; each
/// time that it is too much again, twice as many.
const HOLD_ROUNDS: u32 = 4;

/// The most such rounds.
const MOST_HOLD_ROUNDS: u32 = 64;

/// What is left of the concurrency that was let in, until it has grown again.
const SAG: f64 = 0.8;

/// A concurrency up to so many times one that was too much is about the same one.
const NEARLY: f64 = 1.5;

/// Answers that are always few enough to wait for: each trial costs some requests.
const SMALL_HOLD: u32 = 512;

/// A server that turned so many requests in a row away lets none in; fewer where few go at once, since
/// chance does not hit one after the other.
const CLOSED_AFTER: u64 = 6;

/// How long a server that turns everything away is left alone where it does not say.
const UNSAID_PAUSE: Duration = Duration::from_secs(1);

/// A request's place among those under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    /// The how-manieth request it is.
    sequence: u64,
    /// How many were under way once it was sent.
    level: usize,
}

/// Requests turned away with none let in that was sent later than the first of them.
#[derive(Debug, Clone, Copy)]
struct Streak {
    first: u64,
    last: u64,
    rejected: u64,
}

/// A concurrency that was too much.
#[derive(Debug, Clone, Copy)]
struct TooMuch {
    level: f64,
    /// Answers for which it is not tried again.
    hold: u32,
    /// How many of them are left.
    left: u32,
    /// How often it was too much.
    times: u32,
}

/// What a server let in since it was last closed.
#[derive(Debug, Clone, Copy)]
struct Cycle {
    start: Instant,
    let_in: u64,
}

/// The state of one provider's limit.
#[derive(Debug)]
pub(super) struct Limit {
    most: f64,
    allowed: f64,
    in_flight: usize,
    /// Answers that are not on disk yet: a run that is killed has to ask for them again, so that they
    /// take a place like requests under way.
    unwritten: usize,
    sent: u64,
    /// Until a limit is met, each answer allows one more.
    is_starting: bool,
    levels: Levels,
    /// What was sent up to here was judged by the last cut.
    cut_at: u64,
    too_much: Option<TooMuch>,
    streak: Option<Streak>,
    cycle: Option<Cycle>,
    pace: Option<Pace>,
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
            sent: 0,
            is_starting: true,
            levels: Levels::default(),
            cut_at: 0,
            too_much: None,
            streak: None,
            cycle: None,
            pace: None,
            paused_until: None,
            clock,
            requests,
            tokens,
            has_request_permit: false,
        }
    }

    /// Takes a place for a request of about `tokens` tokens, or says when to ask again; `None`
    /// means: when a request ends, or an answer is on disk.
    pub(super) fn take(&mut self, now: Instant, tokens: u32) -> Result<Ticket, Option<Instant>> {
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return Err(Some(until));
        }
        if self.occupied() as f64 + 1.0 > self.allowed {
            return Err(None);
        }
        if let Some(next) = self.pace.as_ref().and_then(|pace| pace.wait_until(now)) {
            return Err(Some(next));
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
        Ok(self.taken(now))
    }

    fn taken(&mut self, now: Instant) -> Ticket {
        self.in_flight += 1;
        self.sent += 1;
        self.cycle.get_or_insert(Cycle { start: now, let_in: 0 });
        self.levels.sent(self.in_flight);
        if let Some(pace) = &mut self.pace {
            pace.sent(now);
        }
        Ticket { sequence: self.sent, level: self.in_flight }
    }

    /// Gives a place back after a request that the server answered.
    pub(super) fn succeeded(&mut self, ticket: Ticket) {
        let saturated = self.occupied() as f64 + 1.0 > self.allowed;
        self.in_flight = self.in_flight.saturating_sub(1);
        self.streak = self.streak.filter(|streak| streak.first > ticket.sequence);
        if let Some(cycle) = &mut self.cycle {
            cycle.let_in += 1;
        }
        if let Some(pace) = &mut self.pace {
            pace.let_in(ticket.sequence);
        }
        if saturated {
            self.grow();
        }
    }

    fn grow(&mut self) {
        let more = if self.is_starting { 1.0 } else { 1.0 / self.allowed.max(1.0) };
        let grown = (self.allowed + more).min(self.most);
        match &mut self.too_much {
            Some(at) if grown >= at.level && at.left > 0 => {
                at.left -= 1;
                // What was seen once may have been chance: it is made up for quickly.
                self.is_starting = at.left == 0 && at.times == 1;
            }
            _ => self.allowed = grown,
        }
    }

    /// Gives a place back without learning anything.
    pub(super) fn ended(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Gives a place back after the server said that it is too much.
    pub(super) fn rate_limited(&mut self, ticket: Ticket, now: Instant, after: Option<Duration>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if ticket.sequence <= self.cut_at {
            return;
        }
        self.levels.rejected(ticket.level);
        // Where the pace is what holds requests back, the number under way says nothing.
        let is_paced = self.pace.is_some() && (ticket.level as f64) < self.allowed.floor();
        if let Some(level) = self.levels.too_much().filter(|_| !is_paced) {
            self.cut_below(level);
            return;
        }
        if self.pace.as_mut().is_some_and(|pace| pace.rejected(ticket.sequence, self.sent)) {
            self.pace = None;
        }
        let streak = self.streak.get_or_insert(Streak { first: ticket.sequence, last: 0, rejected: 0 });
        streak.first = streak.first.min(ticket.sequence);
        streak.last = streak.last.max(ticket.sequence);
        streak.rejected += 1;
        // Most of what was sent meanwhile came back, too: not a few among many that are let in.
        let closed_after = CLOSED_AFTER.min(self.most as u64 + 2);
        if streak.rejected >= closed_after && 2 * streak.rejected > streak.last - streak.first {
            self.closed(now, after);
        }
    }

    /// Requests above a level are turned away, those below are let in.
    fn cut_below(&mut self, level: usize) {
        let level = level as f64;
        let rounds = |rounds: u32| rounds * (level as u32 - 1);
        let most = rounds(MOST_HOLD_ROUNDS).max(SMALL_HOLD);
        let again = self.too_much.filter(|before| level <= NEARLY * before.level + 1.0);
        let hold = again.map_or(rounds(HOLD_ROUNDS), |before| (2 * before.hold).min(most));
        let times = again.map_or(1, |before| before.times + 1);
        self.too_much = Some(TooMuch { level, hold, left: hold, times });
        // Below what is let in, for some rounds: what waits at the server gets done.
        self.allowed = (SAG * (level - 1.0)).max(1.0);
        self.forget();
    }

    /// Nothing is let in: what the server asked for is waited for, and what it let in until then is
    /// its pace.
    fn closed(&mut self, now: Instant, after: Option<Duration>) {
        let until = now + after.unwrap_or(UNSAID_PAUSE);
        self.paused_until = self.paused_until.max(Some(until));
        if let Some(cycle) = self.cycle.take() {
            // Those still under way were let in: the server turns away at once.
            let let_in = cycle.let_in + self.in_flight as u64;
            let per_s = let_in as f64 / (until - cycle.start).as_secs_f64().max(0.001);
            if let_in > 0 {
                self.pace = Some(Pace::new(per_s, until, self.sent));
            }
        }
        self.allowed = (self.allowed * CUT).max(1.0);
        self.forget();
    }

    /// Starts to judge anew: what is under way belongs to what was just met.
    fn forget(&mut self) {
        self.is_starting = false;
        self.cut_at = self.sent;
        self.levels.forget();
        self.streak = None;
    }

    /// Keeps the place of an answer that goes to the disk.
    pub(super) fn writing(&mut self) {
        self.unwritten += 1;
    }

    /// Gives a place back: its answer is on disk.
    pub(super) fn written(&mut self) {
        self.unwritten = self.unwritten.saturating_sub(1);
    }

    fn occupied(&self) -> usize {
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
mod tests;
