//! Whom a new suite asks: models that the user names, else those of the providers whose key is in
//! the environment, else a server on this machine.

use std::collections::BTreeSet;

use crate::provider::load::Providers;
use crate::provider::{AWS_VARIABLES, Dialect, EndpointId, KeySource, Model, Provider, Service, WireKind};

/// Most endpoints that a new suite asks at once.
const MOST: usize = 3;

/// A model that the suite asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Which.
    pub endpoint: EndpointId,
    /// Why this one, in words.
    pub why: String,
    /// Whether it takes a temperature.
    pub plain: bool,
    /// Whether it reasons before it answers, unless it is known not to.
    pub reasons: bool,
    /// Whether its prices are known, so that a limit of money can be kept.
    pub priced: bool,
    /// Whether its provider has a prompt cache that lowers the price.
    pub caches: bool,
    /// The shortest prefix, in tokens, that is cached, where known.
    pub cache_min_tokens: Option<u64>,
    /// Whether it is run by the user.
    pub self_hosted: bool,
}

/// Whom to ask, and who else could be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// The ladder is written for these.
    pub asked: Vec<Asked>,
    /// Others, as they stand in a comment.
    pub others: Vec<String>,
    /// What to do where none has a key.
    pub next: Option<String>,
}

fn asked(endpoint: EndpointId, provider: &Provider, model: &Model, why: String) -> Asked {
    let facts = &model.facts;
    Asked {
        endpoint,
        why,
        plain: facts.sampling != Some(false) && facts.reasoning != Some(true),
        reasons: facts.sampling == Some(false) || facts.reasoning == Some(true),
        priced: model.price.is_some_and(|price| price.input.is_some() && price.output.is_some()),
        caches: provider.wire == WireKind::Anthropic || model.price.is_some_and(|price| price.cache_read.is_some()),
        cache_min_tokens: facts.cache_min_tokens,
        self_hosted: provider.self_hosted,
    }
}

/// The provider's cheapest model that writes text and answers for a while yet.
fn cheapest<'a>(provider: &'a Provider, until: &str) -> Option<(&'a String, &'a Model)> {
    let alive = provider.models.iter().filter(|(name, model)| {
        model.retires.as_deref().is_none_or(|day| day > until) && !name.contains("embed") && !name.starts_with("ft:")
    });
    let cost = |model: &Model| {
        let price = model.price?;
        Some((price.input?, price.output?))
    };
    let alive: Vec<_> = alive.collect();
    let priced = alive.iter().filter_map(|(name, model)| Some((cost(model)?, (*name, *model))));
    priced
        .min_by_key(|((input, output), _)| (*output, *input))
        .map(|(_, found)| found)
        .or_else(|| alive.first().copied())
}

/// Chooses. `env` reads the environment; models that retire before `until`, a day as YYYY-MM-DD, are
/// passed over.
///
/// # Errors
/// A model that no provider has, with the names that are near.
pub fn choose(
    providers: &Providers,
    named: &[String],
    env: &dyn Fn(&str) -> Option<String>,
    until: &str,
) -> Result<Choice, String> {
    if !named.is_empty() {
        return Ok(Choice {
            asked: named.iter().map(|name| of_name(providers, name)).collect::<Result<_, _>>()?,
            ..Choice::default()
        });
    }
    let is_set = |variable: &str| env(variable).is_some_and(|value| !value.trim().is_empty());
    let (mut choice, mut keys) = (Choice::default(), BTreeSet::new());
    for provider in providers.names().filter_map(|name| providers.get(name)) {
        let Service::Http { key, base_url, .. } = &provider.service else { continue };
        let Some((name, model)) = cheapest(provider, until) else { continue };
        let endpoint = EndpointId { provider: provider.id.clone(), model: name.clone() };
        // The address of some is still to be filled in.
        let complete = !base_url.chars().any(|c| c.is_ascii_uppercase());
        match key {
            KeySource::Environment(variable) if complete && is_set(variable) => {
                if keys.insert(variable.clone()) && choice.asked.len() < MOST {
                    choice.asked.push(asked(
                        endpoint,
                        provider,
                        model,
                        format!("{variable} is set; {}", why_this(model)),
                    ));
                } else {
                    choice.others.push(format!("{endpoint}   # {variable} is set"));
                }
            }
            KeySource::Environment(variable) => choice.others.push(format!("{endpoint}   # needs {variable}")),
            KeySource::Aws => choice.others.push(format!("{endpoint}   # needs {}", AWS_VARIABLES.join(" and "))),
            KeySource::File(path) => choice.others.push(format!("{endpoint}   # its key is in {}", path.display())),
            KeySource::None => choice.others.push(format!("{endpoint}   # a server of your own")),
        }
    }
    if choice.asked.is_empty() {
        local(providers, &mut choice);
    }
    Ok(choice)
}

fn why_this(model: &Model) -> &'static str {
    if model.price.is_some_and(|price| price.output.is_some()) {
        "the provider's cheapest"
    } else {
        "the first of the provider's file"
    }
}

fn of_name(providers: &Providers, name: &str) -> Result<Asked, String> {
    let endpoint = EndpointId::parse(name).ok_or_else(|| format!("`{name}` is not of the form provider/model"))?;
    let Some(provider) = providers.get(&endpoint.provider) else {
        let near = crate::text::nearest(&endpoint.provider, providers.names());
        let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(format!("there is no provider `{}`{hint}", endpoint.provider));
    };
    match provider.models.get(&endpoint.model) {
        Some(model) => Ok(asked(endpoint, provider, model, "you named it".to_owned())),
        None => {
            let known: Vec<&str> = provider.models.keys().map(String::as_str).take(12).collect();
            Err(format!(
                "the provider `{}` has no model `{}`; it has {}",
                provider.id,
                endpoint.model,
                known.join(", ")
            ))
        }
    }
}

/// The small model of the README, which needs no key, stands in until there is one.
fn local(providers: &Providers, choice: &mut Choice) {
    let local = providers
        .names()
        .filter_map(|name| providers.get(name))
        .find(|provider| provider.dialect == Dialect::LlamaCpp && matches!(provider.service, Service::Http { .. }));
    let Some(provider) = local else { return };
    if let Some((name, model)) = provider.models.iter().next() {
        let endpoint = EndpointId { provider: provider.id.clone(), model: name.clone() };
        choice.others.retain(|other| !other.starts_with(&endpoint.to_string()));
        choice.asked.push(asked(
            endpoint,
            provider,
            model,
            "no provider's key is set, and this one needs none".to_owned(),
        ));
        choice.next = Some(
            "no key is set: export one (such as OPENAI_API_KEY) and name a model with --model, or start the small \
             local model with `scripts/local-model start`"
                .to_owned(),
        );
    }
}
