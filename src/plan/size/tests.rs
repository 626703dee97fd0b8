use super::*;

fn singles(n: u64) -> Sample {
    Sample { examples: n, cluster_sizes: vec![1; n as usize], repeats: 1 }
}

fn beliefs() -> Beliefs {
    Beliefs { alpha: 0.05, delta_min: 0.02, margin: 0.02, accuracy: Some(0.9), discordance: None, icc: None }
}

fn near(got: f64, expected: f64) {
    assert!((got / expected - 1.0).abs() < 1e-6, "{got} is not {expected}");
}

#[test]
fn differences_are_those_of_connor_with_the_exact_power() {
    // METHODS.md 9.2: psi 0.2 and 626 pairs find 0.05 with an exact power of 0.8028585886.
    let measured = Beliefs { discordance: Some(0.2), ..beliefs() };
    let reach = reach(&singles(626), &measured);
    let found = reach.shows[0].differences[0];
    assert!((found.detectable.unwrap() - 0.05).abs() < 2e-5, "{found:?}");
    assert!((found.exact_power.unwrap() - 0.8028585886).abs() < 5e-4);
    assert!(reach.discordance_measured && reach.smallest_p.is_none());
    // METHODS.md 1.1 at 88 of 100, as half of a width.
    let at = Beliefs { accuracy: Some(0.88), ..beliefs() };
    near(super::reach(&singles(100), &at).shows[0].half_width, (0.9300059356 - 0.8018790057) / 2.0);
}

#[test]
fn non_inferiority_and_the_ceiling_test_need_what_the_methods_say() {
    // METHODS.md 9.3 and 8.1.
    let by = |psi, margin| {
        let beliefs = Beliefs { discordance: Some(psi), margin, ..beliefs() };
        super::reach(&singles(100), &beliefs).shows[0].differences[0].n_for_margin
    };
    assert_eq!((by(0.1, 0.03), by(0.2, 0.02)), (Some(687), Some(3092)));
    assert_eq!(n_for_ceiling(&beliefs()), Some(1546));
    assert_eq!(n_for_ceiling(&Beliefs { delta_min: 0.05, ..beliefs() }), Some(248));
    // The margin that so many show is the margin that needs so many.
    let shown = super::reach(&singles(687), &beliefs()).shows[0].differences[1];
    assert!(shown.margin <= 0.03 && shown.margin > 0.0299, "{shown:?}");
}

#[test]
fn clusters_divide_the_examples_by_the_design_effect() {
    let clustered = Sample { examples: 200, cluster_sizes: vec![10; 20], repeats: 1 };
    // METHODS.md 9.5: 20 clusters of 10 at 0.2 have 2.8.
    let assumed = reach(&clustered, &beliefs());
    assert_eq!(assumed.shows.iter().map(|shows| shows.icc).collect::<Vec<_>>(), [0.0, 0.2]);
    near(assumed.shows[1].design_effect, 2.8);
    near(assumed.shows[1].n_effective, 200.0 / 2.8);
    let measured = reach(&clustered, &Beliefs { icc: Some(0.2), ..beliefs() });
    assert_eq!((measured.shows.len(), measured.icc_measured), (1, true));
    let supply = Supply::of(&clustered, &assumed);
    assert_eq!((supply.n, supply.n_clean), (200, 20));
    near(supply.n_effective, 200.0 / 2.8);
}

#[test]
fn a_few_clusters_show_nothing() {
    let few = Sample { examples: 50, cluster_sizes: vec![10; 5], repeats: 1 };
    assert_eq!(reach(&few, &beliefs()).smallest_p, Some(0.0625));
    assert_eq!(reach(&singles(0), &beliefs()).smallest_p, Some(1.0));
    assert_eq!(reach(&singles(6), &beliefs()).smallest_p, None);
}

#[test]
fn validity_needs_2995_clean_answers() {
    // METHODS.md 4.
    let validity = |n, expected| need(Wanted::SchemaValidity, 0.999, Supply::independent(n), expected, 0.05);
    let short = validity(280, None);
    let proving: Vec<(u64, u64)> = short.proving.iter().map(|row| (row.failures, row.n)).collect();
    assert_eq!(proving, [(0, 2995), (1, 4742), (2, 6294), (3, 7752), (5, 10511), (10, 16959)]);
    assert_eq!((short.enough, short.short_by, short.most_failures), (false, Some(2715), None));
    let enough = validity(4742, None);
    assert_eq!((enough.enough, enough.short_by, enough.most_failures), (true, None, Some(1)));
    // The rate of METHODS.md 4's table: 2,999 of 3,000 needs 10,207.
    let expected = validity(3000, Some((2999.0 / 3000.0, "here".into())));
    assert_eq!(expected.expected.unwrap().n_to_settle, Some(10207));
    assert_eq!((expected.enough, expected.short_by), (false, Some(7207)));
}

#[test]
fn accuracy_is_settled_by_the_rate_that_is_expected() {
    let accuracy =
        |n, rate: f64| need(Wanted::Accuracy, 0.9, Supply::independent(n), Some((rate, "--expect".into())), 0.05);
    // METHODS.md 4: 85 of 100 against 90% needs 253.
    let close = accuracy(100, 0.85);
    assert_eq!((close.expected.unwrap().n_to_settle, close.enough, close.short_by), (Some(253), false, Some(153)));
    assert!(close.expected_miss && accuracy(253, 0.85).enough);
    let right_there = accuracy(100, 0.9);
    assert_eq!((right_there.expected.unwrap().n_to_settle, right_there.short_by), (None, None));
    assert!(!right_there.expected_miss);
    assert!(accuracy(29, 1.0).enough && !accuracy(28, 1.0).enough);
    // 6 of 116 still prove 90%, one fewer does not do it.
    assert_eq!(need(Wanted::Accuracy, 0.9, Supply::independent(116), None, 0.05).most_failures, Some(6));
    assert_eq!(need(Wanted::Accuracy, 0.9, Supply::independent(115), None, 0.05).most_failures, Some(5));
}

#[test]
fn where_examples_are_alike_more_of_them_are_short() {
    let alike = Supply { n: 280, n_effective: 140.0, n_clean: 100 };
    let validity = need(Wanted::SchemaValidity, 0.99, alike, None, 0.05);
    // 299 clean clusters, 2.8 examples each: 837.2 examples, of which 280 are there.
    assert_eq!((validity.enough, validity.short_by), (false, Some(558)));
    let none = need(Wanted::Accuracy, 0.9, Supply { n: 0, n_effective: 0.0, n_clean: 0 }, None, 0.05);
    assert_eq!((none.short_by, none.most_failures), (Some(29), None));
    assert!(need(Wanted::Accuracy, 1.0, Supply::independent(9), None, 0.05).proving.is_empty());
}

#[test]
fn an_audit_settles_what_its_bound_reaches() {
    use crate::stats::labels::label_ceiling_from_audit;
    let audit_need = |share, checked, wrong, alpha| {
        super::audit_need(share, checked, wrong, label_ceiling_from_audit(wrong, checked, alpha), alpha)
    };
    assert_eq!(audit_need(0.9, 0, 0, 0.05).short_by, Some(29));
    assert!(audit_need(0.9, 29, 0, 0.05).enough);
    let one_wrong = audit_need(0.9, 29, 1, 0.05);
    assert_eq!((one_wrong.enough, one_wrong.short_by), (false, Some(17)));
    // So many wrong ones show that the labels do not allow it: settled, too.
    let unreachable = audit_need(0.9, 100, 30, 0.05);
    assert!(unreachable.enough && unreachable.expected_miss);
    assert_eq!(least_for_quantiles(0.05), (Some(59), Some(299)));
}
