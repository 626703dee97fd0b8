//! What was understood and what was written, for people and for programs.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::Made;
use crate::init::draft::Draft;
use crate::init::models::Choice;
use crate::init::split::Side;
use crate::text::one_line;

/// Labels that are listed one by one.
const SHOWN_LABELS: usize = 8;

/// A list of names in one line.
fn names(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(12).map(|name| one_line(name, 60)).collect();
    let more = names.len().saturating_sub(12);
    if more > 0 { format!("{}, and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn rows_of(n: usize) -> String {
    format!("{n} row{}", if n == 1 { "" } else { "s" })
}

/// What was concluded from the file.
pub(super) fn understood(draft: &Draft, choice: &Choice, from: &Path) -> String {
    let rows = draft.rows.len() + draft.left_out.len();
    let detail = if draft.detail.is_empty() { String::new() } else { format!(", {} between columns", draft.detail) };
    let mut text = format!("{}: {}, {}{detail}\n", from.display(), rows_of(rows), draft.format.title());
    let mut line = |what: &str, said: String| {
        if !said.is_empty() {
            let _ = writeln!(text, "  {what:<10} {said}");
        }
    };
    let roles = &draft.roles;
    line("input", names(&roles.input));
    let labels: Vec<String> = draft
        .answer
        .labels
        .iter()
        .take(SHOWN_LABELS)
        .map(|(label, n)| format!("{} {n}", one_line(label, 40)))
        .collect();
    let dots = if draft.answer.labels.len() > SHOWN_LABELS { ", …" } else { "" };
    let labels = if labels.is_empty() { String::new() } else { format!(" ({}{dots})", labels.join(", ")) };
    line(
        "answer",
        format!(
            "{}: {}{labels}",
            roles.expected.as_deref().map_or_else(String::new, |name| one_line(name, 60)),
            draft.answer.said
        ),
    );
    line("id", roles.id.as_ref().map_or_else(|| "numbered by row".to_owned(), |name| one_line(name, 60)));
    line(
        "cluster",
        roles
            .cluster
            .as_ref()
            .map_or_else(|| "none named; rows that are all but the same".to_owned(), |name| one_line(name, 60)),
    );
    line("tags", names(&roles.tags));
    line("not used", names(&draft.unused));
    line("task", format!("{}, judged by {}", json!(draft.answer.task).as_str().unwrap_or_default(), judged(draft)));
    let count = |side| draft.split.count(side);
    line(
        "split",
        format!(
            "test {}, dev {}, pool {} (seed {})",
            count(Side::Test),
            count(Side::Dev),
            count(Side::Pool),
            draft.seed
        ),
    );
    line(
        "asks",
        choice.asked.iter().map(|asked| format!("{} ({})", asked.endpoint, asked.why)).collect::<Vec<_>>().join("; "),
    );
    if !draft.left_out.is_empty() {
        line("left out", format!("{}, with the reason in left-out.jsonl", rows_of(draft.left_out.len())));
    }
    if !draft.notes.is_empty() {
        text.push_str("not carried over, and to know\n");
        for note in &draft.notes {
            let _ = writeln!(text, "  {}", one_line(note, 400));
        }
    }
    text
}

fn judged(draft: &Draft) -> String {
    let scorer = |scorer: &crate::init::answer::Scorer| {
        let place = if scorer.at.is_empty() {
            "the whole answer".to_owned()
        } else {
            format!("`{}`", one_line(&scorer.at, 60))
        };
        format!("`{}` on {place}", scorer.kind)
    };
    draft.answer.scorers.first().map(scorer).unwrap_or_default()
}

/// What was written, and what comes next.
pub(super) fn written(made: &Made<'_>) -> String {
    let folder = made.folder.display();
    let mut text = format!("wrote {folder}: {}\n", made.files.join(", "));
    if let Some(kept) = &made.kept {
        let _ = writeln!(text, "what was there is now {}", kept.display());
    }
    if let Some(next) = &made.choice.next {
        let _ = writeln!(text, "{next}");
    }
    let limit = if made.choice.asked.iter().all(|asked| asked.priced) { " --max-cost 2" } else { "" };
    text.push_str("The targets in suite.toml are assumptions: write what your product needs. Then:\n");
    let commands = [
        (format!("ceiling plan {folder}"), "what it asks and costs, before a cent is spent"),
        (format!("ceiling run {folder}{limit}"), "the scoreboard and the verdict"),
    ];
    let width = commands.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    for (command, what) in commands {
        let _ = writeln!(text, "  {command:<width$}   # {what}");
    }
    text
}

/// The same for programs.
pub(super) fn json(made: &Made<'_>) -> Value {
    let (draft, roles) = (made.draft, &made.draft.roles);
    let count = |side| draft.split.count(side);
    json!({
        "suite": draft.name,
        "folder": made.folder.display().to_string(),
        "kept": made.kept.as_ref().map(|kept| kept.display().to_string()),
        "from": made.from.display().to_string(),
        "format": draft.format,
        "task": draft.answer.task,
        "answers": draft.answer.said,
        "labels": draft.answer.labels.iter().map(|(label, n)| json!({"label": label, "n": n})).collect::<Vec<_>>(),
        "columns": {
            "input": roles.input, "expected": roles.expected, "id": roles.id, "cluster": roles.cluster,
            "tags": roles.tags, "unused": draft.unused,
        },
        "rows": {
            "test": count(Side::Test), "dev": count(Side::Dev), "pool": count(Side::Pool), "left_out": draft.left_out.len(),
        },
        "seed": draft.seed,
        "left_out": draft.left_out.iter().map(|row| json!({"line": row.line, "why": row.why})).collect::<Vec<_>>(),
        "notes": draft.notes,
        "models": made.choice.asked.iter().map(|asked| json!({"model": asked.endpoint.to_string(), "why": asked.why})).collect::<Vec<_>>(),
        "files": made.files,
        "diagnostics": made.found.to_json(),
    })
}
