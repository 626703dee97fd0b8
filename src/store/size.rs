//! How much room runs take.

use rusqlite::{Row, params};
use serde::Serialize;

use super::{Store, StoreError, pack};

/// The first bytes of a frame say how much is packed in it; its header is never longer.
const FRAME_HEADER: usize = 18;

/// What a run takes. Answers and examples that several runs share count in each of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RunSize {
    /// Exchanges that its trials refer to.
    pub exchanges: u64,
    /// Requests and answers as they were sent and received, in bytes.
    pub body_bytes: u64,
    /// The same as the store keeps them, dictionaries included.
    pub stored_body_bytes: u64,
    /// All its rows: bodies as stored, times, attempts, examples. Pages and indexes come on top.
    pub stored_bytes: u64,
}

/// What a store's file takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FileSize {
    /// The file, and what is written beside it and not yet in it.
    pub file_bytes: u64,
    /// Of that, what holds nothing any more: `ceiling store vacuum` gives it back.
    pub free_bytes: u64,
}

/// Lengths of what stands in an exchange's row besides its two bodies; the last number is what the
/// columns of fixed length take: two digests, the index on one of them, and eight numbers.
pub(super) const EXCHANGE_REST: &str = "length(x.endpoint) + coalesce(length(x.failure), 0) + length(x.event_ms) \
                                        + length(x.attempts) + 150";

/// Lengths of what stands in a trial's row: its digest and four numbers are of fixed length.
pub(super) const TRIAL_ROW: &str = "length(t.variant) + length(t.example_id) + 50";

impl Store {
    /// What a run takes.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn size_of(&self, run: i64) -> Result<RunSize, StoreError> {
        self.measured(run).map_err(|error| self.sqlite(error))
    }

    fn measured(&self, run: i64) -> rusqlite::Result<RunSize> {
        let sum =
            |sql: &str| self.connection.query_row(sql, params![run], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
        let used = "SELECT exchange FROM trial WHERE run = ?1";
        let trials = sum(&format!("SELECT coalesce(sum({TRIAL_ROW}), 0) FROM trial t WHERE t.run = ?1"))?;
        let examples = sum("SELECT coalesce(sum(length(CAST(document AS BLOB)) + 32), 0) FROM example
                            WHERE (id, digest) IN (SELECT example_id, example FROM trial WHERE run = ?1)")?;
        let dictionaries = sum(&format!(
            "SELECT coalesce(sum(length(bytes)), 0) FROM dictionary WHERE id IN
             (SELECT request_dictionary FROM exchange WHERE id IN ({used})
              UNION SELECT body_dictionary FROM exchange WHERE id IN ({used}))"
        ))?;
        let mut size =
            RunSize { stored_body_bytes: dictionaries, stored_bytes: trials + examples, ..RunSize::default() };
        let mut statement = self.connection.prepare(&format!(
            "SELECT length(x.request_body), substr(x.request_body, 1, {FRAME_HEADER}), x.request_dictionary IS NOT NULL,
                    length(x.body), substr(x.body, 1, {FRAME_HEADER}), x.body_dictionary IS NOT NULL, {EXCHANGE_REST}
             FROM exchange x WHERE x.id IN ({used})"
        ))?;
        let mut rows = statement.query(params![run])?;
        while let Some(row) = rows.next()? {
            size.exchanges += 1;
            for first in [0, 3] {
                let (stored, whole) = body(row, first)?;
                size.stored_body_bytes += stored;
                size.body_bytes += whole;
            }
            size.stored_bytes += row.get::<_, i64>(6)?.unsigned_abs();
        }
        size.stored_bytes += size.stored_body_bytes;
        Ok(size)
    }

    /// What the file takes.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn file_size(&self) -> Result<FileSize, StoreError> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let free = pragma("freelist_count")
            .and_then(|pages| Ok(pages.unsigned_abs() * pragma("page_size")?.unsigned_abs()))
            .map_err(|error| self.sqlite(error))?;
        let file_bytes = ["", "-wal"].iter().map(|ending| {
            let mut path = self.path.as_os_str().to_owned();
            path.push(ending);
            std::fs::metadata(path).map_or(0, |file| file.len())
        });
        Ok(FileSize { file_bytes: file_bytes.sum(), free_bytes: free })
    }
}

/// Length of a body as stored and as it was; one that cannot be unpacked counts as it is stored.
fn body(row: &Row<'_>, first: usize) -> rusqlite::Result<(u64, u64)> {
    let stored = row.get::<_, i64>(first)?.unsigned_abs();
    let start = row.get_ref(first + 1)?.as_blob_or_null()?.unwrap_or_default();
    let whole = pack::unpacked_length(start, stored, row.get(first + 2)?);
    Ok((stored, whole.unwrap_or(stored)))
}
