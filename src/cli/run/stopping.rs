//! `ceiling run --stop-when-decided`: the shuffled order of a run, and the rule that looks at its
//! trials as they are committed.

use std::sync::Arc;

use super::{Prepared, RunArgs};
use crate::cli::early::{Order, digest};
use crate::diagnostic::Diagnostics;
use crate::error::Error;
use crate::measure::accumulate::ExchangeFacts;
use crate::measure::grade::{GradedTrial, Grader};
use crate::measure::stopping::{Observed, Stop, Stopping};
use crate::plan::shuffle;
use crate::run::decided::Decided;
use crate::run::feed::OpenExamples;
use crate::store::Store;
use crate::suite::{Example, ScorerKind, Suite};
use crate::trial::{Exchange, Trial, TrialRecord};

/// Checks that there is something to decide, and that it can be seen while a run lasts.
pub(super) fn check(args: &RunArgs, suite: &Suite) -> Result<(), Error> {
    if args.batch {
        return Err(Error::usage(
            "--stop-when-decided does not go with --batch: a batch is sent whole, so nothing is saved by stopping",
            "leave one of them out",
        ));
    }
    if args.part.shard.is_some() {
        return Err(Error::usage(
            "--stop-when-decided does not go with --shard: the rule must see the answers of all shards, in one order",
            "leave one of them out",
        ));
    }
    if args.part.only_failed.is_some() {
        return Err(Error::usage(
            "--stop-when-decided does not go with --only-failed: failures say nothing of the targets",
            "leave one of them out",
        ));
    }
    if args.part.on.is_some() {
        return Err(Error::usage(
            "--stop-when-decided does not go with --on: targets are of the test examples",
            "leave one of them out",
        ));
    }
    let targets = &suite.targets;
    if targets.accuracy.is_none() && targets.schema_validity.is_none() && targets.ttft_p95_ms.is_none() {
        return Err(Error::usage(
            format!(
                "nothing to decide: `{}` has none of the targets that --stop-when-decided looks at",
                suite.file.display()
            ),
            "set `accuracy`, `schema_validity` or `ttft_p95_ms` under [targets], or leave --stop-when-decided out",
        ));
    }
    let by_process = suite.scorers.first().filter(|scorer| matches!(scorer.kind, ScorerKind::Command { .. }));
    match by_process.filter(|_| targets.accuracy.is_some()) {
        Some(scorer) => Err(Error::usage(
            format!(
                "--stop-when-decided cannot see the accuracy while a run lasts: the primary scorer `{}` is a process \
                 that is asked at the end",
                scorer.id
            ),
            "leave --stop-when-decided out, or make another scorer the primary one",
        )),
        None => Ok(()),
    }
}

/// A run that stops when it is decided.
pub(in crate::cli) struct Live {
    order: Order,
    examples: Arc<Vec<Example>>,
    rule: Stopping,
    decided: Arc<Decided>,
    limit_ms: Option<f64>,
    left_out: u64,
}

impl Live {
    /// Marks that the feeder and the driver heed.
    pub(super) fn decided(&self) -> Arc<Decided> {
        Arc::clone(&self.decided)
    }

    /// The examples in the shuffled order, anew for each pass.
    pub(super) fn open(&self) -> OpenExamples {
        let examples = Arc::clone(&self.examples);
        Box::new(move || {
            let examples = Arc::clone(&examples);
            Ok(Box::new((0..examples.len()).map(move |place| Ok(examples[place].clone()))))
        })
    }

    /// Takes what a resumed run has already; missing trials are asked again.
    pub(super) fn take_stored(&mut self, store: &Store, run: i64, suite: &Suite, grader: &Grader) -> Result<(), Error> {
        let variants = crate::cli::measuring::places(suite);
        store.each_trial(run, None, |stored| -> Result<(), Error> {
            let Some(&variant) = variants.get(stored.variant.as_str()) else { return Ok(()) };
            let graded = grader.grade(variant, &stored.example, &stored.exchange, None);
            if !graded.counts_as_missing {
                self.observe(variant, &stored.example, (&graded, &stored.exchange, stored.reused));
            }
            Ok(())
        })
    }

    /// Takes a committed trial; says if its variant needs no more.
    pub(in crate::cli) fn take(&mut self, record: &TrialRecord, graded: &GradedTrial) -> Option<Stop> {
        let Trial { variant, example, .. } = &record.trial;
        self.observe(*variant, example, (graded, &record.exchange, record.reused))
    }

    fn observe(
        &mut self,
        variant: usize,
        example: &Example,
        (graded, exchange, reused): (&GradedTrial, &Exchange, bool),
    ) -> Option<Stop> {
        let place = self.order.place(&digest(example))?;
        let facts = ExchangeFacts::of(exchange, reused);
        let stop = self.rule.observe(variant, place, Observed::of(graded, facts, self.limit_ms));
        if stop.is_some() {
            self.decided.mark(variant);
        }
        stop
    }

    /// Examples after which a variant was stopped.
    pub(in crate::cli) fn stopped_at(&self, variant: usize) -> u64 {
        self.rule.stopped_at(variant).unwrap_or_default()
    }

    /// Variants that need no more.
    pub(in crate::cli) fn stopped(&self) -> impl Iterator<Item = usize> {
        (0..self.variants()).filter(|variant| self.rule.stopped(*variant).is_some())
    }

    fn variants(&self) -> usize {
        self.rule.design().goals.len()
    }

    fn planned(&self) -> u64 {
        self.variants() as u64 * self.order.len() as u64 * u64::from(self.rule.design().repeats)
    }

    /// Trials that are over.
    pub(in crate::cli) fn done(&self) -> u64 {
        let to_go: u64 = (0..self.variants()).map(|variant| self.rule.to_go(variant)).sum();
        self.planned() - to_go - self.left_out
    }

    /// Trials that are still to be asked.
    pub(in crate::cli) fn to_go(&self) -> u64 {
        let open = (0..self.variants()).filter(|variant| self.rule.stopped(*variant).is_none());
        open.map(|variant| self.rule.to_go(variant)).sum()
    }
}

impl Prepared<'_> {
    /// The shuffled order and the rule, where the user wants them.
    pub(super) fn live(&self) -> Result<Option<Live>, Error> {
        if !self.args.stop_when_decided {
            return Ok(None);
        }
        let seed = self.suite.statistics.seed;
        let rows = self.suite.examples.read();
        let rows = rows.map(|row| row.map(|row| row.example).map_err(|fault| Error::Input(Diagnostics::from(*fault))));
        let mut examples: Vec<Example> = rows.collect::<Result<_, Error>>()?;
        shuffle::shuffle(seed, &mut examples, |example| example);
        let order = Order::of_shuffled(seed, &examples);
        let rule = Stopping::new(order.design(self.suite, self.grader, self.times_are_comparable()));
        if rule.design().goals.iter().all(Vec::is_empty) {
            return Err(Error::usage(
                "nothing to decide: no variant has a target that --stop-when-decided can look at",
                "times of a recording count only where it declares `latency = \"comparable\"`, and schema validity only \
                 where there is a schema or JSON is wanted",
            ));
        }
        let decided = Arc::new(Decided::none(self.suite.variants.len()));
        let limit_ms = self.suite.targets.ttft_p95_ms;
        let mut live = Live { order, examples: Arc::new(examples), rule, decided, limit_ms, left_out: 0 };
        self.leave_out(&mut live)?;
        Ok(Some(live))
    }

    /// Tells the rule which trials no recording knows.
    fn leave_out(&self, live: &mut Live) -> Result<(), Error> {
        let Some(recording) = self.assembly.recording.as_ref().filter(|_| self.args.recorded_only) else {
            return Ok(());
        };
        for (place, example) in Arc::clone(&live.examples).iter().enumerate() {
            for (variant, prepared) in self.assembly.prepared.iter().enumerate() {
                if !self.assembly.is_replayed(variant) {
                    continue;
                }
                let request = prepared.encode(example)?.digest;
                for repeat in 0..self.suite.repeats {
                    if !recording.knows(prepared.wire(), &request, repeat) {
                        live.left_out += 1;
                        live.rule.observe(variant, place, Observed::NOTHING);
                    }
                }
            }
        }
        Ok(())
    }
}
