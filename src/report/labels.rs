//! The label review for a terminal.

use std::path::Path;

use super::figure::{Figure, Form, share};
use super::prose::value_text;
use super::table::{Table, header};
use super::terminal::{headed, shortened, table_or_list, wrap};
use crate::decide::LabelReport;
use crate::labels::annotators::Agreement;
use crate::labels::apply::Applied;
use crate::labels::confident::Confident;
use crate::labels::conflicts::{Alike, Conflicts};
use crate::labels::file::{Drawn, Header};
use crate::labels::review::{Suspect, shown};
use crate::labels::{LabelReview, NamedRow};
use crate::text::one_line;
use crate::units::group_thousands;

/// Entries of each list that are printed; `--json` and `-o` have more.
const SHOWN: usize = 5;

/// Rows of the review list that are printed.
const MOST_SUSPECTS: usize = 10;

/// Columns that are used of a wide terminal.
const WIDEST: usize = 140;

/// What is said of confident learning wherever it stands.
pub const RANKS: &str = "ranks what to look at; not the label error rate that the verdict reads";

/// The review, at most `width` columns wide.
pub fn render(review: &LabelReview, width: usize) -> String {
    let width = width.min(WIDEST);
    let counts = [("test", review.rows.test), ("dev", review.rows.dev), ("pool", review.rows.pool)];
    let counts: Vec<String> =
        counts.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{} {name}", count(*n))).collect();
    let run = review.run.as_ref().map_or(String::new(), |run| format!(" · run {}", one_line(run, 200)));
    let mut text = headed(&format!("{} · labels of {} rows{run}", review.suite, counts.join(", ")), width);
    text.push_str(&conflicts(&review.conflicts, width));
    text.push_str(&against(review, width));
    text.push_str(&section("Confident learning", review.confident.why_not.as_deref(), width));
    if let Some(found) = &review.confident.found {
        text.push_str(&confident(found, width));
    }
    text.push_str(&section("Annotators", review.annotators.why_not.as_deref(), width));
    if let Some(found) = &review.annotators.found {
        text.push_str(&annotators(found, width));
    }
    text.push_str(&section("Label ceiling", None, width));
    text.push_str(&wrap(&ceiling(&review.ceiling, Some(review.rows.test)), " ", " ", width));
    text.push_str(&suspects(review, width));
    text
}

fn count(n: u64) -> String {
    group_thousands(n.into())
}

/// A heading, and why there is nothing below it.
fn section(name: &str, why_not: Option<&str>, width: usize) -> String {
    let why = why_not.map_or(String::new(), |why| wrap(&format!("nothing: {why}"), " ", " ", width));
    format!("\n{name}\n{why}")
}

/// A row and its label: `VEG-FALL` test.jsonl:17 (e17).
fn named(row: &NamedRow) -> String {
    format!("`{}` {}:{} ({})", shown(&row.label), one_line(&row.file, 120), row.line, one_line(&row.id, 80))
}

/// An input in a line.
fn input(value: &serde_json::Value, indent: &str, width: usize) -> String {
    let room = width.saturating_sub(indent.len()).max(20);
    format!("{indent}{}\n", shortened_end(&one_line(&value_text(value), 400), room))
}

/// The beginning of a text, of at most so many columns.
fn shortened_end(text: &str, most: usize) -> String {
    if crate::text::columns(text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut columns = 1;
    for letter in text.chars() {
        columns += crate::text::columns_of(letter);
        if columns > most {
            break;
        }
        kept.push(letter);
    }
    format!("{}…", kept.trim_end())
}

fn more(listed: usize, all: u64, width: usize) -> String {
    let left = all.saturating_sub(listed as u64);
    if left == 0 {
        String::new()
    } else {
        wrap(&format!("… {} more: --json has them", count(left)), "  ", "  ", width)
    }
}

fn conflicts(found: &Conflicts, width: usize) -> String {
    let mut text = section("Alike inputs, different labels", None, width);
    if found.listed.is_empty() {
        text.push_str(&wrap("none: no input stands twice, or all but so, under different labels", " ", " ", width));
        return text;
    }
    let said = format!(
        "the same input stands under several labels {} times, all but the same input {}{} times; {} rows in all",
        count(found.duplicates),
        if found.crowded > 0 { "at least " } else { "" },
        count(found.near_duplicates),
        count(found.rows)
    );
    text.push_str(&wrap(&said, " ", " ", width));
    for conflict in found.listed.iter().take(SHOWN) {
        let kind = match conflict.kind {
            Alike::Duplicate => "same".to_owned(),
            Alike::NearDuplicate => format!("{} alike", share(conflict.similarity, 0)),
        };
        let rows: Vec<String> = conflict.rows.iter().map(named).collect();
        text.push_str(&wrap(&format!("{kind}: {}", rows.join(", ")), "  ", "    ", width));
        text.push_str(&input(&conflict.input, "    ", width));
    }
    text + &more(found.listed.len().min(SHOWN), found.duplicates + found.near_duplicates, width)
}

fn against(review: &LabelReview, width: usize) -> String {
    let mut text = section("Every answer against the label", review.against.why_not.as_deref(), width);
    let Some(found) = &review.against.found else { return text };
    let baseline = if found.baseline { " and a trained baseline" } else { ", without a trained baseline" };
    let said = format!(
        "{} variants of {} models{baseline}: of {} test examples with two valid answers or more, all of them agree on {}, \
         and on {} of these against the label",
        count(found.variants),
        count(found.models),
        count(found.compared),
        count(found.agreeing),
        count(found.against)
    );
    text.push_str(&wrap(&said, " ", " ", width));
    for one in found.listed.iter().take(SHOWN) {
        let baseline = if one.baseline { ", and of the trained baseline" } else { "" };
        let said = format!(
            "{}: `{}` is every valid answer, of {} of {} variants{baseline}",
            named(&one.row),
            one_line(&one.answer, 120),
            one.variants,
            one.asked
        );
        text.push_str(&wrap(&said, "  ", "    ", width));
    }
    text + &more(found.listed.len().min(SHOWN), found.against, width)
}

fn confident(found: &Confident, width: usize) -> String {
    let mut text = wrap(RANKS, " ", " ", width);
    let said = format!(
        "estimated label errors: {}; {} of {} rows confidently look like another class. The classifier, which has not \
         seen a row when it judges it, gives {} of them their label: what it cannot learn looks like errors, too",
        share(found.estimated_error_rate, 1),
        count(found.off_diagonal),
        count(found.rows),
        share(found.model_agreement, 1)
    );
    text.push_str(&wrap(&said, " ", " ", width));
    if found.unlabelled > 0 {
        let said = format!("{} rows have no label, and are left out", count(found.unlabelled));
        text.push_str(&wrap(&said, " ", " ", width));
    }
    if found.confusions.is_empty() {
        return text;
    }
    let cells = |one: &crate::labels::confident::Confusion| {
        let pair = format!("{} → {}", one_line(&one.given, 60), one_line(&one.likely, 60));
        vec![shortened(&pair, width.saturating_sub(30).max(24)), count(one.rows), format!("{:.1}", one.estimated_rows)]
    };
    let rows = found.confusions.iter().take(SHOWN).map(cells).collect();
    let table = Table { header: header(["label → looks like", "rows", "estimated"]), rows };
    text.push_str(&table_or_list(table, width));
    text + &more(found.confusions.len().min(SHOWN), found.confusions.len() as u64, width)
}

fn annotators(found: &Agreement, width: usize) -> String {
    let mut text = String::new();
    for pair in &found.pairs {
        let kappa = pair.kappa.map_or(String::new(), |kappa| format!(", Cohen's kappa {kappa:.2}"));
        let agreed = pair.agreed as f64 / pair.pairs.max(1) as f64;
        let said = format!(
            "{} and {}: {} of {} alike ({}){kappa}",
            annotator(&pair.a),
            annotator(&pair.b),
            count(pair.agreed),
            count(pair.pairs),
            share(agreed, 1)
        );
        text.push_str(&wrap(&said, " ", "   ", width));
    }
    for field in &found.fields {
        let said =
            format!("field {}: {} of {} alike", one_line(&field.field, 100), count(field.agreed), count(field.pairs));
        text.push_str(&wrap(&said, "   ", "     ", width));
    }
    for one in found.listed.iter().take(SHOWN) {
        let given: Vec<String> = one
            .labels
            .iter()
            .map(|given| format!("{} `{}`", one_line(&given.annotator, 60), shown(&given.label)))
            .collect();
        text.push_str(&wrap(&format!("{}: {}", named(&one.row), given.join(", ")), "  ", "    ", width));
    }
    text + &more(found.listed.len().min(SHOWN), found.disagreements, width)
}

fn annotator(name: &str) -> String {
    if name == crate::labels::annotators::FIRST { "the suite's labels".to_owned() } else { one_line(name, 60) }
}

/// What the labels allow, and what would settle it with so many test examples.
pub fn ceiling(report: &LabelReport, examples: Option<u64>) -> String {
    let settle = match report.n_to_settle {
        Some(n) => {
            let assumed = if report.source.is_none() { " (more if some are wrong)" } else { "" };
            let how = match examples {
                Some(examples) if n > examples => format!(", more than the {} test examples", count(examples)),
                _ => format!(": `--random {n}` draws them"),
            };
            format!("; about {} randomly chosen labels, checked, would settle it{assumed}{how}", count(n))
        }
        None if report.source.is_none() => "; `--random N` draws labels for an audit".to_owned(),
        None => String::new(),
    };
    format!("{}{settle}", report.explanation)
}

fn suspects(review: &LabelReview, width: usize) -> String {
    let mut text = section("To look at, the most suspicious first", None, width);
    if review.list.is_empty() {
        text.push_str(&wrap("nothing speaks against any label", " ", " ", width));
        return text;
    }
    for (place, one) in review.list.iter().take(MOST_SUSPECTS).enumerate() {
        text.push_str(&suspect(place + 1, one, width));
    }
    let said = format!(
        "{} of {} rows that something speaks against; -o FILE writes {} of them for review, --most N more. The order is no \
         probability, and no audit",
        review.list.len().min(MOST_SUSPECTS),
        count(review.suspicious),
        count(review.list.len() as u64)
    );
    text + &wrap(&said, " ", " ", width)
}

fn suspect(number: usize, one: &Suspect, width: usize) -> String {
    let head = format!(
        "{number}. {:.2} {}:{} ({}) `{}` → `{}`?",
        one.suspicion,
        one_line(&one.file, 120),
        one.line,
        one_line(&one.id, 80),
        shown(&one.label),
        shown(&one.suggested)
    );
    let mut text = wrap(&head, " ", "    ", width);
    text.push_str(&input(&one.input, "    ", width));
    for reason in &one.reasons {
        text.push_str(&wrap(reason, "    - ", "      ", width));
    }
    text
}

/// That the list was written.
pub fn written(path: &Path, rows: usize) -> String {
    format!(
        "{rows} rows are in {}: write `right`, `wrong` or `unsure` to `verdict`, the right label to `corrected`, and give \
         it to --apply",
        path.display()
    )
}

/// That an audit was drawn, and how it goes on.
pub fn drawn(header: &Header, path: &Path, suite: &Path, width: usize) -> String {
    let how = if header.blind {
        "write your own label to `corrected`, or `unsure` to `verdict`"
    } else {
        "write `right`, `wrong` or `unsure` to `verdict`, and the right label to `corrected`"
    };
    let said = format!(
        "{} of {} test examples, drawn at random with seed {}, are in {}. Keep their order, {how}, then: ceiling labels {} \
         --apply {}",
        count(header.rows),
        count(header.of),
        header.seed.unwrap_or_default(),
        path.display(),
        suite.display(),
        path.display()
    );
    wrap(&said, "", "", width)
}

/// What a review that was read back says.
pub fn applied(applied: &Applied, width: usize) -> String {
    let how = match applied.drawn {
        Drawn::Random => "drawn at random",
        Drawn::Suspicion => "the most suspicious ones",
    };
    let mut text = headed(
        &format!(
            "{} · {} rows, {how} · {} right · {} wrong · {} unsure · {} without a verdict",
            applied.suite, applied.rows, applied.right, applied.wrong, applied.unsure, applied.open
        ),
        width,
    );
    match &applied.audit.found {
        None => {
            let why = applied.audit.why_not.as_deref().unwrap_or_default();
            text.push_str(&wrap(&format!("no audit: {why}"), "", "", width));
        }
        Some(audit) => {
            text.push_str(&wrap(&ceiling(&audit.ceiling, None), "", "", width));
            if let Some(range) = audit.ceiling.ceiling {
                let figure = Figure::between((range.low, range.high), Form::Percent, "/audit/found/ceiling/ceiling");
                text.push_str(&wrap(&format!("label ceiling: {}%", figure.text()), "", "", width));
            }
            if audit.unsure > 0 {
                let said = format!("{} unsure rows are not counted; each may be wrong", audit.unsure);
                text.push_str(&wrap(&said, "", "", width));
            }
            if audit.left > 0 {
                let said = format!("{} rows at the end were not looked at: the others are a random sample", audit.left);
                text.push_str(&wrap(&said, "", "", width));
            }
            text.push_str(&format!("[data]\n{}\n", audit.key));
        }
    }
    if !applied.corrections.is_empty() {
        let said = format!(
            "{} labels to be replaced; --write-corrections FOLDER writes corrected copies",
            applied.corrections.len()
        );
        text.push_str(&wrap(&said, "", "", width));
    }
    for file in &applied.written {
        text.push_str(&format!("wrote {}\n", one_line(file, 400)));
    }
    text
}

#[cfg(test)]
pub(crate) mod tests;
