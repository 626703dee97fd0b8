//! What can only be seen by reading the data: duplicates, leakage, answers that the schema rejects.
//!
//! Data is streamed; what is kept is a few words an example. Of each class of fault the first
//! [`SHOWN`] are reported, then how many more there are.

pub mod data;
pub mod facts;
mod named;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::examples::{ExampleSource, Row, RowFault};
use super::leakage::Pool;
use super::schema::label_text;
use super::{OtherSplit, Prompt, Suite, prompt_file};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::digest::Digest;
use crate::provider::load::Providers;
use crate::provider::{AWS_VARIABLES, KeySource, Service};
use data::DataCount;
pub use prompt_file::Part;

/// How many faults of one class are reported one by one.
pub const SHOWN: usize = 20;

/// Inputs that a template is tried on.
const SAMPLE_INPUTS: usize = 5;

/// A fault in a template, found by whoever compiles templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFault {
    /// Which part.
    pub part: Part,
    /// Line of the part's text, from 1; 0 is the whole part.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

/// Compiles a prompt and renders it with some inputs; this module cannot, since templates live
/// above it.
pub type TemplateCheck<'a> = &'a dyn Fn(&Prompt, &Suite, &[Value]) -> Vec<TemplateFault>;

/// Reads all examples of test, dev and pool, and reports what is wrong with them; tries each
/// prompt on the first inputs if it is told how.
pub fn check(suite: &Suite, check_template: Option<TemplateCheck<'_>>) -> Diagnostics {
    check_and_count(suite, check_template).0
}

/// The same, with what the data come to: whoever needs both reads them once.
pub fn check_and_count(suite: &Suite, check_template: Option<TemplateCheck<'_>>) -> (Diagnostics, DataCount) {
    let mut tally = Tally::default();
    let mut count = DataCount::default();
    let mut pool = Pool::default();
    if let Some(source) = &suite.pool {
        let rows = Split::new(suite, "pool", source).check(
            &mut tally,
            |row, _| row,
            |row| {
                count.add_pool(&data::document(&row.example));
                pool.add(&row, source);
            },
        );
        pool.close();
        check_pool_size(suite, rows, &mut tally);
    }
    let named = named::Named::read(suite, &mut tally);
    if let Some(source) = &suite.dev {
        let also = |row: Row, faults: &mut Vec<_>| {
            faults.extend(pool.leak(&row, source));
            faults.extend(named.unknown(&row, source));
        };
        Split::new(suite, "dev", source).check(&mut tally, also, |()| ());
    }
    // Every shard finds the same faults, and one may well have no example of its own.
    let source = &suite.examples.all_shards();
    let shard = suite.examples.spec().shard;
    let mut naming = 0;
    // The pool is not held against itself.
    let is_pool = suite.asked_instead == Some(OtherSplit::Pool);
    let also = |row: Row, faults: &mut Vec<_>| {
        if !is_pool {
            faults.extend(pool.leak(&row, source));
        }
        faults.extend(named.unknown(&row, source));
        let in_shard = shard.is_none_or(|shard| shard.has(&row.example));
        (data::document(&row.example), in_shard, !row.example.documents.is_empty())
    };
    let rows = Split::new(suite, suite.asked_instead.map_or("test", OtherSplit::as_str), source).check(
        &mut tally,
        also,
        |(document, in_shard, names_documents)| {
            count.add(&document, in_shard);
            naming += u64::from(names_documents);
        },
    );
    named::Named::check_oracle(suite, (naming, rows), &mut tally);
    if rows == 0 {
        tally.add(no_examples(suite, source));
    }
    if let Some(check_template) = check_template {
        let inputs: Vec<Value> =
            source.read().filter_map(Result::ok).map(|row| row.example.input).take(SAMPLE_INPUTS).collect();
        for prompt in &suite.prompts {
            for fault in check_template(prompt, suite, &inputs) {
                tally.add(template_fault(suite, prompt, &fault));
            }
        }
    }
    (tally.finish(), count)
}

fn no_examples(suite: &Suite, source: &ExampleSource) -> Diagnostic {
    let file = source.files().first().unwrap_or(&suite.file);
    let fault = |message: &str| Diagnostic::error("suite/no-examples", file, message);
    match source.read_all().next() {
        None => fault("there are no examples"),
        Some(_) => fault("none of the examples is wanted").help("see --limit, --examples, --tag and [data] sample"),
    }
}

/// Places a fault of a template in its file.
fn template_fault(suite: &Suite, prompt: &Prompt, fault: &TemplateFault) -> Diagnostic {
    let path = suite.folder.join(&prompt.path);
    let diagnostic = Diagnostic::error("suite/bad-template", &path, fault.message.clone());
    let Ok(source) = super::load::read(&path) else {
        return diagnostic;
    };
    let Ok(parts) = prompt_file::split(&source.text) else {
        return diagnostic;
    };
    let start = match fault.part {
        Part::System => parts.system_line,
        Part::User => parts.user_line,
    };
    let number = start + fault.line.saturating_sub(1);
    match source.text.lines().nth(number.saturating_sub(1) as usize) {
        Some(line) => diagnostic.in_line(number, line, 0..line.len()),
        None => diagnostic,
    }
}

fn check_pool_size(suite: &Suite, rows: u64, tally: &mut Tally) {
    let mut wanting: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, variant) in suite.variants.iter().enumerate() {
        if let Some(shots) = variant.shots.filter(|shots| u64::from(shots.k) > rows) {
            wanting.entry(shots.k).or_default().push(index);
        }
    }
    let source = super::load::read_suite_file(suite).ok();
    for (k, variants) in wanting {
        let names = facts::names(suite, &variants);
        let message = format!("{names}: {k} shots are wanted, and the pool has {rows} examples");
        tally.add(facts::at_variant(suite, source.as_ref(), variants[0], "suite/pool-too-small", message));
    }
}

/// One of test, dev and pool.
struct Split<'a> {
    suite: &'a Suite,
    name: &'static str,
    source: &'a ExampleSource,
    labels: HashSet<&'a str>,
}

/// What the check of a row found.
struct CheckedRow<T> {
    id: u64,
    faults: Vec<Diagnostic>,
    also: T,
}

impl<'a> Split<'a> {
    fn new(suite: &'a Suite, name: &'static str, source: &'a ExampleSource) -> Self {
        Self { suite, name, source, labels: suite.labels.iter().map(String::as_str).collect() }
    }

    /// Checks every row, on all cores; `also` may find more, and what it makes of a row goes to `take`, in order.
    /// Answers how many examples there are.
    fn check<T: Send>(
        &self,
        tally: &mut Tally,
        also: impl Fn(Row, &mut Vec<Diagnostic>) -> T + Sync,
        mut take: impl FnMut(T),
    ) -> u64 {
        let mut ids = Vec::new();
        let work = |row: Result<Row, RowFault>| {
            let row = row?;
            let id = id_key(&row);
            let mut faults = Vec::from_iter(self.expected_fault(&row));
            let also = also(row, &mut faults);
            Ok::<_, RowFault>(CheckedRow { id, faults, also })
        };
        self.source.each(work, |row| match row {
            Err(fault) => tally.add(*fault),
            Ok(row) => {
                ids.push(row.id);
                row.faults.into_iter().for_each(|fault| tally.add(fault));
                take(row.also);
            }
        });
        let rows = ids.len() as u64;
        self.check_ids(ids, tally);
        rows
    }

    /// Reports ids that stand there twice. Only where two keys are the same the data are read again, for the ids
    /// themselves.
    fn check_ids(&self, mut keys: Vec<u64>, tally: &mut Tally) {
        keys.sort_unstable();
        let twice: HashSet<u64> = keys.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        if twice.is_empty() {
            return;
        }
        let mut first: HashMap<String, (usize, u64)> = HashMap::new();
        for row in self.source.read().flatten().filter(|row| twice.contains(&id_key(row))) {
            match first.get(&row.example.id.0) {
                Some(&(file, line)) => tally.add(self.duplicate(&row, file, line)),
                None => drop(first.insert(row.example.id.0, (row.file, row.line))),
            }
        }
    }

    fn duplicate(&self, row: &Row, file: usize, line: u64) -> Diagnostic {
        let first = if file == row.file { String::new() } else { format!("{}:", self.source.files()[file].display()) };
        let message =
            format!("the id `{}` stands twice in {}: first at {}{line}", row.example.id, self.name, prefixed(&first));
        row_error("suite/duplicate-id", row, self.source, message)
    }

    /// An `expected` that could never be answered right.
    fn expected_fault(&self, row: &Row) -> Option<Diagnostic> {
        let expected = &row.example.expected;
        let id = &row.example.id;
        let primary = self.suite.scorers.first()?;
        let Some(value) = value_at(expected, &primary.expected_at) else {
            let message = format!("`expected` of `{id}` has nothing at `{}`", primary.expected_at);
            return Some(row_error("suite/bad-expected", row, self.source, message));
        };
        let label = match value {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            other => Cow::Owned(label_text(other)),
        };
        if !self.labels.is_empty() && !self.labels.contains(&*label) {
            let message = format!(
                "`{id}` expects `{}`, which the schema's enum does not have",
                crate::text::one_line(&label, 80)
            );
            let fault = row_error("suite/unknown-label", row, self.source, message);
            return Some(fault.suggest(&label, self.suite.labels.iter().map(String::as_str)));
        }
        // Where `expected` has another form than the answer, the schema says nothing about it.
        if self.suite.scorers.iter().any(|scorer| scorer.at != scorer.expected_at) {
            return None;
        }
        let schema = self.suite.schema.as_ref()?;
        if schema.accepts(expected) {
            return None;
        }
        let violation = schema.first_violation(expected)?;
        let place = if violation.path.is_empty() { "the top".to_owned() } else { format!("`{}`", violation.path) };
        let message = format!("the schema rejects `expected` of `{id}` at {place}: {}", violation.message);
        Some(row_error("suite/bad-expected", row, self.source, message))
    }
}

/// The value at a JSON Pointer; the key of an object, as most are, without the copies that unescaping makes.
fn value_at<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    match pointer.strip_prefix('/').filter(|key| !key.contains(['/', '~'])) {
        Some(key) if value.is_object() => value.get(key),
        _ => value.pointer(pointer),
    }
}

/// A number for an id; two ids seldom have the same.
fn id_key(row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.example.id.0.hash(&mut hasher);
    hasher.finish()
}

/// "line " in front of a bare line number, nothing in front of `file:line`.
fn prefixed(place: &str) -> String {
    if place.is_empty() { "line ".to_owned() } else { place.to_owned() }
}

/// A fault at a row of a data file.
pub(super) fn row_error(code: &'static str, row: &Row, source: &ExampleSource, message: String) -> Diagnostic {
    let line = u32::try_from(row.line).unwrap_or(u32::MAX);
    Diagnostic::error(code, &source.files()[row.file], message).at(line, 1)
}

/// Half of a digest: enough to tell millions of texts apart.
pub(super) fn key(text: &[u8]) -> u128 {
    let digest = Digest::of(text);
    digest.as_bytes().iter().take(16).fold(0, |key, &byte| key << 8 | u128::from(byte))
}

/// Faults, at most [`SHOWN`] of each code.
#[derive(Default)]
struct Tally {
    faults: Diagnostics,
    /// How many there were, and the first that was left out.
    counts: BTreeMap<&'static str, (usize, Option<Diagnostic>)>,
}

impl Tally {
    fn add(&mut self, fault: Diagnostic) {
        let (count, left_out) = self.counts.entry(fault.code).or_default();
        *count += 1;
        if *count <= SHOWN {
            self.faults.push(fault);
        } else if left_out.is_none() {
            *left_out = Some(fault);
        }
    }

    fn finish(mut self) -> Diagnostics {
        self.faults.sort();
        for (count, left_out) in self.counts.into_values() {
            if let Some(first) = left_out {
                let message = format!("… and {} more", count - SHOWN);
                let more = Diagnostic::error(first.code, first.file, message).at(first.line, first.column);
                self.faults.push(if first.severity == Severity::Warning { more.as_warning() } else { more });
            }
        }
        self.faults
    }
}

/// Providers of the suite's variants whose key is not there: an error each, which `check` shows as
/// a warning. `env` reads the environment.
pub fn missing_keys(suite: &Suite, providers: &Providers, env: &dyn Fn(&str) -> Option<String>) -> Vec<Diagnostic> {
    let mut seen = std::collections::BTreeSet::new();
    let mut missing = Vec::new();
    let endpoints = suite.variants.iter().flat_map(|variant| {
        let embeddings = variant.retrieve.as_ref().and_then(|retrieve| retrieve.embeddings());
        [Some(&variant.endpoint), embeddings].into_iter().flatten()
    });
    for endpoint in endpoints {
        let name = &endpoint.provider;
        let Some(provider) = providers.get(name).filter(|_| seen.insert(name)) else {
            continue;
        };
        let Service::Http { key, .. } = &provider.service else {
            continue;
        };
        let is_set = |variable: &str| env(variable).is_some_and(|key| !key.trim().is_empty());
        let fault = match key {
            KeySource::None => continue,
            KeySource::Environment(variable) if is_set(variable) => continue,
            KeySource::File(path) if path.is_file() => continue,
            KeySource::Environment(variable) => Diagnostic::error(
                "provider/no-key",
                &suite.file,
                format!("the provider `{name}` needs a key: `{variable}` is not set"),
            )
            .help(format!("export {variable}=…, or choose another with `--provider {name}=OTHER`")),
            KeySource::Aws => {
                let unset: Vec<&str> = AWS_VARIABLES.into_iter().filter(|variable| !is_set(variable)).collect();
                if unset.is_empty() {
                    continue;
                }
                let are = if unset.len() == 1 { "is" } else { "are" };
                let unset = unset.join("` and `");
                let message = format!("the provider `{name}` signs with AWS keys: `{unset}` {are} not set");
                let help = "export them, with AWS_SESSION_TOKEN if the keys expire; AWS's profiles are not read";
                Diagnostic::error("provider/no-key", &suite.file, message).help(help)
            }
            KeySource::File(path) => {
                let message = format!("the provider `{name}` needs a key: there is no file `{}`", path.display());
                Diagnostic::error("provider/no-key", &suite.file, message)
            }
        };
        missing.push(fault);
    }
    missing
}

#[cfg(test)]
mod tests;
