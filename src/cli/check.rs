//! `ceiling check`: every fault at once, before anything is asked.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::args::SelectionArgs;
use super::assemble;
use super::exit::Exit;
use super::printer::Printer;
use crate::diagnostic::Diagnostics;
use crate::error::Error;

/// Flags of `ceiling check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Folders of suites.
    #[arg(required = true, value_name = "SUITE")]
    pub suites: Vec<PathBuf>,
    /// Which part of the suites, asked of whom.
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// Checks the suites; all faults of all suites are listed.
pub(super) fn check(args: &CheckArgs, printer: Printer) -> Result<Exit, Error> {
    let mut found = Diagnostics::new();
    let mut checked = Vec::new();
    for folder in &args.suites {
        let providers = match assemble::providers(folder) {
            Ok(providers) => providers,
            Err(Error::Input(faults)) => {
                found.extend(faults);
                continue;
            }
            Err(other) => return Err(other),
        };
        match assemble::load_checked(folder, &providers, &assemble::load_options(&args.selection)) {
            Ok(loaded) => {
                let missing = crate::suite::check::missing_keys(&loaded.suite, &providers, &super::keys::environment);
                missing.into_iter().for_each(|fault| found.push(fault.as_warning()));
                found.extend(loaded.warnings);
                checked.push(loaded.suite);
            }
            Err(Error::Input(faults)) => found.extend(faults),
            Err(other) => return Err(other),
        }
    }
    found.sort();
    let (errors, warnings) = (found.errors(), found.warnings());
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    if printer.is_json() {
        printer.value(&json!({"errors": errors, "warnings": warnings, "diagnostics": found.to_json()}));
    } else {
        printer.warnings(&found);
        for suite in &checked {
            printer.text(&format!(
                "{}: {} variant{}, {} prompt{}: can run\n",
                suite.name,
                suite.variants.len(),
                plural(suite.variants.len()),
                suite.prompts.len(),
                plural(suite.prompts.len())
            ));
        }
        printer.text(&format!("{errors} error{}, {warnings} warning{}\n", plural(errors), plural(warnings)));
    }
    Ok(if errors > 0 { Exit::WrongInput } else { Exit::Done })
}
