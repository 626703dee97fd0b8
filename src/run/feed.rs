//! The thread that reads examples and renders requests ahead of the run.

mod asked;

use std::sync::Arc;

use tokio::sync::mpsc;

use self::asked::Asked;
use super::decided::Decided;
use super::stored::StoredPrefixes;
use super::{Ask, EndpointSpec, Lane, RunError, budget};
use crate::digest::Digest;
use crate::exchange::CacheLifetime;
use crate::plan::Order;
use crate::prompt::{Prepared, PromptError};
use crate::provider::Price;
use crate::replay::Recording;
use crate::store::{CachedExchange, Store};
use crate::suite::Example;
use crate::trial::{CacheMode, Provenance, Purpose, Trial};
use crate::units::Usd;
use crate::wire::HttpRequest;

/// Requests rendered ahead.
pub(super) const AHEAD: usize = 256;

/// Requests that are looked up in one view of the store: a new one for each would find the writer's
/// commits in between, and read every page anew. [`super::twins`] knows what such a view does not see.
pub(super) const LOOKED_UP_AT_ONCE: usize = 256;

/// What the run gets to do.
#[derive(Debug)]
pub enum Work {
    /// Ask the endpoint.
    Ask(Ask),
    /// The store has the answer.
    Reuse(Trial, CachedExchange),
    /// This trial of a resumed run is over already.
    Settled,
    /// No recording knows this trial's request, and the user wants it left out.
    NotRecorded,
    /// The trial cannot be made.
    Fault(RunError),
}

/// What the feeder needs.
pub struct Feed {
    /// Requests are made by these, one a lane.
    pub prepared: Vec<Arc<Prepared>>,
    /// The variants.
    pub lanes: Vec<Lane>,
    /// The endpoints.
    pub endpoints: Vec<EndpointSpec>,
    /// The recording that recorded endpoints answer from: what it does not know is left out.
    pub recording: Option<Arc<Recording>>,
    /// How many times each example is asked.
    pub repeats: u32,
    /// In which order.
    pub order: Order,
    /// The store's run.
    pub run: i64,
    /// Whether no other process can write trials of the run meanwhile.
    pub is_alone: bool,
    /// Whether answers in the store are left alone.
    pub fresh: bool,
    /// Prefixes that requests may lean on instead of sending them.
    pub stored: Option<Arc<StoredPrefixes>>,
    /// What the requests are made for.
    pub purpose: Purpose,
    /// Where answers are looked up.
    pub store: Store,
    /// Variants that need no more answers: nothing is made for them.
    pub decided: Option<Arc<Decided>>,
}

/// What is known of the store without a look.
struct Known {
    /// Whether the run has trials of an earlier invocation.
    has_trials: bool,
    /// What the run has asked, as long as the store has no other answers.
    asked: Option<Asked>,
}

impl Known {
    fn may_be_stored(&self, key: &Digest) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.may_have(key))
    }
}

/// Opens the examples anew; each pass over them needs its own reader.
pub type OpenExamples = Box<dyn Fn() -> Result<Box<dyn Iterator<Item = Result<Example, RunError>>>, RunError> + Send>;

impl Feed {
    /// Starts the thread. It ends when the receiver is dropped or everything was read.
    pub fn start(self, examples: OpenExamples) -> mpsc::Receiver<Work> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        std::thread::spawn(move || {
            if let Err(error) = self.read(&examples, &sender) {
                // A run that is gone needs no news.
                let _ = sender.blocking_send(Work::Fault(error));
            }
        });
        receiver
    }

    fn read(&self, open: &OpenExamples, sender: &mpsc::Sender<Work>) -> Result<(), RunError> {
        let mut looked_up = 0;
        let mut known = Known {
            has_trials: !self.is_alone || self.store.has_trials(self.run)?,
            asked: (self.is_alone && self.store.has_no_answer(self.run)?).then(Asked::nothing),
        };
        for variants in self.order.passes(self.lanes.len()) {
            for example in open()? {
                if variants.iter().all(|variant| self.is_decided(*variant)) {
                    break;
                }
                let example = Arc::new(example?);
                for variant in variants.iter().copied().filter(|variant| !self.is_decided(*variant)) {
                    for repeat in 0..self.repeats {
                        if looked_up % LOOKED_UP_AT_ONCE == 0 {
                            self.store.look_anew()?;
                            if !self.store.has_no_run_but(self.run)? {
                                known.asked = None;
                            }
                        }
                        looked_up += 1;
                        let trial = Trial { variant, example: Arc::clone(&example), repeat };
                        let work = self.work(trial, &mut known)?;
                        if sender.blocking_send(work).is_err() {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn is_decided(&self, variant: usize) -> bool {
        self.decided.as_ref().is_some_and(|decided| decided.is_marked(variant))
    }

    fn work(&self, trial: Trial, known: &mut Known) -> Result<Work, RunError> {
        let lane = &self.lanes[trial.variant];
        let settled = || {
            let document = serde_json::to_string(&*trial.example).unwrap_or_default();
            let digest = Digest::of(document.as_bytes());
            self.store.is_settled(self.run, lane.id.as_str(), &trial.example.id.0, trial.repeat, &digest)
        };
        if known.has_trials && settled()? {
            return Ok(Work::Settled);
        }
        let http = self.encode(&trial).map_err(|error| {
            RunError::Input(format!("example `{}`, variant `{}`: {error}", trial.example.id, lane.id))
        })?;
        let endpoint = &self.endpoints[lane.endpoint];
        let recorded = endpoint.provenance == Provenance::Recorded;
        let knows = |recording: &Arc<Recording>| recording.knows(endpoint.wire, &http.digest, trial.repeat);
        if recorded && !self.recording.as_ref().is_none_or(knows) {
            return Ok(Work::NotRecorded);
        }
        let key_for = |purpose| cache_key(&http.digest, &endpoint.digest, trial.repeat, lane.cache, purpose);
        let key = key_for(self.purpose);
        if !self.fresh {
            // An answer that was already paid for spares a line of a batch, too. Not the other way
            // round: a run that sends directly wants the time as well.
            let other = (self.purpose != Purpose::Score).then(|| key_for(Purpose::Score));
            for key in [Some(key), other].into_iter().flatten().filter(|key| known.may_be_stored(key)) {
                if let Some(cached) = self.store.cached(&key)? {
                    return Ok(Work::Reuse(trial, cached));
                }
            }
        }
        if let Some(asked) = &mut known.asked {
            asked.note(&key);
        }
        let worst_case = self.worst_case(lane, http.body.len());
        let prepared = &self.prepared[trial.variant];
        let name = self.stored.as_ref().and_then(|stored| stored.name(trial.variant, prepared, &trial.example));
        let short = name.and_then(|name| prepared.encode_after(&trial.example, name).ok());
        let (body, whole) = match short {
            Some(short) => (short.body, Some(http.body)),
            None => (http.body, None),
        };
        Ok(Work::Ask(Ask { trial, key, request_digest: http.digest, route: http.route, body, whole, worst_case }))
    }

    /// The lines of a batch cannot be streamed.
    fn encode(&self, trial: &Trial) -> Result<HttpRequest, PromptError> {
        let prepared = &self.prepared[trial.variant];
        match self.purpose {
            Purpose::Batch => prepared.encode_whole(&trial.example),
            Purpose::Score | Purpose::Latency | Purpose::Confirm => prepared.encode(&trial.example),
        }
    }

    /// The prices that bound what its requests are billed at.
    fn bound(&self, price: &Price) -> Price {
        if self.purpose == Purpose::Batch { price.batch_bound() } else { *price }
    }

    /// Recorded answers cost nothing; a live endpoint's limits were checked before the run.
    fn worst_case(&self, lane: &Lane, body_bytes: usize) -> Usd {
        let endpoint = &self.endpoints[lane.endpoint];
        match (endpoint.provenance, &endpoint.price, lane.most_output_tokens) {
            (Provenance::Live, Some(price), Some(most)) => {
                budget::worst_case(body_bytes, most, &self.bound(price)).unwrap_or_default()
            }
            _ => Usd::ZERO,
        }
    }
}

/// The response cache's key (DESIGN.md 13.10).
pub fn cache_key(request: &Digest, endpoint: &Digest, repeat: u32, mode: CacheMode, purpose: Purpose) -> Digest {
    let mode = match mode {
        CacheMode::Off => b"off".as_slice(),
        CacheMode::Warm => b"warm".as_slice(),
        CacheMode::Stored(CacheLifetime::FiveMinutes) => b"stored 5m".as_slice(),
        CacheMode::Stored(CacheLifetime::Hour) => b"stored 1h".as_slice(),
    };
    let purpose = match purpose {
        Purpose::Score => b"score".as_slice(),
        Purpose::Latency => b"latency".as_slice(),
        Purpose::Batch => b"batch".as_slice(),
        Purpose::Confirm => b"confirm".as_slice(),
    };
    Digest::of_parts([request.as_bytes().as_slice(), endpoint.as_bytes(), &repeat.to_le_bytes(), mode, purpose])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_ways_of_caching_share_an_answer() {
        let (request, endpoint) = (Digest::of(b"r"), Digest::of(b"e"));
        let stored = [CacheLifetime::FiveMinutes, CacheLifetime::Hour].map(CacheMode::Stored);
        let keys = [CacheMode::Off, CacheMode::Warm].into_iter().chain(stored).flat_map(|mode| {
            [Purpose::Score, Purpose::Latency, Purpose::Batch, Purpose::Confirm]
                .map(|purpose| cache_key(&request, &endpoint, 0, mode, purpose))
        });
        assert_eq!(keys.collect::<std::collections::BTreeSet<_>>().len(), 16);
    }
}
