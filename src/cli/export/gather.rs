//! The rows of an export: pool rows that may be trained on, rendered with the prompt of the tuned model.

use std::collections::BTreeMap;

use super::Export;
use super::sources::Wanted;
use crate::cli::assemble;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::error::Error;
use crate::prompt::Prepared;
use crate::store::RunState;
use crate::suite::Task;
use crate::suite::examples::{ExampleSource, RowFault};
use crate::training::leakage::{Leak, Placed, document_leaks, leaks};
use crate::training::manifest::SourceKind;
use crate::training::row::{TrainingRow, answer_text};
use crate::units::Usd;
use crate::variant::{Structured, Variant};

/// Faults of one kind that are shown one by one.
const SHOWN: usize = 20;

/// The rows, and how they came about.
pub(super) struct Gathered {
    pub(super) rows: Vec<TrainingRow>,
    /// What the tuned model will be asked with: a prompt, how the shape is asked for, parameters.
    pub(super) variant: Variant,
    pub(super) filters: BTreeMap<String, u64>,
    pub(super) spent: Option<Usd>,
    pub(super) teacher: Option<String>,
    pub(super) leaks: BTreeMap<String, u64>,
    /// The test examples, as the suite asks them.
    pub(super) test: Vec<Placed>,
    pub(super) notes: Vec<String>,
}

impl Export<'_> {
    /// Chooses rows, holds them against the test examples, and renders them.
    pub(super) fn gather(&self) -> Result<Gathered, Error> {
        let mut notes = Vec::new();
        let variant = self.asked_as(&mut notes)?;
        if let Some(run) = self.run.as_ref().filter(|run| self.reads_answers() && run.row.state != RunState::Finished) {
            notes.push(format!("run `{}` is not finished: what it has not asked yet is left out", run.row.name));
        }
        let pool = self.suite.pool.as_ref().map(placed).transpose()?.unwrap_or_default();
        let mut chosen = self.choose(pool)?;
        let mut found = self.leaking(&chosen.rows)?;
        // Of pairs from one example each leaks; the example is named once.
        let leaking: std::collections::BTreeSet<usize> = found.iter().map(|leak| leak.row).collect();
        let mut named: std::collections::BTreeSet<(String, &str)> = std::collections::BTreeSet::new();
        found.retain(|leak| named.insert((chosen.rows[leak.row].0.example.id.0.clone(), leak.fault.code)));
        let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
        for leak in &found {
            *kinds.entry(leak.fault.code.trim_start_matches("training/").to_owned()).or_default() += 1;
        }
        self.stop_at_leaks(found)?;
        let mut place = 0;
        chosen.rows.retain(|_| {
            place += 1;
            !leaking.contains(&(place - 1))
        });
        chosen.filters.extend(kinds.iter().map(|(why, count)| (why.clone(), *count)));
        chosen.filters.insert("kept".to_owned(), chosen.rows.len() as u64);
        if chosen.rows.is_empty() {
            return Err(nothing_left(self.kind, &chosen.filters));
        }
        let rows = self.render(&variant, &chosen.rows)?;
        let test = placed_selected(&self.suite.examples)?;
        let teacher = match (&self.run, self.kind) {
            (Some(run), SourceKind::Teacher) => Some(self.teacher(run)?),
            _ => None,
        };
        let (filters, spent) = (chosen.filters, chosen.spent);
        Ok(Gathered { rows, variant, filters, spent, teacher, leaks: kinds, test, notes })
    }

    /// Rows that must not be trained on; every test row counts, those outside the sample among them.
    fn leaking(&self, rows: &[(Placed, Wanted)]) -> Result<Vec<Leak>, Error> {
        let test = placed(&self.suite.examples)?;
        let dev = self.suite.dev.as_ref().map(placed).transpose()?.unwrap_or_default();
        let mut faults = Vec::new();
        if let Some(source) = &self.suite.documents {
            let rows: Vec<_> = source
                .read()
                .map(|row| row.map_err(|fault| Error::Input(Diagnostics::from(*fault))))
                .collect::<Result<_, _>>()?;
            let texts: Vec<String> = rows.iter().map(|row| row.document.searched()).collect();
            let documents = rows.iter().zip(&texts).map(|(row, text)| {
                let line = u32::try_from(row.line).unwrap_or(u32::MAX);
                let fault = Diagnostic::error("training/document-leak", &source.files()[row.file], "").at(line, 1);
                let fault =
                    fault.help("take the text out of the document: variants that retrieve are given the question");
                (row.document.id.as_str(), text.as_str(), fault)
            });
            faults = document_leaks(documents, &test);
        }
        if !faults.is_empty() {
            // No row of the file is to blame, so that leaving rows out would not help.
            return Err(Error::Input(shown(faults)));
        }
        let rows: Vec<Placed> = rows.iter().map(|(row, _)| row.clone()).collect();
        Ok(leaks(&rows, &test, &dev))
    }

    fn stop_at_leaks(&self, found: Vec<Leak>) -> Result<(), Error> {
        if found.is_empty() || self.args.drop_leaks {
            return Ok(());
        }
        Err(Error::Input(shown(found.into_iter().map(|leak| leak.fault).collect())))
    }

    /// What the tuned model will be asked as: a tuned variant of the prompt, else one that has it, else the variant in use
    /// with the prompt, each without shots, documents and cache.
    fn asked_as(&self, notes: &mut Vec<String>) -> Result<Variant, Error> {
        let suite = &self.suite;
        let wanted = match &self.args.prompt {
            None => None,
            Some(name) => Some(suite.prompts.iter().position(|prompt| prompt.name == *name).ok_or_else(|| {
                let known: Vec<&str> = suite.prompts.iter().map(|prompt| prompt.name.as_str()).collect();
                let written = crate::text::one_line(name, 100);
                Error::usage(
                    format!("the suite `{}` has no prompt `{written}`", suite.name),
                    format!("it has {}", known.join(", ")),
                )
            })?),
        };
        let has = |variant: &&Variant| wanted.is_none_or(|prompt| variant.prompt == prompt);
        let tuned = suite.variants.iter().filter(|variant| variant.tuned.is_some()).find(has);
        let other =
            || suite.in_use().filter(has).or_else(|| suite.variants.iter().find(|v| wanted.is_some() && has(v)));
        let base = tuned.or_else(other).or_else(|| suite.in_use()).or_else(|| suite.variants.first());
        let Some(base) = base else {
            return Err(Error::usage(format!("the suite `{}` has no variant", suite.name), "add `[[variants]]`"));
        };
        let mut asked = Variant { shots: None, retrieve: None, cache: None, ..base.clone() };
        asked.prompt = wanted.unwrap_or(base.prompt);
        if asked.structured == Structured::Tool {
            // Rows hold answers as texts; a forced tool would have the model write something else.
            asked.structured = Structured::Text;
            notes.push(format!("`{}` forces a tool; the tuned model is asked in text, as the rows answer", base.id));
        }
        Ok(asked)
    }

    /// Renders what each row asks, as `ceiling accept` will ask it.
    fn render(&self, variant: &Variant, rows: &[(Placed, Wanted)]) -> Result<Vec<TrainingRow>, Error> {
        let (provider, model) = assemble::found(&self.providers, variant)?;
        let target = (model.served_as.as_str(), provider.target(model));
        let prepared = Prepared::new(&self.suite, variant, provider.wire, target, &[])?;
        let primary = self.suite.scorers.first().map_or("", |scorer| scorer.expected_at.as_str());
        let row = |(row, (answer, rejected)): &(Placed, Wanted)| {
            let example = &row.example;
            let class = match self.suite.task {
                Task::Classification => example.expected.pointer(primary).map(answer_text).unwrap_or_default(),
                Task::Extraction | Task::Generation => String::new(),
            };
            Ok(TrainingRow {
                id: example.id.0.clone(),
                cluster: example.cluster.clone(),
                class,
                messages: prepared.render(example)?.messages,
                answer: answer.clone(),
                rejected: rejected.clone(),
            })
        };
        rows.iter().map(row).collect()
    }
}

fn nothing_left(kind: SourceKind, filters: &BTreeMap<String, u64>) -> Error {
    let counts: Vec<String> = filters.iter().map(|(filter, count)| format!("{filter} {count}")).collect();
    Error::usage(
        format!("no row is left to train on ({})", counts.join(", ")),
        match kind {
            SourceKind::Labels => "the pool needs rows that are no test examples",
            SourceKind::Teacher => "--least-score and --agreement say which answers are taught",
            SourceKind::Preferences => "--pair-margin says how far two answers must be apart",
        },
    )
}

/// The first faults of each code, and how many more there are.
fn shown(faults: Vec<Diagnostic>) -> Diagnostics {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut shown = Diagnostics::new();
    let mut more: BTreeMap<&'static str, Diagnostic> = BTreeMap::new();
    for fault in faults {
        let count = counts.entry(fault.code).or_default();
        *count += 1;
        if *count <= SHOWN {
            shown.push(fault);
        } else {
            more.entry(fault.code).or_insert(fault);
        }
    }
    for (code, first) in more {
        let left = counts.get(code).map_or(0, |count| count - SHOWN);
        let message = format!("… and {left} more");
        shown.push(Diagnostic { message, ..first });
    }
    shown
}

/// Every row of a source with its place.
fn placed(source: &ExampleSource) -> Result<Vec<Placed>, Error> {
    collect(source, source.read_all())
}

/// The rows of a source that are asked.
fn placed_selected(source: &ExampleSource) -> Result<Vec<Placed>, Error> {
    collect(source, source.read())
}

fn collect(
    source: &ExampleSource,
    rows: impl Iterator<Item = Result<crate::suite::examples::Row, RowFault>>,
) -> Result<Vec<Placed>, Error> {
    rows.map(|row| {
        let row = row.map_err(|fault| Error::Input(Diagnostics::from(*fault)))?;
        Ok(Placed { example: row.example, file: source.files()[row.file].clone(), line: row.line })
    })
    .collect()
}
