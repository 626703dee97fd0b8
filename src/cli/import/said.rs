//! What `ceiling import` says: what came in, and what did not.

use std::path::Path;

use serde::Serialize;

use super::graded::Grading;
use super::{Import, Latency};
use crate::import::Format;
use crate::report::terminal::hung;
use crate::store::RunRow;

/// The whole of it; what `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    run: String,
    suite: String,
    folder: String,
    file: String,
    format: Format,
    source: String,
    trials: u64,
    failed: u64,
    missing: u64,
    examples: u64,
    repeats: u32,
    variants: Vec<VariantSaid>,
    /// Whether scores are `stated`, or the suite grades `anew`.
    scores: &'static str,
    primary: Option<String>,
    latency: &'static str,
    with_total_ms: u64,
    with_ttft_ms: u64,
    with_cost: u64,
    left_out: Vec<LeftOutSaid>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct VariantSaid {
    variant: String,
    stated_as: Option<String>,
    model: String,
    rows: u64,
}

#[derive(Debug, Serialize)]
struct LeftOutSaid {
    what: String,
    count: u64,
    /// The first row: its line, or its number in the document.
    first: u64,
}

impl Import<'_> {
    /// What came of it.
    pub(super) fn said(&self, run: &RunRow, folder: &Path, grading: &Grading) -> Said {
        let survey = &self.survey;
        let own = survey.left_out.iter().map(|(what, count)| (what.words(), *count));
        let mut notes = survey.header.notes.clone();
        let mut left_out: Vec<_> = own.collect();
        if let Grading::Suite(by) = grading {
            left_out.extend(by.left_out.iter().map(|(what, count)| ((*what).to_owned(), *count)));
            if by.found[1] > 0 {
                notes.push(format!(
                    "{} rows were found in the suite by their id alone: their input is not the suite's, word for word",
                    by.found[1]
                ));
            }
        }
        if let Grading::Stated { primary } = grading {
            let scored = survey.metrics.get(primary).copied().unwrap_or(0);
            let unscored = (survey.trials - survey.failed).saturating_sub(scored);
            if unscored > 0 {
                notes.push(format!(
                    "{unscored} of {} answers have no `{}`: they are neither right nor wrong, and reports count them apart",
                    survey.trials - survey.failed,
                    crate::text::one_line(primary, 60)
                ));
            }
        }
        let variants = survey.variants.iter().zip(&self.names).map(|(variant, name)| VariantSaid {
            variant: name.clone(),
            stated_as: variant.stated.as_ref().map(|stated| crate::text::one_line(stated, 200)),
            model: variant.model.clone(),
            rows: variant.rows,
        });
        let primary = grading.stated().map(|primary| crate::text::one_line(primary, 200));
        let scores = if primary.is_some() { "stated" } else { "anew" };
        let comparable = self.args.latency == Latency::Comparable;
        Said {
            run: run.name.clone(),
            suite: run.suite.clone(),
            folder: folder.display().to_string(),
            file: self.args.file.display().to_string(),
            format: self.format,
            source: self.setting.clone(),
            trials: run.trials,
            failed: survey.failed,
            missing: survey.missing,
            examples: survey.examples,
            repeats: survey.repeats,
            variants: variants.collect(),
            scores,
            primary,
            latency: if comparable { "comparable" } else { "indicative" },
            with_total_ms: survey.with_times[0],
            with_ttft_ms: survey.with_times[1],
            with_cost: survey.with_cost,
            left_out: left_out
                .into_iter()
                .map(|(what, count)| LeftOutSaid { what, count: count.count, first: count.first })
                .collect(),
            notes,
        }
    }
}

impl Said {
    /// For a terminal.
    pub(super) fn text(&self, width: usize) -> String {
        let place = if self.format.is_document() { "result" } else { "line" };
        let names: Vec<&str> = self.variants.iter().map(|variant| variant.variant.as_str()).collect();
        let plural = |count: u64, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let mut text = format!("run {}: {}\n", self.run, self.source);
        let mut line =
            |parts: &[String]| text.push_str(&hung(parts.iter().map(String::as_str), ", ", "  ", "    ", width));
        line(&[
            plural(self.trials, "trial"),
            match self.repeats {
                0 | 1 => plural(self.examples, "example"),
                most => format!("{}, each asked up to {most} times", plural(self.examples, "example")),
            },
            format!("{}: {}", plural(names.len() as u64, "variant"), names.join(", ")),
        ]);
        let rest = match &self.primary {
            Some(primary) => format!("accuracy is `{primary}`, as stated"),
            None => format!("graded anew by the suite in {}", self.folder),
        };
        let failed = match (self.failed, self.missing) {
            (0, _) => "none failed".to_owned(),
            (failed, missing) => format!("{failed} failed, of which {missing} count as missing"),
        };
        line(&[rest, failed]);
        line(&[
            format!("times of {} and costs of {} as stated", plural(self.with_total_ms, "answer"), self.with_cost),
            match self.latency {
                "comparable" => "declared comparable".to_owned(),
                _ => "not comparable unless --latency comparable declares it".to_owned(),
            },
        ]);
        for note in &self.notes {
            line(std::slice::from_ref(note));
        }
        for left_out in &self.left_out {
            let LeftOutSaid { what, count, first } = left_out;
            let times = if *count == 1 { "once" } else { &format!("{count} times") };
            line(&[format!("not carried over: {what} ({times}, first on {place} {first})")]);
        }
        if self.scores == "stated" {
            line(&[format!("the suite is in {}: add targets and economics there", self.folder)]);
        }
        text.push_str(&format!("More: `ceiling report {0}`, `ceiling decide {0}`\n", self.run));
        text
    }
}
