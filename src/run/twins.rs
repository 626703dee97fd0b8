//! Identical requests of one run: asked once, their answer shared.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::feed::{AHEAD, LOOKED_UP_AT_ONCE, Work};
use super::{Ask, RunError};
use crate::digest::Digest;
use crate::trial::{Exchange, Trial, TrialRecord};

/// Requests that may have been looked up before a commit and come after it: one more is on its way.
const UNAWARE: u64 = (AHEAD + LOOKED_UP_AT_ONCE + 1) as u64;

/// What becomes of a request.
enum Place {
    /// It is the first of its kind.
    First(Ask),
    /// It waits for the one under way.
    Waits,
    /// The answer is there already.
    Answered(Trial, Arc<Exchange>),
}

/// What a piece of work comes to before anybody is asked.
pub(super) enum Intake {
    /// It was over before this invocation.
    Settled,
    /// There is nothing to do, or it waits for a request under way.
    Nothing,
    /// Its answer is known: from the store's row, or from this run and not in the store yet.
    Known {
        /// The trial with its answer.
        record: TrialRecord,
        /// Where the store has the answer.
        row: Option<i64>,
    },
    /// Somebody must be asked.
    Ask(Ask),
}

/// The requests of a run that others may be identical to.
#[derive(Default)]
pub(super) struct Twins {
    /// Requests under way, with the trials that wait for their answer.
    waiting: HashMap<Digest, Vec<Trial>>,
    /// Answers that a request which was read before their commit does not know of.
    answered: HashMap<Digest, Arc<Exchange>>,
    /// Committed answers in their order, each with the number of requests taken until then.
    committed: VecDeque<(u64, Digest)>,
    taken: u64,
}

impl Twins {
    /// What a piece of work comes to.
    ///
    /// # Errors
    /// Those that the feeder met.
    pub(super) fn intake(&mut self, work: Work) -> Result<Intake, RunError> {
        let known = |trial, exchange, row| Intake::Known {
            record: TrialRecord { trial, exchange, reused: true, reading: None },
            row,
        };
        Ok(match work {
            Work::Settled => Intake::Settled,
            Work::NotRecorded => Intake::Nothing,
            Work::Fault(error) => return Err(error),
            Work::Reuse(trial, cached) => known(trial, cached.exchange, Some(cached.row)),
            Work::Ask(ask) => match self.place(ask) {
                Place::Waits => Intake::Nothing,
                Place::Answered(trial, exchange) => known(trial, exchange, None),
                Place::First(ask) => Intake::Ask(ask),
            },
        })
    }

    /// The place of a request among those of the run.
    fn place(&mut self, ask: Ask) -> Place {
        self.taken += 1;
        // Whatever was read before the commit has been taken by now; later ones find the store's.
        while let Some((_, key)) = self.committed.front().filter(|(taken, _)| taken + UNAWARE < self.taken) {
            self.answered.remove(key);
            self.committed.pop_front();
        }
        if let Some(exchange) = self.answered.get(&ask.key) {
            return Place::Answered(ask.trial, Arc::clone(exchange));
        }
        if let Some(waiting) = self.waiting.get_mut(&ask.key) {
            waiting.push(ask.trial);
            return Place::Waits;
        }
        self.waiting.insert(ask.key, Vec::new());
        Place::First(ask)
    }

    /// Trials that waited for a request that is over.
    pub(super) fn leave(&mut self, key: &Digest) -> Vec<Trial> {
        self.waiting.remove(key).unwrap_or_default()
    }

    /// A request that is not to be sent for its own trial: it is that of the first which waits for its
    /// answer and is wanted, if there is one. Those that are not wanted wait no more.
    pub(super) fn hand_over(&mut self, ask: Ask, is_wanted: impl Fn(&Trial) -> bool) -> Option<Ask> {
        let mut waiting: VecDeque<Trial> = self.leave(&ask.key).into_iter().filter(is_wanted).collect();
        let trial = waiting.pop_front()?;
        self.waiting.insert(ask.key, waiting.into());
        Some(Ask { trial, ..ask })
    }

    /// An answer that may serve others, not committed yet.
    pub(super) fn answered(&mut self, exchange: &Arc<Exchange>) {
        self.answered.insert(exchange.key, Arc::clone(exchange));
    }

    /// An answer is in the store.
    pub(super) fn committed(&mut self, key: Digest) {
        if self.answered.contains_key(&key) {
            self.committed.push_back((self.taken, key));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::suite::{Example, ExampleId};
    use crate::trial::{Provenance, Received, Timing};

    /// A request of the first variant, told apart by its key.
    pub(in crate::run) fn ask(key: u8) -> Ask {
        let example = Example {
            id: ExampleId("e".into()),
            input: serde_json::Value::Null,
            expected: serde_json::Value::Null,
            cluster: None,
            tags: std::collections::BTreeMap::new(),
            documents: Vec::new(),
        };
        let digest = Digest::of(&[key]);
        Ask {
            trial: Trial { variant: 0, example: Arc::new(example), repeat: 0 },
            key: digest,
            request_digest: digest,
            route: crate::wire::Route::fixed("/x"),
            body: bytes::Bytes::new(),
            whole: None,
            worst_case: crate::units::Usd::ZERO,
        }
    }

    fn exchange(key: u8) -> Arc<Exchange> {
        let digest = Digest::of(&[key]);
        Arc::new(Exchange {
            key: digest,
            request_digest: digest,
            endpoint: "p/m".into(),
            request_body: Vec::new(),
            received: Received::Answer { status: 200, body: Vec::new(), streamed: false },
            timing: Timing::default(),
            attempts: Vec::new(),
            sent_at_unix_ms: 0,
            in_flight: 1,
            provenance: Provenance::Live,
            delivery: crate::trial::Delivery::Direct,
        })
    }

    #[test]
    fn a_request_that_is_dropped_goes_to_whoever_waits_for_it() {
        let mut twins = Twins::default();
        let of = |variant: usize| {
            let mut ask = ask(1);
            ask.trial.variant = variant;
            ask
        };
        let Place::First(first) = twins.place(of(0)) else { panic!("the first of its kind") };
        for variant in [0, 2, 1] {
            assert!(matches!(twins.place(of(variant)), Place::Waits));
        }
        let next = twins.hand_over(first, |trial| trial.variant > 0).unwrap();
        assert_eq!(next.trial.variant, 2);
        let last = twins.hand_over(next, |trial| trial.variant == 1).unwrap();
        assert_eq!(last.trial.variant, 1);
        assert!(twins.hand_over(last, |_| true).is_none(), "nobody waits any more");
        assert!(matches!(twins.place(of(0)), Place::First(_)), "and it may be asked anew");
    }

    #[test]
    fn a_request_read_before_its_twins_commit_is_not_asked_again() {
        let mut twins = Twins::default();
        assert!(matches!(twins.place(ask(1)), Place::First(_)));
        assert!(matches!(twins.place(ask(1)), Place::Waits));
        assert_eq!(twins.leave(&Digest::of(&[1])).len(), 1);
        twins.answered(&exchange(1));
        assert!(matches!(twins.place(ask(1)), Place::Answered(..)), "answered, not committed");
        twins.committed(Digest::of(&[1]));
        assert!(matches!(twins.place(ask(1)), Place::Answered(..)), "committed, but this was read before");
        for other in 0..=UNAWARE {
            let _ = twins.place(ask(2 + (other % 200) as u8));
        }
        assert!(twins.answered.is_empty(), "an answer is not kept for ever: later requests find the store's");
    }
}
