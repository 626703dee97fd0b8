//! One row a trial, or one row a variant, for notebooks: each column once, with its name, its type and where it
//! comes from. CSV and Parquet write the same rows.

pub mod csv;
pub mod lines;
#[cfg(feature = "parquet")]
pub mod parquet;
mod trials;
mod variants;

use std::borrow::Cow;
use std::io;

pub use trials::{TrialRow, trial_columns};
pub use variants::{VariantRow, variant_columns};

/// What a cell of a text column is, if anything.
pub type Text<'a> = Option<Cow<'a, str>>;

/// What takes a cell from a row.
type Take<R, T> = Box<dyn Fn(&R) -> Option<T>>;

/// Where a column's cells come from. A cell that is `None` is not known, which is neither zero nor empty.
pub enum Get<R> {
    /// Text, whole and untrusted.
    Text(Box<dyn for<'a> Fn(&'a R) -> Text<'a>>),
    /// A count, or a time in a whole unit.
    Integer(Take<R, i64>),
    /// A number.
    Number(Take<R, f64>),
    /// Yes or no.
    Flag(Take<R, bool>),
    /// A moment, in milliseconds since 1970-01-01 UTC.
    Moment(Take<R, i64>),
}

/// A column of rows `R`.
pub struct Column<R> {
    /// Its name.
    pub name: String,
    /// Its type, and its cells.
    pub get: Get<R>,
}

/// Takes rows one by one and holds no more of them than it must.
pub trait RowSink<R> {
    /// Writes a row.
    ///
    /// # Errors
    /// What the writer says.
    fn write(&mut self, row: &R) -> io::Result<()>;

    /// Writes what is still held back.
    ///
    /// # Errors
    /// What the writer says.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

fn text<R>(name: impl Into<String>, get: impl for<'a> Fn(&'a R) -> Text<'a> + 'static) -> Column<R> {
    Column { name: name.into(), get: Get::Text(Box::new(get)) }
}

fn integer<R>(name: impl Into<String>, get: impl Fn(&R) -> Option<i64> + 'static) -> Column<R> {
    Column { name: name.into(), get: Get::Integer(Box::new(get)) }
}

fn number<R>(name: impl Into<String>, get: impl Fn(&R) -> Option<f64> + 'static) -> Column<R> {
    Column { name: name.into(), get: Get::Number(Box::new(get)) }
}

fn flag<R>(name: impl Into<String>, get: impl Fn(&R) -> Option<bool> + 'static) -> Column<R> {
    Column { name: name.into(), get: Get::Flag(Box::new(get)) }
}

fn moment<R>(name: impl Into<String>, get: impl Fn(&R) -> Option<i64> + 'static) -> Column<R> {
    Column { name: name.into(), get: Get::Moment(Box::new(get)) }
}

/// A count, where it fits: no count of ours is larger.
fn count(count: u64) -> Option<i64> {
    i64::try_from(count).ok()
}

#[cfg(test)]
mod tests;
