//! Reading a batch's results, and what becomes of each of its requests.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::MOST_TRIES;
use super::join::{Member, join};
use super::send::waited;
use super::state::{BatchRun, Open};
use crate::exchange::{Failure, FailureKind, Outcome, Retry};
use crate::run::RunError;
use crate::run::attempt;
use crate::run::event::{BatchNews, Event};
use crate::run::lane::as_read;
use crate::store::{BatchPhase, Committed};
use crate::trial::{Attempt, Delivery, Exchange, Received, Timing, TrialRecord};
use crate::wire::batch::{BatchCall, LineEnd};
use crate::wire::{self, Reading, Route};

/// A request with what came of it.
struct Ended {
    member: Member,
    received: Received,
    reading: Reading,
}

/// When and in what company a request was sent.
#[derive(Clone, Copy)]
struct Sent {
    submitted_ms: i64,
    requests: u32,
}

impl BatchRun<'_> {
    /// Reads the results of a batch that has ended and records them. Whether it is over, and no
    /// longer in its place: results that cannot be read now are read later.
    pub(super) async fn fetch(
        &mut self,
        place: usize,
        sources: Option<Vec<BatchCall>>,
        state: Vec<u8>,
        cancelled: bool,
        (committed, stop): (&mut mpsc::UnboundedReceiver<Committed>, &CancellationToken),
    ) -> Result<bool, RunError> {
        let wire = self.job.wires[self.open[place].endpoint];
        let mut documents = Vec::new();
        match sources {
            None => documents.push(wire.results(&state)),
            Some(sources) => {
                for source in sources {
                    match self.read(self.open[place].endpoint, &source, stop).await {
                        Ok(document) => documents.push(wire.results(&document)),
                        // It was there and is no longer: what it held is asked again.
                        Err(failure) if failure.kind == FailureKind::NotFound => {
                            tracing::warn!(batch = self.open[place].remote, "results are gone: {}", failure.message);
                        }
                        Err(failure) => {
                            let open = &mut self.open[place];
                            open.asked += 1;
                            open.next = Instant::now() + self.job.wait(open.asked);
                            if failure.retry == Retry::No {
                                self.cannot_go_on("the results of a batch cannot be read", &failure);
                            }
                            return Ok(false);
                        }
                    }
                }
            }
        }
        let open = self.open.remove(place);
        let took_ms = self.job.door.now_unix_ms().saturating_sub(open.submitted_ms) as f64;
        let sent = Sent { submitted_ms: open.submitted_ms, requests: open.ids.len().try_into().unwrap_or(u32::MAX) };
        let (ends, mut joined) = join(open.members, &open.ids, documents, cancelled);
        let mut ended = Vec::with_capacity(ends.len());
        for (member, end) in ends {
            self.left(&member);
            match self.read_end(member, end, took_ms) {
                Some(end) => ended.push(end),
                None => joined.again += 1,
            }
        }
        self.stop_the_hopeless(&mut ended).await;
        for end in ended {
            self.record(end, sent).await;
        }
        self.settle(committed).await?;
        self.close(open.row, open.own, BatchPhase::Done)?;
        self.tell(open.endpoint, &open.remote, BatchNews::Fetched(&joined));
        // Where something is odd about the results, they are left for people to look at.
        if joined.oddities().is_empty() {
            self.tidy_up((open.endpoint, open.own, &open.route), &state, stop).await;
        }
        Ok(true)
    }

    /// Deletes the files that a batch leaves in the account, once nobody needs them. What is not
    /// deleted costs nothing and expires.
    pub(super) async fn tidy_up(
        &self,
        (endpoint, own, route): (usize, bool, &Route),
        state: &[u8],
        stop: &CancellationToken,
    ) {
        if !own {
            return;
        }
        for call in self.job.wires[endpoint].leftovers(route, state) {
            let path = call.route.path.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                deleted = self.job.door.call(endpoint, call) => if let Err(failure) = deleted {
                    tracing::info!(%path, "not deleted: {}", failure.message);
                }
            }
        }
    }

    /// Reads one document of results, again where that can help.
    pub(super) async fn read(
        &mut self,
        endpoint: usize,
        source: &BatchCall,
        stop: &CancellationToken,
    ) -> Result<Vec<u8>, Failure> {
        let (start, mut made) = (Instant::now(), 0);
        loop {
            let failure = match self.job.door.call(endpoint, source.clone()).await {
                Ok(document) => return Ok(document),
                Err(failure) => failure,
            };
            made += 1;
            let delay = attempt::next_delay(&failure, made, start.elapsed(), self.sequence);
            let Some(delay) = delay else { return Err(failure) };
            self.summary.retries += 1;
            self.sequence += 1;
            if !waited(delay, stop).await {
                return Err(failure);
            }
        }
    }

    /// What a request's end means; `None` where it is asked again.
    fn read_end(&mut self, mut member: Member, end: LineEnd, took_ms: f64) -> Option<Ended> {
        let endpoint = self.job.lanes[member.ask.trial.variant].endpoint;
        let broken = |kind, message: &str, retry| {
            let failure = Failure { kind, status: None, message: message.to_owned(), retry };
            (Received::Broken { failure: failure.clone(), body: Vec::new() }, wire::failed(failure))
        };
        let (received, reading) = match end {
            LineEnd::Answer { status, body } => {
                let received = Received::Answer { status, body, streamed: false };
                let reading = wire::read(self.job.endpoints[endpoint].wire, &received);
                (received, reading)
            }
            LineEnd::Expired => {
                let message = "the batch ended without an answer to this request";
                broken(FailureKind::Server, message, Retry::Transient)
            }
            // Whoever cancelled it did not want it asked again now.
            LineEnd::Cancelled => broken(FailureKind::Stopped, "cancelled at the provider", Retry::No),
        };
        let again = reading.outcome.failure().filter(|failure| failure.retry != Retry::No);
        let stopped = self.lanes[member.ask.trial.variant].stopped.is_some();
        if let Some(failure) = again.filter(|_| member.tries + 1 < MOST_TRIES && !stopped) {
            member.attempts.push(Attempt {
                kind: failure.kind,
                status: failure.status,
                message: failure.message.clone(),
                took_ms,
                waited_ms: 0.0,
            });
            member.tries += 1;
            self.summary.retries += 1;
            self.observer.on(Event::Retrying { variant: member.ask.trial.variant, failure });
            self.ask_again_at_once(member);
            return None;
        }
        Some(Ended { member, received, reading })
    }

    /// A variant whose requests are all refused is stopped: they say nothing of its answers.
    async fn stop_the_hopeless(&mut self, ended: &mut [Ended]) {
        let mut refused: HashMap<usize, Failure> = HashMap::new();
        let mut barred: HashMap<usize, Failure> = HashMap::new();
        for end in ended.iter() {
            let lane = end.member.ask.trial.variant;
            match end.reading.outcome.failure() {
                None => self.lanes[lane].answered = true,
                Some(failure) if failure.kind.stops_variant() => {
                    barred.entry(lane).or_insert_with(|| failure.clone());
                }
                Some(failure) if is_refusal(failure) => {
                    refused.entry(lane).or_insert_with(|| failure.clone());
                }
                Some(_) => {}
            }
        }
        refused.retain(|lane, _| !self.lanes[*lane].answered);
        for end in ended.iter_mut().filter(|end| refused.contains_key(&end.member.ask.trial.variant)) {
            if let Outcome::Failed(failure) = &mut end.reading.outcome
                && is_refusal(failure)
            {
                failure.kind = FailureKind::Stopped;
            }
        }
        refused.extend(barred);
        let mut lanes: Vec<_> = refused.into_iter().collect();
        lanes.sort_by_key(|(lane, _)| *lane);
        for (lane, failure) in lanes {
            self.stop(lane, &failure).await;
        }
    }

    /// Stops a variant: what it was not asked yet is missing.
    async fn stop(&mut self, lane: usize, failure: &Failure) {
        if self.lanes[lane].stopped.is_some() {
            return;
        }
        self.lanes[lane].stopped = Some(failure.clone());
        self.summary.stopped_variants.push((self.job.lanes[lane].id.clone(), failure.message.clone()));
        self.observer.on(Event::VariantStopped { variant: lane, failure });
        let mut unasked = self.drafts.take(&HashSet::from([lane]));
        for member in &unasked {
            self.left(member);
        }
        let waiting: Vec<_> = self.again.iter().filter(|(_, member)| member.ask.trial.variant == lane).collect();
        let waiting: Vec<_> = waiting.into_iter().map(|(at, _)| *at).collect();
        unasked.extend(waiting.iter().filter_map(|at| self.again.remove(at)));
        for member in unasked {
            self.leave_out(member, failure).await;
        }
    }

    /// Records a trial of a stopped variant that was not asked.
    pub(super) async fn leave_out(&mut self, mut member: Member, stopped: &Failure) {
        member.ask.body = bytes::Bytes::new();
        self.summary.unsent += 1;
        let message = format!("not asked, since the variant was stopped: {}", stopped.message);
        self.record_failure(member, FailureKind::Stopped, message).await;
    }

    async fn record_failure(&mut self, member: Member, kind: FailureKind, message: String) {
        let failure = Failure { kind, status: None, message, retry: Retry::No };
        let received = Received::Broken { failure: failure.clone(), body: Vec::new() };
        let sent = Sent { submitted_ms: 0, requests: 0 };
        self.record(Ended { member, received, reading: wire::failed(failure) }, sent).await;
    }

    /// A provider did not take a batch: what it says of its variants, or what is missing.
    pub(super) async fn not_taken(&mut self, endpoint: usize, members: HashMap<String, Member>, failure: &Failure) {
        self.tell(endpoint, "(not taken)", BatchNews::GivenUp { failure });
        // Every further batch would meet the same, and it says nothing of single requests.
        let for_good = failure.retry == Retry::No;
        let mut members: Vec<Member> = members.into_values().collect();
        members.sort_by_key(|member| (member.ask.trial.variant, member.ask.key));
        if for_good {
            let lanes: HashSet<usize> = members.iter().map(|member| member.ask.trial.variant).collect();
            let mut lanes: Vec<usize> = lanes.into_iter().collect();
            lanes.sort_unstable();
            for lane in lanes {
                self.stop(lane, failure).await;
            }
        }
        for member in members {
            self.left(&member);
            let kind = if failure.kind.counts_as_wrong() { FailureKind::Stopped } else { failure.kind };
            self.record_failure(member, kind, failure.message.clone()).await;
        }
    }

    /// A provider did none of a batch, or does not have it: asked again where that can help.
    pub(super) async fn give_up(&mut self, open: Open, failure: &Failure, phase: BatchPhase) -> Result<(), RunError> {
        self.close(open.row, open.own, phase)?;
        let lost = phase == BatchPhase::Lost;
        if !lost && failure.retry == Retry::No {
            self.not_taken(open.endpoint, open.members, failure).await;
            return Ok(());
        }
        self.tell(open.endpoint, &open.remote, BatchNews::GivenUp { failure });
        // A full queue empties as other batches end; waiting for that is no try.
        let others = self.open.iter().any(|other| other.endpoint == open.endpoint);
        let queued = matches!(failure.retry, Retry::RateLimited { .. }) && others;
        let after = if lost { Duration::ZERO } else { self.job.wait(if queued { u32::MAX } else { 3 }) };
        for mut member in open.members.into_values() {
            self.left(&member);
            member.tries += u32::from(!queued);
            if member.tries < MOST_TRIES {
                self.summary.retries += 1;
                self.ask_again(member, after);
            } else {
                self.record_failure(member, FailureKind::Server, failure.message.clone()).await;
            }
        }
        Ok(())
    }

    async fn record(&mut self, ended: Ended, sent: Sent) {
        let Ended { mut member, received, reading } = ended;
        let failure = reading.outcome.failure().cloned();
        let endpoint = &self.job.endpoints[self.job.lanes[member.ask.trial.variant].endpoint];
        let worst = self.free(&mut member);
        if let Some(budget) = &mut self.budget {
            let price = endpoint.price.map(|price| price.batched());
            budget.settle(worst, price.as_ref(), &reading.outcome);
        }
        let ask = member.ask;
        let exchange = Arc::new(Exchange {
            key: ask.key,
            request_digest: ask.request_digest,
            endpoint: endpoint.name.clone(),
            request_body: ask.body.to_vec(),
            received: as_read(received, failure.as_ref()),
            timing: Timing::default(),
            attempts: member.attempts,
            sent_at_unix_ms: sent.submitted_ms,
            in_flight: sent.requests,
            provenance: endpoint.provenance,
            delivery: Delivery::Batch,
        });
        let settled = failure.as_ref().is_none_or(|failure| failure.kind.counts_as_wrong());
        let reusable = failure.is_none();
        let twins = self.twins.leave(&ask.key);
        if reusable {
            self.twins.answered(&exchange);
        }
        if !settled {
            self.summary.missing += 1 + twins.len() as u64;
        }
        let record = TrialRecord { trial: ask.trial, exchange: Arc::clone(&exchange), reused: false, reading: None };
        self.write(record, None, settled, reusable).await;
        for trial in twins {
            let record = TrialRecord { trial, exchange: Arc::clone(&exchange), reused: true, reading: None };
            self.write(record, None, settled, reusable).await;
        }
    }
}

/// The server does not take the request as it is.
fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::BadRequest | FailureKind::Malformed)
}
