//! What a number of examples can show, and how many each target needs (METHODS.md 9).

use serde::Serialize;

use crate::stats::Interval;
use crate::stats::POWER;
use crate::stats::cluster::design_effect;
use crate::stats::labels::{Reachability, reachability};
use crate::stats::paired::{FEWEST_CLUSTERS, signflip_floor};
use crate::stats::power::{PairedTest, minimum_detectable_difference, n_non_inferiority, power_paired_exact};
use crate::stats::proportion::{failure_rate_upper, n_to_prove_target, n_to_settle_target, wilson};
use crate::stats::quantile::min_n_for_quantile;
use crate::stats::special::normal_quantile;

/// Shares of examples on which two variants differ, where none was measured.
pub const DISCORDANCES: [f64; 4] = [0.05, 0.1, 0.2, 0.3];

/// The share that the ceiling test's n is stated for (METHODS.md 8.1), where none was measured.
const USUAL_DISCORDANCE: f64 = 0.1;

/// Likeness within clusters that is assumed where none was measured.
const ASSUMED_ICC: f64 = 0.2;

/// Failures for which the n that still proves a target is listed.
const FAILURES: [u64; 6] = [0, 1, 2, 3, 5, 10];

/// The examples of a suite.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// Examples.
    pub examples: u64,
    /// Examples in each cluster.
    pub cluster_sizes: Vec<u64>,
    /// How often each is asked.
    pub repeats: u32,
}

impl Sample {
    /// Independent units.
    pub fn clusters(&self) -> u64 {
        self.cluster_sizes.len() as u64
    }

    /// Whether a cluster has more than one example.
    pub fn is_clustered(&self) -> bool {
        self.cluster_sizes.iter().any(|&size| size > 1)
    }
}

/// What the suite states and what is known from earlier.
#[derive(Debug, Clone, PartialEq)]
pub struct Beliefs {
    /// One-sided level of decisions.
    pub alpha: f64,
    /// The smallest difference that matters.
    pub delta_min: f64,
    /// The gate's margin.
    pub margin: f64,
    /// Target of accuracy.
    pub accuracy: Option<f64>,
    /// Measured share of examples on which two variants differ.
    pub discordance: Option<f64>,
    /// Measured likeness within clusters.
    pub icc: Option<f64>,
}

/// What a difference between two variants must be to be found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Share of examples on which the two differ.
    pub discordance: f64,
    /// Smallest true difference that is found with a power of 80%; `None` where not even one of the
    /// whole share is.
    pub detectable: Option<f64>,
    /// Exact power of the mid-p test at that difference; `None` beyond what can be computed.
    pub exact_power: Option<f64>,
    /// Smallest margin within which two equal variants are shown to be.
    pub margin: f64,
    /// Examples for the gate's margin; `None` where no number does.
    pub n_for_margin: Option<u64>,
    /// Examples that show, for one round, no gain of `delta_min` (the ceiling test's C2).
    pub n_for_ceiling: Option<u64>,
}

/// What the examples can show, under one likeness within clusters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shows {
    /// Likeness within clusters.
    pub icc: f64,
    /// Factor by which the clusters inflate a variance.
    pub design_effect: f64,
    /// As many independent examples.
    pub n_effective: f64,
    /// The rate that the interval is given at.
    pub rate: f64,
    /// Half of the width of its 95% interval.
    pub half_width: f64,
    /// By discordance.
    pub differences: Vec<Difference>,
}

/// What the examples can show.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reach {
    /// Examples.
    pub examples: u64,
    /// Independent units.
    pub clusters: u64,
    /// Whether `icc` and the discordances were measured.
    pub icc_measured: bool,
    /// Whether the discordance was measured.
    pub discordance_measured: bool,
    /// One row a likeness within clusters.
    pub shows: Vec<Shows>,
    /// Smallest p-value of a paired test, where the clusters are too few for any verdict.
    pub smallest_p: Option<f64>,
}

/// What the examples can show.
pub fn reach(sample: &Sample, beliefs: &Beliefs) -> Reach {
    let iccs = match (sample.is_clustered(), beliefs.icc) {
        (false, _) => vec![0.0],
        (true, Some(icc)) => vec![icc],
        (true, None) => vec![0.0, ASSUMED_ICC],
    };
    let discordances = beliefs.discordance.map_or(DISCORDANCES.to_vec(), |psi| vec![psi]);
    let shows = iccs.into_iter().map(|icc| {
        let design_effect = design_effect(&sample.cluster_sizes, icc);
        let n = sample.examples as f64 / design_effect;
        let rate = beliefs.accuracy.unwrap_or(0.9);
        let interval = wilson(rate * n, n, beliefs.alpha);
        Shows {
            icc,
            design_effect,
            n_effective: n,
            rate,
            half_width: interval.width() / 2.0,
            differences: discordances.iter().map(|psi| difference(n, *psi, beliefs)).collect(),
        }
    });
    let clusters = sample.clusters();
    Reach {
        examples: sample.examples,
        clusters,
        icc_measured: beliefs.icc.is_some() && sample.is_clustered(),
        discordance_measured: beliefs.discordance.is_some(),
        shows: shows.collect(),
        smallest_p: (clusters < FEWEST_CLUSTERS).then(|| signflip_floor(clusters)),
    }
}

fn difference(n: f64, discordance: f64, beliefs: &Beliefs) -> Difference {
    let alpha = beliefs.alpha;
    let detectable = minimum_detectable_difference(n, discordance, alpha, POWER);
    let exact = |delta| power_paired_exact(n as u64, discordance, delta, alpha, PairedTest::MidP).ok();
    let z = normal_quantile(POWER) - normal_quantile(alpha);
    let needed = |margin| n_non_inferiority(discordance, 0.0, margin, alpha, POWER).ok().flatten();
    Difference {
        discordance,
        detectable,
        exact_power: detectable.and_then(exact),
        // METHODS.md 9.3 with no true difference, solved for the margin.
        margin: if n > 0.0 { (z * (discordance / n).sqrt()).min(1.0) } else { 1.0 },
        n_for_margin: needed(beliefs.margin),
        n_for_ceiling: needed(beliefs.delta_min),
    }
}

/// Examples that the ceiling test needs for each of its rounds: `n_ni(ψ, 0, delta_min)` at the
/// measured or usual discordance (METHODS.md 8.1).
pub fn n_for_ceiling(beliefs: &Beliefs) -> Option<u64> {
    difference(1.0, beliefs.discordance.unwrap_or(USUAL_DISCORDANCE), beliefs).n_for_ceiling
}

/// What a target is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// The primary scorer's mean.
    Accuracy,
    /// The share of valid answers.
    SchemaValidity,
    /// The 95th percentile of the time to the first token.
    TtftP95,
    /// Labels that allow the accuracy.
    LabelAudit,
}

impl Wanted {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::SchemaValidity => "schema validity",
            Self::TtftP95 => "TTFT p95",
            Self::LabelAudit => "label audit",
        }
    }
}

/// How many still prove a target with so many failures among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Proving {
    /// Failures.
    pub failures: u64,
    /// Examples, answers or labels.
    pub n: u64,
}

/// What an expected rate means for a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expected {
    /// The rate.
    pub rate: f64,
    /// Where it comes from.
    pub source: String,
    /// Examples that settle the target at this rate with a power of 80%; `None`: too close to call.
    pub n_to_settle: Option<u64>,
}

/// What one target needs, and what there is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Need {
    /// The target.
    pub wanted: Wanted,
    /// The share that must be right, valid or in time.
    pub share: f64,
    /// How many prove it; empty where no number does.
    pub proving: Vec<Proving>,
    /// What there is: examples, answers or checked labels.
    pub n: u64,
    /// As many independent ones.
    pub n_effective: f64,
    /// As many where all of them are right: clusters, not examples (METHODS.md 1.3).
    pub n_clean: u64,
    /// Most failures among `n` that still prove it; `None` where not even none does.
    pub most_failures: Option<u64>,
    /// At the expected rate.
    pub expected: Option<Expected>,
    /// Whether it can be settled with what there is: at the expected rate, or if all are right.
    pub enough: bool,
    /// Whether the expected rate misses the target, so that settling it means to show that.
    pub expected_miss: bool,
    /// How many more it takes.
    pub short_by: Option<u64>,
}

/// What there is to settle a target with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Supply {
    /// Examples, answers or checked labels.
    pub n: u64,
    /// As many independent ones.
    pub n_effective: f64,
    /// As many where all are right.
    pub n_clean: u64,
}

impl Supply {
    /// Units that are independent as they are.
    pub fn independent(n: u64) -> Self {
        Self { n, n_effective: n as f64, n_clean: n }
    }

    /// The suite's examples, under the greater likeness within clusters.
    pub fn of(sample: &Sample, reach: &Reach) -> Self {
        let n_effective = reach.shows.iter().map(|shows| shows.n_effective).fold(f64::INFINITY, f64::min);
        Self {
            n: sample.examples,
            n_effective: if n_effective.is_finite() { n_effective } else { 0.0 },
            n_clean: if sample.is_clustered() { sample.clusters() } else { sample.examples },
        }
    }
}

/// What a share needs. `expected` is a rate and where it comes from.
pub fn need(wanted: Wanted, share: f64, supply: Supply, expected: Option<(f64, String)>, alpha: f64) -> Need {
    let proving = FAILURES
        .iter()
        .filter_map(|&failures| Some(Proving { failures, n: n_to_prove_target(failures, share, alpha)? }));
    let proving: Vec<Proving> = proving.collect();
    let most_failures = most_failures(share, supply, alpha);
    let expected = expected.map(|(rate, source)| {
        // The rate alone: x of 1.
        Expected { rate, source, n_to_settle: n_to_settle_target(rate, 1.0, share, alpha, POWER) }
    });
    let clean = proving.first().map(|first| first.n);
    // All right counts clusters; anything else the effective number.
    let (needed, has) = match &expected {
        Some(expected) if expected.rate < 1.0 => (expected.n_to_settle, supply.n_effective),
        _ => (clean, supply.n_clean as f64),
    };
    let enough = needed.is_some_and(|needed| has >= needed as f64);
    let missing = |needed: u64| {
        let more = needed as f64 - has;
        // In examples as they come: each counts for less than one where they are alike.
        let each = if supply.n > 0 && has > 0.0 { has / supply.n as f64 } else { 1.0 };
        (more / each).ceil() as u64
    };
    Need {
        wanted,
        share,
        proving,
        n: supply.n,
        n_effective: supply.n_effective,
        n_clean: supply.n_clean,
        most_failures,
        expected_miss: expected.as_ref().is_some_and(|expected| expected.rate < share),
        expected,
        enough,
        short_by: needed.filter(|_| !enough).map(missing),
    }
}

/// Most failures among the supply that still prove a share.
fn most_failures(share: f64, supply: Supply, alpha: f64) -> Option<u64> {
    let allowed = 1.0 - share;
    let clean = supply.n > 0 && failure_rate_upper(0.0, supply.n_clean as f64, alpha) <= allowed;
    if !clean || allowed <= 0.0 {
        return None;
    }
    let each = supply.n_effective / supply.n as f64;
    let proves = |failures: u64| failure_rate_upper(failures as f64 * each, supply.n_effective, alpha) <= allowed;
    let (mut proved, mut not) = (0, supply.n);
    while not - proved > 1 {
        let middle = proved.midpoint(not);
        if proves(middle) {
            proved = middle;
        } else {
            not = middle;
        }
    }
    Some(proved)
}

/// What showing that the labels allow `share` needs (METHODS.md 8.3), beside the `ceiling` that so
/// many checked labels gave, `wrong` of them wrong.
pub fn audit_need(share: f64, checked: u64, wrong: u64, ceiling: Interval, alpha: f64) -> Need {
    let audited = need(Wanted::LabelAudit, share, Supply::independent(checked), None, alpha);
    let allowed = reachability(ceiling, share);
    let settled = allowed != Reachability::Unknown;
    let needed = n_to_prove_target(wrong, share, alpha);
    Need {
        enough: settled,
        expected_miss: allowed == Reachability::Unreachable,
        short_by: needed.filter(|_| !settled).map(|needed| needed.saturating_sub(checked)),
        ..audited
    }
}

/// Least fresh answers for any statement on the 95th and the 99th percentile (METHODS.md 9.6).
pub fn least_for_quantiles(alpha: f64) -> (Option<u64>, Option<u64>) {
    (min_n_for_quantile(0.95, alpha), min_n_for_quantile(0.99, alpha))
}

#[cfg(test)]
mod tests;
