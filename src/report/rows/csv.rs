//! Rows as CSV: RFC 4180, UTF-8, and no cell that a spreadsheet would take for a formula.

use std::borrow::Cow;
use std::io::{self, Write};

use super::{Column, Get, RowSink};

/// Writes rows as they come; nothing of them is held.
pub struct CsvRows<W: Write, R> {
    writer: ::csv::Writer<W>,
    columns: Vec<Column<R>>,
}

impl<W: Write, R> CsvRows<W, R> {
    /// Writes the header.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(writer: W, columns: Vec<Column<R>>) -> io::Result<Self> {
        let mut writer = ::csv::Writer::from_writer(writer);
        let names = columns.iter().map(|column| plain(&column.name));
        writer.write_record(names).map_err(fault)?;
        Ok(Self { writer, columns })
    }
}

impl<W: Write, R> RowSink<R> for CsvRows<W, R> {
    fn write(&mut self, row: &R) -> io::Result<()> {
        for column in &self.columns {
            let cell = cell(&column.get, row);
            self.writer.write_field(cell.as_bytes()).map_err(fault)?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(fault)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A cell; what is not known is empty.
fn cell<R>(get: &Get<R>, row: &R) -> String {
    let shown = Option::unwrap_or_default;
    match get {
        Get::Text(get) => shown(get(row).map(|text| plain(&text))),
        Get::Integer(get) => shown(get(row).map(|number| number.to_string())),
        Get::Number(get) => shown(get(row).filter(|number| number.is_finite()).map(|number| number.to_string())),
        Get::Flag(get) => shown(get(row).map(|yes| yes.to_string())),
        Get::Moment(get) => shown(get(row).and_then(rfc3339)),
    }
}

/// What the system said, where it was the system.
fn fault(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn rfc3339(unix_ms: i64) -> Option<String> {
    jiff::Timestamp::from_millisecond(unix_ms).ok().map(|at| at.to_string())
}

/// The text as no formula, and without what a terminal would obey: tables are printed, too.
fn plain(text: &str) -> String {
    // Stripped first: what is dropped may hide the sign of a formula.
    neutral(&crate::text::printable(text)).into_owned()
}

/// The text with `'` before it where a spreadsheet would read a formula, also behind blanks, controls and
/// quotes (OWASP, "CSV Injection"); else as it is.
fn neutral(text: &str) -> Cow<'_, str> {
    let is_skipped = |character: char| {
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '"' | '\'' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}')
    };
    let first = text.trim_start_matches(is_skipped).chars().next();
    let formula = matches!(first, Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠'));
    if formula || text.starts_with(['\t', '\r', '\n']) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::super::{integer, moment, number, text};
    use super::*;

    struct Row(&'static str, f64);

    fn written(rows: &[Row]) -> String {
        let columns = vec![
            text("name", |row: &Row| Some(row.0.into())),
            number("number", |row: &Row| Some(row.1)),
            integer("nothing", |_: &Row| None),
            moment("at", |_: &Row| Some(1_700_000_000_123)),
        ];
        let mut bytes = Vec::new();
        let mut csv = CsvRows::new(&mut bytes, columns).unwrap();
        rows.iter().for_each(|row| csv.write(row).unwrap());
        Box::new(csv).finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn numbers_stay_numbers_and_text_stays_whole() {
        let csv = written(&[Row("a, \"b\"\nc", -0.5), Row("", f64::NAN)]);
        assert_eq!(
            csv,
            "name,number,nothing,at\n\"a, \"\"b\"\"\nc\",-0.5,,2023-11-14T22:13:20.123Z\n,,,2023-11-14T22:13:20.123Z\n"
        );
    }

    #[test]
    fn no_cell_writes_to_a_terminal() {
        let csv = written(&[Row("a\u{1b}[31m\u{202e}b\u{7}\n\u{0}c", 1.0)]);
        assert!(csv.contains("\n\"a[31mb\nc\",1,"), "{csv:?}");
    }

    #[test]
    fn formulas_are_text() {
        for formula in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            " =1",
            "\"=1",
            "'=1",
            "\u{1}=1",
            "\u{feff}=1",
            "＝1",
            "\n=1",
        ] {
            assert_eq!(neutral(formula), format!("'{formula}"), "{formula:?}");
        }
        for hidden in ["\u{202a}=1", "\u{2066}=1", "\u{61c}=1", "\u{e0041}=1", "\u{1b}=1"] {
            assert!(plain(hidden).starts_with('\''), "{hidden:?}: {}", plain(hidden));
        }
        for plain in ["a=1", "", "{\"a\": -1}", "1-1", "it's", "\"quoted\""] {
            assert_eq!(neutral(plain), plain);
        }
    }
}
