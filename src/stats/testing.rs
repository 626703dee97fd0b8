//! Comparisons that the unit tests of this module share.

use super::Interval;

/// Relative tolerance of the vectors in METHODS.md.
pub(crate) const TOLERANCE: f64 = 1e-8;

#[track_caller]
pub(crate) fn close_to(got: f64, expected: f64, tolerance: f64) {
    let scale = if expected == 0.0 { 1.0 } else { expected.abs() };
    assert!((got - expected).abs() <= tolerance * scale, "got {got:?}, expected {expected:?}");
}

#[track_caller]
pub(crate) fn close(got: f64, expected: f64) {
    close_to(got, expected, TOLERANCE);
}

#[track_caller]
pub(crate) fn close_option(got: Option<f64>, expected: Option<f64>) {
    match (got, expected) {
        (Some(got), Some(expected)) => close(got, expected),
        _ => assert_eq!(got, expected),
    }
}

#[track_caller]
pub(crate) fn close_interval(got: Interval, low: f64, high: f64) {
    close(got.low, low);
    close(got.high, high);
}
