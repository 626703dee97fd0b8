//! Quantiles by order statistics (METHODS.md 5).

use super::{ALPHA, Method, Output, field};
use crate::stats::quantile::quantile_ranks;

pub(super) const QUANTILE_RANKS: Method = Method {
    name: "quantile_ranks",
    section: "5",
    question: "Which of n sorted values bound the quantile, whatever the distribution?",
    formula: "F = Binomial(n, q) distribution function; point = ⌈qn⌉\n\
              lower = largest l in 1..n with F(l − 1) ≤ alpha/2; upper = smallest u in 1..n with F(u − 1) ≥ 1 − alpha/2\n\
              one-sided: alpha in place of alpha/2",
    source: "David & Nagaraja, Order Statistics, ch. 7; Hahn & Meeker 1991",
    inputs: &[
        field("n", "values, a whole number"),
        field("q", "the quantile, above 0 and below 1: 0.95 for p95"),
        ALPHA,
    ],
    outputs: &[
        field("lower_rank", "rank (1 is the smallest) of the lower end, two-sided; null: the end is 0"),
        field("upper_rank", "rank of the upper end, two-sided; null: n is too small, the end is infinite"),
        field("upper_rank_one_sided", "rank of the one-sided upper bound; null: n is too small"),
        field("lower_rank_one_sided", "rank of the one-sided lower bound; null: the bound is 0"),
        field("point_rank", "rank of the estimate; null when n is 0"),
    ],
    example: r#"{"n": 1000, "q": 0.95}"#,
    run: |input| {
        let ranks = quantile_ranks(input.whole("n", 0)?, input.open_share("q")?, input.alpha()?);
        let two_sided = Output::new().count("lower_rank", ranks.low).count("upper_rank", ranks.high);
        let upper = two_sided.count("upper_rank_one_sided", ranks.high_one_sided);
        Ok(upper.count("lower_rank_one_sided", ranks.low_one_sided).count("point_rank", ranks.point))
    },
};
