//! Handing batches to providers, and finding those again that were handed over before.
//!
//! The store has a batch's row before its provider has the batch. Where the two were torn apart (a
//! crash, a connection that broke within the answer) the provider is asked which batches it has,
//! and ours is recognised by its mark or its size and time. Only where that fails is a batch sent
//! twice; then both are billed, and the first one's answers are never read.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::draft::Draft;
use super::join::Member;
use super::state::{BatchRun, Earlier, Open};
use crate::digest::Digest;
use crate::exchange::{Failure, FailureKind, Retry};
use crate::run::event::BatchNews;
use crate::run::{RunError, attempt};
use crate::store::{BatchItem, BatchPhase, NewBatch};
use crate::wire::Route;
use crate::wire::batch::{BatchCall, BatchDraft, Submission, recognise};

/// How far our clock and a provider's may be apart, an upload between them.
const AROUND_MS: i64 = 30 * 60 * 1000;

/// What became of a batch that was to be handed over.
enum Handed {
    /// The provider has it.
    Named(String),
    /// The provider does not have it.
    Refused(Failure),
    /// Nobody knows whether the provider has it: the next run asks.
    Unknown(Failure),
    /// The user stopped it between two tries; whether the provider may have it all the same.
    Stopped { unsure: bool },
}

impl BatchRun<'_> {
    /// Sends what is gathered, full batches first; the others once there is nothing more to gather.
    pub(super) async fn send_drafts(&mut self, stop: &CancellationToken) -> Result<(), RunError> {
        if !self.wants_more() && self.ready.is_empty() {
            self.ready = self.drafts.flush();
        }
        for draft in std::mem::take(&mut self.ready) {
            if stop.is_cancelled() || self.summary.limit_reached.is_some() {
                break;
            }
            self.send_draft(draft, stop).await?;
        }
        Ok(())
    }

    async fn send_draft(&mut self, draft: Draft, stop: &CancellationToken) -> Result<(), RunError> {
        let Some(route) = draft.route().cloned() else { return Ok(()) };
        let endpoint = draft.endpoint;
        let submitted_ms = self.job.door.now_unix_ms();
        let items: Vec<BatchItem> = draft.members.iter().map(|(id, member)| item(id, member, &self.names)).collect();
        let tag = tag_of(&items, submitted_ms);
        let name = self.job.endpoints[endpoint].name.clone();
        let new = NewBatch { run: self.job.run, endpoint: &name, tag: &tag, submitted_ms, items: &items };
        let row = self.job.store.new_batch(&new)?;
        let lines = BatchDraft { tag: &tag, route: &route, lines: &draft.lines };
        let handed = self.hand_over(endpoint, &lines, submitted_ms, stop).await?;
        let members: HashMap<String, Member> = draft.members.into_iter().collect();
        match handed {
            Handed::Named(remote) => {
                self.job.store.name_batch(row, &remote)?;
                tracing::info!(endpoint = name, batch = remote, requests = members.len(), "submitted");
                self.tell(endpoint, &remote, BatchNews::Submitted { requests: members.len() });
                let ids = members.keys().cloned().collect();
                let next = Instant::now() + self.job.wait(0);
                let (asked, unseen, own) = (0, 0, true);
                self.open.push(Open {
                    row,
                    own,
                    endpoint,
                    remote,
                    route,
                    submitted_ms,
                    members,
                    ids,
                    asked,
                    unseen,
                    next,
                });
            }
            Handed::Refused(failure) => {
                self.job.store.end_batch(row, BatchPhase::Lost)?;
                self.not_taken(endpoint, members, &failure).await;
            }
            Handed::Stopped { unsure } => {
                if !unsure {
                    self.job.store.end_batch(row, BatchPhase::Lost)?;
                }
                self.summary.unsent += members.len() as u64;
            }
            Handed::Unknown(failure) => {
                self.summary.unsent += members.len() as u64;
                let what = "whether the provider took a batch is not known; the same command asks it";
                self.cannot_go_on(what, &failure);
            }
        }
        Ok(())
    }

    /// Makes the calls of a submission, again where that can help.
    async fn hand_over(
        &mut self,
        endpoint: usize,
        draft: &BatchDraft<'_>,
        submitted_ms: i64,
        stop: &CancellationToken,
    ) -> Result<Handed, RunError> {
        let wire = self.job.wires[endpoint];
        let (start, mut made) = (Instant::now(), 0);
        let (mut call, mut number) = (wire.submit(draft), 0);
        loop {
            let answer = self.job.door.call(endpoint, call.clone()).await;
            let understood = match &answer {
                Ok(answer) => wire.submitted(draft, number, answer),
                Err(failure) => Err(failure.clone()),
            };
            let failure = match understood {
                Ok(Submission::Named(remote)) => return Ok(Handed::Named(remote)),
                Ok(Submission::Next(next)) => {
                    (call, number, made) = (next, number + 1, 0);
                    continue;
                }
                Err(failure) => failure,
            };
            made += 1;
            // The provider may have taken it, though its answer did not arrive. A file without a
            // batch costs nothing.
            let unsure = (answer.is_ok() || is_unsure(&failure)) && is_last(&call);
            if unsure {
                match self.look_for(endpoint, draft.route, (draft.tag, draft.lines.len(), submitted_ms), stop).await? {
                    Ok(Some(remote)) => return Ok(Handed::Named(remote)),
                    Ok(None) => {}
                    Err(failure) => return Ok(Handed::Unknown(failure)),
                }
            }
            let delay = attempt::next_delay(&failure, made, start.elapsed(), self.sequence);
            let Some(delay) = delay else { return Ok(Handed::Refused(failure)) };
            self.summary.retries += 1;
            self.sequence += 1;
            if !waited(delay, stop).await {
                return Ok(Handed::Stopped { unsure });
            }
        }
    }

    /// Asks a provider for a batch of ours that we have no name of.
    async fn look_for(
        &mut self,
        endpoint: usize,
        route: &Route,
        (tag, lines, submitted_ms): (&str, usize, i64),
        stop: &CancellationToken,
    ) -> Result<Result<Option<String>, Failure>, RunError> {
        let wire = self.job.wires[endpoint];
        let known = self.job.store.known_batches()?;
        let is_known = |remote: &str| known.iter().any(|known| known == remote);
        let answer = self.read(endpoint, &wire.list(route), stop).await;
        Ok(answer.map(|answer| recognise(&wire.listed(&answer), (tag, lines, submitted_ms), AROUND_MS, &is_known)))
    }

    /// Waits again for what earlier invocations sent, now that it is known what this one wants.
    pub(super) async fn find_again(&mut self, stop: &CancellationToken) -> Result<(), RunError> {
        for batch in std::mem::take(&mut self.earlier) {
            let Earlier { row, members } = batch;
            let own = row.run == self.job.run;
            let route = members.values().next().map(|member| member.ask.route.clone());
            let Some(route) = route.filter(|_| !stop.is_cancelled()) else {
                // Its trials are over by other means; another run may still want it.
                if members.is_empty() {
                    self.close(row.id, own, BatchPhase::Done)?;
                }
                self.earlier.extend((!members.is_empty()).then_some(Earlier { row, members }));
                continue;
            };
            let Some(endpoint) = self.job.endpoints.iter().position(|spec| spec.name == row.endpoint) else { continue };
            let remote = match row.remote.clone() {
                Some(remote) => Some(remote),
                None => {
                    match self.look_for(endpoint, &route, (&row.tag, row.items.len(), row.submitted_ms), stop).await? {
                        Ok(found) => found,
                        Err(failure) => {
                            self.cannot_go_on("which batches the provider has cannot be asked", &failure);
                            self.earlier.push(Earlier { row, members });
                            continue;
                        }
                    }
                }
            };
            let Some(remote) = remote else {
                self.job.store.end_batch(row.id, BatchPhase::Lost)?;
                for member in members.into_values() {
                    self.ask_again_at_once(member);
                }
                continue;
            };
            self.job.store.name_batch(row.id, &remote)?;
            let news = BatchNews::Resumed { requests: members.len(), submitted_unix_ms: row.submitted_ms };
            self.tell(endpoint, &remote, news);
            self.open.push(Open {
                row: row.id,
                own,
                endpoint,
                remote,
                route,
                submitted_ms: row.submitted_ms,
                members,
                ids: row.items.into_iter().map(|item| item.id).collect(),
                asked: 0,
                unseen: 0,
                next: Instant::now(),
            });
        }
        Ok(())
    }

    /// Puts a request into the next batch.
    pub(super) fn ask_again_at_once(&mut self, member: Member) {
        self.ask_again(member, Duration::ZERO);
    }

    /// Puts a request into a batch after a while.
    pub(super) fn ask_again(&mut self, member: Member, after: Duration) {
        self.sequence += 1;
        self.again.insert((Instant::now() + after, self.sequence), member);
    }
}

/// Whether it is the call after which the provider has the batch.
fn is_last(call: &BatchCall) -> bool {
    !call.content_type.starts_with("multipart/")
}

/// Whether a call may have been carried out although it failed.
fn is_unsure(failure: &Failure) -> bool {
    let kinds = [FailureKind::Cut, FailureKind::Timeout, FailureKind::Connect, FailureKind::Server];
    kinds.contains(&failure.kind) && failure.retry != Retry::No
}

/// Waits; whether to the end.
pub(super) async fn waited(delay: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(delay) => true,
    }
}

fn item(id: &str, member: &Member, names: &[std::sync::Arc<str>]) -> BatchItem {
    let trial = &member.ask.trial;
    BatchItem {
        id: id.to_owned(),
        variant: names[trial.variant].to_string(),
        example: trial.example.id.0.clone(),
        repeat: trial.repeat,
        key: member.ask.key,
        request: member.ask.request_digest,
        tries: member.tries,
    }
}

/// Our mark of a batch: who is in it, and when it was sent.
fn tag_of(items: &[BatchItem], submitted_ms: i64) -> String {
    let time = submitted_ms.to_le_bytes();
    let digest = Digest::of_parts(items.iter().map(|item| item.id.as_bytes()).chain([time.as_slice()])).to_string();
    digest.get(..32).unwrap_or(&digest).to_owned()
}
