//! `ceiling export`: training data from a suite's pool, and the frozen test by which the tuned model is judged.

mod frozen;
mod gather;
mod sources;
mod write;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::args::StoreArgs;
use super::exit::Exit;
use super::printer::Printer;
use super::{assemble, part, preflight, reporting, show};
pub(super) use frozen::{schema_digest, scorer};

use crate::diagnostic::Diagnostics;
use crate::error::Error;
use crate::measure::grade::Grader;
use crate::provider::load::Providers;
use crate::run::RunError;
use crate::store::{RunRow, Store};
use crate::suite::load::{LoadOptions, Loaded};
use crate::suite::{OtherSplit, Suite};
use crate::training::format::{FORMATS, Format, named};
use crate::training::manifest::{Method, SourceKind};

/// Flags of `ceiling export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// A suite's folder, or a run: for `teacher` and `preferences`, a run that asked the pool (`ceiling run --on pool`).
    #[arg(value_name = "RUN|SUITE")]
    pub of: String,
    /// The form of the files: openai-chat, openai-dpo, together, trl-conversational, trl-preference, vertex-gemini,
    /// bedrock-converse or sharegpt.
    #[arg(long, value_name = "FORMAT", env = "CEILING_FORMAT")]
    pub format: String,
    /// The training file, such as out/train.jsonl; train.validation.jsonl and train.manifest.json stand beside it.
    #[arg(short, long, value_name = "FILE", env = "CEILING_OUTPUT")]
    pub output: PathBuf,
    /// Where the answers come from.
    #[arg(long, value_enum, default_value_t = SourceChoice::Labels, env = "CEILING_SOURCE")]
    pub source: SourceChoice,
    /// The teacher; for preferences, the variants whose answers are paired (comma-separated; all by default).
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "CEILING_VARIANT")]
    pub variant: Vec<String>,
    /// The prompt that the tuned model will be asked with, by its name in `[prompts]` (default: that of the suite's tuned
    /// variants, else of the variant in use). It is written without shots and documents.
    #[arg(long, value_name = "NAME", env = "CEILING_PROMPT")]
    pub prompt: Option<String>,
    /// The share of the rows that validates, by cluster: 0 to 0.5.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = parse_half, env = "CEILING_VALIDATION_SHARE")]
    pub validation_share: f64,
    /// Seed of the division, instead of `[statistics] seed`.
    #[arg(long, value_name = "N", env = "CEILING_SEED")]
    pub seed: Option<u64>,
    /// The model that is to be tuned: for the manifest and the price of training.
    #[arg(long, value_name = "PROVIDER/MODEL", env = "CEILING_BASE_MODEL")]
    pub base_model: Option<String>,
    /// How often training goes through the file: for the manifest and the price of training.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), env = "CEILING_EPOCHS")]
    pub epochs: Option<u32>,
    /// The least primary score of a teacher's answer.
    #[arg(long, value_name = "SCORE", default_value_t = 1.0, value_parser = parse_unit, env = "CEILING_LEAST_SCORE")]
    pub least_score: f64,
    /// The least share of a teacher's repeats that gave the very same answer.
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, value_parser = parse_unit, env = "CEILING_AGREEMENT")]
    pub agreement: f64,
    /// By how much the better answer of a pair scores more.
    #[arg(long, value_name = "SCORE", default_value_t = 1.0, value_parser = parse_positive, env = "CEILING_PAIR_MARGIN")]
    pub pair_margin: f64,
    /// The most pairs of one example.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000), env = "CEILING_MAX_PAIRS")]
    pub max_pairs: u32,
    /// The run whose scores of the variant in use the tuned model must not fall behind (default: the newest finished run
    /// of all test examples that has that variant).
    #[arg(long, value_name = "RUN", env = "CEILING_AGAINST")]
    pub against: Option<String>,
    /// Leave out rows that must not be trained on, instead of stopping.
    #[arg(long, env = "CEILING_DROP_LEAKS")]
    pub drop_leaks: bool,
    /// Write over files that are there.
    #[arg(long, env = "CEILING_FORCE")]
    pub force: bool,
    /// The suite's folder, where it is no longer where the run found it.
    #[arg(long, value_name = "FOLDER", env = "CEILING_SUITE")]
    pub suite: Option<PathBuf>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Where the answers come from, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceChoice {
    /// The labels of the pool.
    Labels,
    /// A variant's answers that are valid, right and agreed.
    Teacher,
    /// Pairs of a better and a worse answer.
    Preferences,
}

impl From<SourceChoice> for SourceKind {
    fn from(choice: SourceChoice) -> Self {
        match choice {
            SourceChoice::Labels => Self::Labels,
            SourceChoice::Teacher => Self::Teacher,
            SourceChoice::Preferences => Self::Preferences,
        }
    }
}

fn parse_within(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    number
        .filter(|number| (low..=high).contains(number))
        .ok_or_else(|| format!("expected a number from {low} to {high}"))
}

fn parse_half(text: &str) -> Result<f64, String> {
    parse_within(text, 0.0, 0.5)
}

fn parse_unit(text: &str) -> Result<f64, String> {
    parse_within(text, 0.0, 1.0)
}

fn parse_positive(text: &str) -> Result<f64, String> {
    parse_within(text, 0.000_001, 1.0)
}

/// The run that an export reads, with what grades it.
struct ReadRun {
    row: RunRow,
    suite: Suite,
    grader: Grader,
}

/// An export under way.
struct Export<'a> {
    args: &'a ExportArgs,
    format: &'static Format,
    method: Method,
    kind: SourceKind,
    providers: Providers,
    /// As it stands now: its test examples are never written.
    suite: Suite,
    store: Option<Store>,
    /// The run that was named, if one was.
    run: Option<ReadRun>,
}

/// Writes the files, and says what is in them.
pub(super) fn export(args: &ExportArgs, printer: Printer) -> Result<Exit, Error> {
    let (format, method) = chosen(args)?;
    let paths = write::Paths::of(&args.output)?;
    paths.check(args)?;
    let export = Export::load(args, format, method)?;
    let gathered = export.gather()?;
    let written = export.write(&paths, gathered)?;
    for note in &written.notes {
        printer.note(note);
    }
    printer.text(&crate::report::training::exported(&written, printer.look()));
    printer.value(&serde_json::to_value(&written).map_err(|error| RunError::Bug(error.to_string()))?);
    super::DONE
}

/// The format and the method that the flags name.
fn chosen(args: &ExportArgs) -> Result<(&'static Format, Method), Error> {
    let names = || FORMATS.iter().map(|format| format.name);
    let Some(format) = named(&args.format) else {
        let near = crate::text::nearest(&args.format, names());
        let near = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
        let known = names().collect::<Vec<_>>().join(", ");
        let written = crate::text::one_line(&args.format, 100);
        return Err(Error::usage(format!("there is no format `{written}`"), format!("{near}there are {known}")));
    };
    let method = match args.source {
        SourceChoice::Preferences => Method::Preference,
        SourceChoice::Labels | SourceChoice::Teacher => Method::Supervised,
    };
    if format.takes(method) {
        return Ok((format, method));
    }
    let others: Vec<&str> = FORMATS.iter().filter(|format| format.takes(method)).map(|format| format.name).collect();
    let holds = if method == Method::Preference { "single answers, no pairs" } else { "pairs, no single answers" };
    Err(Error::usage(
        format!("`{}` holds {holds}", format.name),
        format!("--source {} goes with {}", SourceKind::from(args.source).as_str(), others.join(", ")),
    ))
}

impl<'a> Export<'a> {
    fn load(args: &'a ExportArgs, format: &'static Format, method: Method) -> Result<Self, Error> {
        let is_folder = Path::new(&args.of).is_dir();
        let store = match Store::open_existing(&args.store.store) {
            Ok(store) => Some(store),
            Err(_) if is_folder && args.against.is_none() => None,
            Err(error) => return Err(error.into()),
        };
        let kind = SourceKind::from(args.source);
        let run = match store.as_ref().filter(|_| !is_folder) {
            Some(store) => Some(read_run(store, &store.run(&args.of)?, args.suite.as_deref())?),
            None => None,
        };
        let folder = match &run {
            Some(run) => run.suite.folder.clone(),
            None => PathBuf::from(&args.of),
        };
        let providers = assemble::providers(&folder)?;
        let suite = load_sound(&folder, &providers, &LoadOptions::default())?.suite;
        if suite.pool.is_none() {
            return Err(Error::usage(
                format!("the suite `{}` has no pool, and nothing else may be trained on", suite.name),
                "`pool = \"pool.jsonl\"` in `[data]` names the rows; `ceiling init` splits a pool off",
            ));
        }
        if kind != SourceKind::Labels {
            check_asked_pool(run.as_ref(), kind, &suite)?;
        }
        Ok(Self { args, format, method, kind, providers, suite, store, run })
    }
}

/// The suite, its data checked. Examples that the pool has, too, are let be: an export looks for them row by row, and what
/// was left out of the training files stands in the pool all the same.
pub(super) fn load_sound(folder: &Path, providers: &Providers, options: &LoadOptions) -> Result<Loaded, Error> {
    let faults = match assemble::load_checked(folder, providers, options) {
        Err(Error::Input(faults)) => faults,
        other => return other,
    };
    let mut others = Diagnostics::new();
    faults.iter().filter(|fault| !LEAKS.contains(&fault.code)).cloned().for_each(|fault| others.push(fault));
    let warnings = others.into_result()?;
    let mut loaded = crate::suite::load::load(folder, providers, options)?;
    loaded.warnings = warnings;
    loaded.warnings.extend(preflight::faults(&loaded.suite, providers, preflight::today())?);
    loaded.warnings = loaded.warnings.into_result()?;
    Ok(loaded)
}

/// What `check` says of an example that the pool has, too.
const LEAKS: [&str; 2] = ["suite/leak", "suite/near-leak"];

/// A run with its suite and what grades it.
fn read_run(store: &Store, row: &RunRow, folder: Option<&Path>) -> Result<ReadRun, Error> {
    let folder = reporting::suite_folder(store, row, folder)?;
    let (suite, grader) = show::suite_of(store, row, Some(&folder))?;
    Ok(ReadRun { row: row.clone(), suite, grader })
}

/// Answers to test examples are never trained on, whoever gave them.
fn check_asked_pool(run: Option<&ReadRun>, kind: SourceKind, suite: &Suite) -> Result<(), Error> {
    let kind = kind.as_str();
    let how = format!("`ceiling run {} --on pool --variants NAME` asks the pool", suite.folder.display());
    let Some(run) = run else {
        return Err(Error::usage(format!("--source {kind} wants a run whose answers it takes, not a suite"), how));
    };
    match part::asked_instead(&part::options(&run.row)) {
        Some(OtherSplit::Pool) => Ok(()),
        Some(OtherSplit::Dev) => Err(Error::usage(
            format!(
                "run `{}` asked the dev examples, on which prompts are chosen: they are not trained on",
                run.row.name
            ),
            how,
        )),
        None => Err(Error::usage(
            format!("run `{}` asked the test examples, which must never be trained on", run.row.name),
            how,
        )),
    }
}
