//! Money and token counts as exact integers.
//!
//! A price in micro-dollars per million tokens times a token count is a whole number of
//! pico-dollars, so a cost never loses a digit however many requests are summed.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Pico-dollars in one US dollar.
const PICO_PER_USD: i128 = 1_000_000_000_000;

/// An amount of US dollars, exact to a pico-dollar (1e-12 USD).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Usd(i128);

impl Usd {
    /// Nothing spent.
    pub const ZERO: Self = Self(0);

    /// An amount in pico-dollars.
    pub const fn from_pico(pico: i128) -> Self {
        Self(pico)
    }

    /// The amount in pico-dollars.
    pub const fn as_pico(self) -> i128 {
        self.0
    }

    /// The amount in dollars, for statistics and display; not for sums.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / PICO_PER_USD as f64
    }

    /// The nearest exact amount to `usd` dollars; `None` for NaN, infinities and amounts over 1e18.
    pub fn from_f64(usd: f64) -> Option<Self> {
        (usd.is_finite() && usd.abs() < 1e18).then(|| Self((usd * PICO_PER_USD as f64).round() as i128))
    }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Usd {
    /// Dollars with as many decimals as the size wants: `$12.35`, `$0.000431`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_usd(self.as_f64()))
    }
}

/// A dollar figure for people: two decimals from ten cents up, three significant digits below.
pub fn format_usd(usd: f64) -> String {
    let size = usd.abs();
    let sign = if usd < 0.0 { "-" } else { "" };
    if size >= 1000.0 {
        format!("{sign}${}", group_thousands(size.round() as i128))
    } else if usd == 0.0 || size >= 0.1 {
        format!("{sign}${size:.2}")
    } else {
        let decimals = (2 - size.log10().floor() as i32).clamp(2, 12) as usize;
        format!("{sign}${size:.decimals$}")
    }
}

/// A number of bytes for people, in decimal units: `812 B`, `6.5 kB`, `130.6 MB`.
pub fn format_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1000.0;
    let mut unit = 0;
    // What would be printed as 1000.0 is 1.0 of the next unit.
    while amount >= 999.95 && unit + 1 < UNITS.len() {
        amount /= 1000.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// A whole number with commas between thousands: `1,000,000`.
pub fn group_thousands(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        grouped.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

impl fmt::Display for UsdPerMillionTokens {
    /// Dollars in full, with at least one decimal: `10.0`, `0.0375`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:06}", self.0 % 1_000_000);
        let shown = decimals.trim_end_matches('0');
        write!(f, "{}.{}", self.0 / 1_000_000, if shown.is_empty() { "0" } else { shown })
    }
}

/// A price: whole micro-dollars per million tokens, as providers publish them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UsdPerMillionTokens(u64);

impl UsdPerMillionTokens {
    /// The price as published, in USD per million tokens; `None` when it is negative, not a
    /// number, or over a billion dollars.
    pub fn from_f64(usd: f64) -> Option<Self> {
        (usd.is_finite() && (0.0..1e9).contains(&usd)).then(|| Self((usd * 1e6).round() as u64))
    }

    /// A price of so many micro-dollars per million tokens; `None` from a billion dollars on.
    pub fn from_micro(micro: u64) -> Option<Self> {
        (micro < 1_000_000_000_000_000).then_some(Self(micro))
    }

    /// Micro-dollars per million tokens.
    pub const fn as_micro(self) -> u64 {
        self.0
    }

    /// USD per million tokens.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// What `tokens` tokens cost at this price: exact.
    pub fn times(self, tokens: u64) -> Usd {
        Usd(i128::from(self.0) * i128::from(tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_are_shown_in_the_unit_that_fits() {
        let shown = [0, 999, 1000, 6_512, 999_949, 999_950, 130_641_920, u64::MAX].map(format_bytes);
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "6.5 kB", "999.9 kB", "1.0 MB", "130.6 MB", "18446744.1 TB"]);
    }

    #[test]
    fn a_price_times_tokens_is_exact() {
        let price = UsdPerMillionTokens::from_f64(0.25).unwrap();
        assert_eq!(price.times(1).as_pico(), 250_000);
        assert_eq!(price.times(1_000_000), Usd::from_f64(0.25).unwrap());
    }

    #[test]
    fn amounts_read_well_at_every_size() {
        assert_eq!(format_usd(0.0), "$0.00");
        assert_eq!(format_usd(12.345), "$12.35");
        assert_eq!(format_usd(0.000_431_2), "$0.000431");
        assert_eq!(format_usd(1_234_567.0), "$1,234,567");
    }

    proptest! {
        #[test]
        fn sums_do_not_depend_on_order(mut pico in prop::collection::vec(-1_000_000_000_000_i64..1_000_000_000_000, 0..50)) {
            let total: Usd = pico.iter().map(|&p| Usd::from_pico(i128::from(p))).sum();
            pico.reverse();
            let reversed: Usd = pico.iter().map(|&p| Usd::from_pico(i128::from(p))).sum();
            prop_assert_eq!(total, reversed);
        }
    }
}
