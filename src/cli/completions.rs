//! `ceiling completions`, `schema` and `man`: what shells, editors and `man` read of flags and files.

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::Shell;

use super::Cli;
use super::exit::Exit;
use super::printer::Printer;
use crate::error::Error;

/// Flags of `ceiling completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// Flags of `ceiling schema`.
#[derive(Debug, Clone, Args)]
pub struct SchemaArgs {
    /// Of which files.
    #[arg(value_enum, value_name = "FILE")]
    pub file: SchemaOf,
}

/// Files that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// suite.toml.
    Suite,
    /// providers/NAME.toml.
    Provider,
}

/// Flags of `ceiling man`.
#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// A command, such as `run` or `providers check`; without it the page of the program.
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Prints the script that a shell sources.
pub(super) fn completions(args: &CompletionsArgs, printer: Printer) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ceiling", &mut script);
    printer.data(&String::from_utf8_lossy(&script));
    super::DONE
}

/// Prints a schema, for the `#:schema FILE` line that editors heed.
pub(super) fn schema(args: &SchemaArgs, printer: Printer) -> Result<Exit, Error> {
    printer.data(match args.file {
        SchemaOf::Suite => include_str!("../../docs/reference/suite.schema.json"),
        SchemaOf::Provider => include_str!("../../docs/reference/provider.schema.json"),
    });
    super::DONE
}

/// Prints a page in roff, for `man -l -`.
pub(super) fn man(args: &ManArgs, printer: Printer) -> Result<Exit, Error> {
    let mut root = Cli::command();
    root.build();
    let mut page = root.clone();
    for name in &args.command {
        let found = page.find_subcommand(name).cloned();
        let known = page.get_subcommands().map(|command| command.get_name().to_owned()).collect::<Vec<_>>();
        page = found.ok_or_else(|| {
            let hint = if known.is_empty() { "it has none".to_owned() } else { format!("one of {}", known.join(", ")) };
            Error::usage(format!("there is no command `{name}`"), hint)
        })?;
    }
    // Pages are named after the whole command: ceiling-providers-check.
    let name = std::iter::once("ceiling").chain(args.command.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
    let mut text = Vec::new();
    clap_mangen::Man::new(page.display_name(name))
        .render(&mut text)
        .map_err(|error| Error::System { what: "failed to write the page".into(), error })?;
    printer.data(&String::from_utf8_lossy(&text));
    super::DONE
}
