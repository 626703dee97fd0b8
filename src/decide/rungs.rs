//! What is known of each rung (METHODS.md 12.2, DESIGN.md 13.8).
//!
//! A rung's variant is the incumbent plus that intervention only; for tuning, any variant tuned that
//! way. Where several were measured, "passes" and "improves" are corrected for their number.

use std::collections::BTreeMap;

use serde::Serialize;

use super::evidence::{Evidence, Metric};
use super::headroom;
use super::ladder::{Rung, RungStatus, TriggerState};
use super::prose;
use super::rivals::{self, Rest};
use super::trained::{self, TrainedReport};
use super::triggers::{self, Trigger, Triggers};
use crate::stats::adjust::holm;
use crate::variant::{Structured, TuningMethod, Variant, VariantId};

/// A rung with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RungReport {
    /// What is known of it.
    pub status: RungStatus,
    /// The variant that shows it, if one was measured.
    pub variant: Option<VariantId>,
    /// How many examples would settle it, where it is unknown and a number can be named.
    pub n_to_settle: Option<u64>,
    /// Why, in a sentence.
    pub explanation: String,
}

impl RungReport {
    fn without_variant(status: RungStatus, explanation: impl Into<String>) -> Self {
        Self { status, variant: None, n_to_settle: None, explanation: explanation.into() }
    }
}

/// Whether a rung's variant gains more than nothing that matters in a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Gain {
    pub(super) place: usize,
    metric: Metric,
    /// One-sided p-value of "gains no more than `delta_min`".
    pub(super) p: f64,
    /// The same, Holm-adjusted over all rungs tried.
    pub(super) p_holm: f64,
}

/// All rungs, and the gains that they rest on.
pub(super) fn all(
    evidence: &Evidence<'_>,
    triggers: &Triggers,
    trained: Option<&TrainedReport>,
) -> (BTreeMap<Rung, RungReport>, Vec<Gain>) {
    let judge = Judge::new(evidence, triggers, trained);
    let rungs = Rung::ALL.into_iter().map(|rung| (rung, judge.rung(rung))).collect();
    (rungs, judge.gains)
}

/// Whether a self-hosted prompted model does it (rule L5).
pub(super) fn self_hosted_prompt(evidence: &Evidence<'_>) -> RungReport {
    let places: Vec<usize> = evidence.prompted().into_iter().filter(|&place| evidence.at(place).self_hosted).collect();
    if places.is_empty() {
        let why = "no self-hosted prompted variant was measured";
        return RungReport::without_variant(RungStatus::Untried, why);
    }
    one_that_suffices(evidence, &places)
}

/// Whether any prompted variant meets every target, whatever else it does; the triggers of time and
/// money read the one in use alone.
pub(super) fn any_prompt(evidence: &Evidence<'_>) -> RungReport {
    // One of which too many answers are missing may be the one: it is not left out.
    let places: Vec<usize> = evidence.prompted().into_iter().filter(|&place| evidence.at(place).is_known()).collect();
    if places.is_empty() {
        return RungReport::without_variant(RungStatus::Untried, "no prompted variant was measured");
    }
    one_that_suffices(evidence, &places)
}

/// The first of these that meets every target, else one that is not shown to miss any.
fn one_that_suffices(evidence: &Evidence<'_>, places: &[usize]) -> RungReport {
    let met_alpha = evidence.alpha() / places.len() as f64;
    let reports = places.iter().map(|&place| {
        let states = on_variant(evidence, place, met_alpha);
        let settled = |t: &Trigger| matches!(t.state, TriggerState::Clear | TriggerState::Na);
        let (status, why) = if !evidence.usable(place) {
            (RungStatus::Unknown, format!("too many answers of {} are missing", evidence.name(place)))
        } else if let Some(missed) = states.iter().find(|t| t.state == TriggerState::Fired) {
            (RungStatus::Fail, missed.explanation.clone())
        } else if let Some(open) = states.iter().find(|t| !settled(t)) {
            (RungStatus::Unknown, open.explanation.clone())
        } else {
            (RungStatus::Pass, format!("{} meets every target", evidence.name(place)))
        };
        RungReport {
            status,
            variant: Some(evidence.at(place).variant.id.clone()),
            n_to_settle: states.iter().filter_map(|t| t.n_to_settle).max(),
            explanation: why,
        }
    });
    strongest(reports)
}

/// T1, quality, T3 and T4 of one variant.
fn on_variant(evidence: &Evidence<'_>, place: usize, met_alpha: f64) -> [Trigger; 4] {
    [
        triggers::validity(evidence, place, met_alpha),
        triggers::quality(evidence, place, met_alpha),
        triggers::latency(evidence, place, met_alpha),
        triggers::cost(evidence, place),
    ]
}

/// The report that says most: pass, better, unknown, fail; the first of equals.
fn strongest(reports: impl Iterator<Item = RungReport>) -> RungReport {
    let rank = |report: &RungReport| match report.status {
        RungStatus::Pass => 0,
        RungStatus::Better => 1,
        RungStatus::Unknown => 2,
        RungStatus::Fail => 3,
        // One that was not trained enough says less than one that was.
        RungStatus::Untried | RungStatus::Na => 4,
    };
    let nothing = || RungReport::without_variant(RungStatus::Untried, "not measured");
    reports.min_by_key(rank).unwrap_or_else(nothing)
}

/// The rung of a tuning method.
pub(super) fn rung_of(method: TuningMethod) -> Rung {
    match method {
        TuningMethod::Dpo => Rung::Dpo,
        TuningMethod::Lora | TuningMethod::Distilled => Rung::Lora,
        TuningMethod::Full => Rung::Full,
    }
}

/// Whether `variant` is `base` plus the rung's intervention and nothing else.
fn adds_only(base: &Variant, variant: &Variant, rung: Rung) -> bool {
    let without_limit = |variant: &Variant| {
        let mut params = variant.params.clone();
        params.remove("max_tokens");
        params
    };
    let same = base.endpoint == variant.endpoint
        && base.prompt == variant.prompt
        && base.shots == variant.shots
        && base.tuned == variant.tuned
        && without_limit(base) == without_limit(variant);
    let schema = base.structured == Structured::Text && variant.structured != Structured::Text;
    let cache = base.cache.is_none() && variant.cache.is_some();
    let retrieval = base.retrieve.is_none() && variant.retrieve.is_some();
    let [same_schema, same_cache, same_documents] =
        [base.structured == variant.structured, base.cache == variant.cache, base.retrieve == variant.retrieve];
    same && match rung {
        Rung::Schema => schema && same_cache && same_documents,
        Rung::Cache => cache && same_schema && same_documents,
        Rung::Rag => retrieval && same_schema && same_cache,
        _ => false,
    }
}

/// Whether a variant uses the rung's intervention, whatever else it does.
fn uses(variant: &Variant, rung: Rung) -> bool {
    match rung {
        Rung::Schema => variant.structured != Structured::Text,
        Rung::Cache => variant.cache.is_some(),
        Rung::Rag => variant.retrieve.is_some(),
        Rung::Dpo | Rung::Lora | Rung::Full => {
            variant.tuned.as_ref().is_some_and(|tuned| rung_of(tuned.method) == rung)
        }
    }
}

struct Judge<'a> {
    evidence: &'a Evidence<'a>,
    triggers: &'a Triggers,
    candidates: BTreeMap<Rung, Vec<usize>>,
    gains: Vec<Gain>,
    /// What a baseline that was trained on the pool says.
    trained: Option<&'a TrainedReport>,
}

impl<'a> Judge<'a> {
    fn new(evidence: &'a Evidence<'a>, triggers: &'a Triggers, trained: Option<&'a TrainedReport>) -> Self {
        let mut judge = Self { evidence, triggers, candidates: BTreeMap::new(), gains: Vec::new(), trained };
        for rung in Rung::ALL {
            judge.candidates.insert(rung, judge.find_candidates(rung));
        }
        judge.gains = judge.adjusted_gains();
        judge
    }

    fn find_candidates(&self, rung: Rung) -> Vec<usize> {
        let Some(incumbent) = self.evidence.incumbent else {
            return Vec::new();
        };
        let base = self.evidence.at(incumbent).variant;
        let today = self.evidence.facts.today;
        let fits = |&place: &usize| {
            let subject = self.evidence.at(place);
            let variant = subject.variant;
            // A model that has stopped answering cannot be shipped.
            let gone = subject.retires.zip(today).is_some_and(|(retires, today)| retires <= today);
            let tuned = rung.trains() && uses(variant, rung) && !gone;
            place != incumbent && (tuned || adds_only(base, variant, rung))
        };
        self.evidence.eligible.iter().copied().filter(fits).collect()
    }

    fn adjusted_gains(&self) -> Vec<Gain> {
        let Some(incumbent) = self.evidence.incumbent else {
            return Vec::new();
        };
        let mut gains = Vec::new();
        for (&rung, places) in &self.candidates {
            for metric in self.needed(rung).iter().filter_map(|&trigger| rate_of(trigger)) {
                for &place in places.iter().filter(|&&place| self.evidence.usable(place)) {
                    let pair = self.evidence.pair(incumbent, place, metric, self.evidence.alpha());
                    let p = pair.p_better_by(self.evidence.delta());
                    gains.push(Gain { place, metric, p, p_holm: p });
                }
            }
        }
        let p: Vec<f64> = gains.iter().map(|gain: &Gain| gain.p).collect();
        holm(&p).into_iter().zip(gains).map(|(p_holm, gain)| Gain { p_holm, ..gain }).collect()
    }

    /// The triggers that the rung must clear: those of its that fired; where none did, those that
    /// are configured, so that the status still says something true.
    fn needed(&self, rung: Rung) -> Vec<usize> {
        let states = self.triggers.states();
        let those = |wanted: &dyn Fn(TriggerState) -> bool| -> Vec<usize> {
            rung.relevant_to().iter().copied().filter(|&place| wanted(states[place])).collect()
        };
        let fired = those(&|state| state == TriggerState::Fired);
        if fired.is_empty() { those(&|state| state != TriggerState::Na) } else { fired }
    }

    fn rung(&self, rung: Rung) -> RungReport {
        let mut report = self.status(rung);
        if let Some(bound) = self.upper_bound().filter(|_| rung == Rung::Rag && report.status != RungStatus::Na) {
            report.explanation.push_str(&bound);
        }
        let learns = matches!(rung, Rung::Lora | Rung::Full) && report.status == RungStatus::Untried;
        if let Some(said) = self.trained.and_then(trained::of_rung).filter(|_| learns) {
            report.explanation = format!("{}; {said}", report.explanation);
        }
        report
    }

    /// What the incumbent reaches with the right documents before it, where that was measured: no
    /// retrieval does better.
    fn upper_bound(&self) -> Option<String> {
        let base = self.evidence.at(self.evidence.incumbent?).variant;
        let subjects = &self.evidence.subjects;
        let mut places = 0..subjects.len();
        // The incumbent may retrieve already; then it is what the oracle is the bound of.
        let plain = Variant { retrieve: None, ..base.clone() };
        let bound = places.find(|&place| {
            let subject = &subjects[place];
            subject.is_bound() && adds_only(&plain, subject.variant, Rung::Rag) && self.evidence.usable(place)
        })?;
        let rate = self.evidence.estimate(bound, Metric::Accuracy, self.evidence.alpha());
        let name = self.evidence.name(bound);
        Some(format!(
            "; with the right documents given ({name}) accuracy is {}, a bound on retrieving them",
            prose::rate(&rate)
        ))
    }

    fn status(&self, rung: Rung) -> RungReport {
        if self.evidence.facts.impossible.iter().any(|name| name == rung.name()) {
            return RungReport::without_variant(RungStatus::Na, "declared impossible");
        }
        let places = self.candidates.get(&rung).map_or(&[][..], Vec::as_slice);
        let incumbent = self.evidence.incumbent;
        if let Some(incumbent) = incumbent.filter(|_| !places.is_empty()) {
            let met_alpha = self.evidence.alpha() / places.len() as f64;
            // Of those that show as much, the most accurate one stands for the rung.
            let mut places = places.to_vec();
            let mean =
                |place: usize| self.evidence.bounds(place, Metric::Accuracy, met_alpha).known.mean.unwrap_or(0.0);
            places.sort_by(|&a, &b| mean(b).total_cmp(&mean(a)));
            let judge = |&place: &usize| (place, self.variant(rung, incumbent, place, met_alpha));
            let mut judged: Vec<(usize, RungReport)> = places.iter().map(judge).collect();
            // One that fails and was not trained enough says no more of the rung than one that was not trained enough.
            if judged.iter().any(|(_, report)| report.status == RungStatus::Untried) {
                let fails = |report: &RungReport| report.status == RungStatus::Fail;
                judged.retain(|(place, report)| !(fails(report) && self.is_undertrained(*place)));
            }
            return strongest(judged.into_iter().map(|(_, report)| report));
        }
        match incumbent.filter(|&place| uses(self.evidence.at(place).variant, rung)) {
            Some(incumbent) => self.in_use(rung, incumbent),
            None => self.untried(rung),
        }
    }

    /// The incumbent itself uses it: then its triggers say whether it is enough.
    fn in_use(&self, rung: Rung, incumbent: usize) -> RungReport {
        let states = self.triggers.in_order();
        let needed: Vec<&Trigger> = self.needed(rung).into_iter().map(|place| states[place]).collect();
        let any = |state: TriggerState| needed.iter().any(|trigger| trigger.state == state);
        let (status, outcome) = if any(TriggerState::Fired) {
            (RungStatus::Fail, "a target is still missed")
        } else if any(TriggerState::Unknown) || any(TriggerState::Open) {
            (RungStatus::Unknown, "whether it is enough is not shown")
        } else {
            (RungStatus::Pass, "its targets are met")
        };
        RungReport {
            status,
            variant: Some(self.evidence.at(incumbent).variant.id.clone()),
            n_to_settle: needed.iter().filter_map(|trigger| trigger.n_to_settle).max(),
            explanation: format!("in use already by {}; {outcome}", self.evidence.name(incumbent)),
        }
    }

    fn untried(&self, rung: Rung) -> RungReport {
        if let Some(why) = headroom::cannot_help(self.evidence, self.triggers, rung) {
            return RungReport::without_variant(RungStatus::Na, why);
        }
        let others: Vec<String> = self
            .evidence
            .eligible
            .iter()
            .filter(|&&place| uses(self.evidence.at(place).variant, rung))
            .map(|&place| self.evidence.name(place))
            .collect();
        let why = match self.evidence.incumbent {
            Some(incumbent) if !others.is_empty() => format!(
                "not measured as {} plus this alone; {} differ in more than that",
                self.evidence.name(incumbent),
                others.join(", ")
            ),
            _ => "not measured".to_owned(),
        };
        RungReport::without_variant(RungStatus::Untried, why)
    }

    /// One measured variant of the rung against the incumbent.
    fn variant(&self, rung: Rung, incumbent: usize, place: usize, met_alpha: f64) -> RungReport {
        let name = self.evidence.name(place);
        let mut report = RungReport {
            status: RungStatus::Unknown,
            variant: Some(self.evidence.at(place).variant.id.clone()),
            n_to_settle: None,
            explanation: format!("too many answers of {name} are missing"),
        };
        if !self.evidence.usable(place) {
            return report;
        }
        let rest = rivals::no_worse(self.evidence, incumbent, place, met_alpha);
        let reached = self.reached(rung, place, met_alpha);
        let gain = self.gain(rung, incumbent, place);
        let over_light = self.over_light_tuning(rung, place);
        let missed = reached.iter().find(|trigger| trigger.state == TriggerState::Fired);
        let clears = reached.iter().all(|t| matches!(t.state, TriggerState::Clear | TriggerState::Na));
        let (status, why) = match (&rest, missed, gain) {
            (Rest::Worse(what), ..) => (RungStatus::Fail, what.clone()),
            (Rest::NoWorse, ..) if clears => over_light,
            // Better, and still short: a step that may suffice is not passed over for a dearer one.
            (Rest::NoWorse, Some(missed), Some(gain)) => {
                (RungStatus::Better, format!("{gain}; {}", missed.explanation))
            }
            // What it gains is shown; that it loses nothing elsewhere is not yet.
            (Rest::Unknown(what, _), Some(_), Some(gain)) => {
                (RungStatus::Unknown, prose::sentences(&[gain, what.clone()]))
            }
            (_, Some(missed), _) => (RungStatus::Fail, missed.explanation.clone()),
            (Rest::Unknown(what, _), ..) => (RungStatus::Unknown, what.clone()),
            (Rest::NoWorse, None, gain) => {
                let open = reached.iter().find(|t| !matches!(t.state, TriggerState::Clear | TriggerState::Na));
                let open = open.map_or_else(String::new, |trigger| trigger.explanation.clone());
                (RungStatus::Unknown, prose::sentences(&[gain.unwrap_or_default(), open]))
            }
        };
        let fired = self.needed(rung).into_iter().zip(&reached).filter(|(_, t)| t.state == TriggerState::Fired);
        let short =
            fired.clone().count() > 0 && fired.map(|(at, _)| rate_of(at)).all(|of| of == Some(Metric::Accuracy));
        let excused = short && !matches!(rest, Rest::Worse(_));
        (report.status, report.explanation) = self.trained_enough(place, (status, why), excused);
        if status == RungStatus::Unknown {
            let of_rest = if let Rest::Unknown(_, n) = rest { n } else { None };
            report.n_to_settle = reached.iter().filter_map(|t| t.n_to_settle).max().max(of_rest);
        }
        report
    }

    fn is_undertrained(&self, place: usize) -> bool {
        self.trained.is_some_and(|trained| trained.undertrained.contains(&self.evidence.at(place).variant.id))
    }

    /// A tuned variant that misses nothing but the accuracy target, and is shown to be below what a linear classifier
    /// learns from the same labels, was not trained enough: it says nothing of what its rung reaches.
    fn trained_enough(&self, place: usize, found: (RungStatus, String), excused: bool) -> (RungStatus, String) {
        let short = excused && matches!(found.0, RungStatus::Fail | RungStatus::Better);
        if !(short && self.is_undertrained(place)) {
            return found;
        }
        let name = self.evidence.name(place);
        let why = format!(
            "{name} is below a classifier trained on the same pool, so it was not trained enough to say what this step \
             reaches: {}",
            found.1
        );
        (RungStatus::Untried, why)
    }

    /// The needed triggers, asked of the rung's variant.
    fn reached(&self, rung: Rung, place: usize, met_alpha: f64) -> Vec<Trigger> {
        let states = on_variant(self.evidence, place, met_alpha);
        let needed = self.needed(rung);
        let eligible = Trigger::bare(TriggerState::Clear, "it may serve the task");
        needed.into_iter().map(|at| states.get(at).unwrap_or(&eligible).clone()).collect()
    }

    /// What the variant improves by more than nothing that matters, if anything.
    fn gain(&self, rung: Rung, incumbent: usize, place: usize) -> Option<String> {
        let names = (self.evidence.name(place), self.evidence.name(incumbent));
        self.needed(rung).into_iter().find_map(|trigger| match (trigger, rate_of(trigger)) {
            (_, Some(metric)) => {
                let shown = |gain: &&Gain| {
                    (gain.place, gain.metric) == (place, metric) && gain.p_holm < self.evidence.alpha() / 2.0
                };
                self.gains.iter().find(shown)?;
                let pair = self.evidence.pair(incumbent, place, metric, self.evidence.alpha());
                let what = if metric == Metric::Accuracy { "accuracy" } else { "schema validity" };
                let by = prose::difference(&pair.difference.estimate(self.evidence.alpha()));
                Some(format!("{what} of {} is above {} by {by}", names.0, names.1))
            }
            (2, _) => rivals::faster(self.evidence, incumbent, place)
                .then(|| format!("{} is at least 10% faster than {}", names.0, names.1)),
            (3, _) => rivals::cheaper(self.evidence, incumbent, place)
                .then(|| format!("{} is at least 10% cheaper than {}", names.0, names.1)),
            _ => None,
        })
    }

    /// A variant that passes; a full fine-tune must beat a measured light one as well.
    fn over_light_tuning(&self, rung: Rung, place: usize) -> (RungStatus, String) {
        let name = self.evidence.name(place);
        let judged = self.evidence.setting.latency_comparable || self.evidence.facts.targets.ttft_p95_ms.is_none();
        let but = if judged { "" } else { " (its times are not judged)" };
        let passes = format!("{name} meets the targets it is for and is no worse than the one in use{but}");
        let light = self.candidates.get(&Rung::Lora).map_or(&[][..], Vec::as_slice);
        let (alpha, delta) = (self.evidence.alpha(), self.evidence.delta());
        if rung == Rung::Full {
            for &light in light.iter().filter(|&&light| self.evidence.usable(light)) {
                let gain = self.evidence.pair(light, place, Metric::Accuracy, alpha).difference.interval;
                let against = format!("{name} against {}", self.evidence.name(light));
                if gain.high <= delta {
                    return (RungStatus::Fail, format!("{against}: no gain that matters"));
                }
                if gain.low <= delta {
                    return (RungStatus::Unknown, format!("{against}: a gain that matters is not shown"));
                }
            }
        }
        (RungStatus::Pass, passes)
    }
}

/// The rate that a trigger reads, if it reads one.
fn rate_of(trigger: usize) -> Option<Metric> {
    match trigger {
        0 => Some(Metric::Validity),
        1 => Some(Metric::Accuracy),
        _ => None,
    }
}
