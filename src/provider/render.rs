//! Model rows as the text of a provider file: what `ceiling providers prices --write` writes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::{BatchPrice, GpuCost, LongPromptPrice, Model, ModelFacts, Price};
use crate::units::UsdPerMillionTokens;

/// A file that stands over a provider's: the day of the prices, and whole model rows.
pub fn overrides(as_of: &str, rows: &BTreeMap<String, Model>) -> String {
    let mut text = format!(
        "# Written by `ceiling providers prices` from LiteLLM's price table (MIT, Berri AI).\n\
         # Each row here stands in the place of the whole row that ships. Check the price page before money depends on it.\n\
         as_of = {}\n",
        quoted(as_of)
    );
    for (name, model) in rows {
        text.push('\n');
        text.push_str(&model_row(name, model));
    }
    text
}

/// One whole row.
pub fn model_row(name: &str, model: &Model) -> String {
    // Without `..`, so that a new key is not forgotten here.
    let Model { served_as, base_url, extra_body, concurrency, price, gpu, retires, facts } = model;
    let mut text = format!("[models.{}]\n", quoted(name));
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{key} = {value}");
        }
    };
    line("id", (served_as != name).then(|| quoted(served_as)));
    line("base_url", base_url.as_deref().map(quoted));
    line("extra_body", (!extra_body.is_empty()).then(|| inline(&Value::Object(extra_body.clone()))));
    line("concurrency", concurrency.map(|most| most.to_string()));
    line("price", price.as_ref().map(price_table));
    line("gpu", gpu.as_ref().map(gpu_table));
    let ModelFacts {
        sampling,
        forced_tool,
        reasoning,
        extra_efforts,
        cache_min_tokens,
        context_tokens,
        max_output_tokens,
    } = facts;
    line("context_tokens", context_tokens.map(|tokens| tokens.to_string()));
    line("max_output_tokens", max_output_tokens.map(|tokens| tokens.to_string()));
    line("cache_min_tokens", cache_min_tokens.map(|tokens| tokens.to_string()));
    line("reasoning", reasoning.map(|flag| flag.to_string()));
    line("sampling", sampling.map(|flag| flag.to_string()));
    line("forced_tool", forced_tool.map(|flag| flag.to_string()));
    let efforts = |efforts: &Vec<String>| {
        format!("[{}]", efforts.iter().map(|effort| quoted(effort)).collect::<Vec<_>>().join(", "))
    };
    line("extra_efforts", extra_efforts.as_ref().map(efforts));
    line("retires", retires.as_deref().map(quoted));
    text
}

fn price_table(price: &Price) -> String {
    let Price { input, cache_read, cache_write_5m, cache_write_1h, output, batch, training, long_prompt } = price;
    let BatchPrice { input: batch_input, cache_read: batch_cache_read, output: batch_output } = batch;
    let mut parts = rates(&[
        ("input", *input),
        ("cache_read", *cache_read),
        (short_write(*cache_write_1h), *cache_write_5m),
        ("cache_write_1h", *cache_write_1h),
        ("output", *output),
        ("batch_input", *batch_input),
        ("batch_cache_read", *batch_cache_read),
        ("batch_output", *batch_output),
        ("training", *training),
    ]);
    if let Some(LongPromptPrice { above_tokens, input, cache_read, cache_write_5m, cache_write_1h, output }) =
        long_prompt
    {
        let mut long = vec![format!("above_tokens = {above_tokens}")];
        long.extend(rates(&[
            ("input", *input),
            ("cache_read", *cache_read),
            (short_write(*cache_write_1h), *cache_write_5m),
            ("cache_write_1h", *cache_write_1h),
            ("output", *output),
        ]));
        parts.push(format!("long_prompt = {{ {} }}", long.join(", ")));
    }
    if parts.is_empty() { "{}".into() } else { format!("{{ {} }}", parts.join(", ")) }
}

/// A provider with one lifetime says `cache_write`.
fn short_write(hour: Option<UsdPerMillionTokens>) -> &'static str {
    if hour.is_some() { "cache_write_5m" } else { "cache_write" }
}

fn rates(rates: &[(&str, Option<UsdPerMillionTokens>)]) -> Vec<String> {
    rates.iter().filter_map(|(key, rate)| rate.map(|rate| format!("{key} = {rate}"))).collect()
}

fn gpu_table(gpu: &GpuCost) -> String {
    let GpuCost { usd_per_hour, replicas, utilisation } = gpu;
    format!("{{ usd_per_hour = {usd_per_hour:?}, replicas = {replicas}, utilisation = {utilisation:?} }}")
}

/// A JSON value that came from TOML, as TOML again.
pub(crate) fn inline(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let parts: Vec<_> =
                fields.iter().map(|(name, value)| format!("{} = {}", key(name), inline(value))).collect();
            if parts.is_empty() { "{}".into() } else { format!("{{ {} }}", parts.join(", ")) }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A key of TOML, bare where it can be.
pub(crate) fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// A basic string of TOML: JSON's escapes are among its own, and it wants DEL escaped too.
pub(crate) fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::provider::load;

    #[test]
    fn every_row_that_ships_is_read_again_as_it_was() {
        let providers = load::load(&[]).unwrap();
        for name in providers.names() {
            let rows = &providers.get(name).unwrap().models;
            let source = Source::new("again.toml", overrides("2026-11-24", rows));
            let (as_of, again) = load::rows_of(&source).unwrap();
            assert_eq!((as_of.as_deref(), &again), (Some("2026-11-24"), rows), "{name}:\n{}", source.text);
        }
    }

    #[test]
    fn odd_names_and_every_key_survive() {
        let text = "[models.\"a\\\"b\\u007f\\n\"]\nid = \"x\"\nbase_url = \"https://a.b/v1\"\nconcurrency = 3\n\
                    extra_body = { a = [{ \"b c\" = 0.5 }, true], d = {} }\nprice = {}\n\
                    gpu = { usd_per_hour = 2.1, replicas = 2, utilisation = 0.5 }\nextra_efforts = []\n";
        let (_, rows) = load::rows_of(&Source::new("odd.toml", text)).unwrap();
        let (_, again) = load::rows_of(&Source::new("again.toml", overrides("2026-11-24", &rows))).unwrap();
        assert_eq!(rows, again);
    }
}
