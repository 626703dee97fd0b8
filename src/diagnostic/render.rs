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
        let path = printable(&self.file.display().to_string());
        let mut group = Group::with_title(title);
        match &self.excerpt {
            Some(excerpt) => {
                let mark = AnnotationKind::Primary.span(excerpt.mark.clone());
                let mark = mark.label(self.label.as_deref().map(printable));
                let snippet = Snippet::source(&*excerpt.text).path(path.clone()).line_start(self.line as usize);
                group = group.element(snippet.annotation(mark));
            }
            None => group = group.element(self.origin(path.clone())),
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(printable(help)));
        }
        let mut text = renderer.render(&[group]);
        text.push('\n');
        if let Some(excerpt) = &self.excerpt {
            // The library counts columns in the excerpt, which may have lost the line's beginning.
            let shown = super::characters(&excerpt.text, excerpt.mark.start);
            if shown != self.column {
                let place = |column: u32| format!("{path}:{}:{column}", self.line);
                text = text.replacen(&place(shown), &place(self.column), 1);
            }
        }
        text
    }

    /// The place alone, for a fault without an excerpt.
    fn origin(&self, path: String) -> Origin<'static> {
        let mut origin = Origin::path(path);
        if self.line > 0 {
            origin = origin.line(self.line as usize);
        }
        if self.line > 0 && self.column > 0 {
            origin = origin.char_column(self.column as usize);
        }
        origin
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
