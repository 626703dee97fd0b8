//! A request as it leaves: from when on its answer is waited for.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::arriving::now;
use crate::trial::Timing;

/// When a request went: a connection was there, and its body was asked for to be written.
///
/// Time before that is spent on this side, on finding or opening a connection: with hundreds of requests at once it
/// is tens of milliseconds that no server took.
#[derive(Debug, Clone, Default)]
pub(super) struct Departure(Arc<OnceLock<Instant>>);

impl Departure {
    /// Times that were counted from `start`, counted from the departure; one that never came changes nothing.
    pub(super) fn timing(&self, start: Instant, timing: Timing) -> Timing {
        let Some(went) = self.0.get() else { return timing };
        let waited = went.saturating_duration_since(start).as_secs_f64() * 1000.0;
        let since = |ms: f64| (ms - waited).max(0.0);
        Timing { event_ms: timing.event_ms.into_iter().map(since).collect(), total_ms: since(timing.total_ms) }
    }
}

/// A request's body, in one piece.
pub(super) struct Leaving {
    bytes: Option<Bytes>,
    departure: Departure,
}

impl Leaving {
    pub(super) fn new(bytes: Bytes, departure: Departure) -> Self {
        Self { bytes: Some(bytes), departure }
    }
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        // A body is written once.
        let _ = self.departure.0.set(now().1);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    /// The exact length, so that the request says it instead of coming in chunks.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
