//! `ceiling merge`: the shards of a run, each in a store of its own, joined into one run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::args::StoreArgs;
use super::exit::Exit;
use super::part::options;
use super::printer::Printer;
use super::runs::state;
use crate::digest::Digest;
use crate::error::Error;
use crate::store::{NewRun, RunRow, RunState, ShardRun, Store};
use crate::suite::examples::Shard;
use crate::units::group_thousands;

/// Flags of `ceiling merge`.
#[derive(Debug, Clone, Args)]
pub struct MergeArgs {
    /// The stores of the shards, in any order; every shard of each run must be among them.
    #[arg(required = true, value_name = "STORE")]
    pub stores: Vec<PathBuf>,
    /// Where the joined runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// A shard's run, in the store at this place of the list.
struct Found {
    place: usize,
    run: RunRow,
    shard: Shard,
    plan: Digest,
}

/// Joins the shards of every run that the stores have.
pub(super) fn merge(args: &MergeArgs, printer: Printer) -> Result<Exit, Error> {
    let stores = args.stores.iter().map(|path| open(path, &args.store.store)).collect::<Result<Vec<_>, _>>()?;
    let mut found = Vec::new();
    for (place, store) in stores.iter().enumerate() {
        found.extend(shards(place, store)?);
    }
    let mut plans: Vec<Vec<Found>> = Vec::new();
    for one in found {
        match plans.iter_mut().find(|plan| plan[0].plan == one.plan) {
            Some(plan) => plan.push(one),
            None => plans.push(vec![one]),
        }
    }
    // Everything is looked at before anything is written.
    for plan in &mut plans {
        plan.sort_by_key(|one| one.shard.index);
        check_whole(plan, args)?;
        check_batches(plan, &stores, args)?;
    }
    let into = Store::open(&args.store.store)?;
    let mut exit = Exit::Done;
    let mut documents = Vec::new();
    for plan in &plans {
        let (document, ended) = join(plan, &stores, &into, (args, printer))?;
        documents.push(document);
        if ended != Exit::Done {
            exit = ended;
        }
    }
    printer.value(&json!({"store": args.store.store, "runs": documents}));
    Ok(exit)
}

fn open(path: &Path, into: &Path) -> Result<Store, Error> {
    let store = Store::open_to_read(path)?;
    let is_same = path.canonicalize().is_ok_and(|path| into.canonicalize().is_ok_and(|into| path == into));
    if is_same {
        return Err(Error::usage(
            format!("`{}` is to be read and to be written", path.display()),
            "name another store for the joined run with --store",
        ));
    }
    Ok(store)
}

/// The newest run of each shard in a store.
fn shards(place: usize, store: &Store) -> Result<Vec<Found>, Error> {
    let mut newest: BTreeMap<(Digest, u32, u32), Found> = BTreeMap::new();
    for run in store.runs()? {
        let options = options(&run);
        let part = options["shard"]["part"].as_str().and_then(|part| part.parse::<Shard>().ok());
        let plan = options["shard"]["plan"].as_str().and_then(Digest::parse);
        if let (Some(shard), Some(plan)) = (part, plan) {
            newest.entry((plan, shard.count, shard.index)).or_insert(Found { place, run, shard, plan });
        }
    }
    if newest.is_empty() {
        return Err(Error::usage(
            format!("the store `{}` has no run of a shard", store.path().display()),
            "`ceiling run SUITE --shard I/N --store PATH` makes one",
        ));
    }
    // In the order in which they began, as the joined runs are.
    let mut found: Vec<Found> = newest.into_values().collect();
    found.sort_by_key(|one| one.run.id);
    Ok(found)
}

/// Checks that a plan's shards are all there, each once.
fn check_whole(plan: &[Found], args: &MergeArgs) -> Result<(), Error> {
    let (first, suite) = (&plan[0], &plan[0].run.suite);
    let path = |found: &Found| args.stores[found.place].display();
    if let Some(other) = plan.iter().find(|one| one.shard.count != first.shard.count) {
        return Err(Error::usage(
            format!(
                "`{suite}` was split in two ways: shard {} in `{}`, and shard {} in `{}`",
                first.shard,
                path(first),
                other.shard,
                path(other)
            ),
            "name the stores of one way",
        ));
    }
    if let Some(twice) = plan.windows(2).find(|pair| pair[0].shard == pair[1].shard) {
        return Err(Error::usage(
            format!(
                "shard {} of `{suite}` is there twice: in `{}` and in `{}`",
                twice[0].shard,
                path(&twice[0]),
                path(&twice[1])
            ),
            "name the store of each shard once; two jobs may have had the same index",
        ));
    }
    let has = |index: &u32| plan.iter().any(|one| one.shard.index == *index);
    let missing: Vec<u32> = (1..=first.shard.count).filter(|index| !has(index)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let most = 20;
    let mut list: Vec<String> =
        missing.iter().take(most).map(|index| format!("{index}/{}", first.shard.count)).collect();
    if missing.len() > most {
        list.push(format!("{} more", missing.len() - most));
    }
    let there: Vec<String> = plan.iter().map(|one| format!("{} in `{}`", one.shard, path(one))).take(most).collect();
    Err(Error::usage(
        format!("shards of `{suite}` are missing: {} (there is {})", list.join(", "), there.join(", ")),
        "name the store of every shard. Shards belong together where suite files, data, variants, options and endpoints \
         are the same: one that was started otherwise is a shard of another run",
    ))
}

/// A batch is fetched by the store that sent it: the joined run would send, and pay, again.
fn check_batches(plan: &[Found], stores: &[Store], args: &MergeArgs) -> Result<(), Error> {
    for one in plan {
        if stores[one.place].unfinished_batches()?.iter().any(|batch| batch.run == one.run.id) {
            return Err(Error::usage(
                format!("shard {} in `{}` waits for a batch", one.shard, args.stores[one.place].display()),
                "run its command again until its batches are fetched, then merge",
            ));
        }
    }
    Ok(())
}

fn join(
    plan: &[Found],
    stores: &[Store],
    into: &Store,
    (args, printer): (&MergeArgs, Printer),
) -> Result<(Value, Exit), Error> {
    let first = &plan[0];
    let mut options = options(&first.run);
    if let Some(options) = options.as_object_mut() {
        options.shift_remove("shard");
    }
    let new = NewRun {
        suite: &first.run.suite,
        folder: Path::new(&first.run.folder),
        plan_digest: first.plan,
        options: &options.to_string(),
        now_ms: plan.iter().map(|one| one.run.started_at_ms).min().unwrap_or_default(),
    };
    let unfinished: Vec<&Found> = plan.iter().filter(|one| one.run.state != RunState::Finished).collect();
    let ended = if unfinished.is_empty() { RunState::Finished } else { RunState::Stopped };
    let shards: Vec<ShardRun<'_>> =
        plan.iter().map(|one| ShardRun { store: &stores[one.place], run: one.run.id }).collect();
    // A process that asks the joined run would not see what came from here, and pay for it again.
    let _claim = into.claim(&first.plan)?;
    let merged = into.merge(&new, &shards, ended)?;
    let run = &merged.run;
    for one in unfinished.iter().filter(|_| run.state != RunState::Finished) {
        printer.note(&format!(
            "shard {} in `{}` is not finished ({}): run its command again and merge again, or go on with the joined run",
            one.shard,
            args.stores[one.place].display(),
            state(one.run.state)
        ));
    }
    printer.text(&format!(
        "{}: {} shards, {} trials ({} of them new), {}, in {}\n",
        run.name,
        plan.len(),
        group_thousands(run.trials.into()),
        group_thousands(merged.added.into()),
        state(run.state),
        into.path().display()
    ));
    let document = json!({
        "run": run.name, "suite": run.suite, "shards": plan.len(), "trials": run.trials, "added": merged.added,
        "state": run.state,
    });
    Ok((document, if run.state == RunState::Finished { Exit::Done } else { Exit::CouldNotFinish }))
}
