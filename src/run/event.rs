//! What a run tells whoever watches it.

use std::time::Duration;

use crate::exchange::Failure;
use crate::trial::TrialRecord;

/// Something happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A trial is over and on disk.
    Finished(&'a TrialRecord),
    /// A trial of a resumed run was over already.
    AlreadyDone,
    /// An attempt failed and will be made again.
    Retrying {
        /// Index of the variant.
        variant: usize,
        /// What it failed with.
        failure: &'a Failure,
    },
    /// Every further request of a variant would fail the same way: it was stopped.
    VariantStopped {
        /// Index of the variant.
        variant: usize,
        /// What it failed with.
        failure: &'a Failure,
    },
    /// Requests under way, and the number now allowed at once.
    InFlight {
        /// Under way.
        requests: usize,
        /// Allowed over all endpoints.
        allowed: usize,
    },
    /// Something happened to a batch.
    Batch {
        /// Its endpoint, as `provider/model`.
        endpoint: &'a str,
        /// The provider's name for it.
        remote: &'a str,
        /// What happened.
        news: BatchNews<'a>,
    },
    /// No more is sent; what is under way is awaited.
    Draining,
}

/// What happened to a batch.
#[derive(Debug)]
pub enum BatchNews<'a> {
    /// The provider took it.
    Submitted {
        /// Its requests.
        requests: usize,
    },
    /// It was submitted before, and is waited for again.
    Resumed {
        /// Its requests that this run still wants.
        requests: usize,
        /// When it was submitted, milliseconds since 1970-01-01 UTC.
        submitted_unix_ms: i64,
    },
    /// The provider was asked how far it is.
    State {
        /// The provider's word.
        word: &'a str,
        /// Requests that are over, where the provider says so.
        over: Option<u64>,
        /// Its requests.
        requests: usize,
        /// Since it was submitted.
        elapsed: Duration,
    },
    /// Its results were read.
    Fetched(&'a super::batch::Joined),
    /// The provider did none of it, or does not have it.
    GivenUp {
        /// What it said.
        failure: &'a Failure,
    },
}

/// Whoever watches a run.
pub trait Observer {
    /// Something happened.
    fn on(&mut self, _event: Event<'_>) {}
}

/// Watches nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
