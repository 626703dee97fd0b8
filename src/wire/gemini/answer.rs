//! What an answer says: one response, or the chunks of a stream, each a response too.

use serde::Deserialize;
use serde_json::Value;

use super::fault::classify_error_object;
use crate::exchange::{Completion, Failure, Outcome, Stop, Usage};
use crate::wire::{Reading, StreamDecoder, cut, failed, malformed};

/// A whole answer.
pub(super) fn decode(body: &[u8]) -> Outcome {
    let response: Response = match serde_json::from_slice(body) {
        Ok(response) => response,
        Err(error) => return Outcome::Failed(malformed(&format!("the answer is not a response: {error}"))),
    };
    let mut said = Said::default();
    match said.add(response) {
        Err(failure) => Outcome::Failed(failure),
        Ok(_) if said.is_complete() => said.outcome(),
        Ok(_) => Outcome::Failed(malformed("the answer has no finishReason")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    candidates: Option<Vec<Candidate>>,
    prompt_feedback: Option<PromptFeedback>,
    usage_metadata: Option<UsageWire>,
    model_version: Option<String>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    index: Option<u64>,
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    parts: Option<Vec<Part>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    /// Whether `text` is a thought.
    thought: Option<bool>,
    function_call: Option<FunctionCall>,
}

#[derive(Deserialize)]
struct FunctionCall {
    args: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    block_reason: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsageWire {
    prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
}

impl UsageWire {
    /// Cached tokens are inside the prompt's, thoughts are not inside the candidates'. A count of
    /// zero is left out by the service (plain `int32` fields of Protocol Buffers, in
    /// googleapis `generativelanguage/v1beta/generative_service.proto`), so an absent count is
    /// zero, unless the prompt's is missing too: no prompt has no tokens.
    fn normal(self) -> Usage {
        let Some(prompt) = self.prompt_token_count else { return Usage::default() };
        let cached = self.cached_content_token_count.unwrap_or(0);
        let thoughts = self.thoughts_token_count.unwrap_or(0);
        Usage {
            input_uncached_tokens: Some(prompt.saturating_sub(cached)),
            cache_read_tokens: Some(cached),
            cache_write_5m_tokens: None,
            cache_write_1h_tokens: None,
            output_tokens: Some(self.candidates_token_count.unwrap_or(0).saturating_add(thoughts)),
            reasoning_tokens: Some(thoughts),
        }
    }
}

/// What the answer has said, whole or so far.
#[derive(Debug, Default)]
struct Said {
    text: String,
    reasoning: String,
    arguments: Option<String>,
    finish_reason: Option<String>,
    blocked: bool,
    usage: Option<Usage>,
    model: Option<String>,
}

/// What a chunk contributed.
#[derive(Clone, Copy, Default)]
struct Seen {
    output: bool,
    visible: bool,
}

impl Said {
    fn add(&mut self, response: Response) -> Result<Seen, Failure> {
        if let Some(error) = response.error.filter(|error| !error.is_null()) {
            return Err(classify_error_object(&error));
        }
        // The counts are totals: the last ones stand.
        self.usage = response.usage_metadata.map(UsageWire::normal).or(self.usage);
        self.model = response.model_version.or(self.model.take());
        self.blocked |= response.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some());
        let mut seen = Seen::default();
        for candidate in response.candidates.into_iter().flatten().filter(|one| one.index.unwrap_or(0) == 0) {
            self.finish_reason = candidate.finish_reason.or(self.finish_reason.take());
            for part in candidate.content.and_then(|content| content.parts).into_iter().flatten() {
                let part = self.add_part(part);
                seen = Seen { output: seen.output || part.output, visible: seen.visible || part.visible };
            }
        }
        Ok(seen)
    }

    fn add_part(&mut self, part: Part) -> Seen {
        let text = part.text.unwrap_or_default();
        let thought = part.thought == Some(true);
        if thought { &mut self.reasoning } else { &mut self.text }.push_str(&text);
        let mut visible = !thought && !text.is_empty();
        if let Some(call) = part.function_call {
            visible = true;
            // One call is asked for: a second one is not the answer. A call without arguments is `{}`.
            self.arguments.get_or_insert_with(|| {
                call.args.filter(|args| !args.is_null()).map_or_else(|| "{}".to_owned(), |args| args.to_string())
            });
        }
        Seen { output: visible || !text.is_empty(), visible }
    }

    /// The end signal: a reason to finish, or word that the prompt was blocked.
    fn is_complete(&self) -> bool {
        self.finish_reason.is_some() || self.blocked
    }

    fn outcome(self) -> Outcome {
        let stop = match self.finish_reason.as_deref() {
            Some("STOP") if self.arguments.is_some() => Stop::ToolCall,
            Some("STOP") => Stop::End,
            Some("MAX_TOKENS") => Stop::Length,
            // MODEL_ARMOR is Vertex's own filter (FinishReason of its published clients).
            Some(
                "SAFETY"
                | "RECITATION"
                | "LANGUAGE"
                | "BLOCKLIST"
                | "PROHIBITED_CONTENT"
                | "SPII"
                | "MODEL_ARMOR"
                | "IMAGE_SAFETY"
                | "IMAGE_PROHIBITED_CONTENT"
                | "IMAGE_RECITATION",
            ) => Stop::Refusal,
            // A malformed call among them: the model's answer is no good, and is scored as it is.
            Some(_) => Stop::Other,
            None => Stop::Refusal,
        };
        let from_tool = self.arguments.is_some();
        Outcome::from_completion(Completion {
            text: self.arguments.unwrap_or(self.text),
            reasoning: self.reasoning,
            from_tool,
            stop,
            usage: self.usage.unwrap_or_default(),
            served_model: self.model,
        })
    }
}

/// A streamed answer.
#[derive(Default)]
pub(super) struct ChunkStream {
    said: Said,
    events: usize,
    first_output: Option<usize>,
    first_visible: Option<usize>,
    failure: Option<Failure>,
}

impl StreamDecoder for ChunkStream {
    fn event(&mut self, data: &str) {
        let index = self.events;
        self.events += 1;
        if self.failure.is_some() {
            return;
        }
        let chunk = serde_json::from_str(data)
            .map_err(|error| malformed(&format!("event {index} of the stream is not a response: {error}")));
        match chunk.and_then(|chunk| self.said.add(chunk)) {
            Ok(seen) => {
                if seen.output {
                    self.first_output.get_or_insert(index);
                }
                if seen.visible {
                    self.first_visible.get_or_insert(index);
                }
            }
            Err(failure) => self.failure = Some(failure),
        }
    }

    fn is_complete(&self) -> bool {
        self.said.is_complete()
    }

    fn first_output_event(&self) -> Option<usize> {
        self.first_output
    }

    fn first_visible_event(&self) -> Option<usize> {
        self.first_visible
    }

    fn finish(self: Box<Self>) -> Reading {
        let reading = match self.failure {
            Some(failure) => failed(failure),
            None if self.said.is_complete() => {
                Reading { outcome: self.said.outcome(), first_output_event: None, first_visible_event: None }
            }
            None => failed(cut("the stream ended without a finishReason")),
        };
        Reading { first_output_event: self.first_output, first_visible_event: self.first_visible, ..reading }
    }
}
