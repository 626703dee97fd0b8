//! Not worse than: non-inferiority and the regression gate (METHODS.md 3 and 10).

use super::paired::{is_table, mcnemar_worse, tango, tango_t};
use super::power::n_non_inferiority;
use super::special::normal_cdf;
use super::{Interval, StatsError, check_open_unit};
use crate::stats::POWER;

/// The verdict on non-inferiority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NonInferiorityVerdict {
    /// Worse by more than the margin.
    Inferior,
    /// Better than nothing: the whole interval is above 0.
    Better,
    /// Not worse by the margin.
    NonInferior,
    /// None of these is shown.
    NotEnoughEvidence,
}

/// Outcome of [`non_inferiority`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NonInferiority {
    /// Tango's interval at two-sided 1 − 2·alpha.
    pub interval: Interval,
    /// One-sided p-value against "worse by the margin or more".
    pub p: f64,
    /// The verdict.
    pub verdict: NonInferiorityVerdict,
    /// Non-inferior although the whole interval is below 0: "slightly worse, inside the margin".
    pub slightly_worse: bool,
    /// Equivalent by two one-sided tests: the interval lies within ± margin.
    pub equivalent: bool,
}

/// Verdict of an interval at two-sided 1 − 2·alpha against a margin (METHODS.md 3); use it with
/// [`super::paired::clustered_paired`] at `2·alpha` when there are clusters or repeats.
pub fn non_inferiority_verdict(interval: Interval, margin: f64) -> NonInferiorityVerdict {
    if interval.high < -margin {
        NonInferiorityVerdict::Inferior
    } else if interval.low > 0.0 {
        NonInferiorityVerdict::Better
    } else if interval.low > -margin {
        NonInferiorityVerdict::NonInferior
    } else {
        NonInferiorityVerdict::NotEnoughEvidence
    }
}

/// Is B not worse than A by `margin` (METHODS.md 3; Schuirmann 1987; Liu et al. 2002)?
///
/// Not for clusters or repeats ([`non_inferiority_verdict`]). Counts that are no paired table give
/// [−1, 1], p = 1 and not enough evidence.
///
/// # Errors
/// A margin or alpha outside (0, 1), or alpha of ½ and more.
pub fn non_inferiority(b: f64, c: f64, n: f64, margin: f64, alpha: f64) -> Result<NonInferiority, StatsError> {
    check_open_unit("margin", margin)?;
    check_open_unit("alpha", 2.0 * alpha)?;
    let interval = tango(b, c, n, 2.0 * alpha);
    let verdict = non_inferiority_verdict(interval, margin);
    Ok(NonInferiority {
        interval,
        p: if is_table(b, c, n) { normal_cdf(-tango_t(-margin, b, c, n)) } else { 1.0 },
        verdict,
        slightly_worse: verdict == NonInferiorityVerdict::NonInferior && interval.high < 0.0,
        equivalent: -margin < interval.low && interval.high < margin,
    })
}

/// The verdict of the regression gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateVerdict {
    /// No regression beyond the margin.
    Pass,
    /// A regression; issued to the user only after confirmation on a fresh pair.
    Fail,
    /// Neither is shown.
    Inconclusive,
}

/// Outcome of [`regression_gate`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// Tango's lower end at 1 − 2·alpha.
    pub low: f64,
    /// Exact one-sided p-value of a regression.
    pub p_regression: f64,
    /// The verdict, before confirmation.
    pub verdict: GateVerdict,
    /// Passed although a drop is detectable: "detectable but within tolerance".
    pub within_tolerance: bool,
    /// Pairs that would settle an inconclusive gate; `None` when no number would.
    pub n_to_settle: Option<u64>,
}

/// The gate's rule on a lower bound and a p-value (METHODS.md 10), for clusters and repeats: `low`
/// from 2.4 at two-sided 1 − 2·alpha, `p_regression` from
/// [`super::paired::cluster_signflip_worse`] (after Holm over several metrics).
pub fn gate_verdict(low: f64, p_regression: f64, margin: f64, alpha_fail: f64) -> GateVerdict {
    if low > -margin {
        GateVerdict::Pass
    } else if p_regression <= alpha_fail {
        GateVerdict::Fail
    } else {
        GateVerdict::Inconclusive
    }
}

/// Did it regress (METHODS.md 10)? Counts are examples newly right and newly wrong among `n` pairs.
///
/// n = 0 and more changes than pairs are inconclusive. A `Fail` needs confirmation on a fresh pair.
/// Not for clusters or repeats ([`gate_verdict`]).
///
/// # Errors
/// A margin or error rate outside (0, 1), or alpha of ½ and more.
pub fn regression_gate(
    newly_right: u64,
    newly_wrong: u64,
    n: u64,
    margin: f64,
    alpha: f64,
    alpha_fail: f64,
) -> Result<Gate, StatsError> {
    check_open_unit("margin", margin)?;
    check_open_unit("alpha", 2.0 * alpha)?;
    check_open_unit("alpha_fail", alpha_fail)?;
    let (b, c, pairs) = (newly_right as f64, newly_wrong as f64, n as f64);
    let low = tango(b, c, pairs, 2.0 * alpha).low;
    if n == 0 || newly_right.saturating_add(newly_wrong) > n {
        return Ok(Gate {
            low,
            p_regression: 1.0,
            verdict: GateVerdict::Inconclusive,
            within_tolerance: false,
            n_to_settle: None,
        });
    }
    let p_regression = mcnemar_worse(newly_right, newly_wrong);
    let verdict = gate_verdict(low, p_regression, margin, alpha_fail);
    let delta = (b - c) / pairs;
    let psi = ((b + c + 0.5) / (pairs + 1.0)).clamp(delta.abs(), 1.0);
    let n_to_settle = match verdict {
        GateVerdict::Inconclusive => n_non_inferiority(psi, delta, margin, alpha, POWER)?,
        GateVerdict::Pass | GateVerdict::Fail => None,
    };
    Ok(Gate {
        low,
        p_regression,
        verdict,
        within_tolerance: verdict == GateVerdict::Pass && p_regression <= alpha_fail,
        n_to_settle: n_to_settle.map(|needed| needed.max(n.saturating_add(1))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::{close, close_interval};

    #[test]
    fn non_inferiority_vectors() {
        use NonInferiorityVerdict::{Better, Inferior, NonInferior, NotEnoughEvidence};
        #[rustfmt::skip]
        let table = [
            (12., 12., 600., -0.01410336614, 0.01410336614, 0.01236983565, NonInferior),
            (5., 9., 1000., -0.01098933881, 0.002367352441, 0.0008024125908, NonInferior),
            (0., 0., 100., -0.02634272078, 0.02634272078, 0.07656372551, NotEnoughEvidence),
            (0., 0., 133., -0.01993686761, 0.01993686761, 0.04972673987, NonInferior),
            (2., 30., 200., -0.1875793518, -0.09950594129, 0.9999956829, Inferior),
            (30., 8., 300., 0.04115988375, 0.1086661385, 6.719824206e-06, Better),
        ];
        for (b, c, n, low, high, p, verdict) in table {
            let got = non_inferiority(b, c, n, 0.02, 0.05).unwrap();
            close_interval(got.interval, low, high);
            close(got.p, p);
            assert_eq!(got.verdict, verdict);
        }
        assert!(non_inferiority(1., 1., 9., 0.0, 0.05).is_err());
        assert!(non_inferiority(1., 1., 9., f64::NAN, 0.05).is_err());
        let empty = non_inferiority(0., 0., 0., 0.02, 0.05).unwrap();
        assert_eq!((empty.verdict, empty.p), (NotEnoughEvidence, 1.0));
        let slight = non_inferiority(0., 60., 10_000., 0.02, 0.05).unwrap();
        assert!(slight.slightly_worse && slight.equivalent);
    }

    #[test]
    fn gate_vectors() {
        use GateVerdict::{Fail, Inconclusive, Pass};
        for (b, c, n, low, p, verdict) in [
            (5, 4, 400, -0.01120026209, 0.74609375, Pass),
            (1, 14, 200, -0.1014594477, 0.00048828125, Fail),
            (3, 10, 300, -0.04626121198, 0.046_142_578_12, Inconclusive),
            (900, 1000, 50000, -0.003436075491, 0.01155442255, Pass),
            (0, 0, 50, -0.05133318579, 1.0, Inconclusive),
            (0, 0, 140, -0.01895892331, 1.0, Pass),
        ] {
            let got = regression_gate(b, c, n, 0.02, 0.05, 0.01).unwrap();
            close(got.low, low);
            close(got.p_regression, p);
            assert_eq!(got.verdict, verdict);
            assert_eq!(got.n_to_settle.is_some(), (b, c, n) == (0, 0, 50));
        }
        let empty = regression_gate(0, 0, 0, 0.02, 0.05, 0.01).unwrap();
        assert_eq!((empty.verdict, empty.low), (Inconclusive, -1.0));
        assert!(regression_gate(0, 0, 0, 0.0, 0.05, 0.01).is_err());
    }
}
