//! Vectors of METHODS.md 1.3, 6 (means) and 9.5, and edges.

use super::*;
use crate::stats::testing::{close, close_interval, close_option};
use proptest::prelude::*;

#[test]
fn single_calls_counted_are_single_calls_listed() {
    for (right, n) in [(0, 1), (1, 1), (0, 40), (40, 40), (37, 50), (0, 0)] {
        let scores: Vec<f64> = (0..n).map(|place| f64::from(u8::from(place < right))).collect();
        let clusters: Vec<u32> = (0..n as u32).collect();
        for alpha in [0.05, 0.2, 0.0] {
            let listed = clustered_accuracy(&scores, &clusters, n, false, alpha);
            assert_eq!(plain_accuracy(right, n, alpha), listed, "{right} of {n}");
        }
    }
}

#[test]
fn vectors_of_1_3() {
    type Case<'a> = (&'a [f64], &'a [u32], u64, f64, Option<f64>, Option<f64>, f64, f64);
    #[rustfmt::skip]
    let cases: [Case; 5] = [
        (&[1., 1., 0., 1., 1., 0., 0., 1., 1., 1., 1., 1.], &[0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3], 12,
            0.75, Some(0.1128338667), Some(5.585940966), 0.3535468053, 0.9427141517),
        (&[1., 0.5, 0.25, 1., 0.75, 1., 0., 1.], &[0, 1, 2, 3, 4, 5, 6, 7], 32,
            0.6875, Some(0.1397542486), Some(7.557263906), 0.3479111911, 0.9007108723),
        (&[1.; 6], &[0, 0, 1, 1, 2, 2], 6, 1.0, Some(0.0), Some(3.0), 0.4385029682, 1.0),
        (&[1., 0., 1., 1.], &[0; 4], 4, 0.75, None, None, 0.0, 1.0),
        (&[1., 1., 1., 0., 0., 0., 1., 1., 1., 0., 0., 0.], &[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], 12,
            0.5, Some(0.2886751346), Some(1.137876863), 0.06083027592, 0.9391697241),
    ];
    for (scores, clusters, calls, mean, se, n_eff, low, high) in cases {
        let got = clustered_mean(scores, clusters, calls, 0.05);
        close_option(got.mean, Some(mean));
        close_option(got.se, se);
        close_option(got.n_eff, n_eff);
        close_interval(got.interval, low, high);
        let estimate = clustered_accuracy(scores, clusters, calls, true, 0.05);
        assert_eq!(estimate.interval(), got.interval);
        let method = if se.is_some() { Method::WilsonEffectiveN } else { Method::None };
        assert_eq!(estimate.method, method);
    }
}

#[test]
fn edges() {
    for (scores, clusters) in
        [(&[][..], &[][..]), (&[0.5, f64::NAN], &[0, 1]), (&[0.5, 1.5], &[0, 1]), (&[0.5], &[0, 1])]
    {
        let got = clustered_mean(scores, clusters, 2, 0.05);
        assert_eq!((got.mean, got.interval), (None, Interval::UNIT));
        assert_eq!(clustered_one_sided(scores, clusters, 2, 0.05), Interval::UNIT);
        assert_eq!(clustered_accuracy(scores, clusters, 2, false, 0.05).n, 0);
    }
    assert!(clustered_mean(&[0.1; 9], &[0, 0, 0, 1, 1, 1, 2, 2, 2], 9, 0.05).few_clusters);
    assert_eq!(clustered_mean(&[0.1; 3], &[0, 1, 2], 3, 0.05).n_eff, Some(3.0));
    assert_eq!(clustered_mean(&[0.1; 3], &[0, 1, 2], 3, f64::NAN).interval, Interval::UNIT);
    let plain = clustered_mean(&[1., 1., 0., 1.], &[3, 2, 1, 0], 4, 0.05);
    assert_eq!((plain.n_eff, plain.interval), (Some(4.0), wilson(3.0, 4.0, 0.05)));
    assert!(clustered_mean(&[1., 1., 0., 1.], &[3, 2, 1, 0], 8, 0.05).n_eff.is_some_and(|n| n < 4.0));
    close_interval(
        clustered_accuracy(&[1.0; 10], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 10, false, 0.05).interval(),
        0.7224672001,
        1.0,
    );
}

#[test]
fn decisions_use_plain_counts_when_they_can() {
    let clusters: Vec<u32> = (0..10).collect();
    let plain = clustered_one_sided(&[1.0; 10], &clusters, 10, 0.05);
    close_interval(plain, 0.7411344491, 1.0);
    let repeated = clustered_one_sided(&[1.0; 10], &clusters, 30, 0.05);
    close_interval(repeated, 0.7411344491, 1.0);
    let clustered = clustered_one_sided(&[1.0; 6], &[0, 0, 1, 1, 2, 2], 6, 0.05);
    close(clustered.low, 0.05_f64.powf(1.0 / 3.0));
    assert_eq!(clustered_one_sided(&[1.0; 6], &[0; 6], 6, 0.05), Interval::UNIT);
}

#[test]
fn cluster_effects_of_9_5() {
    close(design_effect(&[10; 20], 0.2), 2.8);
    close(design_effect(&[1, 2, 3, 4, 10], 0.3), 2.65);
    close(design_effect(&[1; 50], 0.5), 1.0);
    assert_eq!(design_effect(&[], 0.5), 1.0);
    let whole = icc_deff(&[1., 1., 0., 0., 1., 1.], &[0, 0, 1, 1, 2, 2]);
    assert_eq!((whole.icc, whole.design_effect), (Some(1.0), 2.0));
    assert_eq!(icc_deff(&[1., 0.], &[0, 1]).icc, None);
    assert_eq!(icc_deff(&[1., 1., 1.], &[0, 0, 1]).icc, None);
    assert_eq!(icc_deff(&[1., 0., 1.], &[0, 0, 0]).icc, None);
}

#[test]
fn mean_costs_of_6() {
    let a = mean_cost(&[0.01, 0.012, 0.011, 0.013, 0.009, 0.02], &[0, 0, 1, 1, 2, 3], 0.05);
    close_option(a.mean, Some(0.0125));
    close_option(a.se, Some(0.001705112139));
    close_interval(a.interval.unwrap(), 0.007073572172, 0.01792642783);
    assert!(a.heavy_tail);
    let b = mean_cost(&[0.01; 4], &[0, 1, 2, 3], 0.05);
    close_interval(b.interval.unwrap(), 0.01, 0.01);
    let c = mean_with_t(&[0.01, 0.02], &[0, 1], 0.05);
    close_option(c.se, Some(0.005));
    close_interval(c.interval.unwrap(), -0.04853102368, 0.07853102368);
    assert_eq!(mean_cost(&[0.01, 0.02], &[0, 1], 0.05).interval.unwrap().low, 0.0);
    assert_eq!(mean_with_t(&[0.01, 0.02], &[0, 0], 0.05).interval, None);
    assert_eq!(mean_with_t(&[f64::NAN], &[0], 0.05).mean, None);
    assert_eq!(mean_with_t(&[], &[], 0.05).mean, None);
}

#[test]
fn repeats_vary_within_examples() {
    close_option(within_example_variance(&[0.5, 1.0], 2), Some(0.25));
    assert_eq!(within_example_variance(&[0.5], 1), None);
}

proptest! {
    #[test]
    fn contains_the_mean(scores in prop::collection::vec((0_u32..=4, 0_u32..6), 0..40)) {
        let values: Vec<f64> = scores.iter().map(|s| f64::from(s.0) / 4.0).collect();
        let clusters: Vec<u32> = scores.iter().map(|s| s.1).collect();
        let got = clustered_mean(&values, &clusters, 4 * values.len() as u64, 0.05);
        prop_assert!(got.interval.contains(got.mean.unwrap_or(0.5)));
        let bounds = clustered_one_sided(&values, &clusters, 4 * values.len() as u64, 0.05);
        prop_assert!(bounds.low <= bounds.high);
        prop_assert!(icc_deff(&values, &clusters).design_effect >= 1.0);
    }
}
