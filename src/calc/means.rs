//! Means over clusters and repeats (METHODS.md 1.3, 2.4 and 9.5).

use super::{ALPHA, CLUSTER, CalcError, Fallback, Field, Input, Method, Output, field, with_default};
use crate::stats::Interval;
use crate::stats::cluster::{clustered_mean, icc_deff};
use crate::stats::paired::clustered_paired;

const CALLS: Field = with_default(
    "calls",
    "calls behind the entries: their total, or an array with the number of each",
    Fallback::Said("one an entry"),
);

const MEAN: &[Field] = &[
    field("mean", "mean over examples; null without entries"),
    field("se", "clustered standard error; null with fewer than two clusters"),
    field("n_eff", "effective number of independent examples; null with fewer than two clusters"),
    field("lo", "lower end; the widest with fewer than two clusters"),
    field("hi", "upper end; the widest with fewer than two clusters"),
];

pub(super) const CLUSTERED_ACCURACY: Method = Method {
    name: "clustered_accuracy",
    section: "1.3",
    question: "How accurate is this variant, when examples come in clusters or were asked repeatedly?",
    formula: "s̄ = Σ s_i / n;  u_g = Σ_{i in g} (s_i − s̄);  SE² = G/(G−1) · Σ_g u_g² / n²\n\
              n_eff = min(calls, s̄(1−s̄)/SE² · (z / t_{1−alpha/2, G−1})²)\n\
              lo, hi = Wilson with n_eff and s̄·n_eff\n\
              G = 1: [0, 1]; SE = 0 or s̄ in {0, 1}: n_eff = G; single right-or-wrong calls without clusters: n_eff = n",
    source: "Miller 2024, arXiv 2411.00640; Korn & Graubard 1998",
    inputs: &[field("score", "score of each example, 0 to 1: the mean of its repeats"), CLUSTER, CALLS, ALPHA],
    outputs: MEAN,
    example: r#"{"score": [1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1], "cluster": [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3]}"#,
    run: |input| {
        let score = input.numbers("score", 0.0, 1.0)?;
        let entries = ("score", score.len());
        let known = clustered_mean(&score, &input.clusters(entries)?, input.calls(entries)?, input.alpha()?);
        Ok(mean(known.mean, known.se, known.n_eff, known.interval))
    },
};

pub(super) const CLUSTERED_DIFFERENCE: Method = Method {
    name: "clustered_paired_difference",
    section: "2.4",
    question: "By how much is B better than A, when pairs come in clusters or were asked repeatedly?",
    formula: "b = Σ max(d_i, 0), c = Σ max(−d_i, 0), v = (b + c)/n − d̄², SE as for clustered_accuracy on d\n\
              n_eff = min(calls, v/SE² · (z/t_{G−1})²); SE = 0 or v ≤ 0: n_eff = G\n\
              lo, hi = Tango with (b·n_eff/n, c·n_eff/n, n_eff); G = 1: [−1, 1]",
    source: "Miller 2024, arXiv 2411.00640; Tango 1998, Stat Med 17:891; Korn & Graubard 1998",
    inputs: &[field("d", "score of B minus score of A for each example, −1 to 1"), CLUSTER, CALLS, ALPHA],
    outputs: MEAN,
    example: r#"{"d": [0.5, 0, 0.25, -0.25, 1, 0], "cluster": [0, 1, 2, 3, 4, 5], "calls": 24}"#,
    run: |input| {
        let d = input.numbers("d", -1.0, 1.0)?;
        let entries = ("d", d.len());
        let known = clustered_paired(&d, &input.clusters(entries)?, input.calls(entries)?, input.alpha()?);
        Ok(mean(known.mean, known.se, known.n_eff, known.interval))
    },
};

fn mean(mean: Option<f64>, se: Option<f64>, n_eff: Option<f64>, interval: Interval) -> Output {
    Output::new().maybe("mean", mean).maybe("se", se).maybe("n_eff", n_eff).interval(interval)
}

pub(super) const ICC_DEFF: Method = Method {
    name: "icc_deff",
    section: "9.5",
    question: "How alike are the examples of a cluster, and by what factor do clusters raise the n that is needed?",
    formula: "icc = max(0, (MSB − MSW)/(MSB + (m₀ − 1)·MSW)), m₀ = (n − Σm²/n)/(G − 1)\n\
              deff = 1 + (m_A − 1)·icc, m_A = Σm²/Σm",
    source: "Kish 1965, Survey Sampling; Donner 1986 (one-way ANOVA estimator)",
    inputs: &[field("score", "score of each example, 0 to 1"), CLUSTER],
    outputs: &[
        field("icc", "intra-cluster correlation, 0 to 1; null for singletons only, one cluster or no variance"),
        field("deff", "design effect, at least 1; 1 when icc is null"),
    ],
    example: r#"{"score": [1, 1, 0, 0, 1, 0], "cluster": ["a", "a", "b", "b", "c", "c"]}"#,
    run: |input| -> Result<Output, CalcError> { effect(input) },
};

fn effect(input: &Input) -> Result<Output, CalcError> {
    let score = input.numbers("score", 0.0, 1.0)?;
    let known = icc_deff(&score, &input.clusters(("score", score.len()))?);
    Ok(Output::new().maybe("icc", known.icc).number("deff", known.design_effect))
}
