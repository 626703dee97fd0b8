//! A gate as Markdown, for a job's summary or a comment; whatever a suite holds stays text.

use super::{GateReport, text, words};
use crate::gate::verdict::{Finding, GateAnswer, VariantVerdict};
use crate::report::markdown::escape::{escaped, sentence, slug};

/// Characters of a name.
const LONGEST_NAME: usize = 80;

/// Characters of a sentence.
const LONGEST_SENTENCE: usize = 700;

/// Variants that are shown whole; a comment holds no more.
const MOST_VARIANTS: usize = 30;

/// The whole report.
pub fn render(report: &GateReport) -> String {
    let slug = slug(&report.suite);
    let mut page = format!("<!-- ceiling-gate:{slug} -->\n");
    let name = |text: &str| escaped(text, LONGEST_NAME);
    page.push_str(&format!(
        "### {} {}: {}\n\n",
        mark(report.answer),
        name(&report.suite),
        words::answer(report.answer)
    ));
    let against = format!(
        "Run `{}` against the baseline `{}` (run `{}`{}).",
        report.run,
        report.baseline.file,
        report.baseline.run,
        text::days(report)
    );
    page.push_str(&format!("{}\n\n", sentence(&against, LONGEST_SENTENCE)));
    for verdict in report.variants.iter().take(MOST_VARIANTS) {
        page.push_str(&variant(verdict));
    }
    let more = report.variants.len().saturating_sub(MOST_VARIANTS);
    if more > 0 {
        page.push_str(&format!("{more} more variants are left out: `ceiling gate --json` has all.\n\n"));
    }
    for note in &report.notes {
        page.push_str(&format!("- {}\n", sentence(note, LONGEST_SENTENCE)));
    }
    page
}

fn mark(answer: GateAnswer) -> &'static str {
    match answer {
        GateAnswer::Held => "✅",
        GateAnswer::NotEnoughEvidence => "❔",
        GateAnswer::Regressed => "❌",
        GateAnswer::CouldNotRun => "⚠️",
    }
}

fn variant(verdict: &VariantVerdict) -> String {
    let level = verdict.findings.first().map_or(0.9, |finding| finding.level);
    let mut text = format!(
        "**{}**: {}\n\n| metric | baseline | now | change [{:.0}%] | margin | p (Holm) | n | answer |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
        escaped(&verdict.variant, LONGEST_NAME),
        sentence(&words::common(&verdict.common), LONGEST_SENTENCE),
        100.0 * level
    );
    for finding in verdict.findings.iter().filter(|finding| finding.n > 0 || finding.margin.is_some()) {
        text.push_str(&row(finding));
    }
    text.push('\n');
    for line in words::sentences(verdict) {
        text.push_str(&format!("- {}\n", sentence(&line, LONGEST_SENTENCE)));
    }
    text.push('\n');
    text
}

fn row(finding: &Finding) -> String {
    let cell = |text: String| text.replace('[', "\\[").replace(']', "\\]").replace('<', "&lt;");
    let cells = [
        words::name(finding.metric).to_owned(),
        words::value(finding.metric, finding.before),
        words::value(finding.metric, finding.after),
        cell(words::change(finding)),
        words::margin(finding),
        cell(words::p(finding.p_adjusted)),
        finding.n.to_string(),
        format!("**{}**", words::of_finding(finding)),
    ];
    format!("| {} |\n", cells.join(" | "))
}
