//! A contrast in words.

use crate::measure::contrast::{Contrast, NonInferiority, Unsettled};
use crate::measure::matching::Dropped;
use crate::report::figure::signed;
use crate::report::terminal::{NOTHING, points};
use crate::stats::equivalence::NonInferiorityVerdict;
use crate::stats::paired::PairedVerdict;
use crate::units::group_thousands;

/// A p-value with four decimals, or that it is smaller.
pub(in crate::report) fn p_value(p: f64) -> String {
    if p < 0.0001 { "<0.0001".to_owned() } else { format!("{p:.4}") }
}

/// Won, lost, tied.
pub(in crate::report) fn counts(contrast: &Contrast) -> String {
    if contrast.n == 0 {
        return NOTHING.to_owned();
    }
    format!("{}/{}/{}", contrast.wins, contrast.losses, contrast.ties)
}

/// The verdict in a table's cell.
pub(in crate::report) fn verdict(contrast: &Contrast) -> String {
    match contrast.verdict {
        PairedVerdict::Better => "better".to_owned(),
        PairedVerdict::Worse => "worse".to_owned(),
        PairedVerdict::NotEnoughEvidence => match contrast.unsettled {
            Some(Unsettled::FewClusters | Unsettled::OneCluster) => "open: <6 clusters".to_owned(),
            Some(Unsettled::Missing) => "open: answers missing".to_owned(),
            Some(Unsettled::NoPairs) => "open: no answers".to_owned(),
            Some(Unsettled::NoDifference) => "open: no difference seen".to_owned(),
            Some(Unsettled::OtherSplit) => "open: not the test".to_owned(),
            _ => "open".to_owned(),
        },
    }
}

fn examples(n: u64) -> String {
    format!("{} examples", group_thousands(i128::from(n)))
}

/// The answer in a sentence.
pub(in crate::report) fn headline(contrast: &Contrast, rate: &str) -> String {
    let figures = || {
        let p = contrast.p.map_or(String::new(), |p| format!(", p {}", p_value(p)));
        format!("{} points{p}", points(&contrast.difference))
    };
    match contrast.verdict {
        PairedVerdict::Better => format!("BETTER: B is better than A in {rate}: {}", figures()),
        PairedVerdict::Worse => format!("WORSE: B is worse than A in {rate}: {}", figures()),
        PairedVerdict::NotEnoughEvidence => {
            format!("NOT ENOUGH EVIDENCE to tell A and B apart in {rate}: {}", unsettled(contrast))
        }
    }
}

/// Why there is no verdict, and what would bring one.
fn unsettled(contrast: &Contrast) -> String {
    let settle = contrast.n_to_settle.map(examples);
    let so_many = settle.as_ref().map_or(String::new(), |n| format!("; about {n} would settle the difference seen"));
    match contrast.unsettled {
        Some(Unsettled::NoPairs) => "no example has a score on both sides".to_owned(),
        Some(Unsettled::Missing) => "more than 1% of a side's calls are missing; run again to fill them in".to_owned(),
        Some(Unsettled::OtherSplit) => {
            "the test examples were not asked: prompts and tuned models may have seen these".to_owned()
        }
        Some(Unsettled::OneCluster) => "all examples share one cluster, so that they count as one".to_owned(),
        Some(Unsettled::FewClusters) => {
            format!("{} clusters are too few, at least 6 are needed{so_many}", contrast.clusters)
        }
        Some(Unsettled::NoDifference) => {
            "no difference seen, so that no number of examples is foreseen to settle it (that is not equality: see below)"
                .to_owned()
        }
        Some(Unsettled::TooClose) => "too close to call at any practical number of examples".to_owned(),
        Some(Unsettled::Correction | Unsettled::MoreExamples) | None => {
            let settle = settle.map_or_else(|| "more examples".to_owned(), |n| format!("about {n}"));
            format!("{settle} would settle the difference seen (80% power)")
        }
    }
}

/// Whether B is not worse, in a sentence without a subject.
pub(in crate::report) fn not_worse(found: &NonInferiority) -> String {
    let percent = found.level * 100.0;
    let interval = format!(
        "{percent:.0}% interval {} to {} points",
        signed(found.interval.low * 100.0, 1),
        signed(found.interval.high * 100.0, 1)
    );
    match found.verdict {
        NonInferiorityVerdict::Better => format!("better ({interval})"),
        NonInferiorityVerdict::Inferior => format!("inferior: worse by more than the margin ({interval})"),
        NonInferiorityVerdict::NonInferior if found.slightly_worse => {
            format!("non-inferior, but slightly worse, inside the margin ({interval})")
        }
        NonInferiorityVerdict::NonInferior => format!("non-inferior ({interval})"),
        NonInferiorityVerdict::NotEnoughEvidence => {
            let settle = found.n_to_settle.map_or_else(
                || "; no number of examples is foreseen to show it".to_owned(),
                |n| format!("; about {} would show it at the difference seen", examples(n)),
            );
            format!("not enough evidence ({interval}){settle}")
        }
    }
}

/// What is left out and why; `None` where nothing is. `names` are the sides'.
pub(in crate::report) fn dropped(dropped: &Dropped, names: &[String]) -> Option<String> {
    if dropped.examples == 0 {
        return None;
    }
    let mut reasons = Vec::new();
    if dropped.changed > 0 {
        reasons.push(format!("{} changed between the sides", dropped.changed));
    }
    let mut by_side = |counts: &[u64], what: &str| {
        let some = names.iter().zip(counts).filter(|(_, count)| **count > 0);
        reasons.extend(some.map(|(name, count)| format!("{count} {what} {name}")));
    };
    by_side(&dropped.not_asked, "not asked of");
    by_side(&dropped.missing, "missing in");
    by_side(&dropped.unscored, "not scored in");
    let plural = if dropped.examples == 1 { "example is" } else { "examples are" };
    Some(format!("{} {plural} left out: {}", dropped.examples, reasons.join(", ")))
}
