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
    /// Requests a month from which it pays back within the horizon, at the cheap end.
    pub volume_low: Option<f64>,
    /// The same at the dear end.
    pub volume_high: Option<f64>,
    /// What a request saves, in USD, if known.
    pub saving_usd: Option<Estimate>,
    /// The tuned variant it is about, if one was measured.
    pub variant: Option<VariantId>,
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

/// The break-even at one volume; `None` for figures that make no sense.
fn at_volume(economics: &Economics, horizon_months: f64, volume: f64, saving: &Estimate) -> Option<cost::BreakEven> {
    let interval = |range: Range| Interval { low: range.low, high: range.high };
    let range = saving.interval();
    let input = BreakEvenInput {
        saving: saving.point.unwrap_or(f64::midpoint(range.low, range.high)),
        saving_range: range,
        volume,
        overhead: interval(economics.upkeep_usd_per_month),
        fixed: interval(fixed_cost(economics)),
        horizon_months,
    };
    cost::break_even(&input).ok()
}

/// The payback for the rules, and the break-even for people; `waived` where T3 or T5 has fired.
pub(super) fn payback(evidence: &Evidence<'_>, waived: bool) -> (Payback, Option<BreakEven>, String) {
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
    let mut known = match best_saving(evidence, incumbent, economics) {
        Ok(Some((place, saving))) => from_saving(evidence, economics, volumes, (place, saving)),
        Ok(None) => at_most(evidence, economics, volumes, incumbent),
        Err(why) => nothing(economics, why),
    };
    known.answer = when_waived(known.answer);
    (known.answer, Some(known.clone()), known.explanation)
}

fn nothing(economics: &Economics, explanation: String) -> BreakEven {
    BreakEven {
        answer: Payback::Unknown,
        months: None,
        months_low: None,
        months_high: None,
        horizon_months: economics.horizon_months,
        retires: None,
        volume_low: None,
        volume_high: None,
        saving_usd: None,
        variant: None,
        explanation,
    }
}

/// The measured tuned variant that saves most until the horizon, whose saving is known and not bought with errors; `None`
/// when no tuned variant was measured, and the reason when one was but says nothing.
fn best_saving(
    evidence: &Evidence<'_>,
    incumbent: usize,
    economics: &Economics,
) -> Result<Option<(usize, Estimate)>, String> {
    let tuned =
        |&place: &usize| place != incumbent && evidence.at(place).variant.tuned.is_some() && evidence.usable(place);
    let tuned: Vec<usize> = evidence.eligible.iter().copied().filter(tuned).collect();
    if tuned.is_empty() {
        return Ok(None);
    }
    let value = economics.value_per_error_usd.filter(|value| value.is_finite() && *value > 0.0);
    let mut best: Option<(usize, Estimate, f64)> = None;
    let mut why = String::from("the cost of the tuned variant or of the variant in use is unknown");
    for place in tuned {
        let Some(saving) = rivals::saving(evidence, incumbent, place, value.unwrap_or(0.0)) else {
            if let Some(note) = evidence.at(place).cost_note {
                why = format!("the cost of {} is unknown: {note}", evidence.name(place));
            }
            continue;
        };
        if value.is_none() {
            let rest = rivals::no_worse(evidence, incumbent, place, evidence.alpha());
            if let Rest::Worse(what) | Rest::Unknown(what, _) = rest {
                why = format!("a saving may be bought with errors: {what}");
                continue;
            }
        }
        // What it saves until the horizon: one that retires soon saves little, however cheap it is.
        let in_all = saving.point.unwrap_or(saving.low) * horizon(evidence, economics, place).0;
        if best.is_none_or(|(_, _, kept)| in_all > kept) {
            best = Some((place, saving, in_all));
        }
    }
    best.map(|(place, saving, _)| Some((place, saving))).ok_or(why)
}

fn from_saving(
    evidence: &Evidence<'_>,
    economics: &Economics,
    (volume_low, volume_high): (f64, f64),
    (place, saving): (usize, Estimate),
) -> BreakEven {
    let (horizon, retires) = horizon(evidence, economics, place);
    if horizon <= 0.0 {
        let day = retires.clone().unwrap_or_default();
        let explanation = format!("{} stopped answering on {day}: it pays nothing back", evidence.name(place));
        return BreakEven {
            answer: Payback::No,
            horizon_months: horizon,
            retires,
            variant: Some(evidence.at(place).variant.id.clone()),
            ..nothing(economics, explanation)
        };
    }
    let at = |volume: f64| at_volume(economics, horizon, volume, &saving);
    let middle = f64::midpoint(volume_low, volume_high);
    let (Some(dear), Some(expected), Some(cheap)) = (at(volume_low), at(middle), at(volume_high)) else {
        return nothing(economics, "the figures of `[economics]` make no sense together".to_owned());
    };
    let answer = match (dear.answer, cheap.answer) {
        (Answer3::Yes, _) => Payback::Yes,
        (_, Answer3::No) => Payback::No,
        _ => Payback::Unknown,
    };
    let narrow = if answer == Payback::Unknown { "; narrow the saving, the volume or the fixed cost" } else { "" };
    let until = retires.as_ref().map_or_else(String::new, |day| format!(" (it stops answering on {day})"));
    let explanation = format!(
        "{} saves {} a request and pays back in {} ({} to {}), against a horizon of {}{until}{narrow}",
        evidence.name(place),
        prose::usd(saving.point.unwrap_or(saving.low)),
        prose::months(expected.months),
        prose::months(cheap.months_low),
        prose::months(dear.months_high),
        prose::months(Some(horizon)),
    );
    BreakEven {
        answer,
        months: expected.months,
        months_low: cheap.months_low,
        months_high: dear.months_high,
        volume_low: cheap.volume_low,
        volume_high: dear.volume_high,
        saving_usd: Some(saving),
        variant: Some(evidence.at(place).variant.id.clone()),
        horizon_months: horizon,
        retires,
        ..nothing(economics, explanation)
    }
}

/// Nothing tuned was measured: a tuned model saves at most what a request costs now (and, where an
/// error has a price, the errors made now). That can show "no", never "yes".
fn at_most(
    evidence: &Evidence<'_>,
    economics: &Economics,
    (volume_low, volume_high): (f64, f64),
    incumbent: usize,
) -> BreakEven {
    let errors = 1.0 - evidence.bounds(incumbent, Metric::Accuracy, evidence.alpha()).interval.low;
    let value = economics.value_per_error_usd.filter(|value| value.is_finite()).unwrap_or(0.0);
    let each = evidence.at(incumbent).per_request.filter(|each| each.high.is_finite());
    let Some(each) = each else {
        return nothing(
            economics,
            "no tuned variant was measured, and the cost of the variant in use is unknown".to_owned(),
        );
    };
    let (fixed, upkeep) = (fixed_cost(economics), economics.upkeep_usd_per_month);
    let most = each.high + value.max(0.0) * errors;
    let bound = Estimate { point: Some(most), low: most, high: most, ..each };
    let Some(cheap) = at_volume(economics, economics.horizon_months, volume_high, &bound) else {
        return nothing(economics, "the figures of `[economics]` make no sense together".to_owned());
    };
    let best = cheap.months_low;
    let horizon = economics.horizon_months;
    let never = best.is_none_or(|best| best > horizon);
    let needed = (fixed.high / horizon + upkeep.high) / volume_low;
    let explanation = if never {
        format!(
            "even a tuned model that costs nothing saves at most {} a request and pays back in {}, beyond {}",
            prose::usd(most),
            prose::months(best),
            prose::months(Some(horizon))
        )
    } else {
        format!(
            "no tuned variant was measured; it would have to save {} a request to pay back within {} for certain",
            prose::usd(needed),
            prose::months(Some(horizon))
        )
    };
    BreakEven {
        answer: if never { Payback::No } else { Payback::Unknown },
        months_low: best,
        volume_low: cheap.volume_low,
        ..nothing(economics, explanation)
    }
}

/// What a training rung usually costs: as configured, else METHODS.md 7's example figures for a
/// light tune; other steps cost working time, for which no figure is claimed.
pub(super) fn usual_cost(evidence: &Evidence<'_>, rung: Rung) -> Option<Range> {
    match (rung, evidence.facts.economics) {
        (rung, Some(economics)) if rung.trains() => Some(fixed_cost(economics)),
        (Rung::Lora, None) => Some(Range { low: 5_000.0, high: 15_000.0 }),
        _ => None,
    }
}
