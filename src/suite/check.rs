//! What can only be seen by reading the data: duplicates, leakage, answers that the schema rejects.
//!
//! Data is streamed; what is kept is a few words an example. Of each class of fault the first
//! [`SHOWN`] are reported, then how many more there are.

pub mod facts;
mod named;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::examples::{ExampleSource, Row};
use super::leakage::Pool;
use super::schema::label_text;
use super::{Prompt, Suite, prompt_file};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::digest::Digest;
use crate::provider::load::Providers;
use crate::provider::{AWS_VARIABLES, KeySource, Service};
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
    let mut tally = Tally::default();
    let mut pool = Pool::default();
    if let Some(source) = &suite.pool {
        let rows = Split { suite, name: "pool", source }.check(&mut tally, |row| pool.add(row, source));
        pool.close();
        check_pool_size(suite, rows, &mut tally);
    }
    let mut named = named::Named::read(suite, &mut tally);
    if let Some(source) = &suite.dev {
        Split { suite, name: "dev", source }
            .check(&mut tally, |row| tally_leak(&pool, row, source).into_iter().chain(named.unknown(row, source)));
    }
    let mut inputs = Vec::new();
    // Every shard finds the same faults, and one may well have no example of its own.
    let source = &suite.examples.all_shards();
    let rows = Split { suite, name: "test", source }.check(&mut tally, |row| {
        if inputs.len() < SAMPLE_INPUTS {
            inputs.push(row.example.input.clone());
        }
        named.count(row);
        tally_leak(&pool, row, source).into_iter().chain(named.unknown(row, source)).collect::<Vec<_>>()
    });
    named.check_oracle(suite, rows, &mut tally);
    if rows == 0 {
        let file = source.files().first().unwrap_or(&suite.file);
        let fault = |message: &str| Diagnostic::error("suite/no-examples", file, message);
        tally.add(match source.read_all().next() {
            None => fault("there are no examples"),
            Some(_) => fault("none of the examples is wanted").help("see --limit, --examples, --tag and [data] sample"),
        });
    }
    if let Some(check_template) = check_template {
        for prompt in &suite.prompts {
            for fault in check_template(prompt, suite, &inputs) {
                tally.add(template_fault(suite, prompt, &fault));
            }
        }
    }
    tally.finish()
}

fn tally_leak(pool: &Pool, row: &Row, source: &ExampleSource) -> Vec<Diagnostic> {
    pool.leak(row, source).into_iter().collect()
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
}

impl Split<'_> {
    /// Checks every row and passes it to `also`; answers how many examples there are.
    fn check<T: IntoIterator<Item = Diagnostic>>(&self, tally: &mut Tally, mut also: impl FnMut(&Row) -> T) -> u64 {
        // Eight bytes an example. Where two are alike, the rows are read once more.
        let mut ids: Vec<u64> = Vec::new();
        let mut rows = 0;
        for row in self.source.read() {
            let row = match row {
                Ok(row) => row,
                Err(fault) => {
                    tally.add(*fault);
                    continue;
                }
            };
            rows += 1;
            ids.push(short_key(&row));
            if let Some(fault) = self.expected_fault(&row) {
                tally.add(fault);
            }
            for fault in also(&row) {
                tally.add(fault);
            }
        }
        self.find_duplicates(ids, tally);
        rows
    }

    /// Reports each row whose id an earlier one has, given a short key of every row's.
    fn find_duplicates(&self, mut keys: Vec<u64>, tally: &mut Tally) {
        keys.sort_unstable();
        let alike: HashSet<u64> = keys.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        drop(keys);
        if alike.is_empty() {
            return;
        }
        let mut ids: HashMap<u128, (usize, u64)> = HashMap::new();
        for row in self.source.read().filter_map(Result::ok).filter(|row| alike.contains(&short_key(row))) {
            match ids.entry(key(row.example.id.0.as_bytes())) {
                Entry::Vacant(free) => drop(free.insert((row.file, row.line))),
                Entry::Occupied(taken) => {
                    let (file, line) = *taken.get();
                    tally.add(self.duplicate(&row, file, line));
                }
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
        let Some(value) = expected.pointer(&primary.expected_at) else {
            let message = format!("`expected` of `{id}` has nothing at `{}`", primary.expected_at);
            return Some(row_error("suite/bad-expected", row, self.source, message));
        };
        let labels = &self.suite.labels;
        let label = label_text(value);
        if !labels.is_empty() && !labels.contains(&label) {
            let message = format!(
                "`{id}` expects `{}`, which the schema's enum does not have",
                crate::text::one_line(&label, 80)
            );
            let fault = row_error("suite/unknown-label", row, self.source, message);
            return Some(fault.suggest(&label, labels.iter().map(String::as_str)));
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
    Digest::of(text).prefix_u128()
}

/// A quarter of the digest of a row's id: alike only where the ids are, or by a rare chance.
fn short_key(row: &Row) -> u64 {
    Digest::of(row.example.id.0.as_bytes()).prefix_u64()
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
