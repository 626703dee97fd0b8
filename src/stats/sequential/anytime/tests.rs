use super::*;
use crate::stats::rng::Rng;
use crate::stats::sequential::{betting_cs, cs_bernoulli};
use crate::stats::testing::{close, close_interval};

const SINGLES: Outcomes = Outcomes::Bounded { largest: 1 };

fn singles(n: usize) -> Vec<u32> {
    (0..n as u32).collect()
}

/// Values whose last look is their best one, so that the running ends are those of METHODS.md 11.
#[test]
fn one_look_is_the_sequence_of_the_methods() {
    let right = vec![1.0; 100];
    close_interval(anytime_rate(&right, &singles(100), 0.05), 0.9429714024, 1.0);
    let wrong = vec![0.0; 100];
    close_interval(anytime_rate(&wrong, &singles(100), 0.05), 0.0, 0.05702859764);
    close_interval(anytime_mean(SINGLES, &[1.0; 50], &singles(50), 0.05), 0.8672013945, 1.0);
    close_interval(anytime_rate(&[0.5; 40], &singles(40), 0.05), 0.4190354552, 0.5809645448);
    let same = anytime_difference(&[0.0; 40], &singles(40), 0.05);
    close_interval(same, 2.0 * 0.4190354552 - 1.0, 2.0 * 0.5809645448 - 1.0);
}

#[test]
fn looks_never_widen_and_hold_what_each_look_showed() {
    let mut rng = Rng::new(3);
    let values: Vec<f64> = (0..150).map(|_| f64::from(u8::from(rng.unit() < 0.8))).collect();
    let graded: Vec<f64> = values.iter().map(|value| 0.3 + 0.6 * value).collect();
    for values in [&values, &graded] {
        let mut before = Interval::UNIT;
        for n in 1..=values.len() {
            let now = anytime_rate(&values[..n], &singles(n), 0.05);
            assert!(now.low >= before.low && now.high <= before.high, "{n}: {before:?} {now:?}");
            let alone = match Outcomes::of(values, &singles(values.len())) {
                Outcomes::Binary => cs_bernoulli(values[..n].iter().sum(), n as f64, 0.05),
                Outcomes::Bounded { .. } => betting_cs(&values[..n], 0.05, 0.5).unwrap(),
            };
            assert!(now.low >= alone.low - 1e-12 && now.high <= alone.high + 1e-12);
            before = now;
        }
    }
}

#[test]
fn clusters_of_one_size_are_their_means() {
    let scores = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0].repeat(10);
    let clusters: Vec<u32> = (0..80).map(|place| place / 2).collect();
    let means: Vec<f64> = scores.chunks(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
    let whole = anytime_rate(&scores, &clusters, 0.05);
    let of_means = anytime_mean(SINGLES, &means, &singles(40), 0.05);
    close(whole.low, of_means.low);
    close(whole.high, of_means.high);
}

#[test]
fn clusters_of_unequal_size_estimate_the_mean_over_examples() {
    // Large clusters are right, small ones wrong: the mean over clusters is 0.5, that over examples 0.9.
    let mut rng = Rng::new(11);
    let (mut scores, mut clusters) = (Vec::new(), Vec::new());
    for cluster in 0..600_u32 {
        let large = rng.unit() < 0.5;
        for _ in 0..if large { 9 } else { 1 } {
            scores.push(f64::from(u8::from(large)));
            clusters.push(cluster);
        }
    }
    let got = anytime_rate(&scores, &clusters, 0.05);
    assert!(got.contains(0.9) && got.low > 0.5 && got.width() < 0.2, "{got:?}");
}

#[test]
fn poor_input_gives_the_whole_range() {
    for (scores, clusters, alpha) in
        [(vec![], vec![], 0.05), (vec![f64::NAN], vec![0], 0.05), (vec![1.0], vec![], 0.05), (vec![1.0], vec![0], 0.0)]
    {
        assert_eq!(anytime_rate(&scores, &clusters, alpha), Interval::UNIT);
        assert_eq!(anytime_difference(&scores, &clusters, alpha), Interval::DIFFERENCE);
        close(anytime_p(SINGLES, &scores, &clusters, alpha), 1.0);
    }
    assert_eq!(anytime_difference(&[2.0], &[0], 0.05), Interval::DIFFERENCE);
}

#[test]
fn p_values_are_those_of_the_e_values() {
    // METHODS.md 11: eight wins without a loss.
    close(anytime_p(Outcomes::Binary, &[1.0; 8], &singles(8), 0.05), 1.0 / 50.2734375);
    // What was shown once stays shown.
    let then_losses = [[1.0; 8].as_slice(), &[-1.0; 8]].concat();
    close(anytime_p(Outcomes::Binary, &then_losses, &singles(16), 0.05), 1.0 / 50.2734375);
    close(anytime_p(Outcomes::Binary, &[0.0; 9], &singles(9), 0.05), 1.0);
    let clustered = anytime_p(SINGLES, &[0.5; 60], &singles(60), 0.05);
    assert!(clustered < 0.001, "{clustered}");
    assert!(anytime_p(Outcomes::bounded(&[0; 8]), &[1.0; 8], &[0; 8], 0.05) > 0.3, "one cluster shows nothing");
}

/// How often a sequence of `n` steps ever excludes the truth.
fn misses(worlds: u64, (truth, largest): (f64, u64), mut world: impl FnMut(&mut Rng) -> (Vec<f64>, Vec<u32>)) -> f64 {
    let mut rng = Rng::new(2024);
    let missed = (0..worlds).filter(|_| {
        let (values, clusters) = world(&mut rng);
        !anytime_mean(Outcomes::Bounded { largest }, &values, &clusters, 0.05).contains(truth)
    });
    missed.count() as f64 / worlds as f64
}

#[test]
fn graded_and_clustered_sequences_miss_the_truth_in_at_most_5_of_100_worlds() {
    let graded = misses(500, (0.5, 1), |rng| ((0..80).map(|_| rng.unit()).collect(), singles(80)));
    assert!(graded <= 0.05, "{graded}");
    // Sizes that tell of the score: a third of the clusters has four examples at 0.9, the others one at 0.6.
    let truth = (4.0 * 0.9 + 2.0 * 0.6) / 6.0;
    let clustered = misses(500, (truth, 4), |rng| {
        let (mut values, mut clusters) = (Vec::new(), Vec::new());
        for cluster in 0..60 {
            let (size, rate) = if rng.below(3) == 0 { (4, 0.9) } else { (1, 0.6) };
            // All of a cluster share their luck.
            let right = f64::from(u8::from(rng.unit() < rate));
            values.extend(std::iter::repeat_n(right, size));
            clusters.extend(std::iter::repeat_n(cluster, size));
        }
        (values, clusters)
    });
    assert!(clustered <= 0.05, "{clustered}");
}
