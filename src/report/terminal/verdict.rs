//! The verdict for a terminal.

use super::{hung, kebab, wrap};
use crate::decide::{TriggerState, Verdict};
use crate::report::brief::TRIGGERS;
use crate::report::look::{Look, Tone};
use crate::suite::Range;
use crate::units::format_usd;

/// The verdict in a sentence.
pub(super) fn headline(verdict: &Verdict, look: Look) -> String {
    let kind = kebab(&verdict.kind);
    let rule = format!("({})", kebab(&verdict.rule));
    let lines = hung([kind.as_str(), &rule], "  ", "VERDICT  ", "  ", look.width);
    let mut text = look.paint_first(Tone::Strong, &kind, lines);
    text.push_str(&wrap(&verdict.headline, "  ", "  ", look.width));
    text
}

/// What the verdict rests on: reasons, triggers, rungs, what would change it.
pub(super) fn grounds(verdict: &Verdict, look: Look) -> String {
    let mut text = why(verdict, look);
    text.push_str(&triggers(verdict, look));
    text.push_str("\nRungs\n");
    for (rung, report) in &verdict.rungs {
        let status = kebab(&report.status).to_uppercase();
        text.push_str(&entry(&kebab(rung), &status, report.status.into(), &report.explanation, look));
    }
    text.push_str(&what_would_change(verdict, look));
    text
}

/// The reasons.
pub(super) fn why(verdict: &Verdict, look: Look) -> String {
    list("\nWhy\n", &verdict.reasons, look)
}

fn list(heading: &str, entries: &[String], look: Look) -> String {
    if entries.is_empty() {
        return String::new();
    }
    entries.iter().fold(heading.to_owned(), |text, entry| text + &wrap(entry, "  - ", "    ", look.width))
}

/// A name, its state and why; below each other where the terminal is narrow.
fn entry(name: &str, state: &str, tone: Tone, why: &str, look: Look) -> String {
    let lines = if look.width < NARROW {
        format!("  {name}: {state}\n{}", wrap(why, "    ", "    ", look.width))
    } else {
        wrap(why, &format!("  {name:<16}{state:<10} "), &" ".repeat(29), look.width)
    };
    look.paint_first(tone, state, lines)
}

/// Below so many columns a column of names leaves too little for words.
const NARROW: usize = 70;

/// The five triggers.
pub(super) fn triggers(verdict: &Verdict, look: Look) -> String {
    let mut text = String::from("\nTriggers\n");
    for (name, trigger) in TRIGGERS.iter().zip(verdict.triggers.in_order()) {
        let state = kebab(&trigger.state).to_uppercase();
        let state = if trigger.state == TriggerState::Na { "no target".to_owned() } else { state };
        text.push_str(&entry(name, &state, trigger.state.into(), &trigger.explanation, look));
    }
    text
}

/// The next step with what it usually costs.
pub(super) fn next_step(verdict: &Verdict, look: Look) -> String {
    let Some(step) = &verdict.next_step else { return String::new() };
    // What costs nothing but work needs no figure.
    let usual = step.usual_cost_usd.filter(|usd| usd.high > 0.0).map(|usd| format!("usually {}", range(usd)));
    let labelling = step.labelling_usd.filter(|usd| usd.high > 0.0);
    let labelling = match (step.rung.is_some_and(|rung| rung.trains()), labelling) {
        (_, Some(usd)) => Some(format!("labelling {} beside it, as stated", range(usd))),
        (true, None) => Some("labelling not included".to_owned()),
        (false, None) => None,
    };
    let cost: Vec<String> = usual.into_iter().chain(labelling).collect();
    let cost = if cost.is_empty() { String::new() } else { format!(" ({})", cost.join("; ")) };
    format!("\nNext step\n{}", wrap(&format!("{}{cost}", step.what), "  ", "  ", look.width))
}

/// What would change the verdict.
pub(super) fn what_would_change(verdict: &Verdict, look: Look) -> String {
    list("\nWhat would change this\n", &verdict.flips_if, look)
}

fn range(usd: Range) -> String {
    if usd.low == usd.high {
        format_usd(usd.low)
    } else {
        format!("{} to {}", format_usd(usd.low), format_usd(usd.high))
    }
}
