//! Vectors of METHODS.md 2.1 to 2.4, edges, and properties.

use super::*;
use crate::stats::testing::{close, close_interval, close_option, close_to};
use proptest::prelude::*;

#[test]
fn mcnemar_vectors() {
    for (b, c, exact, mid_p, z, asymptotic) in [
        (7, 1, 0.0703125, 0.0390625, 2.121320344, 0.03389485352),
        (10, 4, 0.1795654297, 0.1184692383, 1.603567451, 0.10880943),
        (5, 5, 1.0, 0.876953125, 0.0, 1.0),
        (0, 0, 1.0, 1.0, 0.0, 1.0),
        (0, 3, 0.25, 0.125, -1.732050808, 0.08326451666),
        (40, 20, 0.01348929373, 0.009853448195, 2.581988897, 0.009823274508),
    ] {
        let got = mcnemar(b, c);
        close(got.exact, exact);
        close(got.mid_p, mid_p);
        close(got.z, z);
        close(got.asymptotic, asymptotic);
    }
    let large = mcnemar(500_000_000, 500_030_000);
    assert!(large.exact > 0.3 && large.exact < 0.4, "{large:?}");
}

#[test]
fn tango_vectors() {
    for (b, c, n, low, high) in [
        (7., 1., 21., 0.02600303248, 0.5172322764),
        (40., 20., 160., 0.03086453313, 0.2180642442),
        (16., 6., 161., 0.005433395732, 0.1240234325),
        (0., 0., 100., -0.03699349821, 0.03699349821),
        (10., 0., 10., 0.4449344003, 1.0),
        (0., 4., 50., -0.1883824692, -0.002944592936),
    ] {
        close_interval(tango(b, c, n, 0.05), low, high);
        close_interval(tango(c, b, n, 0.05), -high, -low);
    }
    for (b, c, n, alpha) in
        [(0., 0., 0., 0.05), (f64::NAN, 0., 5., 0.05), (-1., 0., 5., 0.05), (4., 4., 5., 0.05), (1., 1., 5., 2.0)]
    {
        assert_eq!(tango(b, c, n, alpha), Interval::DIFFERENCE);
    }
}

#[test]
fn newcombe_vectors() {
    for (a, b, c, d, low, high) in [
        (1., 7., 1., 12., 0.02555912416, 0.5069202267),
        (59., 16., 6., 80., 0.004625113933, 0.1186211956),
        (80., 15., 5., 20., 0.009625904517, 0.1573230752),
    ] {
        close_interval(newcombe_10(a, b, c, d, 0.05), low, high);
    }
    assert_eq!(newcombe_10(0., 0., 0., 0., 0.05), Interval::DIFFERENCE);
}

#[test]
fn clustered_vectors() {
    type Case<'a> = (&'a [f64], &'a [u32], u64, f64, Option<f64>, Option<f64>, f64, f64);
    #[rustfmt::skip]
    let cases: [Case; 4] = [
        (&[1., 0., 0., 1., 0., -1., 1., 0., 0., 0., 1., 0.], &[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], 12,
            0.25, Some(0.08333333333), Some(12.0), -0.1326279607, 0.5650768869),
        (&[0.5, 0., 0.25, -0.25, 1., 0.], &[0, 1, 2, 3, 4, 5], 24,
            0.25, Some(0.1825741858), Some(4.723421292), -0.3412560291, 0.6872445972),
        (&[0.; 4], &[0, 0, 1, 1], 4, 0.0, Some(0.0), Some(2.0), -0.6576197725, 0.6576197725),
        (&[1., -1., 0.], &[0, 0, 0], 3, 0.0, None, None, -1.0, 1.0),
    ];
    for (d, clusters, calls, mean, se, n_eff, low, high) in cases {
        let got = clustered_paired(d, clusters, calls, 0.05);
        close_option(got.mean, Some(mean));
        close_option(got.se, se);
        close_option(got.n_eff, n_eff);
        close_interval(got.interval, low, high);
    }
    for (d, clusters) in [(&[][..], &[][..]), (&[2.0], &[0]), (&[f64::NAN], &[0]), (&[0.0], &[])] {
        let got = clustered_paired(d, clusters, 1, 0.05);
        assert_eq!((got.mean, got.interval), (None, Interval::DIFFERENCE));
    }
}

#[test]
fn plain_pairs_use_plain_tango() {
    let mut d = vec![1.0; 7];
    d.push(-1.0);
    d.resize(21, 0.0);
    let clusters: Vec<u32> = (0..21).collect();
    let got = paired_difference(&d, &clusters, 21, 0.05);
    close_interval(got.interval, 0.02600303248, 0.5172322764);
    assert_eq!(got.method, Method::Tango);
    assert_eq!(paired_difference(&d, &clusters, 42, 0.05).method, Method::TangoEffectiveN);
    assert_eq!(got.estimate(0.05).n, 21);
}

#[test]
fn signflip_vectors() {
    for (sums, p) in [
        (&[1., 1., 1., 1., 1., -1.][..], 0.21875),
        (&[3., 2., -1., 2.], 0.25),
        (&[0.5, -0.5, 1., 0.25, 0.75], 0.25),
        (&[0., 0., 0.], 1.0),
        (&[], 1.0),
        (&[f64::NAN, 1.0], 1.0),
    ] {
        close(cluster_signflip(sums, 1), p);
    }
    close(signflip_floor(5), 0.0625);
    close(signflip_floor(0), 1.0);
    let many: Vec<f64> = (0..30).map(|i| f64::from(i % 7) - 2.5).collect();
    assert_eq!(cluster_signflip(&many, 3), cluster_signflip(&many, 3));
    close_to(cluster_signflip(&many, 3), cluster_signflip(&many, 4), 0.2);
}

#[test]
fn verdicts() {
    let p = mcnemar(40, 20).mid_p;
    let interval = tango(40., 20., 160., 0.05);
    assert_eq!(paired_verdict(interval, p, 0.05), PairedVerdict::Better);
    let mirrored = tango(20., 40., 160., 0.05);
    assert_eq!(paired_verdict(mirrored, p, 0.05), PairedVerdict::Worse);
    assert_eq!(paired_verdict(interval, 0.2, 0.05), PairedVerdict::NotEnoughEvidence);
    assert!(better_by_at_least(interval, 0.02) && !better_by_at_least(interval, 0.04));
    assert_eq!(paired_n_to_settle(5., 5., 100., 0.05, 0.8), None);
    assert!(paired_n_to_settle(10., 0., 10., 0.05, 0.8).is_some_and(|n| n >= 11));
}

proptest! {
    #[test]
    fn signflip_of_singletons_is_exact_mcnemar(b in 0_u32..40, c in 0_u32..40, zeros in 0_usize..5) {
        // A debug build enumerates 2^20 vectors slowly, so stay below or go above.
        prop_assume!(b + c <= 12 || b + c > 20);
        let mut sums = vec![1.0; b as usize];
        sums.extend(vec![-1.0; c as usize]);
        sums.extend(vec![0.0; zeros]);
        let exact = mcnemar(u64::from(b), u64::from(c)).exact;
        prop_assert!((cluster_signflip(&sums, 1) - exact).abs() < 1e-12);
    }

    #[test]
    fn tango_contains_and_narrows(b in 0.0_f64..50.0, c in 0.0_f64..50.0, rest in 0.0_f64..200.0) {
        prop_assume!(b + c + rest > 0.1);
        let n = b + c + rest;
        let near = tango(b, c, n, 0.05);
        prop_assert!(near.low <= (b - c) / n + 1e-9 && (b - c) / n <= near.high + 1e-9);
        prop_assert!(tango(4.0 * b, 4.0 * c, 4.0 * n, 0.05).width() <= near.width() + 1e-9);
    }

    #[test]
    fn tango_never_panics(b in any::<f64>(), c in any::<f64>(), n in any::<f64>()) {
        let got = tango(b, c, n, 0.05);
        prop_assert!(got.low <= got.high);
        prop_assert!(!tango_t(0.1, b, c, n).is_nan());
    }
}
