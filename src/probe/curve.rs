//! The learning curve: test errors at parts of the pool, the power law through them, and what may be said beyond.
//!
//! Ten seeded orders of the pool's clusters; a draw's smaller parts are the beginnings of its larger ones, so that the
//! sizes of a draw differ by what was added and by nothing else. A projection is what was measured at the whole pool and
//! what the power law gains from there (METHODS.md 8.2 speaks of gains, too): the law itself often lies below the last
//! size while the error still falls faster than any power. The interval resamples test clusters and draws. It
//! holds what these test examples and these parts of the pool leave open, and nothing more: not that the pool as a
//! whole is a sample, nor that the power law is only a form.

use super::baseline::{Bench, likeliest};
use super::cross::{fit, in_parallel_with};
use super::report::{CurveFit, CurvePoint, Help, LearningCurve, Projection};
use super::{Step, resample};
use crate::stats::Interval;
use crate::stats::curve::{PowerLaw, error_weight, power_law_fit};
use crate::stats::rng::Rng;

/// Parts of the pool (DESIGN.md 13.13).
pub(super) const SHARES: [f64; 6] = [0.05, 0.1, 0.2, 0.4, 0.7, 1.0];
/// Orders of the pool's clusters.
const DRAWS: usize = 10;
/// Sizes below which there is no fit, and no interval.
const FEWEST_SIZES: usize = 4;
const FEWEST_FOR_INTERVAL: usize = 6;
/// The farthest projection, in pools.
const FARTHEST: u64 = 4;
/// An interval wider than this says nothing that anybody could plan by.
const WIDEST: f64 = 0.2;

/// What is asked of the curve.
pub(super) struct Planned<'a> {
    /// As cross-validation chose it on the whole pool.
    pub(super) cost: f64,
    /// Training examples that are planned; `None`: twice the pool.
    pub(super) train_examples: Option<u64>,
    /// Of which baseline, for progress.
    pub(super) name: &'a str,
}

/// Errors by draw: of each size, of each test example.
pub(super) struct Drawn {
    /// Mean training examples by size.
    pub(super) sizes: Vec<f64>,
    /// By size, then draw, then test example; the whole pool has one draw.
    pub(super) errors: Vec<Vec<Vec<f32>>>,
    /// The cluster of each test example.
    pub(super) clusters: Vec<u32>,
}

/// Trains at each size and fits.
pub(super) fn learning_curve(bench: &Bench<'_>, planned: &Planned<'_>, step: &mut dyn FnMut(Step)) -> LearningCurve {
    let drawn = draw(bench, planned, step);
    judge(bench, planned, &drawn)
}

/// One part of the pool to train on.
struct Job {
    size: usize,
    rows: Vec<usize>,
}

fn draw(bench: &Bench<'_>, planned: &Planned<'_>, step: &mut dyn FnMut(Step)) -> Drawn {
    let labelled = bench.labelled;
    let jobs = jobs(bench);
    let mut lengths = vec![(0_usize, 0_usize); SHARES.len()];
    for job in &jobs {
        lengths[job.size].0 += job.rows.len();
        lengths[job.size].1 += 1;
    }
    let test: Vec<usize> = (labelled.pool..labelled.rows.len()).collect();
    let work = |job: Job| {
        let labels: Vec<usize> = job.rows.iter().map(|row| labelled.rows[*row].class).collect();
        let classes = labelled.classes.len();
        let seed = bench.settings.seed;
        let said = fit(bench.representation, &job.rows, &labels, classes, planned.cost, &test, seed);
        let answers: Vec<usize> = said.iter().map(|row| likeliest(row)).collect();
        let scores = bench.scores(labelled.test(), &answers);
        // What cannot be scored is never right, at any size.
        (job.size, scores.into_iter().map(|score| 1.0 - score.unwrap_or(0.0) as f32).collect::<Vec<f32>>())
    };
    let of = jobs.len() as u64;
    let mut errors = vec![Vec::new(); SHARES.len()];
    let mut done = 0;
    in_parallel_with(jobs, work, |(size, by_example)| {
        done += 1;
        step(Step { what: format!("{}: learning curve", planned.name), done, of });
        errors[size].push(by_example);
    });
    Drawn {
        sizes: lengths.into_iter().map(|(rows, draws)| rows as f64 / draws.max(1) as f64).collect(),
        errors,
        clusters: labelled.test().iter().map(|row| row.cluster).collect(),
    }
}

/// The parts of the pool, the largest first so that no thread is left with one at the end.
fn jobs(bench: &Bench<'_>) -> Vec<Job> {
    let pool = bench.labelled.pool();
    let mut groups: std::collections::BTreeMap<u32, Vec<usize>> = std::collections::BTreeMap::new();
    pool.iter().enumerate().for_each(|(row, of)| groups.entry(of.cluster).or_default().push(row));
    let groups: Vec<Vec<usize>> = groups.into_values().collect();
    let whole = SHARES.len() - 1;
    let mut jobs = vec![Job { size: whole, rows: (0..pool.len()).collect() }];
    let mut rng = Rng::new(bench.settings.seed);
    for _ in 0..DRAWS {
        let mut order: Vec<usize> = (0..groups.len()).collect();
        rng.shuffle(&mut order);
        for (size, share) in SHARES[..whole].iter().enumerate() {
            let wanted = ((share * pool.len() as f64).round() as usize).max(1);
            let mut rows = Vec::with_capacity(wanted);
            for group in &order {
                if rows.len() >= wanted {
                    break;
                }
                rows.extend(&groups[*group]);
            }
            rows.sort_unstable();
            jobs.push(Job { size, rows });
        }
    }
    // Stable, so that the draws of a size stay in their order.
    jobs.sort_by_key(|job| std::cmp::Reverse(job.size));
    jobs
}

/// Fits what was drawn, and says what may be said of it.
fn judge(bench: &Bench<'_>, planned: &Planned<'_>, drawn: &Drawn) -> LearningCurve {
    let statistics = bench.statistics;
    let (pool, classes) = (bench.labelled.pool as u64, bench.labelled.facts[0].classes);
    let usable: Vec<bool> = drawn.sizes.iter().map(|size| *size >= classes as f64).collect();
    let target = planned.train_examples.unwrap_or(2 * pool);
    let draws = resample::resampled(drawn, &usable, [pool, target], statistics.seed);
    let means: Vec<f64> = drawn.errors.iter().map(|of| resample::mean(of)).collect();
    let interval = |values: &[f64]| resample::interval(values, statistics.alpha);
    let point = |size: usize| {
        let error = means[size];
        let bounds = interval(&draws.errors[size]).unwrap_or(Interval::UNIT);
        let draws = drawn.errors[size].len() as u32;
        let (low, high) = (bounds.low.min(error), bounds.high.max(error));
        let examples = drawn.sizes[size];
        CurvePoint { examples, share: SHARES[size], error, low, high, draws, fitted: usable[size] }
    };
    let points: Vec<CurvePoint> = (0..SHARES.len()).map(point).collect();
    let sizes = different(drawn, &usable);
    let fit = fitted(drawn, &usable, &means, classes);
    let mut curve = LearningCurve {
        points,
        fit: None,
        fit_refused: None,
        whole_pool: None,
        projection: None,
        projection_refused: None,
        gain: None,
        falls_faster: false,
        flattens_faster: false,
        more_examples_help: Help::Unknown,
        because: String::new(),
    };
    let law = match fit {
        Ok(law) => law,
        Err(why) => {
            curve.because.clone_from(&why);
            curve.projection_refused = Some(why.clone());
            curve.fit_refused = Some(why);
            return curve;
        }
    };
    curve.fit = Some(CurveFit { a: law.a, b: law.b.filter(|_| law.a > 0.0), c: law.c });
    let has_interval = sizes >= FEWEST_FOR_INTERVAL;
    let ends = |values: &[f64]| if has_interval { interval(values) } else { None };
    let at = |examples: u64, accuracy: f64, values: &[f64]| {
        let bounds = ends(values);
        let (low, high) = (bounds.map(|of| of.low.min(accuracy)), bounds.map(|of| of.high.max(accuracy)));
        Projection { examples, accuracy, low, high }
    };
    let measured = 1.0 - means[SHARES.len() - 1];
    let by_law = accuracy(&law, pool);
    let whole = at(pool, by_law, &draws.at_pool);
    let gained = (measured + accuracy(&law, target) - by_law).clamp(0.0, 1.0);
    let beyond = at(target, gained, &draws.projected);
    curve.gain = ends(&draws.gain);
    // Paired within each resample: the fit and what was measured move together.
    let missed = ends(&draws.missed);
    curve.falls_faster = missed.is_some_and(|missed| missed.low > 0.0);
    let overtakes = by_law - measured >= statistics.delta_min;
    curve.flattens_faster = overtakes && missed.is_some_and(|missed| missed.high < 0.0);
    match refusal(&law, (pool, target), &curve, &beyond, bench) {
        Some(why) => curve.projection_refused = Some(why),
        None => curve.projection = Some(beyond),
    }
    curve.whole_pool = Some(whole);
    (curve.more_examples_help, curve.because) = help(&curve, (pool, target), statistics.delta_min);
    curve
}

/// Different sizes that are large enough: where clusters are large, two parts of the pool may be the same rows.
fn different(drawn: &Drawn, usable: &[bool]) -> usize {
    let kept = drawn.sizes.iter().zip(usable).filter(|(_, usable)| **usable);
    kept.map(|(size, _)| size.to_bits()).collect::<std::collections::BTreeSet<u64>>().len()
}

/// The power law through the sizes that are large enough, or why there is none.
fn fitted(drawn: &Drawn, usable: &[bool], means: &[f64], classes: u64) -> Result<PowerLaw, String> {
    let sizes = different(drawn, usable);
    if sizes < FEWEST_SIZES {
        return Err(format!(
            "{sizes} different sizes have at least as many rows as there are classes ({classes}), and a curve takes \
             {FEWEST_SIZES}"
        ));
    }
    let test = drawn.clusters.len() as f64;
    let kept = || (0..usable.len()).filter(|size| usable[*size]);
    let n: Vec<f64> = kept().map(|size| drawn.sizes[size]).collect();
    let errors: Vec<f64> = kept().map(|size| means[size]).collect();
    let weights: Vec<f64> = errors.iter().map(|error| error_weight(*error, test)).collect();
    power_law_fit(&n, &errors, &weights).map_err(|error| format!("no curve can be fitted: {error}"))
}

/// Accuracy that a law foresees.
pub(super) fn accuracy(law: &PowerLaw, examples: u64) -> f64 {
    (1.0 - law.predict(examples as f64)).clamp(0.0, 1.0)
}

/// Why nothing is said of `target` training examples.
fn refusal(
    law: &PowerLaw,
    (pool, target): (u64, u64),
    curve: &LearningCurve,
    beyond: &Projection,
    bench: &Bench<'_>,
) -> Option<String> {
    if target <= pool {
        return Some(format!("the pool has {pool} labelled rows already, so that {target} are no projection"));
    }
    if law.a <= 0.0 || law.b.is_none() {
        return Some("the curve is flat: over these sizes more examples did not lower the error".to_owned());
    }
    if target > FARTHEST * pool {
        return Some(format!("{target} training examples are more than {FARTHEST} times the pool's {pool}"));
    }
    let missing = bench.labelled.not_in_pool();
    if let Some(first) = missing.first() {
        let more = if missing.len() > 1 { format!(" and {} more", missing.len() - 1) } else { String::new() };
        return Some(format!("the pool has no row of a class that test examples expect: `{first}`{more}"));
    }
    if curve.flattens_faster {
        return Some(format!(
            "the curve flattens faster than the power law, which has {:.1}% at the whole pool, where {:.1}% were measured",
            accuracy(law, pool) * 100.0,
            curve.measured() * 100.0
        ));
    }
    let width = beyond.high.zip(beyond.low).map(|(high, low)| high - low);
    width.filter(|width| *width > WIDEST).map(|width| {
        format!(
            "its interval is {:.0} points wide, more than the {:.0} that anybody could plan by",
            width * 100.0,
            WIDEST * 100.0
        )
    })
}

/// Whether more examples help, from the interval of the gain.
fn help(curve: &LearningCurve, (pool, target): (u64, u64), delta_min: f64) -> (Help, String) {
    let points = delta_min * 100.0;
    if target <= pool {
        return (Help::Unknown, "no more examples than the pool has are planned".to_owned());
    }
    if target > FARTHEST * pool {
        return (Help::Unknown, "so many examples are too far from what was measured".to_owned());
    }
    if curve.flattens_faster {
        let why = "the curve flattens faster than the power law, so that its gain is too high";
        return (Help::Unknown, why.to_owned());
    }
    let Some(gain) = curve.gain else {
        return (Help::Unknown, format!("an interval takes {FEWEST_FOR_INTERVAL} sizes"));
    };
    let (low, high) = (gain.low * 100.0, gain.high * 100.0);
    let said = format!("from {pool} to {target} training examples the power law gains {low:.1} to {high:.1} points");
    if gain.low >= delta_min {
        (Help::Yes, format!("{said}, at least the {points:.1} that matter"))
    } else if gain.high < delta_min && curve.falls_faster {
        let why = "the error still falls faster than the power law, so that the gain may be larger";
        (Help::Unknown, format!("{said}, less than the {points:.1} that matter, but {why}"))
    } else if gain.high < delta_min {
        (Help::No, format!("{said}, less than the {points:.1} that matter"))
    } else {
        (Help::Unknown, format!("{said}: less and more than the {points:.1} that matter are both possible"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::baseline::ByClass;
    use crate::probe::cross::Settings;
    use crate::probe::features::Words;
    use crate::probe::material::{Labelled, Material};
    use crate::probe::testing::{example, suite};
    use crate::suite::{Example, Statistics, Suite};

    const SIZES: [f64; 6] = [50.0, 100.0, 200.0, 400.0, 700.0, 1_000.0];

    /// Test errors whose means lie near these, on 400 test examples; ten draws, one of the whole pool.
    fn drawn(sizes: [f64; 6], error: impl Fn(f64) -> f64) -> Drawn {
        let by_example = |size: f64, draw: usize| {
            let share = error(size);
            (0..400).map(|at| f32::from(u8::from(((at * 37 + draw * 11) % 400) as f64 / 400.0 < share))).collect()
        };
        let errors = sizes.iter().enumerate().map(|(place, size)| {
            let draws = if place == 5 { 1 } else { DRAWS };
            (0..draws).map(|draw| by_example(*size, draw)).collect()
        });
        Drawn { sizes: sizes.to_vec(), errors: errors.collect(), clusters: (0..400).collect() }
    }

    /// A pool of so many rows of two classes, and test examples of these classes.
    fn rows(count: usize, test: &[&str]) -> (Vec<Example>, Vec<Example>) {
        let label = |at: usize| if at.is_multiple_of(2) { "a" } else { "b" };
        let pool = (0..count).map(|at| example(&format!("p{at}"), &format!("text {at}"), label(at))).collect();
        let test = test.iter().enumerate().map(|(at, label)| example(&format!("t{at}"), "text", label)).collect();
        (pool, test)
    }

    fn judged(suite: &Suite, count: usize, test: &[&str], planned: Option<u64>, drawn: &Drawn) -> LearningCurve {
        let (pool, test) = rows(count, test);
        let material = Material { suite, pool, test };
        let labelled = Labelled::of(&material, |row| row.expected.pointer("/label"));
        let settings = Settings::default();
        let statistics = Statistics::default();
        let words = Words::default();
        let bench =
            Bench { labelled: &labelled, representation: &words, judge: &ByClass, settings: &settings, statistics };
        judge(&bench, &Planned { cost: 1.0, train_examples: planned, name: "words" }, drawn)
    }

    fn law(size: f64) -> f64 {
        0.1 + 2.0 * size.powf(-0.5)
    }

    #[test]
    fn a_power_law_is_followed_to_twice_the_pool_and_says_whether_more_helps() {
        let suite = suite("classification");
        let curve = judged(&suite, 1_000, &["a", "b"], None, &drawn(SIZES, law));
        let projection = curve.projection.unwrap();
        assert_eq!(projection.examples, 2_000);
        assert!((projection.accuracy - (1.0 - law(2_000.0))).abs() < 0.02, "{projection:?}");
        assert!(projection.low.unwrap() < projection.accuracy && projection.accuracy < projection.high.unwrap());
        assert_eq!(curve.points.iter().map(|point| point.draws).collect::<Vec<_>>(), [10, 10, 10, 10, 10, 1]);
        let steep = judged(&suite, 1_000, &["a", "b"], None, &drawn(SIZES, |size| 4.0 * size.powf(-0.4)));
        assert_eq!(steep.more_examples_help, Help::Yes, "{}", steep.because);
        let settled = judged(&suite, 1_000, &["a", "b"], None, &drawn(SIZES, |size| 0.2 + 30.0 * size.powf(-1.5)));
        assert_eq!(settled.more_examples_help, Help::No, "{}", settled.because);
    }

    #[test]
    fn what_the_curve_cannot_say_is_refused_with_its_reason() {
        let suite = suite("classification");
        let refused = |count, test: &[&str], planned, drawn: &Drawn| {
            let curve = judged(&suite, count, test, planned, drawn);
            assert!(curve.projection.is_none(), "{curve:?}");
            (curve.projection_refused.unwrap(), curve.more_examples_help)
        };
        let both = ["a", "b"];
        let (why, help) = refused(1_000, &both, None, &drawn(SIZES, |_| 0.3));
        assert!(why.contains("flat"), "{why}");
        assert_eq!(help, Help::No);
        assert!(refused(1_000, &both, None, &drawn(SIZES, |size| 0.2 + size / 5_000.0)).0.contains("flat"));
        let (why, help) = refused(1_000, &both, Some(4_001), &drawn(SIZES, law));
        assert!(why.contains("more than 4 times"), "{why}");
        assert_eq!(help, Help::Unknown);
        assert!(refused(1_000, &both, Some(900), &drawn(SIZES, law)).0.contains("already"));
        assert!(refused(1_000, &["a", "c"], None, &drawn(SIZES, law)).0.contains("`c`"));
        // Too small for the classes, or the same size more than once.
        for few in [[1.0, 1.0, 1.0, 40.0, 70.0, 100.0], [40.0, 40.0, 40.0, 40.0, 70.0, 100.0]] {
            let (why, help) = refused(100, &both, None, &drawn(few, law));
            assert!(why.starts_with("3 different sizes") && help == Help::Unknown, "{why}");
        }
    }

    #[test]
    fn a_curve_that_leaves_the_power_law_is_seen() {
        let suite = suite("classification");
        let curve = |errors: [f64; 6]| {
            let error = |size: f64| errors[SIZES.iter().position(|known| *known == size).unwrap()];
            judged(&suite, 1_000, &["a", "b"], None, &drawn(SIZES, error))
        };
        let falling = curve([0.8, 0.75, 0.68, 0.6, 0.45, 0.3]);
        assert!(falling.falls_faster && !falling.flattens_faster && falling.projection.is_some());
        let flat = curve([0.9, 0.7, 0.5, 0.3, 0.28, 0.36]);
        assert!(flat.flattens_faster && flat.more_examples_help == Help::Unknown, "{flat:?}");
        assert!(flat.projection_refused.unwrap().contains("flattens faster"));
    }

    #[test]
    fn a_curve_that_falls_faster_never_says_that_more_examples_do_not_help() {
        let suite = suite("classification");
        let settled = drawn(SIZES, |size| 0.2 + 30.0 * size.powf(-1.5));
        let curve = judged(&suite, 1_000, &["a", "b"], None, &settled);
        assert_eq!(help(&curve, (1_000, 2_000), 0.02).0, Help::No);
        let (said, why) = help(&LearningCurve { falls_faster: true, ..curve }, (1_000, 2_000), 0.02);
        assert!(said == Help::Unknown && why.contains("falls faster"), "{why}");
    }

    #[test]
    fn fewer_than_six_sizes_give_a_number_without_an_interval() {
        let curve =
            judged(&suite("classification"), 100, &["a", "b"], None, &drawn([1.0, 10., 20., 40., 70., 100.], law));
        let projection = curve.projection.unwrap();
        assert_eq!((projection.low, projection.high, curve.gain), (None, None, None));
        assert_eq!(curve.more_examples_help, Help::Unknown);
        assert!(!curve.points[0].fitted && curve.points[1].fitted);
    }
}
