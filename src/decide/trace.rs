//! Where each figure of a verdict comes from: the method, what went into it, and what came out.
//!
//! A derivation names a method of the calculator (METHODS.md 14) and its whole input, so that anybody
//! can compute it again with `ceiling calc METHOD`. What it `used` is what the verdict read.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::evidence::{Evidence, Metric};
use super::ladder::{LadderState, Rung};
use super::pair::Pair;
use super::subject::{Counts, Rates};
use super::{Findings, Rule, VerdictKind, prose};
use crate::stats::POWER;
use crate::stats::cluster::all_singletons;
use crate::stats::{Interval, Method};

mod money;
mod quality;

/// One figure and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Derivation {
    /// The part of the verdict: `t1` to `t5`, `label-ceiling`, `rung-NAME`, `break-even`, `paired`, `ladder`.
    pub about: String,
    /// The figure, in words.
    pub what: String,
    /// The method of `ceiling calc`; null where the formula says it all.
    pub method: Option<&'static str>,
    /// What went in.
    pub input: Map<String, Value>,
    /// What the verdict read of what came out, by the method's names.
    pub used: Map<String, Value>,
    /// How it is judged, with its numbers.
    pub judged: String,
}

impl Derivation {
    fn new(about: impl Into<String>, what: impl Into<String>, method: &'static str, input: Value, used: Value) -> Self {
        Self {
            about: about.into(),
            what: what.into(),
            method: Some(method),
            input: object(input),
            used: object(used),
            judged: String::new(),
        }
    }

    fn judged(self, judged: impl Into<String>) -> Self {
        Self { judged: judged.into(), ..self }
    }

    /// A formula without a method of its own.
    fn formula(about: impl Into<String>, what: impl Into<String>, judged: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            what: what.into(),
            method: None,
            input: Map::new(),
            used: Map::new(),
            judged: judged.into(),
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Every derivation of a verdict, in the order in which the ladder reads the figures.
pub(super) fn all(findings: &Findings<'_>, kind: VerdictKind, rule: Rule) -> Vec<Derivation> {
    if findings.unusable.is_some() {
        return ladder(findings, kind, rule);
    }
    [
        quality::validity(findings),
        quality::ceiling(findings),
        quality::labels(findings),
        quality::latency(findings),
        money::cost(findings),
        quality::rungs(findings),
        money::headroom(findings),
        money::break_even(findings),
        quality::rival(findings),
        ladder(findings, kind, rule),
    ]
    .concat()
}

/// The bounds of a rate, each end one-sided at `alpha`, and what they rest on.
fn rate(evidence: &Evidence<'_>, about: &str, place: usize, metric: Metric, alpha: f64) -> Vec<Derivation> {
    let bounds = evidence.bounds(place, metric, alpha);
    let what = format!("{} of {}", noun(metric), evidence.name(place));
    let ends = |interval: Interval| json!({"lo": interval.low, "hi": interval.high});
    let one_sided = |x: f64, n: f64| {
        let what = format!("one-sided bounds of {what}");
        let input = json!({"x": x, "n": n, "alpha": alpha});
        Derivation::new(about, what, "clopper_pearson_one_sided", input, ends(bounds.interval))
    };
    if evidence.setting.anytime.is_some() {
        return vec![sequence(about, &what, bounds.interval, alpha)];
    }
    match evidence.rates(place, metric) {
        Rates::Unknown => Vec::new(),
        Rates::Counts(Counts { right, n, n_eff, .. }) if n > 0 => vec![one_sided(right / n as f64 * n_eff, n_eff)],
        Rates::Counts(_) => Vec::new(),
        Rates::ByExample(_) => {
            let (scores, clusters) = evidence.sample(place, metric);
            let calls = evidence.calls(place, scores.len());
            let binary = scores.iter().all(|&score| score == 0.0 || score == 1.0);
            if binary && calls <= scores.len() as u64 && all_singletons(&clusters) {
                return vec![one_sided(scores.iter().sum(), scores.len() as f64)];
            }
            let (Some(mean), Some(n_eff)) = (bounds.known.mean, bounds.known.n_eff) else { return Vec::new() };
            let input = json!({"score": scores, "cluster": clusters, "calls": calls, "alpha": alpha});
            let used = json!({"mean": mean, "se": bounds.known.se, "n_eff": n_eff});
            let effective = format!("effective number of examples behind {what}");
            vec![Derivation::new(about, effective, "clustered_accuracy", input, used), one_sided(mean * n_eff, n_eff)]
        }
    }
}

/// A bound that holds wherever the run stopped. `ceiling calc` has the sequences at one look.
fn sequence(about: &str, what: &str, interval: Interval, alpha: f64) -> Derivation {
    let judged = format!(
        "confidence sequence at error rate {} (METHODS 11), the best of all looks in the shuffled order: {} to {}",
        prose::number(alpha, 6),
        prose::number(interval.low, 8),
        prose::number(interval.high, 8)
    );
    Derivation::formula(about, what, judged)
}

fn noun(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy => "the accuracy",
        Metric::Validity => "the share of schema-valid answers",
    }
}

/// The interval of a difference at `alpha`.
fn pair(about: &str, what: &str, pair: &Pair, alpha: f64) -> Derivation {
    let known = &pair.difference;
    let used = json!({"lo": known.interval.low, "hi": known.interval.high});
    if let Some((values, clusters)) = pair.examples() {
        if known.method == Method::Tango {
            let input =
                json!({"wins": known.wins.round(), "losses": known.losses.round(), "n": known.n, "alpha": alpha});
            return Derivation::new(about, what, "tango_ci", input, used);
        }
        let input = json!({"d": values, "cluster": clusters, "calls": pair.calls, "alpha": alpha});
        return Derivation::new(about, what, "clustered_paired_difference", input, used);
    }
    if let Some(rates) = pair.independent() {
        let judged = format!(
            "counts alone, so independent samples: {} of {} against {} of {}; square-and-add of Wilson's limits \
             (Newcombe 1998) gives {} to {} points",
            prose::number(rates.right_b, 2),
            prose::number(rates.n_b, 2),
            prose::number(rates.right_a, 2),
            prose::number(rates.n_a, 2),
            prose::number(known.interval.low * 100.0, 4),
            prose::number(known.interval.high * 100.0, 4),
        );
        return Derivation::formula(about, what, judged);
    }
    if known.method == Method::BettingConfidenceSequence {
        return sequence(about, what, known.interval, alpha);
    }
    Derivation::formula(about, what, "nothing that both have was measured")
}

/// Two-sided p-value of a difference.
fn p_value(about: &str, what: &str, evidence: &Evidence<'_>, pair: &Pair) -> Option<Derivation> {
    let p = pair.p(evidence.facts.statistics.seed);
    let known = &pair.difference;
    if pair.independent().is_some() {
        let shown = if p <= 2e-12 { "2e-12 or less".to_owned() } else { prose::number(p, 10) };
        let judged = format!("counts alone: the level at which the interval's nearer end reaches 0, twice: {shown}");
        return Some(Derivation::formula(about, what, judged));
    }
    let (values, clusters) = pair.examples()?;
    if known.method == Method::Tango {
        let input = json!({"wins": known.wins.round(), "losses": known.losses.round()});
        return Some(Derivation::new(about, what, "mcnemar", input, json!({"midp": p})));
    }
    let sums: Vec<f64> =
        crate::stats::cluster::cluster_sums(values, clusters).into_iter().map(|(sum, _)| sum).collect();
    Some(Derivation::new(about, what, "cluster_signflip", json!({"cluster_sums": sums}), json!({"p": p})))
}

/// Examples that settle a rate.
fn to_settle(about: &str, what: &str, (x, n): (f64, f64), target: f64, alpha: f64, needed: Option<u64>) -> Derivation {
    let input = json!({"x": x, "n": n, "target": target, "alpha": alpha, "power": POWER});
    Derivation::new(about, what, "n_to_settle_target", input, json!({"n": needed}))
}

/// The rule that matched.
fn ladder(findings: &Findings<'_>, kind: VerdictKind, rule: Rule) -> Vec<Derivation> {
    let state: LadderState = findings.state();
    let triggers: Map<String, Value> =
        state.triggers.iter().enumerate().map(|(place, state)| (format!("T{}", place + 1), word(state))).collect();
    let rungs: Map<String, Value> =
        Rung::ALL.into_iter().map(|rung| (rung.name().to_owned(), word(&state.status(rung)))).collect();
    let self_hosted = word(&state.self_hosted_prompt);
    let data = findings.unusable.clone().unwrap_or_else(|| "ok".to_owned());
    let input = json!({
        "data": data, "triggers": triggers, "label": word(&state.label), "interventions": rungs,
        "payback": word(&state.payback), "selfhosted_prompt": self_hosted,
    });
    let (by_table, table_rule) = super::ladder::ladder(&state);
    let used = json!({"verdict": word(&by_table), "rule": table_rule.to_string()});
    let table = Derivation::new("ladder", "the first rule that matches", "ladder", input, used);
    let guard = (rule != table_rule).then(|| {
        let judged = format!(
            "the table reads validity, time and money of the variant in use alone; {}: so {} ({rule})",
            findings.any_prompt.explanation,
            word(&kind).as_str().unwrap_or_default()
        );
        Derivation::formula("ladder", "another prompted variant", judged)
    });
    std::iter::once(table).chain(guard).collect()
}

/// A state's kebab-case word.
fn word(state: &impl serde::Serialize) -> Value {
    serde_json::to_value(state).unwrap_or(Value::Null)
}
