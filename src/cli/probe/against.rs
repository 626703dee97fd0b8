//! A run's variants beside the trained baseline, on the same examples.

use super::ProbeArgs;
use crate::cli::compare::names::SideName;
use crate::cli::compare::sides::Sides;
use crate::cli::part;
use crate::error::Error;
use crate::measure::contrast::PairedScores;
use crate::measure::matching::lacks_too_many;
use crate::measure::side::Metric;
use crate::probe::versus::{Rival, Versus, versus as against};
use crate::probe::{Material, ProbeReport, TrainedBaseline};
use crate::store::{RunRow, RunState, Store};

/// The best baseline against a run's variants; `None` where there is no baseline, or no run.
pub(super) fn versus(
    args: &ProbeArgs,
    store: &Store,
    rows: &Material<'_>,
    found: &ProbeReport,
) -> Result<Option<Versus>, Error> {
    let named = args.run.as_deref().map(|name| store.run(name)).transpose()?;
    let Some(baseline) = found.best() else { return Ok(None) };
    let run = match named {
        Some(run) => Some(run),
        None => newest(store, rows)?,
    };
    let Some(run) = run else { return Ok(None) };
    let names = compared(store, rows, &run)?;
    let mut sides = Sides::read(store, &names, Some(&args.suite))?;
    let places = places(&mut sides, rows, baseline);
    let rivals = sides.all.iter().map(|read| {
        let variant = &rows.suite.variants[read.place];
        let mut pairs = PairedScores::default();
        for (place, score) in &places {
            let Some((mean, calls)) = read.side.mean(Metric::Accuracy, *place) else { continue };
            pairs.a.push(mean);
            pairs.b.push(*score);
            pairs.clusters.push(sides.roster.cluster(*place));
            pairs.calls[0] += calls;
            pairs.calls[1] += 1;
            pairs.paired_calls += 1;
            pairs.repeated |= calls > 1;
        }
        let too_many_missing = lacks_too_many(&read.side);
        Rival { variant: variant.id.0.clone(), tuned: variant.tuned.is_some(), pairs, too_many_missing }
    });
    let rivals: Vec<Rival> = rivals.collect();
    let paired = rivals.iter().any(|rival| !rival.pairs.a.is_empty());
    Ok(paired.then(|| against(&run.name, &baseline.name, &rivals, rows.suite.statistics)))
}

/// The newest finished run of this suite.
fn newest(store: &Store, rows: &Material<'_>) -> Result<Option<RunRow>, Error> {
    let is_of =
        |run: &RunRow| run.suite == rows.suite.name && run.state == RunState::Finished && part::is_of_the_test(run);
    Ok(store.runs()?.into_iter().find(is_of))
}

/// The variants that both the run and the suite have; those that retrieve by an oracle are bounds and no rivals.
fn compared(store: &Store, rows: &Material<'_>, run: &RunRow) -> Result<Vec<SideName>, Error> {
    let is_rival = |name: &String| {
        let variant = rows.suite.variant(name);
        variant.is_some_and(|variant| !variant.retrieve.as_ref().is_some_and(crate::variant::Retrieve::is_oracle))
    };
    let names = store.variants_of(run.id)?.into_iter().filter(is_rival);
    Ok(names.map(|variant| SideName { run: run.clone(), variant }).collect())
}

/// The place of each test example with the baseline's score; one that no side was asked gets a place that is no side's.
fn places(sides: &mut Sides, rows: &Material<'_>, baseline: &TrainedBaseline) -> Vec<(usize, f64)> {
    let roster = &mut sides.roster;
    let scored = rows.test.iter().filter_map(|row| Some((row, baseline.scores.get(&row.id.0)?)));
    scored.map(|(row, score)| (roster.place(row, None), f64::from(*score))).collect()
}
