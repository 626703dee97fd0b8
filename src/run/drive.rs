//! The run's one owner of state: queues, limits, retries, counts.

mod disk;
mod spare;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attempt::{self, Arrived, Call};
use super::budget::Budget;
use super::event::{Event, Observer};
use super::feed::Work;
use super::lane::{Judgement, LaneState, Over, Pending, Prefix, as_read, attempt_of};
use super::limit::{Limit, Ticket};
use super::twins::{Intake, Twins};
use super::{Job, RunError, Summary};
use crate::exchange::{Failure, FailureKind, Outcome, Retry};
use crate::store::{Committed, StoreError, Write, Writer};
use crate::trial::{Delivery, Exchange, Received, Timing, TrialRecord};

/// Requests that may wait for one endpoint before reading ahead stops.
const WAITING: usize = 512;

/// Bytes of a request for one token, for the tokens-a-minute limit: a guess on the safe side.
const BYTES_PER_TOKEN: usize = 3;

/// What a task returns.
struct Done {
    pending: Pending,
    arrived: Arrived,
    in_flight: u32,
    ticket: Ticket,
}

struct Drive<'a> {
    job: &'a Job,
    observer: &'a mut dyn Observer,
    limits: Vec<Limit>,
    limit_of: Vec<usize>,
    /// Requests under way by endpoint.
    in_flight: Vec<u32>,
    waiting: Vec<VecDeque<Pending>>,
    delayed: BTreeMap<(Instant, u64), Pending>,
    lanes: Vec<LaneState>,
    /// The lane whose turn it is: where limits leave room for one request, none is passed over for ever.
    turn: usize,
    names: Vec<Arc<str>>,
    twins: Twins,
    tasks: JoinSet<Done>,
    leading: mpsc::UnboundedSender<usize>,
    sequence: u64,
    budget: Option<Budget>,
    summary: Summary,
    writer: mpsc::Sender<Write>,
}

/// Runs a job to its end, to its interruption, or to a limit.
///
/// `stop` ends sending and lets what is under way finish; `abort` ends that too. Everything that
/// was shown to the observer as finished is in the store.
///
/// # Errors
/// The store fails, an example cannot be read, or a template does not render.
pub async fn drive(
    job: &Job,
    mut work: mpsc::Receiver<Work>,
    (writer, mut committed): (Writer, mpsc::UnboundedReceiver<Committed>),
    observer: &mut dyn Observer,
    stop: CancellationToken,
    abort: CancellationToken,
) -> Result<Summary, RunError> {
    let (leading, mut led) = mpsc::unbounded_channel();
    let mut drive = Drive::new(job, observer, writer.sender(), leading);
    // A time too long to add up is no limit.
    let deadline = job.max_time.and_then(|time| Instant::now().checked_add(time));
    let mut fault = None;
    let mut open = true;
    let (mut exhausted, mut writer_is_gone) = (false, false);
    loop {
        if open && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            drive.summary.limit_reached = Some("the time limit is reached".into());
        }
        if open && (stop.is_cancelled() || fault.is_some() || drive.summary.limit_reached.is_some()) {
            open = false;
            drive.drain(&mut work, stop.is_cancelled());
        }
        let wake = drive.send_what_fits();
        if open && drive.summary.limit_reached.is_some() {
            continue;
        }
        if !open && drive.tasks.is_empty() {
            break;
        }
        if exhausted && drive.is_idle() {
            break;
        }
        let wake = [wake, deadline.filter(|_| open)].into_iter().flatten().min();
        tokio::select! {
            biased;
            () = abort.cancelled() => { drive.tasks.abort_all(); drive.summary.interrupted = true; break; }
            () = stop.cancelled(), if open => {}
            // First, since what was committed may decide that a variant needs no more.
            news = committed.recv(), if !writer_is_gone => match news.map(|news| drive.committed(news)) {
                Some(Ok(())) => {}
                Some(Err(error)) => fault = fault.or(Some(error)),
                // Nothing would give back the places of what it was to write.
                None => {
                    writer_is_gone = true;
                    fault = fault.or(Some(RunError::Store(StoreError::Writer("it ended unexpectedly".into()))));
                }
            },
            Some(done) = drive.tasks.join_next() => match done {
                Ok(done) => drive.finish(done, open).await,
                Err(error) => fault = fault.or(Some(RunError::Bug(error.to_string()))),
            },
            Some(lane) = led.recv() => drive.lanes[lane].prefix = Prefix::Free,
            next = work.recv(), if open && !exhausted && drive.has_room() => match next {
                Some(next) => if let Err(error) = drive.take(next).await { fault = fault.or(Some(error)); },
                None => exhausted = true,
            },
            () = sleep_until(wake), if wake.is_some() => {}
        }
    }
    drive.end_held(exhausted && open).await;
    let Drive { summary, writer: sender, tasks, observer, .. } = drive;
    drop((sender, tasks));
    let mut summary = finish_writing(writer, committed, observer, summary).await?;
    work.close();
    summary.unsent += work.len() as u64;
    fault.map_or(Ok(summary), Err)
}

pub(super) async fn sleep_until(wake: Option<Instant>) {
    if let Some(wake) = wake {
        tokio::time::sleep_until(wake).await;
    }
}

/// Waits for the writer, off the runtime's threads, and passes its last news on.
pub(super) async fn finish_writing(
    writer: Writer,
    mut committed: mpsc::UnboundedReceiver<Committed>,
    observer: &mut dyn Observer,
    mut summary: Summary,
) -> Result<Summary, RunError> {
    let finished =
        tokio::task::spawn_blocking(move || writer.finish()).await.map_err(|error| RunError::Bug(error.to_string()))?;
    while let Ok(Committed::Trials(records)) = committed.try_recv() {
        for record in &records {
            summary.done += 1;
            observer.on(Event::Finished(record));
        }
    }
    finished?;
    Ok(summary)
}

impl<'a> Drive<'a> {
    fn new(
        job: &'a Job,
        observer: &'a mut dyn Observer,
        writer: mpsc::Sender<Write>,
        leading: mpsc::UnboundedSender<usize>,
    ) -> Self {
        let mut providers: Vec<&str> = Vec::new();
        let mut limits = Vec::new();
        let limit_of = job.endpoints.iter().map(|endpoint| {
            providers.iter().position(|provider| *provider == endpoint.provider).unwrap_or_else(|| {
                providers.push(&endpoint.provider);
                limits.push(Limit::new(&endpoint.limits));
                limits.len() - 1
            })
        });
        let limit_of = limit_of.collect();
        let lanes = job.lanes.iter().map(|lane| LaneState::new(lane.leader_first()));
        Self {
            job,
            observer,
            limits,
            limit_of,
            in_flight: vec![0; job.endpoints.len()],
            waiting: job.lanes.iter().map(|_| VecDeque::new()).collect(),
            delayed: BTreeMap::new(),
            lanes: lanes.collect(),
            turn: 0,
            names: job.lanes.iter().map(|lane| Arc::from(lane.id.as_str())).collect(),
            twins: Twins::default(),
            tasks: JoinSet::new(),
            leading,
            sequence: 0,
            budget: job.max_cost.map(Budget::new),
            summary: Summary::default(),
            writer,
        }
    }

    fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.delayed.is_empty() && self.waiting.iter().all(VecDeque::is_empty)
    }

    fn has_room(&self) -> bool {
        self.waiting.iter().map(VecDeque::len).sum::<usize>() + self.delayed.len() < WAITING
    }

    /// Stops sending; what waits is left for the next run.
    fn drain(&mut self, work: &mut mpsc::Receiver<Work>, interrupted: bool) {
        work.close();
        let waiting = self.waiting.iter_mut().flat_map(|queue| queue.drain(..));
        for pending in waiting.chain(std::mem::take(&mut self.delayed).into_values()) {
            self.summary.unsent += 1 + self.twins.leave(&pending.ask.key).len() as u64;
        }
        self.summary.interrupted |= interrupted;
        self.observer.on(Event::Draining);
    }

    async fn take(&mut self, work: Work) -> Result<(), RunError> {
        match self.twins.intake(work)? {
            Intake::Settled => {
                self.summary.done += 1;
                self.summary.before += 1;
                self.observer.on(Event::AlreadyDone);
            }
            Intake::Nothing => {}
            Intake::Known { record, .. } if self.is_decided(record.trial.variant) => {}
            Intake::Ask(ask) if self.is_decided(ask.trial.variant) => self.spare(ask),
            Intake::Known { record, row } => self.write(record, row, true, row.is_none()).await,
            Intake::Ask(ask) => {
                let lane = ask.trial.variant;
                let pending = Pending { ask, attempts: Vec::new(), first_sent: None, leads: false };
                match self.lanes[lane].stopped.clone() {
                    Some(failure) => self.leave_out(pending, &failure).await,
                    None => self.waiting[lane].push_back(pending),
                }
            }
        }
        Ok(())
    }

    /// Sends whatever the limits allow, lanes in turn; says when to look again.
    fn send_what_fits(&mut self) -> Option<Instant> {
        let now = Instant::now();
        while let Some(entry) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            let pending = entry.remove();
            self.waiting[pending.ask.trial.variant].push_front(pending);
        }
        let mut wake = self.delayed.first_key_value().map(|((at, _), _)| *at);
        let mut sent = true;
        while std::mem::take(&mut sent) {
            let lanes = self.waiting.len();
            for lane in (self.turn..lanes).chain(0..self.turn) {
                let waits = self.lanes[lane].prefix == Prefix::Leading || self.waits_for_stored(lane);
                if self.waiting[lane].is_empty() || waits {
                    continue;
                }
                if !self.affords(lane) {
                    continue;
                }
                let endpoint = self.job.lanes[lane].endpoint;
                if self.job.endpoints[endpoint].own_concurrency.is_some_and(|most| self.in_flight[endpoint] >= most) {
                    continue;
                }
                let tokens = self.tokens_of_next(lane);
                match self.limits[self.limit_of[endpoint]].take(now, tokens) {
                    Err(at) => wake = [wake, at].into_iter().flatten().min(),
                    Ok(ticket) => {
                        if let Some(pending) = self.waiting[lane].pop_front() {
                            if let Some(budget) = &mut self.budget {
                                budget.reserve(pending.ask.worst_case);
                            }
                            self.send(lane, pending, now, ticket);
                            self.turn = (lane + 1) % lanes;
                            sent = true;
                        }
                    }
                }
            }
        }
        wake
    }

    /// About how many tokens a lane's next request will take, its whole output limit included.
    fn tokens_of_next(&self, lane: usize) -> u32 {
        let body = self.waiting[lane].front().map_or(0, |pending| pending.ask.body.len() / BYTES_PER_TOKEN);
        let output = self.job.lanes[lane].most_output_tokens.unwrap_or(0);
        u32::try_from(body as u64 + output).unwrap_or(u32::MAX)
    }

    /// Whether the budget allows a lane's next request. When it does not, and nothing under way can
    /// free any of it, the run has reached its limit.
    fn affords(&mut self, lane: usize) -> bool {
        let Some(budget) = &mut self.budget else { return true };
        let Some(next) = self.waiting[lane].front() else { return true };
        let fits = budget.fits(next.ask.worst_case);
        if !fits && budget.is_used_up() {
            self.summary.limit_reached = Some("the next request could exceed the budget".into());
        }
        fits
    }

    fn send(&mut self, lane: usize, mut pending: Pending, now: Instant, ticket: Ticket) {
        pending.first_sent.get_or_insert(now);
        let mut first_output = None;
        if self.lanes[lane].prefix == Prefix::Unsent {
            self.lanes[lane].prefix = Prefix::Leading;
            pending.leads = true;
            let (told, mut heard) = mpsc::unbounded_channel();
            first_output = Some(told);
            let leading = self.leading.clone();
            tokio::spawn(async move {
                // Where no first token comes, the end of the request says how to go on.
                if heard.recv().await.is_some() {
                    let _ = leading.send(lane);
                }
            });
        }
        self.in_flight[self.job.lanes[lane].endpoint] += 1;
        let call = Call {
            endpoint: self.job.lanes[lane].endpoint,
            route: pending.ask.route.clone(),
            body: pending.ask.body.clone(),
            whole: pending.ask.whole.clone(),
            repeat: pending.ask.trial.repeat,
            first_output,
        };
        let transport = Arc::clone(&self.job.transport);
        let in_flight = self.tasks.len() as u32 + 1;
        self.tasks.spawn(async move {
            let arrived = transport.send(call).await;
            Done { pending, arrived, in_flight, ticket }
        });
        let requests = self.tasks.len();
        let allowed = self.limits.iter().map(Limit::allowed).sum();
        debug_assert!(self.limits.iter().map(Limit::in_flight).sum::<usize>() >= requests);
        self.observer.on(Event::InFlight { requests, allowed });
    }

    /// What to do about an attempt that is over.
    async fn finish(&mut self, done: Done, open: bool) {
        let now = Instant::now();
        let Done { mut pending, arrived, in_flight, ticket } = done;
        let lane = pending.ask.trial.variant;
        let endpoint = self.job.lanes[lane].endpoint;
        let limit = self.limit_of[endpoint];
        self.in_flight[endpoint] = self.in_flight[endpoint].saturating_sub(1);
        if let Some(budget) = &mut self.budget {
            let price = self.job.endpoints[self.job.lanes[lane].endpoint].price.as_ref();
            budget.settle(pending.ask.worst_case, price, &arrived.reading.outcome);
        }
        let failure = arrived.reading.outcome.failure().cloned();
        if std::mem::take(&mut pending.leads) {
            // A prefix that was not written is written by the next request.
            self.lanes[lane].prefix = if failure.is_none() { Prefix::Free } else { Prefix::Unsent };
        }
        match failure.as_ref().map(|failure| failure.retry) {
            Some(Retry::RateLimited { after }) => self.limits[limit].rate_limited(ticket, now, after),
            Some(_) => self.limits[limit].ended(),
            None => self.limits[limit].succeeded(ticket),
        }
        if let Some(failure) = &failure {
            let elapsed = pending.first_sent.map_or(Duration::ZERO, |first| now - first);
            let delay = attempt::next_delay(failure, pending.attempts.len() + 1, elapsed, self.sequence);
            if let Some(delay) = delay.filter(|_| open && self.lanes[lane].stopped.is_none()) {
                self.summary.retries += 1;
                tracing::debug!(variant = %self.job.lanes[lane].id, kind = failure.kind.as_str(), ?delay, "{}", failure.message);
                self.observer.on(Event::Retrying { variant: lane, failure });
                pending.attempts.push(attempt_of(failure, &arrived, delay));
                self.sequence += 1;
                self.delayed.insert((now + delay, self.sequence), pending);
                return;
            }
        }
        let mut over = Over { pending, arrived, failure, in_flight };
        if self.lanes[lane].stopped.is_some() {
            over.count_as_missing();
        }
        match self.lanes[lane].judge(over.failure.as_ref()) {
            Judgement::Undecided => self.lanes[lane].held.push(over),
            Judgement::Sound => {
                for held in self.lanes[lane].take_vindicated() {
                    self.record(held, open).await;
                }
                self.record(over, open).await;
            }
            Judgement::Hopeless(failure) => self.stop(lane, over, &failure).await,
        }
    }

    /// Ends what is held: a variant that was only ever refused in a whole run is stopped; what an
    /// interrupted run could not tell is left for the next one.
    async fn end_held(&mut self, whole: bool) {
        for lane in 0..self.lanes.len() {
            let Some(last) = self.lanes[lane].held.pop() else { continue };
            match last.failure.clone().filter(|_| whole) {
                Some(failure) => self.stop(lane, last, &failure).await,
                None => self.summary.unsent += 1 + std::mem::take(&mut self.lanes[lane].held).len() as u64,
            }
        }
    }

    /// Stops a variant: what it was refused and what it was not asked is missing.
    async fn stop(&mut self, lane: usize, over: Over, failure: &Failure) {
        self.lanes[lane].stopped = Some(failure.clone());
        self.summary.stopped_variants.push((self.job.lanes[lane].id.clone(), failure.message.clone()));
        tracing::info!(variant = %self.job.lanes[lane].id, kind = failure.kind.as_str(), "stopped: {}", failure.message);
        self.observer.on(Event::VariantStopped { variant: lane, failure });
        for mut held in std::mem::take(&mut self.lanes[lane].held).into_iter().chain([over]) {
            held.count_as_missing();
            self.record(held, true).await;
        }
        let mut unasked: Vec<Pending> = self.waiting[lane].drain(..).collect();
        let delayed: Vec<_> = self.delayed.iter().filter(|(_, pending)| pending.ask.trial.variant == lane).collect();
        let delayed: Vec<_> = delayed.into_iter().map(|(at, _)| *at).collect();
        unasked.extend(delayed.iter().filter_map(|at| self.delayed.remove(at)));
        for pending in unasked {
            self.leave_out(pending, failure).await;
        }
    }

    /// Records a trial of a stopped variant that was not asked.
    async fn leave_out(&mut self, mut pending: Pending, stopped: &Failure) {
        pending.ask.body = bytes::Bytes::new();
        self.summary.unsent += 1;
        let message = format!("not asked, since the variant was stopped: {}", stopped.message);
        let failure = Failure { kind: FailureKind::Stopped, status: None, message, retry: Retry::No };
        let arrived = Arrived {
            received: Received::Broken { failure: failure.clone(), body: Vec::new() },
            reading: crate::wire::failed(failure.clone()),
            timing: Timing::default(),
            sent_at_unix_ms: 0,
        };
        self.record(Over { pending, arrived, failure: Some(failure), in_flight: 0 }, true).await;
    }

    async fn record(&mut self, over: Over, open: bool) {
        let Over { pending: Pending { ask, attempts, .. }, arrived, failure, in_flight } = over;
        let twins = self.twins.leave(&ask.key);
        // A failure that the user's stop kept from being asked again is left for the next run.
        if !open && failure.as_ref().is_some_and(|failure| failure.retry != Retry::No) {
            self.summary.unsent += 1 + twins.len() as u64;
            return;
        }
        let endpoint = &self.job.endpoints[self.job.lanes[ask.trial.variant].endpoint];
        let exchange = Arc::new(Exchange {
            key: ask.key,
            request_digest: ask.request_digest,
            endpoint: endpoint.name.clone(),
            request_body: ask.whole.unwrap_or(ask.body).to_vec(),
            received: as_read(arrived.received, failure.as_ref()),
            timing: arrived.timing,
            attempts,
            sent_at_unix_ms: arrived.sent_at_unix_ms,
            in_flight,
            provenance: endpoint.provenance,
            delivery: Delivery::Direct,
        });
        let settled = failure.as_ref().is_none_or(|failure| failure.kind.counts_as_wrong());
        let reusable = !matches!(arrived.reading.outcome, Outcome::Failed(_));
        // A failure may be stored otherwise than it was read.
        let reading = reusable.then(|| Arc::new(arrived.reading));
        if reusable {
            self.twins.answered(&exchange);
        }
        if !settled {
            self.summary.missing += 1 + twins.len() as u64;
        }
        self.write(
            TrialRecord { trial: ask.trial, exchange: Arc::clone(&exchange), reused: false, reading: reading.clone() },
            None,
            settled,
            reusable,
        )
        .await;
        for trial in twins {
            let record = TrialRecord { trial, exchange: Arc::clone(&exchange), reused: true, reading: reading.clone() };
            self.write(record, None, settled, reusable).await;
        }
    }
}
