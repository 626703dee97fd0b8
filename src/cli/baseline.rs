//! `ceiling baseline`: a run frozen in a file, for the gate.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::args::StoreArgs;
use super::exit::Exit;
use super::gate::kept::Keeping;
use super::gate::sides::{self, GradedRun, ReadSide};
use super::gate::{endpoint_digest, rows_digest, stored, unknown_variant};
use super::output::Output;
use super::printer::Printer;
use super::reporting;
use crate::error::Error;
use crate::gate::baseline::{Baseline, FORMAT, FrozenVariant, lines};
use crate::gate::frozen::FrozenExamples;
use crate::measure::MOST_MISSING;
use crate::store::Store;
use crate::suite::Suite;

/// Flags of `ceiling baseline`.
#[derive(Debug, Clone, Args)]
pub struct BaselineArgs {
    /// The run; `last` is the newest.
    #[arg(value_name = "RUN", default_value = "last")]
    pub run: String,
    /// The file to write. A baseline that is there is replaced: that accepts what the run did.
    #[arg(short, long, value_name = "FILE", env = "CEILING_OUTPUT")]
    pub output: PathBuf,
    /// The variants to freeze (comma-separated), instead of the suite's incumbent.
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "CEILING_VARIANT")]
    pub variant: Vec<String>,
    /// Where the run was measured, in your words, such as `ci-eu-west`: latency is gated only between
    /// measurements of the same place.
    #[arg(long, value_name = "TEXT", env = "CEILING_PLACE")]
    pub place: Option<String>,
    /// The suite's folder, where it is no longer where the run found it.
    #[arg(long, value_name = "FOLDER", env = "CEILING_SUITE")]
    pub suite: Option<PathBuf>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Freezes a run.
pub(super) fn baseline(args: &BaselineArgs, printer: Printer) -> Result<Exit, Error> {
    let store = Store::open_existing(&args.store.store)?;
    let measured = reporting::measured_run(&store, &args.run, args.suite.as_deref())?;
    let suite = &measured.suite;
    super::part::refuse_shard_or_failures(&measured.run, "baseline")?;
    let graded = GradedRun {
        store: &store,
        run: &measured.run,
        suite,
        grader: &measured.grader,
        comparable: stored::times_are_comparable(&measured.run, suite),
        place: args.place.as_deref(),
    };
    let mut frozen = BTreeMap::new();
    let mut examples = FrozenExamples::default();
    let keeping = Keeping::new(&store, &measured)?;
    for name in wanted(&args.variant, suite)? {
        let read = graded.side(&name)?;
        check_whole(&name, &measured.run.name, &read)?;
        let variant = suite.variant(&name).ok_or_else(|| unknown_variant(&name, suite))?;
        keeping.check_unchanged(variant, &read.gate)?;
        let sent = read.facts.sent_unix_ms().unwrap_or_default();
        let facts = FrozenVariant {
            asked_unix_ms: [sent.0, sent.1],
            checks_validity: read.gate.checks_validity,
            endpoint: variant.endpoint.to_string(),
            endpoint_digest: endpoint_digest(&measured.providers, variant)?,
            in_flight: read.facts.in_flight(),
            provenance: read.facts.provenance(),
            repeats: u32::try_from(read.gate.repeats()).unwrap_or(u32::MAX),
            served_models: read.facts.served_models().into_iter().map(str::to_owned).collect(),
            why_no_times: read.gate.why_no_times.clone(),
        };
        examples.freeze(&name, read.gate.examples);
        frozen.insert(name, facts);
    }
    let kept = || suite.variants.iter().filter(|variant| frozen.contains_key(variant.id.as_str()));
    let shots = keeping.shots(kept());
    let leans_on_pool = kept()
        .any(|variant| variant.shots.is_some_and(|shots| shots.k > 0) && !shots.contains_key(variant.id.as_str()));
    let retrieves = kept().any(|variant| variant.retrieve.is_some());
    let baseline = Baseline {
        ceiling_baseline: FORMAT,
        documents: if retrieves { rows_digest::documents(suite)? } else { None },
        examples,
        files: suite.texts.iter().map(|(path, text)| (path.clone(), lines(text))).collect(),
        place: args.place.clone(),
        pool: if leans_on_pool { keeping.pool() } else { None },
        run: measured.run.name.clone(),
        shots,
        suite: suite.name.clone(),
        suite_digest: suite.digest,
        variants: frozen,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut output = Output::open(Some(&args.output), &args.store.store)?;
    let written = baseline.write(&mut output);
    output.close(written)?;
    let names: Vec<&str> = baseline.variants.keys().map(String::as_str).collect();
    let (examples, file) = (baseline.examples.len(), args.output.display());
    printer.text(&format!("{examples} examples of {} in {file}\n", names.join(", ")));
    printer.value(&json!({
        "file": args.output, "run": baseline.run, "suite": baseline.suite, "variants": names, "examples": examples,
    }));
    super::DONE
}

/// The variants that are named, or the incumbent.
fn wanted(named: &[String], suite: &Suite) -> Result<Vec<String>, Error> {
    if !named.is_empty() {
        return match named.iter().find(|name| suite.variant(name).is_none()) {
            Some(unknown) => Err(unknown_variant(unknown, suite)),
            None => Ok(named.to_vec()),
        };
    }
    let in_use = suite.in_use().map(|variant| vec![variant.id.as_str().to_owned()]);
    in_use.ok_or_else(|| {
        Error::usage("the run has no variant that is in use: all are tuned", "name the variant with --variant NAME")
    })
}

/// A baseline with holes would make every later gate lean on what happens to be there.
fn check_whole(name: &str, run: &str, read: &ReadSide) -> Result<(), Error> {
    let (missing, calls) = read.gate.missing();
    if calls == 0 || !sides::has_scores(&read.facts, read.gate.examples.len()) {
        return Err(Error::usage(
            format!("run `{run}` has no scored answer of `{name}`"),
            "`ceiling runs` lists the runs; `ceiling report RUN` shows their variants",
        ));
    }
    if missing as f64 > MOST_MISSING * calls as f64 {
        return Err(Error::usage(
            format!(
                "{missing} of {calls} calls of `{name}` are missing in run `{run}`, more than 1%: it is no baseline"
            ),
            "run the suite again: what is done is kept, and only what is missing is asked",
        ));
    }
    Ok(())
}
