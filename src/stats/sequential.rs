//! Stopping early: e-values and confidence sequences (METHODS.md 11).
//!
//! Valid at every look. Once a run stopped on these, its report uses them, not the fixed-n intervals.
//! They are about 1.7 to 1.9 times wider. [`anytime`] has the intervals of a run's figures, [`mod@test`]
//! one figure against one target.

pub mod anytime;
pub mod test;

pub use anytime::{Outcomes, Step, anytime_difference, anytime_mean, anytime_mean_difference, anytime_p, anytime_rate};
pub use test::SequentialTest;

use std::f64::consts::PI;

use super::special::ln_prefactor;
use super::{Interval, StatsError, check_open_unit, is_open_unit};

const BISECTIONS: u32 = 80;
/// Factors multiplied before a logarithm is taken.
const BLOCK: usize = 32;

/// ln of the Jeffreys-mixture likelihood ratio against rate `p`:
/// `ln B(½+x, ½+y) − ln B(½, ½) − x·ln p − y·ln(1 − p)`, from the saddle-point prefactor.
fn ln_mixture(x: f64, y: f64, p: f64) -> f64 {
    let (a, b) = (x + 0.5, y + 0.5);
    0.5 * (p.ln() + (-p).ln_1p()) - ln_prefactor(p, a, b) - a.ln() - PI.ln()
}

/// E-value that A and B differ, from discordant pairs (METHODS.md 11): reject at 1/alpha.
///
/// `E = B(½+b, ½+c)/B(½, ½)·2^(b+c)`, at most `f64::MAX`. Tests either direction; the sign of b − c
/// gives it. Anytime-valid p is 1 over the largest value so far.
pub fn evalue_discordant(wins: u64, losses: u64) -> f64 {
    if wins == 0 && losses == 0 {
        return 1.0;
    }
    ln_mixture(wins as f64, losses as f64, 0.5).exp().min(f64::MAX)
}

/// Confidence sequence of one rate at 1 − alpha (METHODS.md 11).
///
/// n = 0 and unusable input give [0, 1]. For independent right-or-wrong calls; anything else bounded
/// uses [`betting_cs`].
pub fn cs_bernoulli(x: f64, n: f64, alpha: f64) -> Interval {
    let usable = x.is_finite() && n.is_finite() && n > 0.0 && is_open_unit(alpha);
    if !usable {
        return Interval::UNIT;
    }
    let x = x.clamp(0.0, n);
    // On the rarer side, where both ends keep their digits.
    let (rarer, other) = (x.min(n - x), x.max(n - x));
    let rate = rarer / n;
    let low = if rarer == 0.0 { 0.0 } else { cs_end(rarer, other, alpha, 0.0, rate) };
    let high = cs_end(rarer, other, alpha, 1.0, rate);
    if x <= n / 2.0 { Interval { low, high } } else { Interval { low: 1.0 - high, high: 1.0 - low } }
}

/// The end between `outside`, 0 or 1, and the rate itself, for `x` successes and `y` failures.
fn cs_end(x: f64, y: f64, alpha: f64, mut outside: f64, mut inside: f64) -> f64 {
    let limit = -alpha.ln();
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(outside, inside);
        let open = middle > 0.0 && middle < 1.0;
        if !open || ln_mixture(x, y, middle) >= limit {
            outside = middle;
        } else {
            inside = middle;
        }
    }
    f64::midpoint(outside, inside)
}

/// Hedged betting confidence sequence of the mean of values in [0, 1] (METHODS.md 11; Waudby-Smith &
/// Ramdas 2024, arXiv 2010.09686), with truncation `c` (½) and hedge ½.
///
/// For repeats, clusters (one value a cluster) and differences (y = (d + 1)/2). No values: [0, 1].
///
/// # Errors
/// A value outside [0, 1]; `alpha` or `c` outside (0, 1).
pub fn betting_cs(y: &[f64], alpha: f64, c: f64) -> Result<Interval, StatsError> {
    check_open_unit("alpha", alpha)?;
    check_open_unit("c", c)?;
    if let Some(&got) = y.iter().find(|v| !(0.0..=1.0).contains(*v)) {
        return Err(StatsError::Domain { what: "y", got, expected: "a number from 0 to 1" });
    }
    let mirrored: Vec<f64> = y.iter().map(|v| 1.0 - v).collect();
    let bets = betting_fractions(y, alpha);
    let low = betting_low(y, &bets, alpha, c);
    let high = 1.0 - betting_low(&mirrored, &bets, alpha, c);
    Ok(Interval { low: low.min(high), high: high.max(low) })
}

/// The predictable bets λ_t; the same for y and 1 − y.
fn betting_fractions(y: &[f64], alpha: f64) -> Vec<f64> {
    let (mut sum, mut squares) = (0.5, 0.25);
    let mut variance = 0.25;
    let numerator = 2.0 * (2.0 / alpha).ln();
    let mut bets = Vec::with_capacity(y.len());
    for (index, value) in y.iter().enumerate() {
        let t = index as f64 + 1.0;
        bets.push((numerator / (variance * t * t.ln_1p())).sqrt());
        sum += value;
        let gap: f64 = value - sum / (t + 1.0);
        squares += gap * gap;
        variance = squares / (t + 1.0);
    }
    bets
}

/// The m at which K⁺(m) = 1/alpha; 0 when never reached.
fn betting_low(y: &[f64], bets: &[f64], alpha: f64, c: f64) -> f64 {
    let limit = -alpha.ln();
    let reached = |m: f64| {
        let largest = c / m;
        // A logarithm a block: each factor is above 1 − c and below a thousand.
        let blocks = y.chunks(BLOCK).zip(bets.chunks(BLOCK)).map(|(y, bets)| {
            let factors = y.iter().zip(bets).map(|(y, bet)| 1.0 + bet.min(largest) * (y - m));
            factors.product::<f64>().ln()
        });
        blocks.sum::<f64>() - 2.0_f64.ln() >= limit
    };
    largest_excluded(reached)
}

/// The largest mean that is excluded, where those below it are too; 0 where none is.
fn largest_excluded(is_excluded: impl Fn(f64) -> bool) -> f64 {
    if !is_excluded(0.0) {
        return 0.0;
    }
    let (mut outside, mut inside) = (0.0, 1.0);
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(outside, inside);
        if is_excluded(middle) {
            outside = middle;
        } else {
            inside = middle;
        }
    }
    f64::midpoint(outside, inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::{close, close_interval, close_to};

    #[test]
    fn evalues() {
        for (b, c, e) in
            [(0, 0, 1.0), (20, 5, 19.48528075), (8, 0, 50.2734375), (7, 0, 26.8125), (15, 15, 0.1444644481)]
        {
            close(evalue_discordant(b, c), e);
            close(evalue_discordant(c, b), e);
        }
        assert!(evalue_discordant(1_000_000, 0).is_finite());
    }

    #[test]
    fn one_rate() {
        for (x, n, low, high) in [
            (0., 0., 0.0, 1.0),
            (90., 100., 0.7724900501, 0.9709391487),
            (0., 100., 0.0, 0.05702859764),
            (100., 100., 0.9429714024, 1.0),
            (9990., 10000., 0.9971828375, 0.999793192),
        ] {
            close_interval(cs_bernoulli(x, n, 0.05), low, high);
        }
        // Computed with mpmath, 40 digits.
        close_to(cs_bernoulli(0., 1e9, 0.05).high, 1.39297300380582e-8, 1e-10);
        close_interval(cs_bernoulli(3., 1e8, 0.05), 1.75254504145998e-10, 2.13301988095882e-7);
        assert_eq!(cs_bernoulli(f64::NAN, 3.0, 0.05), Interval::UNIT);
        assert!(cs_bernoulli(999_999_999.0, 1e9, 0.05).low > 0.999_999);
    }

    #[test]
    fn betting() {
        let tenths: Vec<f64> = (0..60).map(|i| f64::from((7 * i) % 10) / 10.0).collect();
        for (y, low, high) in [
            (tenths, 0.339043405, 0.5546912853),
            ([1., 1., 1., 0.].repeat(25), 0.6140783269, 0.8845358986),
            (vec![1.0; 50], 0.8672013945, 1.0),
            (vec![0.5; 40], 0.4190354552, 0.5809645448),
        ] {
            close_interval(betting_cs(&y, 0.05, 0.5).unwrap(), low, high);
        }
        assert_eq!(betting_cs(&[], 0.05, 0.5), Ok(Interval::UNIT));
        assert!(betting_cs(&[f64::NAN], 0.05, 0.5).is_err());
    }
}
