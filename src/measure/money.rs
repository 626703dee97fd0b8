//! What a variant's requests cost: by the price list, or by hardware and throughput.
//!
//! Unknown is never zero (METHODS.md 6). Attempts that failed before the answering one carry no
//! usage and are in no figure here.

use super::accumulate::ExchangeFacts;
use super::grade::{Ending, EndpointFacts, GradedTrial};
use super::{BatchCost, Cost, Costs, Scores, UsageTotals};
use crate::provider::price::request_cost;
use crate::provider::{GpuCost, Price};
use crate::stats::cluster::mean_cost;
use crate::stats::cost::{CacheShares, cost_per_correct_fieller};
use crate::stats::{Estimate, Method};
use crate::trial::{Delivery, Provenance};
use crate::units::Usd;

/// Of the answers, the share that may lack usage before the mean cost is unknown; the same as for
/// missing trials (METHODS.md 0.4).
pub(super) const MAX_UNKNOWN: f64 = 0.01;

/// On what a cost rests that another tool states.
fn stated_note(stated: u64, answers: u64) -> String {
    let source = "as stated by the other tool";
    if stated == answers { source.to_owned() } else { format!("{source}, for {stated} of {answers} answers") }
}

/// A pause between requests that is longer than this is between two invocations of a run: the
/// hardware was not at work for it.
const LONGEST_GAP_MS: f64 = 60_000.0;

/// What is summed for the cost while trials come in.
#[derive(Debug, Clone, Default)]
pub(super) struct CostTally {
    /// Sum and number of the known costs by example.
    by_example: Costs,
    answers: u64,
    unknown: u64,
    spent: Usd,
    /// Fresh answers of a live endpoint, and how many of them have no known cost.
    live: u64,
    live_unknown: u64,
    /// When fresh exchanges were under way.
    fresh: AtWork,
    /// Of the answers of batches whose both costs are known: as billed, as if sent one by one, and
    /// their number.
    batch: (Usd, Usd, u64),
    /// Sum of the times of fresh recorded answers, and their number.
    recorded_ms: f64,
    recorded: u64,
    /// Answers whose cost is what another tool states.
    stated: u64,
}

impl CostTally {
    pub(super) fn add(&mut self, example: usize, graded: &GradedTrial, facts: ExchangeFacts, price: Option<&Price>) {
        if facts.delivery == Delivery::Batch {
            let direct = price.and_then(|price| request_cost(&graded.usage, price));
            if let Some((billed, direct)) = graded.cost.zip(direct) {
                self.batch = (self.batch.0 + billed, self.batch.1 + direct, self.batch.2 + 1);
            }
        }
        // A filter's refusal with an error status reports no usage and is not billed.
        let reported = graded.usage != crate::exchange::Usage::default();
        let answered = match graded.ending {
            Ending::Failed(_) => false,
            Ending::Refused => reported,
            Ending::Answered | Ending::Truncated => true,
        };
        if let Some(cost) = graded.cost {
            self.by_example.add(example, cost);
        }
        let unknown = u64::from(answered && graded.cost.is_none());
        self.answers += u64::from(answered);
        self.unknown += unknown;
        if facts.reused || !answered {
            return;
        }
        // What another tool paid is not spent by this run.
        if facts.provenance == Provenance::Imported {
            self.stated += u64::from(price.is_none() && graded.cost.is_some());
            return;
        }
        if facts.provenance == Provenance::Recorded {
            self.recorded += 1;
            self.recorded_ms += facts.took_ms;
            return;
        }
        self.live += 1;
        self.live_unknown += unknown;
        self.spent += graded.cost.unwrap_or(Usd::ZERO);
        if facts.delivery == Delivery::Direct {
            self.fresh.add(facts.sent_at_unix_ms, facts.took_ms as f32);
        }
    }

    /// Requests a second of the fresh answers, with what it rests on. A replay's clock says nothing,
    /// so a recording counts by its answers' own times, one after another.
    fn throughput(&self, recording_comparable: bool) -> Option<(f64, &'static str)> {
        if self.fresh.exchanges > 1 {
            let at_work = self.fresh.ms();
            return (at_work > 0.0).then(|| (self.fresh.exchanges as f64 / at_work * 1000.0, "measured"));
        }
        let usable = recording_comparable && self.recorded > 0 && self.recorded_ms > 0.0;
        usable.then(|| (self.recorded as f64 / self.recorded_ms * 1000.0, "recorded, one request at a time"))
    }

    /// The figures. `scores` and `clusters` run by example.
    pub(super) fn finish(
        self,
        endpoint: &EndpointFacts,
        scores: &Scores,
        clusters: &[u32],
        recording_comparable: bool,
        alpha: f64,
    ) -> Cost {
        let mut cost = match endpoint.gpu {
            Some(gpu) => self.by_hardware(gpu, scores, recording_comparable),
            None => self.by_price(endpoint),
        };
        fill_estimates(&mut cost, scores, clusters, alpha);
        cost
    }

    fn by_price(self, endpoint: &EndpointFacts) -> Cost {
        let missing_price = endpoint.price.is_none() && self.stated == 0;
        let too_many = self.unknown as f64 > MAX_UNKNOWN * self.answers as f64;
        let note = if missing_price {
            Some("no price is known for this model".to_owned())
        } else if self.stated > 0 {
            Some(stated_note(self.stated, self.answers))
        } else if self.unknown > 0 {
            let why = "usage was not reported or one of its prices is not known";
            Some(format!("{why} for {} of {} answers", self.unknown, self.answers))
        } else {
            None
        };
        let known = !missing_price && !too_many && !self.by_example.is_empty();
        Cost {
            spent: (self.live_unknown == 0).then_some(self.spent),
            batch: self.batch_cost().filter(|_| known),
            note,
            by_example: if known { self.by_example } else { Costs::default() },
            ..Cost::default()
        }
    }

    fn batch_cost(&self) -> Option<BatchCost> {
        let (billed, direct, answers) = self.batch;
        (answers > 0).then(|| BatchCost {
            usd_per_request: billed.as_f64() / answers as f64,
            direct_usd_per_request: direct.as_f64() / answers as f64,
        })
    }

    fn by_hardware(&self, gpu: GpuCost, scores: &Scores, recording_comparable: bool) -> Cost {
        let nothing_paid = (self.live == 0).then_some(Usd::ZERO);
        let Some((per_second, how)) = self.throughput(recording_comparable) else {
            let recorded = self.fresh.exchanges == 0 && (self.recorded > 0 || self.answers > 0);
            let why = if recorded { "answers are recorded" } else { "too few fresh answers" };
            return Cost {
                spent: nothing_paid,
                note: Some(format!("throughput was not measured: {why}")),
                ..Cost::default()
            };
        };
        let usd = gpu.usd_per_hour * f64::from(gpu.replicas) / 3600.0 / (per_second * gpu.utilisation);
        if !usd.is_finite() {
            return Cost {
                note: Some("`gpu.utilisation` is 0, so that no request can carry the cost".to_owned()),
                ..Cost::default()
            };
        }
        Cost {
            spent: nothing_paid.or(Usd::from_f64(usd * self.live as f64)),
            note: Some(format!(
                "hardware price over throughput ({per_second:.2} requests/s, {how}) at {:.0}% utilisation",
                gpu.utilisation * 100.0
            )),
            by_example: Costs::flat(usd, scores),
            ..Cost::default()
        }
    }
}

/// What the cache could save at most: the whole prompt read from it by every request (METHODS.md 6).
pub(super) fn most_of_cache(usage: &UsageTotals, price: Option<&Price>) -> Option<CacheShares> {
    let price = price?;
    let (input, output, read) = (price.input?, price.output?, price.cache_read?);
    let prompt = [
        usage.input_uncached_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
    ];
    usage.input_uncached_tokens.total?;
    let prompt: u64 = prompt.iter().filter_map(|sum| sum.total).sum();
    let (input_usd, output_usd) = (input.times(prompt).as_f64(), output.times(usage.output_tokens.total?).as_f64());
    let multiplier = read.times(1_000_000).as_f64() / input.times(1_000_000).as_f64();
    let input_share = input_usd / (input_usd + output_usd);
    (multiplier.is_finite() && input_share.is_finite()).then_some(CacheShares {
        input_share,
        prefix_share: 1.0,
        hit_rate: 1.0,
        read_multiplier: multiplier,
        write_multiplier: 1.0,
    })
}

/// The times in which requests were under way, without the pauses between a run's invocations.
#[derive(Debug, Clone, Default)]
struct AtWork {
    exchanges: u64,
    /// From the first request to the last end, in milliseconds since 1970-01-01 UTC; in order, and apart by more
    /// than a pause.
    spans: Vec<(f64, f64)>,
}

impl AtWork {
    /// Adds an exchange that was sent then, and took so many milliseconds.
    fn add(&mut self, sent_at_unix_ms: i64, took_ms: f32) {
        self.exchanges += 1;
        let (start, end) = (sent_at_unix_ms as f64, sent_at_unix_ms as f64 + f64::from(took_ms));
        // All that it reaches become one with it.
        let from = self.spans.partition_point(|(_, last)| start - last > LONGEST_GAP_MS);
        let to = from + self.spans[from..].partition_point(|(first, _)| first - end <= LONGEST_GAP_MS);
        if let ([(first, last)], 1) = (&mut self.spans[from..to], to - from) {
            (*first, *last) = (first.min(start), last.max(end));
            return;
        }
        let reached = &self.spans[from..to];
        let first = reached.first().map_or(start, |(first, _)| first.min(start));
        let last = reached.last().map_or(end, |(_, last)| last.max(end));
        self.spans.splice(from..to, [(first, last)]);
    }

    fn ms(&self) -> f64 {
        self.spans.iter().map(|(first, last)| last - first).sum()
    }
}

/// Mean and cost per correct answer from the costs by example.
fn fill_estimates(cost: &mut Cost, scores: &Scores, clusters: &[u32], alpha: f64) {
    let known = |place: &usize| cost.by_example.get(*place).is_some();
    let room = (0..clusters.len()).filter(known).count();
    let (mut costs, mut groups) = (Vec::with_capacity(room), Vec::with_capacity(room));
    for (place, cluster) in clusters.iter().enumerate() {
        if let Some(usd) = cost.by_example.get(place) {
            costs.push(usd);
            groups.push(*cluster);
        }
    }
    let mean = mean_cost(&costs, &groups, alpha);
    cost.heavy_tail = mean.heavy_tail;
    cost.per_request = mean.cost_estimate(alpha);
    costs.clear();
    groups.clear();
    let mut right = Vec::with_capacity(room);
    for (place, cluster) in clusters.iter().enumerate() {
        if let (Some(usd), Some(score)) = (cost.by_example.get(place), scores.get(place)) {
            costs.push(usd);
            right.push(f64::from(score));
            groups.push(*cluster);
        }
    }
    let fieller = cost_per_correct_fieller(&costs, &right, &groups, alpha).ok();
    cost.per_correct = fieller.and_then(|found| {
        let interval = found.interval?;
        Some(Estimate {
            point: Some(found.ratio?),
            low: interval.low.max(0.0),
            high: interval.high,
            level: 1.0 - alpha,
            n: costs.len() as u64,
            method: Method::Fieller,
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at_work(exchanges: &[(i64, f32)]) -> AtWork {
        let mut at_work = AtWork::default();
        exchanges.iter().for_each(|&(sent, took)| at_work.add(sent, took));
        at_work
    }

    #[test]
    fn the_pause_of_a_resumed_run_is_no_work() {
        let hour = 3_600_000;
        // Two requests at once, then two an hour later, in no order.
        let exchanges = [(hour + 1000, 1000.0), (0, 2000.0), (hour, 500.0), (500, 500.0)];
        assert_eq!(at_work(&exchanges).ms(), 4000.0);
        assert_eq!(at_work(&[(0, 10.0), (59_000, 10.0)]).ms(), 59_010.0);
        assert_eq!(at_work(&[]).ms(), 0.0);
    }

    /// From the first request to the last end, of all exchanges in order.
    fn swept(exchanges: &[(i64, f32)]) -> Vec<(f64, f64)> {
        let mut sorted = exchanges.to_vec();
        sorted.sort_by_key(|&(start, _)| start);
        let mut spans: Vec<(f64, f64)> = Vec::new();
        for (start, took) in sorted {
            let (start, end) = (start as f64, start as f64 + f64::from(took));
            match spans.last_mut() {
                Some((_, last)) if start - *last <= LONGEST_GAP_MS => *last = last.max(end),
                _ => spans.push((start, end)),
            }
        }
        spans
    }

    proptest! {
        #[test]
        fn spans_do_not_depend_on_the_order_of_the_exchanges(
            exchanges in prop::collection::vec((0..1_500_000_i64, 0.0..90_000.0_f32), 0..40),
        ) {
            let found = at_work(&exchanges);
            prop_assert_eq!(&found.spans, &swept(&exchanges));
            prop_assert_eq!(found.exchanges, exchanges.len() as u64);
        }
    }
}
