//! Whether everything in a store can be read, and is what it says.

use serde::Serialize;

use super::pack::dictionary_id;
use super::{Store, StoreError, raw, read};
use crate::digest::Digest;
use crate::suite::Example;

/// Faults that are told; more are only counted.
const MOST_TOLD: usize = 20;

/// What is wrong with a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What it is of: `file`, `reference`, `dictionary`, `exchange` or `example`.
    pub of: &'static str,
    /// What is wrong.
    pub message: String,
}

/// What a check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Runs in the store.
    pub runs: u64,
    /// Their trials.
    pub trials: u64,
    /// Exchanges, each with two bodies that were unpacked.
    pub exchanges: u64,
    /// Examples whose digest was computed anew.
    pub examples: u64,
    /// Dictionaries whose id was computed anew.
    pub dictionaries: u64,
    /// The first faults.
    pub faults: Vec<Fault>,
    /// How many faults there are.
    pub fault_count: u64,
}

impl Checked {
    fn fault(&mut self, of: &'static str, message: impl Into<String>) {
        self.fault_count += 1;
        if self.faults.len() < MOST_TOLD {
            self.faults.push(Fault { of, message: message.into() });
        }
    }
}

impl Store {
    /// Reads everything, writes nothing. What is wrong is in the result; each part goes on as far as
    /// the file can be read.
    ///
    /// A request's digest is not computed anew: it leaves out what a provider's file adds to the body,
    /// which the store does not know. A packed body has a checksum of its own.
    ///
    /// # Errors
    /// What SQLite says before anything was looked at.
    pub fn check_all(&self) -> Result<Checked, StoreError> {
        let mut found = Checked::default();
        // One view of everything, should a run be under way.
        let _view = self.connection.unchecked_transaction().map_err(|error| self.sqlite(error))?;
        type Part = fn(&Store, &mut Checked) -> rusqlite::Result<()>;
        let parts: [(&'static str, Part); 6] = [
            ("file", Self::check_file),
            ("reference", Self::check_references),
            ("file", Self::check_counts),
            ("dictionary", Self::check_dictionaries),
            ("exchange", Self::check_exchanges),
            ("example", Self::check_examples),
        ];
        for (of, part) in parts {
            if let Err(error) = part(self, &mut found) {
                found.fault(of, format!("cannot be read on: {error}"));
            }
        }
        Ok(found)
    }

    fn check_file(&self, found: &mut Checked) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare("PRAGMA integrity_check")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let said: String = row.get(0)?;
            if said != "ok" {
                found.fault("file", said);
            }
        }
        Ok(())
    }

    fn check_references(&self, found: &mut Checked) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare("PRAGMA foreign_key_check")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (from, to): (String, String) = (row.get(0)?, row.get(2)?);
            found.fault("reference", format!("a row of `{from}` refers to a row of `{to}` that is not there"));
        }
        Ok(())
    }

    fn check_counts(&self, found: &mut Checked) -> rusqlite::Result<()> {
        let count = |sql| self.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
        found.runs = count("SELECT count(*) FROM run")?;
        found.trials = count("SELECT count(*) FROM trial")?;
        Ok(())
    }

    fn check_dictionaries(&self, found: &mut Checked) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare("SELECT id, bytes FROM dictionary")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            found.dictionaries += 1;
            let id: i64 = row.get(0)?;
            let bytes = row.get_ref(1)?.as_blob().map_err(|error| read::unreadable(1, error))?;
            if dictionary_id(bytes) != id {
                found.fault("dictionary", format!("{id} has other bytes than its id was made of"));
            }
        }
        Ok(())
    }

    fn check_exchanges(&self, found: &mut Checked) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare(&read::exchanges_sql())?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            found.exchanges += 1;
            if let Err(error) = raw::exchange(self, row) {
                let id: i64 = row.get(raw::EXCHANGE_ID)?;
                found.fault("exchange", format!("{id}: {error}"));
            }
        }
        Ok(())
    }

    fn check_examples(&self, found: &mut Checked) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare("SELECT document, digest, id FROM example")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            found.examples += 1;
            let document = row.get_ref(0)?.as_str().map_err(|error| read::unreadable(0, error))?;
            match serde_json::from_str::<Example>(document) {
                Err(error) => found.fault("example", format!("a document is no example: {error}")),
                Ok(example)
                    if Digest::of(document.as_bytes()) != read::digest(row, 1)?
                        || row.get_ref(2)?.as_str() != Ok(&*example.id.0) =>
                {
                    let id = crate::text::one_line(&example.id.0, 60);
                    found.fault("example", format!("`{id}` is not the one whose name and digest it stands under"));
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }
}
