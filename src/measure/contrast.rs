//! B against A on matched examples, with everything that may be said of the difference (METHODS.md 2
//! and 3): no I/O, no names, so that a comparison and a gate say the same.
//!
//! The plain forms (Tango, McNemar's mid-p) hold for one right-or-wrong call an example, each in its
//! own cluster; with clusters, repeats or graded scores the effective n and the sign-flip test stand
//! in for them. Interval and p-value must agree for a verdict.

use super::compare::NO_DIFFERENCE;
use crate::stats::POWER;
use serde::Serialize;

use crate::stats::adjust::{benjamini_hochberg, holm};
use crate::stats::cluster::{cluster_sums, clustered_accuracy};
use crate::stats::equivalence::{NonInferiorityVerdict, non_inferiority_verdict};
use crate::stats::paired::{
    FEWEST_CLUSTERS, PairedDifference, PairedVerdict, cluster_signflip, clustered_paired, mcnemar, paired_difference,
    paired_n_to_settle, paired_verdict, signflip_floor, tango_t,
};
use crate::stats::power::n_non_inferiority;
use crate::stats::special::normal_cdf;
use crate::stats::{Estimate, Interval, Method};

/// The scores of two sides on the examples that both have, in one order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PairedScores {
    /// A's mean over repeats by example, from 0 to 1.
    pub a: Vec<f64>,
    /// B's.
    pub b: Vec<f64>,
    /// The cluster of each example.
    pub clusters: Vec<u32>,
    /// Scored calls behind A's and behind B's scores.
    pub calls: [u64; 2],
    /// Calls that have a partner: of each example as many as the side with fewer repeats has.
    pub paired_calls: u64,
    /// Whether an example was asked more than once of either side.
    pub repeated: bool,
}

impl PairedScores {
    /// Pairs of one call each, every example its own cluster.
    pub fn single(a: Vec<f64>, b: Vec<f64>) -> Self {
        let n = a.len().min(b.len());
        let clusters = (0..n as u32).collect();
        Self { a, b, clusters, calls: [n as u64; 2], paired_calls: n as u64, repeated: false }
    }

    /// The differences B − A; what is only rounding is none.
    pub fn differences(&self) -> Vec<f64> {
        let clean = |difference: f64| if difference.abs() < NO_DIFFERENCE { 0.0 } else { difference };
        self.a.iter().zip(&self.b).map(|(a, b)| clean(b - a)).collect()
    }

    /// The paired difference, two-sided at `alpha`.
    pub fn paired(&self, differences: &[f64], alpha: f64) -> PairedDifference {
        let estimate = if self.repeated { clustered_paired } else { paired_difference };
        estimate(differences, &self.clusters, self.paired_calls, alpha)
    }

    /// One side's mean on these examples.
    fn mean(&self, scores: &[f64], calls: u64, groups: u64, alpha: f64) -> Estimate {
        let graded = scores.iter().any(|score| *score != 0.0 && *score != 1.0);
        let dependent = self.repeated || graded || groups < scores.len() as u64;
        clustered_accuracy(scores, &self.clusters, calls, dependent, alpha)
    }
}

/// By what a difference is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Two-sided level of the interval and the test; one-sided level of non-inferiority.
    pub alpha: f64,
    /// Seed of the sign-flip test, which draws at random above 20 clusters that differ.
    pub seed: u64,
    /// Comparisons of one family: the interval is at level 1 − alpha/`tests`.
    pub tests: usize,
    /// How much worse still counts as not worse; `None` asks nothing about it.
    pub margin: Option<f64>,
    /// Whether more than 1% of a side's calls are missing: then nothing is decided (METHODS.md 0.4).
    pub too_many_missing: bool,
}

/// Which test a p-value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// McNemar's mid-p.
    McnemarMidP,
    /// Sign-flip over clusters.
    SignFlip,
}

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsettled {
    /// No example has a score on both sides.
    NoPairs,
    /// More than 1% of a side's calls are missing.
    Missing,
    /// All examples share one cluster.
    OneCluster,
    /// Fewer than six clusters: no p-value can be small enough.
    FewClusters,
    /// The two sides scored alike: no number of examples is foreseen to settle it.
    NoDifference,
    /// The difference is so small that no practical number of examples would settle it.
    TooClose,
    /// It would stand by itself, but not among so many comparisons.
    Correction,
    /// More examples would settle it.
    MoreExamples,
    /// A side was asked another split than the test examples: what was trained or chosen on it says nothing of the task.
    OtherSplit,
}

/// Whether B is worse than A by no more than a margin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NonInferiority {
    /// The margin.
    pub margin: f64,
    /// Interval of the difference at two-sided 1 − 2·alpha.
    pub interval: Interval,
    /// Level of the interval.
    pub level: f64,
    /// One-sided p-value against "worse by the margin or more"; `None` without an interval.
    pub p: Option<f64>,
    /// The verdict.
    pub verdict: NonInferiorityVerdict,
    /// Non-inferior although the whole interval is below 0.
    pub slightly_worse: bool,
    /// Examples that would show non-inferiority; `None` where that is not open, or no number would.
    pub n_to_settle: Option<u64>,
}

/// How B differs from A.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Contrast {
    /// Examples that both have a score for.
    pub n: u64,
    /// Independent clusters among them.
    pub clusters: u64,
    /// Calls that have a partner.
    pub paired_calls: u64,
    /// Examples on which B scored higher.
    pub wins: u64,
    /// Examples on which B scored lower.
    pub losses: u64,
    /// Examples on which both scored alike.
    pub ties: u64,
    /// A's mean on these examples.
    pub a: Estimate,
    /// B's mean on these examples.
    pub b: Estimate,
    /// B minus A.
    pub difference: Estimate,
    /// Effective number of pairs; `None` below two clusters.
    pub n_eff: Option<f64>,
    /// Two-sided p-value of no difference; `None` without pairs.
    pub p: Option<f64>,
    /// The same, adjusted for all comparisons of the family.
    pub p_adjusted: Option<f64>,
    /// Which test.
    pub test: Test,
    /// The smallest p-value that so few clusters can give; `None` from six on.
    pub p_floor: Option<f64>,
    /// Better, worse, or not enough evidence: B against A.
    pub verdict: PairedVerdict,
    /// Why there is no verdict; `None` where there is one.
    pub unsettled: Option<Unsettled>,
    /// Examples that would settle it at the difference seen; `None` where it is settled, or where no
    /// number is foreseen (see `unsettled`).
    pub n_to_settle: Option<u64>,
    /// Whether B is not worse by a margin; `None` where that was not asked.
    pub non_inferiority: Option<NonInferiority>,
}

/// Compares B with A.
pub fn contrast(pairs: &PairedScores, rules: &Rules) -> Contrast {
    let differences = pairs.differences();
    let alpha = rules.alpha / rules.tests.max(1) as f64;
    let known = pairs.paired(&differences, alpha);
    let count = |sign: fn(f64) -> bool| differences.iter().filter(|difference| sign(**difference)).count() as u64;
    let (wins, losses) = (count(|d| d > 0.0), count(|d| d < 0.0));
    let n = differences.len() as u64;
    let plain = known.method == Method::Tango;
    let p = (n > 0).then(|| {
        if plain {
            return mcnemar(wins, losses).mid_p;
        }
        let sums = cluster_sums(&differences, &pairs.clusters);
        cluster_signflip(&sums.into_iter().map(|(sum, _)| sum).collect::<Vec<_>>(), rules.seed)
    });
    let mut found = Contrast {
        n,
        clusters: known.groups,
        paired_calls: pairs.paired_calls,
        wins,
        losses,
        ties: n - wins - losses,
        a: pairs.mean(&pairs.a, pairs.calls[0], known.groups, alpha),
        b: pairs.mean(&pairs.b, pairs.calls[1], known.groups, alpha),
        difference: known.estimate(alpha),
        n_eff: known.n_eff,
        p,
        p_adjusted: None,
        test: if plain { Test::McnemarMidP } else { Test::SignFlip },
        p_floor: (!plain && (1..FEWEST_CLUSTERS).contains(&known.groups)).then(|| signflip_floor(known.groups)),
        verdict: PairedVerdict::NotEnoughEvidence,
        unsettled: None,
        n_to_settle: None,
        non_inferiority: rules.margin.and_then(|margin| non_inferiority(pairs, &differences, margin, rules)),
    };
    found.judge(p, &known, alpha, rules);
    found
}

impl Contrast {
    /// Takes the verdicts back: the figures are none of the task.
    pub fn withhold(&mut self, why: Unsettled) {
        (self.verdict, self.unsettled, self.n_to_settle) = (PairedVerdict::NotEnoughEvidence, Some(why), None);
        self.non_inferiority = None;
    }

    /// Sets the verdict by the interval and this p-value.
    fn judge(&mut self, p: Option<f64>, known: &PairedDifference, alpha: f64, rules: &Rules) {
        let open = |why, n| (PairedVerdict::NotEnoughEvidence, Some(why), n);
        let judged = paired_verdict(known.interval, p.unwrap_or(1.0), rules.alpha);
        let needed = n_to_settle(known, alpha);
        (self.verdict, self.unsettled, self.n_to_settle) = if rules.too_many_missing {
            open(Unsettled::Missing, None)
        } else if self.n == 0 {
            open(Unsettled::NoPairs, None)
        } else if judged != PairedVerdict::NotEnoughEvidence {
            (judged, None, None)
        } else if self.clusters < 2 {
            open(Unsettled::OneCluster, None)
        } else if known.wins == known.losses {
            open(Unsettled::NoDifference, None)
        } else if self.p_floor.is_some() {
            let six = (FEWEST_CLUSTERS * self.n).div_ceil(self.clusters);
            open(Unsettled::FewClusters, needed.map(|needed| needed.max(six)))
        } else if needed.is_none() {
            open(Unsettled::TooClose, None)
        } else {
            open(Unsettled::MoreExamples, needed)
        };
    }
}

/// Effective pairs turned into examples to collect, at the clustering seen so far.
fn scaled(needed: u64, known: &PairedDifference, n_eff: f64) -> u64 {
    let examples = (needed as f64 * known.n as f64 / n_eff).ceil().min(1e15) as u64;
    examples.max(known.n.saturating_add(1))
}

/// Examples that would settle the difference seen (METHODS.md 2.3), at the clustering seen.
fn n_to_settle(known: &PairedDifference, alpha: f64) -> Option<u64> {
    let n_eff = known.n_eff.filter(|n_eff| *n_eff > 0.0)?;
    let scale = n_eff / known.n as f64;
    let needed = paired_n_to_settle(known.wins * scale, known.losses * scale, n_eff, alpha, POWER)?;
    Some(scaled(needed, known, n_eff))
}

/// Is B not worse by the margin (METHODS.md 3; with clusters or repeats on the effective n)? `None`
/// for a margin or level that cannot be used.
fn non_inferiority(pairs: &PairedScores, differences: &[f64], margin: f64, rules: &Rules) -> Option<NonInferiority> {
    let alpha = rules.alpha;
    if !(margin > 0.0 && margin < 1.0 && alpha > 0.0 && alpha < 0.5) {
        return None;
    }
    let known = pairs.paired(differences, 2.0 * alpha);
    let n_eff = known.n_eff.filter(|n_eff| *n_eff > 0.0);
    let scale = n_eff.map_or(0.0, |n_eff| n_eff / known.n as f64);
    let verdict = match rules.too_many_missing {
        true => NonInferiorityVerdict::NotEnoughEvidence,
        false => non_inferiority_verdict(known.interval, margin),
    };
    let is_open = verdict == NonInferiorityVerdict::NotEnoughEvidence && !rules.too_many_missing;
    let needed = || {
        let (mean, n_eff) = (known.mean?, n_eff?);
        let psi = ((known.wins + known.losses) * scale + 0.5) / (n_eff + 1.0);
        let needed = n_non_inferiority(psi.clamp(mean.abs(), 1.0), mean, margin, alpha, POWER).ok()??;
        Some(scaled(needed, &known, n_eff))
    };
    Some(NonInferiority {
        margin,
        interval: known.interval,
        level: 1.0 - 2.0 * alpha,
        p: n_eff.map(|n_eff| normal_cdf(-tango_t(-margin, known.wins * scale, known.losses * scale, n_eff))),
        verdict,
        slightly_worse: verdict == NonInferiorityVerdict::NonInferior && known.interval.high < 0.0,
        n_to_settle: if is_open { needed() } else { None },
    })
}

/// How p-values of several comparisons are corrected (METHODS.md 0.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Correction {
    /// The chance of any false claim is at most alpha.
    Holm,
    /// The share of false claims is: for exploring, not for deciding.
    BenjaminiHochberg,
}

/// Adjusts the p-values of one family and takes back what they no longer carry. The intervals are to
/// be made with [`Rules::tests`] before.
pub fn correct(family: &mut [Contrast], correction: Correction, alpha: f64) {
    let p: Vec<f64> = family.iter().map(|contrast| contrast.p.unwrap_or(1.0)).collect();
    let adjusted = match correction {
        Correction::Holm => holm(&p),
        Correction::BenjaminiHochberg => benjamini_hochberg(&p),
    };
    for (contrast, adjusted) in family.iter_mut().zip(adjusted) {
        contrast.p_adjusted = contrast.p.map(|_| adjusted);
        if contrast.verdict != PairedVerdict::NotEnoughEvidence && adjusted >= alpha {
            contrast.verdict = PairedVerdict::NotEnoughEvidence;
            contrast.unsettled = Some(Unsettled::Correction);
        }
    }
}

#[cfg(test)]
mod tests;
