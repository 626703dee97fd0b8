//! B against A on the same examples (METHODS.md 2.1, 2.2, 2.4 and 2.5).

use super::{ALPHA, CalcError, Fallback, Field, Input, Method, Output, field, with_default};
use crate::stats::adjust::{benjamini_hochberg, holm};
use crate::stats::paired::{cluster_signflip, mcnemar, newcombe_10, tango};

const WINS: Field = field("wins", "examples that A has wrong and B right");
const LOSSES: Field = field("losses", "examples that A has right and B wrong");
const ENDS: &[Field] =
    &[field("lo", "lower end of the difference B − A"), field("hi", "upper end of the difference B − A")];

pub(super) const MCNEMAR: Method = Method {
    name: "mcnemar",
    section: "2.1",
    question: "Could the flips between A and B be chance?",
    formula: "k = min(b, c), X ~ Binomial(b + c, ½)\n\
              exact = min(1, 2·P(X ≤ k)); midp = 2·P(X ≤ k) − P(X = k), 1 − ½·P(X = b) if b = c\n\
              z = (b − c)/sqrt(b + c); asym = 2·Φ(−|z|); b + c = 0: p = 1, z = 0",
    source: "McNemar 1947; Fagerland, Lydersen & Laake 2013, BMC Med Res Methodol 13:91",
    inputs: &[WINS, LOSSES],
    outputs: &[
        field("exact", "exact conditional two-sided p-value"),
        field("midp", "mid-p two-sided p-value: the one to display"),
        field("z", "score statistic"),
        field("asym", "two-sided normal approximation, for comparison only"),
    ],
    example: r#"{"wins": 7, "losses": 1}"#,
    run: |input| {
        let p = mcnemar(input.whole("wins", 0)?, input.whole("losses", 0)?);
        let exact = Output::new().number("exact", p.exact).number("midp", p.mid_p);
        Ok(exact.number("z", p.z).number("asym", p.asymptotic))
    },
};

pub(super) const TANGO: Method = Method {
    name: "tango_ci",
    section: "2.2",
    question: "By how much is B better than A on the same examples?",
    formula: "T(δ) = (b − c − nδ) / sqrt(n·(2q + δ(1 − δ))), q = (sqrt(B² − 4AC) − B)/(2A)\n\
              A = 2n, B = −b − c + (2n − b + c)·δ, C = −c·δ(1 − δ)\n\
              T(lo) = z, T(hi) = −z; no discordant pairs: ± z²/(n + z²); n = 0: [−1, 1]",
    source: "Tango 1998, Stat Med 17:891",
    inputs: &[WINS, LOSSES, field("n", "pairs, 0 to 1e12; all counts may be effective ones"), ALPHA],
    outputs: ENDS,
    example: r#"{"wins": 7, "losses": 1, "n": 21}"#,
    run: |input| {
        let n = input.count("n")?;
        let (b, c) = input.discordant("wins", "losses", n)?;
        Ok(Output::new().interval(tango(b, c, n, input.alpha()?)))
    },
};

pub(super) const NEWCOMBE: Method = Method {
    name: "newcombe_paired_10",
    section: "2.2",
    question: "By how much is B better than A, by Newcombe's method 10 (a cross-check of tango_ci)?",
    formula: "Wilson limits of both rates, D = pB − pA\n\
              lo = D − sqrt(x² − 2φxy + y²), x = pB − lB, y = uA − pA; hi mirrored\n\
              φ = max(ad − bc − n/2, 0)/√(product of margins) if ad > bc, else (ad − bc)/√(…); 0 if a margin is 0",
    source: "Newcombe 1998, Stat Med 17:2635",
    inputs: &[
        field("both", "examples that both have right"),
        WINS,
        LOSSES,
        field("neither", "examples that both have wrong"),
        ALPHA,
    ],
    outputs: ENDS,
    example: r#"{"both": 1, "wins": 7, "losses": 1, "neither": 12}"#,
    run: newcombe,
};

fn newcombe(input: &Input) -> Result<Output, CalcError> {
    let (both, wins) = (input.count("both")?, input.count("wins")?);
    let (losses, neither) = (input.count("losses")?, input.count("neither")?);
    Ok(Output::new().interval(newcombe_10(both, wins, losses, neither, input.alpha()?)))
}

pub(super) const SIGNFLIP: Method = Method {
    name: "cluster_signflip",
    section: "2.4",
    question: "Could the difference between A and B be chance, when pairs come in clusters?",
    formula: "p = share of the 2^G sign vectors with |Σ ±S_g| ≥ |Σ S_g|\n\
              exact up to 20 clusters that differ, and at any number when all differ by the same amount;\n\
              else 9999 random ones, p = (1 + hits)/10000. The smallest possible p is 2/2^G",
    source: "Fisher 1935, The Design of Experiments; Phipson & Smyth 2010 (the + 1)",
    inputs: &[
        field("cluster_sums", "sum of the differences B − A within each cluster"),
        with_default("seed", "seed of the random sign vectors, a whole number", Fallback::Number(1.0)),
    ],
    outputs: &[field("p", "two-sided p-value")],
    example: r#"{"cluster_sums": [1, 1, 1, 1, 1, -1]}"#,
    run: |input| {
        let sums = input.numbers("cluster_sums", -MOST_SUM, MOST_SUM)?;
        Ok(Output::new().number("p", cluster_signflip(&sums, input.whole("seed", 0)?)))
    },
};

/// A sum of differences is at most the size of its cluster.
const MOST_SUM: f64 = 1e12;

pub(super) const HOLM_BH: Method = Method {
    name: "holm_bh",
    section: "2.5",
    question: "Which of several p-values still hold, knowing that several were looked at?",
    formula: "p sorted ascending; holm_(r) = max over j ≤ r of min(1, (m − j + 1)·p_(j))\n\
              bh_(r) = min over j ≥ r of min(1, m·p_(j)/j); in input order",
    source: "Holm 1979; Benjamini & Hochberg 1995",
    inputs: &[field("p", "p-values, each 0 to 1")],
    outputs: &[
        field("holm", "adjusted p-values for `some of these differ`"),
        field("bh", "adjusted p-values for exploratory tables (false discovery rate)"),
    ],
    example: r#"{"p": [0.01, 0.04, 0.03]}"#,
    run: |input| {
        let p = input.numbers("p", 0.0, 1.0)?;
        Ok(Output::new().numbers("holm", holm(&p)).numbers("bh", benjamini_hochberg(&p)))
    },
};
