//! Figures that were measured elsewhere: the ten-minute version that needs no run.
//!
//! The file says what is known of each variant; what it does not say stays unknown. Where it has
//! outcomes by example, differences are paired; counts alone are taken as independent samples.

mod outcomes;
mod read;
mod variants;

use std::path::Path;

use jiff::civil::Date;

use super::ladder::Rung;
use super::subject::{Counts, Rates, Setting, Source as Origin, Subject, Times};
use super::{Derivation, SuiteFacts, Verdict, evidence::Evidence};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::document::{Document, Family, json};
use crate::measure::{Latency, Scores};
use crate::stats::cost::CacheShares;
use crate::stats::quantile::quantile_estimate;
use crate::stats::{Estimate, Method};
use crate::suite::{DoubleAnnotation, Economics, ErrorClasses, LabelAudit, Range, Statistics, Targets};
use crate::variant::{Variant, VariantId};

/// The codes of faults in an evidence file.
pub const FAMILY: Family = Family {
    syntax: "evidence/syntax",
    unknown_key: "evidence/unknown-key",
    missing_key: "evidence/missing-key",
    wrong_type: "evidence/wrong-type",
    unknown_value: "evidence/unknown-value",
    out_of_range: "evidence/out-of-range",
    not_yet: "evidence/not-yet",
};

/// Figures that contradict each other, or a name that stands twice.
const CONTRADICTION: &str = "evidence/contradiction";

/// An evidence file, read.
#[derive(Debug, Clone)]
pub struct Given {
    /// What the task is, in the file's words.
    pub task: String,
    /// What the product needs.
    pub targets: Targets,
    /// What training costs and brings.
    pub economics: Option<Economics>,
    /// Levels and seed.
    pub statistics: Statistics,
    /// A random re-check of labels.
    pub audit: Option<LabelAudit>,
    /// Second labels.
    pub annotations: Option<DoubleAnnotation>,
    /// Causes of the errors of the variant in use.
    pub error_classes: Option<ErrorClasses>,
    /// Steps declared impossible.
    pub impossible: Vec<String>,
    /// Steps that the file says were not tried.
    pub not_tried: Vec<String>,
    /// The variant now in use, if named.
    pub incumbent: Option<VariantId>,
    /// How much worse is still no worse.
    pub margin: f64,
    variants: Vec<GivenVariant>,
    /// The cluster of each example, where outcomes by example are given.
    clusters: Vec<u32>,
    clustered: bool,
}

/// What the file says of one variant.
#[derive(Debug, Clone)]
struct GivenVariant {
    variant: Variant,
    round: Option<u32>,
    self_hosted: bool,
    retires: Option<Date>,
    accuracy: GivenRate,
    validity: GivenRate,
    asked: u64,
    missing: u64,
    ttft: GivenTimes,
    per_request: Option<Estimate>,
    caching: Option<CacheShares>,
}

/// What the file says of a rate.
#[derive(Debug, Clone)]
enum GivenRate {
    Unknown,
    ByExample(Scores),
    Counts { right: f64, n: u64, n_eff: f64 },
}

/// What the file says of the time to the first token.
#[derive(Debug, Clone)]
enum GivenTimes {
    Samples(Box<Latency>),
    OverLimit { over: u64, n: u64 },
}

impl Given {
    /// Reads a file's text, with what was found that does not stop it; JSON where its name ends so, else
    /// TOML.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn read(source: &Source) -> Result<(Self, Diagnostics), Diagnostics> {
        let is_json =
            Path::new(source.path()).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let toml = if is_json {
            json::as_toml(&source.text).map_err(|fault| {
                let end = (fault.offset + 1).min(source.text.len());
                let start = fault.offset.min(end);
                let span = if source.text.is_char_boundary(start) && source.text.is_char_boundary(end) {
                    start..end
                } else {
                    0..0
                };
                Diagnostics::from(
                    Diagnostic::error(FAMILY.syntax, source.path(), fault.message).in_source(source, span),
                )
            })?
        } else {
            source.text.clone()
        };
        let document = Document::parse_as(source, &toml, &FAMILY);
        let given = read::read(&document);
        let sound = document.is_sound();
        let faults = document.into_faults();
        match given.filter(|_| sound) {
            Some(given) => faults.into_result().map(|warnings| (given, warnings)),
            None => Err(faults.into_result().err().unwrap_or_default()),
        }
    }

    /// The verdict on these figures, as of a day, and where each figure of it comes from.
    pub fn decide(&self, today: Option<Date>) -> (Verdict, Vec<Derivation>) {
        let facts = self.facts(today);
        super::explained(&self.evidence(&facts))
    }

    pub(super) fn facts(&self, today: Option<Date>) -> SuiteFacts<'_> {
        SuiteFacts {
            targets: &self.targets,
            economics: self.economics.as_ref(),
            statistics: self.statistics,
            audit: self.audit,
            annotations: self.annotations,
            error_classes: self.error_classes,
            impossible: &self.impossible,
            incumbent: self.incumbent.as_ref(),
            margin: self.margin,
            failures_of: None,
            asked_instead: None,
            today,
        }
    }

    pub(super) fn evidence<'a>(&'a self, facts: &'a SuiteFacts<'a>) -> Evidence<'a> {
        let subjects = self.variants.iter().map(subject).collect();
        let setting = Setting {
            clusters: &self.clusters,
            clustered: self.clustered,
            repeats: 1,
            source: Origin::Stated,
            latency_comparable: true,
            anytime: None,
        };
        Evidence::new(facts, subjects, setting)
    }

    /// The variants' names, in the file's order.
    pub fn variant_names(&self) -> impl Iterator<Item = &str> {
        self.variants.iter().map(|given| given.variant.id.as_str())
    }
}

fn subject(given: &GivenVariant) -> Subject<'_> {
    Subject {
        variant: &given.variant,
        round: given.round,
        self_hosted: given.self_hosted,
        retires: given.retires,
        accuracy: rates(&given.accuracy),
        validity: rates(&given.validity),
        asked: given.asked,
        missing: given.missing,
        failure: None,
        ttft: match &given.ttft {
            GivenTimes::Samples(latency) => Times::Samples(latency),
            GivenTimes::OverLimit { over, n } => Times::OverLimit { over: *over, n: *n },
        },
        ttft_trials: &[],
        batched: 0,
        in_flight: 0,
        per_request: given.per_request,
        cost_note: None,
        costs: None,
        caching: given.caching,
    }
}

fn rates(given: &GivenRate) -> Rates<'_> {
    match given {
        GivenRate::Unknown => Rates::Unknown,
        GivenRate::ByExample(scores) => Rates::ByExample(scores),
        GivenRate::Counts { right, n, n_eff } => Rates::Counts(Counts { right: *right, n: *n, n_eff: *n_eff }),
    }
}

/// A stated cost a request: no interval, or the range that is stated.
fn stated_cost(per_million: Range) -> Estimate {
    let (low, high) = (per_million.low / 1e6, per_million.high / 1e6);
    Estimate { point: Some(f64::midpoint(low, high)), low, high, level: 1.0, n: 0, method: Method::Stated }
}

/// Times as a run would have measured them.
fn latency(mut samples_ms: Vec<f64>, alpha: f64) -> Latency {
    samples_ms.sort_by(f64::total_cmp);
    let quantile = |q| (!samples_ms.is_empty()).then(|| quantile_estimate(&samples_ms, q, alpha));
    Latency { p50: quantile(0.5), p95: quantile(0.95), sorted_ms: samples_ms.clone(), ..Latency::default() }
}

/// The rung that a step's name stands for; `None` for few-shot.
fn rung_named(name: &str) -> Option<Rung> {
    Rung::ALL.into_iter().find(|rung| rung.name() == name)
}

#[cfg(test)]
mod tests;
