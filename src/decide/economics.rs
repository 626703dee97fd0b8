//! When would training pay back (METHODS.md 7)?

use serde::Serialize;

use super::evidence::{Evidence, Metric};
use super::ladder::{Payback, Rung};
use super::prose;
use super::rivals::{self, Rest};
use crate::stats::cost::{self, BreakEvenInput};
use crate::stats::{Answer3, Estimate, Interval};
use crate::suite::{Economics, Range};
use crate::variant::VariantId;

/// When training pays back, with its range.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BreakEven {
    /// Whether it does within the horizon; waived where a legal or latency need decides.
    pub answer: Payback,
    /// Months in the middle of every range; `None` is never, or not known.
    pub months: Option<f64>,
    /// Months at the cheap end.
    pub months_low: Option<f64>,
    /// Months at the dear end.
    pub months_high: Option<f64>,
    /// The configured horizon, or the months that the tuned model has left where those are fewer.
    pub horizon_months: f64,
    /// The day (YYYY-MM-DD) on which the tuned model stops answering, where that ends the horizon.
    pub retires: Option<String>,
    /// Of the ranges of saving, volume, fixed cost and upkeep, each taken evenly, the share in which it
    /// pays back within the horizon. No probability.
    pub share_of_ranges: Option<f64>,
    /// Requests a month from which it pays back within the horizon, at the cheap end.
    pub volume_low: Option<f64>,
    /// The same at the dear end.
    pub volume_high: Option<f64>,
    /// Requests a month at or below which upkeep eats the saving, so that it never pays back; 0 where
    /// there is no upkeep and it pays back some day.
    pub volume_floor: Option<f64>,
    /// What a request saves, in USD, if known.
    pub saving_usd: Option<Estimate>,
    /// What a year saves at the middle of the volume, upkeep not taken off, in USD.
    pub saving_usd_per_year: Option<f64>,
    /// Training and labelling together, in USD.
    pub fixed_usd: Range,
    /// Upkeep a month, in USD.
    pub upkeep_usd_per_month: Range,
    /// Requests a month.
    pub requests_per_month: Range,
    /// The tuned variant it is about, if one was measured.
    pub variant: Option<VariantId>,
    /// Why the saving may be bought with errors, where that is not excluded.
    pub caveat: Option<String>,
    /// Why, in a sentence.
    pub explanation: String,
}

/// Labelling and training together.
pub(super) fn fixed_cost(economics: &Economics) -> Range {
    Range {
        low: economics.training_usd.low + economics.labelling_usd.low,
        high: economics.training_usd.high + economics.labelling_usd.high,
    }
}

/// Days of a month, on average.
const DAYS_A_MONTH: f64 = 365.25 / 12.0;

/// The horizon for a tuned variant: it brings nothing after the day on which it retires.
fn horizon(evidence: &Evidence<'_>, economics: &Economics, place: usize) -> (f64, Option<String>) {
    let left = evidence.facts.today.zip(evidence.at(place).retires).map(|(today, retires)| {
        let days = today.duration_until(retires).as_hours() as f64 / 24.0;
        (days.max(0.0) / DAYS_A_MONTH, retires.to_string())
    });
    match left {
        Some((months, day)) if months < economics.horizon_months => (months, Some(day)),
        _ => (economics.horizon_months, None),
    }
}

fn interval(range: Range) -> Interval {
    Interval { low: range.low, high: range.high }
}

fn input(economics: &Economics, horizon_months: f64, volume: f64, saving: &Estimate) -> BreakEvenInput {
    let range = saving.interval();
    BreakEvenInput {
        saving: saving.point.unwrap_or(f64::midpoint(range.low, range.high)),
        saving_range: range,
        volume,
        overhead: interval(economics.upkeep_usd_per_month),
        fixed: interval(fixed_cost(economics)),
        horizon_months,
    }
}

/// The break-even at one volume; `None` for figures that make no sense.
fn at_volume(economics: &Economics, horizon_months: f64, volume: f64, saving: &Estimate) -> Option<cost::BreakEven> {
    cost::break_even(&input(economics, horizon_months, volume, saving)).ok()
}

/// The payback for the rules, and the break-even for people; `waived` where T3 or T5 has fired. `of` is
/// the tuned variant that is to be shipped; without one, the measured one that saves most stands for
/// what tuning saves.
pub(super) fn payback(
    evidence: &Evidence<'_>,
    waived: bool,
    of: Option<usize>,
) -> (Payback, Option<BreakEven>, String) {
    let when_waived = |answer: Payback| if waived { Payback::Waived } else { answer };
    let unknown = |why: &str| (when_waived(Payback::Unknown), None, why.to_owned());
    let Some(economics) = evidence.facts.economics else {
        return unknown("what training costs is not configured in `[economics]`");
    };
    let usable = fixed_cost(economics).high.is_finite() && economics.horizon_months > 0.0;
    let Some(volumes) = evidence.volume().filter(|_| usable) else {
        return unknown("the number of requests a month is not configured");
    };
    let Some(incumbent) = evidence.incumbent else {
        return unknown("no variant in use was measured");
    };
    let known = match best_saving(evidence, (incumbent, of), economics) {
        Ok(Some(best)) => from_saving(evidence, economics, volumes, best),
        Ok(None) => at_most(evidence, economics, volumes, incumbent),
        Err(why) => nothing(economics, volumes, why),
    };
    let note = if waived { "payback is waived, since time or law decides; " } else { "" };
    let explanation = format!("{note}{}", known.explanation);
    let known = BreakEven { answer: when_waived(known.answer), explanation, ..known };
    (known.answer, Some(known.clone()), known.explanation)
}

fn nothing(economics: &Economics, (low, high): (f64, f64), explanation: String) -> BreakEven {
    BreakEven {
        answer: Payback::Unknown,
        months: None,
        months_low: None,
        months_high: None,
        horizon_months: economics.horizon_months,
        retires: None,
        share_of_ranges: None,
        volume_low: None,
        volume_high: None,
        volume_floor: None,
        saving_usd: None,
        saving_usd_per_year: None,
        fixed_usd: fixed_cost(economics),
        upkeep_usd_per_month: economics.upkeep_usd_per_month,
        requests_per_month: Range { low, high },
        variant: None,
        caveat: None,
        explanation,
    }
}

/// A tuned variant with a known saving.
struct Saving {
    place: usize,
    each: Estimate,
    /// Why it may be bought with errors.
    caveat: Option<String>,
}

/// The measured tuned variant that saves most until the horizon, those first whose saving is not
/// bought with errors; `None` when no tuned variant was measured, and the reason when one was but says
/// nothing.
fn best_saving(
    evidence: &Evidence<'_>,
    (incumbent, of): (usize, Option<usize>),
    economics: &Economics,
) -> Result<Option<Saving>, String> {
    let tuned = |&place: &usize| {
        let tuned = place != incumbent && evidence.at(place).variant.tuned.is_some() && evidence.usable(place);
        tuned && of.is_none_or(|of| of == place)
    };
    let tuned: Vec<usize> = evidence.eligible.iter().copied().filter(tuned).collect();
    if tuned.is_empty() {
        return Ok(None);
    }
    let value = economics.value_per_error_usd.filter(|value| value.is_finite() && *value > 0.0);
    let mut best: Option<(Saving, f64)> = None;
    let mut why = String::from("the cost of the tuned variant or of the variant in use is unknown");
    for place in tuned {
        let Some(each) = rivals::saving(evidence, incumbent, place, value.unwrap_or(0.0)) else {
            if let Some(note) = evidence.at(place).cost_note {
                why = format!("the cost of {} is unknown: {note}", evidence.name(place));
            }
            continue;
        };
        let rest = match value {
            None => rivals::no_worse(evidence, incumbent, place, evidence.alpha()),
            Some(_) => rivals::no_worse_but_accuracy(evidence, incumbent, place, evidence.alpha()),
        };
        let caveat = match rest {
            Rest::Worse(what) | Rest::Unknown(what, _) => Some(what),
            Rest::NoWorse => None,
        };
        // What it saves until the horizon: one that retires soon saves little, however cheap it is.
        let in_all = each.point.unwrap_or(each.low) * horizon(evidence, economics, place).0;
        let rank = (caveat.is_none(), in_all);
        let beaten = |(kept, most): &(Saving, f64)| rank > (kept.caveat.is_none(), *most);
        if best.as_ref().is_none_or(beaten) {
            best = Some((Saving { place, each, caveat }, in_all));
        }
    }
    best.map(|(saving, _)| Some(saving)).ok_or(why)
}

fn from_saving(
    evidence: &Evidence<'_>,
    economics: &Economics,
    volumes: (f64, f64),
    Saving { place, each: saving, caveat }: Saving,
) -> BreakEven {
    let (horizon, retires) = horizon(evidence, economics, place);
    let variant = Some(evidence.at(place).variant.id.clone());
    let name = evidence.name(place);
    if horizon <= 0.0 {
        let day = retires.clone().unwrap_or_default();
        let explanation = format!("{name} stopped answering on {day}: it pays nothing back");
        let known = nothing(economics, volumes, explanation);
        return BreakEven { answer: Payback::No, horizon_months: horizon, retires, variant, ..known };
    }
    let at = |volume: f64| at_volume(economics, horizon, volume, &saving);
    let middle = f64::midpoint(volumes.0, volumes.1);
    let (Some(dear), Some(expected), Some(cheap)) = (at(volumes.0), at(middle), at(volumes.1)) else {
        return nothing(economics, volumes, "the figures of `[economics]` make no sense together".to_owned());
    };
    let answer = match (dear.answer, cheap.answer) {
        _ if caveat.is_some() => Payback::Unknown,
        (Answer3::Yes, _) => Payback::Yes,
        (_, Answer3::No) => Payback::No,
        _ => Payback::Unknown,
    };
    let tail = match (&caveat, answer) {
        (Some(what), _) => format!("; but the saving may be bought with errors: {what}"),
        (None, Payback::Unknown) => "; narrow the saving, the volume or the fixed cost".to_owned(),
        _ => String::new(),
    };
    let until = retires.as_ref().map_or_else(String::new, |day| format!(" (it stops answering on {day})"));
    let each = saving.point.unwrap_or(saving.low);
    let explanation = format!(
        "{name} saves {} a request and {}, against a horizon of {}{until}{tail}",
        prose::usd(each),
        pays_back(expected.months, cheap.months_low, dear.months_high),
        prose::months(Some(horizon)),
    );
    let volume = Interval { low: volumes.0, high: volumes.1 };
    BreakEven {
        answer,
        months: expected.months,
        months_low: cheap.months_low,
        months_high: dear.months_high,
        share_of_ranges: cost::payback_share(&input(economics, horizon, middle, &saving), volume),
        volume_low: cheap.volume_low,
        volume_high: dear.volume_high,
        volume_floor: expected.volume_floor,
        saving_usd: Some(saving),
        saving_usd_per_year: Some(each * middle * 12.0),
        variant,
        horizon_months: horizon,
        retires,
        caveat,
        ..nothing(economics, volumes, explanation)
    }
}

fn pays_back(months: Option<f64>, low: Option<f64>, high: Option<f64>) -> String {
    match (months, low) {
        (_, None) => "never pays back".to_owned(),
        (None, Some(_)) => format!("pays back in {} at the soonest, or never", prose::months(low)),
        (Some(_), Some(_)) => {
            format!("pays back in {} ({} to {})", prose::months(months), prose::months(low), prose::months(high))
        }
    }
}

/// Nothing tuned was measured: a tuned model saves at most what a request costs now (and, where an
/// error has a price, the errors made now). That can show "no", never "yes".
fn at_most(evidence: &Evidence<'_>, economics: &Economics, volumes: (f64, f64), incumbent: usize) -> BreakEven {
    let errors = 1.0 - evidence.bounds(incumbent, Metric::Accuracy, evidence.alpha()).interval.low;
    let value = economics.value_per_error_usd.filter(|value| value.is_finite()).unwrap_or(0.0);
    let each = evidence.at(incumbent).per_request.filter(|each| each.high.is_finite());
    let Some(each) = each else {
        let why = "no tuned variant was measured, and the cost of the variant in use is unknown";
        return nothing(economics, volumes, why.to_owned());
    };
    let most = each.high + value.max(0.0) * errors;
    let bound = Estimate { point: Some(most), low: most, high: most, ..each };
    let horizon = economics.horizon_months;
    let Some(cheap) = at_volume(economics, horizon, volumes.1, &bound) else {
        return nothing(economics, volumes, "the figures of `[economics]` make no sense together".to_owned());
    };
    let best = cheap.months_low;
    let never = best.is_none_or(|best| best > horizon);
    let explanation = if never {
        format!(
            "even a tuned model that costs nothing saves at most {} a request and {}, beyond {}",
            prose::usd(most),
            best.map_or_else(
                || "never pays back".to_owned(),
                |best| format!("pays back in {}", prose::months(Some(best)))
            ),
            prose::months(Some(horizon))
        )
    } else {
        format!(
            "no tuned variant was measured; it would have to save {} a request to pay back within {} for certain",
            prose::usd(to_save(economics, volumes.0)),
            prose::months(Some(horizon))
        )
    };
    BreakEven {
        answer: if never { Payback::No } else { Payback::Unknown },
        months_low: best,
        volume_low: cheap.volume_low,
        ..nothing(economics, volumes, explanation)
    }
}

/// What a request must save to pay back within the horizon at the dear end of every range.
fn to_save(economics: &Economics, least_volume: f64) -> f64 {
    let (fixed, upkeep) = (fixed_cost(economics).high, economics.upkeep_usd_per_month.high);
    (fixed / economics.horizon_months + upkeep) / least_volume
}

/// The most that a tuned variant's request may cost to pay back for certain; `None` where that is not
/// known, or where it would have to cost less than nothing.
pub(super) fn most_per_request(evidence: &Evidence<'_>) -> Option<f64> {
    let economics = evidence.facts.economics?;
    let (least_volume, _) = evidence.volume()?;
    let now = evidence.at(evidence.incumbent?).per_request?.low;
    let most = now - to_save(economics, least_volume);
    (most.is_finite() && most > 0.0).then_some(most)
}

/// What a step usually costs beside working time and labelling, in USD: figures of the field, not of
/// this task.
pub(super) fn usual_cost(rung: Rung) -> Range {
    let (low, high) = match rung {
        Rung::Schema | Rung::Cache => (0.0, 0.0),
        Rung::Rag => (2_000.0, 10_000.0),
        Rung::Dpo => (500.0, 3_000.0),
        Rung::Lora => (1_000.0, 5_000.0),
        Rung::Full => (5_000.0, 50_000.0),
    };
    Range { low, high }
}
