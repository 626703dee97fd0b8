//! One attempt: send, note when things happen, say what to do about it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::exchange::{Failure, FailureKind, Retry};
use crate::trial::{Received, Timing};
use crate::wire::{Reading, Route};

/// A request to an endpoint.
#[derive(Debug, Clone)]
pub struct Call {
    /// Index of the endpoint.
    pub endpoint: usize,
    /// Where it goes below its base address.
    pub route: Route,
    /// The body.
    pub body: bytes::Bytes,
    /// The whole body, where `body` leans on a stored prefix: sent if that has gone.
    pub whole: Option<bytes::Bytes>,
    /// Which repeat of the trial.
    pub repeat: u32,
    /// Told once the first visible output has come.
    pub first_output: Option<tokio::sync::mpsc::UnboundedSender<()>>,
}

/// What came of an attempt.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// What was received.
    pub received: Received,
    /// What it says, with what an error's headers said about asking again.
    pub reading: Reading,
    /// When things happened.
    pub timing: Timing,
    /// When it was sent, milliseconds since 1970-01-01 UTC.
    pub sent_at_unix_ms: i64,
}

/// A future without a name.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What sends: HTTP in the product, a script in tests.
pub trait Transport: Send + Sync {
    /// Sends one request and waits for its end. Never fails: what goes wrong is in the result.
    fn send(&self, call: Call) -> BoxFuture<'_, Arrived>;
}

/// How long to wait before the next attempt; `None` when there should be none.
///
/// Exponential with jitter between 0.5 s and 30 s, never sooner than the server asked for. A first
/// broken connection is tried again at once: most often it is one that the server had closed while
/// it stood idle, which says nothing of the server's health.
pub fn next_delay(failure: &Failure, attempts_made: usize, elapsed: Duration, seed: u64) -> Option<Duration> {
    if attempts_made >= super::MAX_ATTEMPTS || elapsed >= super::MAX_ELAPSED {
        return None;
    }
    let asked = match failure.retry {
        Retry::No => return None,
        Retry::Transient => Duration::ZERO,
        Retry::RateLimited { after } => after.unwrap_or_default(),
    };
    if attempts_made == 1 && failure.kind == FailureKind::Connect {
        return Some(asked);
    }
    let delays = backon::ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(30))
        .with_jitter()
        .with_jitter_seed(seed)
        .with_max_times(super::MAX_ATTEMPTS);
    let backoff = backon::BackoffBuilder::build(delays).nth(attempts_made.saturating_sub(1)).unwrap_or_default();
    Some(backoff.max(asked))
}

#[cfg(test)]
mod tests {
    use super::*;
    fn failure(retry: Retry) -> Failure {
        Failure { kind: FailureKind::Server, status: None, message: String::new(), retry }
    }

    #[test]
    fn what_cannot_succeed_is_not_asked_again() {
        assert_eq!(next_delay(&failure(Retry::No), 1, Duration::ZERO, 1), None);
        assert_eq!(next_delay(&failure(Retry::Transient), super::super::MAX_ATTEMPTS, Duration::ZERO, 1), None);
        assert_eq!(next_delay(&failure(Retry::Transient), 1, Duration::from_secs(301), 1), None);
    }

    #[test]
    fn delays_grow_and_obey_the_server() {
        let delay = |attempts| next_delay(&failure(Retry::Transient), attempts, Duration::ZERO, 9).unwrap();
        assert!(delay(4) > delay(1));
        let asked = Retry::RateLimited { after: Some(Duration::from_secs(50)) };
        assert!(next_delay(&failure(asked), 1, Duration::ZERO, 1).unwrap() >= Duration::from_secs(50));
    }
}
