//! A label review in the store: what a report shows without making it again.

use super::gather;
use crate::digest::{Digest, Parts};
use crate::error::Error;
use crate::labels::{LabelReview, LabelledRow};
use crate::run::RunError;
use crate::store::Store;
use crate::suite::{Suite, second};

/// Changes with whatever changes what a review says of the same rows.
const VERSION: &str = "label review 1";

/// What a review rests on: the rows, second looks at them, the target, and the run whose answers were read.
fn key(suite: &Suite, rows: &[LabelledRow], run: Option<&str>) -> Result<Digest, Error> {
    let mut parts = Parts::default();
    parts.add(VERSION.as_bytes());
    for row in rows {
        parts.add(format!("{}/{}/{}:{}", row.split.as_str(), row.id, row.file, row.line).as_bytes());
        parts.add(row.input.to_string().as_bytes());
        parts.add(row.expected.to_string().as_bytes());
    }
    let annotations = second::annotations(&suite.annotation_files)?;
    let told = format!("{annotations:?} {:?} {:?} {:?}", suite.audit, suite.targets.accuracy, suite.statistics);
    parts.add(told.as_bytes());
    parts.add(run.unwrap_or_default().as_bytes());
    Ok(parts.digest())
}

/// Keeps a review, where there is a store that can be written.
pub(super) fn keep(store: &Store, suite: &Suite, rows: &[LabelledRow], review: &LabelReview) -> Result<(), Error> {
    if store.is_read_only() {
        return Ok(());
    }
    let text = serde_json::to_string(review).map_err(|error| RunError::Bug(error.to_string()))?;
    Ok(store.keep_label_review(&key(suite, rows, review.run.as_deref())?, &text)?)
}

/// The review of a run's labels as they stand now, or one without a run; none where nothing was kept of them.
pub(in crate::cli) fn kept(store: &Store, suite: &Suite, run: &str) -> Result<Option<LabelReview>, Error> {
    if !store.has_label_reviews()? {
        return Ok(None);
    }
    let rows = gather::rows(suite)?;
    for run in [Some(run), None] {
        let text = store.label_review(&key(suite, &rows, run)?)?;
        // One of another version of this program that cannot be read is none.
        if let Some(review) = text.and_then(|text| serde_json::from_str(&text).ok()) {
            return Ok(Some(review));
        }
    }
    Ok(None)
}
