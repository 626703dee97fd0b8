//! `openai-dpo`: direct preference optimisation of OpenAI, and of Fireworks, which takes the same three fields.
//!
//! Implements <https://developers.openai.com/api/docs/guides/direct-preference-optimization>: `input`,
//! `preferred_output` and `non_preferred_output`, each output one message of the assistant.

use super::{Format, openai_chat, preferred};

pub(super) const FORMAT: Format = Format {
    name: "openai-dpo",
    reader: "OpenAI and Fireworks",
    page: "https://developers.openai.com/api/docs/guides/direct-preference-optimization",
    supervised: None,
    preference: Some(preferred),
    limits: openai_chat::LIMITS,
    notice: Some(openai_chat::NOTICE),
};
