//! The rule table of the decision ladder (METHODS.md 12.3).

use std::collections::HashMap;

use serde_json::Value;

use super::input::word_of;
use super::{CalcError, Fallback, Input, Method, Output, field, with_default};
use crate::decide::ladder::{LabelCeiling, LadderState, Payback, Rung, RungStatus, TriggerState, ladder};

const TRIGGERS: [&str; 5] = ["T1", "T2", "T3", "T4", "T5"];

const STATES: &[(&str, TriggerState)] = &[
    ("clear", TriggerState::Clear),
    ("fired", TriggerState::Fired),
    ("unknown", TriggerState::Unknown),
    ("na", TriggerState::Na),
];

const STATUSES: &[(&str, RungStatus)] = &[
    ("pass", RungStatus::Pass),
    ("better", RungStatus::Better),
    ("fail", RungStatus::Fail),
    ("unknown", RungStatus::Unknown),
    ("untried", RungStatus::Untried),
    ("na", RungStatus::Na),
];

const SELF_HOSTED: &[(&str, RungStatus)] = &[
    ("pass", RungStatus::Pass),
    ("fail", RungStatus::Fail),
    ("unknown", RungStatus::Unknown),
    ("untried", RungStatus::Untried),
];

const LABELS: &[(&str, LabelCeiling)] = &[
    ("reachable", LabelCeiling::Reachable),
    ("unreachable", LabelCeiling::Unreachable),
    ("unknown", LabelCeiling::Unknown),
];

const PAYBACKS: &[(&str, Payback)] =
    &[("yes", Payback::Yes), ("no", Payback::No), ("unknown", Payback::Unknown), ("waived", Payback::Waived)];

pub(super) const LADDER: Method = Method {
    name: "ladder",
    section: "12.3",
    question: "Given what each trigger and each rung shows, what is the next action?",
    formula: "the first rule that matches; relevant = may clear a trigger that fired\n\
              L1 data cannot be used: not-enough-evidence\n\
              L2 nothing fired, T2 open: keep-prompting; L3 nothing fired, something unknown: not-enough-evidence\n\
              L4 all clear or na: keep-prompting\n\
              L5 T5 fired: self-hosted prompt pass or untried: keep-prompting; unknown: not-enough-evidence; fail: go on\n\
              L6 T2 fired and label not reachable: not-enough-evidence\n\
              next = first relevant of schema, cache, rag, dpo, lora, full that is pass, unknown or untried\n\
              L7 next unknown: not-enough-evidence; schema: add-schema; cache: ship-cached-prompt; rag: add-rag\n\
              L8 next trains, T2 open, only T1 fired: keep-prompting\n\
              L9 next trains: payback no: keep-prompting; unknown: not-enough-evidence; else dpo, lora-or-distil, \
              full-fine-tune\n\
              L10 none next: the first better one (training only if payback is yes or waived; unknown: \
              not-enough-evidence)\n\
              L11 nothing left: keep-prompting",
    source: "METHODS.md 12: five triggers, six questions, first match wins",
    inputs: &[
        field("data", "`ok`, or the reason why the data cannot be used"),
        field("triggers", "T1 to T5, each clear, fired, unknown or na; T2 also open"),
        with_default("label", "label ceiling: reachable, unreachable or unknown", Fallback::Word("unknown")),
        with_default(
            "interventions",
            "status of schema, cache, rag, dpo, lora, full: pass, better, fail, unknown, untried or na",
            Fallback::Said("untried each"),
        ),
        with_default("payback", "yes, no, unknown or waived", Fallback::Word("unknown")),
        with_default(
            "selfhosted_prompt",
            "a prompted self-hosted model: pass, fail, unknown or untried",
            Fallback::Word("untried"),
        ),
    ],
    outputs: &[
        field(
            "verdict",
            "keep-prompting, add-schema, ship-cached-prompt, add-rag, dpo, lora-or-distil, full-fine-tune or \
             not-enough-evidence",
        ),
        field("rule", "the rule that matched, such as L9_lora_untried"),
    ],
    example: r#"{"data": "ok", "triggers": {"T1": "clear", "T2": "fired", "T3": "clear", "T4": "clear", "T5": "clear"}, "label": "reachable", "interventions": {"rag": "na"}, "payback": "yes"}"#,
    run: next_action,
};

fn next_action(input: &Input) -> Result<Output, CalcError> {
    let rungs = input.object("interventions", &Rung::ALL.map(Rung::name))?.unwrap_or_default();
    let status = |rung: Rung| match rungs.get(rung.name()) {
        Some(value) => word_of(&format!("interventions.{}", rung.name()), value, STATUSES),
        None => Ok(RungStatus::Untried),
    };
    let [schema, cache, rag, dpo, lora, full] = Rung::ALL.map(status);
    let state = LadderState {
        data_usable: input.text("data")?.eq_ignore_ascii_case("ok"),
        triggers: triggers(input)?,
        label: input.word("label", LABELS)?,
        rungs: [schema?, cache?, rag?, dpo?, lora?, full?],
        payback: input.word("payback", PAYBACKS)?,
        self_hosted_prompt: input.word("selfhosted_prompt", SELF_HOSTED)?,
    };
    let (verdict, rule) = ladder(&state);
    Ok(Output::new().word("verdict", verdict).word("rule", rule))
}

fn triggers(input: &Input) -> Result<[TriggerState; 5], CalcError> {
    let given: HashMap<&str, &Value> = input.object("triggers", &TRIGGERS)?.unwrap_or_default();
    let state = |name: &'static str| {
        let field = format!("triggers.{name}");
        let value = given.get(name).copied().unwrap_or(&Value::Null);
        if name == "T2" {
            let open = [STATES, &[("open", TriggerState::Open)]].concat();
            return word_of(&field, value, &open);
        }
        word_of(&field, value, STATES)
    };
    let [validity, quality, latency, cost, compliance] = TRIGGERS.map(state);
    Ok([validity?, quality?, latency?, cost?, compliance?])
}
