//! What a gate found: plain data, and the machine output of `gate --json`, whose schema is
//! docs/reference/gate.schema.json.

pub mod annotations;
pub mod calibration;
pub mod junit;
pub mod markdown;
pub mod text;
pub mod words;

#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::gate::metric::GateLevels;
use crate::gate::verdict::{GateAnswer, VariantVerdict};

/// What a gate without enough evidence does to a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inconclusive {
    /// It passes.
    Pass,
    /// It passes with a warning.
    Warn,
    /// It fails, with an exit code of its own.
    Fail,
}

/// The file that was gated against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BaselineFacts {
    /// The file.
    pub file: String,
    /// The run that was frozen.
    pub run: String,
    /// Digest of the suite's texts then.
    pub suite_digest: Digest,
    /// First and last day (UTC) of its answers.
    pub days: [Option<String>; 2],
}

/// Everything that a gate says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateReport {
    /// The suite's name.
    pub suite: String,
    /// The suite's file, as it was named.
    pub file: String,
    /// The baseline.
    pub baseline: BaselineFacts,
    /// The run that was compared with it.
    pub run: String,
    /// The worst answer of its variants.
    pub answer: GateAnswer,
    /// The exit code that this gives.
    pub exit_code: u8,
    /// What not enough evidence does.
    pub inconclusive: Inconclusive,
    /// Levels and seed.
    pub levels: GateLevels,
    /// How p-values are corrected over all that is gated.
    pub correction: &'static str,
    /// The variants.
    pub variants: Vec<VariantVerdict>,
    /// Lines of the suite's file where each variant stands, from 1.
    #[serde(skip)]
    pub lines: Vec<u32>,
    /// What a reader must know before trusting it.
    pub notes: Vec<String>,
}

/// As JSON.
///
/// # Errors
/// Never for a report of this program.
pub fn to_value(report: &GateReport) -> serde_json::Result<Value> {
    serde_json::to_value(report)
}
