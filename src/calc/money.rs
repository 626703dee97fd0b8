//! Money: cost per correct answer, break-even, caching (METHODS.md 6 and 7).

use serde_json::Value;

use super::{ALPHA, CLUSTER, CalcError, Fallback, Input, Method, Output, field, with_default};
use crate::stats::cost::{BreakEvenInput, break_even, cache_factor, cost_per_correct_fieller};
use crate::stats::{Answer3, Interval};

/// Amounts within which the arithmetic holds.
const MOST: f64 = 1e15;

pub(super) const FIELLER: Method = Method {
    name: "cost_per_correct_fieller",
    section: "6",
    question: "What does a correct answer cost?",
    formula: "R = c̄/s̄; V = clustered covariance of (c̄, s̄), t = t_{1−alpha/2, G−1}\n\
              A = s̄² − t²V_ss, B = c̄s̄ − t²V_cs, C = c̄² − t²V_cc; lo, hi = (B ∓ sqrt(B² − AC))/A\n\
              A ≤ 0 or G = 1: unbounded",
    source: "Fieller 1954",
    inputs: &[
        field("cost", "cost of each example, at least 0, in one currency"),
        field("correct", "score of each example, 0 to 1"),
        CLUSTER,
        ALPHA,
    ],
    outputs: &[
        field("ratio", "mean cost over mean score; null when nothing is right or there are no entries"),
        field("lo", "lower end; null when unbounded"),
        field("hi", "upper end; null when unbounded"),
        field("bounded", "false: accuracy is not distinguishable from 0, or there is only one cluster"),
    ],
    example: r#"{"cost": [0.01, 0.012, 0.011, 0.013, 0.009, 0.02], "correct": [1, 1, 0, 1, 1, 1], "cluster": ["a", "a", "b", "b", "c", "d"]}"#,
    run: fieller,
};

fn fieller(input: &Input) -> Result<Output, CalcError> {
    let cost = input.numbers("cost", 0.0, MOST)?;
    let entries = ("cost", cost.len());
    let correct = input.numbers_like("correct", (0.0, 1.0), entries)?;
    let known = cost_per_correct_fieller(&cost, &correct, &input.clusters(entries)?, input.alpha()?)?;
    let ends = Output::new().maybe("ratio", known.ratio).maybe("lo", known.interval.map(|ends| ends.low));
    Ok(ends.maybe("hi", known.interval.map(|ends| ends.high)).value("bounded", Value::from(known.bounded)))
}

pub(super) const BREAK_EVEN: Method = Method {
    name: "break_even",
    section: "7",
    question: "After how many months has a training cost paid back?",
    formula: "months(s, F, O) = F/(V·s − O) if V·s − O > 0, else never\n\
              months at (s, middle of F, middle of O); months_lo at (s_hi, F_lo, O_lo); months_hi at (s_lo, F_hi, O_hi)\n\
              pays-back if months_hi ≤ H; does-not-pay-back if months_lo > H or never; else not-enough-evidence",
    source: "monotone transformation of interval ends: exact, no resampling",
    inputs: &[
        field("saving", "saving a request, estimate; may be negative"),
        with_default("saving_lo", "its lower end", Fallback::Said("`saving`")),
        with_default("saving_hi", "its upper end", Fallback::Said("`saving`")),
        field("volume", "requests a month, at least 0"),
        with_default("overhead", "cost a month: a number of at least 0, or [low, high]", Fallback::Number(0.0)),
        field("fixed", "one-off cost: a number of at least 0, or [low, high]"),
        with_default("horizon_months", "months within which it must pay back, at least 0", Fallback::Number(12.0)),
    ],
    outputs: &[
        field("months", "months at the middle of the ranges; null: never"),
        field("months_lo", "months in the best case; null: never"),
        field("months_hi", "months in the worst case; null: never"),
        field("verdict", "pays-back, does-not-pay-back or not-enough-evidence"),
    ],
    example: r#"{"saving": 0.010696, "saving_lo": 0.01, "saving_hi": 0.0114, "volume": 1000000, "overhead": 2000, "fixed": [5000, 15000]}"#,
    run: pays_back,
};

fn pays_back(input: &Input) -> Result<Output, CalcError> {
    let saving = input.any("saving")?;
    let end = |name| if input.value(name).is_some() { input.any(name) } else { Ok(saving) };
    let saving_range = Interval { low: end("saving_lo")?, high: end("saving_hi")? };
    if !saving_range.contains(saving) {
        let expected = format!("between `saving_lo` and `saving_hi`, {} to {}", saving_range.low, saving_range.high);
        return Err(input.refuse("saving", saving, expected));
    }
    let known = break_even(&BreakEvenInput {
        saving,
        saving_range,
        volume: input.at_least_zero("volume")?,
        overhead: input.range("overhead")?,
        fixed: input.range("fixed")?,
        horizon_months: input.at_least_zero("horizon_months")?,
    })?;
    let verdict = match known.answer {
        Answer3::Yes => "pays-back",
        Answer3::No => "does-not-pay-back",
        Answer3::NotEnoughEvidence => "not-enough-evidence",
    };
    let months = Output::new().maybe("months", known.months).maybe("months_lo", known.months_low);
    Ok(months.maybe("months_hi", known.months_high).word("verdict", verdict))
}

pub(super) const CACHE_FACTOR: Method = Method {
    name: "cache_factor",
    section: "6",
    question: "What does a request cost with prompt caching, as a factor of its cost without?",
    formula: "factor = (1 − i) + i·((1 − p) + p·(h·r + (1 − h)·w))",
    source: "arithmetic of the price table",
    inputs: &[
        field("input_share", "i: share of the uncached cost that input tokens make, 0 to 1"),
        field("prefix_share", "p: share of the input tokens that can be cached, 0 to 1"),
        field("hit_rate", "h: share of requests that read the cache, 0 to 1"),
        field("read_mult", "r: price of a cached token over that of an input token, at least 0"),
        field("write_mult", "w: price of a written token over that of an input token, at least 0"),
    ],
    outputs: &[field("factor", "cost with over cost without; above 1 the cache costs more than it saves")],
    example: r#"{"input_share": 0.9, "prefix_share": 0.9, "hit_rate": 0.95, "read_mult": 0.1, "write_mult": 1.25}"#,
    run: |input| {
        let shares = (input.share("input_share")?, input.share("prefix_share")?, input.share("hit_rate")?);
        let (read, write) = (input.at_least_zero("read_mult")?, input.at_least_zero("write_mult")?);
        Ok(Output::new().number("factor", cache_factor(shares.0, shares.1, shares.2, read, write)?))
    },
};
