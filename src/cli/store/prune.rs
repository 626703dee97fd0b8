//! `ceiling store prune`: removes runs.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::{ArgGroup, Args};
use serde_json::json;

use crate::cli::args::StoreArgs;
use crate::cli::exit::Exit;
use crate::cli::printer::Printer;
use crate::cli::{DONE, now_ms, runs};
use crate::error::Error;
use crate::report::table::{Table, header};
use crate::store::{Pruned, RunRow, Store};
use crate::units::{format_bytes, group_thousands};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Flags of `ceiling store prune`.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["runs", "older_than", "keep"]))]
pub struct PruneArgs {
    /// The runs to remove; `last` is the newest.
    #[arg(value_name = "RUN")]
    pub runs: Vec<String>,
    /// Remove the runs that began more than so many days ago.
    #[arg(long, value_name = "DAYS", env = "CEILING_PRUNE_OLDER_THAN")]
    pub older_than: Option<u32>,
    /// Remove all but the newest N runs of each suite.
    #[arg(long, value_name = "N", env = "CEILING_PRUNE_KEEP")]
    pub keep: Option<usize>,
    /// Say what would be removed, and remove nothing.
    #[arg(long, env = "CEILING_PRUNE_DRY_RUN")]
    pub dry_run: bool,
    /// Remove without asking.
    #[arg(short, long, env = "CEILING_PRUNE_YES")]
    pub yes: bool,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Says what goes, asks, and removes it.
pub(super) fn prune(args: &PruneArgs, printer: Printer) -> Result<Exit, Error> {
    let can_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !printer.is_json();
    if !args.yes && !args.dry_run && !can_ask {
        return Err(Error::usage(
            "nobody is there to say yes, and nothing was removed",
            "--dry-run says what would go, and --yes removes it",
        ));
    }
    let store = Store::open_existing(&args.store.store)?;
    let (chosen, waiting) = choose(args, &store)?;
    if !waiting.is_empty() {
        let names = waiting.iter().map(|run| run.name.as_str()).collect::<Vec<_>>().join(", ");
        printer.note(&format!(
            "{names}: a provider still works on a batch of it, so it stays; name the run to remove it nevertheless"
        ));
    }
    let rows: Vec<i64> = chosen.iter().map(|run| run.id).collect();
    let weight = if rows.is_empty() { Pruned::default() } else { store.weigh(&rows)? };
    say(&chosen, weight, printer);
    let goes = !rows.is_empty() && !args.dry_run && (args.yes || is_meant()?);
    let pruned = if goes { store.prune(&rows)? } else { weight };
    let names: Vec<&str> = chosen.iter().map(|run| run.name.as_str()).collect();
    printer.value(&json!({
        "store": args.store.store,
        "removed": goes,
        "runs": names,
        "trials": pruned.trials,
        "exchanges": pruned.exchanges,
        "bytes": pruned.bytes,
        "open_batches": pruned.open_batches,
    }));
    if goes {
        printer.text("removed; `ceiling store vacuum` makes the file smaller\n");
    } else if !rows.is_empty() {
        printer.text("nothing was removed\n");
    }
    DONE
}

/// The runs that are meant, the newest first, and those left out since a provider works for them.
fn choose(args: &PruneArgs, store: &Store) -> Result<(Vec<RunRow>, Vec<RunRow>), Error> {
    if !args.runs.is_empty() {
        let mut named = args.runs.iter().map(|name| store.run(name)).collect::<Result<Vec<_>, _>>()?;
        named.sort_by_key(|run| std::cmp::Reverse(run.id));
        named.dedup_by_key(|run| run.id);
        return Ok((named, Vec::new()));
    }
    let mut seen = std::collections::HashMap::new();
    let before = args.older_than.map(|days| now_ms() - i64::from(days) * DAY_MS);
    let (mut chosen, mut waiting) = (Vec::new(), Vec::new());
    for run in store.runs()? {
        let newer: &mut usize = seen.entry(run.suite.clone()).or_default();
        let is_kept = args.keep.is_some_and(|keep| *newer < keep);
        *newer += 1;
        if is_kept || before.is_some_and(|before| run.started_at_ms >= before) {
            continue;
        }
        let list = if store.open_batches_of(run.id)? > 0 { &mut waiting } else { &mut chosen };
        list.push(run);
    }
    Ok((chosen, waiting))
}

fn say(chosen: &[RunRow], weight: Pruned, printer: Printer) {
    if chosen.is_empty() {
        printer.text("no run is to be removed\n");
        return;
    }
    let cells = |run: &RunRow| {
        vec![run.name.clone(), runs::state(run.state).to_owned(), group_thousands(run.trials.into()), runs::began(run)]
    };
    let rows = chosen.iter().map(cells).collect();
    printer.text(&Table { header: header(["run", "state", "trials", "began"]), rows }.to_text());
    printer.text(&format!(
        "{} runs, {} trials, {} answers that no other run uses: {}\n",
        group_thousands(weight.runs.into()),
        group_thousands(weight.trials.into()),
        group_thousands(weight.exchanges.into()),
        format_bytes(weight.bytes)
    ));
    if weight.open_batches > 0 {
        printer.warning(
            &format!("{} batches are still at their provider", weight.open_batches),
            "their answers are billed and would never be fetched; `ceiling run` with the same flags fetches them",
        );
    }
}

/// Whether the user says yes.
fn is_meant() -> Result<bool, Error> {
    let broken = |error| Error::System { what: "cannot ask".to_owned(), error };
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "Remove them? [y/N] ").and_then(|()| stderr.flush()).map_err(broken)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(broken)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
