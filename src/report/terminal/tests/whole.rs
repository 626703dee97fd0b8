//! The whole report as it is drawn: widths, colours, names.

use proptest::prelude::*;

use super::*;
use crate::decide::decide;
use crate::decide::tests::facts;
use crate::exchange::FailureKind;
use crate::measure::VariantMeasurements;
use crate::measure::accumulate::tests::variant;
use crate::measure::standing::Standing;
use crate::measure::{RunProvenance, TokenSum};
use crate::suite::Targets;
use crate::variant::{Retrieve, RetrieveFrom};

const NAMES: [&str; 5] = ["prompt-v1", "few-shot-5-schema", "few-shot-5-plain", "rag-oracle", "tuned"];
const RIGHT: [usize; 5] = [0, 8, 11, 79, 44];

fn scored(name: &str, right: usize) -> VariantMeasurements {
    let mut measured = row(variant(name), &("1".repeat(right) + &"0".repeat(100 - right)));
    let latency =
        Latency { sorted_ms: vec![348.0], p50: Some(times(348.0)), p95: Some(times(472.4)), ..Latency::default() };
    (measured.ttft, measured.total) = (latency.clone(), latency);
    measured.outcomes.truncated = 100 - right as u64;
    measured.validity_strict = Some(estimate(0.9));
    measured.validity_lenient = Some(estimate(0.91));
    measured.macro_f1 = Some(estimate(0.397));
    let sum = |total| TokenSum { total: Some(total), reported_by: 100 };
    measured.usage.input_uncached_tokens = sum(3_600);
    measured.usage.cache_read_tokens = sum(110_000);
    measured.usage.output_tokens = sum(1_500);
    measured.cost.per_request = Some(Estimate { point: Some(0.00123), ..estimate(0.1) });
    measured.cost.per_correct = Some(Estimate { point: Some(0.0111), ..estimate(0.1) });
    measured
}

fn times(point: f64) -> Estimate {
    Estimate { point: Some(point), ..estimate(0.5) }
}

fn report(names: &[&str]) -> Report {
    let targets = Targets { accuracy: Some(0.9), ttft_p95_ms: Some(300.0), ..Targets::default() };
    let facts = facts(&targets);
    let mut variants: Vec<_> = names.iter().zip(RIGHT).map(|(name, right)| scored(name, right)).collect();
    for (measured, right) in variants.iter_mut().zip(RIGHT) {
        measured.standing = match right {
            44 => Some(Standing::Best),
            11 => Some(Standing::Tied),
            79 => None,
            _ => Some(Standing::Behind),
        };
        if right == 79 {
            measured.variant.retrieve = Some(Retrieve { k: 3, from: RetrieveFrom::Oracle });
        }
    }
    let whole = everything();
    let measurements = Measurements {
        provenance: RunProvenance::Recorded,
        latency_comparable: false,
        steps: whole.steps,
        rounds: whole.rounds,
        ..measurements(variants)
    };
    Report {
        run: "outages-1".to_owned(),
        suite: "outages".to_owned(),
        began_unix_ms: 0,
        description: String::new(),
        primary: "code".to_owned(),
        stated: false,
        setting: Some(
            "SmolLM2-135M on a llama.cpp server, 1 thread, 1 slot, on a machine shared with other work".into(),
        ),
        part: None,
        left_out: 0,
        regraded: false,
        gone: Vec::new(),
        times_scored: 3,
        embeddings: Vec::new(),
        schema_changes: Default::default(),
        verdict: decide(&facts, &measurements),
        measurements: measurements.into(),
        label_review: None,
    }
}

fn columns(line: &str) -> usize {
    line.chars().count()
}

#[test]
fn a_run_ends_with_what_decides() {
    for width in [40, 80, 200] {
        let text = render(&report(&NAMES), Extent::Brief, Look::plain(width));
        insta::assert_snapshot!(format!("brief_at_{width}"), text);
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let report = report(&NAMES);
    for width in 40..=220 {
        for extent in [Extent::Brief, Extent::Full] {
            for line in render(&report, extent, Look::plain(width)).lines() {
                assert!(columns(line) <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn a_wide_terminal_has_one_table_and_a_narrow_one_no_column_less() {
    let report = report(&NAMES);
    let tables = |width| scoreboard::scoreboard(&report, Look::plain(width)).matches("variant").count();
    assert_eq!((tables(200), tables(100), tables(80)), (1, 3, 3));
    for width in [40, 60, 80, 100, 200] {
        let text = scoreboard::scoreboard(&report, Look::plain(width));
        for column in ["n ", "accuracy [95%]", "100%", "valid", "lenient", "macro-F1", "cut", "TTFT p50/p95 ms"] {
            assert!(text.contains(column), "{width}: {column}\n{text}");
        }
        for column in ["total p50/p95 ms", "tokens in (cached)", "out", "$/request", "$/1k correct"] {
            assert!(text.contains(column), "{width}: {column}\n{text}");
        }
        assert!(!text.contains("retries") && !text.contains("reasoning"), "columns that say nothing are left out");
    }
}

#[test]
fn colours_only_repeat_what_marks_and_words_say() {
    let report = report(&NAMES);
    for width in [40, 80, 200] {
        for extent in [Extent::Brief, Extent::Full] {
            let plain = render(&report, extent, Look::plain(width));
            assert!(!plain.contains('\u{1b}'));
            let coloured = render(&report, extent, Look { width, colour: true });
            assert!(coloured.contains("\u{1b}[1;32m"), "the best row");
            assert_eq!(console::strip_ansi_codes(&coloured), plain);
        }
    }
    let plain = decision(&report.verdict, Look::plain(80));
    let coloured = decision(&report.verdict, Look { width: 80, colour: true });
    assert_eq!(console::strip_ansi_codes(&coloured), plain);
}

#[test]
fn what_a_server_says_cannot_steer_a_terminal() {
    let mut report = report(&NAMES);
    std::sync::Arc::make_mut(&mut report.measurements).variants[0].failures =
        vec![(FailureKind::Server, 3, "\u{1b}[2J\u{1b}]0;owned\u{7}no\r\n\u{202e}thing".to_owned())];
    report.setting = Some("a\u{9b}31m server".to_owned());
    for extent in [Extent::Brief, Extent::Full] {
        let text = render(&report, extent, Look::plain(80));
        assert!(text.contains("3 failed"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains('\u{202e}'), "{text:?}");
    }
}

#[test]
fn mixed_endings_are_named_and_a_lone_variant_is_not_ranked() {
    let mut report = report(&NAMES[4..]);
    std::sync::Arc::make_mut(&mut report.measurements).variants[0].standing = Some(Standing::Best);
    std::sync::Arc::make_mut(&mut report.measurements).variants[0].outcomes.failed = 2;
    let text = render(&report, Extent::Brief, Look::plain(200));
    assert!(text.contains("2 failed") && text.contains("100 cut, 2 failed"), "{text}");
    assert!(!text.contains('▲'), "{text}");
}

proptest! {
    #[test]
    fn shortened_names_stay_apart(
        names in proptest::collection::hash_set("[a-c]{1,3}-[a-c]{8,30}", 1..5),
        width in 30usize..120,
    ) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = scoreboard::scoreboard(&report(&names), Look::plain(width));
        let mut shown: Vec<&str> = text
            .lines()
            .skip(1)
            .take(names.len())
            .map(|line| line.trim_start_matches([' ', '▲', '≈']).split(' ').next().unwrap())
            .collect();
        shown.sort_unstable();
        shown.dedup();
        prop_assert_eq!(shown.len(), names.len(), "{}", text);
    }
}

#[test]
fn long_and_wide_names_keep_to_the_width() {
    let (long, wide) = ("x".repeat(117) + "1", "日本語".repeat(20));
    for width in [40, 80, 120] {
        for names in [&["plain", &long][..], &[&wide, "plain"], &[&long, &wide, "plain"]] {
            let text = render(&report(names), Extent::Brief, Look::plain(width));
            let figures = text.split("VERDICT").nth(1).unwrap_or_default();
            let figures: Vec<&str> = figures.lines().filter(|line| line.contains(" over ")).collect();
            assert!(figures.iter().all(|line| crate::text::columns(line) <= width), "{width}: {figures:?}");
        }
    }
}

#[test]
fn a_heading_keeps_to_the_width() {
    let heading = "a suite · run outages-1 · RECORDED answers, graded by the suite as it stands now";
    assert!(headed(heading, 40).lines().all(|line| crate::text::columns(line) <= 40), "{}", headed(heading, 40));
}
