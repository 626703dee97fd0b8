//! A first look through a whole file, before anything of it is kept: who answered, which examples,
//! which scores, what is not carried over, and every fault.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::path::Path;

use serde_json::Value;

use super::read::{self, Reading, unreadable};
use super::{Format, Found, Header, LeftOut, Options, Row};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::digest::Digest;
use crate::text::one_line;

/// Faults that are collected before the rest is left unread.
const MOST_FAULTS: usize = 20;

/// Repeats of an example: a run takes a few, and the means over them are exact up to here.
const MOST_REPEATS: u32 = 10_000;

/// Most variants and most names of scores: more are a wrong field taken for a name.
const MOST_NAMES: usize = 1000;

/// Longest name of a variant.
const LONGEST_NAME: usize = 100;

/// A variant of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantFound {
    /// Its name here: fit for command lines and reports.
    pub name: String,
    /// Its name in the file; `None` where the file names none.
    pub stated: Option<String>,
    /// Its column, where several share that name.
    pub column: Option<u64>,
    /// The model's name.
    pub model: String,
    /// Its rows.
    pub rows: u64,
}

/// How often something was met, and on which row first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// How often.
    pub count: u64,
    /// The first row.
    pub first: u64,
}

/// What a file holds.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// What it says of itself.
    pub header: Header,
    /// In the order of their columns.
    pub variants: Vec<VariantFound>,
    /// Rows that become trials.
    pub trials: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Those of the failed that are missing, not wrong.
    pub missing: u64,
    /// Different examples.
    pub examples: u64,
    /// How often an example was asked at most.
    pub repeats: u32,
    /// Scores by the tool's names, with how many trials have one.
    pub metrics: BTreeMap<String, u64>,
    /// Trials that state whether the answer was valid.
    pub with_validity: u64,
    /// Trials with a time of the whole answer, and with one of its first token.
    pub with_times: [u64; 2],
    /// Trials with a cost.
    pub with_cost: u64,
    /// What is not carried over.
    pub left_out: BTreeMap<LeftOut, Count>,
    places: HashMap<(Option<String>, Option<u64>), usize>,
}

impl Survey {
    /// The place of a row's variant.
    pub fn variant_of(&self, row: &Row) -> Option<usize> {
        self.places.get(&(row.variant.clone(), row.column)).copied()
    }

    /// The score that stands for accuracy: the named one, the format's usual one, or the only one.
    ///
    /// # Errors
    /// What to say where there is none, or several and none is named.
    pub fn primary(&self, format: Format, named: Option<&str>) -> Result<String, String> {
        let known = || {
            let names: Vec<String> = self.metrics.keys().map(|name| format!("`{}`", one_line(name, 60))).collect();
            names.join(", ")
        };
        let chosen = match named {
            Some(named) if self.metrics.contains_key(named) => named.to_owned(),
            Some(named) => {
                let known = if self.metrics.is_empty() { "no score at all".to_owned() } else { known() };
                return Err(format!("the file has no score `{}`; it has {known}", one_line(named, 60)));
            }
            None => {
                let usual = format.usual_scores().iter().find(|usual| self.metrics.contains_key(**usual));
                match (usual, self.metrics.len()) {
                    (Some(usual), _) => (*usual).to_owned(),
                    (None, 1) => self.metrics.keys().next().cloned().unwrap_or_default(),
                    (None, 0) => return Err("the file states no score from 0 to 1".to_owned()),
                    (None, _) => {
                        return Err(format!("the file has several scores and none that stands for all: {}", known()));
                    }
                }
            }
        };
        match self.left_out.get(&LeftOut::Range(chosen.clone())) {
            None => Ok(chosen),
            Some(Count { count, first }) => Err(format!(
                "the score `{}` is not from 0 to 1 on {count} rows, first on row {first}",
                one_line(&chosen, 60)
            )),
        }
    }

    fn leave_out(&mut self, what: LeftOut, place: u64) {
        self.left_out.entry(what).or_insert(Count { count: 0, first: place }).count += 1;
    }

    fn add(&mut self, row: Row, named: &Named) -> Result<(), String> {
        self.trials += 1;
        self.examples += u64::from(named.is_new);
        self.repeats = self.repeats.max(named.repeat + 1);
        if let Some(failure) = &row.failure {
            self.failed += 1;
            self.missing += u64::from(!failure.kind.counts_as_wrong());
        }
        for name in row.stated.scores.keys() {
            match self.metrics.get_mut(name) {
                Some(count) => *count += 1,
                None => {
                    self.metrics.insert(name.clone(), 1);
                }
            }
        }
        if self.metrics.len() > MOST_NAMES {
            return Err(format!("there are more than {MOST_NAMES} different scores"));
        }
        self.with_validity += u64::from(row.stated.valid.is_some());
        let times = [row.stated.total_ms, row.stated.ttft_ms];
        self.with_times.iter_mut().zip(times).for_each(|(count, time)| *count += u64::from(time.is_some()));
        self.with_cost += u64::from(row.stated.cost_usd.is_some());
        for what in row.left_out {
            self.leave_out(what, row.place);
        }
        Ok(())
    }

    /// The place of a row's variant, a new one where it was not met before.
    fn place(&mut self, row: &Row) -> Result<usize, String> {
        let key = (row.variant.clone(), row.column);
        if let Some(place) = self.places.get(&key) {
            self.variants[*place].rows += 1;
            return Ok(*place);
        }
        if self.variants.len() == MOST_NAMES {
            return Err(format!("there are more than {MOST_NAMES} variants"));
        }
        let model = row.model.as_ref().or(row.variant.as_ref()).map(|model| one_line(model, 200));
        let (stated, column) = key.clone();
        let model = model.unwrap_or_default();
        self.variants.push(VariantFound { name: String::new(), stated, column, model, rows: 1 });
        self.places.insert(key, self.variants.len() - 1);
        Ok(self.variants.len() - 1)
    }

    /// Gives every variant a name of its own.
    fn name_variants(&mut self, unnamed: &str) {
        let mut order: Vec<usize> = (0..self.variants.len()).collect();
        order.sort_by_key(|place| self.variants[*place].column);
        let mut shared: HashMap<Option<String>, u32> = HashMap::new();
        for variant in &self.variants {
            *shared.entry(variant.stated.clone()).or_default() += 1;
        }
        let mut numbers: HashMap<Option<String>, u32> = HashMap::new();
        let mut taken = std::collections::HashSet::new();
        for place in order {
            let variant = &mut self.variants[place];
            let mut name = slug(variant.stated.as_deref().unwrap_or(unnamed));
            if shared.get(&variant.stated).is_some_and(|count| *count > 1) {
                let number = numbers.entry(variant.stated.clone()).or_default();
                *number += 1;
                name = format!("{name}-p{number}");
            }
            let plain = name.clone();
            let mut next = 2;
            while !taken.insert(name.clone()) {
                name = format!("{plain}-{next}");
                next += 1;
            }
            if variant.model.is_empty() {
                variant.model = self.header.model.as_ref().map_or_else(|| name.clone(), |model| one_line(model, 200));
            }
            variant.name = name;
        }
    }
}

/// A text as a name of ours: letters, digits, `-`, `_`, `.` and `+`, and a dash for everything else.
pub fn slug(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let kept = if c.is_alphanumeric() || matches!(c, '_' | '.' | '+') { c } else { '-' };
        if !(kept == '-' && name.ends_with('-')) && name.len() + kept.len_utf8() <= LONGEST_NAME {
            name.push(kept);
        }
    }
    let name = name.trim_matches(['-', '.']).to_owned();
    if name.is_empty() { "imported".to_owned() } else { name }
}

/// Looks through a file. With `skip_bad`, rows that cannot be read are left out and counted.
///
/// # Errors
/// Every fault, up to a number of them.
pub fn survey(
    reader: impl BufRead,
    path: &Path,
    (format, options): (Format, &Options),
    skip_bad: bool,
) -> Result<Survey, Diagnostics> {
    let mut survey = Survey::default();
    let mut names = Names::new(format, options);
    let mut faults: Vec<Diagnostic> = Vec::new();
    let header = read::each(reader, path, (format, options), &mut |reading| {
        match reading {
            Reading::Found(place, Found::Not(what)) => survey.leave_out(what, place),
            Reading::Found(place, Found::Row(row)) => {
                let named = survey.place(&row).and_then(|variant| names.name(&row, variant));
                if let Err(message) = named.and_then(|named| survey.add(*row, &named)) {
                    let where_from = if format.is_document() { format!("result {place}: ") } else { String::new() };
                    let line = if format.is_document() { 0 } else { u32::try_from(place).unwrap_or(u32::MAX) };
                    let fault = Diagnostic::error("import/bad-row", path, format!("{where_from}{message}"));
                    faults.push(fault.at(line, 0));
                }
            }
            Reading::Fault(fault) if skip_bad => survey.leave_out(unreadable(&fault), u64::from(fault.line)),
            Reading::Fault(fault) => faults.push(*fault),
        }
        faults.len() < MOST_FAULTS
    });
    survey.header = match header {
        Ok(header) => header,
        Err(fault) => {
            faults.push(*fault);
            Header::default()
        }
    };
    if let Some(fault) = faults.first_mut().filter(|fault| fault.code == "import/bad-row" && fault.help.is_none()) {
        fault.help = Some("--skip-bad leaves such rows out and counts them".to_owned());
    }
    let mut found = Diagnostics::new();
    faults.into_iter().for_each(|fault| found.push(fault));
    found.into_result()?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let unnamed = options.variant.clone().or_else(|| survey.header.model.clone()).unwrap_or(stem);
    survey.name_variants(&unnamed);
    Ok(survey)
}

/// A row's example and repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The example's id.
    pub id: String,
    /// Which repeat of it, from 0.
    pub repeat: u32,
    /// Whether no row before had the example.
    pub is_new: bool,
}

/// The examples that were met: the same in every pass over the same file.
#[derive(Debug)]
pub struct Names {
    ids_by_input: bool,
    /// Whether a second answer to an example is a repeat of it rather than a mistake.
    counts_repeats: bool,
    /// By id: the digest of input and expected answer, and the row that had them first.
    examples: HashMap<String, (Digest, u64)>,
    by_content: HashMap<Digest, String>,
    asked: HashMap<(usize, Digest), Asked>,
}

/// Which repeats of an example a variant has.
#[derive(Debug, Default)]
struct Asked {
    next: u32,
    numbered: Vec<u32>,
}

impl Names {
    /// Nothing met yet.
    pub fn new(format: Format, options: &Options) -> Self {
        let promptfoo = matches!(format, Format::Promptfoo | Format::PromptfooLines);
        Self {
            ids_by_input: options.ids_by_input,
            counts_repeats: options.ids_by_input || promptfoo,
            examples: HashMap::new(),
            by_content: HashMap::new(),
            asked: HashMap::new(),
        }
    }

    /// Names a row of a variant.
    ///
    /// # Errors
    /// An id that stands for two inputs, or an answer that is there twice.
    pub fn name(&mut self, row: &Row, variant: usize) -> Result<Named, String> {
        let content = content(&row.input, &row.expected);
        let id = match &row.id {
            _ if self.ids_by_input => format!("in-{:.16}", Digest::of(row.input.to_string().as_bytes()).to_string()),
            Some(id) => id.clone(),
            // Tests without ids of their own are told apart by what they ask and expect: so those of a
            // repeated evaluation, which numbers them anew, are repeats of one example.
            None => {
                let first = || format!("test-{}", row.stated.place);
                self.by_content.entry(content).or_insert_with(first).clone()
            }
        };
        let is_new = match self.examples.get(&id) {
            Some((known, first)) if *known != content => {
                return Err(format!(
                    "the example `{}` has another input or expected answer than on row {first}",
                    one_line(&id, 80)
                ));
            }
            Some(_) => false,
            None => {
                self.examples.insert(id.clone(), (content, row.place));
                true
            }
        };
        let asked = self.asked.entry((variant, Digest::of(id.as_bytes()))).or_default();
        let repeat = match row.repeat.filter(|repeat| !asked.numbered.contains(repeat)) {
            Some(repeat) => repeat,
            None if self.counts_repeats || (row.repeat.is_none() && asked.numbered.is_empty()) => asked.next,
            None => {
                let id = one_line(&id, 80);
                return Err(format!("the example `{id}` is there twice for one variant and one repeat"));
            }
        };
        if repeat >= MOST_REPEATS {
            return Err(format!("the repeat {repeat} of the example `{}` is more than any run has", one_line(&id, 80)));
        }
        asked.next = asked.next.max(repeat + 1);
        asked.numbered.push(repeat);
        Ok(Named { id, repeat, is_new })
    }
}

/// What tells two versions of an example apart.
fn content(input: &Value, expected: &Value) -> Digest {
    Digest::of_parts([input.to_string().as_bytes(), expected.to_string().as_bytes()])
}
