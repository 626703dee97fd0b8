//! An answer as it arrives: its bytes, the times of its events, and how long the next may take.

use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;

use super::failure;
use crate::exchange::{Failure, FailureKind, Retry};
use crate::provider::Timeouts;
use crate::replay::server::RECORDED_TIMES;
use crate::trial::Timing;
use crate::wire::{Frames, Framing, StreamDecoder};

/// A time too long to be counted: none is waited for.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// A limit of a provider file; it has been read as a number above 0.
pub(super) fn seconds(limit: f64) -> Duration {
    Duration::try_from_secs_f64(limit).unwrap_or(FOR_EVER).min(FOR_EVER)
}

/// An answer's body as it comes, with the times of its events.
pub(super) struct Body {
    start: Instant,
    pub(super) bytes: Vec<u8>,
    pub(super) event_ms: Vec<f64>,
    events: Box<dyn Frames>,
    /// Reads along until the first output has come; what follows is read at the end, once.
    decoder: Option<Box<dyn StreamDecoder>>,
    has_output: bool,
    is_visible: bool,
}

impl Body {
    pub(super) fn new(start: Instant, framing: Framing) -> Self {
        Self {
            start,
            bytes: Vec::new(),
            event_ms: Vec::new(),
            events: framing.decoder(),
            decoder: None,
            has_output: false,
            is_visible: false,
        }
    }

    /// Looks for the first output of a stream.
    pub(super) fn watch(&mut self, decoder: Option<Box<dyn StreamDecoder>>) {
        self.decoder = decoder;
    }

    /// Notes one time for all events that this chunk completes; the time is taken first.
    pub(super) fn mark(&mut self, chunk: &[u8]) {
        let ms = ms_since(self.start);
        let Self { event_ms, events, decoder, .. } = self;
        events.feed(chunk, &mut |data| {
            event_ms.push(ms);
            // Several events may come in one piece.
            if let Some(decoder) = decoder.as_mut().filter(|decoder| decoder.first_visible_event().is_none()) {
                decoder.event(data);
            }
        });
        if let Some(decoder) = &self.decoder {
            self.has_output = decoder.first_output_event().is_some();
            self.is_visible = decoder.first_visible_event().is_some();
        }
        if self.is_visible {
            self.decoder = None;
        }
    }

    /// Whether visible output has come.
    pub(super) fn is_visible(&self) -> bool {
        self.is_visible
    }
}

/// How long an exchange waits for its parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    first_token: Option<Duration>,
    between_chunks: Duration,
}

/// The most that the next part may take, and what it is if it takes longer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) most: Duration,
    limit: Duration,
    kind: FailureKind,
}

impl Wait {
    pub(super) fn failure(&self) -> Failure {
        let seconds = self.limit.as_secs_f64();
        let message = match self.kind {
            FailureKind::Stalled => format!("the stream stopped: nothing came for {seconds} s"),
            _ => format!("no first token within {seconds} s"),
        };
        failure(self.kind, message, Retry::Transient)
    }
}

impl Patience {
    pub(super) fn new(timeouts: &Timeouts) -> Self {
        Self { first_token: timeouts.first_token_s.map(seconds), between_chunks: seconds(timeouts.between_chunks_s) }
    }

    /// For the head of an answer; one that is not streamed has no first token.
    pub(super) fn until_head(&self, body: &Body, asks_for_stream: impl FnOnce() -> bool) -> Option<Wait> {
        self.first_token.filter(|_| asks_for_stream()).map(|limit| Self::first(body, limit))
    }

    /// For the next bytes of an answer.
    pub(super) fn until_chunk(&self, body: &Body) -> Option<Wait> {
        if body.has_output {
            let limit = self.between_chunks;
            return Some(Wait { most: limit, limit, kind: FailureKind::Stalled });
        }
        body.decoder.as_ref().and(self.first_token).map(|limit| Self::first(body, limit))
    }

    fn first(body: &Body, limit: Duration) -> Wait {
        Wait { most: limit.saturating_sub(body.start.elapsed()), limit, kind: FailureKind::FirstTokenTimeout }
    }
}

/// The wall clock for the record, and the monotonic clock for measuring.
pub(super) fn now() -> (i64, Instant) {
    #[expect(clippy::disallowed_methods, reason = "the transport is the clock's door")]
    let (wall, monotonic) = (SystemTime::now(), Instant::now());
    let unix_ms = wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    (unix_ms, monotonic)
}

pub(super) fn ms_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

/// The times that the recording's server sent instead of those of the loopback.
pub(super) fn recorded_times(headers: &HeaderMap, measured: Timing) -> Timing {
    let Some(text) = headers.get(RECORDED_TIMES).and_then(|value| value.to_str().ok()) else { return measured };
    let mut times: Vec<f64> = text.split(',').filter_map(|ms| ms.parse().ok()).collect();
    let total_ms = times.pop().unwrap_or(measured.total_ms);
    Timing { event_ms: times, total_ms }
}
