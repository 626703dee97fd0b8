//! What a run tells whoever watches it.

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
    /// No more is sent; what is under way is awaited.
    Draining,
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
