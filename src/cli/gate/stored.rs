//! A gate of a run that the store has already: nothing is asked.

use super::{GateArgs, text};
use crate::cli::exit::Exit;
use crate::cli::run::asking::Answered;
use crate::cli::{imported, part};
use crate::error::Error;
use crate::replay::{self, LatencyClaim};
use crate::store::{RunRow, RunState, Store};
use crate::suite::Suite;

/// The run that is gated; the suite is given its repeats.
pub(super) fn answered(args: &GateArgs, name: &str, suite: &mut Suite) -> Result<Answered, Error> {
    let store = Store::open_existing(&args.store.store)?;
    let run = store.run(name)?;
    if run.suite != suite.name {
        return Err(Error::usage(
            format!("run `{}` is of the suite `{}`, not of `{}`", run.name, text(&run.suite), suite.name),
            "`ceiling runs` lists the runs; `ceiling import FILE --suite FOLDER` brings results in as a run of that suite",
        ));
    }
    if run.state != RunState::Finished {
        return Err(Error::usage(
            format!("run `{}` is not finished", run.name),
            "`ceiling run` goes on with it; a part of a run is no side of a gate",
        ));
    }
    let known = store.variants_of(run.id)?;
    if let Some(absent) = suite.variants.iter().find(|variant| !known.iter().any(|name| name == variant.id.as_str())) {
        let known: Vec<String> = known.iter().map(|name| format!("`{}`", text(name))).collect();
        return Err(Error::usage(
            format!("run `{}` has no answer of `{}`; it has those of {}", run.name, absent.id, known.join(", ")),
            "--variant NAME gates another",
        ));
    }
    let options = part::options(&run);
    part::refuse_shard_or_failures(&run, "side of a gate")?;
    if ["limit", "examples", "tag"].iter().any(|part| !options[part].is_null()) {
        return Err(Error::usage(
            format!("run `{}` asked a part of the examples: it is no side of a gate", run.name),
            "name a run of all examples",
        ));
    }
    let repeats = options["repeats"].as_u64().and_then(|repeats| u32::try_from(repeats).ok());
    suite.repeats = repeats.unwrap_or(suite.repeats);
    Ok(Answered { run, exit: Exit::Done, left_out: 0, before: 0 })
}

/// Whether times that were not measured here may be compared: a recording says it of itself, and the user of
/// what was imported.
pub(in crate::cli) fn times_are_comparable(run: &RunRow, suite: &Suite) -> bool {
    imported::times_are_comparable(run).unwrap_or_else(|| {
        let header = suite.recording.as_ref().and_then(|path| replay::header(path).ok());
        header.is_some_and(|header| header.latency == LatencyClaim::Comparable)
    })
}
