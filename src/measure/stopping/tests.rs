use super::*;
use crate::stats::rng::Rng;

fn goal(target: Target, value: f64) -> Goal {
    Goal { target, value }
}

/// A plan of `n` examples in clusters of `size`, asked once of one variant.
fn design(n: u32, size: u32, goals: &[Goal]) -> Design {
    let steps = (0..n).map(|example| example / size).collect();
    Design { steps, repeats: 1, graded: false, alpha: 0.05, goals: vec![goals.to_vec()] }
}

fn scored(score: f64) -> Observed {
    Observed { score: Some(score), valid: Some(true), speed: Speed::Within }
}

/// Feeds scores in order until the rule stops; how it stopped and after how many.
fn until_stop(design: Design, scores: impl Iterator<Item = f64>) -> (Stopping, Option<(Stop, usize)>) {
    let mut rule = Stopping::new(design);
    for (place, score) in scores.enumerate() {
        if let Some(stop) = rule.observe(0, place, scored(score)) {
            return (rule, Some((stop, place + 1)));
        }
    }
    (rule, None)
}

#[test]
fn met_and_missed_targets_stop_early() {
    let accuracy = [goal(Target::Accuracy, 0.9)];
    let (rule, stop) = until_stop(design(280, 1, &accuracy), std::iter::repeat_n(1.0, 280));
    let (stop, n) = stop.unwrap();
    // All right: the sequence's lower end passes 0.9 at 0.9^-n / sqrt(pi n) = 20.
    assert_eq!((stop, n), (Stop::Decided, 53));
    let state = rule.goals(0)[0];
    assert_eq!((state.answer, state.settled_at), (TargetAnswer::Met, Some(53)));
    assert_eq!((rule.stopped_at(0), rule.looked_at(0), rule.to_go(0)), (Some(53), 53, 227));
    let (rule, stop) = until_stop(design(280, 1, &accuracy), (0..280).map(|place| f64::from(place % 2)));
    assert!(matches!(stop, Some((Stop::Decided, n)) if n < 30), "{stop:?}");
    assert_eq!(rule.goals(0)[0].answer, TargetAnswer::NotMet);
}

#[test]
fn a_target_out_of_reach_does_not_hold_the_stop_back() {
    let both = [goal(Target::Accuracy, 0.9), goal(Target::SchemaValidity, 0.999)];
    let (rule, stop) = until_stop(design(280, 1, &both), std::iter::repeat_n(1.0, 280));
    assert_eq!(stop, Some((Stop::Futile, 53)));
    let answers: Vec<TargetAnswer> = rule.goals(0).iter().map(|goal| goal.answer).collect();
    assert_eq!(answers, [TargetAnswer::Met, TargetAnswer::NotEnoughEvidence]);
}

#[test]
fn a_rate_at_the_target_is_given_up_once_it_cannot_be_met() {
    let near = (0..280).map(|place| f64::from(u8::from(place % 10 != 3)));
    let (rule, stop) = until_stop(design(280, 1, &[goal(Target::Accuracy, 0.9)]), near);
    assert_eq!(stop, Some((Stop::Futile, 124)));
    assert_eq!(rule.goals(0)[0].answer, TargetAnswer::NotEnoughEvidence);
}

#[test]
fn a_variant_without_a_target_goes_on_to_the_end() {
    let (rule, stop) = until_stop(design(100, 1, &[]), std::iter::repeat_n(1.0, 100));
    assert_eq!((stop, rule.stopped(0), rule.to_go(0)), (None, None, 0));
}

#[test]
fn the_order_of_arrival_changes_nothing() {
    let mut rng = Rng::new(9);
    for size in [1, 4] {
        let scores: Vec<f64> = (0..200).map(|_| f64::from(u8::from(rng.unit() < 0.6))).collect();
        let goals = [goal(Target::Accuracy, 0.8), goal(Target::SchemaValidity, 0.8)];
        let (in_order, stop) = until_stop(design(200, size, &goals), scores.iter().copied());
        assert!(stop.is_some());
        for _ in 0..20 {
            let mut places: Vec<usize> = (0..200).collect();
            rng.shuffle(&mut places);
            let mut rule = Stopping::new(design(200, size, &goals));
            for &place in &places {
                rule.observe(0, place, scored(scores[place]));
            }
            assert_eq!(rule.stopped_at(0), in_order.stopped_at(0));
            assert_eq!(rule.goals(0), in_order.goals(0));
        }
    }
}

#[test]
fn nothing_after_a_gap_is_looked_at() {
    let mut rule = Stopping::new(design(280, 1, &[goal(Target::Accuracy, 0.9)]));
    for place in (0..200).filter(|place| *place != 10) {
        assert_eq!(rule.observe(0, place, scored(1.0)), None);
    }
    assert_eq!(rule.looked_at(0), 10);
    assert_eq!(rule.observe(0, 10, scored(0.0)), Some(Stop::Decided));
    // It stopped where it would have in order; the rest of what came was looked at too.
    assert!(rule.stopped_at(0).unwrap() < 120 && rule.looked_at(0) == 200, "{:?}", rule.stopped_at(0));
}

#[test]
fn missing_trials_and_repeats_make_no_value_of_their_own() {
    let twice = Design { repeats: 2, ..design(100, 1, &[goal(Target::Accuracy, 0.5)]) };
    let mut rule = Stopping::new(twice);
    for place in 0..100 {
        assert_eq!(rule.observe(0, place, Observed::NOTHING), None);
        rule.observe(0, place, if place % 2 == 0 { scored(1.0) } else { Observed::NOTHING });
    }
    assert_eq!(rule.goals(0)[0].answer, TargetAnswer::Met);
    // A trial more than there are, an unknown example and an unknown variant change nothing.
    assert_eq!((rule.observe(0, 3, scored(0.0)), rule.observe(0, 300, scored(0.0))), (None, None));
    assert_eq!((rule.observe(7, 3, scored(0.0)), rule.to_go(0), rule.to_go(7)), (None, 0, 0));
}

#[test]
fn times_count_while_they_are_fresh() {
    let goals = [goal(Target::Accuracy, 0.9), goal(Target::TtftP95Ms, 300.0)];
    let feed = |speed: fn(usize) -> Speed| {
        let mut rule = Stopping::new(design(400, 1, &goals));
        let stop = (0..400).find_map(|place| {
            let seen = Observed { speed: speed(place), ..scored(1.0) };
            rule.observe(0, place, seen).map(|stop| (stop, place + 1))
        });
        (stop, rule.goals(0)[1])
    };
    let (stop, state) = feed(|_| Speed::Within);
    assert!(matches!(stop, Some((Stop::Decided, n)) if n > 90), "{stop:?}");
    assert_eq!(state.answer, TargetAnswer::Met);
    assert!(state.over_limit.unwrap().high <= 0.05);
    let (stop, state) = feed(|place| if place % 5 == 0 { Speed::Over } else { Speed::Within });
    assert_eq!((stop, state.answer), (Some((Stop::Decided, 53)), TargetAnswer::NotMet));
    assert!(state.over_limit.unwrap().low >= 0.05);
    let (stop, state) = feed(|place| if place == 3 { Speed::Stale } else { Speed::Within });
    assert_eq!((stop, state.answer), (Some((Stop::Decided, 53)), TargetAnswer::NotEnoughEvidence));
}

/// The share of worlds in which a rule that looks at every step ever settles a target that is exactly
/// the truth, so that either answer would be beyond what the sequence may say.
fn settled_at_the_target(worlds: u32, design: &Design, mut next: impl FnMut(&mut Rng, usize) -> f64) -> f64 {
    let mut rng = Rng::new(77);
    let wrong = (0..worlds).filter(|_| {
        let mut rule = Stopping::new(design.clone());
        (0..design.steps.len()).for_each(|place| {
            let score = next(&mut rng, place);
            rule.observe(0, place, scored(score));
        });
        rule.goals(0)[0].settled_at.is_some()
    });
    wrong.count() as f64 / f64::from(worlds)
}

#[test]
fn peeking_at_every_step_is_wrong_in_at_most_5_of_100_worlds() {
    let coin = |rng: &mut Rng, rate: f64| f64::from(u8::from(rng.unit() < rate));
    for rate in [0.5, 0.9] {
        let plan = design(150, 1, &[goal(Target::Accuracy, rate)]);
        let share = settled_at_the_target(2_000, &plan, |rng, _| coin(rng, rate));
        assert!(share <= 0.05, "{rate}: {share}");
    }
    // Whole clusters share their luck: peeking at single answers would be wrong far more often.
    let mut luck = 0.0;
    let clustered = design(200, 4, &[goal(Target::Accuracy, 0.8)]);
    let share = settled_at_the_target(1_000, &clustered, |rng, place| {
        if place % 4 == 0 {
            luck = coin(rng, 0.8);
        }
        luck
    });
    assert!(share <= 0.05, "clusters: {share}");
    let graded = Design { graded: true, ..design(100, 1, &[goal(Target::Accuracy, 0.5)]) };
    let share = settled_at_the_target(1_000, &graded, |rng, _| rng.unit());
    assert!(share <= 0.05, "graded: {share}");
}
