//! What `ceiling export` wrote and what `ceiling accept` found, as a person reads them and as `--json` prints them; the
//! schemas are docs/reference/export.schema.json and accept.schema.json.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::figure::share;
use super::look::{Look, Tone};
use super::terminal::{headed, wrap};
use crate::plan::tokens::Span;
use crate::stats::TargetAnswer;
use crate::stats::equivalence::NonInferiorityVerdict;
use crate::suite::Range;
use crate::text::one_line;
use crate::training::accept::{Judgement, Verdict};
use crate::training::manifest::Manifest;
use crate::training::size::{Finding, FindingSeverity, Size};

/// Rows of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Classes {
    /// The class.
    pub class: String,
    /// Rows to train on.
    pub train: u64,
    /// Rows that validate.
    pub validation: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    /// The training file.
    pub train: PathBuf,
    /// The validation file, if there is one.
    pub validation: Option<PathBuf>,
    /// The manifest's file.
    pub manifest_file: PathBuf,
    /// What the training file comes to.
    pub train_size: Size,
    /// What the validation file comes to.
    pub validation_size: Option<Size>,
    /// Rows by class; empty where the task has none.
    pub classes: Vec<Classes>,
    /// Rows that were left out because they must not be trained on, by the reason.
    pub leaks: BTreeMap<String, u64>,
    /// What the format's reader makes of the files.
    pub findings: Vec<Finding>,
    /// What the suite states of training.
    pub economics_training_usd: Option<Range>,
    /// What else is to be said.
    pub notes: Vec<String>,
    /// The manifest as it was written.
    pub manifest: Manifest,
}

fn tokens(span: &Span<u64>) -> String {
    match (span.likely, span.high) {
        (Some(likely), Some(high)) => format!("about {likely} tokens ({} to {high})", span.low),
        _ => format!("at least {} tokens", span.low),
    }
}

fn usd(range: &Range) -> String {
    let one = |amount: f64| if amount >= 100.0 { format!("{amount:.0}") } else { format!("{amount:.2}") };
    match one(range.low) == one(range.high) {
        true => format!("${}", one(range.low)),
        false => format!("${} to ${}", one(range.low), one(range.high)),
    }
}

/// What was written, for a terminal.
pub fn exported(written: &Written, look: Look) -> String {
    let manifest = &written.manifest;
    let source = &manifest.source;
    let of = match (&source.run, &source.variant) {
        (Some(run), Some(variant)) => format!("answers of `{}` in run {run}", one_line(variant, 100)),
        (Some(run), None) => format!("pairs of answers in run {run}"),
        _ => "labels of the pool".to_owned(),
    };
    let heading = format!("{} · {} · {} · {of}", manifest.suite.name, manifest.format, manifest.method.as_str());
    let mut text = headed(&heading, look.width) + "\n";
    let files = [
        ("train", Some(&written.train), Some((&manifest.files.train, &written.train_size))),
        (
            "validation",
            written.validation.as_ref(),
            manifest.files.validation.as_ref().zip(written.validation_size.as_ref()),
        ),
        ("manifest", Some(&written.manifest_file), None),
    ];
    for (name, path, facts) in files {
        let Some(path) = path else { continue };
        let facts = facts.map_or(String::new(), |(facts, size)| {
            format!(
                "  {} rows of {} clusters, {} bytes, {}",
                facts.rows,
                facts.clusters,
                facts.bytes,
                tokens(&size.tokens)
            )
        });
        let _ = writeln!(text, "  {name:<11} {}{facts}", path.display());
    }
    text += "\n";
    let mut line = |name: &str, words: &str| {
        text += &wrap(words, &format!("  {name:<11} "), "              ", look.width);
    };
    line("source", &filters(&source.filters));
    if let Some(spent) = source.spent_usd {
        line("", &format!("the answers cost ${spent:.4}"));
    }
    if !written.leaks.is_empty() {
        let leaks: Vec<String> = written.leaks.iter().map(|(why, count)| format!("{count} {why}")).collect();
        line("left out", &format!("rows that must not be trained on: {}", leaks.join(", ")));
    }
    if let Some(smallest) = written.classes.iter().min_by_key(|class| class.train) {
        let (count, name) = (written.classes.len(), one_line(&smallest.class, 80));
        line("classes", &format!("{count}, the smallest `{name}` with {} rows to train on", smallest.train));
    }
    line(
        "prompt",
        &format!("`{}`, without shots and documents; `ceiling accept` asks with the same", manifest.prompt.name),
    );
    line("cost", &cost(written));
    line("test", &test(manifest));
    for finding in &written.findings {
        let word =
            look.paint(if finding.severity == FindingSeverity::Error { Tone::Bad } else { Tone::Unsure }, "warning");
        let _ = writeln!(text, "  {word}: {}", finding.message);
    }
    let manifest = written.manifest_file.display();
    let _ = write!(
        text,
        "\nTrain, then judge the model by that test:\n  ceiling accept {manifest} --model PROVIDER/MODEL\n"
    );
    text
}

fn filters(filters: &BTreeMap<String, u64>) -> String {
    let count = |key: &str| filters.get(key).copied().unwrap_or(0);
    let dropped: Vec<String> = filters
        .iter()
        .filter(|(key, count)| !matches!(key.as_str(), "pool" | "kept") && !key.ends_with("-leak") && **count > 0)
        .map(|(key, count)| format!("{count} {}", key.replace('-', " ")))
        .collect();
    let dropped = if dropped.is_empty() { String::new() } else { format!(" (dropped: {})", dropped.join(", ")) };
    format!("{} rows of a pool of {}{dropped}", count("kept"), count("pool"))
}

fn cost(written: &Written) -> String {
    let manifest = &written.manifest;
    let known = match (&manifest.training_cost_usd, &manifest.base_model) {
        (Some(cost), Some(model)) => {
            let epochs = manifest.epochs.unwrap_or(1);
            let epochs = if epochs == 1 { "one epoch".to_owned() } else { format!("{epochs} epochs") };
            format!(
                "{} for {epochs} of {model} by the provider file's price for training, which is to be checked",
                usd(cost)
            )
        }
        (None, Some(model)) => format!("not known for {model}"),
        (_, None) => "not known without --base-model and --epochs".to_owned(),
    };
    match &written.economics_training_usd {
        Some(stated) => format!("{known}; `[economics]` states {}", usd(stated)),
        None => known,
    }
}

fn test(manifest: &Manifest) -> String {
    let acceptance = &manifest.acceptance;
    let target = acceptance.target.map(|target| format!("at least {} right", percent(target)));
    let incumbent = acceptance.incumbent.as_ref().map(|incumbent| {
        let n = incumbent.scores.len() as f64;
        let mean = incumbent.scores.values().sum::<f64>() / n.max(1.0);
        let (name, margin) = (one_line(&incumbent.variant, 100), percent(acceptance.margin));
        format!("no more than {margin} worse than `{name}` ({} in run {})", percent(mean), incumbent.run)
    });
    let parts: Vec<String> = [target, incumbent].into_iter().flatten().collect();
    let parts = if parts.is_empty() { "nothing to judge by".to_owned() } else { parts.join(", and ") };
    format!("{parts}, on {} frozen examples", acceptance.examples.count)
}

fn percent(number: f64) -> String {
    share(number, 1)
}

/// What the frozen test found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Accepted {
    /// The manifest's file.
    pub manifest: PathBuf,
    /// The suite.
    pub suite: String,
    /// Who answered.
    pub model: String,
    /// The run that holds its answers.
    pub run: String,
    /// Whether the answers are live or recorded.
    pub provenance: crate::measure::RunProvenance,
    /// How the command ends.
    pub exit_code: u8,
    /// The judgement.
    #[serde(rename = "judgement")]
    pub judged: Judgement,
    /// What bears on it.
    pub notes: Vec<String>,
}

/// What the test found, for a terminal.
pub fn accepted(found: &Accepted, look: Look) -> String {
    let judged = &found.judged;
    let model = one_line(&found.model, 200);
    let heading = format!("{} · {model} · run {} · {}", found.suite, found.run, found.provenance.answers());
    let mut text = headed(&heading, look.width) + "\n";
    let (word, tone, why) = match judged.verdict {
        Verdict::Accepted => ("ACCEPTED", Tone::Good, "it passes the test that was frozen with its training data"),
        Verdict::Rejected => ("REJECTED", Tone::Bad, "it fails the test that was frozen with its training data"),
        Verdict::NotEnoughEvidence => {
            ("NOT ENOUGH EVIDENCE", Tone::Unsure, "the frozen examples settle it neither way")
        }
        Verdict::CouldNotFinish => ("COULD NOT FINISH", Tone::Unsure, "too many answers are missing to judge it"),
    };
    let _ = writeln!(text, "  {}: {why}", look.paint(tone, word));
    let right = judged.accuracy.map_or("no score".to_owned(), |accuracy| {
        let (low, high, bound) = (percent(judged.bounds.low), percent(judged.bounds.high), percent(1.0 - judged.alpha));
        format!(
            "{} right on {} examples of {} clusters; one-sided bounds at {bound}: {low} and {high}",
            percent(accuracy),
            judged.n,
            judged.clusters
        )
    });
    let mut line = |words: &str| {
        text += &wrap(words, "  ", "    ", look.width);
    };
    line(&right);
    if let Some(target) = &judged.target {
        let said = match target.answer {
            TargetAnswer::Met => "met: the lower bound reaches it",
            TargetAnswer::NotMet => "missed: the upper bound stays below it",
            TargetAnswer::NotEnoughEvidence => "open: the bounds lie on both sides of it",
        };
        line(&format!("target {}: {said}{}", percent(target.target), settle(target.n_to_settle)));
    }
    if let Some(incumbent) = &judged.incumbent {
        let said = match incumbent.answer {
            NonInferiorityVerdict::Better => "better",
            NonInferiorityVerdict::NonInferior => "not worse by the margin",
            NonInferiorityVerdict::Inferior => "worse by more than the margin",
            NonInferiorityVerdict::NotEnoughEvidence => "open",
        };
        let points = |number: f64| super::figure::signed(100.0 * number, 1);
        let (low, high) = (points(incumbent.interval.low), points(incumbent.interval.high));
        line(&format!(
            "against `{}` ({} in run {}, the same {} examples): {} points [{low} to {high}], {said}{}",
            one_line(&incumbent.variant, 100),
            percent(incumbent.incumbent),
            incumbent.run,
            incumbent.n,
            incumbent.difference.map_or("no".to_owned(), points),
            settle(incumbent.n_to_settle)
        ));
    }
    if judged.missing > 0 {
        line(&format!("{} of {} calls have no answer", judged.missing, judged.calls));
    }
    found.notes.iter().for_each(|note| line(note));
    text
}

fn settle(n: Option<u64>) -> String {
    n.map_or(String::new(), |n| format!("; about {n} examples would settle it if the rate stays as it looks"))
}
