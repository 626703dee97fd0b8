//! `ceiling show`: one example of a run whole.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::args::{SelectionArgs, StoreArgs};
use super::exit::Exit;
use super::printer::Printer;
use super::retrieval::Retrieved;
use super::{assemble, measuring};
use crate::error::Error;
use crate::measure::grade::{GradedTrial, Grader};
use crate::score::Grade;
use crate::store::{RunRow, Store, StoredTrial};
use crate::suite::Suite;
use crate::text;
use crate::trial::{Delivery, Received};
use crate::wire;

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
    /// The raw body as received, not only the text.
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
    let (suite, grader) = suite_of(&run, args.suite.as_deref())?;
    let places = measuring::places(&suite);
    let mut trials = Vec::new();
    store.each_trial(run.id, Some(&args.example), |trial| -> Result<(), Error> {
        if args.variant.as_ref().is_none_or(|variant| *variant == trial.variant) {
            trials.push(trial);
        }
        Ok(())
    })?;
    if trials.is_empty() {
        return Err(Error::usage(
            format!("run `{}` has no trial of example `{}`", run.name, args.example),
            "ids are those of the suite's example files",
        ));
    }
    let folder = args.suite.clone().unwrap_or_else(|| PathBuf::from(&run.folder));
    let retrieval = super::retrieval::of_run(&suite, &folder, &store, &trials[0].example)?;
    trials.sort_by_key(|trial| (places.get(trial.variant.as_str()).copied(), trial.repeat));
    let mut shown = Vec::new();
    for trial in &trials {
        let Some(&place) = places.get(trial.variant.as_str()) else { continue };
        let replies = measuring::replies(&store, &grader, place, trial)?;
        let graded = grader.grade(place, &trial.example, &trial.exchange, replies.as_ref());
        let retrieved = retrieval.shown(place, &trial.example);
        shown.push(Shown { trial, graded, grader: &grader, place, retrieved });
    }
    if let Some(first) = trials.first() {
        printer.text(&heading(&run, first));
    }
    for one in &shown {
        printer.text(&one.text(args.raw));
    }
    printer.value(&json!({"run": run.name, "example": args.example, "trials": shown.iter().map(Shown::value).collect::<Vec<_>>()}));
    super::DONE
}

/// The suite that a run asked, as it stands now, and its grader.
pub(super) fn suite_of(run: &RunRow, folder: Option<&Path>) -> Result<(Suite, Grader), Error> {
    let folder = folder.map_or_else(|| PathBuf::from(&run.folder), Path::to_owned);
    let providers = assemble::providers(&folder)?;
    let options: Value = serde_json::from_str(&run.options).unwrap_or_default();
    let provider: Vec<(String, String)> = serde_json::from_value(options["provider"].clone()).unwrap_or_default();
    let selection = SelectionArgs { variants: None, limit: None, examples: None, provider };
    let suite = crate::suite::load::load(&folder, &providers, &assemble::load_options(&selection))?.suite;
    let grader = Grader::new(&suite, &assemble::endpoint_facts(&suite, &providers)?)?;
    Ok((suite, grader))
}

fn heading(run: &RunRow, trial: &StoredTrial) -> String {
    let example = &trial.example;
    let mut heading = format!("run {} · example {}\n", run.name, example.id);
    let _ = writeln!(heading, "input     {}", text::one_line(&shown_json(&example.input), 2000));
    let _ = writeln!(heading, "expected  {}", text::one_line(&shown_json(&example.expected), 2000));
    if let Some(cluster) = &example.cluster {
        let _ = writeln!(heading, "cluster   {}", text::one_line(cluster, 200));
    }
    heading
}

fn shown_json(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A trial with its grades.
struct Shown<'a> {
    trial: &'a StoredTrial,
    graded: GradedTrial,
    grader: &'a Grader,
    place: usize,
    retrieved: Option<Retrieved>,
}

impl Shown<'_> {
    fn text(&self, raw: bool) -> String {
        let exchange = &self.trial.exchange;
        let mut text = format!("\n{} (repeat {}) · {}\n", self.trial.variant, self.trial.repeat, exchange.endpoint);
        let line = |text: &mut String, name: &str, value: String| {
            let _ = writeln!(text, "  {name:<10}{value}");
        };
        let outcome = self.reading().outcome;
        let failure = outcome
            .failure()
            .map_or(String::new(), |failure| format!(": {} ({})", failure.message, failure.kind.as_str()));
        line(&mut text, "outcome", format!("{}{failure}", outcome.as_str()));
        if let Some(completion) = outcome.completion() {
            line(&mut text, "answer", text::one_line(&completion.text, 4000));
        }
        let valid = match (&self.graded.violation, self.graded.valid_strict) {
            (_, true) => "yes".to_owned(),
            (Some(violation), false) => format!("no: {}", text::one_line(violation, 300)),
            (None, false) => "no".to_owned(),
        };
        line(&mut text, "valid", format!("{valid}; lenient: {}", if self.graded.valid_lenient { "yes" } else { "no" }));
        for (scorer, grade) in self.grader.scorer_ids().zip(&self.graded.scores) {
            let grade = match grade {
                Grade::Scored(score) => format!("{score:.3}"),
                Grade::Unscored(reason) => format!("unscored: {}", text::one_line(reason, 300)),
            };
            line(&mut text, "score", format!("{scorer} {grade}"));
        }
        if let Some(retrieved) = &self.retrieved {
            line(&mut text, "documents", text::one_line(&retrieved.to_string(), 2000));
        }
        line(&mut text, "timing", self.timing());
        line(&mut text, "usage", serde_json::to_string(&self.graded.usage).unwrap_or_default());
        line(&mut text, "cost", self.graded.cost.map_or("unknown".into(), |cost| cost.to_string()));
        for attempt in &exchange.attempts {
            line(
                &mut text,
                "attempt",
                format!("{} after {:.0} ms: {}", attempt.kind.as_str(), attempt.took_ms, attempt.message),
            );
        }
        line(&mut text, "request", text::one_line(&String::from_utf8_lossy(&exchange.request_body), 20_000));
        if raw {
            let body = match &exchange.received {
                Received::Answer { body, .. } | Received::Broken { body, .. } => body,
            };
            let _ = writeln!(text, "  raw\n{}", text::printable(&String::from_utf8_lossy(body)));
        }
        text
    }

    fn reading(&self) -> wire::Reading {
        let kind = self.grader.endpoint(self.place).map_or(crate::provider::WireKind::OpenaiChat, |facts| facts.wire);
        wire::read(kind, &self.trial.exchange.received)
    }

    fn timing(&self) -> String {
        let exchange = &self.trial.exchange;
        if exchange.delivery == Delivery::Batch {
            let stored = if self.trial.reused { "; answer from the store" } else { "" };
            return format!("not measured: came in a batch of {} requests{stored}", exchange.in_flight);
        }
        let first = self.graded.ttft_ms.map_or("no first token".into(), |ms| format!("first token {ms:.1} ms"));
        let source = match exchange.provenance {
            crate::trial::Provenance::Live => "measured",
            crate::trial::Provenance::Recorded => "recorded",
        };
        let stored = if self.trial.reused { ", answer from the store" } else { "" };
        format!(
            "{first}, total {:.1} ms ({source}{stored}; {} requests under way)",
            exchange.timing.total_ms, exchange.in_flight
        )
    }

    fn value(&self) -> Value {
        let exchange = &self.trial.exchange;
        let outcome = self.reading().outcome;
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
            "total_ms": (exchange.delivery == Delivery::Direct).then_some(exchange.timing.total_ms),
            "usage": self.graded.usage,
            "cost_usd": self.graded.cost.map(|cost| cost.as_f64()),
            "attempts": exchange.attempts,
            "request": serde_json::from_slice::<Value>(&exchange.request_body).unwrap_or_default(),
            "request_hash": exchange.request_digest,
        })
    }
}
