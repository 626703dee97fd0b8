use super::*;
use crate::gate::calls::{AskedExample, Calls, GateSide};
use crate::gate::verdict::{VariantVerdict, settle};
use crate::report::look::Look;
use crate::suite::GateRules;

const LEVELS: GateLevels = GateLevels { alpha: 0.05, alpha_fail: 0.01, seed: 1 };

/// `worse` of 200 examples are wrong now; one of the baseline is gone.
fn verdict(name: &str, worse: usize, missing: usize) -> VariantVerdict {
    let side = |right: &dyn Fn(usize) -> Option<bool>| {
        let mut side = GateSide { checks_validity: true, ..GateSide::default() };
        for place in 0..200 {
            let score = right(place).map(|right| f64::from(u8::from(right)));
            let calls = Calls {
                cost_picousd: vec![None],
                score: vec![score],
                ttft_ms: vec![],
                valid: vec![score.map(|_| true)],
            };
            let example = AskedExample { asked: "a".to_owned(), cluster: None, calls };
            side.examples.insert(format!("e{place:03}"), example);
        }
        side
    };
    let mut before = side(&|_| Some(true));
    let gone = before.examples.get("e000").unwrap();
    before.examples.insert("<b>|gone</b>", gone);
    let after = side(&|place| (place >= missing).then_some(place < 200 - worse));
    let mut one = [VariantVerdict::of(name, &before, &after, &GateRules::default(), &LEVELS)];
    settle(&mut one, &LEVELS);
    let [one] = one;
    one
}

fn report(variants: Vec<VariantVerdict>, inconclusive: Inconclusive) -> GateReport {
    let answer = crate::gate::verdict::overall(&variants);
    GateReport {
        suite: "tickets".to_owned(),
        file: "suites/tickets/suite.toml".to_owned(),
        baseline: BaselineFacts {
            file: "base.json".to_owned(),
            run: "tickets-1".to_owned(),
            suite_digest: Digest::of(b"s"),
            days: [Some("2026-11-01".to_owned()), Some("2026-11-02".to_owned())],
        },
        run: "tickets-2".to_owned(),
        answer,
        exit_code: 1,
        inconclusive,
        levels: LEVELS,
        correction: "holm",
        lines: vec![12; variants.len()],
        variants,
        notes: vec!["changed since the baseline: `a|b`".to_owned()],
    }
}

fn regressed() -> GateReport {
    let mut verdict = verdict("<img src=x> & \"v\"", 14, 0);
    verdict.leave_unconfirmed("100% of the answers\nare recorded");
    report(vec![verdict], Inconclusive::Fail)
}

#[test]
fn a_regression_for_people() {
    let text = text::render(&regressed(), Look::plain(200));
    assert!(text.contains("\nREGRESSED\n") && text.contains("2026-11-01 to 2026-11-02"), "{text}");
    assert!(text.contains("-7.0 points [-10.6 to -4.6]"), "{text}");
    assert!(text.contains("200 examples in common; 1 removed (<b>|gone</b>)"), "{text}");
    assert!(text.contains("UNCONFIRMED: 100% of the answers"), "{text}");
    assert!(text.contains("`validity_margin`, `cost_margin`, `latency_margin_ms`"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 200));
    let narrow = text::render(&regressed(), Look::plain(60));
    assert!(narrow.contains("accuracy: baseline 100.0%;"), "a narrow terminal has a list: {narrow}");
}

#[test]
fn nothing_of_a_suite_becomes_markup() {
    let page = markdown::render(&regressed());
    assert!(page.contains("❌ tickets: regressed") && page.contains("| accuracy | 100.0% | 93.0% |"), "{page}");
    assert!(!page.contains("<img") && !page.contains("<b>") && page.contains("&lt;img"), "{page}");
    let junit = junit::render(&regressed());
    assert!(!junit.contains("<img") && junit.contains("&lt;img src=x&gt; &amp; &quot;v&quot;"), "{junit}");
    assert!(junit.contains("tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"3\""), "{junit}");
    let commands = annotations::render(&regressed());
    assert_eq!(commands.lines().count(), 1, "{commands}");
    assert!(
        commands.starts_with("::error file=suites/tickets/suite.toml,line=12,title=ceiling gate%3A "),
        "{commands}"
    );
    assert!(commands.contains("100%25 of the answers"), "{commands}");
}

#[test]
fn not_enough_evidence_fails_a_build_only_where_it_should() {
    let open = |inconclusive| report(vec![verdict("v", 5, 0)], inconclusive);
    let junit = |inconclusive| junit::render(&open(inconclusive));
    assert!(junit(Inconclusive::Fail).contains("type=\"not-enough-evidence\""));
    for passes in [Inconclusive::Warn, Inconclusive::Pass] {
        assert!(junit(passes).contains("failures=\"0\" errors=\"0\" skipped=\"4\""), "{}", junit(passes));
    }
    assert!(annotations::render(&open(Inconclusive::Warn)).starts_with("::warning "));
    assert_eq!(annotations::render(&open(Inconclusive::Pass)), "");
    assert!(text::render(&open(Inconclusive::Fail), Look::plain(200)).contains("NOT ENOUGH EVIDENCE"));
}

#[test]
fn missing_calls_are_an_error_and_no_failure() {
    let report = report(vec![verdict("v", 0, 3)], Inconclusive::Fail);
    assert_eq!(report.answer, GateAnswer::CouldNotRun);
    let junit = junit::render(&report);
    assert!(junit.contains("failures=\"0\" errors=\"1\""), "{junit}");
    assert!(junit.contains("3 of 200 calls of now are missing (1.5%, more than 1%"), "{junit}");
    assert!(annotations::render(&report).starts_with("::error "));
}

#[test]
fn many_variants_stay_within_a_comment() {
    let many = (0..200).map(|number| verdict(&format!("variant-{number}"), 14, 0)).collect();
    let page = markdown::render(&report(many, Inconclusive::Fail));
    assert!(page.len() < 65_536, "{}", page.len());
    assert!(page.contains("170 more variants are left out"));
}
