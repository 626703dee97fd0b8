//! A run as a page: the report, and every example with its answers, written piece by piece.

use std::io::Write;

use super::Reporting;
use crate::cli::{measuring, retrieval};
use crate::error::Error;
use crate::measure::grade::{GradedTrial, Grader};
use crate::report::html;
use crate::report::html::examples::{Packer, TrialView};
use crate::run::RunError;
use crate::store::StoredTrial;
use crate::trial::{Delivery, Provenance, Received};
use crate::variant::VariantId;

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
) -> Result<u64, Error> {
    let page = html::page(&reporting.report, home).map_err(bug)?;
    let mut to = Counted { to, bytes: 0 };
    to.put(&page.opening)?;
    let rows = &reporting.report.measurements.variants;
    let names: Vec<&VariantId> = rows.iter().map(|row| &row.variant.id).collect();
    let mut packer = Packer::new(names.iter().map(ToString::to_string).collect(), most_of_bodies);
    let measured = reporting.measured;
    let places = measuring::places(&measured.suite);
    reporting.store.trials_by_example(measured.run.id, |trials| -> Result<(), Error> {
        let mut views = Vec::with_capacity(trials.len());
        let mut class = None;
        for trial in &trials {
            let Some(place) = names.iter().position(|name| name.as_str() == trial.variant) else { continue };
            let Some(&own) = places.get(trial.variant.as_str()) else { continue };
            let replies = measuring::replies(reporting.store, &measured.grader, own, trial)?;
            let graded = measured.grader.grade(own, &trial.example, &trial.exchange, replies.as_ref());
            class = class.or_else(|| graded.expected_label.clone());
            let documents = measured.retrieval.shown(own, &trial.example);
            views.push(view(&measured.grader, (place, own), trial, graded, documents));
        }
        let Some(first) = trials.first().filter(|_| !views.is_empty()) else { return Ok(()) };
        to.put(&packer.add(&first.example, class.as_deref(), &views).map_err(bug)?)
    })?;
    to.put(&packer.finish().map_err(bug)?)?;
    to.put(&page.closing)?;
    Ok(to.bytes)
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
    fn put(&mut self, text: &str) -> Result<(), Error> {
        self.bytes += text.len() as u64;
        let written = self.to.write_all(text.as_bytes());
        written.map_err(|error| Error::System { what: "failed to write the page".into(), error })
    }
}

/// A trial as the page shows it; `place` is its variant's among those measured, `own` in the suite.
fn view(
    grader: &Grader,
    (place, own): (usize, usize),
    trial: &StoredTrial,
    graded: GradedTrial,
    documents: Option<retrieval::Retrieved>,
) -> TrialView {
    let exchange = &trial.exchange;
    let reading = grader.read(own, exchange);
    let outcome = reading.as_ref().map(|reading| &reading.outcome);
    let completion = outcome.and_then(|outcome| outcome.completion());
    let source = match exchange.provenance {
        Provenance::Live => "measured",
        Provenance::Recorded => "recorded",
        Provenance::Imported => "as stated by the other tool",
    };
    let stored = if trial.reused && exchange.provenance == Provenance::Live { ", from the store" } else { "" };
    let batch = exchange.delivery == Delivery::Batch;
    let body = match &exchange.received {
        Received::Answer { body, .. } | Received::Broken { body, .. } => body,
    };
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
        bodies: [exchange.request_body.clone(), body.clone()],
    };
    match completion {
        Some(completion) => view.with_text(&completion.text),
        None => view,
    }
}
