//! Which part of a suite is asked: examples, tags, failures of an earlier run, a shard; and what a
//! run's options say of it later.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;
use serde_json::Value;

use super::args::SelectionArgs;
use super::printer::Printer;
use super::{assemble, early, measuring, show};
use crate::diagnostic::Diagnostics;
use crate::error::Error;
use crate::measure::grade::{GradedTrial, Grader};
use crate::score::Grade;
use crate::store::{RunRow, RunState, Store};
use crate::suite::examples::{ExampleFiles, ExampleSource, Shard};
use crate::suite::load::{AddedVariant, LoadOptions};
use crate::suite::{OtherSplit, Suite};
use crate::text::one_line;

/// Flags of what asks only some examples.
#[derive(Debug, Clone, Args)]
pub struct PartArgs {
    /// Only the examples that a variant of this run got wrong, invalid or not at all; `last` is the suite's
    /// newest finished run. No verdict is drawn from them: they were chosen by their answers.
    #[arg(long, value_name = "RUN", env = "CEILING_ONLY_FAILED")]
    pub only_failed: Option<String>,
    /// Ask this split in place of the test examples: `pool` for what `ceiling export` trains on, `dev` for prompt work.
    /// No verdict is drawn from it.
    #[arg(long, value_name = "SPLIT", env = "CEILING_ON", conflicts_with_all = ["only_failed", "shard"])]
    pub on: Option<OtherSplit>,
    /// Only part I of N, from 1: each part is a run in a store of its own, and `ceiling merge` joins them.
    #[arg(long, value_name = "I/N", env = "CEILING_SHARD")]
    pub shard: Option<Shard>,
}

/// The part of one suite.
#[derive(Default)]
pub(super) struct Part {
    /// The ids that are wanted, if not all are.
    pub(super) examples: Option<Vec<String>>,
    /// The run whose failures they are.
    pub(super) failures_of: Option<String>,
    /// The split that is asked in place of the test examples.
    pub(super) on: Option<OtherSplit>,
    pub(super) shard: Option<Shard>,
}

impl Part {
    /// Finds the part that the flags name; says how many examples failed.
    pub(super) fn of(
        args: &PartArgs,
        selection: &SelectionArgs,
        (folder, store): (&Path, &Path),
        printer: Printer,
    ) -> Result<Self, Error> {
        let whole = Self { examples: selection.examples.clone(), failures_of: None, on: args.on, shard: args.shard };
        let Some(name) = &args.only_failed else { return Ok(whole) };
        let store = Store::open_existing(store)?;
        let run = named(&store, name, folder, selection)?;
        let failed = failed(&store, &run, folder, selection)?;
        let (found, of) = (failed.ids.len(), failed.of);
        let wanted = |id: &String| selection.examples.as_ref().is_none_or(|ids| ids.contains(id));
        let ids: Vec<String> = failed.ids.into_iter().filter(wanted).collect();
        if ids.is_empty() {
            return Err(Error::usage(
                format!("nothing to ask: none of the examples that are wanted failed in run `{}`", run.name),
                "leave --only-failed out to ask them all the same",
            ));
        }
        printer.note(&format!(
            "{found} of {of} examples failed in run {}: wrong, invalid or missing in {}",
            run.name, failed.by
        ));
        Ok(Self { examples: Some(ids), failures_of: Some(run.name), ..whole })
    }

    /// What the command line changes about the suite.
    pub(super) fn load_options(&self, selection: &SelectionArgs) -> LoadOptions {
        LoadOptions {
            examples: self.examples.clone().map(|ids| ids.into_iter().collect()),
            shard: self.shard,
            failures_of: self.failures_of.clone(),
            on: self.on,
            ..assemble::load_options(selection)
        }
    }
}

/// Says which of the examples that are wanted the suite does not have: a slip of the pen is no smaller run.
pub(super) fn note_unknown(suite: &Suite, selection: &SelectionArgs, printer: Printer) {
    /// Ids that are named at most.
    const MOST_NAMED: usize = 10;
    let Some(wanted) = &selection.examples else { return };
    let mut unknown: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    // Rows with faults are told of where they are asked.
    for row in suite.examples.read_all().filter_map(Result::ok) {
        unknown.remove(row.example.id.0.as_str());
    }
    let mut named: Vec<String> = unknown.iter().map(|id| format!("`{}`", one_line(id, 200))).take(MOST_NAMED).collect();
    if unknown.len() > MOST_NAMED {
        named.push(format!("{} more", unknown.len() - MOST_NAMED));
    }
    if !named.is_empty() {
        printer.note(&format!("`{}` has no example {}", suite.name, named.join(", ")));
    }
}

/// The run of this suite that is meant.
fn named(store: &Store, name: &str, folder: &Path, selection: &SelectionArgs) -> Result<RunRow, Error> {
    let providers = assemble::providers(folder)?;
    let options = LoadOptions { variants: None, ..assemble::load_options(selection) };
    let suite = crate::suite::load::load(folder, &providers, &options)?.suite.name;
    if name == "last" {
        // An unfinished run of failures is gone on with: it is not the run that failed.
        let mut runs = store.runs()?.into_iter();
        let of_the_test = |run: &RunRow| {
            run.suite == suite && run.state == RunState::Finished && asked_instead(&self::options(run)).is_none()
        };
        return runs.find(of_the_test).ok_or_else(|| {
            Error::usage(format!("the store has no finished run of `{suite}`"), "`ceiling runs` lists what is there")
        });
    }
    let run = store.run(name)?;
    if run.suite == suite {
        return match asked_instead(&self::options(&run)) {
            None => Ok(run),
            Some(_) => Err(refused(&run, "run of the test examples")),
        };
    }
    Err(Error::usage(
        format!("run `{name}` is of the suite `{}`, not of `{suite}`", run.suite),
        "--only-failed goes with the suite of its run; `last` is the newest finished run of each",
    ))
}

/// The examples that failed.
struct Failed {
    ids: BTreeSet<String>,
    of: usize,
    /// Whose failures count, in words.
    by: String,
}

fn failed(store: &Store, run: &RunRow, folder: &Path, selection: &SelectionArgs) -> Result<Failed, Error> {
    let (suite, grader) = show::suite_of(store, run, Some(folder))?;
    if grader.wants_command() {
        measuring::ask_processes(store, run.id, &suite, &grader)?;
    }
    let asked = store.variants_of(run.id)?;
    // A variant that the run did not ask is tried on what failed in the others.
    let wanted = |name: &&String| selection.variants.as_ref().is_none_or(|names| names.contains(name));
    let mut judged: Vec<&String> = asked.iter().filter(wanted).collect();
    if judged.is_empty() {
        judged = asked.iter().collect();
    }
    let by = match judged.as_slice() {
        [] => "all variants".to_owned(),
        [one] => format!("variant `{one}`"),
        several => format!("one of {} variants", several.len()),
    };
    let places = measuring::places(&suite);
    let mut trials: BTreeMap<String, u64> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for name in &judged {
        let Some(&place) = places.get(name.as_str()) else { continue };
        store.each_trial_of(run.id, name, |trial| -> Result<(), Error> {
            let replies = measuring::replies(store, &grader, place, &trial)?;
            let graded = grader.grade(place, &trial.example, &trial.exchange, replies.as_ref());
            if is_failure(&graded, &grader, place) {
                ids.insert(trial.example.id.0.clone());
            }
            *trials.entry(trial.example.id.0).or_default() += 1;
            Ok(())
        })?;
    }
    let options = options(run);
    // What was left out on purpose did not fail.
    if options["recorded_only"] != true && !early::may_stop(&run.options) {
        let each = (options["repeats"].as_u64().unwrap_or(1) * judged.len() as u64).max(1);
        for row in as_asked(&suite.examples, &options).read() {
            let id = row.map_err(|fault| Error::Input(Diagnostics::from(*fault)))?.example.id.0;
            if trials.get(&id).copied().unwrap_or(0) < each {
                ids.insert(id.clone());
            }
            trials.entry(id).or_default();
        }
    }
    Ok(Failed { ids, of: trials.len(), by })
}

/// Wrong in part is not right.
fn is_failure(graded: &GradedTrial, grader: &Grader, place: usize) -> bool {
    let right = graded.scores.first().and_then(Grade::score).is_some_and(|score| score >= 1.0);
    graded.counts_as_missing || !right || (grader.checks_validity(place) && !graded.valid_strict)
}

/// A run's options.
pub(super) fn options(run: &RunRow) -> Value {
    serde_json::from_str(&run.options).unwrap_or_default()
}

/// The examples that a run's options name.
pub(super) fn as_asked(examples: &ExampleSource, options: &Value) -> ExampleSource {
    let spec = examples.spec();
    let only = serde_json::from_value(options["examples"].clone()).ok().or_else(|| spec.only.clone());
    let limit = options["limit"].as_u64().or(spec.limit);
    let shard = options["shard"]["part"].as_str().and_then(|part| part.parse().ok());
    ExampleSource::new(ExampleFiles { only, limit, tags: tags(options), shard, ..spec.clone() })
}

fn tags(options: &Value) -> Vec<(String, String)> {
    serde_json::from_value(options["tag"].clone()).unwrap_or_default()
}

/// The run whose failures a run's options say that it asked.
pub(super) fn failures_of(options: &Value) -> Option<String> {
    options["only_failed"].as_str().map(str::to_owned)
}

/// The split that a run's options say that it asked in place of the test examples.
pub(super) fn asked_instead(options: &Value) -> Option<OtherSplit> {
    options["on"].as_str()?.parse().ok()
}

/// Whether a run asked the suite's own variants the test examples, and none that were chosen by their answers.
pub(super) fn is_of_the_test(run: &RunRow) -> bool {
    has_none_of(run, &["on", "added", "only_failed"])
}

/// Whether a finished run asked all test examples.
pub(super) fn is_whole(run: &RunRow) -> bool {
    let rest = ["limit", "examples", "tag", "shard", "confirm"];
    run.state == RunState::Finished && is_of_the_test(run) && has_none_of(run, &rest)
}

fn has_none_of(run: &RunRow, keys: &[&str]) -> bool {
    let options = options(run);
    keys.iter().all(|key| options[*key].is_null())
}

/// The variant that a run asked beside those of the suite's file.
pub(super) fn added(options: &Value) -> Option<AddedVariant> {
    serde_json::from_value(options["added"].clone()).ok()
}

/// The error for a run that asked another split.
fn refused(run: &RunRow, what: &str) -> Error {
    let split = asked_instead(&options(run)).map_or("", OtherSplit::as_str);
    Error::usage(
        format!("run `{}` asked the {split}, not the test examples: it is no {what}", run.name),
        "name a run without --on",
    )
}

/// Refuses a run that is a shard, or that asked what failed in another, for what wants a run of the task: `what`.
pub(super) fn refuse_shard_or_failures(run: &RunRow, what: &str) -> Result<(), Error> {
    let options = options(run);
    if let Some(shard) = options["shard"]["part"].as_str() {
        return Err(Error::usage(
            format!("run `{}` is shard {shard} of a run: it is no {what}", run.name),
            "join the shards with `ceiling merge`, and name the whole run",
        ));
    }
    if asked_instead(&options).is_some() {
        return Err(refused(run, what));
    }
    if let Some(failed) = failures_of(&options) {
        return Err(Error::usage(
            format!("run `{}` asked only what failed in run `{failed}`: it is no {what}", run.name),
            "name a run of all examples; those that failed once look better the next time, whatever changed",
        ));
    }
    Ok(())
}

/// Which part of the suite's examples was asked, in words.
pub(super) fn in_words(options: &Value) -> Option<String> {
    let tags: Vec<String> = tags(options).iter().map(|(name, value)| format!("{name}={value}")).collect();
    let failures = failures_of(options).map(|run| {
        let count = options["examples"].as_array().map_or(0, Vec::len);
        format!("only the {count} examples that FAILED in run {run}, so no rate here is one of the task")
    });
    let shard = options["shard"]["part"].as_str().map(|part| format!("shard {part} alone"));
    let tagged = (!tags.is_empty()).then(|| format!("only examples with {}", tags.join(" and ")));
    let instead = asked_instead(options)
        .map(|split| format!("the {} and not the test examples, so no rate here is one of the task", split.as_str()));
    let parts: Vec<String> = [tagged, failures, instead, shard].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}
