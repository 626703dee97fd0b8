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
use crate::run::assist;
use crate::score::Grade;
use crate::store::{Store, StoreError, StoredTrial};
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
    let mut early = EarlyRun::of(store, run, (suite, grader), comparable)?;
    let all = |hand: Hand<'_>| store.each_trial(run, None, hand);
    let place = |trial: &StoredTrial| variants.get(trial.variant.as_str()).copied();
    each_graded(store, grader, all, place, |variant, trial, graded| {
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
        accumulator.add(variant, index, &trial.example, trial.repeat, graded, facts);
        Ok(())
    })?;
    drop(examples);
    Ok(match early {
        Some(early) => accumulator.finish_early(comparable, early.into_early()),
        None => accumulator.finish(comparable),
    })
}

/// Takes a trial that was read.
pub(super) type Hand<'a> = &'a mut dyn FnMut(StoredTrial) -> Result<(), Error>;

/// Grades what `read` hands over on all cores; `each` gets it in the order in which it was read, without the bodies of
/// request and response. `place` says which variant of the suite a trial is of; others are left out.
///
/// # Errors
/// What the store, `read` or `each` says.
pub(super) fn each_graded(
    store: &Store,
    grader: &Grader,
    read: impl FnOnce(Hand<'_>) -> Result<(), Error>,
    place: impl Fn(&StoredTrial) -> Option<usize>,
    mut each: impl FnMut(usize, StoredTrial, GradedTrial) -> Result<(), Error>,
) -> Result<(), Error> {
    pipeline::in_order(
        |hand| {
            read(&mut |trial| {
                let Some(place) = place(&trial) else { return Ok(()) };
                let replies = replies(store, grader, place, &trial)?;
                let bytes = body_bytes(&trial);
                hand((place, trial, replies), bytes)
            })
        },
        |(place, mut trial, replies)| {
            let graded = grader.grade(place, &trial.example, &trial.exchange, replies.as_ref());
            trial.exchange.let_bodies_go();
            (place, trial, graded)
        },
        |(place, trial, graded)| each(place, trial, graded),
    )
}

/// How long a trial's request and response are.
pub(super) fn body_bytes(trial: &StoredTrial) -> usize {
    trial.exchange.request_body.len() + trial.exchange.received.body().len()
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
