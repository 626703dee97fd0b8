//! A rate of independent trials (METHODS.md 1.1 and 1.2).

use super::{ALPHA, CalcError, Field, Input, Method, ONE_SIDED_ALPHA, Output, field};
use crate::stats::Interval;
use crate::stats::proportion::{clopper_pearson_one_sided, failure_rate_upper, jeffreys, wilson};

const RATE: &[Field] = &[
    field("x", "successes, 0 to n; fractional where they are effective counts"),
    field("n", "trials, 0 to 1e12; fractional where they are effective counts"),
    ALPHA,
];
const BOUND: &[Field] = &[RATE[0], RATE[1], ONE_SIDED_ALPHA];
const ENDS: &[Field] = &[field("lo", "lower end"), field("hi", "upper end")];

pub(super) const WILSON: Method = Method {
    name: "wilson",
    section: "1.1",
    question: "Between what rates does the true one lie (to display, one call per example, no clusters)?",
    formula: "z = Φ⁻¹(1 − alpha/2), p = x/n\n\
              centre = (p + z²/2n) / (1 + z²/n)\n\
              half   = z/(1 + z²/n) · sqrt(p(1−p)/n + z²/4n²)\n\
              lo, hi = centre ∓ half; lo = 0 at x = 0, hi = 1 at x = n; n = 0: [0, 1]",
    source: "Wilson 1927; Brown, Cai & DasGupta 2001, Statistical Science 16(2)",
    inputs: RATE,
    outputs: ENDS,
    example: r#"{"x": 88, "n": 100}"#,
    run: |input| rate(input, input.alpha()?, wilson),
};

pub(super) const CLOPPER_PEARSON: Method = Method {
    name: "clopper_pearson_one_sided",
    section: "1.2",
    question: "What rate is proven, and what rate is ruled out (each end one-sided at 1 − alpha, for decisions)?",
    formula: "lo = 0 if x = 0, alpha^(1/n) if x = n, else BetaInv(alpha; x, n − x + 1)\n\
              hi = 1 if x = n, 1 − alpha^(1/n) if x = 0, else BetaInv(1 − alpha; x + 1, n − x)\n\
              n = 0: [0, 1]",
    source: "Clopper & Pearson 1934; Hanley & Lippman-Hand 1983",
    inputs: BOUND,
    outputs: &[field("lo", "lower bound at 1 − alpha"), field("hi", "upper bound at 1 − alpha")],
    example: r#"{"x": 88, "n": 100}"#,
    run: |input| rate(input, input.one_sided_alpha()?, clopper_pearson_one_sided),
};

pub(super) const JEFFREYS: Method = Method {
    name: "jeffreys_ends_modified",
    section: "1.1",
    question: "Between what rates does the true one lie, by Jeffreys' prior (on request; never for decisions)?",
    formula: "lo = BetaInv(alpha/2; x + ½, n − x + ½), 0 at x = 0\n\
              hi = BetaInv(1 − alpha/2; x + ½, n − x + ½), 1 at x = n; n = 0: [0, 1]",
    source: "Brown, Cai & DasGupta 2001, Statistical Science 16(2)",
    inputs: RATE,
    outputs: ENDS,
    example: r#"{"x": 88, "n": 100}"#,
    run: |input| rate(input, input.alpha()?, jeffreys),
};

pub(super) const FAILURE_RATE_UPPER: Method = Method {
    name: "failure_rate_upper",
    section: "1.2",
    question: "How high may the failure rate still be?",
    formula: "hi = 1 if failures = n, 1 − alpha^(1/n) if failures = 0,\n\
              else BetaInv(1 − alpha; failures + 1, n − failures); n = 0: 1",
    source: "Clopper & Pearson 1934; Hanley & Lippman-Hand 1983",
    inputs: &[
        field("failures", "failures, 0 to n; fractional where they are effective counts"),
        field("n", "trials, 0 to 1e12; fractional where they are effective counts"),
        ONE_SIDED_ALPHA,
    ],
    outputs: &[field("hi", "one-sided upper bound at 1 − alpha")],
    example: r#"{"failures": 0, "n": 3000}"#,
    run: |input| {
        let n = input.count("n")?;
        Ok(Output::new().number("hi", failure_rate_upper(input.count_of("failures", n)?, n, input.one_sided_alpha()?)))
    },
};

fn rate(input: &Input, alpha: f64, interval: fn(f64, f64, f64) -> Interval) -> Result<Output, CalcError> {
    let n = input.count("n")?;
    Ok(Output::new().interval(interval(input.count_of("x", n)?, n, alpha)))
}
