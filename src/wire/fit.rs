//! A suite's schema as an endpoint's structured output accepts it.
//!
//! Providers take subsets of JSON Schema. What they refuse is left out here and named, since the
//! answer is always judged against the suite's own schema.

use serde_json::Value;

/// What an endpoint accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// The schema as it is: the server builds a grammar from it, or takes it as a hint.
    AsIs,
    /// OpenAI's strict subset.
    OpenaiStrict,
    /// The smaller strict subset of OpenAI's fine-tuned models.
    OpenaiTuned,
    /// Anthropic's subset.
    Anthropic,
    /// What Gemini documents for `responseJsonSchema`.
    Gemini,
}

/// One thing that was changed, for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// JSON Pointer of the place in the suite's schema.
    pub at: String,
    /// What was done there, such as "`minLength` left out".
    pub what: String,
}

/// A fitted schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// What is sent.
    pub schema: Value,
    /// What was changed, in document order.
    pub changes: Vec<Change>,
    /// Whether optional fields were made required and nullable: a `null` there stands for absence.
    pub null_is_absent: bool,
}

/// Fits a schema.
pub fn fit(schema: &Value, profile: Profile) -> Fitted {
    let _ = profile;
    Fitted { schema: schema.clone(), changes: Vec::new(), null_is_absent: false }
}
