//! A run in the store, measured anew: its suite as it stands now, and what its trials show.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::retrieval::Retrieval;
use super::{assemble, imported, measuring, part, preflight};
use crate::decide::{SuiteFacts, decide};
use crate::diagnostic::Diagnostics;
use crate::error::Error;
use crate::measure::Measurements;
use crate::measure::grade::Grader;
use crate::provider::load::Providers;
use crate::replay::{self, LatencyClaim};
use crate::report::Report;
use crate::report::schema_sent::SchemaChanges;
use crate::store::{RunRow, RunState, Store};
use crate::suite::Suite;
use crate::suite::load::LoadOptions;
use crate::variant::Variant;

/// A run with what it showed.
pub(super) struct MeasuredRun {
    pub(super) run: RunRow,
    pub(super) suite: Suite,
    pub(super) providers: Providers,
    pub(super) grader: Grader,
    pub(super) retrieval: Retrieval,
    pub(super) measurements: Arc<Measurements>,
}

/// Measures a run: the variants and repeats that it asked, graded by the suite as it stands now.
pub(super) fn measured_run(store: &Store, name: &str, folder: Option<&Path>) -> Result<MeasuredRun, Error> {
    let run = store.run(name)?;
    let folder = suite_folder(store, &run, folder)?;
    let providers = assemble::providers_of(store, &folder)?;
    let options = part::options(&run);
    let provider: Vec<(String, String)> = serde_json::from_value(options["provider"].clone()).unwrap_or_default();
    let variants: Option<Vec<String>> = serde_json::from_value(options["variants"].clone()).unwrap_or_default();
    let load = LoadOptions {
        provider_overrides: provider.into_iter().collect(),
        variants,
        failures_of: part::failures_of(&options),
        on: part::asked_instead(&options),
        added: part::added(&options),
        ..LoadOptions::default()
    };
    let mut suite = crate::suite::load::load(&folder, &providers, &load)?.suite;
    let repeats = options["repeats"].as_u64().and_then(|repeats| u32::try_from(repeats).ok());
    suite.repeats = repeats.unwrap_or(suite.repeats);
    let grader = Grader::new(&suite, &assemble::endpoint_facts(&suite, &providers)?)?;
    let retrieval = Retrieval::stored(&suite, &providers, store, None)?;
    let comparable = match imported::times_are_comparable(&run) {
        Some(comparable) => comparable,
        None => recorded_times_are_comparable(&suite)?,
    };
    let measurements = Arc::new(measuring::measure(store, run.id, (&suite, &grader, &retrieval), comparable)?);
    Ok(MeasuredRun { run, suite, providers, grader, retrieval, measurements })
}

/// Where a run's suite is: as named, as the run found it, or the same below the project that the store belongs to.
///
/// # Errors
/// Where there is no such folder.
pub(super) fn suite_folder(store: &Store, run: &RunRow, named: Option<&Path>) -> Result<PathBuf, Error> {
    let found = named.map_or_else(|| PathBuf::from(&run.folder), Path::to_owned);
    if found.exists() {
        return Ok(found);
    }
    if named.is_none() {
        let below = project(store).join(&found);
        if below.exists() {
            return Ok(below);
        }
    }
    Err(Error::usage(
        format!("the suite of run `{}` is not at `{}`", run.name, found.display()),
        "`ceiling report RUN --suite FOLDER` says where it is now; it is looked for from here, and in the folder that \
         holds the store's `.ceiling`",
    ))
}

/// The folder that a store belongs to: what holds its `.ceiling`, else its own.
pub(super) fn project(store: &Store) -> PathBuf {
    let whole = std::path::absolute(store.path()).unwrap_or_else(|_| store.path().to_owned());
    let own = whole.parent().unwrap_or(Path::new("."));
    let of = if own.ends_with(".ceiling") { own.parent().unwrap_or(own) } else { own };
    of.to_owned()
}

impl MeasuredRun {
    /// Everything that a report may show, decided on this day.
    pub(super) fn report(&self, store: &Store, today: jiff::civil::Date) -> Result<Report, Error> {
        let suite = &self.suite;
        let header = suite.recording.as_ref().map(|path| replay::header(path)).transpose()?;
        Ok(Report {
            run: self.run.name.clone(),
            suite: suite.name.clone(),
            began_unix_ms: self.run.started_at_ms,
            description: suite.description.clone(),
            primary: suite.scorers.first().map_or(String::new(), |scorer| scorer.id.clone()),
            stated: suite.takes_stated_scores(),
            setting: imported::setting(&self.run)
                .or(header.map(|header| header.setting).filter(|setting| !setting.is_empty())),
            part: part::in_words(&part::options(&self.run)),
            left_out: self.left_out()?,
            regraded: true,
            gone: self.gone(store)?,
            times_scored: store.times_scored(&suite.name)?,
            embeddings: Vec::new(),
            schema_changes: self.schema_changes(),
            verdict: decide(&SuiteFacts::on(suite, today), &self.measurements),
            measurements: Arc::clone(&self.measurements),
            label_review: super::labels::kept(store, suite, &self.run.name)?,
        })
    }

    /// Variants of the run that the suite no longer has, with how many trials each has.
    fn gone(&self, store: &Store) -> Result<Vec<(String, u64)>, Error> {
        let known = measuring::places(&self.suite);
        let gone = store.variants_of(self.run.id)?.into_iter().filter(|name| !known.contains_key(name.as_str()));
        let mut trials: BTreeMap<String, u64> = gone.map(|name| (name, 0)).collect();
        if !trials.is_empty() {
            store.each_place(self.run.id, |variant, _| {
                if let Some(count) = trials.get_mut(variant) {
                    *count += 1;
                }
            })?;
        }
        Ok(trials.into_iter().collect())
    }

    /// Trials that were not asked because no recording knows them: what a finished run lacks.
    fn left_out(&self) -> Result<u64, Error> {
        let options = part::options(&self.run);
        if options["recorded_only"] != true || self.run.state != RunState::Finished {
            return Ok(0);
        }
        let mut examples = 0;
        for row in part::as_asked(&self.suite.examples, &options).read() {
            row.map_err(|fault| Error::Input(Diagnostics::from(*fault)))?;
            examples += 1;
        }
        let each = self.suite.variants.len() as u64 * u64::from(self.suite.repeats);
        Ok((examples * each).saturating_sub(self.run.trials))
    }

    /// What each variant's schema lost or got on its way to the endpoint.
    fn schema_changes(&self) -> SchemaChanges {
        let changes = |variant: &Variant| {
            let (provider, model) = self.providers.endpoint(&variant.endpoint)?;
            let (fitted, _) = preflight::fitted(&self.suite, variant, provider, model)?;
            Some((variant.id.clone(), fitted.changes))
        };
        self.suite.variants.iter().filter_map(changes).collect()
    }
}

/// What the suite's recording, if there is one, declares of its times (DESIGN.md 13.6).
fn recorded_times_are_comparable(suite: &Suite) -> Result<bool, Error> {
    let Some(path) = &suite.recording else { return Ok(true) };
    Ok(replay::header(path)?.latency == LatencyClaim::Comparable)
}
