//! What a variant's requests cost: by the price list, or by hardware and throughput.
//!
//! Unknown is never zero (METHODS.md 6). Attempts that failed before the answering one carry no
//! usage and are in no figure here.

use super::accumulate::ExchangeFacts;
use super::grade::{Ending, EndpointFacts, GradedTrial};
use super::{BatchCost, Cost, UsageTotals};
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
    by_example: Vec<(Usd, u16)>,
    answers: u64,
    unknown: u64,
    spent: Usd,
    /// Fresh answers of a live endpoint, and how many of them have no known cost.
    live: u64,
    live_unknown: u64,
    /// Fresh exchanges in the order of their examples: when sent, and how long they took, in milliseconds.
    fresh: Vec<(i64, f32)>,
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
            if self.by_example.len() <= example {
                self.by_example.resize(example + 1, (Usd::ZERO, 0));
            }
            self.by_example[example].0 += cost;
            self.by_example[example].1 += 1;
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
            self.fresh.push((facts.sent_at_unix_ms, facts.took_ms as f32));
        }
    }

    /// Requests a second of the fresh answers, with what it rests on. A replay's clock says nothing,
    /// so a recording counts by its answers' own times, one after another.
    fn throughput(&self, recording_comparable: bool) -> Option<(f64, &'static str)> {
        if self.fresh.len() > 1 {
            let at_work = at_work_ms(&self.fresh);
            return (at_work > 0.0).then(|| (self.fresh.len() as f64 / at_work * 1000.0, "measured"));
        }
        let usable = recording_comparable && self.recorded > 0 && self.recorded_ms > 0.0;
        usable.then(|| (self.recorded as f64 / self.recorded_ms * 1000.0, "recorded, one request at a time"))
    }

    /// The figures. `scores` and `clusters` run by example.
    pub(super) fn finish(
        &self,
        endpoint: &EndpointFacts,
        scores: &[Option<f32>],
        clusters: &[u32],
        recording_comparable: bool,
        alpha: f64,
    ) -> Cost {
        let mut cost = match endpoint.gpu {
            Some(gpu) => self.by_hardware(gpu, scores, recording_comparable),
            None => self.by_price(endpoint, scores.len()),
        };
        fill_estimates(&mut cost, scores, clusters, alpha);
        cost
    }

    fn by_price(&self, endpoint: &EndpointFacts, examples: usize) -> Cost {
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
        let mean = |place: usize| {
            let (sum, count) = self.by_example.get(place).copied().unwrap_or((Usd::ZERO, 0));
            (count > 0).then(|| sum.as_f64() / f64::from(count))
        };
        let known = !missing_price && !too_many && !self.by_example.is_empty();
        Cost {
            spent: (self.live_unknown == 0).then_some(self.spent),
            batch: self.batch_cost().filter(|_| known),
            note,
            by_example: if known { (0..examples).map(mean).collect() } else { Vec::new() },
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

    fn by_hardware(&self, gpu: GpuCost, scores: &[Option<f32>], recording_comparable: bool) -> Cost {
        let nothing_paid = (self.live == 0).then_some(Usd::ZERO);
        let Some((per_second, how)) = self.throughput(recording_comparable) else {
            let recorded = self.fresh.is_empty() && (self.recorded > 0 || self.answers > 0);
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
            by_example: scores.iter().map(|score| score.map(|_| usd)).collect(),
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

/// From the first request to the last end, without the pauses between a run's invocations.
fn at_work_ms(exchanges: &[(i64, f32)]) -> f64 {
    let mut sorted = exchanges.to_vec();
    sorted.sort_unstable_by_key(|&(start, _)| start);
    let mut sum = 0.0;
    let mut span: Option<(f64, f64)> = None;
    for (start, took) in sorted {
        let (start, end) = (start as f64, start as f64 + f64::from(took));
        span = match span {
            Some((first, last)) if start - last <= LONGEST_GAP_MS => Some((first, last.max(end))),
            earlier => {
                sum += earlier.map_or(0.0, |(first, last)| last - first);
                Some((start, end))
            }
        };
    }
    sum + span.map_or(0.0, |(first, last)| last - first)
}

/// Mean and cost per correct answer from the costs by example.
fn fill_estimates(cost: &mut Cost, scores: &[Option<f32>], clusters: &[u32], alpha: f64) {
    let known: Vec<(f64, u32, Option<f32>)> = cost
        .by_example
        .iter()
        .zip(clusters)
        .zip(scores)
        .filter_map(|((usd, cluster), score)| usd.map(|usd| (usd, *cluster, *score)))
        .collect();
    let costs: Vec<f64> = known.iter().map(|row| row.0).collect();
    let groups: Vec<u32> = known.iter().map(|row| row.1).collect();
    let mean = mean_cost(&costs, &groups, alpha);
    cost.heavy_tail = mean.heavy_tail;
    cost.per_request = mean.cost_estimate(alpha);
    let scored = known.iter().filter_map(|(usd, cluster, score)| score.map(|score| (*usd, f64::from(score), *cluster)));
    let (mut costs, mut right, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for (usd, score, cluster) in scored {
        costs.push(usd);
        right.push(score);
        groups.push(cluster);
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

    #[test]
    fn the_pause_of_a_resumed_run_is_no_work() {
        let hour = 3_600_000;
        // Two requests at once, then two an hour later, in no order.
        let exchanges = [(hour + 1000, 1000.0), (0, 2000.0), (hour, 500.0), (500, 500.0)];
        assert_eq!(at_work_ms(&exchanges), 4000.0);
        assert_eq!(at_work_ms(&[(0, 10.0), (59_000, 10.0)]), 59_010.0);
        assert_eq!(at_work_ms(&[]), 0.0);
    }
}
