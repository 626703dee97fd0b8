//! Can a provider be used, and what does it do? A few tiny requests, as data, and what their
//! answers show. Nothing here sends: `ceiling providers check` does, through the product's own wire.

mod ask;

use serde_json::{Value, json};

pub use ask::plan;

use crate::exchange::{Failure, FailureKind, Outcome, Request, Usage};
use crate::provider::price::request_cost;
use crate::provider::{Model, Provider};
use crate::suite::schema::OutputSchema;
use crate::text::one_line;
use crate::units::Usd;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// The key is there and accepted.
    Key,
    /// The model answers.
    Model,
    /// A streamed answer comes as a stream and has its end signal.
    Streaming,
    /// The stream reports its tokens.
    Usage,
    /// Native structured output follows the schema.
    Schema,
    /// A forced tool call is made.
    Tool,
    /// A second request reads its prefix from the prompt cache.
    Cache,
}

impl Feature {
    /// The word of the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Model => "model",
            Self::Streaming => "streaming",
            Self::Usage => "usage",
            Self::Schema => "schema",
            Self::Tool => "tool",
            Self::Cache => "cache",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It works.
    Ok,
    /// It does not.
    No,
    /// It was not looked at.
    Skipped,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What was looked at.
    pub feature: Feature,
    /// What was found.
    pub state: State,
    /// Why, or what was seen.
    pub detail: String,
}

fn finding(feature: Feature, state: State, detail: impl Into<String>) -> Finding {
    Finding { feature, state, detail: detail.into() }
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A plain answer in one piece.
    Answer,
    /// A plain answer, streamed.
    Stream,
    /// An answer by a schema.
    Schema,
    /// A forced tool call.
    Tool,
    /// A long prefix, to be kept.
    CacheWrite,
    /// The same prefix again.
    CacheRead,
}

/// One request of the check.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it is for.
    pub purpose: Purpose,
    /// What is sent.
    pub request: Request,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// What it was for.
    pub purpose: Purpose,
    /// What was said.
    pub outcome: Outcome,
    /// Whether it came as a stream.
    pub streamed: bool,
    /// Milliseconds to the first visible output, where it was streamed.
    pub ttft_ms: Option<f64>,
}

/// Whether the cache is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheChoice {
    /// If it is known to cost less than a cent.
    IfCheap,
    /// Whatever it costs.
    Always,
    /// Not at all.
    Never,
}

/// What is asked of a model, in order, and what is not asked and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The requests. If the first one fails, or another one is not answered at all, those after it
    /// are not worth sending.
    pub steps: Vec<Step>,
    /// What is left out.
    pub skipped: Vec<Finding>,
}

/// What a schema-bound answer must be.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": ["yes", "no"]}},
        "required": ["answer"],
        "additionalProperties": false
    })
}

/// What a check showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// One line a feature, in the order of [`Feature`].
    pub findings: Vec<Finding>,
    /// Whether the key is accepted and the model answers.
    pub usable: bool,
    /// Whether nothing answers at the address at all.
    pub unreachable: bool,
    /// The model that the server says answered.
    pub served_model: Option<String>,
    /// What all of it cost; `None` if a price or a count is unknown.
    pub cost: Option<Usd>,
    /// Milliseconds to the first visible output of the streamed answer.
    pub ttft_ms: Option<f64>,
}

/// Reads what came back.
pub fn evaluate(provider: &Provider, model: &Model, skipped: &[Finding], seen: &[Seen]) -> Report {
    let of = |purpose: Purpose| seen.iter().find(|seen| seen.purpose == purpose);
    let first = of(Purpose::Answer);
    let served_model =
        first.and_then(|seen| seen.outcome.completion()?.served_model.as_deref()).map(|name| one_line(name, 120));
    let mut findings = vec![key(provider, first), answers(model, first, served_model.as_deref())];
    let usable = findings.iter().all(|finding| finding.state != State::No);
    let unanswered = if seen.len() > 1 { "an earlier request was not answered" } else { "the model does not answer" };
    let not_asked = |feature| finding(feature, State::Skipped, format!("not asked, since {unanswered}"));
    let stream = of(Purpose::Stream);
    findings.push(stream.map_or_else(|| not_asked(Feature::Streaming), streaming));
    findings.push(stream.map_or_else(|| not_asked(Feature::Usage), |stream| usage(stream, first)));
    findings.push(of(Purpose::Schema).map_or_else(|| not_asked(Feature::Schema), structured));
    findings.push(of(Purpose::Tool).map_or_else(|| not_asked(Feature::Tool), tool));
    findings.push(of(Purpose::CacheRead).map_or_else(|| not_asked(Feature::Cache), cached));
    for finding in &mut findings {
        if let Some(known) = skipped.iter().find(|known| known.feature == finding.feature) {
            *finding = known.clone();
        }
    }
    Report {
        findings,
        usable,
        unreachable: first
            .and_then(|seen| seen.outcome.failure())
            .is_some_and(|it| matches!(it.kind, FailureKind::Connect | FailureKind::ConnectTimeout)),
        served_model,
        cost: cost(model, seen),
        ttft_ms: stream.and_then(|stream| stream.ttft_ms),
    }
}

/// The report for a key that is not there: nothing was sent.
pub fn without_key(reason: &str) -> Report {
    let skipped = [Feature::Model, Feature::Streaming, Feature::Usage, Feature::Schema, Feature::Tool, Feature::Cache];
    let mut findings = vec![finding(Feature::Key, State::No, reason)];
    findings.extend(skipped.map(|feature| finding(feature, State::Skipped, "not asked without a key")));
    Report { findings, usable: false, unreachable: false, served_model: None, cost: Some(Usd::ZERO), ttft_ms: None }
}

fn cost(model: &Model, seen: &[Seen]) -> Option<Usd> {
    let answered = seen.iter().filter_map(|seen| seen.outcome.completion());
    answered.map(|completion| request_cost(&completion.usage, model.price.as_ref()?)).sum()
}

fn said(failure: &Failure) -> String {
    let status = failure.status.map_or(String::new(), |status| format!("{status} "));
    format!("{status}{}: {}", failure.kind.as_str(), failure.message)
}

/// A request that failed: the feature is not there, or it is not known since the server had no time.
fn failed(feature: Feature, failure: &Failure) -> Finding {
    use FailureKind::{QuotaExhausted, RateLimited, Server};
    match failure.kind {
        kind if kind.is_silence() || matches!(kind, RateLimited | QuotaExhausted | Server) => {
            finding(feature, State::Skipped, format!("not known: {}", said(failure)))
        }
        _ => finding(feature, State::No, said(failure)),
    }
}

fn key(provider: &Provider, first: Option<&Seen>) -> Finding {
    use crate::provider::{AWS_VARIABLES, KeySource, Service};
    let name = match &provider.service {
        Service::Http { key: KeySource::Environment(variable), .. } => variable.clone(),
        Service::Http { key: KeySource::File(path), .. } => path.display().to_string(),
        Service::Http { key: KeySource::Aws, .. } => AWS_VARIABLES[0].to_owned(),
        _ => String::new(),
    };
    match first.and_then(|seen| seen.outcome.failure()) {
        Some(failure) if failure.kind == FailureKind::Unauthorised => {
            let whose = if name.is_empty() { "a key is wanted".into() } else { format!("{name} is not accepted") };
            finding(Feature::Key, State::No, format!("{whose} ({})", said(failure)))
        }
        _ if name.is_empty() => finding(Feature::Key, State::Skipped, "none is needed"),
        Some(failure) if failure.kind.is_silence() => {
            finding(Feature::Key, State::Skipped, format!("{name} is set; nothing answered"))
        }
        Some(failure) if tells_nothing(failure) => {
            finding(Feature::Key, State::Skipped, format!("{name} is set; the answer does not tell more"))
        }
        // Whoever is told that the model is missing, or the quota used up, was let in.
        _ => finding(Feature::Key, State::Ok, format!("{name} is accepted")),
    }
}

/// Whether an answer may have come from before any key was looked at: a gateway's page, a redirect
/// to a login.
fn tells_nothing(failure: &Failure) -> bool {
    let elsewhere = failure.status.is_some_and(|status| (300..400).contains(&status));
    elsewhere
        || matches!(
            failure.kind,
            FailureKind::Server | FailureKind::Cut | FailureKind::Stalled | FailureKind::Malformed
        )
}

fn answers(model: &Model, first: Option<&Seen>, served: Option<&str>) -> Finding {
    let Some(first) = first else { return finding(Feature::Model, State::Skipped, "not asked") };
    let other = served.filter(|served| *served != model.served_as);
    let served =
        other.map_or(String::new(), |served| format!("; served as `{served}`, asked for `{}`", model.served_as));
    match &first.outcome {
        Outcome::Failed(failure) if failure.kind == FailureKind::Unauthorised => {
            finding(Feature::Model, State::Skipped, "not known without an accepted key")
        }
        Outcome::Failed(failure) => finding(Feature::Model, State::No, said(failure)),
        Outcome::Answered(completion) if completion.text.trim().is_empty() => {
            finding(Feature::Model, State::No, format!("the answer is empty{served}"))
        }
        Outcome::Answered(_) => finding(Feature::Model, State::Ok, format!("answers{served}")),
        outcome => finding(Feature::Model, State::Ok, format!("answers ({}){served}", outcome.as_str())),
    }
}

fn streaming(stream: &Seen) -> Finding {
    let no = |detail: String| finding(Feature::Streaming, State::No, detail);
    match (&stream.outcome, stream.streamed) {
        (Outcome::Failed(failure), _) => failed(Feature::Streaming, failure),
        (_, false) => no("the answer came in one piece, though a stream was asked for".into()),
        _ => finding(Feature::Streaming, State::Ok, "the stream has its end signal"),
    }
}

fn counts(usage: &Usage) -> Option<(u64, u64)> {
    let cached = [usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens];
    let prompt = usage.input_uncached_tokens? + cached.into_iter().flatten().sum::<u64>();
    Some((prompt, usage.output_tokens?))
}

fn usage(stream: &Seen, first: Option<&Seen>) -> Finding {
    let of = |seen: &Seen| seen.outcome.completion().and_then(|completion| counts(&completion.usage));
    match (stream.outcome.completion(), of(stream)) {
        (None, _) => finding(Feature::Usage, State::Skipped, "there was no streamed answer"),
        (_, Some((prompt, output))) => {
            finding(Feature::Usage, State::Ok, format!("{prompt} prompt and {output} output tokens"))
        }
        (_, None) if first.and_then(of).is_some() => {
            finding(Feature::Usage, State::No, "reported for whole answers, not in the stream: costs stay unknown")
        }
        _ => finding(Feature::Usage, State::No, "not reported: costs stay unknown"),
    }
}

/// The first violation of an answer that should follow the schema.
fn violation(text: &str) -> Option<String> {
    let Ok(answer) = serde_json::from_str::<Value>(text.trim()) else {
        return Some(format!("not JSON: {}", one_line(text, 80)));
    };
    let schema = OutputSchema::compile(schema()).ok()?;
    schema.first_violation(&answer).map(|violation| format!("{}: {}", violation.path, violation.message))
}

fn structured(seen: &Seen) -> Finding {
    let no = |detail: String| finding(Feature::Schema, State::No, detail);
    match &seen.outcome {
        Outcome::Failed(failure) => failed(Feature::Schema, failure),
        Outcome::Answered(completion) => match violation(&completion.text) {
            None => finding(Feature::Schema, State::Ok, "the answer follows the schema"),
            Some(violation) => no(format!("the answer does not follow the schema ({violation})")),
        },
        outcome => no(format!("the answer was {}", outcome.as_str())),
    }
}

fn tool(seen: &Seen) -> Finding {
    let no = |detail: String| finding(Feature::Tool, State::No, detail);
    match &seen.outcome {
        Outcome::Failed(failure) => failed(Feature::Tool, failure),
        Outcome::Answered(completion) if !completion.from_tool => no("the tool was not called".into()),
        Outcome::Answered(completion) => match violation(&completion.text) {
            None => finding(Feature::Tool, State::Ok, "the forced call has arguments that follow the schema"),
            Some(violation) => no(format!("the call's arguments do not follow the schema ({violation})")),
        },
        outcome => no(format!("the answer was {}", outcome.as_str())),
    }
}

fn cached(second: &Seen) -> Finding {
    let no = |detail: String| finding(Feature::Cache, State::No, detail);
    let usage = match &second.outcome {
        Outcome::Failed(failure) => return failed(Feature::Cache, failure),
        Outcome::Answered(completion) | Outcome::Refused(completion) | Outcome::Truncated(completion) => {
            &completion.usage
        }
    };
    let prompt = counts(usage).map_or_else(|| "its".to_owned(), |(prompt, _)| prompt.to_string());
    match usage.cache_read_tokens {
        None => no("the server does not report cached tokens".into()),
        Some(read) => {
            let state = if read > 0 { State::Ok } else { State::No };
            let detail = format!("the second request read {read} of {prompt} prompt tokens from the cache");
            finding(Feature::Cache, state, detail)
        }
    }
}

/// A word of an address that is to be replaced by one's own: three capitals or more.
pub fn placeholder(address: &str) -> Option<&str> {
    address.split(|c: char| !c.is_ascii_uppercase()).find(|word| word.len() >= 3)
}

/// Whether a model row can be asked as it stands on a day (YYYY-MM-DD): its address and id are
/// real, and it has not retired.
pub fn can_be_asked(model: &Model, today: &str) -> bool {
    // `ft:BASE` alone is a price; a model is `ft:BASE:ORG:SUFFIX:ID`.
    let only_base = model.served_as.starts_with("ft:") && model.served_as.matches(':').count() < 4;
    let placeholder = model.base_url.as_deref().and_then(placeholder);
    !only_base && placeholder.is_none() && model.retires.as_deref().is_none_or(|day| day > today)
}

/// The model to ask where none is named: the cheapest with known prices, else the first.
pub fn choose<'a>(provider: &'a Provider, today: &str) -> Option<(&'a str, &'a Model)> {
    let sum = |model: &Model| {
        let price = model.price?;
        Some(price.input?.as_micro() + price.output?.as_micro())
    };
    let asked = provider.models.iter().filter(|(_, model)| can_be_asked(model, today));
    asked.min_by_key(|(_, model)| sum(model).unwrap_or(u64::MAX)).map(|(name, model)| (name.as_str(), model))
}

#[cfg(test)]
mod tests;
