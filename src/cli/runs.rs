//! `ceiling runs`: what is in the store.

use clap::Args;
use serde_json::json;

use super::args::StoreArgs;
use super::exit::Exit;
use super::printer::Printer;
use crate::error::Error;
use crate::report::table::{Table, header};
use crate::store::{RunRow, RunState, Store};

/// Flags of `ceiling runs`.
#[derive(Debug, Clone, Args)]
pub struct RunsArgs {
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Lists the runs, the newest first.
pub(super) fn runs(args: &RunsArgs, printer: Printer) -> Result<Exit, Error> {
    let runs = Store::open_existing(&args.store.store)?.runs()?;
    printer.value(&json!({"runs": runs}));
    if runs.is_empty() {
        printer.text("no runs yet\n");
    } else {
        let rows = runs.iter().map(cells).collect();
        printer.text(&Table { header: header(["run", "suite", "state", "trials", "began", "folder"]), rows }.to_text());
    }
    super::DONE
}

fn cells(run: &RunRow) -> Vec<String> {
    let state = state(run.state).to_owned();
    vec![run.name.clone(), run.suite.clone(), state, run.trials.to_string(), began(run), run.folder.clone()]
}

/// How a run stands, in words.
pub(super) fn state(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running or killed",
        RunState::Stopped => "stopped",
        RunState::Finished => "finished",
    }
}

/// When a run began (UTC).
pub(super) fn began(run: &RunRow) -> String {
    jiff::Timestamp::from_millisecond(run.started_at_ms).map_or(String::new(), |at| format!("{at:.0}"))
}
