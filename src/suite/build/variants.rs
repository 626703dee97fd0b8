//! Variants: what they name must be there and fit together.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::Faults;
use crate::provider::load::Providers;
use crate::provider::{EndpointId, Provider, Service, WireKind};
use crate::suite::load::LoadOptions;
use crate::suite::raw::{RawMatrix, RawRetrieve, RawVariant};
use crate::suite::{Prompt, matrix};
use crate::variant::{Retrieve, RetrieveFrom, Select, Structured, Variant, VariantId};

/// A variant and where it stands in suite.toml.
type Placed = (Variant, Range<usize>);

/// A base that nothing measures leaves the tuned variant without its comparison.
fn warn_unknown_bases(variants: &[RawVariant], faults: &mut Faults<'_>) {
    let mut said: Vec<Range<usize>> = Vec::new();
    for tuned in variants {
        let Some((base, span)) =
            tuned.common.tuned.as_ref().and_then(|it| it.base.as_deref()).zip(tuned.common.base.clone())
        else {
            continue;
        };
        let model = EndpointId::parse(base).map_or_else(|| base.to_owned(), |named| named.model);
        let is_base = |other: &RawVariant| {
            let same_model = |id: &EndpointId| id.model == model || id.to_string() == base;
            other.name.get_ref() == base || EndpointId::parse(other.model.get_ref()).as_ref().is_some_and(same_model)
        };
        if said.contains(&span) || variants.iter().any(|other| other.common.tuned.is_none() && is_base(other)) {
            continue;
        }
        let message = format!("no untuned variant is or asks `{base}`, so that nothing is compared with it");
        let fault = faults.at("suite/unknown-base", span.clone(), message).as_warning();
        faults.push(fault.help("name a variant, or the `provider/model` of one, and add it to the suite"));
        said.push(span);
    }
}

/// What variants are checked against.
pub(super) struct Builder<'a> {
    pub(super) providers: &'a Providers,
    pub(super) options: &'a LoadOptions,
    pub(super) prompts: &'a [Prompt],
    pub(super) has_schema: bool,
    pub(super) has_pool: bool,
    pub(super) has_documents: bool,
    pub(super) has_labels: bool,
    pub(super) has_recording: bool,
    pub(super) self_hosted: bool,
}

impl Builder<'_> {
    /// The variants in order, those of the matrix last, and the incumbent.
    pub(super) fn build(
        &self,
        written: Vec<RawVariant>,
        matrix: Option<RawMatrix>,
        incumbent: Option<Spanned<String>>,
        faults: &mut Faults<'_>,
    ) -> (Vec<Placed>, Option<VariantId>) {
        let mut raw = written;
        if let Some(matrix) = matrix {
            let size = matrix::size(&matrix);
            if size > matrix::MOST {
                let message = format!("the matrix stands for {size} variants; the most is {}", matrix::MOST);
                faults.error("suite/out-of-range", matrix.span.clone(), message);
            } else {
                raw.extend(matrix::expand(&matrix));
            }
        }
        if raw.is_empty() && faults.list.errors() == 0 {
            faults.whole("suite/no-variants", "the suite has no variant: add `[[variants]]` or `[matrix]`");
        }
        self.refuse_duplicates(&raw, faults);
        self.warn_unused_prompts(&raw, faults);
        warn_unknown_bases(&raw, faults);
        let names: Vec<String> = raw.iter().map(|variant| variant.name.get_ref().clone()).collect();
        let incumbent = incumbent.and_then(|name| {
            self.refuse_oracle(&raw, &name, faults);
            let known = names.contains(name.get_ref());
            if !known {
                let fault = faults.at(
                    "suite/unknown-variant",
                    name.span(),
                    format!("there is no variant `{}`", name.get_ref()),
                );
                faults.push(fault.suggest(name.get_ref(), names.iter().map(String::as_str)));
            }
            known.then(|| VariantId(name.into_inner()))
        });
        let place = |variant: RawVariant| {
            let span = variant.model.span();
            Some((self.variant(variant, faults)?, span))
        };
        let mut variants: Vec<Placed> = raw.into_iter().filter_map(place).collect();
        self.keep_chosen(&mut variants, &names, faults);
        let incumbent = incumbent.filter(|id| variants.iter().any(|(variant, _)| variant.id == *id));
        (variants, incumbent)
    }

    fn refuse_duplicates(&self, variants: &[RawVariant], faults: &mut Faults<'_>) {
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        for variant in variants {
            let name = variant.name.get_ref().as_str();
            let (line, _) = faults.source.position(variant.name.span().start);
            match seen.get(name) {
                Some(first) => {
                    let message = format!("two variants are named `{name}`; the first is on line {first}");
                    faults.error("suite/duplicate-variant", variant.name.span(), message);
                }
                None => {
                    seen.insert(name, line);
                }
            }
        }
    }

    fn warn_unused_prompts(&self, variants: &[RawVariant], faults: &mut Faults<'_>) {
        if self.prompts.len() < 2 {
            return;
        }
        for prompt in self.prompts {
            let used =
                |variant: &RawVariant| variant.prompt.as_ref().is_some_and(|name| *name.get_ref() == prompt.name);
            if !variants.iter().any(used) {
                let at = faults.source.text.find(&prompt.path.display().to_string()).unwrap_or(0);
                let message = format!("no variant uses the prompt `{}`", prompt.name);
                faults.warn("suite/unused-prompt", at..at + prompt.path.as_os_str().len(), message);
            }
        }
    }

    fn keep_chosen(&self, variants: &mut Vec<Placed>, names: &[String], faults: &mut Faults<'_>) {
        let Some(chosen) = &self.options.variants else { return };
        for name in chosen.iter().filter(|name| !names.contains(name)) {
            let fault = crate::diagnostic::Diagnostic::error(
                "suite/unknown-variant",
                &faults.source.path,
                format!("there is no variant `{name}`"),
            );
            faults.push(fault.suggest(name, names.iter().map(String::as_str)));
        }
        variants.retain(|(variant, _)| chosen.contains(&variant.id.0));
    }

    fn variant(&self, raw: RawVariant, faults: &mut Faults<'_>) -> Option<Variant> {
        let endpoint = self.endpoint(&raw, faults);
        let prompt = self.prompt(&raw, faults);
        let structured = *raw.structured.get_ref();
        if matches!(structured, Structured::JsonSchema | Structured::Tool) && !self.has_schema {
            let message = format!("variant `{}` needs a schema, and `[output] schema` is not set", raw.name.get_ref());
            faults.error("suite/no-schema", raw.structured.span(), message);
        }
        let shots = raw.shots.as_ref().filter(|shots| shots.shots.k > 0);
        if let Some(shots) = shots {
            if !self.has_pool {
                let message = format!("variant `{}` has shots, and `[data] pool` is not set", raw.name.get_ref());
                faults.error("suite/no-pool", shots.span.clone(), message);
            }
            if shots.shots.select == Select::Balanced && !self.has_labels {
                let message = "`select = \"balanced\"` needs classes: an `enum` where the primary scorer looks";
                faults.error("suite/no-labels", shots.span.clone(), message);
            }
        }
        let retrieve = match &raw.retrieve {
            Some(written) => Some(self.retrieve(written, raw.name.get_ref(), faults)?),
            None => None,
        };
        Some(Variant {
            shots: shots.map(|shots| shots.shots),
            id: VariantId(raw.name.into_inner()),
            endpoint: endpoint?,
            prompt: prompt?,
            structured,
            cache: raw.cache,
            retrieve,
            tuned: raw.common.tuned,
            params: raw.common.params,
        })
    }

    fn endpoint(&self, raw: &RawVariant, faults: &mut Faults<'_>) -> Option<EndpointId> {
        let span = raw.model.span();
        let Some(mut endpoint) = EndpointId::parse(raw.model.get_ref()) else {
            let fault =
                faults.at("suite/bad-model", span, format!("`{}` is not `provider/model`", raw.model.get_ref()));
            faults.push(fault.help("for example `openai/gpt-5-mini`"));
            return None;
        };
        let name = raw.name.get_ref();
        let provider = self.known_endpoint(&mut endpoint, span.clone(), name, faults)?;
        match provider.service {
            Service::Replay if !self.has_recording => {
                let message = format!("variant `{name}` is answered from a recording, and there is no recording.jsonl");
                faults.warn("suite/no-recording", span, message);
            }
            Service::Http { .. } => self.warn_hosted(provider, span, faults),
            Service::Replay | Service::Imported => {}
        }
        Some(endpoint)
    }

    fn warn_hosted(&self, provider: &Provider, span: Range<usize>, faults: &mut Faults<'_>) {
        if self.self_hosted && !provider.self_hosted {
            let message = format!("the target is self-hosted, and `{}` is not", provider.id);
            faults.warn("suite/hosted-provider", span, message);
        }
    }

    /// The right documents are not known in use: such a variant is a bound, never the one in use.
    fn refuse_oracle(&self, variants: &[RawVariant], incumbent: &Spanned<String>, faults: &mut Faults<'_>) {
        let is_oracle = |raw: &RawVariant| raw.retrieve.as_ref().is_some_and(|written| written.retrieve.is_oracle());
        if variants.iter().any(|raw| raw.name.get_ref() == incumbent.get_ref() && is_oracle(raw)) {
            let message = format!(
                "`{}` is given the documents that examples name, so that it cannot be in use",
                incumbent.get_ref()
            );
            faults.error("suite/oracle-incumbent", incumbent.span(), message);
        }
    }

    /// Retrieval whose documents are there, and whose vectors an endpoint can make.
    fn retrieve(&self, raw: &RawRetrieve, variant: &str, faults: &mut Faults<'_>) -> Option<Retrieve> {
        if !self.has_documents {
            let message = format!("variant `{variant}` retrieves, and `[data] documents` is not set");
            let fault = faults.at("suite/no-documents", raw.span.clone(), message);
            faults.push(fault.help("name a file of rows {\"id\", \"text\"}: `documents = \"docs.jsonl\"`"));
        }
        let mut retrieve = raw.retrieve.clone();
        if let RetrieveFrom::Embeddings(endpoint) = &mut retrieve.from {
            let span = raw.endpoint_span.clone().unwrap_or_else(|| raw.span.clone());
            let provider = self.known_endpoint(endpoint, span.clone(), variant, faults)?;
            let fault = match (&provider.service, provider.wire) {
                (Service::Replay, _) => {
                    Some(format!("`{}` answers from a recording, which has no vectors", provider.id))
                }
                (Service::Imported, _) => Some(format!("`{}` was asked by another tool", provider.id)),
                (Service::Http { .. }, WireKind::OpenaiChat | WireKind::OpenaiResponses) => None,
                (Service::Http { .. }, _) => Some(format!(
                    "`{}` has no address for vectors that this version speaks: its kind is not openai-chat",
                    provider.id
                )),
            };
            if let Some(message) = fault {
                let fault = faults.at("suite/no-embeddings", span, message);
                faults.push(fault.help("name an endpoint whose server has OpenAI's `/embeddings`, or use BM25"));
                return None;
            }
            self.warn_hosted(provider, span, faults);
        }
        Some(retrieve)
    }

    /// The provider of an endpoint, replaced as --provider says; a fault where it, or the model, is
    /// not known.
    fn known_endpoint(
        &self,
        endpoint: &mut EndpointId,
        span: Range<usize>,
        variant: &str,
        faults: &mut Faults<'_>,
    ) -> Option<&Provider> {
        let chosen = self.options.variants.as_ref().is_none_or(|names| names.iter().any(|name| name == variant));
        let mut instead = String::new();
        // A variant that is not run is not asked of the other provider.
        if let Some(other) = self.options.provider_overrides.get(&endpoint.provider).filter(|_| chosen) {
            instead = format!(" (asked instead of `{}`, as --provider says)", endpoint.provider);
            endpoint.provider.clone_from(other);
        }
        let Some(provider) = self.providers.get(&endpoint.provider) else {
            let fault = faults.at(
                "suite/unknown-provider",
                span,
                format!("there is no provider `{}`{instead}", endpoint.provider),
            );
            let suggested = fault.suggest(&endpoint.provider, self.providers.names());
            faults.push(suggested.label("the part before the first `/` is the provider"));
            return None;
        };
        if !provider.models.contains_key(&endpoint.model) {
            let message = format!("the provider `{}` has no model `{}`{instead}", endpoint.provider, endpoint.model);
            let fault = faults.at("suite/unknown-model", span, message);
            let names = provider.models.keys().map(String::as_str);
            let known = crate::text::nearest(&endpoint.model, names.clone()).is_some();
            let mut fault = fault.suggest(&endpoint.model, names);
            if !known {
                let row =
                    format!("add a row `[models.\"{}\"]` to providers/{}.toml", endpoint.model, endpoint.provider);
                fault.help = Some(fault.help.map_or_else(|| row.clone(), |known| format!("{known}; or {row}")));
            }
            faults.push(fault);
            return None;
        }
        Some(provider)
    }

    fn prompt(&self, raw: &RawVariant, faults: &mut Faults<'_>) -> Option<usize> {
        let Some(name) = &raw.prompt else {
            if self.prompts.len() == 1 {
                return Some(0);
            }
            let message = format!("variant `{}` does not say which `prompt` it uses", raw.name.get_ref());
            faults.error("suite/missing-key", raw.name.span(), message);
            return None;
        };
        let found = self.prompts.iter().position(|prompt| prompt.name == *name.get_ref());
        if found.is_none() {
            let fault =
                faults.at("suite/unknown-prompt", name.span(), format!("there is no prompt `{}`", name.get_ref()));
            faults.push(fault.suggest(name.get_ref(), self.prompts.iter().map(|prompt| prompt.name.as_str())));
        }
        found
    }
}
