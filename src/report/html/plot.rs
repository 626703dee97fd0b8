//! What charts are made of: scales, axes with real text, and the shapes of variants.

use maud::{Markup, html};

use crate::measure::VariantMeasurements;
use crate::variant::Retrieve;

/// What a variant is, as colour and shape say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A prompt with whatever is added to it: a disc.
    Prompted,
    /// A tuned model: a diamond.
    Tuned,
    /// What nobody can ship, such as retrieval that is given the right documents: a ring.
    Bound,
}

impl Kind {
    /// The class and name of its marks.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Prompted => "prompted",
            Self::Tuned => "tuned",
            Self::Bound => "bound",
        }
    }
}

/// What a variant is.
pub(super) fn kind(row: &VariantMeasurements) -> Kind {
    if row.variant.retrieve.as_ref().is_some_and(Retrieve::is_oracle) {
        Kind::Bound
    } else if row.variant.tuned.is_some() {
        Kind::Tuned
    } else {
        Kind::Prompted
    }
}

/// How values lie on an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Spacing {
    /// Evenly.
    Linear,
    /// By their logarithm; values are positive.
    Logarithmic,
    /// Shares by their nines: 90%, 99%, 99.9% are as far apart from each other.
    Nines,
}

/// More nines than this are drawn as this many.
const MOST_NINES: f64 = 5.0;

/// From values to places on the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) spacing: Spacing,
}

impl Scale {
    /// The place of a value, within the axis.
    pub(super) fn at(&self, value: f64) -> f64 {
        let transformed = |value: f64| match self.spacing {
            Spacing::Linear => value,
            Spacing::Logarithmic => value.max(f64::MIN_POSITIVE).log10(),
            Spacing::Nines => (-(1.0 - value).max(0.0).log10()).min(MOST_NINES),
        };
        let (low, high) = (transformed(self.low), transformed(self.high));
        let value = if value.is_finite() { value } else { self.high };
        let share = if high > low { (transformed(value) - low) / (high - low) } else { 0.5 };
        round(self.from + share.clamp(0.0, 1.0) * (self.to - self.from))
    }

    /// Round values along the axis, at most about eight.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.spacing {
            Spacing::Linear => linear_ticks(self.low, self.high),
            Spacing::Logarithmic => logarithmic_ticks(self.low, self.high),
            Spacing::Nines => [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999]
                .into_iter()
                .filter(|tick| (self.low..=self.high).contains(tick))
                .collect(),
        }
    }
}

/// Two decimals are finer than a pixel.
pub(super) fn round(place: f64) -> f64 {
    (place * 100.0).round() / 100.0
}

fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return vec![low];
    }
    let rough = 10_f64.powf((span / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|by| by * rough).find(|step| span / step <= 6.0).unwrap_or(span);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|place| place as f64 * step).collect()
}

fn logarithmic_ticks(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    // What a file states may span any number of decades.
    let apart = (last.saturating_sub(first) / 8).max(1) as usize;
    let decades = || (first..=last).step_by(apart).map(|power| 10_f64.powi(power));
    let within = |tick: &f64| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(tick);
    let all: Vec<f64> = decades().flat_map(|decade| [decade, 2.0 * decade, 5.0 * decade]).filter(within).collect();
    match all.len() {
        // Less than a step of one, two, five: even steps say more.
        0..3 => linear_ticks(low, high),
        3..9 => all,
        _ => decades().filter(within).collect(),
    }
}

/// The frame of a chart, in the units of its `viewBox`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// A chart of the usual width.
    pub(super) fn new(height: f64, left: f64) -> Self {
        Self { width: 520.0, height, left, right: 22.0, top: 16.0, bottom: 38.0 }
    }

    /// A horizontal axis over the whole frame.
    pub(super) fn x(&self, (low, high): (f64, f64), spacing: Spacing) -> Scale {
        Scale { low, high, from: self.left, to: self.width - self.right, spacing }
    }

    /// A vertical axis, its low end at the bottom.
    pub(super) fn y(&self, (low, high): (f64, f64), spacing: Spacing) -> Scale {
        Scale { low, high, from: self.height - self.bottom, to: self.top, spacing }
    }

    /// The picture around its content; `says` is for those who do not see it.
    pub(super) fn picture(&self, says: &str, content: &Markup) -> Markup {
        html! {
            svg.plot viewBox=(format!("0 0 {} {}", self.width, round(self.height))) role="group" aria-label=(says) { (content) }
        }
    }

    /// A horizontal axis at the bottom with its ticks, grid and name.
    pub(super) fn x_axis(&self, scale: &Scale, name: &str, label: impl Fn(f64) -> String) -> Markup {
        let (top, bottom) = (self.top, round(self.height - self.bottom));
        html! {
            @for tick in scale.ticks() {
                line.grid x1=(scale.at(tick)) x2=(scale.at(tick)) y1=(top) y2=(bottom) {}
                text.tick x=(scale.at(tick)) y=(bottom + 14.0) text-anchor="middle" { (label(tick)) }
            }
            line.axis x1=(scale.from) x2=(scale.to) y1=(bottom) y2=(bottom) {}
            text.soft x=(round(f64::midpoint(scale.from, scale.to))) y=(bottom + 30.0) text-anchor="middle" { (name) }
        }
    }

    /// A vertical axis at the left with its ticks and grid.
    pub(super) fn y_axis(&self, scale: &Scale, label: impl Fn(f64) -> String) -> Markup {
        html! {
            @for tick in scale.ticks() {
                line.grid x1=(self.left) x2=(self.width - self.right) y1=(scale.at(tick)) y2=(scale.at(tick)) {}
                text.tick x=(self.left - 6.0) y=(scale.at(tick) + 4.0) text-anchor="end" { (label(tick)) }
            }
        }
    }
}

/// The mark of a variant at a place.
pub(super) fn mark(kind: Kind, x: f64, y: f64) -> Markup {
    match kind {
        Kind::Prompted => html! { circle.dot cx=(x) cy=(y) r="4.5" {} },
        Kind::Bound => html! { circle.hollow cx=(x) cy=(y) r="4.5" {} },
        Kind::Tuned => {
            let path = format!("M{} {} l5.5 5.5 l-5.5 5.5 l-5.5 -5.5 z", x, round(y - 5.5));
            html! { path.dot d=(path) {} }
        }
    }
}

/// A span that holds all of these values and a little more; `None` without any.
pub(super) fn span(values: impl IntoIterator<Item = f64>, least: f64) -> Option<(f64, f64)> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.into_iter().filter(|value| value.is_finite()) {
        (low, high) = (low.min(value), high.max(value));
    }
    (low <= high).then(|| {
        let pad = ((high - low) * 0.06).max((least - (high - low)).max(0.0) / 2.0);
        (low - pad, high + pad)
    })
}

/// Decades to either side of 1 that an axis may reach: all within it are finite numbers.
const MOST_DECADES: f64 = 300.0;

/// The same for positive values on a logarithmic axis.
pub(super) fn logarithmic_span(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let logs = values.into_iter().filter(|value| value.is_finite() && *value > 0.0).map(f64::log10);
    let within = |power: f64| 10_f64.powf(power.clamp(-MOST_DECADES, MOST_DECADES));
    span(logs, 0.5).map(|(low, high)| (within(low), within(high)))
}

/// A long name, cut for a chart; the whole one is in the tooltip and in the table.
pub(super) fn short(name: &str, most: usize) -> String {
    crate::text::one_line(name, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(linear_ticks(0.0, 1.0), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(logarithmic_ticks(90.0, 1200.0), [100.0, 200.0, 500.0, 1000.0]);
        assert!(logarithmic_ticks(1.0, 1e12).len() <= 13);
        assert_eq!(logarithmic_ticks(210.0, 290.0), [220.0, 240.0, 260.0, 280.0]);
        assert_eq!(linear_ticks(3.0, 3.0), [3.0]);
    }

    #[test]
    fn a_scale_keeps_to_its_axis() {
        let scale = Scale { low: 0.0, high: 1.0, from: 10.0, to: 110.0, spacing: Spacing::Nines };
        assert_eq!((scale.at(0.0), scale.at(0.9), scale.at(1.0)), (10.0, 30.0, 110.0));
        assert_eq!((scale.at(-1.0), scale.at(f64::NAN), scale.at(f64::INFINITY)), (10.0, 110.0, 110.0));
    }

    #[test]
    fn times_that_nobody_can_measure_have_an_axis() {
        let (low, high) = logarithmic_span([1e-308, f64::MAX]).unwrap();
        assert!(low > 0.0 && high.is_finite());
        let ticks = logarithmic_ticks(low, high);
        assert!((2..=12).contains(&ticks.len()), "{ticks:?}");
        assert!(logarithmic_ticks(1.0, f64::MAX).len() <= 12);
    }

    #[test]
    fn a_span_has_room_around_its_values() {
        assert_eq!(span([], 0.1), None);
        let (low, high) = span([0.5, f64::INFINITY], 0.2).unwrap();
        assert!((low - 0.4).abs() < 1e-9 && (high - 0.6).abs() < 1e-9);
        let (low, high) = logarithmic_span([10.0, 1000.0, 0.0]).unwrap();
        assert!(low < 10.0 && high > 1000.0);
    }
}
