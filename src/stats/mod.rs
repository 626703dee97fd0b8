//! Numbers in, numbers out: every statistic that the tool prints or decides on.
//!
//! Layer 0: knows only `f64`, counts and slices, never the crate. Each function names its formula,
//! its paper and its section of METHODS.md, whose vectors are its unit tests.
//!
//! Total by construction: no function panics or gives NaN. A function that returns a bare
//! [`Interval`] answers unusable input (NaN, negative, `alpha` outside (0, 1)) with the widest
//! interval, and one that returns an answer says "not enough evidence". A function whose input may
//! be *wrong* instead of merely poor returns a [`StatsError`].
//!
//! | question | function |
//! |---|---|
//! | a rate, to display | [`proportion::wilson`], [`cluster::clustered_accuracy`] |
//! | a rate against a target | [`proportion::target_answer`], [`cluster::clustered_one_sided`] |
//! | B against A on the same examples | [`paired::paired_difference`], [`paired::paired_verdict`] |
//! | B not worse than A; did it regress | [`equivalence`] |
//! | p95 against a limit | [`quantile::exceedance_answer`] |
//! | money | [`cost`], [`cluster::mean_cost`] |
//! | how many examples | [`power`] |
//! | may a run stop here | [`sequential`] |

pub mod adjust;
pub mod bootstrap;
pub mod classes;
pub mod cluster;
pub mod cost;
pub mod curve;
pub mod equivalence;
pub mod labels;
mod lanes;
pub mod paired;
pub mod power;
pub mod ppi;
pub mod proportion;
pub mod quantile;
pub mod rng;
pub mod sequential;
pub mod special;
pub mod unpaired;

#[cfg(test)]
mod testing;

/// Resamples of every Monte Carlo procedure (METHODS.md 0, rule 7).
pub const RESAMPLES: u32 = 9_999;

/// Power of every sample size: the chance to settle what is true (METHODS.md 0.5).
pub const POWER: f64 = 0.8;

/// A metric with its interval: the two cannot be separated on the way to a table.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Estimate {
    /// The point estimate; `None` when the data give none (no examples, a censored quantile).
    pub point: Option<f64>,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end; may be infinite, which is serialised as null and read back as +∞.
    #[serde(with = "null_is_infinite")]
    pub high: f64,
    /// Confidence level of the interval, such as 0.95.
    pub level: f64,
    /// Independent-looking units behind it (examples or calls), before any effective-n correction.
    pub n: u64,
    /// How the interval was made.
    pub method: Method,
}

impl Estimate {
    /// The estimate of nothing: no point, the whole range `range`, method [`Method::None`].
    pub fn nothing(range: Interval, level: f64) -> Self {
        Self { point: None, low: range.low, high: range.high, level, n: 0, method: Method::None }
    }

    /// The interval alone.
    pub fn interval(&self) -> Interval {
        Interval { low: self.low, high: self.high }
    }
}

/// How an interval was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Wilson score interval on independent examples (METHODS.md 1.1).
    Wilson,
    /// Wilson on the effective number of examples (1.3).
    WilsonEffectiveN,
    /// Clopper–Pearson (1.2).
    ClopperPearson,
    /// Order statistics (5).
    OrderStatistic,
    /// Student t on clustered standard errors (6).
    StudentT,
    /// Fieller's interval of a ratio (6).
    Fieller,
    /// Tango's score interval of a paired difference (2.2).
    Tango,
    /// Tango on the effective number of pairs (2.4).
    TangoEffectiveN,
    /// Newcombe's method 10 for independent samples ([`unpaired`]).
    NewcombeIndependent,
    /// Cluster bootstrap, percentiles (13).
    Bootstrap,
    /// Confidence sequence of a rate, valid at every look (11).
    ConfidenceSequence,
    /// Hedged betting confidence sequence, valid at every look (11).
    BettingConfidenceSequence,
    /// A figure that was stated, not measured here.
    Stated,
    /// No interval could be made: the whole range.
    None,
}

/// Yes, no, or not enough evidence: never two-valued (METHODS.md 0, rule 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer3 {
    /// A bound proves it.
    Yes,
    /// A bound refutes it.
    No,
    /// Neither; this is not `Yes`.
    NotEnoughEvidence,
}

/// Whether a target is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetAnswer {
    /// The conservative bound meets the target.
    Met,
    /// The optimistic bound misses the target.
    NotMet,
    /// Neither.
    NotEnoughEvidence,
}

/// A closed interval; `low <= high`.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end; may be infinite, serialised as null.
    #[serde(with = "null_is_infinite")]
    pub high: f64,
}

impl Interval {
    /// All rates.
    pub const UNIT: Self = Self { low: 0.0, high: 1.0 };
    /// All differences of rates.
    pub const DIFFERENCE: Self = Self { low: -1.0, high: 1.0 };

    /// Whether `value` lies in the interval, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Upper end minus lower end.
    pub fn width(&self) -> f64 {
        self.high - self.low
    }
}

/// Input that no documented answer covers.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// Slices that must run in parallel do not.
    #[error("`{what}` has {got} entries, expected {expected}")]
    Length {
        /// The shorter or longer slice.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The length it should have.
        expected: usize,
    },
    /// A number outside its domain, or not a number.
    #[error("`{what}` is {got}, expected {expected}")]
    Domain {
        /// The argument.
        what: &'static str,
        /// What was given.
        got: f64,
        /// The domain, in words.
        expected: &'static str,
    },
    /// Fewer values than the method needs.
    #[error("{what} needs at least {needed} values, got {got}")]
    TooFew {
        /// The method.
        what: &'static str,
        /// How many it needs.
        needed: usize,
        /// How many there are.
        got: usize,
    },
}

/// Whether `alpha` is a usable error rate.
pub(crate) fn is_open_unit(alpha: f64) -> bool {
    alpha > 0.0 && alpha < 1.0
}

/// `value` when it is strictly between 0 and 1.
pub(crate) fn check_open_unit(what: &'static str, value: f64) -> Result<f64, StatsError> {
    if is_open_unit(value) {
        Ok(value)
    } else {
        Err(StatsError::Domain { what, got: value, expected: "a number between 0 and 1, ends excluded" })
    }
}

/// `value` when it is finite and at least 0.
pub(crate) fn check_non_negative(what: &'static str, value: f64) -> Result<f64, StatsError> {
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err(StatsError::Domain { what, got: value, expected: "a finite number of at least 0" })
    }
}

/// The next whole number as a count; `None` when not finite or above 10¹⁵.
pub(crate) fn ceil_count(value: f64) -> Option<u64> {
    let up = value.ceil();
    (up.is_finite() && (0.0..=1e15).contains(&up)).then_some(up as u64)
}

/// Serialises an infinite number as null and reads null as +∞.
mod null_is_infinite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::INFINITY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_infinite_end_survives_json() {
        let estimate = Estimate {
            point: Some(1.0),
            low: 0.5,
            high: f64::INFINITY,
            level: 0.95,
            n: 3,
            method: Method::OrderStatistic,
        };
        let text = serde_json::to_string(&estimate).unwrap();
        assert!(text.contains("\"high\":null"), "{text}");
        assert!(text.contains("order-statistic"), "{text}");
        assert_eq!(serde_json::from_str::<Estimate>(&text).unwrap(), estimate);
        assert_eq!(serde_json::to_string(&TargetAnswer::NotMet).unwrap(), "\"not-met\"");
    }
}
