//! `ceiling show`: one example of a run whole.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::args::StoreArgs;
use super::exit::Exit;
use super::printer::Printer;
use super::retrieval::Retrieved;
use super::{assemble, measuring, part, reporting};
use crate::error::Error;
use crate::exchange::Outcome;
use crate::measure::grade::{GradedTrial, Grader};
use crate::provider::WireKind;
use crate::report::prose::value_text;
use crate::report::show::{ShownTrial, Wanted, heading};
use crate::report::terminal;
use crate::score::answer::Answer;
use crate::store::{RunRow, Store, StoredTrial};
use crate::suite::Suite;
use crate::suite::load::LoadOptions;
use crate::text;
use crate::trial::{Delivery, Provenance};
use crate::wire;
use crate::wire::conversation::{Message, conversation};

/// Flags of `ceiling show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The run; `last` is the newest.
    pub run: String,
    /// The example's id.
    pub example: String,
    /// Only this variant.
    #[arg(long, value_name = "NAME", env = "CEILING_VARIANT")]
    pub variant: Option<String>,
    /// The suite's folder, where it is no longer where the run found it.
    #[arg(long, value_name = "FOLDER", env = "CEILING_SUITE")]
    pub suite: Option<PathBuf>,
    /// The whole conversation, shots and all, and what else the request says.
    #[arg(long, env = "CEILING_REQUEST")]
    pub request: bool,
    /// Both bodies whole too: the request, and the answer as received.
    #[arg(long, env = "CEILING_RAW")]
    pub raw: bool,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Shows the trials of one example.
pub(super) fn show(args: &ShowArgs, printer: Printer) -> Result<Exit, Error> {
    let store = Store::open_existing(&args.store.store)?;
    let run = store.run(&args.run)?;
    let (suite, grader) = suite_of(&store, &run, args.suite.as_deref())?;
    let places = measuring::places(&suite);
    let mut trials = Vec::new();
    store.each_trial(run.id, Some(&args.example), |trial| -> Result<(), Error> {
        if args.variant.as_ref().is_none_or(|variant| *variant == trial.variant) {
            trials.push(trial);
        }
        Ok(())
    })?;
    if trials.is_empty() {
        return Err(nothing_found(&store, &run, args)?);
    }
    if trials.iter().all(|trial| !places.contains_key(trial.variant.as_str())) {
        return Err(Error::usage(
            format!(
                "the suite in {} has no variant `{}` any more, so that nothing can grade its answers",
                suite.folder.display(),
                text::one_line(&trials[0].variant, 200)
            ),
            "put the variant back, or name a copy of the suite that has it with --suite",
        ));
    }
    let folder = reporting::suite_folder(&store, &run, args.suite.as_deref())?;
    let retrieval = super::retrieval::of_run(&suite, &folder, &store, &trials[0].example)?;
    trials.sort_by_key(|trial| (places.get(trial.variant.as_str()).copied(), trial.repeat));
    let mut shown = Vec::new();
    for trial in &trials {
        let Some(&place) = places.get(trial.variant.as_str()) else {
            printer.note(&terminal::gone(&(text::one_line(&trial.variant, 200), 1)));
            continue;
        };
        let replies = measuring::replies(&store, &grader, place, trial)?;
        let one = Shown::new(trial, &grader, place, replies.as_ref());
        shown.push(Shown { retrieved: retrieval.shown(place, &trial.example), ..one });
    }
    let wanted = Wanted { request: args.request, raw: args.raw, width: printer.width() };
    printer.text(&heading(&run.name, &trials[0].example, wanted.width));
    let repeats = trials.iter().map(|trial| trial.repeat + 1).max().unwrap_or(1);
    for one in &shown {
        printer.text(&one.text(repeats, wanted));
    }
    printer.value(&json!({"run": run.name, "example": args.example, "trials": shown.iter().map(Shown::value).collect::<Vec<_>>()}));
    super::DONE
}

/// Why there is nothing to show: no such variant, or no such example.
fn nothing_found(store: &Store, run: &RunRow, args: &ShowArgs) -> Result<Error, Error> {
    let known = store.variants_of(run.id)?;
    Ok(match &args.variant {
        Some(variant) if !known.contains(variant) => {
            let near = text::nearest(variant, known.iter().map(String::as_str));
            let near = near.map_or(String::new(), |near| format!("did you mean `{}`? ", text::one_line(near, 100)));
            let known: Vec<String> = known.iter().map(|name| text::one_line(name, 100)).collect();
            Error::usage(
                format!("run `{}` has no variant `{}`", run.name, text::one_line(variant, 200)),
                format!("{near}it has: {}", known.join(", ")),
            )
        }
        _ => Error::usage(
            format!("run `{}` has no trial of example `{}`", run.name, text::one_line(&args.example, 200)),
            "ids are those of the suite's example files",
        ),
    })
}

/// The suite that a run asked, as it stands now, and its grader.
pub(super) fn suite_of(store: &Store, run: &RunRow, folder: Option<&Path>) -> Result<(Suite, Grader), Error> {
    let folder = reporting::suite_folder(store, run, folder)?;
    let providers = assemble::providers_of(store, &folder)?;
    let options: Value = serde_json::from_str(&run.options).unwrap_or_default();
    let provider: Vec<(String, String)> = serde_json::from_value(options["provider"].clone()).unwrap_or_default();
    let options = LoadOptions {
        provider_overrides: provider.into_iter().collect(),
        on: part::asked_instead(&options),
        added: part::added(&options),
        ..LoadOptions::default()
    };
    let suite = crate::suite::load::load(&folder, &providers, &options)?.suite;
    let grader = Grader::new(&suite, &assemble::endpoint_facts(&suite, &providers)?)?;
    Ok((suite, grader))
}

/// Of a variant that no suite has.
fn unreadable() -> Outcome {
    Outcome::Failed(wire::malformed("nothing reads this answer any more"))
}

/// A trial with its grades.
struct Shown<'a> {
    trial: &'a StoredTrial,
    outcome: Outcome,
    answer: Option<Answer>,
    graded: GradedTrial,
    grader: &'a Grader,
    messages: Option<Vec<Message>>,
    retrieved: Option<Retrieved>,
}

impl<'a> Shown<'a> {
    fn new(trial: &'a StoredTrial, grader: &'a Grader, place: usize, replies: Option<&Value>) -> Self {
        let kind = grader.endpoint(place).map_or(WireKind::OpenaiChat, |facts| facts.wire);
        Self {
            trial,
            outcome: grader.read(place, &trial.exchange).map_or_else(unreadable, |reading| reading.outcome),
            answer: grader.judged(place, &trial.exchange),
            graded: grader.grade(place, &trial.example, &trial.exchange, replies),
            grader,
            messages: conversation(kind, &trial.exchange.request_body),
            retrieved: None,
        }
    }

    fn text(&self, repeats: u32, wanted: Wanted) -> String {
        let shown = ShownTrial {
            variant: &self.trial.variant,
            repeat: (self.trial.repeat, repeats),
            exchange: &self.trial.exchange,
            reused: self.trial.reused,
            outcome: &self.outcome,
            answer: self.answer.as_ref(),
            graded: &self.graded,
            scorers: self.grader.scorer_ids().collect(),
            documents: self.retrieved.as_ref().map(ToString::to_string),
            messages: self.messages.clone(),
        };
        shown.text(&value_text(&self.trial.example.input), wanted)
    }

    /// How long the whole answer took; what another tool did not state is not known.
    fn total_ms(&self) -> Option<f64> {
        let exchange = &self.trial.exchange;
        match exchange.provenance {
            Provenance::Imported => self.graded.total_ms,
            Provenance::Live | Provenance::Recorded => {
                (exchange.delivery == Delivery::Direct).then_some(exchange.timing.total_ms)
            }
        }
    }

    fn value(&self) -> Value {
        let exchange = &self.trial.exchange;
        let outcome = &self.outcome;
        let scores: serde_json::Map<String, Value> = self
            .grader
            .scorer_ids()
            .zip(&self.graded.scores)
            .map(|(scorer, grade)| (scorer.to_owned(), json!(grade.score())))
            .collect();
        json!({
            "variant": self.trial.variant,
            "repeat": self.trial.repeat,
            "endpoint": exchange.endpoint,
            "provenance": exchange.provenance,
            "reused": self.trial.reused,
            "outcome": outcome.as_str(),
            "failure": outcome.failure(),
            "answer": outcome.completion().map(|completion| &completion.text),
            "valid": self.graded.valid_strict,
            "valid_lenient": self.graded.valid_lenient,
            "violation": self.graded.violation,
            "scores": scores,
            "retrieval": self.retrieved.as_ref().map(|retrieved| {
                json!({"retrieved": retrieved.ids, "right": retrieved.right, "missed": retrieved.missed})
            }),
            "ttft_ms": self.graded.ttft_ms,
            "delivery": exchange.delivery,
            "total_ms": self.total_ms(),
            "usage": self.graded.usage,
            "cost_usd": self.graded.cost.map(|cost| cost.as_f64()),
            "attempts": exchange.attempts,
            "messages": self.messages,
            "request": serde_json::from_slice::<Value>(&exchange.request_body).unwrap_or_default(),
            "request_hash": exchange.request_digest,
        })
    }
}
