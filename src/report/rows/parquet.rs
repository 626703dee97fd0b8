//! Rows as Parquet, in row groups of bounded size: memory does not grow with the rows.

use std::io::{self, Write};
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::{Type, TypePtr};

use super::{Column, Get, RowSink};

/// Rows of a group at most.
const GROUP_ROWS: usize = 10_000;

/// Bytes of text that a group holds before it is written: long answers make groups of fewer rows.
const GROUP_BYTES: usize = 16 << 20;

/// The cells of a column that are not yet written: those that are known, and for each row whether it is.
struct Held<T> {
    known: Vec<T>,
    levels: Vec<i16>,
}

impl<T> Held<T> {
    const fn new() -> Self {
        Self { known: Vec::new(), levels: Vec::new() }
    }

    fn push(&mut self, cell: Option<T>) {
        self.levels.push(i16::from(cell.is_some()));
        self.known.extend(cell);
    }

    fn write<D: DataType<T = T>>(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        column.typed::<D>().write_batch(&self.known, Some(&self.levels), None)?;
        self.known.clear();
        self.levels.clear();
        Ok(())
    }
}

enum Cells {
    Text(Held<ByteArray>),
    Integer(Held<i64>),
    Number(Held<f64>),
    Flag(Held<bool>),
}

/// Writes rows as they come.
pub struct ParquetRows<W: Write + Send, R> {
    writer: SerializedFileWriter<W>,
    columns: Vec<(Column<R>, Cells)>,
    rows: usize,
    bytes: usize,
}

impl<W: Write + Send, R> ParquetRows<W, R> {
    /// Begins a file.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(writer: W, columns: Vec<Column<R>>) -> io::Result<Self> {
        let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>().map_err(fault)?;
        let schema = Type::group_type_builder("row").with_fields(fields).build().map_err(fault)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(writer, Arc::new(schema), Arc::new(properties)).map_err(fault)?;
        let columns = columns.into_iter().map(|column| {
            let cells = match column.get {
                Get::Text(_) => Cells::Text(Held::new()),
                Get::Integer(_) | Get::Moment(_) => Cells::Integer(Held::new()),
                Get::Number(_) => Cells::Number(Held::new()),
                Get::Flag(_) => Cells::Flag(Held::new()),
            };
            (column, cells)
        });
        Ok(Self { writer, columns: columns.collect(), rows: 0, bytes: 0 })
    }

    /// Writes the rows that are held.
    fn group(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for (_, cells) in &mut self.columns {
            let Some(mut column) = group.next_column()? else { break };
            match cells {
                Cells::Text(held) => held.write::<ByteArrayType>(&mut column)?,
                Cells::Integer(held) => held.write::<Int64Type>(&mut column)?,
                Cells::Number(held) => held.write::<DoubleType>(&mut column)?,
                Cells::Flag(held) => held.write::<BoolType>(&mut column)?,
            }
            column.close()?;
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl<W: Write + Send, R> RowSink<R> for ParquetRows<W, R> {
    fn write(&mut self, row: &R) -> io::Result<()> {
        for (column, cells) in &mut self.columns {
            match (&column.get, cells) {
                (Get::Text(get), Cells::Text(held)) => {
                    let text = get(row);
                    self.bytes += text.as_ref().map_or(0, |text| text.len());
                    held.push(text.map(|text| ByteArray::from(text.into_owned().into_bytes())));
                }
                (Get::Integer(get) | Get::Moment(get), Cells::Integer(held)) => held.push(get(row)),
                // A bound that there is none of is not known: as in CSV.
                (Get::Number(get), Cells::Number(held)) => held.push(get(row).filter(|number| number.is_finite())),
                (Get::Flag(get), Cells::Flag(held)) => held.push(get(row)),
                // Cells were made by the column's type.
                _ => {}
            }
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES { self.group().map_err(fault) } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.group().and_then(|()| self.writer.close()).map(|_| ()).map_err(fault)
    }
}

/// A column's type; every cell may be unknown.
fn field<R>(column: &Column<R>) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match column.get {
        Get::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Get::Integer(_) => (Physical::INT64, None),
        Get::Moment(_) => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        Get::Number(_) => (Physical::DOUBLE, None),
        Get::Flag(_) => (Physical::BOOLEAN, None),
    };
    let field = Type::primitive_type_builder(&column.name, physical);
    field.with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build().map(Arc::new)
}

/// What the system said, where it was the system.
fn fault(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;

    use super::super::{flag, integer, moment, number, text};
    use super::*;

    fn columns() -> Vec<Column<i64>> {
        vec![
            text("name", |row: &i64| (*row % 2 == 0).then(|| format!("=row {row}\n").into())),
            integer("count", |row: &i64| Some(*row)),
            number("number", |row: &i64| (*row % 3 == 0).then_some(*row as f64 / 2.0)),
            flag("even", |row: &i64| Some(*row % 2 == 0)),
            moment("at", |row: &i64| Some(1_700_000_000_000 + row)),
        ]
    }

    #[test]
    fn what_is_written_is_read_back_in_groups() {
        let mut bytes = Vec::new();
        let mut sink: Box<dyn RowSink<i64>> = Box::new(ParquetRows::new(&mut bytes, columns()).unwrap());
        let rows = GROUP_ROWS as i64 + 5;
        (0..rows).for_each(|row| sink.write(&row).unwrap());
        sink.finish().unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
        assert_eq!(reader.metadata().file_metadata().num_rows(), rows);
        for (place, row) in reader.get_row_iter(None).unwrap().enumerate() {
            let cells: Vec<Field> = row.unwrap().get_column_iter().map(|(_, cell)| cell.clone()).collect();
            let place = place as i64;
            // Text is text here: what is typed needs no guard against formulas.
            let name = if place % 2 == 0 { Field::Str(format!("=row {place}\n")) } else { Field::Null };
            let number = if place % 3 == 0 { Field::Double(place as f64 / 2.0) } else { Field::Null };
            let at = Field::TimestampMillis(1_700_000_000_000 + place);
            assert_eq!(cells, [name, Field::Long(place), number, Field::Bool(place % 2 == 0), at]);
        }
    }

    #[test]
    fn long_texts_make_small_groups() {
        let long = vec![text("long", |_: &i64| Some("x".repeat(GROUP_BYTES / 2).into()))];
        let mut bytes = Vec::new();
        let mut sink: Box<dyn RowSink<i64>> = Box::new(ParquetRows::new(&mut bytes, long).unwrap());
        (0..4).for_each(|row| sink.write(&row).unwrap());
        sink.finish().unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
    }

    #[test]
    fn no_row_is_a_file_too() {
        let mut bytes = Vec::new();
        let sink: Box<dyn RowSink<i64>> = Box::new(ParquetRows::new(&mut bytes, columns()).unwrap());
        sink.finish().unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
}
