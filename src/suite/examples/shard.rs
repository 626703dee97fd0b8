//! One of several parts of the examples, the same on every machine: by the digest of the id.

use std::fmt;
use std::str::FromStr;

use super::Example;
use crate::digest::Digest;

/// Part `index` of `count`, from 1.
///
/// Each example is in exactly one part, whatever its place in the files. Those of one cluster may
/// be in several parts: only what is measured needs clusters whole, and that is the joined run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1.
    pub index: u32,
    /// How many parts there are.
    pub count: u32,
}

impl Shard {
    /// Most parts.
    pub const MOST: u32 = 100_000;

    /// Whether an example is in this part.
    pub fn has(self, example: &Example) -> bool {
        let place = Digest::of_parts([b"shard".as_slice(), example.id.0.as_bytes()]).prefix_u64();
        place % u64::from(self.count.max(1)) == u64::from(self.index.saturating_sub(1))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((0, _)) => Err("the first shard is 1; of an index that begins at 0, add 1".to_owned()),
            Some((index, count)) if index <= count && count <= Self::MOST => Ok(Self { index, count }),
            Some((index, count)) if index > count => Err(format!("there is no shard {index} of {count}")),
            Some(_) => Err(format!("at most {} shards", Self::MOST)),
            None => Err("expected I/N, such as 1/8".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::ExampleId;

    fn example(place: usize) -> Example {
        Example {
            id: ExampleId(format!("e{place}")),
            input: 1.into(),
            expected: 1.into(),
            cluster: None,
            documents: Vec::new(),
            tags: Default::default(),
        }
    }

    #[test]
    fn every_example_is_in_one_part_and_stays_there() {
        for count in [1, 2, 3, 7] {
            let mut sizes = vec![0_usize; count as usize];
            for place in 0..700 {
                let within: Vec<u32> =
                    (1..=count).filter(|&index| Shard { index, count }.has(&example(place))).collect();
                assert_eq!(within.len(), 1);
                sizes[within[0] as usize - 1] += 1;
            }
            let fair = 700 / count as usize;
            assert!(sizes.iter().all(|size| size.abs_diff(fair) < 60), "{sizes:?}");
        }
        // Shards of one run may be asked by two versions of the program.
        let first: Vec<usize> = (0..12).filter(|&place| Shard { index: 1, count: 3 }.has(&example(place))).collect();
        assert_eq!(first, FIRST_OF_THREE);
    }

    const FIRST_OF_THREE: &[usize] = &[5, 7, 9, 11];

    #[test]
    fn shards_are_written_from_one() {
        assert_eq!("2/8".parse(), Ok(Shard { index: 2, count: 8 }));
        for wrong in ["0/8", "9/8", "8", "a/8", "1/0", "-1/8", "1/1000000"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
