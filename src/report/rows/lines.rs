//! A trial a line, as JSON: our own lines, which `ceiling import` reads again, and NeMo Evaluator's.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::{RowSink, TrialRow};
use crate::digest::Digest;
use crate::exchange::Usage;
use crate::import::plain::Line;
use crate::measure::grade::{Ending, GradedTrial};
use crate::score::Grade;
use crate::trial::Provenance;

/// Our own lines; `docs/reference/import.md` defines them.
pub struct PlainLines<W> {
    writer: W,
    scorers: Vec<String>,
    /// From where the trials come, for the first line.
    source: Option<String>,
}

impl<W: Write> PlainLines<W> {
    /// Lines of trials with these scorers, the primary one first.
    pub fn new<'s>(writer: W, scorers: impl IntoIterator<Item = &'s str>, source: String) -> Self {
        let scorers = scorers.into_iter().map(str::to_owned).collect();
        Self { writer, scorers, source: Some(source) }
    }

    fn line(&mut self, row: &TrialRow) -> Line {
        let (graded, exchange) = (&row.graded, &row.exchange);
        let failed = matches!(graded.ending, Ending::Failed(_));
        let said = row.outcome.as_ref().and_then(|outcome| outcome.completion());
        let score = |place: usize| graded.scores.get(place).and_then(Grade::score);
        let further = self.scorers.iter().enumerate().skip(1);
        // The times of an answer that came from the store are another run's.
        let fresh = !(row.reused && exchange.provenance == Provenance::Live);
        let total_ms = graded.total_ms.filter(|_| fresh && !failed);
        let error = || graded.failure_message.clone().unwrap_or_else(|| "failed".to_owned());
        Line {
            variant: Some(row.variant.clone()),
            model: Some(exchange.endpoint.strip_prefix("imported/").unwrap_or(&exchange.endpoint).to_owned()),
            example: Value::from(row.example.id.0.as_str()),
            input: row.example.input.clone(),
            expected: row.example.expected.clone(),
            cluster: row.example.cluster.clone(),
            tags: row.example.tags.clone(),
            repeat: Some(row.repeat),
            answer: said.map(|said| said.text.clone()),
            stop: said.map(|said| said.stop),
            score: score(0).filter(|_| !failed),
            scores: further.filter_map(|(place, id)| Some((id.clone(), score(place).filter(|_| !failed)?))).collect(),
            valid: row.checks_validity.then_some(graded.valid_strict).filter(|_| !failed),
            violation: graded.violation.clone(),
            ttft_ms: graded.ttft_ms.filter(|_| fresh && !failed),
            total_ms,
            usage: Some(graded.usage).filter(|usage| *usage != Usage::default()),
            cost_usd: graded.cost.map(|cost| cost.as_f64()),
            error: failed.then(error),
            failure: match graded.ending {
                Ending::Failed(kind) => Some(kind),
                Ending::Answered | Ending::Refused | Ending::Truncated => None,
            },
            sent_at: moment(exchange.sent_at_unix_ms),
            source: self.source.take(),
        }
    }
}

impl<W: Write> RowSink<TrialRow> for PlainLines<W> {
    fn write(&mut self, row: &TrialRow) -> io::Result<()> {
        let line = self.line(row);
        serde_json::to_writer(&mut self.writer, &line)?;
        self.writer.write_all(b"\n")
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.writer.flush()
    }
}

/// NeMo Evaluator's `results.jsonl` (its docs/result-format.mdx, version 0.4.0), of one variant: the
/// format names none. A trial without a score has no place in it.
pub struct NemoLines<W> {
    writer: W,
}

impl<W: Write> NemoLines<W> {
    /// Lines for this writer.
    pub fn new(writer: W) -> Self {
        Self { writer }
    }
}

/// The score of a trial as NeMo's reward; `None` for one that is missing or was not scored.
pub fn nemo_reward(graded: &GradedTrial) -> Option<f64> {
    graded.scores.first().and_then(Grade::score).filter(|_| !graded.counts_as_missing)
}

impl<W: Write> RowSink<TrialRow> for NemoLines<W> {
    fn write(&mut self, row: &TrialRow) -> io::Result<()> {
        let Some(reward) = nemo_reward(&row.graded) else { return Ok(()) };
        let said = row.outcome.as_ref().and_then(|outcome| outcome.completion());
        let mut metadata: Map<String, Value> =
            row.example.tags.iter().map(|(tag, value)| (tag.clone(), Value::from(value.as_str()))).collect();
        metadata.insert("example".to_owned(), Value::from(row.example.id.0.as_str()));
        metadata.insert("variant".to_owned(), Value::from(row.variant.as_str()));
        let tokens = row.graded.usage.output_tokens.zip(row.graded.usage.input_uncached_tokens);
        let line = json!({
            "problem_idx": problem(&row.example.id.0),
            "repeat": row.repeat,
            "reward": reward,
            "prompt": words(&row.example.input),
            "expected_answer": words(&row.example.expected),
            "model_response": said.map_or("", |said| said.text.as_str()),
            "extracted_answer": row.graded.label,
            "scoring_details": {},
            "metadata": metadata,
            "tokens": tokens.map_or(0, |(output, input)| output + input),
            "latency_ms": row.graded.total_ms.unwrap_or(0.0),
        });
        serde_json::to_writer(&mut self.writer, &line)?;
        self.writer.write_all(b"\n")
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.writer.flush()
    }
}

/// NeMo tells problems by a whole number, the same in every run: an id that is one, else one of the id's
/// digest that every JSON reader keeps exactly.
fn problem(id: &str) -> u64 {
    const EXACT: u32 = 53;
    let plain = id.parse().ok().filter(|number: &u64| *number < 1 << 31 && number.to_string() == id);
    plain.unwrap_or_else(|| Digest::of(id.as_bytes()).prefix_u64() >> (u64::BITS - EXACT))
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn moment(unix_ms: i64) -> Option<String> {
    // An import whose file states no time has none.
    let at = jiff::Timestamp::from_millisecond(unix_ms).ok().filter(|_| unix_ms != 0)?;
    Some(at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_one_number_in_every_run() {
        assert_eq!(problem("17"), 17);
        assert_eq!(problem("t-0001"), problem("t-0001"));
        assert!(problem("017") != 17 && problem("t-0001") < 1 << 53 && problem("t-0001") != problem("t-0002"));
    }
}
