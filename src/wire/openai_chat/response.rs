//! What the chat wire's answers hold, borrowed from their bytes: a stream has hundreds of chunks, and what
//! is read of each is a few letters.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{CountedInside, cached_inside};
use crate::exchange::{Failure, Usage};
use crate::wire::classify;

/// A text; one without escapes is borrowed.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Text<'_> {
    pub(super) fn owned(self) -> String {
        self.0.into_owned()
    }

    /// Puts this in the place of what was said before, which mostly was the same.
    pub(super) fn replace(self, said: &mut Option<String>) {
        if said.as_deref() != Some(&*self.0) {
            *said = Some(self.owned());
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A text, or what stands in its place.
pub(super) enum TextOr<'a> {
    Text(Cow<'a, str>),
    Other(Value),
}

impl<'de: 'a, 'a> Deserialize<'de> for TextOr<'a> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(TextOrVisitor)
    }
}

struct TextOrVisitor;

impl<'de> Visitor<'de> for TextOrVisitor {
    type Value = TextOr<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(TextOr::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(TextOr::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(TextOr::Other(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(TextOr::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(TextOr::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(TextOr::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(TextOr::Other(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(list)).map(TextOr::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(object)).map(TextOr::Other)
    }
}

#[derive(Deserialize)]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Option<UsageWire>,
    #[serde(borrow)]
    pub(super) model: Option<Text<'a>>,
    pub(super) error: Option<Value>,
    pub(super) x_groq: Option<GroqExtra>,
    #[serde(borrow)]
    pub(super) object: Option<Text<'a>>,
}

impl Response<'_> {
    /// The error that came instead of an answer; some servers' bodies are the error object itself
    /// (older vLLM: `{"object": "error", "message": …, "code": 400}`).
    pub(super) fn error(&mut self, whole: &[u8]) -> Option<Failure> {
        let error = self.error.take().filter(|error| !error.is_null());
        let is_error = self.object.as_ref().is_some_and(|object| object.0 == "error") && self.choices.is_none();
        let error = error.or_else(|| is_error.then(|| serde_json::from_slice(whole).ok())?);
        error.map(|error| classify::classify_error_object(&error))
    }
}

/// What Groq says beside the chunks: usage, and why a stream was stopped early.
#[derive(Deserialize)]
pub(super) struct GroqExtra {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Option<UsageWire>,
    pub(super) error: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    pub(super) index: Option<u64>,
    #[serde(borrow)]
    pub(super) message: Option<Piece<'a>>,
    #[serde(borrow)]
    pub(super) delta: Option<Piece<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<Text<'a>>,
}

/// A message or a piece of one.
#[derive(Deserialize, Default)]
pub(super) struct Piece<'a> {
    /// A text; from Mistral's reasoning models a list of parts.
    #[serde(borrow)]
    pub(super) content: Option<TextOr<'a>>,
    #[serde(borrow)]
    pub(super) refusal: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) reasoning: Option<Text<'a>>,
    /// The older name; some servers send both.
    #[serde(borrow)]
    pub(super) reasoning_content: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<ToolCall<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct ToolCall<'a> {
    pub(super) index: Option<u64>,
    #[serde(borrow)]
    pub(super) function: Option<Function<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    /// JSON text; Mistral's types allow the object itself (mistralai 3.7.0 `FunctionCall`).
    #[serde(borrow)]
    pub(super) arguments: Option<TextOr<'a>>,
}

#[derive(Deserialize)]
pub(super) struct UsageWire {
    #[serde(default, deserialize_with = "lenient")]
    prompt_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    completion_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    prompt_tokens_details: Option<PromptDetails>,
    /// DeepSeek's name for cached tokens (PROVIDERS.md 2).
    #[serde(default, deserialize_with = "lenient")]
    prompt_cache_hit_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
pub(super) struct PromptDetails {
    #[serde(default, deserialize_with = "lenient")]
    cached_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    cache_write_tokens: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct CompletionDetails {
    #[serde(default, deserialize_with = "lenient")]
    reasoning_tokens: Option<u64>,
}

/// A count that is no whole number is unknown: an answer is not lost for it.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(source: D) -> Result<Option<T>, D::Error> {
    let text = <&RawValue>::deserialize(source)?.get();
    // With a name that stands there twice the last one holds, as in any other JSON that is read.
    let once = || serde_json::from_str(&serde_json::from_str::<Value>(text).ok()?.to_string()).ok();
    Ok(serde_json::from_str(text).ok().or_else(once))
}

impl UsageWire {
    pub(super) fn normal(self) -> Usage {
        let details = self.prompt_tokens_details;
        cached_inside(CountedInside {
            prompt: self.prompt_tokens,
            read: details.as_ref().and_then(|details| details.cached_tokens).or(self.prompt_cache_hit_tokens),
            written: details.as_ref().and_then(|details| details.cache_write_tokens),
            output: self.completion_tokens,
            reasoning: self.completion_tokens_details.and_then(|details| details.reasoning_tokens),
        })
    }
}
