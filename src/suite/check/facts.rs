//! What a variant asks of a model that is known to refuse it, or not to do it: said before a
//! request is sent, so that nobody meets it as an error 400.
//!
//! Only what is known is said: a fact that the provider file does not give refuses nothing. Answers
//! that come from a recording are not asked for, so nothing is said of them either.

use jiff::civil::Date;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::provider::load::Providers;
use crate::provider::{Dialect, Model, Provider, WireKind};
use crate::suite::{Suite, load};
use crate::variant::{Structured, Variant};

/// Days before a model's end from which on it is said.
const NEAR_END_DAYS: i32 = 90;

/// The first API version of Anthropic that refuses sampling parameters for every model
/// (PROVIDERS.md 0.2).
const WITHOUT_SAMPLING: &str = "2026-10-21";

/// The shortest prefix that OpenAI caches, where the provider file gives none (PROVIDERS.md 2).
const OPENAI_CACHE_MIN_TOKENS: u64 = 1024;

/// OpenAI's specification 2.3.0, request of Chat Completions and Responses.
const OPENAI_MOST_TEMPERATURE: f64 = 2.0;

const SAMPLING: &[&str] = &["temperature", "top_p", "top_k"];

/// The names under which a suite may limit an answer's length.
const OUTPUT_LIMITS: &[&str] = &["max_tokens", "max_completion_tokens", "max_output_tokens"];

/// The part of a variant's prompt that a prompt cache can keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Its length in characters.
    pub characters: u64,
    /// Why less than the system part and all shots is the same for every example, if so.
    pub unstable: Option<&'static str>,
}

impl Prefix {
    /// About as many tokens: four characters each, as in English prose.
    fn tokens(self) -> u64 {
        self.characters.div_ceil(4)
    }
}

fn is_openai(provider: &Provider) -> bool {
    let wire = matches!(provider.wire, WireKind::OpenaiChat | WireKind::OpenaiResponses);
    wire && matches!(provider.dialect, Dialect::Openai | Dialect::Azure)
}

/// The shortest prefix, in tokens, that a model's prompt cache keeps, if known.
pub fn cache_min_tokens(provider: &Provider, model: &Model) -> Option<u64> {
    model.facts.cache_min_tokens.or(is_openai(provider).then_some(OPENAI_CACHE_MIN_TOKENS))
}

/// Renders the cached prefix of a variant, by its index; this module cannot, since prompts live
/// above it.
pub type PrefixOf<'a> = &'a dyn Fn(usize) -> Option<Prefix>;

/// Checks every variant against the facts of its model. `today` decides what has retired.
pub fn model_facts(suite: &Suite, providers: &Providers, today: Date, prefix: PrefixOf<'_>) -> Diagnostics {
    let mut found: Vec<(Finding, Vec<usize>)> = Vec::new();
    for (index, variant) in suite.variants.iter().enumerate() {
        let Some((provider, model)) = providers.endpoint(&variant.endpoint) else { continue };
        if !provider.is_remote() {
            continue;
        }
        let asked = Asked { variant, provider, model };
        let findings = asked.findings(today, variant.cache.and_then(|_| prefix(index)));
        for finding in findings {
            match found.iter_mut().find(|(known, _)| known.is_same(&finding)) {
                Some((known, variants)) => {
                    known.prefix_tokens = known.prefix_tokens.max(finding.prefix_tokens);
                    variants.push(index);
                }
                None => found.push((finding, vec![index])),
            }
        }
    }
    let source = load::read_suite_file(suite).ok();
    let mut diagnostics = Diagnostics::new();
    diagnostics.extend(found.into_iter().map(|(finding, variants)| {
        let mut what = format!("{}: {}", names(suite, &variants), finding.what);
        match finding.prefix_tokens {
            None => {}
            Some(0) => what.push_str(", and nothing in front is the same for every example: nothing will be cached"),
            Some(tokens) if variants.len() == 1 => {
                what.push_str(&format!(", and that of this prompt has about {tokens}: nothing will be cached"));
            }
            Some(tokens) => {
                what.push_str(&format!(", and the longest of these has about {tokens}: nothing will be cached"));
            }
        }
        let shared = finding.is_error && variants.iter().any(|&variant| is_of_matrix(suite, source.as_ref(), variant));
        let help = if shared { finding.help + SHARED } else { finding.help };
        let fault = at_variant(suite, source.as_ref(), variants[0], finding.code, what).help(help);
        if finding.is_error { fault } else { fault.as_warning() }
    }));
    diagnostics
}

/// What is common to a matrix cannot be left out for one model.
const SHARED: &str = "; what one model of a `[matrix]` does not take, write as `[[variants]]` of its own";

/// Whether a variant comes from the matrix: the last header in front of its place says so.
fn is_of_matrix(suite: &Suite, source: Option<&Source>, variant: usize) -> bool {
    let before = source.zip(suite.variant_spans.get(variant)).and_then(|(source, span)| source.text.get(..span.start));
    let header = before.and_then(|text| text.lines().map(str::trim).rfind(|line| line.starts_with('[')));
    header.is_some_and(|line| line.starts_with("[matrix]"))
}

/// An error at a variant's place in suite.toml, which `source` holds.
pub fn at_variant(
    suite: &Suite,
    source: Option<&Source>,
    variant: usize,
    code: &'static str,
    message: String,
) -> Diagnostic {
    let fault = Diagnostic::error(code, &suite.file, message);
    match (source, suite.variant_spans.get(variant)) {
        (Some(source), Some(span)) if span.end <= source.text.len() => fault.in_source(source, span.clone()),
        _ => fault,
    }
}

/// ``variant `a` ``, ``variants `a`, `b` and 3 more``.
pub fn names(suite: &Suite, variants: &[usize]) -> String {
    let shown: Vec<String> = variants.iter().take(3).map(|&index| format!("`{}`", suite.variants[index].id)).collect();
    let more = variants.len() - shown.len();
    let plural = if variants.len() == 1 { "" } else { "s" };
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("variant{plural} {}{tail}", shown.join(", "))
}

/// One thing to say, the same for every variant that it is true of.
#[derive(Debug)]
struct Finding {
    code: &'static str,
    is_error: bool,
    what: String,
    help: String,
    /// Tokens of a prefix that is too short; of several variants that of the longest.
    prefix_tokens: Option<u64>,
}

impl Finding {
    /// Whether two say the same but for a prefix's length.
    fn is_same(&self, other: &Self) -> bool {
        (self.code, &self.what, &self.help) == (other.code, &other.what, &other.help)
    }

    fn refused(what: String, help: impl Into<String>) -> Self {
        Self { code: "suite/refused-parameter", is_error: true, what, help: help.into(), prefix_tokens: None }
    }

    fn warning(code: &'static str, what: String, help: impl Into<String>) -> Self {
        Self { code, is_error: false, what, help: help.into(), prefix_tokens: None }
    }
}

/// A variant and who is asked.
struct Asked<'a> {
    variant: &'a Variant,
    provider: &'a Provider,
    model: &'a Model,
}

impl Asked<'_> {
    fn findings(&self, today: Date, prefix: Option<Prefix>) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.sampling());
        findings.extend(self.absent_parameters());
        findings.extend(self.seed());
        findings.extend(self.output_limit());
        findings.extend(self.effort_level());
        findings.extend(self.json_mode());
        findings.extend(self.tool());
        findings.extend(prefix.map(|prefix| self.cache(prefix)).unwrap_or_default());
        findings.extend(self.retirement(today));
        findings
    }

    fn name(&self) -> String {
        format!("`{}`", self.variant.endpoint)
    }

    /// OpenAI itself, on its own address or on Azure: what is true of its models there need not be
    /// true of another host's.
    fn is_openai(&self) -> bool {
        is_openai(self.provider)
    }

    /// The asked reasoning effort, under the suite's name for it or the wire's own.
    fn effort(&self) -> Option<&str> {
        let params = &self.variant.params;
        let nested = |object: &str| params.get(object)?.get("effort");
        params.get("reasoning_effort").or_else(|| nested("reasoning")).or_else(|| nested("output_config"))?.as_str()
    }

    fn takes_effort(&self, effort: &str) -> bool {
        let extra = self.model.facts.extra_efforts.as_deref().unwrap_or_default();
        matches!(effort, "low" | "medium" | "high") || extra.iter().any(|one| one == effort)
    }

    /// The parameters among these that the variant sets, for a message.
    fn set(&self, names: &[&str]) -> Option<String> {
        let set: Vec<String> = names
            .iter()
            .filter(|name| self.variant.params.contains_key(**name))
            .map(|name| format!("`{name}`"))
            .collect();
        (!set.is_empty()).then(|| set.join(" and "))
    }

    fn sampling(&self) -> Option<Finding> {
        let set = self.set(SAMPLING)?;
        if self.model.facts.sampling == Some(false) {
            let help = "remove it from `params`: the model samples as it does";
            return Some(Finding::refused(format!("{} takes no {set}", self.name()), help));
        }
        let version = self.provider.anthropic_version.as_deref().filter(|_| self.provider.wire == WireKind::Anthropic);
        if let Some(version) = version.filter(|version| *version >= WITHOUT_SAMPLING) {
            let what = format!("`anthropic_version` {version} of `{}` takes no {set}", self.provider.id);
            return Some(Finding::refused(
                what,
                "remove it, or set `anthropic_version = \"2023-06-01\"` in the provider file",
            ));
        }
        let temperature = self.variant.params.get("temperature").and_then(Value::as_f64);
        if self.is_openai() && temperature.is_some_and(|temperature| temperature > OPENAI_MOST_TEMPERATURE) {
            let what = format!("OpenAI takes a `temperature` of at most {OPENAI_MOST_TEMPERATURE}");
            return Some(Finding::refused(what, "lower it"));
        }
        if self.is_openai() && self.model.facts.reasoning == Some(true) && self.effort() != Some("none") {
            let what = format!("{} reasons, and then takes no {set}", self.name());
            let help = if self.takes_effort("none") {
                "remove it, or set `reasoning_effort = \"none\"` in `params`"
            } else {
                "remove it from `params`: the model always reasons"
            };
            return Some(Finding::refused(what, help));
        }
        None
    }

    /// Parameters that the wire does not have (PROVIDERS.md 2 to 5, and the request schemas there).
    fn absent_parameters(&self) -> Option<Finding> {
        let (wire, absent): (&str, &[&str]) = match self.provider.wire {
            WireKind::OpenaiChat if self.is_openai() => ("OpenAI Chat Completions", &["top_k", "min_p", "best_of"]),
            // Other hosts of this wire have more of it.
            WireKind::OpenaiChat => return None,
            WireKind::OpenaiResponses => (
                "OpenAI Responses",
                &[
                    "n",
                    "stop",
                    "logprobs",
                    "logit_bias",
                    "frequency_penalty",
                    "presence_penalty",
                    "top_k",
                    "min_p",
                    "best_of",
                ],
            ),
            WireKind::Anthropic => (
                "Anthropic Messages",
                &[
                    "n",
                    "logprobs",
                    "top_logprobs",
                    "logit_bias",
                    "frequency_penalty",
                    "presence_penalty",
                    "min_p",
                    "best_of",
                    "verbosity",
                ],
            ),
            WireKind::Gemini => ("Gemini", &["logit_bias", "min_p", "best_of", "verbosity"]),
            // What Converse has no field for goes to the model, which may take it.
            WireKind::Bedrock => return None,
        };
        let set = self.set(absent)?;
        Some(Finding::refused(format!("{wire} has no {set}"), "remove it from `params`"))
    }

    /// A suite that asks several wires sets the seed for those that have one.
    fn seed(&self) -> Option<Finding> {
        if self.provider.wire == WireKind::Bedrock {
            let set = self.set(&["seed"])?;
            let what = format!("Bedrock Converse has no {set}: it goes to the model, which may refuse it");
            return Some(Finding::warning("suite/refused-parameter", what, "Claude has none: remove it there"));
        }
        let wire = match self.provider.wire {
            WireKind::OpenaiResponses => "OpenAI Responses",
            WireKind::Anthropic => "Anthropic Messages",
            WireKind::OpenaiChat | WireKind::Gemini | WireKind::Bedrock => return None,
        };
        let set = self.set(&["seed"])?;
        let what = format!("{wire} has no {set}, so that it is not sent");
        Some(Finding::warning("suite/refused-parameter", what, "its answers may differ when asked again"))
    }

    fn output_limit(&self) -> Option<Finding> {
        let most = self.model.facts.max_output_tokens?;
        let (name, asked) = OUTPUT_LIMITS.iter().find_map(|name| {
            let asked = self.variant.params.get(*name).and_then(Value::as_u64)?;
            (asked > most).then_some((name, asked))
        })?;
        let what = format!("`{name}` is {asked}, and {} writes at most {most} tokens", self.name());
        Some(Finding::refused(what, format!("set it to {most} or less")))
    }

    fn effort_level(&self) -> Option<Finding> {
        let effort = self.effort()?;
        let facts = &self.model.facts;
        if facts.reasoning == Some(false) {
            let what = format!("{} does not reason, and takes no `reasoning_effort`", self.name());
            return Some(Finding::refused(what, "remove it from `params`"));
        }
        let extra = facts.extra_efforts.as_ref()?;
        if self.takes_effort(effort) {
            return None;
        }
        let known = ["low", "medium", "high"].into_iter().chain(extra.iter().map(String::as_str));
        let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
        let what = format!("{} takes no `reasoning_effort` \"{effort}\"", self.name());
        Some(Finding::refused(what, format!("it takes {}", known.join(", "))))
    }

    fn json_mode(&self) -> Option<Finding> {
        let wire = match self.provider.wire {
            WireKind::Anthropic => "Anthropic Messages",
            WireKind::Bedrock => "Bedrock Converse",
            _ => return None,
        };
        (self.variant.structured == Structured::JsonObject).then(|| {
            let help = "use `structured = \"json-schema\"`, or `\"text\"` with a prompt that asks for JSON";
            Finding::refused(format!("{wire} has no JSON mode, which `structured = \"json-object\"` asks for"), help)
        })
    }

    fn tool(&self) -> Option<Finding> {
        if self.variant.structured != Structured::Tool {
            return None;
        }
        if self.model.facts.forced_tool == Some(false) {
            let what = format!(
                "{} cannot be made to call a tool: it is offered with an instruction, and an answer without the call \
                 is scored as it is",
                self.name()
            );
            return Some(Finding::warning(
                "suite/unforced-tool",
                what,
                "`structured = \"json-schema\"` holds it to the schema",
            ));
        }
        let named = |name: &str| name.starts_with("gpt-6");
        let gpt_6 = named(&self.variant.endpoint.model) || named(&self.model.served_as);
        if self.provider.wire == WireKind::OpenaiChat && self.is_openai() && gpt_6 && self.effort() != Some("none") {
            let what = format!(
                "{} is said to take tools on Chat Completions only with `reasoning_effort = \"none\"`",
                self.name()
            );
            let help = "set it in `params`, or ask through a provider of `kind = \"openai-responses\"`";
            return Some(Finding::warning("suite/refused-parameter", what, help));
        }
        None
    }

    fn cache(&self, prefix: Prefix) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(why) = prefix.unstable {
            let what = format!("{why}, and a prompt cache keeps only what is the same for every example");
            let help = "put what changes into the user part, and take shots that are the same for all";
            findings.push(Finding::warning("suite/unstable-prefix", what, help));
        }
        let least = cache_min_tokens(self.provider, self.model);
        if let Some(least) = least.filter(|&least| prefix.tokens() < least) {
            let what = format!("{} caches a prefix from {least} tokens on", self.name());
            let help = "estimated at four characters a token; add shots or instructions, or drop `cache`";
            let finding = Finding::warning("suite/short-prefix", what, help);
            findings.push(Finding { prefix_tokens: Some(prefix.tokens()), ..finding });
        }
        findings
    }

    /// The earlier of the model's and the tuned variant's last days.
    fn retirement(&self, today: Date) -> Option<Finding> {
        let tuned = self.variant.tuned.as_ref().and_then(|tuned| tuned.retires.as_deref());
        let ends = [self.model.retires.as_deref(), tuned].into_iter().flatten();
        let end: Date = ends.filter_map(|day| day.parse().ok()).min()?;
        let days = (end - today).get_days();
        let name = self.name();
        let (is_error, what) = match days {
            ..=0 => (true, format!("{name} has been retired since {end}")),
            1 => (false, format!("{name} retires tomorrow, on {end}")),
            2..=NEAR_END_DAYS => (false, format!("{name} retires in {days} days, on {end}")),
            _ => return None,
        };
        let help = if is_error {
            "choose another model, or correct `retires`, in the provider file or in `tuned`"
        } else {
            "what is measured of it helps only until then"
        };
        Some(Finding { is_error, ..Finding::warning("suite/retired-model", what, help) })
    }
}

#[cfg(test)]
mod tests;
