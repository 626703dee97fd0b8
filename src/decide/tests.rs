use super::*;
use crate::measure::steps::tests::{measurements, row};
use crate::measure::{Latency, RunProvenance, VariantMeasurements};
use crate::provider::EndpointId;
use crate::stats::{Estimate, Interval, Method};
use crate::variant::{Retrieve, RetrieveFrom, Select, Shots, Structured, Tuning, TuningMethod, Variant};

mod guards;
mod random;
mod trained;

/// `right` of `n` examples right, the first ones; all valid.
fn variant(name: &str, round: u32, right: usize, n: usize) -> VariantMeasurements {
    let variant = Variant {
        id: VariantId(name.to_owned()),
        endpoint: EndpointId::parse("house/small").unwrap(),
        prompt: round as usize,
        shots: None,
        structured: Structured::Text,
        cache: None,
        retrieve: None,
        tuned: None,
        params: serde_json::Map::new(),
    };
    let scores = "1".repeat(right) + &"0".repeat(n - right);
    VariantMeasurements { round: Some(round), ..row(variant, &scores) }
}

fn tuned(name: &str, method: TuningMethod, right: usize, n: usize) -> VariantMeasurements {
    let mut measured = variant(name, 9, right, n);
    measured.round = None;
    measured.variant.tuned = Some(Tuning { method, training_examples: Some(698), base: None, retires: None });
    measured
}

fn costing(mut measured: VariantMeasurements, usd: f64) -> VariantMeasurements {
    let n = measured.scores.len();
    measured.cost.by_example = vec![Some(usd); n].into();
    measured.cost.per_request =
        Some(Estimate { point: Some(usd), low: usd, high: usd, level: 0.95, n: n as u64, method: Method::StudentT });
    measured
}

/// Four rounds of a prompt that gain nothing, and few-shot on the last.
fn rounds(n: usize, right: usize) -> Vec<VariantMeasurements> {
    let mut rounds: Vec<_> = (1..=4).map(|round| variant(&format!("v{round}"), round, right, n)).collect();
    rounds.push(few_shot("few-shot", 5, variant("few-shot", 4, right, n)));
    rounds
}

fn few_shot(name: &str, k: u32, mut measured: VariantMeasurements) -> VariantMeasurements {
    measured.variant.id = VariantId(name.to_owned());
    measured.variant.shots = Some(Shots { k, select: Select::Fixed, seed: 0 });
    measured
}

/// A suite that needs this, and says nothing else.
pub(crate) fn facts(targets: &Targets) -> SuiteFacts<'_> {
    SuiteFacts {
        targets,
        economics: None,
        statistics: Statistics::default(),
        audit: None,
        annotations: None,
        error_classes: None,
        impossible: &[],
        incumbent: None,
        margin: 0.02,
        failures_of: None,
        asked_instead: None,
        today: None,
    }
}

/// A break-even that is never reached.
pub(crate) fn never_pays_back() -> BreakEven {
    let targets = Targets { monthly_requests: Some(100_000), ..accuracy(0.9) };
    let facts = SuiteFacts { economics: Some(&ECONOMICS), ..facts(&targets) };
    let decided = decide(&facts, &measurements(rounds(1_000, 300)));
    let known = decided.break_even.unwrap();
    BreakEven { answer: Payback::No, months: None, horizon_months: 12.0, ..known }
}

fn accuracy(target: f64) -> Targets {
    Targets { accuracy: Some(target), ..Targets::default() }
}

const ECONOMICS: Economics = Economics {
    training_usd: Range { low: 2_000.0, high: 5_000.0 },
    labelling_usd: Range { low: 3_000.0, high: 10_000.0 },
    upkeep_usd_per_month: Range { low: 0.0, high: 0.0 },
    horizon_months: 12.0,
    value_per_error_usd: None,
    requests_per_month: None,
};
const AUDITED: Option<LabelAudit> = Some(LabelAudit { checked: 300, wrong: 3 });

#[test]
fn a_prompt_that_meets_every_target_is_kept() {
    let targets = Targets { schema_validity: Some(0.99), ..accuracy(0.9) };
    let verdict = decide(&facts(&targets), &measurements(vec![variant("easy", 1, 490, 500)]));
    assert_eq!(verdict.rule.to_string(), "L4_no_trigger");
    assert_eq!(verdict.kind, VerdictKind::KeepPrompting);
    assert!(verdict.notes.is_empty(), "{:?}", verdict.notes);
}

#[test]
fn a_flat_ceiling_without_an_audit_asks_for_one() {
    let targets = accuracy(0.9);
    let mut variants = rounds(280, 26);
    variants.push(tuned("tuned", TuningMethod::Lora, 123, 280));
    let verdict = decide(&facts(&targets), &measurements(variants));
    assert_eq!(verdict.triggers.t2.state, TriggerState::Fired, "{}", verdict.triggers.t2.explanation);
    assert_eq!(verdict.rule.to_string(), "L6_label_ceiling");
    assert_eq!(verdict.n_to_settle, Some(29));
    assert!(verdict.notes.contains(&"target-not-reached".to_owned()));
    assert_eq!(verdict.rungs[&Rung::Lora].status, RungStatus::Better);
    assert_eq!(verdict.best_variant, Some(VariantId("tuned".to_owned())));
    assert_eq!(verdict.incumbent, Some(VariantId("v4".to_owned())));
    assert!(verdict.reasons[0].contains("90% is excluded"), "{:#?}", verdict.reasons);
    assert!(verdict.flips_if.iter().any(|s| s.contains("29 labels")), "{:#?}", verdict.flips_if);
}

#[test]
fn a_gain_that_is_not_excluded_is_no_ceiling() {
    let targets = accuracy(0.9);
    let mut variants = rounds(60, 5);
    variants[3] = variant("v4", 4, 6, 60);
    let verdict = decide(&facts(&targets), &measurements(variants));
    assert_eq!(verdict.triggers.t2.state, TriggerState::Unknown);
    assert_eq!(verdict.rule.to_string(), "L3_trigger_unknown");
    assert!(verdict.n_to_settle.is_some());
}

#[test]
fn too_few_rounds_and_late_gains_keep_it_open() {
    let targets = accuracy(0.9);
    let few = rounds(280, 26).into_iter().take(3).collect();
    let verdict = decide(&facts(&targets), &measurements(few));
    assert_eq!(verdict.rule.to_string(), "L2_iterate");
    let mut late = rounds(280, 26);
    late[3] = variant("v4", 4, 80, 280);
    let verdict = decide(&facts(&targets), &measurements(late));
    assert_eq!(verdict.triggers.t2.state, TriggerState::Open);
}

#[test]
fn a_light_tune_that_helps_but_misses_ships_with_a_note() {
    let targets = Targets { monthly_requests: Some(1_000_000), ..accuracy(0.9) };
    let mut variants: Vec<_> = rounds(280, 26).into_iter().map(|v| costing(v, 0.012)).collect();
    variants.push(costing(tuned("tuned", TuningMethod::Lora, 123, 280), 0.001));
    let impossible = ["rag", "dpo", "full"].map(String::from);
    let asked = SuiteFacts { economics: Some(&ECONOMICS), audit: AUDITED, impossible: &impossible, ..facts(&targets) };
    let verdict = decide(&asked, &measurements(variants));
    assert_eq!(verdict.rule.to_string(), "L10_lora_better", "{:#?}", verdict.reasons);
    assert_eq!(verdict.payback, Payback::Yes);
    assert_eq!(verdict.phase, Phase::Ship);
    assert!(verdict.notes.contains(&"target-not-reached".to_owned()));
    let months = verdict.break_even.unwrap().months.unwrap();
    assert!((months - 10_000.0 / 11_000.0).abs() < 1e-9);
}

#[test]
fn a_tuned_model_that_retires_brings_nothing_after_that_day() {
    let targets = Targets { monthly_requests: Some(1_000_000), ..accuracy(0.9) };
    let day = |text: &str| Some(text.parse().unwrap());
    let break_even = |retires: &str| {
        let mut variants: Vec<_> = rounds(280, 26).into_iter().map(|v| costing(v, 0.002)).collect();
        let mut tuned = costing(tuned("tuned", TuningMethod::Lora, 123, 280), 0.001);
        tuned.retires = day(retires);
        variants.push(tuned);
        let asked = SuiteFacts { economics: Some(&ECONOMICS), today: day("2026-11-25"), ..facts(&targets) };
        decide(&asked, &measurements(variants)).break_even.unwrap()
    };
    // $1,000 a month against $5,000 to $15,000: ten months in the middle, within a year at the cheap end alone.
    let long = break_even("2028-01-01");
    assert_eq!((long.answer, long.horizon_months, &long.retires), (Payback::Unknown, 12.0, &None));
    let short = break_even("2027-01-14");
    assert_eq!(short.answer, Payback::No, "{}", short.explanation);
    assert!((short.horizon_months - 50.0 / (365.25 / 12.0)).abs() < 1e-9, "{}", short.horizon_months);
    assert!(short.explanation.contains("(it stops answering on 2027-01-14)"), "{}", short.explanation);
    let gone = break_even("2026-10-22");
    assert_eq!((gone.answer, gone.horizon_months), (Payback::No, 0.0));
    assert!(gone.explanation.contains("stopped answering on 2026-10-22"), "{}", gone.explanation);
}

#[test]
fn a_cheaper_tuned_model_that_is_gone_does_not_stand_before_one_that_stays() {
    let targets = Targets { monthly_requests: Some(1_000_000), ..accuracy(0.9) };
    let mut variants: Vec<_> = rounds(280, 26).into_iter().map(|v| costing(v, 0.012)).collect();
    let mut gone = costing(tuned("gone", TuningMethod::Lora, 123, 280), 0.0005);
    gone.retires = Some("2026-10-22".parse().unwrap());
    variants.push(gone);
    variants.push(costing(tuned("stays", TuningMethod::Lora, 123, 280), 0.001));
    let today = Some("2026-11-25".parse().unwrap());
    let asked = SuiteFacts { economics: Some(&ECONOMICS), today, ..facts(&targets) };
    let found = decide(&asked, &measurements(variants)).break_even.unwrap();
    assert_eq!((found.variant, found.answer), (Some(VariantId("stays".to_owned())), Payback::Yes));
}

/// The incumbent of [`rounds`] with documents.
fn retrieving(name: &str, from: RetrieveFrom, right: usize, n: usize) -> VariantMeasurements {
    let mut measured = variant(name, 4, right, n);
    measured.variant.retrieve = Some(Retrieve { k: 4, from });
    measured
}

fn with_documents(more: Vec<VariantMeasurements>) -> Verdict {
    let targets = accuracy(0.9);
    let asked = SuiteFacts { audit: AUDITED, ..facts(&targets) };
    let mut variants = rounds(280, 26);
    variants.extend(more);
    decide(&asked, &measurements(variants))
}

#[test]
fn retrieval_is_the_next_step_until_it_is_measured() {
    let untried = with_documents(Vec::new());
    assert_eq!(untried.rule.to_string(), "L7_rag_untried");
    assert_eq!(untried.next_step.unwrap().rung, Some(Rung::Rag));
    let helps = with_documents(vec![retrieving("rag", RetrieveFrom::Bm25, 200, 280)]);
    assert_eq!(helps.rungs[&Rung::Rag].status, RungStatus::Better, "{}", helps.rungs[&Rung::Rag].explanation);
    assert_eq!(helps.rungs[&Rung::Rag].variant, Some(VariantId("rag".to_owned())));
    let fails = with_documents(vec![retrieving("rag", RetrieveFrom::Bm25, 26, 280)]);
    assert_eq!(fails.rungs[&Rung::Rag].status, RungStatus::Fail);
    assert_eq!(fails.rule.to_string(), "L9_payback_unknown");
}

#[test]
fn retrieval_that_meets_the_target_is_shipped_as_the_prompt_that_it_is() {
    // A prompted variant that meets the target clears T2 (METHODS.md 12.1).
    let meets = with_documents(vec![retrieving("rag", RetrieveFrom::Bm25, 270, 280)]);
    assert_eq!(meets.triggers.t2.state, TriggerState::Clear);
    assert_eq!(meets.rungs[&Rung::Rag].status, RungStatus::Pass, "{}", meets.rungs[&Rung::Rag].explanation);
    assert_eq!(meets.best_variant, Some(VariantId("rag".to_owned())));
}

#[test]
fn an_oracle_is_a_bound_and_nothing_to_ship() {
    let oracle = || retrieving("told", RetrieveFrom::Oracle, 279, 280);
    let bound = with_documents(vec![oracle()]);
    assert_eq!(bound.triggers.t2.state, TriggerState::Fired, "{}", bound.triggers.t2.explanation);
    assert_eq!(bound.rule.to_string(), "L7_rag_untried");
    assert_ne!(bound.best_variant, Some(VariantId("told".to_owned())));
    let why = &bound.rungs[&Rung::Rag].explanation;
    assert!(why.starts_with("not measured; with the right documents given (`told`) accuracy is 99.64%"), "{why}");
    let both = with_documents(vec![retrieving("rag", RetrieveFrom::Bm25, 200, 280), oracle()]);
    assert_eq!(both.rungs[&Rung::Rag].variant, Some(VariantId("rag".to_owned())));
    assert!(both.rungs[&Rung::Rag].explanation.contains("a bound on retrieving them"));
    let mut last = oracle();
    last.round = Some(9);
    assert_eq!(with_documents(vec![last]).incumbent, Some(VariantId("v4".to_owned())));
}

#[test]
fn a_variant_with_schema_and_documents_is_no_rung_of_its_own() {
    let mut both = retrieving("both", RetrieveFrom::Bm25, 200, 280);
    both.variant.structured = Structured::JsonSchema;
    let verdict = with_documents(vec![both]);
    for rung in [Rung::Schema, Rung::Rag] {
        assert_eq!(verdict.rungs[&rung].status, RungStatus::Untried);
        assert!(verdict.rungs[&rung].explanation.contains("`both` differ"), "{}", verdict.rungs[&rung].explanation);
    }
}

#[test]
fn a_schema_is_tried_passed_or_in_use() {
    let targets = Targets { schema_validity: Some(0.99), ..Targets::default() };
    let mut prompt = variant("prompt", 1, 200, 400);
    prompt.valid.fill(300.., Some(0.0));
    let untried = decide(&facts(&targets), &measurements(vec![prompt.clone()]));
    assert_eq!(untried.rule.to_string(), "L7_schema_untried");
    let mut schema = variant("schema", 1, 200, 400);
    schema.variant.structured = Structured::JsonSchema;
    let passed = decide(&facts(&targets), &measurements(vec![prompt.clone(), schema.clone()]));
    assert_eq!(passed.rule.to_string(), "L7_schema_pass", "{:#?}", passed.reasons);
    assert_eq!(passed.phase, Phase::Ship);
    schema.valid.fill(300.., Some(0.0));
    let used = decide(&facts(&targets), &measurements(vec![schema]));
    assert_eq!(used.rungs[&Rung::Schema].status, RungStatus::Fail);
    assert_eq!(used.rule.to_string(), "L9_payback_unknown");
}

#[test]
fn latency_that_is_not_comparable_is_unknown() {
    let targets = Targets { ttft_p95_ms: Some(300.0), ..Targets::default() };
    let mut slow = variant("slow", 1, 90, 100);
    slow.ttft.sorted_ms = vec![900.0; 100];
    let mut measured = measurements(vec![slow]);
    let live = decide(&facts(&targets), &measured);
    assert_eq!(live.rule.to_string(), "L7_cache_untried");
    assert_eq!(live.payback, Payback::Waived);
    measured.latency_comparable = false;
    let recorded = decide(&facts(&targets), &measured);
    assert_eq!(recorded.triggers.t3.state, TriggerState::Unknown);
    assert_eq!(recorded.rule.to_string(), "L3_trigger_unknown");
    assert!(recorded.notes.contains(&"latency-not-judged".to_owned()));
}

#[test]
fn a_budget_reads_the_interval() {
    let mut targets =
        Targets { monthly_requests: Some(1_000_000), monthly_budget_usd: Some(10_000.0), ..Targets::default() };
    let measured = measurements(vec![costing(variant("dear", 1, 90, 100), 0.02)]);
    let fired = decide(&facts(&targets), &measured);
    assert_eq!(fired.rule.to_string(), "L7_cache_untried");
    targets.monthly_budget_usd = Some(30_000.0);
    assert_eq!(decide(&facts(&targets), &measured).rule.to_string(), "L4_no_trigger");
    let unpriced = measurements(vec![variant("unpriced", 1, 90, 100)]);
    assert_eq!(decide(&facts(&targets), &unpriced).triggers.t4.state, TriggerState::Unknown);
}

#[test]
fn training_that_cannot_pay_back_is_refused_before_it_is_tried() {
    let targets = Targets { monthly_requests: Some(1_000), monthly_budget_usd: Some(10.0), ..Targets::default() };
    let impossible = ["cache".to_owned()];
    let asked = SuiteFacts { economics: Some(&ECONOMICS), impossible: &impossible, ..facts(&targets) };
    let verdict = decide(&asked, &measurements(vec![costing(variant("dear", 1, 90, 100), 0.02)]));
    assert_eq!(verdict.rule.to_string(), "L9_no_payback", "{:#?}", verdict.reasons);
}

#[test]
fn compliance_asks_for_a_self_hosted_prompt_first() {
    let targets = Targets { self_hosted: true, ..accuracy(0.9) };
    let hosted = variant("hosted", 1, 490, 500);
    let verdict = decide(&facts(&targets), &measurements(vec![hosted.clone()]));
    assert_eq!(verdict.rule.to_string(), "L5_try_selfhosted_prompt");
    let mut own = variant("own", 1, 490, 500);
    own.self_hosted = true;
    let verdict = decide(&facts(&targets), &measurements(vec![hosted, own]));
    assert_eq!(verdict.rule.to_string(), "L5_ship_selfhosted_prompt");
    assert_eq!(verdict.incumbent, Some(VariantId("own".to_owned())));
}

#[test]
fn missing_answers_and_one_cluster_leave_no_verdict() {
    let targets = accuracy(0.9);
    let mut torn = variant("torn", 1, 490, 500);
    torn.missing = 6;
    torn.scores.fill(..6, None);
    let verdict = decide(&facts(&targets), &measurements(vec![torn]));
    assert_eq!(verdict.rule.to_string(), "L1_no_usable_data");
    let mut one = measurements(vec![variant("one", 1, 490, 500)]);
    one.clusters.fill(0);
    assert_eq!(decide(&facts(&targets), &one).rule, Rule::NoData);
    assert_eq!(decide(&facts(&targets), &measurements(Vec::new())).rule, Rule::NoData);
}

#[test]
fn the_json_has_the_agreed_names() {
    let targets = accuracy(0.9);
    let verdict = decide(&facts(&targets), &measurements(rounds(100, 10)));
    let json = serde_json::to_value(&verdict).unwrap();
    for name in
        ["kind", "rule", "phase", "notes", "triggers", "rungs", "next_step", "break_even", "flips_if", "n_to_settle"]
    {
        assert!(json.get(name).is_some(), "{name}");
    }
    assert_eq!(json["triggers"]["t1"]["state"], "na");
    assert_eq!(json["rungs"]["rag"]["status"], "untried");
}

#[test]
fn a_run_that_may_have_stopped_early_is_judged_by_sequences() {
    let targets = Targets { schema_validity: Some(0.95), ..accuracy(0.9) };
    let mut measured = measurements(rounds(280, 26));
    let fixed = decide(&facts(&targets), &measured);
    assert_eq!(fixed.triggers.t1.state, TriggerState::Clear);
    measured.anytime = Some(crate::measure::anytime::Anytime {
        seed: 1,
        level: 0.95,
        planned: 280,
        largest_cluster: 1,
        variants: Vec::new(),
    });
    let early = decide(&facts(&targets), &measured);
    let (fixed_bounds, bounds) = (fixed.triggers.t1.bounds.unwrap(), early.triggers.t1.bounds.unwrap());
    assert!(bounds.low < fixed_bounds.low, "{bounds:?} {fixed_bounds:?}");
    assert_eq!(early.triggers.t1.finding.unwrap().method, Method::ConfidenceSequence);
    let gain = |verdict: &Verdict| verdict.ceiling_test.as_ref().unwrap().gains[0].gain;
    assert!(gain(&early).interval().width() > 1.2 * gain(&fixed).interval().width());
    assert_eq!(early.paired.as_ref().unwrap().difference.method, Method::BettingConfidenceSequence);
    assert!(early.notes.contains(&"stopped-early".to_owned()));
}

/// 400 answers, the first 10 of them late, sent at `per_minute` a minute.
fn timed(name: &str, per_minute: u32, late_ms: f32) -> VariantMeasurements {
    let mut measured = variant(name, 1, 380, 400);
    let trial = |example: u32| crate::measure::TimedTrial {
        example,
        minute: example / per_minute,
        ms: if example < 10 { late_ms } else { 100.0 },
    };
    measured.ttft_trials = (0..400).map(trial).collect();
    measured.ttft.sorted_ms = measured.ttft_trials.iter().map(|trial| f64::from(trial.ms)).collect();
    measured.ttft.sorted_ms.sort_by(f64::total_cmp);
    measured
}

#[test]
fn answers_of_one_minute_go_together_where_there_are_several() {
    let targets = Targets { ttft_p95_ms: Some(300.0), ..Targets::default() };
    let state = |measured| decide(&facts(&targets), &measurements(vec![measured])).triggers.t3;
    // METHODS.md 5: 10 of 400 over the limit prove the 95th percentile, as one burst.
    let burst = state(timed("burst", 1_000, 900.0));
    assert_eq!(burst.state, TriggerState::Clear, "{}", burst.explanation);
    // The same within four minutes, all late ones in the first: four clusters say less.
    let spread = state(timed("spread", 100, 900.0));
    assert_eq!(spread.state, TriggerState::Unknown, "{}", spread.explanation);
    assert!(spread.explanation.contains("4 minutes"), "{}", spread.explanation);
    // None late at all is never a weaker sign than some.
    let never = state(timed("never", 100, 100.0));
    assert_eq!(never.state, TriggerState::Clear, "{}", never.explanation);
}

#[test]
fn latency_of_two_variants_is_paired_by_example() {
    let targets = Targets { ttft_p95_ms: Some(50.0), schema_validity: Some(0.99), ..Targets::default() };
    let mut plain = timed("plain", 1_000, 900.0);
    plain.valid.fill(..40, Some(0.0));
    let mut schema = timed("schema", 1_000, 900.0);
    schema.variant.structured = Structured::JsonSchema;
    let verdict = decide(&facts(&targets), &measurements(vec![plain.clone(), schema.clone()]));
    // Late on the very same answers: no worse, though both are over the limit.
    assert_eq!(verdict.rungs[&Rung::Schema].status, RungStatus::Pass, "{}", verdict.rungs[&Rung::Schema].explanation);
    schema.ttft_trials.iter_mut().skip(200).for_each(|trial| trial.ms = 10.0);
    plain.ttft_trials.iter_mut().for_each(|trial| trial.ms = 10.0);
    let worse = decide(&facts(&targets), &measurements(vec![plain, schema]));
    assert_eq!(worse.rungs[&Rung::Schema].status, RungStatus::Fail, "{}", worse.rungs[&Rung::Schema].explanation);
}
