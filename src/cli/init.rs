//! `ceiling init`: looks at labelled data, says what it understood, and writes a suite that passes
//! `check`.

mod ask;
mod folder;
mod say;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::assemble;
use super::exit::Exit;
use super::printer::Printer;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::error::Error;
use crate::init::columns::Profiles;
use crate::init::draft::{self, Draft, Refusal, Wishes};
use crate::init::format::Format;
use crate::init::models::{self, Choice};
use crate::init::{Roles, write};
use crate::provider::load::{ReadCodes, read_text};
use crate::suite::Task;
use crate::suite::check::SHOWN;
use crate::suite::load::LoadOptions;

const READING: ReadCodes =
    ReadCodes { unreadable: "init/unreadable", not_utf8: "init/not-utf8", too_large: "init/too-large" };

/// Days that a model must go on answering to be proposed.
const KEPT_DAYS: i64 = 180;

/// Flags of `ceiling init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The new suite's name: letters, digits, `-`, `_`, `.`, `+`.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Labelled data: CSV, JSON Lines, a promptfoo configuration or tests, OpenAI evals or chat
    /// fine-tuning rows, Inspect samples.
    #[arg(long, value_name = "FILE", env = "CEILING_INIT_FROM")]
    pub from: PathBuf,
    /// What the file is, instead of what it seems to be.
    #[arg(long, value_enum, env = "CEILING_INIT_FORMAT")]
    pub format: Option<FormatChoice>,
    /// The column that is asked; several become the fields of one input.
    #[arg(long, value_name = "COLUMN", env = "CEILING_INIT_INPUT")]
    pub input: Vec<String>,
    /// The column that holds the right answer.
    #[arg(long, value_name = "COLUMN", env = "CEILING_INIT_EXPECTED")]
    pub expected: Option<String>,
    /// The column that names each row; without one that is unique, rows are numbered.
    #[arg(long, value_name = "COLUMN", env = "CEILING_INIT_ID")]
    pub id: Option<String>,
    /// The column that rows share which belong together, such as a customer's.
    #[arg(long, value_name = "COLUMN", env = "CEILING_INIT_CLUSTER")]
    pub cluster: Option<String>,
    /// A column whose values are slices of the report; may be given several times.
    #[arg(long, value_name = "COLUMN", env = "CEILING_INIT_TAG")]
    pub tag: Vec<String>,
    /// The kind of task, instead of what the answers look like.
    #[arg(long, value_enum, env = "CEILING_INIT_TASK")]
    pub task: Option<TaskChoice>,
    /// The share of the rows that few-shot and training draw from, 0 to 0.9.
    #[arg(long, value_name = "SHARE", value_parser = parse_share, env = "CEILING_INIT_POOL_SHARE")]
    pub pool_share: Option<f64>,
    /// Of the lot that splits the rows.
    #[arg(long, value_name = "N", default_value_t = 7, env = "CEILING_INIT_SEED")]
    pub seed: u64,
    /// A model to ask; may be given several times. Without it: those whose provider's key is in the
    /// environment.
    #[arg(long, value_name = "PROVIDER/MODEL", value_delimiter = ',', env = "CEILING_INIT_MODEL")]
    pub model: Vec<String>,
    /// The suite's folder, instead of suites/NAME.
    #[arg(long, short, value_name = "FOLDER", env = "CEILING_INIT_OUTPUT")]
    pub output: Option<PathBuf>,
    /// Write even if the folder is there; it is kept under another name.
    #[arg(long, env = "CEILING_INIT_FORCE")]
    pub force: bool,
    /// Ask nothing: take what was concluded.
    #[arg(long, short, env = "CEILING_INIT_YES")]
    pub yes: bool,
}

/// What a file is, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatChoice {
    /// A header row, then one row an example.
    Csv,
    /// JSON objects, one a line or as a list.
    Jsonl,
    /// A configuration or tests of promptfoo.
    Promptfoo,
    /// Samples of OpenAI evals: `input` and `ideal`.
    OpenaiEvals,
    /// Rows of OpenAI's chat fine-tuning: `messages`.
    OpenaiChat,
    /// Samples of Inspect: `input` and `target`.
    Inspect,
}

impl FormatChoice {
    fn format(self) -> Format {
        match self {
            Self::Csv => Format::Csv,
            Self::Jsonl => Format::Jsonl,
            Self::Promptfoo => Format::Promptfoo,
            Self::OpenaiEvals => Format::OpenaiEvals,
            Self::OpenaiChat => Format::OpenaiChat,
            Self::Inspect => Format::Inspect,
        }
    }
}

/// The kind of task, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TaskChoice {
    /// One of a fixed set of labels.
    Classification,
    /// A record or a list.
    Extraction,
    /// Text, or a number.
    Generation,
}

impl TaskChoice {
    fn task(self) -> Task {
        match self {
            Self::Classification => Task::Classification,
            Self::Extraction => Task::Extraction,
            Self::Generation => Task::Generation,
        }
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=0.9).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to 0.9".into()),
    }
}

/// What came of it, for whoever reads it.
struct Made<'a> {
    draft: &'a Draft,
    choice: &'a Choice,
    from: &'a Path,
    folder: &'a Path,
    files: Vec<String>,
    /// The folder that was there before, under its new name.
    kept: Option<PathBuf>,
    /// What `check` says, and the rows that became no example.
    found: Diagnostics,
}

/// Drafts a suite and writes it.
pub(super) fn init(args: &InitArgs, printer: Printer) -> Result<Exit, Error> {
    check_name(&args.name)?;
    let folder = args.output.clone().unwrap_or_else(|| Path::new("suites").join(&args.name));
    folder::check_free(&folder, args.force)?;
    let source = read_text(&args.from, &READING).map_err(|fault| Error::Input(Diagnostics::from(*fault)))?;
    let format = args.format.map_or_else(|| Format::of(&source), FormatChoice::format);
    let table = crate::init::read(&source, format).map_err(|fault| Error::Input(Diagnostics::from(*fault)))?;
    let profiles = Profiles::of(&table);
    let providers = assemble::providers(&folder)?;
    let choose = |named: &[String]| {
        let until = super::today().saturating_add(jiff::Span::new().days(KEPT_DAYS)).to_string();
        models::choose(&providers, named, &super::keys::environment, &until)
            .map_err(|message| Error::usage(message, "`ceiling providers list` has them all"))
    };
    let mut choice = choose(&args.model)?;
    let said = Roles {
        input: args.input.clone(),
        expected: args.expected.clone(),
        id: args.id.clone(),
        cluster: args.cluster.clone(),
        tags: args.tag.clone(),
    };
    let mut wishes =
        Wishes { roles: said, task: args.task.map(TaskChoice::task), pool_share: args.pool_share, seed: args.seed };
    let asks = !args.yes && !printer.is_json() && ask::is_terminal();
    if asks {
        ask::columns(&table, &profiles, &mut wishes)?;
    }
    let mut drafted = draft::draft(table.clone(), &args.name, &wishes, &profiles).map_err(refused)?;
    if asks && ask::task(&drafted, &mut wishes)? {
        drafted = draft::draft(table, &args.name, &wishes, &profiles).map_err(refused)?;
    }
    if asks && let Some(named) = ask::models(&choice)? {
        choice = choose(&named)?;
    }
    if asks {
        printer.text(&say::understood(&drafted, &choice, &args.from));
        if !ask::goes_on(&folder)? {
            printer.note("nothing was written");
            return Ok(Exit::Done);
        }
    }
    let from = args.from.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let files = write::files(&drafted, &choice, &crate::text::one_line(&from, 200));
    let names = files.iter().map(|(name, _)| name.clone()).collect();
    let (kept, mut found) = folder::write(&folder, &files, &|draft| checked(draft, &providers))?;
    found.extend(left_out(&drafted, &source));
    found.sort();
    let made = Made { draft: &drafted, choice: &choice, from: &args.from, folder: &folder, files: names, kept, found };
    if printer.is_json() {
        printer.value(&say::json(&made));
    } else {
        printer.warnings(&made.found);
        if !asks {
            printer.text(&say::understood(&drafted, &choice, &args.from));
        }
        printer.text(&say::written(&made));
    }
    super::DONE
}

fn refused(refusal: Refusal) -> Error {
    Error::usage(refusal.message, refusal.hint)
}

/// A name that a suite may have and that is one folder.
fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(allowed) {
        let message = format!("`{}` cannot be a suite's name", crate::text::one_line(name, 80));
        return Err(Error::usage(message, "letters, digits, `-`, `_`, `.` and `+`, not beginning with `.`"));
    }
    Ok(())
}

/// What `check` says of a folder; an error is one of ours, or of the data's that was not foreseen.
fn checked(folder: &Path, providers: &crate::provider::load::Providers) -> Result<Diagnostics, Error> {
    Ok(assemble::load_checked(folder, providers, &LoadOptions::default())?.warnings)
}

/// Rows that became no example, the first of them one by one.
fn left_out(draft: &Draft, source: &Source) -> Diagnostics {
    let mut found = Diagnostics::new();
    let warning = |line: u32, message: String| Diagnostic::warning("init/left-out", source.path(), message).at(line, 1);
    for row in draft.left_out.iter().take(SHOWN) {
        found.push(warning(row.line, format!("the row is left out: {}", crate::text::one_line(&row.why, 300))));
    }
    if let Some(next) = draft.left_out.get(SHOWN) {
        let more = draft.left_out.len() - SHOWN;
        found.push(warning(next.line, format!("… and {more} more; left-out.jsonl in the suite has them all")));
    }
    found
}
