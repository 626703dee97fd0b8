//! One metric of two sides: the change with its interval, and the evidence for and against a
//! regression (METHODS.md 2.4, 3, 5, 6, 10).

mod amount;
mod latency;

use serde::Serialize;

use super::common::Pairs;
use super::examples::Packed;
use crate::measure::contrast::{Contrast, PairedScores, Rules, contrast};
use crate::stats::cluster::cluster_sums;
use crate::stats::paired::{cluster_signflip_worse, mcnemar_worse};
use crate::stats::{Interval, Method};

/// What is gated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateMetric {
    /// The primary scorer's mean; less is worse.
    Accuracy,
    /// The share of schema-valid answers; less is worse.
    Validity,
    /// Cost a request, as a share of the baseline's; more is worse.
    Cost,
    /// The 95th percentile of the time to the first token, in milliseconds; more is worse.
    Latency,
}

impl GateMetric {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Accuracy, Self::Validity, Self::Cost, Self::Latency];

    /// The name in JSON and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Validity => "validity",
            Self::Cost => "cost",
            Self::Latency => "latency",
        }
    }

    /// The key of its margin under `[gate]`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Accuracy => "margin",
            Self::Validity => "validity_margin",
            Self::Cost => "cost_margin",
            Self::Latency => "latency_margin_ms",
        }
    }
}

/// Levels and seed of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GateLevels {
    /// One-sided level at which it is shown that nothing regressed.
    pub alpha: f64,
    /// Level of a claimed regression.
    pub alpha_fail: f64,
    /// Seed of the sign-flip test, which draws at random above 20 clusters that differ.
    pub seed: u64,
}

/// What two sides show of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// Examples with a figure on both sides.
    pub n: u64,
    /// Independent clusters among them.
    pub clusters: u64,
    /// The baseline's figure.
    pub before: Option<f64>,
    /// The figure now.
    pub after: Option<f64>,
    /// By how much it changed, in the margin's unit.
    pub change: Option<f64>,
    /// Its interval at two-sided 1 − 2·alpha.
    pub interval: Interval,
    /// Examples that are better now.
    pub better: u64,
    /// Examples that are worse now.
    pub worse: u64,
    /// One-sided p-value of "not worse".
    pub p_regression: f64,
    /// Whether it is shown to be no worse than by the margin.
    pub within_margin: bool,
    /// Examples that would show it, if the change stays as it looks; `None` where no number would.
    pub n_to_settle: Option<u64>,
}

impl Evidence {
    /// Nothing to compare.
    fn none(interval: Interval) -> Self {
        Self {
            n: 0,
            clusters: 0,
            before: None,
            after: None,
            change: None,
            interval,
            better: 0,
            worse: 0,
            p_regression: 1.0,
            within_margin: false,
            n_to_settle: None,
        }
    }
}

/// All changes of an amount.
const ANY: Interval = Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };

/// What the pairs show of a metric, against this margin.
pub fn evidence(metric: GateMetric, pairs: &Pairs<'_>, margin: f64, levels: &GateLevels) -> Evidence {
    match metric {
        GateMetric::Accuracy => rate(&scores(pairs, |side, place, to| to.extend(side.scores(place))), margin, levels),
        GateMetric::Validity => {
            let valid = |side: &Packed, place, to: &mut Vec<f64>| {
                to.extend(side.valid(place).map(|valid| f64::from(u8::from(valid))));
            };
            rate(&scores(pairs, valid), margin, levels)
        }
        GateMetric::Cost => amount::cost(pairs, margin, levels),
        GateMetric::Latency => latency::first_token(pairs, margin, levels),
    }
}

/// The examples' means on both sides; one without a score on either side is left out of both.
fn scores(pairs: &Pairs<'_>, of: impl Fn(&Packed, usize, &mut Vec<f64>)) -> PairedScores {
    let mut found = with_room(pairs.both.len());
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for both in &pairs.both {
        before.clear();
        after.clear();
        of(&pairs.before, both.before as usize, &mut before);
        of(&pairs.after, both.after as usize, &mut after);
        push(&mut found, &before, &after, both.cluster);
    }
    found
}

/// No pair yet, and room for so many.
fn with_room(count: usize) -> PairedScores {
    let (a, b, clusters) = (Vec::with_capacity(count), Vec::with_capacity(count), Vec::with_capacity(count));
    PairedScores { a, b, clusters, ..PairedScores::default() }
}

/// Adds an example whose calls have these scores.
fn push(found: &mut PairedScores, before: &[f64], after: &[f64], cluster: u32) {
    if before.is_empty() || after.is_empty() {
        return;
    }
    let (a, b) = (before.len() as u64, after.len() as u64);
    found.a.push(before.iter().sum::<f64>() / a as f64);
    found.b.push(after.iter().sum::<f64>() / b as f64);
    found.clusters.push(cluster);
    found.calls[0] += a;
    found.calls[1] += b;
    found.paired_calls += a.min(b);
    found.repeated |= a.max(b) > 1;
}

/// The one-sided p-value that B is worse (METHODS.md 10).
fn p_worse(pairs: &PairedScores, known: &Contrast, seed: u64) -> f64 {
    if known.difference.method == Method::Tango {
        return mcnemar_worse(known.wins, known.losses);
    }
    let sums = cluster_sums(&pairs.differences(), &pairs.clusters);
    cluster_signflip_worse(&sums.into_iter().map(|(sum, _)| sum).collect::<Vec<_>>(), seed)
}

/// A rate from 0 to 1: Tango at two-sided 1 − 2·alpha, on the effective n with clusters or repeats.
fn rate(pairs: &PairedScores, margin: f64, levels: &GateLevels) -> Evidence {
    let known = compared(pairs, Some(margin), levels);
    let Some(not_worse) = known.non_inferiority.filter(|_| known.n > 0) else {
        return Evidence::none(Interval::DIFFERENCE);
    };
    let within_margin = not_worse.interval.low > -margin;
    Evidence {
        n: known.n,
        clusters: known.clusters,
        before: known.a.point,
        after: known.b.point,
        change: known.difference.point,
        interval: not_worse.interval,
        better: known.wins,
        worse: known.losses,
        p_regression: p_worse(pairs, &known, levels.seed),
        within_margin,
        n_to_settle: not_worse.n_to_settle,
    }
}

fn compared(pairs: &PairedScores, margin: Option<f64>, levels: &GateLevels) -> Contrast {
    let GateLevels { alpha, seed, .. } = *levels;
    contrast(pairs, &Rules { alpha, seed, tests: 1, margin, too_many_missing: false })
}
