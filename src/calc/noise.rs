//! Label noise and learning curves (METHODS.md 8.2 and 8.3).

use super::{CalcError, Fallback, Input, Method, Output, field, with_default};
use crate::stats::curve::power_law_fit;
use crate::stats::labels::label_error_from_agreement;

/// Points and weights within which powers stay finite.
const MOST: f64 = 1e15;
/// Points beyond which a fit is no fit of a learning curve.
const MOST_POINTS: usize = 10_000;
const MOST_CLASSES: u64 = u32::MAX as u64;

pub(super) const LABEL_ERROR: Method = Method {
    name: "label_error_from_agreement",
    section: "8.3",
    question: "What share of labels is wrong, when two independent annotators agree so often?",
    formula: "agreement = (1 − ε)² + ε²/(K − 1), smaller root",
    source: "two annotators of equal error, wrong answers uniform over K classes; optimistic when they err alike",
    inputs: &[
        field("agreement", "share of examples on which the two agree, 0 to 1"),
        field("classes", "number of classes K, a whole number of at least 2"),
    ],
    outputs: &[field("eps", "label error rate; null: they agree less often than chance allows")],
    example: r#"{"agreement": 0.9, "classes": 2}"#,
    run: |input| {
        let classes = input.whole("classes", 2)?;
        if classes > MOST_CLASSES {
            return Err(input.refuse("classes", classes as f64, format!("at most {MOST_CLASSES}")));
        }
        Ok(Output::new().maybe("eps", label_error_from_agreement(input.share("agreement")?, classes as u32)))
    },
};

pub(super) const POWER_LAW: Method = Method {
    name: "power_law_fit",
    section: "8.2",
    question: "Where does the error level off over rounds or training sizes (advisory)?",
    formula: "err = c + a·n^(−b), a ≥ 0, c ≥ 0, weighted least squares\n\
              b profiled over 300 log-spaced values in [0.01, 3], then golden section; all errors equal: a = 0, b null",
    source: "Viering & Loog 2022 (learning curve review)",
    inputs: &[
        field("n", "rounds or training sizes, each above 0, at least four"),
        field("err", "error rate at each, at least 0"),
        with_default("weight", "weight of each, at least 0", Fallback::Said("1 each")),
    ],
    outputs: &[
        field("a", "what is still to gain at n = 1"),
        field("b", "speed; null when all errors are equal"),
        field("c", "the floor"),
        field("sse", "weighted sum of squared errors"),
    ],
    example: r#"{"n": [100, 200, 400, 800, 1600], "err": [0.3, 0.24, 0.2, 0.17, 0.15]}"#,
    run: fit,
};

fn fit(input: &Input) -> Result<Output, CalcError> {
    let n = input.numbers("n", 0.0, MOST)?;
    let points = ("n", n.len());
    if n.len() > MOST_POINTS {
        let expected = format!("at most {MOST_POINTS} points");
        return Err(CalcError::Wrong { field: "n".into(), got: format!("an array of {}", n.len()), expected });
    }
    let err = input.numbers_like("err", (0.0, MOST), points)?;
    let weight = match input.value("weight") {
        Some(_) => input.numbers_like("weight", (0.0, MOST), points)?,
        None => vec![1.0; n.len()],
    };
    let law = power_law_fit(&n, &err, &weight)?;
    Ok(Output::new().number("a", law.a).maybe("b", law.b).number("c", law.c).number("sse", law.sse))
}
