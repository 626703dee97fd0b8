//! The words that all forms of a gate's report have alike.

use crate::gate::common::{Common, Differing};
use crate::gate::metric::GateMetric;
use crate::gate::verdict::{Finding, GateAnswer, Seen, VariantVerdict};
use crate::report::figure::{Form, share, signed};
use crate::units::group_thousands;

/// Ids that a sentence names.
const MOST_IDS: usize = 3;

/// An answer in words.
pub fn answer(answer: GateAnswer) -> &'static str {
    match answer {
        GateAnswer::Held => "held",
        GateAnswer::NotEnoughEvidence => "not enough evidence",
        GateAnswer::Regressed => "regressed",
        GateAnswer::CouldNotRun => "could not run",
    }
}

/// The answer of a metric, or that it is only shown.
pub fn of_finding(finding: &Finding) -> &'static str {
    finding.answer.map_or("not gated", answer)
}

/// A figure of a metric.
pub fn value(metric: GateMetric, number: Option<f64>) -> String {
    let form = match metric {
        GateMetric::Accuracy | GateMetric::Validity => Form::Percent,
        GateMetric::Cost => Form::Usd,
        GateMetric::Latency => Form::Milliseconds,
    };
    number.map_or_else(|| "–".to_owned(), |number| form.value(number))
}

/// What the figure of a metric is.
pub fn name(metric: GateMetric) -> &'static str {
    match metric {
        GateMetric::Accuracy => "accuracy",
        GateMetric::Validity => "validity",
        GateMetric::Cost => "cost a request",
        GateMetric::Latency => "first token p95",
    }
}

/// A change or an end of its interval, without its unit.
fn bare(metric: GateMetric, number: Option<f64>, unbounded: &str) -> String {
    match (metric, number) {
        (_, None) => unbounded.to_owned(),
        (GateMetric::Latency, Some(ms)) => signed(ms, 0),
        (_, Some(share)) => signed(100.0 * share, 1),
    }
}

fn unit(metric: GateMetric) -> &'static str {
    match metric {
        GateMetric::Accuracy | GateMetric::Validity => " points",
        GateMetric::Cost => "%",
        GateMetric::Latency => " ms",
    }
}

/// `-2.0 points [-4.1 to +0.2]`.
pub fn change(finding: &Finding) -> String {
    if finding.n == 0 {
        return "–".to_owned();
    }
    let metric = finding.metric;
    let ends = format!("[{} to {}]", bare(metric, finding.low, "−∞"), bare(metric, finding.high, "∞"));
    match finding.change {
        Some(change) => format!("{}{} {ends}", bare(metric, Some(change), ""), unit(metric)),
        None => ends,
    }
}

/// The margin as it was set.
pub fn margin(finding: &Finding) -> String {
    let Some(margin) = finding.margin else { return "–".to_owned() };
    match finding.metric {
        GateMetric::Accuracy | GateMetric::Validity => Form::Points.exact(margin),
        GateMetric::Cost => Form::Percent.exact(margin),
        GateMetric::Latency => format!("{} ms", (margin * 1e3).round() / 1e3),
    }
}

/// A p-value.
pub fn p(p: Option<f64>) -> String {
    match p {
        None => "–".to_owned(),
        Some(p) if p < 0.0001 => "< 0.0001".to_owned(),
        Some(p) => format!("{p:.4}"),
    }
}

fn count(number: u64) -> String {
    group_thousands(i128::from(number))
}

/// `280 examples in common; 2 added, 1 removed, 3 changed since the baseline are compared with nothing`.
pub fn common(common: &Common) -> String {
    let kind = |differing: &Differing, what: &str| {
        if differing.count == 0 {
            return None;
        }
        let named = differing.ids.iter().take(MOST_IDS).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if differing.count > MOST_IDS as u64 { ", …" } else { "" };
        Some(format!("{} {what} ({named}{more})", count(differing.count)))
    };
    let kinds = [kind(&common.added, "added"), kind(&common.removed, "removed"), kind(&common.changed, "changed")];
    let kinds: Vec<String> = kinds.into_iter().flatten().collect();
    let text = format!("{} examples in common", count(common.examples));
    if kinds.is_empty() {
        return text;
    }
    format!("{text}; {} since the baseline: compared with nothing", kinds.join(", "))
}

/// Why an answer is what it is, in a sentence; for a metric that is not gated, why it is not.
pub fn why(finding: &Finding) -> Option<String> {
    let name = name(finding.metric);
    let worse = format!("{name} is worse on {} examples and better on {}", count(finding.worse), count(finding.better));
    match finding.answer {
        None => Some(format!("{name} is not gated: {}", finding.note.clone().unwrap_or_else(|| no_margin(finding)))),
        Some(GateAnswer::NotEnoughEvidence) => Some(match (&finding.note, finding.n_to_settle) {
            (Some(note), _) => format!("{name} has no answer: {note}"),
            (None, Some(n)) => format!(
                "{name} needs about {} examples (there are {}), or more repeats, to be settled if it stays as it looks",
                count(n),
                count(finding.n)
            ),
            (None, None) => format!(
                "{name}: no number of examples is foreseen to show that it held: as it looks it is worse by the margin or more"
            ),
        }),
        Some(GateAnswer::Regressed) => {
            Some(format!("{worse}: {}, p {} (margin {})", change(finding), p(finding.p_adjusted), margin(finding)))
        }
        Some(GateAnswer::Held) if finding.within_tolerance => {
            Some(format!("{name} is detectably worse, but within the margin"))
        }
        Some(GateAnswer::Held | GateAnswer::CouldNotRun) => None,
    }
}

/// What is said of a regression's confirmation.
pub fn confirmation(verdict: &VariantVerdict) -> Option<String> {
    let found = verdict.confirmation.as_ref()?;
    let why = found.why.as_deref().unwrap_or_default();
    Some(match found.state {
        Seen::Confirmed => "confirmed: both sides were asked afresh, and it showed again".to_owned(),
        Seen::NotConfirmed if found.drifted.is_empty() => {
            "not confirmed: both sides were asked afresh, and it did not show again".to_owned()
        }
        Seen::NotConfirmed => {
            "not confirmed: both sides were asked afresh, and the system of then does worse itself than its baseline \
             says; if that is to be accepted, freeze a new baseline"
                .to_owned()
        }
        Seen::Impossible => format!("UNCONFIRMED: {why}"),
    })
}

/// Calls that are missing, where there are any.
pub fn missing(verdict: &VariantVerdict) -> Option<String> {
    let side = |calls: crate::gate::verdict::SideCalls, what: &str| {
        let rate = calls.missing as f64 / calls.calls.max(1) as f64;
        (calls.missing > 0).then(|| {
            let too_many = if calls.lacks_too_many() { ", more than 1%: nothing can be said" } else { "" };
            format!(
                "{} of {} calls {what} are missing ({}{too_many})",
                count(calls.missing),
                count(calls.calls),
                share(rate, 1)
            )
        })
    };
    let sides: Vec<String> =
        [side(verdict.before, "of the baseline"), side(verdict.after, "of now")].into_iter().flatten().collect();
    (!sides.is_empty()).then(|| sides.join("; "))
}

/// Everything that is said of a variant, line by line.
pub fn sentences(verdict: &VariantVerdict) -> Vec<String> {
    let mut lines: Vec<String> = missing(verdict).into_iter().collect();
    let is_stated = |finding: &&Finding| finding.answer.is_some() || finding.note.is_some();
    lines.extend(verdict.findings.iter().filter(is_stated).filter_map(why));
    lines.extend(confirmation(verdict));
    let unstated = verdict.findings.iter().filter(|finding| !is_stated(finding));
    let keys: Vec<String> = unstated.map(|finding| format!("`{}`", finding.metric.key())).collect();
    if !keys.is_empty() {
        lines.push(format!("not gated, since the suite states none of these under [gate]: {}", keys.join(", ")));
    }
    lines
}

fn no_margin(finding: &Finding) -> String {
    format!("the suite states no `{}` under [gate]", finding.metric.key())
}
