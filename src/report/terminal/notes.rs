//! What stands below the scoreboard.

use std::collections::BTreeMap;

use super::{level, wrap};
use crate::measure::{RunProvenance, VariantMeasurements};
use crate::report::Report;
use crate::units::format_usd;

/// What a reader must know to read the table right.
pub(super) fn footnotes(report: &Report, width: usize) -> String {
    lines(report).iter().fold(String::from("\n"), |text, note| text + &wrap(note, " ", "   ", width))
}

/// The same, one text a note.
pub fn lines(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    let measurements = &report.measurements;
    let clustered = if measurements.clustered { ", widened for clusters" } else { "" };
    let interval = if measurements.anytime.is_some() { "confidence sequence" } else { "interval" };
    notes.extend(super::anytime::notes(measurements));
    notes.push(format!(
        "accuracy is the mean of `{}`, with its {} {interval}{clustered}; an answer that breaks the schema scores 0",
        report.primary,
        level(measurements.variants.first().map(|measured| measured.accuracy.level))
    ));
    if measurements.provenance != RunProvenance::Live {
        let comparable = if measurements.latency_comparable { "" } else { ", and not comparable between variants" };
        let setting = report.setting.as_deref().map_or(String::new(), |setting| format!(": {setting}"));
        notes.push(format!("times are those of the recording{comparable}{setting}"));
    }
    let reused: u64 = measurements.variants.iter().map(|measured| measured.reused).sum();
    if reused > 0 && measurements.provenance != RunProvenance::Recorded {
        notes.push(format!(
            "{reused} answers come from the store and are no part of the latency and cache figures (--fresh asks again)"
        ));
    }
    notes.extend(batch_note(&measurements.variants));
    notes.extend(measurements.variants.iter().filter_map(batch_saving));
    for measured in &measurements.variants {
        for (kind, count, message) in measured.failures.iter().take(2) {
            notes.push(format!("{}: {count} failed ({}): {message}", measured.variant.id, kind.as_str()));
        }
        if measured.missing > 0 {
            notes.push(format!(
                "{}: {} trials are missing (infrastructure){}",
                measured.variant.id,
                measured.missing,
                bounds(measured)
            ));
        }
        if let Some(primary) = measured.scorers.first().filter(|primary| primary.unscored > 0) {
            let why = primary.unscored_reason.as_deref().unwrap_or("no reason was given");
            notes.push(format!(
                "{}: {} answers could not be scored ({why}){}",
                measured.variant.id,
                primary.unscored,
                bounds(measured)
            ));
        }
        if let Some(note) = measured.cost.note.as_ref().filter(|_| measured.cost.per_request.is_some()) {
            notes.push(format!("{}: cost: {note}", measured.variant.id));
        }
    }
    notes.extend(scored_before(report.times_scored));
    notes.extend(crate::report::schema_sent::notes(report));
    notes.extend(served(&measurements.variants));
    notes.extend(hidden_reasoning(&measurements.variants));
    if measurements.variants.iter().all(|measured| measured.cost.per_request.is_none()) {
        let why = measurements.variants.iter().find_map(|measured| measured.cost.note.clone());
        notes.push(format!("cost is unknown{}", why.map_or(String::new(), |why| format!(": {why}"))));
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
