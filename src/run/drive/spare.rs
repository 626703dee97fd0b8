//! Leaving out what decided variants need no more: what was never sent is dropped, what is under way
//! or waits for another attempt goes on, so that what was sent is always the start of the order.

use super::Drive;
use crate::run::Ask;
use crate::run::lane::Pending;

impl Drive<'_> {
    /// Whether a variant needs no more answers.
    pub(super) fn is_decided(&self, lane: usize) -> bool {
        self.job.decided.as_ref().is_some_and(|decided| decided.is_marked(lane))
    }

    /// Whether answers that cost nothing may still decide that a variant needs no more.
    pub(super) fn waits_for_stored(&self, lane: usize) -> bool {
        self.job.decided.is_some() && self.lanes[lane].stored > 0
    }

    /// Drops what waits for decided variants and was never sent.
    pub(super) fn spare_decided(&mut self) {
        for lane in 0..self.waiting.len() {
            if self.waiting[lane].is_empty() || !self.is_decided(lane) {
                continue;
            }
            for pending in std::mem::take(&mut self.waiting[lane]) {
                if pending.first_sent.is_some() {
                    self.waiting[lane].push_back(pending);
                } else {
                    self.spare(pending.ask);
                }
            }
        }
    }

    /// Drops a request, unless another variant waits for its answer: then it is that one's.
    pub(super) fn spare(&mut self, ask: Ask) {
        let job = self.job;
        let is_wanted = |lane: usize| !job.decided.as_ref().is_some_and(|decided| decided.is_marked(lane));
        if let Some(ask) = self.twins.hand_over(ask, |trial| is_wanted(trial.variant)) {
            let pending = Pending { ask, attempts: Vec::new(), first_sent: None, leads: false };
            self.waiting[pending.ask.trial.variant].push_back(pending);
        }
    }
}
