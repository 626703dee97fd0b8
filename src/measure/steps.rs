//! What each intervention changed: every variant against the one that lacks just that intervention.
//!
//! The reference of a variant is on the same prompt and endpoint, has exactly the same other
//! interventions, and is one for each intervention that can be taken away so. Where there is none it
//! is the variant with the fewest interventions on the same prompt and endpoint. A tuned variant's
//! reference is its base model's variant, on the same prompt if that was measured; where the suite does
//! not name the base, the one untuned model of its provider (or of the run) stands for it.

use serde::Serialize;

use super::rounds::{fixed_and_broken, pair};
use super::{Latency, Measurements, VariantMeasurements};
use crate::provider::EndpointId;
use crate::stats::adjust::holm;
use crate::stats::cluster::mean_with_t;
use crate::stats::paired::{PairedVerdict, paired_verdict};
use crate::stats::quantile::censored_quantile_estimate;
use crate::stats::{Estimate, Method};
use crate::variant::{Intervention, RetrieveFrom, Select, Structured, TuningMethod, Variant, VariantId};

/// One variant against its reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// What was added, such as `few-shot 5 balanced`.
    pub step: String,
    /// The interventions that were added.
    pub adds: Vec<Intervention>,
    /// The reference.
    pub from: VariantId,
    /// The variant.
    pub to: VariantId,
    /// Whether the two differ in something else too: the prompt, or request parameters.
    pub else_differs: Option<String>,
    /// Accuracy minus the reference's, paired.
    pub accuracy: Estimate,
    /// Two-sided p-value of no difference in accuracy.
    pub p: Option<f64>,
    /// The same, adjusted for all steps (Holm).
    pub p_holm: Option<f64>,
    /// Better, worse or not enough evidence, by the interval and the adjusted p-value.
    pub verdict: PairedVerdict,
    /// Examples that were wrong and are right.
    pub fixed: u64,
    /// Examples that were right and are wrong.
    pub broken: u64,
    /// Share of schema-valid answers minus the reference's, paired; `None` where validity is not asked.
    pub validity: Option<Estimate>,
    /// Median time to the first token minus the reference's, in milliseconds; `None` where times
    /// cannot be compared.
    pub ttft_p50_ms: Option<Estimate>,
    /// Mean USD a request minus the reference's, paired; `None` where one is unknown.
    pub usd_per_request: Option<Estimate>,
    /// Mean USD a request over the reference's.
    pub cost_ratio: Option<f64>,
}

/// All steps that were measured, in the variants' order.
pub(super) fn steps(measured: &Measurements, alpha: f64) -> Vec<Step> {
    let mut steps = Vec::new();
    for to in measured.variants.iter().filter(|row| row.scores.is_known()) {
        for from in references(measured, to) {
            steps.push(step(measured, from, to, alpha));
        }
    }
    let p: Vec<f64> = steps.iter().map(|step| step.p.unwrap_or(1.0)).collect();
    for (step, adjusted) in steps.iter_mut().zip(holm(&p)) {
        step.p_holm = step.p.map(|_| adjusted);
        let interval = crate::stats::Interval { low: step.accuracy.low, high: step.accuracy.high };
        step.verdict = paired_verdict(interval, adjusted, alpha);
    }
    steps
}

/// What a variant adds to a bare prompt, as it is set, such as `few-shot 5 balanced`.
pub fn settings(variant: &Variant) -> Vec<String> {
    ALL.into_iter().filter_map(|intervention| setting(variant, intervention)).collect()
}

/// An intervention as it was set: equal where two variants do the same.
fn setting(variant: &Variant, intervention: Intervention) -> Option<String> {
    let is_on = variant.interventions().contains(&intervention);
    is_on.then(|| match intervention {
        Intervention::FewShot => variant.shots.map_or_else(String::new, |shots| {
            let select = match shots.select {
                Select::Fixed => "fixed",
                Select::Random => "random",
                Select::Balanced => "balanced",
                Select::Similar => "similar",
            };
            format!("few-shot {} {select}", shots.k)
        }),
        Intervention::Schema => match variant.structured {
            Structured::JsonObject => "json-object",
            Structured::Tool => "schema (tool)",
            Structured::JsonSchema | Structured::Text => "schema",
        }
        .to_owned(),
        Intervention::Cache => "cache".to_owned(),
        Intervention::Retrieval => variant.retrieve.as_ref().map_or_else(String::new, |retrieve| match retrieve.from {
            RetrieveFrom::Bm25 => format!("retrieval {}", retrieve.k),
            RetrieveFrom::Embeddings(_) => format!("retrieval {} by vectors", retrieve.k),
            RetrieveFrom::Oracle => format!("retrieval {} oracle", retrieve.k),
        }),
        Intervention::Tuning => variant.tuned.as_ref().map_or_else(String::new, |tuned| {
            match tuned.method {
                TuningMethod::Lora => "tuning (LoRA)",
                TuningMethod::Full => "tuning (full)",
                TuningMethod::Dpo => "tuning (DPO)",
                TuningMethod::Distilled => "tuning (distilled)",
            }
            .to_owned()
        }),
    })
}

const ALL: [Intervention; 5] =
    [Intervention::FewShot, Intervention::Schema, Intervention::Cache, Intervention::Retrieval, Intervention::Tuning];

/// Whether both do the same of one intervention, or neither does anything of it.
fn alike_in(a: &Variant, b: &Variant, intervention: Intervention) -> bool {
    match intervention {
        Intervention::FewShot => a.shots.filter(|s| s.k > 0) == b.shots.filter(|s| s.k > 0),
        Intervention::Schema => a.structured == b.structured,
        Intervention::Cache => a.cache == b.cache,
        Intervention::Retrieval => a.retrieve == b.retrieve,
        Intervention::Tuning => a.tuned.is_some() == b.tuned.is_some(),
    }
}

/// Whether both do the same.
pub(super) fn alike(a: &Variant, b: &Variant) -> bool {
    ALL.into_iter().all(|intervention| alike_in(a, b, intervention))
}

/// Whether two variants differ in nothing but their few-shot examples.
pub fn alike_but_shots(a: &Variant, b: &Variant) -> bool {
    let same_request = a.endpoint == b.endpoint && a.prompt == b.prompt && a.params == b.params;
    same_request && alike_but(a, b, Intervention::FewShot)
}

/// Whether both do the same, `but` left out.
fn alike_but(a: &Variant, b: &Variant, but: Intervention) -> bool {
    ALL.into_iter().filter(|intervention| *intervention != but).all(|intervention| alike_in(a, b, intervention))
}

/// What a variant is measured against: see the file's head.
fn references<'a>(measured: &'a Measurements, to: &VariantMeasurements) -> Vec<&'a VariantMeasurements> {
    let own = to.variant.interventions();
    let others = || {
        let asked = |row: &&VariantMeasurements| row.scores.is_known();
        measured.variants.iter().filter(move |row| row.variant.id != to.variant.id).filter(asked)
    };
    // Of equals the one with the same parameters, then the first.
    let nearest = |rows: Vec<&'a VariantMeasurements>| {
        rows.into_iter().min_by_key(|row| usize::from(row.variant.params != to.variant.params))
    };
    let mut found = Vec::new();
    for &taken in own.iter().filter(|intervention| **intervention != Intervention::Tuning) {
        let lacks = |row: &&VariantMeasurements| {
            same_place(row, to)
                && !row.variant.interventions().contains(&taken)
                && alike_but(&row.variant, &to.variant, taken)
        };
        found.extend(nearest(others().filter(lacks).collect()));
    }
    if own.contains(&Intervention::Tuning) {
        found.extend(base_of(to, others()));
    }
    if found.is_empty() && !own.is_empty() {
        let fewer = |row: &&VariantMeasurements| {
            same_place(row, to)
                && row.variant.tuned.is_some() == to.variant.tuned.is_some()
                && row.variant.interventions().iter().all(|intervention| own.contains(intervention))
                && row.variant.interventions().len() < own.len()
        };
        found.extend(others().filter(fewer).min_by_key(|row| row.variant.interventions().len()));
    }
    found
}

fn same_place(a: &VariantMeasurements, b: &VariantMeasurements) -> bool {
    a.variant.endpoint == b.variant.endpoint && a.variant.prompt == b.variant.prompt
}

/// The untuned variant of the model that was tuned: with the same other interventions if there is
/// one, on the same prompt if there is one, else the last round's.
fn base_of<'a>(
    to: &VariantMeasurements,
    others: impl Iterator<Item = &'a VariantMeasurements>,
) -> Option<&'a VariantMeasurements> {
    let untuned: Vec<_> = others.filter(|row| row.variant.tuned.is_none()).collect();
    let Some(base) = to.variant.tuned.as_ref()?.base.as_deref() else {
        let provider = &to.variant.endpoint.provider;
        let beside = |row: &&&VariantMeasurements| row.variant.endpoint.provider == *provider;
        let near: Vec<_> = untuned.iter().filter(beside).copied().collect();
        let candidates = if near.is_empty() { untuned } else { near };
        let mut models = candidates.iter().map(|row| &row.variant.endpoint);
        let first = models.next()?;
        let is_one_model = models.all(|other| other == first);
        return candidates.into_iter().filter(|_| is_one_model).min_by_key(|row| unlike(row, to));
    };
    // With `--provider` another provider answers for both.
    let model = EndpointId::parse(base).map_or_else(|| base.to_owned(), |named| named.model);
    let is_base = |row: &&VariantMeasurements| {
        let endpoint = &row.variant.endpoint;
        row.variant.id.as_str() == base
            || endpoint.to_string() == base
            || (endpoint.provider == to.variant.endpoint.provider && endpoint.model == model)
            || row.served_as == base
    };
    untuned.into_iter().filter(is_base).min_by_key(|row| (row.variant.id.as_str() != base, unlike(row, to)))
}

/// How far an untuned variant is from a tuned one, the nearest first.
fn unlike(row: &VariantMeasurements, to: &VariantMeasurements) -> impl Ord + use<> {
    let alike = alike_but(&row.variant, &to.variant, Intervention::Tuning);
    let same_prompt = row.variant.prompt == to.variant.prompt;
    (!alike, !same_prompt, row.variant.interventions().len(), std::cmp::Reverse(row.round))
}

fn step(measured: &Measurements, from: &VariantMeasurements, to: &VariantMeasurements, alpha: f64) -> Step {
    let (a, b) = (&from.variant, &to.variant);
    let added = |intervention: &Intervention| {
        b.interventions().contains(intervention) && !a.interventions().contains(intervention)
    };
    let adds: Vec<Intervention> = ALL.into_iter().filter(added).collect();
    let names: Vec<String> = adds.iter().filter_map(|intervention| setting(b, *intervention)).collect();
    let compared = pair(measured, from, to, alpha);
    let (fixed, broken) = fixed_and_broken(from, to);
    let has_validity = |row: &VariantMeasurements| row.valid.is_known();
    let validity = (has_validity(from) && has_validity(to)).then(|| {
        let (clusters, repeats) = (&measured.clusters, measured.repeats);
        let pair = (&from.valid, &to.valid);
        let compared = super::compare::compare(pair.0, pair.1, clusters, repeats, measured.clustered, alpha);
        super::anytime::at_any_stop(measured, compared, pair, alpha).difference
    });
    let (usd_per_request, cost_ratio) = cost_change(measured, from, to, alpha);
    Step {
        step: names.join(" + "),
        adds,
        from: a.id.clone(),
        to: b.id.clone(),
        else_differs: else_differs(from, to),
        accuracy: compared.difference,
        p: compared.p,
        p_holm: None,
        verdict: compared.verdict,
        fixed: fixed.len() as u64,
        broken: broken.len() as u64,
        validity,
        ttft_p50_ms: if measured.latency_comparable { median_change(&from.ttft, &to.ttft, alpha) } else { None },
        usd_per_request,
        cost_ratio,
    }
}

/// What differs besides the interventions.
fn else_differs(from: &VariantMeasurements, to: &VariantMeasurements) -> Option<String> {
    let (a, b) = (&from.variant, &to.variant);
    let prompt = (a.prompt != b.prompt).then_some("prompt");
    let parameters = (a.params != b.params).then_some("parameters");
    let in_both = |intervention: &Intervention| {
        a.interventions().contains(intervention) && b.interventions().contains(intervention)
    };
    let set_otherwise = ALL.into_iter().filter(in_both).any(|intervention| !alike_in(a, b, intervention));
    let settings = set_otherwise.then_some("settings");
    let unnamed = b.tuned.as_ref().is_some_and(|tuned| tuned.base.is_none()) && a.tuned.is_none();
    let base = unnamed.then_some("perhaps the base model (`tuned.base` is not set)");
    let others: Vec<&str> = [prompt, parameters, settings, base].into_iter().flatten().collect();
    (!others.is_empty()).then(|| others.join(" and "))
}

/// Difference of the medians. The interval combines both medians' own at alpha/2 each: wider than
/// need be, and never too sure.
fn median_change(from: &Latency, to: &Latency, alpha: f64) -> Option<Estimate> {
    let median = |latency: &Latency| {
        (latency.n() > 0).then(|| censored_quantile_estimate(&latency.sorted_ms, latency.censored, 0.5, alpha / 2.0))
    };
    let (from, to) = (median(from)?, median(to)?);
    let point = to.point? - from.point?;
    // A median without an upper end says too little to be told apart from another.
    (point.is_finite() && from.high.is_finite()).then(|| Estimate {
        point: Some(point),
        low: to.low - from.high,
        high: to.high - from.low,
        level: 1.0 - alpha,
        n: from.n.min(to.n),
        method: Method::OrderStatistic,
    })
}

/// Mean paired difference of the cost of a request (METHODS.md 6), and the ratio of the means.
fn cost_change(
    measured: &Measurements,
    from: &VariantMeasurements,
    to: &VariantMeasurements,
    alpha: f64,
) -> (Option<Estimate>, Option<f64>) {
    let (mut differences, mut clusters, mut before, mut after) = (Vec::new(), Vec::new(), 0.0, 0.0);
    for (place, cluster) in measured.clusters.iter().enumerate() {
        let (Some(a), Some(b)) = (from.cost.by_example.get(place), to.cost.by_example.get(place)) else { continue };
        differences.push(b - a);
        clusters.push(*cluster);
        before += a;
        after += b;
    }
    let difference = mean_with_t(&differences, &clusters, alpha).estimate(alpha);
    (difference, (before > 0.0).then(|| after / before))
}

#[cfg(test)]
pub(crate) mod tests;
