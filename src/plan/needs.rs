//! The suite's targets against its examples: what each needs, and what no run of them can settle.

use super::preview::{CeilingTest, Earlier};
use super::size::{Beliefs, Need, Reach, Sample, Supply, Wanted, audit_need, n_for_ceiling, need};
use crate::stats::Interval;
use crate::stats::labels::{label_ceiling_from_agreement, label_ceiling_from_audit};
use crate::suite::Suite;
use crate::units::group_thousands;

/// A first prompt and three revisions (METHODS.md 8.1).
const ROUNDS: u32 = 4;

/// What is expected of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Expectation {
    /// Accuracy, as the user says.
    pub accuracy: Option<f64>,
    /// Share of valid answers, as the user says.
    pub validity: Option<f64>,
}

/// The figures that the statistics start from.
pub fn beliefs(suite: &Suite, earlier: Option<&Earlier>) -> Beliefs {
    // A share of nothing is none to plan for.
    let some = |share: Option<f64>| share.filter(|share| *share > 0.0);
    Beliefs {
        alpha: suite.statistics.alpha,
        delta_min: suite.statistics.delta_min,
        margin: suite.gate.margin,
        accuracy: some(suite.targets.accuracy),
        discordance: some(earlier.and_then(|earlier| earlier.discordance)),
        icc: earlier.and_then(|earlier| earlier.icc),
    }
}

/// What each target needs. `latency_samples` are the answers of one variant whose time counts.
pub fn needs(
    suite: &Suite,
    (sample, reach): (&Sample, &Reach),
    earlier: Option<&Earlier>,
    expected: Expectation,
    latency_samples: u64,
) -> Vec<Need> {
    let (targets, alpha) = (&suite.targets, suite.statistics.alpha);
    let supply = Supply::of(sample, reach);
    let stated = |rate: Option<f64>, flag: &str| rate.map(|rate| (rate, flag.to_owned()));
    let measured = |rate: Option<f64>| {
        let (earlier, rate) = (earlier?, rate?);
        let (best, _) = earlier.best.as_ref()?;
        Some((rate, format!("`{best}` in run {}", earlier.run)))
    };
    let best = earlier.and_then(|earlier| earlier.best.as_ref()).map(|(_, rate)| *rate);
    let mut needs = Vec::new();
    if let Some(share) = targets.accuracy.filter(|share| *share > 0.0) {
        let expected = stated(expected.accuracy, "--expect").or_else(|| measured(best));
        needs.push(need(Wanted::Accuracy, share, supply, expected, alpha));
    }
    if let Some(share) = targets.schema_validity.filter(|share| *share > 0.0) {
        let earlier = earlier.and_then(|earlier| earlier.validity);
        let expected = stated(expected.validity, "--expect-validity").or_else(|| measured(earlier));
        needs.push(need(Wanted::SchemaValidity, share, supply, expected, alpha));
    }
    if targets.ttft_p95_ms.is_some() {
        needs.push(need(Wanted::TtftP95, 0.95, Supply::independent(latency_samples), None, alpha));
    }
    if let Some(share) = targets.accuracy.filter(|share| *share > 0.0) {
        needs.push(labels(suite, share, alpha));
    }
    needs
}

/// What showing that the labels allow the accuracy needs: an audit counts, else double annotation.
fn labels(suite: &Suite, share: f64, alpha: f64) -> Need {
    if let Some(audit) = suite.audit.filter(|audit| audit.checked > 0) {
        let ceiling = label_ceiling_from_audit(audit.wrong, audit.checked, alpha);
        return audit_need(share, audit.checked, audit.wrong, ceiling, alpha);
    }
    let Some(pairs) = suite.annotations.filter(|pairs| pairs.pairs > 0) else {
        return audit_need(share, 0, 0, Interval::UNIT, alpha);
    };
    let ceiling = label_ceiling_from_agreement(pairs.agreed, pairs.pairs, pairs.classes, alpha);
    let by_agreement = audit_need(share, pairs.pairs, 0, ceiling, alpha);
    // Where agreement leaves it open an audit settles it, from its first label on.
    Need {
        short_by: audit_need(share, 0, 0, Interval::UNIT, alpha).short_by.filter(|_| !by_agreement.enough),
        ..by_agreement
    }
}

/// What the ceiling test needs.
pub fn ceiling_test(suite: &Suite, beliefs: &Beliefs) -> CeilingTest {
    ceiling_test_of((0..suite.prompts.len()).filter_map(|prompt| suite.round(prompt)).max().unwrap_or(0), beliefs)
}

/// The same for so many prompt rounds.
pub fn ceiling_test_of(rounds: u32, beliefs: &Beliefs) -> CeilingTest {
    CeilingTest { delta_min: beliefs.delta_min, n: n_for_ceiling(beliefs), rounds, rounds_needed: ROUNDS }
}

/// A share in percent, without needless decimals.
pub fn percent(share: f64) -> String {
    format!("{}%", (share * 1e6).round() / 1e4)
}

/// What no answers of these examples can settle.
pub fn undecided(reach: &Reach, needs: &[Need], ceiling: &CeilingTest) -> Vec<String> {
    let mut found: Vec<String> = needs.iter().filter_map(beyond_reach).collect();
    if let Some(p) = reach.smallest_p {
        let clusters = reach.clusters;
        found.push(format!(
            "no difference between variants can be shown: with {clusters} independent examples or clusters the \
             smallest p-value is {p:.3}, and 6 are needed"
        ));
    }
    let least = reach.shows.iter().map(|shows| shows.n_effective).fold(f64::INFINITY, f64::min);
    if let Some(n) = ceiling.n.filter(|n| least < *n as f64) {
        found.push(format!(
            "that prompting has levelled off: to exclude a gain of {} points in each of the last rounds takes about {} \
             independent examples, and these are {least:.0}; a real loss, or variants that rarely differ, can do with \
             fewer",
            (ceiling.delta_min * 1e4).round() / 1e2,
            group_thousands(n.into())
        ));
    }
    if ceiling.rounds < ceiling.rounds_needed {
        found.push(format!(
            "that prompting has levelled off: it takes {} prompt rounds, a first prompt and three revisions, and {} in use",
            ceiling.rounds_needed,
            match ceiling.rounds {
                1 => "1 is".to_owned(),
                rounds => format!("{rounds} are"),
            }
        ));
    }
    found
}

fn beyond_reach(need: &Need) -> Option<String> {
    if need.most_failures.is_some() {
        return None;
    }
    let share = percent(need.share);
    let Some(least) = need.proving.first().map(|first| group_thousands(first.n.into())) else {
        return Some(format!("{}: no number of answers shows {share}", need.wanted.words()));
    };
    let n = group_thousands(need.n.into());
    let counted = if need.n_clean < need.n {
        format!("they count as {} clusters, and it needs {least}", group_thousands(need.n_clean.into()))
    } else {
        format!("it needs {least}")
    };
    match need.wanted {
        Wanted::Accuracy => {
            Some(format!("even if all {n} answers are right, an accuracy of {share} cannot be shown: {counted}"))
        }
        Wanted::SchemaValidity => {
            Some(format!("even if all {n} answers are valid, {share} cannot be shown: {counted}"))
        }
        Wanted::TtftP95 if need.n == 0 => Some(format!("TTFT p95: no time is measured; it needs {least} live answers")),
        Wanted::TtftP95 => Some(format!("even if all {n} answers are in time, p95 cannot be shown: {counted}")),
        // An audit is made apart from a run.
        Wanted::LabelAudit => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::size::reach;

    fn singles(n: u64) -> Sample {
        Sample { examples: n, cluster_sizes: vec![1; n as usize], repeats: 1 }
    }

    fn beliefs() -> Beliefs {
        Beliefs { alpha: 0.05, delta_min: 0.02, margin: 0.02, accuracy: None, discordance: None, icc: None }
    }

    fn validity(n: u64) -> Need {
        need(Wanted::SchemaValidity, 0.999, Supply::independent(n), None, 0.05)
    }

    #[test]
    fn what_no_answers_can_show_is_said_with_what_it_needs() {
        let enough = CeilingTest { delta_min: 0.02, n: Some(100), rounds: 4, rounds_needed: 4 };
        let said = undecided(&reach(&singles(280), &beliefs()), &[validity(280)], &enough);
        assert_eq!(said, ["even if all 280 answers are valid, 99.9% cannot be shown: it needs 2,995"]);
        assert!(undecided(&reach(&singles(2995), &beliefs()), &[validity(2995)], &enough).is_empty());
        let clustered = Supply { n: 3000, n_effective: 2000.0, n_clean: 1200 };
        let clustered = need(Wanted::SchemaValidity, 0.999, clustered, None, 0.05);
        assert!(beyond_reach(&clustered).unwrap().ends_with("they count as 1,200 clusters, and it needs 2,995"));
        let whole = need(Wanted::Accuracy, 1.0, Supply::independent(10), None, 0.05);
        assert_eq!(beyond_reach(&whole).unwrap(), "accuracy: no number of answers shows 100%");
    }

    #[test]
    fn few_rounds_and_few_examples_leave_the_ceiling_open() {
        let test = CeilingTest { delta_min: 0.02, n: Some(1546), rounds: 3, rounds_needed: 4 };
        let said = undecided(&reach(&singles(280), &beliefs()), &[], &test);
        assert!(said[0].contains("a gain of 2 points") && said[0].contains("1,546"), "{said:?}");
        assert!(said[1].contains("and 3 are in use"), "{said:?}");
        let few = undecided(&reach(&singles(5), &beliefs()), &[], &test);
        assert!(few[0].contains("5 independent") && few[0].contains("0.062"), "{few:?}");
    }
}
