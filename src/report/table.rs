//! A table of text cells, drawn for a terminal of a given width.

use std::borrow::Cow;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table as Drawn, presets};

use crate::text;

/// A table: a header, then rows of as many cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Column names.
    pub header: Vec<Cow<'static, str>>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
}

/// Column names as they are.
pub fn header<const N: usize>(names: [&'static str; N]) -> Vec<Cow<'static, str>> {
    names.into_iter().map(Cow::Borrowed).collect()
}

impl Table {
    /// The table as text, the first column to the left and the others to the right.
    pub fn to_text(&self) -> String {
        let mut drawn = Drawn::new();
        drawn.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        drawn.set_header(self.header.iter().enumerate().map(|(index, name)| cell(index, name.to_string())));
        for row in &self.rows {
            drawn.add_row(row.iter().enumerate().map(|(index, text)| cell(index, text.clone())));
        }
        for column in drawn.column_iter_mut() {
            column.set_padding((1, 1));
        }
        let text = drawn.to_string();
        text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    /// The widest line, in columns.
    pub fn width(&self) -> usize {
        self.to_text().lines().map(text::columns).max().unwrap_or(0)
    }
}

fn cell(column: usize, text: String) -> Cell {
    Cell::new(text::printable(&text)).set_alignment(if column == 0 {
        CellAlignment::Left
    } else {
        CellAlignment::Right
    })
}
