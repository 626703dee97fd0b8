//! The body of a Converse request, each part by itself.

use serde_json::{Map, Value, json};

use crate::exchange::{CacheLifetime, Message, OutputMode, Request, Role};
use crate::wire::set_in;

/// System blocks and messages, with a cache point at the end of the stable prefix.
pub(super) fn messages(request: &Request, body: &mut Map<String, Value>) {
    let marked = request.cache.as_ref().and_then(|ask| Some((request.stable_messages.checked_sub(1)?, ask.lifetime)));
    let blocks = |index: usize, message: &Message| {
        let mut blocks = vec![json!({"text": message.content})];
        if let Some((at, lifetime)) = marked
            && at == index
        {
            blocks.push(json!({"cachePoint": cache_point(lifetime)}));
        }
        blocks
    };
    let mut system = Vec::new();
    let mut messages = Vec::new();
    for (index, message) in request.messages.iter().enumerate() {
        match message.role {
            // An empty block is refused.
            Role::System if message.content.is_empty() => {}
            Role::System => system.extend(blocks(index, message)),
            role => messages.push(json!({"role": role, "content": blocks(index, message)})),
        }
    }
    if !system.is_empty() {
        body.insert("system".into(), system.into());
    }
    body.insert("messages".into(), messages.into());
}

/// Five minutes is what a cache point without `ttl` means; only newer models take one.
fn cache_point(lifetime: CacheLifetime) -> Value {
    match lifetime {
        CacheLifetime::FiveMinutes => json!({"type": "default"}),
        CacheLifetime::Hour => json!({"type": "default", "ttl": "1h"}),
    }
}

/// Top-level fields of Converse that a suite may set as they are.
const OWN_FIELDS: &[&str] = &[
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "projectIdentifier",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
];

/// The suite's parameters; what Converse has no field for goes to the model as its own field.
pub(super) fn params(request: &Request, body: &mut Map<String, Value>) {
    for (name, value) in &request.params {
        let value = value.clone();
        match name.as_str() {
            "max_tokens" | "max_completion_tokens" | "max_output_tokens" => {
                set_in(body, "inferenceConfig", "maxTokens", value)
            }
            "temperature" => set_in(body, "inferenceConfig", "temperature", value),
            "top_p" => set_in(body, "inferenceConfig", "topP", value),
            "stop" => {
                let sequences = if value.is_string() { json!([value]) } else { value };
                set_in(body, "inferenceConfig", "stopSequences", sequences);
            }
            "reasoning_effort" => set_in(body, "outputConfig", "effort", value),
            own if OWN_FIELDS.contains(&own) => {
                body.insert(name.clone(), value);
            }
            _ => set_in(body, "additionalModelRequestFields", name, value),
        }
    }
}

/// The output mode's body fields. There is no JSON mode: the prompt alone asks for the shape.
pub(super) fn output(output: &OutputMode, body: &mut Map<String, Value>) {
    match output {
        OutputMode::Text | OutputMode::JsonObject => {}
        OutputMode::JsonSchema(named) => {
            // The schema is JSON text within the JSON.
            let schema = json!({"name": named.name, "schema": named.schema.to_string()});
            let format = json!({"type": "json_schema", "structure": {"jsonSchema": schema}});
            set_in(body, "outputConfig", "textFormat", format);
        }
        OutputMode::Tool(named) => {
            let tool = json!({"name": named.name, "inputSchema": {"json": named.schema}, "strict": true});
            let choice = json!({"tool": {"name": named.name}});
            body.insert("toolConfig".into(), json!({"tools": [{"toolSpec": tool}], "toolChoice": choice}));
        }
    }
}
