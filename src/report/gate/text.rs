//! A gate for a terminal.

use super::{GateReport, words};
use crate::gate::verdict::{Finding, GateAnswer, VariantVerdict};
use crate::report::look::{Look, Tone};
use crate::report::table::Table;
use crate::report::terminal::{table_or_list, wrap};
use crate::text::one_line;

/// Characters of a name or a note.
const LONGEST: usize = 1000;

/// The whole report.
pub fn render(report: &GateReport, look: Look) -> String {
    let heading = format!(
        "{} · run {} against the baseline {} (run {}{})",
        report.suite,
        report.run,
        report.baseline.file,
        report.baseline.run,
        days(report)
    );
    let answer = words::answer(report.answer).to_uppercase();
    let mut text = wrap(&one_line(&heading, LONGEST), "", "  ", look.width);
    text.push_str(&format!("\n{}\n", look.paint(tone(report.answer), &answer)));
    for verdict in &report.variants {
        text.push_str(&variant(verdict, look));
    }
    if !report.notes.is_empty() {
        text.push('\n');
    }
    for note in &report.notes {
        text.push_str(&wrap(&one_line(note, LONGEST), " ", "   ", look.width));
    }
    text
}

/// The days of the baseline's answers.
pub(super) fn days(report: &GateReport) -> String {
    match &report.baseline.days {
        [Some(first), Some(last)] if first != last => format!(", {first} to {last}"),
        [Some(first), _] => format!(", {first}"),
        _ => String::new(),
    }
}

fn tone(answer: GateAnswer) -> Tone {
    match answer {
        GateAnswer::Held => Tone::Good,
        GateAnswer::NotEnoughEvidence => Tone::Unsure,
        GateAnswer::Regressed | GateAnswer::CouldNotRun => Tone::Bad,
    }
}

fn variant(verdict: &VariantVerdict, look: Look) -> String {
    let heading = format!(
        "{}: {} · {}",
        one_line(&verdict.variant, 120),
        words::answer(verdict.answer),
        words::common(&verdict.common)
    );
    let level = verdict.findings.first().map_or(0.9, |finding| finding.level);
    let header: Vec<std::borrow::Cow<'static, str>> = vec![
        "metric".into(),
        "baseline".into(),
        "now".into(),
        format!("change [{:.0}%]", 100.0 * level).into(),
        "margin".into(),
        "p (Holm)".into(),
        "n".into(),
        "answer".into(),
    ];
    let rows = verdict.findings.iter().filter(|finding| finding.n > 0 || finding.margin.is_some()).map(row).collect();
    let mut text = format!("\n{}", wrap(&one_line(&heading, LONGEST), "", "  ", look.width));
    text.push_str(&table_or_list(Table { header, rows }, look.width));
    for line in words::sentences(verdict) {
        text.push_str(&wrap(&one_line(&line, LONGEST), " ", "   ", look.width));
    }
    text
}

fn row(finding: &Finding) -> Vec<String> {
    vec![
        words::name(finding.metric).to_owned(),
        words::value(finding.metric, finding.before),
        words::value(finding.metric, finding.after),
        words::change(finding),
        words::margin(finding),
        words::p(finding.p_adjusted),
        finding.n.to_string(),
        words::of_finding(finding).to_owned(),
    ]
}
