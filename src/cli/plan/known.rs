//! What earlier answers in the store say of a suite: tokens, times, rates, how often variants differ.

use super::super::retrieval::Retrieval;
use super::super::{assemble, measuring};
use crate::error::Error;
use crate::measure::accumulate::{Accumulator, ExchangeFacts};
use crate::measure::grade::Grader;
use crate::measure::places::Places;
use crate::measure::{Measurements, Scores, VariantMeasurements};
use crate::plan::preview::Earlier;
use crate::plan::time::Seconds;
use crate::plan::tokens::{LEAST_MEASURED, Reported, Span};
use crate::provider::load::Providers;
use crate::stats::cluster::icc_deff;
use crate::stats::proportion::wilson;
use crate::store::{RunRow, Store};
use crate::suite::Suite;

/// What is known of one variant.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownVariant {
    /// Answers that report their usage.
    pub(super) reported: Vec<Reported>,
    /// Median and 95th percentile of the whole answer's time, of fresh live answers.
    pub(super) seconds: Option<Seconds>,
    /// USD of a request by hardware and measured throughput, where that is how it is paid.
    pub(super) hardware_usd: Option<Span<f64>>,
}

/// What is known of a suite, one entry a variant.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) earlier: Option<Earlier>,
    pub(super) variants: Vec<KnownVariant>,
}

/// Reads the newest run of the suite that has answers of this plan's endpoints.
pub(super) fn known(
    suite: &Suite,
    providers: &Providers,
    store: &Store,
    retrieval: &Retrieval,
) -> Result<Known, Error> {
    let nothing = Known { earlier: None, variants: vec![KnownVariant::default(); suite.variants.len()] };
    let grader = Grader::new(suite, &assemble::endpoint_facts(suite, providers)?)?;
    for run in store.runs()?.iter().filter(|run| run.suite == suite.name && run.trials > 0) {
        if let Some(known) = read(suite, store, run, &grader, retrieval)? {
            return Ok(known);
        }
    }
    Ok(nothing)
}

/// Grades a run's trials that were asked of the endpoints of this plan; `None` where there is none.
fn read(
    suite: &Suite,
    store: &Store,
    run: &RunRow,
    grader: &Grader,
    retrieval: &Retrieval,
) -> Result<Option<Known>, Error> {
    let places = measuring::places(suite);
    let endpoints: Vec<String> = suite.variants.iter().map(|variant| variant.endpoint.to_string()).collect();
    let mut reported: Vec<Vec<Reported>> = vec![Vec::new(); suite.variants.len()];
    let mut examples = Places::default();
    let mut accumulator = Accumulator::new(suite, grader);
    let mut any = false;
    store.each_trial(run.id, None, |trial| -> Result<(), Error> {
        let Some(&place) = places.get(trial.variant.as_str()) else { return Ok(()) };
        if trial.exchange.endpoint != endpoints[place] {
            return Ok(());
        }
        any = true;
        let index = examples.place(&trial.example_digest);
        // Scoring processes are not asked: what the store has no reply of is not scored.
        let replies = measuring::replies(store, grader, place, &trial)?;
        let graded = grader.grade(place, &trial.example, &trial.exchange, replies.as_ref());
        let usage = &graded.usage;
        let cached = [usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens];
        if let (Some(input), Some(output)) = (usage.input_uncached_tokens, usage.output_tokens) {
            reported[place].push(Reported {
                body_bytes: trial.exchange.request_body.len() as u64,
                input_tokens: input + cached.into_iter().flatten().sum::<u64>(),
                output_tokens: output,
            });
        }
        let facts = ExchangeFacts::of(&trial.exchange, trial.reused);
        if let Some((k, found)) = retrieval.found(place, &trial.example) {
            accumulator.add_found(place, k, index, found, None);
        }
        accumulator.add(place, index, &trial.example, trial.repeat, graded, facts);
        Ok(())
    })?;
    if !any {
        return Ok(None);
    }
    let measurements = accumulator.finish(false);
    let paid_by_hour = |place: usize| grader.endpoint(place).is_some_and(|endpoint| endpoint.gpu.is_some());
    let rows = reported.into_iter().zip(&measurements.variants).enumerate();
    let variants = rows.map(|(place, (reported, measured))| KnownVariant {
        reported,
        seconds: seconds(measured, &measurements),
        hardware_usd: measured.cost.per_request.filter(|_| paid_by_hour(place)).map(|usd| Span {
            low: usd.low,
            likely: usd.point,
            high: usd.high.is_finite().then_some(usd.high),
        }),
    });
    Ok(Some(Known { variants: variants.collect(), earlier: Some(earlier(suite, run, &measurements)) }))
}

/// Times of recorded answers are those of another machine, and of a store none at all.
fn seconds(measured: &VariantMeasurements, all: &Measurements) -> Option<Seconds> {
    let live = all.provenance == crate::measure::RunProvenance::Live;
    let enough = live && measured.total.sorted_ms.len() >= LEAST_MEASURED;
    let (p50, p95) = (measured.total.p50?.point?, measured.total.p95?.point?);
    enough.then(|| Seconds { low: p50 / 1000.0, high: p95 / 1000.0 })
}

fn earlier(suite: &Suite, run: &RunRow, measurements: &Measurements) -> Earlier {
    let measured: Vec<&VariantMeasurements> =
        measurements.variants.iter().filter(|row| row.accuracy.point.is_some()).collect();
    let named = suite.incumbent.as_ref().and_then(|named| measured.iter().find(|row| row.variant.id == *named));
    let point = |row: &VariantMeasurements| row.accuracy.point.unwrap_or(0.0);
    let best = named.or_else(|| measured.iter().max_by(|a, b| point(a).total_cmp(&point(b)))).copied();
    let alpha = suite.statistics.alpha;
    let mut shares: Vec<f64> = measured
        .iter()
        .filter(|row| best.is_some_and(|best| best.variant.id != row.variant.id))
        .filter_map(|row| discordance(&best?.scores, &row.scores, alpha))
        .collect();
    shares.sort_by(f64::total_cmp);
    let likeness = |row: &&VariantMeasurements| {
        let known = row.scores.iter().zip(&measurements.clusters);
        let known = known.filter_map(|(score, cluster)| Some((f64::from(score?), *cluster)));
        let (scores, clusters): (Vec<f64>, Vec<u32>) = known.unzip();
        icc_deff(&scores, &clusters).icc
    };
    // Of few clusters each one's likeness is noise: the middle one of the variants.
    let mut likenesses: Vec<f64> = measured.iter().filter_map(likeness).collect();
    likenesses.sort_by(f64::total_cmp);
    Earlier {
        run: run.name.clone(),
        variants: measured.len() as u64,
        best: best.map(|best| (best.variant.id.clone(), point(best))),
        validity: best.and_then(|best| best.validity_strict?.point),
        discordance: shares.get(shares.len() / 2).copied(),
        pairs: shares.len() as u64,
        icc: likenesses.get(likenesses.len() / 2).copied(),
    }
}

/// Upper Wilson limit of the share by which two variants differ (METHODS.md 9.2); of scores between
/// 0 and 1 the mean size of the differences. `None` without a pair or a difference.
fn discordance(a: &Scores, b: &Scores, alpha: f64) -> Option<f64> {
    let sizes: Vec<f64> = a.iter().zip(b.iter()).filter_map(|(a, b)| Some(f64::from((a? - b?).abs()))).collect();
    let sum: f64 = sizes.iter().sum();
    (!sizes.is_empty()).then(|| wilson(sum, sizes.len() as f64, alpha).high)
}
