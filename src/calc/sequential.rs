//! Stopping early (METHODS.md 11).

use super::{ALPHA, Fallback, Field, Method, Output, field, with_default};
use crate::stats::sequential::{betting_cs, cs_bernoulli, evalue_discordant};

const ENDS: &[Field] = &[field("lo", "lower end, valid at every look"), field("hi", "upper end, valid at every look")];

pub(super) const EVALUE: Method = Method {
    name: "evalue_discordant",
    section: "11",
    question: "How strong is the evidence that A and B differ, whenever one looks?",
    formula: "E = B(½ + b, ½ + c)/B(½, ½) · 2^(b + c); reject at 1/alpha; b = c = 0: 1",
    source: "Jeffreys mixture: Ramdas, Grünwald, Vovk & Shafer 2023, Statistical Science 38(4)",
    inputs: &[
        field("wins", "examples that A has wrong and B right, a whole number"),
        field("losses", "examples that A has right and B wrong, a whole number"),
    ],
    outputs: &[field("e", "e-value, at most 1.797e308: reject at 20 for alpha 0.05")],
    example: r#"{"wins": 20, "losses": 5}"#,
    run: |input| Ok(Output::new().number("e", evalue_discordant(input.whole("wins", 0)?, input.whole("losses", 0)?))),
};

pub(super) const CS_BERNOULLI: Method = Method {
    name: "cs_bernoulli",
    section: "11",
    question: "Between what rates does the true one lie, whenever one looks?",
    formula: "{p : M(p) < 1/alpha}, ln M(p) = ln B(½ + x, ½ + n − x) − ln B(½, ½) − x·ln p − (n − x)·ln(1 − p)\n\
              lo = 0 at x = 0, hi = 1 at x = n; n = 0: [0, 1]",
    source: "Jeffreys mixture (Robbins 1970); Waudby-Smith & Ramdas 2024, arXiv 2010.09686",
    inputs: &[field("x", "successes so far, 0 to n"), field("n", "trials so far, 0 to 1e12"), ALPHA],
    outputs: ENDS,
    example: r#"{"x": 90, "n": 100}"#,
    run: |input| {
        let n = input.count("n")?;
        Ok(Output::new().interval(cs_bernoulli(input.count_of("x", n)?, n, input.alpha()?)))
    },
};

pub(super) const BETTING_CS: Method = Method {
    name: "betting_cs",
    section: "11",
    question: "Between what means does the true one lie, whenever one looks, for any scores from 0 to 1?",
    formula: "μ_t = (½ + Σ_{i≤t} y_i)/(t + 1); σ²_t = (¼ + Σ_{i≤t}(y_i − μ_i)²)/(t + 1); σ²_0 = ¼\n\
              λ_t = sqrt(2 ln(2/alpha)/(σ²_{t−1}·t·ln(1 + t)))\n\
              K⁺(m) = ½ Π (1 + min(λ_i, c/m)(y_i − m)); K⁻(m) = ½ Π (1 − min(λ_i, c/(1 − m))(y_i − m))\n\
              K⁺(lo) = 1/alpha, K⁻(hi) = 1/alpha; 0 or 1 when never reached",
    source: "Waudby-Smith & Ramdas 2024, arXiv 2010.09686",
    inputs: &[
        field("y", "scores in the order in which they came, each 0 to 1; a difference d as (d + 1)/2"),
        ALPHA,
        with_default("c", "truncation of the bets, above 0 and below 1", Fallback::Number(0.5)),
    ],
    outputs: ENDS,
    example: r#"{"y": [1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1]}"#,
    run: |input| {
        let y = input.numbers("y", 0.0, 1.0)?;
        Ok(Output::new().interval(betting_cs(&y, input.alpha()?, input.open_share("c")?)?))
    },
};
