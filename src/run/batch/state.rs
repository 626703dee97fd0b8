//! What a batch run knows: what is gathered, what is under way, what is to be asked again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::draft::{Draft, Drafts};
use super::join::{Member, id_of};
use super::{BatchJob, MOST_BYTES_OPEN};
use crate::digest::Digest;
use crate::exchange::Failure;
use crate::run::budget::Budget;
use crate::run::event::{BatchNews, Event, Observer};
use crate::run::feed::Work;
use crate::run::twins::{Intake, Twins};
use crate::run::{Ask, RunError, Summary};
use crate::store::{BatchPhase, BatchRow, Committed, StoreError, Write};
use crate::trial::TrialRecord;
use crate::units::Usd;
use crate::wire::Route;

/// A batch that its provider works on.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) row: i64,
    /// Whether it was sent for this run: then nobody else waits for it.
    pub(super) own: bool,
    pub(super) endpoint: usize,
    pub(super) remote: String,
    pub(super) route: Route,
    pub(super) submitted_ms: i64,
    pub(super) members: HashMap<String, Member>,
    /// All ids that it was sent with.
    pub(super) ids: HashSet<String>,
    /// How often its state was asked for.
    pub(super) asked: u32,
    /// How often in a row the provider did not know it.
    pub(super) unseen: u32,
    pub(super) next: Instant,
}

/// A batch of an earlier invocation.
pub(super) struct Earlier {
    pub(super) row: BatchRow,
    /// What this run wants of it.
    pub(super) members: HashMap<String, Member>,
}

/// How a variant stands.
#[derive(Debug, Default, Clone)]
pub(super) struct LaneStand {
    pub(super) answered: bool,
    pub(super) stopped: Option<Failure>,
}

pub(super) struct BatchRun<'a> {
    pub(super) job: &'a BatchJob,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) names: Vec<Arc<str>>,
    pub(super) lanes: Vec<LaneStand>,
    pub(super) drafts: Drafts,
    pub(super) ready: Vec<Draft>,
    pub(super) open: Vec<Open>,
    pub(super) earlier: Vec<Earlier>,
    /// The place in `earlier` of each request that is in one, and how often it was sent before that.
    earlier_places: HashMap<Digest, (usize, u32)>,
    pub(super) again: BTreeMap<(Instant, u64), Member>,
    pub(super) twins: Twins,
    pub(super) budget: Option<Budget>,
    /// A request that waits for money to come free.
    blocked: Option<Ask>,
    /// Whether a request was left out because no money will come free for it.
    over_budget: bool,
    bytes_open: usize,
    pub(super) exhausted: bool,
    pub(super) sequence: u64,
    pub(super) summary: Summary,
    writer: mpsc::Sender<Write>,
    sent: u64,
    acknowledged: u64,
}

impl<'a> BatchRun<'a> {
    pub(super) fn new(
        job: &'a BatchJob,
        observer: &'a mut dyn Observer,
        writer: mpsc::Sender<Write>,
    ) -> Result<Self, RunError> {
        let names: Vec<&str> = job.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
        let rows = job.store.unfinished_batches()?;
        // What another run is about to send may be another process at work.
        let is_ours = |row: &BatchRow| row.run == job.run || (!job.fresh && row.remote.is_some());
        let wanted = rows.into_iter().filter(|row| names.contains(&row.endpoint.as_str()) && is_ours(row));
        let earlier: Vec<Earlier> = wanted.map(|row| Earlier { row, members: HashMap::new() }).collect();
        let mut earlier_places = HashMap::new();
        for (place, batch) in earlier.iter().enumerate() {
            earlier_places.extend(batch.row.items.iter().map(|item| (item.key, (place, item.tries))));
        }
        Ok(Self {
            job,
            observer,
            names: job.lanes.iter().map(|lane| Arc::from(lane.id.as_str())).collect(),
            lanes: vec![LaneStand::default(); job.lanes.len()],
            drafts: Drafts::default(),
            ready: Vec::new(),
            open: Vec::new(),
            earlier,
            earlier_places,
            again: BTreeMap::new(),
            twins: Twins::default(),
            budget: job.max_cost.map(Budget::new),
            blocked: None,
            over_budget: false,
            bytes_open: 0,
            exhausted: false,
            sequence: 0,
            summary: Summary::default(),
            writer,
            sent: 0,
            acknowledged: 0,
        })
    }

    /// The summary, with the batches that go on without us.
    pub(super) fn into_parts(mut self) -> (Summary, mpsc::Sender<Write>, &'a mut dyn Observer) {
        if self.over_budget {
            self.summary.limit_reached.get_or_insert_with(|| "the next request could exceed the budget".into());
        }
        self.summary.open_batches = self.open.len() as u64;
        self.summary.open_batches += self.earlier.iter().filter(|batch| !batch.members.is_empty()).count() as u64;
        (self.summary, self.writer, self.observer)
    }

    /// Whether more is to be read.
    pub(super) fn wants_more(&self) -> bool {
        let has_room = self.bytes_open < MOST_BYTES_OPEN && self.blocked.is_none();
        !self.exhausted && self.ready.is_empty() && has_room
    }

    /// Leaves out the request that no money will come free for, if there is one, so that what
    /// comes after it is read: the answers of batches that were sent before cost nothing more.
    pub(super) fn leave_out_the_blocked(&mut self) -> bool {
        let Some(ask) = self.blocked.take() else { return false };
        self.over_budget = true;
        self.leave_unsent(&ask);
        true
    }

    /// What is not asked, with those that wait for its answer.
    fn leave_unsent(&mut self, ask: &Ask) {
        self.summary.unsent += 1 + self.twins.leave(&ask.key).len() as u64;
    }

    pub(super) async fn take(&mut self, work: Work) -> Result<(), RunError> {
        match self.twins.intake(work)? {
            Intake::Settled => {
                self.summary.done += 1;
                self.summary.before += 1;
                self.observer.on(Event::AlreadyDone);
            }
            Intake::Nothing => {}
            Intake::Known { record, row } => self.write(record, row, true, row.is_none()).await,
            Intake::Ask(ask) => self.gather(ask).await,
        }
        Ok(())
    }

    /// Puts a request where it is waited for: in the batch that it was sent in, or in a new one.
    async fn gather(&mut self, ask: Ask) {
        if let Some(&(place, tries)) = self.earlier_places.get(&ask.key) {
            let id = id_of(&ask);
            // What it costs was set aside by the invocation that sent it.
            let member = Member { ask, attempts: Vec::new(), tries, reserved: false };
            self.earlier[place].members.insert(id, member);
            return;
        }
        let member = Member { ask, attempts: Vec::new(), tries: 0, reserved: true };
        if let Some(stopped) = self.lanes[member.ask.trial.variant].stopped.clone() {
            return self.leave_out(Member { reserved: false, ..member }, &stopped).await;
        }
        if let Some(budget) = &mut self.budget {
            if !budget.fits(member.ask.worst_case) {
                if self.over_budget {
                    self.leave_unsent(&member.ask);
                } else {
                    self.blocked = Some(member.ask);
                }
                return;
            }
            budget.reserve(member.ask.worst_case);
        }
        self.draft(member);
    }

    /// Adds a request to the batch that is gathered for its endpoint.
    pub(super) fn draft(&mut self, member: Member) {
        let endpoint = self.job.lanes[member.ask.trial.variant].endpoint;
        self.bytes_open += member.ask.body.len();
        let full = self.drafts.push(endpoint, self.job.wires[endpoint], member);
        self.ready.extend(full);
    }

    /// A member is under way no longer.
    pub(super) fn left(&mut self, member: &Member) {
        self.bytes_open = self.bytes_open.saturating_sub(member.ask.body.len());
    }

    /// Asks again what has waited long enough, and what money has come free for.
    pub(super) fn take_up_again(&mut self) {
        let now = Instant::now();
        while let Some(entry) = self.again.first_entry().filter(|entry| entry.key().0 <= now) {
            let mut member = entry.remove();
            if let (Some(budget), false) = (&mut self.budget, member.reserved) {
                if !budget.fits(member.ask.worst_case) {
                    // A request of an earlier invocation's batch; the next one may pay for another.
                    self.over_budget = true;
                    self.leave_unsent(&member.ask);
                    continue;
                }
                budget.reserve(member.ask.worst_case);
                member.reserved = true;
            }
            self.draft(member);
        }
        // Money comes free batch by batch. A batch may take a day, so it is gathered for a large one.
        let alone = self.open.is_empty();
        let fits = |ask: &mut Ask| {
            let budget = self.budget.as_ref();
            budget.is_none_or(|budget| budget.fits(ask.worst_case) && (alone || budget.is_half_free()))
        };
        if let Some(ask) = self.blocked.take_if(fits) {
            if let Some(budget) = &mut self.budget {
                budget.reserve(ask.worst_case);
            }
            self.draft(Member { ask, attempts: Vec::new(), tries: 0, reserved: true });
        }
    }

    /// When something is to be done next; `None` when nothing is under way.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let polls = self.open.iter().map(|open| open.next);
        polls.chain(self.again.keys().map(|(at, _)| *at)).min()
    }

    pub(super) async fn write(
        &mut self,
        record: TrialRecord,
        exchange_row: Option<i64>,
        settled: bool,
        reusable: bool,
    ) {
        let variant = Arc::clone(&self.names[record.trial.variant]);
        self.sent += 1;
        // A writer that is gone has said why on the other channel.
        let _ = self.writer.send(Write { record, variant, exchange_row, settled, reusable }).await;
    }

    pub(super) fn committed(&mut self, news: Committed) -> Result<(), RunError> {
        match news {
            Committed::Trials(records) => {
                for record in &records {
                    self.acknowledged += 1;
                    self.summary.done += 1;
                    if !record.reused {
                        self.twins.committed(record.exchange.key);
                    }
                    self.observer.on(Event::Finished(record));
                }
                Ok(())
            }
            Committed::Failed(message) => Err(RunError::Store(StoreError::Writer(message))),
        }
    }

    /// Waits until everything written is on disk.
    pub(super) async fn settle(&mut self, committed: &mut mpsc::UnboundedReceiver<Committed>) -> Result<(), RunError> {
        while self.acknowledged < self.sent {
            match committed.recv().await {
                Some(news) => self.committed(news)?,
                None => return Err(RunError::Store(StoreError::Writer("it ended unexpectedly".into()))),
            }
        }
        Ok(())
    }

    /// Notes that the run cannot go on, and why.
    pub(super) fn cannot_go_on(&mut self, what: &str, failure: &Failure) {
        self.summary.limit_reached = Some(format!("{what}: {} ({})", failure.message, failure.kind.as_str()));
    }

    pub(super) fn tell(&mut self, endpoint: usize, remote: &str, news: BatchNews<'_>) {
        let endpoint = &self.job.endpoints[endpoint].name;
        self.observer.on(Event::Batch { endpoint, remote, news });
    }

    /// Frees what was set aside for a request that is not sent.
    pub(super) fn free(&mut self, member: &mut Member) -> Usd {
        if std::mem::take(&mut member.reserved) { member.ask.worst_case } else { Usd::ZERO }
    }

    /// A batch is over in the store, unless another run waits for it too.
    pub(super) fn close(&self, row: i64, own: bool, phase: BatchPhase) -> Result<(), RunError> {
        if own { Ok(self.job.store.end_batch(row, phase)?) } else { Ok(()) }
    }
}
