//! The requests of a check.

use serde_json::{Map, Value};

use super::{CacheChoice, Feature, Plan, Purpose, State, Step, finding, schema};
use crate::exchange::{CacheAsk, CacheLifetime, Message, NamedSchema, OutputMode, Request, Role};
use crate::provider::{Model, Price, Provider};
use crate::units::Usd;
use crate::wire::{self, fit};

/// Most output tokens of a request; an answer needs few.
const MOST_TOKENS: u64 = 64;

/// The same of a model that reasons first, or may: hidden reasoning counts.
const MOST_TOKENS_REASONING: u64 = 1024;

/// The longest minimum of any hosted cache that is known (Claude Haiku 4.5, Gemini 3): for models
/// that do not say theirs.
const UNKNOWN_CACHE_MIN_TOKENS: u64 = 4096;

/// Servers of one's own cache from the first few tokens on.
const OWN_CACHE_MIN_TOKENS: u64 = 256;

/// What the look at the cache may cost without being asked for: a cent.
const CACHE_PROBE_LIMIT: Usd = Usd::from_pico(10_000_000_000);

/// The requests for a model.
pub fn plan(provider: &Provider, model: &Model, cache: CacheChoice) -> Plan {
    let maker = Maker { provider, model };
    let named = || NamedSchema { name: "answer".into(), schema: maker.fitted_schema() };
    // The question does not say how to answer: a server that ignores the schema is seen to.
    const QUESTION: &str = "Is the sky blue on a clear day?";
    let mut steps = vec![
        maker.step(Purpose::Answer, "Say hello.", OutputMode::Text),
        maker.step(Purpose::Stream, "Count from one to five.", OutputMode::Text),
        maker.step(Purpose::Schema, QUESTION, OutputMode::JsonSchema(named())),
    ];
    let mut skipped = Vec::new();
    if model.facts.forced_tool == Some(false) {
        skipped.push(finding(
            Feature::Tool,
            State::Skipped,
            "the model takes no forced tool call (forced_tool = false)",
        ));
    } else {
        steps.push(maker.step(Purpose::Tool, QUESTION, OutputMode::Tool(named())));
    }
    let words = maker.prefix_words();
    match cache_reason(provider, model, words, cache) {
        Some(reason) => skipped.push(finding(Feature::Cache, State::Skipped, reason)),
        None => {
            steps.push(maker.cache_step(Purpose::CacheWrite, words));
            steps.push(maker.cache_step(Purpose::CacheRead, words));
        }
    }
    Plan { steps, skipped }
}

struct Maker<'a> {
    provider: &'a Provider,
    model: &'a Model,
}

impl Maker<'_> {
    fn step(&self, purpose: Purpose, question: &str, output: OutputMode) -> Step {
        let request = Request {
            model: self.model.served_as.clone(),
            messages: vec![Message { role: Role::User, content: question.into() }],
            stable_messages: 0,
            cache: None,
            params: self.params(),
            output,
            stream: purpose != Purpose::Answer,
        };
        Step { purpose, request }
    }

    /// The limit of the answer; a wire gives it the name that its host knows.
    fn params(&self) -> Map<String, Value> {
        let plain = self.model.facts.reasoning == Some(false) || self.provider.self_hosted;
        let most = if plain { MOST_TOKENS } else { MOST_TOKENS_REASONING };
        Map::from_iter([("max_tokens".to_owned(), most.into())])
    }

    fn fitted_schema(&self) -> Value {
        let target = self.provider.target(self.model);
        fit::fit(&schema(), wire::wire(self.provider.wire).schema_profile(&target)).schema
    }

    /// Words of the long prefix: each is a token at least, so that it passes the cache's minimum.
    fn prefix_words(&self) -> u64 {
        let unknown = if self.provider.self_hosted { OWN_CACHE_MIN_TOKENS } else { UNKNOWN_CACHE_MIN_TOKENS };
        let least = self.model.facts.cache_min_tokens.unwrap_or(unknown);
        least.saturating_add(least / 4).saturating_add(64)
    }

    fn cache_step(&self, purpose: Purpose, words: u64) -> Step {
        let mut step = self.step(purpose, "Which line speaks of the meter?", OutputMode::Text);
        step.request.messages.insert(0, Message { role: Role::System, content: prefix(words) });
        step.request.stable_messages = 1;
        let ask = CacheAsk {
            lifetime: CacheLifetime::FiveMinutes,
            explicit: false,
            key: "ceiling-providers-check".into(),
            stored: None,
        };
        step.request.cache = Some(ask);
        // Only the usage is looked at: an answer that is cut off does as well.
        step.request.params = Map::from_iter([("max_tokens".to_owned(), MOST_TOKENS.into())]);
        step
    }
}

/// Why the cache is not looked at, if it is not.
fn cache_reason(provider: &Provider, model: &Model, words: u64, choice: CacheChoice) -> Option<String> {
    match choice {
        CacheChoice::Never => return Some("not asked for (--no-cache)".into()),
        CacheChoice::Always => return None,
        CacheChoice::IfCheap if provider.self_hosted => return None,
        CacheChoice::IfCheap => {}
    }
    match model.price.and_then(|price| cache_cost(words, &price)) {
        None => Some("what it costs is not known; --cache asks all the same".into()),
        Some(cost) if cost >= CACHE_PROBE_LIMIT => Some(format!("it may cost up to {cost}; --cache asks all the same")),
        Some(_) => None,
    }
}

/// The most that the two requests with the long prefix cost: two tokens a word, nothing read from
/// the cache, the longest answers that are allowed.
fn cache_cost(words: u64, price: &Price) -> Option<Usd> {
    let prompt = price.input?.max(price.cache_write_5m.or(price.input)?);
    let one = prompt.times(words.saturating_mul(2).saturating_add(32)) + price.output?.times(MOST_TOKENS);
    Some(one + one)
}

/// So many words that stay the same from call to call.
fn prefix(words: u64) -> String {
    const LINE: &str = "the meter of the house is read every month";
    let lines = words.div_ceil(LINE.split(' ').count() as u64 + 1);
    (1..=lines).map(|number| format!("{number} {LINE}\n")).collect()
}
