//! What the data of a suite come to: how many examples, and a digest of them all.

use crate::digest::{Digest, Parts};
use crate::suite::Example;

/// A count of the test examples, and the digest of the pool's rows and theirs, in order.
#[derive(Debug, Clone, Default)]
pub struct DataCount {
    examples: u64,
    parts: Parts,
}

impl DataCount {
    /// Adds a row of the pool, as [`document`] has it.
    pub fn add_pool(&mut self, document: &[u8]) {
        self.add_part(b"pool", document);
    }

    /// Adds an example, as [`document`] has it.
    pub fn add(&mut self, document: &[u8], in_shard: bool) {
        self.add_part(b"examples", document);
        self.examples += u64::from(in_shard);
    }

    /// Adds what else decides what is asked.
    pub fn add_part(&mut self, kind: &[u8], document: &[u8]) {
        self.parts.add(kind);
        self.parts.add(document);
    }

    /// Examples of this shard.
    pub fn examples(&self) -> u64 {
        self.examples
    }

    /// Of everything that was added, in order: all shards' examples among it.
    pub fn digest(self) -> Digest {
        self.parts.digest()
    }
}

/// An example as it goes into the digest.
pub fn document(example: &Example) -> Vec<u8> {
    let mut document = Vec::with_capacity(256);
    // An example is always JSON.
    if serde_json::to_writer(&mut document, example).is_err() {
        document.clear();
    }
    document
}
