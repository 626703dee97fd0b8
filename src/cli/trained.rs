//! The baselines that were trained on a suite's pool, where the store has them.

use std::collections::BTreeMap;

use super::probe::rows;
use crate::digest::Digest;
use crate::error::Error;
use crate::measure::trained::{TrainedScores, TrainingCurve, TrainingPoint, example_key};
use crate::probe::report::{Help, LearningCurve, Projection};
use crate::probe::{self, TrainedBaseline};
use crate::stats::Answer3;
use crate::store::Store;
use crate::suite::Suite;

/// Places along a fitted curve, for drawing.
const DRAWN: u32 = 24;

/// The baselines of a suite as it stands now; none where they were trained on other rows, or never.
pub(super) fn kept(store: &Store, suite: &Suite) -> Result<Vec<TrainedScores>, Error> {
    if !store.has_probes()? {
        return Ok(Vec::new());
    }
    let rows = rows(suite)?;
    let Some(report) = store.probe(&probe::key(&rows))? else { return Ok(Vec::new()) };
    let keys = rows.test.iter().map(|example| (example.id.0.as_str(), example_key(&example.id.0, &example.input)));
    let keys: BTreeMap<&str, Digest> = keys.collect();
    Ok(report.baselines.into_iter().filter_map(|baseline| scores(baseline, &keys)).collect())
}

fn scores(baseline: TrainedBaseline, keys: &BTreeMap<&str, Digest>) -> Option<TrainedScores> {
    baseline.accuracy?;
    let key = |(id, score): (String, f32)| Some((*keys.get(id.as_str())?, score));
    Some(TrainedScores {
        curve: baseline.curve.as_ref().map(curve),
        name: baseline.name,
        training_examples: baseline.training_examples,
        macro_f1: baseline.macro_f1,
        majority: baseline.majority.map(|majority| majority.share),
        cross_validated: baseline.cross_validated.and_then(|estimate| estimate.point),
        scores: baseline.scores.into_iter().filter_map(key).collect(),
    })
}

fn curve(found: &LearningCurve) -> TrainingCurve {
    let points = found.points.iter().map(|point| TrainingPoint {
        examples: point.examples.round() as u64,
        accuracy: 1.0 - point.error,
        low: 1.0 - point.high,
        high: 1.0 - point.low,
    });
    let whole = |foreseen: &Projection| {
        let (low, high) = (foreseen.low?, foreseen.high?);
        Some(TrainingPoint { examples: foreseen.examples, accuracy: foreseen.accuracy, low, high })
    };
    let projection = found.projection.as_ref().and_then(whole);
    let refused = found.projection_refused.clone().or_else(|| {
        let unbounded = found.projection.is_some() && projection.is_none();
        unbounded.then(|| "too few sizes for an interval".to_owned())
    });
    TrainingCurve {
        fitted: fitted(found),
        points: points.collect(),
        projection,
        falls_faster: found.falls_faster,
        refused: refused.or_else(|| found.fit_refused.clone()),
        more_examples_help: match found.more_examples_help {
            Help::Yes => Answer3::Yes,
            Help::No => Answer3::No,
            Help::Unknown => Answer3::NotEnoughEvidence,
        },
    }
}

/// The fitted curve from the smallest size to the last that is shown.
fn fitted(found: &LearningCurve) -> Vec<TrainingPoint> {
    let sizes = found.points.iter().filter(|point| point.fitted).map(|point| point.examples);
    let first = sizes.clone().fold(f64::INFINITY, f64::min);
    let last = sizes.chain(found.projection.map(|projection| projection.examples as f64)).fold(0.0, f64::max);
    let Some(fit) = found.fit.filter(|_| first > 0.0 && last > first) else { return Vec::new() };
    let at = |place: u32| {
        let examples = first * (last / first).powf(f64::from(place) / f64::from(DRAWN));
        let gain = fit.b.map_or(0.0, |b| fit.a * examples.powf(-b));
        let accuracy: f64 = (1.0 - fit.c - gain).clamp(0.0, 1.0);
        TrainingPoint { examples: examples.round() as u64, accuracy, low: accuracy, high: accuracy }
    };
    (0..=DRAWN).map(at).collect()
}
