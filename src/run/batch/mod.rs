//! Sending a run's trials through the providers' batch APIs.
//!
//! One task owns everything, as in the live driver: it gathers what the feed asks for, sends it in
//! batches, asks now and then how far they are, and records the answers through the same writer.
//! What is under way at a provider outlives the process: a row of the store names it, and the
//! same command waits for it again. Limits of requests and tokens a minute, concurrency and the
//! order of prompt-cache leaders mean nothing here: the provider decides when it does what.

mod draft;
mod join;
mod results;
mod send;
mod state;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use join::Joined;

use super::attempt::BoxFuture;
use super::drive::{finish_writing, sleep_until};
use super::event::{BatchNews, Event, Observer};
use super::feed::Work;
use super::{EndpointSpec, Lane, RunError, Summary};
use crate::exchange::Failure;
use crate::store::{BatchPhase, Committed, Store, Writer};
use crate::units::Usd;
use crate::wire::batch::{BatchCall, BatchWire};
use state::BatchRun;

/// The first wait for a batch's state; each further one is longer.
const FIRST_WAIT: Duration = Duration::from_secs(10);

/// The longest wait for a batch's state.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// How much longer each wait is than the one before.
const WAIT_GROWTH: f64 = 1.5;

/// Batches that a request may be in before its last end stands.
const MOST_TRIES: u32 = 3;

/// Bytes of requests that may be under way at providers before reading ahead stops: they are kept
/// for the record of their answers.
const MOST_BYTES_OPEN: usize = 512 * 1024 * 1024;

/// Makes calls to batch APIs: HTTP in the product, a script in tests.
pub trait BatchDoor: Send + Sync {
    /// The body of a successful answer.
    fn call(&self, endpoint: usize, call: BatchCall) -> BoxFuture<'_, Result<Vec<u8>, Failure>>;

    /// Now, in milliseconds since 1970-01-01 UTC, for the record.
    fn now_unix_ms(&self) -> i64;
}

/// What a batch run needs, ready to go.
pub struct BatchJob {
    /// The variants.
    pub lanes: Vec<Lane>,
    /// The endpoints.
    pub endpoints: Vec<EndpointSpec>,
    /// Their batch APIs; every endpoint of a variant has one.
    pub wires: Vec<&'static dyn BatchWire>,
    /// What makes the calls.
    pub door: Arc<dyn BatchDoor>,
    /// Where batches are noted.
    pub store: Store,
    /// The store's run.
    pub run: i64,
    /// Whether batches of other runs are left alone.
    pub fresh: bool,
    /// Stop waiting after this long.
    pub max_time: Option<Duration>,
    /// Never spend more than this; then every request's worst case is known.
    pub max_cost: Option<Usd>,
    /// Ask for states this often, instead of ever less often.
    pub poll_every: Option<Duration>,
}

impl BatchJob {
    /// How long to wait before a batch is asked for the (n+1)th time.
    fn wait(&self, asked: u32) -> Duration {
        let grown = FIRST_WAIT.as_secs_f64() * WAIT_GROWTH.powi(i32::try_from(asked.min(30)).unwrap_or(30));
        self.poll_every.unwrap_or_else(|| Duration::from_secs_f64(grown).min(LONGEST_WAIT))
    }
}

/// Runs a job to its end, to its interruption, or to a limit.
///
/// `stop` ends sending and waiting; batches that were sent go on at their providers. `abort` leaves
/// at once; then a batch may be at its provider whose name is not in the store yet, and the next
/// run asks the provider for it. Everything shown to the observer as finished is in the store.
///
/// # Errors
/// The store fails, an example cannot be read, or a template does not render.
pub async fn drive_batches(
    job: &BatchJob,
    mut work: mpsc::Receiver<Work>,
    (writer, mut committed): (Writer, mpsc::UnboundedReceiver<Committed>),
    observer: &mut dyn Observer,
    stop: CancellationToken,
    abort: CancellationToken,
) -> Result<Summary, RunError> {
    let mut run = BatchRun::new(job, observer, writer.sender())?;
    let ended = tokio::select! {
        biased;
        () = abort.cancelled() => { run.summary.interrupted = true; Ok(()) }
        ended = go(&mut run, &mut work, &mut committed, &stop) => ended,
    };
    work.close();
    let (mut summary, sender, observer) = run.into_parts();
    summary.unsent += work.len() as u64;
    drop(sender);
    let summary = finish_writing(writer, committed, observer, summary).await?;
    ended.map(|()| summary)
}

async fn go(
    run: &mut BatchRun<'_>,
    work: &mut mpsc::Receiver<Work>,
    committed: &mut mpsc::UnboundedReceiver<Committed>,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    // A time too long to add up is no limit.
    let deadline = run.job.max_time.and_then(|time| Instant::now().checked_add(time));
    loop {
        while run.wants_more() {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(news) = committed.recv() => run.committed(news)?,
                next = work.recv() => match next {
                    Some(next) => run.take(next).await?,
                    None => run.exhausted = true,
                }
            }
        }
        if stop.is_cancelled() {
            run.summary.interrupted = true;
            return Ok(());
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            run.summary.limit_reached = Some("the time limit is reached".into());
            return Ok(());
        }
        if run.exhausted {
            run.find_again(stop).await?;
        }
        run.take_up_again();
        run.send_drafts(stop).await?;
        if run.summary.limit_reached.is_some() || stop.is_cancelled() {
            run.summary.interrupted |= stop.is_cancelled();
            return Ok(());
        }
        if run.wants_more() {
            continue;
        }
        let Some(wake) = run.next_wake() else {
            if run.leave_out_the_blocked() {
                continue;
            }
            return run.settle(committed).await;
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => continue,
            Some(news) = committed.recv() => run.committed(news)?,
            () = sleep_until([Some(wake), deadline].into_iter().flatten().min()) => {}
        }
        run.ask_who_is_due(committed, stop).await?;
    }
}

impl BatchRun<'_> {
    /// Asks for the state of every batch whose time has come, and reads the results of those that
    /// have ended.
    async fn ask_who_is_due(
        &mut self,
        committed: &mut mpsc::UnboundedReceiver<Committed>,
        stop: &CancellationToken,
    ) -> Result<(), RunError> {
        let now = Instant::now();
        let mut place = 0;
        while place < self.open.len() {
            if stop.is_cancelled() || self.summary.limit_reached.is_some() {
                break;
            }
            if self.open[place].next > now {
                place += 1;
                continue;
            }
            if !self.ask_state(place, committed, stop).await? {
                place += 1;
            }
        }
        Ok(())
    }

    /// Asks for the state of one batch. Whether it is over, and no longer in its place.
    async fn ask_state(
        &mut self,
        place: usize,
        committed: &mut mpsc::UnboundedReceiver<Committed>,
        stop: &CancellationToken,
    ) -> Result<bool, RunError> {
        use crate::exchange::{FailureKind, Retry};
        use crate::wire::batch::Phase;
        let open = &self.open[place];
        let (endpoint, wire) = (open.endpoint, self.job.wires[open.endpoint]);
        let answer = self.job.door.call(endpoint, wire.poll(&open.route, &open.remote)).await;
        let state = answer.and_then(|answer| Ok((wire.state(&open.route, &answer)?, answer)));
        let (state, answer) = match state {
            Ok(state) => state,
            Err(failure) => {
                let open = &mut self.open[place];
                open.asked += 1;
                open.next = Instant::now() + self.job.wait(open.asked);
                open.unseen += u32::from(failure.kind == FailureKind::NotFound);
                if failure.kind == FailureKind::NotFound && open.unseen >= MOST_TRIES {
                    let open = self.open.remove(place);
                    self.give_up(open, &failure, BatchPhase::Lost).await?;
                    return Ok(true);
                }
                if failure.kind != FailureKind::NotFound && failure.retry == Retry::No {
                    self.cannot_go_on("the state of a batch cannot be asked", &failure);
                }
                return Ok(false);
            }
        };
        let open = &mut self.open[place];
        open.unseen = 0;
        let elapsed = self.job.door.now_unix_ms().saturating_sub(open.submitted_ms);
        let news = BatchNews::State {
            word: &state.word,
            over: state.over,
            requests: open.ids.len(),
            elapsed: Duration::from_millis(u64::try_from(elapsed).unwrap_or(0)),
        };
        self.observer.on(Event::Batch { endpoint: &self.job.endpoints[endpoint].name, remote: &open.remote, news });
        match state.phase {
            Phase::Working => {
                open.asked += 1;
                open.next = Instant::now() + self.job.wait(open.asked);
                Ok(false)
            }
            Phase::Refused(failure) => {
                let open = self.open.remove(place);
                self.tidy_up((open.endpoint, open.own, &open.route), &answer, stop).await;
                self.give_up(open, &failure, BatchPhase::Done).await?;
                Ok(true)
            }
            Phase::Ended { cancelled } => self.fetch(place, state.sources, answer, cancelled, (committed, stop)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_seconds_to_minutes() {
        let folder = tempfile::tempdir().unwrap();
        struct Nobody;
        impl BatchDoor for Nobody {
            fn call(&self, _: usize, _: BatchCall) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
                unreachable!()
            }
            fn now_unix_ms(&self) -> i64 {
                0
            }
        }
        let job = |poll_every| BatchJob {
            lanes: vec![],
            endpoints: vec![],
            wires: vec![],
            door: Arc::new(Nobody),
            store: Store::open(&folder.path().join("s.db")).unwrap(),
            run: 1,
            fresh: false,
            max_time: None,
            max_cost: None,
            poll_every,
        };
        let waits: Vec<u64> = [0, 1, 4, 20, u32::MAX].iter().map(|asked| job(None).wait(*asked).as_secs()).collect();
        assert_eq!(waits, [10, 15, 50, 300, 300]);
        assert_eq!(job(Some(Duration::from_millis(1))).wait(9), Duration::from_millis(1));
    }
}
