//! Faults in what the user wrote: each with its place, a permanent code and, where there is one,
//! what to do about it.
//!
//! A [`Diagnostic`] carries only the few characters of source that it shows, so that a fault in a
//! data file of any size stays small. Many are collected in [`Diagnostics`] and shown together.

mod codes;
mod render;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub use codes::{CODES, Code};
pub use render::Style;

/// Longest line, in bytes, that is shown whole; of a longer one only the part around the fault is.
const WHOLE_LINE: usize = 200;

/// How much of a long line is shown before and after the start of the fault.
const BEFORE: usize = 60;
const AFTER: usize = 100;

/// How bad a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing can be run.
    Error,
    /// It runs, but it is likely not what is meant.
    Warning,
}

/// The piece of source that a diagnostic shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// One line of the file, or the part of it around the fault.
    pub text: Arc<str>,
    /// The bytes of `text` that are marked.
    pub mark: Range<usize>,
}

impl Excerpt {
    /// Cuts the excerpt out of a line; `mark` is in bytes of the line.
    pub fn of_line(line: &str, mark: Range<usize>) -> Self {
        let line = line.trim_end_matches(['\n', '\r']);
        let start = floor_boundary(line, mark.start);
        let end = floor_boundary(line, mark.end).max(start);
        if line.len() <= WHOLE_LINE {
            return Self { text: line.into(), mark: start..end };
        }
        let from = floor_boundary(line, start.saturating_sub(BEFORE));
        let to = floor_boundary(line, start + AFTER);
        let head = if from > 0 { "…" } else { "" };
        let tail = if to < line.len() { "…" } else { "" };
        let shift = |offset: usize| offset.min(to) - from + head.len();
        Self { text: format!("{head}{}{tail}", &line[from..to]).into(), mark: shift(start)..shift(end) }
    }
}

/// The nearest character boundary at or before an offset.
fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Permanent; one of [`CODES`].
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// A lowercase fragment without a full stop.
    pub message: String,
    /// The file it is in.
    pub file: PathBuf,
    /// From 1; 0 is the whole file.
    pub line: u32,
    /// In characters, from 1; 0 is the whole line or file.
    pub column: u32,
    /// Bytes in the file, where known.
    pub span: Option<Range<usize>>,
    /// What is said at the marked place.
    pub label: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// The source to show, where there is one.
    pub excerpt: Option<Excerpt>,
}

impl Diagnostic {
    /// An error about a whole file.
    pub fn error(code: &'static str, file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            file: file.into(),
            line: 0,
            column: 0,
            span: None,
            label: None,
            help: None,
            excerpt: None,
        }
    }

    /// A warning about a whole file.
    pub fn warning(code: &'static str, file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, file, message) }
    }

    /// The same as a warning.
    pub fn as_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// At a line and column without an excerpt.
    pub fn at(self, line: u32, column: u32) -> Self {
        Self { line, column, ..self }
    }

    /// At a span of a source, with the excerpt.
    pub fn in_source(self, source: &Source, span: Range<usize>) -> Self {
        let (line, column) = source.position(span.start);
        let excerpt = Some(source.excerpt(&span));
        Self { line, column, span: Some(span), excerpt, ..self }
    }

    /// In a line of text, with the excerpt; `mark` is in bytes of the line.
    pub fn in_line(self, number: u32, line: &str, mark: Range<usize>) -> Self {
        let column = characters(line, mark.start);
        Self { line: number, column, excerpt: Some(Excerpt::of_line(line, mark)), ..self }
    }

    /// With words at the marked place.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    /// With what to do about it.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// With "did you mean …" where a name is near enough, else with all the names if they are few.
    pub fn suggest<'a>(self, word: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> Self {
        if let Some(near) = crate::text::nearest(word, names.clone()) {
            return self.help(format!("did you mean `{near}`?"));
        }
        let mut names = names.into_iter();
        let known: Vec<String> =
            names.by_ref().take(12).map(|name| format!("`{}`", crate::text::one_line(name, 80))).collect();
        match (known.len(), names.next()) {
            (0, _) => self,
            (_, None) => self.help(format!("known: {}", known.join(", "))),
            (_, Some(_)) => self.help(format!("known: {}, …", known.join(", "))),
        }
    }
}

/// The column of a byte of a line, in characters from 1.
fn characters(line: &str, offset: usize) -> u32 {
    u32::try_from(line[..floor_boundary(line, offset)].chars().count() + 1).unwrap_or(u32::MAX)
}

/// A text file with its path, for turning byte offsets into lines.
#[derive(Debug)]
pub struct Source {
    /// Where it stands.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
    lines: OnceLock<Vec<usize>>,
}

impl Source {
    /// A source from its text.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), lines: OnceLock::new() }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Line and column of a byte, both from 1.
    pub fn position(&self, offset: usize) -> (u32, u32) {
        let index = self.line_index(offset);
        let start = self.line_starts()[index];
        let column = characters(&self.text[start..], offset.saturating_sub(start));
        (u32::try_from(index + 1).unwrap_or(u32::MAX), column)
    }

    /// The excerpt for a span: its first line.
    fn excerpt(&self, span: &Range<usize>) -> Excerpt {
        let start = self.line_starts()[self.line_index(span.start)];
        let end = self.text[start..].find('\n').map_or(self.text.len(), |length| start + length);
        Excerpt::of_line(&self.text[start..end], span.start.saturating_sub(start)..span.end.min(end) - start)
    }

    fn line_index(&self, offset: usize) -> usize {
        self.line_starts().partition_point(|&start| start <= offset).saturating_sub(1)
    }

    fn line_starts(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            std::iter::once(0).chain(self.text.match_indices('\n').map(|(offset, _)| offset + 1)).collect()
        })
    }
}

/// Many faults, in the order of their files and lines once [`Diagnostics::sort`]ed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    /// Those of this code and how many there are; `check` shows the first few of each.
    pub fn count_of(&self, code: &str) -> usize {
        self.items.iter().filter(|item| item.code == code).count()
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.items.iter()
    }

    /// How many errors.
    pub fn errors(&self) -> usize {
        self.items.iter().filter(|item| item.severity == Severity::Error).count()
    }

    /// How many warnings.
    pub fn warnings(&self) -> usize {
        self.items.len() - self.errors()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Orders by file, then line and column; faults of one place keep their order.
    pub fn sort(&mut self) {
        self.items.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    }

    /// `Err` with everything as soon as there is an error, else the warnings.
    pub fn into_result(mut self) -> Result<Self, Self> {
        self.sort();
        if self.errors() > 0 { Err(self) } else { Ok(self) }
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, items: I) {
        self.items.extend(items);
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { items: vec![diagnostic] }
    }
}

impl fmt::Display for Diagnostics {
    /// How many there are: `2 errors, 1 warning`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        match (self.errors(), self.warnings()) {
            (errors, 0) => f.write_str(&counted(errors, "error")),
            (0, warnings) => f.write_str(&counted(warnings, "warning")),
            (errors, warnings) => write!(f, "{}, {}", counted(errors, "error"), counted(warnings, "warning")),
        }
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests;
