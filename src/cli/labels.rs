//! `ceiling labels`: which labels to look at, and how good they are.

mod apply;
mod gather;
mod kept;

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::StoreArgs;
use super::assemble;
use super::exit::Exit;
use super::output::Output;
use super::printer::Printer;
use crate::decide::label_ceiling;
use crate::error::Error;
use crate::labels::file::{Drawn, Header};
use crate::labels::review::{Evidence, Suspect, rank};
use crate::labels::{LabelReview, LabelledRow, Part, RowCounts, Split};
use crate::labels::{against, annotators, confident, conflicts, file, sample};
use crate::probe::{LabelledText, OutOfFold, Settings, out_of_fold};
use crate::report::labels as report;
use crate::run::RunError;
use crate::store::Store;
use crate::suite::load::LoadOptions;
use crate::suite::near::values_text;
use crate::suite::{Suite, Task, second};

pub(super) use kept::kept;

/// Flags of `ceiling labels`.
#[derive(Debug, Clone, Args)]
pub struct LabelsArgs {
    /// The suite's folder.
    #[arg(value_name = "SUITE")]
    pub suite: PathBuf,
    /// A run of the suite whose answers are held against the labels; `last` is the newest. Without it, the newest
    /// finished run of the suite in the store, if there is one.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Write the list as JSON Lines, with empty fields for whoever looks at it.
    #[arg(short, long, value_name = "FILE", env = "CEILING_OUTPUT")]
    pub output: Option<PathBuf>,
    /// Write over a file that is there.
    #[arg(long, env = "CEILING_FORCE")]
    pub force: bool,
    /// How many rows the list has, the most suspicious first.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..),
          env = "CEILING_MOST")]
    pub most: u32,
    /// Draw N test examples at random instead, for an audit of the labels.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "output",
          conflicts_with_all = ["run", "apply"], env = "CEILING_RANDOM")]
    pub random: Option<u32>,
    /// The seed of the draw, instead of the suite's.
    #[arg(long, value_name = "SEED", requires = "random", env = "CEILING_SEED")]
    pub seed: Option<u64>,
    /// Leave labels and suggestions out of the file: whoever checks gives a label of their own.
    #[arg(long, requires = "output", env = "CEILING_BLIND")]
    pub blind: bool,
    /// Read a reviewed file back: check every row, count, and say what it gives.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "run", "blind"], env = "CEILING_APPLY")]
    pub apply: Option<PathBuf>,
    /// Put the audit into suite.toml.
    #[arg(long, requires = "apply", env = "CEILING_WRITE")]
    pub write: bool,
    /// Write copies of the data files into this folder, with the wrong labels replaced.
    #[arg(long, value_name = "FOLDER", requires = "apply", env = "CEILING_WRITE_CORRECTIONS")]
    pub write_corrections: Option<PathBuf>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Reviews the labels, draws an audit, or reads a review back.
pub(super) fn labels(args: &LabelsArgs, printer: Printer) -> Result<Exit, Error> {
    if let Some(output) = &args.output {
        check_free(output, args.force)?;
        Output::check(output, "-o", &args.store.store)?;
    }
    let providers = assemble::providers(&args.suite)?;
    let suite = crate::suite::load::load(&args.suite, &providers, &LoadOptions::default())?.suite;
    let rows = gather::rows(&suite)?;
    if let Some(file) = &args.apply {
        return apply::apply(args, file, &suite, &rows, printer);
    }
    if let Some(count) = args.random {
        return draw(args, count, &suite, &rows, printer);
    }
    let answers = gather::answers(args, &suite, &rows)?;
    if printer.shows_progress() && suite.task == Task::Classification && rows.len() >= MANY {
        printer.note(&format!("training a classifier on {} rows, to tell which labels look wrong …", rows.len()));
    }
    let review = review(&suite, &rows, answers.as_ref(), args.most)?;
    if args.store.store.is_file() {
        kept::keep(&Store::open_existing(&args.store.store)?, &suite, &rows, &review)?;
    }
    printer.text(&report::render(&review, printer.width()));
    if let Some(output) = &args.output {
        let header =
            Header::new(&suite.name, (Drawn::Suspicion, None), review.suspicious, review.list.len() as u64, args.blind);
        Output::put(output, &file::of_suspects(&header, &review.list), &args.store.store)?;
        printer.note(&report::written(output, review.list.len()));
    }
    if printer.is_json() {
        printer.value(&serde_json::to_value(&review).map_err(|error| RunError::Bug(error.to_string()))?);
    }
    super::DONE
}

/// Rows from which on it takes a while.
const MANY: usize = 3_000;

/// A file that is there is written over only where that is wanted.
fn check_free(path: &Path, force: bool) -> Result<(), Error> {
    if force || !path.is_file() {
        return Ok(());
    }
    Err(Error::usage(
        format!("`{}` is there already, and may hold a review", path.display()),
        "--force writes over it; -o FILE names another file",
    ))
}

/// Draws an audit.
fn draw(args: &LabelsArgs, count: u32, suite: &Suite, rows: &[LabelledRow], printer: Printer) -> Result<Exit, Error> {
    let seed = args.seed.unwrap_or(suite.statistics.seed);
    let drawn: Vec<&LabelledRow> =
        sample::draw(rows, count as usize, seed).into_iter().map(|place| &rows[place]).collect();
    let all = RowCounts::of(rows).test;
    let header = Header::new(&suite.name, (Drawn::Random, Some(seed)), all, drawn.len() as u64, args.blind);
    let Some(output) = &args.output else { return super::DONE };
    Output::put(output, &file::of_sample(&header, &drawn), &args.store.store)?;
    printer.text(&report::drawn(&header, output, &suite.folder, printer.width()));
    printer.value(&serde_json::json!({"drawn": header, "file": output}));
    super::DONE
}

/// Everything that speaks for or against the labels.
fn review(
    suite: &Suite,
    rows: &[LabelledRow],
    answers: Option<&gather::RunAnswers>,
    most: u32,
) -> Result<LabelReview, Error> {
    let at = gather::label_at(suite);
    let (conflicts, opposed) = conflicts::find(rows);
    let mut evidence = Evidence { opposed, ..Evidence::default() };
    let trained = out_of_fold_of(suite, rows);
    let labels: Vec<String> = rows.iter().map(LabelledRow::label_text).collect();
    let confident = match &trained {
        Err(why) => Part::not(why.clone()),
        Ok(trained) => match confident::find(&labels, trained) {
            None => Part::not("there are no rows to learn from"),
            Some((found, off_diagonal)) => {
                evidence.off_diagonal = off_diagonal;
                Part::found(found)
            }
        },
    };
    let against = match answers {
        _ if suite.task != Task::Classification => {
            Part::not("answers are compared by class, and this task has none: it is no classification")
        }
        None => Part::not("the store has no finished run of this suite: `ceiling run` makes one"),
        Some(answers) => {
            let of = (&answers.answers, &answers.variants);
            let (found, outvoted) = against::find(rows, of, trained.as_ref().ok(), &suite.labels);
            evidence.outvoted = outvoted;
            Part::found(found)
        }
    };
    let annotations = second::annotations(&suite.annotation_files)?;
    let annotators = if annotations.is_empty() {
        Part::not("no second labels: `[data] annotations` names files of them")
    } else {
        let (found, opinions) = annotators::find(rows, &annotations, suite.task, at);
        (evidence.disputed, evidence.confirmed) = (opinions.disputed, opinions.confirmed);
        Part::found(found)
    };
    let mut list: Vec<Suspect> = rank(rows, &evidence);
    let suspicious = list.len() as u64;
    list.truncate(most as usize);
    let target = suite.targets.accuracy;
    Ok(LabelReview {
        suite: suite.name.clone(),
        task: suite.task,
        run: answers.map(|answers| answers.run.clone()),
        rows: RowCounts::of(rows),
        conflicts,
        against,
        confident,
        annotators,
        ceiling: label_ceiling(target, suite.audit, suite.annotations, suite.statistics.alpha),
        target,
        suspicious,
        list,
    })
}

/// Probabilities of each row's classes by a model that has not seen it, or why there are none. Rows with the same words
/// or of one cluster are kept together: a wrong label that stands twice would vouch for itself. A row without a label
/// has none.
fn out_of_fold_of(suite: &Suite, rows: &[LabelledRow]) -> Result<OutOfFold, String> {
    if suite.task != Task::Classification {
        return Err("confident learning is for classes, and this task has none: it is no classification".to_owned());
    }
    let groups = conflicts::kept_together(rows);
    let text = |(row, group): (&LabelledRow, usize)| LabelledText {
        id: format!("{}/{}", row.split.as_str(), row.id),
        text: values_text(&row.input),
        label: row.label_text(),
        cluster: Some(group.to_string()),
    };
    let labelled = rows.iter().zip(groups).filter(|(row, _)| !row.label.is_null());
    let texts: Vec<LabelledText> = labelled.map(text).collect();
    let settings = Settings { seed: suite.statistics.seed, ..Settings::default() };
    let found = out_of_fold(&texts, &settings).map_err(|error| error.to_string())?;
    // Rows without a label have no probabilities, so that the places stay those of the rows.
    let mut said = found.probabilities.into_iter();
    let of = |row: &LabelledRow| if row.label.is_null() { Vec::new() } else { said.next().unwrap_or_default() };
    Ok(OutOfFold { classes: found.classes, probabilities: rows.iter().map(of).collect() })
}

/// Whether a row is a test example.
fn is_test(row: &LabelledRow) -> bool {
    row.split == Split::Test
}
