//! What a gate prints and writes.

use std::io::Write as _;
use std::path::Path;

use super::{GateArgs, Gating, Now, text};
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::printer::Printer;
use crate::error::Error;
use crate::gate::baseline::Baseline;
use crate::gate::verdict::VariantVerdict;
use crate::measure::RunProvenance;
use crate::report::gate::{BaselineFacts, GateReport, annotations, junit, markdown, text as plain, to_value};
use crate::run::RunError;
use crate::suite::Suite;
use crate::suite::load::read_suite_file;
use crate::units::group_thousands;

/// Refuses what cannot be written, before anything is asked: the answer of a gate is not to be lost.
pub(super) fn check(args: &GateArgs) -> Result<(), Error> {
    let files = [("--junit", &args.junit), ("--markdown", &args.markdown), ("--step-summary", &args.step_summary)];
    let written: Vec<(&str, &Path)> = files.iter().filter_map(|(flag, file)| Some((*flag, file.as_deref()?))).collect();
    for (flag, file) in &written {
        match &args.step_summary {
            // It is added to where it is: nothing is made beside it.
            Some(summary) if summary == file && summary.is_file() => append(summary, "")?,
            _ => Output::check(file, flag, &args.store.store)?,
        }
    }
    let read = args.baseline.as_deref().map(|file| ("--baseline", file));
    let all: Vec<(&str, &Path)> = written.into_iter().chain(read).collect();
    for (place, (flag, file)) in all.iter().enumerate() {
        if let Some((other, _)) = all[place + 1..].iter().find(|(_, other)| Output::is_same(file, other)) {
            return Err(Error::usage(
                format!("{flag} and {other} both name `{}`", file.display()),
                "name a file of its own for each",
            ));
        }
    }
    Ok(())
}

/// Prints the report, and writes what was asked for.
pub(super) fn write(args: &GateArgs, report: &GateReport, on_github: bool, printer: Printer) -> Result<(), Error> {
    printer.text(&plain::render(report, printer.look()));
    if printer.is_json() {
        printer.value(&to_value(report).map_err(|error| RunError::Bug(error.to_string()))?);
    }
    if on_github {
        // On stderr, where GitHub reads them too: stdout may be somebody's JSON.
        printer.command(&annotations::render(report));
    }
    if let Some(file) = &args.junit {
        Output::put(file, &junit::render(report), &args.store.store)?;
    }
    let page = markdown::render(report);
    if let Some(file) = &args.markdown {
        Output::put(file, &page, &args.store.store)?;
    }
    if let Some(file) = &args.step_summary {
        append(file, &page)?;
    }
    Ok(())
}

/// Adds to a file that other steps of the job add to as well.
fn append(file: &Path, page: &str) -> Result<(), Error> {
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
    let written = opened.and_then(|mut file| file.write_all(page.as_bytes()));
    written.map_err(|error| {
        Error::usage(format!("cannot write `{}`: {error}", file.display()), "--step-summary FILE names another file")
    })
}

/// What a report says of the baseline.
pub(super) fn baseline_facts(file: &Path, baseline: &Baseline, verdicts: &[VariantVerdict]) -> BaselineFacts {
    let gated = || verdicts.iter().filter_map(|verdict| baseline.variants.get(&verdict.variant));
    let day = |unix_ms: i64| {
        // Results of another tool need not say when they were asked.
        if unix_ms == 0 {
            return None;
        }
        let at = jiff::Timestamp::from_millisecond(unix_ms).ok()?;
        Some(jiff::tz::Offset::UTC.to_datetime(at).date().to_string())
    };
    let first = gated().map(|facts| facts.asked_unix_ms[0]).min();
    let last = gated().map(|facts| facts.asked_unix_ms[1]).max();
    BaselineFacts {
        file: file.display().to_string(),
        run: text(&baseline.run),
        suite_digest: baseline.suite_digest,
        days: [first.and_then(day), last.and_then(day)],
    }
}

/// The lines of the suite's file on which its variants stand, from 1.
pub(super) fn lines(suite: &Suite) -> Vec<u32> {
    let Ok(source) = read_suite_file(suite) else { return Vec::new() };
    suite.variant_spans.iter().map(|span| source.position(span.start).0).collect()
}

/// What a reader must know before trusting the answer.
pub(super) fn notes(gating: &Gating<'_>, verdicts: &[VariantVerdict], now: &Now) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    let texts = gating.baseline.texts();
    let names = gating.suite.texts.keys().chain(texts.keys()).collect::<std::collections::BTreeSet<_>>();
    let changed = names.into_iter().filter(|name| gating.suite.texts.get(*name) != texts.get(*name));
    let changed: Vec<String> = changed.map(|name| format!("`{}`", text(name))).collect();
    if !changed.is_empty() {
        notes.push(format!("changed since the baseline: {}", changed.join(", ")));
    }
    for (verdict, side) in verdicts.iter().zip(&now.sides) {
        let Some(frozen) = gating.baseline.variants.get(&verdict.variant) else { continue };
        let name = &verdict.variant;
        let endpoints = side.facts.endpoints();
        if !endpoints.is_empty() && !endpoints.contains(&frozen.endpoint.as_str()) {
            let now = endpoints.join(", ");
            notes.push(format!("`{name}` was answered by `{}`, now by `{now}`", text(&frozen.endpoint)));
        }
        let served = side.facts.served_models();
        if !served.is_empty() && !frozen.served_models.is_empty() && served != frozen.served_models {
            let (then, now) = (text(&frozen.served_models.join(", ")), text(&served.join(", ")));
            notes.push(format!("`{name}` was served by `{then}`, now by `{now}`"));
        }
        if side.facts.provenance() == RunProvenance::Imported {
            notes.push(format!("answers of `{name}` are IMPORTED: another tool asked and stated them"));
        } else if side.facts.provenance() != RunProvenance::Live {
            notes.push(format!(
                "answers of `{name}` are RECORDED: only what the suite makes of them is gated, not the model"
            ));
        } else if side.gate.reused > 0 {
            notes.push(format!(
                "{} answers of `{name}` came from the store: what changed behind the endpoint since would not show \
                 (--fresh asks again)",
                side.gate.reused
            ));
        }
    }
    if now.answered.exit != Exit::Done {
        notes.push("the run could not finish: the same command goes on with it".to_owned());
    }
    if now.answered.before > 0 {
        let answers = if now.answered.before == 1 { "answer is" } else { "answers are" };
        notes.push(format!(
            "{} {answers} of an earlier start of run {}, which was not finished and was gone on with",
            group_thousands(now.answered.before.into()),
            now.answered.run.name
        ));
    }
    if now.answered.left_out > 0 {
        notes.push(format!("{} trials were left out: no recording knows them", now.answered.left_out));
    }
    Ok(notes)
}
