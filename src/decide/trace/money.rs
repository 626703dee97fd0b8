//! Derivations of cost, of what cannot help, and of the break-even.

use serde_json::{Value, json};

use super::Derivation;
use crate::decide::evidence::Metric;
use crate::decide::ladder::{RungStatus, TriggerState};
use crate::decide::{Findings, Rung, prose};

/// T4.
pub(super) fn cost(findings: &Findings<'_>) -> Vec<Derivation> {
    let (evidence, trigger) = (findings.evidence, &findings.triggers.t4);
    let (Some(budget), Some(place), Some(bounds), Some((low, high))) =
        (evidence.facts.targets.monthly_budget_usd, evidence.incumbent, trigger.bounds, evidence.volume())
    else {
        return Vec::new();
    };
    let Some(each) = evidence.at(place).per_request else { return Vec::new() };
    let judged = match trigger.state {
        TriggerState::Fired => "V_lo·lo is over the budget: missed",
        TriggerState::Clear => "V_hi·hi is within the budget: met",
        _ => "the budget lies between: not enough evidence",
    };
    let what = format!("what {} costs a month", evidence.name(place));
    let money = prose::usd;
    vec![Derivation::formula(
        "t4",
        what,
        format!(
            "V_lo·lo = {} x {} = {}; V_hi·hi = {} x {} = {}; budget {}: {judged}",
            prose::number(low, 0),
            money(each.low),
            money(bounds.low),
            prose::number(high, 0),
            money(each.high),
            money(bounds.high),
            money(budget),
        ),
    )]
}

/// Rungs that cannot help.
pub(super) fn headroom(findings: &Findings<'_>) -> Vec<Derivation> {
    let evidence = findings.evidence;
    let is_na = |rung: Rung| findings.rungs.get(&rung).is_some_and(|report| report.status == RungStatus::Na);
    let Some(incumbent) = evidence.incumbent else { return Vec::new() };
    let alpha = evidence.alpha();
    let mut steps = Vec::new();
    let classes = evidence.facts.error_classes.unwrap_or_default();
    for (rung, count) in [(Rung::Rag, classes.knowledge), (Rung::Dpo, classes.preference)] {
        if !is_na(rung) || classes.checked == 0 {
            continue;
        }
        let share = crate::stats::proportion::failure_rate_upper(count as f64, classes.checked as f64, alpha);
        let accuracy = evidence.bounds(incumbent, Metric::Accuracy, alpha).interval.high;
        let input = json!({"failures": count, "n": classes.checked, "alpha": alpha});
        let what = "most of the errors that it could take away";
        let step =
            Derivation::new(format!("rung-{}", rung.name()), what, "failure_rate_upper", input, json!({"hi": share}));
        let reach = accuracy + share * (1.0 - accuracy);
        let judged = format!(
            "s + U·(1 - s) = {} + {} x (1 - {}) = {}",
            prose::number(accuracy, 6),
            prose::number(share, 6),
            prose::number(accuracy, 6),
            prose::number(reach, 6)
        );
        steps.push(step.judged(judged));
    }
    if let Some(caching) = evidence.at(incumbent).caching.filter(|_| is_na(Rung::Cache)) {
        let input = json!({
            "input_share": caching.input_share, "prefix_share": caching.prefix_share, "hit_rate": caching.hit_rate,
            "read_mult": caching.read_multiplier, "write_mult": caching.write_multiplier,
        });
        let used = json!({"factor": caching.factor()});
        steps.push(Derivation::new("rung-cache", "cost with the cache over cost without", "cache_factor", input, used));
    }
    steps
}

/// The break-even at the least volume, the middle and the most.
pub(super) fn break_even(findings: &Findings<'_>) -> Vec<Derivation> {
    let Some(known) = findings.break_even.as_ref() else { return Vec::new() };
    let (volumes, fixed, upkeep) = (known.requests_per_month, known.fixed_usd, known.upkeep_usd_per_month);
    let Some(saving) = known
        .saving_usd
        .filter(|_| known.months_low.is_some() || known.months_high.is_some() || known.months.is_some())
    else {
        return vec![Derivation::formula("break-even", "when training pays back", known.explanation.clone())];
    };
    let at = |volume: f64, what: &str, used: Value| {
        let input = json!({
            "saving": saving.point, "saving_lo": saving.low, "saving_hi": saving.high, "volume": volume,
            "overhead": [upkeep.low, upkeep.high], "fixed": [fixed.low, fixed.high],
            "horizon_months": known.horizon_months,
        });
        Derivation::new("break-even", what, "break_even", input, used)
    };
    let middle = f64::midpoint(volumes.low, volumes.high);
    if volumes.low == volumes.high {
        let used = json!({"months": known.months, "months_lo": known.months_low, "months_hi": known.months_high});
        return vec![at(middle, "months until training has paid back", used)];
    }
    vec![
        at(volumes.low, "the same at the least volume", json!({"months_hi": known.months_high})),
        at(middle, "months until training has paid back, at the middle volume", json!({"months": known.months})),
        at(volumes.high, "the same at the most volume", json!({"months_lo": known.months_low})),
    ]
}
