//! Vectors of texts, kept by the endpoint that made them.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};
use crate::digest::Digest;

impl Store {
    /// Whether the store has the vector of a text.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_vector(&self, endpoint: &Digest, text: &Digest) -> Result<bool, StoreError> {
        self.connection
            .prepare_cached("SELECT 1 FROM embedding WHERE endpoint = ?1 AND text = ?2")
            .and_then(|mut statement| statement.exists([endpoint.as_bytes().as_slice(), text.as_bytes().as_slice()]))
            .map_err(|error| self.sqlite(error))
    }

    /// The vector that an endpoint made of a text, if it was ever asked.
    ///
    /// # Errors
    /// What SQLite says, or a row that is no vector.
    pub fn vector(&self, endpoint: &Digest, text: &Digest) -> Result<Option<Vec<f32>>, StoreError> {
        let bytes: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT vector FROM embedding WHERE endpoint = ?1 AND text = ?2")
            .and_then(|mut statement| {
                let key = [endpoint.as_bytes().as_slice(), text.as_bytes().as_slice()];
                statement.query_row(key, |row| row.get(0)).optional()
            })
            .map_err(|error| self.sqlite(error))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let values = bytes.chunks_exact(4);
        if !values.remainder().is_empty() {
            return Err(StoreError::Row(format!("a vector of {} bytes", bytes.len())));
        }
        Ok(Some(values.filter_map(|bytes| bytes.try_into().ok().map(f32::from_le_bytes)).collect()))
    }

    /// Keeps the vectors of some texts, all or none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn keep_vectors(&self, endpoint: &Digest, vectors: &[(Digest, Vec<f32>)]) -> Result<(), StoreError> {
        let keep = || -> rusqlite::Result<()> {
            let transaction = self.connection.unchecked_transaction()?;
            for (text, vector) in vectors {
                let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO embedding (endpoint, text, vector) VALUES (?1, ?2, ?3)")?
                    .execute(params![endpoint.as_bytes().as_slice(), text.as_bytes().as_slice(), bytes])?;
            }
            transaction.commit()
        };
        keep().map_err(|error| self.sqlite(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_comes_back_as_it_was_and_belongs_to_its_endpoint() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("s.db")).unwrap();
        let (endpoint, other, text) = (Digest::of(b"e"), Digest::of(b"o"), Digest::of(b"t"));
        let vector = vec![1.5_f32, -0.0, f32::MIN_POSITIVE, 3.0e38];
        store.keep_vectors(&endpoint, &[(text, vector.clone())]).unwrap();
        assert_eq!(store.vector(&endpoint, &text).unwrap(), Some(vector));
        assert!(store.has_vector(&endpoint, &text).unwrap() && !store.has_vector(&other, &text).unwrap());
        assert_eq!(store.vector(&other, &text).unwrap(), None);
        let broken = "UPDATE embedding SET vector = x'010203'";
        store.connection.execute(broken, []).unwrap();
        assert!(matches!(store.vector(&endpoint, &text), Err(StoreError::Row(_))));
    }
}
