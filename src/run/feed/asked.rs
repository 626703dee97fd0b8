//! What a run has asked so far, so that the store need not be searched for what cannot be there.

use crate::digest::Digest;

/// Bits of the filter: two million keys take 2 MiB, and one in fifty other keys is searched for in vain.
const BITS: u64 = 1 << 24;

/// Keys that may have been asked: a Bloom filter (Bloom, "Space/time trade-offs in hash coding with allowable
/// errors", 1970). It never says no to one that was.
pub(super) struct Asked(Vec<u64>);

impl Asked {
    pub(super) fn nothing() -> Self {
        Self(vec![0; (BITS / u64::from(u64::BITS)) as usize])
    }

    pub(super) fn note(&mut self, key: &Digest) {
        for (word, bit) in places(key) {
            self.0[word] |= bit;
        }
    }

    pub(super) fn may_have(&self, key: &Digest) -> bool {
        places(key).all(|(word, bit)| self.0[word] & bit != 0)
    }
}

/// Four places of a key: parts of a digest are as good as hashes of their own.
fn places(key: &Digest) -> impl Iterator<Item = (usize, u64)> {
    key.as_bytes().chunks_exact(8).map(|part| {
        let place = part.iter().fold(0, |place, byte| place << 8 | u64::from(*byte)) % BITS;
        ((place / u64::from(u64::BITS)) as usize, 1 << (place % u64::from(u64::BITS)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_known_and_hardly_anything_else() {
        let key = |number: u32| Digest::of(&number.to_le_bytes());
        let mut asked = Asked::nothing();
        (0..100_000).for_each(|number| asked.note(&key(number)));
        assert!((0..100_000).all(|number| asked.may_have(&key(number))));
        let wrong = (100_000..200_000).filter(|number| asked.may_have(&key(*number))).count();
        assert!(wrong < 50, "{wrong}");
    }
}
