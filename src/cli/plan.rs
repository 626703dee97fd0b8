//! `ceiling plan`: what a run would cost, how long it would take and what it could show. Nothing is
//! sent, and no key is needed.

mod build;
mod gather;
mod known;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::args::{SelectionArgs, StoreArgs};
use super::assemble;
use super::exit::Exit;
use super::part::{Part, PartArgs};
use super::printer::Printer;
use super::retrieval::{self, Retrieval};
use crate::error::Error;
use crate::plan::needs::Expectation;
use crate::plan::preview::Preview;
use crate::report::plan as report;
use crate::run::RunError;
use crate::store::Store;

/// Flags of `ceiling plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// Folders of suites, such as suites/outages.
    #[arg(required = true, value_name = "SUITE")]
    pub suites: Vec<PathBuf>,
    /// Which part of the suites, asked of whom.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Which part of the examples.
    #[command(flatten)]
    pub part: PartArgs,
    /// Where earlier answers are looked up.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Plan to ask again, whatever the store has.
    #[arg(long, env = "CEILING_FRESH")]
    pub fresh: bool,
    /// Ask each example this many times, instead of what the suite says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), env = "CEILING_REPEATS")]
    pub repeats: Option<u32>,
    /// The accuracy that you expect, from 0 to 1: how many examples settle the target then. Without
    /// it, what the newest run in the store measured.
    #[arg(long, value_name = "RATE", value_parser = parse_rate, allow_negative_numbers = true, env = "CEILING_EXPECT")]
    pub expect: Option<f64>,
    /// The share of valid answers that you expect, from 0 to 1.
    #[arg(long, value_name = "RATE", value_parser = parse_rate, allow_negative_numbers = true, env = "CEILING_EXPECT_VALIDITY")]
    pub expect_validity: Option<f64>,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err("expected a share from 0 to 1, such as 0.93".into()),
    }
}

/// Plans the suites one after another.
pub(super) fn plan(args: &PlanArgs, printer: Printer) -> Result<Exit, Error> {
    let mut exit = Exit::Done;
    let mut documents = Vec::new();
    for folder in &args.suites {
        match plan_suite(args, folder, printer) {
            Ok(preview) => {
                printer.text(&report::render(&preview, printer.width()));
                documents.push(serde_json::to_value(&preview).map_err(|error| RunError::Bug(error.to_string()))?);
            }
            Err(error) if args.suites.len() == 1 => return Err(error),
            // Of several suites the others are still planned.
            Err(error) => {
                documents.push(json!({"folder": folder, "error": printer.explain(&error)}));
                exit = error.exit();
            }
        }
    }
    match documents.as_slice() {
        [one] if args.suites.len() == 1 => printer.value(one),
        _ => printer.value(&serde_json::Value::Array(documents)),
    }
    Ok(exit)
}

fn plan_suite(args: &PlanArgs, folder: &Path, printer: Printer) -> Result<Preview, Error> {
    let providers = assemble::providers(folder)?;
    let part = Part::of(&args.part, &args.selection, (folder, &args.store.store), printer)?;
    let loaded = assemble::load_checked(folder, &providers, &part.load_options(&args.selection))?;
    let mut suite = loaded.suite;
    suite.repeats = args.repeats.unwrap_or(suite.repeats);
    assemble::refuse_imported(&suite, &providers)?;
    let mut warnings = loaded.warnings;
    for fault in crate::suite::check::missing_keys(&suite, &providers, &super::keys::environment) {
        warnings.push(fault.as_warning());
    }
    // Without a store nothing is known; planning makes none.
    let store = if args.store.store.exists() { Store::open_existing(&args.store.store)? } else { Store::in_memory()? };
    let retrieval = Retrieval::stored(&suite, &providers, &store, None)?;
    let known = known::known(&suite, &providers, &store, &retrieval)?;
    let examples = gather::Examples::read(&suite)?;
    let pool = assemble::pool(&suite)?;
    let recording = assemble::recording(&suite, &providers)?;
    let desk = gather::Desk {
        suite: &suite,
        providers: &providers,
        store: &store,
        retrieval: &retrieval,
        pool: &pool,
        recording: recording.as_ref().map(|(recording, digest)| (&**recording, *digest)),
        fresh: args.fresh,
    };
    let vectors = retrieval::to_buy(&suite, &providers, &store)?;
    let expected = Expectation { accuracy: args.expect, validity: args.expect_validity };
    build::preview(&desk, &examples, known, &vectors, expected, &warnings)
}
