//! What people and machines read: measurements and verdict, rendered.

pub mod brief;
pub mod compare;
pub mod explain;
pub mod figure;
pub mod flips;
pub mod gate;
pub mod html;
pub mod json;
pub mod labels;
pub mod look;
pub mod markdown;
pub mod plan;
pub mod probe;
pub mod prose;
pub mod retrieval;
pub mod rows;
pub mod schema_sent;
pub mod show;
pub mod table;
pub mod terminal;
pub mod trained;
pub mod training;
pub mod tune;

use std::sync::Arc;

use crate::decide::Verdict;
use crate::labels::LabelReview;
use crate::measure::{Measurements, RunProvenance, VariantMeasurements};
use crate::variant::VariantId;

/// Everything that a report may show.
#[derive(Debug, Clone)]
pub struct Report {
    /// The run's name in the store.
    pub run: String,
    /// The suite's name.
    pub suite: String,
    /// When the run began, milliseconds since 1970-01-01 UTC.
    pub began_unix_ms: i64,
    /// What the suite is about.
    pub description: String,
    /// What the primary scorer measures: its name.
    pub primary: String,
    /// Whether that is a score as another tool states it.
    pub stated: bool,
    /// What the recording says of itself, for recorded answers; from where imported ones come.
    pub setting: Option<String>,
    /// Which part of the suite's examples was asked, in words; `None`: as many as the suite has, or the first.
    pub part: Option<String>,
    /// Examples that were left out because no recording knows them.
    pub left_out: u64,
    /// Whether it is a stored run, which the suite grades as it stands now.
    pub regraded: bool,
    /// Variants that the suite no longer has, with how many trials of each are not shown.
    pub gone: Vec<(String, u64)>,
    /// Runs in the store that scored this suite's test examples, this one among them.
    pub times_scored: u64,
    /// Vectors that were bought for it.
    pub embeddings: Vec<retrieval::EmbeddingPurchase>,
    /// How the suite's schema was changed for the endpoint, by variant.
    pub schema_changes: schema_sent::SchemaChanges,
    /// What was measured, by example too: shared, since it grows with the examples.
    pub measurements: Arc<Measurements>,
    /// The ladder's answer.
    pub verdict: Verdict,
    /// What was last found about the labels, where that was asked for.
    pub label_review: Option<LabelReview>,
}

impl Report {
    /// From which tool's results the answers were imported, if they were.
    pub fn imported(&self) -> Option<&str> {
        self.setting.as_deref().filter(|_| self.measurements.provenance == RunProvenance::Imported)
    }

    /// A variant's measurements and its place in the suite's order.
    pub fn variant(&self, id: &VariantId) -> Option<(usize, &VariantMeasurements)> {
        self.measurements.variants.iter().enumerate().find(|(_, row)| row.variant.id == *id)
    }
}

/// An enum's kebab-case name, as JSON writes it.
fn kebab<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
