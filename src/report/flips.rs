//! The examples on which two sides differ, as a person reads them, and the machine output of `flips --json`,
//! whose schema is docs/reference/flips.schema.json.

use serde::Serialize;

use super::compare::{Answer, Flip};
use super::prose::{block, cut, pretty, score, value_text};
use super::terminal::{headed, shortened, wrap};
use crate::text::{columns, one_line, printable};
use crate::variant::VariantId;

/// Columns from which both answers stand beside each other.
const WIDE: usize = 90;

/// Columns that are used of a wide terminal.
const WIDEST: usize = 140;

/// Characters of an input or an answer that are shown; `--json` and `ceiling show` have more.
const MOST_SHOWN: usize = 1_200;

/// Which flips are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// B scores higher.
    Fixed,
    /// B scores lower.
    Broken,
}

/// One of the two sides.
#[derive(Debug, Clone, Serialize)]
pub struct FlipSide {
    /// A short name that tells it from the other.
    pub name: String,
    /// The run.
    pub run: String,
    /// The variant.
    pub variant: VariantId,
    /// Who answered, as `provider/model`.
    pub endpoints: Vec<String>,
}

/// Everything that the command shows.
#[derive(Debug, Clone, Serialize)]
pub struct FlipReport {
    /// The suite's name.
    pub suite: String,
    /// The scorer whose scores differ.
    pub scorer: String,
    /// A, the first side, and B.
    pub sides: [FlipSide; 2],
    /// Examples that both sides answered and that were scored, of the wanted tag.
    pub common: u64,
    /// On how many B scored higher.
    pub fixed: u64,
    /// On how many B scored lower.
    pub broken: u64,
    /// On how many both scored alike.
    pub alike: u64,
    /// Examples that are left out: not asked of both, changed between them, or without a score.
    pub left_out: u64,
    /// Only these are listed.
    pub only: Option<Direction>,
    /// Only examples with this tag, as `[tag, value]`.
    pub tag: Option<[String; 2]>,
    /// How many are listed: the largest change first, then in the order of the data.
    pub listed: u64,
    /// The list.
    pub examples: Vec<Flip>,
}

/// The flips as text.
pub fn render(report: &FlipReport, width: usize) -> String {
    let width = width.min(WIDEST);
    let mut text = summary(report, width);
    for flip in &report.examples {
        text.push_str(&one(report, flip, width));
    }
    if let Some(first) = report.examples.first() {
        let [_, b] = &report.sides;
        text.push_str(&format!("\n{}\n", hint(&b.run, &first.example, b.variant.as_str())));
    }
    text
}

/// The command that shows an example, to be pasted as it is: on one line, however long.
fn hint(run: &str, example: &str, variant: &str) -> String {
    match [run, example, variant].map(quoted) {
        [Some(run), Some(example), Some(variant)] => {
            format!("`ceiling show {run} {example} --variant {variant}` shows an example whole")
        }
        _ => "`ceiling show RUN EXAMPLE` shows an example whole; a name here holds control characters, and --json has \
              it as it is"
            .to_owned(),
    }
}

/// A word as a shell reads it; `None` for one that cannot be shown as it is.
fn quoted(word: &str) -> Option<String> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:@%+=,".contains(character);
    if printable(word) != word || word.contains(['\n', '\t', '\u{85}', '\u{2028}', '\u{2029}']) {
        return None;
    }
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        return Some(word.to_owned());
    }
    Some(format!("'{}'", word.replace('\'', "'\\''")))
}

fn summary(report: &FlipReport, width: usize) -> String {
    let tag = report
        .tag
        .as_ref()
        .map_or(String::new(), |[tag, value]| format!(" with {} {}", one_line(tag, 100), one_line(value, 100)));
    let said = format!(
        "B fixes {} and breaks {} of {} common examples{tag}; {} score alike",
        report.fixed, report.broken, report.common, report.alike
    );
    let mut text = wrap(&said, "", " ", width);
    for (letter, side) in ["A", "B"].iter().zip(&report.sides) {
        let short = |text: &str| shortened(&one_line(text, 200), width.saturating_sub(8));
        let (variant, run) = (short(side.variant.as_str()), short(&format!("run {}", side.run)));
        let endpoints = short(&side.endpoints.join(", "));
        text.push_str(&indented(&headed(&format!("{letter}  {variant} · {endpoints} · {run}"), width - 1)));
    }
    if report.left_out > 0 {
        let said = format!(
            "{} examples are left out: not asked of both, changed, or without a score (`ceiling compare` says which)",
            report.left_out
        );
        text.push_str(&wrap(&said, " ", "   ", width));
    }
    let (wanted, what) = match report.only {
        None => (report.fixed + report.broken, "flips"),
        Some(Direction::Fixed) => (report.fixed, "fixed"),
        Some(Direction::Broken) => (report.broken, "broken"),
    };
    if report.listed < wanted {
        let said =
            format!("{} of {wanted} {what} are shown, the largest change first; --limit N shows more", report.listed);
        text.push_str(&wrap(&said, " ", "   ", width));
    }
    text
}

/// A blank before each line.
fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!(" {line}\n")).collect()
}

fn one(report: &FlipReport, flip: &Flip, width: usize) -> String {
    let what = if flip.b_score > flip.a_score { "fixed" } else { "broken" };
    let scores = format!("{} → {}", score(flip.a_score), score(flip.b_score));
    let example = shortened(&one_line(&flip.example, 200), width.saturating_sub(4));
    let mut text = format!("\n{}", headed(&format!("{what} · {example} · {scores}"), width));
    text.push_str(&labelled("input", &value_text(&flip.input), width));
    text.push_str(&labelled("expected", &value_text(&flip.expected), width));
    let [a, b] = &report.sides;
    let column = if width < WIDE { width.max(40) - 4 } else { (width - 7) / 2 };
    let heads = [("A", a), ("B", b)]
        .map(|(letter, side)| format!("{letter} {}", shortened(&one_line(&side.name, 200), column - 4)));
    let answers = [&flip.a, &flip.b];
    if width < WIDE {
        for (head, answers) in heads.iter().zip(answers) {
            text.push_str(&format!("  {head}\n{}", block(&said(answers, width), 4, width)));
        }
        return text;
    }
    let [left, right] = [0, 1].map(|side| {
        let words = said(answers[side], column);
        let lines = std::iter::once(heads[side].clone());
        lines.chain(block(&words, 2, column).lines().map(str::to_owned)).collect::<Vec<_>>()
    });
    for place in 0..left.len().max(right.len()) {
        let cell = |lines: &[String]| lines.get(place).cloned().unwrap_or_default();
        // A line of the left column is never wider than it: `block` wrapped it.
        let gap = column.saturating_sub(columns(&cell(&left)));
        let line = format!("  {}{} │ {}", cell(&left), " ".repeat(gap), cell(&right));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A name, and what belongs to it beside it or below.
fn labelled(name: &str, value: &str, width: usize) -> String {
    let (shown, left) = cut(value, MOST_SHOWN);
    let more = if left > 0 { format!("\n… {left} more characters") } else { String::new() };
    let lines = block(&format!("{shown}{more}"), 13, width);
    format!("  {name:<11}{}", lines.trim_start())
}

/// A side's answers; of several repeats the different ones, with how often each came.
fn said(answers: &[Answer], width: usize) -> String {
    let mut different: Vec<(String, usize)> = Vec::new();
    for answer in answers {
        let words = one_answer(answer, width);
        match different.iter_mut().find(|(known, _)| *known == words) {
            Some((_, times)) => *times += 1,
            None => different.push((words, 1)),
        }
    }
    let several = answers.len() > 1;
    let times = |(words, times): &(String, usize)| {
        if several { format!("{times} of {}: {words}", answers.len()) } else { words.clone() }
    };
    different.iter().map(times).collect::<Vec<_>>().join("\n")
}

/// What was answered, and what is wrong with it.
fn one_answer(answer: &Answer, width: usize) -> String {
    if let Some(failure) = &answer.failure {
        return format!("failed: {}", one_line(failure, 400));
    }
    let (raw, left) = cut(answer.text.as_deref().unwrap_or_default(), MOST_SHOWN);
    let more = if left > 0 || answer.cut { "\n… (longer)" } else { "" };
    let raw = if raw.trim().is_empty() { "(empty)" } else { raw };
    let shown = match &answer.answer {
        Some(value) if !value.is_string() && left == 0 => fitted(value, answer.violation.as_deref(), width),
        _ => format!("{raw}{more}"),
    };
    let ending = if answer.outcome == "answered" { String::new() } else { format!("\n({})", answer.outcome) };
    let wrong = match (&answer.violation, answer.valid) {
        (Some(why), false) if !shown.contains('←') => format!("\nnot valid: {}", one_line(why, 300)),
        (None, false) => "\nnot valid".to_owned(),
        _ => String::new(),
    };
    format!("{shown}{ending}{wrong}")
}

/// JSON with what is wrong at the place where it is; a violation begins with its path.
fn fitted(value: &serde_json::Value, violation: Option<&str>, width: usize) -> String {
    let fault =
        violation.filter(|violation| violation.starts_with('/')).and_then(|violation| violation.split_once(": "));
    let fault = fault.filter(|(path, _)| value.pointer(path).is_some());
    let message = fault.map(|(path, message)| (path, one_line(message, 300)));
    let fault = message.as_ref().map(|(path, message)| (*path, message.as_str()));
    pretty(value, fault, width.saturating_sub(8))
}

#[cfg(test)]
mod tests;
