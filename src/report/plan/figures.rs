//! Ranges in words: likely first, its ends behind it.

use crate::plan::cost::{Quote, UsdSpan};
use crate::plan::time::Seconds;
use crate::plan::tokens::Span;
use crate::units::{Usd, group_thousands};

/// `248 (140–436)`; without a likely figure `140–436`, without an upper end `248 (140 or more)`.
fn range(low: &str, likely: Option<String>, high: Option<String>) -> String {
    match (likely, high) {
        (Some(likely), Some(high)) if low == likely && low == high => likely,
        (Some(likely), Some(high)) => format!("{likely} ({low}–{high})"),
        (Some(likely), None) => format!("{likely} ({low} or more)"),
        (None, Some(high)) => format!("{low}–{high}"),
        (None, None) => format!("{low} or more"),
    }
}

/// A count with commas.
pub(super) fn count(number: u64) -> String {
    group_thousands(number.into())
}

/// Tokens or another amount, rounded.
pub(super) fn amount(span: Span<f64>) -> String {
    let shown = |value: f64| group_thousands(value.round() as i128);
    range(&shown(span.low), span.likely.map(shown), span.high.map(shown))
}

/// Dollars.
pub(super) fn usd(span: UsdSpan) -> String {
    let shown = |usd: Usd| usd.to_string();
    range(&shown(span.0.low), span.0.likely.map(shown), span.0.high.map(shown))
}

/// Dollars or `unknown`.
pub(super) fn quote(quote: &Quote) -> String {
    quote.usd.map_or_else(|| "unknown".to_owned(), usd)
}

/// `18 s to 3 min`.
pub(super) fn seconds(seconds: Seconds) -> String {
    let (low, high) = (duration(seconds.low), duration(seconds.high));
    if low == high { low } else { format!("{low} to {high}") }
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..1.0 => "under 1 s".to_owned(),
        ..90.0 => format!("{seconds:.0} s"),
        ..5400.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

/// `1.0` without needless decimals: `0.5`, `12`.
pub(super) fn plain(number: f64) -> String {
    format!("{}", (number * 1e4).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_says_what_is_known_of_it() {
        let span = Span { low: 140.2, likely: Some(2248.0), high: Some(4360.0) };
        assert_eq!(amount(span), "2,248 (140–4,360)");
        assert_eq!(amount(Span { likely: None, ..span }), "140–4,360");
        assert_eq!(amount(Span { high: None, ..span }), "2,248 (140 or more)");
        assert_eq!(amount(Span { likely: None, high: None, ..span }), "140 or more");
        assert_eq!(usd(UsdSpan::ZERO), "$0.00");
        assert_eq!(quote(&Quote::unknown("x")), "unknown");
    }

    #[test]
    fn times_read_well_at_every_length() {
        let shown = |low, high| seconds(Seconds { low, high });
        assert_eq!(shown(0.2, 18.0), "under 1 s to 18 s");
        assert_eq!(shown(120.0, 5400.0), "2 min to 1.5 h");
        assert_eq!(shown(259_200.0, 259_200.0), "3.0 days");
    }
}
