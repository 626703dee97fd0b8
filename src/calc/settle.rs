//! Verdicts against a margin or a target, and what n settles them (METHODS.md 3, 4 and 10).

use super::{ALPHA, CalcError, Fallback, Field, Input, Method, ONE_SIDED_ALPHA, Output, POWER, field, with_default};
use crate::stats::equivalence::{non_inferiority, regression_gate};
use crate::stats::proportion::{n_to_prove_target, n_to_settle_target, target_answer};

const HALF_ALPHA: Field = with_default("alpha", "error rate, above 0 and below 0.5", Fallback::Number(0.05));
const MARGIN: Field = field("margin", "how much worse is still no worse, above 0 and below 1");

pub(super) const NON_INFERIORITY: Method = Method {
    name: "non_inferiority",
    section: "3",
    question: "Is B no worse than A by the margin?",
    formula: "lo, hi = Tango at two-sided 1 − 2·alpha; p_ni = 1 − Φ(T(−margin))\n\
              inferior if hi < −margin, better if lo > 0, non-inferior if lo > −margin, else not enough evidence",
    source: "Schuirmann 1987; Liu et al. 2002, Stat Med 21:231; Tango 1998, Stat Med 17:891",
    inputs: &[
        field("wins", "examples that A has wrong and B right"),
        field("losses", "examples that A has right and B wrong"),
        field("n", "pairs, 0 to 1e12; all counts may be effective ones"),
        MARGIN,
        HALF_ALPHA,
    ],
    outputs: &[
        field("lo", "lower end of B − A, one-sided at 1 − alpha"),
        field("hi", "upper end of B − A, one-sided at 1 − alpha"),
        field("p_ni", "one-sided p-value against `worse by the margin or more`"),
    ],
    example: r#"{"wins": 12, "losses": 12, "n": 600, "margin": 0.02}"#,
    run: |input| {
        let n = input.count("n")?;
        let (b, c) = input.discordant("wins", "losses", n)?;
        let known = non_inferiority(b, c, n, input.open_share("margin")?, input.half_alpha()?)?;
        Ok(Output::new().interval(known.interval).number("p_ni", known.p))
    },
};

pub(super) const TARGET_VERDICT: Method = Method {
    name: "target_verdict",
    section: "4",
    question: "Is the target rate met?",
    formula: "met if L ≥ target, not-met if U < target, else not-enough-evidence\n\
              L, U = one-sided Clopper–Pearson bounds at alpha",
    source: "Clopper & Pearson 1934",
    inputs: &[
        field("x", "successes, 0 to n; fractional where they are effective counts"),
        field("n", "trials, 0 to 1e12; fractional where they are effective counts"),
        field("target", "the rate to reach, 0 to 1"),
        ONE_SIDED_ALPHA,
    ],
    outputs: &[field("verdict", "met, not-met or not-enough-evidence")],
    example: r#"{"x": 3000, "n": 3000, "target": 0.999}"#,
    run: |input| {
        let n = input.count("n")?;
        let answer = target_answer(input.count_of("x", n)?, n, input.share("target")?, input.one_sided_alpha()?);
        Ok(Output::new().word("verdict", answer))
    },
};

pub(super) const N_TO_PROVE: Method = Method {
    name: "n_to_prove_target",
    section: "4",
    question: "How many examples prove the target when so many of them fail?",
    formula: "smallest n with P(Binomial(n, 1 − target) ≤ failures) ≤ alpha",
    source: "Clopper & Pearson 1934",
    inputs: &[
        field("failures", "failures to allow for, a whole number"),
        field("target", "the rate to prove, above 0 and below 1"),
        ALPHA,
    ],
    outputs: &[field("n", "examples; null above 1e10")],
    example: r#"{"failures": 0, "target": 0.999}"#,
    run: |input| {
        let n = n_to_prove_target(input.whole("failures", 0)?, input.open_share("target")?, input.alpha()?);
        Ok(Output::new().count("n", n))
    },
};

pub(super) const N_TO_SETTLE: Method = Method {
    name: "n_to_settle_target",
    section: "4",
    question: "How many examples decide about the target, if the rate stays as seen so far?",
    formula: "p̂ = x/n; n = ceil(((z_{1−alpha}·sqrt(T(1−T)) + z_power·sqrt(p̂(1−p̂)))/(p̂ − T))²), at least n + 1\n\
              x = n or n = 0: ceil(ln alpha / ln T)",
    source: "normal approximation of the one-sample binomial test (Fleiss, Levin & Paik 2003, ch. 2)",
    inputs: &[
        field("x", "successes so far, 0 to n"),
        field("n", "trials so far, 0 to 1e12"),
        field("target", "the rate to reach, above 0 and below 1"),
        ALPHA,
        POWER,
    ],
    outputs: &[field("n", "examples in all; null when too close to call: the rate is the target, or above 1e7")],
    example: r#"{"x": 85, "n": 100, "target": 0.9}"#,
    run: |input| {
        let n = input.count("n")?;
        let (x, target) = (input.count_of("x", n)?, input.open_share("target")?);
        let settled = n_to_settle_target(x, n, target, input.alpha()?, input.open_share("power")?);
        Ok(Output::new().count("n", settled))
    },
};

pub(super) const REGRESSION_GATE: Method = Method {
    name: "regression_gate",
    section: "10",
    question: "Did it regress beyond the margin, and not by chance?",
    formula: "lo = Tango's lower end at 1 − 2·alpha; p_reg = P(Binomial(b + c, ½) ≤ b), 1 if b + c = 0\n\
              pass if lo > −margin; else fail if p_reg ≤ alpha_fail; else inconclusive. n = 0: inconclusive",
    source: "Tango 1998, Stat Med 17:891; McNemar 1947",
    inputs: &[
        field("newly_right", "examples that the baseline has wrong and the candidate right, a whole number"),
        field("newly_wrong", "examples that the baseline has right and the candidate wrong, a whole number"),
        field("n", "pairs, a whole number"),
        with_default("margin", "how much worse is still no regression, above 0 and below 1", Fallback::Number(0.02)),
        HALF_ALPHA,
        with_default("alpha_fail", "error rate of a fail, above 0 and below 1", Fallback::Number(0.01)),
    ],
    outputs: &[field("verdict", "pass, fail (to be confirmed on a fresh pair) or inconclusive")],
    example: r#"{"newly_right": 1, "newly_wrong": 14, "n": 200}"#,
    run: gate,
};

fn gate(input: &Input) -> Result<Output, CalcError> {
    let (right, wrong, n) = (input.whole("newly_right", 0)?, input.whole("newly_wrong", 0)?, input.whole("n", 0)?);
    input.discordant("newly_right", "newly_wrong", n as f64)?;
    let (margin, alpha) = (input.open_share("margin")?, input.half_alpha()?);
    let gate = regression_gate(right, wrong, n, margin, alpha, input.open_share("alpha_fail")?)?;
    Ok(Output::new().word("verdict", gate.verdict))
}
