//! Exact search for the nearest vectors by cosine.

/// Why vectors cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// Two vectors have different lengths.
    #[error("one vector has {found} dimensions, the first has {expected}")]
    Dimensions {
        /// Of the first.
        expected: usize,
        /// Of this one.
        found: usize,
    },
}

/// Vectors of documents, each of length 1, one after the other.
#[derive(Debug, Default)]
pub struct DocumentVectors {
    dimensions: usize,
    values: Vec<f32>,
    count: usize,
}

impl DocumentVectors {
    /// Adds the vector of the next document. A vector of zeros is like nothing.
    ///
    /// # Errors
    /// Another length than the first one's.
    pub fn push(&mut self, vector: &[f32]) -> Result<(), VectorError> {
        if self.count == 0 {
            self.dimensions = vector.len();
        }
        self.check(vector)?;
        let length = length(vector);
        self.values
            .extend(vector.iter().map(|value| if length > 0.0 { (f64::from(*value) / length) as f32 } else { 0.0 }));
        self.count += 1;
        Ok(())
    }

    /// The places of the k nearest, the nearest first, ties in order.
    ///
    /// # Errors
    /// Another length than the documents'.
    pub fn nearest(&self, query: &[f32], k: usize) -> Result<Box<[u32]>, VectorError> {
        if self.count == 0 {
            return Ok(Box::default());
        }
        self.check(query)?;
        // The query's own length changes no order.
        let mut scored: Vec<(f32, u32)> =
            self.values.chunks_exact(self.dimensions.max(1)).map(|document| dot(document, query)).zip(0..).collect();
        let better = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if k < scored.len() {
            scored.select_nth_unstable_by(k, better);
            scored.truncate(k);
        }
        scored.sort_unstable_by(better);
        Ok(scored.into_iter().map(|(_, place)| place).collect())
    }

    fn check(&self, vector: &[f32]) -> Result<(), VectorError> {
        if vector.len() == self.dimensions {
            Ok(())
        } else {
            Err(VectorError::Dimensions { expected: self.dimensions, found: vector.len() })
        }
    }
}

/// In eight sums side by side: the same in every run, and what a processor does at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a_parts, b_parts) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_parts.zip(b_parts) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// In double precision, so that neither very small nor very large values leave the range.
fn length(vector: &[f32]) -> f64 {
    vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(vectors: &[&[f32]]) -> DocumentVectors {
        let mut all = DocumentVectors::default();
        vectors.iter().for_each(|vector| all.push(vector).unwrap());
        all
    }

    #[test]
    fn the_angle_counts_and_not_the_length() {
        let all = of(&[&[10.0, 0.0], &[0.0, 0.1], &[1.0, 1.0], &[-3.0, 0.0]]);
        assert_eq!(*all.nearest(&[0.2, 0.1], 4).unwrap(), [2, 0, 1, 3]);
        assert_eq!(*all.nearest(&[0.0, 7.0], 1).unwrap(), [1]);
    }

    #[test]
    fn ties_go_to_the_first_and_zeros_are_like_nothing() {
        let all = of(&[&[0.0, 0.0], &[2.0, 0.0], &[1.0, 0.0], &[1e-30, 0.0]]);
        assert_eq!(*all.nearest(&[1.0, 0.0], 9).unwrap(), [1, 2, 3, 0]);
        assert_eq!(*all.nearest(&[0.0, 0.0], 2).unwrap(), [0, 1]);
    }

    #[test]
    fn other_dimensions_are_refused() {
        let mut all = of(&[&[1.0, 0.0]]);
        assert_eq!(all.push(&[1.0]), Err(VectorError::Dimensions { expected: 2, found: 1 }));
        assert!(all.nearest(&[1.0, 0.0, 0.0], 1).is_err());
        assert!(DocumentVectors::default().nearest(&[1.0], 3).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn a_short_list_is_the_start_of_the_long_one(
            vectors in prop::collection::vec(prop::collection::vec(-2_i8..=2, 3), 1..30),
            k in 0_usize..10,
        ) {
            let float = |vector: &Vec<i8>| vector.iter().map(|&v| f32::from(v)).collect::<Vec<_>>();
            let mut all = DocumentVectors::default();
            vectors.iter().for_each(|vector| all.push(&float(vector)).unwrap());
            let query = float(&vectors[0]);
            let long = all.nearest(&query, vectors.len()).unwrap();
            prop_assert_eq!(&*all.nearest(&query, k).unwrap(), &long[..k.min(long.len())]);
        }
    }
}
