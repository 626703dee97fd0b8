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
