//! Several suites in one go: a report each, and a table of all under them.

use serde_json::json;

use super::{Ended, RunArgs, run_suite};
use crate::cli::exit::Exit;
use crate::cli::interrupts::Interrupts;
use crate::cli::printer::Printer;
use crate::error::Error;
use crate::report::terminal::closing::{Closing, closing};
use crate::report::terminal::{self, Extent};
use crate::report::{Report, json as json_report};
use crate::run::RunError;

/// Runs the suites one after another; of several, the others still run where one cannot.
pub(super) fn run(args: &RunArgs, printer: Printer, interrupts: &Interrupts) -> Result<Exit, Error> {
    let is_one = args.suites.len() == 1;
    let mut exit = Exit::Done;
    let mut documents = Vec::new();
    let mut rows: Vec<(String, Option<Report>, &'static str)> = Vec::new();
    for folder in &args.suites {
        let name = folder.display().to_string();
        if exit == Exit::Interrupted {
            rows.push((name, None, "not begun"));
            continue;
        }
        let ended = match run_suite(args, folder, printer, interrupts) {
            Ok(ended) => ended,
            Err(error) if is_one => return Err(error),
            // What was wrong with this one stands in its place.
            Err(error) => {
                documents.push(json!({"folder": folder, "error": printer.explain(&error)}));
                exit = error.exit();
                rows.push((name, None, ended(exit)));
                continue;
            }
        };
        let Ended { exit: one, report } = ended;
        if let Some(report) = &report {
            let extent = if printer.is_verbose() { Extent::Full } else { Extent::Brief };
            printer.text(&terminal::render(report, extent, printer.look()));
            if !is_one {
                printer.text("\n");
            }
            documents.push(json_report::to_value(report).map_err(|error| RunError::Bug(error.to_string()))?);
        }
        if one != Exit::Done {
            exit = one;
        }
        rows.push((report.as_ref().map_or(name, |report| report.suite.clone()), report, self::ended(one)));
    }
    match documents.len() {
        1 if is_one => printer.value(&documents[0]),
        0 => {}
        _ => printer.value(&serde_json::Value::Array(documents)),
    }
    if !is_one {
        let rows: Vec<Closing<'_>> = rows
            .iter()
            .map(|(suite, report, ended)| Closing { suite: suite.clone(), report: report.as_ref(), ended })
            .collect();
        printer.text(&closing(&rows, printer.look()));
    }
    Ok(exit)
}

fn ended(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "done",
        Exit::WrongInput => "wrong input",
        Exit::Interrupted => "interrupted",
        Exit::GateFailed | Exit::NotEnoughEvidence | Exit::CouldNotFinish => "could not finish",
    }
}
