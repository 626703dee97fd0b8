//! A label review in the store: what a report shows without making it again.

use super::gather;
use crate::digest::{Digest, Parts};
use crate::error::Error;
use crate::labels::{LabelReview, LabelledRow};
use crate::run::RunError;
use crate::store::{RunRow, Store};
use crate::suite::{Suite, second};

/// Changes with whatever changes what a review says of the same rows.
const VERSION: &str = "label review 2";

/// What a review rests on: the rows, what their labels are, second looks at them, the target, and the run whose answers
/// were read, as far as it had got.
fn key(suite: &Suite, rows: &[LabelledRow], run: Option<&RunRow>) -> Result<Digest, Error> {
    let mut parts = Parts::default();
    parts.add(VERSION.as_bytes());
    for row in rows {
        parts.add(format!("{}/{}/{}:{}", row.split.as_str(), row.id, row.file, row.line).as_bytes());
        parts.add(row.input.to_string().as_bytes());
        parts.add(row.expected.to_string().as_bytes());
        parts.add(format!("{:?}", row.cluster).as_bytes());
    }
    let annotations = second::annotations(&suite.annotation_files)?;
    let told = format!("{annotations:?} {:?} {:?} {:?}", suite.audit, suite.targets.accuracy, suite.statistics);
    parts.add(told.as_bytes());
    let (at, primary) = (gather::label_at(suite), suite.scorers.first());
    parts.add(format!("{:?} {at:?} {:?} {primary:?}", suite.task, suite.labels).as_bytes());
    let schema = suite.schema.as_ref().map(|schema| schema.document().to_string()).unwrap_or_default();
    parts.add(schema.as_bytes());
    parts.add(format!("{:?}", run.map(|run| (&run.name, run.state, run.trials))).as_bytes());
    Ok(parts.digest())
}

/// Keeps a review, where there is a store that can be written.
pub(super) fn keep(store: &Store, suite: &Suite, rows: &[LabelledRow], review: &LabelReview) -> Result<(), Error> {
    if store.is_read_only() {
        return Ok(());
    }
    let text = serde_json::to_string(review).map_err(|error| RunError::Bug(error.to_string()))?;
    let run = review.run.as_deref().map(|run| store.run(run)).transpose()?;
    Ok(store.keep_label_review(&key(suite, rows, run.as_ref())?, &text)?)
}

/// The review of a run's labels as they stand now, or one without a run; none where nothing was kept of them.
pub(in crate::cli) fn kept(store: &Store, suite: &Suite, run: &str) -> Result<Option<LabelReview>, Error> {
    if !store.has_label_reviews()? {
        return Ok(None);
    }
    let rows = gather::rows(suite)?;
    let run = store.run(run)?;
    for run in [Some(&run), None] {
        let text = store.label_review(&key(suite, &rows, run)?)?;
        // One of another version of this program that cannot be read is none.
        if let Some(review) = text.and_then(|text| serde_json::from_str(&text).ok()) {
            return Ok(Some(review));
        }
    }
    Ok(None)
}
