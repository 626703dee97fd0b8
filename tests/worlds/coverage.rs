//! How often the intervals that are shown cover the truth, on simulated samples of a known one.

use ceiling::stats::Interval;
use ceiling::stats::cluster::{clustered_accuracy, mean_cost, mean_with_t};
use ceiling::stats::paired::paired_difference;
use ceiling::stats::quantile::quantile_estimate;
use ceiling::stats::special::normal_quantile;

use super::draw::{Draw, seed_of};
use super::tally::{Share, in_parallel};

const ALPHA: f64 = 0.05;
/// 95%, one point more or less.
pub(crate) const PROMISED: Interval = Interval { low: 0.94, high: 0.96 };

/// One kind of sample.
pub(crate) struct Coverage {
    pub(crate) name: String,
    /// Bounds that hold where the promise is out of reach, and why.
    pub(crate) known: Option<(Interval, &'static str)>,
    covers: Box<dyn Fn(&mut Draw) -> bool + Sync>,
}

impl Coverage {
    fn new(name: impl Into<String>, covers: impl Fn(&mut Draw) -> bool + Sync + 'static) -> Self {
        Self { name: name.into(), known: None, covers: Box::new(covers) }
    }

    fn except(mut self, low: f64, high: f64, why: &'static str) -> Self {
        self.known = Some((Interval { low, high }, why));
        self
    }

    /// How many of the samples' intervals cover the truth.
    pub(crate) fn run(&self, samples: u64) -> Share {
        let covers = |number| u64::from((self.covers)(&mut Draw::new(seed_of(&self.name, 0, number))));
        Share { events: in_parallel(samples, 0, covers, |a, b| a + b), worlds: samples }
    }
}

const STEPS: &str = "counts are whole: at this n and rate the exact coverage of any interval jumps, and Wilson's stays near 95% on average";
const FEW: &str = "few clusters say little of how much clusters differ, and uneven ones less";
const WIDE: &str = "wider than asked: the effective n of a difference with few clusters is cautious";
const CAPPED: &str =
    "the effective n is at most the number of answers, though scores between 0 and 1 vary less than right and wrong";
const RANKS: &str = "order statistics are whole ranks, chosen to cover at least 95%";
const SKEW: &str =
    "a few dear requests carry the mean, and samples that hold none of them are too sure; the tool warns below 100";

/// Sizes of clusters.
#[derive(Clone, Copy)]
pub(super) enum Sizes {
    Equal(usize, usize),
    /// So many clusters of 1 to 20 examples.
    Mixed(usize),
}

impl Sizes {
    pub(super) fn draw(self, draw: &mut Draw) -> Vec<usize> {
        match self {
            Self::Equal(groups, size) => vec![size; groups],
            Self::Mixed(groups) => (0..groups).map(|_| draw.whole(1, 20)).collect(),
        }
    }
}

/// Scores of `fields` parts each (1: right or wrong), asked `repeats` times, with this correlation
/// within examples' clusters; means by example, and clusters.
pub(super) fn scores(sizes: &[usize], mean: f64, icc: f64, draw: &mut Draw) -> (Vec<f64>, Vec<u32>) {
    let (mut scores, mut clusters) = (Vec::new(), Vec::new());
    for (cluster, size) in sizes.iter().enumerate() {
        let of_cluster = draw.beta(mean, icc);
        for _ in 0..*size {
            scores.push(f64::from(u8::from(draw.chance(of_cluster))));
            clusters.push(cluster as u32);
        }
    }
    (scores, clusters)
}

/// Each example's mean over `tries` right-or-wrong tries, which correlate by `icc`.
fn means(n: usize, tries: u64, mean: f64, icc: f64, draw: &mut Draw) -> (Vec<f64>, Vec<u32>) {
    let one = |draw: &mut Draw| {
        let chance = draw.beta(mean, icc);
        draw.binomial(tries, chance) as f64 / tries as f64
    };
    ((0..n).map(|_| one(draw)).collect(), (0..n as u32).collect())
}

/// Whether each of two arms is right, by example, when their accuracies are these.
pub(super) fn pairs(
    sizes: &[usize],
    accuracies: [f64; 2],
    alike: f64,
    icc: f64,
    draw: &mut Draw,
) -> (Vec<f64>, Vec<u32>) {
    let limits = accuracies.map(normal_quantile);
    let (shared, own) = (alike.sqrt(), (1.0 - alike).sqrt());
    let (mut d, mut clusters) = (Vec::new(), Vec::new());
    for (cluster, size) in sizes.iter().enumerate() {
        // Clusters differ in how hard they are, and in which arm they suit.
        let (hard, suits) = (draw.normal(), [draw.normal(), draw.normal()]);
        for _ in 0..*size {
            let difficulty = icc.sqrt() * hard + (1.0 - icc).sqrt() * draw.normal();
            let right = |arm: usize, draw: &mut Draw| {
                let of_arm = icc.sqrt() * suits[arm] + (1.0 - icc).sqrt() * draw.normal();
                f64::from(u8::from(shared * difficulty + own * of_arm < limits[arm]))
            };
            let first = right(0, draw);
            d.push(right(1, draw) - first);
            clusters.push(cluster as u32);
        }
    }
    (d, clusters)
}

fn plain(n: usize, rate: f64) -> Coverage {
    Coverage::new(format!("accuracy, {n} examples, truth {:.0}%", 100.0 * rate), move |draw| {
        let (scores, clusters) = scores(&vec![1; n], rate, 0.0, draw);
        clustered_accuracy(&scores, &clusters, n as u64, false, ALPHA).interval().contains(rate)
    })
}

fn in_clusters(name: &str, sizes: Sizes, rate: f64, icc: f64) -> Coverage {
    Coverage::new(format!("accuracy, {name}, correlation {icc}, truth {:.0}%", 100.0 * rate), move |draw| {
        let (scores, clusters) = scores(&sizes.draw(draw), rate, icc, draw);
        clustered_accuracy(&scores, &clusters, scores.len() as u64, true, ALPHA).interval().contains(rate)
    })
}

fn repeated(n: usize, tries: u64, rate: f64) -> Coverage {
    let name = format!("accuracy, {n} examples asked {tries} times, truth {:.0}%", 100.0 * rate);
    Coverage::new(name, move |draw| {
        let (scores, clusters) = means(n, tries, rate, 0.5, draw);
        clustered_accuracy(&scores, &clusters, n as u64 * tries, true, ALPHA).interval().contains(rate)
    })
}

fn graded(n: usize, rate: f64) -> Coverage {
    Coverage::new(format!("mean score in quarters, {n} examples, truth {:.0}%", 100.0 * rate), move |draw| {
        let (scores, clusters) = means(n, 4, rate, 0.3, draw);
        clustered_accuracy(&scores, &clusters, n as u64, true, ALPHA).interval().contains(rate)
    })
}

fn difference(name: &str, sizes: Sizes, accuracies: [f64; 2], icc: f64) -> Coverage {
    let truth = accuracies[1] - accuracies[0];
    Coverage::new(format!("paired difference, {name}, truth {:.0} points", 100.0 * truth), move |draw| {
        let (d, clusters) = pairs(&sizes.draw(draw), accuracies, 0.8, icc, draw);
        paired_difference(&d, &clusters, d.len() as u64, ALPHA).interval.contains(truth)
    })
}

fn repeated_difference(n: usize, tries: u64) -> Coverage {
    Coverage::new(format!("paired difference, {n} examples asked {tries} times, truth 5 points"), move |draw| {
        let (first, clusters) = means(n, tries, 0.8, 0.5, draw);
        let second = means(n, tries, 0.85, 0.5, draw).0;
        let d: Vec<f64> = first.iter().zip(&second).map(|(a, b)| b - a).collect();
        paired_difference(&d, &clusters, n as u64 * tries, ALPHA).interval.contains(0.05)
    })
}

fn latency(n: usize) -> Coverage {
    Coverage::new(format!("95th percentile of {n} times"), move |draw| {
        let mut times: Vec<f64> = (0..n).map(|_| (0.6 * draw.normal()).exp()).collect();
        times.sort_by(f64::total_cmp);
        let truth = (0.6 * normal_quantile(0.95)).exp();
        quantile_estimate(&times, 0.95, ALPHA).interval().contains(truth)
    })
}

fn cost(n: usize, sigma: f64) -> Coverage {
    Coverage::new(format!("cost a request, {n} requests, spread of the logarithm {sigma}"), move |draw| {
        let costs: Vec<f64> = (0..n).map(|_| draw.log_normal(sigma)).collect();
        let clusters: Vec<u32> = (0..n as u32).collect();
        mean_cost(&costs, &clusters, ALPHA).interval.is_some_and(|interval| interval.contains(1.0))
    })
}

fn saving(n: usize, sigma: f64) -> Coverage {
    Coverage::new(format!("saving a request, paired, {n} requests, spread {sigma}"), move |draw| {
        let one = |draw: &mut Draw| draw.log_normal(sigma) * (draw.log_normal(0.1) - 0.4 * draw.log_normal(0.1));
        let saved: Vec<f64> = (0..n).map(|_| one(draw)).collect();
        let clusters: Vec<u32> = (0..n as u32).collect();
        mean_with_t(&saved, &clusters, ALPHA).interval.is_some_and(|interval| interval.contains(0.6))
    })
}

/// All of them.
pub(crate) fn all() -> Vec<Coverage> {
    use Sizes::{Equal, Mixed};
    let any_plain = Coverage::new("accuracy, 50 to 3,000 examples, truth 50% to 98%", |draw| {
        let (n, rate) = (draw.whole(50, 3000), draw.between(0.5, 0.98));
        let (scores, clusters) = scores(&vec![1; n], rate, 0.0, draw);
        clustered_accuracy(&scores, &clusters, n as u64, false, ALPHA).interval().contains(rate)
    });
    vec![
        any_plain,
        plain(100, 0.7).except(0.93, 0.96, STEPS),
        plain(100, 0.9).except(0.93, 0.97, STEPS),
        plain(100, 0.98).except(0.93, 1.0, STEPS),
        plain(300, 0.9),
        plain(1000, 0.9),
        plain(1000, 0.99).except(0.93, 0.975, STEPS),
        in_clusters("100 clusters of 10", Equal(100, 10), 0.9, 0.3),
        in_clusters("100 clusters of 10", Equal(100, 10), 0.7, 0.1),
        in_clusters("60 clusters of 1 to 20", Mixed(60), 0.9, 0.3).except(0.92, 0.97, FEW),
        in_clusters("30 clusters of 8", Equal(30, 8), 0.9, 0.3).except(0.93, 0.97, FEW),
        in_clusters("12 clusters of 10", Equal(12, 10), 0.9, 0.3).except(0.91, 0.97, FEW),
        in_clusters("6 clusters of 50", Equal(6, 50), 0.9, 0.3).except(0.88, 0.99, FEW),
        repeated(200, 3, 0.9),
        repeated(100, 5, 0.8),
        graded(200, 0.8).except(0.94, 1.0, CAPPED),
        graded(100, 0.95).except(0.94, 1.0, CAPPED),
        difference("300 examples", Equal(300, 1), [0.85, 0.85], 0.0),
        difference("300 examples", Equal(300, 1), [0.85, 0.9], 0.0),
        difference("100 examples", Equal(100, 1), [0.8, 0.9], 0.0),
        difference("1,000 examples", Equal(1000, 1), [0.88, 0.9], 0.0),
        difference("100 clusters of 10, correlation 0.3", Equal(100, 10), [0.85, 0.9], 0.3),
        difference("30 clusters of 8, correlation 0.3", Equal(30, 8), [0.85, 0.9], 0.3).except(0.93, 0.98, WIDE),
        difference("12 clusters of 10, correlation 0.3", Equal(12, 10), [0.85, 0.9], 0.3).except(0.93, 0.995, WIDE),
        repeated_difference(200, 3),
        latency(60).except(0.94, 1.0, RANKS),
        latency(100).except(0.94, 1.0, RANKS),
        latency(200).except(0.94, 0.99, RANKS),
        latency(1000).except(0.94, 0.975, RANKS),
        cost(100, 0.4),
        cost(100, 1.0).except(0.89, 0.96, SKEW),
        cost(500, 1.0).except(0.92, 0.96, SKEW),
        cost(100, 1.5).except(0.82, 0.96, SKEW),
        cost(1000, 1.5).except(0.89, 0.96, SKEW),
        saving(300, 0.4),
        saving(300, 1.0).except(0.91, 0.96, SKEW),
    ]
}
