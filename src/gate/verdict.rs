//! Held, regressed, or not enough evidence (METHODS.md 10).
//!
//! Per metric: held where the bound is within the margin; else regressed where Holm's p-value over all
//! that is gated is at most `alpha_fail`; else not enough evidence. A regression stands only where a
//! fresh pair shows it again, or where no fresh pair can be had, which is then said.

use serde::Serialize;

use super::calls::GateSide;
use super::common::{Common, Pairs, common};
use super::metric::{Evidence, GateLevels, GateMetric, evidence};
use crate::measure::MOST_MISSING;
use crate::stats::adjust::holm;
use crate::suite::GateRules;

/// The answer of a gate, of a variant, or of a metric; the worse the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateAnswer {
    /// Shown to be no worse than by the margin.
    Held,
    /// Neither is shown.
    NotEnoughEvidence,
    /// Worse, beyond noise.
    Regressed,
    /// Too many calls are missing to say anything (METHODS.md 0.4).
    CouldNotRun,
}

/// What is said of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Which.
    pub metric: GateMetric,
    /// How much worse is still no worse; `None` for a metric that is only shown.
    pub margin: Option<f64>,
    /// Why it is not gated although it has a margin, if so, or why it has no answer.
    pub note: Option<String>,
    /// Examples with a figure on both sides.
    pub n: u64,
    /// Independent clusters among them.
    pub clusters: u64,
    /// The baseline's figure.
    pub before: Option<f64>,
    /// The figure now.
    pub after: Option<f64>,
    /// The change: of rates their difference, of cost a share of the baseline's, of latency milliseconds.
    pub change: Option<f64>,
    /// Lower end of its interval; `None` without one.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Level of the interval: 1 − 2·alpha, so that one end is the bound that decides.
    pub level: f64,
    /// Examples that are better now.
    pub better: u64,
    /// Examples that are worse now.
    pub worse: u64,
    /// One-sided p-value of "not worse".
    pub p_regression: Option<f64>,
    /// The same after Holm over all that is gated.
    pub p_adjusted: Option<f64>,
    /// The answer; `None` for a metric that is only shown.
    pub answer: Option<GateAnswer>,
    /// Held although a drop is detectable.
    pub within_tolerance: bool,
    /// Examples that would settle it; `None` where it is settled, or where no number would.
    pub n_to_settle: Option<u64>,
    /// Whether the bound is within the margin.
    #[serde(skip)]
    pub within_margin: bool,
}

impl Finding {
    fn of(metric: GateMetric, margin: Option<f64>, found: &Evidence, levels: &GateLevels) -> Self {
        let known = found.n > 0;
        let end = |end: f64| Some(end).filter(|end| known && end.is_finite());
        Self {
            metric,
            margin,
            note: None,
            n: found.n,
            clusters: found.clusters,
            before: found.before,
            after: found.after,
            change: found.change,
            low: end(found.interval.low),
            high: end(found.interval.high),
            level: 1.0 - 2.0 * levels.alpha,
            better: found.better,
            worse: found.worse,
            p_regression: known.then_some(found.p_regression),
            p_adjusted: None,
            answer: None,
            within_tolerance: false,
            n_to_settle: found.n_to_settle.filter(|_| margin.is_some()),
            within_margin: found.within_margin,
        }
    }

    /// Sets the answer by the rule, with this p-value.
    fn settle(&mut self, p_adjusted: f64, alpha_fail: f64) {
        self.p_adjusted = self.p_regression.map(|_| p_adjusted);
        let answer = if self.n == 0 {
            GateAnswer::NotEnoughEvidence
        } else if self.within_margin {
            self.within_tolerance = p_adjusted <= alpha_fail;
            GateAnswer::Held
        } else if p_adjusted <= alpha_fail {
            GateAnswer::Regressed
        } else {
            GateAnswer::NotEnoughEvidence
        };
        if answer != GateAnswer::NotEnoughEvidence {
            self.n_to_settle = None;
        }
        self.answer = Some(answer);
    }
}

/// Calls of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SideCalls {
    /// All.
    pub calls: u64,
    /// Without an answer, for a reason that is not the variant's.
    pub missing: u64,
    /// The most calls of one example.
    pub repeats: u64,
    /// Answers that came from the store.
    pub reused: u64,
}

impl SideCalls {
    fn of(side: &GateSide) -> Self {
        let (missing, calls) = side.missing();
        Self { calls, missing, repeats: side.repeats() as u64, reused: side.reused }
    }

    /// Whether more than 1% are missing (METHODS.md 0.4).
    pub fn lacks_too_many(&self) -> bool {
        self.missing as f64 > MOST_MISSING * self.calls as f64
    }
}

/// Whether a regression was seen again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// A fresh pair shows it, too.
    Confirmed,
    /// A fresh pair does not show it.
    NotConfirmed,
    /// No fresh pair can be had.
    Impossible,
}

/// How a regression was confirmed, or why not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Confirmation {
    /// Whether it was seen again.
    pub state: Seen,
    /// Why it cannot be, if so.
    pub why: Option<String>,
    /// Metrics in which the system of then, asked afresh, does worse itself than the baseline says: the
    /// baseline was lucky, or what answers has changed since.
    pub drifted: Vec<GateMetric>,
    /// What the fresh pair shows of the metrics that had regressed.
    pub findings: Vec<Finding>,
}

/// What is said of a variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantVerdict {
    /// Its name.
    pub variant: String,
    /// The worst answer of its metrics.
    pub answer: GateAnswer,
    /// Calls of the baseline.
    pub before: SideCalls,
    /// Calls of now.
    pub after: SideCalls,
    /// The examples that are compared, and those that are not.
    pub common: Common,
    /// One a metric; after a confirmation those of the first comparison with the last answer.
    pub findings: Vec<Finding>,
    /// For a variant that had regressed.
    pub confirmation: Option<Confirmation>,
}

impl VariantVerdict {
    /// Compares what a variant does now with what it did; nothing is answered before [`settle`].
    pub fn of(variant: &str, before: &GateSide, after: &GateSide, rules: &GateRules, levels: &GateLevels) -> Self {
        let (common, pairs) = common(before, after);
        let none = Pairs::default();
        let one = |metric: GateMetric| {
            let stated = margin(metric, rules);
            // A metric that is only shown is compared with any margin.
            // Where nothing can be invalid, "all are valid" would be said of what nobody looked at.
            let unchecked = metric == GateMetric::Validity && !(before.checks_validity && after.checks_validity);
            let looked_at = if unchecked { &none } else { &pairs };
            let found = evidence(metric, looked_at, stated.unwrap_or(1e-3), levels);
            let why_not = why_not_gated(metric, stated, (before, after));
            let mut finding = Finding::of(metric, stated.filter(|_| why_not.is_none()), &found, levels);
            finding.note = why_not.or_else(|| nothing(metric, found.n)).filter(|_| stated.is_some());
            finding
        };
        Self {
            variant: variant.to_owned(),
            answer: GateAnswer::NotEnoughEvidence,
            before: SideCalls::of(before),
            after: SideCalls::of(after),
            common,
            findings: GateMetric::ALL.into_iter().map(one).collect(),
            confirmation: None,
        }
    }

    /// The metrics that have regressed.
    pub fn regressed(&self) -> Vec<GateMetric> {
        let regressed = |finding: &&Finding| finding.answer == Some(GateAnswer::Regressed);
        self.findings.iter().filter(regressed).map(|finding| finding.metric).collect()
    }

    /// Gates only these metrics.
    pub fn only(&mut self, metrics: &[GateMetric]) {
        self.findings.retain(|finding| metrics.contains(&finding.metric));
    }

    fn take_worst(&mut self) {
        let worst = self.findings.iter().filter_map(|finding| finding.answer).max();
        let lacks = self.before.lacks_too_many() || self.after.lacks_too_many();
        self.answer = worst.unwrap_or(GateAnswer::NotEnoughEvidence);
        if lacks {
            self.could_not_run();
        }
    }

    /// Nothing can be said of it, nor of any metric that is gated.
    pub fn could_not_run(&mut self) {
        self.answer = GateAnswer::CouldNotRun;
        for finding in self.findings.iter_mut().filter(|finding| finding.margin.is_some()) {
            finding.answer = Some(GateAnswer::CouldNotRun);
            finding.n_to_settle = None;
            finding.within_tolerance = false;
        }
    }

    /// A regression that no fresh pair can confirm stands, and is marked so (DESIGN.md 13.12).
    pub fn leave_unconfirmed(&mut self, why: &str) {
        let why = Some(why.to_owned());
        self.confirmation =
            Some(Confirmation { state: Seen::Impossible, why, drifted: Vec::new(), findings: Vec::new() });
    }

    /// Takes what a fresh pair shows, settled by itself: its answers replace the regressions. Where the
    /// system of then has `drifted`, a fresh pair cannot show that nothing got worse since.
    pub fn take_fresh(&mut self, fresh: Self, drifted: Vec<GateMetric>) {
        if fresh.answer == GateAnswer::CouldNotRun {
            self.leave_unconfirmed("too many calls are missing of those that were asked afresh");
            return self.could_not_run();
        }
        for finding in &mut self.findings {
            let again = fresh.findings.iter().find(|again| again.metric == finding.metric);
            if let (Some(GateAnswer::Regressed), Some(again)) = (finding.answer, again) {
                let has_drifted = drifted.contains(&finding.metric);
                let held = again.answer == Some(GateAnswer::Held);
                finding.answer = if held && has_drifted { Some(GateAnswer::NotEnoughEvidence) } else { again.answer };
                finding.n_to_settle = again.n_to_settle;
                if held && has_drifted {
                    finding.note = Some("the baseline was a lucky draw, or what answers has changed since".to_owned());
                }
            }
        }
        let state = if self.regressed().is_empty() { Seen::NotConfirmed } else { Seen::Confirmed };
        self.take_worst();
        self.confirmation = Some(Confirmation { state, why: None, drifted, findings: fresh.findings });
    }
}

/// The stated margin of a metric.
pub fn margin(metric: GateMetric, rules: &GateRules) -> Option<f64> {
    match metric {
        GateMetric::Accuracy => Some(rules.margin),
        GateMetric::Validity => rules.validity_margin,
        GateMetric::Cost => rules.cost_margin,
        GateMetric::Latency => rules.latency_margin_ms,
    }
}

/// Why a metric is only shown, if so.
fn why_not_gated(metric: GateMetric, margin: Option<f64>, (before, after): (&GateSide, &GateSide)) -> Option<String> {
    margin?;
    match metric {
        GateMetric::Validity if !(before.checks_validity && after.checks_validity) => {
            Some("there is no schema that an answer could break".to_owned())
        }
        GateMetric::Latency => before.why_no_times.clone().or_else(|| after.why_no_times.clone()).or_else(|| {
            let place = |side: &GateSide| side.place.clone().unwrap_or_else(|| "a place that nobody named".to_owned());
            let same = before.place.is_some() && before.place == after.place;
            (!same).then(|| format!("the baseline's times are of {}, those of now of {}", place(before), place(after)))
        }),
        GateMetric::Accuracy | GateMetric::Validity | GateMetric::Cost => None,
    }
}

/// Why a metric that is gated has nothing to be judged by.
fn nothing(metric: GateMetric, n: u64) -> Option<String> {
    (n == 0).then(|| match metric {
        GateMetric::Cost => "no example has a known cost on both sides".to_owned(),
        _ => "no example has a figure on both sides".to_owned(),
    })
}

/// Answers for all variants as one family: Holm over everything that is gated.
pub fn settle(variants: &mut [VariantVerdict], levels: &GateLevels) {
    let gated = |finding: &&mut Finding| finding.margin.is_some();
    let mut family: Vec<&mut Finding> =
        variants.iter_mut().flat_map(|variant| &mut variant.findings).filter(gated).collect();
    let p: Vec<f64> = family.iter().map(|finding| finding.p_regression.unwrap_or(1.0)).collect();
    for (finding, adjusted) in family.iter_mut().zip(holm(&p)) {
        finding.settle(adjusted, levels.alpha_fail);
    }
    variants.iter_mut().for_each(VariantVerdict::take_worst);
}

/// The worst answer of all.
pub fn overall(variants: &[VariantVerdict]) -> GateAnswer {
    variants.iter().map(|variant| variant.answer).max().unwrap_or(GateAnswer::NotEnoughEvidence)
}
