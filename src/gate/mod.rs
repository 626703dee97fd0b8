//! Did it regress (METHODS.md 10)? Pure: what a variant did then and does now, by example; what is
//! said of each metric; and the one answer.
//!
//! | step | where |
//! |---|---|
//! | a run frozen in a file | [`baseline`] |
//! | a variant's calls by example | [`calls`], in columns [`examples`] |
//! | the same of all variants of a baseline | [`frozen`] |
//! | the examples that both sides have | [`common`] |
//! | one metric: difference, bound, p-value | [`metric`] |
//! | held, regressed or not enough evidence | [`verdict`] |
//! | false alarms of the unchanged system | [`calibrate`] |

pub mod baseline;
pub mod calibrate;
pub mod calls;
pub mod common;
pub mod examples;
pub mod frozen;
pub mod metric;
pub mod verdict;

#[cfg(test)]
mod tests;

/// The error rate of a claimed regression (METHODS.md 10).
pub const ALPHA_FAIL: f64 = 0.01;

/// Repeats below which a baseline that cannot be asked again is one noisy draw (METHODS.md 10).
pub const FEWEST_FROZEN_REPEATS: u32 = 3;
