//! Label reviews, kept by the digest of all that they rest on; what is in them is for whoever makes and shows them.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};
use crate::digest::Digest;

impl Store {
    /// Whether any review was ever kept: most stores have none, and need no digest of rows to know it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_label_reviews(&self) -> Result<bool, StoreError> {
        self.connection
            .prepare_cached("SELECT 1 FROM label_review LIMIT 1")
            .and_then(|mut statement| statement.exists([]))
            .map_err(|error| self.sqlite(error))
    }

    /// The review that was last kept under a key, as it was given.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn label_review(&self, key: &Digest) -> Result<Option<String>, StoreError> {
        self.connection
            .prepare_cached("SELECT review FROM label_review WHERE key = ?1")
            .and_then(|mut statement| statement.query_row([key.as_bytes().as_slice()], |row| row.get(0)).optional())
            .map_err(|error| self.sqlite(error))
    }

    /// Keeps a review under its key, in place of the one before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn keep_label_review(&self, key: &Digest, review: &str) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO label_review (key, review) VALUES (?1, ?2)")
            .and_then(|mut statement| statement.execute(params![key.as_bytes().as_slice(), review]))
            .map_err(|error| self.sqlite(error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_review_of_a_key_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("s.db")).unwrap();
        assert!(!store.has_label_reviews().unwrap());
        let key = Digest::of(b"a");
        store.keep_label_review(&key, "{\"n\":1}").unwrap();
        store.keep_label_review(&key, "{\"n\":2}").unwrap();
        assert!(store.has_label_reviews().unwrap());
        assert_eq!(store.label_review(&key).unwrap().as_deref(), Some("{\"n\":2}"));
        assert_eq!(store.label_review(&Digest::of(b"b")).unwrap(), None);
    }
}
