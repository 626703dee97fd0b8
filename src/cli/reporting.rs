//! A run in the store, measured anew: its suite as it stands now, and what its trials show.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::args::SelectionArgs;
use super::retrieval::Retrieval;
use super::{assemble, measuring};
use crate::error::Error;
use crate::measure::Measurements;
use crate::measure::grade::Grader;
use crate::replay::{self, LatencyClaim};
use crate::store::{RunRow, Store};
use crate::suite::Suite;

/// A run with what it showed.
pub(super) struct MeasuredRun {
    pub(super) run: RunRow,
    pub(super) suite: Suite,
    pub(super) measurements: Measurements,
}

/// Measures a run: the variants and repeats that it asked, graded by the suite as it stands now.
pub(super) fn measured_run(store: &Store, name: &str, folder: Option<&Path>) -> Result<MeasuredRun, Error> {
    let run = store.run(name)?;
    let folder = folder.map_or_else(|| PathBuf::from(&run.folder), Path::to_owned);
    if !folder.exists() {
        return Err(Error::usage(
            format!("the suite of run `{}` is not at `{}`", run.name, folder.display()),
            "--suite FOLDER says where it is now; a run remembers the folder as it was named from where it was started",
        ));
    }
    let providers = assemble::providers(&folder)?;
    let options: Value = serde_json::from_str(&run.options).unwrap_or_default();
    let provider: Vec<(String, String)> = serde_json::from_value(options["provider"].clone()).unwrap_or_default();
    let variants: Option<Vec<String>> = serde_json::from_value(options["variants"].clone()).unwrap_or_default();
    let selection = SelectionArgs { variants, limit: None, examples: None, provider };
    let mut suite = crate::suite::load::load(&folder, &providers, &assemble::load_options(&selection))?.suite;
    let repeats = options["repeats"].as_u64().and_then(|repeats| u32::try_from(repeats).ok());
    suite.repeats = repeats.unwrap_or(suite.repeats);
    let grader = Grader::new(&suite, &assemble::endpoint_facts(&suite, &providers)?)?;
    let retrieval = Retrieval::stored(&suite, &providers, store, None)?;
    let comparable = recorded_times_are_comparable(&suite)?;
    let measurements = measuring::measure(store, run.id, (&suite, &grader, &retrieval), comparable)?;
    Ok(MeasuredRun { run, suite, measurements })
}

/// What the suite's recording, if there is one, declares of its times (DESIGN.md 13.6).
fn recorded_times_are_comparable(suite: &Suite) -> Result<bool, Error> {
    let Some(path) = &suite.recording else { return Ok(true) };
    Ok(replay::header(path)?.latency == LatencyClaim::Comparable)
}
