use super::*;
use crate::suite::{ListMatch, Normalisation, SimilarityMatch};
use proptest::prelude::*;
use serde_json::json;

fn all_kinds() -> Vec<ScorerKind> {
    let normalise = vec![Normalisation::Case, Normalisation::Nfkc, Normalisation::Whitespace];
    vec![
        ScorerKind::Exact { normalise: vec![] },
        ScorerKind::Exact { normalise: normalise.clone() },
        ScorerKind::FieldF1 { tolerance: 0.005, list_match: ListMatch::Position },
        ScorerKind::FieldF1 { tolerance: 0.005, list_match: ListMatch::Best },
        ScorerKind::SetF1 { normalise: normalise.clone() },
        ScorerKind::Numeric { absolute: 0.1, relative: 0.1 },
        ScorerKind::Contains { normalise },
        ScorerKind::Regex { pattern: None },
        ScorerKind::Regex { pattern: Some("a|b".to_owned()) },
        ScorerKind::Similarity { by: SimilarityMatch::Levenshtein, threshold: None },
        ScorerKind::Similarity { by: SimilarityMatch::TokenF1, threshold: Some(1.0) },
        ScorerKind::Command { argv: vec![] },
        ScorerKind::Stated { metric: None },
    ]
}

fn built(kind: ScorerKind) -> Box<dyn Scorer> {
    let spec = ScorerSpec { id: "s".to_owned(), kind, at: String::new(), expected_at: String::new() };
    build(&spec).unwrap()
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[aBé .,]{0,5}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab/~]{1,2}", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

proptest! {
    #[test]
    fn scores_are_from_0_to_1_and_a_value_is_like_itself(expected in value(), answer in value()) {
        for kind in all_kinds() {
            let scorer = built(kind.clone());
            if let Some(score) = scorer.score(&expected, &answer, None).score() {
                prop_assert!((0.0..=1.0).contains(&score), "{kind:?} {score}");
            }
            // A pattern need not match its own text.
            if !matches!(kind, ScorerKind::Regex { .. }) {
                let own = scorer.score(&expected, &expected, None).score();
                prop_assert!(own.is_none_or(|score| score == 1.0), "{kind:?} {own:?}");
            }
        }
    }

    #[test]
    fn field_counts_add_up_to_the_score(expected in value(), answer in value()) {
        for list_match in [ListMatch::Position, ListMatch::Best] {
            let scorer = field_f1::FieldF1::new(0.005, list_match);
            let mut sum = field_f1::FieldCounts::default();
            scorer.field_counts(&expected, Some(&answer)).into_values().for_each(|counts| sum.add(counts));
            prop_assert_eq!(Grade::Scored(sum.f1()), scorer.score(&expected, &answer, None));
        }
    }
}

#[test]
fn every_kind_of_the_list_scores() {
    assert_eq!(KINDS.len(), 9);
    for kind in all_kinds() {
        let text = if matches!(kind, ScorerKind::Numeric { .. }) { "1" } else { "a" };
        let reply = json!({"score": 1});
        let grade = built(kind.clone()).score(&json!(text), &json!(text), Some(&reply));
        assert_eq!(grade, Grade::Scored(1.0), "{kind:?}");
    }
}
