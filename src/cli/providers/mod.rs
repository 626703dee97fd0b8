//! `ceiling providers`: who can be asked, whether they answer, and what they cost.

mod check;
mod list;
mod prices;

use std::path::Path;

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::printer::Printer;
use crate::error::Error;
use crate::provider::load::Providers;
use crate::provider::{AWS_VARIABLES, KeySource, Provider, Service, WireKind};

/// Flags of `ceiling providers`.
#[derive(Debug, Clone, Args)]
pub struct ProvidersArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ProvidersCommand,
}

/// What is done with providers.
#[derive(Debug, Clone, Subcommand)]
pub enum ProvidersCommand {
    /// List the providers that suites of this folder may name, or the models of one.
    List(list::ListArgs),
    /// Ask a provider a few tiny questions: key, model, streaming, usage, schema, tools, cache.
    ///
    /// These are real requests and cost a fraction of a cent. Exit codes: 0 all can be used, 4 one
    /// cannot, 2 wrong input.
    Check(check::CheckArgs),
    /// Compare prices and limits with LiteLLM's price table, and take them over.
    Prices(prices::PricesArgs),
}

/// Runs it.
pub(super) fn providers(args: &ProvidersArgs, printer: Printer) -> Result<Exit, Error> {
    match &args.command {
        ProvidersCommand::List(args) => list::list(args, printer),
        ProvidersCommand::Check(args) => check::check(args, printer),
        ProvidersCommand::Prices(args) => prices::prices(args, printer),
    }
}

/// The providers that ship, with those of the working folder over them.
fn load() -> Result<Providers, Error> {
    Ok(crate::provider::load::load(&[Path::new(".")])?)
}

/// The provider of this name.
fn named<'a>(providers: &'a Providers, name: &str) -> Result<&'a Provider, Error> {
    providers.get(name).ok_or_else(|| {
        let hint = match crate::text::nearest(name, providers.names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`ceiling providers list` lists them; files under providers/ of this folder add more".into(),
        };
        Error::usage(format!("there is no provider `{name}`"), hint)
    })
}

/// Today (UTC), as prices and retirements are dated.
fn today() -> String {
    let now = jiff::Timestamp::from_millisecond(super::now_ms()).unwrap_or_default();
    now.to_string().chars().take("YYYY-MM-DD".len()).collect()
}

/// What a provider file's `kind` says.
fn kind(provider: &Provider) -> &'static str {
    match (&provider.service, provider.wire) {
        (Service::Replay, _) => "replay",
        (Service::Imported, _) => "imported",
        (_, WireKind::OpenaiChat) => "openai-chat",
        (_, WireKind::OpenaiResponses) => "openai-responses",
        (_, WireKind::Anthropic) => "anthropic",
        (_, WireKind::Gemini) => "gemini",
        (_, WireKind::Bedrock) => "bedrock",
    }
}

/// Where a key is looked for, and whether it is there.
struct Key {
    source: &'static str,
    name: Option<String>,
    is_set: Option<bool>,
}

fn key(provider: &Provider) -> Key {
    let source = match &provider.service {
        Service::Http { key, .. } => key,
        Service::Replay | Service::Imported => &KeySource::None,
    };
    let is_set = |name: &str| super::keys::environment(name).is_some_and(|key| !key.trim().is_empty());
    match source {
        KeySource::None => Key { source: "none", name: None, is_set: None },
        KeySource::Aws => {
            let name = AWS_VARIABLES.join(" and ");
            Key { source: "environment", name: Some(name), is_set: Some(AWS_VARIABLES.into_iter().all(is_set)) }
        }
        KeySource::Environment(name) => {
            let is_set = is_set(name);
            Key { source: "environment", name: Some(name.clone()), is_set: Some(is_set) }
        }
        KeySource::File(path) => {
            Key { source: "file", name: Some(path.display().to_string()), is_set: Some(path.is_file()) }
        }
    }
}

/// The address in front of the wire's paths; none for a recording.
fn address(provider: &Provider) -> Option<&str> {
    match &provider.service {
        Service::Http { base_url, .. } => Some(base_url),
        Service::Replay | Service::Imported => None,
    }
}
