//! The 95th percentile of the time to the first token, gated in milliseconds.
//!
//! METHODS.md 5 compares two sides by paired exceedance indicators. "Slower by less than m" is then: the
//! share of calls within the baseline's 95th percentile is larger once the calls of now are m
//! faster. The evidence of a regression takes the percentile of both sides' calls together, so that under
//! no change the two sides can be exchanged.

use super::{ANY, Evidence, GateLevels, PairedScores, Pairs, compared, p_worse, push, with_room};
use crate::gate::common::Both;
use crate::stats::power::n_paired_connor;
use crate::stats::quantile::quantile_ranks;
use crate::stats::{Interval, POWER};

/// The percentile.
const QUANTILE: f64 = 0.95;

/// The percentile of these times; `None` without any.
fn percentile(mut times: Vec<f64>) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    let rank = quantile_ranks(times.len() as u64, QUANTILE, 0.05).point?;
    times.get((rank as usize).checked_sub(1)?).copied()
}

/// The times of the examples that have one on both sides. A call without a first token is slower than any limit.
struct Times<'a> {
    pairs: &'a Pairs<'a>,
    rows: Vec<Both>,
}

impl Times<'_> {
    fn of<'a>(pairs: &'a Pairs<'a>) -> Times<'a> {
        if pairs.before.timed() == 0 || pairs.after.timed() == 0 {
            return Times { pairs, rows: Vec::new() };
        }
        let is_timed = |both: &&Both| {
            pairs.before.times(both.before as usize).next().is_some()
                && pairs.after.times(both.after as usize).next().is_some()
        };
        Times { pairs, rows: pairs.both.iter().filter(is_timed).copied().collect() }
    }

    fn before(&self, row: &Both) -> impl Iterator<Item = f64> {
        self.pairs.before.times(row.before as usize)
    }

    fn after(&self, row: &Both) -> impl Iterator<Item = f64> {
        self.pairs.after.times(row.after as usize)
    }

    /// Shares of calls within the limit, the calls of now taken as `faster` by so many milliseconds.
    fn within(&self, limit: f64, faster: f64) -> PairedScores {
        let mut found = with_room(self.rows.len());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let share = |ms: f64, by: f64| f64::from(u8::from(ms.is_finite() && ms - by <= limit));
        for row in &self.rows {
            before.clear();
            after.clear();
            before.extend(self.before(row).map(|ms| share(ms, 0.0)));
            after.extend(self.after(row).map(|ms| share(ms, faster)));
            push(&mut found, &before, &after, row.cluster);
        }
        found
    }

    /// The interval of the shares' difference at two-sided 1 − 2·alpha.
    fn interval(&self, limit: f64, faster: f64, levels: &GateLevels) -> Interval {
        let pairs = self.within(limit, faster);
        pairs.paired(&pairs.differences(), 2.0 * levels.alpha).interval
    }

    /// The least shift at which `is` holds, which it does from some shift on; `None` if it never does.
    fn crossing(&self, is: impl Fn(f64) -> bool) -> Option<f64> {
        let finite = self.rows.iter().flat_map(|row| self.before(row).chain(self.after(row)));
        let most = finite.filter(|ms| ms.is_finite()).fold(0.0_f64, f64::max) + 1.0;
        if !is(most) {
            return None;
        }
        let (mut low, mut high) = (-most, most);
        while high - low > 0.05 {
            let middle = f64::midpoint(low, high);
            if is(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(high)
    }
}

/// Is the first token no later than by `margin_ms` at the 95th percentile?
pub(super) fn first_token(pairs: &Pairs<'_>, margin_ms: f64, levels: &GateLevels) -> Evidence {
    let times = Times::of(pairs);
    let before: Vec<f64> = times.rows.iter().flat_map(|row| times.before(row)).collect();
    let after: Vec<f64> = times.rows.iter().flat_map(|row| times.after(row)).collect();
    let together = percentile([before.clone(), after.clone()].concat());
    let (Some(limit), Some(now), Some(together)) = (percentile(before), percentile(after), together) else {
        return Evidence::none(ANY);
    };
    let finite = |ms: f64| ms.is_finite().then_some(ms);
    let pooled = times.within(together, 0.0);
    let pooled_known = compared(&pooled, None, levels);
    let shifted = times.within(limit, margin_ms);
    let known = compared(&shifted, None, levels);
    let low = times.interval(limit, margin_ms, levels).low;
    // Where the baseline's own percentile is no time, nothing can be shown to be as fast.
    let within_margin = limit.is_finite() && low > 0.0;
    let gain = known.difference.point.unwrap_or(0.0);
    let settle = || {
        let discordant = (known.wins + known.losses) as f64;
        let psi = ((discordant + 0.5) / (known.n as f64 + 1.0)).clamp(gain.abs(), 1.0);
        let pairs = n_paired_connor(psi, gain, 2.0 * levels.alpha, POWER).ok()??;
        let effective = known.n_eff.filter(|n| *n > 0.0)?;
        let needed = (pairs as f64 * known.n as f64 / effective).ceil();
        (needed < 1e15).then(|| (needed as u64).max(known.n + 1))
    };
    Evidence {
        n: known.n,
        clusters: known.clusters,
        before: finite(limit),
        after: finite(now),
        change: finite(now - limit),
        interval: Interval {
            low: times
                .crossing(|ms| times.interval(limit, ms, levels).high >= 0.0)
                .filter(|_| limit.is_finite())
                .unwrap_or(f64::NEG_INFINITY),
            high: times
                .crossing(|ms| limit.is_finite() && times.interval(limit, ms, levels).low > 0.0)
                .unwrap_or(f64::INFINITY),
        },
        better: pooled_known.wins,
        worse: pooled_known.losses,
        p_regression: p_worse(&pooled, &pooled_known, levels.seed),
        within_margin,
        n_to_settle: if within_margin || gain <= 0.0 { None } else { settle() },
    }
}
