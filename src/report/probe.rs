//! What trained baselines reached, for a terminal.

use super::figure::{share, signed};
use super::look::{Look, Tone};
use super::retrieval::EmbeddingPurchase;
use super::table::Table;
use super::terminal::{NOTHING, headed, level, percent_interval, table_or_list, wrap};
use crate::probe::report::{FieldBaseline, Help, LearningCurve, Majority, Projection};
use crate::probe::versus::{Against, Stands, Versus};
use crate::probe::{ProbeReport, TrainedBaseline};
use crate::stats::Estimate;
use crate::text::one_line;
use crate::units::group_thousands;

/// Longest name of a class or field that is shown whole.
const NAME: usize = 60;

/// The whole report, at most `look.width` columns wide.
pub fn text(report: &ProbeReport, versus: Option<&Versus>, purchase: Option<&EmbeddingPurchase>, look: Look) -> String {
    let width = look.width;
    let mut text = headed(&heading(report), width);
    text.push('\n');
    text.push_str(&table(report, width));
    for note in notes(report, purchase) {
        text.push_str(&wrap(&note, " ", "   ", width));
    }
    for row in &report.baselines {
        text.push_str(&fields(row, width));
    }
    for row in &report.baselines {
        if let Some(curve) = &row.curve {
            text.push_str(&learning_curve(&row.name, curve, look));
        }
    }
    if let Some(versus) = versus {
        text.push_str(&against(versus, look));
    }
    text
}

fn heading(report: &ProbeReport) -> String {
    let (pool, test) = (&report.pool, &report.test);
    let clustered = |facts: &crate::probe::report::RowFacts| {
        if facts.clusters < facts.rows { format!(" in {} clusters", count(facts.clusters)) } else { String::new() }
    };
    format!(
        "{} · probe · {} pool rows{} to train on, {} classes · {} test examples{}",
        report.suite,
        count(pool.rows),
        clustered(pool),
        count(pool.classes),
        count(test.rows),
        clustered(test)
    )
}

fn count(number: u64) -> String {
    group_thousands(number.into())
}

/// One row a baseline, then what guessing gives.
fn table(report: &ProbeReport, width: usize) -> String {
    let measured: Vec<&TrainedBaseline> = report.baselines.iter().filter(|row| row.accuracy.is_some()).collect();
    if measured.is_empty() {
        return String::new();
    }
    let levels = measured.iter().find_map(|row| row.accuracy).map(|estimate| estimate.level);
    let columns = [
        "trained baseline".to_owned(),
        format!("{} [{}]", report.primary, level(levels)),
        "macro-F1".to_owned(),
        "pool, held out".to_owned(),
    ];
    let shown = |estimate: Option<Estimate>| estimate.map_or(NOTHING.to_owned(), |known| percent_interval(&known));
    let row = |row: &&TrainedBaseline| {
        let name = row.endpoint.as_ref().map_or(row.name.clone(), |endpoint| format!("{} ({endpoint})", row.name));
        vec![name, shown(row.accuracy), shown(row.macro_f1), shown(row.cross_validated)]
    };
    let mut rows: Vec<Vec<String>> = measured.iter().map(row).collect();
    if let Some(guess) = measured.iter().find_map(|row| row.majority.as_ref()) {
        let nothing = NOTHING.to_owned();
        rows.push(vec![guessing(guess), share(guess.share, 1), nothing.clone(), nothing]);
    }
    table_or_list(Table { header: columns.into_iter().map(Into::into).collect(), rows }, width) + "\n"
}

fn guessing(guess: &Majority) -> String {
    format!("always `{}`", one_line(&guess.label, NAME))
}

/// What must be known to read the figures.
fn notes(report: &ProbeReport, purchase: Option<&EmbeddingPurchase>) -> Vec<String> {
    let mut notes = Vec::new();
    for row in &report.baselines {
        if let Some(why) = &row.not_applicable {
            notes.push(format!("{}: not applicable: {why}", row.name));
        }
    }
    let fields = report.baselines.iter().any(|row| row.fields.iter().any(|field| field.accuracy.is_some()));
    if fields || report.baselines.iter().any(|row| row.accuracy.is_some()) {
        notes.push(
            "A lower bound on what supervised training reaches on these labels: linear classifiers, trained here in \
             seconds. It is not the fine-tune, and says nothing of what one would cost."
                .to_owned(),
        );
    }
    let of = |n: u64, one: &str, many: &str| format!("{} {}", count(n), if n == 1 { one } else { many });
    if report.near_duplicates > 0 {
        let rows = of(report.near_duplicates, "pool row is", "pool rows are");
        notes.push(format!("{rows} all but the same as a test example, which flatters what is trained on the pool"));
    }
    if report.shared_clusters > 0 {
        let rows = of(report.shared_clusters, "pool row is", "pool rows are");
        notes
            .push(format!("{rows} of a cluster that test examples are of, which flatters what is trained on the pool"));
    }
    if !report.classes_not_in_pool.is_empty() {
        let names = report.classes_not_in_pool.iter().take(5).map(|name| format!("`{}`", one_line(name, NAME)));
        let more = report.classes_not_in_pool.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!(
            "no pool row has {}{more}, which test examples expect",
            names.collect::<Vec<_>>().join(", ")
        ));
    }
    for (facts, what) in [(&report.pool, "pool rows"), (&report.test, "test examples")] {
        if facts.unlabelled > 0 && report.baselines.iter().any(|row| row.accuracy.is_some()) {
            notes.push(format!("{} {what} without a label are left out", count(facts.unlabelled)));
        }
    }
    notes.extend(purchase.map(|bought| {
        let cost = bought.cost.map_or("cost unknown".to_owned(), |cost| cost.to_string());
        format!("vectors of {} texts were bought of {}, {cost}; they are kept", count(bought.texts), bought.endpoint)
    }));
    notes
}

/// An extraction's fields: first those that were measured.
fn fields(row: &TrainedBaseline, width: usize) -> String {
    if row.fields.is_empty() {
        return String::new();
    }
    let (measured, not): (Vec<&FieldBaseline>, Vec<&FieldBaseline>) =
        row.fields.iter().partition(|field| field.accuracy.is_some());
    let mut text = "\nBy field\n".to_owned();
    if !measured.is_empty() {
        let header = ["field", "right", "always the most frequent", "pool, held out", "values"];
        let shown = |estimate: Option<Estimate>| estimate.map_or(NOTHING.to_owned(), |known| percent_interval(&known));
        let cells = |field: &&FieldBaseline| {
            vec![
                one_line(&field.field, NAME),
                shown(field.accuracy),
                field.majority.as_ref().map_or(NOTHING.to_owned(), |guess| share(guess.share, 1)),
                shown(field.cross_validated),
                field.values.to_string(),
            ]
        };
        let rows = measured.iter().map(cells).collect();
        text.push_str(&table_or_list(Table { header: super::table::header(header), rows }, width));
    }
    for field in not {
        let why = field.not_applicable.as_deref().unwrap_or_default();
        let name = one_line(&field.field, NAME);
        text.push_str(&wrap(&format!("{name}: not applicable: {why}"), " ", "   ", width));
    }
    text
}

fn learning_curve(name: &str, curve: &LearningCurve, look: Look) -> String {
    let width = look.width;
    let mut text = format!("\nLearning curve ({name})\n");
    let header = super::table::header(["training examples", "accuracy", "draws", ""]);
    let mut rows: Vec<Vec<String>> = curve
        .points
        .iter()
        .map(|point| {
            let accuracy = interval(1.0 - point.error, Some(1.0 - point.high), Some(1.0 - point.low));
            let kept = if point.fitted { "" } else { "too few rows for the fit" };
            vec![format!("{:.0}", point.examples), accuracy, point.draws.to_string(), kept.to_owned()]
        })
        .collect();
    let projected = |at: &Projection, what: &str| {
        let accuracy = interval(at.accuracy, at.low, at.high);
        vec![count(at.examples), accuracy, NOTHING.to_owned(), what.to_owned()]
    };
    rows.extend(curve.projection.as_ref().map(|at| projected(at, "projected")));
    text.push_str(&table_or_list(Table { header, rows }, width));
    if let Some(fit) = &curve.fit {
        let law = match fit.b {
            Some(b) => format!("error = {:.3} + {:.3}·n^−{b:.3}", fit.c, fit.a),
            None => format!("error = {:.3}, flat", fit.c),
        };
        let whole = curve.whole_pool.as_ref().map_or(String::new(), |at| {
            format!("; at the whole pool it has {}", interval(at.accuracy, at.low, at.high))
        });
        text.push_str(&wrap(&format!("fit: {law}{whole}"), " ", "   ", width));
        if curve.falls_faster {
            let said = "the error still falls faster than the power law, so that what it foresees is rather too low";
            text.push_str(&wrap(said, " ", "   ", width));
        }
        if curve.gain.is_some() {
            let said = "intervals hold what these test examples and these parts of the pool leave open, not whether the \
                        power law goes on";
            text.push_str(&wrap(said, " ", "   ", width));
        }
    }
    let refused = [("no fit", &curve.fit_refused), ("no projection", &curve.projection_refused)];
    // Without a fit there is no projection either, for the same reason.
    if let Some((what, why)) = refused.into_iter().find_map(|(what, why)| Some((what, why.as_ref()?))) {
        text.push_str(&wrap(&format!("{what}: {why}"), " ", "   ", width));
    }
    let (word, tone) = match curve.more_examples_help {
        Help::Yes => ("yes", Tone::Good),
        Help::No => ("no", Tone::Bad),
        Help::Unknown => ("unknown", Tone::Unsure),
    };
    let said = wrap(&format!("More examples would help: {word}: {}", curve.because), " ", "   ", width);
    text + &look.paint_first(tone, word, said)
}

/// `68.9% [63.2–74.1]`.
fn interval(point: f64, low: Option<f64>, high: Option<f64>) -> String {
    let shown = share(point, 1);
    match low.zip(high) {
        Some((low, high)) => format!("{shown} [{:.1}–{:.1}]", low * 100.0, high * 100.0),
        None => shown,
    }
}

fn against(versus: &Versus, look: Look) -> String {
    let mut text = format!("\nAgainst run {} ({}, on the same examples)\n", versus.run, versus.baseline);
    for one in versus.best_prompted.iter().chain(&versus.tuned) {
        text.push_str(&wrap(&difference(one), " ", "   ", look.width));
    }
    text
}

fn difference(one: &Against) -> String {
    let points = |value: f64| signed(value * 100.0, 1);
    let difference = one.difference.point.map_or(NOTHING.to_owned(), points);
    let shown = |estimate: &Estimate| estimate.point.map_or(NOTHING.to_owned(), |point| share(point, 1));
    let doubt = if one.stands == Stands::NotDistinguishable { " by these examples" } else { "" };
    format!(
        "{}{doubt}: {} against {}, {difference} points [{} to {}] on {} examples",
        one.says,
        shown(&one.baseline),
        shown(&one.accuracy),
        points(one.difference.low),
        points(one.difference.high),
        count(one.n)
    )
}
