//! How many examples (METHODS.md 9.2 to 9.4).

use super::{ALPHA, CalcError, Fallback, Field, Input, Method, Output, POWER, field, with_default};
use crate::stats::power::{PairedTest, RepeatPlan, n_miller, n_non_inferiority, n_paired_connor, power_paired_exact};

const PSI: Field = field("psi", "discordant share: examples on which A and B differ, above 0 and at most 1");
const DELTA: Field = field("delta", "true difference B − A, not 0 and at most psi in size");

pub(super) const CONNOR: Method = Method {
    name: "n_paired_connor",
    section: "9.2",
    question: "How many pairs show a difference of this size?",
    formula: "n = ⌈(z_{1−alpha/2}·sqrt(ψ) + z_power·sqrt(ψ − δ²))² / δ²⌉",
    source: "Connor 1987; Miettinen 1968",
    inputs: &[PSI, DELTA, ALPHA, POWER],
    outputs: &[field("n", "pairs; null above 1e15")],
    example: r#"{"psi": 0.2, "delta": 0.05}"#,
    run: |input| {
        let (psi, delta) = (input.any("psi")?, input.any("delta")?);
        Ok(Output::new().count("n", n_paired_connor(psi, delta, input.alpha()?, input.open_share("power")?)?))
    },
};

pub(super) const POWER_EXACT: Method = Method {
    name: "power_paired_exact",
    section: "9.2",
    question: "How likely do n pairs show a difference of this size?",
    formula: "Σ_D Bin(D; n, ψ)·P(p ≤ alpha | D, π = (ψ + δ)/2ψ)",
    source: "enumeration over the discordant pairs; Fagerland, Lydersen & Laake 2013 for the mid-p test",
    inputs: &[
        field("n", "pairs, a whole number up to 200000"),
        PSI,
        field("delta", "true difference B − A, at most psi in size"),
        ALPHA,
        with_default("test", "midp or exact: which p-value of McNemar's test", Fallback::Word("midp")),
    ],
    outputs: &[field("power", "chance of p ≤ alpha")],
    example: r#"{"n": 626, "psi": 0.2, "delta": 0.05}"#,
    run: |input| {
        let test = input.word("test", &[("midp", PairedTest::MidP), ("exact", PairedTest::Exact)])?;
        let (psi, delta) = (input.any("psi")?, input.any("delta")?);
        let power = power_paired_exact(input.whole("n", 0)?, psi, delta, input.alpha()?, test)?;
        Ok(Output::new().number("power", power))
    },
};

pub(super) const N_NON_INFERIORITY: Method = Method {
    name: "n_non_inferiority",
    section: "9.3",
    question: "How many pairs show that B is no worse than A by the margin?",
    formula: "n = ⌈(z_{1−alpha} + z_power)²·(ψ − δ²)/(δ + margin)²⌉; δ + margin ≤ 0: none",
    source: "Liu et al. 2002, Stat Med 21:231",
    inputs: &[
        PSI,
        with_default("delta", "true difference B − A, at most psi in size", Fallback::Number(0.0)),
        field("margin", "how much worse is still no worse, above 0 and below 1"),
        ALPHA,
        POWER,
    ],
    outputs: &[field("n", "pairs; null when B is truly worse by the margin or more, or above 1e15")],
    example: r#"{"psi": 0.1, "delta": 0, "margin": 0.03}"#,
    run: |input| {
        let (psi, delta, margin) = (input.any("psi")?, input.any("delta")?, input.open_share("margin")?);
        Ok(Output::new().count("n", n_non_inferiority(psi, delta, margin, input.alpha()?, input.open_share("power")?)?))
    },
};

pub(super) const MILLER: Method = Method {
    name: "n_miller",
    section: "9.4",
    question: "How many examples show a difference of this size, when each is asked K times?",
    formula: "n = ⌈(z_{1−alpha/2} + z_power)²·(ω² + σ²_A/K_A + σ²_B/K_B)/δ²⌉",
    source: "Miller 2024, arXiv 2411.00640",
    inputs: &[
        field("omega2", "variance over examples of the difference of the true means, at least 0"),
        field("sigma2_a", "variance of A within an example, at least 0"),
        field("sigma2_b", "variance of B within an example, at least 0"),
        with_default("k_a", "calls an example of A, at least 1", Fallback::Number(1.0)),
        with_default("k_b", "calls an example of B, at least 1", Fallback::Number(1.0)),
        field("delta", "true difference B − A, not 0"),
        ALPHA,
        POWER,
    ],
    outputs: &[field("n", "examples; null above 1e15")],
    example: r#"{"omega2": 0.09, "sigma2_a": 0.06, "sigma2_b": 0.08, "k_a": 3, "k_b": 3, "delta": 0.03}"#,
    run: miller,
};

fn miller(input: &Input) -> Result<Output, CalcError> {
    let plan = RepeatPlan {
        omega2: input.at_least_zero("omega2")?,
        sigma2: (input.at_least_zero("sigma2_a")?, input.at_least_zero("sigma2_b")?),
        repeats: (input.any("k_a")?, input.any("k_b")?),
    };
    let n = n_miller(&plan, input.any("delta")?, input.alpha()?, input.open_share("power")?)?;
    Ok(Output::new().count("n", n))
}
