//! What the data of a suite come to: how many examples, and a digest of them all.

use crate::digest::Digest;
use crate::suite::Example;

/// A count of the test examples, and the digest of the pool's rows and theirs, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataCount {
    /// Examples of this shard.
    pub examples: u64,
    /// Of the pool's rows and all examples, those of other shards among them.
    pub digest: Digest,
}

impl Default for DataCount {
    fn default() -> Self {
        Self { examples: 0, digest: Digest::of(b"") }
    }
}

impl DataCount {
    /// Adds a row of the pool, as [`document`] has it.
    pub fn add_pool(&mut self, document: &[u8]) {
        self.digest = Digest::of_parts([self.digest.as_bytes().as_slice(), b"pool", document]);
    }

    /// Adds an example, as [`document`] has it.
    pub fn add(&mut self, document: &[u8], in_shard: bool) {
        self.digest = Digest::of_parts([self.digest.as_bytes().as_slice(), b"examples", document]);
        self.examples += u64::from(in_shard);
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
