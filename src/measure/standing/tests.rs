use super::*;
use crate::measure::accumulate::tests::variant;
use crate::measure::steps::tests::{measurements, row};
use crate::variant::RetrieveFrom;

fn named(name: &str, right: usize) -> VariantMeasurements {
    row(variant(name), &("1".repeat(right) + &"0".repeat(100 - right)))
}

#[test]
fn the_best_is_marked_and_what_cannot_be_told_from_it() {
    let measured = measurements(vec![named("low", 20), named("near", 78), named("top", 80), named("same", 80)]);
    let expected = [Standing::Behind, Standing::Tied, Standing::Best, Standing::Tied].map(Some);
    assert_eq!(standings(&measured, 0.05), expected);
}

#[test]
fn a_bound_and_a_variant_without_answers_have_no_standing() {
    let mut bound = named("oracle", 99);
    bound.variant.retrieve = Some(Retrieve { k: 1, from: RetrieveFrom::Oracle });
    let measured = measurements(vec![bound, row(variant("silent"), &"-".repeat(100)), named("top", 50)]);
    assert_eq!(standings(&measured, 0.05), [None, None, Some(Standing::Best)]);
}

#[test]
fn without_an_answer_there_is_no_best() {
    assert_eq!(standings(&measurements(vec![row(variant("a"), "--")]), 0.05), [None]);
}

#[test]
fn a_variant_that_lacks_many_answers_has_no_standing() {
    let mut few = row(variant("few"), &("1".repeat(5) + &"-".repeat(275)));
    (few.missing, few.outcomes.failed) = (275, 275);
    let mut most = row(variant("most"), &("1".repeat(277) + "00-"));
    (most.missing, most.outcomes.failed) = (1, 1);
    let measured = measurements(vec![few, most]);
    assert_eq!(standings(&measured, 0.05), [None, Some(Standing::Best)]);
}

/// Twelve variants that are equally good, again and again.
#[test]
fn of_equal_variants_one_is_rarely_marked_as_behind() {
    const WORLDS: usize = 200;
    let mut state: u64 = 20_260_101;
    let mut is_right = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33).is_multiple_of(2)
    };
    let mut wrong = 0;
    for _ in 0..WORLDS {
        let rows = (0..12).map(|place| {
            let scores: String = (0..80).map(|_| if is_right() { '1' } else { '0' }).collect();
            row(variant(&place.to_string()), &scores)
        });
        let measured = measurements(rows.collect());
        wrong += usize::from(standings(&measured, 0.05).contains(&Some(Standing::Behind)));
    }
    // 5% of the worlds are 10; the chance of more than 17 is below one in a hundred.
    assert!(wrong <= 17, "{wrong} of {WORLDS}");
}
