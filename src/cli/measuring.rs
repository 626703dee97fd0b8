//! A run in the store to measurements: grade every trial, ask scoring processes where a scorer
//! wants one, and add up.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::early::EarlyRun;
use super::pipeline;
use super::retrieval::Retrieval;
use crate::digest::Digest;
use crate::error::Error;
use crate::measure::Measurements;
use crate::measure::accumulate::{Accumulator, ExchangeFacts};
use crate::measure::grade::{GradedTrial, Grader};
use crate::measure::places::Places;
use crate::measure::stopping::Observed;
use crate::measure::trained::TrainedColumns;
use crate::run::assist;
use crate::score::Grade;
use crate::store::{Bodies, Damaged, RawTrial, Store, StoreError, StoredTrial};
use crate::suite::Suite;

/// Questions that one scoring process is asked at a time.
const BATCH: usize = 1000;

/// Reads a run's trials and measures its variants. `comparable` is what a recording declares of
/// its times.
pub(super) fn measure(
    store: &Store,
    run: i64,
    (suite, grader, retrieval): (&Suite, &Grader, &Retrieval),
    comparable: bool,
) -> Result<Measurements, Error> {
    if grader.wants_command() {
        ask_processes(store, run, suite, grader)?;
    }
    let variants = places(suite);
    let mut examples = Places::default();
    let mut accumulator = Accumulator::new(suite, grader);
    let trials = usize::try_from(store.trials_of(run)?).unwrap_or(0) / suite.variants.len().max(1);
    examples.make_room(trials / suite.repeats.max(1) as usize);
    accumulator.make_room(trials);
    let mut early = EarlyRun::of(store, run, (suite, grader), comparable)?;
    let mut trained = TrainedColumns::new(super::trained::kept(store, suite)?);
    let place = |variant: &str| variants.get(variant).copied();
    let nothing = |_: &StoredTrial, _: &GradedTrial| ();
    each_graded((store, grader), (run, None), place, nothing, |variant, trial, graded, ()| {
        let index = match &early {
            // What comes after a gap is no part of a run that may have stopped early.
            Some(early) => match early.place(variant, &trial.example_digest) {
                Some(place) => place,
                None => return Ok(()),
            },
            None => examples.place(&trial.example_digest),
        };
        let facts = ExchangeFacts::of(&trial.exchange, trial.reused);
        if let Some((k, found)) = retrieval.found(variant, &trial.example) {
            let score = graded.scores.first().and_then(Grade::score).filter(|_| !graded.counts_as_missing);
            accumulator.add_found(variant, k, index, found, score);
        }
        if let Some(early) = &mut early {
            early.observe(variant, index, Observed::of(&graded, facts, suite.targets.ttft_p95_ms));
        }
        trained.note(index, &trial.example.id.0, &trial.example.input);
        accumulator.add(variant, index, &trial.example, trial.repeat, graded, facts);
        Ok(())
    })?;
    drop(examples);
    let mut measurements = match early {
        Some(early) => accumulator.finish_early(comparable, early.into_early()),
        None => accumulator.finish(comparable),
    };
    measurements.trained = trained.finish(&measurements.clusters, measurements.clustered, suite.statistics.alpha);
    Ok(measurements)
}

/// A trial on its way to be graded.
pub(super) enum Waiting {
    Raw(Box<RawTrial>),
    /// With the replies of scoring processes, which the store has.
    Read(Box<StoredTrial>, Option<Value>),
}

impl Waiting {
    /// The trial, with the replies.
    pub(super) fn read(self) -> Result<(StoredTrial, Option<Value>), Damaged> {
        match self {
            Self::Raw(trial) => Ok((trial.read()?, None)),
            Self::Read(trial, replies) => Ok((*trial, replies)),
        }
    }
}

/// Grades the trials of a run, or of one variant of it, on all cores; `each` gets them variant by variant in the order of
/// their examples' ids, without the bodies of request and response. `place` says which variant of the suite a name is of;
/// others are left out. `prepare` is called where they are graded.
///
/// # Errors
/// What the store or `each` says.
pub(super) fn each_graded<P: Send>(
    (store, grader): (&Store, &Grader),
    of: (i64, Option<&str>),
    place: impl Fn(&str) -> Option<usize>,
    prepare: impl Fn(&StoredTrial, &GradedTrial) -> P + Sync,
    mut each: impl FnMut(usize, StoredTrial, GradedTrial, P) -> Result<(), Error>,
) -> Result<(), Error> {
    let damaged = |damaged| store.damaged(damaged);
    pipeline::in_order(
        |hand| {
            store.each_raw(of, Bodies::Answer, |trial| {
                let Some(place) = place(&trial.variant) else { return Ok(()) };
                let bytes = trial.bytes();
                if !grader.wants_command() {
                    return hand((place, Waiting::Raw(Box::new(trial))), bytes);
                }
                let trial = trial.read().map_err(damaged)?;
                let replies = replies(store, grader, place, &trial)?;
                hand((place, Waiting::Read(Box::new(trial), replies)), bytes)
            })
        },
        |(place, waiting)| {
            let (mut trial, replies) = waiting.read()?;
            let graded = grader.grade(place, &trial.example, &trial.exchange, replies.as_ref());
            let prepared = prepare(&trial, &graded);
            trial.exchange.let_bodies_go();
            Ok((place, trial, graded, prepared))
        },
        |graded: Result<_, Damaged>| {
            let (place, trial, graded, prepared) = graded.map_err(damaged)?;
            each(place, trial, graded, prepared)
        },
    )
}

/// The place of each variant's name.
pub(super) fn places(suite: &Suite) -> BTreeMap<&str, usize> {
    suite.variants.iter().enumerate().map(|(place, variant)| (variant.id.as_str(), place)).collect()
}

/// The stored replies of the scoring processes for a trial, by scorer.
pub(super) fn replies(
    store: &Store,
    grader: &Grader,
    variant: usize,
    trial: &StoredTrial,
) -> Result<Option<Value>, Error> {
    if !grader.wants_command() {
        return Ok(None);
    }
    let mut replies = Map::new();
    for question in grader.ask(variant, &trial.example, &trial.exchange) {
        if let Some(reply) = store.reply(&question_digest(&question.argv, &question.question))? {
            let reply = serde_json::from_str(&reply).map_err(|error| StoreError::Row(error.to_string()))?;
            replies.insert(question.scorer, reply);
        }
    }
    Ok(Some(Value::Object(replies)))
}

fn question_digest(argv: &[String], question: &Value) -> Digest {
    let question = question.to_string();
    Digest::of_parts(argv.iter().map(String::as_bytes).chain([question.as_bytes()]))
}

/// Asks what the store has no reply to yet. Replies are measured things: they are kept.
pub(super) fn ask_processes(store: &Store, run: i64, suite: &Suite, grader: &Grader) -> Result<(), Error> {
    if store.is_read_only() {
        return refuse_unanswered(store, run, suite, grader);
    }
    let runtime = super::runtime()?;
    // The first connection has a cursor open: what it sees stays as it was, and it cannot write meanwhile.
    let keeper = Store::open_existing(store.path())?;
    let variants = places(suite);
    let mut waiting: BTreeMap<Vec<String>, Vec<Value>> = BTreeMap::new();
    let ask = |argv: &[String], questions: Vec<Value>| -> Result<(), Error> {
        let replies = runtime.block_on(assist::ask_process(argv, &suite.folder, &questions))?;
        let kept: Vec<_> = questions
            .iter()
            .zip(replies)
            .map(|(question, reply)| (question_digest(argv, question), reply.to_string()))
            .collect();
        Ok(keeper.keep_replies(&kept)?)
    };
    store.each_trial(run, None, |trial| -> Result<(), Error> {
        let Some(&variant) = variants.get(trial.variant.as_str()) else { return Ok(()) };
        for question in grader.ask(variant, &trial.example, &trial.exchange) {
            if keeper.reply(&question_digest(&question.argv, &question.question))?.is_some() {
                continue;
            }
            let questions = waiting.entry(question.argv.clone()).or_default();
            questions.push(question.question);
            if questions.len() == BATCH {
                ask(&question.argv, std::mem::take(questions))?;
            }
        }
        Ok(())
    })?;
    for (argv, questions) in waiting {
        if !questions.is_empty() {
            ask(&argv, questions)?;
        }
    }
    Ok(())
}

/// Without a place for the replies no process is started; what it should be asked has no score then.
fn refuse_unanswered(store: &Store, run: i64, suite: &Suite, grader: &Grader) -> Result<(), Error> {
    let variants = places(suite);
    let mut unanswered: u64 = 0;
    store.each_trial(run, None, |trial| -> Result<(), Error> {
        let Some(&variant) = variants.get(trial.variant.as_str()) else { return Ok(()) };
        for question in grader.ask(variant, &trial.example, &trial.exchange) {
            let known = store.reply(&question_digest(&question.argv, &question.question))?.is_some();
            unanswered += u64::from(!known);
        }
        Ok(())
    })?;
    match unanswered {
        0 => Ok(()),
        n => Err(Error::usage(
            format!("{n} answers wait for the process of a `command` scorer, and the store is open for reading only"),
            "`ceiling report RUN` asks it and keeps its replies",
        )),
    }
}
