//! A random sample of test labels to be checked again: what the label-noise ceiling wants (METHODS.md 8.3).

use super::{LabelledRow, Split};
use crate::stats::rng::Rng;

/// The places of `count` test rows in a random order; the same for the same seed and the same number of rows. The first
/// rows of a sample are a sample, too.
pub fn draw(rows: &[LabelledRow], count: usize, seed: u64) -> Vec<usize> {
    let mut test: Vec<usize> = (0..rows.len()).filter(|&place| rows[place].split == Split::Test).collect();
    Rng::new(seed).shuffle(&mut test);
    test.truncate(count);
    test
}

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::*;

    #[test]
    fn a_seed_draws_the_same_test_rows_and_a_larger_sample_begins_with_them() {
        let of =
            |n: usize| row(if n.is_multiple_of(2) { Split::Test } else { Split::Pool }, &format!("r{n}"), "x", "A");
        let rows: Vec<LabelledRow> = (0..200).map(of).collect();
        let some = draw(&rows, 20, 7);
        assert_eq!(some.len(), 20);
        assert!(some.iter().all(|&place| rows[place].split == Split::Test));
        assert_eq!(some, draw(&rows, 50, 7)[..20]);
        assert_ne!(some, draw(&rows, 20, 8));
        assert_eq!(draw(&rows, 1_000, 7).len(), 100);
    }
}
