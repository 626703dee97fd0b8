//! The verdict for a terminal.

use super::{kebab, wrap};
use crate::decide::{TriggerState, Verdict};
use crate::suite::Range;
use crate::units::format_usd;

/// The verdict: headline, reasons, triggers, rungs, the next step.
pub fn verdict(verdict: &Verdict, width: usize) -> String {
    let mut text = opening(verdict, width);
    text.push_str(&triggers(verdict, width));
    text.push_str("\nRungs\n");
    for (rung, report) in &verdict.rungs {
        let status = kebab(&report.status).to_uppercase();
        text.push_str(&wrap(
            &report.explanation,
            &format!("  {:<16}{status:<10} ", kebab(rung)),
            &" ".repeat(29),
            width,
        ));
    }
    text.push_str(&ending(verdict, width));
    text
}

/// The verdict in a sentence, and why.
pub(super) fn opening(verdict: &Verdict, width: usize) -> String {
    let mut text = format!("VERDICT  {}  ({})\n", kebab(&verdict.kind), kebab(&verdict.rule));
    text.push_str(&wrap(&verdict.headline, "  ", "  ", width));
    if !verdict.reasons.is_empty() {
        text.push_str("\nWhy\n");
        for reason in &verdict.reasons {
            text.push_str(&wrap(reason, "  - ", "    ", width));
        }
    }
    text
}

/// The five triggers.
pub(super) fn triggers(verdict: &Verdict, width: usize) -> String {
    let mut text = String::from("\nTriggers\n");
    for (name, trigger) in NAMES.iter().zip(verdict.triggers.in_order()) {
        let state = kebab(&trigger.state).to_uppercase();
        let state = if trigger.state == TriggerState::Na { "no target".to_owned() } else { state };
        text.push_str(&wrap(&trigger.explanation, &format!("  {name:<16}{state:<10} "), &" ".repeat(29), width));
    }
    text
}

/// The next step, and what would change the verdict.
pub(super) fn ending(verdict: &Verdict, width: usize) -> String {
    let mut text = String::new();
    if let Some(step) = &verdict.next_step {
        let usual = step.usual_cost_usd.map(|usd| format!("usually {}", range(usd)));
        let labelling = step.labelling_usd.filter(|usd| usd.high > 0.0);
        let labelling = match (step.rung.is_some_and(|rung| rung.trains()), labelling) {
            (_, Some(usd)) => Some(format!("labelling {} beside it, as stated", range(usd))),
            (true, None) => Some("labelling not included".to_owned()),
            (false, None) => None,
        };
        let cost: Vec<String> = usual.into_iter().chain(labelling).collect();
        let cost = if cost.is_empty() { String::new() } else { format!(" ({})", cost.join("; ")) };
        text.push_str("\nNext step\n");
        text.push_str(&wrap(&format!("{}{cost}", step.what), "  ", "  ", width));
    }
    if !verdict.flips_if.is_empty() {
        text.push_str("\nWhat would change this\n");
        for flip in &verdict.flips_if {
            text.push_str(&wrap(flip, "  - ", "    ", width));
        }
    }
    text
}

fn range(usd: Range) -> String {
    if usd.low == usd.high {
        format_usd(usd.low)
    } else {
        format!("{} to {}", format_usd(usd.low), format_usd(usd.high))
    }
}

/// The triggers' names, T1 to T5.
pub(in crate::report) const NAMES: [&str; 5] =
    ["schema validity", "quality ceiling", "first token", "monthly cost", "self-hosting"];
