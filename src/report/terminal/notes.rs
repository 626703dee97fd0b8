//! What stands below the scoreboard.

use std::collections::BTreeMap;

use super::scoreboard::ranks;
use super::{Extent, level, wrap};
use crate::measure::standing::Standing;
use crate::measure::{RunProvenance, VariantMeasurements};
use crate::report::Report;
use crate::report::figure::Form;
use crate::report::retrieval::EmbeddingPurchase;
use crate::units::format_usd;
use crate::variant::Retrieve;

/// What a reader must know to read the table right; in full also what else is known of the answers.
pub(super) fn footnotes(report: &Report, extent: Extent, width: usize) -> String {
    let notes = legend(report).into_iter().chain(of_extent(report, extent));
    notes.fold(String::from("\n"), |text, note| text + &wrap(&note, " ", "   ", width))
}

/// All notes on the figures, whatever they are shown in.
pub fn lines(report: &Report) -> Vec<String> {
    of_extent(report, Extent::Full)
}

fn of_extent(report: &Report, extent: Extent) -> Vec<String> {
    let measurements = &report.measurements;
    let variants = &measurements.variants;
    let full = extent == Extent::Full;
    let mut notes: Vec<String> = report.gone.iter().map(gone).collect();
    notes.extend(bounds_of_retrieval(variants));
    notes.extend(super::anytime::notes(measurements, full));
    notes.push(accuracy(report));
    notes.extend(times(report, full));
    let reused: u64 = variants.iter().map(|measured| measured.reused).sum();
    if reused > 0 && measurements.provenance != RunProvenance::Recorded {
        notes.push(format!(
            "{reused} answers come from the store and are no part of the latency and cache figures (--fresh asks again)"
        ));
    }
    notes.extend(batch_note(variants));
    notes.extend(variants.iter().filter_map(batch_saving));
    notes.extend(variants.iter().flat_map(of_variant));
    notes.extend(scored_before(report.times_scored));
    notes.extend(crate::report::schema_sent::notes(report, full));
    if full {
        notes.extend(served(variants));
    } else {
        // In full these stand in the sections on the cache and on retrieval.
        notes.extend(served_others(variants));
        notes.extend(variants.iter().filter_map(cache_fault));
        notes.extend(report.embeddings.iter().map(EmbeddingPurchase::note));
    }
    notes.extend(hidden_reasoning(variants));
    if variants.iter().all(|measured| measured.cost.per_request.is_none()) {
        let why = variants.iter().find_map(|measured| measured.cost.note.clone());
        notes.push(format!("cost is unknown{}", why.map_or(String::new(), |why| format!(": {why}"))));
    }
    notes
}

/// What the marks, the bar and the cut answers are.
fn legend(report: &Report) -> Vec<String> {
    let variants = &report.measurements.variants;
    let mut notes = Vec::new();
    if ranks(variants) {
        let tied = variants.iter().any(|measured| measured.standing == Some(Standing::Tied));
        let tied = if tied { "; ≈ not shown to be below it, on the same examples (Holm over all pairs)" } else { "" };
        notes.push(format!("▲ highest accuracy{tied}"));
    }
    if variants.iter().any(|measured| measured.accuracy.point.is_some()) {
        let target = report.verdict.triggers.t2.target;
        let target = target.map_or(String::new(), |target| format!(", │ target {}", Form::Percent.exact(target)));
        notes.push(format!("bar: {}{target}", super::bar::LEGEND));
    }
    if variants.iter().any(|measured| measured.outcomes.truncated > 0) {
        notes.push("cut: stopped at the limit of output tokens".to_owned());
    }
    notes
}

/// Trials that nothing can grade any more.
pub fn gone((variant, trials): &(String, u64)) -> String {
    let (trials, are) = if *trials == 1 { ("1 trial".to_owned(), "is") } else { (format!("{trials} trials"), "are") };
    format!("{trials} of `{variant}` {are} not shown: the suite has no such variant any more")
}

/// Variants that nobody can ship.
fn bounds_of_retrieval(variants: &[VariantMeasurements]) -> Option<String> {
    let bound = |measured: &&VariantMeasurements| {
        measured.accuracy.n > 0 && measured.variant.retrieve.as_ref().is_some_and(Retrieve::is_oracle)
    };
    let names: Vec<&str> = variants.iter().filter(bound).map(|measured| measured.variant.id.as_str()).collect();
    (!names.is_empty()).then(|| format!("{}: given the right documents, so a bound and not ranked", names.join(", ")))
}

fn accuracy(report: &Report) -> String {
    let measurements = &report.measurements;
    let clustered = if measurements.clustered { ", widened for clusters" } else { "" };
    let interval = if measurements.anytime.is_some() { "confidence sequence" } else { "interval" };
    // What another tool's scores make of an answer's shape is its own affair.
    let breaks = if report.stated {
        ", as the other tool states it; a call that failed by the variant's own fault and has no score scores 0"
    } else {
        "; an answer that breaks the schema scores 0"
    };
    format!(
        "accuracy is the mean of `{}`, with its {} {interval}{clustered}{breaks}",
        report.primary,
        level(measurements.variants.first().map(|measured| measured.accuracy.level))
    )
}

/// Whose the times are, where they are recorded.
fn times(report: &Report, full: bool) -> Option<String> {
    let measurements = &report.measurements;
    let comparable = if measurements.latency_comparable { "" } else { ", and not comparable between variants" };
    let setting = report.setting.as_deref().filter(|_| full).map_or(String::new(), |setting| format!(": {setting}"));
    let whose = measurements.provenance.whose_times();
    (measurements.provenance != RunProvenance::Live).then(|| format!("times are those {whose}{comparable}{setting}"))
}

/// Failures, what is missing, what has no score, and on what the cost rests.
fn of_variant(measured: &VariantMeasurements) -> Vec<String> {
    let id = &measured.variant.id;
    let failed = measured.failures.iter().take(2);
    let mut notes: Vec<String> =
        failed.map(|(kind, count, message)| format!("{id}: {count} failed ({}): {message}", kind.as_str())).collect();
    if measured.missing > 0 {
        notes.push(format!("{id}: {} trials are missing (infrastructure){}", measured.missing, bounds(measured)));
    }
    if let Some(primary) = measured.scorers.first().filter(|primary| primary.unscored > 0) {
        let why = primary.unscored_reason.as_deref().unwrap_or("no reason was given");
        notes.push(format!("{id}: {} answers could not be scored ({why}){}", primary.unscored, bounds(measured)));
    }
    if let Some(note) = measured.cost.note.as_ref().filter(|_| measured.cost.per_request.is_some()) {
        notes.push(format!("{id}: cost: {note}"));
    }
    notes
}

/// Test examples that prompts are chosen by flatter the chosen one.
pub fn scored_before(times: u64) -> Option<String> {
    (times > 1).then(|| {
        format!(
            "these test examples were scored by {times} runs in this store: a prompt that was chosen by them looks \
             better than it is (choose on other examples)"
        )
    })
}

/// Best and worst case of the accuracy, where trials have no score.
fn bounds(measured: &VariantMeasurements) -> String {
    measured.accuracy_bounds.map_or(String::new(), |(low, high)| {
        format!("; with them accuracy lies between {:.1}% and {:.1}%", low * 100.0, high * 100.0)
    })
}

/// What answers of a batch do not say; nothing where there are none.
fn batch_note(variants: &[VariantMeasurements]) -> Option<String> {
    let batched: u64 = variants.iter().map(|measured| measured.batched).sum();
    let all: u64 = variants.iter().map(|measured| measured.outcomes.total()).sum();
    match batched {
        0 => None,
        _ if batched == all => {
            Some("latency: not measured, answers came by batch; their cost is at batch prices".to_owned())
        }
        _ => Some(format!(
            "{batched} of {all} answers came by batch: they are no part of the latency figures, and their cost is \
             at batch prices"
        )),
    }
}

/// What a batch changed in the cost of a request, where both prices are known.
fn batch_saving(measured: &VariantMeasurements) -> Option<String> {
    let batch = measured.cost.batch.as_ref()?;
    let (billed, direct) = (format_usd(batch.usd_per_request), format_usd(batch.direct_usd_per_request));
    Some(format!(
        "{}: a request costs {billed} by batch; sent by itself, its tokens would cost {direct}",
        measured.variant.id
    ))
}

/// Models that answered under another name than they were asked by, each asked name of a provider once.
fn served(variants: &[VariantMeasurements]) -> Vec<String> {
    let key =
        |measured: &'_ VariantMeasurements| (measured.served_as.clone(), measured.variant.endpoint.provider.clone());
    let other =
        |measured: &&VariantMeasurements| measured.served_models.iter().any(|(model, _)| *model != measured.served_as);
    let mut asked: Vec<_> = variants.iter().filter(other).map(key).collect();
    asked.sort_unstable();
    asked.dedup();
    asked
        .into_iter()
        .map(|asked| {
            let of_asked = variants.iter().filter(|measured| key(measured) == asked);
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            for (model, count) in of_asked.flat_map(|measured| &measured.served_models) {
                *counts.entry(model).or_default() += count;
            }
            let each: Vec<String> =
                counts.iter().map(|(model, count)| format!("`{model}` ({count} answers)")).collect();
            format!("{} was asked for `{}` and says that it served {}", asked.1, asked.0, each.join(", "))
        })
        .collect()
}

/// A prompt cache that did not work.
fn cache_fault(measured: &VariantMeasurements) -> Option<String> {
    let fault = measured.cache.as_ref()?.fault.as_ref()?;
    Some(format!("{}: {}: {}", measured.variant.id, fault.headline(), fault.explanation()))
}

/// Which providers answered with other models, in a line.
fn served_others(variants: &[VariantMeasurements]) -> Option<String> {
    let other =
        |measured: &&VariantMeasurements| measured.served_models.iter().any(|(model, _)| *model != measured.served_as);
    let mut providers: Vec<&str> =
        variants.iter().filter(other).map(|measured| measured.variant.endpoint.provider.as_str()).collect();
    providers.sort_unstable();
    providers.dedup();
    (!providers.is_empty()).then(|| format!("{} served models of other names than asked for", providers.join(", ")))
}

fn hidden_reasoning(variants: &[VariantMeasurements]) -> Option<String> {
    let hiding: Vec<&VariantMeasurements> = variants.iter().filter(|measured| measured.reasoning_hidden > 0).collect();
    let names: Vec<&str> = hiding.iter().map(|measured| measured.variant.id.as_str()).collect();
    let answers: u64 = hiding.iter().map(|measured| measured.reasoning_hidden).sum();
    (answers > 0).then(|| {
        format!(
            "{}: reasoning is billed but not shown in {answers} answers: time to first reasoning token not observable",
            names.join(", ")
        )
    })
}
