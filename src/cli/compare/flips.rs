//! The examples on which two sides differ, with both answers: read from the store once the scores
//! have said which, so that no other answer is ever held.

use std::collections::HashMap;

use super::sides::{ReadSide, Sides};
use crate::cli::measuring;
use crate::error::Error;
use crate::measure::matching;
use crate::report::compare::{Answer, Flip};
use crate::store::{Store, StoredTrial};

/// Characters of an answer that are kept: a thousand flips of a runaway model still fit.
const MAX_TEXT: usize = 20_000;

/// The `most` largest of the flips, then in the order of the data, with their answers.
pub(in crate::cli) fn read(
    store: &Store,
    sides: &Sides,
    mut flips: Vec<matching::Flip>,
    most: usize,
) -> Result<Vec<Flip>, Error> {
    if flips.is_empty() || most == 0 {
        return Ok(Vec::new());
    }
    let order = file_order(sides, &flips)?;
    let place = |flip: &matching::Flip| order.get(&flip.place).copied().unwrap_or(usize::MAX);
    // Changes that are equal up to rounding are in the order of the data.
    let size = |flip: &matching::Flip| -((flip.b - flip.a).abs() * 1e6).round() as i64;
    flips.sort_by_key(|flip| (size(flip), place(flip), flip.place));
    flips.truncate(most);
    let [a, b] = [&sides.all[0], &sides.all[1]];
    let one = |flip: matching::Flip| {
        let id = sides.roster.id(flip.place as usize);
        let (first, answers_a) = answers(store, sides, a, id)?;
        let (_, answers_b) = answers(store, sides, b, id)?;
        let (input, expected) = first.map(|trial| (trial.example.input, trial.example.expected)).unwrap_or_default();
        Ok(Flip {
            example: id.to_owned(),
            a_score: flip.a,
            b_score: flip.b,
            input,
            expected,
            a: answers_a,
            b: answers_b,
        })
    };
    flips.into_iter().map(one).collect()
}

/// Where the flips' examples stand in the suite's data; those that are no longer there are last.
fn file_order(sides: &Sides, flips: &[matching::Flip]) -> Result<HashMap<u32, usize>, Error> {
    let mut wanted: HashMap<&str, u32> =
        flips.iter().map(|flip| (sides.roster.id(flip.place as usize), flip.place)).collect();
    let mut order = HashMap::with_capacity(flips.len());
    let suite = &sides.graded(&sides.all[0])?.suite;
    for (line, row) in suite.examples.read().enumerate() {
        // Data that can no longer be read has no order; the answers are in the store all the same.
        let Ok(row) = row else { break };
        if let Some(place) = wanted.remove(row.example.id.0.as_str()) {
            order.insert(place, line);
        }
        if wanted.is_empty() {
            break;
        }
    }
    Ok(order)
}

/// A side's answers to an example, and its first trial.
fn answers(
    store: &Store,
    sides: &Sides,
    side: &ReadSide,
    id: &str,
) -> Result<(Option<StoredTrial>, Vec<Answer>), Error> {
    let trials = store.trials(side.name.run.id, &side.name.variant, id)?;
    let answers = trials.iter().map(|trial| answer(store, sides, side, trial)).collect::<Result<_, _>>()?;
    Ok((trials.into_iter().next(), answers))
}

fn answer(store: &Store, sides: &Sides, side: &ReadSide, trial: &StoredTrial) -> Result<Answer, Error> {
    let grader = &sides.graded(side)?.grader;
    let replies = measuring::replies(store, grader, side.place, trial)?;
    let graded = grader.grade(side.place, &trial.example, &trial.exchange, replies.as_ref());
    let outcome = grader.read(side.place, &trial.exchange).map(|reading| reading.outcome);
    let completion = outcome.as_ref().and_then(|outcome| outcome.completion());
    let text: Option<String> = completion.map(|completion| completion.text.chars().take(MAX_TEXT).collect());
    let cut = completion.zip(text.as_ref()).is_some_and(|(completion, text)| text.len() < completion.text.len());
    let failure = outcome.as_ref().and_then(|outcome| outcome.failure());
    Ok(Answer {
        repeat: trial.repeat,
        outcome: outcome.as_ref().map_or("failed", |outcome| outcome.as_str()),
        failure: failure.map(|failure| failure.message.chars().take(MAX_TEXT).collect()),
        text,
        cut,
        answer: if cut { None } else { grader.parsed(side.place, &trial.exchange) },
        valid: graded.valid_strict,
        violation: graded.violation.map(|violation| violation.chars().take(MAX_TEXT).collect()),
        score: graded.scores.first().and_then(|grade| grade.score()),
    })
}
