//! The statistics as a calculator: one JSON object in, one out, by method name.
//!
//! A thin, total layer over [`crate::stats`] and the ladder: every method of METHODS.md section 14
//! under its name there, with what it answers, its formula and its source. Input is checked before
//! anything is computed, so that what comes out is the documented answer or an error that names the
//! field; never NaN, never a panic. `decide --explain` shows and recomputes figures through it.

mod error;
mod input;
mod judge;
mod ladder;
mod latency;
mod means;
mod money;
mod noise;
mod output;
mod paired;
mod planning;
mod proportion;
pub mod render;
mod sequential;
mod settle;

use serde_json::{Map, Value};

pub use error::CalcError;
use input::Input;
use output::Output;

/// What a field is when it is left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fallback {
    /// This number.
    Number(f64),
    /// This word.
    Word(&'static str),
    /// What this text says.
    Said(&'static str),
}

/// A field of a method's input or output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What it is, with unit and domain; of an output also what null means.
    pub what: &'static str,
    /// What it is when left out; `None`: it must be given. Outputs have none.
    pub default: Option<Fallback>,
}

/// A method of the calculator.
pub struct Method {
    /// Its name in METHODS.md 14.
    pub name: &'static str,
    /// The section of METHODS.md that defines it, such as "1.2".
    pub section: &'static str,
    /// What it answers, one sentence.
    pub question: &'static str,
    /// The formula, plain text.
    pub formula: &'static str,
    /// The paper.
    pub source: &'static str,
    /// What it takes.
    pub inputs: &'static [Field],
    /// What it gives; every field is always there.
    pub outputs: &'static [Field],
    /// An input that runs: a JSON object.
    pub example: &'static str,
    run: fn(&Input) -> Result<Output, CalcError>,
}

impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Method").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Every method, in the order of METHODS.md 14.
pub const METHODS: &[Method] = &[
    proportion::WILSON,
    proportion::CLOPPER_PEARSON,
    proportion::JEFFREYS,
    proportion::FAILURE_RATE_UPPER,
    means::CLUSTERED_ACCURACY,
    paired::MCNEMAR,
    paired::TANGO,
    means::CLUSTERED_DIFFERENCE,
    paired::NEWCOMBE,
    paired::SIGNFLIP,
    paired::HOLM_BH,
    settle::NON_INFERIORITY,
    settle::TARGET_VERDICT,
    settle::N_TO_PROVE,
    settle::N_TO_SETTLE,
    latency::QUANTILE_RANKS,
    money::FIELLER,
    money::BREAK_EVEN,
    money::CACHE_FACTOR,
    noise::LABEL_ERROR,
    noise::POWER_LAW,
    planning::CONNOR,
    planning::POWER_EXACT,
    planning::N_NON_INFERIORITY,
    planning::MILLER,
    means::ICC_DEFF,
    settle::REGRESSION_GATE,
    sequential::EVALUE,
    sequential::CS_BERNOULLI,
    sequential::BETTING_CS,
    judge::PPI_MEAN,
    ladder::LADDER,
];

/// The method of this name; `-` for `_` and any case will do.
pub fn method(name: &str) -> Option<&'static Method> {
    let plain = name.trim().to_ascii_lowercase().replace('-', "_");
    METHODS.iter().find(|method| method.name == plain)
}

/// Computes a method.
///
/// # Errors
/// An unknown method or field, a field that is missing, of a wrong type, not finite or outside its
/// domain, and a result beyond what a double holds; each names the field.
pub fn run(name: &str, input: &Map<String, Value>) -> Result<Map<String, Value>, CalcError> {
    let method = method(name).ok_or_else(|| CalcError::unknown_method(name))?;
    let input = Input::new(method, input)?;
    (method.run)(&input)?.done()
}

/// The usual error rate.
const ALPHA: Field = with_default("alpha", "error rate, above 0 and below 1", Fallback::Number(0.05));
/// The error rate of one-sided bounds.
const ONE_SIDED_ALPHA: Field = with_default("alpha", "error rate, above 0 and at most 0.5", Fallback::Number(0.05));
/// The usual power.
const POWER: Field = with_default("power", "chance to settle it, above 0 and below 1", Fallback::Number(0.8));
/// The usual cluster column.
const CLUSTER: Field = with_default(
    "cluster",
    "which cluster (document, template, user) each entry belongs to: numbers or strings",
    Fallback::Said("every entry its own"),
);

const fn field(name: &'static str, what: &'static str) -> Field {
    Field { name, what, default: None }
}

const fn with_default(name: &'static str, what: &'static str, default: Fallback) -> Field {
    Field { name, what, default: Some(default) }
}

#[cfg(test)]
mod tests;
