//! What a run has, without what was answered: for runs whose examples stand in an order of their own.

use rusqlite::params;

use super::{Store, StoreError, read};
use crate::digest::Digest;
use crate::suite::Example;

impl Store {
    /// The options that a run ran with, as JSON.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn options(&self, run: i64) -> Result<String, StoreError> {
        self.connection
            .query_row("SELECT options FROM run WHERE id = ?1", [run], |row| row.get(0))
            .map_err(|error| self.sqlite(error))
    }

    /// Variant and example of each trial of a run.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn each_place(&self, run: i64, mut each: impl FnMut(&str, Digest)) -> Result<(), StoreError> {
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached("SELECT variant, example FROM trial WHERE run = ?1")?;
            let mut rows = statement.query(params![run])?;
            while let Some(row) = rows.next()? {
                let variant = row.get_ref(0)?.as_str().map_err(|error| read::unreadable(0, error))?;
                each(variant, read::digest(row, 1)?);
            }
            Ok(())
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// The examples of which a run has a trial, each once.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn each_example(&self, run: i64, mut each: impl FnMut(Example, Digest)) -> Result<(), StoreError> {
        let sql = "SELECT document, digest FROM example
                   WHERE (id, digest) IN (SELECT example_id, example FROM trial WHERE run = ?1)";
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![run])?;
            while let Some(row) = rows.next()? {
                let document = row.get_ref(0)?.as_str().map_err(|error| read::unreadable(0, error))?;
                let example = serde_json::from_str(document).map_err(|error| read::unreadable(0, error))?;
                each(example, read::digest(row, 1)?);
            }
            Ok(())
        };
        read().map_err(|error| self.sqlite(error))
    }
}
