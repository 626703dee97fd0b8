//! Stdout is data, stderr is talk: the one place that decides what may be printed.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::args::OutputArgs;
use super::exit::Exit;
use crate::diagnostic::{Diagnostics, Style};
use crate::error::Error;
use crate::report::look::{Look, Tone};

/// Columns where the terminal does not say how many it has.
const DEFAULT_WIDTH: usize = 100;

/// Columns of a pipe or a log: wide enough for the whole scoreboard.
const PIPE_WIDTH: usize = 200;

/// What COLUMNS may say of a pipe; what is said beyond is taken as the nearest of these.
const FEWEST_COLUMNS: usize = 40;
const MOST_COLUMNS: usize = 1000;

/// What the user asked to see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    json: bool,
    quiet: bool,
    verbose: bool,
    /// Whether stderr takes colours.
    colour: bool,
}

impl Printer {
    /// A printer that does what the flags and the terminal say.
    pub(super) fn new(output: &OutputArgs) -> Self {
        let colour = colours(std::io::stderr().is_terminal());
        Self { json: output.json, quiet: output.quiet, verbose: output.verbose > 0, colour }
    }

    /// Whether stdout is for machines.
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Whether progress is wanted.
    pub(super) fn shows_progress(self) -> bool {
        !self.quiet
    }

    /// Whether every section is wanted.
    pub(super) fn is_verbose(self) -> bool {
        self.verbose
    }

    /// Columns of stdout.
    pub(super) fn width(self) -> usize {
        if std::io::stdout().is_terminal() {
            return columns(&console::Term::stdout());
        }
        let said = custom("COLUMNS").and_then(|columns| columns.parse::<usize>().ok()).filter(|columns| *columns > 0);
        said.map_or(PIPE_WIDTH, |columns| columns.clamp(FEWEST_COLUMNS, MOST_COLUMNS))
    }

    /// How text is drawn on stdout.
    pub(super) fn look(self) -> Look {
        Look { width: self.width(), colour: colours(std::io::stdout().is_terminal()) }
    }

    /// Text for people on stdout; nothing with --json.
    pub(super) fn text(self, text: &str) {
        if !self.json {
            write_stdout(text);
        }
    }

    /// One JSON value on stdout; nothing without --json.
    pub(super) fn value(self, value: &Value) {
        if self.json {
            write_stdout(&format!("{value}\n"));
        }
    }

    /// What a command makes, whoever reads it, on stdout.
    pub(super) fn data(self, text: &str) {
        write_stdout(text);
    }

    /// Talk on stderr; nothing with -q.
    pub(super) fn note(self, text: &str) {
        if !self.quiet {
            write_stderr(&format!("{text}\n"));
        }
    }

    /// What was left aside and may be missed, on stderr: with -q, too.
    pub(super) fn warning(self, text: &str, hint: &str) {
        let word = Look { width: 0, colour: self.colour }.paint(Tone::Unsure, "warning");
        write_stderr(&format!("{word}: {text}\nhint: {hint}\n"));
    }

    /// Commands to whoever runs the program, on stderr, whatever is to be said to people.
    pub(super) fn command(self, lines: &str) {
        write_stderr(lines);
    }

    /// Faults of the user's files: as text on stderr, or as JSON on stdout.
    pub(super) fn faults(self, faults: &Diagnostics) {
        if self.json {
            write_stdout(&format!("{}\n", json!({"diagnostics": faults.to_json()})));
        } else {
            self.warnings(faults);
        }
    }

    /// Warnings on stderr.
    pub(super) fn warnings(self, faults: &Diagnostics) {
        if !faults.is_empty() {
            write_stderr(&faults.render(if self.colour { Style::Coloured } else { Style::Plain }));
        }
    }

    /// What went wrong: on stderr for people, and as JSON for whoever places it in a document.
    pub(super) fn explain(self, error: &Error) -> Value {
        Self { json: false, ..self }.error(error);
        match error {
            Error::Input(faults) => json!({"diagnostics": faults.to_json()}),
            error => json!({"message": error.to_string(), "hint": error.hint()}),
        }
    }

    /// What went wrong: as JSON on stdout with --json, else on stderr.
    pub(super) fn error(self, error: &Error) {
        match error {
            Error::Input(faults) => self.faults(faults),
            error if self.json => {
                write_stdout(&format!("{}\n", json!({"error": {"message": error.to_string(), "hint": error.hint()}})));
            }
            error => {
                let word = Look { width: 0, colour: self.colour }.paint(Tone::Bad, "error");
                let hint = error.hint().map_or(String::new(), |hint| format!("hint: {hint}\n"));
                write_stderr(&format!("{word}: {error}\n{hint}"));
            }
        }
    }
}

/// Columns of a terminal; some say that they have none.
pub(super) fn columns(terminal: &console::Term) -> usize {
    let known = terminal.size_checked().map(|(_, columns)| usize::from(columns)).filter(|columns| *columns > 0);
    known.unwrap_or(DEFAULT_WIDTH)
}

/// A terminal that takes neither colours nor a moving cursor.
pub(super) fn is_dumb() -> bool {
    custom("TERM").is_some_and(|term| term == "dumb")
}

/// Whether colours are wanted: never with NO_COLOR, else on a terminal, or anywhere with CLICOLOR_FORCE.
fn colours(terminal: bool) -> bool {
    let asked = custom("CLICOLOR_FORCE").is_some_and(|force| force != "0");
    custom("NO_COLOR").is_none() && (asked || (terminal && !is_dumb()))
}

/// Whether a flag's variable is set in the environment, where a value need not be meant for this very call.
pub(super) fn is_set(name: &str) -> bool {
    custom(name).is_some()
}

/// A variable of the environment that is not empty.
fn custom(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "customs of terminals, no flags of ours")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The first thing that stdout did not take.
static NOT_WRITTEN: OnceLock<std::io::Error> = OnceLock::new();

/// A reader that has gone away is no error of ours; anything else is told at the end.
fn write_stdout(text: &str) {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => drop(NOT_WRITTEN.set(error)),
        _ => {}
    }
}

/// How a command ends of which not everything could be said: what a full disk did not take is missed by
/// whoever reads it.
pub(super) fn ended(exit: Exit) -> Exit {
    let Some(error) = NOT_WRITTEN.get() else { return exit };
    write_stderr(&format!("error: failed to write to stdout: {error}\n"));
    if exit == Exit::Interrupted { exit } else { Exit::CouldNotFinish }
}

fn write_stderr(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
