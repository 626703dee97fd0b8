//! What an answer says: a whole message, or its events.

use serde::Deserialize;
use serde_json::Value;

use super::super::{Reading, StreamDecoder, cut, failed, malformed};
use super::classify_error_object;
use crate::exchange::{Completion, Failure, Outcome, Stop, Usage};

/// A whole answer.
pub(super) fn decode(body: &[u8]) -> Outcome {
    let message: Message = match serde_json::from_slice(body) {
        Ok(message) => message,
        Err(error) => return Outcome::Failed(malformed(&format!("the answer is not a message: {error}"))),
    };
    if let Some(error) = message.error.filter(|error| !error.is_null()) {
        return Outcome::Failed(classify_error_object(&error));
    }
    let (Some(blocks), Some(stop_reason)) = (message.content, message.stop_reason) else {
        return Outcome::Failed(malformed("the answer has no content or no stop_reason"));
    };
    let mut said = Said { stop_reason: Some(stop_reason), model: message.model, ..Said::default() };
    said.usage.update(message.usage.unwrap_or_default());
    for (index, block) in (0..).zip(blocks) {
        said.start(index, block);
    }
    said.outcome()
}

#[derive(Deserialize)]
struct Message {
    content: Option<Vec<Block>>,
    stop_reason: Option<String>,
    usage: Option<UsageWire>,
    model: Option<String>,
    error: Option<Value>,
}

/// A part of the answer; what begins in a stream is mostly empty.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    Thinking {
        thinking: String,
    },
    ToolUse {
        name: String,
        input: Option<Value>,
    },
    /// Redacted thinking, and whatever comes later.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(rename = "input_json_delta")]
    Arguments { partial_json: String },
    /// Signatures, citations, and whatever comes later.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Message,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    MessageDelta {
        delta: MessageEnd,
        usage: Option<UsageWire>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    /// `ping`, the end of a block, and whatever comes later.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct MessageEnd {
    stop_reason: Option<String>,
}

/// Token counts; the prompt's parts stand beside each other, none inside another.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct UsageWire {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<ByLifetime>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct ByLifetime {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

impl UsageWire {
    /// Later counts are totals that replace earlier ones; a count that is not told again stays.
    fn update(&mut self, later: Self) {
        *self = Self {
            input_tokens: later.input_tokens.or(self.input_tokens),
            cache_creation_input_tokens: later.cache_creation_input_tokens.or(self.cache_creation_input_tokens),
            cache_read_input_tokens: later.cache_read_input_tokens.or(self.cache_read_input_tokens),
            cache_creation: later.cache_creation.or(self.cache_creation),
            output_tokens: later.output_tokens.or(self.output_tokens),
            output_tokens_details: later.output_tokens_details.or(self.output_tokens_details),
        };
    }

    fn normal(self) -> Usage {
        // Without the split by lifetime, what was written counts as the shorter one.
        let split = self.cache_creation.map(|split| (split.ephemeral_5m_input_tokens, split.ephemeral_1h_input_tokens));
        let split = split.filter(|split| *split != (None, None));
        let (written_5m, written_1h) = split.unwrap_or((self.cache_creation_input_tokens, None));
        Usage {
            input_uncached_tokens: self.input_tokens,
            cache_read_tokens: self.cache_read_input_tokens,
            cache_write_5m_tokens: written_5m,
            cache_write_1h_tokens: written_1h,
            output_tokens: self.output_tokens,
            reasoning_tokens: self.output_tokens_details.and_then(|details| details.thinking_tokens),
        }
    }
}

/// A tool call: its arguments whole, or in pieces.
#[derive(Debug)]
struct Call {
    block: u64,
    input: Option<Value>,
    pieces: String,
}

impl Call {
    /// A call without arguments sends no piece but an empty one, and means `{}`.
    fn arguments(self) -> String {
        match (self.pieces.is_empty(), self.input) {
            (false, _) => self.pieces,
            (true, Some(input)) if !input.is_null() => input.to_string(),
            (true, _) => "{}".to_owned(),
        }
    }
}

/// What the message has said, whole or so far.
#[derive(Debug, Default)]
struct Said {
    text: String,
    reasoning: String,
    call: Option<Call>,
    stop_reason: Option<String>,
    usage: UsageWire,
    model: Option<String>,
}

/// What a piece contributed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    Reasoning,
    Visible,
}

/// Adds a piece of text; an empty one is nothing seen.
fn add(to: &mut String, piece: &str, seen: Seen) -> Seen {
    to.push_str(piece);
    if piece.is_empty() { Seen::Nothing } else { seen }
}

impl Said {
    fn start(&mut self, index: u64, block: Block) -> Seen {
        match block {
            Block::Text { text } => add(&mut self.text, &text, Seen::Visible),
            Block::Thinking { thinking } => add(&mut self.reasoning, &thinking, Seen::Reasoning),
            // One call is asked for: a second one is not the answer.
            Block::ToolUse { name, input } if self.call.is_none() => {
                self.call = Some(Call { block: index, input, pieces: String::new() });
                if name.is_empty() { Seen::Nothing } else { Seen::Visible }
            }
            Block::ToolUse { .. } | Block::Other => Seen::Nothing,
        }
    }

    fn go_on(&mut self, index: u64, delta: &Delta) -> Seen {
        match delta {
            Delta::Text { text } => add(&mut self.text, text, Seen::Visible),
            Delta::Thinking { thinking } => add(&mut self.reasoning, thinking, Seen::Reasoning),
            Delta::Arguments { partial_json } => match self.call.as_mut().filter(|call| call.block == index) {
                Some(call) => add(&mut call.pieces, partial_json, Seen::Visible),
                None => Seen::Nothing,
            },
            Delta::Other => Seen::Nothing,
        }
    }

    fn outcome(self) -> Outcome {
        let stop = match self.stop_reason.as_deref() {
            Some("end_turn" | "stop_sequence") => Stop::End,
            Some("tool_use") => Stop::ToolCall,
            Some("max_tokens" | "model_context_window_exceeded") => Stop::Length,
            Some("refusal") => Stop::Refusal,
            // `pause_turn` belongs to server tools, which are never asked for.
            _ => Stop::Other,
        };
        let from_tool = self.call.is_some();
        Outcome::from_completion(Completion {
            text: self.call.map_or(self.text, Call::arguments),
            reasoning: self.reasoning,
            from_tool,
            stop,
            usage: self.usage.normal(),
            served_model: self.model,
        })
    }
}

/// A streamed message. Complete once its `stop_reason` and `message_stop` came.
#[derive(Default)]
pub(super) struct MessageStream {
    said: Said,
    events: usize,
    first_output: Option<usize>,
    first_visible: Option<usize>,
    stopped: bool,
    failure: Option<Failure>,
}

impl MessageStream {
    fn take(&mut self, index: usize, event: Event) {
        let seen = match event {
            Event::MessageStart { message } => {
                // Its count of output tokens is a placeholder.
                let usage = UsageWire { output_tokens: None, ..message.usage.unwrap_or_default() };
                self.said.usage.update(usage);
                self.said.model = message.model;
                Seen::Nothing
            }
            Event::ContentBlockStart { index, content_block } => self.said.start(index, content_block),
            Event::ContentBlockDelta { index, delta } => self.said.go_on(index, &delta),
            Event::MessageDelta { delta, usage } => {
                self.said.stop_reason = delta.stop_reason.or(self.said.stop_reason.take());
                self.said.usage.update(usage.unwrap_or_default());
                Seen::Nothing
            }
            Event::MessageStop => {
                self.stopped = true;
                Seen::Nothing
            }
            Event::Error { error } => {
                self.failure = Some(classify_error_object(&error));
                Seen::Nothing
            }
            Event::Other => Seen::Nothing,
        };
        if seen != Seen::Nothing {
            self.first_output.get_or_insert(index);
        }
        if seen == Seen::Visible {
            self.first_visible.get_or_insert(index);
        }
    }
}

impl StreamDecoder for MessageStream {
    fn event(&mut self, data: &str) {
        let index = self.events;
        self.events += 1;
        if self.stopped || self.failure.is_some() {
            return;
        }
        match serde_json::from_str(data) {
            Ok(event) => self.take(index, event),
            Err(error) => {
                self.failure =
                    Some(malformed(&format!("event {index} of the stream is not one of a message: {error}")));
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.stopped && self.said.stop_reason.is_some()
    }

    fn first_output_event(&self) -> Option<usize> {
        self.first_output
    }

    fn first_visible_event(&self) -> Option<usize> {
        self.first_visible
    }

    fn finish(self: Box<Self>) -> Reading {
        let complete = self.is_complete();
        let reading = match self.failure {
            Some(failure) => failed(failure),
            None if complete => {
                Reading { outcome: self.said.outcome(), first_output_event: None, first_visible_event: None }
            }
            None => failed(cut("the stream ended without a message_stop")),
        };
        Reading { first_output_event: self.first_output, first_visible_event: self.first_visible, ..reading }
    }
}
