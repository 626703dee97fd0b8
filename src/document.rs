//! A TOML file as written, read key by key, so that one pass reports every fault at once.
//!
//! A derived decoder stops at its first fault. Here each [`Section`] is asked for the keys that
//! its reader knows: a key of the wrong type is reported where it stands, and once the reader is
//! done, [`Section::finish`] reports every key that nobody asked for, with the nearest known one.

pub mod json;
mod value;

use std::cell::RefCell;
use std::ops::Range;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::text::one_line;
use value::{as_json, as_number, as_whole, is_day};

/// The codes that faults of one kind of file get.
#[derive(Debug)]
pub struct Family {
    /// Not TOML.
    pub syntax: &'static str,
    /// A key that nothing reads.
    pub unknown_key: &'static str,
    /// A key that must be there.
    pub missing_key: &'static str,
    /// A value of another type.
    pub wrong_type: &'static str,
    /// A word that is none of the allowed ones.
    pub unknown_value: &'static str,
    /// A number outside what makes sense.
    pub out_of_range: &'static str,
    /// A key that only a later version serves.
    pub not_yet: &'static str,
}

/// A parsed TOML file and the faults found in it so far.
#[derive(Debug)]
pub struct Document<'a> {
    source: &'a Source,
    family: &'static Family,
    root: Spanned<DeTable<'a>>,
    faults: RefCell<Diagnostics>,
    /// The keys that readers know, by table: what the JSON Schemas must have.
    #[cfg(test)]
    known: RefCell<std::collections::BTreeMap<String, std::collections::BTreeSet<String>>>,
}

impl<'a> Document<'a> {
    /// Parses; what is not TOML is a fault, and the rest is read all the same.
    pub fn parse(source: &'a Source, family: &'static Family) -> Self {
        Self::parse_as(source, &source.text, family)
    }

    /// Parses `toml`, which is the source's text or, for a JSON file, that text as [`json::as_toml`]
    /// rewrites it: every place in it is the same place in the source.
    pub fn parse_as(source: &'a Source, toml: &'a str, family: &'static Family) -> Self {
        let (root, errors) = DeTable::parse_recoverable(toml);
        let faults = errors.into_iter().map(|error| {
            let message = one_line(error.message(), 300);
            let span = error.span().unwrap_or(0..0);
            Diagnostic::error(family.syntax, &source.path, message).in_source(source, span)
        });
        let mut found = Diagnostics::new();
        found.extend(faults);
        Self {
            source,
            family,
            root,
            faults: RefCell::new(found),
            #[cfg(test)]
            known: RefCell::default(),
        }
    }

    /// The whole file as a section.
    pub fn root(&self) -> Section<'_> {
        Section::new(self, self.root.get_ref(), String::new(), 0..0)
    }

    /// Whether the file is TOML; if not, keys that seem missing may only be unreadable.
    pub fn is_sound(&self) -> bool {
        self.faults.borrow().count_of(self.family.syntax) == 0
    }

    /// Adds a fault.
    pub fn report(&self, fault: Diagnostic) {
        self.faults.borrow_mut().push(fault);
    }

    /// Every fault found.
    pub fn into_faults(self) -> Diagnostics {
        self.faults.into_inner()
    }
}

/// A value that is written short or in full.
#[derive(Debug)]
pub enum WholeOrTable<'d> {
    /// The number alone.
    Whole(Spanned<u64>),
    /// A table.
    Table(Section<'d>),
}

/// A flag, or a table that says more.
#[derive(Debug)]
pub enum FlagOrTable<'d> {
    /// A flag.
    Flag(bool),
    /// A table.
    Table(Section<'d>),
}

/// One table of a file.
#[derive(Debug)]
pub struct Section<'d> {
    document: &'d Document<'d>,
    table: &'d DeTable<'d>,
    title: String,
    span: Range<usize>,
    asked: RefCell<Vec<String>>,
}

impl<'d> Section<'d> {
    fn new(document: &'d Document<'d>, table: &'d DeTable<'d>, title: String, span: Range<usize>) -> Self {
        Self { document, table, title, span, asked: RefCell::new(Vec::new()) }
    }

    /// Where the table stands.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// " in [data]", or nothing for the whole file.
    fn place(&self) -> String {
        if self.title.is_empty() { String::new() } else { format!(" in `[{}]`", self.title) }
    }

    fn child_title(&self, key: &str) -> String {
        if self.title.is_empty() { key.to_owned() } else { format!("{}.{key}", self.title) }
    }

    /// Adds an error at a place of the file; add `label` and `help` before reporting it.
    pub fn error(&self, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, &self.document.source.path, message).in_source(self.document.source, span)
    }

    /// Adds a fault.
    pub fn report(&self, fault: Diagnostic) {
        self.document.report(fault);
    }

    /// The value of a key, which is known from here on.
    fn value(&self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.asked.borrow_mut().push(key.to_owned());
        self.table.get(key)
    }

    /// Whether the key is there; it is known from here on.
    pub fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Where a key's name stands.
    pub fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.table.get_key_value(key).map(|(name, _)| name.span())
    }

    fn mismatch(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let found = with_article(value.get_ref().type_str());
        let message = format!("`{key}`{} must be {wanted}, not {found}", self.place());
        self.report(
            self.error(self.document.family.wrong_type, value.span(), message).label(format!("expected {wanted}")),
        );
    }

    /// Reads a key by `read`; `None` from it is a fault that says what is `wanted`.
    fn read<T>(&self, key: &str, wanted: &str, read: impl FnOnce(&'d DeValue<'d>) -> Option<T>) -> Option<Spanned<T>> {
        let value = self.value(key)?;
        let read = read(value.get_ref());
        if read.is_none() {
            self.mismatch(key, value, wanted);
        }
        Some(Spanned::new(value.span(), read?))
    }

    /// A string.
    pub fn text(&self, key: &str) -> Option<Spanned<String>> {
        self.read(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    /// A day, as a string or a TOML date, as YYYY-MM-DD.
    pub fn day(&self, key: &str) -> Option<String> {
        let day = self.read(key, "a day such as \"2027-01-14\"", |value| {
            let text = match value {
                DeValue::Datetime(day) => day.to_string(),
                other => other.as_str()?.to_owned(),
            };
            is_day(&text).then_some(text)
        });
        day.map(Spanned::into_inner)
    }

    /// True or false.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.read(key, "true or false", DeValue::as_bool).map(Spanned::into_inner)
    }

    /// A number, whole or not.
    pub fn number(&self, key: &str) -> Option<Spanned<f64>> {
        self.read(key, "a number", as_number)
    }

    /// A number within a range, ends included.
    pub fn number_in(&self, key: &str, low: f64, high: f64) -> Option<f64> {
        let number = self.number(key)?;
        let value = *number.get_ref();
        if (low..=high).contains(&value) {
            return Some(value);
        }
        let wanted = match (low, high.is_finite()) {
            (low, true) => format!("from {low} to {high}"),
            (low, false) if low > 0.0 => "more than 0".to_owned(),
            _ => "0 or more".to_owned(),
        };
        let message = format!("`{key}`{} is {value}; it must be {wanted}", self.place());
        self.report(self.error(self.document.family.out_of_range, number.span(), message));
        None
    }

    /// A whole number from `low` up.
    pub fn whole(&self, key: &str, low: u64) -> Option<Spanned<u64>> {
        let number = self.read(key, "a whole number", |value| value.as_integer().map(|i| as_whole(i)))?;
        let span = number.span();
        match number.into_inner() {
            Some(whole) if whole >= low => Some(Spanned::new(span, whole)),
            _ => {
                let message = format!("`{key}`{} must be a whole number of {low} or more", self.place());
                self.report(self.error(self.document.family.out_of_range, span, message));
                None
            }
        }
    }

    /// A whole number that fits 32 bits.
    pub fn whole_u32(&self, key: &str, low: u64) -> Option<u32> {
        let number = self.whole(key, low)?;
        if let Ok(whole) = u32::try_from(*number.get_ref()) {
            return Some(whole);
        }
        let message = format!("`{key}`{} is too large", self.place());
        self.report(self.error(self.document.family.out_of_range, number.span(), message));
        None
    }

    /// A whole number from `low` to `high`.
    pub fn whole_u32_in(&self, key: &str, low: u64, high: u32) -> Option<u32> {
        let number = self.whole(key, low)?;
        if let Some(whole) = u32::try_from(*number.get_ref()).ok().filter(|whole| *whole <= high) {
            return Some(whole);
        }
        let message = format!("`{key}`{} must be a whole number of {high} at most", self.place());
        self.report(self.error(self.document.family.out_of_range, number.span(), message));
        None
    }

    /// `[low, high]`, or one number for both; low <= high, neither negative.
    pub fn range(&self, key: &str) -> Option<(f64, f64)> {
        let range = self.read(key, "two numbers `[low, high]`", |value| match value {
            DeValue::Array(items) => match items.iter().collect::<Vec<_>>()[..] {
                [low, high] => Some((as_number(low.get_ref())?, as_number(high.get_ref())?)),
                _ => None,
            },
            other => as_number(other).map(|number| (number, number)),
        })?;
        let (low, high) = *range.get_ref();
        if low >= 0.0 && low <= high {
            return Some((low, high));
        }
        let message = format!("`{key}`{} must be `[low, high]` with 0 <= low <= high", self.place());
        self.report(self.error(self.document.family.out_of_range, range.span(), message));
        None
    }

    /// Strings: one, or a list.
    pub fn texts(&self, key: &str) -> Vec<Spanned<String>> {
        self.items(key, "a string or a list of strings", |value| value.as_str().map(str::to_owned))
    }

    /// A key's values: those of its list, or the one it has.
    fn one_or_more(&self, key: &str) -> Vec<&'d Spanned<DeValue<'d>>> {
        match self.value(key) {
            None => Vec::new(),
            Some(value) => match value.get_ref() {
                DeValue::Array(items) => items.iter().collect(),
                _ => vec![value],
            },
        }
    }

    /// One value or a list of them, each read by `read`.
    pub fn items<T>(&self, key: &str, wanted: &str, read: impl Fn(&'d DeValue<'d>) -> Option<T>) -> Vec<Spanned<T>> {
        let mut found = Vec::new();
        for item in self.one_or_more(key) {
            match read(item.get_ref()) {
                Some(read) => found.push(Spanned::new(item.span(), read)),
                None => self.mismatch(key, item, wanted),
            }
        }
        found
    }

    /// Whether a key holds a list.
    pub fn is_list(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.get_ref().is_array())
    }

    /// One word of a fixed set.
    pub fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<Spanned<T>> {
        let word = self.text(key)?;
        self.chosen(key, &word, choices).map(|chosen| Spanned::new(word.span(), chosen))
    }

    /// Words of a fixed set: one, or a list.
    pub fn choices<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Vec<Spanned<T>> {
        let words = self.texts(key);
        let chosen = words
            .iter()
            .filter_map(|word| self.chosen(key, word, choices).map(|chosen| Spanned::new(word.span(), chosen)));
        chosen.collect()
    }

    fn chosen<T: Copy>(&self, key: &str, word: &Spanned<String>, choices: &[(&str, T)]) -> Option<T> {
        let text = word.get_ref();
        let chosen = choices.iter().find(|(name, _)| name == text).map(|(_, value)| *value);
        if chosen.is_none() {
            let message = format!("`{key}`{} cannot be `{text}`", self.place());
            let fault = self.error(self.document.family.unknown_value, word.span(), message);
            self.report(fault.suggest(text, choices.iter().map(|(name, _)| *name)));
        }
        chosen
    }

    /// A table.
    pub fn section(&self, key: &str) -> Option<Section<'d>> {
        let value = self.value(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.mismatch(key, value, "a table");
            return None;
        };
        Some(Section::new(self.document, table, self.child_title(key), value.span()))
    }

    /// An array of tables.
    pub fn sections(&self, key: &str) -> Vec<Section<'d>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.mismatch(key, value, &format!("a list of tables, each under `[[{key}]]`"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items.iter() {
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section::new(self.document, table, self.child_title(key), item.span())),
                None => self.mismatch(key, item, "a table"),
            }
        }
        sections
    }

    /// Whole numbers or tables: one, or a list.
    pub fn wholes_or_tables(&self, key: &str) -> Vec<WholeOrTable<'d>> {
        let mut found = Vec::new();
        for item in self.one_or_more(key) {
            match (item.get_ref(), item.get_ref().as_integer().and_then(as_whole)) {
                (DeValue::Table(table), _) => {
                    let section = Section::new(self.document, table, self.child_title(key), item.span());
                    found.push(WholeOrTable::Table(section));
                }
                (_, Some(whole)) => found.push(WholeOrTable::Whole(Spanned::new(item.span(), whole))),
                _ => self.mismatch(key, item, "a whole number or a table"),
            }
        }
        found
    }

    /// Flags or tables: one, or a list.
    pub fn flags_or_tables(&self, key: &str) -> Vec<FlagOrTable<'d>> {
        let mut found = Vec::new();
        for item in self.one_or_more(key) {
            match (item.get_ref(), item.get_ref().as_bool()) {
                (DeValue::Table(table), _) => {
                    let section = Section::new(self.document, table, self.child_title(key), item.span());
                    found.push(FlagOrTable::Table(section));
                }
                (_, Some(flag)) => found.push(FlagOrTable::Flag(flag)),
                _ => self.mismatch(key, item, "true, false or a table"),
            }
        }
        found
    }

    /// The names of a table whose keys the user chooses, in file order; all are known from here on.
    pub fn names(&self) -> Vec<Spanned<String>> {
        let mut names: Vec<_> =
            self.table.iter().map(|(name, _)| Spanned::new(name.span(), name.get_ref().to_string())).collect();
        names.sort_by_key(|name| name.span().start);
        self.asked.borrow_mut().extend(names.iter().map(|name| name.get_ref().clone()));
        names
    }

    /// The names of all keys with their places, without making them known.
    pub fn names_unasked(&self) -> Vec<(String, Range<usize>)> {
        self.table.iter().map(|(name, _)| (name.get_ref().to_string(), name.span())).collect()
    }

    /// Any value as JSON, key order kept.
    pub fn json(&self, key: &str) -> Option<Spanned<Value>> {
        self.read(key, "a finite value", as_json)
    }

    /// A table as a JSON object, key order kept.
    pub fn json_object(&self, key: &str) -> Option<Spanned<Map<String, Value>>> {
        self.read(key, "a table", |value| match as_json(value) {
            Some(Value::Object(fields)) => Some(fields),
            _ => None,
        })
    }

    /// Reports that a required key is missing and passes the value on.
    pub fn required<T>(&self, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.table.contains_key(key) && self.document.is_sound() {
            let message = format!("`{key}` is missing{}", self.place());
            self.report(self.error(self.document.family.missing_key, self.span(), message));
        }
        value
    }

    /// Refuses keys that only later versions serve.
    pub fn not_yet(&self, keys: &[&str]) {
        for key in keys.iter().filter(|key| self.has(key)) {
            let span = self.key_span(key).unwrap_or_else(|| self.span());
            let message = format!("`{key}`{} is not supported yet", self.place());
            self.report(self.error(self.document.family.not_yet, span, message));
        }
    }

    /// Reports every key that was never asked for.
    pub fn finish(self) {
        let asked = self.asked.borrow();
        #[cfg(test)]
        self.document.known.borrow_mut().entry(self.title.clone()).or_default().extend(asked.iter().cloned());
        let mut unknown: Vec<_> =
            self.table.iter().map(|(key, _)| key).filter(|key| !asked.iter().any(|a| a == key.get_ref())).collect();
        unknown.sort_by_key(|key| key.span().start);
        for key in unknown {
            let name = one_line(key.get_ref(), 80);
            let message = format!("unknown key `{name}`{}", self.place());
            let fault = self.error(self.document.family.unknown_key, key.span(), message);
            self.report(fault.suggest(&name, asked.iter().map(String::as_str)));
        }
    }
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}

#[cfg(test)]
pub(crate) mod tests;
