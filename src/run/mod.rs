//! Sending a run's trials: the only module that awaits.
//!
//! `drive` is one task that owns everything that changes: queues, limits, retries, counts. A
//! thread of its own reads examples and renders requests ahead of it; attempts are tasks that
//! return a value; finished trials go to the store's writer through a bounded channel, and only
//! what the writer has committed reaches the observer. Back-pressure thus runs from the disk to
//! the socket by itself, and memory does not grow with the number of examples.

pub mod assist;
pub mod attempt;
pub mod batch;
pub mod budget;
pub mod decided;
mod drive;
pub mod embed;
pub mod event;
pub mod feed;
pub mod http;
mod lane;
mod limit;
mod redact;
#[cfg(feature = "sigv4")]
pub mod sigv4;
pub mod stored;
pub mod tuning;
mod twins;

use std::sync::Arc;
use std::time::Duration;

pub use drive::drive;

use crate::digest::Digest;
use crate::provider::{Limits, Price, WireKind};
use crate::store::StoreError;
use crate::trial::{CacheMode, Provenance, Trial};
use crate::units::Usd;
use crate::variant::VariantId;
use crate::wire::Route;

/// Attempts of one trial, the first included.
pub const MAX_ATTEMPTS: usize = 6;

/// A trial is not asked again once this long has passed since its first attempt.
pub const MAX_ELAPSED: Duration = Duration::from_secs(300);

/// An endpoint as a run uses it.
#[derive(Debug, Clone)]
pub struct EndpointSpec {
    /// `provider/model`.
    pub name: String,
    /// The provider: endpoints of one provider share its limits.
    pub provider: String,
    /// The protocol.
    pub wire: WireKind,
    /// Digest of what tells this endpoint from another: address, model, extra fields.
    pub digest: Digest,
    /// Whether the answers are live or recorded.
    pub provenance: Provenance,
    /// The provider's limits, which its endpoints share.
    pub limits: Limits,
    /// Most requests at once for this endpoint alone.
    pub own_concurrency: Option<u32>,
    /// Token prices, for the budget.
    pub price: Option<Price>,
}

/// A variant as a run uses it.
#[derive(Debug, Clone)]
pub struct Lane {
    /// The variant.
    pub id: VariantId,
    /// Index into the run's endpoints.
    pub endpoint: usize,
    /// Its prompt cache. With one, the first request goes alone, so that it writes it for the others.
    pub cache: CacheMode,
    /// Most output tokens of a request, where the variant sets them.
    pub most_output_tokens: Option<u64>,
}

impl Lane {
    /// Whether its first request goes before the others.
    pub fn leader_first(&self) -> bool {
        self.cache != CacheMode::Off
    }
}

/// A request ready to be sent.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Its trial.
    pub trial: Trial,
    /// The response cache's key.
    pub key: Digest,
    /// Digest of what is asked.
    pub request_digest: Digest,
    /// Where it goes below the endpoint's base address.
    pub route: Route,
    /// The body.
    pub body: bytes::Bytes,
    /// The whole body, where `body` leans on a stored prefix.
    pub whole: Option<bytes::Bytes>,
    /// The most that it can cost; nothing where there is no budget or no bill.
    pub worst_case: Usd,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A template failed on an example, or an example could not be read.
    #[error("{0}")]
    Input(String),
    /// A bug of ours.
    #[error("a part of the run ended unexpectedly ({0}); please report this")]
    Bug(String),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Trials that are over.
    pub done: u64,
    /// Those of them that an earlier start of the run had done.
    pub before: u64,
    /// Trials that were not sent.
    pub unsent: u64,
    /// Trials that ended in an infrastructure failure.
    pub missing: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Variants whose prompt prefix the service did not store beforehand, with what it said.
    pub not_stored: Vec<(VariantId, String)>,
    /// Variants that were stopped, with the reason.
    pub stopped_variants: Vec<(VariantId, String)>,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Whether a limit of time or money stopped it.
    pub limit_reached: Option<String>,
    /// Batches that their providers still work on.
    pub open_batches: u64,
}

/// What a run needs, ready to go.
pub struct Job {
    /// The variants.
    pub lanes: Vec<Lane>,
    /// The endpoints.
    pub endpoints: Vec<EndpointSpec>,
    /// What sends.
    pub transport: Arc<dyn attempt::Transport>,
    /// The store's run.
    pub run: i64,
    /// Stop after this long.
    pub max_time: Option<Duration>,
    /// Never spend more than this; then every request's worst case is known.
    pub max_cost: Option<Usd>,
    /// Variants that need no more answers, where a run may stop early.
    pub decided: Option<Arc<decided::Decided>>,
}
