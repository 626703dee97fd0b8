//! Flags as they are read: from the command line, and behind it from the environment.

use clap::builder::{BoolishValueParser, Resettable};
use clap::{Arg, ArgAction, Command, CommandFactory as _, FromArgMatches as _};

use super::Cli;
use super::keys::environment;

/// Reads the flags; explains on stderr what cannot be read of them, and ends the process.
pub fn read() -> Cli {
    let mut matches = lenient(Cli::command()).get_matches();
    Cli::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.format(&mut Cli::command()).exit())
}

/// A variable that is there but empty says nothing: so CI systems write one that nobody set. And a flag's
/// variable says yes and no in any usual way.
fn lenient(command: Command) -> Command {
    command.mut_args(read_from_environment).mut_subcommands(lenient)
}

fn read_from_environment(flag: Arg) -> Arg {
    let Some(name) = flag.get_env() else { return flag };
    if name.to_str().and_then(environment).is_some_and(|value| value.is_empty()) {
        return flag.env(Resettable::Reset);
    }
    match flag.get_action() {
        ArgAction::SetTrue => flag.value_parser(BoolishValueParser::new()),
        _ => flag,
    }
}
