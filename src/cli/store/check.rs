//! `ceiling store check`: whether everything can be read.

use clap::Args;
use serde_json::json;

use crate::cli::args::StoreArgs;
use crate::cli::exit::Exit;
use crate::cli::printer::Printer;
use crate::error::Error;
use crate::store::Store;
use crate::text::printable;
use crate::units::group_thousands;

/// Flags of `ceiling store check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Looks at everything and changes nothing.
pub(super) fn check(args: &CheckArgs, printer: Printer) -> Result<Exit, Error> {
    let found = Store::open_to_read(&args.store.store)?.check_all()?;
    let is_sound = found.fault_count == 0;
    printer.value(&json!({"store": args.store.store, "sound": is_sound, "checked": found}));
    let count = |number: u64| group_thousands(number.into());
    printer.text(&format!(
        "{}: {} runs, {} trials, {} exchanges, {} examples, {} dictionaries\n",
        args.store.store.display(),
        count(found.runs),
        count(found.trials),
        count(found.exchanges),
        count(found.examples),
        count(found.dictionaries)
    ));
    if is_sound {
        printer.text("everything can be read\n");
        return Ok(Exit::Done);
    }
    for fault in &found.faults {
        printer.text(&format!("{}: {}\n", fault.of, printable(&fault.message)));
    }
    let untold = found.fault_count - found.faults.len() as u64;
    if untold > 0 {
        printer.text(&format!("and {} more\n", count(untold)));
    }
    printer.note(
        "hint: `ceiling store export RUN -o FILE` saves a run that can still be read; \
         `ceiling store prune RUN` removes one that cannot",
    );
    Ok(Exit::WrongInput)
}
