//! The test that is frozen with the files: target, examples, scorer, and the scores of the variant in use.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Export, ReadRun, read_run};
use crate::cli::{assemble, measuring, part};
use crate::digest::Digest;
use crate::error::Error;
use crate::measure::MOST_MISSING;
use crate::prompt::Prepared;
use crate::score::Grade;
use crate::store::{Store, StoredTrial};
use crate::suite::Suite;
use crate::text::one_line;
use crate::training::leakage::Placed;
use crate::training::manifest::{Acceptance, FrozenExamples, Incumbent, example_digest};
use crate::trial::Provenance;
use crate::variant::Variant;

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
                    format!("run `{}` is of the suite `{}`", run.row.name, one_line(&run.row.suite, 200)),
                    format!("--against names a run of `{}`", self.suite.name),
                ));
            }
            return match self.scores(store, &run, variant, examples)? {
                Ok(found) => Ok(Some(found)),
                Err(why) => Err(Error::usage(
                    format!("run `{}` cannot stand for `{name}`: {why}", run.row.name),
                    "run the suite again, and name that run",
                )),
            };
        }
        for row in store.runs()?.iter().filter(|row| part::is_whole(row) && row.suite == self.suite.name) {
            if !store.variants_of(row.id)?.iter().any(|asked| asked == name) {
                continue;
            }
            // One that cannot be read any more says nothing against the others.
            let found = read_run(store, row, Some(&self.suite.folder))
                .and_then(|run| self.scores(store, &run, variant, examples));
            match found.unwrap_or_else(|error| Err(one_line(&error.to_string(), 300))) {
                Ok(found) => return Ok(Some(found)),
                Err(why) => notes.push(format!("run `{}` cannot stand for `{name}`: {why}", row.name)),
            }
        }
        notes.push(format!("no run of `{name}` was found: the tuned model is held against the target alone"));
        Ok(None)
    }

    /// A variant's mean score by example, or why they cannot be used.
    fn scores(
        &self,
        store: &Store,
        run: &ReadRun,
        variant: &Variant,
        examples: &FrozenExamples,
    ) -> Result<Result<Incumbent, String>, Error> {
        let name = variant.id.as_str();
        if run.grader.wants_command() {
            measuring::ask_processes(store, run.row.id, &run.suite, &run.grader)?;
        }
        let Some(&place) = measuring::places(&run.suite).get(name) else {
            return Ok(Err("the suite does not have it".to_owned()));
        };
        let mut sums: BTreeMap<String, (f64, u32)> = BTreeMap::new();
        let mut asked = None;
        measuring::each_graded(
            (store, &run.grader),
            (run.row.id, Some(name)),
            |_| Some(place),
            |_, _| (),
            |_, trial, graded, ()| {
                let score = graded.scores.first().and_then(Grade::score).filter(|_| !graded.counts_as_missing);
                let known = examples.each.get(&trial.example.id.0) == Some(&example_digest(&trial.example));
                if let Some(score) = score.filter(|_| known) {
                    let sum = sums.entry(trial.example.id.0.clone()).or_default();
                    *sum = (sum.0 + score, sum.1 + 1);
                    asked.get_or_insert(trial);
                }
                Ok(())
            },
        )?;
        let lacking = examples.count.saturating_sub(sums.len() as u64);
        if lacking as f64 > MOST_MISSING * examples.count as f64 {
            let count = examples.count;
            return Ok(Err(format!("it has no score of {lacking} of the {count} examples as they stand now")));
        }
        if let Some(why) = asked.map(|trial| self.differs(&trial, variant)).transpose()?.flatten() {
            return Ok(Err(why));
        }
        let scores = sums.into_iter().map(|(id, (sum, count))| (id, sum / f64::from(count))).collect();
        Ok(Ok(Incumbent { variant: name.to_owned(), run: run.row.name.clone(), scores }))
    }

    /// How a trial is not one of the variant as it stands now: another model's, or with another prompt. One trial stands
    /// for all of a run.
    fn differs(&self, trial: &StoredTrial, variant: &Variant) -> Result<Option<String>, Error> {
        let exchange = &trial.exchange;
        if exchange.provenance == Provenance::Imported {
            return Ok(None);
        }
        let now = variant.endpoint.to_string();
        if exchange.endpoint != now {
            let then = one_line(&exchange.endpoint, 200);
            return Ok(Some(format!("its answers came from `{then}`, and the suite names `{now}`")));
        }
        // What is retrieved would have to be retrieved again.
        if variant.retrieve.is_some() {
            return Ok(None);
        }
        let (provider, model) = assemble::found(&self.providers, variant)?;
        let target = (model.served_as.as_str(), provider.target(model));
        let pool = assemble::pool(&self.suite)?;
        let request = Prepared::new(&self.suite, variant, provider.wire, target, &pool)?.encode(&trial.example)?;
        let changed = request.digest != exchange.request_digest;
        Ok(changed.then(|| "the suite asks it otherwise now".to_owned()))
    }
}
