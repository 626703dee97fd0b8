//! The rule table of METHODS.md 12.3: a pure function from states to one verdict.
//!
//! First match wins; every combination of states gives exactly one verdict, which the enumeration
//! in the tests shows. A verdict is the *next action*: after it the ladder is asked again.

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// What a trigger says (METHODS.md 12.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerState {
    /// The target is missed, beyond noise.
    Fired,
    /// The target is met, beyond noise.
    Clear,
    /// Only of quality: every prompt misses the target, but prompting has not levelled off.
    Open,
    /// Neither is shown.
    Unknown,
    /// No target is configured.
    Na,
}

/// A rung, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// Native structured output or a forced tool call.
    Schema,
    /// The provider's prompt cache.
    Cache,
    /// Retrieval.
    Rag,
    /// Preference tuning.
    Dpo,
    /// A low-rank adapter, or distillation.
    Lora,
    /// All weights.
    Full,
}

impl Rung {
    /// All rungs in order.
    pub const ALL: [Self; 6] = [Self::Schema, Self::Cache, Self::Rag, Self::Dpo, Self::Lora, Self::Full];

    /// Its name in suites and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Cache => "cache",
            Self::Rag => "rag",
            Self::Dpo => "dpo",
            Self::Lora => "lora",
            Self::Full => "full",
        }
    }

    /// Whether it trains a model.
    pub fn trains(self) -> bool {
        matches!(self, Self::Dpo | Self::Lora | Self::Full)
    }

    /// The triggers it can clear, as places in [`LadderState::triggers`].
    pub fn relevant_to(self) -> &'static [usize] {
        match self {
            Self::Schema => &[0],
            Self::Cache => &[2, 3],
            Self::Rag | Self::Dpo => &[1],
            Self::Lora | Self::Full => &[0, 1, 2, 3, 4],
        }
    }

    /// The verdict that recommends it.
    pub fn verdict(self) -> VerdictKind {
        match self {
            Self::Schema => VerdictKind::AddSchema,
            Self::Cache => VerdictKind::ShipCachedPrompt,
            Self::Rag => VerdictKind::AddRag,
            Self::Dpo => VerdictKind::Dpo,
            Self::Lora => VerdictKind::LoraOrDistil,
            Self::Full => VerdictKind::FullFineTune,
        }
    }
}

/// What is known of a rung (METHODS.md 12.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RungStatus {
    /// Measured: clears what it should and is no worse elsewhere.
    Pass,
    /// Measured: clears less, but improves and is no worse elsewhere.
    Better,
    /// Measured: does not help, or is worse elsewhere.
    Fail,
    /// Measured, but nothing is shown.
    Unknown,
    /// Not measured.
    Untried,
    /// Cannot help, or is declared impossible.
    Na,
}

/// Whether the labels are good enough for the accuracy target (METHODS.md 8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelCeiling {
    /// A perfect system would reach the target.
    Reachable,
    /// Not even a perfect system would.
    Unreachable,
    /// Not shown; also without an audit.
    Unknown,
}

/// Whether training pays back within the horizon (METHODS.md 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payback {
    /// Even at the dear end.
    Yes,
    /// Not even at the cheap end.
    No,
    /// Neither is shown.
    Unknown,
    /// A legal or hard latency need is not decided by payback.
    Waived,
}

/// The next action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictKind {
    /// The data cannot decide.
    NotEnoughEvidence,
    /// Stay with the prompt.
    KeepPrompting,
    /// Native structured output or a forced tool call.
    AddSchema,
    /// The provider's prompt cache.
    ShipCachedPrompt,
    /// Retrieval.
    AddRag,
    /// Preference tuning.
    Dpo,
    /// A low-rank adapter, or distillation.
    LoraOrDistil,
    /// All weights.
    FullFineTune,
}

/// Whether the action is to be tried or shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Not measured yet.
    Try,
    /// Measured.
    Ship,
    /// Neither applies.
    None,
}

/// The rule that matched; its name is stable and begins with the number in METHODS.md 12.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// L1: no usable data.
    NoData,
    /// L2: nothing fired, prompting is still open.
    Iterate,
    /// L3: nothing fired, something is unknown.
    TriggerUnknown,
    /// L4: every trigger is clear or not configured.
    NoTrigger,
    /// L5: a self-hosted prompted model, by its status.
    SelfHosted(RungStatus),
    /// L6: the labels may not allow the target.
    LabelCeiling,
    /// L7 or, for training rungs that are not unknown, L9: the next rung, by its status.
    Next(Rung, RungStatus),
    /// L8: prompting has not levelled off.
    NotPlateaued,
    /// L9: training does not pay back.
    NoPayback,
    /// L9: whether training pays back is not known.
    PaybackUnknown,
    /// L10: the first rung that improves without reaching the target.
    Better(Rung),
    /// L10: as before, but whether it pays back is not known.
    BetterPaybackUnknown,
    /// L11: nothing measured helps or pays.
    NothingHelps,
    /// Beside METHODS.md 12.3: another prompted variant than the one in use meets every target, or may.
    OtherPrompt(RungStatus),
}

impl Rule {
    /// Whether the action is to be tried or shipped.
    pub fn phase(self) -> Phase {
        match self {
            Self::SelfHosted(RungStatus::Untried) | Self::Next(_, RungStatus::Untried) => Phase::Try,
            Self::SelfHosted(RungStatus::Pass)
            | Self::OtherPrompt(RungStatus::Pass)
            | Self::Next(_, RungStatus::Pass)
            | Self::Better(_) => Phase::Ship,
            _ => Phase::None,
        }
    }

    /// The rung it is about, if any.
    pub fn rung(self) -> Option<Rung> {
        match self {
            Self::Next(rung, _) | Self::Better(rung) => Some(rung),
            _ => None,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoData => "L1_no_usable_data",
            Self::Iterate => "L2_iterate",
            Self::TriggerUnknown => "L3_trigger_unknown",
            Self::NoTrigger => "L4_no_trigger",
            Self::SelfHosted(RungStatus::Untried) => "L5_try_selfhosted_prompt",
            Self::SelfHosted(RungStatus::Pass) => "L5_ship_selfhosted_prompt",
            Self::SelfHosted(_) => "L5_selfhosted_prompt_unknown",
            Self::LabelCeiling => "L6_label_ceiling",
            Self::Next(rung, status) => {
                let trains = rung.trains() && *status != RungStatus::Unknown;
                let level = if trains { "L9" } else { "L7" };
                let status = match status {
                    RungStatus::Pass => "pass",
                    RungStatus::Unknown => "unknown",
                    _ => "untried",
                };
                return write!(f, "{level}_{}_{status}", rung.name());
            }
            Self::NotPlateaued => "L8_prompt_not_plateaued",
            Self::NoPayback => "L9_no_payback",
            Self::PaybackUnknown => "L9_payback_unknown",
            Self::Better(rung) => return write!(f, "L10_{}_better", rung.name()),
            Self::BetterPaybackUnknown => "L10_payback_unknown",
            Self::NothingHelps => "L11_nothing_helps",
            Self::OtherPrompt(RungStatus::Pass) => "L8_other_prompt_meets_targets",
            Self::OtherPrompt(_) => "L8_other_prompt_unknown",
        })
    }
}

impl Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// All that the rules read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LadderState {
    /// Whether there is any usable data (L1).
    pub data_usable: bool,
    /// T1 to T5 in order.
    pub triggers: [TriggerState; 5],
    /// The label ceiling.
    pub label: LabelCeiling,
    /// The rungs in the order of [`Rung::ALL`].
    pub rungs: [RungStatus; 6],
    /// Whether training pays back.
    pub payback: Payback,
    /// A self-hosted prompted model: pass, fail, unknown or untried.
    pub self_hosted_prompt: RungStatus,
}

impl LadderState {
    /// Whether the trigger at this place has fired.
    pub fn fired(&self, trigger: usize) -> bool {
        self.triggers.get(trigger) == Some(&TriggerState::Fired)
    }

    /// The rung's status.
    pub fn status(&self, rung: Rung) -> RungStatus {
        self.rungs[rung as usize]
    }

    /// The rungs that may clear a trigger that has fired, in order.
    pub fn relevant(&self) -> impl Iterator<Item = Rung> + '_ {
        let fired = |rung: &Rung| rung.relevant_to().iter().any(|&place| self.fired(place));
        Rung::ALL.into_iter().filter(fired)
    }

    /// Whether it is still open if any of these rungs is needed.
    pub fn unsettled(&self, rungs: &[Rung]) -> bool {
        let open = |place: &usize| matches!(self.triggers[*place], TriggerState::Open | TriggerState::Unknown);
        !self.data_usable || rungs.iter().flat_map(|rung| rung.relevant_to()).any(open)
    }
}

/// [`ladder`], with one guard more: the triggers of validity, time and money read the variant in use
/// alone, so where one has fired, another prompted variant that meets every target is shipped before
/// anything is tried or trained, and one that may meet them all is measured before anything is trained.
pub fn guarded(state: &LadderState, any_prompt: RungStatus) -> (VerdictKind, Rule) {
    let (kind, rule) = ladder(state);
    let fired = state.data_usable && (0..5).any(|place| state.fired(place));
    let trains = rule.rung().is_some_and(Rung::trains);
    let cheaper_ships = rule.phase() == Phase::Ship && !trains;
    match any_prompt {
        RungStatus::Pass if fired && !cheaper_ships => {
            (VerdictKind::KeepPrompting, Rule::OtherPrompt(RungStatus::Pass))
        }
        RungStatus::Unknown if fired && trains && kind == rule.rung().map_or(kind, Rung::verdict) => {
            (VerdictKind::NotEnoughEvidence, Rule::OtherPrompt(RungStatus::Unknown))
        }
        _ => (kind, rule),
    }
}

/// The next action and the rule that says so (METHODS.md 12.3).
pub fn ladder(state: &LadderState) -> (VerdictKind, Rule) {
    use VerdictKind::{KeepPrompting, NotEnoughEvidence};
    if !state.data_usable {
        return (NotEnoughEvidence, Rule::NoData);
    }
    if (0..5).all(|place| !state.fired(place)) {
        return nothing_fired(state);
    }
    if state.fired(4) {
        match state.self_hosted_prompt {
            status @ (RungStatus::Pass | RungStatus::Untried) => {
                return (KeepPrompting, Rule::SelfHosted(status));
            }
            RungStatus::Unknown => {
                return (NotEnoughEvidence, Rule::SelfHosted(RungStatus::Unknown));
            }
            RungStatus::Fail | RungStatus::Better | RungStatus::Na => {}
        }
    }
    if state.fired(1) && state.label != LabelCeiling::Reachable {
        return (NotEnoughEvidence, Rule::LabelCeiling);
    }
    let undecided =
        |rung: &Rung| matches!(state.status(*rung), RungStatus::Pass | RungStatus::Unknown | RungStatus::Untried);
    let next = state.relevant().find(undecided);
    next.map_or_else(|| best_of_the_rest(state), |rung| next_rung(state, rung))
}

/// L2 to L4.
fn nothing_fired(state: &LadderState) -> (VerdictKind, Rule) {
    if state.triggers[1] == TriggerState::Open {
        return (VerdictKind::KeepPrompting, Rule::Iterate);
    }
    let settled = |t: &TriggerState| matches!(t, TriggerState::Clear | TriggerState::Na);
    if state.triggers.iter().all(settled) {
        (VerdictKind::KeepPrompting, Rule::NoTrigger)
    } else {
        (VerdictKind::NotEnoughEvidence, Rule::TriggerUnknown)
    }
}

/// L7 to L9 for the next rung, which is passed, unknown or untried.
fn next_rung(state: &LadderState, rung: Rung) -> (VerdictKind, Rule) {
    let status = state.status(rung);
    let rule = Rule::Next(rung, status);
    if status == RungStatus::Unknown {
        return (VerdictKind::NotEnoughEvidence, rule);
    }
    if !rung.trains() {
        return (rung.verdict(), rule);
    }
    let only_validity = state.fired(0) && (1..5).all(|place| !state.fired(place));
    if state.triggers[1] == TriggerState::Open && only_validity {
        return (VerdictKind::KeepPrompting, Rule::NotPlateaued);
    }
    match state.payback {
        Payback::No => (VerdictKind::KeepPrompting, Rule::NoPayback),
        Payback::Unknown => (VerdictKind::NotEnoughEvidence, Rule::PaybackUnknown),
        Payback::Yes | Payback::Waived => (rung.verdict(), rule),
    }
}

/// L10 and L11: every relevant rung failed, merely improved, or cannot help.
fn best_of_the_rest(state: &LadderState) -> (VerdictKind, Rule) {
    for rung in state.relevant() {
        if state.status(rung) != RungStatus::Better {
            continue;
        }
        match state.payback {
            Payback::No if rung.trains() => {}
            Payback::Unknown if rung.trains() => {
                return (VerdictKind::NotEnoughEvidence, Rule::BetterPaybackUnknown);
            }
            _ => return (rung.verdict(), Rule::Better(rung)),
        }
    }
    (VerdictKind::KeepPrompting, Rule::NothingHelps)
}
