//! The sides read from the store, each run's answers graded by its suite as it stands now.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use serde_json::Value;

use super::names::SideName;
use crate::cli::measuring;
use crate::cli::{imported, show};
use crate::error::Error;
use crate::measure::RunProvenance;
use crate::measure::grade::{EndpointFacts, Grader};
use crate::measure::matching::Matching;
use crate::measure::roster::{Asked, Roster};
use crate::measure::side::Side;
use crate::measure::steps;
use crate::replay::{self, LatencyClaim};
use crate::report::compare::SideFacts;
use crate::store::{RunRow, Store};
use crate::suite::Suite;
use crate::variant::Variant;

/// A run with what grades it.
pub(in crate::cli) struct Graded {
    pub(in crate::cli) run: RunRow,
    pub(in crate::cli) suite: Suite,
    pub(in crate::cli) grader: Grader,
    /// How often its examples were asked at most.
    repeats: u32,
    /// Whether the suite's recording, or who imported the run, declares its times comparable.
    recording_comparable: bool,
}

impl Graded {
    fn load(store: &Store, run: &RunRow, folder: Option<&Path>) -> Result<Self, Error> {
        let (suite, grader) = show::suite_of(store, run, folder)?;
        if grader.wants_command() {
            measuring::ask_processes(store, run.id, &suite, &grader)?;
        }
        let options: Value = serde_json::from_str(&run.options).unwrap_or_default();
        let asked = options["repeats"].as_u64().and_then(|repeats| u32::try_from(repeats).ok());
        // A recording that is gone declares nothing.
        let header = suite.recording.as_ref().and_then(|path| replay::header(path).ok());
        let declared = header.is_some_and(|header| header.latency == LatencyClaim::Comparable);
        Ok(Self {
            run: run.clone(),
            repeats: asked.unwrap_or(1).max(suite.repeats),
            recording_comparable: imported::times_are_comparable(run).unwrap_or(declared),
            suite,
            grader,
        })
    }

    /// What makes two suites grade alike.
    pub(in crate::cli) fn grading(&self) -> String {
        let schema = self.suite.schema.as_ref().map(|schema| schema.document().to_string());
        format!("{:?} {:?} {:?} {schema:?}", self.suite.scorers, self.suite.parse, self.suite.score_invalid)
    }
}

/// A side with what was read of it.
pub(in crate::cli) struct ReadSide {
    pub(in crate::cli) name: SideName,
    pub(in crate::cli) side: Side,
    /// The variant's place in its suite.
    pub(in crate::cli) place: usize,
}

/// All sides, and the examples that they were asked.
pub(in crate::cli) struct Sides {
    pub(in crate::cli) roster: Roster,
    graded: BTreeMap<i64, Graded>,
    pub(in crate::cli) all: Vec<ReadSide>,
}

impl Sides {
    /// Reads the sides one after another; `folder` is where the suite is, if not where a run found it.
    pub(in crate::cli) fn read(store: &Store, names: &[SideName], folder: Option<&Path>) -> Result<Self, Error> {
        let mut sides = Self { roster: Roster::default(), graded: BTreeMap::new(), all: Vec::new() };
        for name in names {
            if let Entry::Vacant(place) = sides.graded.entry(name.run.id) {
                place.insert(Graded::load(store, &name.run, folder)?);
            }
            let read = sides.read_one(store, name)?;
            sides.all.push(read);
        }
        Ok(sides)
    }

    fn read_one(&mut self, store: &Store, name: &SideName) -> Result<ReadSide, Error> {
        let Some(graded) = self.graded.get(&name.run.id) else {
            return Err(Error::usage(format!("run `{}` was not read", name.run.name), "please report this"));
        };
        let Some(place) = measuring::places(&graded.suite).get(name.variant.as_str()).copied() else {
            return Err(Error::usage(
                format!(
                    "the suite in {} has no variant `{}` any more, so that nothing can grade its answers",
                    graded.suite.folder.display(),
                    name.variant
                ),
                "put the variant back; `ceiling compare A B --suite FOLDER` reads a copy of the suite that has it",
            ));
        };
        let grader = &graded.grader;
        let price = grader.endpoint(place).and_then(|endpoint| endpoint.price);
        let mut side = Side::new(grader.checks_validity(place), graded.repeats);
        let roster = &mut self.roster;
        measuring::each_graded(
            (store, grader),
            (name.run.id, Some(&name.variant)),
            |_| Some(place),
            |trial, _| Asked::of(&trial.example),
            |_, trial, found, asked| {
                let example = roster.place_asked(&trial.example, found.expected_label.as_deref(), asked);
                side.add(example, &trial.exchange, &found, trial.reused, price.as_ref());
                Ok(())
            },
        )?;
        Ok(ReadSide { name: name.clone(), side, place })
    }

    /// The run of a side, with what grades it.
    pub(in crate::cli) fn graded(&self, side: &ReadSide) -> Result<&Graded, Error> {
        let found = self.graded.get(&side.name.run.id);
        found.ok_or_else(|| Error::usage(format!("run `{}` was not read", side.name.run.name), "please report this"))
    }

    /// The variant as its suite defines it now.
    pub(in crate::cli) fn variant(&self, side: &ReadSide) -> Result<&Variant, Error> {
        Ok(&self.graded(side)?.suite.variants[side.place])
    }

    pub(in crate::cli) fn endpoint(&self, side: &ReadSide) -> Result<Option<&EndpointFacts>, Error> {
        Ok(self.graded(side)?.grader.endpoint(side.place))
    }

    /// Whether the times of a side may be compared with another's of the same kind.
    pub(in crate::cli) fn times_comparable(&self, side: &ReadSide) -> Result<bool, Error> {
        Ok(side.side.provenance() == RunProvenance::Live || self.graded(side)?.recording_comparable)
    }

    /// What is known of a side, under a name that tells it from the others.
    pub(in crate::cli) fn facts(&self, side: &ReadSide) -> Result<SideFacts, Error> {
        let graded = self.graded(side)?;
        let (suite, variant) = (&graded.suite, self.variant(side)?);
        // An import whose file states no time has none.
        let sent = side.side.sent_unix_ms().filter(|(first, _)| *first != 0);
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        Ok(SideFacts {
            name: self.short_name(side),
            run: graded.run.name.clone(),
            variant: variant.id.clone(),
            suite: suite.name.clone(),
            suite_digest: suite.digest,
            endpoints: owned(side.side.endpoints()),
            asked_model: self.endpoint(side)?.map_or(String::new(), |endpoint| endpoint.served_as.clone()),
            served_models: owned(side.side.served_models()),
            prompt: suite.prompts.get(variant.prompt).map_or(String::new(), |prompt| prompt.name.clone()),
            interventions: variant.interventions(),
            settings: steps::settings(variant),
            params: variant.params.clone(),
            provenance: side.side.provenance(),
            source: imported::setting(&graded.run),
            counts: side.side.counts(),
            repeats: graded.repeats,
            first_day: sent.and_then(|(first, _)| day(first)),
            last_day: sent.and_then(|(_, last)| day(last)),
        })
    }

    /// Why these sides have no example in common.
    pub(in crate::cli) fn nothing_common(&self, places: &[usize], matched: &Matching) -> Error {
        let name = |place: &usize| {
            let side = &self.all[*place].name;
            format!("`{}:{}`", side.run.name, side.variant)
        };
        let names: Vec<String> = places.iter().map(name).collect();
        let mut why: Vec<String> = names
            .iter()
            .zip(&matched.dropped.not_asked)
            .filter(|(_, count)| **count > 0)
            .map(|(name, count)| format!("{count} were not asked of {name}"))
            .collect();
        if matched.dropped.changed > 0 {
            why.push(format!("{} have another input or expected answer", matched.dropped.changed));
        }
        Error::usage(
            format!("{} have no example in common: of all ids, {}", names.join(" and "), why.join(", ")),
            "examples are paired by id, on the same input and the same expected answer",
        )
    }

    /// The variant where all are of one run, the run where all are one variant, else both.
    fn short_name(&self, side: &ReadSide) -> String {
        let (run, variant) = (&side.name.run, &side.name.variant);
        if self.all.iter().all(|other| other.name.run.id == run.id) {
            variant.clone()
        } else if self.all.iter().all(|other| other.name.variant == *variant) {
            run.name.clone()
        } else {
            format!("{}:{variant}", run.name)
        }
    }
}

/// The day in UTC.
fn day(unix_ms: i64) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(unix_ms).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(at).date().to_string())
}
