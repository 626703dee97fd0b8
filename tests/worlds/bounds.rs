//! How often the one-sided bounds that decide are wrong, where the truth lies just on the other side.

use ceiling::stats::cluster::{clustered_one_sided, mean_cost};
use ceiling::stats::labels::label_ceiling_from_audit;
use ceiling::stats::paired::paired_difference;
use ceiling::stats::proportion::clopper_pearson_one_sided;

use super::coverage::{Sizes, pairs, scores};
use super::draw::{Draw, seed_of};
use super::tally::{Promise, Share, in_parallel};

const ALPHA: f64 = 0.05;
const KEPT: Promise = Promise::AtMost(ALPHA);
/// A 95% interval read on one side.
const HALF: Promise = Promise::AtMost(ALPHA / 2.0);

const fn few(most: f64) -> Promise {
    Promise::OutOfReach(ALPHA, most, "few clusters say little of how much clusters differ")
}

const fn skewed(most: f64) -> Promise {
    Promise::OutOfReach(ALPHA / 2.0, most, "a few dear requests carry the mean, and samples without them look cheap")
}

/// One bound.
pub(crate) struct Bound {
    pub(crate) name: String,
    pub(crate) promise: Promise,
    errs: Box<dyn Fn(&mut Draw) -> bool + Sync>,
}

impl Bound {
    fn new(name: impl Into<String>, promise: Promise, errs: impl Fn(&mut Draw) -> bool + Sync + 'static) -> Self {
        Self { name: name.into(), promise, errs: Box::new(errs) }
    }

    /// How many of the samples' bounds say what is not true.
    pub(crate) fn run(&self, samples: u64) -> Share {
        let errs = |number| u64::from((self.errs)(&mut Draw::new(seed_of(&self.name, 1, number))));
        Share { events: in_parallel(samples, 0, errs, |a, b| a + b), worlds: samples }
    }
}

fn plain(n: u64, rate: f64) -> [Bound; 2] {
    let bounds = move |draw: &mut Draw| clopper_pearson_one_sided(draw.binomial(n, rate) as f64, n as f64, ALPHA);
    let of = |what: &str| format!("{what} {}%, {n} examples that are exactly so", 100.0 * rate);
    [
        Bound::new(of("accuracy or validity shown to be over"), KEPT, move |draw| bounds(draw).low > rate),
        Bound::new(of("accuracy or validity shown to be under"), KEPT, move |draw| bounds(draw).high < rate),
    ]
}

fn in_clusters(groups: usize, size: usize, promises: [Promise; 2]) -> [Bound; 2] {
    const RATE: f64 = 0.9;
    let bounds = move |draw: &mut Draw| {
        let (scores, clusters) = scores(&Sizes::Equal(groups, size).draw(draw), RATE, 0.3, draw);
        clustered_one_sided(&scores, &clusters, scores.len() as u64, ALPHA)
    };
    let of = |what: &str| format!("{what} 90%, {groups} clusters of {size} (correlation 0.3)");
    let [over, under] = promises;
    [
        Bound::new(of("accuracy shown to be over"), over, move |draw| bounds(draw).low > RATE),
        Bound::new(of("accuracy shown to be under"), under, move |draw| bounds(draw).high < RATE),
    ]
}

/// C2: a gain of 2 points that is there is excluded.
fn gain(sizes: Sizes, name: &str, icc: f64, promise: Promise) -> Bound {
    Bound::new(format!("a true gain of 2 points excluded, {name}"), promise, move |draw| {
        let (d, clusters) = pairs(&sizes.draw(draw), [0.8, 0.82], 0.9, icc, draw);
        paired_difference(&d, &clusters, d.len() as u64, 2.0 * ALPHA).interval.high < 0.02
    })
}

/// T4: a cost that is exactly the budget is called over it.
fn dear(n: usize, sigma: f64, promise: Promise) -> [Bound; 2] {
    let interval = move |draw: &mut Draw| {
        let costs: Vec<f64> = (0..n).map(|_| draw.log_normal(sigma)).collect();
        let clusters: Vec<u32> = (0..n as u32).collect();
        mean_cost(&costs, &clusters, ALPHA).interval
    };
    let of = |what: &str| format!("cost shown to be {what} budget, {n} requests, spread of the logarithm {sigma}");
    [
        Bound::new(of("over the"), HALF, move |draw| interval(draw).is_some_and(|interval| interval.low > 1.0)),
        Bound::new(of("within the"), promise, move |draw| interval(draw).is_some_and(|interval| interval.high < 1.0)),
    ]
}

/// All of them.
pub(crate) fn all() -> Vec<Bound> {
    let audit = Bound::new("labels shown to allow 90%, 10% of them wrong, 300 audited", KEPT, |draw| {
        label_ceiling_from_audit(draw.binomial(300, 0.1), 300, ALPHA).low > 0.9
    });
    let mut all = Vec::new();
    all.extend(plain(100, 0.9));
    all.extend(plain(1000, 0.9));
    all.extend(plain(3000, 0.999));
    all.extend(in_clusters(100, 10, [KEPT, KEPT]));
    all.extend(in_clusters(30, 8, [few(0.08), few(0.08)]));
    all.extend(in_clusters(12, 10, [few(0.12), few(0.08)]));
    all.push(gain(Sizes::Equal(1000, 1), "1,000 examples", 0.0, KEPT));
    all.push(gain(Sizes::Equal(3000, 1), "3,000 examples", 0.0, KEPT));
    all.push(gain(Sizes::Equal(300, 10), "300 clusters of 10 (correlation 0.3)", 0.3, KEPT));
    all.extend(dear(100, 0.4, skewed(0.06)));
    all.extend(dear(100, 1.0, skewed(0.12)));
    all.extend(dear(1000, 1.0, skewed(0.06)));
    all.push(audit);
    all
}
