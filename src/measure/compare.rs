//! Two variants on the same examples: always paired (METHODS.md 2).

use super::Scores;
use crate::stats::Estimate;
use crate::stats::cluster::cluster_sums;
use crate::stats::paired::{PairedVerdict, cluster_signflip, mcnemar, paired_difference, paired_verdict};

/// Seed of the sign-flip test, which draws at random above 20 clusters that differ.
pub const SIGN_FLIP_SEED: u64 = 1;

/// Differences below this are ties: scores are kept as `f32`.
pub(super) const NO_DIFFERENCE: f64 = 1e-6;

/// How variant B differs from variant A.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Examples that both have a score for.
    pub n: u64,
    /// Examples that one of them misses: in neither side's figures.
    pub dropped: u64,
    /// Examples on which B scored higher.
    pub wins: u64,
    /// Examples on which B scored lower.
    pub losses: u64,
    /// Examples on which both scored alike.
    pub ties: u64,
    /// Mean of B minus mean of A, with Tango's interval.
    pub difference: Estimate,
    /// McNemar's mid-p, or the sign-flip test's with clusters, repeats or scores other than 0 and
    /// 1; `None` without pairs.
    pub p: Option<f64>,
    /// Better, worse, or not enough evidence: B against A.
    pub verdict: PairedVerdict,
}

/// Compares B with A on the examples that both have; all slices run in the same order.
pub fn compare(a: &Scores, b: &Scores, clusters: &[u32], repeats: u32, clustered: bool, alpha: f64) -> Comparison {
    let examples = a.len().max(b.len());
    let (mut differences, mut groups) = (Vec::with_capacity(examples), Vec::with_capacity(examples));
    let mut binary = true;
    for ((a, b), cluster) in a.iter().zip(b.iter()).zip(clusters) {
        let (Some(a), Some(b)) = (a, b) else { continue };
        binary &= is_binary(a) && is_binary(b);
        let difference = f64::from(b) - f64::from(a);
        differences.push(if difference.abs() < NO_DIFFERENCE { 0.0 } else { difference });
        groups.push(*cluster);
    }
    let n = differences.len() as u64;
    let count = |sign: fn(f64) -> bool| differences.iter().filter(|difference| sign(**difference)).count() as u64;
    let (wins, losses) = (count(|d| d > 0.0), count(|d| d < 0.0));
    let paired = paired_difference(&differences, &groups, n * u64::from(repeats.max(1)), alpha);
    let plain = binary && !clustered && repeats <= 1;
    let p = (n > 0).then(|| {
        if plain {
            mcnemar(wins, losses).mid_p
        } else {
            let sums: Vec<f64> = cluster_sums(&differences, &groups).into_iter().map(|(sum, _)| sum).collect();
            cluster_signflip(&sums, SIGN_FLIP_SEED)
        }
    });
    Comparison {
        n,
        dropped: examples as u64 - n,
        wins,
        losses,
        ties: n - wins - losses,
        difference: paired.estimate(alpha),
        p,
        verdict: paired_verdict(paired.interval, p.unwrap_or(1.0), alpha),
    }
}

fn is_binary(score: f32) -> bool {
    score == 0.0 || score == 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Method;

    fn scores(values: &[f32]) -> Scores {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn plain_pairs_use_mid_p_and_tango() {
        // METHODS.md 2: 7 wins, 1 loss, n = 21.
        let a = scores(&[[0.0; 7].as_slice(), &[1.0], &[1.0; 13]].concat());
        let b = scores(&[[1.0; 7].as_slice(), &[0.0], &[1.0; 13]].concat());
        let clusters: Vec<u32> = (0..21).collect();
        let got = compare(&a, &b, &clusters, 1, false, 0.05);
        assert_eq!((got.n, got.wins, got.losses, got.ties, got.dropped), (21, 7, 1, 13, 0));
        assert!((got.p.unwrap() - 0.0390625).abs() < 1e-9);
        assert!((got.difference.low - 0.02600303248).abs() < 1e-8, "{got:?}");
        assert_eq!(got.difference.method, Method::Tango);
        assert_eq!(got.verdict, PairedVerdict::Better);
        assert_eq!(compare(&b, &a, &clusters, 1, false, 0.05).verdict, PairedVerdict::Worse);
    }

    #[test]
    fn clusters_and_repeats_use_the_sign_flip_test() {
        let a = scores(&[0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        let b = scores(&[1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
        let clusters = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3];
        let got = compare(&a, &b, &clusters, 1, true, 0.05);
        // METHODS.md 2.4, case A.
        assert!((got.difference.low + 0.1326279607).abs() < 1e-8, "{got:?}");
        assert_eq!(got.difference.method, Method::TangoEffectiveN);
        assert_eq!(got.verdict, PairedVerdict::NotEnoughEvidence);
        let repeated = compare(&scores(&[0.5, 0.25]), &scores(&[1.0, 0.25]), &[0, 1], 4, false, 0.05);
        assert_eq!((repeated.wins, repeated.ties), (1, 1));
    }

    #[test]
    fn missing_on_either_side_is_dropped_from_both() {
        let (a, b) = (vec![None, Some(1.0), Some(0.0)], vec![Some(1.0), None, Some(1.0)]);
        let got = compare(&a.into(), &b.into(), &[0, 1, 2], 1, false, 0.05);
        assert_eq!((got.n, got.dropped, got.wins), (1, 2, 1));
        let none = compare(&scores(&[]), &scores(&[]), &[], 1, false, 0.05);
        assert_eq!((none.p, none.difference.point, none.verdict), (None, None, PairedVerdict::NotEnoughEvidence));
    }
}
