use super::*;
use proptest::prelude::*;

/// As near as the vectors were printed.
#[track_caller]
fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-8 * expected.abs().max(1e-2), "{got} instead of {expected}");
}

fn rules() -> Rules {
    Rules { alpha: 0.05, seed: 1, tests: 1, margin: Some(0.02), too_many_missing: false }
}

/// So many wins, losses and ties, of one call each.
fn table(wins: usize, losses: usize, ties: usize) -> PairedScores {
    let side = |win: f64, loss: f64| {
        let scores = [(wins, win), (losses, loss), (ties, 1.0)];
        scores.into_iter().flat_map(|(count, score)| vec![score; count]).collect()
    };
    PairedScores::single(side(0.0, 1.0), side(1.0, 0.0))
}

/// Differences in clusters, with so many calls.
fn clustered(d: &[f64], clusters: &[u32], calls: u64) -> PairedScores {
    PairedScores {
        a: d.iter().map(|d| (-d).max(0.0)).collect(),
        b: d.iter().map(|d| d.max(0.0)).collect(),
        clusters: clusters.to_vec(),
        calls: [calls; 2],
        paired_calls: calls,
        repeated: calls > d.len() as u64,
    }
}

#[test]
fn single_calls_use_mid_p_and_tango() {
    // METHODS.md 2.1 and 2.2.
    for (wins, losses, n, p, low, high, verdict) in [
        (7, 1, 21, 0.0390625, 0.02600303248, 0.5172322764, PairedVerdict::Better),
        (40, 20, 160, 0.009853448195, 0.03086453313, 0.2180642442, PairedVerdict::Better),
        (20, 40, 160, 0.009853448195, -0.2180642442, -0.03086453313, PairedVerdict::Worse),
        (0, 0, 100, 1.0, -0.03699349821, 0.03699349821, PairedVerdict::NotEnoughEvidence),
    ] {
        let got = contrast(&table(wins, losses, n - wins - losses), &rules());
        assert_eq!((got.n, got.wins, got.losses), (n as u64, wins as u64, losses as u64));
        assert_eq!((got.ties, got.test, got.p_floor), ((n - wins - losses) as u64, Test::McnemarMidP, None));
        close(got.p.unwrap(), p);
        close(got.difference.low, low);
        close(got.difference.high, high);
        assert_eq!(got.verdict, verdict);
        assert_eq!(got.unsettled.is_some(), verdict == PairedVerdict::NotEnoughEvidence);
    }
    // The interval excludes 0 and the p-value does not reach: no verdict.
    let apart = contrast(&table(0, 4, 46), &rules());
    assert!(apart.difference.high < 0.0 && apart.p.unwrap() > 0.05);
    assert_eq!((apart.verdict, apart.unsettled), (PairedVerdict::NotEnoughEvidence, Some(Unsettled::MoreExamples)));
    assert!(apart.n_to_settle.unwrap() > 50);
}

#[test]
fn clusters_and_repeats_use_the_effective_n_and_sign_flip() {
    // METHODS.md 2.4, cases A to D.
    let d = [1., 0., 0., 1., 0., -1., 1., 0., 0., 0., 1., 0.];
    let a = contrast(&clustered(&d, &[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], 12), &rules());
    close(a.difference.low, -0.1326279607);
    close(a.difference.high, 0.5650768869);
    assert_eq!((a.test, a.clusters, a.p_floor), (Test::SignFlip, 4, Some(0.125)));
    // 17 examples might do, but not in fewer than six clusters.
    assert_eq!(a.unsettled, Some(Unsettled::FewClusters));
    assert!(a.n_to_settle.unwrap() >= 18, "{a:?}");
    let b = contrast(&clustered(&[0.5, 0., 0.25, -0.25, 1., 0.], &[0, 1, 2, 3, 4, 5], 24), &rules());
    close(b.difference.low, -0.3412560291);
    close(b.difference.high, 0.6872445972);
    assert_eq!((b.wins, b.losses, b.ties, b.p_floor), (3, 1, 2, None));
    let c = contrast(&clustered(&[0.; 4], &[0, 0, 1, 1], 4), &rules());
    close(c.difference.high, 0.6576197725);
    assert_eq!((c.p, c.unsettled, c.n_to_settle), (Some(1.0), Some(Unsettled::NoDifference), None));
    let d = contrast(&clustered(&[1., -1., 0.], &[0, 0, 0], 3), &rules());
    assert_eq!((d.difference.low, d.difference.high, d.unsettled), (-1.0, 1.0, Some(Unsettled::OneCluster)));
}

#[test]
fn averaged_repeats_are_no_single_calls() {
    // Every repeat agrees, so that scores are 0 and 1 all the same.
    let pairs = PairedScores { calls: [12, 4], paired_calls: 4, repeated: true, ..table(3, 0, 1) };
    assert_eq!(contrast(&pairs, &rules()).test, Test::SignFlip);
}

#[test]
fn each_sides_mean_is_that_of_the_common_examples() {
    // METHODS.md 1.1 for single calls, 1.3 where they share clusters (case C).
    let got = contrast(&table(0, 12, 88), &rules());
    let b = got.b;
    assert_eq!((b.point, b.method, got.a.point), (Some(0.88), Method::Wilson, Some(1.0)));
    close(b.low, 0.8018790057);
    let grouped = contrast(&clustered(&[1.; 6], &[0, 0, 1, 1, 2, 2], 6), &rules());
    close(grouped.b.low, 0.4385029682);
    assert_eq!(grouped.b.method, Method::WilsonEffectiveN);
}

#[test]
fn not_worse_by_a_margin() {
    use NonInferiorityVerdict::{Better, Inferior, NonInferior, NotEnoughEvidence};
    // METHODS.md 3.
    for (wins, losses, n, low, high, p, verdict) in [
        (12, 12, 600, -0.01410336614, 0.01410336614, 0.01236983565, NonInferior),
        (5, 9, 1000, -0.01098933881, 0.002367352441, 0.0008024125908, NonInferior),
        (0, 0, 100, -0.02634272078, 0.02634272078, 0.07656372551, NotEnoughEvidence),
        (0, 0, 133, -0.01993686761, 0.01993686761, 0.04972673987, NonInferior),
        (2, 30, 200, -0.1875793518, -0.09950594129, 0.9999956829, Inferior),
        (30, 8, 300, 0.04115988375, 0.1086661385, 6.719824206e-06, Better),
    ] {
        let got = contrast(&table(wins, losses, n - wins - losses), &rules()).non_inferiority.unwrap();
        close(got.interval.low, low);
        close(got.interval.high, high);
        close(got.p.unwrap(), p);
        assert_eq!((got.verdict, got.margin), (verdict, 0.02));
        assert_eq!(got.n_to_settle.is_some(), verdict == NotEnoughEvidence, "{got:?}");
    }
    let slightly = contrast(&table(0, 60, 9_940), &rules()).non_inferiority.unwrap();
    assert!(slightly.slightly_worse);
    for margin in [None, Some(0.0), Some(f64::NAN)] {
        assert_eq!(contrast(&table(1, 1, 1), &Rules { margin, ..rules() }).non_inferiority, None);
    }
    // Seen to be worse by the margin: no number of examples would show that it is not.
    let worse = contrast(&table(0, 3, 97), &rules()).non_inferiority.unwrap();
    assert_eq!((worse.verdict, worse.n_to_settle), (NotEnoughEvidence, None));
}

#[test]
fn missing_answers_leave_no_verdict() {
    let got = contrast(&table(40, 0, 60), &Rules { too_many_missing: true, ..rules() });
    assert_eq!((got.verdict, got.unsettled), (PairedVerdict::NotEnoughEvidence, Some(Unsettled::Missing)));
    assert_eq!(got.non_inferiority.unwrap().verdict, NonInferiorityVerdict::NotEnoughEvidence);
    assert!(got.p.unwrap() < 0.001, "the figures stand");
}

#[test]
fn no_pairs_are_no_evidence() {
    let got = contrast(&PairedScores::default(), &rules());
    assert_eq!((got.n, got.p, got.difference.point), (0, None, None));
    assert_eq!((got.unsettled, got.n_to_settle), (Some(Unsettled::NoPairs), None));
}

#[test]
fn a_family_is_corrected_and_its_intervals_are_wider() {
    let family = |tests| {
        let rules = Rules { tests, margin: None, ..rules() };
        [table(7, 1, 13), table(40, 20, 100), table(10, 4, 86)].map(|pairs| contrast(&pairs, &rules))
    };
    let mut corrected = family(3);
    correct(&mut corrected, Correction::Holm, 0.05);
    // p 0.0390625, 0.009853448195, 0.1184692383.
    close(corrected[0].p_adjusted.unwrap(), 2.0 * 0.0390625);
    close(corrected[1].p_adjusted.unwrap(), 3.0 * 0.009853448195);
    close(corrected[2].p_adjusted.unwrap(), 0.1184692383);
    assert_eq!(corrected[0].verdict, PairedVerdict::NotEnoughEvidence);
    assert_eq!(corrected[1].verdict, PairedVerdict::Better);
    close(corrected[0].difference.level, 1.0 - 0.05 / 3.0);
    assert!(corrected[0].difference.low < 0.02600303248);
    let mut exploring = family(1);
    correct(&mut exploring, Correction::BenjaminiHochberg, 0.05);
    close(exploring[0].p_adjusted.unwrap(), 0.0390625 * 1.5);
    assert_eq!(exploring[0].unsettled, Some(Unsettled::Correction));
    correct(&mut [], Correction::Holm, 0.05);
}

proptest! {
    #[test]
    fn swapping_sides_mirrors_everything(wins in 0_usize..30, losses in 0_usize..30, ties in 0_usize..40) {
        let pairs = table(wins, losses, ties);
        let swapped = PairedScores { a: pairs.b.clone(), b: pairs.a.clone(), ..pairs.clone() };
        let (one, other) = (contrast(&pairs, &rules()), contrast(&swapped, &rules()));
        prop_assert_eq!((one.wins, one.losses, one.p), (other.losses, other.wins, other.p));
        prop_assert!((one.difference.low + other.difference.high).abs() < 1e-9);
        prop_assert_eq!(one.verdict == PairedVerdict::Better, other.verdict == PairedVerdict::Worse);
        prop_assert_eq!(one.n_to_settle, other.n_to_settle);
        prop_assert_eq!(one.unsettled.is_none(), one.verdict != PairedVerdict::NotEnoughEvidence);
    }
}
