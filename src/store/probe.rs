//! What trained baselines reached, kept by the digest of all that it rests on.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};
use crate::digest::Digest;
use crate::probe::ProbeReport;

impl Store {
    /// Whether any report was ever kept: most stores have none, and need no digest of rows to know it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_probes(&self) -> Result<bool, StoreError> {
        self.connection
            .prepare_cached("SELECT 1 FROM probe LIMIT 1")
            .and_then(|mut statement| statement.exists([]))
            .map_err(|error| self.sqlite(error))
    }

    /// The report that was last kept under a key; one of another version of this program that cannot be read is none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn probe(&self, key: &Digest) -> Result<Option<ProbeReport>, StoreError> {
        let report: Option<String> = self
            .connection
            .prepare_cached("SELECT report FROM probe WHERE key = ?1")
            .and_then(|mut statement| statement.query_row([key.as_bytes().as_slice()], |row| row.get(0)).optional())
            .map_err(|error| self.sqlite(error))?;
        Ok(report.and_then(|report| serde_json::from_str(&report).ok()))
    }

    /// Keeps a report under its key, in place of the one before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn keep_probe(&self, report: &ProbeReport) -> Result<(), StoreError> {
        let text = serde_json::to_string(report).map_err(|error| StoreError::Row(error.to_string()))?;
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO probe (key, report) VALUES (?1, ?2)")
            .and_then(|mut statement| statement.execute(params![report.key.as_bytes().as_slice(), text]))
            .map_err(|error| self.sqlite(error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::TrainedBaseline;
    use crate::suite::Task;

    fn report(key: &[u8], why: &str) -> ProbeReport {
        ProbeReport {
            suite: "things".into(),
            task: Task::Generation,
            primary: "exact".into(),
            key: Digest::of(key),
            planned: None,
            pool: crate::probe::report::RowFacts::default(),
            test: crate::probe::report::RowFacts::default(),
            near_duplicates: 0,
            shared_clusters: 0,
            classes_not_in_pool: Vec::new(),
            baselines: vec![TrainedBaseline::absent("words", None, why)],
        }
    }

    #[test]
    fn the_last_report_of_a_key_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("s.db")).unwrap();
        assert!(!store.has_probes().unwrap());
        let (first, second) = (report(b"a", "first"), report(b"a", "second"));
        store.keep_probe(&first).unwrap();
        store.keep_probe(&second).unwrap();
        assert!(store.has_probes().unwrap());
        assert_eq!(store.probe(&first.key).unwrap(), Some(second));
        assert_eq!(store.probe(&Digest::of(b"b")).unwrap(), None);
        store.connection.execute("UPDATE probe SET report = '{}'", []).unwrap();
        assert_eq!(store.probe(&first.key).unwrap(), None, "one that cannot be read is none");
    }
}
