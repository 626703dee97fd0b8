//! The label-noise ceiling: would a perfect system reach the target on these labels (METHODS.md 8.3)?

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::ladder::LabelCeiling;
use super::prose;
use crate::stats::Interval;
use crate::stats::POWER;
use crate::stats::labels::{Reachability, label_ceiling_from_agreement, label_ceiling_from_audit, reachability};
use crate::stats::proportion::n_to_settle_target;
use crate::suite::{DoubleAnnotation, LabelAudit};

/// On what the ceiling rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelSource {
    /// A random re-check of labels.
    Audit,
    /// Second labels of independent annotators; optimistic where they err alike.
    DoubleAnnotation,
}

/// The label ceiling with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelReport {
    /// Whether the labels allow the target.
    pub state: LabelCeiling,
    /// On what it rests; null where no label was checked.
    pub source: Option<LabelSource>,
    /// What a perfect system would score; null where no label was checked.
    pub ceiling: Option<Interval>,
    /// Labels checked, or pairs of labels.
    pub checked: u64,
    /// Of these, wrong or not agreeing.
    pub wrong: u64,
    /// How many labels to check, where that would settle it.
    pub n_to_settle: Option<u64>,
    /// Why, in a sentence.
    pub explanation: String,
}

impl LabelReport {
    fn bare(state: LabelCeiling, n_to_settle: Option<u64>, explanation: String) -> Self {
        Self { state, source: None, ceiling: None, checked: 0, wrong: 0, n_to_settle, explanation }
    }
}

/// The label ceiling: from an audit, else from double annotation, else unknown.
pub(super) fn ceiling(evidence: &Evidence<'_>) -> LabelReport {
    match evidence.facts.targets.accuracy {
        None => LabelReport::bare(LabelCeiling::Unknown, None, "no target for accuracy is configured".to_owned()),
        target => of_labels(target, evidence.facts.audit, evidence.facts.annotations, evidence.alpha()),
    }
}

/// The ceiling that these labels put on accuracy, at a one-sided level, and whether the target lies below it. An
/// audit is preferred to double annotation.
pub fn of_labels(
    target: Option<f64>,
    audit: Option<LabelAudit>,
    annotations: Option<DoubleAnnotation>,
    alpha: f64,
) -> LabelReport {
    if let Some(audit) = audit.filter(|audit| audit.checked > 0) {
        let wrong = audit.wrong.min(audit.checked);
        let ceiling = label_ceiling_from_audit(wrong, audit.checked, alpha);
        let were = if wrong == 1 { "was" } else { "were" };
        let found = format!("{} of {} audited labels {were} wrong", prose::count(wrong), prose::count(audit.checked));
        let (right, checked) = ((audit.checked - wrong) as f64, audit.checked as f64);
        let n = target.and_then(|target| n_to_settle_target(right, checked, target, alpha, POWER));
        let report = judged(target, ceiling, &found, n);
        return LabelReport { source: Some(LabelSource::Audit), checked: audit.checked, wrong, ..report };
    }
    let unseen = target.and_then(|target| n_to_settle_target(0.0, 0.0, target, alpha, POWER));
    if let Some(pairs) = annotations.filter(|pairs| pairs.pairs > 0) {
        let agreed = pairs.agreed.min(pairs.pairs);
        let ceiling = label_ceiling_from_agreement(agreed, pairs.pairs, pairs.classes, alpha);
        let found = format!(
            "two annotators agreed on {} of {} labels (optimistic where they err alike)",
            prose::count(agreed),
            prose::count(pairs.pairs)
        );
        let report = judged(target, ceiling, &found, unseen);
        let source = Some(LabelSource::DoubleAnnotation);
        return LabelReport { source, checked: pairs.pairs, wrong: pairs.pairs - agreed, ..report };
    }
    let goal = target.map_or_else(|| "a target".to_owned(), prose::percent);
    let why = format!("no labels were audited, so whether a perfect system would reach {goal} is unknown");
    LabelReport::bare(LabelCeiling::Unknown, unseen, why)
}

fn judged(target: Option<f64>, ceiling: Interval, found: &str, n_to_settle: Option<u64>) -> LabelReport {
    let found = format!(
        "{found}, so a perfect system would score {} to {}",
        prose::percent(ceiling.low),
        prose::percent(ceiling.high)
    );
    let Some(target) = target else {
        return LabelReport { ceiling: Some(ceiling), ..LabelReport::bare(LabelCeiling::Unknown, None, found) };
    };
    let goal = prose::percent(target);
    let (state, n, why) = match reachability(ceiling, target) {
        Reachability::Reachable => (LabelCeiling::Reachable, None, format!("{found}: {goal} can be reached")),
        Reachability::Unreachable => {
            (LabelCeiling::Unreachable, None, format!("{found}: {goal} cannot be reached with these labels"))
        }
        Reachability::Unknown => {
            (LabelCeiling::Unknown, n_to_settle, format!("{found}: whether {goal} can be reached is open"))
        }
    };
    LabelReport { ceiling: Some(ceiling), ..LabelReport::bare(state, n, why) }
}
