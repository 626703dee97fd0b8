//! `ceiling calc`: the statistics as a calculator, JSON in and JSON out.

use std::fmt;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::exit::Exit;
use super::printer::Printer;
use crate::calc::{self, CalcError, render};
use crate::error::Error;
use crate::text;

/// Characters of the input that an error shows.
const SHOWN: usize = 20;

/// Flags of `ceiling calc`.
#[derive(Debug, Clone, Args)]
pub struct CalcArgs {
    /// Which statistic; `ceiling calc --list` shows them.
    #[arg(value_name = "METHOD")]
    pub method: Option<String>,
    /// Read the input from this file; without it, or with `-`, from stdin.
    #[arg(long, value_name = "FILE", env = "CEILING_INPUT")]
    pub input: Option<PathBuf>,
    /// Show what each method takes, gives and answers, and its source; with METHOD, that one whole
    /// with its formula and an example.
    #[arg(long, env = "CEILING_LIST")]
    pub list: bool,
    /// With --list: the page docs/reference/calc.md.
    #[arg(long, hide = true, requires = "list")]
    pub markdown: bool,
}

/// Computes, or lists.
pub(super) fn calc(args: &CalcArgs, printer: Printer) -> Result<Exit, Error> {
    let method = match &args.method {
        Some(name) => Some(calc::method(name).ok_or_else(|| CalcError::unknown_method(name))?),
        None => None,
    };
    if args.list {
        list(method, args.markdown, printer);
        return super::DONE;
    }
    let Some(method) = method else {
        return Err(Error::usage(
            "no method is named",
            "`ceiling calc --list` shows them; try: echo '{\"x\": 88, \"n\": 100}' | ceiling calc wilson",
        ));
    };
    let bytes = match args.input.as_deref() {
        Some(path) if path != Path::new("-") => read_file(path)?,
        _ => read_stdin(method, printer)?,
    };
    let answer = Value::Object(calc::run(method.name, &parse(&bytes)?)?);
    printer.value(&answer);
    printer.text(&format!("{answer:#}\n"));
    super::DONE
}

fn list(method: Option<&'static calc::Method>, markdown: bool, printer: Printer) {
    let methods = method.map_or(calc::METHODS, std::slice::from_ref);
    printer.value(&render::to_json(methods));
    match method {
        _ if markdown => printer.text(&render::markdown()),
        Some(method) => printer.text(&render::detail(method)),
        None => printer.text(&render::list()),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    #[expect(clippy::disallowed_methods, reason = "the one file that this command reads is named by its flag")]
    std::fs::read(path).map_err(|error| {
        let message = format!("failed to read `{}`: {error}", path.display());
        Error::usage(message, "--input names a file with one JSON object; without it stdin is read")
    })
}

fn read_stdin(method: &calc::Method, printer: Printer) -> Result<Vec<u8>, Error> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        printer.note(&format!(
            "reading one JSON object from the terminal, such as {}; Ctrl-D ends it",
            text::one_line(method.example, 200)
        ));
    }
    let mut bytes = Vec::new();
    stdin.read_to_end(&mut bytes).map_err(|error| Error::System { what: "failed to read stdin".into(), error })?;
    Ok(bytes)
}

/// The one JSON object of an input.
fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    let hint = "expected one JSON object, such as {\"x\": 88, \"n\": 100}";
    let text = std::str::from_utf8(bytes).map_err(|_| Error::usage("the input is not UTF-8 text", hint))?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Err(Error::usage("the input is empty", hint));
    }
    serde_json::from_str::<Object>(text).map(|object| object.0).map_err(|error| {
        let message = match not_a_number(text) {
            Some(word) => format!("`{word}` is no number in JSON: every number must be finite"),
            None => format!("the input is not one JSON object: {error}"),
        };
        Error::usage(message, hint)
    })
}

/// The first word outside strings that means "not a number" or "infinite".
fn not_a_number(text: &str) -> Option<String> {
    // Every second piece between quotes is a string; an escaped quote is taken out first.
    let text = text.replace("\\\\", "").replace("\\\"", "");
    let outside = text.split('"').step_by(2);
    let words = outside.flat_map(|piece| piece.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '+' | '.'))));
    let names = ["nan", "inf", "infinity"];
    let mut found = words.filter(|word| names.contains(&word.trim_start_matches(['-', '+']).to_lowercase().as_str()));
    found.next().map(|word| text::one_line(word, SHOWN))
}

/// An object in which no key stands twice: JSON leaves open which of the two would count.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
                let mut fields = Map::new();
                while let Some((key, value)) = access.next_entry::<String, Value>()? {
                    if let Some(twice) = fields.insert(key.clone(), value).map(|_| text::one_line(&key, SHOWN)) {
                        return Err(serde::de::Error::custom(format!("`{twice}` is given twice")));
                    }
                }
                Ok(Object(fields))
            }
        }
        from.deserialize_map(Fields)
    }
}
