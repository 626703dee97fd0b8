//! Numbers for examples, in the order in which they are first seen.

use crate::digest::Digest;

/// No example.
const NONE: u32 = u32::MAX;

/// The place of each example, by its digest: small, since a run may have a million.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The first 64 bits of each digest: two of a million examples share them in one run of 37 million.
    keys: Vec<u64>,
    /// Places where their keys lead, or where the next free one was: open addressing.
    table: Vec<u32>,
    /// The place after the last one that was asked for. Variants are mostly asked the same examples in one order.
    next: usize,
}

impl Places {
    /// Makes room for so many examples at once: a list that doubles holds what it was and what it becomes.
    pub fn make_room(&mut self, examples: usize) {
        self.keys.reserve_exact(examples.saturating_sub(self.keys.len()));
    }

    /// The place of an example, a new one where it was not seen before.
    pub fn place(&mut self, example: &Digest) -> u32 {
        let key = example.prefix_u64();
        let ahead = [self.next, self.next.wrapping_sub(1)].into_iter().find(|at| self.keys.get(*at) == Some(&key));
        let place = match ahead {
            Some(place) => place as u32,
            None => self.look_up(key),
        };
        self.next = place as usize + 1;
        place
    }

    fn look_up(&mut self, key: u64) -> u32 {
        if (self.keys.len() + 1) * 4 > self.table.len() * 3 {
            self.grow();
        }
        let slot = self.slot(key);
        if self.table[slot] == NONE {
            self.table[slot] = self.keys.len() as u32;
            self.keys.push(key);
        }
        self.table[slot]
    }

    /// Where a key stands, or would stand.
    fn slot(&self, key: u64) -> usize {
        let mask = self.table.len() - 1;
        let mut slot = key as usize & mask;
        while self.table[slot] != NONE && self.keys[self.table[slot] as usize] != key {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let room = (self.table.len() * 2).max(16);
        // Not both at once: the keys alone say what stood in the old one.
        self.table = Vec::new();
        self.table = vec![NONE; room];
        for place in 0..self.keys.len() {
            let slot = self.slot(self.keys[place]);
            self.table[slot] = place as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_example_keeps_the_place_of_its_first_appearance(
            seen in prop::collection::vec(0..300_u32, 0..900),
        ) {
            let (mut places, mut plain) = (Places::default(), std::collections::HashMap::new());
            for example in seen {
                let next = plain.len() as u32;
                let wanted = *plain.entry(example).or_insert(next);
                prop_assert_eq!(places.place(&Digest::of(&example.to_le_bytes())), wanted);
            }
        }
    }

    #[test]
    fn variants_in_one_order_share_their_places() {
        let mut places = Places::default();
        for _ in 0..3 {
            for example in 0..5_000_u32 {
                assert_eq!(places.place(&Digest::of(&example.to_le_bytes())), example);
                assert_eq!(places.place(&Digest::of(&example.to_le_bytes())), example, "a repeat");
            }
        }
    }
}
