//! Examples to requests. What depends on the variant alone is built once, in [`Prepared`].

mod moulds;
pub mod retrieval;
mod shots;
pub mod template;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::exchange::{CacheAsk, Message, NamedSchema, OutputMode, Request, Role};
use crate::provider::{Target, WireKind};
use crate::suite::documents::Document;
use crate::suite::{Example, Prompt, Suite};
use crate::variant::{Structured, Variant};
use crate::wire::fit::Fitted;
use crate::wire::mould::Mould;
use crate::wire::{self, HttpRequest};
use moulds::{Known, Moulds, Shape};
use retrieval::Retriever;
use shots::ShotSource;
pub use shots::chosen_from;
use template::{Documents, Shared, Template, TemplateError};

/// Why a request cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// A template fails on an input.
    #[error("prompt `{prompt}`, {part} part{}: {error}", line_suffix(.error))]
    Template {
        /// The prompt's name.
        prompt: String,
        /// `system` or `user`.
        part: &'static str,
        /// What is wrong.
        error: TemplateError,
    },
    /// A variant asks for shots that the pool does not have.
    #[error("variant `{variant}` wants {wanted} shots, the pool has {has}")]
    PoolTooSmall {
        /// The variant.
        variant: String,
        /// Shots asked for.
        wanted: u32,
        /// Rows of the pool.
        has: usize,
    },
    /// The vector of an example's input is not there.
    #[error("the input of example `{example}` has no vector yet")]
    NoVector {
        /// The example.
        example: String,
    },
}

fn line_suffix(error: &TemplateError) -> String {
    error.line.map_or_else(String::new, |line| format!(", line {line}"))
}

/// A prompt's two parts, compiled.
#[derive(Debug)]
struct Parts {
    name: String,
    system: Option<Template>,
    user: Template,
    /// Whether the system part depends on the example: then no two requests begin alike.
    system_varies: bool,
    /// Whether system and user part say where documents go.
    name_documents: [bool; 2],
}

impl Parts {
    fn compile(prompt: &Prompt) -> Result<Self, PromptError> {
        let part = |part: &'static str, source: &str| {
            Template::compile(source).map_err(|error| PromptError::Template {
                prompt: prompt.name.clone(),
                part,
                error,
            })
        };
        let system = if prompt.system.is_empty() { None } else { Some(part("system", &prompt.system)?) };
        let system_varies = system.as_ref().is_some_and(Template::depends_on_input);
        let user = part("user", &prompt.user)?;
        let name_documents = [system.as_ref().is_some_and(|system| system.names("documents")), user.names("documents")];
        Ok(Self { name: prompt.name.clone(), system, user, system_varies, name_documents })
    }

    fn render(
        &self,
        part: &'static str,
        input: &Value,
        shared: &Shared,
        documents: &Documents,
    ) -> Result<Option<String>, PromptError> {
        let template = if part == "system" { self.system.as_ref() } else { Some(&self.user) };
        template
            .map(|template| template.render(input, shared, documents))
            .transpose()
            .map_err(|error| PromptError::Template { prompt: self.name.clone(), part, error })
    }
}

/// Checks that a prompt compiles and renders for an input; what `check` asks. Where the suite has
/// documents, `documents` are some of them: the prompt must render with them and with none.
pub fn try_prompt(
    prompt: &Prompt,
    schema: Option<&Value>,
    labels: &[String],
    input: &Value,
    documents: Option<&[Document]>,
) -> Result<(), PromptError> {
    let parts = Parts::compile(prompt)?;
    let shared = Shared::new(schema, labels).with_documents(documents.is_some());
    for documents in [&[], documents.unwrap_or_default()] {
        let documents = Documents::new(documents.iter());
        parts.render("system", input, &shared, &documents)?;
        parts.render("user", input, &shared, &documents)?;
    }
    Ok(())
}

/// Whether a prompt's system part depends on the example, so that no two requests begin alike: on
/// its input, or on the documents that were found for it.
pub fn system_varies(prompt: &Prompt, retrieves: bool) -> bool {
    let varies = |system: Template| system.depends_on_input() || (retrieves && system.names("documents"));
    Template::compile(&prompt.system).is_ok_and(varies)
}

/// A variant ready to render: templates compiled, shots chosen, schema and parameters in place.
#[derive(Debug)]
pub struct Prepared {
    wire: WireKind,
    served_as: String,
    target: Target,
    fitted: Option<Fitted>,
    cache: Option<CacheAsk>,
    parts: Parts,
    shared: Shared,
    shots: ShotSource,
    retriever: Option<Arc<Retriever>>,
    output: OutputMode,
    params: Map<String, Value>,
    moulds: Moulds,
}

/// What is said for one example.
struct Conversation {
    messages: Vec<Message>,
    /// How many of the first are the same for every example.
    stable_messages: usize,
}

impl Prepared {
    /// Prepares a variant. `pool` is what few-shot may draw from.
    pub fn new(
        suite: &Suite,
        variant: &Variant,
        wire: WireKind,
        (served_as, target): (&str, Target),
        pool: &[Example],
    ) -> Result<Self, PromptError> {
        let schema = suite.schema.as_ref().map(|schema| schema.document());
        let parts = Parts::compile(&suite.prompts[variant.prompt])?;
        let shared = Shared::new(schema, &suite.labels).with_documents(suite.documents.is_some());
        let shots = match variant.shots.filter(|shots| shots.k > 0) {
            None => ShotSource::None,
            Some(shots) if (pool.len() as u64) < u64::from(shots.k) => {
                return Err(PromptError::PoolTooSmall {
                    variant: variant.id.0.clone(),
                    wanted: shots.k,
                    has: pool.len(),
                });
            }
            Some(shots) => ShotSource::choose(shots, pool, &|row| {
                Ok([
                    Message {
                        role: Role::User,
                        content: parts.render("user", &row.input, &shared, &Documents::none())?.unwrap_or_default(),
                    },
                    Message { role: Role::Assistant, content: row.expected.to_string() },
                ])
            })?,
        };
        let fitted = schema
            .filter(|_| matches!(variant.structured, Structured::JsonSchema | Structured::Tool))
            .map(|schema| wire::fit::fit(schema, wire::wire(wire).schema_profile(&target)));
        let named = || NamedSchema {
            name: suite.output_name.clone(),
            schema: fitted.as_ref().map_or(Value::Bool(true), |fitted| fitted.schema.clone()),
        };
        let output = match variant.structured {
            Structured::Text => OutputMode::Text,
            Structured::JsonObject => OutputMode::JsonObject,
            Structured::JsonSchema => OutputMode::JsonSchema(named()),
            Structured::Tool => OutputMode::Tool(named()),
        };
        let cache = variant.cache.map(|cache| CacheAsk {
            lifetime: cache.lifetime,
            explicit: cache.explicit,
            key: cache_key(suite, variant),
            stored: None,
        });
        Ok(Self {
            wire,
            served_as: served_as.to_owned(),
            target,
            fitted,
            cache,
            parts,
            shared,
            shots,
            retriever: None,
            output,
            params: variant.params.clone(),
            moulds: Moulds::default(),
        })
    }

    /// The same with documents for each example; shots are shown without.
    pub fn with_retriever(self, retriever: Option<Arc<Retriever>>) -> Self {
        Self { retriever, ..self }
    }

    /// The request for one example: system part, shots, the example with its documents.
    pub fn render(&self, example: &Example) -> Result<Request, PromptError> {
        Ok(self.request(self.converse(example)?, true))
    }

    /// What is said for one example, and how many messages are the same for every example.
    fn converse(&self, example: &Example) -> Result<Conversation, PromptError> {
        let found = self.found(example)?;
        let listed = Documents::new(found.iter().copied());
        let mut messages = Vec::with_capacity(2);
        if let Some(system) = self.parts.render("system", &example.input, &self.shared, &listed)? {
            messages.push(Message { role: Role::System, content: system });
        }
        let alike = self.shots.append(example, &mut messages);
        let mut stable_messages = if self.parts.system_varies { 0 } else { alike };
        let mut user = self.parts.render("user", &example.input, &self.shared, &listed)?.unwrap_or_default();
        if self.retriever.is_some() {
            let [in_system, in_user] = self.parts.name_documents;
            if in_system {
                // What differs from example to example is no prefix of all of them.
                stable_messages = 0;
            } else if !in_user {
                user = retrieval::in_front(found.into_iter(), &user);
            }
        }
        messages.push(Message { role: Role::User, content: user });
        Ok(Conversation { messages, stable_messages })
    }

    fn request(&self, Conversation { messages, stable_messages }: Conversation, stream: bool) -> Request {
        Request {
            model: self.served_as.clone(),
            messages,
            stable_messages,
            cache: self.cache.clone(),
            params: self.params.clone(),
            output: self.output.clone(),
            stream,
        }
    }

    /// The documents of an example, the best first.
    fn found(&self, example: &Example) -> Result<Vec<&Document>, PromptError> {
        let Some(retriever) = &self.retriever else { return Ok(Vec::new()) };
        let places = retriever.top(example).ok_or_else(|| PromptError::NoVector { example: example.id.0.clone() })?;
        Ok(places.iter().filter_map(|&place| retriever.library().documents().get(place)).collect())
    }

    /// The request as HTTP.
    pub fn encode(&self, example: &Example) -> Result<HttpRequest, PromptError> {
        Ok(self.cast(self.converse(example)?, true))
    }

    fn cast(&self, conversation: Conversation, stream: bool) -> HttpRequest {
        let (wire, target) = (wire::wire(self.wire), &self.target);
        if !Mould::takes(&conversation.messages) {
            return wire.encode(&self.request(conversation, stream), target);
        }
        let shape = Shape::of(&conversation, stream);
        match self.moulds.get(&shape) {
            Known::Mould(mould) => mould.cast(&conversation.messages),
            Known::None => wire.encode(&self.request(conversation, stream), target),
            Known::New => {
                let request = self.request(conversation, stream);
                self.moulds.keep(shape, Mould::of(wire, &request, target));
                wire.encode(&request, target)
            }
        }
    }

    /// The request as HTTP, leaning on a prefix that is stored at the service under this name.
    pub fn encode_after(&self, example: &Example, stored: String) -> Result<HttpRequest, PromptError> {
        let mut request = self.render(example)?;
        if let Some(cache) = &mut request.cache {
            cache.stored = Some(stored);
        }
        Ok(wire::wire(self.wire).encode(&request, &self.target))
    }

    /// The body that stores at the service what all requests begin with; `None` where the variant
    /// does not ask for that, the wire does not offer it, or nothing is shared.
    pub fn prefix_body(&self, example: &Example, base_url: &str) -> Option<bytes::Bytes> {
        if self.wire != WireKind::Gemini || !self.cache.as_ref().is_some_and(|cache| cache.explicit) {
            return None;
        }
        wire::gemini::cached::creation(&self.render(example).ok()?, &self.target, base_url)
    }

    /// The same, for an answer in one piece.
    pub fn encode_whole(&self, example: &Example) -> Result<HttpRequest, PromptError> {
        Ok(self.cast(self.converse(example)?, false))
    }

    /// The schema as the endpoint takes it, where it is asked for.
    pub fn fitted(&self) -> Option<&Fitted> {
        self.fitted.as_ref()
    }

    /// The wire that reads the answers.
    pub fn wire(&self) -> WireKind {
        self.wire
    }
}

/// Tells apart the prefixes of a suite's variants; short, since providers limit it to 64 characters.
/// It is part of some bodies, so it must not change with what is no part of what is asked, such as a
/// target: every answer would be bought again.
fn cache_key(suite: &Suite, variant: &Variant) -> String {
    let digest = Digest::of_parts([suite.name.as_bytes(), variant.id.0.as_bytes()]).to_string();
    format!("ceiling-{}", digest.get(..24).unwrap_or(&digest))
}
