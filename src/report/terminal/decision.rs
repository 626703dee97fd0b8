//! `ceiling decide` for a terminal: the verdict, the six questions, and every figure behind them.

use std::fmt::Write as _;

use super::{NOTHING, kebab, level, percent_interval, points, table_or_list, verdict, wrap};
use crate::decide::{BreakEven, CeilingTest, FewShot, Question, Verdict};
use crate::report::look::Look;
use crate::report::table::{Table, header};
use crate::units::{format_usd, group_thousands};

/// The whole decision.
pub fn decision(decided: &Verdict, look: Look) -> String {
    let width = look.width;
    let mut text = verdict::headline(decided, look);
    text.push_str(&verdict::why(decided, look));
    text.push_str(&questions(&decided.questions, look));
    text.push_str(&verdict::triggers(decided, look));
    if let Some(test) = decided.ceiling_test.as_ref().filter(|test| !test.rounds.is_empty()) {
        text.push_str(&ceiling_test(test, width));
    }
    text.push_str("\nLabels\n");
    text.push_str(&wrap(&decided.label_ceiling.explanation, "  ", "  ", width));
    text.push_str("\nTuned\n");
    text.push_str(&wrap(&tuned(decided), "  ", "  ", width));
    if let Some(trained) = &decided.trained_baseline {
        text.push_str("\nTrained baseline\n");
        text.push_str(&wrap(&trained.explanation, "  ", "  ", width));
    }
    text.push_str(&break_even(decided, width));
    text.push_str(&verdict::next_step(decided, look));
    text.push_str(&verdict::what_would_change(decided, look));
    text
}

fn questions(questions: &[Question], look: Look) -> String {
    let mut text = String::from("\nThe six questions\n");
    for question in questions {
        let state = kebab(&question.state);
        let first = format!("  {} {state:<8}", question.number);
        let lines = wrap(question.question, &first, "             ", look.width);
        text.push_str(&look.paint_first(question.state.into(), &state, lines));
        let answer = format!("{}: {}", kebab(&question.answer).replace('-', " "), question.explanation);
        text.push_str(&wrap(&answer, "           = ", "             ", look.width));
    }
    text
}

fn ceiling_test(test: &CeilingTest, width: usize) -> String {
    let mut text = String::from("\nCeiling test\n");
    let gain_of = |variant| test.gains.iter().find(|gain| gain.variant == variant);
    let rows = test.rounds.iter().map(|round| {
        let gain = gain_of(round.variant.clone());
        let reference = test.reference.as_ref() == Some(&round.variant);
        let over = match gain {
            Some(gain) => points(&gain.gain),
            None if reference => "reference".to_owned(),
            None => NOTHING.to_owned(),
        };
        let excluded = gain.map_or(NOTHING.to_owned(), |gain| if gain.excluded { "yes" } else { "no" }.to_owned());
        vec![round.round.to_string(), round.variant.to_string(), percent_interval(&round.accuracy), over, excluded]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let names = ["round", "variant", "accuracy", "gain [90%]", "gain that matters excluded"];
    text.push_str(&table_or_list(Table { header: header(names), rows }, width));
    let few_shot = match test.few_shot {
        FewShot::Measured => "measured",
        FewShot::NotTried => "not tried",
        FewShot::Impossible => "declared impossible",
    };
    let rounds = if test.enough_rounds { "yes" } else { "no" };
    let mut lines = vec![
        format!("C1 a first prompt and {} revisions: {rounds}; few-shot: {few_shot}", test.window),
        format!(
            "C2 no revision gained {} points or more: {}{}",
            number(test.delta_min * 100.0),
            kebab(&test.levelled_off).replace('-', " "),
            test.most_gain.map_or(String::new(), |most| {
                format!(" (the most that one of them may have gained: {} points)", number(most.max(0.0) * 100.0))
            })
        ),
        format!("C3 the target is missed by every prompted variant: {}", kebab(&test.target_missed).replace('-', " ")),
    ];
    lines.extend(test.unreadable().map(|most| {
        format!("the rounds can be read: no (at most {}% of a round's answers are valid)", number(most * 100.0))
    }));
    lines.extend(test.extrapolation.as_ref().map(|curve| {
        let range = curve.predicted_gain_range.map_or(String::new(), |range| {
            format!(" [{} to {}]", number(range.low * 100.0), number(range.high * 100.0))
        });
        let foreseen = number(curve.predicted_gain * 100.0);
        format!("the curve over the rounds foresees {foreseen}{range} points in the next three (advisory)")
    }));
    lines.extend(test.further.iter().map(|step| {
        let end = if step.excluded { "excluded" } else { "not excluded" };
        format!("`{}` over `{}`: {} points, a gain that matters {end}", step.variant, step.over, points(&step.gain))
    }));
    for line in lines {
        text.push_str(&wrap(&line, "  ", "    ", width));
    }
    text
}

fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// What a tuned variant showed, against the one in use, and what one must reach.
fn tuned(decided: &Verdict) -> String {
    let tuned = &decided.tuned;
    let mut text = tuned.explanation.clone();
    if let Some(against) = &tuned.against_incumbent {
        let _ = write!(
            text,
            "; against `{}`: {} points ({}), {}",
            against.baseline,
            points(&against.difference),
            level(Some(against.difference.level)),
            kebab(&against.verdict).replace('-', " ")
        );
    }
    if tuned.variant.is_some() && !tuned.must_reach.is_empty() {
        let wants: Vec<&str> = tuned.must_reach.iter().map(|wanted| wanted.explanation.as_str()).collect();
        let _ = write!(text, "; to be shipped it must reach {}", wants.join(", "));
    }
    text
}

fn break_even(decided: &Verdict, width: usize) -> String {
    let mut text = format!("\nBreak-even  {}\n", kebab(&decided.payback).to_uppercase());
    let Some(known) = &decided.break_even else {
        text.push_str(&wrap("training costs and volume are not configured, so it is not known", "  ", "  ", width));
        return text;
    };
    text.push_str(&wrap(&known.explanation, "  ", "  ", width));
    for line in figures(known) {
        text.push_str(&wrap(&line, "  - ", "    ", width));
    }
    text
}

fn figures(known: &BreakEven) -> Vec<String> {
    let money = |low: f64, high: f64| {
        if low == high { format_usd(low) } else { format!("{} to {}", format_usd(low), format_usd(high)) }
    };
    let count = |volume: f64| group_thousands(volume.ceil() as i128);
    let mut lines = Vec::new();
    if let Some(yearly) = known.saving_usd_per_year {
        let fixed = money(known.fixed_usd.low, known.fixed_usd.high);
        let upkeep = money(known.upkeep_usd_per_month.low, known.upkeep_usd_per_month.high);
        lines.push(format!("saves {} a year against {fixed} once and {upkeep} a month", format_usd(yearly)));
    }
    if let Some(share) = known.share_of_ranges {
        lines.push(format!(
            "pays back within {} months in {:.0}% of the ranges, each taken evenly (no probability)",
            number(known.horizon_months),
            share * 100.0
        ));
    }
    if let (Some(low), Some(high)) = (known.volume_low, known.volume_high) {
        lines.push(format!(
            "breaks even within the horizon from {} requests a month at the cheap end, from {} at the dear end",
            count(low),
            count(high)
        ));
    }
    match known.volume_floor {
        Some(floor) if floor > 0.0 => {
            lines.push(format!(
                "at {} requests a month or fewer upkeep eats the saving: it never pays back",
                count(floor)
            ));
        }
        Some(_) => lines.push("without upkeep it pays back some day at any volume; the horizon decides".to_owned()),
        None => {}
    }
    lines
}
