//! The folded part, and a page that stays below a comment's limit: what does not fit is cut, and said to be.

use super::{LONGEST_SENTENCE, figure, kebab, name, sentence, table};
use crate::decide::{TriggerState, Verdict};
use crate::measure::VariantMeasurements;
use crate::measure::steps::Step;
use crate::report::Report;
use crate::report::brief::TRIGGERS;
use crate::report::figure::{Figure, Form, signed};
use crate::stats::paired::PairedVerdict;

/// Violations that are shown of a variant.
const MOST_VIOLATIONS: usize = 3;

/// Characters of a violation.
const LONGEST_VIOLATION: usize = 200;

/// Bytes that end a page or a section whatever was cut.
const RESERVE: usize = 400;

/// A text of bounded size.
pub(super) struct Page {
    text: String,
    most: usize,
    /// What was cut, by section.
    cut: Vec<&'static str>,
}

impl Page {
    pub(super) fn new(most: usize) -> Self {
        Self { text: String::new(), most, cut: Vec::new() }
    }

    /// What always stands there.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// A folded section: its first lines, `fixed` of them, stand before any that may be cut.
    fn section(&mut self, summary: &'static str, lines: &[String], fixed: usize) {
        if lines.len() <= fixed {
            return;
        }
        let open = format!("<details><summary>{summary}</summary>\n\n");
        let mut room = self.most.saturating_sub(self.text.len() + open.len() + RESERVE);
        let fits = |line: &&String| {
            let is_room = line.len() <= room;
            room = room.saturating_sub(line.len());
            is_room
        };
        let kept: Vec<&String> = lines.iter().take_while(fits).collect();
        if kept.len() < lines.len() {
            self.cut.push(summary);
        }
        if kept.len() <= fixed {
            return;
        }
        let left = lines.len() - kept.len();
        let left = if left > 0 { format!("\n{left} more lines are cut.\n") } else { String::new() };
        self.text.push_str(&open);
        self.text.extend(kept.into_iter().map(String::as_str));
        self.text.push_str(&left);
        self.text.push_str("\n</details>\n");
    }

    pub(super) fn finish(mut self) -> String {
        if !self.cut.is_empty() {
            let cut = self.cut.join(", ");
            self.text.push_str(&format!("\nCut to fit a comment: {cut}. `ceiling report` has all.\n"));
        }
        self.text
    }
}

/// Every section.
pub(super) fn all(page: &mut Page, report: &Report) {
    let verdict = &report.verdict;
    page.section("Why", &list(&verdict.reasons), 0);
    page.section("Triggers", &triggers(verdict), 2);
    page.section("Steps that were tried", &rungs(verdict), 2);
    page.section("What would change this", &list(&verdict.flips_if), 0);
    page.section("What each intervention changed", &interventions(&report.measurements.steps), 2);
    page.section("First violations of the schema", &violations(&report.measurements.variants), 0);
}

fn list(sentences: &[String]) -> Vec<String> {
    sentences.iter().map(|one| format!("- {}\n", sentence(one, LONGEST_SENTENCE))).collect()
}

fn triggers(verdict: &Verdict) -> Vec<String> {
    let rows = TRIGGERS.iter().zip(verdict.triggers.in_order()).map(|(name, trigger)| {
        let state = if trigger.state == TriggerState::Na { "no target".to_owned() } else { kebab(&trigger.state) };
        vec![(*name).to_owned(), state, sentence(&trigger.explanation, LONGEST_SENTENCE)]
    });
    table(&["trigger", "state", "why"], &[], rows)
}

fn rungs(verdict: &Verdict) -> Vec<String> {
    let rows = verdict.rungs.iter().map(|(rung, report)| {
        vec![kebab(rung), kebab(&report.status), sentence(&report.explanation, LONGEST_SENTENCE)]
    });
    table(&["step", "state", "why"], &[], rows)
}

fn interventions(steps: &[Step]) -> Vec<String> {
    let row = |step: &Step| {
        let sure = if step.verdict == PairedVerdict::NotEnoughEvidence { "" } else { " \\*" };
        let accuracy = figure(&Figure::estimate(&step.accuracy, Form::Points, ""));
        let valid = step.validity.and_then(|valid| valid.point).map(|point| signed(point * 100.0, 1));
        vec![
            format!("{} → {}", name(step.from.as_str()), name(step.to.as_str())),
            name(&step.step),
            format!("{accuracy}{sure}"),
            format!("{}/{}", step.fixed, step.broken),
            valid.unwrap_or_else(|| "–".to_owned()),
        ]
    };
    let header = ["from → to", "step", "accuracy (\\* beyond chance)", "fixed/broken", "valid, points"];
    table(&header, &[2, 3, 4], steps.iter().map(row))
}

fn violations(variants: &[VariantMeasurements]) -> Vec<String> {
    let of_variant = |measured: &VariantMeasurements| {
        let id = name(measured.variant.id.as_str());
        let most = measured.violations.iter().take(MOST_VIOLATIONS);
        let one = |(violation, count): &(String, u64)| {
            format!("- {id}: {} ({count})\n", super::escaped(violation, LONGEST_VIOLATION))
        };
        most.map(one).collect::<Vec<_>>()
    };
    variants.iter().flat_map(of_variant).collect()
}
