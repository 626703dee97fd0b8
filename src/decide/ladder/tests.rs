use std::collections::BTreeSet;

use super::*;

const TABLE: &str = "\
C | C | C | C | C | UNKNOWN |  | YES | UNTRIED | KEEP_PROMPTING | L4_no_trigger
C | O | C | C | C | UNKNOWN |  | NO | UNTRIED | KEEP_PROMPTING | L2_iterate
? | C | C | C | C | REACHABLE |  | YES | UNTRIED | NOT_ENOUGH_EVIDENCE | L3_trigger_unknown
F | C | C | C | C | UNKNOWN |  | NO | UNTRIED | ADD_SCHEMA | L7_schema_untried
F | O | C | C | C | REACHABLE | schema FAIL | YES | UNTRIED | KEEP_PROMPTING | L8_prompt_not_plateaued
F | C | C | C | C | UNKNOWN | schema FAIL | YES | UNTRIED | LORA_OR_DISTIL | L9_lora_untried
C | C | C | F | C | UNKNOWN |  | YES | UNTRIED | SHIP_CACHED_PROMPT | L7_cache_untried
C | C | C | F | C | UNKNOWN | cache FAIL | YES | UNTRIED | LORA_OR_DISTIL | L9_lora_untried
C | C | C | F | C | UNKNOWN | cache NA | NO | UNTRIED | KEEP_PROMPTING | L9_no_payback
C | C | C | F | C | UNKNOWN | cache FAIL | UNKNOWN | UNTRIED | NOT_ENOUGH_EVIDENCE | L9_payback_unknown
C | C | F | C | C | UNKNOWN | cache UNKNOWN | WAIVED | UNTRIED | NOT_ENOUGH_EVIDENCE | L7_cache_unknown
C | C | F | C | C | UNKNOWN | cache FAIL, lora PASS | WAIVED | UNTRIED | LORA_OR_DISTIL | L9_lora_pass
C | F | C | C | C | UNKNOWN |  | YES | UNTRIED | NOT_ENOUGH_EVIDENCE | L6_label_ceiling
C | F | C | C | C | REACHABLE |  | YES | UNTRIED | ADD_RAG | L7_rag_untried
C | F | C | C | C | REACHABLE | rag NA | YES | UNTRIED | DPO | L9_dpo_untried
C | F | C | C | C | REACHABLE | rag NA, dpo NA, lora FAIL, full PASS | YES | UNTRIED | FULL_FINE_TUNE | L9_full_pass
C | F | C | C | C | REACHABLE | all FAIL | YES | UNTRIED | KEEP_PROMPTING | L11_nothing_helps
C | F | C | C | C | REACHABLE | rag NA, dpo NA, lora BETTER, full NA | YES | UNTRIED | LORA_OR_DISTIL | L10_lora_better
C | F | C | C | C | REACHABLE | rag FAIL, dpo NA, lora BETTER, full NA | UNKNOWN | UNTRIED | NOT_ENOUGH_EVIDENCE | L10_payback_unknown
C | C | C | C | F | UNKNOWN |  | WAIVED | UNTRIED | KEEP_PROMPTING | L5_try_selfhosted_prompt
C | C | C | C | F | UNKNOWN |  | WAIVED | FAIL | LORA_OR_DISTIL | L9_lora_untried
C | F | C | C | F | UNREACHABLE |  | WAIVED | FAIL | NOT_ENOUGH_EVIDENCE | L6_label_ceiling";

fn word<T: serde::de::DeserializeOwned>(text: &str) -> T {
    let value = serde_json::Value::String(text.to_lowercase());
    serde_json::from_value(value).unwrap()
}

fn statuses(text: &str) -> [RungStatus; 6] {
    let mut rungs = [RungStatus::Untried; 6];
    for part in text.split(", ").filter(|part| !part.is_empty()) {
        let (rung, status) = part.split_once(' ').unwrap();
        if rung == "all" {
            rungs = [word(status); 6];
        } else {
            rungs[word::<Rung>(rung) as usize] = word(status);
        }
    }
    rungs
}

fn row(line: &str) -> (LadderState, String, String) {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let trigger = |place: usize| match cells[place] {
        "C" => TriggerState::Clear,
        "F" => TriggerState::Fired,
        "O" => TriggerState::Open,
        _ => TriggerState::Unknown,
    };
    let state = LadderState {
        data_usable: true,
        triggers: std::array::from_fn(trigger),
        label: word(cells[5]),
        rungs: statuses(cells[6]),
        payback: word(cells[7]),
        self_hosted_prompt: word(cells[8]),
    };
    let kind = cells[9].to_lowercase().replace('_', "-");
    (state, kind, cells[10].to_owned())
}

#[test]
fn the_table_of_the_methods_holds() {
    for line in TABLE.lines() {
        let (state, kind, rule) = row(line);
        let (got, by) = ladder(&state);
        assert_eq!(serde_json::to_value(got).unwrap(), kind, "{line}");
        assert_eq!(by.to_string(), rule, "{line}");
    }
}

#[test]
fn not_configured_counts_as_clear() {
    for line in TABLE.lines() {
        let (state, ..) = row(line);
        let mut other = state;
        for trigger in &mut other.triggers {
            if *trigger == TriggerState::Clear {
                *trigger = TriggerState::Na;
            }
        }
        assert_eq!(ladder(&other), ladder(&state), "{line}");
    }
}

/// "First k rungs failed, rung k in each status", and the same with one earlier rung better.
fn rung_sequences() -> Vec<[RungStatus; 6]> {
    use RungStatus::{Better, Fail, Na, Pass, Unknown, Untried};
    let mut all = vec![[Fail; 6], [Na; 6], [Better; 6]];
    for place in 0..6 {
        for status in [Pass, Better, Unknown, Untried, Na] {
            for rest in [Fail, Untried] {
                let mut rungs = [Fail; 6];
                rungs[place] = status;
                rungs[place + 1..].fill(rest);
                all.push(rungs);
            }
        }
    }
    all
}

const FREE: [TriggerState; 3] = [TriggerState::Fired, TriggerState::Clear, TriggerState::Unknown];

/// Every combination of triggers.
fn trigger_sets() -> Vec<[TriggerState; 5]> {
    let quality = [FREE.as_slice(), &[TriggerState::Open]].concat();
    let mut all = Vec::new();
    for t1 in FREE {
        for &t2 in &quality {
            for t3 in FREE {
                for t4 in FREE {
                    all.extend(FREE.map(|t5| [t1, t2, t3, t4, t5]));
                }
            }
        }
    }
    all
}

/// Calls `visit` with every combination but those of the rungs.
fn every_state(visit: &mut impl FnMut(LadderState)) {
    let labels = ["reachable", "unreachable", "unknown"].map(word::<LabelCeiling>);
    let paybacks = ["yes", "no", "unknown", "waived"].map(word::<Payback>);
    let hosted = ["pass", "fail", "unknown", "untried"].map(word::<RungStatus>);
    let sequences = rung_sequences();
    for triggers in trigger_sets() {
        for &rungs in &sequences {
            for label in labels {
                for payback in paybacks {
                    for self_hosted_prompt in hosted {
                        visit(LadderState { data_usable: true, triggers, label, rungs, payback, self_hosted_prompt });
                    }
                }
            }
        }
    }
}

#[test]
fn every_combination_has_one_verdict_and_every_rule_is_reached() {
    let mut seen = std::collections::HashSet::new();
    every_state(&mut |state| {
        let (kind, rule) = ladder(&state);
        seen.insert((kind, rule));
        if kind == VerdictKind::KeepPrompting && rule == Rule::NoTrigger {
            assert!(state.triggers.iter().all(|&t| t == TriggerState::Clear));
        }
        if rule.rung().is_some_and(Rung::trains) && rule.phase() != Phase::None {
            assert!(matches!(state.payback, Payback::Yes | Payback::Waived));
        }
    });
    let (kind, rule) = ladder(&LadderState { data_usable: false, ..row(TABLE.lines().next().unwrap()).0 });
    seen.insert((kind, rule));
    let names: BTreeSet<String> = seen.iter().map(|(_, rule)| rule.to_string()).collect();
    assert_eq!(names.len(), seen.len(), "a rule has one verdict");
    let mut expected: BTreeSet<String> = [
        "L1_no_usable_data",
        "L2_iterate",
        "L3_trigger_unknown",
        "L4_no_trigger",
        "L5_try_selfhosted_prompt",
        "L5_ship_selfhosted_prompt",
        "L5_selfhosted_prompt_unknown",
        "L6_label_ceiling",
        "L8_prompt_not_plateaued",
        "L9_no_payback",
        "L9_payback_unknown",
        "L10_payback_unknown",
        "L11_nothing_helps",
    ]
    .map(String::from)
    .into();
    for rung in Rung::ALL {
        let level = if rung.trains() { "L9" } else { "L7" };
        expected.insert(format!("{level}_{}_untried", rung.name()));
        expected.insert(format!("{level}_{}_pass", rung.name()));
        expected.insert(format!("L7_{}_unknown", rung.name()));
        expected.insert(format!("L10_{}_better", rung.name()));
    }
    assert_eq!(names, expected);
}
