//! The door to keys: the environment, and behind it the `.env` file of the current folder.
//!
//! Only keys that providers name are looked up in it. It never overrides the environment, and nothing
//! of it goes into the environment: child processes do not get it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::OnceLock;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::printer::Printer;

/// The file, in the current folder.
const FILE: &str = ".env";

/// A file beyond this is not one of keys.
const MOST_BYTES: u64 = 1024 * 1024;

/// Where keys may come from.
#[derive(Debug, Clone, Args)]
pub struct KeyArgs {
    /// Do not look for keys of providers in the file `.env` of the current folder.
    #[arg(long, global = true, env = "CEILING_NO_ENV_FILE")]
    pub no_env_file: bool,
}

type Variables = BTreeMap<String, SecretString>;

/// What the file has, once it was read.
static VARIABLES: OnceLock<Variables> = OnceLock::new();

/// Reads the file, where there is one and it is wanted. Nothing is looked up in it before. Other programs keep
/// theirs there, too: what cannot be read of it is said, and stops only who wants a key that it would have.
pub(super) fn read_env_file(args: &KeyArgs, printer: Printer) {
    // A folder of this name is a Python environment.
    let is_wanted = !args.no_env_file && Path::new(FILE).is_file();
    let read = if is_wanted { read(Path::new(FILE)) } else { Ok(Read::default()) };
    let (variables, said) = match read {
        Ok(Read { variables, faults }) => (variables, faults_in_words(&faults)),
        Err(what) => (Variables::new(), Some(format!("`{FILE}` is not read: {what}"))),
    };
    if let Some(said) = said {
        printer
            .warning(&said, "lines are NAME=VALUE, NAME='VALUE' or # a comment; --no-env-file leaves the file alone");
    }
    // Set once a process: commands do not call each other.
    let _ = VARIABLES.set(variables);
}

fn faults_in_words(faults: &[(usize, String)]) -> Option<String> {
    let (line, what) = faults.first()?;
    let more = if faults.len() > 1 { format!("; nor {} more", faults.len() - 1) } else { String::new() };
    Some(format!("`{FILE}` line {line} is not read: {what}{more}"))
}

fn read(path: &Path) -> Result<Read, String> {
    let size = std::fs::metadata(path).map_or(0, |file| file.len());
    if size > MOST_BYTES {
        return Err(format!("it has {size} bytes, too many for a file of keys"));
    }
    #[expect(clippy::disallowed_methods, reason = "keys may come from the .env file, and only here")]
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok(parse(&text))
}

/// A variable of the environment, or else of the file.
pub(super) fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "keys come from the environment, and only here")]
    if let Some(value) = std::env::var_os(name) {
        return value.into_string().ok();
    }
    let value = VARIABLES.get()?.get(name)?;
    tracing::info!(name, "taken from {FILE}");
    Some(value.expose_secret().to_owned())
}

/// What a file says.
#[derive(Default)]
struct Read {
    variables: Variables,
    /// Lines that are unclear, and what is wrong there, never what they say.
    faults: Vec<(usize, String)>,
}

/// Reads a file line by line. A variable that is set twice is as unclear as one that cannot be read: it is not set.
fn parse(text: &str) -> Read {
    let mut read = Read::default();
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match parse_line(line) {
            Err(what) => read.faults.push((number, what)),
            Ok((name, value)) => match lines.entry(name) {
                Entry::Occupied(first) => {
                    let (name, first) = (first.key(), first.get());
                    read.variables.remove(name);
                    let what = format!("`{name}` is set a second time; the first is in line {first}");
                    read.faults.push((number, what));
                }
                Entry::Vacant(new) => {
                    read.variables.insert(new.key().clone(), value.into());
                    new.insert(number);
                }
            },
        }
    }
    read
}

fn parse_line(line: &str) -> Result<(String, String), String> {
    let line = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(line);
    let Some((name, value)) = line.split_once('=') else { return Err("there is no `=`".to_owned()) };
    let name = name.trim();
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(in_name) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("before the `=` there is no name of letters, digits and `_`".to_owned());
    }
    let value = parse_value(value.trim()).map_err(|what| format!("`{name}`: {what}"))?;
    Ok((name.to_owned(), value))
}

fn parse_value(text: &str) -> Result<String, String> {
    let expands = || Err("`$` and backticks are not expanded; put the value into single quotes".to_owned());
    if let Some(rest) = text.strip_prefix('\'') {
        let (value, after) = rest.split_once('\'').ok_or("the quote is not closed in its line")?;
        return ends(after).map(|()| value.to_owned());
    }
    if let Some(rest) = text.strip_prefix('"') {
        let mut value = String::new();
        let mut chars = rest.chars();
        loop {
            match chars.next() {
                Some('"') => return ends(chars.as_str()).map(|()| value),
                Some('$' | '`') => return expands(),
                Some('\\') => match chars.next() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => value.push(c),
                    Some('n') => value.push('\n'),
                    _ => return Err("after `\\` comes one of `\"`, `\\`, `$`, `` ` `` and `n`".to_owned()),
                },
                Some(c) => value.push(c),
                None => return Err("the quote is not closed in its line".to_owned()),
            }
        }
    }
    let end = if text.starts_with('#') { 0 } else { text.find(" #").unwrap_or(text.len()) };
    let value = text[..end].trim();
    match value.chars().find(|c| c.is_whitespace() || "\"'\\$`".contains(*c)) {
        None => Ok(value.to_owned()),
        Some('$' | '`') => expands(),
        Some(_) => Err("a value with spaces, quotes or `\\` needs quotes around it".to_owned()),
    }
}

/// After a closing quote only a comment may follow.
fn ends(after: &str) -> Result<(), String> {
    let after = after.trim_start();
    if after.is_empty() || after.starts_with('#') {
        Ok(())
    } else {
        Err("something follows the closing quote".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> String {
        parse(text).variables["KEY"].expose_secret().to_owned()
    }

    #[test]
    fn values_are_read_as_shells_would() {
        for (text, value) in [
            ("KEY=sk-1", "sk-1"),
            ("\u{feff}# keys\r\n\r\nexport KEY = sk-1 # mine\r\n", "sk-1"),
            ("KEY=", ""),
            ("KEY= # none yet", ""),
            ("KEY= #none #yet", ""),
            ("KEY=a#b=c", "a#b=c"),
            ("KEY='a $b \"c\" \\n'", "a $b \"c\" \\n"),
            ("KEY=\"a \\$b \\\"c\\\"\" # mine", "a $b \"c\""),
            ("OTHER=1\nKEY=2", "2"),
        ] {
            assert_eq!(one(text), value, "{text:?}");
        }
    }

    #[test]
    fn what_is_unclear_is_a_fault_that_never_shows_the_value() {
        for (text, line, what) in [
            ("A=1\nsecret", 2, "no `=`"),
            ("1A=secret", 1, "no name"),
            ("A B=secret", 1, "no name"),
            ("A=secret secret", 1, "needs quotes"),
            ("A='secret", 1, "not closed"),
            ("A=\"secret", 1, "not closed"),
            ("A='secret'secret", 1, "follows the closing quote"),
            ("A=$secret", 1, "not expanded"),
            ("A=\"${secret}\"", 1, "not expanded"),
            ("A=\"\\secret\"", 1, "after `\\`"),
            ("A=secret\n\nA=secret", 3, "the first is in line 1"),
        ] {
            let Read { variables, faults } = parse(text);
            let [(number, message)] = faults.as_slice() else { panic!("{text:?}: {faults:?}") };
            assert_eq!(*number, line, "{text:?}");
            assert!(variables.keys().all(|name| text == "A=1\nsecret" && name == "A"), "{text:?}");
            assert!(message.contains(what) && !message.contains("secret"), "{text:?}: {message}");
        }
    }
}
