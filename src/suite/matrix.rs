//! `[matrix]` to variants: every combination, named from the parts that vary.
//!
//! The model is always in the name (its part after the last slash, with the provider in front
//! where two would be alike); prompt, shots, structured and cache only where they are lists.
//! So `model = ["openai/gpt-5-mini"]`, `shots = [0, 3]` gives `gpt-5-mini` and `gpt-5-mini-few-shot-3`.

use toml::Spanned;

use super::raw::{RawMatrix, RawShots, RawVariant};
use crate::exchange::CacheLifetime;
use crate::variant::{PromptCache, Select, Structured};

/// Most combinations that are taken for meant.
pub(super) const MOST: usize = 10_000;

/// How many variants the matrix stands for.
pub(super) fn size(matrix: &RawMatrix) -> usize {
    let axes = [matrix.prompt.len(), matrix.shots.len(), matrix.structured.len(), matrix.cache.len()];
    axes.iter().fold(matrix.model.len(), |product, &axis| product.saturating_mul(axis.max(1)))
}

/// Every combination, models outermost.
pub(super) fn expand(matrix: &RawMatrix) -> Vec<RawVariant> {
    let mut variants = Vec::new();
    for model in &matrix.model {
        for prompt in axis(&matrix.prompt) {
            for shots in axis(&matrix.shots) {
                for structured in axis(&matrix.structured) {
                    for cache in axis(&matrix.cache) {
                        variants.push(combine(matrix, model, prompt, shots, structured, cache));
                    }
                }
            }
        }
    }
    variants
}

/// The values of an axis, or one absence.
fn axis<T>(values: &[T]) -> Vec<Option<&T>> {
    if values.is_empty() { vec![None] } else { values.iter().map(Some).collect() }
}

fn combine(
    matrix: &RawMatrix,
    model: &Spanned<String>,
    prompt: Option<&Spanned<String>>,
    shots: Option<&RawShots>,
    structured: Option<&Spanned<Structured>>,
    cache: Option<&Option<PromptCache>>,
) -> RawVariant {
    let [prompts, many_shots, structures, caches] = matrix.lists;
    let mut parts = vec![model_part(matrix, model.get_ref())];
    if let Some(prompt) = prompt.filter(|_| prompts) {
        parts.push(prompt.get_ref().clone());
    }
    if let Some(shots) = shots.filter(|shots| many_shots && shots.shots.k > 0) {
        parts.push(shots_part(shots));
    }
    let shape = structured.map_or(Structured::Text, |structured| *structured.get_ref());
    if structures {
        parts.extend(structured_part(shape).map(str::to_owned));
    }
    let cache = cache.copied().flatten();
    if let Some(cache) = cache.filter(|_| caches) {
        parts.push(cached_part(cache).to_owned());
    }
    RawVariant {
        name: Spanned::new(matrix.span.clone(), parts.join("-")),
        model: model.clone(),
        prompt: prompt.cloned(),
        shots: shots.cloned(),
        structured: structured.cloned().unwrap_or_else(|| Spanned::new(matrix.span.clone(), shape)),
        cache,
        retrieve: matrix.retrieve.clone(),
        common: matrix.common.clone(),
    }
}

fn model_part(matrix: &RawMatrix, model: &str) -> String {
    let last = |model: &str| model.rsplit('/').next().unwrap_or_default().to_owned();
    let short = last(model);
    let alike = matrix.model.iter().filter(|other| last(other.get_ref()) == short).count();
    let name = if alike > 1 { model.to_owned() } else { short };
    name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' }).collect()
}

fn shots_part(shots: &RawShots) -> String {
    let select = match shots.shots.select {
        Select::Fixed => "fixed",
        Select::Random => "random",
        Select::Balanced => "balanced",
        Select::Similar => "similar",
    };
    if shots.select_given {
        format!("few-shot-{}-{select}", shots.shots.k)
    } else {
        format!("few-shot-{}", shots.shots.k)
    }
}

fn cached_part(cache: PromptCache) -> &'static str {
    match (cache.lifetime, cache.explicit) {
        (CacheLifetime::FiveMinutes, false) => "cached",
        (CacheLifetime::FiveMinutes, true) => "cached-explicit",
        (CacheLifetime::Hour, false) => "cached-1h",
        (CacheLifetime::Hour, true) => "cached-1h-explicit",
    }
}

fn structured_part(structured: Structured) -> Option<&'static str> {
    match structured {
        Structured::Text => None,
        Structured::JsonObject => Some("json"),
        Structured::JsonSchema => Some("schema"),
        Structured::Tool => Some("tool"),
    }
}
