//! Means of scores by example.

/// Units of 1 in a [`Column`]: as fine as the repeats of an example leave room for.
pub(in crate::measure) fn fixed_point_scale(repeats: u32) -> f64 {
    f64::from((u32::MAX / repeats.max(1)).min(1 << 24))
}

/// Most calls of an example that are kept in half a byte.
const MOST_CALLS: u8 = 15;

/// Means by example as exact sums of fixed-point numbers.
#[derive(Debug, Clone)]
pub(in crate::measure) enum Column {
    /// Calls that were right or wrong, up to 15 an example: their number in the upper half of a byte, and how many
    /// were right in the lower.
    Calls(Vec<u8>),
    /// Sums of fixed-point numbers, and of how many calls.
    Sums(Vec<u32>, Vec<u16>),
}

impl Default for Column {
    fn default() -> Self {
        Self::Calls(Vec::new())
    }
}

impl Column {
    pub(in crate::measure) fn add(&mut self, example: usize, score: f64, scale: f64) {
        let score = score.clamp(0.0, 1.0);
        if let Self::Calls(calls) = self {
            if calls.len() <= example {
                calls.resize(example + 1, 0);
            }
            let call = &mut calls[example];
            if (score == 0.0 || score == 1.0) && *call >> 4 < MOST_CALLS {
                *call += 0x10 + u8::from(score == 1.0);
                return;
            }
            self.widen(scale);
        }
        let Self::Sums(sums, counts) = self else { return };
        if sums.len() <= example {
            sums.resize(example + 1, 0);
            counts.resize(example + 1, 0);
        }
        sums[example] = sums[example].saturating_add(units(score, scale));
        counts[example] = counts[example].saturating_add(1);
    }

    fn widen(&mut self, scale: f64) {
        let Self::Calls(calls) = self else { return };
        let sums = calls.iter().map(|call| u32::from(call & 0xf).saturating_mul(units(1.0, scale))).collect();
        let counts = calls.iter().map(|call| u16::from(call >> 4)).collect();
        *self = Self::Sums(sums, counts);
    }

    /// The sum of an example's scores and their number.
    pub(in crate::measure) fn sum(&self, example: usize, scale: f64) -> (f64, u64) {
        match self {
            Self::Calls(calls) => {
                let call = calls.get(example).copied().unwrap_or(0);
                let sum = u32::from(call & 0xf).saturating_mul(units(1.0, scale));
                (f64::from(sum) / scale, u64::from(call >> 4))
            }
            Self::Sums(sums, counts) => {
                let sum = sums.get(example).copied().unwrap_or(0);
                (f64::from(sum) / scale, u64::from(counts.get(example).copied().unwrap_or(0)))
            }
        }
    }

    /// The mean of an example's scores; `None` without any.
    pub(in crate::measure) fn mean(&self, example: usize, scale: f64) -> Option<f64> {
        let (sum, count) = self.sum(example, scale);
        (count > 0).then(|| (sum / count as f64).min(1.0))
    }
}

fn units(score: f64, scale: f64) -> u32 {
    (score * scale).round() as u32
}

/// A mean score by example, in the order of the examples; one that is missing has none.
#[derive(Debug, Clone)]
pub struct Scores(Form);

#[derive(Debug, Clone)]
enum Form {
    /// As a run adds them up, over so many examples.
    Column { column: Column, scale: f64, examples: usize },
    /// As they were stated.
    Each(Vec<Option<f32>>),
}

impl Scores {
    pub(in crate::measure) fn of_column(column: Column, scale: f64, examples: usize) -> Self {
        Self(Form::Column { column, scale, examples })
    }

    /// So many examples, all of them missing.
    pub fn none(examples: usize) -> Self {
        Self::of_column(Column::default(), 1.0, examples)
    }

    /// The score of an example.
    pub fn get(&self, place: usize) -> Option<f32> {
        match &self.0 {
            Form::Column { column, scale, .. } => column.mean(place, *scale).map(|mean| mean as f32),
            Form::Each(scores) => scores.get(place).copied().flatten(),
        }
    }

    /// Examples, missing ones among them.
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Column { examples, .. } => *examples,
            Form::Each(scores) => scores.len(),
        }
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether any example has a score.
    pub fn is_known(&self) -> bool {
        self.iter().any(|score| score.is_some())
    }

    /// The scores in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<f32>> + Clone + '_ {
        (0..self.len()).map(|place| self.get(place))
    }
}

#[cfg(test)]
impl Scores {
    /// Gives some examples another score.
    pub(crate) fn fill(
        &mut self,
        examples: impl std::slice::SliceIndex<[Option<f32>], Output = [Option<f32>]>,
        score: Option<f32>,
    ) {
        let mut scores: Vec<Option<f32>> = self.iter().collect();
        scores[examples].fill(score);
        *self = scores.into();
    }
}

impl PartialEq for Scores {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl From<Vec<Option<f32>>> for Scores {
    fn from(scores: Vec<Option<f32>>) -> Self {
        Self(Form::Each(scores))
    }
}

impl FromIterator<Option<f32>> for Scores {
    fn from_iter<I: IntoIterator<Item = Option<f32>>>(scores: I) -> Self {
        Self(Form::Each(scores.into_iter().collect()))
    }
}
