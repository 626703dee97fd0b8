//! `ceiling gate --calibrate K`: the unchanged system against itself.

use super::sides::GradedRun;
use super::{GateArgs, levels, load_checked, selection};
use crate::cli::assemble;
use crate::cli::exit::Exit;
use crate::cli::interrupts::Interrupts;
use crate::cli::printer::Printer;
use crate::cli::run::RunArgs;
use crate::cli::run::asking;
use crate::error::Error;
use crate::gate::calibrate::{calibrate as against_itself, repeats_needed};
use crate::measure::RunProvenance;
use crate::measure::grade::Grader;
use crate::provider::load::Providers;
use crate::report::gate::calibration::{CalibrationReport, text};
use crate::run::RunError;
use crate::store::Store;

/// Asks each example often enough for so many pairs, and gates the pairs.
pub(super) fn calibrate(
    args: &GateArgs,
    pairs: u32,
    providers: &Providers,
    printer: Printer,
    interrupts: &Interrupts,
) -> Result<Exit, Error> {
    let mut suite = load_checked(args, providers, printer)?;
    let each = suite.repeats.max(1);
    suite.repeats = repeats_needed(pairs, each);
    let names: Vec<String> = suite.variants.iter().map(|variant| variant.id.as_str().to_owned()).collect();
    let run_args = RunArgs {
        fresh: args.fresh,
        recorded_only: args.recorded_only,
        pace: args.pace,
        concurrency: args.concurrency,
        max_cost: args.max_cost,
        ..RunArgs::plain(&args.suite, selection(args, &names), args.store.clone())
    };
    let answered = asking::ask(&run_args, (&suite, providers), printer, interrupts)?;
    if answered.exit != Exit::Done {
        return Ok(answered.exit);
    }
    let store = Store::open_existing(&args.store.store)?;
    let grader = Grader::new(&suite, &assemble::endpoint_facts(&suite, providers)?)?;
    let place = Some("this run");
    let graded =
        GradedRun { store: &store, run: &answered.run, suite: &suite, grader: &grader, comparable: false, place };
    let mut report = CalibrationReport {
        suite: suite.name.clone(),
        run: answered.run.name.clone(),
        calibrations: Vec::new(),
        notes: Vec::new(),
    };
    for name in &names {
        let side = graded.side(name)?;
        if side.facts.provenance() != RunProvenance::Live {
            report.notes.push(format!(
                "answers of `{name}` are RECORDED, and a recording may give one answer to every repeat: this says \
                 nothing about a live system"
            ));
        }
        report.calibrations.push(against_itself((name, &side.gate), (pairs, each), &suite.gate, &levels(&suite)));
    }
    printer.text(&text(&report));
    if printer.is_json() {
        printer.value(&serde_json::to_value(&report).map_err(|error| RunError::Bug(error.to_string()))?);
    }
    crate::cli::DONE
}
