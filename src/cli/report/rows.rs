//! Rows for notebooks, written as they are read: memory does not grow with the trials.

use std::io;
use std::sync::Arc;

use clap::ValueEnum;

use super::Reporting;
use crate::cli::early::EarlyRun;
use crate::cli::measuring::{self, Waiting};
use crate::cli::output::Output;
use crate::cli::pipeline;
use crate::error::Error;
use crate::report::rows::csv::CsvRows;
use crate::report::rows::lines::{NemoLines, PlainLines};
use crate::report::rows::{Column, RowSink, TrialRow, VariantRow, trial_columns, variant_columns};
use crate::store::{Bodies, Damaged, StoreError, StoredTrial};

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Rows {
    /// A trial: an answer with its scores, times and cost.
    #[default]
    Trials,
    /// A variant, with every interval: the scoreboard.
    Variants,
}

/// In which form rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowFormat {
    Csv,
    /// Our own lines of JSON.
    Plain,
    /// NeMo Evaluator's lines.
    Nemo,
    #[cfg(feature = "parquet")]
    Parquet,
}

/// Why the rows ended before the last one.
enum Stop {
    /// They could not be read.
    Read(Error),
    /// They could not be written.
    Write(io::Error),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Read(error.into())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Read(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// Writes the rows and says how many they are.
pub(super) fn write(
    reporting: &Reporting<'_>,
    (rows, variant): (Rows, Option<&str>),
    format: RowFormat,
    mut output: Output,
) -> Result<u64, Error> {
    let written = match rows {
        Rows::Trials => trial_sink(reporting, format, &mut output)
            .map_err(Stop::from)
            .and_then(|sink| trials(reporting, variant, sink)),
        Rows::Variants => sink(format, &mut output, variant_columns()).map_err(Stop::from).and_then(|mut sink| {
            let mut count = 0;
            for measured in &reporting.measured.measurements.variants {
                let (run, suite) = names(reporting);
                sink.write(&VariantRow { run, suite, measured: measured.clone() })?;
                count += 1;
            }
            sink.finish()?;
            Ok(count)
        }),
    };
    match written {
        Ok(count) => output.close(Ok(())).map(|()| count),
        Err(Stop::Write(error)) => output.close(Err(error)).map(|()| 0),
        Err(Stop::Read(error)) => {
            output.discard();
            Err(error)
        }
    }
}

/// What writes trials.
fn trial_sink<'o>(
    reporting: &Reporting<'_>,
    format: RowFormat,
    output: &'o mut Output,
) -> io::Result<Box<dyn RowSink<TrialRow> + 'o>> {
    let scorers = || reporting.measured.grader.scorer_ids();
    Ok(match format {
        RowFormat::Plain => Box::new(PlainLines::new(output, scorers(), source(reporting))),
        RowFormat::Nemo => Box::new(NemoLines::new(output)),
        RowFormat::Csv => sink(format, output, trial_columns(scorers()))?,
        #[cfg(feature = "parquet")]
        RowFormat::Parquet => sink(format, output, trial_columns(scorers()))?,
    })
}

/// From where lines come, for whoever imports them.
fn source(reporting: &Reporting<'_>) -> String {
    let report = &reporting.report;
    let answers = report.imported().unwrap_or(report.measurements.provenance.answers());
    format!("ceiling run {} ({answers})", report.run)
}

/// What writes rows of these columns.
fn sink<'o, R: 'o>(
    format: RowFormat,
    output: &'o mut Output,
    columns: Vec<Column<R>>,
) -> io::Result<Box<dyn RowSink<R> + 'o>> {
    Ok(match format {
        // Lines have no columns; who asks for rows of variants was told so.
        RowFormat::Csv | RowFormat::Plain | RowFormat::Nemo => Box::new(CsvRows::new(output, columns)?),
        #[cfg(feature = "parquet")]
        RowFormat::Parquet => Box::new(crate::report::rows::parquet::ParquetRows::new(output, columns)?),
    })
}

fn names(reporting: &Reporting<'_>) -> (Arc<str>, Arc<str>) {
    (reporting.report.run.as_str().into(), reporting.report.suite.as_str().into())
}

/// The trials that the figures rest on, variant by variant in the order of their examples' ids.
fn trials(
    reporting: &Reporting<'_>,
    only: Option<&str>,
    mut sink: Box<dyn RowSink<TrialRow> + '_>,
) -> Result<u64, Stop> {
    let (store, measured) = (reporting.store, reporting.measured);
    let (suite, grader) = (&measured.suite, &measured.grader);
    let early = EarlyRun::of(store, measured.run.id, (suite, grader), measured.measurements.latency_comparable)?;
    let places = measuring::places(suite);
    let (run, suite_name) = names(reporting);
    let round = |variant: &str| {
        let row = measured.measurements.variants.iter().find(|row| row.variant.id.as_str() == variant);
        row.and_then(|row| row.round)
    };
    let mut count = 0;
    let damaged = |damaged| Stop::from(store.damaged(damaged));
    let read = |hand: &mut dyn FnMut((usize, Waiting), usize) -> Result<(), Stop>| {
        store.each_raw((measured.run.id, only), Bodies::Both, |trial| {
            let Some(&place) = places.get(trial.variant.as_str()) else { return Ok(()) };
            if early.as_ref().is_some_and(|early| early.place(place, &trial.example_digest).is_none()) {
                return Ok(());
            }
            let bytes = trial.bytes();
            if !grader.wants_command() {
                return hand((place, Waiting::Raw(Box::new(trial))), bytes);
            }
            let trial = trial.read().map_err(damaged)?;
            let replies = measuring::replies(store, grader, place, &trial)?;
            hand((place, Waiting::Read(Box::new(trial), replies)), bytes)
        })
    };
    let work = |(place, waiting): (usize, Waiting)| {
        let (trial, replies) = waiting.read()?;
        let reading = grader.read(place, &trial.exchange);
        let exchange = (&trial.exchange, reading.as_ref());
        let (graded, _) = grader.grade_and_judge(place, &trial.example, exchange, replies.as_ref());
        let outcome = reading.map(|reading| reading.outcome);
        let round = round(&trial.variant);
        let StoredTrial { variant, repeat, example, exchange, reused, .. } = trial;
        let checks_validity = grader.checks_validity(place);
        let (run, suite) = (Arc::clone(&run), Arc::clone(&suite_name));
        Ok(TrialRow { run, suite, variant, round, example, repeat, reused, exchange, outcome, graded, checks_validity })
    };
    pipeline::in_order(read, work, |row: Result<TrialRow, Damaged>| {
        sink.write(&row.map_err(damaged)?)?;
        count += 1;
        Ok(())
    })?;
    sink.finish()?;
    Ok(count)
}
