//! A run for a pull request: what one reads in five seconds, and the rest folded away.
//!
//! The first line is a comment by which a bot finds what it wrote before. Everything that came from a model,
//! a server or a suite goes through `escape`.

mod details;
pub(in crate::report) mod escape;

use self::details::Page;
use self::escape::{escaped, sentence, slug};
use super::brief::{Decisive, LadderStep, decisive, ladder, mark};
use super::figure::{Figure, Form, share};
use super::kebab;
use super::{Report, terminal};
use crate::decide::NextStep;
use crate::measure::standing::Standing;
use crate::measure::{RunProvenance, VariantMeasurements};

/// Bytes of the whole: GitHub refuses a comment of more than 65,536 characters.
const MOST_BYTES: usize = 60_000;

/// Variants in the scoreboard; `--rows variants` has all.
const MOST_VARIANTS: usize = 30;

/// Characters of a name.
const LONGEST_NAME: usize = 80;

/// Characters of the line that says from where imported answers come.
const LONGEST_SOURCE: usize = 200;

/// Characters of a sentence.
const LONGEST_SENTENCE: usize = 700;

/// What stands between the names of two that are compared.
const OVER: &str = " over ";

/// Notes below the scoreboard.
const MOST_NOTES: usize = 12;

/// The report as GitHub-flavoured Markdown.
pub fn render(report: &Report) -> String {
    let mut page = Page::new(MOST_BYTES);
    let slug = slug(&report.suite);
    page.push(&format!("<!-- ceiling:{slug} -->\n<a id=\"ceiling-{slug}\"></a>\n\n"));
    page.push(&heading(report));
    let verdict = &report.verdict;
    page.push(&format!("**{}** {}\n\n", kebab(&verdict.kind), sentence(&verdict.headline, LONGEST_SENTENCE)));
    page.push(&figures(&decisive(verdict)));
    page.push(&steps(&ladder(verdict)));
    page.push(&next_step(verdict.next_step.as_ref()));
    page.push(&scoreboard(report));
    page.push(&notes(report));
    details::all(&mut page, report);
    page.finish()
}

fn name(text: &str) -> String {
    escaped(text, LONGEST_NAME)
}

fn heading(report: &Report) -> String {
    let provenance = match report.measurements.provenance {
        RunProvenance::Live => "live answers",
        RunProvenance::Recorded => "recorded answers",
        RunProvenance::Mixed => "partly recorded answers",
        RunProvenance::Imported => "imported answers",
    };
    let regraded = if report.regraded { " · graded by the suite as it stands now" } else { "" };
    let from = report.imported().map_or(String::new(), |from| format!(" · {}", escaped(from, LONGEST_SOURCE)));
    format!("### {} · run {} · {provenance}{from}{regraded}\n\n", name(&report.suite), name(&report.run))
}

/// A table; the first column to the left, the others as asked.
fn table(header: &[&str], right: &[usize], rows: impl IntoIterator<Item = Vec<String>>) -> Vec<String> {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let names: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let rule = (0..header.len()).map(|column| if right.contains(&column) { "---:" } else { "---" }.to_owned());
    let mut lines = vec![line(&names), line(&rule.collect::<Vec<_>>())];
    lines.extend(rows.into_iter().map(|row| line(&row)));
    lines
}

/// A figure with its interval, and the level where it is not the usual one.
fn figure(figure: &Figure) -> String {
    let level = figure.level.filter(|level| (level - 0.95).abs() > 1e-9);
    let level = level.map_or(String::new(), |level| format!(" ({})", exact(level)));
    figure.text().replace('[', "\\[").replace(']', "\\]") + &level
}

fn exact(level: f64) -> String {
    Form::Percent.exact((level * 1e4).round() / 1e4)
}

fn figures(figures: &[Decisive]) -> String {
    if figures.is_empty() {
        return String::new();
    }
    let noted = figures.iter().any(|one| one.caution.is_some());
    let row = |one: &Decisive| {
        // Each of two names has room of its own.
        let what: Vec<String> = one.name.split(OVER).map(name).collect();
        let target = one.target.clone().unwrap_or_else(|| "–".to_owned());
        let cells = vec![what.join(OVER), figure(&one.figure), target, format!("**{}**", one.says)];
        cells.into_iter().chain(noted.then(|| one.caution.unwrap_or_default().to_owned())).collect()
    };
    let header = ["what decides", "measured [95%]", "target", "", "note"];
    table(&header[..if noted { 5 } else { 4 }], &[1], figures.iter().map(row)).concat() + "\n"
}

fn steps(steps: &[LadderStep]) -> String {
    let row = |step: &LadderStep| {
        let (sign, word) = mark(step.state);
        let variants: Vec<String> = step.variants.iter().take(3).map(|id| name(id.as_str())).collect();
        vec![
            format!("{sign} {word}"),
            format!("{}. {}", step.number, step.name),
            step.answer.to_owned(),
            variants.join(", "),
        ]
    };
    table(&["", "step", "what is known", "variant"], &[], steps.iter().map(row)).concat() + "\n"
}

fn next_step(step: Option<&NextStep>) -> String {
    step.map_or(String::new(), |step| format!("**Next step:** {}\n\n", sentence(&step.what, LONGEST_SENTENCE)))
}

/// The variants that the scoreboard shows: the best and what is tied with it whatever happens, then the others
/// in the suite's order, and how many are left out.
fn shown(variants: &[VariantMeasurements]) -> (Vec<&VariantMeasurements>, usize) {
    let leads = |measured: &VariantMeasurements| matches!(measured.standing, Some(Standing::Best | Standing::Tied));
    let mut places: Vec<usize> = (0..variants.len()).collect();
    places.sort_by_key(|&place| (variants[place].standing != Some(Standing::Best), !leads(&variants[place]), place));
    places.truncate(MOST_VARIANTS);
    places.sort_unstable();
    let left_out = variants.len() - places.len();
    (places.into_iter().map(|place| &variants[place]).collect(), left_out)
}

fn scoreboard(report: &Report) -> String {
    let (variants, left_out) = shown(&report.measurements.variants);
    let level = exact(variants.first().map_or(0.95, |measured| measured.accuracy.level));
    let accuracy = format!("accuracy [{level}]");
    let unanswered = variants.iter().any(|measured| not_answered(measured).is_some());
    let mut header = vec!["variant", "n", accuracy.as_str(), "valid", "TTFT p95", "$/request"];
    header.extend(unanswered.then_some("not answered"));
    let cells = |measured: &VariantMeasurements| {
        let known = || not_answered(measured).unwrap_or_else(|| "0".to_owned());
        row(measured).into_iter().chain(unanswered.then(known)).collect()
    };
    let trained = report.measurements.trained.iter().map(|trained| {
        let cells = [
            format!("□ {} (trained baseline)", name(&trained.name)),
            trained.accuracy.n.to_string(),
            figure(&Figure::estimate(&trained.accuracy, Form::Percent, "")),
        ];
        let nothing = std::iter::repeat_n("–".to_owned(), header.len() - 3);
        cells.into_iter().chain(nothing).collect()
    });
    let mut text = table(&header, &[1, 2, 3, 4, 5, 6], variants.into_iter().map(cells).chain(trained)).concat();
    text.push_str("\n▲ highest accuracy measured · ≈ not shown to be below it (Holm over all pairs)\n\n");
    if left_out > 0 {
        text.push_str(&format!(
            "{left_out} more variants are left out: `ceiling report --format csv --rows variants` has all.\n\n"
        ));
    }
    text
}

/// How many trials ended without a whole answer, by how they ended.
fn not_answered(measured: &VariantMeasurements) -> Option<String> {
    let outcomes = &measured.outcomes;
    let counts = [("refused", outcomes.refused), ("cut", outcomes.truncated), ("failed", outcomes.failed)];
    let said = counts.iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}"));
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn row(measured: &VariantMeasurements) -> Vec<String> {
    let id = name(measured.variant.id.as_str());
    let id = match measured.standing {
        Some(Standing::Best) => format!("▲ **{id}**"),
        Some(Standing::Tied) => format!("≈ {id}"),
        _ if measured.variant.retrieve.as_ref().is_some_and(|retrieve| retrieve.is_oracle()) => {
            format!("{id} (a bound, nothing to ship)")
        }
        _ => id,
    };
    let accuracy = Figure::estimate(&measured.accuracy, Form::Percent, "").text();
    let valid = measured.validity_strict.and_then(|valid| valid.point).map(|point| share(point, 1));
    let ttft = measured.ttft.p95.and_then(|p95| p95.point).map(|ms| Form::Milliseconds.value(ms));
    let cost = measured.cost.per_request.and_then(|cost| cost.point).map(|usd| Form::Usd.value(usd));
    let or = |cell: Option<String>, nothing: &str| cell.unwrap_or_else(|| nothing.to_owned());
    let accuracy = accuracy.replace('[', "\\[").replace(']', "\\]");
    vec![id, measured.accuracy.n.to_string(), accuracy, or(valid, "–"), or(ttft, "–"), or(cost, "unknown")]
}

/// What a reader must know before trusting the table: the terminal's notes, as text.
fn notes(report: &Report) -> String {
    let left_out =
        (report.left_out > 0).then(|| format!("{} trials were left out: no recording knows them", report.left_out));
    let notes: Vec<String> = report.part.iter().cloned().chain(left_out).chain(terminal::notes(report)).collect();
    let more = notes.len().saturating_sub(MOST_NOTES);
    let mut text: String =
        notes.iter().take(MOST_NOTES).map(|note| format!("- {}\n", sentence(note, LONGEST_SENTENCE))).collect();
    if more > 0 {
        text.push_str(&format!("- {more} more notes: `ceiling report` has all\n"));
    }
    if text.is_empty() { text } else { text + "\n" }
}

#[cfg(test)]
mod tests;
