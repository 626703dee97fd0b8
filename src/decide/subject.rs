//! One variant as the ladder sees it, wherever its figures come from: the trials of a run, or a file
//! of figures that were measured elsewhere.

use crate::measure::anytime::Anytime;
use crate::measure::{Costs, Latency, Measurements, RunProvenance, Scores, TimedTrial, VariantMeasurements};
use crate::stats::Estimate;
use crate::stats::cost::CacheShares;
use crate::variant::{Retrieve, Variant};

/// What is known of a rate.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rates<'a> {
    /// Nothing.
    Unknown,
    /// A score an example, in the order of the examples; `None` is missing.
    ByExample(&'a Scores),
    /// Counts alone: which examples were right is not known.
    Counts(Counts),
}

/// Right answers among so many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Counts {
    /// Right answers; may be fractional for graded scores.
    pub(super) right: f64,
    /// Examples.
    pub(super) n: u64,
    /// How many independent examples they are worth.
    pub(super) n_eff: f64,
}

impl Rates<'_> {
    /// Whether anything is known.
    pub(super) fn is_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::ByExample(scores) => scores.is_known(),
            Self::Counts(counts) => counts.n > 0,
        }
    }
}

/// What is known of the time to the first token.
#[derive(Debug, Clone, Copy)]
pub(super) enum Times<'a> {
    /// Every answer's own.
    Samples(&'a Latency),
    /// How many answers were over the target's limit.
    OverLimit {
        /// Answers over it.
        over: u64,
        /// Answers.
        n: u64,
    },
}

impl Times<'_> {
    /// Answers that count.
    pub(super) fn n(&self) -> u64 {
        match self {
            Self::Samples(latency) => latency.n(),
            Self::OverLimit { n, .. } => *n,
        }
    }

    /// Answers over the limit.
    pub(super) fn over(&self, limit_ms: f64) -> u64 {
        match self {
            Self::Samples(latency) => latency.exceedances(limit_ms),
            Self::OverLimit { over, .. } => *over,
        }
    }

    /// The 95th percentile, where the times themselves are known.
    pub(super) fn p95(&self) -> Option<Estimate> {
        match self {
            Self::Samples(latency) => latency.p95,
            Self::OverLimit { .. } => None,
        }
    }
}

/// One variant.
#[derive(Debug, Clone)]
pub(super) struct Subject<'a> {
    pub(super) variant: &'a Variant,
    pub(super) round: Option<u32>,
    pub(super) self_hosted: bool,
    pub(super) retires: Option<jiff::civil::Date>,
    /// The primary scorer.
    pub(super) accuracy: Rates<'a>,
    /// Schema-valid answers.
    pub(super) validity: Rates<'a>,
    /// Trials.
    pub(super) asked: u64,
    /// Of these, missing.
    pub(super) missing: u64,
    /// What the most frequent failure said.
    pub(super) failure: Option<&'a str>,
    pub(super) ttft: Times<'a>,
    /// The same by trial; empty where it is not known so.
    pub(super) ttft_trials: &'a [TimedTrial],
    /// Trials that came by batch, and have no times.
    pub(super) batched: u64,
    /// Most requests at once; 0 where it is not known.
    pub(super) in_flight: u32,
    /// USD a request.
    pub(super) per_request: Option<Estimate>,
    pub(super) cost_note: Option<&'a str>,
    /// USD by example, in the order of the examples, where it is known.
    pub(super) costs: Option<&'a Costs>,
    pub(super) caching: Option<CacheShares>,
}

impl<'a> Subject<'a> {
    /// A variant of a run.
    pub(super) fn of_run(measured: &'a VariantMeasurements) -> Self {
        Self {
            variant: &measured.variant,
            round: measured.round,
            self_hosted: measured.self_hosted,
            retires: measured.retires,
            accuracy: Rates::ByExample(&measured.scores),
            validity: Rates::ByExample(&measured.valid),
            asked: measured.outcomes.total(),
            missing: measured.missing,
            failure: measured.failures.first().map(|(_, _, message)| message.as_str()),
            ttft: Times::Samples(&measured.ttft),
            ttft_trials: &measured.ttft_trials,
            batched: measured.batched,
            in_flight: measured.in_flight,
            per_request: measured.cost.per_request,
            cost_note: measured.cost.note.as_deref(),
            costs: Some(&measured.cost.by_example),
            caching: measured.cost.caching,
        }
    }

    /// Whether it was asked anything.
    pub(super) fn was_asked(&self) -> bool {
        self.asked > 0 || self.is_known()
    }

    /// Whether any figure of it is known.
    pub(super) fn is_known(&self) -> bool {
        self.accuracy.is_known() || self.validity.is_known() || self.ttft.n() > 0 || self.per_request.is_some()
    }

    /// Whether it is given the documents that examples name.
    pub(super) fn is_bound(&self) -> bool {
        self.variant.retrieve.as_ref().is_some_and(Retrieve::is_oracle)
    }
}

/// Where the figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A run whose answers are all live.
    Live,
    /// A run some or all of whose answers are recorded.
    Recorded,
    /// A run whose answers were imported from another tool's results.
    Imported,
    /// A file of figures that were measured elsewhere.
    Stated,
}

/// What the variants have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    /// The cluster of each example.
    pub(super) clusters: &'a [u32],
    /// Whether some cluster holds several.
    pub(super) clustered: bool,
    /// How many times each example was asked.
    pub(super) repeats: u32,
    pub(super) source: Source,
    /// Whether times may be judged.
    pub(super) latency_comparable: bool,
    /// Set where the run may have stopped early: then every bound is that of a confidence sequence
    /// (METHODS.md 11).
    pub(super) anytime: Option<&'a Anytime>,
}

impl<'a> Setting<'a> {
    pub(super) fn of_run(measured: &'a Measurements) -> Self {
        Self {
            clusters: &measured.clusters,
            clustered: measured.clustered,
            repeats: measured.repeats,
            source: match measured.provenance {
                RunProvenance::Live => Source::Live,
                RunProvenance::Recorded | RunProvenance::Mixed => Source::Recorded,
                RunProvenance::Imported => Source::Imported,
            },
            latency_comparable: measured.latency_comparable,
            anytime: measured.anytime.as_ref(),
        }
    }

    /// Distinct clusters.
    pub(super) fn groups(&self) -> usize {
        let mut clusters = self.clusters.to_vec();
        clusters.sort_unstable();
        clusters.dedup();
        clusters.len()
    }
}
