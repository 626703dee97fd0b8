//! What every format writes: the columns, and that each has a name of its own.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_column_has_a_name_of_its_own() {
    let trials: Vec<String> = trial_columns(["code", "exact"]).into_iter().map(|column| column.name).collect();
    let variants: Vec<String> = variant_columns().into_iter().map(|column| column.name).collect();
    for names in [&trials, &variants] {
        let distinct: BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }
    let score = trials.iter().position(|name| name == "score").unwrap();
    assert_eq!(trials[score..score + 3], ["score", "score_code", "score_exact"]);
}
