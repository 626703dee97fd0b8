//! Buying vectors of texts before a run: requests of many texts, tried again where that can help.
//!
//! What arrives is handed over at once, so that whatever stops it later, nothing is bought twice.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attempt::{Arrived, Call, Transport, next_delay};
use super::budget::{self, Budget};
use super::limit::{Limit, Ticket};
use super::{EndpointSpec, RunError};
use crate::digest::Digest;
use crate::exchange::{Completion, Failure, FailureKind, Outcome, Retry, Stop, Usage};
use crate::provider::Target;
use crate::provider::price::request_cost;
use crate::text;
use crate::trial::Received;
use crate::units::Usd;
use crate::wire::Route;
use crate::wire::embeddings::{self, Embedded, MOST_BYTES, MOST_TEXTS};

/// Who makes the vectors, and how much may be asked.
pub struct Embedder {
    /// What sends; the endpoint is its first.
    pub transport: Arc<dyn Transport>,
    /// The endpoint.
    pub spec: EndpointSpec,
    /// The name that its server knows.
    pub served_as: String,
    /// What its wire must know.
    pub target: Target,
    /// Never spend more than this; then the price is known.
    pub max_cost: Option<Usd>,
    /// Send nothing more from then on.
    pub deadline: Option<Instant>,
}

/// A text that has no vector yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its digest.
    pub digest: Digest,
    /// The text.
    pub text: String,
}

/// What was bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bought {
    /// Vectors.
    pub texts: u64,
    /// Tokens; `None` where the server did not say for all of them.
    pub tokens: Option<u64>,
    /// What they cost; `None` where a count or the price is not known.
    pub cost: Option<Usd>,
    /// The most that may be billed: costs, and the worst case of what was lost or not counted.
    pub spent: Usd,
}

impl Default for Bought {
    fn default() -> Self {
        Self { texts: 0, tokens: Some(0), cost: Some(Usd::ZERO), spent: Usd::ZERO }
    }
}

/// Why not all vectors could be bought.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The endpoint does not make them.
    #[error("`{endpoint}` makes no vectors: {} ({})", .failure.message, .failure.kind.as_str())]
    Failed {
        /// `provider/model`.
        endpoint: String,
        /// What was said.
        failure: Failure,
    },
    /// A limit of time or money.
    #[error("{0} while vectors were bought of `{1}`")]
    Limit(&'static str, String),
    /// The user stopped it.
    #[error("interrupted while vectors were bought of `{0}`")]
    Interrupted(String),
    /// What was to be embedded, or kept.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// A request with what was tried before.
struct Batch {
    texts: Vec<Wanted>,
    attempts: usize,
    first_sent: Option<Instant>,
}

impl Batch {
    fn bytes(&self) -> usize {
        self.texts.iter().map(|wanted| wanted.text.len()).sum()
    }
}

/// Why no more is sent.
enum Closed {
    Failed(Failure),
    Limit(&'static str),
    Interrupted,
    Fault(RunError),
}

/// Called with the vectors of each answer and what was bought so far; it keeps them.
pub type Keep<'a> = dyn FnMut(&[(Digest, Vec<f32>)], &Bought) -> Result<(), RunError> + 'a;

/// Buys the vectors of `texts`. The first value says what was bought, however it ended.
///
/// # Errors
/// The endpoint fails or answers with what is no vector, a limit is reached, the user stops it, or
/// `texts` or `keep` fail. What was handed to `keep` before stays bought.
pub async fn embed(
    embedder: &Embedder,
    texts: impl Iterator<Item = Result<Wanted, RunError>>,
    keep: &mut Keep<'_>,
    stop: CancellationToken,
    abort: CancellationToken,
) -> (Bought, Result<(), EmbedError>) {
    let name = || embedder.spec.name.clone();
    let mut buying = Buying::new(embedder, keep);
    let closed = buying.all(texts, stop, abort).await;
    let ended = match closed {
        None => Ok(()),
        Some(Closed::Failed(failure)) => Err(EmbedError::Failed { endpoint: name(), failure }),
        Some(Closed::Limit(what)) => Err(EmbedError::Limit(what, name())),
        Some(Closed::Interrupted) => Err(EmbedError::Interrupted(name())),
        Some(Closed::Fault(error)) => Err(error.into()),
    };
    (buying.bought, ended)
}

struct Buying<'a, 'k> {
    embedder: &'a Embedder,
    keep: &'a mut Keep<'k>,
    limit: Limit,
    budget: Option<Budget>,
    tasks: JoinSet<(Batch, Arrived, Ticket)>,
    /// To be sent now, oldest first.
    ready: VecDeque<Batch>,
    /// To be sent again, by when.
    delayed: BTreeMap<(Instant, u64), Batch>,
    sequence: u64,
    dimensions: Option<usize>,
    bought: Bought,
    closed: Option<Closed>,
}

impl<'a, 'k> Buying<'a, 'k> {
    fn new(embedder: &'a Embedder, keep: &'a mut Keep<'k>) -> Self {
        let mut limits = embedder.spec.limits;
        limits.concurrency = embedder.spec.own_concurrency.unwrap_or(limits.concurrency).min(limits.concurrency);
        Self {
            embedder,
            keep,
            limit: Limit::new(&limits),
            budget: embedder.max_cost.map(Budget::new),
            tasks: JoinSet::new(),
            ready: VecDeque::new(),
            delayed: BTreeMap::new(),
            sequence: 0,
            dimensions: None,
            bought: Bought::default(),
            closed: None,
        }
    }

    async fn all(
        &mut self,
        texts: impl Iterator<Item = Result<Wanted, RunError>>,
        stop: CancellationToken,
        abort: CancellationToken,
    ) -> Option<Closed> {
        let mut texts = texts.peekable();
        loop {
            if self.closed.is_none() && stop.is_cancelled() {
                self.closed = Some(Closed::Interrupted);
            }
            if self.closed.is_none() && self.embedder.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.closed = Some(Closed::Limit("the time limit is reached"));
            }
            let wake = self.send(&mut texts);
            let waiting = !self.ready.is_empty() || !self.delayed.is_empty() || texts.peek().is_some();
            if self.tasks.is_empty() && (self.closed.is_some() || !waiting) {
                break;
            }
            let open = self.closed.is_none();
            let wake = [wake, self.embedder.deadline].into_iter().flatten().min().filter(|_| open);
            tokio::select! {
                biased;
                () = abort.cancelled() => { self.tasks.abort_all(); self.closed = Some(Closed::Interrupted); break; }
                () = stop.cancelled(), if open => {}
                Some(done) = self.tasks.join_next() => match done {
                    Ok((batch, arrived, ticket)) => self.arrived(batch, arrived, ticket),
                    Err(error) => self.close(Closed::Fault(RunError::Bug(error.to_string()))),
                },
                () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
        self.closed.take()
    }

    fn close(&mut self, why: Closed) {
        self.closed.get_or_insert(why);
    }

    /// Sends what the limits allow; answers when to look again, where that is not when an answer comes.
    fn send(
        &mut self,
        texts: &mut std::iter::Peekable<impl Iterator<Item = Result<Wanted, RunError>>>,
    ) -> Option<Instant> {
        while self.closed.is_none() {
            let now = Instant::now();
            while let Some(entry) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
                self.ready.push_back(entry.remove());
            }
            if self.ready.is_empty() {
                match next_batch(texts) {
                    Ok(batch) => self.ready.extend(batch),
                    Err(error) => self.close(Closed::Fault(error)),
                }
            }
            let Some(batch) = self.ready.front() else { break };
            let worst = self.worst_case(batch);
            if let Some(budget) = self.budget.as_ref().filter(|budget| !budget.fits(worst)) {
                if budget.is_used_up() {
                    self.close(Closed::Limit("the limit of money is reached"));
                }
                break;
            }
            let tokens = u32::try_from(batch.bytes() / BYTES_A_TOKEN).unwrap_or(u32::MAX);
            match self.limit.take(now, tokens.max(1)) {
                Ok(ticket) => self.start_next(worst, now, ticket),
                Err(again) => return again.into_iter().chain(self.next_delayed()).min(),
            }
        }
        self.next_delayed()
    }

    fn start_next(&mut self, worst: Usd, now: Instant, ticket: Ticket) {
        if let Some(batch) = self.ready.pop_front() {
            if let Some(budget) = &mut self.budget {
                budget.reserve(worst);
            }
            self.start(batch, now, ticket);
        }
    }

    fn next_delayed(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((at, _), _)| *at)
    }

    fn start(&mut self, mut batch: Batch, now: Instant, ticket: Ticket) {
        batch.attempts += 1;
        batch.first_sent.get_or_insert(now);
        let texts: Vec<&str> = batch.texts.iter().map(|wanted| wanted.text.as_str()).collect();
        let (route, body): (Route, Bytes) = embeddings::encode(&self.embedder.served_as, &texts, &self.embedder.target);
        let transport = Arc::clone(&self.embedder.transport);
        let call = Call { endpoint: 0, route, body, whole: None, repeat: 0, first_output: None };
        self.tasks.spawn(async move {
            let arrived = transport.send(call).await;
            (batch, arrived, ticket)
        });
    }

    fn arrived(&mut self, batch: Batch, arrived: Arrived, ticket: Ticket) {
        let read = read(&arrived, batch.texts.len()).and_then(|embedded| self.of_one_length(embedded));
        self.settle(&batch, &read);
        match read {
            Ok(embedded) => {
                self.limit.succeeded(ticket);
                let vectors: Vec<(Digest, Vec<f32>)> =
                    batch.texts.iter().map(|wanted| wanted.digest).zip(embedded.vectors).collect();
                if let Err(error) = (self.keep)(&vectors, &self.bought) {
                    self.close(Closed::Fault(error));
                }
            }
            Err(failure) => self.failed(batch, failure, ticket),
        }
    }

    fn failed(&mut self, batch: Batch, failure: Failure, ticket: Ticket) {
        let now = Instant::now();
        match failure.retry {
            Retry::RateLimited { after } => self.limit.rate_limited(ticket, now, after),
            Retry::No | Retry::Transient => self.limit.ended(),
        }
        let elapsed = batch.first_sent.map_or(std::time::Duration::ZERO, |first| now - first);
        self.sequence += 1;
        match next_delay(&failure, batch.attempts, elapsed, self.sequence) {
            Some(delay) => {
                self.delayed.insert((now + delay, self.sequence), batch);
            }
            None => {
                let first = batch.texts.first().map_or("", |wanted| wanted.text.as_str());
                let whose = format!(" [for {} texts, the first “{}”]", batch.texts.len(), text::one_line(first, 60));
                let message = format!("{}{whose}", failure.message);
                self.close(Closed::Failed(Failure { message, ..failure }));
            }
        }
    }

    /// Vectors of one endpoint can only be compared where they have the same length.
    fn of_one_length(&mut self, embedded: Embedded) -> Result<Embedded, Failure> {
        let found = embedded.vectors.first().map_or(0, Vec::len);
        let expected = *self.dimensions.get_or_insert(found);
        if found == expected {
            return Ok(embedded);
        }
        let message = format!("vectors of {expected} dimensions came first, then some of {found}");
        Err(Failure { kind: FailureKind::Malformed, status: None, message, retry: Retry::No })
    }

    /// A token for each byte, and some that the model adds to each text.
    fn worst_case(&self, batch: &Batch) -> Usd {
        let most = (batch.bytes() + ADDED_TOKENS * batch.texts.len()) as u64;
        let input = self.embedder.spec.price.and_then(|price| price.input);
        input.map_or(Usd::ZERO, |input| input.times(most))
    }

    fn settle(&mut self, batch: &Batch, read: &Result<Embedded, Failure>) {
        let worst = self.worst_case(batch);
        let price = self.embedder.spec.price.as_ref();
        let outcome = match read {
            Ok(embedded) => Outcome::Answered(counted(embedded.input_tokens)),
            Err(failure) => Outcome::Failed(failure.clone()),
        };
        if let Some(budget) = &mut self.budget {
            budget.settle(worst, price, &outcome);
        }
        self.bought.spent += budget::billed(worst, price, &outcome);
        if let Outcome::Answered(said) = &outcome {
            let cost = price.and_then(|price| request_cost(&said.usage, price));
            self.bought.texts += batch.texts.len() as u64;
            self.bought.tokens = self.bought.tokens.zip(said.usage.input_uncached_tokens).map(|(sum, more)| sum + more);
            self.bought.cost = self.bought.cost.zip(cost).map(|(sum, more)| sum + more);
        }
    }
}

/// For the limit of tokens a minute, which wants an estimate.
const BYTES_A_TOKEN: usize = 4;

/// Tokens that a model adds to a text, such as those that mark its ends: generous.
const ADDED_TOKENS: usize = 16;

/// A completion that is nothing but its usage, which is how costs are counted.
fn counted(input_tokens: Option<u64>) -> Completion {
    Completion {
        text: String::new(),
        reasoning: String::new(),
        from_tool: false,
        stop: Stop::End,
        usage: Usage { input_uncached_tokens: input_tokens, output_tokens: Some(0), ..Usage::default() },
        served_model: None,
    }
}

/// As many texts as one request takes; `None` at the end.
fn next_batch(
    texts: &mut std::iter::Peekable<impl Iterator<Item = Result<Wanted, RunError>>>,
) -> Result<Option<Batch>, RunError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < MOST_TEXTS {
        let fits = |next: &Result<Wanted, RunError>| match next {
            Ok(wanted) => bytes == 0 || bytes + wanted.text.len() <= MOST_BYTES,
            Err(_) => true,
        };
        let Some(next) = texts.next_if(fits) else { break };
        let wanted = next?;
        bytes += wanted.text.len();
        batch.push(wanted);
    }
    Ok((!batch.is_empty()).then_some(Batch { texts: batch, attempts: 0, first_sent: None }))
}

/// The vectors of an answer, or why there are none. The transport read it as a chat answer: of that
/// only what it says about errors counts.
fn read(arrived: &Arrived, texts: usize) -> Result<Embedded, Failure> {
    match (&arrived.received, &arrived.reading.outcome) {
        (Received::Answer { status, body, .. }, _) if (200..300).contains(status) => embeddings::decode(body, texts),
        (_, Outcome::Failed(failure)) | (Received::Broken { failure, .. }, _) => Err(failure.clone()),
        (Received::Answer { status, .. }, _) => Err(Failure {
            kind: FailureKind::BadRequest,
            status: Some(*status),
            message: format!("the server declined with status {status}"),
            retry: Retry::No,
        }),
    }
}

#[cfg(test)]
mod tests;
