//! What the ladder, the intervals, the gate and the sequences promise, held to in simulated worlds whose
//! truth is known. Few worlds each: `cargo bench --bench calibration` runs thousands and writes the page.
//!
//! A test fails only where a promise is broken beyond what chance would do once in 10,000.

#[path = "../worlds/mod.rs"]
#[expect(dead_code, reason = "the bench uses what this does not")]
mod worlds;

use worlds::page::{self, BEGIN, END, with_tables};
use worlds::tally::{Family, Promise, Share, Truth, run, run_small};
use worlds::{bounds, coverage, families, gate, looks, power, rounds, rungs, tally};

/// The families' events stay within what they promise, or within the bound that holds instead; and all
/// families with the same promise together keep it too.
fn hold(families: &[Family], n: usize, number: u64) {
    let mut together: Vec<(f64, Share)> = Vec::new();
    for family in families.iter().filter(|family| family.sizes.contains(&n)) {
        let Some(most) = family.promise.held_to() else { continue };
        let counts = run_small(family, n, number, MOST_ROUNDS);
        let share = Share { events: counts.events(family.truth), worlds: counts.worlds };
        let asked = page::asked(family.truth);
        let name = family.name;
        assert!(!share.is_above(most), "{asked} in {:.1}% of `{name}`, n = {n}", 100.0 * share.rate());
        if let Promise::AtMost(most) = family.promise {
            let kept = together.iter_mut().find(|(promise, _)| *promise == most);
            match kept {
                Some((_, sum)) => (sum.events, sum.worlds) = (sum.events + share.events, sum.worlds + share.worlds),
                None => together.push((most, share)),
            }
        }
    }
    for (most, share) in together {
        assert!(!share.is_above(most), "{share:?} of all worlds together, n = {n}");
    }
}

/// More rounds than these take long to judge in a debug build.
const MOST_ROUNDS: usize = 5;

#[test]
fn training_is_not_recommended_where_a_prompt_suffices() {
    hold(families::FAMILIES, 300, 6);
    hold(families::FAMILIES, 1000, 3);
}

#[test]
fn training_is_not_recommended_where_a_cheaper_step_suffices() {
    hold(rungs::FAMILIES, 300, 10);
    hold(rungs::FAMILIES, 1000, 5);
}

#[test]
fn a_ceiling_is_not_called_while_prompts_still_gain() {
    hold(rounds::FAMILIES, 500, 20);
}

#[test]
fn training_is_recommended_where_it_is_right() {
    let found = |name: &str, n: usize| {
        let family = power::FAMILIES.iter().find(|family| family.name == name).unwrap();
        let counts = run(family, n, 12);
        let share = Share { events: counts.events(Truth::TrainingIsRight), worlds: counts.worlds };
        assert!(!share.is_below(0.8), "{:.1}% of `{name}`, n = {n}", 100.0 * share.rate());
    };
    found("the same, 5 points matter instead of 2", 1000);
    found("valid in 90% of answers, schema does not help, tuned always", 300);
    found("costs twice the budget, no cache to be had, tuned a tenth", 300);
}

#[test]
fn a_world_can_be_looked_at_again() {
    let family = &families::FAMILIES[1];
    let (first, _) = tally::world(family, 300, 17);
    let (again, _) = tally::world(family, 300, 17);
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    assert_eq!(run(family, 100, 6), run(family, 100, 6), "however the threads share the worlds");
}

#[test]
fn intervals_cover_what_they_say() {
    for row in coverage::all() {
        let share = row.run(200);
        let range = row.known.map_or(coverage::PROMISED, |(range, _)| range);
        let rate = 100.0 * share.rate();
        assert!(!share.is_below(range.low) && !share.is_above(range.high), "{} is covered in {rate:.1}%", row.name);
    }
}

#[test]
fn bounds_that_decide_are_wrong_no_more_often_than_they_say() {
    for row in bounds::all() {
        let most = row.promise.held_to().unwrap();
        let share = row.run(200);
        assert!(!share.is_above(most), "{} in {:.1}%", row.name, 100.0 * share.rate());
    }
}

#[test]
fn the_gate_is_quiet_when_nothing_changed_and_sees_a_real_drop() {
    for change in gate::CHANGES {
        let [alarms, confirmed] = change.run(400);
        assert!(confirmed.events <= alarms.events);
        let promised = change.promise.held_to();
        assert!(promised.is_none_or(|most| !alarms.is_above(most)), "{}: {alarms:?}", change.name());
        assert!(change.at_least.is_none_or(|least| !alarms.is_below(least)), "{}: {alarms:?}", change.name());
    }
    let stored = gate::stored_baselines(6);
    assert!(!stored.confirmed_rate().is_above(0.01), "{stored:?}");
    assert!(stored.worst() <= 1.0 && stored.bad_baselines().worlds == 6);
}

#[test]
fn looking_often_does_not_make_it_err_more_often() {
    for row in looks::ALL {
        let share = row.run(60);
        assert!(row.promise.held_to().is_none_or(|most| !share.is_above(most)), "{}: {share:?}", row.name);
    }
}

#[test]
fn the_page_has_a_row_for_each_kind_of_world() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/concepts/calibration.md");
    let page = std::fs::read_to_string(path).unwrap();
    for row in page::rows() {
        let wanted = format!("\n| {row} |");
        assert!(page.contains(&wanted), "`cargo bench --bench calibration -- --write` would add: {row}");
    }
    let old = format!("before {BEGIN}\n\n### one\n\n1\n\n### two\n\n2\n\n{END} after");
    let renewed = with_tables(&old, "### two\n\n3\n").unwrap();
    assert_eq!(renewed, old.replace('2', "3"));
}
