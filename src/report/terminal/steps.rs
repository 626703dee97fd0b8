//! What each intervention changed, for a terminal.

use super::{NOTHING, level, points, signed, table_or_list, wrap};
use crate::measure::steps::Step;
use crate::measure::{Measurements, VariantMeasurements};
use crate::report::table::{Table, header};
use crate::stats::paired::PairedVerdict;
use crate::units::format_usd;
use crate::variant::{Intervention, VariantId};

/// The section; `None` where no variant has a reference.
pub(super) fn section(measurements: &Measurements, width: usize) -> Option<String> {
    let steps = &measurements.steps;
    let lonely = without_base(measurements);
    if steps.is_empty() && lonely.is_none() {
        return None;
    }
    let table = Table {
        header: header(["from → to", "step", "accuracy", "+/−", "valid", "TTFT p50", "$/request"]),
        rows: steps.iter().map(row).collect(),
    };
    let mut text = "What each intervention changed\n".to_owned();
    if steps.is_empty() {
        return lonely.map(|note| text + &wrap(&note, " ", "   ", width));
    }
    text.push_str(&table_or_list(table, width));
    text.push('\n');
    let corrected =
        if steps.len() > 1 { format!(", corrected for {} steps (Holm)", steps.len()) } else { String::new() };
    let how = format!(
        "accuracy and valid answers in points, paired, with the {} interval; +/−: examples fixed and broken; * better or \
         worse beyond chance{corrected}",
        level(steps.first().map(|step| step.accuracy.level))
    );
    text.push_str(&wrap(&how, " ", "   ", width));
    let others = steps.iter().filter_map(|step| Some((step, step.else_differs.as_ref()?)));
    for (step, what) in others {
        text.push_str(&wrap(&super::differ_too(&step.from, &step.to, what), " ", "   ", width));
    }
    for step in steps {
        let both = step.accuracy.n;
        let n = |id: &VariantId| {
            measurements.variants.iter().find(|row| row.variant.id == *id).map_or(0, |row| row.accuracy.n)
        };
        let (from, to) = (n(&step.from), n(&step.to));
        if both < from.max(to) {
            let note =
                format!("{} → {}: on the {both} examples that both answered ({from} and {to})", step.from, step.to);
            text.push_str(&wrap(&note, " ", "   ", width));
        }
    }
    if let Some(note) = lonely {
        text.push_str(&wrap(&note, " ", "   ", width));
    }
    Some(text)
}

/// Tuned variants of which it is not known what to compare them with.
fn without_base(measurements: &Measurements) -> Option<String> {
    let compared = |row: &&VariantMeasurements| {
        measurements.steps.iter().any(|step| step.to == row.variant.id && step.adds.contains(&Intervention::Tuning))
    };
    let answered = measurements.variants.iter().filter(|row| row.accuracy.n > 0);
    let lonely = answered.filter(|row| row.variant.tuned.is_some() && !compared(row));
    let names: Vec<&str> = lonely.map(|row| row.variant.id.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{}: tuning is compared with nothing: no variant of the base model was measured, or `tuned.base` does not \
             name it",
            names.join(", ")
        )
    })
}

fn row(step: &Step) -> Vec<String> {
    let mark = if step.verdict == PairedVerdict::NotEnoughEvidence { "" } else { "*" };
    let validity = step.validity.and_then(|change| change.point).map(|point| signed(point * 100.0, 1));
    let ttft = step.ttft_p50_ms.and_then(|change| change.point).map(|ms| format!("{} ms", signed(ms, 0)));
    let cost = step.usd_per_request.and_then(|change| change.point).map(|usd| match step.cost_ratio {
        Some(ratio) => format!("{}%", signed((ratio - 1.0) * 100.0, 0)),
        None => format_usd(usd),
    });
    let or_nothing = |cell: Option<String>| cell.unwrap_or_else(|| NOTHING.to_owned());
    vec![
        format!("{} → {}", step.from, step.to),
        step.step.clone(),
        format!("{}{mark}", points(&step.accuracy)),
        format!("{}/{}", step.fixed, step.broken),
        or_nothing(validity),
        or_nothing(ttft),
        or_nothing(cost),
    ]
}
