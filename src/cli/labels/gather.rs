//! The rows of a suite with their places, and what a run answered.

use std::collections::HashMap;

use serde_json::Value;

use super::super::{measuring, part, show};
use super::{LabelsArgs, is_test};
use crate::diagnostic::Diagnostics;
use crate::error::Error;
use crate::labels::against::{Answers, Variants};
use crate::labels::{LabelledRow, Split};
use crate::store::{RunRow, RunState, Store};
use crate::suite::Suite;
use crate::suite::examples::ExampleSource;
use crate::text;

/// Where the label stands in an expected answer.
pub(super) fn label_at(suite: &Suite) -> &str {
    suite.scorers.first().map_or("", |primary| primary.expected_at.as_str())
}

/// Every labelled row: the test examples, then those for prompt work, then the pool.
pub(super) fn rows(suite: &Suite) -> Result<Vec<LabelledRow>, Error> {
    let mut rows = Vec::new();
    let mut faults = Diagnostics::new();
    let at = label_at(suite);
    let sources =
        [(Split::Test, Some(&suite.examples)), (Split::Dev, suite.dev.as_ref()), (Split::Pool, suite.pool.as_ref())];
    for (split, source) in sources {
        let Some(source) = source else { continue };
        for row in source.read() {
            let row = match row {
                Ok(row) => row,
                Err(fault) => {
                    faults.push(*fault);
                    continue;
                }
            };
            let label = label_of(&row.example.expected, at);
            rows.push(LabelledRow {
                split,
                id: row.example.id.0,
                file: relative(suite, source, row.file),
                line: row.line,
                input: row.example.input,
                expected: row.example.expected,
                label,
                cluster: row.example.cluster,
            });
        }
    }
    faults.into_result()?;
    Ok(rows)
}

/// What stands where the label does; a record without it has none, and what is no record is the label itself.
fn label_of(expected: &Value, at: &str) -> Value {
    match expected.pointer(at) {
        Some(label) => label.clone(),
        None if expected.is_object() => Value::Null,
        None => expected.clone(),
    }
}

/// A file's name as suite.toml writes it.
fn relative(suite: &Suite, source: &ExampleSource, file: usize) -> String {
    let path = &source.files()[file];
    path.strip_prefix(&suite.folder).unwrap_or(path).display().to_string()
}

/// What a run answered.
pub(super) struct RunAnswers {
    pub(super) run: String,
    pub(super) answers: Answers,
    pub(super) variants: Variants,
}

/// The answers of the run that is named, or of the newest finished one.
pub(super) fn answers(args: &LabelsArgs, suite: &Suite, rows: &[LabelledRow]) -> Result<Option<RunAnswers>, Error> {
    let path = &args.store.store;
    if args.run.is_none() && !path.is_file() {
        return Ok(None);
    }
    let store = Store::open_existing(path)?;
    let Some(run) = chosen(&store, args.run.as_deref(), suite)? else { return Ok(None) };
    let (asked, grader) = show::suite_of(&store, &run, Some(&args.suite))?;
    let known: HashMap<&str, &LabelledRow> =
        rows.iter().filter(|row| is_test(row)).map(|row| (row.id.as_str(), row)).collect();
    let places = measuring::places(&asked);
    let place = |variant: &str| places.get(variant).copied();
    let mut found = RunAnswers { run: run.name.clone(), answers: Answers::new(), variants: Variants::new() };
    measuring::each_graded(
        (&store, &grader),
        (run.id, None),
        place,
        |_, _| (),
        |place, trial, graded, ()| {
            let variant = &asked.variants[place];
            found.variants.entry(variant.id.as_str().to_owned()).or_insert_with(|| variant.endpoint.to_string());
            // An answer to another input of the same id says nothing about this one.
            if known.get(trial.example.id.0.as_str()).is_some_and(|row| row.input == trial.example.input) {
                let of_example = found.answers.entry(trial.example.id.0).or_default();
                of_example.entry(trial.variant).or_default().push(graded.label);
            }
            Ok(())
        },
    )?;
    Ok(Some(found))
}

fn chosen(store: &Store, named: Option<&str>, suite: &Suite) -> Result<Option<RunRow>, Error> {
    let Some(name) = named else {
        let finished =
            |run: &RunRow| run.suite == suite.name && run.state == RunState::Finished && part::is_of_the_test(run);
        return Ok(store.runs()?.into_iter().find(finished));
    };
    let run = store.run(name)?;
    if run.suite == suite.name {
        return Ok(Some(run));
    }
    Err(Error::usage(
        format!("run `{}` is of the suite `{}`, not of `{}`", run.name, text::one_line(&run.suite, 200), suite.name),
        "`ceiling runs` lists the runs with their suites",
    ))
}
