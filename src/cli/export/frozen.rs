//! The test that is frozen with the files: target, examples, scorer, and the scores of the variant in use.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Export, ReadRun, read_run};
use crate::cli::{measuring, part};
use crate::digest::Digest;
use crate::error::Error;
use crate::measure::MOST_MISSING;
use crate::score::Grade;
use crate::store::{RunRow, RunState, Store};
use crate::suite::Suite;
use crate::training::leakage::Placed;
use crate::training::manifest::{Acceptance, FrozenExamples, Incumbent, example_digest};

/// What decides about an answer beside the examples: the primary scorer, and how a completion becomes an answer.
pub(in crate::cli) fn scorer(suite: &Suite) -> Value {
    let primary = suite.scorers.first().map(|scorer| json!(scorer)).unwrap_or_default();
    json!({"primary": primary, "parse": suite.parse, "score_invalid": suite.score_invalid, "task": suite.task})
}

/// Of the schema that answers must fit.
pub(in crate::cli) fn schema_digest(suite: &Suite) -> Option<Digest> {
    suite.schema.as_ref().map(|schema| Digest::of(schema.document().to_string().as_bytes()))
}

impl Export<'_> {
    /// Freezes the test.
    pub(super) fn freeze(&self, test: &[Placed], notes: &mut Vec<String>) -> Result<Acceptance, Error> {
        let suite = &self.suite;
        let examples = FrozenExamples::of(test.iter().map(|row| &row.example));
        let incumbent = self.incumbent(&examples, notes)?;
        if suite.targets.accuracy.is_none() && incumbent.is_none() {
            notes.push(
                "no target and no run of the variant in use: `ceiling accept` will have nothing to judge by (set \
                 `[targets] accuracy`, or run the suite first)"
                    .to_owned(),
            );
        }
        Ok(Acceptance {
            target: suite.targets.accuracy,
            alpha: suite.statistics.alpha,
            margin: suite.gate.margin,
            repeats: suite.repeats,
            examples,
            scorer: scorer(suite),
            schema_digest: schema_digest(suite),
            incumbent,
        })
    }

    /// The scores of the variant in use, from the run that was named or the newest that fits.
    fn incumbent(&self, examples: &FrozenExamples, notes: &mut Vec<String>) -> Result<Option<Incumbent>, Error> {
        let (Some(store), Some(variant)) = (&self.store, self.suite.in_use()) else {
            notes.push(
                "no run of the variant in use was found: the tuned model is held against the target alone".into(),
            );
            return Ok(None);
        };
        let name = variant.id.as_str();
        if let Some(run) = &self.args.against {
            let run = read_run(store, &store.run(run)?, Some(&self.suite.folder))?;
            part::refuse_shard_or_failures(&run.row, "run to hold a model against")?;
            if run.row.suite != self.suite.name {
                return Err(Error::usage(
                    format!("run `{}` is of the suite `{}`", run.row.name, crate::text::one_line(&run.row.suite, 200)),
                    format!("--against names a run of `{}`", self.suite.name),
                ));
            }
            return match scores(store, &run, name, examples)? {
                Ok(found) => Ok(Some(found)),
                Err(why) => Err(Error::usage(
                    format!("run `{}` cannot stand for `{name}`: {why}", run.row.name),
                    "run the suite again, and name that run",
                )),
            };
        }
        for row in store.runs()?.iter().filter(|row| is_whole(row) && row.suite == self.suite.name) {
            if !store.variants_of(row.id)?.iter().any(|asked| asked == name) {
                continue;
            }
            let run = read_run(store, row, Some(&self.suite.folder))?;
            match scores(store, &run, name, examples)? {
                Ok(found) => return Ok(Some(found)),
                Err(why) => notes.push(format!("run `{}` cannot stand for `{name}`: {why}", row.name)),
            }
        }
        notes.push(format!("no run of `{name}` was found: the tuned model is held against the target alone"));
        Ok(None)
    }
}

/// Whether a run asked all test examples.
fn is_whole(row: &RunRow) -> bool {
    let options = part::options(row);
    let part = ["limit", "examples", "tag", "shard", "only_failed", "on", "confirm", "added"];
    row.state == RunState::Finished && part.iter().all(|key| options[*key].is_null())
}

/// A variant's mean score by example, or why they cannot be used.
fn scores(
    store: &Store,
    run: &ReadRun,
    variant: &str,
    examples: &FrozenExamples,
) -> Result<Result<Incumbent, String>, Error> {
    if run.grader.wants_command() {
        measuring::ask_processes(store, run.row.id, &run.suite, &run.grader)?;
    }
    let Some(&place) = measuring::places(&run.suite).get(variant) else {
        return Ok(Err("the suite does not have it".to_owned()));
    };
    let mut sums: BTreeMap<String, (f64, u32)> = BTreeMap::new();
    measuring::each_graded(
        (store, &run.grader),
        (run.row.id, Some(variant)),
        |_| Some(place),
        |_, _| (),
        |_, trial, graded, ()| {
            let score = graded.scores.first().and_then(Grade::score).filter(|_| !graded.counts_as_missing);
            let known = examples.each.get(&trial.example.id.0) == Some(&example_digest(&trial.example));
            if let Some(score) = score.filter(|_| known) {
                let sum = sums.entry(trial.example.id.0).or_default();
                *sum = (sum.0 + score, sum.1 + 1);
            }
            Ok(())
        },
    )?;
    let lacking = examples.count.saturating_sub(sums.len() as u64);
    if lacking as f64 > MOST_MISSING * examples.count as f64 {
        return Ok(Err(format!("it has no score of {lacking} of the {} examples as they stand now", examples.count)));
    }
    let scores = sums.into_iter().map(|(id, (sum, count))| (id, sum / f64::from(count))).collect();
    Ok(Ok(Incumbent { variant: variant.to_owned(), run: run.row.name.clone(), scores }))
}
