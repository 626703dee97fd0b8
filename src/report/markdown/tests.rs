use super::*;
use crate::decide::decide;
use crate::decide::tests::facts;
use crate::exchange::FailureKind;
use crate::measure::accumulate::tests::variant;
use crate::measure::steps::tests::{measurements, row};
use crate::suite::Targets;

fn scored(name: &str, right: usize) -> VariantMeasurements {
    let mut measured = row(variant(name), &("1".repeat(right) + &"0".repeat(300 - right)));
    measured.standing = Some(if right == 200 { Standing::Best } else { Standing::Behind });
    measured
}

fn report(suite: &str, variants: Vec<VariantMeasurements>) -> Report {
    let targets = Targets { accuracy: Some(0.9), ..Targets::default() };
    let facts = facts(&targets);
    let measurements = measurements(variants);
    Report {
        run: format!("{suite}-1"),
        suite: suite.to_owned(),
        began_unix_ms: 0,
        description: String::new(),
        primary: "label".to_owned(),
        stated: false,
        setting: None,
        part: None,
        left_out: 0,
        regraded: false,
        gone: Vec::new(),
        times_scored: 1,
        embeddings: Vec::new(),
        schema_changes: Default::default(),
        verdict: decide(&facts, &measurements),
        measurements: measurements.into(),
        label_review: None,
    }
}

#[test]
fn a_small_report_reads_well() {
    let mut rag = scored("rag_3", 200);
    rag.violations = vec![("/label: \"x|y\" is not one of red, green".to_owned(), 7)];
    insta::assert_snapshot!("small", render(&report("tiny", vec![scored("plain", 100), rag])));
}

/// Everything that a hostile name could do.
const HOSTILE: &str =
    "a|b `c` <img src=x onerror=alert(1)> [x](http://evil.example) **b** @octocat #77 </details> --> \u{202e}\n\n# h";

#[test]
fn hostile_names_stay_text() {
    let mut bad = scored(HOSTILE, 200);
    bad.failures = vec![(FailureKind::Server, 3, HOSTILE.to_owned())];
    bad.violations = vec![(HOSTILE.to_owned(), 3)];
    let mut bad = report("tiny", vec![scored("plain", 100), bad]);
    bad.suite = HOSTILE.to_owned();
    bad.run = HOSTILE.to_owned();
    bad.verdict.headline = HOSTILE.to_owned();
    bad.verdict.reasons.push(HOSTILE.to_owned());
    let page = render(&bad);
    for wrong in ["<img", "a|b", "[x](", "@octocat", "#77", "**b**", "\u{202e}", "\n# h", "`c`", "http://"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
    // Tags are ours: as many as there are sections, opened and closed, and one comment.
    assert_eq!(page.matches("<details>").count(), page.matches("</details>").count());
    assert_eq!((page.matches("<!--").count(), page.matches("-->").count()), (1, 1));
    // Every line of a table has as many cells as its head.
    let mut cells = None;
    for line in page.lines() {
        let count = line.matches('|').count();
        cells = match (count, cells) {
            (0, _) => None,
            (count, None) => Some(count),
            (count, Some(head)) => {
                assert_eq!(count, head, "{line}");
                cells
            }
        };
    }
}

#[test]
fn many_variants_fit_a_comment() {
    let name = |place: usize| format!("{place} {}", "<&|".repeat(40));
    let mut variants: Vec<VariantMeasurements> = (0..400).map(|place| scored(&name(place), 100)).collect();
    variants.push(scored("the best", 200));
    for measured in &mut variants {
        measured.violations = vec![("<".repeat(5000), 3); 20];
        measured.failures = vec![(FailureKind::Server, 3, "|".repeat(5000))];
        measured.missing = 3;
    }
    let mut many = report("many", variants);
    many.verdict.reasons = vec!["<&".repeat(3000); 200];
    let page = render(&many);
    assert!(page.chars().count() < 65_000 && page.len() < 65_000, "{}", page.len());
    assert!(page.contains("▲ **the best**"));
    assert!(page.contains("371 more variants are left out"), "{page}");
    assert!(page.contains("Cut to fit a comment: Why"), "{page}");
    assert_eq!(page.matches("<details>").count(), page.matches("</details>").count());
}
