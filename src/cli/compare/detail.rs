//! Two sides in detail: the other rate, money, time, slices, and in what they differ.

use super::{Comparing, MAX_FLIPS, flips};
use crate::error::Error;
use crate::measure::contrast::{self, Contrast, Correction};
use crate::measure::latency_change::{Draw, latency_change};
use crate::measure::matching::{self, Matching, Sameness};
use crate::measure::side::{Clock, Metric, Side};
use crate::measure::{Cost, RunProvenance};
use crate::report::compare::{CostChange, Detail, Difference, Flips, Latency, OtherRate, SideFacts, SliceRow, Slices};
use crate::stats::cluster::mean_with_t;

impl Comparing<'_> {
    /// Everything that stands below the difference itself.
    pub(super) fn detail(&self, matched: &Matching, sameness: Sameness, all_flips: bool) -> Result<Detail, Error> {
        let both = [self.side(0), self.side(1)];
        let facts = [self.sides.facts(&self.sides.all[0])?, self.sides.facts(&self.sides.all[1])?];
        Ok(Detail {
            other: self.other_rate(both)?,
            cost: self.cost(both)?,
            latency: self.latency(both, matched)?,
            differences: differences(&facts, sameness),
            flips: self.flips(both, matched, all_flips)?,
            slices: self.slices(both, matched)?,
        })
    }

    /// The rate that was not asked for: validity beside accuracy, or the other way round.
    fn other_rate(&self, both: [&Side; 2]) -> Result<Option<OtherRate>, Error> {
        let metric = match self.metric {
            Metric::Accuracy => Metric::Validity,
            Metric::Validity => Metric::Accuracy,
        };
        if metric == Metric::Validity && both.into_iter().any(|side| !side.checks_validity()) {
            return Ok(None);
        }
        let matched = matching::matching(&self.sides.roster, &both, metric);
        let pairs = matching::pairs(&self.sides.roster, both, metric, &matched.places);
        let rules = self.rules(both, 1, Some(self.suite()?.gate.margin))?;
        Ok(Some(OtherRate { metric, contrast: self.judged([0, 1], &pairs, &rules) }))
    }

    fn cost(&self, both: [&Side; 2]) -> Result<CostChange, Error> {
        let alpha = self.statistics()?.alpha;
        let clusters = self.sides.roster.clusters();
        let cost = |place: usize| -> Result<Cost, Error> {
            let read = &self.sides.all[place];
            let comparable = self.sides.times_comparable(read)?;
            let endpoint = self.sides.endpoint(read)?;
            Ok(endpoint.map_or_else(Cost::default, |facts| read.side.cost(facts, &clusters, comparable, alpha)))
        };
        let (a, b) = (cost(0)?, cost(1)?);
        let asked_both = |place: usize| both.into_iter().all(|side| side.asked(place));
        let known = (0..clusters.len()).filter(|place| asked_both(*place));
        let known: Vec<(f64, f64, u32)> = known
            .filter_map(|place| Some((a.by_example.get(place)?, b.by_example.get(place)?, clusters[place])))
            .collect();
        Ok(CostChange { notes: [a.note, b.note], ..saving(&known, alpha) })
    }

    fn latency(&self, both: [&Side; 2], matched: &Matching) -> Result<Latency, Error> {
        let why_not = self.why_times_differ(both)?;
        let statistics = self.statistics()?;
        let draw = Draw { alpha: statistics.alpha, seed: statistics.seed };
        let clusters: Vec<u32> =
            matched.places.iter().map(|place| self.sides.roster.cluster(*place as usize)).collect();
        let change = |clock| latency_change(both, clock, (&matched.places, &clusters), why_not.is_none(), draw);
        Ok(Latency {
            ttft_ms: change(Clock::FirstToken),
            total_ms: change(Clock::Whole),
            comparable: why_not.is_none(),
            why_not,
            in_flight: both.map(|side| (side.provenance() == RunProvenance::Live).then(|| side.in_flight())),
        })
    }

    /// Why the times of the two sides cannot be compared, if so (DESIGN.md 13.6).
    fn why_times_differ(&self, both: [&Side; 2]) -> Result<Option<String>, Error> {
        let provenance = both.map(Side::provenance);
        let why = if both.into_iter().any(|side| side.times(Clock::Whole).is_empty()) {
            let silent = if both[0].times(Clock::Whole).is_empty() { "A" } else { "B" };
            format!("{silent} has no fresh times: its answers came from the store or by batch (--fresh asks again)")
        } else if provenance.contains(&RunProvenance::Mixed) || provenance[0] != provenance[1] {
            let word = |place: usize| match provenance[place] {
                RunProvenance::Live => "live",
                RunProvenance::Recorded => "recorded",
                RunProvenance::Mixed => "partly recorded",
                RunProvenance::Imported => "imported",
            };
            match (word(0), word(1)) {
                ("live", "recorded") | ("recorded", "live") => "one side is recorded, the other live".to_owned(),
                (a, b) => format!("one side is {a}, the other {b}"),
            }
        } else if !(self.sides.times_comparable(&self.sides.all[0])?
            && self.sides.times_comparable(&self.sides.all[1])?)
        {
            match provenance[0] {
                RunProvenance::Imported => {
                    "the times are another tool's, and were not declared comparable when they were imported".to_owned()
                }
                _ => "the recording does not declare its times comparable".to_owned(),
            }
        } else {
            return Ok(None);
        };
        Ok(Some(why))
    }

    /// All are counted; those that are shown are read once more.
    fn flips(&self, both: [&Side; 2], matched: &Matching, all_flips: bool) -> Result<Flips, Error> {
        let found = matching::flips(both, self.metric, &matched.places);
        let all = found.len() as u64;
        let fixed = found.iter().filter(|flip| flip.b > flip.a).count() as u64;
        let most = if all_flips { MAX_FLIPS } else { self.args.flips };
        let examples = flips::read(self.store, self.sides, found, most as usize)?;
        Ok(Flips { fixed, broken: all - fixed, listed: examples.len() as u64, examples })
    }

    /// By slice, corrected for their number.
    fn slices(&self, both: [&Side; 2], matched: &Matching) -> Result<Slices, Error> {
        let roster = &self.sides.roster;
        let (slices, left_out) = matching::slices(roster, &matched.places, self.args.tag.as_deref());
        let rules = self.rules(both, slices.len(), None)?;
        let mut family: Vec<Contrast> = slices
            .iter()
            .map(|slice| self.judged([0, 1], &matching::pairs(roster, both, self.metric, &slice.places), &rules))
            .collect();
        contrast::correct(&mut family, Correction::Holm, rules.alpha);
        let rows = slices.into_iter().zip(family);
        let rows = rows.map(|(slice, contrast)| SliceRow { tag: slice.tag, value: slice.value, contrast }).collect();
        Ok(Slices { left_out, rows })
    }
}

/// A minus B by example, with the t interval (METHODS.md 6). `known`: A's cost, B's cost, cluster.
fn saving(known: &[(f64, f64, u32)], alpha: f64) -> CostChange {
    let savings: Vec<f64> = known.iter().map(|(a, b, _)| a - b).collect();
    let clusters: Vec<u32> = known.iter().map(|row| row.2).collect();
    let mean = mean_with_t(&savings, &clusters, alpha);
    if known.is_empty() {
        return CostChange::default();
    }
    let average = |cost: fn(&(f64, f64, u32)) -> f64| Some(known.iter().map(cost).sum::<f64>() / known.len() as f64);
    CostChange {
        a_usd_per_request: average(|row| row.0),
        b_usd_per_request: average(|row| row.1),
        saving_usd_per_request: mean.estimate(alpha),
        heavy_tail: mean.heavy_tail,
        ..CostChange::default()
    }
}

/// In what two sides differ, the nearest to the answers first.
fn differences([a, b]: &[SideFacts; 2], sameness: Sameness) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |what, of: &dyn Fn(&SideFacts) -> String| {
        let (a, b) = (of(a), of(b));
        if a != b {
            found.push(Difference { what, a, b });
        }
    };
    compare("model", &|side| side.endpoints.join(", "));
    compare("served as", &|side| match side.served_models.as_slice() {
        [] => "not said".to_owned(),
        models => models.join(", "),
    });
    compare("prompt", &|side| side.prompt.clone());
    compare("interventions", &|side| match side.settings.as_slice() {
        [] => "none".to_owned(),
        settings => settings.join(", "),
    });
    compare("parameters", &|side| serde_json::to_string(&side.params).unwrap_or_default());
    compare("answers", &|side| match side.provenance {
        RunProvenance::Live => "live".to_owned(),
        RunProvenance::Recorded => "recorded".to_owned(),
        RunProvenance::Mixed => "partly live, partly recorded".to_owned(),
        RunProvenance::Imported => side.source.clone().unwrap_or_else(|| "imported".to_owned()),
    });
    compare("sent", &|side| match (side.counts.batched, side.counts.trials) {
        (0, _) => "one by one".to_owned(),
        (batched, trials) if batched == trials => "by batch".to_owned(),
        (batched, trials) => format!("{batched} of {trials} by batch"),
    });
    compare("repeats", &|side| side.repeats.to_string());
    compare("days", &days);
    compare("suite", &|side| format!("{} ({})", side.suite, &side.suite_digest.to_string()[..12]));
    // The same variant of two runs: its file may have changed between them.
    let changed = sameness.examples - sameness.same_requests;
    if a.variant == b.variant && a.endpoints == b.endpoints && changed > 0 {
        found.push(Difference {
            what: "requests",
            a: "as first asked".to_owned(),
            b: format!(
                "worded otherwise for {changed} of {} examples: the prompt, schema, shots or parameters were changed",
                sameness.examples
            ),
        });
    }
    found
}

/// On which days (UTC) a side was asked.
fn days(side: &SideFacts) -> String {
    match (&side.first_day, &side.last_day) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (Some(first), _) => first.clone(),
        _ => "none".to_owned(),
    }
}
