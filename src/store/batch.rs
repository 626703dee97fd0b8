//! Batches that a provider works on: who is in them, so that a run finds them again.
//!
//! A row is written before its batch is sent, as `submitting`, and gets the provider's name for
//! it afterwards. A row that is still `submitting` when a run begins was left by a crash in
//! between: whether the provider took it is then asked of the provider.

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use super::read::unreadable;
use super::{Store, StoreError};
use crate::digest::Digest;

/// How a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchPhase {
    /// It is being sent; the provider may or may not have it.
    Submitting,
    /// The provider has it.
    Open,
    /// Its results are in the store.
    Done,
    /// The provider does not have it, or no longer.
    Lost,
}

impl BatchPhase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Submitting => "submitting",
            Self::Open => "open",
            Self::Done => "done",
            Self::Lost => "lost",
        }
    }
}

/// One request of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchItem {
    /// The id that the provider gives back with the answer.
    pub id: String,
    /// The variant's name.
    pub variant: String,
    /// The example's id.
    pub example: String,
    /// Which repeat.
    pub repeat: u32,
    /// The response cache's key.
    pub key: Digest,
    /// Digest of what is asked.
    pub request: Digest,
    /// How often it was sent before, in batches that did not answer it.
    #[serde(default)]
    pub tries: u32,
}

/// A batch to be sent.
#[derive(Debug, Clone)]
pub struct NewBatch<'a> {
    /// The run that it is for.
    pub run: i64,
    /// `provider/model`.
    pub endpoint: &'a str,
    /// Our own mark of it, by which it may be found at the provider.
    pub tag: &'a str,
    /// When, milliseconds since 1970-01-01 UTC.
    pub submitted_ms: i64,
    /// Its requests.
    pub items: &'a [BatchItem],
}

/// A batch as the store knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRow {
    /// Its row.
    pub id: i64,
    /// The run that it was sent for.
    pub run: i64,
    /// `provider/model`.
    pub endpoint: String,
    /// The provider's name for it; `None` where that never came.
    pub remote: Option<String>,
    /// Our own mark of it.
    pub tag: String,
    /// When it was sent, milliseconds since 1970-01-01 UTC.
    pub submitted_ms: i64,
    /// Its requests.
    pub items: Vec<BatchItem>,
}

#[derive(Serialize)]
struct Written<'a> {
    tag: &'a str,
    items: &'a [BatchItem],
}

#[derive(Deserialize)]
struct Read {
    tag: String,
    items: Vec<BatchItem>,
}

impl Store {
    /// Notes a batch before it is sent, and gives its row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn new_batch(&self, new: &NewBatch<'_>) -> Result<i64, StoreError> {
        let items = serde_json::to_vec(&Written { tag: new.tag, items: new.items })
            .map_err(|error| StoreError::Row(error.to_string()))?;
        self.outlive_power_cuts()?;
        self.connection
            .execute(
                "INSERT INTO batch (run, endpoint, remote, state, submitted_ms, items) VALUES (?1, ?2, '', ?3, ?4, ?5)",
                params![new.run, new.endpoint, BatchPhase::Submitting.as_str(), new.submitted_ms, items],
            )
            .map_err(|error| self.sqlite(error))?;
        Ok(self.connection.last_insert_rowid())
    }

    /// What this connection writes from now on is on the disk before it is said to be. A trial that
    /// a power cut takes is asked again; a batch would be paid twice.
    fn outlive_power_cuts(&self) -> Result<(), StoreError> {
        self.connection.pragma_update(None, "synchronous", "FULL").map_err(|error| self.sqlite(error))
    }

    /// The provider has a batch, under this name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn name_batch(&self, batch: i64, remote: &str) -> Result<(), StoreError> {
        self.outlive_power_cuts()?;
        self.connection
            .execute(
                "UPDATE batch SET remote = ?2, state = ?3 WHERE id = ?1",
                params![batch, remote, BatchPhase::Open.as_str()],
            )
            .map_err(|error| self.sqlite(error))?;
        Ok(())
    }

    /// A batch is over. Its items are forgotten: its answers are trials by now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end_batch(&self, batch: i64, phase: BatchPhase) -> Result<(), StoreError> {
        self.connection
            .execute("UPDATE batch SET state = ?2, items = x'' WHERE id = ?1", params![batch, phase.as_str()])
            .map_err(|error| self.sqlite(error))?;
        Ok(())
    }

    /// Batches that are not over, the oldest first; of every run.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unfinished_batches(&self) -> Result<Vec<BatchRow>, StoreError> {
        let wrap = |error| self.sqlite(error);
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT id, run, endpoint, remote, submitted_ms, items FROM batch
                 WHERE state IN ('submitting', 'open') ORDER BY id",
            )
            .map_err(wrap)?;
        let rows = statement.query_map([], batch_row).map_err(wrap)?;
        rows.collect::<rusqlite::Result<_>>().map_err(wrap)
    }

    /// The runs of a suite with batches that are not over and were sent since then (milliseconds
    /// since 1970-01-01 UTC), each with how many, the oldest run first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn runs_with_batches(
        &self,
        suite: &str,
        folder: &std::path::Path,
        since_ms: i64,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let wrap = |error| self.sqlite(error);
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT r.name, count(*) FROM batch b JOIN run r ON r.id = b.run
                 WHERE b.state IN ('submitting', 'open') AND b.submitted_ms >= ?3 AND r.suite = ?1 AND r.folder = ?2
                 GROUP BY r.id ORDER BY r.id",
            )
            .map_err(wrap)?;
        let folder = folder.display().to_string();
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()));
        let rows = statement.query_map(params![suite, folder, since_ms], row).map_err(wrap)?;
        rows.collect::<rusqlite::Result<_>>().map_err(wrap)
    }

    /// The providers' names of all batches that the store ever had. Of every endpoint: an account's
    /// batches are listed together, whichever model they ask.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn known_batches(&self) -> Result<Vec<String>, StoreError> {
        let wrap = |error| self.sqlite(error);
        let mut statement =
            self.connection.prepare_cached("SELECT remote FROM batch WHERE remote <> ''").map_err(wrap)?;
        let rows = statement.query_map([], |row| row.get(0)).map_err(wrap)?;
        rows.collect::<rusqlite::Result<_>>().map_err(wrap)
    }
}

fn batch_row(row: &Row<'_>) -> rusqlite::Result<BatchRow> {
    let items = row.get_ref(5)?.as_blob().map_err(|error| unreadable(5, error))?;
    let Read { tag, items } = serde_json::from_slice(items).map_err(|error| unreadable(5, error))?;
    let remote: String = row.get(3)?;
    Ok(BatchRow {
        id: row.get(0)?,
        run: row.get(1)?,
        endpoint: row.get(2)?,
        remote: Some(remote).filter(|remote| !remote.is_empty()),
        tag,
        submitted_ms: row.get(4)?,
        items,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::NewRun;

    #[test]
    fn a_batch_is_found_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("s.db")).unwrap();
        let plan_digest = Digest::of(b"p");
        let new = NewRun { suite: "s", folder: Path::new("f"), plan_digest, options: "{}", now_ms: 1 };
        let run = store.begin_run(&new).unwrap().0.id;
        let digest = Digest::of(b"k");
        let item = BatchItem {
            id: "c".into(),
            variant: "v".into(),
            example: "e".into(),
            repeat: 0,
            key: digest,
            request: digest,
            tries: 1,
        };
        let items = [item];
        let batch = NewBatch { run, endpoint: "p/m", tag: "t", submitted_ms: 5, items: &items };
        let id = store.new_batch(&batch).unwrap();
        let found = store.unfinished_batches().unwrap();
        assert_eq!((found[0].id, &found[0].remote, &found[0].items[..]), (id, &None, &items[..]));
        store.name_batch(id, "batch_1").unwrap();
        assert_eq!(store.unfinished_batches().unwrap()[0].remote.as_deref(), Some("batch_1"));
        store.end_batch(id, BatchPhase::Done).unwrap();
        assert_eq!(store.unfinished_batches().unwrap(), []);
        assert_eq!(store.known_batches().unwrap(), ["batch_1"]);
    }
}
