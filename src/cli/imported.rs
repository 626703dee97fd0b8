//! What a run that was imported remembers of its source, in its options.

use serde_json::Value;

use crate::store::RunRow;

fn source(run: &RunRow) -> Option<Value> {
    let options: Value = serde_json::from_str(&run.options).ok()?;
    options.get("imported").filter(|imported| imported.is_object()).cloned()
}

/// From which tool's results a run was imported, as `imported from … results, file …`; `None` for
/// every other run.
pub(super) fn setting(run: &RunRow) -> Option<String> {
    Some(source(run)?["setting"].as_str().unwrap_or("imported from another tool").to_owned())
}

/// Whether the times of an imported run were declared comparable; `None` for every other run.
pub(super) fn times_are_comparable(run: &RunRow) -> Option<bool> {
    Some(source(run)?["latency"] == "comparable")
}
