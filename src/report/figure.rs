//! A figure with its interval as people read it, and where the JSON report has it: what a page shows
//! can be checked against the machine output figure by figure.

use crate::stats::Estimate;
use crate::units::{format_usd, group_thousands};

/// In which unit a figure is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A share, in percent.
    Percent,
    /// A difference of shares, in points.
    Points,
    /// Milliseconds.
    Milliseconds,
    /// US dollars.
    Usd,
    /// Months.
    Months,
    /// A plain number such as macro-F1, with three decimals.
    Number,
    /// A count.
    Count,
}

/// A number with its interval, if it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The number; `None` where nothing was measured.
    pub point: Option<f64>,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// The level of the interval; `None` without one, and for a range that has none.
    pub level: Option<f64>,
    /// Its unit.
    pub form: Form,
    /// What stands where there is no number.
    pub absent: &'static str,
    /// Decimals beyond the form's own, so that a number beside a target does not read as equal to it.
    pub extra_decimals: usize,
    /// Where the JSON report has the number, as a JSON pointer.
    pub at: String,
    /// Where it has the ends of the interval.
    pub ends_at: [String; 2],
}

/// More decimals say nothing to anybody.
const MOST_EXTRA: usize = 4;

impl Figure {
    /// An estimate with its interval; `at` is the place of the estimate in the JSON report.
    pub fn estimate(estimate: &Estimate, form: Form, at: &str) -> Self {
        let interval = (estimate.low, estimate.high);
        let figure = Self::new(estimate.point, Some(interval), form, at, ["point", "low", "high"]);
        Self { level: figure.interval.map(|_| estimate.level), ..figure }
    }

    /// A number with a range, by the names that they have below `at`.
    pub fn range(point: f64, range: (f64, f64), form: Form, at: &str, names: [&str; 3]) -> Self {
        Self::new(Some(point), Some(range), form, at, names)
    }

    /// A range alone; `at` is its own place.
    pub fn between(range: (f64, f64), form: Form, at: &str) -> Self {
        Self { interval: Some(range), absent: "", ..Self::new(None, None, form, at, ["", "low", "high"]) }
    }

    /// A number alone; `at` is its own place.
    pub fn plain(point: f64, form: Form, at: impl Into<String>) -> Self {
        Self { at: at.into(), ends_at: Default::default(), ..Self::new(Some(point), None, form, "", ["", "", ""]) }
    }

    /// A number that is not known.
    pub fn unknown(form: Form, at: &str) -> Self {
        Self { absent: "unknown", ..Self::new(None, None, form, at, ["point", "low", "high"]) }
    }

    fn new(point: Option<f64>, interval: Option<(f64, f64)>, form: Form, at: &str, names: [&str; 3]) -> Self {
        let [own, low, high] = names;
        Self {
            point,
            interval: interval.filter(|_| point.is_some()),
            level: None,
            form,
            absent: "–",
            extra_decimals: 0,
            at: format!("{at}/{own}"),
            ends_at: [format!("{at}/{low}"), format!("{at}/{high}")],
        }
    }

    /// The same with as many decimals as it takes to tell every number of it from a target that it is held
    /// against.
    pub fn against(mut self, target: f64) -> Self {
        let numbers: Vec<f64> = self.numbers().filter(|number| number.is_finite() && *number != target).collect();
        let form = self.form;
        let reads_as = |number: f64, extra| form.digits(number, extra) == form.digits(target, extra);
        self.extra_decimals =
            (0..MOST_EXTRA).find(|extra| !numbers.iter().any(|number| reads_as(*number, *extra))).unwrap_or(MOST_EXTRA);
        self
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        self.point.into_iter().chain(self.interval.into_iter().flat_map(|(low, high)| [low, high]))
    }

    /// `44.3%`; what was not measured is said so.
    pub fn value(&self) -> String {
        self.point.map_or_else(|| self.absent.to_owned(), |point| self.form.worded(point, self.extra_decimals))
    }

    /// One end of the interval, without its unit.
    pub fn end(&self, number: f64) -> String {
        self.form.digits(number, self.extra_decimals)
    }

    /// What stands between the ends: a number may be negative where it is a difference.
    pub fn between_ends(&self) -> &'static str {
        if self.form == Form::Points { " to " } else { "–" }
    }

    /// `[38.5–50.3]`, or `[38.5 to 50.3]` where a number may be negative; `None` without an interval.
    pub fn range_text(&self) -> Option<String> {
        let (low, high) = self.interval?;
        Some(format!("[{}{}{}]", self.end(low), self.between_ends(), self.end(high)))
    }

    /// Both.
    pub fn text(&self) -> String {
        match (self.value(), self.range_text()) {
            (value, Some(range)) if value.is_empty() => range,
            (value, Some(range)) => format!("{value} {range}"),
            (value, None) => value,
        }
    }
}

impl Form {
    /// A number with its unit.
    pub fn value(self, number: f64) -> String {
        self.worded(number, 0)
    }

    fn worded(self, number: f64, extra: usize) -> String {
        match self {
            Self::Percent => share(number, 1 + extra),
            Self::Points => format!("{} points", signed(number * 100.0, 1 + extra)),
            Self::Milliseconds => format!("{} ms", self.digits(number, extra)),
            Self::Months => format!("{} months", self.digits(number, extra)),
            Self::Usd | Self::Number | Self::Count => self.digits(number, extra),
        }
    }

    /// A number without its unit, as it stands in an interval.
    pub fn bare(self, number: f64) -> String {
        self.digits(number, 0)
    }

    fn digits(self, number: f64, extra: usize) -> String {
        if !number.is_finite() {
            return if number > 0.0 { "∞" } else { "–" }.to_owned();
        }
        match self {
            // An end that is not all or nothing must not read as if it were.
            Self::Percent => share(number, 1 + extra).trim_end_matches('%').to_owned(),
            Self::Points => format!("{:.*}", 1 + extra, number * 100.0 + 0.0),
            // Half to even, as text is formatted elsewhere.
            Self::Milliseconds | Self::Count if extra == 0 => group_thousands(number.round_ties_even() as i128),
            Self::Milliseconds | Self::Count => format!("{number:.extra$}"),
            Self::Months => format!("{:.*}", 1 + extra, number),
            Self::Usd => format_usd(number),
            Self::Number => format!("{:.*}", 3 + extra, number),
        }
    }

    /// A target as it was set: no decimals that it does not have.
    pub fn exact(self, number: f64) -> String {
        let plain = |number: f64| format!("{}", (number * 1e9).round() / 1e9);
        match self {
            Self::Percent => format!("{}%", plain(number * 100.0)),
            Self::Points => format!("{} points", plain(number * 100.0)),
            Self::Milliseconds if number.fract() != 0.0 => format!("{} ms", plain(number)),
            Self::Months => format!("{} months", plain((number * 10.0).round() / 10.0)),
            _ => self.value(number),
        }
    }
}

/// A share in percent: with more decimals than wanted where it would read 0% or 100% and is not.
pub fn share(share: f64, decimals: usize) -> String {
    let end = |decimals| {
        let shown = format!("{:.decimals$}", share * 100.0);
        shown.parse::<f64>().is_ok_and(|shown| (shown == 100.0 && share < 1.0) || (shown == 0.0 && share > 0.0))
    };
    let decimals = (decimals..=6).find(|decimals| !end(*decimals)).unwrap_or(decimals);
    format!("{:.decimals$}%", share * 100.0)
}

/// A number with its sign; what rounds to nothing has none but `+`.
pub fn signed(number: f64, decimals: usize) -> String {
    let text = format!("{number:+.decimals$}");
    if text.trim_start_matches(['-', '+']).chars().all(|c| matches!(c, '0' | '.')) {
        text.replace('-', "+")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Method;

    fn estimate(point: Option<f64>, low: f64, high: f64) -> Estimate {
        Estimate { point, low, high, level: 0.95, n: 280, method: Method::Wilson }
    }

    #[test]
    fn a_figure_reads_with_its_unit_and_interval() {
        let text = |form, point, low, high| Figure::estimate(&estimate(Some(point), low, high), form, "/x").text();
        assert_eq!(text(Form::Percent, 0.4428, 0.385, 0.503), "44.3% [38.5–50.3]");
        assert_eq!(text(Form::Percent, 0.9999, 0.98, 1.0), "99.99% [98.0–100.0]");
        assert_eq!(text(Form::Points, -0.021, -0.05, 0.01), "-2.1 points [-5.0 to 1.0]");
        assert_eq!(text(Form::Points, -0.0, -0.0, 0.01), "+0.0 points [0.0 to 1.0]");
        assert_eq!(text(Form::Milliseconds, 1114.5, 1089.9, f64::INFINITY), "1,114 ms [1,090–∞]");
        assert_eq!(text(Form::Usd, 0.00123, 0.001, 0.002), "$0.00123 [$0.00100–$0.00200]");
    }

    #[test]
    fn a_number_beside_a_target_never_reads_as_equal_to_it() {
        let valid = Figure::estimate(&estimate(Some(0.99975), 0.9986, 0.99996), Form::Percent, "/x");
        assert_eq!(valid.text(), "99.98% [99.9–99.996]");
        assert_eq!(valid.against(0.999).text(), "99.98% [99.86–99.996]");
        let late = Figure::estimate(&estimate(Some(300.4), 290.0, 310.0), Form::Milliseconds, "/x").against(300.0);
        assert_eq!(late.text(), "300.4 ms [290.0–310.0]");
        let exact = Figure::estimate(&estimate(Some(0.9), 0.8, 0.95), Form::Percent, "/x").against(0.9);
        assert_eq!(exact.text(), "90.0% [80.0–95.0]");
    }

    #[test]
    fn what_is_not_known_is_said_in_a_word() {
        assert_eq!(Figure::unknown(Form::Usd, "/x").text(), "unknown");
        assert_eq!(Figure::between((0.9, 0.97), Form::Percent, "/x").text(), "[90.0–97.0]");
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let figure = Figure::estimate(&estimate(None, 0.0, 1.0), Form::Percent, "/variants/0/accuracy");
        assert_eq!((figure.text(), figure.at.as_str()), ("–".to_owned(), "/variants/0/accuracy/point"));
        assert_eq!(figure.ends_at, ["/variants/0/accuracy/low", "/variants/0/accuracy/high"]);
    }

    #[test]
    fn a_target_has_no_decimals_of_its_own() {
        assert_eq!(Form::Percent.exact(0.999), "99.9%");
        assert_eq!(Form::Percent.exact(0.9), "90%");
        assert_eq!(Form::Milliseconds.exact(300.0), "300 ms");
        assert_eq!(Form::Months.exact(12.0), "12 months");
    }
}
