//! `ceiling providers list`: every provider, or the models of one.

use clap::Args;
use serde_json::{Map, Value, json};

use super::{address, key, kind, named};
use crate::cli::exit::Exit;
use crate::cli::printer::Printer;
use crate::error::Error;
use crate::provider::{Model, Price, Provider};
use crate::provider_check::placeholder;
use crate::report::table::{Table, header};
use crate::text::one_line;
use crate::units::UsdPerMillionTokens;

/// Flags of `ceiling providers list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Show the models of this provider.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// Lists.
pub(super) fn list(args: &ListArgs, printer: Printer) -> Result<Exit, Error> {
    let providers = super::load()?;
    if let Some(name) = &args.name {
        let provider = named(&providers, name)?;
        printer.value(&json!({"providers": [described(provider)]}));
        printer.text(&one(provider));
        return crate::cli::DONE;
    }
    let all: Vec<&Provider> = providers.names().filter_map(|name| providers.get(name)).collect();
    printer.value(&json!({"providers": all.iter().map(|provider| described(provider)).collect::<Vec<_>>()}));
    let header = header(["provider", "kind", "models", "prices", "self-hosted", "key", "address"]);
    let mut table = Table { header, rows: all.iter().map(|provider| cells(provider)).collect() };
    if table.width() > printer.width() {
        // `ceiling providers list NAME` has it.
        table.header.pop();
        table.rows.iter_mut().for_each(|row| drop(row.pop()));
    }
    printer.text(&table.to_text());
    crate::cli::DONE
}

fn cells(provider: &Provider) -> Vec<String> {
    vec![
        provider.id.clone(),
        kind(provider).into(),
        provider.models.len().to_string(),
        provider.as_of.clone().unwrap_or_else(|| "unknown".into()),
        if provider.self_hosted { "yes" } else { "no" }.into(),
        key_text(provider),
        address_text(provider),
    ]
}

fn key_text(provider: &Provider) -> String {
    let key = key(provider);
    match (key.name, key.is_set) {
        (Some(name), Some(true)) => format!("{} (set)", one_line(&name, 60)),
        (Some(name), _) => format!("{} (not set)", one_line(&name, 60)),
        (None, _) => "none needed".into(),
    }
}

fn address_text(provider: &Provider) -> String {
    match address(provider) {
        None => "a suite's recording".into(),
        Some(address) => one_line(address, 120),
    }
}

/// One provider with its models.
fn one(provider: &Provider) -> String {
    let mut text = format!(
        "{}: {}, {}; key: {}; prices of {}\n",
        provider.id,
        kind(provider),
        address_text(provider),
        key_text(provider),
        provider.as_of.as_deref().unwrap_or("no known day")
    );
    if let Some(word) = address(provider).and_then(placeholder) {
        text.push_str(&format!(
            "{word} in the address is to be replaced: set `base_url` in providers/{}.toml\n",
            provider.id
        ));
    }
    let header = header([
        "model",
        "input",
        "cache read",
        "cache write",
        "output",
        "batch in/out",
        "context",
        "answer",
        "retires",
        "notes",
    ]);
    let rows = provider.models.iter().map(|(name, model)| model_cells(name, model)).collect();
    text.push_str(&Table { header, rows }.to_text());
    if provider.models.values().any(|model| model.price.is_some()) {
        text.push_str("prices in USD per million tokens; ? is unknown\n");
    }
    text
}

fn model_cells(name: &str, model: &Model) -> Vec<String> {
    let price = model.price.unwrap_or_default();
    let rate = |rate: Option<UsdPerMillionTokens>| rate.map_or("?".into(), |rate| rate.to_string());
    let tokens =
        |tokens: Option<u64>| tokens.map_or("?".into(), |tokens| crate::units::group_thousands(i128::from(tokens)));
    let write = match (price.cache_write_5m, price.cache_write_1h) {
        (Some(short), Some(long)) => format!("{short}/{long}"),
        (short, _) => rate(short),
    };
    let batch = match (price.batch.input, price.batch.output) {
        (None, None) => "?".into(),
        (input, output) => format!("{}/{}", rate(input), rate(output)),
    };
    vec![
        one_line(name, 80),
        rate(price.input),
        rate(price.cache_read),
        write,
        rate(price.output),
        batch,
        tokens(model.facts.context_tokens),
        tokens(model.facts.max_output_tokens),
        model.retires.clone().unwrap_or_default(),
        notes(name, model),
    ]
}

/// What else is known of a model, in a few words.
fn notes(name: &str, model: &Model) -> String {
    let mut notes = Vec::new();
    if model.served_as != name {
        notes.push(format!("id {}", one_line(&model.served_as, 80)));
    }
    if model.facts.reasoning == Some(true) {
        notes.push("reasons".into());
    }
    if model.facts.sampling == Some(false) {
        notes.push("no sampling parameters".into());
    }
    if model.facts.forced_tool == Some(false) {
        notes.push("no forced tool".into());
    }
    if let Some(efforts) = model.facts.extra_efforts.as_ref().filter(|efforts| !efforts.is_empty()) {
        notes.push(format!("efforts + {}", one_line(&efforts.join(" "), 80)));
    }
    if let Some(long) = model.price.and_then(|price| price.long_prompt) {
        notes.push(format!("dearer over {} tokens", crate::units::group_thousands(i128::from(long.above_tokens))));
    }
    if let Some(training) = model.price.and_then(|price| price.training) {
        notes.push(format!("training {training}"));
    }
    if let Some(gpu) = model.gpu {
        notes.push(format!("gpu ${}/h x {}", gpu.usd_per_hour, gpu.replicas));
    }
    notes.join(", ")
}

/// A provider whole, for machines.
fn described(provider: &Provider) -> Value {
    let key = key(provider);
    let models: Map<String, Value> =
        provider.models.iter().map(|(name, model)| (name.clone(), described_model(model))).collect();
    json!({
        "name": provider.id,
        "kind": kind(provider),
        "dialect": provider.dialect,
        "base_url": address(provider),
        "placeholder": address(provider).and_then(placeholder),
        "key": {"source": key.source, "name": key.name, "is_set": key.is_set},
        "self_hosted": provider.self_hosted,
        "as_of": provider.as_of,
        "limits": {
            "concurrency": provider.limits.concurrency,
            "requests_per_minute": provider.limits.requests_per_minute,
            "tokens_per_minute": provider.limits.tokens_per_minute,
            "timeout_s": provider.limits.timeouts.total_s,
            "connect_timeout_s": provider.limits.timeouts.connect_s,
            "first_token_timeout_s": provider.limits.timeouts.first_token_s,
            "between_chunks_timeout_s": provider.limits.timeouts.between_chunks_s,
        },
        "models": models,
    })
}

fn described_model(model: &Model) -> Value {
    let facts = &model.facts;
    json!({
        "id": model.served_as,
        "base_url": model.base_url,
        "price": model.price.as_ref().map(described_price),
        "gpu": model.gpu.map(|gpu| json!({
            "usd_per_hour": gpu.usd_per_hour, "replicas": gpu.replicas, "utilisation": gpu.utilisation,
        })),
        "retires": model.retires,
        "context_tokens": facts.context_tokens,
        "max_output_tokens": facts.max_output_tokens,
        "cache_min_tokens": facts.cache_min_tokens,
        "reasoning": facts.reasoning,
        "sampling": facts.sampling,
        "forced_tool": facts.forced_tool,
        "extra_efforts": facts.extra_efforts,
    })
}

fn described_price(price: &Price) -> Value {
    let usd = |rate: Option<UsdPerMillionTokens>| rate.map(UsdPerMillionTokens::as_f64);
    json!({
        "input": usd(price.input),
        "cache_read": usd(price.cache_read),
        "cache_write_5m": usd(price.cache_write_5m),
        "cache_write_1h": usd(price.cache_write_1h),
        "output": usd(price.output),
        "batch_input": usd(price.batch.input),
        "batch_cache_read": usd(price.batch.cache_read),
        "batch_output": usd(price.batch.output),
        "training": usd(price.training),
        "long_prompt": price.long_prompt.map(|long| json!({
            "above_tokens": long.above_tokens,
            "input": usd(long.input),
            "cache_read": usd(long.cache_read),
            "cache_write_5m": usd(long.cache_write_5m),
            "cache_write_1h": usd(long.cache_write_1h),
            "output": usd(long.output),
        })),
    })
}
