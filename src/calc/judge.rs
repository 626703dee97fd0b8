//! Scores from a judge, corrected by human labels (METHODS.md 1.4).

use super::{ALPHA, CalcError, Fallback, Input, Method, Output, field, with_default};
use crate::stats::ppi::ppi_mean;

/// Scores within which variances stay finite.
const MOST: f64 = 1e100;

pub(super) const PPI_MEAN: Method = Method {
    name: "ppi_mean",
    section: "1.4",
    question: "How accurate is this variant, by many judge scores and few human labels?",
    formula: "λ = clip(cov(Y, f)/((1 + n/N)·var(f ∪ F)), 0, 1); θ = λ·mean(F) + mean(Y − λf)\n\
              SE² = λ²·var(F)/N + var(Y − λf)/n; lo, hi = θ ∓ z·SE (variances with n − 1)",
    source: "Angelopoulos et al. 2023, Science 382; PPI++, arXiv 2311.01453",
    inputs: &[
        field("Y", "human labels of the labelled examples, at least two; a verdict needs 50"),
        field("f", "judge scores of the same examples"),
        field("F", "judge scores of the examples without a label, at least two"),
        ALPHA,
        with_default("lam", "weight of the judge, 0 (labels only) to 1", Fallback::Said("tuned by the formula")),
    ],
    outputs: &[
        field("lam", "the weight used"),
        field("theta", "corrected mean"),
        field("se", "standard error"),
        field("lo", "lower end, not clamped"),
        field("hi", "upper end, not clamped"),
    ],
    example: r#"{"Y": [1, 0, 1, 1, 0, 1, 1, 0], "f": [0.9, 0.3, 0.7, 0.8, 0.2, 0.6, 0.9, 0.4], "F": [0.8, 0.7, 0.2, 0.9, 0.6, 0.5, 0.85, 0.3]}"#,
    run: judged,
};

fn judged(input: &Input) -> Result<Output, CalcError> {
    let labels = input.numbers("Y", -MOST, MOST)?;
    let judged = input.numbers_like("f", (-MOST, MOST), ("Y", labels.len()))?;
    let more = input.numbers("F", -MOST, MOST)?;
    let known = ppi_mean(&labels, &judged, &more, input.alpha()?, input.optional_share("lam")?)?;
    let theta = Output::new().number("lam", known.lambda).number("theta", known.theta);
    Ok(theta.number("se", known.se).interval(known.interval))
}
