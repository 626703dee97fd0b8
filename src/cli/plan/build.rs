//! Puts a preview together from what was gathered.

use std::collections::BTreeMap;

use super::super::assemble;
use super::super::retrieval::ToBuy;
use super::gather::{Desk, Examples};
use super::known::{Known, KnownVariant};
use crate::diagnostic::Diagnostics;
use crate::error::Error;
use crate::plan::cost::{Quote, UsdSpan};
use crate::plan::needs::{self, Expectation};
use crate::plan::preview::{
    Preview, ProviderTime, Requests, TimePreview, Total, VariantPreview, VectorsPreview, Warning,
};
use crate::plan::size::reach;
use crate::plan::time::{Asked, ProviderLimits, together, wall};
use crate::plan::tokens::{BYTES_PER_TOKEN, MeasuredTokens};
use crate::plan::variant::Facts;
use crate::plan::{Order, default_order};
use crate::provider::load::Providers;
use crate::replay::LatencyClaim;
use crate::suite::Suite;
use crate::trial::CacheMode;
use crate::wire::batch::batch_wire;

/// Everything that is said of a suite.
pub(super) fn preview(
    desk: &Desk<'_>,
    examples: &Examples,
    known: Known,
    to_buy: &[ToBuy],
    expected: Expectation,
    warnings: &Diagnostics,
) -> Result<Preview, Error> {
    let suite = desk.suite;
    let mut variants = Vec::new();
    let mut asked: BTreeMap<String, Vec<(usize, Asked)>> = BTreeMap::new();
    for place in 0..suite.variants.len() {
        let (preview, load) = one(desk, place, examples, &known.variants[place])?;
        // Who is asked nothing takes no time.
        if let Some(load) = load.filter(|load| load.requests > 0.0) {
            asked.entry(preview.endpoint.provider.clone()).or_default().push((place, load));
        }
        variants.push(preview);
    }
    let vectors = to_buy.iter().map(|wanted| vectors(wanted, desk.providers)).collect::<Result<Vec<_>, _>>()?;
    let beliefs = needs::beliefs(suite, known.earlier.as_ref());
    let reach = reach(&examples.sample, &beliefs);
    let samples = latency_samples(desk, &variants);
    let needed = needs::needs(suite, (&examples.sample, &reach), known.earlier.as_ref(), expected, samples);
    let ceiling_test = needs::ceiling_test(suite, &beliefs);
    let sum = |part: fn(&VariantPreview) -> u64| variants.iter().map(part).sum();
    Ok(Preview {
        suite: suite.name.clone(),
        requests: Requests {
            examples: examples.sample.examples,
            clusters: examples.sample.clusters(),
            repeats: suite.repeats,
            pool: desk.pool.len() as u64,
            rendered: examples.rendered.len() as u64,
            total: sum(|variant| variant.requests),
            known: sum(|variant| variant.known),
            to_ask: sum(|variant| variant.to_ask),
        },
        total: Total::of(&variants, &vectors),
        time: time(desk.providers, suite, &asked),
        undecided: needs::undecided(&reach, &needed, &ceiling_test),
        warnings: warnings
            .iter()
            .map(|warning| Warning { code: warning.code.to_owned(), message: warning.message.clone() })
            .collect(),
        earlier: known.earlier,
        variants,
        vectors,
        reach,
        ceiling_test,
        needs: needed,
    })
}

/// One variant, and what its endpoint is asked.
fn one(
    desk: &Desk<'_>,
    place: usize,
    examples: &Examples,
    known: &KnownVariant,
) -> Result<(VariantPreview, Option<Asked>), Error> {
    let gathered = desk.gather(place, &examples.rendered)?;
    let variant = &desk.suite.variants[place];
    let (provider, model) = assemble::found(desk.providers, variant)?;
    let stores = matches!(assemble::cache_mode(variant, provider.wire), CacheMode::Stored(_));
    let facts = Facts {
        suite: desk.suite,
        variant,
        provider,
        model,
        sizes: &gathered.sizes,
        scale: (examples.sample.examples, examples.rendered.len() as u64),
        not_recorded: gathered.not_recorded,
        most_output: assemble::most_output_tokens(variant, provider, model),
        has_batch: batch_wire(provider.wire, provider.dialect).is_some(),
        stores_prefix: stores,
        measured: MeasuredTokens::of(&known.reported, desk.suite.statistics.alpha),
        seconds: known.seconds,
        hardware_usd: known.hardware_usd,
    };
    Ok((facts.preview(), facts.asked()))
}

/// Answers of one variant whose time to the first token counts: fresh live ones, or those of a
/// recording whose times may be compared.
fn latency_samples(desk: &Desk<'_>, variants: &[VariantPreview]) -> u64 {
    let comparable =
        desk.recording.is_some_and(|(recording, _)| recording.header().latency == LatencyClaim::Comparable);
    let counts = variants.iter().filter_map(|variant| match variant.seconds {
        Some(_) => Some(variant.to_ask),
        None => comparable.then_some(variant.requests),
    });
    counts.max().unwrap_or(0)
}

fn vectors(wanted: &ToBuy, providers: &Providers) -> Result<VectorsPreview, Error> {
    let (_, model) = assemble::found_endpoint(providers, &wanted.endpoint)?;
    let tokens = BYTES_PER_TOKEN.map(|bytes| (wanted.bytes as f64 / bytes).ceil() as u64);
    let input = model.price.and_then(|price| price.input);
    let cost = match input {
        Some(input) => Quote { usd: Some(UsdSpan(tokens.map(|tokens| input.times(tokens)))), note: None },
        None => Quote::unknown(format!("no price of `{}` is known", wanted.endpoint)),
    };
    Ok(VectorsPreview { endpoint: wanted.endpoint.clone(), texts: wanted.texts, tokens, cost })
}

fn time(providers: &Providers, suite: &Suite, asked: &BTreeMap<String, Vec<(usize, Asked)>>) -> TimePreview {
    let (mut rows, mut walls) = (Vec::new(), Vec::new());
    for (name, loads) in asked {
        let Some(provider) = providers.get(name) else { continue };
        let limits = ProviderLimits {
            concurrency: provider.limits.concurrency,
            requests_per_minute: provider.limits.requests_per_minute,
            tokens_per_minute: provider.limits.tokens_per_minute,
        };
        let loads: Vec<Asked> = loads.iter().map(|(_, load)| *load).collect();
        let wall = wall(&loads, limits);
        walls.push(wall);
        rows.push(ProviderTime {
            provider: name.clone(),
            requests: loads.iter().map(|load| load.requests as u64).sum(),
            concurrency: limits.concurrency,
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
            seconds: wall.seconds,
            binds_low: wall.binds_low,
            binds_high: wall.binds_high,
        });
    }
    let least = suite.variants.iter().filter_map(|variant| {
        let (provider, model) = providers.endpoint(&variant.endpoint)?;
        let live = provider.is_remote();
        live.then(|| model.concurrency.unwrap_or(provider.limits.concurrency))
    });
    let by_variant = least.min().is_some_and(|least| default_order(least) == Order::ByVariant);
    TimePreview { seconds: together(&walls, by_variant), providers: rows, by_variant }
}
