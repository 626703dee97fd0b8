//! From what is stored of a trial to its scores: pure, so that re-scoring never asks again.
//!
//! Outcome and score are apart (DESIGN.md 13.2, 13.3): a truncated answer that still parses is
//! scored like any other; an answer that does not parse, breaks the schema, or was refused scores
//! 0 for every scorer, since it could not be used.

use serde_json::Value;

use crate::exchange::{FailureKind, Outcome, Usage};
use crate::provider::price::request_cost;
use crate::provider::{GpuCost, Price, WireKind};
use crate::score::answer::{self, Answer};
use crate::score::field_f1::{FieldF1, FieldTable};
use crate::score::{self, Grade, Scorer, ScorerError};
use crate::suite::schema::{OutputSchema, label_text};
use crate::suite::{Example, ParseMode, ScorerKind, ScorerSpec, Suite, Task};
use crate::trial::{Delivery, Exchange, Provenance};
use crate::units::Usd;
use crate::variant::Structured;
use crate::wire::imported::{self, Stated};
use crate::wire::{self, Reading, fit};

/// What grading must know of a variant's endpoint; one a variant, in the suite's order.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointFacts {
    /// The model's name as it is asked for.
    pub served_as: String,
    /// The protocol in which its answers are stored.
    pub wire: WireKind,
    /// Token prices, if known.
    pub price: Option<Price>,
    /// Hardware cost, for self-hosted models.
    pub gpu: Option<GpuCost>,
    /// Whether the user runs it, and whoever makes vectors for it.
    pub self_hosted: bool,
    /// Whether the variant's schema was sent with optional fields as required ones, so that a null
    /// in an answer may stand for absence (see [`fit`]).
    pub null_is_absent: bool,
    /// The day on which the model stops answering, if known.
    pub retires: Option<jiff::civil::Date>,
    /// What bears on the prompt cache.
    pub cache: CacheFacts,
}

/// What bears on whether a variant's prompt can be cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheFacts {
    /// The shortest prefix, in tokens, that the model's cache keeps, if known.
    pub min_tokens: Option<u64>,
    /// How much of the prompt the examples share.
    pub prefix: PrefixFacts,
}

/// How much of a variant's prompt is the same for every example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrefixFacts {
    /// Everything up to the example itself.
    #[default]
    Stable,
    /// Nothing: the system part depends on the example.
    SystemVaries,
    /// The system part alone: the shots depend on the example.
    ShotsVary,
}

/// How a trial ended, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A whole answer.
    Answered,
    /// The model or a filter declined.
    Refused,
    /// The token limit cut the answer.
    Truncated,
    /// No answer.
    Failed(FailureKind),
}

/// What a `command` scorer wants to be asked for one trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The scorer's id: the key of its reply.
    pub scorer: String,
    /// The process that answers.
    pub argv: Vec<String>,
    /// One JSON object for it.
    pub question: Value,
}

/// A trial with its scores.
#[derive(Debug, Clone, PartialEq)]
pub struct GradedTrial {
    /// How it ended.
    pub ending: Ending,
    /// What the failure said, for a failed trial.
    pub failure_message: Option<String>,
    /// Whether it is missing: an infrastructure failure, no part of any score (METHODS.md 0.4).
    pub counts_as_missing: bool,
    /// Milliseconds to the first visible token; `None` when not streamed or nothing visible came.
    pub ttft_ms: Option<f64>,
    /// Milliseconds to the first output of any kind, reasoning among it.
    pub ttft_any_ms: Option<f64>,
    /// Whether reasoning was shown apart from the answer.
    pub shows_reasoning: bool,
    /// Whether the answer was streamed, so that its first token could be seen.
    pub streamed: bool,
    /// Milliseconds to the whole answer; `None` for a failed trial, and for an answer of a batch.
    pub total_ms: Option<f64>,
    /// Whether the answer parses as the suite says and the schema accepts it.
    pub valid_strict: bool,
    /// The same with `parse = "lenient"`.
    pub valid_lenient: bool,
    /// The first thing that is wrong with the answer, parsed as the suite says.
    pub violation: Option<String>,
    /// One grade a scorer, the primary one first; all unscored for a missing trial.
    pub scores: Vec<Grade>,
    /// The answered class, for classification; `None` when there is no usable answer.
    pub label: Option<String>,
    /// The expected class, for classification.
    pub expected_label: Option<String>,
    /// Pairs by field, for a primary `field-f1` scorer.
    pub fields: FieldTable,
    /// What was reported about tokens.
    pub usage: Usage,
    /// The model that the server says answered.
    pub served_model: Option<String>,
    /// What the answering attempt cost by the price list; `None` when unknown. Attempts that failed
    /// before are not in it: no server reports usage with an error.
    pub cost: Option<Usd>,
}

/// Everything that grading needs, built once a suite.
pub struct Grader {
    scorers: Vec<(ScorerSpec, Box<dyn Scorer>)>,
    fields: Option<FieldF1>,
    schema: Option<OutputSchema>,
    parse: ParseMode,
    score_invalid: bool,
    stated_validity: bool,
    classifies: bool,
    endpoints: Vec<EndpointFacts>,
    wants_json: Vec<bool>,
}

impl Grader {
    /// Builds the suite's scorers; `endpoints` has one entry a variant, in the suite's order.
    ///
    /// # Errors
    /// A scorer that cannot be built.
    pub fn new(suite: &Suite, endpoints: &[EndpointFacts]) -> Result<Self, ScorerError> {
        let points = suite.scorers.iter().any(|spec| !spec.at.is_empty());
        let wants_json = |structured| points || structured != Structured::Text;
        let grader = Self::from_parts(
            &suite.scorers,
            suite.schema.clone(),
            (suite.parse, suite.score_invalid, suite.task),
            endpoints,
            suite.variants.iter().map(|variant| wants_json(variant.structured)).collect(),
        )?;
        Ok(Self { stated_validity: suite.stated_validity, ..grader })
    }

    pub(super) fn from_parts(
        scorers: &[ScorerSpec],
        schema: Option<OutputSchema>,
        (parse, score_invalid, task): (ParseMode, bool, Task),
        endpoints: &[EndpointFacts],
        wants_json: Vec<bool>,
    ) -> Result<Self, ScorerError> {
        let fields = scorers.first().and_then(|spec| match spec.kind {
            ScorerKind::FieldF1 { tolerance, list_match } => Some(FieldF1::new(tolerance, list_match)),
            _ => None,
        });
        Ok(Self {
            scorers: scorers
                .iter()
                .map(|spec| Ok((spec.clone(), score::build(spec)?)))
                .collect::<Result<_, ScorerError>>()?,
            fields,
            schema,
            parse,
            score_invalid,
            stated_validity: false,
            classifies: task == Task::Classification,
            endpoints: endpoints.to_vec(),
            wants_json,
        })
    }

    /// The endpoint of a variant, if there is such a variant.
    pub fn endpoint(&self, variant: usize) -> Option<&EndpointFacts> {
        self.endpoints.get(variant)
    }

    /// Whether answers can be invalid at all: there is a schema, or JSON is wanted.
    pub fn checks_validity(&self, variant: usize) -> bool {
        self.schema.is_some() || self.stated_validity || self.wants_json(variant)
    }

    /// The scorers' ids, the primary one first.
    pub fn scorer_ids(&self) -> impl Iterator<Item = &str> {
        self.scorers.iter().map(|(spec, _)| spec.id.as_str())
    }

    /// Whether a scorer asks a process of the user's.
    pub fn wants_command(&self) -> bool {
        self.scorers.iter().any(|(spec, _)| matches!(spec.kind, ScorerKind::Command { .. }))
    }

    /// What the `command` scorers ask about a trial; empty where the answer cannot be used.
    pub fn ask(&self, variant: usize, example: &Example, exchange: &Exchange) -> Vec<Question> {
        let Some(reading) = self.read(variant, exchange).filter(|_| self.wants_command()) else {
            return Vec::new();
        };
        let answer = self.answer(variant, &reading.outcome);
        let Some(answer) = self.usable(answer.as_ref()) else {
            return Vec::new();
        };
        let question = |(spec, scorer): &(ScorerSpec, Box<dyn Scorer>)| {
            let ScorerKind::Command { argv } = &spec.kind else {
                return None;
            };
            let ask = scorer.ask(example.expected.pointer(&spec.expected_at)?, answer.pointer(&spec.at)?)?;
            Some(Question { scorer: spec.id.clone(), argv: argv.clone(), question: ask.question })
        };
        self.scorers.iter().filter_map(question).collect()
    }

    /// Grades a trial. `replies` is a JSON object from each `command` scorer's id to its reply.
    pub fn grade(
        &self,
        variant: usize,
        example: &Example,
        exchange: &Exchange,
        replies: Option<&Value>,
    ) -> GradedTrial {
        self.grade_and_judge(variant, example, (exchange, self.read(variant, exchange).as_ref()), replies).0
    }

    /// The same with the answer as the suite parses it, if there is one; `reading` is what [`Grader::read`] gave.
    pub fn grade_and_judge(
        &self,
        variant: usize,
        example: &Example,
        (exchange, reading): (&Exchange, Option<&Reading>),
        replies: Option<&Value>,
    ) -> (GradedTrial, Option<Answer>) {
        match reading {
            Some(reading) => self.graded(variant, example, (exchange, reading), replies),
            None => (self.ungraded(Ending::Failed(FailureKind::Malformed), example), None),
        }
    }

    /// The same of an exchange that was read already.
    pub fn grade_read(
        &self,
        variant: usize,
        example: &Example,
        exchange: (&Exchange, &Reading),
        replies: Option<&Value>,
    ) -> GradedTrial {
        self.graded(variant, example, exchange, replies).0
    }

    fn graded(
        &self,
        variant: usize,
        example: &Example,
        (exchange, reading): (&Exchange, &Reading),
        replies: Option<&Value>,
    ) -> (GradedTrial, Option<Answer>) {
        let mut graded = self.ungraded(ending(&reading.outcome), example);
        let imported = exchange.provenance == Provenance::Imported;
        let stated = imported.then(|| Stated::of(&exchange.received)).flatten();
        graded.streamed = matches!(exchange.received, crate::trial::Received::Answer { streamed: true, .. });
        match &reading.outcome {
            Outcome::Failed(failure) => {
                graded.failure_message = Some(failure.message.clone());
                graded.counts_as_missing = !failure.kind.counts_as_wrong();
            }
            Outcome::Answered(completion) | Outcome::Refused(completion) | Outcome::Truncated(completion) => {
                let at = |event: Option<usize>| event.and_then(|index| exchange.timing.event_ms.get(index)).copied();
                graded.ttft_ms = at(reading.first_visible_event);
                graded.ttft_any_ms = at(reading.first_output_event);
                // Several events may come in one piece, so their times do not tell.
                graded.shows_reasoning = !completion.reasoning.is_empty()
                    || (reading.first_output_event.is_some()
                        && reading.first_output_event != reading.first_visible_event);
                let batch = exchange.delivery == Delivery::Batch;
                graded.total_ms = (!batch).then_some(exchange.timing.total_ms);
                graded.usage = completion.usage;
                graded.served_model = completion.served_model.clone();
                let price = self.endpoint(variant).and_then(|endpoint| endpoint.price);
                let price = price.map(|price| if batch { price.batched() } else { price });
                graded.cost = price.and_then(|price| request_cost(&completion.usage, &price));
                if let Some(stated) = &stated {
                    graded.measured_elsewhere(stated);
                }
            }
        }
        if graded.counts_as_missing {
            let missing = Grade::Unscored("no answer: the trial is missing".to_owned());
            graded.scores = vec![missing; self.scorers.len()];
            return (graded, None);
        }
        let answer = self.answer(variant, &reading.outcome);
        if let (Some(answer), Some(completion)) = (&answer, reading.outcome.completion()) {
            self.judge(variant, &completion.text, answer, &mut graded);
        }
        if let Some(stated) = stated.as_ref().filter(|_| self.stated_validity) {
            (graded.valid_strict, graded.valid_lenient) = (stated.valid == Some(true), stated.valid == Some(true));
            graded.violation.clone_from(&stated.violation);
        }
        self.score(example, (self.usable(answer.as_ref()), stated.as_ref()), replies, &mut graded);
        (graded, answer)
    }

    /// The answer of a trial as the suite parses it; `None` where there is none, or none that parses.
    pub fn parsed(&self, variant: usize, exchange: &Exchange) -> Option<Value> {
        self.answer(variant, &self.read(variant, exchange)?.outcome)?.value
    }

    /// The answer of a trial as the suite parses it, with what is wrong with it; `None` where there is none.
    pub fn judged(&self, variant: usize, exchange: &Exchange) -> Option<Answer> {
        self.answer(variant, &self.read(variant, exchange)?.outcome)
    }

    /// What a trial's exchange says, read on the wire of the variant's endpoint.
    pub fn read(&self, variant: usize, exchange: &Exchange) -> Option<Reading> {
        let endpoint = self.endpoint(variant)?;
        Some(match exchange.provenance {
            Provenance::Imported => imported::read(&exchange.received),
            Provenance::Live | Provenance::Recorded => wire::read(endpoint.wire, &exchange.received),
        })
    }

    /// Fills in the answer's validity, parsed as the suite says and leniently.
    fn judge(&self, variant: usize, text: &str, answer: &Answer, graded: &mut GradedTrial) {
        graded.valid_strict = answer.validity.is_valid();
        graded.violation = answer.validity.fault();
        graded.valid_lenient =
            graded.valid_strict || { self.parse(variant, text, ParseMode::Lenient).validity.is_valid() };
    }

    fn wants_json(&self, variant: usize) -> bool {
        self.wants_json.get(variant).copied().unwrap_or(false)
    }

    /// The answer of a trial that has one, parsed as the suite says; a truncated one strictly, since
    /// what follows the first value of a cut text is not known (DESIGN.md 13.2).
    fn answer(&self, variant: usize, outcome: &Outcome) -> Option<Answer> {
        let (text, mode) = match outcome {
            Outcome::Answered(completion) => (&completion.text, self.parse),
            Outcome::Truncated(completion) => (&completion.text, ParseMode::Strict),
            Outcome::Refused(_) | Outcome::Failed(_) => return None,
        };
        Some(self.parse(variant, text, mode))
    }

    /// A text as an answer to the suite's own schema, whatever form of it was sent.
    fn parse(&self, variant: usize, text: &str, mode: ParseMode) -> Answer {
        let (schema, wants_json) = (self.schema.as_ref(), self.wants_json(variant));
        let nullable = self.endpoint(variant).is_some_and(|endpoint| endpoint.null_is_absent);
        match schema.filter(|_| nullable) {
            None => answer::parse(text, mode, schema, wants_json),
            Some(own) => {
                let restore = |value| fit::absent_nulls(own.document(), value);
                answer::parse_as(text, mode, schema, wants_json, &restore)
            }
        }
    }

    /// The value, if scorers may look at it.
    fn usable<'a>(&self, answer: Option<&'a Answer>) -> Option<&'a Value> {
        let answer = answer.filter(|answer| answer.validity.is_valid() || self.score_invalid)?;
        answer.value.as_ref()
    }

    /// Fills in scores, classes and fields.
    fn score(
        &self,
        example: &Example,
        (answer, stated): (Option<&Value>, Option<&Stated>),
        replies: Option<&Value>,
        graded: &mut GradedTrial,
    ) {
        for (spec, scorer) in &self.scorers {
            if let ScorerKind::Stated { metric } = &spec.kind {
                let metric = metric.as_ref().unwrap_or(&spec.id);
                graded.scores.push(stated_grade(scorer.as_ref(), graded.ending, metric, stated));
                continue;
            }
            let reply = replies.and_then(|replies| replies.get(&spec.id));
            graded.scores.push(grade_one(spec, scorer.as_ref(), &example.expected, answer, reply));
        }
        let Some((primary, _)) = self.scorers.first() else {
            return;
        };
        let found = answer.and_then(|answer| answer.pointer(&primary.at));
        if self.classifies {
            // What the scorer forgives (say, case) is the expected class in the confusion matrix too.
            let right = graded.scores.first().and_then(Grade::score) == Some(1.0);
            graded.label = if right { graded.expected_label.clone() } else { found.map(label_text) };
        }
        if let (Some(fields), Some(expected)) = (&self.fields, example.expected.pointer(&primary.expected_at)) {
            graded.fields = fields.field_counts(expected, found);
        }
    }

    /// A trial of which nothing is known but its end.
    fn ungraded(&self, ending: Ending, example: &Example) -> GradedTrial {
        let expected = self.scorers.first().and_then(|(spec, _)| example.expected.pointer(&spec.expected_at));
        GradedTrial {
            ending,
            failure_message: None,
            counts_as_missing: false,
            ttft_ms: None,
            ttft_any_ms: None,
            shows_reasoning: false,
            streamed: false,
            total_ms: None,
            valid_strict: false,
            valid_lenient: false,
            violation: None,
            scores: Vec::new(),
            label: None,
            expected_label: expected.filter(|_| self.classifies).map(label_text),
            fields: FieldTable::new(),
            usage: Usage::default(),
            served_model: None,
            cost: None,
        }
    }
}

impl GradedTrial {
    /// Times and cost as another tool states them; a price of the user's own stands above its cost.
    fn measured_elsewhere(&mut self, stated: &Stated) {
        (self.ttft_ms, self.total_ms) = (stated.ttft_ms, stated.total_ms);
        self.streamed = stated.ttft_ms.is_some();
        self.cost = self.cost.or_else(|| stated.cost_usd.and_then(Usd::from_f64));
    }
}

/// The score that another tool gave, whatever it thought of the answer's shape. A failure of the
/// variant that it gave none is wrong, like any other.
fn stated_grade(scorer: &dyn Scorer, ending: Ending, metric: &str, stated: Option<&Stated>) -> Grade {
    let given = stated.and_then(|stated| stated.scores.get(metric)).map(|score| serde_json::json!({ "score": score }));
    if given.is_none() && matches!(ending, Ending::Failed(_)) {
        return Grade::Scored(0.0);
    }
    scorer.score(&Value::Null, &Value::Null, given.as_ref())
}

/// One scorer's grade: no usable answer, or nothing at its pointer, is 0.
fn grade_one(
    spec: &ScorerSpec,
    scorer: &dyn Scorer,
    expected: &Value,
    answer: Option<&Value>,
    reply: Option<&Value>,
) -> Grade {
    let Some(answer) = answer.and_then(|answer| answer.pointer(&spec.at)) else {
        return Grade::Scored(0.0);
    };
    // A pattern of the suite's own needs nothing expected.
    let needless = matches!(spec.kind, ScorerKind::Regex { pattern: Some(_) });
    match expected.pointer(&spec.expected_at).or(needless.then_some(&Value::Null)) {
        Some(expected) => scorer.score(expected, answer, reply),
        None => Grade::Unscored(format!("the expected value has nothing at `{}`", spec.expected_at)),
    }
}

fn ending(outcome: &Outcome) -> Ending {
    match outcome {
        Outcome::Answered(_) => Ending::Answered,
        Outcome::Refused(_) => Ending::Refused,
        Outcome::Truncated(_) => Ending::Truncated,
        Outcome::Failed(failure) => Ending::Failed(failure.kind),
    }
}

#[cfg(test)]
pub(super) mod tests;
