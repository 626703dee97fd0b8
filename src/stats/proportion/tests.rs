//! Vectors of METHODS.md 1.1, 1.2 and 4, edges, and properties.

use super::*;
use crate::stats::testing::{close, close_interval, close_to};
use proptest::prelude::*;

#[test]
fn intervals_of_section_1() {
    #[rustfmt::skip]
    let table = [
        (88., 100., 0.8018790057, 0.9300059356, 0.8128338902, 0.9292781624, 0.8057145641, 0.932695865),
        (0., 10., 0.0, 0.2775327999, 0.0, 0.2588655509, 0.0, 0.2171962675),
        (10., 10., 0.7224672001, 1.0, 0.7411344491, 1.0, 0.7828037325, 1.0),
        (1., 1., 0.2065493144, 1.0, 0.05, 1.0, 0.1467463163, 1.0),
        (450., 500., 0.8705780904, 0.9233224373, 0.8751341926, 0.92126143, 0.8714007846, 0.9239863465),
        (999., 1000., 0.9943574414, 0.9998234536, 0.9952650064, 0.999948708, 0.9953355412, 0.9998920812),
    ];
    for (x, n, wl, wh, cl, ch, jl, jh) in table {
        close_interval(wilson(x, n, 0.05), wl, wh);
        close_interval(clopper_pearson_one_sided(x, n, 0.05), cl, ch);
        close_interval(jeffreys(x, n, 0.05), jl, jh);
    }
}

#[test]
fn failure_bounds_at_scale() {
    for (x, n, expected) in [
        (0., 100., 0.02951304961),
        (0., 3000., 0.000998079012),
        (0., 1e6, 2.995727786e-06),
        (1., 1e6, 4.743855638e-06),
        (3., 1e4, 0.000775181379),
        (1000., 1e6, 0.001053574877),
    ] {
        close_to(failure_rate_upper(x, n, 0.05), expected, 1e-9);
    }
}

#[test]
fn targets_of_section_4() {
    use TargetAnswer::{Met, NotEnoughEvidence, NotMet};
    for (x, n, target, low, high, answer) in [
        (3000., 3000., 0.999, 0.999001921, 1.0, Met),
        (2999., 3000., 0.999, 0.9984196982, 0.9999829024, NotEnoughEvidence),
        (4741., 4742., 0.999, 0.9990000016, 0.9999891833, Met),
        (1980., 2000., 0.999, 0.9855019374, 0.9933631206, NotMet),
        (1000., 1000., 0.999, 0.9970087505, 1.0, NotEnoughEvidence),
        (69., 100., 0.9, 0.605328346, 0.7659908498, NotMet),
    ] {
        let bounds = clopper_pearson_one_sided(x, n, 0.05);
        close_interval(bounds, low, high);
        assert_eq!(target_answer(x, n, target, 0.05), answer);
        assert_eq!(target_answer_of(bounds, target), answer);
    }
}

#[test]
fn n_to_prove() {
    let table = [
        [2995, 299, 59, 29],
        [4742, 473, 93, 46],
        [6294, 628, 124, 61],
        [7752, 773, 153, 76],
        [9151, 913, 181, 89],
        [10511, 1049, 208, 103],
        [11840, 1182, 234, 116],
        [13146, 1312, 260, 129],
        [14432, 1441, 286, 142],
        [15702, 1568, 311, 154],
        [16959, 1693, 336, 167],
    ];
    for (failures, row) in (0_u64..).zip(table) {
        for (target, expected) in [0.999, 0.99, 0.95, 0.9].into_iter().zip(row) {
            assert_eq!(n_to_prove_target(failures, target, 0.05), Some(expected));
        }
    }
    assert_eq!(n_to_prove_target(0, 0.5, 0.25), Some(2));
    assert_eq!(n_to_prove_target(0, 1.0, 0.05), None);
    assert_eq!(n_to_prove_target(0, f64::NAN, 0.05), None);
    assert_eq!(n_to_prove_target(0, 1.0 - 1e-12, 0.05), None);
}

#[test]
fn n_to_settle() {
    for (x, n, target, expected) in [
        (0., 0., 0.999, Some(2995)),
        (1000., 1000., 0.999, Some(2995)),
        (2999., 3000., 0.999, Some(10207)),
        (85., 100., 0.9, Some(253)),
        (9., 10., 0.9, None),
    ] {
        assert_eq!(n_to_settle_target(x, n, target, 0.05, 0.8), expected);
    }
    assert_eq!(n_to_settle_target(f64::NAN, 5.0, 0.9, 0.05, 0.8), None);
}

#[test]
fn unusable_input_is_the_widest() {
    let bad = [
        (0.0, 0.0, 0.05),
        (f64::NAN, 5.0, 0.05),
        (1.0, -3.0, 0.05),
        (1.0, 5.0, 0.0),
        (1.0, 5.0, f64::NAN),
        (1.0, f64::INFINITY, 0.05),
    ];
    for (x, n, alpha) in bad {
        assert_eq!(wilson(x, n, alpha), Interval::UNIT);
        assert_eq!(clopper_pearson_one_sided(x, n, alpha), Interval::UNIT);
        assert_eq!(jeffreys(x, n, alpha), Interval::UNIT);
        let answer = target_answer(x, n, 0.9, alpha);
        assert_eq!(answer, TargetAnswer::NotEnoughEvidence);
    }
}

#[test]
fn a_billion_trials() {
    close_to(failure_rate_upper(0.0, 1e9, 0.05), 2.995732269e-9, 1e-8);
    close_to(failure_rate_upper(1.0, 1e9, 0.05), 4.743864513e-9, 1e-8);
    let half = clopper_pearson_one_sided(5e8, 1e9, 0.05);
    close_to(half.high, 0.5 + 1.644853627 * 0.5 / 1e9_f64.sqrt(), 1e-8);
    assert!(wilson(999_999_999.0, 1e9, 0.05).high < 1.0);
    close(wilson(1e9, 1e9, 0.05).high, 1.0);
}

proptest! {
    #[test]
    fn contains_the_point_and_narrows(n in 0.01_f64..5000.0, share in 0.0_f64..=1.0, alpha in 1e-6_f64..0.5) {
        let x = share * n;
        for f in [wilson, clopper_pearson_one_sided] {
            let near = f(x, n, alpha);
            prop_assert!(near.low >= 0.0 && near.high <= 1.0);
            prop_assert!(near.low <= x / n + 1e-9 && x / n <= near.high + 1e-9);
            let far = f(4.0 * x, 4.0 * n, alpha);
            prop_assert!(far.width() <= near.width() + 1e-9);
        }
    }

    #[test]
    fn never_panics(x in any::<f64>(), n in any::<f64>(), alpha in any::<f64>()) {
        for f in [wilson, clopper_pearson_one_sided, jeffreys] {
            let got = f(x, n, alpha);
            prop_assert!(got.low <= got.high);
        }
    }
}

#[test]
fn tiny_rates_keep_their_digits() {
    // Computed with mpmath, 40 digits.
    close_to(jeffreys(1., 1e9, 0.05).low, 1.07897641333102e-10, 1e-9);
    close_to(jeffreys(3., 1e6, 0.05).low, 8.44935289550683e-7, 1e-10);
    close_to(clopper_pearson_one_sided(1., 1., 1e-9).low, 1e-9, 1e-12);
    close_to(failure_rate_upper(1., 474_260_284., 0.01), 1.399727586831418e-8, 1e-11);
    close_to(failure_rate_upper(3., 1e4, 1e-12), 0.0036671118846059, 1e-10);
    close_to(jeffreys(3., 1e4, 1e-12).high, 0.00361020338390881, 1e-10);
    close_to(wilson(1e-4, 100., 0.05).low, 2.60304219447298e-11, 1e-10);
    close_to(wilson(100. - 1e-4, 100., 0.05).low, 1.0 - 0.0369954241939588, 1e-12);
}

#[test]
fn a_whole_answer_is_not_rounded_up() {
    for (alpha, target, expected) in [(1e-5, 0.1, 5), (1e-7, 0.1, 7), (1e-17, 0.1, 17), (0.125, 0.5, 3)] {
        assert_eq!(n_to_settle_target(0., 0., target, alpha, 0.8), Some(expected));
        assert_eq!(n_to_prove_target(0, target, alpha), Some(expected));
    }
}

#[test]
fn a_bound_on_the_target_is_decided_as_in_exact_arithmetic() {
    // U = 1 − 0.1^(1/1) = 0.9 is not below the target, and L = 0.1 reaches it.
    assert_eq!(target_answer(0., 1., 0.9, 0.1), TargetAnswer::NotEnoughEvidence);
    assert_eq!(target_answer(1., 1., 0.1, 0.1), TargetAnswer::Met);
    for (x, target) in [(0., 0.9), (1., 0.1)] {
        let bounds = clopper_pearson_one_sided(x, 1., 0.1);
        assert_eq!(target_answer_of(bounds, target), target_answer(x, 1., target, 0.1));
    }
}

#[test]
fn upper_bounds_of_rare_failures_join_up() {
    // By scipy (beta.isf), across the shapes at which the fraction changes sides.
    for (x, n, expected) in [
        (1000., 1e6, 0.0010535748774543),
        (9_000., 1e9, 9.157618906458932e-06),
        (11_000., 1e9, 1.1174087213449389e-05),
        (1e5, 1e9, 0.00010052169265961484),
        (900., 1e6, 0.00095091073652049),
        (999., 999_999., 0.001052549966792271),
    ] {
        close_to(failure_rate_upper(x, n, 0.05), expected, 1e-9);
        let bound = failure_rate_upper(x, n, 0.05);
        close_to(inc_beta(bound, x + 1.0, n - x), 0.95, 1e-6);
    }
}
