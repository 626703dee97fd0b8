//! `params`: what a variant sends as it stands. Names that every wire knows are checked; others go
//! to the host, and only those that look like a typing error are pointed at.

use serde_json::{Map, Value};
use toml::Spanned;

use crate::document::Section;
use crate::text::{nearest, one_line};

/// Body fields that the tool itself fills.
const RESERVED: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "response_format",
    "tools",
    "tool_choice",
    "input",
    "instructions",
    "text",
    "system",
    "cache_control",
    "contents",
    "systemInstruction",
    "toolConfig",
    "cachedContent",
];

/// A parameter's name, what it must be, and whether a value is that.
type Known = (&'static str, &'static str, fn(&Value) -> bool);

fn is_share(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number))
}

fn is_count(value: &Value) -> bool {
    value.as_u64().is_some_and(|number| number > 0)
}

fn is_texts(value: &Value) -> bool {
    let texts = |items: &Vec<Value>| !items.is_empty() && items.iter().all(Value::is_string);
    value.is_string() || value.as_array().is_some_and(texts)
}

const KNOWN: &[Known] = &[
    ("temperature", "a number of 0 or more", |value| value.as_f64().is_some_and(|number| number >= 0.0)),
    ("top_p", "a number from 0 to 1", is_share),
    ("min_p", "a number from 0 to 1", is_share),
    ("seed", "a whole number", |value| value.is_i64() || value.is_u64()),
    ("stop", "a string or a list of strings", is_texts),
    ("reasoning_effort", "a string", Value::is_string),
    ("max_tokens", "a whole number of 1 or more", is_count),
    ("max_completion_tokens", "a whole number of 1 or more", is_count),
    ("max_output_tokens", "a whole number of 1 or more", is_count),
    ("n", "a whole number of 1 or more", is_count),
];

/// Names of one limit.
const LIMITS: &[&str] = &["max_tokens", "max_completion_tokens", "max_output_tokens"];

/// Names that hosts have besides; they are near to others and right all the same.
const OTHERS: &[&str] = &[
    "top_k",
    "top_a",
    "top_n_sigma",
    "min_tokens",
    "max_new_tokens",
    "stop_sequences",
    "stop_token_ids",
    "random_seed",
    "reasoning",
    "thinking",
    "verbosity",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "repeat_penalty",
];

/// Reads `params`; a wrong value of a known parameter is a fault here and not an error of the host.
pub(super) fn read_params(section: &Section<'_>) -> Map<String, Value> {
    let Some(params) = section.json_object("params").map(Spanned::into_inner) else { return Map::new() };
    let Some(table) = section.section("params") else { return params };
    for name in table.names() {
        let (text, span) = (name.get_ref().as_str(), name.span());
        if RESERVED.contains(&text) {
            let message = format!("`params` cannot set `{text}`, which is filled from the variant");
            let fault = table.error("suite/reserved-param", span, message);
            table.report(fault.help("use `model`, `prompt` and `structured` of the variant"));
        } else if let Some((_, wanted, is_right)) = KNOWN.iter().find(|(known, ..)| *known == text) {
            let Some(value) = table.json(text).filter(|value| !is_right(value.get_ref())) else { continue };
            let number = value.get_ref().is_number() && wanted.contains("number");
            let code = if number { "suite/out-of-range" } else { "suite/wrong-type" };
            table.report(table.error(code, value.span(), format!("`{text}` in `params` must be {wanted}")));
        } else if let Some(near) = mistyped(text) {
            let message =
                format!("`{}` is no parameter that is known here, and is sent as it stands", one_line(text, 80));
            let fault = table.error("suite/unknown-param", span, message).as_warning();
            table.report(fault.help(format!("did you mean `{near}`?")));
        }
    }
    let mut limits = table.names().into_iter().filter(|name| LIMITS.contains(&name.get_ref().as_str()));
    if let (Some(one), Some(other)) = (limits.next(), limits.next()) {
        let message = format!("`{}` and `{}` are one limit under two names", one.get_ref(), other.get_ref());
        table.report(table.error("suite/reserved-param", other.span(), message).help("leave out one of the two"));
    }
    params
}

/// The known parameter that is meant, where a name is all but that.
fn mistyped(name: &str) -> Option<&'static str> {
    let known = || KNOWN.iter().map(|(known, ..)| *known);
    let near = nearest(name, known().chain(OTHERS.iter().copied()))?;
    (near != name).then_some(near)
}
