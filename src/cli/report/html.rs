//! A run as a page: the report, and every example with its answers, written piece by piece.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::Reporting;
use crate::cli::early::EarlyRun;
use crate::cli::measuring::{self, Waiting};
use crate::cli::reporting::MeasuredRun;
use crate::cli::{pipeline, retrieval};
use crate::error::Error;
use crate::measure::grade::GradedTrial;
use crate::report::html;
use crate::report::html::examples::{Fault, PackedExample, Packer, Piece, TrialView};
use crate::run::RunError;
use crate::score::answer::Answer;
use crate::store::{Damaged, RawTrial, StoredTrial};
use crate::trial::{Delivery, Exchange, Provenance, Received};
use crate::variant::VariantId;
use crate::wire::Reading;

/// Writes the page, and says how long it is; of requests and responses it holds so many bytes, compressed. `home` is
/// where a served page finds the list of runs.
///
/// # Errors
/// What the store or the writer says.
pub(in crate::cli) fn write(
    reporting: &Reporting<'_>,
    most_of_bodies: usize,
    home: Option<&str>,
    to: &mut dyn Write,
) -> Result<u64, Unwritten> {
    let page = html::page(&reporting.report, home).map_err(bug)?;
    let mut to = Counted { to, bytes: 0 };
    to.put(&page.opening)?;
    let rows = &reporting.report.measurements.variants;
    let names: Vec<&VariantId> = rows.iter().map(|row| &row.variant.id).collect();
    let mut packer = Packer::new(names.iter().map(ToString::to_string).collect(), most_of_bodies);
    let measured = reporting.measured;
    let whole = (&measured.suite, &measured.grader);
    let comparable = measured.measurements.latency_comparable;
    let early = EarlyRun::of(reporting.store, measured.run.id, whole, comparable)?;
    let places = measuring::places(&measured.suite);
    let place = |trial: &RawTrial| {
        let place = names.iter().position(|name| name.as_str() == trial.variant)?;
        let own = *places.get(trial.variant.as_str())?;
        // What no figure rests on is no part of the page either.
        let out = early.as_ref().is_some_and(|early| early.place(own, &trial.example_digest).is_none());
        (!out).then_some((place, own))
    };
    // Nothing depends on who sees it first: what comes too late for the page is left out again.
    let wants_bodies = AtomicBool::new(packer.wants_bodies());
    let damaged = |damaged| reporting.store.damaged(damaged);
    let read = |hand: &mut dyn FnMut(Vec<Shown>, usize) -> Result<(), Unwritten>| {
        reporting.store.raw_by_example(measured.run.id, |trials| {
            let mut shown = Vec::with_capacity(trials.len());
            let mut bytes = 0;
            for trial in trials {
                let Some((place, own)) = place(&trial) else { continue };
                bytes += trial.bytes();
                let trial = if measured.grader.wants_command() {
                    let trial = trial.read().map_err(damaged)?;
                    let replies = measuring::replies(reporting.store, &measured.grader, own, &trial)?;
                    Waiting::Read(Box::new(trial), replies)
                } else {
                    Waiting::Raw(Box::new(trial))
                };
                shown.push(Shown { place, own, trial });
            }
            if shown.is_empty() { Ok(()) } else { hand(shown, bytes) }
        })
    };
    let work = |shown: Vec<Shown>| packed(measured, shown, names.len(), wants_bodies.load(Ordering::Relaxed));
    // Chunks are compressed while the next examples are read and graded.
    let pieces = |hand: &mut dyn FnMut(Piece, usize) -> Result<(), Unwritten>| {
        let mut put = |piece: Piece| {
            let bytes = piece.bytes();
            hand(piece, bytes)
        };
        pipeline::in_order(read, work, |packed: Result<Option<PackedExample>, Unpacked>| {
            let packed = packed.map_err(|error| match error {
                Unpacked::Damaged(error) => damaged(error).into(),
                Unpacked::Bug(error) => bug(error),
            })?;
            let Some(packed) = packed else { return Ok(()) };
            packer.add(packed).into_iter().try_for_each(&mut put)?;
            wants_bodies.store(packer.wants_bodies(), Ordering::Relaxed);
            Ok(())
        })?;
        packer.finish().map_err(bug)?.into_iter().try_for_each(put)
    };
    pipeline::in_order(pieces, Piece::render, |element| to.put(&element))?;
    to.put(&page.closing)?;
    Ok(to.bytes)
}

/// A trial that the page shows, with what the store has of it.
struct Shown {
    /// Its variant's place among those measured.
    place: usize,
    /// The same in the suite.
    own: usize,
    trial: Waiting,
}

/// Why an example is not on the page.
enum Unpacked {
    Damaged(Damaged),
    Bug(serde_json::Error),
}

/// An example by its trials; `None` without any.
fn packed(
    measured: &MeasuredRun,
    shown: Vec<Shown>,
    variants: usize,
    with_bodies: bool,
) -> Result<Option<PackedExample>, Unpacked> {
    let grader = &measured.grader;
    let mut views = Vec::with_capacity(shown.len());
    let (mut example, mut class) = (None, None);
    for Shown { place, own, trial } in shown {
        let (trial, replies) = match trial {
            Waiting::Raw(trial) if with_bodies => (trial.read().map_err(Unpacked::Damaged)?, None),
            Waiting::Raw(trial) => (trial.read_answer().map_err(Unpacked::Damaged)?, None),
            Waiting::Read(trial, replies) => (*trial, replies),
        };
        let documents = measured.retrieval.shown(own, &trial.example);
        let reading = grader.read(own, &trial.exchange);
        let exchange = (&trial.exchange, reading.as_ref());
        let (graded, judged) = grader.grade_and_judge(own, &trial.example, exchange, replies.as_ref());
        class = class.or_else(|| graded.expected_label.clone());
        let mut view = view(place, &trial, (reading.as_ref(), graded, judged), documents);
        let StoredTrial { example: asked, exchange, .. } = trial;
        if with_bodies {
            view.bodies = bodies(exchange);
        }
        views.push(view);
        example.get_or_insert(asked);
    }
    let packed = |example| PackedExample::new(&example, class, (&views, variants), with_bodies);
    example.map(packed).transpose().map_err(Unpacked::Bug)
}

/// Why a page was not written whole.
pub(in crate::cli) enum Unwritten {
    /// It could not be made.
    Made(Error),
    /// Its reader did not take it.
    Taken(io::Error),
}

impl<E: Into<Error>> From<E> for Unwritten {
    fn from(error: E) -> Self {
        Self::Made(error.into())
    }
}

fn bug(error: serde_json::Error) -> Error {
    RunError::Bug(error.to_string()).into()
}

/// A writer that knows how much went through it.
struct Counted<'a> {
    to: &'a mut dyn Write,
    bytes: u64,
}

impl Counted<'_> {
    fn put(&mut self, text: &str) -> Result<(), Unwritten> {
        self.bytes += text.len() as u64;
        self.to.write_all(text.as_bytes()).map_err(Unwritten::Taken)
    }
}

/// A trial as the page shows it; `place` is its variant's among those measured.
fn view(
    place: usize,
    trial: &StoredTrial,
    (reading, graded, judged): (Option<&Reading>, GradedTrial, Option<Answer>),
    documents: Option<retrieval::Retrieved>,
) -> TrialView {
    let exchange = &trial.exchange;
    let outcome = reading.map(|reading| &reading.outcome);
    let completion = outcome.and_then(|outcome| outcome.completion());
    let source = match exchange.provenance {
        Provenance::Live => "measured",
        Provenance::Recorded => "recorded",
        Provenance::Imported => "as stated by the other tool",
    };
    let stored = if trial.reused && exchange.provenance == Provenance::Live { ", from the store" } else { "" };
    let batch = exchange.delivery == Delivery::Batch;
    let text = completion.map_or("", |completion| completion.text.as_str());
    let attempt = |attempt: &crate::trial::Attempt| {
        format!("{} after {:.0} ms: {}", attempt.kind.as_str(), attempt.took_ms, attempt.message)
    };
    let view = TrialView {
        variant: place,
        repeat: trial.repeat,
        outcome: outcome.map_or("failed", |outcome| outcome.as_str()),
        failure: graded.failure_message,
        missing: graded.counts_as_missing,
        score: graded.scores.first().and_then(|grade| grade.score()),
        valid: graded.valid_strict,
        valid_lenient: graded.valid_lenient,
        violation: graded.violation,
        fault: judged.and_then(|answer| Fault::of(&answer.validity, text)),
        text: None,
        reasoning: completion.map(|completion| completion.reasoning.clone()).filter(|text| !text.is_empty()),
        cut: false,
        ttft_ms: graded.ttft_ms,
        total_ms: graded.total_ms,
        source: if batch { "by batch".to_owned() } else { format!("{source}{stored}") },
        usage: graded.usage,
        cost_usd: graded.cost.map(|cost| cost.as_f64()),
        attempts: exchange.attempts.iter().map(attempt).collect(),
        documents: documents.map(|documents| documents.to_string()),
        bodies: Default::default(),
    };
    match completion {
        Some(completion) => view.with_text(&completion.text),
        None => view,
    }
}

/// The request and the response as they went.
fn bodies(exchange: Exchange) -> [Vec<u8>; 2] {
    let response = match exchange.received {
        Received::Answer { body, .. } | Received::Broken { body, .. } => body,
    };
    [exchange.request_body, response]
}
