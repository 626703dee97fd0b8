//! How a run that may stop early stopped, below the scoreboard.

use super::level;
use crate::measure::Measurements;
use crate::measure::anytime::{Anytime, VariantAnytime};
use crate::measure::stopping::{GoalState, Stop, Target};
use crate::stats::TargetAnswer;
use crate::units::format_usd;

/// One note a variant, and what its intervals are, in full or in brief; none for a run of a fixed length.
pub(super) fn notes(measured: &Measurements, full: bool) -> Vec<String> {
    let Some(anytime) = &measured.anytime else { return Vec::new() };
    let mut notes: Vec<String> = anytime.variants.iter().map(|variant| variant_note(anytime, variant)).collect();
    notes.extend(total(anytime));
    notes.push(intervals(anytime, full));
    let fewest = anytime.variants.iter().map(|variant| variant.measured).min().unwrap_or(0);
    if anytime.variants.iter().any(|variant| variant.measured > fewest) {
        notes.push(format!(
            "two variants are compared on the examples that both have: {fewest} with the one that stopped first"
        ));
    }
    notes
}

/// What the intervals of such a run are.
fn intervals(anytime: &Anytime, full: bool) -> String {
    let level_of = level(Some(anytime.level));
    let mut text = format!(
        "intervals of accuracy, validity and their differences are confidence sequences at {level_of}: valid at any stop, \
         and about 1.8 times wider than those of a run of fixed length"
    );
    if full {
        text.push_str(&format!(
            "; the chance of a wrong answer is at most {} for each target of each variant (examples shuffled with seed \
             {}). Intervals of latency, cost and macro-F1 are those of a fixed length",
            level(Some(1.0 - anytime.level)),
            anytime.seed
        ));
    }
    text
}

fn variant_note(anytime: &Anytime, variant: &VariantAnytime) -> String {
    let (name, planned) = (&variant.variant, anytime.planned);
    let targets: Vec<String> = variant.targets.iter().map(goal).collect();
    let targets = if targets.is_empty() { "no target to decide".to_owned() } else { targets.join(", ") };
    let Some(at) = variant.stopped_at else {
        return format!("{name}: {} of {planned} examples, not stopped early: {targets}", variant.measured);
    };
    let why = match variant.stopped {
        Some(Stop::Futile) => " (the rest of the plan would not settle what is open)",
        _ => "",
    };
    let under_way = variant.measured.saturating_sub(at);
    let under_way = if under_way > 0 { format!(" (and {under_way} under way)") } else { String::new() };
    let saved = match variant.saved_requests {
        0 => String::new(),
        1 => "; saved 1 request".to_owned(),
        several => format!("; saved {several} requests"),
    };
    let usd = variant.saved_usd.map_or(String::new(), |usd| format!(" (about {})", format_usd(usd)));
    format!("{name}: stopped early after {at} of {planned} examples{under_way}: {targets}{why}{saved}{usd}")
}

fn goal(goal: &GoalState) -> String {
    let what = match goal.target {
        Target::Accuracy => format!("accuracy {}", percent(goal.value)),
        Target::SchemaValidity => format!("schema validity {}", percent(goal.value)),
        Target::TtftP95Ms => format!("p95 to the first token {} ms", goal.value),
    };
    match goal.answer {
        TargetAnswer::Met => format!("{what} met"),
        TargetAnswer::NotMet => format!("{what} missed"),
        TargetAnswer::NotEnoughEvidence => format!("{what} not settled"),
    }
}

/// A share without needless decimals.
fn percent(share: f64) -> String {
    format!("{}%", (share * 1e8).round() / 1e6)
}

/// What stopping saved in all, where more than one variant stopped.
fn total(anytime: &Anytime) -> Option<String> {
    let saving: Vec<&VariantAnytime> = anytime.variants.iter().filter(|variant| variant.saved_requests > 0).collect();
    let requests: u64 = saving.iter().map(|variant| variant.saved_requests).sum();
    let planned: u64 = anytime.variants.iter().map(|variant| variant.asked_requests).sum::<u64>() + requests;
    let usd: Option<f64> = saving.iter().map(|variant| variant.saved_usd).sum();
    let usd = usd.map_or(String::new(), |usd| format!(", about {}", format_usd(usd)));
    (saving.len() > 1).then(|| format!("stopping early saved {requests} of {planned} requests{usd}"))
}
