//! Workflow commands of GitHub Actions, at the suite file's line
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use super::{GateReport, Inconclusive, words};
use crate::gate::verdict::GateAnswer;
use crate::text::one_line;

/// Characters of a message.
const LONGEST: usize = 1000;

/// One line a variant that did not hold; none where all did.
pub fn render(report: &GateReport) -> String {
    let lines = report.lines.iter().copied().chain(std::iter::repeat(1));
    let commands = report.variants.iter().zip(lines).filter_map(|(verdict, line)| {
        let command = match (verdict.answer, report.inconclusive) {
            (GateAnswer::Held, _) | (GateAnswer::NotEnoughEvidence, Inconclusive::Pass) => return None,
            (GateAnswer::NotEnoughEvidence, Inconclusive::Warn) => "warning",
            _ => "error",
        };
        let title = format!("ceiling gate: {} {}", verdict.variant, words::answer(verdict.answer));
        let said = words::sentences(verdict).join("; ");
        let said = if said.is_empty() { words::answer(verdict.answer).to_owned() } else { said };
        Some(format!(
            "::{command} file={},line={line},title={}::{}\n",
            property(&report.file),
            property(&title),
            data(&said)
        ))
    });
    commands.collect()
}

fn data(text: &str) -> String {
    one_line(text, LONGEST).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
