//! What is said before anything is sent: what a model refuses, and in which form the schema goes.

use jiff::civil::Date;

use super::assemble;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::error::Error;
use crate::exchange::{Message, Role};
use crate::prompt::Prepared;
use crate::provider::load::Providers;
use crate::provider::{Model, Provider};
use crate::report::schema_sent;
use crate::suite::check::facts::{self, Prefix};
use crate::suite::{Example, Suite};
use crate::variant::{Select, Structured, Variant};
use crate::wire::fit::{self, Change, Fitted, Profile};

/// Changes of a schema that a diagnostic shows one by one.
const SHOWN: usize = 3;

/// Today in UTC, where providers' days end.
pub(super) fn today() -> Date {
    jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date()
}

/// Everything that is known to go otherwise than the suite asks.
pub(super) fn faults(suite: &Suite, providers: &Providers, today: Date) -> Result<Diagnostics, Error> {
    let prefixes = prefixes(suite, providers)?;
    let mut found = facts::model_facts(suite, providers, today, &|variant| prefixes[variant]);
    found.extend(schema_faults(suite, providers));
    Ok(found)
}

/// The suite's schema in the form in which a variant's endpoint is asked for it, if it is.
pub(super) fn fitted(
    suite: &Suite,
    variant: &Variant,
    provider: &Provider,
    model: &Model,
) -> Option<(Fitted, Profile)> {
    if !matches!(variant.structured, Structured::JsonSchema | Structured::Tool) {
        return None;
    }
    let profile = crate::wire::wire(provider.wire).schema_profile(&provider.target(model));
    Some((fit::fit(suite.schema.as_ref()?.document(), profile), profile))
}

/// What a schema loses on its way to an endpoint, or why it cannot go.
type Form = Result<Vec<Change>, String>;

/// What a schema loses on its way to an endpoint; nothing is sent where answers are recorded.
fn schema_faults(suite: &Suite, providers: &Providers) -> Vec<Diagnostic> {
    let mut forms: Vec<(Form, Vec<usize>)> = Vec::new();
    for (index, variant) in suite.variants.iter().enumerate() {
        let Some((provider, model)) = providers.endpoint(&variant.endpoint) else { continue };
        if !provider.is_remote() {
            continue;
        }
        let Some((fitted, profile)) = fitted(suite, variant, provider, model) else { continue };
        let is_object = fitted.schema.get("type").is_some_and(|kind| kind == "object");
        let not_a_tool = variant.structured == Structured::Tool && profile != Profile::AsIs && !is_object;
        let form = match fitted.unsupported {
            Some(why) => Err(why),
            None if not_a_tool => Err("a tool's parameters must be an object, and the schema's root is none".into()),
            None => Ok(fitted.changes.into_iter().filter(|change| change.loses).collect()),
        };
        match forms.iter_mut().find(|(known, _)| *known == form) {
            Some((_, variants)) => variants.push(index),
            None => forms.push((form, vec![index])),
        }
    }
    let source = crate::suite::load::read_suite_file(suite).ok();
    let fault = |(form, variants): (Form, Vec<usize>)| {
        let names = facts::names(suite, &variants);
        let at = |code, message| facts::at_variant(suite, source.as_ref(), variants[0], code, message);
        match form {
            Err(why) => {
                let help = "change the schema (say, wrap it in an object), or use `structured = \"text\"` with \
                            `{{ schema }}` in the prompt";
                Some(at("suite/unfit-schema", format!("{names}: {why}")).help(help))
            }
            Ok(changes) if changes.is_empty() => None,
            Ok(changes) => {
                let what = schema_sent::listed(&changes, SHOWN);
                let message = format!("{names}: the endpoint does not take the whole schema: {what}");
                let help = "answers are judged against the schema as it is; `run --json` lists every change";
                Some(at("suite/fitted-schema", message).as_warning().help(help))
            }
        }
    };
    forms.into_iter().filter_map(fault).collect()
}

/// By variant, what its prompt cache can keep; `None` where it asks for none or nothing is sent.
fn prefixes(suite: &Suite, providers: &Providers) -> Result<Vec<Option<Prefix>>, Error> {
    let sent = |variant: &Variant| {
        let (provider, model) = providers.endpoint(&variant.endpoint)?;
        (variant.cache.is_some() && provider.is_remote()).then_some((provider, model))
    };
    if !suite.variants.iter().any(|variant| sent(variant).is_some()) {
        return Ok(vec![None; suite.variants.len()]);
    }
    let pool = assemble::pool(suite)?;
    let examples: Vec<Example> = suite.examples.read().take(2).filter_map(|row| Some(row.ok()?.example)).collect();
    let prefix = |variant: &Variant| {
        let Some((provider, model)) = sent(variant) else { return Ok(None) };
        let prepared = Prepared::new(suite, variant, provider.wire, (&model.served_as, provider.target(model)), &pool)?;
        measure(&prepared, variant, &examples)
    };
    suite.variants.iter().map(prefix).collect()
}

/// Renders two examples and takes what they have in common.
fn measure(prepared: &Prepared, variant: &Variant, examples: &[Example]) -> Result<Option<Prefix>, Error> {
    let requests = examples.iter().map(|example| prepared.render(example)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = requests.first() else { return Ok(None) };
    let system = |messages: &[Message]| {
        messages.iter().filter(|message| message.role == Role::System).cloned().collect::<Vec<_>>()
    };
    let same_system = requests.iter().all(|other| system(&other.messages) == system(&first.messages));
    let similar = variant.shots.is_some_and(|shots| shots.select == Select::Similar);
    let unstable = if !same_system {
        Some("the system part differs from example to example")
    } else if similar {
        Some("the shots differ from example to example")
    } else {
        None
    };
    let stable = if same_system { first.stable_messages } else { 0 };
    let text: usize = first.messages.iter().take(stable).map(|message| message.content.chars().count()).sum();
    // A schema and a tool stand in front of the messages.
    let schema = prepared.fitted().map_or(0, |fitted| fitted.schema.to_string().chars().count());
    Ok(Some(Prefix { characters: (text + schema) as u64, unstable }))
}
