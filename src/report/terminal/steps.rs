//! What each intervention changed, for a terminal.

use super::{NOTHING, points, table_or_list, wrap};
use crate::measure::Measurements;
use crate::measure::steps::Step;
use crate::report::table::Table;
use crate::stats::paired::PairedVerdict;
use crate::units::format_usd;

/// The section; `None` where no variant has a reference.
pub(super) fn section(measurements: &Measurements, width: usize) -> Option<String> {
    let steps = &measurements.steps;
    if steps.is_empty() {
        return None;
    }
    let table = Table {
        header: vec!["from → to", "step", "accuracy", "+/−", "valid", "TTFT p50", "$/request"],
        rows: steps.iter().map(row).collect(),
    };
    let mut text = "What each intervention changed\n".to_owned();
    text.push_str(&table_or_list(table, width));
    text.push('\n');
    let corrected =
        if steps.len() > 1 { format!(", corrected for {} steps (Holm)", steps.len()) } else { String::new() };
    let how = format!(
        "accuracy and valid answers in points, paired, with the 95% interval; +/−: examples fixed and broken; * sure{corrected}"
    );
    text.push_str(&wrap(&how, " ", "   ", width));
    let others = steps.iter().filter_map(|step| Some((step, step.else_differs.as_ref()?)));
    for (step, what) in others {
        text.push_str(&wrap(&format!("{} → {}: they differ in {what} too", step.from, step.to), " ", "   ", width));
    }
    Some(text)
}

fn row(step: &Step) -> Vec<String> {
    let mark = if step.verdict == PairedVerdict::NotEnoughEvidence { "" } else { "*" };
    let validity = step.validity.and_then(|change| change.point).map(|point| format!("{:+.1}", point * 100.0));
    let ttft = step.ttft_p50_ms.and_then(|change| change.point).map(|ms| format!("{ms:+.0} ms"));
    let cost = step.usd_per_request.and_then(|change| change.point).map(|usd| match step.cost_ratio {
        Some(ratio) => format!("{:+.0}%", (ratio - 1.0) * 100.0),
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
