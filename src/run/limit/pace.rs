//! The pace that a server with a limit in time lets in, found by what it let in.

use std::time::Duration;

use tokio::time::Instant;

/// How far a pace may catch up after a late timer.
const SLACK: Duration = Duration::from_millis(20);

/// What is left of a pace that was just a little too fast.
const EASE: f64 = 0.98;

/// Answers after which a pace that holds is tried a little faster.
const SOUND: u32 = 100;

/// The least time for which a pace is kept.
const SETTLED: Duration = Duration::from_secs(5);

/// The first step up, doubled as long as nothing is turned away.
const STEP: f64 = 0.01;

/// The greatest step up.
const GREATEST_STEP: f64 = 0.25;

/// Answers within which two that are turned away slow the pace down.
const LOOK: u32 = 20;

/// Requests a second, spread evenly.
#[derive(Debug)]
pub(super) struct Pace {
    per_s: f64,
    /// The pace that was last too fast.
    known: f64,
    next: Instant,
    changed: Instant,
    step: f64,
    /// What was sent up to here was sent at an earlier pace.
    since: u64,
    let_in: u32,
    rejected: u32,
    /// The share that was turned away before it was slowed down.
    share_before: Option<f64>,
    /// How often slowing down changed nothing.
    in_vain: u32,
}

impl Pace {
    /// A pace from what a server let in, from this moment on.
    pub(super) fn new(per_s: f64, from: Instant, since: u64) -> Self {
        Self {
            per_s: EASE * per_s,
            known: per_s,
            next: from,
            changed: from,
            step: STEP,
            since,
            let_in: 0,
            rejected: 0,
            share_before: None,
            in_vain: 0,
        }
    }

    /// When the next request may go, unless it may go now.
    pub(super) fn wait_until(&self, now: Instant) -> Option<Instant> {
        Some(self.next).filter(|next| *next > now)
    }

    pub(super) fn sent(&mut self, now: Instant) {
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        self.next = self.next.max(earliest) + Duration::from_secs_f64((1.0 / self.per_s).min(3600.0));
    }

    /// A request was let in.
    pub(super) fn let_in(&mut self, sequence: u64) {
        if sequence <= self.since {
            return;
        }
        self.let_in += 1;
        if self.let_in < SOUND || self.next.saturating_duration_since(self.changed) < SETTLED {
            return;
        }
        if self.rejected == 0 {
            self.per_s *= 1.0 + self.step;
            // Where it was too fast, in small steps; far from there, in larger and larger ones.
            let is_near = (0.9..1.1).contains(&(self.per_s / self.known));
            self.step = if is_near { STEP } else { (2.0 * self.step).min(GREATEST_STEP) };
            self.share_before = None;
        } else {
            self.step = STEP;
        }
        self.changed = self.next;
        (self.let_in, self.rejected) = (0, 0);
    }

    /// A request was turned away; whether the pace can be forgotten, since it makes no difference.
    pub(super) fn rejected(&mut self, sequence: u64, sent: u64) -> bool {
        if sequence <= self.since {
            return false;
        }
        self.rejected += 1;
        let seen = self.let_in + self.rejected;
        if self.rejected < 2 || (seen < LOOK && self.rejected < 4) {
            return false;
        }
        let share = f64::from(self.rejected) / f64::from(seen);
        let is_in_vain = self.share_before.is_some_and(|before| share > before / 2.0);
        self.in_vain = if is_in_vain { self.in_vain + 1 } else { 0 };
        self.known = self.per_s;
        self.changed = self.next;
        self.per_s *= (1.0 - share).clamp(0.5, EASE);
        self.share_before = Some(share);
        self.step = STEP;
        self.since = sent;
        (self.let_in, self.rejected) = (0, 0);
        self.in_vain >= 2
    }
}
