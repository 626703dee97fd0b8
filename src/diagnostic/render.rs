//! Diagnostics for people (rustc's look) and for machines (JSON).

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::{Diagnostic, Diagnostics, Severity};
use crate::text::printable;

/// Whether terminal colours are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    Plain,
    /// With ANSI colours.
    Coloured,
}

impl Diagnostic {
    /// The fault with its excerpt, as rustc shows one; ends in a line break.
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Coloured => Renderer::styled(),
        };
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(printable(&self.message)).id(self.code);
        let mut origin = Origin::path(printable(&self.file.display().to_string()));
        if self.line > 0 {
            origin = origin.line(self.line as usize);
        }
        if self.column > 0 {
            origin = origin.char_column(self.column as usize);
        }
        let mut group = Group::with_title(title).element(origin);
        if let Some(excerpt) = &self.excerpt {
            let mark = AnnotationKind::Primary.span(excerpt.mark.clone()).label(self.label.as_deref().map(printable));
            let shown = Snippet::source(&*excerpt.text).line_start(self.line as usize).annotation(mark);
            group = group.element(shown);
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(printable(help)));
        }
        let mut text = renderer.render(&[group]);
        text.push('\n');
        text
    }

    /// The fault as one JSON object.
    pub fn to_json(&self) -> Value {
        json!({
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "file": self.file.to_string_lossy(),
            "line": self.line,
            "column": self.column,
            "help": self.help,
        })
    }
}

impl Diagnostics {
    /// All of them, a blank line between two.
    pub fn render(&self, style: Style) -> String {
        self.iter().map(|item| item.render(style)).collect::<Vec<_>>().join("\n")
    }

    /// An array of the objects.
    pub fn to_json(&self) -> Value {
        self.iter().map(Diagnostic::to_json).collect()
    }
}
