//! A review read back, and what is written of it.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::super::exit::Exit;
use super::super::output::Output;
use super::super::printer::Printer;
use super::{LabelsArgs, check_free, gather};
use crate::diagnostic::{Diagnostics, Source};
use crate::error::Error;
use crate::labels::apply::{Applied, Audit, Rules, apply as judge};
use crate::labels::{LabelledRow, Split, correct, edit, file};
use crate::provider::load::{ReadCodes, read_text};
use crate::report::labels as report;
use crate::run::RunError;
use crate::suite::examples::ExampleSource;
use crate::suite::load::read_suite_file;
use crate::suite::{LabelAudit, Suite};

const READING: ReadCodes =
    ReadCodes { unreadable: "labels/unreadable", not_utf8: "labels/not-utf8", too_large: "labels/too-large" };

/// Reads a review back.
pub(super) fn apply(
    args: &LabelsArgs,
    file: &Path,
    suite: &Suite,
    rows: &[LabelledRow],
    printer: Printer,
) -> Result<Exit, Error> {
    let source = read(file)?;
    let (header, review) = file::read(&source)?;
    let rules = Rules::of(suite, gather::label_at(suite));
    let mut applied = judge(file, &header, &review, rows, &rules)?;
    if args.write && applied.audit.found.is_none() {
        let why = applied.audit.why_not.clone().unwrap_or_default();
        let message = format!("the review is no audit: {why}");
        return Err(Error::usage(message, "--write is for the audit of a random sample"));
    }
    if let Some(folder) = &args.write_corrections {
        applied.written = write_corrections(args, folder, suite, &applied)?;
    }
    if let Some(audit) = applied.audit.found.as_ref().filter(|_| args.write) {
        write_audit(args, suite, audit)?;
        applied.written.push(suite.file.display().to_string());
    }
    printer.text(&report::applied(&applied, printer.width()));
    if printer.is_json() {
        printer.value(&serde_json::to_value(&applied).map_err(|error| RunError::Bug(error.to_string()))?);
    }
    super::super::DONE
}

fn read(path: &Path) -> Result<Source, Error> {
    read_text(path, &READING).map_err(|fault| Error::Input(Diagnostics::from(*fault)))
}

/// Puts the audit into suite.toml.
fn write_audit(args: &LabelsArgs, suite: &Suite, audit: &Audit) -> Result<(), Error> {
    let source = read_suite_file(suite).map_err(|fault| Error::Input(Diagnostics::from(*fault)))?;
    let edited = edit::with_audit(&source.text, LabelAudit { checked: audit.checked, wrong: audit.wrong });
    let edited = edited.map_err(|error| {
        Error::usage(format!("{}: {error}", suite.file.display()), format!("write `{}` below `[data]`", audit.key))
    })?;
    Output::put(&suite.file, &edited, &args.store.store)
}

/// Writes the corrected copies of the data files that have wrong labels; none of them in the place of the original.
fn write_corrections(args: &LabelsArgs, folder: &Path, suite: &Suite, applied: &Applied) -> Result<Vec<String>, Error> {
    let mut by_file: BTreeMap<(Split, &str), BTreeMap<u64, Value>> = BTreeMap::new();
    for one in &applied.corrections {
        by_file.entry((one.split, &one.file)).or_default().insert(one.line, one.to.clone());
    }
    let mut corrected: Vec<(PathBuf, String)> = Vec::new();
    for ((split, name), labels) in by_file {
        let source = source_of(suite, split).ok_or_else(|| RunError::Bug("a row of no source".to_owned()))?;
        let path = suite.folder.join(name);
        if !path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("jsonl")) {
            return Err(Error::usage(
                format!("`{name}` is no .jsonl file: its labels are not corrected here"),
                "the corrections are listed with --json; correct the file by hand",
            ));
        }
        let target = folder.join(within(Path::new(name)));
        if corrected.iter().any(|(known, _)| *known == target) {
            return Err(Error::usage(
                format!("two data files would be written to `{}`", target.display()),
                "the corrections are listed with --json; correct the files by hand",
            ));
        }
        if Output::is_same(&target, &path) {
            return Err(Error::usage(
                format!("`{}` is the file itself", target.display()),
                "--write-corrections FOLDER names a folder for the copies",
            ));
        }
        check_free(&target, args.force)?;
        let text = correct::lines(&read(&path)?.text, &labels, source.spec(), gather::label_at(suite));
        let text = text.map_err(|error| Error::usage(format!("{name}: {error}"), "try again"))?;
        corrected.push((target, text));
    }
    for (target, text) in &corrected {
        if let Some(parent) = target.parent() {
            #[expect(clippy::disallowed_methods, reason = "the folder that the user names for the copies")]
            std::fs::create_dir_all(parent)
                .map_err(|error| Error::System { what: format!("failed to make `{}`", parent.display()), error })?;
        }
        Output::put(target, text, &args.store.store)?;
    }
    Ok(corrected.into_iter().map(|(path, _)| path.display().to_string()).collect())
}

/// The name below the folder of the copies: what lies outside of the suite's has its own name alone.
fn within(name: &Path) -> &Path {
    let leaves = |part: Component<'_>| !matches!(part, Component::Normal(_) | Component::CurDir);
    if name.components().any(leaves) { name.file_name().map_or(name, Path::new) } else { name }
}

fn source_of(suite: &Suite, split: Split) -> Option<&ExampleSource> {
    match split {
        Split::Test => Some(&suite.examples),
        Split::Dev => suite.dev.as_ref(),
        Split::Pool => suite.pool.as_ref(),
    }
}
