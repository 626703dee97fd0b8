//! `ceiling import`: another tool's results as a run, with a suite that grades it.

mod folder;
mod graded;
mod said;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::args::StoreArgs;
use super::exit::Exit;
use super::printer::Printer;
use crate::diagnostic::Diagnostics;
use crate::digest::Digest;
use crate::error::Error;
use crate::import::suite_files::PROVIDER;
use crate::import::survey::{Names, Survey, slug};
use crate::import::{self, Found, Options, Places, Reading, Row};
use crate::run::RunError;
use crate::store::{NewRun, RunRow, Store, StoreError, Write};
use crate::text::one_line;
use crate::trial::{Trial, TrialRecord};
use folder::Folder;
use graded::{Grading, Placed};

/// Flags of `ceiling import`.
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// The results: promptfoo's or Inspect's JSON, lm-eval's samples, NeMo Evaluator's results, plain JSON Lines.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Whose results they are, where the file does not tell.
    #[arg(long, value_enum, env = "CEILING_FORMAT")]
    pub format: Option<Format>,
    /// Grade the answers anew by this suite; without it the scores are those that the file states.
    #[arg(long, value_name = "FOLDER", env = "CEILING_SUITE", conflicts_with_all = ["output", "score"])]
    pub suite: Option<PathBuf>,
    /// The folder to write the suite into that goes with the run (default: beside FILE, ending in .suite).
    #[arg(short, long, value_name = "FOLDER", env = "CEILING_OUTPUT")]
    pub output: Option<PathBuf>,
    /// The variant's name, where the file has one variant; `THEIRS=OURS` where it has several.
    #[arg(long, value_name = "NAME", env = "CEILING_VARIANT")]
    pub variant: Vec<String>,
    /// The score that stands for accuracy.
    #[arg(long, value_name = "NAME", env = "CEILING_SCORE")]
    pub score: Option<String>,
    /// Where a row has the example's id: a JSON Pointer.
    #[arg(long, value_name = "POINTER", env = "CEILING_ID")]
    pub id: Option<String>,
    /// Where a row has what was asked about: a JSON Pointer.
    #[arg(long, value_name = "POINTER", env = "CEILING_INPUT")]
    pub input: Option<String>,
    /// Where a row has the right answer: a JSON Pointer.
    #[arg(long, value_name = "POINTER", env = "CEILING_EXPECTED")]
    pub expected: Option<String>,
    /// What tells examples apart.
    #[arg(long, value_enum, default_value_t = Ids::Stated, env = "CEILING_IDS")]
    pub ids: Ids,
    /// The filter whose scores are taken, of lm-eval's samples (default: the file's first).
    #[arg(long, value_name = "NAME", env = "CEILING_FILTER")]
    pub filter: Option<String>,
    /// Whether the stated times may be compared between variants and with a target.
    #[arg(long, value_enum, default_value_t = Latency::Indicative, env = "CEILING_LATENCY")]
    pub latency: Latency,
    /// Leave out rows that cannot be read, and count them.
    #[arg(long, env = "CEILING_SKIP_BAD")]
    pub skip_bad: bool,
    /// Import a file once more that is in the store already.
    #[arg(long, env = "CEILING_AGAIN")]
    pub again: bool,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Whose results a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// promptfoo's `eval -o results.json`.
    Promptfoo,
    /// promptfoo's `eval -o results.jsonl`.
    PromptfooLines,
    /// An Inspect log as JSON.
    Inspect,
    /// lm-eval's `samples_*.jsonl`.
    LmEval,
    /// NeMo Evaluator's `results.jsonl`.
    Nemo,
    /// One object a trial, as `ceiling report --format jsonl` writes it.
    Plain,
}

/// What tells examples apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ids {
    /// The ids that the file states.
    Stated,
    /// The inputs: so two tools' runs are paired whose ids differ.
    Input,
}

/// What the stated times are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Latency {
    /// Real times, but of who knows which load.
    Indicative,
    /// Measured with care, one variant like the other.
    Comparable,
}

/// A file that is being imported.
struct Import<'a> {
    args: &'a ImportArgs,
    format: import::Format,
    options: Options,
    digest: Digest,
    survey: Survey,
    /// Our names of the survey's variants.
    names: Vec<String>,
    /// From where the answers come, as every report says it.
    setting: String,
}

/// Imports a file: looks through all of it, then writes the suite's folder and the run.
pub(super) fn import(args: &ImportArgs, printer: Printer) -> Result<Exit, Error> {
    let import = Import::look(args)?;
    let store = Store::open(&args.store.store)?;
    let suite = match &args.suite {
        Some(folder) => Grading::by_suite(folder, &import.names)?,
        None => Grading::as_stated(import.survey.primary(import.format, args.score.as_deref()).map_err(|message| {
            // What a scale means only its owner knows: 3 of 5 may be right or wrong.
            let hint = if message.contains("from 0 to 1 on") {
                "accuracy needs 0 for wrong and 1 for right: map the scale in the file, such as `jq -c '.score = (.score \
                 - 1) / 4'` for 1 to 5; or name another score with --score, or grade anew with --suite FOLDER"
            } else {
                "--score NAME says which score stands for accuracy, --suite FOLDER grades the answers anew"
            };
            Error::usage(message, hint)
        })?),
    };
    let folder = match &args.suite {
        Some(folder) => folder.clone(),
        None => args.output.clone().unwrap_or_else(|| args.file.with_extension("suite")),
    };
    let plan = import.plan(&folder);
    if let Some(run) = store.run_of_plan(&plan)?.filter(|_| !args.again) {
        return Err(Error::usage(
            format!("`{}` is in the store already, as run `{}`", args.file.display(), run.name),
            "`ceiling report` takes it; --again imports it once more",
        ));
    }
    let mut suite = suite;
    let written = match &suite {
        Grading::Stated { .. } => Some(Folder::begin(&folder)?),
        Grading::Suite(_) => None,
    };
    let run = import.keep(&store, &mut suite, (&folder, plan), written)?;
    let said = import.said(&run, &folder, &suite);
    printer.text(&said.text(printer.width()));
    printer.value(&serde_json::to_value(&said).map_err(|error| RunError::Bug(error.to_string()))?);
    super::DONE
}

impl<'a> Import<'a> {
    /// Finds out what the file is, and looks through it.
    fn look(args: &'a ImportArgs) -> Result<Self, Error> {
        let (single, renamed) = names_of(&args.variant)?;
        let places = Places { id: args.id.clone(), input: args.input.clone(), expected: args.expected.clone() };
        for pointer in [&places.id, &places.input, &places.expected].into_iter().flatten() {
            if !pointer.starts_with('/') {
                return Err(Error::usage(
                    format!("`{pointer}` is no JSON Pointer"),
                    format!("write `/{}`", pointer.replace('.', "/")),
                ));
            }
        }
        let ids_by_input = args.ids == Ids::Input;
        let options = Options { places, ids_by_input, variant: single, filter: args.filter.clone() };
        let format = match args.format {
            Some(format) => format.into(),
            None => detected(&args.file)?,
        };
        let survey = import::survey(open(&args.file)?, &args.file, (format, &options), args.skip_bad)?;
        if survey.trials == 0 {
            let hint = "--format NAME says whose results they are";
            return Err(Error::usage(
                format!("`{}` has no result that {} would write", args.file.display(), format.tool()),
                hint,
            ));
        }
        let names = variant_names(&survey, options.variant.as_deref(), &renamed)?;
        let digest = Digest::of_reader(open(&args.file)?).map_err(|error| unreadable(&args.file, &error))?;
        let file = args.file.file_name().unwrap_or_default().to_string_lossy();
        let setting = setting(format, &survey, &file);
        Ok(Self { args, format, options, digest, survey, names, setting })
    }

    /// What makes two imports the same.
    fn plan(&self, folder: &Path) -> Digest {
        let options = serde_json::to_string(&self.options).unwrap_or_default();
        let parts = [
            "import".to_owned(),
            self.digest.to_string(),
            options,
            self.names.join(" "),
            format!("{:?} {:?} {}", self.format, self.args.latency, self.args.skip_bad),
            self.args.score.clone().unwrap_or_default(),
            folder.display().to_string(),
        ];
        Digest::of_parts(parts.iter().map(String::as_bytes))
    }

    /// Reads the file once more, row by row into the store and, where a suite is written, its examples
    /// into a file. All of it is kept, or nothing.
    fn keep(
        &self,
        store: &Store,
        grading: &mut Grading,
        (folder, plan): (&Path, Digest),
        mut written: Option<Folder>,
    ) -> Result<RunRow, Error> {
        let stem = self.args.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let own = slug(self.survey.header.task.as_deref().unwrap_or(&stem));
        let suite = grading.suite_name().map_or(own, str::to_owned);
        let comparable = self.args.latency == Latency::Comparable;
        let options = json!({
            "variants": self.names,
            "repeats": self.survey.repeats,
            "imported": {
                "setting": self.setting, "format": self.format, "tool": self.format.tool(),
                "version": self.survey.header.version, "file": self.args.file.display().to_string(),
                "digest": self.digest, "latency": if comparable { "comparable" } else { "indicative" },
                "scores": if grading.stated().is_some() { "stated" } else { "graded anew" },
                "skipped_bad": self.args.skip_bad,
            },
        })
        .to_string();
        let began = self.survey.header.began_unix_ms.unwrap_or_else(super::now_ms);
        let new = NewRun { suite: &suite, folder, plan_digest: plan, options: &options, now_ms: began };
        let kept = store.import(&new, |write| -> Result<(), Error> {
            self.fill(grading, written.as_mut(), write)?;
            let Some(folder) = &mut written else { return Ok(()) };
            folder.describe(&self.survey, self.format, (&suite, &self.setting, &self.names), grading)?;
            folder.finish()
        });
        if let Some(folder) = written.filter(|_| kept.is_err()) {
            folder.discard();
        }
        kept
    }

    fn fill(
        &self,
        grading: &mut Grading,
        mut written: Option<&mut Folder>,
        write: &mut dyn FnMut(&Write) -> Result<(), StoreError>,
    ) -> Result<(), Error> {
        let mut names = Names::new(self.format, &self.options);
        let variants: Vec<Arc<str>> = self.names.iter().map(|name| name.as_str().into()).collect();
        let mut ended = Ok(());
        let each = &mut |reading: Reading| {
            // What cannot be read was found in the first pass, and is left out now.
            let Reading::Found(_, Found::Row(row)) = reading else { return true };
            ended = self.add(&row, (&mut names, &variants), grading, written.as_deref_mut(), write);
            ended.is_ok()
        };
        import::each(open(&self.args.file)?, &self.args.file, (self.format, &self.options), each)
            .map_err(|fault| Error::Input(Diagnostics::from(*fault)))?;
        ended
    }

    fn add(
        &self,
        row: &Row,
        (names, variants): (&mut Names, &[Arc<str>]),
        grading: &mut Grading,
        written: Option<&mut Folder>,
        write: &mut dyn FnMut(&Write) -> Result<(), StoreError>,
    ) -> Result<(), Error> {
        let changed = || {
            let message = format!("`{}` changed while it was read", self.args.file.display());
            Error::usage(message, "import it again when nothing writes to it")
        };
        let variant = self.survey.variant_of(row).ok_or_else(changed)?;
        let named = names.name(row, variant).map_err(|_| changed())?;
        let Placed { example, repeat } = match grading.place(row, &named, variant) {
            Some(placed) => placed,
            None => return Ok(()),
        };
        if let Some(written) = written.filter(|_| named.is_new) {
            written.add(&example)?;
        }
        let model = &self.survey.variants[variant].model;
        let endpoint = if grading.stated().is_some() { format!("{PROVIDER}/{model}") } else { model.clone() };
        let mut exchange = row.exchange(&self.digest, &endpoint);
        if exchange.sent_at_unix_ms == 0 {
            exchange.sent_at_unix_ms = self.survey.header.began_unix_ms.unwrap_or(0);
        }
        let trial = Trial { variant, example: Arc::new(example), repeat };
        let record = TrialRecord { trial, exchange: Arc::new(exchange), reused: false, reading: None };
        let variant = Arc::clone(&variants[variant]);
        Ok(write(&Write { record, variant, exchange_row: None, settled: true, reusable: false })?)
    }
}

impl From<Format> for import::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Promptfoo => Self::Promptfoo,
            Format::PromptfooLines => Self::PromptfooLines,
            Format::Inspect => Self::Inspect,
            Format::LmEval => Self::LmEval,
            Format::Nemo => Self::Nemo,
            Format::Plain => Self::Plain,
        }
    }
}

/// `imported from promptfoo 0.118.0 results, file results.json`.
fn setting(format: import::Format, survey: &Survey, file: &str) -> String {
    let source = match (&survey.header.source, format) {
        (Some(source), _) => format!("results of {source}"),
        (None, import::Format::Plain) => "plain JSON Lines".to_owned(),
        (None, _) => match &survey.header.version {
            Some(version) => format!("{} {} results", format.tool(), one_line(version, 40)),
            None => format!("{} results (version not stated)", format.tool()),
        },
    };
    one_line(&format!("imported from {source}, file {file}"), 200)
}

/// Pairs of a name in the file and one of ours.
type Renamed = Vec<(String, String)>;

/// The one name, and the pairs of names.
fn names_of(given: &[String]) -> Result<(Option<String>, Renamed), Error> {
    let (mut single, mut renamed) = (None, Vec::new());
    for name in given {
        let ours = match name.rsplit_once('=') {
            Some((theirs, ours)) => {
                renamed.push((theirs.to_owned(), ours.to_owned()));
                ours
            }
            None => {
                single = Some(name.clone());
                name
            }
        };
        if slug(ours) != *ours {
            return Err(Error::usage(
                format!("`{ours}` is no name of a variant"),
                "names have letters, digits, `-`, `_`, `.` and `+`",
            ));
        }
    }
    Ok((single, renamed))
}

/// Our names of the file's variants.
fn variant_names(survey: &Survey, single: Option<&str>, renamed: &[(String, String)]) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = survey.variants.iter().map(|variant| variant.name.clone()).collect();
    let known = || names_text(&survey.variants.iter().map(|variant| variant.name.clone()).collect::<Vec<_>>());
    if let Some(single) = single {
        match names.as_mut_slice() {
            [one] => single.clone_into(one),
            _ => {
                return Err(Error::usage(
                    format!("the file has {} variants: {}", survey.variants.len(), known()),
                    "--variant THEIRS=OURS names one of them",
                ));
            }
        }
    }
    for (theirs, ours) in renamed {
        let is_it = |variant: &crate::import::survey::VariantFound| {
            variant.name == *theirs || variant.stated.as_ref() == Some(theirs)
        };
        let Some(place) = survey.variants.iter().position(is_it) else {
            return Err(Error::usage(
                format!("the file has no variant `{}`", one_line(theirs, 80)),
                format!("it has {}", known()),
            ));
        };
        names[place].clone_from(ours);
    }
    let mut sorted = names.clone();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::usage(
            format!("two variants would be named `{}`", pair[0]),
            "--variant THEIRS=OURS gives each a name of its own",
        )),
        None => Ok(names),
    }
}

fn names_text(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The format by the file's content.
fn detected(path: &Path) -> Result<import::Format, Error> {
    let mut reader = open(path)?;
    let start = std::io::BufRead::fill_buf(&mut reader).map_err(|error| unreadable(path, &error))?;
    if start.starts_with(b"PK\x03\x04") {
        return Err(Error::usage(
            format!("`{}` is an archive, such as Inspect's .eval logs", path.display()),
            "`inspect log convert --to json FILE --output-dir FOLDER` writes it as JSON",
        ));
    }
    if start.trim_ascii().is_empty() && start.len() < 256 * 1024 {
        return Err(Error::usage(format!("`{}` is empty", path.display()), "name the file of another tool's results"));
    }
    if let Some(format) = import::detect(reader) {
        return Ok(format);
    }
    Err(match import::first_line_fault(open(path)?, path) {
        Some(fault) => Error::Input(Diagnostics::from(*fault)),
        None => Error::usage(
            format!("what stands in `{}` is of no tool that is known here", path.display()),
            "--format NAME says whose results they are; docs/reference/import.md has the formats",
        ),
    })
}

fn open(path: &Path) -> Result<BufReader<File>, Error> {
    #[expect(clippy::disallowed_methods, reason = "the file that the user names")]
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(BufReader::with_capacity(256 * 1024, file))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::usage(format!("cannot read `{}`: {error}", path.display()), "name the file of another tool's results")
}
