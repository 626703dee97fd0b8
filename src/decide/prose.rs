//! Figures and lists as people read them.

use crate::stats::Estimate;
use crate::units::{format_usd, group_thousands};

/// A share in percent: one decimal, and within 1% of none or all as many as show how far from it.
pub(super) fn percent(share: f64) -> String {
    let edge = share.min(1.0 - share);
    let decimals =
        if edge > 1e-12 && edge < 0.01 { (1.0 - (edge * 100.0).log10().floor()).clamp(2.0, 9.0) as usize } else { 1 };
    format!("{}%", number(share * 100.0, decimals))
}

/// A difference of shares in points.
pub(super) fn points(difference: f64) -> String {
    let points = number(difference * 100.0, 1);
    let unit = if points == "1" { "point" } else { "points" };
    format!("{points} {unit}")
}

/// `9.3% (95% 6.2-13.6, n 280)`.
pub(super) fn rate(estimate: &Estimate) -> String {
    let Some(point) = estimate.point else {
        return "not measured".to_owned();
    };
    format!(
        "{} ({} {}-{}, n {})",
        percent(point),
        percent(estimate.level),
        percent(estimate.low).trim_end_matches('%'),
        percent(estimate.high).trim_end_matches('%'),
        count(estimate.n)
    )
}

/// A difference with its interval, in points.
pub(super) fn difference(estimate: &Estimate) -> String {
    let Some(point) = estimate.point else {
        return "not measured".to_owned();
    };
    format!(
        "{} ({} {} to {}, n {})",
        points(point),
        percent(estimate.level),
        number(estimate.low * 100.0, 1),
        number(estimate.high * 100.0, 1),
        count(estimate.n)
    )
}

/// Milliseconds with their interval.
pub(super) fn milliseconds(estimate: &Estimate) -> String {
    let point = estimate.point.map_or_else(|| "unknown".to_owned(), |ms| number(ms, 0));
    let high = if estimate.high.is_finite() { number(estimate.high, 0) } else { "no upper bound".to_owned() };
    let level = percent(estimate.level);
    format!("{point} ms ({level} {}-{high}, n {})", number(estimate.low, 0), count(estimate.n))
}

/// US dollars.
pub(super) fn usd(amount: f64) -> String {
    if amount.is_finite() && amount.abs() < 1e15 { format_usd(amount) } else { "an unbounded amount".to_owned() }
}

/// A range of US dollars; one figure where both ends read the same.
pub(super) fn usd_range(low: f64, high: f64) -> String {
    let (low, high) = (usd(low), usd(high));
    if low == high { low } else { format!("{low} to {high}") }
}

/// A whole number with commas.
pub(super) fn count(number: u64) -> String {
    group_thousands(i128::from(number))
}

/// "; n examples would settle it" four times in five, or that none can be named.
pub(super) fn settle(n: Option<u64>, what: &str) -> String {
    n.map_or_else(
        || format!("; no number of {what} can be named that would settle it"),
        |n| format!("; about {} {what} would settle it", count(n)),
    )
}

/// A plain number without trailing zeros and without a negative zero.
pub(super) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

/// Months with one decimal, or "never".
pub(super) fn months(months: Option<f64>) -> String {
    months.map_or_else(
        || "never".to_owned(),
        |months| {
            let text = number(months, 1);
            let unit = if text == "1" { "month" } else { "months" };
            format!("{text} {unit}")
        },
    )
}

/// Clauses one after another.
pub(super) fn sentences(clauses: &[String]) -> String {
    let said: Vec<&str> = clauses.iter().map(String::as_str).filter(|clause| !clause.is_empty()).collect();
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Method;

    #[test]
    fn figures_read_well() {
        assert_eq!(percent(0.9), "90%");
        assert_eq!(percent(0.999), "99.9%");
        assert_eq!(percent(0.0931), "9.3%");
        assert_eq!(percent(0.9995), "99.95%");
        assert_eq!(points(-0.0001), "0 points");
        let estimate =
            Estimate { point: Some(0.0931), low: 0.062, high: 0.136, level: 0.95, n: 280, method: Method::Wilson };
        assert_eq!(rate(&estimate), "9.3% (95% 6.2-13.6, n 280)");
        assert_eq!(months(None), "never");
        assert_eq!(usd_range(5.0, 5.0), "$5.00");
    }
}
