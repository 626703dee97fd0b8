//! `ceiling runs`: what is in the store.

use clap::Args;
use serde_json::json;

use super::args::StoreArgs;
use super::exit::Exit;
use super::printer::Printer;
use crate::error::Error;
use crate::report::table::{Table, header};
use crate::store::{RunRow, RunSize, RunState, Store};
use crate::units::{format_bytes, group_thousands};

/// Flags of `ceiling runs`.
#[derive(Debug, Clone, Args)]
pub struct RunsArgs {
    /// Say how much room each run takes. Every answer is looked at.
    #[arg(long, env = "CEILING_SIZE")]
    pub size: bool,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Lists the runs, the newest first.
pub(super) fn runs(args: &RunsArgs, printer: Printer) -> Result<Exit, Error> {
    let store = Store::open_existing(&args.store.store)?;
    let runs = store.runs()?;
    if args.size {
        return sizes(&store, &runs, printer);
    }
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

/// Lists the runs with what they take, and the file with what it takes.
fn sizes(store: &Store, runs: &[RunRow], printer: Printer) -> Result<Exit, Error> {
    let sizes = runs.iter().map(|run| store.size_of(run.id)).collect::<Result<Vec<_>, _>>()?;
    let file = store.file_size()?;
    let mut documents = Vec::with_capacity(runs.len());
    for (run, size) in runs.iter().zip(&sizes) {
        let mut document = json!(run);
        document["size"] = json!(size);
        documents.push(document);
    }
    printer.value(&json!({"runs": documents, "file": file}));
    let cells = |(run, size): (&RunRow, &RunSize)| {
        let a_trial = size.stored_bytes.checked_div(run.trials).map_or_else(|| "–".to_owned(), format_bytes);
        vec![
            run.name.clone(),
            group_thousands(run.trials.into()),
            format_bytes(size.stored_bytes),
            a_trial,
            format_bytes(size.body_bytes),
            format_bytes(size.stored_body_bytes),
        ]
    };
    let rows: Vec<_> = runs.iter().zip(&sizes).map(cells).collect();
    if !rows.is_empty() {
        let names = ["run", "trials", "stored", "a trial", "requests and answers", "packed"];
        printer.text(&Table { header: header(names), rows }.to_text());
    }
    let free = match file.free_bytes {
        0 => String::new(),
        free => format!(", of which {} are free: `ceiling store vacuum` gives them back", format_bytes(free)),
    };
    printer.text(&format!("{}: {}{free}\n", store.path().display(), format_bytes(file.file_bytes)));
    super::DONE
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
