//! How a variant stands while it is asked: whether others wait for its cache prefix, and whether it
//! can be asked at all.

use std::time::Duration;

use tokio::time::Instant;

use super::Ask;
use super::attempt::Arrived;
use crate::exchange::{Failure, FailureKind, Retry};
use crate::trial::{Attempt, Received};

/// A variant whose first requests are all refused as malformed is stopped after this many.
const BAD_REQUESTS: u32 = 5;

/// A request with what was tried before.
pub(super) struct Pending {
    pub(super) ask: Ask,
    pub(super) attempts: Vec<Attempt>,
    pub(super) first_sent: Option<Instant>,
    /// Whether others wait for this attempt to write their cache prefix.
    pub(super) leads: bool,
}

/// Whether a variant's cache prefix is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    /// Nobody has to wait.
    Free,
    /// The first request has not been sent.
    Unsent,
    /// The first request is under way.
    Leading,
}

/// A request that is over, not recorded yet.
pub(super) struct Over {
    pub(super) pending: Pending,
    pub(super) arrived: Arrived,
    pub(super) failure: Option<Failure>,
    pub(super) in_flight: u32,
}

impl Over {
    /// A refusal that all requests of the variant meet says nothing of this one.
    pub(super) fn count_as_missing(&mut self) {
        let refusal = |failure: &&mut Failure| matches!(failure.kind, FailureKind::BadRequest | FailureKind::Malformed);
        if let Some(failure) = self.failure.as_mut().filter(refusal) {
            failure.kind = FailureKind::Stopped;
        }
    }
}

/// What a request's end says of its variant.
pub(super) enum Judgement {
    /// It can be asked.
    Sound,
    /// It was only ever refused, but not often enough to tell.
    Undecided,
    /// Every further request would meet the same.
    Hopeless(Failure),
}

/// How a variant stands.
pub(super) struct LaneState {
    pub(super) stopped: Option<Failure>,
    pub(super) prefix: Prefix,
    answered: u32,
    bad_requests: u32,
    /// Answers that needed no request and are not committed yet.
    pub(super) stored: u32,
    /// Refused requests of a variant that was never answered: wrong, or missing if it is stopped.
    pub(super) held: Vec<Over>,
}

impl LaneState {
    pub(super) fn new(leader_first: bool) -> Self {
        let prefix = if leader_first { Prefix::Unsent } else { Prefix::Free };
        Self { stopped: None, prefix, answered: 0, bad_requests: 0, stored: 0, held: Vec::new() }
    }

    /// Whether every further request would fail the same way, now that one has ended.
    pub(super) fn judge(&mut self, failure: Option<&Failure>) -> Judgement {
        let Some(failure) = failure else {
            self.answered += 1;
            return Judgement::Sound;
        };
        if self.stopped.is_some() {
            return Judgement::Sound;
        }
        // An address that answers something else than this wire refuses in its own way.
        let refused = matches!(failure.kind, FailureKind::BadRequest | FailureKind::Malformed) && self.answered == 0;
        self.bad_requests += u32::from(refused);
        // A limit that lasts longer than a run is worth waiting for is met by every request.
        let barred = failure.kind == FailureKind::RateLimited && failure.retry == Retry::No;
        if barred || failure.kind.stops_variant() || self.bad_requests >= BAD_REQUESTS {
            return Judgement::Hopeless(failure.clone());
        }
        if refused { Judgement::Undecided } else { Judgement::Sound }
    }

    /// What was held, once an answer has shown that the variant can be asked: wrong answers after all.
    pub(super) fn take_vindicated(&mut self) -> Vec<Over> {
        if self.answered > 0 { std::mem::take(&mut self.held) } else { Vec::new() }
    }
}

/// An error answer whose headers are gone is kept with the failure that they meant.
pub(super) fn as_read(received: Received, failure: Option<&Failure>) -> Received {
    match (received, failure) {
        (Received::Answer { status, body, .. }, Some(failure)) if !(200..300).contains(&status) => {
            Received::Broken { failure: failure.clone(), body }
        }
        (received, _) => received,
    }
}

/// What is kept of an attempt that will be made again.
pub(super) fn attempt_of(failure: &Failure, arrived: &Arrived, delay: Duration) -> Attempt {
    Attempt {
        kind: failure.kind,
        status: failure.status,
        message: failure.message.clone(),
        took_ms: arrived.timing.total_ms,
        waited_ms: delay.as_secs_f64() * 1000.0,
    }
}
