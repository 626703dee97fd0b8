//! LiteLLM's price table (`model_prices_and_context_window.json`), read exactly, and what of it
//! differs from a provider file.
//!
//! Source of the field names: litellm 1.108.7 (MIT, Berri AI). Prices there are USD per token; the
//! text of each number is scaled as a decimal, so that 3e-07 becomes 0.3 and not 0.30000000000000004.
//! A price of 0 there may mean free or unknown, so it changes nothing; nor does an absent one.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use serde_json::value::RawValue;

use super::{LongPromptPrice, Model, Price, Provider};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::text::one_line;
use crate::units::UsdPerMillionTokens;

/// Where a provider's models stand in the table.
struct Host {
    provider: &'static str,
    /// What stands before a model's id; tried in this order.
    prefixes: &'static [&'static str],
    /// What `litellm_provider` then says.
    names: &'static [&'static str],
}

const fn host(provider: &'static str, prefixes: &'static [&'static str], names: &'static [&'static str]) -> Host {
    Host { provider, prefixes, names }
}

const HOSTS: &[Host] = &[
    host("anthropic", &[""], &["anthropic"]),
    host("azure-openai", &["azure/"], &["azure"]),
    host("bedrock", &[""], &["bedrock_converse", "bedrock"]),
    host("deepseek", &["deepseek/"], &["deepseek"]),
    host("fireworks", &["fireworks_ai/"], &["fireworks_ai"]),
    host("gemini", &["gemini/"], &["gemini"]),
    host("groq", &["groq/"], &["groq"]),
    host("mistral", &["mistral/"], &["mistral"]),
    host("openai", &[""], &["openai"]),
    host("openai-responses", &[""], &["openai"]),
    host("openrouter", &["openrouter/"], &["openrouter"]),
    host("together", &["together_ai/"], &["together_ai"]),
    host("vertex", &["vertex_ai/", ""], &["vertex_ai", "vertex_ai-language-models"]),
];

type Rate = Option<UsdPerMillionTokens>;

/// Our key, the table's field, and the place in a price.
type RateField = (&'static str, &'static str, fn(&mut Price) -> &mut Rate);

const RATES: &[RateField] = &[
    ("input", "input_cost_per_token", |price| &mut price.input),
    ("cache_read", "cache_read_input_token_cost", |price| &mut price.cache_read),
    ("cache_write", "cache_creation_input_token_cost", |price| &mut price.cache_write_5m),
    ("cache_write_1h", "cache_creation_input_token_cost_above_1hr", |price| &mut price.cache_write_1h),
    ("output", "output_cost_per_token", |price| &mut price.output),
    ("batch_input", "input_cost_per_token_batches", |price| &mut price.batch.input),
    ("batch_cache_read", "cache_read_input_token_cost_batches", |price| &mut price.batch.cache_read),
    ("batch_output", "output_cost_per_token_batches", |price| &mut price.batch.output),
];

/// The same of a long prompt; the table's field goes on with `_above_272k_tokens`, say.
type LongField = (&'static str, &'static str, fn(&mut LongPromptPrice) -> &mut Rate);

const LONG_RATES: &[LongField] = &[
    ("long_prompt.input", "input_cost_per_token", |price| &mut price.input),
    ("long_prompt.cache_read", "cache_read_input_token_cost", |price| &mut price.cache_read),
    ("long_prompt.cache_write", "cache_creation_input_token_cost", |price| &mut price.cache_write_5m),
    ("long_prompt.cache_write_1h", "cache_creation_input_token_cost_above_1hr", |price| &mut price.cache_write_1h),
    ("long_prompt.output", "output_cost_per_token", |price| &mut price.output),
];

/// The table: rows by LiteLLM's key, unread until they are asked for.
#[derive(Debug)]
pub struct PriceTable<'a> {
    path: PathBuf,
    rows: HashMap<String, &'a RawValue>,
}

/// One value that the table gives otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Our key, such as `input` or `long_prompt.output`.
    pub field: &'static str,
    /// What the provider file says; `None` is unknown.
    pub old: Option<String>,
    /// What the table says.
    pub new: String,
}

/// A model row that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The row's name.
    pub name: String,
    /// The row with the table's values.
    pub model: Model,
    /// What is other than before.
    pub changes: Vec<Change>,
}

/// A provider file against the table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// Rows that differ, by name.
    pub changed: Vec<Changed>,
    /// Rows of which the table says the same.
    pub same: Vec<String>,
    /// Rows that the table does not have.
    pub absent: Vec<String>,
}

/// Whether a provider's ids are the models' own names. On Azure they are names of deployments, which
/// say nothing certain: such a provider is compared only when it is named.
pub fn has_own_names(provider: &str) -> bool {
    provider != "azure-openai"
}

/// Whether it is known where the provider's models stand in the table.
pub fn knows(provider: &str) -> bool {
    HOSTS.iter().any(|host| host.provider == provider)
}

impl<'a> PriceTable<'a> {
    /// Reads the table's outline.
    ///
    /// # Errors
    /// A file that is not a JSON object.
    pub fn parse(source: &'a Source) -> Result<Self, Box<Diagnostic>> {
        match serde_json::from_str(&source.text) {
            Ok(rows) => Ok(Self { path: source.path.clone(), rows }),
            Err(error) => {
                let at = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
                let message = one_line(&format!("not a JSON object of model rows: {error}"), 300);
                let fault = Diagnostic::error("provider/bad-price-list", &source.path, message);
                Err(Box::new(fault.at(at(error.line()), at(error.column()))))
            }
        }
    }

    /// Compares the rows of a provider.
    ///
    /// # Errors
    /// Every value of a row in question that cannot be what its field says.
    pub fn compare(&self, provider: &Provider) -> Result<Comparison, Diagnostics> {
        let mut faults = Diagnostics::new();
        let mut found = Comparison::default();
        for (name, model) in &provider.models {
            let Some(row) = self.row(&provider.id, &model.served_as) else {
                found.absent.push(name.clone());
                continue;
            };
            let mut reader = RowReader { path: &self.path, row, faults: &mut faults };
            let (model, changes) = reader.applied_to(model);
            if changes.is_empty() {
                found.same.push(name.clone());
            } else {
                found.changed.push(Changed { name: name.clone(), model, changes });
            }
        }
        faults.into_result().map(|_| found)
    }

    /// The row of a model, if it is this provider's.
    fn row(&self, provider: &str, id: &str) -> Option<Row<'a>> {
        let host = HOSTS.iter().find(|host| host.provider == provider)?;
        host.prefixes.iter().find_map(|prefix| {
            let key = format!("{prefix}{id}");
            let fields: HashMap<String, &RawValue> = serde_json::from_str(self.rows.get(&key)?.get()).ok()?;
            let name: String = serde_json::from_str(fields.get("litellm_provider")?.get()).ok()?;
            host.names.contains(&name.as_str()).then_some(Row { key, fields })
        })
    }
}

struct Row<'a> {
    key: String,
    fields: HashMap<String, &'a RawValue>,
}

struct RowReader<'r, 'a> {
    path: &'r PathBuf,
    row: Row<'a>,
    faults: &'r mut Diagnostics,
}

impl RowReader<'_, '_> {
    /// The model with what the row says, and what that changes.
    fn applied_to(&mut self, model: &Model) -> (Model, Vec<Change>) {
        let mut new = model.clone();
        let mut changes = Vec::new();
        let mut price = model.price.unwrap_or_default();
        for (key, field, place) in RATES {
            let listed = self.rate(field);
            set(place(&mut price), listed, key, &mut changes);
        }
        self.long_prompt(&mut price, &mut changes);
        if !changes.is_empty() {
            new.price = Some(price);
        }
        let facts = &mut new.facts;
        set(&mut facts.context_tokens, self.whole("max_input_tokens"), "context_tokens", &mut changes);
        set(&mut facts.max_output_tokens, self.whole("max_output_tokens"), "max_output_tokens", &mut changes);
        set(&mut facts.cache_min_tokens, self.whole("prompt_cache_min_tokens"), "cache_min_tokens", &mut changes);
        set(&mut facts.sampling, self.flag("supports_sampling_params"), "sampling", &mut changes);
        set(&mut facts.forced_tool, self.flag("supports_forced_tool_use"), "forced_tool", &mut changes);
        set(&mut new.retires, self.day("deprecation_date"), "retires", &mut changes);
        (new, changes)
    }

    /// The lowest step of a long prompt's price: a price of ours has one.
    fn long_prompt(&mut self, price: &mut Price, changes: &mut Vec<Change>) {
        let step = |field: &str| -> Option<u64> {
            field.strip_prefix("input_cost_per_token_above_")?.strip_suffix("k_tokens")?.parse().ok()
        };
        let Some(thousands) = self.row.fields.keys().filter_map(|field| step(field)).min() else { return };
        let above_tokens = thousands.saturating_mul(1000);
        let empty = LongPromptPrice {
            above_tokens,
            input: None,
            cache_read: None,
            cache_write_5m: None,
            cache_write_1h: None,
            output: None,
        };
        let mut long = price.long_prompt.unwrap_or(empty);
        let mut above = price.long_prompt.map(|long| long.above_tokens);
        set(&mut above, Some(above_tokens), "long_prompt.above_tokens", changes);
        long.above_tokens = above_tokens;
        for (key, field, place) in LONG_RATES {
            let listed = self.rate(&format!("{field}_above_{thousands}k_tokens"));
            set(place(&mut long), listed, key, changes);
        }
        price.long_prompt = Some(long);
    }

    fn rate(&mut self, field: &str) -> Rate {
        let text = self.row.fields.get(field).map(|raw| raw.get())?;
        if text == "null" {
            return None;
        }
        match per_million(text) {
            Ok(rate) => Some(rate).filter(|rate| rate.as_micro() > 0),
            Err(what) => {
                self.fault(field, text, what);
                None
            }
        }
    }

    /// Token counts; some stand there as `4096.0`.
    fn whole(&mut self, field: &str) -> Option<u64> {
        let text = self.row.fields.get(field).map(|raw| raw.get()).filter(|text| *text != "null")?;
        let whole = text.split_once('.').filter(|(_, rest)| rest.bytes().all(|b| b == b'0')).map_or(text, |it| it.0);
        match whole.parse::<u64>() {
            Ok(tokens) => Some(tokens).filter(|&tokens| tokens > 0),
            Err(_) => {
                self.fault(field, text, "is not a whole number");
                None
            }
        }
    }

    fn day(&mut self, field: &str) -> Option<String> {
        let text: String = self.read(field, "is not a day (YYYY-MM-DD)")?;
        if text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok() {
            return Some(text);
        }
        self.fault(field, &text, "is not a day (YYYY-MM-DD)");
        None
    }

    fn flag(&mut self, field: &str) -> Option<bool> {
        self.read(field, "is not true or false")
    }

    fn read<T: serde::de::DeserializeOwned>(&mut self, field: &str, what: &str) -> Option<T> {
        let text = self.row.fields.get(field).map(|raw| raw.get())?;
        match serde_json::from_str::<Option<T>>(text) {
            Ok(value) => value,
            Err(_) => {
                self.fault(field, text, what);
                None
            }
        }
    }

    fn fault(&mut self, field: &str, text: &str, what: &str) {
        let message = format!("`{}`: `{field}` {what}: {}", one_line(&self.row.key, 80), one_line(text, 80));
        let help = "correct the row in the list, or take one provider at a time with --provider";
        self.faults.push(Diagnostic::error("provider/bad-price", self.path, message).help(help));
    }
}

/// Puts in what the table says, and notes it if it is new.
fn set<T: PartialEq + Clone + std::fmt::Display>(
    place: &mut Option<T>,
    listed: Option<T>,
    field: &'static str,
    changes: &mut Vec<Change>,
) {
    let Some(listed) = listed.filter(|listed| place.as_ref() != Some(listed)) else { return };
    changes.push(Change { field, old: place.as_ref().map(T::to_string), new: listed.to_string() });
    *place = Some(listed);
}

/// USD per token, as the JSON text of a number, to USD per million tokens: exact to a micro-dollar,
/// the rest rounded half up.
fn per_million(text: &str) -> Result<UsdPerMillionTokens, &'static str> {
    const TOO_LARGE: &str = "is too large for a price";
    if text.starts_with('-') {
        return Err("is negative");
    }
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("is not a number");
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(UsdPerMillionTokens::default());
    }
    // Twelve places: six from tokens to millions, six from dollars to micro-dollars.
    let exponent: i64 = exponent.parse().map_err(|_| TOO_LARGE)?;
    let places = exponent.saturating_sub(fraction.len() as i64).saturating_add(12);
    // 30 digits are far more than any price has, and still fit.
    let (kept, dropped) = digits.split_at(digits.len().min(30));
    let number: u128 = kept.parse().map_err(|_| "is not a number")?;
    let places = places.saturating_add(dropped.len() as i64);
    let micro = match u32::try_from(places.unsigned_abs()).ok().and_then(|places| 10_u128.checked_pow(places)) {
        Some(power) if places >= 0 => number.checked_mul(power).ok_or(TOO_LARGE)?,
        Some(power) => number / power + u128::from(number % power >= power.div_ceil(2)),
        None if places < 0 => 0,
        None => return Err(TOO_LARGE),
    };
    u64::try_from(micro).ok().and_then(UsdPerMillionTokens::from_micro).ok_or(TOO_LARGE)
}

/// The rows that a provider's own overrides need: each changed one, whole.
pub fn overrides(comparison: &Comparison) -> BTreeMap<String, Model> {
    comparison.changed.iter().map(|row| (row.name.clone(), row.model.clone())).collect()
}

#[cfg(test)]
mod tests;
