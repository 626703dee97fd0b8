//! A gate as JUnit XML, in the part of the format that GitHub's, GitLab's and Jenkins' readers share:
//! one case a metric, `failure`, `error` and `skipped` with a message.

use std::fmt::Write as _;

use super::{GateReport, Inconclusive, words};
use crate::gate::verdict::{Finding, GateAnswer, VariantVerdict};
use crate::text::one_line;

/// Characters of a name or a message.
const LONGEST: usize = 1000;

/// The document.
pub fn render(report: &GateReport) -> String {
    let mut cases = String::new();
    let mut counts = Counts::default();
    for verdict in &report.variants {
        for finding in &verdict.findings {
            cases.push_str(&case(report, verdict, finding, &mut counts));
        }
    }
    let suite = quoted(&format!("ceiling gate {}", report.suite));
    let Counts { tests, failures, errors, skipped } = counts;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"ceiling gate\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">\n  \
         <testsuite name=\"{suite}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
         skipped=\"{skipped}\">\n{cases}  </testsuite>\n</testsuites>\n"
    )
}

#[derive(Default)]
struct Counts {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
}

fn case(report: &GateReport, verdict: &VariantVerdict, finding: &Finding, counts: &mut Counts) -> String {
    counts.tests += 1;
    let class = quoted(&format!("{}.{}", report.suite, verdict.variant));
    let file = quoted(&report.file);
    let mut text =
        format!("    <testcase classname=\"{class}\" name=\"{}\" file=\"{file}\" time=\"0\"", finding.metric.as_str());
    let why = words::why(finding);
    let missing = words::missing(verdict);
    let (element, message) = match finding.answer {
        _ if verdict.answer == GateAnswer::CouldNotRun && finding.margin.is_some() => {
            counts.errors += 1;
            let unconfirmed = verdict.confirmation.as_ref().and_then(|found| found.why.clone());
            ("error", Some(missing.or(unconfirmed).unwrap_or_else(|| "the run could not finish".to_owned())))
        }
        Some(GateAnswer::Regressed) => {
            counts.failures += 1;
            let confirmation = words::confirmation(verdict).map_or(String::new(), |said| format!("; {said}"));
            ("failure", why.map(|why| why + &confirmation))
        }
        Some(GateAnswer::NotEnoughEvidence) if report.inconclusive == Inconclusive::Fail => {
            counts.failures += 1;
            ("failure", why.map(|why| format!("not enough evidence: {why}")))
        }
        Some(GateAnswer::NotEnoughEvidence) => {
            counts.skipped += 1;
            ("skipped", why.map(|why| format!("not enough evidence: {why}")))
        }
        None => {
            counts.skipped += 1;
            ("skipped", why)
        }
        Some(GateAnswer::Held | GateAnswer::CouldNotRun) => {
            text.push_str("/>\n");
            return text;
        }
    };
    let message = quoted(&message.unwrap_or_else(|| words::of_finding(finding).to_owned()));
    let kind = finding.answer.map_or("not-gated", |answer| match answer {
        GateAnswer::Regressed => "regressed",
        GateAnswer::NotEnoughEvidence => "not-enough-evidence",
        GateAnswer::Held | GateAnswer::CouldNotRun => "could-not-run",
    });
    let kind = if element == "skipped" { String::new() } else { format!(" type=\"{kind}\"") };
    let _ = write!(text, ">\n      <{element}{kind} message=\"{message}\">{message}</{element}>\n    </testcase>\n");
    text
}

/// Text in an attribute: escaped, on one line, and without what XML 1.0 cannot hold.
fn quoted(text: &str) -> String {
    let allowed = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    let mut safe = String::new();
    for character in one_line(text, LONGEST).chars().filter(allowed) {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            other => safe.push(other),
        }
    }
    safe
}
