//! The verdict on a tuned model by the test that was frozen before there was one (METHODS.md 3 and 4).

use std::collections::BTreeMap;

use serde::Serialize;

use super::manifest::Acceptance;
use crate::measure::MOST_MISSING;
use crate::stats::cluster::{clustered_mean, clustered_one_sided};
use crate::stats::equivalence::{NonInferiorityVerdict, non_inferiority_verdict};
use crate::stats::paired::paired_difference;
use crate::stats::power::n_non_inferiority;
use crate::stats::proportion::{n_to_settle_target, target_answer_of};
use crate::stats::{Interval, POWER, TargetAnswer};

/// What the model did on one example.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The example's id.
    pub id: String,
    /// Its cluster.
    pub cluster: Option<String>,
    /// The mean primary score of the repeats that have one; `None` where none has.
    pub score: Option<f64>,
    /// Repeats with a score.
    pub calls: u64,
    /// Repeats without an answer, for a reason that is not the model's.
    pub missing: u64,
}

/// What the test says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Target met, and not worse than the variant in use.
    Accepted,
    /// Target missed, or worse than the variant in use.
    Rejected,
    /// Neither is shown.
    NotEnoughEvidence,
    /// Too many answers are missing.
    CouldNotFinish,
}

impl Verdict {
    /// Its name in JSON and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::NotEnoughEvidence => "not-enough-evidence",
            Self::CouldNotFinish => "could-not-finish",
        }
    }
}

/// The model against the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgainstTarget {
    /// The target.
    pub target: f64,
    /// Met, not met, or not enough evidence.
    pub answer: TargetAnswer,
    /// Examples that would settle it at the rate that was seen; `None` where it is settled, or no number would.
    pub n_to_settle: Option<u64>,
}

/// The model against the variant in use, on the same examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgainstIncumbent {
    /// The variant.
    pub variant: String,
    /// The run in which it was measured.
    pub run: String,
    /// Examples that both have.
    pub n: u64,
    /// The variant's mean on them.
    pub incumbent: f64,
    /// The model's mean on them.
    pub model: f64,
    /// The model's minus the variant's.
    pub difference: Option<f64>,
    /// Its interval at two-sided 1 − 2·alpha.
    pub interval: Interval,
    /// How much worse is still as good.
    pub margin: f64,
    /// Better, non-inferior, inferior, or not enough evidence.
    pub answer: NonInferiorityVerdict,
    /// Examples that would settle it; `None` where it is settled, or no number would.
    pub n_to_settle: Option<u64>,
}

/// What the test found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Examples with a score.
    pub n: u64,
    /// Independent clusters among them.
    pub clusters: u64,
    /// The mean primary score.
    pub accuracy: Option<f64>,
    /// Its one-sided bounds, each at alpha.
    pub bounds: Interval,
    /// The level.
    pub alpha: f64,
    /// Calls without an answer.
    pub missing: u64,
    /// Calls in all.
    pub calls: u64,
    /// Against the target, where one was frozen.
    pub target: Option<AgainstTarget>,
    /// Against the variant in use, where its scores were frozen.
    pub incumbent: Option<AgainstIncumbent>,
}

/// Judges a model's scores by the frozen test. All parts must be shown to accept it, and one that is refuted rejects it.
pub fn judge(frozen: &Acceptance, rows: &[Scored]) -> Judgement {
    let scored: Vec<(&Scored, f64)> = rows.iter().filter_map(|row| Some((row, row.score?))).collect();
    let scores: Vec<f64> = scored.iter().map(|(_, score)| *score).collect();
    let clusters = numbered(scored.iter().map(|(row, _)| *row));
    let calls: u64 = scored.iter().map(|(row, _)| row.calls).sum();
    let missing: u64 = rows.iter().map(|row| row.missing).sum();
    let all = calls + missing;
    let bounds = clustered_one_sided(&scores, &clusters, calls, frozen.alpha);
    let known = clustered_mean(&scores, &clusters, calls, frozen.alpha);
    let (mean, n) = (known.mean, scores.len() as f64);
    let target = frozen.target.map(|target| {
        let answer = target_answer_of(bounds, target);
        let open = answer == TargetAnswer::NotEnoughEvidence;
        // Examples of one cluster count for less, and so will those to come.
        let n_eff = known.n_eff.unwrap_or(n).max(1.0);
        let needed = mean.and_then(|mean| n_to_settle_target(mean * n_eff, n_eff, target, frozen.alpha, POWER));
        let n_to_settle = needed.filter(|_| open).map(|needed| (needed as f64 * (n / n_eff).max(1.0)).ceil() as u64);
        AgainstTarget { target, answer, n_to_settle }
    });
    let incumbent = against_incumbent(frozen, &scored);
    let too_many = scored.is_empty() || missing as f64 > MOST_MISSING * all as f64;
    let verdict = if too_many { Verdict::CouldNotFinish } else { verdict(target.as_ref(), incumbent.as_ref()) };
    Judgement {
        verdict,
        n: scores.len() as u64,
        clusters: known.groups,
        accuracy: mean,
        bounds,
        alpha: frozen.alpha,
        missing,
        calls: all,
        target,
        incumbent,
    }
}

fn verdict(target: Option<&AgainstTarget>, incumbent: Option<&AgainstIncumbent>) -> Verdict {
    let refuted = target.is_some_and(|part| part.answer == TargetAnswer::NotMet)
        || incumbent.is_some_and(|part| part.answer == NonInferiorityVerdict::Inferior);
    let met = target.is_none_or(|part| part.answer == TargetAnswer::Met);
    let as_good = incumbent
        .is_none_or(|part| matches!(part.answer, NonInferiorityVerdict::Better | NonInferiorityVerdict::NonInferior));
    match (refuted, met && as_good && (target.is_some() || incumbent.is_some())) {
        (true, _) => Verdict::Rejected,
        (false, true) => Verdict::Accepted,
        (false, false) => Verdict::NotEnoughEvidence,
    }
}

fn against_incumbent(frozen: &Acceptance, scored: &[(&Scored, f64)]) -> Option<AgainstIncumbent> {
    let incumbent = frozen.incumbent.as_ref()?;
    let both: Vec<(&Scored, f64, f64)> =
        scored.iter().filter_map(|(row, score)| Some((*row, *score, *incumbent.scores.get(&row.id)?))).collect();
    let differences: Vec<f64> = both.iter().map(|(_, model, then)| model - then).collect();
    let clusters = numbered(both.iter().map(|(row, _, _)| *row));
    let calls = both.iter().map(|(row, _, _)| row.calls).sum();
    let difference = paired_difference(&differences, &clusters, calls, 2.0 * frozen.alpha);
    let answer = non_inferiority_verdict(difference.interval, frozen.margin);
    let n = both.len() as f64;
    let mean = |of: fn(&(&Scored, f64, f64)) -> f64| {
        if both.is_empty() { 0.0 } else { both.iter().map(of).sum::<f64>() / n }
    };
    let open = answer == NonInferiorityVerdict::NotEnoughEvidence;
    let n_to_settle = difference.mean.filter(|_| open && n > 0.0).and_then(|mean| {
        let discordant = differences.iter().map(|d| d.abs()).sum::<f64>();
        let share = ((discordant + 0.5) / (n + 1.0)).clamp(mean.abs().max(f64::MIN_POSITIVE), 1.0);
        let needed = n_non_inferiority(share, mean, frozen.margin, frozen.alpha, POWER).ok().flatten()?;
        let effect = difference.n_eff.map_or(1.0, |n_eff| (n / n_eff.max(1.0)).max(1.0));
        Some(((needed as f64 * effect).ceil() as u64).max(n as u64 + 1))
    });
    Some(AgainstIncumbent {
        variant: incumbent.variant.clone(),
        run: incumbent.run.clone(),
        n: both.len() as u64,
        incumbent: mean(|(_, _, then)| *then),
        model: mean(|(_, model, _)| *model),
        difference: difference.mean,
        interval: difference.interval,
        margin: frozen.margin,
        answer,
        n_to_settle,
    })
}

/// A number for each row's cluster; one without a cluster has its own.
fn numbered<'a>(rows: impl Iterator<Item = &'a Scored>) -> Vec<u32> {
    let mut known: BTreeMap<&str, u32> = BTreeMap::new();
    let mut next = 0_u32;
    let mut new = || {
        next += 1;
        next - 1
    };
    rows.map(|row| match &row.cluster {
        Some(name) => *known.entry(name.as_str()).or_insert_with(&mut new),
        None => new(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::manifest::Incumbent;
    use crate::training::manifest::tests::manifest;

    fn rows(right: usize, of: usize) -> Vec<Scored> {
        let row = |place: usize| Scored {
            id: format!("e{place:04}"),
            cluster: None,
            score: Some(f64::from(u8::from(place < right))),
            calls: 1,
            missing: 0,
        };
        (0..of).map(row).collect()
    }

    fn frozen(target: Option<f64>, incumbent: Option<&[Scored]>) -> Acceptance {
        let scores = |rows: &[Scored]| rows.iter().filter_map(|row| Some((row.id.clone(), row.score?))).collect();
        let incumbent =
            incumbent.map(|rows| Incumbent { variant: "old".into(), run: "r".into(), scores: scores(rows) });
        Acceptance { target, incumbent, ..manifest().acceptance }
    }

    #[test]
    fn the_bound_and_not_the_rate_meets_the_target() {
        // METHODS.md 1.2: 450 of 500 has the one-sided bounds 0.8751 and 0.9213.
        let judged = judge(&frozen(Some(0.87), None), &rows(450, 500));
        assert_eq!(judged.verdict, Verdict::Accepted);
        assert!((judged.bounds.low - 0.875_134_192_6).abs() < 1e-9, "{judged:?}");
        let open = judge(&frozen(Some(0.9), None), &rows(460, 500));
        assert_eq!(open.verdict, Verdict::NotEnoughEvidence);
        let needed = open.target.and_then(|target| target.n_to_settle).unwrap();
        assert!((1_000..2_000).contains(&needed), "{needed}");
        assert_eq!(judge(&frozen(Some(0.93), None), &rows(450, 500)).verdict, Verdict::Rejected);
    }

    #[test]
    fn a_model_that_meets_the_target_and_is_worse_than_what_is_in_use_is_rejected() {
        let then = rows(500, 500);
        let judged = judge(&frozen(Some(0.8), Some(&then)), &rows(450, 500));
        assert_eq!(judged.target.as_ref().map(|target| target.answer), Some(TargetAnswer::Met));
        assert_eq!(judged.verdict, Verdict::Rejected);
        let as_good = judge(&frozen(Some(0.8), Some(&then)), &rows(500, 500));
        assert_eq!(as_good.verdict, Verdict::Accepted);
        // 5 points less on 60 examples: neither inferior nor shown to be as good.
        let few = rows(60, 60);
        let open = judge(&frozen(None, Some(&few)), &rows(59, 60));
        assert_eq!(open.verdict, Verdict::NotEnoughEvidence);
        assert!(open.incumbent.and_then(|part| part.n_to_settle).is_some_and(|n| n > 60));
    }

    #[test]
    fn without_anything_to_hold_it_against_nothing_is_accepted() {
        assert_eq!(judge(&frozen(None, None), &rows(500, 500)).verdict, Verdict::NotEnoughEvidence);
    }

    #[test]
    fn more_than_one_in_a_hundred_missing_is_no_verdict() {
        let mut missing = rows(500, 500);
        for row in missing.iter_mut().take(6) {
            (row.score, row.calls, row.missing) = (None, 0, 1);
        }
        assert_eq!(judge(&frozen(Some(0.5), None), &missing).verdict, Verdict::CouldNotFinish);
        assert_eq!(judge(&frozen(Some(0.5), None), &missing[2..]).verdict, Verdict::Accepted);
        assert_eq!(judge(&frozen(Some(0.5), None), &[]).verdict, Verdict::CouldNotFinish);
    }

    #[test]
    fn clusters_widen_the_bounds() {
        let mut clustered = rows(450, 500);
        for (place, row) in clustered.iter_mut().enumerate() {
            row.cluster = Some(format!("k{}", place / 25));
        }
        let judged = judge(&frozen(Some(0.87), None), &clustered);
        assert_eq!((judged.verdict, judged.clusters), (Verdict::NotEnoughEvidence, 20));
        let needed = judged.target.and_then(|target| target.n_to_settle).unwrap();
        let alone = judge(&frozen(Some(0.88), None), &rows(450, 500)).target.and_then(|target| target.n_to_settle);
        assert!(needed > 500 && alone.is_some(), "{needed} {alone:?}");
    }
}
